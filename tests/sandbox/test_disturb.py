"""Changes behind the tool's back."""

import pytest

from statetool.sandbox import SandboxError


def test_replicas(world):
    """An autoscaler moves both numbers at once, and the time of the last update; the log stays empty."""
    before = world.row("shop/cart")["status"]["update_time"]
    world.sandbox.disturb("shop/cart", replicas=9)
    assert world.status("shop/cart") == ("RUNNING", 9, 9)
    assert world.detail("shop/cart")["replica"] == 9
    assert world.row("shop/cart")["status"]["update_time"] > before
    assert world.sandbox.log() == []


def test_replicas_of_other_states(world):
    """A stopped component has no healthy instances; a gray release keeps its surplus."""
    world.sandbox.disturb("shop/legacy", replicas=3)
    assert world.status("shop/legacy") == ("STOPPED", 3, 0)
    world.sandbox.disturb("shop/search", replicas=7)
    assert world.status("shop/search") == ("GRAYING", 7, 7)


def test_lost_readiness_outlives_scaling_only(world):
    """PENDING until a restart: new instances do not become healthy either."""
    world.sandbox.disturb("shop/cart", available_replicas=1)
    assert world.status("shop/cart") == ("PENDING", 4, 1)
    world.done("shop/cart", "scale", replica=6)
    assert world.status("shop/cart") == ("PENDING", 6, 1)
    world.done("shop/cart", "restart")
    assert world.status("shop/cart") == ("RUNNING", 6, 6)


def test_readiness_comes_back(world):
    """As many as exist: all is well again."""
    world.sandbox.disturb("shop/cart", available_replicas=2)
    world.sandbox.disturb("shop/cart", available_replicas=4)
    assert world.status("shop/cart") == ("RUNNING", 4, 4)


def test_status(world):
    """Any word; STOPPED takes the healthy instances away, RUNNING brings them back."""
    world.sandbox.disturb("shop/cart", status="REFURBISHING")
    assert world.status("shop/cart") == ("REFURBISHING", 4, 4)
    assert world.act("shop/cart", "restart") == (409, "SVCSTG.00100409")
    world.sandbox.disturb("shop/cart", status="STOPPED")
    assert world.status("shop/cart") == ("STOPPED", 4, 0)
    world.sandbox.disturb("shop/cart", status="RUNNING")
    assert world.status("shop/cart") == ("RUNNING", 4, 4)


def test_weight(world):
    """A colleague turns the traffic in the console."""
    world.sandbox.disturb("shop/search", weight=55)
    assert world.detail("shop/search")["deploy_strategy"]["gray_release"]["first_batch_weight"] == 55


@pytest.mark.parametrize(
    ("how", "version", "versions"), [("rollback", "2.1.0", ["2.1.0"]), ("promote", "2.2.0", ["2.2.0", "2.1.0"])]
)
def test_end_gray(world, how, version, versions):
    """The release is over as if a colleague had ended it, with a job of its own that has succeeded."""
    before = world.detail("shop/search")["status"]["last_job_id"]
    world.sandbox.disturb("shop/search", end_gray=how)
    assert world.status("shop/search") == ("RUNNING", 5, 5)
    assert (world.row("shop/search")["version"], world.versions("shop/search")) == (version, versions)
    after = world.detail("shop/search")["status"]["last_job_id"]
    assert after != before and world.job(after) == "SUCCEEDED"


def test_arming_a_failure_is_invisible(world):
    """Nothing the API shows moves until the next action."""
    before = world.detail("shop/cart")
    world.clock.tick(5)
    world.sandbox.disturb("shop/cart", fail_next_job="boom")
    assert world.detail("shop/cart") == before


def test_while_a_job_runs(world):
    """Counts may move, the rest has to wait, because the job's end would overwrite it."""
    world.act("shop/cart", "restart")
    world.sandbox.disturb("shop/cart", replicas=8)
    with pytest.raises(SandboxError, match="a job is running"):
        world.sandbox.disturb("shop/cart", status="FAILED")
    world.clock.tick(1)
    assert world.status("shop/cart") == ("RUNNING", 8, 8)


@pytest.mark.parametrize(
    ("address", "change", "message"),
    [
        ("shop/card", {"replicas": 1}, "did you mean shop/cart"),
        ("shop/cart@test", {"replicas": 1}, "did you mean shop/cart@prod"),
        ("nonsense", {"replicas": 1}, "no component 'nonsense'"),
        ("bank/ledger", {"replicas": 1}, "bank/ledger@prod, bank/ledger@test"),
        ("shop/cart", {}, "nothing to disturb"),
        ("shop/cart", {"replicas": -1}, "whole number"),
        ("shop/cart", {"replicas": True}, "whole number"),
        ("shop/cart", {"available_replicas": 5}, "has 4 instances"),
        ("shop/cart", {"status": "so so"}, "capitals"),
        ("shop/cart", {"status": "GRAYING"}, "no gray release"),
        ("shop/search", {"status": "RUNNING"}, "end_gray"),
        ("shop/cart", {"weight": 10}, "no gray release"),
        ("shop/search", {"weight": 101}, "0 to 100"),
        ("shop/cart", {"end_gray": "promote"}, "no gray release"),
        ("shop/search", {"end_gray": "sideways"}, "rollback, promote"),
        ("shop/cart", {"fail_next_job": ""}, "not empty"),
    ],
)
def test_impossible_disturbances(world, address, change, message):
    """Each is one sentence, and changes nothing."""
    before = world.get("/components")
    with pytest.raises(SandboxError, match=message):
        world.sandbox.disturb(address, **change)
    assert world.get("/components") == before
