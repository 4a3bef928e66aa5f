"""The OpenAPI document: served as it is checked in, valid, complete, and true of errors and faults too."""

import asyncio
import json
import re

import httpx
import pytest
import schemathesis
from jsonschema import Draft202012Validator
from openapi_contract import CONTRACT

from statetool.sandbox import Accounts, api, create_app, iam
from statetool.sandbox.document import read_document
from statetool.sandbox.errors import Refusal
from statetool.sandbox.faults import Fault
from statetool.sandbox.switches import CHOICES, NAMES

PROJECT = "/v3/0123456789abcdef0123456789abcdef/cas"
DOCUMENT = CONTRACT.document
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
OPERATIONS = {
    (method.upper(), path): item[method]
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item
}


def everything(value):
    """All objects inside a value, itself too."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from everything(item)


def fetch(sandbox, method, path, **options):
    """An answer of the application to a request without credentials."""

    async def send():
        transport = httpx.ASGITransport(create_app(sandbox))
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return await client.request(method, path, **options)

    return asyncio.run(send())


def test_it_is_served(world):
    """Byte for byte what is checked in, to anybody."""
    answer = fetch(world.sandbox, "GET", "/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.content == read_document()
    assert answer.headers["X-Request-Id"]
    assert fetch(world.sandbox, "POST", "/openapi.json").status_code == 404
    assert fetch(world.sandbox, "GET", f"{PROJECT}/components").status_code == 401


def test_it_is_valid():
    """By the specification's own schema of documents, and by JSON Schema's of schemas."""
    assert DOCUMENT["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(DOCUMENT).validate()
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_its_references_lead_somewhere():
    """Each of them, and nothing is defined that nobody refers to."""
    used = {part["$ref"] for part in everything(DOCUMENT) if "$ref" in part}
    kinds = ("schemas", "responses", "parameters", "headers")
    assert used == {f"#/components/{kind}/{name}" for kind in kinds for name in DOCUMENT["components"][kind]}


def test_its_links_lead_somewhere():
    """To an operation, with all parameters its path has."""
    known = {operation["operationId"]: path for (_, path), operation in OPERATIONS.items()}
    assert len(known) == len(OPERATIONS)
    links = [link for part in everything(DOCUMENT["paths"]) for link in part.get("links", {}).values()]
    for link in links:
        assert set(re.findall(r"\{(\w+)\}", known[link["operationId"]])) == link["parameters"].keys()
    assert {"showJob", "showComponent", "actOnComponent"} <= {link["operationId"] for link in links}


def test_it_has_every_operation_and_no_other():
    """What the sandbox resolves is what the document lists; any other method is the gateway's 404."""
    assert OPERATIONS.keys() == api.OPERATIONS | iam.OPERATIONS
    for path in DOCUMENT["paths"]:
        concrete = re.sub(r"\{\w+\}", "0123456789abcdef0123456789abcdef", path)
        for method in (name.upper() for name in METHODS):
            if (method, path) in OPERATIONS:
                assert iam.is_iam(method, concrete) or api.resolve(method, concrete).status_code in {200, 204}
                continue
            with pytest.raises(Refusal) as caught:
                api.resolve(method, concrete)
            assert (caught.value.status_code, caught.value.code) == (404, "APIGW.0101")
            assert not iam.is_iam(method, concrete)


def test_every_answer_has_a_request_id():
    """Whatever its status code."""
    for operation in OPERATIONS.values():
        for response in operation["responses"].values():
            headers = CONTRACT.follow(response)["headers"]
            assert CONTRACT.follow(headers["X-Request-Id"])["required"]


def test_switches_it_names_exist():
    """Whoever reads of a switch finds it."""
    named = set(re.findall(r"(?:the switch|switch:?) (\w+)", read_document().decode(), re.IGNORECASE))
    assert named <= set(NAMES)
    assert {"action_body", "job_ids", "job_case", "gray_case", "missing", "busy"} <= named


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize("status_code", [429, 500, 502, 503, 504])
def test_faults(world, status_code, gateway):
    """What a fault answers is described for every operation, Retry-After and plain text included."""
    fault = Fault("throttled", retry_after_s=3) if status_code == 429 else None
    fault = fault or Fault("http_error", status_code=status_code, gateway=gateway, retry_after_s=3)
    world.sandbox.set_faults([fault])
    for method, path in OPERATIONS:
        concrete = re.sub(r"\{\w+\}", "0123456789abcdef0123456789abcdef", path)
        answer = world.handle(method, concrete)
        assert (answer.status_code, answer.headers["Retry-After"]) == (status_code, "3")


@pytest.mark.parametrize(("method", "path"), sorted(OPERATIONS))
def test_refusals(make_world, method, path):
    """Without credentials, and with nothing that exists, under both answers to what is missing."""
    for missing in CHOICES["missing"]:
        world = make_world(switches=f"missing: '{missing}'")
        concrete = path.replace("{project_id}", "0123456789abcdef0123456789abcdef")
        concrete = re.sub(r"\{\w+\}", "1b2f7e0a-0000-4000-8000-000000000000", concrete)
        for content in (b"", b"{}", b"[]", b'{"action": "start"}', b'{"name": "fresh"}'):
            world.handle(method, concrete, "limit=x", content)
            world.handle(method, concrete, "", content)
        denied = world.sandbox.handle(method, concrete, authenticated=False)
        CONTRACT.ensure(method, concrete, denied)


def test_iam(make_world):
    """A token, one without a catalog, a wrong password, and as many projects as the switch says."""
    accounts = Accounts()
    user = {"name": accounts.user, "password": accounts.password, "domain": {"name": accounts.domain}}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": "cn-north-4"}}}}
    for projects, count in (("one", 1), ("none", 0), ("several", 2)):
        world = make_world(switches=f"projects: {projects}")
        assert len(world.handle("GET", iam.PROJECTS_PATH, "name=x").body["projects"]) == count
        for query in ("", "nocatalog=true"):
            assert world.handle("POST", iam.TOKENS_PATH, query, json.dumps(body).encode()).status_code == 201
    user["password"] = "wrong"
    assert world.handle("POST", iam.TOKENS_PATH, "", json.dumps(body).encode()).status_code == 401


def test_too_much(world):
    """413 of the gateway, where there is a body at all."""
    answer = fetch(world.sandbox, "POST", f"{PROJECT}/applications", content=b" " * 1_100_000)
    assert answer.status_code == 413
    schema = CONTRACT.follow(DOCUMENT["components"]["responses"]["TooLarge"])["content"]["application/json"]["schema"]
    CONTRACT.validator(schema).validate(answer.json())
    for operation in OPERATIONS.values():
        assert ("413" in operation["responses"]) == ("requestBody" in operation)
