"""Where a world lives: one SQLite file (or memory), transactions, and what can be wrong with a file.

Owns the connection, the schema, locking between threads and processes, and the translation of every database
error into SandboxError. Must not know what the rows mean (tables.py) or any rule of the world.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from statetool.sandbox.errors import SandboxError
from statetool.sandbox.tables import Tables

DEFAULT_PROJECT_ID = "0123456789abcdef0123456789abcdef"
_APPLICATION_ID = 0x53544742  # marks the file as a sandbox world in its header
_FORMAT = 4
_BUSY_SECONDS = 30.0

# body: the fault as JSON; seen, fired, until_ms, problem: its counters (fault_schedule.FaultCount).
_FAULTS = """CREATE TABLE faults (position INTEGER PRIMARY KEY, body TEXT NOT NULL, seen INTEGER NOT NULL,
    fired INTEGER NOT NULL, until_ms INTEGER NOT NULL, problem TEXT)"""
_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE applications (id TEXT PRIMARY KEY, name TEXT NOT NULL, create_ms INTEGER, update_ms INTEGER,
       body TEXT NOT NULL DEFAULT '{}')""",
    """CREATE TABLE environments (id TEXT PRIMARY KEY, name TEXT NOT NULL, create_ms INTEGER, update_ms INTEGER,
       body TEXT NOT NULL DEFAULT '{}')""",
    # ends_ms: when a running job ends, so that ordering by update_time needs no write at that moment.
    # gone_ms: when a running deletion makes it disappear, so that this needs no write either.
    """CREATE TABLE components (id TEXT PRIMARY KEY, application_id TEXT NOT NULL, environment_id TEXT NOT NULL,
       name TEXT NOT NULL, create_ms INTEGER NOT NULL, update_ms INTEGER NOT NULL, ends_ms INTEGER,
       body TEXT NOT NULL, gone_ms INTEGER)""",
    "CREATE INDEX components_by_time ON components (create_ms, id)",
    "CREATE INDEX components_by_name ON components (name, id)",
    "CREATE INDEX application_by_time ON components (application_id, create_ms, id)",
    "CREATE INDEX application_by_name ON components (application_id, name, id)",
    "CREATE TABLE jobs (id TEXT PRIMARY KEY, component_id TEXT NOT NULL, body TEXT NOT NULL)",
    """CREATE TABLE log (seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER, method TEXT, path TEXT, body TEXT,
       status_code INTEGER, job_id TEXT, fault TEXT, gray_rule_body TEXT)""",
    _FAULTS,
)
# The position of the record in use instead of its version, which no two records had in common so far.
_USED = """UPDATE components SET body = json_set(json_remove(body, '$.current'), '$.used',
    (SELECT key FROM json_each(body, '$.records')
     WHERE json_extract(value, '$.version') = json_extract(body, '$.current')))"""
# What makes a world of an older format one of the next.
_UPGRADES = {
    1: (
        "ALTER TABLE applications ADD COLUMN body TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE environments ADD COLUMN body TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE components ADD COLUMN gone_ms INTEGER",
    ),
    2: ("ALTER TABLE log ADD COLUMN fault TEXT", _FAULTS),
    3: ("ALTER TABLE log ADD COLUMN gray_rule_body TEXT", _USED),
}


class Store:
    """One world. Safe to use from several threads; several processes may hold the same file."""

    def __init__(self, path: Path | None) -> None:
        """Open or create; None keeps the world in memory. Raises SandboxError for a file that is no world."""
        self._where = "the sandbox in memory" if path is None else str(path)
        self._lock = threading.RLock()
        with self._translated():
            if path is not None:
                _touch(path)
            self._connection = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Let go of the file; the world stays."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[Tables]:
        """One consistent view of the world."""
        with self._transaction("BEGIN") as tables:
            yield tables

    @contextmanager
    def writing(self) -> Iterator[Tables]:
        """All changes of the block, or none of them; nobody else writes meanwhile."""
        with self._transaction("BEGIN IMMEDIATE") as tables:
            yield tables

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Tables]:
        with self._lock, self._translated():
            self._connection.execute(begin)
            try:
                yield Tables(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _prepare(self) -> None:
        """Check whose file this is; make the tables where it is empty."""
        if self._marks() == (_APPLICATION_ID, _FORMAT):
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            application, version = self._marks()
            if application != _APPLICATION_ID:
                self._create()
            elif version != _FORMAT and version not in _UPGRADES:
                raise SandboxError(f"{self._where} was written by another version of the sandbox (format {version})")
            else:
                for older in range(version, _FORMAT):
                    self._run(_UPGRADES[older])
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _create(self) -> None:
        if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise SandboxError(f"{self._where} is not a sandbox world (another program's database)")
        self._run(_SCHEMA)
        self._connection.execute("INSERT INTO meta VALUES ('project_id', ?)", (DEFAULT_PROJECT_ID,))
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")

    def _run(self, statements: tuple[str, ...]) -> None:
        for statement in statements:
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA user_version = {_FORMAT}")

    def _marks(self) -> tuple[int, int]:
        application = self._connection.execute("PRAGMA application_id").fetchone()[0]
        return application, self._connection.execute("PRAGMA user_version").fetchone()[0]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SandboxError(self._sentence(error)) from None
        except OSError as error:
            raise SandboxError(f"{self._where} can't be opened: {error.strerror or error}") from None

    def _sentence(self, error: sqlite3.Error) -> str:
        name = getattr(error, "sqlite_errorname", "")
        if name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
            return f"{self._where} is not a sandbox world"
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return f"{self._where} is held by another process; try again"
        if name.startswith("SQLITE_READONLY"):
            return f"{self._where} can't be written"
        return f"{self._where} can't be used: {error}"


def _touch(path: Path) -> None:
    """Make the file for its owner only, before SQLite would make it with the wider default."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SandboxError(f"{path} is not a file")
    finally:
        os.close(descriptor)
