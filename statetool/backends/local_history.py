"""Earlier serials of a local state: second names of its former files, in a folder beside it.

Owns that folder, its names and how many stay. A name holds the serial and a mark of the lineage, for a state that is
made anew counts from 1 again. What goes wrong here never stops a save. It must not know how a state is saved.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

from statetool.backends import StoredSerial
from statetool.backends.files import (
    FileSystem,
    discard,
    explain,
    find_signature,
    keep_previous,
    read_file,
)
from statetool.backends.state_text import MAX_BYTES, parse_state
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, StateError, StateUnreadable

KEPT = 10
"""Beside the stored one."""

_NAME = re.compile(r"([0-9]{1,18})-([0-9a-f]{8})\.json")
_LEFT = re.compile(_NAME.pattern + r"\.tmp-[0-9a-f]{16}")


class LocalHistory:
    """The earlier serials of the state at `path`."""

    def __init__(self, path: Path, files: FileSystem) -> None:
        self._path = path
        self.folder = path.with_name(f"{path.name}.history")
        self._files = files

    def check(self) -> tuple[Diagnostic, ...]:
        """What stands where the folder should, and is none."""
        try:
            mode = self.folder.lstat().st_mode
        except OSError:
            return ()
        if stat.S_ISDIR(mode):
            return ()
        what = "a symbolic link, which is refused" if stat.S_ISLNK(mode) else "not a folder"
        return (
            Diagnostic(
                "state_folder",
                f"the history of the state can't be kept: {self.folder} is {what}",
                f"move {self.folder} away",
            ),
        )

    def ensure_usable(self) -> None:
        """Raises StateError. Asked before a run begins, for its saves go on without a history."""
        for found in self.check():
            raise StateError(found.message, code=found.code, hint=found.hint)

    def clean(self) -> None:
        """Remove what killed writers left. Under the lock."""
        if self.check():
            return
        with contextlib.suppress(OSError):
            for entry in list(self.folder.iterdir()):
                if _LEFT.fullmatch(entry.name):
                    discard(entry)

    def keep(self, stored: StateFile) -> None:
        """Give the file of the stored state a second name here; it is about to be replaced. The oldest ones go."""
        with contextlib.suppress(OSError):
            if self.check():
                return
            self.folder.mkdir(mode=0o700, exist_ok=True)
            keep_previous(self._files, self._path, self._path_of(stored.lineage, stored.serial))
            self._files.sync_folder(self.folder)
            for serial in self._serials(stored.lineage, stored.serial)[KEPT:]:
                discard(self._path_of(stored.lineage, serial))

    def read(self, stored: StateFile) -> tuple[StoredSerial, ...]:
        """What can be read, the stored one first."""
        earlier = [
            StoredSerial(serial, _written_at(self._path_of(stored.lineage, serial)))
            for serial in self._serials(stored.lineage, stored.serial - 1)
        ]
        return (StoredSerial(stored.serial, _written_at(self._path)), *earlier)

    def read_serial(self, stored: StateFile | None, serial: int) -> StateFile:
        """Raises StateError `no_such_serial`, StateUnreadable."""
        if stored is not None and stored.serial == serial:
            return stored
        # Higher ones are of a future that somebody took back.
        if stored is None or not 0 < serial < stored.serial or self.check():
            raise self._missing(serial)
        path = self._path_of(stored.lineage, serial)
        try:
            state = parse_state(read_file(path, MAX_BYTES)[0])
        except FileNotFoundError:
            raise self._missing(serial) from None
        except OSError as error:
            raise StateUnreadable(f"serial {serial} of the state, {path}, can't be read: {explain(error)}") from None
        except StateUnreadable as error:
            raise StateUnreadable(
                f"serial {serial} of the state, {path}, can't be read: {error.message}", hint=error.hint
            ) from None
        if (state.lineage, state.serial) != (stored.lineage, serial):
            raise StateUnreadable(f"{path} holds serial {state.serial} of lineage {state.lineage}, not serial {serial}")
        return state

    def _missing(self, serial: int) -> StateError:
        return StateError(
            f"serial {serial} of the state {self._path} is not kept",
            code="no_such_serial",
            hint="`statetool state history` lists the serials that are",
        )

    def _serials(self, lineage: str, newest: int) -> list[int]:
        """The serials of a lineage that have a file, from `newest` down."""
        found: list[int] = []
        if self.check():
            return found
        with contextlib.suppress(OSError):
            for entry in self.folder.iterdir():
                match = _NAME.fullmatch(entry.name)
                if match and match[2] == _mark(lineage) and int(match[1]) <= newest and find_signature(entry):
                    found.append(int(match[1]))
        return sorted(found, reverse=True)

    def _path_of(self, lineage: str, serial: int) -> Path:
        return self.folder / f"{serial}-{_mark(lineage)}.json"


def _mark(lineage: str) -> str:
    return hashlib.sha256(lineage.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _written_at(path: Path) -> str | None:
    try:
        return datetime.fromtimestamp(os.lstat(path).st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OSError, ValueError, OverflowError):  # some file systems keep years that no calendar has
        return None
