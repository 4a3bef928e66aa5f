"""Taking over what runs: manifests that describe it, and wishes that it fulfils already.

Owns the order of an import, and which components it is about. What a manifest says of a component is
`core/adoption.py`, how that is spelled `manifest/`, where it is written `placing.py`. Nothing is sent that changes
anything, and nothing a person wrote is changed.

    lock ─> read state ─> load manifests ─> look ─> draft ─> write manifests ─> record wishes

The manifests come first: where a run is cut off behind them, they describe what runs all the same, and the next
import, or apply, records it.
"""

from __future__ import annotations

import difflib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from statetool import surroundings
from statetool.apply.signals import run_interruptibly
from statetool.backends import OnWait
from statetool.core.adoption import needs_look_to_adopt
from statetool.core.events import Event
from statetool.core.matching import find_described
from statetool.core.model import Address, Application, Desired, Observed, Recorded
from statetool.core.plan import Finding, Kind, Plan
from statetool.core.project import find_closer_looks
from statetool.core.selection import Selection
from statetool.errors import Diagnostic, InvalidInput, StatetoolError
from statetool.manifest.drafting import Drafted, build_drafts
from statetool.manifest.loader import load_manifests
from statetool.manifest.writer import Draft, render_drafts
from statetool.manifest.yaml_reader import read_yaml
from statetool.placing import MARK, Place, choose_place, find_folder, place
from statetool.session import Project, Session, connect, open_session, with_project_id
from statetool.workflow import Request, plan_observed


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken over: an application, or one name in it, in one environment or in all."""

    application: str
    component: str | None = None
    environment: str | None = None

    def includes(self, observed: Observed) -> bool:
        return (
            self.application in (observed.address.application, observed.application_id)
            and self.component in (None, observed.address.component)
            and self.environment in (None, observed.address.environment, observed.environment_id)
        )

    def __str__(self) -> str:
        component = f"/{self.component}" if self.component else ""
        return f"{self.application}{component}{f'@{self.environment}' if self.environment else ''}"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A manifest that took documents. `is_new` says whether it was made for them."""

    shown: str
    components: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. `described` counts components that stood in a manifest before.

    `unrecorded` are written, but not recorded: the next apply looks at them.
    """

    files: tuple[WrittenFile, ...]
    recorded: tuple[Address, ...]
    unrecorded: tuple[Address, ...]
    described: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _View:
    """What is known before anything is written. `new` stand in no manifest; `unrecorded` do, but in no state.

    `namesakes` are the ids of applications whose name means another one too.
    """

    components: tuple[Observed, ...]
    applications: tuple[Application, ...]
    namesakes: frozenset[str]
    new: tuple[Observed, ...]
    unrecorded: tuple[Address, ...]
    described: int


def list_applications(project: Project) -> tuple[Application, ...]:
    """All applications of the platform's project, by name."""
    project = with_project_id(project)

    async def fetch() -> tuple[Application, ...]:
        async with connect(project) as platform:
            return await platform.fetch_applications()

    return tuple(sorted(run_interruptibly(fetch()), key=lambda application: application.name))


def import_running(
    project: Project,
    wanted: Sequence[Wanted],
    *,
    fixed: bool,
    on_lock_wait: OnWait,
    lock_timeout_s: float,
    emit: Callable[[Event], None] = lambda event: None,
) -> Imported:
    """Write down what runs and no manifest describes, and record what is fulfilled already.

    `fixed` writes the number of instances, else they are nobody's. Raises InvalidInput for names that the platform
    does not know, with near ones; StatetoolError where the manifests can't be written.
    """
    project = with_project_id(project)
    with open_session(project, "import", emit, on_lock_wait, lock_timeout_s) as session:
        existing = _load(project)
        view = run_interruptibly(_look(session, wanted, existing, fixed))
        drafted = _draft(session, view, fixed)
        written = _write(project, drafted)
        adopted = {address: None for one in drafted.values() for address in (one.addresses or {}).values()}
        scope = (*adopted, *view.unrecorded)
        recorded = _record(session, view, scope) if scope else ()
        return Imported(
            files=written,
            recorded=recorded,
            unrecorded=tuple(sorted(set(adopted) - set(recorded))),
            described=view.described,
            findings=tuple(finding for one in drafted.values() for finding in one.findings),
        )


