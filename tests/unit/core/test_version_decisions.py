"""The rows of the version picture asked directly: what stands in a decision, and what must not stand beside a deny.

`test_version_rows.py` has every row as a whole plan; here are the promises that a plan as a whole does not show,
and rows whose neighbours would answer the same in most worlds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from core_builders import codes, deployed, held, look, plan_one, record, see, see_gray, steps, updates, want, wish

from statetool.core.deploy import Artifact, Deploy, GrayStart
from statetool.core.model import Desired, Observed, Recorded, Rejection
from statetool.core.picture import version_picture
from statetool.core.rejection import find_ended_outside
from statetool.core.sent_along import deployed_by
from statetool.core.situation import Decision, Situation
from statetool.core.version_rows import decide_version

V, BEFORE, OLD, C, NEW = "1.4.2", "1.4.1", "1.4.0", "1.5.0", "2.0.0"
WRITTEN = Deploy(Artifact("image", "swr/shop/cart:new"), Artifact("image", "swr/shop/cart:candidate"))


def decide(
    desired: Desired, recorded: Recorded | None, observed: Observed, overrides: Iterable[str] = (), **fields: Any
) -> Decision:
    """The decision alone; four instances, unless `instances` says otherwise."""
    assert desired.wish.picture is not None
    return decide_version(
        Situation(
            address=desired.address,
            wanted=desired.wish.picture,
            wish=recorded.wish.picture if recorded else None,
            seen=version_picture(observed, recorded),
            observed=observed,
            recorded=recorded,
            rejected=recorded.rejected if recorded else (),
            overrides=frozenset(overrides),
            is_drift=False,
            deploy=desired.deploy,
            **{"instances": 4, **fields},
        )
    )


GRAY = record(wish(V, C))
SERVING = see(V, closer=look(V, BEFORE, OLD))


@pytest.mark.parametrize(
    ("desired", "recorded", "observed", "fields"),
    [
        pytest.param(want(C, NEW), GRAY, see_gray(), {}, id="promote, then a candidate nobody knows"),
        pytest.param(want(V, NEW), GRAY, see_gray(), {}, id="abort, then a candidate nobody knows"),
        pytest.param(
            want(V, NEW, deploy=WRITTEN), GRAY, see_gray(), {"instances": 1}, id="abort, then too few instances"
        ),
        pytest.param(want(C, NEW, deploy=WRITTEN), GRAY, see_gray(), {"has_hosts": True}, id="promote, then machines"),
        pytest.param(want(OLD, C, deploy=WRITTEN), record(wish(V)), SERVING, {}, id="a version too deep, then gray"),
        pytest.param(want(BEFORE, C), record(wish(V)), SERVING, {}, id="a rollback, then a candidate nobody knows"),
        pytest.param(want(OLD), GRAY, see_gray(older=(BEFORE, OLD)), {}, id="abort, then a version too deep"),
        pytest.param(want(NEW), GRAY, see_gray(), {}, id="abort, then a version nobody knows"),
    ],
)
def test_a_deny_takes_no_step(desired: Desired, recorded: Recorded, observed: Observed, fields: dict[str, Any]) -> None:
    """Not even those that would have been possible before the one that is not (section 7: a deny blocks)."""
    decision = decide(desired, recorded, observed, **fields)
    assert decision.is_deny
    assert decision.steps == ()


def test_a_candidate_that_the_manifest_names_as_its_version_is_nobody_elses() -> None:
    """V, no gray; graying, G = V: promoted also where no wish is recorded yet."""
    assert codes(plan_one(want(C), None, see_gray())) == []
    assert steps(plan_one(want(C), None, see_gray())) == ["continue_deploy"]


def test_an_abort_before_a_version_that_was_used_before() -> None:
    """V is neither and was recorded after S: a warning is no reason to leave the abort out."""
    closer = look(deployed(C, "grayrelease"), "1.4.3", deployed(V, current=True), image=f"swr/shop/cart:{C}", rule=20)
    planned = plan_one(want("1.4.3"), GRAY, see(V, status="GRAYING", closer=closer))
    assert steps(planned) == ["rollback 1.4.2", "upgrade 1.4.3"]
    assert codes(planned) == ["version_reused"]


def test_first_the_version_then_the_candidate_keep_their_warnings() -> None:
    """V + gray C, S another: both were used before, and each is told."""
    closer = look("1.4.3", C, deployed(V, current=True), deployed(BEFORE), image=f"swr/shop/cart:{V}")
    planned = plan_one(want("1.4.3", C), record(wish(V)), see(V, closer=closer))
    assert steps(planned) == ["upgrade 1.4.3", "upgrade 1.5.0 gray"]
    assert codes(planned) == ["version_reused", "version_reused"]
    only_stable = look("1.4.3", deployed(V, current=True), deployed(BEFORE), image=f"swr/shop/cart:{V}")
    assert codes(plan_one(want("1.4.3", C), record(wish(V)), see(V, closer=only_stable))) == ["version_reused"]


@pytest.mark.parametrize("verb", ["rollback", "rollback_current", "abort"])
def test_every_way_back_counts_as_a_rollback(verb: str) -> None:
    """Section 3: an abort counts as a rollback, by whichever verb it was sent."""
    recorded = record(wish(V), history=[(C, "upgrade"), (V, verb)])
    assert codes(plan_one(want(BEFORE), recorded, SERVING)) == ["ROLLBACK_TWICE"]


@pytest.mark.parametrize("status", ["RUNNING", "STOPPED"])
def test_a_gray_release_ended_outside_is_seen(status: str) -> None:
    """Whether it runs or has been stopped since: the candidate is gone, and does not return by itself."""
    observed = see(V, status=status, closer=look(V, BEFORE))
    found = find_ended_outside(GRAY, observed, version_picture(observed, GRAY), "now")
    assert found == Rejection(C, "now", "outside", "ended outside", "JOB-1")


@pytest.mark.parametrize("status", ["GRAYING", "FAILED", "UPGRADING"])
def test_what_is_busy_or_broken_was_not_ended(status: str) -> None:
    """A gray release that is being promoted, or whose cluster can't be reached, may go on."""
    observed = see(V, status=status, closer=look(V, BEFORE))
    assert find_ended_outside(GRAY, observed, version_picture(see(V), GRAY), "now") is None


