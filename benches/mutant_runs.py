"""Runs the tests that may notice a mutant, in a forked process each. Which mutants there are is `mutant_operators.py`.

What is slow is done once: libraries are imported, and tests collected, before the fork. A mutant inside a function
replaces the code of that function, one of a table puts another table in its place; nothing is imported again. One that
is felt at import in other ways (a default, a class, a test that plans something when it is imported), and that nobody
has noticed so, is compiled into a process that has not imported statetool yet. Which tests run a line was recorded
before. Tests stop at the first failure; one that takes far longer than it did without a mutant is killed, which counts
as noticed.

The tests are those of single rows: unit and golden. Property tests would notice more, but they take seconds each, and
what only chance notices has no test that says what is right.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NoReturn

import pytest
from mutant_recording import CORE, ROOT, Recorder, Recording
from mutant_rules import Mutant

TESTS = ("tests/unit/core", "tests/golden/test_golden_plans.py")
LIBRARIES = ("asyncio", "deepdiff", "httpx", "jsonschema", "rich.console", "rich.table", "sqlite3", "starlette", "yaml")
ABREAST = 2

NOTICED, SURVIVED, HUNG = "noticed", "survived", "hung"
_EXIT_SURVIVED, _EXIT_NOTICED, _EXIT_IMPORT, _EXIT_BROKEN = 0, 1, 98, 99
_MEMORY_BYTES = 8 << 30


@dataclass(frozen=True, slots=True)
class Result:
    mutant: Mutant
    outcome: str
    seconds: float
    tests: int


class BrokenRun(Exception):
    """The tests could not be run at all."""


def load_libraries() -> None:
    """Import what statetool and its tests need from others, and nothing of statetool."""
    for name in LIBRARIES:
        importlib.import_module(name)
    assert not any(name.split(".")[0] == "statetool" for name in sys.modules)


def record(modules: Sequence[str], folder: Path) -> Recording:
    """Run all tests once, and see which lines of these modules each of them runs."""

    def child() -> int:
        recorder = Recorder(modules)
        status = _run_pytest([*TESTS], recorder)
        (folder / "recording").write_bytes(pickle.dumps(recorder.recording))
        return 0 if status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else _EXIT_BROKEN

    log = folder / "recording.log"
    if _wait_for(_fork(child, log)) != 0:
        raise BrokenRun(log.read_text())
    recording: Recording = pickle.loads((folder / "recording").read_bytes())  # noqa: S301 - our own file
    return recording


def run_mutants(mutants: Sequence[Mutant], recording: Recording, folder: Path) -> Iterator[Result]:
    """How each mutant fares; not in their order."""
    quick: list[tuple[Mutant, list[str]]] = []
    slow: list[tuple[Mutant, list[str]]] = []
    for mutant in mutants:
        tests = recording.tests_for(mutant)
        if tests:
            quick.append((mutant, tests))
        elif later := recording.tests_after_import(mutant):
            slow.append((mutant, later))
        else:
            yield Result(mutant, SURVIVED, 0.0, 0)
    for result in _run_quick(quick, recording, folder):
        later = recording.tests_after_import(result.mutant)
        if result.outcome == str(_EXIT_IMPORT):
            slow.append((result.mutant, later or recording.tests_for(result.mutant)))
        elif result.outcome == SURVIVED and later:
            slow.append((result.mutant, later))
        else:
            yield result
    log = folder / "fresh.log"
    yield from _in_parallel(slow, lambda mutant, tests: _run_fresh(mutant, tests, recording, log), log)


def _run_quick(work: Sequence[tuple[Mutant, list[str]]], recording: Recording, folder: Path) -> Iterator[Result]:
    """All mutants of functions, by one process that has collected the tests and forks for every mutant."""
    reading, writing = os.pipe()

    def child() -> int:
        os.close(reading)
        with os.fdopen(writing, "wb") as stream:
            _run_pytest([*TESTS], _Limits(recording.seconds), _Server(work, stream, folder / "quick.log"))
        return 0

    log = folder / "server.log"
    pid = _fork(child, log)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        for _ in work:
            try:
                yield pickle.load(stream)  # noqa: S301 - written by our own child
            except EOFError:
                raise BrokenRun(log.read_text()) from None
    _wait_for(pid)


class _Server:
    """Takes the place of the test loop: the tests are collected, and every mutant gets a fork of that."""

    def __init__(self, work: Sequence[tuple[Mutant, list[str]]], stream: Any, log: Path) -> None:
        self._work, self._stream, self._log = work, stream, log
        self._serves = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if not self._serves:
            return None
        self._serves = False
        items = {item.nodeid: item for item in session.items}
        functions = _functions_of_core()
        gc.freeze()

        def child(mutant: Mutant, tests: list[str]) -> int:
            if not (_put_table(mutant) if mutant.function is None else _put_code(mutant, functions)):
                return _EXIT_IMPORT
            session.items[:] = [items[test] for test in tests]
            try:
                session.config.hook.pytest_runtestloop(session=session)
            except session.Failed:
                return _EXIT_NOTICED
            return _EXIT_NOTICED if session.testsfailed else _EXIT_SURVIVED

        for result in _in_parallel(self._work, child, self._log):
            pickle.dump(result, self._stream)
            self._stream.flush()
        return True


def _put_code(mutant: Mutant, functions: dict[tuple[str, str, int], FunctionType]) -> bool:
    """Give the function its mutated body. False where it takes an import."""
    function = functions[mutant.module, *(mutant.function or ("", 0))]
    code = _find_code(_compile(mutant), function.__code__)
    if code is None or code.co_freevars != function.__code__.co_freevars:
        return False
    function.__code__ = code
    return True


def _put_table(mutant: Mutant) -> bool:
    """Put another table under the same name, wherever it was imported to. False where it takes an import."""
    name = f"statetool.core.{mutant.module}"
    body = ast.parse(mutant.apply((CORE / f"{mutant.module}.py").read_bytes())).body
    for statement in body:
        if statement.lineno != mutant.lines.start or not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        old = vars(sys.modules[name]).get(ast.unparse(target))
        if not isinstance(old, Mapping | frozenset | tuple | list):
            return False
        values = dict(vars(sys.modules[name]))
        try:
            exec(compile(ast.Module([statement], []), name, "exec"), values)  # noqa: S102 - the mutant
        except Exception:
            return False
        for module in list(sys.modules.values()):
            if getattr(module, ast.unparse(target), None) is old:
                setattr(module, ast.unparse(target), values[ast.unparse(target)])
        return True
    return False


def _functions_of_core() -> dict[tuple[str, str, int], FunctionType]:
    """Every function of the core that is alive, by module, qualified name and first line."""
    return {
        (Path(code.co_filename).stem, code.co_qualname, code.co_firstlineno): found
        for found in gc.get_objects()
        if isinstance(found, FunctionType) and Path((code := found.__code__).co_filename).parent == CORE
    }


def _find_code(module: CodeType, wanted: CodeType) -> CodeType | None:
    for constant in module.co_consts:
        if isinstance(constant, CodeType):
            if (constant.co_qualname, constant.co_firstlineno) == (wanted.co_qualname, wanted.co_firstlineno):
                return constant
            if wanted.co_qualname.startswith(constant.co_qualname + "."):
                found = _find_code(constant, wanted)
                if found is not None:
                    return found
    return None


def _compile(mutant: Mutant) -> CodeType:
    path = CORE / f"{mutant.module}.py"
    return compile(mutant.apply(path.read_bytes()), str(path), "exec", dont_inherit=True)


def _run_fresh(mutant: Mutant, tests: list[str], recording: Recording, log: Path) -> int:
    """Everything is imported with the mutant in its place; an error at import is noticed too."""
    sys.meta_path.insert(0, _Importer(f"statetool.core.{mutant.module}", _compile(mutant)))

    def child(chosen: list[str]) -> int:
        files = list(dict.fromkeys(test.split("::")[0] for test in chosen))
        status = _run_pytest(files, _Limits(recording.seconds), _Choice(chosen))
        return _EXIT_SURVIVED if status == pytest.ExitCode.OK else _EXIT_NOTICED

    # Most are noticed by the tests of their own module, which are collected in a moment.
    own = [test for test in tests if f"test_{mutant.module}.py" in test]
    if own and _wait_for(_fork(lambda: child(own), log)) != _EXIT_SURVIVED:
        return _EXIT_NOTICED
    return child(tests)


class _Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, name: str, code: CodeType) -> None:
        self._name, self._code = name, code

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._code.co_filename, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, vars(module))  # noqa: S102 - the mutant


def _in_parallel(
    work: Sequence[tuple[Mutant, list[str]]], child: Callable[[Mutant, list[str]], int], log: Path
) -> Iterator[Result]:
    """Fork for each mutant, a few at a time."""
    waiting = list(reversed(work))
    running: dict[int, tuple[Mutant, list[str], float]] = {}
    while waiting or running:
        while waiting and len(running) < ABREAST:
            mutant, tests = waiting.pop()
            pid = _fork(lambda m=mutant, t=tests: child(m, t), log)  # type: ignore[misc]
            running[pid] = mutant, tests, time.monotonic()
        pid, status = os.waitpid(-1, 0)
        mutant, tests, began = running.pop(pid)
        if os.WIFSIGNALED(status):
            outcome = HUNG if os.WTERMSIG(status) == signal.SIGALRM else NOTICED
        elif (code := os.waitstatus_to_exitcode(status)) == _EXIT_BROKEN:
            raise BrokenRun(f"{mutant.module}.py:{mutant.line}: {mutant.after}\n{log.read_text()}")
        else:
            outcome = {_EXIT_SURVIVED: SURVIVED, _EXIT_NOTICED: NOTICED}.get(code, str(code))
        yield Result(mutant, outcome, time.monotonic() - began, len(tests))


def _fork(child: Callable[[], int], log: Path) -> int:
    """The id of a process that does `child`, exits by its answer, and says what it has to say in `log`."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _become(child, log)
    return pid


def _become(child: Callable[[], int], log: Path) -> NoReturn:
    status = _EXIT_BROKEN
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        status = child()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _wait_for(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _run_pytest(arguments: list[str], *plugins: object) -> int:
    options = ["-q", "--tb=line", "-p", "no:cacheprovider", *([] if isinstance(plugins[0], Recorder) else ["-x"])]
    return pytest.main([*options, "--rootdir", str(ROOT), *arguments], plugins=list(plugins))


class _Choice:
    def __init__(self, tests: list[str]) -> None:
        self._rank = {test: n for n, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self._rank), key=lambda i: self._rank[i.nodeid])


class _Limits:
    """A test that hangs is killed, with its process."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        signal.setitimer(signal.ITIMER_REAL, 5 + 10 * self._seconds.get(item.nodeid, 0.0))
        result = yield
        signal.setitimer(signal.ITIMER_REAL, 0)
        return result  # what the wrapped hook says
