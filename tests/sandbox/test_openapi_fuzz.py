"""Runs `fuzzed_openapi.py` in a process of its own.

Loading schemathesis and preparing its requests takes three seconds, which every process of a parallel run would spend.
And Hypothesis draws the constants of whatever modules are loaded: alone, the same requests are sent each time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FUZZED = Path(__file__).with_name("fuzzed_openapi.py")


def test_whatever_is_sent_the_document_is_right() -> None:
    """Every operation, every link and every switch."""
    run = subprocess.run(
        # Nothing of the settings of this run but how files are imported: they switch the plugin off.
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-o",
            "addopts=--import-mode=importlib",
            "-p",
            "no:cacheprovider",
            FUZZED,
        ],
        cwd=FUZZED.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
