"""One component: which causes lead to actions, what is left alone, and what a deny leaves of it."""

from __future__ import annotations

import pytest
from core_builders import (
    EARLIER,
    NOW,
    address,
    alone,
    codes,
    held,
    look,
    make_rules,
    plan_one,
    record,
    see,
    see_gray,
    steps,
    updates,
    want,
    wish,
)

from statetool.core.model import Desired, Drifted, Observed, Recorded, Seen
from statetool.core.plan import Cause, Kind, WishUpdate
from statetool.core.planner import plan_component

LONG_AGO = "2026-11-20T08:00:00Z"


def stopped() -> Observed:
    return see(status="STOPPED", replicas=0, closer=look("1.4.2", "1.4.1"))


# Causes x permission

DRIFTS: dict[str, tuple[str, Recorded, Observed, list[str]]] = {
    "replicas": ("replicas", record(wish(replicas=4)), see(replicas=9), ["scale 4"]),
    "version": ("version", record(wish("1.4.2")), see("1.4.3", closer=look("1.4.3", "1.4.2")), ["rollback 1.4.2"]),
    "gray": ("gray", record(wish("1.4.2", "1.5.0", 20)), see_gray(rule=50), ["modify_gray_rule 20"]),
    "state": ("state", record(wish(state="running")), stopped(), ["start"]),
}


def unchanged(recorded: Recorded, *correct: str) -> Desired:
    """The manifest that was applied last."""
    base = want(correct=correct)
    return Desired(base.address, base.origin, recorded.wish, lifecycle=base.lifecycle)


@pytest.mark.parametrize(("field", "recorded", "observed", "back"), DRIFTS.values(), ids=DRIFTS)
class TestDrift:
    """A field that was changed outside, under each permission."""

    def test_is_left_alone(self, field: str, recorded: Recorded, observed: Observed, back: list[str]) -> None:
        """Without permission: no action, no change, listed."""
        planned = plan_one(unchanged(recorded), recorded, observed)
        assert (planned.actions, planned.change) == ((), None)
        assert planned.left_alone
        assert not planned.is_unchanged

    def test_is_put_back_where_the_manifest_allows_it(self, field, recorded, observed, back) -> None:
        planned = plan_one(unchanged(recorded, field), recorded, observed)
        assert (steps(planned), planned.left_alone) == (back, ())

    def test_is_left_alone_where_another_field_is_allowed(self, field, recorded, observed, back) -> None:
        """The permission of a rule is gray's, not the version's, and so on."""
        others = {"replicas", "version", "gray", "state"} - {field}
        planned = plan_one(unchanged(recorded, *others), recorded, observed)
        assert (planned.actions, bool(planned.left_alone)) == ((), True)

    def test_is_put_back_by_correct_drift(self, field, recorded, observed, back) -> None:
        planned = plan_one(unchanged(recorded), recorded, observed, correct=True)
        assert (steps(planned), planned.left_alone) == (back, ())

    def test_records_nothing_new(self, field, recorded, observed, back) -> None:
        """The wish is what it was: putting back is not wishing anew."""
        assert updates(plan_one(unchanged(recorded, field), recorded, observed)) == {}

    def test_drift_reports_it(self, field, recorded, observed, back) -> None:
        """`drift` alone acts on nothing, whatever the manifest allows."""
        planned = plan_one(unchanged(recorded, field), recorded, observed, mode="drift")
        assert (planned.actions, bool(planned.left_alone)) == ((), True)

    def test_drift_correct_needs_the_permission_of_the_manifest(self, field, recorded, observed, back) -> None:
        """--correct is a person's word for a run, lifecycle.drift the owner's: a timer needs the owner's."""
        without = plan_one(unchanged(recorded), recorded, observed, mode="drift", correct=True)
        assert (without.actions, bool(without.left_alone)) == ((), True)
        with_it = plan_one(unchanged(recorded, field), recorded, observed, mode="drift", correct=True)
        assert (steps(with_it), with_it.left_alone) == (back, ())


