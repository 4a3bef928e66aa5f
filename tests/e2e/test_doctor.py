"""`statetool doctor` and `config show` against what can be wrong: real servers, real files, nothing replaced."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from e2e_loopback import Asked, Loopback, Reply, forward, loopback
from e2e_project import TOKEN, Done, ProjectFolder, serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statetool import surroundings
from statetool.backends.local import LocalBackend
from statetool.schema import validator

SEED = "applications:\n  shop:\n    environment: prod\n    components:\n      cart: {version: 1.4.2, replicas: 4}\n"
MANIFEST = "application: shop\ncomponents:\n  cart: {replicas: 6}\n"
READY = {"HW_AUTH_TOKEN": TOKEN}
KEY = {"HW_ACCESS_KEY": "sandbox-ak", "HW_SECRET_KEY": "sandbox-sk"}
LOGIN = {
    "HW_USER_NAME": "sandbox-user",
    "HW_USER_PASSWORD": "sandbox-password",
    "HW_DOMAIN_NAME": "sandbox",
}
LIST_APPLICATIONS = "servicestage:app:listApplication"
LIST_COMPONENTS = "servicestage:app:listComponent"
JSON = {"Content-Type": "application/json"}
UNTRUSTED = Path(__file__).with_name("untrusted.pem")
"""Key and certificate of localhost and 127.0.0.1, signed by itself; good for a hundred years."""


class Examined:
    """What `doctor --json` found. Its document fits the schema, and the exit code what it says."""

    def __init__(self, done: Done) -> None:
        self.document = done.document
        assert not list(validator("doctor").iter_errors(self.document))
        assert done.code == (1 if self.document["errored"] else 0)
        self.checks: list[dict[str, Any]] = self.document["checks"]

    def of(self, topic: str) -> dict[str, Any]:
        """The only check of that topic."""
        (found,) = [check for check in self.checks if check["topic"] == topic]
        return found

    def topics(self, status: str) -> list[str]:
        return [check["topic"] for check in self.checks if check["status"] == status]


def examine(project: ProjectFolder) -> Examined:
    return Examined(project.call("doctor", "--json", code=None))


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its mode, instant and content."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A project on a sandbox in its folder, applied once: it has a state and a job."""
    project.manifest(MANIFEST)
    project.seed(SEED)
    project.call("apply", "--auto-approve")
    return project


@contextmanager
def gateway(
    endpoint: str, refuse: Callable[[Asked], Reply | None] = lambda asked: None, *, ahead: timedelta = timedelta()
) -> Iterator[Loopback]:
    """The sandbox behind a server that counts, may refuse, and whose clock is so far ahead of ours."""

    def answer(asked: Asked) -> Reply:
        reply = refuse(asked) or forward(endpoint, asked, keep_host=True)
        date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        return replace(reply, headers={**reply.headers, "Date": date})

    with loopback(answer) as front:
        yield front


@pytest.fixture
def served(shop: ProjectFolder) -> Iterator[tuple[ProjectFolder, Loopback]]:
    """The same world served, behind a server that counts what it is asked."""
    with serve(shop.data) as endpoint, gateway(endpoint) as front:
        shop.configure(front.endpoint)
        yield shop, front


def with_credentials(asked: list[Asked]) -> list[Asked]:
    return [one for one in asked if {"x-auth-token", "authorization"} & set(one.headers) or one.method == "POST"]


# All is well


def test_all_is_well_in_the_sandbox_of_the_folder(shop: ProjectFolder) -> None:
    """Every check ends ok, nothing is written, and the words say what was seen."""
    before = snapshot(shop.root)
    examined = examine(shop)
    assert examined.topics("ok") == [check["topic"] for check in examined.checks]
    assert examined.of("state")["facts"]["serial"] == shop.state["serial"]
    assert examined.of("job")["facts"]["status"] == "SUCCEEDED"
    told = shop.run("doctor").out
    assert "2 records of shop/cart@prod" in told or "1 record of shop/cart@prod" in told
    assert told.endswith("0 warnings, 0 failed, 0 not reached.\n")
    assert snapshot(shop.root) == before