def _load(project: Project) -> tuple[Desired, ...]:
    """What the manifests describe; nothing where there is no folder for them yet."""
    there = [location for location in project.settings.manifests if os.path.lexists(location)]
    return load_manifests(project.settings.root, there, allow_empty=True).components


# --- look ------------------------------------------------------------------------------------------------------------


async def _look(session: Session, wanted: Sequence[Wanted], existing: Sequence[Desired], fixed: bool) -> _View:
    """The applications in question, each component as closely as it takes to write and to record it."""
    recorded = _recorded(session)
    async with connect(session.project) as platform:
        every = await platform.fetch_applications()
        applications = _resolve(wanted, every)
        observed = await platform.fetch_components_of(applications)
        _ensure_found(wanted, observed)
        described = find_described(existing, observed)
        asked = [o for o in observed if any(one.includes(o) for one in wanted)]
        new = [o for o in asked if o.component_id not in described]
        known = {entry.component_id for entry in recorded.values()}
        waiting = {described[o.component_id] for o in asked if o.component_id in described.keys() - known}
        waiting -= recorded.keys()
        unclear = {o.component_id: o for o in new if needs_look_to_adopt(o, fixed=fixed)}
        written = [entry for entry in existing if entry.address in waiting]
        unclear.update((o.component_id, o) for o in find_closer_looks(written, recorded, observed, Selection()))
        closer = {o.component_id: o for o in await platform.fetch_closer_looks(tuple(unclear.values()))}
    return _View(
        components=tuple(closer.get(o.component_id, o) for o in observed),
        applications=tuple(applications),
        namesakes=frozenset(a.id for a in applications if any(a.name in (b.name, b.id) for b in every if a.id != b.id)),
        new=tuple(closer.get(o.component_id, o) for o in new),
        unrecorded=tuple(sorted(waiting)),
        described=len(asked) - len(new),
    )


