"""The client against real sockets: what a transport in memory cannot show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from statetool.core.model import JobPhase, Secret, StatusClass
from statetool.core.plan import Verb
from statetool.errors import (
    AnswerUnreadable,
    EndpointRefused,
    OutcomeUnknown,
    RequestRefused,
    ServerFailed,
    Unreachable,
)
from statetool.servicestage.auth import TokenAuth
from statetool.servicestage.channel import Deadlines
from statetool.servicestage.client import ServiceStage

PROJECT = "0123456789abcdef0123456789abcdef"
TOKEN = "MIIE-very-secret-token"
Build = Callable[..., Any]
Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def saying(raw: bytes) -> Reply:
    """A server that answers every request with these bytes and closes."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return reply


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole HTTP answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that takes the request and says nothing, until the client hangs up."""
    await reader.read()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that takes the request and breaks the connection."""
    writer.transport.abort()


def test_a_request_and_its_answer_over_a_socket(bare_server: Build) -> None:
    """Headers as the platform wants them, and an answer in the model's types."""

    async def story() -> None:
        body = json.dumps({"count": 1, "applications": [{"id": "a-1", "name": "shop"}]}).encode()
        async with bare_server(saying(http(body))) as server, server.client() as client:
            (application,) = await client.fetch_applications()
            assert application.name == "shop"
        head = server.heard[0].decode().lower()
        assert head.startswith(f"get /v3/{PROJECT}/cas/applications?limit=100&")
        assert "content-type: application/json" in head
        assert f"x-auth-token: {TOKEN.lower()}" in head
        assert "user-agent: statetool/" in head

    asyncio.run(story())


def test_a_refused_connection_is_unreachable(unused_port: int) -> None:
    """Nothing listens: the error names the address and says that nothing was sent."""

    async def story(attempt: Callable[[ServiceStage], Awaitable[object]], tries: tuple[int, int]) -> None:
        async def sleep(seconds: float) -> None:
            """No pause."""

        url = f"http://127.0.0.1:{unused_port}"
        async with ServiceStage(url, PROJECT, auth=None, sleep=sleep) as client:
            with pytest.raises(Unreachable) as caught:
                await attempt(client)
            assert url in caught.value.message
            assert caught.value.hint is not None
            assert "nothing was sent" in caught.value.hint
            assert (client.requests.reads, client.requests.writes) == tries

    asyncio.run(story(lambda client: client.fetch_applications(), (5, 0)))
    asyncio.run(story(lambda client: client.send_action("a-1", "c-1", Verb.RESTART, {}), (0, 5)))


@pytest.mark.parametrize(
    ("reply", "limits"),
    [
        (reset, Deadlines()),
        (silence, Deadlines(read_s=0.05, write_total_s=0.05)),
        (saying(b""), Deadlines()),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), Deadlines()),
        (saying(http(b'{"job_id": "JOB7"}')[:-5]), Deadlines()),
        (saying(http(b"oops", "500 Internal Server Error")), Deadlines()),
    ],
    ids=["reset", "hang", "closed", "not http", "cut off", "500"],
)
def test_a_lost_answer_is_unknown_for_a_write_and_repeated_for_a_read(
    bare_server: Build, reply: Reply, limits: Deadlines
) -> None:
    """The server counts: one write, five reads."""

    async def story() -> None:
        async with bare_server(reply) as server:
            async with server.client(deadlines=limits) as client:
                with pytest.raises(OutcomeUnknown):
                    await client.send_action("a-1", "c-1", Verb.RESTART, {})
                assert [raw[:4] for raw in server.heard] == [b"POST"]
            async with server.client(deadlines=limits) as client:
                with pytest.raises(ServerFailed):
                    await client.fetch_applications()
            assert [raw[:4] for raw in server.heard] == [b"POST", *[b"GET "] * 5]

    asyncio.run(story())


