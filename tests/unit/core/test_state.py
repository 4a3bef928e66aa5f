"""The recorded state: two memories, pure transitions, and a document that comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from statetool.core.model import (
    Address,
    AppliedFrom,
    ContentRule,
    Drifted,
    Gray,
    GrayRule,
    Recorded,
    Rejection,
    Seen,
    VersionEntry,
    VersionPicture,
    Wish,
)
from statetool.core.plan import Change, Kind, WishUpdate, WishValue
from statetool.core.state import (
    Overridden,
    StateFile,
    apply_wish_update,
    clear_rejection,
    new_state,
    record_component,
    record_overridden,
    record_rejection,
    record_seen,
    record_version_change,
)
from statetool.core.state_document import state_from_document, state_to_document
from statetool.errors import StateError, StateUnreadable

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "state.schema.json").read_text())
CART = Address("shop", "cart", "prod")
FROM = AppliedFrom("3f2a1c7", False, None)
T0, T1, T2, T3 = (f"2026-11-23T0{n}:00:00Z" for n in range(4))


def change(kind: Kind = Kind.ADOPT, address: Address = CART, **other: Any) -> Change:
    """A change of one component; only the kind matters to most tests."""
    values: dict[str, Any] = {"component_id": "c1", "application_id": "a1", "environment_id": "e1", "origin": None}
    return Change(address=address, kind=kind, **{**values, **other})


def adopted(*addresses: Address) -> StateFile:
    """A state that records these components without any wish."""
    state = new_state("lineage", "0.1.0")
    for address in addresses or (CART,):
        state = record_component(state, change(address=address), run_id="r1", at=T0, applied_from=FROM)
    return state


def wishing(**fields: WishValue) -> StateFile:
    """A state in which the cart has these wishes."""
    state = adopted()
    for name, value in fields.items():
        state = apply_wish_update(state, CART, WishUpdate(name, value), at=T0, run_id="r1", applied_from=FROM)
    return state


def seen(at: str, **values: Any) -> Seen:
    """The cart as observed at an instant: version 1.4.2, 4 instances, running, unless told otherwise."""
    base: dict[str, Any] = {
        "version": "1.4.2",
        "replicas": 4,
        "available_replicas": 4,
        "status": "RUNNING",
        "last_job_id": "J1",
    }
    return Seen(at=at, **{**base, **values})


def test_a_new_state_is_empty_and_was_never_stored() -> None:
    """Serial 0 stands for: not stored yet."""
    assert new_state("lineage", "0.1.0") == StateFile("lineage", 0, 0, "0.1.0", {})


def test_adopting_makes_a_record_without_wishes() -> None:
    """The ids and the run are known; what is wished comes field by field."""
    recorded = adopted().components[CART]
    assert recorded == Recorded(CART, "c1", "a1", "e1", Wish(), applied_at=T0, applied_from=FROM, run_id="r1")


def test_adopting_what_is_recorded_changes_nothing() -> None:
    """A transition done twice is done once: the very same state comes back."""
    state = wishing(replicas=4)
    assert record_component(state, change(), run_id="r2", at=T1, applied_from=FROM) is state


def test_an_address_that_means_another_component_is_recorded_anew() -> None:
    """History and rejections of the component that is gone do not pass to its successor."""
    state = record_rejection(wishing(replicas=4), CART, Rejection("1.5.0", T0, "r1", "rolled back"))
    state = record_component(state, change(component_id="c2"), run_id="r2", at=T1, applied_from=FROM)
    recorded = state.components[CART]
    assert (recorded.component_id, recorded.wish, recorded.rejected) == ("c2", Wish(), ())


def test_an_update_refreshes_the_ids_and_keeps_the_rest() -> None:
    """Ids may be resolved anew; the memories stay."""
    state = wishing(replicas=4)
    after = record_component(state, change(Kind.UPDATE, environment_id="e2"), run_id="r2", at=T1, applied_from=FROM)
    assert after.components[CART] == replace(state.components[CART], environment_id="e2")


def test_moving_renames_the_key_and_keeps_everything() -> None:
    """The record is the component's, not the address's."""
    state = wishing(replicas=4)
    basket = Address("shop", "basket", "prod")
    move = change(Kind.MOVE, basket, moved_from=CART)
    moved = record_component(state, move, run_id="r2", at=T1, applied_from=FROM)
    assert set(moved.components) == {basket}
    assert moved.components[basket] == replace(state.components[CART], address=basket)
    assert record_component(moved, move, run_id="r2", at=T1, applied_from=FROM) is moved


def test_forgetting_removes_the_record_once() -> None:
    """Forgetting what is not there changes nothing."""
    pay = Address("shop", "pay")
    state = adopted(CART, pay)
    forget = change(Kind.FORGET)
    after = record_component(state, forget, run_id="r2", at=T1, applied_from=FROM)
    assert set(after.components) == {pay}
    assert record_component(after, forget, run_id="r2", at=T1, applied_from=FROM) is after


@pytest.mark.parametrize(
    ("field", "value", "wish"),
    [
        ("version", VersionPicture("1.4.1"), Wish(picture=VersionPicture("1.4.1"))),
        ("replicas", 6, Wish(replicas=6)),
        ("state", "stopped", Wish(state="stopped")),
        ("restart", "t1", Wish(restart="t1")),
    ],
)
def test_a_wish_is_recorded_and_released_field_by_field(field: str, value: WishValue, wish: Wish) -> None:
    """A release leaves nothing behind of that field and touches no other."""
    state = apply_wish_update(adopted(), CART, WishUpdate(field, value), at=T1, run_id="r2", applied_from=FROM)
    recorded = state.components[CART]
    assert (recorded.wish, recorded.applied_at, recorded.run_id) == (wish, T1, "r2")
    again = apply_wish_update(state, CART, WishUpdate(field, value), at=T2, run_id="r3", applied_from=FROM)
    assert again is state
    released = apply_wish_update(state, CART, WishUpdate(field, None), at=T1, run_id="r2", applied_from=FROM)
    assert released.components[CART].wish == Wish()


@pytest.mark.parametrize(
    "update",
    [WishUpdate("version", "1.4.1"), WishUpdate("replicas", "4"), WishUpdate("state", "on"), WishUpdate("hosts", 1)],
)
def test_a_wish_of_another_type_is_refused(update: WishUpdate) -> None:
    """What can't be written down again is never recorded."""
    with pytest.raises(StateError):
        apply_wish_update(adopted(), CART, update, at=T1, run_id="r2", applied_from=FROM)


