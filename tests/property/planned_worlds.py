"""Generated projects: a platform that answers, manifests that wish, and a state that remembers.

What the platform makes of a plan is `planned_platform.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

from core_builders import CIRCUMSTANCES, EARLIER, address, content, deployed, make_rules
from hypothesis import strategies as st

from statetool.core.canonical import variable_digest
from statetool.core.deploy import Artifact, Configuration, Deploy, Deployed, GrayStart, Release, Resources
from statetool.core.guards import NO_GUARDS, Freeze, Guards
from statetool.core.model import (
    Address,
    Closer,
    Desired,
    Gray,
    GrayRule,
    Lifecycle,
    Observed,
    Record,
    Recorded,
    Rejection,
    ReplicaRange,
    Replicas,
    Seen,
    VersionEntry,
    VersionPicture,
    Wish,
)
from statetool.core.plan import Plan, Risk
from statetool.core.project import build_plan, find_closer_looks
from statetool.core.selection import Selection, Selector
from statetool.core.sent_along import deployed_by
from statetool.core.state import StateFile, new_state
from statetool.errors import SourceMark

NAMES = ("ant", "bee", "cat", "dog", "elk")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.0.0")
NEW = ("3.0.0", "3.1.0")
"""Versions that nobody ever deployed."""
SERVING = ("RUNNING", "RUNNING", "PENDING", "STOPPED")
OTHERS = ("FAILED", "PARTIALLY_FAILED", "UNKNOWN", "UPGRADING")
EVERYTHING = Selection()


@dataclass(frozen=True)
class Part:
    """One component of the platform. `older` are the versions before the stable one, newest first.

    `images` holds what a version runs from where its tag is not the version. `came_gray`: the stable version came by
    a gray release. A failed component with `gray` failed half way.
    """

    name: str
    stable: str
    older: tuple[str, ...] = ()
    gray: Gray | None = None
    shows_candidate: bool = False
    status: str = "RUNNING"
    replicas: int = 2
    configured: int = 2
    jobs: int = 1
    remaining: int | None = None
    came_gray: bool = False
    images: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)

    @property
    def shown(self) -> str:
        """The version of row and detail."""
        return self.gray.version if self.gray and self.shows_candidate else self.stable

    @property
    def number(self) -> int:
        """The instances that it is meant to have: a status may hide that number."""
        return self.configured if self.gray or self.status == "STOPPED" else self.replicas

    def image_of(self, version: str) -> Artifact:
        return Artifact("image", self.images.get(version, f"swr/{self.name}:{version}"))

    def row(self) -> Observed:
        """What a list page shows."""
        key = address(self.name)
        return Observed(
            Address(key.application, key.component, "prod"),
            f"id-{key.component}",
            "app-shop",
            "env-prod",
            self.shown,
            self.status,
            self.replicas,
            self.replicas,
            f"JOB-{self.jobs}",
            EARLIER,
            artifact=self.image_of(self.shown),
        )

    def closer(self) -> Closer:
        """What detail and records show."""
        kind = "grayrelease" if self.came_gray else "rollingrelease"
        records: list[Record] = [deployed(self.stable, kind, current=True), *(deployed(v) for v in self.older)]
        if self.gray is not None:
            records.insert(0, deployed(self.gray.version, "grayrelease"))
        rule, image = self.gray.rule if self.gray else None, self.image_of(self.shown)
        env = {name: variable_digest({"value": text}) for name, text in self.env.items()}
        runs = Configuration(image, env, self.resources, self.configured)
        return Closer(self.configured, rule, self.remaining, tuple(records), image, runs)

    def look(self) -> Observed:
        """All of it."""
        return replace(self.row(), closer=self.closer())


@dataclass(frozen=True)
class Project:
    """Everything a plan is made from."""

    desired: tuple[Desired, ...]
    state: StateFile
    parts: Mapping[str, Part]
    correct: bool = False

    def observe(self, selection: Selection = EVERYTHING) -> tuple[Observed, ...]:
        """Rows, with a closer look where planning asks for one, as workflow does it."""
        rows = tuple(part.row() for part in self.parts.values())
        unclear = find_closer_looks(self.desired, self.state.components, rows, selection)
        looks = {entry.component_id for entry in unclear}
        return tuple(self.parts[row.address.component].look() if row.component_id in looks else row for row in rows)

    def plan(
        self,
        observed: Sequence[Observed] | None = None,
        selection: Selection = EVERYTHING,
        guards: Guards = NO_GUARDS,
        **rules: Any,
    ) -> Plan:
        return build_plan(
            self.desired,
            self.state.components,
            self.observe(selection) if observed is None else observed,
            rules=make_rules(**{"correct": self.correct, **rules}),
            selection=selection,
            circumstances=CIRCUMSTANCES,
            guards=guards,
        )


# Strategies. Few draws a component, for most of the time of these tests goes into them.

weights = st.integers(1, 99).map(lambda w: GrayRule(weight=w))
gray_rules = st.one_of(
    st.sampled_from([GrayRule(weight=10), GrayRule(weight=20)]),
    weights,
    st.sampled_from([content("a"), content("a", "b"), content("a", match="all")]),
)
wished_rules = st.one_of(gray_rules, gray_rules, st.just(GrayRule(weight=100)))
"""The last one promotes."""

ODD = ("unobserved", "undesired", "unrecorded", "moved", "replaced", "on machines", "another tag")
oddities = st.sampled_from([*[None] * 14, "unrecorded", *ODD])
"""What is strange about a component, which most are not."""


@st.composite
def pictures(draw: st.DrawFn) -> VersionPicture:
    """A version of a manifest, alone or with a candidate."""
    stable = draw(st.sampled_from([*VERSIONS, *NEW]))
    if draw(st.booleans()):
        return VersionPicture(stable)
    candidate = draw(st.sampled_from([v for v in (*VERSIONS, *NEW) if v != stable]))
    return VersionPicture(stable, Gray(candidate, draw(wished_rules)))


CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"env": {"LEVEL": "1"}, "resources": Resources(limit_cpu=1.0)},
    {"env": {"LEVEL": "2", "ZONE": "a"}},
)
LINEAGES = [line for length in (2, 3, 1, 4) for line in permutations(VERSIONS, length)]
KINDS = ("serving",) * 12 + ("graying",) * 8 + ("stopped",) * 3 + ("other", "half way")
NUMBERS = ((2, 2), (3, 3), (5, 5), (1, 1), (0, 0), (3, 2), (4, 3), (0, 2))


@st.composite
def parts(draw: st.DrawFn, name: str, odd: str | None = None) -> Part:
    """A component in any state the platform can show."""
    stable, *older = draw(st.sampled_from(LINEAGES))
    replicas, configured = draw(st.sampled_from(NUMBERS))
    part = Part(
        name,
        stable,
        tuple(older),
        replicas=replicas,
        configured=configured,
        came_gray=draw(st.booleans()),
        images={stable: "swr/app:latest"} if odd == "another tag" else {},
        **draw(st.sampled_from(CONFIGURATIONS)),
    )
    kind = draw(st.sampled_from(KINDS))
    if kind == "serving":
        return replace(part, status=draw(st.sampled_from(["RUNNING", "RUNNING", "PENDING"])))
    if kind == "stopped":
        return replace(part, status="STOPPED")
    if kind == "other":
        return replace(part, status=draw(st.sampled_from(OTHERS)))
    candidate = draw(st.sampled_from([v for v in (*VERSIONS, NEW[0]) if v != part.stable]))
    return replace(
        part,
        older=tuple(v for v in part.older if v != candidate),
        gray=Gray(candidate, draw(gray_rules)),
        shows_candidate=draw(st.booleans()),
        status="GRAYING" if kind == "graying" else "FAILED",
        remaining=draw(st.sampled_from([None, 0, 2])),
    )


@st.composite
def wished_pictures(draw: st.DrawFn, part: Part) -> VersionPicture:
    """What is there, a step away from it, or anything."""
    rule, new = draw(wished_rules), VersionPicture(NEW[0])
    beside = VersionPicture(part.stable, Gray(NEW[1], rule))
    near = [VersionPicture(part.stable, part.gray), VersionPicture(part.stable), new, beside]
    if part.gray is None:
        near += [*(VersionPicture(version) for version in part.older[:1] * 3 + part.older[1:2]), new, beside]
    else:
        near += [VersionPicture(part.stable), VersionPicture(part.gray.version), VersionPicture(part.gray.version)]
        near += [VersionPicture(part.stable, replace(part.gray, rule=rule))] * 3
        near += [VersionPicture(part.gray.version, beside.gray)]
    chosen = draw(st.sampled_from([*near, None]))
    return draw(pictures()) if chosen is None else chosen


def wished_numbers(part: Part) -> st.SearchStrategy[Replicas | None]:
    """None, a number, or a range of them."""
    near = [part.replicas, part.configured, 0, 1, 2, 3, 4, 5]
    ranges = [ReplicaRange(low, low + more, cut) for low in (0, 2, 4) for more in (0, 2) for cut in (False, True)]
    return st.sampled_from([*[None] * 16, *near, *near, *ranges])


def at_least_two(wanted: Replicas | None) -> Replicas | None:
    """What a manifest may say beside a gray release."""
    if isinstance(wanted, ReplicaRange):
        return replace(wanted, min=max(wanted.min, 2), max=max(wanted.max, 2))
    return wanted if wanted is None else max(wanted, 2)


@st.composite
def wishes(draw: st.DrawFn, part: Part) -> Wish:
    """Desired values, often those that are there, so that every cause turns up."""
    picture = draw(wished_pictures(part)) if draw(st.integers(0, 3)) else None
    has_gray = picture is not None and picture.gray is not None
    replicas = draw(wished_numbers(part))
    powers = [None, None, None, "running", "running" if has_gray else "stopped"]
    state, restart = draw(st.sampled_from([(power, token) for power in powers for token in (None, None, "1", "2")]))
    return Wish(picture, at_least_two(replicas) if has_gray else replicas, state, restart)  # type: ignore[arg-type]


ALONG: tuple[Deploy, ...] = (
    Deploy(env={"LEVEL": "1"}),
    Deploy(env={"LEVEL": "2"}, resources=Resources(limit_cpu=1.0)),
    Deploy(artifact=Artifact("image", "swr/app:latest"), release=Release("rolling", 3)),
    Deploy(candidate_artifact=Artifact("image", "swr/app:next"), gray=GrayStart("nosurge", precheck=True)),
    Deploy(gray=GrayStart("extra", "elb-shared", 2, 3)),
    Deploy(gray=GrayStart("mirror"), env={"ZONE": "a"}),
)
LIFECYCLES = (
    *[Lifecycle()] * 6,
    *[Lifecycle(correct=frozenset({"replicas", "version", "gray", "state"}))] * 3,
    *[Lifecycle(correct=frozenset({name})) for name in ("replicas", "version", "gray", "state")],
    Lifecycle(protected=True),
    Lifecycle(ignore=frozenset({"version", "gray"})),
    Lifecycle(ignore=frozenset({"gray", "replicas"}), correct=frozenset({"version"})),
    Lifecycle(ignore=frozenset({"state"})),
)


@st.composite
def desires(draw: st.DrawFn, part: Part, line: int, needs: Collection[Address], odd: str | None = None) -> Desired:
    """A component of a manifest."""
    wished = draw(wishes(part))
    return Desired(
        address(part.name),
        SourceMark("manifests/shop.yaml", line, 3),
        wished,
        tuple(sorted(needs)),
        hosts=("ecs-1",) if odd == "on machines" else (),
        deploy=draw(st.sampled_from([*[Deploy()] * 6, *ALONG])) if wished.picture else Deploy(),
        lifecycle=draw(st.sampled_from(LIFECYCLES)),
    )


@st.composite
def records(draw: st.DrawFn, part: Part, wanted: Desired, odd: str | None = None) -> Recorded:
    """One whose wish is what is there, the manifest's, or a mixture of those and another."""
    state = {"STOPPED": "stopped", "UPGRADING": None}.get(part.status, "running")
    there = Wish(VersionPicture(part.stable, part.gray), part.number, state, draw(st.sampled_from(["1", None])))  # type: ignore[arg-type]
    sent = deployed_by(wanted.deploy, draw(st.sampled_from([part.row().row_version, part.stable])))
    mine = replace(wanted.wish, deployed=None if sent == Deployed() else sent)
    wish = draw(st.sampled_from([there, there, there, mine, None]))
    if wish is None:
        sources = st.sampled_from([there, mine, draw(wishes(part))])
        wish = Wish(**{name: getattr(draw(sources), name) for name in Wish.__slots__})
    row = part.row()
    recorded = Recorded(
        address(f"old-{part.name}") if odd == "moved" else wanted.address,
        f"id-of-another-{part.name}" if odd == "replaced" else row.component_id,
        row.application_id,
        row.environment_id,
        wish,
        seen=draw(st.one_of(st.none(), sightings())),
    )
    if draw(st.integers(0, 5)):
        return recorded
    picture = wanted.wish.picture or VersionPicture(part.stable)
    candidates = [picture.stable, picture.gray.version if picture.gray else part.stable, *part.older, *NEW]
    rejections = st.builds(Rejection, st.sampled_from(candidates), st.just(EARLIER), st.just("ann"), st.just("5xx"))
    return replace(
        recorded,
        history=tuple(draw(st.lists(version_entries, max_size=2))),
        rejected=tuple(draw(st.lists(rejections, max_size=1))),
    )


