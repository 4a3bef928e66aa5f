"""Does a test notice when the planner or the diff is wrong? `make mutants`; not part of `make test`.

Makes thousands of small wrong changes to the core, one at a time and in memory, and runs the tests that may notice.
A change that no test notices is a survivor: a test is missing, or the change makes no difference. The second kind is
listed in equivalent_mutants.txt, each with its reason.

    python benches/mutants.py                           everything; minutes
    python benches/mutants.py --module diff --module chain
    python benches/mutants.py --sample 200 --seed 7     a random part of it

Exit code 1 where a survivor without a reason stands in a module that decides (DECIDING), where a reason fits no
mutant any more or a test notices what it speaks of, or where a test fails without any mutant; 2 where nothing could
be run.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
os.environ.pop("STATETOOL_TEST_FACTOR", None)

from mutant_operators import build_mutants  # noqa: E402 - found beside this file
from mutant_recording import CORE  # noqa: E402
from mutant_rules import Mutant, learn_vocabulary  # noqa: E402
from mutant_runs import HUNG, SURVIVED, BrokenRun, Result, load_libraries, record, run_mutants  # noqa: E402

DECIDING = (
    "version_rows",
    "version_moves",
    "deploy_rows",
    "rejection",
    "sequence",
    "chain",
    "planner",
    "diff",
)
"""The tables of the semantics, sections 2 to 6: here every survivor needs a test or a reason."""
FURTHER = (
    "picture",
    "situation",
    "sent_along",
    "comes_along",
    "edges",
    "ordering",
    "matching",
    "project",
    "canonical",
    "guards",
    "selection",
    "withholding",
    "approval",
    "permission",
    "artifacts",
)
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a mutant makes no difference. It is found by its texts, so that it may move."""

    module: str
    before: str
    after: str
    why: str


def parse_reasons(text: str) -> list[Reason]:
    """Blocks between blank lines: the module, `- before`, `+ after`, and why, on one line or several."""
    reasons = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            continue
        if len(lines) < 4 or not lines[1].startswith("- ") or not lines[2].startswith("+ "):
            raise SystemExit(f"{EQUIVALENT.name}: a block needs a module, a line -, a line + and a reason:\n{block}")
        why = " ".join(line.strip() for line in lines[3:])
        reasons.append(Reason(lines[0].strip(), lines[1][2:].strip(), lines[2][2:].strip(), why))
    return reasons


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse_options(arguments)
    names = [name for name in options.module or (*DECIDING, *FURTHER) if (CORE / f"{name}.py").exists()]
    if len(names) != len(options.module or names):
        print("no such module of the core:", ", ".join(set(options.module) - set(names)), file=sys.stderr)
        return 2
    sources = {path.stem: path.read_bytes() for path in sorted(CORE.glob("*.py"))}
    vocabulary = learn_vocabulary(sources)
    mutants = [mutant for name in names for mutant in build_mutants(name, sources[name], vocabulary)]
    reasons = parse_reasons(EQUIVALENT.read_text(encoding="utf-8"))
    stale = _find_stale(reasons, mutants, names)
    if options.sample is not None and options.sample < len(mutants):
        mutants = random.Random(options.seed).sample(mutants, options.sample)  # noqa: S311 - not a secret
    os.chdir(ROOT)
    load_libraries()
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            recording = record(names, Path(folder))
            print(f"{len(recording.seconds)} tests recorded in {time.monotonic() - began:.0f} s", flush=True)
            results = []
            for result in run_mutants(mutants, recording, Path(folder)):
                results.append(result)
                if len(results) % 250 == 0:
                    print(f"{len(results)} of {len(mutants)} mutants", flush=True)
    except BrokenRun as error:
        print(f"the tests could not be run:\n{error}", file=sys.stderr)
        return 2
    survivors = [r for r in results if r.outcome == SURVIVED]
    unexplained = find_unexplained(survivors, reasons)
    _print_survivors(unexplained)
    _print_table(names, results, {id(r) for r in unexplained})
    survived = {_texts(r.mutant) for r in survivors}
    noticed = {_texts(r.mutant) for r in results} - survived
    wrong = [reason for reason in reasons if (reason.module, reason.before, reason.after) in noticed]
    for reason in stale:
        print(f"{EQUIVALENT.name}: fits no mutant of {reason.module} any more: {reason.before} => {reason.after}")
    for reason in wrong:
        print(f"{EQUIVALENT.name}: a test notices it, so it does make a difference: {reason.before} => {reason.after}")
    for test in recording.failed:
        print(f"fails without a mutant, and was left out: {test}")
    print(f"{len(mutants)} mutants, {len(unexplained)} survivors, {time.monotonic() - began:.0f} s")
    has_gap = any(r.mutant.module in DECIDING for r in unexplained)
    return 1 if has_gap or stale or wrong or recording.failed else 0


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--module", action="append", help="only this module of the core; may be repeated")
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants, chosen at random")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    return parser.parse_args(arguments)


def _find_stale(reasons: Iterable[Reason], mutants: Iterable[Mutant], names: Sequence[str]) -> list[Reason]:
    texts = {_texts(mutant) for mutant in mutants}
    return [r for r in reasons if r.module in names and (r.module, r.before, r.after) not in texts]


def find_unexplained(survivors: Sequence[Result], reasons: Iterable[Reason]) -> list[Result]:
    """The survivors without a reason. Where a line stands in a module several times, each reason speaks of one."""
    left = Counter((reason.module, reason.before, reason.after) for reason in reasons)
    unexplained = []
    for result in survivors:
        if left[_texts(result.mutant)] > 0:
            left[_texts(result.mutant)] -= 1
        else:
            unexplained.append(result)
    return unexplained


def _texts(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.module, mutant.before, mutant.after


def _print_survivors(survivors: Iterable[Result]) -> None:
    for result in sorted(survivors, key=lambda r: (r.mutant.module, r.mutant.line, r.mutant.start)):
        mutant = result.mutant
        untested = "" if result.tests else ", and no test runs this line"
        print(f"\nstatetool/core/{mutant.module}.py:{mutant.line}: {mutant.operator}{untested}")
        print(f"  - {mutant.before}\n  + {mutant.after}")


def _print_table(names: Sequence[str], results: Sequence[Result], unexplained: set[int]) -> None:
    print(f"\n{'module':<16}{'mutants':>8}{'killed':>8}{'hung':>6}{'equivalent':>12}{'survived':>10}{'seconds':>9}")
    for name in names:
        mine = [r for r in results if r.mutant.module == name]
        outcomes = Counter(r.outcome for r in mine)
        survived = sum(id(r) in unexplained for r in mine)
        killed, equivalent = len(mine) - outcomes[SURVIVED], outcomes[SURVIVED] - survived
        seconds = sum(r.seconds for r in mine)
        print(f"{name:<16}{len(mine):>8}{killed:>8}{outcomes[HUNG]:>6}{equivalent:>12}{survived:>10}{seconds:>9.0f}")
    print()


if __name__ == "__main__":
    raise SystemExit(main())
