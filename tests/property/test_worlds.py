"""What holds for every generated shop on the sandbox, from manifest files to the requests in its log."""

from __future__ import annotations

from hypothesis import given, settings
from sandbox_worlds import Shop, Story, stories

from statetool.core.model import Desired
from statetool.core.plan import Plan


def bounded(examples: int):
    return settings(max_examples=examples, deadline=None)


def ensure_well_applied(shop: Shop, manifest: tuple[Desired, ...], **asked) -> Plan:
    """Apply; everything of the plan is done, by requests that the plan holds and the platform takes."""
    sent_before = len(shop.log)
    plan, summary = shop.apply(manifest, **asked)
    sent = shop.log[sent_before:]
    assert not summary.failed
    assert not (summary.stale or summary.skipped or summary.still_running)
    assert [(shop.name_of(entry), entry.body, entry.status_code) for entry in sent if entry.status_code != 200] == []
    planned = [(a.address.component, str(a.verb)) for a in plan.actions for _ in range(a.max_requests)]
    for entry in sent:
        planned.remove((shop.name_of(entry), entry.body["action"]))
    return plan


def ensure_settled(shop: Shop, manifest: tuple[Desired, ...], plan: Plan) -> None:
    """Nothing is left but what the applied plan did not do, and a second apply sends nothing and learns nothing."""
    sent = shop.log
    again, _ = shop.apply(manifest)
    assert again.actions == ()
    assert again.changes == ()
    state = shop.state
    shop.apply(manifest)
    assert shop.state == state
    assert shop.log == sent
    unfinished = {entry.address for entry in (*plan.held_back, *plan.blocked, *plan.left_alone)}
    unfinished |= {finding.address for finding in plan.findings}
    for entry in (*again.held_back, *again.blocked, *again.left_alone, *again.denies):
        assert entry.address in unfinished, entry


@bounded(200)
@given(stories(disturbed=False))
def test_plan_apply_plan_is_empty(story: Story) -> None:
    first, second = story.manifests
    with story.shop() as shop:
        plan = ensure_well_applied(shop, first)
        ensure_settled(shop, first, plan)
        plan = ensure_well_applied(shop, second)
        ensure_settled(shop, second, plan)
