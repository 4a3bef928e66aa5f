"""Every setting with its origin, also those that are derived from others; no credential among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from statetool.core.model import Json
from statetool.core.overview import Overview
from statetool.errors import InvalidInput
from statetool.overview import build_overview
from statetool.render.settings import render_overview
from statetool.schema import load_schema

PROJECT = "00112233445566778899aabbccddeeff"
REGION = "version: 1\nplatform: {region: cn-north-4}\n"
SERVED = "version: 1\nplatform: {endpoint: 'http://127.0.0.1:9'}\n"
KEY = {"HW_ACCESS_KEY": "ak-4711", "HW_SECRET_KEY": "sk-4711"}


def overview(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Overview:
    (folder / "statetool.yaml").write_text(text)
    return build_overview(folder, environ or {})


def rows(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> dict[str, tuple[Json, str]]:
    return {row.name: (row.value, row.origin) for row in overview(folder, text, environ).settings}


def leaves(schema: Mapping[str, Any]) -> set[str]:
    """Every setting the schema of statetool.yaml knows."""
    names = set()
    for section, part in schema["properties"].items():
        names |= {f"{section}.{key}" for key in part.get("properties", {})} or {section}
    return names - {"version"}


def test_no_setting_is_left_out(tmp_path: Path) -> None:
    """Also one that is added to the file's format later."""
    assert set(rows(tmp_path, REGION)) == leaves(load_schema("config"))


def test_a_setting_without_a_value_says_what_comes_in_its_place(tmp_path: Path) -> None:
    """Nothing is known here but the format's version; it still can be shown."""
    found = rows(tmp_path, "version: 1\n")
    assert found["platform.endpoint"] == (None, "needs platform.region")
    assert found["platform.region"] == (None, "not set")
    assert found["platform.project_id"] == (None, "not set, and not to be looked up without a region")
    assert found["timezone"] == (None, "that of the system")


def test_what_follows_from_the_region(tmp_path: Path) -> None:
    """Endpoint and IAM are derived, the project is looked up later."""
    found = overview(tmp_path, REGION)
    values = {row.name: (row.value, row.origin) for row in found.settings}
    assert values["platform.endpoint"] == (
        "https://servicestage.cn-north-4.myhuaweicloud.com",
        "from platform.region",
    )
    assert values["platform.project_id"] == (None, "looked up with the first request")
    assert (found.iam_endpoint.value, found.iam_endpoint.origin) == (
        "https://iam.cn-north-4.myhuaweicloud.com",
        "from platform.region",
    )


@pytest.mark.parametrize(
    ("text", "environ", "value", "origin"),
    [
        (SERVED, {}, "http://127.0.0.1:9", "from platform.endpoint"),
        (SERVED, {"HW_AUTH_URL": "https://iam.example/v3"}, "https://iam.example", "environment HW_AUTH_URL"),
        ("version: 1\nplatform: {endpoint: 'sandbox:x.db'}\n", {}, None, "nobody is asked"),
    ],
)
def test_who_is_asked_for_tokens(
    tmp_path: Path, text: str, environ: dict[str, str], value: str | None, origin: str
) -> None:
    """No file of a project decides that alone."""
    found = overview(tmp_path, text, environ).iam_endpoint
    assert (found.value, found.origin) == (value, origin)


def test_a_project_id_beside_the_key(tmp_path: Path) -> None:
    """The shared file may name it; its path is the origin."""
    file = tmp_path / "credentials"
    file.write_text(f"[basic]\nak = ak-4711\nsk = sk-4711\nproject_id = {PROJECT}\n")
    environ = {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)}
    assert rows(tmp_path, REGION, environ)["platform.project_id"] == (PROJECT, f"file {file}")


