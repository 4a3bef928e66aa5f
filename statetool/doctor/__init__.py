"""Looking for what keeps the tool from working, without changing anything.

    folder.py     what stands in the project's folder: configuration, manifests, state and its lock
    visit.py      what a handful of reading requests shows: clock, credentials, endpoint, project, permissions

Owns the order: a broken folder sends nothing, and everything that can be told is told. It must take no lock, write
nothing and send nothing that changes anything.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from statetool import __version__
from statetool.apply.signals import run_interruptibly
from statetool.config import allowed_hosts, inspect_settings
from statetool.core.checks import Check, CheckStatus, Topic, has_failed
from statetool.doctor.folder import check_configuration, check_manifests, check_state
from statetool.doctor.visit import check_platform, not_reached
from statetool.errors import Diagnostic, InvalidInput


def utc_now() -> datetime:
    """The wall clock, with time zone."""
    return datetime.now(UTC)


def examine(directory: Path, environ: Mapping[str, str], *, now: Callable[[], datetime] = utc_now) -> tuple[Check, ...]:
    """All checks of the project in `directory`, in the order of `Topic`. Raises nothing but interruptions."""
    inspection = inspect_settings(directory, environ)
    hosts, problems = _find_hosts(environ)
    configuration = check_configuration(directory, inspection, problems)
    checks = [configuration, *check_manifests(inspection), *check_state(inspection, environ)]
    settings = inspection.settings
    if settings is None or has_failed([configuration]):
        in_process = settings is not None and settings.sandbox_path is not None
        checks += not_reached("needs_configuration", in_process=in_process)
    else:
        checks += run_interruptibly(check_platform(settings, environ, hosts, now=now))
    facts = {"tool": __version__, "python": platform.python_version(), "system": platform.system()}
    return (*checks, Check(Topic.VERSION, CheckStatus.OK, "versions", facts))


def _find_hosts(environ: Mapping[str, str]) -> tuple[frozenset[str], tuple[Diagnostic, ...]]:
    try:
        return allowed_hosts(environ), ()
    except InvalidInput as error:
        return frozenset(), error.diagnostics
