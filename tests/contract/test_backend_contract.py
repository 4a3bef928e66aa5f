"""What every backend promises, on real servers. The promises are in `checks_of_*`, the backends in KINDS."""

from __future__ import annotations

from pathlib import Path

import pytest
from contract_backends import KINDS, Kind, ServedPlace
from contract_checks import CHECKS
from contract_kit import Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", [pytest.param(k, id=k.name, marks=pytest.mark.xdist_group(k.name)) for k in KINDS])
def test_contract(kind: Kind, check: Check, tmp_path: Path) -> None:
    """Each promise by each backend, at a place where nothing was before."""
    check(ServedPlace(kind, kind.new_place(tmp_path)))
