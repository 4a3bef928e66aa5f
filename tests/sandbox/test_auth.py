"""Credentials: tokens for a password, project look-up, signatures, and what is done about wrong ones (section 9)."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statetool.sandbox import Accounts, Sandbox, create_app
from statetool.sandbox.signature import Arrival, parse_signature, verifies

PROJECT_ID = "0123456789abcdef0123456789abcdef"
PROJECT = f"/v3/{PROJECT_ID}/cas"
SEED = "applications: {shop: {environment: prod, components: {cart: {version: 1.0.0, replicas: 2}}}}"
HOST = "127.0.0.1:9000"


def signed(method, path, pairs=(), body=b"", *, at, ak="sandbox-ak", sk="sandbox-sk", extra=None, host=HOST):
    """(target, headers) of a request signed by the scheme of section 9.3; path is unencoded."""
    headers = {
        "Host": host,
        "X-Project-Id": PROJECT_ID,
        "Content-Type": "application/json",
        "X-Sdk-Date": datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ"),
        **(extra or {}),
    }
    query = "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in sorted(pairs))
    uri = "/".join(quote(piece, safe="~") for piece in path.split("/"))
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    names = sorted(lower)
    kind = lower["content-type"]
    digest = hashlib.sha256(body).hexdigest()
    if body and not kind.startswith(("application/json", "application/bson")):
        headers["X-Sdk-Content-Sha256"] = lower["x-sdk-content-sha256"] = digest = "UNSIGNED-PAYLOAD"
        names = sorted(lower)
    lines = "".join(f"{name}:{lower[name]}\n" for name in names)
    canonical = "\n".join((method, uri if uri.endswith("/") else f"{uri}/", query, lines, ";".join(names), digest))
    text = f"SDK-HMAC-SHA256\n{lower['x-sdk-date']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(sk.encode(), text.encode(), hashlib.sha256).hexdigest()
    value = f"SDK-HMAC-SHA256 Access={ak}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return uri + (f"?{query}" if query else ""), {**headers, "Authorization": value}


class Door:
    """A sandbox behind its door, and a clock the test turns."""

    def __init__(self, **options):
        self.now = 1_800_000_000.0
        self.sandbox = Sandbox.open(None, clock=lambda: self.now, job_seconds=0)
        self.seed()
        self.transport = httpx.ASGITransport(create_app(self.sandbox, **options), client=("127.0.0.1", 5000))

    def seed(self, switches="stale_ms: 0"):
        self.sandbox.seed(f"sandbox: {{{switches}}}\n{SEED}", "seed.yaml")

    def send(self, method, target, headers=None, body=b""):
        """The answer to a request sent as it is."""

        async def send():
            async with httpx.AsyncClient(transport=self.transport, base_url=f"http://{HOST}") as client:
                return await client.request(method, target, headers=headers, content=body)

        return asyncio.run(send())

    def signed(self, method="GET", path=f"{PROJECT}/components", pairs=(), body=b"", **options):
        """The answer to a signed request."""
        options.setdefault("at", self.now)
        target, headers = signed(method, path, pairs, body, **options)
        return self.send(method, target, headers, body)

    def code(self, answer):
        """(status code, error code or None)."""
        return answer.status_code, answer.json().get("error_code")

    def token(self, **changes):
        """The answer to a request for a token; `changes` replace user, password, domain or scope."""
        user = {
            "name": changes.get("user", "sandbox-user"),
            "password": changes.get("password", "sandbox-password"),
            "domain": {"name": changes.get("domain", "sandbox")},
        }
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": changes.get("scope", {"project": {"name": "cn-north-4"}}),
        }
        return self.send("POST", "/v3/auth/tokens?nocatalog=true", None, json.dumps({"auth": auth}).encode())

    def with_token(self, token):
        """(status code, error code) of a list with this token."""
        return self.code(self.send("GET", f"{PROJECT}/components", {"X-Auth-Token": token}))


REFUSED, SKEWED, LET_IN = (401, "APIGW.0301"), (401, "APIGW.0303"), (200, None)


@pytest.fixture
def door():
    """A fresh sandbox with the well-known accounts."""
    door = Door()
    yield door
    door.sandbox.close()


def test_a_token_for_a_password(door):
    """201, the token in a header, its end and project in the body; it is accepted until it ends, and then not."""
    answer = door.token()
    token = answer.headers["X-Subject-Token"]
    body = answer.json()["token"]
    assert answer.status_code == 201 and "catalog" not in body
    assert body["expires_at"] == "2027-01-16T08:00:00.000000Z"
    assert (body["project"]["id"], body["project"]["name"]) == (PROJECT_ID, "cn-north-4")
    assert door.with_token(token) == LET_IN
    assert door.with_token("sandbox-token") == LET_IN
    door.now += 24 * 3600 - 1
    assert door.with_token(token) == LET_IN
    door.now += 1
    assert door.with_token(token) == REFUSED


def test_how_long_a_token_is_good(door):
    """The switch token_seconds; a token issued before keeps the end it was given."""
    before = door.token().headers["X-Subject-Token"]
    door.seed("token_seconds: 60")
    token = door.token().headers["X-Subject-Token"]
    door.now += 60
    assert (door.with_token(token), door.with_token(before)) == (REFUSED, LET_IN)


def test_a_damaged_token(door):
    """Any changed character makes it worthless."""
    token = door.token().headers["X-Subject-Token"]
    for damaged in (token[:-1], f"x{token}", f"{token[:-1]}{'0' if token[-1] != '0' else '1'}", ".", "a.b", ""):
        assert door.with_token(damaged) == REFUSED


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"password": "x"}, 401),
        ({"user": "x"}, 401),
        ({"domain": "x"}, 401),
        ({"user": None}, 401),
        ({"scope": {"project": {"id": "f" * 32}}}, 401),
        ({"scope": {}}, 400),
        ({"scope": {"domain": {"name": "sandbox"}}}, 400),
        ({"scope": {"project": {}}}, 400),
        ({"scope": {"project": {"name": 5, "id": PROJECT_ID}}}, 400),
    ],
)
def test_no_token(door, changes, status):
    """Wrong credentials and wrong scopes, in IAM's own shape of error."""
    answer = door.token(**changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)
    assert "X-Subject-Token" not in answer.headers


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"auth": 1}', b'{"auth": {"identity": {"methods": ["token"]}}}'])
def test_bodies_that_ask_for_no_token(door, body):
    """400, never 500."""
    assert door.send("POST", "/v3/auth/tokens", None, body).status_code == 400


