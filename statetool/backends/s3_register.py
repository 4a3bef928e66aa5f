"""The lock of a state in a bucket: one object that is never deleted, replaced only where it is still the expected one.

Owns the register (fence, holder, which journal counts), how it is taken, renewed, given back and broken, and the wait
for it. Nobody's clock is compared with anybody else's: a contender takes over a register that it has itself seen
unchanged for the holder's ttl. It must not know what the lock protects.

A holder's every change is a compare-and-swap on this one object, so whoever swapped last is the holder, and two can't
both be. `Held.ensure_mine` asks exactly that, independently of any clock.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from statetool.backends import LockInfo, OnWait, lock_info_from_json, lock_info_to_json
from statetool.backends.lease import Lease
from statetool.backends.s3_objects import Found, Moved, Objects
from statetool.core.document import DocumentError, Fields, ensure_format, parse_document
from statetool.core.model import Json
from statetool.errors import StateError, StateLocked, StateUnreadable

REGISTER = "lock.json"
JOURNAL = "journal"

QUIET_S = 0.4
"""A wait shorter than this is not worth a word."""

FIRST_POLL_S = 0.25
LONGEST_POLL_S = 2.0

_FORMAT = "1.0"
_LIMIT = 2**16
_BREAK_TRIES = 5


@dataclass(frozen=True, slots=True)
class Register:
    """What the lock's object says.

    `nonce` is the holder's own, empty where nobody holds it; `beat` counts the writes of one holder, so that no two
    registers are alike. `journal` names the folder whose entries count, below `journal/`. `broken` keeps who lost the
    lock last by force, and why.
    """

    fence: int
    nonce: str
    beat: int
    ttl_s: float
    holder: LockInfo | None
    journal: str | None = None
    broken: tuple[LockInfo, str] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A register as it was read, and the instants of this machine's clock when it was, and when first."""

    found: Found
    register: Register
    at: float
    first_at: float

    @property
    def unchanged_s(self) -> float:
        return self.at - self.first_at


