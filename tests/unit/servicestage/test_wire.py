"""The platform's JSON <-> the model, in every spelling its documentation has had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from statetool.core.deploy import Artifact, Configuration, Resources
from statetool.core.model import (
    Address,
    Application,
    Closer,
    ContentRule,
    GrayRule,
    JobPhase,
    Observed,
    Record,
    StatusClass,
)
from statetool.errors import AnswerUnreadable, RequestRefused
from statetool.servicestage.configuration import parse_configuration
from statetool.servicestage.wire import (
    parse_action_answer,
    parse_applications,
    parse_closer,
    parse_component,
    parse_components,
    parse_job,
)

SHOP = Application("a-1", "shop")
Row = Callable[..., dict[str, Any]]


def only(row: dict[str, Any]) -> Observed:
    """The one component of a list with this row."""
    page = parse_components({"count": 1, "components": [row]}, SHOP)
    (observed,) = page.items
    return observed


def closer(strategy: Any = None, records: list[Any] | None = None, **detail: Any) -> Closer:
    """The closer look at a component with this strategy and these records."""
    body = {"deploy_strategy": strategy, **detail}
    return parse_closer(body, {"count": len(records or []), "records": records or []})


def test_applications_are_read_by_id_and_name() -> None:
    """Everything else in the row is left alone."""
    page = parse_applications({"count": 7, "applications": [{"id": "a-1", "name": "shop", "labels": None}]})
    assert (page.count, page.items) == (7, (SHOP,))


def test_a_row_becomes_an_observed_component(row: Row) -> None:
    """Instances come from the status block, instants from milliseconds; there is no closer look yet."""
    assert only(row()) == Observed(
        address=Address("shop", "cart1", "prod"),
        component_id="c-1",
        application_id="a-1",
        environment_id="e-1",
        row_version="1.4.2",
        status="RUNNING",
        replicas=4,
        available_replicas=4,
        last_job_id="JOB1",
        updated_at="2023-11-14T22:13:20Z",
    )


def test_a_row_and_its_detail_tell_the_artifact(row: Row) -> None:
    """Each the one it shows, in the same words."""
    before = only(row(source={"kind": "image", "url": "swr/shop/cart:1.4.2"}))
    assert before.artifact == Artifact("image", "swr/shop/cart:1.4.2")
    detail: Any = {**row(), "source": {"kind": "PACKAGE", "url": "obs://shop/cart-1.4.2.jar", "storage": "obs"}}
    assert parse_component(detail, before).artifact == Artifact("package", "obs://shop/cart-1.4.2.jar")
    assert parse_component(row(), before).artifact is None


@pytest.mark.parametrize(
    "source",
    [
        *(None, "x", [], {}, {"url": "x"}),
        *({"kind": "image"}, {"kind": "image", "url": ""}, {"kind": "image", "url": 7}),
        *({"kind": "code", "url": "x"}, {"kind": 1, "url": "x"}),
    ],
)
def test_an_artifact_that_can_not_be_told_is_none(row: Row, source: Any) -> None:
    """One component with a source of another kind must not keep everybody else from planning."""
    assert only(row(source=source)).artifact is None
    assert closer(source=source).artifact is None


def test_a_closer_look_holds_what_the_component_runs_with() -> None:
    """The same that the detail tells."""
    shown = {"source": {"kind": "image", "url": "u:1"}, "envs": [{"name": "A", "value": "1"}], "limit_cpu": 0.5}
    look = closer(replica=3, **shown)
    assert look.configuration == parse_configuration({"replica": 3, **shown})
    assert (look.artifact, look.past) == (Artifact("image", "u:1"), {})


def test_a_top_level_replica_in_a_row_is_not_the_number_of_instances(row: Row) -> None:
    """What is configured is not what exists."""
    assert only(row(replica=99)).replicas == 4


def test_status_words_are_read_in_any_case(row: Row) -> None:
    """Lower case is the same status."""
    observed = only(row(status={"component_status": "graying"}))
    assert (observed.status, observed.status_class) == ("GRAYING", StatusClass.GRAYING)


def test_an_unlisted_status_is_in_progress(row: Row) -> None:
    """Nobody knows the platform's words for scaling."""
    assert only(row(status={"component_status": "Scaling-Out"})).status_class is StatusClass.BUSY


