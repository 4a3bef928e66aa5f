"""The local backend: one state file, replaced whole or not at all, under a lock of the kernel.

Owns the recipe of a save, the comparison before it, and what happens when it fails: the state of the run goes to
a rescue file, and nothing goes on until a person has dealt with it. Beside `state.json` stand `state.json.backup`
(the previous serial), `.lock`, `.lock-info` (holder and fence) and, after trouble, `.rescue-SERIAL`.
It must not know what the state says.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from statetool.backends import LockInfo, OnWait
from statetool.backends.files import (
    PRIVATE,
    FileSystem,
    Signature,
    explain,
    find_signature,
    keep_previous,
    read_file,
    remove_temporaries,
    temporary_file,
    temporary_name,
)
from statetool.backends.lease import Lease
from statetool.backends.local_lock import LocalLock
from statetool.backends.local_place import check_place
from statetool.backends.state_text import MAX_BYTES, StateText, parse_state
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, StateConflict, StateError, StateUnreadable

_RESCUE_SUFFIX = re.compile(r"\.rescue-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class _Stored:
    """A state as it stands in the file with this signature; saves reading it again before every save."""

    signature: Signature
    state: StateFile


class LocalBackend:
    """The state at `path`. Not for several threads at once.

    `rescue_folder` takes the state where even its own folder can't; the system's temporary folder by default.
    """

    def __init__(
        self,
        path: Path,
        *,
        files: FileSystem | None = None,
        rescue_folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._backup = path.with_name(f"{path.name}.backup")
        self._files = files or FileSystem()
        self._rescue_folder = rescue_folder
        self._lock = LocalLock(path, self._files, clock, sleep)
        self._text = StateText()
        self._stored: _Stored | None = None
        self._lease: Lease | None = None
        self._rescued: Path | None = None

    @property
    def location(self) -> str:
        return str(self._path)

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

    def find_holder(self) -> LockInfo | None:
        return self._lock.find_holder()

    def check_place(self) -> tuple[Diagnostic, ...]:
        return (*check_place(self._path, (self._path, self._backup)), *self._check_rescue())

    def _check_rescue(self) -> tuple[Diagnostic, ...]:
        if not self._path.parent.is_dir():
            return ()
        try:
            self._ensure_no_rescue(self.read())
        except StateUnreadable:
            return ()  # told by whoever reads it
        except StateError as error:
            return error.diagnostics
        return ()

    @contextlib.contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait) -> Iterator[Lease]:
        self._ensure_folder()
        with self._lock.hold(timeout_s, on_wait):
            remove_temporaries(self._path, r"lock-info|rescue-[0-9]+")
            stored = self.read()
            self._ensure_no_rescue(stored)
            lease = Lease(self._lock.take_fence(info, stored.fence if stored else 0))
            self._lease, self._rescued = lease, None
            try:
                yield lease
            finally:
                self._lease = None
                self._lock.clear_note(lease.fence)

    def write(self, before: StateFile | None, after: StateFile, lease: Lease) -> StateFile:
        if lease != self._lease:
            raise StateConflict(
                f"the state {self._path} was not saved: its lock is no longer held by this run",
                hint="run the command again; it looks at what really happened",
            )
        saved = replace(after, serial=(before.serial if before else 0) + 1, fence=lease.fence)
        if self._rescued is not None:
            # The person was told of the rescue file, so all that this run still learns has to go there.
            raise self._rescue(saved, "an earlier save of this run failed")
        try:
            stored = self.read()
        except StateUnreadable as error:
            raise self._rescue(saved, error.message) from None
        self._ensure_unmoved(before, after, stored, lease)
        if stored is not None and (stored.components, stored.overridden) == (after.components, after.overridden):
            return stored
        try:
            self._save(saved)
        except OSError as error:
            raise self._rescue(saved, explain(error)) from None
        return saved

    def _save(self, state: StateFile) -> None:
        """Temporary file, fsync, the previous serial kept, rename, fsync of the folder. Raises OSError."""
        self._stored = None
        with temporary_file(self._files, self._path, self._text.render(state)) as temporary:
            if self._path.exists():
                keep_previous(self._files, self._path, self._backup)
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

    def _ensure_unmoved(
        self, before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease
    ) -> None:
        """The comparison of compare-and-swap."""
        if stored is None and before is not None:
            moved = f"it held serial {before.serial} and is gone now"
        elif stored is not None and before is None:
            moved = f"it did not exist, and holds serial {stored.serial} now"
        elif stored is not None and before is not None and stored.lineage != before.lineage:
            moved = f"lineage {before.lineage} was replaced by {stored.lineage}"
        elif stored is not None and before is not None and stored.serial != before.serial:
            moved = f"it held serial {before.serial} and holds {stored.serial} now"
        elif stored is not None and stored.fence > lease.fence:
            moved = f"it was saved under fence {stored.fence}, newer than this run's {lease.fence}"
        elif before is not None and after.lineage != before.lineage:
            moved = f"lineage {before.lineage} can't be replaced by {after.lineage}"
        else:
            return
        raise StateConflict(
            f"the state {self._path} was not saved, for it changed since this run read it: {moved}",
            hint="find out who wrote it, then run the command again; it looks at what really happened",
        )

    def _ensure_no_rescue(self, stored: StateFile | None) -> None:
        # Asked with every lock and so before every write: while the lock is held nobody else can leave one.
        serial = stored.serial if stored else 0
        newest = max([*self._rescues(), *self._rescues_elsewhere(stored)], default=None)
        if newest is None or newest[0] <= serial:
            return
        rescue = shlex.quote(str(newest[1]))
        raise StateError(
            f"an earlier run could not save its state: {newest[1]} holds serial {newest[0]}, {self._path} "
            + (f"serial {serial}" if stored else "does not exist"),
            code="rescue_pending",
            hint=f"take it over: cp {rescue} {shlex.quote(str(self._path))} - or, where it is not wanted: rm {rescue}",
        )

    def _rescues(self) -> list[tuple[int, Path]]:
        found: list[tuple[int, Path]] = []
        try:
            entries = list(self._path.parent.iterdir())
        except OSError as error:
            raise StateError(
                f"can't look into the folder {self._path.parent} of the state: {explain(error)}", code="state_folder"
            ) from None
        for entry in entries:
            if entry.name.startswith(self._path.name):
                match = _RESCUE_SUFFIX.fullmatch(entry.name[len(self._path.name) :])
                if match:
                    found.append((int(match[1]), entry))
        return found

    def _rescues_elsewhere(self, stored: StateFile | None) -> list[tuple[int, Path]]:
        """Rescues of this very state where a full disk sent them. Others have theirs there too: the lineage tells."""
        found: list[tuple[int, Path]] = []
        prefix = re.escape(f"statetool-{self._path.name}")
        name = re.compile(prefix + _RESCUE_SUFFIX.pattern + r"\.tmp-[0-9a-f]+")
        with contextlib.suppress(OSError):
            for entry in self._elsewhere.iterdir():
                match = name.fullmatch(entry.name)
                if match and stored is not None and self._holds_lineage(entry, stored.lineage):
                    found.append((int(match[1]), entry))
        return found

    def _holds_lineage(self, path: Path, lineage: str) -> bool:
        try:
            return parse_state(read_file(path, MAX_BYTES)[0]).lineage == lineage
        except (OSError, StateUnreadable):
            return False

    @property
    def _elsewhere(self) -> Path:
        return self._rescue_folder or Path(tempfile.gettempdir())

    def _rescue(self, state: StateFile, reason: str) -> StateError:
        """Put a state that could not be saved somewhere else; the error that says where, and what repairs it."""
        failed = f"the state {self._path} could not be saved: {reason}"
        data = self._text.render(state)
        elsewhere = self._elsewhere
        candidates = (
            self._path.with_name(f"{self._path.name}.rescue-{state.serial}"),
            # A folder of everybody: a name nobody can guess and take first.
            temporary_name(elsewhere / f"statetool-{self._path.name}.rescue-{state.serial}"),
        )
        for candidate in dict.fromkeys(path for path in (self._rescued, *candidates) if path is not None):
            try:
                with temporary_file(_Undurable(self._files), candidate, data) as temporary:
                    self._files.replace(temporary, candidate)
            except OSError:
                continue
            self._rescued = candidate
            command = f"cp {shlex.quote(str(candidate))} {shlex.quote(str(self._path))}"
            return StateError(
                f"{failed}. What this run knows (serial {state.serial}) is in {candidate}",
                code="state_not_saved",
                hint=f"make room or repair the cause, then: {command}",
            )
        return StateError(
            f"{failed}, and no rescue file could be written in {self._path.parent} or {elsewhere}. "
            f"The state still holds serial {state.serial - 1}",
            code="state_not_saved",
            hint="make room or repair the cause, then run the command again; it looks at what really happened",
        )

    def _unreadable(self, reason: str, hint: str | None = None) -> StateUnreadable:
        backup = f"the previous serial stands in {self._backup}" if find_signature(self._backup) else None
        hints = "; ".join(part for part in (hint, backup) if part)
        return StateUnreadable(f"the state {self._path} can't be read: {reason}", hint=hints or None)


class _Undurable(FileSystem):
    """The same calls, without waiting for the disk: a rescue that may not survive a power cut beats none."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files

    def create(self, path: Path, mode: int = PRIVATE) -> int:
        return self._files.create(path, mode)

    def write(self, descriptor: int, data: bytes) -> int:
        return self._files.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            self._files.fsync(descriptor)
