"""The lock of a state in PostgreSQL: a row with a fence, and an end by the clock of the server.

Owns the wait, the renewal, and whether a lock is still the one that was taken. It must not know what the lock
protects. Whoever writes holds the row until that is committed: so long nobody else can take the lock.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from psycopg.sql import SQL

from statetool.backends import LockInfo, OnWait, lock_info_from_json, lock_info_to_json
from statetool.backends import postgres_tables as tables
from statetool.backends.lease import Lease, kept_alive
from statetool.backends.places import PostgresPlace
from statetool.backends.postgres_session import NoTables, Session, Transaction
from statetool.core.document import DocumentError, parse_document
from statetool.errors import LeaseLost, StateError, StateLocked, StateUnreadable

POLL_S = 1.0
QUIET_S = 0.4
"""A wait shorter than this is not worth a word."""

_VANISHED_TRIES = 3
_RAN_OUT = "it ran out by the database's clock"


@dataclass(frozen=True, slots=True)
class Grip:
    """What this run holds. `holder` is drawn for one lock, so that nobody else's is taken for it."""

    holder: uuid.UUID
    lease: Lease


@dataclass(frozen=True, slots=True)
class _Row:
    """The lock as it stands in the database, held by somebody or not."""

    is_held: bool
    holder: uuid.UUID | None
    info: LockInfo
    broken: dict[str, object]


