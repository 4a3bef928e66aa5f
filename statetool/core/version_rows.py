"""The rows of the version picture: what a difference in version or gray release becomes.

Owns the truth table of gray releases and versions as functions that return steps and findings. It must not ask
why there is a difference (the planner has asked already), nor build actions. How a version is reached, and what a
gray release needs to start, is `deploy_rows.py`; what was taken back before is `rejection.py`.

    desired            observed                       becomes
    V                  graying, G = V                 promote
    V                  graying, S = V                 abort
    V                  graying, V is neither          abort, then as below; abort only where that is a second rollback
    V                  S another, V recorded before   rollback (deny deep_rollback, rollback_twice)
    V                  S another, V not recorded      upgrade (deny unknown_version)
    V + C              graying, G = C, S = V          modify_gray_rule, or promote for weight 100
    V + C              graying, G = C, S another      deny gray_on_other_stable
    V + C              graying, G = V                 promote, then start C
    V + C              graying, S = V                 abort, then start C
    V + C              graying, anything else         abort
    V + C              S = C                          nothing, warn fold_needed
    V + C              S = V                          start C (deny version_rejected)
    V + C              S another                      reach V, then start C
    V, gray removed    S = the wish's candidate       deny fold_needed
"""

from __future__ import annotations

from dataclasses import replace

from statetool.core.deploy_rows import older_versions, promote, reach_version, start_gray_release
from statetool.core.model import Address, Gray, Observed
from statetool.core.picture import PROMOTED_WEIGHT, is_unclear, newest_gray_record
from statetool.core.plan import Finding
from statetool.core.rejection import check_latch, last_change_was_rollback
from statetool.core.situation import Decision, Situation, Step, StepKind


def decide_version(s: Situation) -> Decision:
    """The steps that lead from the observed to the desired version picture, or the sentence why not."""
    if s.seen.gray is None:
        return _rows_not_graying(s)
    if is_unclear(s.observed) and "gray_unclear" not in s.overrides:
        return _deny_unclear(s, _why_unclear(s.observed))
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
    ).at("a gray release whose candidate neither manifest nor state names: deny foreign_gray_release")


def _deny_unclear(s: Situation, message: str) -> Decision:
    hint = "look at the component in the console; end the gray release there, then plan again"
    return s.deny("gray_unclear", message, hint).at("what the gray release is made of can't be told: deny gray_unclear")


def _why_unclear(observed: Observed) -> str:
    if newest_gray_record(observed.closer) is None:
        return "a gray release runs, but none is recorded, so that its candidate can't be told"
    return f"a gray release runs, but no record names {observed.row_version}, the version shown"


def _deny_stable_untold(s: Situation, gray: Gray) -> Decision:
    return _deny_unclear(
        s, f"a gray release of {gray.version} runs, but its stable version can't be told from the records"
    )


def _latched(s: Situation, *versions: str) -> Decision | None:
    """The first of these versions that was rejected, as a deny."""
    found = (check_latch(s, version) for version in versions)
    denied = next((decision for decision in found if decision is not None), None)
    return denied.at("the wanted version was ended or rejected: deny version_rejected") if denied else None


def _rows_graying_to_version(s: Situation, gray: Gray) -> Decision:
    if gray.version == s.stable:
        latched = _latched(s, s.stable)
        return latched or Decision(steps=(promote(s, gray),), row="V, graying, G = V: promote")
    if s.seen.stable is None:
        return _deny_stable_untold(s, gray)
    abort = Step(StepKind.ABORT, s.seen.stable)
    if s.seen.stable == s.stable:
        return Decision(steps=(abort,), row="V, graying, S = V: abort")
    return _latched(s, s.stable) or _abort_and_then(s, abort, s.seen.stable)


def _abort_and_then(s: Situation, abort: Step, stable: str) -> Decision:
    """V is neither stable nor candidate. An abort counts as a rollback, so one after it is the second in a row."""
    after = reach_version(s, stable, twice=True)
    denied = {finding.code for finding in after.findings if finding.severity == "deny"}
    if not denied:
        row = f"V, graying, V is neither: abort, then as not graying ({after.row})"
        return replace(after, steps=(abort, *after.steps), row=row)
    if denied == {"rollback_twice"}:
        warning = s.warning(
            "second_step_needed",
            f"the gray release is aborted now; going on from {stable} to {s.stable} would be a second rollback "
            "in a row, which the platform refuses",
            "write a new version for the second step, or try both at once with --override rollback_twice",
        )
        row = "V, graying, V is neither, and a second rollback would be needed: abort only"
        return Decision(steps=(abort,), findings=(warning,), row=row)
    return after


