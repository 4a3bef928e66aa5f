"""What may be sent again: the table method x failure, in one place.

Owns the kinds of failure and what follows from each, for a read and for a changing request. A changing request is
sent again only where it surely was not carried out. It decides by status and error_code, never by the words of a
message. How a failure is told is `problems.py`; who sends, pauses and counts is `channel.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from statetool.errors import AnswerUnreadable, PlatformDown, PlatformError, ServerFailed, Unreachable

NO_ANSWER = "no_answer"
"""Code of a ServerFailed without status: a request went out and nothing readable came back."""
NOT_TRUSTED = "tls"
"""Code of an Unreachable whose TLS handshake failed: trying again can't help."""

# Patterns of error codes, as fnmatch reads them.
_ANY = ("*",)
_GATEWAY = ("APIGW.*", "APIG.*")  # [10.3]
_NOT_VISIBLE = ("SVCSTG.00100401",)  # with 401: does not exist, or is not visible [TF, 10.2]
_UNKNOWN_VERB = ("SVCSTG.00100418",)  # [10.2]
_VERSION_USED = ("SVCSTG.00100441",)  # [api_0026]


class Failure(StrEnum):
    """What came of a request that did not succeed."""

    NOT_TRUSTED = "not trusted"
    NOT_CONNECTED = "not connected"
    HELD_BACK = "held back"
    NO_ANSWER = "no answer"
    UNREADABLE = "unreadable"
    REDIRECT = "redirect"
    NOT_VISIBLE = "not visible"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NO_SUCH_API = "no such API"
    MISSING = "missing"
    TIMED_OUT = "timed out"
    THROTTLED_AT_GATEWAY = "throttled at the gateway"
    THROTTLED = "throttled"
    TURNED_AWAY = "turned away"
    UNAVAILABLE = "unavailable"
    LOST_BEHIND_GATEWAY = "lost behind the gateway"
    FAILED = "failed"
    REFUSED_AT_GATEWAY = "refused at the gateway"
    UNKNOWN_VERB = "unknown verb"
    VERSION_USED = "version used"
    CONFLICT = "conflict"
    REFUSED = "refused"


class Next(StrEnum):
    """What follows for the request."""

    AGAIN = "again"
    """Sent again after a pause, within its deadline."""
    RENEW = "renew"
    """Sent once more with new credentials, where there are some; after a second refusal nothing is sent any more."""
    GIVE_UP = "give up"
    """The error is told as it is. A changing request surely was not carried out."""
    UNKNOWN = "unknown"
    """A changing request may have been carried out: OutcomeUnknown, and it is not sent again."""


class Sign(StrEnum):
    """What a failure says of the platform itself."""

    DOWN = "down"
    ALIVE = "alive"
    NEITHER = "neither"
    """Also of a gateway that answers by itself: it says nothing of the service behind it."""


@dataclass(frozen=True, slots=True)
class Row:
    """`seen` are HTTP statuses, or where there was no answer the class of the error.

    `codes` narrow it down, as patterns: the platform's error_code, or where there was no answer our own code.
    """

    failure: Failure
    seen: Collection[int] | type[PlatformError]
    codes: tuple[str, ...]
    read: Next
    write: Next
    sign: Sign

    def fits_answer(self, status: int, code: str | None) -> bool:
        return not isinstance(self.seen, type) and status in self.seen and _matches(code, self.codes)

    def fits_error(self, error: PlatformError) -> bool:
        return isinstance(self.seen, type) and isinstance(error, self.seen) and _matches(error.code, self.codes)


def _matches(code: str | None, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(code or "", pattern) for pattern in patterns)


_A, _R, _G, _U = Next.AGAIN, Next.RENEW, Next.GIVE_UP, Next.UNKNOWN
_4XX = range(400, 500)
_NO_STATUS = (*range(200), *range(500, 1000))  # an answer that is none says no more than a failure

