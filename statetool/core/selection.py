"""Which components of a project a command is about: targets, excludes, label selectors, and what they depend on.

Owns what `--target`, `--exclude`, `--selector` and `--with-dependencies` mean, the refusal of what fits nothing, and
the warning about a dependency that is left out. What is planned for a component is not its business. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from statetool.core.model import Address, Desired
from statetool.core.plan import Finding
from statetool.errors import UsageError

_SELECTOR = re.compile(r"(?P<key>[^\s=!,()]+)\s*(?:(?P<operator>==|!=|=)\s*(?P<value>.*))?", re.DOTALL)
_ABSENT = re.compile(r"!\s*(?P<key>[^\s=!,()]+)")
_MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class Selector:
    """One condition on labels, with kubectl's meaning: `key=value`, `key!=value` (which a component without the key
    fulfils too), `key` and `!key` where `value` is None."""

    key: str
    value: str | None = None
    negated: bool = False

    def fits(self, labels: Mapping[str, str]) -> bool:
        return self.is_borne(labels) != self.negated

    def is_borne(self, labels: Mapping[str, str]) -> bool:
        """Whether the label that it names is there, wanted or not."""
        return self.key in labels if self.value is None else labels.get(self.key) == self.value

    def __str__(self) -> str:
        mark = "!" if self.negated else ""
        return f"{mark}{self.key}" if self.value is None else f"{self.key}{mark}={self.value}"


def parse_selectors(texts: Iterable[str]) -> tuple[Selector, ...]:
    """Conditions from texts such as `team=shop,tier!=web`; all of them must hold. Raises UsageError."""
    return tuple(_parse_selector(part.strip(), text) for text in texts for part in text.split(","))


def _parse_selector(part: str, text: str) -> Selector:
    absent = _ABSENT.fullmatch(part)
    if absent is not None:
        return Selector(absent["key"], negated=True)
    match = _SELECTOR.fullmatch(part)
    if match is None:
        raise UsageError(
            f"--selector {text}: {part!r} is no condition on a label",
            code="bad_selector",
            hint="write key=value, key!=value, key or !key; several with commas between them, which must all hold",
        )
    return Selector(match["key"], match["value"], negated=match["operator"] == "!=")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person asks a command to be about: globs over address text, and conditions on labels.

    No target and no selector means all. Excludes win over everything, also over `with_dependencies`, which brings
    along whatever a target or selector depends on.
    """

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    selectors: tuple[Selector, ...] = ()
    with_dependencies: bool = False

    def choose(self, desired: Iterable[Desired]) -> Choice:
        """What it means among these components."""
        by_address = {entry.address: entry for entry in desired}
        chosen = {
            address
            for address, entry in by_address.items()
            if self.is_targeted(address) and all(selector.fits(entry.labels) for selector in self.selectors)
        }
        queue = list(chosen) if self.with_dependencies else []
        while queue:
            # What is excluded is walked through: only itself is cut off, not what stands behind it.
            fresh = {a for a in by_address[queue.pop()].depends_on if a in by_address} - chosen
            chosen |= fresh
            queue.extend(fresh)
        return Choice(self, frozenset(by_address), frozenset(a for a in chosen if not self.is_excluded(a)))

    def is_targeted(self, address: Address) -> bool:
        return not self.targets or _fits_any(address, self.targets)

    def is_excluded(self, address: Address) -> bool:
        return _fits_any(address, self.excludes)

    @property
    def flags(self) -> tuple[str, ...]:
        """The options that narrow it."""
        pairs = (("--target", self.targets), ("--exclude", self.excludes), ("--selector", self.selectors))
        return tuple(flag for flag, values in pairs if values)


@dataclass(frozen=True, slots=True)
class Choice:
    """A selection among the components of one project: all `described` by manifests, and those `chosen` of them."""

    selection: Selection
    described: frozenset[Address]
    chosen: frozenset[Address]

    def includes(self, address: Address) -> bool:
        """Whether it is about this address. What no manifest describes has no labels, and fits no selector."""
        if address in self.described:
            return address in self.chosen
        selection = self.selection
        return not selection.selectors and selection.is_targeted(address) and not selection.is_excluded(address)


def _fits_any(address: Address, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(str(address), glob) for glob in globs)


