"""The actions of one component: their order, their parameters, and what is recorded when they are done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import (
    deployed,
    held,
    look,
    plan_one,
    record,
    see,
    see_gray,
    steps,
    updates,
    verbs,
    want,
    wish,
)

from statetool.core.canonical import variable_digest
from statetool.core.deploy import Artifact, Configuration, Deploy, Resources
from statetool.core.model import Observed
from statetool.core.plan import Action, Kind, Risk, SendIf, WishUpdate
from statetool.core.planner import ComponentPlan


def stopped(configured: int | None = 4) -> Observed:
    return see(status="STOPPED", replicas=0, closer=look("1.4.2", "1.4.1", configured=configured))


def conditional(planned: ComponentPlan) -> list[tuple[str, SendIf]]:
    return [(f"{a.verb} {a.parameters['replica']}", a.send_if) for a in planned.actions if a.send_if != SendIf.ALWAYS]


def restarts(planned: ComponentPlan) -> list[WishUpdate]:
    return [u for u in planned.change.updates if u.field == "restart"] if planned.change else []


def only(planned: ComponentPlan) -> Action:
    [action] = planned.actions
    return action


# Order


@pytest.mark.parametrize(
    ("planned", "expected"),
    [
        (
            plan_one(
                want("1.4.1", replicas=6, restart="2"), record(wish("1.4.2", replicas=4, restart="1")), see(replicas=4)
            ),
            ["rollback 1.4.1", "scale 6"],
        ),
        (
            plan_one(want(replicas=6, restart="2"), record(wish(replicas=4, restart="1")), see()),
            ["scale 6", "restart"],
        ),
        (
            plan_one(
                want("1.4.1", replicas=6, state="stopped"), record(wish("1.4.2", replicas=4, state="running")), see()
            ),
            ["rollback 1.4.1", "scale 6", "stop"],
        ),
        (
            plan_one(
                want("1.4.1", replicas=6, state="running"),
                record(wish("1.4.2", replicas=4, state="stopped")),
                stopped(),
            ),
            ["start", "rollback 1.4.1", "scale 6"],
        ),
        (
            plan_one(want("1.4.2", replicas=6), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray()),
            ["rollback 1.4.2", "scale 6"],
        ),
        (
            plan_one(want("1.5.0", replicas=6, restart="2"), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray()),
            ["continue_deploy", "scale 6"],
        ),
        (
            plan_one(want("1.4.1"), record(wish("1.4.2", "1.5.0")), see_gray(), overrides=["rollback_twice"]),
            ["rollback 1.4.2", "rollback 1.4.1", "scale 4"],
        ),
        (
            plan_one(want("1.4.2", restart="2"), record(wish("1.4.2", "1.5.0", restart="1")), see_gray()),
            ["rollback 1.4.2", "scale 4", "restart"],
        ),
    ],
    ids=[
        "version, scale",
        "scale, restart",
        "version, scale, stop",
        "start, version, scale",
        "abort, scale",
        "promote, scale",
        "abort, rollback, scale",
        "abort, scale, restart",
    ],
)
def test_order(planned: ComponentPlan, expected: list[str]) -> None:
    """start, abort or promote, rollback, rule, scale, restart, stop; each behind the one before it."""
    assert verbs(planned) == expected
    ids = [action.id for action in planned.actions]
    assert ids == [f"shop/cart#{n}" for n in range(1, len(ids) + 1)]
    assert [action.requires for action in planned.actions] == [(), *((before,) for before in ids[:-1])]


# Replicas


@pytest.mark.parametrize(
    ("to", "risk"), [(6, Risk.SCALE_UP), (2, Risk.SCALE_DOWN), (0, Risk.POWER)], ids=["up", "down", "to zero"]
)
def test_scale(to: int, risk: Risk) -> None:
    """An absolute number, done when it is there in a component that serves."""
    action = only(plan_one(want(replicas=to), record(wish(replicas=4)), see()))
    assert (dict(action.parameters), action.risk) == ({"replica": to}, risk)
    assert action.precondition == {"status": "ready", "replicas": 4}
    assert action.goal == {"status": "ready", "replicas": to}
    assert action.send_if is SendIf.ALWAYS


def test_the_machines_of_a_component_go_along_with_every_scale() -> None:
    """As they stand in the manifest; other machines alone are no change."""
    on_machines = replace(want(replicas=6), hosts=("ecs-2", "ecs-1"))
    action = only(plan_one(on_machines, record(wish(replicas=4)), see()))
    assert dict(action.parameters) == {"replica": 6, "hosts": ["ecs-2", "ecs-1"]}
    assert not plan_one(replace(on_machines, hosts=("ecs-3",)), record(wish(replicas=6)), see(replicas=6)).actions


UNMANAGED = {
    "rollback": (plan_one(want("1.4.1"), record(wish("1.4.2")), see(replicas=7)), 7),
    "abort": (plan_one(want("1.4.2"), record(wish("1.4.2", "1.5.0")), see_gray(configured=5)), 5),
    "promotion": (plan_one(want("1.5.0"), record(wish("1.4.2", "1.5.0")), see_gray(configured=5)), 5),
    "start and rollback": (
        plan_one(want("1.4.1", state="running"), record(wish("1.4.2", state="stopped")), stopped(3)),
        3,
    ),
}


@pytest.mark.parametrize(("planned", "number"), UNMANAGED.values(), ids=UNMANAGED)
def test_a_version_change_keeps_a_number_nobody_manages(planned: ComponentPlan, number: int) -> None:
    """Declared in the plan, sent only where the platform comes back with fewer."""
    assert conditional(planned) == [(f"scale {number}", SendIf.FEWER)]
    assert planned.actions[-1].risk is Risk.SCALE_UP
    assert "replicas" not in planned.actions[-1].precondition, "what a version change does to it is not predicted"
    assert "replicas" not in updates(planned)


MANAGED = {
    "rollback": (plan_one(want("1.4.1", replicas=4), record(wish("1.4.2", replicas=4)), see()), 4),
    "abort": (plan_one(want("1.4.2", replicas=4), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray()), 4),
    "abort, number edited": (
        plan_one(want("1.4.2", replicas=6), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray()),
        6,
    ),
    "promotion, number edited": (
        plan_one(want("1.5.0", replicas=3), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray()),
        3,
    ),
    "start, number edited": (
        plan_one(want(replicas=6, state="running"), record(wish(replicas=4, state="stopped")), stopped()),
        6,
    ),
    "start, number moved outside and may be corrected": (
        plan_one(
            want(replicas=4, state="running", correct=["replicas"]),
            record(wish(replicas=4, state="stopped")),
            stopped(9),
        ),
        4,
    ),
}


@pytest.mark.parametrize(("planned", "number"), MANAGED.values(), ids=MANAGED)
def test_a_managed_number_follows_what_hid_it(planned: ComponentPlan, number: int) -> None:
    """Where the plan ends what hides the number, the scale follows in it, sent only where it then differs."""
    assert conditional(planned) == [(f"scale {number}", SendIf.DIFFERENT)]
    assert held(planned) == []


def test_a_start_alone_needs_no_scale_to_the_number_that_is_configured() -> None:
    planned = plan_one(want(replicas=4, state="running"), record(wish(replicas=4, state="stopped")), stopped(4))
    assert verbs(planned) == ["start"]


def test_a_number_moved_outside_is_not_put_back_by_a_version_change() -> None:
    """No permission, no correction: but none of the instances may get lost either."""
    planned = plan_one(want("1.4.1", replicas=4), record(wish("1.4.2", replicas=4)), see(replicas=9))
    assert conditional(planned) == [("scale 9", SendIf.FEWER)]
    configured = plan_one(want("1.4.2", replicas=4), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray(configured=9))
    assert conditional(configured) == [("scale 9", SendIf.FEWER)]


def test_a_release_that_is_started_and_promoted_at_once_keeps_the_number_too() -> None:
    """A promotion may come back with fewer, whoever started the release: behind it stands the number that was set
    before, by a scale of the same plan where there is one."""
    tagged = look("1.4.2", "1.4.1", image="swr/cart:1.4.2")
    unmanaged = plan_one(want("1.4.2", "1.5.0", 100), record(wish("1.4.2")), see(closer=tagged))
    assert verbs(unmanaged)[1:] == ["continue_deploy", "scale 4"]
    assert conditional(unmanaged) == [("scale 4", SendIf.FEWER)]
    scaled = plan_one(want("1.4.2", "1.5.0", 100, replicas=6), record(wish("1.4.2", replicas=4)), see(closer=tagged))
    assert verbs(scaled)[0] == "scale 6"
    assert conditional(scaled) == [("scale 6", SendIf.FEWER)]


def test_a_rule_change_has_nothing_to_do_with_replicas() -> None:
    planned = plan_one(want("1.4.2", "1.5.0", 30), record(wish("1.4.2", "1.5.0", 20)), see_gray())
    assert verbs(planned) == ["modify_gray_rule 30"]


def test_no_scale_follows_an_unknown_or_empty_number() -> None:
    assert conditional(plan_one(want("1.4.1"), record(wish("1.4.2")), see(replicas=0))) == []
    unknown = see_gray(configured=None)
    assert conditional(plan_one(want("1.4.2"), record(wish("1.4.2", "1.5.0")), unknown)) == []


def test_a_wish_that_is_configured_already_is_recorded_though_the_status_hides_it() -> None:
    """Adopting a component in the middle of its gray release does not have to wait for its end."""
    planned = plan_one(want("1.4.2", "1.5.0", replicas=4), None, see_gray(replicas=6))
    assert held(planned) == []
    assert updates(planned)["replicas"] == 4
    with_rule = plan_one(want("1.4.2", "1.5.0", 30, replicas=4), None, see_gray(replicas=6))
    assert (held(with_rule), updates(with_rule)["replicas"]) == ([], 4)


# State


def test_start_and_stop() -> None:
    start = only(plan_one(want(state="running"), record(wish(state="stopped")), stopped()))
    assert (start.verb, start.risk, start.precondition) == ("start", Risk.POWER, {"status": "stopped"})
    assert start.goal == {"status": "ready"}
    stop = only(plan_one(want(state="stopped"), record(wish(state="running")), see()))
    assert (stop.verb, stop.risk, stop.precondition) == ("stop", Risk.POWER, {"status": "ready"})
    assert stop.goal == {"status": "stopped"}


# Restart


def test_a_new_token_restarts_once() -> None:
    """Sent against the last job seen, for a second request would restart a second time."""
    planned = plan_one(want(restart="2"), record(wish(restart="1")), see(job="JOB-7"))
    action = only(planned)
    assert (action.verb, action.risk) == ("restart", Risk.RESTART)
    assert action.precondition == {"status": "ready", "last_job_id": "JOB-7"}
    assert restarts(planned) == [WishUpdate("restart", "2", ("shop/cart#1",))]
    assert plan_one(want(restart="2"), record(wish(restart="2")), see()).change is None


def test_a_token_added_to_a_recorded_component_restarts() -> None:
    assert steps(plan_one(want(restart="1"), record(wish(replicas=4)), see()))[-1:] == ["restart"]


def test_adopting_stores_the_token_before_any_action() -> None:
    """Otherwise every first apply would restart everything; and a failed action must not leave it out."""
    planned = plan_one(want(replicas=6, restart="1"), None, see())
    assert steps(planned) == ["scale 6"]
    assert restarts(planned) == [WishUpdate("restart", "1", ())]


def test_the_token_of_a_key_that_went_is_kept() -> None:
    assert plan_one(want(), record(wish(restart="1")), see()).change is None


COUNTS_AS_RESTART = {
    "rollback": plan_one(want("1.4.1", restart="2"), record(wish("1.4.2", restart="1")), see()),
    "promotion": plan_one(want("1.5.0", restart="2"), record(wish("1.4.2", "1.5.0", restart="1")), see_gray()),
    "start": plan_one(want(state="running", restart="2"), record(wish(state="stopped", restart="1")), stopped()),
    "start and rollback": plan_one(
        want("1.4.1", state="running", restart="2"), record(wish("1.4.2", state="stopped", restart="1")), stopped()
    ),
}


@pytest.mark.parametrize("planned", COUNTS_AS_RESTART.values(), ids=COUNTS_AS_RESTART)
def test_a_full_version_change_or_a_start_counts_as_restart(planned: ComponentPlan) -> None:
    """The token is recorded once they are all done, not before: not stored if it failed."""
    assert "restart" not in verbs(planned)
    [update] = restarts(planned)
    moves = tuple(a.id for a in planned.actions if a.verb != "scale")
    assert (update.value, update.after) == ("2", moves)


def test_an_abort_is_no_restart_of_the_stable_version() -> None:
    planned = plan_one(want("1.4.2", restart="2"), record(wish("1.4.2", "1.5.0", restart="1")), see_gray())
    assert "restart" in verbs(planned)


DROPPED = {
    "stop": plan_one(want(state="stopped", restart="2"), record(wish(state="running", restart="1")), see()),
    "scale to zero": plan_one(want(replicas=0, restart="2"), record(wish(replicas=4, restart="1")), see()),
    "both": plan_one(
        want(replicas=0, state="stopped", restart="2"), record(wish(replicas=4, state="running", restart="1")), see()
    ),
}


@pytest.mark.parametrize("planned", DROPPED.values(), ids=DROPPED)
def test_a_restart_is_dropped_where_nothing_is_left_running(planned: ComponentPlan) -> None:
    """And counts as done with it, or the next plan would restart a component that has none to restart."""
    assert "restart" not in verbs(planned)
    assert restarts(planned) == [WishUpdate("restart", "2", (planned.actions[-1].id,))]


def test_a_restart_that_waits_with_its_stop_is_listed_too() -> None:
    recorded = record(wish("1.4.2", state="running", restart="1"))
    planned = plan_one(want("1.4.2", state="stopped", restart="2"), recorded, see_gray())
    assert held(planned) == [("state", "deferred_gray"), ("restart", "deferred_gray")]
    assert planned.change is None


# Preconditions and records


def test_the_first_action_compares_with_what_is_observed_later_ones_with_the_prediction() -> None:
    planned = plan_one(
        want("1.4.1", replicas=6, restart="2", state="stopped"),
        record(wish("1.4.2", replicas=4, restart="1", state="running")),
        see(job="JOB-7"),
    )
    rollback, scale, stop = planned.actions
    assert rollback.precondition == {"status": "ready", "version": "1.4.2", "replicas": 4}
    assert scale.precondition == {"status": "ready"}, "the number after a rollback is not predicted"
    assert stop.precondition == {"status": "ready"}


def test_a_version_change_finds_the_number_unmoved_that_is_set_behind_it() -> None:
    """Else a colleague's scale out between plan and apply would be taken away unseen, as part of a scale up."""
    recorded = record(wish("1.4.2", replicas=4))
    assert plan_one(want("1.4.1", replicas=4), recorded, see()).actions[0].precondition["replicas"] == 4
    assert "replicas" not in plan_one(want("1.4.1"), record(wish("1.4.2")), see()).actions[0].precondition


