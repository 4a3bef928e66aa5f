"""Creating, deploying and deleting components (sections 3.2, 4.6 and 13.7); gray: test_gray_deploy.py."""

import json

import pytest


def wish(world, **changes):
    """The body of a creation in the environment prod; None leaves a field out."""
    [environment] = world.get("/environments", name="prod")[1]["environments"]
    body = {
        "name": "fresh",
        "description": "new here",
        "labels": [{"key": "team", "value": "a"}],
        "runtime_stack": {"name": "Docker", "type": "Docker", "version": "1.0", "deploy_mode": "container"},
        "source": {"kind": "image", "url": "registry.example/fresh:1.0.0", "storage": "swr"},
        "environment_id": environment["id"],
        "replica": 2,
        "version": "1.0.0",
        "limit_cpu": 0.5,
        "envs": [{"name": "A", "value": "1"}],
        "refer_resources": [{"id": "c1", "type": "cce", "parameters": {"namespace": "default"}}],
        "timezone": None,
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def create(world, **changes):
    """(status code, body) of a creation in the application shop."""
    shop = world.get("/applications", order="asc")[1]["applications"][0]["id"]
    return world.send("POST", f"/applications/{shop}/components", wish(world, **changes))


def test_create(world):
    """INITIALIZING without instances, then RUNNING with all; one record from the beginning; the body comes back."""
    code, answer = create(world)
    assert code == 200 and answer.keys() == {"component_id", "job_id"}
    assert world.status("shop/fresh") == ("INITIALIZING", 0, 0)
    [record] = world.records("shop/fresh")
    assert (record["version"], record["current_used"], record["deploy_type"]) == ("1.0.0", True, "OneBatchRelease")
    body = world.get(f"/jobs/{answer['job_id']}")[1]["job"]
    assert (body["execution_status"], body["job_type"]) == ("SUBMITTED", "PROVISION")
    world.clock.tick(1)
    assert world.status("shop/fresh") == ("RUNNING", 2, 2)
    assert world.row("shop/fresh")["id"] == answer["component_id"]
    detail, sent = world.detail("shop/fresh"), wish(world)
    assert {key: detail[key] for key in sent if key != "envs"} == {key: sent[key] for key in sent if key != "envs"}
    assert [entry for entry in detail["envs"] if not entry.get("inner")] == sent["envs"]
    assert detail["status"]["artifact"] == {"type": "image", "url": "registry.example/fresh:1.0.0"}
    assert world.records("shop/fresh")[0]["status"] == "SUCCEEDED"


def test_create_on_virtual_machines(world):
    """The resources say where it runs; scaling then needs hosts."""
    stack = {"name": "OpenJDK17", "type": "Java", "version": "1.1.0", "deploy_mode": "virtualmachine"}
    source = {"kind": "package", "url": "obs://b/fresh.jar"}
    create(world, runtime_stack=stack, source=source, refer_resources=[{"id": "h1", "type": "ecs"}])
    world.clock.tick(1)
    row = world.row("shop/fresh")
    assert (row["platform_type"], row["status"]["artifact"]["type"]) == ("ecs", "package")
    assert world.act("shop/fresh", "scale", replica=3)[0] == 400


BAD = [
    ({"name": "1x"}, "00100400"),
    ({"name": "x-"}, "00100400"),
    ({"name": None}, "00100400"),
    ({"version": "1.0"}, "00100400"),
    ({"version": "1.0.x"}, "00100400"),
    ({"version": "1.0." + "0" * 30}, "00100400"),
    ({"replica": -1}, "00100400"),
    ({"replica": "2"}, "00100400"),
    ({"replica": True}, "00100400"),
    ({"description": "x" * 129}, "00100400"),
    ({"labels": [{"key": "a"}]}, "00100400"),
    ({"envs": ["A"]}, "00100400"),
    ({"limit_cpu": "0.5"}, "00100400"),
    ({"command": []}, "00100400"),
    ({"runtime_stack": {"type": "Docker"}}, "00100400"),
    ({"runtime_stack": {"name": "C", "type": "Cobol", "version": "1", "deploy_mode": "container"}}, "00100420"),
    ({"source": {"kind": "floppy", "url": "x"}}, "00100400"),
    ({"source": {"kind": []}}, "00100400"),
    ({"source": {"kind": "image"}}, "00100425"),
    ({"refer_resources": None}, "00100422"),
    ({"refer_resources": [{"id": "h", "type": "ecs"}]}, "00100400"),
    ({"deploy_strategy": {"type": "BigBang"}}, "00100400"),
    ({"deploy_strategy": {"type": []}}, "00100400"),
    ({"deploy_strategy": {"type": "GrayRelease"}}, "00100400"),
    ({"environment_id": None}, "00100400"),
]


@pytest.mark.parametrize(("changes", "code"), BAD)
def test_create_nonsense(world, changes, code):
    """Refused with the documented code where there is one; nothing is made."""
    status, answer = create(world, **changes)
    assert (status, answer["error_code"]) == (400, f"SVCSTG.{code}")
    assert world.get("/components", component_name="fresh")[1]["count"] == 0


def test_create_where_something_is_missing_or_taken(make_world):
    """An environment that does not exist; a name that is taken in this environment, but not one of another."""
    world = make_world(switches="missing: 404")
    assert create(world, environment_id="nowhere")[1]["error_code"] == "SVCSTG.00100411"
    assert create(world, environment_id="\ud800")[0] == 404
    assert world.send("POST", "/applications/x/components", wish(world))[1]["error_code"] == "SVCSTG.00100403"
    assert create(world, name="cart")[0] == 409
    [test] = world.get("/environments", name="test")[1]["environments"]
    assert create(world, name="cart", environment_id=test["id"])[0] == 200


def test_a_creation_that_fails(world):
    """FAILED, and so its record; it can be deleted (section 6)."""
    world.sandbox.set_faults([{"kind": "job_failed", "action": "create", "message": "no nodes"}])
    detail = world.detail("shop/cart")
    body = {key: detail[key] for key in ("runtime_stack", "source", "replica", "refer_resources", "environment_id")}
    shop = world.path("shop/cart").split("/components")[0]
    code, answer = world.send("POST", f"{shop}/components", {**body, "name": "fresh", "version": "1.0.0"})
    assert code == 200
    world.clock.tick(1)
    assert (world.job(answer["job_id"]), world.status("shop/fresh")) == ("FAILED", ("FAILED", 0, 0))
    assert world.records("shop/fresh")[0]["status"] == "FAILED"
    assert world.send("DELETE", world.path("shop/fresh"))[0] == 200


@pytest.mark.parametrize(
    "strategy",
    [None, {"type": "OneBatchRelease"}, {"type": "RollingRelease", "rolling_release": {"batches": 2}}],
)
def test_deploy(world, strategy):
    """UPGRADING with the new version shown, then RUNNING; the new record is the one in use, newest first."""
    code, job_id = world.deploy("shop/cart", "1.5.0", strategy)
    assert code == 200 and world.status("shop/cart")[0] == "UPGRADING"
    assert world.detail("shop/cart")["version"] == "1.5.0"
    world.clock.tick(1)
    assert world.job(job_id) == "SUCCEEDED"
    assert world.status("shop/cart") == ("RUNNING", 4, 4)
    newest, before, *_ = world.records("shop/cart")
    assert (newest["version"], newest["current_used"], newest["status"]) == ("1.5.0", True, "SUCCEEDED")
    assert (before["version"], before["current_used"]) == ("1.4.2", False)
    assert world.detail("shop/cart")["deploy_strategy"] == (strategy or {"type": "OneBatchRelease"})
    assert world.done("shop/cart", "rollback", version="1.4.2") == "SUCCEEDED"
    assert world.versions("shop/cart")[0] == "1.4.2"


def test_configurations_belong_to_versions(world):
    """Each version keeps its own; a rollback brings the old one back."""
    source = {"kind": "image", "url": "registry.example/cart:next"}
    world.deploy("shop/cart", "1.5.0", source=source, envs=[{"name": "B", "value": "2"}])
    world.clock.tick(1)
    assert world.row("shop/cart")["source"] == source
    assert world.detail("shop/cart")["envs"][0] == {"name": "B", "value": "2"}
    assert world.detail("shop/cart", version="1.4.2")["source"]["url"].endswith("cart:1.4.2")
    assert world.records("shop/cart")[0]["jobs"][0]["job_info"]["source_url"] == "registry.example/cart:next"
    world.done("shop/cart", "rollback_current")
    assert world.detail("shop/cart")["source"]["url"].endswith("cart:1.4.2")


def test_entries_of_the_platform_do_not_multiply(world):
    """What GET marks as inner may come back, and means nothing."""
    world.deploy("shop/cart", "1.5.0")
    world.clock.tick(1)
    assert [entry.get("inner", False) for entry in world.detail("shop/cart")["envs"]] == [False, True]


@pytest.mark.parametrize(("omitted", "kept"), [("reset", False), ("keep", True)])
def test_what_a_deployment_does_not_mention(make_world, omitted, kept):
    """The switch put_omitted (U10)."""
    world = make_world(switches=f"put_omitted: {omitted}, stale_ms: 0")
    detail = world.detail("shop/cart")
    body = {key: detail[key] for key in ("name", "runtime_stack", "source", "replica", "refer_resources")}
    assert world.send("PUT", world.path("shop/cart"), {**body, "version": "1.5.0"})[0] == 200
    world.clock.tick(1)
    after = world.detail("shop/cart")
    assert (after.get("limit_cpu") == 0.5) is kept and ("LOG_LEVEL" in str(after["envs"])) is kept


@pytest.mark.parametrize(("switch", "replica"), [("honoured", 7), ("ignored", 4)])
def test_the_number_a_deployment_carries(make_world, switch, replica):
    """The switch put_replica (U10)."""
    world = make_world(switches=f"put_replica: {switch}, stale_ms: 0")
    world.deploy("shop/cart", "1.5.0", replica=7)
    assert world.status("shop/cart")[1] == 4
    world.clock.tick(1)
    assert world.status("shop/cart") == ("RUNNING", replica, replica)
    assert world.detail("shop/cart")["replica"] == replica


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "other"}, (400, "SVCSTG.00100400")),
        ({"environment_id": "x"}, (400, "SVCSTG.00100400")),
        (
            {"runtime_stack": {"name": "J", "type": "Java", "version": "1", "deploy_mode": "container"}},
            (400, "SVCSTG.00100400"),
        ),
        ({"deploy_strategy": {"type": "RollingRelease"}}, (400, "SVCSTG.00100400")),
        ({"deploy_strategy": {"type": "RollingRelease", "rolling_release": {"batches": 0}}}, (400, "SVCSTG.00100400")),
        ({"version": "1.4.0"}, (409, "SVCSTG.00100441")),
        ({"version": "1.4.2"}, (409, "SVCSTG.00100441")),
    ],
)
def test_deploy_refusals(world, changes, expected):
    """What can't be changed, and a version that is recorded; nothing is started."""
    before = world.detail("shop/cart")
    assert world.deploy("shop/cart", **{"version": "1.5.0", **changes}) == expected
    assert world.detail("shop/cart") == before


