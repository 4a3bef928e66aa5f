"""Changes are held back while the platform is down, and go on at the first sign of life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from virtual_time import loop_time, run_virtually

from statetool.core.plan import Verb
from statetool.errors import OutcomeUnknown, PlatformDown, PlatformError, RequestRefused, Throttled
from statetool.servicestage.breaker import COOL_DOWN_S, MOST_FAILURES, Breaker, Passage
from statetool.servicestage.channel import Deadlines
from statetool.servicestage.rate import Rates
from statetool.servicestage.retries import Sign

Build = Callable[..., Any]
JOB = {"job": {"execution_status": "SUCCEEDED"}, "tasks": []}
ONE_TRY = Deadlines(connect_s=0, read_s=30, read_total_s=0, write_total_s=60)
"""Reads are not repeated; a change may begin within half a minute."""


def run(story: Callable[[], Awaitable[None]]) -> None:
    """A story in virtual time."""

    async def work() -> None:
        await story()

    run_virtually(work())


def breaker() -> Breaker:
    """On the clock of the loop that runs."""
    return Breaker(sleep=asyncio.sleep, clock=loop_time)


def test_it_takes_several_failures_in_a_row() -> None:
    """An answer in between starts the count anew; what says nothing of the platform leaves it."""

    async def story() -> None:
        one = breaker()
        for _ in range(MOST_FAILURES - 1):
            one.note(Sign.DOWN)
        assert one.enter() is Passage.FREE
        one.note(Sign.ALIVE)
        for _ in range(MOST_FAILURES - 1):
            one.note(Sign.DOWN)
            one.note(Sign.NEITHER)
        assert one.enter() is Passage.FREE
        one.note(Sign.DOWN)
        assert one.is_open
        assert one.enter() is None
        one.note(Sign.ALIVE)
        assert one.enter() is Passage.FREE

    run(story)


def down() -> Breaker:
    """One that has just opened."""
    one = breaker()
    for _ in range(MOST_FAILURES):
        one.note(Sign.DOWN)
    return one


def test_after_a_cool_down_one_request_may_try() -> None:
    """One at a time, each after a cool-down of its own; another failure puts the next one off."""

    async def story() -> None:
        one = down()
        await asyncio.sleep(COOL_DOWN_S - 1)
        one.note(Sign.DOWN)
        await asyncio.sleep(COOL_DOWN_S - 1)
        assert one.enter() is None
        await asyncio.sleep(1)
        assert one.enter() is Passage.TRIAL
        await asyncio.sleep(3 * COOL_DOWN_S)
        assert one.enter() is None, "a second one, while the first has no answer yet"
        one.leave(Passage.TRIAL)
        assert one.enter() is None
        await asyncio.sleep(COOL_DOWN_S)
        assert one.enter() is Passage.TRIAL

    run(story)


def test_the_wait_ends_with_a_sign_of_life_or_with_patience() -> None:
    """The error is of its own kind, and says for how long and after how many failures."""

    async def story() -> None:
        one = down()
        asyncio.get_running_loop().call_later(4.5, one.note, Sign.ALIVE)
        await one.wait(loop_time() + 30, "POST x")
        assert loop_time() == pytest.approx(5, abs=0.6)
        one = down()
        one._is_trying = True  # somebody else's trial has no answer
        with pytest.raises(PlatformDown) as caught:
            await one.wait(loop_time() + 30, "POST x")
        assert caught.value.code == "platform_down"
        assert "POST x: not sent: the platform has been down for 30 s (5 failures in a row)" in caught.value.message
        assert caught.value.hint is not None
        assert "nothing was sent" in caught.value.hint

    run(story)


class World:
    """A platform that can be down, in virtual time. `writes` are the instants of changing requests."""

    def __init__(self, platform: Build) -> None:
        self.failure: Callable[[], httpx.Response] | None = None
        self.write_failure: Callable[[], httpx.Response] | None = None
        self.write_s = 0.0
        self.writes: list[float] = []
        self._platform = platform(self._answer)

    def client(self, **options: Any) -> Any:
        return self._platform.client(sleep=asyncio.sleep, clock=loop_time, **{"deadlines": ONE_TRY, **options})

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        failure = self.failure
        if request.method != "GET":
            self.writes.append(loop_time())
            await asyncio.sleep(self.write_s)
            failure = self.write_failure or failure
        return failure() if failure is not None else httpx.Response(200, json={"job_id": "JOB7", **JOB})


def gone() -> httpx.Response:
    """Nobody listens."""
    raise httpx.ConnectError("refused")


def failing() -> httpx.Response:
    """The service behind the gateway is broken."""
    return httpx.Response(500)


def at(seconds: float, world: World, failure: Callable[[], httpx.Response] | None) -> None:
    """From then on the platform fails so, or not any more."""
    asyncio.get_running_loop().call_later(seconds, lambda: setattr(world, "failure", failure))


async def fail_to_read(client: Any, times: int) -> None:
    for _ in range(times):
        with pytest.raises(PlatformError):
            await client.fetch_job("JOB1")


def restart(client: Any) -> Awaitable[Any]:
    result: Awaitable[Any] = client.send_action("a-1", "c-1", Verb.RESTART, {})
    return result


def test_a_change_waits_while_the_platform_is_down_and_is_then_surely_not_sent(platform: Build) -> None:
    """Reads failed; the change tries twice in its half minute, and nobody can think that it was carried out."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await client.fetch_job("JOB1")
            world.failure = gone
            await fail_to_read(client, MOST_FAILURES)
            with pytest.raises(PlatformDown) as caught:
                await restart(client)
        assert world.writes == [pytest.approx(10, abs=1.1), pytest.approx(20, abs=2.1)]
        assert loop_time() == pytest.approx(30)
        assert "POST https://platform.test/v3/" in caught.value.message
        assert "not sent" in caught.value.message

    run(story)


