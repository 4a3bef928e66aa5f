"""The http backend: state and journal in one body, behind a lock, on a server of Terraform's state protocol.

Owns the order of requests that makes the most of that protocol, as GitLab and Gitea serve it. What it lacks:

- No compare-and-swap. Every write reads again first, and goes on only where exactly what this lock stored last (or
  found when it was taken) is still there. A server that refuses a write with another lock's id closes the gap between
  reading and writing; on one that doesn't, a lock that is broken while its holder lives can lose a write.
- No append. An entry of the journal costs the whole body: read, compared, sent.
- No expiry and no renewal. The lock of a dead run stays until somebody breaks it, and that a lock was broken shows
  at the next write only, or by its answer.
- No way to ask who holds the lock but to try to take it, so that `find_holder` knows of this client's own lock only.
  Others are named by the refusal that meets whoever wants the lock.
- No fence. Ours is kept in the body: a lease gets the stored one plus one and stores it with its first write. Two
  leases of which none wrote may have had the same, which harms nobody: a fence is compared with what was stored only,
  and is part of ids of what was stored only. Where the first of them lost its lock and the second wrote, the first is
  refused because what it found is not there any more.

An answer that was lost is looked for: each body carries a nonce. It must not know what the state says.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx

from statetool import __version__
from statetool.backends import Capabilities, JournalEntry, LockInfo, OnWait, StoredSerial, lock_info_to_json
from statetool.backends.comparison import ensure_unmoved
from statetool.backends.http_body import BROKEN_LIMIT, EMPTY, Envelope, parse_envelope, render_envelope
from statetool.backends.http_exchange import (
    PAUSES_S,
    AnswerLost,
    Exchange,
    explain_refusal,
    parse_address,
    show_url,
)
from statetool.backends.http_lock import NO_LOCK_HINT, HttpLock, Refusal, describe_holder
from statetool.backends.lease import Lease, boot_clock
from statetool.backends.places import HttpPlace
from statetool.backends.state_text import MAX_BYTES, StateText
from statetool.core.model import Json
from statetool.core.state import StateFile
from statetool.errors import (
    Diagnostic,
    LeaseLost,
    StateError,
    StateUnreachable,
    StateUnreadable,
    StateUnsafe,
)

_LOOK_HINT = "run the command again; it looks at what really happened"


@dataclass(slots=True)
class _Held:
    """A lock that this client holds. `is_locked` is false where the server has no locks and nobody minds.

    `posts` are the nonces that may be found in the body: of what was stored last, and of what may yet arrive.
    """

    info: LockInfo
    lease: Lease
    is_locked: bool
    posts: set[str] = field(default_factory=set)


class HttpBackend:
    """The state at an address. `unsafe` goes on where the server has no locks or does not keep them.

    Raises StateError for an address that can't be used; touches nothing yet.
    """

    capabilities = Capabilities(expires=False, compares=False, has_history=False)

    def __init__(
        self,
        place: HttpPlace,
        *,
        clock: Callable[[], float] = boot_clock,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
        unsafe: bool = False,
    ) -> None:
        self._url = parse_address("address", place.address)
        lock_url = parse_address("lock_address", place.lock_address) if place.lock_address else self._url
        unlock_url = parse_address("unlock_address", place.unlock_address) if place.unlock_address else self._url
        self.location = show_url(self._url)
        self._update_method = place.update_method
        self._exchange = Exchange(place, clock, sleep, transport)
        self._lock = HttpLock(
            self._exchange,
            (place.lock_method, lock_url),
            (place.unlock_method, unlock_url),
            self.location,
            self._find_writer,
            clock,
            sleep,
        )
        self._clock = clock
        self._sleep = sleep
        self._is_unsafe = unsafe
        self._is_proven = False
        self._text = StateText()
        self._known: tuple[bytes, Envelope] = (b"", EMPTY)
        self._held: _Held | None = None

    def read(self) -> StateFile | None:
        return self._read().state

    def read_journal(self) -> tuple[JournalEntry, ...]:
        return self._read().journal

    def find_holder(self) -> LockInfo | None:
        return self._held.info if self._held is not None else None

    def check_place(self) -> tuple[Diagnostic, ...]:
        return ()  # whoever reads meets what speaks against it; more is known only by locking

    def read_history(self) -> tuple[StoredSerial, ...]:
        return ()

    def read_serial(self, serial: int) -> StateFile:
        raise StateError(
            f"serial {serial} of the state {self.location} can't be read: the protocol knows the newest only",
            code="no_such_serial",
            hint="the server may keep versions; GitLab lists them under Operate > Terraform states",
        )

    @contextlib.contextmanager
    def lock(self, info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False) -> Iterator[Lease]:
        """As the protocol says. `repairing` makes no difference: nothing but this place holds anything back."""
        if self._held is not None:
            # Most servers refuse this one too; but one that doesn't would be left without any lock.
            raise self._lock.locked(Refusal(self._held.info.id, self._held.info, {}, is_whole=True))
        is_locked = self._take(info, timeout_s, on_wait)
        try:
            stored = self._read()
            lease = Lease(stored.fence + 1, clock=self._clock)
            self._held = _Held(info, lease, is_locked, {stored.post})
            if stored.post:
                # One request more a lock: it makes the fence count, and says who holds it to whoever meets the lock.
                self._store(stored, lease)
            yield lease
        except BaseException:
            self._held = None
            if is_locked:
                self._give_up(info)
            raise
        self._held = None
        if is_locked:
            self._give_back(info)

    def break_lock(self, lock_id: str, reason: str) -> LockInfo:
        """As the protocol says; a lock to find out is tried, and given back at once. Raises also `lock_unnamed`.

        `reason` is kept in the body, under a fence that what is left of the dead run can't write against; not where
        somebody else has the lock again at once, or nothing was ever stored.
        """
        own = _breaking_info()
        refusal = self._lock.take(own)
        if refusal is None:
            self._give_back(own)
            raise StateError(f"the state {self.location} is not locked", code="not_locked")
        if refusal.id is None:
            raise StateError(
                f"the server does not say which lock the state {self.location} has",
                code="lock_unnamed",
                hint="end it at the server itself; GitLab has it under Operate > Terraform states",
            )
        holder = self._lock.holder_of(refusal)
        if refusal.id != lock_id or holder is None or not self._lock.give_back(refusal.said):
            raise StateError(
                f"the state {self.location} is not locked as {lock_id} any more, but by {describe_holder(holder)}",
                code="lock_moved",
                hint="look at that one before anything is forced",
            )
        with contextlib.suppress(StateError), self.lock(own, 0, lambda _: None) as lease:
            stored = self._ensure_ours(lease)
            if stored.post:
                note: dict[str, Json] = {
                    "at": own.created,
                    "by": own.who,
                    "reason": reason,
                    "lock": lock_info_to_json(holder),
                }
                self._store(replace(stored, broken=(*stored.broken, note)[-BROKEN_LIMIT:]), lease)
        return holder

    def write(self, before: StateFile | None, after: StateFile, lease: Lease, *, floor: int = 0) -> StateFile:
        self._ensure_held(lease)
        stored = self._read()
        ensure_unmoved(self.location, before, after, stored.state, lease)
        self._ensure_expected(stored, lease)
        if stored.state is not None and stored.state.holds_the_same_as(after):
            return stored.state
        serial = max((before.serial if before is not None else 0) + 1, floor)
        saved = replace(after, serial=serial, fence=lease.fence)
        self._store(replace(stored, state=saved), lease)
        return saved

    def append(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        """Add entries to the journal, all of them or none. Costs the whole body: the protocol can't add to one.

        Raises what the protocol says.
        """
        stored = self._ensure_ours(lease)
        if entries:
            self._store(replace(stored, journal=(*stored.journal, *entries)), lease)

    def replace_journal(self, entries: Sequence[JournalEntry], lease: Lease) -> None:
        stored = self._ensure_ours(lease)
        if stored.journal != tuple(entries):
            self._store(replace(stored, journal=tuple(entries)), lease)

    def _take(self, info: LockInfo, timeout_s: float, on_wait: OnWait) -> bool:
        """Whether the server has a lock for us now. Raises as `lock` does."""
        try:
            self._lock.wait(info, timeout_s, on_wait)
        except StateUnsafe:
            if not self._is_unsafe:
                raise
            return False
        try:
            is_kept = self._is_proven or self._is_kept(info)
        except BaseException:
            self._give_up(info)
            raise
        self._is_proven = is_kept
        if is_kept:
            return True
        self._give_up(info)
        if self._is_unsafe:
            return False
        raise StateUnsafe(
            f"the state {self.location} can't be locked: its server gave two locks at once",
            code="no_lock",
            hint=f"check lock_address and lock_method; {NO_LOCK_HINT}",
        )

    def _is_kept(self, info: LockInfo) -> bool:
        """Whether a second lock beside the first is refused. Some servers answer everything with 200."""
        second = replace(info, id=str(uuid.uuid4()))
        if self._lock.take(second) is not None:
            return True
        self._lock.give_back(self._lock.lock_to_json(second))
        return False

    def _give_up(self, info: LockInfo) -> None:
        """Give a lock back after something else went wrong, which is what counts."""
        with contextlib.suppress(StateError):
            self._lock.give_back(self._lock.lock_to_json(info))

    def _give_back(self, info: LockInfo) -> None:
        try:
            # One that was not held any more was broken by somebody: all that was stored was stored before that.
            self._lock.give_back(self._lock.lock_to_json(info))
        except StateError as error:
            raise StateUnreachable(
                f"the state {self.location} is still locked as {info.id}: {error.message}",
                code="lock_left",
                hint="what was to be saved is saved; when the server answers: "
                f"statetool force-unlock {info.id} --reason TEXT",
            ) from None

    def _read(self) -> Envelope:
        """What is stored, parsed only where it changed. Raises StateUnreachable, StateUnreadable."""
        answer = self._exchange.ask("GET", self._url, limit=MAX_BYTES)
        if answer.status in (204, 404) or (answer.status == 200 and not answer.body.strip()):
            return EMPTY
        if answer.status != 200:
            raise explain_refusal("the state can't be read", self._url, answer)
        if answer.body != self._known[0]:
            try:
                self._known = (answer.body, parse_envelope(answer.body))
            except StateUnreadable as error:
                raise StateUnreadable(
                    f"the state {self.location} can't be read: {error.message}", code=error.code, hint=error.hint
                ) from None
        return self._known[1]

    def _find_writer(self, lock_id: str) -> LockInfo | None:
        """The information of a lock under which something was stored."""
        with contextlib.suppress(StateError):
            holder = self._read().holder
            return holder if holder is not None and holder.id == lock_id else None
        return None

    def _ensure_held(self, lease: Lease) -> _Held:
        if self._held is None or lease is not self._held.lease:
            raise LeaseLost(
                f"the state {self.location} was not saved: its lock is no longer held by this run", hint=_LOOK_HINT
            )
        lease.ensure_held()
        return self._held

    def _ensure_expected(self, stored: Envelope, lease: Lease) -> None:
        """What is there must be what this lease stored last, or found. Raises LeaseLost."""
        held = self._ensure_held(lease)
        if stored.post not in held.posts:
            if not stored.post:
                raise self._lost("what was stored is gone")
            by = f" by {describe_holder(stored.holder)}" if stored.holder is not None else ""
            raise self._lost(f"something else was stored meanwhile{by}")

    def _ensure_ours(self, lease: Lease) -> Envelope:
        self._ensure_held(lease)
        stored = self._read()
        self._ensure_expected(stored, lease)
        return stored

    def _lost(self, reason: str) -> LeaseLost:
        assert self._held is not None
        self._held.lease.lose(reason)
        return LeaseLost(f"the state {self.location} was not saved: its lock was lost: {reason}", hint=_LOOK_HINT)

    def _store(self, content: Envelope, lease: Lease) -> None:
        """Replace what was just read. Raises LeaseLost, StateUnreachable, StateError."""
        held = self._ensure_held(lease)
        envelope = replace(
            content, number=content.number + 1, fence=lease.fence, post=uuid.uuid4().hex, holder=held.info
        )
        body = render_envelope(envelope, self._text)
        # It may still arrive when nobody waits for it any more; then it is what we wanted, and no sign of others.
        held.posts.add(envelope.post)
        url = _with_lock_id(self._url, held.info.id) if held.is_locked else self._url
        try:
            answer = self._exchange.ask(self._update_method, url, body=body, repeat="unsent")
        except AnswerLost as error:
            self._settle(envelope.post, error, held)
        else:
            if held.is_locked and answer.status in (409, 423):
                raise self._lost("the server does not know it any more")
            if not answer.is_success:
                self._settle(envelope.post, explain_refusal("the state could not be saved", self._url, answer), held)
        held.posts = {envelope.post}
        self._known = (body, envelope)

    def _settle(self, post: str, failure: StateError, held: _Held) -> None:
        """Return where what was sent is stored all the same. Raises LeaseLost where that is why not; else `failure`."""
        for pause in (0.0, *PAUSES_S):  # the server may still be at it
            self._sleep(pause)
            try:
                stored = self._read()
            except StateError:
                continue
            if stored.post == post:
                return
            self._ensure_expected(stored, held.lease)
        # Not every server says by 409 that a write came with the id of a lost lock.
        if held.is_locked and self._lock.is_surely_lost(held.info):
            raise self._lost("somebody broke it")
        raise failure


def _with_lock_id(url: httpx.URL, lock_id: str) -> httpx.URL:
    """The address with the lock's id behind a query that may be there already, which stays as it was written."""
    own = urlencode({"ID": lock_id}).encode()
    return url.copy_with(query=url.query + b"&" + own if url.query else own)


def _breaking_info() -> LockInfo:
    """A lock that only asks, and breaks another."""
    host = socket.gethostname()
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "somebody"
    return LockInfo(
        id=str(uuid.uuid4()),
        operation="force-unlock",
        who=f"{user}@{host}",
        host=host,
        pid=os.getpid(),
        tool_version=__version__,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
