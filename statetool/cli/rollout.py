"""`statetool rollout`: the gray release of one component."""

from __future__ import annotations

import click

from statetool.cli.commands import Command, Group
from statetool.cli.console import Console
from statetool.cli.options import complete_address, lock_timeout_option, option
from statetool.cli.project import open_offline, parse_address
from statetool.cli.running import tell_lock_wait
from statetool.housekeeping import clear_rejected_version
from statetool.render.harmless import for_terminal


@click.group(cls=Group)
def rollout() -> None:
    """Gray releases of one component."""


@rollout.command(cls=Command)
@click.argument("address", shell_complete=complete_address)
@click.argument("version")
@option("--reason", required=True, metavar="TEXT", help="Why it may return; shown in the output.")
@lock_timeout_option
@click.pass_obj
def clear(console: Console, /, address: str, version: str, reason: str, lock_timeout: float | None) -> None:
    """Let a version return that was aborted or rolled back. Changes the state only."""
    wanted = parse_address(address)
    clear_rejected_version(
        open_offline(),
        wanted,
        version,
        lock_timeout_s=lock_timeout or 0.0,
        on_lock_wait=lambda holder: tell_lock_wait(console, holder),
    )
    console.out(for_terminal(f"{wanted}: {version} may return, because: {reason}"))
