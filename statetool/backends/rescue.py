"""Rescue files: where the state of a run goes when it could not be saved, so that nothing it knows is lost.

Owns their names, places and ends. A rescue is pending until the state reaches its serial: until then no run may begin,
but one that repairs. The journal needs no rescue of its own: an entry that could not be added leaves its operation
open, as a crash in that instant would, and the next run finds out how it ended; and what the run already knows of it
is in the state that is rescued here. It must not know where the state itself is kept.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
from pathlib import Path

from statetool.backends.files import (
    PRIVATE,
    FileSystem,
    discard,
    explain,
    read_file,
    remove_temporaries,
    temporary_file,
    temporary_name,
)
from statetool.backends.state_text import MAX_BYTES, StateText, parse_state
from statetool.core.state import StateFile
from statetool.errors import StateError, StateUnreadable

_SUFFIX = re.compile(r"\.rescue-([0-9]{1,18})")


class Rescue:
    """The rescue files of one state: `NAME.rescue-SERIAL` in `folder` of this machine, made if need be.

    `elsewhere` takes them where `folder` can't; the system's temporary folder by default. Only for the lock's holder,
    but for `ensure_none_pending`.
    """

    def __init__(self, folder: Path, name: str, files: FileSystem, elsewhere: Path | None = None) -> None:
        self._folder = folder
        self._name = name
        self._files = files
        self._elsewhere = elsewhere
        self._text = StateText()
        self._written: Path | None = None
        self._found: list[tuple[int, Path]] = []

    @property
    def has_begun(self) -> bool:
        """Whether a save of this run failed. A person was told of the file, so what the run still learns goes there."""
        return self._written is not None

    def begin(self, stored: StateFile | None, location: str, *, repairing: bool) -> None:
        """The lock was taken. Raises what `ensure_none_pending` raises, unless somebody is repairing."""
        self._written = None
        remove_temporaries(self._folder / self._name, r"rescue-[0-9]+")
        self._found = self._find(stored)
        if not repairing:
            self._ensure_none_pending(self._found, stored, location)

    def ensure_none_pending(self, stored: StateFile | None, location: str) -> None:
        """Raises StateError `rescue_pending` with both ways out; `state_folder` where the folder can't be looked into.

        Asked with every lock and so before every write: while the lock is held nobody else can leave one.
        """
        self._ensure_none_pending(self._find(stored), stored, location)

    def keep(self, state: StateFile, location: str, reason: str) -> StateError:
        """Put a state that could not be saved somewhere else; the error that says where, and what repairs it."""
        failed = f"the state {location} could not be saved: {reason}"
        data = self._text.render(state)
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for candidate in self._candidates(state.serial):
            try:
                with temporary_file(_Undurable(self._files), candidate, data) as temporary:
                    self._files.replace(temporary, candidate)
            except OSError:
                continue
            if self._written is not None and self._written != candidate:
                discard(self._written)  # older by now, and nobody must take it for the last word
            self._written = candidate
            return StateError(
                f"{failed}. What this run knows (serial {state.serial}) is in {candidate}",
                code="state_not_saved",
                hint=f"make room or repair the cause, then: {_push(candidate)}",
            )
        if self._written is not None:
            kept, hint = f"What this run knew before is in {self._written}", f"{_push(self._written)}, and apply again"
        else:
            kept, hint = "The stored state is the one before", "run the command again"
        return StateError(
            f"{failed}, and no rescue file could be written in {self._folder} or {self._other_folder}. {kept}",
            code="state_not_saved",
            hint=f"make room or repair the cause, then: {hint}; it looks at what really happened",
        )

    def remove_answered(self, *states: StateFile | None) -> None:
        """After a save: the rescues whose content was, or is now, in the state."""
        if not self._found:
            return
        known = [state for state in states if state is not None]
        for _, path in self._found:
            rescued = _load(path)
            if rescued is not None and any(rescued.holds_the_same_as(state) for state in known):
                discard(path)
        self._found = [(serial, path) for serial, path in self._found if os.path.lexists(path)]

    @property
    def _other_folder(self) -> Path:
        return self._elsewhere or Path(tempfile.gettempdir())

    def _candidates(self, serial: int) -> list[Path]:
        here = self._folder / f"{self._name}.rescue-{serial}"
        # A folder of everybody: a name nobody can guess and take first.
        there = temporary_name(self._other_folder / f"statetool-{self._name}.rescue-{serial}")
        mine = [self._written] if self._written is not None else []
        # Whoever repairs may fail too, but not at the cost of what is to be repaired.
        return [*mine, *([] if os.path.lexists(here) else [here]), there]

    def _ensure_none_pending(self, found: list[tuple[int, Path]], stored: StateFile | None, location: str) -> None:
        newest = max(found, default=None)
        if newest is None or (stored is not None and newest[0] <= stored.serial):
            return
        serial, path = newest
        raise StateError(
            f"an earlier run could not save its state: {path} holds serial {serial}, {location} "
            + (f"serial {stored.serial}" if stored else "does not exist"),
            code="rescue_pending",
            hint=f"take it over: {_push(path)} - or, where it is not wanted: rm {shlex.quote(str(path))}",
        )

    def _find(self, stored: StateFile | None) -> list[tuple[int, Path]]:
        """Every rescue of this state, with its serial."""
        entries: list[Path] = []
        try:
            entries += self._folder.iterdir()
        except FileNotFoundError:
            pass  # nobody ever had to keep anything there
        except OSError as error:
            raise StateError(
                f"can't look into the folder {self._folder} of the state: {explain(error)}", code="state_folder"
            ) from None
        name = re.compile(re.escape(self._name) + _SUFFIX.pattern)
        found = [(int(match[1]), entry) for entry in entries if (match := name.fullmatch(entry.name))]
        return [*(one for one in found if not _is_foreign(one[1], stored)), *self._find_elsewhere(stored)]

    def _find_elsewhere(self, stored: StateFile | None) -> list[tuple[int, Path]]:
        """Rescues of this very state where a full disk sent them. Others have theirs there too: the lineage tells."""
        found: list[tuple[int, Path]] = []
        prefix = re.escape(f"statetool-{self._name}")
        name = re.compile(prefix + _SUFFIX.pattern + r"\.tmp-[0-9a-f]+")
        with contextlib.suppress(OSError):
            for entry in self._other_folder.iterdir():
                match = name.fullmatch(entry.name)
                rescued = _load(entry) if match and stored is not None else None
                if match and rescued is not None and stored is not None and rescued.lineage == stored.lineage:
                    found.append((int(match[1]), entry))
        return found


def _push(path: Path) -> str:
    return f"statetool state push {shlex.quote(str(path))}"


def _is_foreign(path: Path, stored: StateFile | None) -> bool:
    """Whether it is of another state: one folder may serve several places, one after the other."""
    rescued = _load(path) if stored is not None else None
    return rescued is not None and stored is not None and rescued.lineage != stored.lineage


def _load(path: Path) -> StateFile | None:
    try:
        return parse_state(read_file(path, MAX_BYTES)[0])
    except (OSError, StateUnreadable):
        return None


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
