"""Where every value of a component is written.

Owns the way from the nodes of a component to paths and origins. It is gone only when somebody asks: a plan of
thousands of components needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from statetool.core.model import Origin, VariableOrigin
from statetool.manifest import nodes
from statetool.manifest.nodes import Entry, Node, Scalar

_NOTHING: dict[str, Entry] = {}


@dataclass(slots=True, eq=False)
class Marks(Mapping[str, Origin]):
    """`Desired.marks`, made when first asked. `fields` are those of a component with its defaults, `own` without."""

    fields: dict[str, Entry]
    own: dict[str, Entry]
    _found: dict[str, Origin] | None = field(default=None, init=False)

    def __getitem__(self, path: str) -> Origin:
        return self._all()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Origin]:
        if self._found is None:
            self._found = dict(_find(self.fields, self.own, ""))
        return self._found


def _find(fields: dict[str, Entry], own: dict[str, Entry], prefix: str) -> Iterator[tuple[str, Origin]]:
    for key, entry in fields.items():
        written = own.get(key)
        node = entry.node
        if isinstance(node, nodes.Mapping):
            inner = written.node.entries if written and isinstance(written.node, nodes.Mapping) else _NOTHING
            yield from _find(node.entries, inner, f"{prefix}{key}.")
        else:
            yield prefix + key, Origin(node.mark, written is None, tuple(dict.fromkeys(_variables(node))))


def _variables(node: Node) -> Iterator[VariableOrigin]:
    """Those in a value, in the order of its text."""
    if isinstance(node, Scalar):
        yield from node.substituted.variables if node.substituted else ()
        return
    for inner in node.items if isinstance(node, nodes.Sequence) else (e.node for e in node.entries.values()):
        yield from _variables(inner)
