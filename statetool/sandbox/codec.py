"""Components and jobs as the JSON text that is stored, and back.

Owns the stored form. Must not be used for anything the API shows. Explicit instead of clever: a page of a list
decodes a hundred components, so every microsecond here counts.
"""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import Any

from statetool.sandbox.model import Component, Gray, Job, Operation, Record, Rule


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        kind: Any = type(value)
        return {name: _plain(getattr(value, name)) for name in _names(kind)}
    return value


def encode(value: Component | Job) -> str:
    """The stored text of a component or a job."""
    return json.dumps(_plain(value), separators=(",", ":"))


def _gray(data: dict[str, Any] | None) -> Gray | None:
    if data is None:
        return None
    return Gray(**{**data, "rules": tuple(Rule(**rule) for rule in data["rules"])})


def _record(data: dict[str, Any]) -> Record:
    data["job_ids"] = tuple(data["job_ids"])
    data["gray"] = _gray(data["gray"])
    return Record(**data)


def _operation(data: dict[str, Any] | None) -> Operation | None:
    if data is None:
        return None
    data["gray"] = _gray(data["gray"])
    if data.get("replaced") is not None:
        data["replaced"] = _record(data["replaced"])
    return Operation(**data)


def decode_component(text: str) -> Component:
    """The component of a stored text."""
    data = json.loads(text)
    data["records"] = tuple([_record(record) for record in data["records"]])
    data["operation"] = _operation(data["operation"])
    return Component(**data)


def decode_job(text: str) -> Job:
    """The job of a stored text."""
    return Job(**json.loads(text))
