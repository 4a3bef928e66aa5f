"""Gray releases: start (seeded), rules, continue, abort (sections 4.4, 5 and 13.8)."""

import pytest

RULE = {"type": "header", "key": "x-user-tier", "condition": "equal", "value": "beta"}


def gray_seed(extra, replicas=4):
    """A seed with one component in a gray release."""
    return f"""
applications:
  shop:
    environment: prod
    components:
      search: {{version: 2.1.0, replicas: {replicas}, history: [2.0.0], gray: {{version: 2.2.0, {extra}}}}}
"""


def gray_release(world):
    """The gray_release part of the detail."""
    return world.detail("shop/search")["deploy_strategy"]["gray_release"]


def test_what_a_gray_release_shows(world):
    """Status, candidate version, strategy and the newest record; the stable version stays the one in use."""
    assert world.status("shop/search") == ("GRAYING", 5, 5)
    assert world.row("shop/search")["version"] == "2.2.0"
    assert world.detail("shop/search")["deploy_strategy"] == {
        "type": "GrayRelease",
        "gray_release": {
            "type": "WEIGHT",
            "first_batch_weight": 10,
            "replica_surge_mode": "NOSURGE",
            "deployment_mode": 1,
            "first_batch_replica": 1,
            "remaining_batch": 1,
        },
    }
    newest, stable = world.records("shop/search")
    assert (newest["version"], newest["deploy_type"], newest["current_used"]) == ("2.2.0", "GrayRelease", False)
    assert (stable["version"], stable["current_used"]) == ("2.1.0", True)
    info = newest["jobs"][0]["job_info"]
    assert (info["first_batch_weight"], info["first_batch_replica"], info["remaining_batch"]) == (10, 1, 1)


def test_the_stable_version_may_be_shown(make_world):
    """The switch graying_shows: stable (U16); the strategy is still the gray one."""
    world = make_world(switches="graying_shows: stable")
    assert world.row("shop/search")["version"] == world.detail("shop/search")["version"] == "2.1.0"
    assert gray_release(world)["first_batch_weight"] == 10


@pytest.mark.parametrize(("mode", "actual"), [("nosurge", 4), ("extra", 6), ("mirror", 8)])
def test_surge_modes(make_world, mode, actual):
    """Instances that exist during the release; the configured number does not move, and the end brings it back."""
    world = make_world(gray_seed(f"weight: 10, mode: {mode}, first_batch_replicas: 2"))
    assert world.status("shop/search") == ("GRAYING", actual, actual)
    assert world.detail("shop/search")["replica"] == 4
    world.done("shop/search", "rollback", version="2.1.0")
    assert world.status("shop/search") == ("RUNNING", 4, 4)


@pytest.mark.parametrize("envelope", ["flat", "gray_release", "deploy_strategy"])
def test_modify_rule_in_any_envelope(world, envelope):
    """All three bodies of section 4.4 work, in any case; status stays GRAYING, the record follows."""
    rule = {"type": "weight", "first_batch_weight": 30}
    parameters = {"flat": rule, "gray_release": {"gray_release": rule}}.get(
        envelope, {"deploy_strategy": {"gray_release": rule}}
    )
    code, job_id = world.act("shop/search", "modify_gray_rule", **parameters)
    assert code == 200 and world.status("shop/search")[0] == "GRAYING"
    world.clock.tick(0.2)
    assert world.job(job_id) == "SUCCEEDED"
    assert gray_release(world)["first_batch_weight"] == 30
    assert world.records("shop/search")[0]["jobs"][0]["job_info"]["first_batch_weight"] == 30


def test_modify_to_rules_and_back(world):
    """A release may change its policy; weight and rules exclude each other."""
    rules = [{**RULE, "condition": "IN"}]
    world.done("shop/search", "modify_gray_rule", type="CONTENT", rule_match_mode="ANY", rules=rules)
    shown = gray_release(world)
    assert (shown["type"], shown["rule_match_mode"], shown["rules"]) == (
        "CONTENT",
        "any",
        [{**RULE, "condition": "in"}],
    )
    assert "first_batch_weight" not in shown
    world.done("shop/search", "modify_gray_rule", type="WEIGHT", first_batch_weight=0)
    assert gray_release(world)["first_batch_weight"] == 0 and "rules" not in gray_release(world)


