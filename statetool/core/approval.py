"""`--approve`: of a plan, only the actions whose risk was approved; the rest stays pending.

Owns what is cut out of a plan and how it is told. It must not know who approves, nor judge any risk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from statetool.core.plan import Action, Change, HeldBack, Plan, Risk

NOT_APPROVED = "not_approved"

Approval = Mapping[Risk, int | None]
"""Approved risks. A number beside a risk is the highest percentage of traffic that is approved with it."""


def parse_approval(text: str) -> dict[Risk, int | None]:
    """`scale_up,traffic:10` as an Approval. Raises ValueError with a sentence."""
    approval: dict[Risk, int | None] = {}
    for part in (part.strip() for part in text.split(",")):
        name, colon, number = part.partition(":")
        if name not in list(Risk):
            raise ValueError(f"there is no risk {part!r}; risks are {', '.join(Risk)}")
        if colon and (Risk(name) is not Risk.TRAFFIC or not (number.isascii() and number.isdigit())):
            raise ValueError(f"{part!r} is no limit; only traffic takes one, in percent: traffic:10")
        approval[Risk(name)] = int(number) if colon else None
    return approval


def keep_approved(plan: Plan, approval: Approval) -> Plan:
    """The plan without what was not approved and what waits for it, each listed as held back."""
    left_out: set[str] = set()
    for action in plan.actions:  # in order: whatever an action requires stands before it
        if not _is_approved(action, approval) or left_out.intersection(action.requires):
            left_out.add(action.id)
    if not left_out:
        return plan
    pending = tuple(_held_back(action, approval) for action in plan.actions if action.id in left_out)
    changes = (_without(change, left_out) for change in plan.changes)
    return replace(
        plan,
        actions=tuple(action for action in plan.actions if action.id not in left_out),
        changes=tuple(change for change in changes if change is not None),
        held_back=(*plan.held_back, *pending),
    )


def _is_approved(action: Action, approval: Approval) -> bool:
    if action.risk not in approval:
        return False
    limit = approval[action.risk]
    return limit is None or (action.traffic_percent or 0) <= limit


def _held_back(action: Action, approval: Approval) -> HeldBack:
    risk = f"{action.risk} {action.traffic_percent} %" if action.traffic_percent is not None else str(action.risk)
    why = (
        "waits for an action that is not approved"
        if _is_approved(action, approval)
        else f"waits for the approval of its risk, {risk}"
    )
    name = str(action.risk) if action.traffic_percent is None else f"{action.risk}:{action.traffic_percent}"
    return HeldBack(
        action.address, str(action.verb), NOT_APPROVED, f"{action.id} {action.verb} {why}", f"--approve {name}"
    )


def _without(change: Change, left_out: set[str]) -> Change | None:
    """The change as far as it still happens: what depends on an action that does not run is not recorded."""
    if not left_out.intersection(change.action_ids):
        return change
    kept = tuple(action_id for action_id in change.action_ids if action_id not in left_out)
    updates = tuple(update for update in change.updates if not left_out.intersection(update.after))
    return replace(change, action_ids=kept, updates=updates) if kept or updates else None
