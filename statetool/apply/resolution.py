"""A parked operation, ended by the word of a person: what the state learns from it.

Owns that decision. What can be seen at the component is recorded only where it is seen: the next plan compares it
anyway. A restart can't be seen, so there the word is all there is. It must not look at the platform, nor write.
"""

from __future__ import annotations

from statetool.apply import verdict
from statetool.apply.ending import Ending
from statetool.core.events import EventType
from statetool.core.journal import EntryType, OpenOperation
from statetool.core.model import Json, Observed, Recorded
from statetool.core.picture import observed_values
from statetool.core.plan import Verb


def resolved_ending(
    operation: OpenOperation,
    *,
    did_run: bool,
    by: str,
    reason: str | None,
    seen: Observed | None,
    recorded: Recorded | None,
) -> Ending:
    """The ending of an operation that `by` says did run, or did not. `seen` is a look of now, None where there is none.

    Where it ran, and what it was for is there, it is done: wishes that waited for it hold, and a version it reached is
    kept. Else it is closed, and the next plan says what is to be done.
    """
    action = operation.intent.action
    data: dict[str, Json] = {"did_run": did_run, "by": by, "reason": reason}
    values = observed_values(seen, recorded) if seen is not None else {}
    can_be_seen = action.verb is not Verb.RESTART and not verdict.has_no_value(action)
    is_seen = seen is not None and not verdict.unmet_after_sending(action, values)
    if not did_run or (can_be_seen and not is_seen):
        skipped = EventType.ACTION_SKIPPED
        return Ending(skipped, 0.0, data, seen, operation=operation.id, closing=EntryType.RESOLVED)
    before = operation.intent.baseline.values
    change = verdict.version_change(action, seen, values, before, operation.job_id) if seen is not None else None
    return Ending(EventType.ACTION_COMPLETE, 0.0, data, seen, change, operation.id, EntryType.RESOLVED)
