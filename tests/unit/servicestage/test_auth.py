"""Credentials go into headers and nowhere else, and what their refusal means is said in a sentence."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import httpx
import pytest

from statetool.core.credentials import AccessKey
from statetool.core.model import Secret
from statetool.errors import Unauthorized
from statetool.servicestage.answer import Answer
from statetool.servicestage.auth import Auth, KeyAuth, TokenAuth
from statetool.servicestage.problems import build_error

PROJECT = "0123456789abcdef0123456789abcdef"
NOW = datetime(2025, 1, 1, tzinfo=UTC)
URL = f"https://servicestage.cn-north-4.myhuaweicloud.com/v3/{PROJECT}/cas"


def key_auth(security_token: str | None = None, now: datetime = NOW) -> KeyAuth:
    """With the key of the reference's vectors."""
    key = AccessKey(
        Secret("AKEXAMPLE000000000001"),
        Secret("SKexample0000000000000000000000000000001"),
        Secret(security_token) if security_token else None,
        "environment HW_ACCESS_KEY",
    )
    return KeyAuth(key, project_id=PROJECT, now=lambda: now)


def refusal(auth: Auth, code: str | None = "APIGW.0301", date: datetime | None = NOW) -> Unauthorized:
    """What a 401 becomes."""
    headers = {"date": format_datetime(date, usegmt=True)} if date else {}
    body = b'{"error_code": "%s"}' % code.encode() if code else b""
    error = build_error(Answer("GET https://x", 401, headers, body), is_action=False, explain=auth.explain_refusal)
    assert isinstance(error, Unauthorized)
    assert error.hint
    assert "nothing more is sent" in error.hint
    return error


def test_the_token_is_a_header_of_the_request() -> None:
    """By the platform's name for it."""
    request = httpx.Request("GET", "https://platform.test/")
    TokenAuth(Secret("t-1")).put_on(request)
    assert request.headers["X-Auth-Token"] == "t-1"


def test_credentials_do_not_show() -> None:
    """Neither in the object nor in its attributes."""
    for auth in (TokenAuth(Secret("t-1")), key_auth("t-1")):
        shown = repr(auth) + repr(vars(auth))
        assert "t-1" not in shown
        assert "example" not in shown.lower()


@pytest.mark.parametrize("value", ["", "t-1\n", "t 1", "t\x001", "t-é", "t\r\nHost: evil"])
def test_a_token_that_is_none_is_refused_without_being_named(value: str) -> None:
    """A line break at the end of a file is the usual reason; it must not inject a header either."""
    with pytest.raises(Unauthorized) as caught:
        TokenAuth(Secret(value))
    assert not value or value not in caught.value.message
    assert caught.value.hint is not None
    assert "HW_AUTH_TOKEN" in caught.value.hint
    for access, secret, token in ((value, "sk", "st"), ("ak", value, "st"), ("ak", "sk", value)):
        key = AccessKey(Secret(access), Secret(secret), Secret(token), "somewhere")
        with pytest.raises(Unauthorized):
            KeyAuth(key, project_id=None, now=lambda: NOW)


def test_echoed_secrets_are_concealed_however_they_are_written() -> None:
    """A debug page that prints our headers prints stars; also in JSON, in an address and in base64."""
    assert TokenAuth(Secret("t-1")).conceal(b"X-Auth-Token: t-1; again t-1") == b"X-Auth-Token: ***; again ***"


@pytest.mark.parametrize(
    "spelling",
    [
        "S3cret/Token+1",
        base64.b64encode(b"S3cret/Token+1").decode(),
        "S3cret%2FToken%2B1",
        "".join(f"\\u{ord(letter):04x}" for letter in "S3cret/Token+1"),
    ],
)
def test_a_token_is_concealed_however_it_is_spelt(spelling: str) -> None:
    """Servers echo what they got as text, JSON, a URL or base64."""
    assert TokenAuth(Secret("S3cret/Token+1")).conceal(f"got {spelling}!".encode()) == b"got ***!"


def test_a_token_that_could_be_a_name_stays_in_answers() -> None:
    """Else a component would lose a part of its name; real tokens are long."""
    assert TokenAuth(Secret("t-1")).conceal(b"t-1", short_too=False) == b"t-1"
    assert TokenAuth(Secret("sandbox-token")).conceal(b"sandbox-token", short_too=False) == b"***"


