"""One action: what is looked at before it is sent, how its job is followed, when it counts as done."""

import asyncio

import pytest

from statetool.apply.run import Limits
from statetool.core.events import EventType
from statetool.core.model import GrayRule, Job, JobPhase, Ready
from statetool.core.plan import SendIf, Verb, WishUpdate
from statetool.errors import (
    AnswerUnreadable,
    NotFound,
    PlatformDown,
    RequestRefused,
    ServerFailed,
    StateConflictOnPlatform,
    Throttled,
    Unauthorized,
    Unreachable,
)

ACTION = "shop/cart#1"
ONE = EventType.ACTION_START, EventType.ACTION_ACCEPTED


def test_done_means_job_succeeded_and_value_seen_and_ready(lab) -> None:
    """The plain story: start, accepted with the job's id, complete; the last look goes to the state."""
    lab.platform.add("cart", ready_after_s=60)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.trail(ACTION) == [*ONE, EventType.ACTION_COMPLETE]
    assert outcome.of(EventType.ACTION_ACCEPTED)[0].data == {"job_id": "JOB1"}
    assert outcome.of(EventType.ACTION_COMPLETE)[0].elapsed_s >= 80
    seen = lab.recorded("cart").seen
    assert (seen.replicas, seen.available_replicas, seen.last_job_id) == (6, 6, "JOB1")


def test_the_request_is_what_the_plan_says(lab) -> None:
    """Verb and parameters go out as they stand in the plan, once."""
    lab.platform.add("cart")
    lab.apply(lab.plan(lab.scale("cart", 6)))
    assert [(s.verb, s.parameters) for s in lab.platform.sent] == [(Verb.SCALE, {"replica": 6})]


def test_a_status_that_lags_behind_is_not_taken_for_the_end(lab) -> None:
    """Right after the answer the component reads as before; the job is waited for first."""
    lab.platform.add("cart", version="2.0.0", stale_s=8, job_s=40)
    rollback = lab.action("cart", Verb.ROLLBACK, parameters={"version": "1.9.0"}, goal={"version": "1.9.0"})
    outcome = lab.apply(lab.plan(rollback))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert outcome.ended_at >= 40


# Before sending


def test_a_goal_that_holds_already_is_satisfied_without_a_request(lab) -> None:
    """The wish was there: nothing is sent, and nothing says that anything was started."""
    lab.platform.add("cart", replicas=6, available=6)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6, precondition={"replicas": 4})))
    assert outcome.trail(ACTION) == [EventType.ACTION_SATISFIED]
    assert lab.platform.sent == []


def scale_and_stop(lab):
    scale = lab.scale("cart", 6, precondition={"status": "ready", "replicas": 4})
    stop = lab.action("cart", Verb.STOP, 2, requires=[scale.id], precondition={"status": "ready"})
    return lab.plan(scale, stop)


def test_a_plan_that_ends_in_a_stop_is_satisfied_the_second_time(lab) -> None:
    """Its earlier values are there, but the component is stopped by now: that is what the plan wanted."""
    lab.platform.add("cart", replicas=4, available=4)
    plan = scale_and_stop(lab)
    assert set(lab.apply(plan).endings().values()) == {EventType.ACTION_COMPLETE}
    sent = len(lab.platform.sent)
    again = lab.apply(plan)
    assert again.endings() == {ACTION: EventType.ACTION_SATISFIED, "shop/cart#2": EventType.ACTION_SATISFIED}
    assert len(lab.platform.sent) == sent == 2


def test_a_component_stopped_by_others_with_other_values_is_stale(lab) -> None:
    """It must not count as scaled; and without a planned stop a stopped component has moved."""
    lab.platform.add("cart", status="STOPPED", replicas=4, available=0)
    assert lab.apply(scale_and_stop(lab)).endings()[ACTION] is EventType.ACTION_STALE
    alone = lab.plan(lab.scale("cart", 4, precondition={"status": "ready", "replicas": 3}))
    assert lab.apply(alone).endings() == {ACTION: EventType.ACTION_STALE}
    assert lab.platform.sent == []


def test_an_abort_is_not_satisfied_while_its_gray_release_runs(lab) -> None:
    """The stable version reads what an abort wants from the start; only a component that is ready counts."""
    lab.platform.add("cart", version="1.0.0", status="GRAYING", candidate="2.0.0", rule=GrayRule(weight=10))
    abort = lab.action("cart", Verb.ROLLBACK, parameters={"version": "1.0.0"}, goal={"version": "1.0.0"})
    outcome = lab.apply(lab.plan(abort))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert len(lab.platform.sent) == 1


