"""The journal: what was about to be sent, what was accepted, how it ended. Written ahead of every request.

Owns its entries, their spelling as documents, and the fold that turns entries into what is still open and what the
state does not have yet. Folding the same entries twice gives the same. It must not read or write anything (that is
`backends/`), nor find out what became of an operation (that is `apply/`).

An operation is one request of one action. Its entries, in this order, each durable before what it speaks of:

    intent ─> accepted ─> done | failed | diverged
       │          └─> still_running ─> (followed again by a later run)
       ├─> refused                         surely not carried out
       └─> unknown ─> accepted | not_accepted | parked ─> resolved
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from statetool.core.action_document import (
    action_from_fields,
    action_to_shown_json,
    update_from_fields,
    update_to_json,
)
from statetool.core.document import DocumentError, Fields
from statetool.core.model import Address, Json, Observed, Recorded
from statetool.core.plan import Action, WishUpdate
from statetool.core.state import StateFile, put_records
from statetool.core.state_document import recorded_from_fields, recorded_to_json
from statetool.errors import StateUnreadable


class EntryType(StrEnum):
    """Every kind of entry. The data of each are given behind it."""

    RUN = "run"  # run_id, operation, actions, ended, lineage (left out where no state was stored yet)
    RECORDED = "recorded"  # records: something ended without a request
    INTENT = "intent"  # run_id, action, component, baseline, updates, attempt
    ACCEPTED = "accepted"  # job_id (may be null), how: answer or adopted
    UNKNOWN = "unknown"  # code, message
    STILL_RUNNING = "still_running"  # job_id
    PARKED = "parked"  # why, evidence
    # What closes an operation. `records` hold the components as the state is to have them afterwards.
    REFUSED = "refused"  # code, message
    NOT_ACCEPTED = "not_accepted"  # why, evidence
    DONE = "done"  # records
    FAILED = "failed"  # code, message, records
    DIVERGED = "diverged"  # code, message, records
    RESOLVED = "resolved"  # did_run, by, reason, records


CLOSING = frozenset(
    {
        EntryType.REFUSED,
        EntryType.NOT_ACCEPTED,
        EntryType.DONE,
        EntryType.FAILED,
        EntryType.DIVERGED,
        EntryType.RESOLVED,
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `operation` is None for RUN and RECORDED; `at` is UTC RFC 3339, `fence` that of the writer's lease."""

    type: EntryType
    at: str
    fence: int
    operation: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The component as it was looked at right before the request: what tells afterwards whether anything happened.

    `values` are by path (`core.picture.observed_values`); `newest_record` is the begin time of the newest deployment
    record, where records were read; `remaining_batches` what a gray release had left then.
    """

    status: str
    replicas: int
    last_job_id: str | None
    updated_at: str | None
    values: Mapping[str, Json]
    newest_record: str | None = None
    remaining_batches: int | None = None


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """A wish to record once this operation's action is done, and the `missing` other actions that it waits for."""

    address: Address
    update: WishUpdate
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """What was about to be sent. `id` is unique for the life of a state: action, attempt and fence.

    `known` names the component; none of its values counts. `action` has no values of variables: nothing is ever sent
    from a journal. `attempt` counts the requests of this action in its run, from 1.
    """

    id: str
    run_id: str
    fence: int
    at: str
    action: Action
    known: Observed
    baseline: Baseline
    updates: tuple[PendingUpdate, ...] = ()
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class OpenOperation:
    """An operation whose end is not known. `type` is its last entry's, `told` what that said."""

    intent: Intent
    type: EntryType
    at: str
    job_id: str | None = None
    told: Mapping[str, Json] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.intent.id

    @property
    def address(self) -> Address:
        return self.intent.action.address

    @property
    def is_parked(self) -> bool:
        """Only a person can tell whether it ran."""
        return self.type is EntryType.PARKED

    @property
    def is_accepted(self) -> bool:
        """The platform surely took it, whether or not it named a job."""
        return self.type in (EntryType.ACCEPTED, EntryType.STILL_RUNNING)


