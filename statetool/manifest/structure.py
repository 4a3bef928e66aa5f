"""Nodes against a JSON Schema: unknown keys, types, enums, ranges, patterns, each with its place and our words.

Owns how a refusal is said and where it is shown. What is allowed the schema says, and jsonschema decides: every
error it finds becomes a Problem here, but for relations between keys, which have words of their own in
components.py. An error keyword without words is a programming error; a test holds schemas and words together.

Beside JSON Schema's own keywords it reads four annotations: `patternErrorMessage` (what the text must be), `x-code`
(the error code for that), `x-hint` (what to write instead) and `x-secret` (what stands there is never shown).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeAlias, cast

from statetool.errors import SourceMark
from statetool.manifest import nodes
from statetool.manifest.nodes import Node, Scalar, Substituted, plain_value
from statetool.schema import SchemaError, Validator, file_validator

KeyPath: TypeAlias = "tuple[str | int, ...]"
Schema: TypeAlias = "Mapping[str, Any]"

BY_COMPONENTS = frozenset({"oneOf", "dependentRequired"})
"""Relations between keys: components.py says them."""
_KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    nodes.Mapping: "object",
    nodes.Sequence: "array",
}
_TYPE_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}
_LATE = {"missing_key": 1, "duplicate_item": 2}
"""Said after whatever else stands at the same place."""
_MOST_SOURCES = 3
_NEAR = 0.75
"""Below this likeness a suggestion is a guess: `release` is not a misspelt `replicas`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal. The message is `before`, then the described path from the root, then `after`."""

    code: str
    file: str
    line: int
    column: int
    path: KeyPath
    after: str
    hint: str
    before: str = ""

    @property
    def mark(self) -> SourceMark:
        return SourceMark(self.file, self.line, self.column)


class _Words(NamedTuple):
    code: str
    after: str
    hint: str


@dataclass(frozen=True, slots=True)
class Rules:
    """One schema, ready to be asked."""

    validator: Validator

    def check(self, root: Node) -> list[Problem]:
        """What is wrong with the node and all under it, in the document's order, but for what the reader refused."""
        found: dict[Problem, None] = {}  # a dict: a text too long and of a wrong pattern is two errors, but one problem
        for error in self.validator.iter_errors(plain_value(root)):
            found.update(dict.fromkeys(_translate(error, root)))
        # jsonschema goes by the order of the schema or of a set; people by that of the document.
        return sorted(found, key=lambda problem: (_LATE.get(problem.code, 0), _find(root, problem.path)[1]))


@cache
def load_rules(name: str, *keys: str) -> Rules:
    """The rules of the schema of that name, or for what stands under these keys there; made once a process."""
    return Rules(file_validator(name, *keys))


def _find(root: Node, path: KeyPath) -> tuple[Node, list[tuple[int, int]]]:
    """The node at that path, and the way to it in numbers that sort as the document does."""
    node, steps = root, []
    for part in path:
        if isinstance(node, nodes.Mapping):
            _, line, column, node = node.entries[str(part)]
            steps.append((line, column))
        elif isinstance(node, nodes.Sequence):
            node = node.items[int(part)]
            steps.append((int(part), 0))
    return node, steps


def _translate(error: SchemaError, root: Node, whole: Schema | None = None) -> Iterator[Problem]:
    """One error in our words. `whole` is the schema with the anyOf, where the error is of a branch of it."""
    keyword, path, schema = str(error.validator), tuple(error.absolute_path), cast(Schema, error.schema)
    node, before = _find(root, path)[0], ""
    if keyword in BY_COMPONENTS or (isinstance(node, Scalar) and node.refused):
        return
    if "propertyNames" in error.schema_path:
        key = str(error.instance)
        entry = cast(nodes.Mapping, node).entries[key]
        node, path, before = Scalar(key, key, True, *entry[:3]), (*path, key), "the name of "
    branch = _branch(whole or schema, node)
    if keyword == "anyOf" and branch is not None:
        for inner in error.context or ():
            if schema["anyOf"][inner.schema_path[0]] is branch:
                yield from _translate(inner, root, schema if not inner.path else None)
    elif keyword in OF_MAPS:
        yield from OF_MAPS[keyword](schema, cast(nodes.Mapping, node), path)
    elif keyword == "uniqueItems":
        after, hint = f" holds {say(node)} twice", "remove one of the two"
        yield Problem("duplicate_item", node.file, node.line, node.column, path[:-1], after, hint)
    else:
        # A value of a wrong type is refused by other keywords too: that is still one problem.
        explain = OF_VALUES[keyword] if branch is not None else _wrong_type
        code, after, hint = explain(whole or schema, schema, node)
        yield Problem(code, node.file, node.line, node.column, path, after, hint, before)


