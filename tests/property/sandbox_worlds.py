"""Generated shops on the real sandbox, and the whole tool between manifests and them, on a clock that costs nothing.

Everything is real but time and the disk: manifests are files that are loaded, the client speaks HTTP to the
sandbox' ASGI application, runs follow jobs. Whenever nothing is ready to run, the clock jumps to what is due next;
the sandbox looks at the same clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import selectors
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
from hypothesis import strategies as st

from statetool import observing
from statetool.apply.executor import apply_plan
from statetool.apply.keeper import StateKeeper
from statetool.apply.run import Emitter, Limits, Run
from statetool.backends import Backend, Capabilities, JournalEntry, LockInfo, OnWait, StoredSerial
from statetool.backends.lease import Lease
from statetool.backends.state_text import StateText, parse_state
from statetool.core.events import Event, RunSummary, fold
from statetool.core.guards import NO_GUARDS, Guards
from statetool.core.model import Address, Desired, Observed, Recorded
from statetool.core.plan import Plan, PlanMode, Verb
from statetool.core.project import Circumstances, build_plan
from statetool.core.selection import Selection
from statetool.core.sequence import PlanRules
from statetool.core.state import StateFile, new_state
from statetool.errors import Diagnostic, StateConflict, StateError
from statetool.manifest.loader import load_manifests
from statetool.sandbox import LogEntry, Sandbox, SandboxError, SandboxTransport
from statetool.sandbox.switches import CHOICES
from statetool.servicestage.client import ServiceStage

T = TypeVar("T")

EPOCH = 1_800_000_000.0
PROJECT = "0123456789abcdef0123456789abcdef"
APPLICATION = "shop"
ENDPOINT = "sandbox:world"
LOCK = LockInfo("lock-1", "apply", "tester@here", "here", 1, "0.0.0", "2027-01-15T08:00:00Z")
EVERYTHING = Selection()


class _JumpingSelector(selectors.SelectSelector):
    """Never blocks: what would be a wait moves the clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits and nothing is due: this would hang for ever"
        self.now += max(0.0, timeout)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class MemoryBackend:
    """Keeps the protocol of a backend, and the bytes a file would hold; nobody else writes."""

    location = "memory"
    capabilities = Capabilities(expires=True, compares=True, has_history=False)

    def __init__(self) -> None:
        self.data: bytes | None = None
        self._fence = 0
        self._journal: tuple[JournalEntry, ...] = ()

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return self._journal

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._journal = (*self._journal, *entries)

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        self._journal = tuple(entries)

    def find_holder(self) -> LockInfo | None:
        return None

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        raise StateError("not locked", code="not_locked")

    def check_place(self) -> tuple[Diagnostic, ...]:
        return ()

    def read_history(self) -> tuple[StoredSerial, ...]:
        return ()

    def read_serial(self, serial: int) -> StateFile:
        raise StateError("none kept", code="no_such_serial")

    def read(self) -> StateFile | None:
        return parse_state(self.data) if self.data is not None else None

    @contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        self._fence += 1
        yield Lease(self._fence)

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        stored = self.read()
        if stored != before or lease.fence != self._fence:
            raise StateConflict("somebody else wrote")
        if stored is not None and stored.components == after.components:
            return stored
        saved = replace(after, serial=(before.serial if before else 0) + 1, fence=lease.fence)
        self.data = StateText().render(saved)
        return saved


_PROTOCOL: type[Backend] = MemoryBackend
"""Told to the type checker: the stand-in keeps to the protocol."""


@dataclass(frozen=True)
class Arrival:
    """A changing request, and what anybody could see of its component the moment before it came in.

    `job` is the execution status of the component's last job, in capitals; None where there never was one.
    """

    name: str
    verb: str
    status: str
    job: str | None


