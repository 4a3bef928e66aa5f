"""Guards: each limit with its numbers, both sides of it, its scope, and the way around."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import address, content, plan_all, record, see, see_gray, want, wish

from statetool.core.events import RunSummary, apply_exit_code
from statetool.core.guards import FREEZE_UNREADABLE, GUARD_CODES, NO_GUARDS, Freeze, Guards, judge
from statetool.core.plan import OVERRIDABLE, Plan, Risk
from statetool.core.project import Selection
from statetool.errors import ExitCode


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
def test_a_scale_down_by_more_than_half_is_denied(before: int, after: int, denied: bool) -> None:
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
    plan = guarded([want(replicas=0)], [record(wish(replicas=9))], [see(replicas=9)], Guards())
    assert "`state: stopped`" in str(plan.findings[0].hint), "no steps lead there"


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


@pytest.mark.parametrize(
    ("before", "after", "denied"), [(4, 3, False), (4, 2, True), (2, 1, True), (1, 2, False), (2, 0, True)]
)
def test_a_floor_of_instances(before: int, after: int, denied: bool) -> None:
    """Going below it is refused; going up never is, also where it does not suffice."""
    plan = guarded(
        [want(replicas=after)], [record(wish(replicas=before))], [see(replicas=before)], Guards(None, None, 3)
    )
    assert denies(plan) == (["min_replicas"] if denied else [])
    if denied:
        told = f"{before} -> {after} instances leaves fewer than guards.min_replicas allows (3)"
        assert plan.findings[0].message == told
        hint = "write at least 3" if before >= 3 else "leave the number as it is"
        assert hint in str(plan.findings[0].hint)


def test_a_number_that_a_version_change_only_keeps_is_no_scale_down() -> None:
    """The component has two instances and keeps them: neither floor nor share has anything to say."""
    recorded = [record(wish("1.4.2"))]
    plan = guarded([want("1.4.1")], recorded, [see(replicas=2)], Guards(None, 0, 3))
    assert denies(plan) == []
    assert [str(action.verb) for action in plan.actions] == ["rollback", "scale"]


def test_a_number_lowered_behind_a_gray_release_is_a_scale_down() -> None:
    """It is compared with the configured number, for the status hides the other."""
    recorded = [record(wish("1.4.2", "1.5.0", 20, replicas=8))]
    seen = [see_gray(configured=8)]
    plan = guarded([want("1.4.2", replicas=2)], recorded, seen, Guards())
    assert denies(plan) == ["max_scale_down"]
    assert "8 -> 2 instances takes 75 % away" in plan.findings[0].message


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


def test_content_rules_count_as_all_traffic() -> None:
    """From a share to rules is a big step, from rules to others or to promotion none."""
    limit = Guards(max_weight_step=25)
    by_weight = record(wish("1.4.2", "1.5.0", 20))
    plan = guarded([want("1.4.2", "1.5.0", content("beta"))], [by_weight], [see_gray()], limit)
    assert "20 % -> 100 % of traffic is a step of 80" in plan.findings[0].message
    by_content = record(wish("1.4.2", "1.5.0", content("beta")))
    seen = see_gray(rule=content("beta"))
    assert denies(guarded([want("1.5.0")], [by_content], [seen], limit)) == []


# Freeze


SINGLES = Freeze("Singles' Day", "2026-11-12 00:00 +08:00")


def frozen_world() -> dict[str, Any]:
    """cart goes up, pay goes down, queue needs pay; search goes back and down."""
    names = ("cart", "pay", "queue", "search")
    return {
        "desired": [
            want(replicas=6, name="cart"),
            want(replicas=3, name="pay"),
            want(replicas=6, name="queue", needs=["pay"]),
            want("1.4.1", replicas=3, name="search"),
        ],
        "recorded": [record(wish("1.4.2", replicas=4), name=name) for name in names],
        "observed": [see(name=name) for name in names],
    }


def test_a_freeze_lets_only_pass_what_it_names() -> None:
    """By default scaling up and taking back; a component goes as a whole or not at all."""
    plan = guarded(**frozen_world(), guards=Guards(freezes=(SINGLES,)))
    assert [action.id for action in plan.actions] == ["shop/cart#1"]
    assert {str(b.address): b.because for b in plan.blocked} == {
        "shop/pay": "freeze",
        "shop/queue": "shop/pay",
        "shop/search": "freeze",
    }
    [deny] = plan.denies
    assert (deny.code, deny.address) == ("freeze", None)
    assert deny.message == (
        "frozen until 2026-11-12 00:00 +08:00 (Singles' Day): scale_down must wait; scale_up, revert may pass"
    )
    assert "--override freeze" in str(deny.hint)
    assert apply_exit_code(plan, RunSummary(done=("shop/cart#1",))) is ExitCode.PARTLY


def test_a_freeze_may_let_nothing_pass() -> None:
    """Two of them at once are both told."""
    closed = Freeze("all hands off", None, frozenset())
    plan = guarded(**frozen_world(), guards=Guards(freezes=(SINGLES, closed)))
    assert not plan.actions
    assert [finding.message.partition(":")[0] for finding in plan.denies] == [
        "frozen until 2026-11-12 00",
        "frozen (all hands off)",
    ]
    assert "scale_up, revert, scale_down must wait; nothing may pass" in plan.denies[1].message
    assert apply_exit_code(plan, RunSummary()) is ExitCode.DENIED


def test_recording_is_never_frozen() -> None:
    """It touches nothing that runs."""
    plan = guarded([want(replicas=4)], [], [see()], Guards(freezes=(Freeze("x", None, frozenset()),)))
    assert denies(plan) == []
    assert plan.can_apply


def test_the_platform_goes_back_during_a_freeze() -> None:
    """An abort is the one thing nobody may forbid by a calendar; the number is put back with it, whatever its risk."""
    frozen = Guards(freezes=(Freeze("x", None, frozenset({Risk.REVERT})),))
    recorded = [record(wish("1.4.2", "1.5.0", 20, replicas=4))]
    plan = guarded([want("1.4.2", replicas=4)], recorded, [see_gray()], frozen)
    assert [(str(a.verb), str(a.risk)) for a in plan.actions] == [("rollback", "revert"), ("scale", "scale_down")]


def test_a_wish_for_fewer_instances_does_not_slip_through_with_a_revert() -> None:
    """It is conditional only because the status hides the number."""
    recorded = [record(wish("1.4.2", "1.5.0", 20, replicas=8))]
    seen = [see_gray(configured=8)]
    plan = guarded([want("1.4.2", replicas=6)], recorded, seen, Guards(freezes=(SINGLES,)))
    assert denies(plan) == ["freeze"]
    more = guarded([want("1.4.2", replicas=9)], recorded, seen, Guards(freezes=(SINGLES,)))
    assert [str(action.verb) for action in more.actions] == ["rollback", "scale"]


def test_windows_that_nobody_can_read_are_told_as_that() -> None:
    """With a code of their own: whoever overrides a freeze has not overridden a missing file."""
    shut = Freeze("guards.freeze_from: /etc/x: it can't be read", None, frozenset({Risk.REVERT}), FREEZE_UNREADABLE)
    plan = guarded(**frozen_world(), guards=Guards(freezes=(shut,)), overrides={"freeze"})
    assert denies(plan) == ["freeze_unreadable"]
    assert plan.denies[0].message == (
        "guards.freeze_from: /etc/x: it can't be read; as nobody knows whether changes are frozen, scale_up, "
        "scale_down must wait; revert may pass"
    )
    assert "--override freeze_unreadable" in str(plan.denies[0].hint)


# Once more


def test_a_plan_that_passes_is_the_same_plan() -> None:
    """Not a copy: what is applied is what was shown."""
    plan = guarded(**managed(10, 3), guards=NO_GUARDS)
    assert judge(plan, Guards(), managed=10) is plan


def test_a_saved_plan_meets_the_guards_of_its_apply() -> None:
    """A freeze that began meanwhile takes out what it does not let pass, and what waits for that; the rest goes on."""
    plan = guarded(**frozen_world(), guards=NO_GUARDS)
    left = judge(plan, Guards(freezes=(SINGLES,)), managed=4)
    assert left == guarded(**frozen_world(), guards=Guards(freezes=(SINGLES,)))
    assert [str(change.address) for change in left.changes] == ["shop/cart"]


def test_what_the_plan_overrides_is_let_through_again() -> None:
    """The override was part of what was approved."""
    plan = guarded(**frozen_world(), guards=Guards(freezes=(SINGLES,)), overrides={"freeze"})
    assert len(plan.actions) == 5
    assert judge(plan, Guards(freezes=(SINGLES,)), managed=4) is plan


def test_the_addresses_of_a_plan_are_all_that_it_speaks_of() -> None:
    """So that a share is one of the whole, also where the state knows none of it yet."""
    world = managed(12, 2)
    plan = guarded(
        world["desired"], world["recorded"][:3], world["observed"], Guards(), selection=Selection(("shop/c0[0-4]",))
    )
    assert {str(entry) for entry in plan.addresses} == {f"shop/c{n:02}" for n in (*range(2), *range(3, 12))}


# Overrides


def every_guard_broken() -> dict[str, Any]:
    world = managed(10, 8)
    world["desired"][8:] = [want(replicas=1, name="c08"), want("1.4.2", "1.5.0", 90, name="c09")]
    world["recorded"][9:] = [record(wish("1.4.2", "1.5.0", 20), name="c09")]
    world["observed"][9:] = [see_gray(name="c09")]
    return world


EVERY_LIMIT = Guards(
    30,
    50,
    2,
    25,
    3,
    (Freeze("x", None, frozenset({Risk.SCALE_UP})), Freeze("y", None, frozenset({Risk.REVERT}), FREEZE_UNREADABLE)),
)


def test_every_guard_can_be_overridden_and_each_only_by_its_own_name() -> None:
    """One override never opens another door."""
    assert GUARD_CODES <= OVERRIDABLE
    world = every_guard_broken()
    for code in GUARD_CODES:
        rest = GUARD_CODES - {code}
        assert set(denies(guarded(**world, guards=EVERY_LIMIT, overrides=rest))) == {code}
    assert denies(guarded(**world, guards=EVERY_LIMIT, overrides=GUARD_CODES)) == []
    assert denies(guarded(**world, guards=NO_GUARDS)) == []


def test_a_guard_of_one_component_names_it() -> None:
    """And those of the project name none."""
    findings = guarded(**every_guard_broken(), guards=EVERY_LIMIT, overrides={"max_share"}).findings
    named = {finding.code: finding.address for finding in findings}
    assert named["max_scale_down"] == named["min_replicas"] == address("c08")
    assert named["max_weight_step"] == address("c09")
