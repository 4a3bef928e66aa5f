"""Tokens for a password, project ids and machine keys: whom we ask, how often, and what is said when it fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from statetool.core.credentials import AccessKey, Credentials, Login, MachineAgency, ReadyToken
from statetool.core.model import Application, Secret
from statetool.core.plan import Verb
from statetool.errors import EndpointRefused, NotFound, PlatformError, RequestRefused, ServerFailed, Unauthorized
from statetool.servicestage.access import IdentitySources, build_auth, fetch_project_id
from statetool.servicestage.channel import Timing
from statetool.servicestage.client import ServiceStage

PROJECT = "0123456789abcdef0123456789abcdef"
REGION = "cn-north-4"
NOW = datetime(2025, 1, 1, tzinfo=UTC)
LOGIN = Login("mei", Secret("p4ss wörd"), "acme", "environment HW_USER_NAME")
KEY = AccessKey(Secret("the-ak"), Secret("the-sk"), None, "environment HW_ACCESS_KEY")
TOKEN = ReadyToken(Secret("ready-token"), "environment HW_AUTH_TOKEN")
REFUSED = httpx.Response(401, json={"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication"})

Answerer = Callable[[httpx.Request], httpx.Response]


@dataclass
class Cloud:
    """A platform with its IAM and a metadata service. Tokens are `token-1`, `token-2`, ...; time moves by hand.

    `good` says which tokens or keys ServiceStage takes; `iam` and `meta` replace the well-behaved answers.
    """

    credentials: Credentials
    good: Callable[[httpx.Request], bool] = lambda request: True
    iam: Answerer | None = None
    meta: Answerer | None = None
    refusal: httpx.Response = field(default_factory=lambda: REFUSED)
    time: float = 1000.0
    slept: list[float] = field(default_factory=list)
    asked: dict[str, list[httpx.Request]] = field(default_factory=lambda: {"iam": [], "meta": [], "platform": []})

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.time - 1000.0)

    @property
    def date(self) -> dict[str, str]:
        return {"Date": format_datetime(self.now, usegmt=True)}

    @property
    def expires_at(self) -> str:
        return (self.now + timedelta(hours=24)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)  # others get their turn

    def answer_iam(self, request: httpx.Request) -> httpx.Response:
        self.asked["iam"].append(request)
        if self.iam is not None:
            return self.iam(request)
        if request.url.path == "/v3/projects":
            projects = [{"id": PROJECT, "name": REGION}, {"id": "f" * 32, "name": f"{REGION}_test"}]
            return httpx.Response(200, json={"projects": projects})
        return self.issue(f"token-{len(self.asked['iam'])}")

    def issue(self, token: str) -> httpx.Response:
        body = {"token": {"expires_at": self.expires_at, "project": {"id": PROJECT, "name": REGION}}}
        return httpx.Response(201, headers={"X-Subject-Token": token, **self.date}, json=body)

    def answer_meta(self, request: httpx.Request) -> httpx.Response:
        self.asked["meta"].append(request)
        if self.meta is not None:
            return self.meta(request)
        if request.method == "PUT":
            return httpx.Response(200, text="meta-token\n")
        key = {"access": "tmp-ak", "secret": "tmp-sk", "securitytoken": f"st-{len(self.asked['meta'])}"}
        return httpx.Response(200, headers=self.date, json={"credential": {**key, "expires_at": self.expires_at}})

    def answer_platform(self, request: httpx.Request) -> httpx.Response:
        self.asked["platform"].append(httpx.Request(request.method, request.url, headers=request.headers))
        if not self.good(request):
            return httpx.Response(self.refusal.status_code, headers=self.refusal.headers, content=self.refusal.content)
        if request.method == "POST":
            return httpx.Response(200, json={"job_id": "JOB7"})
        return httpx.Response(200, json={"count": 0, "applications": [], "components": []})

    @property
    def sources(self) -> IdentitySources:
        return IdentitySources(
            iam_endpoint="https://iam.cn-north-4.myhuaweicloud.com",
            region=REGION,
            timing=Timing(self.sleep, lambda: 1.0, lambda: self.time),
            now=lambda: self.now,
            transport=httpx.MockTransport(self.answer_iam),
            metadata_transport=httpx.MockTransport(self.answer_meta),
        )

    def client(self, project_id: str = PROJECT) -> ServiceStage:
        return ServiceStage(
            "https://platform.test",
            PROJECT,
            auth=build_auth(self.credentials, self.sources, project_id=project_id),
            transport=httpx.MockTransport(self.answer_platform),
            sleep=self.sleep,
            clock=lambda: self.time,
            jitter=lambda: 1.0,
        )

    def counts(self) -> tuple[int, int]:
        """Requests to who gives credentials, and to the platform."""
        return len(self.asked["iam"]) + len(self.asked["meta"]), len(self.asked["platform"])

    def tokens(self) -> list[str]:
        return [request.headers["X-Auth-Token"] for request in self.asked["platform"]]


def run(work: Callable[[ServiceStage], Coroutine[Any, Any, Any]], cloud: Cloud) -> Any:
    async def story() -> Any:
        async with cloud.client() as client:
            return await work(client)

    return asyncio.run(story())


async def many_reads(client: ServiceStage) -> None:
    """A hundred at once."""
    await asyncio.gather(*(client.fetch_components(Application(f"a-{n}", "shop")) for n in range(100)))


async def write(client: ServiceStage) -> str | None:
    return await client.send_action("a-1", "c-1", Verb.RESTART, {})


def refused_error(cloud: Cloud, work: Callable[[ServiceStage], Awaitable[Any]] = many_reads) -> PlatformError:
    """How it ends, twice: the second time without any request."""

    async def story() -> PlatformError:
        async with cloud.client() as client:
            with pytest.raises(PlatformError) as caught:
                await work(client)
            before = cloud.counts()
            with pytest.raises(PlatformError):
                await client.fetch_applications()
            assert cloud.counts() == before
            return caught.value

    error = asyncio.run(story())
    assert error.hint
    shown = f"{error.message} {error.hint}"
    for secret in ("p4ss", "the-sk", "the-ak", "token-1", "ready-token", "tmp-sk", "meta-token"):
        assert secret not in shown
    return error


# A token by password


def test_one_token_serves_all_requests() -> None:
    """One request to IAM, in its own shape; its token on every request, and nothing of the login."""
    cloud = Cloud(LOGIN)
    run(many_reads, cloud)
    assert cloud.counts() == (1, 100)
    assert set(cloud.tokens()) == {"token-1"}
    (asked,) = cloud.asked["iam"]
    assert str(asked.url) == "https://iam.cn-north-4.myhuaweicloud.com/v3/auth/tokens?nocatalog=true"
    assert "X-Auth-Token" not in asked.headers
    user = {"name": "mei", "password": "p4ss wörd", "domain": {"name": "acme"}}
    assert json.loads(asked.content) == {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"id": PROJECT}},
        }
    }


def test_a_token_is_renewed_early() -> None:
    """When less than half an hour of its day is left; requests never see a refusal."""
    cloud = Cloud(LOGIN)

    async def day(client: ServiceStage) -> None:
        await client.fetch_applications()
        cloud.time += 23.4 * 3600
        await client.fetch_applications()
        cloud.time += 0.2 * 3600
        await client.fetch_applications()
        await write(client)

    run(day, cloud)
    assert cloud.tokens() == ["token-1", "token-1", "token-2", "token-2"]


@pytest.mark.parametrize("skew_h", [-48, 48])
def test_a_wrong_clock_of_ours_does_not_end_a_token(skew_h: int) -> None:
    """Lifetimes count from the date in IAM's answer."""
    cloud = Cloud(LOGIN)
    sources = cloud.sources

    async def story() -> None:
        wrong = IdentitySources(
            sources.iam_endpoint,
            REGION,
            timing=sources.timing,
            now=lambda: cloud.now + timedelta(hours=skew_h),
            transport=sources.transport,
        )
        auth = build_auth(LOGIN, wrong, project_id=PROJECT)
        for _ in range(3):
            await auth.prepare()
            cloud.time += 3600
        await auth.close()

    asyncio.run(story())
    assert len(cloud.asked["iam"]) == 1


