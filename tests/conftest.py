"""Settings of every test: Hypothesis judges values, never time. Helpers beside this file can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from budgets import FACTOR

# A deadline would be a timed assertion, and fail on a busy machine. A commit is judged by the same examples wherever
# it is tested; new ones are looked for with `make search`.
settings.register_profile("statetool", deadline=None, derandomize=FACTOR == 1)
settings.load_profile("statetool")
