"""How a version is reached: by a rollback, by an upgrade, or as the candidate of a gray release.

Owns what must hold for each of them, and which image or package a new version runs from. Whether the version
picture needs it is `version_rows.py`. It must not build actions.
"""

from __future__ import annotations

from statetool.core.artifacts import artifact_of_version, follow_version
from statetool.core.deploy import Artifact, GrayStart
from statetool.core.model import Gray, Observed
from statetool.core.picture import PROMOTED_WEIGHT, newest_gray_record
from statetool.core.plan import Finding
from statetool.core.situation import Decision, Situation, Step, StepKind

LEAST_INSTANCES = 2
"""What a gray release needs [03_0122]."""

DEFAULT_REMAINING_BATCHES = 1

RECORDED_BEFORE = "V was recorded before S: rollback to V"
DEEP = "V was recorded before S, but not right before it: deny deep_rollback"
TWICE = "the last change of version was a rollback itself: deny rollback_twice"
NOT_RECORDED = "V was not recorded before S: upgrade to V"
NO_ARTIFACT = "no image or package of the new version is known: deny unknown_version"


def older_versions(observed: Observed, stable: str) -> list[str]:
    """Versions recorded before the stable one, newest first, each once."""
    versions = _recorded_versions(observed)
    return versions[versions.index(stable) + 1 :] if stable in versions else []


def reach_version(s: Situation, stable: str, *, twice: bool) -> Decision:
    """From the stable version to V alone. `twice`: the change before this one was a rollback."""
    older = older_versions(s.observed, stable)
    if s.stable not in older:
        return _upgrade(s, stable)
    is_deep = older.index(s.stable) > 0
    if is_deep and "deep_rollback" not in s.overrides:
        return s.deny(
            "deep_rollback",
            f"{s.stable} is {older.index(s.stable) + 1} versions before {stable}; the platform is only known to go "
            f"back by one, to {older[0]}",
            f"write version: {older[0]}, or try it with --override deep_rollback",
        ).at(DEEP)
    if twice and "rollback_twice" not in s.overrides:
        return s.deny(
            "rollback_twice",
            f"the last change to {stable} was itself a rollback; the platform refuses a second one in a row",
            "write a new version, or try it with --override rollback_twice",
        ).at(TWICE)
    return Decision(steps=(Step(StepKind.ROLLBACK, s.stable, is_deep=is_deep),), row=RECORDED_BEFORE)


def _upgrade(s: Situation, stable: str) -> Decision:
    denied = _check_kind(s, s.deploy.artifact, s.stable)
    if denied is not None:
        return denied
    artifact = _artifact(s, s.deploy.artifact, s.stable)
    if artifact is None:
        return _deny_unknown(s, s.stable, "beside version")
    step = Step(StepKind.UPGRADE, s.stable, artifact=artifact)
    return Decision(steps=(step,), findings=_warn_reused(s, s.stable), row=NOT_RECORDED)


def start_gray_release(s: Situation, wanted: Gray) -> Decision:
    """The start of a gray release of C beside V, with what the platform asks of it."""
    assert wanted.rule is not None, "a desired gray release always has a rule"
    denied = _check_gray_start(s, wanted) or _check_kind(s, s.deploy.candidate_artifact, wanted.version)
    if denied is not None:
        return denied
    artifact = _artifact(s, s.deploy.candidate_artifact, wanted.version)
    if artifact is None:
        return _deny_unknown(s, wanted.version, "inside gray")
    steps = [Step(StepKind.GRAY_START, wanted.version, rule=wanted.rule, artifact=artifact)]
    if s.deploy.gray.precheck:
        steps.insert(0, Step(StepKind.CHECK, wanted.version))
    if wanted.rule.weight == PROMOTED_WEIGHT:
        steps.append(Step(StepKind.PROMOTE, wanted.version, max_requests=_requests(_batches(s.deploy.gray))))
    return Decision(steps=tuple(steps), findings=_warn_reused(s, wanted.version))


