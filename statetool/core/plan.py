"""The plan: the only thing that can be applied, and the thing that is shown.

Owns the plan's types and what is derived from them: summary, fingerprint, `can_apply`. Spelling a plan as a
document is `plan_document.py`; files are `planfile.py` beside workflow. It must not decide what is planned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from statetool.core.canonical import deployed_to_json, digest, picture_to_json, replicas_to_json
from statetool.core.deploy import Deployed
from statetool.core.model import Address, Json, Ready, Rejection, ReplicaRange, Replicas, VersionPicture
from statetool.errors import SourceMark

WishValue: TypeAlias = "VersionPicture | Replicas | Deployed | str | None"
PlanMode: TypeAlias = Literal["normal", "drift"]


class Verb(StrEnum):
    """The platform's verbs on one component, by its own names."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    SCALE = "scale"
    ROLLBACK = "rollback"
    ROLLBACK_CURRENT = "rollback_current"
    CONTINUE_DEPLOY = "continue_deploy"
    CHECK_GRAY_RELEASE = "check_gray_release"
    MODIFY_GRAY_RULE = "modify_gray_rule"
    SYNC_WORKLOAD = "sync_workload"
    UPGRADE = "upgrade"
    """A deployment by PUT, the only one that is no action of the platform's."""


EDGE_VERBS = frozenset({Verb.RESTART, Verb.CONTINUE_DEPLOY, Verb.ROLLBACK_CURRENT})
"""Verbs without an absolute target: sending one twice does it twice."""


class Cause(StrEnum):
    """Why desired and observed differ (semantics: two memories, and causes)."""

    ADOPT = "adopt"
    MANIFEST = "manifest"
    DRIFT = "drift"
    BOTH = "both"
    COMMAND = "command"
    """Asked for by name on the command line; nothing was compared with a wish."""


CAUSE_WORDS: Mapping[Cause, str] = {
    Cause.ADOPT: "not recorded yet",
    Cause.MANIFEST: "you changed the manifest",
    Cause.DRIFT: "changed outside",
    Cause.BOTH: "you changed the manifest, and it was changed outside",
    Cause.COMMAND: "asked for on the command line",
}


class Kind(StrEnum):
    ADOPT = "adopt"
    UPDATE = "update"
    MOVE = "move"
    FORGET = "forget"


class Risk(StrEnum):
    """What an action risks, in rising order. NONE only looks."""

    NONE = "none"
    SCALE_UP = "scale_up"
    REVERT = "revert"
    TRAFFIC = "traffic"
    SCALE_DOWN = "scale_down"
    RESTART = "restart"
    VERSION_GRAY = "version_gray"
    VERSION = "version"
    POWER = "power"


RISK_ORDER: Mapping[Risk, int] = {risk: n for n, risk in enumerate(Risk)}