def test_a_moved_world_makes_the_action_stale(lab) -> None:
    """What moved is told path by path, and nothing is sent."""
    lab.platform.add("cart", replicas=5, available=5, version="1.4.9")
    plan = lab.plan(lab.scale("cart", 6, precondition={"status": "ready", "version": "1.4.2", "replicas": 4}))
    outcome = lab.apply(plan)
    assert outcome.trail(ACTION) == [EventType.ACTION_STALE]
    assert outcome.data(ACTION) == {
        "moved": {
            "version": {"expected": "1.4.2", "observed": "1.4.9"},
            "replicas": {"expected": 4, "observed": 5},
        }
    }
    assert lab.platform.sent == []


def test_a_path_that_is_gone_has_moved(lab) -> None:
    """A gray release that ended outside: its paths are no longer there, which is told as null."""
    lab.platform.add("cart", version="1.0.0")
    action = lab.action(
        "cart",
        Verb.MODIFY_GRAY_RULE,
        parameters={"weight": 20},
        precondition={"status": "graying", "gray.version": "2.0.0"},
        goal={"gray.version": "2.0.0", "gray.weight": 20},
    )
    outcome = lab.apply(lab.plan(action))
    assert outcome.data(ACTION)["moved"]["gray.version"] == {"expected": "2.0.0", "observed": None}


def test_what_moved_while_the_turn_was_waited_for_is_noticed(lab) -> None:
    """However long the rate makes a request wait: the look that counts comes after that."""
    component = lab.platform.add("cart")
    lab.platform.turn_s = 90
    plan = lab.plan(lab.scale("cart", 6, precondition={"replicas": 4}))
    before = lambda: asyncio.get_running_loop().call_later(60, lambda: component.set(replicas=5))  # noqa: E731
    assert lab.apply(plan, before=before).endings() == {ACTION: EventType.ACTION_STALE}
    assert lab.platform.sent == []


def test_waiting_for_the_turn_can_be_interrupted(lab) -> None:
    """Nothing is out yet, so nothing is unknown: the action is not run."""
    lab.platform.add("cart")
    lab.platform.turn_s = 90
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)), stop_at=30)
    assert outcome.endings() == {ACTION: EventType.ACTION_SKIPPED}
    assert outcome.data(ACTION) == {"because": "interrupted"}
    assert outcome.ended_at == 30
    assert lab.platform.sent == []


def test_an_action_that_was_held_back_has_failed_and_is_not_unknown(lab) -> None:
    """The platform is down: its code and words are told, nothing was accepted, and no outcome is open."""
    lab.platform.add("cart").refusals.append(PlatformDown("POST x: not sent: down for 30 s", hint="nothing was sent"))
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.trail(ACTION) == [EventType.ACTION_START, EventType.ACTION_ERRORED]
    assert outcome.data(ACTION) == {
        "code": "platform_down",
        "message": "POST x: not sent: down for 30 s",
        "hint": "nothing was sent",
        "job_id": None,
    }


def test_an_edge_action_is_stale_after_a_foreign_job(lab) -> None:
    """Somebody did something since the plan: a restart is not added to it blindly."""
    lab.platform.add("cart", last_job_id="JOB-theirs")
    restart = lab.action("cart", Verb.RESTART, precondition={"last_job_id": "JOB-old"}, goal={"restart": "t2"})
    assert lab.apply(lab.plan(restart)).endings() == {ACTION: EventType.ACTION_STALE}


def test_a_job_of_this_run_is_no_movement(lab) -> None:
    """The scale before the restart changed the last job; that was us."""
    lab.platform.add("cart", last_job_id="JOB-old")
    scale = lab.scale("cart", 6)
    restart = lab.action(
        "cart", Verb.RESTART, 2, requires=[scale.id], precondition={"last_job_id": "JOB-old"}, goal={"restart": "t2"}
    )
    assert set(lab.apply(lab.plan(scale, restart)).endings().values()) == {EventType.ACTION_COMPLETE}


