"""The gray release of one component: how it stands, and what becomes of a step that is asked for by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import (
    NOW,
    address,
    code_of,
    codes,
    content,
    deployed,
    held,
    look,
    picture,
    plan_all,
    record,
    see,
    see_gray,
    steps,
    verbs,
    want,
    wish,
)

from statetool.core.canonical import canonical_text
from statetool.core.locating import Located
from statetool.core.model import Desired, GrayRule, Observed, Recorded, VersionPicture
from statetool.core.plan import Action, Cause, Kind, Plan, Verb
from statetool.core.rollout import (
    NextApply,
    Phase,
    RolloutCommand,
    RolloutStep,
    as_if_wished,
    build_step_desired,
    describe_alone,
    describe_rollout,
    ensure_release,
    judge_next_apply,
    phase_of,
    refuse_beforehand,
    tell_step,
    usable_overrides,
)
from statetool.errors import StatetoolError

PROMOTE, ABORT, SET_WEIGHT = RolloutCommand
HALF_WAY = look(deployed("1.5.0", "grayrelease", remaining=1), deployed("1.4.2", current=True), rule=20)


def locate(observed: Observed, desired: Desired | None = None, recorded: Recorded | None = None) -> Located:
    return Located(address("cart"), observed, desired, recorded)


def ask(command: RolloutCommand, weight: int | None = None) -> RolloutStep:
    return RolloutStep(command, address("cart"), weight)


def plan_step(step: RolloutStep, located: Located, **rules: Any) -> Plan:
    """As the command plans it, once nothing refuses it beforehand."""
    rules["overrides"] = usable_overrides(frozenset(rules.get("overrides", ())), located)
    made = plan_all([build_step_desired(step, located)], as_if_wished(located).values(), [located.observed], **rules)
    return tell_step(made, step, located)


def take(
    command: RolloutCommand,
    weight: int | None = None,
    observed: Observed | None = None,
    desired: Desired | None = None,
    recorded: Recorded | None = None,
    **rules: Any,
) -> Plan:
    return plan_step(ask(command, weight), locate(observed or see_gray(), desired, recorded), **rules)


# --- the step is the one that a manifest would get -------------------------------------------------------------------

RELEASES = {
    "weight": see_gray(),
    "content": see_gray(rule=content("beta")),
    "row shows the candidate": see_gray(row="1.5.0"),
    "batches not told": see_gray(remaining=None),
    "one batch": see_gray(remaining=1),
    "surge": see_gray(replicas=8),
    "number not told": see_gray(configured=None),
    "failed half way": see("1.4.2", status="FAILED", closer=HALF_WAY),
}
WISHES = {
    "promote": (ask(PROMOTE), wish("1.5.0")),
    "abort": (ask(ABORT), wish("1.4.2")),
    "set-weight": (ask(SET_WEIGHT, 40), wish("1.4.2", "1.5.0", 40)),
}


@pytest.mark.parametrize("abort_verb", [Verb.ROLLBACK, Verb.ROLLBACK_CURRENT])
@pytest.mark.parametrize("observed", RELEASES.values(), ids=RELEASES)
@pytest.mark.parametrize(("step", "wished"), WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_step_is_what_a_manifest_would_lead_to(
    step: RolloutStep, wished: Any, observed: Observed, abort_verb: Verb, is_recorded: bool
) -> None:
    """Verb, parameters, risk, precondition, goal, requests and the conditional scale: all but the reason."""
    recorded = record(wish("1.4.2", "1.5.0", 20))
    desired = replace(want(), wish=wished)
    by_manifest = plan_all([desired], [recorded], [observed], abort_verb=abort_verb)
    asked = plan_step(step, locate(observed, None, recorded if is_recorded else None), abort_verb=abort_verb)
    assert [bare(action) for action in asked.actions] == [bare(action) for action in by_manifest.actions]
    assert held(asked) == held(by_manifest)
    assert asked.actions or asked.held_back
    # With no manifest nobody speaks against it.
    assert asked.findings == ()


def bare(action: Action) -> Action:
    return replace(action, reason="")


def test_what_is_planned() -> None:
    """In few words, with what protects the number of instances."""
    assert verbs(take(PROMOTE)) == ["continue_deploy", "scale 4"]
    assert verbs(take(ABORT)) == ["rollback 1.4.2", "scale 4"]
    assert verbs(take(ABORT, abort_verb=Verb.ROLLBACK_CURRENT)) == ["rollback_current", "scale 4"]
    assert verbs(take(SET_WEIGHT, 40)) == ["modify_gray_rule 40"]
    assert [action.max_requests for action in take(PROMOTE).actions] == [3, 1]


@pytest.mark.parametrize("command", [PROMOTE, ABORT, SET_WEIGHT])
@pytest.mark.parametrize(
    "recorded",
    [
        None,
        record(),
        record(wish("1.4.2", "1.5.0", 20, replicas=4, state="running", restart="1")),
        record(wish("1.4.2", "1.5.0", 50), seen=None),
    ],
    ids=["not recorded", "nothing wished", "everything wished", "moved outside"],
)
def test_no_wish_is_recorded_changed_or_released(command: RolloutCommand, recorded: Recorded | None) -> None:
    """And the change says who asked for it, with the values seen before."""
    plan = take(command, 40 if command is SET_WEIGHT else None, recorded=recorded)
    [change] = plan.changes
    assert (change.kind, change.updates, change.origin) == (Kind.UPDATE, (), None)
    assert change.fields
    assert {entry.cause for entry in change.fields} == {Cause.COMMAND}
    assert all(canonical_text(entry.before) != canonical_text(entry.after) for entry in change.fields)
    assert plan.actions[0].reason == "asked for on the command line"
    assert (plan.left_alone, plan.rejections, plan.findings) == ((), (), ())


def test_a_weight_that_is_there_needs_nothing() -> None:
    """Whether the component is recorded or not, and whatever was wished of it."""
    for recorded in (None, record(wish("1.4.2", "1.5.0", 50, replicas=9))):
        plan = take(SET_WEIGHT, 20, recorded=recorded)
        assert (plan.changes, plan.actions, plan.held_back, plan.findings) == ((), (), (), ())


def test_all_of_the_traffic_is_no_promotion() -> None:
    """A candidate with a weight of 100 may still be promoted, aborted, or get less."""
    observed = see_gray(rule=100)
    assert steps(take(PROMOTE, observed=observed)) == ["continue_deploy"]
    assert steps(take(ABORT, observed=observed)) == ["rollback 1.4.2"]
    plan = take(SET_WEIGHT, 40, observed=observed, recorded=record(wish("1.4.2", "1.5.0", 20)))
    assert (steps(plan), codes(plan)) == (["modify_gray_rule 40"], [])


def test_a_record_under_another_name_moves_along() -> None:
    """So that what is rejected by an abort is kept where the next plan looks for it."""
    recorded = record(wish("1.4.2"), name="basket", component_id="id-shop-cart")
    [change] = take(ABORT, recorded=recorded).changes
    assert (change.kind, change.moved_from, change.updates) == (Kind.MOVE, address("basket"), ())


# --- what stands in its way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [PROMOTE, SET_WEIGHT])
def test_a_rejected_candidate_gets_no_more_traffic(command: RolloutCommand) -> None:
    """Unless the latch is overridden; going back from it is always possible."""
    recorded, weight = record(wish("1.4.2", "1.5.0"), rejected=["1.5.0"]), 40 if command is SET_WEIGHT else None
    denied = take(command, weight, recorded=recorded)
    assert (denied.actions, codes(denied)) == ((), ["VERSION_REJECTED"])
    assert take(command, weight, recorded=recorded, overrides=["version_rejected"]).actions
    assert take(ABORT, recorded=recorded).actions


@pytest.mark.parametrize("command", [PROMOTE, ABORT, SET_WEIGHT])
def test_protected_and_observed_components_keep_what_runs(command: RolloutCommand) -> None:
    """As in every plan."""
    weight, desired = 40 if command is SET_WEIGHT else None, want("1.4.2", "1.5.0", protected=True)
    assert codes(take(command, weight, desired=desired)) == ["PROTECTED"]
    assert take(command, weight, desired=desired, overrides=["protected"]).actions
    assert codes(take(command, weight, managed=frozenset())) == ["OBSERVE_MODE"]
    assert take(command, weight, managed=frozenset({"shop"})).actions


@pytest.mark.parametrize("command", [PROMOTE, ABORT, SET_WEIGHT])
def test_ignored_fields_may_be_asked_for_by_name(command: RolloutCommand) -> None:
    """lifecycle.ignore keeps applies away, and so nothing is said of the next one."""
    desired = want("1.4.2", "1.5.0", 20, ignore=["version", "gray"])
    plan = take(command, 40 if command is SET_WEIGHT else None, desired=desired)
    assert (bool(plan.actions), codes(plan)) == (True, [])


def test_a_release_that_failed_half_way_can_only_be_ended() -> None:
    """The rest waits for the component, as in every plan."""
    failed = RELEASES["failed half way"]
    assert steps(take(ABORT, observed=failed)) == ["rollback 1.4.2"]
    assert {code for _, code in held(take(PROMOTE, observed=failed))} == {"deferred_failed"}
    assert {code for _, code in held(take(SET_WEIGHT, 40, observed=failed))} == {"deferred_failed"}


@pytest.mark.parametrize("command", [PROMOTE, ABORT, SET_WEIGHT])
def test_an_unnamed_candidate_is_left_alone_whatever_is_overridden(command: RolloutCommand) -> None:
    """Nobody could check what came of it."""
    observed = see(status="GRAYING", closer=look("1.4.2", "1.4.1"))
    plan = take(command, 40 if command is SET_WEIGHT else None, observed, overrides=["gray_unclear"])
    assert (plan.actions, codes(plan)) == ((), ["GRAY_UNCLEAR"])


def test_a_row_of_nobody_is_unclear_until_it_is_overridden() -> None:
    """As in every plan."""
    observed = see_gray(row="9.9.9")
    assert codes(take(ABORT, observed=observed)) == ["GRAY_UNCLEAR"]
    assert steps(take(ABORT, observed=observed, overrides=["gray_unclear"])) == ["rollback 9.9.9"]


def test_without_a_stable_version_there_is_nothing_to_go_back_to() -> None:
    """But the candidate can be promoted, and its share be set."""
    lonely = look(deployed("1.5.0", "grayrelease", current=True), rule=20, remaining=1)
    observed = see("1.5.0", status="GRAYING", closer=lonely)
    assert codes(take(ABORT, observed=observed)) == ["GRAY_UNCLEAR"]
    assert steps(take(PROMOTE, observed=observed)) == ["continue_deploy"]
    assert steps(take(SET_WEIGHT, 40, observed=observed)) == ["modify_gray_rule 40"]


@pytest.mark.parametrize("command", RolloutCommand)
def test_a_job_that_moves_it_is_waited_for(command: RolloutCommand) -> None:
    """Held back where the wait was not long enough."""
    held_back, denies = refuse_beforehand(ask(command, 40), locate(see(status="UPGRADING")), frozenset())
    assert ([(entry.path, entry.code) for entry in held_back], denies) == ([("gray", "busy")], ())
    assert str(command) in held_back[0].message


@pytest.mark.parametrize("command", RolloutCommand)
@pytest.mark.parametrize(
    ("desired", "recorded", "is_foreign"),
    [
        (None, None, False),
        (want(replicas=4), record(wish(replicas=4)), False),
        (want("1.4.2", "1.5.0"), None, False),
        (None, record(wish("1.4.2", "1.5.0")), False),
        (want("1.5.0"), record(wish("1.4.2")), False),
        (want("1.4.2"), None, True),
        (None, record(wish("1.4.2")), True),
        (want("1.4.2", "1.6.0"), record(wish("1.4.2")), True),
    ],
)
def test_a_release_of_somebody_else_is_not_touched_by_accident(
    command: RolloutCommand, desired: Desired | None, recorded: Recorded | None, is_foreign: bool
) -> None:
    """A step names no candidate; where the version is managed, it is one that the manifest or the state names."""
    located = locate(see_gray(), desired, recorded)
    _, denies = refuse_beforehand(ask(command, 40), located, frozenset())
    assert [code_of(finding) for finding in denies] == (["FOREIGN_GRAY_RELEASE"] if is_foreign else [])
    assert refuse_beforehand(ask(command, 40), located, frozenset({"foreign_gray_release"})) == ((), ())


@pytest.mark.parametrize("command", [PROMOTE, ABORT])
@pytest.mark.parametrize(
    ("observed", "says"),
    [
        (see(), "1.4.2 serves alone"),
        (see(status="STOPPED"), "the version is 1.4.2, the status STOPPED"),
        (see(status="FAILED"), "the version is 1.4.2, the status FAILED"),
    ],
)
def test_nothing_to_promote_or_to_abort(command: RolloutCommand, observed: Observed, says: str) -> None:
    """An error that names what serves; a weight that can't be set is none."""
    with pytest.raises(StatetoolError) as error:
        ensure_release(ask(command), locate(observed))
    assert (error.value.code, error.value.message) == ("no_gray_release", f"no gray release is open: {says}")
    assert "rollout status shop/cart" in str(error.value.hint)
    ensure_release(ask(SET_WEIGHT, 40), locate(observed))
    assert describe_alone(locate(observed)) == says


