"""What a reader without a lock sees while somebody writes: real local backends, in every order of their calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from statetool.backends import Backend, JournalEntry, LockInfo
from statetool.backends.lease import Lease
from statetool.backends.local import LocalBackend
from statetool.backends.snapshot import moved_marker, read_any_snapshot, read_snapshot
from statetool.core.journal import (
    Entry,
    EntryType,
    Journal,
    RunNote,
    closing_entry,
    compact,
    entry_to_json,
    run_entry,
)
from statetool.core.model import Address, AppliedFrom, Recorded
from statetool.core.plan import Change, Kind
from statetool.core.state import StateFile, new_state, record_component
from statetool.errors import StateError, StateUnreadable

CART = Address("shop", "cart")
AT = "2026-11-23T08:00:00Z"
RUN = RunNote("run-1", "apply", 1, AT, actions=2)


def with_run(state: StateFile, run_id: str) -> StateFile:
    """The state with the record of cart as that run wrote it."""
    change = Change(CART, f"c-{run_id}", "a1", None, Kind.ADOPT, None)
    return record_component(state, change, run_id=run_id, at=AT, applied_from=AppliedFrom())


def outcome(operation: str, run_id: str) -> JournalEntry:
    """An operation that ended, with cart as that run left it."""
    record = with_run(new_state("L", "0.1.0"), run_id).components[CART]
    return entry_to_json(closing_entry(EntryType.DONE, operation, AT, 1, records=(record,)))


def found(state: StateFile | None) -> Recorded | None:
    return state.components.get(CART) if state else None


class Writer:
    """Another process that holds the lock."""

    def __init__(self, path: Path) -> None:
        self.backend = LocalBackend(path)
        self._lock = self.backend.lock(
            LockInfo("lock-1", "apply", "mei@host", "host", 1, "0.1.0", AT), 0.0, lambda holder: None
        )
        self.lease: Lease = self._lock.__enter__()
        self.stored: StateFile | None = None

    def close(self) -> None:
        self._lock.__exit__(None, None, None)

    def save(self, state: StateFile) -> None:
        self.stored = self.backend.write(self.stored, state, self.lease)

    def append(self, *entries: JournalEntry) -> None:
        self.backend.append(entries, self.lease)

    def replace(self, *entries: JournalEntry) -> None:
        self.backend.replace_journal(entries, self.lease)


class Reader:
    """A backend as it is read: what happens before each of its calls is the test's to say."""

    def __init__(self, path: Path, *before: Callable[[], None]) -> None:
        self._backend = LocalBackend(path)
        self._before = iter(before)

    @property
    def location(self) -> str:
        return self._backend.location

    def read(self) -> StateFile | None:
        next(self._before, lambda: None)()
        return self._backend.read()

    def read_journal(self) -> tuple[JournalEntry, ...]:
        next(self._before, lambda: None)()
        return self._backend.read_journal()


def read_while(path: Path, *before: Callable[[], None]) -> Backend:
    return cast(Backend, Reader(path, *before))