def test_modify_without_parameters_changes_nothing(world):
    """What the vendor's SDK has to send is accepted and does nothing."""
    before = gray_release(world)
    assert world.done("shop/search", "modify_gray_rule") == "SUCCEEDED"
    assert gray_release(world) == before


@pytest.mark.parametrize(
    "parameters",
    [
        {"first_batch_weight": 101},
        {"first_batch_weight": -1},
        {"first_batch_weight": 10.0},
        {"first_batch_weight": True},
        {"first_batch_weight": "10"},
        {"type": "COLOUR"},
        {"type": "CONTENT"},
        {"type": "CONTENT", "rule_match_mode": "any", "rules": []},
        {"type": "CONTENT", "rule_match_mode": "any", "rules": [{**RULE, "value": ""}]},
        {"type": "CONTENT", "rule_match_mode": "any", "rules": [RULE], "first_batch_weight": 10},
        {"rules": [RULE]},
        {"gray_release": []},
        {"deploy_strategy": {"gray_release": 3}},
    ],
)
def test_modify_with_nonsense(world, parameters):
    """Bad rules are refused and change nothing."""
    before = gray_release(world)
    assert world.act("shop/search", "modify_gray_rule", **parameters) == (400, "SVCSTG.00100400")
    assert gray_release(world) == before


def test_continue_all(make_world):
    """By default one continue_deploy brings the candidate to all instances (U4)."""
    world = make_world(gray_seed("weight: 10, mode: extra, remaining_batches: 3"))
    world.act("shop/search", "continue_deploy")
    assert world.status("shop/search")[0] == "UPGRADING"
    world.clock.tick(1)
    assert world.status("shop/search") == ("RUNNING", 4, 4)
    assert world.row("shop/search")["version"] == "2.2.0"
    records = world.records("shop/search")
    assert [(r["version"], r["current_used"]) for r in records][:2] == [("2.2.0", True), ("2.1.0", False)]
    assert [job["sequence"] for job in records[0]["jobs"]] == [1, 2]
    assert world.act("shop/search", "continue_deploy") == (409, "SVCSTG.00100409")


def test_continue_per_batch(make_world):
    """With the switch each call does one batch and comes back to the pause, until the last one."""
    world = make_world(gray_seed("weight: 10, remaining_batches: 3"), switches="gray_continue: per_batch, stale_ms: 0")
    seen = []
    for _ in range(3):
        assert world.done("shop/search", "continue_deploy") == "SUCCEEDED"
        seen.append((world.status("shop/search")[0], world.records("shop/search")[0]["current_used"]))
    assert seen == [("GRAYING", False), ("GRAYING", False), ("RUNNING", True)]


@pytest.mark.parametrize(("action", "parameters"), [("rollback", {"version": "2.1.0"}), ("rollback_current", {})])
def test_abort(make_world, action, parameters):
    """Both ways to abort end on the stable version and drop the candidate's record."""
    world = make_world(gray_seed("weight: 10"))
    world.act("shop/search", action, **parameters)
    assert world.status("shop/search")[0] == "UPGRADING"
    world.clock.tick(1)
    assert world.status("shop/search") == ("RUNNING", 4, 4)
    assert world.row("shop/search")["version"] == "2.1.0"
    assert world.versions("shop/search") == ["2.1.0", "2.0.0"]
    assert world.detail("shop/search")["deploy_strategy"] == {"type": "OneBatchRelease"}
    # An abort is a rollback: another one right after it is refused.
    assert world.act("shop/search", "rollback", version="2.0.0") == (409, "SVCSTG.00100409")


def test_only_the_stable_version_ends_a_release(make_world):
    """An older version, or the candidate itself, is no target while the release is open."""
    world = make_world(gray_seed("weight: 10"))
    for version in ("2.0.0", "2.2.0"):
        assert world.act("shop/search", "rollback", version=version) == (409, "SVCSTG.00100409")
    assert world.act("shop/search", "rollback", version="7.7.7") == (404, "SVCSTG.00100436")