def _unknown_keys(schema: Schema, node: nodes.Mapping, path: KeyPath) -> Iterator[Problem]:
    known = schema["properties"]
    for key, entry in node.entries.items():
        if key not in known:
            hint = suggest(key, known) or "known keys here: " + ", ".join(sorted(known))
            yield Problem("unknown_key", *entry[:3], path, "", hint, f"unknown key {quote(key)} in ")


def _missing_keys(schema: Schema, node: nodes.Mapping, path: KeyPath) -> Iterator[Problem]:
    for key in schema["required"]:
        if key not in node.entries:
            after = f" lacks the key '{key}'"
            yield Problem("missing_key", node.file, node.line, node.column, path, after, f"add `{key}:`")


def _wrong_type(whole: Schema, _: Schema, node: Node) -> _Words:
    wanted, hint = _wanted(whole), whole.get("x-hint")
    said = _say_kind(node) if "x-secret" in whole else say(node)
    if not isinstance(node, Scalar):
        return _Words("wrong_type", f" must be {wanted}, not {say(node)}", hint or f"write {wanted}")
    if node.value is None:
        value = "{}" if _branch(whole, "object") else wanted
        return _Words("null_value", " has no value", hint or f"write {value}, or remove the key")
    if isinstance(node.value, str):
        hint = _hint_for_text(whole, node)
    else:
        text = _branch(whole, "string")
        if text is not None and "enum" not in text and _branch(whole, "number") is None:
            return _unquoted(text, node)
    return _Words("wrong_type", f" must be {wanted}, not {said}", hint or f"write {wanted}")


def _unquoted(schema: Schema, node: Scalar) -> _Words:
    """A number or boolean where text is needed: YAML would make 1.1 of 1.10."""
    if "x-secret" in schema and not node.substituted:
        return _Words("unquoted_text", f" must be text, but without quotes it is {_say_kind(node)}", "put it in quotes")
    written = node.substituted.written if node.substituted else node.raw
    hint = f'write "{written}" in quotes'
    if not re.search(schema.get("pattern", ""), node.raw):
        hint = f"put it in quotes; it must be {schema.get('patternErrorMessage')}"
    kind = "truth value" if isinstance(node.value, bool) else "number"
    if node.substituted:
        return _Words("unquoted_text", f" must be text, but without quotes {say_value(node)} is a {kind}", hint)
    after = f" must be text, but {node.raw} without quotes is the {kind} {json.dumps(node.value)}"
    return _Words("unquoted_text", after, hint)


def _hint_for_text(whole: Schema, node: Scalar) -> str | None:
    if _branch(whole, "integer") and node.quoted and node.raw.isascii() and node.raw.isdigit():
        return "remove the quotes"
    if "x-hint" in whole:
        return str(whole["x-hint"])
    if _branch(whole, "object"):
        return "write its keys as `key: value`, with a space after ':'"
    if _branch(whole, "array"):
        return "write it as a list: [first, second]"
    if _branch(whole, "integer"):
        return "write it in decimal digits, without leading zeros"
    return "write true or false" if _branch(whole, "boolean") else None


def _not_listed(whole: Schema, schema: Schema, node: Node) -> _Words:
    hint = suggest(cast(Scalar, node).raw, (str(value) for value in schema["enum"] if value is not None))
    if hint is None and "anyOf" in whole:
        return _wrong_type(whole, schema, node)  # a word where a number may stand too: a number badly written
    wanted = _wanted(whole)
    return _Words(
        "unknown_value", f" must be {wanted}, not {say(node)}", hint or whole.get("x-hint") or f"write {wanted}"
    )


def _out_of_range(_: Schema, schema: Schema, node: Node) -> _Words:
    wanted = _wanted(schema)
    hint = schema.get("x-hint", f"write {wanted}")
    return _Words("out_of_range", f" must be {wanted}, not {say_value(node)}", hint)


