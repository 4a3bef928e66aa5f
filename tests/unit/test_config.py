"""Settings: precedence, origins, every bad value with its place, and where credentials may go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from statetool.apply.run import Limits
from statetool.backends.places import HttpPlace, LocalPlace, PostgresPlace, S3Place
from statetool.config import (
    SANDBOX_PROJECT_ID,
    Settings,
    allowed_hosts,
    load_settings,
)
from statetool.config_reader import DEFAULTS
from statetool.core.plan import Risk, Verb
from statetool.errors import Diagnostic, InvalidInput, UsageError
from statetool.freeze import Window
from statetool.schema import load_schema
from statetool.session import Project
from statetool.state_places import StatePlaces

PROJECT = "00112233445566778899aabbccddeeff"
OTHER = "ffeeddccbbaa99887766554433221100"
SANDBOX = "version: 1\nplatform: {endpoint: 'sandbox:world.json'}\n"


wall = datetime.fromisoformat


def load(
    folder: Path,
    text: str | bytes,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
    *,
    offline: bool = False,
) -> Settings:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "statetool.yaml").write_bytes(data)
    return load_settings(folder, environ or {}, flags or {}, offline=offline)


def refuse(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
    with pytest.raises(InvalidInput) as caught:
        load(folder, text, environ)
    for diagnostic in caught.value.diagnostics:
        assert diagnostic.hint
    return caught.value.diagnostics


def test_defaults(tmp_path: Path) -> None:
    """What a file without anything but its version means, in region and project of the environment."""
    settings = load(tmp_path, "version: 1\n", {"HW_REGION_NAME": "cn-north-4", "HW_PROJECT_ID": PROJECT})
    assert settings == Settings(
        root=tmp_path,
        mode="apply",
        manage=(),
        endpoint="https://servicestage.cn-north-4.myhuaweicloud.com",
        sandbox_path=None,
        project_id=PROJECT,
        region="cn-north-4",
        auth="auto",
        iam_endpoint="https://iam.cn-north-4.myhuaweicloud.com",
        abort="rollback",
        gray_rule_body="flat",
        state=StatePlaces("local", {"local": LocalPlace(tmp_path / ".statetool/state.json")}),
        manifests=(tmp_path / "manifests",),
        parallelism=10,
        parallelism_of={},
        jobs_in_flight=50,
        reads_per_second=20,
        writes_per_minute=300,
        max_failures=5,
        retries=0,
        job_timeout_s=1200,
        job_timeout_of={},
        poll_interval_s=5,
        quiet_period_s=90,
        max_plan_age_s=86400,
        max_share=30,
        max_scale_down=50,
        min_replicas=None,
        max_weight_step=None,
        max_actions=None,
        freeze=(),
        freeze_from=None,
        timezone=None,
        origins=settings.origins,
    )
    assert settings.origins["platform.region"] == "environment HW_REGION_NAME"
    assert settings.origins["platform.endpoint"] == "default"
    assert settings.origins["limits.parallelism"] == "default"


def test_the_defaults_are_those_the_schema_tells_editors() -> None:
    """One number in two places must be one number."""
    schema = load_schema("config")
    told: dict[str, Any] = {}
    for section, part in schema["properties"].items():
        told |= {section: part["default"]} if "default" in part else {}
        for name, one in part.get("properties", {}).items():
            parts = {f"{section}.{name}": one}
            parts |= {f"{section}.{name}.{key}": p for key, p in one.get("properties", {}).items()}
            told |= {key: p["default"] for key, p in parts.items() if "default" in p}
    assert told == DEFAULTS


def test_every_key_of_the_schema_lands_in_settings(tmp_path: Path) -> None:
    """All of them at once, and each origin is the place of the value."""
    settings = load(
        tmp_path,
        """\
version: 1
platform:
  endpoint: https://servicestage.eu-west-101.myhuaweicloud.com/
  region: eu-west-101
  project_id: 00112233445566778899AABBCCDDEEFF
  auth: password
  abort: rollback_current
  gray_rule_body: deploy_strategy
