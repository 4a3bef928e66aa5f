"""One component explained: every value three times, the cause with its rule, and the row behind each decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from core_builders import (
    CIRCUMSTANCES,
    address,
    code_of,
    make_rules,
    picture,
    plan_all,
    plan_one,
    record,
    see,
    see_gray,
    want,
    wish,
)

from statetool.core.deploy import Artifact, Deploy
from statetool.core.explanation import (
    Explanation,
    FieldExplanation,
    FieldStatus,
    Subject,
    build_explanation,
    find_subject,
)
from statetool.core.interrupted import INTERRUPTED_RUN, OPERATION_OPEN, OPERATION_PARKED
from statetool.core.model import Desired, Observed, Origin, Recorded, VariableOrigin
from statetool.core.plan import Cause, Finding, Kind, Plan
from statetool.core.project import Selection, build_plan
from statetool.errors import SourceMark, StatetoolError


def explain(
    desired: Desired | Sequence[Desired] = (),
    recorded: Recorded | Iterable[Recorded] = (),
    observed: Observed | Sequence[Observed] | None = None,
    about: str = "cart",
    plan: Plan | None = None,
    **rules: Any,
) -> Explanation:
    """The explanation of one component by the plan of them all."""
    wanted = [desired] if isinstance(desired, Desired) else list(desired)
    records = [recorded] if isinstance(recorded, Recorded) else list(recorded)
    seen = [see()] if observed is None else [observed] if isinstance(observed, Observed) else list(observed)
    subject = find_subject(address(about), wanted, {r.address: r for r in records}, seen)
    made = plan or plan_all(wanted, records, seen, **rules)
    return build_explanation(subject, wanted, made, make_rules(**rules))


def field(explanation: Explanation, name: str) -> FieldExplanation:
    (found,) = [entry for entry in explanation.fields if entry.field == name]
    return found


def values(explanation: Explanation, name: str) -> dict[str, tuple[Any, Any, Any]]:
    """Wanted, recorded, observed by path."""
    return {v.path: (v.wanted, v.recorded, v.observed) for v in field(explanation, name).values}


def rows(entries: Iterable[Any]) -> list[str | None]:
    return [entry.row for entry in entries]


# The three values, and the cause


@pytest.mark.parametrize(
    ("recorded", "observed", "cause", "said"),
    [
        (6, 6, None, "what is wanted is observed"),
        (None, 6, None, "does not hold this wish yet"),
        (None, 4, Cause.ADOPT, "no wish is recorded yet"),
        (4, 4, Cause.MANIFEST, "you changed the manifest"),
        (6, 4, Cause.DRIFT, "changed outside: "),
        (5, 4, Cause.BOTH, "three different values"),
    ],
)
def test_each_cause_has_its_rule(recorded: int | None, observed: int, cause: Cause | None, said: str) -> None:
    """Every row of the table of causes, with the values that led to it."""
    known = record(wish(replicas=recorded)) if recorded else ()
    told = explain(want(replicas=6), known, see(replicas=observed))
    replicas = field(told, "replicas")
    assert (replicas.status, replicas.cause) == (FieldStatus.MANAGED, cause)
    assert said in replicas.rule
    assert values(told, "replicas") == {"replicas": (6, recorded, observed)}
    assert [value.cause for value in replicas.values] == [cause]


def test_of_a_gray_release_only_what_differs_has_a_cause() -> None:
    """The picture is one field; its paths stand side by side."""
    told = explain(want("1.4.2", "1.5.0", 50), record(wish("1.4.2", "1.5.0", 20)), see_gray(rule=20))
    assert values(told, "version") == {
        "version": ("1.4.2", "1.4.2", "1.4.2"),
        "gray.version": ("1.5.0", "1.5.0", "1.5.0"),
        "gray.weight": (50, 20, 20),
    }
    assert [v.path for v in field(told, "version").values if v.cause is Cause.MANIFEST] == ["gray.weight"]


def test_what_a_version_is_to_run_from_stands_beside_it() -> None:
    """Wanted and observed; the candidate's too."""
    old, new, candidate = (Artifact("image", f"hub/cart:{version}") for version in ("1.4.1", "1.4.2", "1.5.0"))
    desired = replace(want("1.4.2"), deploy=Deploy(artifact=new, candidate_artifact=candidate))
    told = values(explain(desired, (), replace(see(), artifact=old)), "version")
    assert told["image"] == (new.url, None, old.url)
    assert told["gray.image"] == (candidate.url, None, None)


