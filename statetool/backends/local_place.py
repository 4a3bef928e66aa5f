"""The place of a local state, looked at without touching it.

Owns what can be said beforehand of a folder and of files: whether a save could work, and who else may read them.
It must not know what is in them.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from statetool.backends.files import explain
from statetool.errors import Diagnostic

_OTHERS = 0o077
_OTHER_PLACE = "set state.path in statetool.yaml to a place that can be written"


def check_place(
    path: Path, kept: Iterable[Path], *, may: Callable[[Path, int], bool] = os.access
) -> tuple[Diagnostic, ...]:
    """What would stop a save at `path`; and of the files in `kept`, those that others may read.

    `may` says whether this user has the rights of a mode, as `os.access` does.
    """
    return (*_check_folder(path.parent, may), *_check_modes(kept))


def _check_folder(folder: Path, may: Callable[[Path, int], bool]) -> Iterator[Diagnostic]:
    """A folder that is missing is made by the first save: then its nearest parent counts."""
    nearest = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)
    if not nearest.is_dir():
        yield Diagnostic(
            "state_folder",
            f"the state can't be saved in {folder}: {nearest} is not a folder",
            f"move {nearest} away, or {_OTHER_PLACE}",
        )
    elif not may(nearest, os.W_OK | os.X_OK):
        yield Diagnostic(
            "state_folder",
            f"the state can't be saved in {folder}: this user may not write {nearest}",
            f"give this user the right to write there, or {_OTHER_PLACE}",
        )


def _check_modes(paths: Iterable[Path]) -> Iterator[Diagnostic]:
    for path in paths:
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            yield Diagnostic("state_folder", f"can't look at {path}: {explain(error)}", _OTHER_PLACE)
            continue
        if stat.S_ISREG(found.st_mode) and found.st_mode & _OTHERS:
            yield Diagnostic(
                "state_open",
                f"{path} is open to other users of this machine (mode {stat.S_IMODE(found.st_mode):04o})",
                f"chmod 600 {shlex.quote(str(path))}",
                severity="warning",
            )
