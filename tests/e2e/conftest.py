"""Project folders for end-to-end tests, and the helpers beside this file made importable."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from e2e_project import ProjectFolder

# Commands that are started here inherit what is ignored: under nohup the tests of SIGHUP would prove nothing.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    """A project on a sandbox in this process' folder; world and manifests are the test's to write."""
    folder = ProjectFolder(tmp_path)
    folder.configure()
    return folder
