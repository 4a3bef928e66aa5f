"""What is sent along with a new version only: image, variables, resources, and how a gray release starts.

Owns whether it was sent already, what waits for the next new version, and what the state learns of it. It must not
compare versions (that is `diff.py`), nor read anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from statetool.core.canonical import digest, resources_to_json, variable_digest
from statetool.core.deploy import Artifact, Configuration, Deploy, Deployed, GrayStart
from statetool.core.model import Closer, Desired, Json, Observed, Recorded, VersionPicture
from statetool.core.plan import Finding, HeldBack
from statetool.core.situation import Step, StepKind

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


def deployed_by(deploy: Deploy, version: str | None) -> Deployed:
    """What is recorded of it once it was sent with a version."""
    env = digest(dict(deploy.env)) if deploy.env else None
    resources = digest(resources_to_json(deploy.resources)) if deploy.resources else None
    return Deployed(
        version=version if env or resources else None,
        env=env,
        resources=resources,
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


@dataclass(frozen=True, slots=True)
class Running:
    """What a component runs with: now, or after the steps of a plan. None where it can't be told."""

    version: str | None
    configuration: Configuration | None
    artifact: Artifact | None

    def after(self, step: Step, closer: Closer | None) -> Running:
        """What it runs with after a step that deploys nothing."""
        if step.kind not in (StepKind.ABORT, StepKind.ROLLBACK):
            return self
        past = closer.past.get(step.version) if closer else None
        return Running(step.version, past, past.artifact if past else None)


def running_now(observed: Observed, seen: VersionPicture) -> Running:
    """What it runs with as observed. During a gray release that of the candidate, whose image no row tells for sure."""
    configuration = observed.closer.configuration if observed.closer else None
    if seen.gray is not None:
        return Running(seen.gray.version, configuration, None)
    return Running(seen.stable, configuration, observed.artifact)


def is_recorded(desired: Desired, recorded: Recorded | None, version: str | None) -> bool:
    """Whether the state says that these variables and resources were sent with a version, so that nobody has to
    look."""
    sent, wanted = _recorded(recorded), deployed_by(desired.deploy, version)
    if (wanted.env, wanted.resources) == (sent.env, sent.resources) == (None, None):
        return True
    return (sent.version, sent.env, sent.resources) == (version, wanted.env, wanted.resources)


def find_unsent(desired: Desired, recorded: Recorded | None, runs: Running) -> list[HeldBack]:
    """What differs from what runs while its version does not, so that it waits for the next new version."""
    paths = [*_unsent_artifact(desired, runs), *_unsent_settings(desired, recorded, runs)]
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


def _unsent_artifact(desired: Desired, runs: Running) -> Iterator[tuple[str, str]]:
    wanted, picture = desired.deploy.artifact, desired.wish.picture
    if wanted is None or runs.artifact is None or picture is None or runs.version != picture.stable:
        return
    if wanted != runs.artifact:
        yield wanted.kind, f"{wanted.kind} {runs.artifact.url} -> {wanted.url}"


def _unsent_settings(desired: Desired, recorded: Recorded | None, runs: Running) -> Iterator[tuple[str, str]]:
    if runs.configuration is None or not _is_wanted(desired, runs) or is_recorded(desired, recorded, runs.version):
        return
    for name in _other_variables(desired.deploy, runs.configuration):
        yield f"env.{name}", f"env {name}"
    wanted = resources_to_json(desired.deploy.resources) if desired.deploy.resources else {}
    now = resources_to_json(runs.configuration.resources)
    for name, value in wanted.items():
        if now.get(name) != value:
            before, after = _amount(now.get(name)), _amount(value)
            yield RESOURCE_PATHS[name], f"{RESOURCE_PATHS[name]} {before} -> {after}"


def _is_wanted(desired: Desired, runs: Running) -> bool:
    """Whether it is a version of the manifest that runs: of another one nobody expects what the manifest sends."""
    picture = desired.wish.picture
    return picture is not None and runs.version in (picture.stable, picture.gray.version if picture.gray else None)


def _amount(value: Json) -> str:
    """Cores and GiB as a person writes them: 2, not 2.0."""
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _other_variables(deploy: Deploy, runs: Configuration) -> list[str]:
    return [name for name, text in sorted(deploy.env.items()) if runs.env.get(name) != variable_digest({"value": text})]


def learned(desired: Desired, recorded: Recorded | None, runs: Running, sent: Step | None) -> Deployed | None:
    """What the state holds of it from now on; None where it learns nothing.

    `sent` is the step that sent it, and `runs` what runs where there is none.
    """
    before = _recorded(recorded)
    wanted = deployed_by(desired.deploy, sent.version if sent is not None else runs.version)
    can_tell = runs.configuration is not None and _is_wanted(desired, runs)
    if sent is not None:
        after = wanted if sent.kind is StepKind.GRAY_START else replace(wanted, start=before.start)
    elif wanted.env is None and wanted.resources is None:
        after = replace(before, version=None, env=None, resources=None)
    elif can_tell and not any(_unsent_settings(desired, recorded, runs)):
        after = replace(wanted, start=before.start)
    else:
        after = before
    return after if after != before else None


def warn_start_only(desired: Desired, recorded: Recorded | None, seen: VersionPicture) -> Finding | None:
    """Start parameters edited while the gray release that they started runs."""
    wish = recorded.wish if recorded else None
    wanted = desired.wish.picture
    if wish is None or wish.picture is None or wanted is None or seen.gray is None or wish.deployed is None:
        return None
    candidates = {picture.gray.version if picture.gray else None for picture in (wish.picture, wanted, seen)}
    if len(candidates) > 1 or wish.deployed.start == deployed_by(desired.deploy, None).start:
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
