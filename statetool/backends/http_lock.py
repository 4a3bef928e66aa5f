"""The lock of a state over HTTP: asked for, waited for, given back, and how its information is spelled.

Owns Terraform's lock information, both ways, and what a refusal tells of the holder. The server answers 409 or 423
with the holder's information, in as much as it keeps it: nothing at all, all of it, or - GitLab - id, user and
time of the holder beside the *asker's own* operation and info, sent back. So what only we write carries the id of
its lock and counts for that lock alone. It must not know what the lock protects.
"""

from __future__ import annotations

import contextlib
import json
import random
import shlex
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from statetool.backends import LockInfo, OnWait
from statetool.backends.http_exchange import Answer, AnswerLost, Exchange, explain_refusal, show_url
from statetool.core.document import DocumentError, Fields, parse_document
from statetool.core.model import Json
from statetool.errors import StateError, StateLocked, StateUnreachable, StateUnsafe

QUIET_S = 0.4
"""A wait shorter than this is not worth a word."""

FIRST_POLL_S = 0.25
LONGEST_POLL_S = 5.0

NO_LOCK_HINT = (
    "where the server has no locks, --unsafe-no-lock goes on without, and it is for you that no two runs meet"
)

_HELD = (409, 423)
_NO_LOCKING = (404, 405, 501)
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """A lock that somebody else holds.

    `said` is what the server told, `id` the lock's id where it did, `holder` who has it: None where only the id is
    known, or not even that. `is_whole`: the holder's own information, not just what the server remembers of it.
    """

    id: str | None
    holder: LockInfo | None
    said: dict[str, Json]
    is_whole: bool = False


