"""The documents of one application: which names are used, how many there are, and what is left out of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from statetool.core.model import Address, Application, Observed
from statetool.core.plan import Finding
from statetool.manifest.drafting import Drafted, build_drafts
from statetool.manifest.writer import render_drafts

SHOP = Application("app-1", "shop")


def runs(name: str, environment: str | None = "prod", *, version: str = "1.0.0", id_: str | None = None) -> Observed:
    """A component that serves. The id of its environment is env-NAME."""
    return Observed(
        Address("shop", name, environment),
        id_ or f"id-{name}-{environment}",
        "app-1",
        f"env-{environment}" if environment else None,
        version,
        "RUNNING",
        2,
        2,
        "JOB-1",
        None,
    )


def draft(components: Iterable[Observed], *, application: Application = SHOP, only: bool = True) -> Drafted:
    every = list(components)
    return build_drafts(application, every, every, {}, fixed=False, is_only_of_its_name=only)


def shown(drafted: Drafted) -> list[tuple[str, str | None, list[str]]]:
    return [(d.application, d.environment, [entry.name for entry in d.entries]) for d in drafted.drafts]


def said(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, str(finding.address)) for finding in findings]


def test_one_document_without_environment_where_names_are_enough() -> None:
    """Also over several environments; sorted by name."""
    found = draft([runs("pay", "test"), runs("cart"), runs("ads", None)])
    assert shown(found) == [("shop", None, ["ads", "cart", "pay"])]
    assert found.addresses == {
        "id-ads-None": Address("shop", "ads"),
        "id-cart-prod": Address("shop", "cart"),
        "id-pay-test": Address("shop", "pay"),
    }
    assert found.findings == ()


def test_a_document_for_each_environment_where_one_name_is_in_several() -> None:
    """Of all components of the application: an address should look alike everywhere in it."""
    found = draft([runs("cart", "test"), runs("cart"), runs("pay")])
    assert shown(found) == [("shop", "prod", ["cart", "pay"]), ("shop", "test", ["cart"])]


def test_names_count_that_are_not_to_be_written() -> None:
    """`import shop/cart` of the new one: the other cart is there all the same."""
    components = [runs("cart"), runs("cart", "test")]
    found = build_drafts(SHOP, components, components[1:], {}, fixed=False)
    assert shown(found) == [("shop", "test", ["cart"])]


def test_an_environment_that_can_not_be_written_by_name_goes_by_its_id() -> None:
    """The platform allows names that no address can hold; and two environments may share one."""
    blank = replace(runs("cart", "a b"), environment_id="env-7")
    assert shown(draft([runs("cart"), blank]))[0] == ("shop", "env-7", ["cart"])
    other = replace(runs("cart"), environment_id="env-8", component_id="id-8")
    assert [d.environment for d in draft([runs("cart"), other]).drafts] == ["env-8", "env-prod"]


def test_what_no_environment_tells_apart_is_left_out() -> None:
    """Both of them: an address would mean two components. What is alone of its name stays."""
    found = draft([runs("cart", None), runs("cart", None, id_="id-2"), runs("pay", None)])
    assert shown(found) == [("shop", None, ["pay"])]
    assert said(found.findings) == [("not_writable", "shop/cart")] * 2
    assert "# left out: shop/cart: another component has the same name" in render_drafts(found.drafts, [])
    alone = draft([runs("cart", None), runs("cart")])
    assert shown(alone) == [("shop", "prod", ["cart"])]
    assert said(alone.findings) == [("not_writable", "shop/cart")]


def test_an_application_that_can_not_be_written_by_name_goes_by_its_id() -> None:
    """Because of its letters, or because another one is called the same."""
    assert shown(draft([runs("cart")], application=Application("app-1", "my shop")))[0][0] == "app-1"
    assert shown(draft([runs("cart")], only=False))[0][0] == "app-1"


def test_a_version_that_no_manifest_can_say_is_left_out() -> None:
    """With the reason in a comment; the others of the document are not touched by it."""
    found = draft([runs("cart", version="latest"), runs("pay")])
    assert shown(found) == [("shop", None, ["cart", "pay"])]
    assert said(found.findings) == [("not_writable", "shop/cart")]
    text = render_drafts(found.drafts, [])
    assert "  cart:\n    # version of component cart must be A.B.C or A.B.C.D in digits" in text
    assert text.endswith("    replicas: auto\n  pay:\n    version: 1.0.0\n    replicas: auto\n")


def test_a_component_that_no_manifest_can_name_is_left_out() -> None:
    """It keeps running, and nothing is said of it but a comment."""
    found = draft([runs("a\nb: x"), runs("pay")])
    assert shown(found) == [("shop", None, ["pay"])]
    assert [finding.code for finding in found.findings] == ["not_writable"]
    assert "  # left out: shop/a\\u000ab: x@prod: " in render_drafts(found.drafts, [])


def test_nothing_that_can_be_written_is_no_document() -> None:
    """Comments alone are no reason for a file."""
    found = draft([runs("a b")])
    assert (found.drafts, found.addresses) == ((), {})
    assert len(found.findings) == 1


def test_doubts_stand_beside_the_component() -> None:
    """The finding names the address of the manifest, the comment says the same."""
    found = draft([replace(runs("cart"), status="UPGRADING")])
    assert said(found.findings) == [("busy_component", "shop/cart")]
    assert "  cart:\n    # a job is moving it (status UPGRADING)" in render_drafts(found.drafts, [])
