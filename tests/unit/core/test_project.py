"""A whole project: scope of denies, selection, what leaves the state, and mode drift."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import (
    address,
    alone,
    codes,
    held,
    look,
    plan_all,
    plan_one,
    record,
    see,
    see_gray,
    verbs,
    want,
    wish,
)

from statetool.core.plan import Kind, Plan
from statetool.core.project import find_closer_looks
from statetool.core.selection import Selection


def blocked(plan: Plan) -> dict[str, str]:
    return {str(entry.address): entry.because for entry in plan.blocked}


def touched(plan: Plan) -> list[str]:
    """Components with actions."""
    return sorted({str(action.address) for action in plan.actions})


def replicas(name: str, wished: int = 4, **rest):
    """A desired component and its record: an edit from 4 to `wished`."""
    return want(name=name, replicas=wished, **rest), record(wish(replicas=4), name=name)


# Scope of a deny


def test_a_deny_blocks_its_component_and_what_depends_on_it_nothing_else() -> None:
    """denied <- near <- far, and a stranger beside them."""
    near, far, other = (
        want(name=n, replicas=6, needs=d) for n, d in (("near", ["denied"]), ("far", ["near"]), ("other", []))
    )
    plan = plan_all(
        [want("2.0.0", name="denied"), near, far, other],
        [record(wish(replicas=4), name=n) for n in ("near", "far", "other")],
        [see(name=n) for n in ("denied", "near", "far", "other")],
    )
    assert touched(plan) == ["shop/other"]
    assert blocked(plan) == {"shop/denied": "unknown_version", "shop/near": "shop/denied", "shop/far": "shop/denied"}
    assert [str(change.address) for change in plan.changes] == ["shop/other"]
    assert all(entry.message for entry in plan.blocked)


def test_what_a_denied_component_depends_on_is_not_blocked() -> None:
    plan = plan_all(
        [want("2.0.0", name="denied", needs=["base"]), want(name="base", replicas=6)],
        [record(wish(replicas=4), name="base")],
        [see(name="denied"), see(name="base")],
    )
    assert touched(plan) == ["shop/base"]


def test_a_deny_reaches_through_components_without_actions() -> None:
    plan = plan_all(
        [
            want("2.0.0", name="denied"),
            want(name="idle", needs=["denied"]),
            want(name="far", replicas=6, needs=["idle"]),
        ],
        [record(name="idle"), record(wish(replicas=4), name="far")],
        [see(name=n) for n in ("denied", "idle", "far")],
    )
    assert blocked(plan) == {"shop/denied": "unknown_version", "shop/far": "shop/denied"}


def test_a_dependent_that_only_records_is_not_kept_from_it() -> None:
    """Nothing is sent for it, so nothing can go wrong in the wrong order."""
    plan = plan_all(
        [want("2.0.0", name="denied"), want(name="near", replicas=4, needs=["denied"])],
        [],
        [see(name="denied"), see(name="near")],
    )
    assert [str(change.address) for change in plan.changes] == ["shop/near"]


@pytest.mark.parametrize(
    ("name", "observed"),
    [("ghost", []), ("cart", [see(component_id="1"), see(name="shop/cart@test", component_id="2")])],
    ids=["not found", "ambiguous"],
)
def test_denies_about_names_have_the_same_scope(name, observed) -> None:
    plan = plan_all(
        [want(name=name), want(name="near", replicas=6, needs=[name]), want(name="other", replicas=6)],
        [],
        [*observed, see(name="near"), see(name="other")],
    )
    assert touched(plan) == ["shop/other"]
    assert set(blocked(plan)) == {f"shop/{name}", "shop/near"}


def test_a_denied_component_is_blocked_for_its_own_reason() -> None:
    """Whatever it depends on; and who hangs behind two of them is told of the first by address."""
    plan = plan_all(
        [
            want("2.0.0", name="a"),
            want("2.0.0", name="b", needs=["a"]),
            want(name="near", replicas=6, needs=["b", "a"]),
        ],
        [],
        [see(name=n) for n in ("a", "b", "near")],
    )
    assert blocked(plan) == {"shop/a": "unknown_version", "shop/b": "unknown_version", "shop/near": "shop/a"}


def test_versions_ended_outside_are_part_of_the_plan_denied_or_not() -> None:
    """Apply stores them, so that they do not return by themselves."""
    plan = plan_all(
        [want("1.4.2", "1.5.0", name="left"), want("1.4.2", "1.5.0", 50, name="denied"), want("1.4.2", name="other")],
        [record(wish("1.4.2", "1.5.0"), name=n) for n in ("left", "denied")],
        [see(name=n) for n in ("left", "denied", "other")],
    )
    assert [(str(r.address), r.rejection.version) for r in plan.rejections] == [
        ("shop/denied", "1.5.0"),
        ("shop/left", "1.5.0"),
    ]
    assert blocked(plan) == {"shop/denied": "version_rejected"}


def test_what_is_held_back_counts_as_a_deny_for_dependents() -> None:
    """The component itself is listed as held back, not as blocked."""
    plan = plan_all(
        [want(name="base", replicas=6), want(name="near", replicas=6, needs=["base"])],
        [record(wish(replicas=4), name=n) for n in ("base", "near")],
        [see(name="base", status="FAILED"), see(name="near")],
    )
    assert plan.actions == ()
    assert held(plan) == [("replicas", "deferred_failed")]
    assert blocked(plan) == {"shop/near": "shop/base"}
    assert plan.has_changes


def test_a_strangers_gray_release_denies_that_component_alone() -> None:
    """The must-show of a colleague's release: the others go on, and the release is not touched."""
    plan = plan_all(
        [want("1.4.1", name="search"), want(name="cart", replicas=6)],
        [record(wish("1.4.2"), name="search"), record(wish(replicas=4), name="cart")],
        [see_gray(name="search"), see(name="cart")],
    )
    assert touched(plan) == ["shop/cart"]
    assert blocked(plan) == {"shop/search": "foreign_gray_release"}


