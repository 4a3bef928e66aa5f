"""Who we are: the token that goes along with every request.

Owns putting credentials on a request. Credentials are `Secret` from end to end; the one place that reveals one
is the header itself. It must not log, print or store them.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterator
from urllib.parse import quote

import httpx

from statetool.core.model import Secret
from statetool.errors import Unauthorized

AUTH_HEADER = "X-Auth-Token"  # [06_0082]
_PLACEHOLDER = b"***"
_DISTINCTIVE_LENGTH = 8


class TokenAuth(httpx.Auth):
    """A ready IAM token. It can't be renewed: after a 401 nothing is sent again."""

    def __init__(self, token: Secret) -> None:
        # An unfit header value would come back inside an exception's text, so it is refused here, unnamed.
        value = token.reveal()
        if not value:
            raise Unauthorized("the token is empty", hint="set HW_AUTH_TOKEN, or use a sandbox: endpoint")
        if not value.isascii() or not value.isprintable() or " " in value:
            raise Unauthorized(
                "the token holds characters that no token has, such as a space or a line break",
                hint="set HW_AUTH_TOKEN again; `export HW_AUTH_TOKEN=$(cat FILE)` drops a trailing line break",
            )
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[AUTH_HEADER] = self._token.reveal()
        yield request

    @property
    def is_distinctive(self) -> bool:
        """Whether the token can't be a part of an innocent name, so that it may be taken out of any answer."""
        return len(self._token.reveal()) >= _DISTINCTIVE_LENGTH

    def conceal(self, body: bytes) -> bytes:
        """The body without our token, also as base64, in URLs and as JSON escapes: a server may echo what it got."""
        for spelling in _spellings(self._token.reveal()):
            body = body.replace(spelling, _PLACEHOLDER)
        return body


def _spellings(value: str) -> Iterator[bytes]:
    """The ways a secret may come back. A part of it that is escaped alone is not looked for."""
    plain = value.encode("ascii")
    yield plain
    yield base64.b64encode(plain)
    yield base64.b64encode(plain).rstrip(b"=")
    yield quote(value, safe="").encode("ascii")
    for form in ("\\u{:04x}", "\\u{:04X}"):
        yield "".join(form.format(ord(letter)) for letter in value).encode("ascii")
