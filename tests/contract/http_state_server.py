"""A server of Terraform's state protocol for tests, in two flavours, on a socket of this machine.

Written from what the protocol says and from how GitLab behaves; knows nothing of the client it tests.

- `terraform`: LOCK and UNLOCK on the state's own address, 423 with the holder's information as it was sent.
- `gitlab`: POST and DELETE on `.../lock`, basic auth, 409 with the holder's id, user and time beside operation and
  info of whoever asks; a version is kept for each `serial` of a body, and none is kept twice; a write with another id
  than the lock's is refused.

A state's name is its path, and it is made by its first request. `Switches` bend its behaviour.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

METHODS = ["GET", "POST", "PUT", "DELETE", "LOCK", "UNLOCK"]
USER = "robot"


@dataclass
class Logged:
    """A request that came in."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Switches:
    """What goes wrong with one state. `lose` and `refuse` count its requests from 1 since they were last reset.

    `lose`: these are carried out, and the connection is cut instead of an answer. `drop`: cut without carrying out.
    `refuse`: these get that status and are not carried out. `is_mute`: a refused lock has an empty body.
    `grants_all`: every lock is granted. `hides_loss`: a write with a wrong id gets 500.
    """

    lose: set[int] = field(default_factory=set)
    drop: set[int] = field(default_factory=set)
    refuse: dict[int, int] = field(default_factory=dict)
    is_mute: bool = False
    grants_all: bool = False
    hides_loss: bool = False
    has_no_locks: bool = False


@dataclass
class Stored:
    """One state of the server: its newest body, its versions by serial, its lock as it was asked for."""

    body: bytes = b""
    versions: dict[int, bytes] = field(default_factory=dict)
    lock: dict[str, str] | None = None
    log: list[Logged] = field(default_factory=list)
    switches: Switches = field(default_factory=Switches)

    def reset(self) -> None:
        """Forget the requests, and what was to go wrong with them."""
        self.log.clear()
        self.switches = Switches()

    @property
    def methods(self) -> list[str]:
        """What was asked, in order."""
        return [one.method for one in self.log]


class StateServer:
    """Serves states on a port of its own until it is closed. `password` is that of USER, None where all may come in."""

    def __init__(self, flavour: str, password: str | None = None) -> None:
        self.flavour = flavour
        self.password = password
        self.states: dict[str, Stored] = {}
        app = Starlette(
            routes=[
                Route("/{name:path}/lock", self._handle, methods=METHODS),
                Route("/{name:path}", self._handle, methods=METHODS),
            ]
        )
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_config=None, log_level="critical", lifespan="off", http="h11"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    @property
    def address(self) -> str:
        """Of the server, without a path."""
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def state(self, name: str) -> Stored:
        return self.states.setdefault(name, Stored())

    async def _handle(self, request: Request) -> Response:
        stored = self.state(request.path_params["name"])
        body = await request.body()
        url = request.url
        stored.log.append(Logged(request.method, url.path, url.query, dict(request.headers), body))
        number = len(stored.log)
        switches = stored.switches
        if number in switches.refuse:
            headers = {"Location": "/elsewhere"} if 300 <= switches.refuse[number] < 400 else {}
            return Response(b"no", switches.refuse[number], headers)
        if number in switches.drop:
            return _cut()
        answer = self._answer(stored, request, body)
        return _cut() if number in switches.lose else answer

    def _answer(self, stored: Stored, request: Request, body: bytes) -> Response:
        if self.password is not None:
            pair = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {pair}":
                return Response(b"401 Unauthorized", 401)
        is_gitlab = self.flavour == "gitlab"
        is_lock_path = request.url.path.endswith("/lock")
        lock, unlock = ("POST", "DELETE") if is_gitlab else ("LOCK", "UNLOCK")
        if is_lock_path is is_gitlab and request.method in (lock, unlock):
            if stored.switches.has_no_locks:
                return Response(status_code=404 if is_gitlab else 405)
            if request.method == lock:
                return self._lock(stored, json.loads(body))
            return self._unlock(stored, json.loads(body) if body else {})
        if is_lock_path or request.method not in ("GET", "POST"):
            return Response(status_code=405)
        if request.method == "GET":
            return Response(stored.body, 200, media_type="application/json") if stored.body else self._nothing()
        return self._write(stored, request.query_params.get("ID"), body)

    def _nothing(self) -> Response:
        return Response(status_code=404 if self.flavour == "gitlab" else 204)

    def _lock(self, stored: Stored, asked: dict[str, str]) -> Response:
        if {"ID", "Operation", "Info", "Who", "Version", "Created", "Path"} - asked.keys() or len(asked["ID"]) > 255:
            return Response(b"400", 400)
        if stored.lock is None or stored.switches.grants_all:
            stored.lock = asked
            return self._lock_answer(200, asked)
        if stored.switches.is_mute:
            return Response(status_code=409)
        if self.flavour == "terraform":
            return self._lock_answer(423, stored.lock)
        # GitLab keeps three things of a lock, and sends the rest of the question back.
        kept = {"ID": stored.lock["ID"], "Who": USER, "Created": stored.lock["Created"]}
        return self._lock_answer(409, {**asked, **kept})

    def _lock_answer(self, status: int, lock: dict[str, str]) -> Response:
        return Response(json.dumps(lock), status)

    def _unlock(self, stored: Stored, asked: dict[str, str]) -> Response:
        held = stored.lock["ID"] if stored.lock else None
        if "ID" in asked and asked["ID"] != held:
            return Response(status_code=409)
        stored.lock = None
        return Response(status_code=200)

    def _write(self, stored: Stored, lock_id: str | None, body: bytes) -> Response:
        if (stored.lock["ID"] if stored.lock else None) != lock_id:
            return Response(status_code=500 if stored.switches.hides_loss else 409)
        serial = json.loads(body)["serial"]
        if self.flavour == "gitlab" and serial in stored.versions:
            return Response(b"version has already been taken", 422)
        stored.versions[serial] = stored.body = body
        return Response(status_code=200)


def _cut() -> Response:
    """An answer that breaks off."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"{"
        raise ConnectionResetError

    return StreamingResponse(parts(), 200, {"Content-Length": "100"})


@contextlib.contextmanager
def serving(flavour: str, password: str | None = None) -> Iterator[StateServer]:
    """A server for the length of a block."""
    server = StateServer(flavour, password)
    server.start()
    try:
        yield server
    finally:
        server.stop()
