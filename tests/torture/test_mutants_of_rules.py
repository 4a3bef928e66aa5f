"""The harness notices when a rule is switched off: some of them at every commit, all with `make torture`."""

from __future__ import annotations

import pytest
from torture_mutants import MUTANTS, Mutant, switched_off, try_mutant

QUICK = [mutant for mutant in MUTANTS if mutant.quick]


@pytest.mark.parametrize("mutant", QUICK, ids=lambda mutant: mutant.rule)
def test_a_rule_that_is_missing_is_noticed(mutant: Mutant) -> None:
    """Something must never have come about, and does."""
    assert try_mutant(mutant).killed_by


def test_every_rule_stands_where_it_is_switched_off() -> None:
    """A text that moved would leave its rule untested."""
    for mutant in MUTANTS:
        with switched_off(mutant.changes):
            pass
