"""Where state and journal are kept: a server in memory, a disk that forgets, and a watcher in front of any backend.

The server keeps the promises of `backends.Backend` on the clock of the world; the disk loses at a power cut what was
not made durable. The watcher counts every call as an effect and tells the truth what became durable.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from torture_clock import Clock
from torture_effects import NO_FAULT, Crash, Fault

from statetool.backends import Backend, Capabilities, JournalEntry, LockInfo, OnWait, StoredSerial
from statetool.backends.comparison import ensure_unmoved
from statetool.backends.files import FileSystem
from statetool.backends.lease import TTL_S, Lease
from statetool.backends.local import LocalBackend
from statetool.backends.state_text import StateText, parse_state
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, LeaseLost, StateError, StateLocked, StateUnreachable


class Owner(Protocol):
    """The process that uses a backend."""

    @property
    def is_alive(self) -> bool: ...

    @property
    def is_stopped(self) -> bool: ...

    def effect(self, kind: str, name: str) -> Fault: ...

    def die(self) -> Crash: ...


@dataclass
class MemoryServer:
    """One state with its journal and its lease, on a server that survives every process."""

    clock: Clock
    data: bytes | None = None
    journal: tuple[str, ...] = ()
    fence: int = 0
    holder: Owner | None = None
    ends_at: float = 0.0
    cut_off: set[int] = field(default_factory=set)
    """Fences whose holders can't reach the server."""

    @property
    def is_held(self) -> bool:
        return self.holder is not None and self.clock.now < self.ends_at


_SILENT = Capabilities(expires=True, compares=True, has_history=False)


class MemoryBackend:
    """A client of the server."""

    location = "memory"
    capabilities = _SILENT

    def __init__(self, server: MemoryServer, owner: Owner) -> None:
        self._server, self._owner = server, owner
        self._text = StateText()
        self._lease: Lease | None = None

    def read(self) -> StateFile | None:
        return None if self._server.data is None else parse_state(self._server.data)

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return tuple(entry for line in self._server.journal for entry in json.loads(line))

    @contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        server, clock = self._server, self._server.clock
        if server.is_held:
            on_wait(None)
        until = clock.now + timeout_s
        while server.is_held:
            if clock.now >= until:
                raise StateLocked("somebody else holds the lock", hint="--lock-timeout")
            clock.advance(min(until, clock.now + 1.0))
        server.fence += 1
        server.holder, server.ends_at = self._owner, clock.now + TTL_S
        self._lease = lease = Lease(server.fence, ends_at=clock.now + TTL_S, clock=clock.time)
        self._renew_later(lease, TTL_S / 3)
        try:
            yield lease
        finally:
            if self._owner.is_alive:
                lease.lose("it was given back")
                if server.fence == lease.fence:
                    server.holder = None

    def _renew_later(self, lease: Lease, pause_s: float) -> None:
        self._server.clock.at(self._server.clock.now + pause_s, lambda: self._renew(lease))

    def _renew(self, lease: Lease) -> None:
        server = self._server
        if not self._owner.is_alive or lease.loss is not None:
            return
        if self._owner.is_stopped or lease.fence in server.cut_off:
            self._renew_later(lease, TTL_S / 12)
        elif server.fence != lease.fence:
            lease.lose("another run took it")
        else:
            server.ends_at = server.clock.now + TTL_S
            lease.extend(server.ends_at)
            self._renew_later(lease, TTL_S / 3)

    def _ensure_holder(self, lease: Lease) -> None:
        if lease.fence in self._server.cut_off:
            raise StateUnreachable("the server does not answer")
        if lease is not self._lease or lease.loss is not None or self._server.fence != lease.fence:
            lease.lose("another run took it")
            raise LeaseLost("no longer held by this run")

    def find_holder(self) -> LockInfo | None:
        return None

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        raise StateError("not locked", code="not_locked")

    def check_place(self) -> tuple[Diagnostic, ...]:
        return ()

    def read_history(self) -> tuple[StoredSerial, ...]:
        return ()

    def read_serial(self, serial: int) -> StateFile:
        raise StateError("none kept", code="no_such_serial")

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        self._ensure_holder(lease)
        stored = self.read()
        ensure_unmoved(self.location, before, after, stored, lease)
        if stored is not None and stored.holds_the_same_as(after):
            return stored
        saved = replace(after, serial=max((before.serial if before else 0) + 1, floor), fence=lease.fence)
        self._server.data = self._text.render(saved)
        return saved

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._ensure_holder(lease)
        self._server.journal = (*self._server.journal, json.dumps(entries))

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._ensure_holder(lease)
        self._server.journal = (json.dumps(entries),) if entries else ()


