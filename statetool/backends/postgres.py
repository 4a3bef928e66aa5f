"""The postgres backend: state, journal and lock as rows, compared and fenced within transactions of the server.

Owns what each call does in one transaction. The lock is in `postgres_lock.py`, SQL in `postgres_tables.py`, the
connection in `postgres_session.py`. It must not know what the state says.

The lock is a row with the clock of the server: a holder that died loses it after its time. Every write holds that row
until it is committed, so a lock that is lost can't write. The tables are made by the first lock in a schema of their
own; reading makes nothing and needs SELECT only.

The certificate of a server that is neither on this machine's loopback nor on a Unix socket is verified, name included
(`sslmode=verify-full`): libpq's own default would fall back to a connection that anybody can read. A url that names an
`sslmode` itself is taken at its word.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from psycopg.sql import SQL

from statetool.backends import Capabilities, JournalEntry, LockInfo, OnWait, StoredSerial
from statetool.backends import postgres_tables as tables
from statetool.backends.comparison import ensure_unmoved
from statetool.backends.lease import TTL_S, Lease, boot_clock
from statetool.backends.places import PostgresPlace
from statetool.backends.postgres_lock import Grip, PostgresLock
from statetool.backends.postgres_session import NoTables, Session, Transaction
from statetool.backends.state_text import StateText, parse_state
from statetool.core.document import DocumentError, parse_document
from statetool.core.state import StateFile
from statetool.errors import Diagnostic, LeaseLost, StateConflict, StateError, StateUnreadable


class PostgresBackend:
    """The state `place.name` in a schema of a database.

    `ttl_s` is how long a lock lasts that is not renewed. Raises StateError `password_in_url`, `state_url`.
    """

    def __init__(
        self,
        place: PostgresPlace,
        *,
        ttl_s: float = TTL_S,
        clock: Callable[[], float] = boot_clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._place = place
        self._session = Session(place, sleep)
        self._lock = PostgresLock(place, self._session, ttl_s, clock, sleep)
        self._text = StateText()
        self._known: tuple[str, StateFile] | None = None
        self._grip: Grip | None = None

    @property
    def location(self) -> str:
        return self._session.location

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(expires=True, compares=True, has_history=True)

    def read(self) -> StateFile | None:
        try:
            return self._session.look(lambda transaction: self._read_state(transaction, tables.READ_STATE))
        except NoTables:
            return None

    def read_journal(self) -> tuple[JournalEntry, ...]:
        try:
            rows = self._session.look(lambda transaction: transaction.run(tables.READ_JOURNAL, name=self._place.name))
        except NoTables:
            return ()
        entries: list[JournalEntry] = []
        for place, (seq, entry) in enumerate(rows, 1):
            try:
                if seq != place:
                    raise DocumentError("is gone")
                entries.append(parse_document(entry.encode()))
            except DocumentError as error:
                raise StateUnreadable(
                    f"entry {place} of the journal of {self.location}: {error.message}", hint=error.hint
                ) from None
        return tuple(entries)

    @contextlib.contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        with self._lock.hold(info, timeout_s, on_wait) as grip:
            self._grip = grip
            try:
                yield grip.lease
            finally:
                self._grip = None

    def find_holder(self) -> LockInfo | None:
        return self._lock.find_holder()

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        return self._lock.break_lock(lock_id, reason)

    def check_place(self) -> tuple[Diagnostic, ...]:
        schema = self._place.schema
        try:
            values = {"schema": schema, "tables": list(tables.TABLES)}
            rows = self._session.look(lambda transaction: transaction.run(tables.LOOK, **values))
        except StateError as error:
            return error.diagnostics
        ((is_read_only, may_create, may_use, may_add, present, forbidden),) = rows
        cant = f"the state {self.location} can't be saved"
        if is_read_only:
            hint = "name the primary server in state.url, and a role that may write"
            return (Diagnostic("state_read_only", f"{cant}: the server, or this role's session, is read-only", hint),)
        if may_use is None and not may_create:
            hint = f"let its owner create the schema {schema} for this role, or grant CREATE on the database"
            return (Diagnostic("state_forbidden", f"{cant}: this role may not create the schema {schema}", hint),)
        if may_use is None:
            return ()
        if not may_use or (present < len(tables.TABLES) and not may_add):
            missing = "use" if not may_use else "make tables in"
            why = f"{cant}: this role may not {missing} the schema {schema}"
            return (Diagnostic("state_forbidden", why, self._session.rights),)
        if forbidden:
            why = f"{cant}: this role may not write its tables: {', '.join(forbidden)}"
            return (Diagnostic("state_forbidden", why, self._session.rights),)
        return ()

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        grip = self._ensure_grip(lease)
        serial = max((before.serial if before else 0) + 1, floor)
        saved = replace(after, serial=serial, fence=lease.fence)
        digest = ""

        def work(transaction: Transaction, again: bool) -> StateFile:
            nonlocal digest
            loss = self._lock.find_loss(transaction, grip)
            stored = self._read_state(transaction, tables.HOLD_STATE)
            if again and stored == saved:
                return saved
            self._ensure_not_lost(grip, loss)
            ensure_unmoved(self.location, before, after, stored, lease)
            if stored is not None and stored.holds_the_same_as(after):
                return stored
            body = self._text.render(saved)
            digest = hashlib.sha256(body).hexdigest()
            self._store(transaction, before, saved, digest, body)
            return saved

        result = self._session.settle(work)
        if result is saved:
            self._known = (digest, saved)
        return result

    def _store(
        self, transaction: Transaction, before: StateFile | None, saved: StateFile, digest: str, body: bytes
    ) -> None:
        """Compare once more, by the store itself: somebody may write without the lock."""
        name = self._place.name
        values = {
            "name": name,
            "lineage": saved.lineage,
            "serial": saved.serial,
            "fence": saved.fence,
            "sha256": digest,
            "body": body,
        }
        if before is None:
            changed = transaction.run(tables.INSERT_STATE, **values)
        else:
            changed = transaction.run(tables.UPDATE_STATE, before=before.serial, **values)
        if not changed:
            raise StateConflict(
                f"the state {self.location} was not saved: somebody wrote it without the lock at the same moment",
                hint="find out who wrote it, then run the command again; it looks at what really happened",
            )
        transaction.run(tables.KEEP_VERSION, name=name)
        transaction.run(tables.DROP_OLD_VERSIONS, name=name, kept=tables.KEPT_VERSIONS)

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._add(entries, lease, clear=False)

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._add(entries, lease, clear=True)

    def _add(self, entries: Sequence[JournalEntry], lease: Lease, *, clear: bool) -> None:
        grip = self._ensure_grip(lease)
        name, batch = self._place.name, uuid.uuid4()
        texts = [json.dumps(dict(entry), ensure_ascii=True, allow_nan=False) for entry in entries]

        def work(transaction: Transaction, again: bool) -> None:
            loss = self._lock.find_loss(transaction, grip)
            if again and transaction.run(tables.FIND_BATCH, name=name, batch=batch):
                return
            self._ensure_not_lost(grip, loss)
            if clear:
                transaction.run(tables.CLEAR_JOURNAL, name=name)
            transaction.run(tables.APPEND, name=name, fence=lease.fence, batch=batch, entries=texts)

        self._session.settle(work)

    def read_history(self) -> tuple[StoredSerial, ...]:
        try:
            rows = self._session.look(lambda transaction: transaction.run(tables.READ_VERSIONS, name=self._place.name))
        except NoTables:
            return ()
        return tuple(StoredSerial(serial, at) for serial, at in rows)

    def read_serial(self, serial: int) -> StateFile:
        values = {"name": self._place.name, "serial": serial}
        try:
            rows = self._session.look(lambda transaction: transaction.run(tables.READ_VERSION, **values))
        except NoTables:
            rows = []
        if not rows:
            raise StateError(
                f"serial {serial} of the state {self.location} is not kept",
                code="no_such_serial",
                hint="see what is kept: statetool state history",
            )
        return self._parse(*rows[0])

    def _read_state(self, transaction: Transaction, statement: SQL) -> StateFile | None:
        known = self._known
        rows = transaction.run(statement, name=self._place.name, known=known[0] if known else "")
        if not rows:
            return None
        digest, body = rows[0]
        if body is None and known is not None:
            return known[1]
        state = self._parse(digest, body)
        self._known = (digest, state)
        return state

    def _parse(self, digest: str, body: bytes) -> StateFile:
        try:
            if hashlib.sha256(body).hexdigest() != digest:
                raise StateUnreadable("its bytes are not those that were stored")
            return parse_state(body)
        except StateUnreadable as error:
            hints = (error.hint, "earlier serials: statetool state history, statetool state pull --serial N")
            raise StateUnreadable(
                f"the state {self.location} can't be read: {error.message}",
                hint="; ".join(hint for hint in hints if hint),
            ) from None

    def _ensure_grip(self, lease: Lease) -> Grip:
        if self._grip is None or self._grip.lease is not lease:
            raise LeaseLost(
                f"nothing was written to the state {self.location}: its lock is no longer held by this run",
                hint="run the command again; it looks at what really happened",
            )
        lease.ensure_held()
        return self._grip

    def _ensure_not_lost(self, grip: Grip, loss: str | None) -> None:
        if loss is not None:
            grip.lease.lose(loss)
        grip.lease.ensure_held()
