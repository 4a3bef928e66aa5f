"""One verb on one component, as a person asked for it on the command line, as a plan like any other.

Owns which parameters each verb takes, what must hold before it is sent and after it, its risk, and what the next
apply would say about it. It changes no wish: the manifest stays what is desired. What the planner may do is
`sequence.py`; the platform's own table of status and verb is wider than what a planner needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from statetool.core.artifacts import artifact_of_version
from statetool.core.canonical import replicas_to_json, rule_to_json
from statetool.core.chain import ALLOWED, DEFERRED, ESTIMATE_S, show
from statetool.core.deploy_rows import older_versions
from statetool.core.model import (
    REPLICAS_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Address,
    Desired,
    GrayRule,
    Json,
    Observed,
    Ready,
    Recorded,
    StatusClass,
)
from statetool.core.picture import observed_values, picture_paths, rule_paths, version_picture
from statetool.core.plan import EDGE_VERBS, Action, Change, Finding, HeldBack, Kind, Risk, Verb

_ALSO_ALLOWED: Mapping[StatusClass, frozenset[Verb]] = {
    StatusClass.READY: frozenset({Verb.ROLLBACK_CURRENT, Verb.SYNC_WORKLOAD, Verb.CHECK_GRAY_RELEASE, Verb.UPGRADE}),
    StatusClass.GRAYING: frozenset({Verb.CHECK_GRAY_RELEASE}),
    StatusClass.STOPPED: frozenset({Verb.CHECK_GRAY_RELEASE}),
    StatusClass.FAILED: frozenset({Verb.ROLLBACK_CURRENT, Verb.SYNC_WORKLOAD, Verb.CHECK_GRAY_RELEASE, Verb.UPGRADE}),
    StatusClass.BUSY: frozenset(),
}
"""Beyond what the planner uses: what the platform takes in a status [4.3, 6, 03_0115; rollback_current INFERRED]."""

TAKES: Mapping[Verb, frozenset[str]] = {
    Verb.START: frozenset(),
    Verb.STOP: frozenset(),
    Verb.RESTART: frozenset(),
    Verb.SCALE: frozenset({"replica", "hosts"}),
    Verb.ROLLBACK: frozenset({"version"}),
    Verb.ROLLBACK_CURRENT: frozenset(),
    Verb.CONTINUE_DEPLOY: frozenset(),
    Verb.CHECK_GRAY_RELEASE: frozenset(),
    Verb.MODIFY_GRAY_RULE: frozenset({"rule"}),
    Verb.SYNC_WORKLOAD: frozenset(),
    Verb.UPGRADE: frozenset({"version", "image", "package", "rule"}),
}
"""The parameters of each verb."""

NEEDS: Mapping[Verb, frozenset[str]] = {
    Verb.SCALE: frozenset({"replica"}),
    Verb.ROLLBACK: frozenset({"version"}),
    Verb.MODIFY_GRAY_RULE: frozenset({"rule"}),
    Verb.UPGRADE: frozenset({"version"}),
}
"""Those it can't do without."""

_STABLE_RISKS: Mapping[Verb, Risk] = {
    Verb.START: Risk.POWER,
    Verb.STOP: Risk.POWER,
    Verb.RESTART: Risk.RESTART,
    Verb.ROLLBACK_CURRENT: Risk.REVERT,
    Verb.CONTINUE_DEPLOY: Risk.VERSION,
    Verb.CHECK_GRAY_RELEASE: Risk.NONE,
    Verb.SYNC_WORKLOAD: Risk.NONE,
}
_WATCHES: Mapping[Verb, tuple[str, ...]] = {
    Verb.SCALE: (REPLICAS_FIELD,),
    Verb.ROLLBACK: ("version", "gray.version"),
    Verb.ROLLBACK_CURRENT: ("version", "gray.version"),
    Verb.CONTINUE_DEPLOY: ("gray.version", "gray.weight", "gray.rules"),
    Verb.MODIFY_GRAY_RULE: ("gray.version", "gray.weight", "gray.match", "gray.rules"),
    Verb.UPGRADE: ("version",),
}


@dataclass(frozen=True, slots=True)
class RawAction:
    """What was asked for. `parameters` are of TAKES: replica, hosts, version, image, package."""

    verb: Verb
    address: Address
    parameters: Mapping[str, Json] = field(default_factory=dict)
    rule: GrayRule | None = None


@dataclass(frozen=True, slots=True)
class RawPlan:
    """What comes of it: one action with its change, or why not."""

    action: Action | None = None
    change: Change | None = None
    held_back: tuple[HeldBack, ...] = ()
    findings: tuple[Finding, ...] = ()