class Watcher(Protocol):
    """Is told what became durable."""

    def appended(self, owner: Any, entries: Sequence[JournalEntry]) -> None: ...

    def stored(self, owner: Any, before: StateFile | None, state: StateFile, lease: Lease) -> None: ...


class Watched:
    """A backend whose every call is an effect of its process."""

    def __init__(self, inner: Backend, owner: Owner, watcher: Watcher, clock: Clock) -> None:
        self._inner, self._owner, self._watcher, self._clock = inner, owner, watcher, clock

    @property
    def location(self) -> str:
        return self._inner.location

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def _call(self, name: str, work: Callable[[], Any], told: Callable[[Any], None] = lambda _: None) -> Any:
        fault = self._owner.effect("store", name)
        if fault.kind == "crash_before":
            raise self._owner.die()
        if fault.kind == "error":
            raise StateUnreachable(f"{name}: the server does not answer")
        if fault.kind == "slow":
            self._clock.advance(self._clock.now + fault.after_s)
        result = work()
        told(result)
        if fault.kind == "crash_after":
            raise self._owner.die()
        if fault.kind == "lost_answer":
            raise StateUnreachable(f"{name}: no answer came")
        return result

    def read(self) -> StateFile | None:
        return self._call("read", self._inner.read)

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return self._call("read_journal", self._inner.read_journal)

    @contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        held = self._inner.lock(info, timeout_s, on_wait, repairing=repairing)
        fault = self._owner.effect("store", "lock")
        if fault.kind == "crash_before":
            raise self._owner.die()
        if fault.kind in ("error", "lost_answer"):
            raise StateUnreachable("lock: the server does not answer")
        lease = held.__enter__()
        try:
            if fault.kind == "crash_after":
                raise self._owner.die()
            yield lease
            fault = self._owner.effect("store", "unlock")
            if fault.kind.startswith("crash"):
                raise self._owner.die()
        finally:
            # Of a dead process the kernel lets go of the lock, or the server some time later.
            with suppress(Crash):
                held.__exit__(None, None, None)

    def find_holder(self) -> LockInfo | None:
        return self._inner.find_holder()

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        return self._inner.break_lock(lock_id, reason)

    def check_place(self) -> tuple[Diagnostic, ...]:
        return self._inner.check_place()

    def read_history(self) -> tuple[StoredSerial, ...]:
        return self._inner.read_history()

    def read_serial(self, serial: int) -> StateFile:
        return self._inner.read_serial(serial)

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        work = lambda: self._inner.write(before, after, lease, floor=floor)  # noqa: E731 - said once
        told = lambda saved: self._watcher.stored(self._owner, before, saved, lease)  # noqa: E731
        result: StateFile = self._call("write", work, told)
        return result

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        told = lambda _: self._watcher.appended(self._owner, entries)  # noqa: E731
        self._call("append", lambda: self._inner.append(entries, lease), told)

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._call("replace_journal", lambda: self._inner.replace_journal(entries, lease))


# A disk


@dataclass
class Disk:
    """What the disk would still know after a power cut: everything but `undo`, in this order."""

    undo: list[tuple[object, Callable[[], None]]] = field(default_factory=list)

    def cut(self) -> None:
        """The power fails: what was not made durable is gone."""
        for _, take_back in reversed(self.undo):
            take_back()
        self.undo.clear()

    def made_durable(self, key: object) -> None:
        self.undo = [one for one in self.undo if one[0] != key]


