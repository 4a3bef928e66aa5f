"""`statetool rollout`: a gray release is looked at, promoted, aborted and given another weight, on the sandbox."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from e2e_project import API, Done, ProjectFolder
from e2e_terminal import on_terminal

from statetool.schema import validator

SWITCHES = "sandbox: {job_seconds: 0.1, stale_ms: 0}\n"
SEED = """\
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.0, 1.4.1]}
      search: {version: 2.1.0, replicas: 5, history: [2.0.0], gray: {version: 2.2.0, weight: 10, remaining_batches: 3}}
      ads:
        version: 4.0.0
        replicas: 4
        gray:
          version: 4.1.0
          match: any
          rules:
            - {type: header, key: x-user-tier, condition: equal, value: beta}
            - {type: header, key: x-region, condition: in, value: "north,south"}
"""
MANIFEST = """\
application: shop
components:
  cart: {version: 1.4.2, replicas: 4}
  search: {version: 2.1.0, gray: {version: 2.2.0, weight: 10}}
"""


def start(project: ProjectFolder, **switches: str) -> None:
    """A world whose platform does what the documents leave open in this way."""
    told = "".join(f", {name}: {value}" for name, value in switches.items())
    project.seed(SWITCHES.replace("}", f"{told}}}") + SEED)


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A project whose manifests are applied."""
    start(project)
    return applied(project)


def applied(project: ProjectFolder) -> ProjectFolder:
    project.manifest(MANIFEST)
    project.call("apply", "--auto-approve")
    return project


def step(project: ProjectFolder, command: str, code: int | None = 0) -> Done:
    return project.call("rollout", *command.split(), "--auto-approve", code=code)


def status(project: ProjectFolder, address: str) -> dict[str, Any]:
    document = project.call("rollout", "status", address, "--json").document
    assert not list(validator("rollout").iter_errors(document))
    return dict(document)


def wishes(project: ProjectFolder) -> dict[str, Any]:
    return {address: entry["wish"] for address, entry in project.state["components"].items()}


def rejected(project: ProjectFolder, address: str = "shop/search") -> list[str]:
    return [entry["version"] for entry in project.state["components"][address]["rejected"]]


# --- status ----------------------------------------------------------------------------------------------------------


def test_an_open_release_is_drawn(shop: ProjectFolder) -> None:
    """Versions, traffic, instances, batches, times, whose it is, and what comes next."""
    told = shop.run("rollout", "status", "shop/search").out
    for part in (
        "shop/search   GRAYING\n  A gray release of 2.2.0 beside 2.1.0 is open.\n",
        "stable      2.1.0   [####################################....]   90 %",
        "candidate   2.2.0   [####....................................]   10 %",
        "5 of both versions, 5 available",
        "at most 3 left",
        f"run {shop.state['components']['shop/search']['run_id']}, which wished it at",
        "SUCCEEDED",
        "version 2.1.0, gray.version 2.2.0, gray.weight 10 % (manifests/shop.yaml:4)",
        "next apply   sends nothing",
    ):
        assert part in told, told


def test_a_status_takes_no_lock_and_writes_nothing(shop: ProjectFolder) -> None:
    """Also of what nobody manages: requests that read, and files as they were."""
    before = {path: path.read_bytes() for path in (shop.root / ".statetool").glob("state*")}
    for address in ("shop/search", "shop/cart", "shop/ads"):
        status(shop, address)
    assert {path: path.read_bytes() for path in (shop.root / ".statetool").glob("state*")} == before
    assert shop.log() == []


def test_a_release_by_content_from_outside(shop: ProjectFolder) -> None:
    """Its rules one a line; no wish names it, and no manifest describes it."""
    told = shop.call("rollout", "status", "shop/ads").out
    assert "requests that match any of:" in told
    assert "header x-region in north,south\n" in told
    assert "outside: no wish in the state names it" in told
    document = status(shop, "shop/ads")
    assert (document["release"]["match"], len(document["release"]["rules"]), document["release"]["by"]) == (
        "any",
        2,
        None,
    )
    assert (document["manifest"], document["next_apply"]["verdict"]) == (None, "unmanaged")


def test_what_serves_alone_is_named(shop: ProjectFolder) -> None:
    """Where no gray release is open."""
    assert "No gray release is open: 1.4.2 serves alone." in shop.call("rollout", "status", "shop/cart").out
    document = status(shop, "shop/cart")
    assert (document["phase"], document["version"], document["release"]) == ("none", "1.4.2", None)