@pytest.mark.parametrize("environ", [READY, KEY, LOGIN], ids=["token", "key", "password"])
def test_all_is_well_over_tcp(served: tuple[ProjectFolder, Loopback], environ: dict[str, str]) -> None:
    """A stranger's request first, then a handful of reads; nothing is changed. The right to change stays open."""
    shop, front = served
    before, log = snapshot(shop.root / "manifests") | snapshot(shop.root / ".statetool"), shop.log()
    examined = examine(replace(shop, environ=environ))
    assert examined.topics("failed") == examined.topics("warning") == []
    assert examined.topics("not_reached") == ["changes"]
    assert "servicestage:app:modifyComponent" in examined.of("changes")["message"]
    assert examined.of("credentials")["code"] == "credentials_accepted"
    first, *rest = front.asked
    assert (first.method, first.path) == ("GET", "/")
    assert with_credentials([first]) == []
    assert len(rest) <= 6
    assert {one.path for one in rest if one.method != "GET"} <= {"/v3/auth/tokens?nocatalog=true"}
    assert shop.log() == log
    assert snapshot(shop.root / "manifests") | snapshot(shop.root / ".statetool") == before


def test_the_end_of_a_token_from_a_password_is_told(served: tuple[ProjectFolder, Loopback]) -> None:
    """IAM says when; of a ready token nobody here knows."""
    shop, _ = served
    facts = examine(replace(shop, environ=LOGIN)).of("credentials")["facts"]
    assert facts["kind"] == "password"
    assert 86_300 < facts["remaining_s"] < 86_500
    assert examine(replace(shop, environ=READY)).of("credentials")["facts"]["remaining_s"] is None


# Credentials


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"HW_AUTH_TOKEN": "wrong-4711"}, "HW_AUTH_TOKEN"),
        ({**KEY, "HW_SECRET_KEY": "wrong-4711"}, "HW_ACCESS_KEY"),
        ({**LOGIN, "HW_USER_PASSWORD": "wrong-4711"}, "HW_USER_PASSWORD"),
    ],
    ids=["token", "key", "password"],
)
def test_refused_credentials_are_sent_once(
    served: tuple[ProjectFolder, Loopback], environ: dict[str, str], told: str
) -> None:
    """Exit 1 with what to mend; what was not asked any more is named, with the permission it takes."""
    shop, front = served
    examined = examine(replace(shop, environ=environ))
    assert len(with_credentials(front.asked)) == 1
    assert examined.topics("failed") == ["credentials"]
    refused = examined.of("credentials")
    assert refused["code"] == "credentials_refused"
    assert told in refused["message"] + refused["hint"]
    assert examined.topics("not_reached") == ["applications", "components", "records", "job", "changes"]
    assert LIST_APPLICATIONS in examined.of("applications")["message"]
    assert LIST_COMPONENTS in examined.of("records")["message"]
    assert "4711" not in json.dumps(examined.document)


@pytest.mark.parametrize(
    ("environ", "code"), [({}, "credentials_missing"), ({"HW_ACCESS_KEY": "half-a-key"}, "credentials_bad")]
)
def test_without_credentials_the_rest_is_told(
    served: tuple[ProjectFolder, Loopback], environ: dict[str, str], code: str
) -> None:
    """Endpoint and clock need none; nothing is sent but the stranger's request."""
    shop, front = served
    examined = examine(replace(shop, environ=environ))
    assert examined.topics("failed") == ["credentials"]
    assert examined.of("credentials")["code"] == code
    assert examined.of("clock")["status"] == examined.of("endpoint")["status"] == "ok"
    assert [one.path for one in front.asked] == ["/"]
    assert "half-a-key" not in json.dumps(examined.document)


# The clock


@pytest.mark.parametrize(
    ("environ", "ahead", "status", "words"),
    [
        (KEY, timedelta(hours=-1), "failed", "1 h ahead of the platform's"),
        (KEY, timedelta(hours=1), "failed", "1 h behind the platform's"),
        (KEY, timedelta(minutes=5), "warning", "5 min behind"),
        (READY, timedelta(hours=-1), "warning", "1 h ahead of"),
        (READY, timedelta(seconds=20), "ok", "right to the minute"),
    ],
)
def test_a_clock_that_is_off(
    shop: ProjectFolder, environ: dict[str, str], ahead: timedelta, status: str, words: str
) -> None:
    """A signature that is certain to be refused is not sent: refusals are counted. A token does not mind."""
    with serve(shop.data) as endpoint, gateway(endpoint, ahead=ahead) as front:
        shop.configure(front.endpoint)
        examined = examine(replace(shop, environ=environ))
    assert examined.of("clock")["status"] == status
    assert words in examined.of("clock")["message"]
    if status == "failed":
        assert with_credentials(front.asked) == []
        assert examined.topics("failed") == ["clock"]
        assert examined.of("applications")["code"] == "needs_clock"
    else:
        assert examined.of("applications")["status"] == "ok"