def ensure_something_selected(
    selection: Selection, desired: Collection[Desired], recorded: Collection[Address] = ()
) -> None:
    """Refuse what fits nothing: a typo must not end in a plan that says all is well, nor exclude nobody.

    `recorded` are addresses beside those of `desired`. Raises UsageError.
    """
    known = {entry.address for entry in desired} | set(recorded)
    for flag, globs in (("--target", selection.targets), ("--exclude", selection.excludes)):
        for glob in globs:
            _ensure_glob_fits(flag, glob, known)
    for selector in selection.selectors:
        if not any(selector.is_borne(entry.labels) for entry in desired):
            label = replace(selector, negated=False)
            raise UsageError(
                f"--selector {selector}: no component has the label {label}",
                code="nothing_selected",
                hint=_near_labels(selector, desired),
            )
    choice = selection.choose(desired)
    if known and not any(choice.includes(address) for address in known):
        flags = selection.flags
        does = f"{', '.join(flags[:-1])} and {flags[-1]} together leave" if len(flags) > 1 else f"{flags[0]} leaves"
        raise UsageError(f"{does} no component", code="nothing_selected", hint="widen what is selected")


def _ensure_glob_fits(flag: str, glob: str, known: Collection[Address]) -> None:
    if not known or any(_fits_any(address, (glob,)) for address in known):
        return
    near = difflib.get_close_matches(glob, sorted(map(str, known)), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`statetool plan` lists the addresses"
    raise UsageError(f"{flag} {glob} fits no component", code="nothing_selected", hint=hint)


def _near_labels(selector: Selector, desired: Iterable[Desired]) -> str:
    """What the manifests have instead: labels, or values of that label."""
    values: dict[str, set[str]] = {}
    is_some_hidden = False
    for entry in desired:
        for key, value in entry.labels.items():
            origin = entry.marks.get(f"labels.{key}")
            if origin is None or not origin.variables:
                values.setdefault(key, set()).add(value)
            else:
                # What a variable holds may be a secret, and whoever edits a manifest could have it told here.
                values.setdefault(key, set())
                is_some_hidden = is_some_hidden or key == selector.key
    if not values:
        return "no component has labels; write `labels: {key: value}` in a manifest"
    if selector.key not in values or selector.value is None:
        near = difflib.get_close_matches(selector.key, sorted(values), n=3)
        return f"did you mean {' or '.join(near)}?" if near else f"the labels are {_listed(values)}"
    known = sorted(values[selector.key])
    near = [f"{selector.key}={value}" for value in difflib.get_close_matches(selector.value, known, n=3)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    parts = [_listed(known)] if known else []
    parts += ["what variables hold"] if is_some_hidden else []
    return f"the values of {selector.key} are {' and '.join(parts)}"


def _listed(names: Collection[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(sorted(names)[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


# Dependencies that are left out


def find_left_out_dependencies(
    choice: Choice,
    needs: Mapping[Address, Sequence[Address]],
    acting: Collection[Address],
    is_settled: Callable[[Address], bool],
) -> list[Finding]:
    """A warning for each component that would come before what it depends on, for that is left out.

    `needs` are the dependencies of everything described, `acting` the components with actions. `is_settled` tells of
    one that is left out whether it is known to have nothing to do, so that nobody has to wait for it. Where
    dependencies were asked for, what is cut off by an exclude is told in any case.
    """
    if choice.chosen == choice.described:
        return []
    is_brought = choice.selection.with_dependencies
    speaking = choice.chosen if is_brought else frozenset(acting)

    def is_told(address: Address) -> bool:
        return not choice.includes(address) and (is_brought or not is_settled(address))

    findings = []
    for address in sorted(speaking):
        left_out = sorted(_nearest(address, needs, is_told, speaking))
        if left_out:
            findings.append(_left_out(choice.selection, address, left_out))
    return findings


def _nearest(
    start: Address,
    needs: Mapping[Address, Sequence[Address]],
    is_told: Callable[[Address], bool],
    speaking: Collection[Address],
) -> Iterator[Address]:
    """The dependencies to tell of, also behind idle ones; not those behind a component that speaks for itself."""
    seen, queue = {start}, [start]
    while queue:
        for needed in needs.get(queue.pop(), ()):
            if needed in seen or needed in speaking or needed not in needs:
                continue
            seen.add(needed)
            if is_told(needed):
                yield needed
            else:
                queue.append(needed)


def _left_out(selection: Selection, address: Address, dependencies: Sequence[Address]) -> Finding:
    names = _listed([str(entry) for entry in dependencies])
    if selection.with_dependencies:
        message, hint = f"depends on {names}, which --exclude leaves out", "--exclude wins over --with-dependencies"
    else:
        message = f"depends on {names}, which this plan leaves out and which may not be as wished"
        is_excluded = any(selection.is_excluded(entry) for entry in dependencies)
        way = "take that out of --exclude" if is_excluded else "add --with-dependencies"
        hint = f"{way}, or apply that first"
    return Finding("dependency_left_out", "warn", message, hint, address)
