"""The sandbox as a whole: a world in a store, moved by an injected clock.

Owns the public class, and the transactions: a request, its effect and its log line are one (exchange.py). Must not
know HTTP frameworks, SQL or rules.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from statetool.sandbox import switches
from statetool.sandbox.access import Gate
from statetool.sandbox.addresses import disturb, resolve
from statetool.sandbox.disturb import Disturbance
from statetool.sandbox.errors import SandboxError
from statetool.sandbox.exchange import Answer, Exchange
from statetool.sandbox.fault_schedule import FaultCount
from statetool.sandbox.faults import MOST_FAULTS, Fault, parse_faults
from statetool.sandbox.model import LogEntry, SeedSummary
from statetool.sandbox.store import Store
from statetool.sandbox.tables import Tables


class Sandbox:
    """A simulated ServiceStage project. Several objects and processes on one file see one world."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    @classmethod
    def open(
        cls,
        path: Path | None,
        *,
        clock: Callable[[], float] = time.time,
        job_seconds: float | None = None,
    ) -> Sandbox:
        """Open a world, or make an empty one; None keeps it in memory.

        `clock` gives seconds since the epoch. `job_seconds` (how long a job takes) is stored in the world, so that
        everybody on the file agrees; None leaves what is stored there (1.0 at first). Raises SandboxError for a
        file that is not a sandbox world or can't be used.
        """
        store = Store(path)
        sandbox = cls(store, clock)
        if job_seconds is not None:
            try:
                sandbox._set_job_seconds(job_seconds)
            except SandboxError:
                store.close()
                raise
        return sandbox

    def close(self) -> None:
        """Let go of the file; the world stays in it."""
        self._store.close()

    def seed(self, text: str, filename: str) -> SeedSummary:
        """Replace the world, its log and its faults by a seed (YAML); `filename` only names it in messages.

        Switches the seed does not name get their defaults, except job_seconds, which stays. Raises SandboxError
        with file, line and path inside the document; then nothing has changed.
        """
        from statetool.sandbox import seed  # here: it loads yaml

        world = seed.build(text, filename, self.now_ms())
        with self._store.writing() as tables:
            chosen = world.switches
            if not world.job_seconds_named:
                chosen = dataclasses.replace(chosen, job_seconds=tables.switches().job_seconds)
            tables.clear()
            tables.set_switches(chosen)
            tables.fill(world.applications, world.environments, world.components, world.jobs)
            try:
                _store_faults(tables, world.faults, self.now_ms())
            except SandboxError as error:
                raise SandboxError(f"{filename}: {error}") from None
        return SeedSummary(len(world.applications), len(world.environments), len(world.components))

    def disturb(
        self,
        address: str,
        *,
        replicas: int | None = None,
        available_replicas: int | None = None,
        status: str | None = None,
        weight: int | None = None,
        end_gray: str | None = None,
        fail_next_job: str | None = None,
    ) -> None:
        """Change a component behind the tool's back, at once and without a line in the log.

        `address` is app/component or app/component@env; what the changes mean stands at `disturb.Disturbance`.
        Raises SandboxError for an unknown address (with near names) or an impossible change.
        """
        change = Disturbance(replicas, available_replicas, status, weight, end_gray, fail_next_job)
        with self._store.writing() as tables:
            disturb(tables, address, change, self.now_ms())

    def set_faults(self, faults: Sequence[Fault | Mapping[str, Any]]) -> None:
        """Let these go wrong from now on, and nothing else; an empty list ends all faults.

        An element is a `Fault` or its JSON form. Counters start at zero. Raises SandboxError for one that makes no
        sense, or names a component that does not exist; then nothing has changed.
        """
        parsed = parse_faults(list(faults))
        with self._store.writing() as tables:
            _store_faults(tables, parsed, self.now_ms())

    def add_fault(self, fault: Fault | Mapping[str, Any]) -> None:
        """Let one thing more go wrong, last in the list; counters of the others stay. Raises SandboxError."""
        [parsed] = parse_faults([fault])
        with self._store.writing() as tables:
            counts = tables.faults()
            if len(counts) >= MOST_FAULTS:
                raise SandboxError(f"at most {MOST_FAULTS} faults")
            _ensure_addresses(tables, parsed, self.now_ms())
            tables.put_fault(len(counts), FaultCount(parsed))

    def faults(self) -> list[FaultCount]:
        """What goes wrong, and how often it has so far."""
        with self._store.reading() as tables:
            return tables.faults()

    def reset(self) -> None:
        """An empty world with an empty log, no faults and default switches; job_seconds stays."""
        with self._store.writing() as tables:
            kept = tables.switches().job_seconds
            tables.clear()
            tables.set_switches(switches.Switches(job_seconds=kept))

    def log(self) -> list[LogEntry]:
        """Every mutating API request since the last seed or reset, refused ones too, oldest first."""
        with self._store.reading() as tables:
            return tables.log()

    def handle(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        *,
        authenticated: bool = True,
        gate: Gate | None = None,
    ) -> Answer:
        """Answer one API request. A mutating one and its log line are one transaction; IAM's are never logged.

        `gate` is the request as it came over the wire, to check its credentials; None lets everybody in, unless
        `authenticated` is false. Where a fault hit the request, the answer names it: what happens to the
        connection is left to the caller. Raises SandboxError only where the world itself can't be used; everything the
        platform would refuse is an Answer.
        """
        path = path.encode("utf-8", "replace").decode()
        request_id = uuid.uuid4().hex
        exchange = Exchange(method, path, query, body, authenticated, gate, self.now_ms(), request_id)
        if exchange.only_reads:
            with self._store.reading() as tables:
                if not tables.has_faults():
                    return exchange.execute(tables)
        with self._store.writing() as tables:
            return exchange.run(tables)

    def now_ms(self) -> int:
        """The clock's reading."""
        return int(self._clock() * 1000)

    def _set_job_seconds(self, seconds: float) -> None:
        with self._store.writing() as tables:
            try:
                tables.set_switches(switches.with_job_seconds(tables.switches(), seconds))
            except ValueError as error:
                raise SandboxError(str(error)) from None


def _store_faults(tables: Tables, faults: Sequence[Fault], now_ms: int) -> None:
    for index, fault in enumerate(faults):
        try:
            _ensure_addresses(tables, fault, now_ms)
        except SandboxError as error:
            raise SandboxError(f"faults[{index}]: {error}") from None
    tables.set_faults([FaultCount(fault) for fault in faults])


def _ensure_addresses(tables: Tables, fault: Fault, now_ms: int) -> None:
    """Raise SandboxError for a component that does not exist: the fault would silently never hit."""
    addresses = [] if fault.address is None else [fault.address]
    if fault.disturbance is not None:
        addresses.append(fault.disturbance.address)
    for address in addresses:
        resolve(tables, address, now_ms)