@pytest.mark.parametrize("status", [None, {}, {"component_status": None, "replica": None}])
def test_a_draft_is_busy_and_needs_no_numbers(row: Row, status: Any) -> None:
    """One half-made component must not keep everybody else from planning."""
    draft = {**row(), "status": status, "version": None}
    observed = only(draft)
    assert observed.status_class is StatusClass.BUSY
    assert (observed.row_version, observed.replicas, observed.available_replicas) == ("", 0, 0)


def test_what_only_informs_may_be_missing(row: Row) -> None:
    """Environment, last job and time are None where the platform leaves them out."""
    sparse = row(status={"last_job_id": "", "update_time": "yesterday"}, environment_id=None, environment_name="")
    observed = only(sparse)
    assert observed.address == Address("shop", "cart1")
    assert (observed.environment_id, observed.last_job_id, observed.updated_at) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": None}, "components[0].id"),
        ({"name": ""}, "components[0].name"),
        ({"version": None}, "components[0].version"),
        ({"version": 1.4}, "components[0].version"),
        ({"status": {"replica": None}}, "components[0].status.replica"),
        ({"status": {"replica": "4"}}, "components[0].status.replica"),
        ({"status": {"replica": True}}, "components[0].status.replica"),
        ({"status": {"replica": -1}}, "components[0].status.replica"),
        ({"status": {"replica": 10**30}}, "components[0].status.replica"),
        ({"status": {"available_replica": None}}, "components[0].status.available_replica"),
        ({"status": {"component_status": 7}}, "components[0].status.component_status"),
    ],
)
def test_what_would_be_acted_on_must_be_there(row: Row, change: dict[str, Any], place: str) -> None:
    """The error names the place; nothing is guessed."""
    with pytest.raises(AnswerUnreadable) as caught:
        only(row(**change))
    assert caught.value.message.startswith(f"{place}: expected ")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"count": 1},
        {"components": []},
        {"count": "1", "components": []},
        {"count": 0, "components": {}},
    ],
)
def test_a_list_of_another_shape_is_unreadable(body: Any) -> None:
    """Both the rows and their count are needed."""
    with pytest.raises(AnswerUnreadable):
        parse_components(body, SHOP)


def test_half_a_surrogate_pair_does_not_survive(row: Row) -> None:
    """It could not be written to any file."""
    assert only(row(name="c\ud800t")).address.component == "c?t"


def test_the_detail_refreshes_a_row_and_keeps_its_names(row: Row) -> None:
    """The detail has no id and no names; an old closer look does not outlive it."""
    before = only(row())
    detail: Any = {
        "version": "1.5.0",
        "replica": 9,
        "status": {"component_status": "PENDING", "replica": 6, "available_replica": 2, "last_job_id": "JOB2"},
    }
    after = parse_component(detail, before)
    assert (after.address, after.component_id, after.application_id) == (before.address, "c-1", "a-1")
    assert (after.row_version, after.status, after.replicas, after.available_replicas) == ("1.5.0", "PENDING", 6, 2)
    assert (after.last_job_id, after.closer) == ("JOB2", None)


@pytest.mark.parametrize("policy", ["WEIGHT", "weight", "Weight"])
def test_a_weight_is_read_in_any_case(policy: str) -> None:
    """Old answers are lower case."""
    strategy = {
        "type": "GrayRelease",
        "gray_release": {
            "type": policy,
            "first_batch_weight": 20,
            "remaining_batch": 2,
            "replica_surge_mode": "no_surge",
        },
    }
    look = closer(strategy, replica=5)
    assert (look.rule, look.remaining_batches, look.configured_replicas) == (GrayRule(weight=20), 2, 5)


def test_content_rules_are_a_set_with_enums_in_any_case() -> None:
    """Keys and values are a person's text and keep their case."""
    rule = {"type": "HEADER", "key": "X-Tier", "condition": "Equal", "value": "Beta"}
    strategy = {"gray_release": {"type": "content", "rule_match_mode": "ANY", "rules": [rule, rule]}}
    assert closer(strategy).rule == GrayRule(
        match="any", rules=frozenset({ContentRule("header", "X-Tier", "equal", "Beta")})
    )


@pytest.mark.parametrize(
    "gray",
    [
        None,
        {},
        {"type": "WEIGHT"},
        {"type": "LOTTERY", "first_batch_weight": 20},
        {"type": "CONTENT", "rule_match_mode": "all", "rules": []},
        {"type": "CONTENT", "rules": [{"type": "header", "key": "k", "condition": "in", "value": "v"}]},
    ],
)
def test_a_rule_that_is_not_told_completely_is_none(gray: Any) -> None:
    """An unknown policy is not an error: the enum is open."""
    assert closer({"gray_release": gray}).rule is None


