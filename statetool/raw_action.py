"""One verb on one component, planned, approved, executed and recorded like everything else (`statetool action`).

Owns finding the component that an address names, with or without a manifest. What the verb means is
`core/raw_action.py`; locking, executing and telling is the story's. It never changes a wish.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from statetool import __version__, surroundings
from statetool.apply.signals import run_interruptibly
from statetool.core.events import fold
from statetool.core.guards import judge
from statetool.core.model import Address, Desired, Observed, StatusClass
from statetool.core.permission import may_change, observe_mode_deny
from statetool.core.plan import Plan, Risk
from statetool.core.raw_action import RawAction, RawPlan, plan_raw_action
from statetool.errors import ExitCode, StatetoolError
from statetool.guarding import guards_at
from statetool.workflow import (
    Listener,
    Outcome,
    Project,
    Request,
    Session,
    connect,
    execute,
    finish,
    load_desired,
    open_session,
    wait_for,
    with_project_id,
)

if TYPE_CHECKING:
    from statetool.servicestage.client import ServiceStage


def apply_raw_action(
    project: Project, asked: RawAction, request: Request, listener: Listener, *, lock_timeout_s: float
) -> Outcome:
    """Lock, look, show, ask, and follow it to its end. Raises StatetoolError where the address names no component.

    Of `request` the overrides and the variables matter.
    """
    # Whoever must act needs no manifests; but those that are there may protect a component, so they must be readable.
    has_manifests = any(location.exists() for location in project.settings.manifests)
    desired = load_desired(project, replace(request, allow_empty=True)) if has_manifests else ()
    project = with_project_id(project)
    with open_session(project, f"action {asked.verb}", listener.emit, listener.on_lock_wait, lock_timeout_s) as session:
        plan, observed = run_interruptibly(_plan(session, asked, desired, request.overrides))
        if not plan.can_apply:
            return finish(session, plan)
        if not listener.approve(plan):
            return Outcome(plan, fold(session.events), ExitCode.DECLINED)
        return run_interruptibly(execute(session, plan, (observed,), None))


async def _plan(
    session: Session, asked: RawAction, desired: Sequence[Desired], overrides: frozenset[str]
) -> tuple[Plan, Observed]:
    async with connect(session.project) as platform:
        observed = await _find_component(platform, asked.address)
        if observed.status_class is StatusClass.BUSY:
            await wait_for(session, platform, [observed])
            observed = await platform.fetch_component(observed)
        [observed] = await platform.fetch_closer_looks([observed])
        reads = platform.requests.reads
    wanted = next((entry for entry in desired if _names(entry.address, observed)), None)
    address = wanted.address if wanted is not None else asked.address
    components = session.state.components if session.state else {}
    recorded = next((entry for entry in components.values() if entry.component_id == observed.component_id), None)
    if wanted is None and recorded is not None:
        address = recorded.address
    raw = plan_raw_action(
        RawAction(asked.verb, address, asked.parameters, asked.rule), wanted, recorded, observed, overrides
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


async def _find_component(platform: ServiceStage, address: Address) -> Observed:
    """The one component an address names. Raises StatetoolError for none, with near names, and for several."""
    applications = [a for a in await platform.fetch_applications() if address.application in (a.name, a.id)]
    rows = await platform.fetch_components_of(applications)
    found = [row for row in rows if _names(address, row)]
    if len(found) == 1:
        return found[0]
    if found:
        raise StatetoolError(
            f"{address} names {len(found)} components",
            code="ambiguous_component",
            address=str(address),
            hint=f"write one of {', '.join(sorted(str(row.address) for row in found))}",
        )
    names = sorted({f"{row.address.application}/{row.address.component}" for row in rows})
    near = difflib.get_close_matches(f"{address.application}/{address.component}", names, n=3)
    raise StatetoolError(
        f"the platform has no component {address}",
        code="component_not_found",
        address=str(address),
        hint=f"did you mean {' or '.join(near)}?" if near else "`statetool plan --show-unmanaged` lists what runs",
    )


def _names(address: Address, observed: Observed) -> bool:
    """Whether an address, of a manifest or as typed, names this component; application and environment also by id."""
    shown = observed.address
    return (
        address.component == shown.component
        and address.application in (shown.application, observed.application_id)
        and address.environment in (None, shown.environment, observed.environment_id)
    )
