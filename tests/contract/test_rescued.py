"""What a state somewhere else could not be told is kept on this machine, and nothing goes on until it is dealt with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from contract_kit import first_state, info, silent, with_cart
from memory_backend import MemoryBackend, MemoryStore

from statetool.backends.lease import Lease
from statetool.backends.rescued import RescuedBackend
from statetool.backends.state_text import parse_state
from statetool.core.state import StateFile
from statetool.errors import StateConflict, StateError, StateUnreachable


class Failing(MemoryBackend):
    """Refuses to save with that error, while there is one."""

    failure: StateError | None = None

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        if self.failure is not None:
            raise self.failure
        return super().write(before, after, lease, floor=floor)


def opened(store: MemoryStore, folder: Path, failure: StateError | None = None) -> RescuedBackend:
    """A client of that store as a new run would open it."""
    inner = Failing(store, lambda _: None)
    inner.failure = failure
    return RescuedBackend(inner, folder, "postgres-state.json")


def test_a_save_that_fails_is_kept_here_until_it_is_pushed(tmp_path: Path) -> None:
    """The message names the file and the command; runs are refused; whoever repairs gets in, and nothing is left."""
    store = MemoryStore(lambda: 0.0)
    backend = opened(store, tmp_path, StateUnreachable("the database went away"))
    with backend.lock(info(), 0, silent) as lease, pytest.raises(StateError) as failed:
        backend.write(None, first_state(), lease)
    [rescue] = tmp_path.iterdir()
    assert rescue.name == "postgres-state.json.rescue-1"
    assert rescue.stat().st_mode & 0o777 == 0o600
    assert str(rescue) in failed.value.message
    assert f"statetool state push {rescue}" in str(failed.value.hint)
    assert "the database went away" in failed.value.message

    again = opened(store, tmp_path)
    assert [found.code for found in again.check_place()] == ["rescue_pending"]
    with pytest.raises(StateError) as refused, again.lock(info(), 0, silent):
        pass
    assert refused.value.code == "rescue_pending"

    rescued = parse_state(rescue.read_bytes())
    with again.lock(info(), 0, silent, repairing=True) as lease:
        assert again.write(None, rescued, lease, floor=rescued.serial).serial == 1
    assert list(tmp_path.iterdir()) == []
    with opened(store, tmp_path).lock(info(), 0, silent):
        pass


def test_a_rescue_keeps_no_other_state_from_being_worked_on(tmp_path: Path) -> None:
    """One folder, two places: at the other one it could not be pushed, and at its own it still waits."""
    first, second = MemoryStore(lambda: 0.0), MemoryStore(lambda: 0.0)
    there = opened(second, tmp_path)
    with there.lock(info(), 0, silent) as lease:
        there.write(None, replace(first_state(), lineage="another"), lease)
    failing = opened(first, tmp_path, StateUnreachable("the database went away"))
    with failing.lock(info(), 0, silent) as lease, pytest.raises(StateError):
        failing.write(None, replace(first_state(), serial=4), lease, floor=5)
    with opened(second, tmp_path).lock(info(), 0, silent):
        pass
    assert [found.code for found in opened(first, tmp_path).check_place()] == ["rescue_pending"]


def test_after_a_failed_save_the_file_has_the_last_word(tmp_path: Path) -> None:
    """The person was told of it: what the run still learns goes there, also where the store is back."""
    store = MemoryStore(lambda: 0.0)
    inner = Failing(store, lambda _: None)
    backend = RescuedBackend(inner, tmp_path, "s3-state.json")
    with backend.lock(info(), 0, silent) as lease:
        inner.failure = StateUnreachable("gone")
        with pytest.raises(StateError):
            backend.write(None, first_state(), lease)
        inner.failure = None
        later = with_cart(first_state(), "c2")
        with pytest.raises(StateError, match="an earlier save of this run failed"):
            backend.write(None, later, lease)
    [rescue] = tmp_path.iterdir()
    kept = parse_state(rescue.read_bytes())
    assert kept == replace(later, serial=kept.serial, fence=kept.fence)
    assert inner.read() is None


def test_a_state_of_somebody_else_is_no_case_for_a_rescue(tmp_path: Path) -> None:
    """Pushing over it would lose what he wrote."""
    backend = opened(MemoryStore(lambda: 0.0), tmp_path, StateConflict("it holds serial 9 now"))
    with backend.lock(info(), 0, silent) as lease, pytest.raises(StateConflict):
        backend.write(None, first_state(), lease)
    assert list(tmp_path.iterdir()) == []
