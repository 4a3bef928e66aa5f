"""The client keeps to its rates: who waits, who does not, and what waiting costs."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from virtual_time import loop_time, run_virtually

from statetool.core.plan import Verb
from statetool.errors import Throttled
from statetool.servicestage.channel import Deadlines
from statetool.servicestage.rate import Rates

Build = Callable[..., Any]
SLOW = Rates(reads_per_second=2, writes_per_minute=30)
"""Four reads at once and then two a second; one change at once and then one each two seconds."""


def run(story: Callable[[], Awaitable[None]]) -> None:
    """A story in virtual time."""

    async def work() -> None:
        await story()

    run_virtually(work())


class World:
    """A platform that notes when it is asked. `refusals` are given to the next requests in place of answers."""

    def __init__(self, platform: Build) -> None:
        self.reads: list[float] = []
        self.writes: list[float] = []
        self.refusals: list[httpx.Response] = []
        self.answer_s = 0.0
        self._platform = platform(self._answer)

    def client(self, **options: Any) -> Any:
        return self._platform.client(**{"sleep": asyncio.sleep, "clock": loop_time, "rates": SLOW, **options})

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        (self.reads if request.method == "GET" else self.writes).append(loop_time())
        refusal = self.refusals.pop(0) if self.refusals else None
        await asyncio.sleep(self.answer_s)
        return refusal or httpx.Response(
            200, json={"job_id": "JOB7", "job": {"execution_status": "SUCCEEDED"}, "tasks": []}
        )


def throttled(**headers: str) -> httpx.Response:
    return httpx.Response(
        429,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        json={"error_code": "APIGW.0308"},
    )


def read(client: Any) -> Awaitable[Any]:
    return asyncio.ensure_future(client.fetch_job("JOB1"))


def write(client: Any) -> Awaitable[Any]:
    return asyncio.ensure_future(client.send_action("a-1", "c-1", Verb.RESTART, {}))


def test_reads_and_changes_have_rates_of_their_own(platform: Build) -> None:
    """A hundred waiting reads keep no change waiting, nor the reverse."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await read(client)
            await asyncio.gather(*(read(client) for _ in range(9)), *(write(client) for _ in range(4)))
        assert world.reads == pytest.approx([0, 0, 0, 0, 0.5, 1, 1.5, 2, 2.5, 3], abs=0.05)
        assert world.writes == pytest.approx([0, 2, 4, 6], abs=0.05)

    run(story)


def test_a_transport_of_our_own_is_not_limited_by_default(platform: Build) -> None:
    """Nothing is there to be protected."""

    async def story() -> None:
        world = World(platform)
        async with world.client(rates=None) as client:
            await asyncio.gather(*(read(client) for _ in range(200)), *(write(client) for _ in range(200)))
        assert loop_time() == 0.0

    run(story)


def test_waiting_for_a_turn_costs_nothing_of_the_deadline(platform: Build) -> None:
    """A hundred changes wait for more than three minutes, each with half a minute to be answered in."""

    async def story() -> None:
        world = World(platform)
        world.answer_s = 25.0
        async with world.client() as client:
            assert await asyncio.gather(*(write(client) for _ in range(101))) == ["JOB7"] * 101
        # The first one goes alone; then one each two seconds.
        assert world.writes[-1] == pytest.approx(25 + 99 * 2, abs=1)

    run(story)


