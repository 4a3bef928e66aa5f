"""Variables of manifests: who may give them, and which giver wins.

Owns the three sources, in rising order: the environment (only what is called STATETOOL_VAR_name), files of
--var-file, --var. Where a variable is used and what it becomes there is `substitution.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from statetool.core.model import VariableOrigin
from statetool.errors import Diagnostic
from statetool.manifest import nodes
from statetool.manifest.files import ManifestFile, read_file
from statetool.manifest.nodes import Document, Scalar
from statetool.manifest.structure import describe, load_rules
from statetool.manifest.yaml_reader import read_yaml

PREFIX = "STATETOOL_VAR_"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Variable:
    """`text` is as written; `quoted` where a file says in quotes that it is text and nothing else."""

    origin: VariableOrigin
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Variables:
    """All variables of a run, by name. `assigned` are the names of --var.

    `diagnostics` says what is wrong with their files. Where that is anything, a variable that is missing may stand
    where nobody could read it.
    """

    known: Mapping[str, Variable] = field(default_factory=dict)
    assigned: frozenset[str] = frozenset()
    diagnostics: tuple[Diagnostic, ...] = ()


def load_variables(environ: Mapping[str, str], files: Sequence[Path], assigned: Sequence[tuple[str, str]]) -> Variables:
    """The variables of the environment, of files and of pairs of name and text; the later wins. Raises nothing."""
    known = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX)
        if name != variable and NAME.fullmatch(name):
            known[name] = Variable(VariableOrigin(name, f"environment {variable}"), text)
    diagnostics: list[Diagnostic] = []
    for path in files:
        known.update(_read_variables(path, diagnostics))
    for name, text in assigned:
        known[name] = Variable(VariableOrigin(name, "--var"), text)
    return Variables(known, frozenset(name for name, _ in assigned), tuple(diagnostics))


def _read_variables(path: Path, diagnostics: list[Diagnostic]) -> dict[str, Variable]:
    """A map of scalars. An empty file has none."""
    shown = str(path)
    data = read_file(ManifestFile(path, shown))
    if isinstance(data, Diagnostic):
        diagnostics.append(Diagnostic(data.code, f"--var-file {data.message}", data.hint))
        return {}
    result = read_yaml(data, shown)
    diagnostics.extend(result.diagnostics)
    for extra in result.documents[1:]:
        message, hint = f"{shown} holds more than one document", "give each file with a --var-file of its own"
        diagnostics.append(Diagnostic("several_documents", message, hint, extra.root.mark))
    return _take(result.documents[0], diagnostics) if result.documents else {}


def _take(document: Document, diagnostics: list[Diagnostic]) -> dict[str, Variable]:
    for problem in load_rules("variables").check(document.root):
        what = f"variable {describe(problem.path, '')}" if problem.path else "the file of variables"
        message = problem.before + what + problem.after
        diagnostics.append(Diagnostic(problem.code, message, problem.hint, problem.mark))
    known = {}
    for name, entry in document.root.entries.items() if isinstance(document.root, nodes.Mapping) else ():
        node = entry.node
        if isinstance(node, Scalar) and not node.refused:
            known[name] = Variable(VariableOrigin(name, str(node.mark)), node.raw, node.quoted)
    return known
