"""Every example with a world runs as it stands, ends settled, and its saved plan is worth nothing the second time."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_nursery import program_folder
from e2e_project import CLONE, EXAMPLES, ProjectFolder, copy_example, start

from statetool.manifest.nodes import plain_value
from statetool.manifest.yaml_reader import read_yaml
from statetool.schema import validator

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/seed.yaml"))
"""Those that bring a world of their own. The one for GitLab does not: `test_state_page.py` runs its jobs."""

SCHEMA_COMMENT = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(params=NAMES)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> ProjectFolder:
    """A copy of each example, its world seeded with the command that its comment names."""
    copy = copy_example(request.param, tmp_path / request.param)
    copy.call("sandbox", "seed", "seed.yaml")
    return copy


def test_there_are_the_examples_that_the_readme_promises() -> None:
    """A renamed folder would make the tests below prove less."""
    assert {"canary-day", "gray-release", "guarded", "multi-environment", "online-boutique", "quickstart"} <= set(NAMES)


def test_an_example_has_something_to_do_then_does_it_then_is_settled(example: ProjectFolder) -> None:
    """Plan 2, apply 0, plan 0 with `No changes.`; a second apply sends nothing."""
    before = example.run("plan", "--detailed-exitcode", code=2)
    assert "0 to add" in before.out.splitlines()[-1]
    assert example.log() == []
    done = example.run("apply", "--auto-approve")
    assert "A new plan is empty." in done.out
    assert example.log() != []
    example.ensure_settled()


def test_a_saved_plan_applied_twice_sends_nothing_the_second_time(example: ProjectFolder) -> None:
    """The second run calls every action satisfied, says so in text and JSON, and exits 0."""
    example.call("plan", "--out", "saved.plan", "--detailed-exitcode", code=2)
    example.call("apply", "saved.plan")
    sent = example.log()
    state = example.state
    again = example.run("apply", "saved.plan")
    assert "nothing sent" in again.out
    events = example.call("apply", "--json", "saved.plan").events
    actions = {event["action"] for event in events if "action" in event}
    assert actions == {event["action"] for event in events if event["type"] == "action_satisfied"} != set()
    assert events[-1]["satisfied"] == len(actions)
    assert example.log() == sent
    assert example.state == state
    example.ensure_settled()


def test_an_example_is_valid_offline(example: ProjectFolder) -> None:
    """Without a world and without credentials."""
    example.data.unlink()
    assert "Valid" in example.call("validate").out


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.yaml")))
def test_an_editor_finds_the_schema_that_a_file_names(path: Path) -> None:
    """Relative to the file, as the language server reads it, and it has no complaint. A seed has no schema."""
    named = SCHEMA_COMMENT.findall(path.read_text(encoding="utf-8"))
    assert len(named) == (0 if path.name == "seed.yaml" else 1)
    for name in named:
        assert (path.parent / name).resolve().parent == CLONE / "schemas"
        assert (path.parent / name).is_file()
        checker = validator(Path(name).name.partition(".")[0])
        for document in read_yaml(path.read_bytes(), path.name).documents:
            assert list(checker.iter_errors(plain_value(document.root))) == []


def test_the_commands_of_the_gray_release_do_what_its_text_says(tmp_path: Path) -> None:
    """Weight edited, promoted, folded: every command of the README's blocks, in order, as typed."""
    copy, said = _follow("gray-release", tmp_path)
    assert copy.sent() == ["checkout modify_gray_rule", "checkout continue_deploy"]
    assert copy.shown("checkout") == ("3.1.0", "RUNNING", 6, 6)
    assert "fold_needed" in said[1]
    assert all("No changes." in text for text in said[1:])
    assert "fold_needed" not in said[2]
    copy.ensure_settled()


