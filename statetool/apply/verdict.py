"""Answers about one action and one look at its component: is the goal there, has the world moved.

Pure, like the core: values in, values out. It must not fetch, wait, or send.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from statetool.apply.ending import VersionChange
from statetool.core.canonical import canonical_text
from statetool.core.journal import Baseline
from statetool.core.model import Json, Observed, StatusClass
from statetool.core.plan import EDGE_VERBS, Action, SendIf, Verb

RESTART_PATH = "restart"
STATUS_PATH = "status"
VERB_PATH = "verb"
JOB_PATH = "last_job_id"

ROLLBACK_VERBS = frozenset({Verb.ROLLBACK, Verb.ROLLBACK_CURRENT})
VERSION_VERBS = ROLLBACK_VERBS | {Verb.CONTINUE_DEPLOY, Verb.UPGRADE}
_READY_VERBS = VERSION_VERBS | {Verb.START, Verb.RESTART}
READY = str(StatusClass.READY)
_VALUELESS = EDGE_VERBS | {Verb.CHECK_GRAY_RELEASE, Verb.SYNC_WORKLOAD}
_RESTARTING = "RESTARTING"  # [1.3]
_SETTLED_STATUS = {Verb.STOP: StatusClass.STOPPED, Verb.MODIFY_GRAY_RULE: StatusClass.GRAYING}


def unmet_goal(action: Action, values: Mapping[str, Json]) -> dict[str, tuple[Json, Json]]:
    """The paths of the goal that do not hold, each with (observed, wanted). Empty where the goal is there.

    A goal is only there in the status its verb ends in: while a component is still graying, its stable version
    already reads what an abort wants. An action without a goal has no value that could be there before it is sent.
    """
    if has_no_value(action):
        return {VERB_PATH: (None, str(action.verb))}
    wanted: dict[str, Json] = {STATUS_PATH: str(_SETTLED_STATUS.get(action.verb, StatusClass.READY)), **action.goal}
    return {path: (values.get(path), value) for path, value in wanted.items() if values.get(path) != value}


def is_reached_before_stop(action: Action, values: Mapping[str, Json], observed: Observed) -> bool:
    """Whether an action that a planned stop follows has its value already, on a component that is stopped already.

    Only the stop leaves another status than the action before it wants: a plan applied twice finds all values there,
    but the component stopped.
    """
    if observed.status_class is not StatusClass.STOPPED:
        return False
    return not set(unmet_goal(action, values)) - {STATUS_PATH} or is_needless(action, observed)


def unmet_after_sending(action: Action, values: Mapping[str, Json]) -> dict[str, tuple[Json, Json]]:
    """The same once the action was sent: a restart's token is ours to record, the platform can't show it."""
    unmet = unmet_goal(action, values)
    unmet.pop(RESTART_PATH, None)
    unmet.pop(VERB_PATH, None)
    return unmet


def moved_paths(action: Action, values: Mapping[str, Json], own_jobs: Collection[str]) -> dict[str, Json]:
    """What no longer is as the plan saw it: `{path: {"expected", "observed"}}`.

    A last job that this run itself gave the component is no movement.
    """
    moved: dict[str, Json] = {}
    for path, expected in action.precondition.items():
        observed = values.get(path)
        if observed == expected or (path == JOB_PATH and observed in own_jobs):
            continue
        moved[path] = {"expected": expected, "observed": observed}
    return moved


def is_needless(action: Action, observed: Observed) -> bool:
    """Whether a conditional action has nothing to put back."""
    wanted = action.goal.get("replicas")
    if action.send_if is SendIf.ALWAYS or not isinstance(wanted, int):
        return False
    if action.send_if is SendIf.FEWER:
        return observed.replicas >= wanted
    return observed.replicas == wanted


def needs_readiness(action: Action, before: Observed) -> bool:
    """Whether done means ready: all instances available. Scaling down, stopping and rules need the value only."""
    if action.verb is Verb.SCALE:
        wanted = action.goal.get("replicas")
        return isinstance(wanted, int) and wanted > before.replicas
    if action.verb is Verb.CONTINUE_DEPLOY and has_no_value(action):
        return False  # one batch of a promotion: it may end at the next pause
    return action.verb in _READY_VERBS and action.goal.get(STATUS_PATH, READY) == READY


def has_no_value(action: Action) -> bool:
    """Whether nothing that is seen afterwards tells that it happened: the end of its job is all there is."""
    return not action.goal and action.verb in _VALUELESS


def needs_a_sign(action: Action) -> bool:
    """Whether, without a job, only a busy moment can prove that it happened: there is no value to look for."""
    return action.verb is Verb.RESTART or (action.verb in EDGE_VERBS and has_no_value(action))


def starts_gray_release(action: Action) -> bool:
    """Whether it ends at the pause of a gray release, where its job may still run [U15]."""
    return action.verb is Verb.UPGRADE and action.goal.get(STATUS_PATH) == StatusClass.GRAYING


def unreached_code(action: Action, unmet: Mapping[str, tuple[Json, Json]], seen: Observed) -> str:
    """`diverged` where the wanted value itself is not seen, `not_ready` where only the readiness is missing."""
    values = set(unmet) - {STATUS_PATH}
    other_end = seen.status_class in (StatusClass.GRAYING, StatusClass.STOPPED)
    return "diverged" if values or other_end or action.verb in _SETTLED_STATUS else "not_ready"


def describe_unreached(action: Action, unmet: Mapping[str, tuple[Json, Json]], seen: Observed, waited_s: float) -> str:
    """The sentence to `unreached_code`, with the numbers. `waited_s` counts from the job's end."""
    values = {path: pair for path, pair in unmet.items() if path != STATUS_PATH}
    if values:
        parts = (f"{path} is {_shown(is_)}, wanted {_shown(wanted)}" for path, (is_, wanted) in values.items())
        return f"job succeeded, but {'; '.join(parts)}"
    if unreached_code(action, unmet, seen) == "diverged":
        return f"job succeeded, but the component is {seen.status} after {waited_s:.0f} s"
    status = "" if seen.status.upper() == "RUNNING" else f" ({seen.status})"
    return f"job succeeded, {seen.available_replicas} of {seen.replicas} ready after {waited_s:.0f} s{status}"


