"""The text plan: its look as golden files, and the sentences that scripts and people rely on."""

from __future__ import annotations

import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from render_golden import check_golden
from render_plans import make_action, make_change, make_plan, readme_plan, rich_plan, rule

from statetool.core.model import Address
from statetool.core.plan import (
    Blocked,
    Cause,
    Change,
    Counts,
    FieldChange,
    Finding,
    Kind,
    Plan,
    Risk,
    Verb,
    WishUpdate,
)
from statetool.errors import SourceMark
from statetool.render.layout import cell_width
from statetool.render.text import render_plan

SHANGHAI = ZoneInfo("Asia/Shanghai")


def render(plan: Plan, width: int | None = None, *, color: bool = False) -> str:
    return render_plan(plan, width=width, color=color, timezone=SHANGHAI, show_unmanaged=False)


@pytest.mark.parametrize("width", [80, 120])
def test_look(width: int) -> None:
    """The plan with a bit of everything, at the two usual widths."""
    text = render_plan(rich_plan(), width=width, color=False, timezone=SHANGHAI, show_unmanaged=True)
    check_golden(f"plan_rich_{width}.txt", text)


def test_look_of_described_plan() -> None:
    """The plan of the command line's description, off a terminal."""
    check_golden("plan_readme.txt", render(readme_plan()))


def test_look_in_colour() -> None:
    """Escape codes only with colour, and the same text below them."""
    colored = render(readme_plan(), 100, color=True)
    check_golden("plan_readme_color.txt", colored)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render(readme_plan(), 100)


@pytest.mark.parametrize(("plan", "changes"), [(rich_plan(), 4), (readme_plan(), 2), (make_plan(), 0)])
def test_last_line_is_the_summary(plan: Plan, changes: int) -> None:
    """Scripts take the last line and match a fixed shape in it, also of an empty plan; a terminal wraps it."""
    last = render(plan).splitlines()[-1]
    assert last.startswith("Plan: ")
    assert f"0 to add, {changes} to change, 0 to destroy" in last
    lines = render(plan, 60).splitlines()
    begin = max(n for n, line in enumerate(lines) if line.startswith("Plan: "))
    assert " ".join(lines[begin:]) == last
    assert all(cell_width(line) <= 60 for line in lines[begin:])


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("cart", 1),
        ("a-name-that-takes-half-of-the-line", 1),
        ("a-name-so-long-that-nothing-fits-beside-it-any-more", 2),
    ],
)
def test_an_origin_is_never_broken(name: str, lines: int) -> None:
    """It is there to be copied: it begins further left, or stands on a line of its own."""
    field = FieldChange("replicas", 1, 2, Cause.MANIFEST)
    change = replace(make_change(f"shop/{name}", field), origin=SourceMark("manifests/boutique.yaml", 10, 1))
    shown = render(make_plan(changes=(change,)), 80).splitlines()
    head = shown[2 : 2 + lines]
    assert head[-1].endswith(" manifests/boutique.yaml:10")
    assert all(cell_width(line) <= 80 for line in head)


def test_summary_of_described_plan() -> None:
    """Verbs are counted in the order of the plan, the risk with its percentage."""
    assert render(readme_plan()).splitlines()[-1] == (
        "Plan: 0 to import, 0 to add, 2 to change, 0 to destroy, 0 to forget. "
        "3 actions: 1 rollback, 1 scale, 1 modify_gray_rule; highest risk traffic 20 %."
    )


def test_empty_plan() -> None:
    """Nothing to do begins with the words that people and scripts look for."""
    check_golden("plan_empty.txt", render(make_plan()))


def test_only_left_alone() -> None:
    """Drift without permission is no change, and is told in the first sentence."""
    text = render(make_plan(left_alone=rich_plan().left_alone))
    assert text.startswith("No changes. 2 values changed outside are left alone.\n")
    assert "--correct-drift puts it back" in text


@pytest.mark.parametrize(
    "parts",
    [
        {"held_back": rich_plan().held_back},
        {"blocked": (Blocked(Address("a", "b"), "x", "y"),)},
        {"findings": (Finding("count", "deny", "too much", "do less"),)},
    ],
    ids=["held_back", "blocked", "denied"],
)
def test_held_back_or_denied_is_never_no_changes(parts: dict[str, object]) -> None:
    """What waits or is refused is not the same as nothing to do."""
    text = render(make_plan(**parts))
    assert "No changes." not in text
    assert text.startswith("statetool will send nothing now")


def test_recorded_only() -> None:
    """A plan that only writes the state says that nothing is sent, and counts what is recorded."""
    change = make_change("shop/cart", FieldChange("replicas", 4, 4, Cause.ADOPT))
    text = render(make_plan(changes=(change,)))
    assert text.startswith("statetool will record the following; nothing is sent to the platform:\n")
    assert "1 to record. 0 actions." in text