@pytest.mark.parametrize("observed", [see_gray(), see(status="UPGRADING"), RELEASES["failed half way"]])
def test_an_open_release_or_a_job_is_no_error(observed: Observed) -> None:
    """A job may be about to open one."""
    for command in RolloutCommand:
        ensure_release(ask(command, 40), locate(observed))


# --- what the manifest says against it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "desired", "code", "message", "hint"),
    [
        (ask(PROMOTE), want("1.4.2", "1.5.0"), "fold_needed", "it will serve alone", "write version: 1.5.0 and remove"),
        (ask(PROMOTE), want("1.4.2", "1.5.0", 100), "fold_needed", "still writes 1.5.0", "write version: 1.5.0 and"),
        (ask(PROMOTE), want("1.4.2"), "next_apply_undoes", "wants version 1.4.2:", "write version: 1.5.0 without"),
        (
            ask(ABORT),
            want("1.4.2", "1.5.0"),
            "next_apply_undoes",
            "wants gray.version 1.5.0, gray.weight 20:",
            "write version: 1.4.2 without gray",
        ),
        (ask(ABORT), want("1.5.0"), "next_apply_undoes", "wants version 1.5.0:", "write version: 1.4.2 without gray"),
        (
            ask(SET_WEIGHT, 40),
            want("1.4.2", "1.5.0"),
            "next_apply_undoes",
            "wants gray.weight 20:",
            "write gray: {version: 1.5.0, weight: 40}",
        ),
        (
            ask(SET_WEIGHT, 40),
            want("1.4.2", "1.5.0", content("beta")),
            "next_apply_undoes",
            "wants gray.match any, gray.rules header x-user-tier equal beta:",
            "weight: 40",
        ),
        (ask(SET_WEIGHT, 40), want("1.4.2"), "next_apply_undoes", "wants version 1.4.2 alone:", "weight: 40"),
        (ask(SET_WEIGHT, 40), want("1.5.0"), "next_apply_undoes", "wants version 1.5.0:", "weight: 40"),
    ],
)
def test_what_the_next_apply_would_say(step: RolloutStep, desired: Desired, code: str, message: str, hint: str) -> None:
    """Before anybody agrees, with what to write."""
    [finding] = plan_step(step, locate(see_gray(), desired)).findings
    assert (finding.code, finding.severity, finding.address) == (code, "warn", address("cart"))
    assert message in finding.message
    assert hint in str(finding.hint)


