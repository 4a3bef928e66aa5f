"""`statetool plan`: what would be done."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import correct_drift_option, format_options, option, planning_options
from statetool.cli.plan_view import show_plan
from statetool.cli.project import PlanningOptions, open_project, timezone_of
from statetool.core.events import plan_exit_code
from statetool.planfile import write_plan
from statetool.render.harmless import for_terminal
from statetool.workflow import make_plan


@click.command(cls=Command)
@option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Save the plan for `statetool apply FILE`.")
@option("--detailed-exitcode", is_flag=True, help="Exit 2 where there is something to do.")
@format_options
@planning_options
@correct_drift_option
@option("--show-unmanaged", is_flag=True, help="List what no manifest describes.")
@click.pass_obj
def plan(
    console: Console,
    /,
    out: Path | None,
    detailed_exitcode: bool,
    view_format: str,
    correct_drift: bool,
    show_unmanaged: bool,
    **planning: Any,
) -> int:
    """Observe the platform and show what an apply would do. Takes no lock and changes nothing."""
    project = open_project()
    made = make_plan(project, PlanningOptions(**planning).request(correct=correct_drift))
    if out is not None:
        write_plan(out, made)
    show_plan(console, made, view_format, timezone_of(project), show_unmanaged=show_unmanaged)
    if out is not None:
        command = f"statetool apply {shlex.quote(str(out))}"
        use = f"To apply exactly this plan: {command}" if made.can_apply else "It holds nothing to apply."
        console.tell(for_terminal(f"Saved to {out}. {use}"))
    return plan_exit_code(made, detailed=detailed_exitcode)
