"""A part of the effect loop at every commit; all of it runs with `make torture`."""

from __future__ import annotations

import pytest
from torture_loop import all_runs, run_one

SHARE = {"memory": 23, "local": 61}
"""Of so many runs one, evenly spread: every kind of effect and fault is among them."""


@pytest.mark.parametrize("place", sorted(SHARE))
def test_after_any_fault_at_any_effect_everything_is_as_it_should_be(place: str) -> None:
    """Fail, crash, lose, delay; then recover, apply until all is quiet: no invariant is broken, nothing ran twice."""
    for number, fault in list(all_runs(place))[:: SHARE[place]]:
        found = run_one(place, number, fault)
        assert not found.violations, f"effect {number} ({found.struck}), {fault}: {found.violations}"
