"""`statetool doctor`: what keeps it from working, and what to mend."""

from __future__ import annotations

import os
from pathlib import Path

import click

from statetool import __version__
from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import json_option
from statetool.core.checks import has_failed
from statetool.doctor import examine
from statetool.errors import ExitCode
from statetool.render.doctor import doctor_to_document, render_doctor
from statetool.render.json import render_document


@click.command(cls=Command)
@json_option("document", "One JSON document (schema: doctor).")
@click.pass_obj
def doctor(console: Console) -> int:
    """Look at everything that has to work, from the configuration to permissions, and say what to mend.

    Changes nothing, takes no lock and sends a handful of reading requests. Exit 1 where something failed.
    """
    checks = examine(Path(), os.environ)
    if console.is_json:
        console.out(render_document(doctor_to_document(checks, __version__)))
    else:
        console.out(render_doctor(checks, width=console.width, color=console.color(console.stdout)))
    return ExitCode.ERROR if has_failed(checks) else ExitCode.DONE
