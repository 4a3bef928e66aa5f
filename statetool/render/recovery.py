"""What an interrupted run left open, told: that it is taken up, what became of each operation, and what to do now.

Owns the words of recoveries, from the facts of their events. What they return may hold text from outside: callers make
it harmless for the place it goes to, or let `Page` do so. What became of an operation is decided in `apply/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from statetool.core.model import Json
from statetool.render import words
from statetool.render.layout import Page, cell

_OUTCOMES: Mapping[str, str] = {
    "done": "done",
    "failed": "failed",
    "not_accepted": "not carried out",
    "foreign": "something else happened in its place",
    "parked": "parked, nobody can tell whether it ran",
    "still_running": "still running",
    "untold": "still not known",
}
_STYLES: Mapping[str, str] = {"done": "green", "failed": "red", "not_accepted": "green"}

NOTHING = "Nothing to take up."


def interruption_text(facts: Mapping[str, Json], clock: words.InstantWriter | None = None) -> str:
    """`An earlier run was interrupted (run ..., apply of 5 actions, since ...): 3 operations taken up`."""
    planned, since = facts.get("planned"), str(facts.get("since", ""))
    told = [f"run {facts.get('interrupted_run')}"]
    if isinstance(planned, int):
        told.append(f"apply of {words.plural(planned, 'action')}")
    told.append(f"since {clock.full(since) if clock else since}")
    count, parked = (facts.get(key) for key in ("operations", "parked"))
    operations = words.plural(count if isinstance(count, int) else 0, "operation")
    if count == parked:
        return f"An earlier run ({', '.join(told)}) left {operations} parked"
    return f"An earlier run was interrupted ({', '.join(told)}): {operations} taken up"


def recovered_text(facts: Mapping[str, Json], clock: words.InstantWriter | None = None) -> str:
    """`asked for at 08:00 UTC: done: job JOB1, and the value is there`."""
    outcome, at = str(facts.get("outcome", "")), str(facts.get("intended_at", ""))
    return f"asked for at {clock.full(at) if clock else at}: {_OUTCOMES.get(outcome, outcome)}: {facts.get('why')}"


def resolve_text(operation: Json) -> str:
    """What a person has to say of a parked operation, and how."""
    return f"find out, then say it: `statetool state resolve {operation} --did-run`, or --did-not"


def render_interruption(facts: Mapping[str, Json], *, color: bool = False, timezone: ZoneInfo | None = None) -> str:
    """The line that a recovery begins with: it may take minutes before the next."""
    page = Page(color=color)
    page.line(cell(interruption_text(facts, words.InstantWriter(timezone)) + ".", "bold"))
    return page.text()


def render_recovered(
    facts: Mapping[str, Json], *, width: int | None = None, color: bool = False, timezone: ZoneInfo | None = None
) -> str:
    """One operation that was taken up: which, since when, what is known of it by now, and why."""
    page = Page(width=width, color=color)
    told = recovered_text(facts, words.InstantWriter(timezone))
    style = _STYLES.get(str(facts.get("outcome")), "yellow")
    page.table([[cell(str(facts.get("address"))), cell(str(facts.get("verb"))), cell(told, style)]], keep=2)
    if facts.get("outcome") == "parked":
        page.paragraph(resolve_text(facts.get("operation")), indent=4)
    return page.text()


def render_resumed(outcomes: Sequence[str], *, color: bool = False) -> str:
    """The closing line of `apply --resume`. `outcomes` is what became of each operation."""
    page = Page(color=color)
    if not outcomes:
        page.line(cell(NOTHING))
        return page.text()
    counts = [(outcomes.count(outcome), outcome.replace("_", " ")) for outcome in _OUTCOMES]
    page.line(cell(f"Taken up: {', '.join(f'{count} {word}' for count, word in counts if count)}.", "bold"))
    page.line(cell("To see what is left: statetool plan"))
    return page.text()
