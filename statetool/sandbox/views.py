"""What the API shows: worlds as JSON bodies.

Owns every field name and format of the answers (sections 3, 5, 6, 7 and 8 of the reference). Must not decide
anything: no rule of the world, no paging, no errors.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from statetool.sandbox import looks
from statetool.sandbox.gray import normalised
from statetool.sandbox.model import Component, Gray, Job, Named, Record
from statetool.sandbox.switches import Switches

CREATOR = "sandbox"
_SHOWN = frozenset({"description", "enterprise_project_id", "labels", "vpc_id", "deploy_mode"})
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


def runtime_stacks() -> list[dict[str, Any]]:
    """What components can run on [SDK, TF]; the names are examples."""
    rows = (
        ("Docker", "Docker", "1.0", "container", "Supported"),
        ("OpenJDK8", "Java", "1.1.0", "container", "Deprecated"),
        ("OpenJDK17", "Java", "1.1.0", "container", "Supported"),
        ("OpenJDK17", "Java", "1.1.0", "virtualmachine", "Supported"),
        ("Tomcat9", "Tomcat", "1.0.0", "container", "Supported"),
        ("Nodejs16", "Nodejs", "1.0.0", "container", "Supported"),
        ("Php7", "Php", "1.0.0", "container", "Supported"),
        ("Python3", "Python", "1.0.0", "container", "Supported"),
    )
    keys = ("name", "type", "version", "deploy_mode", "status")
    stacks = [dict(zip(keys, row, strict=True)) for row in rows]
    named = uuid.NAMESPACE_OID
    return [{**stack, "id": str(uuid.uuid5(named, "/".join(stack.values()))), "url": ""} for stack in stacks]


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
        "create_time": application.create_ms,
        "update_time": application.update_ms,
        "unified_model": None,
        **_said(application),
    }


def environment_body(environment: Named, project_id: str) -> dict[str, Any]:
    """An environment [SDK]."""
    return {
        "id": environment.id,
        "name": environment.name,
        "deploy_mode": "mixed",
        "vpc_id": str(uuid.uuid5(uuid.UUID(environment.id), "vpc")),
        "creator": CREATOR,
        "project_id": project_id,
        "create_time": environment.create_ms,
        "update_time": environment.update_ms,
        **_said(environment),
    }


def _said(thing: Named) -> dict[str, Any]:
    """What was said about an application or environment when it was made or changed."""
    shown = {key: value for key, value in json.loads(thing.body).items() if key in _SHOWN}
    return {"description": "", "enterprise_project_id": "0", "labels": [], **shown}


def environment_resources(environment: Named) -> list[dict[str, Any]]:
    """What an environment consists of [SDK]."""
    return list(json.loads(environment.body).get("resources", []))


def application_configurations(application: Named) -> list[dict[str, Any]]:
    """The variables of an application by environment [SDK]."""
    return [
        {"application_id": application.id, "environment_id": place, "configuration": values}
        for place, values in json.loads(application.body).get("configuration", {}).items()
    ]


def shown_record(component: Component, switches: Switches) -> Record:
    """The record whose version row and detail show; during a gray release by the switch graying_shows (U16)."""
    candidate = component.candidate
    return candidate if candidate and switches.graying_shows == "candidate" else component.in_use


def component_row(component: Component, application: str, environment: str, switches: Switches) -> dict[str, Any]:
    """An item of a component list [SDK, TF]: ids and names, and no top-level replica."""
    record = shown_record(component, switches)
    config = configuration(component, record)
    return {
        "id": component.id,
        "name": component.name,
        "labels": config["labels"],
        "runtime_stack": config["runtime_stack"],
        "status": _status(component, config),
        "environment_id": component.environment_id,
        "environment_name": environment,
        "application_id": component.application_id,
        "application_name": application,
        "creator": CREATOR,
        "source": config["source"],
        "version": record.version,
        "platform_type": component.platform_type,
        "external_accesses": config["external_accesses"],
    }


def component_detail(
    component: Component, record: Record, replica: int, strategy: Record, switches: Switches
) -> dict[str, Any]:
    """One component [SDK, 06_0081]: its configuration, two ids of others, no id of its own, no names of others.

    Version and configuration are those of `record`, `replica` is shown as the configured number, `strategy` is the
    deployment whose strategy is shown.
    """
    config = configuration(component, record)
    # The platform adds entries of its own, marked inner [TF]; a client must not send them back.
    inner = {"name": "CAS_COMPONENT_NAME", "value": component.name, "inner": True}
    return {
        **config,
        "application_id": component.application_id,
        "environment_id": component.environment_id,
        "replica": replica,
        "version": record.version,
        "envs": [*config["envs"], inner],
        "deploy_strategy": _deploy_strategy(strategy, switches.gray_case),
        "status": _status(component, config),
    }


def configuration(component: Component, record: Record) -> dict[str, Any]:
    """The configuration of a record: as it was deployed, or for a seeded one what follows from its names."""
    common: dict[str, Any] = {"description": "", "labels": [], "envs": [], "storages": [], "external_accesses": []}
    if record.config is not None:
        return {**common, **json.loads(record.config)}
    seeded = looks.configuration(component.name, component.platform_type, component.environment_id, record.version)
    return {**common, **seeded}


def record_body(component: Component, record: Record) -> dict[str, Any]:
    """A deployment record [06_0083, SDK]. SIM: times are ISO texts, a release still open has no end."""
    return {
        "begin_time": instant(record.begin_ms),
        "end_time": None if record.end_ms is None else instant(record.end_ms),
        "description": {},
        "instance_id": component.id,
        "version": record.version,
        "current_used": record is component.in_use,
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


def job_status(job: Job, component: Component | None, now_ms: int, switches: Switches) -> str:
    """The execution_status at this time: SUBMITTED for the first tenth, RUNNING, then SUCCEEDED or FAILED.

    A fault may have given the job other words.
    """
    if now_ms >= job.end_ms:
        if job.verb == _GRAY_JOB and switches.gray_job == "running" and _is_open(job, component):
            return "RUNNING"
        return job.status_after or ("SUCCEEDED" if job.failure is None else "FAILED")
    if job.status_during is not None:
        return job.status_during
    return "SUBMITTED" if (now_ms - job.start_ms) * 10 < job.end_ms - job.start_ms else "RUNNING"


def _is_open(job: Job, component: Component | None) -> bool:
    """Whether the gray release that a job began has neither ended nor failed."""
    candidate = component.candidate if component else None
    return candidate is not None and candidate.status == "RUNNING" and job.id in candidate.job_ids


def job_bodies(
    job: Job, status: str, now_ms: int, project_id: str, switches: Switches
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The job and all its tasks [06_0190, SDK, TF]; the switch job_case picks the generation of field names."""
    body: dict[str, Any] = {"job_id": job.id, "execution_status": status}
    body["job_type"] = "PROVISION" if job.verb == "create" else "DAILY_OPERATION"
    tasks = _tasks(job, status, now_ms)
    if switches.job_case == "lower":
        # The SDK reads task_name, task_status and task_type where the documents write name, status and type.
        named = [{**task, **{f"task_{key}": task[key] for key in ("name", "status", "type")}} for task in tasks]
        return {**body, "rollback_enabled": False}, named
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
        failed = index == at and now_ms >= job.end_ms and job.failure is not None
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


