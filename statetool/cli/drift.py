"""`statetool drift`: what was changed outside, and putting it back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import json_option, option, planning_options, run_options
from statetool.cli.project import PlanningOptions, is_unsafe, open_project, timezone_of
from statetool.cli.running import ensure_can_approve, run, warn_of_ephemeral_state
from statetool.core.approval import Approval
from statetool.core.events import correction_exit_code, drift_exit_code
from statetool.core.plan_document import plan_to_shown_document
from statetool.errors import UsageError
from statetool.render.drift import render_drift
from statetool.render.json import render_document
from statetool.session import OnFailure, Project
from statetool.workflow import Request, apply_manifests, find_drift


@click.command(cls=Command)
@option("--correct", is_flag=True, help="Put back what lifecycle.drift permits; asks like apply.")
@run_options
@json_option("document", "One JSON document; with --correct events, one JSON object a line.")
@planning_options
@click.pass_obj
def drift(
    console: Console,
    /,
    correct: bool,
    auto_approve: bool,
    approval: Approval | None,
    parallelism: int | None,
    on_failure: OnFailure | None,
    lock_timeout: float | None,
    **planning: Any,
) -> int:
    """Report everything that is not as it was last applied. Exit 2 where something is found."""
    request = PlanningOptions(**planning).request("drift", correct=correct)
    if correct:
        if console.is_json:
            console.json_mode = "lines"
        request = replace(request, approval=None if auto_approve else approval)
        ensure_can_approve(console, auto_approve=auto_approve or approval is not None)
        project = open_project({"limits.parallelism": parallelism}, on_failure)
        warn_of_ephemeral_state(console, project)
        return _correct(console, project, request, auto_approve or approval is not None, lock_timeout or 0.0)
    _ensure_only_read(
        auto_approve=auto_approve,
        approve=approval,
        parallelism=parallelism,
        on_failure=on_failure,
        lock_timeout=lock_timeout,
        unsafe_no_lock=is_unsafe(),
    )
    project = open_project()
    found, correction = find_drift(project, request)
    if console.is_json:
        console.out(render_document(plan_to_shown_document(found)))
    else:
        text = render_drift(
            found,
            correction=correction,
            width=console.width,
            color=console.color(console.stdout),
            timezone=timezone_of(project),
        )
        console.out(text)
    return drift_exit_code(found)


def _correct(console: Console, project: Project, request: Request, auto_approve: bool, lock_timeout_s: float) -> int:
    outcome = run(
        console,
        project,
        lambda listener: apply_manifests(project, request, listener, lock_timeout_s=lock_timeout_s),
        auto_approve=auto_approve,
    )
    return correction_exit_code(outcome.exit_code, outcome.remaining or outcome.plan)


def _ensure_only_read(**options: object) -> None:
    """Raises UsageError for options that mean something only where something is put back."""
    given = ["--" + name.replace("_", "-") for name, value in options.items() if value not in (None, False)]
    if given:
        raise UsageError(f"{', '.join(given)} needs --correct: drift alone changes nothing")
