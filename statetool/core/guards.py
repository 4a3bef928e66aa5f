"""Guards: limits on what one plan may do, whatever the manifests say (semantics: risk, guards, scope of a deny).

Owns the checks over a finished plan, each a finding with numbers and a way out, and what they take out of it: those
of one component block it and what depends on it; a freeze blocks what it does not let pass; share and number block
everything. The same function judges a plan when it is made and again when a saved one is applied.
`lifecycle.protected` is a component's own guard and stands in `planner.py`. It must not read the configuration or a
clock: whether a freeze is on is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from statetool.core.model import REPLICAS_FIELD, Address, Json
from statetool.core.plan import Action, Blocked, Change, Finding, Kind, Plan, Risk, SendIf, Verb
from statetool.core.withholding import withhold_components

FREEZE = "freeze"
FREEZE_UNREADABLE = "freeze_unreadable"
MAX_SHARE = "max_share"
MAX_ACTIONS = "max_actions"
MAX_SCALE_DOWN = "max_scale_down"
MIN_REPLICAS = "min_replicas"
MAX_WEIGHT_STEP = "max_weight_step"

GUARD_CODES = frozenset(
    {FREEZE, FREEZE_UNREADABLE, MAX_SHARE, MAX_ACTIONS, MAX_SCALE_DOWN, MIN_REPLICAS, MAX_WEIGHT_STEP}
)

PASS_FREEZE = frozenset({Risk.SCALE_UP, Risk.REVERT})
"""What a freeze lets through unless it says otherwise: it makes things safer, or takes back."""

SHARE_COUNTS_FROM = 10
"""Managed components from which on the share guard counts: of three, one is a third."""

_ALL_TRAFFIC = 100


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze that is on. `until` is as people read it, with its time zone; None where it can't be told.

    `code` is freeze_unreadable where it stands in for windows that nobody can read; `reason` then says why.
    """

    reason: str
    until: str | None
    passes: frozenset[Risk] = PASS_FREEZE
    code: str = FREEZE


@dataclass(frozen=True, slots=True)
class Guards:
    """The limits; None switches one off. Shares and steps are percent."""

    max_share: int | None = 30
    max_scale_down: int | None = 50
    min_replicas: int | None = None
    max_weight_step: int | None = None
    max_actions: int | None = None
    freezes: tuple[Freeze, ...] = ()


NO_GUARDS = Guards(max_share=None, max_scale_down=None)


@dataclass(frozen=True, slots=True)
class _Intent:
    """What is planned for one component: all that guards look at."""

    change: Change
    actions: tuple[Action, ...]

    @property
    def address(self) -> Address:
        return self.change.address


def judge(plan: Plan, guards: Guards, *, managed: int) -> Plan:
    """The plan without what the guards refuse and what waits for it; each refusal is a deny, and listed as blocked.

    Codes among the plan's own overrides are let through. `managed` counts the components of manifests and state.
    """
    intents = _intents(plan)
    denies = [f for intent in intents for f in _check_component(intent, guards) if f.code not in plan.overrides]
    refused = {f.address: Blocked(f.address, f.code, f.message) for f in reversed(denies) if f.address is not None}
    for freeze in (f for f in guards.freezes if f.code not in plan.overrides):
        frozen = {intent.address: risks for intent in intents if (risks := _frozen_risks(intent, freeze))}
        for address, risks in frozen.items():
            refused.setdefault(address, Blocked(address, freeze.code, _freeze_message(freeze, risks)))
        if frozen:
            denies.append(_freeze_deny(freeze, {risk for risks in frozen.values() for risk in risks}))
    return _judge_whole(withhold_components(plan, refused, denies), guards, managed)


def _judge_whole(plan: Plan, guards: Guards, managed: int) -> Plan:
    """Share and number, of what is left: what is refused already changes nothing."""
    found = (_check_share(plan, guards.max_share, managed), _check_actions(plan, guards.max_actions))
    denies = [finding for finding in found if finding is not None and finding.code not in plan.overrides]
    if not denies:
        return plan
    first = denies[0]
    refused = {c.address: Blocked(c.address, first.code, first.message) for c in plan.changes}
    return withhold_components(plan, refused, denies)


def _intents(plan: Plan) -> list[_Intent]:
    by_address: dict[Address, list[Action]] = {}
    for action in plan.actions:
        by_address.setdefault(action.address, []).append(action)
    return [_Intent(change, tuple(by_address.get(change.address, ()))) for change in plan.changes]


# The whole project


def _check_share(plan: Plan, limit: int | None, managed: int) -> Finding | None:
    changed = sum(1 for change in plan.changes if change.action_ids)
    forgotten = sum(1 for change in plan.changes if change.kind is Kind.FORGET)
    if limit is None or managed < SHARE_COUNTS_FROM or (changed + forgotten) * 100 <= limit * managed:
        return None
    parts = [f"{changed} changed" if changed else "", f"{forgotten} forgotten" if forgotten else ""]
    share = (changed + forgotten) * 100 / managed
    return Finding(
        MAX_SHARE,
        "deny",
        f"{' and '.join(part for part in parts if part)} of {managed} managed components are {share:.4g} %, more than "
        f"guards.max_share allows ({limit} %)",
        "is this the right folder and project? Go in steps with --target, or let it through once with "
        f"--override {MAX_SHARE}",
    )


def _check_actions(plan: Plan, limit: int | None) -> Finding | None:
    count = len(plan.actions)
    if limit is None or count <= limit:
        return None
    return Finding(
        MAX_ACTIONS,
        "deny",
        f"{count} actions are more than guards.max_actions allows ({limit})",
        f"go in steps with --target, or let it through once with --override {MAX_ACTIONS}",
    )


