"""The places of the contract suite, on real servers, as places of a tortured world.

What the servers themselves go through is the contract suite's; here every call of a backend is an effect. A process
that dies gives its lock back, as if its time had run out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from torture_clock import Clock
from torture_stores import InMemory, OnDisk, Owner, Place

from statetool.backends import Backend, JournalEntry
from statetool.core.state import StateFile

CONTRACT = Path(__file__).parent.parent / "contract"
SERVED = ("postgres", "s3-seaweedfs", "s3-moto", "http-terraform", "http-gitlab")
NAMES = ("memory", "local", *SERVED)


class Served:
    """A place that nobody used before, on the server of a kind."""

    def __init__(self, kind: str) -> None:
        if str(CONTRACT) not in sys.path:
            sys.path.append(str(CONTRACT))
        # Every new client of a bucket would read all authorities of the machine.
        os.environ["SSL_CERT_FILE"] = str(CONTRACT.parent / "e2e" / "untrusted.pem")
        os.environ["SSL_CERT_DIR"] = os.devnull
        from contract_backends import KINDS, ServedPlace

        [found] = [one for one in KINDS if one.name == kind]
        self._place = ServedPlace(found, found.new_place(Path("/nowhere")))
        self._reader = self._place.open()

    def open(self, owner: Owner) -> Backend:
        return self._place.open()

    def read(self) -> tuple[StateFile | None, tuple[JournalEntry, ...]]:
        return self._reader.read(), self._reader.read_journal()

    def is_valid(self, fence: int) -> bool | None:
        return None


def open_place(name: str, clock: Clock, folder: Path) -> Place:
    if name == "memory":
        return InMemory(clock)
    return OnDisk(clock, folder) if name == "local" else Served(name)
