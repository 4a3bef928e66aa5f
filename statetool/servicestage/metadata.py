"""Temporary keys of the agency that a server of the cloud has, from its metadata service [9.4].

Owns the two requests to the link-local address, which answers on such a server only. They carry none of our
credentials; plain http is all it speaks. Whoever has no agency finds out within seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import httpx

from statetool.core.credentials import WAYS_TO_GIVE, AccessKey, MachineAgency
from statetool.core.model import Json, Secret
from statetool.errors import PlatformError, ServerFailed, Unauthorized, Unreachable
from statetool.servicestage.answer import MAX_BODY_BYTES, Answer, parse_json
from statetool.servicestage.auth import KeyAuth
from statetool.servicestage.renewal import Issued, Renewed, lifetime_s

METADATA_ENDPOINT = "http://169.254.169.254"
TIMEOUT_S = 3.0
EARLY_S = 40 * 60  # a temporary key is renewed when it has less than this left [9.4]
_NO_TOKEN_NEEDED = (404, 405, 503)  # an older service, which knows no tokens


class AgencyAuth(KeyAuth):
    """Signs with the machine's temporary key, fetched with the first request and renewed early."""

    def __init__(
        self,
        agency: MachineAgency,
        *,
        project_id: str | None,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        endpoint: str,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        nothing = AccessKey(Secret("none"), Secret("none"), None, agency.origin)
        super().__init__(nothing, project_id=project_id, now=now)

        async def fetch() -> Issued[AccessKey]:
            return await fetch_machine_key(agency, endpoint, now, transport)

        self._keys = Renewed(fetch, clock=clock, early_s=EARLY_S)

    async def prepare(self) -> None:
        try:
            await self._keys.ensure_fresh()
        except PlatformError as error:
            if self._keys.has_value:
                raise
            raise Unauthorized(
                f"there are no credentials for the platform, and this machine's agency gives none: {error.message}",
                hint=WAYS_TO_GIVE["auto"],
            ) from None
        self._use(self._keys.value)

    @property
    def remaining_s(self) -> float | None:
        return self._keys.remaining_s


async def fetch_machine_key(
    agency: MachineAgency, endpoint: str, now: Callable[[], datetime], transport: httpx.AsyncBaseTransport | None
) -> Issued[AccessKey]:
    """The key of the machine's agency. Raises Unreachable, ServerFailed, Unauthorized, AnswerUnreadable."""
    timeout = httpx.Timeout(TIMEOUT_S)
    async with httpx.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=False, timeout=timeout
    ) as client:
        headers = {}
        url = f"{endpoint}/meta-data/latest/api/token"
        token = await _send(client, client.build_request("PUT", url, headers={"X-Metadata-Token-Ttl-Seconds": "21600"}))
        if token.is_success:
            headers["X-Metadata-Token"] = token.body.decode("utf-8", "replace").strip()
        elif token.status not in _NO_TOKEN_NEEDED:
            raise _refused(token)
        try:
            request = client.build_request("GET", f"{endpoint}/openstack/latest/securitykey", headers=headers)
        except (ValueError, UnicodeError):
            raise Unauthorized(f"{token.where}: the answer is no token") from None
        answer = await _send(client, request)
    if not answer.is_success:
        raise _refused(answer)
    body = parse_json(answer)
    credential = body.get("credential") if isinstance(body, dict) else None
    access, secret, security_token = (_text(credential, name) for name in ("access", "secret", "securitytoken"))
    if not (access and secret and security_token and isinstance(credential, dict)):
        raise Unauthorized(f"{answer.where}: the answer holds no temporary key")
    key = AccessKey(Secret(access), Secret(secret), Secret(security_token), agency.origin)
    return Issued(key, lifetime_s(credential.get("expires_at"), answer.headers.get("date"), now()))


async def _send(client: httpx.AsyncClient, request: httpx.Request) -> Answer:
    where = f"{request.method} {request.url}"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            response = await client.send(request)
    except TimeoutError:
        raise Unreachable(f"{where}: no answer within {TIMEOUT_S:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise Unreachable(f"{where}: {type(error).__name__}") from None
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(where, response.status_code, headers, response.content[:MAX_BODY_BYTES])


def _refused(answer: Answer) -> PlatformError:
    kind = ServerFailed if answer.status >= 500 else Unauthorized
    return kind(f"{answer.where}: HTTP {answer.status}", status=answer.status)


def _text(value: Json, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None
