"""State and journal of a backend, as they stood together at one moment.

Owns the order of the two reads, and what a reader learns from both: outcomes that stand in the journal only are
part of the state; and how a writer catches up with that before it goes on. What entries say is `core/journal.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from statetool.backends import Backend, JournalEntry
from statetool.backends.lease import Lease
from statetool.backends.places import BackendName
from statetool.core.journal import Journal, compact, fold_journal, with_outcomes
from statetool.core.state import StateFile
from statetool.errors import StateError, StateUnreadable

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is recorded: `state` has what the journal knows beyond the `stored` one. Both None: there is none yet."""

    state: StateFile | None
    journal: Journal
    stored: StateFile | None


def read_snapshot(backend: Backend) -> Snapshot:
    """What is recorded in a backend. Raises StateError `state_moved` where another place holds it by now.

    Raises StateUnreadable, StateUnreachable; StateError `state_busy` where it never stood still.
    """
    snapshot = read_any_snapshot(backend)
    if snapshot.stored is not None:
        ensure_here(snapshot.stored, backend)
    return snapshot


def read_any_snapshot(backend: Backend) -> Snapshot:
    """The same, also of a state that was moved away from here. Raises as `ensure_belongs` does."""
    entries = backend.read_journal()
    for _ in range(_TRIES):
        before, stored, entries = entries, backend.read(), backend.read_journal()
        if _continues(before, entries):
            journal = _fold(backend, entries)
            if stored is not None:
                ensure_belongs(journal, stored, backend)
            return Snapshot(None if stored is None else with_outcomes(stored, journal), journal, stored)
    raise StateError(
        f"the state {backend.location} changes faster than it can be read",
        code="state_busy",
        hint="wait for the run that writes it (`statetool lock show`), then run the command again",
    )


def ensure_belongs(journal: Journal, state: StateFile, backend: Backend) -> None:
    """A state that was put beside the journal of another one must not get what that one's runs did.

    Raises StateError `foreign_journal`. A journal that holds nothing fits any state, and so does one that does not say
    where it belongs.
    """
    run = journal.run
    if run is None or run.lineage in (None, state.lineage) or (journal.is_folded and not journal.operations):
        return
    raise StateError(
        f"the state {backend.location} is of lineage {state.lineage}, and the journal beside it belongs to one of "
        f"lineage {run.lineage}: run {run.run_id} ({run.operation}, since {run.at}) was interrupted, and somebody put "
        f"another state there. Operations in the journal: {len(journal.operations)} open, {journal.closed} that "
        "ended and were not saved",
        code="foreign_journal",
        hint=f"put the state of lineage {run.lineage} back. Where this one is right, look up on the platform what "
        "became of those (`statetool lock show` names what is open), and set the journal aside (docs/state.md, How to "
        "repair)",
    )


def ensure_here(state: StateFile, backend: Backend) -> None:
    """Raises StateError `state_moved`, naming the new place and the line of statetool.yaml that leads there."""
    if state.moved_to is None:
        return
    name = state.moved_to.partition(" ")[0]
    line = f"`backend: {name}`" if name in get_args(BackendName) else "that backend"
    raise StateError(
        f"the state {backend.location} was moved to {state.moved_to}",
        code="state_moved",
        hint=f"write {line} under state: in statetool.yaml",
    )


def moved_marker(state: StateFile, name: BackendName, location: str) -> StateFile:
    """What stays behind of a state that is kept by the backend `name` from now on."""
    return replace(state, moved_to=f"{name} {location}")


def _continues(before: tuple[JournalEntry, ...], after: tuple[JournalEntry, ...]) -> bool:
    """Whether entries were only added between two reads, so that no outcome left the journal in the meantime.

    A writer saves the state first and shortens the journal afterwards. A journal that was empty must still be: all
    of another run, outcomes that it dropped again included, could lie between.
    """
    return after[: len(before)] == before and bool(before) == bool(after)


def _fold(backend: Backend, entries: tuple[JournalEntry, ...]) -> Journal:
    try:
        return fold_journal(entries)
    except StateUnreadable as error:
        raise StateUnreadable(f"{backend.location}: {error.message}", hint=error.hint) from None


def fold_into_state(backend: Backend, lease: Lease, snapshot: Snapshot) -> Snapshot:
    """Give the stored state what only the journal knows, and shorten the journal to what is open. For the lock's
    holder, before it writes anything else: entries that are folded again later must not undo what came after them.

    Raises StateError and its kinds.
    """
    journal = snapshot.journal
    if journal.is_folded:
        return snapshot
    state, stored = snapshot.state, snapshot.stored
    if state is not None and state is not stored:
        state = stored = backend.write(stored, state, lease)
    left = compact(journal, has_ended=True)
    backend.replace_journal(left, lease)
    return Snapshot(state, fold_journal(left), stored)
