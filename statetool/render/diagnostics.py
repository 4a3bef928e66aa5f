"""Diagnostics as text: one line that says where and what, one below it that says what to do.

Owns the shape `file:line:column: error[code]: message`, which editors and CI systems pick up.
"""

from __future__ import annotations

from collections.abc import Iterable

from statetool.errors import Diagnostic
from statetool.render.layout import Page, cell

_STYLES = {"error": "red", "warning": "yellow"}


def render_diagnostics(diagnostics: Iterable[Diagnostic], color: bool) -> str:
    """All of them, in the given order, without a line end behind the last line. Nothing is wrapped."""
    page = Page(color=color)
    for diagnostic in diagnostics:
        where = diagnostic.mark or diagnostic.address
        page.line(
            cell(f"{where}: " if where else "", "bold"),
            cell(f"{diagnostic.severity}[{diagnostic.code}]", _STYLES[diagnostic.severity]),
            cell(f": {diagnostic.message}"),
        )
        if diagnostic.hint:
            page.line(cell(f"  hint: {diagnostic.hint}"))
    return page.text()