def test_a_gray_release_elsewhere_stays_out_of_a_scale() -> None:
    plan = plan_all(
        [want(name="search", replicas=4), want(name="cart", replicas=6)],
        [record(wish(replicas=4), name="search"), record(wish(replicas=4), name="cart")],
        [see_gray(name="search", replicas=6), see(name="cart")],
    )
    assert verbs(plan) == ["scale 6"]
    assert (plan.blocked, plan.held_back, plan.left_alone) == ((), (), ())


# Selection


GLOBS = [
    (Selection(), ["shop/cart", "shop/pay", "bank/cart"]),
    (Selection(targets=("shop/*",)), ["shop/cart", "shop/pay"]),
    (Selection(targets=("shop/cart", "bank/*")), ["shop/cart", "bank/cart"]),
    (Selection(excludes=("*/cart",)), ["shop/pay"]),
    (Selection(targets=("shop/*",), excludes=("shop/pay",)), ["shop/cart"]),
    (Selection(targets=("SHOP/*",)), []),
]


@pytest.mark.parametrize(("selection", "chosen"), GLOBS)
def test_selection(selection: Selection, chosen: list[str]) -> None:
    """Only what is chosen is planned; what is not is named, so that a part never looks like the whole."""
    names = ["shop/cart", "shop/pay", "bank/cart"]
    plan = plan_all([want(name=n, replicas=6) for n in names], [], [see(name=n) for n in names], selection)
    assert touched(plan) == sorted(chosen)
    assert sorted(map(str, plan.left_out)) == sorted(set(names) - set(chosen))


def test_the_order_holds_through_components_that_are_left_out() -> None:
    """a needs m needs z; m is excluded."""
    desired = [want(name="a", replicas=6, needs=["m"]), want(name="m", needs=["z"]), want(name="z", replicas=6)]
    plan = plan_all(desired, [], [see(name=n) for n in "amz"], Selection(excludes=("shop/m",)))
    assert {a.id: a.requires for a in plan.actions}["shop/a#1"] == ("shop/z#1",)


