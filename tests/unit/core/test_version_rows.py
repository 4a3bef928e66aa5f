"""The rows of the version picture (semantics, section 3), each as a whole plan of one component.

Where nothing else is said the manifest was edited: a recorded wish matches what is observed. 1.4.2 serves, 1.4.1 is
the version before it, 1.4.0 an older one, 1.5.0 a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from core_builders import (
    NOW,
    alone,
    codes,
    content,
    deployed,
    look,
    plan_one,
    record,
    see,
    see_gray,
    steps,
    updates,
    want,
    wish,
)

from statetool.core.deploy import Artifact, Deploy, GrayStart
from statetool.core.guards import GUARD_CODES
from statetool.core.model import Desired, Observed, Recorded, Rejection
from statetool.core.plan import OVERRIDABLE, Risk, Verb

V, BEFORE, OLD, C = "1.4.2", "1.4.1", "1.4.0", "1.5.0"


def serving(version: str = V, *older: str, **fields: Any) -> Observed:
    """A version alone, with what was deployed before it; its image is not known."""
    return see(version, closer=look(version, *(older or (BEFORE, OLD))), **fields)


def tagged(version: str = V, *older: str, **fields: Any) -> Observed:
    """The same with an image whose tag is the version."""
    return see(version, closer=look(version, *(older or (BEFORE, OLD)), image=f"swr/shop/cart:{version}"), **fields)


def graying(**fields: Any) -> Observed:
    """1.5.0 beside 1.4.2; its image is the candidate's, with the version as its tag."""
    return see_gray(image=f"swr/shop/cart:{C}", **fields)


@dataclass(frozen=True)
class Row:
    """What is wished and observed, and what follows. `overrides` are tried on top and must lead to `then`."""

    desired: Desired
    recorded: Recorded | None
    observed: Observed
    steps: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    overrides: tuple[str, ...] = ()
    then: list[str] = field(default_factory=list)


GRAY = record(wish(V, C))
UNTOLD = see(C, status="GRAYING", closer=look(deployed(C, "grayrelease"), rule=20))

