"""The lock of a local state: the kernel's, on a file of its own, and a note beside it that says who holds it.

Owns the wait, the note and the fence counter in it. The lock is the truth and the note is only for people: a
killed holder's lock is free although its note still stands. It must not know what the lock protects.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from statetool.backends import LockInfo, OnWait, lock_info_from_json, lock_info_to_json
from statetool.backends.files import FileSystem, explain, read_file, replace_file
from statetool.core.document import DocumentError, Fields, parse_document
from statetool.errors import StateError, StateLocked

POLL_S = 0.2
QUIET_S = 0.4
"""A wait shorter than this is not worth a word."""

_NOTE_LIMIT = 2**16


class LocalLock:
    """The lock of the state at `state_path`. `clock` gives seconds that only grow."""

    def __init__(
        self, state_path: Path, files: FileSystem, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._state_path = state_path
        self._path = state_path.with_name(f"{state_path.name}.lock")
        self._note_path = state_path.with_name(f"{state_path.name}.lock-info")
        self._files = files
        self._clock = clock
        self._sleep = sleep

    @contextlib.contextmanager
    def hold(self, timeout_s: float, on_wait: OnWait) -> Iterator[None]:
        """Hold the kernel's lock. Raises StateLocked after `timeout_s`, StateError where there can be no lock."""
        # A new object each time: one object would count a second lock of the same process as the first.
        # No fallback to a lock file without the kernel: that would survive the death of its holder.
        lock = FileLock(self._path, mode=0o600, thread_local=False, fallback_to_soft=False)
        try:
            self._wait(lock, timeout_s, on_wait)
            yield
        finally:
            with contextlib.suppress(OSError):
                lock.release(force=True)

    def find_holder(self) -> LockInfo | None:
        """The holder by its note. A note that a killed process of this machine left names nobody.

        Whether one of another machine still runs can't be told from here.
        """
        holder = self._read_note()[1]
        if holder is None or (holder.host == socket.gethostname() and not _is_running(holder.pid)):
            return None
        return holder

    def read_fence(self) -> int:
        """The newest fence that was counted; 0 where the note can't be read."""
        return self._read_note()[0]

    def take_fence(self, info: LockInfo, floor: int) -> int:
        """Count a new fence, above `floor` and every one before, and note who holds it. For the holder only."""
        fence = max(self._read_note()[0], floor) + 1
        try:
            self._write_note(fence, info)
        except OSError as error:
            raise StateError(
                f"can't lock the state {self._state_path}: {self._note_path} can't be written: {explain(error)}",
                code="lock_failed",
                hint="the folder of the state must be writable and have room",
            ) from None
        return fence

    def clear_note(self, fence: int) -> None:
        """Take the holder's name off. A note that stays is harmless: the next holder replaces it."""
        with contextlib.suppress(OSError):
            self._write_note(fence, None)

    def _wait(self, lock: FileLock, timeout_s: float, on_wait: OnWait) -> None:
        began = self._clock()
        told = False
        while not self._try(lock):
            waited = self._clock() - began
            if waited >= timeout_s:
                raise self._locked()
            if not told and waited >= QUIET_S:
                told = True
                on_wait(self._read_note()[1])
            self._sleep(min(POLL_S, timeout_s - waited))

    def _try(self, lock: FileLock) -> bool:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError as error:
            raise StateError(
                f"can't lock the state {self._state_path}: {self._path}: {explain(error)}",
                code="lock_failed",
                hint="the folder of the state must be writable, and on a file system with locks (flock)",
            ) from None
        return True

    def _locked(self) -> StateLocked:
        holder = self._read_note()[1]
        if holder is None:
            # Between taking the lock and writing the note, and after clearing it, nobody is named.
            by = "another run that has not given its name yet"
        else:
            run = f", run {holder.run_id}" if holder.run_id else ""
            job = f", {holder.ci_url}" if holder.ci_url else ""
            by = f"{holder.who} (host {holder.host}, pid {holder.pid}): {holder.operation} since {holder.created}"
            by += f"{run}{job}, lock {holder.id}"
        return StateLocked(
            f"the state {self._state_path} is locked by {by}",
            hint="wait for that run to end, or wait longer with --lock-timeout; the lock ends with its process, "
            "so there is nothing to force",
        )

    def _read_note(self) -> tuple[int, LockInfo | None]:
        """Fence and holder; (0, None) where there is no readable note, for then the state's own fence counts."""
        try:
            note = Fields(dict(parse_document(read_file(self._note_path, _NOTE_LIMIT)[0])))
            fence = note.integer("fence", minimum=0)
            holder = lock_info_from_json(note.mapping("holder")) if note.has("holder") else None
            return fence, replace(holder, fence=fence) if holder else None
        except (OSError, DocumentError):
            return 0, None

    def _write_note(self, fence: int, holder: LockInfo | None) -> None:
        note = {"fence": fence, "holder": lock_info_to_json(holder) if holder else None}
        replace_file(self._files, self._note_path, (json.dumps(note, indent=2) + "\n").encode())


def _is_running(pid: int) -> bool:
    if pid <= 0:  # would ask about a group of processes
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's
    return True
