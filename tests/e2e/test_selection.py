"""A part of a project through the whole way: planned, applied, looked at for drift, and never taken for the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from e2e_project import ProjectFolder

SEED = """
applications:
  shop:
    environment: prod
    components:
      web: {version: 1.0.0, replicas: 2}
      api: {version: 1.0.0, replicas: 2}
      db: {version: 1.0.0, replicas: 2}
      pay: {version: 1.0.0, replicas: 2}
      old: {version: 1.0.0, replicas: 2}
"""
MANIFEST = """\
application: shop
components:
  web: {replicas: %(number)s, labels: {team: shop, tier: web}, depends_on: [api]}
  api: {replicas: %(number)s, labels: {team: platform}, depends_on: [db]}
  db: {replicas: %(number)s, labels: {team: platform, tier: store}}
  pay: {replicas: %(number)s, labels: {team: "${var.team}"}}
"""
OLD = "  old: {replicas: 2}\n"
TOKEN = "open-sesame-7351"


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """Everything recorded, then every number edited, and one component taken out of the manifests."""
    project.seed(SEED)
    shop = replace(project, environ={"STATETOOL_VAR_team": TOKEN})
    shop.manifest(MANIFEST % {"number": 2} + OLD)
    shop.call("apply", "--auto-approve")
    shop.manifest(MANIFEST % {"number": 3})
    return shop


def test_a_part_is_applied_with_what_it_depends_on(shop: ProjectFolder) -> None:
    """In order, and nothing else: the rest is named in every view, and done by a plain apply."""
    part = ("--selector", "tier=web", "--with-dependencies")
    left_out = "2 left out, not selected: shop/old, shop/pay."
    assert left_out in shop.call("plan", *part).out
    assert left_out in shop.call("plan", "--format", "markdown", *part).out
    document = shop.plan(*part)
    assert document["left_out"] == ["shop/old", "shop/pay"]
    done = shop.run("apply", "--auto-approve", "--json", *part)
    assert (done.events[-1]["done"], done.events[-1]["left_out"]) == (3, 2)
    assert shop.sent() == ["db scale", "api scale", "web scale"]
    assert "shop/old" in shop.state["components"]
    settled = shop.call("plan", *part).out
    assert settled.startswith("No changes. As far as selected,")
    assert left_out in settled
    shop.call("apply", "--auto-approve")
    assert shop.sent()[3:] == ["pay scale"]
    assert "shop/old" not in shop.state["components"]
    shop.ensure_settled()


def test_a_dependency_that_is_left_out_is_warned_of(shop: ProjectFolder) -> None:
    """The apply goes on: it is what was asked for. Once the dependency is as wished there is nothing to warn of."""
    told = shop.call("apply", "--auto-approve", "--target", "shop/web").out
    assert "shop/web   dependency_left_out: depends on shop/api, which this plan leaves out" in told
    assert "A new plan of the same selection is empty." in told
    assert shop.sent() == ["web scale"]
    shop.manifest(MANIFEST % {"number": 2})
    told = shop.call("plan", "--target", "shop/web").out
    assert "Warnings" not in told
    cut = shop.call("plan", "--target", "shop/web", "--with-dependencies", "--exclude", "shop/db").out
    assert "shop/api   dependency_left_out: depends on shop/db, which --exclude leaves out" in cut


def test_drift_of_a_part(shop: ProjectFolder) -> None:
    """By label as well; what is not looked at is named."""
    shop.disturb("shop/pay", replicas=9)
    assert shop.call("drift", code=2).out
    told = shop.call("drift", "--selector", "team=platform").out
    assert told.startswith("2 left out, not selected: shop/pay, shop/web.\nNo drift")
    refreshed = shop.call("refresh", "--auto-approve", "--json", "--target", "shop/web").document
    assert refreshed["left_out"] == ["shop/api", "shop/db", "shop/old", "shop/pay"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "--selector", "team=shpo"], "did you mean team=shop?"),
        (["plan", "--selector", "team=x"], "the values of team are platform, shop and what variables hold"),
        (["apply", "--auto-approve", "--selector", "owner"], "the labels are team, tier"),
        (["drift", "--selector", "tier!=batch"], "the values of tier are store, web"),
        (["plan", "--target", "shop/web", "--selector", "team=platform"], "--target and --selector together leave no"),
        (["plan", "--selector", "team in (shop)"], "is no condition on a label"),
        (["refresh", "--selector", "team=shop"], "there is no option --selector"),
        (["apply", "saved.plan", "--selector", "team=shop"], "--selector can't be used with a saved plan"),
        (["apply", "saved.plan", "--with-dependencies"], "--with-dependencies can't be used with a saved plan"),
    ],
)
def test_what_can_not_be_meant_is_exit_64(shop: ProjectFolder, arguments: list[str], says: str) -> None:
    """With what there is to choose from; what a variable holds is not among it."""
    refused = shop.call(*arguments, code=64)
    assert says in refused.err
    assert TOKEN not in refused.all
    assert shop.sent() == []
