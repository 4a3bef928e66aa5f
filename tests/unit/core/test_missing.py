"""Whom to ask for by id before anything is called missing, and what an answer means."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from core_builders import record, see

from statetool.core.missing import MOST_QUESTIONS, ensure_gone, find_unlisted
from statetool.core.model import Application, Observed, Recorded
from statetool.core.selection import Selection
from statetool.errors import ListIncomplete

SHOP = Application("app-shop", "shop")
EVERYTHING = Selection()


def unlisted(
    recorded: Sequence[Recorded],
    observed: Sequence[Observed] = (),
    applications: Sequence[Application] = (SHOP,),
    selection: Selection = EVERYTHING,
) -> list[str]:
    """The addresses that are asked for."""
    found = find_unlisted({entry.address: entry for entry in recorded}, applications, observed, selection.choose(()))
    return [str(entry.address) for entry in found]


def test_what_is_listed_is_not_asked_for() -> None:
    """Nor is a component that is called something else by now: its id is there."""
    assert unlisted([record(), record(name="pay")], [see(), see(name="pay")]) == []
    assert unlisted([record()], [see(name="shop2/basket", component_id="id-shop-cart")]) == []


def test_every_recorded_component_that_its_application_does_not_list_is_asked_for() -> None:
    """In the order of the addresses; also one whose name another component has by now."""
    recorded = [record(name="pay"), record(), record(name="search")]
    assert unlisted(recorded, [see(name="search")]) == ["shop/cart", "shop/pay"]
    assert unlisted([record()], [see(component_id="another")]) == ["shop/cart"]


def test_of_an_application_that_is_not_listed_one_component_is_asked_for() -> None:
    """With the application its whole list is missing."""
    recorded = [record(name=name) for name in ("bank/b", "bank/a", "shop/cart")]
    assert unlisted(recorded) == ["bank/a", "shop/cart"]
    assert unlisted(recorded, applications=[]) == ["bank/a", "shop/cart"]


def test_only_what_is_selected_is_asked_for() -> None:
    """A plan about one component must not fail because of another."""
    recorded = [record(), record(name="pay")]
    assert unlisted(recorded, selection=Selection(targets=("shop/pay",))) == ["shop/pay"]
    assert unlisted(recorded, selection=Selection(excludes=("shop/*",))) == []


def test_the_number_of_questions_is_bounded() -> None:
    """A thousand components of one application that are gone cost a hundred requests, spread over all of them."""
    recorded = [record(name=f"c{number:03}") for number in range(1000)]
    asked = unlisted(recorded)
    assert asked == [f"shop/c{number:03}" for number in range(0, 1000, 1000 // MOST_QUESTIONS)]
    assert len(unlisted(recorded[: MOST_QUESTIONS + 1])) == MOST_QUESTIONS
    assert len(unlisted(recorded[:7])) == 7


def test_nobody_answers_and_all_is_as_the_lists_say() -> None:
    ensure_gone([record(), record(name="pay")], frozenset())
    ensure_gone([], frozenset({"somebody-else"}))


@pytest.mark.parametrize(("number", "words"), [(1, "shop/c0, which answers when"), (7, "shop/c4 and 2 more, which")])
def test_who_answers_is_named_with_what_to_do(number: int, words: str) -> None:
    """A few by name, and how many more."""
    asked = [record(name=f"c{n}") for n in range(9)]
    with pytest.raises(ListIncomplete) as caught:
        ensure_gone(asked, frozenset(entry.component_id for entry in asked[:number]))
    assert caught.value.code == "list_incomplete"
    assert words in caught.value.message
    assert caught.value.address == ("shop/c0" if number == 1 else None)
    assert caught.value.hint is not None
    assert "try again" in caught.value.hint
