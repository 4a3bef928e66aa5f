"""Small worlds in few words: what is desired, recorded and observed of a component, and the plan that follows.

Without further words a component is shop/cart, runs 1.4.2 in four instances, and was upgraded to it from 1.4.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from statetool.core.deploy import Artifact, Configuration, Deploy
from statetool.core.guards import NO_GUARDS, Guards
from statetool.core.model import (
    Address,
    Closer,
    ContentRule,
    Desired,
    Drifted,
    Gray,
    GrayRule,
    Lifecycle,
    Observed,
    PowerState,
    Record,
    Recorded,
    Rejection,
    Replicas,
    Seen,
    VersionEntry,
    VersionPicture,
    Wish,
)
from statetool.core.plan import Action, Finding, Plan, SendIf, Verb
from statetool.core.planner import ComponentPlan, plan_component
from statetool.core.project import Circumstances, build_plan
from statetool.core.selection import Selection
from statetool.core.sequence import PlanRules
from statetool.errors import SourceMark

NOTHING_ALONG = Deploy()
NOW = "2026-11-23T08:00:00Z"
EARLIER = "2026-11-22T20:00:00Z"
CIRCUMSTANCES = Circumstances("http://127.0.0.1:9000", "0123456789abcdef0123456789abcdef", "6f9c", 12, "0.1.0")


def address(name: str) -> Address:
    """`cart`, `shop/cart` or `shop/cart@prod`."""
    return Address.parse(name if "/" in name else f"shop/{name}")


def content(*values: str, match: Literal["all", "any"] = "any") -> GrayRule:
    """A content rule that looks for each value in one header."""
    return GrayRule(match=match, rules=frozenset(ContentRule("header", "x-user-tier", "equal", v) for v in values))


def picture(version: str, candidate: str | None = None, rule: GrayRule | int | None = 20) -> VersionPicture:
    """A stable version, with a candidate beside it where one is named. A number is a weight."""
    told = GrayRule(weight=rule) if isinstance(rule, int) else rule
    return VersionPicture(version, Gray(candidate, told) if candidate else None)


def wish(
    version: str | None = None,
    candidate: str | None = None,
    rule: GrayRule | int = 20,
    *,
    replicas: Replicas | None = None,
    state: PowerState | None = None,
    restart: str | None = None,
) -> Wish:
    return Wish(picture(version, candidate, rule) if version else None, replicas, state, restart)


def want(
    version: str | None = None,
    candidate: str | None = None,
    rule: GrayRule | int = 20,
    *,
    name: str = "cart",
    needs: Iterable[str] = (),
    correct: Iterable[str] = (),
    ignore: Iterable[str] = (),
    protected: bool = False,
    line: int = 9,
    hosts: Iterable[str] = (),
    deploy: Deploy = NOTHING_ALONG,
    **fields: Any,
) -> Desired:
    """A component of a manifest; `fields` are replicas, state, restart."""
    return Desired(
        address(name),
        SourceMark("manifests/shop.yaml", line, 3),
        wish(version, candidate, rule, **fields),
        depends_on=tuple(address(needed) for needed in needs),
        lifecycle=Lifecycle(protected, frozenset(ignore), frozenset(correct)),
        hosts=tuple(hosts),
        deploy=deploy,
    )


def record(
    wished: Wish | None = None,
    *,
    name: str = "cart",
    component_id: str | None = None,
    seen: Seen | None = None,
    drifted: Mapping[str, Drifted] | None = None,
    history: Sequence[tuple[str, str]] = (),
    rejected: Sequence[str | Rejection] = (),
) -> Recorded:
    """What the state holds of a component. `history` are pairs of version and verb, oldest first."""
    key = address(name)
    return Recorded(
        key,
        component_id or f"id-{key.application}-{key.component}",
        f"app-{key.application}",
        "env-prod",
        wished or Wish(),
        seen=seen,
        drifted=drifted or {},
        history=tuple(VersionEntry(version, EARLIER, verb) for version, verb in history),
        rejected=tuple(
            entry if isinstance(entry, Rejection) else Rejection(entry, EARLIER, "ann@ci", "rolled back by statetool")
            for entry in rejected
        ),
    )


def deployed(
    version: str,
    kind: str = "rollingrelease",
    *,
    current: bool = False,
    weight: int | None = None,
    remaining: int | None = None,
) -> Record:
    """One deployment record."""
    return Record(version, kind, EARLIER, current, "SUCCEEDED", weight=weight, remaining_batches=remaining)


def look(
    *records: Record | str,
    configured: int | None = 4,
    rule: GrayRule | int | None = None,
    remaining: int | None = None,
    image: str | None = None,
    configuration: Configuration | None = None,
    past: Mapping[str, Configuration] | None = None,
) -> Closer:
    """Detail and records, newest first; a plain version is a record, the first of which is in use."""
    told = GrayRule(weight=rule) if isinstance(rule, int) else rule
    entries = [deployed(r, current=n == 0) if isinstance(r, str) else r for n, r in enumerate(records)]
    artifact = Artifact("image", image) if image else None
    return Closer(configured, told, remaining, tuple(entries), artifact, configuration, past or {})


def see(
    version: str = "1.4.2",
    *,
    name: str = "cart",
    status: str = "RUNNING",
    replicas: int = 4,
    closer: Closer | Literal["usual"] | None = "usual",
    job: str | None = "JOB-1",
    component_id: str | None = None,
    environment: str | None = "prod",
) -> Observed:
    """A component as the platform shows it. The usual closer look: this version, 1.4.1 before it."""
    key = address(name)
    return Observed(
        Address(key.application, key.component, key.environment or environment),
        component_id or f"id-{key.application}-{key.component}",
        f"app-{key.application}",
        f"env-{key.environment or environment}",
        version,
        status,
        replicas,
        replicas,
        job,
        EARLIER,
        closer=look(*dict.fromkeys((version, "1.4.1"))) if closer == "usual" else closer,
    )


def see_gray(
    stable: str = "1.4.2",
    candidate: str = "1.5.0",
    rule: GrayRule | int = 20,
    *,
    older: Sequence[str] = ("1.4.1",),
    row: str | None = None,
    configured: int | None = 4,
    remaining: int | None = 2,
    image: str | None = None,
    **fields: Any,
) -> Observed:
    """A gray release that pauses, seen with all of its detail; the row shows the stable version unless said."""
    records = [deployed(candidate, "grayrelease"), deployed(stable, current=True), *(deployed(v) for v in older)]
    closer = look(*records, configured=configured, rule=rule, remaining=remaining, image=image)
    return see(row or stable, status="GRAYING", closer=closer, **fields)


def plan_one(
    desired: Desired, recorded: Recorded | None = None, observed: Observed | None = None, **rules: Any
) -> ComponentPlan:
    """The plan of one component. `rules` are mode, correct, overrides, abort_verb."""
    return plan_component(desired, recorded, observed or see(), make_rules(**rules))


def plan_all(
    desired: Sequence[Desired],
    recorded: Iterable[Recorded] = (),
    observed: Sequence[Observed] = (),
    selection: Selection | None = None,
    guards: Guards = NO_GUARDS,
    **rules: Any,
) -> Plan:
    """The plan of a project, by default without any guard."""
    return build_plan(
        desired,
        {entry.address: entry for entry in recorded},
        observed,
        rules=make_rules(**rules),
        selection=selection or Selection(),
        circumstances=CIRCUMSTANCES,
        guards=guards,
    )


def make_rules(
    *,
    mode: Literal["normal", "drift"] = "normal",
    correct: bool = False,
    overrides: Iterable[str] = (),
    abort_verb: Verb = Verb.ROLLBACK,
    now: str = NOW,
    managed: frozenset[str] | None = None,
) -> PlanRules:
    return PlanRules(now, mode, correct, frozenset(overrides), abort_verb, managed)


def verbs(planned: ComponentPlan | Plan) -> list[str]:
    """`["rollback 1.4.1", "scale 6"]`: verbs with the parameter that tells most."""
    return [_spell(action) for action in planned.actions]


def steps(planned: ComponentPlan | Plan) -> list[str]:
    """The same without the conditional scales that put an instance number back."""
    return [_spell(action) for action in planned.actions if action.send_if is SendIf.ALWAYS]


def _spell(action: Action) -> str:
    told = [action.parameters[key] for key in ("version", "replica", "weight", "match") if key in action.parameters]
    told += ["gray"] if "gray" in action.parameters else []
    return " ".join([str(action.verb), *map(str, told)])


def codes(planned: ComponentPlan | Plan) -> list[str]:
    """Codes of the findings, denies in capitals."""
    return [code_of(finding) for finding in planned.findings]


def code_of(finding: Finding) -> str:
    return finding.code.upper() if finding.severity == "deny" else finding.code


def held(planned: ComponentPlan | Plan) -> list[tuple[str, str]]:
    return [(entry.path, entry.code) for entry in planned.held_back]


def alone(planned: ComponentPlan | Plan) -> list[tuple[str, Any, Any]]:
    """Path, wish and observed value of what was changed outside and left alone."""
    return [(entry.path, entry.wish, entry.observed) for entry in planned.left_alone]


def updates(planned: ComponentPlan) -> dict[str, Any]:
    """The wishes that would be recorded, whenever."""
    return {update.field: update.value for update in planned.change.updates} if planned.change else {}
