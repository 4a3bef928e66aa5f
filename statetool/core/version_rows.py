"""The rows of the version picture: what a difference in version or gray release becomes.

Owns the truth table of gray releases and rollbacks as functions that return steps and findings. It must not
ask why there is a difference (the planner has asked already), nor build actions.

    desired            observed                       becomes
    V                  graying, G = V                 promote
    V                  graying, S = V                 abort
    V                  graying, V is neither          abort, then as below; abort only where that is a second rollback
    V                  S another, V recorded before   rollback (deny deep_rollback, rollback_twice)
    V                  S another, V not recorded      deny unknown_version
    V + C              graying, G = C, S = V          modify_gray_rule, or promote for weight 100
    V + C              graying, G = C, S another      deny gray_on_other_stable
    V + C              graying, G = V or S = V        deny gray_start_unsupported (promote or abort, then start)
    V + C              graying, anything else         abort
    V + C              S = C                          nothing, warn fold_needed
    V + C              S = V, or another              deny version_rejected, gray_start_unsupported
    V, gray removed    S = the wish's candidate       deny fold_needed
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from statetool.core.model import Address, Gray, GrayRule, Observed, Recorded, Rejection, StatusClass, VersionPicture
from statetool.core.picture import PROMOTED_WEIGHT, is_unclear, newest_gray_record
from statetool.core.plan import Finding, Verb

ROLLBACK_VERBS = frozenset({Verb.ROLLBACK.value, Verb.ROLLBACK_CURRENT.value, "abort"})
OUTSIDE = "outside"


class StepKind(StrEnum):
    ABORT = "abort"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Step:
    """One move of the version picture. `version` is what serves alone afterwards, or the candidate of a rule."""

    kind: StepKind
    version: str
    rule: GrayRule | None = None
    is_deep: bool = False
    max_requests: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """The steps in order, and what has to be said. Any deny finding means that there are no steps."""

    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the rows look at. `wish` is the recorded picture; `rejected` includes what was seen just now."""

    address: Address
    wanted: VersionPicture
    wish: VersionPicture | None
    seen: VersionPicture
    observed: Observed
    recorded: Recorded | None
    rejected: tuple[Rejection, ...]
    overrides: frozenset[str]
    is_drift: bool

    @property
    def stable(self) -> str:
        assert self.wanted.stable is not None, "a desired picture always names its version"
        return self.wanted.stable

    def deny(self, code: str, message: str, hint: str) -> Decision:
        return Decision(findings=(Finding(code, "deny", message, hint, self.address),))

    def warning(self, code: str, message: str, hint: str) -> Finding:
        return Finding(code, "warn", message, hint, self.address)


def decide_version(s: Situation) -> Decision:
    """The steps that lead from the observed to the desired version picture, or the sentence why not."""
    if s.seen.gray is None:
        return _rows_not_graying(s)
    if is_unclear(s.observed) and "gray_unclear" not in s.overrides:
        return _deny_unclear(
            s, f"a gray release runs, but none of its records names {s.observed.row_version}, the version shown"
        )
    if _is_foreign(s) and not s.is_drift and "foreign_gray_release" not in s.overrides:
        return _deny_foreign(s, s.seen.gray)
    if s.wanted.gray is None:
        return _rows_graying_to_version(s, s.seen.gray)
    return _rows_graying_to_gray(s, s.seen.gray, s.wanted.gray)


def _is_foreign(s: Situation) -> bool:
    named = {s.wanted.stable, s.wish.stable if s.wish else None}
    named |= {picture.gray.version for picture in (s.wanted, s.wish) if picture and picture.gray}
    return s.seen.gray is not None and s.seen.gray.version not in named


def _deny_foreign(s: Situation, gray: Gray) -> Decision:
    return s.deny(
        "foreign_gray_release",
        f"a gray release of {gray.version} is running that neither the manifest nor the state knows",
        f"write it down (gray: {{version: {gray.version}, ...}}), wait for its owner to end it, "
        "or end it with --override foreign_gray_release",
    )


def _deny_unclear(s: Situation, message: str) -> Decision:
    hint = "look at the component in the console; end the gray release there, then plan again"
    return s.deny("gray_unclear", message, hint)


def _deny_stable_untold(s: Situation, gray: Gray) -> Decision:
    return _deny_unclear(
        s, f"a gray release of {gray.version} runs, but its stable version can't be told from the records"
    )