@pytest.mark.parametrize(
    ("recorded", "cause"),
    [
        (None, Cause.ADOPT),
        (record(), Cause.ADOPT),
        (record(wish(replicas=4)), Cause.MANIFEST),
        (record(wish(replicas=5)), Cause.BOTH),
    ],
    ids=["no record", "no wish", "manifest", "both"],
)
def test_other_causes_need_no_permission(recorded: Recorded | None, cause: Cause) -> None:
    """They come from the manifest, which is the permission."""
    planned = plan_one(want(replicas=6), recorded, see())
    assert steps(planned) == ["scale 6"]
    assert planned.change is not None
    assert [c.cause for c in planned.change.fields] == [cause]
    assert planned.change.updates == (WishUpdate("replicas", 6, ("shop/cart#1",)),)


@pytest.mark.parametrize("correct", [False, True])
def test_a_manifest_never_leads_to_action_in_mode_drift(correct: bool) -> None:
    """An edit, an adoption, a new token: none of them is drift."""
    edited = want("1.4.1", replicas=6, state="stopped", restart="2", correct=["replicas", "version", "state", "gray"])
    recorded = record(wish("1.4.2", replicas=4, state="running", restart="1"))
    planned = plan_one(edited, recorded, see(), mode="drift", correct=correct)
    assert (planned.actions, planned.change, planned.left_alone, planned.held_back) == ((), None, (), ())


def test_mode_drift_records_and_releases_nothing() -> None:
    """It has no business with the wish: that is apply's."""
    planned = plan_one(want(replicas=4), record(wish("1.4.2")), see(), mode="drift", correct=True)
    assert planned.change is None


def test_both_is_reported_by_drift_and_left_to_apply() -> None:
    planned = plan_one(
        want(replicas=6, correct=["replicas"]), record(wish(replicas=4)), see(replicas=9), mode="drift", correct=True
    )
    assert planned.actions == ()
    assert alone(planned) == [("replicas", 4, 9)]
    assert planned.left_alone[0].cause is Cause.BOTH


def test_both_on_a_picture_reports_what_left_the_wish() -> None:
    """Not what the manifest wants instead: weight 20 was wished and is 50, whatever is desired by now."""
    recorded = record(wish("1.4.2", "1.5.0", 20))
    planned = plan_one(want("1.4.2"), recorded, see_gray(rule=50), mode="drift")
    assert alone(planned) == [("gray.weight", 20, 50)]


def test_both_warns_with_all_three_values() -> None:
    planned = plan_one(want(replicas=6), record(wish(replicas=4)), see(replicas=9))
    [finding] = planned.findings
    assert (finding.code, finding.severity) == ("overwrites_outside_change", "warn")
    assert finding.message == "replicas was changed outside as well: recorded 4, observed 9, desired 6"


def test_both_on_a_picture_warns_once() -> None:
    """One field, one warning, with every path that was moved."""
    recorded = record(wish("1.4.2", "1.5.0", 20))
    planned = plan_one(want("1.4.1"), recorded, see("1.4.3", closer=look("1.4.3", "1.4.1")))
    [finding] = planned.findings
    assert finding.code == "overwrites_outside_change"
    assert "version recorded 1.4.2, observed 1.4.3, desired 1.4.1" in finding.message
    assert "gray.version recorded 1.5.0, observed none, desired none" in finding.message


@pytest.mark.parametrize(
    ("desired", "recorded", "observed", "code"),
    [
        (want("2.0.0"), record(wish("1.4.2")), see("1.4.3", closer=look("1.4.3")), "UNKNOWN_VERSION"),
        (want("1.4.2", "1.5.0", 50), record(wish("1.4.2", "1.5.0")), see("1.5.0", closer=look("1.5.0")), "fold_needed"),
    ],
    ids=["denied", "nothing to send"],
)
def test_no_overwriting_is_announced_where_none_happens(desired, recorded, observed, code) -> None:
    planned = plan_one(desired, recorded, observed)
    assert (codes(planned), planned.left_alone) == ([code], ())


# Promotions and upgrades are no correction


def test_drift_correct_never_promotes() -> None:
    """Somebody's release must not be finished by a timer: V runs as a candidate, and is left alone."""
    recorded = record(wish("1.5.0"))
    planned = plan_one(unchanged(recorded, "version", "gray"), recorded, see_gray(), mode="drift", correct=True)
    assert planned.actions == ()
    assert ("version", "1.5.0", "1.4.2") in alone(planned)
    weight = record(wish("1.4.2", "1.5.0", 100))
    planned = plan_one(unchanged(weight, "version", "gray"), weight, see_gray(), mode="drift", correct=True)
    assert planned.actions == ()
    assert alone(planned) == [("gray.weight", 100, 20)]


