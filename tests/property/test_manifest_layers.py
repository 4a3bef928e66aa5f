"""Documents over their bases, against a model that knows nothing of nodes, files or YAML.

The model asks of each field, layer by layer, what stands there; the tool merges trees. Both must say the same.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from budgets import bounded
from hypothesis import given
from hypothesis import strategies as st

from statetool.core.model import Desired
from statetool.errors import Diagnostic, InvalidInput
from statetool.manifest.loader import load_manifests
from statetool.manifest.merging import merge, settle
from statetool.manifest.nodes import Mapping, Node, plain_value
from statetool.manifest.yaml_reader import read_yaml

Tree = dict[str, Any]

# Trees in which a key means a map, a list or a scalar everywhere: what people write of one schema.
SCALARS = st.integers(0, 3) | st.sampled_from(["a", "b"])
TREES = st.recursive(
    st.dictionaries(st.sampled_from(["s1", "s2"]), SCALARS, max_size=2),
    lambda inner: st.builds(
        lambda scalars, maps, lists: {**scalars, **maps, **lists},
        st.dictionaries(st.sampled_from(["s1", "s2"]), SCALARS, max_size=2),
        st.dictionaries(st.sampled_from(["m1", "m2", "m3"]), inner, max_size=3),
        st.dictionaries(st.sampled_from(["l1"]), st.lists(SCALARS, max_size=2), max_size=1),
    ),
    max_leaves=12,
)


def root_of(tree: Tree, file: str) -> Mapping:
    root = read_yaml(json.dumps(tree).encode(), file).documents[0].root
    assert isinstance(root, Mapping)
    return root


def written(node: Node, path: str = "") -> dict[str, tuple[object, str]]:
    """Every value that is no map, by its path, with the file it stands in."""
    if not isinstance(node, Mapping):
        return {path: (plain_value(node), node.file)}
    found = {}
    for key, entry in node.entries.items():
        found.update(written(entry.node, f"{path}.{key}"))
    return found


@given(TREES, TREES, TREES)
def test_merging_is_associative_where_nothing_is_removed(one: Tree, two: Tree, three: Tree) -> None:
    """Values and the files they came from are the same, however a chain of bases is taken together."""
    a, b, c = root_of(one, "a"), root_of(two, "b"), root_of(three, "c")
    assert written(merge(merge(a, b), c)) == written(merge(a, merge(b, c)))


@given(TREES, TREES)
def test_merging_changes_neither_document(one: Tree, two: Tree) -> None:
    """A base serves many."""
    a, b = root_of(one, "a"), root_of(two, "b")
    settle(merge(a, b))
    assert (plain_value(a), plain_value(b)) == (one, two)


@given(TREES)
def test_a_document_over_itself_or_nothing_is_itself(tree: Tree) -> None:
    """Of values; the places are those of the upper one."""
    merged = settle(merge(root_of(tree, "a"), root_of(tree, "b")))
    assert plain_value(merged) == tree
    assert {file for _, file in written(merged).values()} <= {"b"}
    assert written(settle(merge(root_of({}, "a"), root_of(tree, "b")))) == written(root_of(tree, "b"))
    assert written(settle(merge(root_of(tree, "a"), root_of({}, "b")))) == written(root_of(tree, "a"))


# Whole documents, with null

FIELDS = ("replicas", "state", "restart", "labels.a", "labels.b", "ready.hold_s")
DEFAULTS = ("replicas", "state", "labels.a", "labels.b", "ready.hold_s")
VALUES: dict[str, list[Any]] = {
    "replicas": [0, 1, 7],
    "state": ["running", "stopped"],
    "restart": ["x", "y"],
    "labels.a": ["p", "q"],
    "labels.b": ["p", "q"],
    "ready.hold_s": [0, 5],
}


def layers(fields: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """What one document says of some fields: a value, or null."""
    return st.fixed_dictionaries(
        {}, optional={field: st.sampled_from([*VALUES[field], None, None]) for field in fields}
    )


PROJECTS = st.lists(st.tuples(layers(DEFAULTS), layers(FIELDS)), min_size=2, max_size=4)
"""From the outermost base to the overlay: defaults, and the component cart."""


class Refused(Exception):
    """The model meets a null that removes nothing."""


def meaning(project: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """The values of cart, field by field. Raises Refused."""
    found = {}
    for field in FIELDS:
        default = _lay([defaults[field] for defaults, _ in project if field in defaults])
        if default == "null":
            raise Refused
        own = _lay([component[field] for _, component in project if field in component])
        if isinstance(own, tuple):
            found[field] = own[0]
        elif own == "null" and not isinstance(default, tuple):
            raise Refused
        elif own == "nothing" and isinstance(default, tuple):
            found[field] = default[0]
    return found


def _lay(values: list[Any]) -> tuple[Any] | str:
    """What is left of values laid one over the other: (value,), nothing, removed, or null that removed none of them."""
    state: tuple[Any] | str = "nothing"
    for value in values:
        state = (value,) if value is not None else "removed" if isinstance(state, tuple) else "null"
    return state


def nested(fields: dict[str, Any]) -> Tree:
    tree: Tree = {}
    for field, value in fields.items():
        first, _, rest = field.partition(".")
        if rest:
            tree.setdefault(first, {})[rest] = value
        else:
            tree[first] = value
    return tree


def load(files: dict[str, str]) -> tuple[Desired, ...]:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text)
        return load_manifests(Path(folder), [Path()]).components


def document(defaults: dict[str, Any], component: dict[str, Any], **more: str) -> str:
    """One key a line, so that the place of an error does not depend on the name of a file."""
    keys = {**more, "defaults": nested(defaults), "components": {"cart": nested(component)}}
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())


@given(PROJECTS)
@bounded(150)
def test_a_chain_of_documents_means_what_the_model_says(project: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Null removes what stands under it, in a component the default too, and is an error where that is nothing."""
    files = {}
    for number, (defaults, component) in enumerate(project):
        head = {"extends": f"f{number - 1}.yaml"} if number else {"application": "shop"}
        files[f"f{number}.yaml"] = document(defaults, component, **head)
    try:
        expected = meaning(project)
    except Refused:
        with pytest.raises(InvalidInput) as caught:
            load(files)
        assert {d.code for d in caught.value.diagnostics} == {"null_value"}
        return
    (flat,) = load({"flat.yaml": document({}, expected, application="shop")})
    (cart,) = load(files)
    assert (cart.wish, cart.labels, cart.ready, cart.lifecycle) == (flat.wish, flat.labels, flat.ready, flat.lifecycle)
    assert cart.marks.keys() >= flat.marks.keys()


