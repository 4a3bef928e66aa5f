"""What holds for every selection of every generated project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from budgets import bounded
from hypothesis import given
from hypothesis import strategies as st
from planned_worlds import Part, Project, projects, selections

from statetool.core.model import Address, Desired, Lifecycle, Wish
from statetool.core.plan import Action, Kind, Plan
from statetool.core.selection import Selection

BOUNDED = bounded(80)
MODES = st.sampled_from(["normal", "normal", "drift"])

labels = st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from(["a", "b"]))


@st.composite
def labelled(draw: st.DrawFn) -> Project:
    """A project in which components carry labels, depend on each other a lot, and often have something to do."""
    project = draw(projects(most=5))
    desired: list[Desired] = []
    parts = dict(project.parts)
    for entry in project.desired:
        needs = [other.address for other in desired if draw(st.booleans())]
        entry = replace(entry, labels=draw(labels), depends_on=tuple(needs))
        if draw(st.booleans()):
            parts[entry.address.component] = Part(entry.address.component, "1.0.0")
            entry = replace(entry, wish=Wish(replicas=draw(st.integers(1, 3))), lifecycle=Lifecycle())
        desired.append(entry)
    return replace(project, desired=tuple(desired), parts=parts)


def make_plan(project: Project, selection: Selection, **rules: Any) -> Plan:
    return project.plan(selection=selection, **rules)


def needed_by(project: Project, address: Address) -> set[Address]:
    """All that a component depends on, however far."""
    needs = {entry.address: entry.depends_on for entry in project.desired}
    found: set[Address] = set()
    queue = [address]
    while queue:
        fresh = set(needs.get(queue.pop(), ())) - found
        found |= fresh
        queue.extend(fresh)
    return found


def alone(actions: Iterable[Action], address: Address) -> list[Action]:
    """The actions of one component without the edges to others."""
    prefix = f"{address}#"
    return [
        replace(action, requires=tuple(entry for entry in action.requires if entry.startswith(prefix)))
        for action in actions
        if action.address == address
    ]


@BOUNDED
@given(labelled(), selections, MODES)
def test_a_selection_changes_nothing_of_what_it_selects(project: Project, selection: Selection, mode: str) -> None:
    """Each selected component is planned as in the plan of everything; only what is behind `depends_on` is felt: a
    component that something left out would block is not blocked, and that is told."""
    whole, part = make_plan(project, Selection(), mode=mode), make_plan(project, selection, mode=mode)
    choice = selection.choose(project.desired)
    blocked = {entry.address for entry in whole.blocked} - {finding.address for finding in whole.denies}
    for desired in project.desired:
        address, mine = desired.address, alone(part.actions, desired.address)
        if not choice.includes(address):
            assert not mine
        elif address not in blocked or needed_by(project, address) <= choice.chosen:
            assert mine == alone(whole.actions, address)
            assert [c for c in part.changes if c.address == address] == [
                c for c in whole.changes if c.address == address
            ]
            assert _told(part, address) == _told(whole, address)
        elif mine:
            behind = {address} | (needed_by(project, address) & choice.chosen)
            warned = {f.address for f in part.findings if f.code == "dependency_left_out"}
            assert warned & behind, "who goes ahead of something blocked is warned, or waits for one that is"


def _told(plan: Plan, address: Address) -> tuple[object, ...]:
    """What a plan says of one component beside its actions."""
    findings = [f for f in plan.findings if f.address == address and f.code != "dependency_left_out"]
    lists = (plan.held_back, plan.left_alone, plan.rejections, plan.blocked)
    return (findings, *([entry for entry in entries if entry.address == address] for entries in lists))  # type: ignore[attr-defined]


@BOUNDED
@given(labelled(), selections, MODES)
def test_everything_is_planned_or_named_as_left_out(project: Project, selection: Selection, mode: str) -> None:
    """No component is silently outside, and nothing is forgotten that was not selected."""
    plan = make_plan(project, selection, mode=mode)
    choice = selection.choose(project.desired)
    forgotten = {c.address for c in make_plan(project, Selection(), mode=mode).changes if c.kind is Kind.FORGET}
    described = {entry.address for entry in project.desired}
    left_out = {address for address in described | forgotten if not choice.includes(address)}
    assert list(plan.left_out) == sorted(left_out)
    touched = {c.address for c in plan.changes} | {a.address for a in plan.actions} | {b.address for b in plan.blocked}
    assert not touched & left_out
    assert {c.address for c in plan.changes if c.kind is Kind.FORGET} == forgotten - left_out
    if selection.selectors:
        assert not [c for c in plan.changes if c.kind is Kind.FORGET]


@BOUNDED
@given(labelled(), selections)
def test_the_warning_comes_where_a_wait_was_left_out(project: Project, selection: Selection) -> None:
    """Where the plan of everything has an action wait for one that is left out, somebody on the way is warned."""
    whole, part = make_plan(project, Selection()), make_plan(project, selection)
    choice = selection.choose(project.desired)
    warned = {f.address for f in part.findings if f.code == "dependency_left_out"}
    acting = {action.address for action in part.actions}
    assert warned <= (choice.chosen if selection.with_dependencies else acting)
    for action in whole.actions:
        behind = needed_by(project, action.address)
        ahead = {Address.parse(entry.rpartition("#")[0]) for entry in action.requires} & behind
        if action.address in acting and ahead - choice.chosen:
            assert warned & ({action.address} | behind)


@BOUNDED
@given(labelled(), selections)
def test_dependencies_are_complete_but_for_what_is_excluded(project: Project, selection: Selection) -> None:
    """A target brings all that it needs; an exclude wins, and is told by who needs what it cuts off."""
    choice = replace(selection, with_dependencies=True).choose(project.desired)
    plain = replace(selection, with_dependencies=False).choose(project.desired)
    assert plain.chosen <= choice.chosen
    for address in choice.chosen:
        assert all(selection.is_excluded(other) for other in needed_by(project, address) - choice.chosen)
    plan = make_plan(project, replace(selection, with_dependencies=True))
    warned = {f.address for f in plan.findings if f.code == "dependency_left_out"}
    needs = {entry.address: set(entry.depends_on) for entry in project.desired}
    assert warned >= {address for address in choice.chosen if needs[address] - choice.chosen}
