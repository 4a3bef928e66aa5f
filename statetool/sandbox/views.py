"""What the API shows: worlds as JSON bodies.

Owns every field name and format of the answers (sections 3, 5, 6, 7 and 8 of the reference). Must not decide
anything: no rule of the world, no paging, no errors.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from statetool.sandbox.model import Component, Gray, Job, Named, Record
from statetool.sandbox.switches import Switches

CREATOR = "sandbox"
_GRAY_JOB = "deploy_gray"
_TASKS = {
    "rollback": ("SEPARATOR_PREPARE_RESOURCES", "ROLL_BACK", "SWITCH_TRAFFIC", "CHECK_INSTANCES"),
    "rollback_current": ("SEPARATOR_PREPARE_RESOURCES", "ROLL_BACK", "SWITCH_TRAFFIC", "CHECK_INSTANCES"),
    "continue_deploy": ("SEPARATOR_PREPARE_RESOURCES", "REPLACE_INSTANCES", "SWITCH_TRAFFIC", "CHECK_INSTANCES"),
    "modify_gray_rule": ("SEPARATOR_PREPARE_RESOURCES", "SWITCH_TRAFFIC"),
}
_OTHER_TASKS = ("SEPARATOR_PREPARE_RESOURCES", "CHANGE_INSTANCES", "CHECK_INSTANCES")
_UPPER_TASK = {"update_at": "LAST_HEALTH_CHECK", "name": "TASK_NAME", "status": "TASK_STATUS",
               "type": "TASK_TYPE", "index": "TASK_INDEX"}  # fmt: skip


def instant(at_ms: int) -> str:
    """An instant as jobs show it: ISO 8601, milliseconds, Z [06_0190]."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def application_body(application: Named, components: int, project_id: str) -> dict[str, Any]:
    """An application [SDK]; times in epoch milliseconds [TF]."""
    return {
        "id": application.id,
        "name": application.name,
        "component_count": components,
        "creator": CREATOR,
        "project_id": project_id,
        "enterprise_project_id": "0",
        "create_time": application.create_ms,
        "update_time": application.update_ms,
        "description": "",
        "labels": [],
        "unified_model": None,
    }


def environment_body(environment: Named, project_id: str) -> dict[str, Any]:
    """An environment [SDK]."""
    return {
        "id": environment.id,
        "name": environment.name,
        "description": "",
        "deploy_mode": "mixed",
        "vpc_id": str(uuid.uuid5(uuid.UUID(environment.id), "vpc")),
        "creator": CREATOR,
        "project_id": project_id,
        "enterprise_project_id": "0",
        "create_time": environment.create_ms,
        "update_time": environment.update_ms,
        "labels": [],
    }


def shown_version(component: Component, switches: Switches) -> str:
    """The version of row and detail; during a gray release by the switch graying_shows (U16)."""
    candidate = component.candidate
    return candidate.version if candidate and switches.graying_shows == "candidate" else component.current


def component_row(component: Component, application: str, environment: str, switches: Switches) -> dict[str, Any]:
    """An item of a component list [SDK, TF]: ids and names, and no top-level replica."""
    version = shown_version(component, switches)
    return {
        "id": component.id,
        "name": component.name,
        "labels": [],
        "runtime_stack": _runtime_stack(component),
        "status": _status(component, version),
        "environment_id": component.environment_id,
        "environment_name": environment,
        "application_id": component.application_id,
        "application_name": application,
        "creator": CREATOR,
        "source": _source(component, version),
        "version": version,
        "platform_type": component.platform_type,
        "external_accesses": [],
    }


def component_detail(component: Component, version: str, replica: int, strategy: Record) -> dict[str, Any]:
    """One component [SDK, 06_0081]: its configuration, two ids of others, no id of its own, no names of others.

    `version` and `replica` are shown as the configured ones, `strategy` is the deployment whose strategy is shown.
    """
    return {
        "name": component.name,
        "description": "",
        "labels": [],
        "runtime_stack": _runtime_stack(component),
        "source": _source(component, version),
        "application_id": component.application_id,
        "environment_id": component.environment_id,
        "replica": replica,
        "version": version,
        "limit_cpu": 0.5,
        "request_cpu": 0.25,
        "limit_memory": 1.0,
        "request_memory": 0.5,
        "refer_resources": _resources(component),
        # The platform adds entries of its own, marked inner [TF]; a client must not send them back.
        "envs": [
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "CAS_COMPONENT_NAME", "value": component.name, "inner": True},
        ],
        "storages": [],
        "deploy_strategy": _deploy_strategy(strategy),
        "external_accesses": [],
        "status": _status(component, version),
    }


def record_body(component: Component, record: Record) -> dict[str, Any]:
    """A deployment record [06_0083, SDK]. SIM: times are ISO texts, a release still open has no end."""
    return {
        "begin_time": instant(record.begin_ms),
        "end_time": None if record.end_ms is None else instant(record.end_ms),
        "description": {},
        "instance_id": component.id,
        "version": record.version,
        "current_used": record.version == component.current,
        "status": record.status,
        "deploy_type": record.deploy_type,
        "jobs": [
            {
                "sequence": sequence,
                "deploy_type": record.deploy_type,
                "job_id": job_id,
                "job_info": _job_info(component, record),
            }
            for sequence, job_id in enumerate(record.job_ids, start=1)
        ],
    }


