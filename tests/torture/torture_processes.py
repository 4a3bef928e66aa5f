"""Real processes on a served sandbox: killed, stopped, or told to stop, at every point of an apply.

A point is the moment before a call that changes the disk, before a changing request, or after its answer. The process
does it to itself when it gets there, so that nothing here depends on time. Answers are lost at the sandbox.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent / "e2e"))

from e2e_project import TOKEN, ProjectFolder, Running, serve, start
from torture_secrets import CORPUS, find_secrets

from statetool.backends.local import LocalBackend

SEED: dict[str, Any] = {
    "sandbox": {"job_seconds": 0.1, "stale_ms": 0},
    "applications": {
        "shop": {
            "environment": "prod",
            "components": {
                "cart": {"version": "1.0.0", "replicas": 2},
                "mail": {"version": "1.0.0", "replicas": 2},
                "pay": {"version": "1.0.0", "replicas": 3},
                "search": {"version": "2.1.0", "replicas": 4, "gray": {"version": "2.2.0", "weight": 10}},
                "web": {"version": "1.0.0", "replicas": 2},
            },
        }
    },
}
FIRST = "application: shop\ncomponents:\n  mail: {restart: '1'}\n"
WANTED = """\
application: shop
components:
  cart: {replicas: 3}
  mail: {restart: '2', depends_on: [cart]}
  pay: {version: 1.1.0, env: {KEY: "${var.api_key}"}}
  search: {version: 2.1.0, gray: {version: 2.2.0, weight: 30}, depends_on: [cart]}
  web: {replicas: 4, depends_on: [pay, mail]}
"""
ALL = ["cart scale", "mail restart", "pay PUT", "search modify_gray_rule", "web scale"]
LIMITS = "  parallelism: 1\n"

CHILD = """
import json, os, signal, sys, threading
from statetool.backends.files import FileSystem
from statetool.servicestage.channel import Channel

how, point, report = sys.argv[1], int(sys.argv[2]), sys.argv[3]
del sys.argv[1:4]
seen, turn = [], threading.Lock()

def step(name):
    with turn:
        seen.append(name)
        if len(seen) != point:
            return
    if how == "SIGTERM twice":
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    else:
        os.kill(os.getpid(), getattr(signal, how))

def counted(name):
    inner = getattr(FileSystem, name)
    def call(self, *arguments, **options):
        step(name)
        return inner(self, *arguments, **options)
    setattr(FileSystem, name, call)

for name in ("create", "write", "fsync", "open_at_end", "sync_data", "truncate", "link", "replace", "sync_folder"):
    counted(name)

send = Channel._send
async def watched(self, lane, request, limit_s):
    if not lane.is_action:
        return await send(self, lane, request, limit_s)
    step("before a request")
    try:
        return await send(self, lane, request, limit_s)
    finally:
        step("after a request")
Channel._send = watched

from statetool.cli import main
code = main()
with open(report, "w") as file:
    json.dump(seen, file)