@pytest.mark.parametrize(
    ("send_if", "observed", "sent"),
    [
        (SendIf.FEWER, 3, True),
        (SendIf.FEWER, 4, False),
        (SendIf.FEWER, 6, False),
        (SendIf.DIFFERENT, 3, True),
        (SendIf.DIFFERENT, 4, False),
        (SendIf.DIFFERENT, 6, True),
    ],
)
def test_a_conditional_scale_is_sent_only_where_the_number_asks_for_it(lab, send_if, observed, sent) -> None:
    """Putting a number back after a version change: nothing to put back is satisfied."""
    lab.platform.add("cart", replicas=observed, available=observed)
    outcome = lab.apply(lab.plan(lab.scale("cart", 4, send_if=send_if, precondition={"status": "ready"})))
    assert bool(lab.platform.sent) is sent
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE if sent else EventType.ACTION_SATISFIED}


def test_a_restart_is_satisfied_only_by_its_recorded_token(lab) -> None:
    """The token can't be read from the platform: the state alone knows that it was used."""
    lab.platform.add("cart")
    restart = lab.action("cart", Verb.RESTART, goal={"restart": "t2"})
    updates = {"cart": (WishUpdate("restart", "t2", (ACTION,)),)}
    assert lab.apply(lab.plan(restart, updates=updates)).endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert lab.recorded("cart").wish.restart == "t2"
    assert lab.apply(lab.plan(restart, updates=updates)).endings() == {ACTION: EventType.ACTION_SATISFIED}
    assert len(lab.platform.sent) == 1


# Busy components and conflicts


def test_a_busy_component_is_waited_for_and_judged_afterwards(lab) -> None:
    """With progress; its values count only once it has settled."""
    cart = lab.platform.add("cart", status="UPGRADING", replicas=5)
    plan = lab.plan(lab.scale("cart", 6, precondition={"status": "ready", "replicas": 4}))
    outcome = lab.apply(plan, before=lambda: _later(60, lambda: cart.set(status="RUNNING", replicas=4)))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert outcome.of(EventType.ACTION_PROGRESS)[0].data == {"job_status": None, "component_status": "UPGRADING"}
    assert lab.platform.sent[0].at > 60


def test_a_component_that_stays_busy_is_given_up_without_a_request(lab) -> None:
    """The wait is bounded by the job timeout."""
    lab.platform.add("cart", status="UPGRADING")
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.data(ACTION)["code"] == "busy"
    assert lab.platform.sent == []
    assert 1200 <= outcome.ended_at < 1300


def test_a_running_foreign_job_is_waited_for_behind_an_idle_status(lab) -> None:
    """The status of a component lags; its last job does not."""
    lab.platform.add("cart", last_job_id="JOB-theirs")
    lab.platform.jobs["JOB-theirs"] = Job("JOB-theirs", JobPhase.RUNNING, "RUNNING")
    done = Job("JOB-theirs", JobPhase.SUCCEEDED, "SUCCEEDED")
    outcome = lab.apply(
        lab.plan(lab.scale("cart", 6)), before=lambda: _later(42, lambda: lab.platform.jobs.update({done.id: done}))
    )
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert lab.platform.sent[0].at > 42


def test_the_running_job_of_a_paused_gray_release_is_no_hindrance(lab) -> None:
    """Whether the job that started it ends at the pause is not documented [U15]."""
    lab.platform.add(
        "cart", status="GRAYING", candidate="2.0.0", rule=GrayRule(weight=10), last_job_id="JOB-gray", job_s=5
    )
    lab.platform.jobs["JOB-gray"] = Job("JOB-gray", JobPhase.RUNNING, "RUNNING")
    action = lab.action(
        "cart",
        Verb.MODIFY_GRAY_RULE,
        parameters={"weight": 20},
        precondition={"gray.version": "2.0.0", "gray.weight": 10},
        goal={"gray.version": "2.0.0", "gray.weight": 20},
    )
    outcome = lab.apply(lab.plan(action))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert outcome.ended_at < 30


def test_a_conflict_is_looked_into_and_sent_again(lab) -> None:
    """A 409 means that nothing was executed: read again, wait, send again."""
    lab.platform.add("cart", refusals=[StateConflictOnPlatform("busy")] * 3)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.trail(ACTION) == [*ONE, EventType.ACTION_COMPLETE]
    assert len(lab.platform.sent) == 4


def test_conflicts_without_end_are_given_up(lab) -> None:
    """Bounded: the platform's word is told."""
    lab.platform.add("cart", refusals=[StateConflictOnPlatform("busy")] * 9)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.data(ACTION)["code"] == "platform_conflict"
    assert len(lab.platform.sent) == 4