def test_closer_looks_are_for_what_is_chosen() -> None:
    desired = [want("1.4.1", name="cart"), want("1.4.1", name="pay"), want("1.4.2", name="idle")]
    observed = [see(name=n) for n in ("cart", "pay", "idle", "unmanaged")]
    looks = find_closer_looks(desired, {}, observed, Selection(excludes=("shop/pay",)))
    assert [str(entry.address) for entry in looks] == ["shop/cart@prod"]


# What leaves the state


def test_a_component_that_left_the_manifests_is_forgotten() -> None:
    """It leaves the state; the platform is not touched."""
    plan = plan_all([want()], [record(name="cart"), record(wish(replicas=4), name="gone")], [see(), see(name="gone")])
    [change] = plan.changes
    assert (change.kind, str(change.address), change.action_ids, change.origin) == (Kind.FORGET, "shop/gone", (), None)
    assert plan.has_changes and plan.can_apply


@pytest.mark.parametrize("selection", [Selection(targets=("shop/cart",)), Selection(excludes=("shop/gone",))])
def test_nothing_is_forgotten_outside_the_selection(selection: Selection) -> None:
    plan = plan_all([want()], [record(name="cart"), record(name="gone")], [see()], selection)
    assert plan.changes == ()
    assert [str(address) for address in plan.left_out] == ["shop/gone"]
    assert plan_all([want()], [record(), record(name="gone")], [see()], selection, mode="drift").left_out == ()


def test_a_component_gone_from_manifests_and_platform_is_forgotten() -> None:
    plan = plan_all([], [record(name="gone")], [])
    assert [change.kind for change in plan.changes] == [Kind.FORGET]


def test_a_move_forgets_nothing() -> None:
    plan = plan_all([want(name="shop/cart@prod", replicas=4)], [record(wish(replicas=4), name="shop/cart")], [see()])
    assert [(c.kind, str(c.moved_from)) for c in plan.changes] == [(Kind.MOVE, "shop/cart")]
    assert plan.actions == ()


def test_a_replaced_component_is_adopted_anew() -> None:
    plan = plan_all([want(replicas=6)], [record(wish(replicas=6), component_id="old")], [see()])
    assert [c.kind for c in plan.changes] == [Kind.ADOPT]
    assert (codes(plan), verbs(plan)) == (["component_replaced"], ["scale 6"])


# Counts


def test_counts() -> None:
    """What is not listed one by one is counted, so that nothing hides."""
    plan = plan_all(
        [
            want("1.4.2", name="same"),
            want(name="ignored", replicas=9, ignore=["replicas"]),
            want(name="drifted", replicas=4),
            want(name="edited", replicas=6),
            want("2.0.0", name="denied"),
        ],
        [
            record(wish("1.4.2"), name="same"),
            record(name="ignored"),
            record(wish(replicas=4), name="drifted"),
            record(wish(replicas=4), name="edited"),
            record(wish("1.4.2"), name="denied"),
        ],
        [
            *(see(name=n) for n in ("same", "ignored", "edited", "denied", "stranger")),
            see(name="drifted", replicas=9),
        ],
    )
    assert (plan.counts.unchanged, plan.counts.ignored, plan.counts.unmanaged) == (2, 1, 1)
    assert [str(entry) for entry in plan.unmanaged] == ["shop/stranger@prod"]


def test_an_empty_project_changes_nothing() -> None:
    plan = plan_all([], [], [see()])
    assert not (plan.has_changes or plan.can_apply)
    assert plan.counts.unmanaged == 1


# Mode drift


