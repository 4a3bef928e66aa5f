"""Whether the configuration lets a component be changed: mode observe, and the applications it opens.

Owns that one question, the deny that answers it in a plan, and asking it again for a plan that was saved under
another configuration. Recording what runs needs no permission; sending anything does. Pure: the applications that
may be changed are handed in as a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from statetool.core.canonical import canonical_text
from statetool.core.chain import show
from statetool.core.model import Address
from statetool.core.plan import Action, Blocked, Change, Finding, Plan
from statetool.core.planner import ComponentPlan
from statetool.core.withholding import withhold_components

Managed: TypeAlias = "frozenset[str] | None"
"""Applications that may be changed, by name or id. None: all of them (mode apply)."""

OBSERVE_MODE = "observe_mode"


def may_change(managed: Managed, *application: str) -> bool:
    """Whether components of one application may be changed. `application` is all it is called by: name, id."""
    return managed is None or not managed.isdisjoint(application)


def observe_mode_deny(address: Address, application: str, wanted: str) -> Finding:
    """Why nothing is sent to a component. `wanted` says what would be: `scale`, or `replicas 4 -> 6 (scale)`."""
    return Finding(
        OBSERVE_MODE,
        "deny",
        f"{wanted} is not sent: mode: observe in statetool.yaml",
        f"add {application} to manage: there, or write mode: apply",
        address,
    )


def refuse_unmanaged(component: ComponentPlan, managed: Managed, name: str, application_id: str) -> ComponentPlan:
    """The plan of a component as it is; denied where it would send something that may not be sent."""
    change = component.change
    if change is None or not component.actions or may_change(managed, name, application_id):
        return component
    deny = observe_mode_deny(change.address, name, _describe(change, component.actions))
    return replace(component, change=None, actions=(), held_back=(), findings=(*component.findings, deny))


def withhold_unmanaged(plan: Plan, managed: Managed, names: Mapping[str, str]) -> Plan:
    """A saved plan without what may not be sent any more: whole components, and those whose actions wait for them.

    `names` gives the platform's name of an application by its id. The same plan comes back where all may be sent.
    """
    actions = {action.id: action for action in plan.actions}
    denies: dict[Address, Finding] = {}
    for change in plan.changes:
        name = names.get(change.application_id, change.address.application)
        if change.action_ids and not may_change(managed, name, change.application_id):
            wanted = _describe(change, tuple(actions[i] for i in change.action_ids if i in actions))
            denies[change.address] = observe_mode_deny(change.address, name, wanted)
    refused = {address: Blocked(address, deny.code, deny.message) for address, deny in denies.items()}
    return withhold_components(plan, refused, list(denies.values()))


def _describe(change: Change, actions: tuple[Action, ...]) -> str:
    """`version 1.4.2 -> 1.4.1, replicas 4 -> 6 (rollback, scale)`."""
    moved = [f for f in change.fields if canonical_text(f.before) != canonical_text(f.after)]
    fields = ", ".join(f"{field.path} {show(field.before)} -> {show(field.after)}" for field in moved)
    verbs = ", ".join(dict.fromkeys(str(action.verb) for action in actions))
    return f"{fields} ({verbs})" if fields else verbs
