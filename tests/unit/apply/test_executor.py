"""A whole plan: what starts when, what a failure takes with it, what is recorded before what is told."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from statetool.apply.run import Limits
from statetool.backends.files import FileSystem
from statetool.backends.local import LocalBackend
from statetool.core.deploy import Deployed
from statetool.core.events import EventType, fold
from statetool.core.journal import fold_journal
from statetool.core.model import GrayRule, Rejection, VersionEntry, VersionPicture
from statetool.core.plan import Kind, RejectionSeen, Risk, Verb, WishUpdate
from statetool.errors import (
    OutcomeUnknown,
    PlatformDown,
    RequestRefused,
    StateConflict,
    StateConflictOnPlatform,
    StateError,
    StatetoolError,
)

COMPLETE, SKIPPED, ERRORED = EventType.ACTION_COMPLETE, EventType.ACTION_SKIPPED, EventType.ACTION_ERRORED


# Order and concurrency


def test_an_action_starts_when_what_it_requires_is_done(lab) -> None:
    """In a chain every request goes out after the end of the one before."""
    for name in "abc":
        lab.platform.add(name)
    a, b = lab.scale("a", 6), lab.scale("b", 6, requires=["shop/a#1"])
    outcome = lab.apply(lab.plan(lab.scale("c", 6, requires=[b.id, a.id]), b, a))
    assert [sent.component for sent in lab.platform.sent] == ["a", "b", "c"]
    trail = [(e.type, e.action_id) for e in outcome.of(EventType.ACTION_START, COMPLETE)]
    assert [id_ for _, id_ in trail] == ["shop/a#1"] * 2 + ["shop/b#1"] * 2 + ["shop/c#1"] * 2


def test_satisfied_is_as_good_as_done_for_what_requires_it(lab) -> None:
    """A wish that was there already releases its dependants."""
    lab.platform.add("a", replicas=6, available=6)
    lab.platform.add("b")
    outcome = lab.apply(lab.plan(lab.scale("a", 6), lab.scale("b", 6, requires=["shop/a#1"])))
    assert outcome.endings() == {"shop/a#1": EventType.ACTION_SATISFIED, "shop/b#1": COMPLETE}


def test_waiting_for_jobs_holds_no_place_of_those_who_send(lab) -> None:
    """With two at once being sent, twenty jobs run side by side."""
    lab.limits = Limits(parallelism=2, jobs_in_flight=50)
    for n in range(20):
        lab.platform.add(f"c{n}", job_s=100)
    outcome = lab.apply(lab.plan(*(lab.scale(f"c{n}", 6) for n in range(20))))
    assert set(outcome.endings().values()) == {COMPLETE}
    assert lab.platform.most_preparing == 2
    assert lab.platform.most_in_flight == 20
    assert outcome.ended_at < 150


def test_no_more_jobs_in_flight_than_allowed(lab) -> None:
    """The other limit: five jobs at once, however many could be sent."""
    lab.limits = Limits(parallelism=10, jobs_in_flight=5)
    for n in range(20):
        lab.platform.add(f"c{n}")
    outcome = lab.apply(lab.plan(*(lab.scale(f"c{n}", 6) for n in range(20))))
    assert set(outcome.endings().values()) == {COMPLETE}
    assert lab.platform.most_in_flight == 5


def test_each_risk_that_is_named_has_places_of_its_own(lab) -> None:
    """scale is for up and down together, the rest shares the default; nobody waits for another's place."""
    lab.limits = Limits(parallelism=3, jobs_in_flight=100, parallelism_of={"scale": 4, "version": 1})
    kinds = {"scale_up": "scale", "scale_down": "scale", "version": "version", "restart": "rest", "revert": "rest"}
    actions = []
    for n in range(8):
        for risk, kind in kinds.items():
            name = f"{risk.replace('_', '-')}-{n}"
            lab.platform.add(name, kind=kind, send_s=5)
            actions.append(lab.scale(name, 6, risk=Risk(risk)))
    outcome = lab.apply(lab.plan(*actions))
    assert set(outcome.endings().values()) == {COMPLETE}
    assert lab.platform.most_preparing_of == {"scale": 4, "version": 1, "rest": 3}
    assert lab.platform.most_preparing == 8
    by_kind = Counter(kinds[sent.component.rpartition("-")[0].replace("-", "_")] for sent in lab.platform.sent[:8])
    assert by_kind == {"scale": 4, "version": 1, "rest": 3}, "all of them at once, from the first moment on"


