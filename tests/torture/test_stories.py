"""A handful of random stories and scenarios at every commit; twenty thousand with `make torture`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from torture_random import tell
from torture_scenarios import ALL
from torture_truth import Violation


def test_nothing_is_broken_whatever_happens() -> None:
    """Each story follows from its number, which repeats it: python tests/torture/torture_random.py NUMBER."""
    for number in range(60):
        assert not tell(number).violations, f"story {number}"


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.__name__)
def test_scenarios(scenario: Callable[[], Sequence[Violation]]) -> None:
    """What chance would bring about too rarely."""
    assert not scenario()
