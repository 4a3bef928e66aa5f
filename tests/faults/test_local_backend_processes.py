"""The local backend among real processes: they exclude each other, and a killed one is in nobody's way.

Processes tell each other through pipes when they hold the lock; no test waits for time to pass.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import statetool
from statetool.backends import LockInfo
from statetool.backends.local import LocalBackend
from statetool.core.state import new_state
from statetool.errors import StateConflict, StateLocked

PRELUDE = """
import os, sys
from pathlib import Path
from statetool.backends import LockInfo
from statetool.backends.local import LocalBackend
from statetool.core.model import Address, AppliedFrom
from statetool.core.plan import Change, Kind
from statetool.core.state import new_state, record_component

def info(name):
    return LockInfo("lock-" + name, "apply", name + "@here", "here", os.getpid(), "0.1.0", "2026-11-23T08:00:00Z")

def silent(holder):
    pass

def added(state, name):
    change = Change(Address("shop", name), "id-" + name, "a1", None, Kind.ADOPT, None)
    return record_component(state, change, run_id="r", at="2026-11-23T08:00:00Z", applied_from=AppliedFrom())

backend = LocalBackend(Path(sys.argv[1]))
"""

HOLD = """
with backend.lock(info("holder"), 0, silent) as lease:
    print("held", lease.fence, flush=True)
    sys.stdin.readline()
print("left", flush=True)
"""

ADD = """
name, count = sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for n in range(count):
    with backend.lock(info(name), 60, silent) as lease:
        state = backend.read()
        backend.write(state, added(state or new_state("lineage", "0.1.0"), f"{name}-{n}"), lease)
print("done", flush=True)
"""

WRITE_FOR_EVER = """
with backend.lock(info("writer"), 0, silent) as lease:
    state = backend.read() or backend.write(None, new_state("lineage", "0.1.0"), lease)
    while True:
        state = backend.write(state, added(state, f"c-{state.serial}"), lease)
        print(state.serial, flush=True)
"""

JOURNAL = """
count = int(sys.argv[2])
while count != 0:
    with backend.lock(info("writer"), 60, silent) as lease:
        for _ in range(3):
            count -= 1
            names = [f"{os.getpid()}/{lease.fence}/{count}/{part}" for part in "ab"]
            backend.append([{"type": "run", "name": name} for name in names], lease)
            print(count, *names, flush=True)