@dataclass(frozen=True, slots=True)
class RunNote:
    """The run that wrote last: `actions` of its plan, and how many of them have `ended`.

    `lineage` is that of the state which its entries belong to, None where it did not say.
    """

    run_id: str
    operation: str
    fence: int
    at: str
    actions: int
    ended: int = 0
    lineage: str | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """What the entries add up to.

    `operations` are the open ones in the order of their intents. `records` are components that the state may not have
    yet, the last word on each; `closed` counts the operations that ended.
    """

    run: RunNote | None = None
    operations: Mapping[str, OpenOperation] = field(default_factory=dict)
    records: Mapping[Address, Recorded] = field(default_factory=dict)
    closed: int = 0

    @property
    def is_folded(self) -> bool:
        """Whether the state has everything that ended."""
        return not self.records and not self.closed

    @property
    def lineage(self) -> str | None:
        """Of the state that this journal belongs to; None where nothing says it."""
        return self.run.lineage if self.run is not None else None


def fold_journal(entries: Iterable[Mapping[str, Json]]) -> Journal:
    """What documents of entries, oldest first, add up to. Raises StateUnreadable naming one that makes no sense."""
    run: RunNote | None = None
    open_: dict[str, OpenOperation] = {}
    records: dict[Address, Recorded] = {}
    closed = 0
    for number, document in enumerate(entries, 1):
        try:
            entry = entry_from_json(document)
            if entry.type is EntryType.RUN:
                run = _read_run(entry)
            elif entry.type is EntryType.RECORDED:
                closed += 1
            elif entry.type is EntryType.INTENT:
                intent = _read_intent(entry)
                open_[intent.id] = OpenOperation(intent, EntryType.INTENT, entry.at)
            elif entry.operation in open_:
                # What speaks of an operation that is closed already was folded before: an entry that is there twice.
                operation = open_[entry.operation]
                if entry.type in CLOSING:
                    del open_[entry.operation]
                    closed += 1
                    if run is not None and entry.type is not EntryType.REFUSED:
                        run = replace(run, ended=run.ended + 1)
                else:
                    job_id = entry.data.get("job_id")
                    known = job_id if isinstance(job_id, str) else operation.job_id
                    open_[entry.operation] = replace(
                        operation, type=entry.type, at=entry.at, job_id=known, told=entry.data
                    )
            records.update(_read_records(entry))
        except DocumentError as error:
            raise StateUnreadable(f"entry {number} of the journal: {error.message}", hint=error.hint) from None
    return Journal(run, open_, records, closed)


def with_outcomes(state: StateFile, journal: Journal) -> StateFile:
    """The state with everything that ended. The same object where it has all of it."""
    return put_records(state, journal.records)


def compact(journal: Journal, *, has_ended: bool = False) -> tuple[dict[str, Json], ...]:
    """The shortest entries that add up to what is still open, once the state has the rest.

    A run that `has_ended` is named only where it left something open.
    """
    entries: list[Entry] = []
    if journal.run is not None and (journal.operations or not has_ended):
        entries.append(run_entry(journal.run))
    for operation in journal.operations.values():
        entries.append(intent_entry(operation.intent))
        if operation.type is not EntryType.INTENT:
            told = {**operation.told, "job_id": operation.job_id}
            entries.append(Entry(operation.type, operation.at, operation.intent.fence, operation.id, told))
    return tuple(entry_to_json(entry) for entry in entries)


def run_entry(run: RunNote) -> Entry:
    data: dict[str, Json] = {
        "run_id": run.run_id,
        "operation": run.operation,
        "actions": run.actions,
        "ended": run.ended,
        **({"lineage": run.lineage} if run.lineage is not None else {}),
    }
    return Entry(EntryType.RUN, run.at, run.fence, None, data)


