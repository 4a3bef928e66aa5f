"""The local backend on a real disk: modes, names, links, leftovers, damage, and the note of the lock."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from statetool.backends import LockInfo
from statetool.backends.files import FileSystem
from statetool.backends.local import LocalBackend
from statetool.backends.state_text import StateText
from statetool.core.model import Address, AppliedFrom
from statetool.core.plan import Change, Kind
from statetool.core.state import StateFile, new_state, record_component
from statetool.errors import StateError, StateLocked, StateUnreadable

INFO = LockInfo("lock-1", "apply", "ann@builder", "builder", 4711, "0.1.0", "2026-11-23T08:00:00Z")


def silent(_holder: LockInfo | None) -> None:
    """Nobody waits in these tests."""


def recorded(state: StateFile, name: str) -> StateFile:
    """The state with one more component."""
    change = Change(Address("shop", name), f"id-{name}", "a1", None, Kind.ADOPT, None)
    return record_component(state, change, run_id="r1", at="2026-11-23T08:00:00Z", applied_from=AppliedFrom())


def save(path: Path, names: str) -> StateFile:
    """One serial for each letter, each under its own lock."""
    backend = LocalBackend(path)
    state = backend.read()
    for name in names:
        with backend.lock(INFO, 0, silent) as lease:
            state = backend.write(state, recorded(state or new_state("lineage", "0.1.0"), f"c-{name}"), lease)
    assert state is not None
    return state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state file that does not exist yet, in a folder that does not either."""
    return tmp_path / "project" / ".statetool" / "state.json"


def test_everything_is_for_its_owner_only(path: Path) -> None:
    """Folders that were made 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        save(path, "ab")
        backend = LocalBackend(path)
        with backend.lock(INFO, 0, silent) as lease:
            backend.append([{"type": "run"}], lease)
    finally:
        os.umask(before)
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.rglob("*")}
    (earlier,) = (entry.name for entry in path.with_name("state.json.history").iterdir())
    names = (
        "state.json",
        "state.json.backup",
        "state.json.journal",
        "state.json.lock",
        "state.json.lock-info",
        earlier,
    )
    assert modes == {**dict.fromkeys(names, 0o600), "state.json.history": 0o700}


def test_a_state_others_could_read_is_for_its_owner_after_a_save(path: Path) -> None:
    """The new file never takes over the old one's mode."""
    save(path, "a")
    path.chmod(0o644)
    save(path, "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_previous_serial_is_kept_beside(path: Path) -> None:
    """After each save the backup is exactly the state before."""
    assert save(path, "a").serial == 1
    first = path.read_bytes()
    assert not path.with_name("state.json.backup").exists()
    save(path, "b")
    second = path.read_bytes()
    assert path.with_name("state.json.backup").read_bytes() == first
    save(path, "c")
    assert path.with_name("state.json.backup").read_bytes() == second


def test_a_component_takes_one_line(path: Path) -> None:
    """So that two serials compare line by line; and the file is plain JSON."""
    save(path, "ab")
    lines = path.read_text().splitlines()
    assert [line.split('"')[1] for line in lines if line.startswith('"shop/')] == ["shop/c-a", "shop/c-b"]
    assert json.loads(path.read_text())["serial"] == 2


def test_reading_makes_nothing(path: Path) -> None:
    """Not even the folder."""
    assert LocalBackend(path).read() is None
    assert not path.parent.exists()
    save(path, "a")
    before = sorted((entry.name, entry.stat().st_mtime_ns) for entry in path.parent.iterdir())
    assert LocalBackend(path).read() is not None
    assert before == sorted((entry.name, entry.stat().st_mtime_ns) for entry in path.parent.iterdir())


def test_a_state_replaced_or_edited_by_somebody_else_is_read_anew(path: Path) -> None:
    """What a client remembers is only worth as long as the very file is the same."""
    backend = LocalBackend(path)
    state = save(path, "a")
    assert backend.read() == state
    later = save(path, "b")
    assert backend.read() == later
    edited = replace(later, lineage="a longer lineage")
    path.write_bytes(StateText().render(edited))
    assert backend.read() == edited
    path.unlink()
    assert backend.read() is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b'{"format_version": "1.0"', "not JSON"),
        (b'{"serial": 1, "serial": 2}', "the key serial stands twice"),
        (b'{"serial": NaN}', "NaN is not a number"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b"\xff", "not UTF-8"),
        (b'{"format_version": "2.0"}', "format version 2.0 is newer"),
        (b'{"format_version": "1.0", "components": {}}', "lineage must be text, not missing"),
    ],
)
def test_a_damaged_state_is_named_with_reason_and_backup(path: Path, content: bytes, says: str) -> None:
    """For reading and for locking alike; nothing is written over it, and what a newer version wrote is not damaged."""
    save(path, "ab")
    path.write_bytes(content)
    with pytest.raises(StateUnreadable, match=says) as caught:
        LocalBackend(path).read()
    assert str(path) in caught.value.message
    hint = caught.value.hint or ""
    assert f"the previous serial stands in {path}.backup" in hint
    assert ("copy it over the damaged file" in hint) is ("newer" not in says)
    with pytest.raises(StateUnreadable, match=says), LocalBackend(path).lock(INFO, 0, silent):
        pass
    assert path.read_bytes() == content


def test_a_state_cut_anywhere_is_unreadable_or_whole(path: Path) -> None:
    """At every byte of a real file."""
    state = save(path, "ab")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            assert LocalBackend(path).read() == state
        except StateUnreadable:
            continue


