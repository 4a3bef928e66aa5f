"""A world to be tortured in: the sandbox, a place for the state, one clock, and processes that live and die in it.

A process is a whole `statetool apply`: the real workflow from the lock to the closing line. Replaced is only what lies
outside of it: the clock, the loop, the wire, and the manifests as they were loaded.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from torture_clock import Clock, run_virtually
from torture_effects import CRASHES, NO_FAULT, Counting, Crash, Fates, Fault, Scripted
from torture_stores import InMemory, Place, Watched
from torture_truth import Truth
from torture_wire import SPOILT, Call, Ground, Wire

from statetool import resolving, session, surroundings, workflow
from statetool.apply.run import Limits, Run
from statetool.backends import Backend
from statetool.config import Settings, load_settings
from statetool.core.events import Event, EventType
from statetool.core.model import Desired
from statetool.errors import ExitCode, StatetoolError
from statetool.manifest.loader import load_manifests
from statetool.sandbox import Sandbox, SandboxError
from statetool.servicestage.client import ServiceStage
from statetool.servicestage.rate import Rates
from statetool.session import Listener, Project
from statetool.workflow import Outcome, Request

T = TypeVar("T")

APPLICATION = "shop"
WRITES_PER_MINUTE = 60.0
QUIET_S = 90.0
LONG_S = 1e6


@cache
def _settings() -> Settings:
    return load_settings(Path("/nowhere"), {}, {}, text="version: 1\nplatform: {endpoint: sandbox:world}\n")


@dataclass
class Process:
    """One run of the command. Dead or ended, it does nothing any more."""

    world: World
    name: str
    fates: Fates
    is_alive: bool = True
    is_stopped: bool = False
    interrupted_at: float = math.inf
    events: list[Event] = field(default_factory=list)
    looks: dict[str, list[int]] = field(default_factory=dict)
    """As the how manieth events each component was read."""
    delayed_s: float = 0.0
    delayed_at_look: dict[str, float] = field(default_factory=dict)
    met_trouble: bool = False
    """Whether something could not be made durable."""
    stop: asyncio.Event | None = None
    emitter: Any = None

    def effect(self, kind: str, name: str) -> Fault:
        """One more effect. Raises Crash in a process that is dead."""
        if not self.is_alive:
            raise Crash
        fault = self.fates.choose(kind, name)
        if fault.kind:
            self.world.struck.append(f"{self.name}: {fault} at {kind} {name}, {self.world.clock.now:.1f} s")
        if fault.kind == "slow":
            self.delayed_s += fault.after_s
        self.met_trouble |= kind in ("store", "disk") and fault.kind not in ("", "signal", "edit")
        if fault.then is not None:
            fault.then()
            self.met_trouble |= fault.kind == "cut_off"
        if fault.kind == "signal":
            self._interrupt()
            return NO_FAULT
        if fault.kind == "stopped":
            self._stand_still(fault)
            return NO_FAULT
        return fault

    def _interrupt(self) -> None:
        if self.stop is not None and not self.stop.is_set():
            self.interrupted_at = self.world.clock.now
            self.stop.set()
            self.emitter.emit(EventType.STOPPING, data={"signal": "SIGTERM"})

    def _stand_still(self, fault: Fault) -> None:
        """SIGSTOP, and some time later SIGCONT."""
        clock = self.world.clock
        self.is_stopped = True
        self.met_trouble = True  # its lease may run out
        clock.advance(clock.now + fault.after_s)
        self.delayed_s += fault.after_s
        if fault.then is None and self.world.meanwhile is not None:
            self.world.meanwhile()
        self.is_stopped = False

    def die(self) -> Crash:
        self.is_alive = False
        self.world.truth.counts["crashes"] += 1
        return Crash()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: with an outcome, an error that a person would be shown, or dead."""

    process: Process
    outcome: Outcome | None = None
    error: StatetoolError | None = None
    sent: int = 0

    @property
    def is_dead(self) -> bool:
        return not self.process.is_alive and self.outcome is None and self.error is None

    @property
    def is_quiet(self) -> bool:
        """Whether there was nothing to do any more."""
        return self.outcome is not None and not self.sent and not self.outcome.plan.actions


class _Project(Project):
    @property
    def backend(self) -> Backend:
        return _process().world.open_backend(_process())

    @property
    def limits(self) -> Limits:
        return _process().world.limits