@pytest.mark.parametrize("desired", [want("1.4.2", "1.5.0"), want("1.5.0")], ids=["as a gray release", "alone"])
def test_after_an_abort_the_next_apply_refuses_what_was_rejected(desired: Desired) -> None:
    """The latch keeps it from returning, so nobody is told that it will."""
    [finding] = plan_step(ask(ABORT), locate(see_gray(), desired, record(wish("1.4.2", "1.5.0")))).findings
    assert (finding.code, finding.severity) == ("next_apply_refuses", "warn")
    assert "rollout clear shop/cart 1.5.0" in str(finding.hint)


@pytest.mark.parametrize(
    ("step", "desired"),
    [
        (ask(PROMOTE), want("1.5.0")),
        (ask(PROMOTE), want(replicas=4)),
        (ask(ABORT), want("1.4.2")),
        (ask(SET_WEIGHT, 40), want("1.4.2", "1.5.0", 40)),
        (ask(SET_WEIGHT, 40), want("1.4.2", "1.5.0", 20, ignore=["gray"])),
        (ask(SET_WEIGHT, 20), want("1.4.2", "1.5.0", 30)),
    ],
)
def test_nothing_is_said_where_the_manifest_agrees_or_nothing_is_done(step: RolloutStep, desired: Desired) -> None:
    """What nobody wrote down stays."""
    assert plan_step(step, locate(see_gray(), desired)).findings == ()


