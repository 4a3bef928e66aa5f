"""Rows that are told of ranges and of codes, one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import plan_one, record, see, want, wish

from statetool.core import reasons
from statetool.core.chain import DEFERRED
from statetool.core.diff import FieldDiff
from statetool.core.model import ReplicaRange, Wish
from statetool.core.picture import version_picture


@pytest.mark.parametrize(("observed", "said"), [(2, "below the range"), (12, "above the range")])
def test_a_range_is_left_at_one_of_its_ends(observed: int, said: str) -> None:
    """The action leads to the nearest bound."""
    planned = plan_one(want(replicas=6), record(wish(replicas=4)))
    row = reasons.action_row(planned.actions[0], Wish(replicas=ReplicaRange(3, 9)), see(replicas=observed), None)
    assert said in str(row)


def test_a_range_that_holds_the_number() -> None:
    """It is fulfilled by many numbers, and the rule says so."""
    fd = FieldDiff("replicas", None, True, "replicas", False, ())
    observed = see(replicas=5)
    told = reasons.cause_rule(fd, Wish(replicas=ReplicaRange(3, 9)), observed, version_picture(observed, None))
    assert told == "the range allows the number that is observed"
    unrecorded = reasons.cause_rule(
        replace(fd, unrecorded=True), Wish(replicas=4), observed, version_picture(see(), None)
    )
    assert unrecorded == "what is wanted is observed; the state does not hold this wish yet"


def test_every_code_of_the_status_table_has_a_row() -> None:
    """And no other code."""
    assert all(reasons.held_back_row(code) for code, *_ in DEFERRED.values())
    assert reasons.held_back_row("something_else") is None


def test_what_may_be_put_back_and_is_not() -> None:
    """The permission was not the reason."""
    assert "no action leads there" in reasons.left_alone_row("version", is_permitted=True)


@pytest.mark.parametrize(
    ("path", "field"),
    [("gray.weight", "version"), ("image", "version"), ("replicas", "replicas"), ("restart", "restart")],
)
def test_the_field_of_a_path(path: str, field: str) -> None:
    """Gray release and artifact belong to the version."""
    assert reasons.field_of_path(path) == field
