"""The API without a web server: method, path, query and body in, status code and JSON out.

Owns the paths, the reading of queries and bodies, and which errors they make (sections 1, 2 and 10). Must not know
HTTP frameworks, or rules of the world.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from statetool.sandbox import views
from statetool.sandbox.actions import accept, parse_action
from statetool.sandbox.errors import Refusal, invalid, missing, unknown_api, unknown_job, unknown_version
from statetool.sandbox.model import Component, Named
from statetool.sandbox.switches import Switches
from statetool.sandbox.tables import Kind, Page, Tables
from statetool.sandbox.world import advance

LARGEST_PAGE = 100
UNPAGED_ROWS = 1000
_TASK_PAGE = 20  # section 7: the default page of tasks
_LARGEST_OFFSET = 2**31 - 1
_PROJECT = re.compile(r"[0-9a-fA-F]{32}")
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request being answered. `mine` is false for a project this world does not hold: it looks empty."""

    tables: Tables
    query: Mapping[str, str]
    body: bytes
    now_ms: int
    switches: Switches
    project_id: str
    mine: bool


@dataclass(frozen=True, slots=True)
class Handler:
    """A resolved request: call it with what it needs."""

    project: str
    _function: Callable[..., Body]
    _ids: tuple[str, ...]

    def __call__(self, tables: Tables, query: str, body: bytes, now_ms: int) -> Body:
        """The JSON body of the answer (always HTTP 200). Raises Refusal."""
        if not _PROJECT.fullmatch(self.project):
            raise invalid("project_id must be 32 hexadecimal characters")
        mine = self.project.lower() == tables.project_id()
        pairs = dict(parse_qsl(query, keep_blank_values=True))
        call = Call(tables, pairs, body, now_ms, tables.switches(), self.project.lower(), mine)
        return self._function(call, *self._ids)


def resolve(method: str, path: str) -> Handler:
    """The handler of a request. Raises Refusal 404 APIGW.0101, as the gateway does before it looks at a token."""
    prefix = re.fullmatch(r"/v3/([^/]+)/cas(/.+)", path)
    for route_method, pattern, handler in _ROUTES if prefix else ():
        if route_method == method and prefix and (match := pattern.fullmatch(prefix[2])):
            return Handler(prefix[1], handler, match.groups())
    raise unknown_api()


def _list_applications(call: Call) -> Body:
    count, found = call.tables.named_page("applications", _page(call.query), {}) if call.mine else (0, [])
    return {"count": count, "applications": [_application(call, application) for application in found]}


def _show_application(call: Call, application_id: str) -> Body:
    return _application(call, _find_application(call, application_id))


def _list_environments(call: Call) -> Body:
    page = _page(call.query)
    columns = {"name": "name", "environment_id": "id"}
    filters = {columns[key]: call.query[key] for key in columns if call.query.get(key)}
    count, found = call.tables.named_page("environments", page, filters) if call.mine else (0, [])
    return {"count": count, "environments": [views.environment_body(item, call.project_id) for item in found]}


def _list_of_application(call: Call, application_id: str) -> Body:
    application = _find_application(call, application_id)
    return _component_list(call, application_id=application.id)


def _list_components(call: Call) -> Body:
    """Project-wide. SIM: the filters compare whole names."""
    application, name = call.query.get("application_name", ""), call.query.get("component_name", "")
    return _component_list(call, application=application, name=name)


def _show_component(call: Call, application_id: str, component_id: str) -> Body:
    component = _find_component(call, application_id, component_id)
    wanted = call.query.get("version", "")
    if not wanted:
        strategy = component.candidate or component.record(component.current) or component.records[-1]
        return views.component_detail(
            component, views.shown_version(component, call.switches), component.replica, strategy
        )
    record = component.record(wanted)
    if record is None:
        raise unknown_version(wanted)
    past = record.version != component.current and record is not component.candidate
    return views.component_detail(component, wanted, record.replica if past else component.replica, record)


def _list_records(call: Call, application_id: str, component_id: str) -> Body:
    """Newest first, unless asked for the other order [06_0083]."""
    component = _find_component(call, application_id, component_id)
    page = _page(call.query)
    records = component.records if page.ascending else component.records[::-1]
    shown = records[page.offset : page.offset + page.limit]
    return {"count": len(records), "records": [views.record_body(component, record) for record in shown]}


