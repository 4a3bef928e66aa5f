"""The recorded state: its content and its transitions.

Owns what the state says of each component: the wish last applied and what was last seen (semantics: two
memories). Every transition takes a state and returns one; where nothing would change it returns the very same
object, so that a serial never grows for nothing. It must not read or write anything (that is `backends/`), nor
decide what is wished (that is the plan).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from statetool.core.deploy import Deployed
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
from statetool.errors import StateError

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
    `fence` is that of the lock under which it was stored. `overridden` has the newest last. `moved_to` names the place
    that holds this state by now: what stands here then only leads there.
    """

    lineage: str
    serial: int
    fence: int
    tool_version: str
    components: Mapping[Address, Recorded] = field(default_factory=dict)
    overridden: tuple[Overridden, ...] = ()
    moved_to: str | None = None

    def holds_the_same_as(self, other: StateFile) -> bool:
        """Whether nothing differs but the counters and the tool that wrote it."""
        mine, others = (
            (self.components, self.overridden, self.moved_to),
            (
                other.components,
                other.overridden,
                other.moved_to,
            ),
        )
        return self.lineage == other.lineage and mine == others


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


def put_records(state: StateFile, records: Mapping[Address, Recorded]) -> StateFile:
    """The state with these components exactly so, as far as it has them at all. The same object where it has them so.

    A component that has left the state is not brought back.
    """
    changed = {a: r for a, r in records.items() if a in state.components and state.components[a] != r}
    return replace(state, components={**state.components, **changed}) if changed else state


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
