"""Gray releases of other people are safe, and a version that was taken back does not come again by itself."""

from __future__ import annotations

import pytest
from e2e_project import ProjectFolder

COLLEAGUE = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      search: {version: 2.1.0, replicas: 5, history: [2.0.0], gray: {version: 2.2.0, weight: 10}}
      pay: {version: 3.0.1, replicas: 2}
"""

GRAY = """\
application: shop
components:
  search:
    version: 2.1.0
    gray: {version: 2.2.0, weight: 20}
"""
NO_GRAY = "application: shop\ncomponents:\n  search: {version: 2.1.0}\n"


def codes(document: dict[str, object], severity: str) -> list[tuple[str, str]]:
    """(address, code) of the findings of one severity."""
    findings = document["findings"]
    assert isinstance(findings, list)
    return [(f["address"], f["code"]) for f in findings if f["severity"] == severity]


@pytest.mark.parametrize("managed", ["", "  search: {replicas: 9}\n"], ids=["unmanaged", "managed beside it"])
def test_scaling_one_component_leaves_a_colleagues_gray_release_alone(project: ProjectFolder, managed: str) -> None:
    """Detail and records of the other component are the same before and after; where a manifest wants it at
    another number of instances while it is graying, that is held back."""
    project.seed(COLLEAGUE)
    project.manifest("application: shop\ncomponents:\n  cart: {replicas: 7}\n" + managed)
    before = project.look("search")
    project.run("apply", "--auto-approve", code=3 if managed else 0)
    assert project.look("search") == before
    assert project.sent() == ["cart scale"]
    if managed:
        assert [item["path"] for item in project.plan("--detailed-exitcode", code=2)["held_back"]] == ["replicas"]
        project.call("apply", "--auto-approve", code=3)
        assert project.sent() == ["cart scale"]
    else:
        project.ensure_settled()


def test_a_strangers_gray_release_denies_its_component_alone(project: ProjectFolder) -> None:
    """The version of `search` may not be changed while a candidate that no manifest names is out; the others
    are, the exit code is 3, and the same holds the second time."""
    project.seed(COLLEAGUE)
    project.manifest(
        "application: shop\ncomponents:\n"
        "  cart: {version: 1.4.1}\n  search: {version: 2.0.0, replicas: 6}\n  pay: {replicas: 3}\n"
    )
    before = project.look("search")
    document = project.plan(code=4)
    assert codes(document, "deny") == [("shop/search", "foreign_gray_release")]
    done = project.run("apply", "--auto-approve", code=3)
    assert sorted(project.sent()) == ["cart rollback", "pay scale"]
    assert project.look("search") == before
    assert "Blocked (1)" in done.out
    assert "foreign_gray_release" in done.out
    assert "shop/search" not in project.state["components"]
    sent = project.log()
    project.call("apply", "--auto-approve", code=4)
    assert project.log() == sent


def test_a_gray_release_ended_outside_is_listed_and_not_started_again(project: ProjectFolder) -> None:
    """Nobody changed the manifest, so nothing is sent, however often it is applied."""
    project.seed(COLLEAGUE)
    project.manifest(GRAY)
    project.call("apply", "--auto-approve")
    project.disturb("shop/search", end_gray="rollback")
    sent = project.log()
    for _ in range(2):
        done = project.run("apply", "--auto-approve")
        assert project.log() == sent
        assert "Changed outside, left alone (2)" in done.out
        assert "gray.version" in done.out
        assert "gray.weight" in done.out
    assert project.call("plan", "--detailed-exitcode").out == done.out
    assert project.shown("search")[0] == "2.1.0"


def test_a_version_we_took_back_is_refused_until_it_is_cleared(project: ProjectFolder) -> None:
    """Abort by removing `gray`, then put it back: denied with the reason and what to write, exit 4; another
    version or `rollout clear` changes the answer."""
    project.seed(COLLEAGUE)
    project.manifest(GRAY)
    project.call("apply", "--auto-approve")
    project.manifest(NO_GRAY)
    project.call("apply", "--auto-approve")
    assert project.sent() == ["search modify_gray_rule", "search rollback"]
    project.ensure_settled()

    project.manifest(GRAY)
    planned = project.run("plan", code=4)
    assert "version_rejected" in planned.out
    assert "2.2.0" in planned.out
    assert "rollout clear shop/search 2.2.0" in planned.out
    sent = project.log()
    refused = project.run("apply", "--auto-approve", code=4)
    assert "version_rejected" in refused.out
    assert project.log() == sent
    assert codes(project.plan(code=4), "deny") == [("shop/search", "version_rejected")]

    cleared = project.run("rollout", "clear", "shop/search", "2.2.0", "--reason", "fixed upstream")
    assert "fixed upstream" in cleared.out
    project.call("rollout", "clear", "shop/search", "2.2.0", "--reason", "again", code=1)
    assert project.log() == sent
    project.call("apply", "--auto-approve")
    assert project.sent()[2:] == ["search PUT"]
    project.ensure_settled()


def test_a_version_rejected_outside_is_remembered_too(project: ProjectFolder) -> None:
    """Ended in the console, then wished again by an edit of the manifest: denied, because it was taken back."""
    project.seed(COLLEAGUE)
    project.manifest(GRAY)
    project.call("apply", "--auto-approve")
    project.disturb("shop/search", end_gray="rollback")
    project.edit("manifests/shop.yaml", "weight: 20", "weight: 30")
    sent = project.log()
    refused = project.run("apply", "--auto-approve", code=4)
    assert "version_rejected" in refused.out
    assert "ended outside" in refused.out
    assert project.log() == sent
