"""One component explained: where its wanted values come from, what is recorded and observed, and what decided.

Owns the value that `statetool explain` shows, and which component an address means. It must not decide anything:
cause, actions and findings are those of the plan, and why in words is `reasons.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from statetool.core import reasons
from statetool.core.canonical import canonical_text, wish_to_json
from statetool.core.diff import ComponentDiff, FieldDiff, diff_component, observed_state
from statetool.core.journal import OpenOperation
from statetool.core.locating import ambiguous, names
from statetool.core.matching import Matching, match_components
from statetool.core.model import (
    REPLICAS_FIELD,
    RESTART_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Address,
    Desired,
    Json,
    Observed,
    Origin,
    Recorded,
    Rejection,
    Wish,
)
from statetool.core.permission import may_change
from statetool.core.picture import picture_paths, version_picture
from statetool.core.plan import Action, Blocked, Cause, Finding, HeldBack, Kind, LeftAlone, Plan, WishUpdate
from statetool.core.planner import ComponentPlan, plan_component
from statetool.core.sequence import PlanRules
from statetool.errors import StatetoolError

T = TypeVar("T")

FIELDS = (VERSION_FIELD, REPLICAS_FIELD, STATE_FIELD, RESTART_FIELD)
"""All that a manifest can manage, in the order in which it is told."""


class FieldStatus(StrEnum):
    """What the manifest has to do with a field. RELEASED: it managed it, and the state still holds the wish."""

    MANAGED = "managed"
    IGNORED = "ignored"
    RELEASED = "released"
    NOT_MANAGED = "not_managed"


@dataclass(frozen=True, slots=True)
class Subject:
    """The component that is explained, as far as it is wanted, recorded and observed."""

    address: Address
    desired: Desired | None = None
    recorded: Recorded | None = None
    observed: Observed | None = None
    moved_from: Address | None = None


@dataclass(frozen=True, slots=True)
class PathValues:
    """One path of a field three times; None: there is no such value. `cause` where the plan takes it to differ."""

    path: str
    wanted: Json
    recorded: Json
    observed: Json
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class FieldExplanation:
    """One field. `rule` says in words why the cause is what it is; `row` is that of the version picture."""

    field: str
    status: FieldStatus
    values: tuple[PathValues, ...]
    cause: Cause | None
    rule: str
    row: str | None = None


@dataclass(frozen=True, slots=True)
class Decided(Generic[T]):
    """Something a plan holds, with the row of the tables that decided it; None where that is not told."""

    entry: T
    row: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of one component at the instant `at`.

    `written` holds the origin of every value the manifest writes, by path. `records` are the wishes an apply would
    write down. `needed_by` are the components that depend on it. `ended_outside` is a version found to be taken back
    behind our back. `may_change` is False where mode observe keeps the application as it is. `operations` are what an
    interrupted run left open of it.
    """

    subject: Subject
    at: str
    fields: tuple[FieldExplanation, ...]
    written: Mapping[str, Origin]
    kind: Kind | None
    records: tuple[WishUpdate, ...]
    actions: tuple[Decided[Action], ...]
    held_back: tuple[Decided[HeldBack], ...]
    left_alone: tuple[Decided[LeftAlone], ...]
    findings: tuple[Decided[Finding], ...]
    blocked: Blocked | None
    ended_outside: Rejection | None
    needed_by: tuple[Address, ...]
    may_change: bool
    operations: tuple[OpenOperation, ...] = ()


# Which component is meant


