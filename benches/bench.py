"""How long, how much memory, how many requests: whole processes against a served sandbox.

Run by `make bench`; prints a table and judges nothing. Every figure is of one process as the operating system
accounts for it (wait4): wall and CPU seconds, peak resident memory. Requests are what the client counted.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

APPLICATIONS = 15
SIZES = (1_000, 15_000)
RUNS = 3
VERSION_RUNS = 15
STATETOOL = [sys.executable, "-m", "statetool"]
ENVIRONMENT = {**os.environ, "HW_AUTH_TOKEN": "sandbox-token", "NO_COLOR": "1"}
SERVING = "serving"


@dataclass(frozen=True)
class Figures:
    """One process, or the median of several."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(command: Sequence[str], output: Path | None = None, expect: Sequence[int] = (0,)) -> Figures:
    """Run a command to its end. Its standard output goes to `output`, or nowhere."""
    with open(output or os.devnull, "wb") as sink:  # noqa: PTH123 - os.devnull is no Path
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.PIPE, env=ENVIRONMENT)
        assert process.stderr is not None
        complaints = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expect:
        sys.exit(f"{' '.join(command)} exited {process.returncode}:\n{complaints.decode(errors='replace')}")
    return Figures(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(figures: Sequence[Figures]) -> Figures:
    return Figures(
        statistics.median(f.wall_s for f in figures),
        statistics.median(f.cpu_s for f in figures),
        statistics.median(f.peak_mb for f in figures),
    )


def write_project(folder: Path, port: int, size: int) -> None:
    """Seed and manifests of `size` components in fifteen applications."""
    (folder / "manifests").mkdir(parents=True)
    (folder / "statetool.yaml").write_text(
        f"version: 1\nplatform: {{endpoint: 'http://127.0.0.1:{port}'}}\nlimits: {{poll_interval_s: 0.2}}\n"
        "guards: {max_share: 100}\n"
    )
    seed = ["applications:"]
    for application in range(APPLICATIONS):
        seed.append(f"  app{application:02}:\n    environment: prod\n    components:")
        seed += [
            f"      service-{n:04}: {{version: 1.2.{n % 9}, replicas: {2 + n % 5}}}" for n in component_numbers(size)
        ]
    (folder / "seed.yaml").write_text("\n".join(seed) + "\n")
    write_manifests(folder, size, more=0)


def component_numbers(size: int) -> range:
    return range(size // APPLICATIONS)


def write_manifests(folder: Path, size: int, *, more: int) -> None:
    """One file an application; `more` instances for every component than are seeded."""
    for application in range(APPLICATIONS):
        lines = [f"application: app{application:02}", "components:"]
        for n in component_numbers(size):
            lines += [f"  service-{n:04}:", f"    version: 1.2.{n % 9}", f"    replicas: {2 + n % 5 + more}"]
        (folder / "manifests" / f"app{application:02}.yaml").write_text("\n".join(lines) + "\n")


def bench_size(folder: Path, size: int) -> dict[str, tuple[Figures, int | None]]:
    """All figures for one size, by label, each with its number of requests where it sends any."""
    server = subprocess.Popen(
        [*STATETOOL, "sandbox", "serve", "--port", "0", "--data", str(folder / "world.db")],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        assert server.stderr is not None
        line = server.stderr.readline()
        if SERVING not in line:
            sys.exit(f"the sandbox did not start: {line}")
        port = int(line.strip().rsplit(":", 1)[1])
        project = folder / "project"
        write_project(project, port, size)
        at = [*STATETOOL, "--chdir", str(project)]
        measure([*at, "sandbox", "seed", str(project / "seed.yaml")])
        measure([*at, "apply", "--auto-approve"])
        plan = folder / "plan.json"
        results: dict[str, tuple[Figures, int | None]] = {}
        results["plan, nothing changed"] = (
            median([measure([*at, "plan", "--json"], plan) for _ in range(RUNS)]),
            requests_of(plan),
        )
        write_manifests(project, size, more=1)
        results["plan, everything changed"] = (
            median([measure([*at, "plan", "--json"], plan) for _ in range(RUNS)]),
            requests_of(plan),
        )
        results["plan as text, everything changed"] = (median([measure([*at, "plan"]) for _ in range(RUNS)]), None)
        results["validate"] = (median([measure([*at, "validate"]) for _ in range(RUNS)]), None)
        return results
    finally:
        server.terminate()
        server.wait()


def requests_of(plan: Path) -> int:
    return int(json.loads(plan.read_text())["api_cost"]["reads"])


def main() -> None:
    print(f"{'components':>10}  {'what':<34} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'requests':>9}")
    by_size: dict[int, dict[str, tuple[Figures, int | None]]] = {}
    for size in SIZES:
        actual = len(component_numbers(size)) * APPLICATIONS
        with tempfile.TemporaryDirectory() as folder:
            by_size[size] = bench_size(Path(folder), size)
        for label, (figures, requests) in by_size[size].items():
            told = "" if requests is None else str(requests)
            print(
                f"{actual:>10,}  {label:<34} {figures.wall_s:>8.2f} {figures.cpu_s:>8.2f} {figures.peak_mb:>8.0f} "
                f"{told:>9}",
                flush=True,
            )
    small, large = SIZES
    print(f"\ngrowth from {small:,} to {large:,} components, CPU seconds against number (1.0 is linear):")
    for label, (figures, _) in by_size[large].items():
        ratio = figures.cpu_s / by_size[small][label][0].cpu_s / (large / small)
        print(f"  {label:<34} {ratio:.2f}")
    version = [*STATETOOL, "version"]
    click = [sys.executable, "-c", "import click"]
    pairs = [(measure(version).wall_s, measure(click).wall_s) for _ in range(VERSION_RUNS)]
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"\nstatetool version {ours * 1000:.0f} ms, python -c 'import click' {theirs * 1000:.0f} ms")
    print(f"ratio, median of {VERSION_RUNS} pairs: {statistics.median(a / b for a, b in pairs):.2f}")


if __name__ == "__main__":
    main()
