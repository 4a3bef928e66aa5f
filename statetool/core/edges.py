"""The order across components: which action waits for which action of another component.

Owns the rule for `depends_on`. Where B depends on A, B's actions wait for A's last action that is neither a stop
nor a scale to 0, and A's stop and scale to 0 wait for all actions of B; both also through components without
actions. Sequences inside a component are built already; running them is `ordering.py` and apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from statetool.core.model import Address
from statetool.core.ordering import Graph, Schedule
from statetool.core.plan import Action, Verb


def order_across(
    depends_on: Mapping[Address, Sequence[Address]], actions: Mapping[Address, Sequence[Action]]
) -> tuple[Action, ...]:
    """All actions with their requirements across components, sorted so that each stands behind what it requires.

    `depends_on` must be free of cycles (manifests are checked for them). Ties go by address.
    """
    edges = _Edges(depends_on, actions)
    ordered = [
        replace(action, requires=tuple(sorted({*action.requires, *edges.requirements(address, n, action)})))
        for address in sorted(actions)
        for n, action in enumerate(actions[address])
    ]
    return _topological(ordered)


def takes_away(action: Action) -> bool:
    """A stop or a scale to 0: what depends on the component must be done with it first."""
    return action.verb is Verb.STOP or (action.verb is Verb.SCALE and action.goal.get("replicas") == 0)


@dataclass(frozen=True, slots=True)
class _Pick:
    """The action of a component that others wait for, and whether it has waited for those behind it."""

    action_id: str | None
    is_last_word: bool


class _Edges:
    def __init__(
        self, depends_on: Mapping[Address, Sequence[Address]], actions: Mapping[Address, Sequence[Action]]
    ) -> None:
        self._actions = actions
        self._needs = depends_on
        self._needed_by: dict[Address, list[Address]] = {}
        for address, needs in depends_on.items():
            for needed in needs:
                self._needed_by.setdefault(needed, []).append(address)
        self._upstream: dict[Address, frozenset[str]] = {}
        self._downstream: dict[Address, frozenset[str]] = {}

    def requirements(self, address: Address, position: int, action: Action) -> frozenset[str]:
        """What an action waits for beyond its own component. The first waits for the rest of the chain."""
        wanted: frozenset[str] = frozenset()
        if position == 0:
            wanted |= self._gather(address, self._needs, self._upstream, self._last_forward)
        if takes_away(action):
            wanted |= self._gather(address, self._needed_by, self._downstream, self._last)
        return wanted

    def _gather(
        self,
        start: Address,
        neighbours: Mapping[Address, Sequence[Address]],
        known: dict[Address, frozenset[str]],
        pick: Callable[[Address], _Pick],
    ) -> frozenset[str]:
        """The picked action of every neighbour; where one does not speak for those behind it, of those as well.

        Not recursive: chains of dependencies may be longer than Python's stack.
        """
        stack = [start]
        while stack:
            address = stack[-1]
            if address in known:
                stack.pop()
                continue
            behind = [n for n in neighbours.get(address, ()) if not pick(n).is_last_word and n not in known]
            if behind:
                stack.extend(behind)
                continue
            found: set[str] = set()
            for neighbour in neighbours.get(address, ()):
                picked = pick(neighbour)
                further = frozenset() if picked.is_last_word else known[neighbour]
                # What stands behind waits for the neighbour's action itself, so it is enough to name the end.
                found |= further or ({picked.action_id} if picked.action_id is not None else set())
            known[address] = frozenset(found)
            stack.pop()
        return known[start]

    def _last_forward(self, address: Address) -> _Pick:
        """The last action that takes nothing away. It comes after those of everything the component depends on."""
        forward = next((a.id for a in reversed(self._actions.get(address, ())) if not takes_away(a)), None)
        return _Pick(forward, is_last_word=forward is not None)

    def _last(self, address: Address) -> _Pick:
        """The last action. Only where it takes away has it waited for everything that depends on the component."""
        actions = self._actions.get(address, ())
        return _Pick(actions[-1].id, takes_away(actions[-1])) if actions else _Pick(None, is_last_word=False)


def _topological(actions: Sequence[Action]) -> tuple[Action, ...]:
    """Stable: an action stands as early as the order of addresses allows."""
    by_id = {action.id: action for action in actions}
    schedule = Schedule(Graph({action.id: action.requires for action in actions}))
    ordered: list[Action] = []
    while (action_id := schedule.next_ready()) is not None:
        schedule.start(action_id)
        schedule.done(action_id)
        ordered.append(by_id[action_id])
    return tuple(ordered)
