"""Which component an address of the command line means, from all sides."""

from __future__ import annotations

import pytest
from core_builders import address, record, see, want

from statetool.core.locating import find_one, locate
from statetool.core.model import Observed
from statetool.errors import StatetoolError

ROWS = [see(name="cart"), see(name="pay"), see(name="twice@prod"), see(name="twice@test")]


@pytest.mark.parametrize("text", ["shop/cart", "shop/cart@prod", "app-shop/cart", "app-shop/cart@env-prod"])
def test_names_and_ids_both_name_it(text: str) -> None:
    """Of application and environment."""
    assert find_one(address(text), ROWS) is ROWS[0]


def test_the_environment_tells_two_apart() -> None:
    """Without it there is no telling."""
    assert find_one(address("shop/twice@test"), ROWS) is ROWS[3]
    with pytest.raises(StatetoolError) as error:
        find_one(address("shop/twice"), ROWS)
    assert error.value.code == "ambiguous_component"
    assert error.value.hint == "write one of shop/twice@prod, shop/twice@test"


@pytest.mark.parametrize(
    ("text", "rows", "hint"),
    [("shop/cat", ROWS, "did you mean shop/cart?"), ("nobody/cart@prod", [], "`statetool plan --show-unmanaged`")],
)
def test_a_slip_is_told_with_what_is_near(text: str, rows: list[Observed], hint: str) -> None:
    """Or where to look."""
    with pytest.raises(StatetoolError) as error:
        find_one(address(text), rows)
    assert (error.value.code, error.value.address) == ("component_not_found", text)
    assert hint in str(error.value.hint)


def test_the_manifest_names_it_first_then_the_state_then_who_asked() -> None:
    """The record is found by the component's id, whatever it is called."""
    asked, seen = address("shop/cart@prod"), see(name="cart")
    moved = record(name="basket", component_id=seen.component_id)
    assert locate(asked, seen, (), ()).address == asked
    assert locate(asked, seen, (want(name="pay"),), (moved, record(name="pay"))).address == address("basket")
    located = locate(asked, seen, (want(name="pay"), want(name="cart")), (moved,))
    assert (located.address, located.recorded) == (address("cart"), moved)
    assert located.desired == want(name="cart")
