"""The story, told top to bottom: load, read state, observe, plan, approve, apply. Read this file first.

Owns the order in which the rooms are asked, and nothing else: what a manifest means is `manifest/`, what differs
and what follows is `core/`, the platform is `servicestage/`, changing it is `apply/`, keeping the state is
`backends/`. It never prints: callers hand in who approves and who listens.

    load_desired ─> read_state ─> observe ─> build_plan ─> approve ─> apply_plan ─> observe again
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from statetool import __version__, surroundings
from statetool.apply.executor import apply_plan
from statetool.apply.idle import wait_until_idle
from statetool.apply.recovery import Recovered, Recovery
from statetool.apply.signals import run_interruptibly, stop_on_signals
from statetool.backends.snapshot import read_snapshot
from statetool.core.approval import Approval, keep_approved
from statetool.core.events import EventType, RunSummary, apply_exit_code, fold
from statetool.core.guards import judge
from statetool.core.interrupted import report_interrupted
from statetool.core.model import Address, Desired, Observed, Recorded, StatusClass
from statetool.core.permission import withhold_unmanaged
from statetool.core.plan import Plan, PlanMode, Verb
from statetool.core.project import Circumstances, build_plan
from statetool.core.selection import Selection
from statetool.core.sequence import PlanRules
from statetool.core.state import StateFile
from statetool.errors import ExitCode, Interrupted, PlatformError, StateError
from statetool.guarding import guards_at
from statetool.observing import observe, with_looks
from statetool.planfile import ensure_plan_fits
from statetool.session import Listener, Project, Session, connect, open_session, with_project_id

if TYPE_CHECKING:
    from statetool.servicestage.client import ServiceStage

FORMAT_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks a plan to be about. `correct` is --correct-drift, or --correct in mode drift.

    `variables` are those of --var, as name and text, and `variable_files` those of --var-file, in the order given.
    `approval` holds the risks of --approve, where only those are to run.
    """

    mode: PlanMode = "normal"
    correct: bool = False
    selection: Selection = field(default_factory=Selection)
    overrides: frozenset[str] = frozenset()
    allow_empty: bool = False
    variables: tuple[tuple[str, str], ...] = ()
    variable_files: tuple[Path, ...] = ()
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an apply ended. `remaining` is the plan made afterwards, None where none was made."""

    plan: Plan
    summary: RunSummary
    exit_code: ExitCode
    remaining: Plan | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of everything that an interrupted run had left open."""

    recovered: tuple[Recovered, ...]
    exit_code: ExitCode


# --- load ------------------------------------------------------------------------------------------------------------


def load_desired(project: Project, request: Request) -> tuple[Desired, ...]:
    """The manifests of a project as desired components. Raises InvalidInput with everything that is wrong."""
    from statetool.manifest.loader import load_manifests
    from statetool.manifest.variables import load_variables

    settings = project.settings
    variables = load_variables(project.environ, request.variable_files, request.variables)
    return load_manifests(
        settings.root, settings.manifests, variables=variables, allow_empty=request.allow_empty
    ).components


# --- plan ------------------------------------------------------------------------------------------------------------


def make_plan(project: Project, request: Request) -> Plan:
    """A plan of the whole way: manifests, state and platform. Takes no lock and writes nothing."""
    desired = load_desired(project, request)
    project = with_project_id(project)
    snapshot = read_snapshot(project.backend)
    plans = run_interruptibly(_plan_once(project, [request], desired, snapshot.state))
    return report_interrupted(plans[0], snapshot.journal.operations.values())


def find_drift(project: Project, request: Request) -> tuple[Plan, Plan]:
    """What was changed outside, and what `drift --correct` would do about it, from one look at the platform."""
    desired = load_desired(project, request)
    project = with_project_id(project)
    snapshot = read_snapshot(project.backend)
    requests = [replace(request, correct=False), replace(request, correct=True)]
    plans = run_interruptibly(_plan_once(project, requests, desired, snapshot.state))
    found, correction = (report_interrupted(plan, snapshot.journal.operations.values()) for plan in plans)
    return found, correction


async def _plan_once(
    project: Project, requests: Sequence[Request], desired: Sequence[Desired], state: StateFile | None
) -> list[Plan]:
    """A plan for each request, from one observation; they share the selection."""
    async with connect(project) as platform:
        observed = await observe(platform, desired, _recorded(state), requests[0].selection)
        reads = platform.requests.reads
        return [plan_observed(project, request, desired, state, observed, reads=reads) for request in requests]


