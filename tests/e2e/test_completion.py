"""Completion as a shell has it: the script in a real bash, and the conversation behind it for every shell."""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_project import PATIENCE_S, ProjectFolder

from statetool.cli import COMMANDS

STATE = '{"components": {"shop/cart@prod": {}, "shop/pay": {}, "blog/web": {}, "shop/$(reboot)": {}}}'


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A project with a state, and a `statetool` on the PATH as an installation has it."""
    project.write(".statetool/state.json", STATE)
    program = project.write("bin/statetool", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m statetool "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return replace(project, environ={"PATH": path})


def in_bash(project: ProjectFolder, script: str) -> str:
    """What a real bash prints, which has sourced the script before."""
    done = subprocess.run(
        ["bash", "--norc", "-euc", f'eval "$(statetool completion bash)"\n{script}'],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def completed(project: ProjectFolder, *words: str) -> list[str]:
    """What bash would offer for the last of these words, as its own function finds it out."""
    line = " ".join(shlex.quote(word) for word in words)
    script = (
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMPREPLY=()\n"
        '_statetool_completion statetool\n[ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return in_bash(project, script).splitlines()


def test_bash_knows_whom_to_ask(shop: ProjectFolder) -> None:
    """The function is registered for the program's name."""
    assert in_bash(shop, "complete -p statetool") == "complete -o nosort -F _statetool_completion statetool\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["statetool", ""], list(COMMANDS)),
        (["statetool", "d"], ["drift", "doctor", "demo"]),
        (["statetool", "state", ""], ["history", "list", "migrate", "mv", "pull", "push", "resolve", "rm", "show"]),
        (["statetool", "config", "s"], ["show"]),
        (["statetool", "plan", "--ta"], ["--target"]),
        (["statetool", "plan", "-ta"], ["-target"]),
        (["statetool", "plan", "--format", ""], ["text", "markdown", "json"]),
        (["statetool", "completion", ""], ["bash", "zsh", "fish"]),
        (["statetool", "state", "show", ""], ["blog/web", "shop/cart@prod", "shop/pay"]),
        (["statetool", "state", "show", "shop/c"], ["shop/cart@prod"]),
        (["statetool", "rollout", "clear", "b"], ["blog/web"]),
        (["statetool", "plan", "--target", "shop/"], ["shop/cart@prod", "shop/pay"]),
        (["statetool", "apply", "-exclude", "b"], ["blog/web"]),
        (["statetool", "plan", "--target", "=", "b"], ["blog/web"]),
        (["statetool", "plan", "--target", "="], ["blog/web", "shop/cart@prod", "shop/pay"]),
        (["statetool", "bogus", "--x", ""], list(COMMANDS)),
    ],
    ids=" ".join,
)
def test_what_bash_offers(shop: ProjectFolder, words: Sequence[str], offered: list[str]) -> None:
    """Commands, options once, values, and addresses of the state that a shell would not act on."""
    assert completed(shop, *words) == offered


def test_an_option_is_offered_once(shop: ProjectFolder) -> None:
    """With two dashes, although one is accepted too."""
    offered = completed(shop, "statetool", "plan", "-")
    assert "--out" in offered
    assert [word for word in offered if not word.startswith("--")] == ["-h"]
    assert len(offered) == len(set(offered))


def test_a_folder_that_is_named_is_looked_into(shop: ProjectFolder, tmp_path: Path) -> None:
    """--chdir counts, before and behind the command; one that does not exist offers nothing."""
    elsewhere = replace(shop, root=tmp_path / "elsewhere")
    elsewhere.root.mkdir()
    assert completed(elsewhere, "statetool", "--chdir", str(shop.root), "state", "show", "b") == ["blog/web"]
    assert completed(elsewhere, "statetool", "state", "show", "--chdir", str(shop.root), "b") == ["blog/web"]
    assert completed(elsewhere, "statetool", "--chdir", "/nowhere", "state", "show", "") == []


def test_a_state_that_can_not_be_read_is_no_error(shop: ProjectFolder) -> None:
    """Nothing is offered, nothing is said."""
    shop.write(".statetool/state.json", "{")
    assert completed(shop, "statetool", "state", "show", "") == []


