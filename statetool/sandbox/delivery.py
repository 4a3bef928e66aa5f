"""How an answer travels when something has to go wrong on the way.

Owns the steps of every such fault, in words of ASGI. Must not know what carries a request: over TCP that is server.py,
inside one process transport.py, and each hands in a `Connection`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from statetool.sandbox.faults import Fault, FaultKind

CONNECTION = "sandbox.connection"
"""Where a request's Connection stands in the `extensions` of its ASGI scope."""

NEEDS_CONNECTION = frozenset(
    {FaultKind.REFUSED, FaultKind.RESET, FaultKind.HANG, FaultKind.SLOW_BODY, FaultKind.CUT_BODY}
)
"""The kinds for which bytes are not enough."""

_PIECES = 20

_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Connection(Protocol):
    """What one request came over."""

    async def wait(self, seconds: float | None) -> bool:
        """Let time pass (None: for ever) while nothing is sent; False as soon as the client has gone."""

    async def close(self) -> None:
        """Send what has been written, then nothing more."""

    async def reset(self) -> None:
        """Break off at once, like a machine that fails."""

    async def refuse(self) -> None:
        """Be as if nobody listened."""

    def shut_door(self, seconds: float) -> None:
        """Take no new connections for so long."""


async def deliver(
    fault: Fault,
    status_code: int,
    headers: list[tuple[bytes, bytes]],
    content: bytes,
    connection: Connection,
    send: _Send,
) -> None:
    """Send an answer the way a fault of NEEDS_CONNECTION lets it come through."""
    if fault.kind is FaultKind.REFUSED:
        connection.shut_door(fault.outage_seconds)
    if not fault.executes:
        if fault.kind is FaultKind.REFUSED:
            await connection.refuse()
        elif fault.kind is FaultKind.RESET:
            await connection.reset()
        elif await connection.wait(fault.seconds):
            await connection.close()
        return
    if fault.kind is FaultKind.RESET:
        await connection.reset()
        return
    if fault.kind is FaultKind.HANG and not await connection.wait(fault.seconds):
        return
    await send({"type": "http.response.start", "status": status_code, "headers": headers})
    if fault.kind is FaultKind.CUT_BODY and content:
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        await connection.close()
        return
    if fault.kind is FaultKind.SLOW_BODY and not await _dribble(content, fault.seconds or 0.0, connection, send):
        return
    rest = b"" if fault.kind is FaultKind.SLOW_BODY else content
    await send({"type": "http.response.body", "body": rest, "more_body": False})


async def _dribble(content: bytes, seconds: float, connection: Connection, send: _Send) -> bool:
    """All of the content in pieces, the first at once, over so many seconds; False where the client went away."""
    size = max(-(-len(content) // _PIECES), 1)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    for number, piece in enumerate(pieces):
        if number and not await connection.wait(seconds / (len(pieces) - 1)):
            return False
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    return True
