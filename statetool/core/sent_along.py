"""What is sent along with a new version only: image, variables, resources, and how a gray release starts.

Owns whether it was sent already, what waits for the next new version, and what the state learns of it. It must not
compare versions (that is `diff.py`), nor read anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from statetool.core.canonical import digest, resources_to_json, variable_digest
from statetool.core.deploy import Artifact, Configuration, Deploy, Deployed, GrayStart
from statetool.core.model import Desired, Json, Observed, Recorded, VersionPicture
from statetool.core.plan import Finding, HeldBack
from statetool.core.situation import StepKind

NEEDS_NEW_VERSION = "needs_new_version"
DEPLOYING = frozenset({StepKind.UPGRADE, StepKind.GRAY_START})
"""The steps that send it."""

RESOURCE_PATHS: Mapping[str, str] = {
    "request_cpu": "resources.requests.cpu",
    "limit_cpu": "resources.limits.cpu",
    "request_memory": "resources.requests.memory",
    "limit_memory": "resources.limits.memory",
}
"""The platform's names and those of a manifest."""


def deployed_by(deploy: Deploy) -> Deployed:
    """What is recorded of it once it was sent."""
    return Deployed(
        env=digest(dict(deploy.env)) if deploy.env else None,
        resources=digest(resources_to_json(deploy.resources)) if deploy.resources else None,
        start=_start_digest(deploy.gray, deploy.candidate_artifact),
    )


def _start_digest(start: GrayStart, artifact: Artifact | None) -> str | None:
    written: dict[str, Json] = {
        "mode": start.mode,
        "channel": start.channel,
        "first_batch_replicas": start.first_batch_replicas,
        "remaining_batches": start.remaining_batches,
        "artifact": artifact.url if artifact else None,
    }
    return digest(written) if any(value is not None for value in written.values()) else None


def is_recorded(desired: Desired, recorded: Recorded | None) -> bool:
    """Whether the state says that these variables and resources were sent, so that nobody has to look."""
    sent, wanted = _recorded(recorded), deployed_by(desired.deploy)
    return (sent.env, sent.resources) == (wanted.env, wanted.resources)


def find_unsent(
    desired: Desired, recorded: Recorded | None, observed: Observed, seen: VersionPicture
) -> list[HeldBack]:
    """What differs from what runs while its version does not, so that it waits for the next new version."""
    paths = [*_unsent_artifact(desired, observed, seen), *_unsent_settings(desired, recorded, observed)]
    return [
        HeldBack(
            desired.address,
            path,
            NEEDS_NEW_VERSION,
            f"{told} waits for a new version: it is sent only together with one",
            "raise version, or the version of the gray release, as well",
        )
        for path, told in paths
    ]


def _unsent_artifact(desired: Desired, observed: Observed, seen: VersionPicture) -> Iterator[tuple[str, str]]:
    wanted, runs = desired.deploy.artifact, observed.artifact
    picture = desired.wish.picture
    if wanted is None or runs is None or picture is None or seen.gray is not None or seen.stable != picture.stable:
        return
    if wanted != runs:
        yield wanted.kind, f"{wanted.kind} {runs.url} -> {wanted.url}"


def _unsent_settings(desired: Desired, recorded: Recorded | None, observed: Observed) -> Iterator[tuple[str, str]]:
    runs = observed.closer.configuration if observed.closer else None
    if runs is None or is_recorded(desired, recorded):
        return
    for name in _other_variables(desired.deploy, runs):
        yield f"env.{name}", f"env {name}"
    wanted = resources_to_json(desired.deploy.resources) if desired.deploy.resources else {}
    now = resources_to_json(runs.resources)
    for name, value in wanted.items():
        if now.get(name) != value:
            yield RESOURCE_PATHS[name], f"{RESOURCE_PATHS[name]} {now.get(name, 'none')} -> {value}"


def _other_variables(deploy: Deploy, runs: Configuration) -> list[str]:
    return [name for name, text in sorted(deploy.env.items()) if runs.env.get(name) != variable_digest({"value": text})]


def learned(
    desired: Desired, recorded: Recorded | None, observed: Observed, sent: Collection[StepKind]
) -> Deployed | None:
    """What the state holds of it from now on; None where it learns nothing. `sent` are the kinds of steps taken."""
    before, wanted = _recorded(recorded), deployed_by(desired.deploy)
    after = before
    runs = observed.closer.configuration if observed.closer else None
    is_sent = not DEPLOYING.isdisjoint(sent)
    is_same = runs is not None and not any(_unsent_settings(desired, recorded, observed))
    if is_sent or is_same or (wanted.env is None and wanted.resources is None):
        after = replace(after, env=wanted.env, resources=wanted.resources)
    if StepKind.GRAY_START in sent:
        after = replace(after, start=wanted.start)
    return after if after != before else None


def warn_start_only(desired: Desired, recorded: Recorded | None, seen: VersionPicture) -> Finding | None:
    """Start parameters edited while the gray release that they started runs."""
    wish = recorded.wish if recorded else None
    wanted = desired.wish.picture
    if wish is None or wish.picture is None or wanted is None or seen.gray is None or wish.deployed is None:
        return None
    candidates = {picture.gray.version if picture.gray else None for picture in (wish.picture, wanted, seen)}
    if len(candidates) > 1 or wish.deployed.start == deployed_by(desired.deploy).start:
        return None
    return Finding(
        "start_only_field",
        "warn",
        f"mode, channel, batches and image of a gray release are used only when it starts; {seen.gray.version} has "
        "started with others",
        "nothing is sent; write them back, or start another candidate",
        desired.address,
    )


def _recorded(recorded: Recorded | None) -> Deployed:
    return (recorded.wish.deployed if recorded else None) or Deployed()
