"""Lets one request through until the platform has answered one, and none after it refused our credentials.

The platform locks a user out after a few bad attempts [10.3], and hundreds of requests start at once: only the
first may find out that a token is wrong. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from statetool.errors import PlatformError, ServerFailed, Throttled, Unauthorized, Unreachable

T = TypeVar("T")


class Gate:
    """Shared by all requests of one client."""

    def __init__(self) -> None:
        self._is_open = False
        self._first: asyncio.Future[PlatformError | None] | None = None
        self._refusal: Unauthorized | None = None

    async def pass_through(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`, waiting while the first one runs alone.

        Where the first one got no usable answer, those that waited for it fail with the same error, rather
        than each finding out for itself, one after the other.
        """
        while not self._is_open:
            self.ensure_not_refused()
            if self._first is None:
                return await self._lead(work)
            failure = await asyncio.shield(self._first)
            if failure is not None:
                raise failure.with_traceback(None)
        return await work()

    def close(self, refusal: Unauthorized) -> None:
        """Send nothing any more: every later request fails with `refusal`."""
        self._refusal = refusal

    def ensure_not_refused(self) -> None:
        """Raise the refusal, where there was one. Asked right before every sending."""
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)

    async def _lead(self, work: Callable[[], Awaitable[T]]) -> T:
        first = self._first = asyncio.get_running_loop().create_future()
        failure: PlatformError | None = None
        try:
            result = await work()
            self._is_open = True
            return result
        except (Unauthorized, Unreachable, Throttled, ServerFailed) as error:
            failure = error
            raise
        except PlatformError:
            self._is_open = True  # an answer about the request, not about us
            raise
        finally:
            # Also when cancelled: then without a failure, and one of those that wait goes first.
            self._first = None
            first.set_result(failure)