def test_a_risk_named_for_itself_is_no_part_of_its_family(lab) -> None:
    """scale_down: 1 beside scale: 2 leaves two places to scale_up."""
    lab.limits = Limits(parallelism=9, jobs_in_flight=100, parallelism_of={"scale": 2, "scale_down": 1})
    actions = []
    for n in range(5):
        for kind in ("up", "down"):
            lab.platform.add(f"{kind}{n}", kind=kind, send_s=5)
            actions.append(lab.scale(f"{kind}{n}", 6, risk=Risk(f"scale_{kind}")))
    lab.apply(lab.plan(*actions))
    assert lab.platform.most_preparing_of == {"up": 2, "down": 1}


def test_a_busy_component_does_not_keep_others_from_being_sent(lab) -> None:
    """Waiting for it gives its place back, even where there is only one."""
    lab.limits = Limits(parallelism=1)
    lab.platform.add("a", status="UPGRADING")
    lab.platform.add("b")
    outcome = lab.apply(lab.plan(lab.scale("a", 6), lab.scale("b", 6)))
    assert outcome.endings() == {"shop/a#1": ERRORED, "shop/b#1": COMPLETE}
    assert lab.platform.sent[0].at < 10


def test_ties_start_in_the_order_of_the_plan(lab) -> None:
    """One at a time, nothing but the plan's order decides; events are numbered without a gap."""
    lab.limits = Limits(parallelism=1)
    for name in "dbca":
        lab.platform.add(name)
    plan = lab.plan(*(lab.scale(name, 6) for name in "dbca"))
    outcome = lab.apply(plan)
    assert [sent.component for sent in lab.platform.sent] == list("dbca")
    assert [event.seq for event in outcome.events] == list(range(1, len(outcome.events) + 1))
    assert {event.run_id for event in outcome.events} == {"run-1"}


def test_a_plan_whose_requirements_are_not_all_there_is_refused(lab) -> None:
    """Before anything is recorded or sent."""
    lab.platform.add("a")
    outcome = lab.apply(lab.plan(lab.scale("a", 6, requires=["shop/gone#1"])))
    assert isinstance(outcome.error, StatetoolError)
    assert outcome.error.code == "unknown_requirement"
    assert (outcome.events, outcome.state, lab.platform.sent) == ([], None, [])


# Failures


def test_a_failure_skips_what_requires_it_and_nothing_else(lab) -> None:
    """Directly or not, each naming the action that failed; the others run on."""
    for name in "abcd":
        lab.platform.add(name, job_status="FAILED" if name == "a" else "SUCCEEDED")
    b = lab.scale("b", 6, requires=["shop/a#1"])
    outcome = lab.apply(lab.plan(lab.scale("a", 6), b, lab.scale("c", 6, requires=[b.id]), lab.scale("d", 6)))
    assert outcome.endings() == {"shop/a#1": ERRORED, "shop/b#1": SKIPPED, "shop/c#1": SKIPPED, "shop/d#1": COMPLETE}
    assert fold(outcome.events).skipped == {"shop/b#1": "shop/a#1", "shop/c#1": "shop/a#1"}


