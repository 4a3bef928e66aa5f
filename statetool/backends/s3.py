"""The s3 backend: state, lock, journal and earlier serials as objects below one key of a bucket.

Owns the state's object, its copies in `history/`, and the order of things in a save. Below the key stand `state.json`,
`lock.json` (s3_register), `journal/` (s3_journal) and `history/SERIAL.json`. Loaded only where such a state is opened.
It must not know what the state says.

What the store can't do is compare two objects at once: a holder that stops between asking whether the lock is still
its own and the arrival of its save, can still replace the very state it read. Then its successor's own save is
refused, and nothing is lost unseen.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from statetool.backends import Capabilities, JournalEntry, LockInfo, OnWait, StoredSerial
from statetool.backends.comparison import ensure_unmoved
from statetool.backends.lease import TTL_S, Lease, boot_clock, kept_alive
from statetool.backends.places import S3Place
from statetool.backends.s3_journal import BatchReader, JournalWriter
from statetool.backends.s3_objects import Found, Moved, Objects
from statetool.backends.s3_probe import ensure_compares
from statetool.backends.s3_register import Held, LockRegister
from statetool.backends.state_text import MAX_BYTES, StateText, parse_state
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, LeaseLost, StateConflict, StateError, StateUnreadable

STATE = "state.json"
HISTORY = "history"
KEPT_SERIALS = 50
"""How many serials can be read, the stored one among them."""

SMALL_TIMEOUT_S = 10.0
"""For one request about lock or journal: several fit into the time a lease lasts."""

WHOLE_TIMEOUT_S = 120.0
"""For one request with a whole state in it."""

_KEPT = re.compile(rf"{HISTORY}/([0-9]{{1,18}})\.json")

_proven: set[tuple[str | None, str, str]] = set()
"""Endpoint, bucket and key of the stores that this process has tried out."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A state and the object it stands in."""

    found: Found
    state: StateFile


@dataclass(frozen=True, slots=True)
class _Hold:
    """What goes with the lock while it is held."""

    held: Held
    journal: JournalWriter


