"""Backends that are honest but for one promise about the lock, or about whoever has it not. See `broken_backends`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from contract_kit import info, silent
from memory_backend import Held, MemoryBackend

from statetool.backends import JournalEntry, LockInfo, OnWait
from statetool.backends.lease import Lease
from statetool.core.state import StateFile
from statetool.errors import LeaseLost, StateError, StateLocked


class WritesWithoutLease(MemoryBackend):
    """Compares states, and never asks whose turn it is."""

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        self._lease, kept = lease, self._lease
        held, self._store.held = self._store.held, Held(info("nobody"), lease.fence, float("inf"))
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
        with super().lock(info, timeout_s, silent) as lease:
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
        return super().break_lock(lock_id, reason) if self._store.held else info("nobody")
