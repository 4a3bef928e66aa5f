"""Several switches at once, and what follows from one later (sections 4.5, 8 and 13.9)."""

GRAY = {
    "type": "WEIGHT",
    "replica_surge_mode": "NOSURGE",
    "deployment_mode": 1,
    "first_batch_weight": 20,
    "first_batch_replica": 1,
    "remaining_batch": 2,
}
STRATEGY = {"type": "GrayRelease", "gray_release": GRAY}
CONFLICT, INVALID = (409, "SVCSTG.00100409"), (400, "SVCSTG.00100400")
USED, UNKNOWN = (409, "SVCSTG.00100441"), (404, "SVCSTG.00100436")


def in_use(world, address):
    """(version, whether it is the one in use) of every record, newest first."""
    records = world.records(address)
    assert [record["current_used"] for record in records].count(True) == 1
    return [(record["version"], record["current_used"]) for record in records]


def test_the_previous_version_is_found_by_version(make_world):
    """Records of scaling and restarting do not count as versions; nothing is rolled back to itself."""
    world = make_world(switches="action_records: yes, rollback_targets: previous, stale_ms: 0")
    world.done("shop/cart", "scale", replica=6)
    world.done("shop/cart", "restart")
    assert world.act("shop/cart", "rollback", version="1.4.2") == CONFLICT
    assert world.done("shop/cart", "rollback_current") == "SUCCEEDED"
    assert in_use(world, "shop/cart") == [("1.4.1", True), ("1.4.0", False)]
    world.done("bank/ledger@prod", "restart")
    assert world.act("bank/ledger@prod", "rollback_current") == UNKNOWN


def test_a_version_comes_back_as_it_was_last(make_world):
    """With records of scaling, the number restored is that of the newest record of the version."""
    world = make_world(switches="action_records: yes, rollback_replicas: restore, stale_ms: 0")
    world.done("shop/cart", "scale", replica=6)
    world.deploy("shop/cart", "1.5.0", replica=2)
    world.clock.tick(1)
    world.done("shop/cart", "rollback_current")
    assert world.status("shop/cart") == ("RUNNING", 6, 6)
    assert in_use(world, "shop/cart")[:2] == [("1.4.2", True), ("1.4.2", False)]


def test_the_record_of_an_action(make_world):
    """Its own job, time and number, the last release's deploy_type; a failed one stays in use and says so."""
    world = make_world(switches="action_records: yes, stale_ms: 0")
    world.deploy("shop/cart", "1.5.0", STRATEGY)
    world.clock.tick(1)
    world.done("shop/cart", "continue_deploy")
    _, job_id = world.act("shop/cart", "scale", replica=6)
    newest = world.records("shop/cart")[0]
    assert (newest["status"], newest["current_used"], newest["end_time"]) == ("RUNNING", True, None)
    world.clock.tick(1)
    newest, release, *_ = world.records("shop/cart")
    assert (newest["version"], newest["deploy_type"], newest["status"]) == ("1.5.0", "GrayRelease", "SUCCEEDED")
    assert [(job["job_id"], job["job_info"]["replica"]) for job in newest["jobs"]] == [(job_id, 6)]
    assert release["current_used"] is False and newest["begin_time"] > release["begin_time"]
    world.sandbox.disturb("shop/cart", fail_next_job="no nodes")
    world.done("shop/cart", "scale", replica=9)
    newest = world.records("shop/cart")[0]
    assert (newest["status"], newest["current_used"], newest["jobs"][0]["job_info"]["replica"]) == ("FAILED", True, 6)
    assert world.status("shop/cart") == ("RUNNING", 6, 6)
    assert world.done("shop/cart", "rollback", version="1.4.2") == "SUCCEEDED"


def test_kept_records_are_no_targets(make_world):
    """What a rollback left behind can't be rolled back to, neither forwards nor after the next deployment."""
    world = make_world(switches="newer_records: kept, rollback_twice: accepted, stale_ms: 0")
    world.done("shop/cart", "rollback", version="1.4.1")
    assert world.act("shop/cart", "rollback", version="1.4.2") == INVALID
    assert world.deploy("shop/cart", "1.4.2") == USED
    assert world.deploy("shop/cart", "1.5.0")[0] == 200
    world.clock.tick(1)
    assert world.act("shop/cart", "rollback", version="1.4.2") == INVALID
    assert world.done("shop/cart", "rollback_current") == "SUCCEEDED"
    assert world.detail("shop/cart")["version"] == "1.4.1"
    assert world.detail("shop/cart", version="1.4.2")["version"] == "1.4.2"


def test_what_somebody_else_rolls_back_is_kept_too(make_world):
    """The record of a gray release that a colleague ended."""
    world = make_world(switches="newer_records: kept, stale_ms: 0")
    world.sandbox.disturb("shop/search", end_gray="rollback")
    assert in_use(world, "shop/search") == [("2.2.0", False), ("2.1.0", True)]
    assert world.records("shop/search")[0]["end_time"] is not None
    assert world.status("shop/search")[0] == "RUNNING"


def test_the_version_in_use_may_be_released_again(make_world):
    """A gray release of the same version: still a candidate beside the stable one, taken back or brought on."""
    world = make_world(switches="version_reuse: accepted, rollback_twice: accepted, stale_ms: 0")
    for end, expected in (("rollback_current", 3), ("continue_deploy", 4)):
        assert world.deploy("shop/cart", "1.4.2", STRATEGY)[0] == 200
        world.clock.tick(1)
        assert world.status("shop/cart")[0] == "GRAYING"
        assert in_use(world, "shop/cart")[:2] == [("1.4.2", False), ("1.4.2", True)]
        world.done("shop/cart", end)
        assert world.status("shop/cart")[0] == "RUNNING"
        assert len(world.records("shop/cart")) == expected
    assert in_use(world, "shop/cart")[0] == ("1.4.2", True)
    world.done("shop/cart", "rollback_current")
    assert world.detail("shop/cart")["version"] == "1.4.1"


def test_an_answer_may_be_almost_empty(make_world):
    """Without job id in the older generation only the result is left."""
    world = make_world(switches="job_ids: none, action_body: old")
    assert world.post("shop/cart", {"action": "restart"}) == (200, {"result": "succeeded"})
    world = make_world(switches="job_ids: none, action_body: new")
    assert world.post("shop/cart", {"action": "restart"})[1].keys() == {"component_id"}