@pytest.mark.parametrize("address", ["shop/legacy", "shop/search"])
def test_deploy_in_the_wrong_state(world, address):
    """Neither stopped nor in a gray release; nor while a job runs."""
    assert world.deploy(address, "9.0.0") == (409, "SVCSTG.00100409")
    world.act("shop/cart", "restart")
    assert world.deploy("shop/cart", "9.0.0") == (409, "SVCSTG.00100409")


def test_a_failed_deployment(world):
    """FAILED with its record; it can be rolled back, or replaced by the next deployment, even of the same version."""
    world.sandbox.disturb("shop/cart", fail_next_job="image not found")
    _, job_id = world.deploy("shop/cart", "1.5.0", replica=6)
    world.clock.tick(1)
    assert (world.job(job_id), world.status("shop/cart")) == ("FAILED", ("FAILED", 4, 4))
    newest, current, *_ = world.records("shop/cart")
    assert (newest["status"], newest["current_used"], current["current_used"]) == ("FAILED", False, True)
    assert world.act("shop/cart", "scale", replica=2)[0] == 409
    assert world.deploy("shop/cart", "1.5.0")[0] == 200
    world.clock.tick(1)
    assert world.versions("shop/cart") == ["1.5.0", "1.4.2", "1.4.1", "1.4.0"]
    assert world.status("shop/cart") == ("RUNNING", 4, 4)
    world.sandbox.disturb("shop/cart", fail_next_job="image not found")
    world.deploy("shop/cart", "1.6.0")
    world.clock.tick(1)
    assert world.done("shop/cart", "rollback_current") == "SUCCEEDED"
    assert world.versions("shop/cart")[0] == world.detail("shop/cart")["version"] == "1.5.0"


