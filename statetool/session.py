"""One run that may write, from its lock to its last word: who it is, what it holds, and what was left open before it.

Owns the project, the session, and the recovery that every session begins with which may change the platform. It must
not decide what is planned (`workflow.py`), and never prints.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from statetool import __version__, connection, surroundings
from statetool.apply.ending import Ending
from statetool.apply.keeper import StateKeeper
from statetool.apply.recovery import Recovered, recover
from statetool.apply.run import Emitter, Limits, Run
from statetool.apply.signals import run_interruptibly, stop_on_signals
from statetool.backends import Backend, OnWait, open_backend
from statetool.backends.lease import Lease
from statetool.backends.places import BackendName
from statetool.backends.snapshot import Snapshot, fold_into_state, read_snapshot
from statetool.config import Settings
from statetool.core.credentials import Credentials
from statetool.core.events import Event, EventType
from statetool.core.interrupted import describe_interruption, withhold_open
from statetool.core.journal import OpenOperation
from statetool.core.model import Observed
from statetool.core.plan import Plan
from statetool.core.state import StateFile, new_state
from statetool.errors import Interrupted
from statetool.locking import hold_lock

if TYPE_CHECKING:
    from statetool.servicestage.client import ServiceStage

FORMAT_VERSION = "1.0"
RESCUE_FOLDER = ".statetool"
"""Where in the project's folder the rescue of a state goes that is kept somewhere else."""

OnFailure = Literal["stop", "continue"]
_MAX_FAILURES: Mapping[OnFailure, int | None] = {"stop": 1, "continue": None}


