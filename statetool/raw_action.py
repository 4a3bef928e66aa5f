"""One verb on one component, planned, approved, executed and recorded like everything else (`statetool action`).

Owns the order of that. Which component an address names is `locating.py`, what the verb means `core/raw_action.py`;
locking, executing and telling is the story's. It never changes a wish.
"""

from __future__ import annotations

from collections.abc import Sequence

from statetool import __version__, surroundings
from statetool.apply.signals import run_interruptibly
from statetool.core.events import fold
from statetool.core.guards import judge
from statetool.core.locating import locate
from statetool.core.model import Desired, Observed
from statetool.core.permission import may_change, observe_mode_deny
from statetool.core.plan import Plan, Risk
from statetool.core.raw_action import RawAction, RawPlan, plan_raw_action
from statetool.errors import ExitCode
from statetool.guarding import guards_at
from statetool.locating import fetch_one_idle, load_desired_if_any
from statetool.session import Listener, Project, Session, connect, open_session, with_project_id
from statetool.workflow import Outcome, Request, execute, finish


def apply_raw_action(
    project: Project, asked: RawAction, request: Request, listener: Listener, *, lock_timeout_s: float
) -> Outcome:
    """Lock, look, show, ask, and follow it to its end. Raises StatetoolError where the address names no component.

    Of `request` the overrides and the variables matter.
    """
    desired = load_desired_if_any(project, request)
    project = with_project_id(project)
    with open_session(project, f"action {asked.verb}", listener.emit, listener.on_lock_wait, lock_timeout_s) as session:
        session, _ = session.take_up()
        plan, observed = run_interruptibly(_plan(session, asked, desired, request.overrides))
        plan = session.allowed(plan)
        if not plan.can_apply:
            return finish(session, plan)
        if not listener.approve(plan):
            return Outcome(plan, fold(session.events), ExitCode.DECLINED)
        return run_interruptibly(execute(session, plan, (observed,), None))


async def _plan(
    session: Session, asked: RawAction, desired: Sequence[Desired], overrides: frozenset[str]
) -> tuple[Plan, Observed]:
    async with connect(session.project) as platform:
        observed = await fetch_one_idle(session, platform, asked.address)
        reads = platform.requests.reads
    components = session.state.components if session.state else {}
    located = locate(asked.address, observed, desired, components.values())
    raw = plan_raw_action(
        RawAction(asked.verb, located.address, asked.parameters, asked.rule),
        located.desired,
        located.recorded,
        observed,
        overrides,
    )
    plan = _as_plan(session, _permitted(session, raw, observed), reads, overrides)
    guards = guards_at(session.project.settings, surroundings.utc_now())
    return judge(plan, guards, managed=len({*components, *(entry.address for entry in desired)})), observed


def _permitted(session: Session, raw: RawPlan, observed: Observed) -> RawPlan:
    """The same, unless mode observe keeps the application as it is. What only looks is permitted always."""
    application = observed.address.application
    if raw.action is None or raw.action.risk is Risk.NONE:
        return raw
    if may_change(session.project.settings.managed, application, observed.application_id):
        return raw
    return RawPlan(findings=(observe_mode_deny(raw.action.address, application, str(raw.action.verb)),))


def _as_plan(session: Session, raw: RawPlan, reads: int, overrides: frozenset[str]) -> Plan:
    settings, state = session.project.settings, session.state
    return Plan(
        mode="normal",
        created_at=surroundings.now(),
        endpoint=settings.endpoint,
        project_id=settings.project_id,
        lineage=state.lineage if state else surroundings.new_id(),
        serial=state.serial if state else 0,
        tool_version=__version__,
        changes=(raw.change,) if raw.change else (),
        actions=(raw.action,) if raw.action else (),
        held_back=raw.held_back,
        findings=raw.findings,
        reads=reads,
        overrides=tuple(sorted(overrides)),
    )
