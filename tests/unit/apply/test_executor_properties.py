"""Random plans on random platforms: what holds for every run, whatever goes wrong."""

import tempfile
from collections import Counter
from pathlib import Path

from budgets import bounded
from hypothesis import given
from hypothesis import strategies as st

from statetool.apply.run import Limits
from statetool.core.events import EventType
from statetool.core.plan import Risk, WishUpdate
from statetool.errors import OutcomeUnknown, RequestRefused, ServerFailed, StateConflictOnPlatform, Unreachable

TROUBLES = (
    "none",
    "none",
    "none",
    "job",
    "refused",
    "conflict",
    "lost",
    "stale",
    "slow",
    "unready",
    "there",
    "busy",
    "flaky",
)
RISKS = (Risk.SCALE_UP, Risk.SCALE_DOWN, Risk.RESTART)
BAD = frozenset({"job", "refused", "lost", "stale", "slow", "unready", "busy"})


@st.composite
def worlds(draw: st.DrawFn):
    """Up to eight components, each with a trouble, one or two scale actions, and requirements backwards only."""
    size = draw(st.integers(1, 8))
    components = []
    for n in range(size):
        components.append(
            {
                "trouble": draw(st.sampled_from(TROUBLES)),
                "actions": draw(st.integers(1, 2)),
                "risk": draw(st.sampled_from(RISKS)),
                "job_s": draw(st.sampled_from([1, 20, 130])),
                "requires": draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set(),
            }
        )
    limits = Limits(
        parallelism=draw(st.integers(1, 4)),
        jobs_in_flight=draw(st.integers(1, 6)),
        max_failures=draw(st.sampled_from([1, 3, 99])),
        parallelism_of=draw(st.dictionaries(st.sampled_from(["scale", *RISKS]), st.integers(1, 3), max_size=3)),
    )
    return components, limits


def kind_of(risk: Risk, limits: Limits) -> str:
    """The limit that an action of that risk is under."""
    if risk in limits.parallelism_of:
        return str(risk)
    return "scale" if risk is not Risk.RESTART and "scale" in limits.parallelism_of else "default"


def build(lab_type, folder: Path, components, limits):
    """A laboratory with these components, and the plan for them."""
    lab = lab_type(folder, limits=limits)
    actions, updates = [], {}
    for n, drawn in enumerate(components):
        name, trouble = f"c{n}", drawn["trouble"]
        component = lab.platform.add(name, job_s=drawn["job_s"], kind=kind_of(drawn["risk"], limits))
        wanted = [6 + k for k in range(drawn["actions"])]
        if trouble == "job":
            component.job_status = "FAILED"
        elif trouble == "refused":
            component.refusals.append(RequestRefused("quota"))
        elif trouble == "conflict":
            component.refusals.extend([StateConflictOnPlatform("busy")] * 2)
        elif trouble == "lost":
            component.losses.append(OutcomeUnknown("lost"))
        elif trouble == "slow":
            component.job_s = 4000
        elif trouble == "unready":
            component.ready_after_s = 4000
        elif trouble == "there":
            component.set(replicas=wanted[0], available_replicas=wanted[0])
        elif trouble == "busy":
            component.set(status="UPGRADING")
        elif trouble == "flaky":
            component.job_errors.extend([Unreachable("dns"), ServerFailed("500")])
        requires = [f"shop/c{other}#{components[other]['actions']}" for other in sorted(drawn["requires"])]
        for k, replicas in enumerate(wanted, start=1):
            precondition = {"replicas": 1} if trouble == "stale" and k == 1 else {}
            actions.append(
                lab.scale(name, replicas, k, requires=requires, precondition=precondition, risk=drawn["risk"])
            )
            requires = [actions[-1].id]
        ids = tuple(action.id for action in actions if action.address.component == name)
        updates[name] = (WishUpdate("replicas", wanted[-1], ids),)
    return lab, lab.plan(*actions, updates=updates)