def _act(call: Call, application_id: str, component_id: str) -> Body:
    request = parse_action(_json(call.body))
    component = _find_component(call, application_id, component_id)
    component, job = accept(component, request, call.now_ms, f"JOB{uuid.uuid4()}", call.switches)
    call.tables.put_component(component)
    call.tables.add_job(job)
    old = {"job_id": job.id, "result": "succeeded"}
    new = {"job_id": job.id, "component_id": component.id}
    return {"old": old, "new": new, "both": old | new}[call.switches.action_body]


def _show_job(call: Call, job_id: str) -> Body:
    job = call.tables.job(job_id) if call.mine else None
    component = call.tables.component(job.component_id) if job else None
    if job is None or component is None:
        raise unknown_job()
    limit = _number(call.query, "limit", LARGEST_PAGE) if "limit" in call.query else _TASK_PAGE
    offset = _number(call.query, "offset", _LARGEST_OFFSET)
    status = views.job_status(job, advance(component, call.now_ms), call.now_ms, call.switches)
    body, tasks = views.job_bodies(job, status, call.now_ms, call.project_id, call.switches)
    if call.query.get("desc", "").lower() == "true":
        tasks.reverse()
    return {"task_count": len(tasks), "job": body, "tasks": tasks[offset : offset + limit]}


_COMPONENT = r"/applications/([^/]+)/components/([^/]+)"
_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., Body]], ...] = (
    ("GET", re.compile(r"/applications"), _list_applications),
    ("GET", re.compile(r"/applications/([^/]+)"), _show_application),
    ("GET", re.compile(r"/environments"), _list_environments),
    ("GET", re.compile(r"/applications/([^/]+)/components"), _list_of_application),
    ("GET", re.compile(r"/components"), _list_components),
    ("GET", re.compile(_COMPONENT), _show_component),
    ("GET", re.compile(_COMPONENT + r"/records"), _list_records),
    ("POST", re.compile(_COMPONENT + r"/action"), _act),
    ("GET", re.compile(r"/jobs/([^/]+)"), _show_job),
)


def _application(call: Call, application: Named) -> Body:
    return views.application_body(application, call.tables.component_count(application.id), call.project_id)


def _component_list(call: Call, *, application_id: str = "", application: str = "", name: str = "") -> Body:
    page = _page(call.query)
    if not call.mine:
        return {"count": 0, "components": []}
    count, found = call.tables.component_page(
        page, call.now_ms, application_id=application_id, application=application, name=name
    )
    names = _Names(call.tables)
    rows = []
    for stored in found:
        component = advance(stored, call.now_ms)
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


def _find_application(call: Call, application_id: str) -> Named:
    found = call.tables.named("applications", application_id) if call.mine else None
    if found is None:
        raise missing("application", call.switches.missing)
    return found


def _find_component(call: Call, application_id: str, component_id: str) -> Component:
    """The component as it is now; one of another application is as missing as any."""
    application = _find_application(call, application_id)
    component = call.tables.component(component_id)
    if component is None or component.application_id != application.id:
        raise missing("component", call.switches.missing)
    return advance(component, call.now_ms)


def _page(query: Mapping[str, str]) -> Page:
    """Paging [SDK, 06_0077]: limit 0..100 (0 or left out: up to 1000 rows), offset in rows, unknown orders ignored."""
    limit = _number(query, "limit", LARGEST_PAGE) or UNPAGED_ROWS
    order_by = query.get("order_by", "")
    return Page(
        limit=limit,
        offset=_number(query, "offset", _LARGEST_OFFSET),
        order_by=order_by if order_by in {"name", "update_time"} else "create_time",
        ascending=query.get("order", "").lower() == "asc",
    )


def _number(query: Mapping[str, str], key: str, largest: int) -> int:
    text = query.get(key, "0")
    if not _NUMBER.fullmatch(text) or int(text) > largest:
        raise invalid(f"{key} must be a whole number from 0 to {largest}")
    return int(text)


def _json(body: bytes) -> object:
    try:
        return json.loads(body, parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise invalid("the request body is not JSON") from None


def _not_json(word: str) -> NoReturn:
    raise ValueError(word)


def error_body(refusal: Refusal, request_id: str) -> Body:
    """The body of an error (section 10.1); the gateway adds the request id to its own."""
    if refusal.code.startswith("IAM."):  # IAM nests [GK]
        title = "Unauthorized" if refusal.status_code == 401 else "Bad Request"
        return {"error": {"code": refusal.status_code, "message": refusal.message, "title": title}}
    body: Body = {"error_code": refusal.code, "error_msg": refusal.message}
    return {**body, "request_id": request_id} if refusal.code.startswith("APIGW.") else body
