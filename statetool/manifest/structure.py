"""Nodes against a JSON Schema: unknown keys, types, enums, ranges, patterns, each with its place and our words.

Owns the reading of the schemas that people's files follow. The schema decides what is allowed, this module only
how a refusal is said. It walks the nodes itself: jsonschema takes many times as long on a large project and
knows no places; a test holds the two together. A keyword this module does not know is a programming error, so
that a schema cannot say what the tool ignores.

Beside JSON Schema's own keywords it reads three annotations: `patternErrorMessage` (what the text must be),
`x-code` (the error code for that) and `x-hint` (what to write instead of a wrong type).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from statetool.manifest import nodes
from statetool.manifest.nodes import Node, Scalar
from statetool.schema import load_schema

_ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "default"}
_BY_RULES = {"oneOf", "dependentRequired"}
"""Relations between keys: said in components.py, where they have words of their own."""
_KINDS: Mapping[type, str] = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
_TYPE_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}
_NEAR = 0.75
"""Below this likeness a suggestion is a guess: `release` is not a misspelt `replicas`."""


@dataclass(slots=True)
class Problem:
    """One refusal. The message is `before`, then the described path, then `after`."""

    code: str
    line: int
    column: int
    after: str
    hint: str
    before: str = ""
    path: list[str | int] = field(default_factory=list)


@dataclass(slots=True)
class Rule:
    """One schema, ready to be asked. `types` empty means any; `branches` are those of anyOf, told apart by type."""

    types: frozenset[str] = frozenset()
    enum: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: re.Pattern[str] | None = None
    says: str | None = None
    code: str | None = None
    hint: str | None = None
    min_length: int = 0
    max_length: int | None = None
    properties: dict[str, Rule] = field(default_factory=dict)
    additional: Rule | None = None
    names: Rule | None = None
    required: tuple[str, ...] = ()
    items: Rule | None = None
    min_items: int = 0
    unique: bool = False
    branches: tuple[Rule, ...] = ()

    def check(self, node: Node, found: list[Problem]) -> None:
        """Add what is wrong with the node and everything under it."""
        if isinstance(node, Scalar):
            self._check_scalar(node, found)
        elif isinstance(node, nodes.Mapping):
            rule = self._for_kind("object")
            if rule is None:
                found.append(self._wrong_type(node))
            else:
                rule._check_map(node, found)
        else:
            rule = self._for_kind("array")
            if rule is None:
                found.append(self._wrong_type(node))
            else:
                rule._check_list(node, found)

    def _for_kind(self, kind: str) -> Rule | None:
        """The rule that judges a value of this kind: itself, or one of its branches."""
        for rule in self.branches or (self,):
            if kind in rule.types or (kind == "integer" and "number" in rule.types):
                return rule
        return None

    def _check_scalar(self, node: Scalar, found: list[Problem]) -> None:
        rule = self._for_kind(_KINDS[type(node.value)])
        if node.refused:
            return
        if rule is None:
            found.append(self._wrong_type(node))
        elif rule.enum and node.value not in rule.enum:
            found.append(self._not_listed(rule, node))
        elif isinstance(node.value, str):
            rule._check_text(node, node.value, found)
        elif isinstance(node.value, (int, float)) and not rule._in_range(node.value):
            found.append(
                _problem("out_of_range", node, f" must be {rule.wanted()}, not {node.raw}", f"write {rule.wanted()}")
            )

    def _in_range(self, value: float) -> bool:
        if self.minimum is not None and value < self.minimum:
            return False
        return self.maximum is None or value <= self.maximum

    def _check_text(self, node: Scalar, value: str, found: list[Problem]) -> None:
        if self.pattern is not None and not self.pattern.search(value):
            wrong = True
        else:
            wrong = len(value) < self.min_length or (self.max_length is not None and len(value) > self.max_length)
        if not wrong:
            return
        limits = f" of {self.min_length} to {self.max_length} characters" if self.max_length else " that is not empty"
        says = self.says or "text" + limits
        found.append(
            _problem(
                self.code or "bad_text", node, f" must be {says}, not {quote(value)}", self.hint or f"write {says}"
            )
        )

    def _check_map(self, node: nodes.Mapping, found: list[Problem]) -> None:
        for key, entry in node.entries.items():
            rule = self.properties.get(key) or self.additional
            before = len(found)
            if rule is None:
                found.append(self._unknown_key(key, entry))
                continue
            if self.names is not None:
                self.names.check(Scalar(key, key, True, entry.line, entry.column), found)
                for problem in found[before:]:
                    problem.before = "the name of "
            rule.check(entry.node, found)
            for problem in found[before:]:
                problem.path.append(key)
        for key in self.required:
            if key not in node.entries:
                found.append(_problem("missing_key", node, f" lacks the key '{key}'", f"add `{key}:`"))

    def _check_list(self, node: nodes.Sequence, found: list[Problem]) -> None:
        if len(node.items) < self.min_items:
            found.append(_problem("empty_list", node, " is empty", "add an entry, or remove the key"))
        if self.items is None:
            return
        seen: set[str] = set()
        for index, item in enumerate(node.items):
            before = len(found)
            self.items.check(item, found)
            for problem in found[before:]:
                problem.path.append(index)
            if self.unique:
                spelling = json.dumps(nodes.plain_value(item), sort_keys=True)
                if spelling in seen:
                    found.append(_problem("duplicate_item", item, f" holds {say(item)} twice", "remove one of the two"))
                seen.add(spelling)

    def _unknown_key(self, key: str, entry: nodes.Entry) -> Problem:
        hint = suggest(key, self.properties) or "known keys here: " + ", ".join(sorted(self.properties))
        return Problem("unknown_key", entry.line, entry.column, "", hint, f"unknown key {quote(key)} in ")

    def _not_listed(self, rule: Rule, node: Scalar) -> Problem:
        hint = suggest(node.raw, (str(value) for value in rule.enum if value is not None))
        wanted = self.wanted()
        if hint is None and self.branches:
            return self._wrong_type(node)  # a word where a number may stand too: more likely a number badly written
        return _problem(
            "unknown_value", node, f" must be {wanted}, not {say(node)}", hint or self.hint or f"write {wanted}"
        )

    def _wrong_type(self, node: Node) -> Problem:
        wanted = self.wanted()
        if isinstance(node, Scalar) and node.value is None:
            value = "{}" if self._for_kind("object") else wanted
            return _problem("null_value", node, " has no value", self.hint or f"write {value}, or remove the key")
        text = self._for_kind("string")
        if isinstance(node, Scalar) and not isinstance(node.value, str) and text is not None and not text.enum:
            return self._unquoted(text, node)
        hint = self._hint_for_text(node) if isinstance(node, Scalar) and isinstance(node.value, str) else self.hint
        return _problem("wrong_type", node, f" must be {wanted}, not {say(node)}", hint or f"write {wanted}")

    def _unquoted(self, rule: Rule, node: Scalar) -> Problem:
        """A number or boolean where text is needed: YAML would make 1.1 of 1.10."""
        hint = f'write "{node.raw}" in quotes'
        if rule.pattern is not None and not rule.pattern.search(node.raw):
            hint = f"put it in quotes; it must be {rule.says}"
        kind = "the truth value" if isinstance(node.value, bool) else "the number"
        after = f" must be text, but {node.raw} without quotes is {kind} {json.dumps(node.value)}"
        return _problem("unquoted_text", node, after, hint)

    def _hint_for_text(self, node: Scalar) -> str | None:
        if self._for_kind("integer") and node.quoted and node.raw.isascii() and node.raw.isdigit():
            return "remove the quotes"
        if self.hint is not None:
            return self.hint
        if self._for_kind("object"):
            return "write its keys as `key: value`, with a space after ':'"
        if self._for_kind("array"):
            return "write it as a list: [first, second]"
        if self._for_kind("integer"):
            return "write it in decimal digits, without leading zeros"
        return "write true or false" if self._for_kind("boolean") else None

    def wanted(self) -> str:
        """What may stand here, in words."""
        words: list[str] = []
        for rule in self.branches or (self,):
            if rule.enum:
                words += [str(value) for value in rule.enum if value is not None]
                continue
            words += [_TYPE_WORDS[kind] + rule._range() for kind in sorted(rule.types) if kind != "null"]
        return join_or(words)

    def _range(self) -> str:
        if self.minimum is not None and self.maximum is not None:
            return f" from {self.minimum} to {self.maximum}"
        return f" of at least {self.minimum}" if self.minimum is not None else ""


def describe(path: list[str | int], whole: str) -> str:
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
        return f"the text {quote(node.value)}"
    return f"the number {node.raw}" if not isinstance(node.value, bool) else node.raw


@cache
def load_rules(name: str) -> Rule:
    """The rules of the schema of that name, made once a process."""
    schema = load_schema(name)
    return build_rule(schema, schema)


def build_rule(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Rule:
    """A rule from a schema, with references into its root resolved. Raises ValueError for an unknown keyword."""
    given = dict(schema)
    reference = given.pop("$ref", None)
    if reference is not None:
        name = str(reference).removeprefix("#/$defs/")
        given = {**root["$defs"][name], **given}
    rule = Rule()
    for keyword, value in given.items():
        _set_keyword(rule, keyword, value, root)
    return rule


def _set_keyword(rule: Rule, keyword: str, value: Any, root: Mapping[str, Any]) -> None:
    simple = _SIMPLE.get(keyword)
    if simple is not None:
        setattr(rule, simple, value)
    elif keyword == "type":
        rule.types = frozenset([value] if isinstance(value, str) else value)
    elif keyword in ("enum", "required"):
        setattr(rule, keyword, tuple(value))
    elif keyword == "pattern":
        # Python's $ also matches before a last line break, JSON Schema's does not.
        rule.pattern = re.compile(re.sub(r"\$$", r"\\Z", value))
    elif keyword == "properties":
        rule.properties = {key: build_rule(part, root) for key, part in value.items()}
    elif keyword == "anyOf":
        rule.branches = tuple(build_rule(part, root) for part in value)
    elif keyword in ("items", "propertyNames"):
        setattr(rule, "items" if keyword == "items" else "names", build_rule(value, root))
    elif keyword == "additionalProperties":
        rule.additional = build_rule(value, root) if value is not False else None
    elif keyword not in _ANNOTATIONS and keyword not in _BY_RULES:
        raise ValueError(f"the schema uses {keyword}, which structure.py does not read")


_SIMPLE: Mapping[str, str] = {
    "minimum": "minimum",
    "maximum": "maximum",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "uniqueItems": "unique",
    "patternErrorMessage": "says",
    "x-code": "code",
    "x-hint": "hint",
}


def _problem(code: str, node: Node, after: str, hint: str) -> Problem:
    return Problem(code, node.line, node.column, after, hint)


def _dotted(path: list[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
