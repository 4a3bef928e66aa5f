"""The story of manifests: find, read, check, build, connect. Raises once, with everything that is wrong.

Owns the order of the steps and of the diagnostics. What each step means is said in its own module.

    files ─> documents over their bases ─> variables ─> components ─> dependencies
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from statetool.core.model import Address, Desired
from statetool.errors import Diagnostic, InvalidInput, SourceMark
from statetool.manifest import dependencies
from statetool.manifest.bases import Library
from statetool.manifest.components import Part, build_document
from statetool.manifest.files import find_files
from statetool.manifest.structure import load_rules
from statetool.manifest.substitution import Substituter
from statetool.manifest.variables import Variables


@dataclass(frozen=True, slots=True)
class Manifests:
    """All manifests of a project: components sorted by address, and the files read, relative to the project."""

    components: tuple[Desired, ...]
    files: tuple[str, ...]


def load_manifests(
    root: Path, locations: Sequence[Path], *, variables: Variables | None = None, allow_empty: bool = False
) -> Manifests:
    """Load every manifest of the project in `root`.

    `locations` are files or folders, relative to `root` or absolute, and stay inside it. Raises InvalidInput
    with all diagnostics, those without a place first, the others in the order of files, lines and columns.
    """
    rules = load_rules("manifest")
    substituter = Substituter(variables or Variables())
    files, found = find_files(root, locations)
    complete = not found
    library = Library(root, files)
    parts: list[Part] = []
    for expanded in library.documents():
        document = substituter.substitute(expanded.document) if expanded.may_refer else expanded.document
        built = build_document(document, rules)
        found.extend(built.diagnostics)
        parts.extend(built.parts)
    found += [*library.diagnostics, *substituter.variables.diagnostics, *substituter.diagnostics]
    if library.complete:
        found.extend(substituter.find_unused(library.written))
    parts, repeated = _without_repeated(parts)
    # A name that can't be told may be the one that another document asks for.
    complete = complete and library.complete and not substituter.diagnostics
    desired, unresolved = dependencies.resolve(parts, complete=complete)
    found += repeated + unresolved
    if not found and not desired and not allow_empty:
        found.append(_empty(files=len(library.files), locations=locations))
    if found:
        raise InvalidInput(_in_order(found))
    return Manifests(tuple(sorted(desired, key=lambda d: d.address.sort_key)), library.files)


def _without_repeated(parts: Iterable[Part]) -> tuple[list[Part], list[Diagnostic]]:
    """Each address once, the first time it is met, and a diagnostic for every further one."""
    first: dict[Address, Part] = {}
    found: list[Diagnostic] = []
    for part in parts:
        known = first.setdefault(part.desired.address, part)
        if known is not part:
            found.append(_repeated(part, known))
    return list(first.values()), found


def _repeated(part: Part, known: Part) -> Diagnostic:
    """What a document has from its base stands in one place for several documents: it is they that have to differ."""
    address, origin = part.desired.address, part.desired.origin
    first = str(known.desired.origin)
    hint = "merge the two, or name the environment of their documents where they are different components"
    if known.desired.origin.file != known.document.file:
        first += f" for the document at {known.document}"
        hint = "give each document that extends a base an environment of its own"
    if origin.file != part.document.file:
        origin = part.document
        hint = "give each document that extends a base an environment of its own"
    message = f"component {address} is described twice, first at {first}"
    return Diagnostic("duplicate_component", message, hint, origin, str(address))


def _empty(files: int, locations: Sequence[Path]) -> Diagnostic:
    where = ", ".join(str(location) for location in locations)
    what = f"{files} files describe no component" if files else "there is no *.yaml or *.yml file"
    return Diagnostic(
        "empty_manifests",
        f"nothing is desired: {what} in {where}",
        "an empty project would forget every component; if that is meant, `statetool plan --allow-empty`",
    )


def _in_order(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By file, line and column; what a shared value (an alias, a default) makes wrong many times is said once."""

    def place(diagnostic: Diagnostic) -> tuple[str, int, int]:
        mark = diagnostic.mark or SourceMark("", 0, 0)
        return (mark.file, mark.line, mark.column)

    once: dict[object, Diagnostic] = {}
    for diagnostic in found:
        once.setdefault((diagnostic.code, diagnostic.mark) if diagnostic.mark else diagnostic, diagnostic)
    return sorted(once.values(), key=place)
