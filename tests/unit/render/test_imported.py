"""The report of an import."""

from __future__ import annotations

from typing import Any

import pytest
from render_golden import check_golden

from statetool.core.model import Address
from statetool.core.plan import Finding
from statetool.render.imported import render_imported

CART = Address("shop", "cart")
DOUBT = Finding("gray_unclear", "warn", "a gray release runs: version and gray are left out", "write it later", CART)
HOSTILE = Finding("not_writable", "warn", "'\x1b[2J' is no name", None, Address("shop", "x\u202e", "a\nb"))


def render(**told: Any) -> str:
    values: dict[str, Any] = {"files": [], "recorded": [], "unrecorded": [], "findings": [], "described": 0, **told}
    return render_imported(**values)


def test_everything_at_once() -> None:
    """New files and old ones, what was recorded and what was not, what was skipped, and every doubt."""
    text = render(
        files=[("manifests/crm.yaml", 1, True), ("manifests/shop.yaml", 2, False)],
        recorded=[CART, Address("crm", "mail")],
        unrecorded=[Address("shop", "pay")],
        findings=[DOUBT, HOSTILE],
        described=3,
        width=100,
    )
    check_golden("imported.txt", text)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({}, "Nothing new to write."),
        ({"described": 1}, "Nothing new to write.\n1 component left as it stands in a manifest already."),
        ({"recorded": [CART]}, "Nothing new to write.\nRecorded 1 component as it runs; nothing was sent."),
    ],
)
def test_little_to_tell(told: dict[str, Any], text: str) -> None:
    """One sentence each, with the right number."""
    assert render(**told) == text
