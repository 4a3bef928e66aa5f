"""The local backend: one state file, replaced whole or not at all, under a lock of the kernel.

Owns the recipe of a save and the comparison before it. Beside `state.json` stand `state.json.journal`,
`state.json.backup` (the previous serial), `state.json.history/` (the ten before), `.lock`, `.lock-info` (holder and
fence) and, after trouble, `.rescue-SERIAL`. It must not know what the state says.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from statetool.backends import Capabilities, JournalEntry, LockInfo, OnWait, StoredSerial
from statetool.backends.comparison import ensure_unmoved
from statetool.backends.files import (
    FileSystem,
    Signature,
    explain,
    find_signature,
    keep_previous,
    read_file,
    remove_temporaries,
    temporary_file,
)
from statetool.backends.lease import Lease
from statetool.backends.local_history import LocalHistory
from statetool.backends.local_journal import LocalJournal
from statetool.backends.local_lock import LocalLock
from statetool.backends.local_place import check_place
from statetool.backends.places import LocalPlace
from statetool.backends.rescue import Rescue
from statetool.backends.state_text import MAX_BYTES, StateText, parse_state
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, LeaseLost, StateError, StateUnreadable


@dataclass(frozen=True, slots=True)
class _Stored:
    """A state as it stands in the file with this signature; saves reading it again before every save."""

    signature: Signature
    state: StateFile


class LocalBackend:
    """The state at `place`. Not for several threads at once.

    `rescue_folder` takes the state where even its own folder can't; the system's temporary folder by default.
    """

    def __init__(
        self,
        place: LocalPlace | Path,
        *,
        files: FileSystem | None = None,
        rescue_folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        path = place.path if isinstance(place, LocalPlace) else place
        self._path = path
        self._backup = path.with_name(f"{path.name}.backup")
        self._files = files or FileSystem()
        self._lock = LocalLock(path, self._files, clock, sleep)
        self._journal = LocalJournal(path.with_name(f"{path.name}.journal"), self._files)
        self._history = LocalHistory(path, self._files)
        self._rescue = Rescue(path.parent, path.name, self._files, rescue_folder)
        self._text = StateText()
        self._stored: _Stored | None = None
        self._lease: Lease | None = None

    @property
    def location(self) -> str:
        return str(self._path)

    @property
    def capabilities(self) -> Capabilities:
        """Nothing but the lock keeps two writers apart; the kernel takes it from a process that died."""
        return Capabilities(expires=True, compares=False, has_history=True)

    def read(self) -> StateFile | None:
        signature = find_signature(self._path)
        if self._stored is not None and self._stored.signature == signature:
            return self._stored.state
        try:
            data, signature = read_file(self._path, MAX_BYTES)
        except FileNotFoundError:
            self._stored = None
            return None
        except OSError as error:
            raise self._unreadable(explain(error)) from None
        try:
            state = parse_state(data)
        except StateUnreadable as error:
            raise self._unreadable(error.message, error.hint) from None
        self._stored = _Stored(signature, state)
        return state

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return self._journal.read()

    def read_history(self) -> tuple[StoredSerial, ...]:
        stored = self.read()
        return self._history.read(stored) if stored is not None else ()

    def read_serial(self, serial: int) -> StateFile:
        return self._history.read_serial(self.read(), serial)

    def find_holder(self) -> LockInfo | None:
        return self._lock.find_holder()

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        """There is never one to break: what holds it is a process, or nothing does."""
        holder = self.find_holder()
        if holder is None:
            raise StateError(f"the state {self._path} is not locked", code="not_locked")
        raise StateError(
            f"the lock of the state {self._path} ends with its process: {holder.operation} by {holder.who}, pid "
            f"{holder.pid} on {holder.host}, since {holder.created}",
            code="nothing_to_force",
            hint=f"wait for it, or end it on {holder.host}: kill {holder.pid}",
        )

    def check_place(self) -> tuple[Diagnostic, ...]:
        kept = (self._path, self._backup, self._journal.path)
        return (*check_place(self._path, kept), *self._history.check(), *self._check_rescue())

    def _check_rescue(self) -> tuple[Diagnostic, ...]:
        if not self._path.parent.is_dir():
            return ()
        try:
            self._rescue.ensure_none_pending(self.read(), self.location)
        except StateUnreadable:
            return ()  # told by whoever reads it
        except StateError as error:
            return error.diagnostics
        return ()

    @contextlib.contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        self._ensure_folder()
        with self._lock.hold(timeout_s, on_wait):
            remove_temporaries(self._path, r"lock-info|backup|journal")
            self._history.clean()
            self._history.ensure_usable()
            self._journal.begin()
            stored = self.read()
            self._rescue.begin(stored, self.location, repairing=repairing)
            lease = Lease(self._lock.take_fence(info, stored.fence if stored else 0))
            self._lease = lease
            try:
                yield lease
            finally:
                self._lease = None
                lease.lose("it was given back")
                self._lock.clear_note(lease.fence)

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        self._ensure_holder(lease)
        saved = replace(after, serial=max((before.serial if before else 0) + 1, floor), fence=lease.fence)
        if self._rescue.has_begun:
            raise self._rescue.keep(saved, self.location, "an earlier save of this run failed")
        try:
            stored = self.read()
        except StateUnreadable as error:
            raise self._rescue.keep(saved, self.location, error.message) from None
        ensure_unmoved(self.location, before, after, stored, lease)
        if stored is not None and stored.holds_the_same_as(after):
            self._rescue.remove_answered(stored)
            return stored
        try:
            self._save(saved, stored)
        except OSError as error:
            raise self._rescue.keep(saved, self.location, explain(error)) from None
        self._rescue.remove_answered(stored, saved)
        return saved

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._ensure_holder(lease)
        self._journal.append(entries)

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._ensure_holder(lease)
        self._journal.replace(entries)

    def _save(self, state: StateFile, stored: StateFile | None) -> None:
        """Temporary file, fsync, the previous serial kept, rename, fsync of the folder. Raises OSError."""
        self._stored = None
        with temporary_file(self._files, self._path, self._text.render(state)) as temporary:
            if stored is not None:
                keep_previous(self._files, self._path, self._backup)
                self._history.keep(stored)
            self._files.replace(temporary, self._path)
        self._files.sync_folder(self._path.parent)
        signature = find_signature(self._path)
        self._stored = _Stored(signature, state) if signature else None

    def _ensure_folder(self) -> None:
        try:
            for folder in reversed((self._path.parent, *self._path.parent.parents)):
                if not folder.exists():
                    folder.mkdir(mode=0o700, exist_ok=True)
                    self._files.sync_folder(folder.parent)
        except OSError as error:
            raise StateError(
                f"can't make the folder {self._path.parent} of the state: {explain(error)}",
                code="state_folder",
                hint="make the folder, or set state.path in statetool.yaml to a place that can be written",
            ) from None

    def _ensure_holder(self, lease: Lease) -> None:
        """The lock is the kernel's, but a lock file that a person removed lets a second one in: the fence tells."""
        if lease is self._lease and self._lock.read_fence() > lease.fence:
            lease.lose("another run took it")
        if lease is not self._lease or lease.loss is not None:
            raise LeaseLost(
                f"nothing was written to the state {self._path}: its lock is no longer held by this run",
                hint="run the command again; it looks at what really happened",
            )

    def _unreadable(self, reason: str, hint: str | None = None) -> StateUnreadable:
        backup = f"the previous serial stands in {self._backup}" if find_signature(self._backup) else None
        way_on = "to go on from there, copy it over the damaged file" if backup and not hint else None
        hints = "; ".join(part for part in (hint, backup, way_on) if part)
        return StateUnreadable(f"the state {self._path} can't be read: {reason}", hint=hints or None)
