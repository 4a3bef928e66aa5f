"""Gray releases as requests describe them: the strategy of a deployment, and the body of modify_gray_rule.

Owns the three envelopes of section 4.4 (the platform documents none, so the sandbox understands all) and the
checks of section 5.1. Must not know about components or time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from statetool.sandbox.configuration import is_number
from statetool.sandbox.errors import invalid
from statetool.sandbox.model import Gray, Rule

# "header" is the only type of the official SDK; the others stand in a third-party fork (section 5.1).
RULE_TYPES = frozenset({"header", "query_param", "custom", "method", "cookie"})
CONDITIONS = frozenset({"equal", "match", "in"})
MATCHES = frozenset({"all", "any"})
KINDS = frozenset({"weight", "content"})
MODES = frozenset({"MIRROR", "EXTRA", "NOSURGE"})
DEPLOYMENT_MODES = frozenset({1, 3, 4, 6})
_LOAD_BALANCED = frozenset({4, 6})
_MOST_BATCHES = 1000
_LONGEST_TEXT = 1024


def rule_body(parameters: object) -> str:
    """Which of the forms of section 4.4 the parameters of a modify_gray_rule have.

    "deploy_strategy", "gray_release" (the outermost envelope), "flat", or "empty" where there is nothing to read: no
    parameters (all that the vendor's SDK can send), null, or an object without fields. What is no object is "flat" too:
    somebody tried.
    """
    if parameters is None or parameters == {}:
        return "empty"
    if isinstance(parameters, Mapping):
        for envelope in ("deploy_strategy", "gray_release"):
            if parameters.get(envelope) is not None:
                return envelope
    return "flat"


def gray_change(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The gray_release part of an action's parameters, out of any form of `rule_body`.

    Raises Refusal 400 where an envelope is not an object.
    """
    form = rule_body(parameters)
    if form == "deploy_strategy":
        return _unwrapped(_unwrapped(parameters, "deploy_strategy"), "gray_release")
    return _unwrapped(parameters, "gray_release") if form == "gray_release" else parameters


def _unwrapped(outer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = outer.get(key)
    if inner is not None and not isinstance(inner, Mapping):
        raise invalid(f"parameters: {key} must be an object")
    return inner or {}


def is_weight(value: object) -> bool:
    """Whether a value is a whole percentage."""
    return _is_between(value, 0, 100)


def started(sent: object, replica: int) -> Gray:
    """The gray release a deployment asks for with `deploy_strategy.gray_release` (sections 5.1, 5.3 and 13.7).

    `replica` is the number of instances it will have. Raises Refusal 400.
    """
    if not isinstance(sent, Mapping):
        raise invalid("gray_release is required with deploy type GrayRelease")
    if replica < 2:
        raise invalid("a gray release needs at least 2 instances")
    kind, deployment_mode = _choice(sent, "type", KINDS), sent.get("deployment_mode")
    word = sent.get("replica_surge_mode")
    mode = normalised(word) if isinstance(word, str) else ""
    if kind is None or mode not in MODES:
        raise invalid(f"gray_release needs type and replica_surge_mode (one of {', '.join(sorted(MODES))})")
    if not is_number(deployment_mode) or deployment_mode not in DEPLOYMENT_MODES:
        raise invalid("deployment_mode must be one of 1, 3, 4, 6")
    first, batches, most = sent.get("first_batch_replica"), sent.get("remaining_batch"), replica - 1
    if mode == "MIRROR":  # a second set as large as the first, brought in at once (INFERRED)
        first, batches, most = first or replica, batches or 1, replica
    if not _is_between(first, 1, most):
        raise invalid(f"first_batch_replica must be a whole number from 1 to {most}")
    if not _is_between(batches, 1, _MOST_BATCHES):
        raise invalid(f"remaining_batch must be a whole number from 1 to {_MOST_BATCHES}")
    blank = Gray(kind.upper(), None, None, (), mode, first, batches, deployment_mode=deployment_mode)
    return changed(blank, sent)


def normalised(word: str) -> str:
    """An enum of a gray release as the current SDK writes it; no_surge is an older NOSURGE (section 5.2)."""
    return word.upper().replace("_", "")


def _is_between(value: object, low: int, high: int) -> TypeGuard[int]:
    return is_number(value) and low <= value <= high


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
    if gray.deployment_mode in _LOAD_BALANCED:
        raise invalid("a load balancer knows no gray rules by content")
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
