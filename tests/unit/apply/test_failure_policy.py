"""How much is tried, and for how long: stop or continue after failures, retries, a time limit for each verb."""

from __future__ import annotations

from statetool.apply.run import Limits
from statetool.core.events import EventType
from statetool.core.plan import Verb
from statetool.errors import RequestRefused

ERRORED, COMPLETE, SKIPPED = EventType.ACTION_ERRORED, EventType.ACTION_COMPLETE, EventType.ACTION_SKIPPED


def test_stop_and_continue(lab) -> None:
    """After the first failure nothing new begins; or all does that does not need what failed."""
    plan = lab.plan(*(lab.scale(f"c{n}", 6, requires=["shop/c0#1"] if n == 1 else []) for n in range(9)))
    for most, endings in ((1, [ERRORED] + [SKIPPED] * 8), (None, [ERRORED, SKIPPED] + [ERRORED] * 6 + [COMPLETE])):
        lab.limits = Limits(parallelism=1, jobs_in_flight=1, max_failures=most)
        for n in range(9):
            lab.platform.add(f"c{n}", refusals=[RequestRefused("no")] if n < 8 else [])
        outcome = lab.apply(plan)
        assert [outcome.endings()[f"shop/c{n}#1"] for n in range(9)] == endings


def test_a_job_that_failed_is_sent_again_as_often_as_allowed(lab) -> None:
    """Each time as an operation of its own; the last one's failure is told."""
    for retries in (0, 2):
        lab.limits = Limits(retries=retries)
        lab.platform.add("a", job_status="FAILED", job_message="quota exceeded")
        outcome = lab.apply(lab.plan(lab.scale("a", 6)))
        assert outcome.endings() == {"shop/a#1": ERRORED}
        assert outcome.data("shop/a#1")["message"] == "quota exceeded"
        assert len(outcome.of(EventType.ACTION_ACCEPTED)) == retries + 1


def test_what_would_happen_twice_is_never_sent_again(lab) -> None:
    """A restart whose job failed may have restarted something."""
    lab.limits = Limits(retries=10)
    lab.platform.add("a", job_status="FAILED")
    outcome = lab.apply(lab.plan(lab.action("a", Verb.RESTART, goal={"restart": "2"})))
    assert outcome.endings() == {"shop/a#1": ERRORED}
    assert len(lab.platform.sent) == 1


def test_a_verb_has_a_time_limit_of_its_own(lab) -> None:
    """The same slow job: one verb is waited for, the other is left to the platform."""
    lab.limits = Limits(job_timeout_s=30, job_timeout_of={"rollback": 300})
    lab.platform.add("a", job_s=100)
    lab.platform.add("b", job_s=100)
    back = lab.action("b", Verb.ROLLBACK, parameters={"version": "0.9.0"}, goal={"version": "0.9.0"})
    outcome = lab.apply(lab.plan(lab.scale("a", 6), back))
    assert outcome.endings() == {"shop/a#1": EventType.ACTION_STILL_RUNNING, "shop/b#1": COMPLETE}