@pytest.mark.parametrize(
    ("gray", "place"),
    [
        ({"type": "WEIGHT", "first_batch_weight": "20"}, "deploy_strategy.gray_release.first_batch_weight"),
        ({"type": "WEIGHT", "first_batch_weight": 101}, "deploy_strategy.gray_release.first_batch_weight"),
        ({"type": "CONTENT", "rules": [{"type": "header"}]}, "deploy_strategy.gray_release.rules[0].key"),
        ({"type": "CONTENT", "rules": ["x"]}, "deploy_strategy.gray_release.rules[0]"),
    ],
)
def test_a_rule_of_another_shape_is_unreadable(gray: Any, place: str) -> None:
    """Present and wrong is not the same as absent."""
    with pytest.raises(AnswerUnreadable) as caught:
        closer({"gray_release": gray})
    assert caught.value.message.startswith(f"{place}: expected ")


def test_a_component_without_strategy_has_no_rule() -> None:
    """Neither is an error."""
    nothing = Configuration(None, {}, Resources(), None)
    assert closer() == Closer(None, None, None, (), configuration=nothing)


def test_a_record_takes_weight_and_batches_from_its_last_phase() -> None:
    """Phases are put in their sequence first."""
    record = {
        "version": "2.2.0",
        "deploy_type": "GrayRelease",
        "begin_time": "2026-11-23T08:00:00.500Z",
        "current_used": True,
        "status": "running",
        "jobs": [
            {"sequence": 2, "job_id": "JOB2", "job_info": {"first_batch_weight": 40, "remaining_batch": 1}},
            {"sequence": 1, "job_id": "JOB1", "job_info": {"first_batch_weight": 10, "remaining_batch": 2}},
        ],
    }
    assert closer(records=[record]).records == (
        Record("2.2.0", "grayrelease", "2026-11-23T08:00:00Z", True, "running", ("JOB1", "JOB2"), 40, 1),
    )


@pytest.mark.parametrize(
    "times",
    [
        ("2026-11-23T08:00:00Z", "2026-11-23T17:00:00+08:00", "2026-11-23T10:00:00.000Z"),
        ("2026-11-23 08:00:00", "2026-11-23 09:00:00", "2026-11-23 10:00:00"),
        (1763884800000, "1763888400000", 1763892000000),
    ],
)
def test_records_are_sorted_newest_first(times: tuple[Any, ...]) -> None:
    """Whatever the spelling of the instants, and whatever order they came in."""
    oldest, middle, newest = times
    rows = [
        {"version": "2", "begin_time": middle},
        {"version": "1", "begin_time": oldest},
        {"version": "3", "begin_time": newest},
    ]
    assert [record.version for record in closer(records=rows).records] == ["3", "2", "1"]


def test_records_keep_their_order_where_one_time_cannot_be_read() -> None:
    """Half an order would be worse than the platform's own."""
    rows = [
        {"version": "1", "begin_time": "2026-11-23T08:00:00Z"},
        {"version": "3", "begin_time": "Monday"},
        {"version": "2", "begin_time": "2026-11-23T09:00:00Z"},
    ]
    records = closer(records=rows).records
    assert [record.version for record in records] == ["1", "3", "2"]
    assert records[1].begun_at == "Monday"


def test_a_record_without_a_version_is_unreadable() -> None:
    """It could be the newest gray release."""
    with pytest.raises(AnswerUnreadable) as caught:
        closer(records=[{"deploy_type": "GrayRelease"}])
    assert "records[0].version" in caught.value.message


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("SUCCEEDED", JobPhase.SUCCEEDED),
        ("FAILED", JobPhase.FAILED),
        ("UNKNOWN", JobPhase.FAILED),
        ("CANCELLED", JobPhase.FAILED),
        ("PARTIALLY_FAILED", JobPhase.FAILED),
        ("ROLLBACKED", JobPhase.FAILED),
        ("SUBMITTED", JobPhase.RUNNING),
        ("SCHEDULED", JobPhase.RUNNING),
        ("RUNNING", JobPhase.RUNNING),
        ("ROLLBACKING", JobPhase.RUNNING),
        ("SOMETHING_NEW", JobPhase.RUNNING),
    ],
)
@pytest.mark.parametrize("upper", [False, True])
def test_jobs_are_read_in_both_cases(status: str, phase: JobPhase, upper: bool) -> None:
    """Keys lower or upper, values lower or upper: the same job."""
    body: Any
    if upper:
        body = {"task_count": 0, "JOB": {"EXECUTION_STATUS": status, "JOB_ID": "JOB1"}, "TASKS": []}
    else:
        body = {"task_count": 0, "job": {"execution_status": status.lower(), "job_id": "JOB1"}, "tasks": []}
    job = parse_job(body, "JOB1")
    assert (job.id, job.phase, job.status, job.message) == ("JOB1", phase, status, None)


