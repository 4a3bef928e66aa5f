"""The journal of a run: entries on their way to the backend.

Owns what is noted but not durable yet, and what is durable since the journal was last shortened. Notes of one moment
are written together. It must not know what an entry means, nor write the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from statetool.apply.run import Run
from statetool.core.journal import Entry, Intent, entry_to_json, intent_entry
from statetool.core.model import Json
from statetool.errors import LeaseLost, StateError

if TYPE_CHECKING:
    from statetool.backends import Backend
    from statetool.backends.lease import Lease


class JournalWriter:
    """Appends entries under a lease. `durable` is what the backend's journal holds already."""

    def __init__(self, backend: Backend, lease: Lease, run: Run, durable: tuple[dict[str, Json], ...] = ()) -> None:
        self.lease = lease
        self._backend = backend
        self._run = run
        self._waiting: list[dict[str, Json]] = []
        self._durable = list(durable)
        self._busy = asyncio.Lock()

    def note(self, *entries: Entry) -> None:
        """Keep entries with the next `flush`, in the order of notes."""
        self._waiting.extend(entry_to_json(entry) for entry in entries)

    async def flush(self) -> None:
        """Return once everything noted so far is durable. Raises StateError; then it is tried again next time.

        A cancellation does not stop a write that is under way, only the waiting for it.
        """
        await asyncio.shield(asyncio.ensure_future(self._flush()))

    async def intend(self, intent: Intent, *closed: Entry) -> None:
        """Make an intent durable, and with it what closes the operation before it. Raises StateError: then it is not
        there, and nothing may be sent. Cancelled, it may be there all the same."""
        entry = intent_entry(intent)
        self.note(*closed, entry)
        try:
            await self.flush()
        except StateError:
            document = entry_to_json(entry)
            self._waiting = [one for one in self._waiting if one != document]
            raise

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[list[dict[str, Json]]]:
        """Everything noted is durable, and nothing is appended during the block; what it leaves in the list is what the
        journal holds from then on. Raises StateError."""
        async with self._busy:
            await self._append()
            yield self._durable

    async def _flush(self) -> None:
        async with self._busy:
            await self._append()

    async def _append(self) -> None:
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            await self._run.offload(lambda: self._backend.append(batch, self.lease))
        except LeaseLost:
            raise  # whoever holds it now finds out by himself
        except StateError:
            self._waiting = [*batch, *self._waiting]
            raise
        self._durable.extend(batch)
