"""A parked operation that a person says something of: what is known of it, and what came of that.

Owns these values only. Looking is `resolving.py`, what is recorded `apply/resolution.py`, showing
`render/resolution.py`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from statetool.core.journal import OpenOperation
from statetool.core.model import Job, Observed, Record


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to judge by: the operation with what was looked at when it was parked, and a look of now.

    `observed` None where the platform could not be looked at, and `unreached` says why. `job` is the last job that was
    seen, where the platform still knows it.
    """

    operation: OpenOperation
    observed: Observed | None = None
    job: Job | None = None
    unreached: str | None = None

    @property
    def newest_record(self) -> Record | None:
        """The newest deployment record of now."""
        closer = self.observed.closer if self.observed is not None else None
        return closer.records[0] if closer is not None and closer.records else None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person said, and what came of it.

    `recorded` names the fields whose wish holds by that. `is_declined`: it was not said after all.
    """

    evidence: Evidence
    did_run: bool
    by: str
    reason: str | None
    recorded: tuple[str, ...] = ()
    is_declined: bool = False
