"""How one component moves through time: pure rules, no clock, no I/O.

Owns the end of every operation (`advance`), what a reader sees of one that is new (`seen`) and the instance counts.
Must not judge requests (actions.py, rollback.py) or shape answers (views.py).
"""

from __future__ import annotations

from dataclasses import replace

from statetool.sandbox.model import ROLLED_BACK, Component, Gray, Operation, Record

VERSION_EFFECTS = frozenset({"deploy", "rollback", "abort", "promote", "next_batch"})
_CANDIDATE_EFFECTS = frozenset({"deploy", "promote", "next_batch"})


def surged(replica: int, gray: Gray | None) -> int:
    """Instances that exist while a gray release of this mode is open (section 5.4, INFERRED from the mode names)."""
    if gray is None or gray.mode == "NOSURGE":
        return replica
    return 2 * replica if gray.mode == "MIRROR" else replica + gray.first_batch_replica


def with_newest_record(component: Component, record: Record) -> Component:
    """The component with its newest record replaced."""
    return replace(component, records=(*component.records[:-1], record))


def serving(component: Component) -> Component:
    """All instances of the configured number exist; healthy ones as far as the limit lets them.

    RUNNING where all are healthy, PENDING ("Not ready") where not, GRAYING while a candidate is open (a failed
    deployment of another kind is none: its component stays FAILED).
    """
    candidate = component.candidate
    actual = surged(component.replica, candidate.gray if candidate else None)
    available = actual if component.ready_limit is None else min(actual, component.ready_limit)
    status = "RUNNING" if available == actual else "PENDING"
    return replace(component, actual=actual, available=available, status="GRAYING" if candidate else status)


def promoted(component: Component, now_ms: int) -> Component:
    """The candidate has become the version in use, on all instances (section 5.4, step 4)."""
    candidate = replace(component.records[-1], status="SUCCEEDED", end_ms=now_ms)
    component = with_newest_record(component, candidate)
    return serving(replace(component, used=len(component.records) - 1, rolled_back=False, ready_limit=None))


def aborted(component: Component, now_ms: int, *, keep_newer: bool) -> Component:
    """The candidate is over, its record dropped or marked, the stable version serves alone (section 5.4, step x).

    SIM: this counts as a rollback, so that another rollback right after it is refused.
    """
    records = _left_behind(component, len(component.records) - 1, now_ms, keep_newer=keep_newer)
    return serving(replace(component, records=records, rolled_back=True, ready_limit=None))


def rollback_target(component: Component, version: str) -> int | None:
    """The position of the newest record of a version that is older than the one in use and was not rolled back."""
    older = range(component.used - 1, -1, -1)
    found = (i for i in older if component.records[i].version == version and component.records[i].status != ROLLED_BACK)
    return next(found, None)


def seen(component: Component, now_ms: int) -> Component:
    """The component as somebody who reads it at `now_ms` sees it.

    For a while after an accepted write (switch stale_ms) that is what was there before: status, numbers, version and
    configuration, even when the job has ended meanwhile (sections 12.2 and 13.3). Its last_job_id is new at once, as
    are records and jobs: they are the write's own.
    """
    operation = component.operation
    if operation is None or now_ms >= operation.visible_ms:
        return advance(component, now_ms)
    records = component.records
    if operation.effect == "deploy":
        records = records[:-1] if operation.replaced is None else (*records[:-1], operation.replaced)
    return replace(component, records=records, replica=operation.replica_before, status=operation.status_before)


def advance(component: Component, now_ms: int) -> Component:
    """The component as it is at `now_ms`: an operation whose time has come is finished, a running one is shown.

    Deterministic and repeatable: reading needs no write, and every process sees the same.
    """
    operation = component.operation
    if operation is None:
        return component
    if now_ms >= operation.end_ms:
        ended = replace(component, operation=None, update_ms=max(component.update_ms, operation.end_ms))
        ended = _succeed(ended, operation) if operation.failure is None else _fail(ended, operation)
        return _spoilt(ended, operation)
    if now_ms >= operation.visible_ms and operation.status_during is not None:
        return replace(component, status=operation.status_during)
    return component


