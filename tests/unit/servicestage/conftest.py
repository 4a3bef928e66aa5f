"""Worlds for the client to talk to: scripted transports, bare sockets, and a time that never passes by itself."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from statetool.core.model import Secret
from statetool.servicestage.auth import TokenAuth
from statetool.servicestage.channel import Channel, Deadlines, Timing
from statetool.servicestage.client import ServiceStage

PROJECT = "0123456789abcdef0123456789abcdef"
TOKEN = "MIIE-very-secret-token"


@dataclass
class FakeTime:
    """A clock that moves only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


@dataclass
class Platform:
    """A transport that answers with `handler` and keeps what it was asked."""

    handler: Handler
    requests: list[httpx.Request] = field(default_factory=list)
    time: FakeTime = field(default_factory=FakeTime)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.handler(request)
        return answer if isinstance(answer, httpx.Response) else await answer

    def client(self, token: str | None = TOKEN, **options: Any) -> ServiceStage:
        """A client on this transport, with all the jitter there is."""
        settings: dict[str, Any] = {
            "auth": TokenAuth(Secret(token)) if token else None,
            "sleep": self.time.sleep,
            "clock": self.time.clock,
            **options,
        }
        return ServiceStage(
            "https://platform.test",
            PROJECT,
            transport=httpx.MockTransport(self._answer),
            jitter=lambda: 1.0,
            **settings,
        )

    def channel(self, **options: Any) -> Channel:
        """The way alone, without the calls of a client: for requests that no call makes."""
        settings: dict[str, Any] = {"auth": TokenAuth(Secret(TOKEN)), "deadlines": Deadlines(), **options}
        return Channel(
            "https://platform.test",
            transport=httpx.MockTransport(self._answer),
            timing=Timing(self.time.sleep, lambda: 1.0, self.time.clock),
            **settings,
        )


@pytest.fixture
def platform() -> Callable[[Handler], Platform]:
    """Builds a scripted platform from one handler."""
    return Platform


@pytest.fixture
def answering() -> Callable[..., Platform]:
    """Builds a platform that gives the listed answers in order, the last one for ever."""

    def build(*answers: httpx.Response | Exception) -> Platform:
        def handler(request: httpx.Request) -> httpx.Response:
            given = answers[min(len(world.requests), len(answers)) - 1]
            if isinstance(given, Exception):
                raise given
            return httpx.Response(given.status_code, headers=given.headers, content=given.content)

        world = Platform(handler)
        return world

    return build


@dataclass
class BareServer:
    """A real socket on loopback that does what no well-behaved server does. `heard` holds the raw requests."""

    reply: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    heard: list[bytes] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            self.heard.append(head + await reader.readexactly(length))
            await self.reply(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def client(self, **options: Any) -> ServiceStage:
        """A client that really connects, with real deadlines and no pauses between tries."""
        time = FakeTime()
        settings: dict[str, Any] = {
            "auth": TokenAuth(Secret(TOKEN)),
            "sleep": time.sleep,
            "clock": time.clock,
            "deadlines": Deadlines(connect_s=2.0, read_s=5.0),
            **options,
        }
        return ServiceStage(self.url, PROJECT, **settings)

    def channel(self) -> Channel:
        """The way alone, over the network, for requests that no call makes."""
        time = FakeTime()
        timing = Timing(time.sleep, lambda: 1.0, time.clock)
        return Channel(self.url, auth=TokenAuth(Secret(TOKEN)), transport=None, timing=timing, deadlines=Deadlines())


@pytest.fixture
def bare_server() -> Callable[..., Any]:
    """`async with bare_server(reply) as server`: serves until the block ends."""

    @asynccontextmanager
    async def run(
        reply: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    ) -> AsyncIterator[BareServer]:
        world = BareServer(reply)
        server = await asyncio.start_server(world.serve, "127.0.0.1", 0)
        world.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield world
        finally:
            server.close()

    return run


@pytest.fixture
def unused_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """Builds one complete row of a component list."""

    def build(number: int = 1, **changes: Any) -> dict[str, Any]:
        status = {
            "component_status": "RUNNING",
            "replica": 4,
            "available_replica": 4,
            "last_job_id": "JOB1",
            "update_time": 1700000000123,
        }
        status.update(changes.pop("status", {}))
        return {
            "id": f"c-{number}",
            "name": f"cart{number}",
            "version": "1.4.2",
            "environment_id": "e-1",
            "environment_name": "prod",
            "status": status,
            **changes,
        }

    return build


@pytest.fixture
def as_json() -> Callable[..., httpx.Response]:
    """Builds an answer with a JSON body."""

    def build(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> httpx.Response:
        return httpx.Response(
            status, headers={"content-type": "application/json", **(headers or {})}, content=json.dumps(body)
        )

    return build