def find_subject(
    address: Address,
    desired: Iterable[Desired],
    recorded: Mapping[Address, Recorded],
    observed: Sequence[Observed],
) -> Subject:
    """The component an address means: as manifests or state write it, else as the platform calls it.

    Raises StatetoolError for none, with near names, and for several.
    """
    subjects = _subjects(match_components(desired, recorded, observed), observed)
    exact = next((subject for subject in subjects if subject.address == address), None)
    if exact is not None:
        return exact
    found = [subject for subject in subjects if _is_meant(address, subject)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ambiguous(address, [subject.address for subject in found])
    known = sorted({str(subject.address) for subject in subjects})
    near = difflib.get_close_matches(str(address), known, n=3)
    raise StatetoolError(
        f"neither manifests nor state nor the applications they name have a component {address}",
        code="component_not_found",
        address=str(address),
        hint=f"did you mean {' or '.join(near)}?" if near else "`statetool plan --show-unmanaged` lists what there is",
    )


def _subjects(matching: Matching, observed: Sequence[Observed]) -> list[Subject]:
    """Everything there is: what is wanted first, then what is only recorded, then what is only observed."""
    by_id = {entry.component_id: entry for entry in observed}
    subjects = [
        Subject(pair.desired.address, pair.desired, pair.recorded, pair.observed, pair.moved_from)
        for pair in matching.pairs
    ]
    subjects += [Subject(r.address, None, r, by_id.get(r.component_id)) for r in matching.left_manifest]
    return subjects + [Subject(entry.address, observed=entry) for entry in matching.unmanaged]


def _is_meant(address: Address, subject: Subject) -> bool:
    own = subject.address
    if subject.moved_from == address:
        return True
    if subject.observed is not None and names(address, subject.observed):
        return True
    return address.environment is None and (own.application, own.component) == (address.application, address.component)


# The explanation


def build_explanation(
    subject: Subject,
    desired: Sequence[Desired],
    plan: Plan,
    rules: PlanRules,
    operations: Iterable[OpenOperation] = (),
) -> Explanation:
    """Explain one component by the plan of its whole project, which `rules` were asked for.

    `operations` are all that are open.
    """
    address, wanted, observed = subject.address, subject.desired, subject.observed
    diff, component = None, ComponentPlan()
    if wanted is not None and observed is not None:
        # Planned once more, alone: the plan of a project does not keep the row of the version picture.
        diff = diff_component(wanted, subject.recorded, observed)
        component = plan_component(wanted, subject.recorded, observed, rules, subject.moved_from)
    change = next((entry for entry in plan.changes if entry.address == address), None)
    return Explanation(
        subject=subject,
        at=plan.created_at,
        fields=tuple(_explain_field(name, subject, diff, component.version_row) for name in FIELDS),
        written=dict(wanted.marks) if wanted is not None else {},
        kind=change.kind if change is not None else None,
        records=change.updates if change is not None else (),
        actions=_decided_actions(subject, plan, component.version_row),
        held_back=tuple(Decided(e, reasons.held_back_row(e.code)) for e in plan.held_back if e.address == address),
        left_alone=_decided_left_alone(subject, diff, plan, rules),
        findings=tuple(
            Decided(f, reasons.finding_row(f, component.version_row, is_of_component=f in component.findings))
            for f in plan.findings
            if f.address in (address, None)
        ),
        blocked=next((entry for entry in plan.blocked if entry.address == address), None),
        ended_outside=next((entry.rejection for entry in plan.rejections if entry.address == address), None),
        needed_by=tuple(entry.address for entry in desired if address in entry.depends_on),
        may_change=observed is None or may_change(rules.managed, observed.address.application, observed.application_id),
        operations=tuple(one for one in operations if _is_about(one, subject)),
    )


def _is_about(operation: OpenOperation, subject: Subject) -> bool:
    known = (entry.component_id for entry in (subject.observed, subject.recorded) if entry is not None)
    return operation.address == subject.address or operation.intent.known.component_id in known


def _decided_actions(subject: Subject, plan: Plan, version_row: str | None) -> tuple[Decided[Action], ...]:
    wanted, observed = subject.desired, subject.observed
    if wanted is None or observed is None:
        return ()
    return tuple(
        Decided(action, reasons.action_row(action, wanted.wish, observed, version_row))
        for action in plan.actions
        if action.address == subject.address
    )


def _decided_left_alone(
    subject: Subject, diff: ComponentDiff | None, plan: Plan, rules: PlanRules
) -> tuple[Decided[LeftAlone], ...]:
    wanted = subject.desired
    if wanted is None or diff is None:
        return ()
    decided = []
    for entry in plan.left_alone:
        if entry.address == subject.address:
            fd = diff.fields.get(reasons.field_of_path(entry.path))
            permission = fd.permission if fd is not None else entry.path
            permitted = rules.permits_drift(wanted, permission)
            decided.append(Decided(entry, reasons.left_alone_row(permission, entry.kept_by, is_permitted=permitted)))
    return tuple(decided)


def _explain_field(
    name: str, subject: Subject, diff: ComponentDiff | None, version_row: str | None
) -> FieldExplanation:
    wanted = _of_field(name, _wanted_paths(subject.desired))
    recorded = _of_field(name, _wish_paths(subject.recorded.wish) if subject.recorded else {})
    fd = diff.fields.get(name) if diff is not None else None
    observed = _of_field(name, _observed_paths(subject, fd))
    status, rule = _status_and_rule(name, subject, diff, is_recorded=bool(recorded))
    differing = _differing(fd)
    return FieldExplanation(
        field=name,
        status=status,
        values=tuple(
            PathValues(path, wanted.get(path), recorded.get(path), observed.get(path), differing.get(path))
            for path in dict.fromkeys((*wanted, *recorded, *observed, name))
        ),
        cause=fd.cause if fd is not None else None,
        rule=rule,
        row=version_row if name == VERSION_FIELD else None,
    )


def _status_and_rule(
    name: str, subject: Subject, diff: ComponentDiff | None, *, is_recorded: bool
) -> tuple[FieldStatus, str]:
    wanted, observed = subject.desired, subject.observed
    if wanted is None:
        if is_recorded:
            return FieldStatus.RELEASED, reasons.LEFT_MANIFEST
        return FieldStatus.NOT_MANAGED, reasons.NOT_MANAGED
    if name not in _managed_fields(wanted.wish):
        if is_recorded and name != RESTART_FIELD:
            return FieldStatus.RELEASED, reasons.RELEASED
        is_auto = name == REPLICAS_FIELD and name in wanted.marks
        return FieldStatus.NOT_MANAGED, reasons.NOBODYS if is_auto else reasons.NOT_MANAGED
    if diff is None or observed is None:
        return FieldStatus.MANAGED, reasons.NOT_OBSERVED
    fd = diff.fields.get(name)
    if fd is None:
        return FieldStatus.IGNORED, reasons.IGNORED
    return FieldStatus.MANAGED, reasons.cause_rule(fd, wanted.wish, observed, diff.picture)


def _managed_fields(wish: Wish) -> set[str]:
    told = {VERSION_FIELD: wish.picture, REPLICAS_FIELD: wish.replicas, STATE_FIELD: wish.state}
    return {name for name, value in {**told, RESTART_FIELD: wish.restart}.items() if value is not None}


def _differing(fd: FieldDiff | None) -> dict[str, Cause]:
    if fd is None or fd.cause is None:
        return {}
    return {c.path: c.cause for c in fd.changes if canonical_text(c.before) != canonical_text(c.after)}


def _of_field(name: str, values: Mapping[str, Json]) -> dict[str, Json]:
    return {path: value for path, value in values.items() if reasons.field_of_path(path) == name}


def _wish_paths(wish: Wish) -> dict[str, Json]:
    spelled = wish_to_json(wish)
    paths = picture_paths(wish.picture) if wish.picture is not None else {}
    return paths | {name: spelled[name] for name in (REPLICAS_FIELD, STATE_FIELD, RESTART_FIELD) if name in spelled}


def _wanted_paths(desired: Desired | None) -> dict[str, Json]:
    """The wish, and what its versions are to run from where the manifest says it."""
    if desired is None:
        return {}
    paths = _wish_paths(desired.wish)
    deploy = desired.deploy
    if deploy.artifact is not None:
        paths[deploy.artifact.kind] = deploy.artifact.url
    if deploy.candidate_artifact is not None:
        paths[f"gray.{deploy.candidate_artifact.kind}"] = deploy.candidate_artifact.url
    return paths


def _observed_paths(subject: Subject, replicas: FieldDiff | None) -> dict[str, Json]:
    """What is seen; the configured number of instances where the status hides the one that counts."""
    observed, desired = subject.observed, subject.desired
    if observed is None:
        return {}
    paths = picture_paths(version_picture(observed, subject.recorded))
    closer = observed.closer
    artifact = (closer.artifact if closer is not None else None) or observed.artifact
    if artifact is not None and desired is not None and desired.deploy.artifact is not None:
        paths[artifact.kind] = artifact.url
    is_hidden = replicas is not None and replicas.field == REPLICAS_FIELD and not replicas.comparable
    configured = closer.configured_replicas if closer is not None else None
    paths[REPLICAS_FIELD] = configured if is_hidden and configured is not None else observed.replicas
    state = observed_state(observed)
    return paths if state is None else {**paths, STATE_FIELD: state}
