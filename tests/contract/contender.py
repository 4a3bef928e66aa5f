"""One contender for a lock: takes it, writes a little, notes what happened, and ends as its role says.

Owns what a contender does within its own process, and the log that all of them share. It must not know who won.
Records are explained in `contention_judge`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

from contention_judge import BATCH, Record
from contract_kit import CART, info, silent, with_cart

from statetool.backends import Backend, JournalEntry
from statetool.backends.lease import Lease, boot_clock
from statetool.core.state import StateFile, new_state
from statetool.errors import LeaseLost, StateConflict, StateError

PATIENCE_S = 120.0
WRITES = 2
LONGEST_SLEEP_S = 0.1
"""Contenders ask more often than runs do: the more they meet, the more there is to see."""


class Role(StrEnum):
    """How a contender leaves."""

    LEAVES = "leaves"
    DIES = "dies"  # killed by SIGKILL somewhere among its writes
    STOPS = "stops"  # stopped by SIGSTOP inside; tries to write when it wakes
    FOLDS = "folds"  # looks at the journal, and empties it
    BREAKS = "breaks"  # ends somebody's lock by force


@dataclass(frozen=True)
class Log:
    """The log of a contest: a file that everybody appends whole lines to."""

    path: Path

    def note(self, event: str, **values: Any) -> None:
        record = {"event": event, "at": boot_clock(), "who": os.getpid(), **values}
        line = json.dumps(record).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def read(self) -> list[Record]:
        """What was noted by now."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]

    def count(self, event: str) -> int:
        """How often that was noted by now."""
        return self.path.read_bytes().count(f'{{"event": "{event}"'.encode()) if self.path.exists() else 0


def sleep_less(seconds: float) -> None:
    """How contenders wait."""
    time.sleep(min(seconds, LONGEST_SLEEP_S))


def contend(open_client: Callable[[], Backend], log: Log, role: Role) -> None:
    """Take the lock once, and do what the role says. Every failure is noted."""
    try:
        backend = open_client()
        while not _hold_once(backend, log, role):
            pass  # the lock was lost through no fault of its own: a machine too busy to renew it
    except BaseException as error:
        log.note("failed", fence=0, error=f"{role}: {type(error).__name__}: {error}")


def break_lock(open_client: Callable[[], Backend], log: Log, holder: int) -> None:
    """End the lock of that process by force, unless somebody else has it already."""
    try:
        log.note("broken", whose=holder)
        with contextlib.suppress(StateError):
            open_client().break_lock(f"lock-{holder}", "it does not move")
    except BaseException as error:
        log.note("failed", fence=0, error=f"{Role.BREAKS}: {type(error).__name__}: {error}")


def _hold_once(backend: Backend, log: Log, role: Role) -> bool:
    """False where the lock was lost while its holder meant well."""
    work = {Role.DIES: _write_and_die, Role.STOPS: _write_and_stop, Role.FOLDS: _fold}.get(role, _write_and_leave)
    fence = 0
    try:
        with backend.lock(info(str(os.getpid())), PATIENCE_S, silent) as lease:
            fence = lease.fence
            log.note("enter", fence=fence, until=_until(lease))
            work(backend, log, lease)
    except LeaseLost:
        log.note("lost", fence=fence)
        return False
    return True


def _write_and_leave(backend: Backend, log: Log, lease: Lease) -> None:
    _write(backend, log, lease, times=WRITES)
    log.note("leave", fence=lease.fence)


def _write_and_die(backend: Backend, log: Log, lease: Lease) -> None:
    """Killed at some moment within the first writes, by a thread of its own."""

    def die() -> None:
        time.sleep(random.uniform(0, 0.03))
        log.note("dying", fence=lease.fence)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=die).start()
    _write(backend, log, lease, times=None)


def _write_and_stop(backend: Backend, log: Log, lease: Lease) -> None:
    """Stopped between two writes. Whoever wakes it has seen that somebody else got the lock."""
    state = _write(backend, log, lease, times=1)
    log.note("stopping", fence=lease.fence)
    os.kill(os.getpid(), signal.SIGSTOP)
    accepted = _try_everything(backend, state, lease)
    # The same by one that does not know how late it is: what refuses it now is the store.
    lease._lost, lease._ends_at = None, float("inf")
    accepted += _try_everything(backend, state, lease)
    log.note("woke", fence=lease.fence, accepted=accepted)


def _try_everything(backend: Backend, state: StateFile, lease: Lease) -> list[str]:
    """What could be written under a lease that somebody else has by now."""
    tries: dict[str, Callable[[], object]] = {
        "append": lambda: backend.append(_batch(lease, -1), lease),
        "write": lambda: backend.write(state, with_cart(state, "late"), lease),
        "replace": lambda: backend.replace_journal(_batch(lease, -2), lease),
    }
    accepted: list[str] = []
    for name, attempt in tries.items():
        try:
            attempt()
            accepted.append(name)
        except StateConflict:
            pass
    return accepted


def _fold(backend: Backend, log: Log, lease: Lease) -> None:
    """Look at all entries since the last time, and start anew."""
    batches: list[list[int]] = []
    for entry in backend.read_journal():
        fence, batch = int(str(entry["fence"])), int(str(entry["batch"]))
        if batches and batches[-1][:2] == [fence, batch]:
            batches[-1][2] += 1
        else:
            batches.append([fence, batch, 1])
    log.note("journal", fence=lease.fence, batches=batches)
    backend.replace_journal((), lease)
    log.note("emptied", fence=lease.fence)
    log.note("leave", fence=lease.fence)


def _write(backend: Backend, log: Log, lease: Lease, *, times: int | None) -> StateFile:
    """So many writes, each on what the one before stored, and after each a batch for the journal."""
    before = backend.read()
    state = before or new_state("lineage", "0.1.0")
    for batch in range(times) if times is not None else count():
        log.note("hold", fence=lease.fence, until=_until(lease))
        state = backend.write(before, with_cart(state, f"{os.getpid()}-{lease.fence}-{batch}"), lease)
        log.note("wrote", fence=lease.fence, before=_mark(before), after=_mark(state))
        backend.append(_batch(lease, batch), lease)
        log.note("added", fence=lease.fence, batch=batch)
        before = state
    return state


def _batch(lease: Lease, number: int) -> list[JournalEntry]:
    return [{"fence": lease.fence, "batch": number, "entry": entry} for entry in range(BATCH)]


def _mark(state: StateFile | None) -> tuple[int, int, str] | None:
    return (state.serial, state.fence, state.components[CART].component_id) if state is not None else None


def _until(lease: Lease) -> float | None:
    """Until when nobody else can have it, None where that has no end."""
    now = boot_clock()  # before it is asked: what is promised is never more than what holds
    until = now + lease.remaining_s
    return None if until == math.inf else until
