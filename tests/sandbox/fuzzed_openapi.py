"""schemathesis, an independent reader of OpenAPI, against the sandbox: whatever is sent, the document is right."""

import collections

import hypothesis
import pytest
import schemathesis
from budgets import FACTOR
from schemathesis.core.parameters import ParameterLocation
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import ignored_auth

from statetool.sandbox import Sandbox, create_app
from statetool.sandbox.switches import CHOICES

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
# A request can be all the document asks for and still not go with what is there: a component of another name, a first
# batch as large as all, CONTENT without rules where none are in force. These answer 400, as is documented.
DEPENDS_ON_STATE = ("createComponent", "modifyComponent", "actOnComponent")
TAKEN = ["2xx", "401", "404", "409"]
# Beside those that schemathesis derives from the document: up to 800 for an operation, several for each property of a
# body. At a commit the first ones are sent, and of those that follow every fourth; with `make search` all of them.
EXAMPLES = 8 if FACTOR > 1 else 3
FIRST, STEP = (1000, 1) if FACTOR > 1 else (60, 4)


def build_config(*, taken, operations=(), mode="all"):
    """Settings of schemathesis; `taken` are the status codes that valid data may be answered with.

    `mode`: `positive` draws no requests that are wrong on purpose.
    """
    return schemathesis.Config.from_dict(
        {
            "generation": {"deterministic": True, "max-examples": EXAMPLES, "mode": mode, "database": "none"},
            "auth": {"openapi": {"token": {"api_key": "sandbox-token"}}},
            "checks": {
                # All checks schemathesis has but two. This one wants 405 for methods a path does not have. The
                # gateway answers 404 APIGW.0101 [SIGN], as test_openapi.py proves.
                "unsupported_method": {"enabled": False},
                # A deletion is a job: the component answers until that has ended.
                "use_after_free": {"enabled": False},
                "positive_data_acceptance": {"expected-statuses": taken},
            },
            # Only the links that stand in the document, none that are guessed out of names.
            "phases": {"stateful": {"inference": {"algorithms": []}}},
            "operations": list(operations),
        }
    )


class Clock:
    """Every reading is a little later, so that jobs are met in all their states."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        self.now += 0.02
        return self.now


class Served:
    """A sandbox, and schemathesis' reading of the document it serves."""

    def __init__(self, config, **switches):
        seed = f"sandbox: {{{', '.join(f'{name}: {value}' for name, value in switches.items())}}}\n{SHOP}"
        self.sandbox = Sandbox.open(None, clock=Clock(), job_seconds=1.0)
        self.sandbox.seed(seed, "seed.yaml")
        self._pristine = self.sandbox._store._connection.serialize()
        app = create_app(self.sandbox)
        self.schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
        self._client = get_client(app)
        self._client.trust_env = False  # proxies would be looked for at every request
        self._guarded = set()
        self._seeded = self._rows()
        # By operation, so that the requests of a test do not depend on the tests before it.
        self._turns, self._tried = collections.Counter(), collections.Counter()

    def reset(self):
        """The world as it was at first."""
        if self.sandbox.log():
            self.sandbox._store._connection.deserialize(self._pristine)  # a hundredth of seeding anew

    def passes_over(self, case):
        """Whether this request is one of those that wait for `make search`."""
        operation = operation_of(case)
        self._tried[operation] += 1
        return self._tried[operation] > FIRST and self._tried[operation] % STEP > 0

    def call(self, case):
        """Send a request."""
        return case.call(session=self._client)

    def validate(self, case, response, recorder=None):
        """Hold its answer against the document.

        Whether credentials are asked for is tried until an operation has answered well to some: it takes two requests
        more, and is no matter of what else was sent.
        """
        operation = operation_of(case)
        excluded = [ignored_auth] if operation in self._guarded else []
        sent = {"session": self._client}
        case.validate_response(response, excluded_checks=excluded, transport_kwargs=sent, recorder=recorder)
        if response.status_code < 300 and is_sound(case, ParameterLocation.PATH):
            self._guarded.add(operation)

    def aim(self, case):
        """Let most well-formed paths name what is there at first: random ids never would."""
        turn = self._turns[operation_of(case)]
        self._turns[operation_of(case)] += 1
        if not is_sound(case, ParameterLocation.PATH) or turn % 8 == 0:
            return
        row = self._seeded[turn % len(self._seeded)]
        known = {"project_id": PROJECT, "application_id": row["application_id"], "component_id": row["id"]}
        known |= {"environment_id": row["environment_id"], "job_id": row["status"]["last_job_id"]}
        case.path_parameters.update({name: known[name] for name in case.path_parameters})

    def fit(self, case):
        """Let well-formed bodies of creating and deploying a component go with what is there, where they can."""
        operation = operation_of(case)
        if operation not in {"createComponent", "modifyComponent"} or not is_sound(case, ParameterLocation.BODY):
            return
        rows = self._rows()
        row = next((row for row in rows if row["id"] == case.path_parameters.get("component_id")), rows[0])
        if operation == "createComponent":
            case.body["environment_id"] = row["environment_id"]
        else:
            case.body.update(name=row["name"], runtime_stack=row["runtime_stack"])

    def _rows(self):
        return self.sandbox.handle("GET", f"/v3/{PROJECT}/cas/components").body["components"]


