"""Stopping on Ctrl-C, SIGTERM and SIGHUP: while a run lasts the first asks and the second leaves at once.

Owns the signal handlers while an event loop runs. It must not decide what stopping means: the executor does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from statetool.apply.run import Emitter
from statetool.core.events import EventType
from statetool.errors import ExitCode

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command as Ctrl-C does, which asyncio itself handles."""


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, which SIGTERM and SIGHUP end through a cancellation. Raises KeyboardInterrupt where they did.

    A handler that raises may do so amid the loop's own bookkeeping and lose the wake-up of a task, which then can
    never end: the process would hang.
    """
    asked = False

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "a coroutine that is run is a task"

        def ask(*_: object) -> None:
            nonlocal asked
            asked = True
            loop.call_soon_threadsafe(task.cancel)

        with _handled_by(ask):
            return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if asked:
            raise KeyboardInterrupt from None
        raise


@contextmanager
def _handled_by(handler: Callable[..., None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _found(_ENDING)
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)


@contextmanager
def stop_on_signals(stop: asyncio.Event, emitter: Emitter) -> Iterator[None]:
    """Within the block the first signal sets `stop` and emits STOPPING; the second ends the process.

    Leaving at once loses nothing: every outcome is on disk before it is told, and the kernel frees the lock.
    Must be entered inside a running event loop.
    """
    loop = asyncio.get_running_loop()

    def handle(number: signal.Signals) -> None:
        if stop.is_set():
            # The view gets a word first: it may have to give the terminal its cursor back.
            with suppress(Exception):
                emitter.emit(EventType.STOPPING, data={"signal": number.name, "leaves": True})
            os._exit(ExitCode.INTERRUPTED)
        stop.set()
        emitter.emit(EventType.STOPPING, data={"signal": number.name})

    before = _found(_SIGNALS)
    for number in before:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number, found in before.items():
            loop.remove_signal_handler(number)
            # The loop puts the system's default there, which is not what it found.
            signal.signal(number, found)


def _found(numbers: Iterable[signal.Signals]) -> dict[signal.Signals, Any]:
    """The handlers in place. What is ignored stays ignored: `nohup statetool apply` outlives its terminal."""
    return {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
