"""The rejection latch: a version that was taken back does not return by itself.

Owns whether a version is rejected, whether one was ended outside, and whether the last change was a rollback. It
must not store anything: what is found in memory is stored by an apply.
"""

from __future__ import annotations

from statetool.core.model import Observed, Recorded, Rejection, StatusClass, VersionPicture
from statetool.core.plan import Verb
from statetool.core.situation import Decision, Situation

ROLLBACK_VERBS = frozenset({Verb.ROLLBACK.value, Verb.ROLLBACK_CURRENT.value, "abort"})
OUTSIDE = "outside"


def check_latch(s: Situation, version: str) -> Decision | None:
    """The deny of a rejected version, None where it may be wished."""
    entry = next((r for r in s.rejected if r.version == version and r.cleared is None), None)
    if entry is None or "version_rejected" in s.overrides:
        return None
    if entry.by == OUTSIDE:
        told = f"{version} was taken back outside (found at {entry.at})"
    else:
        told = f"{version} was rejected at {entry.at} ({entry.reason}, by {entry.by})"
    return s.deny(
        "version_rejected",
        f"{told} and does not return by itself",
        f"name another version, or `statetool rollout clear {s.address} {version} --reason TEXT`, "
        "or --override version_rejected for one run",
    )


def last_change_was_rollback(s: Situation, stable: str) -> bool:
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
