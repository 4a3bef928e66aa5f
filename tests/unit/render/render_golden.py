"""Golden texts of views: read from tests/golden/render, compared as a whole."""

from __future__ import annotations

from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "render"


def check_golden(name: str, text: str) -> None:
    """`text` (without a line end behind it) equals the golden file."""
    assert text + "\n" == (GOLDEN / name).read_text(encoding="utf-8")
