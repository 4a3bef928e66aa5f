"""Refusals and failures of the platform as typed errors.

Owns the translation of an HTTP answer that is not a success: which failure it is, and whether it may be sent again,
says `retries.py`. The platform's own words are carried along, shortened, for people to read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from statetool.core.credentials import WAYS_TO_GIVE
from statetool.core.model import Json
from statetool.errors import (
    AnswerUnreadable,
    NotFound,
    OutcomeUnknown,
    PlatformError,
    RequestRefused,
    ServerFailed,
    StateConflictOnPlatform,
    Throttled,
    Unauthorized,
)
from statetool.servicestage.answer import Answer, parse_json
from statetool.servicestage.retries import Failure, row_of_answer

ErrorT = TypeVar("ErrorT", bound=PlatformError)

MAX_MESSAGE_CHARS = 500
MAX_RETRY_AFTER_S = 120.0

_CODE_KEYS = ("error_code", "errorCode", "code")
_MESSAGE_KEYS = ("error_msg", "errorMsg", "error_message", "errorMessage", "message", "detail")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What refused credentials mean: what happened, what to do, and our code where it is not the class's own."""

    what: str
    hint: str
    code: str | None = None


NO_CREDENTIALS = Refusal("the platform wants to know who asks", WAYS_TO_GIVE["auto"])


def build_error(
    answer: Answer,
    *,
    is_action: bool,
    explain: Callable[[Answer, str | None], Refusal] = lambda answer, code: NO_CREDENTIALS,
) -> PlatformError:
    """The typed error of an answer that is not 2xx. `is_action`: whether the request would change a component.

    `explain` says, of an answer and the platform's code in it, what a refusal of our credentials means.
    """
    code, words, body_request_id = _parse_error_body(answer)
    failure = row_of_answer(answer.status, code).failure
    # Which status and code the platform uses for a busy component is unknown [U8]; of a read, neither means that.
    meaning = _MEANINGS[Failure.REFUSED if failure is Failure.CONFLICT and not is_action else failure]
    error_code, what, hint = meaning.code, meaning.what, meaning.hint
    if meaning.kind is Unauthorized:
        refusal = explain(answer, code)
        error_code, what, hint = refusal.code, refusal.what, refusal.hint
    request_id = answer.request_id or body_request_id
    facts = [f"HTTP {answer.status}", *([code] if code else []), *([f"request {request_id}"] if request_id else [])]
    said = f": {words}" if words else ""
    return meaning.kind(
        f"{answer.where}: {what}{said} ({', '.join(facts)})",
        code=error_code,
        hint=hint,
        status=answer.status,
        platform_code=code,
        request_id=request_id,
        retry_after_s=_parse_retry_after(answer.headers),
    )


def build_outcome_unknown(cause: PlatformError) -> OutcomeUnknown:
    """The error of a changing request that went out and whose answer is lost."""
    return OutcomeUnknown(
        f"{cause.message}. The request was sent and its answer is lost: it may have been carried out, "
        "so it is not repeated blindly",
        hint="look at the component, its status and its last job, before anything else is sent to it",
        address=cause.address,
        status=cause.status,
        platform_code=cause.platform_code,
        request_id=cause.request_id,
    )


def reword(error: ErrorT, message: str) -> ErrorT:
    """The same error with other words."""
    return type(error)(
        message,
        code=error.code,
        hint=error.hint,
        address=error.address,
        status=error.status,
        platform_code=error.platform_code,
        request_id=error.request_id,
        retry_after_s=error.retry_after_s,
    )


def name_answer(error: ErrorT, answer: Answer) -> ErrorT:
    """The same error, saying which request it is the answer to."""
    named = reword(error, f"{answer.where}: {error.message}")
    named.status, named.request_id = answer.status, answer.request_id
    return named


