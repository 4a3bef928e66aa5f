"""What is true, and what must never be: the invariants of safety.md, judged by the sandbox's own side of the story.

Owns the memory of everything that was sent, arrived, became durable and was told. Nothing here asks the tool what it
believes, but where its belief is the thing that is judged.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torture_effects import LOSSES
from torture_wire import Call, Ground

from statetool.backends import JournalEntry
from statetool.backends.lease import Lease
from statetool.core.events import Event, EventType
from statetool.core.journal import CLOSING, Journal, compact, fold_journal, with_outcomes
from statetool.core.plan import EDGE_VERBS
from statetool.core.state import StateFile
from statetool.sandbox.model import Component

if TYPE_CHECKING:
    from torture_world import Process, World

_BUSY = {"UPGRADING", "RESTARTING", "STARTING", "STOPPING", "SCALING", "ROLLING_BACK", "DEPLOYING", "INITIALIZING"}
_EDGES = {str(verb) for verb in EDGE_VERBS}
_FAILED = {"FAILED", "CANCELLED", "UNKNOWN", "PARTIALLY_FAILED", "ROLLBACKED"}
_CLOSING = {str(type_) for type_ in CLOSING}
EXCUSE_S = 1.0
"""Between a look and its request nobody can keep others from changing something: so long is no fault of ours."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant: which, and what happened."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


@dataclass
class Known:
    """One operation of the journal, as it was written down."""

    intent: Mapping[str, Any]
    process: Any
    is_open: bool = True
    was_told_accepted: bool = False
    sent: list[Call] = field(default_factory=list)

    @property
    def action(self) -> Mapping[str, Any]:
        action: Mapping[str, Any] = self.intent["data"]["action"]
        return action

    @property
    def component_id(self) -> str:
        return str(self.intent["data"]["component"]["id"])

    @property
    def accepted(self) -> list[Call]:
        return [call for call in self.sent if call.job_id is not None]