def nothing() -> None:
    """Nobody writes just then."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    """A writer whose journal says what run-1 made of cart, which its state does not have yet."""
    writing = Writer(path)
    writing.save(with_run(new_state("L", "0.1.0"), "run-0"))
    writing.append(entry_to_json(run_entry(RUN)), outcome("cart#1", "run-1"))
    yield writing
    writing.close()


def test_nothing_is_recorded_where_nothing_was_written(path: Path) -> None:
    """Neither a state nor a journal: both are empty, and reading makes neither."""
    snapshot = read_snapshot(LocalBackend(path))
    assert (snapshot.state, snapshot.stored, snapshot.journal.run) == (None, None, None)
    assert list(path.parent.iterdir()) == []


def test_an_outcome_of_the_journal_is_part_of_the_state(path: Path, writer: Writer) -> None:
    """A run that was killed before its checkpoint is read as if it had saved; `stored` is what stands in the file."""
    snapshot = read_snapshot(LocalBackend(path))
    cart, before = found(snapshot.state), found(snapshot.stored)
    assert cart is not None and before is not None
    assert (cart.run_id, before.run_id) == ("run-1", "run-0")
    assert snapshot.journal.run == RUN


@pytest.mark.parametrize("moment", range(1, 3))
def test_a_checkpoint_between_two_reads_loses_no_outcome(path: Path, writer: Writer, moment: int) -> None:
    """State and journal of different times would miss what left the journal: they are read again."""

    def checkpoint() -> None:
        assert writer.stored is not None
        writer.save(with_run(writer.stored, "run-1"))
        writer.replace(*compact(Journal(replace(RUN, ended=1))))

    steps = [nothing, nothing, nothing]
    steps[moment] = checkpoint
    snapshot = read_snapshot(read_while(path, *steps))
    cart = found(snapshot.state)
    assert cart is not None and cart.run_id == "run-1"
    assert snapshot.journal.run == replace(RUN, ended=1)


def test_an_old_outcome_does_not_undo_a_newer_state(path: Path, writer: Writer) -> None:
    """The journal was read, then two checkpoints and a third outcome passed by: the newest word counts."""

    def later() -> None:
        assert writer.stored is not None
        writer.save(with_run(writer.stored, "run-2"))
        writer.replace(entry_to_json(run_entry(replace(RUN, run_id="run-2"))))
        writer.append(outcome("cart#3", "run-3"))

    cart = found(read_snapshot(read_while(path, nothing, later)).state)
    assert cart is not None and cart.run_id == "run-3"


def test_a_run_that_began_between_the_reads_is_read_whole(path: Path, writer: Writer) -> None:
    """An empty journal that is none any more says nothing of what passed through it."""
    writer.replace()

    def begin() -> None:
        writer.append(entry_to_json(run_entry(RUN)))
        assert writer.stored is not None
        writer.save(with_run(writer.stored, "run-1"))

    snapshot = read_snapshot(read_while(path, nothing, nothing, begin))
    cart = found(snapshot.stored)
    assert cart is not None and cart.run_id == "run-1"


def test_entries_that_are_only_added_need_no_second_look(path: Path, writer: Writer) -> None:
    """A busy run does not keep readers waiting: what came meanwhile is read with the rest."""
    backend = read_while(path, nothing, nothing, lambda: writer.append(outcome("cart#2", "run-2")))
    cart = found(read_snapshot(backend).state)
    assert cart is not None and cart.run_id == "run-2"


def test_a_state_that_never_stands_still_is_an_error(path: Path, writer: Writer) -> None:
    """It ends after a few tries, and says what to do."""
    numbers = iter(range(2, 100))

    def change() -> None:
        writer.replace(entry_to_json(run_entry(replace(RUN, ended=next(numbers)))))

    with pytest.raises(StateError) as caught:
        read_snapshot(read_while(path, *[change] * 50))
    assert caught.value.code == "state_busy"
    assert next(numbers) < 20


def test_a_state_that_was_moved_says_where_to(path: Path, writer: Writer) -> None:
    """What stays behind is no state to go on with; whoever moves it back still sees it."""
    assert writer.stored is not None
    writer.save(moved_marker(writer.stored, "postgres", "postgresql://db/team, state shop"))
    with pytest.raises(StateError) as caught:
        read_snapshot(LocalBackend(path))
    assert caught.value.code == "state_moved"
    assert "postgres postgresql://db/team, state shop" in caught.value.message
    assert caught.value.hint is not None and "`backend: postgres`" in caught.value.hint
    behind = read_any_snapshot(LocalBackend(path)).state
    assert behind is not None and CART in behind.components


@pytest.mark.parametrize("read", [read_snapshot, read_any_snapshot])
def test_a_journal_of_another_state_is_not_folded(
    path: Path, writer: Writer, read: Callable[[Backend], object]
) -> None:
    """Somebody put another state beside it: both lineages are named, and which run was interrupted."""
    writer.replace(entry_to_json(run_entry(replace(RUN, lineage="M"))), outcome("cart#1", "run-1"))
    with pytest.raises(StateError) as caught:
        read(LocalBackend(path))
    assert caught.value.code == "foreign_journal"
    for part in (str(path), "lineage L", "lineage M", "run run-1 (apply, since 2026-11-23T08:00:00Z)"):
        assert part in caught.value.message
    assert caught.value.hint is not None and "the state of lineage M back" in caught.value.hint


@pytest.mark.parametrize("entries", [("L", True), (None, True), ("M", False)])
def test_a_journal_fits_its_own_state(path: Path, writer: Writer, entries: tuple[str | None, bool]) -> None:
    """So does one that does not say where it belongs, and one of another state that holds nothing."""
    lineage, has_outcome = entries
    run = replace(RUN, lineage=lineage)
    writer.replace(entry_to_json(run_entry(run)), *([outcome("cart#1", "run-1")] if has_outcome else ()))
    assert read_snapshot(LocalBackend(path)).journal.run == run


def test_an_entry_that_makes_no_sense_names_its_place(path: Path, writer: Writer) -> None:
    """A journal of a newer version, or one somebody edited: the error says which, and where it stands."""
    writer.append(entry_to_json(Entry(EntryType.INTENT, AT, 1, "cart#2", {"run_id": 7})))
    with pytest.raises(StateUnreadable, match=r"state\.json.*entry 3 of the journal"):
        read_snapshot(LocalBackend(path))