def shorten(text: str) -> str:
    """Words of the platform, cut to a length that fits a message, safe to encode as UTF-8."""
    whole = text.strip()
    cut = whole if len(whole) <= MAX_MESSAGE_CHARS else whole[: MAX_MESSAGE_CHARS - 3] + "..."
    return cut.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class _Meaning:
    """The error of a failure: its class, what happened, what to do, and our code where it is not the class's own."""

    kind: type[PlatformError]
    what: str
    hint: str | None = None
    code: str | None = None


_FAILED = _Meaning(ServerFailed, "the platform failed to answer")
_THROTTLED = _Meaning(Throttled, "too many requests; this one was not carried out")
_MISSING = _Meaning(
    NotFound, "not found", "the platform says this of what does not exist and of what this user may not see"
)
_REFUSED = _Meaning(RequestRefused, "refused")
_MEANINGS: Mapping[Failure, _Meaning] = {
    Failure.REDIRECT: _Meaning(
        RequestRefused, "redirects are not followed, because credentials would travel along", code="redirect"
    ),
    Failure.NOT_VISIBLE: _MISSING,
    Failure.UNAUTHORIZED: _Meaning(Unauthorized, "not accepted"),
    Failure.FORBIDDEN: _Meaning(
        RequestRefused,
        "this user is not allowed to do that",
        "the user needs servicestage:app:listComponent and servicestage:app:listApplication to read, "
        "servicestage:app:modifyComponent to change",
        "forbidden",
    ),
    Failure.NO_SUCH_API: _Meaning(
        RequestRefused,
        "the gateway knows no such request",
        "no such address on this host: check endpoint and project_id",
        "no_such_api",
    ),
    Failure.MISSING: _MISSING,
    Failure.TIMED_OUT: _FAILED,
    Failure.THROTTLED_AT_GATEWAY: _THROTTLED,
    Failure.THROTTLED: _THROTTLED,
    Failure.TURNED_AWAY: _FAILED,
    Failure.UNAVAILABLE: _FAILED,
    Failure.LOST_BEHIND_GATEWAY: _FAILED,
    Failure.FAILED: _FAILED,
    Failure.REFUSED_AT_GATEWAY: _REFUSED,
    Failure.UNKNOWN_VERB: _REFUSED,
    Failure.VERSION_USED: _Meaning(
        RequestRefused, "this version was deployed before", "write a version that was never used", "version_used"
    ),
    Failure.CONFLICT: _Meaning(StateConflictOnPlatform, "the component's state does not allow this now"),
    Failure.REFUSED: _REFUSED,
}


def _parse_error_body(answer: Answer) -> tuple[str | None, str | None, str | None]:
    """error_code, message and request id of an error body, in all the spellings of [10.1]; None where absent."""
    if answer.is_html:
        return None, "an HTML page came back in place of an error", None
    try:
        body = parse_json(answer)
    except AnswerUnreadable:
        text = shorten(answer.body[: 8 * MAX_MESSAGE_CHARS].decode("utf-8", "replace"))
        return None, text or None, None
    if not isinstance(body, dict):
        return None, None, None
    nested = next((value for value in body.values() if isinstance(value, dict)), {})
    maps = (body, nested)
    return _first(maps, _CODE_KEYS), _first(maps, _MESSAGE_KEYS), _first(maps, ("request_id", "requestId"))


def _first(maps: tuple[Mapping[str, Json], ...], keys: tuple[str, ...]) -> str | None:
    for one in maps:
        for key in keys:
            value = one.get(key)
            if isinstance(value, str) and value.strip():
                return shorten(value)
            if isinstance(value, int) and not isinstance(value, bool):  # IAM numbers its codes [9.1]
                return shorten(str(value)) if value.bit_length() < 64 else None
    return None


def _parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, at most MAX_RETRY_AFTER_S. A date counts from the answer's own Date header, so that our
    clock need not be right; without that header a date tells nothing."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return MAX_RETRY_AFTER_S if len(text) > 6 else min(float(text), MAX_RETRY_AFTER_S)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):  # TypeError: one of the two has no time zone
        return None
    return min(max(wait.total_seconds(), 0.0), MAX_RETRY_AFTER_S)
