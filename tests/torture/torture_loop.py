"""SQLite's loop: count the effects of a clean apply; let each fail, crash, be lost or late, and recover from it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from torture_clock import Clock
from torture_effects import FAULTS, JOB_FAULTS, AtEffect, Counting, Fault
from torture_places import open_place
from torture_secrets import CORPUS
from torture_stores import InMemory, OnDisk
from torture_truth import Violation
from torture_world import APPLICATION, Ended, World, load

SEED: dict[str, Any] = {
    "sandbox": {"job_seconds": 4, "stale_ms": 0},
    "applications": {
        APPLICATION: {
            "environment": "prod",
            "components": {
                "cart": {"version": "1.0.0", "replicas": 2},
                "mail": {"version": "1.0.0", "replicas": 2},
                "pay": {"version": "1.0.0", "replicas": 3},
                "search": {"version": "2.1.0", "replicas": 4, "gray": {"version": "2.2.0", "weight": 10}},
                "web": {"version": "1.0.0", "replicas": 2},
            },
        }
    },
}
FIRST = load(json.dumps({"application": APPLICATION, "components": {"mail": {"restart": "1"}}}))
WANTED = load(
    json.dumps(
        {
            "application": APPLICATION,
            "components": {
                "cart": {"replicas": 3},
                "mail": {"restart": "2", "depends_on": ["cart"]},
                "pay": {"version": "1.1.0", "env": {"KEY": CORPUS[-1], "WORD": CORPUS[3]}},
                "search": {
                    "version": "2.1.0",
                    "gray": {"version": "2.2.0", "weight": 30},
                    "depends_on": ["cart"],
                },
                "web": {"replicas": 4, "depends_on": ["pay", "mail"]},
            },
        }
    )
)
"""Five actions: a deployment, a restart, a gray rule and two scales, over three steps."""
REQUESTS = {"cart": "scale", "mail": "restart", "pay": "upgrade", "search": "modify_gray_rule", "web": "scale"}
ANYWHERE = (Fault("signal"), Fault("stopped", 10.0), Fault("stopped", 75.0))


@dataclass
class Found:
    """What one run of the loop came to."""

    number: int
    fault: Fault
    struck: str | None
    violations: Sequence[Violation]
    counts: dict[str, int] = field(default_factory=dict)


@cache
def _seeded() -> bytes:
    with World(SEED) as world:
        return world.take_snapshot()


def build_world(place: str, folder: Path) -> World:
    """The shop, its first manifest applied."""
    clock = Clock()
    world = World(SEED, clock, open_place(place, clock, folder), snapshot=_seeded())
    world.apply(FIRST)
    return world


def count_effects(place: str) -> list[tuple[str, str]]:
    counting = Counting()
    with tempfile.TemporaryDirectory() as folder, build_world(place, Path(folder)) as world:
        world.apply(WANTED, counting)
        assert not judge(world, Fault("")), judge(world, Fault(""))
    return counting.seen


def all_runs(place: str) -> Iterator[tuple[int, Fault]]:
    """Every effect with every kind of fault it may meet."""
    for number, (kind, _name) in enumerate(count_effects(place), 1):
        for fault in (*FAULTS[kind], *(JOB_FAULTS if kind == "write" else ANYWHERE)):
            yield number, fault
        if kind == "write":
            yield number, ANYWHERE[0]


def run_one(place: str, number: int, fault: Fault) -> Found:
    """The fault at that effect; then recover, apply until all is quiet, and judge."""
    with tempfile.TemporaryDirectory() as folder, build_world(place, Path(folder)) as world:
        fates = AtEffect(number, fault)
        if fault.kind == "stopped" and fault.after_s > 60.0:
            world.meanwhile = lambda: _other_run(world)
        world.apply(WANTED, fates)
        world.settle(WANTED)
        return Found(number, fault, fates.struck, judge(world, fault), dict(world.truth.counts))


def _other_run(world: World) -> Ended:
    """Somebody else's apply, while the first one stands still."""
    world.meanwhile = None
    return world.apply(WANTED)


def judge(world: World, fault: Fault) -> list[Violation]:
    """Everything that was broken: by the truth as it went along, and at the end."""
    truth = world.truth
    truth.judge_edges({(world.ids["mail"], "restart"): 1 + (fault in JOB_FAULTS)})
    accepted = sorted((world.names[c.component_id or ""], c.verb) for c in truth.calls if c.job_id is not None)
    if fault not in JOB_FAULTS and accepted != sorted(REQUESTS.items()):
        truth.broken("I2", f"accepted in all: {accepted}")
    for name, wanted in {"cart": 3, "web": 4}.items():
        if (is_ := world.ground.component(world.ids[name]).replica) != wanted:
            truth.broken("I6", f"{name} has {is_} instances, and {wanted} are wanted")
    truth.judge_secrets(CORPUS, kept_texts(world))
    return truth.violations


def kept_texts(world: World) -> list[bytes]:
    """Everything that is kept or told of a world."""
    told = json.dumps([[repr(event) for event in process.events] for process in world.processes]).encode()
    told += world.truth.everything_durable
    if isinstance(world.place, InMemory):
        return [told, world.place.server.data or b"", "".join(world.place.server.journal).encode()]
    if not isinstance(world.place, OnDisk):
        state, entries = world.place.read()
        return [told, repr(state).encode(), json.dumps(entries).encode()]
    files = [path for path in world.place.path.parent.rglob("*") if path.is_file()]
    return [told, *(path.read_bytes() for path in files)]
