"""What holds for every generated shop on the sandbox, from manifest files to the requests in its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from budgets import bounded
from hypothesis import given
from hypothesis import strategies as st
from planned_worlds import selections
from sandbox_worlds import APPLICATION, NAMES, Shop, Story, load, stories
from status_table import allowed

from statetool.apply.operation import CONFLICT_RETRIES
from statetool.core.events import Event, EventType, RunSummary
from statetool.core.model import Address, Desired, Observed, Recorded, StatusClass, VersionPicture, Wish
from statetool.core.picture import seen_of, version_picture
from statetool.core.plan import Plan
from statetool.core.plan_document import plan_from_document, plan_to_document
from statetool.core.selection import Selection
from statetool.core.state import record_seen

Manifest = tuple[Desired, ...]


# Plan, apply, plan


def ensure_well_applied(shop: Shop, manifest: Manifest, **asked: Any) -> Plan:
    """Apply: everything of the plan is done, by requests that the plan holds and that the platform takes."""
    before = len(shop.log)
    plan, summary = shop.apply(manifest, **asked)
    ensure_all_done(plan, summary)
    ensure_only_planned_requests(shop, plan, before)
    return plan


def ensure_all_done(plan: Plan, summary: RunSummary) -> None:
    assert not summary.failed
    assert not (summary.stale or summary.skipped or summary.still_running)
    assert {*summary.done, *summary.satisfied} == {action.id for action in plan.actions}


def ensure_only_planned_requests(shop: Shop, plan: Plan, before: int) -> None:
    """No request is refused, none is sent that is not an action of the plan, none more often than it says, none in a
    status that forbids it, none before what it requires.

    A platform that still shows the pause after the release has ended is asked to go on, and says no: a few times, then
    the promotion is waited for. Those are the only requests that may be refused.
    """
    left = [(action.address.component, str(action.verb)) for action in plan.actions for _ in range(action.max_requests)]
    promoted: dict[tuple[str, str], int] = {}
    for entry in shop.log[before:]:
        verb = entry.body["action"] if entry.method == "POST" else "upgrade"
        sent = (shop.name_of(entry), verb)
        if entry.status_code == 200:
            left.remove(sent)
            promoted.setdefault(sent, 0)
            continue
        assert verb == "continue_deploy", entry
        promoted[sent] += 1
        assert promoted[sent] <= CONFLICT_RETRIES + 1
    assert len([entry for entry in shop.log[before:] if entry.status_code == 200]) <= plan.writes
    ensure_status_allows(shop, plan, before)
    ensure_in_order(plan, shop.events)


def ensure_status_allows(shop: Shop, plan: Plan, before: int) -> None:
    """By what anybody could see the moment before. A job that runs makes a component busy; only at the pause of a
    gray release the one that started it may run on."""
    assert len(shop.arrivals) == len(shop.log)
    for arrival in shop.arrivals[before:]:
        assert arrival.verb in allowed(arrival.status, plan.overrides), arrival
        assert arrival.job in (None, "SUCCEEDED", "FAILED") or arrival.status == "GRAYING", arrival


def ensure_in_order(plan: Plan, events: Sequence[Event]) -> None:
    """Nothing is sent before all that it requires has ended well."""
    requires = {action.id: action.requires for action in plan.actions}
    ended: set[str | None] = set()
    for event in events:
        if event.type is EventType.ACTION_ACCEPTED and event.action_id is not None:
            assert set(requires[event.action_id]) <= ended, event
        if event.type in (EventType.ACTION_COMPLETE, EventType.ACTION_SATISFIED):
            ended.add(event.action_id)


def ensure_settled(shop: Shop, manifest: Manifest, plan: Plan, **asked: Any) -> None:
    """Nothing is left but what the applied plan spoke of, and a second apply sends nothing and learns nothing."""
    sent = shop.log
    again, _ = shop.apply(manifest, **asked)
    assert (again.actions, again.changes) == ((), ())
    state = shop.state
    shop.apply(manifest, **asked)
    assert shop.state == state
    assert shop.log == sent
    for entry in (*again.held_back, *again.blocked, *again.left_alone, *again.denies):
        assert entry.address in unfinished(plan), entry


def unfinished(plan: Plan) -> set[Address | None]:
    """Components of which a plan says that something remains: denied, blocked, held back, left alone, warned of."""
    listed: Sequence[Any] = (*plan.held_back, *plan.blocked, *plan.left_alone, *plan.findings)
    return {entry.address for entry in listed}


@bounded(60)
@given(stories(disturbed=False))
def test_plan_apply_plan_is_empty(story: Story) -> None:
    """In a world where nobody else does anything, for a first apply and for an edited manifest."""
    with story.shop() as shop:
        for manifest in story.manifests:
            plan = ensure_well_applied(shop, manifest)
            ensure_settled(shop, manifest, plan)


@bounded(80)
@given(stories())
def test_plan_apply_plan_is_empty_whatever_others_did_before(story: Story) -> None:
    """The same after disturbances, with guards and overrides; and the state learns what is wished where, and only
    where, it came true. Numbers of instances that nobody manages do not go down, also where a version is changed."""
    first, second = story.manifests
    with story.shop() as shop:
        shop.apply(first)
        story.disturb(shop)
        before, instances = shop.recorded, {name: shop.look(name)[0]["replica"] for name in shop.names}
        plan = ensure_well_applied(shop, second, **story.asked)
        ensure_guards_kept(story, instances, {name: shop.look(name)[0]["replica"] for name in shop.names})
        ensure_right_wishes(before, shop.recorded, second, plan)
        ensure_drift_is_permitted(second, plan)
        for desired in second:
            if desired.wish.replicas is None:
                name = desired.address.component
                assert shop.look(name)[0]["replica"] >= instances[name], "a number nobody manages went down"
        ensure_settled(shop, second, plan, **story.asked)


def ensure_guards_kept(story: Story, before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """By what runs before and after: no component loses more instances than it may."""
    guards = story.guards
    for name, number in before.items():
        lost = max(0, number - after[name])
        if "max_scale_down" not in story.overrides and guards.max_scale_down is not None:
            assert lost * 100 <= guards.max_scale_down * number
        if "min_replicas" not in story.overrides and guards.min_replicas is not None:
            assert not lost or after[name] >= guards.min_replicas


def ensure_right_wishes(
    before: Mapping[Address, Recorded], after: Mapping[Address, Recorded], manifest: Manifest, plan: Plan
) -> None:
    blocked = {entry.address for entry in plan.blocked}
    for desired in manifest:
        old = before[desired.address].wish if desired.address in before else None
        if desired.address in blocked:
            assert (after[desired.address].wish if desired.address in after else None) == old
            continue
        new = after[desired.address].wish
        if desired.address not in unfinished(plan) and not desired.lifecycle.ignore:
            restart = desired.wish.restart or (old.restart if old else None)
            assert new == replace(desired.wish, restart=restart, deployed=new.deployed)
        for name in ("picture", "replicas", "state", "restart"):
            assert getattr(new, name) in (getattr(old or Wish(), name), getattr(desired.wish, name))


def ensure_drift_is_permitted(manifest: Manifest, plan: Plan) -> None:
    """What was changed outside is acted on only where the manifest says so."""
    may = {desired.address: desired.lifecycle.correct for desired in manifest}
    for change in plan.changes:
        for field in change.fields:
            if field.cause == "drift":
                assert {field.path, field.path.partition(".")[0], "version"} & may[change.address], field


def test_instances_that_a_rollback_takes_away_are_put_back() -> None:
    """The number is nobody's, so it stays what it was: restored by the conditional scale behind the rollback."""
    found = {"ant": {"version": "1.1.0", "history": ["1.0.0"], "replicas": 2}}
    seed = {"applications": {APPLICATION: {"environment": "prod", "components": found}}}
    with Shop({**seed, "sandbox": {"rollback_replicas": "restore"}}) as shop:
        shop.disturb("ant", replicas=5)
        plan = ensure_well_applied(
            shop, load({"application": APPLICATION, "components": {"ant": {"version": "1.0.0"}}})
        )
        assert [(str(action.verb), str(action.send_if)) for action in plan.actions] == [
            ("rollback", "always"),
            ("scale", "fewer"),
        ]
        assert [entry.body["action"] for entry in shop.log] == ["rollback", "scale"]
        assert shop.look("ant")[0]["replica"] == 5


