"""How options are written: one dash or two, values left as they are, times, and what the environment sets."""

from __future__ import annotations

import io
import sys
from typing import Any

import click
import pytest

from statetool.cli import statetool
from statetool.cli.console import Console
from statetool.errors import UsageError


def parse(*arguments: str) -> dict[str, Any]:
    """The parameters a command gets; it is not run."""
    console = Console(None, io.StringIO(), io.StringIO(), {})
    name, command, rest = statetool.resolve_command(click.Context(statetool), list(arguments))
    assert command is not None
    parent = click.Context(statetool, obj=console, auto_envvar_prefix="STATETOOL")
    with command.make_context(name, rest, parent=parent) as context:
        return {**context.params, "json_mode": console.json_mode, "no_color": console.no_color}


@pytest.mark.parametrize(
    ("one_dash", "two_dashes"),
    [
        (["plan", "-out", "f"], ["plan", "--out", "f"]),
        (["plan", "-out=f"], ["plan", "--out=f"]),
        (["plan", "-target", "a/*", "-target=b/*"], ["plan", "--target", "a/*", "--target", "b/*"]),
        (["plan", "-json", "-detailed-exitcode", "-no-color"], ["plan", "--json", "--detailed-exitcode", "--no-color"]),
        (["apply", "-auto-approve", "-parallelism=3"], ["apply", "--auto-approve", "--parallelism", "3"]),
        (["apply", "-lock-timeout=30s", "file"], ["apply", "--lock-timeout", "30", "file"]),
        (["drift", "-correct", "-json"], ["drift", "--correct", "--json"]),
        (
            ["plan", "-selector", "a=b", "-selector=!c", "-with-dependencies"],
            ["plan", "--selector", "a=b", "--selector=!c", "--with-dependencies"],
        ),
        (["plan", "-var", "a=b", "-var=c=d"], ["plan", "--var", "a=b", "--var=c=d"]),
        (["validate", "-var-file", "f", "-var-file=g"], ["validate", "--var-file", "f", "--var-file=g"]),
    ],
)
def test_one_dash_means_the_same(one_dash: list[str], two_dashes: list[str]) -> None:
    """Fingers that know Terraform write one dash, with a blank or an equals sign before the value."""
    assert parse(*one_dash) == parse(*two_dashes)


@pytest.mark.parametrize("value", ["-json", "--json", "-target", "-", "--"])
def test_a_value_that_looks_like_an_option_stays_a_value(value: str) -> None:
    """What stands behind an option that takes a value is that value."""
    parsed = parse("plan", "-out", value)
    assert str(parsed["out"]) == value
    assert parsed["json_mode"] is None


def test_what_stands_behind_two_dashes_is_no_option() -> None:
    """A plan file may be called -json."""
    parsed = parse("apply", "-auto-approve", "--", "-json")
    assert str(parsed["planfile"]) == "-json"
    assert parsed["json_mode"] is None


@pytest.mark.parametrize(
    ("typed", "told", "hint"),
    [
        ("-detailed-exitcod", "-detailed-exitcod", "--detailed-exitcode"),
        ("--tarket=x", "--tarket", "--target"),
        ("-xyz", "-xyz", None),
        ("--bogus", "--bogus", None),
    ],
)
def test_an_unknown_option_is_named_as_it_was_typed(typed: str, told: str, hint: str | None) -> None:
    """With the nearest one that exists."""
    with pytest.raises(UsageError) as caught:
        parse("plan", typed)
    assert caught.value.message == f"there is no option {told}"
    assert caught.value.hint == (f"did you mean {hint}?" if hint else None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("30", 30), ("30s", 30), ("1.5", 1.5), ("5m", 300), ("2h", 7200), ("168h", 604800)]
)
def test_times(text: str, seconds: float) -> None:
    """Seconds, or Terraform's spelling."""
    assert parse("apply", "--lock-timeout", text)["lock_timeout"] == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "1d", "5 m", "1e3", "nan", "inf", "169h", "９"])
def test_bad_times(text: str) -> None:
    """Refused with an example."""
    with pytest.raises(click.BadParameter, match="is not a time such as"):
        parse("apply", f"--lock-timeout={text}")


@pytest.mark.parametrize(
    ("texts", "pairs"),
    [
        (["a=b"], (("a", "b"),)),
        (["a="], (("a", ""),)),
        (["a=b=c d"], (("a", "b=c d"),)),
        (["_A1=x", "a=y", "a=z"], (("_A1", "x"), ("a", "y"), ("a", "z"))),
        (["a=--json"], (("a", "--json"),)),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply", "drift", "validate", "doctor", "action restart shop/cart"])
def test_variables(command: str, texts: list[str], pairs: tuple[tuple[str, str], ...]) -> None:
    """Name and text, as they are, in the order given; wherever manifests are loaded."""
    arguments = [argument for text in texts for argument in ("--var", text)]
    assert parse(*command.split(), *arguments)["variables"] == pairs


@pytest.mark.parametrize("text", ["", "a", "=secret", "1a=secret", "a-b=secret", "a b=secret", "ä=secret", " a=secret"])
def test_bad_variables(text: str) -> None:
    """Refused without what stands behind the `=`."""
    with pytest.raises(click.BadParameter) as caught:
        parse("plan", "--var", text)
    assert "secret" not in caught.value.format_message()


def test_variables_are_not_taken_from_the_environment_of_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the environment are STATETOOL_VAR_name, and nothing else is one."""
    monkeypatch.setenv("STATETOOL_PLAN_VAR", "a=b")
    monkeypatch.setenv("STATETOOL_PLAN_VAR_FILE", "vars.yaml")
    monkeypatch.setenv("STATETOOL_VAR_a", "b")
    parsed = parse("plan")
    assert (parsed["variables"], parsed["variable_files"]) == ((), ())


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are named after the option as it is typed; what is typed comes first."""
    monkeypatch.setenv("STATETOOL_PLAN_TARGET", "a/* b/*")
    monkeypatch.setenv("STATETOOL_PLAN_FORMAT", "markdown")
    monkeypatch.setenv("STATETOOL_PLAN_JSON", "1")
    parsed = parse("plan")
    assert parsed["targets"] == ("a/*", "b/*")
    assert parsed["view_format"] == "markdown"
    assert parsed["json_mode"] == "document"
    assert parse("plan", "--target", "c/*")["targets"] == ("c/*",)


def commands(command: click.Command) -> list[click.Command]:
    """Every command below a group."""
    if not isinstance(command, click.Group):
        return [command]
    context = click.Context(command)
    children = [command.get_command(context, name) for name in command.list_commands(context)]
    return [leaf for child in children if child is not None for leaf in commands(child)]


@pytest.mark.parametrize("command", commands(statetool), ids=lambda command: command.name)
def test_every_command_has_help(command: click.Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence on top, one for each option, and options shown with two dashes only."""
    monkeypatch.setattr(sys, "argv", ["statetool"])
    text = command.get_help(click.Context(command, info_name=command.name))
    assert command.help
    assert " -json" not in text
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter
