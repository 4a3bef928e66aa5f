"""What the checks of the contract are made of: a place to try, somebody who locks, and states to store.

Owns the words of the suite. It must not know any backend: a check sees a `Place`, and nothing behind it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, TypeVar

from statetool.backends import Backend, JournalEntry, LockInfo
from statetool.backends.lease import Lease
from statetool.core.model import Address, AppliedFrom, Seen
from statetool.core.plan import Change, Kind
from statetool.core.state import Overridden, StateFile, new_state, record_component, record_overridden, record_seen

T = TypeVar("T")

PASSWORD = "hunter2-of-the-server"
"""With which every client is opened that needs one."""

NOW = "2026-11-23T08:00:00Z"
CART = Address("shop", "cart")


class Time:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Place(Protocol):
    """One state that does not exist yet. Two clients opened at it stand for two machines."""

    @property
    def can_force(self) -> bool:
        """Whether a lock outlives its process, so that there is something to break."""
        ...

    @property
    def tells_holder(self) -> bool:
        """Whether a client that does not hold the lock can find out who does, other than by being refused."""
        ...

    @property
    def numbers_locks(self) -> bool:
        """Whether a fence is counted when a lock is taken. Where not, with the first that is stored under it."""
        ...

    def open(self) -> Backend:
        """A new, independent client. Its waits take no time."""
        ...


Check: TypeAlias = Callable[[Place], None]
"""One promise of the protocol. Raises where it is broken."""


def info(name: str = "first") -> LockInfo:
    """Somebody who locks."""
    return LockInfo(
        id=f"lock-{name}",
        operation="apply",
        who=f"{name}@builder",
        host="builder",
        pid=4711,
        tool_version="0.1.0",
        created=NOW,
        run_id=f"run-{name}",
        ci_url="https://ci.example/7",
    )


def silent(_holder: LockInfo | None) -> None:
    """For locks that nobody should have to wait for."""


def as_written(holder: LockInfo | None) -> LockInfo | None:
    """A holder as it wrote itself down, without what the backend found out beside."""
    return replace(holder, fence=None, renewed_ago_s=None) if holder else None


def with_cart(state: StateFile, component_id: str = "c1") -> StateFile:
    """The state with one more record, or that record anew."""
    change = Change(CART, component_id, "a1", None, Kind.ADOPT, None)
    return record_component(state, change, run_id="r1", at=NOW, applied_from=AppliedFrom())


def first_state() -> StateFile:
    """What a first apply stores."""
    return with_cart(new_state("lineage", "0.1.0"))


def rich_state(components: int = 40) -> StateFile:
    """A state that has something of everything, with texts that no encoding but a good one survives."""
    state = new_state("lineage é", "0.1.0+ß")
    for number in range(components):
        address = Address("магазин", f"cart-{number}", "生产" if number % 2 else None)
        change = Change(address, f'id "{number}" \\ é 🚀', "a1", None, Kind.ADOPT, None)
        source = AppliedFrom(commit="c0ffee", dirty=True, run_url="https://ci.example/?a=1&b=<2>")
        state = record_component(state, change, run_id="r\u2028\u0000\ufeff1", at=NOW, applied_from=source)
        state = record_seen(state, address, Seen(NOW, "1.10", number, number, "RUNNING", None))
    state = record_overridden(state, Overridden(NOW, "r1", "ann'; drop table state; --@builder", ("a", "b")))
    return replace(state, moved_to="s3 bucket/ключ")


def entries(*texts: str) -> tuple[JournalEntry, ...]:
    """Entries as short as they get; what they say is nothing to a backend."""
    return tuple({"type": "run", "text": text} for text in texts)


def sign(backend: Backend, lease: Lease) -> None:
    """Store something under a lease. Some servers know of a holder and its fence only what it stored itself."""
    backend.append(entries("."), lease)


def texts(journal: tuple[JournalEntry, ...]) -> str:
    """The entries of a journal as one word, a letter each."""
    return "".join(str(entry["text"]) for entry in journal)


def store(backend: Backend, before: StateFile | None, after: StateFile, *, floor: int = 0) -> StateFile:
    """One write under a lock of its own."""
    with held(backend) as lease:
        return backend.write(before, after, lease, floor=floor)


@contextmanager
def held(backend: Backend, name: str = "first", timeout_s: float = 0) -> Iterator[Lease]:
    """The lock for a block, for one that expects to get it."""
    with backend.lock(info(name), timeout_s, silent) as lease:
        yield lease


def seen_while(read: Callable[[], T], steps: Sequence[Callable[[], object]]) -> list[T]:
    """What reading gives while another thread takes these steps.

    Between two steps there is a whole read at least: a fast writer would else not be seen at work.
    """
    seen: list[T] = []
    failed: list[BaseException] = []
    turn = threading.Condition()
    is_over = threading.Event()

    def work() -> None:
        try:
            for step in steps:
                step()
                with turn:
                    enough = len(seen) + 2  # the first may have begun before
                    while len(seen) < enough and not is_over.is_set():
                        turn.wait()
        except BaseException as error:
            failed.append(error)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        while writer.is_alive():
            value = read()
            with turn:
                seen.append(value)
                turn.notify()
            time.sleep(0)  # gives way; the writer would else wait for the interpreter's next switch
    finally:
        is_over.set()
        with turn:
            turn.notify()
        writer.join()
    if failed:
        raise failed[0]
    return seen


@dataclass
class Checks:
    """Collects the checks of one module, in their order."""

    found: list[Check]

    def __call__(self, check: Check) -> Check:
        self.found.append(check)
        return check
