"""Faults in one process: what they do, whom they hit, and that the log says what was executed all the same."""

import asyncio
import dataclasses
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statetool.sandbox import Fault, FaultKind, Sandbox, SandboxError, SandboxTransport
from statetool.sandbox.wire import faults_from_json, faults_to_json

PROJECT = "/v3/0123456789abcdef0123456789abcdef/cas"
BASE = "http://127.0.0.1:9000"


class Wire:
    """Requests to a world through the transport; time passes only by `clock` and by what a fault makes it wait."""

    def __init__(self, world):
        self.world = world
        self.slept = []
        self.transport = SandboxTransport(world.sandbox, sleep=self.sleep)

    async def sleep(self, seconds):
        """Let virtual time pass."""
        self.slept.append(seconds)
        self.world.clock.tick(seconds)

    def send(self, method, path, body=None, *, timeout=5.0):
        """The answer to one request below the project, on a client of its own."""

        async def send():
            async with httpx.AsyncClient(transport=self.transport, base_url=BASE, timeout=timeout) as client:
                return await client.request(method, f"{PROJECT}{path}", json=body)

        return asyncio.run(send())

    def get(self, path="/components", **options):
        """The answer to a GET."""
        return self.send("GET", path, **options)

    def scale(self, replica=6, **options):
        """The answer to scaling shop/cart."""
        body = {"action": "scale", "parameters": {"replica": replica}}
        return self.send("POST", f"{self.cart}/action", body, **options)

    @property
    def cart(self):
        """The path of shop/cart; asked for beside all faults."""
        [row] = [row for row in self.rows if row["name"] == "cart"]
        return f"/applications/{row['application_id']}/components/{row['id']}"

    def fail(self, **fault):
        """Let one thing go wrong."""
        _ = self.rows
        self.world.sandbox.set_faults([fault])

    @property
    def rows(self):
        """The components as they were before the first fault."""
        if not hasattr(self, "_rows"):
            self._rows = self.world.get("/components")[1]["components"]
        return self._rows

    def end(self):
        """No more faults."""
        self.world.sandbox.set_faults([])

    @property
    def logged(self):
        """(status code, whether there is a job, fault) of every line of the log."""
        return [(entry.status_code, entry.job_id is not None, entry.fault) for entry in self.world.sandbox.log()]

    @property
    def fired(self):
        """How often each fault has fired."""
        return [count.fired for count in self.world.sandbox.faults()]


@pytest.fixture
def wire(world):
    """The shop behind a transport that can fail."""
    wire = Wire(world)
    assert wire.cart
    return wire


# --- answers that are errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry_after_s", [None, 0, 7])
def test_throttled(wire, retry_after_s):
    """429 with the gateway's code, with and without Retry-After; nothing is executed, the log has the refusal."""
    wire.fail(kind="throttled", retry_after_s=retry_after_s)
    answer = wire.scale()
    assert (answer.status_code, answer.json()["error_code"]) == (429, "APIGW.0308")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers.get("Retry-After") == (None if retry_after_s is None else str(retry_after_s))
    assert wire.logged == [(429, False, "throttled")]


@pytest.mark.parametrize(
    ("status_code", "code"), [(500, "APIGW.0601"), (502, "APIGW.0201"), (503, "APIGW.0201"), (504, "APIGW.0201")]
)
@pytest.mark.parametrize("executed", [False, True])
def test_http_errors_of_the_gateway(wire, status_code, code, executed):
    """The same answer whether the request took effect or not: only the log knows."""
    wire.fail(kind="http_error", status_code=status_code, executed=executed, times=1)
    answer = wire.scale()
    assert (answer.status_code, answer.json()["error_code"]) == (status_code, code)
    assert wire.logged == [(200, True, "http_error") if executed else (status_code, False, "http_error")]
    assert wire.scale().status_code == (409 if executed else 200)


