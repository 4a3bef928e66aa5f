"""Serving a sandbox over HTTP until a signal comes.

Owns the socket, the one line on stderr, the clean end, and what a fault does to a TCP connection. Must not know what is
served (app.py), or which fault does what (delivery.py).
"""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from statetool.sandbox.access import Accounts
from statetool.sandbox.app import create_app
from statetool.sandbox.delivery import CONNECTION
from statetool.sandbox.errors import SandboxError
from statetool.sandbox.facade import Sandbox
from statetool.sandbox.wire import DEFAULT_TOKEN

_HOST = "127.0.0.1"
_GRACE_SECONDS = 2
_TRANSPORT = "transport"
# Closing with this option set sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)
# The door opens a little later than the world's clock says, so that who comes in is let in.
_DOOR_MARGIN_SECONDS = 0.01

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


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
        with _bound_socket(port) as listener:
            line = f"sandbox: serving {_printable(path)} on http://{_HOST}:{listener.getsockname()[1]}"
            _stay_on_signals()
            _Server(create_app(sandbox, token=token, accounts=accounts), line).run(sockets=[listener])
    finally:
        sandbox.close()


class _Server(uvicorn.Server):
    """Says so when it really listens, and can stop listening for a while."""

    def __init__(self, app: _App, line: str) -> None:
        config = uvicorn.Config(
            self._on_connections(app),
            interface="asgi3",
            lifespan="off",
            # Of uvicorn's protocols and loops the ones that need nothing else, whatever is installed: faults are
            # known to work with these.
            http=_Protocol,
            loop="asyncio",
            log_config=None,
            access_log=False,
            log_level="critical",
            server_header=False,
            date_header=False,  # the application has a clock of its own
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        super().__init__(config)
        self._line = line
        self._closed_door: tuple[socket.socket, asyncio.Task[None]] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        is_first = not self.started
        await super().startup(sockets=sockets)
        if self.started and is_first:
            sys.stderr.write(f"{self._line}\n")
            sys.stderr.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._closed_door is not None:
            placeholder, opening = self._closed_door
            opening.cancel()
            placeholder.close()
        await super().shutdown(sockets=sockets)

    def shut_door(self, seconds: float) -> None:
        """Close the listening socket, and listen on the same port again after so many seconds.

        Meanwhile a socket that is bound but does not listen keeps the port: connecting to it is refused.
        """
        if self._closed_door is not None or self.should_exit:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        for server in self.servers:
            server.close()
        placeholder = _bound_socket(port)
        opening = asyncio.get_running_loop().create_task(self._open_door(placeholder, seconds))
        self._closed_door = placeholder, opening

    async def _open_door(self, placeholder: socket.socket, seconds: float) -> None:
        await asyncio.sleep(seconds + _DOOR_MARGIN_SECONDS)
        await self.startup(sockets=[placeholder])
        self._closed_door = None

    def _on_connections(self, app: _App) -> _App:
        async def wrapped(scope: _Message, receive: _Receive, send: _Send) -> None:
            if scope["type"] == "http":
                connection = _Connection(scope["state"][_TRANSPORT], receive, self.shut_door)
                scope["extensions"] = {**scope.get("extensions", {}), CONNECTION: connection}
            await app(scope, receive, send)

        return wrapped


class _Protocol(H11Protocol):
    """Hands the transport of a connection to the application, in the state that every request of it carries."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, _TRANSPORT: transport}
        super().connection_made(transport)


class _Connection:
    """A TCP connection one request came over; see `delivery.Connection`.

    After the end of the connection these wait until uvicorn has noticed, so that it misses no answer.
    """

    def __init__(self, transport: asyncio.Transport, receive: _Receive, shut_door: Callable[[float], None]) -> None:
        self._transport = transport
        self._receive = receive
        self.shut_door = shut_door

    async def wait(self, seconds: float | None) -> bool:
        try:
            await asyncio.wait_for(self._end(), seconds)
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        self._transport.close()
        await self._end()

    async def reset(self) -> None:
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()
        await self._end()

    async def refuse(self) -> None:
        """The request has come in already: the next best thing."""
        await self.reset()

    async def _end(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _bound_socket(port: int) -> socket.socket:
    """A socket at a port (0: any free one) that does not listen yet."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((_HOST, port))
    except (OSError, OverflowError) as error:
        bound.close()
        reason = getattr(error, "strerror", None) or error
        raise SandboxError(f"can't listen on {_HOST}:{port}: {reason}") from None
    return bound


def _stay_on_signals() -> None:
    """uvicorn raises a signal again after its clean shutdown; the default action would then spoil exit code 0."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)


def _printable(path: Path) -> str:
    """A path may come from a file somebody else wrote, and this goes to a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(path))
