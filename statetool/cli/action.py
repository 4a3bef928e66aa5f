"""`statetool action`: one verb of the platform on one component."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import click

from statetool.cli.commands import Command
from statetool.cli.console import Console
from statetool.cli.options import complete_address, json_option, lock_options, option, variable_options
from statetool.cli.project import PlanningOptions, open_project, parse_address
from statetool.cli.running import ensure_can_approve, run
from statetool.core.model import Address, ContentRule, GrayRule, Json
from statetool.core.plan import OVERRIDABLE, Verb
from statetool.core.raw_action import NEEDS, TAKES, RawAction
from statetool.errors import UsageError
from statetool.raw_action import apply_raw_action

_CONDITIONS = ("equal", "match", "in")


@click.command(cls=Command)
@click.argument("verb", metavar="VERB")
@click.argument("address", shell_complete=complete_address)
@option("--replica", type=click.IntRange(min=0), metavar="N", help="scale: how many instances there are to be.")
@option("--hosts", multiple=True, metavar="ID", help="scale of a component on machines: their ids; repeatable.")
@option("--version", metavar="V", help="rollback, upgrade: to which version.")
@option("--image", metavar="URL", help="upgrade: what the version runs from [default: the tag follows the version].")
@option("--package", metavar="URL", help="upgrade: the same, for a component that runs from a package.")
@option(
    "--weight",
    type=click.IntRange(1, 100),
    metavar="N",
    help="modify_gray_rule: percent of the traffic; with upgrade: start a gray release.",
)
@option(
    "--rule",
    "rules",
    multiple=True,
    metavar="RULE",
    help="The same by content, 'TYPE KEY CONDITION VALUE'; repeatable.",
)
@option("--match", type=click.Choice(["all", "any"]), help="Whether all rules must match, or any [default: all].")
@option(
    "--override",
    "overrides",
    multiple=True,
    metavar="CODE",
    type=click.Choice(sorted(OVERRIDABLE)),
    help="Let a deny through, this once; repeatable.",
)
@variable_options
@option("--auto-approve", is_flag=True, help="Do not ask.")
@lock_options
@json_option("lines", "Events on stdout, one JSON object a line.")
@click.pass_obj
def action(
    console: Console,
    /,
    verb: str,
    address: str,
    replica: int | None,
    hosts: Sequence[str],
    version: str | None,
    image: str | None,
    package: str | None,
    weight: int | None,
    rules: Sequence[str],
    match: str | None,
    overrides: Sequence[str],
    variables: Sequence[tuple[str, str]],
    variable_files: Sequence[Path],
    auto_approve: bool,
    lock_timeout: float | None,
) -> int:
    """Send VERB to the component at ADDRESS, planned, approved and followed like an apply; the wish stays what it is.

    Verbs: start, stop, restart, scale, rollback, rollback_current, continue_deploy, check_gray_release,
    modify_gray_rule, sync_workload, upgrade.
    """
    given: dict[str, Json] = {
        name: value
        for name, value in {"replica": replica, "version": version, "image": image, "package": package}.items()
        if value is not None
    }
    if hosts:
        given["hosts"] = [part.strip() for text in hosts for part in text.split(",") if part.strip()]
    asked = _asked(_parse_verb(verb), parse_address(address), given, _parse_rule(weight, rules, match))
    planning = PlanningOptions(overrides=overrides, variables=variables, variable_files=variable_files)
    request = planning.request()
    ensure_can_approve(console, auto_approve=auto_approve)
    return run(
        console,
        project := open_project(),
        lambda listener: apply_raw_action(project, asked, request, listener, lock_timeout_s=lock_timeout or 0.0),
        auto_approve=auto_approve,
        of_manifests=False,
    ).exit_code


def _parse_verb(text: str) -> Verb:
    if text in list(Verb):
        return Verb(text)
    near = difflib.get_close_matches(text, list(Verb), n=1, cutoff=0.5)
    raise UsageError(
        f"there is no verb {text}", hint=f"did you mean {near[0]}?" if near else f"verbs are {', '.join(Verb)}"
    )


def _parse_rule(weight: int | None, rules: Sequence[str], match: str | None) -> GrayRule | None:
    if weight is not None and (rules or match):
        raise UsageError(
            "--weight can't be used with --rule or --match", hint="send a share of the traffic, or matching requests"
        )
    if weight is not None:
        return GrayRule(weight=weight)
    if not rules:
        if match:
            raise UsageError("--match needs --rule", hint="--rule 'header x-user-tier equal beta'")
        return None
    found = frozenset(_parse_content_rule(text) for text in rules)
    return GrayRule(match="any" if match == "any" else "all", rules=found)


def _parse_content_rule(text: str) -> ContentRule:
    parts = text.split(None, 3)
    if len(parts) != 4 or parts[2] not in _CONDITIONS:
        raise UsageError(
            f"--rule {text!r} is no rule",
            hint="write 'TYPE KEY CONDITION VALUE', such as 'header x-user-tier equal beta'; conditions are equal, "
            "match and in",
        )
    return ContentRule(*parts)


def _asked(verb: Verb, address: Address, given: dict[str, Json], rule: GrayRule | None) -> RawAction:
    """What was asked for, with exactly the parameters that the verb takes. Raises UsageError."""
    names = {*given, *({"rule"} if rule is not None else set())}
    hint = f"{verb} takes {', '.join(map(_flag, sorted(TAKES[verb]))) or 'no option'}"
    if extra := sorted(names - TAKES[verb]):
        raise UsageError(f"{_flag(extra[0])} can't be used with {verb}", hint=hint)
    if missing := sorted(NEEDS.get(verb, frozenset()) - names):
        raise UsageError(f"{verb} needs {_flag(missing[0])}", hint=hint)
    if {"image", "package"} <= names:
        raise UsageError("--image and --package can't be used together", hint="a component runs from one of them")
    return RawAction(verb, address, given, rule)


def _flag(name: str) -> str:
    return "--weight or --rule" if name == "rule" else f"--{name}"
