"""What a handful of reading requests shows: clock, credentials, endpoint, project, permissions.

Owns their order, and when to stop asking. A stranger's request comes first, for it tells the most and risks nothing.
After credentials were refused nothing more is sent: the platform locks keys and users after a few bad attempts
[10.3]. Each request is sent once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from statetool import connection
from statetool.config import Settings
from statetool.core.checks import PERMISSIONS, Check, CheckStatus, Topic
from statetool.core.credentials import Credentials, is_signing, kind_of
from statetool.core.model import Application, Json, Observed
from statetool.errors import (
    EndpointRefused,
    InvalidInput,
    NotFound,
    PlatformError,
    RequestRefused,
    StatetoolError,
    Unauthorized,
    Unreachable,
)

if TYPE_CHECKING:
    from statetool.servicestage.auth import Auth
    from statetool.servicestage.client import ServiceStage

T = TypeVar("T")

CLOCK_WARNING_S = 60
CLOCK_LIMIT_S = 15 * 60
"""A signature that is further off is refused [10.3]."""

_ANSWER_S = 15.0
_FORBIDDEN = "forbidden"
_ALWAYS = (Topic.CLOCK, Topic.CREDENTIALS, Topic.ENDPOINT)
_READING = (Topic.PROJECT, Topic.APPLICATIONS, Topic.COMPONENTS, Topic.RECORDS, Topic.JOB)


class _Ended(Exception):
    """Nothing more is asked; `code` says why to whoever waits for a check that was not reached."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def not_reached(code: str, *, in_process: bool, found: Mapping[Topic, Check] | None = None) -> list[Check]:
    """All checks of this module in their order: those in `found`, and of the others that they were not reached."""
    topics = (*_ALWAYS, Topic.SANDBOX, *_READING) if in_process else (*_ALWAYS, *_READING)
    known = found or {}
    checks = [known.get(topic) or Check(topic, CheckStatus.NOT_REACHED, code) for topic in topics]
    # No request that only reads can show this, whatever else was reached.
    changes = known.get(Topic.CHANGES) or Check(Topic.CHANGES, CheckStatus.NOT_REACHED, "only_by_doing")
    return [*checks, changes]


async def check_platform(
    settings: Settings, environ: Mapping[str, str], hosts: frozenset[str], *, now: Callable[[], datetime]
) -> list[Check]:
    """The checks of a project whose configuration is valid. `hosts` may have credentials beside the platform's own."""
    visit = _Visit(settings, hosts)
    code = ""
    try:
        if settings.sandbox_path is not None:
            await visit.sandbox(settings.sandbox_path)
        else:
            await visit.network(environ, now)
    except _Ended as end:
        code = end.code
    return not_reached(code, in_process=settings.sandbox_path is not None, found=visit.found)


