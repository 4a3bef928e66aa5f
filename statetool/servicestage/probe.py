"""Knocking at an endpoint as a stranger: is anybody there, trusted, and what time is it there?

Owns telling apart why an endpoint can't be reached: its name, the connection, the certificate, or HTTP. It sends no
credentials and asks for nothing, so that it can't do any harm. What an answer says beside its date is not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from statetool.errors import Unreachable
from statetool.servicestage.connections import trusted_tls
from statetool.servicestage.renewal import parse_http_date

TIMEOUT_S = 5.0
"""For each of the four steps."""

DNS, TCP, TLS, HTTP = "dns", "tcp", "tls", "http"
"""Codes of the Unreachable: the step that failed."""

_PORTS = {"http": 80, "https": 443}
_DATE_HEADER_STEP = timedelta(seconds=1)  # it names the second that has begun
_MOST_ADDRESSES = 4

_WHO = "is the host right, and does a proxy or a middle box stand between that shows a certificate of its own?"
# Numbers of OpenSSL's X509_V_ERR_*, which `ssl` passes on: its words may change.
_CERTIFICATE_HINTS: Mapping[int, str] = {
    9: "the certificate is not valid yet: is the clock of this machine right?",
    10: "the certificate has ended: is the clock of this machine right? Else its owner must renew it",
    62: f"the certificate is for another name; {_WHO}",
    64: f"the certificate is for another address; {_WHO}",
}
_UNKNOWN_AUTHORITY = f"the certificate is signed by nobody this machine knows; {_WHO}"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a stranger learns. `addresses` are those the name stands for; `tls` is the version of the protocol.

    `ahead_s` is how far our clock is ahead of the Date header, None without one.
    """

    addresses: tuple[str, ...]
    tls: str | None
    ahead_s: float | None


async def fetch_greeting(endpoint: str, *, now: Callable[[], datetime]) -> Greeting:
    """Resolve, connect, shake hands, and send one GET without credentials. `endpoint` is one that was checked.

    Raises Unreachable with the code of the step that failed. `now` is the wall clock, with time zone.
    """
    url = httpx.URL(endpoint)
    port = url.port or _PORTS[url.scheme]
    found = await _resolve(url.host, port)
    context = trusted_tls() if url.scheme == "https" else None
    tls = await _connect(url.host, port, found, context)
    date_ahead_s = await _ask_time(f"{endpoint}/", context, now)
    return Greeting(tuple(found), tls, date_ahead_s)


async def _resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        reason = f"no answer from the name servers within {TIMEOUT_S:g} s"
    except (OSError, UnicodeError) as error:
        reason = _reason(error)
    else:
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
    raise Unreachable(
        f"the name {host} has no address: {reason}",
        code=DNS,
        hint="is the host written right, and does this machine have a name server that works?",
    )


async def _connect(host: str, port: int, addresses: Sequence[str], context: ssl.SSLContext | None) -> str | None:
    """Connect to the first address that answers, and shake hands. The version of TLS, None without it."""
    reasons: list[str] = []
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                _, writer = await asyncio.open_connection(address, port)
        except TimeoutError:
            reasons.append(f"{address}: no answer within {TIMEOUT_S:g} s")
        except OSError as error:
            reasons.append(f"{address}: {_reason(error)}")
        else:
            try:
                return None if context is None else await _shake_hands(writer, context, host, port)
            finally:
                writer.close()
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(TIMEOUT_S):
                        await writer.wait_closed()
    raise Unreachable(
        f"nothing answers at {host} port {port}: {'; '.join(reasons)}",
        code=TCP,
        hint="is the endpoint right and running, and does a firewall stand between? Proxies of the environment are "
        "not used",
    )


async def _shake_hands(writer: asyncio.StreamWriter, context: ssl.SSLContext, host: str, port: int) -> str | None:
    where = f"{host} port {port} answers, but there is no trusted connection"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await writer.start_tls(context, server_hostname=host)
    except TimeoutError:
        reason, hint = f"no handshake within {TIMEOUT_S:g} s", "does it speak TLS, as https says?"
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message
        hint = _CERTIFICATE_HINTS.get(error.verify_code, _UNKNOWN_AUTHORITY)
    except OSError as error:
        reason, hint = _reason(error), "does it speak TLS 1.2 or newer, as https says?"
    else:
        channel = writer.get_extra_info("ssl_object")
        return channel.version() if channel else None
    raise Unreachable(f"{where}: {reason}", code=TLS, hint=hint)


async def _ask_time(address: str, context: ssl.SSLContext | None, now: Callable[[], datetime]) -> float | None:
    """How far our clock is ahead, in seconds. Any answer will do, also a refusal."""
    client = httpx.AsyncClient(
        verify=context if context is not None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(TIMEOUT_S),
    )
    async with client:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                sent_at = now()
                async with client.stream("GET", address) as answer:
                    received_at = now()
                    date = parse_http_date(answer.headers.get("date"))
        except TimeoutError:
            reason = f"nothing within {TIMEOUT_S:g} s"
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__} {error}".strip()
        else:
            if date is None:
                return None
            ours = sent_at + (received_at - sent_at) / 2
            return (ours - date - _DATE_HEADER_STEP / 2).total_seconds()
    raise Unreachable(
        f"{address} takes connections, but gives no answer that is HTTP: {reason}",
        code=HTTP,
        hint="is it the platform that listens there?",
    )


def _reason(error: OSError | UnicodeError) -> str:
    """What the system says, in its words; those of asyncio name the address once more."""
    if isinstance(error, UnicodeError):
        return "it is no name"
    if isinstance(error, ssl.SSLError):
        return (error.reason or type(error).__name__).replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    if error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__