@given(PROJECTS, st.permutations(["a.yaml", "m.yaml", "x/b.yaml", "z.yml"]))
def test_the_names_of_files_make_no_difference(
    project: list[tuple[dict[str, Any], dict[str, Any]]], names: list[str]
) -> None:
    """Nor, with them, the order in which they are found: the same components, or the same errors."""
    names = names[: len(project)]
    results = []
    for order in (names, sorted(names)):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "x").mkdir()
            for number, (name, (defaults, component)) in enumerate(zip(order, project, strict=True)):
                base = Path(folder, order[number - 1])
                where = "../" if "/" in name else ""
                head = {"extends": where + str(base.relative_to(folder))} if number else {"application": "shop"}
                Path(folder, name).write_text(document(defaults, component, **head))
            results.append(_result(Path(folder)))
    assert results[0] == results[1]


def _result(folder: Path) -> object:
    def said(diagnostic: Diagnostic) -> tuple[str, int, int]:
        assert diagnostic.mark is not None
        return diagnostic.code, diagnostic.mark.line, diagnostic.mark.column

    try:
        loaded = load_manifests(folder, [Path()]).components
    except InvalidInput as error:
        return sorted(said(diagnostic) for diagnostic in error.diagnostics)
    return [(d.address, d.wish, dict(d.labels), d.ready) for d in loaded]
