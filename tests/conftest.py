"""Settings of every test: Hypothesis judges values, never time. Helpers beside this file can be imported."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# A deadline would be a timed assertion, and fail on a busy machine.
settings.register_profile("statetool", deadline=None)
settings.load_profile("statetool")
