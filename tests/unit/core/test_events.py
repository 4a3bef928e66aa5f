"""Events fold into a summary, and a plan and its summary into an exit code (the one table of README)."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import NOW, plan_all, record, see, want, wish

from statetool.core.events import (
    Event,
    EventType,
    RunSummary,
    apply_exit_code,
    correction_exit_code,
    drift_exit_code,
    fold,
    plan_exit_code,
)
from statetool.core.plan import Plan
from statetool.errors import ExitCode

A, B, C = "shop/a#1", "shop/b#1", "shop/c#1"


def events(*told: tuple[EventType, str | None] | tuple[EventType, str | None, dict[str, Any]]) -> list[Event]:
    return [
        Event("run", n, NOW, entry[0], entry[1], data=entry[2] if len(entry) == 3 else {})
        for n, entry in enumerate(told)
    ]


def acting() -> Plan:
    """Three components with an action each."""
    return plan_all(
        [want(name=n, replicas=6) for n in "abc"],
        [record(wish(replicas=4), name=n) for n in "abc"],
        [see(name=n) for n in "abc"],
    )


def test_every_ending_has_its_place() -> None:
    summary = fold(
        events(
            (EventType.VERSION, None),
            (EventType.ACTION_START, A),
            (EventType.ACTION_ACCEPTED, A, {"job_id": "JOB-1"}),
            (EventType.ACTION_PROGRESS, A),
            (EventType.ACTION_COMPLETE, A),
            (EventType.ACTION_SATISFIED, B),
            (EventType.ACTION_ERRORED, C, {"code": "job_failed", "message": "quota exceeded"}),
            (EventType.ACTION_STALE, "d#1", {"moved": {"replicas": {"expected": 4, "observed": 9}}}),
            (EventType.ACTION_SKIPPED, "e#1", {"because": C}),
            (EventType.ACTION_STILL_RUNNING, "f#1", {"job_id": "JOB-2"}),
        )
    )
    assert summary == RunSummary(
        done=(A,),
        satisfied=(B,),
        failed={C: "quota exceeded"},
        stale=("d#1",),
        still_running=("f#1",),
        skipped={"e#1": C},
        moved={"d#1": {"replicas": {"expected": 4, "observed": 9}}},
    )


def test_what_has_not_ended_is_not_counted() -> None:
    assert fold(events((EventType.ACTION_START, A), (EventType.ACTION_ACCEPTED, A))) == RunSummary()


def test_the_last_word_on_an_action_wins() -> None:
    summary = fold(events((EventType.ACTION_STILL_RUNNING, A), (EventType.ACTION_COMPLETE, A)))
    assert (summary.done, summary.still_running) == ((A,), ())


def test_stopping_means_interrupted() -> None:
    assert fold(events((EventType.STOPPING, None, {"signal": "SIGTERM"}))).interrupted


DONE = RunSummary(done=(A, B, C))
STALE_WITH_FOLLOWERS = RunSummary(stale=(A,), skipped={B: A, C: B})

OUTCOMES = {
    "all done": (DONE, ExitCode.DONE),
    "all there already": (RunSummary(satisfied=(A, B, C)), ExitCode.DONE),
    "one failed": (RunSummary(done=(A,), failed={B: "no"}, skipped={C: B}), ExitCode.PARTLY),
    "one still running": (RunSummary(done=(A, B), still_running=(C,)), ExitCode.PARTLY),
    "too many failures": (RunSummary(failed={A: "no"}, skipped={B: "max_failures"}), ExitCode.PARTLY),
    "skipped, whatever for": (RunSummary(done=(A,), skipped={B: "max_failures"}), ExitCode.PARTLY),
    "stale": (RunSummary(done=(B, C), stale=(A,)), ExitCode.STALE),
    "stale, and all behind it": (STALE_WITH_FOLLOWERS, ExitCode.STALE),
    "stale and failed": (RunSummary(stale=(A,), failed={B: "no"}), ExitCode.PARTLY),
    "stale, and something else not run": (RunSummary(stale=(A,), skipped={B: "max_failures"}), ExitCode.PARTLY),
    "interrupted": (RunSummary(done=(A,), skipped={B: "interrupted"}, interrupted=True), ExitCode.INTERRUPTED),
    "interrupted and failed": (RunSummary(failed={A: "no"}, interrupted=True), ExitCode.INTERRUPTED),
}


@pytest.mark.parametrize(("summary", "code"), OUTCOMES.values(), ids=OUTCOMES)
def test_apply_exit_code(summary: RunSummary, code: ExitCode) -> None:
    """The first that fits: interrupted, denied, partly, stale, done."""
    assert apply_exit_code(acting(), summary) is code


def denied(*others: str) -> Plan:
    """One component denied; the others have an action each."""
    return plan_all(
        [want("2.0.0", name="denied"), *(want(name=n, replicas=6) for n in others)],
        [record(wish("1.4.2"), name="denied"), *(record(wish(replicas=4), name=n) for n in others)],
        [see(name="denied"), *(see(name=n) for n in others)],
    )


def held_back(*others: str) -> Plan:
    return plan_all(
        [want(name="broken", replicas=6), *(want(name=n, replicas=6) for n in others)],
        [record(wish(replicas=4), name=n) for n in ("broken", *others)],
        [see(name="broken", status="FAILED"), *(see(name=n) for n in others)],
    )


@pytest.mark.parametrize(
    ("plan", "summary", "code"),
    [
        (denied(), RunSummary(), ExitCode.DENIED),
        (denied("a"), RunSummary(done=(A,)), ExitCode.PARTLY),
        (denied("a"), RunSummary(stale=(A,)), ExitCode.PARTLY),
        (denied("a"), RunSummary(interrupted=True), ExitCode.INTERRUPTED),
        (held_back(), RunSummary(), ExitCode.PARTLY),
        (held_back("a"), RunSummary(done=(A,)), ExitCode.PARTLY),
        (held_back("a"), RunSummary(stale=(A,)), ExitCode.PARTLY),
    ],
    ids=[
        "nothing could be sent because of a deny",
        "denied beside what was done",
        "denied beside stale",
        "denied and interrupted",
        "held back",
        "held back beside what was done",
        "held back beside stale",
    ],
)
def test_apply_exit_code_of_a_plan_that_could_not_do_everything(plan, summary, code) -> None:
    assert apply_exit_code(plan, summary) is code


@pytest.mark.parametrize(
    ("plan", "plain", "detailed"),
    [
        (acting(), ExitCode.DONE, ExitCode.CHANGES),
        (plan_all([want()], [], [see()]), ExitCode.DONE, ExitCode.CHANGES),
        (plan_all([], [record()], []), ExitCode.DONE, ExitCode.CHANGES),
        (held_back(), ExitCode.DONE, ExitCode.CHANGES),
        (denied("a"), ExitCode.DENIED, ExitCode.DENIED),
        (plan_all([want(replicas=4)], [record(wish(replicas=4))], [see(replicas=9)]), ExitCode.DONE, ExitCode.DONE),
        (plan_all([], [], []), ExitCode.DONE, ExitCode.DONE),
    ],
    ids=["actions", "adopt", "forget", "held back", "denied", "left alone", "nothing"],
)
def test_plan_exit_code(plan: Plan, plain: ExitCode, detailed: ExitCode) -> None:
    """A held back wish is never `No changes.`; a value left alone is none of the plan's changes."""
    assert plan_exit_code(plan, detailed=False) is plain
    assert plan_exit_code(plan, detailed=True) is detailed


