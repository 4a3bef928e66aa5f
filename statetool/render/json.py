"""Machine output: documents, diagnostics, and events as JSON lines.

Owns the spelling of events and diagnostics as JSON (formats: README, schemas/). The plan's own document is built
in `core/plan_document.py`. Text from outside is left to JSON's escaping, which keeps every line one line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from statetool.core.events import Event, EventType
from statetool.core.model import Json
from statetool.errors import Diagnostic
from statetool.render.sentences import event_sentence

FORMAT_VERSION = "1.0"
"""MAJOR.MINOR of the event stream and of the diagnostics document."""

_LEVELS: Mapping[EventType, str] = {
    EventType.ACTION_ERRORED: "error",
    EventType.ACTION_STALE: "warn",
    EventType.ACTION_SKIPPED: "warn",
    EventType.ACTION_STILL_RUNNING: "warn",
    EventType.STOPPING: "warn",
    EventType.OVERRIDDEN: "warn",
    EventType.RECOVERING: "warn",
}


def render_document(document: Mapping[str, Any]) -> str:
    """A whole document, indented, ASCII only, without a line end behind it."""
    return json.dumps(_finite(document), ensure_ascii=True, indent=2, allow_nan=False)


def event_to_line(event: Event) -> str:
    """One event as one line of JSON. What the event's data call by a name of the envelope is not shown."""
    line: dict[str, Any] = {
        "@level": _LEVELS.get(event.type, "info"),
        "@timestamp": event.at,
        "@message": event_sentence(event),
        "type": str(event.type),
    }
    if event.type is EventType.VERSION:
        line["format_version"] = FORMAT_VERSION
    if event.action_id is not None:
        line["action"] = event.action_id
    envelope: dict[str, Any] = {"run_id": event.run_id, "seq": event.seq}
    if event.elapsed_s is not None:
        envelope["elapsed_s"] = round(event.elapsed_s, 1)
    facts = {key: value for key, value in event.data.items() if key not in line and key not in envelope}
    return json.dumps(_finite({**line, **facts, **envelope}), ensure_ascii=True, allow_nan=False)


def diagnostics_to_document(diagnostics: Sequence[Diagnostic]) -> dict[str, Json]:
    """`errored` is true where at least one is an error. Hint, address and range only where there is one."""
    return {
        "format_version": FORMAT_VERSION,
        "errored": any(d.severity == "error" for d in diagnostics),
        "diagnostics": [diagnostic_to_json(d) for d in diagnostics],
    }


def diagnostic_to_json(diagnostic: Diagnostic) -> dict[str, Json]:
    """One entry of `diagnostics`."""
    shown: dict[str, Json] = {
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
    }
    if diagnostic.hint is not None:
        shown["hint"] = diagnostic.hint
    if diagnostic.address is not None:
        shown["address"] = diagnostic.address
    if diagnostic.mark is not None:
        start: dict[str, Json] = {"line": diagnostic.mark.line, "column": diagnostic.mark.column}
        shown["range"] = {"filename": diagnostic.mark.file, "start": start}
    return shown


def _finite(value: Any) -> Any:
    """`value` with null for numbers that JSON cannot spell; the platform's own parser lets them through."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