def plan_observed(
    project: Project,
    request: Request,
    desired: Sequence[Desired],
    state: StateFile | None,
    observed: Sequence[Observed],
    *,
    reads: int,
) -> Plan:
    """A plan from what was loaded and observed. A plan made without state starts a lineage of its own."""
    return build_plan(
        desired,
        _recorded(state),
        observed,
        rules=plan_rules(project, request, surroundings.now()),
        selection=request.selection,
        circumstances=Circumstances(
            endpoint=project.settings.endpoint,
            project_id=project.settings.project_id,
            lineage=state.lineage if state else surroundings.new_id(),
            serial=state.serial if state else 0,
            tool_version=__version__,
            reads=reads,
        ),
        guards=guards_at(project.settings, surroundings.utc_now()),
    )


def plan_rules(project: Project, request: Request, now: str) -> PlanRules:
    """By which rules a plan is made: as asked for, and as configured."""
    return PlanRules(
        now=now,
        mode=request.mode,
        correct=request.correct,
        overrides=request.overrides,
        abort_verb=Verb(project.settings.abort),
        managed=project.settings.managed,
    )


def _recorded(state: StateFile | None) -> Mapping[Address, Recorded]:
    return state.components if state else {}


# --- observe ---------------------------------------------------------------------------------------------------------


# --- apply -----------------------------------------------------------------------------------------------------------


def resume(project: Project, listener: Listener, *, lock_timeout_s: float) -> Resumed:
    """Take up what an interrupted run left open, and nothing else."""
    project = with_project_id(project)
    with _apply_session(project, listener, lock_timeout_s) as session:
        _, recovered = session.take_up()
        is_good = all(one.outcome.is_good for one in recovered)
        exit_code = ExitCode.DONE if is_good else ExitCode.PARTLY
        became = Counter(one.outcome for one in recovered)
        session.emitter.emit(
            EventType.CHANGE_SUMMARY,
            data={
                "done": became[Recovery.DONE],
                "satisfied": 0,
                "failed": became[Recovery.FAILED],
                "not_run": became[Recovery.NOT_ACCEPTED],
                "still_running": became[Recovery.STILL_RUNNING],
                "blocked": became[Recovery.PARKED],
                "stale": became[Recovery.FOREIGN],
                "untold": became[Recovery.UNTOLD],
                "exit_code": int(exit_code),
            },
        )
        return Resumed(recovered, exit_code)


def _apply_session(project: Project, listener: Listener, lock_timeout_s: float) -> AbstractContextManager[Session]:
    return open_session(project, "apply", listener.emit, listener.on_lock_wait, lock_timeout_s)


def apply_manifests(project: Project, request: Request, listener: Listener, *, lock_timeout_s: float) -> Outcome:
    """Lock, wait for busy components, plan, ask, execute exactly what was shown, and plan once more."""
    desired = load_desired(project, request)
    project = with_project_id(project)
    with _apply_session(project, listener, lock_timeout_s) as session:
        session, _ = session.take_up()
        plan, observed = run_interruptibly(_plan_when_idle(session, request, desired))
        plan = _as_approved(session.allowed(plan), request.approval)
        if not plan.can_apply:
            _remember(session, plan, observed)
            return finish(session, plan)
        if not listener.approve(plan):
            return Outcome(plan, fold(session.events), ExitCode.DECLINED)

        async def plan_again(platform: ServiceStage, state: StateFile) -> Plan:
            after = replace(request, overrides=frozenset())
            seen = await observe(platform, desired, state.components, request.selection)
            return plan_observed(project, after, desired, state, seen, reads=platform.requests.reads)

        return run_interruptibly(execute(session, plan, observed, plan_again))


def _as_approved(plan: Plan, approval: Approval | None) -> Plan:
    return plan if approval is None else keep_approved(plan, approval)


def apply_saved_plan(
    project: Project, plan: Plan, listener: Listener, *, approval: Approval | None = None, lock_timeout_s: float
) -> Outcome:
    """Execute a saved plan, exactly it, but for what guards refuse by now and what `approval` leaves out.

    Raises PlanFileError where it does not fit this project or this state.
    """
    project = with_project_id(project)
    settings = project.settings
    with _apply_session(project, listener, lock_timeout_s) as session:
        session, _ = session.take_up()
        ensure_plan_fits(
            plan,
            endpoint=settings.endpoint,
            project_id=settings.project_id,
            state=session.state,
            now=surroundings.now(),
            max_age_s=settings.max_plan_age_s,
        )
        # What may be done is judged by the configuration and the calendar of now, not by those of the plan.
        managed = len(plan.addresses | _recorded(session.state).keys())
        plan = judge(session.allowed(plan), guards_at(settings, surroundings.utc_now()), managed=managed)
        plan = _as_approved(plan, approval)
        if not plan.can_apply:
            return finish(session, plan)
        observed = run_interruptibly(_observe_touched(project, plan))
        plan = withhold_unmanaged(plan, settings.managed, {o.application_id: o.address.application for o in observed})
        if not plan.can_apply:
            return finish(session, plan)
        return run_interruptibly(execute(session, plan, observed, None))


