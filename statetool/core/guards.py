"""Guards: limits on what one plan may do, whatever the manifests say (semantics: risk, guards, scope of a deny).

Owns the checks over planned changes and actions, each a finding with numbers and a way out. Those of one component
block it and what depends on it; those of the project block everything. `lifecycle.protected` is a component's own
guard and stands in `planner.py`. It must not read the configuration or a clock: whether a freeze is on is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from statetool.core.model import REPLICAS_FIELD, Address, Json
from statetool.core.plan import Action, Blocked, Change, Finding, Kind, Plan, Risk, SendIf, Verb

FREEZE = "freeze"
MAX_SHARE = "max_share"
MAX_ACTIONS = "max_actions"
MAX_SCALE_DOWN = "max_scale_down"
MIN_REPLICAS = "min_replicas"
MAX_WEIGHT_STEP = "max_weight_step"

GUARD_CODES = frozenset({FREEZE, MAX_SHARE, MAX_ACTIONS, MAX_SCALE_DOWN, MIN_REPLICAS, MAX_WEIGHT_STEP})

PASS_FREEZE = frozenset({Risk.SCALE_UP, Risk.REVERT})
"""What a freeze lets through unless it says otherwise: it makes things safer, or takes back."""

SHARE_COUNTS_FROM = 10
"""Managed components from which on the share guard counts: of three, one is a third."""

_WEIGHT = "gray.weight"
_ALL_TRAFFIC = 100


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze that is on. `until` is as the person who wrote it would say it, None where it can't be told."""

    reason: str
    until: str | None
    passes: frozenset[Risk] = PASS_FREEZE