def test_mode_drift_reports_and_acts_on_nothing() -> None:
    plan = plan_all(
        [
            want(name="cart", replicas=4, correct=["replicas"]),
            want(name="new", replicas=4),
            want(name="edited", replicas=6),
        ],
        [
            record(wish(replicas=4), name="cart"),
            record(wish(replicas=4), name="edited"),
            record(name="left"),
        ],
        [see(name="cart", replicas=9), see(name="new"), see(name="edited")],
        mode="drift",
    )
    assert (plan.actions, plan.changes) == ((), ())
    assert alone(plan) == [("replicas", 4, 9)]
    assert codes(plan) == ["not_recorded"]
    assert plan.counts.unchanged == 1, "the edit is no drift, and what is not recorded can't be compared"


def test_mode_drift_reports_a_missing_component() -> None:
    plan = plan_all([want()], [record()], [], mode="drift")
    assert codes(plan) == ["COMPONENT_NOT_FOUND"]


def test_drift_correct_puts_back_what_it_may_and_lists_the_rest() -> None:
    plan = plan_all(
        [want(name="may", replicas=4, correct=["replicas"]), want(name="must-not", replicas=4)],
        [record(wish(replicas=4), name="may"), record(wish(replicas=4), name="must-not")],
        [see(name="may", replicas=9), see(name="must-not", replicas=9)],
        mode="drift",
        correct=True,
    )
    assert (touched(plan), verbs(plan)) == (["shop/may"], ["scale 4"])
    assert [str(entry.address) for entry in plan.left_alone] == ["shop/must-not"]


def test_drift_correct_uses_no_verb_of_a_rollout() -> None:
    """Everything permitted, everything drifted: scale, start, stop, rule, rollback and abort, nothing else."""
    may = ["replicas", "version", "gray", "state"]
    worlds = {
        "scaled": (wish(replicas=4), see(replicas=9)),
        "started": (wish(state="stopped"), see()),
        "stopped": (wish(state="running"), see(status="STOPPED")),
        "weight": (wish("1.4.2", "1.5.0"), see_gray(rule=50)),
        "version": (wish("1.4.1"), see("1.4.2")),
        "gray": (wish("1.4.2"), see_gray()),
        "candidate": (wish("1.5.0"), see_gray()),
        "ended": (wish("1.4.2", "1.5.0"), see("1.4.2")),
        "promoted": (wish("1.4.2", "1.5.0"), see("1.5.0", closer=look("1.5.0", "1.4.2"))),
        "redeployed": (wish("2.0.0"), see("1.4.2")),
    }
    desired = [replace(want(name=n, correct=may), wish=w) for n, (w, _) in worlds.items()]
    observed = [
        replace(o, address=address(f"shop/{n}@prod"), component_id=f"id-shop-{n}") for n, (_, o) in worlds.items()
    ]
    recorded = [record(w, name=n) for n, (w, _) in worlds.items()]
    plan = plan_all(desired, recorded, observed, mode="drift", correct=True)
    assert {str(action.verb) for action in plan.actions} == {"scale", "start", "stop", "modify_gray_rule", "rollback"}
    assert touched(plan) == [f"shop/{n}" for n in ("gray", "scaled", "started", "stopped", "version", "weight")]
    assert all(not change.updates for change in plan.changes)


# Determinism


def test_the_order_of_input_does_not_matter() -> None:
    pairs = [replicas("a", 6, needs=["z"]), replicas("z", 6), replicas("m", 4), replicas("b", 2)]
    desired, recorded = [d for d, _ in pairs], [r for _, r in pairs]
    observed = [see(name=n) for n in ("a", "z", "m", "b", "other")]
    assert plan_all(desired, recorded, observed) == plan_all(desired[::-1], recorded[::-1], observed[::-1])


def test_a_plan_of_one_component_does_not_depend_on_the_others() -> None:
    desired, recorded = replicas("cart", 6)
    alone_there = plan_one(desired, recorded, see())
    plan = plan_all([desired, want(name="pay", replicas=2)], [recorded], [see(), see(name="pay")])
    assert tuple(a for a in plan.actions if a.address == desired.address) == alone_there.actions
