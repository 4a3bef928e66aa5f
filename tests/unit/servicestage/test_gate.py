"""The first request alone, and none after a refusal."""

from __future__ import annotations

import asyncio

import pytest

from statetool.errors import NotFound, Unauthorized, Unreachable
from statetool.servicestage.gate import Gate


def test_others_wait_until_the_first_has_an_answer() -> None:
    """Then all of them run at once."""

    async def story() -> None:
        gate, running, peak = Gate(), 0, []
        answered = asyncio.Event()

        async def work() -> int:
            nonlocal running
            running += 1
            peak.append(running)
            await answered.wait()
            running -= 1
            return running

        tasks = [asyncio.create_task(gate.pass_through(work)) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert peak == [1]
        answered.set()
        await asyncio.gather(*tasks)
        assert len(peak) == 5

    asyncio.run(story())


@pytest.mark.parametrize("failure", [Unauthorized("no"), Unreachable("no")])
def test_those_that_waited_share_the_failure_of_the_first(failure: Unauthorized | Unreachable) -> None:
    """One try tells all of them that the platform does not want or hear us."""

    async def story() -> None:
        gate, tries = Gate(), 0

        async def work() -> None:
            nonlocal tries
            tries += 1
            await asyncio.sleep(0)
            raise failure

        results = await asyncio.gather(*(gate.pass_through(work) for _ in range(20)), return_exceptions=True)
        assert results == [failure] * 20
        assert tries == 1

    asyncio.run(story())


def test_an_answer_about_the_request_opens_the_gate() -> None:
    """Not found is an answer: our credentials were good."""

    async def story() -> None:
        gate = Gate()

        async def missing() -> None:
            raise NotFound("no such component")

        async def found() -> str:
            return "found"

        first, second = await asyncio.gather(
            gate.pass_through(missing), gate.pass_through(found), return_exceptions=True
        )
        assert isinstance(first, NotFound)
        assert second == "found"

    asyncio.run(story())


def test_when_the_first_is_cancelled_another_goes_first() -> None:
    """Nobody waits for a request that is gone."""

    async def story() -> None:
        gate = Gate()
        hold = asyncio.Event()

        async def held() -> None:
            await hold.wait()

        async def quick() -> str:
            return "done"

        first = asyncio.create_task(gate.pass_through(held))
        await asyncio.sleep(0)
        others = [asyncio.create_task(gate.pass_through(quick)) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        assert await asyncio.gather(*others) == ["done"] * 3
        assert first.cancelled()

    asyncio.run(story())


def test_after_a_refusal_nothing_passes() -> None:
    """Also through a gate that was open."""

    async def story() -> None:
        gate = Gate()

        async def work() -> str:
            gate.ensure_not_refused()
            return "sent"

        assert await gate.pass_through(work) == "sent"
        refusal = Unauthorized("expired")
        gate.close(refusal)
        with pytest.raises(Unauthorized) as caught:
            await gate.pass_through(work)
        assert caught.value is refusal

    asyncio.run(story())