def test_a_promotion_outside_is_plain_drift_where_nothing_may_be_corrected() -> None:
    """It is listed; the advice to fold it in comes with an edit, or with a plan that may act."""
    recorded = record(wish("1.4.2", "1.5.0"))
    planned = plan_one(unchanged(recorded), recorded, see("1.5.0", closer=look("1.5.0", "1.4.2")))
    assert codes(planned) == []
    assert ("version", "1.4.2", "1.5.0") in alone(planned)


def test_a_promotion_of_ours_is_to_be_folded_in_but_is_no_drift() -> None:
    """Every plan reminds of it, and `drift` has nothing to report."""
    recorded = record(wish("1.4.2", "1.5.0", 100))
    serving = see("1.5.0", closer=look("1.5.0", "1.4.2"))
    assert codes(plan_one(unchanged(recorded), recorded, serving)) == ["fold_needed"]
    reported = plan_one(unchanged(recorded), recorded, serving, mode="drift")
    assert (codes(reported), reported.left_alone) == ([], ())


def test_a_candidate_that_a_job_moves_is_not_called_promoted() -> None:
    """The row shows it while the gray release is still being changed: one platform does, another does not."""
    recorded = record(wish("1.4.2", "1.5.0"))
    assert codes(plan_one(unchanged(recorded), recorded, see("1.5.0", status="UPGRADING"))) == []


def test_a_number_moved_outside_that_only_this_plan_reveals_is_listed() -> None:
    """While graying it could not be compared; the abort ends that, and leaves it as it is."""
    recorded = record(wish("1.4.2", "1.5.0", replicas=4))
    planned = plan_one(want("1.4.2", replicas=4), recorded, see_gray(configured=9))
    assert alone(planned) == [("replicas", 4, 9)]
    corrected = plan_one(want("1.4.2", replicas=4, correct=["replicas"]), recorded, see_gray(configured=9))
    assert (steps(corrected), alone(corrected)) == (["rollback 1.4.2"], [])
    assert corrected.actions[1].goal["replicas"] == 4
    assert "changed outside" in corrected.actions[1].reason


def test_drift_correct_never_starts_a_gray_release_or_deploys() -> None:
    """Neither can be done here at all; it is said, and nothing is sent."""
    deployed_over = record(wish("1.4.2"))
    gone = plan_one(
        unchanged(deployed_over, "version"),
        deployed_over,
        see("1.4.1", closer=look("1.4.1")),
        mode="drift",
        correct=True,
    )
    assert (gone.actions, len(gone.findings)) == ((), 1)


def test_drift_correct_leaves_a_promotion_outside_alone() -> None:
    recorded = record(wish("1.4.2", "1.5.0"))
    planned = plan_one(
        unchanged(recorded, "version", "gray"),
        recorded,
        see("1.5.0", closer=look("1.5.0", "1.4.2")),
        mode="drift",
        correct=True,
    )
    assert planned.actions == ()
    assert ("version", "1.4.2", "1.5.0") in alone(planned)


def test_drift_correct_aborts_a_strange_gray_release_and_keeps_the_instances() -> None:
    """The edit of replicas is none of its business, yet the abort must not lose any."""
    recorded = record(wish("1.4.2", replicas=4))
    planned = plan_one(
        want("1.4.2", replicas=9, correct=["version", "replicas"]), recorded, see_gray(), mode="drift", correct=True
    )
    assert [f"{a.verb} {a.parameters}" for a in planned.actions] == [
        "rollback {'version': '1.4.2'}",
        "scale {'replica': 4}",
    ]
    assert updates(planned) == {}


def test_drift_correct_skips_a_busy_component() -> None:
    recorded = record(wish("1.4.2", replicas=4))
    planned = plan_one(
        unchanged(recorded, "version", "replicas"),
        recorded,
        see("1.5.0", status="UPGRADING", replicas=9, closer=None),
        mode="drift",
        correct=True,
    )
    assert (planned.actions, planned.left_alone, planned.held_back) == ((), (), ())


