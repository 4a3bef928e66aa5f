"""Serving a sandbox over HTTP until a signal comes.

Owns the socket, the one line on stderr and the clean end. Must not know what is served (app.py).
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from statetool.sandbox.access import Accounts
from statetool.sandbox.app import create_app
from statetool.sandbox.errors import SandboxError
from statetool.sandbox.facade import Sandbox
from statetool.sandbox.wire import DEFAULT_TOKEN

_HOST = "127.0.0.1"
_GRACE_SECONDS = 2


def serve(
    path: Path,
    host: str = _HOST,
    port: int = 0,
    job_seconds: float | None = None,
    token: str | None = DEFAULT_TOKEN,
    accounts: Accounts | None = None,
) -> None:
    """Serve the world of a file on 127.0.0.1 until SIGTERM or SIGINT, then return.

    Port 0 takes any free one. Prints `sandbox: serving DATA on http://127.0.0.1:PORT` to stderr once it listens,
    and nothing else. Credentials as for `create_app`.

    Raises SandboxError for a bad file, another host than 127.0.0.1, or a port that is taken.
    """
    if host not in {_HOST, "localhost"}:
        raise SandboxError(f"the sandbox serves {_HOST} only, not {host}")
    sandbox = Sandbox.open(path, job_seconds=job_seconds)
    try:
        with _listening_socket(port) as listener:
            line = f"sandbox: serving {_printable(path)} on http://{_HOST}:{listener.getsockname()[1]}"
            config = uvicorn.Config(
                create_app(sandbox, token=token, accounts=accounts),
                lifespan="off",
                log_config=None,
                access_log=False,
                log_level="critical",
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
            _stay_on_signals()
            _Server(config, line).run(sockets=[listener])
    finally:
        sandbox.close()


class _Server(uvicorn.Server):
    """Says so when it really listens."""

    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            sys.stderr.write(f"{self._line}\n")
            sys.stderr.flush()


def _listening_socket(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise SandboxError(f"can't listen on {_HOST}:{port}: {reason}") from None
    return listener


def _stay_on_signals() -> None:
    """uvicorn raises a signal again after its clean shutdown; the default action would then spoil exit code 0."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)


def _printable(path: Path) -> str:
    """A path may come from a file somebody else wrote, and this goes to a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(path))