@pytest.mark.parametrize("kind", ["stale", "still_running", "parked"])
def test_every_bad_ending_skips_its_dependants(lab, kind) -> None:
    """What is not known to be there can't be built upon."""
    lab.platform.add("a", job_s=9000 if kind == "still_running" else 20)
    if kind == "parked":
        lab.platform.components["id-a"].losses.append(OutcomeUnknown("lost"))
    lab.platform.add("b")
    first = lab.scale("a", 6, precondition={"replicas": 1} if kind == "stale" else {})
    if kind == "parked":
        first = lab.action("a", Verb.RESTART)
    outcome = lab.apply(lab.plan(first, lab.scale("b", 6, requires=[first.id])))
    assert outcome.endings()["shop/b#1"] is SKIPPED
    assert len(lab.platform.sent) == (0 if kind == "stale" else 1)


def test_too_many_failures_start_nothing_new(lab) -> None:
    """What runs ends by itself; the rest says why it was not run."""
    lab.limits = Limits(parallelism=1, jobs_in_flight=2, max_failures=2)
    for n in range(6):
        lab.platform.add(f"c{n}", job_s=1 if n != 1 else 60, job_status="FAILED" if n in (0, 2) else "SUCCEEDED")
    outcome = lab.apply(lab.plan(*(lab.scale(f"c{n}", 6) for n in range(6))))
    assert [outcome.endings()[f"shop/c{n}#1"] for n in range(6)] == [ERRORED, COMPLETE, ERRORED] + [SKIPPED] * 3
    assert {outcome.data(f"shop/c{n}#1")["because"] for n in (3, 4, 5)} == {"max_failures"}
    assert len(lab.platform.sent) == 3


def test_what_waits_for_its_component_is_not_sent_after_too_many_failures(lab) -> None:
    """It had begun, but nothing was sent: it is skipped like the rest."""
    lab.limits = Limits(max_failures=1)
    lab.platform.add("a", job_status="FAILED", job_s=5)
    busy = lab.platform.add("b", status="UPGRADING")
    outcome = lab.apply(
        lab.plan(lab.scale("a", 6), lab.scale("b", 6)), before=lambda: _later(60, lambda: busy.set(status="RUNNING"))
    )
    assert outcome.data("shop/b#1") == {"because": "max_failures"}
    assert len(lab.platform.sent) == 1


def test_actions_that_are_held_back_count_as_failures(lab) -> None:
    """A platform that is down ends the starting of new actions like any other trouble, and leaves nothing open."""
    lab.limits = Limits(parallelism=1, jobs_in_flight=1, max_failures=2)
    for n in range(5):
        lab.platform.add(f"c{n}", refusals=[PlatformDown("not sent: the platform has been down for 30 s")])
    outcome = lab.apply(lab.plan(*(lab.scale(f"c{n}", 6) for n in range(5))))
    assert [outcome.endings()[f"shop/c{n}#1"] for n in range(5)] == [ERRORED] * 2 + [SKIPPED] * 3
    assert {outcome.data(f"shop/c{n}#1")["code"] for n in (0, 1)} == {"platform_down"}
    assert not outcome.of(EventType.ACTION_ACCEPTED, EventType.ACTION_STILL_RUNNING)


def test_stale_actions_are_no_failures(lab) -> None:
    """A moved world says nothing about the health of the platform."""
    lab.limits = Limits(max_failures=1, jobs_in_flight=1)
    lab.platform.add("a")
    lab.platform.add("b")
    outcome = lab.apply(lab.plan(lab.scale("a", 6, precondition={"replicas": 1}), lab.scale("b", 6)))
    assert outcome.endings() == {"shop/a#1": EventType.ACTION_STALE, "shop/b#1": COMPLETE}


def test_a_mistake_of_ours_lets_the_others_end_and_surfaces_afterwards(lab) -> None:
    """An exception nobody expected cancels no sibling; it is told, and raised at the end."""
    lab.platform.add("a", refusals=[ZeroDivisionError("ours")])
    lab.platform.add("b", job_s=60)
    lab.platform.add("c")
    outcome = lab.apply(lab.plan(lab.scale("a", 6), lab.scale("b", 6), lab.scale("c", 6, requires=["shop/b#1"])))
    assert isinstance(outcome.error, ZeroDivisionError)
    assert outcome.endings() == {"shop/a#1": ERRORED, "shop/b#1": COMPLETE, "shop/c#1": SKIPPED}
    assert outcome.data("shop/a#1")["code"] == "internal_error"


