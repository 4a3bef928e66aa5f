"""What an import did, as text.

Owns the words of that report. It must not count anything itself: what was written and recorded is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence

from statetool.core.model import Address
from statetool.core.plan import Finding
from statetool.render import words
from statetool.render.layout import Page, cell


def render_imported(
    files: Sequence[tuple[str, int, bool]],
    recorded: Sequence[Address],
    unrecorded: Sequence[Address],
    findings: Sequence[Finding],
    *,
    described: int,
    width: int | None = None,
    color: bool = False,
) -> str:
    """Files as (path, components, whether it is a new file); addresses recorded, and written but not recorded.

    `described` counts the components that stood in a manifest before.
    """
    page = Page(width=width, color=color)
    for shown, count, is_new in files:
        components = words.plural(count, "component")
        page.line(cell(f"Wrote {shown}: {components}." if is_new else f"Added {components} to {shown}."))
    if not files:
        page.line(cell("Nothing new to write.", "bold"))
    if described:
        them = "it stands" if described == 1 else "they stand"
        page.paragraph(f"{words.plural(described, 'component')} left as {them} in a manifest already.")
    if recorded:
        they = "it runs" if len(recorded) == 1 else "they run"
        page.paragraph(f"Recorded {words.plural(len(recorded), 'component')} as {they}; nothing was sent.")
    if unrecorded:
        page.paragraph(f"Not recorded yet, `statetool apply` does it: {words.names_text(unrecorded)}.")
    if findings:
        page.blank()
        page.line(cell(f"Warnings ({len(findings)}):", "yellow"))
        rows = [[cell(str(f.address or words.PROJECT)), cell(words.finding_text(f))] for f in findings]
        page.table(rows, keep=1)
    return page.text()
