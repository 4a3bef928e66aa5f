"""One request being answered: what handlers are given, and what they all need to read out of it.

Owns `Call`, the reading of queries and bodies, paging, and the look-up of what a path names (sections 1 and 13.6).
Must not know paths, HTTP frameworks, or rules of the world.

Ids out of bodies may hold texts no database takes; none that exists is other than ASCII.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from statetool.sandbox.errors import invalid, missing
from statetool.sandbox.model import Component, Named
from statetool.sandbox.switches import Switches
from statetool.sandbox.tables import Page, Tables
from statetool.sandbox.world import advance, seen

LARGEST_PAGE = 100
UNPAGED_ROWS = 1000
LARGEST_OFFSET = 2**31 - 1
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


def find_application(call: Call, application_id: str) -> Named:
    """The application of a path. Raises Refusal."""
    found = call.tables.named("applications", application_id) if call.mine and application_id.isascii() else None
    if found is None:
        raise missing("application", call.switches.missing)
    return found


def find_environment(call: Call, environment_id: str) -> Named:
    """The environment of a path or body. Raises Refusal."""
    found = call.tables.named("environments", environment_id) if call.mine and environment_id.isascii() else None
    if found is None:
        raise missing("environment", call.switches.missing)
    return found


def find_component(call: Call, application_id: str, component_id: str) -> Component:
    """The component as it is now, to change it or ask for what it has done. Raises Refusal."""
    return advance(_stored_component(call, application_id, component_id), call.now_ms)


def see_component(call: Call, application_id: str, component_id: str) -> Component:
    """The component as reading shows it, which for a while is how it was. Raises Refusal."""
    return seen(_stored_component(call, application_id, component_id), call.now_ms)


def _stored_component(call: Call, application_id: str, component_id: str) -> Component:
    """The component as it was last written; one of another application is as missing as any. Raises Refusal."""
    application = find_application(call, application_id)
    component = call.tables.component(component_id) if component_id.isascii() else None
    if component is None or component.application_id != application.id:
        raise missing("component", call.switches.missing)
    if component.gone_ms is not None and call.now_ms >= component.gone_ms:
        raise missing("component", call.switches.missing)
    return component


def page(query: Mapping[str, str]) -> Page:
    """Paging [SDK, 06_0077]: limit 0..100 (0 or left out: up to 1000 rows), offset in rows, unknown orders ignored."""
    limit = number(query, "limit", LARGEST_PAGE) or UNPAGED_ROWS
    order_by = query.get("order_by", "")
    return Page(
        limit=limit,
        offset=number(query, "offset", LARGEST_OFFSET),
        order_by=order_by if order_by in {"name", "update_time"} else "create_time",
        ascending=query.get("order", "").lower() == "asc",
    )


def number(query: Mapping[str, str], key: str, largest: int) -> int:
    """A whole number of the query, 0 where it is left out. Raises Refusal 400."""
    text = query.get(key, "0")
    if not _NUMBER.fullmatch(text) or int(text) > largest:
        raise invalid(f"{key} must be a whole number from 0 to {largest}")
    return int(text)


def parsed(body: bytes) -> object:
    """The JSON value of a body. Raises Refusal 400."""
    try:
        return json.loads(body, parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise invalid("the request body is not JSON") from None


def _not_json(word: str) -> NoReturn:
    raise ValueError(word)
