"""The three-way comparison of one component: desired against the recorded wish against what is observed.

Owns the cause of every difference and the field changes a reviewer reads. It must not choose actions: the
planner does, and it may ask for a cause only here, so that no cause depends on what is done about it.

    d matches o          no cause          d = wish, o differs   drift
    no wish yet          adopt             wish = o, d differs   manifest
                                           all three differ      both
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from statetool.core.canonical import canonical_text, replicas_to_json
from statetool.core.model import (
    GRAY_FIELD,
    REPLICAS_FIELD,
    RESTART_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Closer,
    Desired,
    Json,
    Observed,
    PowerState,
    Recorded,
    ReplicaRange,
    Replicas,
    StatusClass,
    VersionPicture,
    Wish,
    nearest_number,
)
from statetool.core.picture import differs_in_rule_only, matches, open_release, picture_paths, version_picture
from statetool.core.plan import Cause, FieldChange
from statetool.core.sent_along import is_recorded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One managed field. `cause` is None where desired matches observed.

    `comparable` is False while the platform's status hides the value: then `cause` only tells whether the
    wish moved. `permission` names the lifecycle.drift field that allows drift to be put back. `unrecorded`
    says that the state does not hold the desired value yet. `is_enforced` is True of a floor that is not met: it
    leads to an action whatever the cause.
    """

    field: str
    cause: Cause | None
    comparable: bool
    permission: str
    unrecorded: bool
    changes: tuple[FieldChange, ...]
    is_enforced: bool = False


@dataclass(frozen=True, slots=True)
class ComponentDiff:
    """All of one component: its managed fields by name, the fields released, and how many ignores hid something."""

    fields: dict[str, FieldDiff]
    released: tuple[str, ...]
    ignored: int
    picture: VersionPicture


def needs_closer_look(desired: Desired, recorded: Recorded | None, observed: Observed) -> bool:
    """Whether a list row is not enough to plan this component, so that detail and records must be read.

    True for a gray release of a managed component, also one that may have failed half way, for a version that
    differs, for a replica number that changed while the status hides the real one, and for variables and resources
    of which the state does not say that they were sent.
    """
    wish = desired.wish
    if observed.may_be_releasing:
        return wish.picture is not None or wish.replicas is not None
    if wish.picture is not None and not matches(wish.picture, version_picture(observed, recorded)):
        return observed.status_class is not StatusClass.BUSY
    is_known = is_recorded(desired, recorded, observed.row_version) or observed.status_class is StatusClass.BUSY
    if not is_known and (desired.deploy.env or desired.deploy.resources):
        return True
    replicas_moved = recorded is None or recorded.wish.replicas != wish.replicas
    starts = wish.state == "running"
    return observed.status_class is StatusClass.STOPPED and wish.replicas is not None and (replicas_moved or starts)


def diff_component(desired: Desired, recorded: Recorded | None, observed: Observed) -> ComponentDiff:
    """Compare every managed field of one component.

    `observed.closer` must be there where `needs_closer_look` says so.
    """
    picture = version_picture(observed, recorded)
    wish = recorded.wish if recorded else None
    diffs: list[FieldDiff] = []
    if desired.wish.picture is not None:
        diffs.append(_diff_version(desired.wish.picture, wish, picture, observed))
    if desired.wish.replicas is not None:
        diffs.append(_diff_replicas(desired.wish.replicas, wish, observed))
    if desired.wish.state is not None:
        diffs.append(_diff_state(desired.wish.state, wish, observed))
    if desired.wish.restart is not None:
        diffs.append(_diff_restart(desired.wish.restart, wish))
    kept = [diff for diff in diffs if not _is_ignored(diff, desired.lifecycle.ignore)]
    hidden = [diff for diff in diffs if diff not in kept and diff.cause is not None]
    return ComponentDiff(
        fields={diff.field: diff for diff in kept},
        released=_released(desired, wish),
        ignored=len(hidden),
        picture=picture,
    )


