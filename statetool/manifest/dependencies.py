"""`depends_on` of all components -> addresses, without cycles.

Owns the meaning of an entry and the refusal of cycles. Pure: values in, values and diagnostics out. The order
that follows from dependencies is made in `core/ordering.py`.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from statetool.core.model import Address, Desired
from statetool.errors import Diagnostic, SourceMark
from statetool.manifest.components import Part, Reference

_MAX_SEARCHES = 50
"""For how many unknown dependencies near names are looked up: each look compares with a whole application."""

Edges = Mapping[Address, Mapping[Address, SourceMark]]


def resolve(parts: Sequence[Part], *, complete: bool) -> tuple[list[Desired], list[Diagnostic]]:
    """Desired components with resolved dependencies, in the order given, and what is wrong with those.

    `complete` is false where a file could not be read: a name of another document may then stand in it,
    and is not called unknown.
    """
    resolver = _Resolver(parts, complete)
    desired: list[Desired] = []
    edges: dict[Address, dict[Address, SourceMark]] = {}
    for part in parts:
        address = part.desired.address
        if not part.references:
            desired.append(part.desired)
            continue
        found: dict[Address, SourceMark] = {}
        for reference in part.references:
            target = resolver.find(reference, address)
            if target is not None:
                found.setdefault(target, reference.mark)
        edges[address] = found
        desired.append(replace(part.desired, depends_on=tuple(sorted(found))))
    return desired, resolver.diagnostics + _check_cycles(edges)


class _Resolver:
    def __init__(self, parts: Sequence[Part], complete: bool) -> None:
        self.complete = complete
        self.diagnostics: list[Diagnostic] = []
        self.searches = 0
        self.known: dict[str, dict[str, list[Address]]] = defaultdict(lambda: defaultdict(list))
        for part in parts:
            address = part.desired.address
            self.known[address.application][address.component].append(address)

    def find(self, reference: Reference, owner: Address) -> Address | None:
        """The component meant by an entry of `owner`'s depends_on; None, with a diagnostic, where there is none."""
        text = reference.text
        if "/" not in text:
            wanted = Address(owner.application, text, owner.environment)
            found = [address for address in self._named(wanted) if address.environment == owner.environment]
            local = True
        else:
            try:
                wanted = Address.parse(text)
            except ValueError:
                return None  # the schema said so already
            found = self._named(wanted)
            local = False
            for environment in (wanted.environment, owner.environment):
                exact = [address for address in found if address.environment == environment]
                if environment is not None and (exact or wanted.environment is not None):
                    found = exact
                    break
        if len(found) == 1:
            return found[0]
        if found:
            self._note_ambiguous(reference, owner, found)
        elif self.complete or local:
            self._note_unknown(reference, owner, wanted)
        return None

    def _named(self, wanted: Address) -> list[Address]:
        components = self.known.get(wanted.application)
        return components.get(wanted.component, []) if components else []

    def _note_ambiguous(self, reference: Reference, owner: Address, found: list[Address]) -> None:
        self.diagnostics.append(
            Diagnostic(
                "ambiguous_dependency",
                f"{owner} depends on {reference.said}, which may be {' or '.join(map(str, sorted(found)))}",
                "write the environment: application/component@environment",
                reference.mark,
                str(owner),
            )
        )

    def _note_unknown(self, reference: Reference, owner: Address, wanted: Address) -> None:
        self.diagnostics.append(
            Diagnostic(
                "unknown_dependency",
                f"{owner} depends on {reference.said}, which is in no manifest",
                self._hint(reference.text, wanted, owner),
                reference.mark,
                str(owner),
            )
        )

    def _hint(self, text: str, wanted: Address, owner: Address) -> str:
        elsewhere = self._named(wanted)
        if not elsewhere and "/" not in text:
            elsewhere = [a for components in self.known.values() for a in components.get(wanted.component, [])]
        if elsewhere:
            return f"a component of another document is written with its application: {min(elsewhere)}"
        self.searches += 1
        if self.searches <= _MAX_SEARCHES:
            names = self.known.get(wanted.application)
            pool = list(names or self.known)
            near = difflib.get_close_matches(wanted.component if names else wanted.application, pool, n=4)
            near = [name for name in near if not names or name != owner.component][:3]
            if near:
                return "near names: " + ", ".join(near)
        return "name a component of this document, or application/component[@environment] of another"


def _check_cycles(edges: Edges) -> list[Diagnostic]:
    """One diagnostic for every group of components that wait for each other."""
    return [_cycle(edges, group) for group in _groups(edges)]


def _cycle(edges: Edges, group: set[Address]) -> Diagnostic:
    """The shortest way from the group's first address back to itself, with the place of each edge."""
    start = min(group)
    came_from: dict[Address, Address] = {}
    queue = [start]
    for address in queue:
        for target in sorted(edges.get(address, {})):
            if target in group and target not in came_from:
                came_from[target] = address
                queue.append(target)
        if start in came_from:
            break
    path = [start]
    while len(path) == 1 or path[-1] != start:
        path.append(came_from[path[-1]])
    path.reverse()
    steps = [f"{target} ({edges[source][target]})" for source, target in pairwise(path)]
    return Diagnostic(
        "dependency_cycle",
        f"depends_on goes round in a circle: {start} -> {' -> '.join(steps)}",
        "remove one of these entries: none of the components could ever come first",
        edges[path[0]][path[1]],
        str(start),
    )


def _groups(edges: Edges) -> list[set[Address]]:
    """Strongly connected components with a cycle in them (Tarjan's algorithm, with a stack of its own).

    Recursion would end at Python's limit: a chain of dependencies may be as long as the project.
    """
    index: dict[Address, int] = {}
    low: dict[Address, int] = {}
    open_: list[Address] = []
    is_open: set[Address] = set()
    groups: list[set[Address]] = []
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        open_.append(root)
        is_open.add(root)
        while work:
            address, targets = work[-1]
            step = next((t for t in targets if t not in index or t in is_open), None)
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[address])
                if low[address] == index[address]:
                    group = _take_group(open_, is_open, address)
                    if len(group) > 1 or address in edges.get(address, {}):
                        groups.append(group)
            elif step in index:
                low[address] = min(low[address], index[step])
            else:
                index[step] = low[step] = len(index)
                open_.append(step)
                is_open.add(step)
                work.append((step, iter(edges.get(step, {}))))
    return groups


def _take_group(open_: list[Address], is_open: set[Address], root: Address) -> set[Address]:
    """Everything opened since the root of a group, taken off the stack."""
    group: set[Address] = set()
    while root not in group:
        address = open_.pop()
        is_open.discard(address)
        group.add(address)
    return group