def test_sync_workload(world):
    """A job that changes nothing; a component the platform had lost sight of is found again."""
    before = world.status("shop/cart")
    assert world.done("shop/cart", "sync_workload") == "SUCCEEDED"
    assert world.status("shop/cart") == before
    world.sandbox.disturb("shop/cart", status="UNKNOWN")
    world.done("shop/cart", "sync_workload")
    assert world.status("shop/cart")[0] == "RUNNING"
    assert world.act("shop/legacy", "sync_workload") == (409, "SVCSTG.00100409")


def test_refresh(world):
    """Accepted for what exists."""
    assert world.send("PUT", f"{world.path('shop/cart')}/refresh") == (200, {})
    assert world.send("PUT", f"{world.path('shop/cart')[:-1]}x/refresh")[0] == 401


def ids(world, address):
    """What names a component in a batch."""
    row = world.row(address)
    return {"id": row["id"], "application_id": row["application_id"]}


def test_batch(world):
    """query tells statuses, sync_workload starts jobs: for all of the components, or for none."""
    both = [ids(world, "shop/cart"), ids(world, "bank/ledger@prod")]
    code, answer = world.send("POST", "/components/action", {"action": "query", "components": both})
    assert code == 200 and [item["component_status"] for item in answer["components"]] == ["RUNNING", "RUNNING"]
    refused = {"action": "sync_workload", "components": [*both, ids(world, "shop/legacy")]}
    assert world.send("POST", "/components/action", refused)[0] == 409
    code, answer = world.send("POST", "/components/action", {"action": "sync_workload", "components": both})
    world.clock.tick(1)
    assert [world.job(item["job_id"]) for item in answer["components"]] == ["SUCCEEDED", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "00100400"),
        ({"action": []}, "00100400"),
        ({"action": "explode", "components": []}, "00100418"),
        ({"action": "query"}, "00100400"),
        ({"action": "query", "components": [{"id": "x"}]}, "00100400"),
        ({"action": "query", "components": [{"id": "x", "application_id": "\ud800"}]}, "00100401"),
    ],
)
def test_batches_that_are_none(world, body, code):
    """Refused, never 500."""
    assert world.send("POST", "/components/action", body)[1]["error_code"] == f"SVCSTG.{code}"


