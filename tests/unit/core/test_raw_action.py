"""One verb as it was asked for: what is sent, what must hold, what is refused, and what the next apply would say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import address, deployed, look, record, see, see_gray, want, wish

from statetool.core.artifacts import artifact_of_version
from statetool.core.model import Artifact, GrayRule, Observed
from statetool.core.plan import Risk, Verb
from statetool.core.raw_action import NEEDS, TAKES, RawAction, RawPlan, plan_raw_action

IMAGE = Artifact("image", "swr/shop/cart:1.4.2")


def seen(status: str = "RUNNING", artifact: Artifact | None = IMAGE, **more: Any) -> Observed:
    closer = look(deployed("1.4.2", current=True), deployed("1.4.1"), deployed("1.4.0"))
    return see("1.4.2", status=status, closer=replace(closer, artifact=artifact), **more)


def ask(verb: Verb, observed: Observed | None = None, **asked: Any) -> RawPlan:
    desired, rule = asked.pop("desired", None), asked.pop("rule", None)
    overrides = frozenset(asked.pop("overrides", ()))
    raw = RawAction(verb, address("cart"), asked, rule)
    return plan_raw_action(raw, desired, asked.pop("recorded", None), observed or seen(), overrides)


PLANNED: dict[str, tuple[RawPlan, dict[str, Any], Risk, dict[str, Any]]] = {
    "scale up": (
        ask(Verb.SCALE, replica=6),
        {"replica": 6},
        Risk.SCALE_UP,
        {"status": "ready", "replicas": 6},
    ),
    "scale down": (ask(Verb.SCALE, replica=2), {"replica": 2}, Risk.SCALE_DOWN, {"status": "ready", "replicas": 2}),
    "scale to 0": (ask(Verb.SCALE, replica=0), {"replica": 0}, Risk.POWER, {"status": "ready", "replicas": 0}),
    "scale on machines": (
        ask(Verb.SCALE, replica=6, hosts=["h1"]),
        {"replica": 6, "hosts": ["h1"]},
        Risk.SCALE_UP,
        {"status": "ready", "replicas": 6},
    ),
    "stop": (ask(Verb.STOP), {}, Risk.POWER, {"status": "stopped"}),
    "start": (ask(Verb.START, seen("STOPPED")), {}, Risk.POWER, {"status": "ready"}),
    "restart": (ask(Verb.RESTART), {}, Risk.RESTART, {}),
    "rollback": (
        ask(Verb.ROLLBACK, version="1.4.1"),
        {"version": "1.4.1"},
        Risk.REVERT,
        {"status": "ready", "version": "1.4.1"},
    ),
    "deep rollback": (
        ask(Verb.ROLLBACK, version="1.4.0"),
        {"version": "1.4.0"},
        Risk.VERSION,
        {"status": "ready", "version": "1.4.0"},
    ),
    "abort": (
        ask(Verb.ROLLBACK, see_gray(), version="1.4.2"),
        {"version": "1.4.2"},
        Risk.REVERT,
        {"status": "ready", "version": "1.4.2"},
    ),
    "rollback_current": (ask(Verb.ROLLBACK_CURRENT), {}, Risk.REVERT, {"status": "ready", "version": "1.4.1"}),
    "abort by rollback_current": (
        ask(Verb.ROLLBACK_CURRENT, see_gray()),
        {},
        Risk.REVERT,
        {"status": "ready", "version": "1.4.2"},
    ),
    "continue_deploy": (ask(Verb.CONTINUE_DEPLOY, see_gray()), {}, Risk.VERSION, {}),
    "check_gray_release": (ask(Verb.CHECK_GRAY_RELEASE), {}, Risk.NONE, {}),
    "more traffic": (
        ask(Verb.MODIFY_GRAY_RULE, see_gray(), rule=GrayRule(weight=60)),
        {"weight": 60},
        Risk.TRAFFIC,
        {"status": "graying", "gray.version": "1.5.0", "gray.weight": 60},
    ),
    "less traffic": (
        ask(Verb.MODIFY_GRAY_RULE, see_gray(), rule=GrayRule(weight=5)),
        {"weight": 5},
        Risk.REVERT,
        {"status": "graying", "gray.version": "1.5.0", "gray.weight": 5},
    ),
    "sync_workload": (ask(Verb.SYNC_WORKLOAD), {}, Risk.NONE, {}),
    "upgrade": (
        ask(Verb.UPGRADE, version="1.5.0"),
        {"version": "1.5.0", "image": "swr/shop/cart:1.5.0"},
        Risk.VERSION,
        {"status": "ready", "version": "1.5.0"},
    ),
    "upgrade to an image": (
        ask(Verb.UPGRADE, version="1.5.0", image="swr/x:y"),
        {"version": "1.5.0", "image": "swr/x:y"},
        Risk.VERSION,
        {"status": "ready", "version": "1.5.0"},
    ),
    "gray start": (
        ask(Verb.UPGRADE, version="1.5.0", rule=GrayRule(weight=5)),
        {"version": "1.5.0", "image": "swr/shop/cart:1.5.0", "gray": {"weight": 5}},
        Risk.VERSION_GRAY,
        {"status": "graying", "gray.version": "1.5.0", "gray.weight": 5},
    ),
}


@pytest.mark.parametrize(("plan", "parameters", "risk", "goal"), PLANNED.values(), ids=PLANNED)
def test_what_is_sent_and_what_must_be_seen_afterwards(
    plan: RawPlan, parameters: dict[str, Any], risk: Risk, goal: dict[str, Any]
) -> None:
    """Every verb, with its risk."""
    assert plan.action is not None, plan
    assert (dict(plan.action.parameters), plan.action.risk, dict(plan.action.goal)) == (parameters, risk, goal)
    assert plan.change is not None
    assert plan.change.action_ids == (plan.action.id,)
    assert plan.change.updates == (), "a raw action never changes a wish"


def test_every_verb_is_planned_here() -> None:
    """And each has its parameters declared."""
    assert {plan.action.verb for plan, *_ in PLANNED.values() if plan.action} == set(Verb)
    assert set(TAKES) == set(Verb)
    assert all(NEEDS[verb] <= TAKES[verb] for verb in NEEDS)


def test_what_must_not_have_moved() -> None:
    """The status, what the verb changes, and for verbs that count the last job."""
    scale, restart = ask(Verb.SCALE, replica=6).action, ask(Verb.RESTART, seen(job="JOB1")).action
    assert scale is not None
    assert scale.precondition == {"status": "ready", "replicas": 4}
    assert restart is not None
    assert restart.precondition == {"status": "ready", "last_job_id": "JOB1"}
    upgrade = ask(Verb.UPGRADE, version="1.5.0").action
    assert upgrade is not None
    assert upgrade.precondition == {"status": "ready", "version": "1.4.2"}


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (ask(Verb.SCALE, see_gray(), replica=6), "deferred_gray"),
        (ask(Verb.UPGRADE, see_gray(), version="1.6.0"), "deferred_gray"),
        (ask(Verb.SCALE, seen("STOPPED"), replica=6), "deferred_stopped"),
        (ask(Verb.RESTART, seen("FAILED")), "deferred_failed"),
        (ask(Verb.CHECK_GRAY_RELEASE, seen("UPGRADING")), "busy"),
        (ask(Verb.CONTINUE_DEPLOY), "no_gray_release"),
        (ask(Verb.MODIFY_GRAY_RULE, rule=GrayRule(weight=5)), "no_gray_release"),
    ],
)
def test_a_verb_that_the_status_forbids_is_held_back(plan: RawPlan, code: str) -> None:
    """Never sent to find out."""
    assert plan.action is None
    assert [entry.code for entry in plan.held_back] == [code]


@pytest.mark.parametrize(
    "plan",
    [
        ask(Verb.START),
        ask(Verb.STOP, seen("STOPPED")),
        ask(Verb.SCALE, replica=4),
        ask(Verb.ROLLBACK, version="1.4.2"),
        ask(Verb.MODIFY_GRAY_RULE, see_gray(), rule=GrayRule(weight=20)),
    ],
)
def test_what_is_so_already_needs_no_action(plan: RawPlan) -> None:
    """A second run changes nothing."""
    assert plan == RawPlan()


@pytest.mark.parametrize(
    ("plan", "code", "says"),
    [
        (ask(Verb.ROLLBACK, version="9.9.9"), "unknown_version", "1.4.1, 1.4.0"),
        (ask(Verb.ROLLBACK, see_gray(), version="1.5.0"), "unknown_version", "1.4.2"),
        (ask(Verb.UPGRADE, seen(artifact=None), version="1.5.0"), "unknown_version", "nobody knows the image"),
        (ask(Verb.UPGRADE, seen("FAILED"), version="1.5.0"), "failed_component", "has failed"),
        (ask(Verb.STOP, desired=want(protected=True)), "protected", "this is stop (risk power)"),
    ],
)
def test_what_is_denied(plan: RawPlan, code: str, says: str) -> None:
    """With what would help."""
    assert plan.action is None
    [finding] = plan.findings
    assert (finding.code, finding.severity) == (code, "deny")
    assert says in finding.message
    assert finding.hint


def test_denies_that_can_be_overridden() -> None:
    """For this one run; and a protected component may always grow or be looked at."""
    assert ask(Verb.STOP, desired=want(protected=True), overrides=["protected"]).action is not None
    assert ask(Verb.UPGRADE, seen("FAILED"), version="1.5.0", overrides=["failed_component"]).action is not None
    assert ask(Verb.SCALE, desired=want(protected=True), replica=9).action is not None
    assert ask(Verb.SYNC_WORKLOAD, desired=want(protected=True)).action is not None


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (ask(Verb.SCALE, desired=want(replicas=4), replica=6), "replicas 4"),
        (ask(Verb.STOP, desired=want(state="running")), "state running"),
        (ask(Verb.ROLLBACK, desired=want("1.4.2"), version="1.4.1"), "version 1.4.2"),
        (ask(Verb.UPGRADE, desired=want("1.4.2"), version="1.5.0"), "version 1.4.2"),
        (
            ask(Verb.MODIFY_GRAY_RULE, see_gray(), desired=want("1.4.2", "1.5.0", 20), rule=GrayRule(weight=60)),
            "gray.weight 20",
        ),
        (ask(Verb.CONTINUE_DEPLOY, see_gray(), desired=want("1.4.2", "1.5.0", 20)), "version 1.4.2"),
    ],
)
def test_what_the_manifest_says_against_it_is_told(plan: RawPlan, says: str) -> None:
    """The next apply may put it back."""
    [finding] = plan.findings
    assert (finding.code, finding.severity) == ("next_apply_undoes", "warn")
    assert says in finding.message


@pytest.mark.parametrize(
    "plan",
    [
        ask(Verb.SCALE, desired=want(replicas=6), replica=6),
        ask(Verb.SCALE, desired=want("1.4.2"), replica=6),
        ask(Verb.RESTART, desired=want("1.4.2", replicas=4)),
        ask(Verb.SYNC_WORKLOAD, desired=want("1.4.2", replicas=4)),
        ask(Verb.SCALE, replica=6),
    ],
)
def test_nothing_is_told_where_nothing_speaks_against_it(plan: RawPlan) -> None:
    """What nobody wrote down stays."""
    assert plan.findings == ()


def test_the_machines_of_the_manifest_go_along_with_a_scale() -> None:
    """Unless others are named; and they are sent as they stand."""
    desired = replace(want(), hosts=("h2", "h1"))
    sent = ask(Verb.SCALE, desired=desired, replica=6).action
    assert sent is not None
    assert sent.parameters["hosts"] == ["h2", "h1"]
    sent = ask(Verb.SCALE, desired=desired, replica=6, hosts=["h3"]).action
    assert sent is not None
    assert sent.parameters["hosts"] == ["h3"]


def test_an_action_on_a_recorded_component_keeps_its_address() -> None:
    """The record is found by it."""
    plan = ask(Verb.SCALE, recorded=record(wish(replicas=4)), replica=6)
    assert plan.change is not None
    assert str(plan.change.address) == "shop/cart"


@pytest.mark.parametrize(
    ("url", "follows"),
    [
        ("swr/shop/cart:1.4.2", "swr/shop/cart:1.5.0"),
        ("obs://shop/cart-1.4.2", "obs://shop/cart-1.5.0"),
        ("1.4.2", "1.5.0"),
        ("swr/shop/cart:11.4.2", None),
        ("swr/shop/cart:v1.4.2", "swr/shop/cart:v1.5.0"),
        ("swr/shop/cart:2.1.4.2", None),
        ("swr/shop/cart:1.4.2-alpine", None),
        ("swr/shop/cart:latest", None),
    ],
)
def test_an_artifact_follows_its_version_only_where_its_address_ends_in_it(url: str, follows: str | None) -> None:
    """Never a guess: another version's image would be deployed under this one's name."""
    found = artifact_of_version(seen(artifact=Artifact("image", url)), "1.4.2", "1.5.0")
    assert (found.url if found else None) == follows