def test_the_second_rollback_is_compared_with_where_the_abort_leads() -> None:
    planned = plan_one(want("1.4.1"), record(wish("1.4.2", "1.5.0")), see_gray(), overrides=["rollback_twice"])
    abort, rollback, _ = planned.actions
    assert abort.precondition == {"status": "graying", "version": "1.4.2", "gray.version": "1.5.0"}
    assert rollback.precondition == {"status": "ready", "version": "1.4.2"}


def test_a_rule_change_is_compared_with_the_rule_it_replaces() -> None:
    action = only(plan_one(want("1.4.2", "1.5.0", 30), record(wish("1.4.2", "1.5.0")), see_gray()))
    assert action.precondition == {"status": "graying", "gray.version": "1.5.0", "gray.weight": 20}
    assert action.goal == {"status": "graying", "gray.version": "1.5.0", "gray.weight": 30}


def test_the_last_job_counts_for_a_restart_only_as_first_action() -> None:
    """After an action of ours the last job is ours, and its id is not known while planning."""
    planned = plan_one(want(replicas=6, restart="2"), record(wish(replicas=4, restart="1")), see(job="JOB-7"))
    assert planned.actions[1].precondition == {"status": "ready"}


def test_a_promotion_is_compared_with_the_last_job() -> None:
    action = plan_one(want("1.5.0"), record(wish("1.4.2", "1.5.0")), see_gray(job="JOB-7")).actions[0]
    assert action.precondition == {"status": "graying", "gray.version": "1.5.0", "last_job_id": "JOB-7"}
    assert action.goal == {"status": "ready", "version": "1.5.0"}


