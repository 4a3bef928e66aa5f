"""One request to a server of Terraform's state protocol, and its answer.

Owns the connection's settings, who gets the password, what is asked again, the limits of an answer, and the sentence
for every answer that is none. No message of it holds a query, a user name or a password. It must not know what a
request is for, nor what is in a body.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import httpx

from statetool import __version__
from statetool.backends.places import HttpPlace
from statetool.errors import StateError, StateUnreachable, StateUnreadable

CONNECT_S = 10.0
READ_S = 30.0
TOTAL_S = 120.0
"""The longest wait for a whole answer: a server that trickles never runs into `READ_S`."""

PAUSES_S = (0.5, 2.0)
"""What is asked again is asked after these."""

Repeat = Literal["lost", "unsent"]
"""What may be asked again: `lost` also where the first request may have been carried out, `unsent` only where it
surely was not."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SHORTLY_AWAY = frozenset({502, 503, 504})
_METHOD = re.compile(r"[A-Z]{1,20}")
_LOGIN_HINT = "check the user name (TF_HTTP_USERNAME) and the password or token (TF_HTTP_PASSWORD)"


class AnswerLost(StateUnreachable):
    """A request went out, and whether it was carried out is not known."""


class NotSent(StateUnreachable):
    """A request surely never arrived."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the server, read whole. `was_lost`: an earlier try was answered by nobody, and may have counted."""

    status: int
    body: bytes
    was_lost: bool = False

    @property
    def is_success(self) -> bool:
        """What a changing request may answer: all that Terraform's own client takes."""
        return self.status in (200, 201, 204)


