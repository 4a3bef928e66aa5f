"""Stale reads (switch stale_ms): a component reads as before for a while after every accepted write (section 12.2)."""

import json

import pytest

GRAY = {
    "type": "WEIGHT",
    "replica_surge_mode": "NOSURGE",
    "deployment_mode": 1,
    "first_batch_weight": 20,
    "first_batch_replica": 1,
    "remaining_batch": 2,
}
CONFLICT = (409, "SVCSTG.00100409")


def numbers(world, address="shop/cart"):
    """What lags behind: all of row and detail but last_job_id and update_time, which the write itself has made."""
    seen = json.loads(json.dumps([world.row(address), world.detail(address)]))
    for body in seen:
        del body["status"]["last_job_id"], body["status"]["update_time"]
    return seen


def last_job(world):
    """last_job_id."""
    return world.detail("shop/cart")["status"]["last_job_id"]


WRITES = {
    "scale": lambda world: world.act("shop/cart", "scale", replica=6),
    "stop": lambda world: world.act("shop/cart", "stop"),
    "rollback": lambda world: world.act("shop/cart", "rollback", version="1.4.1"),
    "deploy": lambda world: world.deploy("shop/cart", "1.5.0", replica=6, limit_cpu=2.5),
    "deploy_gray": lambda world: world.deploy("shop/cart", "1.5.0", {"type": "GrayRelease", "gray_release": GRAY}),
}


@pytest.mark.parametrize("job_seconds", [0, 0.1, 5])
@pytest.mark.parametrize("write", sorted(WRITES))
def test_reads_are_stale_after_a_write(make_world, write, job_seconds):
    """Numbers, version, configuration and status are the old ones for stale_ms, even where the job has ended.

    What the write itself has made is there at once: the job, last_job_id and the records.
    """
    world = make_world(switches=f"stale_ms: 300, job_seconds: {job_seconds}")
    before = numbers(world)
    code, job_id = WRITES[write](world)
    assert code == 200
    for _ in range(3):
        assert numbers(world) == before
        assert last_job(world) == job_id
        world.clock.tick(0.0999)
    assert world.job(job_id) == ("SUBMITTED" if job_seconds == 5 else "SUCCEEDED")
    assert numbers(world) == before
    assert "1.5.0" in world.versions("shop/cart") or not write.startswith("deploy")
    world.clock.tick(0.001)
    assert numbers(world) != before
    world.clock.tick(5)
    expected = {"scale": ("RUNNING", 6), "stop": ("STOPPED", 4), "rollback": ("RUNNING", 4), "deploy": ("RUNNING", 6)}
    assert world.status("shop/cart")[:2] == expected.get(write, ("GRAYING", 4))


def test_stale_reads_of_a_gray_release(make_world):
    """A changed weight and the end of the release lag too."""
    world = make_world(switches="stale_ms: 300, job_seconds: 0")
    for verb, parameters in (("modify_gray_rule", {"first_batch_weight": 70}), ("continue_deploy", {})):
        before = numbers(world, "shop/search")
        assert world.act("shop/search", verb, **parameters)[0] == 200
        assert numbers(world, "shop/search") == before
        world.clock.tick(0.3)
        assert numbers(world, "shop/search") != before


def test_writes_are_judged_by_what_is_true(make_world):
    """Staleness is the reader's: the next action is accepted or refused by the state there really is."""
    world = make_world(switches="stale_ms: 5000, job_seconds: 1")
    world.act("shop/cart", "stop")
    assert world.act("shop/cart", "restart") == CONFLICT
    world.clock.tick(1)
    assert world.status("shop/cart")[0] == "RUNNING"
    assert world.act("shop/cart", "stop") == CONFLICT
    assert world.act("shop/cart", "start")[0] == 200
    assert world.status("shop/cart")[0] == "STOPPED"


def test_a_failed_deployment_reads_as_before_while_the_next_is_new(make_world):
    """Its record gives way at once, but not to those who read the component."""
    world = make_world(switches="stale_ms: 300")
    world.sandbox.disturb("shop/cart", fail_next_job="image not found")
    world.deploy("shop/cart", "1.5.0")
    world.clock.tick(1)
    before = numbers(world)
    assert (before[0]["version"], before[0]["status"]["component_status"]) == ("1.5.0", "FAILED")
    assert world.deploy("shop/cart", "1.6.0")[0] == 200
    assert numbers(world) == before
    assert world.versions("shop/cart")[:2] == ["1.6.0", "1.4.2"]
    world.clock.tick(0.3)
    assert world.detail("shop/cart")["version"] == "1.6.0"


def test_what_somebody_else_does_is_seen_at_once(make_world):
    """A disturbance ends the lag: it is what is there now."""
    world = make_world(switches="stale_ms: 5000, job_seconds: 10")
    world.act("shop/cart", "restart")
    world.sandbox.disturb("shop/cart", replicas=9)
    assert world.status("shop/cart")[:2] == ("RESTARTING", 9) and world.detail("shop/cart")["replica"] == 9
