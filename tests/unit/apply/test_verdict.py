"""The pure answers about one action: is the goal there, has the world moved, what is missing."""

import pytest

from statetool.apply import verdict
from statetool.core.model import Address, Observed
from statetool.core.plan import SendIf, Verb


def observed(status: str = "RUNNING", replicas: int = 4, available: int = 4) -> Observed:
    return Observed(Address("shop", "cart"), "c", "a", None, "1.0.0", status, replicas, available, None, None)


@pytest.mark.parametrize(
    ("verb", "goal", "values", "unmet"),
    [
        (Verb.SCALE, {"replicas": 6}, {"status": "ready", "replicas": 6}, {}),
        (Verb.SCALE, {"replicas": 6}, {"status": "busy", "replicas": 6}, {"status": ("busy", "ready")}),
        (Verb.SCALE, {"replicas": 6}, {"status": "ready", "replicas": 4}, {"replicas": (4, 6)}),
        (Verb.ROLLBACK, {"version": "1"}, {"status": "graying", "version": "1"}, {"status": ("graying", "ready")}),
        (Verb.STOP, {}, {"status": "stopped"}, {}),
        (Verb.START, {}, {"status": "stopped"}, {"status": ("stopped", "ready")}),
        (Verb.MODIFY_GRAY_RULE, {"gray.weight": 20}, {"status": "graying", "gray.weight": 20}, {}),
        (Verb.MODIFY_GRAY_RULE, {"gray.weight": 20}, {"status": "graying"}, {"gray.weight": (None, 20)}),
        (Verb.RESTART, {"restart": "t2"}, {"status": "ready", "restart": "t1"}, {"restart": ("t1", "t2")}),
    ],
)
def test_unmet_goal(lab_type, verb, goal, values, unmet) -> None:
    """Each path with what is seen and what is wanted; the status its verb ends in always counts."""
    assert verdict.unmet_goal(lab_type.action("cart", verb, goal=goal), values) == unmet


def test_after_sending_the_token_of_a_restart_no_longer_counts(lab_type) -> None:
    """It is recorded by us once the restart is done."""
    action = lab_type.action("cart", Verb.RESTART, goal={"restart": "t2"})
    assert verdict.unmet_after_sending(action, {"status": "ready", "restart": "t1"}) == {}


@pytest.mark.parametrize(
    ("precondition", "own_jobs", "moved"),
    [
        ({}, (), set()),
        ({"status": "ready", "replicas": 4}, (), set()),
        ({"status": "graying"}, (), {"status"}),
        ({"gray.version": "2"}, (), {"gray.version"}),
        ({"gray.version": None}, (), set()),
        ({"last_job_id": "JOB1"}, (), {"last_job_id"}),
        ({"last_job_id": "JOB1"}, ("JOB9",), set()),
        ({"replicas": 5}, ("JOB9",), {"replicas"}),
    ],
)
def test_moved_paths(lab_type, precondition, own_jobs, moved) -> None:
    """Only what the precondition names; a job of this run is no movement."""
    action = lab_type.action("cart", Verb.SCALE, precondition=precondition)
    values = {"status": "ready", "replicas": 4, "last_job_id": "JOB9"}
    assert set(verdict.moved_paths(action, values, own_jobs)) == moved


@pytest.mark.parametrize(
    ("send_if", "replicas", "needless"),
    [
        (SendIf.ALWAYS, 6, False),
        (SendIf.FEWER, 5, False),
        (SendIf.FEWER, 6, True),
        (SendIf.FEWER, 7, True),
        (SendIf.DIFFERENT, 7, False),
        (SendIf.DIFFERENT, 6, True),
    ],
)
def test_is_needless(lab_type, send_if, replicas, needless) -> None:
    """A conditional scale that has nothing to put back."""
    assert verdict.is_needless(lab_type.scale("cart", 6, send_if=send_if), observed(replicas=replicas)) is needless


