"""The loop that executes a plan: what starts when, what follows from each ending.

Owns order, concurrency, halting, and the sequence state first, event second. One action's story is
`operation.py`. It must not look at the platform itself.

    record what needs no action -> start what is ready -> wait for endings -> record, save, tell -> start ...

An ending never cancels another action: operations return their failures. Only an interrupt cuts them short.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from statetool.apply.ending import Ending
from statetool.apply.keeper import StateKeeper
from statetool.apply.operation import INTERRUPTED, Operation
from statetool.apply.run import Emitter, Limits, Platform, Run, SharedRun
from statetool.core.events import EventType
from statetool.core.journal import known_component
from statetool.core.model import Address, Json, Observed
from statetool.core.ordering import Graph, Schedule
from statetool.core.plan import Action, Change, Plan, Verb
from statetool.errors import LeaseLost, StateError

MAX_FAILURES = "max_failures"
STATE_NOT_SAVED = "state_not_saved"
LEASE_LOST = "lease_lost"
INTERNAL_ERROR = "internal_error"


async def apply_plan(
    plan: Plan,
    *,
    platform: Platform,
    keeper: StateKeeper,
    limits: Limits,
    run: Run,
    emitter: Emitter,
    stop: asyncio.Event,
) -> None:
    """Execute a plan; how it went is in the events. Every action gets exactly one ending event.

    `stop` asks to end early: nothing new is started, requests that are out are waited for up to eight seconds,
    accepted jobs are left to the platform. Whoever sets it emits STOPPING, for only they know the signal.
    Raises StateError after everything that was running has ended, where the state could not be saved; and
    StatetoolError at once where the plan's requirements make no order.
    """
    schedule = Schedule(Graph({action.id: action.requires for action in plan.actions}))
    execution = _Execution(plan, schedule, keeper, stop)
    await execution.run(SharedRun(platform, limits, run, emitter, keeper, execution.halt_for))


class _Execution:
    def __init__(self, plan: Plan, schedule: Schedule, keeper: StateKeeper, stop: asyncio.Event) -> None:
        self._plan = plan
        self._actions: Mapping[str, Action] = {action.id: action for action in plan.actions}
        self._stopping = {action.address for action in plan.actions if action.verb is Verb.STOP}
        self._changes: Mapping[Address, Change] = {change.address: change for change in plan.changes}
        self._schedule = schedule
        self._keeper = keeper
        self._stop = stop
        self._running: dict[asyncio.Task[Ending], Operation] = {}
        self._failures = 0
        self._error: Exception | None = None

    async def run(self, shared: SharedRun) -> None:
        self._shared = shared
        if self._plan.overrides:
            self._shared.emitter.emit(EventType.OVERRIDDEN, data={"codes": list[Json](self._plan.overrides)})
        self._keeper.record_plan(self._plan)
        await self._save(self._keeper.checkpoint)
        self._keeper.note_run("apply", len(self._plan.actions))
        with _cancelled_at_end(asyncio.ensure_future(self._stop.wait())) as stopped:
            try:
                while True:
                    if self._stop.is_set():
                        self._interrupt()
                    self._start_ready()
                    if not self._running:
                        break
                    waiting_for: set[asyncio.Future[Ending] | asyncio.Future[bool]] = {*self._running}
                    if not self._shared.is_interrupted:
                        waiting_for.add(stopped)
                    await asyncio.wait(waiting_for, return_when=asyncio.FIRST_COMPLETED)
                    await self._settle([task for task in self._running if task.done()])
            finally:
                # Only where this run itself is cancelled is anything left here.
                for task in self._running:
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)
                await self._save(self._keeper.finish)
        if self._error is not None:
            raise self._error

    def _start_ready(self) -> None:
        while self._shared.halted is None and len(self._running) < self._shared.limits.jobs_in_flight:
            action_id = self._schedule.next_ready()
            if action_id is None:
                return
            self._schedule.start(action_id)
            action = self._actions[action_id]
            operation = Operation(
                action, self._known(action), self._shared, is_stopped_later=action.address in self._stopping
            )
            self._running[asyncio.ensure_future(operation.perform())] = operation

    async def _settle(self, ended: Sequence[asyncio.Task[Ending]]) -> None:
        """Record all endings there are by now, make them durable at once, then tell them."""
        endings: list[tuple[Action, Ending]] = []
        for task in ended:
            operation = self._running.pop(task)
            ending = self._result(task, operation)
            self._keeper.record_ending(operation.action, ending)
            endings.append((operation.action, ending))
        if endings:
            await self._save(self._keeper.settle)
        for action, ending in endings:
            self._shared.emitter.emit(ending.type, action.id, elapsed_s=ending.elapsed_s, data=ending.data)
            self._follow_up(action, ending)

    def _result(self, task: asyncio.Task[Ending], operation: Operation) -> Ending:
        try:
            return task.result()
        except StateError as error:
            # The journal can't be written, or is somebody else's by now: without it nothing may be sent.
            self.halt_for(error)
            return operation.not_sent(self._shared.halted or STATE_NOT_SAVED)
        except Exception as error:
            # A mistake of ours: the others must still end and be recorded before it surfaces.
            self._halt(INTERNAL_ERROR, error)
            return operation.failed_by(error)

    def _follow_up(self, action: Action, ending: Ending) -> None:
        if ending.is_good:
            self._schedule.done(action.id)
            return
        self._skip(self._schedule.fail(action.id), action.id)
        self._failures += ending.is_failure
        most = self._shared.limits.max_failures
        if most is not None and self._failures >= most:
            self._halt(MAX_FAILURES)

    async def _save(self, save: Callable[[], Awaitable[int | None]]) -> None:
        """Write what there is to write. Tried after every ending, also after a failure: a rescue file wants it all."""
        try:
            serial = await save()
        except StateError as error:
            self.halt_for(error)
            return
        if serial is not None:
            self._shared.emitter.emit(EventType.STATE_SAVED, data={"serial": serial})

    def halt_for(self, error: StateError) -> None:
        """Start nothing any more, for what would happen could not be kept."""
        self._halt(LEASE_LOST if isinstance(error, LeaseLost) else STATE_NOT_SAVED, error)

    def _interrupt(self) -> None:
        if not self._shared.is_interrupted:
            self._halt(INTERRUPTED)
            self._shared.is_interrupted = True
            for task in self._running:
                task.cancel()

    def _halt(self, because: str, error: Exception | None = None) -> None:
        """Start nothing any more. What is running ends by itself; after that the first error is raised, or the last one
        that names a rescue file: nothing goes on before that is dealt with."""
        is_rescue = isinstance(error, StateError) and error.code == STATE_NOT_SAVED
        self._error = error if is_rescue else self._error or error
        if self._shared.halted is None:
            self._shared.halted = because
            self._skip(self._schedule.skip_rest(), because)

    def _skip(self, action_ids: Sequence[str], because: str) -> None:
        for action_id in action_ids:
            self._shared.emitter.emit(EventType.ACTION_SKIPPED, action_id, data={"because": because})

    def _known(self, action: Action) -> Observed:
        """Which component an action is for. Its values are read afresh before anything is decided."""
        change = self._changes[action.address]
        return known_component(change.address, change.component_id, change.application_id, change.environment_id)


@contextlib.contextmanager
def _cancelled_at_end(future: asyncio.Future[bool]) -> Iterator[asyncio.Future[bool]]:
    try:
        yield future
    finally:
        future.cancel()
