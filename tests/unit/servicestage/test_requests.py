"""What changing requests carry: actions, the gray rule in its three places, deployments that change nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statetool.core.canonical import rule_to_json
from statetool.core.model import Address, ContentRule, GrayRule, Json, Observed
from statetool.core.plan import Verb
from statetool.errors import AnswerUnreadable, RequestRefused
from statetool.servicestage.requests import build_action_body, build_batch_body, build_deploy_body
from statetool.servicestage.wire import parse_closer

RULE = GrayRule(
    match="any",
    rules=frozenset({ContentRule("header", "b", "in", "1,2"), ContentRule("header", "a", "equal", "B")}),
)


# Actions


def test_action_bodies_are_lower_case_verbs_with_parameters_where_there_are_any() -> None:
    """No empty parameters object: the platform documents none."""
    assert build_action_body(Verb.RESTART, {}, "flat") == {"action": "restart"}
    assert build_action_body(Verb.SCALE, {"replica": 0}, "flat") == {"action": "scale", "parameters": {"replica": 0}}
    assert build_action_body(Verb.SCALE, {"replica": 2, "hosts": ["b", "a"]}, "flat")["parameters"] == {
        "replica": 2,
        "hosts": ["b", "a"],
    }
    assert build_action_body(Verb.ROLLBACK, {"version": "1.4.1"}, "deploy_strategy") == {
        "action": "rollback",
        "parameters": {"version": "1.4.1"},
    }


@pytest.mark.parametrize(
    ("envelope", "path"),
    [("flat", ()), ("gray_release", ("gray_release",)), ("deploy_strategy", ("deploy_strategy", "gray_release"))],
)
def test_a_gray_rule_stands_where_it_was_told_to(envelope: Any, path: tuple[str, ...]) -> None:
    """The vendor documents no place for it at all, so all three that are plausible can be chosen."""
    body = build_action_body(Verb.MODIFY_GRAY_RULE, {"weight": 20}, envelope)
    sent: Any = body["parameters"]
    for key in path:
        assert set(sent) == {key}
        sent = sent[key]
    assert sent == {"type": "WEIGHT", "first_batch_weight": 20}


def test_gray_content_rules_are_sent_and_read_back_as_the_same_rule() -> None:
    """What we send under gray_release reads as what we meant."""
    sent = build_action_body(Verb.MODIFY_GRAY_RULE, rule_to_json(RULE), "flat")["parameters"]
    assert isinstance(sent, dict)
    assert (sent["type"], sent["rule_match_mode"]) == ("CONTENT", "any")
    assert parse_closer({"deploy_strategy": {"gray_release": sent}}, {"count": 0, "records": []}).rule == RULE


def test_a_gray_rule_that_is_none_is_not_sent() -> None:
    """Better refused here than half a rule there."""
    with pytest.raises(RequestRefused):
        build_action_body(Verb.MODIFY_GRAY_RULE, {"match": "any", "rules": []}, "flat")
    with pytest.raises(RequestRefused):
        build_deploy_body(DETAIL, {"version": "1.5.0", "gray": {}})


def test_a_batch_names_every_component_with_its_application() -> None:
    """The ids of components alone are not enough for it."""
    rows = [Observed(Address("shop", n), f"c-{n}", "a-1", None, "1", "RUNNING", 1, 1, None, None) for n in ("x", "y")]
    assert build_batch_body(Verb.SYNC_WORKLOAD, rows) == {
        "action": "sync_workload",
        "components": [{"id": "c-x", "application_id": "a-1"}, {"id": "c-y", "application_id": "a-1"}],
    }


# Deployments

DETAIL: dict[str, Json] = {
    "name": "cart",
    "application_id": "a-1",
    "environment_id": "e-1",
    "status": {"component_status": "RUNNING", "replica": 4},
    "version": "1.4.2",
    "replica": 4,
    "source": {"kind": "image", "url": "swr/shop/cart:1.4.2", "storage": "swr", "auth": "iam"},
    "envs": [{"name": "A", "value": "1"}, {"name": "PAAS_APP", "value": "x", "inner": True}],
    "deploy_strategy": {"type": "RollingRelease", "rolling_release": {"batches": 3, "termination_seconds": 30}},
    "labels": [{"key": "team", "value": "shop"}],
    "limit_cpu": 0.25,
}
CHANGED = {"version", "source", "deploy_strategy"}
NOT_SENT = {"application_id", "environment_id", "status"}


@pytest.mark.parametrize(
    ("configured", "status", "sent"),
    [
        (3, {"component_status": "RUNNING", "replica": 6}, 6),
        (3, {"component_status": "PENDING", "replica": 6}, 6),
        (4, {"component_status": "RUNNING", "replica": 4}, 4),
        (4, {"component_status": "RUNNING", "replica": 2}, 4),
        (4, {"component_status": "FAILED", "replica": 8}, 4),
        (4, {"component_status": "RUNNING"}, 4),
        (4, None, 4),
    ],
)
@pytest.mark.parametrize("gray", [{}, {"gray": {"weight": 5}}])
def test_a_deployment_takes_no_instance_away_that_an_autoscaler_runs(
    configured: int, status: Json, sent: int, gray: dict[str, Json]
) -> None:
    """A platform may take the number that a deployment carries: it is never less than what runs. Of a component that
    failed half way nobody knows whose instances are counted."""
    body = build_deploy_body({**DETAIL, "replica": configured, "status": status}, {"version": "1.5.0", **gray})
    assert body["replica"] == sent


def test_a_deployment_brings_the_version_and_its_image() -> None:
    """And what runs stays as it is: instances, variables, limits, labels, and how releases go."""
    body = build_deploy_body(DETAIL, {"version": "1.5.0", "image": "swr/shop/cart:1.5.0"})
    assert body["version"] == "1.5.0"
    assert body["source"] == {"kind": "image", "url": "swr/shop/cart:1.5.0", "storage": "swr", "auth": "iam"}
    assert body["envs"] == [{"name": "A", "value": "1"}]
    assert body["deploy_strategy"] == DETAIL["deploy_strategy"]
    assert {key: body[key] for key in ("name", "replica", "labels", "limit_cpu")} == {
        key: DETAIL[key] for key in ("name", "replica", "labels", "limit_cpu")
    }
    assert not NOT_SENT & set(body)


def test_variables_that_are_named_are_set_and_the_others_stay() -> None:
    """In their order, whatever they hold; one that is set by a text now gets its value from nowhere else."""
    secret: Json = {"reference_type": "secretKey", "name": "db", "key": "password", "optional": False}
    envs: list[Json] = [
        {"name": "FIRST", "value": "1", "note": "of nobody's documents"},
        {"name": "PAAS_APP", "value": "x", "inner": True},
        {"name": "PASSWORD", "value_from": secret, "value": ""},
        {"name": "TOKEN", "value_from": secret},
        {"name": "EMPTY"},
        "what is this",
        {"name": "LAST", "value": "9"},
    ]
    wanted: Json = {"NEW": "n", "LAST": "10", "TOKEN": "plain", "FIRST": "", "ANOTHER": "a"}
    body = build_deploy_body({**DETAIL, "envs": envs}, {"version": "1.5.0", "env": wanted})
    assert body["envs"] == [
        {"name": "FIRST", "value": "", "note": "of nobody's documents"},
        {"name": "PASSWORD", "value_from": secret, "value": ""},
        {"name": "TOKEN", "value": "plain"},
        {"name": "EMPTY"},
        "what is this",
        {"name": "LAST", "value": "10"},
        {"name": "NEW", "value": "n"},
        {"name": "ANOTHER", "value": "a"},
    ]


def test_a_component_without_variables_gets_those_that_are_named() -> None:
    """Where there are none and none is wanted, the field stays as it is: away, null or empty."""
    for shown in ({}, {"envs": None}, {"envs": []}):
        detail: dict[str, Json] = {**{key: value for key, value in DETAIL.items() if key != "envs"}, **shown}
        body = build_deploy_body(detail, {"version": "1.5.0", "env": {"A": "1"}})
        assert body["envs"] == [{"name": "A", "value": "1"}]
        untouched = build_deploy_body(detail, {"version": "1.5.0"})
        assert {key: untouched[key] for key in ("envs",) if key in untouched} == shown


def test_a_variable_of_the_platform_does_not_hide_one_of_ours() -> None:
    """The platform's own is left out, ours is sent."""
    body = build_deploy_body(DETAIL, {"version": "1.5.0", "env": {"PAAS_APP": "mine"}})
    assert body["envs"] == [{"name": "A", "value": "1"}, {"name": "PAAS_APP", "value": "mine"}]


