"""The project's id as doctor meets it. Servers are real; a sandbox of this machine would know its id by itself, so
the settings are those of a project on the network that happens to be here."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from statetool.config import Settings, load_settings
from statetool.core.checks import Check, CheckStatus, Topic
from statetool.doctor.visit import check_platform

PROJECT = "00112233445566778899aabbccddeeff"
TOKEN = {"HW_AUTH_TOKEN": "a-token"}
Answerer = Callable[[str], tuple[int, object]]


@contextmanager
def serving(answer: Answerer) -> Iterator[tuple[str, list[str]]]:
    """Its endpoint, and the paths it was asked for with credentials."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = (404, {}) if self.path == "/" else answer(self.path)
            if self.headers.get("x-auth-token"):
                asked.append(self.path.partition("?")[0])
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Tests look at what was asked."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def settings_of(folder: Path, endpoint: str, region: str | None = "cn-north-4") -> Settings:
    """Without a project id, and with IAM at the same place."""
    (folder / "statetool.yaml").write_text(f"version: 1\nplatform: {{endpoint: '{endpoint}'}}\n")
    return replace(load_settings(folder, {}, {}), project_id="", region=region)


def visit(settings: Settings, environ: Mapping[str, str] = TOKEN) -> dict[Topic, Check]:
    checks = asyncio.run(check_platform(settings, environ, frozenset(), now=lambda: datetime.now(UTC)))
    return {check.topic: check for check in checks}


def project_named(*names: str, then: int = 200) -> Answerer:
    """An IAM that knows these projects, beside a platform without applications."""

    def answer(path: str) -> tuple[int, object]:
        if path.startswith("/v3/projects"):
            return then, {"projects": [{"id": PROJECT, "name": name} for name in names]}
        return 200, {"count": 0, "applications": []}

    return answer


def test_the_id_is_looked_up(tmp_path: Path) -> None:
    """By the name of the region; its origin says where."""
    with serving(project_named("cn-north-4")) as (endpoint, asked):
        found = visit(settings_of(tmp_path, endpoint))
    assert found[Topic.PROJECT].status is CheckStatus.OK
    assert found[Topic.PROJECT].facts == {
        "project_id": PROJECT,
        "origin": f"looked up at {endpoint}",
        "region": "cn-north-4",
    }
    assert asked == ["/v3/projects", f"/v3/{PROJECT}/cas/applications"]


def test_an_id_that_nobody_knows(tmp_path: Path) -> None:
    """Of another region than those IAM may show; nothing else is asked then."""
    with serving(project_named("cn-south-1")) as (endpoint, asked):
        found = visit(settings_of(tmp_path, endpoint))
    assert found[Topic.PROJECT].status is CheckStatus.FAILED
    (problem,) = found[Topic.PROJECT].problems
    assert "HW_PROJECT_ID" in (problem.hint or "")
    assert found[Topic.APPLICATIONS].code == "needs_project"
    assert asked == ["/v3/projects"]


def test_no_id_and_no_region(tmp_path: Path) -> None:
    """There is nothing to look it up by: nothing is asked, and what to set is said."""
    with serving(project_named()) as (endpoint, asked):
        found = visit(settings_of(tmp_path, endpoint, region=None))
    (problem,) = found[Topic.PROJECT].problems
    assert problem.code == "missing_project_id"
    assert asked == []
    assert found[Topic.CREDENTIALS].code == "credentials_found"


def test_credentials_that_iam_refuses(tmp_path: Path) -> None:
    """They are what failed, not the project; the platform never sees them."""
    with serving(project_named(then=401)) as (endpoint, asked):
        found = visit(settings_of(tmp_path, endpoint))
    assert found[Topic.CREDENTIALS].code == "credentials_refused"
    assert found[Topic.CREDENTIALS].facts == {"kind": "token", "origin": "environment HW_AUTH_TOKEN"}
    assert found[Topic.PROJECT].code == found[Topic.JOB].code == "needs_credentials"
    assert asked == ["/v3/projects"]


def test_an_iam_in_trouble(tmp_path: Path) -> None:
    """Asked once."""
    with serving(project_named(then=503)) as (endpoint, asked):
        found = visit(settings_of(tmp_path, endpoint))
    assert found[Topic.PROJECT].status is CheckStatus.FAILED
    assert asked == ["/v3/projects"]


def test_the_topics_are_told_in_their_order(tmp_path: Path) -> None:
    """Each once, whatever happened."""
    with serving(project_named()) as (endpoint, _):
        topics = list(visit(settings_of(tmp_path, endpoint)))
    assert topics == sorted(topics, key=list(Topic).index)
    assert len(topics) == len(set(topics))