def test_corrected_drift_the_status_forbids_is_held_back() -> None:
    recorded = record(wish(replicas=4))
    planned = plan_one(unchanged(recorded, "replicas"), recorded, see(status="FAILED", replicas=9))
    assert (planned.actions, held(planned)) == ((), [("replicas", "deferred_failed")])


# Times of what is left alone


def seen(replicas: int, at: str = EARLIER) -> Seen:
    return Seen(at, "1.4.2", replicas, replicas, "RUNNING", "JOB-1")


@pytest.mark.parametrize(
    ("recorded", "right", "wrong"),
    [
        (record(wish(replicas=4), seen=seen(4)), EARLIER, NOW),
        (record(wish(replicas=4)), None, NOW),
        (
            record(wish(replicas=4), seen=seen(9), drifted={"replicas": Drifted(LONG_AGO, EARLIER)}),
            LONG_AGO,
            EARLIER,
        ),
        (
            record(wish(replicas=4), seen=seen(7), drifted={"replicas": Drifted(LONG_AGO, EARLIER)}),
            LONG_AGO,
            EARLIER,
        ),
        (record(wish(replicas=4), seen=seen(9)), None, NOW),
    ],
    ids=["seen right before", "never seen", "known to be wrong", "wrong in another way", "seen wrong, not noted"],
)
def test_since_when(recorded: Recorded, right: str | None, wrong: str) -> None:
    """When it was last seen right, and when first seen wrong: as far as the state knows, else now."""
    [entry] = plan_one(want(replicas=4), recorded, see(replicas=9)).left_alone
    assert (entry.last_right_at, entry.first_wrong_at) == (right, wrong)


def test_a_picture_that_moved_on_is_wrong_since_its_rule_was() -> None:
    """First the weight was changed outside, now the release is gone: wrong since the first."""
    recorded = record(wish("1.4.2", "1.5.0"), drifted={"gray": Drifted(LONG_AGO, EARLIER)})
    entries = plan_one(want("1.4.2", "1.5.0"), recorded, see("1.4.2")).left_alone
    assert {(e.last_right_at, e.first_wrong_at) for e in entries} == {(LONG_AGO, EARLIER)}


# Adopting


def test_adopting_makes_a_record_though_nothing_differs() -> None:
    planned = plan_one(want("1.4.2", replicas=4, restart="1"), None, see())
    assert planned.change is not None
    assert (planned.change.kind, planned.change.action_ids) == (Kind.ADOPT, ())
    assert all(update.after == () for update in planned.change.updates)
    assert {c.path for c in planned.change.fields} == {"version", "replicas", "restart"}
    assert {c.cause for c in planned.change.fields} == {Cause.ADOPT}


def test_adopting_a_component_that_manages_nothing() -> None:
    """It is in the manifests, so it gets a record."""
    planned = plan_one(want(), None, see())
    assert planned.change is not None and planned.change.kind is Kind.ADOPT


def test_adopting_acts_where_fields_differ() -> None:
    """No wish, no drift: what the manifest says is done."""
    planned = plan_one(want("1.4.1", replicas=6, state="running"), None, see())
    assert steps(planned) == ["rollback 1.4.1", "scale 6"]
    assert planned.left_alone == ()


def test_what_is_recorded_and_equal_is_no_change() -> None:
    everything = wish("1.4.2", replicas=4, state="running", restart="1")
    planned = plan_one(want("1.4.2", replicas=4, state="running", restart="1"), record(everything), see())
    assert planned.change is None
    assert planned.is_unchanged


def test_moving_is_a_change_without_action() -> None:
    """The record is kept under its new address."""
    old = address("basket")
    planned = plan_component(want(replicas=4), record(wish(replicas=4), name="basket"), see(), make_rules(), old)
    assert planned.change is not None
    assert (planned.change.kind, planned.change.moved_from) == (Kind.MOVE, old)
    assert (planned.actions, planned.change.updates) == ((), ())


def test_correcting_a_moved_component_moves_its_record_along() -> None:
    """A record under the old address would not be found by what the correction writes down."""
    old = address("basket")
    recorded = record(wish(replicas=4), name="basket")
    rules = make_rules(mode="drift", correct=True)
    planned = plan_component(want(replicas=4, correct=["replicas"]), recorded, see(replicas=9), rules, old)
    assert planned.change is not None
    assert (planned.change.kind, planned.change.moved_from) == (Kind.MOVE, old)
    left = plan_component(want(replicas=4), recorded, see(replicas=9), rules, old)
    assert left.change is None
    assert [entry.address for entry in left.left_alone] == [address("cart")]


