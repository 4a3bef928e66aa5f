"""What a component's plan tells beside its actions: nothing that is said may push out something else."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import alone, codes, held, look, plan_one, record, see, see_gray, steps, updates, verbs, want, wish

from statetool.core.deploy import Artifact, Deploy
from statetool.core.model import Drifted, ReplicaRange
from statetool.core.plan import Cause

V, BEFORE, C = "1.4.2", "1.4.1", "1.5.0"
RANGE = ReplicaRange(3, 9)


def test_drift_that_the_plan_reveals_stands_beside_other_drift() -> None:
    """A start reveals the number; the version that was changed outside is listed all the same."""
    observed = see("1.4.3", status="STOPPED", replicas=0, closer=look("1.4.3", V, configured=2))
    recorded = record(wish(V, replicas=4, state="stopped"))
    planned = plan_one(want(V, replicas=4, state="running"), recorded, observed)
    assert alone(planned) == [("version", V, "1.4.3"), ("replicas", 4, 2)]


def test_protected_stands_beside_other_findings() -> None:
    """A refusal by lifecycle.protected says nothing against what else has to be known."""
    observed = see(replicas=12)
    recorded = record(wish(V, replicas=6, state="running"))
    planned = plan_one(want(V, replicas=4, state="running", protected=True), recorded, observed)
    assert codes(planned) == ["overwrites_outside_change", "PROTECTED"]


@pytest.mark.parametrize(
    ("replicas", "above"), [(2, False), (9, False), (10, True)], ids=["below", "at the ceiling", "above"]
)
def test_above_the_maximum_is_told(replicas: int, above: bool) -> None:
    """The ceiling is reported: from the first instance over it."""
    planned = plan_one(want(V, replicas=RANGE), record(wish(V, replicas=RANGE)), see(replicas=replicas))
    assert codes(planned) == (["above_maximum"] if above else [])
    assert verbs(planned) == (["scale 3"] if replicas == 2 else [])


def test_an_enforced_maximum_is_cut_and_not_told() -> None:
    """`enforce_max: true` makes it a difference like any other."""
    enforced = ReplicaRange(3, 9, enforce_max=True)
    planned = plan_one(want(V, replicas=enforced), record(wish(V)), see(replicas=12))
    assert (codes(planned), verbs(planned)) == ([], ["scale 9"])


def test_nothing_is_told_of_a_number_that_the_status_hides() -> None:
    """While graying both versions count: the platform's number says nothing about the ceiling."""
    recorded = record(wish(V, C, replicas=RANGE))
    assert codes(plan_one(want(V, C, replicas=RANGE), recorded, see_gray(replicas=12))) == []


@pytest.mark.parametrize(
    ("rules", "scales"),
    [({}, True), ({"mode": "drift"}, False), ({"mode": "drift", "correct": True}, True)],
    ids=["normal", "drift reported", "drift corrected"],
)
def test_below_the_floor_is_always_scaled_up(rules: dict[str, Any], scales: bool) -> None:
    """Whatever the cause and without any permission; but a report of drift sends nothing."""
    recorded = record(wish(V, replicas=RANGE))
    planned = plan_one(want(V, replicas=RANGE), recorded, see(replicas=1), **rules)
    assert verbs(planned) == (["scale 3"] if scales else [])
    assert [(entry.path, entry.observed) for entry in planned.left_alone] == ([] if scales else [("replicas", 1)])


def test_a_gray_start_counts_the_instances_that_its_own_plan_brings() -> None:
    """One instance is too few, unless the scale of the same plan comes before; a number that is not ours stays."""
    deploy = Deploy(candidate_artifact=Artifact("image", "swr/shop/cart:new"))
    recorded, one = record(wish(V, replicas=1)), see(replicas=1)
    assert codes(plan_one(want(V, C, deploy=deploy), record(wish(V)), one)) == ["GRAY_NEEDS_TWO_INSTANCES"]
    assert codes(plan_one(want(V, C, deploy=deploy, replicas=1), recorded, one)) == ["GRAY_NEEDS_TWO_INSTANCES"]
    assert steps(plan_one(want(V, C, deploy=deploy, replicas=3), recorded, one)) == ["scale 3", "upgrade 1.5.0 gray"]


def test_a_gray_start_counts_instances_that_are_left_alone_as_they_are() -> None:
    """Drift of replicas that is not put back is what the gray release starts with."""
    deploy = Deploy(candidate_artifact=Artifact("image", "swr/shop/cart:new"))
    planned = plan_one(want(V, C, deploy=deploy, replicas=3), record(wish(V, replicas=3)), see(replicas=1))
    assert codes(planned) == ["GRAY_NEEDS_TWO_INSTANCES"]
    corrected = plan_one(
        want(V, C, deploy=deploy, replicas=3, correct=["replicas"]), record(wish(V, replicas=3)), see(replicas=1)
    )
    assert steps(corrected) == ["scale 3", "upgrade 1.5.0 gray"]


