"""A whole project: every component planned, ordered across dependencies, denies given their scope.

Owns the selection (`--target`, `--exclude`), what leaves the state, the edges between components and what a
deny blocks. One component alone is `planner.py`. It must not read anything: all observations are handed in.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from statetool.core.diff import needs_closer_look
from statetool.core.edges import order_across
from statetool.core.guards import Guards, judge
from statetool.core.matching import Matching, Pair, match_components
from statetool.core.model import Address, Desired, Observed, Recorded
from statetool.core.permission import refuse_unmanaged
from statetool.core.plan import Blocked, Change, Counts, Finding, Kind, Plan
from statetool.core.planner import ComponentPlan, plan_component
from statetool.core.sequence import PlanRules
from statetool.errors import UsageError


@dataclass(frozen=True, slots=True)
class Selection:
    """Which addresses a plan is about: globs over address text. No target means all."""

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def includes(self, address: Address) -> bool:
        text = str(address)
        if self.targets and not any(fnmatchcase(text, glob) for glob in self.targets):
            return False
        return not any(fnmatchcase(text, glob) for glob in self.excludes)


def ensure_something_selected(selection: Selection, addresses: Collection[Address]) -> None:
    """Refuse a glob that fits no address: a typo must not end in a plan that says all is well. Raises UsageError."""
    known = sorted({str(address) for address in addresses})
    for flag, globs in (("--target", selection.targets), ("--exclude", selection.excludes)):
        for glob in globs:
            if known and not any(fnmatchcase(text, glob) for text in known):
                near = difflib.get_close_matches(glob, known, n=3, cutoff=0.5)
                hint = f"did you mean {' or '.join(near)}?" if near else "`statetool plan` lists the addresses"
                raise UsageError(f"{flag} {glob} fits no component", code="nothing_selected", hint=hint)
    if known and not any(selection.includes(address) for address in addresses):
        raise UsageError(
            "--target and --exclude together leave no component", code="nothing_selected", hint="widen one of them"
        )


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a plan is bound to and says of itself, none of which decides anything."""

    endpoint: str
    project_id: str
    lineage: str
    serial: int
    tool_version: str
    reads: int = 0


def find_closer_looks(
    desired: Sequence[Desired],
    recorded: Mapping[Address, Recorded],
    observed: Sequence[Observed],
    selection: Selection,
) -> tuple[Observed, ...]:
    """The observed components of which detail and records must be read before planning."""
    matching = match_components(desired, recorded, observed)
    return tuple(
        pair.observed
        for pair in matching.pairs
        if pair.observed is not None
        and selection.includes(pair.desired.address)
        and needs_closer_look(pair.desired, pair.recorded, pair.observed)
    )


def build_plan(
    desired: Sequence[Desired],
    recorded: Mapping[Address, Recorded],
    observed: Sequence[Observed],
    *,
    rules: PlanRules,
    selection: Selection,
    circumstances: Circumstances,
    guards: Guards = Guards(),
) -> Plan:
    """The plan of a project, from three values only. The same input gives the same plan, in any order of input."""
    matching = match_components(desired, recorded, observed)
    selected = [pair for pair in matching.pairs if selection.includes(pair.desired.address)]
    planned = {pair.desired.address: _plan_pair(pair, rules) for pair in selected}
    forgets = _forgets(matching, rules, selection)
    blocked = _find_blocked([pair.desired for pair in matching.pairs], planned)
    runnable = {address: component for address, component in planned.items() if address not in blocked}
    actions = order_across(
        {pair.desired.address: pair.desired.depends_on for pair in matching.pairs},
        {address: component.actions for address, component in runnable.items()},
    )
    everything = list(planned.values())
    changes = [component.change for component in runnable.values() if component.change is not None] + forgets
    plan = Plan(
        mode=rules.mode,
        created_at=rules.now,
        endpoint=circumstances.endpoint,
        project_id=circumstances.project_id,
        lineage=circumstances.lineage,
        serial=circumstances.serial,
        tool_version=circumstances.tool_version,
        changes=tuple(sorted(changes, key=lambda change: change.address)),
        actions=actions,
        held_back=tuple(entry for address in runnable for entry in planned[address].held_back),
        left_alone=tuple(entry for component in everything for entry in component.left_alone),
        blocked=tuple(blocked[address] for address in sorted(blocked)),
        findings=tuple(finding for component in everything for finding in component.findings),
        rejections=tuple(component.rejection for component in everything if component.rejection is not None),
        counts=Counts(
            unchanged=sum(component.is_unchanged for component in everything),
            ignored=sum(component.ignored for component in everything),
            unmanaged=len(matching.unmanaged),
        ),
        unmanaged=tuple(entry.address for entry in matching.unmanaged),
        reads=circumstances.reads,
        overrides=tuple(sorted(rules.overrides)),
        left_out=tuple(p.desired.address for p in matching.pairs if not selection.includes(p.desired.address)),
    )
    return judge(plan, guards, managed=len(matching.pairs) + len(matching.left_manifest))


def _plan_pair(pair: Pair, rules: PlanRules) -> ComponentPlan:
    if pair.observed is None:
        return ComponentPlan(findings=pair.findings)
    if rules.mode == "drift" and pair.recorded is None:
        unrecorded = Finding(
            "not_recorded", "warn", "no wish is recorded yet", "`statetool apply` records it", pair.desired.address
        )
        return ComponentPlan(findings=(*pair.findings, unrecorded), is_compared=False)
    observed = pair.observed
    component = plan_component(pair.desired, pair.recorded, observed, rules, pair.moved_from)
    component = refuse_unmanaged(component, rules.managed, observed.address.application, observed.application_id)
    return replace(component, findings=(*pair.findings, *component.findings))


def _forgets(matching: Matching, rules: PlanRules, selection: Selection) -> list[Change]:
    """Records whose component left the manifests. The platform is not touched."""
    if rules.mode == "drift":
        return []
    return [
        Change(
            address=entry.address,
            component_id=entry.component_id,
            application_id=entry.application_id,
            environment_id=entry.environment_id,
            kind=Kind.FORGET,
            origin=None,
        )
        for entry in matching.left_manifest
        if selection.includes(entry.address)
    ]


def _find_blocked(desired: Iterable[Desired], planned: Mapping[Address, ComponentPlan]) -> dict[Address, Blocked]:
    """Denied components, and those with actions that depend on a denied one or on one that is held back."""
    by_address = {entry.address: entry for entry in desired}
    causes: dict[Address, Blocked] = {}
    for address, component in planned.items():
        deny = next((finding for finding in component.findings if finding.severity == "deny"), None)
        if deny is not None:
            causes[address] = Blocked(address, deny.code, deny.message)
    stopping = set(causes) | {address for address, component in planned.items() if component.held_back}
    dependents: dict[Address, list[Address]] = {}
    for entry in by_address.values():
        for needed in entry.depends_on:
            dependents.setdefault(needed, []).append(entry.address)
    reached: dict[Address, Address] = {}
    queue = sorted(stopping)
    while queue:
        source = queue.pop(0)
        for address in sorted(dependents.get(source, ())):
            if address not in reached and address not in causes:
                reached[address] = reached.get(source, source)
                queue.append(address)
    for address, source in reached.items():
        if address in planned and planned[address].actions:
            why = "is blocked" if source in causes else "is held back"
            causes[address] = Blocked(address, str(source), f"depends on {source}, which {why}")
    return causes
