"""Refreshing what was seen: shown, asked for, recorded, and never a way to make drift go away."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from e2e_project import ProjectFolder
from e2e_terminal import on_terminal

from statetool.schema import validator

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4}
      pay: {version: 3.0.1, replicas: 4}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 20}}
      off: {version: 1.0.0, replicas: 1, status: STOPPED}
"""

MANIFEST = """\
application: shop
components:
  cart: {replicas: 4, lifecycle: {drift: correct}}
  pay: {version: 3.0.1, replicas: 4}
  search: {version: 2.1.0, gray: {version: 2.2.0, weight: 20}}
  off: {state: stopped}
"""


def recorded(project: ProjectFolder, switches: str = "") -> None:
    """A project whose state knows what is there."""
    project.seed(switches + SEED)
    project.manifest(MANIFEST)
    project.call("apply", "--auto-approve")


def seen(project: ProjectFolder, address: str) -> dict[str, Any]:
    return dict(project.state["components"][address]["seen"])


def wishes(project: ProjectFolder) -> dict[str, Any]:
    return {address: entry["wish"] for address, entry in project.state["components"].items()}


def drift(project: ProjectFolder) -> list[tuple[str, str, Any, Any]]:
    document = project.call("drift", "--json", code=2).document
    return [(entry["address"], entry["path"], entry["wish"], entry["observed"]) for entry in document["left_alone"]]


def test_what_moved_is_shown_and_recorded_and_stays_drift(project: ProjectFolder) -> None:
    """Values and times; the wish is untouched, `drift` says the same, and may be corrected as before."""
    recorded(project)
    project.disturb("shop/cart", replicas=8)
    project.disturb("shop/search", weight=50)
    before, told_before = wishes(project), drift(project)
    assert len(told_before) == 2
    told = project.run("refresh", "--auto-approve").out
    for part in ("shop/cart", "4 -> 8", "gray.weight", "20 % -> 50 %", "last seen", "2 changed, 2 as last seen"):
        assert part in told
    assert seen(project, "shop/cart")["replicas"] == 8
    assert seen(project, "shop/search")["gray"]["weight"] == 50
    assert wishes(project) == before
    assert drift(project) == told_before
    assert project.log() == []
    state = project.state
    assert project.run("refresh", "--auto-approve").out == "Refresh: 4 as last seen.\n"
    assert project.state == state
    project.call("drift", "--correct", "--auto-approve", code=2)
    assert project.shown("cart")[2:] == (4, 4)


def test_a_change_back_is_no_drift_any_more(project: ProjectFolder) -> None:
    """What was seen in between is history."""
    recorded(project)
    project.disturb("shop/cart", replicas=8)
    project.call("refresh", "--auto-approve")
    project.disturb("shop/cart", replicas=4)
    project.call("refresh", "--auto-approve")
    project.call("drift")
    project.ensure_settled()


def test_only_what_is_selected_is_refreshed(project: ProjectFolder) -> None:
    """A glob that fits nothing is a slip."""
    recorded(project)
    project.disturb("shop/cart", replicas=8)
    project.disturb("shop/pay", replicas=8)
    project.call("refresh", "--auto-approve", "--target", "shop/c*")
    assert (seen(project, "shop/cart")["replicas"], seen(project, "shop/pay")["replicas"]) == (8, 4)
    project.call("refresh", "--auto-approve", "--exclude", "shop/pay")
    assert seen(project, "shop/pay")["replicas"] == 4
    assert "did you mean shop/pay" in project.run("refresh", "--auto-approve", "--target", "shop/pai", code=64).err


def test_the_document(project: ProjectFolder) -> None:
    """Pure JSON on stdout, by its schema; the serial only where a state was written."""
    recorded(project)
    project.disturb("shop/cart", replicas=8)
    document = project.run("refresh", "--json", "--auto-approve").document
    assert not list(validator("refresh").iter_errors(document))
    assert {change["path"]: (change["before"], change["after"]) for change in document["changes"]} == {
        "replicas": (4, 8),
        "available_replicas": (4, 8),
    }
    assert document["serial"] == project.state["serial"]
    assert document["summary"] == {"changed": 1, "unchanged": 3, "missing": 0, "busy": 0}
    again = project.call("refresh", "--json", "--auto-approve").document
    assert (again["serial"], again["changes"]) == (None, [])


