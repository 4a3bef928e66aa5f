"""`statetool state`: reading what is recorded."""

from __future__ import annotations

import click

from statetool.cli.commands import Command, Group
from statetool.cli.console import Console
from statetool.cli.options import complete_address, json_option
from statetool.cli.project import open_offline, parse_address, timezone_of
from statetool.cli.state_resolve import resolve
from statetool.cli.state_view import show_state
from statetool.core.state_document import recorded_to_json, state_to_document
from statetool.housekeeping import read_recorded, read_state
from statetool.render.json import render_document
from statetool.render.state import render_state_show


@click.group(cls=Group)
def state() -> None:
    """Read the recorded state: the wish last applied to each component, and what was last seen."""


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
@click.pass_obj
def pull(console: Console) -> None:
    """The state's document, as JSON, on stdout."""
    console.out(render_document(state_to_document(read_state(open_offline()))))


state.add_command(resolve)
