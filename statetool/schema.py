"""Where the JSON Schemas are, and how one is loaded.

Owns their names. It must not know what they say; what the tool makes of a schema is said where files are read.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from statetool.errors import StatetoolError, UsageError
from statetool.resources import resource_folder

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMA_NAMES = ("manifest", "config", "plan", "state", "event", "diagnostics")


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
def validator(name: str) -> Draft202012Validator:
    """A compiled jsonschema validator of that schema, made once a process. Raises like load_schema."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema(name))
