"""Settings of every test: Hypothesis judges values, never time."""

from __future__ import annotations

from hypothesis import settings

# A deadline would be a timed assertion, and fail on a busy machine.
settings.register_profile("statetool", deadline=None)
settings.load_profile("statetool")
