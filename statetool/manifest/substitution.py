"""`${var.name}` in the values of a document -> what the variables hold.

Owns how a reference is written, and what a value becomes: where it is a reference and nothing else, without quotes,
it has the type that the variable's text would have in its place; in quotes or beside other text it is text. Either
way it is one value: no text of a variable is ever read as YAML's syntax, or for further references.

Whatever is wrong with a value of a variable is said with its place, the variable's name and who gave it. The value
itself is never said: it may be a secret of whoever runs the tool, and the manifest that asks for it a stranger's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as SequenceOf
from dataclasses import replace

from statetool.errors import Diagnostic
from statetool.manifest import syntax
from statetool.manifest.encoding import find_forbidden
from statetool.manifest.nodes import Document, Entry, Mapping, Node, Scalar, ScalarValue, Sequence, Substituted
from statetool.manifest.structure import quote, say_substituted
from statetool.manifest.variables import PREFIX, Variable, Variables
from statetool.manifest.yaml_reader import find_invisible, read_plain

MAX_ADDED_CHARACTERS = 4 * 1024 * 1024
"""What variables may add to all documents together: as much as a file may hold."""
_MAX_SEARCHES = 50
"""For how many unknown names near ones are looked up."""
_LONGEST_NAME = 100
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:var\.([A-Za-z_][A-Za-z0-9_]*)\})?")
"""`$${` stands for `${`; a `${` that begins no reference matches without a name."""

_SAYABLE = re.compile(r"\$\{(?: *var\b[\w.${ ]*\}?|[\w. ]*\})")
"""What was meant as a reference. Anything else behind `${` may be the rest of a password."""


class _Refused(Exception):
    """A value that can't be made, with what to say of it; without words where others have said enough."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.words = words


