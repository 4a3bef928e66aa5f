"""All documents of a project, each put together with the base it extends.

Owns what `extends` means: which file it names, that a base is not loaded for itself, the refusal of circles and of
chains and copies without end. How two documents become one is `merging.py`; what they say, nobody here knows.

    read every manifest ─> read what they extend ─> circles ─> each document over its bases
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from statetool.errors import Diagnostic, SourceMark
from statetool.manifest.files import ManifestFile, find_base, read_file
from statetool.manifest.merging import merge, settle
from statetool.manifest.nodes import Document, Entry, Mapping, Node, Scalar
from statetool.manifest.structure import load_rules
from statetool.manifest.yaml_reader import read_yaml

EXTENDS = "extends"
MAX_TOTAL_BYTES = 64 * 1024 * 1024
"""Of all manifests together, which are held until it is known which of them are bases: a million components."""
MAX_BASES = 16
"""How many bases one document may stand on, one on the other."""
MAX_INHERITED_NODES = 1_000_000
"""Nodes that all documents together may take from their bases: far above honest use, as with aliases."""

_LOOKS_LIKE_EXTENDS = re.compile(rb"^extends:[ ]+[\"']?([^\s\"'#\0]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Expanded:
    """One document to be built. `may_refer`: whether its text may hold a `$`, its bases' included."""

    document: Document
    may_refer: bool


@dataclass(slots=True, eq=False)
class _Layer:
    """One document as it stands in its file. `above` is the file it extends, None where that is unknown."""

    document: Document
    extends: Entry | None
    above: _File | None = None


@dataclass(slots=True, eq=False)
class _File:
    """`data` is what was not parsed yet."""

    source: ManifestFile
    data: bytes | None
    layers: list[_Layer] = field(default_factory=list)
    complete: bool = True
    may_refer: bool = False
    is_base: bool = False
    is_broken: bool = False
    merged: Mapping | None = None
    """As a base, over its own bases; made when first needed."""
    size: int = 0