def test_what_a_status_hides_is_said_to_be_hidden() -> None:
    """The configured number stands in for the one that counts both versions."""
    graying = see_gray(rule=20, replicas=6, configured=4)
    gray = wish("1.4.2", "1.5.0", 20, replicas=4)
    told = explain(want("1.4.2", "1.5.0", 20, replicas=4), record(gray), graying)
    assert values(told, "replicas") == {"replicas": (4, 4, 4)}
    assert field(told, "replicas").rule == "the status GRAYING hides the value; the manifest wants what is recorded"
    told = explain(want("1.4.2", "1.5.0", 20, replicas=5), record(gray), graying)
    assert field(told, "replicas").cause is Cause.MANIFEST
    assert "wants another than recorded" in field(told, "replicas").rule


def test_a_promoted_candidate_fulfils_weight_100() -> None:
    """Though the values differ on their face."""
    told = explain(want("1.4.2", "1.5.0", 100), record(wish("1.4.2", "1.5.0", 100)), see("1.5.0"))
    assert field(told, "version").cause is None
    assert "candidate serves alone" in field(told, "version").rule


@pytest.mark.parametrize(
    ("recorded", "cause", "said"),
    [(None, None, "without a restart"), ("a", Cause.MANIFEST, "another token"), ("b", None, "the recorded token")],
)
def test_a_token_has_no_observed_value(recorded: str | None, cause: Cause | None, said: str) -> None:
    """Only wanted and recorded are compared."""
    told = explain(want(restart="b"), record(wish(restart=recorded)) if recorded else ())
    assert values(told, "restart") == {"restart": ("b", recorded, None)}
    assert field(told, "restart").cause is cause
    assert said in field(told, "restart").rule


# Fields that nobody manages, or not any more


def test_a_field_that_no_manifest_writes_is_not_managed() -> None:
    """It is named all the same, with what is observed."""
    told = explain(want("1.4.2"), record(wish("1.4.2")))
    assert [f.status for f in told.fields] == [FieldStatus.MANAGED, *[FieldStatus.NOT_MANAGED] * 3]
    assert values(told, "replicas") == {"replicas": (None, None, 4)}
    assert values(told, "state") == {"state": (None, None, "running")}
    assert values(told, "restart") == {"restart": (None, None, None)}


def test_a_number_written_as_auto_is_somebody_elses() -> None:
    """Not managed, as if it were left out, but written down."""
    place = {"replicas": Origin(SourceMark("manifests/shop.yaml", 11, 15))}
    told = explain(replace(want("1.4.2"), marks=place), record(wish("1.4.2")))
    assert field(told, "replicas").status is FieldStatus.NOT_MANAGED
    assert "auto" in field(told, "replicas").rule


def test_a_field_whose_key_left_is_released() -> None:
    """The record still holds it; a token is kept."""
    told = explain(want("1.4.2"), record(wish("1.4.2", replicas=4, restart="a")))
    assert field(told, "replicas").status is FieldStatus.RELEASED
    assert field(told, "restart").status is FieldStatus.NOT_MANAGED
    assert [(update.field, update.value) for update in told.records] == [("replicas", None)]


def test_an_ignored_field_is_compared_with_nothing() -> None:
    """Its values are shown; no cause, no action."""
    told = explain(want(replicas=6, ignore=["replicas"]), record(wish(replicas=6)))
    assert field(told, "replicas").status is FieldStatus.IGNORED
    assert field(told, "replicas").cause is None
    assert values(told, "replicas") == {"replicas": (6, 6, 4)}
    assert told.actions == ()


def test_a_component_that_left_the_manifests() -> None:
    """Its record is forgotten; nothing is wanted of it."""
    told = explain([want(name="pay", replicas=4)], [record(wish("1.4.2", replicas=4))], [see(), see(name="pay")])
    assert told.kind is Kind.FORGET
    assert field(told, "version").status is FieldStatus.RELEASED
    assert "no manifest describes" in field(told, "version").rule
    assert field(told, "state").status is FieldStatus.NOT_MANAGED
    assert values(told, "replicas") == {"replicas": (None, 4, 4)}


def test_a_component_that_nobody_manages() -> None:
    """It is observed, and that is all."""
    told = explain([want(name="pay", replicas=4)], [], [see(), see(name="pay")], about="shop/cart@prod")
    assert {f.status for f in told.fields} == {FieldStatus.NOT_MANAGED}
    assert (told.kind, told.actions, told.findings) == (None, (), ())
    assert values(told, "version") == {"version": (None, None, "1.4.2")}


def test_a_component_that_is_not_on_the_platform() -> None:
    """Nothing can be compared; the finding says why."""
    told = explain(want(replicas=4), record(wish(replicas=4)), [see(name="pay")])
    assert field(told, "replicas").status is FieldStatus.MANAGED
    assert "nothing is compared" in field(told, "replicas").rule
    assert values(told, "replicas") == {"replicas": (4, 4, None)}
    assert [f.entry.code for f in told.findings] == ["component_not_found"]
    assert "never created" in str(told.findings[0].row)
    assert told.blocked is not None


