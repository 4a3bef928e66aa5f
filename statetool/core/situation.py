"""What the rows of the version picture look at, and what they answer.

Owns the situation of one component, a step of its version picture, and the decision. It must not decide anything:
the table is `version_rows.py`, how a version is reached `deploy_rows.py`, the rejection latch `rejection.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from statetool.core.deploy import Artifact, Deploy
from statetool.core.model import Address, GrayRule, Observed, Recorded, Rejection, VersionPicture
from statetool.core.plan import Finding


class StepKind(StrEnum):
    ABORT = "abort"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    UPGRADE = "upgrade"
    CHECK = "check"
    GRAY_START = "gray_start"
    RULE = "rule"


FULL_CHANGES = frozenset({StepKind.ROLLBACK, StepKind.UPGRADE, StepKind.PROMOTE})
"""Steps that replace every instance."""

UNCORRECTED = frozenset({StepKind.PROMOTE, StepKind.UPGRADE, StepKind.CHECK, StepKind.GRAY_START})
"""Steps that a correction of drift never takes: they would bring something new, or finish it, by a timer."""


@dataclass(frozen=True, slots=True)
class Step:
    """One move of the version picture.

    `version` is what serves alone afterwards, or the candidate of a gray start or a rule. `artifact` is what a new
    version runs from.
    """

    kind: StepKind
    version: str
    rule: GrayRule | None = None
    is_deep: bool = False
    max_requests: int = 1
    artifact: Artifact | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The steps in order, what has to be said, and the row that says so. With a deny there are no steps."""

    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    row: str | None = None

    @property
    def is_deny(self) -> bool:
        return any(finding.severity == "deny" for finding in self.findings)

    def at(self, row: str) -> Decision:
        """The same decision as that of a row of the table."""
        return replace(self, row=row)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the rows look at.

    `wish` is the recorded picture; `rejected` includes what was seen just now. `instances` is the number there will
    be when a gray release starts, None where it can't be told. `has_hosts` says that it runs on machines.
    """

    address: Address
    wanted: VersionPicture
    wish: VersionPicture | None
    seen: VersionPicture
    observed: Observed
    recorded: Recorded | None
    rejected: tuple[Rejection, ...]
    overrides: frozenset[str]
    is_drift: bool
    deploy: Deploy = field(default_factory=Deploy)
    instances: int | None = None
    has_hosts: bool = False

    @property
    def stable(self) -> str:
        assert self.wanted.stable is not None, "a desired picture always names its version"
        return self.wanted.stable

    def deny(self, code: str, message: str, hint: str) -> Decision:
        return Decision(findings=(Finding(code, "deny", message, hint, self.address),))

    def warning(self, code: str, message: str, hint: str) -> Finding:
        return Finding(code, "warn", message, hint, self.address)