def test_ready_comes_from_the_manifest_and_nothing_else_does() -> None:
    """Neither its other wishes nor what it depends on has a say in a step."""
    desired = want("1.4.2", "1.5.0", replicas=9, state="stopped", restart="2", needs=["pay"], correct=["replicas"])
    plan = take(PROMOTE, desired=desired, recorded=record(wish("1.4.2", "1.5.0", replicas=4)))
    assert verbs(plan) == ["continue_deploy", "scale 4"]
    [change] = plan.changes
    assert change.origin == desired.origin


# --- how it stands ---------------------------------------------------------------------------------------------------


def test_an_open_release() -> None:
    """Versions, rule, batches, since when."""
    rollout = describe_rollout(locate(see_gray()), None, None, NOW)
    assert (rollout.phase, rollout.picture) == (Phase.OPEN, picture("1.4.2", "1.5.0", 20))
    assert (rollout.batches_left, rollout.begun_at, rollout.is_unclear) == (2, "2026-11-22T20:00:00Z", False)


def test_batches_of_the_record_stand_in_for_those_of_the_detail() -> None:
    """As a promotion counts its requests."""
    closer = look(deployed("1.5.0", "grayrelease", remaining=3), deployed("1.4.2", current=True), rule=20)
    assert describe_rollout(locate(see(status="GRAYING", closer=closer)), None, None, NOW).batches_left == 3
    assert describe_rollout(locate(see_gray(remaining=None)), None, None, NOW).batches_left is None