def test_a_token_by_project_id(door):
    """The scope may name the project by its id."""
    answer = door.token(scope={"project": {"id": PROJECT_ID}})
    assert door.with_token(answer.headers["X-Subject-Token"]) == LET_IN


def test_passwords_are_not_in_the_log(door):
    """The log holds what changes the world; a request for a token does not, and carries a secret."""
    door.token()
    door.token(password="wrong")
    assert door.sandbox.log() == []


def test_accounts_of_ones_own():
    """Told otherwise, the well-known credentials are worthless."""
    door = Door(token="t0ken", accounts=Accounts(user="ann", password="secret", access_key="ak", secret_key="sk"))
    assert door.token().status_code == 401
    assert door.token(user="ann", password="secret").status_code == 201
    assert (door.with_token("sandbox-token"), door.with_token("t0ken")) == (REFUSED, LET_IN)
    assert (door.code(door.signed()), door.code(door.signed(ak="ak", sk="sk"))) == (REFUSED, LET_IN)
    door.sandbox.close()


@pytest.mark.parametrize(("projects", "ids"), [("one", [PROJECT_ID]), ("none", []), ("several", [PROJECT_ID, None])])
def test_project_lookup(door, projects, ids):
    """Signed or with a token; one project of the name that was asked for, unless a switch says otherwise."""
    assert door.code(door.send("GET", "/v3/projects?name=cn-north-4")) == REFUSED
    door.seed(f"projects: {projects}")
    answer = door.signed(path="/v3/projects", pairs=[("name", "cn-east-3")])
    found = answer.json()["projects"]
    assert len(found) == len(ids) and all(project["name"] == "cn-east-3" for project in found)
    assert [project["id"] for project in found][:1] == ids[:1]
    by_token = door.send("GET", "/v3/projects?name=cn-east-3", {"X-Auth-Token": "sandbox-token"})
    assert by_token.json() == answer.json()


VECTOR_HEADERS = {
    "Host": "servicestage.cn-north-4.myhuaweicloud.com",
    "X-Sdk-Date": "20250101T000000Z",
    "X-Project-Id": PROJECT_ID,
    "Content-Type": "application/json",
}
VECTORS = [
    (
        "GET",
        f"{PROJECT}/components",
        "limit=100&offset=0",
        b"",
        {},
        "content-type;host;x-project-id;x-sdk-date",
        "7b78ff73214e7e96717f7815eb239795bc0f5f8eaad1a0b59536b167e02d13d1",
    ),
    (
        "POST",
        f"{PROJECT}/applications/a1/components/c1/action",
        "",
        b'{"action":"scale","parameters":{"replica":3}}',
        {"X-Security-Token": "TOKEN"},
        "content-type;host;x-project-id;x-sdk-date;x-security-token",
        "d069ee818dc1965d97340a6616bfffb3c0628a576613d1209902f7c3cd5295af",
    ),
]


