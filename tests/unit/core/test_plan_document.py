"""The plan's document: exact both ways, described by its schema, and refused where a part was changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from statetool.core.model import Address, ContentRule, Gray, GrayRule, Json, Ready, Rejection, VersionPicture
from statetool.core.plan import (
    Action,
    Blocked,
    Cause,
    Change,
    Counts,
    FieldChange,
    Finding,
    HeldBack,
    Kind,
    LeftAlone,
    Plan,
    RejectionSeen,
    Risk,
    SendIf,
    Verb,
    WishUpdate,
    fingerprint,
)
from statetool.core.plan_document import checksum, plan_from_document, plan_to_document
from statetool.errors import PlanFileError, SourceMark

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "plan.schema.json").read_text())
CART, SEARCH, PAY = Address("shop", "cart"), Address("shop", "search", "prod"), Address("shop", "pay")
T0, T1 = "2026-11-23T08:00:00Z", "2026-11-23T08:32:00Z"
RULES = frozenset({ContentRule("header", "x-tier", "equal", "beta")})


def action(n: int, verb: Verb, risk: Risk, **other: Any) -> Action:
    """An action on the cart."""
    values: dict[str, Any] = {
        "parameters": {},
        "reason": "you changed the manifest",
        "requires": (),
        "precondition": {"status": "ready"},
        "goal": {},
        "estimate_s": 30,
    }
    return Action(id=f"shop/cart#{n}", address=CART, verb=verb, risk=risk, **{**values, **other})


def full_plan() -> Plan:
    """A plan in which every key of the format is used."""
    update = Change(
        CART,
        "c1",
        "a1",
        None,
        Kind.UPDATE,
        SourceMark("manifests/a:b.yaml", 9, 3),
        (
            FieldChange("version", "1.4.2", "1.4.1", Cause.MANIFEST),
            FieldChange("replicas", 4, 6, Cause.BOTH, 5),
        ),
        ("shop/cart#1", "shop/cart#2", "shop/cart#3"),
        (
            WishUpdate("version", VersionPicture("1.4.1"), ("shop/cart#1",)),
            WishUpdate("replicas", 6, ("shop/cart#2",)),
            WishUpdate("restart", None),
            WishUpdate("state", "running"),
        ),
    )
    gray = Gray("2.2.0", GrayRule(match="any", rules=RULES))
    move = Change(
        SEARCH,
        "c2",
        "a1",
        "e1",
        Kind.MOVE,
        SourceMark("m.yaml", 1, 1),
        updates=(WishUpdate("version", VersionPicture("2.1.0", gray)),),
        moved_from=Address("shop", "find", "prod"),
    )
    forget = Change(PAY, "c3", "a1", None, Kind.FORGET, None)
    return Plan(
        mode="normal",
        created_at=T0,
        endpoint="http://127.0.0.1:9000",
        project_id="0" * 32,
        lineage="6f9c",
        serial=12,
        tool_version="0.1.0",
        changes=(update, move, forget),
        actions=(
            action(1, Verb.ROLLBACK, Risk.REVERT, parameters={"version": "1.4.1"}, goal={"version": "1.4.1"}),
            action(2, Verb.SCALE, Risk.SCALE_UP, requires=("shop/cart#1",), send_if=SendIf.FEWER, ready=Ready(9, 1)),
            action(3, Verb.CONTINUE_DEPLOY, Risk.TRAFFIC, traffic_percent=100, max_requests=3),
        ),
        held_back=(HeldBack(PAY, "replicas", "busy", "a job is running", "wait"),),
        left_alone=(
            LeftAlone(PAY, "replicas", 4, 10, None, T1, permission="replicas"),
            LeftAlone(PAY, "version", "1", "2", T0, T1, kept_by=Finding("deep_rollback", "deny", "2 versions before")),
        ),
        blocked=(Blocked(PAY, "version_rejected", "2.2.0 was rolled back"),),
        findings=(
            Finding("version_rejected", "deny", "2.2.0 was rolled back", "name another version", PAY),
            Finding("share", "warn", "many"),
        ),
        rejections=(RejectionSeen(PAY, Rejection("2.2.0", T0, "outside", "ended outside", "J1")),),
        counts=Counts(38, 1, 2),
        unmanaged=(Address("shop", "x"), Address("shop", "y")),
        reads=4,
        overrides=("deep_rollback",),
        left_out=(Address("shop", "z"),),
    )


def document_of(plan: Plan) -> dict[str, Any]:
    """The document as another program gets it: through JSON text."""
    document: dict[str, Any] = json.loads(json.dumps(plan_to_document(plan)))
    return document


def test_a_plan_comes_back_exactly() -> None:
    """Everything apply needs survives the way through a file."""
    assert plan_from_document(document_of(full_plan())) == full_plan()


def test_an_empty_plan_comes_back_exactly() -> None:
    """Nothing to do is a plan as well."""
    empty = Plan("drift", T0, "sandbox:w.json", "p", "l", 0, "0.1.0")
    assert plan_from_document(document_of(empty)) == empty
    assert document_of(empty)["can_apply"] is False


def test_the_document_fits_its_schema_and_the_schema_names_every_key() -> None:
    """Also when additional keys are forbidden."""
    document = document_of(full_plan())
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    closed = json.loads(json.dumps(SCHEMA), object_hook=_closed)
    jsonschema.Draft202012Validator(closed).validate(document)


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def test_the_keys_stand_in_the_order_of_the_format() -> None:
    """A person reading the document meets the head first."""
    document = plan_to_document(full_plan())
    head = "format_version tool_version mode created_at endpoint project_id state refreshed fingerprint checksum"
    body = "can_apply changes actions held_back left_alone findings summary api_cost resource_changes"
    assert " ".join(list(document)[:19]) == f"{head} {body}"


def test_the_summary_counts_by_kind_and_verb() -> None:
    """`change` counts components with actions; `add` and `destroy` are there for scripts and always 0."""
    document = document_of(full_plan())
    assert document["summary"] == {
        "import": 0,
        "add": 0,
        "change": 1,
        "destroy": 0,
        "forget": 1,
        "move": 1,
        "actions": 3,
        "by_verb": {"continue_deploy": 1, "rollback": 1, "scale": 1},
        "highest_risk": "traffic",
        "unchanged": 38,
        "ignored": 1,
        "unmanaged": 2,
    }
    assert document["api_cost"] == {"reads": 4, "writes": 5}
    assert document["refreshed"] is True


def test_only_actions_that_shift_traffic_carry_a_percentage() -> None:
    """For all others the key is absent, not null."""
    with_percent = ["traffic_percent" in entry for entry in document_of(full_plan())["actions"]]
    assert with_percent == [False, False, True]


def test_resource_changes_speak_the_words_of_terraform() -> None:
    """Updates with their values, a move with the address before, a forget as such."""
    changes = document_of(full_plan())["resource_changes"]
    assert changes[0] == {
        "address": "shop/cart",
        "type": "servicestage_component",
        "name": "cart",
        "change": {
            "actions": ["update"],
            "before": {"version": "1.4.2", "replicas": 4},
            "after": {"version": "1.4.1", "replicas": 6},
        },
    }
    assert changes[1]["change"]["actions"] == ["no-op"]
    assert changes[1]["previous_address"] == "shop/find@prod"
    assert changes[2]["change"] == {"actions": ["forget"], "before": {}, "after": {}}


def test_the_checksum_covers_every_key() -> None:
    """Any change of any top key is noticed, down to its text."""
    document = document_of(full_plan())
    for key in document:
        if key in ("checksum", "format_version"):
            continue
        with pytest.raises(PlanFileError, match="changed or damaged"):
            plan_from_document({**document, key: {"other": 1}})
    with pytest.raises(PlanFileError, match="changed or damaged"):
        plan_from_document({**document, "added": 1})


def test_a_fingerprint_of_another_plan_is_refused_although_the_checksum_fits() -> None:
    """An approval is bound to the fingerprint, so it must be that of these very actions."""
    document = document_of(full_plan())
    document["actions"][1]["parameters"] = {"replica": 60}
    document["checksum"] = checksum(document)
    with pytest.raises(PlanFileError, match="fingerprint does not fit"):
        plan_from_document(document)


def test_the_fingerprint_in_the_document_is_the_plans() -> None:
    """And it does not move with time, serial or what was read."""
    later = replace(full_plan(), created_at=T1, serial=99, reads=1000)
    assert document_of(later)["fingerprint"] == document_of(full_plan())["fingerprint"] == fingerprint(full_plan())
    assert document_of(later)["checksum"] != document_of(full_plan())["checksum"]


def _resealed(path: list[str | int], value: Json) -> dict[str, Any]:
    """The full plan's document with one value replaced and a checksum that fits."""
    document = document_of(full_plan())
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    document["checksum"] = checksum(document)
    return document


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["format_version"], "2.0", "format version 2.0 is newer"),
        (["mode"], "wild", "mode must be normal or drift"),
        (["created_at"], "yesterday", "created_at must be a UTC instant"),
        (["state"], None, "state must be an object, not missing"),
        (["state", "serial"], "12", r"state\.serial must be a whole number"),
        (["changes", 0, "kind"], "import", r"changes\[0\]\.kind must be one of adopt, update, move, forget"),
        (["changes", 0, "address"], "cart", r"changes\[0\]\.address: not an address"),
        (["changes", 0, "origin"], "m.yaml:9", r"changes\[0\]\.origin must be file:line:column"),
        (["changes", 0, "origin"], "m.yaml:9:x", r"changes\[0\]\.origin must be file:line:column"),
        (["changes", 0, "fields", 1, "cause"], "chance", r"changes\[0\]\.fields\[1\]\.cause must be one of"),
        (["changes", 0, "updates", 0, "value"], "1.4.1", r"changes\[0\]\.updates\[0\]\.value must be an object"),
        (["changes", 0, "updates", 0, "field"], "hosts", r"updates\[0\]\.field must be version, replicas, state"),
        (["changes", 0, "updates", 1, "value"], -6, r"updates\[1\]\.value must be at least 0"),
        (["changes", 0, "updates", 3, "value"], "on", r"updates\[3\]\.value must be running or stopped"),
        (["actions", 0, "verb"], "delete", r"actions\[0\]\.verb must be one of start, stop"),
        (["actions", 0, "risk"], "chance", r"actions\[0\]\.risk must be one of none, scale_up"),
        (["actions", 0, "parameters"], None, r"actions\[0\]\.parameters must be an object"),
        (["actions", 0, "max_requests"], 0, r"actions\[0\]\.max_requests must be at least 1"),
        (["actions", 0, "requires"], ["shop/cart#9"], "shop/cart#1 requires the action shop/cart#9"),
        (["actions", 1, "id"], "shop/cart#1", "an id stands twice"),
        (["changes", 0, "action_ids"], ["shop/cart#9"], "shop/cart names the action shop/cart#9"),
        (["changes", 0, "updates", 1, "after"], ["x#1"], "shop/cart records replicas after the action x#1"),
        (["findings", 0, "severity"], "info", r"findings\[0\]\.severity must be deny or warn"),
        (["left_alone", 0, "first_wrong_at"], None, r"left_alone\[0\]\.first_wrong_at must be text"),
        (["rejections", 0, "version"], None, r"rejections\[0\]\.version must be text"),
        (["unmanaged", 0], 3, r"unmanaged\[0\] must be text"),
        (["summary", "ignored"], True, r"summary\.ignored must be a whole number"),
        (["api_cost"], [], "api_cost must be an object, not a list"),
    ],
)
def test_a_malformed_plan_is_refused_and_says_where(path: list[str | int], value: Json, says: str) -> None:
    """Never a KeyError, and never an action that was half understood."""
    with pytest.raises(PlanFileError, match=says):
        plan_from_document(_resealed(path, value))


def test_keys_of_a_newer_minor_format_are_left_alone() -> None:
    """They are covered by the checksum and otherwise not looked at."""
    document = _resealed(["actions", 0, "colour"], "blue")
    document["format_version"] = "1.3"
    document["checksum"] = checksum(document)
    assert plan_from_document(document) == full_plan()
