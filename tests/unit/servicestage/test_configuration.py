"""What a version runs with: artifact, variables as digests, limits, configured instances."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statetool.core.canonical import digest
from statetool.core.deploy import Artifact, Configuration, Resources
from statetool.core.model import Json
from statetool.errors import AnswerUnreadable
from statetool.servicestage.configuration import parse_configuration, parse_past_configuration

SECRET: Json = {"reference_type": "secretKey", "name": "db", "key": "password"}


def env(*envs: Any) -> dict[str, str]:
    """The digests of a component with these variables."""
    return dict(parse_configuration({"envs": list(envs)}).env)


def test_a_detail_tells_what_the_component_runs_with() -> None:
    """And instances are those that are configured, not those that exist."""
    detail: Json = {
        "version": "1.4.2",
        "replica": 4,
        "status": {"replica": 6},
        "source": {"kind": "image", "url": "swr/shop/cart:1.4.2"},
        "envs": [{"name": "LEVEL", "value": "info"}, {"name": "PASSWORD", "value_from": SECRET}],
        "request_cpu": 0.25,
        "limit_cpu": 1,
        "request_memory": 0,
    }
    assert parse_configuration(detail) == Configuration(
        artifact=Artifact("image", "swr/shop/cart:1.4.2"),
        env={"LEVEL": digest({"value": "info"}), "PASSWORD": digest({"value_from": SECRET})},
        resources=Resources(request_cpu=0.25, limit_cpu=1.0, request_memory=0.0, limit_memory=None),
        replicas=4,
    )
    assert parse_configuration({}) == Configuration(None, {}, Resources(), None)


@given(st.text())
def test_a_text_has_the_digest_of_its_plain_value(text: str) -> None:
    """So that what a manifest sets can be compared with what is there; the text itself is nowhere."""
    assert env({"name": "A", "value": text}) == {"A": digest({"value": text})}
    assert env({"name": "A", "value": text, "value_from": None, "note": "x"}) == env({"name": "A", "value": text})


@pytest.mark.parametrize("nothing", [{}, {"value": None}, {"value": ""}, {"value": "", "value_from": None}])
def test_a_variable_that_holds_nothing_is_an_empty_text(nothing: dict[str, Any]) -> None:
    """However the platform writes that."""
    assert env({"name": "A", **nothing}) == {"A": digest({"value": ""})}


def test_where_a_value_comes_from_counts_and_not_how_it_is_written() -> None:
    """Another key is another value; the order of fields and an empty value beside it are none."""
    other = {"key": "password", "name": "db", "reference_type": "secretKey"}
    assert env({"name": "A", "value_from": SECRET}) == env({"value": "", "value_from": other, "name": "A"})
    assert env({"name": "A", "value_from": SECRET}) != env({"name": "A", "value_from": {**other, "key": "user"}})


def test_variables_of_the_platform_are_left_out() -> None:
    """They are not ours to send, so nobody needs to see them come and go; and one without a name has none to show."""
    assert env({"name": "PAAS_APP", "value": "x", "inner": True}, {"name": ""}, {"value": "1"}, "x", None) == {}
    assert set(env({"name": "A", "value": "x", "inner": False}, {"name": "\ud800"})) == {"A", "?"}


def test_of_two_variables_with_one_name_the_later_counts() -> None:
    """As in a container."""
    assert env({"name": "A", "value": "1"}, {"name": "A", "value": "2"}) == {"A": digest({"value": "2"})}


@pytest.mark.parametrize("amount", ["0.5", None, True, -1, [], 10**400])
def test_a_limit_that_is_no_number_is_not_told(amount: Any) -> None:
    """It only informs; nothing is decided by it."""
    assert parse_configuration({"limit_cpu": amount}).resources == Resources()


@pytest.mark.parametrize("detail", [None, [], "x", {"envs": {}}, {"envs": "x"}, {"replica": "4"}, {"replica": -1}])
def test_a_detail_that_could_not_be_sent_back_is_unreadable(detail: Any) -> None:
    """The same shapes that no deployment would write."""
    with pytest.raises(AnswerUnreadable):
        parse_configuration(detail)


def test_a_value_nested_deeper_than_anybody_reads_is_unreadable() -> None:
    """A sentence, not a failure of Python."""
    depth = sys.getrecursionlimit() + 100
    deep: Any = {}
    for _ in range(depth):
        deep = {"a": deep}
    with pytest.raises(AnswerUnreadable, match=r"envs\[1\]"):
        env({"name": "A"}, {"name": "B", "value_from": deep})


def test_a_past_version_is_the_one_that_was_asked_for() -> None:
    """An answer about another one tells nothing of it."""
    detail: Json = {"version": "1.0.0", "replica": 2}
    assert parse_past_configuration(detail, "1.0.0") == parse_configuration(detail)
    assert parse_past_configuration(detail, "1.0.1") is None
    assert parse_past_configuration({"replica": 2}, "1.0.0") is None
    with pytest.raises(AnswerUnreadable):
        parse_past_configuration([], "1.0.0")


def test_no_value_of_a_variable_is_kept() -> None:
    """Neither in what is read, nor in how it is shown to a developer."""
    read = parse_configuration({"envs": [{"name": "A", "value": "hunter2"}]})
    assert "hunter2" not in repr(read) + json.dumps(dict(read.env))