def test_delete(world):
    """DELETING, then as missing as any; the name is free again, the last job can still be read."""
    path, row = world.path("shop/cart"), world.row("shop/cart")
    assert world.send("DELETE", path) == (200, {"component_id": row["id"]})
    assert world.status("shop/cart")[0] == "DELETING"
    assert world.send("DELETE", path)[0] == 409
    world.clock.tick(1)
    assert world.get(path)[1]["error_code"] == "SVCSTG.00100401"
    assert world.send("DELETE", path)[0] == 401
    assert world.get("/components", component_name="cart")[1] == {"count": 0, "components": []}
    assert world.get("/applications", order="asc")[1]["applications"][0]["component_count"] == 3
    assert world.job(row["status"]["last_job_id"]) == "SUCCEEDED"
    assert create(world, name="cart")[0] == 200


def test_delete_refusals(world):
    """In a gray release and while a job runs, not when stopped (section 4.6)."""
    assert world.send("DELETE", world.path("shop/search"))[0] == 409
    world.act("shop/cart", "restart")
    assert world.send("DELETE", world.path("shop/cart"))[0] == 409
    assert world.send("DELETE", world.path("shop/legacy"))[0] == 200


def test_a_failed_deletion(world):
    """The component is still there, and FAILED."""
    world.sandbox.disturb("shop/cart", fail_next_job="cluster unreachable")
    world.send("DELETE", world.path("shop/cart"))
    world.clock.tick(1)
    assert world.status("shop/cart")[0] == "FAILED"
    world.send("DELETE", world.path("shop/cart"))
    world.clock.tick(1)
    assert world.get("/components", component_name="cart")[1]["count"] == 0


def test_runtime_stacks(world):
    """Under both keys; every type can be used."""
    code, body = world.get("/runtimestacks")
    assert code == 200 and body["runtimestacks"] == body["runtime_stacks"]
    assert {"name", "type", "version", "deploy_mode", "status"} <= body["runtimestacks"][0].keys()
    for index, stack in enumerate(body["runtimestacks"]):
        chosen = {key: stack[key] for key in ("name", "type", "version", "deploy_mode")}
        kind = "ecs" if stack["deploy_mode"] == "virtualmachine" else "cce"
        resources = [{"id": "r", "type": kind}]
        assert create(world, name=f"of{index}", runtime_stack=chosen, refer_resources=resources)[0] == 200


def test_deployments_are_in_the_log(world):
    """With their bodies and jobs."""
    _, job_id = world.deploy("shop/cart", "1.5.0")
    [entry] = world.sandbox.log()
    assert (entry.method, entry.body["version"], entry.job_id) == ("PUT", "1.5.0", job_id)
    assert json.dumps(entry.body)
