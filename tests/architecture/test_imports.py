"""The layout is what the README says: who may import whom, who may use what, how long things may get.

Walks the syntax trees of the package, so it sees lazy imports too; nothing is imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import statetool

PACKAGE = Path(statetool.__file__).parent
MOST_LINES = 450
MOST_FUNCTION_LINES = 70

EDGES = ("manifest", "servicestage", "backends", "render")
RANKS: tuple[tuple[str, ...], ...] = (
    ("__init__", "errors"),
    # What the package carries as data; the schemas are read by manifest/ and config.py.
    ("resources", "endpoints"),
    ("schema",),
    ("core",),
    EDGES,
    ("freeze",),
    # statetool.yaml is read with the reader of manifests: same syntax, same errors, same places.
    ("config_reader", "credentials"),
    ("state_places",),
    ("config",),
    ("apply",),
    # Beside the story, used by it. A saved plan and a look at the machine use the file and lock types of backends/.
    ("surroundings", "planfile", "placing", "connection", "observing", "guarding", "known_addresses", "locking"),
    ("session",),
    ("workflow",),
    ("locating", "state_work"),
    ("migrating",),
    ("housekeeping", "starter", "overview", "doctor", "raw_action", "rollout", "importing", "refreshing", "explaining"),
    ("takeover", "resolving"),
    ("cli",),
    ("__main__",),
)
"""Rooms from the ground up: each may import those before its line, and itself. Rooms of one line are strangers."""

SANDBOX_USERS = ("connection", "housekeeping")
"""The only rooms that know the sandbox; it knows no room at all."""

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "click": ("cli",),
    "httpx": ("servicestage", "backends", "sandbox.control", "sandbox.transport"),
    "yaml": ("manifest", "sandbox.seedfile"),
    "deepdiff": ("core",),
    "jsonschema": ("schema",),
    "rich": ("render",),
    "dateutil": ("freeze",),
    "filelock": ("backends",),
    "psycopg": ("backends",),
    "obstore": ("backends",),
    "starlette": ("sandbox.app",),
    "uvicorn": ("sandbox.server",),
}
"""Every package from outside, and who may use it."""

CORE_MAY_USE = frozenset(
    [
        "__future__",
        "collections",
        "dataclasses",
        "datetime",
        "difflib",
        "enum",
        "fnmatch",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "math",
        "re",
        "types",
        "typing",
    ]
)
"""The part of the standard library that can't touch the world. Of `datetime`, see the calls below."""

IMPURE_NAMES = frozenset({"open", "print", "input", "eval", "exec", "__import__"})
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})
MAY_WRITE_TO_STREAMS = ("cli", "sandbox.server", "sandbox.__main__")


@dataclass(frozen=True)
class Module:
    """One module of the package. `name` is without `statetool.`: `core.plan`, `core.__init__`, `errors`."""

    name: str
    path: Path

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[str, ...]:
        """Every absolute name that is imported, anywhere in the module."""
        return tuple(name for node in self.nodes for name in _names(node))

    @cached_property
    def early_imports(self) -> tuple[str, ...]:
        """What is imported when the module is: at its top level, and not for type checkers only."""
        return tuple(name for node in _executed(self.tree.body) for name in _names(node))

    def is_one_of(self, places: tuple[str, ...]) -> bool:
        return any(self.name == place or self.name.startswith(f"{place}.") for place in places)


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        # `from statetool import surroundings` imports a module, `from statetool.core.plan import Plan` a name of one.
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _executed(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        is_for_types = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)
        if is_for_types or isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield statement
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(statement, name, None)
            if isinstance(inner, list):
                yield from _executed(inner)


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {_module_name(path): Module(_module_name(path), path) for path in sorted(PACKAGE.rglob("*.py"))}


def assert_nowhere(breaches_of: Callable[[Module], Iterator[str]]) -> None:
    """No module breaks a rule. One test a rule, for all modules: hundreds of small ones cost more than the walk."""
    found = [breach for module in MODULES.values() for breach in breaches_of(module)]
    assert not found, "\n".join(found)