def test_each_version_is_compared_with_the_one_before_it() -> None:
    """What a step brings depends on what the step before it left, not on what runs now."""

    def runs(version: str) -> Configuration:
        return Configuration(Artifact("image", f"shop/cart:{version}"), {}, Resources(), 4)

    closer = look(
        deployed("1.5.0", "grayrelease"),
        deployed("1.4.2", current=True),
        deployed("1.4.1"),
        rule=20,
        image="shop/cart:1.5.0",
        configuration=runs("1.5.0"),
        past={version: runs(version) for version in ("1.4.2", "1.4.1")},
    )
    graying = see("1.4.2", status="GRAYING", closer=closer)
    recorded = record(wish("1.4.2", "1.5.0", 20))

    def images(planned: ComponentPlan) -> list[tuple[object, object]]:
        return [(one.before, one.after) for action in planned.actions for one in action.brings if one.path == "image"]

    back = plan_one(want("1.4.1"), recorded, graying, overrides=["rollback_twice"])
    assert images(back) == [("shop/cart:1.5.0", "shop/cart:1.4.2"), ("shop/cart:1.4.2", "shop/cart:1.4.1")]
    forth = plan_one(want("2.0.0"), recorded, graying)
    assert images(forth) == [("shop/cart:1.5.0", "shop/cart:1.4.2"), ("shop/cart:1.4.2", "shop/cart:2.0.0")]
    assert forth.change is not None
    [listed] = [field for field in forth.change.fields if field.path == "image"]
    assert (listed.before, listed.after) == ("shop/cart:1.4.2", "shop/cart:2.0.0")


