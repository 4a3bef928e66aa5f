"""How requests are repeated, how they are not, and what a cancellation may not undo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from statetool.core.plan import Verb
from statetool.errors import (
    AnswerUnreadable,
    OutcomeUnknown,
    ServerFailed,
    Throttled,
)
from statetool.servicestage.channel import Deadlines, WriteMethod

Build = Callable[..., Any]
DONE = httpx.Response(200, json={"job": {"execution_status": "SUCCEEDED"}, "tasks": []})
ACCEPTED = httpx.Response(200, json={"job_id": "JOB7"})


def refusal(status: int, code: str | None = None, **headers: str) -> httpx.Response:
    """An error answer, with an error code where one is given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, json={"error_code": code} if code else {})


async def read(world: Any) -> Any:
    """One read, on a client of its own."""
    async with world.client() as client:
        return await client.fetch_job("JOB1")


async def write(world: Any, method: WriteMethod = "POST") -> Any:
    """One changing request, on a channel of its own: the job's id."""
    channel = world.channel()
    try:
        return json.loads((await channel.write("/c-1", {"action": "restart"}, method=method)).body)["job_id"]
    finally:
        await channel.close()


both_methods = pytest.mark.parametrize("method", ["POST", "PUT"])


def test_pauses_double(answering: Build) -> None:
    """Under full jitter; which failures are repeated is in the table."""
    world = answering(httpx.ReadTimeout("slow"), refusal(502), httpx.ConnectError("refused"), refusal(500), DONE)
    assert asyncio.run(read(world)).status == "SUCCEEDED"
    assert world.time.slept == [0.5, 1.0, 2.0, 4.0]


@both_methods
def test_a_write_whose_answer_is_lost_says_so(answering: Build, method: WriteMethod) -> None:
    """Also where an earlier try surely was not carried out: what is known, and what to do."""
    world = answering(httpx.ConnectError("refused"), httpx.ReadError("reset"), ACCEPTED)
    with pytest.raises(OutcomeUnknown) as caught:
        asyncio.run(write(world, method))
    assert len(world.requests) == 2
    assert "not repeated blindly" in caught.value.message
    assert "(2 tries)" in caught.value.message
    assert f"{method} https://platform.test/" in caught.value.message
    assert caught.value.hint is not None


def test_the_platform_decides_how_long_to_wait(answering: Build) -> None:
    """Retry-After outranks our own shorter pause, not our longer one."""
    world = answering(refusal(429, retry_after="7"), refusal(503, retry_after="0"), DONE)
    asyncio.run(read(world))
    assert world.time.slept == [7.0, 1.0]


def test_a_wait_beyond_the_deadline_is_not_begun(answering: Build) -> None:
    """Ninety seconds in all: a platform that asks for two minutes gets no second try."""
    world = answering(refusal(429, "APIGW.0308", retry_after="3600"))
    with pytest.raises(Throttled) as caught:
        asyncio.run(read(world))
    assert caught.value.retry_after_s == 120.0
    assert len(world.requests) == 1


def test_a_long_answer_is_not_read_to_its_end(platform: Build) -> None:
    """Sixteen mebibytes are the limit."""
    world = platform(lambda request: httpx.Response(200, content=b"[" + b" " * (16 * 2**20) + b"]"))
    with pytest.raises(AnswerUnreadable) as caught:
        asyncio.run(read(world))
    assert "16 MiB" in caught.value.message


def test_a_damaged_compression_is_unreadable(answering: Build, platform: Build) -> None:
    """Not repeated for a read, unknown for a write."""

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"not gzip"))

    world = platform(handler)
    with pytest.raises(AnswerUnreadable):
        asyncio.run(read(world))
    with pytest.raises(OutcomeUnknown):
        asyncio.run(write(world))
    assert len(world.requests) == 2


def test_a_write_is_not_begun_late(answering: Build) -> None:
    """A minute in all, and half of it belongs to the answer: a wait of forty seconds ends it."""
    world = answering(refusal(429, "APIGW.0308", retry_after="40"), ACCEPTED)
    with pytest.raises(Throttled):
        asyncio.run(write(world))
    assert len(world.requests) == 1


def test_a_cancelled_caller_still_gets_the_answer_of_what_was_sent(platform: Build) -> None:
    """The job id can be noted; the cancellation acts at the next await."""

    async def story() -> None:
        sent, answer = asyncio.Event(), asyncio.Event()
        noted: list[str | None] = []

        async def handler(request: httpx.Request) -> httpx.Response:
            sent.set()
            await answer.wait()
            return httpx.Response(200, json={"job_id": "JOB7"})

        async def caller() -> None:
            async with platform(handler).client() as client:
                noted.append(await client.send_action("a-1", "c-1", Verb.RESTART, {}))
                await asyncio.Event().wait()

        task = asyncio.create_task(caller())
        await sent.wait()
        for _ in range(3):  # impatience changes nothing
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert noted == ["JOB7"]

    asyncio.run(story())


def test_a_cancellation_between_tries_acts_at_once(platform: Build) -> None:
    """Nothing is under way then, so nothing more is sent."""

    async def story() -> None:
        tried = asyncio.Event()

        def handler(request: httpx.Request) -> httpx.Response:
            tried.set()
            raise httpx.ConnectError("refused")

        async def sleep(seconds: float) -> None:
            await asyncio.Event().wait()

        world = platform(handler)
        world.time.sleep = sleep
        async with world.client() as client:
            task = asyncio.create_task(client.send_action("a-1", "c-1", Verb.RESTART, {}))
            await tried.wait()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(world.requests) == 1

    asyncio.run(story())


def test_a_hanging_answer_ends_with_the_deadline(platform: Build) -> None:
    """Also over a transport that knows no timeouts: unreadable in time for a read, unknown for a write."""

    async def handler(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def story() -> None:
        world = platform(handler)
        limits = Deadlines(connect_s=0.0, read_s=0.01, read_total_s=90.0, write_total_s=0.01)
        async with world.client(deadlines=limits) as client:
            with pytest.raises(ServerFailed) as caught:
                await client.fetch_job("JOB1")
            assert caught.value.code == "no_answer"
            assert len(world.requests) == 5
        async with world.client(deadlines=limits) as client:
            with pytest.raises(OutcomeUnknown):
                await client.send_action("a-1", "c-1", Verb.RESTART, {})
            assert len(world.requests) == 6

    asyncio.run(story())
