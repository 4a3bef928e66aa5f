"""Guards, freezes and approval by risk through the real command line: plans, saved plans, drift, raw actions."""

from __future__ import annotations

from typing import Any

import pytest
from e2e_project import Done, ProjectFolder

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      pay: {version: 3.0.1, replicas: 4}
      search: {version: 2.1.0, replicas: 4, gray: {version: 2.2.0, weight: 10}}
"""
MANIFEST = """\
application: shop
components:
  cart: {version: 1.4.2, replicas: 4}
  pay: {replicas: 4, lifecycle: {drift: correct}}
  search: {version: 2.1.0, gray: {version: 2.2.0, weight: 10}}
"""
ALWAYS = """\
guards:
  freeze:
    - {reason: all the time, from: 2020-01-01 00:00, to: 2020-01-02 00:00, timezone: UTC, repeat: FREQ=DAILY}
"""


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A project whose manifests are applied, without a freeze."""
    project.seed(SEED)
    project.manifest(MANIFEST)
    project.call("apply", "--auto-approve")
    return project


def edited(shop: ProjectFolder, **replicas: int) -> None:
    """Other numbers of instances in the manifest."""
    for name, number in replicas.items():
        version = "version: 1.4.2, " if name == "cart" else ""
        shop.edit("manifests/shop.yaml", f"{name}: {{{version}replicas: 4", f"{name}: {{{version}replicas: {number}")


def summary(done: Done) -> dict[str, Any]:
    return done.events[-1]


# Saved plans


def test_a_freeze_that_began_after_the_plan_was_saved_holds_it_up(shop: ProjectFolder) -> None:
    """What it does not let pass is not sent, and said; the rest is; after the freeze the same file does the rest."""
    edited(shop, cart=6, pay=3)
    sent = shop.sent()
    shop.call("plan", "--out", "it.plan")
    shop.configure(more=ALWAYS)
    told = shop.run("apply", "it.plan", code=3)
    assert "freeze: frozen until" in told.out
    assert "blocks shop/pay" in told.out
    assert shop.sent() == [*sent, "cart scale"]
    shop.configure()
    shop.call("apply", "it.plan")
    assert shop.sent() == [*sent, "cart scale", "pay scale"]
    shop.ensure_settled()


def test_an_override_of_the_plan_holds_when_it_is_applied(shop: ProjectFolder) -> None:
    """It was part of what was approved; and the events and the state remember it."""
    edited(shop, pay=3)
    shop.configure(more=ALWAYS)
    shop.call("plan", "--out", "it.plan", "--override", "freeze")
    done = shop.call("apply", "it.plan", "--json")
    assert summary(done)["done"] == 1
    [overridden] = [event for event in done.events if event["type"] == "overridden"]
    assert (overridden["codes"], overridden["@level"]) == (["freeze"], "warn")
    [entry] = shop.state["overridden"]
    assert (entry["codes"], entry["run_id"]) == (["freeze"], overridden["run_id"])
    assert "freeze" in shop.call("state", "list").out


def test_a_limit_that_was_tightened_meanwhile_counts(shop: ProjectFolder) -> None:
    """Nothing could be sent: exit code 4."""
    edited(shop, pay=3)
    sent = shop.log()
    shop.call("plan", "--out", "it.plan")
    shop.configure(more="guards: {min_replicas: 4}\n")
    told = shop.call("apply", "it.plan", code=4)
    assert "min_replicas: 4 -> 3 instances" in told.out
    assert shop.log() == sent
    assert summary(shop.call("apply", "--json", "it.plan", code=4))["blocked"] == 1


def test_a_share_is_one_of_the_whole_project_also_where_nothing_is_recorded_yet(project: ProjectFolder) -> None:
    """A saved plan for four of twelve, the first one of a project: no more than it was when it was made."""
    names = [f"c{n:02}" for n in range(14)]
    seed = "".join(f"      {name}: {{version: 1.0.0, replicas: 4}}\n" for name in names)
    project.seed(f"applications:\n  shop:\n    environment: prod\n    components:\n{seed}")
    wishes = "".join(f"  {name}: {{replicas: {5 if n < 4 else 4}}}\n" for n, name in enumerate(names))
    project.manifest(f"application: shop\ncomponents:\n{wishes}")
    project.call("plan", "--out", "it.plan", "--target", "shop/c0*")
    project.call("apply", "it.plan")
    assert len(project.sent()) == 4