def test_rollback_after_a_promotion(make_world):
    """A promotion is no rollback, so the stable version can be brought back."""
    world = make_world(gray_seed("weight: 10"))
    world.done("shop/search", "continue_deploy")
    assert world.done("shop/search", "rollback", version="2.1.0") == "SUCCEEDED"
    assert world.row("shop/search")["version"] == "2.1.0"


def test_failed_promotion(make_world):
    """FAILED with the release still open; the documented remedy is a rollback (section 4.5)."""
    world = make_world(gray_seed("weight: 10"))
    world.sandbox.disturb("shop/search", fail_next_job="image pull failed")
    assert world.done("shop/search", "continue_deploy") == "FAILED"
    assert world.status("shop/search")[0] == "FAILED"
    assert world.records("shop/search")[0]["status"] == "FAILED"
    assert world.act("shop/search", "continue_deploy") == (409, "SVCSTG.00100409")
    assert world.done("shop/search", "rollback_current") == "SUCCEEDED"
    assert world.versions("shop/search") == ["2.1.0", "2.0.0"]


def test_failed_rule_change_stays_at_the_pause(world):
    """A rule that could not be changed leaves the release open with the old rule."""
    world.sandbox.disturb("shop/search", fail_next_job="engine unreachable")
    assert world.done("shop/search", "modify_gray_rule", first_batch_weight=50) == "FAILED"
    assert world.status("shop/search")[0] == "GRAYING"
    assert gray_release(world)["first_batch_weight"] == 10


def test_the_gray_job_may_still_run_at_the_pause(make_world):
    """The switch gray_job: running (U15): the deployment's own job runs on, and makes nobody busy."""
    world = make_world(switches="gray_job: running, stale_ms: 0")
    job_id = world.detail("shop/search")["status"]["last_job_id"]
    assert world.job(job_id) == "RUNNING"
    assert world.done("shop/search", "continue_deploy") == "SUCCEEDED"
    assert world.job(job_id) == "SUCCEEDED"


@pytest.mark.parametrize(
    ("body", "form", "code"),
    [
        ({}, "empty", 200),
        ({"parameters": None}, "empty", 200),
        ({"parameters": {}}, "empty", 200),
        ({"parameters": {"first_batch_weight": 30}}, "flat", 200),
        ({"parameters": {"gray_release": {"type": "weight", "first_batch_weight": 30}}}, "gray_release", 200),
        ({"parameters": {"gray_release": {}}}, "gray_release", 200),
        ({"parameters": {"gray_release": None, "first_batch_weight": 30}}, "flat", 200),
        (
            {"parameters": {"deploy_strategy": {"type": "GrayRelease", "gray_release": {"first_batch_weight": 30}}}},
            "deploy_strategy",
            200,
        ),
        ({"parameters": {"deploy_strategy": {"type": "GrayRelease"}}}, "deploy_strategy", 200),
        ({"parameters": {"first_batch_weight": 300}}, "flat", 400),
        ({"parameters": {"deploy_strategy": {"gray_release": []}}}, "deploy_strategy", 400),
        ({"parameters": []}, "flat", 400),
    ],
)
def test_the_form_of_a_gray_rule_is_reported(world, body, form, code):
    """Whether it was accepted or not; what is not mentioned does not change."""
    assert world.post("shop/search", {"action": "modify_gray_rule", **body})[0] == code
    world.clock.tick(1)
    assert [(entry.gray_rule_body, entry.status_code) for entry in world.sandbox.log()] == [(form, code)]
    shown = world.detail("shop/search")["deploy_strategy"]["gray_release"]
    assert shown["first_batch_weight"] == (30 if "30" in str(body) and code == 200 else 10)


def test_other_requests_have_no_gray_rule(world):
    """Neither other actions, nor nonsense, nor the word where it means nothing."""
    world.act("shop/cart", "restart")
    world.send("POST", f"{world.path('shop/cart')}/action", ["modify_gray_rule"])
    world.send("POST", "/components/action", {"action": "modify_gray_rule", "components": []})
    world.deploy("shop/cart", "1.5.0")
    assert [entry.gray_rule_body for entry in world.sandbox.log()] == [None] * 4
