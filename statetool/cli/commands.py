"""The classes of our commands: loaded when invoked, and with the options that every command takes.

Owns how a command is found and the global options. It must not know any command, nor load anything but click.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Mapping
from typing import Any, cast

import click

from statetool.cli.console import Console
from statetool.errors import UsageError


class Option(click.Option):
    """An option that is accepted with one dash too (`-out`, as in Terraform); help shows the two dashes."""

    def __init__(self, declarations: Any = None, **attributes: Any) -> None:
        names = list(declarations or ())
        super().__init__([*names, *(name[1:] for name in names if name.startswith("--"))], **attributes)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        every = self.opts
        self.opts = _two_dashes(every)
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = every

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The variable is named after the option as it is typed, which is not always the name of its parameter."""
        if ctx.auto_envvar_prefix is None:
            return None
        name = _two_dashes(self.opts)[0].removeprefix("--").replace("-", "_").upper()
        return os.environ.get(f"{ctx.auto_envvar_prefix}_{name}") or None

    def get_error_hint(self, ctx: click.Context | None) -> str:
        return " / ".join(_two_dashes(self.opts))


def _two_dashes(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith("--")]


def _enter_folder(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        context.with_resource(contextlib.chdir(value))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"--chdir {os.fspath(value)}: {reason}", hint="name the folder of a statetool.yaml") from None


def _switch_color_off(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        cast("Console", context.obj).no_color = True
        context.color = False


def _global_options() -> list[click.Parameter]:
    return [
        Option(
            ["--chdir"],
            metavar="DIR",
            expose_value=False,
            is_eager=True,
            callback=_enter_folder,
            help="Work in this folder; paths are relative to it.",
        ),
        Option(
            ["--no-color"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_switch_color_off,
            help="No escape codes, as with NO_COLOR and in a pipe.",
        ),
    ]


class Command(click.Command):
    """A command that takes the global options too, so that they may stand behind its name."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        return [*own[:-1], *_global_options(), *own[-1:]]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise _explain_option(error, given, self.get_params(ctx)) from None


def _explain_option(error: click.NoSuchOption, given: Iterable[str], known: Iterable[click.Parameter]) -> UsageError:
    """The option as it was typed: click takes `-bogus` for a row of letters and names the first."""
    import difflib

    typed = (text.partition("=")[0] for text in given if text.startswith(error.option_name))
    name = next(typed, error.option_name)
    names = _two_dashes(name for parameter in known for name in parameter.opts)
    near = difflib.get_close_matches("--" + name.lstrip("-"), names, n=1)
    return UsageError(f"there is no option {name}", hint=f"did you mean {near[0]}?" if near else None)


class Group(click.Group):
    """A family of commands, such as `state list` and `state show`."""

    command_class = Command


class LazyGroup(click.Group):
    """The root: every command is the object of its own name in the module of that name, loaded when it is asked for."""

    def __init__(self, *args: Any, commands_help: Mapping[str, str], package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._help = commands_help
        self._package = package

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*_global_options(), *super().get_params(ctx)]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._help:
            return None
        return cast("click.Command", getattr(importlib.import_module(f"{self._package}.{cmd_name}"), cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._help.items()))
