"""What work on the state says, as whole texts, and as documents that fit their schemas."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from render_golden import check_golden

from statetool.core.comparison import compare_states
from statetool.core.holder import LockInfo
from statetool.core.journal import Baseline, Intent, Journal, OpenOperation, RunNote, known_component
from statetool.core.journal import EntryType as Type
from statetool.core.model import Address, Recorded, Wish
from statetool.core.plan import Action, Risk, Verb
from statetool.core.state import StateFile, new_state
from statetool.render.state_work import (
    history_to_document,
    lock_to_document,
    render_difference,
    render_history,
    render_lock,
)
from statetool.schema import validator

PLACE = "postgresql://db.example/team, schema statetool, state shop"
SHANGHAI = ZoneInfo("Asia/Shanghai")
CART = Address("shop", "cart")
RUN = RunNote("run-7", "apply", 9, "2026-11-23T08:00:01Z", actions=40, ended=12)
HOLDER = LockInfo(
    id="lock-7",
    operation="apply",
    who="ci@runner\x1b[31m",
    host="runner",
    pid=4711,
    tool_version="0.1.0",
    created="2026-11-23T08:00:00Z",
    run_id="run-7",
    ci_url="https://ci.example/7",
    fence=9,
    renewed_ago_s=4.26,
    progress=RUN,
)
ACTION = Action("shop/cart#1", CART, Verb.SCALE, {"replica": 6}, "wished", Risk.SCALE_UP, (), {}, {}, 30)
INTENT = Intent(
    "shop/cart#1/1/9",
    "run-7",
    9,
    "2026-11-23T08:00:02Z",
    ACTION,
    known_component(CART, "c1", "a1", None),
    Baseline("RUNNING", 4, None, None, {}),
)
JOURNAL = Journal(RUN, {INTENT.id: OpenOperation(INTENT, Type.ACCEPTED, "2026-11-23T08:00:03Z", "JOB1")})
HISTORY = [(12, "2026-11-23T08:00:00Z"), (11, "2026-11-22T23:30:00Z"), (10, None)]


def state_of(serial: int, **replicas: int) -> StateFile:
    records = {name: Recorded(Address("shop", name), "c", "a", None, Wish(replicas=n)) for name, n in replicas.items()}
    components = {record.address: record for record in records.values()}
    return replace(new_state("L", "0.1.0"), serial=serial, components=components)


def test_a_lock_that_is_held() -> None:
    """Who, since when, how far, and what is open; nothing of it reaches a terminal as it came."""
    text = render_lock(PLACE, HOLDER, JOURNAL, is_known=True, timezone=SHANGHAI)
    check_golden("lock_held.txt", text)
    assert "\x1b" not in text


def test_a_lock_that_is_free_or_not_shown() -> None:
    """What an earlier run left open is told with the command that takes it up."""
    told = [
        render_lock(PLACE, None, None, is_known=True),
        render_lock(PLACE, None, JOURNAL, is_known=True),
        render_lock(PLACE, None, Journal(), is_known=False),
    ]
    check_golden("lock_free.txt", "\n\n".join(told))


def test_who_settles_what_is_parked() -> None:
    """Taking it up would only say so again: the command that ends it is named."""
    parked = OpenOperation(INTENT, Type.PARKED, "2026-11-23T08:00:03Z")
    text = render_lock(PLACE, None, Journal(RUN, {INTENT.id: parked}), is_known=True)
    assert "--resume" not in text
    assert f"statetool state resolve {INTENT.id} --did-run, or --did-not" in text


def test_serials_and_what_a_push_would_change() -> None:
    """The newest first; of many components the first are named."""
    after = state_of(14, cart=5, pay=4, **{f"new{n}": 1 for n in range(12)})
    difference = compare_states(state_of(12, cart=4, pay=4, old=1), after)
    check_golden("history.txt", render_history(HISTORY, timezone=SHANGHAI))
    check_golden("push_difference.txt", render_difference(difference))
    assert compare_states(None, after).serials == (0, 14)


def test_the_documents_fit_their_schemas() -> None:
    """Held, free and not shown; with and without a run."""
    for holder, journal, is_known in ((HOLDER, JOURNAL, True), (None, Journal(), True), (None, None, False)):
        document = lock_to_document(PLACE, holder, journal, "0.1.0", is_known=is_known)
        assert not list(validator("lock").iter_errors(document))
        assert document["locked"] is (True if holder else False if is_known else None)
    document = history_to_document(PLACE, HISTORY, "0.1.0")
    assert not list(validator("history").iter_errors(document))
