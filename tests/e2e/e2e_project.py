"""A project folder on disk, real `statetool` processes in it, and the sandbox world they work on.

Nothing is replaced: commands run as `python -m statetool`, the world is a file or a server of its own process.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from e2e_nursery import program_folder

import statetool
from statetool.cli import main
from statetool.sandbox import LogEntry, Sandbox

CLONE = Path(statetool.__file__).parents[1]
EXAMPLES = CLONE / "examples"
TOKEN = "sandbox-token"
PATIENCE_S = 60
"""A process that takes longer hangs; nothing here waits for so long where all is well."""

CONFIG = """\
version: 1
platform: {endpoint: "%s"}
limits:
  quiet_period_s: 0
  poll_interval_s: 0.05
"""
IN_PROCESS = "sandbox:.statetool/sandbox.db"
QUICK = "sandbox: {job_seconds: 0.1, stale_ms: 0}\n"


@dataclass(frozen=True)
class Done:
    """A process that ended."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err

    @property
    def document(self) -> Any:
        """What it printed in JSON mode."""
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What `apply --json` printed."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def codes(self) -> list[str]:
        """Codes of the diagnostics a failing command printed in JSON mode: all of stdout, or its last line."""
        try:
            document = json.loads(self.out)
        except json.JSONDecodeError:
            document = self.events[-1]
        assert document["errored"] is True
        return [diagnostic["code"] for diagnostic in document["diagnostics"]]


