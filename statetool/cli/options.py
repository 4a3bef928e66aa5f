"""Options that several commands share, and the types of their values.

Owns spelling and help of these options. Beside click it loads nothing at once: `statetool version` takes `--json`
from here and must stay quick.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from statetool.cli.commands import FOLDER, UNSAFE, Option
from statetool.cli.console import Console, JsonMode
from statetool.cli.warnings import warn

if TYPE_CHECKING:
    from statetool.core.approval import Approval

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(s|m|h)?")
_UNIT_S = {"s": 1, "m": 60, "h": 3600}
LARGEST_TIMEOUT_S = 7 * 86400
_UNSAFE_WARNING = (
    "--unsafe-no-lock: a store that ignores conditions lets two runs write at once; the later one then overwrites what "
    "the other recorded, and both may send the same change"
)
_UNSAFE_HINT = "make sure by other means that nobody else runs now; better, move to a store with locks: `state migrate`"


def read_duration(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Seconds from a number, or a number with s, m or h (`30s`, as Terraform takes it)."""
    if value is None:
        return None
    match = _DURATION.fullmatch(value)
    seconds = float(match[1]) * _UNIT_S[match[2] or "s"] if match else -1.0
    if not 0 <= seconds <= LARGEST_TIMEOUT_S:
        message = f"{value!r} is not a time such as 30, 30s or 5m (a week at most)."
        raise click.BadParameter(message, context, parameter)
    return seconds


def read_approval(context: click.Context, parameter: click.Parameter, value: str | None) -> Approval | None:
    """The risks of `--approve`."""
    from statetool.core.approval import parse_approval

    if value is None:
        return None
    try:
        return parse_approval(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", context, parameter) from None


def option(*names: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """An option of ours: with one dash too."""
    return click.option(*names, cls=Option, **attributes)


def json_option(mode: JsonMode, text: str) -> Callable[[Decorated], Decorated]:
    """`--json` sets the console's mode. Read before all other options, so that their errors are JSON too."""

    def choose(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            cast("Console", context.obj).json_mode = mode

    return option("--json", is_flag=True, is_eager=True, expose_value=False, callback=choose, help=text)


def complete_address(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Recorded addresses that begin so, for a shell that completes."""
    from statetool.known_addresses import find_addresses

    return find_addresses(Path(context.meta.get(FOLDER, ".")), incomplete)


def address_options(command: Decorated) -> Decorated:
    """Which addresses: arrive as targets, excludes."""
    command = _addresses_option("--exclude", "excludes", "Not these addresses; repeatable.")(command)
    return _addresses_option("--target", "targets", "Only these addresses; repeatable.")(command)


def selection_options(command: Decorated) -> Decorated:
    """Which components of the manifests: address_options; arrive as selectors and with_dependencies too."""
    for decorate in reversed(
        (
            address_options,
            option(
                "--selector",
                "selectors",
                multiple=True,
                metavar="K=V",
                help="Only with this label: k=v, k!=v, k or !k; repeatable, also with commas; all must hold.",
            ),
            option("--with-dependencies", is_flag=True, help="Also everything that these depend on."),
        )
    ):
        command = decorate(command)
    return command


def read_assignments(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Pairs of name and text. What stands behind the `=` may be a secret, and is in no error."""
    from statetool.manifest.variables import NAME

    pairs = []
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise click.BadParameter("write NAME=VALUE; there is no '=' in it.", context, parameter)
        if not NAME.fullmatch(name):
            message = f"{name!r} is no name of a variable: letters, digits and '_', not beginning with a digit."
            raise click.BadParameter(message, context, parameter)
        pairs.append((name, text))
    return tuple(pairs)


def variable_options(command: Decorated) -> Decorated:
    """Variables of manifests: arrive as variables, pairs of name and text, and variable_files."""
    for decorate in reversed(
        (
            option(
                "--var",
                "variables",
                multiple=True,
                metavar="NAME=VALUE",
                callback=read_assignments,
                allow_from_autoenv=False,
                help="Set ${var.NAME} of the manifests; repeatable. Without it: --var-file, then STATETOOL_VAR_NAME.",
            ),
            option(
                "--var-file",
                "variable_files",
                multiple=True,
                metavar="FILE",
                type=click.Path(path_type=Path),
                allow_from_autoenv=False,
                help="Set the variables of a YAML map; repeatable, the later wins.",
            ),
        )
    ):
        command = decorate(command)
    return command


def planning_options(command: Decorated) -> Decorated:
    """What a plan is about: arrive as selection_options, overrides, allow_empty, and variable_options."""
    from statetool.core.plan import OVERRIDABLE

    codes = sorted(OVERRIDABLE)
    for decorate in reversed(
        (
            selection_options,
            option(
                "--override",
                "overrides",
                multiple=True,
                metavar="CODE",
                type=click.Choice(codes),
                help=f"Let a deny through, this once; repeatable. One of {', '.join(codes)}.",
            ),
            option("--allow-empty", is_flag=True, help="Accept manifests that describe nothing: all is forgotten."),
            variable_options,
        )
    ):
        command = decorate(command)
    return command


def _addresses_option(flag: str, name: str, text: str) -> Callable[[Decorated], Decorated]:
    return option(flag, name, multiple=True, metavar="GLOB", shell_complete=complete_address, help=text)


def correct_drift_option(command: Decorated) -> Decorated:
    return option("--correct-drift", is_flag=True, help="Put back what was changed outside.")(command)


def lock_timeout_option(command: Decorated) -> Decorated:
    """`--lock-timeout`: arrives as seconds, or None."""
    text = "Wait so long for the state's lock: 30, 30s or 5m [default: 0]."
    return option("--lock-timeout", metavar="S", callback=read_duration, help=text)(command)


def lock_options(command: Decorated) -> Decorated:
    """How the state is locked: arrives as lock_timeout; --unsafe-no-lock is left to `project.py`."""

    def choose(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            context.meta[UNSAFE] = True
            warn(cast("Console", context.obj), "unsafe_no_lock", _UNSAFE_WARNING, _UNSAFE_HINT)

    text = "Also use a store that can't keep two writers apart: the later one then overwrites the other."
    unsafe = option("--unsafe-no-lock", is_flag=True, expose_value=False, callback=choose, help=text)
    return lock_timeout_option(unsafe(command))


def run_options(command: Decorated) -> Decorated:
    """How an apply goes: arrive as auto_approve, approval, parallelism, on_failure, lock_timeout."""
    for decorate in reversed(
        (
            option("--auto-approve", is_flag=True, help="Do not ask."),
            option(
                "--approve",
                "approval",
                metavar="RISKS",
                callback=read_approval,
                help="Do not ask, and run only actions of these risks, as in scale_up,traffic:10.",
            ),
            option("--parallelism", type=int, metavar="N", help="Changing requests at once [default: 10]."),
            option(
                "--on-failure",
                type=click.Choice(["stop", "continue"]),
                help="Start nothing new after a failure, or what does not need it [default: limits.max_failures].",
            ),
            lock_options,
        )
    ):
        command = decorate(command)
    return command


def format_options(command: Decorated) -> Decorated:
    """`--format`, which arrives as view_format, and `--json`, short for `--format json`."""

    def choose(context: click.Context, _: click.Parameter, value: str) -> str:
        if value == "json":
            cast("Console", context.obj).json_mode = "document"
        return value

    choices = click.Choice(["text", "markdown", "json"])
    text = "How it is shown [default: text]."
    formats = option("--format", "view_format", type=choices, default="text", is_eager=True, callback=choose, help=text)
    return formats(json_option("document", "--format json.")(command))