# The state


def test_what_needs_no_action_is_recorded_first_in_one_write(lab) -> None:
    """Records, wishes that hold already, and versions ended outside: before anything is sent."""
    lab.platform.add("a")
    lab.platform.add("b")
    rejection = Rejection("2.0.0", "2026-11-23T07:00:00Z", "outside", "ended outside", "JOB-x")
    plan = lab.plan(
        updates={"a": (WishUpdate("replicas", 4), WishUpdate("version", VersionPicture("1.0.0"))), "b": ()},
        rejections=(RejectionSeen(lab.address("b"), rejection),),
    )
    outcome = lab.apply(plan)
    assert [event.type for event in outcome.events] == [EventType.STATE_SAVED]
    assert outcome.events[0].data == {"serial": 1}
    recorded = lab.recorded("a")
    assert (recorded.wish.replicas, recorded.wish.picture) == (4, VersionPicture("1.0.0"))
    assert (recorded.run_id, recorded.applied_from.commit) == ("run-1", "3f2a1c7")
    assert lab.recorded("b").rejected == (rejection,)
    assert lab.platform.reads == []


def test_what_was_overridden_is_told_and_recorded_before_anything_is_sent(lab) -> None:
    """Also where the run is lost right after: who let what through, in which run."""
    lab.platform.add("a", losses=[OutcomeUnknown("lost")])
    outcome = lab.apply(lab.plan(lab.scale("a", 6), overrides=("freeze", "max_share")))
    assert [event.type for event in outcome.events[:3]] == [
        EventType.OVERRIDDEN,
        EventType.STATE_SAVED,
        EventType.ACTION_START,
    ]
    assert outcome.events[0].data == {"codes": ["freeze", "max_share"]}
    [entry] = outcome.state.overridden
    assert (entry.run_id, entry.by, entry.codes) == ("run-1", "tester@here", ("freeze", "max_share"))
    assert lab.apply(lab.plan(overrides=("freeze",))).state.overridden == (entry,), "nothing was let through"


def test_a_plan_with_nothing_to_record_writes_nothing(lab) -> None:
    """Not even an empty state where there was none."""
    outcome = lab.apply(lab.plan())
    assert (outcome.events, outcome.state) == ([], None)


def test_the_same_plan_again_writes_nothing(lab) -> None:
    """Satisfied, seen as before: the serial stays."""
    lab.platform.add("a")
    plan = lab.plan(lab.scale("a", 6), updates={"a": (WishUpdate("replicas", 6, ("shop/a#1",)),)})
    first = lab.apply(plan)
    second = lab.apply(plan)
    assert second.endings() == {"shop/a#1": EventType.ACTION_SATISFIED}
    assert second.of(EventType.STATE_SAVED) == []
    assert second.state == first.state


def test_forgetting_needs_no_action(lab) -> None:
    """The record goes, the platform is not asked."""
    lab.apply(lab.plan(updates={"a": (WishUpdate("replicas", 4),)}))
    outcome = lab.apply(lab.plan(changes=(replace(lab.change("a"), kind=Kind.FORGET),)))
    assert outcome.state is not None
    assert outcome.state.components == {}


def test_a_rejection_of_a_component_without_a_record_has_nowhere_to_go(lab) -> None:
    """A denied component may never have been recorded."""
    rejection = RejectionSeen(lab.address("x"), Rejection("2.0.0", "t", "outside", "ended outside"))
    assert lab.apply(lab.plan(rejections=(rejection,))).error is None


