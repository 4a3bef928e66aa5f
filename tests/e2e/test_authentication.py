"""Commands with every kind of credentials, over real sockets: in front of a sandbox stands a gateway that checks
them, with the vendor's own signer where they are signatures, and an IAM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from e2e_loopback import Asked, Loopback, Reply, forward, loopback
from e2e_project import TOKEN, ProjectFolder, serve
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from statetool.config import Settings, load_settings
from statetool.connection import with_project_id
from statetool.core.credentials import Credentials
from statetool.credentials import load_credentials
from statetool.errors import EndpointRefused, StatetoolError, Unauthorized

PROJECT = "0123456789abcdef0123456789abcdef"
ACCESS, SECRET, PASSWORD = "AKTEST4711", "sk-very-secret", "p4ss-very-secret"
KEY = {"HW_ACCESS_KEY": ACCESS, "HW_SECRET_KEY": SECRET}
LOGIN = {"HW_USER_NAME": "mei", "HW_USER_PASSWORD": PASSWORD, "HW_DOMAIN_NAME": "acme"}
JSON = {"Content-Type": "application/json"}
SEED = "applications:\n  shop:\n    environment: prod\n    components:\n      cart: {version: 1.4.2, replicas: 4}\n"
MANIFEST = "application: shop\ncomponents:\n  cart: {replicas: 6}\n"


@dataclass
class Gateway:
    """Lets through what is signed or carries a token it gave out. `skew` is how far its clock is from ours."""

    sandbox: str
    skew: timedelta = timedelta()
    tokens: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)

    def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith("/v3/auth/tokens"):
            return self.give_token(asked)
        headers = asked.headers
        if headers.get("x-auth-token", "") in set(self.tokens) - self.revoked or self.is_signed(asked):
            kept = {name: value for name, value in headers.items() if name not in ("authorization", "x-auth-token")}
            return forward(self.sandbox, replace(asked, headers={**kept, "x-auth-token": TOKEN}))
        return self.refuse("APIGW.0301", "Incorrect IAM authentication information: " + json.dumps(dict(headers)))

    def give_token(self, asked: Asked) -> Reply:
        auth = json.loads(asked.body)["auth"]
        user = auth["identity"]["password"]["user"]
        if user != {"name": "mei", "password": PASSWORD, "domain": {"name": "acme"}}:
            return self.refuse("401", f"The username or password is wrong: {user}")
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        expires_at = (datetime.now(UTC) + timedelta(hours=24)).isoformat()
        body = {"token": {"expires_at": expires_at, "project": {"id": auth["scope"]["project"].get("id", PROJECT)}}}
        return Reply(201, json.dumps(body).encode(), {**JSON, "X-Subject-Token": self.tokens[-1]})

    def is_signed(self, asked: Asked) -> bool:
        """Whether the vendor's signer signs the same request in the same way."""
        path, _, query = asked.path.partition("?")
        authorization = asked.headers.get("authorization", "")
        names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        if not set(names) >= {"host", "x-sdk-date", "content-type", "x-project-id"}:
            return False
        request = SdkRequest(
            method=asked.method,
            schema="http",
            host=asked.headers["host"],
            resource_path=path,
            query_params=parse_qsl(query, keep_blank_values=True),
            header_params={name: asked.headers[name] for name in names},
            body=asked.body,
        )
        Signer(BasicCredentials(ACCESS, SECRET)).sign(request)
        signed_at = datetime.strptime(asked.headers["x-sdk-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        is_in_time = abs(datetime.now(UTC) + self.skew - signed_at) < timedelta(minutes=15)
        return bool(is_in_time and request.header_params["Authorization"] == authorization)

    def refuse(self, code: str, words: str) -> Reply:
        body = json.dumps({"error_code": code, "error_msg": words}).encode()
        return Reply(401, body, JSON)


@dataclass(frozen=True)
class Shop:
    """A project whose endpoint is the gateway."""

    folder: ProjectFolder
    gateway: Gateway
    front: Loopback

    def with_(self, environ: dict[str, str]) -> ProjectFolder:
        return replace(self.folder, environ=environ)

    def paths(self) -> list[str]:
        return [one.path.split("?")[0] for one in self.front.asked]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    folder = ProjectFolder(tmp_path / "shop")
    folder.manifest(MANIFEST)
    folder.seed(SEED)
    with serve(folder.data) as sandbox:
        gateway = Gateway(sandbox)
        with loopback(gateway.answer) as front:
            folder.configure(front.endpoint)
            yield Shop(folder, gateway, front)


def ensure_silent(text: str) -> None:
    """No secret, nor the access key, in anything printed."""
    for secret in (ACCESS, SECRET, PASSWORD, "token-1", "token-2"):
        assert secret not in text


@pytest.mark.parametrize("way", ["key", "sdk key", "temporary key", "file", "login"])
def test_the_whole_way_with_every_kind_of_credentials(shop: Shop, way: str, tmp_path: Path) -> None:
    """Plan and apply, then nothing is left to do; a changing request's body is part of what was checked."""
    file = tmp_path / "credentials"
    file.write_text(f"[basic]\nak = {ACCESS}\nsk = {SECRET}\n")
    environ = {
        "key": KEY,
        "sdk key": {"HUAWEICLOUD_SDK_AK": ACCESS, "HUAWEICLOUD_SDK_SK": SECRET},
        "temporary key": {**KEY, "HW_SECURITY_TOKEN": "st-4711"},
        "file": {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)},
        "login": LOGIN,
    }[way]
    project = shop.with_(environ)
    planned = project.run("plan", "--detailed-exitcode", code=2)
    done = project.run("apply", "--auto-approve", "--json")
    ensure_silent(planned.all + done.all)
    assert project.call("plan", "--detailed-exitcode").out.startswith("No changes.")
    assert shop.folder.sent() == ["cart scale"]
    sent = next(one for one in shop.front.asked if one.path.endswith("/action"))
    if way == "login":
        assert "authorization" not in sent.headers
        assert shop.paths().count("/v3/auth/tokens") == len(shop.gateway.tokens) <= 4  # one for each client
    else:
        assert "/v3/auth/tokens" not in shop.paths()
        assert sent.headers["x-project-id"] == PROJECT
        assert sent.headers.get("x-security-token") == ("st-4711" if way == "temporary key" else None)


@pytest.mark.parametrize("change", [{"HW_SECRET_KEY": "sk-wrong-4711"}, {"HW_ACCESS_KEY": "AKWRONG4711"}], ids=str)
def test_a_wrong_key_is_used_once(shop: Shop, change: dict[str, str]) -> None:
    """One request; the gateway echoes our headers, and what is printed shows none of them."""
    refused = shop.with_({**KEY, **change}).run("apply", "--auto-approve", code=1)
    assert len(shop.front.asked) == 1
    assert "error[unauthorized]" in refused.err
    assert "environment HW_ACCESS_KEY" in refused.err
    assert "4711" not in refused.all
    ensure_silent(refused.all)


def test_a_wrong_password_is_sent_once(shop: Shop) -> None:
    """To IAM, and nothing to the platform; IAM echoes it, and it is not printed."""
    refused = shop.with_({**LOGIN, "HW_USER_PASSWORD": "wrong-4711"}).run("plan", "--json", code=1)
    assert shop.paths() == ["/v3/auth/tokens"]
    assert refused.codes == ["unauthorized"]
    assert "HW_USER_PASSWORD" in refused.out
    assert "4711" not in refused.all


def test_a_revoked_token_is_renewed_once(shop: Shop) -> None:
    """The first one IAM gives is refused: one more login, one more request, and the plan stands."""
    shop.gateway.revoked.add("token-1")
    shop.with_(LOGIN).run("plan", "--detailed-exitcode", code=2)
    assert shop.paths()[:4] == ["/v3/auth/tokens", shop.paths()[1], "/v3/auth/tokens", shop.paths()[1]]
    assert len(shop.gateway.tokens) == 2


def test_tokens_that_are_all_refused_end_it(shop: Shop) -> None:
    """Two logins and two requests, whatever the command."""
    shop.gateway.revoked.update(f"token-{n}" for n in range(1, 100))
    refused = shop.with_(LOGIN).run("apply", "--auto-approve", code=1)
    assert len(shop.front.asked) == 4
    assert "error[unauthorized]" in refused.err
    ensure_silent(refused.all)


def test_a_clock_that_is_off_is_said(tmp_path: Path) -> None:
    """By the Date header of the answer, with how far and what to do."""
    there = datetime.now(UTC) - timedelta(hours=3)

    def skewed(asked: Asked) -> Reply:
        body = b'{"error_code": "APIGW.0303", "error_msg": "Incorrect app authentication information"}'
        return Reply(401, body, {**JSON, "Date": format_datetime(there, usegmt=True)})

    folder = ProjectFolder(tmp_path, KEY)
    folder.manifest(MANIFEST)
    with loopback(skewed) as front:
        folder.configure(front.endpoint)
        refused = folder.run("plan", code=1)
    assert "error[clock_skew]" in refused.err
    assert "this machine's clock is 3 h ahead of the platform's" in refused.err
    assert len(front.asked) == 1


def test_the_configured_kind_is_the_only_one_taken(shop: Shop) -> None:
    """With `auth: password` a key that is there is not used, and what is missing is named."""
    text = (shop.folder.root / "statetool.yaml").read_text(encoding="utf-8")
    shop.folder.write("statetool.yaml", text.replace("platform: {", "platform: {auth: password, "))
    missing = shop.with_(KEY).run("plan", code=1)
    assert "platform.auth is password" in missing.err
    assert "HW_USER_PASSWORD" in missing.err
    assert shop.front.asked == []
    shop.with_({**KEY, **LOGIN}).call("plan", "--detailed-exitcode", code=2)
    assert "/v3/auth/tokens" in shop.paths()


def test_without_credentials_all_ways_are_named_and_nothing_is_sent(shop: Shop) -> None:
    """Not even to a metadata service: a sandbox on this machine has nothing to do with its agency."""
    missing = shop.with_({}).run("plan", code=1)
    for name in ("HW_AUTH_TOKEN", "HW_ACCESS_KEY", "HW_USER_NAME", "~/.huaweicloud/credentials", "sandbox:"):
        assert name in missing.err
    assert shop.front.asked == []


def test_half_a_key_is_an_error_before_anything_is_sent(shop: Shop) -> None:
    """The missing half is named, the other not shown."""
    refused = shop.with_({"HW_SECRET_KEY": SECRET}).run("plan", "--json", code=1)
    assert refused.codes == ["bad_credentials"]
    assert "HW_ACCESS_KEY" in refused.out
    ensure_silent(refused.all)
    assert shop.front.asked == []


# The project id, for an endpoint on the network: only IAM is asked, and here IAM is this machine.


def pinned(folder: Path, iam: str, environ: dict[str, str], endpoint: str = "") -> Settings:
    """Settings of a project in region cn-north-4, with the id looked up."""
    line = f"  endpoint: {endpoint}\n" if endpoint else ""
    (folder / "statetool.yaml").write_text(f"version: 1\nplatform:\n  region: cn-north-4\n{line}")
    settings = load_settings(folder, {"HW_AUTH_URL": f"{iam}/v3", **environ}, {})
    assert settings.project_id == ""
    credentials: Credentials | None = load_credentials(environ)
    return with_project_id(settings, credentials, frozenset())


def projects(check: Callable[[Asked], bool]) -> Callable[[Asked], Reply]:
    """An IAM that knows one project of cn-north-4, and tells those who pass."""

    def answer(asked: Asked) -> Reply:
        if not check(asked):
            return Reply(401, b'{"error_code": "APIGW.0301"}', JSON)
        return Reply(200, json.dumps({"projects": [{"id": PROJECT, "name": "cn-north-4"}]}).encode(), JSON)

    return answer


def test_the_project_id_is_looked_up(tmp_path: Path) -> None:
    """With a token, by the region's name; its origin says where."""
    with loopback(projects(lambda asked: asked.headers.get("x-auth-token") == "t")) as iam:
        settings = pinned(tmp_path, iam.endpoint, {"HW_AUTH_TOKEN": "t"})
    assert settings.project_id == PROJECT
    assert settings.origins["platform.project_id"] == f"looked up at {iam.endpoint}"
    assert [one.path for one in iam.asked] == ["/v3/projects?name=cn-north-4"]


def test_the_project_id_beside_the_key_is_enough(tmp_path: Path) -> None:
    """Nobody is asked."""
    file = tmp_path / "credentials"
    file.write_text(f"[basic]\nak = {ACCESS}\nsk = {SECRET}\nproject_id = {PROJECT}\n")
    with loopback(projects(lambda asked: True)) as iam:
        settings = pinned(tmp_path, iam.endpoint, {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)})
    assert settings.project_id == PROJECT
    assert settings.origins["platform.project_id"] == f"file {file}"
    assert iam.asked == []


