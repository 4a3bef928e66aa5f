"""The schema and the tool say the same: what one allows the other reads, what one refuses the other refuses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from statetool.core.model import Desired
from statetool.errors import UsageError
from statetool.manifest.components import build_document
from statetool.manifest.nodes import Document, plain_value
from statetool.manifest.structure import BY_COMPONENTS, OF_MAPS, OF_VALUES, load_rules
from statetool.manifest.yaml_reader import read_yaml
from statetool.schema import file_validator, load_schema, validator

if TYPE_CHECKING:
    from conftest import Project

# For every key a component may have: a value, and what of Desired must differ from that of an empty component.
RULE = {"type": "header", "key": "k", "condition": "equal", "value": "v"}
GRAY = {"version": "1.1.0", "weight": 5}


def gray(**parameters: Any) -> dict[str, Any]:
    """A component with a gray release of these parameters."""
    return {"version": "1.0.0", "gray": {**GRAY, **parameters}}


SAMPLES: dict[str, list[dict[str, Any]]] = {
    "version": [{"version": "1.0.0"}],
    "image": [{"version": "1.0.0", "image": "swr/shop/cart:1.0.0"}],
    "package": [{"version": "1.0.0", "package": "swr/shop/cart:1.0.0"}],
    "env": [{"version": "1.0.0", "env": env} for env in ({"A": "x"}, {"A": ""}, {"B": "x"})],
    "resources": [{"version": "1.0.0", "resources": {"limits": {"cpu": 1}}}],
    "release": [{"version": "1.0.0", "release": {"strategy": strategy}} for strategy in ("rolling", "one_batch")],
    "release.strategy": [{"version": "1.0.0", "release": {"strategy": "one_batch"}}],
    "release.batches": [{"version": "1.0.0", "release": {"strategy": "rolling", "batches": n}} for n in (1, 2)],
    "replicas": [{"replicas": 3}, {"replicas": {"min": 3, "max": 3}}],
    "replicas.min": [{"replicas": {"min": 1, "max": 3}}],
    "replicas.max": [{"replicas": {"min": 3, "max": 4}}],
    "replicas.enforce_max": [{"replicas": {"min": 3, "max": 3, "enforce_max": enforce}} for enforce in (True, False)],
    "state": [{"state": "running"}, {"state": "stopped"}],
    "restart": [{"restart": "token"}, {"restart": 4}],
    "hosts": [{"hosts": ["ecs-1", "0a1b2c3d"]}],
    "gray": [{"version": "1.0.0", "gray": GRAY}, {"version": "1.0.0", "gray": {"version": "1.1.0", "rules": [RULE]}}],
    "gray.version": [{"version": "1.0.0", "gray": {**GRAY, "version": "1.2.0"}}],
    "gray.weight": [{"version": "1.0.0", "gray": {**GRAY, "weight": 6}}],
    "gray.match": [{"version": "1.0.0", "gray": {"version": "1.1.0", "match": "any", "rules": [RULE]}}],
    "gray.rules": [
        {"version": "1.0.0", "gray": {"version": "1.1.0", "rules": [{**RULE, "condition": condition}]}}
        for condition in ("equal", "match", "in")
    ],
    "gray.image": [gray(image="swr/shop/cart:1.1.0")],
    "gray.package": [gray(package="swr/shop/cart:1.1.0")],
    "gray.mode": [gray(mode=mode) for mode in ("mirror", "extra", "nosurge")],
    "gray.channel": [gray(channel=name) for name in ("microservice", "registry", "elb-dedicated", "elb-shared")],
    "gray.first_batch_replicas": [gray(first_batch_replicas=n) for n in (1, 2)],
    "gray.remaining_batches": [gray(remaining_batches=n) for n in (1, 2)],
    "gray.precheck": [gray(precheck=True)],
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

for where, number in (("requests", 1), ("limits", 2)):
    SAMPLES[f"resources.{where}"] = [{"version": "1.0.0", "resources": {where: {"cpu": number}}}]
    for what in ("cpu", "memory"):
        amounts = (number, 0.5, "5" if what == "cpu" else "5Gi")
        SAMPLES[f"resources.{where}.{what}"] = [
            {"version": "1.0.0", "resources": {where: {what: amount}}} for amount in amounts
        ]


def keys_of(schema: dict[str, Any], root: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted names of all keys of the maps a schema allows, but for those of list items and of the drift map."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if prefix == "replicas.":
        (schema,) = (part for part in schema["anyOf"] if part["type"] == "object")
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
    bare = [(d.wish, d.depends_on, d.hosts, dict(d.labels), d.ready, d.lifecycle, d.deploy) for d in seen]
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


OF_A_VERSION = load_schema("manifest")["$defs"]["component"]["dependentRequired"]
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
    "500m",
    "1.5Gi",
    "mirror",
    "rolling",
    {"min": 3, "max": 2},
    {"cpu": "500m", "memory": 70000},
    {"strategy": "one_batch", "batches": 2},
]
VALUES += [
    {"ignore": ["gray", "gray"]},
    {"drift": {"gray": "correct"}},
    {"drift": {"restart": "correct"}},
    [RULE],
    [{}],
]


@pytest.mark.parametrize("key", ["", *sorted(SAMPLES), "nonsense", "gray.nonsense"])
def test_what_jsonschema_refuses_is_said_and_nothing_else(key: str) -> None:
    """Whatever stands at a key: no error of the untouched schema is dropped, and what it allows is not refused."""
    for value in VALUES:
        component: Any = value
        for part in reversed(key.split(".") if key else []):
            needs_version = part in OF_A_VERSION or (key.startswith("gray.") and part == key[5:])
            component = {part: component, **({"version": "1.1.0"} if needs_version else {})}
        document = {"application": "shop", "components": {"cart": component}}
        result = read_yaml(json.dumps(document).encode(), "f.json")
        assert result.diagnostics == ()
        root = result.documents[0].root
        assert plain_value(root) == document
        if validator("manifest").is_valid(document):
            assert load_rules("manifest").check(root) == [], value
        else:
            assert build_document(Document("f.json", root), load_rules("manifest")).diagnostics, value


ANNOTATIONS = {"title", "description", "default", "$schema", "$id"}
ANNOTATIONS |= {"patternErrorMessage", "x-code", "x-hint", "x-secret"}
INWARDS = {"properties", "items", "propertyNames"}
"""Keywords without an error of their own: theirs are those of the schemas in them."""
SAID = {*OF_MAPS, *OF_VALUES, *BY_COMPONENTS, "uniqueItems"}


def schema_of(name: str) -> dict[str, Any]:
    """The schema as the tool uses it, without references."""
    schema = file_validator(name).schema
    assert isinstance(schema, dict)
    return schema


def parts_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema and all schemas in it, but for the relations between keys."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    inner += [schema[key] for key in ("items", "propertyNames", "additionalProperties") if schema.get(key)]
    for part in inner:
        yield from parts_of(part)


@pytest.mark.parametrize("name", ["manifest", "variables", "config"])
def test_every_error_a_schema_can_raise_has_words(name: str) -> None:
    """And every other keyword is known to be no rule: a misspelt one would be a rule that nobody keeps."""
    Draft202012Validator.check_schema(load_schema(name))
    for part in parts_of(schema_of(name)):
        assert set(part) <= SAID | INWARDS | ANNOTATIONS, part
        assert "type" in part or "anyOf" in part, part


def test_relations_between_keys_are_those_components_py_says() -> None:
    """Its words are for these; another relation in the schema needs words there first."""
    parts = list(parts_of(schema_of("manifest")))
    related = [{key: part[key] for key in BY_COMPONENTS & set(part)} for part in parts if BY_COMPONENTS & set(part)]
    with_version = {key: ["version"] for key in ("image", "package", "env", "resources", "release")}
    assert related == [
        {"dependentRequired": with_version},
        {"oneOf": [{"required": ["weight"]}, {"required": ["rules"]}], "dependentRequired": {"match": ["rules"]}},
    ]
    assert not any(BY_COMPONENTS & set(part) for part in parts_of(schema_of("config")))


def problems_of(component: str) -> list[tuple[str, int, int]]:
    """Code, line and column of what is wrong in the component `cart`."""
    text = f"application: shop\ncomponents:\n  cart: {component}\n"
    root = read_yaml(text.encode(), "f").documents[-1].root
    return [(p.code, p.line, p.column) for p in load_rules("manifest").check(root)]


@pytest.mark.parametrize(
    ("component", "codes"),
    [
        ("{replicas: 4.0}", ["wrong_type"]),
        ("{ready: {timeout_s: 1e999}}", ["wrong_type"]),
        ("{state: [running]}", ["wrong_type"]),
        ("{version: '123456789012345678901234567890123'}", ["bad_version"]),
        ("{replicas: {min: one}}", ["wrong_type"]),
        ("{version: 1.0.0, resources: {limits: {cpu: true, memory: [1]}}}", ["wrong_type", "wrong_type"]),
        ("{version: 1.0.0, resources: {limits: {cpu: 1e999, memory: .inf}}}", ["out_of_range", "bad_quantity"]),
        ("{version: 1.0.0, image: ''}", ["bad_artifact"]),
        ("{version: 1.0.0, env: {1A: 1}}", ["bad_name", "unquoted_text"]),
        ("{lifecycle: {drift: {gray: 1, x: 2}}}", ["wrong_type", "unknown_key"]),
        ("{depends_on: [db, db, db]}", ["duplicate_item", "duplicate_item"]),
    ],
)
def test_one_mistake_is_one_problem(component: str, codes: list[str]) -> None:
    """However many keywords refuse it; and a fraction is no whole number, even where it has no digits but 0."""
    assert sorted(code for code, _, _ in problems_of(component)) == sorted(codes)


@pytest.mark.parametrize(
    "component",
    ['{version: "1\\t"}', '{restart: "\\t"}', "{replicas: 99999999999999999999}", '{depends_on: ["\\t", "\\t"]}'],
)
def test_what_the_reader_refused_is_not_refused_again(component: str) -> None:
    """Not even as a repeated item: its value may be a stand-in."""
    assert problems_of(component) == []


def test_a_shared_mistake_is_first_said_of_the_first_component() -> None:
    """Problems come in the order of the document, whatever order the schema library finds them in."""
    names = [f"n{number * 7 % 10}x" for number in range(10)]
    text = "application: shop\ncomponents:\n  first: &x {version: 1.1}\n" + "".join(f"  {n}: *x\n" for n in names)
    found = load_rules("manifest").check(read_yaml(text.encode(), "f").documents[0].root)
    assert [problem.path[1] for problem in found] == ["first", *names]


def test_an_unknown_schema_is_a_usage_error() -> None:
    """`statetool schema NAME` passes the word on; the answer lists the names there are."""
    with pytest.raises(UsageError) as caught:
        load_schema("../../etc/passwd")
    assert "manifest" in (caught.value.hint or "")