def test_a_wish_is_recorded_when_all_its_actions_are_done(lab) -> None:
    """Not when the first is; and durably before its ending is told."""
    lab.platform.add("a", version="2.0.0")
    rollback = lab.action("a", Verb.ROLLBACK, parameters={"version": "1.9.0"}, goal={"version": "1.9.0"})
    scale = lab.scale("a", 6, 2, requires=[rollback.id])
    updates = (
        WishUpdate("version", VersionPicture("1.9.0"), (rollback.id,)),
        WishUpdate("replicas", 6, (rollback.id, scale.id)),
    )
    stored: list[tuple[object, object]] = []

    def look(event) -> None:
        if event.type is COMPLETE:
            wish = lab.snapshot.state.components[lab.address("a")].wish
            stored.append((wish.picture, wish.replicas))

    lab.watch = look
    lab.apply(lab.plan(rollback, scale, updates={"a": updates}))
    assert stored == [(VersionPicture("1.9.0"), None), (VersionPicture("1.9.0"), 6)]
    assert lab.recorded("a").wish.replicas == 6


def test_a_wish_whose_action_failed_is_not_recorded(lab) -> None:
    """But what was seen is."""
    lab.platform.add("a", version="2.0.0", job_status="FAILED")
    scale = lab.scale("a", 6)
    lab.apply(lab.plan(scale, updates={"a": (WishUpdate("replicas", 6, (scale.id,)),)}))
    assert lab.recorded("a").wish.replicas is None
    assert lab.recorded("a").seen.replicas == 4


@pytest.mark.parametrize(("version", "is_recorded"), [("1.0.0", True), ("1.1.0", False)])
def test_what_is_sent_along_is_recorded_only_where_it_was_sent(lab, version, is_recorded) -> None:
    """A version that somebody else brought meanwhile came with who knows which variables: the next plan must look."""
    lab.platform.add("a", version=version)
    upgrade = lab.action(
        "a", Verb.UPGRADE, parameters={"version": "1.1.0", "env": {"A": "b"}}, goal={"version": "1.1.0"}
    )
    deployed, picture = Deployed(env="sha256:1"), VersionPicture("1.1.0")
    updates = (WishUpdate("version", picture, (upgrade.id,)), WishUpdate("deployed", deployed, (upgrade.id,)))
    lab.apply(lab.plan(upgrade, updates={"a": updates}))
    assert lab.recorded("a").wish.picture == picture
    assert lab.recorded("a").wish.deployed == (deployed if is_recorded else None)


def test_a_rollback_is_remembered_and_its_version_rejected(lab) -> None:
    """What was left must not come back by itself."""
    lab.platform.add("a", version="2.0.0")
    lab.apply(lab.plan(lab.action("a", Verb.ROLLBACK, parameters={"version": "1.9.0"}, goal={"version": "1.9.0"})))
    at = lab.recorded("a").history[0].at
    assert lab.recorded("a").history == (VersionEntry("1.9.0", at, "rollback"),)
    rejected = Rejection("2.0.0", at, "tester@here", "rolled back by statetool", "JOB1")
    assert lab.recorded("a").rejected == (rejected,)


@pytest.mark.parametrize("verb", [Verb.ROLLBACK, Verb.ROLLBACK_CURRENT])
def test_an_abort_rejects_the_candidate(lab, verb) -> None:
    """Whichever verb ends the gray release, it is an abort."""
    lab.platform.add("a", version="1.0.0", status="GRAYING", candidate="2.0.0", rule=GrayRule(weight=10))
    parameters = {"version": "1.0.0"} if verb is Verb.ROLLBACK else {}
    lab.apply(lab.plan(lab.action("a", verb, parameters=parameters, goal={"version": "1.0.0"})))
    recorded = lab.recorded("a")
    assert [(e.version, e.verb) for e in recorded.history] == [("1.0.0", "abort")]
    assert [(r.version, r.reason, r.job_id) for r in recorded.rejected] == [("2.0.0", "aborted by statetool", "JOB1")]


def test_a_promotion_rejects_nothing(lab) -> None:
    """The version reached is remembered."""
    lab.platform.add("a", version="1.0.0", status="GRAYING", candidate="2.0.0", rule=GrayRule(weight=10))
    lab.apply(lab.plan(lab.action("a", Verb.CONTINUE_DEPLOY, goal={"version": "2.0.0"}, max_requests=2)))
    recorded = lab.recorded("a")
    assert [(e.version, e.verb) for e in recorded.history] == [("2.0.0", "continue_deploy")]
    assert recorded.rejected == ()


