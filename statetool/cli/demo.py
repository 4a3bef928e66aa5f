"""`statetool demo`: the main job on the sandbox, in a temporary folder.

Owns the order of the commands that are shown. Each runs exactly as a person would type it; nothing is faked.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.errors import ExitCode
from statetool.resources import resource_folder

_PATHS = ("statetool.yaml", "seed.yaml", "manifests")


@click.command(cls=Command)
@click.pass_context
def demo(context: click.Context) -> None:
    """Show the main job on a simulated shop: plan, apply, drift, correct. Needs no network and no credentials."""
    source = resource_folder("examples") / "quickstart"
    with tempfile.TemporaryDirectory(prefix="statetool-demo-") as name:
        folder = Path(name)
        for path in _PATHS:
            copy = shutil.copytree if (source / path).is_dir() else shutil.copy
            copy(source / path, folder / path)
        _tell_story(context, folder)


def _tell_story(context: click.Context, folder: Path) -> None:
    console: Console = context.obj
    manifest = folder / "manifests" / "shop.yaml"
    _say(console, "A shop runs in the sandbox, and this is what should run (manifests/shop.yaml):")
    console.out(manifest.read_text(encoding="utf-8"))
    _run(context, folder, "sandbox", "seed", "seed.yaml")
    _say(console, "What would have to happen? A plan changes nothing.")
    _run(context, folder, "plan")
    _say(console, "Do it, and follow every job to its end.")
    _run(context, folder, "apply", "--auto-approve")
    _say(console, "A colleague scales a component in the console, behind our back.")
    _run(context, folder, "sandbox", "disturb", "shop/pay", "--replicas", "8")
    _say(console, "The manifest did not change, so this is drift: shown, and left alone without permission.")
    _run(context, folder, "plan")
    _say(console, "Put it back.")
    _run(context, folder, "apply", "--correct-drift", "--auto-approve")
    _say(console, "And a new plan is empty:")
    _run(context, folder, "plan")
    console.out("\nNo changes.")


def _say(console: Console, sentence: str) -> None:
    text = f"\n# {sentence}\n"
    console.out(click.style(text, bold=True) if console.color(console.stdout) else text)


def _run(context: click.Context, folder: Path, *arguments: str) -> None:
    """One command of this tool, shown as it is typed. The demo stops with the exit code of the first that fails."""
    from statetool.cli import main

    console: Console = context.obj
    text = f"$ statetool {' '.join(arguments)}\n"
    console.out(click.style(text, dim=True) if console.color(console.stdout) else text)
    plain = ["--no-color"] if console.no_color else []
    code = main([*plain, "--chdir", str(folder), *arguments])
    if code != ExitCode.DONE:
        context.exit(code)
