"""A request whose answer is lost: never repeated blindly, and what became of it is found out in the same run."""

from __future__ import annotations

import asyncio

import pytest

from statetool.apply.run import Limits
from statetool.backends.files import FileSystem
from statetool.backends.local import LocalBackend
from statetool.core.events import EventType
from statetool.core.journal import EntryType, fold_journal
from statetool.core.model import Job, JobPhase
from statetool.core.plan import Verb
from statetool.errors import AnswerUnreadable, OutcomeUnknown

ACTION = "shop/cart#1"
LOST = OutcomeUnknown("the answer was lost")
QUIET_S = 90


def entries(lab) -> list[str]:
    """The kinds of entries that the journal holds, in order, without those that speak of no operation."""
    kinds = [str(entry["type"]) for entry in lab.backend(lab.folder / "state.json").read_journal()]
    return [kind for kind in kinds if kind != "run"]


def watch_journal(lab) -> list[str]:
    """What the journal held at any time, gathered at every event."""
    seen: list[str] = []

    def look(_event) -> None:
        now = entries(lab)
        seen.extend(now[len(seen) :] if now[: len(seen)] == seen else [])

    lab.watch = look
    return seen


def test_a_value_that_was_sent_all_the_same_is_adopted(lab) -> None:
    """The newer job left the wanted value: it is ours. Sent once, and only looked for after the quiet period."""
    lab.platform.add("cart", losses=[LOST])
    kinds = watch_journal(lab)
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert len(lab.platform.sent) == 1
    assert outcome.of(EventType.ACTION_ACCEPTED)[0].data == {"job_id": "JOB1"}
    assert outcome.ended_at >= QUIET_S
    assert kinds == ["intent", "unknown", "accepted"]
    assert entries(lab) == []


def test_a_look_that_fails_after_the_job_says_nothing_about_it(lab) -> None:
    """The job still ran when it was found; what it left is only told by a look that came after its end."""
    cart = lab.platform.add("cart", losses=[LOST], job_s=91)

    def go_bad() -> None:
        cart.read_errors += [AnswerUnreadable("garbled")] * 3

    plan = lab.plan(lab.scale("cart", 6))
    outcome = lab.apply(plan, before=lambda: asyncio.get_running_loop().call_later(92, go_bad))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert cart.read_errors == []
    assert len(lab.platform.sent) == 1


def test_a_value_that_never_arrived_is_sent_once_more(lab) -> None:
    """Nothing new after the quiet period: then it may, as an operation of its own."""
    lab.platform.add("cart", refusals=[LOST])
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert [sent.at >= QUIET_S for sent in lab.platform.sent] == [False, True]


def test_a_value_that_got_lost_twice_is_not_sent_a_third_time(lab) -> None:
    lab.platform.add("cart", refusals=[LOST, LOST])
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)))
    assert outcome.data(ACTION)["code"] == "outcome_unknown"
    assert len(lab.platform.sent) == 2


def test_somebody_elses_job_makes_the_action_stale(lab) -> None:
    """It came in place of ours and left another value: what was planned for is gone."""
    cart = lab.platform.add("cart", refusals=[LOST])

    def somebody() -> None:
        cart.set(last_job_id="THEIRS", replicas=9, available_replicas=9)
        lab.platform.jobs["THEIRS"] = Job("THEIRS", JobPhase.SUCCEEDED, "SUCCEEDED")

    outcome = lab.apply(
        lab.plan(lab.scale("cart", 6)), before=lambda: asyncio.get_running_loop().call_later(30, somebody)
    )
    assert outcome.endings() == {ACTION: EventType.ACTION_STALE}
    assert outcome.data(ACTION) == {"moved": {"last_job_id": {"expected": None, "observed": "THEIRS"}}}
    assert len(lab.platform.sent) == 1


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "never arrived"])
def test_a_restart_that_nothing_tells_of_is_parked(lab, arrived) -> None:
    """An edge is not sent again, and a newer job alone does not tell what it did: a person has to."""
    lab.platform.add("cart", **{"losses" if arrived else "refusals": [LOST]})
    outcome = lab.apply(lab.plan(lab.action("cart", Verb.RESTART)))
    assert outcome.data(ACTION)["code"] == "parked"
    assert len(lab.platform.sent) == 1
    [operation] = lab.snapshot.journal.operations.values()
    assert operation.is_parked
    assert f"state resolve {operation.id} --did-run" in str(outcome.data(ACTION)["hint"])
    evidence = operation.told["evidence"]
    assert isinstance(evidence, dict)
    assert (evidence["job_id"], evidence["job_status"]) == (("JOB1", "SUCCEEDED") if arrived else (None, None))


def test_a_promotion_that_went_through_is_adopted(lab) -> None:
    """It is an edge, but the candidate serving alone shows its kind."""
    lab.platform.add("cart", losses=[LOST], status="GRAYING", candidate="2.0.0")
    promote = lab.action("cart", Verb.CONTINUE_DEPLOY, goal={"version": "2.0.0"}, max_requests=3)
    outcome = lab.apply(lab.plan(promote))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert len(lab.platform.sent) == 1


