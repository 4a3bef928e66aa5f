"""Where the JSON Schemas are, and how one is loaded.

Owns their names, and the validators made of them. It must not know what they say; what the tool makes of a schema
is said where files are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from statetool.errors import StatetoolError, UsageError
from statetool.resources import resource_folder

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

Validator: TypeAlias = "Draft202012Validator"
SchemaError: TypeAlias = "ValidationError"
"""The two types of jsonschema that others name: no other module imports it."""
SCHEMA_NAMES = (
    "manifest",
    "overlay",
    "variables",
    "config",
    "freezes",
    "plan",
    "state",
    "journal",
    "event",
    "diagnostics",
    "settings",
    "doctor",
    "explanation",
    "refresh",
    "rollout",
    "history",
    "lock",
    "resolution",
)


def load_schema(name: str) -> dict[str, Any]:
    """The schema of that name, freshly parsed.

    Raises UsageError for a name not in SCHEMA_NAMES, StatetoolError where the installation lacks the file.
    """
    if name not in SCHEMA_NAMES:
        raise UsageError(
            f"there is no schema named {name!r}", code="unknown_schema", hint="known: " + ", ".join(SCHEMA_NAMES)
        )
    path = resource_folder("schemas") / f"{name}.schema.json"
    if not path.is_file():
        raise StatetoolError(f"this installation lacks {path.name}", code="schema_missing", hint="install it again")
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


@cache
def validator(name: str) -> Validator:
    """A compiled jsonschema validator of that schema, made once a process. Raises like load_schema."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema(name))


def file_validator(name: str, *keys: str) -> Validator:
    """A validator for files that people write, or for what stands under these keys there. Raises like load_schema.

    It differs from `validator` in three ways: 4.0 is no whole number, for it was not written as one; each repeated
    item of a list is an error of its own, with the item's path; and references are resolved beforehand, which
    halves the time and lets whoever reads an error see all of its schema.
    """
    from jsonschema import Draft202012Validator, validators

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    strict: type[Validator] = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"uniqueItems": _repeated_items}, type_checker=types
    )
    schema = load_schema(name)
    schema = _without_references(schema, schema.pop("$defs", {}))
    for key in keys:
        schema = schema["properties"][key]
    return strict(schema)


def _repeated_items(_: object, unique: bool, instance: object, __: object) -> Iterator[SchemaError]:
    """The keyword uniqueItems. jsonschema compares each map of a list with each other: far too slow for long lists."""
    from jsonschema import ValidationError

    seen: set[str] = set()
    for index, item in enumerate(instance if unique and isinstance(instance, list) else ()):
        spelling = json.dumps(item, sort_keys=True)
        if spelling in seen:
            yield ValidationError(f"item {index} stands twice", path=[index])
        seen.add(spelling)


def _without_references(part: Any, definitions: dict[str, Any]) -> Any:
    """A schema with every `$ref` replaced by what it refers to; keys beside it win. For schemas without loops."""
    if isinstance(part, list):
        return [_without_references(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        part = {**definitions[part["$ref"].removeprefix("#/$defs/")], **part}
        del part["$ref"]
    return {key: _without_references(value, definitions) for key, value in part.items()}