def test_a_record_without_a_time_tells_none() -> None:
    """An empty text is no instant."""
    closer = look(replace(deployed("1.5.0", "grayrelease"), begun_at=""), deployed("1.4.2", current=True), rule=20)
    assert describe_rollout(locate(see(status="GRAYING", closer=closer)), None, None, NOW).begun_at is None


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "STOPPED", "FAILED"])
def test_no_release_is_open(status: str) -> None:
    """Batches and times of an earlier one are over."""
    earlier = look(deployed("1.4.2", "grayrelease", current=True, remaining=2), "1.4.1", remaining=2)
    rollout = describe_rollout(locate(see(status=status, closer=earlier)), None, None, NOW)
    assert (rollout.phase, rollout.picture) == (Phase.NONE, VersionPicture("1.4.2"))
    assert (rollout.batches_left, rollout.begun_at, rollout.is_unclear) == (None, None, False)


def test_phases() -> None:
    """A component that a job moves tells nothing; one that failed half way is still releasing."""
    assert phase_of(see_gray()) is Phase.OPEN
    assert phase_of(RELEASES["failed half way"]) is Phase.OPEN
    assert phase_of(see(status="UPGRADING")) is Phase.BUSY
    assert phase_of(see(status="WHATEVER")) is Phase.BUSY


@pytest.mark.parametrize(
    "observed",
    [
        see(status="GRAYING", closer=look("1.4.2")),
        see_gray(row="9.9.9"),
        see("1.5.0", status="GRAYING", closer=look(deployed("1.5.0", "grayrelease", current=True))),
    ],
)
def test_what_the_records_hide_is_unclear(observed: Observed) -> None:
    """No candidate, a row of nobody, or no stable version."""
    assert describe_rollout(locate(observed), None, None, NOW).is_unclear


@pytest.mark.parametrize(
    ("recorded", "is_wished"),
    [
        (None, False),
        (record(wish("1.4.2")), False),
        (record(wish(replicas=4)), False),
        (record(wish("1.4.2", "1.6.0")), False),
        (record(wish("1.4.2", "1.5.0", 50)), True),
    ],
)
def test_whose_release_it_is(recorded: Recorded | None, is_wished: bool) -> None:
    """Ours where the wish last applied names its candidate, whatever became of its rule."""
    assert describe_rollout(locate(see_gray(), None, recorded), None, None, NOW).is_wished is is_wished
    assert not describe_rollout(locate(see(), None, recorded), None, None, NOW).is_wished


@pytest.mark.parametrize(
    ("plan", "verdict"),
    [
        (None, NextApply.UNMANAGED),
        (plan_all([want("1.4.2", "1.5.0", 40)], [record(wish("1.4.2", "1.5.0"))], [see_gray()]), NextApply.ACTS),
        (plan_all([want("1.4.2")], [], [see()]), NextApply.RECORDS),
        (plan_all([want(replicas=9)], [record(wish(replicas=4))], [see_gray()]), NextApply.HELD_BACK),
        (plan_all([want("1.4.2")], [], [see_gray()]), NextApply.DENIED),
        (plan_all([want("1.4.2")], [record(wish("1.4.2"))], [see()]), NextApply.NOTHING),
        (plan_all([want("1.4.2", "1.5.0")], [record(wish("1.4.2", "1.5.0"))], [see_gray(rule=50)]), NextApply.NOTHING),
    ],
)
def test_what_the_next_apply_does(plan: Plan | None, verdict: NextApply) -> None:
    """In one word."""
    assert judge_next_apply(plan) is verdict


def test_rules_are_compared_as_a_set() -> None:
    """What a weight replaces is listed, whichever kind of rule it was."""
    plan = take(SET_WEIGHT, 40, see_gray(rule=content("beta", "gold")))
    assert [entry.path for entry in plan.changes[0].fields] == ["gray.match", "gray.rules", "gray.weight"]
    assert plan.actions[0].goal["gray.weight"] == GrayRule(weight=40).weight
