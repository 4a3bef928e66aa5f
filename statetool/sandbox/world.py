"""How one component moves through time: pure rules, no clock, no I/O.

Owns the end of every operation (`advance`) and the instance counts. Must not judge requests (actions.py) or shape
answers (views.py).
"""

from __future__ import annotations

from dataclasses import replace

from statetool.sandbox.model import Component, Gray, Operation, Record

VERSION_EFFECTS = frozenset({"deploy", "rollback", "abort", "promote", "next_batch"})
_CANDIDATE_EFFECTS = frozenset({"deploy", "promote", "next_batch"})


def surged(replica: int, gray: Gray | None) -> int:
    """Instances that exist while a gray release of this mode is open (section 5.4, INFERRED from the mode names)."""
    if gray is None or gray.mode == "NOSURGE":
        return replica
    return 2 * replica if gray.mode == "MIRROR" else replica + gray.first_batch_replica


def with_candidate_record(component: Component, record: Record) -> Component:
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
    component = with_candidate_record(component, candidate)
    return serving(replace(component, current=candidate.version, rolled_back=False, ready_limit=None))


def aborted(component: Component) -> Component:
    """The candidate is gone with its record, the stable version serves alone (section 5.4, step x).

    SIM: this counts as a rollback, so that another rollback right after it is refused.
    """
    return serving(replace(component, records=component.records[:-1], rolled_back=True, ready_limit=None))


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
    if operation.effect == "delete":
        return replace(component, status="FAILED")
    if operation.effect not in VERSION_EFFECTS:
        return component
    candidate = component.candidate
    if candidate is not None and operation.effect in _CANDIDATE_EFFECTS:
        component = with_candidate_record(component, replace(candidate, status="FAILED"))
    return replace(component, status="FAILED")


def _succeed(component: Component, operation: Operation) -> Component:
    match operation.effect:
        case "create":
            created = replace(component.records[-1], status="SUCCEEDED", end_ms=operation.end_ms)
            return serving(with_candidate_record(component, created))
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
            return aborted(component)
        case "promote":
            return promoted(component, operation.end_ms)
        case "next_batch" | "modify":
            return serving(with_candidate_record(component, replace(component.records[-1], gray=operation.gray)))
        case _:
            return serving(replace(component, ready_limit=None))


def _deployed(component: Component, operation: Operation) -> Component:
    """The new version serves, or its gray release has come to the pause (section 5.4, step 2)."""
    if component.records[-1].gray is None:
        return promoted(component, operation.end_ms)
    return serving(replace(component, ready_limit=None))


def _rolled_back(component: Component, operation: Operation) -> Component:
    """Versions newer than the target are dropped from the records [CodeArts note in section 4.5]."""
    target = next(i for i, record in enumerate(component.records) if record.version == operation.version)
    records = component.records[: target + 1]
    return serving(
        replace(
            component,
            records=records,
            current=records[-1].version,
            replica=operation.replica,
            rolled_back=True,
            ready_limit=None,
        )
    )
