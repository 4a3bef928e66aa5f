"""A new project for what runs already: `statetool init --from-platform`.

Owns the first statetool.yaml of such a project and the order of things: the platform is asked first, and the
configuration is written last, so that whatever goes wrong, the same command can be given again. It must not
overwrite anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from statetool.backends import OnWait
from statetool.backends.files import explain
from statetool.config import Settings, allowed_hosts, load_settings
from statetool.config_reader import CONFIG_FILE
from statetool.connection import find_credentials
from statetool.endpoints import is_loopback
from statetool.errors import StatetoolError, UsageError
from statetool.importing import Imported, Wanted, import_running, list_applications
from statetool.manifest.writer import scalar_text
from statetool.session import Project

_MOST_LISTED = 20
_REGION, _PROJECT_ID = "platform.region", "platform.project_id"

_CONFIG = """\
# Settings of this project. Paths are relative to this file. Credentials never stand here: they come from the
# environment (HW_ACCESS_KEY and HW_SECRET_KEY, or HW_AUTH_TOKEN) or from ~/.huaweicloud/credentials.
# `statetool schema config` prints every key.
version: 1

# observe: plans are made and shown, and nothing on the platform is changed. When a plan is what you expect, open
# one application after the other (manage: [NAME]), or everything: mode: apply
mode: observe

platform:
{platform}
# Files, or folders whose *.yaml and *.yml are read.
manifests: [manifests/]

# What was applied last, and what was seen: keep it where every run finds it, and out of Git.
state:
  path: .statetool/state.json
"""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A project that was made. `config` is its statetool.yaml."""

    config: Path
    imported: Imported


def take_over(
    directory: Path,
    wanted: Sequence[Wanted],
    *,
    endpoint: str | None,
    environ: Mapping[str, str],
    on_lock_wait: OnWait,
) -> TakenOver:
    """Make a project in `directory`, in mode observe, with manifests and records of what runs.

    The platform is that of `endpoint`, else of the environment. Raises StatetoolError where there is a project
    already, UsageError where no application is named: it lists them.
    """
    config = directory / CONFIG_FILE
    _ensure_free(config, directory)
    text, settings = build_config(directory, endpoint, environ)
    project = Project(settings, find_credentials(settings, environ), allowed_hosts(environ), environ)
    if not wanted:
        raise UsageError("which applications are to be taken over?", hint=_list_names(project))
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StatetoolError(f"{directory} can't be made: {explain(error)}", code="init_failed") from None
    imported = import_running(project, wanted, fixed=False, on_lock_wait=on_lock_wait, lock_timeout_s=0.0)
    try:
        with config.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StatetoolError(f"{config} can't be written: {explain(error)}", code="init_failed") from None
    return TakenOver(config, imported)


def _ensure_free(config: Path, directory: Path) -> None:
    if os.path.lexists(config):
        raise StatetoolError(
            f"{config} is there already; nothing was written",
            code="init_exists",
            hint=f"name another folder, or add to that project: statetool --chdir {directory} import APP",
        )


def build_config(directory: Path, endpoint: str | None, environ: Mapping[str, str]) -> tuple[str, Settings]:
    """The text of statetool.yaml with what the environment says of the platform, and the settings it means.

    Raises InvalidInput for what is wrong with any of it, UsageError where no platform is named.
    """
    bare = f"version: 1\nplatform: {{endpoint: {scalar_text(endpoint)}}}\n" if endpoint else "version: 1\n"
    if not endpoint and load_settings(directory, environ, {}, offline=True, text=bare).region is None:
        raise UsageError("which platform?", hint="set HW_REGION_NAME, or name its address: --endpoint URL")
    given = load_settings(directory, environ, {}, text=bare)
    values = {"endpoint": endpoint} if endpoint else {}
    is_sandbox = given.sandbox_path is not None or is_loopback(given.endpoint)
    if given.region and _is_given(given, _REGION) and not is_sandbox:
        values["region"] = given.region
    if given.project_id and _is_given(given, _PROJECT_ID):
        values["project_id"] = given.project_id
    platform = "".join(f"  {key}: {scalar_text(value)}\n" for key, value in values.items())
    text = _CONFIG.format(platform=platform)
    return text, load_settings(directory, environ, {}, text=text)


def _is_given(settings: Settings, name: str) -> bool:
    """Whether the environment says it: the next run may come from another one."""
    return settings.origins[name].startswith("environment ")


def _list_names(project: Project) -> str:
    names = [application.name for application in list_applications(project)]
    if not names:
        return "the platform shows none: check project and region"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"the platform shows {', '.join(names[:_MOST_LISTED])}{more}: init [DIR] --from-platform NAME..."
