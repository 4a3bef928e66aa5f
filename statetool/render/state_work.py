"""What work on the state itself says: earlier serials, what a push would change, who holds the lock and how far it is.

Owns these words and documents. It must not look anything up: whatever is told is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from statetool.core.comparison import StateDifference
from statetool.core.holder import LockInfo
from statetool.core.interrupted import describe_operation
from statetool.core.journal import Journal, OpenOperation
from statetool.core.model import Json
from statetool.render import words
from statetool.render.json import FORMAT_VERSION
from statetool.render.layout import Page, cell

_NOT_KNOWN = "whether it is locked can't be seen without taking the lock: this backend does not show it"


def render_history(serials: Sequence[tuple[int, str | None]], *, timezone: ZoneInfo | None = None) -> str:
    """Serials with when they were stored, the newest first; the first is the stored one.

    `timezone` None shows instants in UTC.
    """
    page, clock = Page(), words.InstantWriter(timezone)
    rows = [
        [cell(str(serial)), cell(clock.full(at) if at else "-"), cell("stored now" if n == 0 else "")]
        for n, (serial, at) in enumerate(serials)
    ]
    page.table(rows, keep=3, indent=0)
    return page.text()


def history_to_document(location: str, serials: Sequence[tuple[int, str | None]], tool_version: str) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "location": location,
        "serials": [{"serial": serial, "at": at} for serial, at in serials],
    }


def render_difference(difference: StateDifference) -> str:
    """How many components come, change and go, and the first of them by name."""
    before, after = difference.serials
    page = Page()
    came, changed, went = difference.added, difference.changed, difference.removed
    counts = f"{len(came)} added, {len(changed)} changed, {len(went)} removed"
    page.line(cell(f"Serial {before} would be replaced by serial {after}: {counts}."))
    kinds = (("added", came), ("changed", changed), ("removed", went))
    rows = [[cell(kind), cell(words.names_text(part))] for kind, part in kinds if part]
    page.table(rows, keep=1)
    return page.text()


def render_holder(holder: LockInfo, *, timezone: ZoneInfo | None = None) -> str:
    """Everything that is known of a lock's holder, one value a line."""
    page, clock = Page(), words.InstantWriter(timezone)
    rows = [
        ("lock", holder.id),
        ("operation", holder.operation),
        ("who", holder.who),
        ("host", f"{holder.host}, pid {holder.pid}"),
        ("since", clock.full(holder.created)),
        ("last sign of life", f"{holder.renewed_ago_s:.0f} s ago" if holder.renewed_ago_s is not None else ""),
        ("run", holder.run_id or ""),
        ("job", holder.ci_url or ""),
        ("progress", progress_text(holder)),
        ("statetool", holder.tool_version),
    ]
    page.table([[cell(name), cell(value)] for name, value in rows if value], keep=1)
    return page.text()


def progress_text(holder: LockInfo) -> str:
    """`12 of 40 actions ended`; nothing where that is not known."""
    run = holder.progress
    return f"{run.ended} of {run.actions} actions ended" if run is not None and run.actions else ""


def render_lock(
    location: str,
    holder: LockInfo | None,
    journal: Journal | None,
    *,
    is_known: bool,
    timezone: ZoneInfo | None = None,
) -> str:
    """Who holds the lock of the state, and what is open; `is_known` false: the backend shows no holder."""
    page = Page()
    if holder is not None:
        page.line(cell(f"{location} is locked:"))
        text = render_holder(holder, timezone=timezone)
    else:
        page.line(cell(f"{location} is not locked." if is_known else f"{location}: {_NOT_KNOWN}."))
        text = ""
    operations = tuple(journal.operations.values()) if journal is not None else ()
    told = [page.text(), text]
    if operations:
        told.append(_operations_text(operations, is_held=holder is not None))
    return "\n".join(part for part in told if part)


def _operations_text(operations: Sequence[OpenOperation], *, is_held: bool) -> str:
    page = Page()
    count = words.plural(len(operations), "operation")
    if is_held:
        head = f"{count} open:"
    elif all(operation.is_parked for operation in operations):
        head = f"{count} left open:"  # --resume would only say the same
    else:
        head = f"{count} left open, for `statetool apply --resume` to take up:"
    page.line(cell(head))
    for operation in operations:
        page.line(cell(f"  {operation.id}: {describe_operation(operation)}"))
        if operation.is_parked:
            page.line(cell(f"    find out, then: statetool state resolve {operation.id} --did-run, or --did-not"))
    return page.text()


def lock_to_document(
    location: str, holder: LockInfo | None, journal: Journal | None, tool_version: str, *, is_known: bool
) -> dict[str, Json]:
    """`locked` null: the backend shows no holder. `run` is the one that wrote the journal last."""
    run = journal.run if journal is not None else None
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "location": location,
        "locked": True if holder is not None else (False if is_known else None),
        "holder": _holder_to_json(holder) if holder is not None else None,
        "run": {
            "run_id": run.run_id,
            "operation": run.operation,
            "at": run.at,
            "actions": run.actions,
            "ended": run.ended,
        }
        if run is not None
        else None,
        "operations": [_operation_to_json(one) for one in journal.operations.values()] if journal is not None else [],
    }


def _holder_to_json(holder: LockInfo) -> dict[str, Json]:
    return {
        "id": holder.id,
        "operation": holder.operation,
        "who": holder.who,
        "host": holder.host,
        "pid": holder.pid,
        "tool_version": holder.tool_version,
        "since": holder.created,
        "run_id": holder.run_id,
        "ci_url": holder.ci_url,
        "fence": holder.fence,
        "renewed_ago_s": round(holder.renewed_ago_s, 1) if holder.renewed_ago_s is not None else None,
    }


def _operation_to_json(operation: OpenOperation) -> dict[str, Json]:
    return {
        "id": operation.id,
        "address": str(operation.address),
        "verb": str(operation.intent.action.verb),
        "state": str(operation.type),
        "intended_at": operation.intent.at,
        "job_id": operation.job_id,
    }
