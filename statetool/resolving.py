"""Ending a parked operation by the word of a person: `statetool state resolve`.

Owns the order of the steps. It sends nothing. What the state learns is `apply/resolution.py`.

    lock ─> read the journal ─> find the operation ─> look at its component ─> show and ask ─> record

Without a word to record, there is no lock, and the showing is the end of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from statetool.apply.resolution import resolved_ending
from statetool.apply.signals import run_interruptibly
from statetool.backends import OnWait
from statetool.backends.snapshot import read_snapshot
from statetool.core.interrupted import describe_operation
from statetool.core.journal import Journal, OpenOperation
from statetool.core.resolution import Evidence, Resolution
from statetool.errors import Interrupted, NotFound, StateError, StatetoolError
from statetool.session import Project, connect, open_session, with_project_id


def fetch_evidence(project: Project, operation_id: str) -> Evidence:
    """What there is to judge a parked operation by. Takes no lock, and writes nothing. Raises as below."""
    return _look(project, _find(read_snapshot(project.backend).journal, operation_id))


def resolve_operation(
    project: Project,
    operation_id: str,
    *,
    did_run: bool,
    reason: str | None,
    approve: Callable[[Evidence], bool],
    on_lock_wait: OnWait,
    lock_timeout_s: float,
) -> Resolution:
    """End a parked operation: it did run, or it did not. `approve` is shown what there is to judge by.

    Raises StateError for an operation that is not open, or that is not parked: what became of it can be found out.
    """
    with open_session(project, "state resolve", lambda _: None, on_lock_wait, lock_timeout_s) as session:
        operation = _find(session.snapshot.journal, operation_id)
        evidence = _look(project, operation)
        resolution = Resolution(evidence, did_run, session.run.user, reason)
        if not approve(evidence):
            return replace(resolution, is_declined=True)
        recorded = session.state.components.get(operation.address) if session.state is not None else None
        ending = resolved_ending(
            operation,
            did_run=did_run,
            by=session.run.user,
            reason=reason,
            seen=evidence.observed,
            recorded=recorded,
        )
        session.close(operation, ending)
    waited = (one.update.field for one in operation.intent.updates if not one.missing) if ending.is_good else ()
    return replace(resolution, recorded=tuple(waited))


def _find(journal: Journal, operation_id: str) -> OpenOperation:
    operation = journal.operations.get(operation_id)
    if operation is None:
        parked = [one.id for one in journal.operations.values() if one.is_parked]
        others = [one.id for one in journal.operations.values() if not one.is_parked]
        told = [f"parked: {', '.join(parked)}"] if parked else []
        told += [f"open, and found out by `statetool apply --resume`: {', '.join(others)}"] if others else []
        raise StateError(
            f"no operation {operation_id} is open",
            code="no_such_operation",
            hint="; ".join(told) or "none is: no run left anything behind",
        )
    if not operation.is_parked:
        raise StateError(
            f"{operation_id} is not parked, so that nobody has to say what became of it: "
            f"{describe_operation(operation)}",
            code="not_parked",
            address=str(operation.address),
            hint="`statetool apply --resume` finds out",
        )
    return operation


def _look(project: Project, operation: OpenOperation) -> Evidence:
    """The component as it is now, as far as the platform lets us look."""
    try:
        project = with_project_id(project)
        return run_interruptibly(_fetch(project, operation))
    except Interrupted:
        raise
    except StatetoolError as error:
        return Evidence(operation, unreached=error.message)


async def _fetch(project: Project, operation: OpenOperation) -> Evidence:
    known = operation.intent.known
    async with connect(project) as platform:
        observed = await platform.fetch_component(known)
        closer = await platform.fetch_closer(known.application_id, known.component_id)
        job = None
        if observed.last_job_id is not None:
            with suppress(NotFound):  # how long a platform remembers its jobs, it does not say
                job = await platform.fetch_job(observed.last_job_id)
    return Evidence(operation, replace(observed, closer=closer), job)
