"""Taking over what runs: manifests that a person would have written, wishes that hold already, and nothing sent."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_project import ProjectFolder, start

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
      checkout:
        version: 3.0.1
        replicas: 4
        gray:
          version: 3.1.0
          match: any
          rules: [{type: header, key: x-user-tier, condition: equal, value: "no: on"}]
      legacy: {version: 0.9.1, replicas: 2, status: STOPPED}
  crm:
    components:
      "on@prod": {version: 1.0.0, replicas: 2}
      "on@test": {version: 1.1.0, replicas: 1}
"""

SHOP = """\
application: shop
components:
  cart:
    version: 1.4.2
    replicas: auto
  checkout:
    version: 3.0.1
    gray:
      version: 3.1.0
      match: any
      rules:
        - {type: header, key: x-user-tier, condition: equal, value: "no: on"}
    replicas: auto
  legacy:
    version: 0.9.1
    state: stopped
    replicas: auto
  search:
    version: 2.1.0
    gray:
      version: 2.2.0
      weight: 10
    replicas: auto
"""

CRM = """\
application: crm
environment: prod
components:
  "on":
    version: 1.0.0
    replicas: auto
---
application: crm
environment: test
components:
  "on":
    version: 1.1.0
    replicas: auto
"""


def without_comments(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("#"))


def manifests(project: ProjectFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((project.root / "manifests").glob("*"))}


def wishes(project: ProjectFolder) -> dict[str, Any]:
    return {address: entry["wish"] for address, entry in project.state["components"].items()}


def everything(project: ProjectFolder) -> tuple[dict[str, bytes], bytes]:
    return manifests(project), (project.root / ".statetool/state.json").read_bytes()


def ensure_no_news(project: ProjectFolder, *names: str) -> None:
    """The same import once more: says so, and changes not a byte."""
    before = everything(project)
    assert "Nothing new to write." in project.call("import", *names).out
    assert everything(project) == before


# What is written


def test_an_application_is_written_down_and_recorded(project: ProjectFolder) -> None:
    """In one file; the plan is empty at once, also while a gray release runs and after an autoscaler moved."""
    project.seed(SEED)
    told = project.run("import", "shop").out
    assert "Wrote manifests/shop.yaml: 4 components." in told
    assert "Recorded 4 components as they run; nothing was sent." in told
    assert "Warnings" not in told
    written = project.root / "manifests/shop.yaml"
    assert without_comments(written) == SHOP
    assert written.read_text(encoding="utf-8").startswith("# Written by `statetool import` at ")
    assert wishes(project) == {
        "shop/cart": {"version": "1.4.2"},
        "shop/checkout": {
            "version": "3.0.1",
            "gray": {
                "version": "3.1.0",
                "match": "any",
                "rules": [{"type": "header", "key": "x-user-tier", "condition": "equal", "value": "no: on"}],
            },
        },
        "shop/legacy": {"version": "0.9.1", "state": "stopped"},
        "shop/search": {"version": "2.1.0", "gray": {"version": "2.2.0", "weight": 10}},
    }
    assert project.log() == []
    project.call("validate")
    project.ensure_settled()
    project.call("sandbox", "disturb", "shop/cart", "--replicas", "9")
    project.call("sandbox", "disturb", "shop/search", "--replicas", "7")
    assert project.call("plan", "--detailed-exitcode").out.startswith("No changes.")
    project.call("drift")
    ensure_no_news(project, "shop")


def test_numbers_are_wished_where_they_are_to_be_fixed(project: ProjectFolder) -> None:
    """As configured while a gray release or a stop hides them; from then on an autoscaler's move is drift."""
    project.seed(SEED)
    project.call("import", "shop", "--replicas", "fixed")
    assert {address.partition("/")[2]: wish["replicas"] for address, wish in wishes(project).items()} == {
        "cart": 4,
        "checkout": 4,
        "legacy": 2,
        "search": 5,
    }
    project.ensure_settled()
    project.disturb("shop/cart", replicas=9)
    assert "4 -> 9" in project.call("drift", code=2).out
    ensure_no_news(project, "shop", "--replicas", "fixed")