def test_every_secret_is_concealed_in_every_spelling_at_once() -> None:
    """Also the parts of a key that came from a file or a service."""
    secret = 'p"ä+/%'
    written = [secret, 'p\\"\\u00e4+/%', 'p\\"ä+/%', quote(secret, safe=""), base64.b64encode(secret.encode()).decode()]
    written += [json.dumps(json.dumps({"password": secret}))[len(r'"{\"password\": \"') : -len(r'\"}"')]]
    assert Auth([Secret(secret)]).conceal(" ".join(written).encode()) == b" ".join([b"***"] * len(written))
    assert key_auth("st-1").conceal(b"AKEXAMPLE000000000001 st-1") == b"*** ***"


def test_requests_are_signed_as_in_the_reference() -> None:
    """Both vectors, as the headers of real requests."""
    get = httpx.Request("GET", f"{URL}/components?limit=100&offset=0", headers={"Content-Type": "application/json"})
    key_auth().put_on(get)
    assert get.headers["Authorization"].endswith(
        "SignedHeaders=content-type;host;x-project-id;x-sdk-date, "
        "Signature=7b78ff73214e7e96717f7815eb239795bc0f5f8eaad1a0b59536b167e02d13d1"
    )
    post = httpx.Request(
        "POST",
        f"{URL}/applications/a1/components/c1/action",
        headers={"Content-Type": "application/json"},
        content=b'{"action":"scale","parameters":{"replica":3}}',
    )
    key_auth("TOKEN").put_on(post)
    assert post.headers["X-Security-Token"] == "TOKEN"
    assert post.headers["Authorization"].endswith(
        "Signature=d069ee818dc1965d97340a6616bfffb3c0628a576613d1209902f7c3cd5295af"
    )


def test_a_request_that_is_sent_again_is_signed_again() -> None:
    """With the date of then: an hour later the first signature would be worth nothing."""
    request = httpx.Request("GET", URL, headers={"Content-Type": "application/json"})
    key_auth().put_on(request)
    first = request.headers["Authorization"]
    key_auth(now=NOW + timedelta(hours=1)).put_on(request)
    assert request.headers["X-Sdk-Date"] == "20250101T010000Z"
    assert request.headers["Authorization"] != first
    key_auth().put_on(request)
    assert request.headers["Authorization"] == first


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(minutes=47, seconds=12), "47 min ahead of the platform's"),
        (timedelta(hours=-2, minutes=-5), "2 h 5 min behind the platform's"),
        (timedelta(days=400, hours=1), "400 d 1 h ahead of the platform's"),
        (timedelta(minutes=15, seconds=1), "15 min ahead of the platform's"),
    ],
)
@pytest.mark.parametrize("code", ["APIGW.0303", "APIGW.0301", None])
def test_a_clock_that_is_off_is_named_with_how_far(ahead: timedelta, words: str, code: str | None) -> None:
    """Whatever the code: no signature could have been good. The platform's Date header tells."""
    error = refusal(key_auth(), code, NOW - ahead)
    assert error.code == "clock_skew"
    assert f"this machine's clock is {words}" in error.message
    assert "set the clock" in str(error.hint)


@pytest.mark.parametrize("date", [NOW, NOW + timedelta(minutes=14), None])
def test_a_clock_that_is_right_is_not_blamed(date: datetime | None) -> None:
    """Then it is the key. The code for the clock is also one for other faults, so it is mentioned only."""
    error = refusal(key_auth(), "APIGW.0301", date)
    assert error.code == "unauthorized"
    assert "clock" not in error.message
    assert "environment HW_ACCESS_KEY" in error.message
    assert "lock" in str(error.hint)
    assert "more than 15 min" in refusal(key_auth(), "APIGW.0303", date).message
    assert "temporary key has ended" in str(refusal(key_auth("st"), "APIGW.0301", date).hint)


def test_a_date_that_is_none_blames_nobody() -> None:
    """A proxy may write anything."""
    for date in ("", "yesterday", "Wed, 01 Jan 2020 00:00:00"):
        answer = Answer("GET https://x", 401, {"date": date}, b"")
        assert key_auth().explain_refusal(answer, None).code is None


def test_a_refused_token_says_where_it_came_from() -> None:
    """And what to do about it."""
    error = refusal(TokenAuth(Secret("t-1")))
    assert "environment HW_AUTH_TOKEN" in error.message
    assert "fresh token" in str(error.hint)


def test_who_sends_nothing_is_told_all_ways() -> None:
    """A platform that asks who we are, where we have nothing to say."""
    error = build_error(Answer("GET https://x", 401, {}, b""), is_action=False, explain=Auth().explain_refusal)
    for name in ("HW_AUTH_TOKEN", "HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_USER_PASSWORD", "~/.huaweicloud/credentials"):
        assert name in str(error.hint)