def test_resources_that_are_named_are_set_and_the_others_stay() -> None:
    """Each by itself; a limit of nothing is a number too."""
    detail: dict[str, Json] = {**DETAIL, "request_cpu": 0.1, "limit_memory": 1}
    body = build_deploy_body(detail, {"version": "1.5.0", "resources": {"limit_cpu": 2, "request_memory": 0}})
    assert {key: body.get(key) for key in ("request_cpu", "limit_cpu", "request_memory", "limit_memory")} == {
        "request_cpu": 0.1,
        "limit_cpu": 2,
        "request_memory": 0,
        "limit_memory": 1,
    }
    assert set(body) == (set(detail) | {"request_memory"}) - NOT_SENT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EXTRA = st.dictionaries(st.text().filter(lambda key: key not in DETAIL and key != "config_mode"), JSON, max_size=4)


@given(EXTRA, EXTRA, st.booleans())
def test_nothing_else_of_the_component_changes(extra: Any, in_source: Any, gray: bool) -> None:
    """Whatever the platform shows besides, documented or not, goes back exactly as it came."""
    source = {**in_source, **(DETAIL["source"] if isinstance(DETAIL["source"], dict) else {})}
    detail = {**extra, **DETAIL, "source": source}
    asked: dict[str, Json] = {"version": "1.5.0", "image": "swr/shop/cart:1.5.0"}
    body = build_deploy_body(detail, {**asked, "gray": {"weight": 5}} if gray else asked)
    kept = set(detail) - CHANGED - NOT_SENT - {"envs"}
    assert {key: body[key] for key in kept} == {key: detail[key] for key in kept}
    assert body["source"] == {**source, "url": "swr/shop/cart:1.5.0"}
    assert set(body) == set(detail) - NOT_SENT


