"""What holds for every generated plan under any guards."""

from __future__ import annotations

from dataclasses import replace

from budgets import bounded
from hypothesis import given
from hypothesis import strategies as st
from planned_worlds import Project, projects

from statetool.core.approval import keep_approved
from statetool.core.guards import FREEZE, FREEZE_UNREADABLE, GUARD_CODES, Freeze, Guards, judge
from statetool.core.plan import Plan, Risk, SendIf, Verb

BOUNDED = bounded(50)
RISKS = [risk for risk in Risk if risk is not Risk.NONE]

freezes = st.builds(
    Freeze,
    st.just("because"),
    st.none() | st.just("tomorrow"),
    st.frozensets(st.sampled_from(RISKS)),
    st.sampled_from([FREEZE, FREEZE_UNREADABLE]),
)
limits = st.builds(
    Guards,
    max_share=st.none() | st.integers(0, 100),
    max_scale_down=st.none() | st.integers(0, 100),
    min_replicas=st.none() | st.integers(0, 4),
    max_weight_step=st.none() | st.integers(1, 100),
    max_actions=st.none() | st.integers(1, 6),
    freezes=st.lists(freezes, max_size=2).map(tuple),
)
approvals = st.dictionaries(st.sampled_from(RISKS), st.none())


def ensure_whole(plan: Plan) -> None:
    """What remains can be carried out: nothing waits for what was taken out, and no change names it."""
    ids = {action.id for action in plan.actions}
    assert all(ids.issuperset(action.requires) for action in plan.actions)
    assert {action_id for change in plan.changes for action_id in change.action_ids} == ids
    assert all(ids.issuperset(update.after) for change in plan.changes for update in change.updates)


@BOUNDED
@given(projects(), limits, st.integers(1, 40))
def test_guards_only_take_away_and_say_so(project: Project, guards: Guards, managed: int) -> None:
    """Whole components, each with a reason; where nothing is refused, the very same plan."""
    plan = project.plan()
    judged = judge(plan, guards, managed=managed)
    gone = {change.address for change in plan.changes} - {change.address for change in judged.changes}
    assert [c for c in plan.changes if c.address not in gone] == list(judged.changes)
    assert [a for a in plan.actions if a.address not in gone] == list(judged.actions)
    assert {b.address for b in judged.blocked} - {b.address for b in plan.blocked} == gone
    new = [finding for finding in judged.findings if finding not in plan.findings]
    assert bool(new) is bool(gone)
    assert {finding.code for finding in new} <= GUARD_CODES
    assert all(f"--override {finding.code}" in str(finding.hint) for finding in new)
    assert gone or judged is plan
    ensure_whole(judged)


@BOUNDED
@given(projects(), limits, st.integers(1, 40))
def test_what_is_left_is_within_the_guards(project: Project, guards: Guards, managed: int) -> None:
    """Judged once more it is the same; no action is left that a freeze keeps back, nor more than are allowed."""
    judged = judge(project.plan(), guards, managed=managed)
    assert judge(judged, guards, managed=managed) is judged
    assert guards.max_actions is None or len(judged.actions) <= guards.max_actions
    for action in judged.actions:
        if action.send_if is SendIf.ALWAYS and action.risk is not Risk.NONE:
            assert all(action.risk in freeze.passes for freeze in guards.freezes)
        before, after = action.precondition.get("replicas"), action.parameters.get("replica")
        if action.verb is Verb.SCALE and isinstance(before, int) and isinstance(after, int) and after < before:
            assert guards.min_replicas is None or after >= guards.min_replicas
            assert guards.max_scale_down is None or (before - after) * 100 <= guards.max_scale_down * before


@BOUNDED
@given(projects(), limits, st.integers(1, 40))
def test_with_every_override_there_are_no_guards(project: Project, guards: Guards, managed: int) -> None:
    """All of them can be let through; nothing else decides."""
    plan = replace(project.plan(), overrides=tuple(sorted(GUARD_CODES)))
    assert judge(plan, guards, managed=managed) is plan


@BOUNDED
@given(projects(), approvals)
def test_approval_runs_what_it_names_and_holds_the_rest_back(project: Project, approval: dict[Risk, None]) -> None:
    """Every action is kept or told of, and nothing that was not approved is left."""
    plan = project.plan()
    approved = keep_approved(plan, approval)
    # A conditional scale that only keeps the number goes with the change it follows.
    asked = [action for action in approved.actions if action.send_if is SendIf.ALWAYS]
    assert all(action.risk in approval or action.risk is Risk.NONE for action in asked)
    told = {entry.message.split()[0] for entry in approved.held_back if entry.code == "not_approved"}
    looks = {action.id for action in plan.actions if action.risk is Risk.NONE}
    kept = {action.id for action in approved.actions}
    assert kept.isdisjoint(told)
    assert {action.id for action in plan.actions} - kept - told <= looks
    ensure_whole(approved)
    assert keep_approved(approved, approval) is approved
