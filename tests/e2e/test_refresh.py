"""`statetool refresh`: what is seen now is shown and written down, and no wish changes by it."""

from __future__ import annotations

import pytest
from e2e_project import QUICK, ProjectFolder

SEED = (
    QUICK
    + """\
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
      pay: {version: 3.0.1, replicas: 4}
"""
)
MANIFEST = """\
application: shop
components:
  cart: {version: 1.4.2, replicas: 4}
  search: {version: 2.1.0, gray: {version: 2.2.0, weight: 10}}
  pay: {replicas: 4}
"""


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    project.configure()
    project.seed(SEED)
    project.manifest(MANIFEST)
    project.call("apply", "--auto-approve")
    return project


def test_what_moved_is_shown_and_written_down_and_drift_stays_drift(shop: ProjectFolder) -> None:
    """Numbers and gray rules; what `drift` and `plan` say before and after is the same."""
    shop.disturb("shop/pay", replicas=9)
    shop.disturb("shop/search", weight=40)
    before = {address: entry["wish"] for address, entry in shop.state["components"].items()}
    drift = shop.call("drift", "--json", code=2).document["left_alone"]
    out = shop.call("refresh", "--auto-approve").out
    assert "shop/pay" in out
    assert "4 -> 9" in out
    assert "10 % -> 40 %" in out
    state = shop.state["components"]
    assert (state["shop/pay"]["seen"]["replicas"], state["shop/search"]["seen"]["gray"]["weight"]) == (9, 40)
    assert {address: entry["wish"] for address, entry in state.items()} == before
    after = shop.call("drift", "--json", code=2).document["left_alone"]
    assert [(d["address"], d["path"], d["wish"], d["observed"]) for d in after] == [
        (d["address"], d["path"], d["wish"], d["observed"]) for d in drift
    ]
    assert shop.log() == []


def test_a_second_refresh_changes_nothing(shop: ProjectFolder) -> None:
    """Not even the serial."""
    shop.disturb("shop/pay", replicas=9)
    shop.call("refresh", "--auto-approve")
    stored = (shop.root / ".statetool/state.json").read_bytes()
    assert "Everything was seen so already." in shop.call("refresh", "--auto-approve").out
    assert (shop.root / ".statetool/state.json").read_bytes() == stored


def test_a_selection_leaves_the_rest_as_it_was(shop: ProjectFolder) -> None:
    """Neither looked at nor written down."""
    shop.disturb("shop/pay", replicas=9)
    shop.disturb("shop/cart", replicas=9)
    shop.call("refresh", "--auto-approve", "--exclude", "shop/cart")
    seen = {address: entry["seen"]["replicas"] for address, entry in shop.state["components"].items()}
    assert (seen["shop/pay"], seen["shop/cart"]) == (9, 4)


def test_the_platform_looks_first_where_that_is_wanted(shop: ProjectFolder) -> None:
    """A batch for the workloads, then one request a component for its instances; a gray release is not disturbed."""
    shop.call("refresh", "--auto-approve", "--sync-workload")
    sent = [(entry.method, entry.path.rpartition("/")[2]) for entry in shop.log()]
    assert sent == [("POST", "action"), ("PUT", "refresh"), ("PUT", "refresh")]
    assert {entry.status_code for entry in shop.log()} <= {200, 202}


def test_what_is_gone_is_told_and_kept(shop: ProjectFolder) -> None:
    """Whether to forget it is a question for the manifests."""
    shop.seed(SEED.replace("      pay: {version: 3.0.1, replicas: 4}\n", ""))
    out = shop.call("refresh", "--auto-approve").out
    assert "Gone from the platform" in out
    assert "shop/pay" in shop.call("state", "list").out


def test_nobody_is_asked_where_nothing_moved(shop: ProjectFolder) -> None:
    """And without a terminal or a flag nothing is begun."""
    assert "no terminal" in shop.call("refresh", code=64).err
