"""The file: one world for everybody, whole or not at all."""

import json
import os
import sqlite3
import stat
import threading

import pytest

from statetool.sandbox import Sandbox, SandboxError

PROJECT = "/v3/0123456789abcdef0123456789abcdef/cas"
SEED = "applications: {shop: {environment: prod, components: {cart: {version: 1.0.0, replicas: 2}}}}"


@pytest.fixture
def file(tmp_path):
    """Where a world may go."""
    return tmp_path / "world.db"


@pytest.fixture
def opened(file):
    """Opens the file with a given clock; closes everything in the end."""
    made = []

    def open_it(now=1_800_000_000.0, **options):
        made.append(Sandbox.open(file, clock=lambda: now, **options))
        return made[-1]

    yield open_it
    for sandbox in made:
        sandbox.close()


def cart_path(sandbox):
    """The path of the only component."""
    [row] = sandbox.handle("GET", f"{PROJECT}/components").body["components"]
    return f"{PROJECT}/applications/{row['application_id']}/components/{row['id']}"


def act(sandbox, **body):
    """An action on the only component."""
    return sandbox.handle("POST", f"{cart_path(sandbox)}/action", "", json.dumps(body).encode())


def test_two_objects_see_one_world(opened):
    """What one does the other sees, job duration and busy state included."""
    first = opened(job_seconds=10)
    first.seed(SEED, "seed.yaml")
    second = opened(now=1_800_000_005.0)
    job_id = act(first, action="scale", parameters={"replica": 5}).body["job_id"]
    assert act(second, action="restart").status_code == 409
    assert second.handle("GET", f"{PROJECT}/jobs/{job_id}").body["job"]["execution_status"] == "RUNNING"
    third = opened(now=1_800_000_010.0)
    assert third.handle("GET", f"{PROJECT}/jobs/{job_id}").body["job"]["execution_status"] == "SUCCEEDED"
    assert third.handle("GET", cart_path(third)).body["status"]["replica"] == 5
    assert [entry.status_code for entry in third.log()] == [200, 409]


