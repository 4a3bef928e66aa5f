"""What each command loads: the quick ones must stay quick, and the others must not pay for one another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import statetool
from statetool.cli import COMMANDS
from statetool.cli import statetool as root

HEAVY = {"yaml", "httpx", "rich", "deepdiff", "jsonschema", "starlette", "uvicorn", "asyncio", "filelock", "sqlite3"}
SCRIPT = """
import sys
from statetool.cli import main
code = main(sys.argv[1:])
sys.stderr.write("\\n".join(sys.modules))
sys.exit(code)
"""


def loaded_by(*arguments: str, cwd: Path) -> set[str]:
    """Every module in the process at its end."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(statetool.__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("arguments", [("version",), ("--version",), ("--help",), ("version", "--help")])
def test_version_and_help_load_next_to_nothing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Click and a handful of our own modules; no room of the tool."""
    modules = loaded_by(*arguments, cwd=tmp_path)
    assert not modules & HEAVY
    ours = {name.split(".")[1] for name in modules if name.startswith("statetool.")}
    assert ours <= {"cli", "errors"}


@pytest.mark.parametrize("arguments", [("init",), ("schema", "plan")])
def test_offline_commands_load_no_network(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Nor the terminal library, nor the differ."""
    assert not loaded_by(*arguments, cwd=tmp_path) & {"httpx", "rich", "deepdiff", "starlette", "uvicorn"}


def test_the_table_of_commands_is_what_can_be_loaded() -> None:
    """Each name is a module with a command of that name."""
    import click

    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert root.get_command(context, "commands") is None
