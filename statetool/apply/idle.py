"""Waiting for busy components before a plan is made.

Owns that wait and its bound. Whether a component that stays busy matters is for the plan to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from statetool.apply.run import Emitter, Limits, Platform, Run
from statetool.apply.waiting import TEMPORARY, is_job_running, look_at, pause_s
from statetool.core.events import EventType
from statetool.core.model import Observed, StatusClass
from statetool.core.picture import is_releasing
from statetool.errors import PlatformError


async def wait_until_idle(
    platform: Platform,
    observed: Sequence[Observed],
    *,
    limits: Limits,
    run: Run,
    emitter: Emitter,
    stop: asyncio.Event,
    started: Collection[str] = frozenset(),
) -> tuple[Observed, ...]:
    """The same components in the same order; those that were busy as they are once that ended.

    Only statuses say who is busy here: asking every component's last job would cost one read each. `started` are the
    ids of those of which a job is known to run all the same. One that is still busy after `job_timeout_s`, can't be
    read, or when `stop` is set, comes back as it was last seen.
    """
    busy = [
        n
        for n, component in enumerate(observed)
        if component.status_class is StatusClass.BUSY or component.component_id in started
    ]
    result = list(observed)
    if not busy:
        return tuple(result)

    async def follow(n: int) -> None:
        begun = run.monotonic()
        while True:
            age = run.monotonic() - begun
            emitter.emit(
                EventType.WAITING,
                elapsed_s=age,
                data={"address": str(result[n].address), "status": result[n].status},
            )
            if age >= limits.job_timeout_s:
                return
            await run.sleep(min(pause_s(run, limits, age), limits.job_timeout_s - age))
            try:
                result[n] = await look_at(platform, result[n])
                if await _is_idle(platform, result[n]):
                    return
            except TEMPORARY:
                continue
            except PlatformError:
                # Gone, or not ours to read: the observation that follows says so better.
                return

    waits = [asyncio.ensure_future(follow(n)) for n in busy]
    stopped = asyncio.ensure_future(stop.wait())
    everything = asyncio.gather(*waits)
    either: set[asyncio.Future[Any]] = {everything, stopped}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if everything.done():
            everything.result()
    finally:
        for future in (stopped, *waits):
            future.cancel()
        await asyncio.gather(everything, stopped, return_exceptions=True)
    return tuple(result)


async def _is_idle(platform: Platform, observed: Observed) -> bool:
    if observed.status_class is StatusClass.BUSY:
        return False
    if is_releasing(observed) or observed.last_job_id is None:
        return True
    return not await is_job_running(platform, observed.last_job_id)