def test_where_everything_is_written_comes_along() -> None:
    """With defaults and variables, as the manifest's reader told it."""
    origin = Origin(SourceMark("manifests/prod.yaml", 7, 15), True, (VariableOrigin("number", "--var"),))
    told = explain(replace(want(replicas=4), marks={"replicas": origin}), ())
    assert told.written == {"replicas": origin}


# Which row decided


@pytest.mark.parametrize(
    ("desired", "recorded", "observed", "row"),
    [
        (want(replicas=6), record(wish(replicas=4)), see(), "another number is wanted than observed: scale"),
        (
            want(state="running"),
            record(wish(state="stopped")),
            see(status="STOPPED"),
            "running is wanted, STOPPED observed: start",
        ),
        (want(state="stopped"), record(wish(state="running")), see(), "stopped is wanted, and it is not: stop"),
        (
            want(restart="b"),
            record(wish(restart="a")),
            see(),
            "another token is wanted than the recorded one: restart",
        ),
    ],
)
def test_the_row_of_an_action(desired: Desired, recorded: Recorded, observed: Observed, row: str) -> None:
    """One verb, one row."""
    assert rows(explain(desired, recorded, observed).actions) == [row]


@pytest.mark.parametrize(("replicas", "said"), [(None, "if fewer come back"), (4, "scale if they do")])
def test_a_number_that_is_put_back_has_a_row_of_its_own(replicas: int | None, said: str) -> None:
    """The version action has the row of the version picture, which the planner tells."""
    desired, recorded = want("1.4.1", replicas=replicas), record(wish("1.4.2", replicas=replicas))
    told = explain(desired, recorded)
    assert [str(d.entry.verb) for d in told.actions] == ["rollback", "scale"]
    expected = plan_one(desired, recorded).version_row
    assert told.actions[0].row == expected
    assert field(told, "version").row == expected
    assert said in str(told.actions[1].row)


@pytest.mark.parametrize(
    ("observed", "code", "said"),
    [
        (see_gray(rule=20), "deferred_gray", "graying allows continue_deploy, modify_gray_rule, "),
        (see(status="STOPPED"), "deferred_stopped", "stopped allows start"),
        (see(status="DOWN"), "deferred_failed", "failed allows "),
        (see(status="UPGRADING"), "busy", "nothing is sent"),
    ],
)
def test_the_row_of_what_is_held_back(observed: Observed, code: str, said: str) -> None:
    """The status, and what it allows."""
    told = explain(want(replicas=6), record(wish(replicas=4)), observed)
    (held,) = told.held_back
    assert held.entry.code == code
    assert said in str(held.row)
    assert told.actions == ()


def test_the_row_of_what_is_left_alone() -> None:
    """It names the permission that is missing: that of gray where only the rule drifted."""
    told = explain(want(replicas=6), record(wish(replicas=6)))
    assert "lifecycle.drift of replicas does not say correct" in str(told.left_alone[0].row)
    told = explain(want("1.4.2", "1.5.0", 20), record(wish("1.4.2", "1.5.0", 20)), see_gray(rule=50))
    assert "lifecycle.drift of gray does not" in str(told.left_alone[0].row)
    told = explain(want(replicas=6, correct=["replicas"]), record(wish(replicas=6)))
    assert (told.left_alone, len(told.actions)) == ((), 1)


def test_the_rows_of_findings() -> None:
    """Each is told from which part of the tool it comes."""
    both = explain(want(replicas=6), record(wish(replicas=5)))
    assert [(d.entry.code, d.row) for d in both.findings] == [
        ("overwrites_outside_change", "changed outside and in the manifest: the manifest wins, and warn")
    ]
    protected = explain(want(replicas=3, protected=True), record(wish(replicas=4)))
    assert "lifecycle.protected" in str(protected.findings[0].row)
    observing = explain(want(replicas=6), record(wish(replicas=4)), managed=frozenset())
    assert "mode: observe" in str(observing.findings[0].row)
    assert not observing.may_change
    desired, recorded = want("9.9.9"), record(wish("1.4.2"))
    unknown = explain(desired, recorded)
    assert [code_of(d.entry) for d in unknown.findings] == ["UNKNOWN_VERSION"]
    assert unknown.findings[0].row == plan_one(desired, recorded).version_row


def test_what_is_said_of_the_whole_project_is_a_guards() -> None:
    """And so is what nobody but a guard can have said of the component."""
    desired, recorded = want(replicas=6), record(wish(replicas=4))
    limits = (Finding("max_share", "deny", "too many"), Finding("freeze", "deny", "frozen", None, address("cart")))
    plan = replace(plan_all([desired], [recorded], [see()]), findings=limits)
    told = explain(desired, recorded, plan=plan)
    assert rows(told.findings) == [
        "a guard of statetool.yaml over the whole plan",
        "a guard of statetool.yaml over the component",
    ]


