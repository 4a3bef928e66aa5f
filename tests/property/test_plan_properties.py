"""What holds for every plan of every generated project."""

from __future__ import annotations

from dataclasses import replace

from core_builders import NOW, address
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_worlds import (
    NAMES,
    Applied,
    Project,
    parts,
    projects,
    sightings,
    wishes,
)

from statetool.core.edges import order_across, takes_away
from statetool.core.model import Address, Desired, Observed, Recorded, StatusClass
from statetool.core.picture import seen_of, version_picture
from statetool.core.plan import Action, Plan, Risk, Verb
from statetool.core.plan_document import plan_to_document
from statetool.core.state import record_seen

BOUNDED = settings(max_examples=80, deadline=None)
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
            observed = replace(glimpse.row(), closer=glimpse.closer())
            state = record_seen(state, key, seen_of(observed, state.components[key], NOW))
        for sighting in data.draw(st.lists(sightings(), max_size=1)):
            state = record_seen(state, key, sighting)
    observed_then = project.observe()
    before = project.plan(observed_then, mode=mode)
    after = replace(project, state=state).plan(observed_then, mode=mode)
    assert decided(after) == decided(before)


@BOUNDED
@given(projects(), MODES, st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(project: Project, mode: str, random) -> None:
    """Files, state and list pages may come in any order: the document is the same to the last byte."""

    def shuffled(values: list) -> list:
        random.shuffle(values)
        return values

    observed = project.observe()
    components = dict(shuffled(list(project.state.components.items())))
    other = replace(
        project, desired=tuple(shuffled(list(project.desired))), state=replace(project.state, components=components)
    )
    plan = project.plan(observed, mode=mode)
    assert plan_to_document(other.plan(shuffled(list(observed)), mode=mode)) == plan_to_document(plan)


# What the platform allows, written down a second time from the semantics.
ALLOWED = {
    "ready": {"scale", "stop", "restart", "rollback"},
    "graying": {"continue_deploy", "modify_gray_rule", "rollback", "rollback_current"},
    "stopped": {"start"},
    "failed": {"rollback"},
    "busy": set(),
}
AFTERWARDS = {"stop": "stopped", "modify_gray_rule": "graying"}


@BOUNDED
@given(projects(), MODES, st.sampled_from([Verb.ROLLBACK, Verb.ROLLBACK_CURRENT]))
def test_no_action_stands_where_its_status_forbids_it(project: Project, mode: str, abort_verb: Verb) -> None:
    """Walking each component's actions, from what is observed to what each leaves behind."""
    observed = project.observe()
    by_name = {entry.address.component: entry for entry in observed}
    plan = project.plan(observed, mode=mode, abort_verb=abort_verb)
    status = {name: str(entry.status_class) for name, entry in by_name.items()}
    for action in plan.actions:
        name = action.address.component
        assert str(action.verb) in ALLOWED[status[name]]
        assert action.precondition["status"] == status[name]
        status[name] = AFTERWARDS.get(str(action.verb), "ready")


@BOUNDED
@given(projects(), MODES)
def test_nobody_touches_a_strangers_gray_release(project: Project, mode: str) -> None:
    """Unless the manifest says that a version which drifts may be put back, or the person who plans does."""
    observed = project.observe()
    plan = project.plan(observed, mode=mode)
    for desired in project.desired:
        entry = _observed(observed, desired.address)
        if entry is None or entry.status_class is not StatusClass.GRAYING:
            continue
        recorded = project.state.components.get(desired.address)
        if _is_named(desired, recorded, entry) or project.correct or "version" in desired.lifecycle.correct:
            continue
        assert not [action for action in plan.actions if action.address == desired.address]


def _observed(observed: tuple[Observed, ...], key: Address) -> Observed | None:
    return next((entry for entry in observed if entry.address.component == key.component), None)


def _is_named(desired: Desired, recorded: Recorded | None, observed: Observed) -> bool:
    candidate = version_picture(observed, recorded).gray
    assert candidate is not None
    wished = [desired.wish.picture, recorded.wish.picture if recorded else None]
    named = {p.stable for p in wished if p} | {p.gray.version for p in wished if p and p.gray}
    return candidate.version in named


@BOUNDED
@given(projects(), MODES)
def test_a_component_is_denied_or_acts_and_every_number_fits(project: Project, mode: str) -> None:
    """No half plans: ids are whole, requirements are there, and what is blocked does nothing."""
    plan = project.plan(mode=mode)
    acting = {action.address for action in plan.actions}
    assert not acting & {entry.address for entry in plan.blocked}
    assert not acting & {finding.address for finding in plan.denies}
    assert {change.address for change in plan.changes} >= acting
    for change in plan.changes:
        mine = [action for action in plan.actions if action.address == change.address]
        assert change.action_ids == tuple(action.id for action in mine)
        assert [action.id for action in mine] == [f"{change.address}#{n}" for n in range(1, len(mine) + 1)]
    protected = {d.address for d in project.desired if d.lifecycle.protected}
    assert all(action.risk is Risk.SCALE_UP for action in plan.actions if action.address in protected)


@BOUNDED
@given(projects())
def test_mode_drift_only_puts_back(project: Project) -> None:
    """No wish is recorded, released, adopted or forgotten; no promotion; nothing without the owner's permission."""
    plan = project.plan(mode="drift", correct=True)
    may = {d.address: d.lifecycle.correct for d in project.desired}
    assert all(not change.updates and change.action_ids for change in plan.changes)
    assert all(action.verb not in (Verb.CONTINUE_DEPLOY, Verb.RESTART) for action in plan.actions)
    assert all(may[action.address] for action in plan.actions)
    assert project.plan(mode="drift", correct=False).actions == ()


@BOUNDED
@given(projects(), st.data())
def test_editing_one_component_is_felt_by_others_through_depends_on_only(project: Project, data: st.DataObject) -> None:
    if not project.desired:
        return
    edited = data.draw(st.sampled_from(project.desired))
    part = project.parts.get(edited.address.component) or data.draw(parts(edited.address.component))
    other = replace(edited, wish=data.draw(wishes(part)))
    everything = tuple(other if d is edited else d for d in project.desired)
    before, after = project.plan(), replace(project, desired=everything).plan()
    related = _related(project.desired, edited.address)
    dependents = _dependents(project.desired, edited.address)
    for desired in project.desired:
        mine = [[a for a in plan.actions if a.address == desired.address] for plan in (before, after)]
        if desired.address not in related:
            assert mine[0] == mine[1]
        elif desired.address not in dependents:
            assert [(a.verb, a.parameters) for a in mine[0]] == [(a.verb, a.parameters) for a in mine[1]]


def _related(desired: tuple[Desired, ...], start: Address) -> set[Address]:
    """All that hang together with `start`, in any direction."""
    links = [(d.address, needed) for d in desired for needed in d.depends_on]
    return _reach(start, [*links, *((b, a) for a, b in links)])


def _dependents(desired: tuple[Desired, ...], start: Address) -> set[Address]:
    return _reach(start, [(needed, d.address) for d in desired for needed in d.depends_on])


def _reach(start: Address, links: list[tuple[Address, Address]]) -> set[Address]:
    reached, queue = {start}, [start]
    while queue:
        here = queue.pop()
        fresh = {b for a, b in links if a == here} - reached
        reached |= fresh
        queue.extend(fresh)
    return reached


@settings(max_examples=200, deadline=None)
@given(projects())
def test_applying_and_planning_again_is_the_empty_plan(project: Project) -> None:
    """For all that was neither denied nor blocked, held back, nor told to need a second step.

    On the way every action finds its precondition, and leaves behind the goal that apply waits for.
    """
    plan = project.plan()
    after = Applied(project).carry_out(plan)
    again = after.plan()
    unfinished = {entry.address for entry in (*plan.held_back, *plan.blocked)}
    unfinished |= {f.address for f in plan.findings if f.severity == "deny" or f.code == "second_step_needed"}
    assert not [action for action in again.actions if action.address not in unfinished]
    assert not [change for change in again.changes if change.address not in unfinished]
    assert not [entry for entry in again.held_back if entry.address not in unfinished]


# Order across components


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[Address, list[Address]], dict[Address, tuple[Action, ...]]]:
    """Dependencies without a cycle in random directions of the alphabet, and chains with and without a stop."""
    names = draw(st.permutations(NAMES))
    needs: dict[Address, list[Address]] = {}
    chains: dict[Address, tuple[Action, ...]] = {}
    for n, name in enumerate(names):
        earlier = draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3)) if n else []
        needs[address(name)] = [address(b) for b in earlier]
        forward = draw(st.lists(st.sampled_from(["start", "rollback", "scale 3"]), max_size=2, unique=True))
        away = draw(st.sampled_from([[], [], ["scale 0"], ["stop"], ["scale 0", "stop"]]))
        chains[address(name)] = _chain(address(name), [*forward, *away])
    return needs, {key: chain for key, chain in chains.items() if chain}


