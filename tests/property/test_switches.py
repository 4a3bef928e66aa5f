"""Whatever the platform answers where its documents are silent, the same manifest ends the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from sandbox_worlds import NOT_HERE, Shop, Story, stories, switches

from statetool.core.diff import observed_state
from statetool.core.model import Address, Desired, VersionPicture, Wish
from statetool.core.picture import version_picture
from statetool.sandbox.switches import CHOICES, NAMES

Manifest = Sequence[Desired]


@dataclass(frozen=True)
class End:
    """How a story ended: what is refused by which name, what the state wishes, what the platform shows of it."""

    refused: frozenset[tuple[str, str]]
    failed: frozenset[str]
    wishes: Mapping[Address, Wish]
    shown: Mapping[str, tuple[VersionPicture | None, int | None, str | None]]


def end_of(story: Story, chosen: Mapping[str, Any]) -> End:
    """Apply, let others disturb, apply the edited manifest, and look."""
    first, second = story.manifests
    story = replace(story, seed={**story.seed, "sandbox": dict(chosen)})
    with story.shop() as shop:
        shop.apply(first)
        story.disturb(shop)
        plan, summary = shop.apply(second)
        refused = {(str(f.address), f.code) for f in plan.findings} | {(str(h.address), h.code) for h in plan.held_back}
        return End(
            frozenset(refused),
            frozenset(summary.failed),
            {address: recorded.wish for address, recorded in shop.recorded.items()},
            shown(shop, second),
        )


def shown(shop: Shop, manifest: Manifest) -> dict[str, tuple[VersionPicture | None, int | None, str | None]]:
    """The managed fields as observed; a number that nobody manages may be restored by one platform, not by another."""
    wishes = {desired.address.component: desired.wish for desired in manifest}
    values = {}
    for observed in shop.observe(manifest):
        wish = wishes.get(observed.address.component, Wish())
        recorded = shop.recorded.get(replace(observed.address, environment=None))
        values[observed.address.component] = (
            version_picture(observed, recorded) if wish.picture else None,
            observed.replicas if wish.replicas is not None else None,
            observed_state(observed) if wish.state else None,
        )
    return values


@settings(max_examples=150, deadline=None)
@given(stories(), switches(), switches())
def test_the_same_end_under_any_two_platforms(story: Story, one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two random combinations of the sandbox's switches: the same components come to the same values, the same wishes
    are recorded, and what is refused is refused by the same name."""
    assert end_of(story, one) == end_of(story, other)


def test_every_switch_is_drawn_or_named_as_not_here() -> None:
    """One that is added to the sandbox must be thought of here."""
    assert {*CHOICES, "job_seconds", "stale_ms", "token_seconds"} == set(NAMES)
    assert set(NAMES) >= NOT_HERE