@dataclass(frozen=True)
class ProjectFolder:
    """A folder with statetool.yaml. `environ` is added to a small environment without credentials."""

    root: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    # Files

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def configure(self, endpoint: str = IN_PROCESS, more: str = "") -> None:
        """statetool.yaml; `more` follows after `limits`, also as more of it."""
        self.write("statetool.yaml", CONFIG % endpoint + more)

    def manifest(self, text: str) -> None:
        self.write("manifests/shop.yaml", text)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that is there once."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def state(self) -> dict[str, Any]:
        """The state file as it stands."""
        return dict(json.loads((self.root / ".statetool/state.json").read_text(encoding="utf-8")))

    # Processes

    @property
    def environment(self) -> dict[str, str]:
        """Only what a process needs, so that the machine's own settings and credentials play no part."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "HOME": str(self.root), "PYTHONPATH": str(CLONE), "PYTHONUNBUFFERED": "1", **self.environ}

    def run(self, *arguments: str, code: int | None = 0) -> Done:
        """One command to its end, in a process that is loaded already; `code` None takes any exit code."""
        with start([str(program_folder() / "statetool"), *arguments], self.root, self.environment) as running:
            return running.end(code)

    def call(self, *arguments: str, code: int | None = 0) -> Done:
        """The same command in this process, in a twentieth of the time: for what a test prepares or looks at."""
        out, err = io.StringIO(), io.StringIO()
        with self._entered(), redirect_stdout(out), redirect_stderr(err):
            ended = main(arguments)
        return check(Done(ended, out.getvalue(), err.getvalue()), code)

    @contextmanager
    def _entered(self) -> Iterator[None]:
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            with chdir(self.root):
                yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    @contextmanager
    def start(self, *arguments: str) -> Iterator[Running]:
        """A command that runs beside the test; killed at the end of the block."""
        with start([sys.executable, "-m", "statetool", *arguments], self.root, self.environment) as running:
            yield running

    def plan(self, *arguments: str, code: int | None = None) -> Any:
        """The document of `plan --json`, made in this process."""
        return self.call("plan", "--json", *arguments, code=code).document

    def ensure_settled(self) -> None:
        """A second run changes nothing: the plan is empty, an apply sends no request and writes no state."""
        assert self.call("plan", "--detailed-exitcode").out.startswith("No changes.")
        sent, state = self.log(), (self.root / ".statetool/state.json").read_bytes()
        self.call("apply", "--auto-approve")
        assert self.log() == sent
        assert (self.root / ".statetool/state.json").read_bytes() == state

    # The world

    @property
    def data(self) -> Path:
        return self.root / ".statetool/sandbox.db"

    @contextmanager
    def world(self, job_seconds: float | None = None) -> Iterator[Sandbox]:
        """The world in this process; `job_seconds` is for jobs that start from now on."""
        self.data.parent.mkdir(exist_ok=True)
        sandbox = Sandbox.open(self.data, job_seconds=job_seconds)
        try:
            yield sandbox
        finally:
            sandbox.close()

    def seed(self, text: str) -> None:
        """A world whose jobs are quick, unless the seed itself has switches."""
        with self.world() as world:
            world.seed(text if "sandbox:" in text else QUICK + text, "seed.yaml")

    def disturb(self, address: str, **changes: Any) -> None:
        with self.world() as world:
            world.disturb(address, **changes)

    def log(self) -> list[LogEntry]:
        """Every changing request that reached the world, also refused ones."""
        with self.world() as world:
            return world.log()

    def sent(self) -> list[str]:
        """`cart scale`, `search modify_gray_rule`, `cart PUT`: accepted changing requests in their order."""
        with self.world() as world:
            names = {row["id"]: row["name"] for row in _rows(world)}
            return [_spell(entry, names) for entry in world.log() if entry.job_id]

    def look(self, component: str) -> dict[str, Any]:
        """Detail and records of a component, as the API answers them."""
        with self.world() as world:
            row = next(row for row in _rows(world) if row["name"] == component)
            path = f"{API}/applications/{row['application_id']}/components/{row['id']}"
            return {"detail": world.handle("GET", path).body, "records": world.handle("GET", f"{path}/records").body}

    def shown(self, component: str) -> tuple[str, str, int, int]:
        """(version, status, replicas, available replicas) as the API shows them."""
        detail = self.look(component)["detail"]
        status = detail["status"]
        return detail["version"], status["component_status"], status["replica"], status["available_replica"]


API = "/v3/0123456789abcdef0123456789abcdef/cas"


def _spell(entry: LogEntry, names: dict[str, str]) -> str:
    """An action by its name; a deployment, which is none, by its method."""
    parts = entry.path.split("/")
    return f"{names[parts[-2]]} {entry.body['action']}" if entry.method == "POST" else f"{names[parts[-1]]} PUT"


def _rows(world: Sandbox) -> list[dict[str, Any]]:
    return list(world.handle("GET", f"{API}/components", "limit=100").body["components"])


def check(done: Done, code: int | None) -> Done:
    """The same, for a command that ended as it should: never with a traceback."""
    assert "Traceback" not in done.all, done.all
    assert "internal_error" not in done.all, done.all
    assert code is None or done.code == code, f"exit {done.code}\n{done.out}\n{done.err}"
    return done


class Running:
    """A process that is listened to while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._heard = threading.Condition()
        self._out: list[str] = []
        self._err: list[str] = []
        self._listeners = [
            threading.Thread(target=self._listen, args=(stream, lines), daemon=True)
            for stream, lines in ((process.stdout, self._out), (process.stderr, self._err))
        ]
        for listener in self._listeners:
            listener.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of `apply --json` so far."""
        with self._heard:
            return [json.loads(line) for line in self._out]

    @property
    def first_error_line(self) -> str:
        with self._heard:
            return self._err[0].strip()

    def wait_for_event(self, type_: str, times: int = 1) -> None:
        """Until so many events of a type were told."""
        self._wait_for(lambda: sum(f'"type": "{type_}"' in line for line in self._out) >= times, type_)

    def wait_for_line(self, text: str) -> None:
        """Until a line with this text came on stderr."""
        self._wait_for(lambda: any(text in line for line in self._err), text)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def end(self, code: int | None = 0, *, within_s: float = PATIENCE_S) -> Done:
        """Its end, with all it said. No traceback, whatever happened; `code` None takes any exit code."""
        ended = self.process.wait(within_s)
        for listener in self._listeners:
            listener.join(PATIENCE_S)
        return check(Done(ended, "".join(self._out), "".join(self._err)), code)

    def _listen(self, stream: IO[str], lines: list[str]) -> None:
        for line in stream:
            with self._heard:
                lines.append(line)
                self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()

    def _wait_for(self, holds: Callable[[], bool], what: str) -> None:
        with self._heard:
            came = self._heard.wait_for(lambda: holds() or not self._is_talking(), PATIENCE_S)
            assert came and holds(), f"{what} did not come\n{''.join(self._out)}\n{''.join(self._err)}"

    def _is_talking(self) -> bool:
        return self.process.poll() is None or any(listener.is_alive() for listener in self._listeners)


@contextmanager
def start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    """A process in that folder, killed at the end of the block."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        running = Running(process)
        try:
            yield running
        finally:
            process.kill()
            running.end(None)


@contextmanager
def serve(data: Path) -> Iterator[str]:
    """The sandbox in a process of its own; its endpoint. The world is that of the file `data`."""
    command = [sys.executable, "-m", "statetool", "sandbox", "serve", "--data", str(data), "--port", "0"]
    with start(command, data.parent, {**os.environ, "PYTHONPATH": str(CLONE)}) as server:
        server.wait_for_line("sandbox: serving")
        yield server.first_error_line.rpartition(" ")[2]


def copy_example(name: str, root: Path) -> ProjectFolder:
    """A copy of an example as it stands, except that the sandbox's jobs and the looks at them are quick."""
    shutil.copytree(EXAMPLES / name, root, ignore=shutil.ignore_patterns(".statetool"))
    project = ProjectFolder(root)
    project.edit("statetool.yaml", "poll_interval_s: 0.2", "poll_interval_s: 0.05")
    seed = root / "seed.yaml"
    seed.write_text(QUICK + seed.read_text(encoding="utf-8"), encoding="utf-8")
    return project
