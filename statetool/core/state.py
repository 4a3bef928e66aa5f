"""The recorded state: its content, its transitions, and its spelling as a document.

Owns what the state says of each component: the wish last applied and what was last seen (semantics: two
memories). Every transition takes a state and returns one; where nothing would change it returns the very same
object, so that a serial never grows for nothing. It must not read or write anything (that is `backends/`), nor
decide what is wished (that is the plan).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from statetool.core.canonical import gray_to_json, wish_to_json
from statetool.core.deploy import Deployed
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
from statetool.core.drifted import drifted_after
from statetool.core.model import (
    DEPLOYED_FIELD,
    GRAY_FIELD,
    REPLICAS_FIELD,
    RESTART_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Address,
    AppliedFrom,
    Drifted,
    Json,
    PowerState,
    Recorded,
    Rejection,
    ReplicaRange,
    Seen,
    VersionEntry,
    VersionPicture,
    Wish,
)
from statetool.core.plan import Change, Kind, WishUpdate
from statetool.errors import StateError, StateUnreadable

FORMAT_VERSION = "1.0"
FORMAT_MAJOR = 1
HISTORY_LIMIT = 20
OVERRIDES_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Overridden:
    """One run that let denies through with --override. `by` is user@host, `codes` are sorted."""

    at: str
    run_id: str
    by: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StateFile:
    """A whole state. `lineage` is its identity for life; `serial` counts stored contents, 0 before the first;
    `fence` is that of the lock under which it was stored. `overridden` has the newest last.
    """

    lineage: str
    serial: int
    fence: int
    tool_version: str
    components: Mapping[Address, Recorded] = field(default_factory=dict)
    overridden: tuple[Overridden, ...] = ()


def new_state(lineage: str, tool_version: str) -> StateFile:
    """An empty state that was not stored yet."""
    return StateFile(lineage=lineage, serial=0, fence=0, tool_version=tool_version)


def record_component(state: StateFile, change: Change, *, run_id: str, at: str, applied_from: AppliedFrom) -> StateFile:
    """What a change says about the component's record itself, apart from its wish.

    Adopting makes a record, anew where the address now means another component; moving renames the key and keeps
    everything; forgetting removes the record; an update refreshes the ids.
    """
    if change.kind is Kind.FORGET:
        return _without(state, change.address)
    if change.kind is Kind.MOVE and change.moved_from is not None and change.moved_from in state.components:
        moved = state.components[change.moved_from]
        rest = _without(state, change.moved_from)
        return _with(rest, _with_ids(replace(moved, address=change.address), change))
    recorded = state.components.get(change.address)
    replaced = recorded is not None and change.kind is Kind.ADOPT and recorded.component_id != change.component_id
    if recorded is not None and not replaced:
        return _with(state, _with_ids(recorded, change))
    fresh = Recorded(
        address=change.address,
        component_id=change.component_id,
        application_id=change.application_id,
        environment_id=change.environment_id,
        wish=Wish(),
        applied_at=at,
        applied_from=applied_from,
        run_id=run_id,
    )
    return _with(state, fresh)


def apply_wish_update(
    state: StateFile, address: Address, update: WishUpdate, *, at: str, run_id: str, applied_from: AppliedFrom
) -> StateFile:
    """Record or release one wished field. Raises StateError where the component has no record.

    What was known of the field's drift ends with the wish it was measured against. Wishing what is wished already
    is no change: then `applied_at` and its companions keep telling when that wish came about.
    """
    recorded = _recorded(state, address)
    paths = (VERSION_FIELD, GRAY_FIELD) if update.field == VERSION_FIELD else (update.field,)
    wish = _updated_wish(recorded.wish, update)
    drifted = {path: entry for path, entry in recorded.drifted.items() if path not in paths}
    if wish == recorded.wish and drifted == recorded.drifted:
        return state
    changed = replace(recorded, wish=wish, drifted=drifted, applied_at=at, applied_from=applied_from, run_id=run_id)
    return _with(state, changed)


def record_seen(state: StateFile, address: Address, seen: Seen) -> StateFile:
    """Remember what was observed, and since when a wished field is wrong. Never touches a wish.

    Raises StateError where the component has no record.
    """
    recorded = _recorded(state, address)
    drifted = drifted_after(recorded, seen)
    before = recorded.seen
    # What was cleared and runs again can be ended again.
    runs = {seen.version, seen.gray.version if seen.gray else None}
    rejected = tuple(entry for entry in recorded.rejected if entry.cleared is None or entry.version not in runs)
    now = replace(recorded, seen=seen, drifted=drifted, rejected=rejected)
    if before is not None and now == replace(recorded, seen=replace(before, at=seen.at)):
        return state
    return _with(state, now)


def record_version_change(state: StateFile, address: Address, entry: VersionEntry) -> StateFile:
    """Add a version change to the history: oldest first, the newest 20 are kept."""
    recorded = _recorded(state, address)
    if recorded.history and recorded.history[-1] == entry:
        return state
    return _with(state, replace(recorded, history=(*recorded.history, entry)[-HISTORY_LIMIT:]))


def record_rejection(state: StateFile, address: Address, rejection: Rejection) -> StateFile:
    """Keep a version from returning by itself. One rejection a version; the one recorded last stands."""
    recorded = _recorded(state, address)
    if rejection in recorded.rejected:
        return state
    others = tuple(entry for entry in recorded.rejected if entry.version != rejection.version)
    return _with(state, replace(recorded, rejected=(*others, rejection)))


def record_overridden(state: StateFile, entry: Overridden) -> StateFile:
    """Remember a run that was let through: the newest 50 are kept."""
    if entry in state.overridden:
        return state
    return replace(state, overridden=(*state.overridden, entry)[-OVERRIDES_LIMIT:])


def clear_rejection(state: StateFile, address: Address, version: str, reason: str) -> StateFile:
    """Let a version return. The same state comes back where it was not rejected."""
    recorded = _recorded(state, address)
    return _with(
        state,
        replace(
            recorded,
            rejected=tuple(
                replace(entry, cleared=reason) if entry.version == version and entry.cleared is None else entry
                for entry in recorded.rejected
            ),
        ),
    )


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
            lineage=fields.text("lineage"),
            serial=fields.integer("serial", minimum=0),
            fence=fields.integer("fence", minimum=0),
            tool_version=fields.text("tool_version"),
            components={recorded.address: recorded for recorded in components},
            overridden=_read_overridden(fields) if fields.has("overridden") else (),
        )
    except DocumentError as error:
        raise StateUnreadable(error.message, hint=error.hint) from None


def transform(
    state: StateFile, steps: Iterable[tuple[Collection[Address], Callable[[StateFile], StateFile]]]
) -> StateFile:
    """Many transitions at the cost of one copy. Each names the addresses it touches, and sees no others.

    The same state comes back where no step changed anything.
    """
    components = dict(state.components)
    is_changed = False
    for addresses, step in steps:
        part = replace(state, components={a: components[a] for a in addresses if a in components})
        after = step(part)
        if after is part:
            continue
        is_changed = True
        for address in addresses:
            components.pop(address, None)
        components.update(after.components)
    return replace(state, components=components) if is_changed else state


def _with(state: StateFile, recorded: Recorded) -> StateFile:
    if state.components.get(recorded.address) == recorded:
        return state
    return replace(state, components={**state.components, recorded.address: recorded})


def _without(state: StateFile, address: Address) -> StateFile:
    if address not in state.components:
        return state
    return replace(state, components={key: value for key, value in state.components.items() if key != address})


def _with_ids(recorded: Recorded, change: Change) -> Recorded:
    return replace(
        recorded,
        component_id=change.component_id,
        application_id=change.application_id,
        environment_id=change.environment_id,
    )


def _recorded(state: StateFile, address: Address) -> Recorded:
    recorded = state.components.get(address)
    if recorded is None:
        raise StateError(
            f"{address} is not in the state",
            code="not_recorded",
            address=str(address),
            hint="`statetool state list` shows what is recorded",
        )
    return recorded


def _updated_wish(wish: Wish, update: WishUpdate) -> Wish:
    value = update.value
    if update.field == VERSION_FIELD and (value is None or isinstance(value, VersionPicture)):
        return replace(wish, picture=value)
    if update.field == REPLICAS_FIELD and (value is None or isinstance(value, int | ReplicaRange)):
        return replace(wish, replicas=value)
    if update.field == STATE_FIELD and value in (None, "running", "stopped"):
        return replace(wish, state=cast("PowerState | None", value))
    if update.field == RESTART_FIELD and (value is None or isinstance(value, str)):
        return replace(wish, restart=value)
    if update.field == DEPLOYED_FIELD and (value is None or isinstance(value, Deployed)):
        return replace(wish, deployed=value)
    raise StateError(f"a plan can't record {update.field} as {type(value).__name__}", code="wish_update")


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
