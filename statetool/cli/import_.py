"""`statetool import`: manifests and wishes for what runs already."""

from __future__ import annotations

from collections.abc import Sequence

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import lock_options, option
from statetool.cli.project import open_project
from statetool.cli.running import tell_lock_wait
from statetool.errors import UsageError
from statetool.importing import Imported, Wanted, import_running
from statetool.render.imported import render_imported


@click.command("import", cls=Command)
@click.argument("names", metavar="APP[/COMPONENT]...", nargs=-1, required=True)
@option(
    "--replicas",
    type=click.Choice(["auto", "fixed"]),
    default="auto",
    help="Whose the number of instances is: nobody's, or the manifest's [default: auto].",
)
@lock_options
@click.pass_obj
def import_(console: Console, /, names: tuple[str, ...], replicas: str, lock_timeout: float | None) -> None:
    """Write manifests for what runs and none describes, and record it. Changes nothing on the platform."""
    imported = import_running(
        open_project(),
        parse_wanted(names),
        fixed=replicas == "fixed",
        on_lock_wait=lambda holder: tell_lock_wait(console, holder),
        lock_timeout_s=lock_timeout or 0.0,
    )
    show_imported(console, imported)
    if imported.files:
        console.out("\nNext: look at what was written, then statetool plan")


def show_imported(console: Console, imported: Imported) -> None:
    text = render_imported(
        [(file.shown, file.components, file.is_new) for file in imported.files],
        imported.recorded,
        imported.unrecorded,
        imported.findings,
        described=imported.described,
        width=console.width,
        color=console.color(console.stdout),
    )
    console.out(text)


def parse_wanted(names: Sequence[str]) -> list[Wanted]:
    """`shop`, `shop/cart` or `shop/cart@prod`. Raises UsageError for text of another shape."""
    found = []
    for name in names:
        application, slash, rest = name.partition("/")
        component, at, environment = rest.partition("@")
        parts = [application, *([component] if slash else []), *([environment] if at else [])]
        if not all(parts) or "/" in rest or "@" in application or "@" in environment:
            raise UsageError(
                f"{name!r} names no application and no component",
                hint="write APPLICATION, APPLICATION/COMPONENT or APPLICATION/COMPONENT@ENVIRONMENT",
            )
        found.append(Wanted(application, component or None, environment or None))
    return found
