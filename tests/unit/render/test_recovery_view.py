"""The words of recoveries, and of a person's word on what is parked."""

from __future__ import annotations

from dataclasses import replace

from render_golden import check_golden

from statetool.apply.recovery import Recovery
from statetool.core.journal import Baseline, EntryType, Intent, OpenOperation, known_component
from statetool.core.model import Address, Closer, Job, JobPhase, Json, Record
from statetool.core.plan import Action, Risk, Verb
from statetool.core.resolution import Evidence, Resolution
from statetool.render.recovery import NOTHING, render_interruption, render_recovered, render_resumed
from statetool.render.resolution import render_evidence, render_resolution, resolution_to_document
from statetool.schema import validator

AT = "2026-11-23T08:00:00Z"
STARTED: dict[str, Json] = {"interrupted_run": "run-1", "planned": 5, "since": AT, "operations": 3, "parked": 0}
HOSTILE = "job \x1b[2J\u202e\nends"


def fact(outcome: str, why: str = "job JOB1, and the value is there") -> dict[str, Json]:
    told: dict[str, Json] = {"operation": "shop/cart#1.1@7", "address": "shop/cart", "verb": "restart"}
    return {**told, "outcome": outcome, "why": why, "job_id": None, "intended_at": AT}


def test_every_outcome_is_told() -> None:
    """The line that it begins with, a line each, and the counts."""
    outcomes = [str(outcome) for outcome in Recovery]
    lines = [
        render_interruption(STARTED),
        *(render_recovered(fact(outcome), width=100) for outcome in outcomes),
        render_resumed([*outcomes, "done"]),
    ]
    check_golden("recovery.txt", "\n".join(lines))


def test_words_fit_what_there_is() -> None:
    """One, unknown, parked before, and nothing."""
    one = {**STARTED, "planned": None, "operations": 1}
    assert render_interruption(one) == (
        "An earlier run was interrupted (run run-1, since 2026-11-23 08:00 UTC): 1 operation taken up."
    )
    assert render_interruption({**STARTED, "planned": 1, "parked": 3}) == (
        "An earlier run (run run-1, apply of 1 action, since 2026-11-23 08:00 UTC) left 3 operations parked."
    )
    assert render_resumed([]) == NOTHING


def test_nothing_that_acts_on_a_terminal_gets_through() -> None:
    """What the platform says is shown, not obeyed."""
    shown = render_recovered(fact("failed", HOSTILE)) + render_interruption({**STARTED, "interrupted_run": HOSTILE})
    assert shown.count("job \\x1b[2J\\u202e\\nends") == 2


# A parked operation

CART = Address("shop", "cart")
KNOWN = known_component(CART, "id-cart", "id-shop", "id-prod")
BASELINE = Baseline("GRAYING", 4, "JOB1", AT, {"version": "2.1.0"}, AT, 2)
FOUND: dict[str, Json] = {
    "status": "GRAYING",
    "last_job_id": "JOB2",
    "updated_at": AT,
    "job_id": "JOB2",
    "job_status": "SUCCEEDED",
    "record": {"version": "2.2.0", "type": "grayrelease", "begun_at": AT},
}
ACTION = Action("shop/cart#1", CART, Verb.CONTINUE_DEPLOY, {}, "", Risk.VERSION, (), {}, {}, 60)
OPERATION = OpenOperation(
    Intent("shop/cart#1.1@7", "run-1", 7, AT, ACTION, KNOWN, BASELINE),
    EntryType.PARKED,
    "2026-11-23T08:02:00Z",
    told={"why": HOSTILE, "evidence": FOUND},
)
NOW = replace(
    KNOWN,
    status="RUNNING",
    replicas=4,
    last_job_id="JOB3",
    updated_at="2026-11-23T09:00:00Z",
    closer=Closer(4, None, 1, (Record("2.2.0", "grayrelease", AT, True, "SUCCEEDED", remaining_batches=0),)),
)
SEEN = Evidence(OPERATION, NOW, Job("JOB3", JobPhase.SUCCEEDED, "SUCCEEDED"))
UNSEEN = Evidence(replace(OPERATION, told={}), unreached=HOSTILE)


def test_what_there_is_to_judge_by() -> None:
    """Before, when it was parked, and now; or why now is not known."""
    check_golden("resolution.txt", render_evidence(SEEN, width=120) + "\n\n" + render_evidence(UNSEEN, width=120))


def test_what_came_of_it() -> None:
    """What is recorded by that, or is left to the next plan."""
    ran = Resolution(SEEN, True, "me@here", None, recorded=("restart",))
    assert "did run, and with it the wish for restart." in render_resolution(ran)
    assert "did run. The next plan compares" in render_resolution(replace(ran, recorded=()))
    assert "did not run. The next plan says" in render_resolution(replace(ran, did_run=False))


def test_the_document_keeps_to_its_schema() -> None:
    """With a look and without."""
    for evidence in (SEEN, UNSEEN):
        document = resolution_to_document(Resolution(evidence, True, "me@here", None, ("version",)), "0.1.0")
        assert not list(validator("resolution").iter_errors(document))
