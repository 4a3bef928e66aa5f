"""The rules of safety.md, each switched off in turn: something must break.

A rule is switched off by another text in the place where it stands; a text that is not there any more is an error, so
that no rule goes out of this list unnoticed. What hunts a mutant is the harness itself, in this process.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import torture_scenarios as scenarios
from torture_loop import all_runs, run_one
from torture_random import tell

STORIES = 500
Change = tuple[str, str, str]
"""Where (`module:Class.function`), the text that stands there, and the text instead."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """What is run to find a mutant: the first violation it finds, in words; None where it finds none."""

    name: str
    run: Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule, and how it is switched off."""

    rule: str
    changes: Sequence[Change]
    hunts: Sequence[Hunt]
    quick: bool = False
    """Whether it is found within a second or two."""


def _stories(first: int = 0, count: int = STORIES) -> Hunt:
    def run() -> str | None:
        for number in range(first, first + count):
            told = tell(number)
            if told.violations:
                return f"{told.violations[0].invariant}, story {number}"
        return None

    return Hunt("random stories", run)


def _loop(place: str, *kinds: str, where: str = "") -> Hunt:
    """The runs of the effect loop with these faults, at effects of one kind."""

    def run() -> str | None:
        for number, fault in all_runs(place):
            if fault.kind not in kinds:
                continue
            found = run_one(place, number, fault)
            if found.violations and (not where or where in str(found.struck)):
                return f"{found.violations[0].invariant}, {place} effect {number}: {fault} at {found.struck}"
        return None

    return Hunt(f"effect loop, {place}", run)


def _scenario(work: Callable[[], Sequence[Any]]) -> Hunt:
    def run() -> str | None:
        violations = work()
        return f"{violations[0].invariant}, {work.__name__.replace('_', ' ')}" if violations else None

    return Hunt(work.__name__, run)


_OPERATION = "statetool.apply.operation:Operation."
_FOLLOWING = "statetool.apply.following:Following."
_UNCERTAIN = "statetool.apply.uncertain:"
_KEEPER = "statetool.apply.keeper:StateKeeper."
_JOURNAL = "statetool.core.journal:"
_LOCAL_JOURNAL = "statetool.backends.local_journal:LocalJournal."

