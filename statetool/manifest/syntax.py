"""What to tell a person whose YAML cannot be read.

Owns the words for syntax errors and full-width characters. The words come from the place of the error and the
text around it, never from a parser's message: PyYAML's two parsers word the same error differently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

import yaml

from statetool.errors import Diagnostic, SourceMark
from statetool.manifest.encoding import MAX_CHARACTER_ERRORS

_FULL_WIDTH = re.compile("[\uff1a\uff0c\uff0e\uff0d\uff03\uff3b\uff3d\uff5b\uff5d\uff02\uff07\uff10-\uff19\u3000]")
_CURLY_QUOTES = "“”‘’"
_QUOTED_OR_COMMENT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|(?:^|(?<=\s))#.*")
_NO_SPACE = re.compile(r"^\s*(?:- +)?[A-Za-z_][\w-]*:[^\s/]")


def find_full_width(text: str) -> int | None:
    """Index of the first character that only looks like YAML's own, None where there is none."""
    match = _FULL_WIDTH.search(text)
    if match:
        return match.start()
    return 0 if text[:1] and text[0] in _CURLY_QUOTES else None


def full_width(char: str, mark: SourceMark) -> Diagnostic:
    """The diagnostic for such a character, with the one that was probably meant."""
    meant = unicodedata.normalize("NFKC", char)
    if char in _CURLY_QUOTES:
        meant = '"' if char in "“”" else "'"
    kind = "curly quote" if char in _CURLY_QUOTES else "full-width character"
    return Diagnostic(
        "full_width_character",
        f"the {kind} '{char}' (U+{ord(char):04X}) means nothing in YAML",
        f"type '{meant}' instead, or put the text in quotes if '{char}' belongs to it",
        mark,
    )


def explain(text: str, file: str, problem: yaml.YAMLError | None, last_line: int) -> list[Diagnostic]:
    """What is wrong with a file whose reading stopped. `last_line` is that of the last value read.

    Full-width characters are named wherever they stand from there on, for they are the likely cause, and nothing
    behind the error is read to find the next one. Else there is one diagnostic, at the place of the error.
    """
    lines = text.split("\n")
    wide = list(islice(_full_width_from(lines, max(last_line - 1, 1), file), MAX_CHARACTER_ERRORS))
    line, column = _place(problem, lines, last_line)
    if wide and wide[0].mark is not None and wide[0].mark.line <= line:
        return wide
    if _character(lines, line, column) == "{" and lines[line - 1][: column - 1].endswith("$"):
        message = "text between brackets can't hold '${' without quotes"
        hint = 'write "${var.name}"; where a number is wanted, take the brackets away: one key a line, indented'
        return [Diagnostic("yaml_syntax", message, hint, SourceMark(file, line, column - 1))]
    opened = _opened_at(problem)
    at_opener = opened is not None and _character(lines, *opened) in ("'", '"', "[", "{")
    message, hint = _words(lines, line, column, opened)
    mark = SourceMark(file, *opened) if opened and at_opener else SourceMark(file, line, column)
    return [Diagnostic("yaml_syntax", message, hint, mark)]


def _full_width_from(lines: list[str], first: int, file: str) -> Iterator[Diagnostic]:
    """All full-width characters outside quotes and comments, from that line on."""
    for number, line in enumerate(lines[first - 1 :], start=first):
        if line.isascii():
            continue
        bare = _QUOTED_OR_COMMENT.sub(lambda match: " " * len(match.group()), line)
        for match in _FULL_WIDTH.finditer(bare):
            yield full_width(match.group(), SourceMark(file, number, match.start() + 1))


def _place(problem: yaml.YAMLError | None, lines: list[str], last_line: int) -> tuple[int, int]:
    mark = problem.problem_mark if isinstance(problem, yaml.MarkedYAMLError) else None
    if mark is None:
        return last_line, 1
    line = min(mark.line + 1, len(lines))
    return line, min(mark.column + 1, len(lines[line - 1]) + 1)


def _opened_at(problem: yaml.YAMLError | None) -> tuple[int, int] | None:
    """Line and column where the construct began in which the error lies."""
    mark = problem.context_mark if isinstance(problem, yaml.MarkedYAMLError) else None
    return (mark.line + 1, mark.column + 1) if mark is not None else None


def _character(lines: list[str], line: int, column: int) -> str:
    return lines[line - 1][column - 1 : column] if line <= len(lines) else ""


def _words(lines: list[str], line: int, column: int, opened: tuple[int, int] | None) -> tuple[str, str]:
    """Message and hint, from the character at the error and the one that opened the construct around it."""
    at = _character(lines, line, column)
    if opened is not None:
        opener = _character(lines, *opened)
        where = f"line {opened[0]}, column {opened[1]}"
        if opener in ("'", '"'):
            return f"the text in quotes that begins at {where} can't be read", (
                f"close it with {opener}; in double quotes write a backslash as \\\\"
            )
        if opener in ("[", "{"):
            closer = "]" if opener == "[" else "}"
            return f"the '{opener}' of {where} is not closed where it should be", (
                f"close it with '{closer}', and put ', ' between its parts"
            )
    if at and at in "@`":
        return f"text can't begin with '{at}'", "put the text in quotes"
    if at and at in "]}":
        return f"'{at}' closes nothing", "remove it, or put the text in quotes"
    for number in (line, line - 1):
        if number >= 1 and _NO_SPACE.match(lines[number - 1]):
            return "this is not valid YAML: a space is missing after ':'", f"write `key: value` in line {number}"
    if at == ":":
        return "this is not valid YAML: a ':' where none can stand", (
            "put text that holds ': ' in quotes, and check the indentation of this line and the one before"
        )
    return "this is not valid YAML: the text does not fit here", (
        "check the indentation of this line and the one before: the keys of one map begin in one column"
    )