def _spoilt(component: Component, operation: Operation) -> Component:
    """What a fault makes of the outcome: instances that do not become healthy, a status nobody expects."""
    if operation.ready_limit is not None and component.status in {"RUNNING", "PENDING", "GRAYING"}:
        component = serving(replace(component, ready_limit=operation.ready_limit))
    if operation.status_after is not None:
        component = replace(component, status=operation.status_after)
    return component


def _fail(component: Component, operation: Operation) -> Component:
    """Old values come back. A change of version and a deletion leave FAILED behind, anything else what it found."""
    component = replace(component, replica=operation.replica_before, status=operation.status_before)
    if operation.own_record:
        own = replace(component.records[-1], status="FAILED", end_ms=operation.end_ms, replica=component.replica)
        component = with_newest_record(component, own)
    if operation.effect == "create":
        failed = replace(component.records[-1], status="FAILED", end_ms=operation.end_ms)
        return replace(with_newest_record(component, failed), status="FAILED")
    if operation.effect == "delete":
        return replace(component, status="FAILED")
    if operation.effect not in VERSION_EFFECTS:
        return component
    candidate = component.candidate
    if candidate is not None and operation.effect in _CANDIDATE_EFFECTS:
        component = with_newest_record(component, replace(candidate, status="FAILED"))
    return replace(component, status="FAILED")


def _succeed(component: Component, operation: Operation) -> Component:
    if operation.own_record:
        own = replace(component.records[-1], status="SUCCEEDED", end_ms=operation.end_ms)
        component = with_newest_record(component, own)
    match operation.effect:
        case "create":
            created = replace(component.records[-1], status="SUCCEEDED", end_ms=operation.end_ms)
            return serving(with_newest_record(component, created))
        case "deploy":
            return _deployed(component, operation)
        case "delete":
            return replace(component, status="DELETED")
        case "sync":
            # What the cluster says is what the sandbox shows anyhow, unless it had lost sight of the component.
            return serving(component) if component.status == "UNKNOWN" else component
        case "stop":
            return replace(component, status="STOPPED", available=0)
        case "scale":
            return serving(replace(component, replica=operation.replica))
        case "rollback":
            return _rolled_back(component, operation)
        case "abort":
            return aborted(component, operation.end_ms, keep_newer=operation.keep_newer)
        case "promote":
            return promoted(component, operation.end_ms)
        case "next_batch" | "modify":
            return serving(with_newest_record(component, replace(component.records[-1], gray=operation.gray)))
        case _:
            return serving(replace(component, ready_limit=None))


def _deployed(component: Component, operation: Operation) -> Component:
    """The new version serves, or its gray release has come to the pause (section 5.4, step 2)."""
    if component.records[-1].gray is None:
        return promoted(component, operation.end_ms)
    return serving(replace(component, ready_limit=None))


def _rolled_back(component: Component, operation: Operation) -> Component:
    """The target is in use again; what is newer is dropped [CodeArts note in section 4.5], or kept and marked."""
    target = rollback_target(component, operation.version or "")
    assert target is not None, "a rollback was accepted because its target is there"
    records = _left_behind(component, target + 1, operation.end_ms, keep_newer=operation.keep_newer)
    changed = replace(component, records=records, used=target, replica=operation.replica)
    return serving(replace(changed, rolled_back=True, ready_limit=None))


def _left_behind(component: Component, first: int, now_ms: int, *, keep_newer: bool) -> tuple[Record, ...]:
    """The records after a rollback that leaves those from position `first` on behind."""
    if not keep_newer:
        return component.records[:first]
    newer = (
        replace(record, status=ROLLED_BACK, end_ms=now_ms if record.end_ms is None else record.end_ms)
        for record in component.records[first:]
    )
    return (*component.records[:first], *newer)