class S3Backend:
    """The state below `place`. `ttl_s` is how long a lock lasts that is not renewed.

    `unsafe` skips the trial whether the store keeps two writers apart.
    """

    def __init__(
        self,
        place: S3Place,
        *,
        ttl_s: float = TTL_S,
        clock: Callable[[], float] = boot_clock,
        sleep: Callable[[float], None] = time.sleep,
        unsafe: bool = False,
    ) -> None:
        self._place = place
        self._ttl_s = ttl_s
        self._unsafe = unsafe
        self._small = Objects(place, timeout_s=SMALL_TIMEOUT_S, sleep=sleep)
        self._whole = Objects(place, timeout_s=WHOLE_TIMEOUT_S, sleep=sleep)
        self._register = LockRegister(self._small, ttl_s=ttl_s, clock=clock, sleep=sleep)
        self._reader = BatchReader(self._small)
        self._text = StateText()
        self._stored: _Stored | None = None
        self._hold: _Hold | None = None
        # Digests of saves that were told to have failed; one of them may have arrived later.
        self._attempts: set[bytes] = set()

    @property
    def location(self) -> str:
        return self._small.location

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(expires=True, compares=True, has_history=True)

    def read(self) -> StateFile | None:
        stored = self._look()
        return stored.state if stored is not None else None

    def read_journal(self) -> tuple[JournalEntry, ...]:
        folder, entries = self._reader.read_current(self._register)
        if self._hold is not None:
            self._hold.journal.carried = folder, entries
        return entries

    @contextlib.contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        self._ensure_compares()
        held = self._register.acquire(info, self._least_fence, timeout_s, on_wait)
        try:
            with kept_alive(held.lease, held.renew, every_s=self._ttl_s / 3):
                self._hold = _Hold(held, JournalWriter(self._small, self._reader, held))
                yield held.lease
        finally:
            self._hold = None
            # What can't be given back frees itself; what is somebody else's by now stays theirs.
            with contextlib.suppress(StateError):
                held.release()

    def find_holder(self) -> LockInfo | None:
        return self._register.find_holder()

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        return self._register.break_lock(lock_id, reason)

    def check_place(self) -> tuple[Diagnostic, ...]:
        try:
            self._register.look()
            self._look()
        except StateUnreadable:
            return ()  # told by whoever reads it
        except StateError as error:
            return error.diagnostics
        return ()

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        self._ensure_holding(lease).held.ensure_mine()
        stored = self._look()
        if stored is not None and _digest(stored.found.data) in self._attempts:
            before = stored.state  # an own save that arrived after it was told to have failed
        ensure_unmoved(self.location, before, after, stored.state if stored else None, lease)
        if stored is not None and stored.state.holds_the_same_as(after):
            return stored.state
        saved = replace(after, serial=max((before.serial if before else 0) + 1, floor), fence=lease.fence)
        data = self._text.render(saved)
        if stored is not None:
            self._whole.overwrite(_kept_name(stored.state.serial), stored.found.data)
        try:
            found = self._whole.put(STATE, data, stored.found if stored else None)
        except Moved as moved:
            if moved.found is not None and _digest(moved.found.data) in self._attempts:
                return self.write(before, after, lease, floor=floor)
            raise self._moved(before, after, lease) from None
        except StateError:
            self._attempts.add(_digest(data))
            raise
        self._stored = _Stored(found, saved)
        self._attempts.clear()
        self._prune()
        return saved

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._ensure_holding(lease).journal.append(entries)

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._ensure_holding(lease).journal.replace(entries)

    def read_history(self) -> tuple[StoredSerial, ...]:
        self._stored = None  # what this client stored itself it knows no time of
        stored = self._look()
        if stored is None:
            return ()
        kept = [(serial, at) for serial, at in self._kept() if serial < stored.state.serial]
        # A serial is kept at the moment the next one is stored; so the first of them has no time.
        stored_at = [None, *(at for _, at in kept)]
        older = [StoredSerial(serial, at) for (serial, _), at in zip(kept, stored_at, strict=False)]
        return (StoredSerial(stored.state.serial, stored.found.at), *reversed(older))

    def read_serial(self, serial: int) -> StateFile:
        stored = self._look()
        if stored is not None and stored.state.serial == serial:
            return stored.state
        found = self._whole.find(_kept_name(serial), limit=MAX_BYTES) if stored is not None else None
        kept = self._parse(_kept_name(serial), found) if found is not None else None
        # A copy of another lineage was left by a state that stood here before.
        if stored is None or kept is None or kept.lineage != stored.state.lineage or serial > stored.state.serial:
            raise StateError(
                f"the state {self.location} has no serial {serial} any more, or never had",
                code="no_such_serial",
                hint="see which there are: statetool state history",
            )
        return kept

    def _look(self) -> _Stored | None:
        known = self._stored
        found = self._whole.find(STATE, known.found if known else None, limit=MAX_BYTES)
        if found is None:
            self._stored = None
            self._small.list(HISTORY)  # tells a key without a state from a bucket that does not exist
            return None
        if known is None or found is not known.found:
            self._stored = _Stored(found, self._parse(STATE, found))
        return self._stored

    def _parse(self, name: str, found: Found) -> StateFile:
        try:
            return parse_state(found.data)
        except StateUnreadable as error:
            raise StateUnreadable(
                f"the state {self.location} can't be read: {name}: {error.message}",
                hint=error.hint or f"earlier serials stand below {HISTORY}/",
            ) from None

    def _least_fence(self) -> int:
        stored = self._look()
        return stored.state.fence + 1 if stored is not None else 1

    def _ensure_compares(self) -> None:
        place = (self._place.endpoint, self._place.bucket, self._place.key)
        if not self._unsafe and place not in _proven:
            ensure_compares(self._small)
            _proven.add(place)

    def _ensure_holding(self, lease: Lease) -> _Hold:
        if self._hold is None or self._hold.held.lease is not lease:
            raise LeaseLost(
                f"the state {self.location} was not touched: its lock is no longer held by this run",
                hint="run the command again; it looks at what really happened",
            )
        lease.ensure_held()
        return self._hold

    def _moved(self, before: StateFile | None, after: StateFile, lease: Lease) -> StateError:
        """Why the store refused: what is there by now."""
        stored = self._look()
        ensure_unmoved(self.location, before, after, stored.state if stored else None, lease)
        return StateConflict(
            f"the state {self.location} was not saved, for somebody else wrote it at the same moment",
            hint="find out who wrote it, then run the command again; it looks at what really happened",
        )

    def _kept(self) -> list[tuple[int, str]]:
        """The serials in `history/` and when each was put there, oldest first."""
        matches = ((_KEPT.fullmatch(one.name), one.at) for one in self._small.list(HISTORY))
        return sorted((int(match[1]), at) for match, at in matches if match)

    def _prune(self) -> None:
        with contextlib.suppress(StateError):
            self._small.delete(_kept_name(serial) for serial, _ in self._kept()[: -(KEPT_SERIALS - 1)])


def _kept_name(serial: int) -> str:
    return f"{HISTORY}/{serial:012d}.json"


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
