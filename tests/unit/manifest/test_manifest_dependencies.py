"""depends_on: what an entry means, and circles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

TWO_ENVIRONMENTS = """\
application: pay
environment: prod
components: {till: {}}
---
application: pay
environment: test
components: {till: {}}
---
application: pay
environment: prod
components: {desk: {}}
"""


def dependencies(project: Project, document: str) -> list[str]:
    """What shop's component `cart` depends on, beside the two environments of `pay`."""
    project.write(TWO_ENVIRONMENTS, "pay.yaml")
    project.write(document)
    cart = next(d for d in project.load().components if d.address.component == "cart")
    return [str(address) for address in cart.depends_on]


@pytest.mark.parametrize(
    ("environment", "entry", "target"),
    [
        ("prod", "pay/till", "pay/till@prod"),
        ("test", "pay/till", "pay/till@test"),
        ("prod", "pay/till@test", "pay/till@test"),
        ("stage", "pay/desk", "pay/desk@prod"),
        ("prod", "other", "shop/other@prod"),
        ("prod", "shop/other", "shop/other@prod"),
        ("prod", "shop/other@prod", "shop/other@prod"),
    ],
)
def test_an_entry_means_the_own_environment_first(project: Project, environment: str, entry: str, target: str) -> None:
    """Then the only one there is; an environment that is written is meant."""
    document = (
        f"application: shop\nenvironment: {environment}\ncomponents: {{cart: {{depends_on: [{entry}]}}, other: {{}}}}\n"
    )
    assert dependencies(project, document) == [target]


def test_entries_are_sorted_and_one_component_named_in_two_ways_is_one(project: Project) -> None:
    """The plan must not depend on the order of a list."""
    document = "application: shop\nenvironment: prod\ncomponents:\n  other: {}\n"
    document += "  cart: {depends_on: [shop/other, pay/till, other]}\n"
    assert dependencies(project, document) == ["pay/till@prod", "shop/other@prod"]


def test_several_environments_without_the_own_one_are_ambiguous(project: Project) -> None:
    """Both candidates are named, and how to choose."""
    project.write(TWO_ENVIRONMENTS, "pay.yaml")
    project.write("application: shop\ncomponents: {cart: {depends_on: [pay/till]}}\n")
    (found,) = project.refuse()
    assert (found.code, str(found.mark)) == ("ambiguous_dependency", "manifests/shop.yaml:2:34")
    assert "pay/till@prod or pay/till@test" in found.message
    assert "@environment" in (found.hint or "")


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("till", "pay/till@prod"),
        ("othr", "near names: other"),
        ("pay/tlil", "near names: till"),
        ("pay/till@stage", "pay/till@prod"),
        ("pya/till", "near names: pay"),
        ("nobody", "name a component of this document"),
    ],
)
def test_an_unknown_dependency_comes_with_what_was_probably_meant(project: Project, entry: str, hint: str) -> None:
    """Near names of the same application, or the full address of a component elsewhere."""
    project.write(TWO_ENVIRONMENTS, "pay.yaml")
    project.write(f"application: shop\ncomponents:\n  other: {{}}\n  cart: {{depends_on: [{entry}]}}\n")
    (found,) = project.refuse()
    assert (found.code, str(found.mark), found.address) == (
        "unknown_dependency",
        "manifests/shop.yaml:4:23",
        "shop/cart",
    )
    assert hint in (found.hint or "")


def test_a_circle_is_shown_whole_with_the_place_of_each_edge(project: Project) -> None:
    """Across files; the components that only lead into the circle are not part of it."""
    project.write("application: shop\ncomponents:\n  aa: {depends_on: [bb]}\n  bb: {depends_on: [pay/cc]}\n")
    project.write(
        "application: pay\ncomponents:\n  cc: {depends_on: [shop/aa]}\n  dd: {depends_on: [cc]}\n", "pay.yaml"
    )
    (found,) = project.refuse()
    assert found.code == "dependency_cycle"
    assert found.message.endswith(
        "pay/cc -> shop/aa (manifests/pay.yaml:3:21) -> shop/bb (manifests/shop.yaml:3:21)"
        " -> pay/cc (manifests/shop.yaml:4:21)"
    )
    assert str(found.mark) == "manifests/pay.yaml:3:21"


def test_every_knot_of_circles_is_named_once(project: Project) -> None:
    """Two separate circles, one of them with a shortcut: two diagnostics, the shortest way of each."""
    project.write(
        "application: shop\ncomponents:\n"
        "  aa: {depends_on: [bb]}\n  bb: {depends_on: [aa, cc]}\n  cc: {depends_on: [aa]}\n"
        "  xx: {depends_on: [yy]}\n  yy: {depends_on: [xx]}\n"
    )
    found = project.refuse()
    assert [d.code for d in found] == ["dependency_cycle"] * 2
    assert [d.message.count("->") for d in found] == [2, 2]


def test_a_chain_as_long_as_a_project_is_no_circle(project: Project) -> None:
    """Five thousand steps: a recursive search would end at Python's limit."""
    lines = [f"  c{n:04}: {{depends_on: [c{n + 1:04}]}}" for n in range(5000)]
    project.write("application: shop\ncomponents:\n" + "\n".join(lines) + "\n  c5000: {}\n")
    assert len(project.load().components) == 5001
    project.write("application: shop\ncomponents:\n" + "\n".join(lines) + "\n  c5000: {depends_on: [c0000]}\n")
    (found,) = project.refuse()
    assert found.message.count("->") == 5001
