"""Progress: plain lines with heartbeats, live lines under a bar."""

from __future__ import annotations

import io

from render_plans import readme_plan
from render_records import Recorder, eventful_run

from statetool.core.events import EventType
from statetool.render.progress import LiveProgress, PlainProgress


def plain(*events: object) -> list[str]:
    lines: list[str] = []
    view = PlainProgress(lines.append)
    for event in events:
        view(event)  # type: ignore[arg-type]
    return lines


def test_plain_lines_of_a_run() -> None:
    """A line per start and end, a heartbeat each ten seconds, and nothing for what only machines need."""
    assert plain(*eventful_run()) == [
        "shop/search: waiting, the component is busy (UPGRADING)",
        "shop/cart: rollback started",
        "shop/search: modify_gray_rule started",
        "shop/cart: rollback runs (RUNNING) for 10 s",
        "shop/cart: rollback runs (RUNNING) for 20 s",
        "shop/search: modify_gray_rule not needed, it is so already",
        "shop/cart: rollback done after 42 s",
        "shop/cart: scale started",
        "shop/cart: scale failed after 2 min 10 s: job_failed: quota exceeded; ask",
        "shop/ads#1 not sent, the component moved: gray.weight 30 %, expected 10 %; status ready, expected graying",
        "shop/mail#1 still runs as job J3",
        "shop/ads#2 not run: because of shop/ads#1",
        "shop/tax#1 not run: too many actions had failed",
        "SIGINT: nothing new is started",
    ]


def test_heartbeats_are_counted_per_action() -> None:
    """A chatty action does not take the heartbeat of another."""
    run = Recorder()
    for action in ("a/a#1", "a/b#1"):
        run.add(EventType.ACTION_START, action, 0.0, verb="scale")
    run.add(EventType.ACTION_PROGRESS, "a/a#1", 12.0, job_status="RUNNING")
    run.add(EventType.ACTION_PROGRESS, "a/a#1", 14.0, job_status="RUNNING")
    run.add(EventType.ACTION_PROGRESS, "a/b#1", 14.0, job_status="RUNNING")
    run.add(EventType.ACTION_PROGRESS, "a/a#1", 22.0, job_status="RUNNING")
    assert plain(*run.events)[2:] == [
        "a/a: scale runs (RUNNING) for 12 s",
        "a/b: scale runs (RUNNING) for 14 s",
        "a/a: scale runs (RUNNING) for 22 s",
    ]


def test_plain_lines_are_harmless() -> None:
    """A message of the platform can't move the cursor or add lines."""
    event = Recorder().add(EventType.ACTION_ERRORED, "a/b#1", code="job_failed", message="x\n\x1b[2Jy")
    assert plain(event) == ["a/b#1 failed: job_failed: x\\n\\x1b[2Jy"]


def test_live_shows_what_runs_and_what_ended() -> None:
    """Component, verb, phase, elapsed and estimate of what runs; ended actions stay; the bar counts to the end."""
    now = [0.0]
    stream = io.StringIO()
    plan = readme_plan()
    run = Recorder()
    with LiveProgress(plan, stream, color=False, width=80, clock=lambda: now[0]) as live:
        live(run.add(EventType.ACTION_START, "shop/cart#1", 0.0, verb="rollback"))
        now[0] = 12.0
        live(run.add(EventType.ACTION_PROGRESS, "shop/cart#1", 12.0, job_status="RUNNING[red]"))
        live(run.add(EventType.ACTION_SATISFIED, "shop/search#1"))
        live(run.add(EventType.ACTION_COMPLETE, "shop/cart#1", 42.0))
        live(run.add(EventType.ACTION_ERRORED, "shop/cart#2", 1.0, code="c", message="[bold]\x1b[2Jx"))
    shown = stream.getvalue()
    assert "shop/cart  rollback  RUNNING[red]  12 s  of ~90 s" in shown
    assert "1/3, 1 running" in shown
    assert "3/3, 0 running" in shown
    assert "shop/cart: rollback done after 42 s" in shown
    assert "shop/cart: scale failed after 1 s: c: [bold]\\x1b[2Jx" in shown
    assert "\x1b[2J" not in shown


def test_live_survives_every_event() -> None:
    """No event of a run, known to the plan or not, disturbs the view."""
    stream = io.StringIO()
    with LiveProgress(readme_plan(), stream, width=80, clock=lambda: 0.0) as live:
        for event in eventful_run():
            live(event)
    assert "SIGINT: nothing new is started" in stream.getvalue()