version_entries = st.builds(
    VersionEntry,
    st.sampled_from(VERSIONS),
    st.just(EARLIER),
    st.sampled_from(["rollback", "abort", "continue_deploy"]),
)


def sightings() -> st.SearchStrategy[Seen]:
    """Anything that may have been seen of a component at some time."""
    gray = st.builds(Gray, st.sampled_from(VERSIONS), st.one_of(st.none(), gray_rules))
    return st.builds(
        Seen,
        at=st.sampled_from([EARLIER, "2026-11-20T08:00:00Z"]),
        version=st.one_of(st.none(), st.sampled_from(VERSIONS)),
        replicas=st.one_of(st.none(), st.integers(0, 9)),
        available_replicas=st.one_of(st.none(), st.integers(0, 9)),
        status=st.sampled_from([*SERVING, *OTHERS, "GRAYING"]),
        last_job_id=st.one_of(st.none(), st.just("JOB-0")),
        gray=st.one_of(st.none(), gray),
    )


@st.composite
def projects(draw: st.DrawFn, most: int = 4) -> Project:
    """Some components that depend on each other without a cycle; some observed only, some recorded only, some
    recorded under another name or id."""
    names = NAMES[: draw(st.sampled_from([1, 2, 3, most, most]))]
    desired: list[Desired] = []
    world: dict[str, Part] = {}
    recorded: list[Recorded] = []
    for n, name in enumerate(draw(st.permutations(names))):
        odd = draw(oddities)
        part = draw(parts(name, odd))
        known = [entry.address for entry in desired]
        needs = draw(st.lists(st.sampled_from(known), unique=True, max_size=2)) if known else []
        wanted = draw(desires(part, n + 2, needs, odd))
        if odd != "unobserved":
            world[name] = part
        if odd != "undesired":
            desired.append(wanted)
        if odd != "unrecorded":
            recorded.append(draw(records(part, wanted, odd)))
    state = replace(new_state("6f9c", "0.1.0"), serial=1, components={r.address: r for r in recorded})
    return Project(tuple(desired), state, world, draw(st.sampled_from([False, False, True])))


