"""What the harness once found, told by name, so that it stays found."""

from __future__ import annotations

import json

import pytest
from torture_effects import Fault, Scripted
from torture_loop import run_one
from torture_random import FOUND, WANTED
from torture_world import APPLICATION, World, load

from statetool.apply.run import Limits
from statetool.core.events import EventType
from statetool.core.model import Desired


def shop(kind: str, limits: Limits) -> World:
    """A shop of one component."""
    components = {kind: FOUND[kind]}
    world = World({"applications": {APPLICATION: {"environment": "prod", "components": components}}})
    world.limits = limits
    return world


def manifest(kind: str) -> tuple[Desired, ...]:
    """What is wanted of that component."""
    return load(json.dumps({"application": APPLICATION, "components": {kind: WANTED[kind]}}))


def test_a_failed_deployment_that_leaves_no_second_try_is_told_as_a_failure() -> None:
    """Its own job moved the component: that is no change by somebody else."""
    with shop("deploy", Limits(retries=1)) as world:
        ended = world.apply(manifest("deploy"), Scripted({"write": ["job_failed"]}))
        told = {event.action_id: event for event in ended.process.events if event.type is EventType.ACTION_ERRORED}
        assert [event.data["code"] for event in told.values()] == ["job_failed"]


@pytest.mark.parametrize("number", [22])
def test_an_answer_during_an_interrupt_is_kept(number: int) -> None:
    """The signal comes while a deployment is on its way: its job must not count as never sent."""
    assert not run_one("memory", number, Fault("signal")).violations


def test_an_interrupt_after_a_lost_second_try_leaves_it_unknown() -> None:
    """The job of the first try, which failed, is not that of the second: nobody knows yet whether there is one."""
    fates = Scripted({"write": ["job_failed", "late"]}, after_s=55.0, signal_at=80.0)
    with shop("stop", Limits(retries=1)) as world:
        world.apply(manifest("stop"), fates)
        [entry] = [e for e in world.place.read()[1] if e["type"] not in ("run", "intent")][-1:]
        assert entry["type"] == "unknown"
        world.settle(manifest("stop"))
        assert not world.truth.violations
