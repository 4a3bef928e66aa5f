"""Faults over a real socket: what the kernel of a client sees."""

import http.client
import json
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from statetool.sandbox import ControlClient, Fault, FaultKind, SandboxError

PROJECT = "/v3/0123456789abcdef0123456789abcdef/cas"
SEED = "applications: {shop: {environment: prod, components: {cart: {version: 1.0.0, replicas: 2}}}}"
LONG = 3600


class Served:
    """A sandbox in a process of its own."""

    def __init__(self, process, port):
        self.process = process
        self.port = port
        self.control = ControlClient(f"http://127.0.0.1:{port}")
        self.control.seed(SEED, "seed.yaml")
        row = self.request("GET", f"{PROJECT}/components")[2]["components"][0]
        self.cart = f"{PROJECT}/applications/{row['application_id']}/components/{row['id']}"

    def request(self, method, path, body=None):
        """(status code, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"X-Auth-Token": "sandbox-token"})
            answer = connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read())
        finally:
            connection.close()

    @contextmanager
    def sent(self):
        """A raw socket over which a restart has just been asked for."""
        body = b'{"action": "restart"}'
        head = f"POST {self.cart}/action HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: sandbox-token\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            yield client

    @property
    def logged(self):
        """(status code, whether there is a job, fault) of every line of the log."""
        return [(entry.status_code, entry.job_id is not None, entry.fault) for entry in self.control.log()]


@pytest.fixture
def served(tmp_path):
    """One with a component in it; whatever a fault does, a signal ends it well and nothing is said on stderr."""
    command = [sys.executable, "-m", "statetool.sandbox", "--data", str(tmp_path / "world.db"), "--job-seconds", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stderr.readline().rpartition(":")[2])
        yield Served(process, port)
        process.terminate()
        assert process.wait(30) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("", "")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def until_the_end(client):
    """Everything that comes before the connection is closed."""
    received = b""
    while piece := client.recv(65536):
        received += piece
    return received


def an_answer(client):
    """The answer on a raw socket, as far as http.client reads it."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    return answer


@pytest.mark.parametrize("executed", [False, True])
def test_reset(served, executed):
    """RST, before or after the request took effect; the next connection is as ever."""
    served.control.set_faults([{"kind": "reset", "method": "POST", "executed": executed, "times": 1}])
    with served.sent() as client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert served.logged == [(200, True, "reset") if executed else (0, False, "reset")]
    with served.sent() as client:
        assert an_answer(client).status == 200


@pytest.mark.parametrize("executed", [False, True])
def test_refused(served, executed):
    """After the request that strikes nobody gets a connection, the control path neither."""
    served.control.set_faults([{"kind": "refused", "action": "restart", "seconds": LONG, "executed": executed}])
    with served.sent() as client:
        if executed:
            assert an_answer(client).status == 200
        else:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", served.port), timeout=30)
        with pytest.raises(SandboxError, match="no sandbox is listening"):
            served.control.log()


def test_the_end_of_an_outage(served):
    """The same port opens again, and everything is as ever, twice."""
    served.control.set_faults([Fault(FaultKind.REFUSED, action="restart", times=2, seconds=0.1)])
    for number in (1, 2):
        with served.sent() as client, pytest.raises(ConnectionResetError):
            client.recv(1)
        while not is_open(served.port):
            pass
        assert served.request("GET", served.cart)[0] == 200
        assert served.logged == [(0, False, "refused")] * number
    with served.sent() as client:
        assert an_answer(client).status == 200