def test_the_commits_of_a_canarys_day_do_what_their_text_says(tmp_path: Path) -> None:
    """Five commits, each planned, applied and settled; then a candidate that is taken back, refused, and let return."""
    copy, said = _follow("canary-day", tmp_path)
    assert [text.count("No changes.") for text in said] == [1, 1, 1, 1, 1, 1, 1, 0, 1]
    shown = [
        ["#1 scale replica=6"],
        [
            "gray.image checkout:3.0.1 -> checkout:3.1.0",
            "#2 upgrade version=3.1.0 weight=5 after #1 version_gray",
            "brings env ONE_CLICK added, 2 unchanged; resources.limits.memory 1 -> 2 GiB",
        ],
        ["gray.weight 5 % -> 20 %", "[########................................] 20 %"],
        ["traffic 50 %"],
        ["#1 continue_deploy up to 2 requests", "fold_needed: 3.1.0 was promoted"],
        ["version 3.1.0 you changed the manifest; it is so already", "nothing had to be sent"],
        ["gray.version 3.2.0 -> (none)", "#1 rollback version=3.1.0 revert"],
        ["version_rejected: 3.2.0 was rejected", "exit code 4", "rejected 3.2.0: aborted by statetool"],
        ["3.2.0 may return, because: it was the database"],
    ]
    for text, parts in zip(said, shown, strict=True):
        flat = " ".join(text.split())
        assert [part for part in parts if part not in flat] == []
    steps = ["scale", "check_gray_release", "PUT", "modify_gray_rule", "modify_gray_rule", "continue_deploy"]
    assert copy.sent() == [f"checkout {step}" for step in [*steps, "PUT", "rollback", "PUT"]]
    start, twenty, half = (entry.body for entry in copy.log()[2:5])
    assert start["source"]["url"] == "registry.example.com/shop/checkout:3.1.0"
    assert start["deploy_strategy"]["gray_release"]["first_batch_weight"] == 5
    assert [rule["parameters"]["first_batch_weight"] for rule in (twenty, half)] == [20, 50]
    assert copy.shown("checkout")[1] == "GRAYING"
    copy.ensure_settled()


def test_the_commands_of_several_environments_do_what_their_text_says(tmp_path: Path) -> None:
    """Both environments from one base, then a variable from each of its three givers; the last runs change nothing."""
    copy, said = _follow("multi-environment", tmp_path)
    assert [text.count("No changes.") for text in said] == [1, 1, 2]
    assert "manifests/prod.yaml:7" in said[0]
    assert "manifests/base.yaml:11" in said[0]
    assert "manifests/staging.yaml:6:15: error[undefined_variable]" in said[1]
    assert sorted(copy.sent()) == ["cart scale"] * 4 + ["search modify_gray_rule"] * 2
    wishes = {address: entry["wish"] for address, entry in copy.state["components"].items()}
    assert (wishes["shop/cart@prod"]["replicas"], wishes["shop/cart@staging"]["replicas"]) == (6, 5)
    replace(copy, environ={"STATETOOL_VAR_cart_replicas": "5"}).ensure_settled()


def test_the_commands_of_the_guarded_project_do_what_their_text_says(tmp_path: Path) -> None:
    """Every guard refuses once, names itself and the way out, and the way out works."""
    copy, said = _follow("guarded", tmp_path)
    refused = [
        [],
        ["freeze: frozen until"],
        ["freeze_unreadable: guards.freeze_from: "],
        ["max_scale_down: 8 -> 1 instances", "to 4 first", "min_replicas: 8 -> 1 instances", "write at least 2"],
        ["max_weight_step: 20 % -> 100 %", "go to 45 % first"],
        ["protected: lifecycle.protected lets only a scale up through"],
        ["max_share: 6 forgotten of 11", "max_actions: 4 actions are more"],
        ["shop/mail#1 restart waits for the approval of its risk, restart"],
        ["observe_mode: replicas 3 -> 4 (scale) is not sent", "add billing to manage"],
    ]
    exit_codes = [0, 1, 1, 1, 1, 1, 2, 0, 1]
    for text, parts, count in zip(said, refused, exit_codes, strict=True):
        flat = " ".join(text.split())
        assert [part for part in parts if part not in flat] == []
        assert text.count("exit code 4") == count
    assert "exit code 3" in said[7]
    assert "Let through with --override (1):" in said[1]
    assert [entry["codes"] for entry in copy.state["overridden"]] == [["freeze"], ["protected"]]
    scaled = ["frontend", "frontend", "cart", "cart", "ledger", "mail", "users", "pay", "invoice"]
    others = ["search rollback", "checkout modify_gray_rule", "checkout modify_gray_rule"]
    restarted = ["mail restart", "users restart", "mail restart"]
    assert sorted(copy.sent()) == sorted([*(f"{name} scale" for name in scaled), *others, *restarted])
    copy.ensure_settled()


def _follow(name: str, folder: Path) -> tuple[ProjectFolder, list[str]]:
    """A copy of an example in which every block of commands of its text was typed, and what each block said."""
    copy = copy_example(name, folder / name)
    blocks = SHELL_BLOCK.findall((EXAMPLES / name / "README.md").read_text(encoding="utf-8"))
    return copy, [_typed(copy, program_folder(), block) for block in blocks]


def _typed(copy: ProjectFolder, programs: Path, commands: str) -> str:
    """What a shell says to these lines; it stops at the first that fails."""
    environment = {**copy.environment, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    with start(["/bin/sh", "-eu", "-c", commands], copy.root, environment) as shell:
        return shell.end().all
