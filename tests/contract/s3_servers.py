"""Stores that the s3 backend is tested against: SeaweedFS, moto, one that ignores conditions, and a proxy that loses.

Each of the first two is started when a process first asks for it, and ends with the process.
"""

from __future__ import annotations

import atexit
import hashlib
import http.client
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from statetool.backends.places import S3Place
from statetool.core.model import Secret

BUCKET = "states"
STARTS = 5

_UNTIL_END_OF_INPUT = """
exec 3<&0
"$@" </dev/null &
server=$!
(cat <&3; kill -9 $server; rm -rf "$0") &
exec 3<&-
wait $server
"""
"""Runs a command until nobody holds its input open any more: a killed test run leaves no server behind."""


@cache
def seaweed() -> str:
    """The endpoint of a SeaweedFS with a bucket; it knows no keys, so requests must not be signed."""
    for _ in range(STARTS):
        endpoint = _start_seaweed()
        if endpoint is not None:
            return endpoint
    raise AssertionError("SeaweedFS ended by itself, again and again")


def _start_seaweed() -> str | None:
    """Its endpoint, None where it ended: a port that was free may be somebody else's a moment later."""
    folder = tempfile.mkdtemp(prefix="statetool-seaweed-")
    free = _free_ports(8)
    ports = dict(zip(("master", "volume", "filer", "s3"), free[:4], strict=True))
    flags = [f"-{name}.port={port}" for name, port in ports.items()]
    # gRPC is at 10,000 above by default, which can be taken; and what nobody asked for has a fixed port.
    flags += [f"-{name}.port.grpc={port}" for name, port in zip(ports, free[4:], strict=True)]
    flags += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    flags += [f"-{name}.localSocket={folder}/{name}.sock" for name in ("filer", "s3")]
    process = subprocess.Popen(
        [
            *("sh", "-c", _UNTIL_END_OF_INPUT, folder, str(Path(sys.executable).parent / "weed")),
            *("server", "-s3", "-iam=false", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}"),
            # Few volumes, and later requests get 500: every bucket takes some.
            *("-volume.max=200", "-master.volumeSizeLimitMB=64", "-master.telemetry=false", *flags),
        ],
        cwd=folder,
        env={"HOME": folder, "PATH": os.environ.get("PATH", "")},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(process.communicate)
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    # A bucket can be made before there is a volume to put anything in.
    is_up = _wait_until(process, lambda: _status(endpoint, "PUT", f"/{BUCKET}") == 200) and _wait_until(
        process, lambda: _status(endpoint, "PUT", f"/{BUCKET}/started", b"yes") == 200
    )
    return endpoint if is_up else None


@cache
def moto() -> str:
    """The endpoint of a moto with a bucket, in this process; it wants signed requests and knows every key."""
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        # It compares first and replaces afterwards: of two requests at once, both would find what they expect.
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        with turn:
            return list(application(environ, start_response))

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    atexit.register(server.shutdown)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    assert _status(endpoint, "PUT", f"/{BUCKET}") == 200
    return endpoint


def place(endpoint: str, key: str, *, signed: bool = False) -> S3Place:
    """A key of the bucket of that store."""
    signature = ("key", Secret("secret-of-the-store")) if signed else (None, None)
    return S3Place(
        bucket=BUCKET,
        key=key,
        region="eu-test-1",
        endpoint=endpoint,
        access_key=signature[0],
        secret_key=signature[1],
    )


@dataclass
class Request:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Answer:
    """What is said to one request."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def served(answer: Callable[[Request], Answer | None]) -> Iterator[str]:
    """The endpoint of a server that answers so; None ends the connection instead."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = answer(Request(self.command, self.path, dict(self.headers.items()), body))
            if found is None:
                self.close_connection = True
                return
            self.send_response_only(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            if self.command == "HEAD" or found.status == 304:
                self.end_headers()
                return
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class CarelessStore:
    """Objects in memory, and none of the conditions whose headers it `ignores`. What a store must not be."""

    def __init__(self, *ignores: str) -> None:
        self.objects: dict[str, bytes] = {}
        self._ignores = ignores

    def answer(self, request: Request) -> Answer:
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        if request.method == "POST" and "delete" in parts.query:
            for key in re.findall(r"<Key>([^<]*)</Key>", request.body.decode()):
                self.objects.pop(f"/{BUCKET}/{key}", None)
            return Answer(200, b"<DeleteResult/>", {"Content-Type": "application/xml"})
        if "list-type" in query:
            return Answer(200, self._list(query["prefix"][0]), {"Content-Type": "application/xml"})
        if request.method == "PUT":
            return self._put(parts.path, request)
        if request.method == "DELETE":
            self.objects.pop(parts.path, None)
            return Answer(204)
        return self._get(parts.path)

    def _put(self, path: str, request: Request) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in self._ignores}
        stored = self.objects.get(path)
        wanted = headers.get("if-match")
        if (wanted is not None and (stored is None or _tag(stored) != wanted)) or (
            "if-none-match" in headers and stored is not None
        ):
            return Answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        self.objects[path] = request.body
        return Answer(200, headers={"ETag": _tag(request.body)})

    def _get(self, path: str) -> Answer:
        stored = self.objects.get(path)
        if stored is None:
            return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        return Answer(200, stored, {"ETag": _tag(stored), "Last-Modified": "Mon, 23 Nov 2026 08:00:00 GMT"})

    def _list(self, prefix: str) -> bytes:
        found = [path.removeprefix(f"/{BUCKET}/") for path in sorted(self.objects)]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-23T08:00:00Z</LastModified><Size>1</Size>"
            "<ETag>&quot;1&quot;</ETag></Contents>"
            for key in found
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode()


class Proxy:
    """Passes requests on to a store, and does to some of them what networks do. `seen` are those that came in."""

    def __init__(self, endpoint: str) -> None:
        self.seen: list[str] = []
        self._host = urlsplit(endpoint).netloc
        self._faults: list[tuple[Callable[[Request], bool], Callable[[Request], Answer | None]]] = []

    def answer(self, request: Request) -> Answer | None:
        number = len(self.seen)
        self.seen.append(str(request))
        for n, (matches, act) in enumerate(self._faults):
            if matches(request) or matches(Request("#", str(number), {}, b"")):
                del self._faults[n]
                return act(request)
        return self._forward(request)

    def lose_answer(self, pattern: str, times: int = 1) -> None:
        """The next request like that is carried out, and not answered. `#` and a number counts all requests."""
        self._on(pattern, times, lambda request: self._forward(request) and None)

    def lose_request(self, pattern: str, times: int = 1) -> None:
        """The next request like that is neither carried out nor answered."""
        self._on(pattern, times, lambda request: None)

    def call_before(self, pattern: str, call: Callable[[], object]) -> None:
        """Before the next request like that is carried out, something else happens."""

        def act(request: Request) -> Answer:
            call()
            return self._forward(request)

        self._on(pattern, 1, act)

    def hold(self, pattern: str) -> Callable[[], int]:
        """The next request like that is not answered, and arrives when the returned function is called.

        That returns the status it then got.
        """
        held: list[Request] = []
        self._on(pattern, 1, lambda request: held.append(request))
        return lambda: self._forward(held.pop()).status

    def _on(self, pattern: str, times: int, act: Callable[[Request], Answer | None]) -> None:
        self._faults += [(lambda request: re.search(pattern, str(request)) is not None, act)] * times

    def _forward(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(self._host, timeout=10)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            skipped = ("connection", "content-length", "transfer-encoding")
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in skipped}
            return Answer(answer.status, answer.read(), headers)
        finally:
            connection.close()


def _tag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _status(endpoint: str, method: str, path: str, body: bytes | None = None) -> int | None:
    """The status of one request, None where nobody answers yet."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    try:
        connection.request(method, path, body)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def _wait_until(process: subprocess.Popen[bytes], is_up: Callable[[], bool]) -> bool:
    """False where the process ended before."""
    while not is_up():
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    return True
