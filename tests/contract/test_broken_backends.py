"""The contract suite notices: a backend that breaks one promise fails, and no check is there for nothing."""

from __future__ import annotations

import pytest
from broken_backends import BROKEN
from contract_backends import MemoryPlace
from contract_checks import CHECKS
from contract_kit import Check, entries, first_state, held, with_cart
from memory_backend import MemoryBackend

from statetool.backends.lease import TTL_S, Lease
from statetool.errors import LeaseLost, StateLocked


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


def test_a_lease_that_ran_out_is_taken_over_and_its_holder_refused() -> None:
    """By the store's clock, in memory; what real stores do then is told by a contest."""
    place = MemoryPlace()
    late, other = place.open(), place.open()
    with held(late, "ann") as lease:
        state = late.write(None, first_state(), lease)
        place.time.sleep(TTL_S - 1)
        with pytest.raises(StateLocked), held(other, "bob"):
            pass
        with held(other, "bob", timeout_s=10) as taken:
            assert taken.fence > lease.fence
            for forgetful in (lease, Lease(lease.fence)):
                with pytest.raises(LeaseLost):
                    late.write(state, with_cart(state, "c2"), forgetful)
                with pytest.raises(LeaseLost):
                    late.append(entries("a"), forgetful)
            assert other.write(state, with_cart(state, "c3"), taken).serial == 2


def test_every_broken_promise_is_noticed(noticed: dict[str, set[str]]) -> None:
    """By one check at least."""
    assert [broken for broken, checks in noticed.items() if not checks] == []
    assert len(noticed) > 50


def test_no_check_is_idle(noticed: dict[str, set[str]]) -> None:
    """Each notices something that is broken."""
    assert [
        check.__name__ for check in CHECKS if not any(check.__name__ in checks for checks in noticed.values())
    ] == []