def test_a_component_without_record_is_an_error_with_its_address() -> None:
    """Nothing is recorded of a component that was not adopted."""
    state = new_state("lineage", "0.1.0")
    with pytest.raises(StateError) as caught:
        record_seen(state, CART, seen(T0))
    assert (caught.value.code, caught.value.address) == ("not_recorded", "shop/cart@prod")


def test_seeing_the_same_again_does_not_change_the_state() -> None:
    """Only the time would differ, and a serial must not grow for that."""
    state = record_seen(wishing(replicas=4), CART, seen(T1))
    assert record_seen(state, CART, seen(T2)) is state
    assert record_seen(state, CART, seen(T2, last_job_id="J2")) is not state


def test_drift_remembers_when_it_was_right_and_when_first_wrong() -> None:
    """4 at T1, 10 at T2, 9 at T3: wrong since T2, last right at T1; right again ends it."""
    state = record_seen(wishing(replicas=4), CART, seen(T1))
    assert state.components[CART].drifted == {}
    state = record_seen(state, CART, seen(T2, replicas=10))
    assert state.components[CART].drifted == {"replicas": Drifted(T1, T2)}
    state = record_seen(state, CART, seen(T3, replicas=9))
    assert state.components[CART].drifted == {"replicas": Drifted(T1, T2)}
    state = record_seen(state, CART, seen(T3))
    assert state.components[CART].drifted == {}


