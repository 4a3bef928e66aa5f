"""Real runs that meet each other, are killed, or are asked to stop: state readable, lock free, next apply converges.

A run tells by its events how far it is, and an unhealthy component holds it there; no test waits for time to pass.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from e2e_project import ProjectFolder, Running

SEED = """
sandbox: {job_seconds: %s, stale_ms: 0}
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
      pay: {version: 3.0.1, replicas: 2}
      mail: {version: 1.0.0, replicas: 1}
"""

MANIFEST = """\
application: shop
components:
  cart: {version: 1.4.1, replicas: 6}
  search:
    version: 2.1.0
    gray: {version: 2.2.0, weight: 30}
    depends_on: [cart]
  pay: {replicas: 3}
  mail: {replicas: 2, depends_on: [pay]}
"""
"""Four components, five requests: two at once, three after them."""

ALL = ["cart rollback", "cart scale", "mail scale", "pay scale", "search modify_gray_rule"]
BOTH_SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A shop with five requests to send."""
    project.seed(SEED % 0.1)
    project.manifest(MANIFEST)
    return project


@pytest.fixture
def held(shop: ProjectFolder) -> ProjectFolder:
    """The same shop, where a run comes to no end before `heal`: one instance of `pay` does not get healthy."""
    shop.disturb("shop/pay", available_replicas=1)
    return shop


def heal(project: ProjectFolder) -> None:
    """All instances there are get healthy."""
    project.disturb("shop/pay", status="RUNNING")


def wait_until_held(run: Running) -> None:
    """Everything was sent but what waits for `pay`: the run holds the lock, and goes on holding it."""
    run.wait_for_event("action_complete", 3)


def ensure_converged(project: ProjectFolder) -> None:
    """The next apply reaches everything, each request having been accepted once in all; then all is settled."""
    project.call("apply", "--auto-approve")
    assert sorted(project.sent()) == ALL
    project.ensure_settled()


def ensure_state_is_whole(project: ProjectFolder) -> None:
    """Readable, and by nobody else."""
    assert "shop/cart" in project.call("state", "list").out
    assert state_path(project).stat().st_mode & 0o777 == 0o600


def state_path(project: ProjectFolder) -> Path:
    return project.root / ".statetool/state.json"


# Two at once


def test_of_two_applies_one_works_and_the_other_names_it(held: ProjectFolder) -> None:
    """Exit 5, at once, with pid, user, host and start of the holder; nothing is sent by it. In JSON the same."""
    with held.start("apply", "--auto-approve", "--json") as first:
        wait_until_held(first)
        sent = held.log()
        refused = held.run("apply", "--auto-approve", code=5)
        in_json = held.call("apply", "--auto-approve", "--json", code=5)
        holder = json.loads(state_path(held).with_name("state.json.lock-info").read_text(encoding="utf-8"))["holder"]
        assert held.log() == sent
        heal(held)
        first.end()
    assert "error[state_locked]" in refused.err
    assert refused.out == ""
    assert holder["pid"] == first.pid
    for part in (f"pid {first.pid}", holder["who"], holder["host"], f"since {holder['created']}", "--lock-timeout"):
        assert part in refused.err
    assert in_json.codes == ["state_locked"]
    assert sorted(held.sent()) == ALL
    held.ensure_settled()


def test_the_second_waits_where_it_may(held: ProjectFolder) -> None:
    """With --lock-timeout it says for whom it waits, takes over when the first has ended, and finds nothing to do."""
    with held.start("apply", "--auto-approve", "--json") as first:
        wait_until_held(first)
        with held.start("apply", "--auto-approve", "--lock-timeout", "60s") as second:
            second.wait_for_line("waiting for the state's lock")
            heal(held)
            first.end()
            done = second.end()
    assert done.out.startswith("No changes.")
    assert sorted(held.sent()) == ALL


def test_reading_commands_need_no_lock(held: ProjectFolder) -> None:
    """Plan, drift, show and state work while a run holds it, and change nothing for it."""
    with held.start("apply", "--auto-approve", "--json") as first:
        wait_until_held(first)
        held.run("plan")
        held.call("drift", code=None)
        held.call("show")
        held.call("state", "show", "shop/mail")
        heal(held)
        first.end()
    held.ensure_settled()


def test_what_writes_the_state_needs_the_lock(held: ProjectFolder) -> None:
    """Clearing a rejection while a run holds it: exit 5, and later it works."""
    clear = ("rollout", "clear", "shop/cart", "1.4.2", "--reason", "fixed")
    with held.start("apply", "--auto-approve", "--json") as first:
        wait_until_held(first)
        held.run(*clear, code=5)
        heal(held)
        first.end()
    held.call(*clear)


# Killed