# The endpoint


def test_nobody_listens(shop: ProjectFolder) -> None:
    """The connection is what fails, and folder and state are told all the same."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can have it either
        shop.configure(f"http://127.0.0.1:{taken.getsockname()[1]}")
        examined = examine(replace(shop, environ=READY))
    endpoint = examined.of("endpoint")
    assert endpoint["facts"]["step"] == "tcp"
    assert "refused" in endpoint["message"]
    assert examined.topics("failed") == ["endpoint"]
    assert examined.of("state")["status"] == examined.of("manifests")["status"] == "ok"
    assert examined.of("clock")["code"] == "needs_endpoint"


def test_a_name_that_nobody_has(shop: ProjectFolder) -> None:
    """`.invalid` never has an address."""
    shop.configure("https://servicestage.invalid")
    environ = {**READY, "STATETOOL_ALLOW_ENDPOINTS": "servicestage.invalid", "HW_PROJECT_ID": "a" * 32}
    endpoint = examine(replace(shop, environ=environ)).of("endpoint")
    assert (endpoint["status"], endpoint["facts"]["step"]) == ("failed", "dns")
    assert "servicestage.invalid" in endpoint["message"]


def test_a_host_that_may_have_no_credentials_is_not_even_knocked_at(shop: ProjectFolder) -> None:
    """An endpoint that a pull request names learns nothing."""
    shop.configure("https://evil.invalid")
    examined = examine(replace(shop, environ={**READY, "HW_PROJECT_ID": "a" * 32}))
    assert examined.of("endpoint")["code"] == "endpoint_refused"
    assert "STATETOOL_ALLOW_ENDPOINTS" in examined.of("endpoint")["hint"]


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where each connection is handed to `talk`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        talk(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join()


def test_a_certificate_that_nobody_signed(shop: ProjectFolder) -> None:
    """Connected, but not trusted: said apart from a port that is closed, and nothing was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            heard.append(wrapped.recv(1000))

    with listening(talk) as port:
        shop.configure(f"https://localhost:{port}")
        endpoint = examine(replace(shop, environ=READY)).of("endpoint")
    assert (endpoint["status"], endpoint["facts"]["step"]) == ("failed", "tls")
    assert "self-signed" in endpoint["message"].replace(" ", "-")
    assert "signed by nobody this machine knows" in endpoint["hint"]
    assert not any(heard)


def test_a_port_that_speaks_no_tls(shop: ProjectFolder) -> None:
    """https in the configuration, plain text at the other end."""
    with listening(lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n")) as port:
        shop.configure(f"https://127.0.0.1:{port}")
        endpoint = examine(replace(shop, environ=READY)).of("endpoint")
    assert (endpoint["status"], endpoint["facts"]["step"]) == ("failed", "tls")


def test_a_port_that_speaks_no_http(shop: ProjectFolder) -> None:
    """Something else listens there."""
    with listening(lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n")) as port:
        shop.configure(f"http://127.0.0.1:{port}")
        endpoint = examine(replace(shop, environ=READY)).of("endpoint")
    assert (endpoint["status"], endpoint["facts"]["step"]) == ("failed", "http")


# Permissions


FORBIDDEN = Reply(403, b'{"error_code": "APIGW.0302", "error_msg": "not allowed"}', JSON)
HIDDEN = Reply(401, b'{"error_code": "SVCSTG.00100401", "error_msg": "does not exist"}', JSON)


@pytest.mark.parametrize("refusal", [FORBIDDEN, HIDDEN], ids=["403", "401 not visible"])
@pytest.mark.parametrize(
    ("part", "failed", "permission", "code"),
    [
        ("/applications?", ["applications"], LIST_APPLICATIONS, "needs_applications"),
        ("/components?", ["components"], LIST_COMPONENTS, "needs_components"),
        ("/records?", ["records"], LIST_COMPONENTS, None),
        ("/jobs/", ["job"], LIST_APPLICATIONS, None),
    ],
)
def test_a_permission_that_is_missing_is_named(
    shop: ProjectFolder, refusal: Reply, part: str, failed: list[str], permission: str, code: str | None
) -> None:
    """What can still be read is read."""
    with (
        serve(shop.data) as endpoint,
        gateway(endpoint, lambda asked: refusal if part in asked.path else None) as front,
    ):
        shop.configure(front.endpoint)
        examined = examine(replace(shop, environ=READY))
    assert examined.topics("failed") == failed
    refused = examined.of(failed[0])
    assert refused["code"] == "permission_missing"
    assert permission in refused["message"]
    assert permission in refused["hint"]
    assert refused["diagnostics"]
    if code is None:
        assert examined.topics("not_reached") == ["changes"]
    else:
        assert examined.of("job")["code"] == code


def test_a_job_that_is_forgotten_is_no_failure(shop: ProjectFolder) -> None:
    """The platform drops old jobs."""
    gone = Reply(404, b'{"error_code": "SVCSTG.00100429", "error_msg": "job not found"}', JSON)
    with (
        serve(shop.data) as endpoint,
        gateway(endpoint, lambda asked: gone if "/jobs/" in asked.path else None) as front,
    ):
        shop.configure(front.endpoint)
        assert examine(replace(shop, environ=READY)).of("job")["code"] == "job_gone"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503, b'{"error_msg": "sorry"}', JSON),
        Reply(429, b'{"error_code": "APIGW.0308"}', {**JSON, "Retry-After": "1"}),
        Reply(200, b"<html>log in</html>", {"Content-Type": "text/html"}),
        Reply(200, b'{"count": 1', JSON),
        None,
    ],
    ids=["503", "429", "html", "half", "dead"],
)
def test_a_platform_in_trouble_is_asked_once(shop: ProjectFolder, reply: Reply | None) -> None:
    """A doctor says what it sees; waiting until it passes is for a plan."""
    with loopback(lambda asked: reply if "/applications" in asked.path else Reply(404)) as front:
        shop.configure(front.endpoint)
        examined = examine(replace(shop, environ=READY))
    assert examined.topics("failed") == ["applications"]
    assert len([one for one in front.asked if "/applications" in one.path]) == 1


