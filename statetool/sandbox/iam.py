"""The two requests of IAM a client of ServiceStage needs: a token for a password, and a project's id by its name.

Owns their paths, bodies and errors (sections 9.1 and 9.2). Must not know HTTP frameworks; who may come in is decided
in access.py.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from statetool.sandbox.access import Accounts, issue_token
from statetool.sandbox.errors import Refusal
from statetool.sandbox.tables import Tables

TOKENS_PATH = "/v3/auth/tokens"
PROJECTS_PATH = "/v3/projects"
TOKEN_HEADER = "X-Subject-Token"  # noqa: S105 - the name of a header
DEFAULT_PROJECT_NAME = "cn-north-4"
OPERATIONS = frozenset({("POST", TOKENS_PATH), ("GET", PROJECTS_PATH)})
"""Every (method, path) that is answered here."""


def is_iam(method: str, path: str) -> bool:
    """Whether a request is for IAM."""
    return (method, path) in OPERATIONS


def create_token(
    tables: Tables, query: str, body: bytes, now_ms: int, accounts: Accounts
) -> tuple[dict[str, Any], str]:
    """The body of a 201 and the token for the header X-Subject-Token. Raises Refusal 400, 401 (IAM's shape).

    SIM: the sandbox stands in every region, so a project may be named by any name.
    """
    auth = _part(_json(body), "auth")
    identity = _part(auth, "identity")
    if identity.get("methods") != ["password"]:
        raise _bad_request("auth.identity.methods must be [password]")
    user = _part(_part(identity, "password"), "user")
    sent = (user.get("name"), user.get("password"), _part(user, "domain").get("name"))
    if sent != (accounts.user, accounts.password, accounts.domain):
        raise Refusal(401, "IAM.0011", "The username or password is wrong.")
    project = _part(_part(auth, "scope"), "project")
    name, identity_of_project = project.get("name"), project.get("id")
    if not isinstance(name, str | None) or (not name and identity_of_project is None):
        raise _bad_request("auth.scope.project needs a name or an id")
    if identity_of_project not in (None, tables.project_id()):
        raise Refusal(401, "IAM.0011", "The project is not visible to the user.")
    expires_ms = now_ms + tables.switches().token_seconds * 1000
    domain = _named(accounts.domain)
    token: dict[str, Any] = {
        "methods": ["password"],
        "issued_at": _instant(now_ms),
        "expires_at": _instant(expires_ms),
        "user": {**_named(accounts.user), "domain": domain},
        "project": {"id": tables.project_id(), "name": name or DEFAULT_PROJECT_NAME, "domain": domain},
        "roles": [],
    }
    if dict(parse_qsl(query)).get("nocatalog") != "true":
        token["catalog"] = []
    return {"token": token}, issue_token(tables.project_id(), expires_ms)


def list_projects(tables: Tables, query: str) -> dict[str, Any]:
    """The projects with a name; how many there are is the switch `projects`.

    SIM: the sandbox stands in every region, so it has one project of any name.
    """
    name = dict(parse_qsl(query)).get("name") or DEFAULT_PROJECT_NAME
    first = tables.project_id()
    second = uuid.uuid5(uuid.NAMESPACE_OID, first).hex
    ids = {"one": [first], "none": [], "several": [first, second]}[tables.switches().projects]
    projects = [
        {"id": identity, "name": name, "enabled": True, "is_domain": False, "description": ""} for identity in ids
    ]
    return {"projects": projects, "links": {"self": None, "previous": None, "next": None}}


def _named(name: str) -> dict[str, str]:
    return {"id": uuid.uuid5(uuid.NAMESPACE_OID, name).hex, "name": name}


def _instant(at_ms: int) -> str:
    """IAM writes microseconds."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _bad_request("the request body is not JSON") from None


def _part(whole: object, key: str) -> Mapping[str, Any]:
    part = whole.get(key) if isinstance(whole, Mapping) else None
    if not isinstance(part, Mapping):
        raise _bad_request(f"{key} is required and must be an object")
    return part


def _bad_request(message: str) -> Refusal:
    return Refusal(400, "IAM.0001", message)
