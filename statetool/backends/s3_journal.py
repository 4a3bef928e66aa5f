"""The journal of a state in a bucket: one object for each batch of entries, in a folder that the lock's register names.

Owns the objects and which of them count. Every holder writes into folders of its own, and only the one folder that the
register names is ever read: what a holder that lost the lock still puts into its folder, is never found. An append
is true once its object stands there and the register, asked after that, still names its writer. It must not know what
the entries say.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from statetool.backends import JournalEntry
from statetool.backends.s3_objects import Found, Moved, Objects
from statetool.backends.s3_register import JOURNAL, Held, LockRegister
from statetool.core.document import DocumentError, Fields, ensure_format, parse_document
from statetool.errors import StateError, StateUnreachable, StateUnreadable

_FORMAT = "1.0"
_LIMIT = 64 * 2**20
_READERS = 8
_READ_TRIES = 5


class BatchReader:
    """Reads folders of the journal. An object never changes, so it is fetched once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._folder: str | None = None
        self._batches: dict[str, tuple[JournalEntry, ...]] = {}

    def read_current(self, register: LockRegister) -> tuple[str | None, tuple[JournalEntry, ...]]:
        """The folder that counts, and its entries. Raises StateUnreadable, StateUnreachable."""
        before = register.look()
        for _ in range(_READ_TRIES):
            folder = before.register.journal if before is not None else None
            try:
                entries = self.read(folder)
                damage = None
            except StateUnreadable as error:
                entries, damage = (), error
            after = register.look(before)
            if folder == (after.register.journal if after is not None else None):
                if damage is not None:
                    raise damage
                return folder, entries
            before = after  # it was replaced while it was read, and its objects deleted
        raise StateUnreachable(
            f"{self._objects.location}: the journal is replaced faster than it can be read", hint="try again"
        )

    def read(self, folder: str | None) -> tuple[JournalEntry, ...]:
        """The entries of a folder, oldest first. Raises StateUnreadable where one is missing or damaged."""
        if folder != self._folder:
            self._folder, self._batches = folder, {}
        if folder is None:
            return ()
        names = [one.name for one in self._objects.list(f"{JOURNAL}/{folder}")]
        if names != [batch_name(folder, seq) for seq in range(1, len(names) + 1)]:
            raise self._damaged(f"{JOURNAL}/{folder}", "an object is missing, or does not belong there")
        missing = [name for name in names if name not in self._batches]
        with ThreadPoolExecutor(_READERS) as pool:
            for name, found in zip(missing, pool.map(self._fetch, missing), strict=True):
                self._batches[name] = self._parse(name, found)
        return tuple(entry for name in names for entry in self._batches[name])

    def _fetch(self, name: str) -> Found | None:
        return self._objects.find(name, limit=_LIMIT)

    def _parse(self, name: str, found: Found | None) -> tuple[JournalEntry, ...]:
        if found is None:
            raise self._damaged(name, "it is gone")
        try:
            document = parse_document(found.data)
            ensure_format(document, major=1)
            return tuple(dict(one) for one in _entries(Fields(document)))
        except DocumentError as error:
            raise self._damaged(name, error.message) from None

    def _damaged(self, name: str, reason: str) -> StateUnreadable:
        return StateUnreadable(
            f"{self._objects.location}: the journal can't be read: {name}: {reason}",
            hint="bring the object back from the bucket's versions",
        )


class JournalWriter:
    """Writes the journal for one holder of the lock, from one thread at a time.

    `carried` is what the holder read under its lock, so that nothing is taken over that it has not seen.
    """

    def __init__(self, objects: Objects, reader: BatchReader, held: Held) -> None:
        self._objects = objects
        self._reader = reader
        self._held = held
        self._lengths: dict[str, int] = {}
        """How many batches stand in the folders of this holder."""
        self._folders = 0
        self.carried: tuple[str | None, tuple[JournalEntry, ...]] | None = None

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Raises LeaseLost, StateUnreachable."""
        self._held.lease.ensure_held()
        while entries:
            folder = self._held.journal
            if folder is None or folder not in self._lengths:
                known = self.carried if self.carried is not None and self.carried[0] == folder else None
                before = known[1] if known else self._reader.read(folder)
                self._start([*before, *entries])
                return
            self._put(folder, entries)
            self._held.ensure_mine()
            if self._held.journal == folder:
                return
            # A switch whose answer was lost arrived after all: what counts now does not have the entries.

    def replace(self, entries: Sequence[JournalEntry]) -> None:
        """Raises LeaseLost, StateUnreachable."""
        self._held.lease.ensure_held()
        self._start(entries)

    def _start(self, entries: Sequence[JournalEntry]) -> None:
        """A folder of its own for these entries; it counts from the moment the register names it."""
        self._folders += 1
        folder = f"{self._held.lease.fence:012d}-{self._folders:06d}-{self._held.nonce[:8]}"
        self._lengths[folder] = 0
        if entries:
            self._put(folder, entries)
        self._held.switch_journal(folder)
        with contextlib.suppress(StateError):
            # Names sort by fence: a newer holder's, which this one may not know of yet, are never among them.
            self._objects.delete(one.name for one in self._objects.list(JOURNAL) if one.name < f"{JOURNAL}/{folder}/")

    def _put(self, folder: str, entries: Sequence[JournalEntry]) -> None:
        document = {
            "format_version": _FORMAT,
            "fence": self._held.lease.fence,
            "nonce": self._held.nonce,
            "entries": [dict(entry) for entry in entries],
        }
        data = json.dumps(document, ensure_ascii=True, allow_nan=False).encode("ascii")
        while True:
            seq = self._lengths[folder] + 1
            try:
                self._objects.put(batch_name(folder, seq), data, None)
            except Moved:
                # Nobody else writes here: it is a batch whose answer was lost, that had not arrived when it was told
                # to have failed. It stays, and this one goes behind it.
                self._lengths[folder] = seq
                continue
            self._lengths[folder] = seq
            return


def batch_name(folder: str, seq: int) -> str:
    return f"{JOURNAL}/{folder}/{seq:08d}.json"


def _entries(fields: Fields) -> list[JournalEntry]:
    found = fields.raw("entries")
    if not isinstance(found, list):
        fields.fail("entries", "must be a list")
    entries: list[JournalEntry] = []
    for entry in found:
        if not isinstance(entry, dict):
            fields.fail("entries", "must be a list of objects")
        entries.append(entry)
    return entries
