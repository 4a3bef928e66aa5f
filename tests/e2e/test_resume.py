"""What an interrupted run leaves behind: reported by plans, taken up, and settled by a person where nothing tells."""

from __future__ import annotations

import json
import signal

import pytest
from e2e_project import ProjectFolder

SEED = """
sandbox: {job_seconds: 0.1, stale_ms: 0}
faults: [{kind: reset, method: POST, action: restart, times: 1, executed: false}]
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4}
      pay: {version: 3.0.1, replicas: 2}
"""
MANIFEST = 'application: shop\ncomponents:\n  cart: {replicas: 4, restart: "1"}\n  pay: {replicas: 2}\n'
"""The connection breaks while the first restart is sent."""


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """Recorded as it runs."""
    project.seed(SEED)
    project.manifest(MANIFEST)
    project.call("apply", "--auto-approve")
    return project


def folder_of(project: ProjectFolder) -> dict[str, bytes]:
    """Everything that is kept of the state, and of its lock."""
    return {
        path.name: path.read_bytes() for path in (project.root / ".statetool").glob("state.json*") if path.is_file()
    }


def want(project: ProjectFolder, old: str, new: str) -> None:
    project.edit("manifests/shop.yaml", old, new)


def test_a_killed_run_is_reported_and_taken_up(shop: ProjectFolder) -> None:
    """kill -9 while an instance does not get healthy: plans tell, resume follows it to its end, and all is settled."""
    shop.disturb("shop/pay", available_replicas=1)
    want(shop, "pay: {replicas: 2}", "pay: {replicas: 3}")
    with shop.start("apply", "--auto-approve", "--json") as run:
        # So many looks take longer than the job: it has ended, and the instance is waited for.
        run.wait_for_event("action_progress", 6)
        run.signal(signal.SIGKILL)
        run.end(-signal.SIGKILL)
    findings = shop.plan(code=0)["findings"]
    assert [(f["code"], f["severity"], f["address"]) for f in findings] == [("interrupted_run", "warn", "shop/pay")]
    assert "interrupted_run" in shop.call("drift", code=None).out
    explained = shop.call("explain", "shop/pay", "--json").document["operations"]
    assert [(one["verb"], one["last"]) for one in explained] == [("scale", "accepted")]
    assert shop.call("explain", "shop/cart", "--json").document["operations"] == []
    shop.disturb("shop/pay", status="RUNNING")
    lines = shop.call("apply", "--resume").out.splitlines()
    assert lines[0].startswith("An earlier run was interrupted (run ")
    assert lines[1].startswith("  shop/pay   scale   asked for at ")
    assert lines[2] == "Taken up: 1 done."
    assert shop.call("apply", "--resume").out == "Nothing to take up.\n"
    assert shop.sent() == ["pay scale"]
    shop.ensure_settled()


@pytest.mark.parametrize("did_run", [True, False])
def test_a_person_settles_what_nothing_tells(shop: ProjectFolder, did_run: bool) -> None:
    """The answer to a restart is lost, and whether it ran is not to be seen: only a person can say."""
    want(shop, 'restart: "1"', 'restart: "2"')
    failed = shop.call("apply", "--auto-approve", code=3)
    assert "blocked: operation_parked" in failed.out
    plan = shop.plan(code=4)
    [operation] = [f["hint"].split()[8] for f in plan["findings"] if f["code"] == "operation_parked"]
    assert shop.call("apply", "--auto-approve", code=4).out.startswith("An earlier run (run ")
    assert operation in shop.call("apply", "--resume", code=3).out
    unknown = shop.call("state", "resolve", "shop/cart#9.9@9", "--did-not", "--auto-approve", code=1)
    assert f"parked: {operation}" in unknown.err
    kept = folder_of(shop)
    shown = shop.call("state", "resolve", operation)
    assert "no newer job is to be seen" in shown.out
    assert [line.strip() for line in shown.out.splitlines()[-2:]] == [
        f"statetool state resolve {operation} {choice}" for choice in ("--did-run", "--did-not")
    ]
    document = shop.call("state", "resolve", operation, "--json").document
    assert (document["operation"], document["now"]["status"]) == (operation, "RUNNING")
    assert not {"did_run", "by", "reason", "recorded"} & document.keys()
    assert folder_of(shop) == kept
    word = "--did-run" if did_run else "--did-not"
    said = shop.call("state", "resolve", operation, word, "--reason", "looked", "--auto-approve")
    assert "no newer job is to be seen" in said.out
    assert "wish for restart" in said.out if did_run else "did not run" in said.out
    actions = [action["verb"] for action in shop.plan(code=0)["actions"]]
    assert actions == ([] if did_run else ["restart"])
    shop.call("apply", "--auto-approve")
    assert shop.sent() == ([] if did_run else ["cart restart"])
    shop.ensure_settled()