def drift(replicas: int = 4, recorded: bool = True, there: bool = True, correct: bool = False) -> Plan:
    return plan_all(
        [want(replicas=4, correct=["replicas"])],
        [record(wish(replicas=4))] if recorded else [],
        [see(replicas=replicas)] if there else [],
        mode="drift",
        correct=correct,
    )


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (drift(), ExitCode.DONE),
        (drift(replicas=9), ExitCode.CHANGES),
        (drift(there=False), ExitCode.CHANGES),
        (drift(recorded=False), ExitCode.CHANGES),
    ],
    ids=["none", "changed outside", "missing", "unrecorded"],
)
def test_drift_exit_code(plan: Plan, code: ExitCode) -> None:
    assert drift_exit_code(plan) is code


@pytest.mark.parametrize(
    ("outcome", "left", "code"),
    [
        (ExitCode.DONE, drift(), ExitCode.DONE),
        (ExitCode.DONE, drift(replicas=9), ExitCode.CHANGES),
        (ExitCode.PARTLY, drift(replicas=9), ExitCode.PARTLY),
        (ExitCode.DENIED, drift(), ExitCode.DENIED),
    ],
    ids=["all put back", "drift without permission remains", "partly", "denied"],
)
def test_correction_exit_code(outcome: ExitCode, left: Plan, code: ExitCode) -> None:
    assert correction_exit_code(outcome, left) is code
