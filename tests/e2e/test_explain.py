"""`explain` through the whole way: files, state and platform of one component, in words and as a document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from e2e_project import ProjectFolder, copy_example

from statetool.schema import validator

STAGING = ("explain", "shop/cart@staging", "--var", "cart_replicas=4")


@pytest.fixture
def shop(tmp_path: Path) -> ProjectFolder:
    """The example with one base, applied; staging then wants as many instances of cart as a variable says."""
    copy = copy_example("multi-environment", tmp_path / "shop")
    copy.call("sandbox", "seed", "seed.yaml")
    copy.call("apply", "--auto-approve")
    copy.edit("manifests/staging.yaml", "replicas: 3", "replicas: ${var.cart_replicas}")
    return copy


def document(shop: ProjectFolder, *arguments: str) -> Any:
    """What --json prints, which keeps to its schema."""
    told = shop.call(*arguments, "--json").document
    assert not [error.message for error in validator("explanation").iter_errors(told)]
    return told


def places(told: Any) -> dict[str, tuple[str, bool, list[dict[str, str]]]]:
    return {entry["path"]: (entry["origin"], entry["is_default"], entry["variables"]) for entry in told["written"]}


def test_values_from_base_overlay_defaults_and_variable(shop: ProjectFolder) -> None:
    """Each with its own file, line and column; a variable with its giver."""
    assert places(document(shop, *STAGING)) == {
        "labels.team": ("manifests/base.yaml:5:18", True, []),
        "lifecycle.drift": ("manifests/base.yaml:6:22", True, []),
        "version": ("manifests/base.yaml:9:14", False, []),
        "replicas": ("manifests/staging.yaml:6:15", False, [{"name": "cart_replicas", "given_by": "--var"}]),
    }
    given = places(document(shop, "explain", "shop/cart@staging", "--var-file", "load-test.yaml"))
    assert given["replicas"][2] == [{"name": "cart_replicas", "given_by": "load-test.yaml:3:16"}]
    assert "error[undefined_variable]" in shop.call("explain", "shop/cart@staging", code=1).err


def test_what_is_wanted_recorded_and_observed_and_what_follows(shop: ProjectFolder) -> None:
    """An edit: the cause, the action, its row, and what waits for it; in text the same."""
    told = document(shop, *STAGING)
    (replicas,) = [field for field in told["fields"] if field["field"] == "replicas"]
    assert (replicas["cause"], replicas["status"]) == ("manifest", "managed")
    assert replicas["values"] == [
        {"path": "replicas", "wanted": 4, "recorded": 3, "observed": 3, "cause": "manifest"},
    ]
    (action,) = told["actions"]
    assert (action["verb"], action["parameters"]) == ("scale", {"replica": 4})
    assert action["row"] == "another number is wanted than observed: scale"
    assert told["limits"]["needed_by"] == ["shop/search@staging"]
    assert told["recorded"]["run_id"]
    text = shop.run(*STAGING).out
    for line in (
        "shop/cart@staging   manifests/staging.yaml:5:3\n  Apply: 1 action (scale).",
        "replicas   4        3          3          manifest",
        "  replicas          manifests/staging.yaml:6:15   ${var.cart_replicas} from --var",
        "  labels.team       manifests/base.yaml:5:18      defaults",
        "  replicas         manifest      you changed the manifest: what is recorded is still observed",
        "  state, restart   not managed   no manifest writes it, what runs stays as it is",
        "  #1   scale replica=4      scale_up   ~30 s",
        "  #1   another number is wanted than observed: scale",
    ):
        assert line in text


def test_what_was_changed_outside_and_stays(shop: ProjectFolder) -> None:
    """Prod does not allow to put it back; staging does, by the default of the base."""
    shop.disturb("shop/search@prod", weight=50)
    shop.disturb("shop/search@staging", weight=10)
    given = ("--var", "cart_replicas=3")
    prod = document(shop, "explain", "shop/search@prod", *given)
    (left,) = prod["left_alone"]
    assert (left["path"], left["wish"], left["observed"]) == ("gray.weight", 20, 50)
    assert "lifecycle.drift of gray does not say correct" in left["row"]
    assert places(prod)["gray.weight"][0] == "manifests/prod.yaml:11:15"
    assert places(prod)["gray.version"][0] == "manifests/base.yaml:14:16"
    staging = document(shop, "explain", "shop/search@staging", *given)
    assert (staging["left_alone"], [a["verb"] for a in staging["actions"]]) == ([], ["modify_gray_rule"])


def test_nothing_is_written_and_nothing_sent(shop: ProjectFolder) -> None:
    """Not even what was seen."""
    before, sent = shop.state, shop.log()
    files = sorted(path.name for path in (shop.root / ".statetool").iterdir())
    shop.disturb("shop/cart@prod", replicas=9)
    shop.run(*STAGING)
    assert (shop.state, shop.log()) == (before, sent)
    assert sorted(path.name for path in (shop.root / ".statetool").iterdir()) == files


def test_an_address_that_is_not_clear_or_not_known(shop: ProjectFolder) -> None:
    """With what could be meant; without an environment where there is one of that name only."""
    given = ("--var", "cart_replicas=3")
    refused = shop.call("explain", "shop/cart", *given, code=1).err
    assert "error[ambiguous_component]: shop/cart names 2 components" in refused
    assert "write one of shop/cart@prod, shop/cart@staging" in refused
    refused = shop.call("explain", "shop/crat@prod", *given, code=1).err
    assert "error[component_not_found]" in refused
    assert "did you mean shop/cart@prod" in refused


def test_a_component_that_nobody_manages(project: ProjectFolder) -> None:
    """What is observed of it, also of its gray release, which no plan would look into."""
    project.seed(
        "applications: {shop: {environment: prod, components: {cart: {version: 1.4.2, replicas: 4}, "
        "search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}}}}\n"
    )
    project.manifest("application: shop\ncomponents: {cart: {replicas: 4}}\n")
    told = document(project, "explain", "shop/search")
    assert (told["address"], told["origin"], told["limits"], told["recorded"]) == ("shop/search@prod", None, None, None)
    values = {value["path"]: value["observed"] for field in told["fields"] for value in field["values"]}
    assert values["gray.version"] == "2.2.0"
    assert values["gray.weight"] == 10
    assert {field["status"] for field in told["fields"]} == {"not_managed"}
    assert "No manifest describes it" in project.call("explain", "shop/search@prod").out
