"""The words of `doctor` and `config show`."""

from __future__ import annotations

import ast
from pathlib import Path

from render_golden import check_golden

import statetool
from statetool.core.checks import Check, CheckStatus, Topic
from statetool.core.model import Json
from statetool.core.overview import Overview, Setting
from statetool.errors import Diagnostic, SourceMark
from statetool.render import doctor as words
from statetool.render.doctor import doctor_to_document, render_doctor
from statetool.render.settings import overview_to_document, render_overview
from statetool.schema import validator

OK, WARNING, FAILED, NOT_REACHED = CheckStatus

HOLDER: dict[str, Json] = {
    "operation": "apply",
    "who": "ann@builder",
    "host": "builder",
    "pid": 4711,
    "since": "2026-11-23T08:00:00Z",
    "run_id": "run-7",
    "ci_url": "https://ci.example/7",
}
KEY: dict[str, Json] = {"kind": "temporary_access_key", "origin": "environment HW_ACCESS_KEY"}
REFUSED = Diagnostic("forbidden", "GET https://x/jobs/J1: this user is not allowed to do that (HTTP 403)", "ask")


def typo(line: int) -> Diagnostic:
    mark = SourceMark("manifests/shop.yaml", line, 7)
    return Diagnostic("unknown_key", "unknown key 'replica'", "did you mean 'replicas'?", mark)


WELL = (
    Check(Topic.CONFIGURATION, OK, "configuration_valid", {"folder": "/home/mei/shop"}),
    Check(Topic.MANIFESTS, OK, "manifests_valid", {"components": 12, "files": 3}),
    Check(
        Topic.STATE,
        OK,
        "state_read",
        {"backend": "local", "location": "/home/mei/shop/state.json", "components": 1, "serial": 7, "lineage": "6f9c"},
    ),
    Check(Topic.STATE_FOLDER, OK, "state_folder_fit", {"folder": "/home/mei/shop"}),
    Check(Topic.LOCK, OK, "lock_free"),
    Check(Topic.CLOCK, OK, "clock_right", {"ahead_s": 1}),
    Check(Topic.CREDENTIALS, OK, "credentials_accepted", {**KEY, "kind": "agency", "remaining_s": 7500}),
    Check(
        Topic.ENDPOINT,
        OK,
        "endpoint_answers",
        {"endpoint": "https://servicestage.cn-north-4.myhuaweicloud.com", "addresses": ["192.0.2.1"], "tls": "TLSv1.3"},
    ),
    Check(
        Topic.PROJECT,
        OK,
        "project_known",
        {"project_id": "0" * 32, "origin": "environment HW_PROJECT_ID", "region": "cn-north-4"},
    ),
    Check(Topic.APPLICATIONS, OK, "applications_read", {"count": 2}),
    Check(Topic.COMPONENTS, OK, "components_read", {"count": 1, "application": "shop"}),
    Check(Topic.RECORDS, OK, "records_read", {"count": 4, "address": "shop/cart"}),
    Check(Topic.JOB, OK, "job_read", {"job_id": "J1", "address": "shop/cart", "status": "SUCCEEDED"}),
    Check(Topic.CHANGES, NOT_REACHED, "only_by_doing"),
    Check(Topic.VERSION, OK, "versions", {"tool": "0.1.0", "python": "3.11.7", "system": "Linux"}),
)
TROUBLE = (
    Check(Topic.CONFIGURATION, OK, "configuration_valid", {"folder": "/home/mei/shop"}),
    Check(
        Topic.MANIFESTS,
        FAILED,
        "manifests_invalid",
        problems=(typo(3), typo(4), typo(5), typo(6), typo(7)),
    ),
    Check(Topic.STATE, OK, "state_absent", {"backend": "local", "location": "/home/mei/shop/state.json"}),
    Check(
        Topic.STATE_FOLDER,
        WARNING,
        "state_open",
        problems=(Diagnostic("state_open", "state.json is open to others", "chmod 600 state.json"),),
    ),
    Check(Topic.STATE_FOLDER, WARNING, "ephemeral_state", {"folder": "/home/mei/shop"}),
    Check(Topic.LOCK, WARNING, "lock_held", HOLDER),
    Check(Topic.CLOCK, FAILED, "clock_off_for_signatures", {"ahead_s": -93_780}),
    Check(Topic.CREDENTIALS, OK, "credentials_found", KEY),
    Check(
        Topic.ENDPOINT,
        FAILED,
        "endpoint_unreachable",
        problems=(Diagnostic("dns", "the name x has no address", "is it right?"),),
    ),
    Check(Topic.SANDBOX, WARNING, "sandbox_absent", {"path": "/home/mei/shop/world.db"}),
    Check(Topic.PROJECT, NOT_REACHED, "needs_clock"),
    Check(
        Topic.APPLICATIONS,
        FAILED,
        "permission_missing",
        {"permission": "servicestage:app:listApplication"},
        (REFUSED,),
    ),
    Check(Topic.COMPONENTS, NOT_REACHED, "needs_credentials"),
    Check(Topic.JOB, OK, "job_gone", {"job_id": "J1", "address": "shop/cart\x1b[31m"}),
)
OVERVIEW = Overview(
    root="/home/mei/shop",
    settings=(
        Setting("platform.endpoint", "https://servicestage.cn-north-4.myhuaweicloud.com", "from platform.region"),
        Setting("platform.region", "cn-north-4", "statetool.yaml:3:11"),
        Setting("platform.project_id", None, "looked up with the first request"),
        Setting("manifests", ["manifests", "more/shop.yaml"], "statetool.yaml:7:3"),
        Setting("limits.parallelism", 10, "default"),
        Setting("limits.job_timeout_s", 1200.0, "default"),
        Setting("guards.max_plan_age", 86400, "default"),
    ),
    iam_endpoint=Setting("iam_endpoint", "https://iam.cn-north-4.myhuaweicloud.com", "from platform.region"),
    credentials=Setting("credentials", "access_key", "environment HW_ACCESS_KEY"),
    allowed_hosts=Setting("allowed_hosts", ["gateway.example.com"], "environment STATETOOL_ALLOW_ENDPOINTS"),
    state_location="https://git.example/api/v4/projects/42/terraform/state/shop",
    state_credentials=Setting("state_credentials", "password", "environment TF_HTTP_PASSWORD"),
)


