"""What contenders wrote down, judged afterwards: whether there was ever more than one of them.

Owns the records of a contest and what may be in them. Pure: it reads no clock and no file. An instant is one of a clock
that all processes of a machine share.

Every contender notes in one log what it did, before or after it did so, whichever can't accuse an honest store:

    enter    it has the lock: `fence`, and until when nobody else can have it (`until`; None: until it says so)
    hold     the same, later on
    wrote    a write was confirmed: what was read before and what is stored (`before`, `after`: serial, fence, mark)
    added    a batch was confirmed to be in the journal: `batch`
    leave    it is about to give the lock back; `dying`, `stopping`: the process ends, or is stopped, inside
    broken   somebody is about to end the lock of that `fence` by force
    woke     it runs again after it was stopped and taken over: `accepted`, the writes that were not refused
    lost     the lock was lost while it worked; `failed`: anything else went wrong (`error`)
    journal  what the journal holds (`batches`: fence, batch, entries), by somebody who is about to empty it; `emptied`
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

BATCH = 2
"""Entries that every batch has."""

Record = Mapping[str, Any]
Mark = tuple[int, int, str]
"""Serial, fence and content of a state."""


@dataclass
class Stay:
    """One holder's time inside. `until` is the last promise that nobody else can have the lock before."""

    fence: int
    entered: float
    until: float
    end: str | None = None
    ended: float = math.inf
    wrote: int = 0

    @property
    def over(self) -> float:
        """From when on somebody else may come in."""
        if self.end in ("leave", "broken"):
            return min(self.ended, self.until)
        if self.end == "dying" and self.until == math.inf:  # the kernel's lock ends with its process
            return self.ended
        return self.until


@dataclass(frozen=True)
class Verdict:
    """What a contest came to. `takeovers`: locks got from a holder that did not give them back."""

    acquisitions: int
    takeovers: int
    refusals: int
    writes: int
    violations: tuple[str, ...] = field(default=())


def judge(records: Iterable[Record], *, numbers_locks: bool = True, refuses_late: bool = True) -> Verdict:
    """The verdict on a whole log. What the backend's kind can't do is said as there."""
    ordered = sorted(records, key=lambda record: record["at"])
    stays = _stays(ordered)
    violations = [
        *_overlaps(stays),
        *_fences(stays, numbers_locks=numbers_locks),
        *_chain([record for record in ordered if record["event"] == "wrote"], _unconfirmed(ordered)),
        *_journals(ordered, refuses_late=refuses_late),
        *(f"fence {r['fence']} woke and could still {', '.join(r['accepted'])}" for r in ordered if r.get("accepted")),
        *(f"a contender failed: {r['error']}" for r in ordered if r["event"] == "failed"),
    ]
    return Verdict(
        acquisitions=len(stays),
        takeovers=sum(before.end != "leave" for before, _ in pairwise(stays)),
        refusals=sum(record["event"] == "woke" and not record["accepted"] for record in ordered),
        writes=sum(record["event"] == "wrote" for record in ordered),
        violations=tuple(violations),
    )


def _stays(ordered: Sequence[Record]) -> list[Stay]:
    """Everybody who was inside, in the order of entering."""
    stays: list[Stay] = []
    by_key: dict[tuple[Any, int], Stay] = {}
    for record in ordered:
        event = record["event"]
        if event == "enter":
            stay = Stay(record["fence"], record["at"], _until(record))
            stays.append(stay)
            by_key[record["who"], record["fence"]] = stay
            continue
        found = by_key.get((record["who"], record.get("fence", 0)))
        if found is None or found.end is not None:
            continue
        if event == "hold":
            found.until = _until(record)
        elif event == "wrote":
            found.wrote += 1
        elif event in ("leave", "dying", "stopping", "broken", "lost"):
            found.end, found.ended = event, record["at"]
    _note_broken(ordered, by_key)
    return stays


def _note_broken(ordered: Sequence[Record], by_key: Mapping[tuple[Any, int], Stay]) -> None:
    """Whoever died or was stopped and had its lock broken then, has it until then."""
    for record in ordered:
        if record["event"] == "broken":
            for (who, _), stay in by_key.items():
                if who == record["whose"] and stay.end in ("dying", "stopping"):
                    stay.end, stay.ended = "broken", record["at"]


def _until(record: Record) -> float:
    return math.inf if record["until"] is None else float(record["until"])


def _overlaps(stays: Sequence[Stay]) -> Iterator[str]:
    latest: Stay | None = None
    for stay in stays:
        if latest is not None and stay.entered < latest.over:
            early = latest.over - stay.entered
            yield f"fence {stay.fence} came in while fence {latest.fence} was surely inside, {early:.3f} s too early"
        if latest is None or stay.over >= latest.over:
            latest = stay


def _fences(stays: Sequence[Stay], *, numbers_locks: bool) -> Iterator[str]:
    for before, after in pairwise(stays):
        may_stay = not numbers_locks and before.wrote == 0
        if after.fence < before.fence or (after.fence == before.fence and not may_stay):
            yield f"fence {after.fence} follows fence {before.fence}"


def _unconfirmed(ordered: Sequence[Record]) -> int:
    """How many writes may be stored that nobody confirmed: one for everybody who did not come out by itself."""
    return sum(record["event"] in ("dying", "lost", "failed") for record in ordered)


def _chain(writes: Sequence[Record], unconfirmed: int) -> Iterator[str]:
    """The confirmed writes are one chain: each builds on exactly what the one before stored."""
    previous: Mark | None = None
    for write in sorted(writes, key=lambda record: record["after"][0]):
        before: Mark = tuple(write["before"]) if write["before"] else (0, 0, "")
        after: Mark = tuple(write["after"])
        known = previous or (0, 0, "")
        if after[0] != before[0] + 1:
            yield f"serial {after[0]} was stored after serial {before[0]}"
        if after[1] < before[1]:
            yield f"serial {after[0]} was stored with fence {after[1]}, after fence {before[1]}"
        if after[0] <= known[0]:
            yield f"serial {after[0]} was stored twice"
        elif before != known:
            unconfirmed -= before[0] - known[0]
            if before[0] <= known[0]:
                yield f"serial {after[0]} does not build on what serial {known[0]} stored"
            elif unconfirmed < 0:
                yield f"serials up to {before[0]} were stored by nobody"
        previous = after


def _journals(ordered: Sequence[Record], *, refuses_late: bool) -> Iterator[str]:
    """All that was confirmed is there, once, whole and in order; and more only of those who did not come out."""
    confirmed: list[tuple[int, int]] = []
    doubtful = 0  # so many of them somebody was about to take out when it lost the lock
    unsure = ("dying", "lost", "failed") if refuses_late else ("dying", "lost", "failed", "stopping")
    gone = {record["fence"] for record in ordered if record["event"] in unsure}
    for record in ordered:
        if record["event"] == "added":
            confirmed.append((record["fence"], record["batch"]))
        elif record["event"] == "emptied":
            confirmed, doubtful = [], 0
        elif record["event"] == "journal":
            found = [(fence, batch) for fence, batch, _ in record["batches"]]
            if any(entries != BATCH for _, _, entries in record["batches"]):
                yield f"the journal held half a batch: {record['batches']}"
            if [pair for pair in found if pair in confirmed] not in (confirmed, confirmed[doubtful:]):
                yield f"the journal held {found}, confirmed was {confirmed}"
            surplus = [pair for pair in found if pair not in confirmed and pair[0] not in gone]
            if surplus:
                yield f"the journal held what nobody added: {surplus}"
            doubtful = len(confirmed)
