"""`statetool explain`: why one component is what it is, and what becomes of it."""

from __future__ import annotations

from typing import Any

import click

from statetool import __version__
from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import complete_address, json_option, variable_options
from statetool.cli.project import PlanningOptions, open_project, parse_address, timezone_of
from statetool.explaining import explain_component
from statetool.render.explanation import explanation_to_document, render_explanation
from statetool.render.json import render_document


@click.command(cls=Command)
@click.argument("address", shell_complete=complete_address)
@variable_options
@json_option("document", "One JSON document (schema: explanation).")
@click.pass_obj
def explain(console: Console, /, address: str, **variables: Any) -> None:
    """Where each wanted value of a component comes from, what is recorded and observed, and what decided.

    Observes the platform, like a plan; takes no lock and changes nothing.
    """
    wanted = parse_address(address)
    project = open_project()
    explanation = explain_component(project, wanted, PlanningOptions(**variables).request())
    if console.is_json:
        console.out(render_document(explanation_to_document(explanation, __version__)))
        return
    color, timezone = console.color(console.stdout), timezone_of(project)
    console.out(render_explanation(explanation, width=console.width, color=color, timezone=timezone))
