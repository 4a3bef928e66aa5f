"""A whole project: every component planned, ordered across dependencies, denies given their scope.

Owns what leaves the state, the edges between components and what a deny blocks. One component alone is `planner.py`,
what a project's plan is about `selection.py`. It must not read anything: all observations are handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from statetool.core.comes_along import find_past_versions
from statetool.core.diff import needs_closer_look
from statetool.core.edges import order_across
from statetool.core.guards import Guards, judge
from statetool.core.matching import Matching, Pair, match_components
from statetool.core.model import Address, Desired, Observed, Recorded
from statetool.core.permission import refuse_unmanaged
from statetool.core.plan import Blocked, Change, Counts, Finding, Kind, Plan
from statetool.core.planner import ComponentPlan, plan_component
from statetool.core.selection import Choice, Selection, find_left_out_dependencies
from statetool.core.sequence import PlanRules


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
    choice = selection.choose(desired)
    return tuple(
        pair.observed
        for pair in matching.pairs
        if pair.observed is not None
        and choice.includes(pair.desired.address)
        and needs_closer_look(pair.desired, pair.recorded, pair.observed)
    )


def find_past_looks(
    desired: Sequence[Desired],
    recorded: Mapping[Address, Recorded],
    observed: Sequence[Observed],
    selection: Selection,
) -> tuple[tuple[Observed, frozenset[str]], ...]:
    """The observed components, looked at closely, whose plan may go back to an earlier version, with those versions."""
    pairs, choice = match_components(desired, recorded, observed).pairs, selection.choose(desired)
    looks = (
        (pair.observed, find_past_versions(pair.desired, pair.recorded, pair.observed))
        for pair in pairs
        if pair.observed is not None and choice.includes(pair.desired.address)
    )
    return tuple((seen, versions) for seen, versions in looks if versions)


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
    choice = selection.choose(desired)
    selected = [pair for pair in matching.pairs if choice.includes(pair.desired.address)]
    planned = {pair.desired.address: _plan_pair(pair, rules) for pair in selected}
    forgets = _forgets(matching, rules, choice)
    blocked = _find_blocked([pair.desired for pair in matching.pairs], planned)
    runnable = {address: component for address, component in planned.items() if address not in blocked}
    actions = order_across(
        {pair.desired.address: pair.desired.depends_on for pair in matching.pairs},
        {address: component.actions for address, component in runnable.items()},
    )
    everything = list(planned.values())
    warnings = _warn_of_left_out(matching, choice, rules, {action.address for action in actions})
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
        findings=(*(finding for component in everything for finding in component.findings), *warnings),
        rejections=tuple(component.rejection for component in everything if component.rejection is not None),
        counts=Counts(
            unchanged=sum(component.is_unchanged for component in everything),
            ignored=sum(component.ignored for component in everything),
            unmanaged=len(matching.unmanaged),
        ),
        unmanaged=tuple(entry.address for entry in matching.unmanaged),
        reads=circumstances.reads,
        overrides=tuple(sorted(rules.overrides)),
        left_out=_find_left_out(matching, choice, rules),
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


def _find_left_out(matching: Matching, choice: Choice, rules: PlanRules) -> tuple[Address, ...]:
    """What would be planned or forgotten, were everything selected."""
    described = [pair.desired.address for pair in matching.pairs]
    forgotten = [entry.address for entry in matching.left_manifest] if rules.mode == "normal" else []
    return tuple(sorted(address for address in (*described, *forgotten) if not choice.includes(address)))


def _warn_of_left_out(
    matching: Matching, choice: Choice, rules: PlanRules, acting: Collection[Address]
) -> list[Finding]:
    pairs = {pair.desired.address: pair for pair in matching.pairs}
    settled: dict[Address, bool] = {}

    def is_settled(address: Address) -> bool:
        if address not in settled:
            settled[address] = _is_settled(pairs[address], rules)
        return settled[address]

    needs = {address: pair.desired.depends_on for address, pair in pairs.items()}
    return find_left_out_dependencies(choice, needs, acting, is_settled)


def _is_settled(pair: Pair, rules: PlanRules) -> bool:
    """Whether its list row is enough to know that a component has nothing to do and that nothing is in its way.

    No request is made for what is left out: somebody may leave it out because the platform does not answer for it.
    """
    if pair.observed is None:
        return False
    if pair.observed.closer is None and needs_closer_look(pair.desired, pair.recorded, pair.observed):
        return False
    component = _plan_pair(pair, rules)
    is_denied = any(finding.severity == "deny" for finding in component.findings)
    return not (component.actions or component.held_back or is_denied)


def _forgets(matching: Matching, rules: PlanRules, choice: Choice) -> list[Change]:
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
        if choice.includes(entry.address)
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
