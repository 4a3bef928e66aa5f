"""The contract suite notices: a backend that breaks one promise fails, and no check is there for nothing."""

from __future__ import annotations

import pytest
from broken_backends import BROKEN
from contract_backends import MemoryPlace
from contract_checks import CHECKS
from contract_kit import Check
from memory_backend import MemoryBackend


def passes(check: Check, backend: type[MemoryBackend]) -> bool:
    """Whether a check finds nothing wrong with a backend."""
    try:
        check(MemoryPlace(backend))
    except (Exception, pytest.fail.Exception):
        return False
    return True


@pytest.fixture(scope="module")
def noticed() -> dict[str, set[str]]:
    """The checks that notice, by the name of what is broken."""
    return {broken.__name__: {check.__name__ for check in CHECKS if not passes(check, broken)} for broken in BROKEN}


def test_an_honest_backend_passes() -> None:
    """What follows is worth something only then."""
    assert [check.__name__ for check in CHECKS if not passes(check, MemoryBackend)] == []


def test_every_broken_promise_is_noticed(noticed: dict[str, set[str]]) -> None:
    """By one check at least."""
    assert [broken for broken, checks in noticed.items() if not checks] == []
    assert len(noticed) > 50


def test_no_check_is_idle(noticed: dict[str, set[str]]) -> None:
    """Each notices something that is broken."""
    assert [
        check.__name__ for check in CHECKS if not any(check.__name__ in checks for checks in noticed.values())
    ] == []
