"""What a person meets: the prompt on a real terminal, colour, pipes that close, and text that would act on one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

import pytest
from e2e_project import PATIENCE_S, ProjectFolder
from e2e_terminal import on_terminal

from statetool.cli import main

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4}
"""
MANIFEST = "application: shop\ncomponents:\n  cart: {replicas: 6}\n"
ESCAPE = "\x1b"
COLOR = "\x1b["


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """One component that is to be scaled."""
    project.seed(SEED)
    project.manifest(MANIFEST)
    return project


def test_yes_applies(shop: ProjectFolder) -> None:
    """The plan is shown before the question; `yes` does it, with live progress and a closing report."""
    with on_terminal(shop, "apply", environ={"NO_COLOR": "1"}) as screen:
        screen.until("Only `yes`")
        assert "4 -> 6" in screen.shown
        screen.type("yes\n")
        assert screen.end() == 0
    assert "Apply complete: 1 done." in screen.shown
    assert shop.sent() == ["cart scale"]


def test_y_is_asked_once_more(shop: ProjectFolder) -> None:
    """The habit of other tools is neither taken for consent nor for refusal."""
    with on_terminal(shop, "apply") as screen:
        screen.until("Only `yes`")
        screen.type("y\n")
        screen.until("type yes to go on")
        screen.type("yes\n")
        assert screen.end() == 0
    assert shop.sent() == ["cart scale"]


@pytest.mark.parametrize("typed", ["no\n", "Yes please\n", "\n", "\x04"], ids=["no", "other", "empty", "end"])
def test_anything_else_declines(shop: ProjectFolder, typed: str) -> None:
    """Exit 7, nothing sent, nothing recorded."""
    with on_terminal(shop, "apply") as screen:
        screen.until("Only `yes`")
        screen.type(typed)
        assert screen.end() == 7
    assert "nothing was sent" in screen.shown
    assert shop.sent() == []
    assert not (shop.root / ".statetool/state.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_at_the_prompt(shop: ProjectFolder, number: signal.Signals) -> None:
    """130 and one line; the lock is free afterwards."""
    with on_terminal(shop, "apply") as screen:
        screen.until("Only `yes`")
        screen.child.send_signal(number)
        assert screen.end() == 130
    assert screen.shown.endswith("\r\nInterrupted: nothing was sent, nothing was recorded.\r\n")
    assert "Traceback" not in screen.shown
    shop.call("apply", "--auto-approve")


def test_a_terminal_has_colour(shop: ProjectFolder) -> None:
    """Without being asked."""
    with on_terminal(shop, "plan") as screen:
        screen.end()
    assert COLOR in screen.shown


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (("plan",), {"NO_COLOR": "1"}),
        (("plan",), {"TERM": "dumb"}),
        (("plan",), {"STATETOOL_NO_COLOR": "1"}),
        (("plan",), {"STATETOOL_PLAN_NO_COLOR": "true"}),
        (("plan", "--no-color"), {}),
        (("plan", "-no-color"), {}),
        (("--no-color", "plan"), {}),
        (("--no-color", "plan", "--bogus"), {}),
    ],
)
def test_colour_can_be_switched_off(
    shop: ProjectFolder, arguments: tuple[str, ...], environ: Mapping[str, str]
) -> None:
    """By option on either side of the command, by NO_COLOR, by a terminal that has none."""
    with on_terminal(shop, *arguments, environ=environ) as screen:
        screen.end()
    assert ESCAPE not in screen.shown


def test_no_color_keeps_the_live_lines_colourless(shop: ProjectFolder) -> None:
    """Live progress still redraws, but paints nothing."""
    with on_terminal(shop, "apply", "--auto-approve", "--no-color") as screen:
        assert screen.end() == 0
    colours = [f"{COLOR}{number}m" for number in (31, 32, 33, 36)]
    assert not [colour for colour in colours if colour in screen.shown]


@pytest.mark.parametrize("command", ["plan", "plan --bogus", "apply --auto-approve"])
def test_a_pipe_has_no_escape_codes(shop: ProjectFolder, command: str) -> None:
    """On neither stream."""
    assert ESCAPE not in shop.run(*command.split(), code=None).all


def test_a_reader_that_leaves_ends_nothing(shop: ProjectFolder) -> None:
    """`statetool plan | head -1`: quiet, and the exit code of the plan."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        child = subprocess.run(
            [sys.executable, "-m", "statetool", "plan", "--detailed-exitcode"],
            cwd=shop.root,
            env=shop.environment,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
        )
    finally:
        os.close(writing)
    assert (child.returncode, child.stderr) == (2, "")


@pytest.mark.parametrize("arguments", [["--json"], []], ids=["json", "text"])
def test_an_apply_outlives_its_reader(shop: ProjectFolder, arguments: list[str]) -> None:
    """What was approved is finished and recorded, although nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        child = subprocess.run(
            [sys.executable, "-m", "statetool", "apply", "--auto-approve", *arguments],
            cwd=shop.root,
            env=shop.environment,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
        )
    finally:
        os.close(writing)
    assert child.returncode == 0
    assert "Traceback" not in child.stderr
    shop.ensure_settled()


