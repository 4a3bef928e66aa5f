"""The gray release of one component: how it stands, and the next step that somebody asks for on the command line.

Owns what is told of a release, which version picture a step wants, and how the plan made for it is told. What has to
be done, whether it may be, and how it is checked is decided where every plan is (`planner.py`): a step is a wish for
one run, compared with what runs as though that had been wished so far. So nothing else differs, and no wish of the
state changes.

    promote       the candidate alone
    abort         the stable version alone
    set-weight    the same gray release with another share of the traffic
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from statetool.core.canonical import canonical_text
from statetool.core.chain import DEFERRED, show
from statetool.core.deploy import Deploy
from statetool.core.locating import Located
from statetool.core.model import (
    GRAY_FIELD,
    VERSION_FIELD,
    Address,
    Desired,
    Gray,
    GrayRule,
    Job,
    Lifecycle,
    Observed,
    Recorded,
    StatusClass,
    VersionPicture,
    Wish,
)
from statetool.core.picture import (
    UNTOLD_VERSION,
    is_releasing,
    is_unclear,
    matches,
    open_release,
    picture_paths,
    version_picture,
)
from statetool.core.plan import CAUSE_WORDS, Action, Cause, Change, Counts, Finding, HeldBack, Kind, Plan, SendIf
from statetool.errors import SourceMark, StatetoolError

_ON_THE_COMMAND_LINE = SourceMark("command line", 1, 1)
"""Where a step is written; no manifest, so that no view shows it."""


class Phase(StrEnum):
    """Whether a gray release is open. While a job moves the component, the platform does not tell."""

    OPEN = "open"
    NONE = "none"
    BUSY = "busy"


class RolloutCommand(StrEnum):
    """What can be asked of a gray release, as it is typed."""

    PROMOTE = "promote"
    ABORT = "abort"
    SET_WEIGHT = "set-weight"


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """What was asked for. `weight` is the candidate's percent of the traffic, 1..99, of SET_WEIGHT alone."""

    command: RolloutCommand
    address: Address
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """How the gray release of one component stands.

    `picture` has no gray where none is open; while `phase` is busy it is only what the list shows. `batches_left` is
    the most that are left. `job` is the last one of the component, where the platform still knows it. `next_plan` is
    what an apply would do with this component now, None where no manifest describes it. `at` is when all this was seen.
    """

    located: Located
    phase: Phase
    picture: VersionPicture
    is_unclear: bool
    batches_left: int | None
    begun_at: str | None
    job: Job | None
    next_plan: Plan | None
    at: str

    @property
    def is_wished(self) -> bool:
        """Whether a run of ours applied a wish for this candidate; otherwise it is released from outside."""
        recorded, gray = self.located.recorded, self.picture.gray
        wish = recorded.wish.picture if recorded is not None else None
        return gray is not None and wish is not None and _candidate(wish) == gray.version


class NextApply(StrEnum):
    """What an apply would do with one component."""

    ACTS = "acts"
    RECORDS = "records"
    HELD_BACK = "held_back"
    DENIED = "denied"
    NOTHING = "nothing"
    UNMANAGED = "unmanaged"


# --- how it stands ---------------------------------------------------------------------------------------------------


def phase_of(observed: Observed) -> Phase:
    if observed.status_class is StatusClass.BUSY:
        return Phase.BUSY
    return Phase.OPEN if is_releasing(observed) else Phase.NONE


def describe_rollout(located: Located, job: Job | None, next_plan: Plan | None, at: str) -> Rollout:
    """How the gray release of a component stands; its `closer` must be there."""
    observed, phase = located.observed, phase_of(located.observed)
    release = open_release(observed) if phase is Phase.OPEN else None
    left = observed.closer.remaining_batches if observed.closer is not None else None
    if left is None and release is not None:
        left = release.remaining_batches
    picture = version_picture(observed, located.recorded)
    return Rollout(
        located=located,
        phase=phase,
        picture=picture,
        is_unclear=phase is Phase.OPEN and (is_unclear(observed) or picture.stable is None),
        batches_left=left if phase is Phase.OPEN else None,
        begun_at=(release.begun_at or None) if release is not None else None,
        job=job,
        next_plan=next_plan,
        at=at,
    )


