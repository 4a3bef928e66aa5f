"""Requests that change components, and what components can be made of.

Owns rows 14, 16 to 19, 21 and 23 of section 2. Must not know paths, or judge what it is asked (actions.py, deploy.py).
"""

from __future__ import annotations

import uuid

from statetool.sandbox import views
from statetool.sandbox.actions import CHECK, SHORT_JOB_SHARE, ActionRequest, accept, parse_action
from statetool.sandbox.call import (
    Body,
    Call,
    find_application,
    find_component,
    find_environment,
    parsed,
    see_component,
)
from statetool.sandbox.configuration import ensure_objects, parse_configuration, without_nulls
from statetool.sandbox.deploy import create, delete, deploy, gray_obstacle
from statetool.sandbox.errors import invalid, taken_name, unknown_action
from statetool.sandbox.model import Component, Job

# Of these no source says whether their answers have a job_id (U9).
_PERHAPS_WITHOUT_JOB = frozenset({"sync_workload", "modify_gray_rule", CHECK})


def create_component(call: Call, application_id: str) -> Body:
    """POST components: the component's id and the job's."""
    application = find_application(call, application_id)
    wanted = parse_configuration(parsed(call.body), creating=True)
    environment = find_environment(call, wanted.environment_id)
    if call.tables.is_component(application.id, environment.id, wanted.name, call.now_ms):
        raise taken_name("component", wanted.name)
    component, job = create(wanted, str(uuid.uuid4()), application.id, call.now_ms, _job_id(), call.switches)
    call.tables.add_component(component)
    call.tables.add_job(job)
    return {"component_id": component.id, "job_id": job.id}


def modify_component(call: Call, application_id: str, component_id: str) -> Body:
    """PUT a component, which deploys it: the job's id."""
    component = find_component(call, application_id, component_id)
    wanted = parse_configuration(parsed(call.body), creating=False)
    before = views.configuration(component, component.in_use)
    component, job = deploy(component, wanted, before, call.now_ms, _job_id(), call.switches)
    call.tables.put_component(component)
    call.tables.add_job(job)
    return {"job_id": job.id}


def delete_component(call: Call, application_id: str, component_id: str) -> Body:
    """DELETE a component: its id and no job; it reads as DELETING until it is gone [TF]."""
    component = find_component(call, application_id, component_id)
    call.tables.put_component(delete(component, call.now_ms, call.switches))
    return {"component_id": component.id}


def act_on_component(call: Call, application_id: str, component_id: str) -> Body:
    """POST an action; the switches action_body and job_ids say what the answer has (sections 4.2 and 13.8)."""
    request = parse_action(parsed(call.body))
    component = find_component(call, application_id, component_id)
    if request.verb == CHECK:
        return _checked(call, component)
    component, job = accept(component, request, call.now_ms, _job_id(), call.switches)
    call.tables.put_component(component)
    call.tables.add_job(job)
    answer = _job_id_in_answer(call, request.verb, job)
    if call.switches.action_body != "new":
        answer["result"] = "succeeded"
    if call.switches.action_body != "old":
        answer["component_id"] = component.id
    return answer


def act_on_components(call: Call) -> Body:
    """POST an action for components of any application [06_0316]: query or sync_workload.

    Of the answer only laneId is known. SIM: it goes on with each component's status, and the job of a sync; all
    syncs are started, or none.
    """
    body = without_nulls(parsed(call.body))
    verb, components = body.get("action"), body.get("components")
    if not isinstance(verb, str):
        raise invalid("action is required and must be a text")
    if verb not in {"query", "sync_workload"}:
        raise unknown_action(verb)
    if not isinstance(components, list) or not components:
        raise invalid("components must be a list with at least one component")
    ensure_objects({"components": components}, "components", "id", "application_id")
    pairs = dict.fromkeys((entry["application_id"], entry["id"]) for entry in components)
    if verb == "query":
        return {"laneId": "", "components": [_brief(see_component(call, *pair)) for pair in pairs]}
    request = ActionRequest("sync_workload", {})
    found = [find_component(call, *pair) for pair in pairs]
    started = [accept(component, request, call.now_ms, _job_id(), call.switches) for component in found]
    for component, job in started:
        call.tables.put_component(component)
        call.tables.add_job(job)
    answers = [{**_brief(component), **_job_id_in_answer(call, verb, job)} for component, job in started]
    return {"laneId": "", "components": answers}


def refresh_component(call: Call, application_id: str, component_id: str) -> Body:
    """PUT refresh [06_0184]. What it answers is unknown (SIM: nothing); the sandbox's numbers are fresh anyhow."""
    find_component(call, application_id, component_id)
    return {}


def list_runtime_stacks(call: Call) -> Body:
    """GET the runtime stacks, under the key of the SDK and that of the terraform provider."""
    stacks = views.runtime_stacks()
    return {"runtimestacks": stacks, "runtime_stacks": stacks}


def _checked(call: Call, component: Component) -> Body:
    """Whether a gray release could be started: in `result` and in a job of its own, which occupies nobody (SIM)."""
    stack = views.configuration(component, component.in_use)["runtime_stack"]
    obstacle = gray_obstacle(component, stack["type"])
    end_ms = call.now_ms + round(call.switches.job_seconds * 1000 * SHORT_JOB_SHARE)
    job = Job(_job_id(), component.id, CHECK, call.now_ms, end_ms, obstacle)
    call.tables.add_job(job)
    answer = {**_job_id_in_answer(call, CHECK, job), "result": "failed" if obstacle else "succeeded"}
    return answer if call.switches.action_body == "old" else {**answer, "component_id": component.id}


def _job_id_in_answer(call: Call, verb: str, job: Job) -> Body:
    """The field job_id, or nothing where the switch job_ids leaves it out."""
    wanted = {"all": True, "some": verb not in _PERHAPS_WITHOUT_JOB, "none": False}[call.switches.job_ids]
    return {"job_id": job.id} if wanted else {}


def _brief(component: Component) -> Body:
    identity = {"id": component.id, "application_id": component.application_id}
    return {**identity, "component_status": component.status}


def _job_id() -> str:
    return f"JOB{uuid.uuid4()}"
