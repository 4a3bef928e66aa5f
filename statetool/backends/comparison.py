"""The comparison of compare-and-swap, for stores that read again before they write.

Owns what counts as moved, and the sentence that says how. It must not read or write anything.
"""

from __future__ import annotations

from statetool.backends.lease import Lease
from statetool.core.state import StateFile
from statetool.errors import StateConflict


def ensure_unmoved(
    location: str, before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease
) -> None:
    """Raises StateConflict where `stored` is no longer `before`, or `after` is no successor of it."""
    moved = _find_move(before, after, stored, lease)
    if moved is not None:
        raise StateConflict(
            f"the state {location} was not saved, for it changed since this run read it: {moved}",
            hint="find out who wrote it, then run the command again; it looks at what really happened",
        )


def _find_move(before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease) -> str | None:
    if before is None:
        return None if stored is None else f"it did not exist, and holds serial {stored.serial} now"
    if stored is None:
        return f"it held serial {before.serial} and is gone now"
    if stored.lineage != before.lineage:
        return f"lineage {before.lineage} was replaced by {stored.lineage}"
    if stored.serial != before.serial:
        return f"it held serial {before.serial} and holds {stored.serial} now"
    if stored.fence > lease.fence:
        return f"it was saved under fence {stored.fence}, newer than this run's {lease.fence}"
    if after.lineage != before.lineage:
        return f"lineage {before.lineage} can't be replaced by {after.lineage}"
    return None