def test_a_lost_batch_of_a_promotion_is_settled_before_the_next(lab) -> None:
    """The second request's answer is lost; its record has one batch fewer, so it is ours, and the third follows."""
    cart = lab.platform.add("cart", status="GRAYING", candidate="2.0.0", batches=3)

    def lose_next(event) -> None:
        if event.type is EventType.ACTION_ACCEPTED and len(lab.platform.sent) == 1:
            cart.losses.append(LOST)

    lab.watch = lose_next
    promote = lab.action("cart", Verb.CONTINUE_DEPLOY, goal={"version": "2.0.0"}, max_requests=5)
    outcome = lab.apply(lab.plan(promote))
    assert outcome.endings() == {ACTION: EventType.ACTION_COMPLETE}
    assert len(lab.platform.sent) == 3


def test_an_interrupt_in_the_quiet_period_leaves_the_operation_open(lab) -> None:
    """The next run finds out; nothing is claimed."""
    lab.platform.add("cart", losses=[LOST])
    outcome = lab.apply(lab.plan(lab.scale("cart", 6)), stop_at=30)
    assert outcome.data(ACTION)["code"] == "outcome_unknown"
    [operation] = lab.snapshot.journal.operations.values()
    assert operation.type is EntryType.UNKNOWN
    assert operation.intent.baseline.values["replicas"] == 4


def test_an_intent_is_durable_before_the_request_and_the_job_right_after(lab) -> None:
    """Seen from the platform: when the request arrives, the journal names it; at the next look, its job."""
    lab.platform.add("cart")
    at_arrival: list[list[str]] = []
    inner = lab.platform._begin

    def begin(*arguments) -> None:
        at_arrival.append(entries(lab))
        inner(*arguments)

    lab.platform._begin = begin
    kinds = watch_journal(lab)
    lab.apply(lab.plan(lab.scale("cart", 6)))
    assert at_arrival == [["intent"]]
    assert kinds == ["intent", "accepted", "done"]


def test_a_checkpoint_keeps_what_is_open(lab) -> None:
    """Folding in the middle of a run shortens the journal to what has not ended, and the run goes on from there."""
    lab.platform.add("quick", job_s=20)
    lab.platform.add("slow", job_s=200)
    lab.platform.add("middle", job_s=60)
    seen: dict[str, list[str]] = {}

    def look(event) -> None:
        if event.type is EventType.STATE_SAVED:
            journal = fold_journal(lab.backend(lab.folder / "state.json").read_journal())
            seen[event.at] = [str(operation.address) for operation in journal.operations.values()]
            assert journal.is_folded

    lab.watch = look
    outcome = lab.apply(lab.plan(lab.scale("quick", 6), lab.scale("slow", 6), lab.scale("middle", 6)))
    assert set(outcome.endings().values()) == {EventType.ACTION_COMPLETE}
    assert ["shop/slow"] in seen.values()
    assert list(seen.values())[-1] == []


class CountingDisk(FileSystem):
    """Counts the bytes written to each file, by the first part of its name."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.journal: list[int] = []
        self.states = 0

    def create(self, path, mode=0o600) -> int:
        descriptor = super().create(path, mode)
        self.names[descriptor] = "state" if path.name.startswith("state.json.tmp-") else path.name
        return descriptor

    def open_at_end(self, path) -> int:
        descriptor = super().open_at_end(path)
        self.names[descriptor] = "journal"
        self.journal.append(0)
        return descriptor

    def write(self, descriptor, data) -> int:
        if self.names.get(descriptor) == "journal":
            self.journal[-1] += len(data)
        return super().write(descriptor, data)

    def sync_data(self, descriptor) -> None:
        """Durability costs time here, and is not counted."""

    def replace(self, source, target) -> None:
        self.states += target.name == "state.json"
        super().replace(source, target)


def test_keeping_an_ending_costs_the_same_however_many_there_were(lab) -> None:
    """A thousand actions, one after the other: bytes are appended for each, and the state is written now and then."""
    names = [f"c{number:04}" for number in range(1000)]
    for name in names:
        lab.platform.add(name, job_s=1.0, stale_s=0.1)
    disk = CountingDisk()
    lab.backend = lambda path: LocalBackend(path, files=disk)
    lab.limits = Limits(jobs_in_flight=1, poll_interval_s=1)
    outcome = lab.apply(lab.plan(*(lab.scale(name, 6) for name in names)))
    assert set(outcome.endings().values()) == {EventType.ACTION_COMPLETE}
    appended = [size for size in disk.journal if size]
    per_action = len(appended) // len(names)
    first, last = sum(appended[: per_action * 100]), sum(appended[-per_action * 100 :])
    assert abs(first - last) < first // 50, "the same bytes, but for numbers that have grown by a digit"
    assert disk.states <= 2 + outcome.ended_at / 30
