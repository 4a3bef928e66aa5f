"""Numbers of instances that a status hides, and ranges: what a plan does when it ends what hid them (section 2)."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import alone, deployed, held, look, plan_one, record, see, see_gray, updates, verbs, want, wish

from statetool.core.diff import diff_component
from statetool.core.model import Observed, ReplicaRange, StatusClass
from statetool.core.plan import Risk, SendIf
from statetool.core.planner import ComponentPlan

V, BEFORE, C = "1.4.2", "1.4.1", "1.5.0"
RANGE, ENFORCED = ReplicaRange(3, 9), ReplicaRange(3, 9, enforce_max=True)


def stopped(configured: int | None) -> Observed:
    return see(V, status="STOPPED", replicas=0, closer=look(V, BEFORE, configured=configured))


def scales(planned: ComponentPlan) -> list[tuple[str, SendIf, Risk]]:
    """Every scale with its condition and risk."""
    return [
        (verb, action.send_if, action.risk)
        for verb, action in zip(verbs(planned), planned.actions, strict=True)
        if verb.startswith("scale")
    ]


@pytest.mark.parametrize(
    ("wanted", "configured", "expected"),
    [
        pytest.param(RANGE, 5, ("scale 5", SendIf.FEWER, Risk.SCALE_UP), id="inside: none may get lost"),
        pytest.param(RANGE, 3, ("scale 3", SendIf.FEWER, Risk.SCALE_UP), id="at the floor"),
        pytest.param(RANGE, 12, ("scale 12", SendIf.FEWER, Risk.SCALE_UP), id="above a ceiling that is only reported"),
        pytest.param(RANGE, None, ("scale 3", SendIf.FEWER, Risk.SCALE_UP), id="nobody knows: at least the floor"),
        pytest.param(ENFORCED, 9, ("scale 9", SendIf.FEWER, Risk.SCALE_UP), id="at an enforced ceiling"),
    ],
)
def test_an_abort_brings_a_range_back(
    wanted: ReplicaRange, configured: int | None, expected: tuple[str, SendIf, Risk]
) -> None:
    """An autoscaler owns the number inside a range; a version change takes none of it away."""
    recorded = record(wish(V, C, replicas=wanted))
    planned = plan_one(want(V, replicas=wanted), recorded, see_gray(configured=configured))
    assert (scales(planned), alone(planned)) == ([expected], [])


def test_an_enforced_ceiling_is_cut_where_the_range_was_edited() -> None:
    """From what there was to the ceiling: a scale down."""
    recorded = record(wish(V, C, replicas=4))
    planned = plan_one(want(V, replicas=ENFORCED), recorded, see_gray(configured=12))
    assert scales(planned) == [("scale 9", SendIf.DIFFERENT, Risk.SCALE_DOWN)]


@pytest.mark.parametrize(
    ("wanted", "configured", "correct", "expected", "left"),
    [
        pytest.param(RANGE, 1, (), ["start", "scale 3"], [], id="below the floor needs no permission"),
        pytest.param(RANGE, 5, (), ["start"], [], id="inside nothing follows"),
        pytest.param(ENFORCED, 12, (), ["start"], [("replicas", 12)], id="above an enforced ceiling: left alone"),
        pytest.param(ENFORCED, 12, ("replicas",), ["start", "scale 9"], [], id="above it, with permission"),
        pytest.param(4, 9, (), ["start"], [("replicas", 9)], id="a number: left alone"),
        pytest.param(4, None, (), ["start", "scale 4"], [], id="a number that nobody knows is made sure of"),
    ],
)
def test_a_start_reveals_the_number(
    wanted: Any, configured: int | None, correct: tuple[str, ...], expected: list[str], left: list[tuple[str, int]]
) -> None:
    """What was changed outside while it was stopped is known only now, and needs the permission of drift."""
    recorded = record(wish(V, replicas=wanted, state="stopped"))
    planned = plan_one(want(V, replicas=wanted, state="running", correct=correct), recorded, stopped(configured))
    assert verbs(planned) == expected
    assert [(entry.path, entry.observed) for entry in planned.left_alone] == left


def test_an_edited_range_waits_where_nobody_knows_the_number() -> None:
    """It may be met or not: nothing is claimed, nothing recorded."""
    recorded = record(wish(V, C, replicas=4))
    planned = plan_one(want(V, C, replicas=RANGE), recorded, see_gray(configured=None))
    assert held(planned) == [("replicas", "deferred_gray")]
    assert updates(planned) == {}


def test_an_edited_number_that_is_configured_already_is_listed() -> None:
    """A reviewer sees what the state learns, with before and after alike."""
    planned = plan_one(want(V, C, replicas=6), record(wish(V, C, replicas=4)), see_gray(configured=6))
    assert planned.change is not None
    assert [(change.path, change.before, change.after) for change in planned.change.fields] == [("replicas", 6, 6)]
    assert updates(planned) == {"replicas": 6}


def failed_half_way() -> Observed:
    """A gray release that failed: both versions have instances."""
    return see(V, status="FAILED", replicas=6, closer=see_gray().closer)


@pytest.mark.parametrize(
    ("observed", "comparable"),
    [(see(), True), (see(status="FAILED"), True), (failed_half_way(), False), (see_gray(), False), (stopped(4), False)],
    ids=["running", "failed", "failed in a gray release", "graying", "stopped"],
)
def test_where_the_number_can_be_compared(observed: Observed, comparable: bool) -> None:
    """While both versions count, or none does, the platform's number says nothing."""
    diff = diff_component(want(replicas=9), record(wish(replicas=4)), observed)
    assert diff.fields["replicas"].comparable is comparable


