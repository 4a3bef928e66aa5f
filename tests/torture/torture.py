"""All of the fault harness: `make torture`; not part of `make test`, which runs a short share of each part.

    python tests/torture/torture.py                         everything, on two cores some twenty minutes
    python tests/torture/torture.py stories mutants         some parts
    python tests/torture/torture.py stories --count 100000 --from 50000

What broke something is told with the words that repeat it. Exit code 1 where anything was broken, or where a rule was
switched off and nothing noticed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]

PARTS = ("loop", "stories", "machine", "processes", "mutants")
SHARES = {"s3-moto": 5, "http-gitlab": 5}
"""Second servers of a backend: of so many runs one."""
CHUNK = 250
MACHINES = 4
FEWER = 8
"""So many points less than were counted a run may have: it depends on how many jobs ended at one look."""
EXAMPLES = 250
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """What one process of its own does: a part, and which share of it."""

    part: str
    words: tuple[str, ...]


# The work


def run_loop(place: str, share: str, of: str) -> Result:
    from torture_loop import all_runs, run_one

    runs = list(all_runs(place))[int(share) :: int(of)]
    wrong, kinds = [], Counter[str]()
    for number, fault in runs:
        found = run_one(place, number, fault)
        kinds[fault.kind] += 1
        if found.violations:
            where = f"effect {number} of {place} ({found.struck}), {fault}"
            wrong.append(f"{where}: {'; '.join(str(v) for v in found.violations[:3])}")
    effects = max((number for number, _ in runs), default=0)
    return {"name": place, "runs": len(runs), "effects": effects, "wrong": wrong}


def run_stories(first: str, last: str) -> Result:
    from torture_random import tell

    counts, wrong = Counter[str](), []
    for number in range(int(first), int(last)):
        told = tell(number)
        counts += told.counts
        if told.violations:
            again = f"python tests/torture/torture_random.py {number}"
            wrong.append(f"{again}: {'; '.join(str(v) for v in told.violations[:3])}")
    return {"name": "stories", "runs": int(last) - int(first), "counts": counts, "wrong": wrong}


def run_machine(seed: str) -> Result:
    from hypothesis import HealthCheck, settings
    from hypothesis import seed as seeded
    from hypothesis.stateful import run_state_machine_as_test
    from torture_machine import Machine

    limits = settings(
        max_examples=EXAMPLES,
        stateful_step_count=15,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    wrong = []
    try:
        run_state_machine_as_test(seeded(int(seed))(Machine), settings=limits)
    except AssertionError as error:
        wrong.append("\n".join([f"machine {seed}: {error}", *getattr(error, "__notes__", ())]))
    return {"name": "machine", "runs": EXAMPLES, "wrong": wrong}


def run_processes(share: str, of: str) -> Result:
    import tempfile

    from torture_processes import kill_at, open_shop, race, stop_at, terminate_at

    wrong, counts = [], Counter[str]()
    with tempfile.TemporaryDirectory() as folder, open_shop(Path(folder) / "shop") as shop:
        points = shop.count_points()
        stories: list[tuple[str, Callable[[], list[str]]]] = []
        for n, name in enumerate(points, 1):
            stories += [
                (f"kill -9 at point {n} ({name})", lambda n=n: kill_at(shop, n)),
                (f"kill -9 at point {n} ({name}), answer {n % 5} lost", lambda n=n: kill_at(shop, n, n % 5)),
            ]
            if n % 4 == 1 and n <= len(points) - FEWER:
                stories += [
                    (f"SIGSTOP at point {n} ({name})", lambda n=n: stop_at(shop, n)),
                    (f"SIGTERM twice at point {n} ({name})", lambda n=n: terminate_at(shop, n)),
                ]
        stories += [(f"two at once, {n}", lambda: race(shop)) for n in range(4)]
        for name, tell in stories[int(share) :: int(of)]:
            counts[name.partition(" at point")[0].partition(",")[0]] += 1
            wrong += [f"{name}: {what}" for what in tell()]
    return {"name": "processes", "runs": sum(counts.values()), "counts": counts, "wrong": wrong, "points": len(points)}


def run_mutant(number: str) -> Result:
    from torture_mutants import MUTANTS, try_mutant

    verdict = try_mutant(MUTANTS[int(number)])
    wrong = [] if verdict.killed_by else [f"nothing notices: {verdict.mutant.rule}"]
    return {"name": verdict.mutant.rule, "runs": 1, "killed_by": verdict.killed_by, "wrong": wrong}


WORK: dict[str, Callable[..., Result]] = {
    "loop": run_loop,
    "stories": run_stories,
    "machine": run_machine,
    "processes": run_processes,
    "mutants": run_mutant,
}


def plan_jobs(parts: Sequence[str], first: int, count: int) -> Iterator[Job]:
    """The longest first, so that all cores have something to do until the end."""
    from torture_mutants import MUTANTS
    from torture_places import NAMES

    if "processes" in parts:
        yield from (Job("processes", (str(n), "4")) for n in range(4))
    if "loop" in parts:
        for place in reversed(NAMES):
            pieces = 1 if place in SHARES else 2
            of = SHARES.get(place, pieces)
            yield from (Job("loop", (place, str(n), str(of))) for n in range(pieces))
    if "stories" in parts:
        for begin in range(first, first + count, CHUNK):
            yield Job("stories", (str(begin), str(min(begin + CHUNK, first + count))))
    if "mutants" in parts:
        yield from (Job("mutants", (str(n),)) for n in range(len(MUTANTS)))
    if "machine" in parts:
        yield from (Job("machine", (str(seed),)) for seed in range(MACHINES))


def run_job(job: Job) -> Result:
    """In a process of its own: servers it starts end with it."""
    done = subprocess.run(
        [sys.executable, __file__, "--job", job.part, *job.words], capture_output=True, text=True, check=False
    )
    try:
        result: Result = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        result = {"name": job.part, "runs": 0, "wrong": [f"{job.part} {' '.join(job.words)} broke off:\n{done.stderr}"]}
    return {**result, "part": job.part}


# The tables


def _table(title: str, rows: Sequence[Sequence[object]]) -> None:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in texts) for n in range(len(texts[0]))]
    print(f"\n{title}")
    for row in texts:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _show(results: Sequence[Result]) -> None:
    by_part: dict[str, list[Result]] = {part: [r for r in results if r["part"] == part] for part in PARTS}
    if by_part["loop"]:
        names = dict.fromkeys(r["name"] for r in by_part["loop"])
        rows: list[list[object]] = [["backend", "effects", "runs", "violations"]]
        for name in names:
            mine = [r for r in by_part["loop"] if r["name"] == name]
            effects = max(r.get("effects", 0) for r in mine)
            rows.append([name, effects, sum(r["runs"] for r in mine), sum(len(r["wrong"]) for r in mine)])
        _table("Effect loop: each effect fails, crashes, is lost or late, and is recovered from", rows)
    for part, title in (("stories", "Random stories"), ("machine", "State machine"), ("processes", "Real processes")):
        if by_part[part]:
            counts = Counter[str]()
            for result in by_part[part]:
                counts += Counter(result.get("counts", {}))
            figures: list[list[object]] = [["runs", sum(r["runs"] for r in by_part[part])]]
            figures += [[name, number] for name, number in sorted(counts.items())]
            figures.append(["violations", sum(len(r["wrong"]) for r in by_part[part])])
            _table(title, figures)
    if by_part["mutants"]:
        rows = [["rule switched off", "noticed by"]]
        rows += [[r["name"], r.get("killed_by") or "NOTHING"] for r in by_part["mutants"]]
        _table(f"Rules: {len(rows) - 1}", rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--count", type=int, default=20_000, help="of random stories")
    parser.add_argument("--from", type=int, default=0, dest="first", help="number of the first story")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--job", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.job:
        part, *words = options.job
        print(json.dumps(WORK[part](*words)))
        return 0
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    began = time.monotonic()
    jobs = list(plan_jobs(options.parts or PARTS, options.first, options.count))
    results: list[Result] = []
    with ThreadPoolExecutor(options.workers) as pool:
        for number, result in enumerate(pool.map(run_job, jobs), 1):
            results.append(result)
            for what in result["wrong"]:
                print(what, flush=True)
            if number % 20 == 0:
                print(f"{number} of {len(jobs)} jobs, {time.monotonic() - began:.0f} s", flush=True)
    _show(results)
    wrong = sum(len(result["wrong"]) for result in results)
    print(f"\n{wrong} violations in {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
