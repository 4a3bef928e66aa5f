"""The state machine that Hypothesis drives: whatever is done in whatever order, nothing that must never be comes about.

The invariants are judged while things happen (`torture_truth.py`) and looked at after every step.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from torture_clock import Clock
from torture_effects import JOB_FAULTS, READ_FAULTS, STORE_FAULTS, WRITE_FAULTS, Fault, Scripted
from torture_random import FOUND, Story, begun
from torture_scenarios import wanted
from torture_stores import InMemory
from torture_world import World

KINDS = sorted(FOUND)
CRASHES = tuple(fault for fault in WRITE_FAULTS if fault.kind.startswith("crash"))
LOSSES = tuple(fault for fault in WRITE_FAULTS if not fault.kind.startswith("crash"))


class Machine(RuleBasedStateMachine):
    """A shop of one or two components. Every rule is a thing that happens to it."""

    @initialize(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=2, unique=True), per_batch=st.booleans())
    def open_shop(self, kinds: list[str], per_batch: bool) -> None:
        self.kinds = tuple(sorted(kinds))
        snapshot, data, now = begun(self.kinds, per_batch, False)
        clock = Clock()
        clock.now = now
        place = InMemory(clock)
        place.server.data, place.server.fence = data, 1
        self.server = place.server
        self.world = World({}, clock, place, snapshot=snapshot)
        self.manifest = wanted(*self.kinds)

    @rule()
    def plan(self) -> None:
        """It writes nothing, sends nothing, and needs no lock."""
        before = (self.server.data, self.server.journal, self.world.sandbox.log())
        self.world.plan(self.manifest)
        assert before == (self.server.data, self.server.journal, self.world.sandbox.log())

    @rule()
    def apply(self) -> None:
        self.world.apply(self.manifest)

    @rule(passes=st.integers(0, 2), fault=st.sampled_from(CRASHES))
    def crash_at_a_request(self, passes: int, fault: Fault) -> None:
        self.world.apply(self.manifest, Scripted({"write": [*[Fault("")] * passes, fault]}))

    @rule(passes=st.integers(0, 30), kind=st.sampled_from(["read", "store"]), after=st.booleans())
    def crash_anywhere(self, passes: int, kind: str, after: bool) -> None:
        fault = Fault("crash_after" if after else "crash_before")
        self.world.apply(self.manifest, Scripted({kind: [*[Fault("")] * passes, fault]}))

    @rule(passes=st.integers(0, 2), faults=st.lists(st.sampled_from((*LOSSES, *JOB_FAULTS)), min_size=1, max_size=2))
    def lose_or_fail(self, passes: int, faults: list[Fault]) -> None:
        """Answers lost, requests late, jobs that fail, throttling."""
        self.world.apply(self.manifest, Scripted({"write": [*[Fault("")] * passes, *faults]}))

    @rule(passes=st.integers(0, 20), fault=st.sampled_from((*READ_FAULTS[:3], *STORE_FAULTS[:4])))
    def trouble(self, passes: int, fault: Fault) -> None:
        kind = "read" if fault in READ_FAULTS[:3] else "store"
        self.world.apply(self.manifest, Scripted({kind: [*[Fault("")] * passes, fault]}))

    @rule(passes=st.integers(0, 10), seconds=st.sampled_from([5.0, 75.0]), others=st.booleans())
    def lease_stolen(self, passes: int, seconds: float, others: bool) -> None:
        """A run stands still; meanwhile its lease may end and somebody else go through."""
        self.world.meanwhile = self._other_run if others else None
        self.world.apply(self.manifest, Scripted({"read": [*[Fault("")] * passes, Fault("stopped", seconds)]}))
        self.world.meanwhile = None

    def _other_run(self) -> None:
        self.world.meanwhile = None
        self.world.apply(self.manifest)

    @rule(passes=st.integers(0, 10))
    def interrupt(self, passes: int) -> None:
        self.world.apply(self.manifest, Scripted({"read": [*[Fault("")] * passes, Fault("signal")]}))

    @rule(data=st.data(), what=st.sampled_from(["scale", "restart", "replicas", "fail"]), number=st.integers(1, 5))
    def human_edit(self, data: Any, what: str, number: int) -> None:
        name = data.draw(st.sampled_from(self.kinds))
        if what == "fail":
            self.world.disturb(name, fail_next_job="quota exceeded")
        elif what == "replicas":
            self.world.disturb(name, replicas=number)
        elif what == "scale":
            self.world.edit(name, "scale", replica=number)
        else:
            self.world.edit(name, "restart")

    @rule(seconds=st.sampled_from([1.0, 30.0, 100.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.advance(self.world.clock.now + seconds)

    @rule(seconds=st.sampled_from([-3600.0, -60.0, 1.0]))
    def clock_jumps(self, seconds: float) -> None:
        """The wall clock of whoever runs next is another one. One that is ahead by more than a request takes to arrive
        would cut the quiet period short."""
        self.world.skew_s = seconds

    @precondition(lambda self: hasattr(self, "world"))
    @rule()
    def resolve(self) -> None:
        """A person says what became of what is parked, once everything that is on its way has arrived."""
        self.world.clock.advance(self.world.clock.now + 200.0)
        self.world.resolve_parked(self.manifest)

    @invariant()
    def nothing_is_broken(self) -> None:
        if hasattr(self, "world"):
            assert not self.world.truth.violations, self.world.truth.violations

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.world as world:
            world.skew_s = 0.0
            story = Story.__new__(Story)
            story.world, story.kinds = world, self.kinds
            story.last = world.settle(self.manifest)
            story.judge()
            assert not world.truth.violations, world.truth.violations
