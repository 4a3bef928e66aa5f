"""The gray release of one component: how it stands, and its next step (`statetool rollout`).

Owns the order of looking, planning, asking and executing for that one component, with or without manifests. What a
step wants, and how its plan is told, is `core/rollout.py`; the decision is the planner's. It never changes a wish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from statetool import __version__, surroundings
from statetool.apply.signals import run_interruptibly
from statetool.backends.snapshot import read_snapshot
from statetool.core.events import fold
from statetool.core.locating import Located, locate, names
from statetool.core.model import Address, Desired, Job, Observed, Recorded
from statetool.core.plan import Plan
from statetool.core.project import find_past_looks
from statetool.core.rollout import (
    Phase,
    Rollout,
    RolloutStep,
    as_if_wished,
    build_step_desired,
    describe_rollout,
    ensure_release,
    phase_of,
    refuse_beforehand,
    tell_step,
    usable_overrides,
)
from statetool.core.state import StateFile, new_state
from statetool.errors import ExitCode, NotFound
from statetool.locating import fetch_one, fetch_one_idle, load_desired_if_any
from statetool.session import Listener, Project, Session, connect, open_session, with_project_id
from statetool.workflow import Outcome, Request, execute, finish, plan_observed

if TYPE_CHECKING:
    from statetool.servicestage.client import ServiceStage


@dataclass(frozen=True, slots=True)
class StepTaken:
    """How a step ended. `located` is the component it was about, as it was found."""

    outcome: Outcome
    located: Located

    @property
    def is_needless(self) -> bool:
        """Whether what was asked for is so already, or nothing is there that it could be done to."""
        plan = self.outcome.plan
        return not (plan.has_changes or plan.denies)


# --- how it stands ---------------------------------------------------------------------------------------------------


def read_rollout(project: Project, address: Address, request: Request) -> Rollout:
    """How the gray release of a component stands. Takes no lock and writes nothing.

    Of `request` the variables matter. Raises StatetoolError where the address names no component, or several.
    """
    desired = load_desired_if_any(project, request)
    project = with_project_id(project)
    state = read_snapshot(project.backend).state
    return run_interruptibly(_read(project, address, request, desired, state))


async def _read(
    project: Project, address: Address, request: Request, desired: Sequence[Desired], state: StateFile | None
) -> Rollout:
    async with connect(project) as platform:
        observed = await fetch_one(platform, address)
        job = await _fetch_last_job(platform, observed)
        located = _locate(address, observed, desired, state)
        plan = await _plan_next(platform, project, request, located, state)
    return describe_rollout(located, job, plan, surroundings.now())


async def _fetch_last_job(platform: ServiceStage, observed: Observed) -> Job | None:
    if observed.last_job_id is None:
        return None
    try:
        return await platform.fetch_job(observed.last_job_id)
    except NotFound:
        return None  # how long a platform remembers its jobs, it does not say


async def _plan_next(
    platform: ServiceStage, project: Project, request: Request, located: Located, state: StateFile | None
) -> Plan | None:
    """What an apply would do with this component alone: whatever it depends on was not looked at."""
    if located.desired is None:
        return None
    alone = replace(located.desired, depends_on=())
    known = {located.recorded.address: located.recorded} if located.recorded is not None else {}
    return await _plan_one(platform, project, request, alone, _only(state, known), located.observed)


# --- the next step ---------------------------------------------------------------------------------------------------


def take_rollout_step(
    project: Project, step: RolloutStep, request: Request, listener: Listener, *, lock_timeout_s: float
) -> StepTaken:
    """Lock, look, show, ask, and follow the step to its end.

    Of `request` the overrides and the variables matter. Raises StatetoolError where the address names no component,
    and where no gray release is open that could be promoted or aborted.
    """
    desired = load_desired_if_any(project, request)
    project = with_project_id(project)
    operation = f"rollout {step.command}"
    with open_session(project, operation, listener.emit, listener.on_lock_wait, lock_timeout_s) as session:
        session, _ = session.take_up()
        located, plan = run_interruptibly(_look_and_plan(session, step, request, desired))
        plan = session.allowed(plan)
        if not plan.can_apply:
            return StepTaken(finish(session, plan), located)
        if not listener.approve(plan):
            return StepTaken(Outcome(plan, fold(session.events), ExitCode.DECLINED), located)
        return StepTaken(run_interruptibly(execute(session, plan, (located.observed,), None)), located)


async def _look_and_plan(
    session: Session, step: RolloutStep, request: Request, desired: Sequence[Desired]
) -> tuple[Located, Plan]:
    async with connect(session.project) as platform:
        observed = await fetch_one_idle(session, platform, step.address)
        located = _locate(step.address, observed, desired, session.state)
        ensure_release(step, located)
        request = replace(request, overrides=usable_overrides(request.overrides, located))
        held_back, denies = refuse_beforehand(step, located, request.overrides)
        if held_back or denies or phase_of(observed) is not Phase.OPEN:
            empty, reads = _only(session.state, {}), platform.requests.reads
            plan = plan_observed(session.project, request, (), empty, (), reads=reads)
            return located, replace(plan, held_back=held_back, findings=denies)
        wished, wanted = _only(session.state, as_if_wished(located)), build_step_desired(step, located)
        plan = await _plan_one(platform, session.project, request, wanted, wished, observed)
    return located, tell_step(plan, step, located)


# --- one component ---------------------------------------------------------------------------------------------------


async def _plan_one(
    platform: ServiceStage, project: Project, request: Request, wanted: Desired, state: StateFile, observed: Observed
) -> Plan:
    past = find_past_looks([wanted], state.components, [observed], request.selection)
    [seen] = await platform.fetch_past(past) or (observed,)
    return plan_observed(project, request, [wanted], state, [seen], reads=platform.requests.reads)


def _locate(asked: Address, observed: Observed, desired: Sequence[Desired], state: StateFile | None) -> Located:
    """As the planner can find it: a recorded name that the platform no longer knows gives way to what was asked for."""
    located = locate(asked, observed, desired, state.components.values() if state is not None else ())
    return located if names(located.address, observed) else replace(located, address=asked)


def _only(state: StateFile | None, components: Mapping[Address, Recorded]) -> StateFile:
    """The state as far as it is about one component: a plan made from it forgets nothing."""
    return replace(state or new_state(surroundings.new_id(), __version__), components=components)