def _check_gray_start(s: Situation, wanted: Gray) -> Decision | None:
    if s.has_hosts:
        return s.deny(
            "gray_on_machines",
            f"a gray release of {wanted.version} needs containers, but the component runs on machines (hosts)",
            "write the new version as version and remove gray",
        ).at("gray on a component that runs on machines: deny gray_on_machines")
    if s.instances is None:
        return None
    if s.instances < LEAST_INSTANCES:
        return s.deny(
            "gray_needs_two_instances",
            f"a gray release of {wanted.version} needs at least {LEAST_INSTANCES} instances, but there "
            f"{'is' if s.instances == 1 else 'are'} {s.instances}",
            f"write replicas: {LEAST_INSTANCES} or more as well, or write the new version as version and remove gray",
        ).at("gray with fewer than two instances: deny gray_needs_two_instances")
    first = s.deploy.gray.first_batch_replicas
    if first is not None and first >= s.instances:
        return s.deny(
            "first_batch_too_large",
            f"first_batch_replicas {first} leaves no instance to {s.stable}: there are {s.instances}",
            f"write first_batch_replicas: {s.instances - 1} or less, or more replicas",
        ).at("the first batch takes every instance: deny first_batch_too_large")
    return None


def promote(s: Situation, gray: Gray) -> Step:
    """The candidate takes all: one request, and one more for every batch that is left [U4]."""
    closer = s.observed.closer
    remaining = closer.remaining_batches if closer else None
    if remaining is None:
        release = newest_gray_record(closer)
        remaining = release.remaining_batches if release else None
    return Step(StepKind.PROMOTE, gray.version, max_requests=_requests(remaining))


def _requests(remaining_batches: int | None) -> int:
    return (1 if remaining_batches is None else remaining_batches) + 1


def _batches(start: GrayStart) -> int:
    return start.remaining_batches or DEFAULT_REMAINING_BATCHES


def _check_kind(s: Situation, written: Artifact | None, version: str) -> Decision | None:
    """The deny of a package for what runs from an image, or the other way round."""
    runs = s.observed.closer.artifact if s.observed.closer else None
    if written is None or runs is None or written.kind == runs.kind:
        return None
    return s.deny(
        "other_artifact",
        f"the component runs from its {runs.kind} {runs.url}, and {version} is written with a {written.kind}",
        f"write {runs.kind}: URL instead of {written.kind}",
    ).at("an image for what runs from a package, or the other way round: deny other_artifact")


def _artifact(s: Situation, written: Artifact | None, version: str) -> Artifact | None:
    """The one that is written; else the address of one that is known, with the version in its tag replaced."""
    if written is not None:
        return written
    gray = s.seen.gray.version if s.seen.gray else None
    for running in (s.observed.row_version, s.seen.stable, gray):
        found = artifact_of_version(s.observed, running, version)
        if found is not None:
            return found
    return follow_version(s.deploy.artifact, s.stable, version) if s.deploy.artifact else None


def _deny_unknown(s: Situation, version: str, where: str) -> Decision:
    known = ", ".join(_recorded_versions(s.observed)) or "none"
    artifact = s.observed.closer.artifact if s.observed.closer else None
    runs = f"what runs, {artifact.url}, does not end in its version" if artifact else "what runs can't be read"
    # A candidate must be new: one that is recorded has no image either.
    instead = ", or one of the recorded versions" if version == s.stable else ""
    return s.deny(
        "unknown_version",
        f"nobody knows the {artifact.kind if artifact else 'image'} of {version}: {runs}; recorded are {known}",
        f"write image: URL (or package: URL) {where}{instead}",
    ).at(NO_ARTIFACT)


def _warn_reused(s: Situation, version: str) -> tuple[Finding, ...]:
    if version not in _recorded_versions(s.observed):
        return ()
    return (
        s.warning(
            "version_reused",
            f"{version} was deployed before; the platform may refuse a version that it knows already",
            "write a version that was never used",
        ),
    )


def _recorded_versions(observed: Observed) -> list[str]:
    closer = observed.closer
    return list(dict.fromkeys(record.version for record in closer.records)) if closer else []
