"""The right to write for a while: what a holder has in hand, and the thread that keeps it from running out.

Owns the holder's side of a lease: its fence, how long it is surely still held, and that a lost one is never found
again. It must not know how a backend renews it.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator

from statetool.errors import LeaseLost, StateError

TTL_S = 60.0
"""How long a lease lasts that is not renewed. It is renewed at a third of this."""


def boot_clock() -> float:
    """Seconds that also pass while the machine sleeps: a lease runs out during that time too."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Lease:
    """The right to write, until it ends or is lost. May be asked from any thread.

    `fence` is higher than that of every lease before. Without `ends_at`, an instant of `clock`, it is held until it is
    given back: by the kernel, or a server that knows no expiry.
    """

    def __init__(self, fence: int, *, ends_at: float = math.inf, clock: Callable[[], float] = boot_clock) -> None:
        self.fence = fence
        self._ends_at = ends_at
        self._clock = clock
        self._lost: str | None = None

    @property
    def remaining_s(self) -> float:
        """For how many seconds nobody else can have it, at least. 0 where it is lost."""
        return 0.0 if self._lost is not None else max(0.0, self._ends_at - self._clock())

    @property
    def loss(self) -> str | None:
        """Why it is no longer held, None while it is."""
        if self._lost is None and self._ends_at <= self._clock():
            self._lost = "it could not be renewed in time"
        return self._lost

    def extend(self, ends_at: float) -> None:
        """It was renewed: held until then. One that ran out meanwhile stays lost, for others may have had it."""
        if self.loss is None:
            self._ends_at = ends_at

    def lose(self, reason: str) -> None:
        """It is gone. The first reason stays."""
        self._lost = self._lost or reason

    def ensure_held(self) -> None:
        """Raises LeaseLost."""
        if self.loss is not None:
            raise LeaseLost(
                f"the lock of the state was lost: {self.loss}",
                hint="nothing more was sent; apply again: it first finds out what became of what was sent",
            )


@contextlib.contextmanager
def kept_alive(lease: Lease, renew: Callable[[], float], *, every_s: float) -> Iterator[None]:
    """Renew a lease from a thread of its own for the length of a block.

    `renew` asks the backend and returns the instant of the lease's clock until which it is held now. It raises
    LeaseLost where somebody else has it, any other StateError where the backend did not answer: then it is tried
    again soon, as long as the lease lasts.
    """
    stopped = threading.Event()

    def work() -> None:
        pause = every_s
        while not stopped.wait(pause):
            try:
                lease.extend(renew())
                pause = every_s
            except LeaseLost as error:
                lease.lose(error.message)
            except StateError:
                pause = every_s / 4
            if lease.loss is not None:
                return

    thread = threading.Thread(target=work, name="state lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(every_s)