def test_drift_at_first_sight_was_never_seen_right() -> None:
    """Nothing is claimed about the time before."""
    state = record_seen(wishing(replicas=4), CART, seen(T1, replicas=10))
    assert state.components[CART].drifted == {"replicas": Drifted(None, T1)}


def test_recording_a_wish_ends_the_drift_of_that_field_only() -> None:
    """What was measured against the old wish says nothing about the new one."""
    state = wishing(replicas=4, state="running")
    state = record_seen(state, CART, seen(T1, replicas=10))
    state = record_seen(state, CART, seen(T2, replicas=10, status="STOPPED"))
    assert set(state.components[CART].drifted) == {"replicas", "state"}
    state = apply_wish_update(state, CART, WishUpdate("replicas", 10), at=T3, run_id="r2", applied_from=FROM)
    assert set(state.components[CART].drifted) == {"state"}


@pytest.mark.parametrize("status", ["GRAYING", "STOPPED", "DEPLOYING", "RESTARTING"])
def test_replicas_are_not_judged_where_the_status_hides_them(status: str) -> None:
    """While graying both versions count: 5 is no drift, and drift that was known stays known."""
    fine = record_seen(wishing(replicas=4), CART, seen(T1))
    assert record_seen(fine, CART, seen(T2, replicas=5, status=status)).components[CART].drifted == {}
    wrong = record_seen(fine, CART, seen(T2, replicas=10))
    hidden = record_seen(wrong, CART, seen(T3, replicas=4, status=status))
    assert hidden.components[CART].drifted == {"replicas": Drifted(T1, T2)}


WISHED = VersionPicture("1.4.2", Gray("1.5.0", GrayRule(weight=20)))


@pytest.mark.parametrize(
    ("wished", "observed", "path"),
    [
        (VersionPicture("1.4.2"), {}, None),
        (VersionPicture("1.4.1"), {}, "version"),
        (VersionPicture("1.4.2"), {"gray": Gray("1.5.0", None), "status": "GRAYING"}, "version"),
        (WISHED, {"gray": Gray("1.5.0", GrayRule(weight=20)), "status": "GRAYING"}, None),
        (WISHED, {"gray": Gray("1.5.0", GrayRule(weight=50)), "status": "GRAYING"}, "gray"),
        (WISHED, {"gray": Gray("1.6.0", GrayRule(weight=20)), "status": "GRAYING"}, "version"),
        (WISHED, {}, "version"),
        (VersionPicture("1.4.1", Gray("1.4.2", GrayRule(weight=100))), {}, None),
    ],
)
def test_a_version_picture_drifts_as_gray_where_only_the_rule_differs(
    wished: VersionPicture, observed: dict[str, Any], path: str | None
) -> None:
    """The path is the one whose permission lifecycle.drift asks for."""
    state = record_seen(wishing(version=wished), CART, seen(T1, **observed))
    assert state.components[CART].drifted == ({path: Drifted(None, T1)} if path else {})


def test_a_picture_that_gets_worse_is_wrong_since_the_first_time() -> None:
    """First only the rule, then the whole release: one field, one beginning."""
    state = wishing(version=WISHED)
    gray = {"status": "GRAYING"}
    state = record_seen(state, CART, seen(T1, gray=Gray("1.5.0", GrayRule(weight=20)), **gray))
    state = record_seen(state, CART, seen(T2, gray=Gray("1.5.0", GrayRule(weight=50)), **gray))
    assert state.components[CART].drifted == {"gray": Drifted(T1, T2)}
    state = record_seen(state, CART, seen(T3))
    assert state.components[CART].drifted == {"version": Drifted(T1, T2)}


def test_only_stopped_counts_as_stopped() -> None:
    """A component that failed is not stopped; a busy one may become either."""
    state = record_seen(wishing(state="stopped"), CART, seen(T1, status="FAILED"))
    assert state.components[CART].drifted == {"state": Drifted(None, T1)}
    state = record_seen(wishing(state="stopped"), CART, seen(T1, status="STOPPING"))
    assert state.components[CART].drifted == {}


