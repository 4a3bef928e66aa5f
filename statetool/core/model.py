"""The nouns: addresses, what is desired, what is recorded, what is observed.

Owns the value types every other module speaks in. It must not know how any of them is read, written,
compared or printed. All types are frozen; instants are UTC RFC 3339 text, durations are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import total_ordering
from typing import Literal, TypeAlias

from statetool.core.deploy import Artifact, Configuration, Deploy, Deployed
from statetool.errors import SourceMark

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
PowerState: TypeAlias = Literal["running", "stopped"]

VERSION_FIELD = "version"
GRAY_FIELD = "gray"
REPLICAS_FIELD = "replicas"
STATE_FIELD = "state"
RESTART_FIELD = "restart"
DEPLOYED_FIELD = "deployed"
DRIFT_FIELDS = (REPLICAS_FIELD, VERSION_FIELD, GRAY_FIELD, STATE_FIELD)

_ADDRESS = re.compile(r"^([^/@\s]+)/([^/@\s]+)(?:@([^/@\s]+))?$")


@total_ordering
@dataclass(frozen=True, slots=True)
class Address:
    """Name of one component: `application/component`, or `application/component@environment`.

    The only key of the tool. Without environment it sorts before the same name with one.
    """

    application: str
    component: str
    environment: str | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address from text. Raises ValueError where the text has another shape."""
        match = _ADDRESS.match(text)
        if match is None:
            raise ValueError(f"not an address: {text!r}; want application/component, with or without @environment")
        return cls(match[1], match[2], match[3])

    def __str__(self) -> str:
        suffix = f"@{self.environment}" if self.environment else ""
        return f"{self.application}/{self.component}{suffix}"

    def __lt__(self, other: Address) -> bool:
        return self.sort_key < other.sort_key

    @property
    def sort_key(self) -> tuple[str, str, str]:
        return (self.application, self.component, self.environment or "")


@dataclass(frozen=True, slots=True, order=True)
class ContentRule:
    """One header match of a gray release. `condition` is equal, match or in."""

    type: str
    key: str
    condition: str
    value: str


@dataclass(frozen=True, slots=True)
class GrayRule:
    """Who reaches the candidate: a share of traffic in percent, or content rules. Exactly one is set."""

    weight: int | None = None
    match: Literal["all", "any"] | None = None
    rules: frozenset[ContentRule] = frozenset()


@dataclass(frozen=True, slots=True)
class Gray:
    """A candidate version beside the stable one. `rule` is None where the platform does not show it."""

    version: str
    rule: GrayRule | None


@dataclass(frozen=True, slots=True)
class VersionPicture:
    """The whole version field: the stable version and, during a gray release, the candidate.

    `stable` is None only in an observed picture whose stable version cannot be told.
    """

    stable: str | None
    gray: Gray | None = None


@dataclass(frozen=True, slots=True)
class ReplicaRange:
    """A number of instances that an autoscaler owns: the floor is enforced, the ceiling only where `enforce_max`."""

    min: int
    max: int
    enforce_max: bool = False


Replicas: TypeAlias = "int | ReplicaRange"


def nearest_number(wanted: Replicas, number: int) -> int:
    """The number of instances to have where there are `number`: itself where it is allowed, else the nearest bound."""
    if isinstance(wanted, int):
        return wanted
    if number < wanted.min:
        return wanted.min
    return min(number, wanted.max) if wanted.enforce_max else number


