"""One action, from the last look before sending to its verified end.

Owns the story of a single action: look, judge, send, follow the job, read back, and for a promotion again. It
must not know the plan it stands in, write state, or start anything else. Errors of the platform end the action;
they are never raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from statetool.apply import verdict
from statetool.apply.ending import Ending, VersionChange
from statetool.apply.run import SharedRun
from statetool.apply.waiting import follow_job, is_job_running, look_at, pause_s, try_look_at
from statetool.core.events import EventType
from statetool.core.model import Job, JobPhase, Json, Observed, StatusClass
from statetool.core.picture import is_releasing, observed_values
from statetool.core.plan import Action
from statetool.errors import PlatformError, StateConflictOnPlatform

CONFLICT_RETRIES = 3
"""How often an action is sent again after the platform said that the component is busy."""

ANSWER_PATIENCE_S = 8.0
"""How long an interrupted run waits for the answer to a request that is out; the whole command has ten seconds."""

INTERRUPTED = "interrupted"


class Operation:
    """Runs one action once. `known` names the component; none of its values is used.

    `is_stopped_later` tells that the plan ends with the component stopped.
    """

    def __init__(self, action: Action, known: Observed, shared: SharedRun, *, is_stopped_later: bool = False) -> None:
        self.action = action
        self._is_stopped_later = is_stopped_later
        self._known = known
        self._shared = shared
        self._run = shared.run
        self._begun = shared.run.monotonic()
        self._announced = False
        self._seen: Observed | None = None
        self._before: Observed | None = None
        self._before_values: Mapping[str, Json] = {}
        self._requests = 0
        self._job_id: str | None = None
        self._unanswered = False
        self._conflicts = 0

    async def perform(self) -> Ending:
        """The whole story. Raises CancelledError only where the run was not asked to stop."""
        try:
            return await self._perform()
        except PlatformError as error:
            return self._errored(error.code, error.message, error.hint)
        except asyncio.CancelledError:
            if not self._shared.is_interrupted:
                raise
            return self._cut_short()

    def failed_by(self, error: Exception) -> Ending:
        """The ending of an operation that raised: a mistake of ours, told like any other failure."""
        return self._errored("internal_error", f"{type(error).__name__}: {error}")

    async def _perform(self) -> Ending:
        early = await self._send_when_possible()
        while early is None:
            ended_at, early = await self._follow()
            if early is None:
                early = await self._read_back(ended_at)
        return early

    # Before sending

    async def _send_when_possible(self) -> Ending | None:
        """Send once the component is idle and as the plan saw it. An ending where nothing is to be sent."""
        begun = self._run.monotonic()
        while True:
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
            # The slot is free while we wait: a busy component must not keep others from being changed.
            self._announce()
            self._progress(observed=self._seen)
            age = self._run.monotonic() - begun
            if age >= self._shared.limits.job_timeout_s:
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

    async def _send(self) -> None:
        self._announce()
        self._unanswered = True
        sending = asyncio.ensure_future(self._request())
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            # The client stops what is not out yet; what is out it sees through, and its answer may be a job.
            sending.cancel()
            if self._shared.is_interrupted:
                await self._wait_for_answer(sending)
            raise
        except PlatformError:
            self._unanswered = False
            raise

    async def _request(self) -> None:
        known, action = self._known, self.action
        job_id = await self._shared.platform.send_action(
            known.application_id, known.component_id, action.verb, action.parameters
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
        error = None if sending.cancelled() else sending.exception()
        if error is None or isinstance(error, StateConflictOnPlatform):
            self._unanswered = False
        else:
            raise error

    def _accept(self, job_id: str | None) -> None:
        self._unanswered = False
        self._requests += 1
        self._job_id = job_id
        if job_id is not None:
            self._own_jobs.add(job_id)
        self._emit(EventType.ACTION_ACCEPTED, {"job_id": job_id})

    # After sending

    async def _follow(self) -> tuple[float, Ending | None]:
        """Wait for the end of what was accepted. Returns the instant of that end, and an ending where it was bad."""
        accepted = self._run.monotonic()
        job_id = self._job_id
        if job_id is not None:
            job = await self._follow_job(job_id)
            if job is not None:
                return self._run.monotonic(), await self._end_of_job(job)
        return await self._follow_component(accepted)

    async def _follow_job(self, job_id: str) -> Job | None:
        job = await follow_job(
            self._shared.platform,
            self._run,
            self._shared.limits,
            job_id,
            lambda job: self._progress(job=job),
            self._has_paused if verdict.starts_gray_release(self.action) else None,
        )
        if job is None or job.phase is not JobPhase.RUNNING:
            self._shared.ended_jobs.add(job_id)
        return job

    async def _has_paused(self) -> bool:
        """Whether the gray release that this action started waits for its next step: its job may run on [U15]."""
        observed = await self._try_look()
        return observed is not None and not self._unmet(observed)

    async def _end_of_job(self, job: Job) -> Ending | None:
        if job.phase is JobPhase.SUCCEEDED:
            return None
        if job.phase is JobPhase.RUNNING and verdict.starts_gray_release(self.action) and await self._has_paused():
            return None
        self._seen = await try_look_at(self._shared.platform, self._known) or self._seen
        if job.phase is JobPhase.RUNNING:
            return self._still_running()
        message = job.message or f"job {job.id} ended {job.status}"
        return self._errored("job_failed", message, "see the job's tasks in the console")

    async def _follow_component(self, accepted: float) -> tuple[float, Ending | None]:
        """There is no job to follow [4.2, U9]: the component itself has to show that it worked and is done.

        A job that appears as the component's last one is followed after all.
        """
        limits = self._shared.limits
        old_jobs = {None, self._before.last_job_id if self._before else None, *self._own_jobs}
        was_busy = False
        while True:
            age = self._run.monotonic() - accepted
            await self._run.sleep(pause_s(self._run, limits, age))
            observed = await self._try_look()
            now = self._run.monotonic()
            if observed is not None:
                if observed.last_job_id is not None and observed.last_job_id not in old_jobs:
                    self._job_id = observed.last_job_id
                    self._own_jobs.add(self._job_id)
                    job = await self._follow_job(self._job_id)
                    if job is not None:
                        return self._run.monotonic(), await self._end_of_job(job)
                    old_jobs.add(self._job_id)
                    was_busy = True
                elif observed.status_class is StatusClass.BUSY:
                    was_busy = True
                elif was_busy or (not verdict.needs_a_sign(self.action) and not self._unmet(observed)):
                    return now, None
                elif now - accepted >= self.action.ready.timeout_s:
                    return accepted, self._no_sign(now - accepted)
                self._progress(observed=observed)
            if now - accepted >= limits.job_timeout_s:
                return now, self._still_running()

    def _no_sign(self, waited_s: float) -> Ending | None:
        if not verdict.needs_a_sign(self.action):
            return None
        # It changes no value: without a job and without a busy moment nothing proves that it happened.
        return self._errored(
            "diverged", f"accepted without a job, and no sign of the {self.action.verb} after {waited_s:.0f} s"
        )

    async def _read_back(self, ended_at: float) -> Ending | None:
        """Look until the goal is there, ready where that counts, and stays so. None where a promotion went on."""
        ready = self.action.ready
        held_since: float | None = None
        last: Observed | None = None
        while True:
            observed = await self._try_look()
            now = self._run.monotonic()
            if observed is not None:
                last = observed
                if self._wants_another_request(observed) and await self._continue():
                    return None
                if self._is_reached(observed):
                    held_since = now if held_since is None else held_since
                    if now - held_since >= ready.hold_s:
                        return self._ending(EventType.ACTION_COMPLETE, version_change=self._version_change())
                else:
                    held_since = None
                self._progress(observed=observed)
            if held_since is None and now - ended_at >= ready.timeout_s:
                return self._unreached(last, now - ended_at)
            until = ended_at + ready.timeout_s if held_since is None else held_since + ready.hold_s
            pause = pause_s(self._run, self._shared.limits, now - ended_at)
            await self._run.sleep(min(pause, max(0.0, until - now)))

    def _wants_another_request(self, observed: Observed) -> bool:
        """A promotion that paused after a batch of ours [U4]."""
        return (
            observed.status_class is StatusClass.GRAYING
            and 0 < self._requests < self.action.max_requests
            and self._conflicts <= CONFLICT_RETRIES
            and observed.last_job_id in self._own_jobs
        )

    async def _continue(self) -> bool:
        """Send the next request of a promotion, unless a look with the slot in hand says otherwise."""
        async with self._shared.slot(self.action.risk), self._shared.platform.turn():
            if not self._wants_another_request(await self._look()):
                return False
            try:
                await self._send()
            except StateConflictOnPlatform:
                # Not a pause but the moment before the end: the reading back goes on.
                self._conflicts += 1
                return False
        return True

    def _is_reached(self, observed: Observed) -> bool:
        if self._unmet(observed) or observed.status_class is StatusClass.BUSY:
            return False
        needs_readiness = self._before is not None and verdict.needs_readiness(self.action, self._before)
        return observed.is_fully_available or not needs_readiness

    def _unreached(self, last: Observed | None, waited_s: float) -> Ending:
        if last is None:
            message = f"job succeeded, but the component could not be read for {waited_s:.0f} s"
            return self._errored("unverified", message, "the next plan shows whether it is as wanted")
        unmet = self._unmet(last)
        code = verdict.unreached_code(self.action, unmet, last)
        message = verdict.describe_unreached(self.action, unmet, last, waited_s)
        hint = (
            "look at the instances in the console; apply again once they are healthy" if code == "not_ready" else None
        )
        return self._errored(code, message, hint, version_change=self._version_change())

    def _version_change(self) -> VersionChange | None:
        """The version this action reached, where it did: also when its instances did not become ready."""
        if self.action.verb not in verdict.VERSION_VERBS or self._seen is None or self._before is None:
            return None
        if self._seen.status_class in (StatusClass.GRAYING, StatusClass.BUSY):
            return None
        reached = self._values(self._seen).get("version")
        if not isinstance(reached, str) or reached != self.action.goal.get("version", reached):
            return None
        if self.action.verb not in verdict.ROLLBACK_VERBS:
            return VersionChange(reached, str(self.action.verb), None, self._job_id)
        is_abort = "gray.version" in self._before_values
        left = self._before_values.get("gray.version" if is_abort else "version")
        verb = "abort" if is_abort else str(self.action.verb)
        return VersionChange(reached, verb, left if isinstance(left, str) else None, self._job_id)

    # Looking and telling

    @property
    def _own_jobs(self) -> set[str]:
        return self._shared.own_jobs.setdefault(self.action.address, set())

    def _values(self, observed: Observed) -> dict[str, Json]:
        return observed_values(observed, self._shared.recorded(self.action.address))

    def _unmet(self, observed: Observed) -> dict[str, tuple[Json, Json]]:
        return verdict.unmet_after_sending(self.action, self._values(observed))

    async def _look(self) -> Observed:
        self._seen = await look_at(self._shared.platform, self._known)
        return self._seen

    async def _try_look(self) -> Observed | None:
        observed = await try_look_at(self._shared.platform, self._known)
        self._seen = observed or self._seen
        return observed

    def _emit(self, type_: EventType, data: Mapping[str, Json]) -> None:
        self._shared.emitter.emit(type_, self.action.id, elapsed_s=self._run.monotonic() - self._begun, data=data)

    def _announce(self) -> None:
        """The action has begun: it waits for its component, or its request goes out. Said once."""
        if not self._announced:
            self._announced = True
            self._emit(EventType.ACTION_START, {"verb": str(self.action.verb), "address": str(self.action.address)})

    def _progress(self, *, job: Job | None = None, observed: Observed | None = None) -> None:
        """What was just looked at: the job or the component."""
        data: dict[str, Json] = {
            "job_status": job.status if job else None,
            "component_status": observed.status if observed else None,
        }
        self._emit(EventType.ACTION_PROGRESS, data)

    def _ending(
        self,
        type_: EventType,
        data: Mapping[str, Json] | None = None,
        version_change: VersionChange | None = None,
    ) -> Ending:
        return Ending(type_, self._run.monotonic() - self._begun, data or {}, self._seen, version_change)

    def _errored(
        self, code: str, message: str, hint: str | None = None, version_change: VersionChange | None = None
    ) -> Ending:
        data: dict[str, Json] = {"code": code, "message": message, "hint": hint, "job_id": self._job_id}
        return self._ending(EventType.ACTION_ERRORED, data, version_change)

    def _still_running(self) -> Ending:
        return self._ending(EventType.ACTION_STILL_RUNNING, {"job_id": self._job_id})

    def _cut_short(self) -> Ending:
        """The run stops: what was accepted runs on without us, what was not sent is not run."""
        if self._unanswered:
            return self._errored(
                "outcome_unknown",
                f"interrupted, and the request was not answered within {ANSWER_PATIENCE_S:.0f} s",
                "the next plan shows whether it was executed",
            )
        if self._requests:
            return self._still_running()
        return self._ending(EventType.ACTION_SKIPPED, {"because": INTERRUPTED})
