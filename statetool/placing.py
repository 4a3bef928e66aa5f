"""Written manifests as files: which file takes them, and how they get there.

Owns the rules that no byte a person wrote is ever changed, that nothing is written outside the project or through a
symbolic link, and that a file is there whole or not at all. It must not know what a manifest says.

    manifests/shop.yaml            taken where nothing stands there, or where an earlier import wrote it
    manifests/shop.imported.yaml   taken where shop.yaml is somebody's own
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from statetool.backends.files import (
    FileSystem,
    Signature,
    explain,
    find_signature,
    read_file,
    rename_to_nothing,
    temporary_file,
)
from statetool.errors import StatetoolError
from statetool.manifest.encoding import MAX_FILE_BYTES

MARK = "Written by `statetool import`"
"""How the first comment of a file begins that an import wrote, and may therefore add documents to."""

_MARKED = f"# {MARK}".encode()
_SUFFIXES = (".yaml", ".yml")
_LONGEST_NAME = 64
_NEW_FILE_MODE = 0o666
"""As an editor would make it: the umask takes away what is not wanted. Manifests hold no secret."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file that takes documents. `before` is what stands there, None where nothing does.

    `shown` is the path relative to the project folder, with `/`.
    """

    path: Path
    shown: str
    before: bytes | None = None
    signature: Signature | None = None


def find_folder(root: Path, locations: Sequence[Path]) -> Path:
    """The folder that written manifests go to: the first of `manifests:` that is one, or can become one.

    Raises StatetoolError where there is none, or where it can't be trusted.
    """
    for location in locations:
        if location.is_dir() or (not os.path.lexists(location) and location.suffix not in _SUFFIXES):
            _ensure_inside(root, location)
            return location
    raise StatetoolError(
        "statetool.yaml names no folder for manifests, only files",
        code="no_manifest_folder",
        hint="add a folder to manifests: in statetool.yaml, such as manifests/",
    )


def choose_place(root: Path, folder: Path, application: str) -> Place:
    """The file for an application's documents. Raises StatetoolError where both possible ones are taken."""
    stem = _stem(application)
    for name in (f"{stem}.yaml", f"{stem}.imported.yaml"):
        path = folder / name
        shown = path.relative_to(root).as_posix()
        if not os.path.lexists(path):
            return Place(path, shown)
        found = _read_own(path)
        if found is not None:
            return Place(path, shown, *found)
    raise StatetoolError(
        f"{shown} is no file that an import wrote, and nothing is written over it",
        code="foreign_manifest",
        hint=f"rename it: the components of {application} that no manifest describes yet are to go there",
    )


def place(root: Path, target: Place, data: bytes, *, files: FileSystem | None = None) -> None:
    """Make `data` the content of the file: whole and durable, and only where it still is as it was chosen.

    Raises StatetoolError; then what stood there still stands there.
    """
    files = files or FileSystem()
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        # Again: the folder may have been made, or changed, since it was chosen.
        _ensure_inside(root, target.path.parent)
        with temporary_file(files, target.path, data, mode=_NEW_FILE_MODE) as temporary:
            if target.signature is None:
                rename_to_nothing(files, temporary, target.path)
            else:
                temporary.chmod(stat.S_IMODE(target.path.lstat().st_mode))
                if find_signature(target.path) != target.signature:
                    raise FileExistsError
                files.replace(temporary, target.path)
        files.sync_folder(target.path.parent)
    except FileExistsError:
        raise StatetoolError(
            f"{target.shown} was changed by somebody else meanwhile; it is left as it is",
            code="manifest_moved",
            hint="import again",
        ) from None
    except OSError as error:
        raise StatetoolError(f"{target.shown} can't be written: {explain(error)}", code="import_failed") from None


def _ensure_inside(root: Path, folder: Path) -> None:
    """Refuse a folder outside the project, and one that a symbolic link leads to. Raises StatetoolError."""
    root, folder = Path(os.path.normpath(root)), Path(os.path.normpath(folder))
    if not folder.is_relative_to(root):
        raise StatetoolError(
            f"{folder} lies outside the project folder {root}: no manifest is written there",
            code="outside_project",
            hint="name a folder inside it first in manifests: of statetool.yaml",
        )
    for part in (folder, *folder.parents):
        if part == root:
            return
        if part.is_symlink():
            raise StatetoolError(
                f"{part.relative_to(root).as_posix()} is a symbolic link: no manifest is written through it",
                code="linked_folder",
                hint="name a real folder first in manifests: of statetool.yaml",
            )


def _read_own(path: Path) -> tuple[bytes, Signature] | None:
    """What stands in a file that an import wrote; None for any other thing."""
    try:
        data, signature = read_file(path, MAX_FILE_BYTES)
    except OSError:
        return None
    return (data, signature) if data.startswith(_MARKED) else None


def _stem(application: str) -> str:
    """The application's name as far as it can be a file's: no separators, nothing hidden, nothing endless."""
    kept = "".join(char if char.isalnum() or char in "-_." else "_" for char in application[:_LONGEST_NAME])
    return kept if kept[:1].isalnum() else f"_{kept[1:]}"
