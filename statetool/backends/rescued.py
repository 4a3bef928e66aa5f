"""A backend somewhere else, with a folder of this machine for what it could not be told.

Owns when a save goes to a rescue file instead, and that no run begins while one is pending here. The local backend
does the same by itself, beside its state. It must not know how the backend keeps anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from statetool.backends import Backend, Capabilities, JournalEntry, LockInfo, OnWait, StoredSerial
from statetool.backends.files import FileSystem
from statetool.backends.lease import Lease
from statetool.backends.rescue import Rescue
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, StateConflict, StateError


class RescuedBackend:
    """Keeps the protocol by asking `inner`. Rescue files go to `folder`, as `NAME.rescue-SERIAL`."""

    def __init__(self, inner: Backend, folder: Path, name: str) -> None:
        self._inner = inner
        self._rescue = Rescue(folder, name, FileSystem())

    @property
    def location(self) -> str:
        return self._inner.location

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def read(self) -> StateFile | None:
        return self._inner.read()

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return self._inner.read_journal()

    def find_holder(self) -> LockInfo | None:
        return self._inner.find_holder()

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        return self._inner.break_lock(lock_id, reason)

    def read_history(self) -> tuple[StoredSerial, ...]:
        return self._inner.read_history()

    def read_serial(self, serial: int) -> StateFile:
        return self._inner.read_serial(serial)

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._inner.append(entries, lease)

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._inner.replace_journal(entries, lease)

    def check_place(self) -> tuple[Diagnostic, ...]:
        found = self._inner.check_place()
        try:
            self._rescue.ensure_none_pending(self._inner.read(), self.location)
        except StateError as error:
            found = (*found, *error.diagnostics)
        return found

    @contextlib.contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        with self._inner.lock(info, timeout_s, on_wait, repairing=repairing) as lease:
            self._rescue.begin(self._inner.read(), self.location, repairing=repairing)
            yield lease

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        """As the protocol says. A save that fails is kept here; what this run still learns then goes there too."""
        wanted = replace(after, serial=max((before.serial if before else 0) + 1, floor), fence=lease.fence)
        if self._rescue.has_begun:
            raise self._rescue.keep(wanted, self.location, "an earlier save of this run failed")
        try:
            saved = self._inner.write(before, after, lease, floor=floor)
        except StateConflict:
            raise  # somebody else's state is there: this one would have to be merged, and not put over it
        except StateError as error:
            raise self._rescue.keep(wanted, self.location, error.message) from None
        self._rescue.remove_answered(before, saved)
        return saved
