"""A platform and a clock to run plans against without waiting.

The loop's time is virtual. The platform is a test double of ServiceStage as seen through its client; the state is the
real local backend.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from virtual_time import run_virtually

from statetool.apply.executor import apply_plan
from statetool.apply.keeper import StateKeeper
from statetool.apply.run import Emitter, Limits, Run
from statetool.backends import LockInfo
from statetool.backends.local import LocalBackend
from statetool.backends.snapshot import Snapshot, read_snapshot
from statetool.core.events import Event, EventType
from statetool.core.model import (
    Address,
    AppliedFrom,
    Closer,
    GrayRule,
    Job,
    JobPhase,
    Json,
    Observed,
    Ready,
    Record,
    classify_status,
)
from statetool.core.plan import Action, Change, Kind, Plan, RejectionSeen, Risk, SendIf, Verb, WishUpdate
from statetool.core.state import StateFile, new_state
from statetool.errors import NotFound, PlatformError, StateConflictOnPlatform

LOCK = LockInfo("lock-1", "apply", "tester@here", "here", 1, "0.1.0", "2026-11-23T08:00:00Z", "run-1")
ENDINGS = frozenset(
    {
        EventType.ACTION_COMPLETE,
        EventType.ACTION_SATISFIED,
        EventType.ACTION_STALE,
        EventType.ACTION_ERRORED,
        EventType.ACTION_STILL_RUNNING,
        EventType.ACTION_SKIPPED,
    }
)


@dataclass
class Component:
    """One component of the test platform, and how it misbehaves. Times in virtual seconds."""

    observed: Observed
    candidate: str | None = None
    rule: GrayRule | None = None
    batches: int = 1
    previous: str = "0.0.1"
    job_s: float = 20.0
    stale_s: float = 1.0  # after an accepted request the status still reads as before for so long
    send_s: float = 0.2
    queue_s: float = 0.0  # before a request is out
    job_status: str = "SUCCEEDED"
    job_message: str | None = None
    gives_job: bool = True
    knows_job: bool = True
    changes: bool = True  # whether a job that succeeded has any effect
    ready_after_s: float = 0.0  # instances become healthy so long after the job
    refusals: list[PlatformError] = field(default_factory=list)  # raised by the next requests, nothing executed
    losses: list[PlatformError] = field(default_factory=list)  # executed, but this is raised
    read_errors: list[PlatformError] = field(default_factory=list)
    job_errors: list[PlatformError] = field(default_factory=list)
    busy: bool = False
    kind: str = ""  # what it is counted as while a request to it is under way

    def set(self, **values: Any) -> None:
        self.observed = replace(self.observed, **values)


@dataclass
class Sent:
    at: float
    component: str
    verb: Verb
    parameters: Mapping[str, Json]


class FakePlatform:
    """ServiceStage as its client shows it, with jobs that take virtual time."""

    def __init__(self) -> None:
        self.components: dict[str, Component] = {}
        self.jobs: dict[str, Job] = {}
        self.sent: list[Sent] = []
        self.reads: list[str] = []
        self.read_s = 0.01
        self.turn_s = 0.0  # the wait for the leave to send
        self.preparing = 0
        self.most_preparing = 0
        self.preparing_of: Counter[str] = Counter()
        self.most_preparing_of: dict[str, int] = {}
        self.in_flight: set[str] = set()
        self.most_in_flight = 0

    def add(self, name: str, **values: Any) -> Component:
        observed = Observed(
            address=Address("shop", name, "prod"),
            component_id=f"id-{name}",
            application_id="id-shop",
            environment_id="id-prod",
            row_version=values.pop("version", "1.0.0"),
            status=values.pop("status", "RUNNING"),
            replicas=values.pop("replicas", 4),
            available_replicas=values.pop("available", 4),
            last_job_id=values.pop("last_job_id", None),
            updated_at=None,
        )
        component = Component(observed, **values)
        self.components[observed.component_id] = component
        return component

    async def fetch_component(self, observed: Observed) -> Observed:
        await asyncio.sleep(self.read_s)
        self.reads.append(observed.component_id)
        component = self._component(observed.component_id)
        if component.read_errors:
            raise component.read_errors.pop(0)
        return replace(component.observed, address=observed.address, closer=None)

    async def fetch_closer(self, application_id: str, component_id: str) -> Closer:
        await asyncio.sleep(self.read_s)
        component = self._component(component_id)
        records = [Record(component.observed.row_version, "onebatchrelease", "2026-01-01", True, "SUCCEEDED")]
        if component.candidate:
            jobs = (component.observed.last_job_id,) if component.observed.last_job_id else ()
            records.insert(
                0,
                Record(
                    component.candidate,
                    "grayrelease",
                    "2026-02-01",
                    False,
                    "RUNNING",
                    jobs,
                    remaining_batches=component.batches,
                ),
            )
        return Closer(component.observed.replicas, component.rule, component.batches, tuple(records))

    async def fetch_job(self, job_id: str) -> Job:
        await asyncio.sleep(self.read_s)
        for component in self.components.values():
            if component.observed.last_job_id == job_id and component.job_errors:
                raise component.job_errors.pop(0)
            if component.observed.last_job_id == job_id and not component.knows_job:
                raise NotFound("no such job")
        if job_id not in self.jobs:
            raise NotFound("no such job")
        return self.jobs[job_id]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await asyncio.sleep(self.turn_s)
        yield

    async def send_action(
        self,
        application_id: str,
        component_id: str,
        verb: Verb,
        parameters: Mapping[str, Json],
        *,
        ensure_may_send: Callable[[], None],
    ) -> str | None:
        component = self._component(component_id)
        kind = component.kind
        self.preparing += 1
        self.preparing_of[kind] += 1
        self.most_preparing = max(self.most_preparing, self.preparing)
        self.most_preparing_of[kind] = max(self.most_preparing_of.get(kind, 0), self.preparing_of[kind])
        try:
            await asyncio.sleep(component.queue_s)
            ensure_may_send()
            return await _to_the_end(self._answer(component, verb, parameters))
        finally:
            self.preparing -= 1
            self.preparing_of[kind] -= 1

    async def _answer(self, component: Component, verb: Verb, parameters: Mapping[str, Json]) -> str | None:
        # The platform decides when the request arrives; the answer takes its time.
        self.sent.append(
            Sent(asyncio.get_running_loop().time(), component.observed.address.component, verb, dict(parameters))
        )
        if component.refusals:
            refusal = component.refusals.pop(0)
            await asyncio.sleep(component.send_s)
            raise refusal
        graying = component.observed.status == "GRAYING"
        is_stopped = component.observed.status == "STOPPED"
        if (
            component.busy
            or classify_status(component.observed.status) == "busy"
            or graying is not (verb in (Verb.CONTINUE_DEPLOY, Verb.MODIFY_GRAY_RULE) or (graying and "roll" in verb))
            or is_stopped is not (verb is Verb.START)
        ):
            await asyncio.sleep(component.send_s)
            raise StateConflictOnPlatform("the component is busy")
        job_id = f"JOB{len(self.jobs) + 1}"
        self._begin(component, job_id, verb, parameters)
        await asyncio.sleep(component.send_s)
        if component.losses:
            raise component.losses.pop(0)
        return job_id if component.gives_job else None

    def _begin(self, component: Component, job_id: str, verb: Verb, parameters: Mapping[str, Json]) -> None:
        loop = asyncio.get_running_loop()
        self.jobs[job_id] = Job(job_id, JobPhase.RUNNING, "RUNNING")
        self.in_flight.add(job_id)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        component.busy = True
        component.set(last_job_id=job_id)
        loop.call_later(component.stale_s, lambda: component.busy and component.set(status="UPGRADING"))
        loop.call_later(component.job_s, lambda: self._end(component, job_id, verb, parameters, was=component.observed))

    def _end(
        self, component: Component, job_id: str, verb: Verb, parameters: Mapping[str, Json], was: Observed
    ) -> None:
        component.busy = False
        self.in_flight.discard(job_id)
        good = component.job_status == "SUCCEEDED"
        phase = JobPhase.SUCCEEDED if good else JobPhase.FAILED
        self.jobs[job_id] = Job(job_id, phase, component.job_status, component.job_message)
        component.set(status="GRAYING" if component.candidate else "RUNNING")
        if good and component.changes:
            self._change(component, verb, parameters)

    def _change(self, component: Component, verb: Verb, parameters: Mapping[str, Json]) -> None:
        if verb is Verb.SCALE:
            component.set(replicas=parameters["replica"])
        elif verb is Verb.STOP:
            component.set(status="STOPPED", available_replicas=0)
            return
        elif verb is Verb.MODIFY_GRAY_RULE:
            component.rule = GrayRule(weight=int(str(parameters["weight"])))
            return
        elif verb is Verb.CONTINUE_DEPLOY:
            component.batches -= 1
            if component.batches > 0:
                return
            component.set(row_version=component.candidate, status="RUNNING")
            component.candidate = None
        elif verb in (Verb.ROLLBACK, Verb.ROLLBACK_CURRENT, Verb.UPGRADE):
            stable = component.observed.row_version if component.candidate else component.previous
            component.set(row_version=parameters.get("version", stable), status="RUNNING")
            component.candidate = None
        heal = lambda: component.set(available_replicas=component.observed.replicas)  # noqa: E731
        if component.ready_after_s:
            component.set(available_replicas=min(1, component.observed.replicas))
            asyncio.get_running_loop().call_later(component.ready_after_s, heal)
        else:
            heal()

    def _component(self, component_id: str) -> Component:
        if component_id not in self.components:
            raise NotFound(f"{component_id} is not there")
        return self.components[component_id]


async def _to_the_end(work: Coroutine[Any, Any, Any]) -> Any:
    """As the client does: what is out is seen through, a cancellation acts at the caller's next await."""
    task = asyncio.ensure_future(work)
    was_cancelled = False
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            was_cancelled = True
    current = asyncio.current_task()
    if was_cancelled and current is not None:
        current.uncancel()
        current.cancel()
    return task.result()