def test_one_refusal_pauses_all_of_its_kind(platform: Build) -> None:
    """Retry-After is about the platform, not about the request that was told so."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await read(client)
            world.refusals = [throttled(retry_after="20")]
            refused = read(client)
            await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            await asyncio.gather(refused, *(read(client) for _ in range(3)), write(client))
        assert world.reads[:2] == [0.0, 0.0]
        assert len(world.reads) == 6
        assert all(later >= 20 for later in world.reads[2:])
        assert world.writes == [0.1]

    run(story)


def test_a_burst_of_refusals_halves_the_rate_once(platform: Build) -> None:
    """Four requests were out; what follows goes at one a second, not at an eighth."""

    async def story() -> None:
        world = World(platform)
        world.answer_s = 0.1
        async with world.client() as client:
            await read(client)
            await asyncio.sleep(10)
            world.refusals = [throttled() for _ in range(4)]
            begun = loop_time()
            await asyncio.gather(*(read(client) for _ in range(8)))
        sent = [one - begun for one in world.reads[1:]]
        assert sent[:4] == [0, 0, 0, 0]
        gaps = [later - earlier for earlier, later in itertools.pairwise(sent[4:])]
        assert gaps == pytest.approx([1.0] * 7, abs=0.1)

    run(story)


def test_a_request_that_stays_throttled_is_given_up(platform: Build) -> None:
    """Five tries; the others found their rate meanwhile."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await read(client)
            world.refusals = [throttled() for _ in range(100)]
            with pytest.raises(Throttled) as caught:
                await write(client)
            assert "(5 tries)" in caught.value.message
        assert len(world.writes) == 5

    run(story)


def test_a_caller_that_goes_away_takes_no_turn(platform: Build) -> None:
    """Waiting can be cancelled; nothing was sent, and the next one is not later for it."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await write(client)
            gone, next_one = write(client), write(client)
            await asyncio.sleep(1)
            gone.cancel()  # type: ignore[attr-defined]
            with pytest.raises(asyncio.CancelledError):
                await gone
            await next_one
        assert world.writes == pytest.approx([0, 2], abs=0.05)

    run(story)


def test_a_turn_is_waited_for_ahead_of_its_request(platform: Build) -> None:
    """What is read in between is fresh; the first change inside goes at once, and a second one waits."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await write(client)
            async with client.turn():
                assert loop_time() == pytest.approx(2, abs=0.05)
                await read(client)
                await asyncio.sleep(0.5)
                await write(client)
                await write(client)
        assert world.writes == pytest.approx([0, 2.5, 4.5], abs=0.6)
        assert world.writes[2] >= 3.95

    run(story)


def test_a_turn_that_is_not_used_goes_back(platform: Build) -> None:
    """Looking without sending costs no turn, also where the look fails."""

    async def story() -> None:
        world = World(platform)
        async with world.client() as client:
            await read(client)
            for _ in range(5):
                async with client.turn():
                    pass
            with pytest.raises(ZeroDivisionError):
                async with client.turn():
                    raise ZeroDivisionError
            await write(client)
            assert loop_time() == 0.0
            await write(client)
        assert world.writes == pytest.approx([0, 2], abs=0.05)

    run(story)


def test_a_turn_is_not_anybody_elses(platform: Build) -> None:
    """Of two callers side by side, the one that waited for its turn goes first, and only once."""

    async def story() -> None:
        world = World(platform)
        sent: list[str] = []

        async def with_turn(client: Any) -> None:
            async with client.turn():
                await asyncio.sleep(0.5)
                await write(client)
                sent.append("with turn")

        async def without(client: Any) -> None:
            await asyncio.sleep(0.1)
            await write(client)
            sent.append("without")

        async with world.client() as client:
            await read(client)
            await asyncio.gather(with_turn(client), without(client))
        assert sent == ["with turn", "without"]
        assert world.writes == pytest.approx([0.5, 2.0], abs=0.05)

    run(story)


def test_the_deadline_still_ends_a_pause_that_is_the_requests_own(platform: Build) -> None:
    """A platform that asks for longer than the request may take gets no second try."""

    async def story() -> None:
        world = World(platform)
        async with world.client(deadlines=Deadlines()) as client:
            await read(client)
            world.refusals = [throttled(retry_after="119")]
            with pytest.raises(Throttled):
                await read(client)
        assert (len(world.reads), loop_time()) == (2, 0.0)

    run(story)
