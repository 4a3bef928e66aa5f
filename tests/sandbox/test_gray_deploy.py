"""Gray releases from their beginning: the strategies of a PUT and what becomes of them (sections 5 and 13.7)."""

import pytest

GRAY = {
    "type": "WEIGHT",
    "replica_surge_mode": "EXTRA",
    "deployment_mode": 1,
    "first_batch_weight": 20,
    "first_batch_replica": 1,
    "remaining_batch": 2,
}
RULES = {
    "rule_match_mode": "all",
    "rules": [{"type": "header", "key": "x-tier", "condition": "equal", "value": "beta"}],
}
BY_CONTENT = {key: value for key, value in GRAY.items() if key != "first_batch_weight"} | {"type": "CONTENT", **RULES}


def gray(**changes):
    """A gray strategy with some fields changed; None leaves one out."""
    fields = {**GRAY, **changes}
    return {"type": "GrayRelease", "gray_release": {key: fields[key] for key in fields if fields[key] is not None}}


@pytest.mark.parametrize(("mode", "actual"), [("NOSURGE", 4), ("EXTRA", 5), ("MIRROR", 8)])
def test_gray_release_from_its_beginning(world, mode, actual):
    """UPGRADING, GRAYING with the surge of its mode, a changed weight, continue, RUNNING on the new version."""
    strategy = gray(replica_surge_mode=mode)
    code, job_id = world.deploy("shop/cart", "1.5.0", strategy)
    assert code == 200 and world.status("shop/cart") == ("UPGRADING", 4, 4)
    assert world.act("shop/cart", "continue_deploy")[0] == 409
    world.clock.tick(1)
    assert world.job(job_id) == "SUCCEEDED"
    assert world.status("shop/cart") == ("GRAYING", actual, actual)
    assert world.detail("shop/cart")["deploy_strategy"] == strategy
    newest, stable, *_ = world.records("shop/cart")
    assert (newest["deploy_type"], newest["current_used"], stable["current_used"]) == ("GrayRelease", False, True)
    world.done("shop/cart", "modify_gray_rule", first_batch_weight=50)
    assert world.detail("shop/cart")["deploy_strategy"]["gray_release"]["first_batch_weight"] == 50
    assert world.done("shop/cart", "continue_deploy") == "SUCCEEDED"
    assert world.status("shop/cart") == ("RUNNING", 4, 4)
    assert world.versions("shop/cart")[:2] == ["1.5.0", "1.4.2"]
    assert world.deploy("shop/cart", "1.6.0", gray())[0] == 200


def test_gray_release_by_content(world):
    """Rules instead of a weight; a load balancer knows none, also not later."""
    strategy = {"type": "GrayRelease", "gray_release": BY_CONTENT}
    assert world.deploy("shop/cart", "1.5.0", strategy)[0] == 200
    world.clock.tick(1)
    assert world.detail("shop/cart")["deploy_strategy"] == strategy
    world.done("shop/cart", "rollback_current")
    assert world.deploy("shop/cart", "1.5.0", gray(deployment_mode=4))[0] == 200
    world.clock.tick(1)
    assert world.act("shop/cart", "modify_gray_rule", type="CONTENT", **RULES) == (400, "SVCSTG.00100400")


def test_words_come_back_as_they_were_sent(world):
    """Both generations of the enums are accepted (section 5.2)."""
    strategy = gray(type="weight", replica_surge_mode="no_surge")
    world.deploy("shop/cart", "1.5.0", strategy)
    world.clock.tick(1)
    assert world.detail("shop/cart")["deploy_strategy"] == strategy
    assert world.status("shop/cart") == ("GRAYING", 4, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": None},
        {"type": "COLOUR"},
        {"replica_surge_mode": None},
        {"replica_surge_mode": "SIDEWAYS"},
        {"replica_surge_mode": "_NO_SURGE_"},
        {"replica_surge_mode": "NO\u017fURGE"},
        {"replica_surge_mode": "MIRROR", "first_batch_replica": 0},
        {"deployment_mode": None},
        {"deployment_mode": 2},
        {"deployment_mode": True},
        {"first_batch_weight": None},
        {"first_batch_weight": 101},
        {"first_batch_replica": None},
        {"first_batch_replica": 0},
        {"first_batch_replica": 4},
        {"remaining_batch": None},
        {"remaining_batch": 0},
        {"type": "CONTENT"},
        {**BY_CONTENT, "first_batch_weight": None, "deployment_mode": 6},
        {**BY_CONTENT, "first_batch_weight": None, "rules": []},
        {**BY_CONTENT, "first_batch_weight": None, "rule_match_mode": None},
    ],
)
def test_gray_strategies_that_are_none(world, changes):
    """Missing or impossible fields (section 13.7)."""
    assert world.deploy("shop/cart", "1.5.0", gray(**changes)) == (400, "SVCSTG.00100400")
    assert world.deploy("shop/cart", "1.5.0", {"type": "GrayRelease"}) == (400, "SVCSTG.00100400")


def test_where_gray_is_impossible(world):
    """Virtual machines, and a single instance; check_gray_release says so beforehand, and starts nothing."""
    assert world.deploy("shop/machine", "1.1.0", gray()) == (400, "SVCSTG.00100400")
    assert world.deploy("bank/ledger@test", "3.2.0", gray()) == (400, "SVCSTG.00100400")
    verdicts = {
        "shop/machine": "failed",
        "bank/ledger@test": "failed",
        "shop/search": "failed",
        "shop/cart": "succeeded",
    }
    for address, result in verdicts.items():
        before = world.detail(address)
        code, answer = world.post(address, {"action": "check_gray_release"})
        assert (code, answer["result"], world.detail(address)) == (200, result, before)
        world.clock.tick(1)
        assert world.job(answer["job_id"]) == result.upper()


def test_a_failed_component_needs_a_plain_deployment(world):
    """A gray release starts from a component that serves (section 5.3); a failed one is rolled back first."""
    world.sandbox.disturb("shop/cart", fail_next_job="image not found")
    world.deploy("shop/cart", "1.5.0", gray())
    world.clock.tick(1)
    assert world.status("shop/cart")[0] == "FAILED"
    assert world.deploy("shop/cart", "1.6.0", gray()) == (409, "SVCSTG.00100409")
    assert world.deploy("shop/cart", "1.6.0") == (409, "SVCSTG.00100409")
    assert world.done("shop/cart", "rollback", version="1.4.2") == "SUCCEEDED"
    assert world.status("shop/cart") == ("RUNNING", 4, 4)
    assert world.deploy("shop/cart", "1.6.0", gray())[0] == 200
