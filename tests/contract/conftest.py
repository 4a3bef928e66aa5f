"""The helpers beside this file made importable, with asserts that say what they compared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("checks_of_state", "checks_of_locks", "checks_of_journals", "contract_kit")
