"""Spelling of actions, and of the wishes they fulfil, as documents: plans and journals hold them.

Owns these two shapes, both ways. A shown action has no values of variables. It must not know what holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from statetool.core.document import Fields, read_deployed, read_picture, read_replicas
from statetool.core.model import (
    DEPLOYED_FIELD,
    REPLICAS_FIELD,
    RESTART_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Json,
    Ready,
)
from statetool.core.plan import (
    Action,
    Brought,
    Risk,
    SendIf,
    Verb,
    WishUpdate,
    WishValue,
    wish_value_to_json,
)

MASKED = "(not shown)"
"""What stands for the values of variables wherever an action is shown: they may be secrets."""


def action_to_json(action: Action) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "id": action.id,
        "address": str(action.address),
        "verb": str(action.verb),
        "parameters": dict(action.parameters),
        "reason": action.reason,
        "risk": str(action.risk),
        "requires": list(action.requires),
        "precondition": dict(action.precondition),
        "goal": dict(action.goal),
        "estimate_s": action.estimate_s,
        "send_if": str(action.send_if),
        "max_requests": action.max_requests,
        "ready": {"timeout_s": action.ready.timeout_s, "hold_s": action.ready.hold_s},
    }
    if action.traffic_percent is not None:
        shown["traffic_percent"] = action.traffic_percent
    if action.brings:
        shown["brings"] = [_brought_to_json(one) for one in action.brings]
    return shown


def action_to_shown_json(action: Action) -> dict[str, Json]:
    """The action as it is shown: without the values of its variables."""
    return action_to_json(replace(action, parameters=_masked(action.parameters)))


def _masked(parameters: Mapping[str, Json]) -> Mapping[str, Json]:
    env = parameters.get("env")
    return {**parameters, "env": dict.fromkeys(env, MASKED)} if isinstance(env, dict) else parameters


def action_from_fields(fields: Fields) -> Action:
    ready = fields.child("ready")
    return Action(
        id=fields.text("id"),
        address=fields.address("address"),
        verb=fields.choice("verb", Verb),
        parameters=fields.mapping("parameters"),
        reason=fields.text("reason"),
        risk=fields.choice("risk", Risk),
        requires=fields.texts("requires"),
        precondition=fields.mapping("precondition"),
        goal=fields.mapping("goal"),
        estimate_s=fields.integer("estimate_s", minimum=0),
        traffic_percent=fields.optional_integer("traffic_percent"),
        send_if=fields.choice("send_if", SendIf),
        max_requests=fields.integer("max_requests", minimum=1),
        ready=Ready(ready.integer("timeout_s", minimum=0), ready.integer("hold_s", minimum=0)),
        brings=tuple(
            Brought(one.text("path"), one.text("how"), one.raw("before"), one.raw("after"))
            for one in (fields.children("brings") if fields.has("brings") else ())
        ),
    )


def _brought_to_json(one: Brought) -> dict[str, Json]:
    sides: dict[str, Json] = {"before": one.before, "after": one.after}
    return {"path": one.path, "how": one.how, **({} if one.before is one.after is None else sides)}


def update_to_json(update: WishUpdate) -> dict[str, Json]:
    return {"field": update.field, "value": wish_value_to_json(update.value), "after": list(update.after)}


def update_from_fields(fields: Fields) -> WishUpdate:
    field = fields.text("field")
    value: WishValue = None
    if field not in (VERSION_FIELD, REPLICAS_FIELD, STATE_FIELD, RESTART_FIELD, DEPLOYED_FIELD):
        fields.fail("field", "must be version, replicas, state, restart or deployed")
    if not fields.has("value"):
        pass
    elif field == VERSION_FIELD:
        value = read_picture(fields.child("value"))
    elif field == REPLICAS_FIELD:
        value = read_replicas(fields, "value")
    elif field == DEPLOYED_FIELD:
        value = read_deployed(fields.child("value"))
    else:
        value = fields.text("value")
        if field == STATE_FIELD and value not in ("running", "stopped"):
            fields.fail("value", "must be running or stopped")
    return WishUpdate(field, value, fields.texts("after"))