def test_update_without_field_line_is_listed() -> None:
    """Whatever is written to the state is shown, even where no field line speaks of it."""
    change = make_change("shop/cart", updates=(WishUpdate("replicas", None), WishUpdate("state", "running")))
    text = render(make_plan(changes=(change,)))
    assert re.search(r"replicas +released", text)
    assert re.search(r"state +recorded", text)


def test_project_deny_names_blocked_components_once() -> None:
    """A guard over the whole project is one row, with everything it blocks."""
    blocked = tuple(Blocked(Address("shop", f"c{n}"), "share", "too many") for n in range(3))
    plan = make_plan(blocked=blocked, findings=(Finding("share", "deny", "3 of 4 change", "--override share"),))
    text = render(plan)
    assert "Blocked (3):" in text
    assert "(project)   share: 3 of 4 change; --override share" in text
    assert "(project)   blocks shop/c0, shop/c1, shop/c2" in text
    assert "too many" not in text


def test_two_denies_of_one_component_are_both_told() -> None:
    """One component, two reasons: counted once, both shown."""
    address = Address("shop", "cart")
    findings = (Finding("one", "deny", "first", None, address), Finding("two", "deny", "second", None, address))
    text = render(make_plan(blocked=(Blocked(address, "one", "first"),), findings=findings))
    assert "Blocked (1):" in text
    assert "one: first" in text
    assert "two: second" in text


def test_rules_are_listed_one_a_line() -> None:
    """Gray rules read as what goes and what comes, never as JSON."""
    field = FieldChange("gray.rules", None, [rule("a", "1"), rule("b", "2")], Cause.MANIFEST)
    lines = render(make_plan(changes=(make_change("shop/cart", field),))).splitlines()
    assert any(line.strip().startswith("gray.rules   + header a equal 1") for line in lines)
    assert any(line.strip() == "+ header b equal 2" for line in lines)
    assert not any("{" in line for line in lines)


def test_many_requirements_wrap() -> None:
    """An action that waits for many components stays within the page."""
    requires = tuple(f"shop/component-number-{n}#1" for n in range(9))
    action = make_action("shop/frontend#1", Verb.RESTART, {}, Risk.RESTART, requires=requires)
    change = make_change("shop/frontend", FieldChange("restart", None, "t", Cause.MANIFEST), actions=(action.id,))
    text = render(make_plan(changes=(change,), actions=(action,)), 80)
    assert all(cell_width(line) <= 80 for line in text.splitlines()[:-1])
    assert all(f"shop/component-number-{n}" in text for n in range(9))


def test_columns_of_wide_characters_align() -> None:
    """Causes stand in one column, counted in cells of the terminal."""
    changes = tuple(
        make_change(f"shop/{name}", FieldChange("restart", "旧", value, Cause.MANIFEST))
        for name, value in (("推荐服务", "新的令牌"), ("cart", "token"))
    )
    text = render(make_plan(changes=changes), 100)
    columns = {cell_width(line[: line.index("you changed")]) for line in text.splitlines() if "you changed" in line}
    assert len(columns) == 1


def test_four_hundred_components() -> None:
    """A large plan has one blank line between components, and nothing else."""
    changes: list[Change] = []
    actions = []
    for n in range(400):
        action = make_action(f"shop/c{n:03}#1", Verb.SCALE, {"replica": 3}, Risk.SCALE_UP)
        actions.append(action)
        field = FieldChange("replicas", 2, 3, Cause.MANIFEST)
        changes.append(make_change(f"shop/c{n:03}", field, actions=(action.id,)))
    text = render(make_plan(changes=tuple(changes), actions=tuple(actions)), 80)
    assert len(text.splitlines()) == 1 + 400 * 4 + 5
    assert "\n\n\n" not in text


def test_unmanaged_only_on_request() -> None:
    """Components nobody manages are counted always, named only when asked for."""
    plan = replace(make_plan(), unmanaged=(Address("shop", "debug"),), counts=Counts(1, 0, 1))
    assert "shop/debug" not in render(plan)
    shown = render_plan(plan, width=None, color=False, timezone=None, show_unmanaged=True)
    assert "Unmanaged (1):\n  shop/debug" in shown


def test_instants_without_time_zone_are_utc() -> None:
    """Nothing is guessed from the machine."""
    text = render_plan(readme_plan(), width=None, color=False, timezone=None, show_unmanaged=False)
    assert "seen 4 at 00:00, 10 at 08:32 UTC" in text


def test_left_alone_in_drift_mode() -> None:
    """The way back depends on the command that made the plan."""
    left = readme_plan().left_alone
    text = render(make_plan(mode="drift", left_alone=(*left, replace(left[0], cause=Cause.BOTH))))
    assert "`drift --correct` may not put it back" in text
    assert "the manifest changed too: `statetool apply`" in text


def test_adopt_without_fields() -> None:
    """A component taken into the state says so even where nothing is managed."""
    text = render(make_plan(changes=(make_change("shop/cart", kind=Kind.ADOPT),)))
    assert "recorded for the first time; nothing is changed" in text
    assert "1 to import" in text
