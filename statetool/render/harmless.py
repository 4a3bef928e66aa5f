"""Text from outside, made harmless for the place it goes to: a terminal, a Markdown cell, a Markdown code block.

Owns the escaping of everything that a manifest, the platform or a stranger may have written. It must not lose
anything silently: what could act is replaced by a visible spelling of it. Callers escape at the leaves, once.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls (C0, DEL, C1), format characters (bidi, zero-width, tags), lone surrogates, line separators."""

_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Characters that Unicode counts as letters, marks or symbols and that show nothing."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_MARKDOWN_ENTITIES = {ord(c): f"&#{ord(c)};" for c in "|`*_~[]!\\#@$^{}\"'"} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}

_REFERENCE = re.compile(
    r"""[@#!$~%^](?=[\w"'])|&(?=\d) # mentions, issues, snippets, labels, milestones, epics
    |(?<=:)(?=//)                   # https://
    |(?<=:)(?=[a-z_+-][\w+-]*:)     # :emoji:
    |(?<=www\.)|(?<=gh-)(?=\d)|(?<=mailto:)|(?<=xmpp:)""",
    re.VERBOSE | re.IGNORECASE,
)
_INNER_UNDERSCORE = re.compile(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])")
_COMMAND = re.compile(r"(?<!\$)`([^`|\\\s](?:[^`|\\\n]*[^`|\\\s])?)`(?!\$)")
"""A command in a sentence; between two `$` some hosts take it for mathematics."""

_NOT_IN_SPAN = frozenset("`|\\")
"""A backtick could end a span; a table ends its cell at `|` in a span too, unless behind a backslash."""

_BREAK = "\0"
_PLAIN_UNDERSCORE = "\1"
_BREAK_ENTITY = "&#8203;"


def for_terminal(text: str, *, single_line: bool = True) -> str:
    """`text` with everything invisible or controlling spelled out: `\\x1b`, `\\u202e`, `\\n`.

    Line feeds stay where `single_line` is False. Printable text of any script comes back as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(c) if _is_hidden(c) and (single_line or c != "\n") else c for c in text)


def for_markdown_cell(text: str) -> str:
    """`text` for a cell or a line of Markdown: no markup, link, image, HTML, comment, mention or reference survives.

    Characters with a meaning become entities. Hosts look for mentions, issue references and addresses of pages in
    the finished page, where an entity is a plain character again; only a break inside of them keeps them apart, so
    a zero-width space of our own (as an entity) follows the sign.
    """
    # Harmless text holds no controls, so two of them can stand for what must not become an entity.
    shown = _INNER_UNDERSCORE.sub(_PLAIN_UNDERSCORE, for_terminal(text))
    shown = _REFERENCE.sub(lambda match: match[0] + _BREAK, shown).translate(_MARKDOWN_ENTITIES)
    return shown.replace(_BREAK, _BREAK_ENTITY).replace(_PLAIN_UNDERSCORE, "_")


def for_markdown_span(text: str) -> str:
    """`text` as a code span, to be copied: in it nothing is looked up, so that it needs no breaks.

    What could end a span or a table's cell is shown as a cell's text instead.
    """
    shown = for_terminal(text)
    if shown != shown.strip() or not shown or _NOT_IN_SPAN.intersection(shown):
        return for_markdown_cell(text)
    return f"`{shown}`"


def for_markdown_sentence(text: str) -> str:
    """A sentence of ours for a cell: what stands in backticks is a code span, all else is escaped as in a cell."""
    parts = _COMMAND.split(text)
    return "".join(for_markdown_span(part) if n % 2 else for_markdown_cell(part) for n, part in enumerate(parts))


def for_markdown_code(text: str, language: str = "") -> str:
    """`text` as a fenced block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{for_terminal(text, single_line=False)}\n{fence}"


def _is_hidden(character: str) -> bool:
    return (
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or character in _BLANK_LETTERS
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def _visible(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
