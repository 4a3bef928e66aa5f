"""The story of manifests: find, read, check, build, connect. Raises once, with everything that is wrong.

Owns the order of the steps and of the diagnostics. What each step means is said in its own module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from statetool.core.model import Address, Desired
from statetool.errors import Diagnostic, InvalidInput, SourceMark
from statetool.manifest import dependencies
from statetool.manifest.components import Part, build_document
from statetool.manifest.files import find_files, read_file
from statetool.manifest.structure import load_rules
from statetool.manifest.yaml_reader import read_yaml


@dataclass(frozen=True, slots=True)
class Manifests:
    """All manifests of a project: components sorted by address, and the files read, relative to the project."""

    components: tuple[Desired, ...]
    files: tuple[str, ...]


def load_manifests(root: Path, locations: Sequence[Path], *, allow_empty: bool = False) -> Manifests:
    """Load every manifest of the project in `root`.

    `locations` are files or folders, relative to `root` or absolute, and stay inside it. Raises InvalidInput
    with all diagnostics, those without a place first, the others in the order of files, lines and columns.
    """
    rule = load_rules("manifest")
    files, found = find_files(root, locations)
    parts: list[Part] = []
    complete = not found
    for file in files:
        data = read_file(file)
        if isinstance(data, Diagnostic):
            found.append(data)
            complete = False
            continue
        result = read_yaml(data, file.shown)
        found.extend(result.diagnostics)
        complete = complete and result.complete
        for document in result.documents:
            built = build_document(document, rule)
            found.extend(built.diagnostics)
            parts.extend(built.parts)
    parts, repeated = _without_repeated(parts)
    desired, unresolved = dependencies.resolve(parts, complete=complete)
    found += repeated + unresolved
    if not found and not desired and not allow_empty:
        found.append(_empty(files=len(files), locations=locations))
    if found:
        raise InvalidInput(_in_order(found))
    return Manifests(
        components=tuple(sorted(desired, key=lambda d: d.address.sort_key)),
        files=tuple(file.shown for file in files),
    )


def _without_repeated(parts: Iterable[Part]) -> tuple[list[Part], list[Diagnostic]]:
    """Each address once, the first time it is met, and a diagnostic for every further one."""
    first: dict[Address, Part] = {}
    found: list[Diagnostic] = []
    for part in parts:
        address, origin = part.desired.address, part.desired.origin
        known = first.setdefault(address, part)
        if known is not part:
            found.append(
                Diagnostic(
                    "duplicate_component",
                    f"component {address} is described twice, first at {known.desired.origin}",
                    "merge the two, or name the environment of their documents where they are different components",
                    origin,
                    str(address),
                )
            )
    return list(first.values()), found


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
