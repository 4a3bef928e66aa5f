"""Random stories: a small shop, wishes for it, and a handful of runs during which everything may go wrong.

A story follows from its number alone, so that one that broke something can be told again:

    python tests/torture/torture_random.py NUMBER [NUMBER ...]
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from torture_clock import Clock
from torture_effects import FAULTS, JOB_FAULTS, Fault, Random
from torture_loop import kept_texts
from torture_secrets import CORPUS
from torture_stores import InMemory
from torture_truth import Violation
from torture_world import APPLICATION, World, load

from statetool.apply.run import Limits
from statetool.core.model import Desired

FOUND: dict[str, dict[str, Any]] = {
    "grow": {"version": "1.0.0", "replicas": 2},
    "shrink": {"version": "1.0.0", "replicas": 5},
    "back": {"version": "1.1.0", "replicas": 3, "history": ["1.0.0"]},
    "deploy": {"version": "1.0.0", "replicas": 2},
    "shift": {"version": "1.0.0", "replicas": 3, "gray": {"version": "1.1.0", "weight": 10}},
    "promote": {"version": "1.0.0", "replicas": 3, "gray": {"version": "1.1.0", "weight": 10, "remaining_batches": 2}},
    "start": {"version": "1.0.0", "replicas": 2, "status": "STOPPED"},
    "stop": {"version": "1.0.0", "replicas": 2},
    "again": {"version": "1.0.0", "replicas": 2},
    "both": {"version": "1.0.0", "replicas": 2},
}
WANTED: dict[str, dict[str, Any]] = {
    "grow": {"replicas": 4},
    "shrink": {"replicas": 3},
    "back": {"version": "1.0.0"},
    "deploy": {"version": "1.1.0", "env": {"KEY": CORPUS[-1]}},
    "shift": {"version": "1.0.0", "gray": {"version": "1.1.0", "weight": 30}},
    "promote": {"version": "1.1.0"},
    "start": {"state": "running"},
    "stop": {"state": "stopped"},
    "again": {"restart": "2"},
    "both": {"replicas": 3, "restart": "2"},
}
TRUE_VALUES: Mapping[str, Mapping[str, Any]] = {
    "grow": {"replica": 4},
    "shrink": {"replica": 3},
    "back": {"current": "1.0.0"},
    "deploy": {"current": "1.1.0"},
    "promote": {"current": "1.1.0", "candidate": None},
    "start": {"available": 2},
    "stop": {"status": "STOPPED"},
    "both": {"replica": 3},
}
"""What the sandbox has to say in the end of a component nobody else touched."""

RESTARTED = frozenset({"again", "both"})
PROFILES: tuple[Mapping[str, float], ...] = (
    {"write": 0.6, "read": 0.0, "store": 0.0},
    {"write": 0.3, "read": 0.03, "store": 0.05},
    {"write": 0.1, "read": 0.05, "store": 0.15},
    {"write": 0.8, "read": 0.01, "store": 0.03},
)


@dataclass
class Told:
    """What a story came to."""

    number: int
    violations: Sequence[Violation] = ()
    counts: Counter[str] = field(default_factory=Counter)
    struck: Sequence[str] = ()


@cache
def begun(kinds: tuple[str, ...], per_batch: bool, records: bool) -> tuple[bytes, bytes | None, float]:
    """A shop of these kinds after its first apply: sandbox, state, and the time."""
    switches = {
        "job_seconds": 4,
        "stale_ms": 0,
        "gray_continue": "per_batch" if per_batch else "all",
        "action_records": "yes" if records else "no",
    }
    components = {kind: FOUND[kind] for kind in kinds}
    seed = {"sandbox": switches, "applications": {APPLICATION: {"environment": "prod", "components": components}}}
    first = {kind: {"restart": "1"} if kind in RESTARTED else {} for kind in kinds}
    with World(seed) as world:
        world.apply(load(json.dumps({"application": APPLICATION, "components": first})))
        assert isinstance(world.place, InMemory)
        return world.take_snapshot(), world.place.server.data, world.clock.now


def _manifest(rng: random.Random, kinds: Sequence[str]) -> tuple[Desired, ...]:
    components = {kind: dict(WANTED[kind]) for kind in kinds}
    for earlier, later in pairwise(kinds):
        if rng.random() < 0.3 and "stop" not in (earlier, later):
            components[later]["depends_on"] = [earlier]
    return load(json.dumps({"application": APPLICATION, "components": components}))


class Story:
    """One random story."""

    def __init__(self, number: int, *, most_kinds: int = 3) -> None:
        self.number = number
        self.rng = rng = random.Random(number)
        kinds = rng.sample(sorted(FOUND), rng.choice([1, 1, 2, most_kinds]))
        self.kinds = tuple(sorted(kinds))
        snapshot, data, now = begun(self.kinds, rng.random() < 0.5, rng.random() < 0.3)
        clock = Clock()
        clock.now = now
        place = InMemory(clock)
        place.server.data, place.server.fence = data, 1
        limits = Limits(parallelism=2, jobs_in_flight=3, max_failures=100, retries=rng.choice([0, 0, 1]))
        self.server = place.server
        self.world = World({}, clock, place, limits, snapshot=snapshot)
        self.manifest = _manifest(rng, self.kinds)

    def tell(self) -> Told:
        rng, world = self.rng, self.world
        with world:
            if rng.random() < 0.1:
                self._edit()
            for _ in range(rng.choice([1, 1, 2, 2, 3])):
                rates = rng.choice(PROFILES)
                world.meanwhile = self._other_run if rng.random() < 0.3 else None
                fates = Random(rng, rates, FAULTS, self._something_else)
                if rng.random() < 0.15:
                    world.resume(self.manifest, fates)
                else:
                    world.apply(self.manifest, fates)
                if rng.random() < 0.15:
                    self._edit()
                world.clock.advance(world.clock.now + rng.choice([0.0, 1.0, 10.0, 40.0, 100.0, 300.0]))
            self.last = world.settle(self.manifest)
            self.judge()
            return Told(self.number, world.truth.violations, world.truth.counts, world.struck)

    def _something_else(self, kind: str) -> Fault | None:
        """What may happen beside the faults of the effect itself."""
        chance = self.rng.random()
        if chance < 0.08:
            return Fault("edit", then=self._edit)
        if kind == "write":
            return self.rng.choice(JOB_FAULTS) if chance < 0.2 else None
        if chance < 0.14:
            return Fault("signal")
        if chance < 0.22:
            return Fault("stopped", self.rng.choice([5.0, 75.0, 130.0]))
        if chance < 0.28:
            return Fault("cut_off", then=self._cut_off)
        return None

    def _edit(self) -> None:
        """Somebody does something in the console, or a machine fails."""
        rng, world = self.rng, self.world
        name = rng.choice(self.kinds)
        what = rng.choice(["scale", "restart", "replicas", "fail", "weight"])
        if what == "scale":
            world.edit(name, "scale", replica=rng.randint(1, 5))
        elif what == "restart":
            world.edit(name, "restart")
        elif what == "replicas":
            world.disturb(name, replicas=rng.randint(1, 5))
        elif what == "fail":
            world.disturb(name, fail_next_job="quota exceeded")
        else:
            world.disturb(name, weight=50)

    def _cut_off(self) -> None:
        """The server of the state is out of the holder's reach for a while."""
        server, fence = self.server, self.server.fence
        server.cut_off.add(fence)
        self.world.clock.at(
            self.world.clock.now + self.rng.choice([5.0, 30.0, 100.0]), lambda: server.cut_off.discard(fence)
        )

    def _other_run(self) -> None:
        """Somebody else's apply while the first stands still."""
        self.world.meanwhile = None
        self.world.apply(self.manifest)

    def judge(self) -> None:
        truth, world = self.world.truth, self.world
        failed = Counter(
            (c.component_id or "", c.verb)
            for c in truth.calls
            if (c.job_id is not None and world.ground.job_status(c.job_id) != "SUCCEEDED")
            or c.fault.kind == "never_ready"
        )
        wished = {(world.ids[kind], "restart"): 1 for kind in self.kinds if kind in RESTARTED}
        if "promote" in self.kinds:
            wished[world.ids["promote"], "continue_deploy"] = 2
        truth.judge_edges({edge: times + failed[edge] for edge, times in wished.items()})
        for kind in self.kinds:
            if world.ids[kind] in truth.edited or kind in self._reported():
                continue
            component = world.ground.component(world.ids[kind])
            for name, wanted in TRUE_VALUES.get(kind, {}).items():
                if (is_ := getattr(component, name)) != wanted and component.ready_limit is None:
                    truth.broken("I6", f"{kind}: {name} is {is_} in the end, and {wanted} is wanted")
        truth.judge_secrets(CORPUS, kept_texts(world))

    def _reported(self) -> set[str]:
        """Of which components the last plan says that something is not as it should be."""
        if self.last.outcome is None:
            return set()
        plan = self.last.outcome.plan
        told = [f.address for f in plan.findings] + [b.address for b in (*plan.blocked, *plan.held_back)]
        return {address.component for address in (*told, *(a.address for a in plan.left_alone)) if address}


def tell(number: int) -> Told:
    return Story(number).tell()


def main(numbers: Sequence[str]) -> None:
    for number in numbers:
        story = Story(int(number))
        told = story.tell()
        print(f"story {number}: {', '.join(story.kinds)}")
        for process in story.world.processes:
            print(f"  {process.name}")
            for event in process.events:
                if event.type not in ("action_progress", "version"):
                    print(f"    {event.at[11:19]} {event.type} {event.action_id or ''} {dict(event.data)}")
        for call in story.world.truth.calls:
            name = story.world.names[call.component_id or ""]
            print(
                f"  {call.sent_at:.2f} -> {call.arrived_at}: {name} {call.verb} {call.operation} {call.status} "
                f"{call.job_id} {call.fault} of {call.process.name}"
            )
        for line in told.struck:
            print(f"  {line}")
        for violation in told.violations:
            print(f"  {violation}")


if __name__ == "__main__":
    main(sys.argv[1:])