def test_a_refused_token_is_renewed_once_for_all_who_hold_it() -> None:
    """A hundred refusals at once, one renewal; every request is sent once more and answered."""
    cloud = Cloud(LOGIN, good=lambda request: True)

    async def story(client: ServiceStage) -> None:
        await client.fetch_applications()
        cloud.good = lambda request: request.headers["X-Auth-Token"] == "token-2"
        await many_reads(client)
        assert await write(client) == "JOB7"

    run(story, cloud)
    assert len(cloud.asked["iam"]) == 2
    assert cloud.tokens().count("token-2") == 101


def test_a_write_is_sent_again_after_a_renewal_only() -> None:
    """A 401 surely was not carried out."""
    cloud = Cloud(LOGIN)

    async def story(client: ServiceStage) -> None:
        await client.fetch_applications()
        cloud.good = lambda request: request.headers["X-Auth-Token"] == "token-2"
        assert await write(client) == "JOB7"
        assert client.requests.writes == 2

    run(story, cloud)
    assert [request.method for request in cloud.asked["platform"]] == ["GET", "POST", "POST"]


def test_a_renewed_token_that_is_refused_too_ends_it() -> None:
    """Two tokens, two requests, then nothing more: no loop."""
    cloud = Cloud(LOGIN, good=lambda request: False)
    error = refused_error(cloud)
    assert type(error) is Unauthorized
    assert cloud.tokens() == ["token-1", "token-2"]
    assert len(cloud.asked["iam"]) == 2
    assert "HW_USER_NAME" in error.message


