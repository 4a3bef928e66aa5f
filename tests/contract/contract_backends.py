"""Every backend of the contract: how a test gets a fresh place of it, and how any process opens a client there.

A backend joins by a line in KINDS. A server is started when a process first asks for a place on it, and ends with that
process; every place is a name of its own on it. What a backend can't do for want of something in its protocol is said
here, and nowhere in the checks.
"""

from __future__ import annotations

import atexit
import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from contract_kit import PASSWORD, Time
from memory_backend import MemoryBackend, MemoryStore

from statetool.backends import Backend
from statetool.backends.lease import TTL_S, boot_clock
from statetool.backends.places import HttpPlace, LocalPlace, Place, PostgresPlace, S3Place
from statetool.core.model import Secret

T = TypeVar("T")


def open_client(
    place: Place,
    *,
    ttl_s: float = TTL_S,
    clock: Callable[[], float] = boot_clock,
    sleep: Callable[[float], None] = time.sleep,
    unsafe: bool = False,
) -> Backend:
    """A client of the state at a place. `ttl_s` counts for backends whose locks run out.

    `unsafe` skips the trial whether the store keeps two writers apart.
    """
    if isinstance(place, LocalPlace):
        from statetool.backends.local import LocalBackend

        return LocalBackend(place, clock=clock, sleep=sleep)
    if isinstance(place, HttpPlace):
        from statetool.backends.http import HttpBackend

        return HttpBackend(place, clock=clock, sleep=sleep, unsafe=unsafe)
    if isinstance(place, PostgresPlace):
        from statetool.backends.postgres import PostgresBackend

        return PostgresBackend(place, ttl_s=ttl_s, clock=clock, sleep=sleep)
    from statetool.backends.s3 import S3Backend

    return S3Backend(place, ttl_s=ttl_s, clock=clock, sleep=sleep, unsafe=unsafe)


@dataclass(frozen=True, slots=True)
class Kind:
    """One backend on one kind of server. `new_place` takes a folder and gives a place where nothing is stored yet.

    The rest is what the checks have to know. `can_force`: a lock outlives its process. `tells_holder`: whoever does
    not hold the lock is told who does. `numbers_locks`: a fence is counted when a lock is taken, not when something
    is stored under it. `refuses_late`: entries that were refused are surely not there; an object store can't know that
    of a holder that was overtaken between asking for its lock and putting them.
    """

    name: str
    new_place: Callable[[Path], Place]
    can_force: bool = True
    tells_holder: bool = True
    numbers_locks: bool = True
    refuses_late: bool = True


def _local(folder: Path) -> LocalPlace:
    """In a folder that does not exist yet."""
    return LocalPlace(folder / "made" / "state.json")


def _postgres(_folder: Path) -> PostgresPlace:
    from postgres_server import shared_postgres

    return replace(shared_postgres().new_place(), password=Secret(PASSWORD))


def _seaweed(_folder: Path) -> S3Place:
    import s3_servers

    return s3_servers.place(s3_servers.seaweed(), f"team/{uuid.uuid4().hex}")


def _moto(_folder: Path) -> S3Place:
    import s3_servers

    place = s3_servers.place(s3_servers.moto(), f"team/{uuid.uuid4().hex}", signed=True)
    return replace(place, secret_key=Secret(PASSWORD))


@cache
def _http_address(flavour: str) -> str:
    from http_state_server import serving

    return _kept_running(serving(flavour, PASSWORD)).address


def _terraform(_folder: Path) -> HttpPlace:
    from http_state_server import USER

    address = f"{_http_address('terraform')}/{uuid.uuid4().hex}"
    return HttpPlace(address, username=USER, password=Secret(PASSWORD))


def _gitlab(_folder: Path) -> HttpPlace:
    from http_state_server import USER

    address = f"{_http_address('gitlab')}/{uuid.uuid4().hex}"
    lock = {"lock_address": f"{address}/lock", "unlock_address": f"{address}/lock"}
    return HttpPlace(
        address, **lock, lock_method="POST", unlock_method="DELETE", username=USER, password=Secret(PASSWORD)
    )


def _kept_running(server: contextlib.AbstractContextManager[T]) -> T:
    """What a server's block gives, until the process ends."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(server)


KINDS: tuple[Kind, ...] = (
    Kind("local", _local, can_force=False),
    Kind("postgres", _postgres),
    Kind("s3-seaweedfs", _seaweed, refuses_late=False),
    Kind("s3-moto", _moto, refuses_late=False),
    Kind("http-terraform", _terraform, tells_holder=False, numbers_locks=False),
    Kind("http-gitlab", _gitlab, tells_holder=False, numbers_locks=False),
)


@dataclass(frozen=True)
class ServedPlace:
    """A place of a kind, for one check. Its clients wait by a clock that only moves when somebody sleeps."""

    kind: Kind
    place: Place
    time: Time = field(default_factory=Time)

    @property
    def can_force(self) -> bool:
        return self.kind.can_force

    @property
    def tells_holder(self) -> bool:
        return self.kind.tells_holder

    @property
    def numbers_locks(self) -> bool:
        return self.kind.numbers_locks

    def open(self) -> Backend:
        return open_client(self.place, clock=self.time.clock, sleep=self.time.sleep)


@dataclass
class MemoryPlace:
    """A store in memory of its own, for one check. Nothing is missing there."""

    backend: type[MemoryBackend] = MemoryBackend
    time: Time = field(default_factory=Time)
    can_force: bool = True
    tells_holder: bool = True
    numbers_locks: bool = True

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.time.clock)

    def open(self) -> Backend:
        return self.backend(self.store, self.time.sleep)
