"""Where a component may be rolled back to.

Owns the rules of section 4.5 and 13.9. Pure. Must not start operations (actions.py) or end them (world.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from statetool.sandbox.errors import conflict, invalid, unknown_version
from statetool.sandbox.model import ROLLED_BACK, Component
from statetool.sandbox.switches import Switches
from statetool.sandbox.world import rollback_target


@dataclass(frozen=True, slots=True)
class Target:
    """Where an accepted rollback goes: a version, and the number of instances it will have.

    `ends_open`: it takes back an open or failed deployment, and the version is the one in use anyhow.
    """

    version: str
    replica: int
    ends_open: bool = False


def previous_version(component: Component) -> str | None:
    """The version in use before the present one, or None.

    By version, because scaling and restarting may have made records of the present one.
    """
    older = reversed(component.records[: component.used])
    found = (record.version for record in older if record.status != ROLLED_BACK and record.version != component.current)
    return next(found, None)


def without_version(component: Component, switches: Switches) -> Target:
    """The target of rollback_current: the previous version, or while a deployment is open the stable one.

    Raises Refusal 404 where there is none, otherwise as `to_version`.
    """
    if component.candidate is not None:
        return to_version(component, component.current, switches)
    version = previous_version(component)
    if version is None:
        raise unknown_version("before the first one")
    return to_version(component, version, switches)


def to_version(component: Component, version: str, switches: Switches) -> Target:
    """The target of a rollback to a version. Raises Refusal.

    404 for a version that is not recorded. Wrong state (switch busy) for the version in use, for a rollback right after
    another one, and for any but the stable version while a deployment is open. 400 SVCSTG.00100400 for a version that
    is recorded but no target: newer than the one in use, left behind by a rollback, or not the previous one where only
    that will do (switch rollback_targets). SIM: no source says how the platform refuses these; the snapshot is there
    and the state is fine, which leaves the parameter to be wrong.
    """
    if component.record(version) is None:
        raise unknown_version(version)
    if component.candidate is not None:
        if version != component.current:
            message = f"the last deployment is not in use: only a rollback to {component.current} ends it"
            raise conflict(message, switches.busy)
        return Target(version, component.replica, ends_open=True)
    if version == component.current:
        raise conflict(f"version {version[:64]} is the one in use", switches.busy)
    if component.rolled_back and switches.rollback_twice == "refused":
        raise conflict("the component was rolled back last, it cannot be rolled back again", switches.busy)
    position = rollback_target(component, version)
    if position is None:
        raise invalid(f"version {version[:64]} is no target of a rollback: it is newer, or was rolled back")
    if switches.rollback_targets == "previous" and version != previous_version(component):
        raise invalid(f"version {version[:64]} is not the previous one: a rollback goes nowhere else")
    recorded = component.records[position].replica
    return Target(version, recorded if switches.rollback_replicas == "restore" else component.replica)
