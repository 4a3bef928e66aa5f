"""Every error a person can meet, its stable code, its exit code and its hint.

Owns the exception tree, the exit code table and the diagnostic that all of them are printed as. It must
import the standard library only, print nothing, and never be asked to read message text: whoever needs to
decide something looks at the class or the code.

    StatetoolError
    ├── UsageError                 the command line is wrong
    ├── InvalidInput               manifests or configuration; carries all diagnostics of a run at once
    ├── PlanFileError              a saved plan that must not be applied
    ├── StateError
    │   ├── StateUnreadable        damaged, too new, or not a state
    │   ├── StateConflict          somebody else wrote it since it was read
    │   │   └── LeaseLost          the lock ended while it was needed
    │   ├── StateLocked            another run holds the lock
    │   ├── StateUnreachable       the backend did not answer, or turned us away
    │   └── StateUnsafe            the backend can't keep two writers apart
    ├── Interrupted                a signal ended the command before it could finish
    └── PlatformError
        ├── EndpointRefused        credentials may not be sent to this host
        ├── Unreachable            nothing was sent: DNS, connect, TLS
        │   └── PlatformDown       a change was held back: the platform has not answered for a while
        ├── Unauthorized           token refused, or missing
        ├── NotFound               application, component, job or snapshot
        ├── StateConflictOnPlatform  busy component or verb not possible in this status
        ├── RequestRefused         any other refusal: 4xx
        ├── Throttled              429, surely not executed
        ├── ServerFailed           5xx
        ├── AnswerUnreadable       HTML, truncated JSON, wrong shape
        ├── ListIncomplete         a component answers by its id that no list shows
        ├── NotSent                held back by ourselves: too late after it was noted down
        └── OutcomeUnknown         a changing request was sent and its answer was lost
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Literal

Severity = Literal["error", "warning"]


class ExitCode(IntEnum):
    """The one table of exit codes (README, section Exit codes)."""

    DONE = 0
    ERROR = 1
    CHANGES = 2
    PARTLY = 3
    DENIED = 4
    LOCKED = 5
    STALE = 6
    DECLINED = 7
    USAGE = 64
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class SourceMark:
    """A place in a file a person wrote. Line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell a person: what, where, why, and what to do next."""

    code: str
    message: str
    hint: str | None = None
    mark: SourceMark | None = None
    address: str | None = None
    severity: Severity = "error"


class StatetoolError(Exception):
    """Base of all errors. `code` is stable; `message` is for people and may change."""

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR
    default_code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        mark: SourceMark | None = None,
        address: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.mark = mark
        self.address = address

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The error as diagnostics, at least one."""
        return (Diagnostic(self.code, self.message, self.hint, self.mark, self.address),)


class UsageError(StatetoolError):
    exit_code = ExitCode.USAGE
    default_code = "usage"


class InvalidInput(StatetoolError):
    """Manifests or configuration are wrong. Holds every diagnostic of the run, in file order."""

    default_code = "invalid_input"

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        first = diagnostics[0]
        super().__init__(first.message, code=first.code, hint=first.hint, mark=first.mark, address=first.address)
        self._diagnostics = tuple(diagnostics)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self._diagnostics


class PlanFileError(StatetoolError):
    default_code = "plan_file"


class StateError(StatetoolError):
    default_code = "state"


class StateUnreadable(StateError):
    default_code = "state_unreadable"


class StateConflict(StateError):
    default_code = "state_conflict"


class LeaseLost(StateConflict):
    default_code = "lease_lost"


class StateLocked(StateError):
    exit_code = ExitCode.LOCKED
    default_code = "state_locked"


class StateUnreachable(StateError):
    default_code = "state_unreachable"


class StateUnsafe(StateError):
    default_code = "state_unsafe"


class Interrupted(StatetoolError):
    exit_code = ExitCode.INTERRUPTED
    default_code = "interrupted"


class PlatformError(StatetoolError):
    """Something between us and the platform. `status` is the HTTP status, `platform_code` its error_code."""

    default_code = "platform"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        address: str | None = None,
        status: int | None = None,
        platform_code: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, address=address)
        self.status = status
        self.platform_code = platform_code
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class EndpointRefused(PlatformError):
    default_code = "endpoint_refused"


class Unreachable(PlatformError):
    default_code = "unreachable"


class PlatformDown(Unreachable):
    default_code = "platform_down"


class Unauthorized(PlatformError):
    default_code = "unauthorized"


class NotFound(PlatformError):
    default_code = "not_found"


class StateConflictOnPlatform(PlatformError):
    default_code = "platform_conflict"


class RequestRefused(PlatformError):
    default_code = "request_refused"


class Throttled(PlatformError):
    default_code = "throttled"


class ServerFailed(PlatformError):
    default_code = "server_failed"


class AnswerUnreadable(PlatformError):
    default_code = "answer_unreadable"


class ListIncomplete(PlatformError):
    default_code = "list_incomplete"


class NotSent(PlatformError):
    default_code = "not_sent"


class OutcomeUnknown(PlatformError):
    default_code = "outcome_unknown"
