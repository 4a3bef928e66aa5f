"""How a request travels: its turn, its deadline, its repetitions, and the difference between reading and changing.

Owns the way from a caller to an answer. What may be sent again says `retries.py`, how fast `rate.py`, and whether a
change may go out at all `breaker.py`. Must not know any path or field.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import httpx

from statetool.core.model import Json
from statetool.errors import AnswerUnreadable, PlatformError, Throttled, Unauthorized
from statetool.servicestage.answer import MAX_BODY_BYTES, Answer, parse_json
from statetool.servicestage.auth import Auth
from statetool.servicestage.breaker import Breaker, Passage
from statetool.servicestage.connections import build_client, build_failure, build_no_answer, build_tls, words_of
from statetool.servicestage.gate import Gate
from statetool.servicestage.problems import build_error, build_outcome_unknown, name_answer, reword
from statetool.servicestage.rate import READ_BURST_S, WRITE_BURST_S, Bucket, Rates, Turn
from statetool.servicestage.retries import Next, Sign, row_of, what_next
from statetool.servicestage.signing import encode_query

T = TypeVar("T")
WriteMethod: TypeAlias = Literal["POST", "PUT"]

MAX_TRIES = 5
MAX_PARALLEL_READS = 8
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long things may take, in seconds.

    `connect_s` and `read_s` bound one try of a read. `read_total_s` and `write_total_s` bound a request with
    all its repetitions, but for the waiting for its turn: then it is not under way. `write_try_s` bounds one try of a
    write: shorter than the lease under which it is sent, so that nobody else begins while its answer is waited for.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    read_total_s: float = 90.0
    write_total_s: float = 60.0
    write_try_s: float = 30.0


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


@dataclass(frozen=True, slots=True)
class _Lane:
    """What differs between reading and changing. No try begins later than `reserve_s` before the end of the total."""

    client: httpx.AsyncClient
    bucket: Bucket
    is_action: bool
    total_s: float
    reserve_s: float


@dataclass(slots=True)
class _Held:
    """A turn that was waited for ahead of its request; None once it is used."""

    bucket: Bucket
    turn: Turn | None


_HELD: ContextVar[_Held | None] = ContextVar("held_turn", default=None)


class Channel:
    """Requests to one endpoint. `transport` replaces the network, for reads and writes alike.

    `rates` None sets no limit.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        auth: Auth,
        transport: httpx.AsyncBaseTransport | None,
        timing: Timing,
        deadlines: Deadlines,
        rates: Rates | None = None,
    ) -> None:
        self.requests = RequestCount()
        self._endpoint = endpoint
        self._auth = auth
        self._timing = timing
        self._gate = Gate()
        self._slots = asyncio.Semaphore(MAX_PARALLEL_READS)
        self._breaker = Breaker(sleep=timing.sleep, clock=timing.clock)
        self._try_s = deadlines.connect_s + deadlines.read_s
        self._write_try_s = deadlines.write_try_s
        tls = build_tls(endpoint)
        reader = build_client(transport, tls, deadlines.connect_s, deadlines.read_s, keep_alive=None)
        # A pooled connection that the server closes as we send makes the outcome unknown: writes use fresh ones.
        writer = reader
        if transport is None:
            writer = build_client(None, tls, deadlines.connect_s, deadlines.write_try_s, keep_alive=0)
        read_rate, write_rate = (rates.reads_per_second, rates.writes_per_minute / 60) if rates else (None, None)
        reads = Bucket(read_rate, READ_BURST_S, sleep=timing.sleep, clock=timing.clock)
        writes = Bucket(write_rate, WRITE_BURST_S, sleep=timing.sleep, clock=timing.clock)
        self._reads = _Lane(reader, reads, False, deadlines.read_total_s, deadlines.connect_s)
        self._writes = _Lane(writer, writes, True, deadlines.write_total_s, deadlines.read_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._reads.client.aclose()
        await self._writes.client.aclose()
        await self._auth.close()

    async def read(self, path: str, query: Mapping[str, str | int]) -> Answer:
        """GET `path`, repeated as the table of `retries.py` says. Raises PlatformError."""
        return await self._read(self._reads.client.build_request("GET", self._address(path, query)))

    async def ask(self, path: str, query: Mapping[str, str | int], body: Json) -> Answer:
        """POST `body`, which changes nothing: a read whose question is long, and repeated like one."""
        address = self._address(path, query)
        return await self._read(self._reads.client.build_request("POST", address, content=_encode(body)))

    async def _read(self, request: httpx.Request) -> Answer:
        async def send(remaining_s: float) -> Answer:
            return await self._exchange(self._reads, request, min(remaining_s, self._try_s))

        async def work() -> Answer:
            async with self._slots:  # held while pausing too: a platform in trouble gets fewer requests
                await self._prepare()
                return await self._repeat(self._reads, request, send)

        return await self._gate.pass_through(work)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait here for what `write` would wait for: the first changing request inside the block goes out at once.

        So what is read inside the block is fresh when the request goes out. A turn that is not used goes back.
        """
        bucket = self._writes.bucket
        held = _Held(bucket, await bucket.take())
        token = _HELD.set(held)
        try:
            yield
        finally:
            _HELD.reset(token)
            if held.turn is not None:
                bucket.give_back()

    async def write(
        self,
        path: str,
        body: Json,
        *,
        method: WriteMethod = "POST",
        ensure_may_send: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send what changes something; `body` None sends none.

        `ensure_may_send` is called right before every try, with nothing awaited in between; what it raises is raised,
        and means that no try was carried out.

        Raises PlatformError; OutcomeUnknown where it may have been carried out.

        A PUT is no safer to repeat than a POST: on this platform each one starts a job [section 2]. While the
        platform is down it is held back: PlatformDown where that lasts too long. Once sent it is not abandoned: a
        cancellation that comes while the answer is awaited is delivered after it, at the caller's next await, so that
        the caller gets the answer and can note it before it is stopped. A cancellation before it is out, or in a
        pause between tries, acts at once.
        """
        request = self._writes.client.build_request(
            method, self._endpoint + path, content=b"" if body is None else _encode(body)
        )

        async def send(remaining_s: float) -> Answer:
            limit_s = min(remaining_s, self._write_try_s)
            answer = await self._exchange(self._writes, request, limit_s, ensure_may_send)
            if answer.body:
                _ensure_readable(answer)
            return answer

        async def work() -> Answer:
            await self._prepare()
            return await self._repeat(self._writes, request, lambda remaining_s: _run_to_the_end(send(remaining_s)))

        return await self._gate.pass_through(work)

    async def _repeat(self, lane: _Lane, request: httpx.Request, send: Callable[[float], Awaitable[Answer]]) -> Answer:
        """Send until it is answered: at most MAX_TRIES times, each in its turn."""
        clock = self._timing.clock
        ends_at = clock() + lane.total_s  # put off by every wait for a turn
        for number in range(1, MAX_TRIES + 1):
            turn, passage, waited_s = await self._enter(lane, request, ends_at - lane.reserve_s)
            ends_at += waited_s
            try:
                return await send(ends_at - clock())
            except PlatformError as failure:
                error, follows = failure, what_next(failure, is_action=lane.is_action)
            finally:
                self._breaker.leave(passage)
            self._adapt(lane.bucket, turn, error)
            pause_s = self._pause_s(error, number)
            ends_late = clock() + pause_s > ends_at - lane.reserve_s
            if number == MAX_TRIES or ends_late or follows is not Next.AGAIN:
                told = build_outcome_unknown(error) if follows is Next.UNKNOWN else error
                if number > 1:
                    told = reword(told, f"{told.message} ({number} tries)")
                if told is error:
                    raise told
                raise told from error
            await self._timing.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

    async def _enter(self, lane: _Lane, request: httpx.Request, latest: float) -> tuple[Turn, Passage, float]:
        """Wait for a turn and, to change something, for a platform that is not down; how long, for the turn alone.

        Between the passage and the sending nothing is awaited. `latest` is when the waiting for the platform ends.
        """
        clock, waited_s = self._timing.clock, 0.0
        while True:
            began = clock()
            turn = _take_held(lane.bucket) or await lane.bucket.take()
            waited_s += clock() - began
            passage = self._breaker.enter() if lane.is_action else Passage.FREE
            if passage is not None:
                return turn, passage, waited_s
            lane.bucket.give_back()
            await self._breaker.wait(latest + waited_s, _where(request))

    def _adapt(self, bucket: Bucket, turn: Turn, error: PlatformError) -> None:
        """What an answer says of the rate holds for all who wait for a turn."""
        if isinstance(error, Throttled):
            bucket.slow_down(turn)
        if error.retry_after_s:
            bucket.pause(error.retry_after_s)

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
        self,
        lane: _Lane,
        request: httpx.Request,
        limit_s: float,
        ensure_may_send: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send, and once more where the credentials were refused and there are new ones. After that, never again."""
        ensure_may_send()
        try:
            return await self._send(lane, request, limit_s)
        except Unauthorized as error:
            if what_next(error, is_action=lane.is_action) is not Next.RENEW:
                raise
            refusal = error
        has_new = False
        try:
            has_new = await self._auth.renew(request)
        except PlatformError as failure:
            refusal = reword(refusal, f"{refusal.message}; no new credentials could be had: {failure.message}")
            refusal.hint = failure.hint
        if has_new:
            ensure_may_send()
            try:
                return await self._send(lane, request, limit_s)
            except Unauthorized as again:
                refusal = again
        self._gate.close(refusal)
        raise refusal

    async def _send(self, lane: _Lane, request: httpx.Request, limit_s: float) -> Answer:
        """Send once and read the answer. Raises the typed error of anything but a 2xx."""
        self._gate.ensure_not_refused()
        self._count(lane.is_action)
        self._auth.put_on(request)
        try:
            answer = await self._receive(lane.client, request, limit_s)
            if not answer.is_success:
                raise build_error(answer, is_action=lane.is_action, explain=self._auth.explain_refusal)
        except PlatformError as error:
            self._breaker.note(row_of(error).sign)
            raise
        # A page is what a proxy or a login says in the platform's place.
        self._breaker.note(Sign.NEITHER if answer.is_html else Sign.ALIVE)
        return answer

    async def _receive(self, client: httpx.AsyncClient, request: httpx.Request, limit_s: float) -> Answer:
        """What came back, without our secrets in it. Raises PlatformError where nothing did that can be read."""
        where = _where(request)
        try:
            async with asyncio.timeout(limit_s):  # httpx limits each read of the socket, not their sum
                response = await client.send(request, stream=True)
                try:
                    body = await _read_body(response, where)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise build_no_answer(where, f"nothing complete after {limit_s:g} s") from None
        except httpx.HTTPError as error:
            raise build_failure(where, error, self._conceal_text(words_of(error), short_too=True)) from error
        # A server may echo what it got, in any part of its answer; what it says is shown, logged and stored.
        short_too = not response.is_success
        headers = {
            name.lower(): self._conceal_text(value, short_too=short_too) for name, value in response.headers.items()
        }
        return Answer(where, response.status_code, headers, self._auth.conceal(body, short_too=short_too))

    def _conceal_text(self, text: str, *, short_too: bool) -> str:
        concealed = self._auth.conceal(text.encode("utf-8", "surrogateescape"), short_too=short_too)
        return concealed.decode("utf-8", "surrogateescape")

    def _count(self, is_action: bool) -> None:
        if is_action:
            self.requests.writes += 1
        else:
            self.requests.reads += 1


def _take_held(bucket: Bucket) -> Turn | None:
    """The turn this caller waited for ahead, once."""
    held = _HELD.get()
    if held is None or held.bucket is not bucket:
        return None
    turn, held.turn = held.turn, None
    return turn


def _ensure_readable(answer: Answer) -> None:
    """What it says is for the caller to read; where it can't be read, nobody knows what was done."""
    try:
        parse_json(answer)
    except AnswerUnreadable as error:
        raise name_answer(error, answer) from None


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


def _where(request: httpx.Request) -> str:
    """The request for people: its query may be long, and says little."""
    return f"{request.method} {request.url.copy_with(query=None)}"
