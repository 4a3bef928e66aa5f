"""The body of creating or deploying a component: what it must look like, and what the world needs to know of it.

Owns section 3.2 (fields, limits) and the strategies of section 5 as far as one body shows them. Pure. Must not know
components that exist already (deploy.py) or how answers look (views.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from statetool.sandbox.errors import Refusal, invalid

LARGEST_REPLICA = 2**31 - 1
STRATEGIES = frozenset({"OneBatchRelease", "RollingRelease", "GrayRelease"})
RUNTIME_TYPES = frozenset({"Docker", "Java", "Tomcat", "Nodejs", "Php", "Python"})
_DEPLOY_MODES = frozenset({"container", "virtualmachine"})
_PLATFORMS = ("cce", "cci", "ecs", "as")
_KINDS = frozenset({"code", "package", "image"})
_WORDS: Mapping[type, str] = {str: "a text", int: "a whole number", bool: "true or false", Mapping: "an object"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){2,3}", re.ASCII)
_LONGEST_VERSION = 32
_LONGEST_DESCRIPTION = 128
_MOST_BATCHES = 1000

_TEXTS = ("description", "swimlane_id", "timezone", "jvm_opts", "config_mode", "workload_name", "workload_kind")
AMOUNTS = ("limit_cpu", "request_cpu", "limit_memory", "request_memory")
_OBJECTS = (
    *("build", "command", "post_start", "pre_stop", "liveness_probe", "readiness_probe", "mesher", "tomcat_opts"),
    *("custom_metric", "affinity", "anti_affinity", "update_strategy", "deploy_strategy"),
)
# Sent back by who reads, changes and writes, or made up: nobody configures these.
_SHOWN_ONLY = frozenset({"id", "application_id", "status"})
_SOURCE_TEXTS = (
    *("url", "version", "storage", "auth", "web_url"),
    *("repo_auth", "repo_namespace", "repo_ref", "repo_type", "repo_url"),
)
# The lists, with the texts each of their entries has, and what else is checked of them.
_ENTRIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("labels", ("key", "value")),
    ("envs", ("name",)),
    ("storages", ()),
    ("logs", ()),
    ("external_accesses", ()),
    ("refer_resources", ("id", "type")),
)
_ENTRY_FIELDS: tuple[tuple[str, type, tuple[str, ...]], ...] = (
    ("envs", str, ("value",)),
    ("envs", Mapping, ("value_from",)),
    ("envs", bool, ("inner",)),
    ("external_accesses", str, ("protocol", "address")),
    ("external_accesses", int, ("forward_port",)),
    ("refer_resources", Mapping, ("parameters",)),
)
_LISTS = tuple(key for key, _ in _ENTRIES)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A well-formed body. `values` is all of it except environment_id, without what is null or the platform's own."""

    name: str
    version: str
    replica: int
    environment_id: str
    platform_type: str
    deploy_type: str
    runtime_stack: Mapping[str, Any]
    values: Mapping[str, Any]

    @property
    def strategy(self) -> Mapping[str, Any]:
        """deploy_strategy, or nothing."""
        found: Mapping[str, Any] = self.values.get("deploy_strategy", {})
        return found

    def text(self, base: Mapping[str, Any]) -> str:
        """The stored form; what the body does not mention comes out of `base`."""
        return json.dumps({**base, **self.values})


def parse_configuration(body: object, *, creating: bool) -> Configuration:
    """A request body of POST (creating) or PUT as a configuration. Raises Refusal 400."""
    values = {key: value for key, value in without_nulls(body).items() if key not in _SHOWN_ONLY}
    environment_id = values.pop("environment_id", "")
    if not isinstance(environment_id, str) or bool(environment_id) != creating:
        raise invalid("environment_id is required" if creating else "environment_id can't be changed: leave it out")
    _check_types(values)
    name, version, replica = values.get("name"), values.get("version"), values.get("replica")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise invalid("name must be 2 to 64 letters, digits, '-' or '_', beginning with a letter")
    if not isinstance(version, str) or len(version) > _LONGEST_VERSION or not _VERSION.fullmatch(version):
        raise invalid(f"version must be A.B.C or A.B.C.D in digits, at most {_LONGEST_VERSION} characters")
    if not is_number(replica) or not 0 <= replica <= LARGEST_REPLICA:
        raise invalid("replica must be a whole number, 0 or more")
    stack = _runtime_stack(values)
    _check_source(values)
    platform = _platform(values, stack)
    # GET shows entries of the platform's own, marked inner; sent back they mean nothing.
    if "envs" in values:
        values["envs"] = [entry for entry in values["envs"] if not entry.get("inner")]
    return Configuration(
        name, version, replica, environment_id, platform, _deploy_type(values, creating), stack, values
    )


