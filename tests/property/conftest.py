"""Lets the property tests of planning build their worlds with the builders of the core's unit tests."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit" / "core")]
