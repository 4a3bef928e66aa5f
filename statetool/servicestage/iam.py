"""IAM: tokens for a user and password, and the id of a project by its name [9.1, 9.2].

Owns the requests to IAM and the shape of its answers. It must not know ServiceStage. A wrong password is sent once:
IAM locks users out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import httpx

from statetool.core.credentials import Login
from statetool.core.model import Json, Secret
from statetool.errors import (
    AnswerUnreadable,
    NotFound,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    Unauthorized,
    Unreachable,
)
from statetool.servicestage.answer import Answer, parse_json
from statetool.servicestage.auth import AUTH_HEADER, Auth, ensure_sendable
from statetool.servicestage.channel import Channel, Deadlines, Timing
from statetool.servicestage.endpoint import parse_endpoint
from statetool.servicestage.problems import Refusal, reword
from statetool.servicestage.renewal import Issued, Renewed, lifetime_s

EARLY_S = 30 * 60  # a token is renewed when it has less than this left [9.1]
_TOKEN_HEADER = "x-subject-token"  # noqa: S105 - the name of a header [9.1]
_PROJECT_ID = re.compile(r"[0-9a-f]{32}")
_SET_ID = "set HW_PROJECT_ID, or platform.project_id in statetool.yaml"


@dataclass(frozen=True, slots=True)
class ProjectToken:
    """A token that is good for one project."""

    token: Secret
    project_id: str


class Iam:
    """Requests to one IAM endpoint, each with what `auth` puts on it. `now` is the wall clock. Close it."""

    def __init__(
        self,
        endpoint: str,
        *,
        auth: Auth,
        timing: Timing,
        now: Callable[[], datetime],
        deadlines: Deadlines,
        transport: httpx.AsyncBaseTransport | None,
        allowed_hosts: Collection[str],
    ) -> None:
        base = parse_endpoint(endpoint, sends_credentials=True, allowed_hosts=allowed_hosts)
        self.clock = timing.clock
        self._now = now
        self._channel = Channel(base, auth=auth, transport=transport, timing=timing, deadlines=deadlines)

    async def close(self) -> None:
        await self._channel.close()

    async def fetch_token(self, login: Login, project: Json) -> Issued[ProjectToken]:
        """A token with the scope of one project, named as `{"id": ...}` or `{"name": ...}`."""
        user: Json = {"name": login.user, "password": login.password.reveal(), "domain": {"name": login.domain}}
        identity: Json = {"methods": ["password"], "password": {"user": user}}
        body: Json = {"auth": {"identity": identity, "scope": {"project": project}}}
        answer = await self._channel.ask("/v3/auth/tokens", {"nocatalog": "true"}, body)
        token = Secret(answer.headers.get(_TOKEN_HEADER, ""))
        try:
            ensure_sendable(token, f"the token that IAM gave ({_TOKEN_HEADER})", "is HW_AUTH_URL the address of IAM?")
            found = _at(parse_json(answer), "token")
            project_id = _project_id(_at(found, "project"))
        except PlatformError as error:
            raise reword(error, f"{answer.where}: {error.message}") from None
        seconds = lifetime_s(_at(found, "expires_at"), answer.headers.get("date"), self._now())
        return Issued(ProjectToken(token, project_id), seconds)

    async def fetch_project_id(self, name: str) -> str:
        """The id of the project of that name, which is the region's for its first one. Raises NotFound without one."""
        try:
            answer = await self._channel.read("/v3/projects", {"name": name})
            projects = _at(parse_json(answer), "projects")
            if not isinstance(projects, list):
                raise AnswerUnreadable(f"{answer.where}: projects: expected a list")
            ids = [_project_id(project) for project in projects if _at(project, "name") == name]
        except (RequestRefused, NotFound, AnswerUnreadable) as error:
            failed = reword(error, f"the id of project {name} can't be looked up: {error.message}")
            failed.hint = _SET_ID
            raise failed from None
        if not ids:
            raise NotFound(f"IAM knows no project {name} that these credentials may see", hint=_SET_ID)
        if len(ids) > 1:
            raise RequestRefused(
                f"IAM knows {len(ids)} projects {name}: {', '.join(ids[:10])}", code="ambiguous_project", hint=_SET_ID
            )
        return ids[0]


class LoginAuth(Auth):
    """Tokens for a user and password: fetched with the first request, renewed early, and once after a 401.

    Without `project_id` the token is for the project that has the region's name.
    """

    sends_credentials = True

    def __init__(
        self, login: Login, *, project_id: str | None, region: str | None, build_iam: Callable[[Auth], Iam]
    ) -> None:
        super().__init__([login.password])
        self._login = login
        self._scope: Json = {"id": project_id} if project_id else {"name": region}
        wrong = Refusal(f"IAM did not accept user and password ({login.origin})", self._hint)
        self._iam = build_iam(Auth([login.password], wrong))
        self._tokens = Renewed(self._fetch, clock=self._iam.clock, early_s=EARLY_S)

    @property
    def project_id(self) -> str:
        """The project of the token; only after `prepare`."""
        return self._tokens.value.project_id

    async def prepare(self) -> None:
        await self._tokens.ensure_fresh()

    def put_on(self, request: httpx.Request) -> None:
        request.headers[AUTH_HEADER] = self._tokens.value.token.reveal()

    async def renew(self, request: httpx.Request) -> bool:
        refused = request.headers[AUTH_HEADER]
        await self._tokens.replace(lambda current: current.token.reveal() == refused)
        return True

    def explain_refusal(self, answer: Answer, code: str | None) -> Refusal:
        return Refusal(
            f"the platform did not accept the token that IAM gave for our user ({self._login.origin})",
            "does the user belong to the project of project_id, and is HW_AUTH_URL the IAM of this platform? "
            "Nothing more is sent",
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        token = (self._tokens.value.token,) if self._tokens.has_value else ()
        return (*token, self._login.password)

    @property
    def remaining_s(self) -> float | None:
        return self._tokens.remaining_s

    async def close(self) -> None:
        await self._iam.close()

    @property
    def _hint(self) -> str:
        which = ", ".join(str(value) for value in (self._scope.values() if isinstance(self._scope, dict) else ()))
        return (
            "check HW_USER_NAME, HW_USER_PASSWORD and HW_DOMAIN_NAME (the account's name), and that the user may enter "
            f"project {which}; nothing more is sent, because IAM locks a user out after a few wrong passwords"
        )

    async def _fetch(self) -> Issued[ProjectToken]:
        """What may pass keeps its kind; everything else means that there will be no token."""
        try:
            return await self._iam.fetch_token(self._login, self._scope)
        except (Unreachable, Throttled, ServerFailed, Unauthorized):
            raise
        except PlatformError as error:
            raise Unauthorized(
                f"IAM gave no token: {error.message}",
                hint=self._hint,
                status=error.status,
                platform_code=error.platform_code,
                request_id=error.request_id,
            ) from None


def _at(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


def _project_id(project: Json) -> str:
    found = _at(project, "id")
    if not isinstance(found, str) or not _PROJECT_ID.fullmatch(found):
        raise AnswerUnreadable("expected the id of a project, 32 hexadecimal digits")
    return found
