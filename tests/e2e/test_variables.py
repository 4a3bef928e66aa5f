"""Variables through the whole way: who gives them, what a plan shows of them, and what is never told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from e2e_project import ProjectFolder

SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      pay: {version: 3.0.1, replicas: 2}
"""
MANIFEST = """\
application: shop
components:
  cart:
    replicas: ${var.replicas}
  pay:
    version: 3.0.1
    labels:
      token: "${var.token}"
"""
TOKEN = "open-sesame-7351"


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """A shop whose manifest wants two variables; the environment gives a secret for one of them."""
    project.seed(SEED)
    project.manifest(MANIFEST)
    return replace(project, environ={"STATETOOL_VAR_token": TOKEN, "STATETOOL_VAR_replicas": "5"})


def wanted(shop: ProjectFolder, *arguments: str) -> int:
    """The number of instances of cart that a plan asks for."""
    (change,) = [c for c in shop.plan(*arguments, code=0)["changes"] if c["address"] == "shop/cart"]
    (number,) = [f["after"] for f in change["fields"] if f["path"] == "replicas"]
    return int(number)


def test_the_command_line_wins_over_files_and_these_over_the_environment(shop: ProjectFolder) -> None:
    """As in Terraform."""
    shop.write("one.yaml", "replicas: 6\n")
    shop.write("two.yaml", "replicas: 7\nnot_used: x\n")
    assert wanted(shop) == 5
    assert wanted(shop, "--var-file", "one.yaml") == 6
    assert wanted(shop, "-var-file=one.yaml", "-var-file=two.yaml") == 7
    assert wanted(shop, "--var", "replicas=8", "--var-file", "two.yaml") == 8


def test_options_of_the_environment_give_no_variables(shop: ProjectFolder) -> None:
    """Neither those of a command, nor any variable that is not called STATETOOL_VAR_name."""
    more = {"STATETOOL_PLAN_VAR": "replicas=9", "STATETOOL_PLAN_VAR_FILE": "nowhere.yaml", "replicas": "9"}
    assert wanted(replace(shop, environ={**shop.environ, **more})) == 5


def test_every_command_that_loads_manifests_takes_variables(shop: ProjectFolder) -> None:
    """And says the same where one is missing or given in vain."""
    bare = replace(shop, environ={"STATETOOL_VAR_token": TOKEN})
    for command in (("validate",), ("plan",), ("apply", "--auto-approve"), ("drift",)):
        refused = bare.call(*command, code=1)
        assert "manifests/shop.yaml:4:15: error[undefined_variable]: the variable replicas is not set" in refused.err
        refused = bare.call(*command, "--var", "replicas=5", "--var", "replcas=5", code=1)
        assert "error[unused_variable]: --var replcas" in refused.err
    given = ("--var", "replicas=5")
    assert "2 components" in bare.call("validate", *given).out
    bare.call("apply", "--auto-approve", *given)
    assert bare.call("plan", "--detailed-exitcode", *given).out.startswith("No changes.")
    assert bare.call("drift", *given).code == 0
    assert "undefined_variable" in bare.call("action", "restart", "shop/cart", "--auto-approve", code=1).err
    bare.call("action", "restart", "shop/cart", "--auto-approve", *given)
    assert bare.call("doctor", *given).code == 0
    assert "undefined_variable" in bare.call("doctor", "--json", code=1).out


def test_a_saved_plan_holds_its_values_and_takes_no_variables(shop: ProjectFolder) -> None:
    """It is applied exactly as it was made, whatever the environment says by then."""
    shop.call("plan", "--out", "saved.plan", "--var", "replicas=6")
    shop.write("more.yaml", "replicas: 7\n")
    refused = shop.call("apply", "saved.plan", "--var", "replicas=7", "--var-file", "more.yaml", code=64)
    assert "--var, --var-file can't be used with a saved plan" in refused.err
    bare = replace(shop, environ={})
    bare.call("apply", "saved.plan")
    assert shop.shown("cart")[2] == 6


def test_a_value_is_shown_only_where_the_manifest_made_it_one(shop: ProjectFolder) -> None:
    """A label is never shown, so that neither is a secret in it; no file of ours holds it."""
    for arguments in (("plan",), ("plan", "--json"), ("plan", "--format", "markdown"), ("plan", "--out", "p.plan")):
        assert TOKEN not in shop.call(*arguments).all
    shop.call("apply", "--auto-approve")
    for path in (shop.root / ".statetool").rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()
    assert TOKEN not in (shop.root / "p.plan").read_text()


def test_no_view_tells_what_is_sent_along_as_env(shop: ProjectFolder) -> None:
    """Neither what a manifest writes nor what a variable gives; only a saved plan holds it, for its owner alone."""
    shop.manifest(
        "application: shop\ncomponents:\n"
        "  cart: {version: 1.5.0, env: {WRITTEN: open-sesame-written, GIVEN: 'a-${var.token}'}}\n"
        "  pay: {version: 3.0.1, gray: {version: 3.1.0, weight: 5}, env: {GIVEN: '${var.token}'}}\n"
    )
    plans = [("plan",), ("plan", "--json"), ("plan", "--format", "markdown"), ("plan", "--out", "saved.plan")]
    saved = [("show", "saved.plan"), ("show", "saved.plan", "--json"), ("show", "saved.plan", "--format", "markdown")]
    for subject in ("shop/cart", "shop/pay"):
        plans += [("explain", subject), ("explain", subject, "--json")]
        plans += [("rollout", "status", subject), ("rollout", "status", subject, "--json")]
    applied = [("apply", "saved.plan", "--json"), ("show",), ("show", "--json"), ("state", "pull"), ("drift", "--json")]
    for arguments in (*plans, *saved, *applied):
        assert "open-sesame" not in shop.call(*arguments).all, arguments
    assert shop.look("cart")["detail"]["version"] == "1.5.0"
    held = {path.name for path in shop.root.rglob("*") if path.is_file() and b"open-sesame" in path.read_bytes()}
    assert held == {"saved.plan", "sandbox.db", "shop.yaml"}
    assert (shop.root / "saved.plan").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "line",
    [
        "version: '${var.token}'",
        "replicas: ${var.token}",
        "state: ${var.token}",
        "restart: [${var.token}]",
        "gray: '${var.token}'",
        "gray: {version: '${var.token}', weight: 5}",
        "depends_on: ['${var.token}']",
        "depends_on: ['shop/${var.token}@x']",
        "lifecycle: {ignore: ['${var.token}']}",
        "'${var.token}': x",
        "${var.token}",
    ],
)
@pytest.mark.parametrize("mode", [(), ("--json",)])
def test_no_error_tells_what_the_environment_holds(shop: ProjectFolder, line: str, mode: tuple[str, ...]) -> None:
    """Whoever opens a pull request may write it anywhere; what is told is the variable's name."""
    shop.manifest(f"application: shop\ncomponents:\n  cart:\n    {line}\n  pay: {{}}\n")
    for command in ("validate", "plan", "drift"):
        refused = shop.run(command, *mode, code=1) if command == "validate" else shop.call(command, *mode, code=1)
        assert TOKEN not in refused.all
        assert TOKEN not in json.dumps(refused.all)
        assert "error" in refused.all
