"""Text from outside is shown, never obeyed."""

from __future__ import annotations

import pytest

from statetool.render.harmless import (
    for_markdown_cell,
    for_markdown_code,
    for_markdown_sentence,
    for_markdown_span,
    for_terminal,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("中文，全角", "中文，全角"),
        ("é e\u0301", "é e\u0301"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\tc", "a\\rb\\tc"),
        ("a\nb", "a\\nb"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u200bb\u2060\ufeff", "a\\u200bb\\u2060\\ufeff"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u3164\ufe0f", "\\u3164\\ufe0f"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_terminal(text: str, shown: str) -> None:
    """Controls, bidi, zero-width, blank letters and lone surrogates become visible; everything else stays."""
    assert for_terminal(text) == shown


def test_terminal_keeps_lines_on_request() -> None:
    """Line feeds may stay where several lines are wanted; a carriage return never does."""
    assert for_terminal("a\nb\r", single_line=False) == "a\nb\\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a&#124;b"),
        ("`x`", "&#96;x&#96;"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("@octocat", "&#64;&#8203;octocat"),
        ("shop/cart#12", "shop/cart&#35;&#8203;12"),
        ("a\nb", "a&#92;nb"),
        ("![x](y)", "&#33;&#91;x&#93;(y)"),
        ("<!-- x -->", "&lt;&#33;-- x --&gt;"),
        ("https://x.example", "https:&#8203;//x.example"),
        ("\\|", "&#92;&#124;"),
        ("scale_up", "scale_up"),
        ("_em_ **b**", "&#95;em&#95; &#42;&#42;b&#42;&#42;"),
        ("GH-12 www.x.example :tada:", "GH-&#8203;12 www.&#8203;x.example :&#8203;tada:"),
        ("manifests/shop.yaml:9", "manifests/shop.yaml:9"),
        ("10 % -> 20 %", "10 % -&gt; 20 %"),
    ],
)
def test_markdown_cell(text: str, shown: str) -> None:
    """No markup, mention, reference or link of the text survives; plain words stay readable in the source."""
    assert for_markdown_cell(text) == shown


def test_markdown_code_fence_is_longer_than_any_run() -> None:
    """Text cannot close the block it stands in."""
    block = for_markdown_code("a\n`````\n\x1bb", "diff").splitlines()
    assert block == ["``````diff", "a", "`````", "\\x1bb", "``````"]
    assert for_markdown_code("x").splitlines() == ["```", "x", "```"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("shop/cart@prod#1", "`shop/cart@prod#1`"),
        ("a`b", "a&#96;b"),
        ("a|b", "a&#124;b"),
        ("a\nb", "a&#92;nb"),
        (" a", " a"),
        ("", ""),
    ],
)
def test_markdown_span(text: str, shown: str) -> None:
    """What is to be copied has no breaks in it; what could end the span or the cell is no span."""
    assert for_markdown_span(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run `statetool plan` @now", "run `statetool plan` &#64;&#8203;now"),
        ("`a|b`", "&#96;a&#124;b&#96;"),
        ("a ` b", "a &#96; b"),
        ("$`x`$", "&#36;&#96;x&#96;&#36;"),
        ("``x``", "&#96;`x`&#96;"),
    ],
)
def test_markdown_sentence(text: str, shown: str) -> None:
    """Commands in backticks are code spans; all else is as in a cell."""
    assert for_markdown_sentence(text) == shown
