"""What a process does to the world around it, counted, and what may go wrong with each of these effects.

Owns the kinds of effects and of faults, the death of a process, and who decides which effect meets which fault.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Crash(SystemExit):
    """The process is dead. Nothing it tries after this has any effect."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one effect. `after_s` is how late a request arrives, or how long a call takes.

    `then` lets something else happen at that very moment, while the process stands still.
    """

    kind: str
    after_s: float = 0.0
    then: Callable[[], None] | None = None

    def __str__(self) -> str:
        return self.kind + (f"({self.after_s:g} s)" if self.after_s else "")


NO_FAULT = Fault("")

WRITE_FAULTS = (
    Fault("refused"),  # no connection: surely not executed
    Fault("throttled"),  # 429 of the gateway: surely not executed
    Fault("lost"),  # never arrives, no answer
    Fault("lost_answer"),  # executed, no answer
    Fault("server_error"),  # executed, 500 without a code of the gateway
    Fault("garbled"),  # executed, and the answer is a page
    Fault("late", 20.0),  # no answer at once, executed later
    Fault("late", 55.0),
    Fault("late", 88.0),
    Fault("slow", 40.0),  # executed later, and the answer comes
    Fault("slow", 80.0),  # executed later, and nobody waits for the answer any more
    Fault("crash_before"),
    Fault("crash_sent", 0.05),  # the process dies while the request is on its way
    Fault("crash_sent", 50.0),
    Fault("crash_after"),  # executed; the process dies before the answer is there
)
JOB_FAULTS = (
    Fault("job_failed"),
    Fault("job_cancelled"),
    Fault("never_ready"),
    Fault("no_effect"),
)
READ_FAULTS = (Fault("error"), Fault("server_error"), Fault("garbled"), Fault("crash_before"), Fault("crash_after"))
STORE_FAULTS = (
    Fault("error"),  # not executed
    Fault("lost_answer"),  # executed, and yet an error
    Fault("slow", 25.0),
    Fault("slow", 70.0),  # longer than a lease that nobody renews
    Fault("crash_before"),
    Fault("crash_after"),
)
DISK_FAULTS = (
    Fault("error"),
    Fault("full"),
    Fault("crash_before"),
    Fault("crash_after"),
    Fault("power_before"),
    Fault("power_after"),
)
FAULTS: Mapping[str, Sequence[Fault]] = {
    "write": WRITE_FAULTS,
    "read": READ_FAULTS,
    "store": STORE_FAULTS,
    "disk": DISK_FAULTS,
}
"""By the kind of effect."""

CRASHES = frozenset({"crash_before", "crash_sent", "crash_after", "power_before", "power_after"})
LOSSES = frozenset({"lost", "lost_answer", "server_error", "garbled", "late", "slow"})


class Fates(Protocol):
    """Decides what goes wrong. Asked for every effect, in order."""

    def choose(self, kind: str, name: str) -> Fault: ...


class Counting:
    """Nothing goes wrong; `seen` are all effects."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def choose(self, kind: str, name: str) -> Fault:
        self.seen.append((kind, name))
        return NO_FAULT


class AtEffect:
    """One fault, at the n-th effect (from 1). `struck` names what it hit."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.struck: str | None = None
        self._number, self._fault, self._seen = number, fault, 0

    def choose(self, kind: str, name: str) -> Fault:
        self._seen += 1
        if self._seen != self._number:
            return NO_FAULT
        self.struck = f"{kind} {name}"
        return self._fault


class AtMatch:
    """One fault at the n-th effect that a rule fits; `times` in a row."""

    def __init__(self, fits: Callable[[str, str], bool], fault: Fault, number: int = 1, times: int = 1) -> None:
        self.struck = 0
        self._fits, self._fault, self._first, self._last, self._seen = fits, fault, number, number + times, 0

    def choose(self, kind: str, name: str) -> Fault:
        if not self._fits(kind, name):
            return NO_FAULT
        self._seen += 1
        if not self._first <= self._seen < self._last:
            return NO_FAULT
        self.struck += 1
        return self._fault


class Scripted:
    """Faults in the order in which they are written, by kind of effect, or kind and name; a signal at the first read
    after an instant of the world's clock, which a world brings."""

    def __init__(
        self, script: Mapping[str, Sequence[Fault | str]], *, after_s: float = 0.0, signal_at: float = math.inf
    ) -> None:
        self.now: Callable[[], float] = lambda: 0.0
        self._script = {kind: list(faults) for kind, faults in script.items()}
        self._after_s, self._signal_at = after_s, signal_at

    def choose(self, kind: str, name: str) -> Fault:
        if kind == "read" and self.now() >= self._signal_at:
            self._signal_at = math.inf
            return Fault("signal")
        rest = self._script.get(f"{kind} {name}", self._script.get(kind))
        if not rest:
            return NO_FAULT
        fault = rest.pop(0)
        return fault if isinstance(fault, Fault) else Fault(fault, self._after_s)


class Random:
    """Faults by chance: `rates` is the chance of an effect of a kind to meet one."""

    def __init__(
        self,
        rng: random.Random,
        rates: Mapping[str, float],
        faults: Mapping[str, Sequence[Fault]] = FAULTS,
        also: Callable[[str], Fault | None] = lambda kind: None,
    ) -> None:
        self.met: list[Fault] = []
        self._rng, self._rates, self._faults, self._also = rng, rates, faults, also

    def choose(self, kind: str, name: str) -> Fault:
        if self._rng.random() >= self._rates.get(kind, 0.0):
            return NO_FAULT
        fault = self._also(kind) or self._rng.choice(self._faults[kind])
        self.met.append(fault)
        return fault
