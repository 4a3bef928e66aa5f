"""The tree a YAML file becomes: plain values that remember where they were written.

Owns the node types only. Lines and columns count from 1. Nodes are shared where YAML aliases are, so nobody
may change one after it was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

ScalarValue: TypeAlias = "bool | int | float | str | None"


@dataclass(slots=True, eq=False)
class Scalar:
    """One value. `raw` is the text as written, without quotes; `quoted` is true for every style but the plain one.

    `refused` is true where the reader complained of it: nobody need complain again.
    """

    value: ScalarValue
    raw: str
    quoted: bool
    line: int
    column: int
    refused: bool = False


@dataclass(slots=True, eq=False)
class Mapping:
    """A map. Keys are always text, whatever they look like; the first of a repeated key is kept."""

    entries: dict[str, Entry]
    line: int
    column: int


@dataclass(slots=True, eq=False)
class Sequence:
    items: list[Node]
    line: int
    column: int


Node: TypeAlias = "Scalar | Mapping | Sequence"


class Entry(NamedTuple):
    """A value of a map and the place of its key."""

    line: int
    column: int
    node: Node


@dataclass(slots=True, eq=False)
class Document:
    """One non-empty document of a file. `file` is the name shown to people."""

    file: str
    root: Node


def plain_value(node: Node) -> object:
    """The node as dict, list and scalars, for whoever needs no places."""
    if isinstance(node, Mapping):
        return {key: plain_value(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain_value(item) for item in node.items]
    return node.value