def test_what_was_rejected_before_stays_rejected_when_more_is_seen() -> None:
    """The latch looks at the stored rejections and at what was ended outside just now."""
    recorded = record(wish(V, C), rejected=["1.6.0"])
    assert codes(plan_one(want(V, "1.6.0", deploy=WRITTEN), recorded, SERVING)) == ["VERSION_REJECTED"]


def test_a_gray_start_is_not_refused_for_a_number_that_nobody_knows() -> None:
    """Fewer than two *observed* instances are a reason; none observed is not."""
    decision = decide(want(V, C, deploy=WRITTEN), record(wish(V)), SERVING, instances=None)
    assert [str(step.kind) for step in decision.steps] == ["gray_start"]


@pytest.mark.parametrize(("batches", "requests"), [(3, 4), (None, 2)])
def test_a_start_with_all_traffic_is_promoted_batch_by_batch(batches: int | None, requests: int) -> None:
    """Up to remaining batches + 1 requests; the platform takes one batch where the manifest names none."""
    deploy = replace(WRITTEN, gray=GrayStart(remaining_batches=batches))
    planned = plan_one(want(V, C, 100, deploy=deploy), record(wish(V)), SERVING)
    assert steps(planned) == ["upgrade 1.5.0 gray", "continue_deploy"]
    assert [action.max_requests for action in planned.actions if action.verb == "continue_deploy"] == [requests]


def test_the_image_of_a_candidate_follows_the_one_that_is_written() -> None:
    """The tag follows the version also where the manifest writes the image of `version` and nobody knows another."""
    deploy = Deploy(Artifact("image", f"swr/shop/cart:{V}"))
    [started] = decide(want(V, C, deploy=deploy), record(wish(V)), SERVING).steps
    assert started.artifact == Artifact("image", f"swr/shop/cart:{C}")


