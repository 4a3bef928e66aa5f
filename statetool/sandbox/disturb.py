"""Changes behind the tool's back: what an autoscaler, a failing node or a colleague in the console would do.

Owns what may be disturbed and what that does to one component, at once and without the API. Pure. Must not find
components (facade.py) or store them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from statetool.sandbox.configuration import LARGEST_REPLICA
from statetool.sandbox.errors import SandboxError
from statetool.sandbox.gray import is_weight
from statetool.sandbox.model import Component, Job, is_status
from statetool.sandbox.world import aborted, advance, promoted, surged, with_newest_record

_ENDS = ("rollback", "promote")
_NOT_WHILE_GRAY = frozenset({"RUNNING", "PENDING", "STOPPED"})
_NO_INSTANCE_HEALTHY = frozenset({"STOPPED", "DOWN"})


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What to change; None leaves it alone.

    replicas            configured and actual number of instances, as an autoscaler sets it
    available_replicas  so many instances are healthy, and no more become so until a restart, a start or a change
                        of version (scaling alone does not heal)
    status              any word in capitals, also one no documentation knows
    weight              percentage of the open gray release
    end_gray            "rollback" or "promote": the gray release is over
    fail_next_job       message: the job of the next accepted action ends FAILED with it
    """

    replicas: int | None = None
    available_replicas: int | None = None
    status: str | None = None
    weight: int | None = None
    end_gray: str | None = None
    fail_next_job: str | None = None

    def __post_init__(self) -> None:
        """Raise SandboxError where a value makes no sense, whoever sent it."""
        if all(getattr(self, field.name) is None for field in fields(self)):
            raise SandboxError("nothing to disturb: name at least one change")
        for name in ("replicas", "available_replicas"):
            if not _is_count(getattr(self, name)):
                raise SandboxError(f"{name} must be a whole number, 0 or more")
        if self.weight is not None and not is_weight(self.weight):
            raise SandboxError("weight must be a whole number from 0 to 100")
        if self.status is not None and not (isinstance(self.status, str) and is_status(self.status)):
            raise SandboxError("status must be a word in capitals, such as STOPPED")
        if self.end_gray is not None and self.end_gray not in _ENDS:
            raise SandboxError(f"end_gray must be one of {', '.join(_ENDS)}")
        if self.fail_next_job is not None and not (isinstance(self.fail_next_job, str) and self.fail_next_job):
            raise SandboxError("fail_next_job must be a message that is not empty")


def ensure_known(values: dict[str, Any]) -> None:
    """Raise SandboxError where a disturbance out of JSON has a name that does not exist."""
    names = {field.name for field in fields(Disturbance)}
    for name in values:
        if name not in names:
            raise SandboxError(f"unknown disturbance {name!r}; known: {', '.join(sorted(names))}")


def disturbed(
    component: Component, change: Disturbance, now_ms: int, job_id: str, *, keep_newer: bool
) -> tuple[Component, Job | None]:
    """The component after the change, and the job of an ended gray release.

    `keep_newer`: the record of a gray release that is rolled back is kept (switch newer_records).
    Raises SandboxError where the change is impossible here: a weight without a gray release, and anything but
    instance counts and failures while a job runs (its end would overwrite the change).
    """
    component = advance(component, now_ms)
    wants_rest = change.status is not None or change.weight is not None or change.end_gray is not None
    if component.operation is not None and wants_rest:
        raise SandboxError("a job is running on the component: wait for its end")
    job = None
    if change.fail_next_job is not None:
        # Arming a failure is invisible, so it must not look like a change.
        component = replace(component, fail_next=change.fail_next_job)
        if change == Disturbance(fail_next_job=change.fail_next_job):
            return component, None
    if change.weight is not None:
        component = _reweighted(component, change.weight)
    if change.end_gray is not None:
        component, job = _gray_ended(component, change.end_gray, now_ms, job_id, keep_newer=keep_newer)
    if change.replicas is not None:
        component = _resized(component, change.replicas)
    if change.status is not None:
        component = _renamed(component, change.status)
    if change.available_replicas is not None:
        component = _limited(component, change.available_replicas, keep_status=change.status is not None)
    if component.operation is not None:  # the change is there at once, so reading can't lag behind it
        shown_ms = min(now_ms, component.operation.visible_ms)
        component = replace(component, operation=replace(component.operation, visible_ms=shown_ms))
    return replace(component, update_ms=max(now_ms, component.update_ms)), job


def _is_count(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_REPLICA


def _reweighted(component: Component, weight: int) -> Component:
    candidate = component.candidate
    if candidate is None or candidate.gray is None or candidate.gray.weight is None:
        raise SandboxError("weight: no gray release with a weight is open on the component")
    return with_newest_record(component, replace(candidate, gray=replace(candidate.gray, weight=weight)))


def _gray_ended(component: Component, how: str, now_ms: int, job_id: str, *, keep_newer: bool) -> tuple[Component, Job]:
    candidate = component.candidate
    if candidate is None:
        raise SandboxError("end_gray: no gray release is open on the component")
    if how == "rollback":
        ended, verb = aborted(component, now_ms, keep_newer=keep_newer), "rollback"
    else:
        phases = replace(candidate, job_ids=(*candidate.job_ids, job_id))
        ended, verb = promoted(with_newest_record(component, phases), now_ms), "continue_deploy"
    return replace(ended, last_job_id=job_id), Job(job_id, component.id, verb, now_ms, now_ms)


def _resized(component: Component, replicas: int) -> Component:
    candidate = component.candidate
    actual = surged(replicas, candidate.gray if candidate else None)
    healthy = actual if component.ready_limit is None else min(actual, component.ready_limit)
    available = 0 if component.status in _NO_INSTANCE_HEALTHY else healthy
    return replace(component, replica=replicas, actual=actual, available=available)


def _renamed(component: Component, status: str) -> Component:
    graying = component.candidate is not None
    if status == "GRAYING" and not graying:
        raise SandboxError("status GRAYING: no gray release is open on the component")
    if graying and status in _NOT_WHILE_GRAY:
        raise SandboxError(f"status {status}: a gray release is open on the component, end it with end_gray")
    if status in _NO_INSTANCE_HEALTHY:
        return replace(component, status=status, available=0)
    if status == "RUNNING":
        return replace(component, status=status, available=component.actual, ready_limit=None)
    return replace(component, status=status)


def _limited(component: Component, available: int, *, keep_status: bool) -> Component:
    if available > component.actual:
        raise SandboxError(f"available_replicas: the component has {component.actual} instances")
    all_healthy = available == component.actual
    status = component.status
    if not keep_status and status in {"RUNNING", "PENDING"}:
        status = "RUNNING" if all_healthy else "PENDING"
    return replace(component, available=available, status=status, ready_limit=None if all_healthy else available)