class LockRegister:
    """The register of one state, for contenders and readers. `clock` gives seconds that also pass during sleep."""

    def __init__(
        self, objects: Objects, *, ttl_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._objects = objects
        self._ttl_s = ttl_s
        self._clock = clock
        self._sleep = sleep

    def look(self, before: Seen | None = None) -> Seen | None:
        """The register as it is now, None where the state was never locked. Raises StateUnreadable.

        `before` is an earlier look: for how long it is unchanged counts from there.
        """
        found = self._objects.find(REGISTER, before.found if before else None, limit=_LIMIT)
        at = self._clock()  # after the answer: the holder's ttl began before what was answered
        if found is None:
            self._ensure_never_used()
            return None
        if before is not None and found.tag == before.found.tag:
            return replace(before, at=at)
        return Seen(found, _parse(found.data, self._objects.location), at, at)

    def acquire(self, info: LockInfo, least_fence: Callable[[], int], timeout_s: float, on_wait: OnWait) -> Held:
        """Become the holder, with a fence above every earlier one and not below `least_fence`. Raises StateLocked."""
        began = self._clock()
        told = False
        poll_s = FIRST_POLL_S
        seen: Seen | None = None
        while True:
            seen = self.look(seen)
            left_s = _left_s(seen)
            if seen is None or left_s <= 0:
                try:
                    return self._take(info, seen, least_fence())
                except Moved:
                    continue  # somebody was faster: look who
            waited_s = self._clock() - began
            if waited_s >= timeout_s:
                raise self._locked(_holder(seen))
            if not told and waited_s >= QUIET_S:
                told = True
                on_wait(_holder(seen))
            jittered = poll_s * (0.75 + random.random() / 2)  # noqa: S311 - keeps contenders apart, no secret
            # Not less than a moment: what is left may be too small for the clock to move.
            self._sleep(max(0.01, min(jittered, timeout_s - waited_s, left_s)))
            poll_s = min(poll_s * 1.5, LONGEST_POLL_S)

    def find_holder(self) -> LockInfo | None:
        seen = self.look()
        holder = seen.register.holder if seen is not None else None
        return replace(holder, fence=seen.register.fence) if seen is not None and holder is not None else None

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        """Raises StateError: `not_locked`, `lock_moved`."""
        for _ in range(_BREAK_TRIES):
            seen = self.look()
            holder = seen.register.holder if seen is not None else None
            if seen is None or holder is None:
                raise StateError(f"the state {self._objects.location} is not locked", code="not_locked")
            if holder.id != lock_id:
                raise StateError(
                    f"the state {self._objects.location} is locked by {describe(_holder(seen))}, not by {lock_id}",
                    code="lock_moved",
                    hint="look again who holds it: statetool lock show",
                )
            register = seen.register
            freed = replace(register, nonce="", beat=register.beat + 1, holder=None, broken=(holder, reason))
            # A holder that renewed meanwhile is not one that changed.
            with contextlib.suppress(Moved):
                self._objects.put(REGISTER, _render(freed), seen.found)
                return replace(holder, fence=register.fence)
        raise StateError(
            f"the lock {lock_id} of {self._objects.location} is being renewed: its holder is alive",
            code="lock_moved",
            hint="end that run first",
        )

    def _take(self, info: LockInfo, seen: Seen | None, least_fence: int) -> Held:
        register = Register(
            fence=max(seen.register.fence + 1 if seen else 1, least_fence),
            nonce=secrets.token_hex(16),
            beat=0,
            ttl_s=self._ttl_s,
            holder=info,
            journal=seen.register.journal if seen else None,
            broken=seen.register.broken if seen else None,
        )
        asked_at = self._clock()
        found = self._objects.put(REGISTER, _render(register), seen.found if seen else None)
        lease = Lease(register.fence, ends_at=asked_at + self._ttl_s, clock=self._clock)
        return Held(self._objects, found, register, lease, self._clock)

    def _locked(self, holder: LockInfo | None) -> StateLocked:
        named = f"statetool force-unlock {holder.id} --reason TEXT" if holder else "statetool force-unlock"
        return StateLocked(
            f"the state {self._objects.location} is locked by {describe(holder)}",
            hint=f"wait for that run to end, or longer with --lock-timeout: a dead holder loses it after "
            f"{self._ttl_s:.0f} s; where it is known to be dead: {named}",
        )

    def _ensure_never_used(self) -> None:
        """A register that somebody deleted took the names of the journal with it: don't take that for an empty one.

        The list also tells a key without a state from a bucket that does not exist.
        """
        if self._objects.list(JOURNAL):
            raise StateUnreadable(
                f"{self._objects.location}: {REGISTER} is gone, but {JOURNAL}/ is not empty: it can't be told which of "
                "its entries count",
                hint=f"bring {REGISTER} back from the bucket's versions, or, where no run was interrupted, delete "
                f"everything below {JOURNAL}/",
            )


class Held:
    """The register in the hands of its holder. May be used from several threads."""

    def __init__(
        self, objects: Objects, found: Found, register: Register, lease: Lease, clock: Callable[[], float]
    ) -> None:
        self.lease = lease
        self.nonce = register.nonce
        self._objects = objects
        self._found = found
        self._register = register
        self._clock = clock
        self._mutex = threading.Lock()
        # Whether a change may still be on its way: then nothing that was read counts before the next swap.
        self._unsettled = False

    @property
    def journal(self) -> str | None:
        return self._register.journal

    def renew(self) -> float:
        """Returns the instant until which it is held now. Raises LeaseLost, StateUnreachable."""
        self.lease.ensure_held()
        with self._mutex:
            return self._swap()

    def switch_journal(self, folder: str) -> None:
        """From now on the entries of that folder count, and no others. Raises LeaseLost, StateUnreachable."""
        self.lease.ensure_held()
        with self._mutex:
            self._swap(journal=folder)

    def ensure_mine(self) -> None:
        """Ask the store, not the clock. Raises LeaseLost, StateUnreachable."""
        self.lease.ensure_held()
        with self._mutex:
            if self._unsettled:
                self._swap()
                return
            found = self._objects.find(REGISTER, self._found, limit=_LIMIT)
            if found is None or found.tag != self._found.tag:
                self._adopt(found)

    def release(self) -> None:
        """Give it back; the fence stays. Raises LeaseLost where it is somebody else's by now, StateUnreachable."""
        with self._mutex:
            try:
                # Also where the lease ran out: as long as the register still names this run, nobody else has it.
                self._swap(holder=None, nonce="")
            finally:
                self.lease.lose("it was given back")

    def _swap(self, **changes: Any) -> float:
        while True:
            register = replace(self._register, beat=self._register.beat + 1, **changes)
            asked_at = self._clock()
            try:
                self._found = self._objects.put(REGISTER, _render(register), self._found)
            except Moved as moved:
                self._adopt(moved.found)
                continue
            except StateError:
                self._unsettled = True
                raise
            self._register, self._unsettled = register, False
            ends_at = asked_at + register.ttl_s
            self.lease.extend(ends_at)
            return ends_at

    def _adopt(self, found: Found | None) -> None:
        """Another register than expected: an own one that arrived late, or the lock is lost."""
        register = _parse(found.data, self._objects.location) if found is not None else None
        if found is None or register is None or register.nonce != self.nonce:
            self.lease.lose(_loss(register))
            self.lease.ensure_held()
            return
        self._found, self._register = found, register


def describe(holder: LockInfo | None) -> str:
    """Who holds a lock, in one clause."""
    if holder is None:
        return "another run"
    words = [f"{holder.who} (host {holder.host}, pid {holder.pid}): {holder.operation} since {holder.created}"]
    words += [f"run {holder.run_id}"] if holder.run_id else []
    words += [holder.ci_url] if holder.ci_url else []
    words += [f"lock {holder.id}"]
    words += [f"fence {holder.fence}"] if holder.fence is not None else []
    if holder.renewed_ago_s:
        words += [f"without a sign of life for {holder.renewed_ago_s:.0f} s"]
    return ", ".join(words)


def _left_s(seen: Seen | None) -> float:
    """For how many seconds more a register must stay as it is before it is anybody's."""
    if seen is None or seen.register.holder is None:
        return 0.0
    return seen.register.ttl_s - seen.unchanged_s


def _holder(seen: Seen) -> LockInfo | None:
    holder = seen.register.holder
    if holder is None:
        return None
    return replace(holder, fence=seen.register.fence, renewed_ago_s=round(seen.unchanged_s, 1))


def _loss(register: Register | None) -> str:
    if register is None:
        return f"{REGISTER} was deleted"
    if register.holder is not None:
        return f"it was taken over by {describe(replace(register.holder, fence=register.fence))}"
    if register.broken is not None:
        return f"it was ended by force: {register.broken[1]}"
    return "it is not held by this run any more"


def _render(register: Register) -> bytes:
    broken = register.broken
    document: dict[str, Json] = {
        "format_version": _FORMAT,
        "fence": register.fence,
        "nonce": register.nonce,
        "beat": register.beat,
        "ttl_s": register.ttl_s,
        "holder": lock_info_to_json(register.holder) if register.holder else None,
        "journal": register.journal,
        "broken": {"holder": lock_info_to_json(broken[0]), "reason": broken[1]} if broken else None,
    }
    return (json.dumps(document, indent=2) + "\n").encode("ascii")


def _parse(data: bytes, location: str) -> Register:
    try:
        document = parse_document(data)
        ensure_format(document, major=1)
        fields = Fields(document)
        ttl_s = fields.raw("ttl_s")
        if type(ttl_s) not in (int, float) or not 0 < float(str(ttl_s)) < math.inf:
            fields.fail("ttl_s", "must be a number of seconds")
        broken = fields.optional_child("broken")
        return Register(
            fence=fields.integer("fence", minimum=0),
            nonce=fields.text("nonce"),
            beat=fields.integer("beat", minimum=0),
            ttl_s=float(str(ttl_s)),
            holder=lock_info_from_json(fields.mapping("holder")) if fields.has("holder") else None,
            journal=fields.optional_text("journal"),
            broken=(lock_info_from_json(broken.mapping("holder")), broken.text("reason")) if broken else None,
        )
    except DocumentError as error:
        raise StateUnreadable(
            f"{location}: {REGISTER} can't be read: {error.message}",
            hint=error.hint or f"bring an earlier version of {REGISTER} back, or find out who wrote it",
        ) from None
