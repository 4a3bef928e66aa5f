"""Each step of the version picture as a move: verb, parameters, risk, what must be seen before it and after it.

Owns that translation. Which steps are taken is `version_rows.py`, whether the status allows them `chain.py`, and
what stands between them `sequence.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from statetool.core.canonical import resources_to_json, rule_to_json
from statetool.core.chain import Move
from statetool.core.deploy import Deploy, GrayStart
from statetool.core.model import REPLICAS_FIELD, GrayRule, Json, VersionPicture
from statetool.core.picture import rule_paths
from statetool.core.plan import Risk, Verb
from statetool.core.situation import Step, StepKind

RULE_PATHS = ("gray.weight", "gray.match", "gray.rules")
GONE_WITH_GRAY = (REPLICAS_FIELD, "gray.version", *RULE_PATHS)
"""What can't be told any more once a version serves alone: the candidate is gone, and replicas may have moved."""


def build_move(
    step: Step, *, seen: VersionPicture, deploy: Deploy, abort_verb: Verb, at_stake: tuple[str, ...]
) -> Move:
    """The move of a step. `at_stake` are paths that a change of version must find unmoved besides the version."""
    if step.kind is StepKind.RULE:
        return _rule_move(step, seen.gray.rule if seen.gray else None)
    if step.kind is StepKind.CHECK:
        return Move(Verb.CHECK_GRAY_RELEASE, Risk.NONE, {})
    if step.kind is StepKind.GRAY_START:
        return _gray_start_move(step, deploy)
    goal: dict[str, Json] = {"status": "ready", "version": step.version}
    if step.kind is StepKind.PROMOTE:
        return Move(
            Verb.CONTINUE_DEPLOY,
            Risk.VERSION,
            goal,
            watches=("gray.version",),
            forgets=GONE_WITH_GRAY,
            max_requests=step.max_requests,
        )
    if step.kind is StepKind.UPGRADE:
        parameters = _deployment(step, deploy, kept=True)
        return Move(Verb.UPGRADE, Risk.VERSION, goal, parameters, ("version", *at_stake), GONE_WITH_GRAY)
    is_abort = step.kind is StepKind.ABORT
    verb = abort_verb if is_abort else Verb.ROLLBACK
    return Move(
        verb,
        Risk.VERSION if step.is_deep else Risk.REVERT,
        goal,
        parameters={"version": step.version} if verb is Verb.ROLLBACK else {},
        watches=("version", "gray.version") if is_abort else ("version", *at_stake),
        forgets=GONE_WITH_GRAY,
    )


def _deployment(step: Step, deploy: Deploy, *, kept: bool) -> dict[str, Json]:
    """What goes along with a new version: only what the manifest writes. `kept` is False for a candidate."""
    parameters: dict[str, Json] = {"version": step.version}
    if step.artifact is not None:
        parameters[step.artifact.kind] = step.artifact.url
    if deploy.env:
        parameters["env"] = dict(sorted(deploy.env.items()))
    if deploy.resources is not None:
        parameters["resources"] = resources_to_json(deploy.resources)
    if kept and deploy.release is not None:
        batches: dict[str, Json] = {} if deploy.release.batches is None else {"batches": deploy.release.batches}
        parameters["release"] = {"strategy": deploy.release.strategy, **batches}
    return parameters


def _gray_start_move(step: Step, deploy: Deploy) -> Move:
    assert step.rule is not None, "a gray release starts with a rule"
    gray: dict[str, Json] = {**rule_to_json(step.rule), **_start_parameters(deploy.gray)}
    return Move(
        Verb.UPGRADE,
        Risk.VERSION_GRAY,
        {"status": "graying", "gray.version": step.version, **rule_paths(step.rule)},
        parameters={**_deployment(step, deploy, kept=False), "gray": gray},
        watches=("version", "gray.version"),
        forgets=(REPLICAS_FIELD, *RULE_PATHS),
    )


def _start_parameters(start: GrayStart) -> Mapping[str, Json]:
    written: dict[str, Json] = {
        "mode": start.mode,
        "channel": start.channel,
        "first_batch_replicas": start.first_batch_replicas,
        "remaining_batches": start.remaining_batches,
    }
    return {key: value for key, value in written.items() if value is not None}


def _rule_move(step: Step, seen: GrayRule | None) -> Move:
    assert step.rule is not None
    after, before = _traffic_share(step.rule), _traffic_share(seen)
    return Move(
        Verb.MODIFY_GRAY_RULE,
        Risk.REVERT if after < before else Risk.TRAFFIC,
        {"status": "graying", "gray.version": step.version, **rule_paths(step.rule)},
        parameters=rule_to_json(step.rule),
        watches=("gray.version", *RULE_PATHS),
        forgets=RULE_PATHS,
        traffic_percent=None if after < before else after,
    )


def _traffic_share(rule: GrayRule | None) -> int:
    """Percent of traffic a rule may send to the candidate; content rules may match all of it."""
    if rule is None:
        return 0
    return rule.weight if rule.weight is not None else 100