state:
  backend: s3
  path: ../state.json
  http:
    address: https://git.example/state
    lock_address: https://git.example/lock
    unlock_address: https://git.example/unlock
    lock_method: A
    unlock_method: B
    update_method: C
  postgres: {url: "postgresql://mei@db.example/team", name: shop, schema: ops}
  s3:
    bucket: team-state
    key: prod/shop
    region: cn-north-4
    endpoint: https://obs.cn-north-4.myhuaweicloud.com
manifests: [shop, pay/till.yaml]
limits:
  parallelism: 3
  jobs_in_flight: 4
  reads_per_second: 2.5
  writes_per_minute: 10
  max_failures: 2
  job_timeout_s: 60
  poll_interval_s: 0.05
  retries: 1
  quiet_period_s: 0
guards:
  max_plan_age: 90m
  max_share: 20
  max_scale_down: 25
  min_replicas: 2
  max_weight_step: 10
  max_actions: 100
  freeze:
    - {reason: Singles' Day, from: 2026-11-10 00:00, to: 2026-11-13T00:00}
    - reason: weekend
      from: 2026-01-02 17:00
      to: 2026-01-05 08:00
      timezone: Europe/Berlin
      repeat: FREQ=WEEKLY;BYDAY=FR
      passes: [revert, power]
  freeze_from: /etc/company/freezes.yaml
timezone: Asia/Shanghai
mode: observe
manage: [shop, 5a1c2f0e-7d1b-4c58-9d8e-2f7f0f6b1a11]
""",
    )
    assert settings == Settings(
        root=tmp_path,
        mode="observe",
        manage=("shop", "5a1c2f0e-7d1b-4c58-9d8e-2f7f0f6b1a11"),
        endpoint="https://servicestage.eu-west-101.myhuaweicloud.com",
        sandbox_path=None,
        project_id=PROJECT,
        region="eu-west-101",
        auth="password",
        iam_endpoint="https://iam.eu-west-101.myhuaweicloud.com",
        abort="rollback_current",
        gray_rule_body="deploy_strategy",
        state=StatePlaces(
            "s3",
            {
                "local": LocalPlace(tmp_path / "../state.json"),
                "http": HttpPlace(
                    "https://git.example/state", "https://git.example/lock", "https://git.example/unlock", "A", "B", "C"
                ),
                "postgres": PostgresPlace("postgresql://mei@db.example/team", "shop", "ops"),
                "s3": S3Place("team-state", "prod/shop", "cn-north-4", "https://obs.cn-north-4.myhuaweicloud.com"),
            },
            {"postgres": "db.example"},
        ),
        manifests=(tmp_path / "shop", tmp_path / "pay/till.yaml"),
        parallelism=3,
        parallelism_of={},
        jobs_in_flight=4,
        reads_per_second=2.5,
        writes_per_minute=10,
        max_failures=2,
        retries=1,
        job_timeout_s=60,
        job_timeout_of={},
        poll_interval_s=0.05,
        quiet_period_s=0,
        max_plan_age_s=5400,
        max_share=20,
        max_scale_down=25,
        min_replicas=2,
        max_weight_step=10,
        max_actions=100,
        freeze=(
            Window("Singles' Day", wall("2026-11-10"), wall("2026-11-13"), ZoneInfo("Asia/Shanghai")),
            Window(
                "weekend",
                wall("2026-01-02T17:00"),
                wall("2026-01-05T08:00"),
                ZoneInfo("Europe/Berlin"),
                "FREQ=WEEKLY;BYDAY=FR",
                frozenset({Risk.REVERT, Risk.POWER}),
            ),
        ),
        freeze_from=Path("/etc/company/freezes.yaml"),
        timezone="Asia/Shanghai",
        origins=settings.origins,
    )
    schema = load_schema("config")["properties"]
    names = {f"{section}.{key}" for section, part in schema.items() for key in part.get("properties", ())}
    names |= {"manifests", "timezone", "mode", "manage"}
    sections = {f"state.{name}": part["properties"] for name, part in _state_sections(schema).items()}
    names = names - sections.keys() | {f"{section}.{key}" for section, part in sections.items() for key in part}
    assert set(settings.origins) == names
    assert {origin.partition(":")[0] for origin in settings.origins.values()} == {"statetool.yaml"}
    assert settings.origins["limits.parallelism"] == "statetool.yaml:27:16"
    assert settings.origins["manifests"] == "statetool.yaml:25:12"


def _state_sections(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in schema["state"]["properties"].items() if "properties" in part}


def test_parallelism_by_risk(tmp_path: Path) -> None:
    """What is named has a number of its own, the rest shares another; a flag speaks for all."""
    text = SANDBOX + "limits: {parallelism: {scale: 20, version: 3, default: 5}}\n"
    settings = load(tmp_path, text)
    assert (settings.parallelism, settings.parallelism_of) == (5, {"scale": 20, "version": 3})
    assert {name: o for name, o in settings.origins.items() if "parallelism" in name} == {
        "limits.parallelism": "statetool.yaml:3:56",
        "limits.parallelism.scale": "statetool.yaml:3:31",
        "limits.parallelism.version": "statetool.yaml:3:44",
    }
    settings = load(tmp_path, text.replace(", default: 5", ""))
    assert (settings.parallelism, settings.origins["limits.parallelism"]) == (10, "default")
    settings = load(tmp_path, text, flags={"limits.parallelism": 2})
    assert (settings.parallelism, settings.parallelism_of) == (2, {})
    assert [name for name in settings.origins if "parallelism" in name] == ["limits.parallelism"]


def test_time_limits_by_verb(tmp_path: Path) -> None:
    """The same for jobs; without `default` the others have the usual limit."""
    settings = load(tmp_path, SANDBOX + "limits: {job_timeout_s: {upgrade: 3600, restart: 0.5}}\n")
    assert (settings.job_timeout_s, settings.job_timeout_of) == (1200, {"upgrade": 3600, "restart": 0.5})
    assert settings.origins["limits.job_timeout_s"] == "default"
    assert settings.origins["limits.job_timeout_s.upgrade"] == "statetool.yaml:3:35"
    limits = Project(settings, None).limits
    assert [limits.job_timeout_for(verb) for verb in (Verb.UPGRADE, Verb.RESTART, Verb.SCALE)] == [3600, 0.5, 1200]


def test_limits_reach_a_run_as_written(tmp_path: Path) -> None:
    """Each of them; --on-failure stands above max_failures."""
    text = (
        SANDBOX + "limits: {max_failures: 3, retries: 2, quiet_period_s: 7, job_timeout_s: {default: 60, scale: 5}}\n"
    )
    project = Project(load(tmp_path, text), None)
    expected = Limits(max_failures=3, retries=2, quiet_period_s=7, job_timeout_s=60, job_timeout_of={"scale": 5})
    assert project.limits == expected
    assert replace(project, on_failure="stop").limits == replace(expected, max_failures=1)
    assert replace(project, on_failure="continue").limits == replace(expected, max_failures=None)


def test_a_freeze_takes_the_time_zone_of_the_project(tmp_path: Path) -> None:
    """Unless it has its own; the shared file is found from the folder of statetool.yaml."""
    text = SANDBOX + "timezone: Asia/Shanghai\nguards:\n  freeze_from: ../freezes.yaml\n  freeze:\n"
    text += "  - {reason: x, from: 2027-01-01 00:00, to: 2027-01-02 00:00}\n"
    settings = load(tmp_path, text)
    assert [str(window.zone) for window in settings.freeze] == ["Asia/Shanghai"]
    assert settings.freeze_from == tmp_path / "../freezes.yaml"


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    """And the origin says who won."""
    text = f"version: 1\nplatform: {{region: from-file, project_id: {OTHER}}}\nlimits: {{parallelism: 3}}\n"
    environ = {"HW_REGION_NAME": "from-env", "HUAWEICLOUD_SDK_PROJECT_ID": OTHER, "HW_PROJECT_ID": PROJECT}
    settings = load(tmp_path, text, environ, {"limits.parallelism": 7, "limits.max_failures": None})
    assert (settings.region, settings.project_id, settings.parallelism) == ("from-env", PROJECT, 7)
    assert settings.max_failures == 5
    assert settings.origins["platform.project_id"] == "environment HW_PROJECT_ID"
    assert settings.origins["limits.parallelism"] == "--parallelism"
    settings = load(tmp_path, text, {"HW_REGION_NAME": "", "HUAWEICLOUD_SDK_PROJECT_ID": PROJECT})
    assert (settings.region, settings.project_id, settings.parallelism) == ("from-file", PROJECT, 3)
    assert settings.origins["platform.region"] == "statetool.yaml:2:20"
    assert settings.origins["platform.project_id"] == "environment HUAWEICLOUD_SDK_PROJECT_ID"


@pytest.mark.parametrize(
    ("written", "endpoint", "sandbox"),
    [
        ("sandbox:world.json", "sandbox:world.json", "world.json"),
        ("sandbox:deep/world.json", "sandbox:deep/world.json", "deep/world.json"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", None),
        ("http://127.9.9.9:9000/", "http://127.9.9.9:9000", None),
        ("http://localhost:9000", "http://localhost:9000", None),
        ("http://[::1]:9000", "http://[::1]:9000", None),
        ("https://localhost", "https://localhost", None),
    ],
)
def test_endpoints_without_a_cloud_need_no_project(
    tmp_path: Path, written: str, endpoint: str, sandbox: str | None
) -> None:
    """Sandboxes, in process and served, have a project id of their own."""
    settings = load(tmp_path, f"version: 1\nplatform: {{endpoint: '{written}'}}\n")
    assert settings.endpoint == endpoint
    assert settings.sandbox_path == (tmp_path / sandbox if sandbox else None)
    assert (settings.project_id, settings.region) == (SANDBOX_PROJECT_ID, None)


def test_a_relative_folder_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--chdir` may be relative."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "statetool.yaml").write_text(SANDBOX)
    monkeypatch.chdir(tmp_path)
    settings = load_settings(Path("shop"), {}, {})
    assert settings.root == tmp_path / "shop"
    assert settings.sandbox_path == tmp_path / "shop" / "world.json"


@pytest.mark.parametrize(
    ("written", "seconds"), [("24h", 86400), ("90m", 5400), ("7d", 604800), ("30s", 30), ("3600", 3600)]
)
def test_durations(tmp_path: Path, written: str, seconds: int) -> None:
    """A number and a unit, or seconds."""
    assert load(tmp_path, SANDBOX + f"guards: {{max_plan_age: {written}}}\n").max_plan_age_s == seconds


FREEZE = SANDBOX + "guards:\n  freeze:\n  - {reason: x, from: 2027-01-01 00:00, to: 2027-01-02 00:00, timezone: UTC}\n"
BAD: list[tuple[str, str, str, int, int]] = [
    ("no version", "platform: {endpoint: 'sandbox:w'}\n", "missing_key", 1, 1),
    ("another version", "version: 2\nplatform: {endpoint: 'sandbox:w'}\n", "unknown_value", 1, 10),
    ("empty file", "", "missing_key", 1, 1),
    ("a list", "- version: 1\n", "wrong_type", 1, 1),
    ("two documents", SANDBOX + "---\nversion: 1\n", "several_documents", 4, 1),
    ("unknown key", SANDBOX + "modus: apply\n", "unknown_key", 3, 1),
    ("unknown mode", SANDBOX + "mode: observer\n", "unknown_value", 3, 7),
    ("nothing to manage", SANDBOX + "mode: observe\nmanage: []\n", "empty_list", 4, 9),
    ("a component to manage", SANDBOX + "mode: observe\nmanage: [shop/cart]\n", "bad_name", 4, 10),
    ("manage in mode apply", SANDBOX + "manage: [shop]\n", "manage_without_observe", 3, 9),
    ("later key: links", SANDBOX + "links: {component: x}\n", "unknown_key", 3, 1),
    ("later auth", "version: 1\nplatform: {endpoint: 'sandbox:w', auth: agency}\n", "unknown_value", 2, 41),
    ("another rate", SANDBOX + "limits:\n  reads_per_minute: 20\n", "unknown_key", 4, 3),
    ("no reads", SANDBOX + "limits:\n  reads_per_second: 0\n", "out_of_range", 4, 21),
    ("negative reads", SANDBOX + "limits:\n  reads_per_second: -20\n", "out_of_range", 4, 21),
    ("reads as fast as can be", SANDBOX + "limits:\n  reads_per_second: .inf\n", "wrong_type", 4, 21),
    ("reads as text", SANDBOX + "limits:\n  reads_per_second: '20'\n", "wrong_type", 4, 21),
    ("no changes", SANDBOX + "limits:\n  writes_per_minute: 0\n", "out_of_range", 4, 22),
    ("negative changes", SANDBOX + "limits:\n  writes_per_minute: -1\n", "out_of_range", 4, 22),
    ("changes by the unit", SANDBOX + "limits:\n  writes_per_minute: 300/min\n", "wrong_type", 4, 22),
    ("unknown guard", SANDBOX + "guards:\n  max_replicas: 2\n", "unknown_key", 4, 3),
    ("a share above all", SANDBOX + "guards: {max_share: 101}\n", "out_of_range", 3, 21),
    ("no action at all", SANDBOX + "guards: {max_actions: 0}\n", "out_of_range", 3, 23),
    ("freeze as a map", SANDBOX + "guards: {freeze: {reason: x}}\n", "wrong_type", 3, 18),
    ("freeze without an end", FREEZE.replace("to: 2027-01-02 00:00, ", ""), "missing_key", 5, 5),
    ("freeze without a reason", FREEZE.replace("reason: x, ", ""), "missing_key", 5, 5),
    ("freeze with an offset", FREEZE.replace("-01 00:00", "-01 00:00+08:00"), "bad_time", 5, 23),
    ("freeze from a day that is none", FREEZE.replace("-01-01", "-02-30"), "bad_time", 5, 23),
    ("freeze that ends first", FREEZE.replace("2027-01-02", "2026-01-02"), "bad_time", 5, 45),
    ("freeze without a time zone", FREEZE.replace(", timezone: UTC", ""), "missing_timezone", 5, 23),
    ("freeze in no time zone", FREEZE.replace("UTC", "Asia/Peking"), "unknown_timezone", 5, 73),
    ("freeze by the hour", FREEZE.replace("UTC}", "UTC, repeat: FREQ=HOURLY}"), "bad_recurrence", 5, 86),
    ("freeze that lets everything pass", FREEZE.replace("UTC}", "UTC, passes: [all]}"), "unknown_value", 5, 87),
    (
        "freeze that lets something pass twice",
        FREEZE.replace("UTC}", "UTC, passes: [power, power]}"),
        "duplicate_item",
        5,
        94,
    ),
    ("unknown backend", SANDBOX + "state: {backend: gcs}\n", "unknown_value", 3, 18),
    ("parallelism by verb", SANDBOX + "limits: {parallelism: {upgrade: 10}}\n", "unknown_key", 3, 24),
    ("parallelism 0 by risk", SANDBOX + "limits: {parallelism: {scale: 0}}\n", "out_of_range", 3, 31),
    ("parallelism as a list", SANDBOX + "limits: {parallelism: [1]}\n", "wrong_type", 3, 23),
    ("parallelism 0", SANDBOX + "limits: {parallelism: 0}\n", "out_of_range", 3, 23),
    ("parallelism as text", SANDBOX + "limits: {parallelism: '4'}\n", "wrong_type", 3, 23),
    ("time limit by risk", SANDBOX + "limits: {job_timeout_s: {revert: 10}}\n", "unknown_key", 3, 26),
    ("time limit of nothing", SANDBOX + "limits: {job_timeout_s: {scale: 0}}\n", "out_of_range", 3, 33),
    ("retries without end", SANDBOX + "limits: {retries: 11}\n", "out_of_range", 3, 19),
    ("retries as a switch", SANDBOX + "limits: {retries: yes}\n", "wrong_type", 3, 19),
    ("a quiet day", SANDBOX + "limits: {quiet_period_s: 86400}\n", "out_of_range", 3, 26),
    ("polling too often", SANDBOX + "limits: {poll_interval_s: 0.01}\n", "out_of_range", 3, 27),
    ("infinite time limit", SANDBOX + "limits: {job_timeout_s: 1e999}\n", "out_of_range", 3, 25),
    ("section without value", SANDBOX + "limits:\n", "null_value", 3, 8),
    ("no manifests", SANDBOX + "manifests: []\n", "empty_list", 3, 12),
    ("manifests as text", SANDBOX + "manifests: m/\n", "wrong_type", 3, 12),
    ("duration without unit", SANDBOX + "guards: {max_plan_age: '24'}\n", "bad_duration", 3, 24),
    ("duration too long", SANDBOX + "guards: {max_plan_age: 9999d}\n", "out_of_range", 3, 24),
    ("unknown time zone", SANDBOX + "timezone: Asia/Peking\n", "unknown_timezone", 3, 11),
    ("time zone outside the database", SANDBOX + "timezone: ../../etc/passwd\n", "unknown_timezone", 3, 11),
    ("time zone that is a folder", SANDBOX + "timezone: Asia\n", "unknown_timezone", 3, 11),
    ("bad abort", "version: 1\nplatform: {endpoint: 'sandbox:w', abort: revert}\n", "unknown_value", 2, 42),
    ("bad region", "version: 1\nplatform: {region: evil.com/}\n", "bad_region", 2, 20),
    ("bad project", "version: 1\nplatform: {region: r, project_id: '123'}\n", "bad_project_id", 2, 35),
    ("project as a number", f"version: 1\nplatform: {{region: r, project_id: {'1' * 15}}}\n", "unquoted_text", 2, 35),
    ("plain http", "version: 1\nplatform: {endpoint: 'http://example.com'}\n", "plain_http", 2, 22),
    ("no address", "version: 1\nplatform: {endpoint: cloud}\n", "bad_endpoint", 2, 22),
    ("other scheme", "version: 1\nplatform: {endpoint: 'ftp://127.0.0.1'}\n", "bad_endpoint", 2, 22),
    ("user in the address", "version: 1\nplatform: {endpoint: 'https://u:p@127.0.0.1'}\n", "bad_endpoint", 2, 22),
    ("path in the address", "version: 1\nplatform: {endpoint: 'https://127.0.0.1/v3'}\n", "bad_endpoint", 2, 22),
    ("bad port", "version: 1\nplatform: {endpoint: 'https://127.0.0.1:99999'}\n", "bad_endpoint", 2, 22),
    ("open bracket", "version: 1\nplatform: {endpoint: 'https://[::1'}\n", "bad_endpoint", 2, 22),
    ("host in Chinese", "version: 1\nplatform: {endpoint: 'https://云.com'}\n", "bad_endpoint", 2, 22),
    ("backslash", "version: 1\nplatform: {endpoint: 'https://a\\b.myhuaweicloud.com'}\n", "bad_endpoint", 2, 22),
    ("sandbox without a path", "version: 1\nplatform: {endpoint: 'sandbox:'}\n", "bad_endpoint", 2, 22),
    ("duplicate key", SANDBOX + "version: 1\n", "duplicate_key", 3, 1),
    ("tab", SANDBOX + "limits:\n\tparallelism: 1\n", "tab_character", 4, 1),
    ("full-width colon", SANDBOX + "timezone：UTC\n", "full_width_character", 3, 9),
    ("open quote", "version: '1\n", "yaml_syntax", 1, 10),
]


@pytest.mark.parametrize(("text", "code", "line", "column"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_configuration_is_named_with_its_place(
    tmp_path: Path, text: str, code: str, line: int, column: int
) -> None:
    """One diagnostic, and nothing that only follows from it."""
    found = refuse(tmp_path, text, {"HW_PROJECT_ID": PROJECT, "HW_REGION_NAME": "cn-north-4"})
    assert [(d.code, str(d.mark)) for d in found] == [(code, f"statetool.yaml:{line}:{column}")]


@pytest.mark.parametrize("platform", ["{region: A}", "{endpoint: 5}", "5", "{endpoint: 'https://x', project_id: x}"])
def test_a_value_written_wrongly_is_not_called_missing(tmp_path: Path, platform: str) -> None:
    """One mistake, one diagnostic; only the project id that nobody wrote may be missing beside it."""
    found = refuse(tmp_path, f"version: 1\nplatform: {platform}\n", {})
    assert {d.code for d in found} - {"missing_project_id"} <= {
        "bad_region",
        "wrong_type",
        "unquoted_text",
        "bad_project_id",
    }


def test_all_errors_of_file_and_environment_come_at_once(tmp_path: Path) -> None:
    """Those of the file in its order, then those of the environment."""
    text = "version: 1\ntimezone: Nowhere\nlimits: {parallelism: 0, x: 1}\nplatform: {abort: no}\n"
    found = refuse(tmp_path, text, {"HW_REGION_NAME": "A B", "HW_PROJECT_ID": "secret"})
    assert [(d.code, d.mark.line if d.mark else None) for d in found] == [
        ("unknown_timezone", 2),
        ("out_of_range", 3),
        ("unknown_key", 3),
        ("unknown_value", 4),
        ("bad_environment", None),
        ("bad_environment", None),
    ]
    assert "HW_REGION_NAME" in found[4].message
    assert "HW_PROJECT_ID" in found[5].message


def test_a_missing_file_leads_to_init(tmp_path: Path) -> None:
    """The first thing everybody meets."""
    with pytest.raises(InvalidInput) as caught:
        load_settings(tmp_path, {}, {})
    assert caught.value.code == "config_missing"
    assert "statetool init" in (caught.value.hint or "")


def test_a_folder_in_place_of_the_file_is_no_traceback(tmp_path: Path) -> None:
    """Nor is anything else that cannot be read."""
    (tmp_path / "statetool.yaml").mkdir()
    with pytest.raises(InvalidInput) as caught:
        load_settings(tmp_path, {}, {})
    assert caught.value.code == "unreadable_file"


def test_a_missing_region_is_named(tmp_path: Path) -> None:
    """With what would set it. A missing project id is none of the file's faults: it can be looked up."""
    (region,) = refuse(tmp_path, "version: 1\n")
    assert region.code == "missing_region"
    assert "HW_REGION_NAME" in (region.hint or "")
    assert load(tmp_path, "version: 1\nplatform: {region: cn-north-4}\n").project_id == ""


def test_the_platforms_own_host_names_the_region(tmp_path: Path) -> None:
    """Where nothing else does: IAM and the project are found by it."""
    text = "version: 1\nplatform:\n  endpoint: https://servicestage.cn-east-3.myhuaweicloud.com\n"
    settings = load(tmp_path, text)
    assert (settings.region, settings.iam_endpoint) == ("cn-east-3", "https://iam.cn-east-3.myhuaweicloud.com")
    assert settings.origins["platform.region"] == "statetool.yaml:3:13"
    assert load(tmp_path, text, {"HW_REGION_NAME": "cn-north-4"}).region == "cn-north-4"


@pytest.mark.parametrize(
    ("endpoint", "environ", "iam"),
    [
        ("http://127.0.0.1:9000", {}, "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000", {"HW_REGION_NAME": "cn-north-4"}, "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000", {"HW_AUTH_URL": "http://127.0.0.1:9001/v3"}, "http://127.0.0.1:9001"),
        ("https://gateway.example.com", {}, ""),
        ("https://gateway.example.com", {"HW_AUTH_URL": "https://iam.example.com/v3/"}, "https://iam.example.com"),
        ("https://gateway.example.com", {"HW_REGION_NAME": "la-south-2"}, "https://iam.la-south-2.myhuaweicloud.com"),
        (
            "https://gateway.example.com",
            {"HUAWEICLOUD_SDK_IAM_ENDPOINT": "https://iam.myhuaweicloud.com"},
            "https://iam.myhuaweicloud.com",
        ),
    ],
)
def test_where_iam_is(tmp_path: Path, endpoint: str, environ: dict[str, str], iam: str) -> None:
    """As the environment says, with or without the path others want; else the sandbox itself, else the region's."""
    settings = load(tmp_path, f"version: 1\nplatform: {{endpoint: '{endpoint}'}}\n", environ)
    assert settings.iam_endpoint == iam


@pytest.mark.parametrize("address", ["iam.example.com", "http://iam.example.com/v3", "https://u:p4ss@iam.example.com"])
def test_a_bad_address_of_iam_is_named(tmp_path: Path, address: str) -> None:
    """By its variable; not itself, because it may hold a password."""
    (found,) = refuse(tmp_path, SANDBOX, {"HW_AUTH_URL": address})
    assert found.code == "bad_environment"
    assert "HW_AUTH_URL" in found.message
    assert "p4ss" not in found.message


def test_the_kind_of_credentials_is_one_of_four(tmp_path: Path) -> None:
    """And says where it was chosen."""
    settings = load(tmp_path, SANDBOX)
    assert (settings.auth, settings.origins["platform.auth"]) == ("auto", "default")
    text = "version: 1\nplatform:\n  endpoint: sandbox:world.json\n  auth: aksk\n"
    assert load(tmp_path, text).origins["platform.auth"] == "statetool.yaml:4:9"
    (found,) = refuse(tmp_path, text.replace("aksk", "kerberos"))
    assert "platform.auth" in found.message


def test_offline_commands_need_neither_region_nor_project(tmp_path: Path) -> None:
    """`validate` runs where no credentials are."""
    settings = load(tmp_path, "version: 1\n", offline=True)
    assert (settings.endpoint, settings.project_id) == ("", "")


@pytest.mark.parametrize("value", [0, -1, "x", True])
def test_a_flag_out_of_range_is_a_usage_error(tmp_path: Path, value: object) -> None:
    """It is the command line that is wrong, not the project."""
    with pytest.raises(UsageError) as caught:
        load(tmp_path, SANDBOX, flags={"limits.parallelism": value})
    assert caught.value.message.startswith("--parallelism must be a whole number from 1 to 1000")


@pytest.mark.parametrize(
    "section",
    [
        'limits: {job_timeout_s: "a\\tb"}',
        'guards: {max_plan_age: "1.0.0\\n"}',
        "manifests: [99999999999999999999]",
        'platform: {endpoint: "https://x\\t", project_id: x}',
    ],
)
def test_what_the_reader_refused_is_not_used(tmp_path: Path, section: str) -> None:
    """Its value is a stand-in, which no schema judged."""
    found = refuse(tmp_path, f"version: 1\n{section}\n", {"HW_PROJECT_ID": PROJECT, "HW_REGION_NAME": "cn-north-4"})
    assert found[0].code in ("control_character", "line_break", "integer_too_large")


def test_chinese_encodings_are_named_here_too(tmp_path: Path) -> None:
    """The same reader reads both kinds of files."""
    (found,) = refuse(tmp_path, "version: 1 # 配置文件\n".encode("gbk"))
    assert found.code == "not_utf8"
    assert "iconv -f GBK" in (found.hint or "")


@pytest.mark.parametrize("value", ["https://example.com", "example.com:443", "a b", "*.example.com", "example.com/x"])
def test_a_badly_written_allowance_is_named_not_ignored(value: str) -> None:
    """Else people would wonder why it has no effect."""
    with pytest.raises(InvalidInput) as caught:
        allowed_hosts({"STATETOOL_ALLOW_ENDPOINTS": value})
    assert caught.value.code == "bad_environment"
    assert "STATETOOL_ALLOW_ENDPOINTS" in caught.value.message


def test_no_allowance_is_none() -> None:
    """Unset and empty are the same."""
    assert allowed_hosts({}) == allowed_hosts({"STATETOOL_ALLOW_ENDPOINTS": ""}) == frozenset()


@pytest.mark.parametrize(
    ("text", "managed"),
    [
        ("", None),
        ("mode: apply\n", None),
        ("mode: observe\n", frozenset()),
        ("mode: observe\nmanage: [shop, crm]\n", frozenset({"shop", "crm"})),
    ],
)
def test_what_may_be_changed(tmp_path: Path, text: str, managed: frozenset[str] | None) -> None:
    """Everything; in mode observe nothing but the applications under `manage`."""
    assert load(tmp_path, SANDBOX + text).managed == managed


def test_settings_of_a_file_that_is_yet_to_be_written(tmp_path: Path) -> None:
    """Read from a text by the same rules, and nothing is looked for in the folder."""
    assert load_settings(tmp_path, {}, {}, text=SANDBOX + "mode: observe\n").managed == frozenset()
    with pytest.raises(InvalidInput):
        load_settings(tmp_path, {}, {}, text=SANDBOX + "mode: observer\n")
    assert list(tmp_path.iterdir()) == []