@pytest.mark.parametrize("command", ["plan", "version", "--help", "plan --help", "state --help", "--version"])
def test_a_full_disk_is_an_error(shop: ProjectFolder, command: str) -> None:
    """A result that could not be written is not a success."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        child = subprocess.run(
            [sys.executable, "-m", "statetool", *command.split()],
            cwd=shop.root,
            env=shop.environment,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
        )
    assert child.returncode == 1
    assert "could not be written" in child.stderr
    assert "Traceback" not in child.stderr


HOSTILE = "x\x1b]0;owned\x07\u202e\x9b31m"


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", HOSTILE],
        ["state", "show", HOSTILE],
        ["--chdir", HOSTILE, "plan"],
        ["plan", "--" + HOSTILE],
        ["plan", "--out", f"missing/{HOSTILE}"],
        ["plan", "--override", HOSTILE],
        ["schema", HOSTILE],
        ["sandbox", "seed", HOSTILE],
        ["sandbox", "disturb", HOSTILE, "--replicas", "1"],
        ["rollout", "clear", "shop/cart", HOSTILE, "--reason", "x"],
        ["init", HOSTILE],
        ["apply", HOSTILE],
        [HOSTILE],
    ],
    ids=lambda arguments: " ".join(arguments).encode("unicode_escape").decode(),
)
def test_arguments_do_not_act_on_the_terminal(
    shop: ProjectFolder, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is repeated from the command line is spelled out."""
    monkeypatch.chdir(shop.root)
    assert main(arguments) in (0, 1, 64)
    captured = capsys.readouterr()
    assert not [character for character in "\x1b\x07\u202e\x9b" if character in captured.out + captured.err]


def test_the_environment_sets_options(shop: ProjectFolder) -> None:
    """STATETOOL_<COMMAND>_<OPTION>; several values are separated by blanks."""
    quiet = ProjectFolder(shop.root, {"STATETOOL_PLAN_DETAILED_EXITCODE": "1", "STATETOOL_PLAN_FORMAT": "markdown"})
    assert quiet.call("plan", code=2).out.startswith("<!-- statetool plan")
    targets = ProjectFolder(shop.root, {"STATETOOL_PLAN_TARGET": "shop/cart shop/c*"})
    assert "shop/cart" in targets.call("plan").out
    yes = ProjectFolder(shop.root, {"STATETOOL_APPLY_AUTO_APPROVE": "true", "STATETOOL_APPLY_LOCK_TIMEOUT": "1s"})
    yes.call("apply")
    assert shop.sent() == ["cart scale"]


def test_a_saved_plan_names_the_command_that_applies_it(shop: ProjectFolder) -> None:
    """Beside the result, so that the summary stays the last line of stdout; the command works as it is copied."""
    done = shop.call("plan", "--out", "my plan")
    assert done.out.rstrip().splitlines()[-1].startswith("Plan: ")
    assert "statetool apply 'my plan'" in done.err
    shop.call("apply", "my plan")
    assert shop.sent() == ["cart scale"]


def test_init_and_the_commands_it_prints_work(project: ProjectFolder) -> None:
    """Offline, one after the other, as they are printed; and a second init overwrites nothing."""
    (project.root / "statetool.yaml").unlink()
    printed = project.call("init", "my shop").out
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
    assert commands[0] == "cd 'my shop'"
    shop = ProjectFolder(project.root / "my shop")
    for command in commands[1:]:
        words = command.split()[1:]
        shop.call(*words, *(["--auto-approve"] if words == ["apply"] else []))
    shop.ensure_settled()
    before = (shop.root / "statetool.yaml").read_bytes()
    assert "already" in project.call("init", "my shop", code=1).err
    assert (shop.root / "statetool.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("paln", "did you mean statetool plan?"),
        ("state lst", "did you mean statetool state list?"),
        ("zzz", "statetool --help"),
    ],
)
def test_an_unknown_command_names_a_near_one(project: ProjectFolder, typed: str, hint: str) -> None:
    """Or the help, where none is near."""
    done = project.call(*typed.split(), code=64)
    assert f"there is no command {typed.split()[-1]}\n  hint: {hint}\n" in done.err


def test_init_of_a_name_that_can_not_be(project: ProjectFolder) -> None:
    """A sentence, not a bug."""
    assert "can't be written" in project.call("init", "x" * 300, code=1).err


def test_a_saved_plan_of_nothing_names_no_command(shop: ProjectFolder) -> None:
    """There is nothing to apply."""
    shop.call("apply", "--auto-approve")
    assert "statetool apply" not in shop.call("plan", "--out", "empty.plan").err
