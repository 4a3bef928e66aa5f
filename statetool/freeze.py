"""Freeze windows: when changes must wait, from statetool.yaml and from a file that a whole company shares.

Owns the calendar: which windows there are, and which of them are on at an instant. What a freeze refuses is decided
in `core/guards.py`. A shared file that can't be read counts as a freeze that lets only a revert pass: whoever guards
a release must not be overruled by a missing mount.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from statetool.core.guards import PASS_FREEZE, Freeze
from statetool.core.plan import Risk

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


def _rule(text: str, start: datetime) -> rrule | rruleset:
    from dateutil.rrule import rrulestr  # here: only a project with a recurring freeze needs it

    return rrulestr(text, dtstart=start, cache=False)
