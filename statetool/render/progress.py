"""Progress of a run, from its events: live lines on a terminal, plain lines everywhere else.

Owns the two views and what they remember between events. They must not slow a run down or end it, and outside
text never reaches rich as markup. Only `LiveProgress` needs rich; it loads it when it is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from statetool.core.events import Event, EventType
from statetool.core.plan import Plan
from statetool.render import words
from statetool.render.harmless import for_terminal
from statetool.render.sentences import event_sentence

if TYPE_CHECKING:
    from rich.console import RenderableType

HEARTBEAT_S = 10.0
"""Seconds between two plain lines about one running action."""

_ENDINGS = frozenset(
    {
        EventType.ACTION_COMPLETE,
        EventType.ACTION_SATISFIED,
        EventType.ACTION_STALE,
        EventType.ACTION_ERRORED,
        EventType.ACTION_STILL_RUNNING,
        EventType.ACTION_SKIPPED,
    }
)
_SPOKEN = _ENDINGS | {EventType.WAITING, EventType.STOPPING}
_ENDING_STYLES = {
    EventType.ACTION_COMPLETE: "green",
    EventType.ACTION_SATISFIED: "green",
    EventType.ACTION_ERRORED: "red",
}


class PlainProgress:
    """A line per start and end of an action, and a heartbeat while it runs. `write` gets lines without line end."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._verbs: dict[str, str] = {}
        self._beats: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        action_id = event.action_id or ""
        if event.type is EventType.ACTION_START:
            self._verbs[action_id] = str(event.data.get("verb", ""))
            self._beats[action_id] = 0.0
        is_beat = event.type is EventType.ACTION_PROGRESS and self._is_due(action_id, event.elapsed_s)
        if is_beat or event.type is EventType.ACTION_START or event.type in _SPOKEN:
            self._write(event_sentence(event, self._verbs.get(action_id)))
        if event.type in _ENDINGS:
            self._beats.pop(action_id, None)

    def _is_due(self, action_id: str, elapsed_s: float | None) -> bool:
        if elapsed_s is None or elapsed_s - self._beats.get(action_id, 0.0) < HEARTBEAT_S:
            return False
        self._beats[action_id] = elapsed_s
        return True


@dataclass(slots=True)
class _Running:
    """What a live line shows of one action. `since` is a reading of the clock."""

    component: str
    verb: str
    since: float
    estimate_s: int | None
    phase: str = ""


class LiveProgress:
    """One live line per running action under a bar of done and total; ended actions stay above it as plain lines.

    A context manager: the live part is there only inside. `clock` counts seconds from anywhere.
    """

    def __init__(
        self,
        plan: Plan,
        stream: TextIO,
        *,
        color: bool = True,
        width: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._actions = {action.id: action for action in plan.actions}
        self._verbs = {action.id: str(action.verb) for action in plan.actions}
        self._running: dict[str, _Running] = {}
        self._ended: set[str] = set()
        self._clock = clock
        self._console = Console(
            file=stream,
            force_terminal=True,
            no_color=not color,
            width=width,
            markup=False,
            highlight=False,
            emoji=False,
        )
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        from rich.text import Text

        if event.type is EventType.STOPPING and event.data.get("leaves"):
            self._live.stop()
            return
        action_id = event.action_id or ""
        if event.type is EventType.ACTION_START:
            self._start(event, action_id)
        elif event.type is EventType.ACTION_PROGRESS and action_id in self._running:
            phase = event.data.get("job_status") or event.data.get("component_status") or ""
            self._running[action_id].phase = for_terminal(str(phase))
        if event.type in _ENDINGS:
            self._running.pop(action_id, None)
            self._ended.add(action_id)
        if event.type in _SPOKEN:
            sentence = event_sentence(event, self._verbs.get(action_id))
            self._console.print(Text(sentence, style=_ENDING_STYLES.get(event.type, "yellow")), soft_wrap=True)
            self._live.refresh()

    def _start(self, event: Event, action_id: str) -> None:
        verb = str(event.data.get("verb", ""))
        action = self._actions.get(action_id)
        self._verbs.setdefault(action_id, verb)
        self._running[action_id] = _Running(
            component=for_terminal(words.component_of(action_id)),
            verb=for_terminal(self._verbs[action_id]),
            since=self._clock(),
            estimate_s=action.estimate_s if action else None,
        )

    def _render(self) -> RenderableType:
        """Called from rich's own thread too, so it works on a copy of what runs."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        total = max(len(self._actions), len(self._ended))
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=max(total, 1), completed=len(self._ended), width=30), Text(self._done_text(total))
        )
        lines = Table.grid(padding=(0, 2))
        for running in list(self._running.values()):
            elapsed = words.duration_text(self._clock() - running.since)
            estimate = f"of ~{running.estimate_s} s" if running.estimate_s else ""
            texts = (f"  {running.component}", running.verb, running.phase, elapsed, estimate)
            lines.add_row(*(Text(text, no_wrap=True) for text in texts))
        return Group(bar, lines)

    def _done_text(self, total: int) -> str:
        return f"{len(self._ended)}/{total}, {len(self._running)} running"
