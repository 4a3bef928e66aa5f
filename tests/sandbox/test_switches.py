"""Every switch on every side: what somebody sees who only sends requests (sections 13 and 14)."""

from urllib.parse import quote

import pytest

from statetool.sandbox import SandboxError
from statetool.sandbox.switches import CHOICES, NAMES, Switches

GRAY = {
    "type": "Weight",
    "replica_surge_mode": "no_surge",
    "deployment_mode": 1,
    "first_batch_weight": 20,
    "first_batch_replica": 1,
    "remaining_batch": 2,
}
BY_CONTENT = {
    "type": "content",
    "replica_surge_mode": "extra",
    "deployment_mode": 1,
    "rule_match_mode": "ANY",
    "rules": [{"type": "header", "key": "x-tier", "condition": "equal", "value": "beta"}],
    "first_batch_replica": 1,
    "remaining_batch": 1,
}
CONFLICT, INVALID = (409, "SVCSTG.00100409"), (400, "SVCSTG.00100400")
USED = (409, "SVCSTG.00100441")


def gray(**changes):
    """A gray strategy."""
    return {"type": "GrayRelease", "gray_release": {**GRAY, **changes}}


def accepted(answer):
    """True, or how it was refused."""
    return answer[0] == 200 or answer


def last_job(world, address):
    """last_job_id of a component."""
    return world.detail(address)["status"]["last_job_id"]


def in_use(world, address):
    """(version, whether it is the one in use) of every record, newest first."""
    records = world.records(address)
    assert [record["current_used"] for record in records].count(True) == 1
    return [(record["version"], record["current_used"]) for record in records]


# One function per switch: it does something in a fresh world and returns what could be seen.


def graying_shows(world):
    """The version shown during a gray release, in list and detail."""
    return world.row("shop/search")["version"], world.detail("shop/search")["version"]


def gray_continue(world):
    """The statuses after each continue_deploy of a release with two batches to come."""
    world.deploy("shop/cart", "1.5.0", gray())
    world.clock.tick(1)
    seen = []
    while world.status("shop/cart")[0] == "GRAYING":
        world.done("shop/cart", "continue_deploy")
        seen.append(world.status("shop/cart")[0])
    return seen


def gray_job(world):
    """The deployment's own job: at the pause, while the rest is deployed, and at the end."""
    _, job_id = world.deploy("shop/cart", "1.5.0", gray())
    world.clock.tick(1)
    seen = [world.job(job_id)]
    world.act("shop/cart", "continue_deploy")
    world.clock.tick(0.5)
    seen.append(world.job(job_id))
    world.clock.tick(0.5)
    assert world.status("shop/cart")[0] == "RUNNING"
    return [*seen, world.job(job_id)]


def rollback_replicas(world):
    """Instances after scaling to 6 and rolling back to a version that was deployed with 4."""
    world.done("shop/cart", "scale", replica=6)
    world.done("shop/cart", "rollback", version="1.4.1")
    return world.detail("shop/cart")["replica"], world.status("shop/cart")[1]


def scaling_status(world):
    """The status while scaling."""
    world.act("shop/cart", "scale", replica=5)
    return world.status("shop/cart")[0]


def missing(world):
    """Application, component, environment, and a component that was deleted."""
    [row] = world.get("/components", component_name="legacy")[1]["components"]
    application = f"/applications/{row['application_id']}"
    world.send("DELETE", f"{application}/components/{row['id']}")
    world.clock.tick(1)
    paths = (
        "/applications/x",
        f"{application}/components/x",
        "/environments/x",
        f"{application}/components/{row['id']}",
    )
    answers = [world.get(path) for path in paths]
    return [(code, body["error_code"].removeprefix("SVCSTG.")) for code, body in answers]


def job_case(world):
    """The names of a job's and a task's fields that everybody needs."""
    body = world.get(f"/jobs/{last_job(world, 'shop/cart')}")[1]
    wanted = {"job_id", "execution_status", "task_status", "messages"}
    return sorted(key for key in {*body["job"], *body["tasks"][0]} if key.lower() in wanted)


def action_body(world):
    """The fields of an action's answer, that of a scale and of a restart alike."""
    first = world.post("shop/cart", {"action": "scale", "parameters": {"replica": 4}})[1]
    assert first.get("result", "succeeded") == "succeeded"
    assert world.post("bank/ledger@prod", {"action": "restart"})[1].keys() == first.keys()
    return sorted(first)


def projects(world):
    """How many projects a name has."""
    return len(world.sandbox.handle("GET", "/v3/projects", f"name={quote('cn-north-4')}").body["projects"])


def put_replica(world):
    """Instances after a deployment that carries 7."""
    world.deploy("shop/cart", "1.5.0", replica=7)
    world.clock.tick(1)
    return world.status("shop/cart")[1]


def put_omitted(world):
    """Whether a limit survives a deployment that does not mention it."""
    world.deploy("shop/cart", "1.5.0", limit_cpu=None)
    world.clock.tick(1)
    return world.detail("shop/cart").get("limit_cpu")


