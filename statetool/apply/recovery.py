"""Taking up what an earlier run left open: every operation in the journal is followed to its end, or told why not.

Owns the story of a recovery. It sends nothing: what surely did not happen is for the next plan to say again. What
became of a request nobody answered is judged in `uncertain.py`, as it is while a run goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from statetool.apply.ending import Ending
from statetool.apply.following import Following
from statetool.apply.keeper import StateKeeper
from statetool.apply.operation import INTERRUPTED
from statetool.apply.run import Emitter, Limits, Platform, Run, SharedRun
from statetool.apply.uncertain import Fate
from statetool.core.events import EventType
from statetool.core.journal import EntryType, Journal, OpenOperation
from statetool.core.model import Json, Observed, StatusClass
from statetool.core.plan import Verb
from statetool.errors import NotFound, PlatformError, StateError


class Recovery(StrEnum):
    """What is known of an operation after it was taken up."""

    DONE = "done"
    FAILED = "failed"
    NOT_ACCEPTED = "not_accepted"
    """It surely was not carried out: the next plan says whether it is still wanted."""
    FOREIGN = "foreign"
    """Something else was carried out in its place."""
    PARKED = "parked"
    STILL_RUNNING = "still_running"
    UNTOLD = "untold"
    """The platform could not be asked: the next run tries again."""

    @property
    def is_open(self) -> bool:
        """Whether the operation stays in the journal."""
        return self in (Recovery.PARKED, Recovery.STILL_RUNNING, Recovery.UNTOLD)

    @property
    def is_good(self) -> bool:
        """Whether nothing is left to look after: it was done, or it is for the next plan to say again."""
        return self in (Recovery.DONE, Recovery.NOT_ACCEPTED)


@dataclass(frozen=True, slots=True)
class Recovered:
    """One operation that was taken up, and what is known of it by now. `why` is for people."""

    operation: OpenOperation
    outcome: Recovery
    why: str


async def recover(
    journal: Journal,
    *,
    platform: Platform,
    keeper: StateKeeper,
    limits: Limits,
    run: Run,
    emitter: Emitter,
    stop: asyncio.Event,
) -> tuple[Recovered, ...]:
    """Follow every open operation to its end, all at once, and record how it ended. Nothing is sent.

    Parked ones are left to a person. Emits RECOVERED for each. `stop` asks to end early: what is not known by then
    stays open. Raises StateError where what was found could not be saved.
    """
    troubles: list[StateError] = []
    shared = SharedRun(platform, limits, run, emitter, keeper, troubles.append)
    found: dict[str, Recovered] = {}

    async def take_up(operation: OpenOperation) -> None:
        recovered = await _Resumed(operation, shared, keeper).recover()
        found[operation.id] = recovered
        emitter.emit(EventType.RECOVERED, operation.intent.action.id, data=_told(recovered))

    running = [asyncio.ensure_future(take_up(operation)) for operation in journal.operations.values()]
    stopped = asyncio.ensure_future(stop.wait())
    everything = asyncio.ensure_future(asyncio.wait(running)) if running else None
    try:
        if everything is not None:
            await asyncio.wait({everything, stopped}, return_when=asyncio.FIRST_COMPLETED)
            shared.is_interrupted = not everything.done()
    finally:
        stopped.cancel()
        for task in running:
            task.cancel()
        results = await asyncio.gather(*running, return_exceptions=True)
        await keeper.finish()
    for error in (*troubles, *results):
        if isinstance(error, Exception):
            raise error
    return tuple(found[operation_id] for operation_id in journal.operations if operation_id in found)


class _Resumed(Following):
    """One open operation of an earlier run."""

    def __init__(self, operation: OpenOperation, shared: SharedRun, keeper: StateKeeper) -> None:
        intent = operation.intent
        super().__init__(intent.action, intent.known, shared)
        self.open_id = operation.id
        self._operation = operation
        self._keeper = keeper
        baseline = intent.baseline
        self._before = replace(
            intent.known,
            status=baseline.status,
            replicas=baseline.replicas,
            last_job_id=baseline.last_job_id,
            updated_at=baseline.updated_at,
        )
        self._before_values = baseline.values
        self._job_id = operation.job_id
        if operation.job_id is not None:
            self._own_jobs.add(operation.job_id)

    async def recover(self) -> Recovered:
        """The whole story. Raises StateError where what was found can't be kept."""
        self._keeper.take_over(self._operation.intent)
        try:
            recovered, ending = await self._take_up()
        except NotFound as error:
            ending = self._errored(error.code, error.message, closing=EntryType.FAILED)
            recovered = self._recovered(Recovery.FAILED, error.message)
        except PlatformError as error:
            return self._recovered(Recovery.UNTOLD, error.message)
        except asyncio.CancelledError:
            if not self._shared.is_interrupted:
                raise
            return self._recovered(Recovery.UNTOLD, INTERRUPTED)
        if ending is not None:
            self._keeper.record_ending(self.action, ending)
            await self._keeper.settle()
        return recovered

    async def _take_up(self) -> tuple[Recovered, Ending | None]:
        if self._operation.is_parked:
            return self._recovered(Recovery.PARKED, str(self._operation.told.get("why", "nobody knows"))), None
        if not self._operation.is_accepted:
            finding = await self._settle(self._operation.intent, self._wait_s())
            if finding.fate is not Fate.ADOPTED:
                return self._recovered(Recovery(str(finding.fate)), finding.why), None
        self._requests = 1
        ending = await self._follow_to_end()
        if ending is None:
            ending = self._ending(EventType.ACTION_SKIPPED, closing=EntryType.DONE)
            return self._recovered(Recovery.DONE, "one batch of a promotion; the next plan goes on with it"), ending
        return self._judged(ending), ending

    def _judged(self, ending: Ending) -> Recovered:
        job = f"job {self._job_id}" if self._job_id else "no job"
        if ending.type is EventType.ACTION_COMPLETE:
            return self._recovered(Recovery.DONE, f"{job}, and the value is there")
        if ending.type is EventType.ACTION_STILL_RUNNING:
            return self._recovered(Recovery.STILL_RUNNING, f"{job} still runs")
        return self._recovered(Recovery.FAILED, str(ending.data.get("message", "")))

    async def _has_gone_on(self, observed: Observed) -> bool:
        """A promotion that pauses again ends here, for nothing is sent."""
        is_promotion = self.action.verb is Verb.CONTINUE_DEPLOY and self.action.max_requests > 1
        return is_promotion and observed.status_class is StatusClass.GRAYING

    def _wait_s(self) -> float:
        """How long from now a request of that intent may still arrive. A clock that was set back counts from now."""
        limits = self._shared.limits
        latest_s = limits.send_window_s + limits.quiet_period_s
        since_s = (_instant(self._run.now()) - _instant(self._operation.intent.at)).total_seconds()
        return min(latest_s, max(0.0, latest_s - since_s + 1))  # instants are whole seconds

    def _recovered(self, outcome: Recovery, why: str) -> Recovered:
        return Recovered(self._operation, outcome, why)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _told(recovered: Recovered) -> dict[str, Json]:
    operation = recovered.operation
    return {
        "operation": operation.id,
        "address": str(operation.address),
        "verb": str(operation.intent.action.verb),
        "outcome": str(recovered.outcome),
        "why": recovered.why,
        "job_id": operation.job_id,
        "intended_at": operation.intent.at,
    }
