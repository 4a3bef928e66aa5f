"""The words of `explain`, and its document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from render_golden import check_golden
from render_plans import CREATED_AT, make_action, rule
from render_records import full_record

from statetool.core.deploy import Artifact, Deploy
from statetool.core.explanation import Decided, Explanation, FieldExplanation, FieldStatus, PathValues, Subject
from statetool.core.model import (
    Address,
    Desired,
    Lifecycle,
    Observed,
    Origin,
    Rejection,
    VariableOrigin,
    Wish,
)
from statetool.core.plan import Blocked, Cause, Finding, HeldBack, Kind, LeftAlone, Risk, SendIf, Verb, WishUpdate
from statetool.errors import SourceMark
from statetool.render.explanation import explanation_to_document, render_explanation
from statetool.render.json import render_document
from statetool.schema import validator
from statetool.surroundings import timezone

SEARCH = Address("shop", "search", "prod")
RULES = [rule("x-region", "north"), rule("x-user-tier", "beta")]


def mark(line: int, column: int = 15, file: str = "manifests/prod.yaml") -> SourceMark:
    return SourceMark(file, line, column)


def desired() -> Desired:
    return Desired(
        SEARCH,
        mark(9, 3),
        Wish(replicas=9),
        depends_on=(Address("shop", "cart", "prod"),),
        deploy=Deploy(env={"TOKEN": "open-sesame"}),
        labels={"team\x1b[2J": "open-sesame"},
        lifecycle=Lifecycle(True, frozenset({"state"}), frozenset({"replicas", "gray"})),
    )


def observed() -> Observed:
    return Observed(
        SEARCH, "c0ffee", "a1", "e1", "2.1.0", "GRAY\x9bING", 6, 5, "JOB43", "2026-11-23T08:32:00Z",
        artifact=Artifact("image", "hub/search:2.1.0"),
    )  # fmt: skip


WRITTEN = {
    "labels.team\x1b[2J": Origin(mark(5, 18, "manifests/base.yaml"), is_default=True),
    "version": Origin(mark(12, 14, "manifests/base.yaml")),
    "replicas": Origin(mark(10), False, (VariableOrigin("number", "--var"), VariableOrigin("x", "v.yaml:2:9"))),
    "env.TOKEN": Origin(mark(14), False, (VariableOrigin("token", "environment STATETOOL_VAR_token"),)),
}
VERSION = FieldExplanation(
    "version",
    FieldStatus.MANAGED,
    (
        PathValues("version", "2.1.0", "2.1.0", "2.1.0"),
        PathValues("gray.rules", RULES, RULES[:1], None, Cause.BOTH),
        PathValues("gray.weight", None, None, 20, Cause.BOTH),
    ),
    Cause.BOTH,
    "changed in the manifest and outside: wanted, recorded and observed are three different values",
    "V + C, graying, S = V, G = C, rule differs: modify_gray_rule",
)
FIELDS = (
    VERSION,
    FieldExplanation(
        "replicas", FieldStatus.RELEASED, (PathValues("replicas", None, 5, 6),), None, "its key left the manifest"
    ),
    FieldExplanation(
        "state", FieldStatus.IGNORED, (PathValues("state", "running", None, None),), None, "lifecycle.ignore names it"
    ),
    FieldExplanation(
        "restart", FieldStatus.NOT_MANAGED, (PathValues("restart", None, None, None),), None, "no manifest writes it"
    ),
)


def rich() -> Explanation:
    """Everything at once, with text from outside in every place for it."""
    scale = make_action(
        f"{SEARCH}#2", Verb.SCALE, {"replica": 6}, Risk.SCALE_UP, requires=(f"{SEARCH}#1",), send_if=SendIf.FEWER
    )
    return Explanation(
        subject=Subject(SEARCH, desired(), full_record(), observed()),
        at=CREATED_AT,
        fields=FIELDS,
        written=WRITTEN,
        kind=Kind.UPDATE,
        records=(WishUpdate("version", None, (f"{SEARCH}#1",)), WishUpdate("replicas", None)),
        actions=(
            Decided(
                make_action(f"{SEARCH}#1", Verb.MODIFY_GRAY_RULE, {"weight": 20}, Risk.TRAFFIC, traffic_percent=20),
                VERSION.row,
            ),
            Decided(scale, "a version change must not take instances away: scale if fewer come back"),
        ),
        held_back=(
            Decided(
                HeldBack(SEARCH, "replicas", "deferred_gray", "replicas 6 -> 9 waits", "promote first"), "gray row"
            ),
        ),
        left_alone=(
            Decided(
                LeftAlone(SEARCH, "gray.weight", 10, 20, "2026-11-23T07:00:00Z", "2026-11-23T08:32:00Z"), "drift row"
            ),
        ),
        findings=(
            Decided(
                Finding("overwrites_outside_change", "warn", "rules were changed \u202e too", "look", SEARCH), "both"
            ),
            Decided(Finding("max_share", "warn", "many components change"), "both"),
        ),
        blocked=None,
        ended_outside=Rejection("2.3.0", "2026-11-23T08:00:00Z", "outside", "ended outside", "JOB9"),
        needed_by=(Address("shop", "web", "prod"), Address("shop", "推荐", "prod")),
        may_change=False,
    )


def bare(**parts: Any) -> Explanation:
    """A component of which nothing is known but what `parts` say."""
    nothing: dict[str, Any] = {
        "fields": (),
        "written": {},
        "kind": None,
        "records": (),
        "actions": (),
        "held_back": (),
        "left_alone": (),
        "findings": (),
        "blocked": None,
        "ended_outside": None,
        "needed_by": (),
        "may_change": True,
    }
    return Explanation(**{"subject": Subject(SEARCH), "at": CREATED_AT, **nothing, **parts})


def test_everything_at_once() -> None:
    """The verdict, the values side by side with their places, why, what is decided and by which row, what is known."""
    told = render_explanation(rich(), timezone=timezone("Asia/Shanghai", {}))
    check_golden("explanation.txt", told)


def test_on_a_narrow_terminal() -> None:
    """Long texts flow; the first columns stay aligned."""
    check_golden("explanation_80.txt", render_explanation(rich(), width=80))


def test_colour_adds_nothing_but_its_codes() -> None:
    """The same text without them."""
    colored = render_explanation(rich(), color=True)
    for code in (0, 1, 2, 33, 36):
        colored = colored.replace(f"\x1b[{code}m", "")
    plain = render_explanation(rich())
    assert [line.rstrip() for line in colored.split("\n")] == [line.rstrip() for line in plain.split("\n")]


def test_the_verdict_stands_on_the_second_line() -> None:
    """One sentence for each way it can go."""
    wanted = Subject(SEARCH, desired())
    deny = Decided(Finding("unknown_version", "deny", "who knows", None, SEARCH), None)
    verdicts = {
        "Nothing to do: what runs is what the manifest asks for, as far as it asks.": bare(subject=wanted),
        "No manifest describes it: statetool leaves it as it is.": bare(),
        "Apply: it leaves the state, the platform is not touched.": bare(kind=Kind.FORGET),
        "Apply: it is recorded for the first time.": bare(subject=wanted, kind=Kind.ADOPT),
        "Apply: the record is brought up to date, nothing is sent.": bare(subject=wanted, kind=Kind.UPDATE),
        "Apply: its record moves here from shop/old.": bare(
            subject=replace(wanted, moved_from=Address("shop", "old")), kind=Kind.MOVE
        ),
        "Blocked: apply does nothing about it, because of unknown_version.": bare(
            subject=wanted, findings=(deny,), blocked=Blocked(SEARCH, "unknown_version", "who knows")
        ),
        "Apply: 2 actions (modify_gray_rule, scale); 1 value held back; 1 value changed outside, left alone.": rich(),
    }
    for verdict, explanation in verdicts.items():
        assert render_explanation(explanation).split("\n")[1] == f"  {verdict}"


def test_a_dependency_that_blocks_is_named_with_its_reason() -> None:
    """It is no finding of the component itself."""
    told = render_explanation(bare(blocked=Blocked(SEARCH, "shop/cart", "depends on shop/cart, which is blocked")))
    assert "Blocked:\n  shop/cart   depends on shop/cart, which is blocked" in told


def test_what_is_not_known_is_said() -> None:
    """No record, no component."""
    told = render_explanation(bare())
    assert "Recorded:\n  nothing" in told
    assert "Observed now:\n  not on the platform" in told


def test_the_document_keeps_to_its_schema() -> None:
    """Full and bare alike."""
    for explanation in (rich(), bare(), bare(blocked=Blocked(SEARCH, "freeze", "frozen"), kind=Kind.ADOPT)):
        document = json.loads(render_document(explanation_to_document(explanation, "0.1.0")))
        assert not [error.message for error in validator("explanation").iter_errors(document)]
    document = explanation_to_document(rich(), "0.1.0")
    assert document["address"] == "shop/search@prod"
    assert document["limits"] == {
        "depends_on": ["shop/cart@prod"],
        "needed_by": ["shop/web@prod", "shop/推荐@prod"],
        "protected": True,
        "ignore": ["state"],
        "correct": ["gray", "replicas"],
        "ready": {"timeout_s": 300, "hold_s": 0},
        "may_change": False,
    }


def test_what_variables_and_labels_hold_is_never_told() -> None:
    """Only where they are written."""
    for told in (render_explanation(rich()), render_document(explanation_to_document(rich(), "0.1.0"))):
        assert "open-sesame" not in told
        assert "env.TOKEN" in told