async def _observe_touched(project: Project, plan: Plan) -> tuple[Observed, ...]:
    """The components a saved plan speaks of, as they are now: what is recorded without an action was seen too."""
    touched = {change.component_id for change in plan.changes}
    applications = {change.application_id for change in plan.changes}
    async with connect(project) as platform:
        found = [a for a in await platform.fetch_applications() if a.id in applications]
        observed = [o for o in await platform.fetch_components_of(found) if o.component_id in touched]
        unclear = [o for o in observed if o.may_be_releasing]
        return with_looks(await platform.fetch_closer_looks(unclear), observed)


async def _plan_when_idle(
    session: Session, request: Request, desired: Sequence[Desired]
) -> tuple[Plan, tuple[Observed, ...]]:
    """Plan once no component in question is busy, or the wait for it has been long enough."""
    project, recorded = session.project, _recorded(session.state)
    async with connect(project) as platform:
        observed = await observe(platform, desired, recorded, request.selection)
        named = {address.component for address in request.selection.choose(desired).chosen}
        busy = [o for o in observed if o.status_class is StatusClass.BUSY and o.address.component in named]
        if busy and request.mode == "normal":
            await wait_for(session, platform, busy)
            observed = await observe(platform, desired, recorded, request.selection)
        reads = platform.requests.reads
        return plan_observed(project, request, desired, session.state, observed, reads=reads), observed


async def wait_for(session: Session, platform: ServiceStage, busy: Sequence[Observed]) -> None:
    stop = asyncio.Event()
    with stop_on_signals(stop, session.emitter):
        await wait_until_idle(
            platform, busy, limits=session.project.limits, run=session.run, emitter=session.emitter, stop=stop
        )
    if stop.is_set():
        raise Interrupted("interrupted while waiting for busy components: nothing was sent")


async def execute(
    session: Session,
    plan: Plan,
    observed: Sequence[Observed],
    plan_again: Callable[[ServiceStage, StateFile], Awaitable[Plan]] | None,
) -> Outcome:
    """Execute a plan that was approved, then look again: the closing line says what a new plan would hold."""
    keeper = session.keeper(plan, observed)
    limits, emitter, stop = session.project.limits, session.emitter, asyncio.Event()
    remaining = None
    async with connect(session.project) as platform:
        with stop_on_signals(stop, emitter):
            await apply_plan(
                plan, platform=platform, keeper=keeper, limits=limits, run=session.run, emitter=emitter, stop=stop
            )
        if plan_again is not None and not stop.is_set():
            # What was done is done and recorded, also where this last look fails.
            with suppress(PlatformError, StateError):
                left_open = read_snapshot(session.backend).journal.operations.values()
                remaining = report_interrupted(await plan_again(platform, keeper.saved), left_open)
    return finish(session, plan, remaining)


def _remember(session: Session, plan: Plan, observed: Sequence[Observed]) -> None:
    """Nothing is to be done, but what was seen is worth knowing next time: since when a value is wrong, and which
    version was ended outside. Without a state there is nothing it could belong to."""
    if session.state is None:
        return
    keeper = session.keeper(plan, observed)
    keeper.record_plan(plan)
    run_interruptibly(keeper.finish())


def finish(session: Session, plan: Plan, remaining: Plan | None = None) -> Outcome:
    summary = fold(session.events)
    exit_code = apply_exit_code(plan, summary)
    session.emitter.emit(
        EventType.CHANGE_SUMMARY,
        data={
            "done": len(summary.done),
            "satisfied": len(summary.satisfied),
            "failed": len(summary.failed),
            "not_run": len(summary.skipped),
            "still_running": len(summary.still_running),
            "blocked": len(plan.blocked),
            "held_back": len(plan.held_back),
            "left_out": len(plan.left_out),
            "stale": len(summary.stale),
            "exit_code": int(exit_code),
        },
    )
    return Outcome(plan, summary, exit_code, remaining)
