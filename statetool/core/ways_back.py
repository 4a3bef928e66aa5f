"""What puts back a value that was changed outside and is left alone, and what keeps it as it is.

Owns asking for the same component's plan once more, as `apply --correct-drift` and `drift --correct` would make it,
so that nobody is sent to a command that does something else. It must not decide anything itself: whoever asks hands
in the planning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from statetool.core.model import DRIFT_FIELDS, Desired
from statetool.core.plan import Finding, LeftAlone
from statetool.core.planner import ComponentPlan
from statetool.core.sequence import PlanRules

_STOPPING_SHORT = frozenset({"fold_needed", "second_step_needed"})
"""Warnings of rows that leave a version where it is."""


def with_ways_back(
    component: ComponentPlan,
    desired: Desired,
    rules: PlanRules,
    plan: Callable[[Desired, PlanRules], ComponentPlan],
) -> ComponentPlan:
    """The component's plan, each value that it leaves alone with its way back. `plan` plans the same component for
    another manifest and by other rules; guards are judged over whole plans, and are not asked here."""
    if not component.left_alone:
        return component
    applied = plan(desired, replace(rules, mode="normal", correct=True))
    corrected = None
    if rules.mode == "drift":
        lifecycle = replace(desired.lifecycle, correct=frozenset(DRIFT_FIELDS))
        corrected = plan(replace(desired, lifecycle=lifecycle), replace(rules, correct=True))
    return replace(
        component, left_alone=tuple(_with_way_back(entry, applied, corrected) for entry in component.left_alone)
    )


def _with_way_back(entry: LeftAlone, applied: ComponentPlan, corrected: ComponentPlan | None) -> LeftAlone:
    """`corrected` is what a correction of drift would do, were all of it permitted; None where nobody asks for one."""
    is_permission_enough = corrected is None or _puts_back(corrected, entry.path)
    return replace(
        entry,
        permission=entry.permission if is_permission_enough else None,
        kept_by=_find_what_keeps(entry, applied),
    )


def _puts_back(plan: ComponentPlan, path: str) -> bool:
    return plan.change is not None and any(field.path == path for field in plan.change.fields)


def _find_what_keeps(entry: LeftAlone, applied: ComponentPlan) -> Finding | None:
    """Why an apply that may correct drift leaves the value alone all the same; None where it puts it back."""
    denied = next((finding for finding in applied.findings if finding.severity == "deny"), None)
    if denied is not None:
        return denied
    if _puts_back(applied, entry.path):
        return None
    waiting = next((held for held in applied.held_back if held.path == entry.path), None)
    if waiting is not None:
        return Finding(waiting.code, "warn", waiting.message, waiting.hint, entry.address)
    return next((finding for finding in applied.findings if finding.code in _STOPPING_SHORT), None)
