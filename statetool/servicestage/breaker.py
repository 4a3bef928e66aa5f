"""No changes while the platform is down.

Owns the judgement that it is: so many failures in a row. A changing request whose answer is lost may have been
carried out, and somebody has to find out; so while the platform does not answer, none is sent. Reads go on, and the
first that succeeds ends it. It must not know what a request is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

from statetool.errors import PlatformDown
from statetool.servicestage.retries import Sign

MOST_FAILURES = 5
"""Failures in a row, of reads or changes, after which changes are held back."""
COOL_DOWN_S = 10.0
"""After so long without another failure one changing request goes out to try, where no read did better."""

_LOOK_S = 1.0


class Passage(StrEnum):
    """How a changing request was let through."""

    FREE = "free"
    TRIAL = "trial"
    """The only one, while the platform counts as down."""


class Breaker:
    """Shared by all requests to one endpoint."""

    def __init__(self, *, sleep: Callable[[float], Awaitable[None]], clock: Callable[[], float]) -> None:
        self._sleep = sleep
        self._clock = clock
        self._failures = 0
        self._down_since = self._trial_at = clock()
        self._is_trying = False

    @property
    def is_open(self) -> bool:
        """Whether changes are held back."""
        return self._failures >= MOST_FAILURES

    def note(self, sign: Sign) -> None:
        """What one request, of any kind, said of the platform."""
        if sign is Sign.ALIVE:
            self._failures = 0
        elif sign is Sign.DOWN:
            now = self._clock()
            self._down_since = self._down_since if self._failures else now
            self._failures += 1
            self._trial_at = now + COOL_DOWN_S

    def enter(self) -> Passage | None:
        """Let a changing request through, or not. One that is let through must `leave`, however it ends."""
        if not self.is_open:
            return Passage.FREE
        if not self._may_try:
            return None
        self._is_trying = True
        return Passage.TRIAL

    def leave(self, passage: Passage) -> None:
        """The request has ended; what came of it was noted."""
        if passage is Passage.TRIAL:
            self._is_trying = False
            self._trial_at = self._clock() + COOL_DOWN_S

    async def wait(self, latest: float, where: str) -> None:
        """Until `enter` lets somebody through. Raises PlatformDown where that is later than `latest` on our clock.

        `where` names the request for people.
        """
        while self.is_open and not self._may_try:
            left_s = latest - self._clock()
            if left_s <= 0:
                raise self._build_error(where)
            await self._sleep(min(left_s, _LOOK_S))

    @property
    def _may_try(self) -> bool:
        return not self._is_trying and self._clock() >= self._trial_at

    def _build_error(self, where: str) -> PlatformDown:
        down_s = self._clock() - self._down_since
        return PlatformDown(
            f"{where}: not sent: the platform has been down for {down_s:.0f} s ({self._failures} failures in a row)",
            hint="nothing was sent; `statetool doctor` tells what is wrong; apply again once the platform answers",
        )