def test_completing_runs_nothing(shop: ProjectFolder) -> None:
    """Words that would print or act when run do neither: only offers come back."""
    assert completed(shop, "statetool", "--version", "") == list(COMMANDS)
    assert "--json" in completed(shop, "statetool", "apply", "--auto-approve", "--")
    assert not (shop.root / ".statetool/state.json.lock").exists()


def test_the_tab_key(shop: ProjectFolder) -> None:
    """An interactive bash on a terminal: a command, an address, and the name of a file behind `apply`."""
    shop.write("saved.plan", "")
    master, slave = pty.openpty()
    environment = {**shop.environment, "PS1": "$ ", "TERM": "dumb", "INPUTRC": os.devnull}
    with subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=shop.root,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as shell:
        os.close(slave)
        try:
            type_and_read(master, 'eval "$(statetool completion bash)"; echo re""ady\n', "ready")
            type_and_read(master, "statetool dri\t", "statetool drift ")
            type_and_read(master, "\x15statetool state show bl\t", "statetool state show blog/web")
            type_and_read(master, "\x15statetool apply sav\t", "statetool apply saved.plan")
        finally:
            shell.kill()
            os.close(master)


def type_and_read(terminal: int, keys: str, shown: str) -> None:
    """Type, and read on until that was shown."""
    os.write(terminal, keys.encode())
    text = ""
    while shown not in text:
        ready, _, _ = select.select([terminal], [], [], PATIENCE_S)
        assert ready, f"{shown!r} was not shown:\n{text}"
        text += os.read(terminal, 65536).decode()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_on_a_terminal_it_says_how_to_keep_it(shop: ProjectFolder, shell: str) -> None:
    """On stderr, so that the script stays clean wherever it goes."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "statetool", "completion", shell]
    with subprocess.Popen(
        command, cwd=shop.root, env=shop.environment, stdin=slave, stdout=slave, stderr=subprocess.PIPE, text=True
    ) as running:
        os.close(slave)
        type_and_read(master, "", "_statetool_completion")
        assert running.stderr is not None
        told = running.stderr.read()
        assert running.wait(PATIENCE_S) == 0
    os.close(master)
    assert f"statetool completion {shell}" in told


def asked(project: ProjectFolder, instruction: str, words: str, position: str) -> str:
    """The raw answer to a shell."""
    environ = {**project.environ, "_STATETOOL_COMPLETE": instruction, "COMP_WORDS": words, "COMP_CWORD": position}
    return replace(project, environ=environ).run().out


def test_zsh_and_fish_get_the_help_too(shop: ProjectFolder) -> None:
    """Three lines an offer for one, a tab before the help for the other."""
    zsh = asked(shop, "zsh_complete", "statetool dr", "1").splitlines()
    assert zsh == ["plain", "drift", COMMANDS["drift"]]
    fish = asked(shop, "fish_complete", "statetool dr", "dr").splitlines()
    assert fish == [f"plain,drift\t{COMMANDS['drift']}"]
    assert asked(shop, "zsh_complete", "statetool state show blog", "3").splitlines() == ["plain", "blog/web", "_"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shop: ProjectFolder, shell: str) -> None:
    """It asks with the variable the program looks at, for the name it is installed under. Alone on stdout."""
    done = shop.run("completion", shell)
    assert f"_STATETOOL_COMPLETE={shell}_complete" in done.out
    assert "_statetool_completion" in done.out
    assert done.err == ""
    assert asked(shop, f"{shell}_source", "", "").strip() == done.out.strip()


@pytest.mark.parametrize(
    "environ",
    [
        {"_STATETOOL_COMPLETE": "bash_complete"},
        {"_STATETOOL_COMPLETE": "bash_complete", "COMP_WORDS": "statetool 'x", "COMP_CWORD": "many"},
        {"_STATETOOL_COMPLETE": "tcsh_complete", "COMP_WORDS": "statetool", "COMP_CWORD": "1"},
        {"_STATETOOL_COMPLETE": "bash_dance", "COMP_WORDS": "statetool", "COMP_CWORD": "1"},
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_answered_with_silence(shop: ProjectFolder, environ: dict[str, str]) -> None:
    """An error in the middle of a command line helps nobody."""
    done = replace(shop, environ={**shop.environ, **environ}).run(code=1)
    assert done.all == ""


def test_an_unknown_shell_is_refused(shop: ProjectFolder) -> None:
    """With those that are known."""
    assert "bash" in shop.call("completion", "tcsh", code=64).err
