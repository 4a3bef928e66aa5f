"""A client of the control path: seed, disturb, reset, let fail and read the log of a sandbox somebody else serves.

Owns its connection errors. Besides transport.py the only module of the sandbox that may use httpx. Talks to loopback
addresses only: what it sends replaces a world, so it must never reach a real platform by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from statetool.sandbox.errors import SandboxError
from statetool.sandbox.fault_schedule import FaultCount
from statetool.sandbox.faults import Fault, fault_to_json
from statetool.sandbox.model import LogEntry, SeedSummary
from statetool.sandbox.wire import (
    CONTROL_HEADER,
    DISTURB_PATH,
    FAULTS_PATH,
    LOG_PATH,
    RESET_PATH,
    SEED_PATH,
    faults_from_json,
    is_loopback,
    log_from_json,
)

_TIMEOUT_SECONDS = 60.0


class ControlClient:
    """Steers the sandbox at an endpoint such as http://127.0.0.1:9000. Every method raises SandboxError."""

    def __init__(self, endpoint: str) -> None:
        """Refuse (SandboxError) an endpoint that is not on this machine; nothing is sent yet."""
        try:
            parts = urlsplit(endpoint)
            local = parts.scheme == "http" and is_loopback(parts.hostname or "")
            port = parts.port or 80
        except ValueError:
            raise SandboxError(f"{endpoint!r} is not an endpoint") from None
        if not local:
            raise SandboxError(f"{endpoint!r} is not a sandbox on this machine (http://127.0.0.1:PORT)")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self._base = f"http://{host}:{port}"

    def seed(self, text: str, filename: str) -> SeedSummary:
        """Replace the world; see `Sandbox.seed`."""
        return SeedSummary(**self._send("POST", SEED_PATH, {"text": text, "filename": filename}))

    def disturb(
        self,
        address: str,
        *,
        replicas: int | None = None,
        available_replicas: int | None = None,
        status: str | None = None,
        weight: int | None = None,
        end_gray: str | None = None,
        fail_next_job: str | None = None,
    ) -> None:
        """Change a component behind the tool's back; see `Sandbox.disturb`."""
        changes = {
            "replicas": replicas,
            "available_replicas": available_replicas,
            "status": status,
            "weight": weight,
            "end_gray": end_gray,
            "fail_next_job": fail_next_job,
        }
        named = {name: value for name, value in changes.items() if value is not None}
        self._send("POST", DISTURB_PATH, {"address": address, **named})

    def reset(self) -> None:
        """Empty the world; see `Sandbox.reset`."""
        self._send("POST", RESET_PATH, {})

    def log(self) -> list[LogEntry]:
        """Every mutating API request; see `Sandbox.log`."""
        return log_from_json(self._send("GET", LOG_PATH, None)["log"])

    def set_faults(self, faults: Sequence[Fault | Mapping[str, Any]]) -> None:
        """Let these go wrong from now on, and nothing else; see `Sandbox.set_faults`."""
        values = [fault_to_json(fault) if isinstance(fault, Fault) else dict(fault) for fault in faults]
        self._send("POST", FAULTS_PATH, {"faults": values})

    def faults(self) -> list[FaultCount]:
        """What goes wrong, and how often it has so far; see `Sandbox.faults`."""
        return faults_from_json(self._send("GET", FAULTS_PATH, None)["faults"])

    def _send(self, method: str, path: str, values: dict[str, Any] | None) -> dict[str, Any]:
        try:
            # trust_env: a proxy of the environment must not carry this.
            with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
                answer = client.request(method, self._base + path, json=values)
        except httpx.ConnectError:
            raise SandboxError(f"no sandbox is listening at {self._base}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SandboxError(f"the sandbox at {self._base} did not answer: {type(error).__name__}") from None
        if CONTROL_HEADER not in answer.headers:
            raise SandboxError(f"what answers at {self._base} is not a sandbox")
        body = answer.json()
        if answer.is_error:
            raise SandboxError(body.get("error", f"the sandbox failed: HTTP {answer.status_code}"))
        return dict(body)
