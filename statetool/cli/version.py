"""`statetool version`. Must stay quick: it loads nothing but click."""

from __future__ import annotations

import click

from statetool import __version__
from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import json_option

FORMAT_VERSION = "1.0"


@click.command(cls=Command)
@json_option("document", "One JSON document.")
@click.pass_obj
def version(console: Console) -> None:
    """Print the version of statetool."""
    if console.is_json:
        import json

        console.out(json.dumps({"format_version": FORMAT_VERSION, "tool_version": __version__}, indent=2))
    else:
        console.out(f"statetool {__version__}")