# Protected


@pytest.mark.parametrize(
    ("desired", "refused"),
    [
        (want(replicas=6, protected=True), False),
        (want(replicas=2, protected=True), True),
        (want(replicas=0, protected=True), True),
        (want("1.4.1", protected=True), True),
        (want(state="stopped", protected=True), True),
        (want(restart="2", protected=True), True),
        (want(replicas=6, restart="2", protected=True), True),
        (want("1.4.2", replicas=4, protected=True), False),
    ],
    ids=["scale up", "scale down", "scale to zero", "rollback", "stop", "restart", "up and restart", "nothing"],
)
def test_protected_lets_only_a_scale_up_through(desired: Desired, refused: bool) -> None:
    recorded = record(wish("1.4.2", replicas=4, state="running", restart="1"))
    planned = plan_one(desired, recorded, see())
    assert codes(planned) == (["PROTECTED"] if refused else [])
    assert bool(planned.actions) is (desired.wish.replicas == 6 and not refused)
    if refused:
        assert planned.change is None
        let_through = plan_one(desired, recorded, see(), overrides=["protected"])
        assert (codes(let_through), bool(let_through.actions)) == ([], True)


def test_protected_refuses_corrections_too() -> None:
    recorded = record(wish(replicas=4))
    down = plan_one(want(replicas=4, protected=True, correct=["replicas"]), recorded, see(replicas=9))
    assert (down.actions, codes(down)) == ((), ["PROTECTED"])
    up = plan_one(want(replicas=4, protected=True, correct=["replicas"]), recorded, see(replicas=1))
    assert (steps(up), codes(up)) == (["scale 4"], [])


# Ignore


def test_an_ignored_field_is_never_changed_and_always_counted() -> None:
    recorded = record(wish(replicas=4))
    for desired in (want(replicas=6, ignore=["replicas"]), want(replicas=4, ignore=["replicas"])):
        planned = plan_one(desired, recorded, see(replicas=9), correct=True)
        assert (planned.actions, planned.left_alone, planned.ignored) == ((), (), 1)


def test_an_ignored_field_hides_no_other() -> None:
    planned = plan_one(
        want(replicas=6, state="stopped", ignore=["replicas"]), record(wish(replicas=4, state="running"))
    )
    assert (steps(planned), planned.ignored) == (["stop"], 1)


def test_an_ignored_number_survives_a_version_change() -> None:
    """It is not managed, so the version change must not shrink it either."""
    planned = plan_one(
        want("1.4.1", replicas=2, ignore=["replicas"]), record(wish("1.4.2", replicas=2)), see(replicas=8)
    )
    assert [str(a.verb) for a in planned.actions] == ["rollback", "scale"]
    assert planned.actions[1].goal["replicas"] == 8


# A deny


def test_a_deny_takes_everything_of_the_component() -> None:
    """The scale is possible, but half of a change is nobody's wish; nor is it recorded as begun."""
    planned = plan_one(want("2.0.0", replicas=6, restart="1"), None, see())
    assert planned.is_denied
    assert (planned.actions, planned.change, planned.held_back) == ((), None, ())


def test_a_deny_still_reports_drift_beside_it() -> None:
    planned = plan_one(want("2.0.0", replicas=4), record(wish("1.4.2", replicas=4)), see(replicas=9))
    assert (planned.is_denied, alone(planned)) == (True, [("replicas", 4, 9)])


@pytest.mark.parametrize(
    ("desired", "status", "warned"),
    [
        (want("1.4.2"), "FAILED", ["component_failed"]),
        (want("1.4.2"), "RUNNING", []),
        (want("1.4.1"), "FAILED", []),  # it is rolled back
        (want("1.4.2", replicas=6), "FAILED", []),  # it is held back, and told there
    ],
)
def test_an_empty_plan_does_not_hide_that_a_component_failed(desired: Desired, status: str, warned: list[str]) -> None:
    """After an upgrade that failed, the version wished for is there: everything looks as it should."""
    assert codes(plan_one(desired, record(wish("1.4.2", replicas=4)), see(status=status))) == warned
