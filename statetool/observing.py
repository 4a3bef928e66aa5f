"""Which requests show what runs: list pages first; detail, records and earlier versions where they tell more.

Owns the order of these looks. What an answer means is `servicestage/`, which components need a closer look is
`core/project.py`. It must not decide anything about a component, nor change one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from statetool.core.missing import ensure_gone, find_unlisted
from statetool.core.model import Address, Desired, Observed, Recorded
from statetool.core.project import find_closer_looks, find_past_looks
from statetool.core.selection import Selection, ensure_something_selected

if TYPE_CHECKING:
    from statetool.servicestage.client import ServiceStage


async def observe(
    platform: ServiceStage,
    desired: Sequence[Desired],
    recorded: Mapping[Address, Recorded],
    selection: Selection,
) -> tuple[Observed, ...]:
    """Every component of the applications in question: list pages first, details only where a row can't tell.

    Raises ListIncomplete where a recorded component is in no list, but answers when asked for by its id.
    """
    ensure_something_selected(selection, desired, recorded)
    choice = selection.choose(desired)
    wanted = {entry.address for entry in desired} | set(recorded)
    names = {address.application for address in wanted if choice.includes(address)}
    names |= {record.application_id for address, record in recorded.items() if choice.includes(address)}
    listed = await platform.fetch_applications()
    observed = await platform.fetch_components_of([a for a in listed if a.name in names or a.id in names])
    unlisted = find_unlisted(recorded, listed, observed, choice)
    ensure_gone(unlisted, await platform.fetch_existing(unlisted))
    unclear = find_closer_looks(desired, recorded, observed, selection)
    observed = with_looks(await platform.fetch_closer_looks(unclear), observed)
    past = find_past_looks(desired, recorded, observed, selection)
    return with_looks(await platform.fetch_past(past), observed)


def with_looks(looked_at: Sequence[Observed], observed: Sequence[Observed]) -> tuple[Observed, ...]:
    """All components, some of them as they were looked at again."""
    closer = {entry.component_id: entry for entry in looked_at}
    return tuple(closer.get(entry.component_id, entry) for entry in observed)
