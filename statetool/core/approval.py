"""`--approve`: of a plan, only the actions whose risk was approved; the rest stays pending.

Owns what is cut out of a plan and how it is told. It must not know who approves, nor judge any risk.
"""

from __future__ import annotations

from collections.abc import Mapping

from statetool.core.model import REPLICAS_FIELD
from statetool.core.plan import Action, HeldBack, Plan, Risk, SendIf
from statetool.core.withholding import find_waiting_actions, withhold_actions

NOT_APPROVED = "not_approved"

Approval = Mapping[Risk, int | None]
"""Approved risks. A number beside a risk is the highest percentage of traffic that is approved with it."""

_NAMES = tuple(str(risk) for risk in Risk if risk is not Risk.NONE)


def parse_approval(text: str) -> dict[Risk, int | None]:
    """`scale_up,traffic:10` as an Approval. Raises ValueError with a sentence."""
    approval: dict[Risk, int | None] = {}
    for part in (part.strip() for part in text.split(",")):
        name, colon, number = part.partition(":")
        if name not in _NAMES:
            raise ValueError(f"there is no risk {part!r}; risks are {', '.join(_NAMES)}")
        if colon and (Risk(name) is not Risk.TRAFFIC or not _is_percentage(number)):
            raise ValueError(f"{part!r} is no limit; only traffic takes one, in percent: traffic:10")
        if Risk(name) in approval:
            raise ValueError(f"{name} is named twice")
        approval[Risk(name)] = int(number) if colon else None
    return approval


def keep_approved(plan: Plan, approval: Approval) -> Plan:
    """The plan without what was not approved and what waits for it, each listed as held back."""
    keeping = _find_keeping(plan)
    unapproved = {a.id for a in plan.actions if a.id not in keeping and not _is_approved(a, approval)}
    refused = unapproved | find_waiting_actions(plan.actions, unapproved)
    needed = {needed for action in plan.actions if action.id not in refused for needed in action.requires}
    # What only looks needs no approval; but nothing is looked at for an action that does not run.
    idle = {action.id for action in plan.actions if action.risk is Risk.NONE and action.id not in needed | refused}
    held_back = [_held_back(action, approval) for action in plan.actions if action.id in refused]
    return withhold_actions(plan, refused | idle, held_back)


def _find_keeping(plan: Plan) -> frozenset[str]:
    """Scales that only keep the number of instances over a change of version: approved with the change they follow."""
    asked = {c.address for c in plan.changes if any(field.path == REPLICAS_FIELD for field in c.fields)}
    return frozenset(a.id for a in plan.actions if a.send_if is not SendIf.ALWAYS and a.address not in asked)


def _is_percentage(text: str) -> bool:
    return len(text) <= 3 and text.isascii() and text.isdigit() and int(text) <= 100


def _is_approved(action: Action, approval: Approval) -> bool:
    if action.risk is Risk.NONE:
        return True
    if action.risk not in approval:
        return False
    limit = approval[action.risk]
    return limit is None or (action.traffic_percent or 0) <= limit


def _held_back(action: Action, approval: Approval) -> HeldBack:
    if _is_approved(action, approval):
        why, hint = "waits for an action that is not approved", None
    else:
        percent = action.traffic_percent if action.risk is Risk.TRAFFIC else None
        risk = str(action.risk) if percent is None else f"{action.risk} {percent} %"
        why = f"waits for the approval of its risk, {risk}"
        hint = f"--approve {action.risk}" + ("" if percent is None else f":{percent}")
    return HeldBack(action.address, str(action.verb), NOT_APPROVED, f"{action.id} {action.verb} {why}", hint)
