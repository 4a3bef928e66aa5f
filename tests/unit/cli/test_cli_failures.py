"""Exceptions as exit codes and diagnostics."""

from __future__ import annotations

import io
import json

import click
import pytest

from statetool.cli.console import Console
from statetool.cli.failures import report
from statetool.errors import Diagnostic, InvalidInput, SourceMark, StateLocked, Unreachable, UsageError


class Streams:
    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.console = Console(None, self.out, self.err, {})


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("no", hint="so"), 64, "error[usage]: no\n  hint: so\n"),
        (click.UsageError("Missing option."), 64, "error[usage]: Missing option.\n"),
        (click.UsageError("Choose from:\n\tlocal,\n\ts3"), 64, "error[usage]: Choose from: local, s3\n"),
        (Unreachable("nobody there"), 1, "error[unreachable]: nobody there\n"),
        (StateLocked("held"), 5, "error[state_locked]: held\n"),
        (KeyboardInterrupt(), 130, "error[interrupted]: interrupted\n"),
        (click.Abort(), 130, "error[interrupted]: interrupted\n"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_text(error: BaseException, code: int, told: str) -> None:
    """One look for all errors, on stderr."""
    streams = Streams()
    assert report(error, streams.console, []) == code
    assert (streams.err.getvalue(), streams.out.getvalue()) == (told, "")


def test_json_goes_to_stdout_with_every_diagnostic() -> None:
    """One line, complete."""
    streams = Streams()
    streams.console.json_mode = "document"
    marks = [SourceMark("a.yaml", 3, 5), None]
    error = InvalidInput([Diagnostic("unknown_key", "what?", "did you mean", mark) for mark in marks])
    assert report(error, streams.console, []) == 1
    [line] = streams.out.getvalue().splitlines()
    document = json.loads(line)
    assert document["errored"] is True
    assert [entry["code"] for entry in document["diagnostics"]] == ["unknown_key", "unknown_key"]
    assert streams.err.getvalue() == ""


@pytest.mark.parametrize("argument", ["--json", "-json", "--format=json"])
def test_an_option_that_can_not_be_parsed_keeps_the_mode(argument: str) -> None:
    """The mode was asked for, although nothing could be parsed."""
    streams = Streams()
    assert report(UsageError("there is no option --x"), streams.console, ["plan", "--x", argument]) == 64
    assert json.loads(streams.out.getvalue())["diagnostics"][0]["code"] == "usage"


def test_a_bug_is_one_line_and_its_traceback_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Harmless on a terminal, too."""
    monkeypatch.delenv("STATETOOL_DEBUG", raising=False)
    streams = Streams()
    try:
        raise ZeroDivisionError("by\x1b[31m zero")
    except ZeroDivisionError as error:
        bug = error
    assert report(bug, streams.console, []) == 1
    first, hint = streams.err.getvalue().splitlines()
    assert first == "error[internal_error]: internal error: ZeroDivisionError: by\\x1b[31m zero; please report"
    assert "STATETOOL_DEBUG=1" in hint
    monkeypatch.setenv("STATETOOL_DEBUG", "1")
    debugged = Streams()
    assert report(bug, debugged.console, []) == 1
    assert "Traceback" in debugged.err.getvalue()
    assert "\x1b" not in debugged.err.getvalue()


def test_debugging_shows_no_traceback_of_a_persons_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback means a bug, always."""
    monkeypatch.setenv("STATETOOL_DEBUG", "1")
    streams = Streams()
    report(UsageError("no"), streams.console, [])
    assert "Traceback" not in streams.err.getvalue()