def test_each_wish_waits_for_its_own_actions() -> None:
    """A failing restart must not keep the state from learning that the scale was done."""
    planned = plan_one(want(replicas=6, restart="2"), record(wish(replicas=4, restart="1")), see())
    assert planned.change is not None
    assert planned.change.updates == (
        WishUpdate("replicas", 6, ("shop/cart#1",)),
        WishUpdate("restart", "2", ("shop/cart#2",)),
    )


PICTURES = {
    "rollback": (plan_one(want("1.4.1"), record(wish("1.4.2")), see()), 1),
    "abort": (plan_one(want("1.4.2"), record(wish("1.4.2", "1.5.0")), see_gray()), 1),
    "promotion": (plan_one(want("1.5.0"), record(wish("1.4.2", "1.5.0")), see_gray()), 1),
    "rule": (plan_one(want("1.4.2", "1.5.0", 30), record(wish("1.4.2", "1.5.0", 20)), see_gray()), 1),
    "promotion by weight": (plan_one(want("1.4.2", "1.5.0", 100), record(wish("1.4.2", "1.5.0")), see_gray()), 1),
    "abort and rollback": (
        plan_one(want("1.4.1"), record(wish("1.4.2", "1.5.0")), see_gray(), overrides=["rollback_twice"]),
        2,
    ),
}