def _shown(value: Json) -> str:
    if value is None:
        return "not shown"
    return value if isinstance(value, str) else canonical_text(value)


def baseline_of(observed: Observed, values: Mapping[str, Json]) -> Baseline:
    """What the journal keeps of the last look before a request: what came later can be told from it."""
    newest = observed.closer.records[0] if observed.closer and observed.closer.records else None
    return Baseline(
        status=observed.status,
        replicas=observed.replicas,
        last_job_id=observed.last_job_id,
        updated_at=observed.updated_at,
        values=dict(values),
        newest_record=newest.begun_at if newest else None,
        remaining_batches=newest.remaining_batches if newest else None,
    )


def shows_its_kind(action: Action, unmet: Collection[str], observed: Observed, baseline: Baseline, job_id: str) -> bool:
    """Whether status or records tell that this newer job is one of the action's own kind: it changes no value that
    could be looked for, or one that is there only at its very end.

    `unmet` are the paths of its goal that do not hold; `observed` was looked at with its records.
    """
    if action.verb is Verb.RESTART:
        if observed.status.upper() == _RESTARTING:
            return True
    elif not has_no_value(action) and not unmet:
        return True
    record = next((r for r in (observed.closer.records if observed.closer else ()) if job_id in r.job_ids), None)
    if record is None:
        return False
    if action.verb is Verb.CONTINUE_DEPLOY:
        left, before = record.remaining_batches, baseline.remaining_batches
        return left is not None and before is not None and left < before
    return record.deploy_type == action.verb


def version_change(
    action: Action, seen: Observed, values: Mapping[str, Json], before: Mapping[str, Json], job_id: str | None
) -> VersionChange | None:
    """The version an action reached, where it did. `values` are those of `seen`, `before` those before it was sent."""
    if action.verb not in VERSION_VERBS or seen.status_class in (StatusClass.GRAYING, StatusClass.BUSY):
        return None
    reached = values.get("version")
    if not isinstance(reached, str) or reached != action.goal.get("version", reached):
        return None
    if action.verb not in ROLLBACK_VERBS:
        return VersionChange(reached, str(action.verb), None, job_id)
    is_abort = "gray.version" in before
    left = before.get("gray.version" if is_abort else "version")
    verb = "abort" if is_abort else str(action.verb)
    return VersionChange(reached, verb, left if isinstance(left, str) else None, job_id)