@pytest.mark.parametrize(
    ("observed", "enforced"),
    [(see(replicas=2), True), (see(replicas=3), False), (see_gray(replicas=2), False)],
    ids=["below", "at the floor", "hidden"],
)
def test_a_floor_is_enforced_where_it_is_seen_to_be_missed(observed: Observed, enforced: bool) -> None:
    diff = diff_component(want(replicas=RANGE), record(wish(replicas=RANGE)), observed)
    assert diff.fields["replicas"].is_enforced is enforced


def test_state_and_restart_are_comparable_as_far_as_they_are_told() -> None:
    """A job hides whether it runs; a token has nothing to compare with, hence nothing that could hide it."""
    for status, comparable in (("RUNNING", True), ("STOPPED", True), ("UPGRADING", False)):
        observed = see(status=status)
        assert (observed.status_class is StatusClass.BUSY) is not comparable
        for recorded in (None, record(wish(restart="1", state="running")), record(wish(restart="2"))):
            diff = diff_component(want(restart="1", state="running"), recorded, observed)
            assert diff.fields["state"].comparable is comparable
            assert diff.fields["restart"].comparable is True


def test_a_version_left_alone_is_not_listed_among_the_changes() -> None:
    """What a reviewer reads beside the actions is what the actions change."""
    observed = see("1.4.3", replicas=4, closer=look("1.4.3", V))
    planned = plan_one(want(V, replicas=6), record(wish(V, replicas=4)), observed)
    assert planned.change is not None
    assert [change.path for change in planned.change.fields] == ["replicas"]
    assert alone(planned) == [("version", V, "1.4.3")]


def test_a_rule_met_outside_is_recorded_path_by_path() -> None:
    """Of a gray release whose rule was edited and set outside alike, the state learns the rule, not the rest."""
    recorded = record(wish(V, C, 20))
    planned = plan_one(want(V, C, 50), recorded, see_gray(rule=50))
    assert planned.change is not None
    assert [(change.path, change.before, change.after) for change in planned.change.fields] == [("gray.weight", 50, 50)]


def test_a_rule_keeps_its_permission_where_the_stable_version_is_untold() -> None:
    """`lifecycle.drift: {gray: correct}` speaks of the rule of this gray release, whatever else can't be told."""
    untold = see(C, status="GRAYING", closer=look(deployed(C, "grayrelease"), rule=20))
    diff = diff_component(want(V, C, 50), record(wish(V, C, 50)), untold)
    assert diff.fields["version"].permission == "gray"


def test_a_component_without_record_changes_nothing_in_mode_drift() -> None:
    """Drift is measured against a record; where there is none, none is made."""
    planned = plan_one(want(V, replicas=4), None, see(), mode="drift", correct=True)
    assert (planned.change, planned.actions) == (None, ())


def test_adopting_a_component_to_be_stopped_stores_its_token_once() -> None:
    """Section 4: with its record, before any action; the stop has nothing to do with it."""
    planned = plan_one(want(V, state="stopped", restart="1"), None, see())
    assert planned.change is not None
    assert verbs(planned) == ["stop"]
    assert [(u.value, u.after) for u in planned.change.updates if u.field == "restart"] == [("1", ())]
