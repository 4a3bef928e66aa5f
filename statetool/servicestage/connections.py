"""How a connection is made, and what it means when there is none.

Owns the settings of the HTTP library, and its exceptions as typed errors. It must not know what a request is for.
"""

from __future__ import annotations

import functools
import ssl

import httpx

from statetool import __version__
from statetool.errors import AnswerUnreadable, PlatformError, ServerFailed, Unreachable
from statetool.servicestage.retries import NO_ANSWER, NOT_TRUSTED

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOTHING_SENT_HINT = "nothing was sent; is the endpoint right, and can this machine reach it?"


def build_tls(endpoint: str) -> ssl.SSLContext:
    """What an endpoint's certificate must satisfy."""
    if not endpoint.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused, trusts nobody, and spares loading certificates
    return trusted_tls()


@functools.cache
def trusted_tls() -> ssl.SSLContext:
    """TLS with the authorities this tool comes with. Made once: reading them takes 17 ms, and they don't change."""
    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def build_client(
    transport: httpx.AsyncBaseTransport | None,
    tls: ssl.SSLContext,
    connect_s: float,
    read_s: float,
    *,
    keep_alive: int | None,
) -> httpx.AsyncClient:
    """A client that follows no redirect and reads nothing from the environment: both could lead a token astray.

    `keep_alive` is how many idle connections are kept for the next request, None for no limit.
    """
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


def build_no_answer(where: str, why: str) -> ServerFailed:
    """The error of a request that went out and of which nothing readable came back."""
    return ServerFailed(f"{where}: no answer came back: {why}", code=NO_ANSWER)


def build_failure(where: str, error: httpx.HTTPError, words: str) -> PlatformError:
    """The error that an exception of the HTTP library means. `words` are its own, fit to be shown."""
    if isinstance(error, httpx.DecodingError):
        return AnswerUnreadable(f"{where}: the answer is compressed, and damaged")
    if not isinstance(error, _NOT_SENT):
        return build_no_answer(where, words)
    if _is_tls_problem(error):
        return Unreachable(
            f"{where}: no trusted connection: {words}",
            code=NOT_TRUSTED,
            hint="nothing was sent; the host's certificate must be valid for its name and signed by a known authority",
        )
    return Unreachable(f"{where}: no connection: {words}", hint=_NOTHING_SENT_HINT)


def words_of(error: Exception) -> str:
    """What the HTTP library says; its exceptions are often without a word, so the kind comes first."""
    return f"{type(error).__name__} {error}".strip()


def _is_tls_problem(error: BaseException) -> bool:
    """Whether the handshake was refused. One that only ran out of time is not: it also holds an SSLError."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError | ssl.SSLWantWriteError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