@pytest.mark.parametrize(("planned", "moves"), PICTURES.values(), ids=PICTURES)
def test_the_picture_is_recorded_once_every_step_is_done(planned: ComponentPlan, moves: int) -> None:
    """The scale behind it is not part of it: the version serves, whatever the number of instances."""
    assert planned.change is not None
    [update] = [u for u in planned.change.updates if u.field == "version"]
    assert update.after == tuple(action.id for action in planned.actions[:moves])


def test_a_number_that_was_hidden_is_recorded_once_its_scale_is_done() -> None:
    planned = plan_one(want("1.4.2", replicas=6), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray())
    assert planned.change is not None
    assert WishUpdate("replicas", 6, ("shop/cart#2",)) in planned.change.updates
    kept = plan_one(want("1.4.2", replicas=4), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray())
    assert "replicas" not in updates(kept), "it is recorded already"


@pytest.mark.parametrize("configured", [4, 9, None])
def test_the_risk_of_a_hidden_number_is_the_worst_that_may_come(configured: int | None) -> None:
    """Where more run than anybody configured, setting the number takes some away."""
    recorded = record(wish("1.4.2", "1.5.0", replicas=5))
    planned = plan_one(want("1.4.2", replicas=6), recorded, see_gray(configured=configured))
    assert (planned.actions[-1].send_if, planned.actions[-1].risk) == (SendIf.DIFFERENT, Risk.SCALE_DOWN)