ROWS = {
    # V, no gray
    "V: serves already": Row(want(V), record(wish(V)), serving()),
    "V: is the candidate, promote": Row(want(C), GRAY, see_gray(), ["continue_deploy"]),
    "V: is the stable version, abort": Row(want(V), GRAY, see_gray(), ["rollback 1.4.2"]),
    "V: is neither, abort only, for more is a second rollback": Row(
        want(BEFORE),
        GRAY,
        see_gray(),
        ["rollback 1.4.2"],
        ["second_step_needed"],
        ("rollback_twice",),
        ["rollback 1.4.2", "rollback 1.4.1"],
    ),
    "V: is neither, was never recorded, and no image is known, no part of it": Row(
        want("2.0.0"), GRAY, see_gray(), [], ["UNKNOWN_VERSION"]
    ),
    "V: is neither and is new, an abort is no second rollback": Row(
        want("2.0.0"), GRAY, graying(), ["rollback 1.4.2", "upgrade 2.0.0"]
    ),
    "V: is neither and was rejected, no part of it": Row(
        want(BEFORE),
        record(wish(V, C), rejected=[BEFORE]),
        see_gray(),
        [],
        ["VERSION_REJECTED"],
        ("version_rejected", "rollback_twice"),
        ["rollback 1.4.2", "rollback 1.4.1"],
    ),
    "V: was rejected and is the candidate": Row(
        want(C),
        record(wish(V, C), rejected=[C]),
        see_gray(),
        [],
        ["VERSION_REJECTED"],
        ("version_rejected",),
        ["continue_deploy"],
    ),
    "V: its stable version can't be told": Row(want(V), GRAY, UNTOLD, [], ["GRAY_UNCLEAR"]),
    "V: the version before": Row(want(BEFORE), record(wish(V)), serving(), ["rollback 1.4.1"]),
    "V: older than the version before": Row(
        want(OLD), record(wish(V)), serving(), [], ["DEEP_ROLLBACK"], ("deep_rollback",), ["rollback 1.4.0"]
    ),
    "V: the version before, after a rollback of ours": Row(
        want(OLD),
        record(wish(BEFORE), history=[(V, "upgrade"), (BEFORE, "rollback")]),
        serving(BEFORE, OLD),
        [],
        ["ROLLBACK_TWICE"],
        ("rollback_twice",),
        ["rollback 1.4.0"],
    ),
    "V: the version before, after an abort of ours": Row(
        want(BEFORE),
        record(wish(V), history=[(V, "abort")]),
        serving(),
        [],
        ["ROLLBACK_TWICE"],
        ("rollback_twice",),
        ["rollback 1.4.1"],
    ),
    "V: the version before, after a rollback outside": Row(
        want(OLD),
        record(wish(V)),
        serving(BEFORE, OLD),
        [],
        ["ROLLBACK_TWICE"],
        ("rollback_twice",),
        ["rollback 1.4.0"],
    ),
    "V: the version before, after a gray release ended outside": Row(
        want(BEFORE),
        GRAY,
        serving(),
        [],
        ["ROLLBACK_TWICE"],
        ("rollback_twice",),
        ["rollback 1.4.1"],
    ),
    "V: the version before, after a promotion of ours": Row(
        want(BEFORE), record(wish(V), history=[(V, "continue_deploy")]), serving(), ["rollback 1.4.1"]
    ),
    "V: the version before, long after the wished one was rejected by us": Row(
        want(BEFORE),
        record(wish(V), rejected=[V]),
        serving("1.4.3", BEFORE),
        ["rollback 1.4.1"],
        ["overwrites_outside_change"],
    ),
    "V: the version before, after a rollback and another version": Row(
        want(V), record(wish("1.4.3"), history=[(V, "rollback")]), serving("1.4.3", V), ["rollback 1.4.2"]
    ),
    "V: the version before, after a gray release ended outside and another version": Row(
        want(V),
        record(wish(V, C), rejected=[Rejection(C, NOW, "outside", "ended outside")]),
        serving("1.4.3", V),
        ["rollback 1.4.2"],
        ["overwrites_outside_change"],
    ),
    "V: never recorded, the tag follows": Row(want("2.0.0"), record(wish(V)), tagged(), ["upgrade 2.0.0"]),
    "V: never recorded, its image is written": Row(
        want("2.0.0", deploy=Deploy(Artifact("image", "swr/shop/new"))), record(wish(V)), serving(), ["upgrade 2.0.0"]
    ),
    "V: never recorded, no image is known": Row(want("2.0.0"), record(wish(V)), serving(), [], ["UNKNOWN_VERSION"]),
    "V: recorded after S": Row(
        want("1.4.3"),
        record(wish(V)),
        see(V, closer=look("1.4.3", deployed(V, current=True), deployed(BEFORE), image=f"swr/shop/cart:{V}")),
        ["upgrade 1.4.3"],
        ["version_reused"],
    ),
    "V: rolled back by us before": Row(
        want(V),
        record(wish(BEFORE), rejected=[V]),
        tagged(BEFORE, OLD),
        [],
        ["VERSION_REJECTED"],
        ("version_rejected",),
        ["upgrade 1.4.2"],
    ),
    # V + gray C
    "V+C: as it runs": Row(want(V, C), GRAY, see_gray()),
    "V+C: higher weight": Row(want(V, C, 50), GRAY, see_gray(), ["modify_gray_rule 50"]),
    "V+C: rules instead of a weight": Row(want(V, C, content("b")), GRAY, see_gray(), ["modify_gray_rule any"]),
    "V+C: weight 100 promotes": Row(want(V, C, 100), GRAY, see_gray(), ["continue_deploy"]),
    "V+C: the stable version can't be told, the rule differs": Row(
        want(V, C, 50), record(wish(V, C)), UNTOLD, ["modify_gray_rule 50"]
    ),
    "V+C: candidate was rejected, rule differs": Row(
        want(V, C, 50),
        record(wish(V, C), rejected=[C]),
        see_gray(),
        [],
        ["VERSION_REJECTED"],
        ("version_rejected",),
        ["modify_gray_rule 50"],
    ),
    "V+C: the candidate runs beside another stable version": Row(
        want(BEFORE, C), GRAY, see_gray(), [], ["GRAY_ON_OTHER_STABLE"]
    ),
    "V+C: V is the candidate, promote it and start the next": Row(
        want(C, "1.6.0"), GRAY, graying(), ["continue_deploy", "upgrade 1.6.0 gray"]
    ),
    "V+C: V is the candidate, and no image of the next is known": Row(
        want(C, "1.6.0"), GRAY, see_gray(), [], ["UNKNOWN_VERSION"]
    ),
    "V+C: another candidate runs, abort it and start": Row(
        want(V, "1.6.0"), GRAY, graying(), ["rollback 1.4.2", "upgrade 1.6.0 gray"]
    ),
    "V+C: another candidate runs, and there are too few instances": Row(
        want(V, "1.6.0"), GRAY, graying(configured=1), [], ["GRAY_NEEDS_TWO_INSTANCES"]
    ),
    "V+C: another candidate beside another stable version, abort only": Row(
        want(BEFORE, "1.6.0"), GRAY, see_gray(), ["rollback 1.4.2"], ["second_step_needed"]
    ),
    "V+C: the same with a rejected candidate": Row(
        want(BEFORE, "1.6.0"), record(wish(V, C), rejected=["1.6.0"]), see_gray(), [], ["VERSION_REJECTED"]
    ),
    "V+C: the same with a stable version that can't be told": Row(
        want(BEFORE, "1.6.0"), GRAY, UNTOLD, [], ["GRAY_UNCLEAR"]
    ),
    "V+C: the same with a rejected stable version": Row(
        want(BEFORE, "1.6.0"), record(wish(V, C), rejected=[BEFORE]), see_gray(), [], ["VERSION_REJECTED"]
    ),
    "V+C: V is the candidate, and the next candidate was rejected": Row(
        want(C, "1.6.0"), record(wish(V, C), rejected=["1.6.0"]), see_gray(), [], ["VERSION_REJECTED"]
    ),
    "V+C: has to be started": Row(want(V, C), record(wish(V)), tagged(), ["upgrade 1.5.0 gray"]),
    "V+C: has to be started, asking the platform first": Row(
        want(V, C, deploy=Deploy(gray=GrayStart(precheck=True))),
        record(wish(V)),
        tagged(),
        ["check_gray_release", "upgrade 1.5.0 gray"],
    ),
    "V+C: has to be started with all the traffic, and promoted": Row(
        want(V, C, 100), record(wish(V)), tagged(), ["upgrade 1.5.0 gray", "continue_deploy"]
    ),
    "V+C: has to be started from an image that is written": Row(
        want(V, C, deploy=Deploy(candidate_artifact=Artifact("image", "swr/shop/new"))),
        record(wish(V)),
        serving(),
        ["upgrade 1.5.0 gray"],
    ),
    "V+C: has to be started, and no image is known": Row(
        want(V, C), record(wish(V)), serving(), [], ["UNKNOWN_VERSION"]
    ),
    "V+C: the candidate was deployed before": Row(
        want(V, BEFORE), record(wish(V)), tagged(), ["upgrade 1.4.1 gray"], ["version_reused"]
    ),
    "V+C: one instance": Row(want(V, C), record(wish(V)), tagged(replicas=1), [], ["GRAY_NEEDS_TWO_INSTANCES"]),
    "V+C: one instance, scaled by the same plan": Row(
        want(V, C, replicas=2), record(wish(V, replicas=1)), tagged(replicas=1), ["scale 2", "upgrade 1.5.0 gray"]
    ),
    "V+C: one instance, scaled before the platform is asked": Row(
        want(V, C, replicas=2, deploy=Deploy(gray=GrayStart(precheck=True))),
        record(wish(V, replicas=1)),
        tagged(replicas=1),
        ["scale 2", "check_gray_release", "upgrade 1.5.0 gray"],
    ),
    "V+C: two instances": Row(want(V, C), record(wish(V)), tagged(replicas=2), ["upgrade 1.5.0 gray"]),
    "V+C: the first batch would take all": Row(
        want(V, C, deploy=Deploy(gray=GrayStart(first_batch_replicas=4))),
        record(wish(V)),
        tagged(),
        [],
        ["FIRST_BATCH_TOO_LARGE"],
    ),
    "V+C: the first batch leaves one": Row(
        want(V, C, deploy=Deploy(gray=GrayStart(first_batch_replicas=3))),
        record(wish(V)),
        tagged(),
        ["upgrade 1.5.0 gray"],
    ),
    "V+C: on machines": Row(want(V, C, hosts=["ecs-1"]), record(wish(V)), tagged(), [], ["GRAY_ON_MACHINES"]),
    "V+C: candidate was rejected": Row(
        want(V, C),
        record(wish(V), rejected=[C]),
        tagged(),
        [],
        ["VERSION_REJECTED"],
        ("version_rejected",),
        ["upgrade 1.5.0 gray"],
    ),
    "V+C: ended outside, and the rule was edited": Row(
        want(V, C, 50),
        GRAY,
        tagged(),
        [],
        ["VERSION_REJECTED"],
        ("version_rejected",),
        ["upgrade 1.5.0 gray"],
    ),
    "V+C: first V has to be reached, by a rollback": Row(
        want(BEFORE, C), record(wish(V)), tagged(), ["rollback 1.4.1", "upgrade 1.5.0 gray"]
    ),
    "V+C: first V has to be reached, by an upgrade": Row(
        want("2.0.0", "2.1.0"), record(wish(V)), tagged(), ["upgrade 2.0.0", "upgrade 2.1.0 gray"]
    ),
    "V+C: first V has to be reached, and can't": Row(
        want(OLD, C),
        record(wish(V)),
        tagged(),
        [],
        ["DEEP_ROLLBACK"],
        ("deep_rollback",),
        ["rollback 1.4.0", "upgrade 1.5.0 gray"],
    ),
    "V+C: first V has to be reached, and was rejected": Row(
        want(BEFORE, C), record(wish(V), rejected=[BEFORE]), tagged(), [], ["VERSION_REJECTED"]
    ),
    "V+C: first V has to be reached, and C was rejected": Row(
        want(BEFORE, C), record(wish(V), rejected=[C]), tagged(), [], ["VERSION_REJECTED"]
    ),
    "V+C: weight 100 and the candidate serves alone": Row(want(V, C, 100), None, serving(C, V), [], ["fold_needed"]),
    "V+C: promoted outside, and the rule was edited": Row(want(V, C, 50), GRAY, serving(C, V), [], ["fold_needed"]),
    # gray just removed
    "V: gray just removed after a promotion": Row(
        want(V),
        record(wish(V, C, 100)),
        serving(C, V),
        [],
        ["FOLD_NEEDED"],
        ("fold_needed",),
        ["rollback 1.4.2"],
    ),
    "V: gray removed after a promotion, and another version named": Row(
        want(BEFORE), record(wish(V, C, 100)), serving(C, V, BEFORE), [], ["DEEP_ROLLBACK"]
    ),
    "C: gray removed and version raised": Row(want(C), record(wish(V, C, 100)), serving(C, V)),
    # what nobody can tell, and what nobody knows
    "a row version that nobody recorded": Row(
        want(V), GRAY, see_gray(row="9.9.9"), [], ["GRAY_UNCLEAR"], ("gray_unclear",), []
    ),
    "a strange gray release, version edited": Row(
        want(BEFORE), record(wish(V)), see_gray(), [], ["FOREIGN_GRAY_RELEASE"]
    ),
    "a strange gray release, adopted": Row(
        want(V), None, see_gray(), [], ["FOREIGN_GRAY_RELEASE"], ("foreign_gray_release",), ["rollback 1.4.2"]
    ),
    "a strange gray release, another one wished": Row(
        want(V, "1.6.0"), None, see_gray(), [], ["FOREIGN_GRAY_RELEASE"], ("foreign_gray_release",), []
    ),
    "a gray release that the manifest names is not strange": Row(
        want(V, C, 50), None, see_gray(), ["modify_gray_rule 50"]
    ),
    "a gray release of the version that was wished before is not strange": Row(
        want(V), record(wish(C)), see_gray(), ["rollback 1.4.2"], ["overwrites_outside_change"]
    ),
    "a gray release that the wish names is not strange": Row(want(V), GRAY, see_gray(), ["rollback 1.4.2"]),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_row(row: Row) -> None:
    """Observed and wished lead to these steps and findings; denies in capitals."""
    planned = plan_one(row.desired, row.recorded, row.observed)
    assert (steps(planned), codes(planned)) == (row.steps, row.codes)


OVERRIDDEN = {name: row for name, row in ROWS.items() if row.overrides}


@pytest.mark.parametrize("row", OVERRIDDEN.values(), ids=OVERRIDDEN)
def test_override(row: Row) -> None:
    """`--override CODE` lifts that very deny and no other."""
    planned = plan_one(row.desired, row.recorded, row.observed, overrides=row.overrides)
    assert steps(planned) == row.then
    assert not {code.upper() for code in row.overrides} & set(codes(planned))


def test_every_deny_that_can_be_overridden_has_a_row() -> None:
    """`protected` has its own test beside the planner, `failed_component` beside the raw action, guards theirs."""
    rows = {code for row in ROWS.values() for code in row.overrides}
    assert rows | {"protected", "failed_component"} == OVERRIDABLE - GUARD_CODES


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_findings_say_where_and_what_next(row: Row) -> None:
    """A sentence, a way out and the address: nobody has to look anything up."""
    for finding in plan_one(row.desired, row.recorded, row.observed).findings:
        assert finding.address == row.desired.address
        assert finding.message and finding.hint


# Promotion and abort


@pytest.mark.parametrize(
    ("told", "in_record", "requests"),
    [(3, None, 4), (0, None, 1), (None, 2, 3), (None, None, 2)],
    ids=["the detail's batches", "no batch left", "else the record's batches", "untold"],
)
def test_a_promotion_may_need_a_request_for_each_batch(told, in_record, requests) -> None:
    """Remaining batches and one more, as one action."""
    records = (deployed(C, "grayrelease", remaining=in_record), deployed(V, current=True))
    observed = see(V, status="GRAYING", closer=look(*records, rule=20, remaining=told))
    [action] = plan_one(want(C, replicas=4), record(wish(V, C, replicas=4)), observed).actions[:1]
    assert (action.verb, action.max_requests) == (Verb.CONTINUE_DEPLOY, requests)


def test_an_abort_uses_the_verb_that_is_configured() -> None:
    """rollback_current names no version, and is compared with the last job, for it must not run twice."""
    planned = plan_one(want(V), GRAY, see_gray(job="JOB-7"), abort_verb=Verb.ROLLBACK_CURRENT)
    action = planned.actions[0]
    assert (action.verb, dict(action.parameters)) == (Verb.ROLLBACK_CURRENT, {})
    assert action.precondition["last_job_id"] == "JOB-7"
    assert action.goal == {"status": "ready", "version": V}


def test_a_rollback_that_is_no_abort_never_uses_that_verb() -> None:
    planned = plan_one(want(BEFORE), record(wish(V)), serving(), abort_verb=Verb.ROLLBACK_CURRENT)
    assert steps(planned) == ["rollback 1.4.1"]


def test_an_abort_alone_leaves_the_wish_as_it_was() -> None:
    """A plan that stops short has not reached what is desired, so nothing says that it has."""
    planned = plan_one(want(BEFORE), GRAY, see_gray())
    assert updates(planned) == {}
    assert planned.change is not None
    assert [c.path for c in planned.change.fields] == ["gray.version", "gray.weight"]
    [warning] = planned.findings
    assert "--override rollback_twice" in (warning.hint or "")


# Risk of each


@pytest.mark.parametrize(
    ("desired", "recorded", "observed", "risk", "percent", "overrides"),
    [
        (want(V), GRAY, see_gray(), Risk.REVERT, None, ()),
        (want(BEFORE), record(wish(V)), serving(), Risk.REVERT, None, ()),
        (want(OLD), record(wish(V)), serving(), Risk.VERSION, None, ("deep_rollback",)),
        (want(C), GRAY, see_gray(), Risk.VERSION, None, ()),
        (want(V, C, 10), GRAY, see_gray(), Risk.REVERT, None, ()),
        (want(V, C, 50), GRAY, see_gray(), Risk.TRAFFIC, 50, ()),
        (want(V, C, content("b")), GRAY, see_gray(), Risk.TRAFFIC, 100, ()),
        (want(V, C, 50), record(wish(V, C, content("b"))), see_gray(rule=content("b")), Risk.REVERT, None, ()),
        (
            want(V, C, content("a")),
            record(wish(V, C, content("b"))),
            see_gray(rule=content("b")),
            Risk.TRAFFIC,
            100,
            (),
        ),
    ],
    ids=[
        "abort",
        "rollback",
        "deep rollback",
        "promote",
        "lower",
        "higher",
        "rules count as 100",
        "rules to weight",
        "rules to rules",
    ],
)
def test_risk(desired, recorded, observed, risk, percent, overrides) -> None:
    action = plan_one(desired, recorded, observed, overrides=overrides).actions[0]
    assert (action.risk, action.traffic_percent) == (risk, percent)


# The latch


def rejected_now(desired: Desired, recorded: Recorded, observed: Observed) -> Rejection | None:
    planned = plan_one(desired, recorded, observed)
    return planned.rejection.rejection if planned.rejection else None


def test_a_gray_release_ended_outside_is_rejected_and_left_alone() -> None:
    """The unchanged manifest sends nothing; what happened is listed, and kept from returning by itself."""
    planned = plan_one(want(V, C), GRAY, see(V, job="JOB-9"))
    assert (steps(planned), codes(planned)) == ([], [])
    assert alone(planned) == [("gray.version", C, None), ("gray.weight", 20, None)]
    assert planned.rejection is not None
    assert planned.rejection.rejection == Rejection(C, NOW, "outside", "ended outside", "JOB-9")


def test_a_rollback_outside_is_seen_in_the_records_it_drops() -> None:
    """1.4.2 was wished, 1.4.1 serves, and the platform no longer knows 1.4.2."""
    rejection = rejected_now(want(V), record(wish(V)), serving(BEFORE, OLD))
    assert rejection is not None and rejection.version == V


@pytest.mark.parametrize(
    ("desired", "recorded", "observed"),
    [
        (want(V, C), record(wish(V, C), rejected=[C]), serving()),
        (want(V, C), GRAY, see_gray(rule=50)),
        (want(V, C), GRAY, serving(C, V)),
        (want(V), record(wish(V)), serving("1.4.3", V)),
        (want(V, C), None, serving()),
        (want(), record(wish(V)), see(BEFORE, closer=None)),
        (want(V), record(wish(V)), see(BEFORE, closer=look(OLD))),
        (want(V, C), GRAY, see(V, status="UPGRADING", closer=None)),
        (want(V, C), GRAY, see(V, status="UNKNOWN")),
        (want(V, C), GRAY, see(V, status="PARTIALLY_FAILED")),
    ],
    ids=[
        "known already",
        "still running",
        "promoted",
        "upgraded outside",
        "never recorded",
        "not looked at, for the version is no longer managed",
        "the records do not know what serves",
        "busy: it may be the promotion",
        "unknown status",
        "failed: nobody took it back",
    ],
)
def test_nothing_is_rejected_that_was_not_taken_back(desired, recorded, observed) -> None:
    assert rejected_now(desired, recorded, observed) is None


def test_correcting_does_not_bring_back_what_was_ended_outside() -> None:
    """Permission to correct drift is no permission to repeat what somebody stopped."""
    planned = plan_one(want(V, C, correct=["version", "gray"]), GRAY, serving())
    assert (steps(planned), codes(planned)) == ([], ["VERSION_REJECTED"])


def test_the_reason_of_a_rejection_is_told() -> None:
    """Who, when and why, and the three ways on."""
    planned = plan_one(want(V), record(wish(BEFORE), rejected=[V]), serving(BEFORE, OLD))
    [finding] = planned.findings
    assert "ann@ci" in finding.message and "rolled back by statetool" in finding.message
    assert "statetool rollout clear shop/cart 1.4.2" in (finding.hint or "")
    assert "--override version_rejected" in (finding.hint or "")


def test_an_unknown_version_lists_what_could_be_written() -> None:
    [finding] = plan_one(want("2.0.0"), record(wish(V)), serving()).findings
    assert finding.message.endswith("1.4.2, 1.4.1, 1.4.0")
    assert "image: URL" in (finding.hint or "")
    [finding] = plan_one(want("2.0.0"), record(wish(V)), see(V, closer=look())).findings
    assert finding.message.endswith("none")


# Drift of the picture


def test_plain_drift_asks_no_row() -> None:
    """A strange gray release on an unchanged manifest is listed, not denied."""
    planned = plan_one(want(V), record(wish(V)), see_gray())
    assert (steps(planned), codes(planned)) == ([], [])
    assert alone(planned) == [("gray.version", None, C), ("gray.weight", None, 20)]


def test_corrected_drift_ends_a_strange_gray_release() -> None:
    """The manifest says who serves, and lets statetool put that back."""
    planned = plan_one(want(V, correct=["version"]), record(wish(V)), see_gray())
    assert (steps(planned), codes(planned)) == (["rollback 1.4.2"], [])


def test_a_promotion_outside_is_left_alone_even_where_drift_may_be_corrected() -> None:
    """There is nothing to send for it: the manifest has to follow."""
    planned = plan_one(want(V, C, correct=["version", "gray"]), GRAY, serving(C, V))
    assert (steps(planned), codes(planned)) == ([], ["fold_needed"])
    assert ("version", V, C) in alone(planned)