def test_an_answer_that_drips_ends_with_the_deadline(bare_server: Build) -> None:
    """A byte now and then keeps a socket busy, not the deadline."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b" ")
            await writer.drain()
            await asyncio.wait((asyncio.ensure_future(reader.read()),), timeout=0.005)

    async def story() -> None:
        limits = Deadlines(connect_s=0.02, read_s=0.08, read_total_s=90.0)
        async with bare_server(drip) as server, server.client(deadlines=limits) as client:
            with pytest.raises(ServerFailed) as caught:
                await client.fetch_applications()
            assert "nothing complete" in caught.value.message

    asyncio.run(story())


@pytest.mark.parametrize(
    "answer",
    [http(b"<html>login</html>", "200 OK", "Content-Type: text/html"), http(b'{"count": 1, "appli'), http(b"")],
)
def test_what_is_not_json_is_unreadable(bare_server: Build, answer: bytes) -> None:
    """HTML, truncated and empty, once each."""

    async def story() -> None:
        async with bare_server(saying(answer)) as server, server.client() as client:
            with pytest.raises(AnswerUnreadable) as caught:
                await client.fetch_applications()
            assert server.url in caught.value.message
            assert len(server.heard) == 1

    asyncio.run(story())


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_not_followed_and_the_token_stays(bare_server: Build, status: str) -> None:
    """The other host hears nothing, neither of a read nor of a write."""

    async def story() -> None:
        async with bare_server(saying(http(b"{}"))) as other:
            answer = http(b"", status, f"Location: {other.url}/")
            async with bare_server(saying(answer)) as server, server.client() as client:
                for attempt in (client.fetch_applications(), client.send_action("a-1", "c-1", Verb.RESTART, {})):
                    with pytest.raises(RequestRefused) as caught:
                        await attempt
                    assert caught.value.code == "redirect"
            assert (len(server.heard), other.heard) == (2, [])

    asyncio.run(story())


def test_proxies_of_the_environment_are_not_used(bare_server: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable in the environment must not see the token."""

    async def story() -> None:
        body = b'{"count": 0, "applications": []}'
        async with bare_server(saying(http(b"{}"))) as proxy, bare_server(saying(http(body))) as server:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            async with server.client() as client:
                assert await client.fetch_applications() == ()
            assert proxy.heard == []

    asyncio.run(story())


def test_every_write_gets_a_connection_of_its_own(bare_server: Build) -> None:
    """Reads share one, writes never do, POST or PUT: a pooled connection may close just as a write goes out."""
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        body = b'{"count": 0, "applications": [], "job_id": "JOB7"}'
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        writer.write(answer)
        while head := await reader.readuntil(b"\r\n\r\n"):
            if not head.startswith(b"GET"):
                await reader.readexactly(len(b'{"action":"restart"}'))
            writer.write(answer)

    async def story() -> None:
        async with bare_server(talk) as server, server.client() as client:
            for _ in range(3):
                await client.fetch_applications()
            assert connections == 1
            for _ in range(3):
                assert await client.send_action("a-1", "c-1", Verb.RESTART, {}) == "JOB7"
            assert connections == 4
            channel = server.channel()
            await channel.read("/x", {})
            await channel.read("/x", {})
            assert connections == 5
            for number in range(3):
                await channel.write("/c-1", {"action": "restart"}, method="PUT")
                assert connections == 6 + number
            await channel.close()

    asyncio.run(story())


