"""Whatever the world: what a guarded plan does stays within the guards, judged by the world before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from budgets import bounded
from core_builders import address, record, want
from hypothesis import given
from hypothesis import strategies as st
from planned_platform import Applied
from planned_worlds import Part, Project, guard_limits, projects

from statetool.core.guards import Guards
from statetool.core.model import Address, GrayRule
from statetool.core.plan import Kind, Plan, Risk, SendIf

CODES = ("freeze", "freeze_unreadable", "max_actions", "max_scale_down", "max_share", "max_weight_step", "min_replicas")
WHOLE = {"max_actions", "max_share"}
OVERRIDES = st.sampled_from([(), (), (), *((code,) for code in CODES), CODES])


@st.composite
def guarded(draw: st.DrawFn) -> Project:
    """A project, often so large that shares count."""
    project = draw(projects(most=5))
    fillers = [f"x{n}" for n in range(draw(st.sampled_from([0, 5, 8, 15])))]
    desired = (*project.desired, *(want(name=name, replicas=2) for name in fillers))
    recorded = {address(name): record(want(replicas=2).wish, name=name, component_id=f"id-{name}") for name in fillers}
    state = replace(project.state, components={**project.state.components, **recorded})
    parts = {**project.parts, **{name: Part(name, "1.0.0") for name in fillers}}
    return replace(project, desired=desired, state=state, parts=parts)


@bounded(80)
@given(guarded(), guard_limits, OVERRIDES)
def test_what_a_guarded_plan_does_stays_within_the_guards(
    project: Project, guards: Guards, overrides: tuple[str, ...]
) -> None:
    """For every guard that is not overridden. What it withholds takes along all that waits for it, and nothing else."""
    whole = project.plan(overrides=overrides)
    plan = project.plan(guards=guards, overrides=overrides)
    after = Applied(project).carry_out(plan)
    for name, part in project.parts.items():
        acting = [action for action in plan.actions if action.address.component == name]
        if "max_scale_down" not in overrides and guards.max_scale_down is not None:
            assert lost(part, after.parts[name]) * 100 <= guards.max_scale_down * part.number
        if "min_replicas" not in overrides and guards.min_replicas is not None:
            assert not lost(part, after.parts[name]) or after.parts[name].number >= guards.min_replicas
        if "max_weight_step" not in overrides and guards.max_weight_step is not None:
            assert more_traffic(part, after.parts[name], [str(a.verb) for a in acting]) <= guards.max_weight_step
    ensure_freezes_hold(plan, guards)
    ensure_the_whole_fits(project, plan, guards)
    ensure_withheld_with_what_waits(whole, plan)


def lost(before: Part, after: Part) -> int:
    """How many instances a component has less, unless it was stopped."""
    return 0 if after.status == "STOPPED" else max(before.number - after.number, 0)


def more_traffic(before: Part, after: Part, verbs: list[str]) -> int:
    """The largest step of a candidate's traffic, in percent. One that serves alone by a promotion has all of it."""
    steps = [share_of(after, after.gray.version) - share_of(before, after.gray.version)] if after.gray else [0]
    if "continue_deploy" in verbs:
        # The candidate that was there, or one that the plan itself has started.
        promoted = before.gray.version if before.gray else after.stable
        steps.append(100 - share_of(before, promoted))
    return max(steps)


def share_of(part: Part, version: str) -> int:
    if part.gray is None or part.gray.version != version:
        return 0
    rule = part.gray.rule or GrayRule(weight=0)
    return 100 if rule.weight is None else rule.weight


def ensure_freezes_hold(plan: Plan, guards: Guards) -> None:
    for freeze in guards.freezes:
        if freeze.code not in plan.overrides:
            sent = {action.risk for action in plan.actions if action.send_if is SendIf.ALWAYS}
            assert sent <= freeze.passes | {Risk.NONE}


def ensure_the_whole_fits(project: Project, plan: Plan, guards: Guards) -> None:
    """Share and number, counted by what is done; or nothing is done at all."""
    records = project.state.components
    ids = {f"id-{entry.address.component}" for entry in project.desired}
    left = {key for key, entry in records.items() if key not in _addresses(project) and entry.component_id not in ids}
    managed = len(project.desired) + len(left)
    touched = {action.address for action in plan.actions} | {c.address for c in plan.changes if c.kind is Kind.FORGET}
    if guards.max_share is not None and "max_share" not in plan.overrides and managed >= 10:
        assert len(touched) * 100 <= guards.max_share * managed
    if guards.max_actions is not None and "max_actions" not in plan.overrides:
        assert len(plan.actions) <= guards.max_actions
    if {finding.code for finding in plan.denies} & WHOLE:
        assert not plan.changes and not plan.actions


def _addresses(project: Project) -> set[Address]:
    return {entry.address for entry in project.desired}


def ensure_withheld_with_what_waits(whole: Plan, plan: Plan) -> None:
    """Compared with the plan that nobody guards: a component does all of what it did there, or nothing."""
    before, after = _by_address(whole), _by_address(plan)
    told = {finding.code for finding in plan.denies} - {finding.code for finding in whole.denies}
    refused = {finding.address for finding in plan.denies if finding.code in CODES}
    gone = {change.address for change in whole.changes} - {change.address for change in plan.changes}
    assert all(after[key] == before[key] for key in after)
    assert {change.address for change in plan.changes} <= {change.address for change in whole.changes}
    assert gone == {entry.address for entry in plan.blocked} - {entry.address for entry in whole.blocked}
    assert refused - {None} <= gone
    assert bool(gone) == bool(told)
    assert not set(after) & gone
    owner = {action.id: action.address for action in whole.actions}
    waiting = {owner[needed] for key in after for action in before[key] for needed in action.requires}
    assert not waiting & gone, "an action waits for one that is withheld"
    if not told & {*WHOLE, "freeze", "freeze_unreadable"}:
        # Nothing goes without a reason of its own, or one of something that it waits for.
        pulled = {finding.address for finding in plan.denies if finding.code in told}
        while more := {key for key in gone - pulled if _waits_for(before.get(key, ()), pulled, owner)}:
            pulled |= more
        assert gone == pulled


def _by_address(plan: Plan) -> dict[Address, tuple[object, ...]]:
    found: dict[Address, tuple[object, ...]] = {}
    for action in plan.actions:
        found[action.address] = (*found.get(action.address, ()), action)
    return found


def _waits_for(actions: tuple, components: set, owner: Mapping[str, Address]) -> bool:
    return any(owner[needed] in components for action in actions for needed in action.requires)
