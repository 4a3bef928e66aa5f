"""The journal of a local state: what is confirmed stays, what is not never comes back, whatever fails or breaks."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from statetool.backends import JournalEntry, LockInfo
from statetool.backends.files import FileSystem
from statetool.backends.local import LocalBackend
from statetool.backends.local_journal import MAX_BYTES, LocalJournal
from statetool.core.state import new_state
from statetool.errors import LeaseLost, StateError, StateUnreadable

INFO = LockInfo("lock-1", "apply", "ann@builder", "builder", 4711, "0.1.0", "2026-11-23T08:00:00Z")


def silent(_holder: LockInfo | None) -> None:
    """Nobody waits in these tests."""


def entry(name: str) -> JournalEntry:
    return {"type": "intent", "operation": name, "data": {"größe": [1, None, "x\ny"]}}


class Disk(FileSystem):
    """A disk that writes down what is asked of it, takes 50 bytes at once, and fails where it is told to.

    `fails(n, call)` is asked with the number of each call, counted from `arm`. Nothing is really synced: no power
    is cut here.
    """

    def __init__(self) -> None:
        self.arm(lambda n, call: False)

    def arm(self, fails: Callable[[int, str], bool], error: int = errno.EIO) -> None:
        self.calls: list[str] = []
        self.written = 0
        self.fails, self.error = fails, error

    def mend(self) -> None:
        self.arm(lambda n, call: False)

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if self.fails(len(self.calls), name):
            raise OSError(self.error, os.strerror(self.error))

    def create(self, path: Path, mode: int = 0o600) -> int:
        self._step("create")
        return super().create(path, mode)

    def open_at_end(self, path: Path) -> int:
        self._step("open_at_end")
        return super().open_at_end(path)

    def write(self, descriptor: int, data: bytes) -> int:
        self._step("write")
        count = super().write(descriptor, data[:50])
        self.written += count
        return count

    def fsync(self, descriptor: int) -> None:
        self._step("fsync")

    def sync_data(self, descriptor: int) -> None:
        self._step("sync_data")

    def truncate(self, descriptor: int, size: int) -> None:
        self._step("truncate")
        super().truncate(descriptor, size)

    def replace(self, source: Path, target: Path) -> None:
        self._step("replace")
        super().replace(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._step("sync_folder")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json.journal"


def read(path: Path) -> list[str]:
    """The names of the entries, as a new process reads them."""
    found = LocalJournal(path, FileSystem()).read()
    assert list(found) == [entry(str(one["operation"])) for one in found], "not what was written"
    return [str(one["operation"]) for one in found]


def test_entries_are_read_in_their_order_until_they_are_replaced(path: Path, disk: Disk) -> None:
    """Those of one append stand in one line; no entries are no line; a replaced journal goes on."""
    journal = LocalJournal(path, disk)
    assert read(path) == []
    journal.append([entry("a"), entry("b")])
    journal.append([])
    journal.append([entry("c")])
    assert path.read_bytes().count(b"\n") == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read(path) == ["a", "b", "c"]
    journal.replace([entry("b"), entry("d")])
    journal.append([entry("e")])
    assert read(path) == ["b", "d", "e"]
    journal.replace([])
    assert (read(path), path.read_bytes()) == ([], b"")


def test_the_thousandth_append_costs_what_the_first_did(path: Path, disk: Disk) -> None:
    """Counted in bytes and in calls, on a journal that grows a thousandfold; nothing of it is written again."""
    journal = LocalJournal(path, disk)
    journal.append([entry("op-0000")])
    sizes, calls = set(), set()
    for n in range(1, 1001):
        disk.mend()
        journal.append([entry(f"op-{n:04}")])
        sizes.add(disk.written)
        calls.add(tuple(disk.calls))
    assert len(sizes) == 1
    assert sizes.pop() * 1001 == path.stat().st_size
    (each,) = calls
    assert (each[0], set(each[1:-1]), each[-1]) == ("open_at_end", {"write"}, "sync_data")
    assert len(read(path)) == 1001


def test_a_journal_cut_at_any_byte_holds_its_whole_lines(path: Path, disk: Disk) -> None:
    """A torn last line was never confirmed. The next append cuts it off, and nothing of it returns."""
    journal = LocalJournal(path, disk)
    ends = [0]
    for names in ("a", "bc", "d"):
        journal.append([entry(name) for name in names])
        ends.append(path.stat().st_size)
    whole, expected = path.read_bytes(), [[], ["a"], ["a", "b", "c"], ["a", "b", "c", "d"]]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = expected[sum(end <= length for end in ends) - 1]
        assert read(path) == kept
        journal.begin()
        journal.append([entry("next")])
        assert read(path) == [*kept, "next"]


@pytest.mark.parametrize("tail", [b"\0" * 40, b"0123abcd 99 {", b"\0\0\n", b"0123abcd 2 {}\n"])
def test_a_tail_of_rubbish_is_a_torn_line(path: Path, disk: Disk, tail: bytes) -> None:
    """As a power cut leaves it: a length without content."""
    LocalJournal(path, disk).append([entry("a")])
    path.write_bytes(path.read_bytes() + tail)
    assert read(path) == ["a"]
    LocalJournal(path, disk).append([entry("b")])
    assert read(path) == ["a", "b"]


def test_a_flipped_bit_never_passes_for_content(path: Path, disk: Disk) -> None:
    """In any byte: before the last line it is told with file and line, in the last that line does not count."""
    journal = LocalJournal(path, disk)
    for name in "abc":
        journal.append([entry(name)])
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for n in range(len(whole)):
        for bit in (0x01, 0x20, 0x80):
            path.write_bytes(whole[:n] + bytes([whole[n] ^ bit]) + whole[n + 1 :])
            if n >= last:
                assert read(path) == ["a", "b"]
                continue
            with pytest.raises(StateUnreadable) as caught:
                read(path)
            line = 1 + whole[:n].count(b"\n")
            assert f"{path}:{line}: its checksum does not fit" in caught.value.message
            assert f"restore {path}" in (caught.value.hint or "")
    damaged = whole[:9] + b"?" + whole[10:]
    path.write_bytes(damaged)
    with pytest.raises(StateUnreadable):
        LocalJournal(path, disk).append([entry("d")])
    assert path.read_bytes() == damaged, "damage is not written over"


def _line(text: bytes) -> bytes:
    checked = b"%d %s" % (len(text), text)
    return b"%08x %s\n" % (zlib.crc32(checked), checked)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"format_version":"2.0","entries":[]}', "format version 2.0 is newer"),
        (b'{"entries":[]}', "format_version must be text"),
        (b'{"format_version":"1.0"}', "entries must be a list"),
        (b'{"format_version":"1.0","entries":[1]}', "must be an object"),
        (b'{"format_version":"1.0","entries":[{"a":1,"a":2}]}', "stands twice"),
        (b"[]", "must be an object at the top"),
    ],
)
def test_a_whole_line_that_is_not_ours_is_never_dropped(path: Path, text: bytes, says: str) -> None:
    """Also not as the last: somebody meant it, and a newer statetool may have."""
    path.write_bytes(_line(text))
    with pytest.raises(StateUnreadable, match=says) as caught:
        read(path)
    assert f"{path}:1: " in caught.value.message
    path.write_bytes(_line(b'{"format_version":"1.7","entries":[],"more":1}'))
    assert read(path) == []


def _fresh(journal: LocalJournal) -> list[str]:
    return []


def _kept(journal: LocalJournal) -> list[str]:
    journal.append([entry("a")])
    return ["a"]


def _torn(journal: LocalJournal) -> list[str]:
    journal.append([entry("a")])
    journal.append([entry("torn")])
    journal.path.write_bytes(journal.path.read_bytes()[:-9])
    journal.begin()
    return ["a"]


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("prepare", [_fresh, _kept, _torn])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_whichever_call_of_an_append_fails_nothing_half_stays(
    tmp_path: Path, prepare: Callable[[LocalJournal], list[str]], error: int, lasting: bool
) -> None:
    """It says so, naming file and remedy; the next append works, after all that was confirmed and nothing else."""
    for n in range(1, 99):
        disk, path = Disk(), tmp_path / f"{n}.journal"
        journal = LocalJournal(path, disk)
        before = prepare(journal)
        disk.arm(lambda at, _, n=n: at >= n if lasting else at == n, error)
        try:
            journal.append([entry("x"), entry("y")])
        except StateError as failed:
            assert failed.code == "journal_not_saved"
            assert str(path) in failed.message
            assert os.strerror(error).lower() in failed.message
            assert "apply again" in (failed.hint or "")
        else:
            assert n > 5, "an append has at least these calls"
            break
        if not lasting:
            assert read(path) == before
        disk.mend()
        journal.append([entry("next")])
        assert read(path) == [*before, "next"]
    assert read(path) == [*before, "x", "y"]


def test_what_a_failed_sync_left_is_cut_off_durably_before_anything_follows(path: Path, disk: Disk) -> None:
    """Although it reads as whole: the kernel may never have brought it to the disk."""
    journal = LocalJournal(path, disk)
    journal.append([entry("a")])
    disk.arm(lambda _, call: call in ("sync_data", "truncate"))
    for _ in range(2):
        with pytest.raises(StateError):
            journal.append([entry("lost")])
    assert read(path) == ["a", "lost"]
    disk.mend()
    journal.append([entry("b")])
    assert disk.calls[:5] == ["open_at_end", "truncate", "fsync", "sync_folder", "open_at_end"]
    assert disk.calls[-1] == "sync_data"
    assert read(path) == ["a", "b"]


def test_whichever_call_of_a_replacement_fails_it_holds_the_old_or_the_new(tmp_path: Path) -> None:
    """Whole, and an append after it works; also where an append before it had failed."""
    for doubtful in (False, True):
        for n in range(1, 99):
            disk, path = Disk(), tmp_path / f"{doubtful}-{n}.journal"
            journal = LocalJournal(path, disk)
            journal.append([entry("a"), entry("b")])
            if doubtful:
                disk.arm(lambda _, call: call in ("sync_data", "truncate"))
                with pytest.raises(StateError):
                    journal.append([entry("lost")])
            disk.arm(lambda at, _, n=n: at == n)
            try:
                journal.replace([entry("new"), entry("new-2"), entry("new-3"), entry("new-4")])
            except StateError as failed:
                assert failed.code == "journal_not_saved"
            else:
                break
            disk.mend()
            journal.append([entry("next")])
            assert read(path) in (["a", "b", "next"], ["new", "new-2", "new-3", "new-4", "next"])
            assert [one.name for one in tmp_path.glob("*.tmp-*")] == []
        assert n > 5
        assert read(path) == ["new", "new-2", "new-3", "new-4"]


def test_what_is_no_file_is_refused(path: Path, disk: Disk) -> None:
    """A link, a link to nowhere, a folder, a pipe, too large a file: for reading and for appending alike."""
    target = path.with_name("target")
    target.write_bytes(b"")

    def refused(says: str) -> None:
        for call in (LocalJournal(path, disk).read, lambda: LocalJournal(path, disk).append([entry("a")])):
            with pytest.raises(StateUnreadable, match=says) as caught:
                call()
            assert str(path) in caught.value.message

    path.symlink_to(target)
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
    path.rmdir()
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    refused("larger than 64 MiB")
    assert target.read_bytes() == b""


def test_a_journal_never_gets_larger_than_can_be_read(path: Path, disk: Disk) -> None:
    """Refused before a byte of it is written."""
    journal = LocalJournal(path, disk, limit=2**20)
    journal.append([entry("a")])
    disk.mend()
    with pytest.raises(StateError, match="larger than 1 MiB") as caught:
        journal.append([{"type": "x" * 2**20}])
    assert (caught.value.code, disk.written) == ("journal_not_saved", 0)
    journal.append([entry("b")])
    assert read(path) == ["a", "b"]


def test_another_holder_in_between_is_noticed(path: Path, disk: Disk) -> None:
    """What this one knew of the file is worth nothing with the next lock, doubts included."""
    one = LocalJournal(path, disk)
    one.append([entry("a")])
    disk.arm(lambda _, call: call in ("sync_data", "truncate"))
    with pytest.raises(StateError):
        one.append([entry("lost")])
    disk.mend()
    LocalJournal(path, FileSystem()).replace([entry("a"), entry("b"), entry("c")])
    one.begin()
    one.append([entry("d")])
    assert read(path) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: path.chmod(0o644)])
def test_a_journal_that_somebody_else_changes_meanwhile_is_not_added_to(
    path: Path, disk: Disk, change: Callable[[Path], None]
) -> None:
    """What this run confirmed may be gone, so it must not go on; the next run may. A mode is no change."""
    journal = LocalJournal(path, disk)
    journal.append([entry("a")])
    change(path)
    left = read(path)
    if left:
        journal.append([entry("b")])
        return
    with pytest.raises(StateError, match="somebody else changed it") as caught:
        journal.append([entry("b")])
    assert caught.value.code == "journal_not_saved"
    assert read(path) == []
    journal.begin()
    journal.append([entry("c")])
    assert read(path) == ["c"]


def test_only_the_holder_writes(tmp_path: Path) -> None:
    """Neither state nor journal, with a lease that ended, or where a newer fence was given meanwhile."""
    path = tmp_path / "state.json"
    backend = LocalBackend(path)
    state = new_state("lineage", "0.1.0")

    def ensure_refused(lease) -> None:
        for call in (
            lambda: backend.append([entry("late")], lease),
            lambda: backend.replace_journal([], lease),
            lambda: backend.write(None, state, lease),
        ):
            with pytest.raises(LeaseLost, match="no longer held") as caught:
                call()
            assert caught.value.code == "lease_lost"

    with backend.lock(INFO, 0, silent) as ended:
        backend.append([entry("a")], ended)
    assert ended.loss == "it was given back"
    ensure_refused(ended)
    with backend.lock(INFO, 0, silent) as lease:
        ensure_refused(ended)
        # As happens where a person removes the lock's file under a run.
        path.with_name("state.json.lock").unlink()
        with LocalBackend(path).lock(INFO, 0, silent) as other:
            assert other.fence > lease.fence
        ensure_refused(lease)
        assert lease.loss == "another run took it"
    assert [one["operation"] for one in LocalBackend(path).read_journal()] == ["a"]
    assert backend.read() is None


def test_a_local_lock_can_not_be_forced(tmp_path: Path) -> None:
    """It says who holds it and how it ends; without a holder there is nothing to say."""
    one, two = LocalBackend(tmp_path / "state.json"), LocalBackend(tmp_path / "state.json")
    with pytest.raises(StateError) as caught:
        two.break_lock("lock-1", "it hangs")
    assert caught.value.code == "not_locked"
    with one.lock(INFO, 0, silent) as lease:
        with pytest.raises(StateError, match=r"apply by ann@builder, pid 4711 on builder") as caught:
            two.break_lock("lock-1", "it hangs")
        assert caught.value.code == "nothing_to_force"
        assert "kill 4711" in (caught.value.hint or "")
        assert one.write(None, new_state("lineage", "0.1.0"), lease).serial == 1
        assert two.find_holder() == replace(INFO, fence=lease.fence)
