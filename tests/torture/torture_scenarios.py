"""Stories with a plot: what chance would bring about too rarely. Each gives the violations it came to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from torture_clock import Clock
from torture_effects import Fault, Scripted
from torture_random import FOUND, WANTED
from torture_stores import InMemory, OnDisk, Place
from torture_truth import Violation
from torture_world import APPLICATION, World, load

from statetool.apply.run import Limits
from statetool.backends.state_text import StateText, parse_state
from statetool.core.events import EventType
from statetool.core.model import Desired


def shop(
    *kinds: str, place: Callable[[Clock], Place] = InMemory, limits: Limits | None = None, **switches: str
) -> World:
    """A shop of these components, with what was wished first."""
    components = {kind: FOUND[kind] for kind in kinds}
    applications = {APPLICATION: {"environment": "prod", "components": components}}
    clock = Clock()
    world = World(
        {"sandbox": {"job_seconds": 4, "stale_ms": 0, **switches}, "applications": applications}, clock, place(clock)
    )
    world.limits = limits or world.limits
    first = {kind: {"restart": "1"} if kind == "again" else {} for kind in kinds}
    world.apply(load(json.dumps({"application": APPLICATION, "components": first})))
    return world


def wanted(*kinds: str) -> tuple[Desired, ...]:
    """What is wanted of these components."""
    return load(json.dumps({"application": APPLICATION, "components": {kind: WANTED[kind] for kind in kinds}}))


def a_lease_that_ran_out() -> Sequence[Violation]:
    """A run stands still until its lease is nearly over, and again between two tries of its request: others may have
    the lock by then."""
    with shop("grow") as world:
        assert isinstance(world.place, InMemory)
        server, clock = world.place.server, world.clock

        def lose() -> None:
            world.processes[-1].is_stopped = True
            clock.advance(clock.now + 20.0)
            world.processes[-1].is_stopped = False
            server.fence += 1

        look = [Fault("")] * 2 + [Fault("stopped", 58.0)]
        world.apply(wanted("grow"), Scripted({"read": look, "write": [Fault("refused", then=lose)]}))
        server.holder = None
        world.settle(wanted("grow"))
        return world.truth.violations


def a_lock_file_that_was_removed() -> Sequence[Violation]:
    """Somebody takes the lock's file away while a run stands still, and another run goes through."""
    with (
        tempfile.TemporaryDirectory() as folder,
        shop("grow", "back", place=lambda c: OnDisk(c, Path(folder))) as world,
    ):
        assert isinstance(world.place, OnDisk)
        lock = world.place.path.with_name("state.json.lock")

        def take_away() -> None:
            world.meanwhile = None
            lock.unlink()
            world.apply(wanted("grow"))

        world.meanwhile = take_away
        world.apply(wanted("back"), Scripted({"read": [Fault("")] * 6 + [Fault("stopped", 5.0)]}))
        world.settle(wanted("grow", "back"))
        return world.truth.violations


def a_state_that_others_wrote() -> Sequence[Violation]:
    """Somebody puts another state there, who never asked for the lock."""
    with shop("grow") as world:
        assert isinstance(world.place, InMemory)
        server = world.place.server

        def overwrite() -> None:
            state = parse_state(server.data or b"")
            other = replace(state, serial=state.serial + 7)
            server.data = StateText().render(other)
            world.truth.serials.append((other.serial, other.lineage, other.fence))

        world.apply(wanted("grow"), Scripted({"write": [Fault("", then=overwrite)]}))
        world.settle(wanted("grow"))
        return world.truth.violations


def a_component_that_is_busy() -> Sequence[Violation]:
    """Something else goes on with it when its turn comes; that ends, and then the action is carried out."""
    with shop("grow") as world:

        def begin() -> None:
            world.disturb("grow", status="UPGRADING")
            world.clock.at(world.clock.now + 20.0, lambda: world.disturb("grow", status="RUNNING") and None)

        ended = world.apply(wanted("grow"), Scripted({"read components": [Fault("", then=begin)]}))
        if EventType.ACTION_COMPLETE not in [event.type for event in ended.process.events]:
            world.truth.broken("I6", "a component that was busy for a moment was left as it was")
        return world.truth.violations


def an_intent_that_took_long() -> Sequence[Violation]:
    """The journal takes a minute; what was sent after that arrives when the next run has looked already."""
    with shop("grow") as world:
        slow = [Fault("slow", 70.0)]
        world.apply(wanted("grow"), Scripted({"store append": slow, "write": [Fault("crash_sent", 88.0)]}))
        world.apply(wanted("grow"))
        world.settle(wanted("grow"))
        accepted = [call for call in world.truth.calls if call.job_id is not None]
        if len(accepted) > 1:
            world.truth.broken("I2", f"it was accepted {len(accepted)} times")
        return world.truth.violations


def a_request_that_never_arrived() -> Sequence[Violation]:
    """The component's last job is one of before: nothing came, so the value is asked for once more."""
    with shop("grow") as world:
        world.edit("grow", "restart")
        world.clock.advance(world.clock.now + 100.0)
        ended = world.apply(wanted("grow"), Scripted({"write": ["lost"]}))
        if EventType.ACTION_COMPLETE not in [event.type for event in ended.process.events]:
            world.truth.broken("I6", "what never arrived was not asked for again")
        world.settle(wanted("grow"))
        return world.truth.violations


def a_scale_of_somebody_after() -> Sequence[Violation]:
    """Ours never arrives; what comes after it is something else of somebody else's."""
    with shop("again") as world:

        def scale() -> None:
            world.clock.at(world.clock.now + 30.0, lambda: world.edit("again", "scale", replica=3) and None)

        world.apply(wanted("again"), Scripted({"write": [Fault("lost", then=scale)]}))
        world.settle(wanted("again"))
        return world.truth.violations


def a_restart_that_comes_very_late() -> Sequence[Violation]:
    """Later than anybody could expect: also then it runs once, for the person who is asked looks closely."""
    with shop("again") as world:
        world.apply(wanted("again"), Scripted({"write": [Fault("late", 400.0)]}))
        world.apply(wanted("again"))
        world.clock.advance(world.clock.now + 600.0)
        world.settle(wanted("again"))
        world.truth.judge_edges({(world.ids["again"], "restart"): 1})
        return [violation for violation in world.truth.violations if violation.invariant == "I3"]


ALL: tuple[Callable[[], Sequence[Violation]], ...] = (
    a_lease_that_ran_out,
    a_lock_file_that_was_removed,
    a_state_that_others_wrote,
    a_component_that_is_busy,
    an_intent_that_took_long,
    a_request_that_never_arrived,
    a_scale_of_somebody_after,
    a_restart_that_comes_very_late,
)
