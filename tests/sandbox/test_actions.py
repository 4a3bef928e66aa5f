"""Actions outside gray releases (sections 4, 6 and 13)."""

import pytest


def test_scale(world):
    """UPGRADING while the job runs, the configured number at once, the actual and available ones at its end."""
    code, _ = world.act("shop/cart", "scale", replica=6)
    assert code == 200
    assert world.status("shop/cart") == ("UPGRADING", 4, 4)
    assert world.detail("shop/cart")["replica"] == 6
    world.clock.tick(1)
    assert world.status("shop/cart") == ("RUNNING", 6, 6)
    assert world.versions("shop/cart") == ["1.4.2", "1.4.1", "1.4.0"]


def test_scale_to_the_same_number_is_a_job(world):
    """A no-op scale is accepted like any other (section 13.4)."""
    assert world.done("shop/cart", "scale", replica=4) == "SUCCEEDED"
    assert world.status("shop/cart") == ("RUNNING", 4, 4)


@pytest.mark.parametrize("replica", [-1, 2.0, "4", True, None, 2**40, [4]])
def test_scale_to_nonsense(world, replica):
    """replica is a whole number, 0 or more."""
    assert world.act("shop/cart", "scale", replica=replica) == (400, "SVCSTG.00100400")


def test_scale_on_virtual_machines(world):
    """VM components need hosts [06_0082] and keep an instance."""
    assert world.act("shop/machine", "scale", replica=3) == (400, "SVCSTG.00100400")
    assert world.act("shop/machine", "scale", replica=3, hosts=[1]) == (400, "SVCSTG.00100400")
    assert world.act("shop/machine", "scale", replica=0, hosts=["a"]) == (400, "SVCSTG.00100400")
    assert world.done("shop/machine", "scale", replica=3, hosts=["a", "b", "c"]) == "SUCCEEDED"
    assert world.row("shop/machine")["status"]["artifact"]["type"] == "package"


@pytest.mark.parametrize("hosts", [None, [], [""], ["a", 3], "a", {}])
def test_scaling_virtual_machines_needs_hosts(world, hosts):
    """A list with at least one text, none of them empty [06_0082]."""
    assert world.act("shop/machine", "scale", replica=3, hosts=hosts) == (400, "SVCSTG.00100400")


def test_hosts_are_in_the_log(world):
    """What came can be looked at; what it means is not known (U17)."""
    assert world.done("shop/machine", "scale", replica=3, hosts=["a", "b"]) == "SUCCEEDED"
    assert world.sandbox.log()[-1].body["parameters"] == {"replica": 3, "hosts": ["a", "b"]}
    assert world.status("shop/machine") == ("RUNNING", 3, 3)


def test_the_last_virtual_machine_stays(world):
    """With one instance only scaling out is possible; a scale to the same number is none (section 13.4)."""
    assert world.done("shop/machine", "scale", replica=1, hosts=["a"]) == "SUCCEEDED"
    assert world.act("shop/machine", "scale", replica=0, hosts=["a"]) == (400, "SVCSTG.00100400")
    assert world.done("shop/machine", "scale", replica=1, hosts=["a"]) == "SUCCEEDED"
    assert world.done("shop/machine", "scale", replica=2, hosts=["a", "b"]) == "SUCCEEDED"


@pytest.mark.parametrize(
    ("address", "action", "during", "after"),
    [
        ("shop/cart", "stop", "STOPPING", ("STOPPED", 4, 0)),
        ("shop/cart", "restart", "RESTARTING", ("RUNNING", 4, 4)),
        ("shop/legacy", "start", "STARTING", ("RUNNING", 1, 1)),
    ],
)
def test_power(world, address, action, during, after):
    """Each action shows its own status while it runs."""
    _, job_id = world.act(address, action)
    assert world.status(address)[0] == during
    assert world.detail(address)["status"]["last_job_id"] == job_id
    world.clock.tick(1)
    assert world.status(address) == after


@pytest.mark.parametrize(
    ("address", "action"),
    [
        ("shop/cart", "start"),
        ("shop/cart", "continue_deploy"),
        ("shop/cart", "modify_gray_rule"),
        ("shop/legacy", "stop"),
        ("shop/legacy", "restart"),
        ("shop/legacy", "scale"),
        ("shop/search", "scale"),
        ("shop/search", "stop"),
        ("shop/search", "restart"),
    ],
)
def test_wrong_state(world, address, action):
    """Section 4.3: what is not allowed in a status is refused, and changes nothing."""
    before = world.detail(address)
    parameters = {"replica": 2} if action == "scale" else {}
    assert world.act(address, action, **parameters) == (409, "SVCSTG.00100409")
    assert world.detail(address) == before


def test_busy(world):
    """A running job refuses every other action until it has ended, even before the status shows it."""
    world.act("shop/cart", "restart")
    assert world.act("shop/cart", "scale", replica=5) == (409, "SVCSTG.00100409")
    world.clock.tick(1)
    assert world.act("shop/cart", "scale", replica=5)[0] == 200


