"""Earlier serials of a local state: which are kept, which are told, and that they never cost a save."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from statetool.backends import LockInfo, StoredSerial
from statetool.backends.files import FileSystem
from statetool.backends.local import LocalBackend
from statetool.backends.places import LocalPlace
from statetool.core.state import Overridden, StateFile, new_state, record_overridden
from statetool.errors import StateError, StateUnreadable

INFO = LockInfo("lock-1", "apply", "ann@builder", "builder", 4711, "0.1.0", "2026-11-23T08:00:00Z")


def silent(_holder: LockInfo | None) -> None:
    """Nobody waits in these tests."""


def changed(state: StateFile) -> StateFile:
    """The state with other content."""
    return record_overridden(state, Overridden("2026-11-23T08:00:00Z", f"run-{state.serial}", "ann@ci", ("freeze",)))


def save(backend: LocalBackend, count: int, *, lineage: str = "lineage") -> list[StateFile]:
    """So many serials, under one lock."""
    saved: list[StateFile] = []
    with backend.lock(INFO, 0, silent) as lease:
        for _ in range(count):
            stored = backend.read()
            saved.append(backend.write(stored, changed(stored or new_state(lineage, "0.1.0")), lease))
    return saved


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def serials(backend: LocalBackend) -> list[int]:
    return [one.serial for one in backend.read_history()]


def test_the_last_ten_serials_can_be_read(path: Path) -> None:
    """Beside the stored one, newest first, each exactly as it was, with the time it was stored."""
    backend = LocalBackend(LocalPlace(path))
    assert backend.capabilities.has_history
    assert backend.read_history() == ()
    saved = save(backend, 13)
    assert serials(LocalBackend(path)) == list(range(13, 2, -1))
    assert [backend.read_serial(state.serial) for state in saved[2:]] == saved[2:]
    for missing in (0, -1, 2, 14):
        with pytest.raises(StateError) as caught:
            backend.read_serial(missing)
        assert caught.value.code == "no_such_serial"
    (earlier,) = path.with_name("state.json.history").glob("7-*")
    os.utime(earlier, (1_800_000_000, 1_800_000_000))
    assert StoredSerial(7, "2027-01-15T08:00:00Z") in backend.read_history()


def test_a_state_made_anew_has_a_history_of_its_own(path: Path) -> None:
    """And the one of the former state is not touched."""
    backend = LocalBackend(path)
    first = save(backend, 3)
    path.unlink()
    assert backend.read_history() == ()
    with pytest.raises(StateError, match="is not kept"):
        backend.read_serial(1)
    second = save(backend, 2, lineage="another")
    assert serials(backend) == [2, 1]
    assert backend.read_serial(1) == second[0] != first[0]
    assert len(list(path.with_name("state.json.history").iterdir())) == 3


def test_what_comes_after_an_older_state_that_was_put_back_does_not_count(path: Path) -> None:
    """It is of a future that was taken back, and gives way as the serials grow."""
    backend = LocalBackend(path)
    saved = save(backend, 8)
    (fifth,) = path.with_name("state.json.history").glob("5-*")
    fifth.rename(path)
    assert serials(backend) == [5, 4, 3, 2, 1]
    with pytest.raises(StateError, match="serial 7 of"):
        backend.read_serial(7)
    (again,) = save(backend, 1)
    assert again == replace(changed(saved[4]), serial=6, fence=again.fence)
    assert serials(backend) == [6, 5, 4, 3, 2, 1]


def test_a_serial_that_is_damaged_is_named(path: Path) -> None:
    """Cut, of another state, a link."""
    backend = LocalBackend(path)
    save(backend, 4)
    (third,) = path.with_name("state.json.history").glob("3-*")
    content = third.read_bytes()
    for damage, says in ((content[:-9], "not JSON"), (content.replace(b'"serial": 3', b'"serial": 2'), "not serial 3")):
        third.write_bytes(damage)
        with pytest.raises(StateUnreadable, match=says) as caught:
            backend.read_serial(3)
        assert str(third) in caught.value.message
    third.unlink()
    third.symlink_to(path)
    with pytest.raises(StateUnreadable, match="it is a symbolic link"):
        backend.read_serial(3)
    assert serials(backend) == [4, 2, 1]


@pytest.mark.parametrize("is_link", [True, False])
def test_what_stands_in_the_place_of_the_folder_is_refused_before_a_run(path: Path, is_link: bool) -> None:
    """Nothing is written through a link; a look at the place tells beforehand."""
    backend = LocalBackend(path)
    save(backend, 1)
    folder, elsewhere = path.with_name("state.json.history"), path.with_name("elsewhere")
    elsewhere.mkdir()
    if is_link:
        folder.symlink_to(elsewhere)
    else:
        folder.write_text("")
    says = "a symbolic link, which is refused" if is_link else "not a folder"
    with pytest.raises(StateError, match=says) as caught:
        save(backend, 1)
    (found,) = backend.check_place()
    assert found.code == caught.value.code == "state_folder"
    assert serials(backend) == [1]
    folder.unlink()
    with backend.lock(INFO, 0, silent) as lease:
        folder.symlink_to(elsewhere)
        stored = backend.read()
        assert stored is not None
        assert backend.write(stored, changed(stored), lease).serial == 2
    assert list(elsewhere.iterdir()) == []


def test_without_hard_links_copies_are_kept(path: Path) -> None:
    """They tell when their content was stored, not when they were copied."""

    class NoLinks(FileSystem):
        """As some mounted file systems are."""

        def link(self, source: Path, target: Path) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

    backend = LocalBackend(path, files=NoLinks())
    save(backend, 1)
    os.utime(path, (1_800_000_000, 1_800_000_000))
    save(backend, 1)
    assert backend.read_history()[1] == StoredSerial(1, "2027-01-15T08:00:00Z")
    assert backend.read_serial(1).serial == 1


def test_leftovers_of_killed_writers_are_removed(path: Path) -> None:
    """Only ours."""
    backend = LocalBackend(path)
    save(backend, 2)
    folder = path.with_name("state.json.history")
    (kept,) = folder.iterdir()
    (folder / f"{kept.name}.tmp-0123456789abcdef").write_text("{")
    (folder / "notes.tmp-0123456789abcdef").write_text("")
    save(backend, 1)
    names = {entry.name for entry in folder.iterdir()}
    assert {re.sub(r"-[0-9a-f]{8}\.json", ".json", name) for name in names} == {
        "1.json",
        "2.json",
        "notes.tmp-0123456789abcdef",
    }