def test_an_unmanaged_field_never_drifts() -> None:
    """What has no wish can't be wrong."""
    state = record_seen(adopted(), CART, seen(T1))
    assert record_seen(state, CART, seen(T2, replicas=9, version="9.9.9")).components[CART].drifted == {}


def test_seeing_never_touches_the_wish() -> None:
    """Drift can't be laundered by looking at it."""
    state = wishing(version=WISHED, replicas=4, state="running", restart="t1")
    after = record_seen(state, CART, seen(T1, version="9.9.9", replicas=1, status="STOPPED"))
    assert after.components[CART].wish == state.components[CART].wish


def test_the_history_keeps_the_newest_twenty_oldest_first() -> None:
    """And the same change is recorded once."""
    state = adopted()
    for n in range(25):
        entry = VersionEntry(f"1.0.{n}", T0, "rollback")
        state = record_version_change(state, CART, entry)
        assert record_version_change(state, CART, entry) is state
    assert [entry.version for entry in state.components[CART].history] == [f"1.0.{n}" for n in range(5, 25)]


def test_the_newest_fifty_overridden_runs_are_kept() -> None:
    """The newest last; the same once more is no change."""
    state = adopted()
    for n in range(53):
        state = record_overridden(state, Overridden(T0, f"r{n}", "ann@ci", ("freeze",)))
    assert [entry.run_id for entry in state.overridden] == [f"r{n}" for n in range(3, 53)]
    assert record_overridden(state, state.overridden[-1]) is state


def test_one_rejection_a_version_and_the_last_one_stands() -> None:
    """A version that was rejected twice is cleared once."""
    first, second = Rejection("1.5.0", T0, "r1", "5xx"), Rejection("1.5.0", T1, "r2", "ended outside", "J9")
    other = Rejection("1.6.0", T0, "r1", "slow")
    state = adopted()
    for rejection in (first, other, second):
        state = record_rejection(state, CART, rejection)
    assert state.components[CART].rejected == (other, second)
    assert record_rejection(state, CART, second) is state
    cleared = clear_rejection(state, CART, "1.5.0", "fixed upstream")
    assert cleared.components[CART].rejected == (other, replace(second, cleared="fixed upstream"))
    assert clear_rejection(cleared, CART, "1.5.0", "again") == cleared


def test_what_was_cleared_is_forgotten_once_it_runs_again() -> None:
    """So that its next end is told as one; what was not cleared stays whatever runs."""
    other = Rejection("1.6.0", T0, "r1", "slow")
    state = record_rejection(adopted(), CART, Rejection("1.5.0", T0, "r1", "5xx"))
    state = clear_rejection(record_rejection(state, CART, other), CART, "1.5.0", "fixed")
    before = record_seen(state, CART, Seen(T1, "1.4.2", 4, 4, "RUNNING", None))
    assert len(before.components[CART].rejected) == 2
    for seen in (
        Seen(T1, "1.4.2", 4, 4, "GRAYING", None, Gray("1.5.0", None)),
        Seen(T1, "1.5.0", 4, 4, "RUNNING", None),
    ):
        assert record_seen(before, CART, seen).components[CART].rejected == (other,)


def full() -> StateFile:
    """A state in which every key of the format is used."""
    rules = frozenset({ContentRule("header", "x-tier", "equal", "beta"), ContentRule("header", "x-a", "in", "b")})
    state = wishing(version=WISHED, replicas=4, state="running", restart="t1")
    state = record_seen(state, CART, seen(T1, gray=Gray("1.5.0", GrayRule(match="all", rules=rules)), status="GRAYING"))
    state = record_version_change(state, CART, VersionEntry("1.4.2", T0, "rollback"))
    state = record_rejection(state, CART, Rejection("1.6.0", T0, "r1", "aborted", "J1"))
    pay = record_component(
        state,
        change(address=Address("shop", "pay"), environment_id=None),
        run_id="r",
        at=T0,
        applied_from=AppliedFrom(),
    )
    let_through = record_overridden(pay, Overridden(T0, "r1", "ann@ci", ("freeze", "max_share")))
    return replace(let_through, serial=12, fence=7, moved_to="a database")