@pytest.mark.parametrize(("method", "path", "query", "body", "extra", "names", "value"), VECTORS)
def test_vectors_of_the_reference(method, path, query, body, extra, names, value):
    """Two requests signed by the vendor verify; any changed byte of the signature, or another key, does not."""
    sent = f"SDK-HMAC-SHA256 Access=AKEXAMPLE000000000001, SignedHeaders={names}, Signature={value}"
    headers = {**VECTOR_HEADERS, **extra, "Authorization": sent}
    raw = tuple((name.encode(), text.encode()) for name, text in headers.items())
    arrival = Arrival(method, path.encode(), query.encode(), raw, body)
    signature = parse_signature(arrival)
    secret = "SKexample0000000000000000000000000000001"
    assert signature.access_key == "AKEXAMPLE000000000001"
    assert verifies(arrival, signature, secret)
    assert not verifies(arrival, signature, secret[:-1] + "2")


def test_signed_requests(door):
    """Reads and writes, paths and queries that need encoding, headers with spaces, other kinds of body."""
    assert door.code(door.signed()) == LET_IN
    pairs = [("component_name", "a b+c&d=é/~"), ("application_name", ""), ("limit", "10"), ("limit", "5")]
    assert door.code(door.signed(pairs=pairs)) == LET_IN
    assert door.code(door.signed(extra={"X-Note": "  two  words "})) == LET_IN
    assert door.code(door.signed(path=f"{PROJECT}/jobs/é ~b")) == (404, "SVCSTG.00100429")
    [row] = door.signed().json()["components"]
    path = f"{PROJECT}/applications/{row['application_id']}/components/{row['id']}/action"
    answer = door.signed("POST", path, body=b'{"action":"scale","parameters":{"replica":3}}')
    assert answer.status_code == 200
    kind = {"Content-Type": "text/plain"}
    assert door.signed("POST", path, body=b'{"action": "restart"}', extra=kind).status_code == 200
    assert [entry.status_code for entry in door.sandbox.log()] == [200, 200]


def test_temporary_keys_need_their_token(door):
    """The matching X-Security-Token, signed; lasting keys come without one."""
    temporary = {"ak": "sandbox-temporary-ak", "sk": "sandbox-temporary-sk"}
    token = {"X-Security-Token": "sandbox-security-token"}
    assert door.code(door.signed(**temporary, extra=token)) == LET_IN
    assert door.code(door.signed(**temporary)) == REFUSED
    assert door.code(door.signed(**temporary, extra={"X-Security-Token": "other"})) == REFUSED
    assert door.code(door.signed(extra=token)) == REFUSED


@pytest.mark.parametrize(("skew", "expected"), [(900, LET_IN), (-900, LET_IN), (901, SKEWED), (-901, SKEWED)])
def test_clock_skew(door, skew, expected):
    """More than 15 minutes, either way."""
    assert door.code(door.signed(at=door.now + skew)) == expected


def changed_byte(text, position):
    """The text with one character replaced by another."""
    position %= len(text)
    return f"{text[:position]}{'x' if text[position] != 'x' else 'y'}{text[position + 1 :]}"


BODY = b'{"action":"scale","parameters":{"replica":3}}'
ACTION = f"{PROJECT}/applications/a1/components/c1/action"


@settings(max_examples=80, deadline=None)
@given(
    part=st.sampled_from(["path", "query", "body", "method", "Host", "X-Project-Id", "Content-Type", "X-Sdk-Date"]),
    position=st.integers(0, 200),
)
def test_any_changed_byte_is_noticed(part, position):
    """Of body, query, path, method or a signed header."""
    target, headers = signed("POST", ACTION, [("a", "1"), ("b", "x y")], BODY, at=1_800_000_000)
    path, _, query = target.partition("?")
    request = {"path": path, "query": query, "body": BODY.decode(), "method": "POST", **headers}

    def verdict():
        raw = tuple((name.encode(), request[name].encode()) for name in headers)
        parts = (request["path"].encode(), request["query"].encode(), raw, request["body"].encode())
        arrival = Arrival(request["method"], *parts)
        signature = parse_signature(arrival)
        return signature is not None and verifies(arrival, signature, "sandbox-sk")

    assert verdict()
    before = request[part]
    request[part] = changed_byte(before, position)
    # The same letter written encoded and plainly is the same request.
    assert verdict() == (part in {"path", "query"} and unquote(request[part]) == unquote(before))


