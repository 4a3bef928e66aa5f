"""What a run is given from outside: limits, clock, randomness, the platform, and who listens to its events.

Owns these types and the one place where events are built. It must not read a clock or draw a random number
itself, so that a whole run works on a virtual clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from statetool.core.events import Event, EventType
from statetool.core.journal import PendingUpdate
from statetool.core.model import Address, AppliedFrom, Closer, Job, Json, Observed, Recorded
from statetool.core.plan import Risk, Verb
from statetool.errors import StateError

if TYPE_CHECKING:
    from statetool.apply.journalling import JournalWriter

T = TypeVar("T")

SHORTEST_SEND_WINDOW_S = 2.0
"""Also where no request arrives late, one has to be sent at all."""

_SCALE = "scale"
_SCALING = frozenset({Risk.SCALE_UP, Risk.SCALE_DOWN})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, how long, how often.

    `parallelism` counts actions that are being prepared or sent, `jobs_in_flight` all that have begun and not
    ended: waiting for a job holds no slot of the first. `max_failures` failed actions end the starting of new
    ones, None never. `parallelism_of` gives risks slots of their own, by name; `scale` is for scale_up and scale_down,
    as far as they are not named themselves. `job_timeout_of` gives verbs a time limit of their own.

    `retries` is how often an action whose job failed is sent again. `quiet_period_s` is how long after it was sent a
    request whose answer is lost may still arrive at the platform.
    """

    parallelism: int = 10
    jobs_in_flight: int = 50
    max_failures: int | None = 5
    job_timeout_s: float = 1200
    poll_interval_s: float = 5
    parallelism_of: Mapping[str, int] = field(default_factory=dict)
    job_timeout_of: Mapping[str, float] = field(default_factory=dict)
    retries: int = 0
    quiet_period_s: float = 90

    def job_timeout_for(self, verb: Verb) -> float:
        """How many seconds a job of this verb, or a busy component before it, is waited for."""
        return self.job_timeout_of.get(str(verb), self.job_timeout_s)

    @property
    def send_window_s(self) -> float:
        """A try of a request begins at most so long after its intent: what comes later can't arrive in time."""
        return max(self.quiet_period_s / 3, SHORTEST_SEND_WINDOW_S)


class Offload(Protocol):
    """Runs what blocks (a call of a backend) so that the loop goes on meanwhile."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


async def run_here(work: Callable[[], T]) -> T:
    """An offload that blocks the loop: for backends that answer at once."""
    return work()


@dataclass(frozen=True, slots=True)
class Run:
    """Identity and surroundings of one run.

    `now` gives UTC RFC 3339, `monotonic` and `sleep` speak seconds of one clock, `jitter` gives 0 <= x < 1.
    `user` is who is written down beside a version that this run rolled back or aborted.
    """

    run_id: str
    now: Callable[[], str]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    user: str
    applied_from: AppliedFrom = AppliedFrom()
    offload: Offload = run_here


class Platform(Protocol):
    """What apply asks of the platform: the part of `servicestage.client.ServiceStage` it uses.

    All raise PlatformError. In a `turn` the leave to send was waited for: what is looked at inside is fresh when the
    request goes out. `send_action` returns the job's id, or None where the platform names no job; cancelled
    before its request is out it sends nothing, and afterwards it still returns the answer. It calls `ensure_may_send`
    right before every try; what that raises it raises, and no try was carried out.
    """

    async def fetch_component(self, observed: Observed) -> Observed: ...

    async def fetch_closer(self, application_id: str, component_id: str) -> Closer: ...

    async def fetch_job(self, job_id: str) -> Job: ...

    def turn(self) -> AbstractAsyncContextManager[None]: ...

    async def send_action(
        self,
        application_id: str,
        component_id: str,
        verb: Verb,
        parameters: Mapping[str, Json],
        *,
        ensure_may_send: Callable[[], None],
    ) -> str | None: ...


class Emitter:
    """Builds the events of one run, numbers them, and hands them on in that order."""

    def __init__(self, run: Run, listen: Callable[[Event], None]) -> None:
        self._run = run
        self._listen = listen
        self._seq = 0

    def emit(
        self,
        type_: EventType,
        action_id: str | None = None,
        *,
        elapsed_s: float | None = None,
        data: Mapping[str, Json] | None = None,
    ) -> None:
        """One fact. `elapsed_s` counts from the start of its action."""
        self._seq += 1
        elapsed = None if elapsed_s is None else round(elapsed_s, 3)
        self._listen(Event(self._run.run_id, self._seq, self._run.now(), type_, action_id, elapsed, dict(data or {})))


class Keeping(Protocol):
    """What operations ask of the keeper of the state."""

    @property
    def log(self) -> JournalWriter: ...

    def recorded(self, address: Address) -> Recorded | None: ...

    def pending_updates(self, action_id: str) -> tuple[PendingUpdate, ...]: ...


class SharedRun:
    """What the operations of one run share.

    `recorded` gives the record of a component as it is by now, `log` keeps the journal, and `pending_updates` gives the
    wishes that wait for an action. `halted` says why nothing new may be sent, None while it may. `on_trouble` is told
    of a journal that can't be written. After `is_interrupted` a cancelled operation ends with what it knows instead of
    raising.
    """

    def __init__(
        self,
        platform: Platform,
        limits: Limits,
        run: Run,
        emitter: Emitter,
        keeper: Keeping,
        on_trouble: Callable[[StateError], None],
    ) -> None:
        self.platform = platform
        self.limits = limits
        self.run = run
        self.emitter = emitter
        self.recorded = keeper.recorded
        self.pending_updates = keeper.pending_updates
        self.log = keeper.log
        self.on_trouble = on_trouble
        self.halted: str | None = None
        self.is_interrupted = False
        self.own_jobs: dict[Address, set[str]] = {}
        self.ended_jobs: set[str] = set()
        self._slots = asyncio.Semaphore(limits.parallelism)
        self._slots_of = {name: asyncio.Semaphore(count) for name, count in limits.parallelism_of.items()}

    def slot(self, risk: Risk) -> asyncio.Semaphore:
        """What an action of that risk holds while it is prepared and sent."""
        family = _SCALE if risk in _SCALING else str(risk)
        return self._slots_of.get(str(risk)) or self._slots_of.get(family) or self._slots
