"""`statetool init`: the first files of a project."""

from __future__ import annotations

from pathlib import Path

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.render.harmless import for_terminal
from statetool.starter import next_commands, write_starter


@click.command(cls=Command)
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.pass_obj
def init(console: Console, /, directory: Path) -> None:
    """Write a commented statetool.yaml, a first manifest and a seed for the sandbox. Never overwrites."""
    for path in write_starter(directory):
        console.out(for_terminal(f"wrote {path}"))
    console.out("\nIt works on the built-in sandbox as it stands. Next:\n")
    for command in next_commands(directory):
        console.out(for_terminal(f"  {command}"))
