"""The one component that somebody names by its address: on the platform, in the manifests, in the state.

Owns which of the observed, desired and recorded components an address of the command line means, with or without a
manifest. Pairing a whole project is `matching.py`. It must not read anything: all of them are handed in.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from statetool.core.model import Address, Desired, Observed, Recorded
from statetool.errors import StatetoolError


@dataclass(frozen=True, slots=True)
class Located:
    """One component from all sides. `address` is how the manifest calls it, else the state, else who asked."""

    address: Address
    observed: Observed
    desired: Desired | None = None
    recorded: Recorded | None = None


def find_one(address: Address, observed: Sequence[Observed]) -> Observed:
    """The one component an address names, of those of its application.

    Raises StatetoolError for none, with near names, and for several.
    """
    found = [entry for entry in observed if names(address, entry)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ambiguous(address, [entry.address for entry in found])
    known = {entry.address.component: f"{entry.address.application}/{entry.address.component}" for entry in observed}
    near = [known[name] for name in difflib.get_close_matches(address.component, sorted(known), n=3)]
    raise StatetoolError(
        f"the platform has no component {address}",
        code="component_not_found",
        address=str(address),
        hint=f"did you mean {' or '.join(near)}?" if near else "`statetool plan --show-unmanaged` lists what runs",
    )


def ambiguous(address: Address, meant: Iterable[Address]) -> StatetoolError:
    """The error of an address that names several components."""
    choices = sorted(map(str, meant))
    return StatetoolError(
        f"{address} names {len(choices)} components",
        code="ambiguous_component",
        address=str(address),
        hint=f"write one of {', '.join(choices)}",
    )


def locate(asked: Address, observed: Observed, desired: Iterable[Desired], recorded: Iterable[Recorded]) -> Located:
    """What the manifests and the state say of an observed component."""
    wanted = next((entry for entry in desired if names(entry.address, observed)), None)
    record = next((entry for entry in recorded if entry.component_id == observed.component_id), None)
    if wanted is not None:
        return Located(wanted.address, observed, wanted, record)
    return Located(record.address if record is not None else asked, observed, None, record)


def names(address: Address, observed: Observed) -> bool:
    """Whether an address, of a manifest or as typed, names this component; application and environment also by id."""
    shown = observed.address
    return (
        address.component == shown.component
        and address.application in (shown.application, observed.application_id)
        and address.environment in (None, shown.environment, observed.environment_id)
    )
