"""The whole state on stdout, in the format that was asked for."""

from __future__ import annotations

from statetool.cli.console import Console
from statetool.cli.project import local_timezone
from statetool.core.state import StateFile
from statetool.core.state_document import state_to_document


def show_state(console: Console, state: StateFile, view_format: str) -> None:
    """`view_format` is text (one component a line) or markdown (the same, fenced)."""
    if console.is_json:
        from statetool.render.json import render_document

        console.out(render_document(state_to_document(state)))
        return
    from statetool.render.state import render_overridden, render_state_list

    text = render_state_list(state.components.values())
    if state.overridden:
        text += "\n\n" + render_overridden(state.overridden, timezone=local_timezone())
    if view_format == "markdown":
        from statetool.render.harmless import for_markdown_code

        console.out(for_markdown_code(text))
    elif text:
        console.out(text)
    else:
        console.tell("The state holds no component.")
