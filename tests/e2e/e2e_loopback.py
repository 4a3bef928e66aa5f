"""Tiny HTTP servers on the loopback interface that stand where a platform should be, or in front of one.

Each counts what it is asked. They know HTTP and nothing of statetool.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_HEADERS = frozenset({"connection", "transfer-encoding", "content-length", "host", "date", "server"})


@dataclass(frozen=True)
class Asked:
    """One request as it arrived. Header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is sent back. `truncate` announces more bytes than come. A Reply of None: the line goes dead."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    truncate: bool = False


Answerer = Callable[[Asked], Reply | None]


@dataclass
class Loopback:
    """A running server: where it is, and what it was asked."""

    endpoint: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def changing(self) -> list[Asked]:
        return [one for one in self.asked if one.method not in ("GET", "HEAD")]


@contextmanager
def loopback(answer: Answerer) -> Iterator[Loopback]:
    """Serve what `answer` says until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            running.asked.append(asked)
            reply = answer(asked)
            self.close_connection = True
            if reply is None:
                return
            # Not send_response: it adds a Date of its own beside the one a reply may have.
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) + (100 if reply.truncate else 0)))
            self.send_header("Connection", "close")
            with suppress(ConnectionError):  # a client may have what it wants to know, and hang up
                self.end_headers()
                self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Tests read `asked` instead."""

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Loopback(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()


def forward(endpoint: str, asked: Asked, *, keep_host: bool = False) -> Reply:
    """What the server at `endpoint` answers to the same request. A signature covers the host it was sent to."""
    dropped = HOP_HEADERS - {"host"} if keep_host else HOP_HEADERS
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=30)
    try:
        headers = {name: value for name, value in asked.headers.items() if name not in dropped}
        connection.request(asked.method, asked.path, asked.body or None, headers)
        answer = connection.getresponse()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_HEADERS}
        return Reply(answer.status, answer.read(), kept)
    finally:
        connection.close()