def test_a_key_in_both_cases_is_read_from_the_lower_one() -> None:
    """Whichever comes first."""
    bodies: list[Any] = [
        {"job": {"execution_status": "FAILED", "EXECUTION_STATUS": "SUCCEEDED"}},
        {"job": {"EXECUTION_STATUS": "SUCCEEDED", "execution_status": "FAILED"}},
    ]
    for body in bodies:
        assert parse_job(body, "JOB1").phase is JobPhase.FAILED


@pytest.mark.parametrize("body", [{}, {"job": None}, {"job": []}, {"job": {}}, {"job": {"execution_status": 3}}, []])
def test_a_job_without_status_is_unreadable(body: Any) -> None:
    """It could never be followed to its end."""
    with pytest.raises(AnswerUnreadable):
        parse_job(body, "JOB1")


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], None),
        (None, None),
        ([{"task_status": "SUCCEEDED", "task_name": "PREPARE"}], None),
        ([{"task_status": "FAILED", "task_name": "BUILD", "messages": "quota exceeded"}], "BUILD: quota exceeded"),
        ([{"TASK_STATUS": "failed", "TASK_NAME": "BUILD", "MESSAGES": '{"message": "quota"}'}], "BUILD: quota"),
        ([{"task_status": "FAILED", "task_name": "BUILD", "messages": "{}"}], "BUILD"),
        ([{"task_status": "FAILED", "messages": {"a": "x", "b": 2, "c": "y"}}], "x; y"),
        (
            [
                {"task_status": "FAILED", "task_name": "ONE", "messages": "broken"},
                {"task_status": "RUNNING", "task_name": "TWO"},
                {"task_status": "SKIPPED", "task_name": "THREE"},
            ],
            "ONE: broken",
        ),
        ([{"task_status": "RUNNING", "task_name": "TWO", "messages": "half way"}], "TWO: half way"),
        ([{"status": "SUCCEEDED", "name": "ONE"}, {"status": "FAILED", "name": "TWO", "messages": "x"}], "TWO: x"),
        (["x", {"task_status": None, "task_name": 3}], None),
    ],
)
def test_a_failed_job_tells_what_its_task_says(tasks: Any, message: str | None) -> None:
    """The task that failed, by name and words; the last unfinished one where none admits it."""
    assert parse_job({"job": {"execution_status": "FAILED"}, "tasks": tasks}, "JOB1").message == message


@pytest.mark.parametrize(
    ("body", "job_id"),
    [
        ({"job_id": "JOB1", "result": "succeeded"}, "JOB1"),
        ({"job_id": "JOB1", "component_id": "c-1"}, "JOB1"),
        ({"job_id": "JOB1", "component_id": "c-1", "result": "succeeded"}, "JOB1"),
        ({"component_id": "c-1"}, None),
        ({"job_id": None, "component_id": "c-1"}, None),
        ({"job_id": ""}, None),
        ({}, None),
    ],
)
def test_action_answers_of_all_generations(body: Any, job_id: str | None) -> None:
    """Old, new, both at once, and without a job."""
    assert parse_action_answer(body) == job_id


@pytest.mark.parametrize("result", ["failed", "FAILED"])
def test_an_action_that_failed_in_band_is_refused(result: str) -> None:
    """HTTP 200 is not yet a success."""
    with pytest.raises(RequestRefused) as caught:
        parse_action_answer({"job_id": "JOB1", "result": result})
    assert caught.value.code == "action_failed"
    assert "JOB1" in caught.value.message


@pytest.mark.parametrize("body", [None, [], "JOB1", {"job_id": 7}, {"result": []}])
def test_an_action_answer_of_another_shape_is_unreadable(body: Any) -> None:
    """The caller makes an unknown outcome of it."""
    with pytest.raises(AnswerUnreadable):
        parse_action_answer(body)