def test_one_of_many_wins(opened):
    """Requests at the same moment from several threads and connections: exactly one is accepted."""
    opened(job_seconds=10).seed(SEED, "seed.yaml")
    codes = []

    def send(sandbox):
        codes.append(act(sandbox, action="restart").status_code)

    threads = [threading.Thread(target=send, args=(opened(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] + [409] * 7


def test_the_log_is_the_truth(opened):
    """Every mutating request with time, body, status code and job; reads are not there."""
    sandbox = opened()
    sandbox.seed(SEED, "seed.yaml")
    path = cart_path(sandbox)
    accepted = act(sandbox, action="restart")
    sandbox.handle("POST", f"{path}/action", "", b"not json")
    sandbox.handle("POST", f"{path}/action", "", b"{}", authenticated=False)
    sandbox.handle("DELETE", f"{path}/records")
    entries = sandbox.log()
    assert [(e.method, e.body, e.status_code) for e in entries] == [
        ("POST", {"action": "restart"}, 200),
        ("POST", "not json", 400),
        ("POST", {}, 401),
        ("DELETE", None, 404),
    ]
    assert (entries[0].at_ms, entries[0].path) == (1_800_000_000_000, f"{path}/action")
    assert entries[0].job_id == accepted.body["job_id"] and entries[1].job_id is None


def test_reset(opened):
    """An empty world, an empty log; jobs take as long as before."""
    sandbox = opened(job_seconds=7)
    sandbox.seed(SEED, "seed.yaml")
    act(sandbox, action="restart")
    sandbox.reset()
    assert sandbox.handle("GET", f"{PROJECT}/components").body == {"count": 0, "components": []}
    assert sandbox.log() == []
    sandbox.seed(SEED, "seed.yaml")
    act(sandbox, action="restart")
    assert (
        opened(now=1_800_000_006.0).handle("GET", cart_path(sandbox)).body["status"]["component_status"] == "RESTARTING"
    )


def test_a_failed_seed_leaves_the_old_world(opened, file):
    """When writing breaks in the middle, nothing of the new world is there."""
    sandbox = opened()
    sandbox.seed(SEED, "seed.yaml")
    connection = sqlite3.connect(file)
    connection.execute("CREATE TRIGGER full BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    connection.close()
    with pytest.raises(SandboxError, match="disk full"):
        sandbox.seed(SEED.replace("replicas: 2", "replicas: 3"), "seed.yaml")
    assert sandbox.handle("GET", cart_path(sandbox)).body["replica"] == 2


def test_a_failed_action_leaves_no_trace(opened, file):
    """The component, its job and the line in the log are one: all of them or none."""
    sandbox = opened(job_seconds=10)
    sandbox.seed(SEED, "seed.yaml")
    connection = sqlite3.connect(file)
    connection.execute("CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    connection.close()
    before = sandbox.handle("GET", cart_path(sandbox)).body
    with pytest.raises(SandboxError, match="disk full"):
        act(sandbox, action="restart")
    assert sandbox.handle("GET", cart_path(sandbox)).body == before
    assert sandbox.log() == []


def test_only_the_owner_may_read(opened, file):
    """The file is made with mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        opened()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_files_that_are_no_world(tmp_path):
    """One sentence with the file's name; the file is not touched."""
    text = tmp_path / "notes.txt"
    text.write_text("just some notes, long enough to be no empty database" * 20)
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE things (id)")
    connection.close()
    for path in (text, foreign):
        before = path.read_bytes()
        with pytest.raises(SandboxError, match=f"{path.name} is not a sandbox world"):
            Sandbox.open(path)
        assert path.read_bytes() == before
    for path in (tmp_path, tmp_path / "nowhere" / "world.db"):
        with pytest.raises(SandboxError, match=path.name):
            Sandbox.open(path)


def test_a_newer_format_is_refused(opened, file):
    """A world of another version of the sandbox is not guessed at."""
    opened().close()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SandboxError, match="another version"):
        Sandbox.open(file)


def name_the_version_in_use(connection):
    """Write components as formats up to 3 did: with the version in use instead of its record's position."""
    connection.execute(
        """UPDATE components SET body = json_set(json_remove(body, '$.used'), '$.current',
           json_extract(body, '$.records[' || json_extract(body, '$.used') || '].version'))"""
    )


@pytest.mark.parametrize("more", ["", ", gray: {version: 1.3.0, weight: 10}"])
def test_the_record_in_use_is_found_in_an_older_format(opened, file, more):
    """Components of formats up to 3 know the version in use; everything reads as before, and the log goes on."""
    seed = SEED.replace("{version: 1.0.0", "{version: 1.2.0, history: [1.0.0, 1.1.0]" + more)
    sandbox = opened()
    sandbox.seed(seed, "seed.yaml")
    paths = [cart_path(sandbox), f"{cart_path(sandbox)}/records"]
    before = [sandbox.handle("GET", path).body for path in paths]
    act(sandbox, action="explode")
    connection = sqlite3.connect(file)
    name_the_version_in_use(connection)
    connection.execute("ALTER TABLE log DROP COLUMN gray_rule_body")
    connection.execute("PRAGMA user_version = 3")
    connection.commit()
    connection.close()
    sandbox = opened()
    assert [sandbox.handle("GET", path).body for path in paths] == before
    act(sandbox, action="modify_gray_rule")
    assert [entry.gray_rule_body for entry in sandbox.log()] == [None, "empty"]


def test_an_older_format_is_brought_up(opened, file):
    """A world made before components could be deleted and things could go wrong is used as it is."""
    opened().seed(SEED, "seed.yaml")
    connection = sqlite3.connect(file)
    added = [("applications", "body"), ("environments", "body"), ("components", "gone_ms"), ("log", "fault")]
    for table, column in [*added, ("log", "gray_rule_body")]:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("DROP TABLE faults")
    name_the_version_in_use(connection)
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    sandbox = opened(job_seconds=0)
    assert sandbox.faults() == []
    assert sandbox.handle("GET", f"{PROJECT}/applications").body["applications"][0]["name"] == "shop"
    assert sandbox.handle("DELETE", cart_path(sandbox)).status_code == 200
    assert sandbox.handle("GET", f"{PROJECT}/components").body["count"] == 0


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e9])
def test_job_seconds_must_make_sense(seconds):
    """Refused when opening."""
    with pytest.raises(SandboxError, match="job_seconds"):
        Sandbox.open(None, job_seconds=seconds)


def test_a_damaged_world(opened, file):
    """Damage found later is a sentence too."""
    opened().seed(SEED, "seed.yaml")
    sandbox = opened()
    connection = sqlite3.connect(file)
    connection.execute("DROP TABLE components")
    connection.commit()
    connection.close()
    with pytest.raises(SandboxError, match="can't be used"):
        sandbox.handle("GET", f"{PROJECT}/components")
