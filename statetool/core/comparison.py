"""What differs between two states, by component. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from statetool.core.model import Address
from statetool.core.state import StateFile


@dataclass(frozen=True, slots=True)
class StateDifference:
    """Components that one state has and the other has not, or has otherwise. `serials` are those of the two."""

    serials: tuple[int, int]
    added: tuple[Address, ...] = ()
    changed: tuple[Address, ...] = ()
    removed: tuple[Address, ...] = ()


def compare_states(before: StateFile | None, after: StateFile) -> StateDifference:
    """What becomes of the components where `after` takes the place of `before`, each kind in order."""
    old, new = (before.components if before is not None else {}), after.components
    return StateDifference(
        (before.serial if before is not None else 0, after.serial),
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(address for address in new.keys() & old.keys() if new[address] != old[address])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )
