"""The bucket: never faster than configured, slower where the platform says so, and fair."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import loop_time, run_virtually

from statetool.servicestage.rate import RECOVERY_S, SLOWEST, Bucket, Rates, Turn

T = TypeVar("T")


def run(story: Callable[[], Awaitable[T]]) -> T:
    """A story in virtual time."""

    async def work() -> T:
        return await story()

    return run_virtually(work())


def bucket(per_second: float | None = 20.0, burst_s: float = 2.0) -> Bucket:
    """On the clock of the loop that runs."""
    return Bucket(per_second, burst_s, sleep=asyncio.sleep, clock=loop_time)


async def take(from_: Bucket, number: int) -> list[float]:
    """When each of so many turns came, all asked for at once."""
    times = []

    async def one() -> None:
        await from_.take()
        times.append(loop_time())

    await asyncio.gather(*(one() for _ in range(number)))
    return times


def test_the_defaults_are_those_of_the_settings() -> None:
    """Twenty reads a second, three hundred changes a minute."""
    assert Rates() == Rates(reads_per_second=20, writes_per_minute=300)


def test_a_burst_goes_out_at_once_and_the_rest_at_the_rate() -> None:
    """151 requests, as a plan of 15,000 components has: forty at once, then twenty a second."""

    async def story() -> None:
        times = await take(bucket(), 151)
        assert times[:40] == [0.0] * 40
        assert times[40] == pytest.approx(1 / 20, abs=1e-3)
        assert times[-1] == pytest.approx(111 / 20, rel=1e-3)

    run(story)


def test_what_is_saved_up_is_bounded() -> None:
    """An hour of silence is worth no more than one burst."""

    async def story() -> None:
        full = bucket()
        await asyncio.sleep(3600)
        times = await take(full, 41)
        assert times[39] == 3600
        assert times[40] == pytest.approx(3600.05, abs=1e-3)

    run(story)


def test_a_slow_rate_still_saves_one() -> None:
    """Ten changes a minute: the first at once, the second six seconds later."""

    async def story() -> None:
        assert await take(bucket(10 / 60, 1.0), 2) == [0.0, pytest.approx(6.0, abs=1e-2)]

    run(story)


def test_turns_are_given_in_the_order_they_were_asked_for() -> None:
    """Also where one in the middle goes away."""

    async def story() -> None:
        slow, order = bucket(1.0, 1.0), []

        async def one(number: int) -> None:
            await slow.take()
            order.append(number)

        tasks = [asyncio.create_task(one(number)) for number in range(6)]
        await asyncio.sleep(1.5)
        tasks[3].cancel()
        await asyncio.wait(tasks)
        assert order == [0, 1, 2, 4, 5]
        assert loop_time() == pytest.approx(4.0, abs=0.1)

    run(story)


def test_a_turn_that_was_not_used_goes_back() -> None:
    """To the next who wants one, and never beyond a burst."""

    async def story() -> None:
        one = bucket(1.0, 1.0)
        await one.take()
        one.give_back()
        one.give_back()
        assert await take(one, 2) == [0.0, pytest.approx(1.0, abs=1e-2)]

    run(story)


def test_a_burst_of_refusals_halves_the_rate_once() -> None:
    """Eight requests were out when the first was refused; a ninth, sent at the new rate, halves it again."""

    async def story() -> None:
        throttled = bucket()
        turns = [await throttled.take() for _ in range(8)]
        for turn in turns:
            throttled.slow_down(turn)
        assert throttled.rate == pytest.approx(10)
        later = await throttled.take()
        throttled.slow_down(turns[0])
        assert throttled.rate == pytest.approx(10, rel=1e-2)
        throttled.slow_down(later)
        assert throttled.rate == pytest.approx(5, rel=1e-2)

    run(story)


def test_a_refusal_empties_what_was_saved_up() -> None:
    """Otherwise the burst would go on as before."""

    async def story() -> None:
        throttled = bucket()
        throttled.slow_down(await throttled.take())
        first, second = await take(throttled, 2)
        assert (first, second) == (pytest.approx(0.1, rel=1e-2), pytest.approx(0.2, rel=1e-2))

    run(story)


def test_the_rate_is_not_halved_for_ever_and_comes_back_evenly() -> None:
    """Down to a share of what was configured; half of the way up in half of the time; never beyond."""

    async def story() -> None:
        throttled = bucket()
        for _ in range(20):
            throttled.slow_down(await throttled.take())
        assert throttled.rate == pytest.approx(20 * SLOWEST, rel=0.05)
        await asyncio.sleep(RECOVERY_S / 2)
        assert throttled.rate == pytest.approx(10 + 20 * SLOWEST, rel=0.05)
        await asyncio.sleep(RECOVERY_S * 10)
        assert throttled.rate == 20

    run(story)


def test_a_pause_holds_for_everybody() -> None:
    """For who waits already, too; nothing is saved up meanwhile, and a shorter one takes nothing away."""

    async def story() -> None:
        paused = bucket()
        waiting = asyncio.create_task(take(paused, 42))
        await asyncio.sleep(0.01)
        paused.pause(7)
        paused.pause(3)
        times = await waiting
        assert times[39] == 0.0
        assert times[40] == pytest.approx(7.01, abs=0.06)
        assert times[41] == pytest.approx(times[40] + 0.05, abs=1e-2)

    run(story)


def test_without_a_limit_only_pauses_hold() -> None:
    """A sandbox in this process has nothing to protect, but may say that it wants a pause."""

    async def story() -> None:
        free = bucket(None)
        assert await take(free, 1000) == [0.0] * 1000
        free.slow_down(await free.take())
        free.pause(5)
        assert await take(free, 3) == [5.0] * 3

    run(story)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 30)),
        st.tuples(st.just("idle"), st.floats(0, 100)),
        st.tuples(st.just("pause"), st.floats(0, 60)),
        st.tuples(st.just("throttled"), st.just(0)),
    ),
    max_size=12,
)


@given(st.floats(0.05, 100), st.floats(0.1, 5), STEPS)
def test_no_story_is_faster_than_configured(per_second: float, burst_s: float, steps: list[tuple[str, float]]) -> None:
    """In any span of time at most a burst and what the rate gives; the rate within its bounds; no turn in a pause."""

    async def story() -> None:
        one = bucket(per_second, burst_s)
        times: list[float] = []
        paused_until, last = 0.0, Turn(0)
        for kind, value in steps:
            if kind == "take":
                for _ in range(int(value)):
                    last = await one.take()
                    assert loop_time() >= paused_until - 1e-6
                    times.append(loop_time())
            elif kind == "idle":
                await asyncio.sleep(value)
            elif kind == "pause":
                one.pause(value)
                paused_until = max(paused_until, loop_time() + value)
            else:
                one.slow_down(last)
            assert per_second * SLOWEST * 0.999 <= one.rate <= per_second
        most = max(1.0, per_second * burst_s)
        for first, begun in enumerate(times):
            for number, ended in enumerate(times[first:], 1):
                assert number <= most + per_second * (ended - begun) + 1e-3

    run(story)
