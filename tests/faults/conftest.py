"""Project folders for fault tests: the same as for end-to-end tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from e2e_project import ProjectFolder


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    """A project on a sandbox in its own folder; world and manifests are the test's to write."""
    folder = ProjectFolder(tmp_path)
    folder.configure()
    return folder
