"""A contest: many processes contend for one lock, some are killed inside and some are stopped, round after round.

Owns the rounds and the processes. Contenders are forked, so this runs in a process of its own that has neither threads
nor connections; `hold_contest` starts it and judges what it wrote down. It must not know how a backend keeps its lock.
"""

from __future__ import annotations

import importlib
import io
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from contender import Log, Role, break_lock, contend, sleep_less
from contention_judge import Verdict, judge
from contract_backends import Kind, open_client

import statetool
from statetool.backends import Backend
from statetool.backends.places import HttpPlace, LocalPlace, Place, PostgresPlace, S3Place
from statetool.core.model import Secret

IMPORTED = (Path(__file__).parent, Path(statetool.__file__).parent.parent)

ROUND_S = 120.0
"""No round takes longer, or nobody moves any more: that is noted as a failure, and ends the contest."""

DRIVERS = {LocalPlace: "local", HttpPlace: "http", PostgresPlace: "postgres", S3Place: "s3"}


@dataclass(frozen=True)
class Contest:
    """What is held. In every round one contender is killed inside, and one is stopped where `stops`.

    `ttl_s` is for how long a lock lasts that is not renewed. `forces`: locks never end by themselves, so those of the
    killed and the stopped are broken. `unsafe`: the store may be one that does not keep two writers apart: there two
    can also push each other out for ever, so that a round may need its end at `round_s`.
    """

    place: Place
    log: Path
    rounds: int
    contenders: int
    ttl_s: float
    stops: bool
    forces: bool
    unsafe: bool
    round_s: float


def hold_contest(
    kind: Kind,
    folder: Path,
    *,
    rounds: int,
    contenders: int,
    ttl_s: float = 2.0,
    unsafe: bool = False,
    round_s: float = ROUND_S,
) -> Verdict:
    """Hold a contest at a fresh place of that kind. Raises AssertionError where it could not be held."""
    place = kind.new_place(folder)
    contest = Contest(
        place=place,
        log=folder / "contest.log",
        rounds=rounds,
        contenders=contenders,
        ttl_s=ttl_s,
        stops=kind.can_force,
        forces=not open_client(place).capabilities.expires,
        unsafe=unsafe,
        round_s=round_s,
    )
    process = subprocess.run(
        [sys.executable, "-c", "import contention; contention.main()"],
        input=_pack(contest),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, IMPORTED))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        # Of its own, so that nobody else's end wakes who is stopped, and its own end wakes them all.
        process_group=0,
    )
    assert process.returncode == 0, process.stdout.decode()
    return judge(Log(contest.log).read(), numbers_locks=kind.numbers_locks, refuses_late=kind.refuses_late)


def _pack(contest: Contest) -> bytes:
    """The contest with its passwords, which are never serialised but here."""
    packed = io.BytesIO()
    pickler = pickle.Pickler(packed)
    pickler.dispatch_table = {Secret: lambda secret: (Secret, (secret.reveal(),))}
    pickler.dump(contest)
    return packed.getvalue()


class Herd:
    """The processes of one contest."""

    def __init__(self, contest: Contest) -> None:
        self._contest = contest
        self._log = Log(contest.log)
        self._running: dict[int, Role] = {}
        self._stopped: dict[int, int] = {}
        """Those that were stopped, and how many had entered by then."""
        self._deadline = 0.0

    def run(self) -> None:
        """All rounds, or those up to the first that does not end."""
        for _ in range(self._contest.rounds):
            self._deadline = time.monotonic() + self._contest.round_s
            try:
                self._run_round()
            except TimeoutError as error:
                self._log.note("failed", fence=0, error=str(error))
                return
            finally:
                for pid in [*self._running, *self._stopped]:
                    os.kill(pid, signal.SIGKILL)

    def _run_round(self) -> None:
        roles = [Role.DIES, *([Role.STOPS] if self._contest.stops else [])]
        roles += [Role.LEAVES] * (self._contest.contenders - len(roles))
        random.shuffle(roles)
        gate, opening = os.pipe()
        for role in roles:
            self._start(role, partial(self._contend, role, gate, opening))
        os.close(gate)
        os.close(opening)  # off they go
        self._await_all()
        self._start(Role.FOLDS, partial(self._contend, Role.FOLDS))
        self._await_all()

    def _contend(self, role: Role, gate: int | None = None, opening: int | None = None) -> None:
        if gate is not None and opening is not None:
            os.close(opening)
            os.read(gate, 1)  # until all have started
        contend(self._open, self._log, role)

    def _open(self) -> Backend:
        contest = self._contest
        return open_client(contest.place, ttl_s=contest.ttl_s, sleep=sleep_less, unsafe=contest.unsafe)

    def _start(self, role: Role, work: Callable[[], None]) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(0)
        self._running[pid] = role
        return pid

    def _await_all(self) -> None:
        """Until everybody came to an end. Who is stopped is woken as soon as somebody else got in."""
        while self._running or self._stopped:
            if time.monotonic() > self._deadline:
                raise TimeoutError(f"a round did not end: {self._running} {self._stopped}")
            if self._note_one():
                continue
            if self._stopped and not any(role in (Role.LEAVES, Role.FOLDS) for role in self._running.values()):
                self._start(Role.LEAVES, partial(self._contend, Role.LEAVES))  # somebody has to take over
            self._wake_overtaken()
            time.sleep(0.005)

    def _note_one(self) -> bool:
        """Whether a process ended or stopped since the last time."""
        pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return False
        if os.WIFSTOPPED(status):
            self._stopped[pid] = self._entered()
            del self._running[pid]
        else:
            self._running.pop(pid, None)
            self._stopped.pop(pid, None)
        is_dead = os.WIFSIGNALED(status)
        if self._contest.forces and (is_dead or os.WIFSTOPPED(status)):
            self._start(Role.BREAKS, partial(break_lock, self._open, self._log, pid))
        return True

    def _wake_overtaken(self) -> None:
        if not self._stopped:
            return
        entered = self._entered()
        for pid, before in list(self._stopped.items()):
            if entered > before:
                del self._stopped[pid]
                self._running[pid] = Role.STOPS
                os.kill(pid, signal.SIGCONT)

    def _entered(self) -> int:
        return self._log.count("enter")


def main() -> None:
    """Hold the contest that is on standard input."""
    contest: Contest = pickle.loads(sys.stdin.buffer.read())
    importlib.import_module(f"statetool.backends.{DRIVERS[type(contest.place)]}")
    Herd(contest).run()
