"""Each event of a run as one sentence: for the message of a JSON line, and for progress without a terminal.

Owns the wording of events only; facts come with the event. The sentences are harmless on a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from statetool.core.events import Event, EventType
from statetool.core.model import Json
from statetool.render import recovery, words
from statetool.render.harmless import for_terminal


def event_sentence(event: Event, verb: str | None = None) -> str:
    """One line. `verb` names the action's verb where the event itself does not carry it."""
    known = verb if verb is not None else event.data.get("verb")
    return for_terminal(_SENTENCES[event.type](event, _subject(event, known)))


def moved_text(moved: Json) -> str:
    """`replicas 10, expected 4; ...` for what a stale action met."""
    if not isinstance(moved, dict):
        return ""
    return "; ".join(_moved_path(path, values) for path, values in moved.items())


def _moved_path(path: str, values: Json) -> str:
    if not isinstance(values, dict):
        return f"{path} {words.value_text(path, values)}"
    observed, expected = (words.value_text(path, values.get(key)) for key in ("observed", "expected"))
    return f"{path} {observed}, expected {expected}"


def reason_text(because: str) -> str:
    """Why an action was not run: the action id or the word that `because` holds."""
    return _REASONS.get(because) or f"because of {because}"


def _subject(event: Event, verb: Json) -> str:
    """`shop/cart: rollback`, or the action's id where the verb is not known."""
    if event.action_id is None:
        return str(event.data.get("address", ""))
    return f"{words.component_of(event.action_id)}: {verb}" if verb else event.action_id


def _text(data: Mapping[str, Json], key: str) -> str:
    value = data.get(key)
    return "" if value is None else words.value_text("", value)


def _after(event: Event) -> str:
    return "" if event.elapsed_s is None else f" after {words.duration_text(event.elapsed_s)}"


def _accepted(event: Event, subject: str) -> str:
    job = _text(event.data, "job_id")
    return f"{subject} accepted" + (f", job {job}" if job else ", no job named")


def _progress(event: Event, subject: str) -> str:
    phase = _text(event.data, "job_status") or _text(event.data, "component_status")
    return f"{subject} runs{f' ({phase})' if phase else ''}{_after(event).replace(' after', ' for')}"


def _errored(event: Event, subject: str) -> str:
    text = words.with_hint(_text(event.data, "message"), _text(event.data, "hint"))
    return f"{subject} failed{_after(event)}: {_text(event.data, 'code')}: {text}"


def _still_running(event: Event, subject: str) -> str:
    job = _text(event.data, "job_id")
    return f"{subject} still runs{f' as job {job}' if job else ''}"


def _summary(event: Event, _: str) -> str:
    keys = (
        *("done", "satisfied", "failed", "stale", "still_running", "not_run", "blocked", "held_back", "left_out"),
        "untold",
    )
    counts = [f"{_text(event.data, key)} {key.replace('_', ' ')}" for key in keys if event.data.get(key)]
    return "apply ended: " + (", ".join(counts) or "nothing to do")


_REASONS: Mapping[str, str] = {
    "interrupted": "the run was interrupted",
    "max_failures": "too many actions had failed",
    "state_not_saved": "the state could not be saved",
    "lease_lost": "the state's lock was lost",
    "internal_error": "statetool failed inside",
}

_SENTENCES: Mapping[EventType, Callable[[Event, str], str]] = {
    EventType.VERSION: lambda e, _: f"statetool {_text(e.data, 'tool_version')}",
    EventType.WAITING: lambda e, s: f"{s}: waiting, the component is busy ({_text(e.data, 'status')})",
    EventType.RECOVERING: lambda e, _: recovery.interruption_text(e.data),
    EventType.RECOVERED: lambda e, s: f"{s}: {recovery.recovered_text(e.data)}",
    EventType.OVERRIDDEN: lambda e, _: f"let through with --override: {_text(e.data, 'codes')}",
    EventType.ACTION_START: lambda _, s: f"{s} started",
    EventType.ACTION_ACCEPTED: _accepted,
    EventType.ACTION_PROGRESS: _progress,
    EventType.ACTION_COMPLETE: lambda e, s: f"{s} done{_after(e)}",
    EventType.ACTION_SATISFIED: lambda _, s: f"{s} not needed, it is so already",
    EventType.ACTION_STALE: lambda e, s: f"{s} not sent, the component moved: {moved_text(e.data.get('moved'))}",
    EventType.ACTION_ERRORED: _errored,
    EventType.ACTION_STILL_RUNNING: _still_running,
    EventType.ACTION_SKIPPED: lambda e, s: f"{s} not run: {reason_text(_text(e.data, 'because'))}",
    EventType.STATE_SAVED: lambda e, _: f"state saved, serial {_text(e.data, 'serial')}",
    EventType.STOPPING: lambda e, _: f"{_text(e.data, 'signal')}: nothing new is started",
    EventType.CHANGE_SUMMARY: _summary,
}
