"""The plan as a comment under a pull request."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from render_golden import check_golden
from render_plans import make_action, make_change, make_plan, readme_plan, rich_plan

from statetool.core.model import Address
from statetool.core.plan import Cause, FieldChange, Finding, Plan, Risk, Verb, fingerprint
from statetool.render.markdown import render_plan_markdown
from statetool.render.text import render_plan


def many(count: int) -> Plan:
    """A plan that scales `count` components."""
    actions = [make_action(f"shop/c{n}#1", Verb.SCALE, {"replica": 3}, Risk.SCALE_UP) for n in range(count)]
    changes = [
        make_change(f"shop/c{n}", FieldChange("replicas", 2, 3, Cause.MANIFEST), actions=(actions[n].id,))
        for n in range(count)
    ]
    return make_plan(changes=tuple(changes), actions=tuple(actions))


def test_look() -> None:
    """The plan with a bit of everything."""
    check_golden("plan_rich.md", render_plan_markdown(rich_plan(), timezone=ZoneInfo("Asia/Shanghai")))


def test_look_of_empty_plan() -> None:
    """An empty plan is a few lines, and says so first."""
    check_golden("plan_empty.md", render_plan_markdown(make_plan()))


def test_hidden_comment_carries_the_fingerprint() -> None:
    """A comment is found, and an approval bound, by the first line."""
    plan = readme_plan()
    assert render_plan_markdown(plan).splitlines()[0] == f"<!-- statetool plan fingerprint={fingerprint(plan)} -->"


def test_closing_line_is_that_of_the_text_plan() -> None:
    """One summary, in every view."""
    text = render_plan(rich_plan(), width=None, color=False, timezone=None, show_unmanaged=False)
    assert render_plan_markdown(rich_plan()).splitlines()[-1] == text.splitlines()[-1]


def test_folded_above_twelve_components() -> None:
    """A long table is folded away, with blank lines around it so that it stays a table."""
    assert "<details>" not in render_plan_markdown(many(12))
    folded = render_plan_markdown(many(13))
    assert "<details><summary>13 components</summary>\n\n| Component |" in folded
    assert "|\n\n</details>" in folded


def test_hostile_text_stays_in_its_cell() -> None:
    """A value can neither break the table nor mention anybody."""
    finding = Finding("code", "deny", "x | y @admin <img src=x> `\n| a |", "see #1", Address("shop", "cart"))
    text = render_plan_markdown(make_plan(findings=(finding,)))
    row = next(line for line in text.splitlines() if line.startswith("| `shop/cart`"))
    assert row.count("|") == 3
    assert "<img" not in text
    assert "@admin" not in text
    assert "see #1" not in text
