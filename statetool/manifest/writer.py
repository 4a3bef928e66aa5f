"""Components as a manifest's text: what `statetool import` writes.

Owns the layout of a written document, the quoting of every value, and the proof that it reads back: a text that
reads differently from what it was made of is never handed out. Text from the platform can end neither a value nor
a comment. It must not decide what is written of a component (`core/adoption.py`), nor touch a file.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from statetool.core.canonical import rule_to_json
from statetool.core.model import Address, ContentRule, Gray, Wish
from statetool.manifest.components import build_document
from statetool.manifest.structure import load_rules
from statetool.manifest.yaml_reader import read_yaml

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+){2,3}")
"""Text that no YAML reader takes for anything else, but for the words below. A version is no number."""
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_LONGEST_COMMENT = 500
_COMMENT_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One component of a document. `comments` stand above its values."""

    name: str
    wish: Wish
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """One document that is yet to be written, with at least one entry.

    `comments` stand at its end: what is missing, and why.
    """

    application: str
    environment: str | None
    entries: tuple[Entry, ...]
    comments: tuple[str, ...] = ()

    def address_of(self, entry: Entry) -> Address:
        return Address(self.application, entry.name, self.environment)


def render_drafts(drafts: Sequence[Draft], heading: Sequence[str]) -> str:
    """The documents of one file, with `heading` as its first comment."""
    top = "".join(f"{line}\n" for text in heading for line in _comment_lines(text))
    return top + "---\n".join(render_draft(draft) for draft in drafts)


def render_draft(draft: Draft) -> str:
    """One document, entries in the order given."""
    lines = [f"application: {scalar_text(draft.application)}"]
    if draft.environment is not None:
        lines.append(f"environment: {scalar_text(draft.environment)}")
    lines.append("components:")
    for entry in draft.entries:
        lines.append(f"  {scalar_text(entry.name)}:")
        lines += [f"    {line}" for text in entry.comments for line in _comment_lines(text)]
        lines += [f"    {line}" for line in _wish_lines(entry.wish)]
    lines += [f"  {line}" for text in draft.comments for line in _comment_lines(text)]
    return "\n".join(lines) + "\n"


def scalar_text(value: str) -> str:
    """Text as one YAML scalar in one line, quoted unless every reader takes it for text as it is."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    emitted: str = yaml.dump(value, Dumper=yaml.SafeDumper, default_style='"', allow_unicode=True, width=math.inf)
    return emitted.rstrip("\n")


def why_unwritable(draft: Draft) -> str | None:
    """Why the document would not read back as it is meant, None where it does."""
    # A lone surrogate in a comment was spelled out, in a value it is escaped: the text can always be encoded.
    result = read_yaml(render_draft(draft).encode(), "the manifest")
    built = [build_document(document, load_rules("manifest")) for document in result.documents]
    for diagnostic in (*result.diagnostics, *(found for one in built for found in one.diagnostics)):
        return diagnostic.message
    read = {part.desired.address: part.desired.wish for one in built for part in one.parts}
    meant = {draft.address_of(entry): entry.wish for entry in draft.entries}
    return None if read == meant and len(meant) == len(draft.entries) else "it would read back as something else"


def is_name(text: str) -> bool:
    """Whether an application or an environment can be written by this name."""
    return why_unwritable(Draft(text, text, (Entry("it", Wish()),))) is None


def _wish_lines(wish: Wish) -> Iterator[str]:
    if wish.picture is not None:
        yield f"version: {scalar_text(wish.picture.stable or '')}"
        if wish.picture.gray is not None:
            yield "gray:"
            yield from (f"  {line}" for line in _gray_lines(wish.picture.gray))
    if wish.state is not None:
        yield f"state: {wish.state}"
    yield f"replicas: {'auto' if wish.replicas is None else wish.replicas}"


def _gray_lines(gray: Gray) -> Iterator[str]:
    yield f"version: {scalar_text(gray.version)}"
    rule = gray.rule
    if rule is None:
        return
    if rule.weight is not None:
        yield f"weight: {rule.weight}"
        return
    yield f"match: {rule_to_json(rule)['match']}"
    yield "rules:"
    yield from (f"  - {_content_text(one)}" for one in sorted(rule.rules))


def _content_text(rule: ContentRule) -> str:
    pairs = (("type", rule.type), ("key", rule.key), ("condition", rule.condition), ("value", rule.value))
    return "{" + ", ".join(f"{key}: {scalar_text(value)}" for key, value in pairs) + "}"


def _comment_lines(text: str) -> list[str]:
    """A comment, whatever the text holds: what could end a line, or can't be seen, is spelled out."""
    short = text if len(text) <= _LONGEST_COMMENT else text[: _LONGEST_COMMENT - 3] + "..."
    harmless = "".join(char if char.isprintable() else _spelled(char) for char in short)
    return [f"# {line}" for line in textwrap.wrap(harmless, _COMMENT_WIDTH, break_on_hyphens=False)]


def _spelled(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