def is_open(port):
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_connection_from_before_the_outage(served):
    """One that was open when the door closed is of no use either."""
    served.control.set_faults([{"kind": "refused", "action": "restart", "seconds": LONG, "executed": True}])
    with served.sent() as client:
        answer = an_answer(client)
        assert json.loads(answer.read())["job_id"]
        client.sendall(f"GET {served.cart} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_signal_while_the_door_is_closed(served):
    """The fixture's: the process ends well, without waiting for the end of the outage."""
    served.control.set_faults([{"kind": "refused", "seconds": LONG, "method": "POST"}])
    with served.sent() as client, pytest.raises(ConnectionResetError):
        client.recv(1)


@pytest.mark.parametrize("executed", [False, True])
def test_a_hang_cut_by_the_client(served, executed):
    """Nothing comes although the log knows what happened; when the client goes away the server lives on."""
    served.control.set_faults([{"kind": "hang", "method": "POST", "executed": executed}])
    with served.sent() as client:
        while not served.logged:
            pass
        assert served.logged == [(200, True, "hang") if executed else (0, False, "hang")]
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
    assert served.request("GET", served.cart)[0] == 200


def test_a_hang_that_ends(served):
    """The late answer of what was executed; the end of the connection for what was not."""
    served.control.set_faults(
        [
            {"kind": "hang", "action": "restart", "seconds": 0.1, "executed": True, "times": 1},
            {"kind": "hang", "action": "restart", "seconds": 0.1},
        ]
    )
    with served.sent() as client:
        assert json.loads(an_answer(client).read())["job_id"]
    with served.sent() as client:
        assert until_the_end(client) == b""
    assert served.logged == [(200, True, "hang"), (0, False, "hang")]


def test_a_cut_body(served):
    """Fewer bytes than Content-Length says, then the end."""
    served.control.set_faults([{"kind": "cut_body", "method": "POST"}])
    with served.sent() as client:
        answer = an_answer(client)
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as caught:
            answer.read()
    assert 0 < len(caught.value.partial) < int(answer.headers["Content-Length"])
    assert served.logged == [(200, True, "cut_body")]


def test_a_slow_body(served):
    """Whole in the end, piece after piece: of one that takes an hour the first is there at once, and no more."""
    served.control.set_faults([{"kind": "slow_body", "method": "GET", "seconds": 0.1, "times": 1}])
    assert served.request("GET", served.cart)[2]["name"] == "cart"
    served.control.set_faults([{"kind": "slow_body", "method": "POST", "seconds": LONG}])
    with served.sent() as client:
        answer = an_answer(client)
        size = int(answer.headers["Content-Length"])
        first = answer.read1(size)
        assert 0 < len(first) < size and first.startswith(b"{")
    assert served.request("GET", served.cart)[0] == 200


def test_answers_that_are_wrong(served):
    """Errors, HTML and halves are whole HTTP, also over TCP."""
    served.control.set_faults(
        [
            {"kind": "throttled", "retry_after_s": 2, "times": 1},
            {"kind": "clock_skew", "seconds": 86_400, "times": 1},
        ]
    )
    status_code, headers, body = served.request("GET", served.cart)
    assert (status_code, headers["Retry-After"], body["error_code"]) == (429, "2", "APIGW.0308")
    skewed, honest = (served.request("GET", served.cart)[1].get_all("Date") for _ in range(2))
    assert len(skewed) == len(honest) == 1 and skewed != honest
    served.control.set_faults([{"kind": "html"}])
    with pytest.raises(json.JSONDecodeError):
        served.request("GET", served.cart)


def test_steering(served):
    """What was set can be read with its counters; an empty list ends it; mistakes are sentences."""
    faults = [Fault(FaultKind.RESET, address="shop/cart", times=3), {"kind": "html", "path": "/components"}]
    served.control.set_faults(faults)
    with pytest.raises(json.JSONDecodeError):
        served.request("GET", f"{PROJECT}/components")
    counts = served.control.faults()
    assert [(count.fault.kind, count.seen, count.fired, count.remaining) for count in counts] == [
        ("reset", 0, 0, 3),
        ("html", 1, 1, None),
    ]
    assert counts[0].fault == faults[0]
    with pytest.raises(SandboxError, match=r"faults\[0\]: .*did you mean hang"):
        served.control.set_faults([{"kind": "hangs"}])
    with pytest.raises(SandboxError, match="did you mean shop/cart"):
        served.control.set_faults([{"kind": "hang", "address": "shop/card"}])
    assert served.control.faults() == counts
    served.control.set_faults([])
    assert served.control.faults() == [] and served.request("GET", f"{PROJECT}/components")[0] == 200
