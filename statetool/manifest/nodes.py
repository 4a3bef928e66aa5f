"""The tree a YAML file becomes: plain values that remember where they were written.

Owns the node types only. Lines and columns count from 1; every node names its file, for a document may be put
together from several. Nodes are shared where YAML aliases are, so nobody may change one after it was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from statetool.core.model import VariableOrigin
from statetool.errors import SourceMark

ScalarValue: TypeAlias = "bool | int | float | str | None"


@dataclass(frozen=True, slots=True)
class Substituted:
    """What stands in the file where a value was put together from variables; these are in the order of the text."""

    written: str
    variables: tuple[VariableOrigin, ...]


class _Placed:
    """What has a place in a file."""

    __slots__ = ()
    file: str
    line: int
    column: int

    @property
    def mark(self) -> SourceMark:
        return SourceMark(self.file, self.line, self.column)


@dataclass(slots=True, eq=False)
class Scalar(_Placed):
    """One value. `raw` is the text as written, without quotes; `quoted` is true for every style but the plain one.

    `refused` is true where the reader complained of it: nobody need complain again. Where variables were put in,
    `value` and `raw` are what came of it, and `substituted` says so: such a value is never shown in an error.
    """

    value: ScalarValue
    raw: str
    quoted: bool
    file: str
    line: int
    column: int
    refused: bool = False
    substituted: Substituted | None = None


@dataclass(slots=True, eq=False)
class Mapping(_Placed):
    """A map. Keys are always text, whatever they look like; the first of a repeated key is kept."""

    entries: dict[str, Entry]
    file: str
    line: int
    column: int


@dataclass(slots=True, eq=False)
class Sequence(_Placed):
    items: list[Node]
    file: str
    line: int
    column: int


Node: TypeAlias = "Scalar | Mapping | Sequence"


class Entry(NamedTuple):
    """A value of a map and the place of its key."""

    file: str
    line: int
    column: int
    node: Node

    @property
    def mark(self) -> SourceMark:
        return SourceMark(self.file, self.line, self.column)


@dataclass(slots=True, eq=False)
class Document:
    """One non-empty document of a file. `file` is the name shown to people; `base` that of the file it extends."""

    file: str
    root: Node
    base: str | None = None


def is_null(node: Node) -> bool:
    """Whether nothing is written there; what the reader refused is something."""
    return isinstance(node, Scalar) and node.value is None and not node.refused


def plain_value(node: Node) -> object:
    """The node as dict, list and scalars, for whoever needs no places."""
    if isinstance(node, Mapping):
        return {key: plain_value(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain_value(item) for item in node.items]
    return node.value
