"""One component: which of its differences become actions, and which are left alone, held back or denied.

Owns the permission of every cause and the scope of a component's denies. Why fields differ is `diff.py`, the
rows of the version picture are `version_rows.py`, the actions in order are `sequence.py`, and the order across
components is `project.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from statetool.core.diff import ComponentDiff, FieldDiff, diff_component
from statetool.core.model import (
    GRAY_FIELD,
    VERSION_FIELD,
    Address,
    Desired,
    Json,
    Observed,
    Recorded,
    Rejection,
)
from statetool.core.picture import is_promoted, picture_paths, seen_of
from statetool.core.plan import Action, Cause, Change, Finding, HeldBack, LeftAlone, RejectionSeen, Risk
from statetool.core.sequence import ActionSequence, PlanRules, show
from statetool.core.state import drifted_after
from statetool.core.version_rows import (
    Decision,
    Situation,
    StepKind,
    decide_version,
    find_ended_outside,
    fold_warning,
)


@dataclass(frozen=True, slots=True)
class ComponentPlan:
    """All that a plan says of one component. `change` is None where nothing is done or recorded."""

    change: Change | None = None
    actions: tuple[Action, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    findings: tuple[Finding, ...] = ()
    rejection: RejectionSeen | None = None
    ignored: int = 0

    @property
    def is_denied(self) -> bool:
        return any(finding.severity == "deny" for finding in self.findings)

    @property
    def is_unchanged(self) -> bool:
        return not (self.change or self.held_back or self.left_alone or self.is_denied)


def plan_component(
    desired: Desired, recorded: Recorded | None, observed: Observed, rules: PlanRules, moved_from: Address | None = None
) -> ComponentPlan:
    """The whole decision for one component. `observed.closer` must be there where diff.needs_closer_look says so."""
    diff = diff_component(desired, recorded, observed)
    rejection = find_ended_outside(recorded, observed, diff.picture, rules.now)
    acting = {name: fd for name, fd in diff.fields.items() if _leads_to_action(fd, desired, rules)}
    decision = _decide_version(desired, recorded, observed, diff, acting, rejection, rules)
    if rules.mode == "drift" and _is_beyond_correction(decision):
        del acting[VERSION_FIELD]
        decision = Decision()
    outside = [fd for name, fd in diff.fields.items() if name not in acting and _is_outside_change(fd, rules)]
    left_alone = _left_alone(outside, recorded, observed, rules.now) if outside else ()
    seen = RejectionSeen(desired.address, rejection) if rejection else None
    findings = (*_both_warnings(acting, recorded, desired.address), *decision.findings)
    if any(finding.severity == "deny" for finding in decision.findings):
        return ComponentPlan(findings=findings, left_alone=left_alone, rejection=seen, ignored=diff.ignored)

    builder = ActionSequence(desired, recorded, observed, diff, acting, rules)
    builder.build(decision.steps)
    protected = _check_protected(desired, builder.actions, rules)
    if protected:
        return ComponentPlan(
            findings=(*findings, protected), left_alone=left_alone, rejection=seen, ignored=diff.ignored
        )
    return ComponentPlan(
        change=builder.change(moved_from),
        actions=tuple(builder.actions),
        held_back=tuple(builder.held_back),
        left_alone=left_alone,
        findings=findings,
        rejection=seen,
        ignored=diff.ignored,
    )


def _leads_to_action(fd: FieldDiff, desired: Desired, rules: PlanRules) -> bool:
    """Who may act: an edit always in a normal plan, drift only with permission; in mode drift, drift alone."""
    if fd.cause is None:
        return False
    if fd.cause is Cause.DRIFT:
        return rules.permits_drift(desired, fd.permission)
    return rules.mode == "normal"


def _is_outside_change(fd: FieldDiff, rules: PlanRules) -> bool:
    return fd.cause is Cause.DRIFT or (rules.mode == "drift" and fd.cause is Cause.BOTH)


def _is_beyond_correction(decision: Decision) -> bool:
    """Drift correction never promotes: that would finish somebody's release by a timer."""
    return any(step.kind is StepKind.PROMOTE for step in decision.steps)


def _left_alone(
    outside: list[FieldDiff], recorded: Recorded | None, observed: Observed, now: str
) -> tuple[LeftAlone, ...]:
    """Every path that differs from the wish, with the times the state knows, or now for what is new."""
    assert recorded is not None, "only a recorded wish can be departed from"
    drifted = drifted_after(recorded, seen_of(observed, recorded, now))
    entries = []
    for fd in outside:
        known = drifted.get(fd.field) or (drifted.get(GRAY_FIELD) if fd.field == VERSION_FIELD else None)
        for change in fd.changes:
            entries.append(
                LeftAlone(
                    address=recorded.address,
                    path=change.path,
                    wish=wished_value(recorded, change.path),
                    observed=change.before,
                    last_right_at=known.last_right_at if known else None,
                    first_wrong_at=known.first_wrong_at if known else now,
                    cause=fd.cause or Cause.DRIFT,
                )
            )
    return tuple(entries)


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
    if fd.cause is None and rules.mode == "normal" and is_promoted(wanted, diff.picture):
        assert wanted.gray is not None
        return Decision(findings=(fold_warning(desired.address, wanted.gray.version),))
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
        )
    )


def _both_warnings(acting: Mapping[str, FieldDiff], recorded: Recorded | None, address: Address) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            "overwrites_outside_change",
            "warn",
            f"{change.path} was changed outside as well: recorded {show(wished_value(recorded, change.path))}, "
            f"observed {show(change.before)}, desired {show(change.after)}",
            "apply overwrites the outside change; write the observed value to keep it",
            address,
        )
        for fd in acting.values()
        if fd.cause is Cause.BOTH
        for change in fd.changes
    )


def wished_value(recorded: Recorded | None, path: str) -> Json:
    """The recorded wish of one path, None where it was not managed."""
    if recorded is None:
        return None
    wish = recorded.wish
    paths: dict[str, Json] = {"replicas": wish.replicas, "state": wish.state}
    if wish.picture is not None:
        paths.update(picture_paths(wish.picture))
    return paths.get(path)


def _check_protected(desired: Desired, actions: list[Action], rules: PlanRules) -> Finding | None:
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
