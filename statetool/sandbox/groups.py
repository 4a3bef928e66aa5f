"""Requests about what components stand in: applications and environments.

Owns rows 1 to 11 of section 2, except the lists' paging (call.py) and how answers look (views.py). Must not know paths
or rules of components.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from statetool.sandbox import views
from statetool.sandbox.actions import ActionRequest, accept
from statetool.sandbox.call import Body, Call, find_application, find_component, find_environment, page, parsed
from statetool.sandbox.configuration import ensure_fields, ensure_objects, without_nulls
from statetool.sandbox.errors import conflict, invalid, missing, taken_name, unknown_action
from statetool.sandbox.model import Named
from statetool.sandbox.tables import Kind, Page

_POWER = frozenset({"start", "stop", "restart"})
_DEPLOY_MODES = frozenset({"container", "virtualmachine", "mixed"})
# SIM: which names the platform takes is not known. No control characters, no halves of characters.
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")
_ONE = Page(limit=1)
_MADE_WITH = {
    "application": ("name", "description", "enterprise_project_id"),
    "environment": ("name", "description", "enterprise_project_id", "vpc_id", "deploy_mode"),
}
_CHANGED_BY = {"application": _MADE_WITH["application"], "environment": ("name", "description")}


def list_applications(call: Call) -> Body:
    """GET applications."""
    wanted = page(call.query)
    count, found = call.tables.named_page("applications", wanted, {}) if call.mine else (0, [])
    return {"count": count, "applications": [_application(call, application) for application in found]}


def show_application(call: Call, application_id: str) -> Body:
    """GET an application."""
    return _application(call, find_application(call, application_id))


def create_application(call: Call) -> Body:
    """POST applications: {name, description, enterprise_project_id, labels}."""
    return _application(call, _made(call, "applications", "application"))


def modify_application(call: Call, application_id: str) -> Body:
    """PUT an application: what it can be made with; what is left out stays."""
    before = find_application(call, application_id)
    return _application(call, _modified(call, "applications", "application", before))


def delete_application(call: Call, application_id: str) -> Body:
    """DELETE an application. SIM: one that still has components is refused."""
    application = find_application(call, application_id)
    if call.tables.component_count("applications", application.id, call.now_ms):
        raise conflict("the application still has components")
    call.tables.delete_named("applications", application.id)
    return {}


def act_on_application(call: Call, application_id: str) -> Body:
    """POST an action for several components [06_0286]. SIM: all of them start it, or none."""
    find_application(call, application_id)
    body = without_nulls(parsed(call.body))
    verb, parameters = body.get("action"), body.get("parameters")
    if not isinstance(verb, str):
        raise invalid("action is required and must be a text")
    if verb not in _POWER:
        raise unknown_action(verb)
    components = parameters.get("components") if isinstance(parameters, Mapping) else None
    if not isinstance(components, list) or not components:
        raise invalid("parameters.components must be a list with at least one component")
    ensure_objects({"components": components}, "components", "id")
    started = [
        accept(
            find_component(call, application_id, identity),
            ActionRequest(verb, {}),
            call.now_ms,
            f"JOB{uuid.uuid4()}",
            call.switches,
        )
        for identity in dict.fromkeys(component["id"] for component in components)
    ]
    for component, job in started:
        call.tables.put_component(component)
        call.tables.add_job(job)
    return {}


def show_configuration(call: Call, application_id: str) -> Body:
    """GET the variables of an application, of one environment where the query names it."""
    application = find_application(call, application_id)
    wanted = call.query.get("environment_id", "")
    found = views.application_configurations(application)
    return {"configuration": [item for item in found if wanted in ("", item["environment_id"])]}


def modify_configuration(call: Call, application_id: str) -> Body:
    """PUT the variables of an application in one environment: {environment_id, configuration{env[{name, value}]}}."""
    application = find_application(call, application_id)
    body = without_nulls(parsed(call.body))
    configuration = body.get("configuration")
    if not isinstance(configuration, Mapping) or not isinstance(configuration.get("env", []), list):
        raise invalid("configuration must be an object with the list env")
    ensure_objects(configuration, "env", "name", "value")
    environment = find_environment(call, _text(body, "environment_id"))
    values = json.loads(application.body)
    values.setdefault("configuration", {})[environment.id] = {"env": configuration.get("env", [])}
    changed = _put(call, "applications", application, application.name, values)
    [item] = [x for x in views.application_configurations(changed) if x["environment_id"] == environment.id]
    return item


def delete_configuration(call: Call, application_id: str) -> Body:
    """DELETE the variables of an application in the environment the query names."""
    application = find_application(call, application_id)
    values = json.loads(application.body)
    if values.get("configuration", {}).pop(call.query.get("environment_id", ""), None) is None:
        raise missing("environment", call.switches.missing)
    _put(call, "applications", application, application.name, values)
    return {}


def list_environments(call: Call) -> Body:
    """GET environments, filtered by name, id and enterprise project."""
    columns = {"name": "name", "environment_id": "id", "enterprise_project_id": "enterprise_project_id"}
    filters = {columns[key]: call.query[key] for key in columns if call.query.get(key)}
    wanted = page(call.query)
    count, found = call.tables.named_page("environments", wanted, filters) if call.mine else (0, [])
    return {"count": count, "environments": [views.environment_body(item, call.project_id) for item in found]}


def show_environment(call: Call, environment_id: str) -> Body:
    """GET an environment, with its resources."""
    return _environment(call, find_environment(call, environment_id))


def create_environment(call: Call) -> Body:
    """POST environments: {name, vpc_id, description, enterprise_project_id, deploy_mode, labels}."""
    return views.environment_body(_made(call, "environments", "environment"), call.project_id)


def modify_environment(call: Call, environment_id: str) -> Body:
    """PUT an environment: {name, description, labels}; what is left out stays."""
    before = find_environment(call, environment_id)
    return _environment(call, _modified(call, "environments", "environment", before))


def delete_environment(call: Call, environment_id: str) -> Body:
    """DELETE an environment. SIM: one that components stand in is refused."""
    environment = find_environment(call, environment_id)
    if call.tables.component_count("environments", environment.id, call.now_ms):
        raise conflict("the environment still has components")
    call.tables.delete_named("environments", environment.id)
    return {}


def show_resources(call: Call, environment_id: str) -> Body:
    """GET the resources of an environment."""
    return {"resources": views.environment_resources(find_environment(call, environment_id))}


def modify_resources(call: Call, environment_id: str) -> Body:
    """PUT the resources of an environment: {resources[{id, type, name}]}."""
    environment = find_environment(call, environment_id)
    resources = without_nulls(parsed(call.body)).get("resources")
    if not isinstance(resources, list):
        raise invalid("resources must be a list")
    ensure_objects({"resources": resources}, "resources", "id", "type")
    ensure_fields(resources, "resources", str, "name")
    values = {**json.loads(environment.body), "resources": resources}
    _put(call, "environments", environment, environment.name, values)
    return {"resources": resources}


def _application(call: Call, application: Named) -> Body:
    count = call.tables.component_count("applications", application.id, call.now_ms)
    return views.application_body(application, count, call.project_id)


def _environment(call: Call, environment: Named) -> Body:
    body = views.environment_body(environment, call.project_id)
    return {**body, "resources": views.environment_resources(environment)}


def _made(call: Call, kind: Kind, word: str) -> Named:
    values = _values(call, *_MADE_WITH[word])
    name = _text(values, "name")
    if word == "environment":
        _text(values, "vpc_id")
    if not call.mine:
        raise missing(word, call.switches.missing)
    _ensure_free(call, kind, word, name)
    made = Named(str(uuid.uuid4()), name, call.now_ms, call.now_ms)
    return _put(call, kind, made, name, {key: value for key, value in values.items() if key != "name"})


def _modified(call: Call, kind: Kind, word: str, before: Named) -> Named:
    values = _values(call, *_CHANGED_BY[word])
    name = _text(values, "name") if "name" in values or word == "environment" else before.name
    if name != before.name:
        _ensure_free(call, kind, word, name)
    said = {key: value for key, value in values.items() if key != "name"}
    return _put(call, kind, before, name, {**json.loads(before.body), **said})


def _put(call: Call, kind: Kind, thing: Named, name: str, values: Mapping[str, Any]) -> Named:
    changed = replace(thing, name=name, update_ms=call.now_ms, body=json.dumps(values))
    call.tables.put_named(kind, changed)
    return changed


def _ensure_free(call: Call, kind: Kind, word: str, name: str) -> None:
    if call.tables.named_page(kind, _ONE, {"name": name})[0]:
        raise taken_name(word, name)


def _values(call: Call, *texts: str) -> dict[str, Any]:
    """These texts and the labels out of a body, checked; other fields are ignored (SIM)."""
    values = {key: value for key, value in without_nulls(parsed(call.body)).items() if key in (*texts, "labels")}
    for key in texts:
        if key in values and not isinstance(values[key], str):
            raise invalid(f"{key} must be a text")
    if values.get("deploy_mode", "mixed") not in _DEPLOY_MODES:
        raise invalid(f"deploy_mode must be one of {', '.join(sorted(_DEPLOY_MODES))}")
    if not isinstance(values.get("labels", []), list):
        raise invalid("labels must be a list")
    ensure_objects(values, "labels", "key", "value")
    return values


def _text(values: Mapping[str, Any], key: str) -> str:
    text = values.get(key)
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise invalid(f"{key} is required and must be a text of 1 to 64 characters")
    return text
