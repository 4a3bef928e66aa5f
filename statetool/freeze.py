"""Freeze windows: when changes must wait, from statetool.yaml and from a file that a whole company shares.

Owns the calendar: which windows there are, and which of them are on at an instant. What a freeze refuses is decided
in `core/guards.py`. A shared file that can't be read counts as a freeze that lets only a revert pass: whoever guards
a release must not be overruled by a missing mount.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from statetool.core.guards import PASS_FREEZE, Freeze
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

# Hourly rules and faster ones freeze nothing that a person plans by, and take for ever to count through.
_FREQUENCY = re.compile(r"(?:^|;)FREQ=(?:DAILY|WEEKLY|MONTHLY|YEARLY)(?:;|$)")
_UNFIT = re.compile(r"[\s:]|BYHOUR|BYMINUTE|BYSECOND|INTERVAL=0")
_TIME_FORMAT = "%Y-%m-%d %H:%M %z"


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
        begun = self._last_start(now.astimezone(self.zone))
        if begun is None:
            return None
        # Wall-clock arithmetic: a window from 18:00 to 09:00 is that also on the night the clocks change.
        until = (begun.replace(tzinfo=None) + (self.end - self.start)).replace(tzinfo=self.zone)
        return Freeze(self.reason, until.strftime(_TIME_FORMAT), self.passes) if now < until else None

    def _last_start(self, now: datetime) -> datetime | None:
        """When the window last began, at `now` or before."""
        if self.recurrence is None:
            begun = self.start.replace(tzinfo=self.zone)
            return begun if begun <= now else None
        naive = _rule(self.recurrence, self.start).before(now.replace(tzinfo=None), inc=True)
        return naive.replace(tzinfo=self.zone) if naive is not None else None


def check_recurrence(text: str, start: datetime) -> str | None:
    """What is wrong with a recurrence rule, None for a good one."""
    if _FREQUENCY.search(text) is None or _UNFIT.search(text) is not None:
        return "write a rule alone, daily or rarer, such as FREQ=WEEKLY;BYDAY=FR; `from` is its start"
    try:
        _rule(text, start)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return "write a rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=FR"
    return None


def freezes_at(windows: Iterable[Window], now: datetime) -> tuple[Freeze, ...]:
    """The freezes that are on at `now`, in the order they are written."""
    return tuple(freeze for window in windows if (freeze := window.freeze_at(now)) is not None)


def closed_by(problem: str) -> Freeze:
    """The freeze that stands in for windows nobody can read."""
    return Freeze(problem, None, frozenset({Risk.REVERT}))


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


def load_shared_freezes(path: Path, timezone: str | None, now: datetime) -> tuple[Freeze, ...]:
    """The freezes of a shared file that are on at `now`; where it can't be read, one that lets only a revert pass."""
    data = read_file(ManifestFile(path, str(path)))
    diagnostics = [data] if isinstance(data, Diagnostic) else []
    windows: tuple[Window, ...] = ()
    if not isinstance(data, Diagnostic):
        result = read_yaml(data, str(path))
        diagnostics.extend(result.diagnostics)
        for document in result.documents:
            for problem in load_rules("config", "guards", "freeze").check(document.root):
                message = problem.before + describe(problem.path, path.name) + problem.after
                mark = SourceMark(str(path), problem.line, problem.column)
                diagnostics.append(Diagnostic(problem.code, message, problem.hint, mark))
            if not diagnostics:
                found, wrong = parse_windows(document.root, str(path), timezone)
                windows += found
                diagnostics.extend(wrong)
    if diagnostics:
        first = diagnostics[0]
        place = f"{first.mark}: " if first.mark else ""
        return (closed_by(f"guards.freeze_from can't be read: {place}{first.message}"),)
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


def _rule(text: str, start: datetime) -> rrule | rruleset:
    from dateutil.rrule import rrulestr  # here: only a project with a recurring freeze needs it

    return rrulestr(text, dtstart=start, cache=False)