"""


@contextmanager
def process(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs the script; killed at the end, whatever happened."""
    root = Path(statetool.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def said(child: subprocess.Popen[str]) -> str:
    """The next line of a process; empty where it ended."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def go_on(child: subprocess.Popen[str]) -> None:
    """Let a process that waits for a line continue."""
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def info() -> LockInfo:
    """This test as a holder."""
    return LockInfo("lock-test", "apply", "test@here", "here", os.getpid(), "0.1.0", "2026-11-23T08:00:00Z")


def silent(_holder: LockInfo | None) -> None:
    """Waiting is no news here."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_a_lock_held_by_another_process_is_refused_with_its_name(path: Path) -> None:
    """Then it is free, and the fence has grown."""
    with process(HOLD, str(path)) as holder:
        fence = int(said(holder).split()[1])
        with (
            pytest.raises(StateLocked, match=rf"holder@here \(host here, pid {holder.pid}\): apply"),
            LocalBackend(path).lock(info(), 0, silent),
        ):
            pass
        go_on(holder)
        assert said(holder) == "left"
        with LocalBackend(path).lock(info(), 0, silent) as lease:
            assert lease.fence == fence + 1


def test_a_waiting_process_takes_over_when_the_holder_leaves(path: Path) -> None:
    """It was told who holds the lock, once."""
    told: list[LockInfo | None] = []
    with process(HOLD, str(path)) as holder:
        said(holder)

        def let_go(who: LockInfo | None) -> None:
            told.append(who)
            go_on(holder)

        with LocalBackend(path).lock(info(), 60, let_go):
            assert said(holder) == "left"
    assert [who.who if who else None for who in told] == ["holder@here"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_killed_holder_frees_the_lock_at_once(path: Path, times: int) -> None:
    """Although its name still stands in the note; also when its successor is killed as well."""
    for _ in range(times):
        with process(HOLD, str(path)) as holder:
            fence = int(said(holder).split()[1])
            holder.send_signal(signal.SIGKILL)
            assert holder.wait() == -signal.SIGKILL
    assert "holder@here" in path.with_name("state.json.lock-info").read_text()
    with LocalBackend(path).lock(info(), 0, silent) as lease:
        assert lease.fence == fence + 1


def test_a_stopped_holder_still_holds(path: Path) -> None:
    """It may wake up at any time, so nobody may pass it."""
    with process(HOLD, str(path)) as holder:
        said(holder)
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(StateLocked), LocalBackend(path).lock(info(), 0, silent):
            pass
        holder.send_signal(signal.SIGCONT)
        go_on(holder)
        assert said(holder) == "left"


def test_writers_that_contend_lose_nothing(path: Path) -> None:
    """Three processes add ten components each: thirty serials, thirty components, thirty fences."""
    with (
        process(ADD, str(path), "a", "10") as a,
        process(ADD, str(path), "b", "10") as b,
        process(ADD, str(path), "c", "10") as c,
    ):
        for child in (a, b, c):
            assert said(child) == "ready"
        for child in (a, b, c):
            go_on(child)
        assert [said(child) for child in (a, b, c)] == ["done"] * 3
    state = LocalBackend(path).read()
    assert state is not None
    assert (state.serial, state.fence, len(state.components)) == (30, 30, 30)


def test_a_writer_killed_at_any_moment_leaves_a_whole_state(path: Path) -> None:
    """Nothing that was reported as saved is missing: serial n + 1 holds n components. The next holder cleans up."""
    for round_ in range(8):
        with process(WRITE_FOR_EVER, str(path)) as writer:
            for _ in range(round_ + 1):
                reported = int(said(writer))
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        state = LocalBackend(path).read()
        assert state is not None
        assert state.serial >= reported
        assert len(state.components) == state.serial - 1
    with LocalBackend(path).lock(info(), 0, silent):
        names = {entry.name for entry in path.parent.iterdir()}
    kept = ("", ".backup", ".history", ".lock", ".lock-info")
    assert names == {f"state.json{suffix}" for suffix in kept}


def test_a_second_process_can_not_write_over_the_first(path: Path) -> None:
    """What this one read is old when it gets the lock."""
    backend = LocalBackend(path)
    assert backend.read() is None
    with process(ADD, str(path), "a", "1") as other:
        said(other)
        go_on(other)
        assert said(other) == "done"
    with (
        backend.lock(info(), 0, silent) as lease,
        pytest.raises(StateConflict, match="did not exist, and holds serial 1 now"),
    ):
        backend.write(None, new_state("mine", "0.1.0"), lease)


def test_a_killed_writer_of_the_journal_loses_nothing_that_it_was_told_is_kept(path: Path) -> None:
    """Every append is there whole or not at all, and the next writer goes on behind it."""
    reported: list[str] = []
    for round_ in range(4):
        with process(JOURNAL, str(path), "-1") as writer:
            for _ in range(5 * round_ + 1):
                reported += said(writer).split()[1:]
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        names = [str(entry["name"]) for entry in LocalBackend(path).read_journal()]
        assert [name for name in names if name in reported] == reported
        assert [name[:-1] for name in names[::2]] == [name[:-1] for name in names[1::2]]


def test_writers_of_one_journal_lose_nothing_of_each_other(path: Path) -> None:
    """Two processes, a lock for three appends each time."""
    with process(JOURNAL, str(path), "30") as one, process(JOURNAL, str(path), "30") as two:
        told = [said(child).split()[1:] for child in (one, two) for _ in range(30)]
        assert (one.wait(), two.wait()) == (0, 0)
    names = [str(entry["name"]) for entry in LocalBackend(path).read_journal()]
    assert sorted(names) == sorted(name for pair in told for name in pair)
    fences = [int(name.split("/")[1]) for name in names]
    assert fences == sorted(fences)