def test_a_rollback_that_did_not_become_ready_has_happened_all_the_same(lab) -> None:
    """The action failed, the version changed: a second rollback would be one too many."""
    lab.platform.add("a", version="2.0.0", ready_after_s=9000)
    outcome = lab.apply(
        lab.plan(lab.action("a", Verb.ROLLBACK, parameters={"version": "1.9.0"}, goal={"version": "1.9.0"}))
    )
    assert outcome.data("shop/a#1")["code"] == "not_ready"
    assert [r.version for r in lab.recorded("a").rejected] == ["2.0.0"]


def test_an_abort_that_changed_nothing_leaves_no_history(lab) -> None:
    """The stable version was right all along; while the component is graying that proves nothing."""
    lab.platform.add("a", status="GRAYING", candidate="2.0.0", rule=GrayRule(weight=10), changes=False)
    outcome = lab.apply(lab.plan(lab.action("a", Verb.ROLLBACK, goal={"version": "1.0.0"})))
    assert outcome.data("shop/a#1")["code"] == "diverged"
    assert (lab.recorded("a").history, lab.recorded("a").rejected) == ((), ())


@pytest.mark.parametrize("case", ["job failed", "satisfied", "value not seen"])
def test_a_rollback_that_did_not_happen_leaves_no_history(lab, case) -> None:
    """Nothing is rejected that we did not take back."""
    version = "1.9.0" if case == "satisfied" else "2.0.0"
    status = "FAILED" if case == "job failed" else "SUCCEEDED"
    lab.platform.add("a", version=version, job_status=status, changes=case != "value not seen")
    lab.apply(lab.plan(lab.action("a", Verb.ROLLBACK, parameters={"version": "1.9.0"}, goal={"version": "1.9.0"})))
    assert (lab.recorded("a").history, lab.recorded("a").rejected) == ((), ())


def test_endings_that_come_together_are_written_together(lab) -> None:
    """Twenty jobs that end in the same moment cost one write, not twenty."""
    for n in range(20):
        lab.platform.add(f"c{n}")
    lab.limits = Limits(parallelism=20)
    outcome = lab.apply(lab.plan(*(lab.scale(f"c{n}", 6) for n in range(20))))
    assert len(outcome.of(COMPLETE)) == 20
    assert len(outcome.of(EventType.STATE_SAVED)) == 2


class FailingDisk(FileSystem):
    """A disk that is full after so many saves."""

    def __init__(self, good: int) -> None:
        self.left = good

    def replace(self, source, target) -> None:
        if target.name == "state.json":
            self.left -= 1
            if self.left < 0:
                raise OSError(28, "No space left on device")
        super().replace(source, target)


class FullDisk(FailingDisk):
    """No room for the journal or a second state once it is full."""

    is_full = False

    def fill(self) -> None:
        self.is_full = True

    def write(self, descriptor, data) -> int:
        if self.is_full and b'"entries"' in bytes(data):
            raise OSError(28, "No space left on device")
        return super().write(descriptor, data)


def test_a_state_that_can_not_be_saved_stops_what_has_not_begun(lab) -> None:
    """What runs ends and is told as it was; nothing new starts; the error surfaces at the end."""
    disk = FullDisk(1)
    lab.backend = lambda path: LocalBackend(path, files=disk)
    lab.limits = Limits(jobs_in_flight=2)
    for name in "abc":
        lab.platform.add(name, job_s=60 if name == "b" else 10)
    plan = lab.plan(*(lab.scale(name, 6) for name in "abc"))
    outcome = lab.apply(plan, before=lambda: _later(5, disk.fill))
    assert isinstance(outcome.error, StateError)
    assert outcome.endings() == {"shop/a#1": COMPLETE, "shop/b#1": COMPLETE, "shop/c#1": SKIPPED}
    assert outcome.data("shop/c#1") == {"because": "state_not_saved"}
    assert len(outcome.of(EventType.STATE_SAVED)) == 1
    rescues = list(lab.folder.glob("state.json.rescue-*"))
    assert len(rescues) == 1, "what the run learnt after the failure goes to the rescue file too"
    assert str(rescues[0]) in outcome.error.message, "although the journal could not be written before"
    assert '"replicas": 6' in next(line for line in rescues[0].read_text().splitlines() if '"shop/b"' in line)


