"""What a mutant is, what becomes what, and what is never changed.

Left out by rule, for no test about behaviour can or should notice them:
    annotations, `Literal[...]`, type variables, imports   nothing at run time depends on them
    docstrings, and what is said to people                 texts with a space in them, f-strings, arguments that are
                                                           a message, a hint, a reason, a row in words: wording is
                                                           no decision
    decorators of classes (frozen, slots), `__slots__`     they stop us from writing mistakes; no result shows them
    asserts                                                they tell the type checker what has been seen to already
    ESTIMATE_S                                             guesses for a person's patience; nothing waits by them
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

COMPARISONS: Mapping[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
}
"""Each sign with what takes its place; the last one says the opposite."""
ARITHMETIC: Mapping[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
FUNCTIONS = {"any": "all", "all": "any", "min": "max", "max": "min"}
EMPTY = {"str": '""', "int": "0", "tuple": "()", "list": "[]", "dict": "{}", "frozenset": "frozenset()", "set": "set()"}
"""What is returned instead, by the annotation of the function. `Decision` and its like are told by `empty_types`."""

SAID = {
    "Finding": (2, 3),
    "HeldBack": (3, 4),
    "Blocked": (2,),
    "StatetoolError": (0,),
    "ValueError": (0,),
    "deny": (1, 2),
    "warning": (1, 2),
}
"""Positions of arguments that people read, by the name of what is called."""
SAID_KEYWORDS = {"message", "hint", "reason", "row", "version_row"}
LEFT_OUT = {"__slots__", "ESTIMATE_S"}
"""Names whose values are left out by rule."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`source[start:end]` (UTF-8) is to be `replacement`. `before` and `after` are the lines that a person compares."""

    module: str
    line: int
    operator: str
    start: int
    end: int
    replacement: str
    before: str
    after: str
    function: tuple[str, int] | None
    """Qualified name and first line of the function whose body is changed; None for what runs at import."""
    lines: range
    """The lines of the statement, without the statements inside it: a test that runs one of them may notice."""

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.replacement.encode() + source[self.end :]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the operators know of the code base: members of its enums, and types that can be built empty."""

    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    empty_types: frozenset[str] = frozenset()


def learn_vocabulary(sources: Mapping[str, bytes]) -> Vocabulary:
    """Enums, and dataclasses whose every field has a default, of these modules."""
    enums: dict[str, tuple[str, ...]] = {}
    empty: set[str] = set()
    for source in sources.values():
        for node in ast.parse(source).body:
            if not isinstance(node, ast.ClassDef):
                continue
            if any(ast.unparse(base) in {"Enum", "StrEnum", "IntEnum"} for base in node.bases):
                targets = (a.targets[0] for a in node.body if isinstance(a, ast.Assign))
                enums[node.name] = tuple(target.id for target in targets if isinstance(target, ast.Name))
            elif node.decorator_list:
                fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
                if fields and all(item.value is not None for item in fields):
                    empty.add(node.name)
    return Vocabulary(enums, frozenset(empty))
