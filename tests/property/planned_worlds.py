"""Generated projects: a platform that answers, manifests that wish, and a state that remembers.

The platform here is a few lines that do at once what an action asks for; it is not the sandbox, and knows nothing
of jobs, time or failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core_builders import CIRCUMSTANCES, EARLIER, NOW, address, content, deployed, make_rules
from hypothesis import strategies as st

from statetool.core.canonical import rule_from_json
from statetool.core.diff import observed_state
from statetool.core.guards import NO_GUARDS
from statetool.core.model import (
    Address,
    AppliedFrom,
    Closer,
    Desired,
    Gray,
    GrayRule,
    Json,
    Lifecycle,
    Observed,
    Record,
    Recorded,
    Rejection,
    Seen,
    VersionEntry,
    VersionPicture,
    Wish,
)
from statetool.core.picture import observed_values
from statetool.core.plan import Action, Plan, SendIf, Verb
from statetool.core.project import build_plan, find_closer_looks
from statetool.core.selection import Selection
from statetool.core.state import (
    StateFile,
    apply_wish_update,
    new_state,
    record_component,
    record_rejection,
    record_version_change,
)
from statetool.errors import SourceMark

NAMES = ("ant", "bee", "cat", "dog", "elk")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.0.0")
SERVING = ("RUNNING", "RUNNING", "PENDING", "STOPPED")
OTHERS = ("FAILED", "PARTIALLY_FAILED", "UNKNOWN", "UPGRADING")


@dataclass(frozen=True)
class Part:
    """One component of the platform. `older` are the versions before the stable one, newest first."""

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

    def row(self) -> Observed:
        """What a list page shows."""
        key = address(self.name)
        version = self.gray.version if self.gray and self.shows_candidate else self.stable
        return Observed(
            Address(key.application, key.component, "prod"),
            f"id-{key.component}",
            "app-shop",
            "env-prod",
            version,
            self.status,
            self.replicas,
            self.replicas,
            f"JOB-{self.jobs}",
            EARLIER,
        )

    def closer(self) -> Closer:
        """What detail and records show."""
        records: list[Record] = [deployed(self.stable, current=True), *(deployed(v) for v in self.older)]
        if self.gray is not None:
            records.insert(0, deployed(self.gray.version, "grayrelease"))
        return Closer(self.configured, self.gray.rule if self.gray else None, self.remaining, tuple(records))


@dataclass(frozen=True)
class Project:
    """Everything a plan is made from."""

    desired: tuple[Desired, ...]
    state: StateFile
    parts: Mapping[str, Part]
    correct: bool = False

    def observe(self) -> tuple[Observed, ...]:
        """Rows, with a closer look where planning asks for one, as workflow does it."""
        rows = tuple(part.row() for part in self.parts.values())
        unclear = find_closer_looks(self.desired, self.state.components, rows, Selection())
        looks = {entry.component_id for entry in unclear}
        return tuple(
            replace(row, closer=self.parts[row.address.component].closer()) if row.component_id in looks else row
            for row in rows
        )

    def plan(self, observed: Sequence[Observed] | None = None, **rules: Any) -> Plan:
        return build_plan(
            self.desired,
            self.state.components,
            self.observe() if observed is None else observed,
            rules=make_rules(**{"correct": self.correct, **rules}),
            selection=Selection(),
            circumstances=CIRCUMSTANCES,
            guards=NO_GUARDS,
        )


# Strategies

weights = st.integers(1, 99).map(lambda w: GrayRule(weight=w))
gray_rules = st.one_of(
    st.sampled_from([GrayRule(weight=10), GrayRule(weight=20)]),
    weights,
    st.sampled_from([content("a"), content("a", "b"), content("a", match="all")]),
)


@st.composite
def pictures(draw: st.DrawFn) -> VersionPicture:
    """A version of a manifest, alone or with a candidate; sometimes to be promoted."""
    stable = draw(st.sampled_from(VERSIONS))
    if draw(st.booleans()):
        return VersionPicture(stable)
    candidate = draw(st.sampled_from([v for v in VERSIONS if v != stable]))
    return VersionPicture(stable, Gray(candidate, draw(st.one_of(gray_rules, st.just(GrayRule(weight=100))))))


@st.composite
def parts(draw: st.DrawFn, name: str) -> Part:
    """A component in any state the platform can show."""
    deploys = draw(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=4, unique=True))
    replicas = draw(st.integers(0, 5))
    part = Part(
        name, deploys[0], tuple(deploys[1:]), replicas=replicas, configured=draw(st.sampled_from([replicas, 1, 2, 3]))
    )
    if draw(st.integers(0, 2)) > 0:
        return replace(part, status=draw(st.sampled_from(OTHERS if draw(rarely()) else SERVING)))
    candidate = draw(st.sampled_from([v for v in VERSIONS if v != part.stable]))
    return replace(
        part,
        older=tuple(v for v in part.older if v != candidate),
        gray=Gray(candidate, draw(gray_rules)),
        shows_candidate=draw(st.booleans()),
        status="GRAYING",
        remaining=draw(st.sampled_from([None, 0, 2])),
    )


def rarely() -> st.SearchStrategy[bool]:
    """True once in a while; False is what examples shrink to."""
    return st.sampled_from([*[False] * 11, True])


@st.composite
def wished_pictures(draw: st.DrawFn, part: Part) -> VersionPicture:
    """What is there, a step away from it, or anything."""
    near = [VersionPicture(part.stable, part.gray), VersionPicture(part.stable)]
    near += [VersionPicture(version) for version in part.older[:1]]
    if part.gray is not None:
        near.append(VersionPicture(part.gray.version))
        rules = [draw(gray_rules), draw(gray_rules), GrayRule(weight=100)]
        near += [VersionPicture(part.stable, replace(part.gray, rule=rule)) for rule in rules]
    return draw(pictures()) if draw(rarely()) else draw(st.sampled_from(near))


@st.composite
def wishes(draw: st.DrawFn, part: Part) -> Wish:
    """Desired values, often those that are there, so that every cause turns up."""
    numbers = st.sampled_from([part.replicas, part.configured, 0, 1, 2, 3, 4, 5])
    stops = ["stopped"] if part.gray is None else []
    return Wish(
        picture=draw(st.one_of(st.none(), wished_pictures(part), wished_pictures(part))),
        replicas=draw(st.one_of(st.none(), numbers)),
        state=draw(st.sampled_from([None, "running", *stops])),
        restart=draw(st.sampled_from([None, None, "1", "2"])),
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
def records(draw: st.DrawFn, part: Part, wished: Wish) -> Recorded | None:
    """No record, or one whose wish is the manifest's, what is there, another, or a mixture of all three."""
    if draw(rarely()):
        return None
    state = observed_state(part.row())
    there = Wish(VersionPicture(part.stable, part.gray), part.replicas, state, draw(st.sampled_from(["1", None])))
    sources = [there, there, wished, draw(wishes(part))]
    chosen = {name: getattr(draw(st.sampled_from(sources)), name) for name in Wish.__slots__}
    version_entries = st.builds(
        VersionEntry,
        st.sampled_from(VERSIONS),
        st.just(EARLIER),
        st.sampled_from(["rollback", "abort", "continue_deploy"]),
    )
    rejections = st.builds(Rejection, st.sampled_from(VERSIONS), st.just(EARLIER), st.just("ann"), st.just("5xx"))
    row = part.row()
    return Recorded(
        address(part.name),
        row.component_id,
        row.application_id,
        row.environment_id,
        Wish(**chosen),
        seen=draw(st.one_of(st.none(), sightings())),
        history=tuple(draw(st.lists(version_entries, max_size=2))) if draw(rarely()) else (),
        rejected=(draw(rejections),) if draw(rarely()) else (),
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
    """Some components that depend on each other without a cycle; some observed only, some recorded only."""
    names = NAMES[: draw(st.integers(1, most))]
    desired: list[Desired] = []
    world: dict[str, Part] = {}
    recorded: list[Recorded] = []
    for n, name in enumerate(names):
        part = draw(parts(name))
        wished = draw(wishes(part))
        before = draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=2)) if n else []
        if not draw(rarely()):
            world[name] = part
        if not draw(rarely()):
            origin = SourceMark("manifests/shop.yaml", n + 2, 3)
            needs = tuple(address(b) for b in before if any(d.address == address(b) for d in desired))
            desired.append(Desired(address(name), origin, wished, needs, lifecycle=draw(lifecycles())))
        entry = draw(records(part, wished))
        if entry is not None:
            recorded.append(entry)
    state = replace(new_state("6f9c", "0.1.0"), serial=1, components={r.address: r for r in recorded})
    return Project(tuple(desired), state, world, draw(st.sampled_from([False, False, True])))