def judge_next_apply(plan: Plan | None) -> NextApply:
    """The one word for what a plan of one component does."""
    if plan is None:
        return NextApply.UNMANAGED
    if plan.denies or plan.blocked:
        return NextApply.DENIED
    if plan.actions:
        return NextApply.ACTS
    if plan.held_back:
        return NextApply.HELD_BACK
    return NextApply.RECORDS if plan.changes else NextApply.NOTHING


# --- the next step ---------------------------------------------------------------------------------------------------


def ensure_release(step: RolloutStep, located: Located) -> None:
    """Raises StatetoolError where there is nothing to promote or to abort; a weight may find nothing to do."""
    if step.command is RolloutCommand.SET_WEIGHT or phase_of(located.observed) is not Phase.NONE:
        return
    raise StatetoolError(
        f"no gray release is open: {describe_alone(located)}",
        code="no_gray_release",
        address=str(located.address),
        hint=f"`statetool rollout status {located.address}` shows how it stands",
    )


def describe_alone(located: Located) -> str:
    """`2.1.0 serves alone`, for a component without a gray release; whatever else its status says of its version."""
    observed = located.observed
    if observed.status_class is StatusClass.READY:
        return f"{observed.row_version} serves alone"
    return f"the version is {observed.row_version}, the status {observed.status}"


def refuse_beforehand(
    step: RolloutStep, located: Located, overrides: frozenset[str]
) -> tuple[tuple[HeldBack, ...], tuple[Finding, ...]]:
    """What keeps a step from being planned at all: a job that moves the component, or an owner who is not asked.

    A step does not name its candidate. So it must be one that the manifest or the state names, as far as one of them
    manages the version.
    """
    address, seen = located.address, version_picture(located.observed, located.recorded)
    if phase_of(located.observed) is Phase.BUSY:
        code, why, hint = DEFERRED[StatusClass.BUSY]
        return (HeldBack(address, GRAY_FIELD, code, f"{step.command} {why}", hint),), ()
    known = [picture for picture in (_manifest_picture(located), _recorded_picture(located)) if picture is not None]
    named = {version for picture in known for version in (picture.stable, _candidate(picture))}
    if seen.gray is None or not known or seen.gray.version in named or "foreign_gray_release" in overrides:
        return (), ()
    deny = Finding(
        "foreign_gray_release",
        "deny",
        f"a gray release of {seen.gray.version} is running that neither the manifest nor the state knows",
        f"leave it to its owner, or {step.command} it with --override foreign_gray_release",
        address,
    )
    return (), (deny,)


def usable_overrides(overrides: frozenset[str], located: Located) -> frozenset[str]:
    """Without a candidate that is told by name, no override makes anything of it that could be checked."""
    gray = version_picture(located.observed, located.recorded).gray
    return overrides - {"gray_unclear"} if gray is not None and gray.version == UNTOLD_VERSION else overrides


def build_step_desired(step: RolloutStep, located: Located) -> Desired:
    """The wish of a step, with what the manifest says of protection and readiness. A gray release must be open."""
    seen = version_picture(located.observed, located.recorded)
    wish = Wish(picture=_wanted_picture(step, seen))
    desired = located.desired
    if desired is None:
        return Desired(located.address, _ON_THE_COMMAND_LINE, wish)
    return replace(
        desired,
        wish=wish,
        depends_on=(),
        deploy=Deploy(),
        lifecycle=Lifecycle(protected=desired.lifecycle.protected),
    )


def as_if_wished(located: Located) -> dict[Address, Recorded]:
    """The component's record, under its address, with what runs as its only wish; as if recorded where it is not."""
    observed = located.observed
    recorded = located.recorded or Recorded(
        located.address, observed.component_id, observed.application_id, observed.environment_id, Wish()
    )
    seen = version_picture(observed, located.recorded)
    return {recorded.address: replace(recorded, wish=Wish(picture=seen), drifted={})}


