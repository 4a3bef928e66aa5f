"""The comparison of compare-and-swap: whether a state is still what a run read.

Owns the rule and the words of what moved. It must not know where the state is, nor how it is replaced.
"""

from __future__ import annotations

from statetool.backends.lease import Lease
from statetool.core.state import StateFile
from statetool.errors import StateConflict


def ensure_unmoved(
    location: str, before: StateFile | None, after: StateFile, stored: StateFile | None, lease: Lease
) -> None:
    """Raises StateConflict where `stored` is not `before`, or `after` is another state altogether."""
    if stored is None and before is not None:
        moved = f"it held serial {before.serial} and is gone now"
    elif stored is not None and before is None:
        moved = f"it did not exist, and holds serial {stored.serial} now"
    elif stored is not None and before is not None and stored.lineage != before.lineage:
        moved = f"lineage {before.lineage} was replaced by {stored.lineage}"
    elif stored is not None and before is not None and stored.serial != before.serial:
        moved = f"it held serial {before.serial} and holds {stored.serial} now"
    elif stored is not None and stored.fence > lease.fence:
        moved = f"it was saved under fence {stored.fence}, newer than this run's {lease.fence}"
    elif before is not None and after.lineage != before.lineage:
        moved = f"lineage {before.lineage} can't be replaced by {after.lineage}"
    else:
        return
    raise StateConflict(
        f"the state {location} was not saved, for it changed since this run read it: {moved}",
        hint="find out who wrote it, then run the command again; it looks at what really happened",
    )
