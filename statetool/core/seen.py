"""What is recorded as last seen, against what is seen now: all that a refresh shows and records.

Owns that comparison, and who may be asked to have its workload read again. A refresh never touches a wish, so that
what was changed outside stays drift. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from statetool.core.canonical import canonical_text
from statetool.core.model import Address, Json, Observed, Recorded, Seen, VersionPicture
from statetool.core.picture import is_worth_recording, picture_paths, seen_of
from statetool.core.selection import Selection
from statetool.core.state import StateFile, record_seen, transform

_SYNCABLE = frozenset({"RUNNING", "PENDING", "FAILED", "PARTIALLY_FAILED", "UNKNOWN"})
"""Statuses in which the platform reads a workload again: those of the console, and the one of batches [03_0115]."""


@dataclass(frozen=True, slots=True)
class SeenChange:
    """One path that is seen with another value than last time; `before` None: nothing was recorded of it."""

    address: Address
    path: str
    before: Json
    after: Json
    last_seen_at: str | None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A component in a status that keeps something from being done with it."""

    address: Address
    status: str


@dataclass(frozen=True, slots=True)
class Sightings:
    """One look at what is recorded.

    `seen` is to be recorded; `missing` are recorded, but not on the platform; `busy` are left as they were seen
    last; `not_synced` were not asked to be read again; `unchanged` counts the rest of what was looked at. `left_out`
    were not selected.
    """

    changes: tuple[SeenChange, ...]
    seen: Mapping[Address, Seen]
    missing: tuple[Address, ...]
    busy: tuple[Unsettled, ...]
    unchanged: int
    not_synced: tuple[Unsettled, ...] = ()
    left_out: tuple[Address, ...] = ()


def may_be_synced(observed: Observed) -> bool:
    """Whether the platform would read the component's workload again."""
    return observed.status.upper() in _SYNCABLE


def compare_sightings(
    recorded: Mapping[Address, Recorded],
    observed: Sequence[Observed],
    selection: Selection,
    at: str,
    not_synced: Sequence[Unsettled] = (),
) -> Sightings:
    """What a look at `at` tells that the records do not. Those that may be releasing need their `closer`."""
    by_id = {entry.component_id: entry for entry in observed}
    changes: list[SeenChange] = []
    seen: dict[Address, Seen] = {}
    missing: list[Address] = []
    busy: list[Unsettled] = []
    choice = selection.choose(())
    selected = [entry for address, entry in sorted(recorded.items()) if choice.includes(address)]
    left_out = tuple(sorted(address for address in recorded if not choice.includes(address)))
    for entry in selected:
        found = by_id.get(entry.component_id)
        if found is None:
            missing.append(entry.address)
        elif not is_worth_recording(found):
            busy.append(Unsettled(entry.address, found.status))
        else:
            now = seen_of(found, entry, at)
            moved = _compare(entry, now)
            changes += moved
            if moved:
                seen[entry.address] = now
    unchanged = len(selected) - len(missing) - len(busy) - len(seen)
    return Sightings(tuple(changes), seen, tuple(missing), tuple(busy), unchanged, tuple(not_synced), left_out)


def record_sightings(state: StateFile, sightings: Sightings) -> StateFile:
    """The state with what was seen; every wish is as it was."""
    return transform(
        state,
        (((address,), partial(record_seen, address=address, seen=seen)) for address, seen in sightings.seen.items()),
    )


def _compare(recorded: Recorded, now: Seen) -> list[SeenChange]:
    last = recorded.seen
    old, new = _values(last) if last else {}, _values(now)
    return [
        SeenChange(recorded.address, path, old.get(path), new.get(path), last.at if last else None)
        for path in dict.fromkeys((*new, *old))
        if canonical_text(old.get(path)) != canonical_text(new.get(path))
    ]


def _values(seen: Seen) -> dict[str, Json]:
    """All that is recorded of a look, by path, but for its instant."""
    return {
        "status": seen.status,
        **picture_paths(VersionPicture(seen.version, seen.gray)),
        "replicas": seen.replicas,
        "available_replicas": seen.available_replicas,
        "last_job_id": seen.last_job_id,
    }
