"""The closing report of an apply."""

from __future__ import annotations

from dataclasses import replace

import pytest
from render_golden import check_golden
from render_plans import make_plan, readme_plan, rich_plan
from render_records import eventful_run

from statetool.core.events import RunSummary, fold
from statetool.core.model import Address
from statetool.core.plan import Finding, Plan
from statetool.render.outcome import render_outcome

WIDE = "shop/推荐服务@生产"


def whole(plan: Plan) -> RunSummary:
    return RunSummary(done=tuple(action.id for action in plan.actions))


def test_look_of_a_run_with_everything() -> None:
    """Every way an action can end, and a plan that still differs."""
    plan = rich_plan()
    summary = RunSummary(
        done=("shop/cart#1",),
        satisfied=("shop/checkout#1",),
        failed={"shop/cart#2": "quota exceeded: 6 of 5 instances in this project"},
        stale=(f"{WIDE}#1",),
        moved={f"{WIDE}#1": {"status": {"expected": "stopped", "observed": "ready"}}},
        still_running=("shop/search#1",),
        skipped={f"{WIDE}#2": f"{WIDE}#1", "shop/search#2": "interrupted"},
    )
    remaining = make_plan(
        changes=plan.changes[:2],
        actions=plan.actions[:3],
        held_back=plan.held_back,
        findings=plan.findings,
        blocked=plan.blocked,
    )
    check_golden("outcome_partly.txt", render_outcome(plan, summary, remaining=remaining, width=80))


def test_complete() -> None:
    """A run that did everything ends with the empty plan, and names no command."""
    plan = replace(readme_plan(), findings=(), blocked=())
    text = render_outcome(plan, whole(plan), remaining=make_plan())
    assert text.startswith("Apply complete: 3 done.\n")
    assert text.endswith("\nA new plan is empty.")


def test_a_part_does_not_pass_for_the_whole() -> None:
    """What a selection leaves out is in no plan, and the command that goes on needs the selection again."""
    plan = replace(readme_plan(), findings=(), blocked=(), left_out=(Address("crm", "api"),))
    text = render_outcome(plan, whole(plan), remaining=make_plan(left_out=plan.left_out))
    assert text.endswith("\nA new plan of the same selection is empty.")
    text = render_outcome(plan, RunSummary(failed={"shop/cart#1": "quota"}), remaining=plan)
    assert text.endswith("\nContinue with: statetool apply, with the same selection")


def test_everything_satisfied() -> None:
    """A saved plan applied twice: nothing was sent, and nothing is wrong."""
    plan = replace(readme_plan(), findings=(), blocked=())
    text = render_outcome(plan, RunSummary(satisfied=whole(plan).done), remaining=make_plan())
    assert text.startswith("Apply complete: 3 so already.\n")


def test_only_blocked_remains() -> None:
    """What stands above is not repeated as a difference."""
    plan = readme_plan()
    remaining = make_plan(findings=plan.findings, blocked=plan.blocked)
    text = render_outcome(plan, whole(plan), remaining=remaining)
    assert "A new plan has only what is held back or blocked above." in text
    assert text.endswith("Settle what is blocked, then continue with: statetool apply")
    assert text.count("was rolled back") == 1


def test_interrupted() -> None:
    """Without a new plan the report says so, and how to go on."""
    text = render_outcome(readme_plan(), RunSummary(interrupted=True), remaining=None)
    assert text.startswith("Apply interrupted: 1 blocked.\n")
    assert text.endswith("No new plan was made. To see what is left: statetool plan\nContinue with: statetool apply")


@pytest.mark.parametrize(
    ("summary", "verdict"),
    [
        (RunSummary(failed={"shop/cart#1": "quota"}), "Apply failed: 1 failed, 1 blocked."),
        (RunSummary(stale=("shop/cart#1",)), "Nothing done: 1 stale, 1 blocked."),
        (RunSummary(), "Nothing done: 1 blocked."),
        (RunSummary(still_running=("shop/cart#1",)), "Apply partly done: 1 still running, 1 blocked."),
    ],
)
def test_nothing_done_is_not_partly_done(summary: RunSummary, verdict: str) -> None:
    """The first line does not promise what is not there."""
    assert render_outcome(readme_plan(), summary, remaining=None).splitlines()[0] == verdict


def test_a_saved_plan_that_was_refused_is_planned_again() -> None:
    """An apply of the manifests would overwrite what the plan spared."""
    text = render_outcome(readme_plan(), RunSummary(stale=("shop/cart#1",)), remaining=None, of_manifests=False)
    assert text.endswith("\nPlan again: statetool plan")
    assert "statetool apply" not in text


def test_a_correction_may_leave_drift() -> None:
    """A value without permission still differs, so that no plan is called empty."""
    left = make_plan(mode="drift", left_alone=readme_plan().left_alone)
    assert render_outcome(left, RunSummary(), remaining=left).endswith("\nNothing else may be put back.")


def test_correction_continues_with_its_own_command() -> None:
    """A run of `drift --correct` goes on with that command."""
    plan = replace(readme_plan(), mode="drift", findings=(), blocked=())
    failed = RunSummary(failed={"shop/cart#1": "quota exceeded"})
    assert render_outcome(plan, failed, remaining=None).endswith("statetool drift --correct")


def test_a_saved_plan_that_is_done_has_nothing_to_continue() -> None:
    """Where all went well nobody is sent to another apply."""
    plan = replace(readme_plan(), findings=(), blocked=())
    assert render_outcome(plan, RunSummary(), remaining=None).endswith("To see what is left: statetool plan")


def test_many_done_are_listed_in_a_paragraph() -> None:
    """Hundreds of good endings do not push the bad one off the screen."""
    ids = tuple(f"shop/c{n}#1" for n in range(200))
    text = render_outcome(make_plan(), RunSummary(done=ids), remaining=make_plan(), width=80)
    assert all(action_id in text for action_id in ids)
    assert len(text.splitlines()) < 50


def test_folded_run_tells_what_moved() -> None:
    """The outcome of a run's events names what a stale action met."""
    text = render_outcome(make_plan(), fold(eventful_run()), remaining=None)
    assert "gray.weight 30 %, expected 10 %" in text
    assert "shop/cart#2" in text
    assert "quota exceeded" in text


def test_every_word_for_not_run_is_told_in_words() -> None:
    """Reasons that are no action are sentences, an action is named."""
    skipped = {"a/a#1": "state_not_saved", "a/b#1": "internal_error", "a/c#1": "max_failures", "a/d#1": "a/a#1"}
    text = render_outcome(make_plan(), RunSummary(skipped=skipped), remaining=None)
    for words in ("state could not be saved", "failed inside", "too many actions", "because of a/a#1"):
        assert words in text


def test_a_new_plan_that_is_empty_may_still_warn() -> None:
    """After a promotion people learn at once that the manifest should be folded."""
    warning = Finding("fold_needed", "warn", "2.2.0 serves alone", "write version: 2.2.0", Address("shop", "search"))
    empty = replace(readme_plan(), changes=(), actions=(), blocked=(), left_alone=(), findings=(warning,))
    text = render_outcome(readme_plan(), RunSummary(), remaining=empty)
    assert text.endswith(
        "A new plan is empty.\n\nIt warns (1):\n  shop/search   fold_needed: 2.2.0 serves alone; write version: 2.2.0"
    )
