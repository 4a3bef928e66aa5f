"""Refusals and failures of the platform as typed errors.

Owns the translation of an HTTP answer that is not a success. Decides by status and error_code, never by the
words of a message. The platform's own words are carried along, shortened, for people to read.
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
    Unreachable,
)
from statetool.servicestage.answer import Answer, parse_json

ErrorT = TypeVar("ErrorT", bound=PlatformError)

MAX_MESSAGE_CHARS = 500
MAX_RETRY_AFTER_S = 120.0

NO_ANSWER = "no_answer"
"""Code of a ServerFailed without status: a request went out and nothing readable came back."""
NOT_TRUSTED = "tls"
"""Code of an Unreachable whose TLS handshake failed: trying again can't help."""

_NOT_VISIBLE = "SVCSTG.00100401"  # sent with HTTP 401 for what does not exist, or is not visible [TF, 10.2]
_UNKNOWN_VERB = "SVCSTG.00100418"
_GATEWAY_PREFIXES = ("APIGW.", "APIG.")
_CODE_KEYS = ("error_code", "errorCode", "code")
_MESSAGE_KEYS = ("error_msg", "errorMsg", "error_message", "errorMessage", "message", "detail")

_NOT_FOUND_HINT = "the platform says this of what does not exist and of what this user may not see"
_NO_API_HINT = "no such address on this host: check endpoint and project_id"
_FORBIDDEN_HINT = (
    "the user needs servicestage:app:listComponent and servicestage:app:listApplication to read, "
    "servicestage:app:modifyComponent to change"
)


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
    kind, error_code, what, hint = _classify(answer.status, code, is_action)
    if kind is Unauthorized:
        refusal = explain(answer, code)
        error_code, what, hint = refusal.code, refusal.what, refusal.hint
    request_id = answer.request_id or body_request_id
    facts = [f"HTTP {answer.status}", *([code] if code else []), *([f"request {request_id}"] if request_id else [])]
    said = f": {words}" if words else ""
    return kind(
        f"{answer.where}: {what}{said} ({', '.join(facts)})",
        code=error_code,
        hint=hint,
        status=answer.status,
        platform_code=code,
        request_id=request_id,
        retry_after_s=_parse_retry_after(answer.headers),
    )


def judge_write(error: PlatformError) -> PlatformError:
    """What a failed changing request means: the same error where it surely was not executed, else OutcomeUnknown.

    Surely not executed: nothing was sent, a refusal (3xx, 4xx), or a gateway that turned it away (429; 503 with
    a gateway code). A 502 or 504 is none of these even with a gateway code: the gateway had passed it on.
    """
    if isinstance(error, AnswerUnreadable):
        return build_outcome_unknown(error)
    turned_away = error.status == 503 and is_gateway_code(error.platform_code)
    if isinstance(error, ServerFailed) and not turned_away:
        return build_outcome_unknown(error)
    return error


def build_outcome_unknown(cause: PlatformError) -> OutcomeUnknown:
    """The error of a changing request that went out and whose answer is lost."""
    return OutcomeUnknown(
        f"{cause.message}. The request was sent and its answer is lost: it may have been carried out, "
        "so it will not be repeated",
        hint="look at the component, its status and its last job, before anything else is sent to it",
        address=cause.address,
        status=cause.status,
        platform_code=cause.platform_code,
        request_id=cause.request_id,
    )


def is_worth_repeating(error: PlatformError) -> bool:
    """Whether a read that failed so may succeed a moment later."""
    if isinstance(error, Unreachable):
        return error.code != NOT_TRUSTED
    return isinstance(error, ServerFailed | Throttled)


def is_safe_to_repeat(error: PlatformError) -> bool:
    """Whether a changing request that failed so, after `judge_write`, may be sent again."""
    if isinstance(error, Unreachable):
        return error.code != NOT_TRUSTED
    return error.status in (429, 503) and is_gateway_code(error.platform_code)


def is_gateway_code(code: str | None) -> bool:
    """Whether the API gateway answered, in front of the service."""
    return code is not None and code.startswith(_GATEWAY_PREFIXES)


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


def shorten(text: str) -> str:
    """Words of the platform, cut to a length that fits a message, safe to encode as UTF-8."""
    whole = text.strip()
    cut = whole if len(whole) <= MAX_MESSAGE_CHARS else whole[: MAX_MESSAGE_CHARS - 3] + "..."
    return cut.encode("utf-8", "replace").decode("utf-8")


def _classify(
    status: int, code: str | None, is_action: bool
) -> tuple[type[PlatformError], str | None, str, str | None]:
    """Error class, our code (None: the class's own), what happened, hint. Codes: [10.2], [10.3]."""
    if 300 <= status <= 399:
        return RequestRefused, "redirect", "redirects are not followed, because credentials would travel along", None
    if status == 401:
        if code == _NOT_VISIBLE:
            return NotFound, None, "not found", _NOT_FOUND_HINT
        return Unauthorized, None, "not accepted", None
    if status == 403:
        return RequestRefused, "forbidden", "this user is not allowed to do that", _FORBIDDEN_HINT
    if status == 404:
        if is_gateway_code(code):
            return RequestRefused, "no_such_api", "the gateway knows no such request", _NO_API_HINT
        return NotFound, None, "not found", _NOT_FOUND_HINT
    if status == 429:
        return Throttled, None, "too many requests; this one was not carried out", None
    if status == 408 or status >= 500:
        return ServerFailed, None, "the platform failed to answer", None
    if is_action and status in (400, 409) and code != _UNKNOWN_VERB and not is_gateway_code(code):
        # Which status and code the platform uses for a busy component is unknown [U8]; re-reading tells.
        return StateConflictOnPlatform, None, "the component's state does not allow this now", None
    return RequestRefused, None, "refused", None


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
