"""What the control path looks like on the wire; shared by server (app.py) and client (control.py).

Owns its paths, its header, the well-known token and the JSON of log and summary. Must not do I/O.

SEED_PATH     POST {text, filename}          -> {applications, environments, components}
DISTURB_PATH  POST {address, ...changes}     -> {}
RESET_PATH    POST {}                        -> {}
LOG_PATH      GET                            -> {log: [{at_ms, method, path, body, status_code, job_id, fault,
                                                       gray_rule_body}]}
FAULTS_PATH   POST {faults: [...]}           -> {}      replaces all faults; an element as `faults.Fault`
FAULTS_PATH   GET                            -> {faults: [{fault, seen, fired, remaining, until_ms, problem}]}

Errors are {error: sentence}. Every answer carries CONTROL_HEADER, which tells a sandbox from any other server.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable
from typing import Any

from statetool.sandbox.fault_schedule import FaultCount
from statetool.sandbox.faults import fault_to_json, parse_fault
from statetool.sandbox.model import LogEntry, SeedSummary

CONTROL_HEADER = "X-Sandbox-Control"
DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - a word everybody may read: it protects nothing
SEED_PATH = "/sandbox/seed"
DISTURB_PATH = "/sandbox/disturb"
RESET_PATH = "/sandbox/reset"
LOG_PATH = "/sandbox/log"
FAULTS_PATH = "/sandbox/faults"
CONTROL_PATHS = {
    SEED_PATH: ("POST",),
    DISTURB_PATH: ("POST",),
    RESET_PATH: ("POST",),
    LOG_PATH: ("GET",),
    FAULTS_PATH: ("GET", "POST"),
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def log_to_json(entries: Iterable[LogEntry]) -> list[dict[str, Any]]:
    """Log entries as JSON values."""
    return [dataclasses.asdict(entry) for entry in entries]


def log_from_json(values: Iterable[dict[str, Any]]) -> list[LogEntry]:
    """Log entries out of JSON values."""
    return [LogEntry(**value) for value in values]


def faults_to_json(counts: Iterable[FaultCount]) -> list[dict[str, Any]]:
    """Faults and what became of them as JSON values."""
    return [
        {
            "fault": fault_to_json(count.fault),
            "seen": count.seen,
            "fired": count.fired,
            "remaining": count.remaining,
            "until_ms": count.until_ms,
            "problem": count.problem,
        }
        for count in counts
    ]


def faults_from_json(values: Iterable[dict[str, Any]]) -> list[FaultCount]:
    """Faults and what became of them out of JSON values."""
    return [
        FaultCount(parse_fault(value["fault"]), value["seen"], value["fired"], value["until_ms"], value["problem"])
        for value in values
    ]


def summary_to_json(summary: SeedSummary) -> dict[str, Any]:
    """The summary of a seed as JSON values."""
    return dataclasses.asdict(summary)
