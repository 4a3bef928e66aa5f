"""One document of a manifest -> its components, as far as they can be told.

Owns defaults, and the rules between the keys of one component, but for what goes along with a version: deploying.py.
Structure is checked before, against the schema; this module still meets nodes of a wrong type, takes them as absent
and does not complain twice, so that a person sees all errors of a file at once. Other components are none of its
business: see dependencies.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

from statetool.core.model import (
    DRIFT_FIELDS,
    REPLICAS_FIELD,
    VERSION_FIELD,
    Address,
    ContentRule,
    Desired,
    Gray,
    GrayRule,
    Lifecycle,
    PowerState,
    Ready,
    ReplicaRange,
    Replicas,
    VersionPicture,
    Wish,
)
from statetool.errors import Diagnostic, SourceMark
from statetool.manifest.deploying import build_deploy
from statetool.manifest.fields import (
    bare,
    edited,
    elsewhere,
    entries_at,
    integer_at,
    is_true_at,
    removable,
    text_at,
    text_map,
    texts_at,
)
from statetool.manifest.marks import Marks
from statetool.manifest.nodes import Document, Entry, Mapping, Node, Scalar, Sequence, is_null
from statetool.manifest.structure import Problem, Rules, describe, say_substituted

_DEFAULT_KEYS = frozenset({"replicas", "state", "labels", "lifecycle", "ready"})
_MAX_NAME = 128
_BARE_CORRECT = frozenset(DRIFT_FIELDS) - {VERSION_FIELD}
"""What `drift: correct` means: a version is put back only where its field is named."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of depends_on. `said` is how it is shown: text that variables hold is not."""

    text: str
    said: str
    mark: SourceMark


@dataclass(slots=True)
class Part:
    """One component of one document. `desired.depends_on` is still empty; `references` are to become it."""

    desired: Desired
    references: tuple[Reference, ...]
    document: SourceMark


@dataclass(slots=True)
class DocumentParts:
    """All components of one document, in the order written."""

    parts: list[Part] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def build_document(document: Document, rules: Rules) -> DocumentParts:
    """Check one document against the schema's rules and build its components."""
    builder = _Builder(document)
    for problem in rules.check(document.root):
        builder.note_problem(problem)
    builder.build()
    return builder.result