# Others


@bounded(40)
@given(stories())
def test_what_is_not_in_the_plan_is_not_touched(story: Story) -> None:
    """No request for a component without an action, and none for a gray release that is somebody else's, unless
    the manifest says that a version which drifts is to be put back."""
    first, second = story.manifests
    with story.shop() as shop:
        shop.apply(first)
        story.disturb(shop)
        foreign = {o.address.component for o in shop.observe(second) if is_foreign(o, second, shop.recorded)}
        idle = set(shop.names) - {action.address.component for action in shop.plan(second).actions}
        before, looks = len(shop.log), {name: shop.look(name) for name in idle | foreign}
        shop.apply(second)
        assert not {shop.name_of(entry) for entry in shop.log[before:]} & (idle | foreign)
        assert looks == {name: shop.look(name) for name in idle | foreign}


def is_foreign(observed: Observed, manifest: Manifest, recorded: Mapping[Address, Recorded]) -> bool:
    key = Address(APPLICATION, observed.address.component)
    desired = next((entry for entry in manifest if entry.address == key), None)
    if observed.status_class is not StatusClass.GRAYING or desired is None:
        return False
    named: set[str | None] = set()
    for wish in (desired.wish, recorded[key].wish if key in recorded else Wish()):
        picture = wish.picture or VersionPicture(None)
        named |= {picture.stable, picture.gray.version if picture.gray else None}
    candidate = version_picture(observed, recorded.get(key)).gray
    return candidate is not None and candidate.version not in named and "version" not in desired.lifecycle.correct


