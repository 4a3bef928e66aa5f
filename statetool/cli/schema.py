"""`statetool schema`: the JSON Schemas, for editors and other tools."""

from __future__ import annotations

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.render.json import render_document
from statetool.schema import SCHEMA_NAMES, load_schema


@click.command(cls=Command, epilog=f"NAME is one of: {', '.join(SCHEMA_NAMES)}.")
@click.argument("name")
@click.pass_obj
def schema(console: Console, /, name: str) -> None:
    """Print the JSON Schema of a format."""
    console.out(render_document(load_schema(name)))
