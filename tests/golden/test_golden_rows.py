"""The list of rows in plans/README.md is whole: every folder stands in it and is complete, and every code is shown.

The codes of findings and of what is held back are read off the syntax trees of core/, so that a new one asks for a
folder.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import statetool.core
from statetool.core.chain import DEFERRED
from statetool.core.guards import GUARD_CODES

PLANS = Path(__file__).parent / "plans"
PROJECT = PLANS.parents[2]
CORE = Path(statetool.core.__file__).parent
FOLDERS = {path.name for path in PLANS.iterdir() if path.is_dir()}
LINE = re.compile(r"^\| (?!row \||---)(?P<row>.+) \| (?P<names>(?:`[^`]+`(?:, )?)+) \|$")

MAKERS = frozenset({"Finding", "HeldBack", "deny", "warning", "_deny", "_warning", "_doubt"})
"""What is called with a code to make a finding, or an entry of what is held back."""

PASSED_ON = frozenset({"code", "freeze.code", "waiting.code"})
"""Codes that come from elsewhere: those of statuses and guards, which have tables of their own."""

ASIDE = ("adoption", "raw_action", "rollout")
"""What `import`, `action` and `rollout` say, whose plans no manifest leads to."""


def test_every_folder_is_listed_and_every_listed_one_exists() -> None:
    """A folder that nobody can find by its row, or a row whose folder is gone, would prove nothing."""
    listed = {name for _, names in _rows() for name in names if "/" not in name}
    assert sorted(FOLDERS ^ listed) == []


def test_every_test_that_is_listed_exists() -> None:
    """Rows that no single plan shows name where they are proved."""
    files = {name for _, names in _rows() for name in names if "/" in name}
    assert files
    assert [name for name in sorted(files) if not (PROJECT / name).is_file()] == []


def test_every_line_of_the_tables_is_read() -> None:
    """A row that is misspelt would drop out of the list without a word."""
    lines = [line for line in _text().splitlines() if line.startswith("|")]
    unread = [line for line in lines if not LINE.match(line) and not re.match(r"^\| (row|---) \|", line)]
    assert unread == []
    assert len({row for row, _ in _rows()}) == len(list(_rows()))


def test_every_folder_is_complete() -> None:
    """Manifest, world, state and both views; no state only where the list says that nothing is recorded."""
    [unrecorded] = [names for row, names in _rows() if row.startswith("nothing is recorded")]
    for name in sorted(FOLDERS):
        wanted = {"manifest.yaml", "world.yaml", "expected.txt", "expected.json"}
        wanted |= set() if name in unrecorded else {"state.yaml"}
        there = {path.name for path in (PLANS / name).iterdir()}
        assert wanted <= there, f"{name} lacks {sorted(wanted - there)}"
        assert name not in unrecorded or "state.yaml" not in there, f"{name} has a state by now"


def test_every_code_is_shown_by_a_plan() -> None:
    """A code without a folder is a sentence that nobody has read."""
    shown = {code for name in FOLDERS for code in _shown(PLANS / name / "expected.json")}
    told = {code for path in CORE.glob("*.py") if path.stem not in ASIDE for code in _codes(path)}
    told |= GUARD_CODES | {code for code, *_ in DEFERRED.values()}
    assert sorted(told - shown) == []
    assert sorted(shown - told) == [], "what a plan shows was not found in core/: this test overlooks something"


def test_codes_of_other_commands_are_proved_by_their_tests() -> None:
    """No manifest leads to them, so that no folder can show them."""
    for name in ASIDE:
        tests = (PROJECT / f"tests/unit/core/test_{name}.py").read_text(encoding="utf-8").lower()
        assert [code for code in sorted(set(_codes(CORE / f"{name}.py"))) if code not in tests] == []


def _text() -> str:
    return (PLANS / "README.md").read_text(encoding="utf-8")


def _rows() -> Iterator[tuple[str, list[str]]]:
    for line in _text().splitlines():
        match = LINE.match(line)
        if match is not None:
            yield match["row"], re.findall(r"`([^`]+)`", match["names"])


def _shown(path: Path) -> Iterator[str]:
    plan = json.loads(path.read_text(encoding="utf-8"))
    for entry in (*plan["findings"], *plan["held_back"]):
        yield entry["code"]


def _codes(path: Path) -> Iterator[str]:
    """The codes that a module makes findings with: written in place, by a constant's name, or passed on."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in MAKERS:
            yield from _code(node, tree, path)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _code(call: ast.Call, tree: ast.Module, path: Path) -> Iterator[str]:
    # Where it stands: Finding(CODE, ...), _deny(intent, CODE, ...), HeldBack(address, path, CODE, ...).
    keyword = next((k.value for k in call.keywords if k.arg == "code"), None)
    position = {"HeldBack": 2, "_deny": 1, "_warning": 1, "_doubt": 1}.get(_called(call), 0)
    written = keyword if keyword is not None else call.args[position] if len(call.args) > position else None
    if isinstance(written, ast.Constant) and isinstance(written.value, str):
        yield written.value
    elif isinstance(written, ast.Name) and written.id.isupper():
        yield from _constant(written.id, tree)
    elif written is not None and ast.unparse(written) not in PASSED_ON and "fields." not in ast.unparse(written):
        raise AssertionError(f"{path.name}:{call.lineno}: nobody knows which code {ast.unparse(written)} is")


def _constant(name: str, tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            assert isinstance(node.value, ast.Constant)
            yield str(node.value.value)
