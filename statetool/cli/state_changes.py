"""`statetool state push`, `rm`, `mv` and `migrate`: work on the state itself. Nothing of it reaches the platform."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from statetool.backends.places import BackendName
from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import complete_address, lock_options, option
from statetool.cli.project import open_offline, parse_address
from statetool.cli.running import ask_for_yes, ensure_can_approve, tell_lock_wait
from statetool.errors import ExitCode, UsageError
from statetool.migrating import migrate_state
from statetool.render.harmless import for_terminal
from statetool.render.state_work import render_difference
from statetool.render.words import plural
from statetool.state_work import Locking, load_state_file, move_record, push_state, remove_records


def locking_of(console: Console, lock_timeout: float | None) -> Locking:
    return Locking(lock_timeout or 0.0, lambda holder: tell_lock_wait(console, holder))


def approve_shown(console: Console, text: str, *, auto_approve: bool) -> bool:
    """Show what would happen, and ask."""
    console.out(text)
    if auto_approve:
        return True
    console.tell("")
    try:
        return ask_for_yes(console)
    except KeyboardInterrupt:
        console.tell("\nInterrupted: nothing was changed.")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@option("--auto-approve", is_flag=True, help="Do not ask.")
@lock_options
@click.pass_obj
def push(console: Console, /, file: Path, auto_approve: bool, lock_timeout: float | None) -> int:
    """Let the state in FILE, pulled or rescued, take the place of what is stored."""
    ensure_can_approve(console, auto_approve=auto_approve, has_plan=False)
    pushed = load_state_file(file)
    done = push_state(
        open_offline(),
        pushed,
        approve=lambda found: approve_shown(console, render_difference(found), auto_approve=auto_approve),
        locking=locking_of(console, lock_timeout),
    )
    if done.stored is None:
        console.tell("Declined: nothing was changed.")
        return ExitCode.DECLINED
    if done.is_needless:
        console.out(f"Nothing to do: serial {done.stored.serial} holds the same.")
    else:
        console.out(f"Stored as serial {done.stored.serial}.")
    return ExitCode.DONE


@click.command(cls=Command)
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True, shell_complete=complete_address)
@lock_options
@click.pass_obj
def rm(console: Console, /, addresses: tuple[str, ...], lock_timeout: float | None) -> None:
    """Forget components. They go on running; a manifest that describes one adopts it again."""
    wanted = [parse_address(text) for text in dict.fromkeys(addresses)]
    stored = remove_records(open_offline(), wanted, locking_of(console, lock_timeout))
    for address in wanted:
        console.out(for_terminal(f"Forgot {address}."))
    console.out(f"Stored as serial {stored.serial}: {plural(len(stored.components), 'component')}. Nothing was sent.")


@click.command(cls=Command)
@click.argument("source", metavar="FROM", shell_complete=complete_address)
@click.argument("target", metavar="TO")
@lock_options
@click.pass_obj
def mv(console: Console, /, source: str, target: str, lock_timeout: float | None) -> None:
    """Give what is recorded of a component another address. The component itself keeps its name."""
    before, after = parse_address(source), parse_address(target)
    if before == after:
        raise UsageError(f"{before} has this address already", hint="name the new address behind it")
    stored = move_record(open_offline(), before, after, locking_of(console, lock_timeout))
    console.out(for_terminal(f"{before} is recorded as {after} now. Stored as serial {stored.serial}."))


@click.command(cls=Command)
@option(
    "--to",
    "name",
    type=click.Choice(list(get_args(BackendName))),
    required=True,
    help="The backend to move to, whose section stands in statetool.yaml already.",
)
@lock_options
@click.pass_obj
def migrate(console: Console, /, name: BackendName, lock_timeout: float | None) -> None:
    """Move the state to another backend. What stays behind only leads there."""
    project = open_offline()
    moved = migrate_state(project, name, locking_of(console, lock_timeout))
    count = plural(len(moved.state.components), "component")
    console.out(for_terminal(f"Moved {count}, serial {moved.state.serial}, lineage {moved.state.lineage}"))
    console.out(for_terminal(f"  from {moved.source}"))
    console.out(for_terminal(f"  to   {moved.target}"))
    origin = project.settings.origins["state.backend"]
    where = f" ({origin})" if origin != "default" else ""
    console.out(
        for_terminal(f"\nNow write in statetool.yaml{where}:\n\n  state:\n    backend: {name}", single_line=False)
    )
    console.out("\nUntil then every command that reads the state stops, and says the same.")
