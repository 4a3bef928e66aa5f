"""kill -9 at each point of an apply against the served sandbox, where answers get lost as well; then go on from there.

What is true says the sandbox's own log: each operation accepted exactly once, and afterwards a plan that is empty.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

E2E = Path(__file__).parents[1] / "e2e"
if str(E2E) not in sys.path:
    sys.path.insert(0, str(E2E))

from e2e_project import CLONE, ProjectFolder, serve, start

KILLED = Path(__file__).with_name("torture_killed.py")
SEED = """
sandbox: {job_seconds: 0.1, stale_ms: 0}
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
      pay: {version: 3.0.1, replicas: 2}
      mail: {version: 1.0.0, replicas: 1}
"""
LOST = """
faults:
  - {kind: reset, method: POST, action: scale, times: 1, executed: true}
  - {kind: reset, method: POST, action: modify_gray_rule, times: 1, executed: false}
"""
MANIFEST = """\
application: shop
components:
  cart: {version: 1.4.1, replicas: 6}
  search: {version: 2.1.0, gray: {version: 2.2.0, weight: 30}, depends_on: [cart]}
  pay: {replicas: 3}
  mail: {replicas: 2, depends_on: [pay]}
"""
ALL = ["cart rollback", "cart scale", "mail scale", "pay scale", "search modify_gray_rule"]


def kill_at(point: int, folder: Path, *, loses: bool) -> tuple[str, int | None]:
    """Kill an apply at that effect and go on; what was wrong afterwards, in words, "" where nothing was.

    Second the number of effects, where the point was beyond the last: then nothing was killed.
    """
    project = ProjectFolder(folder, {"HW_AUTH_TOKEN": "sandbox-token"})
    project.configure()
    project.seed(SEED + (LOST if loses else ""))
    project.manifest(MANIFEST)
    with serve(project.data) as endpoint:
        project.configure(endpoint)
        command = [sys.executable, str(KILLED), str(point), "apply", "--auto-approve"]
        environment = {**project.environment, "PYTHONPATH": str(CLONE)}
        with start(command, folder, environment) as running:
            done = running.end(None)
        if done.code == 0:
            return _judge(project), int(done.err.splitlines()[-1])
        if done.code != -signal.SIGKILL:
            return f"exit code {done.code}: {done.err}", None
        for words in (["apply", "--resume"], ["apply", "--auto-approve"]):
            resumed = project.call(*words, code=None)
            if resumed.code not in (0, 3):
                return f"{' '.join(words)} ended with {resumed.code}: {resumed.all}", None
        return _judge(project), None


def _judge(project: ProjectFolder) -> str:
    accepted = sorted(project.sent())
    if accepted != ALL:
        return f"accepted: {accepted}"
    plan = project.call("plan", "--detailed-exitcode", code=None)
    return "" if plan.code == 0 else f"the plan is not empty: {plan.out}"


def count_points(folder: Path, *, loses: bool) -> int:
    """How many effects an apply has that nobody kills."""
    wrong, points = kill_at(0, folder, loses=loses)
    assert points is not None and not wrong, wrong
    return points