def _bad_text(_: Schema, schema: Schema, node: Node) -> _Words:
    longest = schema.get("maxLength")
    limits = f" of {schema.get('minLength', 0)} to {longest} characters" if longest else " that is not empty"
    says = schema.get("patternErrorMessage", "text" + limits)
    after = f" must be {says}, not {say_value(node)}"
    return _Words(schema.get("x-code", "bad_text"), after, schema.get("x-hint", f"write {says}"))


def _empty_list(*_: object) -> _Words:
    return _Words("empty_list", " is empty", "add an entry, or remove the key")


OF_MAPS: Mapping[str, Callable[[Schema, nodes.Mapping, KeyPath], Iterator[Problem]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
}
OF_VALUES: Mapping[str, Callable[[Schema, Schema, Node], _Words]] = {
    "type": _wrong_type,
    "anyOf": _wrong_type,
    "enum": _not_listed,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "pattern": _bad_text,
    "minLength": _bad_text,
    "maxLength": _bad_text,
    "minItems": _empty_list,
}


def _branch(schema: Schema, value: Node | str) -> Schema | None:
    """The schema that judges a value of the node's kind: itself, or one of its branches."""
    if isinstance(value, Scalar):
        kind = _KINDS[type(value.value)]
    else:
        kind = value if isinstance(value, str) else _KINDS[type(value)]
    for part in schema.get("anyOf", (schema,)):
        if kind in _types(part) or (kind == "integer" and "number" in _types(part)):
            return cast(Schema, part)
    return None


def _types(schema: Schema) -> list[str]:
    types = schema["type"]
    return [types] if isinstance(types, str) else sorted(types)


def _wanted(schema: Schema) -> str:
    """What may stand here, in words."""
    words: list[str] = []
    for part in schema.get("anyOf", (schema,)):
        if "enum" in part:
            words += [str(value) for value in part["enum"] if value is not None]
        else:
            words += [_TYPE_WORDS[kind] + _range(part) for kind in _types(part) if kind != "null"]
    return join_or(words)


def _range(schema: Schema) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']} to {schema['maximum']}"
    return f" of at least {schema['minimum']}" if "minimum" in schema else ""


def describe(path: KeyPath, whole: str) -> str:
    """`gray.rules[0].key of component cart` for a path from the root of the file; `whole` names the root itself."""
    if len(path) >= 2 and path[0] == "components":
        inner = _dotted(path[2:])
        return f"{inner} of component {path[1]}" if inner else f"component {path[1]}"
    return _dotted(path) or whole


def suggest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'x'?` where one of the known words is surely near."""
    near = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=_NEAR)
    return f"did you mean '{near[0]}'?" if near else None


def join_or(words: list[str]) -> str:
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


def quote(text: str) -> str:
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"


def say(node: Node) -> str:
    """A value in words, short enough for a message."""
    if isinstance(node, nodes.Mapping):
        return "a map"
    if isinstance(node, nodes.Sequence):
        return "a list"
    if isinstance(node.value, str):
        return f"the text {say_value(node)}"
    if isinstance(node.value, bool):
        return f"the truth value {say_value(node)}" if node.substituted else node.raw
    return f"the number {say_value(node)}"


def _say_kind(node: Node) -> str:
    """What kind of value it is, and nothing of it."""
    if not isinstance(node, Scalar):
        return say(node)
    return {str: "text", bool: "a truth value"}.get(type(node.value), "a number")


def say_value(node: Node) -> str:
    """A value without the word for its kind. What variables hold is never said, for it may be a secret."""
    if not isinstance(node, Scalar):
        return say(node)
    if node.substituted:
        return say_substituted(node.substituted)
    return quote(node.value) if isinstance(node.value, str) else node.raw


def say_substituted(substituted: Substituted) -> str:
    """`'v${var.minor}' with minor from --var`: what is written, and who gave the variables."""
    sources = [f"{variable.name} from {variable.given_by}" for variable in dict.fromkeys(substituted.variables)]
    if len(sources) > _MOST_SOURCES:
        sources[_MOST_SOURCES:] = [f"{len(sources) - _MOST_SOURCES} more variables"]
    return f"{quote(substituted.written)} with {' and '.join(sources)}"


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