def job_ids(world):
    """Who tells of its job: a plain action, the three uncertain ones, a batch, and a deployment."""

    def told(address, verb, **parameters):
        before = len(jobs(world))
        answer = world.post(address, {"action": verb, "parameters": parameters})[1]
        assert len(jobs(world)) == before + 1 and answer.keys() - {"job_id"} >= {"component_id"}
        if "job_id" in answer:
            assert jobs(world)[-1] == answer["job_id"]
        if verb != "check_gray_release":
            assert jobs(world)[-1] == last_job(world, address)
        world.clock.tick(2)
        assert world.job(jobs(world)[-1]) == "SUCCEEDED"
        return "job_id" in answer

    seen = [
        told("shop/cart", "scale", replica=5),
        told("shop/cart", "sync_workload"),
        told("shop/search", "modify_gray_rule", first_batch_weight=50),
        told("shop/cart", "check_gray_release"),
    ]
    batch = [{"id": row["id"], "application_id": row["application_id"]} for row in [world.row("shop/cart")]]
    [item] = world.send("POST", "/components/action", {"action": "sync_workload", "components": batch})[1]["components"]
    world.clock.tick(2)
    return [*seen, "job_id" in item, world.deploy("shop/cart", "1.5.0")[1].startswith("JOB")]


def jobs(world):
    """The jobs that requests have started, oldest first."""
    return [entry.job_id for entry in world.sandbox.log() if entry.job_id]


def gray_case(world):
    """The enums shown: as sent, after a change of rule in other letters, and of a seeded release."""

    def enums(address):
        strategy = world.detail(address)["deploy_strategy"]
        assert strategy["type"] == "GrayRelease"
        return strategy["gray_release"]["type"], strategy["gray_release"]["replica_surge_mode"]

    assert world.deploy("shop/cart", "1.5.0", gray())[0] == 200
    world.clock.tick(1)
    seen = [enums("shop/cart")]
    rule = {key: BY_CONTENT[key] for key in ("type", "rule_match_mode", "rules")}
    assert world.done("shop/cart", "modify_gray_rule", **rule) == "SUCCEEDED"
    assert world.deploy("bank/ledger@prod", "3.1.0", {"type": "GrayRelease", "gray_release": BY_CONTENT})[0] == 200
    return [*seen, enums("shop/cart"), enums("bank/ledger@prod"), enums("shop/search")]


def busy(world):
    """A wrong state, and everything that is refused while a job runs."""

    def delete(address):
        code, answer = world.send("DELETE", world.path(address))
        return code, answer["error_code"]

    seen = {world.act("shop/legacy", "stop"), world.act("shop/cart", "rollback", version="1.4.2")}
    seen |= {world.act("shop/cart", "continue_deploy"), world.deploy("shop/search", "2.3.0"), delete("shop/search")}
    assert world.act("shop/cart", "restart")[0] == 200
    seen |= {world.act("shop/cart", "scale", replica=5), world.deploy("shop/cart", "1.5.0"), delete("shop/cart")}
    application, _, identity = world.path("shop/cart").partition("/components/")
    body = {"action": "restart", "parameters": {"components": [{"id": identity}]}}
    code, answer = world.send("POST", f"{application}/action", body)
    assert answer.keys() == {"error_code", "error_msg"} and answer["error_msg"]
    [one] = {*seen, (code, answer["error_code"])}
    return one


def rollback_targets(world):
    """To one before the previous version, and to the previous one (refused as busy where the first was accepted)."""
    return [accepted(world.act("shop/cart", "rollback", version=version)) for version in ("1.4.0", "1.4.1")]


def rollback_twice(world):
    """A second rollback, and the version in the end."""
    world.done("shop/cart", "rollback", version="1.4.1")
    second = accepted(world.act("shop/cart", "rollback_current"))
    world.clock.tick(1)
    return second, world.detail("shop/cart")["version"]


def newer_records(world):
    """What is recorded after a rollback, after the next deployment, and after a gray release was taken back."""
    world.done("shop/cart", "rollback", version="1.4.0")
    seen = [in_use(world, "shop/cart")]
    assert {record["status"] for record in world.records("shop/cart")[:-1]} <= {"ROLLBACKED"}
    assert world.deploy("shop/cart", "1.5.0", gray())[0] == 200
    world.clock.tick(1)
    assert world.status("shop/cart")[0] == "GRAYING"
    world.done("shop/cart", "rollback", version="1.4.0")
    assert world.status("shop/cart") == ("RUNNING", 4, 4) and world.detail("shop/cart")["version"] == "1.4.0"
    return [*seen, in_use(world, "shop/cart")]


def version_reuse(world):
    """Deploying the version in use, an older one; and what is in use afterwards."""
    again = accepted(world.deploy("shop/cart", "1.4.2", replica=5))
    assert in_use(world, "shop/cart")[-3:] == [("1.4.2", True), ("1.4.1", False), ("1.4.0", False)]
    world.clock.tick(1)
    older = accepted(world.deploy("shop/cart", "1.4.0"))
    world.clock.tick(1)
    return again, older, in_use(world, "shop/cart")[0], world.status("shop/cart")[1]