def own_modules(imported: str) -> str | None:
    """The module of ours that an imported name stands in; None where it is not ours."""
    parts = imported.split(".")
    if parts[0] != "statetool":
        return None
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[1:length])
        for candidate in (name, f"{name}.__init__" if name else "__init__"):
            if candidate in MODULES:
                return candidate
    raise AssertionError(f"{imported} is no module of ours")


def rank_of(room: str) -> int:
    return next(rank for rank, rooms in enumerate(RANKS) if room in rooms)


def test_every_room_has_a_rank() -> None:
    """A new folder or module at the top belongs somewhere."""
    rooms = {module.room for module in MODULES.values()} - {"sandbox"}
    assert rooms == {room for rooms in RANKS for room in rooms}


def test_imports_point_downwards() -> None:
    """errors <- core <- edges <- apply <- workflow <- cli, also by lazy imports and those for type checkers."""
    assert_nowhere(_upward_imports)


def _upward_imports(module: Module) -> Iterator[str]:
    for imported in module.imports:
        target = own_modules(imported)
        room = MODULES[target].room if target is not None else module.room
        if room == module.room:
            continue
        is_allowed = (
            module.is_one_of(SANDBOX_USERS)
            if "sandbox" in (room, module.room)
            else rank_of(room) < rank_of(module.room)
        )
        if not is_allowed:
            yield f"{module.name} imports {target}"


def test_packages_from_outside_stay_in_their_room() -> None:
    """A package can be replaced by changing one room; one that nobody listed is a decision to be written down."""
    assert_nowhere(_strays)


def _strays(module: Module) -> Iterator[str]:
    for imported in module.imports:
        package = imported.partition(".")[0]
        if package in sys.stdlib_module_names or package == "statetool":
            continue
        if not module.is_one_of(PACKAGES.get(package, ())):
            yield f"{module.name} imports {imported}"


def test_no_module_is_imported_by_what_it_imports() -> None:
    """Module level: lazy imports may point back within a room (a registry and what it opens)."""
    graph = {
        name: {target for imported in module.early_imports if (target := own_modules(imported)) not in (None, name)}
        for name, module in MODULES.items()
    }
    while ready := [name for name, targets in graph.items() if not targets]:
        for name in ready:
            del graph[name]
        for targets in graph.values():
            targets.difference_update(ready)
    assert graph == {}


def test_the_core_touches_nothing() -> None:
    """No I/O, clock, environment, randomness or log: values in, values out."""
    assert_nowhere(_impurities)


def _impurities(module: Module) -> Iterator[str]:
    if module.room != "core":
        return
    for imported in module.imports:
        if imported.partition(".")[0] not in CORE_MAY_USE | {"statetool", "deepdiff"}:
            yield f"{module.name} imports {imported}"
    for node in module.nodes:
        if isinstance(node, ast.Name) and node.id in IMPURE_NAMES:
            yield f"{module.name}:{node.lineno} uses {node.id}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS:
            yield f"{module.name}:{node.lineno} calls {node.func.attr}"


def test_only_the_command_line_prints() -> None:
    """The engine emits events. The server of the sandbox says on stderr where it listens."""
    assert_nowhere(_uses_of_streams)


def _uses_of_streams(module: Module) -> Iterator[str]:
    if module.is_one_of(MAY_WRITE_TO_STREAMS):
        return
    for node in module.nodes:
        if isinstance(node, ast.Name) and node.id == "print":
            yield f"{module.name}:{node.lineno} prints"
        if isinstance(node, ast.Attribute) and node.attr in {"stdout", "stderr"} and ast.unparse(node.value) == "sys":
            yield f"{module.name}:{node.lineno} uses sys.{node.attr}"


def test_a_module_says_what_it_owns_and_stays_short() -> None:
    """A docstring, at most 450 lines, and no function over 70."""
    assert_nowhere(_excesses)


def _excesses(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield f"{module.name} has no docstring"
    if len(module.source.splitlines()) > MOST_LINES:
        yield f"{module.name} is too long"
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            if node.end_lineno - node.lineno >= MOST_FUNCTION_LINES:
                yield f"{module.name}:{node.lineno} {node.name} is too long"
