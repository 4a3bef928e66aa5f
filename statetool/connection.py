"""The way to the platform: over the network with credentials, or to the sandbox in this process.

Owns which of the two it is, and how the id of the platform's project is found. What is asked there is for others
to say; who may have credentials is decided in `servicestage/`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from statetool.backends.files import explain
from statetool.config import Settings, is_loopback
from statetool.core.credentials import WAYS_TO_GIVE, AccessKey, Credentials, Login
from statetool.credentials import load_credentials
from statetool.errors import StatetoolError, Unauthorized

if TYPE_CHECKING:
    from statetool.sandbox import Sandbox
    from statetool.servicestage.access import IdentitySources
    from statetool.servicestage.auth import Auth
    from statetool.servicestage.channel import Deadlines
    from statetool.servicestage.client import ServiceStage


def find_credentials(settings: Settings, environ: Mapping[str, str]) -> Credentials | None:
    """A sandbox in this process wants none; and a served one has nothing to do with the agency of this machine.

    Raises InvalidInput for credentials that can't be used.
    """
    if settings.sandbox_path is not None:
        return None
    return load_credentials(environ, settings.auth, may_ask_machine=not is_loopback(settings.endpoint))


@asynccontextmanager
async def connect(
    settings: Settings, credentials: Credentials | None, allowed_hosts: frozenset[str]
) -> AsyncIterator[ServiceStage]:
    """The platform: over the network, or the sandbox in this process, which the client can't tell apart."""
    from statetool.servicestage.client import ServiceStage
    from statetool.servicestage.rate import Rates

    if settings.sandbox_path is not None:
        async with _connect_in_process(settings, settings.sandbox_path) as platform:
            yield platform
        return
    auth = auth_of(settings, credentials, allowed_hosts)
    async with ServiceStage(
        settings.endpoint,
        settings.project_id,
        auth=auth,
        allowed_hosts=allowed_hosts,
        gray_rule_body=settings.gray_rule_body,
        rates=Rates(settings.reads_per_second, settings.writes_per_minute),
    ) as platform:
        yield platform


def auth_of(
    settings: Settings,
    credentials: Credentials | None,
    allowed_hosts: frozenset[str],
    deadlines: Deadlines | None = None,
) -> Auth:
    """What goes on requests to the network. Nothing is sent yet. Raises PlatformError, and StatetoolError where
    nobody can be asked for a token."""
    from statetool.servicestage.access import build_auth

    given = ensure_given(settings, credentials)
    if isinstance(given, Login) and not settings.iam_endpoint:
        raise StatetoolError(
            "IAM's address is not known, so there is nobody to ask for a token",
            code="missing_region",
            hint="set HW_AUTH_URL, or HW_REGION_NAME, or platform.region in statetool.yaml",
        )
    sources = _identity_sources(settings, allowed_hosts, deadlines)
    return build_auth(given, sources, project_id=settings.project_id)


@asynccontextmanager
async def _connect_in_process(settings: Settings, sandbox_path: Path) -> AsyncIterator[ServiceStage]:
    from statetool.sandbox import SandboxTransport
    from statetool.servicestage.client import ServiceStage

    sandbox = open_sandbox(sandbox_path)
    try:
        transport = SandboxTransport(sandbox)
        async with ServiceStage(
            settings.endpoint,
            settings.project_id,
            auth=None,
            transport=transport,
            gray_rule_body=settings.gray_rule_body,
        ) as platform:
            yield platform
    finally:
        sandbox.close()


def with_project_id(settings: Settings, credentials: Credentials | None, allowed_hosts: frozenset[str]) -> Settings:
    """The same settings with the project id: as configured, as it stands beside the key, or looked up at IAM.

    Raises PlatformError, and StatetoolError where there is nothing to look it up by.
    """
    return settings if settings.project_id else asyncio.run(find_project_id(settings, credentials, allowed_hosts))


async def find_project_id(
    settings: Settings,
    credentials: Credentials | None,
    allowed_hosts: frozenset[str],
    deadlines: Deadlines | None = None,
) -> Settings:
    """`with_project_id` for who runs an event loop already."""
    if settings.project_id:
        return settings
    given = ensure_given(settings, credentials)
    if isinstance(given, AccessKey) and given.project_id is not None:
        return _pin(settings, given.project_id, given.origin)
    if settings.region is None:
        raise StatetoolError(
            "the project id is not known, and without a region it can't be looked up",
            code="missing_project_id",
            hint="set HW_PROJECT_ID or HW_REGION_NAME, or platform.project_id or platform.region in statetool.yaml",
        )
    from statetool.servicestage.access import fetch_project_id
    from statetool.servicestage.endpoint import parse_endpoint

    # An endpoint that may not have our credentials is refused before anybody else gets them.
    parse_endpoint(settings.endpoint, sends_credentials=True, allowed_hosts=allowed_hosts)
    found = await fetch_project_id(given, _identity_sources(settings, allowed_hosts, deadlines), settings.region)
    return _pin(settings, found, f"looked up at {settings.iam_endpoint}")


def _pin(settings: Settings, project_id: str, origin: str) -> Settings:
    return replace(settings, project_id=project_id, origins={**settings.origins, "platform.project_id": origin})


def ensure_given(settings: Settings, credentials: Credentials | None) -> Credentials:
    """The credentials that are there. Raises Unauthorized, saying how to give some, where there are none."""
    if credentials is None:
        raise Unauthorized(
            "there are no credentials for the platform",
            hint=f"{WAYS_TO_GIVE[settings.auth]}; a sandbox: endpoint needs none",
        )
    return credentials


def _identity_sources(
    settings: Settings, allowed_hosts: frozenset[str], deadlines: Deadlines | None
) -> IdentitySources:
    from statetool.servicestage.access import IdentitySources

    sources = IdentitySources(settings.iam_endpoint, settings.region, allowed_hosts)
    return sources if deadlines is None else replace(sources, deadlines=deadlines)


def open_sandbox(path: Path) -> Sandbox:
    """The sandbox world in a file, made where there is none. Raises StatetoolError for a file that is no world."""
    from statetool.sandbox import Sandbox, SandboxError

    # The sandbox knows nothing of this tool: its errors become ours here.
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Sandbox.open(path)
    except (SandboxError, OSError) as error:
        raise StatetoolError(f"the sandbox {path} can't be opened: {_explain(error)}", code="sandbox") from None


def _explain(error: Exception) -> str:
    return explain(error) if isinstance(error, OSError) else str(error)