# The platform obeys


@dataclass
class Applied:
    """A plan carried out at once, with everything that a run records."""

    project: Project
    state: StateFile = field(init=False)
    parts: dict[str, Part] = field(init=False)

    def __post_init__(self) -> None:
        self.state, self.parts = self.project.state, dict(self.project.parts)

    def carry_out(self, plan: Plan) -> Project:
        """The project afterwards. Each action leaves its goal behind, and wishes are recorded as they come true."""
        nowhere = AppliedFrom()
        done: set[str] = set()
        for change in plan.changes:
            self.state = record_component(self.state, change, run_id="run", at=NOW, applied_from=nowhere)
        for seen in plan.rejections:
            if seen.address in self.state.components:
                self.state = record_rejection(self.state, seen.address, seen.rejection)
        self._update(plan, done, None)
        for action in plan.actions:
            assert set(action.requires) <= done, f"{action.id} comes before what it requires"
            self._ensure_seen(action, action.precondition)
            self._obey(action)
            if action.send_if is SendIf.ALWAYS:
                self._ensure_seen(action, action.goal)
            done.add(action.id)
            self._update(plan, done, action.id)
        return replace(self.project, state=self.state, parts=self.parts)

    def _update(self, plan: Plan, done: set[str], last: str | None) -> None:
        for change in plan.changes:
            for update in change.updates:
                if set(update.after) <= done and (last in update.after if last else not update.after):
                    self.state = apply_wish_update(
                        self.state, change.address, update, at=NOW, run_id="run", applied_from=AppliedFrom()
                    )

    def _ensure_seen(self, action: Action, wanted: Mapping[str, Json]) -> None:
        """What an action promises to find or to leave is what is seen. A restart's token is only ever recorded."""
        part = self.parts[action.address.component]
        observed = replace(part.row(), closer=part.closer())
        values = observed_values(observed, self.state.components.get(action.address))
        assert {path: values.get(path) for path in wanted} == dict(wanted) or "restart" in wanted, action

    def _obey(self, action: Action) -> None:
        part = self.parts[action.address.component]
        if action.verb is Verb.SCALE:
            number = int(str(action.parameters["replica"]))
            few = part.replicas < number
            if (
                action.send_if is SendIf.ALWAYS
                or few
                or (action.send_if is SendIf.DIFFERENT and part.replicas != number)
            ):
                part = replace(part, replicas=number, configured=number, status="RUNNING")
        elif action.verb is Verb.MODIFY_GRAY_RULE:
            assert part.gray is not None
            part = replace(part, gray=replace(part.gray, rule=rule_from_json(action.parameters)))
        elif action.verb is Verb.STOP:
            part = replace(part, status="STOPPED", replicas=0)
        elif action.verb is Verb.START:
            part = replace(part, status="RUNNING", replicas=part.configured)
        elif action.verb is not Verb.RESTART:
            part = self._change_version(action, part)
        self.parts[part.name] = replace(part, jobs=part.jobs + 1)

    def _change_version(self, action: Action, part: Part) -> Part:
        """The platform comes back with one instance, as one that restores old settings would."""
        reached, left = str(action.goal["version"]), None
        older, verb = part.older, str(action.verb)
        if action.verb is Verb.CONTINUE_DEPLOY:
            older = (part.stable, *part.older)
        elif part.gray is not None:
            left, verb = part.gray.version, "abort"
        else:
            left, older = part.stable, part.older[part.older.index(reached) + 1 :]
        self.state = record_version_change(self.state, action.address, VersionEntry(reached, NOW, verb))
        if left is not None:
            self.state = record_rejection(self.state, action.address, Rejection(left, NOW, "ann", "rolled back"))
        return replace(part, stable=reached, older=older, gray=None, status="RUNNING", replicas=1, configured=1)
