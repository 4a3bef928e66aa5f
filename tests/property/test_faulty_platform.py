"""A platform that fails in every way it can: what is told is true, and nothing is sent twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_worlds import APPLICATION, Shop, Story, switches

from statetool.apply.operation import CONFLICT_RETRIES
from statetool.core.events import EventType, RunSummary
from statetool.core.model import Observed
from statetool.core.picture import observed_values
from statetool.core.plan import Plan, Verb
from statetool.errors import PlatformError
from statetool.sandbox import FaultKind

PARAMETERS: dict[FaultKind, st.SearchStrategy[dict[str, Any]]] = {
    FaultKind.THROTTLED: st.sampled_from([{}, {"retry_after_s": 7}]),
    FaultKind.HTTP_ERROR: st.fixed_dictionaries(
        {
            "status_code": st.sampled_from([500, 502, 503, 504]),
            "gateway": st.booleans(),
            "executed": st.booleans(),
        }
    ).filter(lambda chosen: not (chosen["gateway"] and chosen["executed"])),
    FaultKind.REFUSED: st.just({"seconds": 2}),
    FaultKind.RESET: st.fixed_dictionaries({"executed": st.booleans()}),
    FaultKind.HANG: st.fixed_dictionaries({"executed": st.booleans()}),
    FaultKind.SLOW_BODY: st.sampled_from([{"seconds": 2}, {"seconds": 200}]),
    FaultKind.CUT_BODY: st.just({}),
    FaultKind.TRUNCATED_JSON: st.just({}),
    FaultKind.HTML: st.just({}),
    FaultKind.WRONG_TYPE: st.just({}),
    FaultKind.JOB_FAILED: st.just({"message": "quota exceeded"}),
    FaultKind.JOB_ENDLESS: st.just({}),
    FaultKind.JOB_STATUS: st.just({"status": "PONDERING"}),
    FaultKind.COMPONENT_STATUS: st.just({"status": "PONDERING"}),
    FaultKind.NEVER_READY: st.just({}),
    FaultKind.CLOCK_SKEW: st.just({"seconds": 3600}),
}


@st.composite
def faults(draw: st.DrawFn) -> dict[str, Any]:
    """One thing that goes wrong a few times, for reads, for changing requests or for both."""
    kind = draw(st.sampled_from(sorted(PARAMETERS)))
    where = draw(st.sampled_from([{}, {"method": "GET"}, {"method": "POST"}, {"method": "POST"}]))
    times = {"after": draw(st.sampled_from([0, 0, 1, 4])), "times": draw(st.integers(1, 3))}
    return {"kind": str(kind), **where, **times, **draw(PARAMETERS[kind])}


def test_every_kind_of_fault_is_drawn() -> None:
    """But what others do at a moment, which every story draws for itself."""
    assert set(FaultKind) - set(PARAMETERS) == {FaultKind.DISTURB}


FOUND = {
    "grow": {"version": "1.0.0", "replicas": 2},
    "shrink": {"version": "1.0.0", "replicas": 5},
    "back": {"version": "1.1.0", "replicas": 3, "history": ["1.0.0"]},
    "shift": {"version": "1.0.0", "replicas": 3, "gray": {"version": "1.1.0", "weight": 10}},
    "promote": {"version": "1.0.0", "replicas": 3, "gray": {"version": "1.1.0", "weight": 10, "remaining_batches": 2}},
    "abort": {"version": "1.0.0", "replicas": 3, "gray": {"version": "1.1.0", "weight": 10}},
    "start": {"version": "1.0.0", "replicas": 2, "status": "STOPPED"},
    "stop": {"version": "1.0.0", "replicas": 2},
    "again": {"version": "1.0.0", "replicas": 2},
}
WANTED: dict[str, dict[str, Any]] = {
    "grow": {"replicas": 4},
    "shrink": {"replicas": 3},
    "back": {"version": "1.0.0"},
    "shift": {"version": "1.0.0", "gray": {"version": "1.1.0", "weight": 30}},
    "promote": {"version": "1.1.0"},
    "abort": {"version": "1.0.0"},
    "start": {"state": "running"},
    "stop": {"state": "stopped"},
    "again": {"restart": "2"},
}


@st.composite
def works(draw: st.DrawFn) -> Story:
    """Some of the components above and the verb each of them needs, on any platform. Nobody else does anything."""
    names = draw(st.lists(st.sampled_from(sorted(FOUND)), min_size=1, max_size=4, unique=True))
    found = {name: FOUND[name] for name in names}
    chosen = {**draw(switches()), "job_seconds": draw(st.sampled_from([0, 0.3, 6]))}
    return Story(
        seed={"applications": {APPLICATION: {"environment": "prod", "components": found}}, "sandbox": chosen},
        first={"application": APPLICATION, "components": {"again": {"restart": "1"}} if "again" in names else {}},
        outside=(),
        second={"application": APPLICATION, "components": {name: WANTED[name] for name in names}},
    )


@settings(max_examples=120, deadline=None)
@given(works(), st.lists(faults(), min_size=1, max_size=3))
def test_what_is_told_is_true_and_nothing_is_sent_twice(story: Story, wrong: list[dict[str, Any]]) -> None:
    """An action that is done shows its value; what was refused was not carried out; no accepted request comes twice,
    and none that is not in the plan. Where nobody can know, that is what is told."""
    first, second = story.manifests
    with story.shop() as shop:
        shop.apply(first)
        shop.sandbox.set_faults(wrong)
        before = len(shop.log)
        ended = _apply(shop, second)
        shop.sandbox.set_faults([])
        if ended is not None:
            ensure_nothing_twice(shop, ended[0], before)
            ensure_not_sent_is_true(shop, ended[0], before)
            ensure_done_is_true(shop, second, *ended)


def _apply(shop: Shop, manifest: Any) -> tuple[Plan, RunSummary] | None:
    """An apply; None where the platform could not even be looked at, which is an error and sends nothing."""
    before = len(shop.log)
    try:
        return shop.apply(manifest)
    except PlatformError as error:
        assert error.message
        assert not [entry for entry in shop.log[before:] if entry.job_id]
        return None


def ensure_nothing_twice(shop: Shop, plan: Plan, before: int) -> None:
    allowed = Counter[tuple[str, str]]()
    for action in plan.actions:
        allowed[action.address.component, str(action.verb)] += action.max_requests
    accepted = Counter((shop.name_of(entry), entry.body["action"]) for entry in shop.log[before:] if entry.job_id)
    assert accepted <= allowed
    tried = Counter((shop.name_of(entry), entry.body["action"]) for entry in shop.log[before:])
    assert set(tried) <= set(allowed)
    assert max(tried.values(), default=0) <= 5 * (CONFLICT_RETRIES + 1)


UNSURE = {"outcome_unknown", "job_failed", "diverged", "not_ready", "unverified"}
"""Codes of failures after which a request may have been carried out; all others say that it was not."""


def ensure_not_sent_is_true(shop: Shop, plan: Plan, before: int) -> None:
    """What failed with a refusal was not carried out."""
    accepted = {(shop.name_of(entry), entry.body["action"]) for entry in shop.log[before:] if entry.job_id}
    kept = [event for event in shop.events if event.type is EventType.ACTION_ACCEPTED]
    begun = {event.action_id for event in kept}
    for event in shop.events:
        if event.type is EventType.ACTION_ERRORED and event.data["code"] not in UNSURE and event.action_id not in begun:
            action = next(action for action in plan.actions if action.id == event.action_id)
            assert (action.address.component, str(action.verb)) not in accepted, event


def ensure_done_is_true(shop: Shop, manifest: Any, plan: Plan, summary: RunSummary) -> None:
    """The last done action of each component: its goal is what the platform shows."""
    seen: dict[str, Observed] = {o.address.component: o for o in shop.observe(manifest)}
    last = {action.address: action for action in plan.actions if action.id in summary.done}
    moved_on = {a.address for a in plan.actions if a.id in summary.failed or a.id in summary.still_running}
    for address, action in last.items():
        if address in moved_on or action.verb is Verb.RESTART:
            continue
        values = observed_values(seen[address.component], shop.recorded.get(address))
        assert {path: values.get(path) for path in action.goal} == action.goal