class TorturedFiles(FileSystem):
    """The calls of a save, each an effect. What is durable follows from the calls themselves."""

    def __init__(self, disk: Disk, owner: Owner) -> None:
        self._disk, self._owner = disk, owner

    def _call(self, name: str, work: Callable[[], Any]) -> Any:
        fault = self._owner.effect("disk", name)
        if fault.kind in ("crash_before", "power_before"):
            raise self._die(fault)
        if fault.kind in ("error", "full"):
            number = errno.EIO if fault.kind == "error" else errno.ENOSPC
            raise OSError(number, os.strerror(number))
        result = work()
        if fault.kind in ("crash_after", "power_after"):
            raise self._die(fault)
        return result

    def _die(self, fault: Fault) -> Crash:
        crash = self._owner.die()
        if fault.kind.startswith("power"):
            self._disk.cut()
        return crash

    def create(self, path: Path, mode: int = 0o600) -> int:
        def work() -> int:
            descriptor = FileSystem.create(self, path, mode)
            self._disk.undo.append((path.parent, lambda: path.unlink(missing_ok=True)))
            return descriptor

        return int(self._call("create", work))

    def write(self, descriptor: int, data: bytes) -> int:
        where = Path(f"/proc/self/fd/{descriptor}").readlink()
        inode, size = os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size
        fault = self._owner.effect("disk", "write")
        if fault.kind in ("crash_before", "power_before"):
            raise self._die(fault)
        if fault.kind == "error":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        # A full disk, and a process that dies, leave half of it behind.
        half = fault.kind in ("full", "crash_after", "power_after")
        self._disk.undo.append((inode, lambda: _cut_to(where, inode, size + len(data) // 3)))
        written = FileSystem.write(self, descriptor, data[: len(data) // 2] if half else data)
        if fault.kind == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if half:
            raise self._die(fault)
        return written

    def fsync(self, descriptor: int) -> None:
        self._call("fsync", lambda: self._synced(descriptor, FileSystem.fsync))

    def sync_data(self, descriptor: int) -> None:
        self._call("sync_data", lambda: self._synced(descriptor, FileSystem.sync_data))

    def _synced(self, descriptor: int, work: Callable[..., None]) -> None:
        self._disk.made_durable(os.fstat(descriptor).st_ino)  # the real disk of the machine is left in peace

    def open_at_end(self, path: Path) -> int:
        return int(self._call("open_at_end", lambda: FileSystem.open_at_end(self, path)))

    def truncate(self, descriptor: int, size: int) -> None:
        self._call("truncate", lambda: FileSystem.truncate(self, descriptor, size))

    def link(self, source: Path, target: Path) -> None:
        def work() -> None:
            FileSystem.link(self, source, target)
            self._disk.undo.append((target.parent, lambda: target.unlink(missing_ok=True)))

        self._call("link", work)

    def replace(self, source: Path, target: Path) -> None:
        def work() -> None:
            kept = target.with_name(f".{target.name}.kept-{len(self._disk.undo)}-{source.name[-6:]}")
            was_there = target.exists()
            if was_there:
                os.link(target, kept)
            FileSystem.replace(self, source, target)

            def take_back() -> None:
                target.unlink(missing_ok=True)
                if was_there and kept.exists():
                    kept.replace(target)

            self._disk.undo.append((target.parent, take_back))

        self._call("replace", work)

    def sync_folder(self, folder: Path) -> None:
        def work() -> None:
            self._disk.made_durable(folder)
            for kept in folder.glob(".*.kept-*"):
                kept.unlink()

        self._call("sync_folder", work)


def _cut_to(path: Path, inode: int, size: int) -> None:
    for found in path.parent.iterdir():
        with suppress(OSError):
            if found.stat().st_ino == inode and found.stat().st_size > size:
                os.truncate(found, size)
                return


class Place(Protocol):
    """Where the state of a world is: gives every process a backend of its own."""

    def open(self, owner: Owner) -> Backend: ...

    def read(self) -> tuple[StateFile | None, tuple[JournalEntry, ...]]:
        """What a new process would find."""
        ...

    def is_valid(self, fence: int) -> bool | None:
        """Whether the lease with this fence is held right now; None where that can't be told."""
        ...


class InMemory:
    """The server in memory."""

    def __init__(self, clock: Clock) -> None:
        self.server = MemoryServer(clock)

    def open(self, owner: Owner) -> Backend:
        return MemoryBackend(self.server, owner)

    def read(self) -> tuple[StateFile | None, tuple[JournalEntry, ...]]:
        client = MemoryBackend(self.server, _NOBODY)
        return client.read(), client.read_journal()

    def is_valid(self, fence: int) -> bool | None:
        return self.server.fence == fence and self.server.is_held


class OnDisk:
    """The local backend, each of its file-system calls an effect."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        self.disk = Disk()
        self.path = folder / "state.json"
        self._clock, self._rescue = clock, folder / "rescue"
        self._rescue.mkdir()

    def open(self, owner: Owner) -> Backend:
        return LocalBackend(
            self.path,
            files=TorturedFiles(self.disk, owner),
            rescue_folder=self._rescue,
            clock=self._clock.time,
            sleep=lambda seconds: self._clock.advance(self._clock.now + seconds),
        )

    def read(self) -> tuple[StateFile | None, tuple[JournalEntry, ...]]:
        client = LocalBackend(self.path, rescue_folder=self._rescue)
        return client.read(), client.read_journal()

    def is_valid(self, fence: int) -> bool | None:
        note = json.loads(self.path.with_name("state.json.lock-info").read_text(encoding="utf-8"))
        return bool(note["fence"] == fence)


class _Nobody:
    is_alive = True
    is_stopped = False

    def effect(self, kind: str, name: str) -> Fault:
        return NO_FAULT

    def die(self) -> Crash:
        return Crash()


_NOBODY = _Nobody()
