"""The same work over TCP: with a token, with a wrong one, with none; and control of a served world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from e2e_loopback import forward, loopback
from e2e_project import IN_PROCESS, QUICK, TOKEN, ProjectFolder, copy_example, serve


@pytest.fixture
def boutique(tmp_path: Path) -> Iterator[ProjectFolder]:
    """The online boutique on a served sandbox, seeded through the server, with the right token."""
    copy = copy_example("online-boutique", tmp_path / "boutique")
    copy.data.parent.mkdir()
    with serve(copy.data) as endpoint:
        copy.edit("statetool.yaml", f"  endpoint: {IN_PROCESS}", f"  endpoint: {endpoint}")
        copy.call("sandbox", "seed", "seed.yaml")
        yield replace(copy, environ={"HW_AUTH_TOKEN": TOKEN})


def endpoint_of(project: ProjectFolder) -> str:
    lines = (project.root / "statetool.yaml").read_text(encoding="utf-8").splitlines()
    return next(line.split(": ", 1)[1] for line in lines if line.startswith("  endpoint: http"))


def test_the_boutique_over_tcp(boutique: ProjectFolder) -> None:
    """Plan 2, apply 0, then settled; the plan names the endpoint; a saved plan sends nothing the second time."""
    assert endpoint_of(boutique) in boutique.run("plan", "--detailed-exitcode", "--out", "saved.plan", code=2).out
    boutique.run("apply", "saved.plan")
    sent = boutique.log()
    assert len(sent) == 8
    assert all(entry.status_code == 200 for entry in sent)
    events = boutique.call("apply", "--json", "saved.plan").events
    assert events[-1]["satisfied"] == 8
    assert boutique.log() == sent
    boutique.ensure_settled()


@pytest.mark.parametrize("command", [("plan",), ("apply", "--auto-approve"), ("drift",)], ids=lambda c: c[0])
def test_a_wrong_token_is_tried_once(boutique: ProjectFolder, command: tuple[str, ...]) -> None:
    """One request, no second: the platform locks accounts. The error says what to set; the token is never shown."""
    wrong = "wrong-token-4711"
    with loopback(lambda asked: forward(endpoint, asked)) as proxy:
        endpoint = endpoint_of(boutique)
        boutique.edit("statetool.yaml", endpoint, proxy.endpoint)
        refused = replace(boutique, environ={"HW_AUTH_TOKEN": wrong}).run(*command, code=1)
    assert len(proxy.asked) == 1
    assert "error[unauthorized]" in refused.err
    assert "HW_AUTH_TOKEN" in refused.err
    assert wrong not in refused.all
    assert not (boutique.root / ".statetool/state.json").exists()


def test_a_wrong_token_in_json_mode(boutique: ProjectFolder) -> None:
    """One document on stdout, the same exit code."""
    refused = replace(boutique, environ={"HW_AUTH_TOKEN": "wrong"}).run("plan", "--json", code=1)
    assert refused.codes == ["unauthorized"]


def test_no_token_is_told_before_anything_is_sent(boutique: ProjectFolder) -> None:
    """Exit 1 with the variable to set."""
    with loopback(lambda asked: forward(endpoint, asked)) as proxy:
        endpoint = endpoint_of(boutique)
        boutique.edit("statetool.yaml", endpoint, proxy.endpoint)
        refused = replace(boutique, environ={}).run("plan", code=1)
    assert proxy.asked == []
    assert "hint:" in refused.err
    assert "HW_AUTH_TOKEN" in refused.err


def test_a_token_goes_to_no_strange_host(boutique: ProjectFolder) -> None:
    """An edited endpoint gets nothing, and the error names the variable that would allow it."""
    boutique.edit("statetool.yaml", endpoint_of(boutique), "https://servicestage.example.com")
    refused = replace(boutique, environ={"HW_AUTH_TOKEN": TOKEN, "HW_PROJECT_ID": "a" * 32}).run("plan", code=1)
    assert "error[endpoint_refused]" in refused.err
    assert "STATETOOL_ALLOW_ENDPOINTS" in refused.err


def test_control_of_a_served_world(boutique: ProjectFolder) -> None:
    """Seed, disturb and reset through the project's endpoint need no token, and the file shows the same world."""
    anybody = replace(boutique, environ={})
    anybody.run("sandbox", "disturb", "boutique/adservice", "--replicas", "9")
    assert anybody.shown("adservice")[2:] == (9, 9)
    refused = anybody.call("sandbox", "disturb", "boutique/adservise", "--replicas", "9", code=1)
    assert "boutique/adservice" in refused.err
    anybody.call("sandbox", "reset")
    with anybody.world() as world, pytest.raises(Exception, match="no component"):
        world.disturb("boutique/adservice", replicas=1)
    assert "11 components" in anybody.run("sandbox", "seed", "seed.yaml").out


def test_control_by_option_needs_no_project(boutique: ProjectFolder, tmp_path: Path) -> None:
    """--endpoint and --data each name a world, from any folder; both at once are a usage error."""
    elsewhere = ProjectFolder(tmp_path)
    endpoint, data = endpoint_of(boutique), str(boutique.data)
    elsewhere.run("sandbox", "disturb", "boutique/adservice", "--replicas", "7", "--endpoint", endpoint)
    assert boutique.shown("adservice")[2] == 7
    elsewhere.run("sandbox", "disturb", "boutique/adservice", "--replicas", "8", "--data", data)
    assert boutique.shown("adservice")[2] == 8
    elsewhere.call("sandbox", "reset", "--data", data, "--endpoint", endpoint, code=64)
    elsewhere.call("sandbox", "reset", "--endpoint", "https://servicestage.example.com", code=1)


def test_commands_on_the_file_and_over_tcp_see_one_world(boutique: ProjectFolder, tmp_path: Path) -> None:
    """While the server holds the file: applied in process, settled over TCP, and disturbed the other way round."""
    beside = ProjectFolder(tmp_path / "beside")
    beside.configure(f"sandbox:{boutique.data}")
    beside.manifest("application: boutique\ncomponents:\n  adservice: {replicas: 3}\n")
    beside.run("apply", "--auto-approve")
    boutique.edit("manifests/boutique.yaml", "adservice: {version: 0.10.1, replicas: 2}", "adservice: {replicas: 3}")
    document = boutique.plan("--target", "boutique/adservice@prod")
    assert document["actions"] == []
    boutique.call("sandbox", "disturb", "boutique/adservice", "--replicas", "5")
    assert "3 -> 5" in beside.call("drift", code=2).out


def test_serving_a_file_that_is_no_world(tmp_path: Path) -> None:
    """A sentence and exit 1."""
    here = ProjectFolder(tmp_path)
    here.write("notes.txt", QUICK * 300)
    refused = here.run("sandbox", "serve", "--data", "notes.txt", code=1)
    assert "notes.txt is not a sandbox world" in refused.err