sys.exit(code)
"""


@dataclass(frozen=True)
class Shop:
    """A project folder on a served world, filled anew for every point."""

    project: ProjectFolder
    endpoint: str

    def begin(self, lose: int | None) -> None:
        """The world and the state as they are before the apply in question. The answer to the changing request number
        `lose` is lost."""
        folder = self.project.root / ".statetool"
        for path in folder.glob("state.json*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.project.configure(self.endpoint, LIMITS)
        with self.project.world() as world:
            world.seed(json.dumps(SEED), "seed.yaml")
        self.project.manifest(FIRST)
        self.project.call("apply", "--auto-approve")
        self.project.manifest(WANTED)
        if lose is not None:
            fault = {"kind": "reset", "executed": True, "after": lose, "times": 1}
            method = {"method": "PUT", "after": 0} if lose >= 4 else {"method": "POST"}
            with self.project.world() as world:
                world.set_faults([{**fault, **method}])

    @contextmanager
    def apply(self, how: str, point: int) -> Iterator[Running]:
        """An apply that does something to itself at a point."""
        command = [sys.executable, "-c", CHILD, how, str(point), str(self._report), "apply", "--auto-approve", "--json"]
        with start(command, self.project.root, self.project.environment) as running:
            yield running

    @property
    def _report(self) -> Path:
        return self.project.root / "points.json"

    def count_points(self) -> list[str]:
        self.begin(None)
        with self.apply("SIGKILL", 0) as running:
            running.end(0)
        names: list[str] = json.loads(self._report.read_text())
        return names

    def recover(self) -> list[bytes]:
        """What a person does afterwards, until nothing is left to do. Everything that was said."""
        said: list[bytes] = []
        for words in (("apply", "--resume"), ("apply", "--auto-approve"), ("apply", "--auto-approve")):
            said.append(self.project.call(*words, code=None).all.encode())
            for operation in self._parked():
                word = "--did-run" if self._ran(operation) else "--did-not"
                self.project.call("state", "resolve", operation, word, "--reason", "looked", "--auto-approve")
        return said

    def _parked(self) -> list[str]:
        journal = LocalBackend(self.project.root / ".statetool/state.json").read_journal()
        return [str(entry["operation"]) for entry in journal if entry["type"] == "parked"]

    def _ran(self, operation: str) -> bool:
        name = operation.partition("/")[2].partition("#")[0].partition("@")[0]
        return any(spelt.startswith(f"{name} ") for spelt in self.project.sent())

    def judge(self, said: list[bytes]) -> list[str]:
        """What is wrong in the end: nothing may have been accepted twice or be left to do, and no secret may stand
        anywhere."""
        wrong = []
        if sorted(self.project.sent()) != ALL:
            wrong.append(f"I2: accepted {dict(Counter(self.project.sent()))}")
        plan = self.project.plan(code=None)
        if plan["actions"]:
            wrong.append(f"I6: the plan still has {[action['id'] for action in plan['actions']]}")
        folder = self.project.root / ".statetool"
        files = [path for path in folder.rglob("state.json*") if path.is_file()]
        found = find_secrets((TOKEN, *CORPUS), [*said, *(path.read_bytes() for path in files)])
        wrong += [f"I12: {secret!r} stands somewhere" for secret in found]
        wrong += [f"I13: {path} can be read by others" for path in files if path.stat().st_mode & 0o077]
        return wrong


@contextmanager
def open_shop(root: Path) -> Iterator[Shop]:
    """A project on a sandbox that a process of its own serves; one for many points."""
    secrets = {"HW_AUTH_TOKEN": TOKEN, "STATETOOL_VAR_api_key": CORPUS[-1]}
    project = ProjectFolder(root, environ=secrets)
    project.data.parent.mkdir(parents=True, exist_ok=True)
    with serve(project.data) as endpoint:
        yield Shop(replace(project), endpoint)


def kill_at(shop: Shop, point: int, lose: int | None = None) -> list[str]:
    """kill -9 at a point; then resume, apply, and look."""
    shop.begin(lose)
    with shop.apply("SIGKILL", point) as running:
        ended = running.end(None)
    # A run that found more jobs ended at one look has fewer points than the one that was counted.
    is_fair = ended.code in (-signal.SIGKILL, 0)
    wrong = [] if is_fair else [f"it was not killed, and ended with {ended.code}"]
    return [*wrong, *shop.judge([ended.all.encode(), *shop.recover()])]


def stop_at(shop: Shop, point: int) -> list[str]:
    """SIGSTOP at a point, another apply meanwhile, SIGCONT: the other finds the lock held, and nothing runs twice."""
    shop.begin(None)
    with shop.apply("SIGSTOP", point) as running:
        os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WNOWAIT)
        other = shop.project.call("apply", "--auto-approve", code=None)
        running.signal(signal.SIGCONT)
        ended = running.end(None)
    wrong = [] if other.code == 5 else [f"I14: the other run ended with {other.code}"]
    wrong += [] if ended.code == 0 else [f"I13: the run that stood still ended with {ended.code}"]
    return [*wrong, *shop.judge([ended.all.encode(), other.all.encode(), *shop.recover()])]


def terminate_at(shop: Shop, point: int) -> list[str]:
    """SIGTERM twice from a point on: it leaves at once, with the exit code of an interrupt, or was done before."""
    shop.begin(None)
    with shop.apply("SIGTERM twice", point) as running:
        ended = running.end(None)
    allowed = (130, -signal.SIGTERM)  # the second, where no handler is left any more
    wrong = [] if ended.code in allowed else [f"I13: ended with {ended.code}"]
    if "Traceback" in ended.all:
        wrong.append("I13: a traceback")
    return [*wrong, *shop.judge([ended.all.encode(), *shop.recover()])]


def race(shop: Shop) -> list[str]:
    """Two applies at once want different numbers, and wait for each other: what is left is what one of them wanted,
    on the platform and in the state alike."""
    shop.begin(None)
    shop.project.manifest("application: shop\ncomponents:\n  cart:\n    replicas: ${var.number}\n")
    words = ("apply", "--auto-approve", "--lock-timeout", "60s", "--var")
    with shop.project.start(*words, "number=3") as one, shop.project.start(*words, "number=5") as other:
        codes = [one.end(None).code, other.end(None).code]
    wrong = [] if codes == [0, 0] else [f"I14: they ended with {codes}"]
    number = shop.project.shown("cart")[2]
    plan = shop.project.call("plan", "--json", "--var", f"number={number}", code=None).document
    if number not in (3, 5) or plan["actions"] or shop.project.sent() != ["cart scale"] * 2:
        wrong.append(f"I14: {number} instances, sent {shop.project.sent()}, still to do {plan['actions']}")
    return wrong
