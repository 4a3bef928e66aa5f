"""Taking components and actions out of a plan, with all that waits for them and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core_builders import address, plan_all, record, see, want, wish
from hypothesis import given
from hypothesis import strategies as st

from statetool.core.plan import Action, Blocked, Finding, HeldBack, Plan, Risk, Verb
from statetool.core.withholding import find_waiting_actions, withhold_actions, withhold_components


def chain(**needs: Sequence[str]) -> Plan:
    """Components that all go up; `needs` maps each to what it depends on."""
    names = list(needs)
    return plan_all(
        [want(replicas=6, name=name, needs=needs[name]) for name in names],
        [record(wish(replicas=4), name=name) for name in names],
        [see(name=name) for name in names],
    )


def without(plan: Plan, *names: str) -> Plan:
    refused = {address(name): Blocked(address(name), "because", "it is so") for name in names}
    denies = [Finding("because", "deny", "it is so", None, entry) for entry in refused]
    return withhold_components(plan, refused, denies)


def reasons(plan: Plan) -> dict[str, str]:
    return {entry.address.component: entry.because for entry in plan.blocked}


def test_what_waits_goes_as_well_however_far_away() -> None:
    """With the component that it comes from; what stands beside stays."""
    plan = without(chain(a=[], b=["a"], c=["b"], d=[]), "a")
    assert [action.id for action in plan.actions] == ["shop/d#1"]
    assert [str(change.address) for change in plan.changes] == ["shop/d"]
    assert reasons(plan) == {"a": "because", "b": "shop/a", "c": "shop/a"}
    assert [entry.message for entry in plan.blocked[1:]] == ["depends on shop/a, which is blocked"] * 2


def test_a_component_goes_as_a_whole() -> None:
    """b only stops after a, which is refused: its rollback before that does not run either, nor what waits for it."""
    desired = [
        want("1.4.1", name="b", state="stopped"),
        want(replicas=6, name="a", needs=["b"]),
        want(replicas=6, name="c"),
    ]
    recorded = [record(wish("1.4.2", state="running"), name="b"), *(record(wish(replicas=4), name=n) for n in "ac")]
    plan = plan_all(desired, recorded, [see(name=name) for name in "abc"])
    assert len([action for action in plan.actions if action.address == address("b")]) > 1
    assert [action.id for action in without(plan, "a").actions] == ["shop/c#1"]


def test_nothing_refused_is_the_very_same_plan() -> None:
    """So that nothing can be lost on the way."""
    plan = chain(a=[], b=["a"])
    assert without(plan) is plan
    assert withhold_actions(plan, frozenset(), []) is plan


def test_lists_stay_in_the_order_of_addresses() -> None:
    """Whoever refuses last does not come last."""
    plan = without(without(chain(a=[], b=[], c=[]), "b"), "a", "c")
    assert list(reasons(plan)) == ["a", "b", "c"]
    assert [str(finding.address) for finding in plan.findings] == ["shop/a", "shop/b", "shop/c"]
    whole = withhold_components(
        chain(a=[]), {address("a"): Blocked(address("a"), "x", "")}, [Finding("x", "deny", "all")]
    )
    assert [finding.address for finding in (*whole.findings,)] == [None]


def test_of_a_cut_change_only_what_was_done_is_recorded() -> None:
    """The wish of an action that does not run stays what it was."""
    recorded = [record(wish("1.4.2", replicas=4))]
    plan = plan_all([want("1.4.1", replicas=6)], recorded, [see()])
    left = withhold_actions(plan, {"shop/cart#2"}, [HeldBack(address("cart"), "scale", "x", "later")])
    [change] = left.changes
    assert change.action_ids == ("shop/cart#1",)
    assert [update.field for update in change.updates] == ["version"]
    assert [entry.code for entry in left.held_back] == ["x"]
    assert withhold_actions(plan, {"shop/cart#1", "shop/cart#2"}, []).changes == ()


@given(st.lists(st.sets(st.integers(0, 11)), max_size=12), st.sets(st.integers(0, 11)))
def test_waiting_is_reachability(drawn: list[set[int]], refused: set[int]) -> None:
    """Whatever the requirements: exactly those from which a refused action can be reached."""
    needs: Mapping[int, set[int]] = {n: {other for other in others if other < n} for n, others in enumerate(drawn)}
    actions = [replace(_ACTION, id=str(n), requires=tuple(map(str, sorted(needs[n])))) for n in needs]

    def reaches(n: int) -> bool:
        return any(other in refused or reaches(other) for other in needs.get(n, ()))

    expected = {str(n) for n in needs if n not in refused and reaches(n)}
    assert find_waiting_actions(actions, {str(n) for n in refused}) == expected


_ACTION = Action("x", address("x"), Verb.SCALE, {}, "", Risk.SCALE_UP, (), {}, {}, 1)
