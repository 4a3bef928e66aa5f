"""`statetool config`: what the tool is set to in this folder."""

from __future__ import annotations

import os
from pathlib import Path

import click

from statetool import __version__
from statetool.cli.commands import Command, Group
from statetool.cli.console import Console
from statetool.cli.options import json_option
from statetool.overview import build_overview
from statetool.render.json import render_document
from statetool.render.settings import overview_to_document, render_overview


@click.group(cls=Group)
def config() -> None:
    """The settings of this folder."""


@config.command(cls=Command)
@json_option("document", "One JSON document (schema: settings).")
@click.pass_obj
def show(console: Console) -> None:
    """Every setting with its value and where it came from. Offline; credentials only by kind and origin."""
    overview = build_overview(Path(), os.environ)
    if console.is_json:
        console.out(render_document(overview_to_document(overview, __version__)))
    else:
        console.out(render_overview(overview, width=console.width, color=console.color(console.stdout)))