def test_http_errors_of_something_else(wire):
    """No code, no JSON: a proxy, or the backend without its gateway."""
    wire.fail(kind="http_error", status_code=503, gateway=False, retry_after_s=3)
    answer = wire.get()
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "503 Service Unavailable\n", "3")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_a_token_does_not_come_with_an_error(wire):
    """IAM fails like the rest, and an answer that hides the effect hides the token too."""
    wire.fail(kind="http_error", status_code=500, executed=True)
    names = {"user": {"name": "sandbox-user", "password": "sandbox-password", "domain": {"name": "sandbox"}}}
    auth = {"identity": {"methods": ["password"], "password": names}, "scope": {"project": {"name": "x"}}}

    async def send():
        async with httpx.AsyncClient(transport=wire.transport, base_url=BASE) as client:
            return await client.post("/v3/auth/tokens", json={"auth": auth})

    answer = asyncio.run(send())
    assert answer.status_code == 500 and "X-Subject-Token" not in answer.headers


# --- connections that fail -------------------------------------------------------------------------------------------


def test_refused(wire):
    """As if nobody listened, for so long by the world's clock; the log has the request that was hit, and no other."""
    wire.fail(kind="refused", action="scale", times=1, seconds=10)
    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            wire.scale()
    with pytest.raises(httpx.ConnectError):
        wire.get()
    wire.world.clock.tick(10)
    assert wire.get().status_code == 200
    assert wire.scale().status_code == 200
    assert wire.logged == [(0, False, "refused"), (200, True, None)]
    assert wire.fired == [1]


def test_refused_for_some_attempts(wire):
    """Without seconds only those it matches are refused."""
    wire.fail(kind="refused", method="POST", times=2, seconds=0)
    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            wire.scale()
        assert wire.get().status_code == 200
    assert wire.scale().status_code == 200


def test_the_door_closes_behind_a_request(wire):
    """The request before the outage is answered as ever."""
    wire.fail(kind="refused", executed=True, after=1, times=1, seconds=5)
    assert wire.get().status_code == 200
    assert wire.get().status_code == 200
    with pytest.raises(httpx.ConnectError):
        wire.scale()
    wire.world.clock.tick(5)
    assert wire.scale().status_code == 200
    assert wire.logged == [(200, True, None)]


@pytest.mark.parametrize("executed", [False, True])
def test_reset(wire, executed):
    """The client can't know whether it was accepted; the log does."""
    wire.fail(kind="reset", executed=executed, times=1)
    with pytest.raises(httpx.ReadError):
        wire.scale()
    assert wire.logged == [(200, True, "reset") if executed else (0, False, "reset")]
    wire.world.clock.tick(2)
    assert wire.get(wire.cart).json()["replica"] == (6 if executed else 4)


@pytest.mark.parametrize("executed", [False, True])
def test_a_hang_that_outlasts_the_client(wire, executed):
    """The client gives up after its own timeout."""
    wire.fail(kind="hang", executed=executed, times=1)
    with pytest.raises(httpx.ReadTimeout):
        wire.scale(timeout=30)
    assert wire.slept == [30]
    assert wire.logged == [(200, True, "hang") if executed else (0, False, "hang")]


def test_a_hang_that_ends(wire):
    """An executed request is answered late, another one never."""
    wire.fail(kind="hang", seconds=20, executed=True)
    assert wire.scale(timeout=30).status_code == 200
    wire.fail(kind="hang", seconds=20)
    with pytest.raises(httpx.RemoteProtocolError):
        wire.get(timeout=30)
    assert wire.slept == [20, 20]


