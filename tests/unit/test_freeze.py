"""When freeze windows are on, also across nights, months and the change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from statetool.core.plan import Risk
from statetool.freeze import Window, check_recurrence, closed_by, freezes_at

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def window(start: str, end: str, zone: ZoneInfo = SHANGHAI, recurrence: str | None = None) -> Window:
    return Window("because", at(start), at(end), zone, recurrence)


def is_on(one: Window, now: str) -> bool:
    return bool(freezes_at([one], at(now)))


def test_a_single_window_from_its_first_to_its_last_second() -> None:
    """The end is no part of it; times are those of its zone."""
    one = window("2026-11-11T00:00", "2026-11-12T00:00")
    assert not is_on(one, "2026-11-10T15:59:59Z")
    assert is_on(one, "2026-11-10T16:00:00Z")
    assert is_on(one, "2026-11-11T15:59:59Z")
    assert not is_on(one, "2026-11-11T16:00:00Z")


def test_a_freeze_says_until_when_in_its_own_zone() -> None:
    """Nobody should have to convert it."""
    [freeze] = freezes_at([window("2026-11-11T00:00", "2026-11-12T00:00")], at("2026-11-11T03:00:00Z"))
    assert (freeze.reason, freeze.until) == ("because", "2026-11-12 00:00 +0800")
    assert freeze.passes == {Risk.SCALE_UP, Risk.REVERT}


@pytest.mark.parametrize(
    ("now", "on"),
    [
        ("2026-11-20T16:59:59+01:00", False),  # a Friday
        ("2026-11-20T17:00:00+01:00", True),
        ("2026-11-22T12:00:00+01:00", True),
        ("2026-11-23T07:59:59+01:00", True),
        ("2026-11-23T08:00:00+01:00", False),
        ("2026-01-09T16:00:00+01:00", False),
        ("2025-12-26T18:00:00+01:00", False),  # before the first one
    ],
)
def test_a_weekend_that_returns(now: str, on: bool) -> None:
    """From Friday evening to Monday morning, from the first weekend of the year on."""
    assert is_on(window("2026-01-02T17:00", "2026-01-05T08:00", BERLIN, "FREQ=WEEKLY;BYDAY=FR"), now) is on


def test_a_window_keeps_its_hours_on_the_night_the_clocks_change() -> None:
    """In Berlin at 03:00 on 2026-10-25 it is 02:00 again: until 09:00 by the clock on the wall."""
    nights = window("2026-01-01T18:00", "2026-01-02T09:00", BERLIN, "FREQ=DAILY")
    assert is_on(nights, "2026-10-25T07:59:59Z")
    assert not is_on(nights, "2026-10-25T08:00:00Z")
    assert not is_on(nights, "2026-10-24T15:59:59Z")
    assert is_on(nights, "2026-10-24T16:00:00Z")


def test_a_rule_with_an_end() -> None:
    """Three months, then never again."""
    months = window("2026-01-31T00:00", "2026-02-01T00:00", recurrence="FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3")
    assert [is_on(months, f"2026-{day}T12:00:00+08:00") for day in ("01-31", "02-28", "03-31", "04-30")] == [
        True,
        True,
        True,
        False,
    ]


def test_all_windows_that_are_on_are_told() -> None:
    """One may let pass what another does not."""
    both = [window("2026-11-11T00:00", "2026-11-12T00:00"), window("2026-11-01T00:00", "2026-12-01T00:00")]
    assert len(freezes_at(both, datetime(2026, 11, 11, 4, tzinfo=UTC))) == 2


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "weekly",
        "FREQ=SECONDLY",
        "FREQ=HOURLY",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;BYHOUR=3",
        "FREQ=WEEKLY;INTERVAL=0",
        "DTSTART:20260101T000000\nFREQ=DAILY",
        "FREQ=DAILY\nEXDATE:20260101T000000",
        "RRULE:FREQ=DAILY",
        "FREQ=DAILY;UNTIL=2026-13-01",
    ],
)
def test_a_rule_that_is_none_is_refused(rule: str) -> None:
    """Also one that would take for ever to count through."""
    assert "FREQ=WEEKLY;BYDAY=FR" in str(check_recurrence(rule, at("2026-01-01T00:00")))


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=11;UNTIL=20301231"]
)
def test_a_good_rule_passes(rule: str) -> None:
    """Nothing is said of it."""
    assert check_recurrence(rule, at("2026-01-01T00:00")) is None


def test_windows_that_nobody_can_read_let_only_a_revert_pass() -> None:
    """A missing mount must not open the gates."""
    assert closed_by("the file is gone").passes == {Risk.REVERT}
