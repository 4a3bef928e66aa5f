"""Any combination of switches, any sequence of requests: what holds in every world."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statetool.sandbox.switches import CHOICES

COMBINATIONS = st.fixed_dictionaries(
    {
        **{name: st.sampled_from(sides) for name, sides in CHOICES.items()},
        "stale_ms": st.sampled_from([0, 400]),
        "job_seconds": st.sampled_from([0, 1]),
    }
)
VERSIONS = st.sampled_from(["1.4.0", "1.4.1", "1.4.2", "1.5.0", "1.6.0"])
GRAY = {
    "type": "weight",
    "replica_surge_mode": "EXTRA",
    "deployment_mode": 1,
    "first_batch_weight": 20,
    "first_batch_replica": 1,
    "remaining_batch": 2,
}
STRATEGIES = st.sampled_from([None, {"type": "GrayRelease", "gray_release": GRAY}])
WEIGHT = st.integers(0, 100).map(lambda weight: {"first_batch_weight": weight})
STEPS = st.one_of(
    st.tuples(st.just("act"), st.just("scale"), st.integers(2, 5).map(lambda count: {"replica": count})),
    st.tuples(st.just("act"), st.just("rollback"), VERSIONS.map(lambda version: {"version": version})),
    st.tuples(st.just("act"), st.just("modify_gray_rule"), WEIGHT),
    st.tuples(
        st.just("act"),
        st.sampled_from(["start", "stop", "restart", "rollback_current", "continue_deploy", "sync_workload"]),
        st.just({}),
    ),
    st.tuples(st.just("deploy"), VERSIONS, STRATEGIES),
    st.tuples(st.just("fail"), st.just(""), st.just(None)),
    st.tuples(st.just("tick"), st.sampled_from([0.2, 0.5, 2.0]), st.just(None)),
)
AT_REST = {"RUNNING", "STOPPED", "FAILED", "GRAYING"}


def take(world, step, combination):
    """Do one step; a refusal is one of those that are documented or chosen."""
    what, which, more = step
    if what == "tick":
        world.clock.tick(which)
    elif what == "fail":
        world.sandbox.disturb("shop/cart", fail_next_job="no nodes")
    elif what == "act":
        code, answer = world.post("shop/cart", {"action": which, "parameters": more})
        assert code in (200, 400, 404, int(combination["busy"])), answer
        assert code == 200 or answer["error_code"].startswith("SVCSTG.00100")
        if code == 200:
            told = "job_id" in answer
            assert told or combination["job_ids"] != "all"
            assert not told or combination["job_ids"] != "none"
    else:
        code, answer = world.deploy("shop/cart", which, more)
        assert code in (200, 409, int(combination["busy"])), answer


def check(world):
    """What records and reads say about each other, whatever has happened."""
    records, row, detail = world.records("shop/cart"), world.row("shop/cart"), world.detail("shop/cart")
    assert [record["current_used"] for record in records].count(True) == 1
    begun = [record["begin_time"] for record in records]
    assert begun == sorted(begun, reverse=True)
    assert row["version"] == detail["version"] and row["status"] == detail["status"]
    assert 0 <= row["status"]["available_replica"] <= row["status"]["replica"]
    for record in records:
        code, body = world.get(world.path("shop/cart"), version=record["version"])
        assert body.get("version") == record["version"] or (record is records[0] and code == 404)  # not to be read yet
        assert all(world.get(f"/jobs/{job['job_id']}")[0] == 200 for job in record["jobs"])


def check_at_rest(world, combination):
    """When all jobs are over and reading no longer lags."""
    world.clock.tick(10)
    check(world)
    records, detail = world.records("shop/cart"), world.detail("shop/cart")
    assert all(world.get(world.path("shop/cart"), version=record["version"])[0] == 200 for record in records)
    [used] = [record for record in records if record["current_used"]]
    status = detail["status"]["component_status"]
    assert status in AT_REST
    if status == "GRAYING":
        assert records[0] is not used and records[0]["deploy_type"] == "GrayRelease"
        shown = records[0] if combination["graying_shows"] == "candidate" else used
        assert detail["version"] == shown["version"]
    elif status != "FAILED":
        assert detail["version"] == used["version"]
        assert detail["status"]["replica"] == detail["replica"]
        assert used is records[0] or combination["newer_records"] == "kept"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(COMBINATIONS, st.lists(STEPS, min_size=1, max_size=14))
def test_any_combination(make_world, combination, steps):
    """Nothing falls over, and the world stays consistent after every step and at its end."""
    world = make_world(switches=", ".join(f"{name}: {side}" for name, side in combination.items()))
    for step in steps:
        take(world, step, combination)
        check(world)
    check_at_rest(world, combination)