class PostgresLock:
    """The lock of one state. `session` is that of the state; the lock is renewed on one of its own."""

    def __init__(
        self,
        place: PostgresPlace,
        session: Session,
        ttl_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._place = place
        self._session = session
        self._ttl_s = ttl_s
        self._clock = clock
        self._sleep = sleep

    @contextlib.contextmanager
    def hold(self, info: LockInfo, timeout_s: float, on_wait: OnWait) -> Iterator[Grip]:
        renewing = Session(self._place, self._sleep)
        with renewing.kept_open(writing=True), self._session.kept_open(writing=True):
            grip = self._wait(info, timeout_s, on_wait)
            try:
                with kept_alive(grip.lease, partial(self._renew, renewing, grip), every_s=self._ttl_s / 3):
                    yield grip
            finally:
                # Where the database can't be told, the lock runs out by itself.
                with contextlib.suppress(StateError):
                    self._session.settle(lambda transaction, _: transaction.run(tables.RELEASE, **self._mine(grip)))

    def find_holder(self) -> LockInfo | None:
        try:
            row = self._session.look(lambda transaction: self._read(transaction, tables.READ_LEASE))
        except NoTables:
            return None
        return row.info if row is not None and row.is_held else None

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        id_of_break = str(uuid.uuid4())

        def work(transaction: Transaction, again: bool) -> LockInfo:
            row = self._read(transaction, tables.HOLD_LEASE)
            if again and row is not None and row.broken.get("break") == id_of_break:
                return row.info
            if row is None or not row.is_held:
                raise self._not_locked()
            if row.info.id != lock_id:
                raise StateError(
                    f"the state {self._location} is locked by another run by now: {_described(row.info)}",
                    code="lock_moved",
                    hint=f"see whether that run is dead, too; then: statetool force-unlock {row.info.id} --reason TEXT",
                )
            values = {"reason": json.dumps(reason), "break": id_of_break}
            transaction.run(tables.BREAK, name=self._place.name, **values)
            return row.info

        try:
            return self._session.settle(work)
        except NoTables:
            raise self._not_locked() from None

    def find_loss(self, transaction: Transaction, grip: Grip) -> str | None:
        """Hold the lock's row until the transaction ends, and tell why it is no longer held; None where it is."""
        row = self._read(transaction, tables.HOLD_LEASE)
        if row is None:
            return "its row is gone from the database"
        if (row.holder, row.info.fence) == (grip.holder, grip.lease.fence):
            return None if row.is_held else _RAN_OUT
        if row.info.fence == grip.lease.fence and row.broken.get("fence") == grip.lease.fence:
            return f"{row.broken.get('by')} broke it: {row.broken.get('reason')}"
        if row.holder is not None:
            return f"it was taken over under fence {row.info.fence} by {row.info.who} (lock {row.info.id})"
        return f"others had it meanwhile (fence {row.info.fence})"

    @property
    def _location(self) -> str:
        return self._session.location

    def _wait(self, info: LockInfo, timeout_s: float, on_wait: OnWait) -> Grip:
        holder = uuid.uuid4()
        began = self._clock()
        is_told, vanished = False, 0
        while True:
            asked = self._clock()
            fence = self._acquire(holder, info)
            if fence is not None:
                return Grip(holder, Lease(fence, ends_at=asked + self._ttl_s, clock=self._clock))
            found = self.find_holder()
            if found is None and vanished < _VANISHED_TRIES:
                vanished += 1  # given back since it was refused
                continue
            vanished = 0
            waited = self._clock() - began
            if waited >= timeout_s:
                raise self._locked(found)
            if not is_told and waited >= QUIET_S:
                is_told = True
                on_wait(found)
            # Many who wait don't all come at once.
            pause = POLL_S * secrets.SystemRandom().uniform(0.2, 1.0)
            self._sleep(min(pause if is_told else QUIET_S / 2, timeout_s - waited))

    def _acquire(self, holder: uuid.UUID, info: LockInfo) -> int | None:
        """The fence, None where somebody else has it. Asked again after a lost answer it is the same holder's."""
        values = {"holder": holder, "info": json.dumps(lock_info_to_json(info)), "ttl_s": self._ttl_s}

        def work(transaction: Transaction, _again: bool) -> int | None:
            rows = transaction.run(tables.ACQUIRE, name=self._place.name, **values)
            return int(rows[0][0]) if rows else None

        try:
            return self._session.settle(work)
        except NoTables:
            self._create_tables()
            return self._session.settle(work)

    def _create_tables(self) -> None:
        with self._session.transaction(writing=True) as transaction:
            transaction.run(tables.WAIT_FOR_CREATORS)
            if not transaction.run(tables.FIND_SCHEMA, schema=self._place.schema):
                transaction.run(tables.CREATE_SCHEMA)
            for statement in tables.CREATE_TABLES:
                transaction.run(statement)

    def _renew(self, session: Session, grip: Grip) -> float:
        asked = self._clock()
        with session.transaction(writing=True) as transaction:
            if transaction.run(tables.RENEW, ttl_s=self._ttl_s, **self._mine(grip)):
                return asked + self._ttl_s
            raise LeaseLost(self.find_loss(transaction, grip) or _RAN_OUT)

    def _read(self, transaction: Transaction, statement: SQL) -> _Row | None:
        rows = transaction.run(statement, name=self._place.name)
        if not rows:
            return None
        is_held, holder, fence, info, renewed_ago_s, broken = rows[0]
        try:
            known = lock_info_from_json(parse_document((info or "null").encode()))
        except DocumentError as error:
            raise StateUnreadable(f"the lock of the state {self._location} can't be read: {error.message}") from None
        ago = max(0.0, renewed_ago_s)
        return _Row(
            is_held, holder, replace(known, fence=fence, renewed_ago_s=ago), json.loads(broken) if broken else {}
        )

    def _mine(self, grip: Grip) -> dict[str, object]:
        return {"name": self._place.name, "holder": grip.holder, "fence": grip.lease.fence}

    def _locked(self, holder: LockInfo | None) -> StateLocked:
        if holder is None:
            return StateLocked(
                f"the state {self._location} is locked by runs that come and go",
                hint="wait longer with --lock-timeout",
            )
        return StateLocked(
            f"the state {self._location} is locked by {_described(holder)}",
            hint="wait for that run to end, or wait longer with --lock-timeout: the lock of a dead run ends by itself "
            f"within {self._ttl_s:.0f} s; to end it now: statetool force-unlock {holder.id} --reason TEXT",
        )

    def _not_locked(self) -> StateError:
        return StateError(f"the state {self._location} is not locked", code="not_locked")


def _described(holder: LockInfo) -> str:
    run = f", run {holder.run_id}" if holder.run_id else ""
    job = f", {holder.ci_url}" if holder.ci_url else ""
    alive = "" if holder.renewed_ago_s is None else f", last sign of life {holder.renewed_ago_s:.0f} s ago"
    return (
        f"{holder.who} (host {holder.host}, pid {holder.pid}): {holder.operation} since {holder.created}{run}{job}, "
        f"lock {holder.id}, fence {holder.fence}{alive}"
    )
