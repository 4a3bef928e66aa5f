"""The words of `refresh`, and its document."""

from __future__ import annotations

from render_golden import check_golden

from statetool.core.model import Address
from statetool.core.seen import SeenChange, Sightings, Unsettled
from statetool.render.seen import render_sightings, sightings_to_document
from statetool.schema import validator

CART, PAY, GONE = (Address("shop", name) for name in ("cart", "pay", "gone"))
AT = "2026-11-23T00:00:00Z"
RULE = [{"type": "header", "key": "x-user-tier", "condition": "equal", "value": "beta"}]
RICH = Sightings(
    changes=(
        SeenChange(CART, "replicas", 4, 9, AT),
        SeenChange(CART, "gray.weight", None, 20, AT),
        SeenChange(PAY, "status", None, "RUN\x1b[2JNING", None),
        SeenChange(PAY, "gray.rules", RULE, None, AT),
    ),
    seen={},
    missing=(GONE,),
    busy=(Unsettled(Address("shop", "slow"), "UPGRADING"),),
    unchanged=38,
    not_synced=(Unsettled(Address("shop", "slow"), "UPGRADING"), Unsettled(Address("shop", "off"), "STOPPED")),
    left_out=(Address("crm", "api"),),
)


def test_everything_at_once() -> None:
    """A line a value, what is left alone and why, the counts last."""
    check_golden("refresh.txt", render_sightings(RICH, width=100))


def test_nothing_to_tell() -> None:
    """One sentence."""
    assert render_sightings(Sightings((), {}, (), (), 3)) == "Refresh: 3 as last seen."
    assert render_sightings(Sightings((), {}, (), (), 0)) == "Refresh: nothing is recorded."


def test_the_document_keeps_to_its_schema() -> None:
    """Whether a state was written or not."""
    for serial in (None, 13):
        document = sightings_to_document(RICH, serial, "0.1.0")
        assert not list(validator("refresh").iter_errors(document))
        assert document["serial"] == serial
