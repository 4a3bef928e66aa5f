"""Taking out of a plan what may not be sent, together with everything that waits for it.

Owns that one operation for whoever refuses something of a finished plan: guards, mode observe, `--approve`. Why it is
refused, and the words for it, are theirs. Pure; the same plan comes back where nothing is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from statetool.core.model import Address
from statetool.core.plan import Action, Blocked, Change, Finding, HeldBack, Plan

Node = TypeVar("Node", bound=Hashable)


def withhold_components(plan: Plan, refused: Mapping[Address, Blocked], denies: Sequence[Finding]) -> Plan:
    """The plan without these components, and without those of which an action waits for one of theirs.

    Of a component that loses an action nothing is kept: what its manifest asks for belongs together. `denies` say why.
    """
    if not refused:
        return plan
    blocked = dict(refused)
    for address, cause in _waiting_components(plan.actions, refused).items():
        blocked[address] = Blocked(address, str(cause), f"depends on {cause}, which is blocked")
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.address not in blocked),
        actions=tuple(action for action in plan.actions if action.address not in blocked),
        held_back=tuple(entry for entry in plan.held_back if entry.address not in blocked),
        blocked=tuple(sorted((*plan.blocked, *blocked.values()), key=lambda entry: entry.address)),
        findings=tuple(sorted((*plan.findings, *denies), key=_place)),
    )


def find_waiting_actions(actions: Iterable[Action], refused: Collection[str]) -> frozenset[str]:
    """The ids of the actions that wait for one of these, over any number of steps."""
    return frozenset(_spread(refused, {action.id: action.requires for action in actions}))


def withhold_actions(plan: Plan, refused: Collection[str], held_back: Iterable[HeldBack]) -> Plan:
    """The plan without these actions. `refused` holds all that wait for one another; `held_back` tells of them."""
    if not refused:
        return plan
    changes = (_without(change, refused) for change in plan.changes)
    return replace(
        plan,
        actions=tuple(action for action in plan.actions if action.id not in refused),
        changes=tuple(change for change in changes if change is not None),
        held_back=(*plan.held_back, *held_back),
    )


def _waiting_components(actions: Sequence[Action], refused: Collection[Address]) -> dict[Address, Address]:
    owner = {action.id: action.address for action in actions}
    waits_for: dict[Address, list[Address]] = {}
    for action in actions:
        waits_for.setdefault(action.address, []).extend(owner[needed] for needed in action.requires if needed in owner)
    return _spread(refused, waits_for)


def _spread(refused: Collection[Node], waits_for: Mapping[Node, Iterable[Node]]) -> dict[Node, Node]:
    """What waits for a refused node, over any number of steps, with the refused node that it leads to."""
    waiting: dict[Node, list[Node]] = {}
    for node, needs in waits_for.items():
        for needed in needs:
            waiting.setdefault(needed, []).append(node)
    cause = {node: node for node in refused}
    queue = list(refused)
    for node in queue:  # grows while it is read
        for behind in waiting.get(node, ()):
            if behind not in cause:
                cause[behind] = cause[node]
                queue.append(behind)
    return {node: source for node, source in cause.items() if node not in refused}


def _without(change: Change, refused: Collection[str]) -> Change | None:
    """The change as far as it still happens: what depends on an action that does not run is not recorded."""
    if set(change.action_ids).isdisjoint(refused):
        return change
    kept = tuple(action_id for action_id in change.action_ids if action_id not in refused)
    updates = tuple(update for update in change.updates if set(update.after).isdisjoint(refused))
    return replace(change, action_ids=kept, updates=updates) if kept or updates else None


def _place(finding: Finding) -> tuple[bool, tuple[str, ...]]:
    """What speaks of the whole project comes first, the rest by address."""
    return (False, ()) if finding.address is None else (True, finding.address.sort_key)