class _Builder:
    def __init__(self, document: Document) -> None:
        self.place = document.root.mark
        self.base = document.base
        self.result = DocumentParts()
        self.root = document.root.entries if isinstance(document.root, Mapping) else {}
        self.application = _name(self.root, "application")
        self.environment = _name(self.root, "environment")
        self.defaults = entries_at(self.root, "defaults")

    def address(self, component: str) -> Address | None:
        """The component's address, None where the document does not say its application."""
        return Address(self.application, component, self.environment) if self.application else None

    def note_problem(self, problem: Problem) -> None:
        path = problem.path
        address = self.address(str(path[1])) if len(path) >= 2 and path[0] == "components" else None
        hint = problem.hint + (self._about_null(problem.file) if problem.code == "null_value" else "")
        self.result.diagnostics.append(
            Diagnostic(
                problem.code,
                problem.before + describe(path, "the document") + problem.after,
                hint,
                problem.mark,
                str(address) if address else None,
            )
        )

    def build(self) -> None:
        for path, node in _nulls(self.defaults, "defaults"):
            self._note_null(path, node, None)
        defaults = {key: entry for key, entry in self.defaults.items() if key in _DEFAULT_KEYS}
        for name, entry in entries_at(self.root, "components").items():
            own = entry.node.entries if isinstance(entry.node, Mapping) else {}
            address = self.address(name)
            fields = self._merge(defaults, own, _DEFAULT_KEYS, "", name)
            wish = self._build_wish(fields, name)
            deploy = build_deploy(fields, name, entry.node.file, self._note)
            if address is None:
                continue
            desired = Desired(
                address=address,
                origin=entry.mark,
                wish=wish,
                hosts=texts_at(fields, "hosts"),
                deploy=deploy,
                labels=text_map(entries_at(fields, "labels")),
                ready=_ready(entries_at(fields, "ready")),
                lifecycle=_lifecycle(entries_at(fields, "lifecycle")),
                marks=Marks(fields if defaults else own, own),
            )
            self.result.parts.append(Part(desired, tuple(_references(fields)), self.place))

    def _note(self, code: str, message: str, hint: str, place: Entry | Node, component: str | None) -> None:
        address = self.address(component) if component else None
        self.result.diagnostics.append(
            Diagnostic(
                code,
                message,
                hint,
                place.mark,
                str(address) if address else None,
            )
        )

    def _note_null(self, path: str, node: Node, component: str | None) -> None:
        where = f"{path} of component {component}" if component else path
        hint = "write a value, or remove the key"
        about_base = self._about_null(node.file)
        if component and not about_base:
            hint += "; null only removes a default, and there is none"
        self._note("null_value", f"{where} has no value", hint + about_base, node, component)

    def _about_null(self, file: str) -> str:
        if self.base in (None, file):
            return ""
        return f"; null only removes a default or what {self.base} says, and there is neither"

    def _merge(
        self,
        defaults: dict[str, Entry],
        own: dict[str, Entry],
        nullable: frozenset[str] | None,
        prefix: str,
        component: str,
    ) -> dict[str, Entry]:
        """Defaults under the component's own values: maps merge, the rest is replaced, null removes.

        `nullable` names the keys whose null is looked at here (None: all); the schema refused the others.
        """
        merged = dict(defaults)
        for key, entry in own.items():
            path = prefix + key
            default = defaults.get(key)
            if is_null(entry.node):
                if default is None and (nullable is None or key in nullable):
                    self._note_null(path, entry.node, component)
                merged.pop(key, None)
            elif isinstance(entry.node, Mapping) and (nullable is None or key in nullable):
                below = default.node.entries if default and isinstance(default.node, Mapping) else {}
                entries = self._merge(below, entry.node.entries, None, path + ".", component)
                node = Mapping(entries, entry.node.file, entry.node.line, entry.node.column)
                merged[key] = entry._replace(node=node)
            else:
                merged[key] = entry
        return merged

    def _build_wish(self, fields: dict[str, Entry], component: str) -> Wish:
        state = text_at(fields, "state")
        replicas = self._build_replicas(fields, component)
        version = text_at(fields, "version")
        gray = None
        if "gray" in fields and isinstance(fields["gray"].node, Mapping):
            gray = self._build_gray(fields["gray"].node, component)
            self._check_gray(fields, component)
        restart = fields["restart"].node if "restart" in fields else None
        return Wish(
            picture=VersionPicture(version, gray) if version is not None else None,
            replicas=replicas,
            state=cast(PowerState, state) if state in ("running", "stopped") else None,
            restart=restart.raw if isinstance(restart, Scalar) and isinstance(restart.value, (str, int)) else None,
        )

    def _build_replicas(self, fields: dict[str, Entry], component: str) -> Replicas | None:
        """None too for `auto`, which says no more than that somebody else owns the number."""
        node = fields[REPLICAS_FIELD].node if REPLICAS_FIELD in fields else None
        if not isinstance(node, Mapping):
            return integer_at(fields, REPLICAS_FIELD)
        missing = [key for key in ("min", "max") if key not in node.entries]
        if missing:
            self._note(
                "missing_key",
                f"replicas of component {component} lacks the key " + " and the key ".join(f"'{k}'" for k in missing),
                "add " + " and ".join(f"`{key}:`" for key in missing) + ": a range has both bounds",
                node,
                component,
            )
        least, most = integer_at(node.entries, "min"), integer_at(node.entries, "max")
        if least is None or most is None:
            return None
        if least > most:
            low, high = node.entries["min"], node.entries["max"]
            here = edited(low, high, node.file)
            self._note(
                "min_above_max",
                f"replicas.min of component {component} is {bare(low.node)}{elsewhere(low, here)}, "
                f"above replicas.max, {bare(high.node)}{elsewhere(high, here)}",
                "lower min, or raise max",
                here.node,
                component,
            )
        return ReplicaRange(least, most, is_true_at(node.entries, "enforce_max"))

    def _build_gray(self, node: Mapping, component: str) -> Gray | None:
        entries = node.entries
        weight, rules = integer_at(entries, "weight"), entries.get("rules")
        if "weight" in entries and rules is not None:
            self._note_weight_and_rules(node, component)
        elif "weight" not in entries and rules is None:
            self._note(
                "gray_without_rule",
                f"gray of component {component} does not say who reaches the candidate",
                "add weight (percent), or rules",
                node,
                component,
            )
        if "match" in entries and rules is None:
            self._note(
                "match_without_rules",
                f"gray of component {component} has match, but no rules",
                "remove match, or add rules" + removable(entries["match"], node),
                entries["match"],
                component,
            )
        version = text_at(entries, "version")
        if version is None:
            return None
        if weight is not None:
            return Gray(version, GrayRule(weight=weight))
        match = "any" if text_at(entries, "match") == "any" else "all"
        return Gray(version, GrayRule(match=cast(Literal["all", "any"], match), rules=_rules(rules)))

    def _note_weight_and_rules(self, gray: Mapping, component: str) -> None:
        """At the one beside `gray` itself: where the other came in from a base, the overlay is what was edited."""
        weight, rules = gray.entries["weight"], gray.entries["rules"]
        where = rules if rules.file in (gray.file, weight.file) else weight
        self._note(
            "weight_and_rules",
            f"gray of component {component} has both weight{elsewhere(weight, where)} and "
            f"rules{elsewhere(rules, where)}",
            "keep one: weight sends a share of the traffic, rules send matching requests" + removable(weight, rules),
            where,
            component,
        )

    def _check_gray(self, fields: dict[str, Entry], component: str) -> None:
        """The rules between gray and the other fields of its component."""
        gray = fields["gray"]
        entries = cast(Mapping, gray.node).entries
        candidate = text_at(entries, "version")
        here = entries.get("version", gray)
        if "version" not in fields:
            self._note(
                "gray_without_version",
                f"component {component} has gray, but no version",
                "add `version:`, the stable version beside the candidate",
                gray,
                component,
            )
        elif candidate is not None and candidate == text_at(fields, "version"):
            self._note(
                "gray_candidate_equals_version",
                f"the candidate of component {component} is its stable version {bare(here.node)}"
                + elsewhere(fields["version"], here),
                "name another candidate, or remove gray",
                here.node,
                component,
            )
        if text_at(fields, "state") == "stopped":
            self._note(
                "gray_with_stopped",
                f"component {component} is wished stopped{elsewhere(fields['state'], gray)} and graying at once",
                "remove gray, or state: stopped",
                gray,
                component,
            )
        self._check_gray_replicas(fields, component)

    def _check_gray_replicas(self, fields: dict[str, Entry], component: str) -> None:
        gray, entries, key, path = fields["gray"], fields, REPLICAS_FIELD, REPLICAS_FIELD
        if "min" in entries_at(fields, REPLICAS_FIELD):
            entries, key, path = entries_at(fields, REPLICAS_FIELD), "min", "replicas.min"
        least = integer_at(entries, key)
        if least is None or not 0 <= least < 2:
            return
        count = cast(Scalar, entries[key].node)
        too_few = f"{count.raw} replicas"
        if count.substituted or path != REPLICAS_FIELD:
            too_few = f"too few replicas: {bare(count)}"
        self._note(
            "gray_needs_two_replicas",
            f"component {component} has gray{elsewhere(gray, count)}, but {too_few}",
            f"a gray release needs at least 2 instances: raise {path}, or remove gray",
            count,
            component,
        )