def test_a_busy_component_tells_nothing_for_certain(shop: ProjectFolder) -> None:
    """And nobody waits for it."""
    shop.disturb("shop/cart", status="UPGRADING")
    assert "whether a gray release is open can't be told now" in shop.call("rollout", "status", "shop/cart").out
    document = status(shop, "shop/cart")
    assert (document["phase"], document["next_apply"]["verdict"]) == ("busy", "nothing")


def test_a_status_without_manifests_and_without_state(project: ProjectFolder) -> None:
    """Looking needs neither."""
    start(project)
    document = status(project, "shop/search")
    assert (document["phase"], document["manifest"], document["rejected"]) == ("open", None, [])
    assert not (project.root / ".statetool/state.json").exists()


def test_what_the_next_apply_does_follows_the_manifest(shop: ProjectFolder) -> None:
    """In one line, and in the document as in a plan."""
    shop.edit("manifests/shop.yaml", "weight: 10", "weight: 40")
    assert "next apply   modify_gray_rule weight=40" in shop.call("rollout", "status", "shop/search").out
    found = status(shop, "shop/search")["next_apply"]
    assert (found["verdict"], [action["verb"] for action in found["actions"]]) == ("acts", ["modify_gray_rule"])
    plan = shop.plan()
    assert found["actions"] == plan["actions"]


def test_rejected_versions_and_the_latch_are_told(shop: ProjectFolder) -> None:
    """With who, when and why; the next apply is denied for as long as the manifest wishes it."""
    step(shop, "abort shop/search")
    shop.edit("manifests/shop.yaml", "weight: 10", "weight: 20")
    told = shop.call("rollout", "status", "shop/search").out
    assert "rejected     2.2.0: aborted by statetool (by " in told
    assert "next apply   is denied: version_rejected" in told
    document = status(shop, "shop/search")
    assert [entry["version"] for entry in document["rejected"]] == ["2.2.0"]
    assert document["next_apply"]["verdict"] == "denied"


def test_the_timezone_is_the_configured_one(project: ProjectFolder) -> None:
    """As everywhere else."""
    project.configure(more="timezone: Asia/Shanghai\n")
    start(project)
    assert "+08:00\n" in project.call("rollout", "status", "shop/search").out


# --- promote ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gray_job", ["succeeded", "running"])
@pytest.mark.parametrize(("gray_continue", "requests"), [("all", 1), ("per_batch", 3)])
def test_a_promotion_goes_batch_by_batch(
    project: ProjectFolder, gray_continue: str, requests: int, gray_job: str
) -> None:
    """One action, as many requests as the platform wants; the wish stays, and the manifest is to be folded."""
    start(project, gray_continue=gray_continue, gray_job=gray_job)
    applied(project)
    before = wishes(project)
    done = step(project, "promote shop/search")
    assert project.sent() == ["search continue_deploy"] * requests
    assert project.shown("search") == ("2.2.0", "RUNNING", 5, 5)
    assert "version        2.1.0 -> 2.2.0" in done.out
    assert "asked for on the command line" in done.out
    assert "fold_needed" in done.out
    assert "write version: 2.2.0 and remove gray" in done.out
    assert wishes(project) == before
    assert project.state["components"]["shop/search"]["history"][-1]["verb"] == "continue_deploy"


def test_a_second_promotion_changes_nothing(shop: ProjectFolder) -> None:
    """An error that names what serves; the folded manifest is settled."""
    step(shop, "promote shop/search")
    sent, state = shop.log(), shop.state
    again = step(shop, "promote shop/search", 1)
    assert "error[no_gray_release]: no gray release is open: 2.2.0 serves alone" in again.err
    assert (shop.log(), shop.state) == (sent, state)
    shop.edit("manifests/shop.yaml", "version: 2.1.0, gray: {version: 2.2.0, weight: 10}", "version: 2.2.0")
    shop.call("apply", "--auto-approve")
    assert shop.log() == sent
    shop.ensure_settled()


