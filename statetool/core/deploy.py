"""What goes along with a version: image or package, variables, limits, and how it is released.

Owns these value types. A version is compared, these are not: they are sent together with a new version only, and
read where a person wants to see what a change of version brings. It must not know how they are sent or read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

GrayMode: TypeAlias = Literal["mirror", "extra", "nosurge"]
GrayChannel: TypeAlias = Literal["microservice", "registry", "elb-dedicated", "elb-shared"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a component runs from: the address of its image or package."""

    kind: Literal["image", "package"]
    url: str


@dataclass(frozen=True, slots=True)
class Resources:
    """Requests and limits of one instance: cores and GiB, as the platform counts them. None: not written, not told."""

    request_cpu: float | None = None
    limit_cpu: float | None = None
    request_memory: float | None = None
    limit_memory: float | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """How a whole version replaces another. `batches` is for rolling only; None: left to the tool."""

    strategy: Literal["rolling", "one_batch"]
    batches: int | None = None


@dataclass(frozen=True, slots=True)
class GrayStart:
    """What only the start of a gray release carries; None: left to the tool. `precheck` asks the platform first."""

    mode: GrayMode | None = None
    channel: GrayChannel | None = None
    first_batch_replicas: int | None = None
    remaining_batches: int | None = None
    precheck: bool = False


@dataclass(frozen=True, slots=True)
class Deploy:
    """What the manifest sends along with a new version.

    `artifact` is that of `version`, `candidate_artifact` that of `gray.version`. `env` sets the variables it names
    and leaves the others of the component as they are; its values may be secrets and are never shown.
    """

    artifact: Artifact | None = None
    candidate_artifact: Artifact | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    resources: Resources | None = None
    release: Release | None = None
    gray: GrayStart = GrayStart()


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was sent along with `version`, as digests: variables, resources, start of a gray release.

    It says nothing of another version: whoever goes back to one has what that one ran with.
    """

    version: str | None = None
    env: str | None = None
    resources: str | None = None
    start: str | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one version of a component runs with, as far as a person wants to see it before it changes.

    `env` maps the name of a variable to a digest of what it holds. `replicas` is the configured number.
    """

    artifact: Artifact | None
    env: Mapping[str, str]
    resources: Resources
    replicas: int | None
