"""What stands at a key of a map, by its type, and how its place is spoken of.

Owns the reading of nodes that were held against the schema before: what is of another type, or was refused, is taken
as absent, for it has been complained of. Which keys there are and what they mean, nobody here knows.
"""

from __future__ import annotations

from statetool.manifest.nodes import Entry, Mapping, Node, Scalar, ScalarValue, Sequence
from statetool.manifest.structure import say_value


def entries_at(entries: dict[str, Entry], key: str) -> dict[str, Entry]:
    entry = entries.get(key)
    return entry.node.entries if entry is not None and isinstance(entry.node, Mapping) else {}


def value_at(entries: dict[str, Entry], key: str) -> ScalarValue:
    entry = entries.get(key)
    node = entry.node if entry is not None else None
    return node.value if isinstance(node, Scalar) and not node.refused else None


def text_at(entries: dict[str, Entry], key: str) -> str | None:
    value = value_at(entries, key)
    return value if isinstance(value, str) else None


def texts_at(entries: dict[str, Entry], key: str) -> tuple[str, ...]:
    entry = entries.get(key)
    items = entry.node.items if entry is not None and isinstance(entry.node, Sequence) else []
    return tuple(item.value for item in items if isinstance(item, Scalar) and isinstance(item.value, str))


def integer_at(entries: dict[str, Entry], key: str) -> int | None:
    value = value_at(entries, key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_true_at(entries: dict[str, Entry], key: str) -> bool:
    return value_at(entries, key) is True


def text_map(entries: dict[str, Entry]) -> dict[str, str]:
    """All texts of a map, in the order of its keys."""
    texts = ((key, text_at(entries, key)) for key in sorted(entries))
    return {key: text for key, text in texts if text is not None}


def bare(node: Node) -> str:
    """A value without quotes; what variables hold is not said."""
    return node.raw if isinstance(node, Scalar) and node.substituted is None else say_value(node)


def edited(one: Entry, other: Entry, file: str) -> Entry:
    """That of two values which do not go together that was probably written last: the one in `file`, where the other
    came in from a base, else the one further down."""
    return max(one, other, key=lambda entry: (entry.file == file, entry.line, entry.column))


def elsewhere(place: Entry | Node, here: Entry | Node) -> str:
    """` (at file:line:column)` for a value that stands in another file than the complaint: in the base, say."""
    return f" (at {place.mark})" if place.file != here.file else ""


def removable(one: Entry | Node, other: Entry | Node) -> str:
    """How to be rid of what another file brought in."""
    return "; null in place of a value of the base removes it" if one.file != other.file else ""
