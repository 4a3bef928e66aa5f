"""Backends that break one promise each: what the contract suite has to notice.

Every class differs from the honest backend in one step. Its name says what is wrong; what it says beside is how one
comes by such a backend: a store that ignores conditions, a replica, a cache, a column too short. It must not break two
promises where one will do.
"""

from __future__ import annotations

import broken_journals
import broken_locks
import broken_states
from memory_backend import MemoryBackend

BROKEN: tuple[type[MemoryBackend], ...] = tuple(
    value
    for module in (broken_states, broken_locks, broken_journals)
    for value in vars(module).values()
    if isinstance(value, type) and value.__module__ == module.__name__
)
