"""How one action ended: the value that an operation returns, the keeper records and the executor tells.

It must not decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from statetool.core.events import EventType
from statetool.core.journal import EntryType
from statetool.core.model import Json, Observed


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A version that an action reached. `left` is what was taken back by it, None for a promotion."""

    reached: str
    verb: str
    left: str | None
    job_id: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How an action ended: the event to emit, and what the state should keep of it.

    `seen` is the last look at the component, None where there was none. `operation` is the journal's operation that
    was still open, None where nothing was out; `closing` what is noted of it, None where it stays as it is.
    """

    type: EventType
    elapsed_s: float
    data: Mapping[str, Json] = field(default_factory=dict)
    seen: Observed | None = None
    version_change: VersionChange | None = None
    operation: str | None = None
    closing: EntryType | None = None

    @property
    def is_good(self) -> bool:
        """Done, or there already: what requires the action may start."""
        return self.type in (EventType.ACTION_COMPLETE, EventType.ACTION_SATISFIED)

    @property
    def is_failure(self) -> bool:
        """Counts towards `max_failures`: it went wrong, or nobody knows for too long."""
        return self.type in (EventType.ACTION_ERRORED, EventType.ACTION_STILL_RUNNING)
