"""Many processes contend for the lock of each backend; and whoever judges them notices what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contention import hold_contest
from contention_judge import judge
from contract_backends import KINDS, Kind
from s3_servers import CarelessStore, place, served

SHORT = [kind for kind in KINDS if kind.name in ("local", "postgres", "s3-seaweedfs", "http-gitlab")]
"""One for each backend; all of them are in `benches/contention.py`."""


@pytest.mark.parametrize("kind", [pytest.param(k, id=k.name, marks=pytest.mark.xdist_group(k.name)) for k in SHORT])
def test_never_two_holders(kind: Kind, tmp_path: Path) -> None:
    """Two rounds of six: killed ones are taken over, stopped ones refused, and what is stored is one chain."""
    verdict = hold_contest(kind, tmp_path, rounds=2, contenders=6)
    assert verdict.violations == ()
    assert verdict.takeovers >= (4 if kind.can_force else 2)
    assert verdict.refusals == (2 if kind.can_force else 0)
    assert verdict.acquisitions >= 2 * 7


@pytest.mark.xdist_group("s3-seaweedfs")
def test_two_holders_are_noticed(tmp_path: Path) -> None:
    """Where a store ignores conditions, and nobody asked it before whether it does."""
    store = CarelessStore("if-match", "if-none-match")
    with served(store.answer) as endpoint:
        careless = Kind("careless", lambda _: place(endpoint, "team"), refuses_late=False)
        verdict = hold_contest(careless, tmp_path, rounds=1, contenders=6, unsafe=True, round_s=5.0)
    assert any("was surely inside" in violation for violation in verdict.violations)


def history() -> list[dict[str, Any]]:
    """Three holders one after the other. The second is killed inside, the third empties the journal."""

    def mark(serial: int, fence: int) -> list[Any]:
        return [serial, fence, f"c{serial}"]

    events: list[dict[str, Any]] = [
        {"event": "enter", "at": 0, "who": 1, "fence": 1, "until": 60},
        {"event": "wrote", "at": 1, "who": 1, "fence": 1, "before": None, "after": mark(1, 1)},
        {"event": "added", "at": 2, "who": 1, "fence": 1, "batch": 0},
        {"event": "leave", "at": 3, "who": 1, "fence": 1},
        {"event": "enter", "at": 4, "who": 2, "fence": 2, "until": 64},
        {"event": "wrote", "at": 5, "who": 2, "fence": 2, "before": mark(1, 1), "after": mark(2, 2)},
        {"event": "added", "at": 6, "who": 2, "fence": 2, "batch": 0},
        {"event": "hold", "at": 7, "who": 2, "fence": 2, "until": 67},
        {"event": "dying", "at": 8, "who": 2, "fence": 2},
        {"event": "enter", "at": 70, "who": 3, "fence": 3, "until": 130},
        {"event": "journal", "at": 71, "who": 3, "fence": 3, "batches": [[1, 0, 2], [2, 0, 2]]},
        {"event": "emptied", "at": 72, "who": 3, "fence": 3},
        {"event": "wrote", "at": 73, "who": 3, "fence": 3, "before": mark(2, 2), "after": mark(3, 3)},
        {"event": "woke", "at": 74, "who": 0, "fence": 0, "accepted": []},
        {"event": "leave", "at": 75, "who": 3, "fence": 3},
    ]
    return events


def test_an_honest_history_is_no_violation() -> None:
    """One lock was given back, one taken over, and one that was late refused."""
    verdict = judge(history())
    assert (verdict.acquisitions, verdict.takeovers, verdict.refusals, verdict.writes) == (3, 1, 1, 3)
    assert verdict.violations == ()


def changed(number: int, **values: Any) -> Callable[[list[dict[str, Any]]], None]:
    """Makes one record say something else."""
    return lambda records: records[number].update(values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed(9, at=66), "fence 3 came in while fence 2 was surely inside"),
        (changed(4, at=2.5), "fence 2 came in while fence 1 was surely inside"),
        (changed(9, fence=2), "fence 2 follows fence 2"),
        (changed(12, before=[1, 1, "c1"], after=[2, 3, "c2'"]), "serial 2 was stored twice"),
        (changed(5, before=[1, 1, "other"]), "serial 2 does not build on what serial 1 stored"),
        (changed(12, after=[4, 3, "c4"]), "serial 4 was stored after serial 2"),
        (changed(12, before=[4, 2, "c4"], after=[5, 3, "c5"]), "serials up to 4 were stored by nobody"),
        (changed(12, after=[3, 1, "c3"]), "serial 3 was stored with fence 1, after fence 2"),
        (changed(13, accepted=["append"]), "fence 0 woke and could still append"),
        (changed(10, batches=[[1, 0, 2], [2, 0, 1]]), "half a batch"),
        (changed(10, batches=[[2, 0, 2]]), "confirmed was"),
        (changed(10, batches=[[2, 0, 2], [1, 0, 2]]), "confirmed was"),
        (changed(10, batches=[[1, 0, 2], [1, 1, 2], [2, 0, 2]]), "what nobody added"),
        (changed(13, event="failed", error="no answer"), "a contender failed: no answer"),
    ],
)
def test_what_is_wrong_is_told(change: Callable[[list[dict[str, Any]]], None], says: str) -> None:
    """Each in words of its own."""
    records = history()
    change(records)
    assert any(says in violation for violation in judge(records).violations)


@pytest.mark.parametrize(
    "change",
    [
        changed(12, before=[3, 2, "c3"], after=[4, 3, "c4"]),
        changed(10, batches=[[1, 0, 2], [2, 0, 2], [2, 1, 2]]),
        lambda records: records[4].update(until=None) or records[7].update(until=None) or records[9].update(at=8.1),
    ],
    ids=["its last write", "its last batch", "a lock of the kernel"],
)
def test_a_killed_holder_may_have_done_more_than_it_could_tell(
    change: Callable[[list[dict[str, Any]]], None],
) -> None:
    """What was confirmed to nobody may be there or not; and the kernel needs no time to see that it is dead."""
    records = history()
    change(records)
    assert judge(records).violations == ()