def test_a_wish_that_came_true_during_a_conflict_is_satisfied(lab) -> None:
    """The other one did the same; after the wait there is nothing left to send."""
    cart = lab.platform.add("cart", refusals=[StateConflictOnPlatform("busy")])
    outcome = lab.apply(
        lab.plan(lab.scale("cart", 6)), before=lambda: _later(1, lambda: cart.set(replicas=6, available_replicas=6))
    )
    assert outcome.endings() == {ACTION: EventType.ACTION_SATISFIED}


# Errors of the request


@pytest.mark.parametrize(
    "error", [RequestRefused("quota"), NotFound("gone"), Unauthorized("token"), Throttled("slow"), Unreachable("dns")]
)
def test_a_refused_request_ends_the_action_with_its_own_code(lab, error) -> None:
    """The client has tried what may be tried; here it is told."""
    lab.platform.add("cart", refusals=[error])
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.endings() == {ACTION: EventType.ACTION_ERRORED}
    assert (outcome.data(ACTION)["code"], outcome.data(ACTION)["message"]) == (error.code, error.message)


def test_a_component_that_is_gone_is_an_error(lab) -> None:
    """Nothing to send to."""
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.data(ACTION)["code"] == "not_found"


# The job


def test_a_failed_job_tells_the_tasks_message(lab) -> None:
    """And what the component looks like afterwards is what the state remembers."""
    lab.platform.add("cart", job_status="FAILED", job_message="quota exceeded")
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.data(ACTION)["code"] == "job_failed"
    assert outcome.data(ACTION)["message"] == "quota exceeded"
    assert outcome.data(ACTION)["job_id"] == "JOB1"
    assert lab.recorded("cart").seen.last_job_id == "JOB1"


@pytest.mark.parametrize("status", ["CANCELLED", "PARTIALLY_FAILED", "ROLLBACKED", "UNKNOWN"])
def test_every_other_end_of_a_job_is_a_failure(lab, status) -> None:
    """Only SUCCEEDED is good; without a message the status is named."""
    lab.platform.add("cart", job_status=status)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.data(ACTION)["message"] == f"job JOB1 ended {status}"


def test_bad_moments_while_polling_do_not_fail_the_action(lab) -> None:
    """Reads may fail for a while; the job goes on."""
    errors = [Unreachable("dns"), ServerFailed("500"), Throttled("429"), AnswerUnreadable("html")]
    lab.platform.add("cart", job_errors=list(errors), job_s=60)
    assert lab.apply(lab.plan(lab.scale("cart", 6))).endings() == {ACTION: EventType.ACTION_COMPLETE}


def test_a_token_refused_while_polling_ends_the_action_but_names_the_job(lab) -> None:
    """It can't be followed any further; the person knows what to look for."""
    lab.platform.add("cart", job_errors=[Unauthorized("token expired")])
    data = lab.apply(lab.plan(lab.scale("cart", 6))).data(ACTION)
    assert (data["code"], data["job_id"]) == ("unauthorized", "JOB1")


def test_a_job_beyond_the_timeout_is_still_running(lab) -> None:
    """Not failed: accepted, and the run ends before the job does."""
    lab.platform.add("cart", job_s=5000)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.endings() == {ACTION: EventType.ACTION_STILL_RUNNING}
    assert outcome.data(ACTION) == {"job_id": "JOB1"}
    assert outcome.ended_at == pytest.approx(1200, abs=1)


def test_without_a_job_id_the_component_is_followed(lab) -> None:
    """A job that appears as its last one is followed after all."""
    lab.platform.add("cart", gives_job=False, job_s=90, last_job_id="JOB-old")
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.of(EventType.ACTION_ACCEPTED)[0].data == {"job_id": None}
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}


def test_the_failed_job_found_that_way_fails_the_action(lab) -> None:
    """No job id in the answer does not mean that nobody looks."""
    lab.platform.add("cart", gives_job=False, job_status="FAILED", job_message="quota exceeded")
    assert lab.apply(lab.plan(lab.scale("cart", 6))).data(ACTION)["message"] == "quota exceeded"


@pytest.mark.parametrize("verb", [Verb.SCALE, Verb.RESTART])
def test_a_job_the_platform_does_not_know_leaves_the_component_to_follow(lab, verb) -> None:
    """404 for the job: busy and then settled is the sign; a value alone is enough where there is one."""
    lab.platform.add("cart", knows_job=False, job_s=90)
    action = lab.scale("cart", 6) if verb is Verb.SCALE else lab.action("cart", verb, goal={"restart": "t2"})
    outcome = lab.apply(lab.plan(action))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert outcome.ended_at > 90