class Substituter:
    """Puts variables into documents, one after the other. `diagnostics` are those of all of them."""

    def __init__(self, variables: Variables) -> None:
        self.variables = variables
        self.diagnostics: list[Diagnostic] = []
        self._added = 0
        self._searches = 0
        # Values are shared by aliases, and by documents with one base. Each is kept, lest its id be another's.
        self._done: dict[int, tuple[Scalar, Scalar]] = {}

    def substitute(self, document: Document) -> Document:
        """The document with every reference replaced; values that can't be are marked as refused."""
        return replace(document, root=self._node(document.root))

    def find_unused(self, written: Iterable[Document]) -> list[Diagnostic]:
        """A complaint for every --var that no document refers to. Files and environment may be for several projects."""
        used = {name for document in written for name in _names(document.root)}
        return [self._unused(name, used) for name in sorted(self.variables.assigned - used)]

    def _unused(self, name: str, used: set[str]) -> Diagnostic:
        near = self._near(name, used)
        hint = f"did you mean --var {near}=VALUE?" if near else "remove it, or use it in a manifest"
        return Diagnostic("unused_variable", f"--var {name}: no manifest holds ${{var.{name}}}", hint)

    def _near(self, name: str, names: Iterable[str]) -> str | None:
        self._searches += 1
        if self._searches > _MAX_SEARCHES:
            return None
        return next(iter(difflib.get_close_matches(name[:100], sorted(names), n=1)), None)

    def _node(self, node: Node) -> Node:
        """The node itself where nothing in it changes."""
        if isinstance(node, Scalar):
            return self._scalar(node)
        if isinstance(node, Sequence):
            items = [self._node(item) for item in node.items]
            is_same = all(new is old for new, old in zip(items, node.items, strict=True))
            return node if is_same else Sequence(items, node.file, node.line, node.column)
        entries: dict[str, Entry] = {}
        is_same = True
        for key, entry in node.entries.items():
            if "${" in key and any(match[1] for match in _REFERENCE.finditer(key)):
                message, hint = f"the key {quote(key)} holds a variable", "variables stand in values: write the key out"
                self.diagnostics.append(Diagnostic("variable_in_key", message, hint, entry.mark))
                is_same = False
                continue
            new = self._node(entry.node)
            is_same = is_same and new is entry.node
            entries[key] = entry if new is entry.node else entry._replace(node=new)
        return node if is_same else Mapping(entries, node.file, node.line, node.column)

    def _scalar(self, node: Scalar) -> Scalar:
        if "${" not in node.raw or node.refused:
            return node
        known = self._done.get(id(node))
        if known is None:
            known = self._done[id(node)] = (node, self._replace(node))
        return known[1]

    def _replace(self, node: Scalar) -> Scalar:
        try:
            return self._put_in(node)
        except _Refused as refused:
            if refused.words:
                code, message, hint = refused.words
                self.diagnostics.append(Diagnostic(code, message, hint, node.mark))
        return Scalar("", "", True, node.file, node.line, node.column, refused=True)

    def _put_in(self, node: Scalar) -> Scalar:
        matches = list(_REFERENCE.finditer(node.raw))
        used = self._find(node.raw, matches)
        self._added += sum(len(variable.text) for variable in used)
        if self._added > MAX_ADDED_CHARACTERS:
            message = f"variables add more than {MAX_ADDED_CHARACTERS} characters to the manifests"
            raise _Refused("variables_limit", message, "give shorter values, or use them less often")
        texts = {variable.origin.name: variable.text for variable in used}
        text = _REFERENCE.sub(lambda match: texts[match[1]] if match[1] else "${", node.raw)
        place = (node.file, node.line, node.column)
        if not used:
            return Scalar(text, text, node.quoted, *place)
        substituted = Substituted(node.raw, tuple(variable.origin for variable in used))
        if node.quoted or used[0].quoted or matches[0].group() != node.raw:
            _check_characters(text, substituted)
            return Scalar(text, text, True, *place, substituted=substituted)
        _check_characters(text, substituted, is_plain=True)
        return Scalar(_read(text, substituted), text, False, *place, substituted=substituted)

    def _find(self, raw: str, matches: SequenceOf[re.Match[str]]) -> list[Variable]:
        """The variables that a text refers to, in its order."""
        for match in matches:
            if match.group() == "${":
                sayable = _SAYABLE.match(raw, match.start())
                message = f"{quote(sayable[0] if sayable else '${')} is no reference to a variable"
                hint = "write ${var.name}, with a name of letters, digits and '_'; $${ stands for the text ${"
                raise _Refused("bad_reference", message, hint)
        names = [match[1] for match in matches if match[1]]
        missing = [name for name in dict.fromkeys(names) if name not in self.variables.known]
        if missing and self.variables.diagnostics:
            raise _Refused  # a file of variables could not be read: it may be set there
        if missing:
            raise _Refused(*self._undefined(missing))
        return [self.variables.known[name] for name in names]

    def _undefined(self, names: list[str]) -> tuple[str, str, str]:
        name, *others = [name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..." for name in names]
        what = f"the variable {name} is"
        if others:
            last = others[0] if len(others) == 1 else f"{len(others)} others"
            what = f"the variables {name} and {last} are"
        near = self._near(names[0], self.variables.known)
        hint = f"set it with --var {name}=VALUE, in a file for --var-file, or as {PREFIX}{name}"
        return "undefined_variable", f"{what} not set", f"did you mean ${{var.{near}}}? else {hint}" if near else hint


def _names(root: Node) -> Iterator[str]:
    """Of all variables that the values under a node refer to."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            waiting.extend(entry.node for entry in node.entries.values())
        elif isinstance(node, Sequence):
            waiting.extend(node.items)
        elif "${" in node.raw:
            yield from (match[1] for match in _REFERENCE.finditer(node.raw) if match[1])


def _read(text: str, substituted: Substituted) -> ScalarValue:
    """The value of a variable without quotes. Nothing is never one: it would remove what nobody meant to."""
    in_quotes = f'write "{substituted.written}" in quotes'
    try:
        value = read_plain(text)
    except OverflowError:
        message = f"{say_substituted(substituted)} is a number too large to be kept exactly"
        raise _Refused("integer_too_large", message, f"{in_quotes} if it is text") from None
    if value is None:
        message = f"{say_substituted(substituted)} has no value"
        raise _Refused("null_value", message, f"give it one; {in_quotes} if its text is meant as it is")
    return value


def _check_characters(text: str, substituted: Substituted, *, is_plain: bool = False) -> None:
    """The same that a file may not hold, without showing what it is."""
    said = say_substituted(substituted)
    char = find_invisible(text) or find_forbidden(text)
    if char == "\n":
        raise _Refused("line_break", f"{said} holds a line break", "give it in one line")
    if char is not None:
        hint = "remove it: what is read must be what reviewers see"
        raise _Refused("control_character", f"{said} holds an invisible character", hint)
    if is_plain and not text.isascii() and syntax.find_full_width(text) is not None:
        message = f"{said} holds a full-width character or a curly quote"
        hint = f'type the ASCII character instead, or write "{substituted.written}" in quotes if it is meant'
        raise _Refused("full_width_character", message, hint)