def test_a_state_that_can_not_be_saved_at_the_start_sends_nothing(lab) -> None:
    """Every action is told as not run."""
    lab.backend = lambda path: LocalBackend(path, files=FailingDisk(0))
    lab.platform.add("a")
    outcome = lab.apply(lab.plan(lab.scale("a", 6)))
    assert isinstance(outcome.error, StateError)
    assert outcome.data("shop/a#1") == {"because": "state_not_saved"}
    assert lab.platform.sent == []


def test_a_state_written_by_somebody_else_is_not_overwritten(lab) -> None:
    """Compare and swap: the other one's content stays."""
    lab.platform.add("a", job_s=60)
    path = lab.folder / "state.json"

    def meddle() -> None:
        path.write_text(path.read_text().replace('"serial": 1', '"serial": 9'))

    outcome = lab.apply(lab.plan(lab.scale("a", 6)), before=lambda: _later(30, meddle))
    assert isinstance(outcome.error, StateConflict)
    assert outcome.endings() == {"shop/a#1": COMPLETE}
    assert outcome.state is not None
    assert outcome.state.serial == 9


# Interrupts


def test_an_interrupt_starts_nothing_new_and_leaves_jobs_to_the_platform(lab) -> None:
    """Accepted jobs are still running, told at once; the rest is skipped; the run returns normally."""
    lab.limits = Limits(jobs_in_flight=2)
    for name in "abc":
        lab.platform.add(name, job_s=300)
    plan = lab.plan(
        lab.scale("a", 6), lab.scale("b", 6), lab.scale("c", 6), lab.scale("a", 7, 2, requires=["shop/a#1"])
    )
    outcome = lab.apply(plan, stop_at=30)
    assert outcome.error is None
    assert outcome.ended_at == pytest.approx(30)
    assert outcome.data("shop/a#1") == {"job_id": "JOB1"}
    assert outcome.data("shop/c#1") == outcome.data("shop/a#2") == {"because": "interrupted"}
    assert outcome.endings() == {
        "shop/a#1": EventType.ACTION_STILL_RUNNING,
        "shop/b#1": EventType.ACTION_STILL_RUNNING,
        "shop/c#1": SKIPPED,
        "shop/a#2": SKIPPED,
    }


def test_a_run_stopped_before_it_begins_sends_nothing(lab) -> None:
    """The first look at `stop` comes before the first start."""
    lab.platform.add("a")
    outcome = lab.apply(lab.plan(lab.scale("a", 6)), stop_at=0)
    assert outcome.endings() == {"shop/a#1": SKIPPED}
    assert lab.platform.sent == []


def test_a_request_that_is_out_is_answered_before_the_run_ends(lab) -> None:
    """Its job must not be lost."""
    lab.platform.add("a", send_s=5, job_s=300)
    outcome = lab.apply(lab.plan(lab.scale("a", 6)), stop_at=2)
    assert outcome.trail("shop/a#1")[-2:] == [EventType.ACTION_ACCEPTED, EventType.ACTION_STILL_RUNNING]
    assert outcome.data("shop/a#1") == {"job_id": "JOB1"}
    assert outcome.ended_at < 6


