"""Backends that are honest but for one promise about the journal. See `broken_backends`."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace

from memory_backend import MemoryBackend

from statetool.backends import JournalEntry
from statetool.backends.lease import Lease
from statetool.errors import StateLocked


class DropsTheTail(MemoryBackend):
    """A batch that is larger than what one request takes."""

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append(entries[:2], lease)


class AppendsOneByOne(MemoryBackend):
    """A reader comes between two entries of a batch."""

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        for entry in entries:
            super().append([entry], lease)
            _let_read()

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return _read_and_tell(super().read_journal())


class ReplacesInTwoSteps(MemoryBackend):
    """A reader comes between the old journal and the new one."""

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().replace_journal((), lease)
        _let_read()
        super().append(entries, lease)

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return _read_and_tell(super().read_journal())


class ReplacesByAppending(MemoryBackend):
    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append(entries, lease)


class AppendsOverOthers(MemoryBackend):
    """Each client goes on counting where it stood itself: a key that is there already is written over."""

    _next = 0

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._ensure_held(lease)
        self._store.journal[self._next : self._next + len(entries)] = [json.dumps(entry) for entry in entries]
        self._next += len(entries)


class OrdersByText(MemoryBackend):
    """Ten comes before two."""

    def read_journal(self) -> tuple[JournalEntry, ...]:
        numbered = enumerate(super().read_journal(), 1)
        return tuple(entry for _, entry in sorted(numbered, key=lambda pair: str(pair[0])))


class KeepsEqualEntriesOnce(MemoryBackend):
    def read_journal(self) -> tuple[JournalEntry, ...]:
        return tuple(json.loads(text) for text in dict.fromkeys(self._store.journal))


class AppendsEmptyBatches(MemoryBackend):
    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append(entries or [{"text": ""}], lease)


class DropsZeroBytes(MemoryBackend):
    """A database whose texts end where a zero byte stands."""

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return tuple(json.loads(text.replace("\\u0000", "")) for text in self._store.journal)


class CutsLongEntries(MemoryBackend):
    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append([entry for entry in entries if len(json.dumps(entry)) < 2**16], lease)


class CountsEntriesAsSerials(MemoryBackend):
    """One table, one counter."""

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        super().append(entries, lease)
        if self._store.states:
            last = self._store.states[-1]
            self._store.states.append(replace(last, serial=last.serial + 1))


class NeedsAState(MemoryBackend):
    def read_journal(self) -> tuple[JournalEntry, ...]:
        return super().read_journal() if self._store.states else ()


class JournalUnderLockOnly(MemoryBackend):
    def read_journal(self) -> tuple[JournalEntry, ...]:
        if self._lease is None and self._find_held() is not None:
            raise StateLocked("the state is locked")
        return super().read_journal()


class KeepsAJournalForItself(MemoryBackend):
    """A file of its own machine."""

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return super().read_journal() if self._lease is not None else ()


_WAS_READ = threading.Event()


def _let_read() -> None:
    """Wait for a reader, where this is not the only thread."""
    if threading.current_thread() is not threading.main_thread():
        for _ in range(2):  # the first may have begun before
            _WAS_READ.clear()
            _WAS_READ.wait(0.2)


def _read_and_tell(journal: tuple[JournalEntry, ...]) -> tuple[JournalEntry, ...]:
    _WAS_READ.set()
    return journal
