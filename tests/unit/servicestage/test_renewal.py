"""What is given out for a time: fetched once for all, early, and never asked for again after a refusal."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from statetool.errors import PlatformError, ServerFailed, Unauthorized, Unreachable
from statetool.servicestage.renewal import Issued, Renewed, lifetime_s, parse_http_date

HOUR = 3600.0


class Giver:
    """Gives `v1`, `v2`, ... for an hour each, or raises what it is told to. Time moves by hand."""

    def __init__(self, failures: Sequence[PlatformError | None] = (), lifetime_s: float = HOUR) -> None:
        self.time = 1000.0
        self.asked = 0
        self._failures = list(failures)
        self._lifetime_s = lifetime_s
        self.kept = Renewed(self.fetch, clock=lambda: self.time, early_s=HOUR / 2)

    async def fetch(self) -> Issued[str]:
        self.asked += 1
        await asyncio.sleep(0)  # others get their turn
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        return Issued(f"v{self.asked}", self._lifetime_s)

    async def look(self, after_s: float = 0.0) -> str:
        self.time += after_s
        await self.kept.ensure_fresh()
        return self.kept.value


def test_one_fetch_for_everybody_who_waits() -> None:
    """However many need it at once."""

    async def story() -> None:
        giver = Giver()
        assert not giver.kept.has_value
        await asyncio.gather(*(giver.kept.ensure_fresh() for _ in range(100)))
        assert (giver.asked, giver.kept.value) == (1, "v1")

    asyncio.run(story())


def test_renewed_when_half_an_hour_is_left() -> None:
    """Not earlier; and again half an hour before the end of the next."""

    async def story() -> None:
        giver = Giver()
        assert await giver.look() == "v1"
        assert await giver.look(HOUR / 2 - 1) == "v1"
        assert await giver.look(1) == "v2"
        assert await giver.look(HOUR / 2 - 1) == "v2"
        assert await giver.look(1) == "v3"

    asyncio.run(story())


def test_a_short_life_is_not_fetched_with_every_request() -> None:
    """A minute passes in between at least; a life without known end is never renewed early."""

    async def story() -> None:
        short = Giver(lifetime_s=600)
        assert [await short.look(), await short.look(59), await short.look(1)] == ["v1", "v1", "v2"]
        endless = Giver(lifetime_s=math.inf)
        assert [await endless.look(), await endless.look(1e9)] == ["v1", "v1"]

    asyncio.run(story())


def test_a_giver_in_trouble_does_no_harm_while_the_value_holds() -> None:
    """It is asked again a minute later, and its error is raised once the value has ended."""

    async def story() -> None:
        giver = Giver([None, *[Unreachable("gone")] * 99])
        assert await giver.look() == "v1"
        assert await giver.look(HOUR / 2) == "v1"
        assert await giver.look(59) == "v1"
        assert giver.asked == 2
        assert await giver.look(1) == "v1"
        assert giver.asked == 3
        with pytest.raises(Unreachable):
            await giver.look(HOUR / 2)

    asyncio.run(story())


def test_a_refusal_is_raised_at_once() -> None:
    """Early renewal that is refused: a password that was changed ends the tokens too."""

    async def story() -> None:
        giver = Giver([None, Unauthorized("no")])
        await giver.look()
        with pytest.raises(Unauthorized):
            await giver.look(HOUR / 2)

    asyncio.run(story())


def test_a_spent_value_is_replaced_once_for_all_who_found_out() -> None:
    """Whoever comes later finds another value than the one that was refused to them."""

    async def story() -> None:
        giver = Giver()
        used = await giver.look()
        await asyncio.gather(*(giver.kept.replace(lambda value: value == used) for _ in range(100)))
        assert (giver.asked, giver.kept.value) == (2, "v2")

    asyncio.run(story())


def test_a_failed_replacement_is_final() -> None:
    """One fetch, the same error for everybody, then and later."""

    async def story() -> None:
        giver = Giver([None, ServerFailed("down")])
        await giver.look()
        ends = await asyncio.gather(
            *(giver.kept.replace(lambda value: True) for _ in range(100)), return_exceptions=True
        )
        assert {str(end) for end in ends} == {"down"}
        with pytest.raises(ServerFailed):
            await giver.kept.replace(lambda value: True)
        assert giver.asked == 2

    asyncio.run(story())


@pytest.mark.parametrize(
    ("expires_at", "date", "seconds"),
    [
        ("2025-01-02T00:00:00.000000Z", None, 86400),
        ("2025-01-02T00:00:00Z", "Thu, 02 Jan 2025 00:00:00 GMT", 0),
        ("2025-01-02T00:00:00Z", "Wed, 01 Jan 2025 23:00:00 GMT", 3600),
        ("2025-01-02T08:00:00+08:00", "nonsense", 86400),
        ("2025-01-02T00:00:00", None, 86400),
        ("soon", None, math.inf),
        (None, None, math.inf),
        (1735776000, None, math.inf),
    ],
)
def test_a_lifetime_counts_from_the_answers_own_date(expires_at: object, date: str | None, seconds: float) -> None:
    """Our clock may be wrong; it is asked only where the answer has no date."""
    assert lifetime_s(expires_at, date, datetime(2025, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("text", [None, "", "yesterday", "Wed, 01 Jan 2020 00:00:00", "Wed, 99 Jan 2020 00:00:00 GMT"])
def test_what_is_no_date_is_none(text: str | None) -> None:
    """Without a time zone it says nothing."""
    assert parse_http_date(text) is None


def test_what_remains_of_a_value() -> None:
    """Seconds by the caller's clock; nothing before the first one, nor where the giver did not say."""

    async def story() -> None:
        giver = Giver()
        assert giver.kept.remaining_s is None
        await giver.look()
        giver.time += 600.0
        assert giver.kept.remaining_s == HOUR - 600.0
        endless = Giver(lifetime_s=math.inf)
        await endless.look()
        assert endless.kept.remaining_s is None

    asyncio.run(story())
