"""How a request travels: deadlines, repetition, and the difference between reading and changing.

Owns the table method x failure -> repeat or not. Reads are repeated. A changing request is repeated only where
it surely was not carried out; otherwise its outcome is unknown and stays so. Must not know any path or field.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import httpx

from statetool import __version__
from statetool.core.model import Json
from statetool.errors import AnswerUnreadable, PlatformError, ServerFailed, Unauthorized, Unreachable
from statetool.servicestage.answer import MAX_BODY_BYTES, Answer
from statetool.servicestage.auth import Auth
from statetool.servicestage.gate import Gate
from statetool.servicestage.problems import (
    NO_ANSWER,
    NOT_TRUSTED,
    build_error,
    is_safe_to_repeat,
    is_worth_repeating,
    judge_write,
    reword,
)
from statetool.servicestage.signing import encode_query

T = TypeVar("T")
WriteMethod: TypeAlias = Literal["POST", "PUT"]

MAX_TRIES = 5
MAX_PARALLEL_READS = 8
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOTHING_SENT_HINT = "nothing was sent; is the endpoint right, and can this machine reach it?"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long things may take, in seconds.

    `connect_s` and `read_s` bound one try of a read. `read_total_s` and `write_total_s` bound a request with
    all its repetitions. A write waits for its answer as long as its total allows: giving up early would only
    make a known outcome unknown.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    read_total_s: float = 90.0
    write_total_s: float = 60.0


@dataclass(slots=True)
class RequestCount:
    """HTTP requests tried so far, repetitions included. `writes` counts changing ones."""

    reads: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Time as the caller gives it: `sleep` and `clock` in seconds, `jitter` between 0 and 1."""

    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    clock: Callable[[], float]