def action_records(world):
    """How many records more there are after scale, restart, stop and start, none of them of another version."""
    before = in_use(world, "shop/cart")
    for verb, parameters in (("scale", {"replica": 6}), ("restart", {}), ("stop", {}), ("start", {})):
        assert world.done("shop/cart", verb, **parameters) == "SUCCEEDED"
    after = in_use(world, "shop/cart")
    assert after[0] == ("1.4.2", True)
    assert [version for version, _ in after[-3:]] == [version for version, _ in before]
    assert {version for version, _ in after[:-2]} == {"1.4.2"}
    return len(after) - len(before)


SEEN = {
    graying_shows: {"candidate": ("2.2.0", "2.2.0"), "stable": ("2.1.0", "2.1.0")},
    gray_continue: {"all": ["RUNNING"], "per_batch": ["GRAYING", "RUNNING"]},
    gray_job: {"succeeded": ["SUCCEEDED"] * 3, "running": ["RUNNING", "RUNNING", "SUCCEEDED"]},
    rollback_replicas: {"keep": (6, 6), "restore": (4, 4)},
    scaling_status: {"UPGRADING": "UPGRADING", "SCALING": "SCALING"},
    missing: {
        "401": [(401, "00100401")] * 4,
        "404": [(404, "00100403"), (404, "00100404"), (404, "00100411"), (404, "00100404")],
    },
    job_case: {
        "lower": ["execution_status", "job_id", "messages", "task_status"],
        "upper": ["EXECUTION_STATUS", "JOB_ID", "MESSAGES", "TASK_STATUS"],
    },
    action_body: {
        "new": ["component_id", "job_id"],
        "old": ["job_id", "result"],
        "both": ["component_id", "job_id", "result"],
    },
    projects: {"one": 1, "none": 0, "several": 2},
    put_replica: {"honoured": 7, "ignored": 4},
    put_omitted: {"reset": None, "keep": 0.5},
    job_ids: {
        "all": [True] * 6,
        "some": [True, False, False, False, False, True],
        "none": [False, False, False, False, False, True],
    },
    gray_case: {
        "sent": [("Weight", "no_surge"), ("CONTENT", "no_surge"), ("content", "extra"), ("WEIGHT", "NOSURGE")],
        "upper": [("WEIGHT", "NOSURGE"), ("CONTENT", "NOSURGE"), ("CONTENT", "EXTRA"), ("WEIGHT", "NOSURGE")],
        "lower": [("weight", "no_surge"), ("content", "no_surge"), ("content", "extra"), ("weight", "no_surge")],
    },
    busy: {"409": CONFLICT, "400": INVALID},
    rollback_targets: {"any": [True, CONFLICT], "previous": [INVALID, True]},
    rollback_twice: {"refused": (CONFLICT, "1.4.1"), "accepted": (True, "1.4.0")},
    newer_records: {
        "dropped": [[("1.4.0", True)]] * 2,
        "kept": [
            [("1.4.2", False), ("1.4.1", False), ("1.4.0", True)],
            [("1.5.0", False), ("1.4.2", False), ("1.4.1", False), ("1.4.0", True)],
        ],
    },
    version_reuse: {"refused": (USED, USED, ("1.4.2", True), 4), "accepted": (True, True, ("1.4.0", True), 5)},
    action_records: {"no": 0, "yes": 4},
}


def test_every_side_of_every_switch_is_here():
    """A new switch, or a new side of one, can't be forgotten; the first is the default."""
    assert {observe.__name__: tuple(sides) for observe, sides in SEEN.items()} == CHOICES
    numbers = {"job_seconds", "stale_ms", "token_seconds"}
    assert set(NAMES) == CHOICES.keys() | numbers
    assert all(getattr(Switches(), name) == sides[0] for name, sides in CHOICES.items())


@pytest.mark.parametrize(
    ("observe", "side"), [pytest.param(o, s, id=f"{o.__name__}-{s}") for o, sides in SEEN.items() for s in sides]
)
def test_a_side(make_world, observe, side):
    """What can be seen with the switch there."""
    assert observe(make_world(switches=f"{observe.__name__}: {side}, stale_ms: 0")) == SEEN[observe][side]


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_a_side_there_is_not(world, name):
    """Refused with the place, the sides and the nearest one; the world stays as it was."""
    before = world.get("/components")
    wrong = CHOICES[name][0] + "x"
    with pytest.raises(SandboxError, match=rf"seed.yaml:1:\d+: sandbox.{name}: {name} must be one of .*did you mean"):
        world.sandbox.seed(f"sandbox: {{{name}: {wrong}}}\napplications: {{}}", "seed.yaml")
    assert world.get("/components") == before


def test_the_default_returns_with_the_next_seed(make_world, shop_seed):
    """A seed that does not name a switch has its default."""
    world = make_world(switches="busy: 400, action_records: yes, stale_ms: 0")
    world.sandbox.seed(shop_seed, "seed.yaml")
    assert world.act("shop/legacy", "stop") == CONFLICT
