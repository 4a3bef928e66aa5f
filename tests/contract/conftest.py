"""The helpers beside this file made importable, with asserts that say what they compared."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("checks_of_state", "checks_of_locks", "checks_of_journals", "contract_kit")

CERTIFICATE = Path(__file__).parent.parent / "e2e" / "untrusted.pem"


@pytest.fixture(autouse=True)
def one_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every new client of a bucket reads all authorities of the machine, 20 ms of work; no server here has a name."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
