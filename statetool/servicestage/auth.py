"""Who we are: the token that goes along with every request.

Owns putting credentials on a request. Credentials are `Secret` from end to end; the one place that reveals one
is the header itself. It must not log, print or store them.
"""

from __future__ import annotations

from collections.abc import Generator

import httpx

from statetool.core.model import Secret
from statetool.errors import Unauthorized

AUTH_HEADER = "X-Auth-Token"  # [06_0082]
_PLACEHOLDER = "***"


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

    def conceal(self, body: bytes) -> bytes:
        """The body without our token: a server may echo the headers it got, and error text is shown."""
        return body.replace(self._token.reveal().encode("ascii"), _PLACEHOLDER.encode("ascii"))