FREEZES = (
    Freeze("audit", "2026-11-24T08:00+08:00"),
    Freeze("audit", None, frozenset()),
    Freeze("fair", None, frozenset({Risk.SCALE_UP, Risk.REVERT, Risk.TRAFFIC, Risk.SCALE_DOWN})),
    Freeze("freezes.yaml can't be read", None, frozenset({Risk.REVERT}), "freeze_unreadable"),
)

guard_limits = st.builds(
    Guards,
    max_share=st.sampled_from([None, 0, 10, 30, 50]),
    max_scale_down=st.sampled_from([None, 0, 30, 50]),
    min_replicas=st.sampled_from([None, 1, 2, 3]),
    max_weight_step=st.sampled_from([None, 5, 20, 50]),
    max_actions=st.sampled_from([None, None, 0, 2, 5]),
    freezes=st.sampled_from([(), (), *((freeze,) for freeze in FREEZES)]),
)


globs = st.sampled_from([f"shop/{name}" for name in NAMES] + ["shop/[d-z]*", "shop/[ab]*", "*/c*"])
selectors = st.builds(Selector, st.sampled_from(["team", "tier"]), st.sampled_from([None, "a", "b"]), st.booleans())
selections = st.builds(
    Selection,
    targets=st.lists(globs, max_size=2).map(tuple),
    excludes=st.lists(globs, max_size=1).map(tuple),
    selectors=st.one_of(st.just(()), st.lists(selectors, max_size=1).map(tuple)),
    with_dependencies=st.booleans(),
)


def reach(start: Address, links: Iterable[tuple[Address, Address]]) -> set[Address]:
    """All that links lead to from `start`, which is among them."""
    neighbours: dict[Address, set[Address]] = {}
    for here, there in links:
        neighbours.setdefault(here, set()).add(there)
    reached, queue = {start}, [start]
    while queue:
        fresh = neighbours.get(queue.pop(), set()) - reached
        reached |= fresh
        queue.extend(fresh)
    return reached