class _Visit:
    """One look at the platform. What is found is kept by topic; _Ended is raised where no more can be asked."""

    def __init__(self, settings: Settings, hosts: frozenset[str]) -> None:
        self.found: dict[Topic, Check] = {}
        self._settings = settings
        self._hosts = hosts

    # The two ways

    async def sandbox(self, path: Path) -> None:
        """The sandbox of this process: no clock of its own, nobody to convince."""
        for topic in _ALWAYS:
            self._note(topic, CheckStatus.OK, f"{topic}_in_process")
        self._note(Topic.CHANGES, CheckStatus.OK, "changes_in_process")
        facts: dict[str, Json] = {"path": str(path)}
        if _is_absent(path):
            self._note(Topic.SANDBOX, CheckStatus.WARNING, "sandbox_absent", facts)  # opening it would make it
            raise _Ended("needs_sandbox")
        self._note_project(self._settings)
        try:
            async with connection.connect(self._settings, None, self._hosts) as platform:
                self._note(Topic.SANDBOX, CheckStatus.OK, "sandbox_opens", facts)
                await self._read(platform)
        except StatetoolError as error:
            self._fail(Topic.SANDBOX, "sandbox_unusable", error, facts)
            raise _Ended("needs_sandbox") from None

    async def network(self, environ: Mapping[str, str], now: Callable[[], datetime]) -> None:
        """Knock, look up the project, read."""
        credentials = self._find_credentials(environ)
        ahead_s = await self._knock(now)
        self._judge_clock(ahead_s, credentials)
        if self._settings.project_id:
            self._note_project(self._settings)
        if credentials is None:
            raise _Ended("needs_credentials")
        if self.found[Topic.CLOCK].status is CheckStatus.FAILED:
            raise _Ended("needs_clock")  # a signature is certain to be refused, and refusals are counted
        async with self._connect(credentials) as (platform, auth):
            try:
                await self._read(platform)
            finally:
                self._note_end_of_credentials(auth)

    # Before anything of ours is sent

    def _find_credentials(self, environ: Mapping[str, str]) -> Credentials | None:
        try:
            found = connection.find_credentials(self._settings, environ)
            connection.ensure_given(self._settings, found)
        except (InvalidInput, Unauthorized) as error:
            code = "credentials_missing" if isinstance(error, Unauthorized) else "credentials_bad"
            self._fail(Topic.CREDENTIALS, code, error)
            return None
        if found is not None:
            facts: dict[str, Json] = {"kind": kind_of(found), "origin": found.origin}
            self._note(Topic.CREDENTIALS, CheckStatus.OK, "credentials_found", facts)
        return found

    async def _knock(self, now: Callable[[], datetime]) -> float | None:
        """How far our clock is ahead of theirs, where the answer of the endpoint says so."""
        from statetool.servicestage.endpoint import parse_endpoint
        from statetool.servicestage.probe import fetch_greeting

        facts: dict[str, Json] = {"endpoint": self._settings.endpoint}
        try:
            address = parse_endpoint(self._settings.endpoint, sends_credentials=True, allowed_hosts=self._hosts)
            greeting = await fetch_greeting(address, now=now)
        except (EndpointRefused, Unreachable) as error:
            step: dict[str, Json] = {"step": error.code} if isinstance(error, Unreachable) else {}
            code = "endpoint_unreachable" if isinstance(error, Unreachable) else "endpoint_refused"
            self._fail(Topic.ENDPOINT, code, error, facts | step)
            raise _Ended("needs_endpoint") from None
        facts |= {"addresses": list(greeting.addresses), "tls": greeting.tls}
        self._note(Topic.ENDPOINT, CheckStatus.OK, "endpoint_answers", facts)
        return greeting.ahead_s

    def _judge_clock(self, ahead_s: float | None, credentials: Credentials | None) -> None:
        if ahead_s is None:
            self._note(Topic.CLOCK, CheckStatus.NOT_REACHED, "no_date")
            return
        facts: dict[str, Json] = {"ahead_s": round(ahead_s)}
        if abs(ahead_s) <= CLOCK_WARNING_S:
            self._note(Topic.CLOCK, CheckStatus.OK, "clock_right", facts)
        elif abs(ahead_s) > CLOCK_LIMIT_S and credentials is not None and is_signing(credentials):
            self._note(Topic.CLOCK, CheckStatus.FAILED, "clock_off_for_signatures", facts)
        else:
            self._note(Topic.CLOCK, CheckStatus.WARNING, "clock_off", facts)

    # With credentials

    @asynccontextmanager
    async def _connect(self, credentials: Credentials) -> AsyncIterator[tuple[ServiceStage, Auth]]:
        from statetool.servicestage.channel import Deadlines
        from statetool.servicestage.client import ServiceStage

        # No room for a second try within the total: what is there to be seen is seen at the first.
        once = Deadlines(connect_s=_ANSWER_S, read_s=_ANSWER_S, read_total_s=_ANSWER_S)
        try:
            settings = await connection.find_project_id(self._settings, credentials, self._hosts, once)
            self._note_project(settings)
            auth = connection.auth_of(settings, credentials, self._hosts, once)
        except Unauthorized as error:
            raise self._refused(error) from None
        except StatetoolError as error:
            self._fail(Topic.PROJECT, "project_unknown", error)
            raise _Ended("needs_project") from None
        async with ServiceStage(
            settings.endpoint, settings.project_id, auth=auth, allowed_hosts=self._hosts, deadlines=once
        ) as platform:
            yield platform, auth

    async def _read(self, platform: ServiceStage) -> None:
        """Applications, the components of one, the records of one of them, and its last job."""
        applications = await self._try(Topic.APPLICATIONS, platform.fetch_applications)
        if applications is None:
            raise _Ended("needs_applications")
        self._note(Topic.APPLICATIONS, CheckStatus.OK, "applications_read", {"count": len(applications)})
        if not applications:
            raise _Ended("nothing_there")
        component = await self._read_components(platform, applications)
        read = await self._try(
            Topic.RECORDS, lambda: platform.fetch_closer(component.application_id, component.component_id)
        )
        facts: dict[str, Json] = {"address": str(component.address)}
        if read is not None:
            self._note(Topic.RECORDS, CheckStatus.OK, "records_read", facts | {"count": len(read.records)})
        await self._read_job(platform, component)

    async def _read_components(self, platform: ServiceStage, applications: Sequence[Application]) -> Observed:
        application = applications[0]
        components = await self._try(Topic.COMPONENTS, lambda: platform.fetch_components(application))
        if components is None:
            raise _Ended("needs_components")
        facts: dict[str, Json] = {"application": application.name, "count": len(components)}
        self._note(Topic.COMPONENTS, CheckStatus.OK, "components_read", facts)
        if not components:
            raise _Ended("nothing_there")
        return next((component for component in components if component.last_job_id), components[0])

    async def _read_job(self, platform: ServiceStage, component: Observed) -> None:
        job_id = component.last_job_id
        if job_id is None:
            raise _Ended("nothing_there")
        facts: dict[str, Json] = {"job_id": job_id, "address": str(component.address)}
        try:
            job = await self._try(Topic.JOB, lambda: platform.fetch_job(job_id), may_be_gone=True)
        except NotFound:
            self._note(Topic.JOB, CheckStatus.OK, "job_gone", facts)
            return
        if job is not None:
            self._note(Topic.JOB, CheckStatus.OK, "job_read", facts | {"status": job.status})

    async def _try(self, topic: Topic, fetch: Callable[[], Awaitable[T]], *, may_be_gone: bool = False) -> T | None:
        """What was read; None where it failed, which is noted. `may_be_gone`: a 404 is for the caller to judge."""
        try:
            return await fetch()
        except Unauthorized as error:
            raise self._refused(error) from None
        except PlatformError as error:
            is_hidden = isinstance(error, NotFound) and error.status == 401
            if may_be_gone and isinstance(error, NotFound) and not is_hidden:
                raise
            is_forbidden = isinstance(error, RequestRefused) and error.code == _FORBIDDEN
            code = "permission_missing" if is_forbidden or is_hidden else f"{topic}_unreadable"
            self._fail(topic, code, error, {"permission": PERMISSIONS[topic]})
            return None

    # Notes

    def _refused(self, error: Unauthorized) -> _Ended:
        """The end of it all: credentials that were not accepted, or that nobody gave out."""
        known = self.found.get(Topic.CREDENTIALS)
        self._fail(Topic.CREDENTIALS, "credentials_refused", error, known.facts if known else {})
        return _Ended("needs_credentials")

    def _note_end_of_credentials(self, auth: Auth) -> None:
        """Known once a request was let through."""
        known = self.found[Topic.CREDENTIALS]
        if known.status is CheckStatus.OK and Topic.APPLICATIONS in self.found:
            accepted = self.found[Topic.APPLICATIONS].status is CheckStatus.OK
            left = None if auth.remaining_s is None else round(auth.remaining_s)
            code = "credentials_accepted" if accepted else known.code
            self._note(Topic.CREDENTIALS, CheckStatus.OK, code, {**known.facts, "remaining_s": left})

    def _note_project(self, settings: Settings) -> None:
        facts: dict[str, Json] = {
            "project_id": settings.project_id,
            "origin": settings.origins["platform.project_id"],
            "region": settings.region,
        }
        self._note(Topic.PROJECT, CheckStatus.OK, "project_known", facts)

    def _note(self, topic: Topic, status: CheckStatus, code: str, facts: Mapping[str, Json] | None = None) -> None:
        self.found[topic] = Check(topic, status, code, facts or {})

    def _fail(self, topic: Topic, code: str, error: StatetoolError, facts: Mapping[str, Json] | None = None) -> None:
        self.found[topic] = Check(topic, CheckStatus.FAILED, code, facts or {}, error.diagnostics)


def _is_absent(path: Path) -> bool:
    """Whether opening the world would make one."""
    return not path.exists() or (path.is_file() and path.stat().st_size == 0)