# The first row that fits counts. A changing request is a POST or a PUT: a PUT is no safer to repeat [section 2].
TABLE: tuple[Row, ...] = (
    #   failure                        seen              codes            read  write sign
    Row(Failure.HELD_BACK,             PlatformDown,     _ANY,            _G,   _G,   Sign.NEITHER),
    Row(Failure.NOT_TRUSTED,           Unreachable,      (NOT_TRUSTED,),  _G,   _G,   Sign.DOWN),
    Row(Failure.NOT_CONNECTED,         Unreachable,      _ANY,            _A,   _A,   Sign.DOWN),
    Row(Failure.NO_ANSWER,             ServerFailed,     (NO_ANSWER,),    _A,   _U,   Sign.DOWN),
    Row(Failure.UNREADABLE,            AnswerUnreadable, _ANY,            _G,   _U,   Sign.NEITHER),
    Row(Failure.REDIRECT,              range(300, 400),  _ANY,            _G,   _G,   Sign.NEITHER),
    Row(Failure.NOT_VISIBLE,           (401,),           _NOT_VISIBLE,    _G,   _G,   Sign.ALIVE),
    Row(Failure.UNAUTHORIZED,          (401,),           _ANY,            _R,   _R,   Sign.NEITHER),
    Row(Failure.FORBIDDEN,             (403,),           _ANY,            _G,   _G,   Sign.NEITHER),
    Row(Failure.NO_SUCH_API,           (404,),           _GATEWAY,        _G,   _G,   Sign.NEITHER),
    Row(Failure.MISSING,               (404,),           _ANY,            _G,   _G,   Sign.ALIVE),
    Row(Failure.TIMED_OUT,             (408,),           _ANY,            _A,   _U,   Sign.NEITHER),
    Row(Failure.THROTTLED_AT_GATEWAY,  (429,),           _GATEWAY,        _A,   _A,   Sign.NEITHER),
    Row(Failure.THROTTLED,             (429,),           _ANY,            _A,   _G,   Sign.NEITHER),
    Row(Failure.TURNED_AWAY,           (503,),           _GATEWAY,        _A,   _A,   Sign.DOWN),
    Row(Failure.UNAVAILABLE,           (503,),           _ANY,            _A,   _U,   Sign.DOWN),
    Row(Failure.LOST_BEHIND_GATEWAY,   (502, 504),       _ANY,            _A,   _U,   Sign.DOWN),
    Row(Failure.FAILED,                _NO_STATUS,       _ANY,            _A,   _U,   Sign.DOWN),
    Row(Failure.REFUSED_AT_GATEWAY,    _4XX,             _GATEWAY,        _G,   _G,   Sign.NEITHER),
    Row(Failure.UNKNOWN_VERB,          (400,),           _UNKNOWN_VERB,   _G,   _G,   Sign.ALIVE),
    Row(Failure.VERSION_USED,          (400, 409),       _VERSION_USED,   _G,   _G,   Sign.ALIVE),
    Row(Failure.CONFLICT,              (400, 409),       _ANY,            _G,   _G,   Sign.ALIVE),
    Row(Failure.REFUSED,               _4XX,             _ANY,            _G,   _G,   Sign.ALIVE),
)  # fmt: skip

_NOT_IN_TABLE = Row(Failure.REFUSED, (), _ANY, Next.GIVE_UP, Next.GIVE_UP, Sign.NEITHER)
"""What no request ends in: a refusal of credentials before anything is sent, or a success."""


def is_gateway_code(code: str | None) -> bool:
    """Whether the API gateway answered, in front of the service."""
    return _matches(code, _GATEWAY)


def row_of_answer(status: int, code: str | None) -> Row:
    """The row of an answer that is not a success, by its status and error_code."""
    return next((row for row in TABLE if row.fits_answer(status, code)), _NOT_IN_TABLE)


def row_of(error: PlatformError) -> Row:
    """The row of an error of one request, whether or not there was an answer."""
    if error.status is None or 200 <= error.status <= 299:
        return next((row for row in TABLE if row.fits_error(error)), _NOT_IN_TABLE)
    return row_of_answer(error.status, error.platform_code)


def what_next(error: PlatformError, *, is_action: bool) -> Next:
    """What follows from the error of one request. `is_action`: it would have changed something."""
    row = row_of(error)
    return row.write if is_action else row.read