def plan_raw_action(
    asked: RawAction,
    desired: Desired | None,
    recorded: Recorded | None,
    observed: Observed,
    overrides: frozenset[str],
) -> RawPlan:
    """The one action. `observed` needs its `closer`; `desired` is the manifest's, where there is one."""
    status, goal = observed.status_class, _goal(asked, recorded, observed)
    values = observed_values(observed, recorded)
    if goal and all(values.get(path) == value for path, value in goal.items()) and not _adds_to(asked):
        return RawPlan()
    if asked.verb not in ALLOWED[status] | _ALSO_ALLOWED[status]:
        code, why, hint = DEFERRED.get(status, _NOT_IN_READY)
        return RawPlan(held_back=(HeldBack(asked.address, str(asked.verb), code, f"{asked.verb} {why}", hint),))
    parameters, denied = _parameters(asked, recorded, observed, desired)
    risk, percent = _risk(asked, recorded, observed)
    denies = [finding for finding in (denied, *_denies(asked, desired, risk, status, overrides)) if finding is not None]
    if denies:
        return RawPlan(findings=tuple(denies))
    watched = ("status", *_WATCHES.get(asked.verb, ()), *(("last_job_id",) if asked.verb in EDGE_VERBS else ()))
    action = Action(
        id=f"{asked.address}#1",
        address=asked.address,
        verb=asked.verb,
        parameters=parameters,
        reason="asked for on the command line",
        risk=risk,
        requires=(),
        precondition={path: values[path] for path in watched if path in values},
        goal=goal,
        estimate_s=ESTIMATE_S[asked.verb],
        traffic_percent=percent,
        ready=desired.ready if desired is not None else Ready(),
    )
    change = Change(
        address=asked.address,
        component_id=observed.component_id,
        application_id=observed.application_id,
        environment_id=observed.environment_id,
        kind=Kind.UPDATE,
        origin=desired.origin if desired is not None else None,
        action_ids=(action.id,),
    )
    warning = _warn_of_next_apply(action, desired, observed, recorded)
    return RawPlan(action, change, findings=(warning,) if warning else ())


def _adds_to(asked: RawAction) -> bool:
    """Whether it does something also where its goal is there: a deployment of the same version brings another image."""
    return asked.verb is Verb.UPGRADE


_NOT_IN_READY = (
    "no_gray_release",
    "is only possible while a gray release pauses",
    "`statetool plan` shows what is possible now",
)


def _parameters(
    asked: RawAction, recorded: Recorded | None, observed: Observed, desired: Desired | None
) -> tuple[dict[str, Json], Finding | None]:
    """What is sent, or the deny that stands in its way."""
    if asked.verb is Verb.MODIFY_GRAY_RULE and asked.rule is not None:
        return dict(rule_to_json(asked.rule)), None
    parameters = dict(asked.parameters)
    if asked.verb is Verb.SCALE and desired is not None and desired.hosts and "hosts" not in parameters:
        parameters["hosts"] = list[Json](desired.hosts)
    if asked.verb is Verb.ROLLBACK:
        return parameters, _check_rollback(asked, recorded, observed)
    if asked.verb is not Verb.UPGRADE:
        return parameters, None
    if asked.rule is not None:
        parameters["gray"] = dict(rule_to_json(asked.rule))
    if "image" in parameters or "package" in parameters:
        return parameters, None
    seen = version_picture(observed, recorded)
    artifact = artifact_of_version(observed, seen.stable, str(parameters["version"]))
    if artifact is None:
        return parameters, Finding(
            "unknown_version",
            "deny",
            f"nobody knows the image or package of {parameters['version']}: the tag of what runs does not follow its "
            "version",
            "give it with --image URL or --package URL",
            asked.address,
        )
    return {**parameters, artifact.kind: artifact.url}, None


def _check_rollback(asked: RawAction, recorded: Recorded | None, observed: Observed) -> Finding | None:
    """Only what is recorded can be gone back to [4.5]."""
    wanted, seen = asked.parameters["version"], version_picture(observed, recorded)
    known = [seen.stable] if seen.gray is not None and seen.stable is not None else []
    known += older_versions(observed, seen.stable) if seen.stable is not None else []
    if wanted in known:
        return None
    return Finding(
        "unknown_version",
        "deny",
        f"version {wanted} is not recorded before {seen.gray.version if seen.gray else seen.stable}; recorded are "
        f"{', '.join(known) or 'none'}",
        "name one of them",
        asked.address,
    )