def _rows_graying_to_version(s: Situation, gray: Gray) -> Decision:
    if gray.version == s.stable:
        return _latched(s, s.stable) or Decision(steps=(_promote(s, gray),))
    if s.seen.stable is None:
        return _deny_stable_untold(s, gray)
    abort = Step(StepKind.ABORT, s.seen.stable)
    if s.seen.stable == s.stable:
        return Decision(steps=(abort,))
    return _latched(s, s.stable) or _abort_and_then(s, abort, s.seen.stable)


def _abort_and_then(s: Situation, abort: Step, stable: str) -> Decision:
    """V is neither stable nor candidate. An abort counts as a rollback, so one after it is the second in a row."""
    after = _rows_to_recorded_version(s, stable, twice=True)
    denied = {finding.code for finding in after.findings if finding.severity == "deny"}
    if not denied:
        return Decision(steps=(abort, *after.steps), findings=after.findings)
    if denied == {"rollback_twice"}:
        warning = s.warning(
            "second_step_needed",
            f"the gray release is aborted now; going on from {stable} to {s.stable} would be a second rollback "
            "in a row, which the platform refuses",
            "plan again afterwards; --override rollback_twice tries both at once",
        )
        return Decision(steps=(abort,), findings=(warning,))
    return after


def _rows_graying_to_gray(s: Situation, gray: Gray, wanted: Gray) -> Decision:
    if gray.version == wanted.version:
        if s.seen.stable not in (s.stable, None):
            return s.deny(
                "gray_on_other_stable",
                f"{wanted.version} is released beside {s.seen.stable}, but the manifest says version {s.stable}",
                f"write version: {s.seen.stable}, or end this gray release first",
            )
        latched = _latched(s, wanted.version)
        if latched:
            return latched
        if wanted.rule is not None and wanted.rule.weight == PROMOTED_WEIGHT:
            return Decision(steps=(_promote(s, gray),))
        return Decision(steps=(Step(StepKind.RULE, gray.version, rule=wanted.rule),))
    if s.stable in (gray.version, s.seen.stable):
        return _latched(s, wanted.version) or _deny_gray_start(s, wanted)
    if s.seen.stable is None:
        return _deny_stable_untold(s, gray)
    latched = _latched(s, wanted.version) or _latched(s, s.stable)
    if latched:
        return latched
    warning = s.warning(
        "second_step_needed",
        f"the gray release of {gray.version} is aborted now; version {s.stable} and the gray release of "
        f"{wanted.version} come after it",
        "plan again afterwards",
    )
    return Decision(steps=(Step(StepKind.ABORT, s.seen.stable),), findings=(warning,))


def _rows_not_graying(s: Situation) -> Decision:
    stable = s.seen.stable
    assert stable is not None, "a component that is not graying shows its version"
    wanted = s.wanted.gray
    if wanted is not None:
        if stable == wanted.version:
            return Decision(findings=(fold_warning(s.address, wanted.version),))
        return _latched(s, wanted.version) or _deny_gray_start(s, wanted)
    if _gray_just_removed(s, stable) and "fold_needed" not in s.overrides:
        return s.deny(
            "fold_needed",
            f"{stable} was promoted and serves alone; the manifest went back to version {s.stable}",
            f"write version: {stable} to keep it; --override fold_needed rolls it back to {s.stable}",
        )
    return _latched(s, s.stable) or _rows_to_recorded_version(s, stable, twice=_last_change_was_rollback(s, stable))


def _gray_just_removed(s: Situation, stable: str) -> bool:
    if s.wish is None or s.wish.gray is None:
        return False
    return s.wish.gray.version == stable and s.wish.stable == s.stable


def _rows_to_recorded_version(s: Situation, stable: str, *, twice: bool) -> Decision:
    """From the stable version to V, which must have been recorded before it."""
    older = older_versions(s.observed, stable)
    if s.stable not in older:
        known = ", ".join(older) or "none"
        return s.deny(
            "unknown_version",
            f"version {s.stable} was not deployed before {stable}, and this statetool does not deploy new versions; "
            f"recorded before {stable}: {known}",
            f"deploy {s.stable} by your usual way, then plan again; or write one of the recorded versions",
        )
    is_deep = older.index(s.stable) > 0
    if is_deep and "deep_rollback" not in s.overrides:
        return s.deny(
            "deep_rollback",
            f"{s.stable} is {older.index(s.stable) + 1} versions before {stable}; the platform is only known to go "
            f"back by one, to {older[0]}",
            f"write version: {older[0]}, or try it with --override deep_rollback",
        )
    if twice and "rollback_twice" not in s.overrides:
        return s.deny(
            "rollback_twice",
            f"the last change to {stable} was itself a rollback; the platform refuses a second one in a row",
            "deploy a new version by your usual way, or try it with --override rollback_twice",
        )
    return Decision(steps=(Step(StepKind.ROLLBACK, s.stable, is_deep=is_deep),))


