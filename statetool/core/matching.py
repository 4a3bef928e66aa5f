"""Which desired component is which recorded and which observed one.

Owns the pairing by address and by component id, and the findings about names: not found, ambiguous, twice,
replaced, moved. It must not compare values.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from statetool.core.model import Address, Desired, Observed, Recorded
from statetool.core.plan import Finding


@dataclass(frozen=True, slots=True)
class Pair:
    """One desired component with its counterparts. `observed` is None where a finding says why."""

    desired: Desired
    recorded: Recorded | None
    observed: Observed | None
    moved_from: Address | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Matching:
    """All pairs in the order of their addresses; records without a desired component; what nobody manages."""

    pairs: tuple[Pair, ...]
    left_manifest: tuple[Recorded, ...]
    unmanaged: tuple[Observed, ...]


def match_components(
    desired: Iterable[Desired], recorded: Mapping[Address, Recorded], observed: Sequence[Observed]
) -> Matching:
    """Pair everything. The key is the component id once an address is resolved."""
    directory = _Directory(observed)
    found = [(wanted, directory.find(wanted.address)) for wanted in sorted(desired, key=lambda d: d.address)]
    owners: dict[str, list[Address]] = defaultdict(list)
    for wanted, hits in found:
        if len(hits) == 1:
            owners[hits[0].component_id].append(wanted.address)
    by_id = {entry.component_id: entry for entry in recorded.values()}
    wanted_addresses = {wanted.address for wanted, _ in found}
    pairs = tuple(_pair(w, hits, owners, recorded, by_id, wanted_addresses, directory) for w, hits in found)
    moved = {pair.moved_from for pair in pairs if pair.moved_from is not None}
    # Meant by the manifests, though not clearly: denied under their new names, and not to be forgotten meanwhile.
    unclear = {
        hit.component_id for pair, (_, hits) in zip(pairs, found, strict=True) if not pair.observed for hit in hits
    }
    left = (
        entry
        for address, entry in recorded.items()
        if address not in wanted_addresses and address not in moved and entry.component_id not in unclear
    )
    managed_ids = set(owners) | set(by_id) | unclear
    return Matching(
        pairs=pairs,
        left_manifest=tuple(sorted(left, key=lambda entry: entry.address)),
        unmanaged=tuple(
            sorted((o for o in observed if o.component_id not in managed_ids), key=lambda entry: entry.address)
        ),
    )


def _pair(
    wanted: Desired,
    hits: list[Observed],
    owners: Mapping[str, list[Address]],
    recorded: Mapping[Address, Recorded],
    by_id: Mapping[str, Recorded],
    wanted_addresses: set[Address],
    directory: _Directory,
) -> Pair:
    record = recorded.get(wanted.address)
    if len(hits) != 1:
        finding = _not_found(wanted.address, directory, record) if not hits else _ambiguous(wanted.address, hits)
        return Pair(wanted, record, None, findings=(finding,))
    observed = hits[0]
    others = [address for address in owners[observed.component_id] if address != wanted.address]
    if others:
        return Pair(wanted, record, None, findings=(_twice(wanted.address, others[0]),))
    if record is not None and record.component_id != observed.component_id:
        return Pair(wanted, None, observed, findings=(_replaced(wanted.address, record, observed),))
    if record is None:
        known = by_id.get(observed.component_id)
        if known is not None and known.address not in wanted_addresses:
            return Pair(wanted, known, observed, moved_from=known.address)
    return Pair(wanted, record, observed)


class _Directory:
    """Observed components by every name an address may use: application name or id, environment name or id."""

    def __init__(self, observed: Sequence[Observed]) -> None:
        self._by_name: dict[tuple[str, str], list[Observed]] = defaultdict(list)
        self._by_id = {entry.component_id: entry for entry in observed}
        for entry in observed:
            for application in {entry.address.application, entry.application_id}:
                self._by_name[application, entry.address.component].append(entry)

    def find(self, address: Address) -> list[Observed]:
        hits = self._by_name.get((address.application, address.component), [])
        if address.environment is None:
            return hits
        return [hit for hit in hits if address.environment in (hit.address.environment, hit.environment_id)]

    def present_name(self, record: Recorded | None) -> Address | None:
        """What a recorded component is called by now, where it is there."""
        entry = self._by_id.get(record.component_id) if record else None
        return entry.address if entry else None

    def near(self, address: Address) -> list[str]:
        names = [component for application, component in self._by_name if application == address.application]
        return difflib.get_close_matches(address.component, sorted(names), n=3)

    def has_application(self, name: str) -> bool:
        return any(application == name for application, _ in self._by_name)


def _not_found(address: Address, directory: _Directory, record: Recorded | None) -> Finding:
    elsewhere = directory.find(replace(address, environment=None))
    renamed = directory.present_name(record)
    near = directory.near(address)
    if elsewhere:
        places = ", ".join(sorted({hit.address.environment or "-" for hit in elsewhere}))
        hint = f"it exists in environment {places}"
    elif renamed:
        hint = f"the recorded component is called {renamed} by now: write that name, and its record moves along"
    elif near:
        hint = f"did you mean {', '.join(near)}?"
    elif not directory.has_application(address.application):
        hint = (
            f"the platform shows no component in an application {address.application}; "
            "check its name, the project and the region"
        )
    else:
        hint = "statetool runs components, it does not create them; create it first, or take it out of the manifest"
    message = "the platform has no such component"
    return Finding("component_not_found", "deny", message, hint, address)


def _ambiguous(address: Address, hits: list[Observed]) -> Finding:
    places = ", ".join(sorted(hit.address.environment or "-" for hit in hits))
    return Finding(
        "ambiguous_component",
        "deny",
        f"{len(hits)} components have this name, in environments {places}",
        "write environment: in the document",
        address,
    )


def _twice(address: Address, other: Address) -> Finding:
    return Finding(
        "same_component_twice",
        "deny",
        f"{other} means the same component of the platform",
        "keep one of the two",
        address,
    )


def _replaced(address: Address, record: Recorded, observed: Observed) -> Finding:
    return Finding(
        "component_replaced",
        "warn",
        f"the component was replaced on the platform: recorded id {record.component_id}, now {observed.component_id}",
        "it is adopted anew; what was recorded of the old one is dropped",
        address,
    )