def _resolve(wanted: Sequence[Wanted], applications: Sequence[Application]) -> list[Application]:
    """The applications that are named, each once. Raises InvalidInput naming every one that is not there."""
    missing = []
    for name in dict.fromkeys(one.application for one in wanted):
        if not any(name in (application.name, application.id) for application in applications):
            names = sorted({application.name for application in applications})
            near = difflib.get_close_matches(name, names, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else _all_of(names)
            missing.append(Diagnostic("application_not_found", f"the platform shows no application {name}", hint))
    if missing:
        raise InvalidInput(missing)
    named = {one.application for one in wanted}
    return [application for application in applications if not named.isdisjoint((application.name, application.id))]


def _all_of(names: Sequence[str]) -> str:
    if not names:
        return "it shows none at all: check project and region"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"there is {', '.join(names[:20])}{more}"


def _ensure_found(wanted: Sequence[Wanted], observed: Sequence[Observed]) -> None:
    """Raises InvalidInput naming every component that is asked for and not there."""
    missing = []
    for one in dict.fromkeys(wanted):
        if one.component is None or any(one.includes(o) for o in observed):
            continue
        there = [o for o in observed if Wanted(one.application).includes(o)]
        places = sorted({o.address.environment or "-" for o in there if o.address.component == one.component})
        near = difflib.get_close_matches(one.component, sorted({o.address.component for o in there}), n=3)
        hint = f"it exists in environment {', '.join(places)}" if places else None
        hint = hint or (f"did you mean {' or '.join(near)}?" if near else "look at the names in the console")
        message = f"the platform shows no component {one.component} in application {one.application}"
        if one.environment:
            message += f", environment {one.environment}"
        missing.append(Diagnostic("component_not_found", message, hint, address=str(one)))
    if missing:
        raise InvalidInput(missing)


# --- write -----------------------------------------------------------------------------------------------------------


def _draft(session: Session, view: _View, fixed: bool) -> dict[Application, Drafted]:
    """The documents of every application that has something new."""
    recorded = {entry.component_id: entry for entry in _recorded(session).values()}
    components, new = _by_application(view.components), _by_application(view.new)
    return {
        application: build_drafts(
            application,
            components[application.id],
            new[application.id],
            recorded,
            fixed=fixed,
            is_only_of_its_name=application.id not in view.namesakes,
        )
        for application in sorted(view.applications, key=lambda one: (one.name, one.id))
        if new[application.id]
    }


def _by_application(observed: Iterable[Observed]) -> Mapping[str, list[Observed]]:
    groups: dict[str, list[Observed]] = defaultdict(list)
    for entry in observed:
        groups[entry.application_id].append(entry)
    return groups


def _write(project: Project, drafted: Mapping[Application, Drafted]) -> tuple[WrittenFile, ...]:
    """One file an application. What can be refused is refused before the first is written."""
    root = project.settings.root
    with_drafts = [(application.name, one.drafts) for application, one in drafted.items() if one.drafts]
    if not with_drafts:
        return ()
    folder = find_folder(root, project.settings.manifests)
    for name, _ in with_drafts:
        choose_place(root, folder, name)
    written = []
    for name, drafts in with_drafts:
        target = choose_place(root, folder, name)
        place(root, target, _contents(project, target, drafts))
        count = sum(len(draft.entries) for draft in drafts)
        written.append(WrittenFile(target.shown, count, is_new=target.before is None))
    return tuple(written)


def _contents(project: Project, target: Place, drafts: Sequence[Draft]) -> bytes:
    """What the file is to hold: every byte it held, and the documents behind them. Raises StatetoolError."""
    settings = project.settings
    source = f"{surroundings.now()}, from what ran at {settings.endpoint}, project {settings.project_id}."
    if target.before is None:
        heading = (
            f"{MARK} at {source}",
            "It is yours now: an import adds components that no manifest describes, and changes nothing here.",
            "A field that is left out is not managed, and neither is `replicas: auto`: what runs stays as it is.",
        )
        data = render_drafts(drafts, heading).encode()
    else:
        end = b"" if target.before.endswith(b"\n") else b"\n"
        more = render_drafts(drafts, (f"Added by `statetool import` at {source}",)).encode()
        data = target.before + end + b"---\n" + more
    # Each document was read back alone; this is about the file as a whole: its size, and what stood there before.
    before = read_yaml(target.before or b"", target.shown)
    result = read_yaml(data, target.shown)
    if result.diagnostics or len(result.documents) != len(before.documents) + len(drafts):
        why = result.diagnostics[0].message if result.diagnostics else "what stands there does not end"
        raise StatetoolError(
            f"{target.shown} can't take {len(drafts)} more documents: {why}",
            code="import_failed",
            hint="rename the file, and import again",
        )
    return data


# --- record ----------------------------------------------------------------------------------------------------------


def _record(session: Session, view: _View, scope: Iterable[Address]) -> tuple[Address, ...]:
    """Record what the manifests now say, where it is so already; the addresses that were recorded.

    It is the plan of these components that decides, as for an apply; what would need an action is left to one.
    """
    project, wanted = session.project, set(scope)
    desired = [entry for entry in _load(project) if entry.address in wanted]
    plan = plan_observed(project, Request(), desired, session.state, view.components, reads=0)
    held_back = {entry.address for entry in plan.held_back}
    kept = [
        change
        for change in plan.changes
        if change.kind is not Kind.FORGET and not change.action_ids and change.address not in held_back
    ]
    if kept:
        ids = {change.component_id for change in kept}
        adopting: Plan = replace(plan, changes=tuple(kept), actions=(), rejections=())
        keeper = session.keeper(adopting, [o for o in view.components if o.component_id in ids])
        keeper.record_plan(adopting)
        run_interruptibly(keeper.finish())
    return tuple(change.address for change in kept)


def _recorded(session: Session) -> Mapping[Address, Recorded]:
    return session.state.components if session.state else {}
