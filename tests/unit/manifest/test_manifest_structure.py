"""The schema and the tool say the same: what one allows the other reads, what one refuses the other refuses."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from statetool.core.model import Desired
from statetool.errors import UsageError
from statetool.manifest.nodes import plain_value
from statetool.manifest.structure import build_rule, load_rules
from statetool.manifest.yaml_reader import read_yaml
from statetool.schema import load_schema, validator

if TYPE_CHECKING:
    from conftest import Project

# For every key a component may have: a value, and what of Desired must differ from that of an empty component.
RULE = {"type": "header", "key": "k", "condition": "equal", "value": "v"}
GRAY = {"version": "1.1.0", "weight": 5}
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "version": [{"version": "1.0.0"}],
    "replicas": [{"replicas": 3}],
    "state": [{"state": "running"}, {"state": "stopped"}],
    "restart": [{"restart": "token"}, {"restart": 4}],
    "gray": [{"version": "1.0.0", "gray": GRAY}, {"version": "1.0.0", "gray": {"version": "1.1.0", "rules": [RULE]}}],
    "gray.version": [{"version": "1.0.0", "gray": {**GRAY, "version": "1.2.0"}}],
    "gray.weight": [{"version": "1.0.0", "gray": {**GRAY, "weight": 6}}],
    "gray.match": [{"version": "1.0.0", "gray": {"version": "1.1.0", "match": "any", "rules": [RULE]}}],
    "gray.rules": [
        {"version": "1.0.0", "gray": {"version": "1.1.0", "rules": [{**RULE, "condition": condition}]}}
        for condition in ("equal", "match", "in")
    ],
    "depends_on": [{"depends_on": ["other"]}],
    "labels": [{"labels": {"a": "b"}}],
    "ready": [{"ready": {"timeout_s": 7}}],
    "ready.timeout_s": [{"ready": {"timeout_s": 8}}],
    "ready.hold_s": [{"ready": {"hold_s": 8}}],
    "lifecycle": [{"lifecycle": {"drift": "correct"}}],
    "lifecycle.protected": [{"lifecycle": {"protected": True}}],
    "lifecycle.ignore": [
        {"lifecycle": {"ignore": [field]}} for field in ("version", "gray", "replicas", "state", "restart")
    ],
    "lifecycle.drift": [
        {"lifecycle": {"drift": {field: "correct"}}} for field in ("replicas", "version", "gray", "state")
    ],
}


def keys_of(schema: dict[str, Any], root: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted names of all keys of the maps a schema allows, but for those of list items and of the drift map."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    found = set()
    for key, part in schema.get("properties", {}).items():
        found |= {prefix + key} | keys_of(part, root, prefix + key + ".")
    return found


def load_cart(project: Project, component: dict[str, Any]) -> Desired:
    document = {"application": "shop", "components": {"cart": component, "other": {}}}
    assert list(validator("manifest").iter_errors(document)) == []
    project.write(json.dumps(document))
    return next(d for d in project.load().components if d.address.component == "cart")


def test_the_samples_cover_every_key_of_the_schema() -> None:
    """A key added to the schema needs a sample, and so a meaning."""
    schema = load_schema("manifest")
    assert keys_of(schema["$defs"]["component"], schema) == set(SAMPLES)


@pytest.mark.parametrize("key", sorted(SAMPLES))
def test_every_key_the_schema_allows_lands_in_desired(project: Project, key: str) -> None:
    """Nothing is accepted and ignored: each sample of a key gives another Desired."""
    seen = [load_cart(project, {})] + [load_cart(project, sample) for sample in SAMPLES[key]]
    bare = [(d.wish, d.depends_on, dict(d.labels), d.ready, d.lifecycle) for d in seen]
    assert all(one != other for one, other in itertools.combinations(bare, 2))


def test_every_key_of_defaults_lands_in_desired(project: Project) -> None:
    """And `defaults` has no key that a component does not have."""
    schema = load_schema("manifest")
    defaults = set(schema["properties"]["defaults"]["properties"])
    assert defaults < set(schema["$defs"]["component"]["properties"])
    for key in defaults:
        sample = SAMPLES[key][0]
        document = {"application": "shop", "defaults": sample, "components": {"cart": {}}}
        assert validator("manifest").is_valid(document)
        project.write(json.dumps(document))
        loaded = project.load().components[0]
        project.write(json.dumps({"application": "shop", "components": {"cart": sample}}))
        own = project.load().components[0]
        assert (loaded.wish, loaded.labels, loaded.ready, loaded.lifecycle) == (
            own.wish,
            own.labels,
            own.ready,
            own.lifecycle,
        )


VALUES: list[Any] = [None, True, -1, 0, 1, 100, 101, 1.5, "", "x", "1.0.0", "auto", "running", "correct", "a/b@c"]
VALUES += [
    [],
    ["x"],
    ["x", "x"],
    ["gray"],
    {},
    {"x": "y"},
    {"x": 1},
    {"version": "1.0.0"},
    {"hold_s": 0},
    {"hold_s": -1},
]
VALUES += [
    {"ignore": ["gray", "gray"]},
    {"drift": {"gray": "correct"}},
    {"drift": {"restart": "correct"}},
    [RULE],
    [{}],
]


@pytest.mark.parametrize("key", ["", *sorted(SAMPLES), "nonsense", "gray.nonsense"])
@pytest.mark.parametrize("value", VALUES, ids=json.dumps)
def test_structure_and_jsonschema_agree(key: str, value: Any) -> None:
    """Whatever stands at a key, our walk over the nodes and the schema library refuse or accept together.

    Relations between keys (`oneOf` in gray) are left out on both sides: they have words of their own.
    """
    component: Any = value
    for part in reversed(key.split(".") if key else []):
        component = {part: component, **({"version": "1.1.0"} if key.startswith("gray.") and part == key[5:] else {})}
    document = {"application": "shop", "components": {"cart": component}}
    result = read_yaml(json.dumps(document).encode(), "f.json")
    assert result.diagnostics == ()
    assert plain_value(result.documents[0].root) == document
    found: list[Any] = []
    load_rules("manifest").check(result.documents[0].root, found)
    errors = [
        e for e in validator("manifest").iter_errors(document) if e.validator not in ("oneOf", "dependentRequired")
    ]
    assert bool(found) == bool(errors)


@pytest.mark.parametrize("name", ["manifest", "config"])
def test_schemas_are_schemas_and_wholly_read(name: str) -> None:
    """Valid by the rules of JSON Schema itself, and without a keyword that the tool would ignore."""
    validator(name).check_schema(load_schema(name))
    load_rules(name)


def test_a_keyword_that_would_be_ignored_is_refused() -> None:
    """So that nobody writes one into a schema and believes it."""
    with pytest.raises(ValueError, match="multipleOf"):
        build_rule({"type": "integer", "multipleOf": 2}, {})


def test_an_unknown_schema_is_a_usage_error() -> None:
    """`statetool schema NAME` passes the word on; the answer lists the names there are."""
    with pytest.raises(UsageError) as caught:
        load_schema("../../etc/passwd")
    assert "manifest" in (caught.value.hint or "")