class _WatchedTransport(httpx.AsyncBaseTransport):
    """Tells of every changing request before the sandbox gets it."""

    def __init__(self, sandbox: Sandbox, watch: Callable[[httpx.Request], None]) -> None:
        self._inner, self._watch = SandboxTransport(sandbox), watch

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            self._watch(request)
        return await self._inner.handle_async_request(request)


@dataclass
class Shop:
    """One sandbox world with one project's manifests and state. Use it as a context manager."""

    seed: Mapping[str, Any]
    abort: str = "rollback"
    backend: MemoryBackend = field(default_factory=MemoryBackend)
    events: list[Event] = field(default_factory=list)
    """Of the last run."""
    arrivals: list[Arrival] = field(default_factory=list)
    """One for each line of the log, while no faults are set."""

    def __enter__(self) -> Shop:
        self._loop = _VirtualLoop()
        self._runner = asyncio.Runner(loop_factory=lambda: self._loop)
        self.sandbox = Sandbox.open(None, clock=self._clock)
        self.sandbox.seed(json.dumps(self.seed), "seed.yaml")
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.close()
        self._runner.close()

    # What the commands do

    def plan(self, manifest: Sequence[Desired], **asked: Any) -> Plan:
        """`statetool plan`, or `drift` with mode="drift"."""
        return self._run(self._plan(manifest, **asked))[0]

    def observe(self, manifest: Sequence[Desired]) -> tuple[Observed, ...]:
        return self._run(self._observe(manifest))

    def apply(self, manifest: Sequence[Desired], **asked: Any) -> tuple[Plan, RunSummary]:
        """`statetool apply --auto-approve`."""

        async def work() -> tuple[Plan, RunSummary]:
            plan, observed = await self._plan(manifest, **asked)
            return plan, await self._execute(plan, observed)

        return self._run(work())

    def apply_saved(self, plan: Plan) -> RunSummary:
        """`statetool apply PLANFILE`."""
        return self._run(self._execute(plan, ()))

    def build(self, manifest: Sequence[Desired], observed: Sequence[Observed], **asked: Any) -> Plan:
        """A plan from an observation that was made before."""
        return self._build(manifest, self.state, observed, 0, **asked)

    # What others do

    def disturb(self, name: str, **changes: Any) -> None:
        self.sandbox.disturb(f"{APPLICATION}/{name}", **changes)

    # What can be seen of it

    @property
    def state(self) -> StateFile | None:
        return self.backend.read()

    @property
    def recorded(self) -> Mapping[Address, Recorded]:
        state = self.state
        return state.components if state else {}

    @property
    def log(self) -> list[LogEntry]:
        return self.sandbox.log()

    @property
    def names(self) -> list[str]:
        return [row["name"] for row in self._rows()]

    def look(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Detail and records of a component, as the API answers them."""
        row = next(row for row in self._rows() if row["name"] == name)
        path = f"/v3/{PROJECT}/cas/applications/{row['application_id']}/components/{row['id']}"
        return self.sandbox.handle("GET", path).body, self.sandbox.handle("GET", f"{path}/records").body

    def name_of(self, entry: LogEntry) -> str:
        """Which component a request of the log was for."""
        return next(row["name"] for row in self._rows() if row["id"] in entry.path.split("/"))

    def store(self, state: StateFile) -> None:
        """Replace the stored state, as a command that learned something would."""
        with self.backend.lock(LOCK, 0, lambda holder: None) as lease:
            self.backend.write(self.backend.read(), state, lease)

    # Inside

    def _watch(self, request: httpx.Request) -> None:
        if self.sandbox.faults():
            return  # looking would set them off
        path = request.url.path.removesuffix("/action")
        detail = self.sandbox.handle("GET", path).body
        last = self.sandbox.handle("GET", f"/v3/{PROJECT}/cas/jobs/{detail['status']['last_job_id']}").body
        job = {key.lower(): value for key, value in last["job"].items()}["execution_status"] if "job" in last else None
        verb = "upgrade" if request.method == "PUT" else json.loads(request.content)["action"]
        self.arrivals.append(Arrival(detail["name"], verb, detail["status"]["component_status"], job))

    def _rows(self) -> list[dict[str, Any]]:
        return list(self.sandbox.handle("GET", f"/v3/{PROJECT}/cas/components", "limit=100").body["components"])

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _clock(self) -> float:
        # The loop's own time stays small: near the epoch a float is too coarse for its comparisons.
        return EPOCH + self._loop.time()

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @asynccontextmanager
    async def _connect(self) -> Any:
        async with ServiceStage(
            ENDPOINT,
            PROJECT,
            auth=None,
            transport=_WatchedTransport(self.sandbox, self._watch),
            jitter=lambda: 0.5,
            clock=self._loop.time,
        ) as platform:
            yield platform

    async def _observe(self, manifest: Sequence[Desired]) -> tuple[Observed, ...]:
        async with self._connect() as platform:
            return await observing.observe(platform, manifest, self.recorded, EVERYTHING)

    async def _plan(self, manifest: Sequence[Desired], **asked: Any) -> tuple[Plan, tuple[Observed, ...]]:
        state = self.state
        async with self._connect() as platform:
            observed = await observing.observe(platform, manifest, state.components if state else {}, EVERYTHING)
            return self._build(manifest, state, observed, platform.requests.reads, **asked), observed

    def _build(
        self,
        manifest: Sequence[Desired],
        state: StateFile | None,
        observed: Sequence[Observed],
        reads: int,
        *,
        mode: PlanMode = "normal",
        correct: bool = False,
        overrides: Sequence[str] = (),
        guards: Guards = NO_GUARDS,
        selection: Selection = EVERYTHING,
    ) -> Plan:
        rules = PlanRules(self._now(), mode, correct, frozenset(overrides), Verb(self.abort))
        return build_plan(
            manifest,
            state.components if state else {},
            observed,
            rules=rules,
            selection=selection,
            guards=guards,
            circumstances=Circumstances(
                ENDPOINT, PROJECT, state.lineage if state else "new", state.serial if state else 0, "0.0.0", reads
            ),
        )

    async def _execute(self, plan: Plan, observed: Sequence[Observed]) -> RunSummary:
        """The inside of workflow.apply_manifests, approved."""
        events = self.events = list[Event]()
        run = Run("run-1", self._now, self._loop.time, asyncio.sleep, lambda: 0.5, "tester@here")
        with self.backend.lock(LOCK, 0, lambda holder: None) as lease:
            stored = self.backend.read()
            if stored is None and not plan.can_apply:
                return fold(events)
            keeper = StateKeeper(
                self.backend,
                lease,
                stored=stored,
                state=stored or new_state(plan.lineage, "0.0.0"),
                run=run,
                observed=tuple(observed),
            )
            if not plan.can_apply:
                keeper.record_plan(plan)
                await keeper.finish()
                return fold(events)
            async with self._connect() as platform:
                await apply_plan(
                    plan,
                    platform=platform,
                    keeper=keeper,
                    limits=Limits(parallelism=2, jobs_in_flight=3, max_failures=100, poll_interval_s=0.5),
                    run=run,
                    emitter=Emitter(run, events.append),
                    stop=asyncio.Event(),
                )
        return fold(events)


def load(*documents: Mapping[str, Any]) -> tuple[Desired, ...]:
    """Manifests through the loader, from real files: one a document. Raises InvalidInput."""
    with tempfile.TemporaryDirectory() as folder:
        for number, document in enumerate(documents):
            Path(folder, f"{number}.yaml").write_text(json.dumps(document), encoding="utf-8")
        return load_manifests(Path(folder), [Path()], allow_empty=True).components


# Generated stories: a world, manifests for it, and what others do in between


NAMES = ("ant", "bee", "cat", "dog")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
RULES = (
    {"type": "header", "key": "x-tier", "condition": "equal", "value": "beta"},
    {"type": "header", "key": "x-region", "condition": "in", "value": "cn,eu"},
)


@dataclass(frozen=True)
class Story:
    """A shop as it is found, the manifest of a first apply, what others did then, and the manifest after that."""

    seed: Mapping[str, Any]
    first: Mapping[str, Any]
    outside: tuple[tuple[str, Mapping[str, Any]], ...]
    second: Mapping[str, Any]
    abort: str = "rollback"
    guards: Guards = NO_GUARDS
    overrides: tuple[str, ...] = ()

    @property
    def asked(self) -> dict[str, Any]:
        """How the second manifest is applied."""
        return {"guards": self.guards, "overrides": self.overrides}

    def shop(self) -> Shop:
        return Shop(self.seed, self.abort)

    @property
    def manifests(self) -> tuple[tuple[Desired, ...], tuple[Desired, ...]]:
        return load(self.first), load(self.second)

    def disturb(self, shop: Shop) -> None:
        """What others did; what is impossible in the world as it is by now did not happen.

        Nor did the end of a gray release that this project never knew: an abort leaves no trace in the records,
        and the platform refuses a rollback after it, which nobody could foresee.
        """
        for name, changes in self.outside:
            if changes.get("end_gray") == "rollback" and not _knows_gray(shop.recorded.get(Address(APPLICATION, name))):
                continue
            with contextlib.suppress(SandboxError):
                shop.disturb(name, **changes)


def _knows_gray(recorded: Recorded | None) -> bool:
    return recorded is not None and recorded.wish.picture is not None and recorded.wish.picture.gray is not None


NOT_HERE = {"token_seconds", "projects"}
"""Switches of what no story here asks for: tokens and projects."""


def switches() -> st.SearchStrategy[dict[str, Any]]:
    """Any combination of what the platform's documents leave open."""
    words = {name: st.sampled_from(choices) for name, choices in CHOICES.items() if name not in NOT_HERE}
    times = {"job_seconds": st.sampled_from([0, 0.3, 6]), "stale_ms": st.sampled_from([0, 3000])}
    return st.fixed_dictionaries({}, optional={**times, **words})


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Who reaches a candidate."""
    if draw(st.integers(0, 3)):
        return {"weight": draw(st.sampled_from([5, 20, 60, 100]))}
    chosen = draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=2, unique_by=lambda rule: rule["key"]))
    return {"match": draw(st.sampled_from(["all", "any"])), "rules": chosen}


def replicas(lowest: int = 0) -> st.SearchStrategy[Any]:
    """A number of instances, or a range of it."""
    numbers = st.integers(lowest, 5)
    pairs = st.tuples(st.integers(lowest, 4), st.integers(0, 3), st.sampled_from([{}, {"enforce_max": True}]))
    ranges = pairs.map(lambda pair: {"min": pair[0], "max": pair[0] + pair[1], **pair[2]})
    return st.one_of(numbers, numbers, ranges)


@st.composite
def deployments(draw: st.DrawFn) -> dict[str, Any]:
    """What a manifest sends along with a new version."""
    return draw(
        st.fixed_dictionaries(
            {},
            optional={
                "env": st.dictionaries(st.sampled_from(["LEVEL", "REGION"]), st.sampled_from(["1", "2"])),
                "resources": st.sampled_from([{"limits": {"cpu": 1}}, {"limits": {"cpu": 2, "memory": "1Gi"}}]),
                "release": st.sampled_from([{"strategy": "one_batch"}, {"strategy": "rolling", "batches": 3}]),
            },
        )
    )


GRAY_STARTS: tuple[dict[str, Any], ...] = (
    {},
    {"mode": "mirror"},
    {"mode": "extra", "remaining_batches": 3, "precheck": True},
    {"mode": "nosurge", "first_batch_replicas": 1},
)


@st.composite
def found_components(draw: st.DrawFn) -> dict[str, Any]:
    """One component of a seed."""
    stable = draw(st.sampled_from([1, 2, 0]))
    oldest = draw(st.integers(0, stable))
    entry: dict[str, Any] = {
        "version": VERSIONS[stable],
        "history": list(VERSIONS[oldest:stable]),
        "replicas": draw(st.integers(0, 5)),
    }
    kind = draw(st.sampled_from(["running", "running", "graying", "graying", "stopped", "other"]))
    if kind == "graying":
        entry["replicas"] = draw(st.integers(2, 5))
        mode = draw(st.sampled_from(["nosurge", "extra", "mirror"]))
        gray = {"version": VERSIONS[stable + 1], **draw(rules()), "mode": mode}
        entry["gray"] = {**gray, "remaining_batches": draw(st.integers(1, 3))}
    elif kind == "stopped":
        entry["status"] = "STOPPED"
    elif kind == "other":
        # From UNKNOWN and DOWN the semantics try a rollback; whether the platform takes it is not documented.
        entry["status"] = draw(st.sampled_from(["PENDING", "FAILED", "PARTIALLY_FAILED", "UPGRADING"]))
    return entry


def as_found(found: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest's component that describes what is there."""
    entry = {"version": found["version"], "replicas": found["replicas"]}
    if "gray" in found:
        entry["gray"] = {
            key: found["gray"][key] for key in ("version", "weight", "match", "rules") if key in found["gray"]
        }
    return entry


@st.composite
def wished_components(draw: st.DrawFn, found: Mapping[str, Any]) -> dict[str, Any]:
    """One component of a manifest: what is there, with nothing, one or all of its fields written differently."""
    entry = as_found(found)
    changed = draw(st.sampled_from([*WISHED, ()]))
    if "version" in changed:
        previous, candidate = found["history"][-1:], entry.get("gray", {}).get("version")
        others = [*previous, *previous, *found["history"], found["version"], "1.3.0", "2.0.0"]
        entry["version"] = draw(st.sampled_from([candidate, *others] if candidate else others))
    if "gray" in changed:
        rule = draw(rules())
        candidates = [entry["gray"]["version"], "2.1.0"] if "gray" in entry else ["1.3.0"]
        version = draw(st.sampled_from([None, *candidates]))
        entry.pop("gray", None)
        if version is not None:
            entry["gray"] = {"version": version, **rule, **draw(st.sampled_from(GRAY_STARTS))}
    if entry.get("gray", {}).get("version") == entry["version"]:
        del entry["gray"]
    if "replicas" in changed:
        entry["replicas"] = draw(replicas())
    if "deploy" in changed:
        entry.update(draw(deployments()))
    if "state" in changed:
        entry["state"] = draw(st.sampled_from(["running"] if "gray" in entry else ["running", "stopped"]))
    if "restart" in changed:
        entry["restart"] = draw(st.sampled_from(["1", "2"]))
    if "gray" in entry:
        wanted = entry["replicas"]
        fixed = max(wanted, 2) if isinstance(wanted, int) else None
        entry["replicas"] = fixed or {**wanted, "min": max(wanted["min"], 2), "max": max(wanted["max"], 2)}
    for key in draw(st.sampled_from([(), (), ("replicas",), ("version", "gray", "env", "resources", "release")])):
        entry.pop(key, None)
    lifecycle = draw(st.sampled_from([None, None, *LIFECYCLES]))
    return {**entry, "lifecycle": lifecycle} if lifecycle else entry


WISHED: tuple[tuple[str, ...], ...] = (
    ("version",),
    ("gray",),
    ("gray",),
    ("replicas",),
    ("state",),
    ("restart",),
    ("version", "gray"),
    ("version", "deploy"),
    ("version", "gray", "deploy"),
    ("deploy",),
    ("version", "replicas", "restart"),
    ("gray", "replicas", "state"),
    ("version", "gray", "replicas", "state", "restart"),
)

LIFECYCLES: tuple[dict[str, Any], ...] = (
    {"drift": "correct"},
    {"drift": {"version": "correct", "gray": "correct"}},
    {"drift": {"replicas": "correct", "state": "report"}},
    {"ignore": ["replicas"]},
    {"ignore": ["gray", "version"]},
    {"protected": True},
)


@st.composite
def manifests(draw: st.DrawFn, found: Mapping[str, Any]) -> dict[str, Any]:
    """One document for most of the components. Dependencies point both ways of the alphabet."""
    order = [name for name in draw(st.permutations(sorted(found))) if draw(st.integers(0, 6))]
    components = {}
    for n, name in enumerate(order):
        components[name] = draw(wished_components(found[name]))
        if n and draw(st.booleans()):
            components[name]["depends_on"] = draw(st.lists(st.sampled_from(order[:n]), unique=True, max_size=2))
    return {"application": APPLICATION, "components": components}


def _after(entry: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """A component as it is where a manifest's version came true: what is older is its history."""
    version = entry.get("version", found["version"])
    if version == found["version"]:
        return dict(found)
    now = {"version": version, "history": [older for older in found["history"] if older < version]}
    return {**found, **now}


@st.composite
def edits(draw: st.DrawFn, first: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The same manifest with some components written anew, or a wholly new one."""
    if draw(st.integers(0, 5)) == 0:
        return draw(manifests(found))
    components = dict(first["components"])
    for name, entry in components.items():
        if draw(st.booleans()):
            needs = {"depends_on": entry["depends_on"]} if "depends_on" in entry else {}
            components[name] = {**draw(wished_components(_after(entry, found[name]))), **needs}
    return {**first, "components": components}


def disturbances(found: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """What may happen to one component behind the tool's back."""
    any_time = (
        st.integers(0, 6).map(lambda number: {"replicas": number}),
        st.sampled_from(["STOPPED", "RUNNING", "FAILED", "UPGRADING"]).map(lambda status: {"status": status}),
    )
    if "gray" not in found:
        return st.one_of(*any_time)
    return st.one_of(
        *any_time,
        st.sampled_from([5, 50]).map(lambda weight: {"weight": weight}),
        st.sampled_from(["rollback", "rollback", "promote"]).map(lambda end: {"end_gray": end}),
    )


GUARDS = (
    *[NO_GUARDS] * 6,
    Guards(),
    Guards(max_share=None, max_scale_down=30, min_replicas=2, max_weight_step=20),
    Guards(max_share=None, max_scale_down=0, max_weight_step=50, max_actions=3),
)
OVERRIDES = (
    *[()] * 8,
    ("foreign_gray_release",),
    ("fold_needed", "version_rejected"),
    ("protected",),
    ("max_scale_down", "min_replicas"),
)
"""None that the platform's own limits have a word in."""


@st.composite
def stories(draw: st.DrawFn, disturbed: bool = True) -> Story:
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    found = {name: draw(found_components()) for name in names}
    seed: dict[str, Any] = {"applications": {APPLICATION: {"environment": "prod", "components": found}}}
    chosen = draw(switches())
    if chosen:
        seed["sandbox"] = chosen
    # Gray releases of strangers stand in no manifest.
    strangers = {name for name in names if draw(st.integers(0, 2)) == 0}
    known = {n: {k: v for k, v in found[n].items() if k != "gray" or n not in strangers} for n in names}
    first = draw(manifests(known))
    outside: list[tuple[str, dict[str, Any]]] = []
    for name in names if disturbed else ():
        change = draw(st.sampled_from([None, disturbances(found[name])]))
        outside += [(name, draw(change))] if change is not None else []
    second = draw(edits(first, known))
    abort = draw(st.sampled_from(["rollback", "rollback_current"]))
    guards, overrides = draw(st.sampled_from(GUARDS)), draw(st.sampled_from(OVERRIDES))
    return Story(seed, first, tuple(outside), second, abort, guards, overrides)
