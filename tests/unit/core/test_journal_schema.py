"""Entries of the journal as documents: they fit their schema, which names every key, and come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from statetool.core.journal import (
    CLOSING,
    Baseline,
    Entry,
    EntryType,
    Intent,
    PendingUpdate,
    RunNote,
    closing_entry,
    compact,
    entry_from_json,
    entry_to_json,
    fold_journal,
    intent_entry,
    known_component,
    run_entry,
)
from statetool.core.model import Address, Json, Ready, Recorded, VersionPicture, Wish
from statetool.core.plan import Action, Brought, Risk, SendIf, Verb, WishUpdate
from statetool.errors import StateUnreadable

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "journal.schema.json").read_text())
T0 = "2026-11-23T08:00:00Z"
CART = Address("shop", "cart")
ACTION = Action(
    id="shop/cart#1",
    address=CART,
    verb=Verb.UPGRADE,
    parameters={"version": "1.5.0", "env": {"PASSWORD": "hidden"}},
    reason="you changed the manifest",
    risk=Risk.VERSION_GRAY,
    requires=("shop/pay#1",),
    precondition={"status": "ready"},
    goal={"version": "1.5.0"},
    estimate_s=30,
    traffic_percent=10,
    send_if=SendIf.ALWAYS,
    max_requests=2,
    ready=Ready(60, 5),
    brings=(Brought("env.PASSWORD", "changed", None, None), Brought("resources", "changed", 1, 2)),
)
INTENT = Intent(
    "shop/cart#1/1/7",
    "r1",
    7,
    T0,
    ACTION,
    known_component(CART, "c1", "a1", None),
    Baseline("RUNNING", 4, "j0", T0, {"replicas": 4}, T0),
    (PendingUpdate(CART, WishUpdate("version", VersionPicture("1.5.0"), ("shop/cart#1",)), ("shop/pay#1",)),),
)
RECORD = Recorded(CART, "c1", "a1", None, Wish(replicas=4))
TOLD: dict[EntryType, dict[str, Json]] = {
    EntryType.ACCEPTED: {"job_id": None, "how": "answer"},
    EntryType.UNKNOWN: {"code": "outcome_unknown", "message": "no answer"},
    EntryType.STILL_RUNNING: {"job_id": "j1"},
    EntryType.PARKED: {"why": "an edge action", "evidence": {"jobs": []}},
    EntryType.REFUSED: {"code": "request_refused", "message": "no"},
    EntryType.NOT_ACCEPTED: {"why": "nothing new", "evidence": {}},
    EntryType.DONE: {},
    EntryType.FAILED: {"code": "job_failed", "message": "no"},
    EntryType.DIVERGED: {"code": "diverged", "message": "no"},
    EntryType.RESOLVED: {"did_run": True, "by": "ann@ci", "reason": "looked"},
}


def documents() -> list[dict[str, Json]]:
    """One entry of every type."""
    entries = [run_entry(RunNote("r1", "apply", 7, T0, 3, 1, "L")), intent_entry(INTENT)]
    for type_, data in TOLD.items():
        if type_ in CLOSING:
            entries.append(closing_entry(type_, INTENT.id, T0, 7, records=(RECORD,), data=data))
        else:
            entries.append(Entry(type_, T0, 7, INTENT.id, data))
    entries.append(closing_entry(EntryType.RECORDED, None, T0, 7, records=(RECORD,)))
    return [json.loads(json.dumps(entry_to_json(entry))) for entry in entries]


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and "$schema" not in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def test_every_entry_fits_the_schema_and_comes_back() -> None:
    """Also as it is kept when a journal is shortened."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    found = documents()
    assert {document["type"] for document in found} == set(EntryType)
    for document in found:
        validator.validate(document)
        assert entry_to_json(entry_from_json(document)) == document
    for last in range(2, 6):
        for document in compact(fold_journal([*found[:2], found[last]])):
            validator.validate(document)


def test_the_schema_names_every_key_that_is_written() -> None:
    """With additional keys forbidden, entries still fit."""
    schema = json.loads(json.dumps(SCHEMA), object_hook=_closed)
    # What a run note says is not told of an operation: there the two shapes stand side by side.
    schema["$defs"]["told"].pop("additionalProperties")
    assert set(schema["$defs"]["told"]["properties"]) == {"records"}.union(*TOLD.values())
    for document in documents():
        jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("at", ["yesterday", "2026-11-23T08:00:00"])
def test_an_entry_without_an_instant_makes_no_sense(at: str) -> None:
    """How long to wait for its request is counted from there."""
    with pytest.raises(StateUnreadable, match="entry 2 of the journal: at must be a UTC instant"):
        fold_journal([documents()[0], {**documents()[1], "at": at}])


@pytest.mark.parametrize("key", ["at", "fence", "data", "type", "operation"])
def test_what_lacks_a_key_does_not_fit(key: str) -> None:
    """For every type that has it."""
    for document in documents():
        if document.pop(key, None) is not None:
            assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
