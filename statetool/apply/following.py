"""One action after its request: following the job, reading back, telling; shared by runs and recoveries.

Owns what is known of one action while it goes on, and how it ends. It must not send anything: only an operation
that was looked at right before may (`operation.py`); nor judge what became of a lost one (`uncertain.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from statetool.apply import verdict
from statetool.apply.ending import Ending, VersionChange
from statetool.apply.run import SharedRun
from statetool.apply.uncertain import Fate, Finding, find_out
from statetool.apply.waiting import follow_job, look_at, pause_s, try_look_at
from statetool.core.events import EventType
from statetool.core.journal import Entry, EntryType, Intent
from statetool.core.model import Job, JobPhase, Json, Observed, StatusClass
from statetool.core.picture import observed_values
from statetool.core.plan import Action
from statetool.errors import StateError


class Following:
    """What is known of one action. `known` names the component; none of its values is used.

    `open_id` is the journal's operation that is not closed yet, None where nothing is out.
    """

    def __init__(self, action: Action, known: Observed, shared: SharedRun) -> None:
        self.action = action
        self.open_id: str | None = None
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
        self._is_taken = False  # the open operation, by the platform

    def failed_by(self, error: Exception) -> Ending:
        """The ending of an operation that raised: a mistake of ours, told like any other failure."""
        return self._errored("internal_error", f"{type(error).__name__}: {error}", closing=None)

    def not_sent(self, because: str) -> Ending:
        """The ending of an operation that had to stop before its request."""
        if self.open_id is not None:
            return self._still_running()
        return self._ending(EventType.ACTION_SKIPPED, {"because": because})

    # The journal

    def _entry(self, type_: EntryType, data: Mapping[str, Json] | None = None) -> Entry:
        assert self.open_id is not None, "only an operation has entries"
        return Entry(type_, self._run.now(), self._shared.log.lease.fence, self.open_id, dict(data or {}))

    def _note(self, type_: EntryType, data: Mapping[str, Json]) -> None:
        self._shared.log.note(self._entry(type_, data))

    def _close(self, type_: EntryType, data: Mapping[str, Json]) -> None:
        """The last word on the open operation, where the state learns nothing from it."""
        self._note(type_, data)
        self.open_id = None

    async def _keep_journal(self) -> None:
        """Make durable what was noted. Where that fails the story still goes on: the request is out, or was refused."""
        try:
            await self._shared.log.flush()
        except StateError as error:
            self._shared.on_trouble(error)

    # After sending

    async def _settle(self, intent: Intent, wait_s: float) -> Finding:
        """Find out what became of a request whose answer nobody has, and note it down: afterwards it is accepted and
        can be followed, parked, or closed."""
        finding = await find_out(self.action, self._known, intent.baseline, self._shared, wait_s)
        self._seen = finding.seen or self._seen
        told: dict[str, Json] = {"why": finding.why, "evidence": dict(finding.evidence)}
        if finding.fate is Fate.ADOPTED:
            self._is_taken = True
            self._requests += 1
            self._job_id = finding.job_id
            if finding.job_id is not None:
                self._own_jobs.add(finding.job_id)
            self._note(EntryType.ACCEPTED, {"job_id": finding.job_id, "how": "adopted", **told})
        elif finding.fate is Fate.PARKED:
            self._note(EntryType.PARKED, told)
        elif finding.fate is not Fate.UNTOLD:
            self._close(EntryType.NOT_ACCEPTED, told)
        await self._keep_journal()
        if finding.fate is Fate.ADOPTED:
            self._emit(EventType.ACTION_ACCEPTED, {"job_id": finding.job_id})
        return finding

    def _parked(self, why: str) -> Ending:
        hint = f"find out, then say it: `statetool state resolve {self.open_id} --did-run`, or --did-not"
        return self._errored("parked", f"nobody can tell whether it ran: {why}", hint)

    async def _follow_to_end(self) -> Ending | None:
        """From an accepted request to its verified end. None where a promotion wants its next request."""
        ended_at, early = await self._follow()
        return early or await self._read_back(ended_at)

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
            timeout_s=self._shared.limits.job_timeout_for(self.action.verb),
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
        return self._errored("job_failed", message, "see the job's tasks in the console", closing=EntryType.FAILED)

    async def _follow_component(self, accepted: float) -> tuple[float, Ending | None]:
        """There is no job to follow [4.2, U9]: the component itself has to show that it worked and is done.

        A job that appears as the component's last one is followed after all.
        """
        limits, timeout_s = self._shared.limits, self._shared.limits.job_timeout_for(self.action.verb)
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
            if now - accepted >= timeout_s:
                return now, self._still_running()

    def _no_sign(self, waited_s: float) -> Ending | None:
        if not verdict.needs_a_sign(self.action):
            return None
        # It changes no value: without a job and without a busy moment nothing proves that it happened.
        return self._errored(
            "diverged",
            f"accepted without a job, and no sign of the {self.action.verb} after {waited_s:.0f} s",
            closing=EntryType.DIVERGED,
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
                if await self._has_gone_on(observed):
                    return None
                if self._is_reached(observed):
                    held_since = now if held_since is None else held_since
                    if now - held_since >= ready.hold_s:
                        change = self._version_change()
                        return self._ending(EventType.ACTION_COMPLETE, closing=EntryType.DONE, version_change=change)
                else:
                    held_since = None
                self._progress(observed=observed)
            if held_since is None and now - ended_at >= ready.timeout_s:
                return self._unreached(last, now - ended_at)
            until = ended_at + ready.timeout_s if held_since is None else held_since + ready.hold_s
            pause = pause_s(self._run, self._shared.limits, now - ended_at)
            await self._run.sleep(min(pause, max(0.0, until - now)))

    async def _has_gone_on(self, observed: Observed) -> bool:
        """Whether the action went on with its next request. One that only follows never does."""
        return False

    def _is_reached(self, observed: Observed) -> bool:
        if self._unmet(observed) or observed.status_class is StatusClass.BUSY:
            return False
        needs_readiness = self._before is not None and verdict.needs_readiness(self.action, self._before)
        return observed.is_fully_available or not needs_readiness

    def _unreached(self, last: Observed | None, waited_s: float) -> Ending:
        if last is None:
            message = f"job succeeded, but the component could not be read for {waited_s:.0f} s"
            later = "the next plan shows whether it is as wanted"
            return self._errored("unverified", message, later, closing=EntryType.DIVERGED)
        unmet = self._unmet(last)
        code = verdict.unreached_code(self.action, unmet, last)
        message = verdict.describe_unreached(self.action, unmet, last, waited_s)
        unhealthy = "look at the instances in the console; apply again once they are healthy"
        hint = unhealthy if code == "not_ready" else None
        change = self._version_change()
        return self._errored(code, message, hint, closing=EntryType.DIVERGED, version_change=change)

    def _version_change(self) -> VersionChange | None:
        """The version this action reached, where it did: also when its instances did not become ready."""
        if self._seen is None or self._before is None:
            return None
        values = self._values(self._seen)
        return verdict.version_change(self.action, self._seen, values, self._before_values, self._job_id)

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
        *,
        closing: EntryType | None = None,
        version_change: VersionChange | None = None,
    ) -> Ending:
        elapsed_s = self._run.monotonic() - self._begun
        return Ending(type_, elapsed_s, data or {}, self._seen, version_change, self.open_id, closing)

    def _errored(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        closing: EntryType | None = None,
        version_change: VersionChange | None = None,
    ) -> Ending:
        """A failure. Without `closing` the operation stays open: the next apply finds out what became of it."""
        data: dict[str, Json] = {"code": code, "message": message, "hint": hint, "job_id": self._job_id}
        return self._ending(EventType.ACTION_ERRORED, data, closing=closing, version_change=version_change)

    def _still_running(self) -> Ending:
        told: dict[str, Json] = {"job_id": self._job_id}
        return self._ending(EventType.ACTION_STILL_RUNNING, told, closing=EntryType.STILL_RUNNING)
