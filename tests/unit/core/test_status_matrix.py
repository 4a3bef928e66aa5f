"""Status x verb over all statuses and verbs there are (semantics, section 5), asked of the chain itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import address, plan_one, record, see, want, wish

from statetool.core.chain import ActionChain, Move
from statetool.core.diff import FieldDiff
from statetool.core.model import Ready, StatusClass
from statetool.core.plan import Cause, FieldChange, Risk, Verb
from statetool.core.sequence import PlanRules

ALLOWED = {
    "ready": {"scale", "stop", "restart", "upgrade", "rollback", "check_gray_release"},
    "graying": {"continue_deploy", "modify_gray_rule", "rollback", "rollback_current"},
    "stopped": {"start"},
    "failed": {"rollback"},
    "busy": set(),
}
WITH_OVERRIDE = {**ALLOWED, "failed": {"rollback", "upgrade", "check_gray_release"}}
CHANGE = FieldChange("version", "1.4.2", "1.5.0", Cause.MANIFEST)
EDITED = FieldDiff("version", Cause.MANIFEST, True, "version", True, (CHANGE,))


@pytest.mark.parametrize("status", list(StatusClass))
@pytest.mark.parametrize(("overrides", "allowed"), [((), ALLOWED), (("failed_component",), WITH_OVERRIDE)])
def test_every_verb_in_every_status(status: StatusClass, overrides: tuple[str, ...], allowed: dict[str, set]) -> None:
    """What is not allowed is held back, never sent; an override opens one door of one status."""
    sent = set()
    # What a ready component does not allow, nobody asks of it: there is no sentence for it.
    for verb in Verb if status is not StatusClass.READY else map(Verb, sorted(allowed["ready"])):
        chain = ActionChain(address("cart"), Ready(), {"status": str(status)}, *([True] if overrides else []))
        if chain.append(EDITED, Move(verb, Risk.VERSION, {})) is not None:
            sent.add(str(verb))
            assert chain.held_back == []
        else:
            assert chain.actions == []
            assert [entry.path for entry in chain.held_back] == ["version"]
    assert sent == allowed[str(status)]


@pytest.mark.parametrize("status", ["graying", "stopped", "busy", "failed"])
def test_only_a_failed_component_names_the_override_that_deploys(status: str) -> None:
    """A hint that would not help leads from one refusal to the next."""
    chain = ActionChain(address("cart"), Ready(), {"status": status})
    assert chain.append(EDITED, Move(Verb.UPGRADE, Risk.VERSION, {})) is None
    assert ("--override failed_component" in (chain.held_back[0].hint or "")) is (status == "failed")


def test_every_action_waits_as_long_as_the_component_says() -> None:
    """`ready` of the manifest holds for each action of the component."""
    desired = replace(want("1.4.1", replicas=6), ready=Ready(timeout_s=77, hold_s=5))
    planned = plan_one(desired, record(wish("1.4.2", replicas=4)), see())
    assert len(planned.actions) == 2
    assert {action.ready for action in planned.actions} == {Ready(timeout_s=77, hold_s=5)}


def test_rules_without_a_word_are_the_careful_ones() -> None:
    """A plan that nobody asked anything special of: no drift put back, nothing overridden, an abort by rollback."""
    rules = PlanRules("2026-11-23T08:00:00Z")
    assert (rules.mode, rules.correct, rules.overrides, rules.abort_verb) == ("normal", False, frozenset(), "rollback")
    assert not rules.permits_drift(want(), "replicas")