def address(name: str) -> Address:
    """An address as a manifest may write it: without the environment."""
    return Address("shop", name)


def action(name: str, verb: Verb, number: int = 1, **values: Any) -> Action:
    """An action on component `name`; everything that a test does not speak of has a plain value."""
    goals: dict[Verb, dict[str, Json]] = {Verb.STOP: {"status": "stopped"}, Verb.START: {"status": "ready"}}
    return Action(
        id=f"{address(name)}#{number}",
        address=address(name),
        verb=verb,
        parameters=values.pop("parameters", {}),
        reason="because",
        risk=values.pop("risk", Risk.SCALE_UP),
        requires=tuple(values.pop("requires", ())),
        precondition=values.pop("precondition", {}),
        goal=values.pop("goal", goals.get(verb, {})),
        estimate_s=30,
        send_if=values.pop("send_if", SendIf.ALWAYS),
        max_requests=values.pop("max_requests", 1),
        ready=values.pop("ready", Ready()),
    )


def scale(name: str, replicas: int, number: int = 1, **values: Any) -> Action:
    return action(
        name,
        Verb.SCALE,
        number,
        parameters={"replica": replicas},
        goal={"status": "ready", "replicas": replicas},
        **values,
    )


def change(name: str, actions: tuple[Action, ...] = (), updates: tuple[WishUpdate, ...] = ()) -> Change:
    return Change(
        address=address(name),
        component_id=f"id-{name}",
        application_id="id-shop",
        environment_id="id-prod",
        kind=Kind.ADOPT,
        origin=None,
        action_ids=tuple(a.id for a in actions),
        updates=updates,
    )


