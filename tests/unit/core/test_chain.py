"""Status x verb: what a status allows, and what is held back with its code (semantics, section 5)."""

from __future__ import annotations

import pytest
from core_builders import content, held, look, plan_one, record, see, see_gray, steps, updates, want, wish

from statetool.core.chain import show
from statetool.core.model import Desired, Recorded
from statetool.core.plan import Verb

WANTED: dict[str, tuple[Desired, Recorded]] = {
    "scale": (want(replicas=6), record(wish(replicas=4))),
    "stop": (want(state="stopped"), record(wish(state="running"))),
    "start": (want(state="running"), record(wish(state="stopped"))),
    "restart": (want(restart="2"), record(wish(restart="1"))),
    "rollback": (want("1.4.1"), record(wish("1.4.2"))),
}
"""One edit of a manifest that needs one verb."""

SERVING = ("scale", "stop", "restart", "rollback")
MATRIX: dict[str, tuple[tuple[str, ...], str]] = {
    "RUNNING": (SERVING, ""),
    "PENDING": (SERVING, ""),
    "STOPPED": (("start",), "deferred_stopped"),
    "FAILED": (("rollback",), "deferred_failed"),
    "PARTIALLY_FAILED": (("rollback",), "deferred_failed"),
    "UNKNOWN": (("rollback",), "deferred_failed"),
    "DOWN": (("rollback",), "deferred_failed"),
    "UPGRADING": ((), "busy"),
    "SCALING": ((), "busy"),
    "A_WORD_OF_2030": ((), "busy"),
}
NOTHING_TO_DO = {("STOPPED", "stop")} | {
    (status, "start") for status in MATRIX if MATRIX[status][1] in ("", "deferred_failed")
}

CASES = [(status, verb) for status in MATRIX for verb in WANTED if (status, verb) not in NOTHING_TO_DO]


@pytest.mark.parametrize(("status", "verb"), CASES, ids=[f"{status} {verb}" for status, verb in CASES])
def test_status_and_verb(status: str, verb: str) -> None:
    """Allowed: the action. Not allowed: no action, nothing recorded, and the field listed as held back."""
    desired, recorded = WANTED[verb]
    allowed, code = MATRIX[status]
    closer = None if code == "busy" else look("1.4.2", "1.4.1", configured=4)
    planned = plan_one(desired, recorded, see(status=status, closer=closer))
    if verb in allowed:
        assert [action.verb for action in planned.actions][:1] == [verb]
        assert held(planned) == []
        return
    assert planned.actions == ()
    assert updates(planned) == {}
    assert {entry.code for entry in planned.held_back} == {code}
    assert not planned.is_unchanged, "what is held back is never `No changes.`"


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"replicas": 6}, "replicas"), ({"state": "stopped"}, "state"), ({"restart": "2"}, "restart")],
)
def test_a_gray_release_defers_the_other_fields(fields: dict, path: str) -> None:
    """Also where the release is a stranger's: it is not touched, and neither is anything beside it."""
    recorded = record(wish("1.4.2", replicas=4, state="running", restart="1"))
    unchanged = {"replicas": 4, "state": "running", "restart": "1"}
    planned = plan_one(want("1.4.2", **{**unchanged, **fields}), recorded, see_gray())
    assert steps(planned) == []
    assert held(planned) == [(path, "deferred_gray")]


@pytest.mark.parametrize(
    ("desired", "verb"),
    [
        (want("1.5.0"), "continue_deploy"),
        (want("1.4.2", "1.5.0", 30), "modify_gray_rule 30"),
        (want("1.4.2"), "rollback 1.4.2"),
    ],
    ids=["promote", "rule", "abort"],
)
def test_a_gray_release_allows_its_own_verbs(desired: Desired, verb: str) -> None:
    assert steps(plan_one(desired, record(wish("1.4.2", "1.5.0")), see_gray())) == [verb]


def test_and_rollback_current() -> None:
    planned = plan_one(want("1.4.2"), record(wish("1.4.2", "1.5.0")), see_gray(), abort_verb=Verb.ROLLBACK_CURRENT)
    assert steps(planned) == ["rollback_current"]


def test_an_edited_version_of_a_busy_component_is_held_back() -> None:
    """Nothing is read closer, nothing is decided by rows: its values are half way."""
    observed = see("1.5.0", status="UPGRADING", closer=None)
    planned = plan_one(want("1.4.1"), record(wish("1.4.2")), observed)
    assert (steps(planned), planned.findings) == ([], ())
    assert held(planned) == [("version", "busy")]
    assert "version 1.4.2 -> 1.4.1" in planned.held_back[0].message, "what was wished, for what runs is half way"


def test_an_unchanged_busy_component_is_unchanged() -> None:
    recorded = record(wish("1.4.2", replicas=4, state="running", restart="1"))
    desired = want("1.4.2", replicas=4, state="running", restart="1")
    assert plan_one(desired, recorded, see("1.5.0", status="UPGRADING", replicas=7, closer=None)).is_unchanged


def test_after_a_planned_start_the_others_follow() -> None:
    """The predicted status counts, not the observed one."""
    recorded = record(wish("1.4.2", replicas=4, state="stopped"))
    stopped = see(status="STOPPED", replicas=0, closer=look("1.4.2", "1.4.1", configured=4))
    planned = plan_one(want("1.4.1", replicas=6, state="running"), recorded, stopped)
    assert [str(action.verb) for action in planned.actions] == ["start", "rollback", "scale"]
    assert held(planned) == []


def test_after_a_planned_rollback_of_a_failed_component_the_others_follow() -> None:
    recorded = record(wish("1.4.2", replicas=4, restart="1"))
    planned = plan_one(want("1.4.1", replicas=6, restart="2"), recorded, see(status="FAILED"))
    assert steps(planned) == ["rollback 1.4.1", "scale 6"]


def test_what_is_held_back_says_from_what_to_what() -> None:
    planned = plan_one(want(replicas=6), record(wish(replicas=4)), see(status="FAILED"))
    [entry] = planned.held_back
    assert "replicas 4 -> 6" in entry.message
    assert entry.hint


def test_values_in_sentences() -> None:
    rules = plan_one(want("1.4.2", "1.5.0", content("b", "a")), None, see_gray()).actions[0].parameters["rules"]
    assert show(rules) == "header x-user-tier equal a; header x-user-tier equal b"
    assert [show(None), show(4), show("1.4.2")] == ["none", "4", "1.4.2"]
