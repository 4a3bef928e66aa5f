"""`statetool completion`, and the answers to a shell that completes.

Owns the conversation with the shell, which is click's: the script calls the program with one variable set. An answer
is given at a key press: it must be quick, and stay silent whatever goes wrong.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import click
from click.shell_completion import BashComplete, add_completion_class, get_completion_class, shell_complete

from statetool.cli import COMPLETE_VARIABLE, PROGRAM
from statetool.cli.commands import Command
from statetool.cli.console import Console, is_terminal

_INSTALL: Mapping[str, str] = {
    "bash": """echo 'eval "$(statetool completion bash)"' >> ~/.bashrc""",
    "zsh": """echo 'eval "$(statetool completion zsh)"' >> ~/.zshrc""",
    "fish": "statetool completion fish > ~/.config/fish/completions/statetool.fish",
}


@add_completion_class
class _Bash(BashComplete):
    """bash takes `--target=shop` apart at the equals sign, which click expects for the last word only."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, incomplete = super().get_completion_args()
        return [word for word in words if word != "="], incomplete


def answer_shell(root: click.Command, instruction: str) -> int:
    """Print what may stand next, for the shell to read. `instruction` is the variable's value: `bash_complete`."""
    nowhere = Console(None, None, None, os.environ)
    try:
        return shell_complete(root, {"obj": nowhere}, PROGRAM, COMPLETE_VARIABLE, instruction)
    except Exception:  # a word that could not be completed is no error to anybody
        return 1


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and addresses in a shell: bash, zsh or fish."""
    console: Console = context.obj
    writer = get_completion_class(shell)
    assert writer is not None, "click knows the shells of the choice"
    console.out(writer(context.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source().rstrip("\n"))
    if is_terminal(console.stdout):
        console.tell(f"\nTo have it in every new shell:\n\n  {_INSTALL[shell]}\n")
