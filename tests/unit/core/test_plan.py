"""What is derived from a plan: its summary, its fingerprint, whether it can be applied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_builders import plan_all, record, see, see_gray, want, wish

from statetool.core.model import Desired, Observed, Recorded
from statetool.core.plan import Plan, Risk, fingerprint, summarize

DESIRED = [
    want("1.4.1", name="cart", replicas=6, restart="2", needs=["search"], line=9),
    want("1.4.2", "1.5.0", 30, name="search", line=14),
    want(name="new", replicas=4, line=20),
]
RECORDED = [
    record(wish("1.4.2", replicas=4, restart="1"), name="cart"),
    record(wish("1.4.2", "1.5.0", 20), name="search"),
    record(name="gone"),
]
OBSERVED = [see(name="cart"), see_gray(name="search"), see(name="new"), see(name="other")]


def make(
    desired: list[Desired] = DESIRED,
    recorded: list[Recorded] = RECORDED,
    observed: list[Observed] = OBSERVED,
    **rules: Any,
) -> Plan:
    return plan_all(desired, recorded, observed, **rules)


def edit(n: int, **fields: Any) -> list[Desired]:
    """The manifests with one wish edited."""
    return [replace(d, wish=replace(d.wish, **fields)) if i == n else d for i, d in enumerate(DESIRED)]


# Summary


def test_summary() -> None:
    """Adopted, changed and forgotten components, actions by verb, and the highest risk."""
    summary = summarize(make())
    assert (summary.imports, summary.change, summary.forget, summary.move) == (1, 2, 1, 0)
    assert (summary.actions, summary.by_verb) == (3, {"modify_gray_rule": 1, "rollback": 1, "scale": 1})
    assert (summary.highest_risk, summary.highest_traffic_percent) == (Risk.TRAFFIC, 30)


def test_an_adopted_component_with_actions_counts_twice() -> None:
    """It is imported, and it changes."""
    summary = summarize(plan_all([want(replicas=6)], [], [see()]))
    assert (summary.imports, summary.change) == (1, 1)


def test_the_percentage_belongs_to_the_highest_risk() -> None:
    """A traffic change below a promotion is not the headline."""
    plan = make(
        [*DESIRED, want("1.5.0", name="pay")],
        [*RECORDED, record(wish("1.4.2", "1.5.0"), name="pay")],
        [*OBSERVED, see_gray(name="pay")],
    )
    summary = summarize(plan)
    assert (summary.highest_risk, summary.highest_traffic_percent) == (Risk.VERSION, None)


def test_summary_of_nothing() -> None:
    summary = summarize(plan_all([], [], []))
    assert (summary.actions, summary.by_verb, summary.highest_risk) == (0, {}, None)


def test_writes_count_every_request_a_promotion_may_need() -> None:
    plan = plan_all([want("1.5.0")], [record(wish("1.4.2", "1.5.0"))], [see_gray(remaining=2)])
    assert [action.max_requests for action in plan.actions] == [3, 1]
    assert plan.writes == 4


@pytest.mark.parametrize(
    ("plan", "has_changes", "can_apply"),
    [
        (plan_all([want(replicas=6)], [record(wish(replicas=4))], [see()]), True, True),
        (plan_all([want(replicas=4)], [], [see()]), True, True),
        (plan_all([], [record()], [see()]), True, True),
        (plan_all([want(replicas=6)], [record(wish(replicas=4))], [see(status="FAILED")]), True, False),
        (plan_all([want("2.0.0")], [record(wish("1.4.2"))], [see()]), False, False),
        (plan_all([want(replicas=4)], [record(wish(replicas=4))], [see(replicas=9)]), False, False),
        (plan_all([want(replicas=4)], [record(wish(replicas=4))], [see()]), False, False),
    ],
    ids=["actions", "adopt", "forget", "held back", "denied", "left alone", "nothing"],
)
def test_whether_there_is_something_to_do(plan: Plan, has_changes: bool, can_apply: bool) -> None:
    """Held back is a change that can't be applied now; what was changed outside and left alone is none."""
    assert (plan.has_changes, plan.can_apply) == (has_changes, can_apply)


# Fingerprint: an approval survives what decides nothing


SAME = {
    "time": make(now="2026-11-24T09:00:00Z"),
    "file order": make(DESIRED[::-1], RECORDED[::-1], OBSERVED[::-1]),
    "lines moved": make([replace(d, origin=replace(d.origin, line=99)) for d in DESIRED]),
    "another component came": make(observed=[*OBSERVED, see(name="newcomer")]),
    "an unrelated value moved": make(observed=[replace(o, updated_at="2026-11-24T09:00:00Z") for o in OBSERVED]),
    "a job ended": make(observed=[replace(o, last_job_id="JOB-2") for o in OBSERVED]),
    "drift elsewhere": make(
        [*DESIRED, want(name="pay", replicas=4)],
        [*RECORDED, record(wish(replicas=4), name="pay")],
        [*OBSERVED, see(name="pay", replicas=9)],
    ),
    "state written since": replace(make(), serial=99, reads=7, lineage="other"),
    "another tool": replace(make(), tool_version="9.9.9"),
}


@pytest.mark.parametrize("plan", SAME.values(), ids=SAME)
def test_the_fingerprint_is_stable_against(plan: Plan) -> None:
    assert fingerprint(plan) == fingerprint(make())


OTHER = {
    "a number": make(edit(0, replicas=7)),
    "a version": make(edit(0, picture=wish("1.4.2").picture)),
    "a weight": make(edit(1, picture=wish("1.4.2", "1.5.0", 40).picture)),
    "a restart token": make(edit(0, picture=wish("1.4.2").picture, restart="3")),
    "a dependency": make([replace(DESIRED[0], depends_on=()), *DESIRED[1:]]),
    "an adoption": make(DESIRED[:2]),
    "what an adoption records": make(edit(2, state="running")),
    "the value that is recorded": make(edit(2, replicas=5), observed=[*OBSERVED[:2], see(name="new", replicas=5)]),
    "a forgotten component": make(recorded=RECORDED[:2]),
    "a released field": make(edit(0, replicas=None)),
    "a correction": make(
        [*DESIRED, want(name="pay", replicas=4)],
        [*RECORDED, record(wish(replicas=4), name="pay")],
        [*OBSERVED, see(name="pay", replicas=9)],
        correct=True,
    ),
    "a condition": make(edit(0, replicas=4)),
}


@pytest.mark.parametrize("plan", OTHER.values(), ids=OTHER)
def test_the_fingerprint_changes_with(plan: Plan) -> None:
    """Each is a decision that somebody approved or did not."""
    assert fingerprint(plan) != fingerprint(make())


def test_no_two_decisions_share_a_fingerprint() -> None:
    assert len({fingerprint(plan) for plan in OTHER.values()}) == len(OTHER)


def test_where_a_record_moves_from_is_a_decision() -> None:
    plans = [
        plan_all(
            [want(name="shop/cart@prod", replicas=4)],
            [record(wish(replicas=4), name=old, component_id="c")],
            [see(component_id="c")],
        )
        for old in ("shop/cart", "shop/basket")
    ]
    assert fingerprint(plans[0]) != fingerprint(plans[1])