def test_a_state_comes_back_from_its_document_and_fits_the_schema() -> None:
    """Written, parsed as JSON, read: equal."""
    document = json.loads(json.dumps(state_to_document(full())))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert state_from_document(document) == full()


def test_the_schema_names_every_key_that_is_written() -> None:
    """With additional keys forbidden, a full document still fits."""
    closed = json.loads(json.dumps(SCHEMA), object_hook=_closed)
    jsonschema.Draft202012Validator(closed).validate(state_to_document(full()))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def test_components_are_written_in_the_order_of_their_addresses() -> None:
    """Equal states give equal files, however they came about."""
    one, two, three = Address("a", "b"), Address("a", "b", "prod"), Address("b", "a")
    document = state_to_document(adopted(three, two, one))
    components = document["components"]
    assert isinstance(components, dict)
    assert list(components) == ["a/b", "a/b@prod", "b/a"]


def test_a_state_that_knows_no_overrides_yet_is_read() -> None:
    """They came later than the format."""
    document = json.loads(json.dumps(state_to_document(full())))
    del document["overridden"]
    assert state_from_document(document) == replace(full(), overridden=())


def test_keys_of_a_newer_minor_format_are_left_alone() -> None:
    """They are not understood, and that is fine."""
    document = json.loads(json.dumps(state_to_document(full())))
    document["format_version"] = "1.9"
    document["colour"] = "blue"
    document["components"]["shop/cart@prod"]["shape"] = {"round": True}
    assert state_from_document(document) == full()


def _broken(path: list[str], value: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(state_to_document(full())))
    target = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return document


C = ["components", "shop/cart@prod"]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["format_version"], "2.0", "format version 2.0 is newer"),
        (["format_version"], None, "format_version must be text"),
        (["serial"], "12", "serial must be a whole number, not text"),
        (["serial"], -1, "serial must be at least 0"),
        (["fence"], 1.5, "fence must be a whole number"),
        (["lineage"], None, "lineage must be text, not missing"),
        (["lineage"], "\ud800", "lineage must be text that can be shown"),
        (["components"], [], "components must be an object, not a list"),
        (["components", "cart"], {}, r"components.cart.*not an address"),
        (C, None, 'components."shop/cart@prod" must be an object'),
        ([*C, "component_id"], 7, 'components."shop/cart@prod".component_id must be text'),
        ([*C, "wish"], None, r"\.wish must be an object"),
        ([*C, "wish", "replicas"], True, r"\.wish\.replicas must be a whole number"),
        ([*C, "wish", "state"], "on", r"\.wish\.state must be running or stopped"),
        ([*C, "wish", "version"], None, r"\.wish\.version must be text, not missing"),
        ([*C, "wish", "gray", "weight"], "x", r"\.wish\.gray\.weight must be a whole number"),
        ([*C, "seen", "status"], None, r"\.seen\.status must be text"),
        ([*C, "seen", "gray", "rules"], 3, r"\.seen\.gray\.rules must be a list"),
        ([*C, "drifted"], {"replicas": 3}, r"\.drifted\.replicas must be an object"),
        ([*C, "applied_from", "dirty"], "no", r"\.applied_from\.dirty must be true or false"),
        ([*C, "history"], [{"version": "1"}], r"\.history\[0\]\.at must be text"),
        ([*C, "rejected"], {}, r"\.rejected must be a list"),
        (["overridden"], [{"at": "x", "run_id": "r", "by": "b", "codes": [1]}], r"overridden\[0\]\.codes"),
    ],
)
def test_a_malformed_state_is_unreadable_and_says_where(path: list[str], value: Any, says: str) -> None:
    """Never a KeyError, never a guess."""
    with pytest.raises(StateUnreadable, match=says):
        state_from_document(_broken(path, value))
