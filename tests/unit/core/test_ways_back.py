"""What puts a value back that is left alone, and what keeps it as it is."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import deployed, look, plan_all, record, see, see_gray, want, wish

from statetool.core.model import Desired, Observed, Recorded, Wish
from statetool.core.plan import LeftAlone


def left(desired: Desired, recorded: Recorded, observed: Observed, **rules: Any) -> dict[str, LeftAlone]:
    """What is left alone, by path."""
    return {entry.path: entry for entry in plan_all([desired], [recorded], [observed], **rules).left_alone}


def keepers(entries: dict[str, LeftAlone]) -> dict[str, str | None]:
    return {path: entry.kept_by.code if entry.kept_by else None for path, entry in entries.items()}


KEPT: dict[str, tuple[Desired, Wish, Observed, dict[str, str | None]]] = {
    "nothing keeps a number": (want(replicas=4), wish(replicas=4), see(replicas=9), {"replicas": None}),
    "a candidate ended outside": (
        want("1.4.2", "1.5.0"),
        wish("1.4.2", "1.5.0"),
        see("1.4.2"),
        {"gray.version": "version_rejected", "gray.weight": "version_rejected"},
    ),
    "a deny keeps the whole component": (
        want("1.4.2", replicas=4),
        wish("1.4.2", replicas=4),
        see("1.4.1", replicas=9, closer=look("1.4.1", "1.4.0")),
        {"version": "version_rejected", "replicas": "version_rejected"},
    ),
    "a candidate promoted outside": (
        want("1.4.2", "1.5.0", replicas=4),
        wish("1.4.2", "1.5.0", replicas=4),
        see("1.5.0", replicas=9, closer=look("1.5.0", "1.4.2")),
        {"version": "fold_needed", "gray.version": "fold_needed", "gray.weight": "fold_needed", "replicas": None},
    ),
    "a status": (
        want(replicas=4, state="stopped"),
        wish(replicas=4, state="stopped"),
        see(replicas=9, status="FAILED"),
        {"replicas": "deferred_failed", "state": "deferred_failed"},
    ),
    "an abort that stops short": (
        want("1.4.1"),
        wish("1.4.1"),
        see_gray("1.4.2"),
        {"version": "second_step_needed", "gray.version": None, "gray.weight": None},
    ),
    "protection": (want(replicas=4, protected=True), wish(replicas=4), see(replicas=9), {"replicas": "protected"}),
}


@pytest.mark.parametrize(("desired", "wished", "observed", "kept"), KEPT.values(), ids=KEPT)
def test_what_correct_drift_would_not_put_back(
    desired: Desired, wished: Wish, observed: Observed, kept: dict[str, str | None]
) -> None:
    """Nobody is sent to a command that does something else, whichever command shows the value."""
    assert keepers(left(desired, record(wished), observed)) == kept
    assert keepers(left(desired, record(wished), observed, mode="drift")) == kept


def test_mode_observe_keeps_everything() -> None:
    """--correct-drift is no way around it."""
    found = left(want(replicas=4), record(wish(replicas=4)), see(replicas=9), managed=frozenset[str]())
    assert keepers(found) == {"replicas": "observe_mode"}


def test_an_override_of_this_run_is_no_hindrance() -> None:
    """The same command with --correct-drift as well would put it back."""
    found = left(
        want("1.4.2", "1.5.0"),
        record(wish("1.4.2", "1.5.0")),
        see("1.4.2", closer=look("1.4.2", image="shop/cart:1.4.2")),
        overrides=["version_rejected"],
    )
    assert keepers(found) == {"gray.version": None, "gray.weight": None}


PERMITTED: dict[str, tuple[Desired, Wish, Observed, dict[str, str | None]]] = {
    "each field has its own": (
        want("1.4.2", replicas=4, state="running"),
        wish("1.4.2", replicas=4, state="running"),
        see("1.4.3", replicas=9, closer=look("1.4.3", "1.4.2")),
        {"version": "version", "replicas": "replicas"},
    ),
    "a rule has that of gray": (
        want("1.4.2", "1.5.0"),
        wish("1.4.2", "1.5.0"),
        see_gray(rule=50),
        {"gray.weight": "gray"},
    ),
    "a release that nobody wished has that of version": (
        want("1.4.2"),
        wish("1.4.2"),
        see_gray(),
        {"gray.version": "version", "gray.weight": "version"},
    ),
    "no permission promotes": (
        want("1.5.0"),
        wish("1.5.0"),
        see_gray(),
        {"version": None, "gray.version": None, "gray.weight": None},
    ),
    "no permission upgrades": (
        want("1.5.0"),
        wish("1.5.0"),
        see("1.4.2", closer=look(deployed("1.5.0"), deployed("1.4.2", current=True), image="shop/cart:1.4.2")),
        {"version": None},
    ),
}


@pytest.mark.parametrize(("desired", "wished", "observed", "permissions"), PERMITTED.values(), ids=PERMITTED)
def test_which_permission_lets_a_correction_put_it_back(
    desired: Desired, wished: Wish, observed: Observed, permissions: dict[str, str | None]
) -> None:
    """`drift --correct` names the field to allow, and none where it would not do it anyway."""
    found = left(desired, record(wished), observed, mode="drift")
    assert {path: entry.permission for path, entry in found.items()} == permissions
