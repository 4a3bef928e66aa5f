"""The table of retries, walked row by row with a read, a POST and a PUT, each over a transport that counts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from statetool.core.plan import Verb
from statetool.errors import (
    AnswerUnreadable,
    NotFound,
    OutcomeUnknown,
    PlatformDown,
    PlatformError,
    RequestRefused,
    ServerFailed,
    StateConflictOnPlatform,
    Throttled,
    Unauthorized,
    Unreachable,
)
from statetool.servicestage.auth import Auth
from statetool.servicestage.retries import TABLE, Failure, Next, Sign, row_of, row_of_answer, what_next

Build = Callable[..., Any]
AGAIN, RENEW, GIVE_UP, UNKNOWN = Next.AGAIN, Next.RENEW, Next.GIVE_UP, Next.UNKNOWN
GOOD = httpx.Response(200, json={"job_id": "JOB7", "job": {"execution_status": "SUCCEEDED"}, "tasks": []})


def answer(status: int, code: str | None = None, **headers: str) -> httpx.Response:
    """An answer that is not a success, with an error_code where one is given."""
    return httpx.Response(status, headers=headers, json={"error_code": code} if code else {})


def untrusted() -> httpx.ConnectError:
    """How the HTTP library tells that a handshake was refused."""
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("certificate verify failed")
    return error


@dataclass(frozen=True)
class Case:
    """What comes back, what must follow, and as which error it is told to a reader and to a writer."""

    failure: Failure
    comes: httpx.Response | Exception
    read: Next
    write: Next
    kind: type[PlatformError]
    write_kind: type[PlatformError] | None = None


CASES = [
    Case(Failure.NOT_TRUSTED, untrusted(), GIVE_UP, GIVE_UP, Unreachable),
    Case(Failure.NOT_CONNECTED, httpx.ConnectError("refused"), AGAIN, AGAIN, Unreachable),
    Case(Failure.NOT_CONNECTED, httpx.ConnectTimeout("slow"), AGAIN, AGAIN, Unreachable),
    Case(Failure.NOT_CONNECTED, httpx.PoolTimeout("full"), AGAIN, AGAIN, Unreachable),
    Case(Failure.NO_ANSWER, httpx.ReadTimeout("slow"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.NO_ANSWER, httpx.ReadError("reset"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.NO_ANSWER, httpx.WriteError("reset"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.NO_ANSWER, httpx.WriteTimeout("slow"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.NO_ANSWER, httpx.RemoteProtocolError("cut off"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.UNREADABLE, httpx.Response(200, content=b"<html>login</html>"), GIVE_UP, UNKNOWN, AnswerUnreadable),
    Case(Failure.UNREADABLE, httpx.Response(200, content=b'{"job": {"execu'), GIVE_UP, UNKNOWN, AnswerUnreadable),
    Case(Failure.REDIRECT, answer(302, location="https://evil.example/"), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.REDIRECT, answer(307, location="https://evil.example/"), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.NOT_VISIBLE, answer(401, "SVCSTG.00100401"), GIVE_UP, GIVE_UP, NotFound),
    Case(Failure.UNAUTHORIZED, answer(401, "APIGW.0301"), RENEW, RENEW, Unauthorized),
    Case(Failure.UNAUTHORIZED, answer(401, "APIGW.0307"), RENEW, RENEW, Unauthorized),
    Case(Failure.UNAUTHORIZED, answer(401), RENEW, RENEW, Unauthorized),
    Case(Failure.FORBIDDEN, answer(403, "APIGW.0302"), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.NO_SUCH_API, answer(404, "APIGW.0101"), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.MISSING, answer(404, "SVCSTG.00100404"), GIVE_UP, GIVE_UP, NotFound),
    Case(Failure.MISSING, answer(404), GIVE_UP, GIVE_UP, NotFound),
    Case(Failure.TIMED_OUT, answer(408), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.THROTTLED_AT_GATEWAY, answer(429, "APIGW.0308"), AGAIN, AGAIN, Throttled),
    Case(Failure.THROTTLED_AT_GATEWAY, answer(429, "APIG.0308"), AGAIN, AGAIN, Throttled),
    Case(Failure.THROTTLED, answer(429), AGAIN, GIVE_UP, Throttled),
    Case(Failure.TURNED_AWAY, answer(503, "APIGW.0201"), AGAIN, AGAIN, ServerFailed),
    Case(Failure.UNAVAILABLE, answer(503), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.UNAVAILABLE, answer(503, "SVCSTG.00100500"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.UNAVAILABLE, httpx.Response(503, content=b"<html>busy</html>"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.LOST_BEHIND_GATEWAY, answer(502, "APIGW.0201"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.LOST_BEHIND_GATEWAY, answer(504, "APIGW.0201"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.LOST_BEHIND_GATEWAY, answer(504), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.FAILED, answer(500), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.FAILED, answer(500, "APIGW.0601"), AGAIN, UNKNOWN, ServerFailed),
    Case(Failure.REFUSED_AT_GATEWAY, answer(400, "APIGW.0201"), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.REFUSED_AT_GATEWAY, answer(413, "APIGW.0201"), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.VERSION_USED, answer(409, "SVCSTG.00100441"), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.UNKNOWN_VERB, answer(400, "SVCSTG.00100418"), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.CONFLICT, answer(409), GIVE_UP, GIVE_UP, RequestRefused, StateConflictOnPlatform),
    Case(Failure.CONFLICT, answer(409, "SVCSTG.1"), GIVE_UP, GIVE_UP, RequestRefused, StateConflictOnPlatform),
    Case(Failure.CONFLICT, answer(400, "SVCSTG.00100400"), GIVE_UP, GIVE_UP, RequestRefused, StateConflictOnPlatform),
    Case(Failure.REFUSED, answer(405), GIVE_UP, GIVE_UP, RequestRefused),
    Case(Failure.REFUSED, answer(422, "SVCSTG.1"), GIVE_UP, GIVE_UP, RequestRefused),
]


async def get(world: Any, **options: Any) -> None:
    """A read, as the client makes it."""
    async with world.client(**options) as client:
        await client.fetch_job("JOB1")


async def post(world: Any, **options: Any) -> None:
    """An action, as the client sends it."""
    async with world.client(**options) as client:
        await client.send_action("a-1", "c-1", Verb.RESTART, {})


async def put(world: Any, **options: Any) -> None:
    """A changing PUT."""
    channel = world.channel(**options)
    try:
        await channel.write("/c-1", {"version": "1.1.0"}, method="PUT")
    finally:
        await channel.close()


METHODS = {"GET": get, "POST": post, "PUT": put}
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.failure}-{case.comes!r:.60}")
every_method = pytest.mark.parametrize("method", METHODS)


def test_every_row_has_a_case() -> None:
    """A new row must be walked too. What is held back is shown by the tests of the breaker."""
    assert {case.failure for case in CASES} | {Failure.HELD_BACK} == set(Failure)
    assert [row.failure for row in TABLE] == list(dict.fromkeys(row.failure for row in TABLE))
    assert {row.failure for row in TABLE} == set(Failure)


@every_method
@every_case
def test_what_follows_from_a_failure(answering: Build, case: Case, method: str) -> None:
    """The failure comes once: how many requests go out, after which pauses, and what the caller learns."""
    follows = case.read if method == "GET" else case.write
    world = answering(case.comes, GOOD)
    if follows is AGAIN:
        asyncio.run(METHODS[method](world))
        assert len(world.requests) == 2
        assert len({(request.method, request.content) for request in world.requests}) == 1
        assert world.time.slept == [0.5]
        return
    kind = case.kind if method == "GET" else case.write_kind or case.kind
    with pytest.raises(PlatformError) as caught:
        asyncio.run(METHODS[method](world))
    assert type(caught.value) is (OutcomeUnknown if follows is UNKNOWN else kind)
    assert len(world.requests) == 1
    assert world.requests[0].method == method
    assert world.time.slept == []
    assert "https://platform.test/" in caught.value.message


@every_method
@every_case
def test_a_failure_that_stays_is_told(answering: Build, case: Case, method: str) -> None:
    """The failure comes for ever: five tries at most, then its own error with the number of tries."""
    follows = case.read if method == "GET" else case.write
    if follows is not AGAIN:
        return
    world = answering(case.comes)
    with pytest.raises(case.kind) as caught:
        asyncio.run(METHODS[method](world))
    assert len(world.requests) == 5
    assert world.time.slept == [0.5, 1.0, 2.0, 4.0]
    assert "(5 tries)" in caught.value.message


@every_method
@pytest.mark.parametrize("case", [case for case in CASES if case.read is RENEW], ids=lambda case: repr(case.comes))
def test_refused_credentials_are_renewed_once(answering: Build, case: Case, method: str) -> None:
    """With new ones the request goes out once more; refused again, nothing more is sent, whatever is asked."""

    class Renewable(Auth):
        renewals = 0

        async def renew(self, request: httpx.Request) -> bool:
            self.renewals += 1
            return True

    world, auth = answering(case.comes, GOOD), Renewable()
    asyncio.run(METHODS[method](world, auth=auth))
    assert (len(world.requests), auth.renewals, world.time.slept) == (2, 1, [])

    async def story() -> None:
        refusing = answering(case.comes)
        async with refusing.client(auth=Renewable()) as client:
            for _ in range(2):
                with pytest.raises(Unauthorized):
                    await client.send_action("a-1", "c-1", Verb.RESTART, {})
                with pytest.raises(Unauthorized):
                    await client.fetch_job("JOB1")
        assert len(refusing.requests) == 2

    asyncio.run(story())


@pytest.mark.parametrize("code", [None, "", "APIGW.0308", "SVCSTG.00100401", "SVCSTG.001004011", "x" * 500])
def test_every_status_has_a_row(code: str | None) -> None:
    """Whatever a server makes up; and a read is never said to have an unknown outcome."""
    for status in (*range(100, 200), *range(300, 1000)):
        row = row_of_answer(status, code)
        assert row in TABLE
        assert row.read is not UNKNOWN


def test_a_code_must_be_exactly_the_one_that_means_missing() -> None:
    """A longer code, or the same one with another status, means something else."""
    assert row_of_answer(401, "SVCSTG.00100401").failure is Failure.NOT_VISIBLE
    assert row_of_answer(401, "SVCSTG.001004010").failure is Failure.UNAUTHORIZED
    assert row_of_answer(401, "svcstg.00100401").failure is Failure.UNAUTHORIZED
    assert row_of_answer(403, "SVCSTG.00100401").failure is Failure.FORBIDDEN


def test_an_error_without_an_answer_has_its_row_too() -> None:
    """By class and code; what is told about credentials before anything is sent says nothing of the platform."""
    assert row_of(PlatformDown("held back")).failure is Failure.HELD_BACK
    assert what_next(PlatformDown("held back"), is_action=True) is GIVE_UP
    assert row_of(Unreachable("refused")).failure is Failure.NOT_CONNECTED
    assert row_of(AnswerUnreadable("a page", status=200)).failure is Failure.UNREADABLE
    assert row_of(Unauthorized("the token is empty")).sign is Sign.NEITHER


@pytest.mark.parametrize(
    ("sign", "failures"),
    [
        (
            Sign.DOWN,
            {
                Failure.NOT_TRUSTED,
                Failure.NOT_CONNECTED,
                Failure.NO_ANSWER,
                Failure.TURNED_AWAY,
                Failure.UNAVAILABLE,
                Failure.LOST_BEHIND_GATEWAY,
                Failure.FAILED,
            },
        ),
        (
            Sign.ALIVE,
            {
                Failure.NOT_VISIBLE,
                Failure.MISSING,
                Failure.UNKNOWN_VERB,
                Failure.VERSION_USED,
                Failure.CONFLICT,
                Failure.REFUSED,
            },
        ),
    ],
)
def test_what_a_failure_says_of_the_platform(sign: Sign, failures: set[Failure]) -> None:
    """Down: unreachable, no answer, 5xx. Alive: the service itself answered. A gateway alone says neither."""
    assert {row.failure for row in TABLE if row.sign is sign} == failures
