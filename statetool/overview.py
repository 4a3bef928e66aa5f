"""Every setting of a project with its value and where it came from, for `statetool config show`.

Owns what is told of settings that are derived from others. It must send nothing, and let no credential out: their
kind and origin are all that leaves here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from statetool import connection
from statetool.backends.places import BackendName, HttpPlace, LocalPlace, PostgresPlace, S3Place, location_of
from statetool.config import ALLOW_VARIABLE, IAM_VARIABLES, SANDBOX_PROJECT_ID, Settings, allowed_hosts, load_settings
from statetool.core.credentials import AccessKey, Credentials, kind_of
from statetool.core.model import Json
from statetool.core.overview import Overview, Setting
from statetool.freeze import Window, window_to_json
from statetool.schema import load_schema

_FIELDS: Mapping[str, str] = {"state.path": "state_path", "guards.max_plan_age": "max_plan_age_s"}
"""Settings whose field is not called like the last part of their name."""
_SPLIT: Mapping[str, str] = {"limits.parallelism": "parallelism_of", "limits.job_timeout_s": "job_timeout_of"}
"""Settings that may have a number for each risk or verb, and the field that holds these."""
_NOT_SET = frozenset(
    {
        "manage",
        "state.http",
        "state.postgres",
        "state.s3",
        "guards.min_replicas",
        "guards.max_weight_step",
        "guards.max_actions",
        "guards.freeze",
        "guards.freeze_from",
    }
)
"""Settings that have no default."""
_STATE_DEFAULTS: Mapping[str, str] = {
    "state.http.lock_address": "from state.http.address",
    "state.http.unlock_address": "from state.http.address",
    "state.s3.endpoint": "from state.s3.region",
}
_DEFAULT = "default"


def build_overview(directory: Path, environ: Mapping[str, str]) -> Overview:
    """The settings of the project in `directory`. Raises InvalidInput for what is wrong with any of them."""
    settings = load_settings(directory, environ, {}, offline=True)
    credentials = connection.find_credentials(settings, environ)
    hosts: list[Json] = [*sorted(allowed_hosts(environ))]
    rows = [_find(settings, name, settings.origins[name]) for name in sorted(settings.origins, key=_order())]
    return Overview(
        root=str(settings.root),
        settings=tuple(_explain(settings, credentials, row) for row in rows),
        iam_endpoint=_iam(settings, environ),
        credentials=_describe(settings, credentials),
        allowed_hosts=Setting("allowed_hosts", hosts, f"environment {ALLOW_VARIABLE}" if hosts else _DEFAULT),
        state_credentials=_describe_state(settings, environ),
        state_location=location_of(settings.state.places[settings.state.backend]),
    )


def _order() -> Callable[[str], int]:
    """As the schema of the file has them."""
    sections = load_schema("config")["properties"]
    names = [
        f"{section}.{key}" if key else section
        for section, part in sections.items()
        for key in part.get("properties", {"": None})
    ]
    places = {name: number for number, name in enumerate(names)}
    return lambda name: places[name] if name in places else places[name.rpartition(".")[0]]


def _find(settings: Settings, name: str, origin: str) -> Setting:
    """The effective value; paths as they would be written in the file."""
    if name == "state.backend":
        return Setting(name, settings.state.backend, origin)
    if name.startswith("state.") and name != "state.path":
        backend, _, key = name.removeprefix("state.").partition(".")
        return Setting(name, getattr(settings.state.places[cast(BackendName, backend)], key) if key else None, origin)
    whole, _, part = name.rpartition(".")
    if whole in _SPLIT:
        return Setting(name, getattr(settings, _SPLIT[whole])[part], origin)
    value = getattr(settings, _FIELDS.get(name, name.rpartition(".")[2]))
    if isinstance(value, Path):
        return Setting(name, _written(value, settings.root), origin)
    if isinstance(value, tuple):
        members = [_member(entry, settings.root) for entry in value]
        return Setting(name, members or None, origin)
    return Setting(name, None if value == "" else value, origin)


def _member(entry: Path | Window | str, root: Path) -> Json:
    if isinstance(entry, Window):
        return window_to_json(entry)
    return _written(entry, root) if isinstance(entry, Path) else entry


def _written(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _explain(settings: Settings, credentials: Credentials | None, row: Setting) -> Setting:
    """A default that is derived says from what; a value that is missing says what comes in its place."""
    if row.origin != _DEFAULT:
        return row
    if row.name == "platform.endpoint":
        return Setting(row.name, row.value, "from platform.region" if row.value else "needs platform.region")
    if row.name == "platform.region" and row.value is None:
        return Setting(row.name, None, "not set")
    if row.name == "platform.project_id":
        return _explain_project(settings, credentials, row)
    if row.name in _STATE_DEFAULTS and row.value is None:
        return Setting(row.name, None, _STATE_DEFAULTS[row.name])
    if row.name in _NOT_SET:
        return Setting(row.name, None, "not set")
    if row.name == "timezone":
        return Setting(row.name, row.value, "that of the system")
    return row


def _explain_project(settings: Settings, credentials: Credentials | None, row: Setting) -> Setting:
    if row.value == SANDBOX_PROJECT_ID:
        return Setting(row.name, row.value, "that of every sandbox")
    if isinstance(credentials, AccessKey) and credentials.project_id is not None:
        return Setting(row.name, credentials.project_id, credentials.origin)
    if settings.region is None:
        return Setting(row.name, None, "not set, and not to be looked up without a region")
    return Setting(row.name, None, "looked up with the first request")


def _iam(settings: Settings, environ: Mapping[str, str]) -> Setting:
    """No file of a project can set this one."""
    name, value = "iam_endpoint", settings.iam_endpoint or None
    variable = next((name for name in IAM_VARIABLES if environ.get(name, "").strip()), None)
    if variable is not None:
        return Setting(name, value, f"environment {variable}")
    if value is None:
        return Setting(name, None, "nobody is asked")
    return Setting(name, value, "from platform.endpoint" if value == settings.endpoint else "from platform.region")


def _describe(settings: Settings, credentials: Credentials | None) -> Setting:
    if credentials is not None:
        return Setting("credentials", kind_of(credentials), credentials.origin)
    return Setting("credentials", None, "not needed" if settings.sandbox_path is not None else "none are given")


def _describe_state(settings: Settings, environ: Mapping[str, str]) -> Setting:
    """What the backend in use is given beside its place. libpq looks at files of its own too."""
    name, place = "state_credentials", settings.state.places[settings.state.backend]
    if isinstance(place, LocalPlace):
        return Setting(name, None, "not needed")
    if isinstance(place, HttpPlace) and (place.username or place.password):
        return Setting(name, "password", f"environment TF_HTTP_{'PASSWORD' if place.password else 'USERNAME'}")
    if isinstance(place, S3Place) and place.access_key:
        kind = "temporary_access_key" if place.session_token else "access_key"
        return Setting(name, kind, "environment AWS_ACCESS_KEY_ID")
    if isinstance(place, PostgresPlace):
        variable = next((name for name in ("PGPASSWORD", "PGPASSFILE") if environ.get(name)), None)
        return Setting(name, "password", f"environment {variable}" if variable else "as libpq finds it")
    return Setting(name, None, "none are given")