def test_a_project_that_the_gateway_does_not_know(shop: ProjectFolder) -> None:
    """The hint names what to look at."""
    unknown = Reply(404, b'{"error_code": "APIGW.0101", "error_msg": "no such api"}', JSON)
    with loopback(lambda asked: unknown) as front:
        shop.configure(front.endpoint)
        examined = examine(replace(shop, environ=READY))
    assert "project_id" in examined.of("applications")["hint"]


# The folder


def test_no_project_here(tmp_path: Path) -> None:
    """Nothing can be told but the versions; exit 1."""
    examined = examine(ProjectFolder(tmp_path))
    assert examined.topics("failed") == ["configuration"]
    assert examined.topics("ok") == ["version"]
    assert "statetool init" in examined.of("configuration")["hint"]


def test_a_broken_configuration_sends_nothing_and_hides_little(served: tuple[ProjectFolder, Loopback]) -> None:
    """An unknown key: manifests and state are looked at, the platform is not."""
    shop, front = served
    shop.edit("statetool.yaml", "limits:\n", "limits:\n  paralelism: 3\n")
    examined = examine(replace(shop, environ=READY))
    assert examined.topics("failed") == ["configuration"]
    assert "statetool.yaml:4:3" in examined.of("configuration")["message"]
    assert examined.of("manifests")["status"] == examined.of("state")["status"] == "ok"
    assert examined.of("endpoint")["code"] == "needs_configuration"
    assert front.asked == []


def test_a_state_path_that_is_refused_is_not_replaced_by_the_default(shop: ProjectFolder) -> None:
    """Looking at another file than the one that was meant would mislead."""
    shop.configure(more="state: {path: [1]}\n")
    examined = examine(shop)
    assert examined.of("state")["code"] == "needs_configuration"
    assert examined.of("manifests")["status"] == "ok"


def test_allowed_hosts_that_are_no_hosts(shop: ProjectFolder) -> None:
    """A bad variable belongs to the configuration."""
    examined = examine(replace(shop, environ={"STATETOOL_ALLOW_ENDPOINTS": "https://x/"}))
    assert examined.topics("failed") == ["configuration"]
    assert "STATETOOL_ALLOW_ENDPOINTS" in examined.of("configuration")["message"]


def test_a_broken_manifest(shop: ProjectFolder) -> None:
    """The first few errors with their places; the state and the platform are looked at all the same."""
    shop.manifest("application: shop\ncomponents:\n" + "".join(f"  c{n}: {{replica: 1}}\n" for n in range(5)))
    examined = examine(shop)
    assert examined.topics("failed") == ["manifests"]
    assert "manifests/shop.yaml:3:8" in examined.of("manifests")["message"]
    assert len(examined.of("manifests")["diagnostics"]) == 5
    assert examined.of("applications")["status"] == "ok"
    told = shop.call("doctor", code=1).out
    assert "and 2 more" in told
    assert "statetool validate" in told


