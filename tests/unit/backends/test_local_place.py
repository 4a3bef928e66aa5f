"""A place of the local state, looked at beforehand."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from statetool.backends import LockInfo
from statetool.backends.local import LocalBackend
from statetool.backends.local_place import check_place

INFO = LockInfo("lock-1", "apply", "ann@builder", socket.gethostname(), os.getpid(), "0.1.0", "2026-11-23T08:00:00Z")


def test_a_folder_that_is_to_be_made(tmp_path: Path) -> None:
    """Its nearest parent counts, and is not touched."""
    assert check_place(tmp_path / "a/b/state.json", [tmp_path / "a/b/state.json"]) == ()
    assert not (tmp_path / "a").exists()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """As the folder, or anywhere above it; said once, with what to do."""
    (tmp_path / "a").write_text("")
    for path in (tmp_path / "a/state.json", tmp_path / "a/b/state.json"):
        (found,) = check_place(path, [path])
        assert found.code == "state_folder"
        assert f"{tmp_path / 'a'} is not a folder" in found.message
        assert "state.path" in (found.hint or "")


def test_a_folder_that_this_user_may_not_write(tmp_path: Path) -> None:
    """What the system says counts. It says yes to root whatever the mode, so another says no here."""
    asked: list[tuple[Path, int]] = []

    def never(path: Path, mode: int) -> bool:
        asked.append((path, mode))
        return False

    (found,) = check_place(tmp_path / "made" / "state.json", [], may=never)
    assert found.code == "state_folder"
    assert f"may not write {tmp_path}" in found.message
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o601])
def test_files_that_are_open(tmp_path: Path, mode: int) -> None:
    """A warning for each, with the mode; links are somebody else's business."""
    kept = tmp_path / "state 1.json"
    kept.write_text("{}")
    kept.chmod(mode)
    link = tmp_path / "link"
    link.symlink_to(kept)
    (found,) = check_place(tmp_path / "state.json", [kept, link, tmp_path / "missing"])
    assert (found.code, found.severity) == ("state_open", "warning")
    assert f"{mode:04o}" in found.message
    assert found.hint == f"chmod 600 '{kept}'"


def test_the_previous_serial_is_looked_at_too(tmp_path: Path) -> None:
    """It holds what the state held."""
    backup = tmp_path / "state.json.backup"
    backup.write_text("{}")
    backup.chmod(0o644)
    (found,) = LocalBackend(tmp_path / "state.json").check_place()
    assert str(backup) in found.message


def test_a_state_that_is_damaged_is_not_told_twice(tmp_path: Path) -> None:
    """Reading it tells."""
    path = tmp_path / "state.json"
    path.write_text("{")
    path.chmod(0o600)
    (tmp_path / "state.json.rescue-3").write_text("{}")
    assert LocalBackend(path).check_place() == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fence": 1}', '{"fence": 1, "holder": {"id": "x"}}'])
def test_a_note_that_says_nothing_names_nobody(tmp_path: Path, text: str) -> None:
    """Whatever stands in it."""
    (tmp_path / "state.json.lock-info").write_text(text)
    assert LocalBackend(tmp_path / "state.json").find_holder() is None


@pytest.mark.parametrize("pid", [0, -1, -os.getpgrp(), 2**31])
def test_a_note_with_a_number_that_is_no_process(tmp_path: Path, pid: int) -> None:
    """Nobody of this machine can be it."""
    backend = LocalBackend(tmp_path / "state.json")
    with backend.lock(INFO, 0, lambda holder: None) as lease:
        assert backend.find_holder() == replace(INFO, fence=lease.fence)
        note = tmp_path / "state.json.lock-info"
        note.write_text(note.read_text().replace(f'"pid": {INFO.pid}', f'"pid": {pid}'))
        assert backend.find_holder() is None
        elsewhere = replace(INFO, host="elsewhere", pid=pid, fence=lease.fence)
        note.write_text(note.read_text().replace(INFO.host, "elsewhere"))
        assert backend.find_holder() == elsewhere