def observed_state(observed: Observed) -> PowerState | None:
    """Running or stopped as observed; None while a job moves it. Only STOPPED counts as stopped."""
    if observed.status_class is StatusClass.BUSY:
        return None
    return "stopped" if observed.status_class is StatusClass.STOPPED else "running"


def picture_changes(
    before: VersionPicture, after: VersionPicture, cause: Cause, wish: VersionPicture | None = None
) -> tuple[FieldChange, ...]:
    """The paths in which two version pictures differ, stable version first. `wish` is shown for cause both."""
    old, new = picture_paths(before), picture_paths(after)
    if differs_in_rule_only(after, before):
        # A stable version that can't be told is no difference where the gray release is the same.
        old["version"] = new["version"]
    if canonical_text(dict(old)) == canonical_text(dict(new)):
        return ()
    last = picture_paths(wish) if wish is not None and cause is Cause.BOTH else {}
    paths = _differing_paths(old, new)
    return tuple(FieldChange(path, old.get(path), new.get(path), cause, last.get(path)) for path in paths)


def _differing_paths(old: dict[str, Json], new: dict[str, Json]) -> list[str]:
    if set(old) == set(new) == {"version"}:
        return ["version"]
    # Loaded here: DeepDiff costs milliseconds a call, and only gray releases have something nested to compare.
    from deepdiff import DeepDiff

    # Without threshold 0 a small map with one changed leaf is reported as replaced whole.
    found = DeepDiff(old, new, view="tree", ignore_order=True, threshold_to_diff_deeper=0)
    roots = {str(level.path(output_format="list")[0]) for group in found.values() for level in group}
    return sorted(roots, key=lambda path: (path != "version", path))


def _cause_of(
    wanted: T, wish: T | None, matches_observed: Callable[[T], bool], comparable: bool
) -> tuple[Cause | None, bool]:
    """The ordered rule of the module docstring, and whether the wish is yet to be recorded."""
    unrecorded = wish is None or wish != wanted
    if not comparable:
        if not unrecorded:
            return None, False
        return (Cause.ADOPT if wish is None else Cause.MANIFEST), True
    if matches_observed(wanted):
        return None, unrecorded
    if wish is None:
        return Cause.ADOPT, True
    if wish == wanted:
        return Cause.DRIFT, False
    return (Cause.MANIFEST if matches_observed(wish) else Cause.BOTH), True


def _diff_version(wanted: VersionPicture, wish: Wish | None, seen: VersionPicture, observed: Observed) -> FieldDiff:
    comparable = observed.status_class is not StatusClass.BUSY
    recorded = wish.picture if wish else None
    cause, unrecorded = _cause_of(wanted, recorded, lambda value: matches(value, seen), comparable)
    only_rule = differs_in_rule_only(wanted, seen)
    shown = seen if comparable else (recorded or seen)
    if cause is not None:
        # Nothing may differ in what is shown: while a job runs, or a candidate has all traffic but is not promoted.
        changes = picture_changes(shown, wanted, cause, recorded) or _recorded_only(recorded, wanted)
    else:
        changes = _recorded_only(recorded, wanted) if unrecorded else ()
    permission = GRAY_FIELD if only_rule else VERSION_FIELD
    return FieldDiff(VERSION_FIELD, cause, comparable, permission, unrecorded, changes)


def _recorded_only(recorded: VersionPicture | None, wanted: VersionPicture) -> tuple[FieldChange, ...]:
    """Desired already serves: list what the state did not hold yet, before and after alike."""
    cause = Cause.ADOPT if recorded is None else Cause.MANIFEST
    new = picture_paths(wanted)
    old: dict[str, Json] = picture_paths(recorded) if recorded else {}
    return tuple(FieldChange(path, value, value, cause) for path, value in new.items() if old.get(path) != value)


