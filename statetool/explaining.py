"""Explaining one component: `statetool explain`.

Owns the order of the steps. It takes no lock and writes nothing, and it plans the whole project, as `statetool plan`
does: guards, and what waits for what, are not to be told of one component alone.

    load_desired ─> read state ─> observe ─> find the component ─> plan_observed ─> explain
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from statetool.apply.signals import run_interruptibly
from statetool.backends.snapshot import Snapshot, read_snapshot
from statetool.core.explanation import Explanation, build_explanation, find_subject
from statetool.core.interrupted import report_interrupted
from statetool.core.model import Address, Desired
from statetool.observing import observe
from statetool.session import Project, connect, with_project_id
from statetool.workflow import Request, load_desired, plan_observed, plan_rules


def explain_component(project: Project, address: Address, request: Request) -> Explanation:
    """Everything about the component at `address`. Of `request` the variables matter.

    Raises StatetoolError where the address names no component, or several; else what making a plan raises.
    """
    desired = load_desired(project, request)
    project = with_project_id(project)
    snapshot = read_snapshot(project.backend)
    return run_interruptibly(_explain(project, address, request, desired, snapshot))


async def _explain(
    project: Project, address: Address, request: Request, desired: Sequence[Desired], snapshot: Snapshot
) -> Explanation:
    state, operations = snapshot.state, tuple(snapshot.journal.operations.values())
    recorded = state.components if state else {}
    async with connect(project) as platform:
        observed = await observe(platform, desired, recorded, request.selection)
        subject = find_subject(address, desired, recorded, observed)
        seen = subject.observed
        if seen is not None and seen.closer is None and seen.may_be_releasing:
            # No plan needs to look into the gray release of a component whose version nobody manages.
            [seen] = await platform.fetch_closer_looks([seen])
            subject = replace(subject, observed=seen)
        reads = platform.requests.reads
    plan = report_interrupted(plan_observed(project, request, desired, state, observed, reads=reads), operations)
    rules = plan_rules(project, request, plan.created_at)
    return build_explanation(subject, desired, plan, rules, operations)