def test_a_restart_without_any_sign_is_not_called_done(lab) -> None:
    """No job, no busy moment, no value: nothing proves that it happened."""
    lab.platform.add("cart", knows_job=False, stale_s=5000, job_s=1)
    outcome = lab.apply(lab.plan(lab.action("cart", Verb.RESTART, goal={"restart": "t2"})))
    assert outcome.data(ACTION)["code"] == "diverged"
    assert "no sign of the restart" in outcome.data(ACTION)["message"]


def test_a_component_busy_without_a_job_beyond_the_timeout_is_still_running(lab) -> None:
    """The same bound as for a job."""
    lab.platform.add("cart", knows_job=False, job_s=5000)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.endings() == {ACTION: EventType.ACTION_STILL_RUNNING}


@pytest.mark.parametrize(("interval", "first", "second"), [(5, 3.0, 8.0), (0.2, 0.2, 0.4), (60, 3.0, 63.0)])
def test_the_first_look_at_a_job_comes_early(lab, interval, first, second) -> None:
    """After three seconds, or one interval where that is shorter; then every interval."""
    lab.limits = Limits(poll_interval_s=interval)
    lab.platform.add("cart", job_s=200, send_s=0, stale_s=0)
    lab.platform.read_s = 0
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    looks = [event.elapsed_s for event in outcome.of(EventType.ACTION_PROGRESS)]
    assert looks[:2] == pytest.approx([first, second])


def test_old_jobs_are_looked_at_more_rarely(lab) -> None:
    """Twice the interval after two minutes, four times after ten."""
    lab.platform.add("cart", job_s=1100)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    at = [event.elapsed_s for event in outcome.of(EventType.ACTION_PROGRESS)]
    gaps = {60: 5, 300: 10, 900: 20}
    for moment, gap in gaps.items():
        after = next(n for n, t in enumerate(at) if t > moment)
        assert at[after + 1] - at[after] == pytest.approx(gap, abs=0.1)


# Reading back


def test_not_all_instances_ready_in_time(lab) -> None:
    """The job succeeded, the value is there, the readiness is not: a failure with the numbers."""
    lab.platform.add("cart", ready_after_s=1000)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.data(ACTION)["code"] == "not_ready"
    assert outcome.data(ACTION)["message"] == "job succeeded, 1 of 6 ready after 300 s"


def test_readiness_may_take_as_long_as_the_manifest_says(lab) -> None:
    """Counted from the end of the job."""
    lab.platform.add("cart", ready_after_s=500, job_s=400)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6, ready=Ready(timeout_s=600))))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}


def test_readiness_must_hold(lab) -> None:
    """Ready, not ready, ready again: the hold starts anew."""
    cart = lab.platform.add("cart", job_s=10)

    def flap() -> None:
        _later(20, lambda: cart.set(available_replicas=2))
        _later(40, lambda: cart.set(available_replicas=6))

    outcome = lab.apply(lab.plan(lab.scale("cart", 6, ready=Ready(hold_s=30))), before=flap)
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert 70 <= outcome.ended_at < 80


def test_a_hold_may_end_after_the_timeout_but_a_lapse_then_fails(lab) -> None:
    """Ready in time and holding is fine; lost after the limit is not ready."""
    cart = lab.platform.add("cart", job_s=10)
    ready = Ready(timeout_s=20, hold_s=60)
    assert lab.apply(lab.plan(lab.scale("cart", 6, ready=ready))).endings() == {ACTION: EventType.ACTION_COMPLETE}
    cart.set(replicas=4, available_replicas=4)
    outcome = lab.apply(
        lab.plan(lab.scale("cart", 6, ready=ready)), before=lambda: _later(50, lambda: cart.set(available_replicas=2))
    )
    assert outcome.data(ACTION)["code"] == "not_ready"


def test_a_value_that_is_not_seen_has_diverged(lab) -> None:
    """The job said yes, the platform shows something else."""
    lab.platform.add("cart", changes=False)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.data(ACTION)["code"] == "diverged"
    assert outcome.data(ACTION)["message"] == "job succeeded, but replicas is 4, wanted 6"


@pytest.mark.parametrize(
    ("verb", "goal", "parameters"),
    [
        (Verb.SCALE, {"status": "ready", "replicas": 2}, {"replica": 2}),
        (Verb.STOP, {"status": "stopped"}, {}),
    ],
)
def test_scaling_down_and_stopping_need_no_readiness(lab, verb, goal, parameters) -> None:
    """Only the value counts where instances go away."""
    lab.platform.add("cart", ready_after_s=10_000)
    outcome = lab.apply(lab.plan(lab.action("cart", verb, goal=goal, parameters=parameters)))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert outcome.ended_at < 60


