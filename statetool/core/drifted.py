"""Since when each wished field is wrong, told from two looks at a component.

Owns that judgement, by the same rules as `diff.py` compares. It must not change a state (that is `state.py`).
"""

from __future__ import annotations

from statetool.core.model import (
    GRAY_FIELD,
    REPLICAS_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Drifted,
    Recorded,
    Replicas,
    Seen,
    StatusClass,
    VersionPicture,
    Wish,
    classify_status,
    nearest_number,
)
from statetool.core.picture import differs_in_rule_only, matches


def drifted_after(recorded: Recorded, seen: Seen) -> dict[str, Drifted]:
    """Since when each wished field is wrong. What the status hides now stays as it was known."""
    known = recorded.drifted
    now = _judge(recorded.wish, seen)
    before = _judge(recorded.wish, recorded.seen) if recorded.seen else {}
    drifted: dict[str, Drifted] = {}
    for wished, found in now.items():
        if found is None:
            drifted.update({path: known[path] for path in _paths_of(wished) if path in known})
        elif found != _RIGHT:
            right_at = recorded.seen.at if recorded.seen and before.get(wished) == _RIGHT else None
            since = next((known[path] for path in _paths_of(wished) if path in known), None)
            # The picture may go from wrong in its rule to wrong as a whole: still wrong since the first time.
            drifted[found] = since or Drifted(last_right_at=right_at, first_wrong_at=seen.at)
    return drifted


_RIGHT = ""


def _paths_of(wished: str) -> tuple[str, ...]:
    return (VERSION_FIELD, GRAY_FIELD) if wished == VERSION_FIELD else (wished,)


def _judge(wish: Wish, seen: Seen) -> dict[str, str | None]:
    """Per wished field: right, the drift path that is wrong, or None where the status hides the value.

    The same rules as `diff.py` compares by: nothing of a busy component counts, and replicas only where the
    platform counts one version that runs.
    """
    status = classify_status(seen.status)
    busy = status is StatusClass.BUSY
    found: dict[str, str | None] = {}
    if wish.picture is not None:
        hidden = busy or (seen.version is None and seen.gray is None)
        found[VERSION_FIELD] = None if hidden else _judge_picture(wish.picture, seen)
    if wish.replicas is not None:
        hidden = seen.replicas is None or status not in (StatusClass.READY, StatusClass.FAILED)
        found[REPLICAS_FIELD] = None if hidden else _judge_number(wish.replicas, seen.replicas)
    if wish.state is not None:
        power = "stopped" if status is StatusClass.STOPPED else "running"
        found[STATE_FIELD] = None if busy else _RIGHT if power == wish.state else STATE_FIELD
    return found


def _judge_number(wanted: Replicas, seen: int | None) -> str:
    return _RIGHT if seen is not None and nearest_number(wanted, seen) == seen else REPLICAS_FIELD


def _judge_picture(wanted: VersionPicture, seen: Seen) -> str:
    picture = VersionPicture(seen.version, seen.gray)
    if matches(wanted, picture):
        return _RIGHT
    return GRAY_FIELD if differs_in_rule_only(wanted, picture) else VERSION_FIELD
