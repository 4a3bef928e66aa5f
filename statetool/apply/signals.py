"""Stopping on Ctrl-C and SIGTERM: the first asks, the second leaves at once.

Owns the signal handlers while a run lasts. It must not decide what stopping means: the executor does.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from statetool.apply.run import Emitter
from statetool.core.events import EventType
from statetool.errors import ExitCode

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            # The loop puts the system's default there, which is not what it found.
            signal.signal(number, before[number])
