"""Mode observe through the real command line: everything is shown, what runs is recorded, and nothing is sent."""

from __future__ import annotations

from e2e_project import ProjectFolder

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      pay: {version: 3.0.1, replicas: 4}
  crm:
    environment: prod
    components:
      mail: {version: 1.0.0, replicas: 2}
"""

MANIFEST = """\
application: shop
components:
  cart: {replicas: 6, lifecycle: {drift: correct}}
  pay: {version: 3.0.1}
---
application: crm
components:
  mail: {replicas: 3}
"""


def watched(project: ProjectFolder, mode: str = "mode: observe\n") -> None:
    project.configure(more=mode)
    project.seed(SEED)
    project.manifest(MANIFEST)


def test_everything_is_shown_and_nothing_is_sent(project: ProjectFolder) -> None:
    """plan and apply exit 4 and name the way out; what only has to be recorded is; a second apply changes nothing."""
    watched(project)
    told = project.run("plan", code=4)
    assert "observe_mode: replicas 4 -> 6 (scale) is not sent: mode: observe in statetool.yaml" in told.out
    assert "manage" in told.out
    project.run("apply", "--auto-approve", code=4)
    assert project.log() == []
    assert list(project.state["components"]) == ["shop/pay"]
    before = project.state
    project.call("apply", "--auto-approve", code=4)
    assert project.state == before


def test_an_application_under_manage_is_changed(project: ProjectFolder) -> None:
    """That one only; the rest is denied, which makes the run a partial one."""
    watched(project, "mode: observe\nmanage: [crm]\n")
    project.call("apply", "--auto-approve", code=3)
    assert project.sent() == ["mail scale"]
    assert project.plan(code=4)["summary"]["actions"] == 0


def test_a_saved_plan_is_judged_by_the_configuration_of_its_apply(project: ProjectFolder) -> None:
    """Made where everything was allowed, carried out where only crm is, then where all is again."""
    watched(project, "")
    project.call("plan", "--out", "it.plan")
    project.configure(more="mode: observe\n")
    told = project.call("apply", "it.plan", code=4)
    assert "not sent" in told.out
    assert project.log() == []
    project.configure(more="mode: observe\nmanage: [crm]\n")
    summary = project.run("apply", "--json", "it.plan", code=3).events[-1]
    assert (summary["done"], summary["blocked"], summary["exit_code"]) == (1, 1, 3)
    assert project.sent() == ["mail scale"]
    project.configure()
    project.call("apply", "it.plan")
    assert sorted(project.sent()) == ["cart scale", "mail scale"]
    project.ensure_settled()


def test_a_plan_that_was_saved_in_mode_observe_holds_no_action(project: ProjectFolder) -> None:
    """It was denied when it was made; another mode later does not bring back what was never in it."""
    watched(project)
    project.call("plan", "--out", "it.plan", code=4)
    project.configure()
    project.call("apply", "it.plan", code=4)
    assert project.log() == []


def test_drift_is_reported_and_not_corrected(project: ProjectFolder) -> None:
    """`drift` finds as much as ever; `drift --correct` is an apply, and denied like one."""
    watched(project, "")
    project.call("apply", "--auto-approve")
    project.configure(more="mode: observe\n")
    project.disturb("shop/cart", replicas=9)
    sent = project.log()
    assert "observe_mode" in project.run("drift", code=2).out
    project.run("drift", "--correct", "--auto-approve", code=4)
    project.call("apply", "--correct-drift", "--auto-approve", code=4)
    assert project.log() == sent
    project.configure(more="mode: observe\nmanage: [shop]\n")
    project.call("drift", "--correct", "--auto-approve")
    assert project.shown("cart")[2:] == (6, 6)
    project.call("drift")


def test_a_raw_action_is_refused_unless_it_changes_nothing(project: ProjectFolder) -> None:
    """`action` is under the mode like an apply; to have a workload read again changes nothing that runs."""
    watched(project)
    told = project.run("action", "restart", "shop/cart", "--auto-approve", code=4)
    assert "observe_mode: restart is not sent" in told.out
    assert project.log() == []
    project.call("action", "sync_workload", "shop/cart", "--auto-approve")
    assert project.sent() == ["cart sync_workload"]
    project.configure(more="mode: observe\nmanage: [shop]\n")
    project.call("action", "restart", "shop/cart", "--auto-approve")
    assert project.sent() == ["cart sync_workload", "cart restart"]
