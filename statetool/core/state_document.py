"""Spelling of the recorded state as a document, both ways.

Owns the keys of the state file and what is wrong with a document that is none. What the state means, and how it
changes, is `state.py`. It must not read or write files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from statetool.core.canonical import gray_to_json, wish_to_json
from statetool.core.document import (
    DocumentError,
    Fields,
    ensure_format,
    parse_address,
    read_deployed,
    read_gray,
    read_picture,
    read_rejection,
    read_replicas,
    rejection_to_json,
)
from statetool.core.model import (
    Address,
    AppliedFrom,
    Drifted,
    Json,
    PowerState,
    Recorded,
    Seen,
    VersionEntry,
    Wish,
)
from statetool.core.state import Overridden, StateFile
from statetool.errors import StateUnreadable

FORMAT_VERSION = "1.0"
FORMAT_MAJOR = 1


def state_to_document(state: StateFile) -> dict[str, Json]:
    """The state file's document; components in the order of their addresses."""
    ordered = sorted(state.components.items(), key=lambda item: item[0].sort_key)
    return {
        **state_header(state),
        "components": {str(address): recorded_to_json(recorded) for address, recorded in ordered},
    }


def state_header(state: StateFile) -> dict[str, Json]:
    """Everything of the document but its components."""
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": state.tool_version,
        "lineage": state.lineage,
        "serial": state.serial,
        "fence": state.fence,
        "overridden": [
            {"at": e.at, "run_id": e.run_id, "by": e.by, "codes": list[Json](e.codes)} for e in state.overridden
        ],
        **({"moved_to": state.moved_to} if state.moved_to is not None else {}),
    }


def recorded_to_json(recorded: Recorded) -> dict[str, Json]:
    """One component of the document, without its address."""
    source = recorded.applied_from
    return {
        "component_id": recorded.component_id,
        "application_id": recorded.application_id,
        "environment_id": recorded.environment_id,
        "wish": wish_to_json(recorded.wish),
        "applied_at": recorded.applied_at,
        "applied_from": {"commit": source.commit, "dirty": source.dirty, "run_url": source.run_url},
        "run_id": recorded.run_id,
        "seen": _seen_to_json(recorded.seen) if recorded.seen else None,
        "drifted": {
            path: {"last_right_at": entry.last_right_at, "first_wrong_at": entry.first_wrong_at}
            for path, entry in sorted(recorded.drifted.items())
        },
        "history": [{"version": e.version, "at": e.at, "verb": e.verb} for e in recorded.history],
        "rejected": [rejection_to_json(entry) for entry in recorded.rejected],
    }


def state_from_document(document: Mapping[str, Json]) -> StateFile:
    """The state a document holds. Raises StateUnreadable naming the path of what is wrong."""
    try:
        ensure_format(document, major=FORMAT_MAJOR)
        fields = Fields(dict(document))
        components = [
            _read_recorded(parse_address(key, ("components", key)), member)
            for key, member in fields.members("components")
        ]
        return StateFile(
            lineage=_read_lineage(fields),
            serial=fields.integer("serial", minimum=0),
            fence=fields.integer("fence", minimum=0),
            tool_version=fields.text("tool_version"),
            components={recorded.address: recorded for recorded in components},
            overridden=_read_overridden(fields) if fields.has("overridden") else (),
            moved_to=fields.optional_text("moved_to") if fields.has("moved_to") else None,
        )
    except DocumentError as error:
        raise StateUnreadable(error.message, hint=error.hint) from None


def _read_lineage(fields: Fields) -> str:
    lineage = fields.text("lineage")
    if not lineage.isprintable():  # a database could not keep it, as a value of its own
        fields.fail("lineage", "must be text that can be shown")
    return lineage


def _seen_to_json(seen: Seen) -> dict[str, Json]:
    return {
        "version": seen.version,
        "replicas": seen.replicas,
        "available_replicas": seen.available_replicas,
        "status": seen.status,
        "last_job_id": seen.last_job_id,
        "gray": gray_to_json(seen.gray) if seen.gray else None,
        "at": seen.at,
    }


def recorded_from_fields(key: str, fields: Fields) -> Recorded:
    """One component of a document, whose `key` is its address. Raises DocumentError."""
    return _read_recorded(parse_address(key, (key,)), fields)


def _read_recorded(address: Address, fields: Fields) -> Recorded:
    seen = fields.optional_child("seen")
    source = fields.optional_child("applied_from")
    return Recorded(
        address=address,
        component_id=fields.text("component_id"),
        application_id=fields.text("application_id"),
        environment_id=fields.optional_text("environment_id"),
        wish=_read_wish(fields.child("wish")),
        seen=_read_seen(seen) if seen else None,
        drifted=_read_drifted(fields) if fields.has("drifted") else {},
        applied_at=fields.optional_text("applied_at"),
        applied_from=_read_source(source) if source else AppliedFrom(),
        run_id=fields.optional_text("run_id"),
        history=tuple(
            VersionEntry(entry.text("version"), entry.text("at"), entry.text("verb"))
            for entry in fields.children("history")
        ),
        rejected=tuple(read_rejection(entry) for entry in fields.children("rejected")),
    )


def _read_overridden(fields: Fields) -> tuple[Overridden, ...]:
    return tuple(
        Overridden(entry.text("at"), entry.text("run_id"), entry.text("by"), entry.texts("codes"))
        for entry in fields.children("overridden")
    )


def _read_wish(fields: Fields) -> Wish:
    state = fields.optional_text("state")
    if state not in (None, "running", "stopped"):
        fields.fail("state", "must be running or stopped")
    managed = fields.has("version") or fields.has("gray")
    return Wish(
        picture=read_picture(fields) if managed else None,
        replicas=read_replicas(fields, "replicas") if fields.has("replicas") else None,
        state=cast("PowerState | None", state),
        restart=fields.optional_text("restart"),
        deployed=read_deployed(fields.child("deployed")) if fields.has("deployed") else None,
    )


def _read_seen(fields: Fields) -> Seen:
    return Seen(
        at=fields.text("at"),
        version=fields.optional_text("version"),
        replicas=fields.optional_integer("replicas"),
        available_replicas=fields.optional_integer("available_replicas"),
        status=fields.text("status"),
        last_job_id=fields.optional_text("last_job_id"),
        gray=read_gray(fields),
    )


def _read_drifted(fields: Fields) -> dict[str, Drifted]:
    return {
        path: Drifted(entry.optional_text("last_right_at"), entry.text("first_wrong_at"))
        for path, entry in fields.members("drifted")
    }


def _read_source(fields: Fields) -> AppliedFrom:
    return AppliedFrom(fields.optional_text("commit"), fields.optional_flag("dirty"), fields.optional_text("run_url"))
