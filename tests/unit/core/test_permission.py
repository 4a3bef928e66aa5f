"""Mode observe: what would be sent is denied, what is only recorded is not; and a saved plan is judged once more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import codes, plan_all, record, see, verbs, want, wish

from statetool.core.events import RunSummary, apply_exit_code, plan_exit_code
from statetool.core.permission import may_change, withhold_unmanaged
from statetool.core.plan import Plan
from statetool.errors import ExitCode

NOTHING: frozenset[str] = frozenset()
NAMES = {"app-shop": "shop", "app-crm": "crm"}


@pytest.mark.parametrize(
    ("managed", "called", "may"),
    [
        (None, ("shop", "app-shop"), True),
        (NOTHING, ("shop", "app-shop"), False),
        (frozenset({"shop"}), ("shop", "app-shop"), True),
        (frozenset({"app-shop"}), ("shop", "app-shop"), True),
        (frozenset({"crm"}), ("shop", "app-shop"), False),
        (frozenset({"Shop"}), ("shop", "app-shop"), False),
    ],
)
def test_an_application_may_be_called_by_name_or_id(
    managed: frozenset[str] | None, called: tuple[str, ...], may: bool
) -> None:
    """Exactly as written; None stands for all."""
    assert may_change(managed, *called) is may


def test_what_would_act_is_denied_with_what_it_would_do() -> None:
    """Nothing of that component is done or recorded, and the plan says what is missed."""
    plan = plan_all([want("1.4.1", replicas=6)], [record(wish("1.4.2", replicas=4))], [see()], managed=NOTHING)
    assert (plan.changes, plan.actions, codes(plan)) == ((), (), ["OBSERVE_MODE"])
    [deny] = plan.denies
    assert "version 1.4.2 -> 1.4.1, replicas 4 -> 6 (rollback, scale)" in deny.message
    assert "manage" in str(deny.hint)
    assert "mode: apply" in str(deny.hint)
    assert plan_exit_code(plan, detailed=False) is ExitCode.DENIED
    assert apply_exit_code(plan, RunSummary()) is ExitCode.DENIED


def test_what_is_only_recorded_needs_no_permission() -> None:
    """Adopting, moving, forgetting and releasing send nothing."""
    desired = [want("1.4.2", replicas=4), want(name="crm/mail", replicas=4)]
    recorded = [record(wish("1.4.2", replicas=4), name="crm/mail"), record(wish(replicas=1), name="gone")]
    observed = [see(), see(name="crm/mail")]
    watching = plan_all(desired, recorded, observed, managed=NOTHING)
    assert watching == plan_all(desired, recorded, observed)
    assert len(watching.changes) == 3


def test_no_override_lets_it_through() -> None:
    """A mode is not a guard for one run."""
    plan = plan_all([want(replicas=6)], [], [see()], managed=NOTHING, overrides=["observe_mode"])
    assert codes(plan) == ["OBSERVE_MODE"]


def test_an_application_that_is_opened_by_its_id_may_be_written_by_name() -> None:
    """And the reverse: it is the same application."""
    for key in ("shop", "app-shop"):
        for written in ("shop/cart", "app-shop/cart"):
            plan = plan_all([want(name=written, replicas=6)], [], [see()], managed=frozenset({key}))
            assert verbs(plan) == ["scale 6"]


def test_what_depends_on_it_is_blocked_too() -> None:
    """Also in an application that is opened."""
    desired = [want(replicas=6), want(name="crm/mail", replicas=6, needs=["shop/cart"])]
    plan = plan_all(desired, [], [see(), see(name="crm/mail")], managed=frozenset({"crm"}))
    assert {str(b.address): b.because for b in plan.blocked} == {"shop/cart": "observe_mode", "crm/mail": "shop/cart"}


# A saved plan


def saved() -> Plan:
    """Two applications: crm/front needs crm/mail, which needs shop/cart; crm/log stands alone; shop/pay is adopted."""
    desired = [
        want(replicas=6),
        want(name="pay", replicas=4),
        want(name="crm/mail", replicas=6, needs=["shop/cart"]),
        want(name="crm/front", replicas=6, needs=["crm/mail"]),
        want(name="crm/log", replicas=6),
    ]
    return plan_all(desired, [], [see(name=str(d.address)) for d in desired])


def test_a_saved_plan_that_may_be_sent_is_the_same_plan() -> None:
    """Not a copy: what is applied is what was shown."""
    plan = saved()
    assert withhold_unmanaged(plan, None, NAMES) is plan
    assert withhold_unmanaged(plan, frozenset({"shop", "app-crm"}), NAMES) is plan


def test_a_saved_plan_loses_what_may_not_be_sent_any_more() -> None:
    """Whole components, and what waits for them; what is only recorded stays."""
    left = withhold_unmanaged(saved(), frozenset({"crm"}), NAMES)
    assert [str(c.address) for c in left.changes] == ["crm/log", "shop/pay"]
    assert [a.id for a in left.actions] == ["crm/log#1"]
    assert {str(b.address): b.because for b in left.blocked} == {
        "shop/cart": "observe_mode",
        "crm/mail": "shop/cart",
        "crm/front": "shop/cart",
    }
    assert [str(f.address) for f in left.denies] == ["shop/cart"]
    assert apply_exit_code(left, RunSummary(done=("crm/log#1",))) is ExitCode.PARTLY


def test_a_saved_plan_in_mode_observe_sends_nothing() -> None:
    """Exit code 4; recording goes on."""
    left = withhold_unmanaged(saved(), NOTHING, NAMES)
    assert left.actions == ()
    assert [str(c.address) for c in left.changes] == ["shop/pay"]
    assert apply_exit_code(left, RunSummary()) is ExitCode.DENIED


def test_an_application_that_is_gone_is_called_as_the_plan_calls_it() -> None:
    """Its name can't be asked for any more."""
    plan = plan_all([want(replicas=6)], [], [see()])
    assert withhold_unmanaged(plan, frozenset({"shop"}), {}) is plan
    assert withhold_unmanaged(plan, frozenset({"crm"}), {}).actions == ()
    assert withhold_unmanaged(replace(plan, changes=(), actions=()), NOTHING, {}).denies == ()
