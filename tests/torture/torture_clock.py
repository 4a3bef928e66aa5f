"""One clock for everything: processes, platform and store. Nothing ever waits; what is due happens in its order."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import selectors
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = 1_800_000_000.0


class Hung(Exception):
    """Everything waits, and nothing is due."""


class Clock:
    """Seconds since the start of a world. `frozen` lets nothing pass, for the burial of dead processes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.frozen = False
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self.now

    def epoch(self) -> float:
        return EPOCH + self.now

    def text(self, skew_s: float = 0.0) -> str:
        return datetime.fromtimestamp(self.epoch() + skew_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Let something happen, whoever is alive by then."""
        heapq.heappush(self._due, (max(when, self.now), next(self._numbers), what))

    def advance(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            when, _, what = heapq.heappop(self._due)
            self.now = max(self.now, when)
            what()
        self.now = max(self.now, until)


class _Selector(selectors.SelectSelector):
    """Never looks at files and never blocks: a wait moves the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (self._clock.frozen and timeout > 0):
            raise Hung("everything waits and nothing is due")
        if timeout > 0:
            self._clock.advance(self._clock.now + timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self._virtual = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._virtual.now


def run_virtually(clock: Clock, work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on the clock, also inside another such loop, which stands still meanwhile."""
    return contextvars.Context().run(_run, clock, work)


def _run(clock: Clock, work: Coroutine[Any, Any, T]) -> T:
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    loop = VirtualLoop(clock)
    loop.set_exception_handler(lambda *_: None)
    try:
        return loop.run_until_complete(work)
    finally:
        _bury(loop, clock)
        asyncio._set_running_loop(outer)


def _bury(loop: VirtualLoop, clock: Clock) -> None:
    """End what a process that died has left: no time passes, and whatever it tries is refused."""
    was_frozen, clock.frozen = clock.frozen, True
    try:
        for _ in range(200):
            left = asyncio.all_tasks(loop)
            if not left:
                break
            for task in left:
                task.cancel()
            try:
                loop.run_until_complete(asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED))
            except (SystemExit, Hung, RuntimeError):  # the last: the loop was stopped before
                continue
        for task in asyncio.all_tasks(loop):
            raise AssertionError(f"a dead process goes on: {task}")
        with suppress(SystemExit, Hung, RuntimeError):
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        clock.frozen = was_frozen
        loop.close()