def test_a_hang_for_somebody_without_a_timeout(wire):
    """Nothing comes until the client itself stops waiting."""
    wire.fail(kind="hang")

    async def give_up():
        async with httpx.AsyncClient(transport=wire.transport, base_url=BASE, timeout=None) as client:
            task = asyncio.create_task(client.get("/"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(give_up())


def test_a_slow_body(wire):
    """It comes, in the end; a client that bears no pause as long as this gives up."""
    plain = wire.get().json()
    wire.fail(kind="slow_body", seconds=40)
    assert wire.get(timeout=5).json() == plain
    assert sum(wire.slept) == pytest.approx(40)
    with pytest.raises(httpx.ReadTimeout):
        wire.scale(timeout=1)
    assert wire.logged == [(200, True, "slow_body")]


def test_a_cut_body(wire):
    """The connection ends in the middle."""
    wire.fail(kind="cut_body")
    with pytest.raises(httpx.RemoteProtocolError):
        wire.scale()
    assert wire.logged == [(200, True, "cut_body")]


def test_without_a_connection_that_can_fail(wire):
    """A plain ASGI transport says so instead of pretending."""
    from statetool.sandbox import create_app

    wire.fail(kind="reset")
    wire.transport = httpx.ASGITransport(create_app(wire.world.sandbox, token=None))
    answer = wire.get()
    assert answer.status_code == 500 and "reset" in answer.json()["error_msg"]


# --- bodies that are wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "truncated_json"}, "application/json"),
        ({"kind": "html"}, "text/html"),
        ({"kind": "wrong_type"}, "text/plain"),
        ({"kind": "wrong_type", "content_type": "application/octet-stream"}, "application/octet-stream"),
    ],
)
def test_a_body_that_is_not_what_it_should_be(wire, fault, kind):
    """The request took effect, the answer is whole as HTTP, and yet no use."""
    wire.fail(**fault)
    answer = wire.scale()
    assert answer.status_code == 200 and answer.headers["Content-Type"].partition(";")[0] == kind
    assert int(answer.headers["Content-Length"]) == len(answer.content) > 0
    if fault["kind"] == "wrong_type":
        assert answer.json()["job_id"]
    else:
        with pytest.raises(ValueError):
            answer.json()
    assert wire.logged == [(200, True, fault["kind"])]


# --- jobs ------------------------------------------------------------------------------------------------------------


def accepted(wire):
    """The job of scaling shop/cart to 6."""
    answer = wire.scale()
    assert answer.status_code == 200, answer.text
    return answer.json()["job_id"]


def tasks(wire, job_id):
    """(status, messages) of the tasks of a job."""
    return [(task["status"], task["messages"]) for task in wire.get(f"/jobs/{job_id}").json()["tasks"]]


def test_a_job_that_fails(wire):
    """FAILED with the task's message; the component is as it was."""
    wire.fail(kind="job_failed", message="quota exceeded")
    job_id = accepted(wire)
    wire.world.clock.tick(2)
    assert wire.world.job(job_id) == "FAILED"
    assert ("FAILED", "quota exceeded") in tasks(wire, job_id)
    assert wire.world.status("shop/cart") == ("RUNNING", 4, 4)


def test_a_job_that_never_ends(wire):
    """RUNNING from the first look to the last, and the component stays busy."""
    wire.fail(kind="job_endless", times=1)
    job_id = accepted(wire)
    for seconds in (0, 60, 86_400 * 365):
        wire.world.clock.tick(seconds)
        assert wire.world.job(job_id) == "RUNNING"
        assert wire.world.status("shop/cart")[0] == "UPGRADING"
    assert wire.scale().status_code == 409


@pytest.mark.parametrize("when", ["during", "after"])
def test_a_job_with_a_status_nobody_knows(wire, when):
    """A word of no list, while it runs or for ever after."""
    wire.fail(kind="job_status", status="PONDERING", when=when)
    job_id = accepted(wire)
    first, last = ("PONDERING", "SUCCEEDED") if when == "during" else ("SUBMITTED", "PONDERING")
    assert wire.world.job(job_id) == first
    wire.world.clock.tick(2)
    assert wire.world.job(job_id) == last
    assert wire.world.status("shop/cart") == ("RUNNING", 6, 6)


def test_a_job_that_is_cancelled(wire):
    """A documented end that is no success: with a message the operation has failed as well."""
    wire.fail(kind="job_status", status="CANCELLED", message="somebody stopped it")
    job_id = accepted(wire)
    wire.world.clock.tick(2)
    assert ("CANCELLED", "somebody stopped it") in tasks(wire, job_id)
    assert wire.world.status("shop/cart") == ("RUNNING", 4, 4)


