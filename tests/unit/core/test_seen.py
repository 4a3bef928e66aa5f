"""What a refresh compares and records; and that drift survives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from core_builders import EARLIER, NOW, plan_all, record, see, see_gray, want, wish

from statetool.core.model import Observed, Recorded
from statetool.core.picture import seen_of
from statetool.core.seen import Sightings, compare_sightings, may_be_synced, record_sightings
from statetool.core.selection import Selection
from statetool.core.state import StateFile, new_state

LATER = "2026-11-23T09:00:00Z"


def known(observed: Observed, **fields: Any) -> Recorded:
    """A record of what was seen of a component earlier."""
    entry = record(name=str(replace(observed.address, environment=None)), **fields)
    return replace(entry, seen=seen_of(observed, entry, EARLIER))


def compare(
    recorded: Iterable[Recorded], observed: Iterable[Observed], selection: Selection | None = None
) -> Sightings:
    return compare_sightings({r.address: r for r in recorded}, list(observed), selection or Selection(), NOW)


def moved(sightings: Sightings) -> list[tuple[str, str, Any, Any]]:
    return [(str(c.address), c.path, c.before, c.after) for c in sightings.changes]


def test_what_is_as_it_was_is_counted() -> None:
    """Nothing to show, nothing to record."""
    found = compare([known(see()), known(see(name="pay"))], [see(), see(name="pay")])
    assert (found.changes, dict(found.seen), found.unchanged) == ((), {}, 2)


def test_every_value_that_moved_is_told_with_both_sides() -> None:
    """Since when the old one was known; all of what is recorded of a look, but for its instant."""
    found = compare([known(see())], [see("1.4.1", status="PENDING", replicas=9, job="JOB-2")])
    assert moved(found) == [
        ("shop/cart", "status", "RUNNING", "PENDING"),
        ("shop/cart", "version", "1.4.2", "1.4.1"),
        ("shop/cart", "replicas", 4, 9),
        ("shop/cart", "available_replicas", 4, 9),
        ("shop/cart", "last_job_id", "JOB-1", "JOB-2"),
    ]
    assert {change.last_seen_at for change in found.changes} == {EARLIER}
    assert {str(a): s.at for a, s in found.seen.items()} == {"shop/cart": NOW}


def test_a_gray_release_that_began_and_one_that_ended() -> None:
    """Its paths come and go."""
    began = compare([known(see())], [see_gray(rule=20)])
    assert ("shop/cart", "gray.version", None, "1.5.0") in moved(began)
    assert ("shop/cart", "gray.weight", None, 20) in moved(began)
    ended = compare([known(see_gray(rule=20))], [see("1.5.0")])
    assert ("shop/cart", "gray.weight", 20, None) in moved(ended)
    assert ("shop/cart", "version", "1.4.2", "1.5.0") in moved(ended)


def test_what_was_never_seen() -> None:
    """Recorded while a job moved it, say."""
    found = compare([record()], [see()])
    assert {(change.before, change.last_seen_at) for change in found.changes} == {(None, None)}


def test_what_is_missing_or_busy_is_named_and_left() -> None:
    """Neither is worth forgetting what was seen last."""
    found = compare(
        [known(see()), known(see(name="pay")), known(see(name="gone")), known(see(name="half"))],
        [see(), see(name="pay", status="UPGRADING"), see(name="half", status="GRAYING", closer=None)],
    )
    assert [str(address) for address in found.missing] == ["shop/gone"]
    assert [(str(entry.address), entry.status) for entry in found.busy] == [
        ("shop/half", "GRAYING"),
        ("shop/pay", "UPGRADING"),
    ]
    assert (found.unchanged, dict(found.seen)) == (1, {})


def test_only_what_is_selected_is_compared() -> None:
    """The rest is neither counted nor recorded."""
    recorded, observed = [known(see()), known(see(name="pay"))], [see(replicas=9), see(name="pay", replicas=9)]
    found = compare(recorded, observed, Selection(targets=("shop/p*",)))
    assert [str(address) for address in found.seen] == ["shop/pay"]
    assert [str(address) for address in found.left_out] == ["shop/cart"]
    assert found.unchanged == 0


def test_a_component_is_known_by_its_id() -> None:
    """It may have been renamed, and another may have its name."""
    found = compare([known(see())], [see(component_id="another", replicas=9)])
    assert [str(address) for address in found.missing] == ["shop/cart"]


@pytest.mark.parametrize(
    ("status", "may"),
    [("RUNNING", True), ("failed", True), ("UNKNOWN", True), ("STOPPED", False), ("GRAYING", False), ("NEW", False)],
)
def test_who_may_be_read_again(status: str, may: bool) -> None:
    """Where the console offers it; a batch with any other is refused as a whole."""
    assert may_be_synced(see(status=status)) is may


# Drift survives


def state_of(*recorded: Recorded) -> StateFile:
    return replace(new_state("it", "0.1.0"), serial=1, components={entry.address: entry for entry in recorded})


@pytest.mark.parametrize(
    ("wished", "now"),
    [
        (wish("1.4.2", replicas=4), see(replicas=9)),
        (wish("1.4.2", replicas=4), see("1.4.1")),
        (wish("1.4.2", state="running"), see(status="STOPPED", replicas=0)),
        (wish("1.4.2", "1.5.0", 20), see_gray(rule=50)),
        (wish("1.4.2", "1.5.0", 20), see("1.4.2")),
    ],
    ids=["number", "version", "state", "rule", "gray release ended"],
)
def test_a_refresh_launders_no_drift(wished: Any, now: Observed) -> None:
    """The same values are changed outside before and after, and the wish is the very same."""
    before = known(see_gray(rule=20) if wished.picture.gray else see(), wished=wished)
    state = state_of(before)
    desired = [replace(want(), wish=wished)]
    found = compare_sightings(state.components, [now], Selection(), NOW)
    after = record_sightings(state, found)
    [entry] = after.components.values()
    assert entry.wish == wished
    assert entry.seen is not None
    assert entry.seen.at == NOW
    first = plan_all(desired, state.components.values(), [now], mode="drift", now=NOW)
    second = plan_all(desired, after.components.values(), [now], mode="drift", now=LATER)
    assert first.left_alone
    assert second.left_alone == first.left_alone
    assert [f.code for f in second.findings] == [f.code for f in first.findings]
    assert record_sightings(after, compare_sightings(after.components, [now], Selection(), LATER)) is after
