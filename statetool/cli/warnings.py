"""What a person is told beside a result: warnings on stderr, in every mode.

Owns how a warning is written. It must load nothing heavy: options use it.
"""

from __future__ import annotations

from statetool.cli.console import Console
from statetool.errors import Diagnostic


def warn(console: Console, code: str, message: str, hint: str) -> None:
    """One warning, and below it what to do."""
    from statetool.render.diagnostics import render_diagnostics

    warning = Diagnostic(code, message, hint, severity="warning")
    console.tell(render_diagnostics((warning,), console.color(console.stderr)))
