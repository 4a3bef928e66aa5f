"""`statetool apply`: do what the manifests, or a saved plan, say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import correct_drift_option, json_option, option, planning_options, run_options
from statetool.cli.project import PlanningOptions, open_project
from statetool.cli.running import ensure_can_approve, run, run_resume, warn_of_ephemeral_state
from statetool.core.approval import Approval
from statetool.errors import UsageError
from statetool.planfile import read_plan
from statetool.session import OnFailure
from statetool.workflow import apply_manifests, apply_saved_plan


@click.command(cls=Command)
@click.argument("planfile", required=False, type=click.Path(path_type=Path))
@run_options
@option("--resume", is_flag=True, help="Only find out what became of what an interrupted run left open; sends nothing.")
@json_option("lines", "Events on stdout, one JSON object a line.")
@planning_options
@correct_drift_option
@click.pass_context
def apply(
    context: click.Context,
    /,
    planfile: Path | None,
    auto_approve: bool,
    approval: Approval | None,
    parallelism: int | None,
    on_failure: OnFailure | None,
    lock_timeout: float | None,
    resume: bool,
    correct_drift: bool,
    **planning: Any,
) -> int:
    """Lock, plan, ask, and follow every job to its end. With PLANFILE: execute exactly that plan, without asking."""
    console: Console = context.obj
    lock_timeout_s = lock_timeout or 0.0
    if resume:
        _ensure_only_resumed(context, planfile=planfile, approval=approval, correct_drift=correct_drift, **planning)
        return run_resume(console, open_project(), lock_timeout_s=lock_timeout_s)
    if planfile is not None:
        _ensure_no_planning(context, correct_drift=correct_drift, **planning)
    ensure_can_approve(console, auto_approve=auto_approve or approval is not None or planfile is not None)
    approval = None if auto_approve else approval  # --auto-approve means all
    project = open_project({"limits.parallelism": parallelism}, on_failure)
    warn_of_ephemeral_state(console, project)
    if planfile is not None:
        saved = read_plan(planfile)
        return run(
            console,
            project,
            lambda listener: apply_saved_plan(
                project, saved, listener, approval=approval, lock_timeout_s=lock_timeout_s
            ),
            auto_approve=True,
            saved=saved,
        ).exit_code
    request = replace(PlanningOptions(**planning).request(correct=correct_drift), approval=approval)
    return run(
        console,
        project,
        lambda listener: apply_manifests(project, request, listener, lock_timeout_s=lock_timeout_s),
        auto_approve=auto_approve or approval is not None,
    ).exit_code


def _ensure_no_planning(context: click.Context, **planning: object) -> None:
    """A saved plan is executed as it is. Raises UsageError for options that would ask for another."""
    given = _given(context, planning)
    if given:
        raise UsageError(
            f"{given} can't be used with a saved plan: it is applied exactly as it was made",
            hint="give the option to `statetool plan --out FILE` instead",
        )


def _ensure_only_resumed(context: click.Context, **others: object) -> None:
    """A recovery makes no plan and carries out none. Raises UsageError for what would ask for one."""
    given = _given(context, others)
    if given:
        raise UsageError(
            f"{given} can't be used with --resume: it only finds out what became of an interrupted run",
            hint="run `statetool apply --resume` first, then `statetool apply` with the rest; each apply does both",
        )


def _given(context: click.Context, values: Mapping[str, object]) -> str:
    """Those of a command's parameters that were given, as they are typed."""
    given = [parameter for parameter in context.command.params if values.get(parameter.name or "")]
    return ", ".join(p.opts[0] if isinstance(p, click.Option) else (p.name or "").upper() for p in given)
