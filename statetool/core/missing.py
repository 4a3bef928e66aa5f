"""Recorded components that the platform's lists do not show: whom to ask for by id, and what an answer means.

Owns the rule that nothing is called missing because of one list alone. A page may get lost, and a permission may
hide rows; a component that answers by its id is there all the same. It must not ask anybody itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from statetool.core.model import Address, Application, Observed, Recorded
from statetool.core.selection import Choice
from statetool.errors import ListIncomplete

MOST_QUESTIONS = 100
"""Components of one application that are asked for by id. Of more, so many, evenly spread, stand for the rest."""

_MOST_NAMES = 5


def find_unlisted(
    recorded: Mapping[Address, Recorded],
    applications: Iterable[Application],
    observed: Iterable[Observed],
    choice: Choice,
) -> tuple[Recorded, ...]:
    """The selected records to ask for by id, in the order of their addresses.

    `applications` are all that the platform lists, `observed` the components of those that records are of. Of an
    application that is not listed itself one component is asked for: with it, its whole list is missing.
    """
    listed = {application.id for application in applications}
    seen = {entry.component_id for entry in observed}
    unlisted: dict[str, list[Recorded]] = defaultdict(list)
    for address, record in sorted(recorded.items()):
        if choice.includes(address) and record.component_id not in seen:
            unlisted[record.application_id].append(record)
    asked = [
        record
        for application_id, records in unlisted.items()
        for record in (_spread(records) if application_id in listed else records[:1])
    ]
    return tuple(sorted(asked, key=lambda record: record.address))


def ensure_gone(asked: Sequence[Recorded], answering: Collection[str]) -> None:
    """Raise ListIncomplete where components that no list shows answered. `answering` are the ids of those."""
    there = [record.address for record in asked if record.component_id in answering]
    if not there:
        return
    names = ", ".join(str(address) for address in there[:_MOST_NAMES])
    more = f" and {len(there) - _MOST_NAMES} more" if len(there) > _MOST_NAMES else ""
    verb = "answer" if len(there) > 1 else "answers"
    raise ListIncomplete(
        f"the platform's lists do not show {names}{more}, which {verb} when asked for by id: the lists are incomplete, "
        "and a plan made from them would take for missing what is there",
        hint="try again; if it stays so, look in the console whether this user may see everything in the application. "
        "To leave them out for now: --exclude",
        address=str(there[0]) if len(there) == 1 else None,
    )


def _spread(records: Sequence[Recorded]) -> list[Recorded]:
    number = min(len(records), MOST_QUESTIONS)
    return [records[place * len(records) // number] for place in range(number)]