class SendIf(StrEnum):
    """When an action is sent. The conditional ones put an instance number back after a version change."""

    ALWAYS = "always"
    DIFFERENT = "different"
    FEWER = "fewer"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One path of one component. `before` is the observed value; `wish` the one last applied, for cause both only."""

    path: str
    before: Json
    after: Json
    cause: Cause
    wish: Json = None


@dataclass(frozen=True, slots=True)
class Brought:
    """One thing that a version brings along: `how` is changed, added, removed or unchanged.

    `path` is image, package, env.NAME, resources... or replicas. Variables have neither before nor after: what they
    hold may be secret.
    """

    path: str
    how: str
    before: Json = None
    after: Json = None


@dataclass(frozen=True, slots=True)
class Action:
    """One verb on one component.

    `precondition` and `goal` map paths (status, version, replicas, gray.version, gray.weight, gray.match,
    gray.rules, restart, last_job_id) to the values that must be seen before sending, and that make it done.
    `brings` is what a change of version brings along, to be read only.
    `max_requests` is above 1 only for a promotion, which may have to continue once per batch.
    """

    id: str
    address: Address
    verb: Verb
    parameters: Mapping[str, Json]
    reason: str
    risk: Risk
    requires: tuple[str, ...]
    precondition: Mapping[str, Json]
    goal: Mapping[str, Json]
    estimate_s: int
    traffic_percent: int | None = None
    send_if: SendIf = SendIf.ALWAYS
    max_requests: int = 1
    ready: Ready = Ready()
    brings: tuple[Brought, ...] = ()


@dataclass(frozen=True, slots=True)
class WishUpdate:
    """What the state records once every action in `after` is done; at once where there is none.

    `field` is version, replicas, state, restart or deployed. A value of None releases the field.
    """

    field: str
    value: WishValue
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one component, as a reviewer reads it. `origin` is None for what left the manifests."""

    address: Address
    component_id: str
    application_id: str
    environment_id: str | None
    kind: Kind
    origin: SourceMark | None
    fields: tuple[FieldChange, ...] = ()
    action_ids: tuple[str, ...] = ()
    updates: tuple[WishUpdate, ...] = ()
    moved_from: Address | None = None


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A wished field that waits for the component's status to allow it."""

    address: Address
    path: str
    code: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A field that was changed outside and is not put back without permission."""

    address: Address
    path: str
    wish: Json
    observed: Json
    last_right_at: str | None
    first_wrong_at: str
    cause: Cause = Cause.DRIFT


@dataclass(frozen=True, slots=True)
class Blocked:
    """A component that gets no action in this plan. `because` is the finding's code, or the blocked dependency."""

    address: Address
    because: str
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a guard or an impossible wish has to say. Without address it speaks of the whole project."""

    code: str
    severity: Literal["deny", "warn"]
    message: str
    hint: str | None = None
    address: Address | None = None


OVERRIDABLE = frozenset(
    {
        "deep_rollback",
        "failed_component",
        "fold_needed",
        "foreign_gray_release",
        "freeze",
        "freeze_unreadable",
        "gray_unclear",
        "max_actions",
        "max_scale_down",
        "max_share",
        "max_weight_step",
        "min_replicas",
        "protected",
        "rollback_twice",
        "version_rejected",
    }
)
"""Codes of denies that `--override CODE` lets through for one plan; the others have no way around them."""


@dataclass(frozen=True, slots=True)
class RejectionSeen:
    """A version that was ended outside: apply stores it, so that it cannot return by itself."""

    address: Address
    rejection: Rejection


@dataclass(frozen=True, slots=True)
class Counts:
    """What is not listed one by one."""

    unchanged: int = 0
    ignored: int = 0
    unmanaged: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    imports: int
    change: int
    forget: int
    move: int
    actions: int
    by_verb: Mapping[str, int]
    highest_risk: Risk | None
    highest_traffic_percent: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A complete plan. `endpoint`, `project_id` and `lineage` say what it may be applied to."""

    mode: PlanMode
    created_at: str
    endpoint: str
    project_id: str
    lineage: str
    serial: int
    tool_version: str
    changes: tuple[Change, ...] = ()
    actions: tuple[Action, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    findings: tuple[Finding, ...] = ()
    rejections: tuple[RejectionSeen, ...] = ()
    counts: Counts = Counts()
    unmanaged: tuple[Address, ...] = ()
    reads: int = 0
    overrides: tuple[str, ...] = ()
    left_out: tuple[Address, ...] = field(default=())

    @property
    def denies(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "deny")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "warn")

    @property
    def addresses(self) -> frozenset[Address]:
        """Every managed component that the plan names; unchanged ones are recorded, and named only there."""
        named: list[Change | HeldBack | LeftAlone | Blocked] = [*self.changes, *self.held_back]
        named += [*self.left_alone, *self.blocked]
        return frozenset(self.left_out).union(entry.address for entry in named)

    @property
    def has_changes(self) -> bool:
        """Whether `plan --detailed-exitcode` says 2: something to do, to record, or held back."""
        return bool(self.changes or self.held_back)

    @property
    def can_apply(self) -> bool:
        """Whether an apply would do anything. The one place that decides it."""
        return bool(self.changes)

    @property
    def writes(self) -> int:
        """The most changing requests an apply of this plan sends."""
        return sum(action.max_requests for action in self.actions)


def wish_value_to_json(value: WishValue) -> Json:
    """How the value of an update is spelled in a plan."""
    if isinstance(value, VersionPicture):
        return picture_to_json(value)
    if isinstance(value, Deployed):
        return deployed_to_json(value)
    return replicas_to_json(value) if isinstance(value, int | ReplicaRange) else value


def summarize(plan: Plan) -> Summary:
    """Counts for the closing line: components by kind, actions by verb, the highest risk."""
    kinds = Counter(change.kind for change in plan.changes)
    risks = sorted({action.risk for action in plan.actions}, key=RISK_ORDER.__getitem__)
    highest = risks[-1] if risks else None
    percents = [a.traffic_percent for a in plan.actions if a.risk is highest and a.traffic_percent is not None]
    return Summary(
        imports=kinds[Kind.ADOPT],
        change=sum(1 for change in plan.changes if change.action_ids),
        forget=kinds[Kind.FORGET],
        move=kinds[Kind.MOVE],
        actions=len(plan.actions),
        by_verb=dict(sorted(Counter(str(action.verb) for action in plan.actions).items())),
        highest_risk=highest,
        highest_traffic_percent=max(percents, default=None),
    )


def fingerprint(plan: Plan) -> str:
    """Digest of the decisions only: addresses, verbs, parameters, order; and what is only recorded.

    Stable against time, file order and unrelated movement, so that an approval survives them.
    """
    actions: list[Json] = [
        {
            "id": a.id,
            "verb": str(a.verb),
            "parameters": dict(a.parameters),
            "requires": list[Json](sorted(a.requires)),
            "send_if": str(a.send_if),
        }
        for a in sorted(plan.actions, key=lambda a: (a.address, a.id))
    ]
    recorded: list[Json] = [
        {
            "address": str(c.address),
            "kind": str(c.kind),
            "moved_from": str(c.moved_from) if c.moved_from else None,
            "updates": {u.field: wish_value_to_json(u.value) for u in c.updates},
        }
        for c in sorted(plan.changes, key=lambda c: c.address)
    ]
    return digest({"actions": actions, "changes": recorded})
