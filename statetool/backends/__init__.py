"""Where the state lives: the protocol every backend keeps, and the registry that opens one by name.

Owns what the rest of the tool may rely on, whatever the backend. It must not know how any backend does it: a
backend is a module of its own, loaded when it is opened. Every backend passes the contract suite in
`tests/contract/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from statetool.core.document import Fields
from statetool.core.model import Json
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, StateError


@dataclass(frozen=True, slots=True)
class LockInfo:
    """Who holds a lock, for the person who meets it. `who` is user@host; `created` is UTC RFC 3339."""

    id: str
    operation: str
    who: str
    host: str
    pid: int
    tool_version: str
    created: str
    run_id: str | None = None
    ci_url: str | None = None


OnWait = Callable[["LockInfo | None"], None]
"""Told once that a lock is being waited for, and who holds it where that is known."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write, as long as the lock is held. `fence` is higher than that of every lease before."""

    fence: int


class Backend(Protocol):
    """One state at one place. Errors are StateError and its kinds, never those of the medium."""

    @property
    def location(self) -> str:
        """Where the state is, for messages."""
        ...

    def read(self) -> StateFile | None:
        """The stored state, None where there is none yet. Takes no lock and writes nothing.

        Raises StateUnreadable.
        """
        ...

    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait) -> AbstractContextManager[Lease]:
        """Hold the state's lock for the length of a `with` block. A lock does not nest.

        Waits up to `timeout_s`, silently for a moment, then calling `on_wait` once. Raises StateLocked naming the
        holder; StateError where the place can't be used.
        """
        ...

    def find_holder(self) -> LockInfo | None:
        """Who holds the lock, as far as can be told without taking it or waiting."""
        ...

    def check_place(self) -> tuple[Diagnostic, ...]:
        """What would stop or endanger the next save. Takes no lock and writes nothing."""
        ...

    def write(self, before: StateFile | None, after: StateFile, lease: Lease) -> StateFile:
        """Replace what is stored by `after`, if that is still `before` (None: nothing), and return what is stored.

        Stored are `after`'s components with the serial after `before`'s and the lease's fence; where no component
        differs from what is stored already, that stays and is returned. Raises StateConflict where lineage or
        serial moved, a newer fence was there, or the lease ended; StateError where it could not be saved.
        """
        ...


def open_backend(name: str, path: Path) -> Backend:
    """The backend of that name for the state at `path`. Touches nothing yet."""
    if name != "local":
        raise StateError(f"there is no state backend {name!r}", code="unknown_backend", hint="use `backend: local`")
    from statetool.backends.local import LocalBackend

    return LocalBackend(path)


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
