"""The ASGI application: token, headers, control path, and that nothing makes it fall over."""

import asyncio
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statetool.sandbox import Sandbox, SandboxError, create_app

PROJECT = "/v3/0123456789abcdef0123456789abcdef/cas"
SEED = """
sandbox: {stale_ms: 0}
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
"""


class Http:
    """Requests to the application without a socket."""

    def __init__(self, sandbox, *, token="sandbox-token", client=("127.0.0.1", 5000), base="http://127.0.0.1:9000"):
        self.transport = httpx.ASGITransport(create_app(sandbox, token=token), client=client)
        self.base = base

    def __call__(self, method, path, **options):
        async def send():
            async with httpx.AsyncClient(transport=self.transport, base_url=self.base) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())


@pytest.fixture(scope="module")
def sandbox():
    """A world whose jobs end at once."""
    sandbox = Sandbox.open(None, job_seconds=0)
    sandbox.seed(SEED, "seed.yaml")
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def cart(sandbox):
    """The path of shop/cart."""
    [row] = sandbox.handle("GET", f"{PROJECT}/components", "component_name=cart").body["components"]
    return f"{PROJECT}/applications/{row['application_id']}/components/{row['id']}"


def test_token(sandbox):
    """A missing or wrong token is the gateway's 401; an unknown path is found first."""
    http = Http(sandbox)
    for headers in ({}, {"X-Auth-Token": "wrong"}, {"X-Auth-Token": "gehéim"}):
        answer = http("GET", f"{PROJECT}/components", headers={k: v.encode() for k, v in headers.items()})
        assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert http("GET", "/v3/x/nothing").json()["error_code"] == "APIGW.0101"
    assert http("GET", f"{PROJECT}/components", headers={"X-Auth-Token": "sandbox-token"}).status_code == 200


def test_without_a_token(sandbox, cart):
    """Inside one process no credentials are needed; every answer has a request id of its own."""
    http = Http(sandbox, token=None)
    answers = [http("GET", f"{PROJECT}/components", params={"limit": 1}), http("GET", cart), http("GET", "/a%0Ab")]
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3
    assert answers[0].headers["Content-Type"] == "application/json"
    assert answers[2].json()["error_code"] == "APIGW.0101"


def test_an_action_over_http(sandbox, cart):
    """A request, its job, its end."""
    http = Http(sandbox, token=None)
    answer = http("POST", f"{cart}/action", json={"action": "scale", "parameters": {"replica": 3}})
    job = http("GET", f"{PROJECT}/jobs/{answer.json()['job_id']}").json()["job"]
    assert job["execution_status"] == "SUCCEEDED"
    assert http("GET", cart).json()["status"]["replica"] == 3


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff", b"[" * 100_000, b'{"action": NaN}', b'"' + b"9" * 9999 + b'"'),
        # Well-formed, but not to be written as JSON again.
        *(b'{"action": "stop", "more": 1e999}', b'{"action": "stop", "more": ' + b"[" * 200 + b"]" * 200 + b"}"),
    ],
)
def test_bodies_that_are_no_action(sandbox, cart, body):
    """400, never 500."""
    answer = Http(sandbox, token=None)("POST", f"{cart}/action", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SVCSTG.00100400")


def test_a_body_that_is_too_large(sandbox, cart):
    """The gateway refuses it."""
    answer = Http(sandbox, token=None)("POST", f"{cart}/action", content=b"x" * 1_100_000)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "APIGW.0201")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
VERBS = st.sampled_from(
    [
        "start",
        "stop",
        "restart",
        "scale",
        "rollback",
        "rollback_current",
        "continue_deploy",
        "modify_gray_rule",
        "sync_workload",
        "check_gray_release",
    ]
)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        [
            "replica",
            "hosts",
            "version",
            "type",
            "first_batch_weight",
            "rule_match_mode",
            "rules",
            "gray_release",
            "deploy_strategy",
        ]
    ),
    JSON | st.sampled_from(["WEIGHT", "content", "1.4.1", "2.1.0", 3, [{"type": "header"}], "\ud800"]),
)
BODIES = st.fixed_dictionaries({"action": VERBS | JSON}, optional={"parameters": PARAMETERS | JSON}) | JSON


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, name=st.sampled_from(["cart", "search"]))
def test_random_actions_never_break_it(sandbox, body, name):
    """Whatever JSON comes: an answer below 500 that is JSON, and a world that can still be read."""
    [row] = sandbox.handle("GET", f"{PROJECT}/components", f"component_name={name}").body["components"]
    path = f"{PROJECT}/applications/{row['application_id']}/components/{row['id']}"
    answer = sandbox.handle("POST", f"{path}/action", "", json.dumps(body).encode())
    assert answer.status_code < 500
    json.dumps(answer.body)
    detail = sandbox.handle("GET", path)
    assert detail.status_code == 200
    records = sandbox.handle("GET", f"{path}/records").body["records"]
    assert sum(record["current_used"] for record in records) == 1
    if detail.body["status"]["component_status"] == "RUNNING":
        assert detail.body["status"]["replica"] == detail.body["replica"]


