"""One action, from the last look before sending to its verified end.

Owns when a request is sent, and what is written to the journal around it: the intent before, the job's id right
after. Following and reading back is `following.py`. It must not know the plan it stands in, write state, or start
anything else. Errors of the platform end the action; they are never raised.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from statetool.apply import verdict
from statetool.apply.ending import Ending
from statetool.apply.following import Following
from statetool.apply.run import SharedRun
from statetool.apply.uncertain import Fate
from statetool.apply.waiting import is_job_running, pause_s
from statetool.core.events import EventType
from statetool.core.journal import EntryType, Intent
from statetool.core.model import Json, Observed, StatusClass
from statetool.core.picture import is_releasing
from statetool.core.plan import EDGE_VERBS, Action
from statetool.errors import LeaseLost, NotSent, OutcomeUnknown, PlatformError, StateConflictOnPlatform, StateError

CONFLICT_RETRIES = 3
"""How often an action is sent again after the platform said that the component is busy."""

ANSWER_PATIENCE_S = 8.0
"""How long an interrupted run waits for the answer to a request that is out; the whole command has ten seconds."""

REQUEST_S = 35.0
"""One try of a request may take thirty seconds; a lease that may end before its answer is no leave to send."""

INTERRUPTED = "interrupted"


class Operation(Following):
    """Runs one action once. `known` names the component; none of its values is used.

    `is_stopped_later` tells that the plan ends with the component stopped.
    """

    def __init__(self, action: Action, known: Observed, shared: SharedRun, *, is_stopped_later: bool = False) -> None:
        super().__init__(action, known, shared)
        self._is_stopped_later = is_stopped_later
        self._conflicts = 0
        self._attempts = 0
        self._losses = 0
        self._failed_jobs = 0
        self._intent: Intent | None = None
        self._intended_at = 0.0

    async def perform(self) -> Ending:
        """The whole story. Raises CancelledError only where the run was not asked to stop, StateError where the
        journal can't be written: then nothing more was sent."""
        try:
            return await self._perform()
        except PlatformError as error:
            return self._errored(error.code, error.message, error.hint)
        except asyncio.CancelledError:
            if not self._shared.is_interrupted:
                raise
            return self._cut_short()

    async def _perform(self) -> Ending:
        early = await self._send_when_possible()
        while early is None:
            try:
                early = await self._follow_to_end()
            except OutcomeUnknown as error:  # of a promotion's next request
                early = await self._settle_lost(error)
            if early is not None and self._may_retry(early):
                self._close(EntryType.FAILED, early.data)
                again = await self._send_when_possible()
                # What is in the way of another try is often what the failed job left: then its failure is the news.
                is_stale = again is not None and again.type is EventType.ACTION_STALE
                early = replace(early, operation=None, closing=None) if is_stale else again
        return early

    def _may_retry(self, ending: Ending) -> bool:
        """Whether a failed job is worth another operation: a value may be sent again, an edge never by itself."""
        if ending.closing is not EntryType.FAILED or self.action.verb in EDGE_VERBS or self._shared.halted is not None:
            return False
        self._failed_jobs += 1
        return self._failed_jobs <= self._shared.limits.retries

    # Before sending

    async def _send_when_possible(self) -> Ending | None:
        """Send once the component is idle and as the plan saw it. An ending where nothing is to be sent."""
        begun = self._run.monotonic()
        while True:
            lost: OutcomeUnknown | None = None
            async with self._shared.slot(self.action.risk), self._shared.platform.turn():
                early, is_busy = await self._judge()
                if early is not None:
                    return early
                if not is_busy:
                    try:
                        await self._send()
                        return None
                    except StateConflictOnPlatform:
                        self._conflicts += 1
                        if self._conflicts > CONFLICT_RETRIES:
                            raise
                    except OutcomeUnknown as error:
                        if self._shared.is_interrupted:
                            raise
                        lost = error
            # The slot is free while we wait: a busy component must not keep others from being changed.
            if lost is not None:
                early = await self._settle_lost(lost)
                if early is not None or self.open_id is not None:
                    return early
                begun = self._run.monotonic()
                continue
            self._announce()
            self._progress(observed=self._seen)
            age = self._run.monotonic() - begun
            if age >= self._shared.limits.job_timeout_for(self.action.verb):
                status = self._seen.status if self._seen else "busy"
                return self._errored(
                    "busy",
                    f"the component was still busy ({status}) after {age:.0f} s; nothing was sent",
                    "see in the console what it is doing, then apply again",
                )
            await self._run.sleep(pause_s(self._run, self._shared.limits, age))

    async def _judge(self) -> tuple[Ending | None, bool]:
        """One fresh look, and what follows: an ending, busy, or neither: send."""
        observed = await self._look()
        values = self._values(observed)
        if not verdict.unmet_goal(self.action, values):
            return self._ending(EventType.ACTION_SATISFIED), False
        if await self._is_busy(observed):
            return None, True
        if self._is_stopped_later and verdict.is_reached_before_stop(self.action, values, observed):
            return self._ending(EventType.ACTION_SATISFIED), False
        moved = verdict.moved_paths(self.action, values, self._own_jobs)
        if moved:
            return self._ending(EventType.ACTION_STALE, {"moved": moved}), False
        if verdict.is_needless(self.action, observed):
            return self._ending(EventType.ACTION_SATISFIED), False
        if self._shared.halted is not None:
            return self._ending(EventType.ACTION_SKIPPED, {"because": self._shared.halted}), False
        self._before, self._before_values = observed, values
        return None, False

    async def _is_busy(self, observed: Observed) -> bool:
        if observed.status_class is StatusClass.BUSY:
            return True
        if is_releasing(observed) or observed.last_job_id is None:
            return False
        if observed.last_job_id in self._shared.ended_jobs:
            return False
        return await is_job_running(self._shared.platform, observed.last_job_id)

    # The request, and the journal around it

    async def _send(self) -> None:
        """Note the intent, send, note the answer. Raises PlatformError; StateError where nothing was sent."""
        self._announce()
        intent = await self._intend()
        sending = asyncio.ensure_future(self._request(intent))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            # The client stops what is not out yet; what is out it sees through, and its answer may be a job.
            sending.cancel()
            if self._shared.is_interrupted:
                await self._wait_for_answer(sending)
            raise
        except OutcomeUnknown as error:
            self._note(EntryType.UNKNOWN, {"code": error.code, "message": error.message})
            await self._keep_journal()
            raise
        except (PlatformError, StateError) as error:
            self._refused(error)
            await self._keep_journal()
            raise
        await self._keep_journal()
        self._tell_accepted()

    async def _intend(self) -> Intent:
        """Write down what is about to be sent, and return once that is durable. The lease is asked before and after."""
        self._ensure_lease()
        assert self._before is not None, "nothing is sent without a look"
        self._attempts += 1
        lease = self._shared.log.lease
        closed = () if self.open_id is None else (self._entry(EntryType.DONE),)  # the batch before this one
        intent = self._intent = Intent(
            id=f"{self.action.id}.{self._attempts}@{lease.fence}",
            run_id=self._run.run_id,
            fence=lease.fence,
            at=self._run.now(),
            action=self.action,
            known=self._known,
            baseline=verdict.baseline_of(self._before, self._before_values),
            updates=self._shared.pending_updates(self.action.id),
            attempt=self._attempts,
        )
        self.open_id = intent.id
        self._is_taken, self._job_id = False, None
        self._intended_at = self._run.monotonic()
        try:
            await self._shared.log.intend(intent, *closed)
        except asyncio.CancelledError:
            self._refused(NotSent("the run was interrupted before it was sent"))
            raise
        except StateError:
            self.open_id = None
            raise
        return intent

    def _ensure_lease(self) -> None:
        lease = self._shared.log.lease
        lease.ensure_held()
        if lease.remaining_s < REQUEST_S:
            raise LeaseLost(
                f"the lock of the state could not be renewed: it ends in {lease.remaining_s:.0f} s, before the answer "
                "to a request",
                hint="nothing more was sent; apply again once the backend of the state can be reached",
            )

    def _ensure_may_send(self) -> None:
        """Asked right before every try of the request."""
        self._ensure_lease()
        late_s = self._run.monotonic() - self._intended_at
        if late_s > self._shared.limits.send_window_s:
            raise NotSent(
                f"the request could not be sent within {late_s:.0f} s",
                hint="apply again once the platform takes requests",
            )

    async def _request(self, intent: Intent) -> None:
        known, action = self._known, self.action
        job_id = await self._shared.platform.send_action(
            known.application_id,
            known.component_id,
            action.verb,
            action.parameters,
            ensure_may_send=self._ensure_may_send,
        )
        # No await in between: a cancellation that waited for the answer must not lose it.
        self._accept(job_id)

    async def _wait_for_answer(self, sending: asyncio.Future[None]) -> None:
        """The run was interrupted while a request may be out: its answer decides what is told of the action."""
        patience = asyncio.ensure_future(self._run.sleep(ANSWER_PATIENCE_S))
        either: set[asyncio.Future[Any]] = {sending, patience}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        if not sending.done():
            return
        if sending.cancelled():
            # Also where its answer came: the cancellation waited for that, and ends the task right behind it.
            if not self._is_taken:
                self._refused(NotSent("the run was interrupted before it was sent"))
            else:
                self._tell_accepted()
            return
        error = sending.exception()
        if error is None:
            self._tell_accepted()
        elif isinstance(error, OutcomeUnknown):
            self._note(EntryType.UNKNOWN, {"code": error.code, "message": error.message})
            raise error
        else:
            self._refused(error)
            if not isinstance(error, StateConflictOnPlatform):
                raise error

    def _accept(self, job_id: str | None) -> None:
        self._is_taken = True
        self._requests += 1
        self._job_id = job_id
        if job_id is not None:
            self._own_jobs.add(job_id)
        self._note(EntryType.ACCEPTED, {"job_id": job_id, "how": "answer"})

    def _tell_accepted(self) -> None:
        self._emit(EventType.ACTION_ACCEPTED, {"job_id": self._job_id})

    def _refused(self, error: BaseException) -> None:
        """The platform surely did not carry it out."""
        code = error.code if isinstance(error, PlatformError | StateError) else "internal_error"
        self._close(EntryType.REFUSED, {"code": code, "message": str(error)})

    # After a lost answer

    async def _settle_lost(self, error: OutcomeUnknown) -> Ending | None:
        """Find out what became of a request whose answer is lost. None: it ran, and is open; or it did not, and may be
        sent once more."""
        assert self._intent is not None, "what was lost was intended"
        if self._shared.is_interrupted:
            return self._errored(error.code, error.message, error.hint)  # the next run finds out
        self._losses += 1
        finding = await self._settle(self._intent, self._shared.limits.quiet_period_s)
        if finding.fate is Fate.FOREIGN:
            moved: Json = {"expected": self._intent.baseline.last_job_id, "observed": finding.job_id}
            return self._ending(EventType.ACTION_STALE, {"moved": {verdict.JOB_PATH: moved}})
        if finding.fate is Fate.PARKED:
            return self._parked(finding.why)
        if finding.fate is Fate.UNTOLD:
            return self._errored(error.code, f"{error.message}; {finding.why}", error.hint)
        if finding.fate is Fate.NOT_ACCEPTED and self._losses > 1:
            return self._errored(error.code, f"{error.message}; it was sent twice, and nothing came of it")
        return None

    # A promotion, batch by batch

    async def _has_gone_on(self, observed: Observed) -> bool:
        if not self._wants_another_request(observed):
            return False
        async with self._shared.slot(self.action.risk), self._shared.platform.turn():
            seen = await self._look()
            if not self._wants_another_request(seen):
                return False
            self._before, self._before_values = seen, self._values(seen)
            try:
                await self._send()
            except StateConflictOnPlatform:
                # Not a pause but the moment before the end: the reading back goes on.
                self._conflicts += 1
                return False
        return True

    def _wants_another_request(self, observed: Observed) -> bool:
        """A promotion that paused after a batch of ours [U4]."""
        return (
            observed.status_class is StatusClass.GRAYING
            and 0 < self._requests < self.action.max_requests
            and self._conflicts <= CONFLICT_RETRIES
            and observed.last_job_id in self._own_jobs
        )

    def _cut_short(self) -> Ending:
        """The run stops: what was accepted runs on without us, what was not sent is not run."""
        if self.open_id is not None and not self._is_taken:
            return self._errored(
                "outcome_unknown",
                "interrupted before it was known whether the platform carried it out",
                "the next apply finds out; `statetool apply --resume` does only that",
            )
        if self._requests:
            return self._still_running()
        return self._ending(EventType.ACTION_SKIPPED, {"because": INTERRUPTED})
