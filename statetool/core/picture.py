"""The version picture: which version is stable, which one is a candidate, and by which rule.

Owns reading that picture off an observed component, and comparing pictures. It must not decide what to do
about a difference (that is `version_rows.py`) nor why there is one (`diff.py`).
"""

from __future__ import annotations

from statetool.core.canonical import rule_to_json
from statetool.core.model import (
    Closer,
    Gray,
    GrayRule,
    Json,
    Observed,
    Record,
    Recorded,
    Seen,
    StatusClass,
    VersionPicture,
)

GRAY_RELEASE = "grayrelease"
UNTOLD_VERSION = "?"
"""Stands for a candidate that the platform does not name."""

PROMOTED_WEIGHT = 100


def version_picture(observed: Observed, recorded: Recorded | None) -> VersionPicture:
    """What serves now. Where `observed.may_be_releasing` this needs its `closer`; `stable` is None where it can't be
    told.

    The list row does not say whether it shows the stable version or the candidate while graying [U16], so the
    stable version is the first of these that is not the candidate: the row's, the record in use, the last one
    seen in the state, the newest older record that was not rejected.
    """
    closer, release = observed.closer, open_release(observed)
    if observed.status_class is not StatusClass.GRAYING and release is None:
        return VersionPicture(observed.row_version)
    if closer is None or release is None:
        return VersionPicture(None, Gray(UNTOLD_VERSION, closer.rule if closer else None))
    rule = closer.rule
    if rule is None and release.weight is not None:
        rule = GrayRule(weight=release.weight)
    return VersionPicture(_stable_version(observed, closer, release, recorded), Gray(release.version, rule))


def open_release(observed: Observed) -> Record | None:
    """The record of the gray release that pauses, or that failed half way; None where one version serves alone.

    A failed component does not say whether its gray release was over [U16]: it was not, as far as its newest record
    is that release, while another version is shown or in use.
    """
    closer = observed.closer
    if observed.status_class is StatusClass.GRAYING:
        return newest_gray_record(closer)
    if observed.status_class is not StatusClass.FAILED or closer is None or not closer.records:
        return None
    newest = closer.records[0]
    in_use = next((record.version for record in closer.records if record.current), newest.version)
    serves_alone = observed.row_version == in_use == newest.version
    return newest if newest.deploy_type == GRAY_RELEASE and not serves_alone else None


def is_releasing(observed: Observed) -> bool:
    """Whether a gray release is open: it pauses, or it failed half way. The job that started it may run on [U15]."""
    return observed.status_class is StatusClass.GRAYING or open_release(observed) is not None


def is_unclear(observed: Observed) -> bool:
    """Whether a graying component hides what it is doing: no gray record, or a row version nobody recorded."""
    if observed.status_class is not StatusClass.GRAYING:
        return False
    release = newest_gray_record(observed.closer)
    if observed.closer is None or release is None:
        return True
    known = {record.version for record in observed.closer.records}
    return observed.row_version != release.version and observed.row_version not in known


def matches(wanted: VersionPicture, seen: VersionPicture) -> bool:
    """Whether `seen` is what `wanted` asks for. A wanted weight of 100 is met by the candidate serving alone."""
    if wanted.gray is None:
        return seen.gray is None and seen.stable == wanted.stable
    if wanted.gray.rule is not None and wanted.gray.rule.weight == PROMOTED_WEIGHT:
        return is_promoted(wanted, seen)
    return differs_in_rule_only(wanted, seen) and seen.gray is not None and seen.gray.rule == wanted.gray.rule


def is_promoted(wanted: VersionPicture, seen: VersionPicture) -> bool:
    """Whether the wanted candidate already serves alone."""
    return wanted.gray is not None and seen.gray is None and seen.stable == wanted.gray.version


def differs_in_rule_only(wanted: VersionPicture, seen: VersionPicture) -> bool:
    """Whether both are the same gray release; its rule may differ. An untold stable version does not count."""
    if wanted.gray is None or seen.gray is None or wanted.gray.version != seen.gray.version:
        return False
    return seen.stable is None or seen.stable == wanted.stable


def picture_paths(picture: VersionPicture) -> dict[str, Json]:
    """The picture as plan paths: version, gray.version, gray.weight or gray.match and gray.rules."""
    paths: dict[str, Json] = {}
    if picture.stable is not None:
        paths["version"] = picture.stable
    if picture.gray is not None:
        paths["gray.version"] = picture.gray.version
        if picture.gray.rule is not None:
            paths.update(rule_paths(picture.gray.rule))
    return paths


def rule_paths(rule: GrayRule) -> dict[str, Json]:
    return {f"gray.{key}": value for key, value in rule_to_json(rule).items()}


def observed_values(observed: Observed, recorded: Recorded | None) -> dict[str, Json]:
    """Everything a precondition or a goal may name, as it is now; a path that can't be told is absent."""
    values: dict[str, Json] = {"status": str(observed.status_class), "replicas": observed.replicas}
    values.update(picture_paths(version_picture(observed, recorded)))
    if observed.last_job_id is not None:
        values["last_job_id"] = observed.last_job_id
    if recorded is not None and recorded.wish.restart is not None:
        values["restart"] = recorded.wish.restart
    return values


def configured_number(observed: Observed, seen: VersionPicture) -> int | None:
    """The number of instances the component is meant to have now; None where its status hides it."""
    if observed.status_class in (StatusClass.READY, StatusClass.FAILED) and seen.gray is None:
        return observed.replicas
    return observed.closer.configured_replicas if observed.closer else None


def seen_of(observed: Observed, recorded: Recorded | None, at: str) -> Seen:
    """What the state keeps of an observation."""
    picture = version_picture(observed, recorded)
    return Seen(
        at=at,
        version=picture.stable,
        replicas=observed.replicas,
        available_replicas=observed.available_replicas,
        status=observed.status,
        last_job_id=observed.last_job_id,
        gray=picture.gray,
    )


def is_worth_recording(observed: Observed) -> bool:
    """What a job is moving, or a gray release nobody looked into, would only blur what was seen before."""
    if observed.may_be_releasing:
        return observed.closer is not None
    return observed.status_class is not StatusClass.BUSY


def newest_gray_record(closer: Closer | None) -> Record | None:
    """The record of the gray release that runs, while one runs."""
    if closer is None:
        return None
    return next((record for record in closer.records if record.deploy_type == GRAY_RELEASE), None)


def _stable_version(observed: Observed, closer: Closer, release: Record, recorded: Recorded | None) -> str | None:
    candidate = release.version
    if observed.row_version != candidate:
        return observed.row_version
    in_use = next((record.version for record in closer.records if record.current), None)
    if in_use is not None and in_use != candidate:
        return in_use
    if recorded is not None and recorded.seen is not None and recorded.seen.version not in (None, candidate):
        return recorded.seen.version
    rejected = {entry.version for entry in recorded.rejected} if recorded else set()
    older = closer.records[closer.records.index(release) + 1 :]
    return next((r.version for r in older if r.version != candidate and r.version not in rejected), None)
