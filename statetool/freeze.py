"""Freeze windows: when changes must wait, from statetool.yaml and from a file that a whole company shares.

Owns the calendar: which windows there are, and which of them are on at an instant. What a freeze refuses is decided
in `core/guards.py`. A shared file that can't be read counts as a freeze that lets only a revert pass: whoever guards
a release must not be overruled by a missing mount.
"""

from __future__ import annotations

import re
import zoneinfo
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from statetool.core.guards import FREEZE_UNREADABLE, PASS_FREEZE, Freeze
from statetool.core.model import Json
from statetool.core.plan import Risk
from statetool.errors import Diagnostic, SourceMark
from statetool.manifest.files import ManifestFile, read_file
from statetool.manifest.nodes import Mapping as MapNode
from statetool.manifest.nodes import Node, plain_value
from statetool.manifest.nodes import Sequence as ListNode
from statetool.manifest.structure import describe, load_rules
from statetool.manifest.yaml_reader import read_yaml

if TYPE_CHECKING:
    from dateutil.rrule import rrule, rruleset

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
"""Faster ones freeze nothing that a person plans by, and take for ever to count through."""
_PARTS = {
    "INTERVAL": re.compile(r"[1-9][0-9]{0,2}"),
    "COUNT": re.compile(r"[1-9][0-9]{0,4}"),
    "UNTIL": re.compile(r"[0-9]{8}(T[0-9]{6})?"),
    "WKST": re.compile(r"MO|TU|WE|TH|FR|SA|SU"),
    "BYMONTH": re.compile(r"[0-9]{1,2}(,[0-9]{1,2})*"),
    "BYMONTHDAY": re.compile(r"-?[0-9]{1,2}(,-?[0-9]{1,2})*"),
    "BYDAY": re.compile(r"[+-]?[1-5]?(MO|TU|WE|TH|FR|SA|SU)(,[+-]?[1-5]?(MO|TU|WE|TH|FR|SA|SU))*"),
}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_CLOCKS_MOVE = timedelta(hours=3)
"""More than any clock is ever put back at once: so far ahead an hour may already have been, and come again."""


@dataclass(frozen=True, slots=True)
class Window:
    """One freeze as it is written. `start` and `end` are wall-clock times of `zone`, without a zone of their own.

    `recurrence` is an RFC 5545 RRULE whose first occurrence is `start`; None means once.
    """

    reason: str
    start: datetime
    end: datetime
    zone: tzinfo
    recurrence: str | None = None
    passes: frozenset[Risk] = PASS_FREEZE

    def freeze_at(self, now: datetime) -> Freeze | None:
        """The freeze where it is on at `now` (with time zone), else None."""
        for start in self._last_starts(now):
            # Wall-clock arithmetic: a window from 18:00 to 09:00 is that also on the night the clocks change.
            until = (start + (self.end - self.start)).replace(tzinfo=self.zone)
            if start.replace(tzinfo=self.zone).astimezone(UTC) <= now < until.astimezone(UTC):
                return Freeze(self.reason, _told(until), self.passes)
        return None

    def _last_starts(self, now: datetime) -> list[datetime]:
        """When the window last began by the clock on the wall, and what that clock, put back, may have shown before."""
        if self.recurrence is None:
            return [self.start]
        wall = now.astimezone(self.zone).replace(tzinfo=None)
        rule = _rule(self.recurrence, self.start)
        starts = (rule.before(latest, inc=True) for latest in (wall, wall + _CLOCKS_MOVE))
        return sorted({start for start in starts if start is not None}, reverse=True)


def check_recurrence(text: str, start: datetime) -> str | None:
    """What is wrong with a recurrence rule, None for a good one."""
    pairs = [part.partition("=")[::2] for part in text.split(";")]
    parts = dict(pairs)
    if parts.get("FREQ") not in _FREQUENCIES:
        return "write a rule of RFC 5545, daily or rarer, such as FREQ=WEEKLY;BYDAY=FR; `from` is its start"
    if len(parts) != len(pairs) or not parts.keys() <= {"FREQ", *_PARTS}:
        return f"write FREQ, and each of {', '.join(_PARTS)} once at most, with semicolons between"
    for name, pattern in _PARTS.items():
        if name in parts and not pattern.fullmatch(parts[name]):
            return f"{name}={parts[name]} can't be read; write a rule such as FREQ=WEEKLY;BYDAY=FR;UNTIL=20271231"
    try:
        rule = _rule(text, start)
    except (ValueError, TypeError, OverflowError):
        return "write a rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=FR"
    if not _may_occur(parts, start) or rule.after(start, inc=True) != start:
        return f"`from` ({start:%Y-%m-%d} is a {start:%A}) must be the first day that the rule names"
    return None


def _may_occur(parts: Mapping[str, str], day: datetime) -> bool:
    """Whether each part of a rule, taken by itself, names that day. One that does not may name no day at all, and to
    find that out the calendar would be counted through to its end."""
    last = monthrange(day.year, day.month)[1]
    days = {str(day.day), f"{day.day:02}", str(day.day - last - 1), f"-{last + 1 - day.day:02}"}
    if "BYMONTH" in parts and day.month not in map(int, parts["BYMONTH"].split(",")):
        return False
    if "BYMONTHDAY" in parts and days.isdisjoint(parts["BYMONTHDAY"].split(",")):
        return False
    name = _DAYS[day.weekday()]
    from_first, from_last = (day.day + 6) // 7, (last - day.day + 7) // 7
    names = {name, f"{from_first}{name}", f"+{from_first}{name}", f"-{from_last}{name}"}
    return "BYDAY" not in parts or not names.isdisjoint(parts["BYDAY"].split(","))