@pytest.mark.parametrize(
    ("text", "environ", "kind", "origin"),
    [
        (SERVED, KEY, "access_key", "environment HW_ACCESS_KEY"),
        (SERVED, {**KEY, "HW_SECURITY_TOKEN": "st-4711"}, "temporary_access_key", "environment HW_ACCESS_KEY"),
        (SERVED, {"HW_AUTH_TOKEN": "t-4711"}, "token", "environment HW_AUTH_TOKEN"),
        (
            SERVED,
            {"HW_USER_NAME": "mei-4711", "HW_USER_PASSWORD": "p-4711", "HW_DOMAIN_NAME": "acme-4711"},
            "password",
            "environment HW_USER_NAME",
        ),
        (SERVED, {}, None, "none are given"),
        (REGION, {}, "agency", "the agency of this machine"),
        ("version: 1\nplatform: {endpoint: 'sandbox:x.db'}\n", KEY, None, "not needed"),
    ],
)
def test_credentials_by_kind_and_origin_only(
    tmp_path: Path, text: str, environ: dict[str, str], kind: str | None, origin: str
) -> None:
    """No value, no user and no account anywhere in what leaves here."""
    found = overview(tmp_path, text, environ)
    assert (found.credentials.value, found.credentials.origin) == (kind, origin)
    assert "4711" not in repr(found)


def test_guards_and_numbers_by_risk(tmp_path: Path) -> None:
    """A freeze with everything it leaves to defaults; what is off says so; each number has its own place."""
    text = """\
version: 1
timezone: Asia/Shanghai
limits: {parallelism: {scale: 20, version: 3}, job_timeout_s: {upgrade: 3600}}
guards:
  min_replicas: 2
  freeze: [{reason: x, from: 2027-01-01 00:00, to: 2027-01-02T00:00}]
"""
    found = rows(tmp_path, text)
    assert found["guards.max_share"] == (30, "default")
    assert found["guards.min_replicas"] == (2, "statetool.yaml:5:17")
    assert found["guards.max_actions"] == (None, "not set")
    freeze = {"reason": "x", "from": "2027-01-01 00:00", "to": "2027-01-02 00:00", "timezone": "Asia/Shanghai"}
    freeze |= {"repeat": None, "passes": ["scale_up", "revert"]}
    assert found["guards.freeze"] == ([freeze], "statetool.yaml:6:11")
    assert found["limits.parallelism"] == (10, "default")
    assert found["limits.parallelism.version"] == (3, "statetool.yaml:3:44")
    assert found["limits.job_timeout_s"] == (1200, "default")
    assert found["limits.job_timeout_s.upgrade"] == (3600, "statetool.yaml:3:73")
    shown = render_overview(overview(tmp_path, text))
    assert ["guards.max_share", "30", "%", "default"] in [line.split() for line in shown.splitlines()]
    assert "reason x; from 2027-01-01 00:00; to 2027-01-02 00:00; timezone Asia/Shanghai; passes scale_up" in shown


def test_paths_are_shown_as_they_would_be_written(tmp_path: Path) -> None:
    """Relative to the project; the place of the state in full."""
    text = "version: 1\nmanifests: [a, b/c.yaml]\nstate: {path: /elsewhere/state.json}\n"
    found = rows(tmp_path, text)
    assert found["manifests"] == (["a", "b/c.yaml"], "statetool.yaml:2:12")
    assert found["state.path"] == ("/elsewhere/state.json", "statetool.yaml:3:15")
    assert overview(tmp_path, REGION).state_location == str(tmp_path / ".statetool/state.json")


@pytest.mark.parametrize(
    ("text", "environ", "code"),
    [
        ("version: 1\nlimits: {parallelism: 0}\n", {}, "out_of_range"),
        (SERVED, {"HW_ACCESS_KEY": "half"}, "bad_credentials"),
        (SERVED, {"STATETOOL_ALLOW_ENDPOINTS": "https://x"}, "bad_environment"),
    ],
)
def test_what_is_wrong_is_raised(tmp_path: Path, text: str, environ: dict[str, str], code: str) -> None:
    """Configuration, credentials and hosts alike."""
    with pytest.raises(InvalidInput) as caught:
        overview(tmp_path, text, environ)
    assert caught.value.code == code
