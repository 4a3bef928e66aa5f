"""When freeze windows are on, also across nights, months and the change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from statetool.core.guards import Freeze
from statetool.core.plan import Risk
from statetool.freeze import Window, check_recurrence, freezes_at, load_shared_freezes
from statetool.schema import load_schema

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
    assert (freeze.reason, freeze.until) == ("because", "2026-11-12 00:00 +08:00")
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


@pytest.mark.parametrize("now", ["2026-10-25T00:10:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:10:00Z"])
def test_a_window_that_begins_in_an_hour_that_comes_twice_begins_the_first_time(now: str) -> None:
    """02:05 to 04:00 in Berlin, where 02:59 is followed by 02:00 once more: no gap at the second 02:00."""
    once = window("2026-10-25T02:05", "2026-10-25T04:00", BERLIN)
    daily = window("2026-10-01T02:05", "2026-10-01T04:00", BERLIN, "FREQ=DAILY")
    assert is_on(once, now)
    assert is_on(daily, now)
    assert is_on(once, "2026-10-25T01:02:00Z")
    assert is_on(daily, "2026-10-25T01:02:00Z")
    assert not is_on(daily, "2026-10-25T03:00:00Z")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("", "FREQ=WEEKLY;BYDAY=FR"),
        ("weekly", "FREQ=WEEKLY;BYDAY=FR"),
        ("FREQ=SECONDLY", "daily or rarer"),
        ("FREQ=HOURLY", "daily or rarer"),
        ("FREQ=DAILY;FREQ=SECONDLY", "daily or rarer"),
        ("FREQ=SECONDLY;FREQ=DAILY", "once at most"),
        ("FREQ=DAILY;COUNT=1;COUNT=2", "once at most"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY=XX can't be read"),
        ("FREQ=DAILY;BYHOUR=3", "once at most"),
        ("FREQ=WEEKLY;INTERVAL=0", "INTERVAL=0 can't be read"),
        ("DTSTART:20260101T000000\nFREQ=DAILY", "daily or rarer"),
        ("FREQ=DAILY\nEXDATE:20260101T000000", "daily or rarer"),
        ("RRULE:FREQ=DAILY", "daily or rarer"),
        ("FREQ=DAILY;UNTIL=2026-13-01", "UNTIL=2026-13-01 can't be read"),
        ("FREQ=DAILY;UNTIL=20261301", "RFC 5545"),
        ("FREQ=DAILY;UNTIL=20260201T000000Z", "can't be read"),
        ("FREQ=WEEKLY;BYDAY=FR", "2026-01-01 is a Thursday"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31", "must be the first day that the rule names"),
        ("FREQ=MONTHLY;BYDAY=-1TH", "must be the first day that the rule names"),
        ("FREQ=DAILY;UNTIL=20251231", "must be the first day that the rule names"),
    ],
)
def test_a_rule_that_is_none_is_refused(rule: str, told: str) -> None:
    """Also one that does not name its own start, and one that would take for ever to count through."""
    assert told in str(check_recurrence(rule, at("2026-01-01T00:00")))


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        ("FREQ=DAILY", "2026-01-01"),
        ("BYDAY=SA,SU;FREQ=WEEKLY", "2026-01-03"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR;WKST=MO", "2026-01-02"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-04-30"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-01-30"),
        ("FREQ=MONTHLY;BYDAY=+1FR;COUNT=12", "2026-01-02"),
        ("FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=11;UNTIL=20301231", "2026-11-11"),
    ],
)
def test_a_good_rule_passes(rule: str, start: str) -> None:
    """Nothing is said of it."""
    assert check_recurrence(rule, at(start)) is None


# The shared file

NOON = at("2026-11-11T12:00:00+08:00")
DAY = "- {reason: Singles' Day, from: 2026-11-11 00:00, to: 2026-11-12 00:00, timezone: Asia/Shanghai}\n"


def shared(folder: Path, text: str, timezone: str | None = None) -> tuple[Freeze, ...]:
    path = folder / "freezes.yaml"
    path.write_text(text, encoding="utf-8")
    return load_shared_freezes(path, timezone, NOON)


def test_a_shared_file_holds_the_same_list(tmp_path: Path) -> None:
    """Windows without a time zone take that of the project; an empty list freezes nothing."""
    assert [freeze.reason for freeze in shared(tmp_path, DAY)] == ["Singles' Day"]
    zoneless = DAY.replace(", timezone: Asia/Shanghai", "")
    assert [freeze.until for freeze in shared(tmp_path, zoneless, "Asia/Tokyo")] == ["2026-11-12 00:00 +09:00"]
    assert shared(tmp_path, DAY.replace("2026", "2027")) == ()
    assert shared(tmp_path, "[]\n") == ()
    (tmp_path / "link.yaml").symlink_to(tmp_path / "freezes.yaml")
    assert load_shared_freezes(tmp_path / "link.yaml", None, NOON) == (), "as a mounted volume has it"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "freezes.yaml: it is empty (an empty list is written [])"),
        ("# half a fi", "it is empty"),
        ("[\n", "freezes.yaml:2:1: this is not valid YAML"),
        ("freeze: []\n", "freezes.yaml:1:1: the list must be a list, not a map"),
        (DAY.replace("to:", "until:"), "unknown key 'until'"),
        (DAY.replace("11-12", "11-31"), "freezes.yaml:1:54: 2026-11-31 00:00 is no time of the calendar"),
        (DAY.replace("11-12", "11-11"), "`to` is not after `from`"),
        (DAY.replace(", timezone: Asia/Shanghai", ""), "the freeze has no time zone"),
        (DAY.replace("Shanghai", "Peking"), "there is no time zone 'Asia/Peking'"),
        (DAY.replace("}", ", repeat: FREQ=WEEKLY;BYDAY=FR}"), "is not a rule for a freeze (`from` (2026-11-11 is"),
        (DAY + "---\n" + DAY.replace("11-12", "11-31"), "freezes.yaml:3:54"),
    ],
)
def test_a_shared_file_that_can_not_be_read_lets_only_a_revert_pass(tmp_path: Path, text: str, told: str) -> None:
    """A missing mount must not open the gates; and the sentence says where to mend it."""
    [freeze] = shared(tmp_path, text)
    assert (freeze.code, freeze.passes) == ("freeze_unreadable", {Risk.REVERT})
    assert freeze.reason.startswith("guards.freeze_from: ")
    assert told in freeze.reason


@pytest.mark.parametrize("text", ["open-sesame", "'open-sesame'\n", "- open-sesame\n", "7351\n", "- [open-sesame]\n"])
def test_what_is_no_list_of_freezes_is_not_repeated(tmp_path: Path, text: str) -> None:
    """Whoever may write statetool.yaml may name any file of the machine, and one of them holds a token."""
    [freeze] = shared(tmp_path, text)
    assert freeze.code == "freeze_unreadable"
    assert not [part for part in ("sesame", "7351") if part in freeze.reason]


def test_both_files_have_one_schema_for_a_freeze() -> None:
    """One meaning in two places must be one meaning."""
    shared_schema, config = load_schema("freezes"), load_schema("config")
    assert shared_schema["$defs"] == {name: config["$defs"][name] for name in ("wall_clock", "freeze")}
    own = config["properties"]["guards"]["properties"]["freeze"]
    assert {key: own[key] for key in ("type", "items")} == {key: shared_schema[key] for key in ("type", "items")}


def test_a_shared_file_that_is_not_there(tmp_path: Path) -> None:
    """Nor is a folder in its place, nor bytes that are no text."""
    [freeze] = load_shared_freezes(tmp_path / "gone.yaml", None, NOON)
    assert f"{tmp_path / 'gone.yaml'}: it can't be read: No such file" in freeze.reason
    assert load_shared_freezes(tmp_path, None, NOON)[0].code == "freeze_unreadable"
    (tmp_path / "gbk.yaml").write_bytes("# 双十一\n".encode("gbk"))
    assert load_shared_freezes(tmp_path / "gbk.yaml", None, NOON)[0].code == "freeze_unreadable"
