"""Refusals as typed errors: by status and code, in every shape the platform and its gateway use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from statetool.errors import (
    NotFound,
    OutcomeUnknown,
    PlatformError,
    RequestRefused,
    ServerFailed,
    StateConflictOnPlatform,
    Throttled,
    Unauthorized,
)
from statetool.servicestage.answer import Answer
from statetool.servicestage.problems import MAX_MESSAGE_CHARS, build_error, build_outcome_unknown


def refusal(status: int, body: Any = None, *, is_action: bool = False, **headers: Any) -> PlatformError:
    """The error of an answer with this status and body (bytes as they are, anything else as JSON)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return build_error(Answer("GET https://platform.test/x", status, named, raw), is_action=is_action)


@pytest.mark.parametrize(
    ("status", "code", "is_action", "kind"),
    [
        (401, "SVCSTG.00100401", False, NotFound),
        (401, "SVCSTG.00100401", True, NotFound),
        (401, "APIGW.0301", False, Unauthorized),
        (401, "APIGW.0307", True, Unauthorized),
        (401, None, False, Unauthorized),
        (403, "APIGW.0302", False, RequestRefused),
        (404, "SVCSTG.00100404", False, NotFound),
        (404, "SVCSTG.00100429", False, NotFound),
        (404, "SVCSTG.00100436", True, NotFound),
        (404, None, False, NotFound),
        (404, "APIGW.0101", False, RequestRefused),
        (400, "SVCSTG.00100400", False, RequestRefused),
        (400, "SVCSTG.00100400", True, StateConflictOnPlatform),
        (409, None, True, StateConflictOnPlatform),
        (409, None, False, RequestRefused),
        (400, "SVCSTG.00100418", True, RequestRefused),
        (409, "SVCSTG.00100441", True, RequestRefused),
        (400, "APIGW.0201", True, RequestRefused),
        (413, "APIGW.0201", True, RequestRefused),
        (429, "APIGW.0308", True, Throttled),
        (429, None, False, Throttled),
        (408, None, False, ServerFailed),
        (500, "APIGW.0601", False, ServerFailed),
        (503, None, False, ServerFailed),
        (301, None, False, RequestRefused),
        (307, None, True, RequestRefused),
        (304, None, False, RequestRefused),
    ],
)
def test_status_and_code_choose_the_error(
    status: int, code: str | None, is_action: bool, kind: type[PlatformError]
) -> None:
    """One row per meaning. A gateway's 404 is a wrong address, not a missing component."""
    error = refusal(status, {"error_code": code, "error_msg": "words"} if code else {}, is_action=is_action)
    assert type(error) is kind
    assert (error.status, error.platform_code) == (status, code)
    assert f"HTTP {status}" in error.message


@pytest.mark.parametrize(
    "body",
    [
        {"error_code": "SVCSTG.00100404", "error_msg": "no such thing"},
        {"errorCode": "SVCSTG.00100404", "errorMsg": "no such thing"},
        {"errorCode": "SVCSTG.00100404", "errorMessage": "no such thing"},
        {"error_code": "SVCSTG.00100404", "detail": "no such thing"},
        {"code": "SVCSTG.00100404", "message": "no such thing"},
        {"error": {"code": "SVCSTG.00100404", "message": "no such thing", "title": "Not Found"}},
    ],
)
def test_every_shape_of_an_error_body_is_read(body: Any) -> None:
    """Code and words are found under all names in use, and one level down."""
    error = refusal(404, body, x_request_id="req-7")
    assert (error.platform_code, error.request_id) == ("SVCSTG.00100404", "req-7")
    assert "no such thing" in error.message
    assert "req-7" in error.message


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"', b"[1", b"{}", b'{"error_code": {}}', b"\xff\xfe"])
def test_a_body_without_code_leaves_the_status_to_decide(body: bytes) -> None:
    """Nothing readable in the body is no reason for another error."""
    error = refusal(404, body)
    assert isinstance(error, NotFound)
    assert error.platform_code is None


def test_a_numeric_code_is_carried_as_text() -> None:
    """IAM numbers its errors."""
    assert refusal(403, {"error": {"code": 403, "message": "no"}}).platform_code == "403"


def test_plain_text_is_carried_and_html_is_not() -> None:
    """A proxy's sentence helps; a proxy's page does not."""
    assert "upstream is gone" in refusal(502, b"upstream is gone").message
    page = refusal(502, b"<html><h1>Bad gateway</h1></html>")
    assert "<h1>" not in page.message
    assert "HTML" in page.message


def test_words_of_the_platform_are_cut() -> None:
    """A megabyte of error text does not reach a terminal, nor does half a surrogate pair."""
    error = refusal(400, b'{"error_msg": "\\ud800' + b"x" * 100_000 + b'"}')
    assert len(error.message) < MAX_MESSAGE_CHARS + 200
    error.message.encode("utf-8")


def test_the_gateway_names_its_request_in_the_body() -> None:
    """Without the header the body's request_id is kept."""
    error = refusal(401, {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication", "request_id": "g-1"})
    assert error.request_id == "g-1"
    assert error.hint is not None
    assert "HW_AUTH_TOKEN" in error.hint


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "86400"}, 120.0),
        ({"retry_after": "9" * 400}, 120.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 -0000", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(headers: dict[str, Any], seconds: float | None) -> None:
    """At most two minutes; a date counts from the answer's own date."""
    assert refusal(429, {}, **headers).retry_after_s == seconds


def test_an_unknown_outcome_says_what_to_do() -> None:
    """It keeps what is known of the answer, and points at the component."""
    unknown = build_outcome_unknown(refusal(500, {"error_code": "APIGW.0601"}, x_request_id="req-7"))
    assert isinstance(unknown, OutcomeUnknown)
    assert (unknown.status, unknown.platform_code, unknown.request_id) == (500, "APIGW.0601", "req-7")
    assert "not repeated blindly" in unknown.message
    assert unknown.hint is not None
    assert "look at the component" in unknown.hint
