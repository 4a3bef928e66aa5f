"""`statetool validate`: configuration and manifests, offline."""

from __future__ import annotations

from typing import Any

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import json_option, variable_options
from statetool.cli.project import PlanningOptions, open_offline
from statetool.render.json import diagnostics_to_document, render_document
from statetool.render.words import plural
from statetool.workflow import load_desired


@click.command(cls=Command)
@json_option("document", "One JSON document: format_version, errored, diagnostics.")
@variable_options
@click.pass_obj
def validate(console: Console, /, **variables: Any) -> None:
    """Check statetool.yaml and the manifests. Needs no platform and no credentials."""
    desired = load_desired(open_offline(), PlanningOptions(**variables).request())
    if console.is_json:
        console.out(render_document(diagnostics_to_document([])))
    else:
        console.out(f"Valid: {plural(len(desired), 'component')}.")