def test_not_found_in_the_clothes_of_a_401_renews_nothing() -> None:
    """The platform says 401 of what does not exist, too."""
    absent = httpx.Response(401, json={"error_code": "SVCSTG.00100401", "error_msg": "gone"})
    cloud = Cloud(LOGIN, good=lambda request: False, refusal=absent)
    with pytest.raises(NotFound):
        run(lambda client: client.fetch_applications(), cloud)
    assert cloud.counts() == (1, 1)


def test_a_wrong_password_is_sent_once() -> None:
    """However many requests wait for a token. The answer echoes the password; the error does not."""
    said = {
        "error": {"code": 401, "message": "The username or password is wrong: p4ss w\u00f6rd", "title": "Unauthorized"}
    }
    cloud = Cloud(LOGIN, iam=lambda request: httpx.Response(401, json=said))
    error = refused_error(cloud)
    assert type(error) is Unauthorized
    assert cloud.counts() == (1, 0)
    assert "IAM did not accept user and password (environment HW_USER_NAME)" in error.message
    assert "HW_DOMAIN_NAME" in str(error.hint)
    assert "locks" in str(error.hint)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": {"code": 400, "message": "bad scope"}}),
        httpx.Response(403, json={"error_code": "IAM.0003"}),
        httpx.Response(404, content=b"<html>no such page</html>"),
        httpx.Response(302, headers={"Location": "https://evil.example/"}),
        httpx.Response(201, headers={"X-Subject-Token": "t"}, content=b"<html>login</html>"),
        httpx.Response(201, headers={"X-Subject-Token": "t"}, json={"token": {}}),
        httpx.Response(201, json={"token": {"project": {"id": PROJECT}}}),
        httpx.Response(201, headers={"X-Subject-Token": "t t"}, json={"token": {"project": {"id": PROJECT}}}),
    ],
)
def test_an_iam_that_gives_no_token_is_asked_once(answer: httpx.Response) -> None:
    """Whatever it says instead; there is nothing to send to the platform."""
    cloud = Cloud(
        LOGIN, iam=lambda request: httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
    )
    error = refused_error(cloud)
    assert type(error) is Unauthorized
    assert cloud.counts() == (1, 0)
    assert "https://iam.cn-north-4.myhuaweicloud.com/v3/auth/tokens" in error.message


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_iam_in_trouble_is_asked_again_within_limits(status: int) -> None:
    """Five tries, not five times five; others who wait get the same error."""
    cloud = Cloud(LOGIN, iam=lambda request: httpx.Response(status))
    with pytest.raises(PlatformError) as caught:
        run(many_reads, cloud)
    assert caught.value.status == status
    assert cloud.counts() == (5, 0)


def test_a_renewal_that_fails_ends_it_with_both_reasons() -> None:
    """The platform refuses the token and IAM is down: nothing more is sent."""
    cloud = Cloud(LOGIN)

    async def story(client: ServiceStage) -> Unauthorized:
        await client.fetch_applications()
        cloud.good = lambda request: False
        cloud.iam = lambda request: httpx.Response(500)
        with pytest.raises(Unauthorized) as caught:
            await many_reads(client)
        before = cloud.counts()
        with pytest.raises(Unauthorized):
            await write(client)
        assert cloud.counts() == before
        return caught.value

    error = run(story, cloud)
    assert "did not accept the token" in error.message
    assert "no new credentials could be had" in error.message
    assert len(cloud.asked["iam"]) == 6


