"""`statetool config show`: every setting with its value and where it came from.

Owns how values are written. It must not know any setting: what is told of each stands in `overview.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from statetool.core.model import Json
from statetool.core.overview import Overview, Setting
from statetool.render.json import FORMAT_VERSION
from statetool.render.layout import Cell, Page, cell
from statetool.render.words import CREDENTIAL_KINDS

_NOTHING = "-"
_UNITS: Mapping[str, str] = {
    "guards.max_plan_age": " s",
    "guards.max_share": " %",
    "guards.max_scale_down": " %",
    "guards.max_weight_step": " %",
}
"""Of settings whose name does not say it."""
_ALWAYS_ALLOWED = "those of the platform, and this machine"


def render_overview(overview: Overview, *, width: int | None = None, color: bool = False) -> str:
    """One setting a line: name, value, origin. Below them what is set by no file."""
    page = Page(width=width, color=color)
    page.line(cell(f"Project {overview.root}", "bold"))
    page.blank()
    shown = Setting("credentials", _kind_text(overview.credentials.value), overview.credentials.origin)
    state = Setting("state is kept in", overview.state_location, "")
    keys = overview.state_credentials
    kept = [_row(state)]
    if overview.state_credentials.origin != "not needed":
        kept.append(_row(Setting("credentials of the state", _kind_text(keys.value), keys.origin)))
    given = overview.allowed_hosts
    hosts = given.value if isinstance(given.value, list) else []
    more = [_row(Setting("hosts for credentials", _ALWAYS_ALLOWED, "always"))]
    more += [_row(Setting("more hosts", host, given.origin)) for host in hosts]
    rows = [_row(part) for setting in overview.settings for part in _parts(setting)]
    iam = Setting("tokens are asked for at", overview.iam_endpoint.value, overview.iam_endpoint.origin)
    page.table([*rows, [cell("")], *kept, _row(shown), *more, _row(iam)], keep=1)
    return page.text()


def overview_to_document(overview: Overview, tool_version: str) -> dict[str, Json]:
    """`value` null: there is none, and `origin` says what that means."""
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "root": overview.root,
        "settings": [_to_json(setting) for setting in overview.settings],
        "iam_endpoint": {"value": overview.iam_endpoint.value, "origin": overview.iam_endpoint.origin},
        "credentials": {"kind": overview.credentials.value, "origin": overview.credentials.origin},
        "allowed_hosts": {"hosts": overview.allowed_hosts.value, "origin": overview.allowed_hosts.origin},
        "state_location": overview.state_location,
        "state_credentials": {"kind": overview.state_credentials.value, "origin": overview.state_credentials.origin},
    }


def _to_json(setting: Setting) -> Json:
    return {"name": setting.name, "value": setting.value, "origin": setting.origin}


def _parts(setting: Setting) -> list[Setting]:
    """A list of maps takes a line for each of them."""
    if not isinstance(setting.value, list) or not any(isinstance(entry, dict) for entry in setting.value):
        return [setting]
    return [Setting(setting.name, entry, setting.origin) for entry in setting.value]


def _kind_text(kind: Json) -> str | None:
    return CREDENTIAL_KINDS.get(str(kind), str(kind)) if kind else None


def _row(setting: Setting) -> list[Cell]:
    return [
        cell(setting.name),
        cell(_NOTHING if setting.value is None else _value_text(setting.value) + _UNITS.get(setting.name, "")),
        cell(setting.origin, "dim"),
    ]


def _value_text(value: Json) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, list):
        return ", ".join(_value_text(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{key} {_value_text(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