@pytest.mark.parametrize("when", ["during", "after"])
def test_a_component_with_a_status_nobody_knows(wire, when):
    """The counts are right; the word is not."""
    wire.fail(kind="component_status", status="REFURBISHING", when=when)
    accepted(wire)
    assert wire.world.status("shop/cart")[0] == ("REFURBISHING" if when == "during" else "UPGRADING")
    wire.world.clock.tick(2)
    assert wire.world.status("shop/cart") == ("RUNNING" if when == "during" else "REFURBISHING", 6, 6)


@pytest.mark.parametrize(("limit", "available"), [(None, 5), (0, 0), (2, 2), (99, 6)])
def test_instances_that_never_get_ready(wire, limit, available):
    """The job succeeds, the number is right, and PENDING stays, until a restart heals."""
    wire.fail(kind="never_ready", available_replicas=limit, times=1)
    job_id = accepted(wire)
    wire.world.clock.tick(1000)
    assert wire.world.job(job_id) == "SUCCEEDED"
    assert wire.world.status("shop/cart") == ("RUNNING" if available == 6 else "PENDING", 6, available)
    wire.world.done("shop/cart", "restart")
    assert wire.world.status("shop/cart") == ("RUNNING", 6, 6)


def test_instances_of_a_new_version_that_never_get_ready(wire):
    """A deployment too; and a gray release stays GRAYING."""
    wire.fail(kind="never_ready", available_replicas=1)
    assert wire.world.deploy("shop/cart", "1.5.0")[0] == 200
    wire.world.clock.tick(2)
    assert wire.world.status("shop/cart") == ("PENDING", 4, 1)
    wire.world.act("shop/search", "modify_gray_rule", first_batch_weight=20)
    wire.world.clock.tick(2)
    assert wire.world.status("shop/search") == ("GRAYING", 5, 1)


def test_a_job_fault_waits_for_a_job(wire):
    """Reads and refused requests are seen, and are not what it fires on."""
    wire.fail(kind="job_failed", message="boom", times=1)
    wire.get()
    assert wire.scale(-1).status_code == 400
    assert wire.fired == [0]
    job_id = accepted(wire)
    assert wire.fired == [1]
    wire.world.clock.tick(2)
    assert wire.world.job(job_id) == "FAILED"
    [count] = wire.world.sandbox.faults()
    assert (count.seen, count.remaining) == (4, 0)


def test_a_job_that_occupies_nobody(wire):
    """The job of a question can fail; it has no instances that could."""
    wire.fail(kind="never_ready")
    body = {"action": "check_gray_release"}
    assert wire.send("POST", f"{wire.cart}/action", body).status_code == 200
    assert wire.fired == [0]
    wire.fail(kind="job_failed", message="boom")
    job_id = wire.send("POST", f"{wire.cart}/action", body).json()["job_id"]
    wire.world.clock.tick(2)
    assert wire.world.job(job_id) == "FAILED"


def test_every_job_of_a_batch(wire):
    """One request, several jobs: all of them fail."""
    rows = [row for row in wire.rows if row["name"] in ("cart", "machine")]
    components = [{"id": row["id"], "application_id": row["application_id"]} for row in rows]
    wire.fail(kind="job_failed", message="boom", times=1)
    answer = wire.send("POST", "/components/action", {"action": "sync_workload", "components": components})
    wire.world.clock.tick(2)
    assert [wire.world.job(entry["job_id"]) for entry in answer.json()["components"]] == ["FAILED", "FAILED"]
    assert wire.fired == [1]


# --- somebody else, and the clock ------------------------------------------------------------------------------------


def test_an_autoscaler_right_before(wire):
    """The request is executed against the moved world, and its job alone stands in the log."""
    wire.fail(kind="disturb", action="restart", times=1, disturbance={"address": "shop/cart", "replicas": 9})
    assert wire.world.act("shop/cart", "restart")[0] == 200
    wire.world.clock.tick(2)
    assert wire.world.status("shop/cart") == ("RUNNING", 9, 9)
    assert wire.logged == [(200, True, "disturb")]


