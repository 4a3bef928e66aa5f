"""A plan on stdout, in the format that was asked for."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from statetool.cli.console import Console
from statetool.core.plan import Plan


def show_plan(
    console: Console, plan: Plan, view_format: str, timezone: ZoneInfo | None, *, show_unmanaged: bool = False
) -> None:
    """`view_format` is text or markdown; it says nothing in JSON mode."""
    if console.is_json:
        from statetool.core.plan_document import plan_to_shown_document
        from statetool.render.json import render_document

        console.out(render_document(plan_to_shown_document(plan)))
    elif view_format == "markdown":
        from statetool.render.markdown import render_plan_markdown

        console.out(render_plan_markdown(plan, timezone=timezone))
    else:
        from statetool.render.text import render_plan

        color = console.color(console.stdout)
        console.out(
            render_plan(plan, width=console.width, color=color, timezone=timezone, show_unmanaged=show_unmanaged)
        )
