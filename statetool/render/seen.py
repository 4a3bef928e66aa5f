"""What a refresh saw, as text and as a document.

Owns its sections and its closing line. What differs is told by `core/seen.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from statetool.core.model import Json
from statetool.core.seen import SeenChange, Sightings, Unsettled
from statetool.render import words
from statetool.render.json import FORMAT_VERSION
from statetool.render.layout import Cell, Page, cell


def render_sightings(
    sightings: Sightings, *, width: int | None = None, color: bool = False, timezone: ZoneInfo | None = None
) -> str:
    """Every value that is seen otherwise than last time, with the time of that; what is missing or busy; counts.

    `timezone` None shows instants in UTC.
    """
    page = Page(width=width, color=color)
    clock = words.InstantWriter(timezone)
    if sightings.changes:
        page.line(cell("Seen otherwise than last time:", "bold"))
        page.blank()
        page.table([_change_row(change, clock) for change in sightings.changes], keep=3)
    missing = [[cell(str(address)), cell("kept in the state")] for address in sightings.missing]
    _add_section(page, "Missing on the platform", missing)
    _add_section(page, "Busy, left as they were seen last", _rows(sightings.busy))
    _add_section(page, "Not read again by the platform in this status", _rows(sightings.not_synced))
    page.blank()
    if sightings.left_out:
        page.paragraph(words.left_out_text(sightings.left_out))
    page.paragraph(_closing_line(sightings), "bold")
    return page.text()


def sightings_to_document(sightings: Sightings, serial: int | None, tool_version: str) -> dict[str, Json]:
    """`serial` is that of the state that was written; null where nothing was."""
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "serial": serial,
        "changes": [
            {
                "address": str(change.address),
                "path": change.path,
                "before": change.before,
                "after": change.after,
                "last_seen_at": change.last_seen_at,
            }
            for change in sightings.changes
        ],
        "missing": [str(address) for address in sightings.missing],
        "busy": [_unsettled_to_json(entry) for entry in sightings.busy],
        "not_synced": [_unsettled_to_json(entry) for entry in sightings.not_synced],
        "left_out": [str(address) for address in sightings.left_out],
        "summary": {
            "changed": len(sightings.seen),
            "unchanged": sightings.unchanged,
            "missing": len(sightings.missing),
            "busy": len(sightings.busy),
        },
    }


def _unsettled_to_json(entry: Unsettled) -> Json:
    return {"address": str(entry.address), "status": entry.status}


def _change_row(change: SeenChange, clock: words.InstantWriter) -> list[Cell]:
    before, after = (words.value_text(change.path, side) for side in (change.before, change.after))
    when = f"last seen {clock.full(change.last_seen_at)}" if change.last_seen_at else "never seen before"
    return [cell(str(change.address)), cell(change.path), cell(f"{before} -> {after}"), cell(when, "dim")]


def _rows(entries: Sequence[Unsettled]) -> list[list[Cell]]:
    return [[cell(str(entry.address)), cell(entry.status)] for entry in entries]


def _add_section(page: Page, title: str, rows: Sequence[Sequence[Cell]]) -> None:
    if not rows:
        return
    page.blank()
    page.line(cell(f"{title} ({len(rows)}):", "yellow"))
    page.table(rows, keep=1)


def _closing_line(sightings: Sightings) -> str:
    pairs = (
        (len(sightings.seen), "changed"),
        (sightings.unchanged, "as last seen"),
        (len(sightings.missing), "missing"),
        (len(sightings.busy), "busy"),
    )
    told = ", ".join(f"{count} {word}" for count, word in pairs if count) or "nothing is recorded"
    return f"Refresh: {told}."