def test_a_colleague_right_after(wire):
    """The answer is that of the world before."""
    change = {"address": "shop/cart", "replicas": 9}
    wire.fail(kind="disturb", when="after", path="/components", after=1, times=1, disturbance=change)
    replicas = []
    for _ in range(3):
        rows = wire.get().json()["components"]
        replicas += [row["status"]["replica"] for row in rows if row["name"] == "cart"]
    assert replicas == [4, 4, 9]


def test_a_colleague_who_ends_a_gray_release(wire):
    """The colleague's job is not that of the request."""
    wire.fail(kind="disturb", disturbance={"address": "shop/search", "end_gray": "rollback"}, method="POST")
    [row] = [row for row in wire.rows if row["name"] == "search"]
    path = f"/applications/{row['application_id']}/components/{row['id']}"
    answer = wire.send("POST", f"{path}/action", {"action": "continue_deploy"})
    assert answer.status_code == 409
    assert wire.logged == [(409, False, "disturb")]


def test_a_disturbance_that_is_impossible(wire):
    """The request goes on; the list of faults says why nothing happened."""
    wire.fail(kind="disturb", disturbance={"address": "shop/cart", "weight": 10})
    assert wire.get().status_code == 200
    [count] = wire.world.sandbox.faults()
    assert count.fired == 0 and "no gray release" in count.problem


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_clock_skew(wire, seconds):
    """The header Date is off; what the platform stores is not."""
    wire.fail(kind="clock_skew", seconds=seconds, times=1)
    dates = [httpx.Headers(wire.get().headers)["Date"] for _ in range(2)]
    expected = {3600: "Fri, 15 Jan 2027 09:00:00 GMT", -3600: "Fri, 15 Jan 2027 07:00:00 GMT"}[seconds]
    assert dates == [expected, "Fri, 15 Jan 2027 08:00:00 GMT"]


# --- whom they hit ---------------------------------------------------------------------------------------------------


def hits(sandbox, faults, requests):
    """Which of the faults hits each request, by place; None for none. Requests are (method, path, body)."""
    sandbox.set_faults(faults)
    found = []
    before = [0] * len(faults)
    for method, path, body in requests:
        content = b"" if body is None else json.dumps(body).encode()
        sandbox.handle(method, path if path.startswith("/v3/") else f"{PROJECT}{path}", "", content)
        after = [count.fired for count in sandbox.faults()]
        places = [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
        assert len(places) <= 1, "one request is hit by one fault at most"
        found.append(places[0] if places else None)
        before = after
    return found


READ, WRITE = ("GET", "/components", None), ("POST", "/applications", {"name": "x"})


def test_after_and_times(world):
    """Skip so many, hit so many."""
    fault = {"kind": "throttled", "after": 2, "times": 2}
    assert hits(world.sandbox, [fault], [READ] * 6) == [None, None, 0, 0, None, None]


def test_the_first_wins(world):
    """A list read like a story: what an earlier fault hits is counted as seen by the later ones."""
    story = [{"kind": "throttled", "times": 1}, {"kind": "reset", "after": 1, "times": 1}, {"kind": "html"}]
    assert hits(world.sandbox, story, [READ] * 4) == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({}, [0, 0, 0, 0, 0, 0, 0, 0]),
        ({"method": "POST"}, [None, None, None, 0, 0, None, 0, None]),
        ({"path": "/components"}, [0, None, None, None, None, None, None, None]),
        ({"path": "/applications/*/components/*"}, [None, 0, None, None, None, 0, None, 0]),
        ({"path": "/applications/**"}, [None, 0, 0, 0, 0, 0, None, 0]),
        ({"path": "**/action"}, [None, None, None, 0, None, None, None, None]),
        ({"path": "/v3/auth/tokens"}, [None, None, None, None, None, None, 0, None]),
        ({"action": "restart"}, [None, None, None, 0, None, None, None, None]),
        ({"action": "scale"}, [None] * 8),
        ({"action": "create"}, [None, None, None, None, 0, None, None, None]),
        ({"action": "deploy"}, [None, None, None, None, None, 0, None, None]),
        ({"action": "delete"}, [None, None, None, None, None, None, None, 0]),
        ({"address": "shop/cart"}, [None, 0, 0, 0, None, 0, None, 0]),
        ({"address": "shop/cart@prod", "method": "GET"}, [None, 0, 0, None, None, None, None, None]),
        ({"address": "shop/legacy"}, [None] * 8),
    ],
)
def test_matching(world, fault, expected):
    """By method, path, what is asked for, and whose it is; all that are given have to fit."""
    path = world.path("shop/cart")
    requests = [
        READ,
        ("GET", path, None),
        ("GET", f"{path}/records", None),
        ("POST", f"{path}/action", {"action": "restart"}),
        ("POST", path.rpartition("/")[0], {}),
        ("PUT", path, {}),
        ("POST", "/v3/auth/tokens", {}),
        ("DELETE", path, None),
    ]
    assert hits(world.sandbox, [{"kind": "throttled", **fault}], requests) == expected