# An access key


def test_a_refused_key_is_used_once() -> None:
    """Five bad signatures lock it: one request of a hundred goes out, and none later."""
    cloud = Cloud(KEY, good=lambda request: False)
    error = refused_error(cloud)
    assert cloud.counts() == (0, 1)
    assert "environment HW_ACCESS_KEY" in error.message


def test_a_refused_key_is_not_used_again_for_a_change() -> None:
    """A changing request that is refused comes once, and surely was not carried out."""
    cloud = Cloud(KEY)

    async def story(client: ServiceStage) -> None:
        await client.fetch_applications()
        cloud.good = lambda request: False
        with pytest.raises(Unauthorized):
            await write(client)

    run(story, cloud)
    assert [request.method for request in cloud.asked["platform"]] == ["GET", "POST"]


def test_a_skewed_clock_is_said_over_the_whole_way() -> None:
    """The error of a command, with how far."""
    late = {"Date": format_datetime(NOW - timedelta(hours=1), usegmt=True)}
    skewed = httpx.Response(401, headers=late, json={"error_code": "APIGW.0303", "error_msg": "expired"})
    error = refused_error(Cloud(KEY, good=lambda request: False, refusal=skewed))
    assert error.code == "clock_skew"
    assert "1 h ahead of the platform's" in error.message


# The project id


@pytest.mark.parametrize("credentials", [KEY, TOKEN, MachineAgency()], ids=["key", "token", "agency"])
def test_a_project_id_is_looked_up_by_the_regions_name(credentials: Credentials) -> None:
    """At IAM, with the same credentials; a signed request names no project yet."""
    cloud = Cloud(credentials)
    assert asyncio.run(fetch_project_id(credentials, cloud.sources, REGION)) == PROJECT
    (asked,) = cloud.asked["iam"]
    assert str(asked.url) == f"https://iam.cn-north-4.myhuaweicloud.com/v3/projects?name={REGION}"
    assert "X-Project-Id" not in asked.headers
    if credentials is TOKEN:
        assert asked.headers["X-Auth-Token"] == "ready-token"
    else:
        assert asked.headers["Authorization"].startswith("SDK-HMAC-SHA256 Access=")


def test_a_login_learns_the_project_id_from_its_token() -> None:
    """One request, for the project with the region's name."""
    cloud = Cloud(LOGIN)
    assert asyncio.run(fetch_project_id(LOGIN, cloud.sources, REGION)) == PROJECT
    (asked,) = cloud.asked["iam"]
    assert json.loads(asked.content)["auth"]["scope"] == {"project": {"name": REGION}}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, json={"projects": []}), NotFound),
        (httpx.Response(200, json={"projects": [{"id": PROJECT, "name": "other"}]}), NotFound),
        (
            httpx.Response(200, json={"projects": [{"id": c * 32, "name": REGION} for c in "ab"]}),
            RequestRefused,
        ),
        (httpx.Response(200, json={"projects": [{"id": "../x", "name": REGION}]}), PlatformError),
        (httpx.Response(200, json=[]), PlatformError),
        (httpx.Response(200, content=b"<html>"), PlatformError),
        (httpx.Response(403, json={"error_code": "IAM.0003"}), RequestRefused),
    ],
)
def test_a_lookup_that_finds_not_one_says_what_to_set(answer: httpx.Response, kind: type[PlatformError]) -> None:
    """None, several, nonsense, or not allowed: the id can always be written down."""
    cloud = Cloud(KEY, iam=lambda request: answer)
    with pytest.raises(kind) as caught:
        asyncio.run(fetch_project_id(KEY, cloud.sources, REGION))
    assert "HW_PROJECT_ID" in str(caught.value.hint)
    assert REGION in caught.value.message
    assert len(cloud.asked["iam"]) == 1


def test_a_refused_key_looks_up_nothing_twice() -> None:
    """The same rule at IAM."""
    cloud = Cloud(KEY, iam=lambda request: REFUSED)
    with pytest.raises(Unauthorized):
        asyncio.run(fetch_project_id(KEY, cloud.sources, REGION))
    assert len(cloud.asked["iam"]) == 1


