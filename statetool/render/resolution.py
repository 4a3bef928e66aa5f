"""A parked operation, shown: what there is to judge by, and what came of a person's word.

Owns the sections and their words, as text and as a document. Parameters hold no values of variables: the journal has
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from statetool.core.model import Json, Record
from statetool.core.resolution import Evidence, Resolution
from statetool.render import words
from statetool.render.json import FORMAT_VERSION
from statetool.render.layout import Cell, Page, cell

_NOTHING = "-"


def render_evidence(
    evidence: Evidence, *, width: int | None = None, color: bool = False, timezone: ZoneInfo | None = None
) -> str:
    """The operation, why it is parked, and its component before, when it was parked, and now."""
    page = Page(width=width, color=color)
    clock = words.InstantWriter(timezone)
    operation = evidence.operation
    intent = operation.intent
    page.line(cell(operation.id, "bold"))
    rows = [
        ["asked for", f"{words.action_text(intent.action)} of {operation.address}"],
        ["at", f"{clock.full(intent.at)}, request {intent.attempt} of this action, by run {intent.run_id}"],
        ["parked", f"{clock.full(operation.at)}: {operation.told.get('why') or _NOTHING}"],
    ]
    page.table([[cell(text) for text in row] for row in rows], keep=1)
    page.blank()
    page.line(cell("Its component:", "cyan"))
    page.table(_component_rows(evidence, clock), keep=4)
    if evidence.unreached is not None:
        page.blank()
        page.paragraph(f"It could not be looked at now: {evidence.unreached}", "yellow")
    return page.text()


def _component_rows(evidence: Evidence, clock: words.InstantWriter) -> list[list[Cell]]:
    before, found, now = evidence.operation.intent.baseline, _found(evidence), evidence.observed
    record = found.get("record")
    then = record if isinstance(record, dict) else {}
    rows = [
        ["", "before", "when parked", "now"],
        ["status", before.status, _text(found.get("status")), now.status if now else _NOTHING],
        ["last job", *map(_text, (before.last_job_id, found.get("last_job_id"))), _job_text(evidence)],
        [
            "changed",
            *(_instant(at, clock) for at in (before.updated_at, found.get("updated_at"))),
            _instant(now.updated_at if now else None, clock),
        ],
        [
            "newest record",
            _instant(before.newest_record, clock),
            _record_text(then, clock),
            _record_text(_record_to_json(evidence.newest_record), clock),
        ],
    ]
    if before.remaining_batches is not None:
        record_now = evidence.newest_record
        left = record_now.remaining_batches if record_now is not None else None
        rows.append(["batches left", _text(before.remaining_batches), _NOTHING, _text(left)])
    head, *body = [[cell(text) for text in row] for row in rows]
    return [[Cell(part.text, "dim") for part in head], *body]


def _found(evidence: Evidence) -> Mapping[str, Json]:
    found = evidence.operation.told.get("evidence")
    return found if isinstance(found, dict) else {}


def _text(value: Json) -> str:
    return _NOTHING if value is None else words.value_text("", value)


def _instant(value: Json, clock: words.InstantWriter) -> str:
    return _NOTHING if value is None else clock.full(str(value))


def _job_text(evidence: Evidence) -> str:
    job_id = evidence.observed.last_job_id if evidence.observed is not None else None
    if job_id is None:
        return _NOTHING
    return job_id if evidence.job is None else f"{job_id} ({evidence.job.status})"


def _record_text(record: Mapping[str, Json], clock: words.InstantWriter) -> str:
    if not record:
        return _NOTHING
    return f"{_text(record.get('type'))} of {_text(record.get('version'))}, {_instant(record.get('begun_at'), clock)}"


def render_choice(evidence: Evidence, *, width: int | None = None, color: bool = False) -> str:
    """The commands that end the operation, for whoever has looked at the evidence only."""
    page = Page(width=width, color=color)
    command = f"statetool state resolve {evidence.operation.id}"
    page.line(cell("To go on, once you know it:"))
    for choice in ("--did-run", "--did-not"):
        page.line(cell(f"  {command} {choice}"))
    return page.text()


def render_resolution(resolution: Resolution, *, width: int | None = None, color: bool = False) -> str:
    """What came of it, and how to go on."""
    page = Page(width=width, color=color)
    operation = resolution.evidence.operation
    verb = operation.intent.action.verb
    if not resolution.did_run:
        told = f"Recorded: this {verb} did not run. The next plan says whether it is still wanted."
    elif resolution.recorded:
        told = f"Recorded: this {verb} did run, and with it the wish for {', '.join(resolution.recorded)}."
    else:
        told = f"Recorded: this {verb} did run. The next plan compares what came of it."
    page.paragraph(told, "bold")
    page.line(cell("To go on: statetool plan"))
    return page.text()


def resolution_to_document(resolution: Resolution, tool_version: str) -> dict[str, Json]:
    """`statetool state resolve --json`; schema: resolution."""
    return {
        **evidence_to_document(resolution.evidence, tool_version),
        "did_run": resolution.did_run,
        "by": resolution.by,
        "reason": resolution.reason,
        "recorded": list(resolution.recorded),
    }


def evidence_to_document(evidence: Evidence, tool_version: str) -> dict[str, Json]:
    """The same before anything was said; the schema is the same, too."""
    operation = evidence.operation
    intent, baseline = operation.intent, operation.intent.baseline
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "operation": operation.id,
        "address": str(operation.address),
        "verb": str(intent.action.verb),
        "parameters": dict(intent.action.parameters),
        "run_id": intent.run_id,
        "intended_at": intent.at,
        "attempt": intent.attempt,
        "before": {
            "status": baseline.status,
            "replicas": baseline.replicas,
            "last_job_id": baseline.last_job_id,
            "updated_at": baseline.updated_at,
            "newest_record": baseline.newest_record,
            "values": dict(baseline.values),
        },
        "parked": {"at": operation.at, "why": operation.told.get("why"), "evidence": dict(_found(evidence)) or None},
        "now": _now_to_json(evidence),
        "unreached": evidence.unreached,
    }


def _now_to_json(evidence: Evidence) -> Json:
    observed = evidence.observed
    if observed is None:
        return None
    return {
        "status": observed.status,
        "replicas": observed.replicas,
        "last_job_id": observed.last_job_id,
        "updated_at": observed.updated_at,
        "job_status": evidence.job.status if evidence.job is not None else None,
        "record": _record_to_json(evidence.newest_record) or None,
    }


def _record_to_json(record: Record | None) -> dict[str, Json]:
    if record is None:
        return {}
    return {"version": record.version, "type": record.deploy_type, "begun_at": record.begun_at}
