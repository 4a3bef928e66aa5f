"""Backends that break one promise each: what the contract suite has to notice.

Every class differs from the honest backend in one step. Its name says what is wrong; what it says beside is how one
comes by such a backend: a store that ignores conditions, a replica, a cache, a column too short. It must not break two
promises where one will do.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from contract_kit import PASSWORD
from memory_backend import Held, MemoryBackend

from statetool.backends import JournalEntry, LockInfo, OnWait, StoredSerial
from statetool.backends.lease import Lease
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, LeaseLost, StateConflict, StateError, StateLocked


class IgnoresBefore(MemoryBackend):
    """A store that takes `If-Match` and does not look at it."""

    def _ensure_unmoved(self, *_: object) -> None: ...


class IgnoresLineage(MemoryBackend):
    """Compares serials only."""

    def _ensure_unmoved(
        self, before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease
    ) -> None:
        if (before.serial if before else 0) != (stored.serial if stored else 0):
            raise StateConflict(f"the state in {self.location} was not saved: it moved", hint="apply again")


class CreatesBlindly(MemoryBackend):
    """Compares with what was read, but not where nothing was."""

    def _ensure_unmoved(
        self, before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease
    ) -> None:
        if before is not None:
            super()._ensure_unmoved(before, after, stored, lease)


class BringsBack(MemoryBackend):
    """Takes a state that is gone for one that did not move."""

    def _ensure_unmoved(
        self, before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease
    ) -> None:
        if stored is not None:
            super()._ensure_unmoved(before, after, stored, lease)


class ConflictsForEver(MemoryBackend):
    """Once refused, a client never writes again."""

    _refused = False

    def _ensure_unmoved(
        self, before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease
    ) -> None:
        if self._refused:
            raise StateConflict(f"the state in {self.location} was not saved", hint="apply again")
        self._refused = True
        super()._ensure_unmoved(before, after, stored, lease)
        self._refused = False


class WritesWithoutLease(MemoryBackend):
    """Compares states, and never asks whose turn it is."""

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        self._lease, kept = lease, self._lease
        held, self._store.held = self._store.held, Held(_NOBODY, lease.fence, float("inf"))
        try:
            return super().write(before, after, lease, floor=floor)
        finally:
            self._lease, self._store.held = kept, held


class AppendsWithoutLease(MemoryBackend):
    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._store.journal.extend(json.dumps(entry) for entry in entries)


class ReplacesWithoutLease(MemoryBackend):
    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._store.journal = [json.dumps(entry) for entry in entries]


class TrustsTheFence(MemoryBackend):
    """Takes the number for the lock."""

    def _ensure_held(self, lease: Lease) -> None:
        if lease.fence != self._store.fence or self._store.held is None:
            raise LeaseLost("the lock was lost", hint="apply again")


class ForgetsLosses(MemoryBackend):
    """Asks the store only, which has not noticed yet."""

    def _ensure_held(self, lease: Lease) -> None:
        if lease is not self._lease or self._store.held is None or self._store.held.fence != lease.fence:
            raise LeaseLost("the lock was lost", hint="apply again")


class TrustsItself(MemoryBackend):
    """Asks its own memory only: what others did to its lock it learns too late."""

    def _ensure_held(self, lease: Lease) -> None:
        lease.ensure_held()
        if lease is not self._lease:
            raise LeaseLost("the lock was lost", hint="apply again")


class LetsTwoIn(MemoryBackend):
    def _find_held(self) -> Held | None:
        return None


class LetsItselfIn(MemoryBackend):
    """One client counts its second lock as the first."""

    def _take(self, info: LockInfo) -> Lease | None:
        if self._lease is not None and self._lease.loss is None:
            return self._lease
        return super()._take(info)


class NeverReleases(MemoryBackend):
    def _release(self, lease: Lease) -> None: ...


class ReleasesAnybody(MemoryBackend):
    """Deletes the lock, whoever has it by now."""

    def _release(self, lease: Lease) -> None:
        super()._release(lease)
        self._store.held = None


class KeepsFence(MemoryBackend):
    """Counts what was stored instead of who locked."""

    def _take(self, info: LockInfo) -> Lease | None:
        self._store.fence = self._store.states[-1].fence if self._store.states else 0
        return super()._take(info)


class CountsFromZero(MemoryBackend):
    def _take(self, info: LockInfo) -> Lease | None:
        lease = super()._take(info)
        if lease is not None:
            lease.fence -= 1
        return lease


class HandsOutDeadLeases(MemoryBackend):
    def _take(self, info: LockInfo) -> Lease | None:
        lease = super()._take(info)
        return lease and Lease(lease.fence, ends_at=self._store.clock(), clock=self._store.clock)


class NamesNobody(MemoryBackend):
    def _locked(self, holder: LockInfo | None) -> StateLocked:
        return StateLocked("the state is locked", hint="wait with --lock-timeout")


class ForgetsHolder(MemoryBackend):
    def find_holder(self) -> LockInfo | None:
        return None


class FindsByTaking(MemoryBackend):
    """Tries the lock in order to see who has it."""

    def find_holder(self) -> LockInfo | None:
        found = super().find_holder()
        self._store.fence += 1
        self._store.held = None
        return found


class FindsWhoLeft(MemoryBackend):
    def find_holder(self) -> LockInfo | None:
        self._last = super().find_holder() or getattr(self, "_last", None)
        return self._last


class CutsNames(MemoryBackend):
    """A column of 100 characters that knows no control characters."""

    def find_holder(self) -> LockInfo | None:
        found = super().find_holder()
        return found and replace(found, who="".join(letter for letter in found.who if letter.isprintable())[:100])


class SaysItTwice(MemoryBackend):
    @contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        def twice(holder: LockInfo | None) -> None:
            on_wait(holder)
            on_wait(holder)

        with super().lock(info, timeout_s, twice) as lease:
            yield lease


class SaysItAtOnce(MemoryBackend):
    @contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        if self.find_holder() is not None:
            on_wait(self.find_holder())
        with super().lock(info, timeout_s, _silent) as lease:
            yield lease


class WaitsInVain(MemoryBackend):
    """Asks once, and once more when the time is over."""

    def _wait(self, info: LockInfo, timeout_s: float, on_wait: OnWait) -> Lease:
        lease = self._take(info)
        if lease is None and timeout_s > 0:
            on_wait(self.find_holder())
        if lease is None:
            raise self._locked(self.find_holder())
        return lease


class SwallowsErrors(MemoryBackend):
    @contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        with super().lock(info, timeout_s, on_wait) as lease:
            try:
                yield lease
            except StateError as error:
                raise StateError(f"while the state was locked: {error.message}") from error


class BelongsToAThread(MemoryBackend):
    """A connection that only the thread may use that opened it."""

    def _ensure_held(self, lease: Lease) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise StateError("used by another thread")
        super()._ensure_held(lease)


class BreaksAnyLock(MemoryBackend):
    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        holder = self.find_holder()
        return super().break_lock(holder.id if holder else lock_id, reason)


class BreaksNothing(MemoryBackend):
    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        held = self._store.held
        try:
            return super().break_lock(lock_id, reason)
        finally:
            self._store.held = held


class BreaksFreeLocks(MemoryBackend):
    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        return super().break_lock(lock_id, reason) if self._store.held else _NOBODY


class StoresNothing(MemoryBackend):
    """Says yes, and loses it: a cache that is never written back."""

    def _keep(self, state: StateFile) -> None: ...


class StoresForItself(MemoryBackend):
    """What it wrote, only it reads."""

    def _keep(self, state: StateFile) -> None:
        self._mine = state

    def read(self) -> StateFile | None:
        return getattr(self, "_mine", None)


class ReadsOnce(MemoryBackend):
    """Remembers for ever what it read first."""

    def read(self) -> StateFile | None:
        self._first = getattr(self, "_first", None) or super().read()
        return self._first


class ReadsLate(MemoryBackend):
    """A replica that is one state behind."""

    def read(self) -> StateFile | None:
        return self._store.states[-2] if len(self._store.states) > 1 else super().read()


class ReadsUnderLockOnly(MemoryBackend):
    def read(self) -> StateFile | None:
        if self._find_held() is not None and self._lease is None:
            raise StateLocked("the state is locked")
        return super().read()


class DropsLetters(MemoryBackend):
    """A store that speaks Latin only."""

    def _keep(self, state: StateFile) -> None:
        super()._keep(replace(state, lineage=state.lineage.encode("ascii", "ignore").decode()))


class KeepsTheCallersNumbers(MemoryBackend):
    def _keep(self, state: StateFile) -> None:
        super()._keep(state)

    def _next_serial(self, before: StateFile | None, floor: int) -> int:
        return 99


class IgnoresTheFloor(MemoryBackend):
    def _next_serial(self, before: StateFile | None, floor: int) -> int:
        return super()._next_serial(before, 0)


class CountsFromTheFloor(MemoryBackend):
    def _next_serial(self, before: StateFile | None, floor: int) -> int:
        return floor or super()._next_serial(before, 0)


class StoresTheSameAgain(MemoryBackend):
    def _is_same(self, stored: StateFile, after: StateFile) -> bool:
        return False


class LooksAtComponentsOnly(MemoryBackend):
    def _is_same(self, stored: StateFile, after: StateFile) -> bool:
        return stored.components == after.components


class RefusesEmptyStates(MemoryBackend):
    def _keep(self, state: StateFile) -> None:
        if state.components:
            super()._keep(state)


class WritesIntoTheJournal(MemoryBackend):
    def _keep(self, state: StateFile) -> None:
        super()._keep(state)
        self._store.journal.clear()


class NamesItsPassword(MemoryBackend):
    @property
    def location(self) -> str:
        return f"memory://ann:{PASSWORD}@here"


class WarnsAlways(MemoryBackend):
    def check_place(self) -> tuple[Diagnostic, ...]:
        return (Diagnostic("odd", "something is odd"),) if self._store.states else ()


class LooksByWriting(MemoryBackend):
    """Leaves its trial behind."""

    def check_place(self) -> tuple[Diagnostic, ...]:
        self._store.journal.append('{"trial": true}')
        return ()


class KeepsOldestFirst(MemoryBackend):
    def read_history(self) -> tuple[StoredSerial, ...]:
        return super().read_history()[::-1]


class KeepsAllButTheStored(MemoryBackend):
    def read_history(self) -> tuple[StoredSerial, ...]:
        return super().read_history()[1:]


class AnswersTheNearestSerial(MemoryBackend):
    def read_serial(self, serial: int) -> StateFile:
        return min(self._store.states, key=lambda state: abs(state.serial - serial))


class DropsTheTail(MemoryBackend):
    """A batch that is larger than what one request takes."""

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append(entries[:2], lease)


class AppendsOneByOne(MemoryBackend):
    """A reader comes between two entries of a batch."""

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        for entry in entries:
            super().append([entry], lease)
            _let_read()

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return _read_and_tell(super().read_journal())


class ReplacesInTwoSteps(MemoryBackend):
    """A reader comes between the old journal and the new one."""

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().replace_journal((), lease)
        _let_read()
        super().append(entries, lease)

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return _read_and_tell(super().read_journal())


class ReplacesByAppending(MemoryBackend):
    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append(entries, lease)


class AppendsOverOthers(MemoryBackend):
    """Each client goes on counting where it stood itself: a key that is there already is written over."""

    _next = 0

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._ensure_held(lease)
        self._store.journal[self._next : self._next + len(entries)] = [json.dumps(entry) for entry in entries]
        self._next += len(entries)


class OrdersByText(MemoryBackend):
    """Ten comes before two."""

    def read_journal(self) -> tuple[JournalEntry, ...]:
        numbered = enumerate(super().read_journal(), 1)
        return tuple(entry for _, entry in sorted(numbered, key=lambda pair: str(pair[0])))


class KeepsEqualEntriesOnce(MemoryBackend):
    def read_journal(self) -> tuple[JournalEntry, ...]:
        return tuple(json.loads(text) for text in dict.fromkeys(self._store.journal))


class AppendsEmptyBatches(MemoryBackend):
    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append(entries or [{"text": ""}], lease)


class DropsZeroBytes(MemoryBackend):
    """A database whose texts end where a zero byte stands."""

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return tuple(json.loads(text.replace("\\u0000", "")) for text in self._store.journal)


class CutsLongEntries(MemoryBackend):
    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append([entry for entry in entries if len(json.dumps(entry)) < 2**16], lease)


class CountsEntriesAsSerials(MemoryBackend):
    """One table, one counter."""

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append(entries, lease)
        if self._store.states:
            last = self._store.states[-1]
            self._store.states.append(replace(last, serial=last.serial + 1))


class NeedsAState(MemoryBackend):
    def read_journal(self) -> tuple[JournalEntry, ...]:
        return super().read_journal() if self._store.states else ()


class JournalUnderLockOnly(MemoryBackend):
    def read_journal(self) -> tuple[JournalEntry, ...]:
        if self._lease is None and self._find_held() is not None:
            raise StateLocked("the state is locked")
        return super().read_journal()


_NOBODY = LockInfo("nobody", "apply", "nobody@nowhere", "nowhere", 0, "0.1.0", "2026-11-23T08:00:00Z")


_WAS_READ = threading.Event()


def _silent(_holder: LockInfo | None) -> None: ...


def _let_read() -> None:
    """Wait for a reader, where this is not the only thread."""
    if threading.current_thread() is not threading.main_thread():
        for _ in range(2):  # the first may have begun before
            _WAS_READ.clear()
            _WAS_READ.wait(0.2)


def _read_and_tell(journal: tuple[JournalEntry, ...]) -> tuple[JournalEntry, ...]:
    _WAS_READ.set()
    return journal


BROKEN: tuple[type[MemoryBackend], ...] = tuple(MemoryBackend.__subclasses__())