def test_bad_moments_while_reading_back_do_not_fail_the_action(lab) -> None:
    """A component that can't be read now is read again."""
    cart = lab.platform.add("cart", job_s=10)
    outcome = lab.apply(
        lab.plan(lab.scale("cart", 6)),
        before=lambda: _later(5, lambda: cart.read_errors.extend([ServerFailed("500"), Unreachable("dns")])),
    )
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}


def test_a_component_that_can_not_be_read_back_is_not_called_diverged(lab) -> None:
    """Old values would be a lie: it is told that nothing could be read."""
    cart = lab.platform.add("cart", job_s=10)
    outcome = lab.apply(
        lab.plan(lab.scale("cart", 6)),
        before=lambda: _later(5, lambda: cart.read_errors.extend([ServerFailed("500")] * 999)),
    )
    assert outcome.data(ACTION)["code"] == "unverified"


# Promotions


def promotion(lab, batches: int, **values):
    lab.platform.add(
        "cart",
        version="1.0.0",
        status="GRAYING",
        candidate="2.0.0",
        rule=GrayRule(weight=10),
        batches=batches,
        last_job_id="JOB-gray",
        **values,
    )
    return lab.action(
        "cart",
        Verb.CONTINUE_DEPLOY,
        precondition={"status": "graying", "gray.version": "2.0.0", "last_job_id": "JOB-gray"},
        goal={"status": "ready", "version": "2.0.0"},
        max_requests=3,
    )


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_a_promotion_sends_as_often_as_the_platform_pauses(lab, batches) -> None:
    """One action, one request a batch, each accepted with its own job."""
    outcome = lab.apply(lab.plan(promotion(lab, batches)))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    jobs = [event.data["job_id"] for event in outcome.of(EventType.ACTION_ACCEPTED)]
    assert jobs == [f"JOB{n + 1}" for n in range(batches)]


def test_a_promotion_never_sends_more_than_it_may(lab) -> None:
    """The bound of the plan holds; what is then still graying has diverged."""
    outcome = lab.apply(lab.plan(promotion(lab, 9)))
    assert len(lab.platform.sent) == 3
    assert outcome.data(ACTION)["code"] == "diverged"


def test_a_promotion_does_not_continue_after_a_foreign_job(lab) -> None:
    """Between two requests somebody else acted: ours would be one too many."""
    action = promotion(lab, 2, job_s=10)
    cart = lab.platform.components["id-cart"]

    def interfere() -> None:
        _later(10.5, lambda: cart.set(last_job_id="JOB-theirs"))

    outcome = lab.apply(lab.plan(action), before=interfere)
    assert len(lab.platform.sent) == 1
    assert outcome.data(ACTION)["code"] == "diverged"


def test_a_promotion_looks_again_when_its_turn_to_send_comes(lab) -> None:
    """While it waited for its turn somebody else continued: what it saw before no longer counts."""
    action = promotion(lab, 3, job_s=10)
    cart = lab.platform.components["id-cart"]
    lab.limits = Limits(parallelism=1)
    lab.platform.add("other", send_s=40)
    slow = lab.scale("other", 6)

    def interfere() -> None:
        _later(30, lambda: cart.set(last_job_id="JOB-theirs"))

    outcome = lab.apply(lab.plan(action, slow), before=interfere)
    assert [sent.component for sent in lab.platform.sent] == ["cart", "other"]
    assert outcome.data(ACTION)["code"] == "diverged"


def test_a_pause_that_was_only_a_late_status_costs_a_refusal_at_most(lab) -> None:
    """A stale GRAYING after the last batch: the platform refuses the request too many, and the end is seen."""
    action = promotion(lab, 1, job_s=10)
    cart = lab.platform.components["id-cart"]

    def lag() -> None:
        _later(
            10.3, lambda: (cart.set(status="GRAYING"), setattr(cart, "busy", True), setattr(cart, "candidate", "2.0.0"))
        )
        _later(60, lambda: (cart.set(status="RUNNING"), setattr(cart, "busy", False), setattr(cart, "candidate", None)))

    outcome = lab.apply(lab.plan(action), before=lag)
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert len(outcome.of(EventType.ACTION_ACCEPTED)) == 1
    assert len(lab.platform.sent) <= 5


def _later(seconds: float, then) -> None:
    asyncio.get_running_loop().call_later(seconds, then)
