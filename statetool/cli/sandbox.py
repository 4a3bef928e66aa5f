"""`statetool sandbox`: the simulated platform, in a file or served."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import click

from statetool.cli.commands import Command, Group
from statetool.cli.console import Console
from statetool.cli.options import option
from statetool.cli.project import open_offline
from statetool.errors import UsageError
from statetool.housekeeping import Controls, load_seed, sandbox_controls, serve_sandbox
from statetool.render.harmless import for_terminal
from statetool.render.words import plural

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@click.group(cls=Group)
def sandbox() -> None:
    """The simulated platform. Seed, disturb and reset act on the project's endpoint, or on --data or --endpoint."""


def _where_options(command: Decorated) -> Decorated:
    data = option("--data", metavar="FILE", type=click.Path(path_type=Path), help="The sandbox in this file.")
    endpoint = option("--endpoint", metavar="URL", help="The sandbox served at this address of this machine.")
    return data(endpoint(command))


def _controls(data: Path | None, endpoint: str | None) -> AbstractContextManager[Controls]:
    if data is not None and endpoint is not None:
        raise UsageError("--data and --endpoint name two sandboxes: give one of them")
    if data is not None or endpoint is not None:
        return sandbox_controls(endpoint or "", data)
    settings = open_offline().settings
    return sandbox_controls(settings.endpoint, settings.sandbox_path)


@sandbox.command(cls=Command)
@option("--data", metavar="FILE", type=click.Path(path_type=Path), help="File of the world [default: the project's].")
@option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port on 127.0.0.1; 0: any free one.")
@option("--job-seconds", type=float, metavar="S", help="How long a job takes [default: 1, or as stored].")
def serve(data: Path | None, port: int, job_seconds: float | None) -> None:
    """Serve the sandbox on this machine until Ctrl-C. Token: sandbox-token."""
    path = data or open_offline().settings.sandbox_path
    if path is None:
        raise UsageError("which world is to be served?", hint="name its file: --data FILE")
    serve_sandbox(path, port=port, job_seconds=job_seconds)


@sandbox.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@_where_options
@click.pass_obj
def seed(console: Console, /, file: Path, data: Path | None, endpoint: str | None) -> None:
    """Replace the world by the one that a seed describes."""
    text = load_seed(file)
    with _controls(data, endpoint) as controls:
        summary = controls.seed(text, str(file))
    console.out(
        for_terminal(
            f"Seeded from {file}: {plural(summary.applications, 'application')}, "
            f"{plural(summary.components, 'component')}."
        )
    )


@sandbox.command(cls=Command)
@click.argument("address")
@option("--replicas", type=int, metavar="N", help="As an autoscaler would set it.")
@option("--weight", type=int, metavar="N", help="Percent of the open gray release.")
@option("--end-gray", type=click.Choice(["rollback", "promote"]), help="End the open gray release.")
@option("--fail-next-job", metavar="TEXT", help="The next job on it fails with this message.")
@_where_options
@click.pass_obj
def disturb(console: Console, /, address: str, data: Path | None, endpoint: str | None, **changes: Any) -> None:
    """Change a component behind the tool's back."""
    with _controls(data, endpoint) as controls:
        controls.disturb(address, **changes)
    told = [
        f'fail next job: "{value}"' if name == "fail_next_job" else f"{name.replace('_', ' ')} {value}"
        for name, value in changes.items()
        if value is not None
    ]
    console.out(for_terminal(f"Disturbed {address}: {', '.join(told)}."))


@sandbox.command(cls=Command)
@_where_options
@click.pass_obj
def reset(console: Console, /, data: Path | None, endpoint: str | None) -> None:
    """Empty the world."""
    with _controls(data, endpoint) as controls:
        controls.reset()
    console.out("The sandbox is empty.")
