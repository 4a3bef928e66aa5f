"""The sandbox as a real process, with a real socket."""

import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from statetool.sandbox import ControlClient, Sandbox, SandboxError, SeedSummary, serve

PROJECT = "/v3/0123456789abcdef0123456789abcdef/cas"
SEED = "applications: {shop: {environment: prod, components: {cart: {version: 1.0.0, replicas: 2}}}}"


@contextmanager
def served(data, *arguments):
    """A running sandbox process and its endpoint."""
    command = [sys.executable, "-m", "statetool.sandbox", "--data", str(data), "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        assert line.startswith(f"sandbox: serving {data} on http://127.0.0.1:"), line
        yield process, line.rpartition(" ")[2].strip()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_served_world(tmp_path, number):
    """Seeded and disturbed by control, read and changed over HTTP, one world with the file; a signal ends it well."""
    data = tmp_path / "world.db"
    with served(data, "--job-seconds", "0") as (process, endpoint), httpx.Client(trust_env=False) as client:
        control = ControlClient(endpoint)
        assert control.seed(SEED, "seed.yaml") == SeedSummary(1, 1, 1)
        control.disturb("shop/cart", replicas=5)
        assert client.get(f"{endpoint}{PROJECT}/components").status_code == 401
        client.headers["X-Auth-Token"] = "sandbox-token"
        [row] = client.get(f"{endpoint}{PROJECT}/components").json()["components"]
        assert row["status"]["replica"] == 5
        path = f"{PROJECT}/applications/{row['application_id']}/components/{row['id']}"
        answer = client.post(f"{endpoint}{path}/action", json={"action": "stop"})
        assert answer.status_code == 200
        with pytest.raises(SandboxError, match="did you mean shop/cart"):
            control.disturb("shop/card", replicas=1)
        [entry] = control.log()
        assert (entry.body, entry.status_code, entry.job_id) == ({"action": "stop"}, 200, answer.json()["job_id"])
        beside = Sandbox.open(data)
        assert beside.handle("GET", path).body["status"]["component_status"] == "STOPPED"
        assert beside.log() == [entry]
        beside.close()
        control.reset()
        assert control.log() == []
        process.send_signal(number)
        assert process.wait(10) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("", "")


def test_serving_what_can_not_be_served(tmp_path):
    """A sentence and exit code 1."""
    text = tmp_path / "notes.txt"
    text.write_text("notes" * 300)
    done = subprocess.run(
        [sys.executable, "-m", "statetool.sandbox", "--data", str(text)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"sandbox: {text} is not a sandbox world\n")


def test_ports_and_hosts(tmp_path):
    """Only 127.0.0.1, and only a free port."""
    data = tmp_path / "world.db"
    with pytest.raises(SandboxError, match=r"127\.0\.0\.1 only"):
        serve(data, host="0.0.0.0")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SandboxError, match="can't listen"):
        serve(data, port=taken.getsockname()[1])
    with pytest.raises(SandboxError, match="can't listen"):
        serve(data, port=70_000)


@pytest.mark.parametrize(
    "endpoint",
    ["https://servicestage.cn-north-4.myhuaweicloud.com", "http://192.0.2.1", "http://[::", "ftp://127.0.0.1", "x"],
)
def test_control_refuses_other_machines(endpoint):
    """What replaces a world must never reach a real platform."""
    with pytest.raises(SandboxError):
        ControlClient(endpoint)


def test_control_without_a_sandbox():
    """Nobody there, and somebody else there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SandboxError, match="no sandbox is listening"):
        ControlClient(f"http://127.0.0.1:{port}").log()

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"log": []}).encode())

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(SandboxError, match="is not a sandbox"):
            ControlClient(f"http://127.0.0.1:{server.server_port}").log()
        thread.join()
