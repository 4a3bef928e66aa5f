"""The wire between a process and the sandbox: requests take their time, and may be lost, late, or answered badly.

A request that is out arrives on the clock of the world, whether or not its process is still alive by then.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from torture_effects import NO_FAULT, Fault

from statetool.sandbox import Sandbox
from statetool.sandbox.model import Component
from statetool.sandbox.world import advance

if TYPE_CHECKING:
    from torture_world import Process, World

API = "/v3/0123456789abcdef0123456789abcdef/cas"
TRAVEL_S = 0.1
SPOILT = {
    "job_failed": {"kind": "job_failed", "message": "quota exceeded"},
    "job_cancelled": {"kind": "job_status", "status": "CANCELLED"},
    "never_ready": {"kind": "never_ready"},
    "no_effect": {"kind": "job_status", "status": "UNKNOWN", "message": "nobody knows"},
}
"""Fates of a job, as the sandbox calls them."""


@dataclass
class Call:
    """One request, and what became of it. `operation` is that of the journal it was sent for."""

    process: Any
    method: str
    path: str
    query: str
    body: bytes
    sent_at: float
    fault: Fault = NO_FAULT
    operation: str | None = None
    arrived_at: float | None = None
    status: int = 0
    job_id: str | None = None
    answer: tuple[bytes, str] = field(default=(b"", ""), repr=False)

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def component_id(self) -> str | None:
        parts = self.path.split("/")
        return parts[parts.index("components") + 1] if "components" in parts[:-1] else None

    @property
    def verb(self) -> str:
        return str(json.loads(self.body)["action"]) if self.method == "POST" else "upgrade"


class Ground:
    """The sandbox as nobody sees it: what is true at this instant."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def component(self, component_id: str) -> Component:
        with self.sandbox._store.reading() as tables:
            found = tables.component(component_id)
            assert found is not None
            return advance(found, self.sandbox.now_ms())

    def job_status(self, job_id: str) -> str:
        body = self.sandbox.handle("GET", f"{API}/jobs/{job_id}").body
        job = {key.lower(): value for key, value in body["job"].items()}
        return str(job["execution_status"])

    def rows(self) -> list[dict[str, Any]]:
        return list(self.sandbox.handle("GET", f"{API}/components", "limit=100").body["components"])


class Wire(httpx.AsyncBaseTransport):
    """What a client of one process sends through."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw, _, query = request.url.raw_path.decode().partition("?")
        call = Call(self._process, request.method, raw, query, request.content, self._world.clock.now)
        return await (self._write(call) if call.is_write else self._read(call))

    async def _read(self, call: Call) -> httpx.Response:
        fault = self._process.effect("read", call.path.rsplit("/", 2)[-2])
        if fault.kind == "crash_before":
            raise self._process.die()
        if fault.kind == "error":
            raise httpx.ReadError("connection reset by peer")
        if fault.kind == "server_error":
            return _refusal(500, None)
        self._world.deliver(call)
        if fault.kind == "crash_after":
            raise self._process.die()
        if fault.kind == "garbled":
            return httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>wait</html>")
        return _response(call)

    async def _write(self, call: Call) -> httpx.Response:
        clock = self._world.clock
        fault = call.fault = self._process.effect("write", call.verb)
        if fault.kind == "crash_before":
            raise self._process.die()
        self._world.truth.sending(self._process, call)
        if fault.kind == "refused":
            raise httpx.ConnectError("connection refused")
        if fault.kind == "throttled":
            return _refusal(429, "APIGW.0308")
        if fault.kind == "lost":
            raise httpx.ReadError("connection reset by peer")
        takes_s = fault.after_s if fault.kind in ("late", "slow", "crash_sent") else TRAVEL_S
        clock.at(clock.now + takes_s, lambda: self._world.deliver(call))
        if fault.kind == "crash_sent":
            raise self._process.die()
        if fault.kind == "late":
            raise httpx.ReadError("connection reset by peer")
        await asyncio.sleep(takes_s)
        if not self._process.is_alive:
            raise self._process.die()
        if fault.kind == "crash_after":
            raise self._process.die()
        if fault.kind == "lost_answer":
            raise httpx.ReadTimeout("nothing came for too long")
        if fault.kind == "server_error":
            return _refusal(500, None)
        if fault.kind == "garbled":
            return httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>wait</html>")
        await asyncio.sleep(TRAVEL_S)
        return _response(call)


def _response(call: Call) -> httpx.Response:
    content, content_type = call.answer
    return httpx.Response(call.status, headers={"content-type": content_type}, content=content)


def _refusal(status: int, code: str | None) -> httpx.Response:
    if code is None:
        return httpx.Response(status, headers={"content-type": "text/plain"}, content=b"Internal Server Error\n")
    body = {"error_code": code, "error_msg": "the throttling threshold has been reached", "request_id": "r"}
    return httpx.Response(status, headers={"content-type": "application/json"}, content=json.dumps(body).encode())
