"""One document of a manifest -> its components, as far as they can be told.

Owns defaults, and every rule between the keys of one component. Structure is checked before, against the schema;
this module still meets nodes of a wrong type, takes them as absent and does not complain twice, so that a
person sees all errors of a file at once. Other components are none of its business: see dependencies.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

from statetool.core.model import (
    DRIFT_FIELDS,
    VERSION_FIELD,
    Address,
    ContentRule,
    Desired,
    Gray,
    GrayRule,
    Lifecycle,
    PowerState,
    Ready,
    VersionPicture,
    Wish,
)
from statetool.errors import Diagnostic, SourceMark
from statetool.manifest.nodes import Document, Entry, Mapping, Node, Scalar, Sequence
from statetool.manifest.structure import Problem, Rules, describe

_DEFAULT_KEYS = frozenset({"replicas", "state", "labels", "lifecycle", "ready"})
_BARE_CORRECT = frozenset(DRIFT_FIELDS) - {VERSION_FIELD}
"""What `drift: correct` means: a version is put back only where its field is named."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of depends_on, as written."""

    text: str
    mark: SourceMark


@dataclass(slots=True)
class Part:
    """One component of one document. `desired.depends_on` is still empty; `references` are to become it."""

    desired: Desired
    references: tuple[Reference, ...]


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
        self.file = document.file
        self.result = DocumentParts()
        self.root = document.root.entries if isinstance(document.root, Mapping) else {}
        self.application = _name(self.root, "application")
        self.environment = _name(self.root, "environment")
        self.defaults = _entries(self.root, "defaults")

    def address(self, component: str) -> Address | None:
        """The component's address, None where the document does not say its application."""
        return Address(self.application, component, self.environment) if self.application else None

    def note_problem(self, problem: Problem) -> None:
        path = problem.path
        address = self.address(str(path[1])) if len(path) >= 2 and path[0] == "components" else None
        self.result.diagnostics.append(
            Diagnostic(
                problem.code,
                problem.before + describe(path, "the document") + problem.after,
                problem.hint,
                SourceMark(self.file, problem.line, problem.column),
                str(address) if address else None,
            )
        )

    def build(self) -> None:
        for path, node in _nulls(self.defaults, "defaults"):
            self._note_null(path, node, None)
        defaults = {key: entry for key, entry in self.defaults.items() if key in _DEFAULT_KEYS}
        for name, entry in _entries(self.root, "components").items():
            own = entry.node.entries if isinstance(entry.node, Mapping) else {}
            address = self.address(name)
            fields = self._merge(defaults, own, _DEFAULT_KEYS, "", name)
            wish = self._build_wish(fields, name)
            if address is None:
                continue
            desired = Desired(
                address=address,
                origin=SourceMark(self.file, entry.line, entry.column),
                wish=wish,
                hosts=_texts(fields, "hosts"),
                labels=_labels(_entries(fields, "labels")),
                ready=_ready(_entries(fields, "ready")),
                lifecycle=_lifecycle(_entries(fields, "lifecycle")),
            )
            self.result.parts.append(Part(desired, tuple(self._references(fields))))

    def _note(self, code: str, message: str, hint: str, place: Entry | Node, component: str | None) -> None:
        address = self.address(component) if component else None
        self.result.diagnostics.append(
            Diagnostic(
                code,
                message,
                hint,
                SourceMark(self.file, place.line, place.column),
                str(address) if address else None,
            )
        )

    def _note_null(self, path: str, node: Node, component: str | None) -> None:
        where = f"{path} of component {component}" if component else path
        hint = "write a value, or remove the key"
        if component:
            hint += "; null only removes a default, and there is none"
        self._note("null_value", f"{where} has no value", hint, node, component)

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
            if _is_null(entry.node):
                if default is None and (nullable is None or key in nullable):
                    self._note_null(path, entry.node, component)
                merged.pop(key, None)
            elif isinstance(entry.node, Mapping) and (nullable is None or key in nullable):
                below = default.node.entries if default and isinstance(default.node, Mapping) else {}
                entries = self._merge(below, entry.node.entries, None, path + ".", component)
                merged[key] = Entry(entry.line, entry.column, Mapping(entries, entry.node.line, entry.node.column))
            else:
                merged[key] = entry
        return merged

    def _build_wish(self, fields: dict[str, Entry], component: str) -> Wish:
        state = _text(fields, "state")
        replicas = _integer(fields, "replicas")
        version = _text(fields, "version")
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

    def _build_gray(self, node: Mapping, component: str) -> Gray | None:
        entries = node.entries
        weight, rules = _integer(entries, "weight"), entries.get("rules")
        if "weight" in entries and rules is not None:
            self._note(
                "weight_and_rules",
                f"gray of component {component} has both weight and rules",
                "keep one: weight sends a share of the traffic, rules send matching requests",
                rules,
                component,
            )
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
                "remove match, or add rules",
                entries["match"],
                component,
            )
        version = _text(entries, "version")
        if version is None:
            return None
        if weight is not None:
            return Gray(version, GrayRule(weight=weight))
        match = "any" if _text(entries, "match") == "any" else "all"
        return Gray(version, GrayRule(match=cast(Literal["all", "any"], match), rules=_rules(rules)))

    def _check_gray(self, fields: dict[str, Entry], component: str) -> None:
        """The rules between gray and the other fields of its component."""
        gray = fields["gray"]
        entries = cast(Mapping, gray.node).entries
        candidate = _text(entries, "version")
        if "version" not in fields:
            self._note(
                "gray_without_version",
                f"component {component} has gray, but no version",
                "add `version:`, the stable version beside the candidate",
                gray,
                component,
            )
        elif candidate is not None and candidate == _text(fields, "version"):
            self._note(
                "gray_candidate_equals_version",
                f"the candidate of component {component} is its stable version {candidate}",
                "name another candidate, or remove gray",
                entries["version"].node,
                component,
            )
        if _text(fields, "state") == "stopped":
            self._note(
                "gray_with_stopped",
                f"component {component} is wished stopped and graying at once",
                "remove gray, or state: stopped",
                gray,
                component,
            )
        replicas = _integer(fields, "replicas")
        if replicas is not None and 0 <= replicas < 2:
            self._note(
                "gray_needs_two_replicas",
                f"component {component} has gray, but {replicas} replicas",
                "a gray release needs at least 2 instances: raise replicas, or remove gray",
                fields["replicas"].node,
                component,
            )

    def _references(self, fields: dict[str, Entry]) -> Iterator[Reference]:
        node = fields["depends_on"].node if "depends_on" in fields else None
        for item in node.items if isinstance(node, Sequence) else ():
            if isinstance(item, Scalar) and isinstance(item.value, str) and not item.refused:
                yield Reference(item.value, SourceMark(self.file, item.line, item.column))


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and not node.refused


