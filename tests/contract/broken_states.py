"""Backends that are honest but for one promise about the state, its serials or its place. See `broken_backends`."""

from __future__ import annotations

from dataclasses import replace

from contract_kit import PASSWORD
from memory_backend import MemoryBackend

from statetool.backends import StoredSerial
from statetool.backends.lease import Lease
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, StateConflict, StateLocked


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
