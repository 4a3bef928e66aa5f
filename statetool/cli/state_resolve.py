"""`statetool state resolve`: see what there is to judge a parked operation by, and say whether it ran."""

from __future__ import annotations

import click

from statetool import __version__
from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import json_option, lock_options, option
from statetool.cli.project import open_project, timezone_of
from statetool.cli.running import ask_for_yes, ensure_can_approve, tell_lock_wait
from statetool.core.resolution import Evidence
from statetool.errors import ExitCode, UsageError
from statetool.render.json import render_document
from statetool.render.resolution import (
    evidence_to_document,
    render_choice,
    render_evidence,
    render_resolution,
    resolution_to_document,
)
from statetool.resolving import fetch_evidence, resolve_operation
from statetool.session import Project


@click.command(cls=Command)
@click.argument("operation", metavar="ID")
@option("--did-run", is_flag=True, help="It was carried out: what waited for it is recorded.")
@option("--did-not", is_flag=True, help="It was not: the next plan says whether it is still wanted.")
@option("--reason", metavar="TEXT", help="How that was found out.")
@option("--auto-approve", is_flag=True, help="Do not ask.")
@lock_options
@json_option("document", "One JSON document (schema: resolution); with a word to record it needs --auto-approve.")
@click.pass_obj
def resolve(
    console: Console,
    /,
    operation: str,
    did_run: bool,
    did_not: bool,
    reason: str | None,
    auto_approve: bool,
    lock_timeout: float | None,
) -> int:
    """Say whether an operation ran of which nobody else can tell. Shows what there is to judge by; sends nothing.

    With neither --did-run nor --did-not it only shows that, takes no lock, and records nothing.
    """
    if did_run and did_not:
        raise UsageError("say which: --did-run or --did-not", hint="with neither, what is known of it is shown")
    if did_run is did_not:
        if auto_approve or reason is not None:
            raise UsageError(
                "there is nothing to record yet: say which, --did-run or --did-not",
                hint="to see what is known of it, give the id alone",
            )
        return _show(console, operation)
    ensure_can_approve(console, auto_approve=auto_approve, has_plan=False)
    project = open_project()
    resolution = resolve_operation(
        project,
        operation,
        did_run=did_run,
        reason=reason,
        approve=lambda evidence: _approve(console, project, evidence, auto_approve),
        on_lock_wait=lambda holder: tell_lock_wait(console, holder),
        lock_timeout_s=lock_timeout or 0.0,
    )
    if resolution.is_declined:
        console.tell("Declined: nothing was recorded.")
        return ExitCode.DECLINED
    if console.is_json:
        console.out(render_document(resolution_to_document(resolution, __version__)))
    else:
        color = console.color(console.stdout)
        console.out("\n" + render_resolution(resolution, width=console.width, color=color))
    return ExitCode.DONE


def _show(console: Console, operation: str) -> int:
    project = open_project()
    evidence = fetch_evidence(project, operation)
    if console.is_json:
        console.out(render_document(evidence_to_document(evidence, __version__)))
    else:
        _show_evidence(console, project, evidence)
        color = console.color(console.stdout)
        console.out("\n" + render_choice(evidence, width=console.width, color=color))
    return ExitCode.DONE


def _show_evidence(console: Console, project: Project, evidence: Evidence) -> None:
    color = console.color(console.stdout)
    console.out(render_evidence(evidence, width=console.width, color=color, timezone=timezone_of(project)))


def _approve(console: Console, project: Project, evidence: Evidence, auto_approve: bool) -> bool:
    if console.is_json:
        return True
    _show_evidence(console, project, evidence)
    if auto_approve:
        return True
    console.tell("")
    try:
        return ask_for_yes(console)
    except KeyboardInterrupt:
        console.tell("\nInterrupted: nothing was recorded.")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None
