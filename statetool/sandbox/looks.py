"""How a component looks that no request deployed: what its seed says, and otherwise what follows from its names.

Owns the configuration (section 3.2) of seeded versions. Pure. Must not know the seed's format (seed.py), or how the API
shows a configuration (views.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from statetool.sandbox.model import VIRTUAL_MACHINE_PLATFORMS


@dataclass(frozen=True, slots=True)
class Said:
    """What a seed says of a version; None, or left out of `resources`, where it leaves it to the names.

    `env`: all variables, texts by name. `resources`: cores and GiB by the names of section 3.2.
    """

    image: str | None = None
    env: Mapping[str, str] | None = None
    resources: Mapping[str, float] = field(default_factory=dict)

    def of_version(self, own: str, other: str) -> Said:
        """What holds for another version of a component: an image that ends in the own version ends in the other."""
        if self.image is None or not self.image.endswith(own):
            return self
        before = self.image.removesuffix(own)
        # 11.4.2 also ends in 1.4.2.
        is_longer = before[-1:].isdigit() or before[-1:] == "."
        return self if is_longer else replace(self, image=before + other)


NOTHING = Said()


def configuration(
    name: str, platform_type: str, environment_id: str, version: str, said: Said = NOTHING
) -> dict[str, Any]:
    """What a version of a component was deployed with, were it deployed by a request."""
    machines = platform_type in VIRTUAL_MACHINE_PLATFORMS
    env = {"LOG_LEVEL": "info"} if said.env is None else said.env
    return {
        "name": name,
        "runtime_stack": _runtime_stack(machines),
        "source": _source(name, version, machines, said.image),
        "limit_cpu": 0.5,
        "request_cpu": 0.25,
        "limit_memory": 1.0,
        "request_memory": 0.5,
        **said.resources,
        "refer_resources": _resources(platform_type, environment_id, machines),
        "envs": [{"name": key, "value": value} for key, value in env.items()],
    }


def _runtime_stack(machines: bool) -> dict[str, Any]:
    if machines:
        return {"name": "OpenJDK17", "type": "Java", "version": "1.1.0", "deploy_mode": "virtualmachine"}
    return {"name": "Docker", "type": "Docker", "version": "1.0", "deploy_mode": "container"}


def _source(name: str, version: str, machines: bool, image: str | None) -> dict[str, Any]:
    place = "obs://sandbox" if machines else "registry.sandbox.example/sandbox"
    return {
        "kind": "package" if machines else "image",
        "url": image or f"{place}/{name}:{version}",
        "version": version,
        "storage": "obs" if machines else "swr",
        "auth": "iam",
    }


def _resources(platform_type: str, environment_id: str, machines: bool) -> list[dict[str, Any]]:
    reference = str(uuid.uuid5(uuid.UUID(environment_id), platform_type))
    resource: dict[str, Any] = {"id": reference, "type": platform_type}
    return [resource if machines else {**resource, "parameters": {"namespace": "default"}}]
