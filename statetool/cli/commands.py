"""The classes of our commands: loaded when invoked, and with the options that every command takes.

Owns how a command is found and the global options. It must not know any command, nor load anything but click.
"""

from __future__ import annotations

import contextlib
import importlib
import keyword
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import click
from click.shell_completion import CompletionItem

from statetool.cli.console import Console
from statetool.errors import UsageError

FOLDER = "statetool.folder"
"""Key of a context's `meta`: the folder that --chdir named, for completion, which happens outside of it."""
UNSAFE = "statetool.unsafe"
"""Key of a context's `meta`: whether --unsafe-no-lock was given."""
_LIKENESS = 0.6
"""Of two names, from 0 to 1, above which one is taken for a slip of the other."""


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
        if ctx.auto_envvar_prefix is None or not self.allow_from_autoenv:
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
        context.meta[FOLDER] = str(Path.cwd())
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


class _Helpful(click.Command):
    """Shows its help through the console, which can't be brought down by a full disk."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        return _without_twins(super().shell_complete(ctx, incomplete))


def _without_twins(items: Iterable[CompletionItem[str]]) -> list[CompletionItem[str]]:
    """Options once, with two dashes; with one where that is what was typed."""
    found = list(items)
    values = {item.value for item in found}
    return [item for item in found if not (item.value.startswith("-") and f"-{item.value}" in values)]


def _show_help(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        cast("Console", context.obj).out(context.get_help())
        context.exit()


class Command(_Helpful):
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
    # Compared without the dashes, which would make everything a little alike.
    names = [text.removeprefix("--") for parameter in known for text in _two_dashes(parameter.opts)]
    near = difflib.get_close_matches(name.lstrip("-"), names, n=1, cutoff=_LIKENESS)
    return UsageError(f"there is no option {name}", hint=f"did you mean --{near[0]}?" if near else None)


class _Family(_Helpful, click.Group):
    """A command of commands, which names the nearest one where it has none of that name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if isinstance(error, click.NoSuchOption):
                raise
            raise _explain_command(ctx, args[0], self.list_commands(ctx)) from None


def _explain_command(context: click.Context, name: str, known: Iterable[str]) -> UsageError:
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=_LIKENESS)
    hint = f"did you mean {context.command_path} {near[0]}?" if near else f"{context.command_path} --help"
    return UsageError(f"there is no command {name}", hint=hint)


class Group(_Family):
    """A family of commands, such as `state list` and `state show`."""

    command_class = Command


class LazyGroup(_Family):
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
        # `import` is a word of Python's own: that module, and the command in it, are called `import_`.
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name.replace("-", "_")
        return cast("click.Command", getattr(importlib.import_module(f"{self._package}.{name}"), name))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """From the table: the commands themselves would take their time to load."""
        commands = [CompletionItem(n, help=text) for n, text in self._help.items() if n.startswith(incomplete)]
        return [*commands, *_without_twins(click.Command.shell_complete(self, ctx, incomplete))]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._help.items()))
