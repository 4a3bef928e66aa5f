"""The page on shared state: every command of it runs, in its order, on real servers; and so do the jobs for GitLab.

Where the page names a server of somebody's, its address is replaced by that of one of this machine; words in capitals
are what a reader copies from the output before.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import signal
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from e2e_project import CLONE, EXAMPLES, QUICK, TOKEN, Done, ProjectFolder, check, serve

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))  # for the servers

import s3_servers
from http_state_server import USER, StateServer, serving
from postgres_server import PostgresServer, shared_postgres

from statetool.backends.files import FileSystem

PAGE = (CLONE / "docs" / "state.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PASSWORD = "correct-horse"
GITLAB = "https://gitlab.example.com/api/v4"
JOB = "https://gitlab.example.com/team/shop/-/jobs/815"

OUR_COMMAND = re.compile(
    r"(?P<set>([A-Z_]+=\S+ )*)statetool (?P<rest>[^|&>]*)( > (?P<out>\S+))?(?P<may_fail> \|\| echo \"exit code \$\?\")?"
)
COPIED = {
    "LOCK_ID": r"force-unlock (\S+) --reason",
    "OPERATION_ID": r"state resolve (\S+) --did-run",
    "RESCUE_FILE": r"statetool state push (\S+)",
    "GOOD": r"stored now\n(\d+) ",
}
"""What stands where in the output before."""


@pytest.fixture(scope="session")
def gitlab() -> Iterator[StateServer]:
    with serving("gitlab", PASSWORD) as running:
        yield running


def keep_busy(project: ProjectFolder) -> None:
    """One instance of `pay` does not get healthy: a run that changes it comes to no end."""
    project.disturb("shop/pay", available_replicas=1)


def heal(project: ProjectFolder) -> None:
    """It does, once the job is over that the run started."""
    while project.shown("pay")[1] != "PENDING":
        pass
    project.disturb("shop/pay", status="RUNNING")


class Reader:
    """Somebody who types the page line by line, and what was said to each block. Our commands run in this process."""

    def __init__(self, folder: Path, replaced: Mapping[str, str]) -> None:
        self.project = ProjectFolder(folder, {"PATH": f"{_programs(folder)}{os.pathsep}{os.environ['PATH']}"})
        self.said: list[tuple[str, str]] = []
        self._replaced = replaced
        self._heard = ""

    def export(self, **variables: str) -> None:
        self.project = replace(self.project, environ={**self.project.environ, **variables})

    def type_block(self, block: str, after_line: Callable[[str], None] = lambda _: None) -> None:
        lines = [block] if "&\n" in block else block.splitlines()
        said = []
        for line in lines:
            said.append(self._type(self._filled_in(line).partition("    #")[0].rstrip()))
            self._heard = f"{said[-1]}\n{self._heard}"
            after_line(said[-1])
        self.said.append((block, "\n".join(said)))

    def write_state_section(self, section: str) -> None:
        text = (self.project.root / "statetool.yaml").read_text(encoding="utf-8").partition("state:\n")[0]
        self.project.write("statetool.yaml", text + self._filled_in(section))

    def _filled_in(self, text: str) -> str:
        for written, here in self._replaced.items():
            text = text.replace(written, here)
        for word, pattern in COPIED.items():
            if word in text:
                found = re.findall(pattern, self._heard)
                assert found, f"no {word} for {text} in:\n{self._heard[:3000]}"
                text = text.replace(word, found[0])
        return text.replace("NEXT", str(self.newest_serial + 1)) if "NEXT" in text else text

    @property
    def newest_serial(self) -> int:
        return int(re.findall(r"(\d+) .*stored now", self._heard)[0])

    def _type(self, line: str) -> str:
        if line.startswith("export "):
            for pair in shlex.split(line)[1:]:
                name, _, value = pair.partition("=")
                self.export(**{name: string.Template(value).substitute(self.project.environ)})
            return ""
        ours = OUR_COMMAND.fullmatch(line)
        return self._type_elsewhere(line) if ours is None else self._call(ours)

    def _call(self, command: re.Match[str]) -> str:
        variables = dict(pair.split("=", 1) for pair in command["set"].split())
        project = replace(self.project, environ={**self.project.environ, **variables})
        done = project.call(*shlex.split(command["rest"]), code=None if command["may_fail"] else 0)
        if command["out"]:
            project.write(command["out"], done.out)
        assert bool(done.code) is bool(command["may_fail"]), f"{command[0]}: {done.code}\n{done.all}"
        return done.all + (f"exit code {done.code}\n" if done.code else "")

    def _type_elsewhere(self, lines: str) -> str:
        here = self.project.root
        told = ["bash", "-euc", f'{lines}\npwd > "$HOME/.here"']
        done = run_shell(told, here, {**self.project.environment, "CI_JOB_URL": JOB, "HOME": str(here)})
        assert done.code == 0, f"{lines}\n{done.all}"
        self.project = replace(self.project, root=Path((here / ".here").read_text().strip()))
        return done.all


def run_shell(command: list[str], folder: Path, environment: Mapping[str, str]) -> Done:
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return check(Done(ended.returncode, ended.stdout, ended.stderr), None)


def _programs(folder: Path) -> Path:
    """A folder with a `statetool` that is this clone's."""
    program = folder / "bin" / "statetool"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m statetool "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program.parent


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the moment on at which a request was accepted and written down, no file system takes anything but that of
    the system's temporary folder."""
    write, is_full = FileSystem.write, False

    def write_until_full(self: FileSystem, descriptor: int, data: bytes) -> int:
        nonlocal is_full
        if is_full and "/.statetool/" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        is_full = is_full or b'"type":"accepted"' in data
        return write(self, descriptor, data)

    monkeypatch.setattr(FileSystem, "write", write_until_full)