def intent_entry(intent: Intent) -> Entry:
    baseline = intent.baseline
    data: dict[str, Json] = {
        "run_id": intent.run_id,
        "attempt": intent.attempt,
        "action": action_to_shown_json(intent.action),
        "component": {
            "id": intent.known.component_id,
            "application_id": intent.known.application_id,
            "environment_id": intent.known.environment_id,
        },
        "baseline": {
            "status": baseline.status,
            "replicas": baseline.replicas,
            "last_job_id": baseline.last_job_id,
            "updated_at": baseline.updated_at,
            "values": dict(baseline.values),
            "newest_record": baseline.newest_record,
            "remaining_batches": baseline.remaining_batches,
        },
        "updates": [
            {"address": str(one.address), "update": update_to_json(one.update), "missing": list[Json](one.missing)}
            for one in intent.updates
        ],
    }
    return Entry(EntryType.INTENT, intent.at, intent.fence, intent.id, data)


def closing_entry(
    type_: EntryType,
    operation: str | None,
    at: str,
    fence: int,
    *,
    records: Sequence[Recorded] = (),
    data: Mapping[str, Json] | None = None,
) -> Entry:
    """The last word on an operation, with the components as the state is to have them from now on."""
    written: dict[str, Json] = {str(one.address): recorded_to_json(one) for one in records}
    return Entry(type_, at, fence, operation, {**(data or {}), **({"records": written} if written else {})})


def entry_to_json(entry: Entry) -> dict[str, Json]:
    named: dict[str, Json] = {"operation": entry.operation} if entry.operation is not None else {}
    return {"type": str(entry.type), "at": entry.at, "fence": entry.fence, **named, "data": dict(entry.data)}


def entry_from_json(document: Mapping[str, Json]) -> Entry:
    """Raises DocumentError."""
    fields = Fields(dict(document))
    return Entry(
        type=fields.choice("type", EntryType),
        at=fields.instant("at"),
        fence=fields.integer("fence", minimum=0),
        operation=fields.optional_text("operation"),
        data=fields.mapping("data"),
    )


def _read_run(entry: Entry) -> RunNote:
    fields = Fields(dict(entry.data), ("data",))
    return RunNote(
        run_id=fields.text("run_id"),
        operation=fields.text("operation"),
        fence=entry.fence,
        at=entry.at,
        actions=fields.integer("actions", minimum=0),
        ended=fields.integer("ended", minimum=0),
        lineage=fields.optional_text("lineage"),
    )


def _read_intent(entry: Entry) -> Intent:
    fields = Fields(dict(entry.data), ("data",))
    action = action_from_fields(fields.child("action"))
    component, baseline = fields.child("component"), fields.child("baseline")
    if entry.operation is None:
        raise DocumentError("an intent names no operation")
    return Intent(
        id=entry.operation,
        run_id=fields.text("run_id"),
        fence=entry.fence,
        at=entry.at,
        action=action,
        known=known_component(
            action.address,
            component.text("id"),
            component.text("application_id"),
            component.optional_text("environment_id"),
        ),
        baseline=Baseline(
            status=baseline.text("status"),
            replicas=baseline.integer("replicas", minimum=0),
            last_job_id=baseline.optional_text("last_job_id"),
            updated_at=baseline.optional_text("updated_at"),
            values=baseline.mapping("values"),
            newest_record=baseline.optional_text("newest_record"),
            remaining_batches=baseline.optional_integer("remaining_batches"),
        ),
        updates=tuple(
            PendingUpdate(one.address("address"), update_from_fields(one.child("update")), one.texts("missing"))
            for one in fields.children("updates")
        ),
        attempt=fields.integer("attempt", minimum=1),
    )


def known_component(address: Address, component_id: str, application_id: str, environment_id: str | None) -> Observed:
    """Which component is meant, before anything of it was looked at."""
    return Observed(
        address=address,
        component_id=component_id,
        application_id=application_id,
        environment_id=environment_id,
        row_version="",
        status="UNKNOWN",
        replicas=0,
        available_replicas=0,
        last_job_id=None,
        updated_at=None,
    )


def _read_records(entry: Entry) -> dict[Address, Recorded]:
    if "records" not in entry.data:
        return {}
    found: dict[Address, Recorded] = {}
    for key, member in Fields(dict(entry.data), ("data",)).members("records"):
        recorded = recorded_from_fields(key, member)
        found[recorded.address] = recorded
    return found
