"""The command line: options -> one workflow call -> view -> exit code. No decision about plans is made here.

    __init__.py   `main`, and the table of commands; each command is a module of its own name, loaded when invoked
    commands.py   the command classes: lazy loading, and the options every command takes
    options.py    options that several commands share
    console.py    stdout and stderr: colour, width, JSON modes, broken pipes
    failures.py   what went wrong -> diagnostics and exit code
    project.py    the project folder a command works on
    running.py    the views of a run: the prompt, progress, the closing report

The only package that knows click. This module is imported by every command, also by `statetool version`: click
and `errors.py` are all it may load.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import click

from statetool import __version__
from statetool.cli.commands import LazyGroup
from statetool.cli.console import Console
from statetool.errors import ExitCode

PROGRAM = "statetool"
COMPLETE_VARIABLE = "_STATETOOL_COMPLETE"
"""Set by a shell that asks what may stand next."""

COMMANDS: Mapping[str, str] = {
    "init": "Write a commented statetool.yaml and a first manifest",
    "import": "Write manifests for what runs already, and record it",
    "validate": "Check configuration and manifests, offline",
    "plan": "Show what would be done; changes nothing",
    "apply": "Do it: plan, ask, follow every job to its end",
    "show": "Show a saved plan, or the state, offline",
    "explain": "Show where each value of a component comes from, and what decided",
    "drift": "Show what was changed outside, and put it back",
    "refresh": "Look again at what is recorded, and write down what is seen",
    "action": "One verb of the platform on one component",
    "state": "The recorded state: read it, mend it, move it to another backend",
    "lock": "Show who holds the lock of the state, and how far that run is",
    "force-unlock": "End the lock of a run that is dead",
    "rollout": "The gray release of one component: how it stands, its next step",
    "sandbox": "The simulated platform: serve, seed, disturb, reset",
    "doctor": "Find out what keeps it from working, and what to mend",
    "config": "Show every setting and where it came from",
    "completion": "Print the script that completes commands in a shell",
    "demo": "The main job, shown on the sandbox in a temporary folder",
    "schema": "Print the JSON Schema of a format",
    "version": "Print the version",
}
"""Every command with the line that `statetool --help` shows, so that help loads none of them."""


def _show_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        cast("Console", context.obj).out(f"{PROGRAM} {__version__}")
        context.exit()


@click.group(
    cls=LazyGroup,
    commands_help=COMMANDS,
    package=__name__,
    context_settings={"auto_envvar_prefix": "STATETOOL", "help_option_names": ["--help", "-help", "-h"]},
)
@click.option(
    "--version",
    "-version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def statetool() -> None:
    """Desired state for components that run on Huawei Cloud ServiceStage: plan, review, apply, correct drift.

    Long options may be written with one dash, as in Terraform. Every option can be set in the environment:
    STATETOOL_<COMMAND>_<OPTION>; only --var and --var-file can't, whose variables are STATETOOL_VAR_name.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; `argv` is without the program's name, None means that of the process. Returns the exit code."""
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from statetool.cli.completion import answer_shell

        return answer_shell(statetool, instruction)
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = Console(sys.stdin, sys.stdout, sys.stderr, os.environ)
    with _ended_like_ctrl_c():
        try:
            code = _invoke(arguments, console)
        except (Exception, KeyboardInterrupt) as error:
            from statetool.cli.failures import report

            code = report(error, console, arguments)
    return console.finish(code)


def _invoke(arguments: list[str], console: Console) -> int:
    try:
        color = False if console.no_color else None
        with statetool.make_context(PROGRAM, arguments, obj=console, color=color) as context:
            return int(statetool.invoke(context) or ExitCode.DONE)
    except click.exceptions.Exit as done:
        return done.exit_code


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command the way Ctrl-C does: locks released, one line, exit code 130."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with contextlib.ExitStack() as handlers:
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            # What is ignored stays ignored: `nohup statetool apply` outlives its terminal.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                handlers.callback(signal.signal, number, signal.signal(number, signal.default_int_handler))
        yield