def test_what_was_accepted_during_the_interrupt_is_taken_up_by_the_next_run(lab) -> None:
    """The journal has its job: it must not say that it was never sent."""
    lab.platform.add("a", send_s=5, job_s=300)
    lab.apply(lab.plan(lab.scale("a", 6)), stop_at=2)
    [operation] = fold_journal(LocalBackend(lab.folder / "state.json").read_journal()).operations.values()
    assert operation.job_id == "JOB1"
    assert operation.is_accepted


def test_a_request_that_is_not_out_yet_is_not_sent_any_more(lab) -> None:
    """Where the client still holds it back, for its pace or after a refused connection, nothing happened."""
    lab.platform.add("a", queue_s=5)
    outcome = lab.apply(lab.plan(lab.scale("a", 6)), stop_at=2)
    assert outcome.data("shop/a#1") == {"because": "interrupted"}
    assert lab.platform.sent == []
    assert outcome.ended_at == pytest.approx(2)


def test_an_answer_that_does_not_come_in_time_is_unknown(lab) -> None:
    """Eight seconds; then the person is told that it may have been executed."""
    lab.platform.add("a", send_s=60)
    outcome = lab.apply(lab.plan(lab.scale("a", 6)), stop_at=2)
    assert outcome.data("shop/a#1")["code"] == "outcome_unknown"
    assert outcome.ended_at == pytest.approx(10)


@pytest.mark.parametrize("error", [RequestRefused("quota"), OutcomeUnknown("lost")])
def test_a_bad_answer_during_the_interrupt_is_told(lab, error) -> None:
    """It came in time, and says what happened."""
    lab.platform.add("a", send_s=5, refusals=[error])
    outcome = lab.apply(lab.plan(lab.scale("a", 6)), stop_at=2)
    assert outcome.data("shop/a#1")["code"] == error.code


def test_a_conflict_during_the_interrupt_means_that_nothing_happened(lab) -> None:
    """Surely not executed, and not sent again: the action was not run."""
    lab.platform.add("a", send_s=5, refusals=[StateConflictOnPlatform("busy")])
    outcome = lab.apply(lab.plan(lab.scale("a", 6)), stop_at=2)
    assert outcome.data("shop/a#1") == {"because": "interrupted"}
    assert len(lab.platform.sent) == 1
    assert outcome.ended_at < 6


@pytest.mark.parametrize("tenths", range(0, 700, 7))
def test_an_interrupt_at_any_point_leaves_a_consistent_end(lab, tenths) -> None:
    """Every action ends once; whatever the platform executed is told with its job; the run ends in time."""
    lab.platform.read_s = 0.3
    lab.platform.add("a", version="1.0.0", status="GRAYING", candidate="2.0.0", rule=GrayRule(weight=10), batches=2)
    lab.platform.add("b", version="2.0.0", ready_after_s=15)
    plan = lab.plan(
        lab.action("a", Verb.CONTINUE_DEPLOY, goal={"version": "2.0.0"}, max_requests=3),
        lab.action("b", Verb.ROLLBACK, parameters={"version": "1.9.0"}, goal={"version": "1.9.0"}),
        lab.scale("b", 6, 2, requires=["shop/b#1"]),
    )
    outcome = lab.apply(plan, stop_at=tenths / 10)
    assert outcome.error is None
    assert len(outcome.endings()) == 3
    assert outcome.ended_at <= max(tenths / 10 + 8, 70)
    accepted = {event.data["job_id"] for event in outcome.of(EventType.ACTION_ACCEPTED)}
    assert accepted == set(lab.platform.jobs)


def test_a_cancelled_run_leaves_nothing_behind(lab) -> None:
    """A second Ctrl-C cancels the run itself: no task survives it."""

    async def cancelled() -> set[str]:
        task = asyncio.ensure_future(lab._apply(lab.plan(lab.scale("a", 6)), None, None))
        await asyncio.sleep(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return {t.get_name() for t in asyncio.all_tasks() if t is not asyncio.current_task()}

    lab.platform.add("a", job_s=60)
    assert lab.run_virtually(cancelled()) == set()


def _later(seconds: float, then) -> None:
    asyncio.get_running_loop().call_later(seconds, then)
