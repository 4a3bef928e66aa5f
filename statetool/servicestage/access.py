"""From credentials to what goes on requests, and to the id of the project they are for.

Owns which kind of credentials is served by which `Auth`, and whom it asks. It must not read the environment.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from statetool.core.credentials import AccessKey, Credentials, Login, ReadyToken
from statetool.servicestage.auth import Auth, KeyAuth, TokenAuth
from statetool.servicestage.channel import Deadlines, Timing
from statetool.servicestage.iam import Iam, LoginAuth
from statetool.servicestage.metadata import METADATA_ENDPOINT, AgencyAuth


def utc_now() -> datetime:
    """The wall clock, with time zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class IdentitySources:
    """Whom to ask about credentials, and how. The defaults are the real ones.

    `transport` replaces the network for IAM, `metadata_transport` for the metadata service.
    """

    iam_endpoint: str
    region: str | None
    allowed_hosts: frozenset[str] = frozenset()
    timing: Timing = Timing(asyncio.sleep, random.random, time.monotonic)  # noqa: RUF009 - frozen
    now: Callable[[], datetime] = utc_now
    deadlines: Deadlines = Deadlines()  # noqa: RUF009 - frozen
    transport: httpx.AsyncBaseTransport | None = None
    metadata_endpoint: str = METADATA_ENDPOINT
    metadata_transport: httpx.AsyncBaseTransport | None = None


def build_auth(credentials: Credentials, sources: IdentitySources, *, project_id: str | None) -> Auth:
    """What goes on requests of a project; without `project_id`, on those that find it. Nothing is sent yet.

    Raises EndpointRefused for an IAM endpoint that may not have credentials, Unauthorized for unfit ones.
    """
    if isinstance(credentials, ReadyToken):
        return TokenAuth(credentials.token, credentials.origin)
    if isinstance(credentials, AccessKey):
        return KeyAuth(credentials, project_id=project_id, now=sources.now)
    if isinstance(credentials, Login):
        return LoginAuth(
            credentials,
            project_id=project_id,
            region=sources.region,
            build_iam=lambda auth: _build_iam(sources, auth),
        )
    return AgencyAuth(
        credentials,
        project_id=project_id,
        clock=sources.timing.clock,
        now=sources.now,
        endpoint=sources.metadata_endpoint,
        transport=sources.metadata_transport,
    )


async def fetch_project_id(credentials: Credentials, sources: IdentitySources, region: str) -> str:
    """The id of the region's project: the token names it, else IAM is asked. Raises PlatformError."""
    auth = build_auth(credentials, sources, project_id=None)
    if isinstance(auth, LoginAuth):
        try:
            await auth.prepare()
            return auth.project_id
        finally:
            await auth.close()
    iam = _build_iam(sources, auth)
    try:
        return await iam.fetch_project_id(region)
    finally:
        await iam.close()


def _build_iam(sources: IdentitySources, auth: Auth) -> Iam:
    return Iam(
        sources.iam_endpoint,
        auth=auth,
        timing=sources.timing,
        now=sources.now,
        deadlines=sources.deadlines,
        transport=sources.transport,
        allowed_hosts=sources.allowed_hosts,
    )
