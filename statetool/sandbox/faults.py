"""What can go wrong on purpose: the kinds of faults, whom they may hit, and their parameters.

Owns `Fault`, its JSON form and what is wrong with one. Pure. Must not decide which request is hit
(fault_schedule.py) or what then happens (fault_effects.py, delivery.py).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from statetool.sandbox.actions import ALLOWED, CHECK
from statetool.sandbox.configuration import LARGEST_REPLICA, is_number
from statetool.sandbox.disturb import Disturbance, ensure_known
from statetool.sandbox.errors import SandboxError
from statetool.sandbox.model import is_status

MOST_FAULTS = 1000
_OUTAGE_SECONDS = 1.0
_LONGEST_SECONDS = 31_536_000.0
_LARGEST_COUNT = 2**31 - 1
VERBS = (*ALLOWED, CHECK, "create", "deploy", "delete", "refresh")


class FaultKind(StrEnum):
    """Every way in which the sandbox fails when asked to."""

    THROTTLED = "throttled"
    HTTP_ERROR = "http_error"
    REFUSED = "refused"
    RESET = "reset"
    HANG = "hang"
    SLOW_BODY = "slow_body"
    CUT_BODY = "cut_body"
    TRUNCATED_JSON = "truncated_json"
    HTML = "html"
    WRONG_TYPE = "wrong_type"
    JOB_FAILED = "job_failed"
    JOB_ENDLESS = "job_endless"
    JOB_STATUS = "job_status"
    COMPONENT_STATUS = "component_status"
    NEVER_READY = "never_ready"
    DISTURB = "disturb"
    CLOCK_SKEW = "clock_skew"


# The parameters of each kind; those with a mark have to be given.
_PARAMETERS: Mapping[FaultKind, tuple[str, ...]] = {
    FaultKind.THROTTLED: ("retry_after_s",),
    FaultKind.HTTP_ERROR: ("status_code!", "gateway", "retry_after_s", "executed"),
    FaultKind.REFUSED: ("seconds", "executed"),
    FaultKind.RESET: ("executed",),
    FaultKind.HANG: ("seconds", "executed"),
    FaultKind.SLOW_BODY: ("seconds!",),
    FaultKind.CUT_BODY: (),
    FaultKind.TRUNCATED_JSON: (),
    FaultKind.HTML: (),
    FaultKind.WRONG_TYPE: ("content_type",),
    FaultKind.JOB_FAILED: ("message!",),
    FaultKind.JOB_ENDLESS: (),
    FaultKind.JOB_STATUS: ("status!", "when", "message"),
    FaultKind.COMPONENT_STATUS: ("status!", "when"),
    FaultKind.NEVER_READY: ("available_replicas",),
    FaultKind.DISTURB: ("disturbance!", "when"),
    FaultKind.CLOCK_SKEW: ("seconds!",),
}
_MATCHERS = ("method", "path", "action", "address", "after", "times", "probability", "seed")
JOB_KINDS = frozenset(
    {
        FaultKind.JOB_FAILED,
        FaultKind.JOB_ENDLESS,
        FaultKind.JOB_STATUS,
        FaultKind.COMPONENT_STATUS,
        FaultKind.NEVER_READY,
    }
)
_UNEXECUTED_UNLESS_ASKED = frozenset({FaultKind.HTTP_ERROR, FaultKind.REFUSED, FaultKind.RESET, FaultKind.HANG})
_ERRORS = (500, 502, 503, 504)
_WHEN = {
    FaultKind.JOB_STATUS: ("during", "after"),
    FaultKind.COMPONENT_STATUS: ("during", "after"),
    FaultKind.DISTURB: ("before", "after"),
}


@dataclass(frozen=True, slots=True)
class ScheduledDisturbance:
    """A change behind the tool's back that waits for its moment."""

    address: str
    change: Disturbance


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, for the requests it matches; None matches every request.

    method       HTTP method
    path         glob over the path, written without /v3/{project_id}/cas (IAM's paths whole); `*` stays between
                 slashes, `**` does not
    action       what the request does to a component: a verb of the action endpoint, or create, deploy (PUT),
                 delete, refresh
    address      app/component or app/component@env: requests below its path, and reads of its jobs
    after        so many matching requests pass first
    times        so many requests are hit at most; None: no end
    probability  0 to 1: each matching request is hit by chance; the draw of the n-th one follows from `seed`, n and
                 the fault's place in the list, so that a run can be repeated

    Requests that match are counted also when an earlier fault of the list hits them. One request is hit by one
    fault at most, the first of the list. The control path is never hit.

    A kind has some of these, and refuses the others:

    executed       the request takes effect although its answer says otherwise or is lost (http_error, refused,
                   reset, hang; false at first). Every other kind that spoils an answer executes the request.
    status_code    500, 502, 503 or 504 (http_error)
    gateway        the error has the body of the API gateway (true at first) or plain text (http_error)
    retry_after_s  value of the header Retry-After, whole seconds; none without it (throttled, http_error)
    seconds        hang: how long nothing comes, then the answer of an executed request or the end of the connection
                   (None: until the client goes away). slow_body: how long the body takes. refused: for so long
                   nobody gets a connection (1 at first). clock_skew: how far the sandbox's clock is ahead; may be
                   negative
    content_type   what the JSON is called (wrong_type; text/plain at first)
    message        the failed task's message (job_failed, job_status: makes the operation fail as well)
    status         the word shown (job_status, component_status)
    when           during or after the job (job_status, component_status; after at first), before or after the
                   request is executed (disturb; before at first)
    available_replicas  no more instances become healthy until a restart, a start or a change of version (never_ready;
                   one fewer than asked for at first)
    disturbance    whom and what to change (disturb)
    """

    kind: FaultKind
    method: str | None = None
    path: str | None = None
    action: str | None = None
    address: str | None = None
    after: int = 0
    times: int | None = None
    probability: float | None = None
    seed: int = 0
    executed: bool | None = None
    status_code: int | None = None
    gateway: bool | None = None
    retry_after_s: int | None = None
    seconds: float | None = None
    content_type: str | None = None
    message: str | None = None
    status: str | None = None
    when: str | None = None
    available_replicas: int | None = None
    disturbance: ScheduledDisturbance | None = None

    def __post_init__(self) -> None:
        """Raise SandboxError, one sentence, where something makes no sense."""
        if self.kind not in tuple(FaultKind):
            raise SandboxError(f"kind {self.kind!r} does not exist{_near(self.kind, tuple(FaultKind))}")
        object.__setattr__(self, "kind", FaultKind(self.kind))
        allowed = {name.rstrip("!") for name in _PARAMETERS[self.kind]}
        for parameter in fields(self):
            name = parameter.name
            if name != "kind" and name not in (*_MATCHERS, *allowed) and getattr(self, name) is not None:
                known = ", ".join(sorted(allowed)) or "none"
                raise SandboxError(f"{name} does not go with {self.kind} (its parameters: {known})")
        for name in _PARAMETERS[self.kind]:
            if name.endswith("!") and getattr(self, name[:-1]) is None:
                raise SandboxError(f"{self.kind} needs {name[:-1]}")
        _check_matcher(self)
        _check_parameters(self)

    @property
    def executes(self) -> bool:
        """Whether a request that is hit takes effect."""
        if self.kind is FaultKind.THROTTLED:
            return False
        return self.kind not in _UNEXECUTED_UNLESS_ASKED or bool(self.executed)

    @property
    def outage_seconds(self) -> float:
        """For how long nobody gets a connection (refused)."""
        return _OUTAGE_SECONDS if self.seconds is None else float(self.seconds)


def parse_fault(values: object) -> Fault:
    """A fault out of JSON: a flat object, `disturbance` an object {address, ...}. Raises SandboxError."""
    if not isinstance(values, Mapping):
        raise SandboxError("a fault must be an object")
    names = tuple(item.name for item in fields(Fault))
    for name in values:
        if name not in names:
            raise SandboxError(f"unknown key {name!r}{_near(name, names)}")
    if "kind" not in values:
        raise SandboxError(f"kind is missing; one of {', '.join(FaultKind)}")
    given: dict[str, Any] = dict(values)
    if given.get("disturbance") is not None:
        given["disturbance"] = _parse_disturbance(given["disturbance"])
    for name in ("after", "seed"):
        if given.get(name, 0) is None:
            del given[name]
    return Fault(**given)


def parse_faults(values: object) -> list[Fault]:
    """A list of faults out of JSON. Raises SandboxError that says which one is wrong."""
    if not isinstance(values, list):
        raise SandboxError("faults must be a list")
    if len(values) > MOST_FAULTS:
        raise SandboxError(f"at most {MOST_FAULTS} faults, not {len(values)}")
    faults = []
    for index, value in enumerate(values):
        try:
            faults.append(value if isinstance(value, Fault) else parse_fault(value))
        except SandboxError as error:
            raise SandboxError(f"faults[{index}]: {error}") from None
    return faults


def fault_to_json(fault: Fault) -> dict[str, Any]:
    """The JSON form of a fault, without what was left out."""
    values = {item.name: getattr(fault, item.name) for item in fields(fault) if item.name != "disturbance"}
    if fault.disturbance is not None:
        change = fault.disturbance.change
        changes = {item.name: getattr(change, item.name) for item in fields(change)}
        named = {name: value for name, value in changes.items() if value is not None}
        values["disturbance"] = {"address": fault.disturbance.address, **named}
    defaults = {"after": 0, "seed": 0}
    return {name: value for name, value in values.items() if value is not None and value != defaults.get(name)}


def _parse_disturbance(values: object) -> ScheduledDisturbance:
    if isinstance(values, ScheduledDisturbance):
        return values
    if not isinstance(values, Mapping):
        raise SandboxError("disturbance must be an object")
    changes: dict[str, Any] = dict(values)
    address = changes.pop("address", None)
    if not isinstance(address, str):
        raise SandboxError("disturbance needs address, a text")
    ensure_known(changes)
    return ScheduledDisturbance(address, Disturbance(**changes))


def _check_matcher(fault: Fault) -> None:
    for name in ("method", "path", "action", "address"):
        value = getattr(fault, name)
        if value is not None and not (isinstance(value, str) and value):
            raise SandboxError(f"{name} must be a text")
    if fault.method is not None and not (fault.method.isascii() and fault.method.isupper()):
        raise SandboxError("method must be a word in capitals, such as POST")
    if fault.path is not None and not fault.path.startswith(("/", "*")):
        raise SandboxError("path must begin with a slash or an asterisk")
    if fault.action is not None and fault.action not in VERBS:
        raise SandboxError(f"action {fault.action!r} does not exist{_near(fault.action, VERBS)}")
    if not _is_count(fault.after):
        raise SandboxError("after must be a whole number, 0 or more")
    if fault.times is not None and not (_is_count(fault.times) and fault.times >= 1):
        raise SandboxError("times must be a whole number, 1 or more")
    if not is_number(fault.seed) or abs(fault.seed) > _LARGEST_COUNT:
        raise SandboxError("seed must be a whole number")
    if fault.probability is not None and not _is_between(fault.probability, 0.0, 1.0):
        raise SandboxError("probability must be a number from 0 to 1")


def _check_parameters(fault: Fault) -> None:
    for name in ("executed", "gateway"):
        if not isinstance(getattr(fault, name), bool | None):
            raise SandboxError(f"{name} must be true or false")
    for name in ("message", "content_type"):
        value = getattr(fault, name)
        if value is not None and not (isinstance(value, str) and value and "\n" not in value and "\r" not in value):
            raise SandboxError(f"{name} must be a text of one line that is not empty")
    if fault.content_type is not None and not (fault.content_type.isascii() and fault.content_type.isprintable()):
        raise SandboxError("content_type must be ASCII")
    if fault.status_code is not None and not (is_number(fault.status_code) and fault.status_code in _ERRORS):
        raise SandboxError(f"status_code must be one of {', '.join(map(str, _ERRORS))}")
    if fault.retry_after_s is not None and not _is_count(fault.retry_after_s):
        raise SandboxError("retry_after_s must be a whole number of seconds, 0 or more")
    lowest = -_LONGEST_SECONDS if fault.kind is FaultKind.CLOCK_SKEW else 0.0
    if fault.seconds is not None and not _is_between(fault.seconds, lowest, _LONGEST_SECONDS):
        raise SandboxError(f"seconds must be a number from {lowest:.0f} to {_LONGEST_SECONDS:.0f}")
    if fault.status is not None and not (isinstance(fault.status, str) and is_status(fault.status)):
        raise SandboxError("status must be a word in capitals, such as REFURBISHING")
    if fault.when is not None and fault.when not in _WHEN[fault.kind]:
        raise SandboxError(f"when must be one of {', '.join(_WHEN[fault.kind])}")
    count = fault.available_replicas
    if count is not None and not (is_number(count) and 0 <= count <= LARGEST_REPLICA):
        raise SandboxError("available_replicas must be a whole number, 0 or more")
    if fault.disturbance is not None and not isinstance(fault.disturbance, ScheduledDisturbance):
        raise SandboxError("disturbance must be a ScheduledDisturbance")


def _is_count(value: object) -> bool:
    return is_number(value) and 0 <= value <= _LARGEST_COUNT


def _is_between(value: object, low: float, high: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return low <= value <= high


def _near(word: object, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(word), known, n=1)
    return f" (did you mean {near[0]}?)" if near else f"; known: {', '.join(known)}"
