"""What the harness once found, told by name, so that it stays found."""

from __future__ import annotations

import json

import pytest
from torture_effects import AtMatch, Fault
from torture_loop import run_one
from torture_random import FOUND, WANTED
from torture_world import APPLICATION, Ended, World, load

from statetool.apply.run import Limits
from statetool.core.events import EventType


def apply_one(kind: str, fault: Fault, limits: Limits) -> tuple[World, Ended]:
    """A shop of one component, and a run in which its first changing request meets a fault."""
    world = World({"applications": {APPLICATION: {"environment": "prod", "components": {kind: FOUND[kind]}}}})
    world.limits = limits
    manifest = load(json.dumps({"application": APPLICATION, "components": {kind: WANTED[kind]}}))
    return world, world.apply(manifest, AtMatch(lambda what, name: what == "write", fault))


def test_a_failed_deployment_that_leaves_no_second_try_is_told_as_a_failure() -> None:
    """Its own job moved the component: that is no change by somebody else."""
    world, ended = apply_one("deploy", Fault("job_failed"), Limits(retries=1))
    with world:
        told = {event.action_id: event for event in ended.process.events if event.type is EventType.ACTION_ERRORED}
        assert [event.data["code"] for event in told.values()] == ["job_failed"]


@pytest.mark.parametrize("number", [22])
def test_an_answer_during_an_interrupt_is_kept(number: int) -> None:
    """The signal comes while a deployment is on its way: its job must not count as never sent."""
    assert not run_one("memory", number, Fault("signal")).violations
