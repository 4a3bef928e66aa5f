"""What a refresh found, as text.

Owns the words of that report. It must not compare anything: what moved is handed in.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from statetool.core.seen import Refreshed
from statetool.render import words
from statetool.render.layout import Page, cell


def render_refreshed(
    found: Refreshed, *, timezone: ZoneInfo | None, width: int | None = None, color: bool = False
) -> str:
    """Every value that moved since it was last seen, and what is gone from the platform."""
    page = Page(width=width, color=color)
    times = words.InstantWriter(timezone)
    if found.changes:
        page.line(cell("Seen otherwise than last time:", "bold"))
        page.blank()
        rows = [
            [
                cell(str(change.address)),
                cell(change.path),
                cell(
                    f"{words.value_text(change.path, change.before)} -> {words.value_text(change.path, change.after)}"
                ),
                cell(f"seen {times.full(change.last_seen_at)}" if change.last_seen_at else "never seen before"),
            ]
            for change in found.changes
        ]
        page.table(rows, keep=2)
        page.blank()
    if found.gone:
        page.line(cell("Gone from the platform, kept in the state:", "bold"))
        page.blank()
        page.table([[cell(str(address))] for address in found.gone], keep=1)
        page.blank()
    if not found.changes:
        page.line(cell("Everything was seen so already.", "green"))
    return page.text()