def _diff_replicas(wanted: Replicas, wish: Wish | None, observed: Observed) -> FieldDiff:
    # During a gray release, also a failed one, the platform counts the instances of both versions.
    comparable = observed.status_class in (StatusClass.READY, StatusClass.FAILED) and open_release(observed) is None
    recorded = wish.replicas if wish else None
    seen = observed.replicas
    cause, unrecorded = _cause_of(wanted, recorded, lambda value: nearest_number(value, seen) == seen, comparable)
    before = seen if comparable else _configured(observed.closer, seen)
    # Where nothing is sent, the range itself is what the state learns.
    after = replicas_to_json(wanted) if cause is None else nearest_number(wanted, before)
    last = replicas_to_json(recorded) if recorded is not None else None
    diff = _scalar_diff(REPLICAS_FIELD, cause, comparable, unrecorded, before, after, last)
    is_below = comparable and isinstance(wanted, ReplicaRange) and seen < wanted.min
    return replace(diff, is_enforced=is_below)


def _configured(closer: Closer | None, otherwise: int) -> int:
    if closer is None or closer.configured_replicas is None:
        return otherwise
    return closer.configured_replicas


def _diff_state(wanted: PowerState, wish: Wish | None, observed: Observed) -> FieldDiff:
    seen = observed_state(observed)
    recorded = wish.state if wish else None
    cause, unrecorded = _cause_of(wanted, recorded, lambda value: value == seen, seen is not None)
    # While a job hides it, what was wished last is the best that can be told.
    before = seen or recorded or wanted
    return _scalar_diff(STATE_FIELD, cause, seen is not None, unrecorded, before, wanted, recorded)


def _diff_restart(wanted: str, wish: Wish | None) -> FieldDiff:
    """A token has no observed value: an unrecorded component stores it, a recorded one restarts for a new one."""
    if wish is None:
        change = FieldChange(RESTART_FIELD, wanted, wanted, Cause.ADOPT)
        return FieldDiff(RESTART_FIELD, None, True, RESTART_FIELD, True, (change,))
    if wish.restart == wanted:
        return FieldDiff(RESTART_FIELD, None, True, RESTART_FIELD, False, ())
    change = FieldChange(RESTART_FIELD, wish.restart, wanted, Cause.MANIFEST)
    return FieldDiff(RESTART_FIELD, Cause.MANIFEST, True, RESTART_FIELD, True, (change,))


def _scalar_diff(
    field: str, cause: Cause | None, comparable: bool, unrecorded: bool, before: Json, wanted: Json, recorded: Json
) -> FieldDiff:
    if cause is not None:
        last = recorded if cause is Cause.BOTH else None
        changes: tuple[FieldChange, ...] = (FieldChange(field, before, wanted, cause, last),)
    elif unrecorded:
        changes = (FieldChange(field, wanted, wanted, Cause.ADOPT if recorded is None else Cause.MANIFEST),)
    else:
        changes = ()
    return FieldDiff(field, cause, comparable, field, unrecorded, changes)


def _is_ignored(diff: FieldDiff, ignore: frozenset[str]) -> bool:
    if diff.field in ignore:
        return True
    is_about_rule = diff.field == VERSION_FIELD and diff.permission == GRAY_FIELD
    return is_about_rule and diff.cause is not None and GRAY_FIELD in ignore


def _released(desired: Desired, wish: Wish | None) -> tuple[str, ...]:
    """Recorded fields whose key left the manifest. A restart token is kept: it is history, not a value."""
    if wish is None:
        return ()
    pairs = (
        (VERSION_FIELD, wish.picture, desired.wish.picture),
        (REPLICAS_FIELD, wish.replicas, desired.wish.replicas),
        (STATE_FIELD, wish.state, desired.wish.state),
    )
    return tuple(field for field, recorded, wanted in pairs if recorded is not None and wanted is None)


def released_change(field: str, recorded: Recorded, observed: Observed) -> FieldChange:
    """How a released field is listed: observed value before, nothing after."""
    before: Json = {
        VERSION_FIELD: version_picture(observed, recorded).stable,
        REPLICAS_FIELD: observed.replicas,
        STATE_FIELD: observed_state(observed),
    }[field]
    return FieldChange(field, before, None, Cause.MANIFEST)