def _risk(asked: RawAction, recorded: Recorded | None, observed: Observed) -> tuple[Risk, int | None]:
    if asked.verb is Verb.SCALE:
        wanted = asked.parameters["replica"]
        if wanted == 0:
            return Risk.POWER, None
        return (Risk.SCALE_UP if isinstance(wanted, int) and wanted >= observed.replicas else Risk.SCALE_DOWN), None
    seen = version_picture(observed, recorded)
    if asked.verb is Verb.ROLLBACK:
        older = older_versions(observed, seen.stable) if seen.stable is not None else []
        is_near = seen.gray is not None or asked.parameters["version"] in older[:1]
        return (Risk.REVERT if is_near else Risk.VERSION), None
    if asked.verb is Verb.UPGRADE:
        return (Risk.VERSION if asked.rule is None else Risk.VERSION_GRAY), None
    if asked.verb is Verb.MODIFY_GRAY_RULE:
        after, before = _share(asked.rule), _share(seen.gray.rule if seen.gray else None)
        return (Risk.REVERT, None) if after < before else (Risk.TRAFFIC, after)
    return _STABLE_RISKS[asked.verb], None


def _share(rule: GrayRule | None) -> int:
    if rule is None:
        return 0
    return rule.weight if rule.weight is not None else 100


def _denies(
    asked: RawAction, desired: Desired | None, risk: Risk, status: StatusClass, overrides: frozenset[str]
) -> list[Finding]:
    found = []
    is_protected = desired is not None and desired.lifecycle.protected and risk not in (Risk.NONE, Risk.SCALE_UP)
    if is_protected and "protected" not in overrides:
        found.append(
            Finding(
                "protected",
                "deny",
                f"lifecycle.protected lets only a scale up through; this is {asked.verb} (risk {risk})",
                "let it through once with --override protected",
                asked.address,
            )
        )
    if status is StatusClass.FAILED and asked.verb is Verb.UPGRADE and "failed_component" not in overrides:
        found.append(
            Finding(
                "failed_component",
                "deny",
                "the component has failed, and an upgrade may hide why",
                "roll back first, or let it through once with --override failed_component",
                asked.address,
            )
        )
    return found


def _goal(asked: RawAction, recorded: Recorded | None, observed: Observed) -> dict[str, Json]:
    """What must be seen afterwards; empty where the verb has no value of its own: its job's end is all there is."""
    ready: dict[str, Json] = {"status": "ready"}
    seen = version_picture(observed, recorded)
    if asked.verb is Verb.START:
        return ready
    if asked.verb is Verb.STOP:
        return {"status": "stopped"}
    if asked.verb is Verb.SCALE:
        return {**ready, REPLICAS_FIELD: asked.parameters["replica"]}
    if asked.verb is Verb.ROLLBACK:
        return {**ready, "version": asked.parameters["version"]}
    if asked.verb is Verb.ROLLBACK_CURRENT:
        known = older_versions(observed, seen.stable) if seen.stable is not None else []
        target = seen.stable if seen.gray is not None else next(iter(known), None)
        return {**ready, "version": target} if target is not None else {}
    if asked.verb is Verb.MODIFY_GRAY_RULE and seen.gray is not None and asked.rule is not None:
        return {"status": "graying", "gray.version": seen.gray.version, **rule_paths(asked.rule)}
    if asked.verb is Verb.UPGRADE:
        version = asked.parameters["version"]
        if asked.rule is None:
            return {**ready, "version": version}
        return {"status": "graying", "gray.version": version, **rule_paths(asked.rule)}
    return {}


def _warn_of_next_apply(
    action: Action, desired: Desired | None, observed: Observed, recorded: Recorded | None
) -> Finding | None:
    """What the manifest says against it: the next apply may put that back."""
    if desired is None:
        return None
    against = [
        f"{path} {show(value)}"
        for path, value in _managed(desired).items()
        if path in _moved_paths(action) and _after(action, path) != value
    ]
    if not against:
        return None
    return Finding(
        "next_apply_undoes",
        "warn",
        f"the manifest wants {', '.join(against)}: the next apply may put that back",
        "write it into the manifest as well, if it is to stay",
        action.address,
    )


def _managed(desired: Desired) -> dict[str, Json]:
    wish = desired.wish
    values: dict[str, Json] = picture_paths(wish.picture) if wish.picture is not None else {}
    if wish.replicas is not None:
        values[REPLICAS_FIELD] = replicas_to_json(wish.replicas)
    if wish.state is not None:
        values[STATE_FIELD] = wish.state
    return values


def _moved_paths(action: Action) -> frozenset[str]:
    if action.verb in (Verb.START, Verb.STOP):
        return frozenset({STATE_FIELD})
    if action.verb is Verb.SCALE:
        return frozenset({REPLICAS_FIELD})
    if action.verb is Verb.MODIFY_GRAY_RULE:
        return frozenset({"gray.weight", "gray.match", "gray.rules"})
    if action.risk is Risk.NONE or action.verb is Verb.RESTART:
        return frozenset()
    return frozenset({VERSION_FIELD, "gray.version"})


def _after(action: Action, path: str) -> Json:
    if path == STATE_FIELD:
        return "stopped" if action.verb is Verb.STOP else "running"
    return action.goal.get(path)
