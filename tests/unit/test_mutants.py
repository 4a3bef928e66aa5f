"""The operators of benches/mutants.py: every kind of wrong change is made, and nothing that rules leave out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHES = Path(__file__).parents[2] / "benches"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


rules = _load("mutant_rules")
operators = _load("mutant_operators")
VOCABULARY = rules.Vocabulary({"Risk": ("UP", "DOWN", "POWER")}, frozenset({"Decision"}))


def after(source: str) -> set[str]:
    """The mutated lines of a module."""
    return {mutant.after for mutant in operators.build_mutants("sample", source.encode(), VOCABULARY)}


def after_body(line: str, returns: str = "object") -> set[str]:
    """The mutated forms of one line of a function that goes on after it."""
    return after(f"def f(a, b, c) -> {returns}:\n    {line}\n    print\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a = 1 < b", {"a = 1 <= b", "a = 1 >= b", "a = 0 < b", "a = 2 < b", "pass"}),
        ("x = a is not None", {"x = a is None"}),
        ("x = a not in b", {"x = a in b"}),
        (
            "x = a and b or c",
            {"x = (a and b)", "x = c", "x = b or c", "x = a or c", "x = a or b or c", "x = a and b and c"},
        ),
        ("x = not a", {"x = bool(a)"}),
        ("x = b if a else c", {"x = (b)", "x = (c)"}),
        ("x = Risk.UP", {"x = Risk.DOWN", "x = Risk.POWER"}),
        ("x = True", {"x = False"}),
        ("x = 'version'", {'x = "version~"'}),
        (r"x = r'\d'", {r'x = "\\d~"'}),
        ("x = a | b", {"x = a & b"}),
        ("x = [a, *b]", {"x = [a]", "x = [*b]"}),
        ("x = (a, b)", {"x = (a,)", "x = (b,)"}),
        ("x = {a}", {"x = set()"}),
        ("x = {a: b, **c}", {"x = {a: b}", "x = {**c}"}),
        ("x = any(a)", {"x = all(a)"}),
        ("x = sorted(a)", {"x = list(a)"}),
        ("x = f(a, b, key=c)", {"x = f(b, a, key=c)", "x = f(a, b)"}),
        ("x = [y for y in a if y]", {"x = [y for y in a if True]", "x = [y for y in a if (not (y))]"}),
        ("a.append(b)", {"pass"}),
        ("raise a", {"pass"}),
        ("a += b", {"a -= b", "pass"}),
    ],
)
def test_what_becomes_of_a_line(line: str, expected: set[str]) -> None:
    """Each operator, and nothing beside it."""
    assert after_body(line) == expected


def test_a_condition_is_negated_once() -> None:
    """By its sign where it is one comparison, as a whole otherwise."""
    assert after("def f(a):\n    if a: print(a)\n    print\n") == {"if (not (a)): print(a)", "if a: pass"}
    assert after("def f(a):\n    while not a: print(a)\n    print\n") == {
        "while a: print(a)",
        "while bool(a): print(a)",
        "while not a: pass",
    }


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ("bool", {"return True", "return False"}),
        ("Decision | None", {"return Decision()", "return None"}),
        ("tuple[str, ...]", {"return ()"}),
        ("Other", set()),
    ],
)
def test_a_return_gives_nothing(returns: str, expected: set[str]) -> None:
    """By the annotation of the function; and the statement may be missing as a whole."""
    assert after_body("return a.b", returns) == expected | {"pass"}


def test_a_table_of_a_module_is_changed_too() -> None:
    """Where nothing can be deleted, elements and members can."""
    assert after("TABLE = {\n    Risk.UP: 'up',\n    Risk.DOWN: 'down',\n}\n") == {
        "(left out)",
        "Risk.DOWN: 'up',",
        "Risk.POWER: 'up',",
        'Risk.UP: "up~",',
        "Risk.UP: 'down',",
        "Risk.POWER: 'down',",
        'Risk.DOWN: "down~",',
    }


def test_what_rules_leave_out() -> None:
    """Docstrings, annotations, asserts, and what is said to people."""
    source = '''
"""A module."""
from x import y
T = TypeVar("T", bound=int)
Alias: TypeAlias = "int | str"
ESTIMATE_S: dict[str, int] = {"start": 60}
class A:
    """A class."""
    __slots__ = ("a", "b")
    field: int
    """A field."""
def f(a: Literal["x", "y"]) -> Literal["x"]:
    """A function."""
    assert a == 1, "why"
    x = Finding(a, b, "sentence" if c else "other", "hint", d.e)
    y = Other(a, message="sentence", hint=f"of {a}", reason="why")
    z = "two words"
'''
    assert after(source) == set()


def test_every_mutant_of_the_core_is_a_program_of_its_own() -> None:
    """No two are the same, none is the original, and all can be read: that is what `before` and `after` rest on."""
    core = BENCHES.parent / "statetool" / "core"
    sources = {path.stem: path.read_bytes() for path in core.glob("*.py")}
    vocabulary = rules.learn_vocabulary(sources)
    assert set(vocabulary.enums["SendIf"]) == {"ALWAYS", "DIFFERENT", "FEWER"}
    assert "Decision" in vocabulary.empty_types
    source = sources["ordering"]
    mutants = operators.build_mutants("ordering", source, vocabulary)
    texts = [mutant.apply(source) for mutant in mutants]
    assert len(texts) == len(set(texts) - {source}) > 100
    for text in texts:
        compile(text, "ordering.py", "exec", dont_inherit=True)