@pytest.mark.parametrize(
    ("release", "sent"),
    [
        ({"strategy": "one_batch"}, {"type": "OneBatchRelease"}),
        ({"strategy": "rolling", "batches": 5}, {"type": "RollingRelease", "rolling_release": {"batches": 5}}),
        ({"strategy": "rolling"}, {"type": "RollingRelease", "rolling_release": {"batches": 2}}),
    ],
)
def test_how_it_is_released_can_be_told(release: dict[str, Json], sent: dict[str, Json]) -> None:
    """In place of how it went last time."""
    body = build_deploy_body(DETAIL, {"version": "1.5.0", "release": release})
    assert body["deploy_strategy"] == sent


def test_a_whole_release_after_a_gray_one_is_not_gray() -> None:
    """The strategy of last time would start a gray release that nobody asked for."""
    last: dict[str, Json] = {"type": "GrayRelease", "gray_release": {"type": "WEIGHT", "first_batch_weight": 5}}
    body = build_deploy_body({**DETAIL, "deploy_strategy": last}, {"version": "1.5.0"})
    assert body["deploy_strategy"] == {"type": "RollingRelease", "rolling_release": {"batches": 2}}
    bare = {key: value for key, value in DETAIL.items() if key != "deploy_strategy"}
    assert build_deploy_body(bare, {"version": "1.5.0"})["deploy_strategy"] == body["deploy_strategy"]


@pytest.mark.parametrize(
    ("gray", "sent"),
    [
        (
            {"weight": 5},
            {
                "type": "WEIGHT",
                "first_batch_weight": 5,
                "replica_surge_mode": "EXTRA",
                "deployment_mode": 1,
                "first_batch_replica": 1,
                "remaining_batch": 1,
            },
        ),
        (
            {"weight": 5, "mode": "mirror", "channel": "elb-shared"},
            {"type": "WEIGHT", "first_batch_weight": 5, "replica_surge_mode": "MIRROR", "deployment_mode": 6},
        ),
        (
            {
                **rule_to_json(RULE),
                "mode": "nosurge",
                "channel": "registry",
                "first_batch_replicas": 2,
                "remaining_batches": 3,
            },
            {
                "type": "CONTENT",
                "rule_match_mode": "any",
                "rules": [
                    {"type": "header", "key": "a", "condition": "equal", "value": "B"},
                    {"type": "header", "key": "b", "condition": "in", "value": "1,2"},
                ],
                "replica_surge_mode": "NOSURGE",
                "deployment_mode": 3,
                "first_batch_replica": 2,
                "remaining_batch": 3,
            },
        ),
    ],
)
def test_a_gray_release_starts_with_all_it_needs(gray: dict[str, Json], sent: dict[str, Json]) -> None:
    """Every field that the platform requires of its mode, in upper case as the current documents write it."""
    body = build_deploy_body(DETAIL, {"version": "1.5.0", "gray": gray})
    assert body["deploy_strategy"] == {"type": "GrayRelease", "gray_release": sent}


def test_an_artifact_of_another_kind_is_not_sent() -> None:
    """An image does not replace a package."""
    packaged = {**DETAIL, "source": {"kind": "package", "url": "obs://shop/cart-1.4.2.jar"}}
    with pytest.raises(RequestRefused, match="runs from a package, not from an image"):
        build_deploy_body(packaged, {"version": "1.5.0", "image": "swr/shop/cart:1.5.0"})
    sent = build_deploy_body(packaged, {"version": "1.5.0", "package": "obs://shop/cart-1.5.0.jar"})["source"]
    assert sent == {"kind": "package", "url": "obs://shop/cart-1.5.0.jar"}


def test_a_component_in_yaml_is_left_alone() -> None:
    """Its detail does not show what it runs, so sending that back would lose it [3.2]."""
    with pytest.raises(RequestRefused) as caught:
        build_deploy_body({**DETAIL, "config_mode": "YAML"}, {"version": "1.5.0"})
    assert caught.value.code == "yaml_component"
    assert "console" in str(caught.value.hint)


@pytest.mark.parametrize("detail", [None, [], "x", {"envs": {}}, {"source": []}, {"deploy_strategy": 1}])
def test_a_detail_of_another_shape_is_not_written_back(detail: Any) -> None:
    """Nothing is sent for what was not understood."""
    with pytest.raises(AnswerUnreadable):
        build_deploy_body(detail, {"version": "1.5.0"})
