"""What a selection means, what is refused of it, and the warning where it leaves out what others depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from core_builders import address, plan_all, record, see, want, wish

from statetool.core.model import Address, Desired, Origin, VariableOrigin
from statetool.core.plan import Plan
from statetool.core.selection import Selection, Selector, ensure_something_selected, parse_selectors
from statetool.errors import ExitCode, SourceMark, UsageError


def part(name: str, labels: Mapping[str, str] | None = None, **fields: object) -> Desired:
    """A component of a manifest with labels."""
    return replace(want(name=name, **fields), labels=labels or {})


SHOP = (
    part("cart", {"team": "shop", "tier": "web"}, needs=["stock"]),
    part("stock", {"team": "shop"}, needs=["db"]),
    part("db", {"team": "data", "tier": "store"}),
    part("pay", {"team": "money"}),
    part("bare"),
)


def by(*texts: str, targets: tuple[str, ...] = (), excludes: tuple[str, ...] = (), deps: bool = False) -> Selection:
    return Selection(targets, excludes, parse_selectors(texts), deps)


def names(selection: Selection) -> str:
    return " ".join(sorted(entry.component for entry in selection.choose(SHOP).chosen))


# Selectors


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("team=shop", [Selector("team", "shop")]),
        ("team==shop", [Selector("team", "shop")]),
        ("team!=shop", [Selector("team", "shop", negated=True)]),
        ("team", [Selector("team")]),
        ("!team", [Selector("team", negated=True)]),
        ("team=", [Selector("team", "")]),
        ("team=shop,!old, tier != web", [Selector("team", "shop"), Selector("old", None, True)]),
        ("a.b/c-d=支付 e", [Selector("a.b/c-d", "支付 e")]),
        ("url=a=b", [Selector("url", "a=b")]),
    ],
)
def test_kubectls_forms(text: str, parsed: list[Selector]) -> None:
    """Equality and existence, with blanks around where fingers put them."""
    assert list(parse_selectors([text]))[: len(parsed)] == parsed
    assert all(parse_selectors([str(selector)]) == (selector,) for selector in parse_selectors([text]))


@pytest.mark.parametrize(
    "text", ["", " ", "=a", "!=a", "a=b,", ",a=b", "a in (b)", "a in (b,c)", "a b", "!a=b", "!!a", "(a)"]
)
def test_what_is_no_condition_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_selectors(["team=shop", text])
    assert (caught.value.code, caught.value.exit_code) == ("bad_selector", ExitCode.USAGE)
    assert "key!=value" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (by("team=shop"), "cart stock"),
        (by("team!=shop"), "bare db pay"),
        (by("tier"), "cart db"),
        (by("!tier"), "bare pay stock"),
        (by("team=shop,tier=web"), "cart"),
        (by("team=shop", "!tier"), "stock"),
        (by("team=shop", targets=("shop/c*", "shop/d*")), "cart"),
        (by("team=shop", excludes=("shop/cart",)), "stock"),
        (by("team=shop", deps=True), "cart db stock"),
        (by(targets=("shop/cart",), deps=True), "cart db stock"),
        (by(targets=("shop/cart",)), "cart"),
        (by(targets=("shop/cart",), excludes=("shop/db",), deps=True), "cart stock"),
        (by(targets=("shop/cart",), excludes=("shop/stock",), deps=True), "cart db"),
        (by(deps=True), "bare cart db pay stock"),
        (by(), "bare cart db pay stock"),
    ],
)
def test_what_is_chosen(selection: Selection, chosen: str) -> None:
    """All conditions hold together; dependencies come whatever their labels; an exclude cuts off itself only."""
    assert names(selection) == chosen


def test_what_no_manifest_describes_has_no_labels() -> None:
    """Not even for conditions that a missing label fulfils: a record is never forgotten because of a label."""
    for text in ("team=shop", "team!=shop", "!team"):
        assert not by(text).choose(SHOP).includes(address("gone"))
        assert not by(text, targets=("shop/gone",)).choose(SHOP).includes(address("gone"))
    assert by(targets=("shop/g*",)).choose(SHOP).includes(address("gone"))
    plan = plan_all(SHOP, [record(name="gone")], [see(name=n) for n in ("cart", "stock")], by("team=shop"))
    assert not [change for change in plan.changes if change.kind == "forget"]
    assert address("gone") in plan.left_out


# What fits nothing


def refusal(selection: Selection, *desired: Desired, recorded: tuple[Address, ...] = ()) -> UsageError:
    with pytest.raises(UsageError) as caught:
        ensure_something_selected(selection, desired or SHOP, recorded)
    assert (caught.value.code, caught.value.exit_code) == ("nothing_selected", ExitCode.USAGE)
    return caught.value


NEAR = "did you mean shop/cart or shop/bare or shop/pay?"
VALUES = "the values of team are data, money, shop"


@pytest.mark.parametrize(
    ("selection", "says", "hint"),
    [
        (by(targets=("shop/carrt",)), "--target shop/carrt fits no component", NEAR),
        (by(targets=("shop/*", "x/*")), "--target x/* fits no component", "`statetool plan` lists the addresses"),
        (by(excludes=("shop/carts",)), "--exclude shop/carts fits no component", NEAR),
        (by(excludes=("*",)), "--exclude leaves no component", "widen what is selected"),
        (by("teem=shop"), "--selector teem=shop: no component has the label teem=shop", "did you mean team?"),
        (by("owner"), "--selector owner: no component has the label owner", "the labels are team, tier"),
        (by("team=shpo"), "--selector team=shpo: no component has the label team=shpo", "did you mean team=shop?"),
        (by("team=x"), "--selector team=x: no component has the label team=x", VALUES),
        (by("team!=x"), "--selector team!=x: no component has the label team=x", VALUES),
        (by("!owner"), "--selector !owner: no component has the label owner", "the labels are team, tier"),
        (by("team=shop,tier=store"), "--selector leaves no component", "widen what is selected"),
        (
            by("team=shop", targets=("shop/pay",)),
            "--target and --selector together leave no component",
            "widen what is selected",
        ),
    ],
)
def test_what_fits_nothing_is_refused(selection: Selection, says: str, hint: str) -> None:
    """A typo must not end in a plan that says all is well, nor in one that excludes nobody. What there is, is told."""
    error = refusal(selection)
    assert (error.message, error.hint) == (says, hint)


def test_a_glob_near_an_address_names_it() -> None:
    """An environment that was added to a manifest is the usual cause."""
    error = refusal(by(targets=("shop/cart",)), replace(want(), address=replace(address("cart"), environment="prod")))
    assert error.hint == "did you mean shop/cart@prod?"


def test_a_glob_may_fit_what_is_only_recorded_a_selector_may_not() -> None:
    ensure_something_selected(by(targets=("shop/gone",)), (), [address("gone")])
    error = refusal(by("team=shop"), part("bare"), recorded=(address("gone"),))
    assert error.hint == "no component has labels; write `labels: {key: value}` in a manifest"


def test_of_many_values_a_few_are_told() -> None:
    error = refusal(by("app=zzz"), *(part(f"c{n:02}", {"app": f"{n:03}"}) for n in range(20)))
    assert error.hint == "the values of app are 000, 001, 002, 003, 004, 005, 006, 007 and 12 more"


@pytest.mark.parametrize("text", ["team=x", "team=open-sesam", "owner", "teem"])
def test_no_hint_tells_what_a_variable_holds(text: str) -> None:
    """Whoever edits a manifest may write ${var.token} as a label, and would have it told by a selector that fails."""
    given = Origin(SourceMark("shop.yaml", 4, 9), variables=(VariableOrigin("token", "environment"),))
    secret = replace(part("cart", {"team": "open-sesame"}), marks={"labels.team": given})
    alone, beside = refusal(by(text), secret), refusal(by(text), secret, part("pay", {"team": "money"}))
    assert "sesame" not in f"{alone} {alone.hint} {beside} {beside.hint}"
    if text == "team=x":
        assert (alone.hint, beside.hint) == (
            "the values of team are what variables hold",
            "the values of team are money and what variables hold",
        )


# Dependencies that are left out


def warnings(plan: Plan) -> dict[str, str]:
    """Component -> the dependencies that it is warned of."""
    found = [finding for finding in plan.warnings if finding.code == "dependency_left_out"]
    return {str(f.address): f.message.removeprefix("depends on ").partition(", which")[0] for f in found}


def chain(*, base: int = 4, middle: int = 4, top: int = 6, **base_fields: object) -> list[Desired]:
    """top needs middle needs base; all run in four instances, as recorded."""
    return [
        want(name="base", replicas=base, **base_fields),
        want(name="middle", replicas=middle, needs=["base"]),
        want(name="top", replicas=top, needs=["middle"]),
    ]


RECORDS = [record(wish(replicas=4), name=name) for name in ("base", "middle", "top")]
WORLD = [see(name=name) for name in ("base", "middle", "top")]
TOP = Selection(targets=("shop/top",))


@pytest.mark.parametrize(
    ("desired", "selection", "warned"),
    [
        (chain(), TOP, {}),
        (chain(middle=6), TOP, {"shop/top": "shop/middle"}),
        (chain(base=6), TOP, {"shop/top": "shop/base"}),
        (chain(base=6, middle=6), TOP, {"shop/top": "shop/middle"}),
        (chain(base=6, top=4), TOP, {}),
        (chain(base=6), Selection(excludes=("shop/base",)), {"shop/top": "shop/base"}),
        (chain(base=6, middle=6), Selection(excludes=("shop/base",)), {"shop/middle": "shop/base"}),
        (chain(base=6), Selection(excludes=("shop/middle",)), {}),
        (chain(base=6, middle=6), Selection(), {}),
    ],
    ids=[
        "nothing to do there",
        "something to do",
        "behind one with nothing to do",
        "the nearest alone",
        "nothing waits for it",
        "through one that is planned and idle",
        "said by the nearest that acts",
        "what is behind comes along",
        "nothing is left out",
    ],
)
def test_who_would_come_before_what_it_depends_on(
    desired: list[Desired], selection: Selection, warned: dict[str, str]
) -> None:
    """Only where that is not known to be as wished: a list row is enough to know."""
    plan = plan_all(desired, RECORDS, WORLD, selection)
    assert warnings(plan) == warned


@pytest.mark.parametrize(
    ("base", "world"),
    [
        (want(name="base", replicas=1, protected=True), WORLD),
        (want(name="base", replicas=6), [see(name="base", status="UPGRADING"), *WORLD[1:]]),
        (want("1.4.1", name="base"), [see(name="base", closer=None), *WORLD[1:]]),
        (want(name="base", replicas=4), [see(name="base", status="GRAYING", closer=None), *WORLD[1:]]),
        (want(name="base"), WORLD[1:]),
    ],
    ids=["blocked", "held back", "needs a closer look", "may be releasing", "not seen"],
)
def test_a_dependency_in_trouble_is_told(base: Desired, world: list) -> None:
    """Blocked, held back, or never looked at: whoever plans a part has to hear of it."""
    plan = plan_all([base, *chain()[1:]], RECORDS, world, TOP)
    assert warnings(plan) == {"shop/top": "shop/base"}
    assert plan.actions, "it is a warning"


def test_the_way_out_is_told() -> None:
    """Bringing it along does not help where an exclude cuts it off."""
    desired = chain(base=6)
    hints = [
        next(f.hint for f in plan_all(desired, RECORDS, WORLD, selection).warnings)
        for selection in (TOP, replace(TOP, excludes=("shop/base",)))
    ]
    assert hints == [
        "add --with-dependencies, or apply that first",
        "take that out of --exclude, or apply that first",
    ]


def test_a_dependency_that_an_exclude_cuts_off_is_told_in_any_case() -> None:
    """It was asked for; whether or not anything is to do."""
    selection = replace(TOP, excludes=("shop/base",), with_dependencies=True)
    plan = plan_all(chain(top=4), RECORDS, WORLD, selection)
    [finding] = plan.warnings
    assert str(finding.address) == "shop/middle"
    assert finding.message == "depends on shop/base, which --exclude leaves out"
    assert [str(address) for address in plan.left_out] == ["shop/base"]


def test_what_is_brought_along_is_planned_and_waited_for() -> None:
    plan = plan_all(chain(base=6), RECORDS, WORLD, replace(TOP, with_dependencies=True))
    assert {a.id: a.requires for a in plan.actions} == {"shop/base#1": (), "shop/top#1": ("shop/base#1",)}
    assert (plan.left_out, plan.warnings) == ((), ())
