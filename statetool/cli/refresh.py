"""`statetool refresh`: have the state know what is on the platform now."""

from __future__ import annotations

from collections.abc import Sequence

import click

from statetool import __version__
from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import address_options, json_option, lock_options, option
from statetool.cli.project import open_project, timezone_of
from statetool.cli.running import ask_for_yes, ensure_can_approve, tell_lock_wait
from statetool.core.seen import Sightings
from statetool.core.selection import Selection
from statetool.errors import ExitCode
from statetool.refreshing import refresh_seen
from statetool.render.json import render_document
from statetool.render.progress import PlainProgress
from statetool.render.seen import render_sightings, sightings_to_document
from statetool.session import Project


@click.command(cls=Command)
@option("--sync-workload", is_flag=True, help="Have the platform read the workloads again first.")
@address_options
@option("--auto-approve", is_flag=True, help="Do not ask.")
@lock_options
@json_option("document", "One JSON document (schema: refresh); needs --auto-approve.")
@click.pass_obj
def refresh(
    console: Console,
    /,
    sync_workload: bool,
    targets: Sequence[str],
    excludes: Sequence[str],
    auto_approve: bool,
    lock_timeout: float | None,
) -> int:
    """Show what is seen otherwise than last time, and record it. No wish changes: drift stays drift."""
    ensure_can_approve(console, auto_approve=auto_approve, has_plan=False)
    project = open_project()
    refreshed = refresh_seen(
        project,
        Selection(tuple(targets), tuple(excludes)),
        sync=sync_workload,
        approve=lambda sightings: _approve(console, project, sightings, auto_approve),
        emit=PlainProgress(console.tell),
        on_lock_wait=lambda holder: tell_lock_wait(console, holder),
        lock_timeout_s=lock_timeout or 0.0,
    )
    if console.is_json:
        console.out(render_document(sightings_to_document(refreshed.sightings, refreshed.serial, __version__)))
    elif refreshed.is_declined:
        console.tell("Declined: nothing was recorded.")
    elif refreshed.serial is not None:
        console.out(f"\nRecorded as state serial {refreshed.serial}. No wish was changed.")
    else:
        _show(console, project, refreshed.sightings)
    return ExitCode.DECLINED if refreshed.is_declined else ExitCode.DONE


def _approve(console: Console, project: Project, sightings: Sightings, auto_approve: bool) -> bool:
    if console.is_json:
        return True
    _show(console, project, sightings)
    if auto_approve:
        return True
    console.tell("")
    try:
        return ask_for_yes(console)
    except KeyboardInterrupt:
        console.tell("\nInterrupted: nothing was recorded.")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def _show(console: Console, project: Project, sightings: Sightings) -> None:
    text = render_sightings(
        sightings, width=console.width, color=console.color(console.stdout), timezone=timezone_of(project)
    )
    console.out(text)
