"""The report of the drift command."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from render_golden import check_golden
from render_plans import make_action, make_change, make_plan, rich_plan

from statetool.core.model import Address
from statetool.core.plan import Cause, FieldChange, Finding, LeftAlone, Plan, Risk, Verb
from statetool.render.drift import render_drift

PAY = Address("shop", "pay")


def drifted() -> Plan:
    """Values changed outside, one edited as well, one component gone, one not recorded."""
    both = LeftAlone(Address("shop", "x"), "replicas", 2, 3, None, "2026-11-23T08:32:00Z", Cause.BOTH)
    return make_plan(
        mode="drift",
        left_alone=(*rich_plan().left_alone, both),
        findings=(
            Finding(
                "component_not_found",
                "deny",
                "the platform has no such component",
                "did you mean cart?",
                Address("shop", "crt"),
            ),
            Finding("not_recorded", "warn", "no wish is recorded yet", "apply records it", Address("shop", "new")),
        ),
    )


def correction() -> Plan:
    """What drift --correct would do."""
    action = make_action("shop/pay#1", Verb.SCALE, {"replica": 4}, Risk.SCALE_DOWN)
    change = make_change("shop/pay", FieldChange("replicas", 10, 4, Cause.DRIFT), actions=(action.id,))
    return make_plan(mode="drift", changes=(change,), actions=(action,))


@pytest.mark.parametrize("width", [80, 120])
def test_look(width: int) -> None:
    """From, to, since when, what becomes of it; what is missing; the counts."""
    text = render_drift(drifted(), correction=correction(), width=width, timezone=ZoneInfo("Asia/Shanghai"))
    check_golden(f"drift_{width}.txt", text)


def test_none() -> None:
    """No drift is one sentence."""
    assert render_drift(make_plan(mode="drift")) == "No drift: what runs is what was last applied."


def test_what_is_left_out_is_named() -> None:
    """No drift in a part says nothing of the rest."""
    text = render_drift(make_plan(mode="drift", left_out=(Address("crm", "api"), PAY)))
    assert text == "2 left out, not selected: crm/api, shop/pay.\nNo drift: what runs is what was last applied."


def test_without_correction_nothing_is_claimed() -> None:
    """Whether a value may be put back is only said where it is known."""
    text = render_drift(drifted())
    assert "may not put it back" not in text
    assert "4 -> 10" in text


def test_correcting_plan_alone() -> None:
    """A plan that puts values back shows them as from the wish to the observed value."""
    text = render_drift(correction())
    assert "4 -> 10" in text
    assert "put back by `statetool drift --correct`" in text
    assert text.endswith("Drift: 1 value changed outside, 1 to be put back.")