def test_all_is_well() -> None:
    """One line each in a pipe."""
    check_golden("doctor_well.txt", render_doctor(WELL))


def test_trouble_on_a_narrow_terminal() -> None:
    """What to mend stands below what is wrong; the first of many problems, and how many more."""
    check_golden("doctor_trouble_80.txt", render_doctor(TROUBLE, width=80))


def test_colour_tells_how_a_check_ended() -> None:
    """Green, yellow, red and dim; without colour no escape code, also not one from outside."""
    text = render_doctor((*WELL, *TROUBLE), color=True)
    for code in ("\x1b[32mok", "\x1b[33mwarning", "\x1b[31mfailed", "\x1b[2mnot reached"):
        assert code in text
    assert "\x1b" not in render_doctor((*WELL, *TROUBLE))


def test_the_document_says_the_same() -> None:
    """Sentences and advice as in the text, facts and errors beside them; it fits its schema."""
    document = doctor_to_document(TROUBLE, "0.1.0")
    assert not list(validator("doctor").iter_errors(document))
    assert document["errored"] is True
    assert document["summary"] == {"ok": 4, "warning": 4, "failed": 4, "not_reached": 2}
    assert isinstance(document["checks"], list)
    lock = document["checks"][5]
    assert isinstance(lock, dict)
    assert lock["facts"] == HOLDER
    assert str(lock["message"]) in render_doctor(TROUBLE)
    assert doctor_to_document(WELL, "0.1.0")["errored"] is False


def test_every_code_of_a_check_has_words() -> None:
    """Each code that `doctor/` notes has a sentence of its own, or comes with an error that has one."""
    folder = Path(statetool.__file__).parent / "doctor"
    told = set(words._SENTENCES)
    noted: set[str] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("self._note", "Check", "_Ended"):
                noted |= {
                    argument.value
                    for argument in node.args
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                }
    with_errors = {"configuration_invalid", "manifests_invalid", "state_unreadable"}
    assert len(noted) > 25
    assert noted - with_errors <= told
    assert set(words._ADVICE) <= told


def test_settings() -> None:
    """Aligned, with a unit where the name does not say it."""
    check_golden("config_show.txt", render_overview(OVERVIEW))


def test_settings_on_a_narrow_terminal() -> None:
    """Values and origins flow beside their names."""
    check_golden("config_show_60.txt", render_overview(OVERVIEW, width=60))


def test_the_document_of_settings() -> None:
    """It fits its schema, and keeps every value as it is."""
    document = overview_to_document(OVERVIEW, "0.1.0")
    assert not list(validator("settings").iter_errors(document))
    assert document["allowed_hosts"] == {
        "hosts": ["gateway.example.com"],
        "origin": "environment STATETOOL_ALLOW_ENDPOINTS",
    }
