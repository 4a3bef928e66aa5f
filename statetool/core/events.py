"""What happens during a run, and the fold that turns it into an outcome.

Owns the event and the arithmetic of a run's summary and exit code. Events hold facts, never rendered words;
views turn them into text. It must not know who listens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from statetool.core.model import Json
from statetool.core.plan import Plan
from statetool.errors import ExitCode


class EventType(StrEnum):
    """Every kind of event. The data keys of each are given behind it."""

    VERSION = "version"  # format_version, tool_version
    WAITING = "waiting"  # address, status: apply waits for a busy component before it plans
    RECOVERING = "recovering"  # interrupted_run, planned, since, operations, parked: what is open is taken up
    RECOVERED = "recovered"  # operation, address, verb, outcome, why, job_id, intended_at: of an interrupted run
    OVERRIDDEN = "overridden"  # codes: denies that this run lets through
    ACTION_START = "action_start"  # verb, address
    ACTION_ACCEPTED = "action_accepted"  # job_id (may be null)
    ACTION_PROGRESS = "action_progress"  # job_status, component_status
    ACTION_COMPLETE = "action_complete"
    ACTION_SATISFIED = "action_satisfied"  # the wish was already there; nothing was sent
    ACTION_STALE = "action_stale"  # moved: {path: {expected, observed}}; nothing was sent
    ACTION_ERRORED = "action_errored"  # code, message, hint, job_id
    ACTION_STILL_RUNNING = "action_still_running"  # job_id: accepted, the run ended before the job did
    ACTION_SKIPPED = "action_skipped"  # because: an action id, "interrupted" or "max_failures"
    STATE_SAVED = "state_saved"  # serial
    STOPPING = "stopping"  # signal: start nothing new; with leaves: the process ends now
    CHANGE_SUMMARY = "change_summary"  # counts of RunSummary, exit_code; of `apply --resume` by what became of each


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `seq` grows by one within a run; `at` is UTC RFC 3339; `elapsed_s` counts from the action's start."""

    run_id: str
    seq: int
    at: str
    type: EventType
    action_id: str | None = None
    elapsed_s: float | None = None
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How each action of a plan ended, by id, in the order in which they did.

    `skipped` maps an action to the action id or word that kept it from running, `moved` a stale action to
    `{path: {expected, observed}}`.
    """

    done: tuple[str, ...] = ()
    satisfied: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    still_running: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    interrupted: bool = False
    moved: Mapping[str, Json] = field(default_factory=dict)


def fold(events: Iterable[Event]) -> RunSummary:
    """The outcome that a run's events add up to. The last word on an action wins."""
    last: dict[str, Event] = {}
    interrupted = False
    endings = {
        EventType.ACTION_COMPLETE,
        EventType.ACTION_SATISFIED,
        EventType.ACTION_STALE,
        EventType.ACTION_ERRORED,
        EventType.ACTION_STILL_RUNNING,
        EventType.ACTION_SKIPPED,
    }
    for event in events:
        if event.type is EventType.STOPPING:
            interrupted = True
        if event.action_id is not None and event.type in endings:
            last[event.action_id] = event

    def ids(kind: EventType) -> tuple[str, ...]:
        return tuple(action_id for action_id, event in last.items() if event.type is kind)

    return RunSummary(
        done=ids(EventType.ACTION_COMPLETE),
        satisfied=ids(EventType.ACTION_SATISFIED),
        failed={i: str(last[i].data.get("message", "")) for i in ids(EventType.ACTION_ERRORED)},
        stale=ids(EventType.ACTION_STALE),
        still_running=ids(EventType.ACTION_STILL_RUNNING),
        skipped={i: str(last[i].data.get("because", "")) for i in ids(EventType.ACTION_SKIPPED)},
        interrupted=interrupted,
        moved={i: last[i].data.get("moved") for i in ids(EventType.ACTION_STALE)},
    )


def apply_exit_code(plan: Plan, summary: RunSummary) -> ExitCode:
    """The first exit code that fits, in the order of the table in README."""
    if summary.interrupted:
        return ExitCode.INTERRUPTED
    if plan.denies and not plan.actions:
        return ExitCode.DENIED
    stale_roots = set(summary.stale)
    not_run_because_stale = _skipped_behind(summary.skipped, stale_roots)
    not_run_otherwise = set(summary.skipped) - not_run_because_stale
    if summary.failed or summary.still_running or not_run_otherwise or plan.blocked or plan.denies or plan.held_back:
        return ExitCode.PARTLY
    if summary.stale:
        return ExitCode.STALE
    return ExitCode.DONE


def plan_exit_code(plan: Plan, *, detailed: bool) -> ExitCode:
    """How `plan` ends; `detailed` is --detailed-exitcode."""
    if plan.denies:
        return ExitCode.DENIED
    return ExitCode.CHANGES if detailed and plan.has_changes else ExitCode.DONE


def drift_exit_code(plan: Plan) -> ExitCode:
    """How `drift` ends, for a plan of mode drift: whether anything is not as it was last applied."""
    # A deny there is a component that is missing, or that can't be told: not as it was last applied, either way.
    found = plan.denies or any(finding.code == "not_recorded" for finding in plan.findings)
    return ExitCode.CHANGES if found or plan.left_alone or plan.has_changes else ExitCode.DONE


def correction_exit_code(outcome: ExitCode, left: Plan) -> ExitCode:
    """How `drift --correct` ends: as the apply did, or with 2 where a plan of mode drift finds more afterwards."""
    return drift_exit_code(left) if outcome is ExitCode.DONE else outcome


def _skipped_behind(skipped: Mapping[str, str], roots: set[str]) -> set[str]:
    """Skipped actions whose chain of causes ends in one of `roots`."""
    behind: set[str] = set()
    for action_id in skipped:
        cause = skipped[action_id]
        while cause in skipped:
            cause = skipped[cause]
        if cause in roots:
            behind.add(action_id)
    return behind
