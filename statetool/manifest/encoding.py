"""Bytes of a file -> text that a YAML parser may see.

Owns the limits on size and encoding, and every character that must not appear anywhere in a file. It must not
know YAML beyond where a comment starts. What it refuses is refused here so that both YAML parsers (libyaml's
and the pure one, which differ on tabs and control characters) give people the same words.
"""

from __future__ import annotations

import codecs
import re
import shlex
import unicodedata
from collections.abc import Iterator
from itertools import islice

from statetool.errors import Diagnostic, SourceMark

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_CHARACTER_ERRORS = 100
"""How many bad characters of one file are listed: a damaged file has millions, and nobody reads them."""

_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Control characters but tab and newline, the line separators YAML 1.1 adds, bidirectional controls (text that
# reads differently from what it is), byte order marks inside a file, surrogates and non-characters.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_COMMENT = re.compile(r"(?:^|[ \t])#")
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)


def decode(data: bytes, file: str) -> tuple[str | None, list[Diagnostic]]:
    """Text with `\\n` line ends and without byte order mark, or None and what is wrong."""
    if len(data) > MAX_FILE_BYTES:
        return None, [file_too_large(file)]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        return None, [_not_utf8(data, exc.start, file)]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = list(islice(_check_characters(text, file), MAX_CHARACTER_ERRORS))
    return (None, found) if found else (text, [])


def find_forbidden(text: str) -> str | None:
    """The first character that may stand nowhere in a file, not even escaped."""
    match = _FORBIDDEN.search(text)
    return match.group() if match else None


def file_too_large(file: str) -> Diagnostic:
    return Diagnostic(
        "file_too_large",
        f"{file} is larger than {MAX_FILE_BYTES // (1024 * 1024)} MiB",
        "split it into several files; every *.yaml of the folder is read",
        SourceMark(file, 1, 1),
    )


def mark_at(text: str, index: int, file: str) -> SourceMark:
    """The place of a character of the text."""
    return SourceMark(file, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def name_character(char: str) -> str:
    """`U+202E (RIGHT-TO-LEFT OVERRIDE)`: an invisible character made visible."""
    name = unicodedata.name(char, "NULL" if char == "\0" else "control character")
    return f"U+{ord(char):04X} ({name})"


def _not_utf8(data: bytes, start: int, file: str) -> Diagnostic:
    before = data[:start].decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    mark = mark_at(before, len(before), file)
    encoding = _guess_encoding(data)
    if encoding is None:
        return Diagnostic(
            "not_utf8",
            f"the file is not UTF-8: byte 0x{data[start]:02x} has no meaning here",
            "save the file as UTF-8 in your editor",
            mark,
        )
    name = shlex.quote(file)
    new = shlex.quote(file + ".new")
    return Diagnostic(
        "not_utf8",
        f"the file is not UTF-8; it looks like {encoding}",
        f"convert it: iconv -f {encoding} -t UTF-8 {name} > {new} && mv {new} {name}",
        mark,
    )


def _guess_encoding(data: bytes) -> str | None:
    """UTF-16, GBK or GB18030, where the bytes surely are; accented Western text must not be taken for Chinese.

    GB2312 is the core of both Chinese encodings, and its second bytes all have the high bit, which the
    accidental pairs of Western text (a letter with accent, then an ASCII letter) do not have.
    """
    if data.startswith(_UTF16_BOMS):
        return "UTF-16"
    for encoding in ("gbk", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        foreign = [char for char in text if char > "\x7f"]
        core = sum(1 for char in foreign if _in_gb2312(char))
        return encoding.upper() if core * 2 >= len(foreign) else None
    return None


def _in_gb2312(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _check_characters(text: str, file: str) -> Iterator[Diagnostic]:
    for match in _FORBIDDEN.finditer(text):
        char = match.group()
        if char == "\0":
            yield Diagnostic(
                "nul_character",
                "the file holds a NUL character",
                "it is damaged, or not text; write it again as UTF-8",
                mark_at(text, match.start(), file),
            )
            return
        yield Diagnostic(
            "control_character",
            f"invisible character {name_character(char)}",
            "remove it: what is read must be what reviewers see",
            mark_at(text, match.start(), file),
        )
    if "\t" in text:
        yield from _check_tabs(text, file)
    for match in _DIRECTIVE.finditer(text):
        yield Diagnostic(
            "yaml_directive",
            "a line starts with '%': YAML directives are not read",
            "remove the line; no directive is needed",
            mark_at(text, match.start(), file),
        )


def _check_tabs(text: str, file: str) -> Iterator[Diagnostic]:
    """One diagnostic for every line with a tab outside a comment."""
    for number, line in enumerate(text.split("\n"), start=1):
        tab = line.find("\t")
        if tab < 0:
            continue
        comment = _COMMENT.search(line)
        if comment and comment.end() - 1 < tab:
            continue
        indent = not line[:tab].strip(" ")
        yield Diagnostic(
            "tab_character",
            "a tab indents this line" if indent else "a tab stands in this line",
            "YAML is indented with spaces; replace the tab",
            SourceMark(file, number, tab + 1),
        )