def test_a_word_is_taken_where_the_platform_is_out_of_reach(shop: ProjectFolder) -> None:
    """It is told, and does not stop it."""
    want(shop, 'restart: "1"', 'restart: "2"')
    shop.call("apply", "--auto-approve", code=3)
    [finding] = shop.plan(code=4)["findings"]
    shop.configure("http://127.0.0.1:9")
    told = shop.call("state", "resolve", finding["hint"].split()[8], "--did-run", "--auto-approve", "--json").document
    assert told["now"] is None
    assert "credentials" in told["unreached"]
    assert told["recorded"] == ["restart"]
    shop.configure()
    shop.ensure_settled()


def test_a_saved_plan_is_applied_after_what_was_open_is_told(shop: ProjectFolder) -> None:
    """The plan that is executed stands below it, once."""
    want(shop, 'restart: "1"', 'restart: "2"')
    want(shop, "pay: {replicas: 2}", "pay: {replicas: 3}")
    shop.call("apply", "--auto-approve", "--target", "shop/cart", code=3)
    shop.call("plan", "--out", "saved.plan", "--override", "freeze", code=4)
    lines = shop.call("apply", "saved.plan", code=3).out.splitlines()
    assert lines[0].startswith("An earlier run (run ")
    assert lines[1].startswith("  shop/cart   restart")
    assert lines[4] == "statetool will perform the following actions:"
    assert lines.count(lines[4]) == 1
    assert shop.sent() == ["pay scale"]


def test_a_journal_of_another_state_is_told_and_folded_nowhere(shop: ProjectFolder) -> None:
    """The state was swapped by hand while an operation is parked: nothing goes on until one of the two is put right."""
    want(shop, 'restart: "1"', 'restart: "2"')
    shop.call("apply", "--auto-approve", code=3)
    kept = shop.state
    swapped = shop.write(".statetool/state.json", json.dumps({**kept, "lineage": "another"})).read_bytes()
    for command in ("plan", "apply --auto-approve", "apply --resume", "state rm shop/pay", "state list", "doctor"):
        said = " ".join(shop.call(*command.split(), code=1).all.split())
        assert f"belongs to one of lineage {kept['lineage']}" in said, command
    assert "1 operation left open" in shop.call("lock", "show").out
    assert (shop.root / ".statetool/state.json").read_bytes() == swapped
    shop.write(".statetool/state.json", json.dumps(kept))
    shop.plan(code=4)
    shop.write(".statetool/state.json", swapped)
    (shop.root / ".statetool/state.json.journal").rename(shop.root / "set-aside.journal")
    shop.call("apply", "--auto-approve")
    assert shop.state["lineage"] == "another"


def test_a_state_made_anew_belongs_to_the_journal_that_is_left(shop: ProjectFolder) -> None:
    """The file is gone, and an operation is parked: a new state goes on with it, and no other can take its place."""
    want(shop, 'restart: "1"', 'restart: "2"')
    shop.call("apply", "--auto-approve", code=3)
    kept = shop.state
    (shop.root / ".statetool/state.json").unlink()
    shop.write("other.json", json.dumps({**kept, "lineage": "another"}))
    assert "foreign_journal" in shop.call("state", "push", "other.json", "--auto-approve", code=1).err
    assert not (shop.root / ".statetool/state.json").exists()
    shop.call("apply", "--auto-approve", code=4)
    assert shop.state["lineage"] == kept["lineage"]
    assert [f["code"] for f in shop.plan(code=4)["findings"]] == ["operation_parked"]


def test_a_first_state_fits_what_was_sent_before_there_was_one(project: ProjectFolder) -> None:
    """An action on a component that nobody manages needs no state: what it left open belongs to whichever comes."""
    project.seed(SEED)
    project.manifest(MANIFEST)
    project.call("action", "restart", "shop/cart", "--auto-approve", code=3)
    assert not (project.root / ".statetool/state.json").exists()
    project.call("apply", "--auto-approve", code=None)
    assert project.state["serial"] == 1
    assert [f["code"] for f in project.plan(code=4)["findings"]] == ["operation_parked"]
