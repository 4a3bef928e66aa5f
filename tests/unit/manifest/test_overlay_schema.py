"""schemas/overlay.schema.json is made of the manifest's: what a file may hold before it is put together.

An editor sees one file. In a file that extends another nothing is required and null removes; in all of them a value may
be `${var.name}`. The tool itself never asks this schema: what comes of all files together is held against the
manifest's own. The file is written anew with STATETOOL_UPDATE_GOLDEN=1.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from statetool.resources import resource_folder
from statetool.schema import load_schema, validator

REFERENCE = {"type": "string", "pattern": r"\$\{var\.[A-Za-z_][A-Za-z0-9_]*\}"}
RELATIONS = ("required", "oneOf", "dependentRequired")
AS_IT_IS = {"extends", "component_name"}
"""What is never null and holds no variable: which file is read, and names that are keys."""


def overlay_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The schema of single files, made of that of whole manifests."""
    overlay = dict(_loosened(manifest, in_list=False))
    overlay["$id"] = "overlay.schema.json"
    overlay["title"] = "statetool manifest, before it is put together"
    overlay["description"] = (
        "One file of several: it extends another or is extended, or holds variables. Nothing is required in it, and "
        "null removes what the base says. What comes of all files together must be a manifest."
    )
    overlay["type"] = "object"
    overlay["$defs"] = {name: _named(name, part) for name, part in manifest["$defs"].items()}
    overlay["$defs"]["reference"] = {"description": "A value that holds variables.", **REFERENCE}
    return overlay


def _named(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return schema if name in AS_IT_IS else _loosened(schema, in_list=False)


def _loosened(schema: dict[str, Any], *, in_list: bool) -> dict[str, Any]:
    """Lists are replaced as a whole: what is in one keeps its rules, but for variables."""
    if "$ref" in schema:
        return schema
    if "anyOf" in schema:
        branches = [part for part in schema["anyOf"] if "$ref" not in part and _types(part) == {"object"}]
        others = [part for part in schema["anyOf"] if part not in branches]
        loose = [_loosened(part, in_list=in_list) for part in branches]
        return {**schema, "anyOf": [*loose, *others, {"$ref": "#/$defs/reference"}, *_null(in_list)]}
    types = _types(schema)
    if "object" in types:
        kept = {key: part for key, part in schema.items() if in_list or key not in RELATIONS}
        if "properties" in kept:
            kept["properties"] = {
                n: p if n in AS_IT_IS else _loosened(p, in_list=in_list) for n, p in kept["properties"].items()
            }
        if isinstance(kept.get("additionalProperties"), dict):
            kept["additionalProperties"] = _loosened(kept["additionalProperties"], in_list=in_list)
        return kept if in_list else {**kept, "type": sorted(types | {"null"}, reverse=True)}
    if "array" in types:
        loose_items = _loosened(schema["items"], in_list=True)
        return {**schema, "type": "array" if in_list else ["array", "null"], "items": loose_items}
    words = {key: schema[key] for key in ("description", "default") if key in schema}
    rules = {key: part for key, part in schema.items() if key not in words}
    return {**words, "anyOf": [rules, {"$ref": "#/$defs/reference"}, *_null(in_list)]}


def _types(schema: dict[str, Any]) -> set[str]:
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def _null(in_list: bool) -> list[dict[str, Any]]:
    return [] if in_list else [{"type": "null"}]


def test_the_file_is_what_is_made_of_the_manifests_schema() -> None:
    """A field that is added there belongs here too."""
    path = resource_folder("schemas") / "overlay.schema.json"
    text = json.dumps(overlay_of(load_schema("manifest")), indent=2) + "\n"
    if os.environ.get("STATETOOL_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(text))
    assert path.read_text(encoding="utf-8") == text, "STATETOOL_UPDATE_GOLDEN=1 writes it anew"


COMPONENT: dict[str, Any] = {
    "version": "1.0.0",
    "replicas": 3,
    "gray": {"version": "1.1.0", "weight": 5},
    "lifecycle": {"ignore": ["gray"], "drift": {"gray": "correct"}, "protected": True},
    "labels": {"a": "b"},
    "ready": {"timeout_s": 5},
    "depends_on": ["other"],
}
RULE = {"type": "header", "key": "k", "condition": "equal", "value": "v"}


@pytest.mark.parametrize(
    "component",
    [
        COMPONENT,
        None,
        {"gray": {"weight": 20}},
        {"gray": {"rules": None, "match": None}},
        {"gray": None, "version": None, "replicas": None, "labels": None, "depends_on": None},
        {"gray": {"rules": [{**RULE, "type": "${var.type}"}]}},
        {"version": "1.${var.x}", "replicas": "${var.n}", "state": "${var.s}", "ready": {"hold_s": "${var.n}"}},
        {"replicas": {"max": 9}},
        {"replicas": {"min": "${var.n}", "max": None, "enforce_max": "${var.e}"}},
        {"image": "swr/cart:1.${var.x}", "env": {"A": "${var.a}", "B": None}, "release": {"batches": 3}},
        {"package": None, "resources": {"requests": None, "limits": {"cpu": "${var.cpu}", "memory": "1Gi"}}},
        {"gray": {"mode": "${var.m}", "first_batch_replicas": None, "precheck": "${var.p}", "image": "${var.i}"}},
        {"lifecycle": {"ignore": ["${var.f}"], "drift": "${var.d}", "protected": "${var.p}"}},
    ],
)
def test_what_one_file_may_hold(component: Any) -> None:
    """Null, variables, and parts of what must be whole in the end."""
    assert list(validator("overlay").iter_errors({"extends": "base.yaml", "components": {"cart": component}})) == []
    assert list(validator("overlay").iter_errors({"components": {"cart": component}})) == []


@pytest.mark.parametrize(
    "component",
    [
        {"replica": 4},
        {"version": "1.10"},
        {"version": "${version}"},
        {"replicas": "four"},
        {"state": "stoped"},
        {"gray": {"weight": 101}},
        {"gray": {"rules": [{"type": "header"}]}},
        {"gray": {"rules": [{**RULE, "value": None}]}},
        {"replicas": {"least": 1}},
        {"replicas": {"min": -1}},
        {"image": "a b"},
        {"env": {"1A": "x"}},
        {"env": {"A": 1}},
        {"resources": {"limits": {"memory": "128m"}}},
        {"release": {"strategy": "roling"}},
        {"gray": {"mode": "blue-green"}},
        {"lifecycle": {"ignore": [None]}},
        {"extends": "base.yaml"},
    ],
)
def test_what_no_file_may_hold(component: Any) -> None:
    """Wrong values are wrong in every file."""
    assert list(validator("overlay").iter_errors({"extends": "base.yaml", "components": {"cart": component}})) != []
    assert list(validator("overlay").iter_errors({"extends": None})) != []
    assert list(validator("overlay").iter_errors({"components": {"9x": {}}})) != []
