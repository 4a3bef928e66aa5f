"""What the state learns from a person's word on a parked operation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from statetool.apply.ending import Ending, VersionChange
from statetool.apply.resolution import resolved_ending
from statetool.core.events import EventType
from statetool.core.journal import Baseline, EntryType, Intent, OpenOperation, known_component
from statetool.core.model import Address, Closer, Observed, Record
from statetool.core.plan import Action, Risk, Verb

CART = Address("shop", "cart")
KNOWN = known_component(CART, "id-cart", "id-shop", "id-prod")
READY = replace(KNOWN, row_version="2.2.0", status="RUNNING", replicas=4, available_replicas=4)
ABORTED = replace(READY, row_version="2.1.0")
RECORDS = (
    Record("2.2.0", "grayrelease", "2026-11-23T07:00:00Z", False, "RUNNING"),
    Record("2.1.0", "onebatchrelease", "2026-11-22T07:00:00Z", True, "SUCCEEDED"),
)
GRAYING = replace(READY, row_version="2.1.0", status="GRAYING", closer=Closer(4, None, 1, RECORDS))
RESTART = (Verb.RESTART, {"restart": "2"})
PROMOTION = (Verb.CONTINUE_DEPLOY, {"version": "2.2.0"})
ABORT = (Verb.ROLLBACK_CURRENT, {"version": "2.1.0"})
DONE, LEFT = EventType.ACTION_COMPLETE, EventType.ACTION_SKIPPED


def resolve(what: tuple[Verb, dict[str, Any]], seen: Observed | None, *, did_run: bool = True) -> Ending:
    verb, goal = what
    action = Action("shop/cart#1", CART, verb, {}, "because", Risk.RESTART, (), {}, goal, 60)
    baseline = Baseline("GRAYING", 4, None, None, {"version": "2.1.0", "gray.version": "2.2.0"})
    intent = Intent("shop/cart#1.1@7", "run-1", 7, "2026-11-23T08:00:00Z", action, KNOWN, baseline)
    operation = OpenOperation(intent, EntryType.PARKED, "2026-11-23T08:02:00Z")
    return resolved_ending(operation, did_run=did_run, by="me@here", reason="saw it", seen=seen, recorded=None)


@pytest.mark.parametrize(
    ("what", "seen", "ending"),
    [
        (RESTART, READY, DONE),
        (RESTART, None, DONE),  # nothing but the word could tell, with or without a look
        (RESTART, replace(READY, status="FAILED"), DONE),
        (PROMOTION, READY, DONE),
        (PROMOTION, GRAYING, LEFT),  # it was one batch of several
        (PROMOTION, None, LEFT),  # the next plan sees it better than anybody
        (ABORT, ABORTED, DONE),
        (ABORT, READY, LEFT),  # something else came after it
        ((Verb.ROLLBACK_CURRENT, {}), None, DONE),  # of `action`: no wish waits for it
    ],
)
def test_done_is_what_is_seen_or_what_only_a_person_can_tell(
    what: tuple[Verb, dict[str, Any]], seen: Observed | None, ending: EventType
) -> None:
    """A wish that can be compared is recorded only where it is there: else the next plan would call it drift."""
    found = resolve(what, seen)
    assert found.type is ending
    assert (found.operation, found.closing, found.seen) == ("shop/cart#1.1@7", EntryType.RESOLVED, seen)
    assert found.data == {"did_run": True, "by": "me@here", "reason": "saw it"}


@pytest.mark.parametrize("what", [RESTART, PROMOTION, ABORT])
def test_what_did_not_run_leaves_no_wish(what: tuple[Verb, dict[str, Any]]) -> None:
    """Whatever is seen: the next plan compares it."""
    found = resolve(what, READY, did_run=False)
    assert not found.is_good
    assert found.version_change is None
    assert found.data["did_run"] is False


def test_a_version_reached_is_kept_and_one_left_rejected() -> None:
    """As after an action that was followed to its end."""
    assert resolve(PROMOTION, READY).version_change == VersionChange("2.2.0", "continue_deploy", None, None)
    assert resolve(ABORT, ABORTED).version_change == VersionChange("2.1.0", "abort", "2.2.0", None)
    assert resolve(RESTART, READY).version_change is None
