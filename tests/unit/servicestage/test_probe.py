"""Knocking as a stranger: each step that can fail is told apart, and the other clock is read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from statetool.errors import Unreachable
from statetool.servicestage.probe import DNS, HTTP, TCP, Greeting, fetch_greeting

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


async def greet(answer: bytes, now: Callable[[], datetime] = lambda: NOW) -> tuple[Greeting, list[bytes]]:
    """What a server learns and tells that answers every request with these bytes."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        if heard[-1]:
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await fetch_greeting(f"http://127.0.0.1:{port}", now=now), [one for one in heard if one]


def answering(*headers: str, status: str = "404 Not Found") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 2", "Connection: close", "", "{}"]).encode()


def test_a_stranger_sends_nothing_of_ours() -> None:
    """One GET without anything that says who asks."""

    async def story() -> None:
        greeting, heard = await greet(answering())
        assert greeting == Greeting(("127.0.0.1",), None, None)
        (request,) = heard
        head = request.decode().lower()
        assert head.startswith("get / http/1.1\r\n")
        names = {line.partition(":")[0] for line in head.split("\r\n")[1:] if line}
        assert names <= {"host", "accept", "accept-encoding", "connection", "user-agent"}

    asyncio.run(story())


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        ("Tue, 24 Nov 2026 12:00:00 GMT", -0.5),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 3599.5),
        ("Tue, 24 Nov 2026 13:00:00 GMT", -3600.5),
        ("soon", None),
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "302 Found", "503 Service Unavailable"])
def test_the_other_clock(date: str, ahead_s: float | None, status: str) -> None:
    """Whatever the answer is. The header names the second that has begun, so its middle is taken."""
    answer = answering(f"Date: {date}", "Location: http://127.0.0.1:1/", status=status)

    async def story() -> None:
        greeting, _ = await greet(answer)
        assert greeting.ahead_s == ahead_s

    asyncio.run(story())


def test_the_way_there_and_back_counts_half() -> None:
    """A slow line does not make our clock look wrong."""
    moments = iter([NOW, NOW.replace(second=10)])

    async def story() -> None:
        greeting, _ = await greet(answering("Date: Tue, 24 Nov 2026 12:00:05 GMT"), lambda: next(moments))
        assert greeting.ahead_s == -0.5

    asyncio.run(story())


def failing(endpoint: str) -> Unreachable:
    async def story() -> Any:
        return await fetch_greeting(endpoint, now=lambda: NOW)

    with pytest.raises(Unreachable) as caught:
        asyncio.run(story())
    assert caught.value.hint
    return caught.value


def test_a_name_without_an_address() -> None:
    """Also one that no name server would take."""
    for name in ("nobody.invalid", "a" * 64 + ".example"):
        failed = failing(f"https://{name}")
        assert failed.code == DNS
        assert name in failed.message


def test_a_port_without_a_server() -> None:
    """Every address that was tried is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        failed = failing(f"http://127.0.0.1:{port}")
    assert failed.code == TCP
    assert failed.message == f"nothing answers at 127.0.0.1 port {port}: 127.0.0.1: Connection refused"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_a_server_of_another_kind(answer: bytes) -> None:
    """It takes connections, and that is all."""

    async def story() -> None:
        with pytest.raises(Unreachable) as caught:
            await greet(answer)
        assert caught.value.code == HTTP

    asyncio.run(story())
