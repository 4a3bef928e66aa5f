"""Recorded components and events made by hand for the tests of views."""

from __future__ import annotations

from statetool.core.events import Event, EventType
from statetool.core.model import (
    Address,
    AppliedFrom,
    ContentRule,
    Drifted,
    Gray,
    GrayRule,
    Json,
    Recorded,
    Rejection,
    Seen,
    VersionEntry,
    VersionPicture,
    Wish,
)

RULES = frozenset(
    {ContentRule("header", "x-user-tier", "equal", "beta"), ContentRule("header", "x-region", "equal", "north")}
)


def full_record() -> Recorded:
    """Everything that can be recorded of one component."""
    return Recorded(
        address=Address("shop", "search", "prod"),
        component_id="c0ffee",
        application_id="a1",
        environment_id="e1",
        wish=Wish(
            VersionPicture("2.1.0", Gray("2.2.0", GrayRule(match="any", rules=RULES))), 5, "running", "2026-11-20"
        ),
        seen=Seen("2026-11-23T08:02:11Z", "2.1.0", 6, 5, "GRAYING", "JOB42", Gray("2.2.0", GrayRule(weight=20))),
        drifted={"replicas": Drifted("2026-11-23T08:00:00Z", "2026-11-23T08:32:00Z")},
        applied_at="2026-11-23T08:02:11Z",
        applied_from=AppliedFrom("3f2a1c7", True, "https://ci.example/1"),
        run_id="run-1",
        history=(VersionEntry("2.0.0", "2026-11-01T08:02:11Z", "rollback"),),
        rejected=(Rejection("2.3.0", "2026-11-02T08:02:11Z", "outside", "ended outside", "JOB7"),),
    )


def some_records() -> list[Recorded]:
    """Managed, unmanaged, only seen, wide characters; not in order."""
    gray_seen = Seen("2026-11-23T08:02:11Z", "2.1.0", 1, 1, "GRAYING", None, Gray("2.2.0", GrayRule(weight=20)))
    return [
        full_record(),
        Recorded(Address("shop", "推荐"), "c1", "a1", None, Wish()),
        Recorded(Address("shop", "cart"), "c2", "a1", None, Wish(VersionPicture("1.4.1"), 6)),
        Recorded(Address("shop", "ads"), "c3", "a1", None, Wish(), gray_seen),
    ]


class Recorder:
    """Collects events with growing numbers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, kind: EventType, action_id: str | None = None, elapsed_s: float | None = None, **data: Json) -> Event:
        event = Event("run-1", len(self.events) + 1, "2026-11-23T08:40:00Z", kind, action_id, elapsed_s, data)
        self.events.append(event)
        return event


def eventful_run() -> list[Event]:
    """Every type of event once or more, in a plausible order."""
    run = Recorder()
    kind = EventType
    run.add(kind.VERSION, format_version="1.0", tool_version="0.1.0")
    run.add(kind.WAITING, address="shop/search", status="UPGRADING")
    run.add(kind.ACTION_START, "shop/cart#1", 0.0, verb="rollback", address="shop/cart")
    run.add(kind.ACTION_ACCEPTED, "shop/cart#1", 0.2, job_id="JOB1")
    run.add(kind.ACTION_START, "shop/search#1", 0.0, verb="modify_gray_rule", address="shop/search")
    run.add(kind.ACTION_ACCEPTED, "shop/search#1", 0.1, job_id=None)
    for step in range(1, 6):
        run.add(kind.ACTION_PROGRESS, "shop/cart#1", step * 5.0, job_status="RUNNING", component_status="UPGRADING")
    run.add(kind.ACTION_SATISFIED, "shop/search#1")
    run.add(kind.ACTION_COMPLETE, "shop/cart#1", 42.13)
    run.add(kind.ACTION_START, "shop/cart#2", 0.0, verb="scale", address="shop/cart")
    run.add(
        kind.ACTION_ERRORED, "shop/cart#2", 130.0, code="job_failed", message="quota exceeded", hint="ask", job_id="J2"
    )
    moved: Json = {
        "gray.weight": {"expected": 10, "observed": 30},
        "status": {"expected": "graying", "observed": "ready"},
    }
    run.add(kind.ACTION_STALE, "shop/ads#1", moved=moved)
    run.add(kind.ACTION_STILL_RUNNING, "shop/mail#1", job_id="J3")
    run.add(kind.ACTION_SKIPPED, "shop/ads#2", because="shop/ads#1")
    run.add(kind.ACTION_SKIPPED, "shop/tax#1", because="max_failures")
    run.add(kind.STATE_SAVED, serial=13)
    run.add(kind.STOPPING, signal="SIGINT")
    run.add(kind.CHANGE_SUMMARY, done=1, satisfied=1, failed=1, not_run=2, blocked=0, stale=1, exit_code=130)
    return run.events
