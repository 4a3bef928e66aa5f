"""Lets the tests find the machinery beside them; `make torture` finds it by itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