def _rows_graying_to_gray(s: Situation, gray: Gray, wanted: Gray) -> Decision:
    if gray.version == wanted.version:
        return _rows_same_candidate(s, gray, wanted)
    latched = _latched(s, wanted.version, s.stable)
    if gray.version == s.stable:
        row = "V + gray C, graying, G = V: promote, then start the gray release of C"
        return latched or _and_then_start(s, (promote(s, gray),), wanted, row)
    if s.seen.stable is None:
        return _deny_stable_untold(s, gray)
    if latched:
        return latched
    abort = Step(StepKind.ABORT, s.seen.stable)
    if s.seen.stable == s.stable:
        row = "V + gray C, graying, S = V, G another: abort, then start the gray release of C"
        return _and_then_start(s, (abort,), wanted, row)
    warning = s.warning(
        "second_step_needed",
        f"the gray release of {gray.version} is aborted now; version {s.stable} and the gray release of "
        f"{wanted.version} come after it",
        _how_to_go_on(s, s.seen.stable),
    )
    return Decision(steps=(abort,), findings=(warning,), row="V + gray C, graying, anything else: abort only")


def _how_to_go_on(s: Situation, stable: str) -> str:
    if s.stable not in older_versions(s.observed, stable):
        return "plan again afterwards"
    return (
        f"plan again afterwards; going back from {stable} to {s.stable} is the second rollback in a row then, which "
        "needs --override rollback_twice"
    )


def _rows_same_candidate(s: Situation, gray: Gray, wanted: Gray) -> Decision:
    if s.seen.stable not in (s.stable, None):
        return s.deny(
            "gray_on_other_stable",
            f"{wanted.version} is released beside {s.seen.stable}, but the manifest says version {s.stable}",
            f"write version: {s.seen.stable}, or end this gray release first",
        ).at("V + gray C, graying, G = C, S is neither V nor unknown: deny gray_on_other_stable")
    latched = _latched(s, wanted.version)
    if latched:
        return latched
    if wanted.rule is not None and wanted.rule.weight == PROMOTED_WEIGHT:
        return Decision(steps=(promote(s, gray),), row="V + gray C with weight 100, graying, G = C: promote")
    return Decision(
        steps=(Step(StepKind.RULE, gray.version, rule=wanted.rule),),
        row="V + gray C, graying, S = V, G = C, rule differs: modify_gray_rule",
    )


def _and_then_start(s: Situation, before: tuple[Step, ...], wanted: Gray, row: str) -> Decision:
    """Steps that end in the start of a gray release; none of them where it can't be started."""
    start = start_gray_release(s, wanted)
    return start if start.is_deny else replace(start, steps=(*before, *start.steps), row=row)


def _rows_not_graying(s: Situation) -> Decision:
    stable = s.seen.stable
    assert stable is not None, "a component that is not graying shows its version"
    if s.wanted.gray is not None:
        return _rows_not_graying_to_gray(s, stable, s.wanted.gray)
    if _gray_just_removed(s, stable) and "fold_needed" not in s.overrides:
        return s.deny(
            "fold_needed",
            f"{stable} was promoted and serves alone; the manifest went back to version {s.stable}",
            f"write version: {stable} to keep it; --override fold_needed rolls it back to {s.stable}",
        ).at("V, gray just removed, S = the candidate of the wish: deny fold_needed")
    return _latched(s, s.stable) or _reach_alone(s, stable)


def _reach_alone(s: Situation, stable: str) -> Decision:
    reached = reach_version(s, stable, twice=last_change_was_rollback(s, stable))
    return reached.at(f"V, not graying, S another: {reached.row}")


def _rows_not_graying_to_gray(s: Situation, stable: str, wanted: Gray) -> Decision:
    if stable == wanted.version:
        row = "V + gray C, not graying, S = C: nothing, warn fold_needed"
        return Decision(findings=(fold_warning(s.address, wanted.version),), row=row)
    if stable == s.stable:
        row = "V + gray C, not graying, S = V: start the gray release of C"
        return _latched(s, wanted.version) or _and_then_start(s, (), wanted, row)
    latched = _latched(s, wanted.version, s.stable)
    if latched:
        return latched
    reached = _reach_alone(s, stable)
    if reached.is_deny:
        return reached
    row = "V + gray C, not graying, S another: first reach V, then start the gray release of C"
    started = _and_then_start(s, reached.steps, wanted, row)
    return started if started.is_deny else replace(started, findings=(*reached.findings, *started.findings))


def _gray_just_removed(s: Situation, stable: str) -> bool:
    if s.wish is None or s.wish.gray is None:
        return False
    return s.wish.gray.version == stable and s.wish.stable == s.stable


def fold_warning(address: Address, version: str) -> Finding:
    """The candidate serves alone, and the manifest still writes it as a gray release."""
    hint = f"write version: {version} and remove gray"
    return Finding("fold_needed", "warn", f"{version} was promoted and serves alone", hint, address)