MUTANTS: tuple[Mutant, ...] = (
    # Section 1: lock, state, journal
    Mutant(
        "a lease is asked before a request",
        [
            (_OPERATION + "_ensure_lease", "lease.ensure_held()", "pass"),
            (_OPERATION + "_ensure_lease", "if lease.remaining_s < REQUEST_S:", "if False:"),
        ],
        [_scenario(scenarios.a_lease_that_ran_out)],
        quick=True,
    ),
    Mutant(
        "a holder that was replaced may not write",
        [
            (
                "statetool.backends.local:LocalBackend._ensure_holder",
                "if lease is self._lease and self._lock.read_fence() > lease.fence:",
                "if False:",
            ),
        ],
        [_scenario(scenarios.a_lock_file_that_was_removed)],
        quick=True,
    ),
    Mutant(
        "compare-and-swap, also while the lock is held",
        [("statetool.backends.comparison:ensure_unmoved", "if moved is not None:", "if False:")],
        [_scenario(scenarios.a_state_that_others_wrote)],
        quick=True,
    ),
    Mutant(
        "the intent is durable before the request",
        [("statetool.apply.journalling:JournalWriter.intend", "await self.flush()", "pass")],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "the journal is brought to the disk",
        [(_LOCAL_JOURNAL + "_add", "self._files.sync_data(descriptor)", "pass")],
        [_loop("local", "power_after", "power_before")],
    ),
    Mutant(
        "a torn last line is dropped",
        [(_LOCAL_JOURNAL + "_read_content", "if end + len(line) < len(data) or _swallowed_another(line):", "if True:")],
        [_loop("local", "crash_after", where="write")],
    ),
    Mutant(
        "a torn last line is cut off before the next",
        [(_LOCAL_JOURNAL + "_repair", "if content.end < content.size:", "if False:")],
        [_loop("local", "crash_after", where="write")],
    ),
    Mutant(
        "a state is durable before it gets its name",
        [("statetool.backends.files:temporary_file", "files.fsync(descriptor)", "pass")],
        [_loop("local", "power_after", "power_before")],
    ),
    Mutant(
        "the name of a state is durable before it counts",
        [("statetool.backends.local:LocalBackend._save", "self._files.sync_folder(self._path.parent)", "pass")],
        [_loop("local", "power_after", "power_before")],
    ),
    Mutant(
        "the state is written before the journal is shortened",
        [
            (
                _KEEPER + "_checkpoint",
                "        if state is not self._written:\n            serial = await self._write(state)\n",
                "",
            ),
            (
                _KEEPER + "_checkpoint",
                "        return serial",
                "        if state is not self._written:\n            serial = await self._write(state)\n"
                "        return serial",
            ),
        ],
        [_loop("memory", "crash_after", "crash_before", where="store"), _stories()],
    ),
    Mutant(
        "a checkpoint keeps what is open",
        [(_JOURNAL + "compact", "for operation in journal.operations.values():", "for operation in ():")],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "the last record of a component counts",
        [
            (
                _JOURNAL + "fold_journal",
                "records.update(_read_records(entry))",
                "records = {**_read_records(entry), **records}",
            )
        ],
        [_stories()],
    ),
    Mutant(
        "what is closed stays closed when it is folded again",
        [(_JOURNAL + "fold_journal", "del open_[entry.operation]", "pass")],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "an outcome brings its records to the journal",
        [(_KEEPER + "record_ending", "records=changed, data", "records=(), data")],
        [_stories()],
    ),
    Mutant(
        "an outcome is durable before it is told",
        [("statetool.apply.executor:_Execution._settle", "if endings:", "if False:")],
        [_stories()],
        quick=True,
    ),
    # Section 3: one operation
    Mutant(
        "a busy component is waited for",
        [(_OPERATION + "_judge", "if await self._is_busy(observed):", "if False:")],
        [_scenario(scenarios.a_component_that_is_busy)],
        quick=True,
    ),
    Mutant(
        "the precondition is read again",
        [
            (
                _OPERATION + "_judge",
                "moved = verdict.moved_paths(self.action, values, self._own_jobs)",
                "moved: dict[str, Json] = {}",
            )
        ],
        [_stories()],
    ),
    Mutant(
        "only what surely was not executed is sent again",
        [
            (
                "statetool.servicestage.retries:what_next",
                "return row.write if is_action else row.read",
                "return (Next.AGAIN if row.write is Next.UNKNOWN else row.write) if is_action else row.read",
            )
        ],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "an error without a code of the gateway is unknown",
        [
            (
                "statetool.servicestage.retries:what_next",
                "return row.write if is_action else row.read",
                "return (Next.GIVE_UP if row.write is Next.UNKNOWN else row.write) if is_action else row.read",
            )
        ],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "a try begins soon after its intent",
        [(_OPERATION + "_ensure_may_send", "if late_s > self._shared.limits.send_window_s:", "if False:")],
        [_scenario(scenarios.an_intent_that_took_long)],
        quick=True,
    ),
    Mutant(
        "a lost request is not sent again at once",
        [
            (
                _OPERATION + "_send_when_possible",
                "early = await self._settle_lost(lost)",
                "early = self._close(EntryType.NOT_ACCEPTED, {})",
            )
        ],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "an unknown outcome is no failure",
        [
            (
                _OPERATION + "_settle_lost",
                "self._losses += 1",
                "return self._errored(error.code, error.message, closing=EntryType.FAILED)",
            )
        ],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "a quiet period after a lost answer",
        [(_OPERATION + "_settle_lost", "self._shared.limits.quiet_period_s", "0.0")],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "a quiet period after a crash",
        [
            (
                "statetool.apply.recovery:_Resumed._wait_s",
                "return min(latest_s, max(0.0, latest_s - since_s + 1))",
                "return 0.0",
            )
        ],
        [_stories()],
    ),
    Mutant(
        "only a job newer than the baseline may be ours",
        [
            (
                _UNCERTAIN + "find_out",
                "observed.last_job_id if observed.last_job_id != baseline.last_job_id else None",
                "observed.last_job_id",
            )
        ],
        [_scenario(scenarios.a_request_that_never_arrived), _stories()],
        quick=True,
    ),
    Mutant(
        "a value adopts only what left it",
        [(_UNCERTAIN + "_judge_job", "    if is_ours(after):\n        return", "    if True:\n        return")],
        [_stories()],
    ),
    Mutant(
        "an edge adopts only its own kind",
        [
            (
                _UNCERTAIN + "_judge_job",
                "        if is_ours(after):\n            return",
                "        if True:\n            return",
            )
        ],
        [_scenario(scenarios.a_scale_of_somebody_after), _stories()],
        quick=True,
    ),
    Mutant(
        "an edge nobody can tell of is parked",
        [(_UNCERTAIN + "_judge_without_job", "if action.verb in EDGE_VERBS:", "if False:")],
        [_scenario(scenarios.a_restart_that_comes_very_late)],
        quick=True,
    ),
    Mutant(
        "nothing is planned for what is parked",
        [("statetool.session:Session.allowed", "return withhold_open(plan, self.open_operations)", "return plan")],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "an answer is kept: the job's id is durable right after",
        [
            (
                _OPERATION + "_accept",
                'self._note(EntryType.ACCEPTED, {"job_id": job_id, "how": "answer"})',
                "pass",
            )
        ],
        [_stories()],
    ),
    Mutant(
        "every apply recovers first",
        [("statetool.session:Session.take_up", "if not self.open_operations:", "if True:")],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "a recovered operation fulfils its wish",
        [(_KEEPER + "take_over", "for one in intent.updates:", "for one in ():")],
        [_stories()],
        quick=True,
    ),
    Mutant(
        "done needs a job that succeeded",
        [(_FOLLOWING + "_end_of_job", "if job.phase is JobPhase.SUCCEEDED:", "if job.phase is not JobPhase.RUNNING:")],
        [_stories()],
    ),
    Mutant(
        "done needs a read-back",
        [
            (
                _FOLLOWING + "_follow_to_end",
                "return early or await self._read_back(ended_at)",
                "return early or self._ending(EventType.ACTION_COMPLETE, closing=EntryType.DONE)",
            )
        ],
        [_stories()],
    ),
    Mutant(
        "done needs readiness",
        [
            (
                _FOLLOWING + "_is_reached",
                "return observed.is_fully_available or not needs_readiness",
                "return True",
            )
        ],
        [_stories()],
    ),
    Mutant(
        "requests stay within the rate",
        [
            (
                "statetool.servicestage.rate:Bucket.take",
                "while (missing_s := self._missing_s()) > 0:",
                "while (missing_s := -1.0) > 0:",
            )
        ],
        [_loop("memory", "error"), _stories()],
    ),
    Mutant(
        "a signal starts nothing new",
        [
            ("statetool.apply.executor:_Execution._interrupt", "self._halt(INTERRUPTED)", "pass"),
            ("statetool.apply.executor:_Execution._interrupt", "task.cancel()", "pass"),
        ],
        [_loop("memory", "signal"), _stories()],
        quick=True,
    ),
    Mutant(
        "variables stay out of the journal",
        [
            (
                _JOURNAL + "intent_entry",
                "action_to_shown_json(intent.action)",
                "__import__('statetool.core.action_document', fromlist=['x']).action_to_json(intent.action)",
            )
        ],
        [_loop("memory", "crash_after")],
        quick=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: what killed it, or nothing did."""

    mutant: Mutant
    killed_by: str | None


def try_mutant(mutant: Mutant) -> Verdict:
    with switched_off(mutant.changes):
        for hunt in mutant.hunts:
            try:
                found = hunt.run()
            except Exception as error:  # a rule whose loss breaks the run itself is missed as well
                found = f"{type(error).__name__}: {error}"[:100]
            if found is not None:
                return Verdict(mutant, found)
    return Verdict(mutant, None)


@contextmanager
def switched_off(changes: Sequence[Change]) -> Iterator[None]:
    """The functions with other texts, for the length of a block: also for who imported them by name."""
    before: list[tuple[FunctionType, CodeType]] = []
    try:
        for where, old, new in changes:
            function = _find(where)
            before.append((function, function.__code__))
            function.__code__ = _changed(function, old, new)
        yield
    finally:
        for function, code in reversed(before):
            function.__code__ = code


_TEXTS: dict[CodeType, str] = {}


def _find(where: str) -> FunctionType:
    module, _, path = where.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = vars(found)[name] if inspect.isclass(found) else getattr(found, name)
    found = inspect.unwrap(found)
    assert isinstance(found, FunctionType), where
    return found


def _changed(function: FunctionType, old: str, new: str) -> CodeType:
    code = function.__code__
    text = _TEXTS.get(code) or textwrap.dedent(inspect.getsource(function))
    assert text.count(old) == 1, f"{function.__qualname__} has {old!r} {text.count(old)} times: a rule moved"
    text = text.replace(old, new)
    tree = ast.parse(text)
    [definition] = tree.body
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    definition.decorator_list = []
    namespace: dict[str, Any] = {}
    flags = code.co_flags & 0x1000000  # annotations stay texts
    exec(compile(tree, code.co_filename, "exec", flags, dont_inherit=True), function.__globals__ | {}, namespace)
    made = namespace[definition.name].__code__
    assert isinstance(made, CodeType)
    assert made.co_freevars == code.co_freevars, f"{function.__qualname__} closes over other names"
    _TEXTS[made] = text
    return made
