"""The way to the platform: what of the settings reaches the client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from statetool.config import load_settings
from statetool.connection import connect
from statetool.core.credentials import ReadyToken
from statetool.core.model import Secret

LONG_S = 0.3
"""Far longer than an answer over loopback takes, and far shorter than a turn at the rate of the test."""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An empty project, a connection a request."""
    await reader.readuntil(b"\r\n\r\n")
    body = b'{"count": 0, "applications": []}'
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    writer.close()


def test_the_rates_of_the_settings_hold_over_the_network(tmp_path: Path) -> None:
    """At one read in ten seconds the first is answered, and the second is not sent for now."""

    async def story() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        (tmp_path / "statetool.yaml").write_text(
            f"version: 1\nplatform: {{endpoint: 'http://127.0.0.1:{port}'}}\nlimits: {{reads_per_second: 0.1}}\n"
        )
        settings = load_settings(tmp_path, {}, {})
        token = ReadyToken(Secret("t"), "the test")
        async with server, connect(settings, token, frozenset()) as platform:
            await platform.fetch_applications()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(platform.fetch_applications(), LONG_S)
            assert platform.requests.reads == 1

    asyncio.run(story())


def test_a_sandbox_in_this_process_has_no_limit(tmp_path: Path) -> None:
    """Whatever the settings say: nothing is there to be protected."""

    async def story() -> None:
        (tmp_path / "statetool.yaml").write_text(
            "version: 1\nplatform: {endpoint: 'sandbox:world.db'}\nlimits: {reads_per_second: 0.1}\n"
        )
        settings = load_settings(tmp_path, {}, {})
        async with connect(settings, None, frozenset()) as platform:
            for _ in range(50):
                await platform.fetch_applications()
            assert platform.requests.reads == 50

    asyncio.run(story())