def test_status_is_stale_at_first(make_world):
    """With stale_ms the status reads as before for a while (section 12.2), last_job_id does not."""
    world = make_world(switches="stale_ms: 300")
    _, job_id = world.act("shop/cart", "restart")
    assert world.status("shop/cart")[0] == "RUNNING"
    assert world.detail("shop/cart")["status"]["last_job_id"] == job_id
    world.clock.tick(0.3)
    assert world.status("shop/cart")[0] == "RESTARTING"


def test_unknown_status_word_for_scaling(make_world):
    """The console's "Scaling" has no known word; the switch tries one."""
    world = make_world(switches="scaling_status: SCALING, stale_ms: 0")
    world.act("shop/cart", "scale", replica=5)
    assert world.status("shop/cart")[0] == "SCALING"


def test_action_bodies(make_world):
    """Section 4.2: the answer of both doc generations."""
    keys = {
        "new": {"job_id", "component_id"},
        "old": {"job_id", "result"},
        "both": {"job_id", "component_id", "result"},
    }
    for name, expected in keys.items():
        world = make_world(switches=f"action_body: {name}")
        assert world.post("shop/cart", {"action": "restart"})[1].keys() == expected


@pytest.mark.parametrize("action", ["sync_import", "Scale", "explode", ""])
def test_undefined_actions(world, action):
    """Actions the sandbox does not offer are not defined."""
    assert world.act("shop/cart", action) == (400, "SVCSTG.00100418")


@pytest.mark.parametrize(
    "body", [[], "x", None, 3, {}, {"action": 1}, {"action": "stop", "parameters": []}, {"action": "rollback"}]
)
def test_malformed_actions(world, body):
    """Wrong shapes are invalid parameters."""
    code, answer = world.post("shop/cart", body)
    assert (code, answer["error_code"]) == (400, "SVCSTG.00100400")


def test_rollback(world):
    """UPGRADING, then the recorded version; newer records are dropped, the number of instances stays."""
    world.done("shop/cart", "scale", replica=6)
    world.act("shop/cart", "rollback", version="1.4.1")
    assert world.status("shop/cart")[0] == "UPGRADING"
    assert world.detail("shop/cart")["version"] == "1.4.2"
    world.clock.tick(1)
    assert world.status("shop/cart") == ("RUNNING", 6, 6)
    assert world.row("shop/cart")["version"] == "1.4.1"
    assert world.versions("shop/cart") == ["1.4.1", "1.4.0"]
    assert [r["current_used"] for r in world.records("shop/cart")] == [True, False]


def test_rollback_can_restore_the_number(make_world):
    """The switch rollback_replicas: restore brings back what was configured with that version."""
    world = make_world(switches="rollback_replicas: restore")
    world.done("shop/cart", "scale", replica=6)
    world.done("shop/cart", "rollback", version="1.4.1")
    assert world.status("shop/cart") == ("RUNNING", 4, 4)
    assert world.detail("shop/cart")["replica"] == 4


def test_rollback_refusals(world):
    """To a version not recorded, to the one in use, and twice in a row [03_0037]."""
    assert world.act("shop/cart", "rollback", version="9.0.0") == (404, "SVCSTG.00100436")
    assert world.act("shop/cart", "rollback", version="1.4.2") == (409, "SVCSTG.00100409")
    assert world.done("shop/cart", "rollback_current") == "SUCCEEDED"
    assert world.row("shop/cart")["version"] == "1.4.1"
    assert world.act("shop/cart", "rollback", version="1.4.0") == (409, "SVCSTG.00100409")
    assert world.act("bank/ledger@prod", "rollback_current") == (404, "SVCSTG.00100436")


def test_failed_scale(world):
    """The job fails with the message in a task; old values come back and the component runs on."""
    world.sandbox.disturb("shop/cart", fail_next_job="quota exceeded")
    _, job_id = world.act("shop/cart", "scale", replica=6)
    world.clock.tick(1)
    body = world.get(f"/jobs/{job_id}")[1]
    assert body["job"]["execution_status"] == "FAILED"
    assert [t["messages"] for t in body["tasks"] if t["status"] == "FAILED"] == ["quota exceeded"]
    assert body["tasks"][-1]["status"] == "SKIPPED"
    assert world.status("shop/cart") == ("RUNNING", 4, 4)
    assert world.detail("shop/cart")["replica"] == 4
    assert world.done("shop/cart", "scale", replica=6) == "SUCCEEDED"


def test_failed_rollback(world):
    """A failed change of version leaves FAILED on the old version, from which a rollback is allowed."""
    world.sandbox.disturb("shop/cart", fail_next_job="image not found")
    assert world.done("shop/cart", "rollback", version="1.4.1") == "FAILED"
    assert world.status("shop/cart")[0] == "FAILED"
    assert world.row("shop/cart")["version"] == "1.4.2"
    assert world.act("shop/cart", "scale", replica=2) == (409, "SVCSTG.00100409")
    assert world.done("shop/cart", "rollback", version="1.4.1") == "SUCCEEDED"


def test_failed_start_stays_stopped(world):
    """What could not be started is still stopped."""
    world.sandbox.disturb("shop/legacy", fail_next_job="no nodes")
    world.done("shop/legacy", "start")
    assert world.status("shop/legacy") == ("STOPPED", 1, 0)
