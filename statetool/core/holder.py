"""Who holds the lock of a state, as it is written beside it and shown to whoever meets it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from statetool.core.journal import RunNote


@dataclass(frozen=True, slots=True)
class LockInfo:
    """Who holds a lock, for the person who meets it. `who` is user@host; `created` is UTC RFC 3339.

    Found with a backend, not written by its holder: `fence` of the lease, and `renewed_ago_s`, the seconds since its
    holder last gave a sign of life, where the backend can tell. `progress` is what the holder's run says of itself in
    the journal; `locking.py` looks for it.
    """

    id: str
    operation: str
    who: str
    host: str
    pid: int
    tool_version: str
    created: str
    run_id: str | None = None
    ci_url: str | None = None
    fence: int | None = None
    renewed_ago_s: float | None = None
    progress: RunNote | None = None
