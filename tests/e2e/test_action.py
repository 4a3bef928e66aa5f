"""`statetool action`: every verb of the platform through the real command line, on the sandbox."""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e_project import QUICK, Done, ProjectFolder

SEED = (
    QUICK
    + """\
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.0, 1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10, remaining_batches: 2}}
      pay: {version: 3.0.1, replicas: 4}
      legacy: {version: 0.9.1, replicas: 1, status: STOPPED}
      machines: {version: 1.0.0, replicas: 2, platform_type: ecs}
"""
)
MANIFEST = """\
application: shop
components:
  cart: {version: 1.4.2, replicas: 4}
  search: {version: 2.1.0, gray: {version: 2.2.0, weight: 10}}
  pay: {replicas: 4}
  legacy: {state: stopped}
"""


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A project whose manifests are applied."""
    project.configure()
    project.seed(SEED)
    project.manifest(MANIFEST)
    project.call("apply", "--auto-approve")
    return project


def sent(shop: ProjectFolder) -> list[tuple[str, Any]]:
    """Verb and parameters of the requests so far."""
    bodies = [entry.body for entry in shop.log()]
    return [(body["action"], body.get("parameters")) if "action" in body else ("PUT", body) for body in bodies]


def act(shop: ProjectFolder, command: str, code: int | None = 0) -> Done:
    return shop.call("action", *command.split(), "--auto-approve", code=code)


ACTIONS = [
    ("scale shop/pay --replica 6", "scale", {"replica": 6}),
    ("stop shop/pay", "stop", None),
    ("start shop/legacy", "start", None),
    ("restart shop/cart", "restart", None),
    ("rollback shop/cart --version 1.4.1", "rollback", {"version": "1.4.1"}),
    ("rollback shop/search --version 2.1.0", "rollback", {"version": "2.1.0"}),
    ("rollback_current shop/cart", "rollback_current", None),
    ("continue_deploy shop/search", "continue_deploy", None),
    (
        "modify_gray_rule shop/search --weight 30",
        "modify_gray_rule",
        {"type": "WEIGHT", "first_batch_weight": 30},
    ),
    ("sync_workload shop/pay", "sync_workload", None),
    ("scale shop/machines --replica 3 --hosts h1,h2 --hosts h3", "scale", {"replica": 3, "hosts": ["h1", "h2", "h3"]}),
]


@pytest.mark.parametrize(("command", "verb", "parameters"), ACTIONS, ids=[command for command, *_ in ACTIONS])
def test_an_action_is_sent_once_and_no_wish_changes(
    shop: ProjectFolder, command: str, verb: str, parameters: Any
) -> None:
    """Followed to its end, seen in the state where the component is recorded, and never taken for a wish."""
    wishes = {address: entry["wish"] for address, entry in shop.state["components"].items()}
    done = act(shop, command)
    assert sent(shop) == [(verb, parameters)]
    assert "1 done" in done.out
    assert {address: entry["wish"] for address, entry in shop.state["components"].items()} == wishes


@pytest.mark.parametrize("command", [command for command, *_ in ACTIONS if "restart" not in command])
def test_the_second_time_nothing_is_sent_twice(shop: ProjectFolder, command: str) -> None:
    """What is so already needs no request; what counts, or goes back once more, is refused or goes one further."""
    act(shop, command)
    before = sent(shop)
    again = act(shop, command, code=None)
    if command.startswith(("sync_workload", "continue_deploy", "rollback_current")):
        assert again.code in (0, 3)
    else:
        assert again.code == 0
        assert "No changes." in again.out
        assert sent(shop) == before


def test_an_upgrade_brings_the_image_that_follows_the_version(shop: ProjectFolder) -> None:
    """By a PUT that carries everything else as it was; the state keeps how the version came about."""
    act(shop, "upgrade shop/cart --version 1.5.0")
    [(verb, body)] = sent(shop)
    assert (verb, body["version"], body["replica"]) == ("PUT", "1.5.0", 4)
    assert body["source"]["url"].endswith("cart:1.5.0")
    assert shop.state["components"]["shop/cart"]["history"][-1]["version"] == "1.5.0"
    assert shop.state["components"]["shop/cart"]["history"][-1]["verb"] == "upgrade"
    assert "version" in shop.call("drift", code=2).out


def test_an_upgrade_with_a_weight_starts_a_gray_release(shop: ProjectFolder) -> None:
    """Done at the pause; then it can be promoted batch by batch, or gone back from."""
    act(shop, "upgrade shop/cart --version 1.5.0 --weight 10")
    [(_, body)] = sent(shop)
    assert body["deploy_strategy"]["gray_release"]["first_batch_weight"] == 10
    assert shop.state["components"]["shop/cart"]["seen"]["gray"]["version"] == "1.5.0"
    act(shop, "rollback shop/cart --version 1.4.2")
    assert [entry["version"] for entry in shop.state["components"]["shop/cart"]["rejected"]] == ["1.5.0"]


@pytest.mark.parametrize("gray_job", ["succeeded", "running"])
@pytest.mark.parametrize("gray_continue", ["all", "per_batch"])
def test_one_continue_is_one_request(project: ProjectFolder, gray_job: str, gray_continue: str) -> None:
    """Whatever a platform does with it: all batches, or one."""
    project.configure()
    switches = f"gray_job: {gray_job}, gray_continue: {gray_continue}"
    project.seed(SEED.replace("stale_ms: 0}", f"stale_ms: 0, {switches}}}"))
    act(project, "continue_deploy shop/search")
    assert [verb for verb, _ in sent(project)] == ["continue_deploy"]
    act(project, "upgrade shop/cart --version 1.5.0 --weight 10")
    assert [verb for verb, _ in sent(project)] == ["continue_deploy", "PUT"]


def test_a_component_that_nobody_manages_is_acted_on_and_not_recorded(project: ProjectFolder) -> None:
    """Without any manifest or state."""
    project.configure()
    project.seed(SEED)
    act(project, "scale shop/pay --replica 6")
    assert sent(project) == [("scale", {"replica": 6})]
    assert project.call("state", "list", code=None).out.strip() == ""


@pytest.mark.parametrize("body", ["flat", "gray_release", "deploy_strategy"])
def test_the_envelope_of_a_gray_rule_is_configured(project: ProjectFolder, body: str) -> None:
    """The platform takes what it takes; its documents do not say."""
    project.configure()
    project.edit("statetool.yaml", "platform: {", f"platform: {{gray_rule_body: {body}, ")
    project.seed(SEED)
    act(project, "modify_gray_rule shop/search --weight 30")
    rule = {"type": "WEIGHT", "first_batch_weight": 30}
    envelope = {"flat": rule, "gray_release": {"gray_release": rule}}
    assert sent(project) == [
        ("modify_gray_rule", envelope.get(body, {"deploy_strategy": {"gray_release": rule}})),
    ]


def test_content_rules_from_the_command_line(shop: ProjectFolder) -> None:
    """A value may hold blanks."""
    shop.call(
        *("action", "modify_gray_rule", "shop/search", "--auto-approve", "--match", "any"),
        *("--rule", "header x-user equal Ann Smith", "--rule", "header x-tier in beta,gold"),
    )
    [(_, parameters)] = sent(shop)
    assert parameters["rule_match_mode"] == "any"
    assert {rule["value"] for rule in parameters["rules"]} == {"Ann Smith", "beta,gold"}


def test_the_next_apply_is_told_of_before_anybody_agrees(shop: ProjectFolder) -> None:
    """And the plan afterwards shows exactly that."""
    done = act(shop, "scale shop/cart --replica 9")
    assert "next_apply_undoes: the manifest wants replicas 4" in done.out
    assert "4 -> 9" in shop.call("drift", code=2).out


def test_events_are_those_of_an_apply(shop: ProjectFolder) -> None:
    """For a pipeline that reads them."""
    lines = shop.call("action", "scale", "shop/pay", "--replica", "6", "--auto-approve", "--json").out.splitlines()
    types = [json.loads(line)["type"] for line in lines]
    assert [t for t in types if t.startswith("action_") and t != "action_progress"] == [
        "action_start",
        "action_accepted",
        "action_complete",
    ]
    assert types[-1] == "change_summary"


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("scale shop/search --replica 6", 3, "deferred_gray"),
        ("rollback shop/pay --version 9.9.9", 4, "unknown_version"),
        ("scale shop/cat --replica 6", 1, "did you mean shop/cart"),
        ("scale nobody/cart --replica 6", 1, "component_not_found"),
        ("scal shop/cart --replica 6", 64, "did you mean scale?"),
        ("scale shop/cart", 64, "scale needs --replica"),
        ("restart shop/cart --replica 6", 64, "--replica can't be used with restart"),
        ("modify_gray_rule shop/search", 64, "needs --weight or --rule"),
        ("modify_gray_rule shop/search --match any", 64, "--match needs --rule"),
        ("modify_gray_rule shop/search --rule x", 64, "is no rule"),
        ("upgrade shop/cart --version 1.5.0 --image a --package b", 64, "can't be used together"),
        ("upgrade shop/cart --version 1.5.0 --package obs://x", 3, "runs from an image, not from a package"),
        ("scale cart --replica 6", 64, "is not an address"),
    ],
)
def test_what_can_not_be_done_is_said_and_nothing_is_sent(
    shop: ProjectFolder, command: str, code: int, says: str
) -> None:
    """With the exit code of its kind."""
    done = act(shop, command, code)
    assert says in done.all
    assert sent(shop) == []


def test_a_protected_component_is_protected_from_hands_too(shop: ProjectFolder) -> None:
    """Unless it is overridden for once."""
    shop.edit("manifests/shop.yaml", "pay: {replicas: 4}", "pay: {replicas: 4, lifecycle: {protected: true}}")
    assert "protected" in act(shop, "stop shop/pay", 4).out
    act(shop, "stop shop/pay --override protected")
    assert [verb for verb, _ in sent(shop)] == ["stop"]


def test_a_check_that_says_no_is_a_failure_in_its_own_words(shop: ProjectFolder) -> None:
    """HTTP 200 with `result: failed` is no success."""
    done = act(shop, "check_gray_release shop/search", 3)
    assert "action_failed" in done.all
    act(shop, "check_gray_release shop/cart")
