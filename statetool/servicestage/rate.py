"""How fast requests go out: a bucket of tokens that fills at a rate, and a rate that follows what the platform takes.

Owns the waiting for a turn. It must not know what a request is. Of the throttling of this platform nothing is known
but that its gateway has some [11, U13], so the configured rate is a guess that has to give way: it is halved by a
429, grows back slowly, and never beyond what was configured.

Own code: the libraries there are keep one rate, and clock and sleep of their own.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

READ_BURST_S = 2.0
"""Seconds of reading that may be saved up: a plan of a few thousand components never waits."""
WRITE_BURST_S = 1.0
"""The same for changing requests: a handful, so that a small plan starts at once and a large one does not flood."""
SLOWEST = 1 / 32
"""Share of the configured rate below which it is not halved any more: of 300 a minute there are still nine."""
RECOVERY_S = 600.0
"""From nothing to the configured rate, evenly."""

_SHORTEST_SLEEP_S = 0.001
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Rates:
    """How many requests may go out to one endpoint, at most."""

    reads_per_second: float = 20.0
    writes_per_minute: float = 300.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to send one request. `era` counts how often the rate had been halved by then."""

    era: int


class Bucket:
    """Turns for one kind of request, first come, first served.

    `per_second` None sets no limit; pauses hold all the same. `burst_s` is for how many seconds turns are saved up
    while nobody wants one; one is always saved.
    """

    def __init__(
        self,
        per_second: float | None,
        burst_s: float,
        *,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._configured = self._rate = math.inf if per_second is None else per_second
        self._burst_s = burst_s
        self._sleep = sleep
        self._clock = clock
        self._queue = asyncio.Lock()
        self._era = 0
        self._tokens = self._capacity
        self._counted_until = self._paused_until = clock()

    @property
    def rate(self) -> float:
        """Turns a second, as of now; infinite without a limit."""
        self._count()
        return self._rate

    async def take(self) -> Turn:
        """Wait for a turn. A caller that is cancelled meanwhile takes none."""
        async with self._queue:
            while (missing_s := self._missing_s()) > 0:
                await self._sleep(max(missing_s, _SHORTEST_SLEEP_S))
            self._tokens -= 1
            return Turn(self._era)

    def give_back(self) -> None:
        """A turn was not used."""
        self._count()
        self._tokens = min(self._tokens + 1, self._capacity)

    def slow_down(self, turn: Turn) -> None:
        """The request of that turn was throttled: from now on half as fast, and nothing saved up.

        Requests that were sent at the rate before say no more than the first of them did.
        """
        if turn.era != self._era:
            return
        self._count()
        self._era += 1
        self._rate = max(self._rate / 2, self._configured * SLOWEST)
        self._tokens = min(self._tokens, 0.0)

    def pause(self, seconds: float) -> None:
        """No turn for anybody for so long, and none saved up meanwhile."""
        self._count()
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    @property
    def _capacity(self) -> float:
        return max(1.0, self._rate * self._burst_s)

    def _missing_s(self) -> float:
        """Seconds until the next turn, 0 where there is one."""
        self._count()
        pause_s = self._paused_until - self._clock()
        if pause_s > 0:
            return pause_s
        return 0.0 if self._tokens >= 1 - _ROUNDING else (1 - self._tokens) / self._rate

    def _count(self) -> None:
        """Add what came since the last time; in a pause nothing comes, and the rate does not recover."""
        now, since = self._clock(), max(self._counted_until, self._paused_until)
        if now <= since:
            return
        self._counted_until = now
        if math.isinf(self._configured):
            self._tokens = math.inf
            return
        passed_s = now - since
        self._tokens += passed_s * self._rate
        self._rate = min(self._configured, self._rate + self._configured * passed_s / RECOVERY_S)
        self._tokens = min(self._tokens, self._capacity)