def without_nulls(body: object) -> dict[str, Any]:
    """A JSON object with its null fields left out. Raises Refusal 400 for anything else."""
    if not isinstance(body, Mapping):
        raise invalid("the request body must be a JSON object")
    return {key: value for key, value in body.items() if value is not None}


def is_number(value: object) -> TypeGuard[int]:
    """Whether a JSON value is a whole number (true and false are none)."""
    return isinstance(value, int) and not isinstance(value, bool)


def ensure_objects(values: Mapping[str, Any], key: str, *required: str) -> None:
    """Raise Refusal 400 unless a list, where it is there, holds objects that have these texts."""
    for entry in values.get(key, []):
        if not isinstance(entry, Mapping) or not all(isinstance(entry.get(name), str) for name in required):
            raise invalid(f"{key} must be a list of objects with {' and '.join(required) or 'fields'}")


def ensure_fields(entries: Iterable[Mapping[str, Any]], key: str, kind: type, *names: str) -> None:
    """Raise Refusal 400 unless these fields of objects have a type, are null or left out."""
    for entry in entries:
        for name in names:
            value = entry.get(name)
            # JSON's true and false are no numbers.
            if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
                raise invalid(f"{key}: {name} must be {_WORDS[kind]}")


def _check_types(values: Mapping[str, Any]) -> None:
    for keys, kind, what in ((_TEXTS, str, "a text"), (_OBJECTS, Mapping, "an object"), (_LISTS, list, "a list")):
        for key in keys:
            if key in values and not isinstance(values[key], kind):
                raise invalid(f"{key} must be {what}")
    for key in AMOUNTS:
        amount = values.get(key, 0)
        if isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0:
            raise invalid(f"{key} must be a number, 0 or more")
    if len(values.get("description", "")) > _LONGEST_DESCRIPTION:
        raise invalid(f"description has at most {_LONGEST_DESCRIPTION} characters")
    for key, required in _ENTRIES:
        ensure_objects(values, key, *required)
    for key, field_kind, names in _ENTRY_FIELDS:
        ensure_fields(values.get(key, []), key, field_kind, *names)


def _runtime_stack(values: Mapping[str, Any]) -> Mapping[str, Any]:
    stack = values.get("runtime_stack")
    fields = ("name", "type", "version", "deploy_mode")
    if not isinstance(stack, Mapping) or not all(isinstance(stack.get(field), str) for field in fields):
        raise invalid("runtime_stack must be an object with name, type, version and deploy_mode")
    if stack["type"] not in RUNTIME_TYPES or stack["deploy_mode"] not in _DEPLOY_MODES:
        raise Refusal(400, "SVCSTG.00100420", "runtime not supported")
    return stack


def _check_source(values: Mapping[str, Any]) -> None:
    source = values.get("source")
    kind = source.get("kind") if isinstance(source, Mapping) else None
    if not isinstance(source, Mapping) or not isinstance(kind, str) or kind not in _KINDS:
        raise invalid(f"source must be an object with kind, one of {', '.join(sorted(_KINDS))}")
    ensure_fields([source], "source", str, *_SOURCE_TEXTS)
    if not (source.get("url") or source.get("repo_url")):
        raise Refusal(400, "SVCSTG.00100425", "artifacts empty")


def _platform(values: Mapping[str, Any], stack: Mapping[str, Any]) -> str:
    """Where it runs: the first resource that can run something. SIM: cce or ecs where none says so."""
    resources = values.get("refer_resources")
    if not resources:
        raise Refusal(400, "SVCSTG.00100422", "base resource empty")
    named = next((resource["type"] for resource in resources if resource["type"] in _PLATFORMS), None)
    machines = stack["deploy_mode"] == "virtualmachine"
    if named is None:
        return "ecs" if machines else "cce"
    if machines != (named in {"ecs", "as"}):
        raise invalid("runtime_stack.deploy_mode does not go with the type of refer_resources")
    return str(named)


def _deploy_type(values: Mapping[str, Any], creating: bool) -> str:
    strategy = values.get("deploy_strategy", {})
    kind = strategy.get("type", "OneBatchRelease")
    if not isinstance(kind, str) or kind not in STRATEGIES:
        raise invalid(f"deploy_strategy.type must be one of {', '.join(sorted(STRATEGIES))}")
    if kind == "RollingRelease":
        rolling = strategy.get("rolling_release")
        batches = rolling.get("batches") if isinstance(rolling, Mapping) else None
        if not is_number(batches) or not 1 <= batches <= _MOST_BATCHES:
            raise invalid(f"rolling_release.batches must be a whole number from 1 to {_MOST_BATCHES}")
    if kind == "GrayRelease" and creating:
        raise invalid("a component can't be created by a gray release")
    return kind