def test_a_number_that_is_only_kept_takes_nothing_away() -> None:
    """Sent only where fewer come back."""
    planned = plan_one(want("1.4.1"), record(wish("1.4.2")), see())
    assert (planned.actions[-1].send_if, planned.actions[-1].risk) == (SendIf.FEWER, Risk.SCALE_UP)


def test_a_number_that_is_not_told_is_made_sure_of() -> None:
    """Neither drift nor equality can be claimed of it, so the scale is in the plan, sent only where it is needed."""
    planned = plan_one(want("1.4.2", replicas=4), record(wish("1.4.2", "1.5.0", replicas=4)), see_gray(configured=None))
    assert conditional(planned) == [("scale 4", SendIf.DIFFERENT)]


def test_what_is_desired_and_observed_is_recorded_without_action() -> None:
    planned = plan_one(want("1.4.2", replicas=4, state="running"), record(), see())
    assert (steps(planned), set(updates(planned))) == ([], {"version", "replicas", "state"})
    assert planned.change is not None and planned.change.kind is Kind.UPDATE
    assert all(change.before == change.after for change in planned.change.fields)


@pytest.mark.parametrize(("status", "recorded"), [("RUNNING", {"deployed", "version"}), ("UPGRADING", set())])
def test_what_a_job_moves_is_not_recorded_as_sent_along(status: str, recorded: set[str]) -> None:
    """The job that shows the variables may fail, and take them back."""
    runs = Configuration(None, {"A": variable_digest({"value": "b"})}, Resources(), 4)
    observed = see("1.5.0", status=status, closer=look("1.5.0", "1.4.2", configuration=runs))
    planned = plan_one(want("1.5.0", deploy=Deploy(env={"A": "b"})), record(), observed)
    assert set(updates(planned)) == recorded


def test_a_released_field_is_a_change_without_action() -> None:
    planned = plan_one(want("1.4.2"), record(wish("1.4.2", replicas=4, state="running")), see())
    assert steps(planned) == []
    assert updates(planned) == {"replicas": None, "state": None}
    assert planned.change is not None
    assert [(c.path, c.before, c.after) for c in planned.change.fields] == [
        ("replicas", 4, None),
        ("state", "running", None),
    ]


def test_reasons_tell_the_cause() -> None:
    planned = plan_one(want("1.4.1", replicas=6), record(wish("1.4.2", replicas=4)), see())
    assert [action.reason for action in planned.actions] == [
        "version 1.4.2 -> 1.4.1: you changed the manifest",
        "replicas 4 -> 6: you changed the manifest",
    ]
