"""What `statetool doctor` finds, as values: one check a topic, or several.

Owns the topics, their order, and how a check can end. It must not look at anything, nor hold a word for people:
looking is `doctor/`, the words are `render/doctor.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from statetool.core.model import Json
from statetool.errors import Diagnostic


class Topic(StrEnum):
    """What is looked at, in the order in which it is told."""

    CONFIGURATION = "configuration"
    MANIFESTS = "manifests"
    STATE = "state"
    STATE_FOLDER = "state_folder"
    LOCK = "lock"
    CLOCK = "clock"
    CREDENTIALS = "credentials"
    ENDPOINT = "endpoint"
    SANDBOX = "sandbox"
    PROJECT = "project"
    APPLICATIONS = "applications"
    COMPONENTS = "components"
    RECORDS = "records"
    JOB = "job"
    CHANGES = "changes"
    VERSION = "version"


class CheckStatus(StrEnum):
    """`not_reached` is no verdict: something before it has to be mended first, or nothing can tell."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `code` is stable and says what was found, or why it was not reached.

    `facts` are what the sentence about it is made of; their keys depend on the code. `problems` are errors in
    their own words, where there are some.
    """

    topic: Topic
    status: CheckStatus
    code: str
    facts: Mapping[str, Json] = field(default_factory=dict)
    problems: tuple[Diagnostic, ...] = ()


PERMISSIONS: Mapping[Topic, str] = {
    Topic.APPLICATIONS: "servicestage:app:listApplication",
    Topic.COMPONENTS: "servicestage:app:listComponent",
    Topic.RECORDS: "servicestage:app:listComponent",
    Topic.JOB: "servicestage:app:listApplication",
    Topic.CHANGES: "servicestage:app:modifyComponent",
}
"""The permission each of these takes [06_0082, 06_0083, 06_0190]; the list of applications is inferred."""


def has_failed(checks: Iterable[Check]) -> bool:
    return any(check.status is CheckStatus.FAILED for check in checks)
