"""`state list` and `state show`."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from render_golden import check_golden
from render_records import full_record, some_records

from statetool.core.model import Address, Recorded, Wish
from statetool.core.state import Overridden
from statetool.render.state import render_overridden, render_state_list, render_state_show


def test_list() -> None:
    """One address a line, in order, with what is managed or was only seen."""
    check_golden("state_list.txt", render_state_list(some_records()))


def test_empty_list() -> None:
    """No component, no line."""
    assert render_state_list([]) == ""


def test_runs_that_let_denies_through() -> None:
    """The newest first, in the time zone that is asked for."""
    entries = [
        Overridden(f"2026-11-23T0{n}:00:00Z", f"run-{n}", "ann@ci", ("freeze", "max_share")[: n % 2 + 1])
        for n in range(7)
    ]
    lines = render_overridden(entries, timezone=ZoneInfo("Asia/Shanghai")).splitlines()
    assert lines[0] == "Let through with --override (7):"
    assert [line.split() for line in lines[1:3]] == [
        ["2026-11-23", "14:00", "+08:00", "freeze", "ann@ci", "run-6"],
        ["2026-11-23", "13:00", "+08:00", "freeze,", "max_share", "ann@ci", "run-5"],
    ]
    assert len(lines) == 6


def test_show() -> None:
    """Everything that is recorded of one component."""
    check_golden("state_show.txt", render_state_show(full_record(), timezone=ZoneInfo("Asia/Shanghai")))


def test_show_of_bare_record() -> None:
    """A component to which nothing was applied yet says so."""
    text = render_state_show(Recorded(Address("shop", "cart"), "c\x1b1", "a1", None, Wish()))
    assert "nothing applied yet" in text
    assert "c\\x1b1" in text