@pytest.mark.parametrize("credentials", [KEY, TOKEN, LOGIN], ids=["key", "token", "login"])
@pytest.mark.parametrize("endpoint", ["https://evil.example", "http://iam.cn-north-4.myhuaweicloud.com", ""])
def test_iam_is_no_way_out_for_credentials(credentials: Credentials, endpoint: str) -> None:
    """The same rule as for the platform, before anything is sent; a host can be allowed by name."""

    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    sources = IdentitySources(endpoint, REGION, transport=httpx.MockTransport(never))
    with pytest.raises(EndpointRefused):
        asyncio.run(fetch_project_id(credentials, sources, REGION))


# The agency of the machine


def test_the_machines_key_signs() -> None:
    """Two requests to the metadata service without credentials of ours, then a security token goes along, signed."""
    cloud = Cloud(MachineAgency())
    run(many_reads, cloud)
    put, get = cloud.asked["meta"]
    assert (put.method, str(put.url)) == ("PUT", "http://169.254.169.254/meta-data/latest/api/token")
    assert put.headers["X-Metadata-Token-Ttl-Seconds"] == "21600"
    assert (get.method, str(get.url)) == ("GET", "http://169.254.169.254/openstack/latest/securitykey")
    assert get.headers["X-Metadata-Token"] == "meta-token"
    signed = cloud.asked["platform"][0].headers
    assert signed["X-Security-Token"] == "st-2"
    assert (
        "Access=tmp-ak, SignedHeaders=content-type;host;x-project-id;x-sdk-date;x-security-token"
        in (signed["Authorization"])
    )
    assert cloud.counts() == (2, 100)


def test_the_machines_key_is_renewed_early() -> None:
    """When less than forty minutes are left; while the service is down the old one does."""
    cloud = Cloud(MachineAgency())

    async def day(client: ServiceStage) -> None:
        await client.fetch_applications()
        cloud.time += 23.2 * 3600
        await client.fetch_applications()
        cloud.time += 0.2 * 3600
        cloud.meta = lambda request: httpx.Response(500)
        await client.fetch_applications()
        cloud.time += 60
        cloud.meta = None
        await client.fetch_applications()

    run(day, cloud)
    used = [request.headers["X-Security-Token"] for request in cloud.asked["platform"]]
    assert used == ["st-2", "st-2", "st-2", "st-5"]


@pytest.mark.parametrize("status", [404, 405, 503])
def test_an_older_metadata_service_knows_no_tokens(status: int) -> None:
    """Then the key is asked for without one."""
    key = {"access": "a", "secret": "s", "securitytoken": "st", "expires_at": "2025-01-02T00:00:00Z"}

    def meta(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            return httpx.Response(status)
        assert "X-Metadata-Token" not in request.headers
        return httpx.Response(200, json={"credential": key})

    cloud = Cloud(MachineAgency(), meta=meta)
    run(many_reads, cloud)
    assert cloud.asked["platform"][0].headers["X-Security-Token"] == "st"


def no_route(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("no route")


@pytest.mark.parametrize(
    "meta",
    [
        no_route,
        lambda request: httpx.Response(500),
        lambda request: httpx.Response(401, text="please configure an agency"),
        lambda request: httpx.Response(404),
        lambda request: httpx.Response(302, headers={"Location": "https://evil.example/"}),
        lambda request: httpx.Response(200, content=b"<html>portal</html>"),
        lambda request: httpx.Response(200, json={"credential": {"access": "tmp-ak", "secret": "tmp-sk"}}),
        lambda request: httpx.Response(200, json={"credential": None}),
        lambda request: httpx.Response(200, content=b"two\r\nlines \xff"),
    ],
)
def test_a_machine_without_agency_has_no_credentials(meta: Answerer) -> None:
    """One look, however many requests wait; the hint names all ways to give some. Nothing reaches the platform."""
    cloud = Cloud(MachineAgency(), meta=meta)
    error = refused_error(cloud)
    assert type(error) is Unauthorized
    assert len(cloud.asked["meta"]) <= 2
    assert cloud.asked["platform"] == []
    assert "no credentials" in error.message
    assert "HW_ACCESS_KEY" in str(error.hint)


def test_a_key_that_ends_while_the_service_is_down() -> None:
    """The error is the service's, and it may pass: it is asked again with the next request."""
    cloud = Cloud(MachineAgency())

    async def story(client: ServiceStage) -> None:
        await client.fetch_applications()
        cloud.time += 25 * 3600
        cloud.meta = lambda request: httpx.Response(500)
        with pytest.raises(ServerFailed):
            await client.fetch_applications()
        cloud.meta = None
        await client.fetch_applications()

    run(story, cloud)