def job_status(job: Job, component: Component, now_ms: int, switches: Switches) -> str:
    """The execution_status at this time: SUBMITTED for the first tenth, RUNNING, then SUCCEEDED or FAILED."""
    if job.verb == _GRAY_JOB and switches.gray_job == "running" and component.status == "GRAYING":
        candidate = component.candidate
        if candidate is not None and job.id in candidate.job_ids:
            return "RUNNING"
    if now_ms >= job.end_ms:
        return "SUCCEEDED" if job.failure is None else "FAILED"
    return "SUBMITTED" if (now_ms - job.start_ms) * 10 < job.end_ms - job.start_ms else "RUNNING"


def job_bodies(
    job: Job, status: str, now_ms: int, project_id: str, switches: Switches
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The job and all its tasks [06_0190, SDK, TF]; the switch job_case picks the generation of field names."""
    body: dict[str, Any] = {"job_id": job.id, "execution_status": status, "job_type": "DAILY_OPERATION"}
    tasks = _tasks(job, status, now_ms)
    if switches.job_case == "lower":
        return {**body, "rollback_enabled": False}, tasks
    upper = {key.upper(): value for key, value in body.items()}
    upper |= {"PROJECT_ID": project_id, "SERVICE_INSTANCE_ID": job.component_id, "JOB_NAME": job.verb}
    return upper, [{_UPPER_TASK.get(key, key.upper()): value for key, value in task.items()} for task in tasks]


def _tasks(job: Job, status: str, now_ms: int) -> list[dict[str, Any]]:
    names = _TASKS.get(job.verb, _OTHER_TASKS)
    at = 0 if status == "SUBMITTED" else 1  # the task the job stands at
    bodies = []
    for index, name in enumerate(names):
        if status == "SUCCEEDED" or index < at:
            own = "SUCCEEDED"
        elif index == at:
            own = status
        else:
            own = "SKIPPED" if status == "FAILED" else "SUBMITTED"
        failed = own == "FAILED" and job.failure is not None
        bodies.append(
            {
                "task_id": f"Task-{uuid.uuid5(uuid.NAMESPACE_URL, f'{job.id}/{index}')}",
                "name": name,
                "status": own,
                "type": "echo" if index == 0 else "kube",
                "index": index,
                "messages": job.failure if failed else "{}",
                "created_at": instant(job.start_ms),
                "update_at": instant(max(job.start_ms, min(now_ms, job.end_ms))),
            }
        )
    return bodies


def _runtime_stack(component: Component) -> dict[str, Any]:
    if component.on_virtual_machines:
        return {"name": "OpenJDK17", "type": "Java", "version": "1.1.0", "deploy_mode": "virtualmachine"}
    return {"name": "Docker", "type": "Docker", "version": "1.0", "deploy_mode": "container"}


def _artifact_url(component: Component, version: str) -> str:
    if component.on_virtual_machines:
        return f"obs://sandbox/{component.name}:{version}"
    return f"registry.sandbox.example/sandbox/{component.name}:{version}"


def _source(component: Component, version: str) -> dict[str, Any]:
    machines = component.on_virtual_machines
    return {
        "kind": "package" if machines else "image",
        "url": _artifact_url(component, version),
        "version": version,
        "storage": "obs" if machines else "swr",
        "auth": "iam",
    }


def _resources(component: Component) -> list[dict[str, Any]]:
    kind = component.platform_type
    reference = str(uuid.uuid5(uuid.UUID(component.environment_id), kind))
    resource: dict[str, Any] = {"id": reference, "type": kind}
    return [resource if component.on_virtual_machines else {**resource, "parameters": {"namespace": "default"}}]


def _status(component: Component, version: str) -> dict[str, Any]:
    return {
        "component_status": component.status,
        "available_replica": component.available,
        "replica": component.actual,
        "fail_detail": None,
        "last_job_id": component.last_job_id,
        "creator": CREATOR,
        "create_time": component.create_ms,
        "update_time": component.update_ms,
        "enterprise_project_id": "0",
        "artifact": {
            "type": "package" if component.on_virtual_machines else "image",
            "url": _artifact_url(component, version),
        },
    }


def _deploy_strategy(record: Record) -> dict[str, Any]:
    """The strategy of a deployment (section 5.1). A promoted gray release goes on showing how it was deployed."""
    if record.gray is None:
        return {"type": record.deploy_type}
    return {"type": record.deploy_type, "gray_release": _gray_release(record.gray)}


def _gray_release(gray: Gray) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": gray.kind,
        "deployment_mode": 1,
        "replica_surge_mode": gray.mode,
        "first_batch_replica": gray.first_batch_replica,
        "remaining_batch": gray.remaining_batch,
    }
    if gray.kind == "WEIGHT":
        return {**body, "first_batch_weight": gray.weight}
    rules = [{"type": r.type, "key": r.key, "value": r.value, "condition": r.condition} for r in gray.rules]
    return {**body, "rule_match_mode": gray.match, "rules": rules}


def _job_info(component: Component, record: Record) -> dict[str, Any]:
    body: dict[str, Any] = {
        "deploy_type": record.deploy_type,
        "source_url": _artifact_url(component, record.version),
        "replica": record.replica,
    }
    if record.gray is not None:
        body["first_batch_replica"] = record.gray.first_batch_replica
        body["remaining_batch"] = record.gray.remaining_batch
        if record.gray.weight is not None:
            body["first_batch_weight"] = record.gray.weight
    return body