EXPECTED = [
    ("statetool sandbox seed", ["Apply complete: 3 done."]),
    ("statetool lock show", ["shop/pay", "stored now", "is not locked"]),
    ("state migrate --to postgres", ["Moved 3 components", "state_moved", "exit code 1", "No changes."]),
    ("battery-staple statetool plan", ["No changes.", "GRANT SELECT", "exit code 1"]),
    ("--to local\nsed -i 's/backend: postgres", ["Moved 3 components", "No changes."]),
    ("state migrate --to s3", ["Moved 3 components", "s3://states/team/shop", "No changes.", "stored now"]),
    ("state migrate --to http", ["Moved 3 components", "No changes."]),
    ("statetool plan\nstatetool lock show", ["interrupted_run", "can't be seen", "1 operation left open"]),
    ('statetool apply --resume || echo "exit code $?"\n', ["state_locked", JOB, "exit code 5"]),
    ("force-unlock LOCK_ID", ["was broken"]),
    ("statetool apply --resume\nstatetool plan", ["Taken up: 1 done.", "No changes."]),
    ("restart:", ["nobody can tell whether it ran", "exit code 3", "Taken up: 1 parked.", "exit code 3"]),
    ("state resolve OPERATION_ID\n", ["newest record", "To go on, once you know it:", "--did-run", "--did-not"]),
    ("--did-not", ["did not run", "Apply complete: 1 done.", "No changes."]),
    ("RESCUE_FILE", ["state_not_saved", "exit code 1", "Stored as serial", "1 operation taken up", "No changes."]),
    ("GOOD", ["Forgot shop/pay.", "stored now", "2 added", "Stored as serial", "No changes."]),
    ("truncate", ["state_unreadable", "state.json.backup", "exit code 1", "first time recorded"]),
    ("set-aside.journal", ["is not locked", "No changes."]),
    ("state rm shop/pay\n", ["Forgot shop/pay.", "recorded as shop/basket", "recorded as shop/cart"]),
]
"""A block of the page by a part of it, and what is said to it in this order."""


@pytest.mark.xdist_group("postgres")
def test_every_command_of_the_page_runs(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, gitlab: StateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, as written, on PostgreSQL, an S3 store and a server like GitLab's; a run is killed, a disk filled."""
    postgres = shared_postgres()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("elsewhere")))  # for rescue files
    shutil.copytree(EXAMPLES / "quickstart", tmp_path / "examples" / "quickstart")
    quick = ProjectFolder(tmp_path / "examples" / "quickstart")
    quick.edit("statetool.yaml", "poll_interval_s: 0.2", "poll_interval_s: 0.05")
    quick.write("seed.yaml", QUICK + (quick.root / "seed.yaml").read_text(encoding="utf-8"))
    reader = Reader(
        tmp_path,
        {
            "quiet_period_s: 2": "quiet_period_s: 0",
            "postgresql://db.example.com/platform": f"postgresql:///postgres?host={postgres.folder}",
            "https://s3.example.com": s3_servers.moto(),
            GITLAB: f"{gitlab.address}/api/v4",
            "TF_HTTP_USERNAME=mei": f"TF_HTTP_USERNAME={USER}",
        },
    )
    _read(reader, postgres, monkeypatch)
    said = iter(reader.said)
    for part, told in EXPECTED:
        heard = next(text for block, text in said if part in block)
        for words in told:
            assert words in heard, f"{words!r} is not said to {part!r}, but:\n{heard}"
            heard = heard.partition(words)[2]
    start = ["cart rollback", "cart scale", "search modify_gray_rule"]
    assert reader.project.sent() == [*start, "pay scale", "pay restart", "pay scale"]
    reader.project.ensure_settled()


