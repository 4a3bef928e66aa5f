"""How a gray release is drawn, and its document."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from render_golden import check_golden
from render_plans import make_action, make_change, make_plan
from render_records import RULES, full_record

from statetool.core.locating import Located
from statetool.core.model import (
    Address,
    Closer,
    Desired,
    Gray,
    GrayRule,
    Job,
    JobPhase,
    Observed,
    Recorded,
    Rejection,
    VersionPicture,
    Wish,
)
from statetool.core.plan import Finding, HeldBack, LeftAlone, Plan, Risk, SendIf, Verb
from statetool.core.rollout import Phase, Rollout, RolloutCommand, RolloutStep
from statetool.errors import SourceMark
from statetool.render.rollout import BAR_WIDTH, draw_bar, render_needless, render_rollout, rollout_to_document
from statetool.schema import validator

AT = "2026-11-23T08:00:00Z"
SEARCH = Address("shop", "search", "prod")
SHANGHAI = ZoneInfo("Asia/Shanghai")
EMPTY = make_plan()
CHANGE = make_change("shop/search@prod")
PROMOTION = make_plan(
    changes=(CHANGE,),
    actions=(
        make_action("shop/search@prod#1", Verb.CONTINUE_DEPLOY, {}, Risk.VERSION, max_requests=3),
        make_action(
            "shop/search@prod#2",
            Verb.SCALE,
            {"replica": 5},
            Risk.SCALE_UP,
            requires=("shop/search@prod#1",),
            send_if=SendIf.FEWER,
        ),
    ),
)


def observed(status: str = "GRAYING", job: str | None = "JOB42", configured: int | None = 5) -> Observed:
    closer = Closer(configured, None, None, ())
    return Observed(SEARCH, "c0ffee", "a1", "e1", "2.1.0", status, 6, 5, job, AT, closer=closer)


def wanted(picture: VersionPicture | None) -> Desired:
    return Desired(SEARCH, SourceMark("manifests/shop.yaml", 7, 3), Wish(picture))


def standing(
    rule: GrayRule | None = GrayRule(weight=10),  # noqa: B008 - frozen
    *,
    seen: Observed | None = None,
    desired: Desired | None = None,
    recorded: Recorded | None = None,
    plan: Plan | None = None,
    job: Job | None = None,
) -> Rollout:
    """An open release of 2.2.0 beside 2.1.0."""
    return Rollout(
        located=Located(SEARCH, seen or observed(), desired, recorded),
        phase=Phase.OPEN,
        picture=VersionPicture("2.1.0", Gray("2.2.0", rule)),
        is_unclear=False,
        batches_left=2,
        begun_at=AT,
        job=job,
        next_plan=plan,
        at=AT,
    )


OURS = standing(
    desired=wanted(VersionPicture("2.1.0", Gray("2.2.0", GrayRule(weight=100)))),
    recorded=full_record(),
    plan=PROMOTION,
    job=Job("JOB42", JobPhase.SUCCEEDED, "SUCCEEDED"),
)
STRANGE = replace(
    standing(GrayRule(match="any", rules=RULES), seen=observed(configured=6), job=Job("J", JobPhase.FAILED, "FAILED")),
    picture=VersionPicture(None, Gray("?", GrayRule(match="any", rules=RULES))),
    is_unclear=True,
    batches_left=None,
    begun_at=None,
)
ALONE = replace(
    standing(
        seen=observed("RUNNING", job=None),
        desired=wanted(None),
        recorded=replace(
            full_record(),
            rejected=(
                Rejection("2.2.0", AT, "mei@ci", "aborted by statetool", "JOB41"),
                Rejection("2.3.0", AT, "outside", "ended outside", None),
            ),
        ),
        plan=EMPTY,
    ),
    phase=Phase.NONE,
    picture=VersionPicture("2.1.0"),
    batches_left=None,
    begun_at=None,
)
MOVING = replace(ALONE, located=Located(SEARCH, observed("UPGRADING")), phase=Phase.BUSY, next_plan=None)


def test_an_open_release_of_ours() -> None:
    """Drawn by its weight, with all that is known of it."""
    check_golden("rollout_open.txt", render_rollout(OURS, timezone=SHANGHAI))


def test_on_a_narrow_terminal() -> None:
    """Bars keep their width, facts are wrapped."""
    check_golden("rollout_open_80.txt", render_rollout(OURS, width=80, timezone=SHANGHAI))


def test_a_release_nobody_can_tell_much_of() -> None:
    """By content, from outside, with neither versions nor times."""
    check_golden("rollout_unclear.txt", render_rollout(STRANGE))


def test_no_release() -> None:
    """Which version serves, and which may not return."""
    check_golden("rollout_none.txt", render_rollout(ALONE, timezone=SHANGHAI))


def test_a_job_moves_it() -> None:
    """Then nothing is claimed."""
    check_golden("rollout_busy.txt", render_rollout(MOVING))


def test_colour_changes_no_text() -> None:
    """Only codes are added."""
    colored = render_rollout(OURS, color=True, timezone=SHANGHAI)
    assert "\x1b[1mshop/search@prod\x1b[0m" in colored


@pytest.mark.parametrize(
    ("percent", "marks"), [(0, 0), (1, 1), (2, 1), (10, 4), (50, 20), (98, 39), (99, 39), (100, 40)]
)
def test_a_bar_has_one_width(percent: int, marks: int) -> None:
    """And hides neither a small share nor what is missing to the whole."""
    bar = draw_bar(percent)
    assert (len(bar), bar.count("#"), bar.count("#") + bar.count(".")) == (BAR_WIDTH + 2, marks, BAR_WIDTH)


def test_a_rule_that_is_not_told() -> None:
    """Is said to be so."""
    assert render_rollout(standing(None)).count("its share of the traffic is not told") == 2


@pytest.mark.parametrize(
    ("plan", "recorded", "says"),
    [
        (None, None, "leaves it as it is"),
        (None, full_record(), "leaves it as it is, and drops it from the state"),
        (EMPTY, None, "sends nothing"),
        (replace(EMPTY, changes=(CHANGE,)), None, "only records it"),
        (
            replace(EMPTY, held_back=(HeldBack(SEARCH, "replicas", "deferred_gray", "replicas 5 -> 9 waits"),)),
            None,
            "sends nothing; deferred_gray: replicas 5 -> 9 waits",
        ),
        (
            replace(EMPTY, left_alone=(LeftAlone(SEARCH, "gray.weight", 10, 40, None, AT),)),
            None,
            "sends nothing; gray.weight 10 % -> 40 % changed outside, left alone",
        ),
        (
            replace(EMPTY, findings=(Finding("fold_needed", "warn", "2.2.0 serves alone", "fold it", SEARCH),)),
            None,
            "sends nothing; fold_needed: 2.2.0 serves alone; fold it",
        ),
        (
            replace(EMPTY, findings=(Finding("version_rejected", "deny", "2.2.0 was rejected", None, SEARCH),)),
            None,
            "is denied: version_rejected: 2.2.0 was rejected",
        ),
    ],
)
def test_the_next_apply_in_one_line(plan: Plan | None, recorded: Recorded | None, says: str) -> None:
    """What it does, what waits, what is left alone, what it warns of."""
    desired = wanted(None) if plan is not None else None
    text = render_rollout(standing(desired=desired, recorded=recorded, plan=plan))
    assert f"  next apply   {says}\n" in f"{text}\n"


@pytest.mark.parametrize("rollout", [OURS, STRANGE, ALONE, MOVING, standing(None)])
def test_the_document_keeps_to_its_schema(rollout: Rollout) -> None:
    """However it stands."""
    assert not list(validator("rollout").iter_errors(rollout_to_document(rollout, "0.1.0")))


def test_what_is_not_told_is_null_in_the_document() -> None:
    """Never a placeholder."""
    document = rollout_to_document(STRANGE, "0.1.0")
    assert document["version"] is None
    release = document["release"]
    assert isinstance(release, dict)
    assert (release["version"], release["batches_left"], release["begun_at"], release["by"]) == (None, None, None, None)


def test_nothing_to_set() -> None:
    """One sentence for each reason, harmless whatever the platform calls things."""
    step = RolloutStep(RolloutCommand.SET_WEIGHT, SEARCH, 40)
    alone = Located(SEARCH, replace(observed("RUNNING"), row_version="2.1\x1b.0"))
    assert render_needless(step, alone) == (
        "shop/search@prod: no gray release is open, 2.1\\x1b.0 serves alone. Nothing to do."
    )