@settings(max_examples=80, deadline=None)
@given(
    path=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="?#"), max_size=20),
    pairs=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=4),
    body=st.binary(max_size=30),
    note=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), max_size=10),
)
def test_whatever_is_signed_verifies(path, pairs, body, note):
    """Generated paths, queries (empty and repeated keys too), headers and bodies."""
    pairs = [(k.encode("utf-8", "replace").decode(), v.encode("utf-8", "replace").decode()) for k, v in pairs]
    target, headers = signed("PUT", f"/{path}", pairs, body, at=0, extra={"X-Note": note})
    uri, _, query = target.partition("?")
    raw = tuple((name.encode(), text.encode()) for name, text in headers.items())
    arrival = Arrival("PUT", uri.encode(), query.encode(), raw, body)
    assert verifies(arrival, parse_signature(arrival), "sandbox-sk")


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.pop("X-Sdk-Date"),
        lambda h: h.update({"X-Sdk-Date": "20270115T080000"}),
        lambda h: h.update({"X-Sdk-Date": "20271315T080000Z"}),
        lambda h: h.update({"Authorization": "SDK-HMAC-SHA256"}),
        lambda h: h.update({"Authorization": h["Authorization"].replace("host;", "")}),
        lambda h: h.update({"Authorization": h["Authorization"].replace("host;", "host;x-absent;")}),
        lambda h: h.update({"Authorization": h["Authorization"].replace("sandbox-ak", "nobody")}),
        lambda h: h.update({"Authorization": h["Authorization"][:-1]}),
        lambda h: h.update({"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}),
        lambda h: h.update({"Authorization": h["Authorization"].replace("HMAC-SHA256", "HMAC-SM3")}),
    ],
)
def test_malformed_signatures(door, change):
    """Refused like a wrong one; nothing reaches the world."""
    target, headers = signed("POST", ACTION, body=BODY, at=door.now)
    change(headers)
    assert door.code(door.send("POST", target, headers, BODY)) == REFUSED
    assert [entry.status_code for entry in door.sandbox.log()] == [401]


def test_a_key_is_locked_after_five_wrong_signatures(door):
    """In a row; for five minutes the right key is refused too, others are not; a success starts the count again."""
    for _ in range(4):
        assert door.code(door.signed(sk="wrong")) == REFUSED
    assert door.code(door.signed()) == LET_IN
    for _ in range(5):
        door.signed(sk="wrong")
    assert door.code(door.signed()) == REFUSED
    temporary = {"ak": "sandbox-temporary-ak", "sk": "sandbox-temporary-sk"}
    assert door.code(door.signed(**temporary, extra={"X-Security-Token": "sandbox-security-token"})) == LET_IN
    assert door.with_token("sandbox-token") == LET_IN
    door.now += 299
    assert door.code(door.signed()) == REFUSED
    door.now += 1
    assert door.code(door.signed()) == LET_IN
    for _ in range(5):
        door.signed(sk="wrong")
    door.seed()
    assert door.code(door.signed()) == LET_IN


def test_a_signature_counts_more_than_a_token(door):
    """Where both come, a wrong signature is refused although the token is right."""
    target, headers = signed("GET", f"{PROJECT}/components", at=door.now, sk="wrong")
    assert door.code(door.send("GET", target, {**headers, "X-Auth-Token": "sandbox-token"})) == REFUSED


def test_unknown_paths_come_before_credentials(door):
    """The gateway looks for the API first, so a wrong signature there is not counted."""
    for _ in range(6):
        assert door.code(door.signed(path="/v3/x/nothing", sk="wrong")) == (404, "APIGW.0101")
    assert door.code(door.send("DELETE", "/v3/projects")) == (404, "APIGW.0101")
    assert door.code(door.signed()) == LET_IN


def test_a_gateway_whose_clock_is_off(door):
    """A fault moves the clock signatures are checked against; the header Date tells by how much."""
    door.sandbox.set_faults([{"kind": "clock_skew", "seconds": 16 * 60, "times": 2}])
    answer = door.signed()
    assert door.code(answer) == SKEWED
    assert answer.headers["Date"] == "Fri, 15 Jan 2027 08:16:00 GMT"
    assert door.code(door.signed(at=door.now + 16 * 60)) == LET_IN
    assert door.code(door.signed()) == LET_IN
