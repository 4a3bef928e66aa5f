"""Saves that fail: each call of a save is made to fail in turn, and the state is whole after each.

The effects of a clean save are counted first; then the first, second, ... last of them fails.
"""

from __future__ import annotations

import errno
import os
import shlex
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
from statetool.errors import StateError

INFO = LockInfo("lock-1", "apply", "ann@builder", "builder", 4711, "0.1.0", "2026-11-23T08:00:00Z")


def silent(_holder: LockInfo | None) -> None:
    """Nobody waits in these tests."""


class Disk(FileSystem):
    """A disk that writes down what is asked of it, and fails where it is told to.

    `fail_at` counts the calls from 1, from the moment it is set. `broken` names calls that fail always, `under`
    the folder in which they do. Writes are short, as a kernel's may be.
    """

    def __init__(self, under: Path | None = None) -> None:
        self.calls: list[str] = []
        self.fail_at: int | None = None
        self.broken: frozenset[str] = frozenset()
        self.error = errno.EIO
        self.under = under

    def arm(self, fail_at: int | None, error: int = errno.EIO) -> None:
        self.calls = []
        self.fail_at, self.error = fail_at, error

    def _step(self, name: str, path: Path | None = None) -> None:
        self.calls.append(name)
        here = self.under is None or path is None or path.parent == self.under
        if len(self.calls) == self.fail_at or (name in self.broken and here):
            raise OSError(self.error, os.strerror(self.error))

    def create(self, path: Path, mode: int = 0o600) -> int:
        self._step("create", path)
        return super().create(path, mode)

    def write(self, descriptor: int, data: bytes) -> int:
        self._step("write")
        return super().write(descriptor, data[:1000])

    def fsync(self, descriptor: int) -> None:
        self._step("fsync")
        super().fsync(descriptor)

    def link(self, source: Path, target: Path) -> None:
        self._step(f"link {self._part(target)}", target)
        super().link(source, target)

    def replace(self, source: Path, target: Path) -> None:
        self._step(f"replace {self._part(target)}", target)
        super().replace(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._step("sync_folder state.json.history" if folder.name == "state.json.history" else "sync_folder")
        super().sync_folder(folder)

    @staticmethod
    def _part(target: Path) -> str:
        """What a path is part of: the history, or itself."""
        return "state.json.history" if target.parent.name == "state.json.history" else target.name.split(".tmp-")[0]


def recorded(state: StateFile, name: str) -> StateFile:
    """The state with one more component."""
    change = Change(Address("shop", name), f"id-{name}", "a1", None, Kind.ADOPT, None)
    return record_component(state, change, run_id="r1", at="2026-11-23T08:00:00Z", applied_from=AppliedFrom())


def push(command: str, backend: LocalBackend) -> StateFile:
    """What the command of a hint does: `statetool state push FILE`."""
    *words, file = shlex.split(command)
    assert words == ["statetool", "state", "push"]
    pushed = LocalBackend(Path(file)).read()
    assert pushed is not None
    with backend.lock(INFO, 0, silent, repairing=True) as lease:
        return backend.write(backend.read(), pushed, lease, floor=pushed.serial)


FIRST = recorded(new_state("lineage", "0.1.0"), "a")


class Project:
    """A state with two serials stored, on a disk that can fail."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.json"
        self.disk = Disk()
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.backend = LocalBackend(self.path, files=self.disk, rescue_folder=self.elsewhere)
        with self.backend.lock(INFO, 0, silent) as lease:
            first = self.backend.write(None, FIRST, lease)
            self.state = self.backend.write(first, recorded(first, "b"), lease)
        self.wanted = recorded(self.state, "c")

    def read(self) -> StateFile | None:
        """As a new process does."""
        return LocalBackend(self.path).read()

    def names(self) -> set[str]:
        """Files in the state's folder, without the lock's."""
        return {entry.name for entry in self.path.parent.iterdir() if entry.is_file() and ".lock" not in entry.name}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_save_keeps_the_order_that_survives_a_power_cut(project: Project) -> None:
    """Content durable first, then the previous serial's second name, then the new name, then the folder."""
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.arm(None)
        project.backend.write(project.state, project.wanted, lease)
        calls = list(dict.fromkeys(project.disk.calls))
    assert calls == [
        "create",
        "write",
        "fsync",
        "link state.json.backup",
        "replace state.json.backup",
        "link state.json.history",
        "replace state.json.history",
        "sync_folder state.json.history",
        "replace state.json",
        "sync_folder",
    ]


def _count_of_a_clean_save(folder: Path) -> int:
    project = Project(folder)
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.arm(None)
        project.backend.write(project.state, project.wanted, lease)
        return len(project.disk.calls)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_whichever_call_fails_the_state_is_whole_and_nothing_is_lost(tmp_path: Path, error: int) -> None:
    """Old or new, never half; what the run knew is in the state or in the rescue file, and the command works."""
    (tmp_path / "count").mkdir()
    total = _count_of_a_clean_save(tmp_path / "count")
    assert total >= 7
    for n in range(1, total + 1):
        folder = tmp_path / str(n)
        folder.mkdir()
        project = Project(folder)
        with project.backend.lock(INFO, 0, silent) as lease:
            project.disk.arm(n, error)
            try:
                saved = project.backend.write(project.state, project.wanted, lease)
            except StateError as failed:
                caught = failed
            else:
                assert project.disk.calls[n - 1].endswith(".history"), "nothing else may fail without a word"
                assert project.read() == saved
                continue
            finally:
                project.disk.arm(None)
        assert caught.code == "state_not_saved"
        stored = project.read()
        assert stored is not None
        assert stored == project.state or stored.components == project.wanted.components
        assert not any(".tmp-" in name for name in project.names())
        repaired = push((caught.hint or "").split("then: ")[1], project.backend)
        assert (repaired.serial, repaired.components) == (3, project.wanted.components)
        assert not any("rescue" in name for name in project.names())
        with LocalBackend(project.path).lock(INFO, 0, silent):
            pass


def test_a_failed_save_names_file_reason_rescue_and_command(project: Project) -> None:
    """Everything a person needs, in one error; the rescue file is for its owner only."""
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.arm(1, errno.ENOSPC)
        with pytest.raises(StateError) as caught:
            project.backend.write(project.state, project.wanted, lease)
    rescue = Path(f"{project.path}.rescue-3")
    assert caught.value.message == (
        f"the state {project.path} could not be saved: no space left on device. "
        f"What this run knows (serial 3) is in {rescue}"
    )
    assert caught.value.hint == f"make room or repair the cause, then: statetool state push {rescue}"
    assert rescue.stat().st_mode & 0o777 == 0o600
    assert project.read() == project.state


def test_nothing_goes_on_until_a_rescue_file_is_dealt_with(project: Project) -> None:
    """Refused with both ways out; taking it over, deleting it and putting it in place all work."""
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.arm(1)
        with pytest.raises(StateError):
            project.backend.write(project.state, project.wanted, lease)
    project.disk.arm(None)
    rescue = Path(f"{project.path}.rescue-3")
    with pytest.raises(StateError) as caught, project.backend.lock(INFO, 0, silent):
        pass
    assert caught.value.code == "rescue_pending"
    assert f"{rescue} holds serial 3, {project.path} serial 2" in caught.value.message
    assert f"statetool state push {rescue} - " in (caught.value.hint or "")
    assert f"rm {rescue}" in (caught.value.hint or "")
    assert project.read() == project.state
    kept = rescue.read_bytes()
    rescue.unlink()
    with project.backend.lock(INFO, 0, silent):
        pass
    rescue.write_bytes(kept)
    rescue.rename(project.path)
    with project.backend.lock(INFO, 0, silent):
        assert project.backend.read() == project.read()


def test_a_rescue_file_that_is_older_than_the_state_is_no_obstacle(project: Project) -> None:
    """It was dealt with, or overtaken; names that only look alike do not count either."""
    for name in ("state.json.rescue-2", "state.json.rescue-1", "state.json.rescue-x", "other.json.rescue-99"):
        project.path.with_name(name).write_text("{}")
    with project.backend.lock(INFO, 0, silent) as lease:
        assert project.backend.write(project.state, project.wanted, lease).serial == 3


def test_what_a_run_learns_after_a_failed_save_goes_to_its_rescue_file(project: Project) -> None:
    """The person was told to copy that file, so it must hold the last word, though the disk works again."""
    later = recorded(project.wanted, "d")
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.arm(1)
        with pytest.raises(StateError):
            project.backend.write(project.state, project.wanted, lease)
        project.disk.arm(None)
        with pytest.raises(StateError, match="an earlier save of this run failed"):
            project.backend.write(project.state, later, lease)
    assert project.read() == project.state
    rescued = LocalBackend(Path(f"{project.path}.rescue-3")).read()
    assert rescued is not None
    assert (rescued.serial, rescued.components) == (3, later.components)
    assert project.names() == {"state.json", "state.json.backup", "state.json.rescue-3"}


def test_a_full_folder_is_rescued_into_the_temporary_one(project: Project) -> None:
    """Under a name that can't be guessed, whole, and for its owner only."""
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.under, project.disk.broken = project.path.parent, frozenset({"create"})
        with pytest.raises(StateError) as caught:
            project.backend.write(project.state, project.wanted, lease)
        project.disk.broken = frozenset()
    (rescue,) = project.elsewhere.iterdir()
    assert f"statetool state push {rescue}" in (caught.value.hint or "")
    assert rescue.stat().st_mode & 0o777 == 0o600
    rescued = LocalBackend(rescue).read()
    assert rescued is not None
    assert rescued.components == project.wanted.components
    with (
        pytest.raises(StateError, match="could not save its state") as refused,
        LocalBackend(project.path, rescue_folder=project.elsewhere).lock(INFO, 0, silent),
    ):
        pytest.fail("the next run must not go on while a rescue is pending")
    assert refused.value.code == "rescue_pending"
    assert push((caught.value.hint or "").split("then: ")[1], project.backend).serial == 3
    assert not list(project.elsewhere.iterdir())


def test_a_rescue_is_written_although_nothing_can_be_made_durable(project: Project) -> None:
    """A rescue that may not survive a power cut beats none."""
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.broken = frozenset({"fsync"})
        with pytest.raises(StateError, match=r"input/output error.*state\.json\.rescue-3"):
            project.backend.write(project.state, project.wanted, lease)
        project.disk.broken = frozenset()
    assert project.read() == project.state


def test_when_nothing_at_all_can_be_written_the_old_state_still_stands(project: Project) -> None:
    """And the error says both."""
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.broken = frozenset({"create"})
        with pytest.raises(StateError, match=r"no rescue file could be written.*is the one before") as caught:
            project.backend.write(project.state, project.wanted, lease)
        project.disk.broken = frozenset()
    assert caught.value.code == "state_not_saved"
    assert project.read() == project.state


def test_a_first_save_that_fails_leaves_no_state(tmp_path: Path) -> None:
    """Not an empty one: none, and the rescue file blocks the next run."""
    path = tmp_path / "state.json"
    disk = Disk()
    backend = LocalBackend(path, files=disk)
    with backend.lock(INFO, 0, silent) as lease:
        disk.arm(3)
        with pytest.raises(StateError):
            backend.write(None, FIRST, lease)
    disk.arm(None)
    assert backend.read() is None
    with pytest.raises(StateError, match=r"rescue-1 holds serial 1, .* does not exist"), backend.lock(INFO, 0, silent):
        pass


def test_a_state_damaged_during_the_run_does_not_swallow_what_the_run_knows(project: Project) -> None:
    """It is not overwritten, and what was to be saved is rescued."""
    with project.backend.lock(INFO, 0, silent) as lease:
        project.path.write_bytes(b"{")
        with pytest.raises(StateError, match=r"could not be saved: .*not JSON"):
            project.backend.write(project.state, project.wanted, lease)
    assert project.path.read_bytes() == b"{"
    assert "state.json.rescue-3" in project.names()


def test_a_disk_without_hard_links_keeps_the_previous_serial_too(project: Project) -> None:
    """By a copy."""
    before = project.path.read_bytes()
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.broken, project.disk.error = frozenset({"link state.json.backup"}), errno.EPERM
        assert project.backend.write(project.state, project.wanted, lease).serial == 3
    assert project.path.with_name("state.json.backup").read_bytes() == before


def test_a_backup_that_is_the_state_itself_is_no_obstacle(project: Project) -> None:
    """As a writer leaves it that was killed between the two renames."""
    backup = project.path.with_name("state.json.backup")
    backup.unlink()
    os.link(project.path, backup)
    before = project.path.read_bytes()
    with project.backend.lock(INFO, 0, silent) as lease:
        project.backend.write(project.state, project.wanted, lease)
    assert backup.read_bytes() == before
    assert project.names() == {"state.json", "state.json.backup"}


def test_a_full_disk_loses_neither_state_nor_journal(project: Project) -> None:
    """The save fails and is rescued; what is journalled stays; the next run is refused; the repair ends it all."""
    with project.backend.lock(INFO, 0, silent) as lease:
        project.backend.append([{"type": "done", "operation": "one"}], lease)
        project.disk.broken, project.disk.error = frozenset({"replace state.json"}), errno.ENOSPC
        with pytest.raises(StateError, match="no space left on device") as caught:
            project.backend.write(project.state, project.wanted, lease)
        project.backend.append([{"type": "done", "operation": "two"}], lease)
    next_run = LocalBackend(project.path)
    with pytest.raises(StateError) as refused, next_run.lock(INFO, 0, silent):
        pytest.fail("the next run must not go on while a rescue is pending")
    assert refused.value.code == "rescue_pending"
    repair = (caught.value.hint or "").split("then: ")[1]
    assert repair in (refused.value.hint or "")
    with pytest.raises(StateError):
        push(repair, project.backend)  # the disk is still full: the rescue is not at risk
    project.disk.broken = frozenset()
    assert push(repair, next_run).components == project.wanted.components
    assert [entry["operation"] for entry in next_run.read_journal()] == ["one", "two"]
    assert project.names() == {"state.json", "state.json.backup", "state.json.journal"}
    with next_run.lock(INFO, 0, silent):
        pass


def test_a_rescue_that_says_what_is_stored_is_answered_by_pushing_it(project: Project) -> None:
    """Nothing is stored anew, and nothing is pending any more. One with other content stays, also when overtaken."""
    other = project.path.with_name("state.json.rescue-3")
    other.write_bytes(StateText().render(replace(project.wanted, serial=3)))
    same = project.path.with_name("state.json.rescue-9")
    same.write_bytes(StateText().render(replace(project.state, serial=9)))
    assert push(f"statetool state push {same}", project.backend) == project.state
    assert not same.exists()
    assert push(f"statetool state push {other}", project.backend).serial == 3
    assert not other.exists()


def test_the_last_word_goes_where_there_is_room_and_the_former_is_gone(project: Project) -> None:
    """Two rescues of one run would leave a person to guess."""
    later = recorded(project.wanted, "d")
    with project.backend.lock(INFO, 0, silent) as lease:
        project.disk.arm(1)
        with pytest.raises(StateError):
            project.backend.write(project.state, project.wanted, lease)
        project.disk.arm(None)
        project.disk.under, project.disk.broken = project.path.parent, frozenset({"create"})
        with pytest.raises(StateError):
            project.backend.write(project.state, later, lease)
        project.disk.broken = frozenset()
    (rescue,) = project.elsewhere.iterdir()
    assert LocalBackend(rescue).read() == replace(later, serial=3, fence=lease.fence)
    assert "state.json.rescue-3" not in project.names()


def test_a_serial_can_be_asked_for_at_least(project: Project) -> None:
    """One that is lower anyway changes nothing."""
    with project.backend.lock(INFO, 0, silent) as lease:
        third = project.backend.write(project.state, project.wanted, lease, floor=1)
        tenth = project.backend.write(third, recorded(third, "d"), lease, floor=10)
        moved = project.backend.write(tenth, replace(tenth, moved_to="elsewhere"), lease, floor=10)
    assert (third.serial, tenth.serial, moved.serial) == (3, 10, 11)
    assert project.read() == moved
