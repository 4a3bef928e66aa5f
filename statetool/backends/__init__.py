"""Where the state lives: the protocol every backend keeps, and the registry that opens the one of a place.

Owns what the rest of the tool may rely on, whatever the backend. It must not know how any backend does it: a
backend is a module of its own, loaded when it is opened. Every backend passes the contract suite in
`tests/contract/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from statetool.backends.lease import Lease
from statetool.backends.places import HttpPlace, LocalPlace, Place, PostgresPlace, S3Place
from statetool.core.document import Fields
from statetool.core.holder import LockInfo as LockInfo
from statetool.core.model import Json
from statetool.core.state import StateFile
from statetool.errors import Diagnostic

OnWait = Callable[["LockInfo | None"], None]
"""Told once that a lock is being waited for, and who holds it where that is known."""

JournalEntry: TypeAlias = Mapping[str, Json]
"""One entry of the journal as a document. What it says is for `core.journal` to know."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do beyond the protocol.

    `expires`: a holder that died loses its lock by itself, or by the kernel. `compares`: the store itself compares on
    every write, so that even a writer without a lock can't overwrite. `has_history`: earlier serials can be read.
    """

    expires: bool
    compares: bool
    has_history: bool


@dataclass(frozen=True, slots=True)
class StoredSerial:
    """One serial that a backend keeps. `at` is UTC RFC 3339, where it is known when it was stored."""

    serial: int
    at: str | None = None


class Backend(Protocol):
    """One state and its journal at one place. Errors are StateError and its kinds, never those of the medium.

    One call at a time, from any thread. The lock is kept alive by the backend itself, in a thread of its own.
    Everything that was written is durable when the call returns. Where an answer is lost, the backend looks whether
    its write is there before it says that it failed.
    """

    @property
    def location(self) -> str:
        """Where the state is, for messages; without credentials."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    def read(self) -> StateFile | None:
        """The stored state, None where there is none yet. Takes no lock and writes nothing.

        Raises StateUnreadable, StateUnreachable.
        """
        ...

    def read_journal(self) -> tuple[JournalEntry, ...]:
        """The entries appended since the journal was last replaced, oldest first. Takes no lock and writes nothing.

        An entry that was only half written when its writer died is not there: nobody was told that it was.
        Raises StateUnreadable where an entry before the last is damaged; StateUnreachable.
        """
        ...

    def lock(
        self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False
    ) -> AbstractContextManager[Lease]:
        """Hold the state's lock for the length of a `with` block. A lock does not nest.

        Waits up to `timeout_s`, silently for a moment, then calling `on_wait` once. Raises StateLocked naming the
        holder; StateUnsafe where the store can't keep two writers apart, which is tried out with the first lock of a
        process; StateError where the place can't be used, and `rescue_pending` where an earlier run could not save
        its state and nobody has dealt with that yet. Who is `repairing` gets the lock all the same.
        """
        ...

    def find_holder(self) -> LockInfo | None:
        """Who holds the lock, as far as can be told without taking it or waiting."""
        ...

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        """End the lock of a holder that is known to be dead, and return who it was. `reason` is kept.

        Raises StateError: `not_locked`, `lock_moved` where another lock is held by now, `nothing_to_force` where the
        lock ends with its process.
        """
        ...

    def check_place(self) -> tuple[Diagnostic, ...]:
        """What would stop or endanger the next save. Takes no lock and writes nothing."""
        ...

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        """Replace what is stored by `after`, if that is still `before` (None: nothing), and return what is stored.

        Stored is `after` with the serial after `before`'s, `floor` at least, and the lease's fence; where nothing
        but these differs from what is stored already, that stays and is returned. The journal is not touched.
        Raises LeaseLost where the lease ended; StateConflict where lineage or serial moved, or a newer fence was
        there; StateError where it could not be saved.
        """
        ...

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        """Add entries to the journal, all of them or none, at a cost that does not depend on what is stored already.

        Raises LeaseLost where the lease ended or another holder was there; StateError where they could not be kept.
        """
        ...

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        """Let the journal hold these entries only, in one step. Raises what `append` raises."""
        ...

    def read_history(self) -> tuple[StoredSerial, ...]:
        """The serials that can still be read, newest first; the stored one is among them. Empty where none are kept."""
        ...

    def read_serial(self, serial: int) -> StateFile:
        """The state as it was stored with that serial. Raises StateError `no_such_serial`; StateUnreadable."""
        ...


def open_backend(place: Place, rescue_folder: Path, *, unsafe: bool = False) -> Backend:
    """The backend that keeps a state at `place`. Touches nothing yet.

    What a place somewhere else could not be told goes to `rescue_folder` of this machine. `unsafe` uses a store that
    was found to ignore conditions. Raises UsageError where a driver is not installed.
    """
    if isinstance(place, LocalPlace):
        from statetool.backends.local import LocalBackend

        return LocalBackend(place.path)
    from statetool.backends.rescued import RescuedBackend

    remote = _open_remote(place, unsafe)
    return RescuedBackend(remote, rescue_folder, f"{type(place).__name__.removesuffix('Place').lower()}-state.json")


def _open_remote(place: HttpPlace | PostgresPlace | S3Place, unsafe: bool) -> Backend:
    if isinstance(place, PostgresPlace):
        from statetool.backends.postgres import PostgresBackend

        return PostgresBackend(place)
    if isinstance(place, S3Place):
        from statetool.backends.s3 import S3Backend

        return S3Backend(place, unsafe=unsafe)
    from statetool.backends.http import HttpBackend

    return HttpBackend(place, unsafe=unsafe)


def lock_info_to_json(info: LockInfo) -> dict[str, Json]:
    return {
        "id": info.id,
        "operation": info.operation,
        "who": info.who,
        "host": info.host,
        "pid": info.pid,
        "tool_version": info.tool_version,
        "created": info.created,
        "run_id": info.run_id,
        "ci_url": info.ci_url,
    }


def lock_info_from_json(value: Mapping[str, Json]) -> LockInfo:
    """Raises DocumentError where the value is not a lock's information."""
    fields = Fields(dict(value))
    return LockInfo(
        id=fields.text("id"),
        operation=fields.text("operation"),
        who=fields.text("who"),
        host=fields.text("host"),
        pid=fields.integer("pid"),
        tool_version=fields.text("tool_version"),
        created=fields.text("created"),
        run_id=fields.optional_text("run_id"),
        ci_url=fields.optional_text("ci_url"),
    )
