"""The project folder a command works on, opened from the working directory and the environment.

Owns how a command gets its settings, credentials and time zone, and how a request is put together from options.
It must not read manifests or state.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from statetool import surroundings
from statetool.cli.commands import UNSAFE
from statetool.config import allowed_hosts, load_settings
from statetool.config_reader import CONFIG_FILE
from statetool.connection import find_credentials
from statetool.core.model import Address
from statetool.core.plan import PlanMode
from statetool.core.selection import Selection, parse_selectors
from statetool.errors import UsageError
from statetool.session import OnFailure, Project
from statetool.workflow import Request


@dataclass(frozen=True, slots=True)
class PlanningOptions:
    """What `options.planning_options` hands to a command."""

    targets: Sequence[str] = ()
    excludes: Sequence[str] = ()
    overrides: Sequence[str] = ()
    allow_empty: bool = False
    variables: Sequence[tuple[str, str]] = ()
    variable_files: Sequence[Path] = ()
    selectors: Sequence[str] = ()
    with_dependencies: bool = False

    def request(self, mode: PlanMode = "normal", *, correct: bool = False) -> Request:
        """Raises UsageError for a selector that is badly written."""
        return Request(
            mode,
            correct,
            Selection(
                tuple(self.targets), tuple(self.excludes), parse_selectors(self.selectors), self.with_dependencies
            ),
            frozenset(self.overrides),
            self.allow_empty,
            tuple(self.variables),
            tuple(self.variable_files),
        )


def open_project(flags: Mapping[str, object] | None = None, on_failure: OnFailure | None = None) -> Project:
    """The project of this folder, ready to talk to the platform. Raises InvalidInput, UsageError."""
    settings = load_settings(Path(), os.environ, flags or {})
    return Project(
        settings=settings,
        credentials=find_credentials(settings, os.environ),
        allowed_hosts=allowed_hosts(os.environ),
        environ=os.environ,
        unsafe=is_unsafe(),
        on_failure=on_failure,
    )


def open_offline() -> Project:
    """The project of this folder for what needs neither platform nor credentials."""
    return Project(
        settings=load_settings(Path(), os.environ, {}, offline=True),
        credentials=None,
        environ=os.environ,
        unsafe=is_unsafe(),
    )


def is_unsafe() -> bool:
    """Whether --unsafe-no-lock was given to the command that runs."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(UNSAFE))


def has_project() -> bool:
    """Whether this folder is a project: some commands work without one."""
    return Path(CONFIG_FILE).exists()


def timezone_of(project: Project) -> ZoneInfo | None:
    return surroundings.timezone(project.settings.timezone, os.environ)


def local_timezone() -> ZoneInfo | None:
    """The zone of this folder's project, or the system's where it is none."""
    return timezone_of(open_offline()) if has_project() else surroundings.timezone(None, os.environ)


def parse_address(text: str) -> Address:
    """Raises UsageError for text of another shape."""
    try:
        return Address.parse(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not an address", hint="write application/component, or application/component@environment"
        ) from None
