"""A connection to PostgreSQL: how it is opened, what it may take, and what its errors mean to a person.

Owns the settings of a session, the encryption that is demanded, transactions, and the translation of every error of
the driver. It must not know what is asked.

Nothing of a session is relied on from one transaction to the next but its settings; so a pooler that hands out whole
sessions is fine, one that hands out transactions (PgBouncer's `transaction`) would lose the settings.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, LiteralString, TypeVar
from urllib.parse import quote

from statetool.backends.places import PostgresPlace
from statetool.errors import StateError, StateUnreachable, UsageError

try:
    import psycopg
    from psycopg.sql import SQL, Identifier
except ImportError:
    raise UsageError(
        "state in PostgreSQL needs a package that is not installed",
        code="not_installed",
        hint="pip install 'statetool[postgres]'",
    ) from None

ANSWER_S = 45.0
"""After this the connection of a transaction that goes on is cut, whatever the server promised."""

RECONNECT_S = 1.0
"""How long a connection that broke is left alone."""

_Answer = TypeVar("_Answer")

_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",  # milliseconds
    "application_name": "statetool",
}

# A client that falls silent within a transaction holds rows that others wait for. Commits wait for the disk.
_SETTINGS: LiteralString = """
    SELECT set_config('statement_timeout', '30s', false),
        set_config('idle_in_transaction_session_timeout', '10s', false),
        set_config('search_path', 'pg_catalog', false),
        set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
            ELSE current_setting('synchronous_commit') END, false)"""


class NoTables(StateError):
    """Nothing was stored at this place yet, not even the tables for it."""


class AnswerLost(StateUnreachable):
    """The connection broke within a transaction: nobody knows whether it was carried out."""


class Transaction:
    """What may be asked within one transaction."""

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]], schema: str) -> None:
        self._cursor = cursor
        self._schema = Identifier(schema)

    def run(self, statement: SQL, **values: object) -> list[tuple[Any, ...]]:
        """The rows that a statement gives. Instants and numbers as the driver has them, bodies as bytes."""
        self._cursor.execute(statement.format(schema=self._schema), values, binary=True)
        return self._cursor.fetchall() if self._cursor.description else []


class Session:
    """One connection, opened when it is needed and again when it broke. For one thread at a time.

    Raises StateError where the url can't be read, and `password_in_url` where it holds a password.
    """

    def __init__(self, place: PostgresPlace, sleep: Callable[[float], None], *, answer_s: float = ANSWER_S) -> None:
        given = _read_url(place.url)
        known = {**_environment(), **given}
        self._schema = place.schema
        self._parameters = {**_DEFAULTS, **given, "client_encoding": "utf-8"}
        self._password = place.password
        # What a service file says of the host is not known here.
        self.demands_tls = "sslmode" not in given and ("service" in given or not _is_local(known))
        if self.demands_tls:
            self._parameters["sslmode"] = "verify-full"
        self.location = _name(known, place)
        self._sleep = sleep
        self._answer_s = answer_s
        self._users = 0
        self._writing = False
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    @contextlib.contextmanager
    def kept_open(self, *, writing: bool) -> Iterator[None]:
        """Use one connection for everything within a block. `writing` wants a server that can be written."""
        self._users += 1
        self._writing = writing if self._users == 1 else self._writing
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                self._close()

    @contextlib.contextmanager
    def transaction(self, *, writing: bool = False) -> Iterator[Transaction]:
        """One transaction: what is done within is done when the block ends, or not at all where it raises.

        Raises StateUnreachable; AnswerLost where the connection broke; NoTables; other StateErrors.
        """
        with self.kept_open(writing=writing):
            connection = self._open()
            try:
                with self._cut_off(connection), connection.transaction(), connection.cursor() as cursor:
                    yield Transaction(cursor, self._schema)
            except psycopg.Error as error:
                raise self._translated(error, is_lost=connection.closed) from None

    def look(self, work: Callable[[Transaction], _Answer]) -> _Answer:
        """Read in one transaction; where the connection breaks, once more on a new one."""
        try:
            with self.transaction() as transaction:
                return work(transaction)
        except AnswerLost:
            self._sleep(RECONNECT_S)
        with self.transaction() as transaction:
            return work(transaction)

    def settle(self, work: Callable[[Transaction, bool], _Answer]) -> _Answer:
        """Change something in one transaction. Where the connection breaks, once more on a new one: told so, `work`
        first looks whether it is done. It can't be done later than that, for `work` begins with a row that it locks,
        and so waits for what the first try may still be doing.
        """
        try:
            with self.transaction(writing=True) as transaction:
                return work(transaction, False)
        except AnswerLost:
            self._sleep(RECONNECT_S)
        try:
            with self.transaction(writing=True) as transaction:
                return work(transaction, True)
        except StateUnreachable as error:
            raise StateUnreachable(
                f"{error.message}. Whether the last change of the state was carried out can't be told",
                hint="once the database answers, run the command again: it looks at what really happened",
            ) from None

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        self._close()
        parameters = dict(self._parameters)
        if self._writing:
            parameters["target_session_attrs"] = "read-write"
        if self._password is not None:
            parameters["password"] = self._password.reveal()
        try:
            # No prepared statements: a pooler may hand out another server's session.
            connection = psycopg.connect("", autocommit=True, prepare_threshold=None, **parameters)  # type: ignore[arg-type]
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            self._connection = connection
            with self._cut_off(connection):
                connection.execute(_SETTINGS)
        except psycopg.Error as error:
            self._close()
            tls = "; the server's certificate is verified: name its authority with sslrootcert=FILE in the url"
            raise StateUnreachable(
                f"the database of the state {self.location} can't be used: {self._text(error)}",
                hint="look at host, port, database, user and password (PGPASSWORD or ~/.pgpass)"
                + (tls if self.demands_tls else ""),
            ) from None
        return connection

    @contextlib.contextmanager
    def _cut_off(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """Break a connection that does not come to an end: a server that is stopped keeps its connections for ever."""
        # A descriptor of its own: the connection's could be somebody else's by then.
        line = socket.socket(fileno=os.dup(connection.fileno()))

        def cut() -> None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._answer_s, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            line.close()

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def _translated(self, error: psycopg.Error, *, is_lost: bool) -> StateError:
        text = self._text(error)
        if is_lost:
            return AnswerLost(f"the connection to the database of the state {self.location} broke: {text}")
        if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
            return NoTables(f"the state {self.location} has no tables yet", code="no_state_tables")
        refused = f"the database of the state {self.location} refused it: {text}"
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return StateError(refused, code="state_forbidden", hint=self.rights)
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            return StateError(refused, code="state_read_only", hint="name a server that can be written in state.url")
        if isinstance(error, psycopg.OperationalError):
            return StateUnreachable(
                f"the database of the state {self.location} did not do it: {text}",
                hint="see that the database is well, then run the command again; it looks at what really happened",
            )
        return StateError(refused)

    @property
    def rights(self) -> str:
        """What to ask the owner of the tables for."""
        schema = self._schema
        return (
            f"who owns them can give the rights: GRANT USAGE ON SCHEMA {schema} TO ROLE; GRANT SELECT, INSERT, "
            f"UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO ROLE (SELECT is enough to plan)"
        )

    def _text(self, error: psycopg.Error) -> str:
        """What the server or the driver says, for people, on one line. Its details could show data."""
        lines = (error.diag.message_primary or str(error)).splitlines()
        text = "; ".join(line.strip() for line in lines if line.strip()) or type(error).__name__
        for password in (self._password.reveal() if self._password else None, os.environ.get("PGPASSWORD")):
            if password:
                text = text.replace(password, "***")
        return text


def _read_url(url: str) -> dict[str, str]:
    try:
        given = {key: str(value) for key, value in psycopg.conninfo.conninfo_to_dict(url).items()}
    except (psycopg.Error, UnicodeDecodeError):  # what %XX spells need not be UTF-8
        # The driver's text would show parts of the url, which may be of a password.
        raise StateError(
            "state.url is no address of a PostgreSQL database",
            code="state_url",
            hint="write it as postgresql://USER@HOST:PORT/DATABASE",
        ) from None
    if "password" in given or "sslpassword" in given:
        instead = "it belongs in PGPASSWORD or ~/.pgpass" if "password" in given else "use a key that needs none"
        raise StateError(
            "state.url holds a password", code="password_in_url", hint=f"take it out and change it; {instead}"
        )
    return given


def _environment() -> dict[str, str]:
    """What the driver takes where the url says nothing: PGHOST and so on, PGSERVICE, its own defaults."""
    options = psycopg.pq.Conninfo.get_defaults()
    return {option.keyword.decode(): option.val.decode(errors="replace") for option in options if option.val}


def _is_local(known: dict[str, str]) -> bool:
    """Whether nothing leaves this machine."""
    addresses = (known.get("hostaddr") or known.get("host") or "").split(",")
    return all(_is_local_address(address) for address in addresses)


def _is_local_address(address: str) -> bool:
    if address in ("", "localhost") or address.startswith(("/", "@")):  # the empty one is a socket's folder
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _name(known: dict[str, str], place: PostgresPlace) -> str:
    """How the place is called in messages."""
    host = known.get("host") or known.get("hostaddr") or ""
    port = known.get("port", "")
    is_socket = host.startswith(("/", "@")) or not host
    server = "" if is_socket else f"{host}:{port}" if port and "," not in host else host
    database = quote(known.get("dbname") or known.get("user") or "", safe="")
    socket_folder = f"host={host}&" if is_socket and host else ""
    return f"postgres://{server}/{database}?{socket_folder}schema={place.schema}&name={place.name}"
