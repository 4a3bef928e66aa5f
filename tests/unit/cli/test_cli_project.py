"""How a command finds its project, its time zone and its addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from statetool import surroundings
from statetool.cli.project import PlanningOptions, local_timezone, parse_address
from statetool.core.model import Address
from statetool.errors import UsageError


def test_options_become_a_request() -> None:
    """Globs and codes arrive as values that can't change."""
    request = PlanningOptions(["a/*"], ["a/b"], ["protected"], True).request("drift", correct=True)
    assert request.mode == "drift"
    assert request.correct
    assert request.allow_empty
    assert request.overrides == {"protected"}
    choice = request.selection.choose(())
    assert choice.includes(Address("a", "c"))
    assert not choice.includes(Address("a", "b"))


def test_selectors_become_conditions() -> None:
    """Each text may hold several."""
    request = PlanningOptions(selectors=["team=shop,!old", "tier!=web"], with_dependencies=True).request()
    assert [str(selector) for selector in request.selection.selectors] == ["team=shop", "!old", "tier!=web"]
    assert request.selection.with_dependencies
    with pytest.raises(UsageError, match="no condition on a label"):
        PlanningOptions(selectors=["team in (shop)"]).request()


def test_addresses() -> None:
    """With and without environment; anything else is a usage error that shows the shape."""
    assert parse_address("shop/cart@prod") == Address("shop", "cart", "prod")
    with pytest.raises(UsageError) as caught:
        parse_address("cart")
    assert "application/component" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "environ", "key"),
    [
        ("Asia/Shanghai", {"TZ": "Europe/Berlin"}, "Asia/Shanghai"),
        (None, {"TZ": "Europe/Berlin"}, "Europe/Berlin"),
        (None, {"TZ": ":Europe/Berlin"}, "Europe/Berlin"),
    ],
)
def test_the_zone_of_times(name: str | None, environ: dict[str, str], key: str) -> None:
    """The project's word comes before the machine's."""
    zone = surroundings.timezone(name, environ)
    assert zone is not None
    assert zone.key == key


@pytest.mark.parametrize("strange", ["CET-1CEST,M3.5.0,M10.5.0/3", "../../etc/passwd", "No/Where", "\0"])
def test_a_zone_nobody_knows(strange: str) -> None:
    """Times are then shown in UTC: a display setting of the machine must not fail a command."""
    assert surroundings.timezone(None, {"TZ": strange}) is None


def test_a_plan_file_is_shown_in_the_zone_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the folder is no project, and then in the machine's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    zone = local_timezone()
    assert zone is not None
    assert zone.key == "Europe/Berlin"
    (tmp_path / "statetool.yaml").write_text("version: 1\ntimezone: Asia/Shanghai\n")
    zone = local_timezone()
    assert zone is not None
    assert zone.key == "Asia/Shanghai"


def test_git_gets_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository can name programs that git runs: those of the platform stay here, and those of a state's backend."""
    git = tmp_path / "git"
    git.write_text(f"#!/bin/sh\nenv >> '{tmp_path}/seen'\n", encoding="utf-8")
    git.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in ("HW_SECRET_KEY", "TF_HTTP_PASSWORD", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "pw-4711")
    surroundings.applied_from(tmp_path, {})
    assert "pw-4711" not in (tmp_path / "seen").read_text(encoding="utf-8")
