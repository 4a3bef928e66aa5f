"""`statetool lock`: who holds the lock of the state."""

from __future__ import annotations

import click

from statetool import __version__
from statetool.cli.commands import Command, Group
from statetool.cli.console import Console
from statetool.cli.options import json_option
from statetool.cli.project import open_offline, timezone_of
from statetool.render.json import render_document
from statetool.render.state_work import lock_to_document, render_lock
from statetool.state_work import read_lock


@click.group(cls=Group)
def lock() -> None:
    """The lock of the state. Taking and giving it back is what every command that writes does by itself."""


@lock.command(cls=Command)
@json_option("document", "One JSON document (schema: lock).")
@click.pass_obj
def show(console: Console) -> None:
    """Who holds it, since when, and how far that run is. Takes no lock."""
    project = open_offline()
    view = read_lock(project)
    if console.is_json:
        shown = lock_to_document(view.location, view.holder, view.journal, __version__, is_known=view.is_known)
        console.out(render_document(shown))
        return
    zone = timezone_of(project)
    console.out(render_lock(view.location, view.holder, view.journal, is_known=view.is_known, timezone=zone))
