"""The views of a run: the plan, the prompt, progress, the closing report; or one JSON object a line.

Owns what is printed when while an apply goes on. It must not decide what is done, nor what the exit code is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from zoneinfo import ZoneInfo

import click

from statetool import surroundings
from statetool.backends import LockInfo
from statetool.cli.console import Console
from statetool.cli.project import timezone_of
from statetool.cli.warnings import warn
from statetool.core.events import Event, EventType
from statetool.core.plan import Plan
from statetool.errors import ExitCode, UsageError
from statetool.render import words
from statetool.render.harmless import for_terminal
from statetool.render.json import event_to_line
from statetool.render.outcome import render_outcome
from statetool.render.progress import LiveProgress, PlainProgress
from statetool.render.recovery import render_interruption, render_recovered, render_resumed
from statetool.render.state_work import progress_text
from statetool.render.text import render_plan
from statetool.session import Listener, Project
from statetool.workflow import Outcome, resume

QUESTION = "Do you want this? Only `yes` is taken: "
ONCE_MORE = "type yes to go on: "


def ensure_can_approve(console: Console, *, auto_approve: bool, has_plan: bool = True) -> None:
    """Refuse, before anything is read or locked, a run that could never be approved. Raises UsageError.

    `has_plan`: whether it carries out a plan, which could be saved and applied instead.
    """
    if auto_approve or (console.can_ask and not console.is_json):
        return
    flag = "--json " if console.is_json else ""
    saved = f", or apply a saved plan: statetool plan --out FILE, statetool apply {flag}FILE" if has_plan else ""
    what = "--json can't ask for approval" if console.is_json else "there is no terminal to ask for approval"
    raise UsageError(what, hint=f"add --auto-approve{saved}")


def ask_for_yes(console: Console) -> bool:
    """Whether a person types `yes`. The habit of typing `y` gets a second chance."""
    answer = console.ask(QUESTION)
    if answer is not None and answer.strip().lower() == "y":
        answer = console.ask(ONCE_MORE)
    return answer is not None and answer.strip() == "yes"


def tell_lock_wait(console: Console, holder: LockInfo | None) -> None:
    """One line while another run holds the state."""
    who = "another run" if holder is None else f"{holder.operation} of {holder.who} since {holder.created}"
    far = progress_text(holder) if holder is not None else ""
    who += f", {far}" if far else ""
    console.tell(for_terminal(f"waiting for the state's lock, held by {who}"))


def warn_of_ephemeral_state(console: Console, project: Project) -> None:
    """A machine that is thrown away takes the state along: what was applied is forgotten, and nobody notices."""
    if project.settings.state.backend == "local" and surroundings.is_ci(project.environ):
        folder = project.settings.state_path.parent
        warn(console, "ephemeral_state", words.EPHEMERAL_STATE.format(folder=folder), words.EPHEMERAL_STATE_ADVICE)


class RunView:
    """What a person, or a program in JSON mode, sees of one run. A context manager around the run.

    `saved` is a plan that was approved before: it is shown once it is known not to be refused.
    """

    def __init__(
        self,
        console: Console,
        timezone: ZoneInfo | None,
        *,
        auto_approve: bool,
        saved: Plan | None = None,
        of_manifests: bool = True,
    ) -> None:
        self._console = console
        self._timezone = timezone
        self._auto_approve = auto_approve
        self._saved = saved
        self._of_manifests = of_manifests and saved is None
        self._shown: Plan | None = None
        self._to_recover = 0
        self._has_recovered = False
        self._progress: Callable[[Event], None] = PlainProgress(console.tell)
        self._live = contextlib.ExitStack()

    def __enter__(self) -> RunView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.close()

    @property
    def listener(self) -> Listener:
        return Listener(self._approve, self._emit, lambda holder: tell_lock_wait(self._console, holder))

    def close(self, outcome: Outcome) -> None:
        """The end of the run: live lines away, then what became of it."""
        self._live.close()
        console = self._console
        if console.is_json:
            return
        if self._shown is None:
            self._show(outcome.plan)
        elif outcome.exit_code is ExitCode.DECLINED:
            console.tell("Declined: nothing was sent, nothing was recorded.")
        elif outcome.plan.can_apply or outcome.plan is not self._shown:
            console.out("")
            console.out(
                render_outcome(
                    outcome.plan,
                    outcome.summary,
                    remaining=outcome.remaining,
                    of_manifests=self._of_manifests,
                    width=console.width,
                    color=console.color(console.stdout),
                )
            )

    def _approve(self, plan: Plan) -> bool:
        if self._console.is_json:
            return True
        self._show(plan)
        if not self._auto_approve:
            self._console.tell("")
            try:
                if not ask_for_yes(self._console):
                    return False
            except KeyboardInterrupt:
                self._console.tell("\nInterrupted: nothing was sent, nothing was recorded.")
                raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None
        self._start_progress(plan)
        return True

    def _emit(self, event: Event) -> None:
        if self._console.is_json:
            self._console.out(event_to_line(event))
            return
        if self._tell_recovery(event):
            return
        # The first event comes before a saved plan may still be refused; what follows belongs to its run, but for what
        # is told of an earlier one.
        is_of_this_run = event.type is not EventType.VERSION and not self._to_recover
        if self._saved is not None and self._shown is None and is_of_this_run:
            self._show(self._saved)
            self._start_progress(self._saved)
        self._progress(event)

    def _tell_recovery(self, event: Event) -> bool:
        """What became of an earlier run is a result like the plan that follows it. Whether the event told of that."""
        console = self._console
        color = console.color(console.stdout)
        if event.type is EventType.RECOVERING:
            self._has_recovered = True
            count = event.data.get("operations")
            self._to_recover = count if isinstance(count, int) else 0
            console.out(render_interruption(event.data, color=color, timezone=self._timezone))
        elif event.type is EventType.RECOVERED:
            self._to_recover -= 1
            console.out(render_recovered(event.data, width=console.width, color=color, timezone=self._timezone))
        else:
            return False
        return True

    def _show(self, plan: Plan) -> None:
        console = self._console
        if self._shown is None and self._has_recovered:
            console.out("")
        self._shown = plan
        console.out(
            render_plan(
                plan,
                width=console.width,
                color=console.color(console.stdout),
                timezone=self._timezone,
                show_unmanaged=False,
            )
        )

    def _start_progress(self, plan: Plan) -> None:
        console = self._console
        if plan.can_apply:
            console.tell("")
        if plan.actions and console.shows_live and console.stderr is not None:
            self._progress = self._live.enter_context(
                LiveProgress(plan, console.stderr, color=console.color(console.stderr))
            )


def run_resume(console: Console, project: Project, *, lock_timeout_s: float) -> ExitCode:
    """Take up what an interrupted run left open, show what became of it, and do nothing else."""
    with RunView(console, timezone_of(project), auto_approve=True) as view:
        resumed = resume(project, view.listener, lock_timeout_s=lock_timeout_s)
    if not console.is_json:
        outcomes = [str(one.outcome) for one in resumed.recovered]
        console.out(render_resumed(outcomes, color=console.color(console.stdout)))
    return resumed.exit_code


def run(
    console: Console,
    project: Project,
    work: Callable[[Listener], Outcome],
    *,
    auto_approve: bool,
    saved: Plan | None = None,
    of_manifests: bool = True,
) -> Outcome:
    """Let `work` apply something, and show it while it goes on and when it has ended.

    `of_manifests`: what is applied is what the manifests say now, so that a further apply goes on with it.
    """
    view = RunView(console, timezone_of(project), auto_approve=auto_approve, saved=saved, of_manifests=of_manifests)
    with view:
        outcome = work(view.listener)
        view.close(outcome)
    return outcome
