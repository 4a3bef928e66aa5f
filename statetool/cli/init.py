"""`statetool init`: the first files of a project."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import option
from statetool.errors import UsageError
from statetool.render.harmless import for_terminal
from statetool.starter import next_commands, write_starter

_FLAG = "--from-platform"


class _Spreading(Command):
    """Takes any number of names behind `--from-platform`, none included; DIR stands before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _spread(args))


def _spread(args: Sequence[str]) -> list[str]:
    """`--from-platform a b` as `--from-platform=a --from-platform=b`; without a name as `--from-platform=`."""
    spread: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*spread, word, *rest]
        if word not in (_FLAG, _FLAG[1:]):
            spread.append(word)
            continue
        names = []
        while rest and not rest[0].startswith("-"):
            names.append(rest.pop(0))
        spread += [f"{_FLAG}={name}" for name in names or [""]]
    return spread


@click.command(cls=_Spreading)
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@option(_FLAG, "names", multiple=True, metavar="APP...", help="Take over what runs there, in mode observe.")
@option("--endpoint", metavar="URL", help=f"The platform's address, with {_FLAG} [default: that of HW_REGION_NAME].")
@click.pass_obj
def init(console: Console, /, directory: Path, names: tuple[str, ...], endpoint: str | None) -> None:
    """Write a commented statetool.yaml, a first manifest and a seed for the sandbox. Never overwrites.

    With --from-platform, manifests for what runs already: nothing on the platform is changed, now or by an apply,
    until statetool.yaml says otherwise.
    """
    if names:
        _take_over(console, directory, [name for name in names if name], endpoint)
        return
    if endpoint is not None:
        raise UsageError(f"--endpoint says something only with {_FLAG}", hint=f"init [DIR] {_FLAG} APP --endpoint URL")
    for path in write_starter(directory):
        console.out(for_terminal(f"wrote {path}"))
    console.out("\nIt works on the built-in sandbox as it stands. Next:\n")
    for command in next_commands(directory):
        console.out(for_terminal(f"  {command}"))


def _take_over(console: Console, directory: Path, names: Sequence[str], endpoint: str | None) -> None:
    from statetool.cli.import_ import parse_wanted, show_imported
    from statetool.cli.running import tell_lock_wait
    from statetool.takeover import take_over

    taken = take_over(
        directory,
        parse_wanted(names),
        endpoint=endpoint,
        environ=os.environ,
        on_lock_wait=lambda holder: tell_lock_wait(console, holder),
    )
    console.out(for_terminal(f"Wrote {taken.config}: mode observe."))
    show_imported(console, taken.imported)
    enter = [] if directory == Path() else [f"cd {shlex.quote(str(directory))}"]
    console.out("\nNext: look at what was written, then\n")
    for command in (*enter, "statetool plan"):
        console.out(for_terminal(f"  {command}"))
