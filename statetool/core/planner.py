"""One component: which of its differences become actions, and which are left alone, held back or denied.

Owns the permission of every cause and the scope of a component's denies. Why fields differ is `diff.py`, the
rows of the version picture are `version_rows.py`, the actions in order are `sequence.py`, and the order across
components is `project.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from statetool.core.canonical import replicas_to_json
from statetool.core.chain import show
from statetool.core.diff import ComponentDiff, FieldDiff, diff_component, picture_changes
from statetool.core.drifted import drifted_after
from statetool.core.model import (
    GRAY_FIELD,
    REPLICAS_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Address,
    Desired,
    Json,
    Observed,
    Recorded,
    Rejection,
    ReplicaRange,
    StatusClass,
    VersionPicture,
    Wish,
    nearest_number,
)
from statetool.core.picture import configured_number, is_promoted, picture_paths, seen_of
from statetool.core.plan import Action, Cause, Change, FieldChange, Finding, HeldBack, LeftAlone, RejectionSeen, Risk
from statetool.core.rejection import find_ended_outside
from statetool.core.sent_along import warn_start_only
from statetool.core.sequence import ActionSequence, PlanRules
from statetool.core.situation import UNCORRECTED, Decision, Situation
from statetool.core.version_rows import decide_version, fold_warning


@dataclass(frozen=True, slots=True)
class ComponentPlan:
    """All that a plan says of one component. `change` is None where nothing is done or recorded.

    `is_compared` is False where there was no wish to compare with what is observed. `version_row` is the row of
    `version_rows.py` that decided about the version picture, in words; None where none was asked.
    """

    change: Change | None = None
    actions: tuple[Action, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    findings: tuple[Finding, ...] = ()
    rejection: RejectionSeen | None = None
    ignored: int = 0
    is_compared: bool = True
    version_row: str | None = None

    @property
    def is_denied(self) -> bool:
        return any(finding.severity == "deny" for finding in self.findings)

    @property
    def is_unchanged(self) -> bool:
        return self.is_compared and not (self.change or self.held_back or self.left_alone or self.is_denied)


def plan_component(
    desired: Desired, recorded: Recorded | None, observed: Observed, rules: PlanRules, moved_from: Address | None = None
) -> ComponentPlan:
    """The whole decision for one component. `observed.closer` must be there where diff.needs_closer_look says so."""
    diff = diff_component(desired, recorded, observed)
    rejection = find_ended_outside(recorded, observed, diff.picture, rules.now)
    acting = {name: fd for name, fd in diff.fields.items() if _leads_to_action(fd, desired, rules)}
    decision = _decide_version(desired, recorded, observed, diff, acting, rejection, rules)
    if rules.mode == "drift" and any(step.kind in UNCORRECTED for step in decision.steps):
        # It would bring something new, or finish somebody's release, by a timer.
        decision = Decision()
    if VERSION_FIELD in acting and acting[VERSION_FIELD].comparable and not (decision.steps or decision.is_deny):
        # There is nothing to send for it: what was changed outside is listed as such, permission or not.
        del acting[VERSION_FIELD]
    outside = [fd for name, fd in diff.fields.items() if name not in acting and _is_outside_change(fd, rules)]
    told = ComponentPlan(
        left_alone=_left_alone(desired.address, outside, diff.picture, recorded, observed, rules.now),
        findings=decision.findings,
        rejection=RejectionSeen(desired.address, rejection) if rejection else None,
        ignored=diff.ignored,
        version_row=decision.row,
    )
    if decision.is_deny:
        return told

    warnings = _warnings(desired, recorded, observed, diff, rules)
    both = _both_warnings(acting, diff.picture, recorded, desired)
    told = replace(told, findings=(*warnings, *both, *decision.findings))
    sequence = ActionSequence(desired, recorded, observed, diff, acting, rules)
    sequence.build(decision.steps)
    if sequence.revealed is not None:
        revealed = _left_alone(desired.address, [sequence.revealed], diff.picture, recorded, observed, rules.now)
        told = replace(told, left_alone=(*told.left_alone, *revealed))
    actions = tuple(sequence.chain.actions)
    protected = _check_protected(desired, actions, rules)
    if protected:
        return replace(told, findings=(*told.findings, protected))
    held_back = tuple(sequence.chain.held_back)
    if observed.status_class is StatusClass.FAILED and rules.mode == "normal" and not (actions or held_back):
        told = replace(told, findings=(*told.findings, _warn_failed(desired, observed)))
    return replace(told, change=sequence.change(moved_from), actions=actions, held_back=held_back)


def _leads_to_action(fd: FieldDiff, desired: Desired, rules: PlanRules) -> bool:
    """Who may act: an edit always in a normal plan, drift only with permission; in mode drift, drift alone."""
    if fd.cause is None:
        return False
    if fd.cause is Cause.DRIFT:
        is_floor = fd.is_enforced and (rules.mode == "normal" or rules.correct)
        return is_floor or rules.permits_drift(desired, fd.permission)
    return rules.mode == "normal"


def _is_outside_change(fd: FieldDiff, rules: PlanRules) -> bool:
    return fd.cause is Cause.DRIFT or (rules.mode == "drift" and fd.cause is Cause.BOTH)


def _left_alone(
    address: Address,
    outside: list[FieldDiff],
    picture: VersionPicture,
    recorded: Recorded | None,
    observed: Observed,
    now: str,
) -> tuple[LeftAlone, ...]:
    """Every path that differs from the wish, with the times the state knows, or now for what is new."""
    if not outside or recorded is None:
        return ()
    drifted = drifted_after(recorded, seen_of(observed, recorded, now))
    entries = []
    for fd in outside:
        known = drifted.get(fd.field) or (drifted.get(GRAY_FIELD) if fd.field == VERSION_FIELD else None)
        for change in _outside_changes(fd, picture, recorded):
            entries.append(
                LeftAlone(
                    address=address,
                    path=change.path,
                    wish=_nearest_wish(recorded, change),
                    observed=change.before,
                    last_right_at=known.last_right_at if known else None,
                    first_wrong_at=known.first_wrong_at if known else now,
                    cause=fd.cause or Cause.DRIFT,
                    permission=fd.permission,
                )
            )
    return tuple(entries)


def _outside_changes(fd: FieldDiff, picture: VersionPicture, recorded: Recorded | None) -> tuple[FieldChange, ...]:
    """The paths in which a field departs from its recorded wish; with cause both, others may differ from desired."""
    if fd.field != VERSION_FIELD or recorded is None or recorded.wish.picture is None:
        return fd.changes
    return picture_changes(picture, recorded.wish.picture, Cause.DRIFT)


def _decide_version(
    desired: Desired,
    recorded: Recorded | None,
    observed: Observed,
    diff: ComponentDiff,
    acting: Mapping[str, FieldDiff],
    rejection: Rejection | None,
    rules: PlanRules,
) -> Decision:
    wanted = desired.wish.picture
    fd = diff.fields.get(VERSION_FIELD)
    if wanted is None or fd is None:
        return Decision()
    # While a job runs, the row may show the candidate long before it serves alone.
    if fd.cause is None and fd.comparable and rules.mode == "normal" and is_promoted(wanted, diff.picture):
        assert wanted.gray is not None
        row = "V + gray C, not graying, S = C: nothing, warn fold_needed"
        return Decision(findings=(fold_warning(desired.address, wanted.gray.version),), row=row)
    if VERSION_FIELD not in acting or not fd.comparable:
        return Decision()
    stored = recorded.rejected if recorded else ()
    return decide_version(
        Situation(
            address=desired.address,
            wanted=wanted,
            wish=recorded.wish.picture if recorded else None,
            seen=diff.picture,
            observed=observed,
            recorded=recorded,
            rejected=(*stored, rejection) if rejection else stored,
            overrides=rules.overrides,
            is_drift=fd.cause is Cause.DRIFT,
            deploy=desired.deploy,
            instances=_instances_then(desired, observed, diff, acting),
            has_hosts=bool(desired.hosts),
        )
    )


def _instances_then(
    desired: Desired, observed: Observed, diff: ComponentDiff, acting: Mapping[str, FieldDiff]
) -> int | None:
    """How many instances there will be when a gray release starts: a scale of the same plan comes before it."""
    wanted, fd = desired.wish.replicas, diff.fields.get(REPLICAS_FIELD)
    number = configured_number(observed, diff.picture)
    if number is None or wanted is None or fd is None or (fd.cause is not None and REPLICAS_FIELD not in acting):
        return number
    return nearest_number(wanted, number)


def _warnings(
    desired: Desired, recorded: Recorded | None, observed: Observed, diff: ComponentDiff, rules: PlanRules
) -> tuple[Finding, ...]:
    """What has to be said without being done: a ceiling that is not enforced, start parameters edited too late."""
    above = _above_maximum(desired, observed, diff)
    late = warn_start_only(desired, recorded, diff.picture) if rules.mode == "normal" else None
    return tuple(finding for finding in (above, late) if finding is not None)


def _above_maximum(desired: Desired, observed: Observed, diff: ComponentDiff) -> Finding | None:
    wanted, fd = desired.wish.replicas, diff.fields.get(REPLICAS_FIELD)
    if not isinstance(wanted, ReplicaRange) or wanted.enforce_max or fd is None or not fd.comparable:
        return None
    if observed.replicas <= wanted.max:
        return None
    return Finding(
        "above_maximum",
        "warn",
        f"{observed.replicas} instances run, {observed.replicas - wanted.max} above the maximum of {wanted.max}",
        "raise max, or write enforce_max: true to have them cut",
        desired.address,
    )


def _warn_failed(desired: Desired, observed: Observed) -> Finding:
    """After an upgrade that failed the wanted version is there all the same: an empty plan must not hide the rest."""
    return Finding(
        "component_failed",
        "warn",
        f"the component is {observed.status} with {observed.available_replicas} of {observed.replicas} instances "
        "available, and this plan sends nothing to it",
        "see in the console why; writing an earlier version goes back to it",
        desired.address,
    )


def _both_warnings(
    acting: Mapping[str, FieldDiff], picture: VersionPicture, recorded: Recorded | None, desired: Desired
) -> tuple[Finding, ...]:
    """One warning a field whose outside change is overwritten, with all three values of every path."""
    wanted = _paths(desired.wish)
    warnings = []
    for fd in acting.values():
        if fd.cause is not Cause.BOTH:
            continue
        told = {
            change.path: f"recorded {show(_wished(recorded, change.path))}, observed {show(change.before)}, "
            f"desired {show(wanted.get(change.path))}"
            for change in _outside_changes(fd, picture, recorded)
        }
        if len(told) == 1:
            [(what, values)] = told.items()
        else:
            what, values = fd.field, "; ".join(f"{path} {three}" for path, three in told.items())
        warnings.append(
            Finding(
                "overwrites_outside_change",
                "warn",
                f"{what} was changed outside as well: {values}",
                "apply overwrites the outside change; write the observed value to keep it",
                desired.address,
            )
        )
    return tuple(warnings)


def _wished(recorded: Recorded | None, path: str) -> Json:
    """The recorded wish of one path, None where it was not managed."""
    return _paths(recorded.wish).get(path) if recorded is not None else None


def _nearest_wish(recorded: Recorded, change: FieldChange) -> Json:
    """The recorded wish of a path; of a range the bound that is not kept."""
    wanted = recorded.wish.replicas
    if change.path == REPLICAS_FIELD and isinstance(wanted, ReplicaRange) and isinstance(change.before, int):
        return nearest_number(wanted, change.before)
    return _wished(recorded, change.path)


def _paths(wish: Wish) -> dict[str, Json]:
    replicas = replicas_to_json(wish.replicas) if wish.replicas is not None else None
    scalars: dict[str, Json] = {REPLICAS_FIELD: replicas, STATE_FIELD: wish.state}
    return {**scalars, **(picture_paths(wish.picture) if wish.picture is not None else {})}


def _check_protected(desired: Desired, actions: tuple[Action, ...], rules: PlanRules) -> Finding | None:
    refused = [action for action in actions if action.risk is not Risk.SCALE_UP]
    if not desired.lifecycle.protected or not refused or "protected" in rules.overrides:
        return None
    verbs = ", ".join(f"{action.verb} (risk {action.risk})" for action in refused)
    return Finding(
        "protected",
        "deny",
        f"lifecycle.protected lets only a scale up through; this needs {verbs}",
        "remove lifecycle.protected, or let it through once with --override protected",
        desired.address,
    )