def is_sound(case, location):
    """Whether a request has this part, as the document wants it."""
    part = case.path_parameters if location is ParameterLocation.PATH else case.body
    return isinstance(part, dict) and not case.meta.is_negative_at(location)


ALSO_REFUSED = {"positive_data_acceptance": {"expected-statuses": [*TAKEN, "400"]}}
SERVED = Served(
    build_config(taken=TAKEN, operations=[{"include-operation-id": list(DEPENDS_ON_STATE), "checks": ALSO_REFUSED}]),
    stale_ms=0,
)


def teardown_module():
    """Close the world all requests were sent to."""
    SERVED.sandbox.close()


@SERVED.schema.parametrize()
def test_every_operation(case):
    """Valid and invalid requests: no 500, every answer as described, what is invalid refused, what is valid taken."""
    if SERVED.passes_over(case):
        return
    SERVED.reset()
    SERVED.aim(case)
    SERVED.fit(case)
    SERVED.validate(case, SERVED.call(case))


def operation_of(case):
    """The operationId of a request."""
    return case.operation.definition.raw["operationId"]


def follow(served, examples, *operations):
    """Let schemathesis follow the document's links between these operations (none named: all).

    Counts of (operation the link stands at, operation it leads to, status code of its answer).
    """
    followed = collections.Counter()
    schema = served.schema.include(operation_id=list(operations)) if operations else served.schema

    class Workflow(schema.as_state_machine()):
        """Every scenario begins in the same world."""

        def setup(self):
            served.reset()

        def before_call(self, case):
            if is_sound(case, ParameterLocation.PATH) and "project_id" in case.path_parameters:
                case.path_parameters["project_id"] = PROJECT
            if operation_of(case) == "listComponents" and case.query:
                # Random names find nothing, and where nothing is found no link leads on.
                case.query = {name: value for name, value in case.query.items() if name in {"limit", "order_by"}}
            served.fit(case)

        def call(self, case):
            return served.call(case)

        def validate_response(self, response, case):
            served.validate(case, response, self.recorder)

        def step(self, input):  # noqa: A002 - schemathesis' name
            output = super().step(input)
            if input.transition and input.is_applied:
                source = self.recorder.cases[input.transition.parent_id].value
                followed[operation_of(source), operation_of(input.case), output.response.status_code] += 1
            return output

    Workflow.run(
        settings=hypothesis.settings(
            max_examples=examples,
            stateful_step_count=10,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
    )
    return followed


@pytest.fixture
def serve():
    """Makes sandboxes for scenarios, in which what was valid at first can be refused later: names are taken by then."""
    made = []

    def make(mode="all", **switches):
        made.append(Served(build_config(taken=[*TAKEN, "400"], mode=mode), **switches))
        return made[-1]

    yield make
    for served in made:
        served.sandbox.close()


@pytest.mark.parametrize(
    ("start", "step"),
    [
        ("listComponents", "actOnComponent"),
        ("listComponents", "modifyComponent"),
        ("listApplications", "createComponent"),
        ("listComponents", "listRecords"),
    ],
)
def test_links_lead_to_jobs(serve, start, step):
    """From the action, the deployment, the creation and the record to their job, which is there."""
    # Hypothesis also draws the constants of whatever modules are loaded: how many tries it takes depends on them.
    served = serve("positive", stale_ms=0)
    tries = (follow(served, examples, start, step, "showJob") for examples in (2, 12, 48, 192))
    assert any(followed[step, "showJob", 200] for followed in tries)


def test_all_links(serve):
    """Whatever the document says can follow."""
    served = serve("positive")
    tries = (follow(served, examples) for examples in (15, 60))
    assert any(len({step[:2] for step in followed}) > 15 for followed in tries)


@pytest.mark.parametrize("turn", range(max(map(len, CHOICES.values()))))
def test_under_switches(serve, turn):
    """Every value of every switch is on in one of these worlds: the document describes their answers too."""
    switches = {name: words[turn % len(words)] for name, words in CHOICES.items()}
    operations = ("listComponents", "actOnComponent", "modifyComponent", "showComponent", "listRecords", "showJob")
    served = serve("all" if FACTOR > 1 else "positive", **switches)
    followed = follow(served, 12 if FACTOR > 1 else 6, *operations)
    assert sum(followed.values()) > 15