def test_what_is_not_a_file_is_refused(path: Path) -> None:
    """A link, a link to nowhere, a folder, a pipe: each with its reason, and none is written to."""
    save(path, "a")
    elsewhere = path.with_name("elsewhere.json")
    path.rename(elsewhere)
    content = elsewhere.read_bytes()

    def refused(says: str) -> None:
        with pytest.raises(StateUnreadable, match=says):
            LocalBackend(path).read()
        with pytest.raises(StateUnreadable, match=says), LocalBackend(path).lock(INFO, 0, silent):
            pass

    path.symlink_to(elsewhere)
    refused("it is a symbolic link, which is refused")
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))
    refused("it is a symbolic link, which is refused")
    path.unlink()
    os.mkfifo(path)
    refused("not a regular file")
    path.unlink()
    path.mkdir()
    refused("it is a folder")
    assert elsewhere.read_bytes() == content


def test_a_lock_that_is_a_link_is_refused(path: Path) -> None:
    """Its target might be anybody's."""
    save(path, "a")
    lock = path.with_name("state.json.lock")
    lock.unlink()
    lock.symlink_to(path)
    with pytest.raises(StateError, match="it is a symbolic link") as caught, LocalBackend(path).lock(INFO, 0, silent):
        pass
    assert caught.value.code == "lock_failed"


def test_a_folder_that_can_not_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    """Here a file stands where the folder should."""
    (tmp_path / "file").write_text("")
    backend = LocalBackend(tmp_path / "file" / "deeper" / "state.json")
    with pytest.raises(StateError, match=r"can't make the folder .*deeper") as caught, backend.lock(INFO, 0, silent):
        pass
    assert caught.value.code == "state_folder"
    with pytest.raises(StateError), LocalBackend(tmp_path / "file" / "state.json").lock(INFO, 0, silent):
        pass


def test_leftovers_of_killed_writers_are_removed_under_the_lock(path: Path) -> None:
    """Only ours: a file of somebody who chose a similar name stays."""
    state = save(path, "a")
    token = "0123456789abcdef"
    ours = [f"state.json.tmp-{token}", f"state.json.lock-info.tmp-{token}", f"state.json.rescue-9.tmp-{token}"]
    others = [f"state.json.old.tmp-{token}", "state.json.tmp-mine", f"other.json.tmp-{token}"]
    for name in ours + others:
        path.with_name(name).write_text("{")
    assert LocalBackend(path).read() == state
    save(path, "b")
    left = {entry.name for entry in path.parent.iterdir()}
    assert not left & set(ours)
    assert left >= set(others)


def test_the_note_names_the_holder_and_loses_the_name_afterwards(path: Path) -> None:
    """The fence stays in it and grows."""
    note = path.with_name("state.json.lock-info")
    with LocalBackend(path).lock(INFO, 0, silent) as lease:
        held = json.loads(note.read_text())
        assert held["holder"]["who"] == "ann@builder"
        assert held["fence"] == lease.fence == 1
    assert json.loads(note.read_text()) == {"fence": 1, "holder": None}
    with LocalBackend(path).lock(INFO, 0, silent) as lease:
        assert lease.fence == 2


@pytest.mark.parametrize("note", [None, b"", b"{", b'{"fence": "7"}', b'{"fence": -1}', b'{"fence": 1}'])
def test_a_fence_is_never_below_the_states_own(path: Path, note: bytes | None) -> None:
    """Also where the note is lost, damaged or older than the state."""
    state = save(path, "abc")
    note_path = path.with_name("state.json.lock-info")
    note_path.unlink()
    if note is not None:
        note_path.write_bytes(note)
    with LocalBackend(path).lock(INFO, 0, silent) as lease:
        assert lease.fence == state.fence + 1


def test_a_state_saved_under_a_newer_fence_is_not_overwritten(path: Path) -> None:
    """A writer that was away for long finds that it has been replaced."""
    state = save(path, "a")
    backend = LocalBackend(path)
    with backend.lock(INFO, 0, silent) as lease:
        path.write_bytes(StateText().render(replace(state, fence=lease.fence + 5)))
        with pytest.raises(StateError, match="newer than this run's") as caught:
            backend.write(state, recorded(state, "late"), lease)
    assert caught.value.code == "state_conflict"


def test_a_damaged_note_does_not_hide_that_the_lock_is_held(path: Path) -> None:
    """The kernel's lock is the truth, the note is only for people."""
    with LocalBackend(path).lock(INFO, 0, silent):
        path.with_name("state.json.lock-info").write_bytes(b"{")
        with (
            pytest.raises(StateLocked, match="has not given its name yet"),
            LocalBackend(path).lock(INFO, 0, silent),
        ):
            pass


def test_a_note_that_can_not_be_written_gives_the_lock_back(path: Path) -> None:
    """A holder without a fence would be none."""

    class NoNote(FileSystem):
        """Refuses to put the note in place."""

        def replace(self, source: Path, target: Path) -> None:
            raise PermissionError(13, "Permission denied")

    save(path, "a")
    with (
        pytest.raises(StateError, match="lock-info can't be written: permission denied") as caught,
        LocalBackend(path, files=NoNote()).lock(INFO, 0, silent),
    ):
        pass
    assert caught.value.code == "lock_failed"
    with LocalBackend(path).lock(INFO, 0, silent):
        pass
