"""What holds for every plan of every generated project."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from budgets import bounded
from core_builders import NOW
from hypothesis import given
from hypothesis import strategies as st
from planned_platform import Applied
from planned_worlds import Project, desires, guard_limits, parts, projects, reach, selections, sightings

from statetool.core.guards import NO_GUARDS, Guards
from statetool.core.model import Address, Observed
from statetool.core.picture import seen_of
from statetool.core.plan import Plan, fingerprint
from statetool.core.plan_document import plan_to_document
from statetool.core.selection import Selection
from statetool.core.state import record_seen

BOUNDED = bounded(80)
MODES = st.sampled_from(["normal", "normal", "drift"])


def decided(plan: Plan) -> tuple[object, ...]:
    """Everything of a plan that decides something: all but the times of what is left alone."""
    timeless = [replace(entry, last_right_at=None, first_wrong_at="") for entry in plan.left_alone]
    return (
        plan.changes,
        plan.actions,
        plan.held_back,
        timeless,
        plan.blocked,
        plan.findings,
        plan.rejections,
        plan.counts,
    )


@BOUNDED
@given(projects(), MODES, st.data())
def test_reading_never_changes_a_cause(project: Project, mode: str, data: st.DataObject) -> None:
    """Whatever was seen in between, however often: the same world, the same plan. Drift can't be laundered."""
    state = project.state
    for key in state.components:
        part = project.parts.get(key.component)
        between = data.draw(st.lists(parts(key.component), max_size=2))
        for glimpse in [*between, *([part] if part else [])]:
            observed = glimpse.look()
            state = record_seen(state, key, seen_of(observed, state.components[key], NOW))
        for sighting in data.draw(st.lists(sightings(), max_size=1)):
            state = record_seen(state, key, sighting)
    observed_then = project.observe()
    before = project.plan(observed_then, mode=mode)
    after = replace(project, state=state).plan(observed_then, mode=mode)
    assert decided(after) == decided(before)


@BOUNDED
@given(projects(), MODES, selections, st.one_of(st.just(NO_GUARDS), guard_limits), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(
    project: Project, mode: str, selection: Selection, guards: Guards, random
) -> None:
    """Files, dependencies, state and list pages may come in any order: the document is the same to the last byte."""

    def shuffled(values: Iterable) -> list:
        values = list(values)
        random.shuffle(values)
        return values

    def plan_text(project: Project, observed: Sequence[Observed]) -> str:
        plan = project.plan(observed, selection, guards, mode=mode)
        return json.dumps([plan_to_document(plan), fingerprint(plan)])

    observed = project.observe(selection)
    desired = (replace(entry, depends_on=tuple(shuffled(entry.depends_on))) for entry in project.desired)
    state = replace(project.state, components=dict(shuffled(project.state.components.items())))
    other = replace(project, desired=tuple(shuffled(desired)), state=state)
    assert plan_text(other, shuffled(observed)) == plan_text(project, observed)


@bounded(200)
@given(projects(), st.data())
def test_editing_one_component_is_felt_by_others_through_depends_on_only(project: Project, data: st.DataObject) -> None:
    """Who has nothing to do with it has the same plan to the last word. What it depends on only waits for others or
    no longer does. What depends on it does the same or, blocked by it or behind it, nothing."""
    if not project.desired:
        return
    place = data.draw(st.integers(0, len(project.desired) - 1))
    edited = project.desired[place]
    part = project.parts.get(edited.address.component) or data.draw(parts(edited.address.component))
    earlier = [entry.address for entry in project.desired[:place]]
    needs = data.draw(st.sampled_from([edited.depends_on, tuple(sorted(earlier))]))
    other = data.draw(desires(part, edited.origin.line, needs))
    after = replace(project, desired=tuple(other if entry is edited else entry for entry in project.desired))
    links = [(d.address, needed) for d in (*project.desired, other) for needed in d.depends_on]
    back = [(needed, address) for address, needed in links]
    plans = project.plan(), after.plan()
    for key in (entry.address for entry in project.desired if entry is not edited):
        if key not in reach(edited.address, [*links, *back]):
            assert everything_of(plans[0], key) == everything_of(plans[1], key)
        elif key not in reach(edited.address, back):
            assert alone(plans[0], key) == alone(plans[1], key)
        else:
            blocked = [next((entry for entry in plan.blocked if entry.address == key), None) for plan in plans]
            behind = {str(needed) for needed in reach(key, links)} - {str(key)}
            assert all(entry is None or entry.because in behind for entry in blocked) or blocked[0] == blocked[1]
            if blocked == [None, None]:
                assert alone(plans[0], key) == alone(plans[1], key)


def everything_of(plan: Plan, key: Address) -> list[tuple[object, ...]]:
    """All that a plan says of one component."""
    lists = (plan.actions, plan.changes, plan.held_back, plan.left_alone, plan.blocked, plan.findings, plan.rejections)
    return [tuple(entry for entry in entries if entry.address == key) for entries in lists]  # type: ignore[attr-defined]


def alone(plan: Plan, key: Address) -> list[tuple[object, ...]]:
    """The same without what its actions wait for among others."""
    actions, *rest = everything_of(plan, key)
    return [tuple(replace(a, requires=tuple(r for r in a.requires if r.startswith(f"{key}#"))) for a in actions), *rest]  # type: ignore[type-var, attr-defined]


@bounded(200)
@given(projects())
def test_applying_and_planning_again_is_the_empty_plan(project: Project) -> None:
    """For all that was neither denied nor blocked, held back, nor told to need a second step.

    On the way every action finds its precondition, and leaves behind the goal that apply waits for. A number of
    instances that nobody manages does not go down.
    """
    plan = project.plan()
    after = Applied(project).carry_out(plan)
    again = after.plan()
    unfinished = {entry.address for entry in (*plan.held_back, *plan.blocked)}
    unfinished |= {f.address for f in plan.findings if f.severity == "deny" or f.code == "second_step_needed"}
    assert not [action for action in again.actions if action.address not in unfinished]
    assert not [change for change in again.changes if change.address not in unfinished]
    # What an earlier version runs from is seen only once it runs again.
    back = {action.address for action in plan.actions if "version" in action.goal}
    late = {entry.address for entry in again.held_back if entry.code == "needs_new_version"} & back
    assert not [entry for entry in again.held_back if entry.address not in unfinished | late]
    for wanted in project.desired:
        before, now = (found.parts.get(wanted.address.component) for found in (project, after))
        if before and now and wanted.wish.replicas is None and now.status != "STOPPED":
            assert now.number >= before.number, wanted
