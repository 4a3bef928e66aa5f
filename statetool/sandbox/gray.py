"""The body of modify_gray_rule, and what it makes of a gray release.

Owns the three envelopes of section 4.4 (the platform documents none, so the sandbox understands all) and the
checks of section 5.1. Must not know about components or time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from statetool.sandbox.errors import invalid
from statetool.sandbox.model import Gray, Rule

# "header" is the only type of the official SDK; the others stand in a third-party fork (section 5.1).
RULE_TYPES = frozenset({"header", "query_param", "custom", "method", "cookie"})
CONDITIONS = frozenset({"equal", "match", "in"})
MATCHES = frozenset({"all", "any"})
KINDS = frozenset({"weight", "content"})
_LONGEST_TEXT = 1024


def gray_change(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The gray_release part of an action's parameters, out of any of the three envelopes.

    Flat, under `gray_release`, or under `deploy_strategy.gray_release`. Raises Refusal 400 where an envelope is
    not an object.
    """
    inner = parameters
    for key in ("deploy_strategy", "gray_release"):
        if inner.get(key) is not None:
            inner = inner[key]
            if not isinstance(inner, Mapping):
                raise invalid(f"parameters: {key} must be an object")
    return inner


def is_weight(value: object) -> bool:
    """Whether a value is a whole percentage."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100


def changed(gray: Gray, change: Mapping[str, Any]) -> Gray:
    """The gray release after the change; what the change does not mention stays. Raises Refusal 400.

    Keys: type, first_batch_weight (0..100), rule_match_mode, rules[{type, key, condition, value}]; enums in any
    case; null counts as not mentioned, other keys are ignored (SIM).
    """
    kind = _choice(change, "type", KINDS)
    target = kind.upper() if kind else gray.kind
    weight, rules = change.get("first_batch_weight"), change.get("rules")
    match = _choice(change, "rule_match_mode", MATCHES)
    if target == "WEIGHT":
        if rules is not None or match is not None:
            raise invalid("rules and rule_match_mode need gray type CONTENT")
        weight = gray.weight if weight is None else weight
        if not is_weight(weight):
            raise invalid("first_batch_weight must be a whole number from 0 to 100")
        return replace(gray, kind=target, weight=weight, match=None, rules=())
    if weight is not None:
        raise invalid("first_batch_weight needs gray type WEIGHT")
    match = match or gray.match
    if match is None:
        raise invalid("rule_match_mode is required with gray type CONTENT")
    return replace(gray, kind=target, weight=None, match=match, rules=_rules(rules, gray.rules))


def _rules(rules: object, before: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if rules is None and before:
        return before
    if not isinstance(rules, list) or not rules:
        raise invalid("rules must be a list with at least one rule")
    return tuple(_rule(rule) for rule in rules)


def _rule(rule: object) -> Rule:
    if not isinstance(rule, Mapping):
        raise invalid("a rule must be an object")
    kind, condition = _choice(rule, "type", RULE_TYPES), _choice(rule, "condition", CONDITIONS)
    key, value = rule.get("key"), rule.get("value")
    if kind is None or condition is None:
        raise invalid("a rule needs type and condition")
    for text in (key, value):
        if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_TEXT:
            raise invalid("key and value of a rule must be texts that are not empty")
    return Rule(type=kind, key=str(key), condition=condition, value=str(value))


def _choice(source: Mapping[str, Any], key: str, allowed: frozenset[str]) -> str | None:
    value = source.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or value.lower() not in allowed:
        raise invalid(f"{key} must be one of {', '.join(sorted(allowed))}")
    return value.lower()
