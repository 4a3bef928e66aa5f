"""What a change of version brings along: image, variables, limits and number of the one version against the other.

Owns that comparison. Values of variables are never compared or told but by digest: they may be secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from statetool.core.canonical import resources_to_json, variable_digest
from statetool.core.deploy import Artifact, Configuration, Deploy, Resources
from statetool.core.model import Closer, Desired, Json, Observed, Recorded
from statetool.core.picture import matches, version_picture
from statetool.core.plan import Brought
from statetool.core.sent_along import RESOURCE_PATHS
from statetool.core.situation import Step, StepKind


def comes_along(step: Step, closer: Closer | None, deploy: Deploy) -> tuple[Brought, ...]:
    """What the version of a step brings, sorted as a person reads it; empty where it can't be told."""
    if closer is None or closer.configuration is None:
        return ()
    if step.kind in (StepKind.ABORT, StepKind.ROLLBACK):
        after = closer.past.get(step.version)
    elif step.kind in (StepKind.UPGRADE, StepKind.GRAY_START):
        after = _deployed(closer.configuration, step.artifact, deploy)
    else:
        after = None
    return tuple(_compare(closer.configuration, after)) if after is not None else ()


def find_past_versions(desired: Desired, recorded: Recorded | None, observed: Observed) -> frozenset[str]:
    """The earlier versions that a change of version may go back to, of which a person wants to see what they bring."""
    wanted, closer = desired.wish.picture, observed.closer
    if wanted is None or closer is None:
        return frozenset()
    seen = version_picture(observed, recorded)
    if matches(wanted, seen):
        return frozenset()
    known = {record.version for record in closer.records}
    shown = {observed.row_version} if seen.gray is None else set()
    back_to = {version for version in (wanted.stable, seen.stable) if version is not None}
    return frozenset(back_to & known - shown)


def _deployed(before: Configuration, artifact: Artifact | None, deploy: Deploy) -> Configuration:
    """What runs after a deployment that changes nothing but what it names."""
    env = {**before.env, **{name: variable_digest({"value": text}) for name, text in deploy.env.items()}}
    written = deploy.resources or Resources()
    resources = Resources(
        **{
            name: getattr(before.resources, name) if getattr(written, name) is None else getattr(written, name)
            for name in RESOURCE_PATHS
        }
    )
    return replace(before, artifact=artifact or before.artifact, env=env, resources=resources)


def _compare(before: Configuration, after: Configuration) -> Iterator[Brought]:
    kind = (after.artifact or before.artifact or Artifact("image", "")).kind
    yield _value(kind, before.artifact.url if before.artifact else None, after.artifact.url if after.artifact else None)
    for name in sorted({*before.env, *after.env}):
        yield Brought(f"env.{name}", _how(before.env.get(name), after.env.get(name)))
    old, new = resources_to_json(before.resources), resources_to_json(after.resources)
    for name, path in RESOURCE_PATHS.items():
        if name in old or name in new:
            yield _value(path, old.get(name), new.get(name))
    if before.replicas != after.replicas:
        yield _value("replicas", before.replicas, after.replicas)


def _value(path: str, before: Json, after: Json) -> Brought:
    return Brought(path, _how(before, after), before, after)


def _how(before: Json, after: Json) -> str:
    if before == after:
        return "unchanged"
    if before is None:
        return "added"
    return "removed" if after is None else "changed"
