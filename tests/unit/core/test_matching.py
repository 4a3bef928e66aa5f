"""Which desired component is which recorded and which observed one."""

from __future__ import annotations

import pytest
from core_builders import address, code_of, record, see, want, wish

from statetool.core.matching import Matching, Pair, match_components
from statetool.core.model import Desired, Observed, Recorded


def match(desired: list[Desired], recorded: list[Recorded], observed: list[Observed]) -> Matching:
    return match_components(desired, {entry.address: entry for entry in recorded}, observed)


def only(matching: Matching) -> Pair:
    [pair] = matching.pairs
    return pair


def codes(pair: Pair) -> list[str]:
    return [code_of(finding) for finding in pair.findings]


@pytest.mark.parametrize(
    "name",
    ["shop/cart", "shop/cart@prod", "app-shop/cart", "app-shop/cart@env-prod", "shop/cart@env-prod"],
)
def test_an_address_may_use_names_or_ids(name: str) -> None:
    """Of the application and of the environment."""
    pair = only(match([want(name=name)], [], [see()]))
    assert pair.observed == see()
    assert pair.findings == ()


def test_desired_recorded_and_observed_are_paired_by_address() -> None:
    pair = only(match([want()], [record(wish(replicas=4))], [see(), see(name="pay")]))
    assert (pair.recorded, pair.observed, pair.moved_from) == (record(wish(replicas=4)), see(), None)


# Not found


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("crat", "did you mean cart?"),
        ("shop2/cart", "no component in an application shop2"),
        ("warehouse", "does not create them"),
    ],
    ids=["a near name", "no such application", "nothing like it"],
)
def test_a_component_that_is_not_there_is_denied(name: str, hint: str) -> None:
    """statetool runs components; it does not create them."""
    pair = only(match([want(name=name)], [], [see()]))
    assert (pair.observed, codes(pair)) == (None, ["COMPONENT_NOT_FOUND"])
    assert hint in (pair.findings[0].hint or "")


def test_a_recorded_component_that_is_gone_is_denied_the_same() -> None:
    """And stays recorded: it is still in the manifests."""
    matching = match([want()], [record()], [see(name="pay")])
    assert codes(only(matching)) == ["COMPONENT_NOT_FOUND"]
    assert matching.left_manifest == ()


def test_a_recorded_component_that_has_another_name_by_now_is_said_to_have_it() -> None:
    """Or whose application has. Written down under that name, it is a move, and keeps its record."""
    renamed = see(name="store/basket", component_id="id-shop-cart")
    pair = only(match([want()], [record()], [renamed]))
    assert codes(pair) == ["COMPONENT_NOT_FOUND"]
    assert "is called store/basket@prod by now" in (pair.findings[0].hint or "")
    moved = only(match([want(name="store/basket")], [record()], [renamed]))
    assert (moved.recorded, moved.moved_from) == (record(), record().address)


def test_the_wrong_environment_is_not_found() -> None:
    assert codes(only(match([want(name="shop/cart@test")], [], [see()]))) == ["COMPONENT_NOT_FOUND"]


# Ambiguous, twice


def twins() -> list[Observed]:
    return [see(component_id="id-1"), see(name="shop/cart@test", component_id="id-2")]


def test_one_name_in_two_environments_is_ambiguous() -> None:
    """Guessing would change the wrong one."""
    pair = only(match([want()], [], twins()))
    assert (pair.observed, codes(pair)) == (None, ["AMBIGUOUS_COMPONENT"])
    assert "prod, test" in pair.findings[0].message
    assert "environment:" in (pair.findings[0].hint or "")


def test_an_environment_tells_them_apart() -> None:
    matching = match([want(name="shop/cart@prod"), want(name="shop/cart@test")], [], twins())
    assert [pair.observed.component_id for pair in matching.pairs if pair.observed] == ["id-1", "id-2"]


def test_two_addresses_of_one_component_are_both_denied() -> None:
    """Which of the two wishes counts is not for statetool to say."""
    matching = match([want(name="shop/cart"), want(name="shop/cart@prod")], [], [see()])
    assert [codes(pair) for pair in matching.pairs] == [["SAME_COMPONENT_TWICE"], ["SAME_COMPONENT_TWICE"]]
    assert all(pair.observed is None for pair in matching.pairs)
    assert "shop/cart@prod" in matching.pairs[0].findings[0].message


@pytest.mark.parametrize(
    ("desired", "observed"),
    [
        ([want(name="shop/cart")], twins()),
        ([want(name="shop/cart"), want(name="app-shop/cart")], [see(component_id="id-1")]),
    ],
    ids=["ambiguous", "twice"],
)
def test_what_is_meant_unclearly_is_neither_forgotten_nor_unmanaged(desired, observed) -> None:
    """The manifests still speak of it: a slip in an address must not cost the record."""
    matching = match(desired, [record(name="shop/cart@prod", component_id="id-1")], observed)
    assert all(pair.observed is None for pair in matching.pairs)
    assert (matching.left_manifest, matching.unmanaged) == ((), ())


# Moved, replaced


def test_a_changed_address_with_the_same_id_is_a_move() -> None:
    """The record is kept, whatever the component is called by now."""
    old = record(wish(replicas=4), name="shop/cart")
    matching = match([want(name="shop/cart@prod")], [old], [see()])
    pair = only(matching)
    assert (pair.recorded, pair.moved_from) == (old, address("shop/cart"))
    assert matching.left_manifest == ()


def test_the_same_address_with_a_new_id_is_adopted_anew() -> None:
    """What was recorded belongs to a component that no longer exists."""
    pair = only(match([want()], [record(component_id="id-old")], [see(component_id="id-new")]))
    assert (pair.recorded, codes(pair)) == (None, ["component_replaced"])
    assert pair.observed == see(component_id="id-new")


def test_a_record_whose_address_is_still_desired_is_not_moved_away() -> None:
    """shop/cart is in the manifests, so its record stays its own."""
    matching = match(
        [want(name="shop/cart"), want(name="shop/basket")],
        [record(name="shop/cart", component_id="id-1")],
        [see(name="shop/cart", component_id="id-2"), see(name="shop/basket", component_id="id-1")],
    )
    assert [pair.moved_from for pair in matching.pairs] == [None, None]


# What nobody desires


def test_a_record_whose_component_left_the_manifests() -> None:
    matching = match([want(name="pay")], [record(name="cart"), record(name="pay")], [see(), see(name="pay")])
    assert [entry.address for entry in matching.left_manifest] == [address("cart")]
    assert matching.unmanaged == ()


def test_a_component_neither_desired_nor_recorded_is_unmanaged() -> None:
    matching = match([want()], [], [see(name="zoo"), see(), see(name="pay")])
    assert [str(entry.address) for entry in matching.unmanaged] == ["shop/pay@prod", "shop/zoo@prod"]


def test_the_order_of_input_does_not_matter() -> None:
    desired = [want(name=name) for name in ("zoo", "cart", "pay")]
    observed = [see(name=name) for name in ("pay", "zoo", "cart", "other")]
    recorded = [record(name=name) for name in ("old2", "cart", "old1")]
    assert match(desired, recorded, observed) == match(desired[::-1], recorded[::-1], observed[::-1])