def _read(reader: Reader, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for language, block in BLOCKS:
        if language == "sql":
            postgres.run(block)
        elif language == "yaml" and block.startswith("state:\n"):
            reader.write_state_section(block)
        elif "kill -9" in block:
            keep_busy(reader.project)
            reader.type_block(block)
            heal(reader.project)
        elif "RESCUE_FILE" in block:
            with monkeypatch.context() as full:
                fill_disk(full)
                reader.type_block(block, lambda said, full=full: full.undo() if "state_not_saved" in said else None)
        elif language == "sh":
            reader.type_block(block)


def test_what_the_page_installs_and_links_is_there() -> None:
    """Extras by their names, files, and the jobs for GitLab as they stand in the example."""
    import tomllib

    extras = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = set(re.findall(r"pip install '\.\[(\w+)\]'", PAGE))
    assert named == {"postgres", "s3"}
    assert named <= extras.keys()
    assert [block for _, block in BLOCKS].count((EXAMPLES / "gitlab/.gitlab-ci.yml").read_text(encoding="utf-8")) == 1
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", PAGE):
        assert (CLONE / "docs" / target).exists(), target


# --- the jobs for GitLab ---------------------------------------------------------------------------------------------


class Runner:
    """Runs jobs of `.gitlab-ci.yml` as a runner would: its variables, a fresh copy of the project, the job's lines."""

    def __init__(self, folder: Path, endpoint: str, gitlab: StateServer) -> None:
        self.clone = folder / "clone"
        shutil.copytree(EXAMPLES / "gitlab", self.clone)
        here = f"endpoint: {endpoint}\nlimits:\n  poll_interval_s: 0.05"
        ProjectFolder(self.clone).edit("statetool.yaml", "region: cn-north-4", here)
        self.jobs = yaml.safe_load((self.clone / ".gitlab-ci.yml").read_text(encoding="utf-8"))
        given = {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_API_V4_URL": f"{gitlab.address}/api/v4",
            "CI_JOB_TOKEN": PASSWORD,
            "CI_JOB_URL": JOB,
            "CI_PROJECT_ID": "815",
            "CI_SERVER_HOST": "gitlab.example.com",
            "HW_AUTH_TOKEN": TOKEN,
            "PATH": f"{_programs(folder)}{os.pathsep}{os.environ['PATH']}",
        }
        # The name is of GitLab's making; the server of this test knows one user.
        written = {**self.jobs["variables"], "TF_HTTP_USERNAME": USER}
        self.environ = {**given, **{name: string.Template(text).substitute(given) for name, text in written.items()}}

    def project(self, name: str) -> ProjectFolder:
        return ProjectFolder(Path(shutil.copytree(self.clone, self.clone.with_name(name))), self.environ)

    def run(self, job: str, name: str, code: int = 0, **variables: str) -> tuple[ProjectFolder, Done]:
        project = self.project(name)
        script = "\n".join(["set -eo pipefail", *self.jobs[job]["script"]])
        done = run_shell(["bash", "-c", script], project.root, {**project.environment, **variables})
        assert done.code == code, done.all
        assert PASSWORD not in done.all
        assert TOKEN not in done.all
        return project, done


GITLAB_SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4}
      pay: {version: 3.0.1, replicas: 2}
"""


def test_the_jobs_for_gitlab_do_what_the_page_says(tmp_path: Path, gitlab: StateServer) -> None:
    """Plan, apply; an apply that dies; its lock stays, is named and broken; the next one takes up what was sent."""
    world = ProjectFolder(tmp_path / "world")
    world.root.mkdir()
    world.seed(QUICK + GITLAB_SEED)
    with serve(world.data) as endpoint:
        runner = Runner(tmp_path, endpoint, gitlab)
        planned, done = runner.run("plan", "merge-request")
        assert (planned.root / "plan.md").read_text(encoding="utf-8") in done.out
        assert "scale" in done.out
        assert world.sent() == []
        _, done = runner.run("apply", "main")
        assert "A new plan is empty." in done.out
        assert "ephemeral_state" not in done.err
        ProjectFolder(runner.clone).edit("manifests/shop.yaml", "replicas: 2", "replicas: 3")
        keep_busy(world)
        with runner.project("dies").start("apply", "--auto-approve", "--json") as dying:
            dying.wait_for_event("action_accepted")
            dying.signal(signal.SIGKILL)
        heal(world)
        planned, done = runner.run("plan", "next-merge-request")
        assert "interrupted_run" in done.out
        refused = runner.project("waits").call("apply", "--auto-approve", code=5).err
        assert JOB in refused
        [lock_id] = re.findall(COPIED["LOCK_ID"], refused)
        runner.run("unlock", "unlock", LOCK_ID=lock_id, REASON="the runner is gone")
        _, done = runner.run("apply", "retried")
        assert "1 operation taken up" in done.out
        assert world.sent() == ["cart scale", "pay scale"]
        runner.run("drift", "nightly")
