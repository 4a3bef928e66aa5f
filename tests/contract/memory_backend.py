"""An honest backend in memory: the whole protocol on one machine that never fails.

Owns what a server of states would do, in its fewest words. Leases expire by the store's clock and are not renewed:
whoever lets that clock go lets them run out. Its own steps are methods, so that a dishonest one differs in one of
them. It must not touch a disk or a network.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from statetool.backends import Capabilities, JournalEntry, LockInfo, OnWait, StoredSerial
from statetool.backends.lease import TTL_S, Lease
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, LeaseLost, StateConflict, StateError, StateLocked

POLL_S = 0.2
QUIET_S = 0.4


@dataclass(frozen=True, slots=True)
class Held:
    """A lock as the store knows it. `ends_at` is an instant of its clock."""

    info: LockInfo
    fence: int
    ends_at: float


@dataclass
class MemoryStore:
    """What the clients of one state share. `clock` gives seconds and decides when a lease has run out."""

    clock: Callable[[], float]
    mutex: threading.RLock = field(default_factory=threading.RLock)
    states: list[StateFile] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    fence: int = 0
    held: Held | None = None
    broken: list[tuple[LockInfo, str]] = field(default_factory=list)


class MemoryBackend:
    """One client of a store. `sleep` is how it waits for a lock; any thread may call."""

    def __init__(self, store: MemoryStore, sleep: Callable[[float], None], *, ttl_s: float = TTL_S) -> None:
        self._store = store
        self._sleep = sleep
        self._ttl_s = ttl_s
        self._lease: Lease | None = None

    @property
    def location(self) -> str:
        return "memory"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(expires=True, compares=True, has_history=True)

    def read(self) -> StateFile | None:
        with self._store.mutex:
            return self._store.states[-1] if self._store.states else None

    def read_journal(self) -> tuple[JournalEntry, ...]:
        with self._store.mutex:
            return tuple(json.loads(text) for text in self._store.journal)

    @contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        lease = self._wait(info, timeout_s, on_wait)
        self._lease = lease
        try:
            yield lease
        finally:
            self._release(lease)

    def find_holder(self) -> LockInfo | None:
        with self._store.mutex:
            held = self._find_held()
            return replace(held.info, fence=held.fence) if held else None

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        with self._store.mutex:
            held = self._find_held()
            if held is None:
                raise StateError("the state is not locked", code="not_locked")
            if held.info.id != lock_id:
                raise StateError(
                    f"the state is locked by {held.info.id} by now, not by {lock_id}",
                    code="lock_moved",
                    hint="look at who holds it now",
                )
            self._store.broken.append((held.info, reason))
            self._store.held = None
            return replace(held.info, fence=held.fence)

    def check_place(self) -> tuple[Diagnostic, ...]:
        return ()

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        with self._store.mutex:
            self._ensure_held(lease)
            stored = self.read()
            self._ensure_unmoved(before, after, stored, lease)
            if stored is not None and self._is_same(stored, after):
                return stored
            saved = replace(after, serial=self._next_serial(before, floor), fence=lease.fence)
            self._keep(saved)
            return saved

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        with self._store.mutex:
            self._ensure_held(lease)
            self._store.journal.extend(json.dumps(entry) for entry in entries)

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        with self._store.mutex:
            self._ensure_held(lease)
            self._store.journal = [json.dumps(entry) for entry in entries]

    def read_history(self) -> tuple[StoredSerial, ...]:
        with self._store.mutex:
            return tuple(StoredSerial(state.serial) for state in reversed(self._store.states))

    def read_serial(self, serial: int) -> StateFile:
        with self._store.mutex:
            for state in self._store.states:
                if state.serial == serial:
                    return state
        raise StateError(f"the state has no serial {serial}", code="no_such_serial")

    def _wait(self, info: LockInfo, timeout_s: float, on_wait: OnWait) -> Lease:
        waited, told = 0.0, False
        while (lease := self._take(info)) is None:
            holder = self.find_holder()
            if waited >= timeout_s:
                raise self._locked(holder)
            if not told and waited >= QUIET_S:
                told = True
                on_wait(holder)
            pause = min(POLL_S, timeout_s - waited)
            self._sleep(pause)
            waited += pause
        return lease

    def _take(self, info: LockInfo) -> Lease | None:
        """The lease, None where somebody else has it."""
        with self._store.mutex:
            if self._find_held() is not None:
                return None
            self._store.fence += 1
            ends_at = self._store.clock() + self._ttl_s
            self._store.held = Held(info, self._store.fence, ends_at)
            return Lease(self._store.fence, ends_at=ends_at, clock=self._store.clock)

    def _release(self, lease: Lease) -> None:
        with self._store.mutex:
            if self._store.held is not None and self._store.held.fence == lease.fence:
                self._store.held = None
            lease.lose("its lock was left")

    def _find_held(self) -> Held | None:
        held = self._store.held
        return held if held is not None and held.ends_at > self._store.clock() else None

    def _locked(self, holder: LockInfo | None) -> StateLocked:
        by = (
            "nobody by now"
            if holder is None
            else (
                f"{holder.who} (host {holder.host}, pid {holder.pid}): {holder.operation} since {holder.created}, "
                f"run {holder.run_id}, {holder.ci_url}, lock {holder.id}"
            )
        )
        return StateLocked(f"the state in {self.location} is locked by {by}", hint="wait with --lock-timeout")

    def _ensure_held(self, lease: Lease) -> None:
        lease.ensure_held()
        held = self._find_held()
        if lease is not self._lease or held is None or held.fence != lease.fence:
            raise LeaseLost("the lock of the state in memory was lost: somebody else has it", hint="apply again")

    def _ensure_unmoved(
        self, before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease
    ) -> None:
        """The comparison of compare-and-swap."""
        read = (before.lineage, before.serial) if before else None
        found = (stored.lineage, stored.serial) if stored else None
        has_newer_fence = stored is not None and stored.fence > lease.fence
        if read != found or has_newer_fence or (before is not None and before.lineage != after.lineage):
            raise StateConflict(
                f"the state in {self.location} was not saved: read was {read}, found {found}", hint="apply again"
            )

    def _is_same(self, stored: StateFile, after: StateFile) -> bool:
        return stored.holds_the_same_as(after)

    def _next_serial(self, before: StateFile | None, floor: int) -> int:
        return max(floor, (before.serial if before else 0) + 1)

    def _keep(self, state: StateFile) -> None:
        self._store.states.append(state)