def test_a_state_that_is_locked(shop: ProjectFolder) -> None:
    """By whom; no lock is taken, and the holder is not disturbed."""
    backend = LocalBackend(shop.root / ".statetool/state.json")
    info = surroundings.lock_info("apply", "run-7", "0.1.0", {"CI_JOB_URL": "https://ci.example/7"})
    with backend.lock(info, 0, lambda holder: None):
        before = snapshot(shop.root)
        examined = examine(shop)
        assert snapshot(shop.root) == before
    held = examined.of("lock")
    assert held["status"] == "warning"
    for part in (info.who, str(info.pid), "run-7", "https://ci.example/7"):
        assert part in held["message"]
    assert examine(shop).of("lock")["code"] == "lock_free"


def test_a_lock_that_a_killed_run_left_is_free(shop: ProjectFolder) -> None:
    """The kernel let go of it, whatever its note says."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    note = shop.root / ".statetool/state.json.lock-info"
    info = replace(surroundings.lock_info("apply", "run-7", "0.1.0", {}), pid=ended.pid)
    backend = LocalBackend(shop.root / ".statetool/state.json")
    with backend.lock(info, 0, lambda holder: None):
        text = note.read_text()
    note.write_text(text)
    assert examine(shop).of("lock")["code"] == "lock_free"
    note.write_text(text.replace(info.host, "elsewhere"))
    assert examine(shop).of("lock")["code"] == "lock_held"


def test_a_state_that_is_damaged(shop: ProjectFolder) -> None:
    """What is wrong, where the previous one stands; the platform is looked at all the same."""
    shop.write(".statetool/state.json", b'{"format_version": "1.0", "comp')
    examined = examine(shop)
    assert examined.topics("failed") == ["state"]
    assert "state.json" in examined.of("state")["message"]
    assert examined.of("job")["status"] == "ok"


def test_a_folder_of_the_state_that_is_a_file(project: ProjectFolder) -> None:
    """No apply could save anything."""
    project.manifest(MANIFEST)
    project.configure("sandbox:world.db", "state: {path: kept/state.json}\n")
    project.write("kept", "a file in place of the folder")
    examined = examine(project)
    assert examined.topics("failed") == ["state", "state_folder"]
    assert "is not a folder" in examined.of("state_folder")["message"]


def test_a_state_that_everybody_may_read(shop: ProjectFolder) -> None:
    """A warning with the command that mends it; the exit code stays 0."""
    (shop.root / ".statetool/state.json").chmod(0o644)
    examined = examine(shop)
    assert examined.topics("warning") == ["state_folder"]
    assert examined.of("state_folder")["hint"].startswith("chmod 600 ")


def test_a_rescue_that_nobody_took_over(shop: ProjectFolder) -> None:
    """The next apply would refuse to go on: said now, with the command."""
    shop.write(".statetool/state.json.rescue-99", (shop.root / ".statetool/state.json").read_bytes())
    examined = examine(shop)
    assert examined.of("state_folder")["code"] == "rescue_pending"
    assert "statetool state push " in examined.of("state_folder")["hint"]


@pytest.mark.parametrize(
    ("environ", "warns"),
    [({"CI": "true"}, True), ({"GITHUB_ACTIONS": "true"}, True), ({"CI": "false"}, False), ({}, False)],
)
def test_a_local_state_in_a_ci_job(shop: ProjectFolder, environ: dict[str, str], warns: bool) -> None:
    """It ends with the machine."""
    examined = examine(replace(shop, environ=environ))
    assert examined.topics("warning") == (["state_folder"] if warns else [])
    assert (examined.of("state_folder")["code"] == "ephemeral_state") is warns


def test_a_sandbox_without_a_world_is_not_made(project: ProjectFolder) -> None:
    """Looking must not create; the hint says what does."""
    project.manifest(MANIFEST)
    before = snapshot(project.root)
    examined = examine(project)
    assert examined.topics("warning") == ["sandbox"]
    assert "sandbox seed" in examined.of("sandbox")["hint"]
    assert snapshot(project.root) == before
    assert not (project.root / ".statetool").exists()


def test_a_sandbox_file_that_is_no_world(shop: ProjectFolder) -> None:
    """Said where it is looked for."""
    shop.write(".statetool/sandbox.db", b"not a database, and long enough to be none" * 30)
    examined = examine(shop)
    assert examined.topics("failed") == ["sandbox"]
    assert "sandbox.db" in examined.of("sandbox")["message"]


def test_an_empty_world(project: ProjectFolder) -> None:
    """There is nothing to read yet, which is no failure."""
    project.manifest(MANIFEST)
    project.seed("applications: {}\n")
    examined = examine(project)
    assert examined.document["errored"] is False
    assert examined.of("job")["code"] == "nothing_there"


# config show


def shown(project: ProjectFolder) -> Any:
    document = project.call("config", "show", "--json").document
    assert not list(validator("settings").iter_errors(document))
    return document


def test_every_setting_has_a_value_and_an_origin(shop: ProjectFolder) -> None:
    """From the file with its place, from the environment with its variable, or by default. Nothing is opened."""
    shop.configure("http://127.0.0.1:9", "timezone: Asia/Shanghai\n")
    before = snapshot(shop.root)
    environ = {**KEY, "HW_PROJECT_ID": "F" * 32, "STATETOOL_ALLOW_ENDPOINTS": "b.example,a.example"}
    document = shown(replace(shop, environ=environ))
    settings = {row["name"]: (row["value"], row["origin"]) for row in document["settings"]}
    assert settings["platform.endpoint"] == ("http://127.0.0.1:9", "statetool.yaml:2:22")
    assert settings["platform.project_id"] == ("f" * 32, "environment HW_PROJECT_ID")
    assert settings["limits.parallelism"] == (10, "default")
    assert settings["limits.poll_interval_s"] == (0.05, "statetool.yaml:5:20")
    assert settings["timezone"] == ("Asia/Shanghai", "statetool.yaml:6:11")
    assert document["credentials"] == {"kind": "access_key", "origin": "environment HW_ACCESS_KEY"}
    assert document["allowed_hosts"]["hosts"] == ["a.example", "b.example"]
    assert document["state_location"] == str(shop.root / ".statetool/state.json")
    assert snapshot(shop.root) == before


def test_a_broken_configuration_is_explained(shop: ProjectFolder) -> None:
    """Exit 1 with the diagnostics, in both modes."""
    shop.configure(more="  paralelism: 3\n")
    assert "statetool.yaml:6:3: error[unknown_key]" in shop.call("config", "show", code=1).err
    assert shop.call("config", "show", "--json", code=1).codes == ["unknown_key"]


# Secrets


def spellings(secret: str) -> set[str]:
    """The ways in which it could be written somewhere."""
    coded = base64.b64encode(secret.encode()).decode()
    return {secret, coded, coded.rstrip("="), quote(secret, safe=""), json.dumps(secret)[1:-1]}


# Hypothesis also draws words of our own source, such as the code of a check: a mark keeps a secret from being one.
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=40).map("~{}~".format)
KINDS: Mapping[str, tuple[str, ...]] = {
    "token": ("HW_AUTH_TOKEN",),
    "key": ("HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN"),
    "sdk key": ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"),
    "password": ("HW_USER_PASSWORD",),
}


@pytest.fixture(scope="module")
def echo() -> Iterator[Loopback]:
    """A server that refuses everybody and repeats all it was told, in its message and in a header."""

    def answer(asked: Asked) -> Reply:
        told = json.dumps(dict(asked.headers)) + asked.body.decode("utf-8", "replace") + asked.path
        body = json.dumps({"error_code": "APIGW.0301", "error_msg": told}).encode()
        return Reply(401 if asked.path != "/" else 404, body, {**JSON, "X-Request-Id": quote(told)[:90]})

    with loopback(answer) as server:
        yield server


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_secret_is_ever_shown(echo: Loopback, tmp_path: Path, data: st.DataObject) -> None:
    """Raw, base64, URL- or JSON-escaped: not by doctor, not by config show, in neither mode."""
    names = KINDS[data.draw(st.sampled_from(sorted(KINDS)))]
    secrets = {name: data.draw(SECRETS) for name in names}
    names_beside = {"HW_USER_NAME": "mei", "HW_DOMAIN_NAME": "acme"} if "HW_USER_PASSWORD" in names else {}
    project = ProjectFolder(tmp_path, {**secrets, **names_beside})
    project.configure(echo.endpoint)
    for command in (("doctor",), ("doctor", "--json"), ("config", "show"), ("config", "show", "--json")):
        done = project.call(*command, code=None)
        assert done.out
        for secret in secrets.values():
            for spelling in spellings(secret):
                assert spelling not in done.all