def test_one_name_in_several_environments(project: ProjectFolder) -> None:
    """A document for each; names that YAML takes for something else are quoted."""
    project.seed(SEED)
    project.run("import", "crm")
    assert without_comments(project.root / "manifests/crm.yaml") == CRM
    assert list(wishes(project)) == ["crm/on@prod", "crm/on@test"]
    project.ensure_settled()
    ensure_no_news(project, "crm")


def test_several_names_at_once(project: ProjectFolder) -> None:
    """Applications, single components, one environment of them; named twice they count once."""
    project.seed(SEED)
    told = project.run("import", "shop/cart", "shop/cart", "crm/on@test").out
    assert "Recorded 2 components" in told
    assert list(wishes(project)) == ["crm/on@test", "shop/cart"]
    assert sorted(manifests(project)) == ["crm.yaml", "shop.yaml"]
    project.ensure_settled()


def test_what_is_busy_or_failed_or_unclear_is_written_with_what_is_known(project: ProjectFolder) -> None:
    """With a comment there and a warning here; the plan is empty all the same, and stays so when the job has ended."""
    project.seed(
        """
applications:
  shop:
    environment: prod
    components:
      busy: {version: 1.0.0, replicas: 2, status: UPGRADING}
      broken: {version: 1.0.0, replicas: 2, status: FAILED}
      done: {version: 1.0.0, replicas: 4, gray: {version: 1.1.0, weight: 100}}
"""
    )
    told = project.run("import", "shop").out
    assert "Warnings (3):" in told
    for code in ("busy_component", "failed_component", "gray_at_its_end"):
        assert code in told
    text = (project.root / "manifests/shop.yaml").read_text(encoding="utf-8")
    assert "  busy:\n    # a job is moving it (status UPGRADING)" in text
    assert wishes(project) == {"shop/broken": {"version": "1.0.0"}, "shop/busy": {}, "shop/done": {}}
    assert project.call("plan", "--detailed-exitcode").out.startswith("No changes.")
    ensure_no_news(project, "shop")
    project.disturb("shop/busy", status="RUNNING")
    project.call("apply", "--auto-approve")
    assert project.log() == []
    project.ensure_settled()
    ensure_no_news(project, "shop")


# A second import


def test_a_second_import_adds_only_what_is_new(project: ProjectFolder) -> None:
    """Behind what stands there, byte for byte; what a person edited meanwhile is hers."""
    project.seed(SEED)
    project.call("import", "shop/cart", "shop/legacy")
    path = project.root / "manifests/shop.yaml"
    edited = path.read_bytes().replace(b"    replicas: auto\n  legacy", b"    replicas: 6   # mine\n  legacy")
    edited = edited.rstrip(b"\n")
    path.write_bytes(edited)
    told = project.run("import", "shop").out
    assert "Added 2 components to manifests/shop.yaml." in told
    assert "2 components left as they stand in a manifest already." in told
    after = path.read_bytes()
    assert after.startswith(edited + b"\n---\n# Added by `statetool import` at ")
    assert list(wishes(project)) == ["shop/cart", "shop/checkout", "shop/legacy", "shop/search"]
    assert wishes(project)["shop/cart"] == {"version": "1.4.2"}
    [change] = project.plan()["changes"]
    assert change["address"] == "shop/cart"
    ensure_no_news(project, "shop")


def test_a_manifest_of_a_person_is_not_touched(project: ProjectFolder) -> None:
    """What it describes is skipped, by whatever address; the rest goes to a file of its own, also the next time."""
    project.seed(SEED)
    project.manifest("application: shop\ncomponents:\n  cart: {replicas: 4}\n")
    mine = manifests(project)["shop.yaml"]
    told = project.run("import", "shop/legacy", "shop/cart").out
    assert "Wrote manifests/shop.imported.yaml: 1 component." in told
    project.run("import", "shop")
    assert manifests(project)["shop.yaml"] == mine
    assert sorted(manifests(project)) == ["shop.imported.yaml", "shop.yaml"]
    assert wishes(project)["shop/cart"] == {"replicas": 4}
    project.ensure_settled()
    ensure_no_news(project, "shop")


def test_what_a_person_wrote_and_did_not_apply_is_left_to_apply(project: ProjectFolder) -> None:
    """An import records what is fulfilled; what would take an action it neither records nor sends."""
    project.seed(SEED)
    project.manifest("application: shop\ncomponents:\n  cart: {replicas: 6}\n  legacy: {state: stopped}\n")
    project.call("import", "shop/cart", "shop/legacy")
    assert wishes(project) == {"shop/legacy": {"state": "stopped"}}
    assert project.log() == []
    assert [change["address"] for change in project.plan()["changes"]] == ["shop/cart"]


# What is refused


def test_unknown_names_are_told_with_near_ones(project: ProjectFolder) -> None:
    """All of them, exit code 1, and nothing is written."""
    project.seed(SEED)
    told = project.run("import", "shp", "shop", "payroll", code=1).err
    assert "the platform shows no application shp" in told
    assert "did you mean shop?" in told
    assert "payroll" in told
    assert "crm" in told
    told = project.run("import", "shop/crt", "crm/on@live", code=1).err
    assert "did you mean cart?" in told
    assert "it exists in environment prod, test" in told
    assert not (project.root / "manifests").exists()
    project.run("import", code=64)
    project.run("import", "shop/", code=64)
    project.run("import", "shop/a/b", code=64)


def test_a_foreign_file_in_both_places_stops_it_before_anything_is_written(project: ProjectFolder) -> None:
    """Also for the other applications of the same command."""
    project.seed(SEED)
    project.write("manifests/shop.yaml", "application: other\ncomponents: {cart: {}}\n")
    project.write("manifests/shop.imported.yaml", "application: another\ncomponents: {cart: {}}\n")
    before = manifests(project)
    told = project.run("import", "crm", "shop", code=1).err
    assert "foreign_manifest" in told
    assert manifests(project) == before
    assert not (project.root / ".statetool/state.json").exists()


def test_nothing_is_written_through_a_link_or_outside(project: ProjectFolder, tmp_path_factory: Any) -> None:
    """A folder of manifests that a pull request made a link."""
    project.seed(SEED)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (project.root / "inside").mkdir()
    (project.root / "manifests").symlink_to("inside")
    assert "linked_folder" in project.run("import", "shop", code=1).err
    (project.root / "manifests").unlink()
    (project.root / "manifests").symlink_to(elsewhere)
    assert "outside_project" in project.run("import", "shop", code=1).err
    project.configure(more=f"manifests: ['{elsewhere}']\n")
    assert "outside_project" in project.run("import", "shop", code=1).err
    assert list(elsewhere.iterdir()) == []
    assert list((project.root / "inside").iterdir()) == []


def test_manifests_with_errors_stop_it(project: ProjectFolder) -> None:
    """What stands in them can't be told, so nothing can be called new."""
    project.seed(SEED)
    project.manifest("application: shop\ncomponents: {cart: {replica: 4}}\n")
    assert "unknown_key" in project.run("import", "shop", code=1).err
    assert list(manifests(project)) == ["shop.yaml"]


def test_a_locked_state_is_waited_for_or_refused(project: ProjectFolder) -> None:
    """The lock is held from before the state is read: two imports never write the same component twice."""
    project.seed("sandbox: {job_seconds: 30}\n" + SEED)
    project.manifest("application: shop\ncomponents: {cart: {replicas: 6}}\n")
    with project.start("apply", "--auto-approve", "--json") as running:
        running.wait_for_event("action_accepted")
        assert "state_locked" in project.run("import", "crm", code=5).err
        running.signal(signal.SIGTERM)
        running.end(130)
    assert list(manifests(project)) == ["shop.yaml"]


# Cut off