def test_what_an_earlier_run_left_open_is_no_guards() -> None:
    """Nobody is sent to statetool.yaml for it."""
    desired, recorded = want(replicas=6), record(wish(replicas=4))
    left = [
        Finding(code, "deny", "left open", None, address("cart"))
        for code in (INTERRUPTED_RUN, OPERATION_OPEN, OPERATION_PARKED)
    ]
    plan = replace(plan_all([desired], [recorded], [see()]), findings=tuple(left))
    told = rows(explain(desired, recorded, plan=plan).findings)
    assert ["guard" in str(row) for row in told] == [False] * 3


def test_others_findings_and_actions_stay_with_them() -> None:
    """Only what speaks of the component, and who waits for whom."""
    desired = [want(replicas=6), want(name="pay", replicas=6, needs=["cart"]), want(name="ghost", replicas=1)]
    recorded = [record(wish(replicas=4)), record(wish(replicas=4), name="pay")]
    seen = [see(), see(name="pay")]
    cart, pay = (explain(desired, recorded, seen, about=name) for name in ("cart", "pay"))
    assert [d.entry.id for d in cart.actions] == ["shop/cart#1"]
    assert cart.needed_by == (address("pay"),)
    assert pay.actions[0].entry.requires == ("shop/cart#1",)
    assert (cart.findings, pay.findings) == ((), ())
    blocked = explain([*desired[1:2], want("9.9.9")], recorded, seen, about="pay")
    assert blocked.blocked is not None and blocked.blocked.because == "shop/cart"
    assert blocked.actions == ()


def test_a_version_that_was_taken_back_outside_is_told() -> None:
    """As the plan found it; nothing is stored by explaining."""
    told = explain(want("1.4.2", "1.5.0", 20), record(wish("1.4.2", "1.5.0", 20)), see("1.4.2"))
    assert told.ended_outside is not None and told.ended_outside.version == "1.5.0"


# Which component is meant


def subject(text: str, **world: Any) -> Subject:
    """cart@prod and cart@test are wanted, old is only recorded, debug only observed."""
    desired = world.get("desired", [want(name="shop/cart@prod", replicas=4), want(name="shop/cart@test", replicas=1)])
    recorded = world.get("recorded", [record(name="old")])
    seen = [see(name="shop/cart@prod", component_id="c1"), see(name="shop/cart@test", component_id="c2")]
    seen = world.get("observed", [*seen, see(name="debug")])
    return find_subject(address(text), desired, {r.address: r for r in recorded}, seen)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("shop/cart@prod", "shop/cart@prod"),
        ("app-shop/cart@env-test", "shop/cart@test"),
        ("shop/old", "shop/old"),
        ("shop/debug", "shop/debug@prod"),
        ("shop/debug@prod", "shop/debug@prod"),
    ],
)
def test_an_address_in_any_spelling(text: str, found: str) -> None:
    """As manifests write it, as the state does, as the platform does, by ids."""
    assert str(subject(text).address) == found


def test_an_address_without_an_environment_that_is_clear() -> None:
    """One component of that name is enough."""
    assert str(subject("shop/cart", desired=[want(name="shop/cart@prod")], observed=[]).address) == "shop/cart@prod"


def test_a_moved_component_by_its_old_name() -> None:
    """The record stands under the old address still."""
    moved = subject("shop/old", desired=[want(name="new")], observed=[see(name="new", component_id="id-shop-old")])
    assert (str(moved.address), str(moved.moved_from)) == ("shop/new", "shop/old")


def test_an_address_of_several_components() -> None:
    """They are named."""
    with pytest.raises(StatetoolError) as error:
        subject("shop/cart")
    assert error.value.code == "ambiguous_component"
    assert error.value.hint == "write one of shop/cart@prod, shop/cart@test"


def test_an_address_of_none() -> None:
    """Near names, or where all of them are listed."""
    with pytest.raises(StatetoolError) as error:
        subject("shop/crat@prod")
    assert error.value.code == "component_not_found"
    assert "did you mean shop/cart@prod" in str(error.value.hint)
    with pytest.raises(StatetoolError) as error:
        subject("crm/zzzz")
    assert "--show-unmanaged" in str(error.value.hint)


def test_nothing_depends_on_the_order_of_the_input() -> None:
    """The same explanation for any order of manifests."""
    desired = [want(replicas=6), want(name="pay", replicas=6, needs=["cart"])]
    seen = [see(), see(name="pay")]
    once = explain(desired, (), seen)
    plan = build_plan(
        desired[::-1], {}, seen[::-1], rules=make_rules(), selection=Selection(), circumstances=CIRCUMSTANCES
    )
    assert explain(desired[::-1], (), seen[::-1], plan=plan) == once
    assert picture("1.4.2").stable == values(once, "version")["version"][2]