def _references(fields: dict[str, Entry]) -> Iterator[Reference]:
    node = fields["depends_on"].node if "depends_on" in fields else None
    for item in node.items if isinstance(node, Sequence) else ():
        if isinstance(item, Scalar) and isinstance(item.value, str) and not item.refused:
            said = say_substituted(item.substituted) if item.substituted else item.value
            yield Reference(item.value, said, item.mark)


def _nulls(entries: dict[str, Entry], prefix: str) -> Iterator[tuple[str, Node]]:
    """Every null under the defaults that the schema lets pass, for components may write it."""
    for key, entry in entries.items():
        path = f"{prefix}.{key}"
        if is_null(entry.node):
            yield path, entry.node
        elif isinstance(entry.node, Mapping):
            yield from _nulls(entry.node.entries, path)


def _name(entries: dict[str, Entry], key: str) -> str | None:
    """A name that can be part of an address, None where the schema refused it."""
    name = text_at(entries, key)
    if not name or len(name) > _MAX_NAME or any(char in "/@" or char.isspace() for char in name):
        return None
    return name


def _ready(entries: dict[str, Entry]) -> Ready:
    timeout_s, hold_s = integer_at(entries, "timeout_s"), integer_at(entries, "hold_s")
    default = Ready()
    return Ready(
        timeout_s=default.timeout_s if timeout_s is None else timeout_s,
        hold_s=default.hold_s if hold_s is None else hold_s,
    )


def _lifecycle(entries: dict[str, Entry]) -> Lifecycle:
    ignore = entries["ignore"].node if "ignore" in entries else None
    items = ignore.items if isinstance(ignore, Sequence) else []
    if text_at(entries, "drift") == "correct":
        correct = _BARE_CORRECT
    else:
        policies = entries_at(entries, "drift")
        correct = frozenset(key for key in policies if text_at(policies, key) == "correct")
    return Lifecycle(
        protected=is_true_at(entries, "protected"),
        ignore=frozenset(str(item.value) for item in items if isinstance(item, Scalar)),
        correct=correct,
    )


def _rules(entry: Entry | None) -> frozenset[ContentRule]:
    items = entry.node.items if entry is not None and isinstance(entry.node, Sequence) else []
    found = set()
    for item in items:
        if isinstance(item, Mapping):
            parts = [text_at(item.entries, key) for key in ("type", "key", "condition", "value")]
            found.add(ContentRule(*(part or "" for part in parts)))
    return frozenset(found)