# --- abort -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["rollback", "rollback_current"])
def test_an_abort_rejects_the_candidate(shop: ProjectFolder, verb: str) -> None:
    """By the verb that is configured; the wish stays, and neither the next apply nor a new wish brings it back."""
    shop.edit("statetool.yaml", "platform: {", f"platform: {{abort: {verb}, ")
    before = wishes(shop)
    done = step(shop, "abort shop/search")
    assert shop.sent() == [f"search {verb}"]
    assert shop.shown("search") == ("2.1.0", "RUNNING", 5, 5)
    assert "brings image search:2.2.0 -> search:2.1.0" in done.out
    assert "next_apply_refuses" in done.out
    assert (wishes(shop), rejected(shop)) == (before, ["2.2.0"])
    shop.call("apply", "--auto-approve")
    shop.edit("manifests/shop.yaml", "weight: 10", "weight: 20")
    assert "version_rejected" in shop.call("apply", "--auto-approve", code=4).out
    assert shop.sent() == [f"search {verb}"]
    again = step(shop, "abort shop/search", 1)
    assert "2.1.0 serves alone" in again.err


def test_an_abort_puts_the_number_of_instances_back(project: ProjectFolder) -> None:
    """Where the platform comes back with the fewer that it recorded."""
    start(project, rollback_replicas="restore")
    applied(project)
    step(project, "abort shop/search")
    assert project.shown("search")[2:] == (5, 5)


# --- set-weight ------------------------------------------------------------------------------------------------------


def test_a_weight_is_set_once(shop: ProjectFolder) -> None:
    """The wish stays; the second time a sentence says that it is so, and nothing is sent."""
    before = wishes(shop)
    done = step(shop, "set-weight shop/search 40")
    assert "gray.weight   10 % -> 40 %" in done.out
    assert "traffic 40 %" in done.out
    assert "next_apply_undoes: the manifest wants gray.weight 10" in done.out
    assert shop.sent() == ["search modify_gray_rule"]
    assert wishes(shop) == before
    assert status(shop, "shop/search")["release"]["weight"] == 40
    state = shop.state
    again = step(shop, "set-weight shop/search 40")
    assert again.out == "shop/search: 2.2.0 has 40 % of the traffic already. Nothing to do.\n"
    assert (shop.sent(), shop.state) == (["search modify_gray_rule"], state)


def test_a_weight_takes_the_place_of_content_rules(project: ProjectFolder) -> None:
    """And the plan shows which."""
    start(project)
    done = step(project, "set-weight shop/ads 5")
    assert "- header x-user-tier equal beta" in done.out
    assert status(project, "shop/ads")["release"]["weight"] == 5


def test_without_a_release_there_is_no_weight_to_set(shop: ProjectFolder) -> None:
    """A sentence, and no error: nothing is left to do."""
    done = step(shop, "set-weight shop/cart 40")
    assert done.out == "shop/cart: no gray release is open, 1.4.2 serves alone. Nothing to do.\n"
    assert shop.log() == []


def test_all_of_the_traffic_is_a_promotion(shop: ProjectFolder) -> None:
    """The error names the command."""
    assert "statetool rollout promote shop/search" in step(shop, "set-weight shop/search 100", 64).err


# --- like any other plan ---------------------------------------------------------------------------------------------

STEPS = ["promote shop/search", "abort shop/search", "set-weight shop/search 40"]


@pytest.mark.parametrize("command", STEPS)
def test_a_step_needs_neither_manifest_nor_state(project: ProjectFolder, command: str) -> None:
    """Whoever must act at night has a project folder; nothing is recorded of what nobody manages."""
    start(project)
    done = step(project, command)
    assert "1 done" in done.out
    assert len(project.sent()) == 1
    assert not (project.root / ".statetool/state.json").exists()


@pytest.mark.parametrize("command", STEPS)
def test_the_gray_release_of_somebody_else_needs_an_override(shop: ProjectFolder, command: str) -> None:
    """Where manifest or state manage the version and name another one."""
    shop.manifest(MANIFEST.replace("  search: {version: 2.1.0, gray: {version: 2.2.0, weight: 10}}\n", ""))
    shop.call("apply", "--auto-approve")
    shop.manifest(MANIFEST.replace("gray: {version: 2.2.0, weight: 10}", ""))
    assert "foreign_gray_release" in step(shop, command, 4).out
    assert shop.sent() == []
    step(shop, f"{command} --override foreign_gray_release")
    assert len(shop.sent()) == 1


