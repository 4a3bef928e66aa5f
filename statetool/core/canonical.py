"""Canonical JSON of the model's values: the one spelling that is stored, hashed, compared and shown.

Owns the spelling of wish, version picture and gray rule. It must not know the platform's own JSON (that is
`servicestage/wire.py`) nor how a document is read and checked (that is `document.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, cast

from statetool.core.model import ContentRule, Gray, GrayRule, Json, VersionPicture, Wish


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


def wish_to_json(wish: Wish) -> dict[str, Json]:
    """Only the managed fields; `{}` where nothing is managed."""
    shown: dict[str, Json] = {}
    if wish.picture is not None:
        shown.update(picture_to_json(wish.picture))
    for key, value in (("replicas", wish.replicas), ("state", wish.state), ("restart", wish.restart)):
        if value is not None:
            shown[key] = value
    return shown
