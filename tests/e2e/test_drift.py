"""Drift: reported with exit 2, put back where that is permitted, and never mixed up with edits of manifests."""

from __future__ import annotations

from e2e_project import ProjectFolder

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4}
      pay: {version: 3.0.1, replicas: 4}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 20}}
"""

MANIFEST = """\
application: shop
components:
  cart:
    replicas: 4
    lifecycle: {drift: correct}
  pay:
    replicas: 4
  search:
    version: 2.1.0
    gray: {version: 2.2.0, weight: 20}
    lifecycle: {drift: {gray: correct}}
"""


def settled(project: ProjectFolder) -> None:
    """A recorded project in which nothing drifts."""
    project.seed(SEED)
    project.manifest(MANIFEST)
    project.call("apply", "--auto-approve")
    project.call("drift")


def test_no_drift_is_exit_0(project: ProjectFolder) -> None:
    """And sends nothing."""
    settled(project)
    assert project.log() == []


def test_drift_is_reported_and_left_alone(project: ProjectFolder) -> None:
    """Exit 2 with every difference, in text and JSON; no request, no new state, and also nothing by apply."""
    settled(project)
    state = project.state
    project.disturb("shop/cart", replicas=7)
    project.disturb("shop/pay", replicas=8)
    project.disturb("shop/search", weight=50)
    told = project.run("drift", code=2)
    for part in ("shop/cart", "4 -> 7", "shop/pay", "4 -> 8", "shop/search", "20 % -> 50 %"):
        assert part in told.out
    document = project.call("drift", "--json", code=2).document
    assert document["mode"] == "drift"
    assert {item["address"] for item in document["left_alone"]} == {"shop/cart", "shop/pay", "shop/search"}
    assert project.state == state
    assert project.log() == []


def test_correcting_needs_permission(project: ProjectFolder) -> None:
    """What `lifecycle.drift` permits is put back; the rest stays, exit 2; the second run changes nothing more."""
    settled(project)
    project.disturb("shop/cart", replicas=7)
    project.disturb("shop/pay", replicas=8)
    project.disturb("shop/search", weight=50)
    done = project.run("drift", "--correct", "--auto-approve", code=2)
    assert sorted(project.sent()) == ["cart scale", "search modify_gray_rule"]
    assert "shop/pay" in done.out
    assert project.shown("pay")[2] == 8
    sent, state = project.log(), project.state
    project.call("drift", "--correct", "--auto-approve", code=2)
    assert project.log() == sent
    assert project.state == state


def test_all_permitted_drift_corrected_is_exit_0(project: ProjectFolder) -> None:
    """Then nothing is left, and the plan of apply is empty too."""
    settled(project)
    project.disturb("shop/cart", replicas=7)
    project.run("drift", "--correct", "--auto-approve")
    assert project.sent() == ["cart scale"]
    assert project.shown("cart")[2:] == (4, 4)
    project.call("drift")
    project.ensure_settled()


def test_an_edit_of_the_manifest_never_acts_in_a_correction(project: ProjectFolder) -> None:
    """The edited fields are for `apply`; drift beside them is put back, by the recorded wish."""
    settled(project)
    project.edit("manifests/shop.yaml", "  pay:\n    replicas: 4", "  pay:\n    replicas: 6")
    project.edit("manifests/shop.yaml", "weight: 20", "weight: 30")
    project.run("drift")
    project.run("drift", "--correct", "--auto-approve")
    assert project.log() == []
    project.disturb("shop/cart", replicas=7)
    project.call("drift", "--correct", "--auto-approve")
    assert project.sent() == ["cart scale"]
    project.call("apply", "--auto-approve")
    assert sorted(project.sent()) == ["cart scale", "pay scale", "search modify_gray_rule"]
    project.ensure_settled()


def test_apply_corrects_only_when_asked(project: ProjectFolder) -> None:
    """Plain `apply` lists drift without permission; `--correct-drift` puts it back, and a second run does nothing."""
    settled(project)
    project.disturb("shop/pay", replicas=8)
    listed = project.call("apply", "--auto-approve")
    assert "Changed outside, left alone (1)" in listed.out
    assert project.log() == []
    project.run("apply", "--auto-approve", "--correct-drift")
    assert project.sent() == ["pay scale"]
    project.ensure_settled()


def test_a_permission_in_the_manifest_lets_apply_correct(project: ProjectFolder) -> None:
    """`lifecycle.drift: correct` is a standing permission."""
    settled(project)
    project.disturb("shop/cart", replicas=8)
    planned = project.call("plan", "--detailed-exitcode", code=2)
    assert "changed outside" in planned.out.lower()
    project.run("apply", "--auto-approve")
    assert project.sent() == ["cart scale"]
    project.ensure_settled()


def test_an_edit_over_a_change_outside_warns_with_all_three_values(project: ProjectFolder) -> None:
    """Wish 4, seen 8, wanted 6: an action, because the manifest changed, and a warning, because somebody else did."""
    settled(project)
    project.disturb("shop/pay", replicas=8)
    project.edit("manifests/shop.yaml", "  pay:\n    replicas: 4", "  pay:\n    replicas: 6")
    warned = project.call("plan", "--detailed-exitcode", code=2)
    assert "overwrites_outside_change" in warned.out
    project.run("apply", "--auto-approve")
    assert project.shown("pay")[2:] == (6, 6)
    project.ensure_settled()