@dataclass(frozen=True, slots=True)
class Guards:
    """The limits; None switches one off. Shares and steps are percent."""

    max_share: int | None = 30
    max_scale_down: int | None = 50
    min_replicas: int | None = None
    max_weight_step: int | None = None
    max_actions: int | None = None
    freezes: tuple[Freeze, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """What is planned for one component: all that guards look at."""

    address: Address
    change: Change | None
    actions: tuple[Action, ...]


def check_component(intent: Intent, guards: Guards, overrides: frozenset[str]) -> tuple[Finding, ...]:
    """The denies that block this component."""
    if intent.change is None:
        return ()
    found = (
        _check_scale_down(intent, intent.change, guards.max_scale_down),
        _check_min_replicas(intent, guards.min_replicas),
        _check_weight_step(intent, intent.change, guards.max_weight_step),
        *(_check_freeze(intent, freeze) for freeze in guards.freezes),
    )
    return tuple(finding for finding in found if finding is not None and finding.code not in overrides)


def check_project(
    intents: Sequence[Intent], guards: Guards, overrides: frozenset[str], *, managed: int
) -> tuple[Finding, ...]:
    """The denies that block everything. `managed` counts the components of manifests and state together."""
    found = (_check_share(intents, guards.max_share, managed), _check_actions(intents, guards.max_actions))
    return tuple(finding for finding in found if finding is not None and finding.code not in overrides)


def _check_share(intents: Sequence[Intent], limit: int | None, managed: int) -> Finding | None:
    changed = sum(1 for intent in intents if intent.actions)
    forgotten = sum(1 for intent in intents if intent.change is not None and intent.change.kind is Kind.FORGET)
    if limit is None or managed < SHARE_COUNTS_FROM or (changed + forgotten) * 100 <= limit * managed:
        return None
    parts = [f"{changed} changed" if changed else "", f"{forgotten} forgotten" if forgotten else ""]
    share = (changed + forgotten) * 100 / managed
    return Finding(
        MAX_SHARE,
        "deny",
        f"{' and '.join(part for part in parts if part)} of {managed} managed components are {share:.0f} %, more than "
        f"guards.max_share allows ({limit} %)",
        "is this the right folder and project? Go in steps with --target, or let it through once with "
        f"--override {MAX_SHARE}",
    )


def _check_actions(intents: Sequence[Intent], limit: int | None) -> Finding | None:
    count = sum(len(intent.actions) for intent in intents)
    if limit is None or count <= limit:
        return None
    return Finding(
        MAX_ACTIONS,
        "deny",
        f"{count} actions are more than guards.max_actions allows ({limit})",
        f"go in steps with --target, or let it through once with --override {MAX_ACTIONS}",
    )


def _check_scale_down(intent: Intent, change: Change, limit: int | None) -> Finding | None:
    moved = next((field for field in change.fields if field.path == REPLICAS_FIELD), None)
    if limit is None or moved is None or not _has_verb(intent, Verb.SCALE):
        return None
    before, after = _number(moved.before), _number(moved.after)
    if before is None or after is None or (before - after) * 100 <= limit * before:
        return None
    return _deny(
        intent,
        MAX_SCALE_DOWN,
        f"{before} -> {after} instances takes {(before - after) * 100 / before:.0f} % away at once, more than "
        f"guards.max_scale_down allows ({limit} %)",
        f"go down in steps (to {_nearest_allowed(before, limit)} first)",
    )


def _nearest_allowed(before: int, limit: int) -> int:
    """The fewest instances one step may leave."""
    return before - limit * before // 100


def _check_min_replicas(intent: Intent, limit: int | None) -> Finding | None:
    lowest = [
        number
        for action in intent.actions
        if action.verb is Verb.SCALE and (number := _number(action.parameters.get("replica"))) is not None
    ]
    if limit is None or not lowest or min(lowest) >= limit:
        return None
    return _deny(
        intent,
        MIN_REPLICAS,
        f"a scale to {min(lowest)} leaves fewer instances than guards.min_replicas allows ({limit})",
        f"write at least {limit}",
    )


def _check_weight_step(intent: Intent, change: Change, limit: int | None) -> Finding | None:
    step = _weight_step(intent, change)
    if limit is None or step is None or step[1] - step[0] <= limit:
        return None
    before, after = step
    return _deny(
        intent,
        MAX_WEIGHT_STEP,
        f"{before} % -> {after} % of traffic is a step of {after - before}, more than guards.max_weight_step allows "
        f"({limit})",
        f"go to {before + limit} % first",
    )


def _weight_step(intent: Intent, change: Change) -> tuple[int, int] | None:
    """The candidate's share of traffic before and after; None where no action moves it."""
    moved = next((field for field in change.fields if field.path == _WEIGHT), None)
    before = (_number(moved.before) if moved is not None else None) or 0
    if _has_verb(intent, Verb.CONTINUE_DEPLOY):
        return before, _ALL_TRAFFIC
    shares = [action.traffic_percent for action in intent.actions if action.traffic_percent is not None]
    return (before, max(shares)) if shares else None


def _check_freeze(intent: Intent, freeze: Freeze) -> Finding | None:
    # A conditional scale only puts back what the action before it may take: it passes with that one.
    wanted = [action for action in intent.actions if action.send_if is SendIf.ALWAYS]
    refused = sorted({str(action.risk) for action in wanted if action.risk not in freeze.passes})
    if not refused:
        return None
    until = f" until {freeze.until}" if freeze.until else ""
    passes = ", ".join(sorted(freeze.passes)) or "nothing"
    return _deny(
        intent,
        FREEZE,
        f"frozen{until} ({freeze.reason}): {', '.join(refused)} must wait; {passes} may pass",
        "apply again after it",
    )


def _deny(intent: Intent, code: str, message: str, hint: str) -> Finding:
    return Finding(code, "deny", message, f"{hint}, or let it through once with --override {code}", intent.address)


def _has_verb(intent: Intent, verb: Verb) -> bool:
    return any(action.verb is verb for action in intent.actions)


def _number(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def judge_again(plan: Plan, guards: Guards, *, managed: int) -> Plan:
    """A saved plan under the guards of now: what they deny, and what waits for it, is taken out and listed as blocked.

    Overrides the plan was made with hold. `managed` counts the components of the state and of the plan.
    """
    by_address: dict[Address, list[Action]] = {}
    for action in plan.actions:
        by_address.setdefault(action.address, []).append(action)
    intents = [Intent(change.address, change, tuple(by_address.get(change.address, ()))) for change in plan.changes]
    overrides = frozenset(plan.overrides)
    found = [finding for intent in intents for finding in check_component(intent, guards, overrides)]
    whole = check_project(intents, guards, overrides, managed=managed)
    blocked: dict[Address, Blocked] = {}
    for finding in (*whole, *found):
        for address in [finding.address] if finding.address else [change.address for change in plan.changes]:
            blocked.setdefault(address, Blocked(address, finding.code, finding.message))
    if not blocked:
        return plan
    stopped = {action.id: action.address for action in plan.actions if action.address in blocked}
    for action in plan.actions:  # in order: whatever an action requires stands before it
        source = next((stopped[needed] for needed in action.requires if needed in stopped), None)
        if source is not None and action.address not in blocked:
            blocked[action.address] = Blocked(action.address, str(source), f"depends on {source}, which is blocked")
        if action.address in blocked:
            stopped[action.id] = action.address
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.address not in blocked),
        actions=tuple(action for action in plan.actions if action.address not in blocked),
        findings=(*plan.findings, *whole, *found),
        blocked=(*plan.blocked, *blocked.values()),
    )
