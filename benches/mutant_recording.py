"""Which tests run which lines of the core, and how long they take: recorded once, before there are any mutants."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from mutant_rules import Mutant

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "statetool" / "core"


@dataclass(slots=True)
class Recording:
    """What the tests do without a mutant. `ran` maps module and line to the tests that ran it."""

    failed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    ran: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    at_import: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    """The files of tests that run the line as soon as they are imported."""

    def tests_for(self, mutant: Mutant) -> list[str]:
        """The tests that run the line, quick ones first."""
        if mutant.function is None:
            return self._in_order(mutant, self._all_of(mutant.module))
        places = ((mutant.module, line) for line in mutant.lines)
        return self._in_order(mutant, {test for place in places for test in self.ran.get(place, ())})

    def tests_after_import(self, mutant: Mutant) -> list[str]:
        """Those that may notice something else where the mutant is there before anything is imported."""
        if mutant.function is None:
            return self.tests_for(mutant)
        files = {file for line in mutant.lines for file in self.at_import.get((mutant.module, line), ())}
        return self._in_order(mutant, {test for test in self.seconds if test.split("::")[0] in files})

    def _all_of(self, module: str) -> set[str]:
        return {test for (name, _), tests in self.ran.items() if name == module for test in tests}

    def _in_order(self, mutant: Mutant, tests: set[str]) -> list[str]:
        own = f"test_{mutant.module}.py"
        return sorted(tests - set(self.failed), key=lambda test: (own not in test, self.seconds[test]))


class Recorder:
    """A plugin of pytest that watches collection and every test."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.recording = Recording()
        self._modules = {str(CORE / f"{name}.py"): name for name in modules}
        self._lines: set[tuple[str, int]] = set()

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        name = self._modules.get(frame.f_code.co_filename)
        if name is None:
            return None

        def line(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line":
                self._lines.add((name, frame.f_lineno))
            return line

        return line

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        self._lines = set()
        sys.settrace(self._trace)
        result = yield
        sys.settrace(None)
        for place in self._lines:
            self.recording.at_import[place].add(collector.nodeid.split("::")[0])
        return result  # what the wrapped hook says

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._lines = set()
        began = time.monotonic()
        sys.settrace(self._trace)
        result = yield
        sys.settrace(None)
        self.recording.seconds[item.nodeid] = time.monotonic() - began
        for place in self._lines:
            self.recording.ran[place].add(item.nodeid)
        return result  # what the wrapped hook says

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.nodeid not in self.recording.failed:
            self.recording.failed.append(report.nodeid)