def test_what_is_busy_or_missing_stays_as_it_was_seen(project: ProjectFolder) -> None:
    """Both are named; nothing leaves the state here."""
    recorded(project)
    before = project.state
    project.disturb("shop/pay", status="UPGRADING")
    told = project.run("refresh", "--auto-approve").out
    assert "Busy, left as they were seen last (1):\n  shop/pay   UPGRADING" in told
    assert project.state == before
    project.seed(SEED.replace("      pay: {version: 3.0.1, replicas: 4}\n", ""))
    told = project.run("refresh", "--auto-approve").out
    assert "Missing on the platform (1):\n  shop/pay   kept in the state" in told
    assert "shop/pay" in project.state["components"]


def test_nothing_recorded_yet(project: ProjectFolder) -> None:
    """There is nothing that could be refreshed, and no empty state is made of it."""
    project.seed(SEED)
    assert "no_state" in project.run("refresh", "--auto-approve", code=1).err
    assert not (project.root / ".statetool/state.json").exists()


# Asking


@pytest.mark.parametrize(("typed", "code", "is_recorded"), [("yes\n", 0, True), ("no\n", 7, False), ("", 130, False)])
def test_a_person_is_asked(project: ProjectFolder, typed: str, code: int, is_recorded: bool) -> None:
    """After everything was shown; anything but yes is no, and so is Ctrl-C."""
    recorded(project)
    project.disturb("shop/cart", replicas=8)
    with on_terminal(project, "refresh") as screen:
        screen.until("Only `yes` is taken: ")
        assert "4 -> 8" in screen.shown
        screen.type(typed) if typed else screen.child.send_signal(signal.SIGINT)
        assert screen.end() == code
    assert (seen(project, "shop/cart")["replicas"] == 8) is is_recorded
    if is_recorded:
        assert project.call("refresh", "--auto-approve").out == "Refresh: 4 as last seen.\n"


def test_without_a_terminal_it_must_be_said(project: ProjectFolder) -> None:
    """Before anything is read."""
    for arguments in (["refresh"], ["refresh", "--json"]):
        told = project.run(*arguments, code=64).all
        assert "--auto-approve" in told
        assert "saved plan" not in told


# Reading workloads again


def test_the_platform_is_asked_to_read_workloads_again_first(project: ProjectFolder) -> None:
    """Those in a status that allows it: all in one request, then a count of each; waited for, then seen."""
    recorded(project)
    before, told_before = wishes(project), project.shown("cart")
    told = project.run("refresh", "--sync-workload", "--auto-approve")
    entry, *counted = project.log()
    assert (entry.path.endswith("/components/action"), entry.body["action"]) == (True, "sync_workload")
    assert len(entry.body["components"]) == 2
    assert [(one.method, one.path.rpartition("/")[2]) for one in counted] == [("PUT", "refresh")] * 2
    assert all(one.status_code < 300 for one in project.log())
    assert "Not read again by the platform in this status (2):" in told.out
    assert "waiting" in told.err
    job = project.look("cart")["detail"]["status"]["last_job_id"]
    assert seen(project, "shop/cart")["last_job_id"] == job
    assert project.shown("cart") == told_before
    assert wishes(project) == before
    project.ensure_settled()


def test_only_selected_workloads_are_read_again(project: ProjectFolder) -> None:
    """And only recorded ones."""
    recorded(project)
    document = project.call("refresh", "--sync-workload", "--target", "shop/[co]*", "--json", "--auto-approve").document
    entry, _ = project.log()
    assert len(entry.body["components"]) == 1
    assert [one["address"] for one in document["not_synced"]] == ["shop/off"]


def test_mode_observe_allows_it(project: ProjectFolder) -> None:
    """Reading again changes nothing that runs, and a state is ours to write."""
    recorded(project)
    project.configure(more="mode: observe\n")
    project.disturb("shop/cart", replicas=8)
    project.call("refresh", "--sync-workload", "--auto-approve")
    assert len(project.log()) == 3
    assert seen(project, "shop/cart")["replicas"] == 8
    assert drift(project) == [("shop/cart", "replicas", 4, 8)]


def test_an_interrupted_wait_records_nothing(project: ProjectFolder) -> None:
    """The platform goes on reading; the state is as it was."""
    recorded(project)
    with project.world(job_seconds=600):
        pass
    before = project.state
    with project.start("refresh", "--sync-workload", "--auto-approve") as running:
        running.wait_for_line("waiting")
        running.signal(signal.SIGINT)
        done = running.end(130)
    assert "nothing was recorded" in done.err
    assert project.state == before