def build_plan(*actions: Action, updates: Mapping[str, tuple[WishUpdate, ...]] | None = None, **values: Any) -> Plan:
    """A plan of these actions; components named in `updates` get a change even without an action. `values` are changes,
    rejections, overrides."""
    given = dict(updates or {})
    names = dict.fromkeys([*(a.address.component for a in actions), *given])
    changes = tuple(
        change(name, tuple(a for a in actions if a.address.component == name), given.get(name, ())) for name in names
    )
    rejections: tuple[RejectionSeen, ...] = values.pop("rejections", ())
    return Plan(
        mode="normal",
        created_at="2026-11-23T08:00:00Z",
        endpoint="sandbox:world.json",
        project_id="p",
        lineage="lineage-1",
        serial=0,
        tool_version="0.1.0",
        changes=values.pop("changes", changes),
        actions=actions,
        rejections=rejections,
        overrides=values.pop("overrides", ()),
    )


@dataclass
class Outcome:
    """What a run left behind."""

    events: list[Event]
    state: StateFile | None
    error: Exception | None
    ended_at: float

    def of(self, *types: EventType) -> list[Event]:
        return [event for event in self.events if event.type in types]

    def endings(self) -> dict[str, EventType]:
        """How each action ended. Every action ends exactly once."""
        ended = [event for event in self.events if event.type in ENDINGS]
        assert len({event.action_id for event in ended}) == len(ended), "an action ended twice"
        return {str(event.action_id): event.type for event in ended}

    def data(self, action_id: str) -> Mapping[str, Json]:
        """What is told with the ending of an action."""
        return next(e.data for e in self.events if e.action_id == action_id and e.type in ENDINGS)

    def trail(self, action_id: str) -> list[EventType]:
        """The events of an action without progress, in order."""
        return [e.type for e in self.events if e.action_id == action_id and e.type is not EventType.ACTION_PROGRESS]