@dataclass(frozen=True, slots=True)
class Wish:
    """Desired values of one component in canonical form; None means the field is not managed.

    `deployed` is what was sent along with the version.
    """

    picture: VersionPicture | None = None
    replicas: Replicas | None = None
    state: PowerState | None = None
    restart: str | None = None
    deployed: Deployed | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """How long a component may take to become ready, and how long it must stay so. Seconds."""

    timeout_s: int = 300
    hold_s: int = 0


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What the manifest allows: `ignore` names fields, `correct` the fields whose drift may be put back."""

    protected: bool = False
    ignore: frozenset[str] = frozenset()
    correct: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class VariableOrigin:
    """A variable of manifests and who gave it: `--var`, `environment STATETOOL_VAR_name` or `file:line:column` of a
    --var-file. Never its value, which may be a secret."""

    name: str
    given_by: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value of a component is written, whether for all components of its document (`defaults`), and which
    variables it was put together from, in the order of its text."""

    mark: SourceMark
    is_default: bool = False
    variables: tuple[VariableOrigin, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """One component of a manifest. `application` in the address may be the name or the id.

    `depends_on` holds addresses of other desired components, already resolved. `hosts` are the machines of a
    component that runs on some, which the platform wants with every scale. `marks` says of every value that is
    written where it is, by its path: `replicas` or, of a range, `replicas.min`; `gray.weight`, `env.NAME`,
    `resources.limits.cpu`, `lifecycle.drift.replicas`; a list is one value. Where values are written makes no
    difference between components.
    """

    address: Address
    origin: SourceMark
    wish: Wish
    depends_on: tuple[Address, ...] = ()
    hosts: tuple[str, ...] = ()
    deploy: Deploy = field(default_factory=Deploy)
    labels: Mapping[str, str] = field(default_factory=dict)
    ready: Ready = Ready()
    lifecycle: Lifecycle = Lifecycle()
    marks: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was last observed of a component and recorded, with the instant."""

    at: str
    version: str | None
    replicas: int | None
    available_replicas: int | None
    status: str
    last_job_id: str | None
    gray: Gray | None = None


@dataclass(frozen=True, slots=True)
class Drifted:
    """Since when a recorded field is wrong: when it was last seen right, when first seen wrong."""

    last_right_at: str | None
    first_wrong_at: str


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version change made by us: the version reached, when, by which verb."""

    version: str
    at: str
    verb: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """A version that was aborted or rolled back and must not return by itself, until it is `cleared` for a reason.

    A cleared one is kept until the version runs again, so that the same end is not taken for a new one.
    """

    version: str
    at: str
    by: str
    reason: str
    job_id: str | None = None
    cleared: str | None = None


@dataclass(frozen=True, slots=True)
class AppliedFrom:
    """Where the manifests of an apply came from. All None outside git."""

    commit: str | None = None
    dirty: bool | None = None
    run_url: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the state keeps of one component: the wish last applied, and what was last seen."""

    address: Address
    component_id: str
    application_id: str
    environment_id: str | None
    wish: Wish
    seen: Seen | None = None
    drifted: Mapping[str, Drifted] = field(default_factory=dict)
    applied_at: str | None = None
    applied_from: AppliedFrom = AppliedFrom()
    run_id: str | None = None
    history: tuple[VersionEntry, ...] = ()
    rejected: tuple[Rejection, ...] = ()


class StatusClass(StrEnum):
    """The platform's component statuses, folded to what the planner needs (semantics: status x verb)."""

    READY = "ready"
    GRAYING = "graying"
    STOPPED = "stopped"
    FAILED = "failed"
    BUSY = "busy"


_STATUS_CLASSES: Mapping[str, StatusClass] = {
    "RUNNING": StatusClass.READY,
    "PENDING": StatusClass.READY,
    "GRAYING": StatusClass.GRAYING,
    "STOPPED": StatusClass.STOPPED,
    "FAILED": StatusClass.FAILED,
    "PARTIALLY_FAILED": StatusClass.FAILED,
    "UNKNOWN": StatusClass.FAILED,
    "DOWN": StatusClass.FAILED,
}


def classify_status(status: str) -> StatusClass:
    """Fold a component status of the platform, in any case; whatever is not listed is in progress, never an error."""
    return _STATUS_CLASSES.get(status.upper(), StatusClass.BUSY)


@dataclass(frozen=True, slots=True)
class Record:
    """One deployment record of a component, normalised. `deploy_type` is lower case.

    `weight` is the first_batch_weight of its last phase, `remaining_batches` the batches left to it, where told.
    """

    version: str
    deploy_type: str
    begun_at: str
    current: bool
    status: str
    job_ids: tuple[str, ...] = ()
    weight: int | None = None
    remaining_batches: int | None = None


@dataclass(frozen=True, slots=True)
class Closer:
    """What only the detail and the records of a component tell; read where a list row is not enough.

    `records` are newest first. `configuration` is what the detail shows now, `past` what earlier versions ran with,
    by version, where it was asked for and is known.
    """

    configured_replicas: int | None
    rule: GrayRule | None
    remaining_batches: int | None
    records: tuple[Record, ...]
    artifact: Artifact | None = None
    configuration: Configuration | None = None
    past: Mapping[str, Configuration] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """One component as the platform shows it now.

    `address` carries the platform's names, environment included. `row_version` is the version of the list row:
    during a gray release it may be the stable version or the candidate. `replicas` counts the instances that
    exist, of both versions. `artifact` is that of the row, where it tells one.
    """

    address: Address
    component_id: str
    application_id: str
    environment_id: str | None
    row_version: str
    status: str
    replicas: int
    available_replicas: int
    last_job_id: str | None
    updated_at: str | None
    closer: Closer | None = None
    artifact: Artifact | None = None

    @property
    def status_class(self) -> StatusClass:
        return classify_status(self.status)

    @property
    def may_be_releasing(self) -> bool:
        """Whether a gray release may be open, so that only detail and records tell which version is stable: while it
        pauses, and where it failed half way."""
        return self.status_class in (StatusClass.GRAYING, StatusClass.FAILED)

    @property
    def is_fully_available(self) -> bool:
        """RUNNING with every instance healthy: the platform's half of being ready."""
        return self.status.upper() == "RUNNING" and self.available_replicas >= self.replicas


@dataclass(frozen=True, slots=True)
class Application:
    """An application of the platform: where components are listed."""

    id: str
    name: str


class JobPhase(StrEnum):
    """Execution status of a job, folded: only SUCCEEDED is good, every other terminal value is a failure."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the platform. `status` is its word, `message` the failing task's, where there is one."""

    id: str
    phase: JobPhase
    status: str
    message: str | None = None


class Secret:
    """A credential. Shows a placeholder everywhere it could leak by accident; `reveal` is the one way out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is never serialised")