@dataclass
class World:
    """One shop and everything that happens to it. `snapshot` is a world that was seeded before."""

    seed: Mapping[str, Any]
    clock: Clock = field(default_factory=Clock)
    place: Place = None  # type: ignore[assignment]
    limits: Limits = field(default_factory=lambda: Limits(parallelism=2, jobs_in_flight=3, max_failures=100))
    struck: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None
    snapshot: bytes | None = None

    def __post_init__(self) -> None:
        self.place = self.place or InMemory(self.clock)
        self.sandbox = Sandbox.open(None, clock=self.clock.epoch)
        if self.snapshot is None:
            self.sandbox.seed(json.dumps(self.seed), "seed.yaml")
        else:
            self.sandbox._store._connection.deserialize(self.snapshot)
        self.ground = Ground(self.sandbox)
        self.truth = Truth(self, self.ground)
        rows = self.ground.rows()
        self.ids: dict[str, str] = {row["name"]: row["id"] for row in rows}
        self.names = {id_: name for name, id_ in self.ids.items()}
        self.paths: dict[str, str] = {
            row["name"]: f"applications/{row['application_id']}/components/{row['id']}" for row in rows
        }
        self.processes: list[Process] = []

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()

    def take_snapshot(self) -> bytes:
        return self.sandbox._store._connection.serialize()

    # Processes

    def apply(self, manifest: Sequence[Desired], fates: Fates | None = None, **asked: Any) -> Ended:
        """`statetool apply --auto-approve --lock-timeout 5m`."""
        return self.run(
            lambda project, listener: workflow.apply_manifests(
                project, Request(**asked), listener, lock_timeout_s=300.0
            ),
            manifest,
            fates,
        )

    def resume(self, manifest: Sequence[Desired], fates: Fates | None = None) -> Ended:
        """`statetool apply --resume`."""

        def work(project: Project, listener: Listener) -> None:
            workflow.resume(project, listener, lock_timeout_s=300.0)

        return self.run(work, manifest, fates)

    def run(
        self,
        command: Callable[[Project, Listener], Outcome | None],
        manifest: Sequence[Desired],
        fates: Fates | None = None,
    ) -> Ended:
        process = Process(self, f"process {len(self.processes) + 1}", fates or Counting())
        self.processes.append(process)
        if isinstance(process.fates, Scripted):
            process.fates.now = self.clock.time
        before = self.truth.counts["requests"]
        listener = Listener(lambda plan: True, lambda event: self.truth.told(process, event), lambda holder: None)
        outcome: Outcome | None = None
        error: StatetoolError | None = None
        with _inside(process, manifest):
            try:
                outcome = command(_Project(_settings(), None), listener)
            except Crash:
                pass
            except StatetoolError as raised:
                error = raised
            finally:
                process.is_alive = False
        if process.interrupted_at < math.inf and outcome is not None and outcome.exit_code is not ExitCode.INTERRUPTED:
            self.truth.broken("I13", f"{process.name} was interrupted, and its exit code is {outcome.exit_code}")
        ended = Ended(process, outcome, error, self.truth.counts["requests"] - before)
        self.truth.judge_store(process)
        self.truth.judge_rate(process, WRITES_PER_MINUTE)
        return ended

    def open_backend(self, process: Process) -> Backend:
        return Watched(self.place.open(process), process, self.truth, self.clock)

    @asynccontextmanager
    async def connect(self, process: Process) -> Any:
        async with ServiceStage(
            "sandbox:world",
            _settings().project_id,
            auth=None,
            transport=Wire(self, process),
            rates=Rates(1000.0, WRITES_PER_MINUTE),
            jitter=lambda: 0.5,
            clock=self.clock.time,
        ) as platform:
            yield platform

    # The platform's side

    def deliver(self, call: Call) -> None:
        """A request arrives."""
        spoilt = SPOILT.get(call.fault.kind)
        if spoilt is not None:
            self.sandbox.set_faults([spoilt])
        answer = self.sandbox.handle(call.method, call.path, call.query, call.body)
        if spoilt is not None:
            self.sandbox.set_faults([])
        call.arrived_at, call.status, call.answer = self.clock.now, answer.status_code, answer.content
        if call.is_write:
            call.job_id = self.sandbox.log()[-1].job_id
            self.truth.arrived(call)
        elif call.component_id is not None and call.process is not None and not call.path.endswith("/records"):
            looks = call.process.looks.setdefault(call.component_id, [])
            looks.append(self.truth.next_number())
            call.process.delayed_at_look[call.component_id] = call.process.delayed_s

    # What others do

    def disturb(self, name: str, **changes: Any) -> bool:
        """What an autoscaler or a failing node does. False where that is impossible now."""
        try:
            self.sandbox.disturb(f"{APPLICATION}/{name}", **changes)
        except SandboxError:
            return False
        if set(changes) != {"fail_next_job"}:
            self._edited(name)
        return True

    def edit(self, name: str, verb: str, **parameters: Any) -> bool:
        """What a person does in the console: an action of their own. False where the platform refuses it."""
        path = f"/v3/{_settings().project_id}/cas/{self.paths[name]}/action"
        body = json.dumps({"action": verb, "parameters": parameters}).encode()
        if self.sandbox.handle("POST", path, "", body).status_code >= 300:
            return False
        self.truth.foreign_verbs[self.ids[name], verb] += 1
        self._edited(name)
        return True

    def _edited(self, name: str) -> None:
        self.truth.counts["edits"] += 1
        self.truth.note_change(self.ids[name])
        self.truth.edited[self.ids[name]] = self.clock.now

    # The end

    def settle(self, manifest: Sequence[Desired], *, most: int = 12) -> Ended:
        """Nothing goes wrong any more: apply, and say what became of what nobody could tell, until all is quiet."""
        self.clock.advance(self.clock.now + 2 * QUIET_S)
        ended = None
        for _ in range(most):
            ended = self.apply(manifest)
            parked = self.resolve_parked(manifest)
            if ended.error is not None and ended.error.code == "rescue_pending":
                self.repair(ended.error)
            elif ended.is_quiet and not parked:
                break
            self.clock.advance(self.clock.now + 60.0)
        else:
            assert ended is not None
            why = ended.error or (ended.outcome and ended.outcome.summary)
            self.truth.broken("I6", f"it does not come to an end: {why}")
        assert ended is not None
        self._judge_end(manifest)
        return ended

    def _judge_end(self, manifest: Sequence[Desired]) -> None:
        """I6 and I10: nothing is open, and a second apply sends nothing."""
        state, entries = self.place.read()
        left = [entry for entry in entries if entry["type"] == "intent"]
        if left:
            self.truth.broken("I6", f"{len(left)} operations are still open")
        again = self.apply(manifest)
        if again.sent or (again.outcome is not None and again.outcome.plan.actions):
            self.truth.broken("I10", f"a second apply sent {again.sent} requests")
        if self.place.read()[0] != state:
            self.truth.broken("I10", "a second apply changed the state")

    def resolve_parked(self, manifest: Sequence[Desired]) -> int:
        """A person looks at the platform and says of every parked operation whether it ran."""
        from torture_resolving import resolve

        parked = {
            str(entry["operation"]): self.truth.operations[str(entry["operation"])]
            for entry in self.place.read()[1]
            if entry["type"] == "parked"
        }
        for operation, known in parked.items():
            did_run = bool(known.accepted) or self._was_done_by_others(known)
            ended = self.run(
                lambda project, listener, o=operation, d=did_run: resolve(project, listener, o, did_run=d), manifest
            )
            if ended.error is not None:
                self.truth.broken("I6", f"{operation} can't be resolved: {ended.error.message}")
        return len(parked)

    def _was_done_by_others(self, known: Any) -> bool:
        return False

    def repair(self, error: StatetoolError) -> None:
        """A person does what the error says: keeps the rescued state."""
        from torture_resolving import repair

        repair(self, error)


# What lies outside of a process


_STACK: list[tuple[Process, Sequence[Desired]]] = []


def _process() -> Process:
    return _STACK[-1][0]


@contextmanager
def _inside(process: Process, manifest: Sequence[Desired]) -> Iterator[None]:
    _STACK.append((process, manifest))
    try:
        if len(_STACK) > 1:
            yield
        else:
            with _replaced():
                yield
    finally:
        _STACK.pop()


@contextmanager
def _replaced() -> Iterator[None]:
    """Clock, loop, wire, signals and manifests of the process that runs now."""
    replaced: list[tuple[Any, str, Any]] = [
        (session, "connect", lambda project: _process().world.connect(_process())),
        (workflow, "connect", lambda project: _process().world.connect(_process())),
        (resolving, "connect", lambda project: _process().world.connect(_process())),
        (resolving, "run_interruptibly", _run),
        (session, "run_interruptibly", _run),
        (workflow, "run_interruptibly", _run),
        (session, "stop_on_signals", _stop_on_signals),
        (workflow, "stop_on_signals", _stop_on_signals),
        (session, "_new_run", _new_run),
        (workflow, "load_desired", lambda project, request: _STACK[-1][1]),
        (surroundings, "now", lambda: _process().world.clock.text()),
        (surroundings, "utc_now", lambda: datetime.fromtimestamp(_process().world.clock.epoch(), UTC)),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    for owner, name, value in replaced:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return run_virtually(_process().world.clock, work)


@contextmanager
def _stop_on_signals(stop: asyncio.Event, emitter: Any) -> Iterator[None]:
    process = _process()
    process.stop, process.emitter = stop, emitter
    try:
        yield
    finally:
        process.stop = None


def _new_run(project: Project) -> Run:
    process = _process()
    clock = process.world.clock

    async def offload(work: Callable[[], T]) -> T:
        await asyncio.sleep(0.005)
        return work()

    return Run(
        run_id=f"run-{len(process.world.processes)}",
        now=clock.text,
        monotonic=clock.time,
        sleep=asyncio.sleep,
        jitter=lambda: 0.5,
        user="tester@here",
        offload=offload,
    )


@cache
def load(text: str) -> tuple[Desired, ...]:
    """A manifest's components, from its JSON text."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shop.yaml").write_text(text, encoding="utf-8")
        return load_manifests(Path(folder), [Path()], allow_empty=True).components


def died_of(fault: Fault) -> bool:
    return fault.kind in CRASHES
