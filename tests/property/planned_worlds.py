"""Generated projects: a platform that answers, manifests that wish, and a state that remembers.

What the platform makes of a plan is `planned_platform.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


# Strategies

weights = st.integers(1, 99).map(lambda w: GrayRule(weight=w))
gray_rules = st.one_of(
    st.sampled_from([GrayRule(weight=10), GrayRule(weight=20)]),
    weights,
    st.sampled_from([content("a"), content("a", "b"), content("a", match="all")]),
)
wished_rules = st.one_of(gray_rules, gray_rules, st.just(GrayRule(weight=100)))
"""The last one promotes."""


def rarely() -> st.SearchStrategy[bool]:
    """True once in a while; False is what examples shrink to."""
    return st.sampled_from([*[False] * 11, True])


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


@st.composite
def parts(draw: st.DrawFn, name: str) -> Part:
    """A component in any state the platform can show."""
    deploys = draw(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=4, unique=True))
    replicas = draw(st.integers(0, 5))
    part = Part(
        name,
        deploys[0],
        tuple(deploys[1:]),
        replicas=replicas,
        configured=draw(st.sampled_from([replicas, 1, 2, 3])),
        came_gray=draw(st.booleans()),
        images={deploys[0]: "swr/app:latest"} if draw(rarely()) else {},
        **draw(st.sampled_from(CONFIGURATIONS)),
    )
    kind = draw(st.sampled_from(["serving"] * 14 + ["other"] + ["graying"] * 8 + ["half way"]))
    if kind == "serving":
        return replace(part, status=draw(st.sampled_from(SERVING)))
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
    if draw(rarely()):
        return draw(pictures())
    near = [VersionPicture(part.stable, part.gray), VersionPicture(part.stable), VersionPicture(NEW[0])]
    near += [VersionPicture(version) for version in part.older[:1]]
    rule = draw(wished_rules)
    near += [VersionPicture(part.stable, Gray(NEW[1], rule))]
    if part.gray is not None:
        near += [VersionPicture(part.gray.version)]
        near += [VersionPicture(part.stable, replace(part.gray, rule=rule))] * 3
    return draw(st.sampled_from(near))


def wished_numbers(part: Part) -> st.SearchStrategy[Replicas | None]:
    """None, a number, or a range of them."""
    near = [part.replicas, part.configured, 0, 1, 2, 3, 4, 5]
    ranges = [ReplicaRange(low, low + more, cut) for low in (0, 2, 4) for more in (0, 2) for cut in (False, True)]
    return st.sampled_from([*[None] * 8, *near, *near, *ranges])


def at_least_two(wanted: Replicas | None) -> Replicas | None:
    """What a manifest may say beside a gray release."""
    if isinstance(wanted, ReplicaRange):
        return replace(wanted, min=max(wanted.min, 2), max=max(wanted.max, 2))
    return wanted if wanted is None else max(wanted, 2)


@st.composite
def wishes(draw: st.DrawFn, part: Part) -> Wish:
    """Desired values, often those that are there, so that every cause turns up."""
    picture = draw(wished_pictures(part)) if draw(st.integers(0, 2)) else None
    has_gray = picture is not None and picture.gray is not None
    replicas = draw(wished_numbers(part))
    return Wish(
        picture=picture,
        replicas=at_least_two(replicas) if has_gray else replicas,
        state=draw(st.sampled_from([None, "running"] if has_gray else [None, "running", "stopped"])),
        restart=draw(st.sampled_from([None, None, "1", "2"])),
    )


ALONG: tuple[Deploy, ...] = (
    Deploy(env={"LEVEL": "1"}),
    Deploy(env={"LEVEL": "2"}, resources=Resources(limit_cpu=1.0)),
    Deploy(artifact=Artifact("image", "swr/app:latest"), release=Release("rolling", 3)),
    Deploy(candidate_artifact=Artifact("image", "swr/app:next"), gray=GrayStart("nosurge", precheck=True)),
    Deploy(gray=GrayStart("extra", "elb-shared", 2, 3)),
    Deploy(gray=GrayStart("mirror"), env={"ZONE": "a"}),
)


@st.composite
def lifecycles(draw: st.DrawFn) -> Lifecycle:
    fields = st.frozensets(st.sampled_from(["replicas", "version", "gray", "state"]), max_size=4)
    return Lifecycle(
        protected=draw(rarely()),
        ignore=draw(fields) if draw(rarely()) else frozenset(),
        correct=draw(fields),
    )


@st.composite
def desires(draw: st.DrawFn, part: Part, line: int, needs: Collection[Address]) -> Desired:
    """A component of a manifest."""
    wished = draw(wishes(part))
    return Desired(
        address(part.name),
        SourceMark("manifests/shop.yaml", line, 3),
        wished,
        tuple(sorted(needs)),
        hosts=("ecs-1",) if draw(rarely()) else (),
        deploy=draw(st.sampled_from([Deploy(), *ALONG])) if wished.picture else Deploy(),
        lifecycle=draw(lifecycles()),
    )


@st.composite
def records(draw: st.DrawFn, part: Part, wanted: Desired) -> Recorded | None:
    """No record, or one whose wish is the manifest's, what is there, another, or a mixture of all three."""
    if draw(rarely()):
        return None
    state = {"STOPPED": "stopped", "UPGRADING": None}.get(part.status, "running")
    there = Wish(VersionPicture(part.stable, part.gray), part.number, state, draw(st.sampled_from(["1", None])))  # type: ignore[arg-type]
    sent = deployed_by(wanted.deploy, draw(st.sampled_from([part.row().row_version, part.stable])))
    sources = [there, there, replace(wanted.wish, deployed=sent), draw(wishes(part))]
    chosen = {name: getattr(draw(st.sampled_from(sources)), name) for name in Wish.__slots__}
    if chosen["deployed"] == Deployed():
        chosen["deployed"] = None
    row = part.row()
    key = address(f"old-{part.name}") if draw(rarely()) else wanted.address
    recorded = Recorded(
        key,
        f"id-of-another-{part.name}" if draw(rarely()) else row.component_id,
        row.application_id,
        row.environment_id,
        Wish(**chosen),
        seen=draw(st.one_of(st.none(), sightings())),
    )
    if not draw(st.booleans()):
        return recorded
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
rejections = st.builds(Rejection, st.sampled_from([*VERSIONS, *NEW]), st.just(EARLIER), st.just("ann"), st.just("5xx"))


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
    names = NAMES[: draw(st.integers(1, most))]
    desired: list[Desired] = []
    world: dict[str, Part] = {}
    recorded: list[Recorded] = []
    for n, name in enumerate(draw(st.permutations(names))):
        part = draw(parts(name))
        known = [entry.address for entry in desired]
        needs = draw(st.lists(st.sampled_from(known), unique=True, max_size=2)) if known else []
        wanted = draw(desires(part, n + 2, needs))
        if not draw(rarely()):
            world[name] = part
        if not draw(rarely()):
            desired.append(wanted)
        entry = draw(records(part, wanted))
        if entry is not None:
            recorded.append(entry)
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