@pytest.mark.parametrize("command", STEPS)
def test_mode_observe_and_protection_hold(shop: ProjectFolder, command: str) -> None:
    """What a plan may not do, a step may not either."""
    shop.configure(more="mode: observe\n")
    assert "observe_mode" in step(shop, command, 4).out
    shop.configure()
    shop.edit("manifests/shop.yaml", "weight: 10}}", "weight: 10}, lifecycle: {protected: true}}")
    assert "protected" in step(shop, command, 4).out
    assert shop.sent() == []
    step(shop, f"{command} --override protected")
    assert len(shop.sent()) == 1


@pytest.mark.parametrize("command", STEPS)
def test_a_step_can_be_declined(shop: ProjectFolder, command: str) -> None:
    """After the plan was shown."""
    with on_terminal(shop, "rollout", *command.split()) as screen:
        screen.until("Only `yes` is taken: ")
        screen.type("no\n")
        assert screen.end() == 7
    assert shop.sent() == []


def test_events_are_those_of_an_apply(shop: ProjectFolder) -> None:
    """For a pipeline that reads them; also where there is nothing to do."""
    for expected in (["action_start", "action_accepted", "action_complete"], []):
        lines = step(shop, "set-weight shop/search 40 --json").out.splitlines()
        events = [json.loads(line) for line in lines]
        types = [event["type"] for event in events if event["type"].startswith("action_")]
        assert [type_ for type_ in types if type_ != "action_progress"] == expected
        assert (events[-1]["type"], events[-1]["exit_code"]) == ("change_summary", 0)


def test_a_job_of_somebody_else_is_waited_for(project: ProjectFolder) -> None:
    """Then what is there is judged: the gray release at its next pause, or none any more."""
    start(project, gray_continue="per_batch")
    continue_outside(project)
    step(project, "set-weight shop/search 40")
    assert project.sent() == ["search continue_deploy", "search modify_gray_rule"]
    continue_outside(project)
    continue_outside(project)
    assert "2.2.0 serves alone" in step(project, "promote shop/search", 1).err


def continue_outside(project: ProjectFolder) -> None:
    """Somebody goes on with the release, once it pauses."""
    with project.world(job_seconds=0.5) as world:
        [row] = [row for row in world.handle("GET", f"{API}/components").body["components"] if row["name"] == "search"]
        path = f"{API}/applications/{row['application_id']}/components/{row['id']}/action"
        while world.handle("POST", path, body=b'{"action": "continue_deploy"}').status_code == 409:
            pass


def test_an_interrupted_promotion_is_taken_up_again(project: ProjectFolder) -> None:
    """The job goes on; the next one finds what is left to do, or that nothing is."""
    start(project, gray_continue="per_batch")
    with project.world(job_seconds=1):
        pass
    with project.start("rollout", "promote", "shop/search", "--auto-approve", "--json") as running:
        running.wait_for_event("action_accepted")
        running.signal(signal.SIGINT)
        assert running.end(130).events[-1]["exit_code"] == 130
    with project.world(job_seconds=0.1):
        pass
    step(project, "promote shop/search")
    assert project.shown("search")[:2] == ("2.2.0", "RUNNING")


@pytest.mark.parametrize("command", STEPS)
def test_a_job_that_fails_is_told_in_its_own_words(shop: ProjectFolder, command: str) -> None:
    """Exit 3; the version is neither rejected nor recorded."""
    shop.disturb("shop/search", fail_next_job="quota exceeded")
    assert "quota exceeded" in step(shop, command, 3).out
    assert rejected(shop) == []


def test_variables_of_manifests_are_taken(shop: ProjectFolder) -> None:
    """By every command that reads them."""
    shop.manifest(MANIFEST.replace("{version: 2.1.0, gray: {version: 2.2.0, weight: 10}}", VARIABLE))
    assert "variable" in shop.call("rollout", "status", "shop/search", code=1).err
    document = shop.call("rollout", "status", "shop/search", "--json", "--var", "weight=10").document
    assert document["next_apply"]["verdict"] == "nothing"
    assert "next_apply_undoes" in step(shop, "set-weight shop/search 40 --var weight=30").out
    assert "next_apply_undoes" not in step(shop, "set-weight shop/search 30 --var weight=30").out


VARIABLE = """
    version: 2.1.0
    gray:
      version: 2.2.0
      weight: ${var.weight}"""