KILLED_AT = """
import os, signal, sys
left = int(sys.argv.pop(1))
def watch(event, arguments):
    global left
    if event in ("os.link", "os.rename") and (".yaml" in str(arguments[1]) or str(arguments[1]).endswith("state.json")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
from statetool.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_run_that_is_killed_between_two_writes_is_made_good_by_the_next(project: ProjectFolder, step: int) -> None:
    """Before the first manifest, between both, before the state: whole files, and the next import, or apply, adopts."""
    project.seed(SEED)
    command = [sys.executable, "-c", KILLED_AT, str(step), "import", "crm", "shop"]
    with start(command, project.root, project.environment) as running:
        running.end(-signal.SIGKILL)
    assert not (project.root / ".statetool/state.json").exists()
    there = [name for name in manifests(project) if ".tmp-" not in name]
    assert there == ["crm.yaml", "shop.yaml"][: step - 1]
    if there:
        project.call("validate")
        recorded = project.plan()["summary"]
        assert (recorded["actions"], recorded["import"] > 0) == (0, True)
    if step == 3:
        project.call("apply", "--auto-approve")
        assert project.log() == []
    else:
        assert "Recorded 6 components" in project.run("import", "crm", "shop").out
    assert without_comments(project.root / "manifests/shop.yaml") == SHOP
    assert without_comments(project.root / "manifests/crm.yaml") == CRM
    assert len(wishes(project)) == 6
    project.ensure_settled()
    ensure_no_news(project, "crm", "shop")


def test_the_next_import_records_what_the_last_one_wrote(project: ProjectFolder) -> None:
    """Nothing is new to write then, and still it is made good."""
    project.seed(SEED)
    command = [sys.executable, "-c", KILLED_AT, "2", "import", "shop"]
    with start(command, project.root, project.environment) as running:
        running.end(-signal.SIGKILL)
    told = project.run("import", "shop").out
    assert "Nothing new to write." in told
    assert "Recorded 4 components as they run" in told
    project.ensure_settled()
    ensure_no_news(project, "shop")


# A project for it


def test_a_new_project_takes_over_what_runs_and_changes_nothing(project: ProjectFolder) -> None:
    """In mode observe; then one application is opened, and managed like any other."""
    project.seed(SEED)
    (project.root / "statetool.yaml").unlink()
    project.data.rename(project.root / "world.db")
    told = project.run("init", "taken", "--from-platform", "shop", "crm", "--endpoint", "sandbox:../world.db").out
    assert "mode observe" in told
    taken = ProjectFolder(project.root / "taken", project.environ)
    assert [path.name for path in sorted(taken.root.iterdir())] == [".statetool", "manifests", "statetool.yaml"]
    assert without_comments(taken.root / "manifests/shop.yaml") == SHOP
    text = (taken.root / "statetool.yaml").read_text(encoding="utf-8")
    assert 'mode: observe\n\nplatform:\n  endpoint: "sandbox:../world.db"\n' in text
    assert taken.call("plan", "--detailed-exitcode").out.startswith("No changes.")
    ensure_no_news(taken, "shop", "crm")
    taken.edit("manifests/shop.yaml", "version: 1.4.2\n    replicas: auto", "version: 1.4.2\n    replicas: 6")
    taken.call("apply", "--auto-approve", code=4)
    taken.edit("statetool.yaml", "mode: observe", "mode: observe\nmanage: [shop]")
    taken.call("apply", "--auto-approve")
    assert taken.call("plan", "--detailed-exitcode").out.startswith("No changes.")


def test_a_project_that_is_there_is_not_taken_over(project: ProjectFolder) -> None:
    """As `init` refuses it; the platform is not even asked."""
    project.seed(SEED)
    config = (project.root / "statetool.yaml").read_bytes()
    told = project.run("init", "--from-platform", "shop", "--endpoint", "sandbox:nowhere.db", code=1).err
    assert "init_exists" in told
    assert "import APP" in told
    assert (project.root / "statetool.yaml").read_bytes() == config
    assert not (project.root / "nowhere.db").exists()


def test_without_a_name_the_applications_are_listed(project: ProjectFolder) -> None:
    """Nothing is written, and the command can be given again with names."""
    project.seed(SEED)
    (project.root / "statetool.yaml").unlink()
    told = project.run("init", "taken", "--from-platform", "--endpoint", f"sandbox:{project.data}", code=64).err
    assert "crm, shop" in told
    told = project.run("init", "taken", "--endpoint", f"sandbox:{project.data}", "--from-platform", "shpo", code=1).err
    assert "did you mean shop?" in told
    assert not (project.root / "taken/statetool.yaml").exists()
    assert "HW_REGION_NAME" in project.run("init", "taken", "--from-platform", "shop", code=64).err
    assert "--from-platform" in project.run("init", "taken", "--endpoint", "sandbox:x", code=64).err
    project.call("init", "taken", "--endpoint", f"sandbox:{project.data}", "--from-platform", "shop")