@dataclass(frozen=True, slots=True)
class Project:
    """One project folder with its settings, and what it needs to reach the platform.

    `unsafe` lets a store keep the state that was found to let two writers in at once.
    `on_failure` is --on-failure: when an apply starts nothing new. None: as the settings say.
    """

    settings: Settings
    credentials: Credentials | None
    allowed_hosts: frozenset[str] = frozenset()
    environ: Mapping[str, str] = field(default_factory=dict)
    unsafe: bool = False
    on_failure: OnFailure | None = None

    @property
    def backend(self) -> Backend:
        """The backend in use. Raises StateError where its place must not have credentials."""
        return self.open(self.settings.state.backend)

    def open(self, name: BackendName) -> Backend:
        """The backend of that name, where the settings have a place for it. Raises StateError as `backend` does."""
        settings = self.settings
        return open_backend(settings.place_of(name), settings.root / RESCUE_FOLDER, unsafe=self.unsafe)

    @property
    def limits(self) -> Limits:
        s = self.settings
        return Limits(
            parallelism=s.parallelism,
            jobs_in_flight=s.jobs_in_flight,
            max_failures=s.max_failures if self.on_failure is None else _MAX_FAILURES[self.on_failure],
            job_timeout_s=s.job_timeout_s,
            poll_interval_s=s.poll_interval_s,
            parallelism_of=s.parallelism_of,
            job_timeout_of=s.job_timeout_of,
            retries=s.retries,
            quiet_period_s=s.quiet_period_s,
        )


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is asked and told while an apply goes on."""

    approve: Callable[[Plan], bool]
    emit: Callable[[Event], None]
    on_lock_wait: OnWait


def connect(project: Project) -> AbstractAsyncContextManager[ServiceStage]:
    """The platform of a project, for the length of a block."""
    return connection.connect(project.settings, project.credentials, project.allowed_hosts)


def with_project_id(project: Project) -> Project:
    """The same project; where its id was not known, it is looked up at the platform."""
    settings = connection.with_project_id(project.settings, project.credentials, project.allowed_hosts)
    return replace(project, settings=settings)


@dataclass(frozen=True, slots=True)
class Session:
    """One run that may write, from its lock to its last word: what all of its steps need."""

    project: Project
    backend: Backend
    lease: Lease
    run: Run
    emitter: Emitter
    events: list[Event]
    snapshot: Snapshot

    @property
    def state(self) -> StateFile | None:
        """What is stored: everything that ended is in it."""
        return self.snapshot.state

    @property
    def open_operations(self) -> tuple[OpenOperation, ...]:
        """What is left open, after `take_up` only what nobody could find out."""
        return tuple(self.snapshot.journal.operations.values())

    def allowed(self, plan: Plan) -> Plan:
        """The plan without components of which nobody knows what runs."""
        return withhold_open(plan, self.open_operations)

    def keeper(self, plan: Plan, observed: Sequence[Observed]) -> StateKeeper:
        """The one writer of this session's state. A plan made without state brings the lineage of a new one."""
        return self._keeper(plan.lineage, observed)

    def _keeper(self, new_lineage: str, observed: Sequence[Observed] = ()) -> StateKeeper:
        # Where a state is gone and its journal is not, the new one goes on in its place: else they would not belong
        # together from the first save on.
        lineage = self.snapshot.journal.lineage or new_lineage
        return StateKeeper(
            self.backend,
            self.lease,
            stored=self.state,
            state=self.state or new_state(lineage, __version__),
            run=self.run,
            observed=tuple(observed),
            journal=self.snapshot.journal,
        )

    def take_up(self) -> tuple[Session, tuple[Recovered, ...]]:
        """Find out what became of everything an earlier run left open, and record it: the session that goes on from
        there. Raises Interrupted where a signal ended it, PlatformError, StateError."""
        if not self.open_operations:
            return self, ()
        self.emitter.emit(EventType.RECOVERING, data=describe_interruption(self.snapshot.journal))
        recovered = run_interruptibly(self._recover())
        return replace(self, snapshot=read_snapshot(self.backend)), recovered

    def close(self, operation: OpenOperation, ending: Ending) -> None:
        """Record how an operation of an earlier run ended, as somebody says. Raises StateError."""
        keeper = self._keeper(surroundings.new_id())
        keeper.take_over(operation.intent)
        keeper.record_ending(operation.intent.action, ending)
        run_interruptibly(keeper.finish())

    async def _recover(self) -> tuple[Recovered, ...]:
        stop = asyncio.Event()
        async with connect(self.project) as platform:
            with stop_on_signals(stop, self.emitter):
                recovered = await recover(
                    self.snapshot.journal,
                    platform=platform,
                    keeper=self._keeper(surroundings.new_id()),
                    limits=self.project.limits,
                    run=self.run,
                    emitter=self.emitter,
                    stop=stop,
                )
        if stop.is_set():
            raise Interrupted("interrupted while an earlier run was taken up: nothing was sent")
        return recovered


@contextmanager
def open_session(
    project: Project, operation: str, emit: Callable[[Event], None], on_lock_wait: OnWait, lock_timeout_s: float
) -> Iterator[Session]:
    """Hold the lock from before the state is read until after the last write, also while a person thinks."""
    run = _new_run(project)
    info = surroundings.lock_info(operation, run.run_id, __version__, project.environ)
    with hold_lock(lambda: project.backend, info, lock_timeout_s, on_lock_wait) as (backend, lease):
        events, emitter = _record_events(run, emit)
        snapshot = fold_into_state(backend, lease, read_snapshot(backend))
        yield Session(project, backend, lease, run, emitter, events, snapshot)


def _new_run(project: Project) -> Run:
    return Run(
        run_id=surroundings.new_id(),
        now=surroundings.now,
        monotonic=time.monotonic,
        sleep=asyncio.sleep,
        jitter=random.random,
        user=surroundings.user_at_host(),
        applied_from=surroundings.applied_from(project.settings.root, project.environ),
        offload=asyncio.to_thread,
    )


def _record_events(run: Run, emit: Callable[[Event], None]) -> tuple[list[Event], Emitter]:
    """An emitter whose events are kept for the outcome as well as told. The first event names the formats."""
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        emit(event)

    emitter = Emitter(run, listen)
    emitter.emit(EventType.VERSION, data={"format_version": FORMAT_VERSION, "tool_version": __version__})
    return events, emitter
