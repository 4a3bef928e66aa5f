"""What ended a command before its result, as diagnostics and an exit code.

Owns the one mapping from exceptions to what a person and a program see. Nothing a user, a file, a network or the
platform can cause may arrive here as anything but a StatetoolError or a usage error: the rest is called a bug.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Sequence

import click

from statetool.cli.console import Console, silence
from statetool.errors import Diagnostic, ExitCode, StatetoolError, UsageError
from statetool.render.diagnostics import render_diagnostics
from statetool.render.harmless import for_terminal
from statetool.render.json import diagnostics_to_document

DEBUG_VARIABLE = "STATETOOL_DEBUG"
_JSON_OPTIONS = frozenset({"--json", "-json", "--format=json", "-format=json"})


def report(error: BaseException, console: Console, arguments: Sequence[str]) -> int:
    """Tell what happened, on stderr or as the JSON document of a failing command. Returns the exit code."""
    if isinstance(error, BrokenPipeError):
        if console.stdout is not None:
            silence(console.stdout)
        return ExitCode.DONE
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        console.tell(error.format_message())
        return ExitCode.USAGE
    if isinstance(error, click.ClickException | UsageError) and _JSON_OPTIONS.intersection(arguments):
        # Options that could not be parsed had no chance to set the mode.
        console.json_mode = console.json_mode or "document"
    diagnostics, code = _explain(error)
    if console.is_json:
        # One line: between the lines of a run it must be one, and elsewhere it may.
        console.out(json.dumps(diagnostics_to_document(diagnostics)))
    else:
        console.tell(render_diagnostics(diagnostics, console.color(console.stderr)))
    if _is_bug(error) and os.environ.get(DEBUG_VARIABLE) == "1":
        console.tell(for_terminal("".join(traceback.format_exception(error)), single_line=False))
    return code


def _explain(error: BaseException) -> tuple[Sequence[Diagnostic], ExitCode]:
    if isinstance(error, StatetoolError):
        return error.diagnostics, error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return (Diagnostic("interrupted", "interrupted"),), ExitCode.INTERRUPTED
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else None
        message = error.format_message().replace("\n\t", " ")  # choices come one a line
        return (Diagnostic("usage", message, hint),), ExitCode.USAGE
    message = f"internal error: {type(error).__name__}: {error}; please report"
    hint = f"{DEBUG_VARIABLE}=1 shows where it happened"
    return (Diagnostic("internal_error", message, hint),), ExitCode.ERROR


def _is_bug(error: BaseException) -> bool:
    return not isinstance(error, StatetoolError | KeyboardInterrupt | click.ClickException | click.Abort)
