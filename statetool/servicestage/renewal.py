"""A credential that is given out for a time: fetched once for everybody who waits, and anew before it ends.

Owns when it is fetched. It must not know what it is, nor where it comes from. Lifetimes count on the caller's
monotonic clock, so that a wrong wall clock does no harm.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Generic, TypeVar

from statetool.errors import PlatformError, ServerFailed, Throttled, Unreachable

T = TypeVar("T")

_SHORTEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Issued(Generic[T]):
    """What was given out, and for how long; infinite where the giver did not say."""

    value: T
    lifetime_s: float


class Renewed(Generic[T]):
    """Keeps one value fresh with `fetch`. `early_s` before its end it is fetched anew."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Issued[T]]], *, clock: Callable[[], float], early_s: float
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._early_s = early_s
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._renew_at = self._ends_at = -math.inf
        self._failure: PlatformError | None = None

    @property
    def value(self) -> T:
        """The value there is; only after `ensure_fresh`."""
        assert self._value is not None
        return self._value

    @property
    def has_value(self) -> bool:
        return self._value is not None

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the value ends; None without one, and where the giver did not say."""
        left = self._ends_at - self._clock()
        return left if self.has_value and math.isfinite(left) else None

    async def ensure_fresh(self) -> None:
        """Have a value that is good for a while. Raises what `fetch` raises.

        Where the giver can't be reached, a value that still holds does for now.
        """
        if self._clock() < self._renew_at:
            return
        async with self._lock:
            if self._clock() < self._renew_at:
                return
            try:
                await self._renew()
            except (Unreachable, Throttled, ServerFailed):
                if self._clock() >= self._ends_at:
                    raise
                self._renew_at = min(self._clock() + _SHORTEST_PAUSE_S, self._ends_at)

    async def replace(self, is_spent: Callable[[T], bool]) -> None:
        """Fetch anew, once for all who found out at the same time that the value is spent. Raises what `fetch` does.

        A failure is final: it is raised again to everybody who asks, and nothing more is fetched here.
        """
        async with self._lock:
            if self._failure is not None:
                raise self._failure.with_traceback(None)
            if self._value is not None and not is_spent(self._value):
                return
            try:
                await self._renew()
            except PlatformError as error:
                self._failure = error
                raise

    async def _renew(self) -> None:
        issued = await self._fetch()
        self._value = issued.value
        self._ends_at = self._clock() + issued.lifetime_s
        self._renew_at = self._clock() + max(issued.lifetime_s - self._early_s, _SHORTEST_PAUSE_S)


def lifetime_s(expires_at: object, answer_date: str | None, now: datetime) -> float:
    """Seconds until an instant in ISO form, by the clock of who named it where its answer has a Date header."""
    if not isinstance(expires_at, str):
        return math.inf
    try:
        end = datetime.fromisoformat(expires_at)
    except ValueError:
        return math.inf
    start = parse_http_date(answer_date) or now
    return (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp() - start.timestamp()


def parse_http_date(text: str | None) -> datetime | None:
    """An HTTP Date header, None where it is none or has no time zone."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else None
