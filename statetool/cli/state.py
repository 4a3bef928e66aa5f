"""`statetool state`: what is recorded, read and worked on."""

from __future__ import annotations

import click

from statetool import __version__
from statetool.cli.commands import Command, Group
from statetool.cli.console import Console
from statetool.cli.options import complete_address, json_option, option
from statetool.cli.project import open_offline, parse_address, timezone_of
from statetool.cli.state_changes import migrate, mv, push, rm
from statetool.cli.state_resolve import resolve
from statetool.cli.state_view import show_state
from statetool.core.state_document import recorded_to_json, state_to_document
from statetool.housekeeping import read_recorded, read_state
from statetool.render.json import render_document
from statetool.render.state import render_state_show
from statetool.render.state_work import history_to_document, render_history
from statetool.state_work import read_history, read_serial


@click.group(cls=Group)
def state() -> None:
    """The recorded state: the wish last applied to each component, and what was last seen."""


@state.command("list", cls=Command)
@json_option("document", "The state's document.")
@click.pass_obj
def list_components(console: Console) -> None:
    """One recorded component a line."""
    show_state(console, read_state(open_offline()), "text")


@state.command(cls=Command)
@click.argument("address", shell_complete=complete_address)
@json_option("document", "The component as it stands in the state's document.")
@click.pass_obj
def show(console: Console, /, address: str) -> None:
    """Everything the state keeps of one component."""
    wanted = parse_address(address)
    project = open_offline()
    recorded = read_recorded(project, wanted)
    if console.is_json:
        console.out(render_document({"address": str(wanted), **recorded_to_json(recorded)}))
    else:
        console.out(render_state_show(recorded, timezone=timezone_of(project)))


@state.command(cls=Command)
@option("--serial", type=click.IntRange(min=0), metavar="N", help="As it was stored with this serial.")
@click.pass_obj
def pull(console: Console, /, serial: int | None) -> None:
    """The state's document, as JSON, on stdout."""
    project = open_offline()
    found = read_state(project) if serial is None else read_serial(project, serial)
    console.out(render_document(state_to_document(found)))


@state.command(cls=Command)
@json_option("document", "One JSON document (schema: history).")
@click.pass_obj
def history(console: Console) -> None:
    """The serials that can be pulled, the newest first."""
    project = open_offline()
    serials = [(one.serial, one.at) for one in read_history(project)]
    if console.is_json:
        console.out(render_document(history_to_document(project.backend.location, serials, __version__)))
    else:
        console.out(render_history(serials, timezone=timezone_of(project)))


for command in (push, rm, mv, migrate, resolve):
    state.add_command(command)