# Risks


def test_only_approved_risks_run_and_the_rest_stays_pending(shop: ProjectFolder) -> None:
    """Without a prompt; exit code 3 while something waits; --auto-approve means all."""
    edited(shop, cart=6, pay=3)
    shop.edit("manifests/shop.yaml", "weight: 10", "weight: 30")
    sent = shop.sent()
    told = shop.run("apply", "--approve", "scale_up,traffic:20", code=3)
    assert "--approve traffic:30" in told.out
    assert shop.sent() == [*sent, "cart scale"]
    shop.call("plan", "--out", "it.plan")
    assert summary(shop.call("apply", "--json", "--approve", "traffic:30", "it.plan", code=3))["held_back"] == 1
    assert shop.sent() == [*sent, "cart scale", "search modify_gray_rule"]
    shop.call("apply", "--approve", "revert", "--auto-approve")
    assert shop.sent()[-1] == "pay scale"
    shop.ensure_settled()


def test_nothing_approved_sends_nothing(shop: ProjectFolder) -> None:
    """All of it is held back, and told."""
    edited(shop, pay=3)
    sent = shop.log()
    told = shop.call("apply", "--approve", "revert", code=3)
    assert "waits for the approval of its risk, scale_down" in told.out
    assert shop.log() == sent


def test_drift_is_put_back_by_approved_risk_and_not_against_a_freeze(shop: ProjectFolder) -> None:
    """`drift` says beforehand that it will not be, and why."""
    shop.disturb("shop/pay", replicas=6)
    shop.configure(more=ALWAYS)
    sent = shop.log()
    told = shop.call("drift", code=2)
    assert "freeze: frozen until" in " ".join(told.out.split())
    shop.call("drift", "--correct", "--auto-approve", code=4)
    shop.configure()
    shop.call("drift", "--correct", "--approve", "scale_up", code=3)
    assert shop.log() == sent
    shop.call("drift", "--correct", "--approve", "scale_down")
    assert shop.shown("pay")[2] == 4


# Raw actions


def test_a_raw_action_meets_the_same_guards(shop: ProjectFolder) -> None:
    """Nobody gets around a freeze, a floor or a step by another command; and the overrides are the same."""
    shop.configure(more=ALWAYS + "  min_replicas: 3\n  max_weight_step: 25\n")
    sent = shop.sent()
    for verb, code in (
        ("restart shop/cart", "freeze"),
        ("scale shop/cart --replica 1", "max_scale_down"),
        ("scale shop/cart --replica 2 --override freeze", "min_replicas"),
        ("modify_gray_rule shop/search --weight 36 --override freeze", "max_weight_step"),
        ("continue_deploy shop/search --override freeze", "max_weight_step"),
    ):
        told = shop.call("action", *verb.split(), "--auto-approve", code=4)
        assert f"{code}: " in told.out
    assert shop.sent() == sent
    shop.call("action", "scale", "shop/cart", "--replica", "5", "--auto-approve")
    shop.call("action", "sync_workload", "shop/cart", "--auto-approve")
    shop.call("action", "restart", "shop/cart", "--auto-approve", "--override", "freeze")
    assert shop.sent() == [*sent, "cart scale", "cart sync_workload", "cart restart"]
    assert [entry["codes"] for entry in shop.state["overridden"]] == [["freeze"]]


# A shared calendar


def test_a_shared_file_that_is_missing_lets_only_a_revert_pass(shop: ProjectFolder) -> None:
    """Found from the folder of the project, or anywhere else; it is read again for every run."""
    shop.configure(more="guards: {freeze_from: ../company/freezes.yaml}\n")
    edited(shop, pay=6)
    shop.edit("manifests/shop.yaml", "version: 1.4.2", "version: 1.4.1")
    sent = shop.sent()
    told = shop.run("apply", "--auto-approve", code=3)
    assert "freeze_unreadable: guards.freeze_from: " in told.out
    assert shop.sent()[len(sent)] == "cart rollback"
    assert "pay scale" not in shop.sent()
    company = shop.root.parent / "company"
    company.mkdir()
    (company / "freezes.yaml").write_text("[]\n", encoding="utf-8")
    shop.call("apply", "--auto-approve")
    assert shop.sent()[-1] == "pay scale"
    shop.ensure_settled()
