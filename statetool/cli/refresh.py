"""`statetool refresh`: look again at what is recorded."""

from __future__ import annotations

from collections.abc import Sequence

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import lock_timeout_option, option, selection_options
from statetool.cli.project import open_project, timezone_of
from statetool.cli.running import ask_for_yes, ensure_can_approve, tell_lock_wait
from statetool.core.project import Selection
from statetool.core.seen import Refreshed
from statetool.errors import ExitCode
from statetool.refreshing import refresh_state
from statetool.render.progress import PlainProgress
from statetool.render.seen import render_refreshed


@click.command(cls=Command)
@selection_options
@option("--sync-workload", is_flag=True, help="Have the platform read its workloads again first.")
@option("--auto-approve", is_flag=True, help="Do not ask.")
@lock_timeout_option
@click.pass_obj
def refresh(
    console: Console,
    /,
    targets: Sequence[str],
    excludes: Sequence[str],
    sync_workload: bool,
    auto_approve: bool,
    lock_timeout: float | None,
) -> int:
    """Show what is seen otherwise than last time, and write it down. No wish changes: drift stays drift."""
    ensure_can_approve(console, auto_approve=auto_approve)
    project = open_project()

    def approve(found: Refreshed) -> bool:
        shown = render_refreshed(
            found, timezone=timezone_of(project), width=console.width, color=console.color(console.stdout)
        )
        console.out(shown)
        if not found.changes or auto_approve:
            return True
        console.tell("")
        return ask_for_yes(console)

    recorded = refresh_state(
        project,
        Selection(tuple(targets), tuple(excludes)),
        sync_workload=sync_workload,
        approve=approve,
        emit=PlainProgress(console.tell),
        on_lock_wait=lambda holder: tell_lock_wait(console, holder),
        lock_timeout_s=lock_timeout or 0.0,
    )
    if not recorded:
        console.tell("Declined: nothing was recorded.")
        return ExitCode.DECLINED
    return ExitCode.DONE
