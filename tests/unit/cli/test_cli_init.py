"""How names are given to `init --from-platform`, and to `import`."""

from __future__ import annotations

import pytest

from statetool.cli.import_ import parse_wanted
from statetool.cli.init import _spread
from statetool.errors import UsageError
from statetool.importing import Wanted


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dir", "dir"),
        ("dir --from-platform shop crm", "dir --from-platform=shop --from-platform=crm"),
        ("--from-platform shop --endpoint URL", "--from-platform=shop --endpoint URL"),
        ("-from-platform shop crm -endpoint URL", "--from-platform=shop --from-platform=crm -endpoint URL"),
        ("--from-platform", "--from-platform="),
        ("--from-platform --endpoint URL", "--from-platform= --endpoint URL"),
        ("--from-platform=shop", "--from-platform=shop"),
        ("-- --from-platform", "-- --from-platform"),
    ],
)
def test_any_number_of_names_behind_the_option(typed: str, meant: str) -> None:
    """Up to the next option; none at all asks for a list."""
    assert _spread(typed.split()) == meant.split()


def test_what_can_be_imported() -> None:
    """An application, a component of it, or that of one environment."""
    assert parse_wanted(["shop", "shop/cart", "shop/cart@prod"]) == [
        Wanted("shop"),
        Wanted("shop", "cart"),
        Wanted("shop", "cart", "prod"),
    ]


@pytest.mark.parametrize("name", ["", "/", "shop/", "/cart", "shop@prod", "shop/cart@", "shop/a/b", "shop/a@b@c", "@"])
def test_what_names_nothing(name: str) -> None:
    with pytest.raises(UsageError, match="names no application"):
        parse_wanted([name])