class HttpLock:
    """The lock at the place's lock address. `find_writer` knows a lock's information from what its holder stored."""

    def __init__(
        self,
        exchange: Exchange,
        lock: tuple[str, httpx.URL],
        unlock: tuple[str, httpx.URL],
        location: str,
        find_writer: Callable[[str], LockInfo | None],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._exchange = exchange
        self._lock_method, self._lock_url = lock
        self._unlock_method, self._unlock_url = unlock
        self._location = location
        self._find_writer = find_writer
        self._clock = clock
        self._sleep = sleep

    def wait(self, info: LockInfo, timeout_s: float, on_wait: OnWait) -> None:
        """Take the lock. Raises StateLocked after `timeout_s`; what `take` raises."""
        began = self._clock()
        told = False
        pause = FIRST_POLL_S
        while (refusal := self.take(info)) is not None:
            waited = self._clock() - began
            if waited >= timeout_s:
                raise self.locked(refusal)
            if not told and waited >= QUIET_S:
                told = True
                on_wait(self.holder_of(refusal))
            # Many that wait for one lock must not ask in step.
            self._sleep(min(pause * random.uniform(0.5, 1), timeout_s - waited))  # noqa: S311 - no secret
            pause = min(pause * 1.5, LONGEST_POLL_S)

    def take(self, info: LockInfo) -> Refusal | None:
        """Ask for the lock once; None where it is ours now.

        Raises StateUnsafe where the server knows no locks; StateUnreachable.
        """
        try:
            answer = self._exchange.ask(self._lock_method, self._lock_url, body=_json(self.lock_to_json(info)))
        except AnswerLost as error:
            # Giving back what may be somebody else's is no way out: not every server looks whose it is.
            raise StateUnreachable(
                f"{error.message}; the state may be locked as {info.id} now",
                hint="try again when the server answers; if that lock is in the way: "
                f"statetool force-unlock {info.id} --reason TEXT",
            ) from None
        if answer.is_success:
            return None
        if answer.status in _HELD:
            refusal = self._read_refusal(answer, info)
            # Asked again after a lost answer: it was us who got it the first time.
            return None if answer.was_lost and refusal.id == info.id else refusal
        if answer.status in _NO_LOCKING:
            raise StateUnsafe(
                f"the state {self._location} can't be locked: {show_url(self._lock_url)} answers {answer.status} to "
                f"{self._lock_method}",
                code="no_lock",
                hint=f"check lock_address and lock_method (GitLab and Gitea want POST on .../lock); {NO_LOCK_HINT}",
            )
        raise explain_refusal("the state can't be locked", self._lock_url, answer)

    def give_back(self, said: dict[str, Json]) -> bool:
        """End a lock, by its full information: some servers want all of it. False where it was not held any more.

        Raises StateUnreachable.
        """
        answer = self._exchange.ask(self._unlock_method, self._unlock_url, body=_json(said))
        if answer.is_success:
            return True
        if answer.status in (*_HELD, 404):
            return answer.was_lost
        raise explain_refusal(f"the lock {said.get('ID')} can't be given back", self._unlock_url, answer)

    def is_surely_lost(self, info: LockInfo) -> bool:
        """Whether a lock that was ours is not any more. Asking for it again tells: the refusal names us, or others.

        False also where that can't be told.
        """
        with contextlib.suppress(StateError):
            answer = self._exchange.ask(self._lock_method, self._lock_url, body=_json(self.lock_to_json(info)))
            if answer.is_success:  # it was free: others may have had it meanwhile
                self.give_back(self.lock_to_json(info))
                return True
            if answer.status in _HELD:
                return self._read_refusal(answer, info).id not in (None, info.id)
        return False

    def holder_of(self, refusal: Refusal) -> LockInfo | None:
        """Who holds it: by what the holder stored, where the server forgot the better part."""
        if refusal.id is None or refusal.is_whole:
            return refusal.holder
        return self._find_writer(refusal.id) or refusal.holder

    def locked(self, refusal: Refusal) -> StateLocked:
        by = describe_holder(self.holder_of(refusal))
        hint = "wait for that run to end, or wait longer with --lock-timeout"
        if refusal.id is not None:
            command = f"statetool force-unlock {shlex.quote(refusal.id)} --reason TEXT"
            hint = f"{hint}; if it is dead, for such a lock never ends by itself: {command}"
        return StateLocked(f"the state {self._location} is locked by {by}", hint=hint)

    def lock_to_json(self, info: LockInfo) -> dict[str, Json]:
        """Terraform's keys, all of them: GitLab refuses a lock that lacks one. The rest travels as JSON in Info."""
        ours: dict[str, Json] = {
            "lock": info.id,
            "operation": info.operation,
            "who": info.who,
            "host": info.host,
            "pid": info.pid,
            "tool_version": info.tool_version,
            "created": info.created,
            "run_id": info.run_id,
            "ci_url": info.ci_url,
        }
        return {
            "ID": info.id,
            "Operation": info.operation,
            "Info": _json(ours).decode(),
            "Who": info.who,
            "Version": info.tool_version,
            "Created": info.created,
            "Path": self._location,
        }

    def _read_refusal(self, answer: Answer, asked: LockInfo) -> Refusal:
        try:
            said = parse_document(answer.body)
        except DocumentError:  # empty, or a sentence for people
            return Refusal(None, None, {})
        id_ = said.get("ID")
        if not isinstance(id_, str) or not id_:
            return Refusal(None, None, said)
        whole = _read_ours(said, id_)
        if whole is not None:
            return Refusal(id_, whole, said, is_whole=True)
        is_echo = said.get("Info") == self.lock_to_json(asked)["Info"]
        return Refusal(id_, _read_foreign(said, id_, is_echo=is_echo), said)


def describe_holder(holder: LockInfo | None) -> str:
    """Who holds a lock, as far as it is known."""
    if holder is None:
        return "somebody whom the server does not name"
    place = f" (host {holder.host}, pid {holder.pid})" if holder.host else ""
    run = f", run {holder.run_id}" if holder.run_id else ""
    job = f", {holder.ci_url}" if holder.ci_url else ""
    operation = f"{holder.operation} " if holder.operation else ""
    return f"{holder.who}{place}: {operation}since {holder.created}{run}{job}, lock {holder.id}"


def _read_ours(said: dict[str, Json], id_: str) -> LockInfo | None:
    """What another statetool wrote into Info of this very lock."""
    info = said.get("Info")
    try:
        fields = Fields(dict(parse_document(info.encode()))) if isinstance(info, str) else None
        if fields is None or fields.text("lock") != id_:
            return None
        return LockInfo(
            id=id_,
            operation=fields.text("operation"),
            who=fields.text("who"),
            host=fields.text("host"),
            pid=fields.integer("pid"),
            tool_version=fields.text("tool_version"),
            created=fields.text("created"),
            run_id=fields.optional_text("run_id"),
            ci_url=fields.optional_text("ci_url"),
        )
    except (DocumentError, UnicodeError):
        return None


def _read_foreign(said: dict[str, Json], id_: str, *, is_echo: bool) -> LockInfo:
    """A lock of Terraform, or what GitLab remembers of one of ours."""

    def text(key: str) -> str:
        value = said.get(key)
        return value[:_LONGEST_TEXT] if isinstance(value, str) else ""

    operation = "" if is_echo else " ".join(part for part in (text("Operation"), text("Info")) if part)
    return LockInfo(
        id=id_,
        operation=operation,
        who=text("Who") or "somebody",
        host="",
        pid=0,
        tool_version="" if is_echo else text("Version"),
        created=text("Created") or "an unknown time",
    )


def _json(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")