# Two memories


@bounded(40)
@given(stories(), st.sampled_from(["normal", "drift"]), st.booleans())
def test_reading_never_changes_a_cause(story: Story, mode: Any, correct: bool) -> None:
    """Planning, looking for drift and recording what was seen, at any time and however often: the same plan
    afterwards. Drift can't be laundered."""
    first, second = story.manifests
    with story.shop() as shop:
        shop.apply(first)
        record_everything_seen(shop, second)
        story.disturb(shop)
        before = decided(shop.plan(second, mode=mode, correct=correct))
        shop.plan(first, mode="drift", correct=True)
        for _ in range(2):
            record_everything_seen(shop, second)
            assert decided(shop.plan(second, mode=mode, correct=correct)) == before


def record_everything_seen(shop: Shop, manifest: Manifest) -> None:
    """What a refresh does to the state."""
    state = shop.state
    if state is None:
        return
    for observed in shop.observe(manifest):
        key = Address(APPLICATION, observed.address.component)
        if key in state.components and (observed.closer or observed.status_class is not StatusClass.GRAYING):
            state = record_seen(state, key, seen_of(observed, state.components[key], "2027-01-15T07:00:00Z"))
    shop.store(state)


def decided(plan: Plan) -> dict[str, Any]:
    """The plan's document without its times, origins, and what it says of the state's own number."""
    document: dict[str, Any] = dict(plan_to_document(plan))
    for key in ("created_at", "checksum", "state", "api_cost"):
        del document[key]
    for entry in document["left_alone"]:
        del entry["last_right_at"], entry["first_wrong_at"]
    for entry in document["rejections"]:
        del entry["at"]
    # The instant of a version that was ended outside just now is told in its deny.
    for entry in (*document["findings"], *document["blocked"]):
        del entry["message"]
    return document


# Order of input


@bounded(25)
@given(stories(), st.randoms(use_true_random=False), selections)
def test_the_plan_is_the_same_for_any_order_of_files_and_components(
    story: Story, random: Any, selection: Selection
) -> None:
    """Components in any order, in one file or many, observed in any order, all of them or some. Only their places in
    files differ."""
    first, second = story.manifests
    entries = list(story.second["components"].items())
    random.shuffle(entries)
    cut = random.randint(0, len(entries))
    documents = [{"application": APPLICATION, "components": dict(part)} for part in (entries[:cut], entries[cut:])]
    with story.shop() as shop:
        shop.apply(first)
        story.disturb(shop)
        observed = list(shop.observe(second))
        asked = {**story.asked, "selection": selection}
        plan = shop.build(second, observed, **asked)
        random.shuffle(observed)
        # A dependency on a component of another document is written with its application.
        other = load(*[qualified(document) for document in documents])
        assert without_origins(shop.build(other, observed, **asked)) == without_origins(plan)
        assert plan_from_document(plan_to_document(plan)) == plan


def qualified(document: Mapping[str, Any]) -> dict[str, Any]:
    components = {}
    for name, entry in document["components"].items():
        needs = {"depends_on": [f"{APPLICATION}/{needed}" for needed in entry.get("depends_on", ())]}
        components[name] = {**entry, **needs}
    return {**document, "components": components}