def _status(component: Component, config: Mapping[str, Any]) -> dict[str, Any]:
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
            "url": _url(config),
        },
    }


def _url(config: Mapping[str, Any]) -> str:
    """Where the artifact is: source code is built out of its repository."""
    return str(config["source"].get("url") or config["source"].get("repo_url", ""))


def _deploy_strategy(record: Record, gray_case: str) -> dict[str, Any]:
    """The strategy of a deployment (section 5.1). A promoted gray release goes on showing how it was deployed.

    Its words come back in the case they were sent in until something else replaces them (section 13.7), unless the
    switch gray_case wants one spelling whatever was sent (section 5.2).
    """
    sent = json.loads(record.config).get("deploy_strategy", {}) if record.config else {}
    if record.gray is None:
        return sent if sent.get("type") == record.deploy_type else {"type": record.deploy_type}
    shown = _gray_release(record.gray)
    if gray_case == "lower":
        return {"type": record.deploy_type, "gray_release": {**shown, **_in_small_letters(record.gray)}}
    if gray_case == "upper":
        return {"type": record.deploy_type, "gray_release": shown}
    for key, word in sent.get("gray_release", {}).items():
        if isinstance(word, str) and normalised(word) == normalised(str(shown.get(key, ""))):
            shown[key] = word
    return {"type": record.deploy_type, "gray_release": shown}


def _in_small_letters(gray: Gray) -> dict[str, str]:
    """The enums of a gray release as older documents spell them."""
    mode = "no_surge" if gray.mode == "NOSURGE" else gray.mode.lower()
    return {"type": gray.kind.lower(), "replica_surge_mode": mode}


def _gray_release(gray: Gray) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": gray.kind,
        "deployment_mode": gray.deployment_mode,
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
        "source_url": _url(configuration(component, record)),
        "replica": record.replica,
    }
    if record.gray is not None:
        body["first_batch_replica"] = record.gray.first_batch_replica
        body["remaining_batch"] = record.gray.remaining_batch
        if record.gray.weight is not None:
            body["first_batch_weight"] = record.gray.weight
    return body
