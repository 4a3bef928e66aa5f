"""What runs in one application -> the documents that describe it.

Owns by which names application, environment and components are written, in which documents, and what happens to
what a manifest can't say: the value is left out, or the component, with a comment and a finding. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from statetool.core.adoption import adopt
from statetool.core.model import Address, Application, Observed, Recorded
from statetool.core.plan import Finding
from statetool.manifest.writer import Draft, Entry, is_name, why_unwritable

_UNWRITABLE = "not_writable"


@dataclass(frozen=True, slots=True)
class Drafted:
    """The documents of one application, sorted by environment; none where there is nothing to write.

    `addresses` are those that the documents give to components, by component id.
    """

    drafts: tuple[Draft, ...] = ()
    addresses: Mapping[str, Address] | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    observed: Observed
    entry: Entry


def build_drafts(
    application: Application,
    components: Sequence[Observed],
    wanted: Iterable[Observed],
    recorded: Mapping[str, Recorded],
    *,
    fixed: bool,
    is_only_of_its_name: bool = True,
) -> Drafted:
    """Documents for the `wanted` ones of an application's `components`.

    `recorded` is by component id. `fixed` writes the number of instances. Where one name stands in several
    environments, each environment has a document of its own.
    """
    drafter = _Drafter(application, components, is_only_of_its_name)
    for observed in sorted(wanted, key=lambda o: (o.address, o.component_id)):
        drafter.add(observed, recorded.get(observed.component_id), fixed)
    return drafter.finish()


class _Drafter:
    def __init__(self, application: Application, components: Sequence[Observed], is_only_of_its_name: bool) -> None:
        by_name = is_only_of_its_name and is_name(application.name)
        self.application = application.name if by_name else application.id
        self.namesakes: dict[str, list[Observed]] = defaultdict(list)
        for observed in components:
            self.namesakes[observed.address.component].append(observed)
        is_crowded = any(len(same) > 1 for same in self.namesakes.values())
        self.environments = _environment_names(components) if is_crowded else {}
        self.groups: dict[str | None, list[_Candidate]] = defaultdict(list)
        self.findings: list[Finding] = []
        self.missing: list[str] = []

    def add(self, observed: Observed, recorded: Recorded | None, fixed: bool) -> None:
        name = observed.address.component
        environment = self.environments.get(observed.component_id)
        if any(
            _means(environment, other) for other in self.namesakes[name] if other.component_id != observed.component_id
        ):
            self._leave_out(observed, "another component has the same name, and no environment tells them apart")
            return
        wish, findings = adopt(observed, recorded, fixed=fixed)
        address = Address(self.application, name, environment)
        self.findings += [replace(finding, address=address) for finding in findings]
        entry = Entry(name, wish, tuple(finding.message for finding in findings))
        self.groups[environment].append(_Candidate(observed, entry))

    def finish(self) -> Drafted:
        drafts: list[Draft] = []
        addresses: dict[str, Address] = {}
        for environment in sorted(self.groups, key=lambda name: name or ""):
            draft = self._draft(environment, self.groups[environment], addresses)
            if draft.entries:
                drafts.append(draft)
        if drafts and self.missing:
            drafts[-1] = replace(drafts[-1], comments=tuple(self.missing))
        return Drafted(tuple(drafts), addresses, tuple(self.findings))

    def _draft(self, environment: str | None, group: list[_Candidate], addresses: dict[str, Address]) -> Draft:
        draft = Draft(self.application, environment, tuple(candidate.entry for candidate in group))
        if group and why_unwritable(draft) is not None:
            # One value spoils the whole document: each component is tried alone, and loses what can't be written.
            group = [mended for candidate in group if (mended := self._mended(candidate, draft)) is not None]
            draft = replace(draft, entries=tuple(candidate.entry for candidate in group))
        addresses.update({c.observed.component_id: draft.address_of(c.entry) for c in group})
        return draft

    def _mended(self, candidate: _Candidate, draft: Draft) -> _Candidate | None:
        why = why_unwritable(replace(draft, entries=(candidate.entry,)))
        if why is None:
            return candidate
        entry = candidate.entry
        bare = replace(entry, wish=replace(entry.wish, picture=None))
        if why_unwritable(replace(draft, entries=(bare,))) is not None:
            self._leave_out(candidate.observed, why)
            return None
        finding = Finding(
            _UNWRITABLE,
            "warn",
            f"{why}: version and gray are left out, and not managed",
            "no manifest can say it",
            draft.address_of(entry),
        )
        self.findings.append(finding)
        return replace(candidate, entry=replace(bare, comments=(*bare.comments, finding.message)))

    def _leave_out(self, observed: Observed, why: str) -> None:
        finding = Finding(
            _UNWRITABLE, "warn", f"it is left out of the manifest: {why}", "it stays as it is", observed.address
        )
        self.findings.append(finding)
        self.missing.append(f"left out: {observed.address}: {why}")


def _means(environment: str | None, observed: Observed) -> bool:
    """Whether an address with that environment would find this component too, by its name or id."""
    return environment is None or environment in (observed.address.environment, observed.environment_id)


def _environment_names(components: Iterable[Observed]) -> dict[str, str]:
    """How to write the environment of each component, by component id: by name, or by id where the name won't do."""
    ids: dict[str, set[str | None]] = defaultdict(set)
    for observed in components:
        if observed.address.environment is not None:
            ids[observed.address.environment].add(observed.environment_id)
    names = {name for name, found in ids.items() if len(found) == 1 and is_name(name)}
    written: dict[str, str] = {}
    for observed in components:
        name, other = observed.address.environment, observed.environment_id
        if name in names and name is not None:
            written[observed.component_id] = name
        elif other is not None and is_name(other):
            written[observed.component_id] = other
    return written