def tell_step(plan: Plan, step: RolloutStep, located: Located) -> Plan:
    """The plan of a step as it is shown and carried out: asked for by name, and without any wish to record."""
    changes = tuple(_tell_change(change, located) for change in plan.changes if change.action_ids)
    # What runs was taken for the wish, so nothing of it is overwritten that was not asked for.
    findings = tuple(finding for finding in plan.findings if finding.code != "overwrites_outside_change")
    warning = _warn_of_next_apply(step, located) if changes else None
    return replace(
        plan,
        changes=changes,
        actions=tuple(_tell_action(action) for action in plan.actions),
        findings=(*findings, *((warning,) if warning else ())),
        counts=Counts(),
    )


def _tell_change(change: Change, located: Located) -> Change:
    return replace(
        change,
        kind=Kind.MOVE if change.kind is Kind.MOVE else Kind.UPDATE,
        origin=located.desired.origin if located.desired is not None else None,
        fields=tuple(replace(entry, cause=Cause.COMMAND, wish=None) for entry in change.fields),
        updates=(),
    )


def _tell_action(action: Action) -> Action:
    if action.send_if is not SendIf.ALWAYS:
        return action
    return replace(action, reason=CAUSE_WORDS[Cause.COMMAND])


def _wanted_picture(step: RolloutStep, seen: VersionPicture) -> VersionPicture:
    assert seen.gray is not None, "a step is only planned while a gray release is open"
    # Where it can't be told, the planner says so.
    stable = seen.stable or UNTOLD_VERSION
    if step.command is RolloutCommand.PROMOTE:
        return VersionPicture(seen.gray.version)
    if step.command is RolloutCommand.ABORT:
        return VersionPicture(stable)
    return VersionPicture(stable, Gray(seen.gray.version, GrayRule(weight=step.weight)))


def _warn_of_next_apply(step: RolloutStep, located: Located) -> Finding | None:
    """What the manifest says against it: the next apply may put that back, or asks for the manifest to be folded."""
    wanted, seen = _manifest_picture(located), version_picture(located.observed, located.recorded)
    after = _wanted_picture(step, seen)
    if wanted is None or _is_ignored(located, wanted, after):
        return None
    if step.command is RolloutCommand.PROMOTE and _candidate(wanted) == after.stable:
        return Finding(
            "fold_needed",
            "warn",
            f"the manifest still writes {after.stable} as a gray release, and it will serve alone",
            f"write version: {after.stable} and remove gray",
            located.address,
        )
    if matches(wanted, after):
        return None
    candidate = seen.gray.version if seen.gray else None
    is_wanted = candidate in (wanted.stable, _candidate(wanted))
    if step.command is RolloutCommand.ABORT and located.recorded is not None and is_wanted:
        return Finding(
            "next_apply_refuses",
            "warn",
            f"the manifest still asks for {candidate}, which is rejected by this: no apply brings it back",
            f"name another version, or `statetool rollout clear {located.address} {candidate} "
            "--reason TEXT` to start it again",
            located.address,
        )
    paths, reached = picture_paths(wanted), picture_paths(after)
    against = [f"{p} {show(v)}" for p, v in paths.items() if canonical_text(reached.get(p)) != canonical_text(v)]
    told = ", ".join(against) or f"version {wanted.stable} alone"
    return Finding(
        "next_apply_undoes",
        "warn",
        f"the manifest wants {told}: the next apply may put that back",
        f"{_how_to_keep(step, after)}, if it is to stay",
        located.address,
    )


def _is_ignored(located: Located, wanted: VersionPicture, after: VersionPicture) -> bool:
    """Whether lifecycle.ignore keeps applies from comparing what differs."""
    assert located.desired is not None
    ignore = located.desired.lifecycle.ignore
    is_rule_only = wanted.stable == after.stable and _candidate(wanted) == _candidate(after)
    return VERSION_FIELD in ignore or (is_rule_only and GRAY_FIELD in ignore)


def _how_to_keep(step: RolloutStep, after: VersionPicture) -> str:
    if step.command is RolloutCommand.SET_WEIGHT:
        return f"write gray: {{version: {_candidate(after)}, weight: {step.weight}}}"
    return f"write version: {after.stable} without gray"


def _manifest_picture(located: Located) -> VersionPicture | None:
    return located.desired.wish.picture if located.desired is not None else None


def _recorded_picture(located: Located) -> VersionPicture | None:
    return located.recorded.wish.picture if located.recorded is not None else None


def _candidate(picture: VersionPicture) -> str | None:
    return picture.gray.version if picture.gray is not None else None