class Truth:
    """Told of everything by world, wire and stores; `violations` is what was broken so far."""

    def __init__(self, world: World, ground: Ground) -> None:
        self.violations: list[Violation] = []
        self.calls: list[Call] = []
        self.operations: dict[str, Known] = {}
        self.counts: Counter[str] = Counter()
        self.changed: dict[str, tuple[float, int]] = {}
        """When each component last changed, and as the how manieth event: two may be at one instant."""
        self.edited: dict[str, float] = {}
        """When a person last changed each component."""
        self.foreign_verbs: Counter[tuple[str, str]] = Counter()
        self.serials: list[tuple[int, str, int]] = []
        self._world, self._ground = world, ground
        self._durable: set[str] = set()
        self._number = 0

    def broken(self, invariant: str, what: str) -> None:
        self.violations.append(Violation(invariant, what))

    def note_change(self, component_id: str) -> None:
        self.changed[component_id] = (self._world.clock.now, self.next_number())

    def next_number(self) -> int:
        self._number += 1
        return self._number

    # The wire

    def sending(self, process: Process, call: Call) -> None:
        """A request leaves a process, whatever becomes of it."""
        self.calls.append(call)
        self.counts["requests"] += 1
        self.counts["lost"] += call.fault.kind in LOSSES
        known = self._operation_of(call)
        if known is None:
            self.broken("I1", f"{call.verb} was sent without a durable open intent")
            return
        call.operation = known.intent["operation"]
        if self._world.place.is_valid(known.intent["fence"]) is False:
            self.broken("I1", f"{call.operation} was sent without a lease that is valid")
        if process.interrupted_at < call.sent_at - 0.5 and not known.sent:
            self.broken("I13", f"{call.operation} was begun after a signal")
        if not known.sent:
            self._judge_moment(process, call, known)
        known.sent.append(call)

    def _operation_of(self, call: Call) -> Known | None:
        # What is durable is asked of the place itself, not of who wrote there.
        durable = self._world.place.read()[1]
        open_ = dict.fromkeys(e["operation"] for e in durable if e["type"] == "intent")
        for entry in durable:
            if entry["type"] in _CLOSING:
                open_.pop(entry.get("operation"), None)
        for operation in reversed(list(open_)):
            known = self.operations.get(str(operation))
            fits = known is not None and known.is_open and known.process is call.process
            if known is not None and fits and known.component_id == call.component_id:
                return known if known.action["verb"] == call.verb else None
        return None

    def _judge_moment(self, process: Process, call: Call, known: Known) -> None:
        """I5: idle, and as the plan saw it, by a look right before."""
        component_id = known.component_id
        # A deployment reads once more, for what it sends along.
        looks = process.looks.get(component_id, [])[: -1 if call.verb == "upgrade" else None]
        if not looks:
            self.broken("I5", f"{call.operation} was sent without a look at its component")
            return
        looked_at = looks[-1]
        allowed_s = EXCUSE_S + process.delayed_s - process.delayed_at_look[component_id]
        changed_at, number = self.changed.get(component_id, (-1.0, -1))
        if number > looked_at and changed_at >= call.sent_at - allowed_s:
            return
        component = self._ground.component(component_id)
        if component.operation is not None and component.operation.effect not in ("modify", "sync"):
            self.broken("I5", f"{call.operation} was sent while job {component.operation.job_id} ran")
        elif component.status in _BUSY:
            self.broken("I5", f"{call.operation} was sent to a component that is {component.status}")
        own = {c.job_id for c in self.calls if c.process is process and c.job_id is not None}
        for path, expected in known.action["precondition"].items():
            seen = _seen(component, path)
            if seen is not _UNTOLD and seen != expected and not (path == "last_job_id" and seen in own):
                self.broken("I5", f"{call.operation} was sent although {path} is {seen}, and not {expected}")

    def arrived(self, call: Call) -> None:
        """A changing request was executed, or refused."""
        if call.job_id is None:
            return
        component_id = call.component_id or ""
        self.note_change(component_id)
        self.counts["accepted"] += 1
        if call.operation is None:
            return
        known = self.operations[call.operation]
        if not known.is_open:
            self.broken("I4", f"{call.operation} was carried out after it was said not to be")
        if len(known.accepted) > 1:
            times = ", ".join(f"{c.arrived_at:.1f}" for c in known.accepted)
            self.broken("I2", f"{call.operation} was accepted {len(known.accepted)} times, at {times} s")

    # What becomes durable

    def appended(self, process: Process, entries: Sequence[JournalEntry]) -> None:
        for entry in entries:
            text = json.dumps(entry, sort_keys=True)
            if text in self._durable:
                continue
            self._durable.add(text)
            self._became_durable(process, entry)

    def _absorb(self, process: Process, entries: Sequence[JournalEntry]) -> None:
        """What became durable in the very call in which the process died."""
        for entry in entries:
            if entry["type"] in _CLOSING or (entry["type"] == "intent" and entry["operation"] not in self.operations):
                self.appended(process, [entry])

    def _became_durable(self, process: Process, entry: JournalEntry) -> None:
        operation = entry.get("operation")
        if entry["type"] == "intent":
            if operation in self.operations:
                self.broken("I2", f"the name {operation} was used twice")
            data = entry["data"]
            assert isinstance(data, dict)
            writer = self._world.processes[int(str(data["run_id"]).removeprefix("run-")) - 1]
            self.operations[str(operation)] = Known(entry, writer)
            return
        known = self.operations.get(str(operation))
        if known is None or not known.is_open:
            return
        type_, data = str(entry["type"]), entry["data"]
        assert isinstance(data, dict)
        self.counts["parked"] += type_ == "parked"
        self.counts["adopted"] += type_ == "accepted" and data.get("how") == "adopted"
        if type_ in _CLOSING:
            known.is_open = False
        # A job that failed left nothing by which it could be told from somebody else's.
        # Nor did one after which somebody else changed the same.
        is_alone = known.component_id not in self.edited
        was_done = bool(known.accepted) and is_alone and self._job_of(known) == "SUCCEEDED"
        if type_ in ("not_accepted", "refused") and was_done:
            self.broken("I4", f"{operation} is said not to have been carried out, and was")
        if type_ == "failed" and known.accepted and (status := self._job_of(known)) not in _FAILED:
            self.broken("I4", f"{operation} is said to have failed, and its job is {status}")
        if type_ == "parked" and known.was_told_accepted:
            self.broken("I1", f"{operation} is parked, although its answer came")
        if data.get("how") == "adopted":
            self._judge_adopted(known, data.get("job_id"))
        if type_ == "done":
            self._judge_done(known)

    def _judge_adopted(self, known: Known, job_id: Any) -> None:
        """I4: a job is ours, or what is wanted is there all the same."""
        if job_id in {call.job_id for call in known.accepted} or known.action["verb"] in _EDGES:
            return
        component = self._ground.component(known.component_id)
        for path, wanted in known.action["goal"].items():
            if (seen := _seen(component, path)) is not _UNTOLD and seen != wanted and path != "last_job_id":
                self.broken("I4", f"{known.intent['operation']} takes job {job_id} for its own, with {path} {seen}")

    def _job_of(self, known: Known) -> str:
        job_id = known.accepted[-1].job_id
        assert job_id is not None
        return self._ground.job_status(job_id)

    def _judge_done(self, known: Known) -> None:
        """I4: the job succeeded, and what was wanted is there, ready."""
        operation, action = known.intent["operation"], known.action
        goal = action["goal"]
        is_batch = action["verb"] == "continue_deploy" and action.get("max_requests", 1) > 1
        starts_gray = action["verb"] == "upgrade" and goal.get("status") == "graying"
        if known.accepted and not starts_gray and (status := self._job_of(known)) != "SUCCEEDED":
            self.broken("I4", f"{operation} is done, and its job is {status}")
        if not known.accepted and action["verb"] in _EDGES:
            taken = (known.component_id, action["verb"])
            if not self.foreign_verbs[taken]:
                self.broken("I4", f"{operation} is done, and was never carried out")
            self.foreign_verbs[taken] -= 1
        now = self._world.clock.now
        if is_batch or self.edited.get(known.component_id, -1e9) > now - 60.0:
            return
        component = self._ground.component(known.component_id)
        for path, wanted in goal.items():
            seen = _seen(component, path)
            if seen is not _UNTOLD and seen != wanted and path != "last_job_id":
                self.broken("I4", f"{operation} is done, and {path} is {seen}, not {wanted}")
        if action["verb"] in ("upgrade", "rollback", "start", "restart") and component.available < component.actual:
            self.broken("I4", f"{operation} is done, with {component.available} of {component.actual} ready")

    def stored(self, process: Process, before: StateFile | None, state: StateFile, lease: Lease) -> None:
        """I7: a state was written. The same one again is no write."""
        last = self.serials[-1] if self.serials else None
        this = (state.serial, state.lineage, state.fence)
        if last is None or this == last:
            self.serials = self.serials or [this]
            return
        if state.serial <= last[0]:
            self.broken("I7", f"serial {state.serial} was stored after {last[0]}")
        if state.lineage != last[1]:
            self.broken("I7", "the lineage changed")
        if state.fence < last[2]:
            self.broken("I7", f"a write with fence {state.fence} came after one with {last[2]}")
        if self._world.place.is_valid(lease.fence) is False:
            self.broken("I7", f"a write with fence {lease.fence}, which is held no more")
        self.serials.append(this)

    # What is told

    def told(self, process: Process, event: Event) -> None:
        process.events.append(event)
        mine = [k for k in self.operations.values() if k.process is process and k.action["id"] == event.action_id]
        if event.type is EventType.ACTION_ACCEPTED and mine and not process.met_trouble:
            mine[-1].was_told_accepted = True
        if event.type is EventType.ACTION_COMPLETE:
            if (not mine or mine[-1].is_open) and not process.met_trouble:
                self.broken("I9", f"{event.action_id} was told to be done before that was durable")
            self.counts["done"] += 1

    # After a process

    def judge_store(self, process: Process) -> None:
        """I8 and I9: what is stored can be read, is whole, and adds up to the same however often it is folded."""
        try:
            state, entries = self._world.place.read()
            journal = fold_journal(entries)
        except Exception as error:
            self.broken("I9", f"after {process.name} nothing can be read: {type(error).__name__}: {error}")
            return
        self._absorb(process, entries)
        if self.serials and state is None:
            self.broken("I9", "the state is gone")
        if state is None:
            return
        if self.serials and state.serial < self.serials[-1][0]:
            self.broken("I9", f"serial {self.serials[-1][0]} was stored, {state.serial} is there")
        once = with_outcomes(state, journal)
        if with_outcomes(once, journal) != once:
            self.broken("I8", "folding the journal twice gives another state")
        twice = fold_journal([*entries, *entries])
        if dict(twice.records) != dict(journal.records):
            self.broken("I8", "entries that are there twice give other records")
        again = fold_journal(compact(journal))
        if _essence(again) != _essence(journal):
            self.broken("I8", "a shortened journal says something else")
        for operation, known in self.operations.items():
            if known.is_open and known.sent and operation not in journal.operations:
                self.broken("I1", f"{operation} was sent and is in no journal any more")
                known.is_open = False

    def judge_rate(self, process: Process, per_minute: float) -> None:
        """I11: changing requests of one process, in any window."""
        if process.delayed_s:
            return  # who stands still between a turn and its request sends it beside the next one
        times = sorted(call.sent_at for call in self.calls if call.process is process)
        per_s = per_minute / 60
        burst = max(1.0, per_s)
        for first in range(len(times)):
            for last in range(first + 1, len(times)):
                # One more may have had its turn before, and have read for longer than usual.
                if last - first > burst + per_s * (times[last] - times[first]) + 0.01:
                    self.broken("I11", f"{last - first + 1} requests within {times[last] - times[first]:.2f} s")
                    return

    def judge_edges(self, allowed: Mapping[tuple[str, str], int]) -> None:
        """I3: no edge ran more often than it was wished."""
        ran = Counter((call.component_id or "", call.verb) for call in self.calls if call.job_id is not None)
        for (component_id, verb), times in ran.items():
            if verb in _EDGES and times > allowed.get((component_id, verb), 0):
                self.broken("I3", f"{verb} ran {times} times")

    def judge_secrets(self, corpus: Sequence[str], texts: Sequence[bytes]) -> None:
        """I12: nothing of the corpus in what was kept or told, in any spelling."""
        from torture_secrets import find_secrets

        for secret in find_secrets(corpus, texts):
            self.broken("I12", f"the secret {secret!r} stands somewhere")


def _essence(journal: Journal) -> list[tuple[Any, ...]]:
    return [(o.intent, o.type, o.at, o.job_id, o.told.get("why")) for o in journal.operations.values()]


class _Untold:
    """What can't be told of a component here."""


_UNTOLD = _Untold()
_STATUS = {"ready": {"RUNNING", "PENDING"}, "graying": {"GRAYING"}, "stopped": {"STOPPED"}}


def _seen(component: Component, path: str) -> Any:
    """The true value at a path of the tool's, None where there is none."""
    candidate = component.candidate
    if path == "replicas":
        return component.replica if component.replica == component.actual else _UNTOLD
    if path == "version":
        return component.current
    if path == "last_job_id":
        return component.last_job_id
    if path == "status":
        return next((word for word, texts in _STATUS.items() if component.status in texts), component.status.lower())
    if path == "gray.version":
        return candidate.version if candidate else None
    if path == "gray.weight":
        return candidate.gray.weight if candidate and candidate.gray else None
    return _UNTOLD