def test_the_times_of_a_gray_rule_are_those_of_the_gray_release() -> None:
    """A rule changed outside is dated by `gray`, a number by `replicas`: no field lends its times to another."""
    drifted = {"gray": Drifted("2026-11-23T05:00:00Z", "2026-11-23T06:00:00Z")}
    recorded = record(wish(V, C, 20), drifted=drifted)
    [entry] = plan_one(want(V, C, 20), recorded, see_gray(rule=50)).left_alone
    assert (entry.path, entry.first_wrong_at) == ("gray.weight", "2026-11-23T06:00:00Z")
    both = record(wish(V, replicas=4), drifted=drifted)
    [entry] = plan_one(want(V, replicas=4), both, see(replicas=6)).left_alone
    assert (entry.path, entry.first_wrong_at) == ("replicas", "2026-11-23T08:00:00Z")


def test_what_was_edited_and_changed_outside_is_reported_as_both_by_drift() -> None:
    """Section 9: `drift` reports everything with cause drift or both."""
    planned = plan_one(want(V, replicas=5), record(wish(V, replicas=4)), see(replicas=6), mode="drift")
    assert [(entry.path, entry.cause) for entry in planned.left_alone] == [("replicas", Cause.BOTH)]
    assert (verbs(planned), updates(planned), held(planned)) == ([], {}, [])


def test_the_first_wish_of_a_field_reports_no_drift() -> None:
    """Adopted on a recorded component: no wish, hence nothing that was changed outside."""
    planned = plan_one(want(V, replicas=5), record(wish(V)), see(replicas=6), mode="drift")
    assert planned.left_alone == ()


def test_a_revealed_number_has_its_own_times() -> None:
    """An abort reveals it now; that the rule was wrong since the morning says nothing about the number."""
    drifted = {"gray": Drifted("2026-11-23T05:00:00Z", "2026-11-23T06:00:00Z")}
    recorded = record(wish(V, C, 20, replicas=4), drifted=drifted)
    [entry] = plan_one(want(V, replicas=4), recorded, see_gray(rule=50, configured=1)).left_alone
    assert (entry.path, entry.last_right_at, entry.first_wrong_at) == ("replicas", None, "2026-11-23T08:00:00Z")


def test_the_wish_of_a_range_is_its_nearest_bound_and_that_of_a_rule_the_rule() -> None:
    """A reader compares like with like: a number with a number, a weight with a weight."""
    enforced = ReplicaRange(3, 9, enforce_max=True)
    assert alone(plan_one(want(V, replicas=enforced), record(wish(V, replicas=enforced)), see(replicas=12))) == [
        ("replicas", 9, 12)
    ]
    recorded = record(wish(V, C, 20, replicas=RANGE))
    assert alone(plan_one(want(V, C, 20, replicas=RANGE), recorded, see_gray(rule=50))) == [("gray.weight", 20, 50)]


def test_an_ignored_number_is_not_told_to_be_above_its_maximum() -> None:
    """`lifecycle.ignore` fields are counted in the footer, not spoken of."""
    planned = plan_one(want(V, replicas=RANGE, ignore=["replicas"]), record(wish(V)), see(replicas=12))
    assert (codes(planned), verbs(planned)) == ([], [])


def test_a_gray_start_after_an_abort_counts_a_number_that_is_put_back() -> None:
    """Hidden while graying and changed outside: with permission the scale comes before the start."""
    deploy = Deploy(candidate_artifact=Artifact("image", "swr/shop/cart:new"))
    recorded = record(wish(V, C, replicas=4))
    desired = want(V, "1.6.0", replicas=4, deploy=deploy, correct=["replicas"])
    planned = plan_one(desired, recorded, see_gray(configured=1))
    assert (verbs(planned), codes(planned)) == (["rollback 1.4.2", "scale 4", "upgrade 1.6.0 gray"], [])


def test_a_failed_component_is_told_beside_the_rest_where_nothing_is_sent() -> None:
    """An empty plan must not hide it; a report of drift speaks of drift alone."""
    failed = see(status="FAILED", replicas=12)
    desired, recorded = want(V, replicas=RANGE), record(wish(V, replicas=RANGE))
    assert codes(plan_one(desired, recorded, failed)) == ["above_maximum", "component_failed"]
    assert "component_failed" not in codes(plan_one(desired, recorded, failed, mode="drift"))
    assert "component_failed" not in codes(plan_one(desired, recorded, see(replicas=12)))