def check(lab, plan, outcome, components) -> None:
    """What holds for every run."""
    assert outcome.error is None
    endings = outcome.endings()
    assert set(endings) == {action.id for action in plan.actions}

    # At most one request each; only what surely was not executed is sent again.
    conflicts = {f"c{n}" for n, drawn in enumerate(components) if drawn["trouble"] == "conflict"}
    sent = Counter((s.component, s.parameters["replica"]) for s in lab.platform.sent)
    assert all(count == 1 for (name, _), count in sent.items() if name not in conflicts)
    assert all(count <= 3 for count in sent.values())

    # Nothing is sent before what it requires is done or satisfied.
    good = {EventType.ACTION_COMPLETE, EventType.ACTION_SATISFIED}
    position = {e.action_id: n for n, e in enumerate(outcome.events) if e.type in good}
    accepted = {e.action_id: n for n, e in enumerate(outcome.events) if e.type is EventType.ACTION_ACCEPTED}
    for action in plan.actions:
        if action.id in accepted:
            assert all(position.get(other, 10**9) < accepted[action.id] for other in action.requires)

    # A bad ending skips what requires it, naming an action that ended badly itself; the limits hold.
    for action in plan.actions:
        if endings[action.id] is EventType.ACTION_SKIPPED:
            because = outcome.data(action.id)["because"]
            assert because in ("max_failures", "interrupted") or endings[because] not in good | {
                EventType.ACTION_SKIPPED
            }
        elif endings[action.id] in good:
            assert all(endings[other] in good for other in action.requires)
    allowed = {"default": lab.limits.parallelism, **lab.limits.parallelism_of}
    assert all(most <= allowed[kind] for kind, most in lab.platform.most_preparing_of.items())

    # Serials grow one by one; a wish is recorded exactly where all its actions ended well.
    serials = [event.data["serial"] for event in outcome.of(EventType.STATE_SAVED)]
    assert serials == list(range(1, len(serials) + 1))
    assert outcome.state.serial == len(serials)
    for n in range(len(components)):
        ids = [action.id for action in plan.actions if action.address.component == f"c{n}"]
        wished = lab.recorded(f"c{n}").wish.replicas is not None
        assert wished is all(endings[id_] in good for id_ in ids)


@bounded(40)
@given(worlds())
def test_every_run_keeps_the_rules(lab_type, world) -> None:
    """Random requirements, troubles and limits."""
    components, limits = world
    with tempfile.TemporaryDirectory() as folder:
        lab, plan = build(lab_type, Path(folder), components, limits)
        outcome = lab.apply(plan)
        check(lab, plan, outcome, components)
        if limits.max_failures > len(plan.actions):
            expected = {f"shop/c{n}#1" for n, drawn in enumerate(components) if drawn["trouble"] in BAD}
            failed = {id_ for id_, ending in outcome.endings().items() if ending is not EventType.ACTION_SKIPPED}
            failed -= {e.action_id for e in outcome.of(EventType.ACTION_COMPLETE, EventType.ACTION_SATISFIED)}
            assert failed <= expected


@bounded(40)
@given(worlds(), st.floats(0, 400))
def test_every_interrupted_run_keeps_them_too(lab_type, world, stop_at) -> None:
    """Stopped at any moment: the same rules, and every job that was accepted is told."""
    components, limits = world
    with tempfile.TemporaryDirectory() as folder:
        lab, plan = build(lab_type, Path(folder), components, limits)
        outcome = lab.apply(plan, stop_at=stop_at)
        check(lab, plan, outcome, components)
        told = {event.data["job_id"] for event in outcome.of(EventType.ACTION_ACCEPTED)}
        lost = {
            lab.platform.components[f"id-c{n}"].observed.last_job_id
            for n, d in enumerate(components)
            if d["trouble"] == "lost"
        }
        assert set(lab.platform.jobs) - lost <= told


@bounded(30)
@given(worlds())
def test_a_second_run_of_a_plan_that_went_well_sends_nothing(lab_type, world) -> None:
    """Everything is satisfied, and the state stays as it is."""
    components, limits = world
    for drawn in components:
        drawn["trouble"] = "none" if drawn["trouble"] in BAD else drawn["trouble"]
        drawn["actions"] = 1
    with tempfile.TemporaryDirectory() as folder:
        lab, plan = build(lab_type, Path(folder), components, limits)
        first = lab.apply(plan)
        lab.platform.sent.clear()
        second = lab.apply(plan)
        assert set(second.endings().values()) <= {EventType.ACTION_SATISFIED}
        assert lab.platform.sent == []
        assert second.state == first.state
