"""Having the state know what is on the platform now, without a plan and without a wish: `statetool refresh`.

Owns the order of a refresh. What differs, and what is recorded of it, is `core/seen.py`. No wish is touched:
what was changed outside is drift before and after.

    lock ─> read state ─> (have workloads read again ─> wait) ─> look ─> approve ─> record what was seen
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from statetool.apply.idle import wait_until_idle
from statetool.apply.signals import run_interruptibly, stop_on_signals
from statetool.backends import OnWait
from statetool.core.events import Event
from statetool.core.model import Address, Observed, Recorded
from statetool.core.seen import Sightings, Unsettled, compare_sightings, may_be_synced, record_sightings
from statetool.core.selection import Selection
from statetool.core.state import StateFile
from statetool.errors import Interrupted, StateError
from statetool.observing import observe
from statetool.session import Project, Session, connect, open_session, with_project_id

if TYPE_CHECKING:
    from statetool.servicestage.client import ServiceStage


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh saw. `serial` is that of the state it wrote, None where it wrote none."""

    sightings: Sightings
    serial: int | None
    is_declined: bool = False


def refresh_seen(
    project: Project,
    selection: Selection,
    *,
    sync: bool,
    approve: Callable[[Sightings], bool],
    emit: Callable[[Event], None],
    on_lock_wait: OnWait,
    lock_timeout_s: float,
) -> Refreshed:
    """Look at every selected component that is recorded, and record what is seen, if that is approved.

    `sync` has the platform read their workloads again first. Raises StateError where nothing is recorded yet.
    """
    project = with_project_id(project)
    with open_session(project, "refresh", emit, on_lock_wait, lock_timeout_s) as session:
        state = session.state
        if state is None:
            raise StateError(
                f"there is no state yet at {session.backend.location}",
                code="no_state",
                hint="`statetool apply`, or `statetool import`, makes it",
            )
        sightings = run_interruptibly(_look(session, state.components, selection, sync))
        if not sightings.changes:
            return Refreshed(sightings, None)
        if not approve(sightings):
            return Refreshed(sightings, None, is_declined=True)
        return Refreshed(sightings, _record(session, state, sightings))


async def _look(session: Session, recorded: Mapping[Address, Recorded], selection: Selection, sync: bool) -> Sightings:
    choice = selection.choose(())
    chosen = {entry.component_id: address for address, entry in recorded.items() if choice.includes(address)}
    async with connect(session.project) as platform:
        observed = await observe(platform, (), recorded, selection)
        not_synced: list[Unsettled] = []
        if sync:
            ours = [entry for entry in observed if entry.component_id in chosen]
            not_synced = [Unsettled(chosen[o.component_id], o.status) for o in ours if not may_be_synced(o)]
            not_synced.sort(key=lambda entry: entry.address)
            await _sync(session, platform, [entry for entry in ours if may_be_synced(entry)])
            observed = await observe(platform, (), recorded, selection)
        unclear = [entry for entry in observed if entry.component_id in chosen and entry.may_be_releasing]
        closer = {entry.component_id: entry for entry in await platform.fetch_closer_looks(unclear)}
    looked = [closer.get(entry.component_id, entry) for entry in observed]
    return compare_sightings(recorded, looked, selection, session.run.now(), not_synced)


async def _sync(session: Session, platform: ServiceStage, components: Sequence[Observed]) -> None:
    """Have these workloads read and their instances counted again, and wait for what that started."""
    await platform.sync_workloads(components)
    await platform.refresh_components(components)
    jobs_before = {entry.component_id: entry.last_job_id for entry in components}
    applications = {entry.application_id for entry in components}
    found = [a for a in await platform.fetch_applications() if a.id in applications]
    after = [o for o in await platform.fetch_components_of(found) if o.component_id in jobs_before]
    # A workload may be read again without a status that says so: then only a new job does.
    started = {o.component_id for o in after if o.last_job_id != jobs_before[o.component_id]}
    stop = asyncio.Event()
    with stop_on_signals(stop, session.emitter):
        await wait_until_idle(
            platform,
            after,
            limits=session.project.limits,
            run=session.run,
            emitter=session.emitter,
            stop=stop,
            started=started,
        )
    if stop.is_set():
        raise Interrupted("interrupted while the platform reads workloads again: nothing was recorded")


def _record(session: Session, state: StateFile, sightings: Sightings) -> int:
    after = record_sightings(state, sightings)
    return session.backend.write(state, after, session.lease).serial
