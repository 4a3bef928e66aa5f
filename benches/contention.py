"""Thirty rounds in which sixteen processes contend for the lock of each backend: `python -m benches.contention`.

In every round one contender is killed inside and, where a lock outlives a process that does not move, one is stopped
there and woken when somebody else got in. Prints a table, one line a backend. Exits 1 where there ever were two
holders, a fence that did not grow, a write that did not build on the one before, an entry of the journal that was
lost, or a late holder that was not refused. Takes minutes, most of them spent waiting for locks to run out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "contract"))

from contention import hold_contest
from contract_backends import KINDS

COLUMNS = "{:<16}{:>7}{:>14}{:>11}{:>10}{:>8}{:>12}{:>9}"
HEAD = ("backend", "rounds", "acquisitions", "takeovers", "refusals", "writes", "violations", "seconds")


def main() -> int:
    names = [kind.name for kind in KINDS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backends", nargs="*", metavar="BACKEND", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--contenders", type=int, default=16)
    chosen = parser.parse_args()
    unknown = set(chosen.backends) - set(names)
    if unknown:
        parser.error(f"no such backend: {', '.join(sorted(unknown))}")
    print(
        COLUMNS.format("backend", "rounds", "acquisitions", "takeovers", "refusals", "writes", "violations", "seconds")
    )
    found: list[str] = []
    for kind in KINDS:
        if chosen.backends and kind.name not in chosen.backends:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            verdict = hold_contest(kind, Path(folder), rounds=chosen.rounds, contenders=chosen.contenders)
        counts = (verdict.acquisitions, verdict.takeovers, verdict.refusals, verdict.writes, len(verdict.violations))
        seconds = f"{time.monotonic() - began:.0f}"
        print(COLUMNS.format(kind.name, chosen.rounds, *counts, seconds), flush=True)
        found += [f"{kind.name}: {violation}" for violation in verdict.violations]
    print("".join(f"\n{violation}" for violation in found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
