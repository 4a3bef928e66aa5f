"""A sandbox in memory with a clock the test turns by hand."""

import dataclasses
import json
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest

from statetool.sandbox import Sandbox

sys.path.insert(0, str(Path(__file__).parent))  # for vendor_models

PROJECT = "0123456789abcdef0123456789abcdef"

SHOP = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.0, 1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
      legacy: {version: 0.9.1, replicas: 1, status: STOPPED}
      machine: {version: 1.0.0, replicas: 2, platform_type: ecs}
  bank:
    environment: prod
    components:
      ledger: {version: 3.0.0, replicas: 2}
      ledger@test: {version: 3.1.0}
"""


class Clock:
    """Seconds since the epoch, moved by `tick` only."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now

    def tick(self, seconds):
        self.now += seconds


@dataclasses.dataclass
class World:
    """A sandbox, its clock, and short names for requests by address."""

    sandbox: Sandbox
    clock: Clock

    def get(self, path, **query):
        """(status code, body) of a GET below the project."""
        answer = self.sandbox.handle("GET", f"/v3/{PROJECT}/cas{path}", urlencode(query))
        return answer.status_code, answer.body

    def send(self, method, path, body=None):
        """(status code, body) of a request below the project with this JSON body."""
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.sandbox.handle(method, f"/v3/{PROJECT}/cas{path}", "", content)
        return answer.status_code, answer.body

    def deploy(self, address, version, strategy=None, **changes):
        """(status code, error code or job id) of a PUT that reads, modifies and writes."""
        detail = self.detail(address)
        own = {"application_id", "environment_id", "status", "deploy_strategy"}
        body = {key: value for key, value in detail.items() if key not in own}
        body |= {"version": version, **({"deploy_strategy": strategy} if strategy else {}), **changes}
        code, answer = self.send("PUT", self.path(address), body)
        return code, answer.get("job_id") or answer["error_code"]

    def path(self, address):
        """The path of a component."""
        names, _, environment = address.partition("@")
        application, _, component = names.partition("/")
        rows = self.get("/components", application_name=application, component_name=component)[1]["components"]
        [row] = [row for row in rows if environment in ("", row["environment_name"])]
        return f"/applications/{row['application_id']}/components/{row['id']}"

    def row(self, address):
        """The list item of a component."""
        identity = self.path(address).rpartition("/")[2]
        return next(row for row in self.get("/components")[1]["components"] if row["id"] == identity)

    def detail(self, address, **query):
        """The detail of a component."""
        code, body = self.get(self.path(address), **query)
        assert code == 200, body
        return body

    def status(self, address):
        """(component_status, replica, available_replica)."""
        status = self.detail(address)["status"]
        return status["component_status"], status["replica"], status["available_replica"]

    def records(self, address):
        """The records of a component, newest first."""
        return self.get(f"{self.path(address)}/records")[1]["records"]

    def versions(self, address):
        """The recorded versions, newest first."""
        return [record["version"] for record in self.records(address)]

    def post(self, address, body):
        """(status code, body) of an action with this JSON body."""
        path = f"/v3/{PROJECT}/cas{self.path(address)}/action"
        answer = self.sandbox.handle("POST", path, "", json.dumps(body).encode())
        return answer.status_code, answer.body

    def act(self, address, action, **parameters):
        """(status code, error code or job id) of an action."""
        body = {"action": action, "parameters": parameters} if parameters else {"action": action}
        code, answer = self.post(address, body)
        return code, answer.get("job_id") or answer["error_code"]

    def done(self, address, action, **parameters):
        """An action that is accepted, waited for until its job has ended; the job's status."""
        code, job_id = self.act(address, action, **parameters)
        assert code == 200, job_id
        self.clock.tick(2)
        return self.job(job_id)

    def job(self, job_id):
        """The execution status of a job."""
        return self.get(f"/jobs/{job_id}")[1]["job"]["execution_status"]


@pytest.fixture
def make_world():
    """Worlds out of seeds; jobs take one second, statuses are never stale unless asked for."""
    made = []

    def make(seed=SHOP, *, switches="stale_ms: 0"):
        clock = Clock()
        sandbox = Sandbox.open(None, clock=clock, job_seconds=1.0)
        made.append(sandbox)
        sandbox.seed(f"sandbox: {{{switches}}}\n{seed}", "seed.yaml")
        return World(sandbox, clock)

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture
def world(make_world):
    """The shop."""
    return make_world()


@pytest.fixture
def shop_seed():
    """The text of the shop's seed."""
    return SHOP
