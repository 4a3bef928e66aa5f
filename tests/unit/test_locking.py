"""Taking a lock that somebody else has: who waits, and who is refused, is told how far that run is."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from statetool import surroundings
from statetool.backends import Backend, LockInfo
from statetool.backends.local import LocalBackend
from statetool.cli.console import Console
from statetool.cli.running import tell_lock_wait
from statetool.core.journal import RunNote, entry_to_json, run_entry
from statetool.errors import StateError, StateLocked
from statetool.locking import hold_lock

HOLDER = replace(surroundings.lock_info("apply", "run-7", "0.1.0", {}), who="ci@runner", created="2026-11-23T08:00:00Z")
OTHER = surroundings.lock_info("refresh", "run-8", "0.1.0", {})
NOTE = RunNote("run-7", "apply", 1, "2026-11-23T08:00:00Z", actions=40, ended=12)


class Time:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("run_id", "far"), [("run-7", ", 12 of 40 actions ended"), ("run-6", "")])
def test_who_waits_in_vain_is_told_how_far_the_holder_is(tmp_path: Path, run_id: str, far: str) -> None:
    """While waiting and at the end; a journal that another run left says nothing of this one."""
    time, waited, err = Time(), list[LockInfo | None](), io.StringIO()

    def opened() -> Backend:
        return LocalBackend(tmp_path / "state.json", clock=time.clock, sleep=time.sleep)

    first = opened()
    with first.lock(HOLDER, 0, waited.append) as lease:
        first.append([entry_to_json(run_entry(replace(NOTE, run_id=run_id)))], lease)
        with pytest.raises(StateLocked) as caught, hold_lock(opened, OTHER, 5, waited.append):
            pass
    assert ("12 of 40 actions ended" in caught.value.message) is bool(far)
    [holder] = waited
    tell_lock_wait(Console(None, None, err, {}), holder)
    assert err.getvalue() == (
        f"waiting for the state's lock, held by apply of ci@runner since 2026-11-23T08:00:00Z{far}\n"
    )


def test_what_goes_wrong_while_it_is_held_stays_what_it_is(tmp_path: Path) -> None:
    """Only the taking of the lock is explained, and it is given back."""

    def opened() -> Backend:
        return LocalBackend(tmp_path / "state.json")

    with pytest.raises(StateError, match="of the inside"), hold_lock(opened, OTHER, 0, lambda _: None) as (backend, _):
        assert backend.find_holder() is not None
        raise StateLocked("of the inside")
    assert opened().find_holder() is None
