"""Moving the state from the backend in use to another one: `statetool state migrate`.

Owns the order of its writes. The new place is written first and the old one marked afterwards; cut off between the
two, the same command finds the same content at both and completes. It must not print.

    lock both ─> fold ─> check ─> write there ─> mark here
"""

from __future__ import annotations

from dataclasses import dataclass

from statetool.backends import Backend
from statetool.backends.lease import Lease
from statetool.backends.places import BackendName
from statetool.backends.snapshot import Snapshot, fold_into_state, moved_marker, read_any_snapshot
from statetool.core.state import StateFile
from statetool.errors import StateError, UsageError
from statetool.session import Project
from statetool.state_work import Locking, ensure_closed, open_state, read_stored


@dataclass(frozen=True, slots=True)
class Migrated:
    """A move: from where to where, and the state as it is stored there."""

    source: str
    target: str
    state: StateFile


def migrate_state(project: Project, name: BackendName, locking: Locking) -> Migrated:
    """Move the state to the backend of that name, whose place stands in statetool.yaml.

    Raises UsageError for the backend in use; StateError while an operation is open, and where the other place holds
    something that is not an earlier state of this one.
    """
    if name == project.settings.state.backend:
        raise UsageError(f"the backend {name} is in use already", hint="name the one to move to: --to BACKEND")
    operation = f"state migrate --to {name}"
    with open_state(project, operation, locking) as (source, lease):
        snapshot = read_stored(source)
        ensure_closed(snapshot.journal)
        with open_state(project, operation, locking, name=name) as (target, target_lease):
            stored = fold_into_state(source, lease, snapshot).stored
            assert stored is not None
            there = read_any_snapshot(target)
            _ensure_takes(there, stored, target.location)
            written = _write_there(target, target_lease, there.stored, stored)
            source.write(stored, moved_marker(stored, name, target.location), lease)
            _clear_journal(source, lease)
    return Migrated(source.location, target.location, written)


def _write_there(target: Backend, lease: Lease, before: StateFile | None, state: StateFile) -> StateFile:
    # What an old journal says was over before this state: folded again later it would undo it.
    _clear_journal(target, lease)
    return target.write(before, state, lease, floor=state.serial)


def _clear_journal(backend: Backend, lease: Lease) -> None:
    if backend.read_journal():
        backend.replace_journal((), lease)


def _ensure_takes(there: Snapshot, state: StateFile, location: str) -> None:
    """Nothing may be lost at the other place: it is empty, or what it knows is older than this state."""
    ensure_closed(there.journal)
    stored = there.stored
    if stored is None:
        return
    if stored.lineage != state.lineage:
        raise StateError(
            f"{location} holds another state, of lineage {stored.lineage}; this one is {state.lineage}",
            code="other_lineage",
            hint="name an empty place in statetool.yaml",
        )
    if stored.holds_the_same_as(state) and there.state is stored:
        return  # an earlier attempt was cut off here
    # A mark has a serial of its own, one above that of the state that was moved.
    known = stored.serial - 1 if stored.moved_to is not None else stored.serial
    is_older = known <= state.serial if stored.moved_to is not None else known < state.serial
    if not is_older or there.state is not stored:
        raise StateError(
            f"{location} holds serial {stored.serial} of the same state, and this is serial {state.serial}: what is "
            "known there only would be lost",
            code="newer_there",
            hint="find out which of the two is right; `statetool state push` overwrites one on purpose",
        )