@dataclass
class Lab:
    """One folder for the state, one platform, and a way to run plans against them."""

    folder: Path
    platform: FakePlatform = field(default_factory=FakePlatform)
    limits: Limits = field(default_factory=Limits)
    backend: Callable[[Path], LocalBackend] = LocalBackend
    run: Run = field(init=False)
    watch: Callable[[Event], None] = lambda _: None  # told of every event at once

    address = staticmethod(address)
    action = staticmethod(action)
    scale = staticmethod(scale)
    change = staticmethod(change)
    plan = staticmethod(build_plan)
    run_virtually = staticmethod(run_virtually)

    def __post_init__(self) -> None:
        self.run = Run(
            run_id="run-1",
            now=lambda: f"2026-11-23T08:{int(_now()) // 60:02}:{int(_now()) % 60:02}Z",
            monotonic=_now,
            sleep=asyncio.sleep,
            jitter=lambda: 0.5,
            user="tester@here",
            applied_from=AppliedFrom("3f2a1c7", False, None),
        )

    def apply(self, plan: Plan, *, stop_at: float | None = None, before: Callable[[], None] | None = None) -> Outcome:
        """Run a plan to its end on a fresh virtual clock, asked to stop at `stop_at`; `before` runs inside."""
        return run_virtually(self._apply(plan, stop_at, before))

    async def _apply(self, plan: Plan, stop_at: float | None, before: Callable[[], None] | None) -> Outcome:
        events: list[Event] = []
        error: Exception | None = None
        stop = asyncio.Event()
        backend = self.backend(self.folder / "state.json")
        if before is not None:
            before()
        if stop_at is not None:
            asyncio.get_running_loop().call_later(stop_at, stop.set)
        with backend.lock(LOCK, 0, lambda _: None) as lease:
            stored = backend.read()
            state = stored or new_state(plan.lineage, "0.1.0")
            keeper = StateKeeper(backend, lease, stored=stored, state=state, run=self.run)
            try:
                await apply_plan(
                    plan,
                    platform=self.platform,
                    keeper=keeper,
                    limits=self.limits,
                    run=self.run,
                    emitter=Emitter(self.run, self._tell(events)),
                    stop=stop,
                )
            except Exception as caught:
                error = caught
        return Outcome(events, LocalBackend(self.folder / "state.json").read(), error, _now())

    def _tell(self, events: list[Event]) -> Callable[[Event], None]:
        def tell(event: Event) -> None:
            events.append(event)
            self.watch(event)

        return tell

    @property
    def snapshot(self) -> Snapshot:
        """State and journal as they stand in the files."""
        return read_snapshot(LocalBackend(self.folder / "state.json"))

    def recorded(self, name: str) -> Any:
        """What the stored state says of a component."""
        state = LocalBackend(self.folder / "state.json").read()
        assert state is not None
        return state.components[address(name)]


def _now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture(scope="session")
def lab_type() -> type[Lab]:
    """For property tests, which need a laboratory per example."""
    return Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    yield Lab(tmp_path)