@pytest.mark.parametrize(
    ("event", "times"),
    [
        ("version", 1),
        ("state_saved", 1),
        ("action_start", 1),
        ("action_accepted", 1),
        ("action_accepted", 2),
        ("action_complete", 1),
        ("action_complete", 3),
        ("action_accepted", 5),
    ],
)
def test_a_killed_run_is_in_nobodys_way(shop: ProjectFolder, event: str, times: int) -> None:
    """kill -9 at this point: no request is repeated by the next apply, which waits for jobs that still run."""
    with shop.start("apply", "--auto-approve", "--json") as run:
        run.wait_for_event(event, times)
        run.signal(signal.SIGKILL)
        run.end(-signal.SIGKILL)
    if event != "version":
        ensure_state_is_whole(shop)
    ensure_converged(shop)
    names = {path.name for path in state_path(shop).parent.iterdir()}
    state_files = {f"state.json{suffix}" for suffix in ("", ".backup", ".history", ".journal", ".lock", ".lock-info")}
    assert names - {"sandbox.db-journal"} == state_files | {"sandbox.db"}


# Asked to stop


@BOTH_SIGNALS
def test_a_signal_ends_a_run_in_order(held: ProjectFolder, number: signal.Signals) -> None:
    """Exit 130 within 10 s: nothing new is started, what runs is told, the lock is free, the next apply converges."""
    with held.start("apply", "--auto-approve", "--json") as run:
        wait_until_held(run)
        run.signal(number)
        events = run.end(130, within_s=10).events
    types = [event["type"] for event in events]
    stopping = types.index("stopping")
    assert events[stopping]["signal"] == number.name
    assert "action_start" not in types[stopping:]
    assert types[-1] == "change_summary"
    summary = {key: events[-1][key] for key in ("exit_code", "done", "still_running", "not_run", "failed")}
    assert summary == {"exit_code": 130, "done": 3, "still_running": 1, "not_run": 1, "failed": 0}
    ensure_state_is_whole(held)
    heal(held)
    ensure_converged(held)


@BOTH_SIGNALS
def test_a_signal_does_not_wait_for_jobs(shop: ProjectFolder, number: signal.Signals) -> None:
    """Jobs of two seconds go on without us; the next apply waits for them and sends nothing twice."""
    shop.seed(SEED % 2)
    with shop.start("apply", "--auto-approve", "--json") as run:
        run.wait_for_event("action_accepted", 2)
        run.signal(number)
        events = run.end(130, within_s=10).events
    assert events[-1]["done"] == 0
    assert events[-1]["still_running"] == 2
    with shop.world(job_seconds=0.1):
        ensure_converged(shop)


@BOTH_SIGNALS
def test_a_signal_in_text_mode(held: ProjectFolder, number: signal.Signals) -> None:
    """The report says what was interrupted and how to go on."""
    with held.start("apply", "--auto-approve") as run:
        run.wait_for_line("shop/search: modify_gray_rule done")
        run.signal(number)
        done = run.end(130, within_s=10)
    assert f"{number.name}: nothing new is started" in done.err
    assert "Apply interrupted" in done.out
    assert done.out.splitlines()[-1] == "Continue with: statetool apply"
    heal(held)
    ensure_converged(held)


@BOTH_SIGNALS
def test_a_second_signal_leaves_at_once(held: ProjectFolder, number: signal.Signals) -> None:
    """Whatever the first was doing; nothing is lost: the next apply converges."""
    with held.start("apply", "--auto-approve", "--json") as run:
        wait_until_held(run)
        run.signal(number)
        run.signal(number)
        run.end(130, within_s=10)
    ensure_state_is_whole(held)
    heal(held)
    ensure_converged(held)


@BOTH_SIGNALS
def test_a_signal_while_waiting_for_a_busy_component(shop: ProjectFolder, number: signal.Signals) -> None:
    """Nothing was planned yet, so nothing is sent or recorded; exit 130 and the lock is free."""
    shop.disturb("shop/cart", status="UPGRADING")
    with shop.start("apply", "--auto-approve", "--json") as run:
        run.wait_for_event("waiting")
        run.signal(number)
        run.end(130, within_s=10)
    assert shop.log() == []
    assert not state_path(shop).exists()
    shop.disturb("shop/cart", status="RUNNING")
    ensure_converged(shop)


@BOTH_SIGNALS
def test_a_signal_while_waiting_for_the_lock(held: ProjectFolder, number: signal.Signals) -> None:
    """The one that waits goes; the one that works goes on."""
    with held.start("apply", "--auto-approve", "--json") as first:
        wait_until_held(first)
        with held.start("apply", "--auto-approve", "--lock-timeout", "60") as second:
            second.wait_for_line("waiting for the state's lock")
            second.signal(number)
            left = second.end(130, within_s=10)
        heal(held)
        first.end()
    assert "interrupted" in left.err
    assert sorted(held.sent()) == ALL
