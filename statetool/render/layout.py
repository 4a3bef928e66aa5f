"""A page of text: aligned columns, wrapping, colour. Every view for a terminal is put together here.

Owns measuring in terminal cells (wide characters count two), and making each piece of text harmless on its way
onto the page. It must not know what the text means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from statetool.render.harmless import for_terminal

GAP = 3
"""Blank cells between two columns."""

_ANSI = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_NARROWEST_COLUMN = 36
_LEAST_INDENT = 4
_WORDS = re.compile(r" *(?:`[^`]*`|[^ ])+")


def cell_width(text: str) -> int:
    """Columns that harmless `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_character_width(c) for c in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken at blanks.

    A longer word keeps a line of its own, and so does a command in backticks, for it is there to be copied.
    """
    lines: list[str] = []
    line = ""
    for word in _WORDS.findall(text.rstrip(" ")):
        if line and cell_width(line + word) > width:
            lines.append(line)
            line = word.lstrip(" ")
        else:
            line += word
    return [*lines, line]


def widest_word(text: str) -> int:
    """Columns of the longest piece of `text` that `wrap` keeps together."""
    return max((cell_width(word.strip(" ")) for word in _WORDS.findall(text)), default=0)


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of harmless text with the name of a style, or none. Made by `cell`."""

    text: str
    style: str = ""

    @property
    def width(self) -> int:
        return cell_width(self.text)


def cell(text: str, style: str = "") -> Cell:
    """A cell of text from anywhere: made harmless here, so that no view can forget it."""
    return Cell(for_terminal(text), style)


class Page:
    """Lines of text, collected top to bottom. `width` None means no wrapping (a pipe, a file)."""

    def __init__(self, *, width: int | None = None, color: bool = False) -> None:
        self.width = width
        self._color = color
        self._lines: list[str] = []

    def text(self) -> str:
        """The page, without a line end behind the last line."""
        return "\n".join(self._lines)

    def blank(self) -> None:
        """One empty line, never two, and none at the top."""
        if self._lines and self._lines[-1]:
            self._lines.append("")

    def line(self, *cells: Cell, indent: int = 0) -> None:
        """The cells as they are, one behind the other, without wrapping."""
        self._lines.append((" " * indent + "".join(self._paint(c) for c in cells)).rstrip())

    def paragraph(self, text: str, style: str = "", *, indent: int = 0, hang: int = 0) -> None:
        """Flowing text; lines behind the first are indented by `hang` more."""
        first = True
        for part in self._wrapped(for_terminal(text), indent + hang):
            self._lines.append(" " * (indent if first else indent + hang) + self._paint(Cell(part, style)))
            first = False

    def split(self, left: Sequence[Cell], right: Sequence[Cell], column: int) -> None:
        """`left`, and from `column` on `right`; one line lower where `left` reaches too far.

        What can't be broken and is too wide for the rest of the line begins further left.
        """
        if not right:
            self.line(*left)
            return
        if self.width is not None:
            needed = sum(c.width for c in right) if len(right) > 1 else widest_word(right[0].text)
            column = max(min(column, self.width - needed), min(column, _LEAST_INDENT))
        room = column - sum(c.width for c in left)
        if room < 2:
            self.line(*left)
            self._flow(right, column)
        else:
            self._flow(right, column, before=(*left, Cell(" " * room)))

    def _flow(self, cells: Sequence[Cell], column: int, before: Sequence[Cell] = ()) -> None:
        """Cells from `column` on; a single one that does not fit is wrapped there."""
        start = before or (Cell(" " * column),)
        if len(cells) > 1:
            self.line(*start, *cells)
            return
        for part in self._wrapped(cells[0].text, column):
            self.line(*start, Cell(part, cells[0].style))
            start = (Cell(" " * column),)

    def table(self, rows: Sequence[Sequence[Cell]], *, keep: int, indent: int = 2) -> None:
        """Rows in aligned columns.

        Where a row is wider than the page, only the first `keep` columns stay aligned, in all rows, and the others
        flow behind or below them.
        """
        widths = [
            max((r[n].width for r in rows if n < len(r)), default=0) for n in range(max(map(len, rows), default=0))
        ]
        if self._all_fit(rows, widths, indent):
            for row in rows:
                self.line(*_aligned(row, widths), indent=indent)
            return
        start = indent + sum(w + GAP for w in widths[:keep])
        words = (widest_word(piece.text) for row in rows for piece in row[keep:])
        beside = start + max(_NARROWEST_COLUMN, *words, 0) <= (self.width or start)
        hang = start if beside else indent + 4
        for row in rows:
            self._flowing_row(row, widths[:keep], indent, hang, beside=beside)

    def _all_fit(self, rows: Sequence[Sequence[Cell]], widths: Sequence[int], indent: int) -> bool:
        if self.width is None:
            return True
        starts = [indent + sum(w + GAP for w in widths[:n]) for n in range(len(widths))]
        return all(starts[len(row) - 1] + row[-1].width <= self.width for row in rows if row)

    def _flowing_row(self, row: Sequence[Cell], widths: Sequence[int], indent: int, hang: int, *, beside: bool) -> None:
        keep = len(widths)
        head = [Cell(" " * indent), *_aligned(row[:keep], widths)]
        rest = [c for c in row[keep:] if c.text]
        if not rest:
            self.line(*head)
            return
        parts = self._wrapped("; ".join(c.text for c in rest), hang)
        if beside:
            room = hang - sum(c.width for c in head)
            self.line(*head, Cell(" " * room), Cell(parts[0], rest[0].style))
            parts = parts[1:]
        else:
            self.line(*head)
        for part in parts:
            self.line(Cell(" " * hang), Cell(part, rest[0].style))

    def _wrapped(self, text: str, start: int) -> list[str]:
        return [text] if self.width is None else wrap(text, max(self.width - start, 20))

    def _paint(self, piece: Cell) -> str:
        if not (self._color and piece.style and piece.text):
            return piece.text
        return f"\x1b[{_ANSI[piece.style]}m{piece.text}\x1b[0m"


def _aligned(row: Sequence[Cell], widths: Sequence[int]) -> list[Cell]:
    """The cells of a row with the blanks between them; none behind the last."""
    shown: list[Cell] = []
    for n, piece in enumerate(row):
        shown.append(piece)
        if n + 1 < len(row):
            shown.append(Cell(" " * (widths[n] - piece.width + GAP)))
    return shown
