"""One component's actions as a chain: each behind the one before, judged by the status that one leaves.

Owns the status x verb matrix, what is held back because of it, and the prediction that the preconditions of later
actions are taken from. It must not know which actions are wanted, nor why (that is `sequence.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from statetool.core.diff import FieldDiff
from statetool.core.model import Address, Json, Ready, StatusClass
from statetool.core.plan import CAUSE_WORDS, EDGE_VERBS, Action, Brought, FieldChange, HeldBack, Risk, SendIf, Verb

ALLOWED: Mapping[StatusClass, frozenset[Verb]] = {
    StatusClass.READY: frozenset(
        {Verb.SCALE, Verb.STOP, Verb.RESTART, Verb.ROLLBACK, Verb.UPGRADE, Verb.CHECK_GRAY_RELEASE}
    ),
    StatusClass.GRAYING: frozenset({Verb.CONTINUE_DEPLOY, Verb.MODIFY_GRAY_RULE, Verb.ROLLBACK, Verb.ROLLBACK_CURRENT}),
    StatusClass.STOPPED: frozenset({Verb.START}),
    StatusClass.FAILED: frozenset({Verb.ROLLBACK}),
    StatusClass.BUSY: frozenset(),
}
"""Status x verb [06_0082, 03 maintenance pages]: what is not listed is held back, never sent."""

_DEPLOYING = frozenset({Verb.UPGRADE, Verb.CHECK_GRAY_RELEASE})
"""What a failed component takes only where that is overridden."""

DEFERRED: Mapping[StatusClass, tuple[str, str, str]] = {
    StatusClass.GRAYING: (
        "deferred_gray",
        "waits for the end of the gray release",
        "promote or end the gray release, then plan again",
    ),
    StatusClass.STOPPED: (
        "deferred_stopped",
        "waits until the component is started",
        "write state: running, or start it, then plan again",
    ),
    StatusClass.FAILED: (
        "deferred_failed",
        "waits until the component has recovered",
        "look at its last job in the console; a rollback is possible",
    ),
    StatusClass.BUSY: (
        "busy",
        "waits for the job that is running",
        "plan again when it has ended; apply waits by itself",
    ),
}
"""Code, sentence and hint of what a status holds back. READY is absent: it allows all that is asked of it."""

ESTIMATE_S: Mapping[Verb, int] = {
    Verb.START: 60,
    Verb.STOP: 30,
    Verb.RESTART: 60,
    Verb.SCALE: 30,
    Verb.ROLLBACK: 90,
    Verb.ROLLBACK_CURRENT: 90,
    Verb.CONTINUE_DEPLOY: 120,
    Verb.CHECK_GRAY_RELEASE: 10,
    Verb.MODIFY_GRAY_RULE: 10,
    Verb.SYNC_WORKLOAD: 10,
    Verb.UPGRADE: 120,
}
"""Guesses for a person's patience, until durations of earlier runs are kept. Nothing waits by them."""


@dataclass(frozen=True, slots=True)
class Move:
    """An action before it has its place. `watches` are the paths it changes, compared before it is sent; `forgets`
    those whose value can't be told after it.
    """

    verb: Verb
    risk: Risk
    goal: Mapping[str, Json]
    parameters: Mapping[str, Json] = field(default_factory=dict)
    watches: tuple[str, ...] = ()
    forgets: tuple[str, ...] = ()
    send_if: SendIf = SendIf.ALWAYS
    max_requests: int = 1
    traffic_percent: int | None = None


@dataclass(slots=True)
class ActionChain:
    """The actions of one component so far. `predicted` holds the values seen, then those after the last action.

    `may_upgrade_failed`: a failed component may be given another version (--override failed_component).
    """

    address: Address
    ready: Ready
    predicted: dict[str, Json]
    may_upgrade_failed: bool = False
    actions: list[Action] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)

    @property
    def status(self) -> StatusClass:
        return StatusClass(str(self.predicted["status"]))

    def _allows(self, verb: Verb) -> bool:
        deploys_failed = self.may_upgrade_failed and self.status is StatusClass.FAILED and verb in _DEPLOYING
        return deploys_failed or verb in ALLOWED[self.status]

    def append(self, fd: FieldDiff, move: Move, brings: tuple[Brought, ...] = ()) -> str | None:
        """The new action's id; None where the predicted status does not allow the verb and the field is held back."""
        if not self._allows(move.verb):
            self.hold_back(fd, move.verb)
            return None
        watched = ("status", *move.watches, *(("last_job_id",) if move.verb in EDGE_VERBS else ()))
        action = Action(
            id=f"{self.address}#{len(self.actions) + 1}",
            address=self.address,
            verb=move.verb,
            parameters=move.parameters,
            reason=_reason(fd, move.send_if),
            risk=move.risk,
            requires=(self.actions[-1].id,) if self.actions else (),
            precondition={path: self.predicted[path] for path in watched if path in self.predicted},
            goal=move.goal,
            estimate_s=ESTIMATE_S[move.verb],
            traffic_percent=move.traffic_percent,
            send_if=move.send_if,
            max_requests=move.max_requests,
            ready=self.ready,
            brings=brings,
        )
        self.actions.append(action)
        # After an action of ours the last job is another one, whose id nobody knows yet.
        for path in ("last_job_id", *move.forgets):
            self.predicted.pop(path, None)
        self.predicted.update(move.goal)
        return action.id

    def hold_back(self, fd: FieldDiff, verb: Verb | None = None) -> None:
        """List a field as waiting for another status. `verb` is the one that it does not allow."""
        code, why, hint = DEFERRED[self.status]
        if self.status is StatusClass.FAILED and verb in _DEPLOYING:
            hint = f"{hint}; --override failed_component deploys the new version all the same"
        for change in fd.changes:
            message = f"{_moved(change)} {why}"
            self.held_back.append(HeldBack(self.address, change.path, code, message, hint))


def _reason(fd: FieldDiff, send_if: SendIf) -> str:
    if send_if is SendIf.FEWER:
        return "puts the number of instances back if fewer come back"
    if fd.cause is None:
        return "keeps the number of instances if another comes back"
    return f"{', '.join(_moved(change) for change in fd.changes)}: {CAUSE_WORDS[fd.cause]}"


def _moved(change: FieldChange) -> str:
    """`replicas 4 -> 6`; `replicas 4` where only the record lacks it."""
    before, after = show(change.before), show(change.after)
    return f"{change.path} {after}" if before == after else f"{change.path} {before} -> {after}"


def show(value: Json) -> str:
    """A field's value in a sentence; content rules as `header x-user-tier equal beta`, a range as `3..9`."""
    if isinstance(value, list):
        return "; ".join(show(item) for item in value)
    if isinstance(value, dict) and "min" in value:
        return f"{value['min']}..{value['max']}"
    if isinstance(value, dict):
        return " ".join(show(value.get(key)) for key in ("type", "key", "condition", "value"))
    return "none" if value is None else str(value)