def older_versions(observed: Observed, stable: str) -> list[str]:
    """Versions recorded before the stable one, newest first, each once."""
    closer = observed.closer
    versions = list(dict.fromkeys(record.version for record in closer.records)) if closer else []
    return versions[versions.index(stable) + 1 :] if stable in versions else []


def _last_change_was_rollback(s: Situation, stable: str) -> bool:
    """By our own history, or seen outside for as long as the wish still names what was taken back there."""
    taken_back = None
    if s.wish is not None and s.wish.gray is None:
        taken_back = s.wish.stable
    elif s.wish is not None and s.wish.gray is not None and s.wish.stable == stable:
        taken_back = s.wish.gray.version
    if any(entry.by == OUTSIDE and entry.version == taken_back for entry in s.rejected):
        return True
    last = s.recorded.history[-1] if s.recorded and s.recorded.history else None
    return last is not None and last.version == stable and last.verb in ROLLBACK_VERBS


def _latched(s: Situation, version: str) -> Decision | None:
    """The rejection latch: a version that was taken back does not return by itself."""
    entry = next((r for r in s.rejected if r.version == version), None)
    if entry is None or "version_rejected" in s.overrides:
        return None
    return s.deny(
        "version_rejected",
        f"{version} was rejected at {entry.at} ({entry.reason}, by {entry.by})",
        f"name another version, or `statetool rollout clear {s.address} {version} --reason TEXT`, "
        f"or --override version_rejected for one run{_what_comes_after(s, version)}",
    )


def _what_comes_after(s: Situation, version: str) -> str:
    """Nobody should be led from one refusal into the next: a version that is gone has to be deployed anew."""
    stable = s.seen.stable
    runs = s.seen.gray is not None and s.seen.gray.version == version
    if runs or (stable is not None and version in older_versions(s.observed, stable)):
        return ""
    return f"; {version} must then be deployed by your usual way, for this statetool does not deploy"


def _deny_gray_start(s: Situation, wanted: Gray) -> Decision:
    return s.deny(
        "gray_start_unsupported",
        f"a gray release of {wanted.version} has to be started, and this statetool does not start one",
        f"start it by your usual way and plan again, or remove gray from {s.address}",
    )


def _promote(s: Situation, gray: Gray) -> Step:
    closer = s.observed.closer
    remaining = closer.remaining_batches if closer else None
    if remaining is None:
        release = newest_gray_record(closer)
        remaining = release.remaining_batches if release else None
    return Step(StepKind.PROMOTE, gray.version, max_requests=(1 if remaining is None else remaining) + 1)


def fold_warning(address: Address, version: str) -> Finding:
    """The candidate serves alone, and the manifest still writes it as a gray release."""
    hint = f"write version: {version} and remove gray"
    return Finding("fold_needed", "warn", f"{version} was promoted and serves alone", hint, address)


def find_ended_outside(
    recorded: Recorded | None, observed: Observed, seen: VersionPicture, now: str
) -> Rejection | None:
    """A version taken back behind our back: the recorded gray release is gone, or the version was rolled back.

    A rollback shows as the recorded version missing from the records, which a rollback drops, while an older one
    serves; without records it is not judged. Nor is anything while the component is busy or broken: a gray release
    that is being promoted, or whose cluster can't be reached, has not been ended.
    """
    if recorded is None or recorded.wish.picture is None:
        return None
    if observed.status_class not in (StatusClass.READY, StatusClass.STOPPED):
        return None
    wish, known = recorded.wish.picture, {entry.version for entry in recorded.rejected}
    if wish.gray is not None:
        lost = wish.gray.version if seen.stable == wish.stable else None
    else:
        lost = wish.stable if _was_rolled_back(wish, observed, seen) else None
    if lost is None or lost in known:
        return None
    return Rejection(lost, now, OUTSIDE, "ended outside", observed.last_job_id)


def _was_rolled_back(wish: VersionPicture, observed: Observed, seen: VersionPicture) -> bool:
    if observed.closer is None:
        return False
    versions = [record.version for record in observed.closer.records]
    return seen.stable in versions and wish.stable not in versions
