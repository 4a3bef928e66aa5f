"""Creating, deploying and deleting a component: when it is allowed, and what it starts.

Owns sections 3.2, 4.6, 5.3 and 13.7 as far as they speak of components. Pure, like actions.py: the clock's reading
and new ids come in, components and jobs go out. Must not end operations (world.py) or touch storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from statetool.sandbox.configuration import Configuration
from statetool.sandbox.errors import conflict, invalid, used_version
from statetool.sandbox.gray import started
from statetool.sandbox.model import Component, Gray, Job, Operation, Record
from statetool.sandbox.switches import Switches
from statetool.sandbox.world import advance

_SERVING = frozenset({"RUNNING", "PENDING"})
_REDEPLOYABLE = _SERVING | {"FAILED", "PARTIALLY_FAILED"}
_NOT_DELETABLE = frozenset(
    {"INITIALIZING", "UPGRADING", "SCALING", "DELETING", "STARTING", "STOPPING", "RESTARTING", "GRAYING"}
)
_GRAY_STACKS = frozenset({"Java", "Tomcat", "Docker"})


def create(
    wanted: Configuration, identity: str, application_id: str, now_ms: int, job_id: str, switches: Switches
) -> tuple[Component, Job]:
    """A new component, INITIALIZING until its job ends."""
    end_ms = now_ms + round(switches.job_seconds * 1000)
    config = wanted.text({})
    record = Record(
        wanted.version, wanted.deploy_type, now_ms, None, "RUNNING", wanted.replica, (job_id,), config=config
    )
    component = Component(
        id=identity,
        name=wanted.name,
        application_id=application_id,
        environment_id=wanted.environment_id,
        platform_type=wanted.platform_type,
        replica=wanted.replica,
        actual=0,
        available=0,
        status="INITIALIZING",
        used=0,
        records=(record,),
        last_job_id=job_id,
        create_ms=now_ms,
        update_ms=now_ms,
    )
    operation = _operation(component, "create", "INITIALIZING", job_id, now_ms, end_ms, now_ms)
    return replace(component, operation=operation), Job(job_id, identity, "create", now_ms, end_ms)


def deploy(
    component: Component,
    wanted: Configuration,
    before: Mapping[str, Any],
    now_ms: int,
    job_id: str,
    switches: Switches,
) -> tuple[Component, Job]:
    """Start a deployment by PUT: the component with its new record and the operation, and the job.

    `before` is the configuration in use. Raises Refusal 400 or 409; then nothing is started. A failed deployment's
    record gives way to the next one (SIM); a failed gray release has to be rolled back first (section 4.5).
    """
    component = advance(component, now_ms)
    if wanted.name != component.name:
        raise invalid("name can't be changed")
    stack = before.get("runtime_stack", {})
    if any(stack.get(key, value) != value for key, value in wanted.runtime_stack.items()):
        raise invalid("runtime_stack can't be changed")
    replica = wanted.replica if switches.put_replica == "honoured" else component.replica
    if component.on_virtual_machines and replica < 1:
        raise invalid("a virtual machine component keeps at least one instance")
    gray = _gray(component, wanted, replica)
    _ensure_deployable(component, gray is not None, switches)
    failed = component.candidate
    records = component.records[:-1] if failed else component.records
    used = any(record.version == wanted.version for record in records)
    if used and switches.version_reuse == "refused":
        raise used_version(wanted.version)
    kept = {key: value for key, value in before.items() if key != "deploy_strategy"}
    config = wanted.text(kept if switches.put_omitted == "keep" else {})
    record = Record(wanted.version, wanted.deploy_type, now_ms, None, "RUNNING", replica, (job_id,), gray, config)
    end_ms = now_ms + round(switches.job_seconds * 1000)
    operation = _operation(component, "deploy", "UPGRADING", job_id, now_ms, end_ms, now_ms + switches.stale_ms)
    job = Job(job_id, component.id, "deploy_gray" if gray else "deploy", now_ms, end_ms, component.fail_next)
    return replace(
        component,
        records=(*records, record),
        operation=replace(operation, replica=replica, replaced=failed),
        replica=replica,
        fail_next=None,
        last_job_id=job_id,
        update_ms=now_ms,
    ), job


def delete(component: Component, now_ms: int, switches: Switches) -> Component:
    """Start a deletion, which has no job of its own [TF]: DELETING, then gone. Raises Refusal 409 (section 4.6)."""
    component = advance(component, now_ms)
    if component.operation is not None:
        raise conflict("the component is busy: a job is running", switches.busy)
    if component.status in _NOT_DELETABLE:
        raise conflict(f"a component can't be deleted in status {component.status}", switches.busy)
    end_ms = now_ms + round(switches.job_seconds * 1000)
    visible_ms = now_ms + switches.stale_ms
    operation = _operation(component, "delete", "DELETING", component.last_job_id, now_ms, end_ms, visible_ms)
    gone_ms = end_ms if component.fail_next is None else None
    return replace(component, operation=operation, gone_ms=gone_ms, fail_next=None, update_ms=now_ms)


def gray_obstacle(component: Component, runtime_type: str) -> str | None:
    """Why a gray release could not be started now, or None (section 5.3, for check_gray_release)."""
    if component.on_virtual_machines:
        return "gray release is not supported on virtual machines"
    if component.replica < 2:
        return "gray release needs at least 2 instances"
    if runtime_type not in _GRAY_STACKS:
        return f"gray release is not supported for runtime {runtime_type}"
    if component.operation is not None or component.status not in _SERVING:
        return f"gray release can't be started in status {component.status}"
    return None


def _gray(component: Component, wanted: Configuration, replica: int) -> Gray | None:
    if wanted.deploy_type != "GrayRelease":
        return None
    if component.on_virtual_machines:
        raise invalid("gray release is not supported on virtual machines")
    return started(wanted.strategy.get("gray_release"), replica)


def _ensure_deployable(component: Component, by_gray: bool, switches: Switches) -> None:
    if component.operation is not None:
        raise conflict("the component is busy: a job is running", switches.busy)
    if component.status not in (_SERVING if by_gray else _REDEPLOYABLE):
        raise conflict(f"a deployment of this kind is not allowed in status {component.status}", switches.busy)
    if component.candidate is not None and component.candidate.gray is not None:
        raise conflict("a gray release has failed: roll it back first", switches.busy)


def _operation(
    component: Component, effect: str, status_during: str, job_id: str, start_ms: int, end_ms: int, visible_ms: int
) -> Operation:
    return Operation(
        effect=effect,
        job_id=job_id,
        start_ms=start_ms,
        visible_ms=visible_ms,
        end_ms=end_ms,
        status_before=component.status,
        status_during=status_during,
        replica=component.replica,
        replica_before=component.replica,
        failure=component.fail_next,
    )
