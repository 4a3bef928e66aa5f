"""How often to look, one fresh look at a component, and following one job of the platform to its end.

Owns the pace and which read errors are only a bad moment. It must not judge what a component should look like.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from statetool.apply.run import Limits, Platform, Run
from statetool.core.model import Job, JobPhase, Observed
from statetool.errors import AnswerUnreadable, NotFound, ServerFailed, Throttled, Unreachable

FIRST_LOOK_S = 3.0
"""A job is looked at for the first time after this, or after one interval where that is shorter."""

_SLOWER_AFTER_S = ((600.0, 4), (120.0, 2))
_JITTER = 0.1

TEMPORARY = (Unreachable, ServerFailed, Throttled, AnswerUnreadable)
"""Errors of a read that say nothing about the thing that was read."""


def pause_s(run: Run, limits: Limits, age_s: float) -> float:
    """Seconds until the next look at something that began `age_s` ago: slower with age, never in step with others."""
    factor = next((factor for after, factor in _SLOWER_AFTER_S if age_s >= after), 1)
    return limits.poll_interval_s * factor * (1 - _JITTER + 2 * _JITTER * run.jitter())


async def look_at(platform: Platform, known: Observed) -> Observed:
    """One component as it is now, with its detail and records where a gray release may be open; `known` tells which."""
    fresh = await platform.fetch_component(known)
    if not fresh.may_be_releasing:
        return fresh
    return replace(fresh, closer=await platform.fetch_closer(known.application_id, known.component_id))


async def try_look_at(platform: Platform, known: Observed) -> Observed | None:
    """The same; None where this is a bad moment to read."""
    try:
        return await look_at(platform, known)
    except TEMPORARY:
        return None


async def is_job_running(platform: Platform, job_id: str) -> bool:
    """Whether a job is known and has not ended."""
    try:
        return (await platform.fetch_job(job_id)).phase is JobPhase.RUNNING
    except NotFound:
        return False


async def follow_job(
    platform: Platform,
    run: Run,
    limits: Limits,
    job_id: str,
    on_look: Callable[[Job], None],
    is_enough: Callable[[], Awaitable[bool]] | None = None,
    *,
    timeout_s: float,
) -> Job | None:
    """Look at a job until it ends. Returns the ended job; one in phase RUNNING where `timeout_s` passed first, or
    where `is_enough`, asked after every look at a running job, says so; None where the platform does not know the job
    [U9].

    A read that fails for a moment is no news about the job. Other PlatformErrors are raised.
    """
    begun = run.monotonic()
    job = Job(job_id, JobPhase.RUNNING, "SUBMITTED")
    pause = min(FIRST_LOOK_S, limits.poll_interval_s)
    while True:
        await run.sleep(min(pause, max(0.0, begun + timeout_s - run.monotonic())))
        try:
            job = await platform.fetch_job(job_id)
        except NotFound:
            return None
        except TEMPORARY:
            pass
        else:
            if job.phase is not JobPhase.RUNNING:
                return job
            on_look(job)
            if is_enough is not None and await is_enough():
                return job
        age = run.monotonic() - begun
        if age >= timeout_s:
            return job
        pause = pause_s(run, limits, age)