def test_the_image_of_the_stable_version_is_followed_while_the_row_shows_the_candidate() -> None:
    """Whichever of the versions that serve the address ends in."""
    observed = see_gray(row=C, image=f"swr/shop/cart:{V}")
    decision = decide(want(NEW), GRAY, observed)
    assert [step.artifact for step in decision.steps] == [None, Artifact("image", f"swr/shop/cart:{NEW}")]


def test_an_image_that_stays_is_no_change() -> None:
    """An address without a version in it may serve every version."""
    image = Artifact("image", "swr/shop/cart:new")
    observed = see(V, closer=look(V, BEFORE, image=image.url))
    planned = plan_one(want(NEW, deploy=WRITTEN), record(wish(V)), observed)
    assert planned.change is not None
    assert [change.path for change in planned.change.fields] == ["version"]
    other = plan_one(want(NEW, deploy=WRITTEN), record(wish(V)), SERVING)
    assert other.change is not None
    assert [(c.path, c.before, c.after) for c in other.change.fields][1:] == [("image", None, image.url)]


def test_a_rejected_version_that_was_cleared_may_be_wished_again() -> None:
    """`rollout clear ADDRESS VERSION --reason TEXT` lifts the latch."""
    entry = Rejection(C, "2026-11-22T20:00:00Z", "ann@ci", "rolled back by statetool", cleared="fixed in the database")
    for rejected, expected in ((entry, []), (replace(entry, cleared=None), ["VERSION_REJECTED"])):
        planned = plan_one(want(V, C, deploy=WRITTEN), record(wish(V), rejected=[rejected]), SERVING)
        assert codes(planned) == expected


def test_a_deny_is_told_without_warnings_about_steps_that_are_not_taken() -> None:
    """V could be reached by a version used before, but C is unknown: only that has to be solved."""
    closer = look("1.4.3", deployed(V, current=True), deployed(BEFORE))
    deploy = Deploy(Artifact("image", "swr/shop/cart:stable"))
    planned = plan_one(want("1.4.3", C, deploy=deploy), record(wish(V)), see(V, closer=closer))
    assert codes(planned) == ["UNKNOWN_VERSION"]


def test_a_gray_start_waits_while_the_component_has_failed() -> None:
    """Neither start nor scale nor check: everything is held back, also where the number was edited."""
    for gray in (GrayStart(), GrayStart(precheck=True)):
        desired = want(V, C, deploy=replace(WRITTEN, gray=gray))
        planned = plan_one(desired, record(wish(V)), see(V, status="FAILED", closer=look(V, BEFORE)))
        assert (planned.actions, {code for _, code in held(planned)}) == ((), {"deferred_failed"})


def test_both_deployments_of_one_plan_are_recorded_as_the_last_one_sent_it() -> None:
    """First reach V, then start C: what goes along was sent with C in the end."""
    deploy = replace(WRITTEN, env={"LOG": "debug"})
    planned = plan_one(want(NEW, C, deploy=deploy), record(wish(V)), SERVING)
    assert steps(planned) == ["upgrade 2.0.0", "upgrade 1.5.0 gray"]
    assert updates(planned)["deployed"] == deployed_by(deploy, C)


def test_without_any_detail_nothing_is_known_and_nothing_breaks() -> None:
    """A row alone names no image; a manifest may."""
    row = see(V, closer=None)
    assert codes(plan_one(want(NEW), record(wish(V)), row)) == ["UNKNOWN_VERSION"]
    planned = plan_one(want(NEW, deploy=WRITTEN), record(wish(V)), row)
    assert planned.change is not None
    assert steps(planned) == ["upgrade 2.0.0"]
    assert ("image", None, "swr/shop/cart:new") in [(c.path, c.before, c.after) for c in planned.change.fields]


def test_a_rule_beside_one_that_nobody_knows_may_raise_the_traffic() -> None:
    """Without an observed rule the candidate is taken to have no traffic: the careful reading."""
    untold = see(V, status="GRAYING", closer=look(deployed(C, "grayrelease"), deployed(V, current=True), rule=None))
    [action] = plan_one(want(V, C, 1), record(wish(V, C, 20)), untold).actions
    assert (action.verb, action.risk, action.traffic_percent) == ("modify_gray_rule", "traffic", 1)
