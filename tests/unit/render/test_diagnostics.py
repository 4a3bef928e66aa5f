"""Diagnostics as text: where, what, and what to do."""

from __future__ import annotations

import pytest

from statetool.errors import Diagnostic, SourceMark
from statetool.render.diagnostics import render_diagnostics

MARK = SourceMark("manifests/shop.yaml", 14, 7)


@pytest.mark.parametrize(
    ("diagnostic", "text"),
    [
        (
            Diagnostic("unknown_key", "unknown key", "did you mean 'replicas'?", MARK, "shop/cart"),
            "manifests/shop.yaml:14:7: error[unknown_key]: unknown key\n  hint: did you mean 'replicas'?",
        ),
        (Diagnostic("c", "m", address="shop/cart"), "shop/cart: error[c]: m"),
        (Diagnostic("c", "m", severity="warning"), "warning[c]: m"),
        (Diagnostic("c", "a\nb\x1b[2J", "h\r"), "error[c]: a\\nb\\x1b[2J\n  hint: h\\r"),
    ],
)
def test_shape(diagnostic: Diagnostic, text: str) -> None:
    """A place in a file before an address, an address before nothing."""
    assert render_diagnostics([diagnostic], color=False) == text


def test_colour_and_order() -> None:
    """Escape codes only on request; the order is the caller's."""
    diagnostics = [Diagnostic("b", "second"), Diagnostic("a", "first")]
    assert render_diagnostics(diagnostics, color=True) == (
        "\x1b[31merror[b]\x1b[0m: second\n\x1b[31merror[a]\x1b[0m: first"
    )
    assert render_diagnostics([], color=False) == ""
