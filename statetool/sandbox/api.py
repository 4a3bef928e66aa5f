"""The API without a web server: method, path, query and body in, status code and JSON out.

Owns the paths, the reading requests about components, records and jobs, and the form of errors (sections 2, 3, 7, 8
and 10). Must not know HTTP frameworks, or rules of the world.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from statetool.sandbox import components, groups, views
from statetool.sandbox.call import (
    LARGEST_OFFSET,
    LARGEST_PAGE,
    Body,
    Call,
    find_application,
    find_component,
    number,
    page,
    see_component,
)
from statetool.sandbox.errors import Refusal, invalid, unknown_api, unknown_job, unknown_version
from statetool.sandbox.model import Component
from statetool.sandbox.tables import Kind, Tables
from statetool.sandbox.world import advance, seen

_TASK_PAGE = 20  # section 7: the default page of tasks
_PROJECT = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Handler:
    """A resolved request: call it with what it needs. `status_code` is that of success."""

    project: str
    status_code: int
    _function: Callable[..., Body]
    _ids: tuple[str, ...]

    def __call__(self, tables: Tables, query: str, body: bytes, now_ms: int) -> Body:
        """The JSON body of the answer; empty for 204. Raises Refusal."""
        if not _PROJECT.fullmatch(self.project):
            raise invalid("project_id must be 32 hexadecimal characters")
        mine = self.project.lower() == tables.project_id()
        pairs = dict(parse_qsl(query, keep_blank_values=True))
        call = Call(tables, pairs, body, now_ms, tables.switches(), self.project.lower(), mine)
        return self._function(call, *self._ids)


def resolve(method: str, path: str) -> Handler:
    """The handler of a request. Raises Refusal 404 APIGW.0101, as the gateway does before it looks at a token."""
    prefix = re.fullmatch(r"/v3/([^/]+)/cas(/.+)", path)
    for route_method, pattern, handler, status_code in _ROUTES if prefix else ():
        if route_method == method and prefix and (match := pattern.fullmatch(prefix[2])):
            return Handler(prefix[1], status_code, handler, match.groups())
    raise unknown_api()


def _list_of_application(call: Call, application_id: str) -> Body:
    application = find_application(call, application_id)
    return _component_list(call, application_id=application.id)


def _list_components(call: Call) -> Body:
    """Project-wide. SIM: the filters compare whole names."""
    application, name = call.query.get("application_name", ""), call.query.get("component_name", "")
    return _component_list(call, application=application, name=name)


def _show_component(call: Call, application_id: str, component_id: str) -> Body:
    component = see_component(call, application_id, component_id)
    wanted = call.query.get("version", "")
    if not wanted:
        shown = views.shown_record(component, call.switches)
        strategy = component.candidate or component.in_use
        return views.component_detail(component, shown, component.replica, strategy, call.switches)
    record = component.record(wanted)
    if record is None:
        raise unknown_version(wanted)
    past = record.version != component.current and record is not component.candidate
    replica = record.replica if past else component.replica
    return views.component_detail(component, record, replica, record, call.switches)


def _list_records(call: Call, application_id: str, component_id: str) -> Body:
    """Newest first, unless asked for the other order [06_0083]."""
    component = find_component(call, application_id, component_id)
    wanted = page(call.query)
    records = component.records if wanted.ascending else component.records[::-1]
    shown = records[wanted.offset : wanted.offset + wanted.limit]
    return {"count": len(records), "records": [views.record_body(component, record) for record in shown]}


def _show_job(call: Call, job_id: str) -> Body:
    job = call.tables.job(job_id) if call.mine else None
    if job is None:
        raise unknown_job()
    stored = call.tables.component(job.component_id)
    component = advance(stored, call.now_ms) if stored else None
    limit = number(call.query, "limit", LARGEST_PAGE) if "limit" in call.query else _TASK_PAGE
    offset = number(call.query, "offset", LARGEST_OFFSET)
    status = views.job_status(job, component, call.now_ms, call.switches)
    body, tasks = views.job_bodies(job, status, call.now_ms, call.project_id, call.switches)
    if call.query.get("desc", "").lower() == "true":
        tasks.reverse()
    return {"task_count": len(tasks), "job": body, "tasks": tasks[offset : offset + limit]}


_APPLICATION = r"/applications/([^/]+)"
_COMPONENT = r"/applications/([^/]+)/components/([^/]+)"
_ENVIRONMENT = r"/environments/([^/]+)"
_OK, _NO_CONTENT = 200, 204
_TABLE: tuple[tuple[str, str, Callable[..., Body], int], ...] = (
    ("GET", r"/applications", groups.list_applications, _OK),
    ("POST", r"/applications", groups.create_application, _OK),
    ("GET", _APPLICATION, groups.show_application, _OK),
    ("PUT", _APPLICATION, groups.modify_application, _OK),
    ("DELETE", _APPLICATION, groups.delete_application, _NO_CONTENT),
    ("POST", _APPLICATION + r"/action", groups.act_on_application, _NO_CONTENT),
    ("GET", _APPLICATION + r"/configuration", groups.show_configuration, _OK),
    ("PUT", _APPLICATION + r"/configuration", groups.modify_configuration, _OK),
    ("DELETE", _APPLICATION + r"/configuration", groups.delete_configuration, _NO_CONTENT),
    ("GET", r"/environments", groups.list_environments, _OK),
    ("POST", r"/environments", groups.create_environment, _OK),
    ("GET", _ENVIRONMENT, groups.show_environment, _OK),
    ("PUT", _ENVIRONMENT, groups.modify_environment, _OK),
    ("DELETE", _ENVIRONMENT, groups.delete_environment, _NO_CONTENT),
    ("GET", _ENVIRONMENT + r"/resources", groups.show_resources, _OK),
    ("PUT", _ENVIRONMENT + r"/resources", groups.modify_resources, _OK),
    ("GET", _APPLICATION + r"/components", _list_of_application, _OK),
    ("POST", _APPLICATION + r"/components", components.create_component, _OK),
    ("GET", r"/components", _list_components, _OK),
    ("POST", r"/components/action", components.act_on_components, _OK),
    ("GET", _COMPONENT, _show_component, _OK),
    ("PUT", _COMPONENT, components.modify_component, _OK),
    ("DELETE", _COMPONENT, components.delete_component, _OK),
    ("GET", _COMPONENT + r"/records", _list_records, _OK),
    ("POST", _COMPONENT + r"/action", components.act_on_component, _OK),
    ("PUT", _COMPONENT + r"/refresh", components.refresh_component, _OK),
    ("GET", r"/jobs/([^/]+)", _show_job, _OK),
    ("GET", r"/runtimestacks", components.list_runtime_stacks, _OK),
)
_ROUTES = tuple((method, re.compile(pattern), handler, status) for method, pattern, handler, status in _TABLE)


def _component_list(call: Call, *, application_id: str = "", application: str = "", name: str = "") -> Body:
    wanted = page(call.query)
    if not call.mine:
        return {"count": 0, "components": []}
    count, found = call.tables.component_page(
        wanted, call.now_ms, application_id=application_id, application=application, name=name
    )
    names = _Names(call.tables)
    rows = []
    for stored in found:
        component = seen(stored, call.now_ms)
        owner, place = names.of(component)
        rows.append(views.component_row(component, owner, place, call.switches))
    return {"count": count, "components": rows}


class _Names:
    """Names of applications and environments, looked up once per page."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._known: dict[str, str] = {}

    def of(self, component: Component) -> tuple[str, str]:
        """(application name, environment name) of a component."""
        application = self._name("applications", component.application_id)
        return application, self._name("environments", component.environment_id)

    def _name(self, kind: Kind, identity: str) -> str:
        if identity not in self._known:
            found = self._tables.named(kind, identity)
            self._known[identity] = found.name if found else ""
        return self._known[identity]


def error_body(refusal: Refusal, request_id: str) -> Body:
    """The body of an error (section 10.1); the gateway adds the request id to its own."""
    if refusal.code.startswith("IAM."):  # IAM nests [GK]
        title = "Unauthorized" if refusal.status_code == 401 else "Bad Request"
        return {"error": {"code": refusal.status_code, "message": refusal.message, "title": title}}
    body: Body = {"error_code": refusal.code, "error_msg": refusal.message}
    return {**body, "request_id": request_id} if refusal.code.startswith("APIGW.") else body