def test_the_job_of_a_component(world):
    """Who asks about its job is hit too."""
    job_id = world.act("shop/cart", "restart")[1]
    fault = {"kind": "throttled", "address": "shop/cart"}
    other = {"kind": "throttled", "address": "shop/legacy"}
    assert hits(world.sandbox, [other, fault], [("GET", f"/jobs/{job_id}", None), ("GET", "/jobs/JOB1", None)]) == [
        1,
        None,
    ]


@settings(max_examples=50, deadline=None)
@given(
    probability=st.floats(0, 1),
    seed=st.integers(1 - 2**31, 2**31 - 1),
    times=st.none() | st.integers(1, 5),
    after=st.integers(0, 5),
    writes=st.lists(st.booleans(), min_size=1, max_size=40),
)
def test_chance_can_be_repeated(probability, seed, times, after, writes):
    """The same faults and requests in another world: the same hits, and within what the schedule allows."""
    faults = [
        {"kind": "throttled", "probability": probability, "seed": seed, "after": after}
        | ({} if times is None else {"times": times}),
        {"kind": "reset", "method": "POST", "probability": probability, "seed": seed},
    ]
    requests = [WRITE if write else READ for write in writes]
    runs = []
    for _ in range(2):
        sandbox = Sandbox.open(None, clock=lambda: 1_800_000_000.0)
        try:
            runs.append(hits(sandbox, faults, requests))
        finally:
            sandbox.close()
    assert runs[0] == runs[1]
    first = [place == 0 for place in runs[0]]
    assert not any(first[:after]) and (times is None or sum(first) <= times)
    if probability == 0:
        assert not any(first)
    if probability == 1:
        assert sum(first) == min(max(len(writes) - after, 0), len(writes) if times is None else times)


def test_chance_is_about_right_and_depends_on_the_seed(world):
    """A third of many, another third with another seed."""
    fault = {"kind": "throttled", "probability": 1 / 3}
    one, same, other = (hits(world.sandbox, [{**fault, "seed": seed}], [READ] * 300) for seed in (1, 1, 2))
    assert one == same != other
    assert 70 < one.count(0) < 130


# --- keeping and setting them ----------------------------------------------------------------------------------------


def test_every_process_sees_them(tmp_path):
    """Faults and counters live in the file."""
    first, second = (Sandbox.open(tmp_path / "world.db") for _ in range(2))
    first.set_faults([{"kind": "throttled", "times": 2}])
    for sandbox, status_code in ((second, 429), (first, 429), (second, 200)):
        assert sandbox.handle("GET", f"{PROJECT}/components").status_code == status_code
    assert [(count.seen, count.fired, count.remaining) for count in first.faults()] == [(3, 2, 0)]
    first.close()
    second.close()


def test_adding_one(world):
    """Last in the list; the others keep their counters."""
    world.sandbox.set_faults([Fault(FaultKind.THROTTLED, times=1)])
    world.get("/components")
    world.sandbox.add_fault({"kind": "html"})
    kinds = [(count.fault.kind, count.fired) for count in world.sandbox.faults()]
    assert kinds == [("throttled", 1), ("html", 0)]
    world.get("/components")
    assert [count.fired for count in world.sandbox.faults()] == [1, 1]


