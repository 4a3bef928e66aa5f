"""Measuring, wrapping, and columns of a page."""

from __future__ import annotations

from statetool.render.layout import Page, cell, cell_width, wrap


def test_cell_width_counts_terminal_cells() -> None:
    """Wide characters take two cells, combining marks none."""
    assert cell_width("abc") == 3
    assert cell_width("推荐") == 4
    assert cell_width("e\u0301") == 1


def test_wrap_breaks_at_blanks() -> None:
    """Words stay whole, a long one gets its own line, and no word is lost."""
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("a " + "x" * 20 + " b", 5) == ["a", "x" * 20, "b"]
    assert wrap("", 5) == [""]


def test_wrap_keeps_commands_together() -> None:
    """A command in backticks is there to be copied: it is never broken."""
    assert wrap("now run `statetool rollout clear x` please", 20) == [
        "now run",
        "`statetool rollout clear x`",
        "please",
    ]


def test_wrap_of_a_stray_backtick() -> None:
    """A backtick without a partner is a character like any other."""
    assert wrap("a ` b c", 3) == ["a `", "b c"]


def test_table_that_fits_is_aligned() -> None:
    """Every column begins at the same place."""
    page = Page(width=40)
    page.table([[cell("a"), cell("推荐"), cell("x")], [cell("long"), cell("b"), cell("y")]], keep=1)
    assert page.text() == "  a      推荐   x\n  long   b      y"


def test_table_that_does_not_fit_flows_in_all_rows() -> None:
    """One wide row changes the layout of its table as a whole."""
    page = Page(width=60)
    page.table([[cell("a"), cell("word " * 20), cell("end")], [cell("b"), cell("short"), cell("end")]], keep=1)
    lines = page.text().splitlines()
    assert all(cell_width(line) <= 60 for line in lines)
    assert lines[0].startswith("  a   word word")
    assert lines[-1] == "  b   short; end"


def test_cells_are_harmless() -> None:
    """No view can put an escape sequence onto the page."""
    page = Page(color=False)
    page.line(cell("a\x1b[2Jb\n"))
    assert page.text() == "a\\x1b[2Jb\\n"


def test_blank_lines_do_not_pile_up() -> None:
    """One blank line at most, none at the top."""
    page = Page()
    page.blank()
    page.line(cell("a"))
    page.blank()
    page.blank()
    page.line(cell("b"))
    assert page.text() == "a\n\nb"