def test_https_to_a_server_without_it_says_so_and_is_not_tried_again() -> None:
    """A handshake that was refused will be refused again; nothing was sent."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"{}", "400 Bad Request"))
        await writer.drain()
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, ServiceStage(url, PROJECT, auth=TokenAuth(Secret(TOKEN))) as client:
            with pytest.raises(Unreachable) as caught:
                await client.send_action("a-1", "c-1", Verb.RESTART, {})
            assert caught.value.code == "tls"
            assert client.requests.writes == 1

    asyncio.run(story())


def test_a_handshake_that_hangs_is_tried_again(bare_server: Build) -> None:
    """Being slow is not being untrusted."""

    async def story() -> None:
        async with bare_server(silence) as server:
            server.url = server.url.replace("http:", "https:")
            async with server.client(deadlines=Deadlines(connect_s=0.05)) as client:
                with pytest.raises(Unreachable) as caught:
                    await client.send_action("a-1", "c-1", Verb.RESTART, {})
                assert caught.value.code == "unreachable"
                assert client.requests.writes == 5

    asyncio.run(story())


def test_credentials_do_not_leave_for_another_host() -> None:
    """Refused before there is a client."""
    with pytest.raises(EndpointRefused):
        ServiceStage("https://evil.example", PROJECT, auth=TokenAuth(Secret(TOKEN)))
    with pytest.raises(EndpointRefused):
        ServiceStage("http://servicestage.cn-north-4.myhuaweicloud.com", PROJECT, auth=None)


def test_the_first_request_goes_alone(bare_server: Build) -> None:
    """Twenty reads and a write are asked for at once; until one has its answer, the server hears of no other."""

    async def story() -> None:
        heard, may_answer = asyncio.Event(), asyncio.Event()

        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.set()
            await may_answer.wait()
            writer.write(http(b'{"count": 0, "applications": [], "job_id": "JOB7"}'))
            await writer.drain()

        async with bare_server(reply) as server, server.client() as client:
            reads = [asyncio.create_task(client.fetch_applications()) for _ in range(20)]
            write = asyncio.create_task(client.send_action("a-1", "c-1", Verb.RESTART, {}))
            await heard.wait()
            for _ in range(50):  # whatever else could be on its way would arrive meanwhile
                await asyncio.sleep(0)
            assert len(server.heard) == 1
            may_answer.set()
            assert await asyncio.gather(*reads) == [()] * 20
            assert await write == "JOB7"
            assert len(server.heard) == 21

    asyncio.run(story())


NEW = {"a_new_key": {"with": ["things", 1, None]}, "another": True}
"""What a later version of the platform may add anywhere."""


def newer(path: str) -> Any:
    """A platform a few years on: statuses nobody has heard of, and keys nobody asked for, at every level."""
    status = {"component_status": "Levitating", "replica": 4, "available_replica": 3, **NEW}
    component = {"id": "c-1", "name": "cart", "version": "1.4.2", "status": status, **NEW}
    if path.endswith("/action"):
        return {"job_id": "JOB7", "result": "pondering", **NEW}
    if "/jobs/" in path:
        return {"job": {"execution_status": "MEDITATING", **NEW}, "tasks": [NEW, {"task_status": "DREAMING"}], **NEW}
    if path.endswith("/records"):
        record = {"version": "1.4.2", "deploy_type": "TeleportRelease", "status": "GLOWING", "jobs": [NEW], **NEW}
        return {"count": 1, "records": [record], **NEW}
    if path.endswith("/components"):
        return {"count": 1, "components": [component], **NEW}
    if path.endswith("/applications"):
        return {"count": 1, "applications": [{"id": "a-1", "name": "shop", **NEW}], **NEW}
    strategy = {"type": "TeleportRelease", "gray_release": {"type": "TELEPATHY", **NEW}, **NEW}
    return {**component, "replica": 4, "deploy_strategy": strategy}


def test_a_newer_platform_is_still_understood(bare_server: Build) -> None:
    """An unknown status is in progress, an unknown job status runs on, an unknown rule is not told; no key disturbs."""

    async def story() -> None:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            path = server.heard[-1].split(b" ")[1].decode().split("?")[0]
            writer.write(http(json.dumps(newer(path)).encode(), "200 OK", "X-New-Header: 1"))
            await writer.drain()

        async with bare_server(reply) as server, server.client() as client:
            [application] = await client.fetch_applications()
            [component] = await client.fetch_components(application)
            assert (component.status, component.status_class) == ("LEVITATING", StatusClass.BUSY)
            [closer] = [one.closer for one in await client.fetch_closer_looks([component])]
            assert (closer.rule, closer.configured_replicas) == (None, 4)
            assert [record.deploy_type for record in closer.records] == ["teleportrelease"]
            assert (await client.fetch_component(component)).status_class is StatusClass.BUSY
            job = await client.fetch_job("JOB7")
            assert (job.phase, job.status) == (JobPhase.RUNNING, "MEDITATING")
            assert await client.send_action("a-1", "c-1", Verb.RESTART, {}) == "JOB7"

    asyncio.run(story())