def test_a_read_that_succeeds_lets_changes_go_on(platform: Build) -> None:
    """Well before the cool-down: reads are the probe."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await client.fetch_job("JOB1")
            world.failure = failing
            await fail_to_read(client, MOST_FAILURES)
            waiting = asyncio.ensure_future(restart(client))
            await asyncio.sleep(3)
            assert world.writes == []
            world.failure = None
            await client.fetch_job("JOB1")
            assert await waiting == "JOB7"
        assert world.writes == [pytest.approx(4, abs=1.1)]

    run(story)


def test_of_many_changes_one_tries_and_the_rest_follow_its_success(platform: Build) -> None:
    """Twenty wait; the trial is alone until it has its answer, and its success lets all of them go."""

    async def story() -> None:
        world = World(platform)
        world.write_s = 2.0
        async with world.client() as client:
            await client.fetch_job("JOB1")
            world.failure = failing
            await fail_to_read(client, MOST_FAILURES)
            world.failure = None
            assert await asyncio.gather(*(restart(client) for _ in range(20))) == ["JOB7"] * 20
        first, *others = world.writes
        assert len(others) == 19
        assert first == pytest.approx(10, abs=1.1)
        assert all(first + 2 <= one <= first + 4 for one in others)

    run(story)


def test_of_many_changes_only_the_trials_can_be_lost(platform: Build) -> None:
    """A service that takes requests and fails: without the breaker, twenty outcomes would be unknown."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await client.fetch_job("JOB1")
            world.failure = failing
            await fail_to_read(client, MOST_FAILURES)
            ends = await asyncio.gather(*(restart(client) for _ in range(20)), return_exceptions=True)
        kinds = [type(end) for end in ends]
        assert kinds.count(OutcomeUnknown) == len(world.writes) <= 3
        assert kinds.count(PlatformDown) == 20 - len(world.writes)

    run(story)


def test_failures_of_changes_count_too(platform: Build) -> None:
    """Five that could not connect are enough; the sixth is held back from the start."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await client.fetch_job("JOB1")
            world.failure = gone
            ends = await asyncio.gather(*(restart(client) for _ in range(6)), return_exceptions=True)
        assert all(isinstance(end, PlatformDown) for end in ends)
        assert loop_time() == pytest.approx(30, abs=1)
        assert len([one for one in world.writes if one < COOL_DOWN_S]) == 6

    run(story)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (httpx.Response(400, json={"error_code": "SVCSTG.00100400"}), RequestRefused),
        (httpx.Response(429, json={"error_code": "APIGW.0308"}), Throttled),
        (httpx.Response(403, json={"error_code": "APIGW.0302"}), RequestRefused),
    ],
)
def test_refusals_hold_nothing_back(platform: Build, refusal: httpx.Response, kind: type[PlatformError]) -> None:
    """429 and 4xx are answers: the platform is up, it only does not want this."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await client.fetch_job("JOB1")
            world.failure = lambda: refusal
            for _ in range(2 * MOST_FAILURES):
                with pytest.raises(kind):
                    await client.fetch_job("JOB1")
            world.failure = None
            assert await restart(client) == "JOB7"
        assert loop_time() == 0.0

    run(story)


def test_a_page_is_no_sign_of_life(platform: Build) -> None:
    """A proxy's or a login's, in the platform's place: changes wait on."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await client.fetch_job("JOB1")
            world.failure = gone
            await fail_to_read(client, MOST_FAILURES)
            world.failure = lambda: httpx.Response(200, content=b"<html>maintenance</html>")
            waiting = asyncio.ensure_future(restart(client))
            await fail_to_read(client, 3)
            await asyncio.sleep(COOL_DOWN_S - 1)
            assert world.writes == []
            world.failure = None
            assert await waiting == "JOB7"

    run(story)


def test_what_is_held_back_uses_up_no_turn(platform: Build) -> None:
    """At one change a minute, the one that waited goes out with the first sign of life."""

    async def story() -> None:
        world = World(platform)
        async with world.client(rates=Rates(writes_per_minute=1)) as client:
            await client.fetch_job("JOB1")
            world.failure = gone
            await fail_to_read(client, MOST_FAILURES)
            waiting = asyncio.ensure_future(restart(client))
            await asyncio.sleep(3)
            world.failure = None
            await client.fetch_job("JOB1")
            assert await waiting == "JOB7"
        assert world.writes == [pytest.approx(4, abs=1.1)]

    run(story)


def test_waiting_for_the_platform_can_be_cancelled(platform: Build) -> None:
    """Nothing is sent, and nobody's trial is lost by it."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await client.fetch_job("JOB1")
            world.failure = gone
            await fail_to_read(client, MOST_FAILURES)
            waiting = asyncio.ensure_future(restart(client))
            await asyncio.sleep(5)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (world.writes, loop_time()) == ([], 5.0)
            at(4, world, None)
            assert await restart(client) == "JOB7"
        assert world.writes == [pytest.approx(10, abs=1.1)]

    run(story)


def test_reads_go_on_while_changes_are_held_back(platform: Build) -> None:
    """At their own pace, with their own deadline."""

    async def story() -> None:
        world = World(platform)
        async with world.client(deadlines=Deadlines()) as client:
            await client.fetch_job("JOB1")
            world.failure = gone
            await fail_to_read(client, 1)
            at(3, world, None)
            assert (await client.fetch_job("JOB1")).status == "SUCCEEDED"
            assert await restart(client) == "JOB7"

    run(story)
