"""Looking again at everything that is recorded, and writing down what was seen (`statetool refresh`).

Owns the story of that one command: lock, ask the platform to look for itself where that was wanted, observe, show,
ask, record. It changes no wish, so that drift stays drift.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from statetool.apply.idle import wait_until_idle
from statetool.apply.signals import run_interruptibly, stop_on_signals
from statetool.backends import OnWait
from statetool.core.events import Event
from statetool.core.missing import ensure_gone, find_unlisted
from statetool.core.model import Address, Observed, Recorded, Seen, StatusClass
from statetool.core.project import Selection, ensure_something_selected
from statetool.core.seen import Refreshed, compare_seen
from statetool.core.state import StateFile, record_seen, transform
from statetool.errors import Interrupted, StateError
from statetool.workflow import Project, Session, connect, open_session, with_project_id

if TYPE_CHECKING:
    from statetool.servicestage.client import ServiceStage


_SYNCED = (StatusClass.READY, StatusClass.FAILED)
"""Statuses in which the platform reads a workload again [03_0115]."""


def refresh_state(
    project: Project,
    selection: Selection,
    *,
    sync_workload: bool,
    approve: Callable[[Refreshed], bool],
    emit: Callable[[Event], None],
    on_lock_wait: OnWait,
    lock_timeout_s: float,
) -> bool:
    """Whether what was seen is recorded, or was so already; False where `approve` said no.

    `sync_workload` has the platform read its workloads again first, which changes nothing that runs. Raises
    StateError where nothing is recorded.
    """
    project = with_project_id(project)
    with open_session(project, "refresh", emit, on_lock_wait, lock_timeout_s) as session:
        recorded = _selected(session, selection)
        observed = run_interruptibly(_observe(session, recorded, selection, sync_workload=sync_workload))
        found = compare_seen(recorded, observed, session.run.now())
        if not approve(found):
            return False
        _record(session, found)
        return True


def _selected(session: Session, selection: Selection) -> dict[Address, Recorded]:
    if session.state is None or not session.state.components:
        raise StateError(
            f"nothing is recorded at {session.backend.location}", code="no_state", hint="`statetool apply` records it"
        )
    ensure_something_selected(selection, session.state.components)
    return {a: record for a, record in session.state.components.items() if selection.includes(a)}


async def _observe(
    session: Session, recorded: Mapping[Address, Recorded], selection: Selection, *, sync_workload: bool
) -> tuple[Observed, ...]:
    async with connect(session.project) as platform:
        observed = await _look(platform, recorded, selection)
        if sync_workload:
            readable = [entry for entry in observed if entry.status_class in _SYNCED]
            await platform.sync_workloads(readable)
            await platform.refresh_components(readable)
            observed = await _look(platform, recorded, selection)
            observed = await _wait(session, platform, observed)
        unclear = [entry for entry in observed if entry.may_be_releasing]
        closer = {entry.component_id: entry for entry in await platform.fetch_closer_looks(unclear)}
        return tuple(closer.get(entry.component_id, entry) for entry in observed)


async def _look(
    platform: ServiceStage, recorded: Mapping[Address, Recorded], selection: Selection
) -> tuple[Observed, ...]:
    """The recorded components that there are; one that no list shows is asked for by its id before it is gone."""
    listed = await platform.fetch_applications()
    wanted = {record.application_id for record in recorded.values()}
    observed = await platform.fetch_components_of([a for a in listed if a.id in wanted])
    unlisted = find_unlisted(recorded, listed, observed, selection)
    ensure_gone(unlisted, await platform.fetch_existing(unlisted))
    known = {record.component_id for record in recorded.values()}
    return tuple(entry for entry in observed if entry.component_id in known)


async def _wait(session: Session, platform: ServiceStage, observed: Sequence[Observed]) -> tuple[Observed, ...]:
    """The same components once their workloads have been read."""
    if not any(entry.status_class is StatusClass.BUSY for entry in observed):
        return tuple(observed)
    stop = asyncio.Event()
    with stop_on_signals(stop, session.emitter):
        waited = await wait_until_idle(
            platform, observed, limits=session.project.limits, run=session.run, emitter=session.emitter, stop=stop
        )
    if stop.is_set():
        raise Interrupted("interrupted while the platform reads its workloads: nothing was recorded")
    return waited


def _record(session: Session, found: Refreshed) -> None:
    assert session.state is not None
    after = transform(
        session.state,
        (((address,), partial(_with_seen, address, seen)) for address, seen in found.seen.items()),
    )
    if after is not session.state:
        session.backend.write(session.state, after, session.lease)


def _with_seen(address: Address, seen: Seen, state: StateFile) -> StateFile:
    return record_seen(state, address, seen)
