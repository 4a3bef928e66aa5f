"""Whatever JSON or bytes the platform sends, only a PlatformError comes out of reading it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from statetool.core.canonical import rule_to_json
from statetool.core.model import Address, Application, ContentRule, GrayRule, Observed
from statetool.core.plan import Verb
from statetool.errors import PlatformError
from statetool.servicestage.answer import Answer, parse_json
from statetool.servicestage.problems import build_error
from statetool.servicestage.requests import build_action_body
from statetool.servicestage.retries import Next, what_next
from statetool.servicestage.wire import (
    parse_action_answer,
    parse_applications,
    parse_closer,
    parse_component,
    parse_components,
    parse_job,
)

SHOP = Application("a-1", "shop")
BEFORE = Observed(Address("shop", "cart"), "c-1", "a-1", None, "1.0.0", "RUNNING", 1, 1, None, None)

ROW_KEYS = ("count", "applications", "components", "id", "name", "version", "status", "replica", "environment_name")
STATUS_KEYS = ("component_status", "available_replica", "last_job_id", "update_time")
GRAY_KEYS = (
    "deploy_strategy",
    "gray_release",
    "type",
    "first_batch_weight",
    "rules",
    "rule_match_mode",
    "key",
    "value",
)
RECORD_KEYS = (
    "records",
    "jobs",
    "job_info",
    "sequence",
    "begin_time",
    "current_used",
    "deploy_type",
    "remaining_batch",
)
JOB_KEYS = (
    "job",
    "JOB",
    "tasks",
    "TASKS",
    "execution_status",
    "EXECUTION_STATUS",
    "task_status",
    "task_name",
    "messages",
)
ANSWER_KEYS = ("job_id", "result", "error_code", "error_msg", "errorCode", "error", "code", "message", "request_id")
KEYS = st.sampled_from([*ROW_KEYS, *STATUS_KEYS, *GRAY_KEYS, *RECORD_KEYS, *JOB_KEYS, *ANSWER_KEYS, "condition"])
WORDS = st.sampled_from(
    ["RUNNING", "GRAYING", "failed", "FAILED", "WEIGHT", "content", "any", "GrayRelease", "2026-11-23T08:00:00+23:59"]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=0, max_value=200)
    | st.integers(min_value=10**11, max_value=10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(alphabet=st.characters(categories=("Cs", "Cc", "Nd")))
    | st.datetimes().map(str)
    | WORDS
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=8),
    max_leaves=30,
)


def _row(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly right objects, so that the search gets past the first field."""
    status = st.fixed_dictionaries(
        {
            "component_status": WORDS | inner,
            "replica": st.integers(0, 9) | inner,
            "available_replica": st.just(1) | inner,
        },
        optional={"last_job_id": inner, "update_time": inner},
    )
    rule = st.fixed_dictionaries(
        {"type": st.just("header"), "key": st.text(min_size=1), "condition": WORDS, "value": inner}
    )
    gray = st.fixed_dictionaries(
        {"type": WORDS | inner},
        optional={"first_batch_weight": inner, "rule_match_mode": WORDS, "rules": st.lists(rule) | inner},
    )
    phase = st.fixed_dictionaries({}, optional={"sequence": inner, "job_id": inner, "job_info": gray | inner})
    return st.fixed_dictionaries(
        {"id": st.just("c-1") | inner, "name": st.just("cart") | inner, "version": st.just("1.0.0") | inner},
        optional={
            "status": status | inner,
            "deploy_strategy": st.fixed_dictionaries({"gray_release": gray | inner}) | inner,
            "jobs": st.lists(phase, max_size=3) | inner,
            "begin_time": LEAVES,
            "current_used": inner,
            "deploy_type": inner,
        },
    )


ROWS = st.lists(_row(LEAVES), max_size=3)
BODIES = (
    JSON
    | _row(LEAVES)
    | st.fixed_dictionaries(
        {"count": st.integers(0, 3) | LEAVES, "components": ROWS, "records": ROWS, "applications": ROWS}
    )
    | st.fixed_dictionaries(
        {
            "job": st.fixed_dictionaries({"execution_status": WORDS}),
            "tasks": st.lists(st.dictionaries(KEYS, LEAVES | JSON.map(json.dumps), max_size=6), max_size=3),
        }
    )
)


@given(BODIES, BODIES)
def test_any_json_is_read_or_refused_with_a_platform_error(body: Any, other: Any) -> None:
    """No other exception, and what is read can be written to a file."""
    for read in (
        lambda: parse_applications(body),
        lambda: parse_components(body, SHOP),
        lambda: parse_component(body, BEFORE),
        lambda: parse_closer(body, other),
        lambda: parse_job(body, "JOB1"),
        lambda: parse_action_answer(body),
    ):
        try:
            told = str(read())
        except PlatformError as error:
            told = error.message
        told.encode("utf-8")


@given(
    st.binary() | BODIES.map(lambda value: json.dumps(value).encode()),
    st.integers(min_value=200, max_value=599),
    st.dictionaries(
        st.sampled_from(["retry-after", "date", "content-type", "x-request-id"]),
        st.text() | st.sampled_from(["Wed, 21 Oct 2026 07:28:00 GMT", "9" * 30, "text/html"]),
    ),
    st.booleans(),
)
def test_any_bytes_become_json_or_a_platform_error(
    body: bytes, status: int, headers: dict[str, str], is_action: bool
) -> None:
    """Bodies, statuses and headers of any kind have a typed error, and something follows from it."""
    answer = Answer("GET https://platform.test/x", status, headers, body)
    try:
        parse_json(answer)
    except PlatformError as unreadable:
        unreadable.message.encode("utf-8")
    error = build_error(answer, is_action=is_action)
    assert error.retry_after_s is None or 0 <= error.retry_after_s <= 120
    assert what_next(error, is_action=False) is not Next.UNKNOWN
    assert isinstance(what_next(error, is_action=True), Next)
    error.message.encode("utf-8")


TEXTS = st.text(alphabet=st.characters(codec="utf-8"), min_size=1)
RULES = st.integers(0, 100).map(lambda weight: GrayRule(weight=weight)) | st.builds(
    GrayRule,
    weight=st.none(),
    match=st.sampled_from(["all", "any"]),
    rules=st.frozensets(
        st.builds(ContentRule, st.just("header"), TEXTS, st.sampled_from(["equal", "match", "in"]), TEXTS), min_size=1
    ),
)


@given(RULES)
def test_a_rule_that_is_sent_reads_back_as_itself(rule: GrayRule) -> None:
    """Through the plan's spelling and the platform's."""
    sent = build_action_body(Verb.MODIFY_GRAY_RULE, rule_to_json(rule), "flat")["parameters"]
    assert parse_closer({"deploy_strategy": {"gray_release": sent}}, {"count": 0, "records": []}).rule == rule
