"""--approve: what runs, what stays pending, and what the state learns of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import plan_all, record, see, see_gray, want, wish

from statetool.core.approval import keep_approved, parse_approval
from statetool.core.plan import Plan, Risk, Verb


def make() -> Plan:
    """A scale up, a traffic change to 30 %, a rollback with a scale behind it, and one that waits for it."""
    desired = [
        want(replicas=6, name="cart"),
        want("1.4.2", "1.5.0", 30, name="search"),
        want("1.4.1", replicas=2, name="pay"),
        want(replicas=6, name="queue", needs=["pay"]),
    ]
    recorded = [
        record(wish(replicas=4), name="cart"),
        record(wish("1.4.2", "1.5.0", 20), name="search"),
        record(wish("1.4.2", replicas=4), name="pay"),
        record(wish(replicas=4), name="queue"),
    ]
    return plan_all(desired, recorded, [see(name="cart"), see_gray(name="search"), see(name="pay"), see(name="queue")])


def kept(text: str) -> list[str]:
    return [action.id for action in keep_approved(make(), parse_approval(text)).actions]


def test_only_what_is_approved_runs_and_what_waits_for_the_rest_does_not() -> None:
    """A chain runs up to the first action that is not approved."""
    assert kept("scale_up") == ["shop/cart#1"]
    assert kept("revert") == ["shop/pay#1"]
    assert kept("revert,scale_up") == ["shop/cart#1", "shop/pay#1"]
    assert kept("revert,scale_down,scale_up") == ["shop/cart#1", "shop/pay#1", "shop/pay#2", "shop/queue#1"]


def test_traffic_is_approved_up_to_a_share() -> None:
    """30 % is not 29."""
    assert kept("traffic:29") == []
    assert kept("traffic:30") == ["shop/search#1"]
    assert kept("traffic") == ["shop/search#1"]


def test_what_is_left_is_told_and_not_recorded() -> None:
    """Held back with the flag that approves it; its wish stays what it was."""
    plan = keep_approved(make(), parse_approval("revert"))
    [change] = plan.changes
    assert change.action_ids == ("shop/pay#1",)
    assert [update.field for update in change.updates] == ["version"]
    told = {(str(entry.address), entry.path): entry for entry in plan.held_back}
    assert told["shop/search", "modify_gray_rule"].hint == "--approve traffic:30"
    assert told["shop/search", "modify_gray_rule"].code == "not_approved"
    assert "waits for the approval of its risk, scale_down" in told["shop/pay", "scale"].message
    assert "shop/queue#1" in told["shop/queue", "scale"].message


@pytest.mark.parametrize("replicas", [4, None], ids=["managed", "nobody's"])
def test_the_number_is_kept_by_the_approval_of_the_change_it_follows(replicas: int | None) -> None:
    """Whoever approves an abort approves that as many instances run after it as before, and no other number."""
    recorded = [record(wish("1.4.2", "1.5.0", 20, replicas=replicas))]
    plan = plan_all([want("1.4.2", replicas=replicas)], recorded, [see_gray()])
    assert [str(a.verb) for a in plan.actions] == ["rollback", "scale"]
    assert keep_approved(plan, parse_approval("revert")).actions == plan.actions
    assert keep_approved(plan, parse_approval("scale_up,scale_down")).actions == ()


def test_another_number_behind_an_abort_is_approved_by_its_own_risk() -> None:
    """It was asked for: nobody knows how many come back, so it may be a scale down."""
    recorded = [record(wish("1.4.2", "1.5.0", 20, replicas=4))]
    plan = plan_all([want("1.4.2", replicas=6)], recorded, [see_gray()])
    for text, count in (("revert,scale_up", 1), ("revert,scale_down", 2)):
        assert len(keep_approved(plan, parse_approval(text)).actions) == count


def test_looking_needs_no_approval_but_is_not_done_for_nothing() -> None:
    """A check of risk none runs where what it is for does."""
    plan = make()
    check = replace(plan.actions[0], id="shop/cart#0", verb=Verb.CHECK_GRAY_RELEASE, risk=Risk.NONE)
    behind = replace(plan.actions[0], requires=("shop/cart#0",))
    change = replace(plan.changes[0], action_ids=("shop/cart#0", "shop/cart#1"))
    plan = replace(plan, actions=(check, behind, *plan.actions[1:]), changes=(change, *plan.changes[1:]))
    approved = keep_approved(plan, parse_approval("scale_up"))
    assert [action.id for action in approved.actions] == ["shop/cart#0", "shop/cart#1"]
    refused = keep_approved(plan, parse_approval("revert"))
    assert [action.id for action in refused.actions] == ["shop/pay#1"]
    assert "shop/cart#0" not in {entry.message.split()[0] for entry in refused.held_back}
    assert [str(change.address) for change in refused.changes] == ["shop/pay"]


def test_everything_approved_is_the_plan_itself() -> None:
    """Nothing is rebuilt, so nothing can be lost."""
    plan = make()
    assert keep_approved(plan, dict.fromkeys(Risk)) is plan


@pytest.mark.parametrize(
    "text",
    [
        "",
        "scale",
        "none",
        "traffic:",
        "traffic:x",
        "traffic:-1",
        "traffic:101",
        "traffic:９",
        "scale_up:3",
        "scale_up,,revert",
        "traffic:10,traffic:20",
    ],
)
def test_a_list_that_is_none_is_refused_with_a_sentence(text: str) -> None:
    """Approving less or more than was meant is worse than an error."""
    with pytest.raises(ValueError, match=r"there is no risk|is no limit|is named twice"):
        parse_approval(text)