def freezes_at(windows: Iterable[Window], now: datetime) -> tuple[Freeze, ...]:
    """The freezes that are on at `now`, in the order they are written."""
    return tuple(freeze for window in windows if (freeze := window.freeze_at(now)) is not None)


def closed_by(problem: str) -> Freeze:
    """The freeze that stands in for windows nobody can read."""
    return Freeze(problem, None, frozenset({Risk.REVERT}), FREEZE_UNREADABLE)


def parse_windows(node: Node, file: str, timezone: str | None) -> tuple[tuple[Window, ...], list[Diagnostic]]:
    """The windows of a list that fits the schema, and what is wrong with it beyond that.

    `timezone` is the IANA name for windows that name none.
    """
    windows: list[Window] = []
    diagnostics: list[Diagnostic] = []
    for item in node.items if isinstance(node, ListNode) else ():
        if isinstance(item, MapNode):
            parsed = _parse_window(item, file, timezone)
            if isinstance(parsed, Window):
                windows.append(parsed)
            else:
                diagnostics.append(parsed)
    return tuple(windows), diagnostics


def window_to_json(window: Window) -> dict[str, Json]:
    """A window as statetool.yaml would say it, with everything that it leaves to defaults."""
    return {
        "reason": window.reason,
        "from": f"{window.start:%Y-%m-%d %H:%M}",
        "to": f"{window.end:%Y-%m-%d %H:%M}",
        "timezone": str(window.zone),
        "repeat": window.recurrence,
        "passes": [str(risk) for risk in Risk if risk in window.passes],
    }


def load_shared_freezes(path: Path, timezone: str | None, now: datetime) -> tuple[Freeze, ...]:
    """The freezes of a shared file that are on at `now`; where it can't be read, one that lets only a revert pass."""
    data = read_file(ManifestFile(path, "it"))
    diagnostics = [data] if isinstance(data, Diagnostic) else []
    windows: tuple[Window, ...] = ()
    if not isinstance(data, Diagnostic):
        result = read_yaml(data, str(path))
        diagnostics.extend(result.diagnostics)
        for document in result.documents:
            for problem in load_rules("freezes").check(document.root):
                message = problem.before + describe(problem.path, "the list") + problem.after
                diagnostics.append(Diagnostic(problem.code, message, problem.hint, problem.mark))
            if not diagnostics:
                found, wrong = parse_windows(document.root, str(path), timezone)
                windows += found
                diagnostics.extend(wrong)
        if not result.documents:
            # Half a file, or one that was never filled, says nothing about freezes; a list without entries does.
            diagnostics.append(Diagnostic("empty_file", "it is empty", "an empty list is written []"))
    if diagnostics:
        first = diagnostics[0]
        place = first.mark or path
        hint = f" ({first.hint})" if first.hint else ""
        return (closed_by(f"guards.freeze_from: {place}: {first.message}{hint}"),)
    return freezes_at(windows, now)


def _parse_window(item: MapNode, file: str, timezone: str | None) -> Window | Diagnostic:
    def wrong(key: str, code: str, message: str, hint: str) -> Diagnostic:
        entry = item.entries.get(key)
        line, column = (entry.node.line, entry.node.column) if entry else (item.line, item.column)
        return Diagnostic(code, message, hint, SourceMark(file, line, column))

    values = plain_value(item)
    assert isinstance(values, dict), "the schema has been asked"
    times = {}
    for key in ("from", "to"):
        try:
            times[key] = datetime.fromisoformat(values[key])
        except ValueError:
            return wrong(
                key, "bad_time", f"{values[key]} is no time of the calendar", "write one such as 2026-11-11 00:00"
            )
    if times["to"] <= times["from"]:
        return wrong("to", "bad_time", "`to` is not after `from`", "write when it ends")
    name = values.get("timezone", timezone)
    if name is None:
        hint = "write timezone: Asia/Shanghai beside it, or at the top of statetool.yaml"
        return wrong("from", "missing_timezone", "the freeze has no time zone", hint)
    try:
        zone = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = "write an IANA name such as Asia/Shanghai or UTC"
        return wrong("timezone", "unknown_timezone", f"there is no time zone {name[:100]!r}", hint)
    repeat = values.get("repeat")
    problem = check_recurrence(repeat, times["from"]) if repeat is not None else None
    if problem is not None:
        return wrong("repeat", "bad_recurrence", f"{str(repeat)[:100]!r} is not a rule for a freeze", problem)
    passes = frozenset(Risk(risk) for risk in values["passes"]) if "passes" in values else PASS_FREEZE
    return Window(values["reason"], times["from"], times["to"], zone, repeat, passes)


def _told(instant: datetime) -> str:
    """`2026-11-12 00:00 +08:00`, by the clock of its own zone."""
    return f"{instant:%Y-%m-%d %H:%M} {instant.isoformat()[-6:]}"


def _rule(text: str, start: datetime) -> rrule | rruleset:
    from dateutil.rrule import rrulestr  # here: only a project with a recurring freeze needs it

    return rrulestr(text, dtstart=start, cache=False)