def _nulls(entries: dict[str, Entry], prefix: str) -> Iterator[tuple[str, Node]]:
    """Every null under the defaults that the schema lets pass, for components may write it."""
    for key, entry in entries.items():
        path = f"{prefix}.{key}"
        if _is_null(entry.node):
            yield path, entry.node
        elif isinstance(entry.node, Mapping):
            yield from _nulls(entry.node.entries, path)


def _entries(entries: dict[str, Entry], key: str) -> dict[str, Entry]:
    entry = entries.get(key)
    return entry.node.entries if entry is not None and isinstance(entry.node, Mapping) else {}


def _text(entries: dict[str, Entry], key: str) -> str | None:
    entry = entries.get(key)
    node = entry.node if entry is not None else None
    value = node.value if isinstance(node, Scalar) and not node.refused else None
    return value if isinstance(value, str) else None


def _texts(entries: dict[str, Entry], key: str) -> tuple[str, ...]:
    entry = entries.get(key)
    items = entry.node.items if entry is not None and isinstance(entry.node, Sequence) else []
    return tuple(item.value for item in items if isinstance(item, Scalar) and isinstance(item.value, str))


def _integer(entries: dict[str, Entry], key: str) -> int | None:
    entry = entries.get(key)
    node = entry.node if entry is not None else None
    value = node.value if isinstance(node, Scalar) and not node.refused else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _name(entries: dict[str, Entry], key: str) -> str | None:
    """A name that can be part of an address, None where the schema refused it."""
    name = _text(entries, key)
    return name if name and not any(char in "/@" or char.isspace() for char in name) else None


def _labels(entries: dict[str, Entry]) -> dict[str, str]:
    texts = ((key, _text(entries, key)) for key in sorted(entries))
    return {key: text for key, text in texts if text is not None}


def _ready(entries: dict[str, Entry]) -> Ready:
    timeout_s, hold_s = _integer(entries, "timeout_s"), _integer(entries, "hold_s")
    default = Ready()
    return Ready(
        timeout_s=default.timeout_s if timeout_s is None else timeout_s,
        hold_s=default.hold_s if hold_s is None else hold_s,
    )


def _lifecycle(entries: dict[str, Entry]) -> Lifecycle:
    protected = entries["protected"].node if "protected" in entries else None
    ignore = entries["ignore"].node if "ignore" in entries else None
    items = ignore.items if isinstance(ignore, Sequence) else []
    if _text(entries, "drift") == "correct":
        correct = _BARE_CORRECT
    else:
        policies = _entries(entries, "drift")
        correct = frozenset(key for key in policies if _text(policies, key) == "correct")
    return Lifecycle(
        protected=isinstance(protected, Scalar) and protected.value is True,
        ignore=frozenset(str(item.value) for item in items if isinstance(item, Scalar)),
        correct=correct,
    )


def _rules(entry: Entry | None) -> frozenset[ContentRule]:
    items = entry.node.items if entry is not None and isinstance(entry.node, Sequence) else []
    found = set()
    for item in items:
        if isinstance(item, Mapping):
            parts = [_text(item.entries, key) for key in ("type", "key", "condition", "value")]
            found.add(ContentRule(*(part or "" for part in parts)))
    return frozenset(found)