FIELDS = st.dictionaries(
    st.sampled_from(
        [
            *("name", "version", "replica", "runtime_stack", "source", "refer_resources", "deploy_strategy", "envs"),
            *("labels", "environment_id", "description", "limit_cpu", "action", "components", "parameters", "vpc_id"),
            *("configuration", "resources", "auth"),
        ]
    ),
    JSON | st.sampled_from(["\ud800", "1.9.0", [{}], {"type": "GrayRelease", "gray_release": {"type": "WEIGHT"}}]),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=FIELDS | JSON,
    whole=st.booleans(),
    method=st.sampled_from(["POST", "PUT"]),
    path=st.sampled_from(
        ["", "/components", "/action", "/configuration", "/components/C", "/environments", "/components/action"]
    ),
)
def test_random_writes_never_break_it(sandbox, body, whole, method, path):
    """Bodies of anything that creates, deploys or changes; some begin from a body that would be accepted."""
    [row] = sandbox.handle("GET", f"{PROJECT}/components", "component_name=cart").body["components"]
    if whole and isinstance(body, dict):
        detail = sandbox.handle("GET", f"{PROJECT}/applications/{row['application_id']}/components/{row['id']}").body
        body = {key: detail[key] for key in ("name", "runtime_stack", "source", "replica", "refer_resources")} | body
    own = f"/applications/{row['application_id']}{path.replace('C', row['id'])}"
    content = json.dumps(body).encode()
    for target in (f"{PROJECT}{own}", f"{PROJECT}{path}", "/v3/auth/tokens"):
        answer = sandbox.handle(method, target, "", content)
        assert answer.status_code < 500
        json.dumps(answer.body)
    for lists in ("components", "applications", "environments"):
        assert sandbox.handle("GET", f"{PROJECT}/{lists}").status_code == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
    path=st.text(max_size=20) | st.sampled_from([f"{PROJECT}/components", f"{PROJECT}/jobs/x"]),
    query=st.text(max_size=20) | st.sampled_from(["limit=９", "offset=1e3", "limit=10&limit=x", "version=%ff"]),
)
def test_random_requests_never_break_it(sandbox, method, path, query):
    """Paths and queries of any text."""
    assert sandbox.handle(method, path, query).status_code < 500


def test_an_accident_is_a_500(tmp_path):
    """An exception inside becomes an answer and does not reach the server or the client's transport."""
    sandbox = Sandbox.open(tmp_path / "world.db")
    sandbox.close()
    answer = Http(sandbox, token=None)("GET", f"{PROJECT}/components")
    assert (answer.status_code, answer.json()["error_code"]) == (500, "APIGW.0601")
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"]


def test_control_path():
    """Seed, disturb, log and reset need no token; mistakes are 400 with a sentence."""
    sandbox = Sandbox.open(None, job_seconds=0)
    http = Http(sandbox)
    answer = http("POST", "/sandbox/seed", json={"text": SEED, "filename": "s.yaml"})
    assert answer.json() == {"applications": 1, "environments": 1, "components": 2}
    assert http("POST", "/sandbox/disturb", json={"address": "shop/cart", "replicas": 9}).json() == {}
    [row] = sandbox.handle("GET", f"{PROJECT}/components", "component_name=cart").body["components"]
    assert row["status"]["replica"] == 9
    http("POST", f"{PROJECT}/anything", json={"a": 1})
    [entry] = http("GET", "/sandbox/log").json()["log"]
    assert (entry["method"], entry["body"], entry["status_code"]) == ("POST", {"a": 1}, 404)
    for path, body, message in (
        ("/sandbox/seed", {"text": "[", "filename": "s.yaml"}, "s.yaml"),
        ("/sandbox/seed", {"text": SEED}, "filename is required"),
        ("/sandbox/disturb", {"address": "shop/card", "replicas": 1}, "did you mean shop/cart"),
        ("/sandbox/disturb", {"address": "shop/cart", "replica": 1}, "unknown disturbance"),
        ("/sandbox/disturb", {"address": "shop/cart", "status": 4}, "capitals"),
        ("/sandbox/disturb", [], "JSON object"),
    ):
        answer = http("POST", path, json=body)
        assert answer.status_code == 400 and message in answer.json()["error"]
    assert http("POST", "/sandbox/explode", json={}).status_code == 404
    http("POST", "/sandbox/reset", json={})
    assert http("GET", "/sandbox/log").json() == {"log": []}
    sandbox.close()


@pytest.mark.parametrize(
    ("where", "headers"),
    [
        ({"client": ("192.0.2.7", 5000)}, {}),
        ({"base": "http://sandbox.example:9000"}, {}),
        ({}, {"Content-Type": "text/plain"}),
    ],
)
def test_control_is_for_this_machine_only(sandbox, where, headers):
    """Other machines, and web pages in a browser on this one, are refused."""
    answer = Http(sandbox, **where)("POST", "/sandbox/reset", json={}, headers=headers)
    assert answer.status_code == 403
    assert sandbox.handle("GET", f"{PROJECT}/components").body["count"] == 2


def test_sandbox_error_has_no_traceback_of_the_database(tmp_path):
    """What the operator sees is one exception of one type."""
    with pytest.raises(SandboxError) as caught:
        Sandbox.open(tmp_path)
    assert caught.value.__cause__ is None
