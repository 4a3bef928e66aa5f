"""Waiting for busy components before a plan is made: bounded, told, and never an error."""

import asyncio

import pytest

from statetool.apply.idle import wait_until_idle
from statetool.apply.run import Emitter
from statetool.core.events import Event, EventType
from statetool.core.model import GrayRule, Job, JobPhase
from statetool.errors import NotFound, ServerFailed


def wait(lab, names, *, later=(), stop_at=None, started=frozenset()):
    """Wait for these components; returns what came back, the events, and how long it took."""

    async def work():
        loop = asyncio.get_running_loop()
        for seconds, then in later:
            loop.call_later(seconds, then)
        stop = asyncio.Event()
        if stop_at is not None:
            loop.call_later(stop_at, stop.set)
        events: list[Event] = []
        observed = [lab.platform.components[f"id-{name}"].observed for name in names]
        result = await wait_until_idle(
            lab.platform,
            observed,
            limits=lab.limits,
            run=lab.run,
            emitter=Emitter(lab.run, events.append),
            stop=stop,
            started=started,
        )
        return result, events, loop.time()

    return lab.run_virtually(work())


def test_idle_components_cost_nothing(lab) -> None:
    """No request, no event, the very same values."""
    lab.platform.add("a")
    lab.platform.add("b", status="STOPPED")
    result, events, took = wait(lab, "ab")
    assert [component.status for component in result] == ["RUNNING", "STOPPED"]
    assert (events, took, lab.platform.reads) == ([], 0, [])


def test_a_busy_component_comes_back_as_it_is_afterwards(lab) -> None:
    """In its place; every look is told."""
    lab.platform.add("a")
    busy = lab.platform.add("b", status="UPGRADING")
    result, events, took = wait(lab, "ab", later=[(42, lambda: busy.set(status="RUNNING", replicas=9))])
    assert [component.replicas for component in result] == [4, 9]
    assert {event.type for event in events} == {EventType.WAITING}
    assert events[0].data == {"address": "shop/b@prod", "status": "UPGRADING"}
    assert 42 <= took < 60


def test_its_last_job_must_have_ended_too(lab) -> None:
    """A status may settle before the job does."""
    busy = lab.platform.add("a", status="UPGRADING", last_job_id="JOB1")
    lab.platform.jobs["JOB1"] = Job("JOB1", JobPhase.RUNNING, "RUNNING")
    done = Job("JOB1", JobPhase.SUCCEEDED, "SUCCEEDED")
    later = [(10, lambda: busy.set(status="RUNNING")), (60, lambda: lab.platform.jobs.update(JOB1=done))]
    assert wait(lab, "a", later=later)[2] >= 60


def test_a_gray_release_that_pauses_is_idle_and_comes_with_its_details(lab) -> None:
    """Its job may run as long as the pause [U15]; the plan needs the rule and the records."""
    busy = lab.platform.add("a", status="UPGRADING", last_job_id="JOB1", candidate="2.0.0", rule=GrayRule(weight=5))
    lab.platform.jobs["JOB1"] = Job("JOB1", JobPhase.RUNNING, "RUNNING")
    result, _, took = wait(lab, "a", later=[(10, lambda: busy.set(status="GRAYING"))])
    assert result[0].closer.rule == GrayRule(weight=5)
    assert took < 30


def test_one_that_stays_busy_comes_back_busy(lab) -> None:
    """Bounded by the job timeout; what to do with it is for the plan to say."""
    lab.platform.add("a", status="UPGRADING")
    result, _, took = wait(lab, "a")
    assert result[0].status == "UPGRADING"
    assert took == pytest.approx(1200, abs=1)


def test_a_bad_moment_to_read_is_waited_out(lab) -> None:
    """A failing read is no news about the component."""
    busy = lab.platform.add("a", status="UPGRADING", read_errors=[ServerFailed("500")] * 3)
    result, _, _ = wait(lab, "a", later=[(5, lambda: busy.set(status="RUNNING"))])
    assert result[0].status == "RUNNING"


def test_one_that_is_gone_ends_its_wait_only(lab) -> None:
    """The observation that follows says so better."""
    lab.platform.add("a", status="UPGRADING", read_errors=[NotFound("gone")])
    other = lab.platform.add("b", status="UPGRADING")
    result, _, took = wait(lab, "ab", later=[(60, lambda: other.set(status="RUNNING"))])
    assert [component.status for component in result] == ["UPGRADING", "RUNNING"]
    assert took >= 60


def test_a_stop_ends_the_wait_at_once(lab) -> None:
    """With what is known by then."""
    lab.platform.add("a", status="UPGRADING")
    result, _, took = wait(lab, "a", stop_at=33)
    assert result[0].status == "UPGRADING"
    assert took == pytest.approx(33)


def test_a_mistake_of_ours_is_not_swallowed(lab) -> None:
    """Only errors of the platform end a wait quietly."""
    lab.platform.add("a", status="UPGRADING", read_errors=[ZeroDivisionError("ours")])
    with pytest.raises(ZeroDivisionError):
        wait(lab, "a")


def test_a_job_that_no_status_shows_is_waited_for_where_it_is_known(lab) -> None:
    """What the caller started itself."""
    lab.platform.add("a", last_job_id="JOB1")
    lab.platform.add("b", last_job_id="JOB2")
    lab.platform.jobs["JOB1"] = lab.platform.jobs["JOB2"] = Job("JOB1", JobPhase.RUNNING, "RUNNING")
    done = Job("JOB1", JobPhase.SUCCEEDED, "SUCCEEDED")
    later = [(60, lambda: lab.platform.jobs.update(JOB1=done))]
    result, events, took = wait(lab, "ab", later=later, started={"id-a"})
    assert [component.status for component in result] == ["RUNNING", "RUNNING"]
    assert {event.data["address"] for event in events} == {"shop/a@prod"}
    assert 60 <= took < 80
