"""How many examples a property test tries: few at every commit, many where somebody searches (`make search`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings

FACTOR = int(os.environ.get("STATETOOL_TEST_FACTOR", "1"))


def bounded(examples: int) -> Callable[..., Any]:
    """Settings for `examples` examples times the factor; a third as many at every commit, whose minutes are counted."""
    return settings(max_examples=examples * FACTOR if FACTOR > 1 else -(-examples // 3), deadline=None)
