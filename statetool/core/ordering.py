"""The order of things that require each other: edges, cycles, what may start now, what can no longer start.

Owns the graph and the bookkeeping of one walk over it. It knows ids only: not what they stand for, not why one
of them failed, and nothing about time or concurrency.

    waiting ──> ready ──> started ──> done
       │          │          └─────> failed ──> everything that requires it, however far away: skipped
       └──────────┴────────────────────────────────────────────────────────────────────────> skipped
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from statetool.errors import StatetoolError

Node = TypeVar("Node", bound=Hashable)


class Stage(StrEnum):
    """Where one id stands in a walk. The last three are final."""

    WAITING = "waiting"
    READY = "ready"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


def find_cycle(edges: Mapping[Node, Iterable[Node]]) -> tuple[Node, ...] | None:
    """The first cycle, each node requiring the next and the last the first; None where there is none.

    Nodes are looked at in the order of `edges`, so equal input gives the same cycle. Required nodes that are no
    key of `edges` require nothing.
    """
    finished: set[Node] = set()
    for start in edges:
        if start in finished:
            continue
        # Iterative on purpose: a chain of fifteen thousand components would overflow Python's stack.
        path: dict[Node, None] = {start: None}
        pending = [iter(edges[start])]
        while pending:
            node = next(pending[-1], None)
            if node is None:
                pending.pop()
                finished.add(path.popitem()[0])
            elif node in path:
                trail = list(path)
                return tuple(trail[trail.index(node) :])
            elif node not in finished:
                path[node] = None
                pending.append(iter(edges.get(node, ())))
    return None


class Graph:
    """Who requires whom. Immutable after construction; iteration keeps the order of `edges`."""

    __slots__ = ("_dependents", "_required")

    def __init__(self, edges: Mapping[str, Iterable[str]]) -> None:
        """`edges` maps each id to the ids it requires.

        Raises StatetoolError `unknown_requirement` where an id requires one that is not in `edges` (it could
        never start), and `requirement_cycle` where ids require each other.
        """
        self._required: dict[str, tuple[str, ...]] = {id_: tuple(dict.fromkeys(edges[id_])) for id_ in edges}
        dependents: dict[str, list[str]] = {id_: [] for id_ in self._required}
        for id_, required in self._required.items():
            for other in required:
                if other not in dependents:
                    raise StatetoolError(
                        f"{id_} requires {other}, which is not there",
                        code="unknown_requirement",
                        hint="make a new plan: this one is not complete",
                    )
                dependents[other].append(id_)
        self._dependents = {id_: tuple(others) for id_, others in dependents.items()}
        cycle = find_cycle(self._required)
        if cycle is not None:
            raise StatetoolError(
                "these require each other: " + " -> ".join((*cycle, cycle[0])),
                code="requirement_cycle",
                hint="remove one of these requirements",
            )

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._required)

    def requirements_of(self, id_: str) -> tuple[str, ...]:
        """What `id_` requires directly."""
        return self._required[id_]

    def dependents_of(self, id_: str) -> tuple[str, ...]:
        """What requires `id_` directly."""
        return self._dependents[id_]


class Schedule:
    """One walk over a graph: what is ready, what has started, how each id ended.

    Changed only by its methods, which return what follows from the change. Ties keep the graph's order, so the
    same calls give the same answers. A call that does not fit the stage of its id is a mistake of the caller and
    raises ValueError.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._rank = {id_: n for n, id_ in enumerate(graph.ids)}
        self._missing = {id_: len(graph.requirements_of(id_)) for id_ in graph.ids}
        self._stage = {id_: Stage.WAITING if missing else Stage.READY for id_, missing in self._missing.items()}
        self._queue = [self._rank[id_] for id_ in graph.ids if self._stage[id_] is Stage.READY]
        self._ids = graph.ids

    def stage(self, id_: str) -> Stage:
        return self._stage[id_]

    def next_ready(self) -> str | None:
        """The first id that may start now; None where nothing may."""
        # Skipped ids stay in the heap until they come up: removing them from its middle would cost a scan each.
        while self._queue and self._stage[self._ids[self._queue[0]]] is not Stage.READY:
            heapq.heappop(self._queue)
        return self._ids[self._queue[0]] if self._queue else None

    def start(self, id_: str) -> None:
        """`id_` is being worked on."""
        self._expect(id_, Stage.READY)
        self._stage[id_] = Stage.STARTED

    def done(self, id_: str) -> tuple[str, ...]:
        """`id_` ended well. Returns what may start because of that."""
        self._expect(id_, Stage.STARTED)
        self._stage[id_] = Stage.DONE
        released: list[str] = []
        for other in self._graph.dependents_of(id_):
            self._missing[other] -= 1
            if self._missing[other] == 0 and self._stage[other] is Stage.WAITING:
                self._stage[other] = Stage.READY
                heapq.heappush(self._queue, self._rank[other])
                released.append(other)
        return tuple(released)

    def fail(self, id_: str) -> tuple[str, ...]:
        """`id_` ended badly. Returns what requires it, directly or not, and is therefore skipped.

        What another failure skipped before is not returned again.
        """
        self._expect(id_, Stage.STARTED)
        self._stage[id_] = Stage.FAILED
        return self._skip_dependents(id_)

    def skip_rest(self) -> tuple[str, ...]:
        """Nothing more is to start. Returns what had not started, and is now skipped."""
        rest = tuple(id_ for id_ in self._ids if self._stage[id_] in (Stage.WAITING, Stage.READY))
        for id_ in rest:
            self._stage[id_] = Stage.SKIPPED
        return rest

    def _skip_dependents(self, id_: str) -> tuple[str, ...]:
        skipped: list[str] = []
        pending = [id_]
        while pending:
            for other in self._graph.dependents_of(pending.pop()):
                if self._stage[other] is Stage.WAITING:
                    self._stage[other] = Stage.SKIPPED
                    skipped.append(other)
                    pending.append(other)
        return tuple(sorted(skipped, key=self._rank.__getitem__))

    def _expect(self, id_: str, wanted: Stage) -> None:
        if self._stage[id_] is not wanted:
            raise ValueError(f"{id_} is {self._stage[id_]}, not {wanted}")