def test_a_key_that_iam_refuses_is_used_once(tmp_path: Path) -> None:
    """The same rule as at the platform."""
    with loopback(projects(lambda asked: False)) as iam, pytest.raises(Unauthorized):
        pinned(tmp_path, iam.endpoint, KEY)
    assert len(iam.asked) == 1


def test_an_endpoint_that_may_not_have_credentials_ends_it_before_iam_is_asked(tmp_path: Path) -> None:
    """A pull request that edits the endpoint learns nothing, and nobody is logged in for it."""
    with loopback(projects(lambda asked: True)) as iam, pytest.raises(EndpointRefused):
        pinned(tmp_path, iam.endpoint, KEY, "https://evil.example")
    assert iam.asked == []


def test_without_a_region_there_is_nothing_to_look_up(tmp_path: Path) -> None:
    """A gateway of one's own, and no name of a region: said in a sentence."""
    (tmp_path / "statetool.yaml").write_text("version: 1\nplatform: {endpoint: 'https://gateway.example.com'}\n")
    settings = load_settings(tmp_path, {}, {})
    with pytest.raises(StatetoolError) as caught:
        with_project_id(settings, load_credentials(KEY), frozenset({"gateway.example.com"}))
    assert caught.value.code == "missing_project_id"
    assert "HW_PROJECT_ID" in str(caught.value.hint)
