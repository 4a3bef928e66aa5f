"""Canonical JSON of the model's values: the one spelling that is stored, hashed, compared and shown.

Owns the spelling of wish, version picture, gray rule and number of instances. It must not know the platform's own
JSON (that is `servicestage/wire.py`) nor how a document is read and checked (that is `document.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from statetool.core.deploy import Deployed, Resources
from statetool.core.model import ContentRule, Gray, GrayRule, Json, Replicas, VersionPicture, Wish


def canonical_text(value: Json) -> str:
    """One line of JSON that is equal for equal values: sorted keys, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Json) -> str:
    """`sha256:...` over the canonical text."""
    return "sha256:" + hashlib.sha256(canonical_text(value).encode("ascii")).hexdigest()


def rule_to_json(rule: GrayRule) -> dict[str, Json]:
    """`{"weight": 20}` or `{"match": "any", "rules": [...]}`; rules are sorted, for they are a set."""
    if rule.weight is not None:
        return {"weight": rule.weight}
    rules: list[Json] = [
        {"type": r.type, "key": r.key, "condition": r.condition, "value": r.value} for r in sorted(rule.rules)
    ]
    return {"match": rule.match, "rules": rules}


def rule_from_json(value: Mapping[str, Any]) -> GrayRule | None:
    """The rule in a gray map, None where it names neither a weight nor rules."""
    if value.get("weight") is not None:
        return GrayRule(weight=int(value["weight"]))
    if value.get("rules"):
        rules = frozenset(
            ContentRule(str(r["type"]), str(r["key"]), str(r["condition"]), str(r["value"])) for r in value["rules"]
        )
        match = cast(Literal["all", "any"], value.get("match") or "all")
        return GrayRule(match=match, rules=rules)
    return None


def gray_to_json(gray: Gray) -> dict[str, Json]:
    return {"version": gray.version, **(rule_to_json(gray.rule) if gray.rule else {})}


def picture_to_json(picture: VersionPicture) -> dict[str, Json]:
    """`{"version": V}` or `{"version": V, "gray": {...}}`."""
    shown: dict[str, Json] = {"version": picture.stable}
    if picture.gray:
        shown["gray"] = gray_to_json(picture.gray)
    return shown


def replicas_to_json(replicas: Replicas) -> Json:
    """A number, or `{"min": 3, "max": 9}`, with `enforce_max` where the ceiling is enforced."""
    if isinstance(replicas, int):
        return replicas
    return {"min": replicas.min, "max": replicas.max, **({"enforce_max": True} if replicas.enforce_max else {})}


def deployed_to_json(deployed: Deployed) -> dict[str, Json]:
    """The version and the digests there are."""
    parts = {"version": deployed.version, "env": deployed.env, "resources": deployed.resources, "start": deployed.start}
    return {key: value for key, value in parts.items() if value is not None}


def variable_digest(variable: Mapping[str, Json]) -> str:
    """What one variable holds, as its text (`value`) or where that is found (`value_from`): equal for equal ones."""
    return digest({key: variable[key] for key in ("value", "value_from") if variable.get(key) is not None})


def resources_to_json(resources: Resources) -> dict[str, Json]:
    """The requests and limits there are, in cores and GiB."""
    parts: dict[str, Json] = {
        "request_cpu": resources.request_cpu,
        "limit_cpu": resources.limit_cpu,
        "request_memory": resources.request_memory,
        "limit_memory": resources.limit_memory,
    }
    return {key: value for key, value in parts.items() if value is not None}


def wish_to_json(wish: Wish) -> dict[str, Json]:
    """Only the managed fields; `{}` where nothing is managed."""
    shown: dict[str, Json] = {}
    if wish.picture is not None:
        shown.update(picture_to_json(wish.picture))
    if wish.replicas is not None:
        shown["replicas"] = replicas_to_json(wish.replicas)
    for key, value in (("state", wish.state), ("restart", wish.restart)):
        if value is not None:
            shown[key] = value
    if wish.deployed is not None:
        shown["deployed"] = deployed_to_json(wish.deployed)
    return shown
