"""YAML text -> documents of nodes that know their place, by our own rules for values.

Owns the YAML subset people may write: plain values are null, true/false, decimal whole numbers, decimal
fractions or text, and nothing else (no octal, sexagesimal, date, `yes` or `no`); no tags, merge keys, repeated
keys, deep nesting or exploding aliases. Uses libyaml's parser where PyYAML was built with it and the pure one
otherwise; only parser events are taken from them, so that both give the same values and our own words. It must
not know what any key means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import yaml
from yaml import events

from statetool.errors import Diagnostic, SourceMark
from statetool.manifest import syntax
from statetool.manifest.encoding import decode, name_character
from statetool.manifest.nodes import Document, Entry, Mapping, Node, Scalar, ScalarValue, Sequence

MAX_DEPTH = 64
"""Levels of maps and lists, aliases written out: whoever walks a tree may recurse."""
MAX_ALIASED_NODES = 100_000
"""Nodes one file may gain by aliases: far above honest use, far below what hurts."""
MAX_INTEGER = 2**53 - 1
"""The largest whole number every JSON reader holds exactly."""

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
_VISIBLE_SPACES = " \u3000"


class EventParser(Protocol):
    """What is used of PyYAML's loaders: their parser, never their values."""

    def get_event(self) -> Any: ...


ParserFactory = Callable[[str], EventParser]