class Channel:
    """Requests to one endpoint. `transport` replaces the network, for reads and writes alike."""

    def __init__(
        self,
        endpoint: str,
        *,
        auth: Auth,
        transport: httpx.AsyncBaseTransport | None,
        timing: Timing,
        deadlines: Deadlines,
    ) -> None:
        self.requests = RequestCount()
        self._endpoint = endpoint
        self._auth = auth
        self._timing = timing
        self._deadlines = deadlines
        self._gate = Gate()
        self._slots = asyncio.Semaphore(MAX_PARALLEL_READS)
        tls = _build_tls(endpoint)
        self._reader = _build_client(transport, tls, deadlines.connect_s, deadlines.read_s, keep_alive=None)
        # A pooled connection that the server closes as we send makes the outcome unknown: writes use fresh ones.
        self._writer = (
            self._reader
            if transport is not None
            else _build_client(None, tls, deadlines.connect_s, deadlines.write_total_s, keep_alive=0)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._reader.aclose()
        await self._writer.aclose()
        await self._auth.close()

    async def read(self, path: str, query: Mapping[str, str | int]) -> Answer:
        """GET `path`. Repeats what may pass: no connection, no answer, 408, 429, 5xx. Raises PlatformError."""
        return await self._read(self._reader.build_request("GET", self._address(path, query)))

    async def ask(self, path: str, query: Mapping[str, str | int], body: Json) -> Answer:
        """POST `body`, which changes nothing: a read whose question is long, and repeated like one."""
        return await self._read(self._reader.build_request("POST", self._address(path, query), content=_encode(body)))

    async def _read(self, request: httpx.Request) -> Answer:
        async def send(remaining_s: float) -> Answer:
            limit_s = min(remaining_s, self._deadlines.connect_s + self._deadlines.read_s)
            return await self._exchange(self._reader, request, limit_s, is_action=False)

        async def work() -> Answer:
            async with self._slots:  # held while pausing too: a platform in trouble gets fewer requests
                await self._prepare()
                limits = self._deadlines
                return await self._repeat(send, is_worth_repeating, limits.read_total_s, limits.connect_s)

        return await self._gate.pass_through(work)

    async def write(self, path: str, body: Json, *, method: WriteMethod = "POST") -> Answer:
        """Send a body that changes something. Raises PlatformError; OutcomeUnknown where it may have been carried out.

        A PUT is no safer to repeat than a POST: on this platform each one starts a job [section 2].

        Once sent it is not abandoned: a cancellation that comes while the answer is awaited is delivered after
        it, at the caller's next await, so that the caller gets the answer and can note it before it is stopped.
        A cancellation in a pause between tries, where nothing is under way, acts at once.
        """
        request = self._writer.build_request(method, self._endpoint + path, content=_encode(body))

        async def exchange(remaining_s: float) -> Answer:
            try:
                return await self._exchange(self._writer, request, remaining_s, is_action=True)
            except PlatformError as error:
                judged = judge_write(error)
                if judged is error:
                    raise
                raise judged from error

        async def work() -> Answer:
            await self._prepare()
            limits = self._deadlines
            return await self._repeat(
                lambda remaining_s: _run_to_the_end(exchange(remaining_s)),
                is_safe_to_repeat,
                limits.write_total_s,
                limits.read_s,
            )

        return await self._gate.pass_through(work)

    async def _repeat(
        self,
        send: Callable[[float], Awaitable[Answer]],
        may_repeat: Callable[[PlatformError], bool],
        total_s: float,
        reserve_s: float,
    ) -> Answer:
        """Send until it is answered: at most MAX_TRIES times, and no try later than `reserve_s` before the total."""
        started = self._timing.clock()
        for number in range(1, MAX_TRIES + 1):
            try:
                return await send(total_s - (self._timing.clock() - started))
            except PlatformError as error:
                pause_s = self._pause_s(error, number)
                ends_late = self._timing.clock() - started + pause_s > total_s - reserve_s
                if number == MAX_TRIES or ends_late or not may_repeat(error):
                    if number == 1:
                        raise
                    raise reword(error, f"{error.message} ({number} tries)") from error
            await self._timing.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

    def _pause_s(self, error: PlatformError, number: int) -> float:
        """Full jitter under a doubling limit, but never shorter than the platform asked for."""
        limit_s: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (number - 1))
        return max(self._timing.jitter() * limit_s, error.retry_after_s or 0.0)

    def _address(self, path: str, query: Mapping[str, str | int]) -> str:
        """Built by hand: a signed query must be sent in the very encoding it was signed in."""
        text = encode_query((name, str(value)) for name, value in query.items())
        return f"{self._endpoint}{path}?{text}" if text else f"{self._endpoint}{path}"

    async def _prepare(self) -> None:
        """Have credentials, before the first try: fetching them has deadlines and repetitions of its own."""
        self._gate.ensure_not_refused()
        try:
            await self._auth.prepare()
        except Unauthorized as refusal:
            self._gate.close(refusal)
            raise

    async def _exchange(
        self, client: httpx.AsyncClient, request: httpx.Request, limit_s: float, *, is_action: bool
    ) -> Answer:
        """Send, and once more where the credentials were refused and there are new ones. After that, never again."""
        try:
            return await self._send(client, request, limit_s, is_action=is_action)
        except Unauthorized as error:
            refusal = error
        has_new = False
        try:
            has_new = await self._auth.renew(request)
        except PlatformError as failure:
            refusal = reword(refusal, f"{refusal.message}; no new credentials could be had: {failure.message}")
            refusal.hint = failure.hint
        if has_new:
            try:
                return await self._send(client, request, limit_s, is_action=is_action)
            except Unauthorized as again:
                refusal = again
        self._gate.close(refusal)
        raise refusal

    async def _send(
        self, client: httpx.AsyncClient, request: httpx.Request, limit_s: float, *, is_action: bool
    ) -> Answer:
        """Send once and read the answer. Raises the typed error of anything but a 2xx."""
        self._gate.ensure_not_refused()
        self._count(is_action)
        self._auth.put_on(request)
        where = f"{request.method} {request.url.copy_with(query=None)}"
        try:
            async with asyncio.timeout(limit_s):  # httpx limits each read of the socket, not their sum
                response = await client.send(request, stream=True)
                try:
                    body = await _read_body(response, where)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise _no_answer(where, f"nothing complete after {limit_s:g} s") from None
        except _NOT_SENT as error:
            raise _unreachable(where, error) from error
        except httpx.DecodingError as error:
            raise AnswerUnreadable(f"{where}: the answer is compressed, and damaged") from error
        except httpx.HTTPError as error:
            raise _no_answer(where, self._conceal_text(_words(error), short_too=True)) from error
        # A server may echo what it got, in any part of its answer; what it says is shown, logged and stored.
        short_too = not response.is_success
        headers = {
            name.lower(): self._conceal_text(value, short_too=short_too) for name, value in response.headers.items()
        }
        answer = Answer(where, response.status_code, headers, self._auth.conceal(body, short_too=short_too))
        if answer.is_success:
            return answer
        raise build_error(answer, is_action=is_action, explain=self._auth.explain_refusal)

    def _conceal_text(self, text: str, *, short_too: bool) -> str:
        concealed = self._auth.conceal(text.encode("utf-8", "surrogateescape"), short_too=short_too)
        return concealed.decode("utf-8", "surrogateescape")

    def _count(self, is_action: bool) -> None:
        if is_action:
            self.requests.writes += 1
        else:
            self.requests.reads += 1


