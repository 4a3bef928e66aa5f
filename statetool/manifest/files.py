"""Which files are manifests, and their bytes.

Owns finding, order, names shown and the rule that manifests and what they extend stay inside the project folder (a
link in a pull request must not make the tool read other files of the machine). It must not know what is in a file.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from statetool.errors import Diagnostic
from statetool.manifest.encoding import MAX_FILE_BYTES

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """`shown` is the path relative to the project folder, with `/`."""

    path: Path
    shown: str


def find_files(root: Path, locations: Sequence[Path]) -> tuple[list[ManifestFile], list[Diagnostic]]:
    """All manifests of the locations, sorted by name shown, each once; and what is wrong with the locations.

    Relative locations are relative to `root`. A location that is a file is taken whatever its ending.
    """
    finder = _Finder(root)
    for location in locations:
        finder.add_location(finder.root / location)
    return sorted(finder.files.values(), key=lambda file: file.shown), finder.diagnostics


def find_base(root: Path, user: ManifestFile, written: str) -> ManifestFile | Diagnostic:
    """The file that `user` extends, from the path written there; a diagnostic without a place where it may not.

    The path is relative to the file itself, not to a link that leads to it: which of several ways to a file is taken
    must make no difference.
    """
    real_root = Path(os.path.realpath(root))
    path = Path(os.path.realpath(Path(os.path.realpath(user.path)).parent / written))
    if not path.is_relative_to(real_root):
        return _outside(written, root)
    if path.suffix not in _SUFFIXES:
        return Diagnostic(
            "not_a_manifest",
            f"{written} is no manifest: its name does not end in .yaml or .yml",
            "extend a *.yaml or *.yml file; nothing else is read",
        )
    if not os.path.lexists(path):
        return Diagnostic("base_not_found", f"there is no {_show(path, real_root)}", _near_files(path, user))
    return ManifestFile(path, _show(path, real_root))


def read_file(file: ManifestFile) -> bytes | Diagnostic:
    """The bytes of a file, one more than allowed at most; a diagnostic where it can't be read."""
    try:
        # Without O_NONBLOCK the mere opening of a named pipe would wait for ever.
        descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return _unreadable(file.shown, "it is not a regular file")
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        return _unreadable(file.shown, exc.strerror or type(exc).__name__)


class _Finder:
    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.normpath(root))
        self.real_root = Path(os.path.realpath(root))
        self.files: dict[str, ManifestFile] = {}
        self.folders: set[str] = set()
        self.diagnostics: list[Diagnostic] = []

    def add_location(self, path: Path) -> None:
        path = Path(os.path.normpath(path))
        if not self._is_inside(path):
            return
        if path.is_dir():
            self._add_folder(path)
        elif os.path.lexists(path):
            self._add_file(path)
        else:
            self.diagnostics.append(
                Diagnostic(
                    "manifests_not_found",
                    f"there is no {self._shown(path)} in {self.root}",
                    "create it, or correct `manifests` in statetool.yaml",
                )
            )

    def _add_folder(self, path: Path) -> None:
        real = os.path.realpath(path)
        if real in self.folders:
            return  # met before, or a link that leads back to a folder above
        self.folders.add(real)
        try:
            children = sorted(path.iterdir())
        except OSError as exc:
            self.diagnostics.append(_unreadable(self._shown(path), exc.strerror or type(exc).__name__))
            return
        for child in children:
            if child.name.startswith("."):
                continue
            if child.is_dir():
                if self._is_inside(child):
                    self._add_folder(child)
            elif child.suffix in _SUFFIXES and self._is_inside(child):
                self._add_file(child)

    def _add_file(self, path: Path) -> None:
        self.files.setdefault(os.path.realpath(path), ManifestFile(path, self._shown(path)))

    def _is_inside(self, path: Path) -> bool:
        if Path(os.path.realpath(path)).is_relative_to(self.real_root):
            return True
        self.diagnostics.append(_outside(self._shown(path), self.root))
        return False

    def _shown(self, path: Path) -> str:
        return _show(path, self.root)


def _show(path: Path, root: Path) -> str:
    return _printable((path.relative_to(root) if path.is_relative_to(root) else path).as_posix())


def _printable(name: str) -> str:
    """A name that is not UTF-8 must not break the output it is printed to."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _outside(shown: str, root: Path) -> Diagnostic:
    return Diagnostic(
        "outside_project",
        f"{shown} lies outside the project folder {root}",
        "manifests are read only from inside the folder of statetool.yaml; move or copy them there",
    )


def _near_files(path: Path, user: ManifestFile) -> str:
    try:
        names = [child.name for child in path.parent.iterdir() if child.suffix in _SUFFIXES]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, sorted(names), n=1)
    hint = f"the path is relative to the folder of {user.shown}"
    return f"did you mean {_printable(near[0])}? {hint}" if near else hint


def _unreadable(shown: str, reason: str) -> Diagnostic:
    return Diagnostic("unreadable_file", f"{shown} can't be read: {reason}", "check the file and its permissions")
