"""Every backend of the contract: how a test gets a fresh place of it, and how any process opens a client there.

A backend joins by a kind in KINDS. Servers are started when the first test needs them, once for the whole session.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from contract_kit import Time
from memory_backend import MemoryBackend, MemoryStore

from statetool.backends import Backend


@dataclass
class MemoryPlace:
    """A store of its own for every test."""

    backend: type[MemoryBackend] = MemoryBackend
    time: Time = field(default_factory=Time)
    can_force: bool = True
    secrets: tuple[str, ...] = ("hunter2",)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.time.clock)

    def open(self) -> Backend:
        return self.backend(self.store, self.time.sleep)