def default_parser() -> ParserFactory:
    """libyaml's parser, ten times as fast, where PyYAML has it; else the pure one."""
    if yaml.__with_libyaml__:
        return yaml.CSafeLoader
    return yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The non-empty documents of one file and what is wrong with it.

    `complete` is false where reading had to stop: what follows the place of the error is then unknown.
    """

    documents: tuple[Document, ...]
    diagnostics: tuple[Diagnostic, ...]
    complete: bool


def read_plain(raw: str) -> ScalarValue:
    """The value of plain text: null, boolean, whole number, fraction, else the text itself.

    Raises OverflowError for a whole number that is too large to be kept exactly.
    """
    if raw in _WORDS:
        return _WORDS[raw]
    if raw[0] not in _NUMBER_STARTS:
        return raw
    if _INTEGER.fullmatch(raw):
        if len(raw) > 20 or abs(int(raw)) > MAX_INTEGER:
            raise OverflowError
        return int(raw)
    return float(raw) if _FRACTION.fullmatch(raw) else raw


def find_invisible(text: str) -> str | None:
    """The first character that nobody would see in a text, such as a line break."""
    if text.isprintable():
        return None
    for char in text:
        if not char.isprintable() and char not in _VISIBLE_SPACES and unicodedata.category(char) in _INVISIBLE:
            return char
    return None


def read_yaml(data: bytes, file: str, parser: ParserFactory | None = None) -> ReadResult:
    """Read one file. `file` is the name shown in marks. Never raises for anything a file can hold."""
    text, found = decode(data, file)
    if text is None:
        return ReadResult((), tuple(found), complete=False)
    composer = _Composer(file)
    try:
        composer.read((parser or default_parser())(text))
    except _Stopped:
        return composer.result(complete=False)
    except (yaml.YAMLError, ValueError, OverflowError) as exc:
        # The pure parser lets the errors of chr() through for an escape like "\UFFFFFFFF".
        problem = exc if isinstance(exc, yaml.YAMLError) else None
        composer.diagnostics.extend(syntax.explain(text, file, problem, composer.last_line))
        return composer.result(complete=False)
    return composer.result(complete=True)


class _Stopped(Exception):
    """Reading this file makes no sense any more; the diagnostic is already noted."""


@dataclass(slots=True)
class _Frame:
    """A collection whose end was not seen yet. `size` counts the nodes and `height` the levels under it, itself
    included, aliases expanded."""

    node: Mapping | Sequence
    anchor: str | None
    key: Node | None = None
    size: int = 1
    height: int = 1


@dataclass(slots=True)
class _Composer:
    """Builds documents from parser events, without recursion."""

    file: str
    documents: list[Document] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    stack: list[_Frame] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int, int]] = field(default_factory=dict)
    aliased: int = 0
    last_line: int = 1

    def result(self, *, complete: bool) -> ReadResult:
        return ReadResult(tuple(self.documents), tuple(self.diagnostics), complete)

    def read(self, parser: EventParser) -> None:
        while True:
            event = parser.get_event()
            kind = type(event)
            if kind is events.ScalarEvent:
                self._add_scalar(event)
            elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
                self._open(event)
            elif kind is events.MappingEndEvent or kind is events.SequenceEndEvent:
                self._close()
            elif kind is events.AliasEvent:
                self._add_alias(event)
            elif kind is events.DocumentStartEvent:
                self.anchors.clear()
            elif kind is events.StreamEndEvent:
                return

    def _mark(self, event: Any) -> SourceMark:
        return SourceMark(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _note(self, code: str, message: str, hint: str, mark: SourceMark) -> None:
        self.diagnostics.append(Diagnostic(code, message, hint, mark))

    def _stop(self, code: str, message: str, hint: str, mark: SourceMark) -> NoReturn:
        self._note(code, message, hint, mark)
        raise _Stopped

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            self._note(
                "yaml_tag",
                "a tag, the word after '!', is not read",
                "remove the tag; write text in quotes",
                self._mark(event),
            )

    def _add_scalar(self, event: Any) -> None:
        start = event.start_mark
        self.last_line = event.end_mark.line + 1
        raw: str = event.value
        quoted = bool(event.style)
        noted = len(self.diagnostics)
        if event.tag is not None:
            self._check_tag(event)
        self._check_text(raw, event, quoted)
        value = raw if quoted else self._resolve(raw, event)
        refused = len(self.diagnostics) > noted
        node = Scalar(value, raw, quoted, self.file, start.line + 1, start.column + 1, refused)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 1, 0)
        if not self.stack and raw == "" and not quoted:
            return  # an empty document
        self._add(node, 1, 0)

    def _check_text(self, raw: str, event: Any, quoted: bool) -> None:
        if not quoted and not raw.isascii():
            wide = syntax.find_full_width(raw)
            if wide is not None:
                start = self._mark(event)
                mark = start if "\n" in raw else SourceMark(self.file, start.line, start.column + wide)
                self.diagnostics.append(syntax.full_width(raw[wide], mark))
        char = find_invisible(raw)
        if char == "\n":
            self._note("line_break", "the text holds a line break", "write it in one line", self._mark(event))
        elif char is not None:
            self._note(
                "control_character",
                f"the text holds the invisible character {name_character(char)}",
                "remove it: what is read must be what reviewers see",
                self._mark(event),
            )

    def _resolve(self, raw: str, event: Any) -> ScalarValue:
        """The value of plain text."""
        try:
            return read_plain(raw)
        except OverflowError:
            self._note(
                "integer_too_large",
                "the number is too large to be kept exactly",
                "write it in quotes if it is text",
                self._mark(event),
            )
            return 0

    def _open(self, event: Any) -> None:
        self._check_depth(1, event)
        self._check_tag(event)
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        self.last_line = line
        is_map = type(event) is events.MappingStartEvent
        node = Mapping({}, self.file, line, column) if is_map else Sequence([], self.file, line, column)
        self.stack.append(_Frame(node, event.anchor))

    def _check_depth(self, height: int, event: Any) -> None:
        if len(self.stack) + height > MAX_DEPTH:
            self._stop("too_deep", f"nested more than {MAX_DEPTH} levels deep", "no file needs that", self._mark(event))

    def _close(self) -> None:
        frame = self.stack.pop()
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (frame.node, frame.size, frame.height)
        self._add(frame.node, frame.size, frame.height)

    def _add_alias(self, event: Any) -> None:
        name: str = event.anchor
        known = self.anchors.get(name)
        if any(frame.anchor == name for frame in self.stack):
            self._stop("alias_loop", f"*{name} stands inside its own anchor", "write the value out", self._mark(event))
        if known is None:
            self._stop(
                "unknown_alias",
                # Not said by its name: it may be a password that begins with *.
                "there is no anchor of this name before this place in the document",
                "write the value out, or put text that starts with * in quotes",
                self._mark(event),
            )
        node, size, height = known
        self._check_depth(height, event)
        self.aliased += size
        if self.aliased > MAX_ALIASED_NODES:
            self._stop(
                "alias_limit",
                f"aliases add more than {MAX_ALIASED_NODES} values to this file",
                "write the values out, or use `defaults`",
                self._mark(event),
            )
        self._add(node, size, height)

    def _add(self, node: Node, size: int, height: int) -> None:
        if not self.stack:
            self.documents.append(Document(self.file, node))
            return
        frame = self.stack[-1]
        frame.size += size
        if height >= frame.height:
            frame.height = height + 1
        if isinstance(frame.node, Sequence):
            frame.node.items.append(node)
        elif frame.key is None:
            frame.key = node
        else:
            self._insert(frame.node, frame.key, node)
            frame.key = None

    def _insert(self, parent: Mapping, key: Node, node: Node) -> None:
        mark = SourceMark(self.file, key.line, key.column)
        if not isinstance(key, Scalar):
            self._note("bad_key", "a key must be text, not a list or a map", "write plain text before the ':'", mark)
        elif key.refused:
            pass
        elif key.value is None:
            self._note("bad_key", "there is no key before this ':'", "write the key, or put it in quotes", mark)
        elif key.raw == "<<" and not key.quoted:
            self._note("merge_key", "the merge key << is not read", "use `defaults`, or write the values out", mark)
        elif key.raw in parent.entries:
            first = parent.entries[key.raw]
            self._note(
                "duplicate_key",
                f"the key '{key.raw}' stands twice in this map, first at {self.file}:{first.line}:{first.column}",
                "keep one of the two",
                mark,
            )
        else:
            parent.entries[key.raw] = Entry(self.file, key.line, key.column, node)