# One component


def _check_component(intent: _Intent, guards: Guards) -> Iterator[Finding]:
    found = (
        _check_scale_down(intent, guards.max_scale_down),
        _check_min_replicas(intent, guards.min_replicas),
        _check_weight_step(intent, guards.max_weight_step),
    )
    yield from (finding for finding in found if finding is not None)


def _check_scale_down(intent: _Intent, limit: int | None) -> Finding | None:
    down = _scale_down(intent)
    if limit is None or down is None or (down[0] - down[1]) * 100 <= limit * down[0]:
        return None
    before, after = down
    least = before - limit * before // 100
    hint = "leave the number as it is"
    if after == 0:
        hint = "write `state: stopped` where none is to run"
    elif least < before:
        hint = f"go down in steps, to {least} first"
    return _deny(
        intent,
        MAX_SCALE_DOWN,
        f"{before} -> {after} instances takes {(before - after) * 100 / before:.4g} % away at once, more than "
        f"guards.max_scale_down allows ({limit} %)",
        hint,
    )


def _check_min_replicas(intent: _Intent, limit: int | None) -> Finding | None:
    down = _scale_down(intent)
    if limit is None or down is None or down[1] >= limit:
        return None
    before, after = down
    return _deny(
        intent,
        MIN_REPLICAS,
        f"{before} -> {after} instances leaves fewer than guards.min_replicas allows ({limit})",
        f"write at least {limit}" if before >= limit else "leave the number as it is",
    )


def _scale_down(intent: _Intent) -> tuple[int, int] | None:
    """The number of instances before and after, where an action is meant to lower it.

    A conditional scale that follows a version change without a wish of its own only puts back what was there.
    """
    before = _replicas_before(intent)
    numbers = [_number(action.parameters.get("replica")) for action in intent.actions if action.verb is Verb.SCALE]
    lowest = min((number for number in numbers if number is not None), default=None)
    return (before, lowest) if before is not None and lowest is not None and lowest < before else None


def _replicas_before(intent: _Intent) -> int | None:
    """As it was observed; where a status hid that, as it is configured. None where nobody wants to change it."""
    listed = next((field.before for field in intent.change.fields if field.path == REPLICAS_FIELD), None)
    watched = (a.precondition.get(REPLICAS_FIELD) for a in intent.actions if a.verb is Verb.SCALE)
    return next((number for value in (*watched, listed) if (number := _number(value)) is not None), None)


def _check_weight_step(intent: _Intent, limit: int | None) -> Finding | None:
    steps = [step for action in intent.actions if (step := _weight_step(intent, action)) is not None]
    before, after = max(steps, key=lambda step: step[1] - step[0], default=(0, 0))
    if limit is None or after - before <= limit:
        return None
    return _deny(
        intent,
        MAX_WEIGHT_STEP,
        f"{before} % -> {after} % of traffic is a step of {after - before}, more than guards.max_weight_step allows "
        f"({limit})",
        f"go to {before + limit} % first",
    )


def _weight_step(intent: _Intent, action: Action) -> tuple[int, int] | None:
    """The candidate's share of traffic before and after one action; None where it moves none of it."""
    if action.verb is Verb.CONTINUE_DEPLOY:
        listed = {field.path: field.before for field in intent.change.fields}
        return _share({**listed, **action.precondition}), _ALL_TRAFFIC
    if action.verb is Verb.MODIFY_GRAY_RULE:
        return _share(action.precondition), _share(action.goal)
    is_gray_start = action.verb is Verb.UPGRADE and "gray.version" in action.goal
    return (0, _share(action.goal)) if is_gray_start else None


def _share(values: Mapping[str, Json]) -> int:
    """Percent of traffic of the gray release that these paths describe; content rules may match all of it."""
    weight = _number(values.get("gray.weight"))
    return weight if weight is not None else _ALL_TRAFFIC if values.get("gray.rules") else 0


# Freezes


def _frozen_risks(intent: _Intent, freeze: Freeze) -> set[Risk]:
    """What of this component the freeze does not let pass. A component goes as a whole or not at all."""
    wants_fewer = _scale_down(intent) is not None
    risks = {a.risk for a in intent.actions if a.send_if is SendIf.ALWAYS or wants_fewer}
    return risks - freeze.passes - {Risk.NONE}


def _freeze_deny(freeze: Freeze, risks: set[Risk]) -> Finding:
    first = "make the file readable" if freeze.code == FREEZE_UNREADABLE else "apply again after it"
    hint = f"{first}, or let it through once with --override {freeze.code}"
    return Finding(freeze.code, "deny", _freeze_message(freeze, risks), hint)


def _freeze_message(freeze: Freeze, risks: set[Risk]) -> str:
    waits = f"{_names(risks)} must wait; {_names(freeze.passes) or 'nothing'} may pass"
    if freeze.code == FREEZE_UNREADABLE:
        return f"{freeze.reason}; as nobody knows whether changes are frozen, {waits}"
    return f"frozen{f' until {freeze.until}' if freeze.until else ''} ({freeze.reason}): {waits}"


def _names(risks: Iterable[Risk]) -> str:
    return ", ".join(risk for risk in Risk if risk in set(risks))


def _deny(intent: _Intent, code: str, message: str, hint: str) -> Finding:
    return Finding(code, "deny", message, f"{hint}, or let it through once with --override {code}", intent.address)


def _number(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
