"""The small wrong changes that `mutants.py` makes to a module: which there are, and where they apply.

Reads source text and gives text back; runs nothing. One mutant replaces one stretch of the source, so that a person
can read it as a line before and a line after. What is left out, and why, stands in `mutant_rules.py`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from itertools import pairwise

from mutant_rules import (
    ARITHMETIC,
    COMPARISONS,
    EMPTY,
    FUNCTIONS,
    LEFT_OUT,
    SAID,
    SAID_KEYWORDS,
    Mutant,
    Vocabulary,
)


def build_mutants(module: str, source: bytes, vocabulary: Vocabulary) -> list[Mutant]:
    """Every mutant of one module, each text once, in the order of lines."""
    walker = _Walker(module, source, vocabulary)
    walker.visit(ast.parse(source))
    unique: dict[tuple[int, int, str], Mutant] = {}
    for mutant in sorted(walker.found, key=lambda m: (m.start, m.end)):
        if mutant.apply(source) != source:
            unique.setdefault((mutant.start, mutant.end, mutant.replacement), mutant)
    return list(unique.values())


class _Walker(ast.NodeVisitor):
    def __init__(self, module: str, source: bytes, vocabulary: Vocabulary) -> None:
        self.found: list[Mutant] = []
        self._module, self._source, self._vocabulary = module, source, vocabulary
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._scope: list[str] = []
        self._function: tuple[str, int] | None = None
        self._returns: ast.expr | None = None
        self._bound: set[str] = set()
        self._lines = range(0)

    # Where things stand, and what becomes of them

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword | ast.arg)
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _replace(self, operator: str, node: ast.AST, replacement: str) -> None:
        self._splice(operator, *self._span(node), replacement)

    def _splice(self, operator: str, start: int, end: int, replacement: str) -> None:
        first = self._source.rfind(b"\n", 0, start) + 1
        last = self._source.find(b"\n", end)
        head, tail = self._source[first:start].decode(), self._source[end:last].decode()
        whole = self._source[start:end].decode()
        self.found.append(
            Mutant(
                module=self._module,
                line=self._source.count(b"\n", 0, start) + 1,
                operator=operator,
                start=start,
                end=end,
                replacement=replacement,
                before=_flat(head + whole + tail),
                after=_flat(head + replacement + tail) or "(left out)",
                function=self._function,
                lines=self._lines,
            )
        )

    def _drop_each(self, owner: ast.Tuple | ast.List | ast.Set | ast.Dict, parts: list[tuple[int, int]]) -> None:
        """Leave out each part of a literal in turn."""
        parts = [self._bracketed(*part) for part in parts]
        for n, (start, end) in enumerate(parts):
            if isinstance(owner, ast.Set) and len(parts) == 1:
                self._replace("drop element", owner, "set()")
            elif isinstance(owner, ast.Tuple) and len(parts) <= 2:
                rest = "".join(self._source[slice(*part)].decode() + "," for part in parts[:n] + parts[n + 1 :])
                self._replace("drop element", owner, f"({rest})")
            else:
                self._remove("drop element", start, end)

    def _bracketed(self, start: int, end: int) -> tuple[int, int]:
        """A part of a literal with the brackets around it, which belong to no node."""
        while True:
            before = re.search(rb"\(\s*$", self._source[:start])
            behind = re.match(rb"\s*\)", self._source[end:])
            if before is None or behind is None:
                return start, end
            start, end = before.start(), end + behind.end()

    def _remove(self, operator: str, start: int, end: int) -> None:
        """Leave out one of several parts, with the comma behind it, or the one before it where it is the last."""
        behind = re.match(rb"[ \t]*,[ \t]*", self._source[end:])
        if behind is not None:
            end += behind.end()
        elif before := re.search(rb",\s*$", self._source[:start]):
            start -= len(before.group())
        self._splice(operator, start, end, "")

    # Statements

    def visit_Module(self, node: ast.Module) -> None:
        self._visit_body(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scope.append(node.name)
        self._visit_body(node.body)
        self._scope.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)):
            self.visit(default)
        outer = self._function, self._returns, self._bound
        qualified = ".".join((*self._scope, node.name))
        if self._function is None:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            self._function = (qualified, first)
        self._returns = node.returns
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        self._bound = {argument.arg for argument in arguments}
        self._scope += [node.name, "<locals>"]
        self._visit_body(node.body, is_function=True)
        del self._scope[-2:]
        self._function, self._returns, self._bound = outer

    def _visit_body(self, body: list[ast.stmt], is_function: bool = False) -> None:
        for n, statement in enumerate(body):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue  # a docstring, also one of an attribute
            self._lines = _own_lines(statement)
            is_last = is_function and n == len(body) - 1
            if self._function is not None and not is_last and self._is_deletable(statement):
                self._replace("delete statement", statement, "pass")
            self.visit(statement)
            if isinstance(statement, ast.Assign | ast.AnnAssign | ast.For):
                self._bound |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and _is_target(n)}

    def _is_deletable(self, statement: ast.stmt) -> bool:
        """Whether the code could go on without it; what binds a name for the first time can't be missed."""
        if isinstance(statement, ast.Assign):
            targets = [n for target in statement.targets for n in ast.walk(target) if _is_target(n)]
            return all(not isinstance(n, ast.Name) or n.id in self._bound for n in targets)
        return isinstance(
            statement, ast.Expr | ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete | ast.Return
        )

    def generic_visit(self, node: ast.AST) -> None:
        """Like the inherited one, but a body is visited as such, and annotations never."""
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list", "type_comment"}:
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self._visit_body(value)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)
            elif isinstance(value, ast.AST):
                self.visit(value)

    def visit_Import(self, node: ast.Import) -> None:
        """Nothing to change."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Nothing to change."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Left out by rule."""

    def visit_Assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        name = target.id if isinstance(target, ast.Name) else ""
        is_type = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypeVar"
        if name in LEFT_OUT or is_type or (isinstance(node.value, ast.Constant) and name in SAID_KEYWORDS):
            return
        for each in node.targets:
            self.visit(each)
        if self._function is None and self._scope and self._scope[-1] in self._vocabulary.enums:
            return  # the spelling of a member is the business of formats, which have tests of their own
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        is_type = "TypeAlias" in ast.unparse(node.annotation)
        if node.value is not None and not is_type and ast.unparse(node.target) not in LEFT_OUT:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and self._returns is not None and not isinstance(node.value, ast.Constant):
            for empty in self._empty_values(self._returns):
                if empty != self._text(node.value):
                    self._replace("return nothing", node.value, empty)
        self.generic_visit(node)

    def _empty_values(self, annotation: ast.expr) -> Iterator[str]:
        if isinstance(annotation, ast.BinOp):
            yield from self._empty_values(annotation.left)
            yield from self._empty_values(annotation.right)
            return
        if isinstance(annotation, ast.Constant) and annotation.value is None:
            yield "None"
        name = annotation.value if isinstance(annotation, ast.Subscript) else annotation
        if isinstance(name, ast.Name):
            if name.id == "bool":
                yield from ("True", "False")
            elif name.id in EMPTY:
                yield EMPTY[name.id]
            elif name.id in self._vocabulary.empty_types:
                yield f"{name.id}()"

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if type(node.op) in ARITHMETIC:
            self._between("swap arithmetic", node.target, node.value, *ARITHMETIC[type(node.op)])
        self.visit(node.value)

    # Expressions

    def _condition(self, test: ast.expr) -> None:
        """Negate a whole condition; a single comparison is negated by swapping its sign."""
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self._replace("negate condition", test, self._text(test.operand))
            return
        self._replace("negate condition", test, f"(not ({self._text(test)}))")

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        texts = [self._text(value) for value in node.values]
        loose = ast.BoolOp | ast.IfExp | ast.NamedExpr
        wrapped = [f"({t})" if isinstance(v, loose) else t for v, t in zip(node.values, texts, strict=True)]
        for n in range(len(wrapped)):
            rest = f" {word} ".join(wrapped[:n] + wrapped[n + 1 :])
            self._replace(f"drop a part of {word}", node, f"({rest})" if len(wrapped) > 2 else rest)
        for left, right in pairwise(node.values):
            self._between(f"{word} to {other}", left, right, word, other)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, op, right in zip((node.left, *node.comparators), node.ops, node.comparators, strict=False):
            sign, others = COMPARISONS[type(op)]
            for other in others:
                self._between("swap comparison", left, right, sign, other)
        self.generic_visit(node)

    def _between(self, operator: str, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """Replace the sign that stands between two expressions."""
        start, end = self._span(left)[1], self._span(right)[0]
        match = re.search(re.escape(old).replace(r"\ ", r"\s+"), self._source[start:end].decode())
        assert match is not None, (old, self._source[start:end])
        self._splice(operator, start + match.start(), start + match.end(), new)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in ARITHMETIC:
            self._between("swap arithmetic", node.left, node.right, *ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace("drop not", node, f"bool({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._replace("one arm", node, f"({self._text(node.body)})")
        self._replace("one arm", node, f"({self._text(node.orelse)})")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for condition in node.ifs:
            self._replace("drop filter", condition, "True")
            self._condition(condition)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if isinstance(node.func, ast.Name) and name in FUNCTIONS:
            self._replace("swap function", node.func, FUNCTIONS[name])
        if name in {"sorted", "reversed"} and node.args:
            self._replace("keep order", node, f"list({self._text(node.args[0])})")
        said = SAID.get(name, ())
        self.visit(node.func)
        for n, argument in enumerate(node.args):
            if n not in said:
                self.visit(argument)
        if name[:1].islower() or name.startswith("_"):
            for n, (left, right) in enumerate(pairwise(node.args)):
                names = ast.Name | ast.Attribute
                if not {n, n + 1} & set(said) and isinstance(left, names) and isinstance(right, names):
                    pair = f"{self._text(right)}, {self._text(left)}"
                    self._splice("swap arguments", self._span(left)[0], self._span(right)[1], pair)
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in SAID_KEYWORDS:
                self._remove("drop argument", *self._span(keyword))
                self.visit(keyword.value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        members = self._vocabulary.enums.get(owner, ())
        if node.attr in members and isinstance(node.ctx, ast.Load):
            at = members.index(node.attr)
            others = members[:at] + members[at + 1 :]
            near = (members[(at + 1) % len(members)], members[at - 1])
            for other in others if len(members) <= 4 else dict.fromkeys(near):
                self._replace("swap member", node, f"{owner}.{other}")
        self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        name = ast.unparse(node.value)
        if name in {"dict", "list", "set", "tuple", "frozenset", "Literal", "Mapping", "Iterable", "Callable"}:
            return  # a generic type, used as a value
        self.generic_visit(node)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        if isinstance(node.ctx, ast.Load):
            self._drop_each(node, [self._span(element) for element in node.elts])
        self.generic_visit(node)

    def visit_List(self, node: ast.List) -> None:
        if isinstance(node.ctx, ast.Load):
            self._drop_each(node, [self._span(element) for element in node.elts])
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        self._drop_each(node, [self._span(element) for element in node.elts])
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        spans = []
        for key, value in zip(node.keys, node.values, strict=True):
            start, end = self._bracketed(*self._span(value))
            # `**value` has no key; its stars stand right before it.
            spans.append((self._span(key)[0] if key is not None else self._source.rfind(b"**", 0, start), end))
        self._drop_each(node, spans)
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Said to people, or a key that a dropped element stands for."""

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._replace("swap constant", node, str(not value))
        elif isinstance(value, int):
            self._replace("swap constant", node, str(value + 1))
            if value == 1:
                self._replace("swap constant", node, "0")
        elif isinstance(value, str) and not re.search(r"\s", value):
            self._replace(
                "swap constant", node, {"deny": '"warn"', "warn": '"deny"'}.get(value, json.dumps(value + "~"))
            )


def _own_lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    assert statement.end_lineno is not None
    end = max(body[0].lineno, statement.lineno + 1) if body else statement.end_lineno + 1
    return range(statement.lineno, end)


def _is_target(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
