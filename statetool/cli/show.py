"""`statetool show`: a saved plan, or the state, offline."""

from __future__ import annotations

from pathlib import Path

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import format_options
from statetool.cli.plan_view import show_plan
from statetool.cli.project import local_timezone, open_offline
from statetool.cli.state_view import show_state
from statetool.housekeeping import read_state
from statetool.planfile import read_plan


@click.command(cls=Command)
@click.argument("planfile", required=False, type=click.Path(path_type=Path))
@format_options
@click.pass_obj
def show(console: Console, /, planfile: Path | None, view_format: str) -> None:
    """Show a saved plan; without PLANFILE, the recorded state. Needs no platform and no credentials."""
    if planfile is not None:
        show_plan(console, read_plan(planfile), view_format, local_timezone())
    else:
        show_state(console, read_state(open_offline()), view_format)