def _encode(body: Json) -> bytes:
    # ASCII: a manifest can hold half a surrogate pair, which no UTF-8 can carry.
    return json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


async def _run_to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` even through a cancellation, which then acts at the caller's next await."""
    task = asyncio.create_task(work)
    was_cancelled = False
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            was_cancelled = True
    current = asyncio.current_task()
    if was_cancelled and current is not None:
        # Taken back and asked again, so that the count of requests stays what a timeout or task group expects.
        current.uncancel()
        current.cancel()
    return task.result()


async def _read_body(response: httpx.Response, where: str) -> bytes:
    chunks, size = [], 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise AnswerUnreadable(f"{where}: the answer is longer than {MAX_BODY_BYTES // 2**20} MiB")
        chunks.append(chunk)
    return b"".join(chunks)


def _no_answer(where: str, why: str) -> ServerFailed:
    return ServerFailed(f"{where}: no answer came back: {why}", code=NO_ANSWER)


def _unreachable(where: str, error: httpx.TransportError) -> Unreachable:
    if _is_tls_problem(error):
        return Unreachable(
            f"{where}: no trusted connection: {_words(error)}",
            code=NOT_TRUSTED,
            hint="nothing was sent; the host's certificate must be valid for its name and signed by a known authority",
        )
    return Unreachable(f"{where}: no connection: {_words(error)}", hint=_NOTHING_SENT_HINT)


def _is_tls_problem(error: BaseException) -> bool:
    """Whether the handshake was refused. One that only ran out of time is not: it also holds an SSLError."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError | ssl.SSLWantWriteError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _words(error: Exception) -> str:
    """What the network library says; its exceptions are often without a word, so the kind comes first."""
    return f"{type(error).__name__} {error}".strip()


def _build_tls(endpoint: str) -> ssl.SSLContext:
    if not endpoint.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused, trusts nobody, and spares loading certificates
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _build_client(
    transport: httpx.AsyncBaseTransport | None,
    tls: ssl.SSLContext,
    connect_s: float,
    read_s: float,
    *,
    keep_alive: int | None,
) -> httpx.AsyncClient:
    """A client that follows no redirect and reads nothing from the environment: both could lead a token astray."""
    return httpx.AsyncClient(
        headers={
            "Content-Type": "application/json",  # mandatory even on GET [06_0082]
            "Accept": "application/json",
            "User-Agent": f"statetool/{__version__}",
        },
        transport=transport,
        verify=tls,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(read_s, connect=connect_s),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=keep_alive),
    )
