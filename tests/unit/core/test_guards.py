"""Guards: each limit with its numbers, both sides of it, its scope, and the way around."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import address, plan_all, record, see, see_gray, want, wish

from statetool.core.guards import GUARD_CODES, Freeze, Guards
from statetool.core.plan import OVERRIDABLE, Plan, Risk
from statetool.core.project import Selection

OFF = Guards(max_share=None, max_scale_down=None)


def managed(count: int, changed: int) -> dict[str, Any]:
    """`count` recorded components, the first `changed` of which want one instance more."""
    names = [f"c{n:02}" for n in range(count)]
    return {
        "desired": [want(name=name, replicas=5 if n < changed else 4) for n, name in enumerate(names)],
        "recorded": [record(wish(replicas=4), name=name) for name in names],
        "observed": [see(name=name) for name in names],
    }


def guarded(desired: Any, recorded: Any, observed: Any, guards: Guards, **rules: Any) -> Plan:
    return plan_all(desired, recorded, observed, guards=guards, **rules)


def denies(plan: Plan) -> list[str]:
    return [finding.code for finding in plan.denies]


# Share


@pytest.mark.parametrize(("count", "changed", "denied"), [(10, 3, False), (10, 4, True), (9, 9, False), (20, 6, False)])
def test_the_share_of_changed_components_is_limited_from_ten_on(count: int, changed: int, denied: bool) -> None:
    """30 % of ten are three; of nine it does not count."""
    plan = guarded(**managed(count, changed), guards=Guards())
    assert denies(plan) == (["max_share"] if denied else [])
    assert len(plan.actions) == (0 if denied else changed)
    assert len(plan.blocked) == (changed if denied else 0)


def test_the_share_is_told_with_its_numbers() -> None:
    """Whoever reads it must see at once whether the folder is wrong or the limit."""
    [finding] = guarded(**managed(10, 5), guards=Guards()).findings
    assert finding.message == "5 changed of 10 managed components are 50 %, more than guards.max_share allows (30 %)"
    assert finding.address is None
    assert "--override max_share" in str(finding.hint)


def test_what_leaves_the_state_counts_as_changed() -> None:
    """Half of the manifests deleted by mistake must not empty the state."""
    world = managed(10, 0)
    plan = guarded(world["desired"][:6], world["recorded"], world["observed"], Guards())
    assert denies(plan) == ["max_share"]
    assert "4 forgotten of 10" in plan.findings[0].message
    assert not plan.can_apply
    assert {entry.address for entry in plan.blocked} == {entry.address for entry in world["recorded"][6:]}


def test_recording_what_runs_changes_nothing() -> None:
    """The first apply of a big project adopts everything; nobody has to override that."""
    world = managed(20, 0)
    plan = guarded(world["desired"], [], world["observed"], Guards())
    assert denies(plan) == []
    assert len(plan.changes) == 20


def test_a_target_does_not_shrink_the_whole() -> None:
    """One of twenty stays one of twenty where only that one is looked at."""
    world = managed(20, 7)
    assert denies(guarded(**world, guards=Guards())) == ["max_share"]
    assert denies(guarded(**world, guards=Guards(), selection=Selection(("shop/c00",)))) == []


# Actions


def test_the_number_of_actions_is_limited_where_it_is_configured() -> None:
    """Three are no more than three."""
    assert denies(guarded(**managed(9, 3), guards=Guards(max_actions=3))) == []
    plan = guarded(**managed(9, 4), guards=Guards(max_actions=3))
    assert plan.findings[0].message == "4 actions are more than guards.max_actions allows (3)"
    assert not plan.actions


# One component


@pytest.mark.parametrize(
    ("before", "after", "denied"), [(4, 2, False), (4, 1, True), (5, 3, False), (5, 2, True), (1, 0, True)]
)
def test_a_scale_down_by_more_than_half_is_denies(before: int, after: int, denied: bool) -> None:
    """Exactly half passes."""
    desired, recorded = [want(replicas=after)], [record(wish(replicas=before))]
    plan = guarded(desired, recorded, [see(replicas=before)], Guards())
    assert denies(plan) == (["max_scale_down"] if denied else [])
    assert len(plan.actions) == (0 if denied else 1)


def test_a_denied_scale_down_names_a_step_that_is_allowed() -> None:
    """A hint that leads into the next refusal is none."""
    plan = guarded([want(replicas=1)], [record(wish(replicas=9))], [see(replicas=9)], Guards())
    assert "to 5 first" in str(plan.findings[0].hint)
    assert denies(guarded([want(replicas=5)], [record(wish(replicas=9))], [see(replicas=9)], Guards())) == []


def test_a_deny_of_one_component_blocks_it_and_what_depends_on_it_only() -> None:
    """The rest of the project goes on."""
    desired = [
        want(replicas=1, name="cart"),
        want(replicas=5, name="search", needs=["cart"]),
        want(replicas=5, name="pay"),
    ]
    recorded = [record(wish(replicas=4), name=name) for name in ("cart", "search", "pay")]
    plan = guarded(desired, recorded, [see(name=name) for name in ("cart", "search", "pay")], Guards())
    assert [action.id for action in plan.actions] == ["shop/pay#1"]
    assert {(str(entry.address), entry.because) for entry in plan.blocked} == {
        ("shop/cart", "max_scale_down"),
        ("shop/search", "shop/cart"),
    }


def test_a_floor_of_instances() -> None:
    """Also for a scale up that stays below it."""
    floor = Guards(min_replicas=3)
    assert denies(guarded([want(replicas=3)], [record(wish(replicas=4))], [see(replicas=4)], floor)) == []
    plan = guarded([want(replicas=2)], [record(wish(replicas=1))], [see(replicas=1)], floor)
    assert denies(plan) == ["min_replicas"]
    assert "a scale to 2 leaves fewer instances than guards.min_replicas allows (3)" in plan.findings[0].message


@pytest.mark.parametrize(("weight", "denied"), [(45, False), (46, True), (10, False)])
def test_a_step_of_traffic(weight: int, denied: bool) -> None:
    """From 20 %, a step of 25 reaches 45 %; less traffic is no step."""
    desired, recorded = [want("1.4.2", "1.5.0", weight)], [record(wish("1.4.2", "1.5.0", 20))]
    plan = guarded(desired, recorded, [see_gray()], Guards(max_weight_step=25))
    assert denies(plan) == (["max_weight_step"] if denied else [])


def test_a_promotion_is_a_step_to_all_traffic() -> None:
    """Otherwise the limit would end where it matters most."""
    recorded = [record(wish("1.4.2", "1.5.0", 20))]
    plan = guarded([want("1.5.0")], recorded, [see_gray()], Guards(max_weight_step=25))
    assert denies(plan) == ["max_weight_step"]
    assert "20 % -> 100 % of traffic is a step of 80" in plan.findings[0].message
    assert "go to 45 % first" in str(plan.findings[0].hint)


# Freeze


def test_a_freeze_lets_only_pass_what_it_names() -> None:
    """By default scaling up and taking back."""
    frozen = Guards(freezes=(Freeze("Singles' Day", "2026-11-12 00:00 +0800"),), max_scale_down=None)
    desired = [want(replicas=6, name="cart"), want(replicas=2, name="pay")]
    recorded = [record(wish(replicas=4), name=name) for name in ("cart", "pay")]
    plan = guarded(desired, recorded, [see(name="cart"), see(name="pay")], frozen)
    assert [action.id for action in plan.actions] == ["shop/cart#1"]
    assert denies(plan) == ["freeze"]
    assert plan.findings[0].message == (
        "frozen until 2026-11-12 00:00 +0800 (Singles' Day): scale_down must wait; revert, scale_up may pass"
    )
    closed = Guards(freezes=(Freeze("all hands off", None, frozenset()),))
    assert not guarded(desired, recorded, [see(name="cart"), see(name="pay")], closed).actions
    assert (
        "scale_up must wait; nothing may pass"
        in guarded(desired, recorded, [see(name="cart")], closed).findings[0].message
    )


def test_recording_is_never_frozen() -> None:
    """It touches nothing that runs."""
    plan = guarded([want(replicas=4)], [], [see()], Guards(freezes=(Freeze("x", None, frozenset()),)))
    assert denies(plan) == []
    assert plan.can_apply


def test_the_platform_goes_back_during_a_freeze() -> None:
    """An abort is the one thing nobody may forbid by a calendar."""
    frozen = Guards(freezes=(Freeze("x", None, frozenset({Risk.REVERT})),))
    plan = guarded([want("1.4.2")], [record(wish("1.4.2", "1.5.0", 20))], [see_gray()], frozen)
    assert [str(action.verb) for action in plan.actions] == ["rollback", "scale"]


# Overrides


def every_guard_broken() -> dict[str, Any]:
    world = managed(10, 8)
    world["desired"][8:] = [want(replicas=1, name="c08"), want("1.4.2", "1.5.0", 90, name="c09")]
    world["recorded"][9:] = [record(wish("1.4.2", "1.5.0", 20), name="c09")]
    world["observed"][9:] = [see_gray(name="c09")]
    return world


EVERY_LIMIT = Guards(30, 50, 2, 25, 3, (Freeze("x", None, frozenset({Risk.SCALE_UP})),))


def test_every_guard_can_be_overridden_and_each_only_by_its_own_name() -> None:
    """One override never opens another door."""
    assert GUARD_CODES <= OVERRIDABLE
    world = every_guard_broken()
    for code in GUARD_CODES:
        rest = GUARD_CODES - {code}
        assert set(denies(guarded(**world, guards=EVERY_LIMIT, overrides=rest))) == {code}
    assert denies(guarded(**world, guards=EVERY_LIMIT, overrides=GUARD_CODES)) == []
    assert denies(guarded(**world, guards=OFF)) == []


def test_a_guard_of_one_component_names_it() -> None:
    """And those of the project name none."""
    findings = guarded(**every_guard_broken(), guards=EVERY_LIMIT, overrides={"max_share"}).findings
    named = {finding.code: finding.address for finding in findings}
    assert named["max_scale_down"] == named["min_replicas"] == address("c08")
    assert named["max_weight_step"] == address("c09")