@pytest.mark.parametrize(
    ("verb", "needs"),
    [
        (Verb.START, True),
        (Verb.RESTART, True),
        (Verb.ROLLBACK, True),
        (Verb.ROLLBACK_CURRENT, True),
        (Verb.UPGRADE, True),
        (Verb.STOP, False),
        (Verb.MODIFY_GRAY_RULE, False),
    ],
)
def test_needs_readiness_by_verb(lab_type, verb, needs) -> None:
    """Every verb that ends with running instances."""
    assert verdict.needs_readiness(lab_type.action("cart", verb), observed()) is needs


def test_a_promotion_ends_ready_and_one_batch_of_it_at_the_next_pause(lab_type) -> None:
    """The raw verb sends one request: the release may pause again."""
    promotion = lab_type.action("cart", Verb.CONTINUE_DEPLOY, goal={"status": "ready", "version": "1.5.0"})
    assert verdict.needs_readiness(promotion, observed())
    assert not verdict.needs_readiness(lab_type.action("cart", Verb.CONTINUE_DEPLOY), observed())


@pytest.mark.parametrize("verb", [Verb.RESTART, Verb.CONTINUE_DEPLOY, Verb.CHECK_GRAY_RELEASE, Verb.SYNC_WORKLOAD])
def test_a_verb_without_a_value_is_never_done_before_it_was_sent(lab_type, verb) -> None:
    """Nothing that is seen could tell; and afterwards nothing is missing."""
    action = lab_type.action("cart", verb)
    assert verdict.unmet_goal(action, {"status": "ready"})
    assert not verdict.unmet_after_sending(action, {"status": "ready"})


@pytest.mark.parametrize(("wanted", "needs"), [(6, True), (4, False), (2, False), (0, False)])
def test_only_a_scale_up_needs_readiness(lab_type, wanted, needs) -> None:
    """Compared with what was observed right before sending."""
    assert verdict.needs_readiness(lab_type.scale("cart", wanted), observed(replicas=4)) is needs


@pytest.mark.parametrize(
    ("verb", "goal", "seen", "code", "message"),
    [
        (Verb.SCALE, {"replicas": 6}, observed(), "diverged", "job succeeded, but replicas is 4, wanted 6"),
        (Verb.SCALE, {"replicas": 4}, observed(available=1), "not_ready", "job succeeded, 1 of 4 ready after 300 s"),
        (
            Verb.ROLLBACK,
            {"version": "1.0.0"},
            observed("PENDING", available=1),
            "not_ready",
            "job succeeded, 1 of 4 ready after 300 s (PENDING)",
        ),
        (
            Verb.ROLLBACK,
            {"version": "1.0.0"},
            observed("FAILED", available=0),
            "not_ready",
            "job succeeded, 0 of 4 ready after 300 s (FAILED)",
        ),
        (
            Verb.ROLLBACK,
            {"version": "0.9.0"},
            observed(),
            "diverged",
            "job succeeded, but version is 1.0.0, wanted 0.9.0",
        ),
        (Verb.STOP, {}, observed(), "diverged", "job succeeded, but the component is RUNNING after 300 s"),
        (Verb.START, {}, observed("STOPPED"), "diverged", "job succeeded, but the component is STOPPED after 300 s"),
    ],
)
def test_what_is_said_of_a_goal_that_was_not_reached(lab_type, verb, goal, seen, code, message) -> None:
    """Diverged where the value is not there, not ready where only the instances are missing; with the numbers."""
    from statetool.core.picture import observed_values

    action = lab_type.action("cart", verb, goal=goal)
    unmet = verdict.unmet_goal(action, observed_values(seen, None))
    assert verdict.unreached_code(action, unmet, seen) == code
    assert verdict.describe_unreached(action, unmet, seen, 300.2) == message


def test_a_missing_value_is_named_as_such(lab_type) -> None:
    """Not as Python's None."""
    action = lab_type.action("cart", Verb.MODIFY_GRAY_RULE, goal={"gray.weight": 20})
    unmet = verdict.unmet_goal(action, {"status": "graying"})
    assert verdict.describe_unreached(action, unmet, observed("GRAYING"), 5).endswith(
        "gray.weight is not shown, wanted 20"
    )
