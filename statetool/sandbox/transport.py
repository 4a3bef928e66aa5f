"""The sandbox as a transport of httpx: no socket, and yet everything a network can do to a request.

Owns the translation of broken connections into the exceptions httpx would raise. Must not know what is answered
(app.py), or which fault does what (delivery.py). Besides control.py the only module of the sandbox that may use httpx.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx

from statetool.sandbox.access import Accounts
from statetool.sandbox.app import create_app
from statetool.sandbox.delivery import CONNECTION
from statetool.sandbox.facade import Sandbox

_CLIENT = ("127.0.0.1", 0)

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


class SandboxTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient(transport=...)`. Closing it leaves the sandbox open."""

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        token: str | None = None,
        accounts: Accounts | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Credentials as for `create_app`. `sleep` lets seconds pass while nothing comes, real ones by default."""
        self._app = create_app(sandbox, token=token, accounts=accounts)
        self._sleep = sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer. Raises ConnectError, ReadError, ReadTimeout or RemoteProtocolError where a fault says so."""
        connection = _Connection(request, self._sleep)

        async def app(scope: _Message, receive: _Receive, send: _Send) -> None:
            await self._app({**scope, "extensions": {CONNECTION: connection}}, receive, send)

        # What the connection raises comes through the application, which starts no answer after that.
        return await httpx.ASGITransport(app, client=_CLIENT).handle_async_request(request)


class _Connection:
    """A connection that ends by an exception; see `delivery.Connection`."""

    def __init__(self, request: httpx.Request, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._patience = request.extensions.get("timeout", {}).get("read")
        self._sleep = sleep

    async def wait(self, seconds: float | None) -> bool:
        if self._patience is not None and (seconds is None or seconds >= self._patience):
            await self._sleep(self._patience)
            raise httpx.ReadTimeout("nothing came for too long")
        if seconds is None:
            await asyncio.Event().wait()
        else:
            await self._sleep(seconds)
        return True

    async def close(self) -> None:
        raise httpx.RemoteProtocolError("the connection was closed before the answer was complete")

    async def reset(self) -> None:
        raise httpx.ReadError("connection reset by peer")

    async def refuse(self) -> None:
        raise httpx.ConnectError("connection refused")

    def shut_door(self, seconds: float) -> None:
        """The world itself refuses every request meanwhile."""
