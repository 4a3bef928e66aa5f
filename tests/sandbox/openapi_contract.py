"""The checked-in OpenAPI document as a judge: whether an answer of the sandbox is one it describes."""

import functools
import json
import re

import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from statetool.sandbox import FaultKind
from statetool.sandbox.document import read_document

# Faults that break the contract on purpose, as the document says.
SPOILING = frozenset({FaultKind.HTML, FaultKind.WRONG_TYPE, FaultKind.TRUNCATED_JSON, FaultKind.CUT_BODY})


class Contract:
    """The OpenAPI document, and whether an answer is one it describes."""

    def __init__(self, document):
        self.document = document
        self._registry = Registry().with_resource("contract", DRAFT202012.create_resource(document))
        self._paths = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in document["paths"]]

    def follow(self, value):
        """A value of the document, or what it refers to."""
        while "$ref" in value:
            pointer = value["$ref"].removeprefix("#/").split("/")
            value = functools.reduce(lambda part, key: part[key], pointer, self.document)
        return value

    def ensure(self, method, path, answer):
        """Fail unless an `Answer` to a request is described: its status code, headers, content type and body."""
        names = [name for pattern, name in self._paths if pattern.fullmatch(path)]
        found = [self.document["paths"][name] for name in names if method.lower() in self.document["paths"][name]]
        if not found:
            assert (answer.status_code, answer.body["error_code"]) == (404, "APIGW.0101"), (method, path)
            return
        responses = found[0][method.lower()]["responses"]
        assert str(answer.status_code) in responses, f"{answer.status_code} {answer.body} of {method} {path}"
        response = self.follow(responses[str(answer.status_code)])
        for name, header in response["headers"].items():
            header = self.follow(header)
            value = {**answer.headers, "X-Request-Id": answer.request_id}.get(name)
            assert value is not None or not header.get("required", False), f"{method} {path}: no {name}"
            if value is not None:
                self.validator(header["schema"]).validate(int(value) if value.isdigit() else value)
        if answer.fault and answer.fault.kind in SPOILING:
            return
        if "content" not in response:
            assert answer.body == {}
            return
        content, kind = answer.content
        schema = response["content"][kind]["schema"]
        self.validator(schema).validate(json.loads(content) if kind == "application/json" else content.decode())

    def validator(self, schema):
        """References inside the document become references to it."""
        text = json.dumps(schema).replace('"#/', '"contract#/')
        return jsonschema.Draft202012Validator(json.loads(text), registry=self._registry)


CONTRACT = Contract(json.loads(read_document()))
