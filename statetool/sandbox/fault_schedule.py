"""Which request a fault hits: matching, counting and chance.

Owns what a request looks like to a fault, and the counters of one. Pure: chance is drawn from the fault's own numbers,
so the same requests meet the same faults again. Must not know what a fault does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from statetool.sandbox.faults import MOST_FAULTS, Fault

_PREFIX = re.compile(r"/v3/[^/]+/cas(?=/)")
_COMPONENTS = re.compile(r"/applications/[^/]+/components")
_COMPONENT = re.compile(r"/applications/[^/]+/components/([^/]+)(/.*)?")
_JOB = re.compile(r"/jobs/([^/]+)")
_VERBS = {("PUT", ""): "deploy", ("DELETE", ""): "delete", ("PUT", "/refresh"): "refresh"}


@dataclass(frozen=True, slots=True)
class Occasion:
    """A request as faults see it: `path` without /v3/{project_id}/cas, `addresses` every name of its component."""

    method: str
    path: str
    action: str | None
    addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FaultCount:
    """A fault and what became of it so far.

    seen      matching requests
    fired     those that were hit and where it had an effect (a job fault: where a job was started)
    until_ms  refused: nobody gets a connection before
    problem   why a disturbance could not be done the last time it was tried
    """

    fault: Fault
    seen: int = 0
    fired: int = 0
    until_ms: int = 0
    problem: str | None = None

    @property
    def remaining(self) -> int | None:
        """How many requests it may still hit; None: no end."""
        return None if self.fault.times is None else self.fault.times - self.fired


def short_path(path: str) -> str:
    """A path as faults name it."""
    return _PREFIX.sub("", path, count=1)


def action_of(method: str, path: str, body: bytes) -> str | None:
    """What a request (path as of `short_path`) does to components: the verb it sends, or create, deploy, ..."""
    if method == "POST" and path.endswith("/action"):
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError):
            return None
        verb = sent.get("action") if isinstance(sent, Mapping) else None
        return verb if isinstance(verb, str) else None
    if method == "POST" and _COMPONENTS.fullmatch(path):
        return "create"
    found = _COMPONENT.fullmatch(path)
    return _VERBS.get((method, found[2] or "")) if found else None


def component_of(path: str) -> str | None:
    """The id of the component a request is about, by its path (as of `short_path`)."""
    found = _COMPONENT.fullmatch(path)
    return found[1] if found else None


def job_of(path: str) -> str | None:
    """The id of the job a request is about."""
    found = _JOB.fullmatch(path)
    return found[1] if found else None


def strike(counts: Sequence[FaultCount], occasion: Occasion) -> tuple[list[FaultCount], int | None]:
    """The faults with this request counted as seen, and the position of the one that hits it.

    `fired` is left to the caller, who knows whether it had an effect.
    """
    seen = [replace(count, seen=count.seen + 1) if matches(count.fault, occasion) else count for count in counts]
    pairs = enumerate(zip(counts, seen, strict=True))
    hits = (place for place, (before, now) in pairs if now is not before and _hits(now, place))
    return seen, next(hits, None)


def matches(fault: Fault, occasion: Occasion) -> bool:
    """Whether a request is one of those a fault is about."""
    return (
        fault.method in (None, occasion.method)
        and fault.action in (None, occasion.action)
        and (fault.address is None or fault.address in occasion.addresses)
        and (fault.path is None or _glob(fault.path).fullmatch(occasion.path) is not None)
    )


def _hits(count: FaultCount, place: int) -> bool:
    fault = count.fault
    if count.seen <= fault.after or (fault.times is not None and count.fired >= fault.times):
        return False
    return fault.probability is None or _draw(fault.seed, place, count.seen) < fault.probability


def _draw(seed: int, place: int, number: int) -> float:
    """A number from 0 up to but not including 1 that depends on nothing else."""
    digest = hashlib.sha256(f"{seed}/{place}/{number}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


@lru_cache(MOST_FAULTS)
def _glob(pattern: str) -> re.Pattern[str]:
    words = {"**": ".*", "*": "[^/]*"}
    pieces = re.split(r"(\*\*|\*)", pattern)
    return re.compile("".join(words.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)
