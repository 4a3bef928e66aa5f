"""A document over the base it extends: maps merge, the rest is replaced, null removes.

Owns these rules, for any two documents. Pure: no node is changed, and every value that is taken over keeps the place
where it was written. What a base is and where it stands, `bases.py` knows; what a key means, nobody here.
"""

from __future__ import annotations

from statetool.manifest.nodes import Entry, Mapping, Scalar, is_null

_NOTHING: dict[str, Entry] = {}


class _Removal(Scalar):
    """A null that removed something. It stays until all documents are merged, for it may have to remove a default."""

    __slots__ = ()


def merge(base: Mapping, over: Mapping) -> Mapping:
    """Both as one map, at the place of `over`. Meant to be asked from the outermost base on, and then for `settle`."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        node, below = entry.node, entries.get(key)
        if below is not None and not is_null(below.node):
            if isinstance(node, Scalar) and is_null(node):
                node = _Removal(None, node.raw, node.quoted, node.file, node.line, node.column)
            elif isinstance(node, Mapping) and isinstance(below.node, Mapping):
                node = merge(below.node, node)
        entries[key] = entry._replace(node=node)
    return Mapping(entries, over.file, over.line, over.column)


def settle(root: Mapping) -> Mapping:
    """A merged document without the nulls that have done their work.

    Those in a component whose key has a default stay: they remove that as well. So null in an overlay means that
    there is no such value, wherever it would have come from; and a null that nothing stood under is still an error.
    """
    defaults = _below("defaults", root.entries)
    entries = {}
    for key, entry in root.entries.items():
        if isinstance(entry.node, _Removal):
            continue
        if isinstance(entry.node, Mapping) and key == "components":
            entries[key] = entry._replace(node=_settle_components(entry.node, defaults))
        elif isinstance(entry.node, Mapping):
            entries[key] = entry._replace(node=_settle(entry.node, _NOTHING))
        else:
            entries[key] = entry
    return Mapping(entries, root.file, root.line, root.column)


def _settle_components(components: Mapping, defaults: dict[str, Entry]) -> Mapping:
    entries = {}
    for name, entry in components.entries.items():
        if isinstance(entry.node, Mapping):
            entries[name] = entry._replace(node=_settle(entry.node, defaults))
        elif not isinstance(entry.node, _Removal):
            entries[name] = entry
    return Mapping(entries, components.file, components.line, components.column)


def _settle(node: Mapping, defaults: dict[str, Entry]) -> Mapping:
    """The map itself where there is nothing to take away: most are."""
    entries, is_same = {}, True
    for key, entry in node.entries.items():
        below = entry.node
        if isinstance(below, _Removal) and (key not in defaults or is_null(defaults[key].node)):
            is_same = False
            continue
        if isinstance(below, Mapping):
            below = _settle(below, _below(key, defaults))
        is_same = is_same and below is entry.node
        entries[key] = entry if below is entry.node else entry._replace(node=below)
    return node if is_same else Mapping(entries, node.file, node.line, node.column)


def _below(key: str, entries: dict[str, Entry]) -> dict[str, Entry]:
    entry = entries.get(key)
    return entry.node.entries if entry is not None and isinstance(entry.node, Mapping) else _NOTHING
