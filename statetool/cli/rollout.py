"""`statetool rollout`: the gray release of one component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from statetool import __version__
from statetool.cli.commands import Command, Group
from statetool.cli.console import Console
from statetool.cli.options import complete_address, json_option, lock_options, option, variable_options
from statetool.cli.project import PlanningOptions, open_offline, open_project, parse_address, timezone_of
from statetool.cli.running import RunView, ensure_can_approve, tell_lock_wait
from statetool.core.plan import OVERRIDABLE
from statetool.core.rollout import RolloutCommand, RolloutStep
from statetool.errors import UsageError
from statetool.housekeeping import clear_rejected_version
from statetool.render.harmless import for_terminal
from statetool.render.json import render_document
from statetool.render.rollout import render_needless, render_rollout, rollout_to_document
from statetool.rollout import read_rollout, take_rollout_step

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_ALL = 100


@click.group(cls=Group)
def rollout() -> None:
    """The gray release of one component: how it stands, and its next step."""


def _step_options(command: Decorated) -> Decorated:
    """Options of every step: arrive as overrides, variables, variable_files, auto_approve, lock_timeout."""
    for decorate in reversed(
        (
            option(
                "--override",
                "overrides",
                multiple=True,
                metavar="CODE",
                type=click.Choice(sorted(OVERRIDABLE)),
                help="Let a deny through, this once; repeatable.",
            ),
            variable_options,
            option("--auto-approve", is_flag=True, help="Do not ask."),
            lock_options,
            json_option("lines", "Events on stdout, one JSON object a line."),
        )
    ):
        command = decorate(command)
    return command


@rollout.command(cls=Command)
@click.argument("address", shell_complete=complete_address)
@json_option("document", "One JSON document (schema: rollout).")
@variable_options
@click.pass_obj
def status(
    console: Console,
    /,
    address: str,
    variables: Sequence[tuple[str, str]],
    variable_files: Sequence[Path],
) -> None:
    """Show how the gray release stands: versions, traffic, instances, and what the next apply would do."""
    wanted = parse_address(address)
    project = open_project()
    request = PlanningOptions(variables=variables, variable_files=variable_files).request()
    found = read_rollout(project, wanted, request)
    if console.is_json:
        console.out(render_document(rollout_to_document(found, __version__)))
        return
    color = console.color(console.stdout)
    console.out(render_rollout(found, width=console.width, color=color, timezone=timezone_of(project)))


@rollout.command(cls=Command)
@click.argument("address", shell_complete=complete_address)
@_step_options
@click.pass_obj
def promote(console: Console, /, address: str, **options: Any) -> int:
    """Let the candidate serve alone, batch by batch; the wish stays what it is."""
    return _take(console, RolloutStep(RolloutCommand.PROMOTE, parse_address(address)), **options)


@rollout.command(cls=Command)
@click.argument("address", shell_complete=complete_address)
@_step_options
@click.pass_obj
def abort(console: Console, /, address: str, **options: Any) -> int:
    """Let the stable version serve alone, and keep the candidate from returning by itself."""
    return _take(console, RolloutStep(RolloutCommand.ABORT, parse_address(address)), **options)


@rollout.command("set-weight", cls=Command)
@click.argument("address", shell_complete=complete_address)
@click.argument("weight", metavar="N", type=int)
@_step_options
@click.pass_obj
def set_weight(console: Console, /, address: str, weight: int, **options: Any) -> int:
    """Send N percent of the traffic, 1 to 99, to the candidate; the wish stays what it is."""
    wanted = parse_address(address)
    if weight == _ALL:
        raise UsageError("all of the traffic is a promotion", hint=f"statetool rollout promote {wanted}")
    if not 0 < weight < _ALL:
        raise UsageError(f"{weight} is no weight", hint="write a whole number from 1 to 99")
    return _take(console, RolloutStep(RolloutCommand.SET_WEIGHT, wanted, weight), **options)


@rollout.command(cls=Command)
@click.argument("address", shell_complete=complete_address)
@click.argument("version")
@option("--reason", required=True, metavar="TEXT", help="Why it may return; shown in the output.")
@lock_options
@click.pass_obj
def clear(console: Console, /, address: str, version: str, reason: str, lock_timeout: float | None) -> None:
    """Let a version return that was aborted or rolled back. Changes the state only."""
    wanted = parse_address(address)
    clear_rejected_version(
        open_offline(),
        wanted,
        version,
        reason,
        lock_timeout_s=lock_timeout or 0.0,
        on_lock_wait=lambda holder: tell_lock_wait(console, holder),
    )
    console.out(for_terminal(f"{wanted}: {version} may return, because: {reason}"))


def _take(
    console: Console, step: RolloutStep, *, auto_approve: bool, lock_timeout: float | None, **planning: Any
) -> int:
    ensure_can_approve(console, auto_approve=auto_approve, has_plan=False)
    project = open_project()
    request = PlanningOptions(**planning).request()
    with RunView(console, timezone_of(project), auto_approve=auto_approve, of_manifests=False) as view:
        taken = take_rollout_step(project, step, request, view.listener, lock_timeout_s=lock_timeout or 0.0)
        if not taken.is_needless:
            view.close(taken.outcome)
        elif not console.is_json:
            console.out(render_needless(step, taken.located))
    return taken.outcome.exit_code
