"""The sandbox as an ASGI application.

Owns HTTP: bodies, headers, the token, the control path and who may use it. Must not know the API's paths or rules;
whatever goes wrong becomes a JSON answer, never an exception for the server.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from statetool.sandbox.access import Accounts, Gate
from statetool.sandbox.delivery import CONNECTION, NEEDS_CONNECTION, deliver
from statetool.sandbox.disturb import ensure_known
from statetool.sandbox.errors import Refusal, SandboxError, unknown_api
from statetool.sandbox.exchange import http_date
from statetool.sandbox.facade import Sandbox
from statetool.sandbox.faults import Fault, parse_faults
from statetool.sandbox.signature import Arrival
from statetool.sandbox.wire import (
    CONTROL_HEADER,
    CONTROL_PATHS,
    DEFAULT_TOKEN,
    DISTURB_PATH,
    FAULTS_PATH,
    SEED_PATH,
    faults_to_json,
    is_loopback,
    log_to_json,
    summary_to_json,
)

NO_CONTENT = 204
_LARGEST_REQUEST = 1024 * 1024
_LARGEST_CONTROL_REQUEST = 64 * 1024 * 1024


def create_app(sandbox: Sandbox, *, token: str | None = DEFAULT_TOKEN, accounts: Accounts | None = None) -> Starlette:
    """The API of a sandbox, IAM's two requests, and its control path for loopback clients.

    API requests need `X-Auth-Token` with this token or one that IAM issued, or a signature with a key of the
    accounts (None: the well-known ones). Token None means that no credentials are needed (inside one process).
    """
    front = _Front(sandbox, token, accounts or Accounts())
    return Starlette(routes=[Route("/{path:path}", endpoint=front)], exception_handlers={404: _no_such_path})


class _Front:
    """Answers every request of the application."""

    def __init__(self, sandbox: Sandbox, token: str | None, accounts: Accounts) -> None:
        self._sandbox = sandbox
        self._token = token
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        fault = None
        try:
            response, fault = await self._answer(request)
        except ClientDisconnect:
            return
        except SandboxError as error:
            response = _json(500, {"error_code": "APIGW.0601", "error_msg": str(error)})
        except Exception as error:  # the promise of a server: an answer, whatever happened
            message = f"internal error: {type(error).__name__}"
            response = _json(500, {"error_code": "APIGW.0601", "error_msg": message})
        response.headers.setdefault("Date", http_date(self._sandbox.now_ms()))
        if fault is None:
            await response(scope, receive, send)
        else:
            connection = scope["extensions"][CONNECTION]
            await deliver(fault, response.status_code, response.raw_headers, bytes(response.body), connection, send)

    async def _answer(self, request: Request) -> tuple[Response, Fault | None]:
        """The answer, and what has to happen to it on its way."""
        path = request.scope["path"]
        if path.startswith("/sandbox/"):
            return await self._control(request, path), None
        try:
            body = await _read(request, _LARGEST_REQUEST)
        except Refusal as refusal:
            return _json(refusal.status_code, {"error_code": refusal.code, "error_msg": refusal.message}), None
        answer = self._sandbox.handle(
            request.method,
            path,
            request.scope["query_string"].decode("latin-1"),
            body,
            gate=None if self._token is None else Gate(_arrival(request, body), self._token, self._accounts),
        )
        headers = {**answer.headers, "X-Request-Id": answer.request_id}
        content, kind = (b"", None) if answer.status_code == NO_CONTENT else answer.content
        response = Response(content, answer.status_code, headers, kind)
        if answer.fault is None or answer.fault.kind not in NEEDS_CONNECTION:
            return response, None
        if CONNECTION not in (request.scope.get("extensions") or {}):
            raise SandboxError(f"fault {answer.fault.kind}: nothing here can break a connection")
        return response, answer.fault

    async def _control(self, request: Request, path: str) -> Response:
        try:
            _ensure_local(request)
            if request.method not in CONTROL_PATHS.get(path, ()):
                return _json(404, {"error": f"no such control: {request.method} {path}"}, control=True)
            if request.method == "GET":
                return _json(200, self._look(path), control=True)
            values = _object(await _read(request, _LARGEST_CONTROL_REQUEST))
            return _json(200, self._steer(path, values), control=True)
        except SandboxError as error:
            return _json(400, {"error": str(error)}, control=True)
        except Refusal as refusal:
            return _json(refusal.status_code, {"error": refusal.message}, control=True)

    def _look(self, path: str) -> dict[str, Any]:
        if path == FAULTS_PATH:
            return {"faults": faults_to_json(self._sandbox.faults())}
        return {"log": log_to_json(self._sandbox.log())}

    def _steer(self, path: str, values: dict[str, Any]) -> dict[str, Any]:
        if path == SEED_PATH:
            return summary_to_json(self._sandbox.seed(_text(values, "text"), _text(values, "filename")))
        if path == DISTURB_PATH:
            address = _text(values, "address")
            changes = {name: value for name, value in values.items() if name != "address"}
            ensure_known(changes)
            self._sandbox.disturb(address, **changes)
            return {}
        if path == FAULTS_PATH:
            self._sandbox.set_faults(parse_faults(values.get("faults")))
            return {}
        self._sandbox.reset()
        return {}


def _arrival(request: Request, body: bytes) -> Arrival:
    """The request as it was sent: a signature covers what came, not what a framework made of it."""
    scope = request.scope
    raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
    return Arrival(request.method, raw_path, scope["query_string"], tuple(request.headers.raw), body)


def _no_such_path(request: Request, error: Exception) -> Response:
    """Paths that are no paths ("*", line breaks) never reach the front."""
    refusal = unknown_api()
    return _json(refusal.status_code, {"error_code": refusal.code, "error_msg": refusal.message})


async def _read(request: Request, largest: int) -> bytes:
    """The body, at most `largest` bytes. Raises Refusal 413, which the gateway answers to more (section 10.3)."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > largest:
            raise Refusal(413, "APIGW.0201", "the request body is too large")
        chunks.append(chunk)
    return b"".join(chunks)


def _ensure_local(request: Request) -> None:
    """Raise Refusal 403 for anybody but a program on this machine.

    The Host header and the content type are looked at because a web page in a browser on this machine also comes
    from a loopback address, but can't forge these two.
    """
    client = request.client.host if request.client else ""
    host = request.url.hostname or ""
    if not is_loopback(client) or not is_loopback(host):
        raise Refusal(403, "", "the control path answers programs on the same machine only")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "GET" and kind != "application/json":
        raise Refusal(403, "", "the control path takes application/json only")


def _object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise SandboxError("the request body is not JSON") from None
    if not isinstance(values, dict):
        raise SandboxError("the request body must be a JSON object")
    return values


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise SandboxError(f"{key} is required and must be a text")
    return value


def _json(status: int, body: Mapping[str, Any], *, control: bool = False) -> Response:
    request_id = uuid.uuid4().hex
    if str(body.get("error_code", "")).startswith("APIGW."):
        body = {**body, "request_id": request_id}
    headers = {"X-Request-Id": request_id, **({CONTROL_HEADER: "1"} if control else {})}
    return Response(json.dumps(body), status, headers, media_type="application/json")