def _chain(key: Address, moves: list[str]) -> tuple[Action, ...]:
    chain: list[Action] = []
    for n, move in enumerate(moves, 1):
        verb, _, number = move.partition(" ")
        requires = (chain[-1].id,) if chain else ()
        goal = {"replicas": int(number)} if number else {}
        chain.append(Action(f"{key}#{n}", key, Verb(verb), {}, "", Risk.POWER, requires, {}, goal, 30))
    return tuple(chain)


@BOUNDED
@given(graphs())
def test_the_rules_of_order_hold_for_every_pair(graph) -> None:
    """Where b depends on a, however far: b after a's last action that takes nothing away, a's taking away after b."""
    needs, chains = graph
    ordered = order_across(needs, chains)
    assert sorted(a.id for a in ordered) == sorted(a.id for chain in chains.values() for a in chain), "no cycle"
    behind = _all_required(ordered)
    for b, b_chain in chains.items():
        for a in _reach(b, [(key, needed) for key, needed_by in needs.items() for needed in needed_by]) - {b}:
            forward = [action.id for action in chains.get(a, ()) if not takes_away(action)]
            away = [action.id for action in chains.get(a, ()) if takes_away(action)]
            for action in b_chain:
                assert set(forward) <= behind[action.id]
                assert all(action.id in behind[taking] for taking in away)


@BOUNDED
@given(graphs())
def test_only_related_components_wait_for_each_other(graph) -> None:
    """No edge that no dependency asks for: independent components run side by side."""
    needs, chains = graph
    links = [(key, needed) for key, needed_by in needs.items() for needed in needed_by]
    for action in order_across(needs, chains):
        for required in action.requires:
            other = Address.parse(required.rpartition("#")[0])
            up, down = _reach(action.address, links), _reach(action.address, [(b, a) for a, b in links])
            assert other in up | down


def _all_required(ordered: tuple[Action, ...]) -> dict[str, set[str]]:
    """Everything that must be done before each action. Fails where an action stands before what it requires."""
    behind: dict[str, set[str]] = {}
    for action in ordered:
        behind[action.id] = set().union(*({r} | behind[r] for r in action.requires))
    return behind
