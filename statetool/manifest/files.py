"""Which files are manifests, and their bytes.

Owns finding, order, names shown and the rule that manifests stay inside the project folder (a link in a pull
request must not make the tool read other files of the machine). It must not know what is in a file.
"""

from __future__ import annotations

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
        self.diagnostics.append(
            Diagnostic(
                "outside_project",
                f"{self._shown(path)} lies outside the project folder {self.root}",
                "manifests are read only from inside the folder of statetool.yaml; move or copy them there",
            )
        )
        return False

    def _shown(self, path: Path) -> str:
        relative = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        # A name that is not UTF-8 must not break the output it is printed to.
        return os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")


def _unreadable(shown: str, reason: str) -> Diagnostic:
    return Diagnostic("unreadable_file", f"{shown} can't be read: {reason}", "check the file and its permissions")
