"""A few of the points at which `make torture` kills an apply, all of them with answers that get lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from torture_kills import kill_at


@pytest.mark.parametrize("point", [4, 7, 9, 14, 22])
def test_whatever_a_killed_apply_had_sent_runs_once(tmp_path: Path, point: int) -> None:
    """Taken up, gone on with: each operation was accepted once, and nothing is left to do."""
    assert kill_at(point, tmp_path, loses=True) == ("", None)
