"""Where text goes, and that writing never ends a run."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from statetool.cli.console import Console
from statetool.cli.running import ask_for_yes


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    """A disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("environ", "stream", "expected"),
    [
        ({}, Terminal(), True),
        ({}, io.StringIO(), False),
        ({}, None, False),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"NO_COLOR": ""}, Terminal(), True),
        ({"TERM": "dumb"}, Terminal(), False),
    ],
)
def test_colour(environ: Mapping[str, str], stream: io.StringIO | None, expected: bool) -> None:
    """Only on a terminal that has it, unless it is switched off. An empty NO_COLOR says nothing (no-color.org)."""
    assert Console(None, stream, None, environ).color(stream) is expected


def test_closed_streams_swallow_everything() -> None:
    """A command started with closed streams still runs."""
    console = Console(None, None, None, {})
    console.out("result")
    console.tell("beside it")
    assert console.ask("really? ") is None
    assert console.finish(2) == 2
    gone = io.StringIO()
    gone.close()
    Console(gone, gone, gone, {}).out("result")


@pytest.mark.parametrize(("code", "expected"), [(0, 1), (2, 1), (3, 3), (130, 130)])
def test_a_result_that_was_not_written_is_an_error(code: int, expected: int) -> None:
    """Told once on stderr; a worse exit code stays."""
    told = io.StringIO()
    console = Console(None, Full(), told, {})
    console.out("result")
    console.out("more")
    assert console.finish(code) == expected
    assert told.getvalue() == "error[output]: the output could not be written: no space left on device\n"


def test_a_reader_that_left_is_no_error(tmp_path: Path) -> None:
    """The exit code stays, and nothing is said."""
    reading, writing = os.pipe()
    os.close(reading)
    told = io.StringIO()
    with os.fdopen(writing, "w") as stream:
        console = Console(None, stream, told, {})
        console.out("result")
        console.out("more")
        assert console.finish(2) == 2
    assert told.getvalue() == ""


def test_a_name_the_encoding_lacks_is_spelled_out() -> None:
    """Instead of an exception in the middle of a plan."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Console(None, stream, None, {}).out("店/购物车 \udc80")
    assert raw.getvalue() == b"\\u5e97/\\u8d2d\\u7269\\u8f66 \\udc80\n"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("yes\n", True),
        (" yes \n", True),
        ("y\nyes\n", True),
        ("Y\nyes\n", True),
        ("y\ny\n", False),
        ("y\n", False),
        ("YES\n", False),
        ("yes!\n", False),
        ("no\nyes\n", False),
        ("\n", False),
        ("", False),
    ],
)
def test_consent(typed: str, expected: bool) -> None:
    """`yes` and nothing else; `y` has one more try."""
    assert ask_for_yes(Console(Terminal(typed), None, io.StringIO(), {})) is expected