class Library:
    """The manifests of a project in `root`, and the bases that they extend.

    All but `documents` is known once that has been gone through. `complete` is false where a component may be
    described that is not among the documents. `written` are all documents with a `$` as they stand in their files,
    bases included; `files` the names shown of all files read.
    """

    def __init__(
        self,
        root: Path,
        sources: Sequence[ManifestFile],
        *,
        most_inherited: int = MAX_INHERITED_NODES,
        most_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.complete = True
        self.written: list[Document] = []
        self._root = root
        self._by_path: dict[str, _File] = {}
        self._inherited = self._bytes = 0
        self._most_inherited = most_inherited
        self._most_bytes = most_bytes
        self._found = [self._read(source) for source in sources]

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(sorted({file.source.shown for file in (*self._found, *self._by_path.values())}))

    def documents(self) -> Iterator[Expanded]:
        """Every document, over its bases. What extends nothing is parsed here, so that only one at a time is held."""
        extending = [file for file in self._found if file.data is not None and _may_extend(file.data)]
        if extending:
            self._by_path = {os.path.realpath(file.source.path): file for file in self._found}
            self._find_bases(extending)
            self._refuse_circles()
        for file in self._found:
            if not file.is_base:
                self._parse(file)
                yield from filter(None, (self._expand(file, layer) for layer in file.layers))
                file.layers = []

    def _note(self, code: str, message: str, hint: str | None, mark: SourceMark) -> None:
        self.diagnostics.append(Diagnostic(code, message, hint, mark))

    def _read(self, source: ManifestFile, user: Node | None = None) -> _File:
        """`user` is the value that names the file, where it was not found in a folder."""
        if self._bytes <= self._most_bytes:
            data = read_file(source)
            if not isinstance(data, Diagnostic):
                self._bytes += len(data)
                if self._bytes > self._most_bytes:
                    self._note_too_much(source)
                return _File(source, data)
            self.diagnostics.append(replace(data, mark=user.mark) if user else data)
        self.complete = False
        return _File(source, None, complete=False, is_broken=True)

    def _note_too_much(self, source: ManifestFile) -> None:
        self._note(
            "project_too_large",
            f"manifests of more than {self._most_bytes // 1024**2} MiB: what follows {source.shown} is not read",
            "name fewer folders under `manifests` in statetool.yaml, or split the project",
            SourceMark(source.shown, 1, 1),
        )

    def _parse(self, file: _File) -> None:
        """Does nothing the second time."""
        if file.data is None:
            return
        result = read_yaml(file.data, file.source.shown)
        self.diagnostics.extend(result.diagnostics)
        self.complete = self.complete and result.complete
        file.layers = [_layer(document) for document in result.documents]
        file.complete = result.complete
        # An escape such as "\\x24" is the one other way to write a `$`.
        file.may_refer = b"$" in file.data or b"\\" in file.data
        if file.may_refer:
            self.written.extend(result.documents)
        file.data = None

    def _find_bases(self, files: Iterable[_File]) -> None:
        queue = deque(files)
        seen: set[_File] = set()
        while queue:
            file = queue.popleft()
            if file in seen:
                continue
            seen.add(file)
            data = file.data or b""
            self._parse(file)
            for layer in file.layers:
                if layer.extends is not None:
                    self._find_base(file, layer, layer.extends.node, queue)
            if not file.complete:
                self._spare_bases(file, data)

    def _spare_bases(self, file: _File, data: bytes) -> None:
        """What a file that can't be read extends is a base as well, and gets no complaint for not being complete."""
        for written in _LOOKS_LIKE_EXTENDS.findall(data):
            base = find_base(self._root, file.source, written.decode("utf-8", "replace"))
            if isinstance(base, ManifestFile) and str(base.path) in self._by_path:
                self._by_path[str(base.path)].is_base = True

    def _find_base(self, file: _File, layer: _Layer, node: Node, queue: deque[_File]) -> None:
        """Connect a document with the file it extends, which may have to be read and looked through itself."""
        problems = load_rules("manifest", EXTENDS).check(node)
        for problem in problems:
            self._note(problem.code, problem.before + EXTENDS + problem.after, problem.hint, node.mark)
        if problems or not isinstance(node, Scalar) or node.refused:
            return
        if "${" in node.raw:
            self._note(
                "variable_in_extends",
                "extends can't hold a variable: which files are read is said by the files alone",
                "write the path of one base; several environments are several files",
                node.mark,
            )
            return
        found = find_base(self._root, file.source, node.raw)
        if isinstance(found, Diagnostic):
            self._note(found.code, found.message, found.hint, node.mark)
            return
        base = self._by_path.get(str(found.path))
        if base is None:
            base = self._by_path[str(found.path)] = self._read(found, node)
        queue.append(base)
        base.is_base = True
        layer.above = base
        self._parse(base)
        self._check_base(base, node)

    def _check_base(self, base: _File, user: Node) -> None:
        """That it is one document, and a map. What is wrong with the text of a file was noted when it was read."""
        if base.is_broken or not base.complete:
            base.is_broken = True
        elif not base.layers:
            base.is_broken = True
            message = f"{base.source.shown} holds no document that could be extended"
            self._note("empty_base", message, "write what all environments share, or remove extends", user.mark)
        elif len(base.layers) > 1:
            base.is_broken = True
            message = f"{base.source.shown} is extended at {user.mark}, but holds more than one document"
            mark = base.layers[1].document.root.mark
            self._note("several_documents", message, "write one document in a file that others extend", mark)
        elif not isinstance(base.layers[0].document.root, Mapping):
            # Its text is not shown: it may be any file of the project.
            base.is_broken = True
            message = f"{base.source.shown} is extended at {user.mark}, but is no map"
            mark = base.layers[0].document.root.mark
            self._note("wrong_type", message, "write it like any manifest: application, components", mark)

    def _refuse_circles(self) -> None:
        """Every file has one way to go at most, so that each is walked once. What leads into a circle is broken too."""
        walked: set[_File] = set()
        for start in sorted(self._by_path.values(), key=lambda file: file.source.shown):
            path: dict[_File, int] = {}
            file: _File | None = start
            while file is not None and file not in walked and file not in path:
                path[file] = len(path)
                file = _above(file)
            if file is not None and file in path:
                self._note_circle(list(path)[path[file] :])
            walked.update(path)

    def _note_circle(self, circle: list[_File]) -> None:
        for file in circle:
            file.is_broken = True
        first = circle.index(min(circle, key=lambda file: file.source.shown))
        circle = circle[first:] + circle[:first]
        steps = [f"{_above_of(file).source.shown} ({_place(file)})" for file in circle]
        self._note(
            "extends_cycle",
            f"extends goes round in a circle: {circle[0].source.shown} -> {' -> '.join(steps)}",
            "remove one of them: a base must not stand on what is built on it",
            _place(circle[0]),
        )

    def _expand(self, file: _File, layer: _Layer) -> Expanded | None:
        if layer.extends is None:
            return Expanded(layer.document, file.may_refer)
        bases = self._bases_of(layer, layer.extends.node)
        if bases is None:
            self.complete = False
            return None
        base = _merge_bases(bases)
        before = self._inherited
        self._inherited += bases[0].size
        if self._inherited > self._most_inherited:
            if before <= self._most_inherited:
                self._note(
                    "extends_limit",
                    f"bases add more than {self._most_inherited} values to this project",
                    "extend smaller bases, or split the project",
                    layer.extends.node.mark,
                )
            self.complete = False
            return None
        root = settle(merge(base, _without_extends(layer)))
        may_refer = file.may_refer or any(base.may_refer for base in bases)
        return Expanded(Document(layer.document.file, root, bases[0].source.shown), may_refer)

    def _bases_of(self, layer: _Layer, user: Node) -> list[_File] | None:
        """The bases of a document, nearest first; None where there is no way to the last, which was said."""
        bases: list[_File] = []
        while layer.extends is not None:
            if layer.above is None or layer.above.is_broken:
                return None
            bases.append(layer.above)
            if len(bases) > MAX_BASES:
                self._note(
                    "extends_too_deep",
                    f"more than {MAX_BASES} bases stand one on the other",
                    "extend one of the last bases directly",
                    user.mark,
                )
                return None
            layer = layer.above.layers[0]
        return bases


def _layer(document: Document) -> _Layer:
    root = document.root
    return _Layer(document, root.entries.get(EXTENDS) if isinstance(root, Mapping) else None)


def _may_extend(data: bytes) -> bool:
    """An escape is the one other way to write the key."""
    return b"extends" in data or b"\\" in data


def _above(file: _File) -> _File | None:
    """What a file of one document extends. A file of several is no base, so that no circle goes through it."""
    return file.layers[0].above if len(file.layers) == 1 else None


def _above_of(file: _File) -> _File:
    above = _above(file)
    assert above is not None
    return above


def _place(file: _File) -> SourceMark:
    extends = file.layers[0].extends
    assert extends is not None
    return extends.node.mark


def _without_extends(layer: _Layer) -> Mapping:
    root = layer.document.root
    assert isinstance(root, Mapping)
    entries = {key: entry for key, entry in root.entries.items() if key != EXTENDS}
    return Mapping(entries, root.file, root.line, root.column)


def _merge_bases(bases: Sequence[_File]) -> Mapping:
    """All bases of a document as one map, from the last to the nearest; kept, for others stand on them too."""
    merged: Mapping | None = None
    for base in reversed(bases):
        if base.merged is None:
            own = _without_extends(base.layers[0])
            base.merged = merge(merged, own) if merged is not None else own
            base.size = _count(base.merged)
        merged = base.merged
    assert merged is not None
    return merged


def _count(root: Node) -> int:
    """Nodes under it, aliases written out."""
    number, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        number += 1
        if isinstance(node, Mapping):
            waiting.extend(entry.node for entry in node.entries.values())
        elif not isinstance(node, Scalar):
            waiting.extend(node.items)
    return number
