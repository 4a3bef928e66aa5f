"""A line to a PostgreSQL server on which something happens at the worst moment: it breaks, or somebody else acts."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

COMMIT = b"COMMIT\0"
"""As the driver sends it. Without the end it would also be part of every transaction's isolation level."""

Moment = Literal["before", "after"]
"""Whether the server gets the commit whose answer is lost."""


class LosingProxy:
    """Listens on loopback and passes everything on to a Unix socket, until it is told to lose something."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lines: list[socket.socket] = []
        self._losing: Moment | None = None
        self._awaited: tuple[bytes, Callable[[], object]] | None = None
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def url(self, host: str = "127.0.0.1", options: str = "") -> str:
        return f"postgresql://postgres@{host}:{self._listener.getsockname()[1]}/postgres?{options}"

    def lose(self, moment: Moment) -> None:
        """Break the line at the next commit."""
        self._losing = moment

    def when(self, sent: bytes, act: Callable[[], object]) -> None:
        """Act once, before the server gets what the client sends next that has `sent` in it."""
        self._awaited = (sent, act)

    def close(self) -> None:
        """Nobody comes through any more, and whoever was through is cut off."""
        for line in (self._listener, *self._lines):
            _end(line)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._lines += [client, server]
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        for data in _received(client):
            if self._awaited is not None and self._awaited[0] in data:
                (_, act), self._awaited = self._awaited, None
                act()
            if COMMIT in data and self._losing is not None:
                moment, self._losing = self._losing, None
                self.lost += 1
                _end(client)
                if moment == "before":
                    break
            try:
                server.sendall(data)
            except OSError:
                return  # the other side is gone, and its thread has closed this one
        # The server carries out what it got before it sees the end.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for data in _received(server):
                client.sendall(data)
        _end(client)
        server.close()


def _received(line: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while data := line.recv(2**16):
            yield data


def _end(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