class Exchange:
    """Sends requests to the addresses of a place. Touches nothing until the first of them."""

    def __init__(
        self,
        place: HttpPlace,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._place = place
        self._clock = clock
        self._sleep = sleep
        self._transport = transport
        self._address = parse_address("address", place.address)
        self._client: httpx.Client | None = None
        for key in ("lock_method", "unlock_method", "update_method"):
            if not _METHOD.fullmatch(getattr(place, key)):
                raise StateError(f"state {key} is not a method of HTTP: it is a word such as POST", code="bad_method")

    def ask(
        self, method: str, url: httpx.URL, *, body: bytes | None = None, limit: int = 2**16, repeat: Repeat = "lost"
    ) -> Answer:
        """The server's answer, whatever its status; the body of at most `limit` bytes.

        Raises NotSent, AnswerLost; StateUnreadable where the answer is larger, or damaged by its own checksum.
        """
        was_lost = False
        for pause in PAUSES_S:
            try:
                answer = self._send(method, url, body, limit)
            except NotSent:
                pass
            except AnswerLost:
                if repeat != "lost":
                    raise
                was_lost = True
            else:
                if repeat != "lost" or answer.status not in _SHORTLY_AWAY:
                    return replace(answer, was_lost=was_lost)
                # A gateway's answer does not say whether the server behind it got the request.
                was_lost = True
            self._sleep(pause)
        return replace(self._send(method, url, body, limit), was_lost=was_lost)

    def _send(self, method: str, url: httpx.URL, body: bytes | None, limit: int) -> Answer:
        where = f"{method} {show_url(url)}"
        request = self._open().build_request(method, url, content=body, headers=self._headers(url, body))
        try:
            answer = self._receive(request, limit, where)
        except httpx.DecodingError:
            raise StateUnreadable(f"{where}: the answer is compressed, and damaged") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            words = f"{type(error).__name__} {error}".strip()
            if isinstance(error, _NOT_SENT):
                raise NotSent(
                    f"{where}: no connection: {words}",
                    hint="is state.address right, can this machine reach it, and is its certificate valid?",
                ) from None
            raise AnswerLost(
                f"{where}: no answer came back: {words}",
                hint="try again when the server answers; nothing is taken for saved that is not there",
            ) from None
        return answer

    def _receive(self, request: httpx.Request, limit: int, where: str) -> Answer:
        ends_at = self._clock() + TOTAL_S
        response = self._open().send(request, stream=True)
        try:
            parts: list[bytes] = []
            size = 0
            for part in response.iter_bytes():
                size += len(part)
                if size > limit:
                    raise StateUnreadable(f"{where}: the answer is larger than {limit // 1024} KiB")
                if self._clock() > ends_at:
                    raise httpx.ReadTimeout(f"the answer is not complete after {TOTAL_S:.0f} s")
                parts.append(part)
        finally:
            response.close()
        body = b"".join(parts)
        promised = response.headers.get("Content-MD5")
        if response.status_code == 200 and promised is not None and promised != content_md5(body):
            raise StateUnreadable(f"{where}: the answer was damaged on its way: its checksum is another one")
        return Answer(response.status_code, body)

    def _headers(self, url: httpx.URL, body: bytes | None) -> dict[str, str]:
        headers: dict[str, str] = {}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Content-MD5": content_md5(body)}
        place = self._place
        is_home = (url.scheme, url.host, url.port) == (self._address.scheme, self._address.host, self._address.port)
        if is_home and (place.username is not None or place.password is not None):
            password = place.password.reveal() if place.password is not None else ""
            pair = f"{place.username or ''}:{password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers

    def _open(self) -> httpx.Client:
        """The client, made by the first request: certificates take a while to load."""
        if self._client is None:
            addresses = (self._place.address, self._place.lock_address, self._place.unlock_address)
            if any(address is not None and address.lower().startswith("https:") for address in addresses):
                tls = httpx.create_ssl_context(trust_env=False)
            else:
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused, trusts nobody, and spares loading certificates
            tls.minimum_version = ssl.TLSVersion.TLSv1_2
            self._client = httpx.Client(
                # What is compressed on its way could grow beyond any limit before it is counted.
                headers={"User-Agent": f"statetool/{__version__}", "Accept-Encoding": "identity"},
                transport=self._transport,
                verify=tls,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
                # A connection that went stale while it idled would make a write's answer look lost.
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        return self._client


def parse_address(key: str, text: str) -> httpx.URL:
    """An address of a place. Raises StateError where it can't be used; never shows what may hold a password.

    The parser is the one that sends the request: two parsers could disagree about the host of an odd address.
    """
    example = "write https://HOST/PATH"
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise StateError(f"state {key} is not an address", code="bad_address", hint=example) from None
    if url.userinfo:
        raise StateError(
            f"state {key} holds a user name or a password, and addresses end up in files and logs",
            code="password_in_url",
            hint="leave them out of the address; they have settings of their own",
        )
    # The parser writes what no host's name may hold as %XX.
    is_host = bool(url.host) and "%" not in url.host and (url.port is None or 0 < url.port < 2**16)
    if url.scheme not in ("http", "https") or not is_host or url.fragment or "\\" in text:
        raise StateError(f"state {key} is not an address", code="bad_address", hint=example)
    if url.scheme == "http" and not _is_loopback(url.host):
        raise StateError(
            f"state {key} is plain http to {url.host}, which anybody on the way can read",
            code="plain_http",
            hint="use https; http is for a server on this machine",
        )
    return url


def show_url(url: httpx.URL) -> str:
    """An address for messages: without its query, where some servers take tokens."""
    return str(url.copy_with(query=None))


def content_md5(body: bytes) -> str:
    """The checksum the protocol asks for; no protection against anybody."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def explain_refusal(what: str, url: httpx.URL, answer: Answer) -> StateError:
    """The error of an answer that is no success. `what` says what did not work: "the state can't be read"."""
    status = answer.status
    where = f"{what}: {show_url(url)} answers {status}"
    if 300 <= status < 400:
        return StateUnreachable(
            f"{where}, which leads elsewhere; that is not followed, for the password would travel along",
            code="redirected",
            hint="write the final address into statetool.yaml",
        )
    if status == 401:
        return StateUnreachable(f"{where}: it does not know this login", code="state_login", hint=_LOGIN_HINT)
    if status == 403:
        return StateUnreachable(f"{where}: this login has no right to do that", code="state_login", hint=_LOGIN_HINT)
    if status == 404:
        return StateUnreachable(f"{where}: there is nothing at this address", hint="check the addresses of the state")
    if status == 413:
        return StateError(
            f"{where}: the state is larger than the server takes",
            code="state_too_large",
            hint="raise the server's limit, or move to another backend",
        )
    if status == 429 or status >= 500:
        return StateUnreachable(f"{where}: the server can't do it now", hint="try again later")
    return StateError(f"{where}, which says nothing about a state", code="state_refused")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
