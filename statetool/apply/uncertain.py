"""What became of a request whose answer nobody has: lost on the way, or asked for by a process that died.

Owns the waiting for requests that arrive late, and the evidence: the component's last job, its records, its values.
Jobs do not carry their parameters, so a value tells whose job it was, and for an edge only status and records do. It
must not send anything, nor write to the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from statetool.apply import verdict
from statetool.apply.run import SharedRun
from statetool.apply.waiting import TEMPORARY, follow_job, pause_s
from statetool.core.journal import Baseline
from statetool.core.model import Job, JobPhase, Json, Observed, StatusClass
from statetool.core.picture import observed_values
from statetool.core.plan import EDGE_VERBS, Action
from statetool.errors import NotFound

SETTLE_S = 20.0
"""How long after the end of a job a read may still show what was before it."""


class Fate(StrEnum):
    """What is known of a request by now."""

    ADOPTED = "adopted"
    """It was carried out: the job is ours, or the value is there without one."""
    NOT_ACCEPTED = "not_accepted"
    """It never arrived. A value may be sent again."""
    FOREIGN = "foreign"
    """Somebody else's job came instead: what was planned for is no longer so."""
    PARKED = "parked"
    """Nothing tells; sent again it might happen twice. A person has to say."""
    UNTOLD = "untold"
    """Not yet: a job still runs, or the platform could not be asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fate, why it is believed, and the evidence: status, last_job_id, updated_at, job_id, job_status, record."""

    fate: Fate
    why: str
    job_id: str | None = None
    seen: Observed | None = None
    evidence: Mapping[str, Json] = field(default_factory=dict)


async def find_out(action: Action, known: Observed, baseline: Baseline, shared: SharedRun, wait_s: float) -> Finding:
    """Wait until a late request must have arrived, then look. Raises PlatformError where looking is refused."""
    run, limits = shared.run, shared.limits
    await run.sleep(wait_s)
    begun = run.monotonic()
    patience_s = limits.job_timeout_for(action.verb)
    while True:
        observed = await _look_closely(shared, known)
        age = run.monotonic() - begun
        if observed is not None:
            newer = observed.last_job_id if observed.last_job_id != baseline.last_job_id else None
            if newer is not None:
                return await _judge_job(action, known, baseline, shared, newer, observed)
            if observed.status_class is not StatusClass.BUSY:
                return _judge_without_job(action, baseline, shared, observed)
        if age >= patience_s:
            return Finding(Fate.UNTOLD, f"the component could not be looked at for {age:.0f} s", seen=observed)
        await run.sleep(pause_s(run, limits, age))


async def _judge_job(
    action: Action, known: Observed, baseline: Baseline, shared: SharedRun, job_id: str, observed: Observed
) -> Finding:
    """There is a newer job. Whose it was is told by what it left, once it ended."""
    is_edge = action.verb in EDGE_VERBS
    if is_edge and verdict.shows_its_kind(action, _unmet(action, shared, observed), observed, baseline, job_id):
        why = f"job {job_id} began after it was asked for, and is of its kind"
        return Finding(Fate.ADOPTED, why, job_id, observed, _evidence(observed, None))

    async def has_paused() -> bool:
        seen = await _look_closely(shared, known)
        return seen is not None and not _unmet(action, shared, seen)

    job = await follow_job(
        shared.platform,
        shared.run,
        shared.limits,
        job_id,
        lambda _: None,
        has_paused if verdict.starts_gray_release(action) else None,  # its job may run on while it pauses [U15]
        timeout_s=shared.limits.job_timeout_for(action.verb),
    )

    def is_ours(seen: Observed) -> bool:
        unmet = _unmet(action, shared, seen)
        return verdict.shows_its_kind(action, unmet, seen, baseline, job_id) if is_edge else not unmet

    if job is not None and job.phase is JobPhase.RUNNING and not verdict.starts_gray_release(action):
        return Finding(Fate.UNTOLD, f"job {job_id} still runs", job_id, observed, _evidence(observed, job))
    after = await _look_until(is_ours, known, shared, shared.limits.job_timeout_for(action.verb))
    if after is None:
        return Finding(Fate.UNTOLD, f"what job {job_id} left could not be looked at", job_id, observed)
    evidence = _evidence(after, job)
    if is_edge:
        if is_ours(after):
            return Finding(Fate.ADOPTED, f"job {job_id} is of its kind", job_id, after, evidence)
        why = f"job {job_id} began after it was asked for, and nothing tells what it did"
        return Finding(Fate.PARKED, why, job_id, after, evidence)
    if is_ours(after):
        return Finding(Fate.ADOPTED, f"job {job_id} left the wanted value", job_id, after, evidence)
    if job is not None and job.phase is JobPhase.RUNNING:
        return Finding(Fate.UNTOLD, f"job {job_id} still runs", job_id, after, evidence)
    return Finding(Fate.FOREIGN, f"job {job_id} left another value", job_id, after, evidence)


def _judge_without_job(action: Action, baseline: Baseline, shared: SharedRun, observed: Observed) -> Finding:
    """Nothing new is to be seen in the component's jobs: only a value can tell now."""
    evidence = _evidence(observed, None)
    if action.verb in EDGE_VERBS:
        return Finding(Fate.PARKED, "no newer job is to be seen", None, observed, evidence)
    if not _unmet(action, shared, observed):
        # It was not there when the request went out, and no job of somebody else brought it.
        return Finding(Fate.ADOPTED, "the wanted value is there, without a job", None, observed, evidence)
    return Finding(Fate.NOT_ACCEPTED, "no newer job, and the value is as before", None, observed, evidence)


async def _look_until(
    is_ours: Callable[[Observed], bool], known: Observed, shared: SharedRun, patience_s: float
) -> Observed | None:
    """What a job left: looked at until it is what we wanted, for a while; what is read may be older than the job's end.

    None where nothing could be read for `patience_s`.
    """
    run, limits = shared.run, shared.limits
    begun, settled_s = run.monotonic(), min(SETTLE_S, limits.quiet_period_s)
    seen: Observed | None = None
    while True:
        seen = await _look_closely(shared, known) or seen
        age = run.monotonic() - begun
        if seen is not None and (is_ours(seen) or age >= settled_s):
            return seen
        if age >= patience_s:
            return None
        await run.sleep(pause_s(run, limits, age))


async def _look_closely(shared: SharedRun, known: Observed) -> Observed | None:
    """The component with its records; None where this is a bad moment to read."""
    platform = shared.platform
    try:
        observed = await platform.fetch_component(known)
        return replace(observed, closer=await platform.fetch_closer(known.application_id, known.component_id))
    except NotFound:
        raise
    except TEMPORARY:
        return None


def _unmet(action: Action, shared: SharedRun, observed: Observed) -> dict[str, tuple[Json, Json]]:
    return verdict.unmet_goal(action, observed_values(observed, shared.recorded(action.address)))


def _evidence(observed: Observed, job: Job | None) -> dict[str, Json]:
    newest = observed.closer.records[0] if observed.closer and observed.closer.records else None
    return {
        "status": observed.status,
        "last_job_id": observed.last_job_id,
        "updated_at": observed.updated_at,
        "job_id": job.id if job else None,
        "job_status": job.status if job else None,
        "record": {"version": newest.version, "type": newest.deploy_type, "begun_at": newest.begun_at}
        if newest
        else None,
    }
