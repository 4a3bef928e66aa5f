"""A project folder on disk, for every test of manifests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from statetool.errors import Diagnostic, InvalidInput
from statetool.manifest.loader import Manifests, load_manifests
from statetool.manifest.variables import Variables


@dataclass(frozen=True)
class Project:
    """Writes manifests below `root`/manifests and loads them."""

    root: Path

    def write(self, text: str | bytes, name: str = "shop.yaml") -> Path:
        path = self.root / "manifests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, variables: Variables | None = None, *, allow_empty: bool = False) -> Manifests:
        return load_manifests(self.root, [Path("manifests")], variables=variables, allow_empty=allow_empty)

    def refuse(self, variables: Variables | None = None) -> tuple[Diagnostic, ...]:
        """The diagnostics of a project that must be refused."""
        with pytest.raises(InvalidInput) as caught:
            self.load(variables)
        return caught.value.diagnostics


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
