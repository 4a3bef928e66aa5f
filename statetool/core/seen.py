"""What of the recorded `seen` is no longer what is observed: what `refresh` shows before it writes it down.

Owns comparing two looks at a component. It must not touch wishes: what was changed outside stays drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from statetool.core.canonical import canonical_text
from statetool.core.model import Address, Json, Observed, Recorded, Seen, VersionPicture
from statetool.core.picture import picture_paths, seen_of


@dataclass(frozen=True, slots=True)
class SeenChange:
    """One value that moved since it was last seen. `last_seen_at` is None where it never was."""

    address: Address
    path: str
    before: Json
    after: Json
    last_seen_at: str | None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a new look shows: the values that moved, what is to be recorded, and what the platform has no more."""

    changes: tuple[SeenChange, ...]
    seen: Mapping[Address, Seen]
    gone: tuple[Address, ...]


def compare_seen(recorded: Mapping[Address, Recorded], observed: Iterable[Observed], at: str) -> Refreshed:
    """A new look at recorded components against the last one. What a job is moving is looked at another time.

    `observed` need their `closer` where a gray release may be open.
    """
    by_id = {entry.component_id: entry for entry in observed}
    changes: list[SeenChange] = []
    seen: dict[Address, Seen] = {}
    for address, record in sorted(recorded.items()):
        now = by_id.get(record.component_id)
        if now is None or (now.may_be_releasing and now.closer is None):
            continue
        after = seen_of(now, record, at)
        moved = _moved(address, record.seen, after)
        if moved or record.seen is None:
            seen[address] = after
            changes.extend(moved)
    gone = tuple(sorted(address for address, record in recorded.items() if record.component_id not in by_id))
    return Refreshed(tuple(changes), seen, gone)


def _moved(address: Address, before: Seen | None, after: Seen) -> list[SeenChange]:
    old, new = _paths(before) if before else {}, _paths(after)
    at = before.at if before else None
    return [
        SeenChange(address, path, old.get(path), new.get(path), at)
        for path in dict.fromkeys((*new, *old))
        if canonical_text(old.get(path)) != canonical_text(new.get(path))
    ]


def _paths(seen: Seen) -> dict[str, Json]:
    """The values people know a component by; its last job moves with every one of them and is not told."""
    return {
        **picture_paths(VersionPicture(seen.version, seen.gray)),
        "replicas": seen.replicas,
        "available_replicas": seen.available_replicas,
        "status": seen.status,
    }