def test_reset_and_seed_end_them(world, shop_seed):
    """A new world is a healthy one, unless its seed says otherwise."""
    world.sandbox.set_faults([{"kind": "throttled"}])
    world.sandbox.reset()
    assert world.sandbox.faults() == []
    world.sandbox.set_faults([{"kind": "refused", "seconds": 60, "executed": True}])
    assert world.get("/components")[0] == 200
    world.sandbox.seed(shop_seed, "seed.yaml")
    assert world.sandbox.faults() == [] and world.get("/components")[0] == 200
    text = "faults:\n- {kind: job_failed, message: 12, times: 1}\n"
    with pytest.raises(SandboxError, match=r"seed.yaml:2:3: faults\[0\]: message must be a text"):
        world.sandbox.seed(text + shop_seed, "seed.yaml")
    world.sandbox.seed(text.replace("12", "'12'") + shop_seed, "seed.yaml")
    world.sandbox.add_fault({"kind": "disturb", "disturbance": {"address": "shop/cart", "replicas": 1}})
    world.sandbox.seed(
        "faults: [{kind: disturb, probability: 0.5, disturbance: {address: shop/cart, replicas: 7}}]" + shop_seed, "s"
    )
    [count] = world.sandbox.faults()
    assert count.fault.disturbance.change.replicas == 7 and count.fault.probability == 0.5


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ("faults: {}", r"s.yaml:\d+:9: faults: must be a list"),
        ("faults: [{kind: reset, executed: maybe}]", r"s.yaml:\d+:10: faults\[0\]: executed must be true or false"),
        ("faults: [{kind: reset, kind: reset}]", "this key is there twice"),
        ("faults: [{kind: disturb, disturbance: {address: {a: {b: {c: d}}}}}]", "nested too deeply"),
        ("faults: [{kind: reset}, {kind: reset, address: shop/card}]", r"s.yaml: faults\[1\]: .* mean shop/cart"),
    ],
)
def test_seeds_that_are_wrong(world, shop_seed, faults, message):
    """File, line and column; the old world stays."""
    with pytest.raises(SandboxError, match=message):
        world.sandbox.seed(f"{shop_seed}\n{faults}\n", "s.yaml")
    assert world.sandbox.faults() == [] and world.status("shop/cart")[0] == "RUNNING"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({}, "kind is missing"),
        ([], "must be an object"),
        ({"kind": "resett"}, "did you mean reset?"),
        ({"kind": ["reset"]}, "does not exist"),
        ({"kind": "reset", "execute": True}, "did you mean executed?"),
        ({"kind": "reset", "retry_after_s": 1}, "retry_after_s does not go with reset (its parameters: executed)"),
        ({"kind": "throttled", "executed": True}, "executed does not go with throttled"),
        ({"kind": "http_error"}, "http_error needs status_code"),
        ({"kind": "http_error", "status_code": 404}, "status_code must be one of"),
        ({"kind": "http_error", "status_code": "500"}, "status_code must be one of"),
        ({"kind": "http_error", "status_code": 503, "gateway": "no"}, "gateway must be true or false"),
        ({"kind": "throttled", "retry_after_s": -1}, "retry_after_s"),
        ({"kind": "throttled", "retry_after_s": 1.5}, "retry_after_s"),
        ({"kind": "slow_body"}, "slow_body needs seconds"),
        ({"kind": "hang", "seconds": -1}, "seconds must be a number"),
        ({"kind": "hang", "seconds": float("nan")}, "seconds must be a number"),
        ({"kind": "hang", "seconds": True}, "seconds must be a number"),
        ({"kind": "clock_skew"}, "clock_skew needs seconds"),
        ({"kind": "job_failed", "message": ""}, "message must be a text"),
        ({"kind": "wrong_type", "content_type": "a\r\nb"}, "content_type must be a text of one line"),
        ({"kind": "wrong_type", "content_type": "täxt"}, "content_type must be ASCII"),
        ({"kind": "job_status", "status": "so so"}, "in capitals"),
        ({"kind": "job_status", "status": "X", "when": "before"}, "when must be one of during, after"),
        ({"kind": "never_ready", "available_replicas": -1}, "available_replicas"),
        ({"kind": "disturb"}, "disturb needs disturbance"),
        ({"kind": "disturb", "disturbance": 4}, "must be an object"),
        ({"kind": "disturb", "disturbance": {"replicas": 1}}, "needs address"),
        ({"kind": "disturb", "disturbance": {"address": "shop/cart", "replica": 1}}, "unknown disturbance"),
        ({"kind": "disturb", "disturbance": {"address": "shop/cart"}}, "nothing to disturb"),
        ({"kind": "disturb", "disturbance": {"address": "shop/card", "replicas": 1}}, "did you mean shop/cart"),
        ({"kind": "reset", "address": "shop/card"}, "did you mean shop/cart"),
        ({"kind": "reset", "action": "scales"}, "did you mean scale?"),
        ({"kind": "reset", "method": "post"}, "method must be a word in capitals"),
        ({"kind": "reset", "path": "components"}, "path must begin"),
        ({"kind": "reset", "path": ""}, "path must be a text"),
        ({"kind": "reset", "after": -1}, "after must be"),
        ({"kind": "reset", "times": 0}, "times must be"),
        ({"kind": "reset", "times": True}, "times must be"),
        ({"kind": "reset", "probability": 1.1}, "probability must be"),
        ({"kind": "reset", "probability": "often"}, "probability must be"),
        ({"kind": "reset", "seed": 0.5}, "seed must be"),
    ],
)
def test_faults_that_make_no_sense(world, fault, message):
    """A sentence that names the fault; those set before stay."""
    world.sandbox.set_faults([{"kind": "html"}])
    with pytest.raises(SandboxError) as caught:
        world.sandbox.set_faults([{"kind": "reset"}, fault])
    assert str(caught.value).startswith("faults[1]: ") and message in str(caught.value)
    with pytest.raises(SandboxError):
        world.sandbox.add_fault(fault)
    assert [count.fault.kind for count in world.sandbox.faults()] == ["html"]


VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    st.sampled_from(["GET", "/**", "shop/cart", "scale", "after", "ODD", "boom", 0, 1, 500, 10**400, "\ud800", "a\0"]),
    st.fixed_dictionaries({"address": st.sampled_from(["shop/cart", "\ud800/x", 4]), "replicas": st.integers(-1, 3)}),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([*FaultKind, "odd", None]),
    values=st.dictionaries(st.sampled_from([item.name for item in dataclasses.fields(Fault)]), VALUES, max_size=3),
)
def test_random_faults_never_break_it(world, kind, values):
    """Refused with a sentence, or kept as they were and answered under."""
    try:
        world.sandbox.set_faults([{**values, "kind": kind}])
    except SandboxError as error:
        assert "\n" not in str(error)
        return
    [count] = world.sandbox.faults()
    assert faults_from_json(json.loads(json.dumps(faults_to_json([count])))) == [count]
    answer = world.sandbox.handle("GET", f"{PROJECT}/components")
    assert isinstance(answer.content[0], bytes)
    world.sandbox.reset()
    world.sandbox.seed("applications: {shop: {environment: prod, components: {cart: {version: 1.0.0}}}}", "seed.yaml")


def test_every_kind_can_be_written_and_read(world):
    """Over the JSON form and back, nothing is lost."""
    from statetool.sandbox.faults import fault_to_json, parse_fault

    needed = {
        "status_code": 503,
        "seconds": 1.5,
        "message": "boom",
        "status": "ODD",
        "disturbance": {"address": "shop/cart", "replicas": 0},
    }
    for kind in FaultKind:
        values = {"kind": str(kind), "method": "GET", "after": 3}
        for name, value in needed.items():
            try:
                fault = parse_fault({**values, name: value})
            except SandboxError:
                continue
            assert parse_fault(json.loads(json.dumps(fault_to_json(fault)))) == fault
            break
        else:
            fault = parse_fault(values)
            assert parse_fault(fault_to_json(fault)) == fault
        assert fault.kind is kind
