"""Real processes at a few points; at every point with `make torture`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from torture_processes import Shop, kill_at, open_shop, race, stop_at, terminate_at


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One served world for all."""
    root: Path = tmp_path_factory.mktemp("torture") / "shop"
    with open_shop(root) as served:
        yield served


@pytest.mark.parametrize(("point", "lose"), [(20, 0), (60, None)])
def test_a_killed_apply_is_taken_up(shop: Shop, point: int, lose: int | None) -> None:
    """kill -9, also with a lost answer: every request is accepted exactly once in the end, and the plan is empty."""
    assert not kill_at(shop, point, lose)


def test_a_stopped_apply_keeps_its_lock(shop: Shop) -> None:
    """Nothing happens twice while it stands still, nor afterwards."""
    assert not stop_at(shop, 30)


def test_an_apply_that_is_told_to_stop_twice(shop: Shop) -> None:
    """It leaves at once and in order."""
    assert not terminate_at(shop, 40)


def test_two_at_once_come_after_each_other(shop: Shop) -> None:
    """What is left is what one of them wanted."""
    assert not race(shop)