def without_origins(plan: Plan) -> dict[str, Any]:
    bare = replace(plan, changes=tuple(replace(change, origin=None) for change in plan.changes))
    return dict(plan_to_document(bare))


# Saved plans


@bounded(40)
@given(stories())
def test_a_saved_plan_applied_twice_sends_nothing_the_second_time(story: Story) -> None:
    """Whatever it held. What a later action of the plan itself moved on from may be told as stale."""
    first, second = story.manifests
    with story.shop() as shop:
        shop.apply(first)
        story.disturb(shop)
        plan = plan_from_document(plan_to_document(shop.plan(second)))
        ensure_all_done(plan, shop.apply_saved(plan))
        sent, components = shop.log, shop.recorded
        summary = shop.apply_saved(plan)
        assert shop.log == sent
        assert not (summary.failed or summary.done or summary.still_running)
        assert {a: r.wish for a, r in shop.recorded.items()} == {a: r.wish for a, r in components.items()}


# Drift


@bounded(40)
@given(stories())
def test_correcting_drift_puts_back_what_it_may_and_edits_nothing(story: Story) -> None:
    """All its actions are done, no wish changes, and there is nothing left that it would do."""
    first, second = story.manifests
    with story.shop() as shop:
        shop.apply(first)
        story.disturb(shop)
        wishes = {address: recorded.wish for address, recorded in shop.recorded.items()}
        before = len(shop.log)
        plan, summary = shop.apply(second, mode="drift", correct=True)
        ensure_all_done(plan, summary)
        ensure_only_planned_requests(shop, plan, before)
        assert {address: recorded.wish for address, recorded in shop.recorded.items()} == wishes
        assert shop.plan(second, mode="drift", correct=True).actions == ()
        assert all(change.fields for change in plan.changes)
        assert {field.cause for change in plan.changes for field in change.fields} <= {"drift"}


# Jobs that fail


@bounded(40)
@given(stories(), st.sets(st.sampled_from(NAMES), min_size=1))
def test_a_failed_job_stops_what_depends_on_it_and_the_next_applies_go_on(story: Story, failing: set[str]) -> None:
    """Failures are those of the jobs that failed; no wish of theirs is recorded; then everything settles."""
    first, second = story.manifests
    with story.shop() as shop:
        shop.apply(first)
        story.disturb(shop)
        for name in sorted(failing & set(shop.names)):
            shop.disturb(name, fail_next_job="quota exceeded")
        before, wishes = len(shop.log), shop.recorded
        plan, summary = shop.apply(second)
        ensure_only_planned_requests(shop, plan, before)
        assert {action.address.component for action in plan.actions if action.id in summary.failed} <= failing
        for change in plan.changes:
            for update in change.updates:
                if set(update.after) & set(summary.failed):
                    name = "picture" if update.field == "version" else update.field
                    now = shop.recorded[change.address].wish
                    then = wishes[change.address].wish if change.address in wishes else Wish()
                    assert getattr(now, name) == getattr(then, name)
        for _ in range(3):
            shop.apply(second)
        assert not shop.plan(second).actions


# What generated worlds leave out, for nobody could foresee it


def test_a_rollback_that_nobody_could_foresee_to_be_refused_fails_alone() -> None:
    """A stranger's gray release was aborted in the console, which the records do not show: the platform refuses to
    go back once more. That fails as often as it is tried, the other component is done, and nothing else is sent."""
    found = {
        "ant": {"version": "1.1.0", "history": ["1.0.0"], "replicas": 2, "gray": {"version": "1.2.0", "weight": 5}},
        "bee": {"version": "1.1.0", "replicas": 1},
    }
    manifest = load({"application": APPLICATION, "components": {"ant": {"version": "1.0.0"}, "bee": {"replicas": 2}}})
    with Shop({"applications": {APPLICATION: {"environment": "prod", "components": found}}}) as shop:
        shop.disturb("ant", end_gray="rollback")
        for _ in range(2):
            before = shop.look("ant")
            _, summary = shop.apply(manifest)
            assert list(summary.failed) == ["shop/ant#1"]
            assert "cannot be rolled back again" in summary.failed["shop/ant#1"]
            assert shop.look("ant") == before
            assert shop.recorded[Address(APPLICATION, "ant")].wish.picture is None
        assert shop.recorded[Address(APPLICATION, "bee")].wish.replicas == 2
        assert {(shop.name_of(entry), entry.status_code) for entry in shop.log} == {("ant", 409), ("bee", 200)}
