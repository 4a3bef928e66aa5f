"""The actions of one component, in their fixed order.

Owns that order (start, version, gray rule, scale, restart, stop), the status x verb matrix, risks,
preconditions and goals, and what is held back because the status does not allow it. Which fields act, and by
which steps the version moves, has been decided by `planner.py` before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from statetool.core.canonical import rule_to_json
from statetool.core.diff import ComponentDiff, FieldDiff, released_change
from statetool.core.model import (
    REPLICAS_FIELD,
    RESTART_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Address,
    Desired,
    GrayRule,
    Json,
    Observed,
    Recorded,
    StatusClass,
)
from statetool.core.picture import observed_values, rule_paths
from statetool.core.plan import (
    CAUSE_WORDS,
    EDGE_VERBS,
    Action,
    Change,
    FieldChange,
    HeldBack,
    Kind,
    PlanMode,
    Risk,
    SendIf,
    Verb,
    WishUpdate,
    WishValue,
)
from statetool.core.version_rows import Step, StepKind

ALLOWED: Mapping[StatusClass, frozenset[Verb]] = {
    StatusClass.READY: frozenset({Verb.SCALE, Verb.STOP, Verb.RESTART, Verb.ROLLBACK, Verb.ROLLBACK_CURRENT}),
    StatusClass.GRAYING: frozenset({Verb.CONTINUE_DEPLOY, Verb.MODIFY_GRAY_RULE, Verb.ROLLBACK, Verb.ROLLBACK_CURRENT}),
    StatusClass.STOPPED: frozenset({Verb.START}),
    StatusClass.FAILED: frozenset({Verb.ROLLBACK, Verb.ROLLBACK_CURRENT}),
    StatusClass.BUSY: frozenset(),
}
"""Status x verb [06_0082, 03 maintenance pages]: what is not listed is held back, never sent."""

_DEFERRED: Mapping[StatusClass, tuple[str, str, str]] = {
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
    StatusClass.READY: ("deferred", "is not possible now", "plan again later"),
}

_ESTIMATE_S: Mapping[Verb, int] = {
    Verb.START: 60,
    Verb.STOP: 30,
    Verb.RESTART: 60,
    Verb.SCALE: 30,
    Verb.ROLLBACK: 90,
    Verb.ROLLBACK_CURRENT: 90,
    Verb.CONTINUE_DEPLOY: 120,
    Verb.MODIFY_GRAY_RULE: 10,
}
"""Guesses for a person's patience, until durations of earlier runs are kept. Nothing waits by them."""


@dataclass(frozen=True, slots=True)
class PlanRules:
    """How a plan is asked for. In mode drift only recorded wishes are looked at, and `correct` allows actions."""

    now: str
    mode: PlanMode = "normal"
    correct: bool = False
    overrides: frozenset[str] = frozenset()
    abort_verb: Verb = Verb.ROLLBACK

    def permits_drift(self, desired: Desired, permission: str) -> bool:
        """Whether drift of a field may be put back: by lifecycle.drift, or for one plan by --correct-drift."""
        permitted = permission in desired.lifecycle.correct
        if self.mode == "drift":
            return self.correct and permitted
        return self.correct or permitted


@dataclass(slots=True)
class ActionSequence:
    """Builds the actions of one component in their fixed order, predicting the component after each."""

    desired: Desired
    recorded: Recorded | None
    observed: Observed
    diff: ComponentDiff
    acting: Mapping[str, FieldDiff]
    rules: PlanRules
    actions: list[Action] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)
    updates: list[WishUpdate] = field(default_factory=list)
    listed: list[FieldChange] = field(default_factory=list)
    predicted: dict[str, Json] = field(default_factory=dict)

    def build(self, steps: tuple[Step, ...]) -> None:
        self.predicted = observed_values(self.observed, self.recorded)
        started = self._start()
        changed = self._version(steps)
        self._scale(version_changed=bool(changed and any(s.kind is not StepKind.RULE for s in steps)), started=started)
        self._restart_and_stop(started, changed, steps)
        self._released()

    def change(self, moved_from: Address | None) -> Change | None:
        """What a reviewer reads of this component, None where there is nothing to do or to record."""
        is_new = self.recorded is None and self.rules.mode == "normal"
        moves = moved_from if self.rules.mode == "normal" else None
        if not (self.actions or self.updates or is_new or moves):
            return None
        kind = Kind.ADOPT if is_new else Kind.MOVE if moves else Kind.UPDATE
        return Change(
            address=self.desired.address,
            component_id=self.observed.component_id,
            application_id=self.observed.application_id,
            environment_id=self.observed.environment_id,
            kind=kind,
            origin=self.desired.origin,
            fields=tuple(self.listed),
            action_ids=tuple(action.id for action in self.actions),
            updates=tuple(self.updates),
            moved_from=moves,
        )

    # Each of the following adds the actions of one place in the order, or holds them back.

    def _start(self) -> str | None:
        fd = self.acting.get(STATE_FIELD)
        if fd is None or self.desired.wish.state != "running":
            self._record_if_equal(STATE_FIELD, self.desired.wish.state)
            return None
        action_id = self._add(fd, Verb.START, {}, Risk.POWER, {"status": "ready"}, forgets=("replicas",))
        self._listed_and_updated(fd, self.desired.wish.state, [action_id])
        return action_id

    def _version(self, steps: tuple[Step, ...]) -> list[str]:
        fd = self.diff.fields.get(VERSION_FIELD)
        if fd is None:
            return []
        if VERSION_FIELD not in self.acting:
            self._record_if_equal(VERSION_FIELD, self.desired.wish.picture)
            return []
        if not fd.comparable:
            self._hold_back(fd)
            return []
        ids = [self._add_step(fd, step) for step in steps]
        reaches_wish = bool(steps) and not self._stops_short(steps)
        if reaches_wish:
            self._listed_and_updated(fd, self.desired.wish.picture, ids)
        elif any(ids):
            self.listed.extend(fd.changes)
        return [action_id for action_id in ids if action_id is not None]

    def _stops_short(self, steps: tuple[Step, ...]) -> bool:
        """An abort that leads to another picture than the desired one: a second plan is needed."""
        last, wanted = steps[-1], self.desired.wish.picture
        assert wanted is not None
        return last.kind is StepKind.ABORT and (wanted.gray is not None or wanted.stable != last.version)

    def _add_step(self, fd: FieldDiff, step: Step) -> str | None:
        if step.kind is StepKind.RULE:
            return self._add_rule(fd, step)
        goal: dict[str, Json] = {"status": "ready", "version": step.version}
        gone = ("replicas", "gray.version", "gray.weight", "gray.match", "gray.rules")
        if step.kind is StepKind.PROMOTE:
            return self._add(
                fd,
                Verb.CONTINUE_DEPLOY,
                {},
                Risk.VERSION,
                goal,
                watches=("gray.version",),
                forgets=gone,
                max_requests=step.max_requests,
            )
        is_abort = step.kind is StepKind.ABORT
        verb = self.rules.abort_verb if is_abort else Verb.ROLLBACK
        parameters: dict[str, Json] = {"version": step.version} if verb is Verb.ROLLBACK else {}
        risk = Risk.VERSION if step.is_deep else Risk.REVERT
        watches = ("version", "gray.version") if is_abort else ("version",)
        return self._add(fd, verb, parameters, risk, goal, watches=watches, forgets=gone)

    def _add_rule(self, fd: FieldDiff, step: Step) -> str | None:
        assert step.rule is not None
        seen = self.diff.picture.gray.rule if self.diff.picture.gray else None
        after, before = _traffic_share(step.rule), _traffic_share(seen)
        lowers = after < before
        goal: dict[str, Json] = {"status": "graying", "gray.version": step.version, **rule_paths(step.rule)}
        return self._add(
            fd,
            Verb.MODIFY_GRAY_RULE,
            rule_to_json(step.rule),
            Risk.REVERT if lowers else Risk.TRAFFIC,
            goal,
            watches=("gray.version", "gray.weight", "gray.match", "gray.rules"),
            forgets=("gray.weight", "gray.match", "gray.rules"),
            traffic_percent=None if lowers else after,
        )

    def _scale(self, *, version_changed: bool, started: str | None) -> None:
        fd = self.diff.fields.get(REPLICAS_FIELD)
        settles = self.predicted.get("status") == "ready" and (version_changed or started is not None)
        if fd is None:
            if version_changed:
                self._keep_number(self._observed_number())
            return
        wanted = self.desired.wish.replicas
        assert wanted is not None
        if fd.comparable:
            self._scale_comparable(fd, wanted, version_changed)
        elif settles:
            self._scale_after_hidden(fd, wanted)
        elif fd.cause is not None and REPLICAS_FIELD in self.acting:
            if self._configured() == wanted:
                # The surge hides the real count, but the configured number is the desired one already.
                self.updates.append(WishUpdate(REPLICAS_FIELD, wanted))
                self.listed.extend(FieldChange(c.path, c.after, c.after, c.cause) for c in fd.changes)
            else:
                self._hold_back(fd)

    def _scale_comparable(self, fd: FieldDiff, wanted: int, version_changed: bool) -> None:
        if REPLICAS_FIELD in self.acting:
            action_id = self._add_scale(fd, wanted, self.observed.replicas)
            self._listed_and_updated(fd, wanted, [action_id])
            return
        self._record_if_equal(REPLICAS_FIELD, wanted)
        if version_changed and fd.cause is None:
            self._add_scale(fd, wanted, wanted, send_if=SendIf.DIFFERENT)
        elif version_changed:
            self._keep_number(self.observed.replicas)

    def _scale_after_hidden(self, fd: FieldDiff, wanted: int) -> None:
        """The plan itself ends what hid the number: compare with the configured one, scale where it differs."""
        configured = self._configured()
        is_drift = fd.cause is None and configured is not None and configured != wanted
        if is_drift and not self.rules.permits_drift(self.desired, REPLICAS_FIELD):
            self._keep_number(configured)
            return
        if fd.cause is not None and REPLICAS_FIELD not in self.acting:
            return
        before = configured if configured is not None else wanted
        action_id = self._add_scale(fd, wanted, before, send_if=SendIf.DIFFERENT)
        if fd.cause is not None:
            self._listed_and_updated(fd, wanted, [action_id])

    def _keep_number(self, number: int | None) -> None:
        """A version change never takes instances away that nobody asked to remove."""
        if not number or self.predicted.get("status") != "ready":
            return
        fd = FieldDiff(REPLICAS_FIELD, None, True, REPLICAS_FIELD, False, ())
        self._add_scale(fd, number, number, send_if=SendIf.FEWER)

    def _add_scale(self, fd: FieldDiff, wanted: int, before: int, *, send_if: SendIf = SendIf.ALWAYS) -> str | None:
        risk = Risk.POWER if wanted == 0 else Risk.SCALE_UP if wanted >= before else Risk.SCALE_DOWN
        goal: dict[str, Json] = {"status": "ready", "replicas": wanted}
        parameters: dict[str, Json] = {"replica": wanted}
        return self._add(fd, Verb.SCALE, parameters, risk, goal, watches=("replicas",), send_if=send_if)

    def _restart_and_stop(self, started: str | None, changed: list[str], steps: tuple[Step, ...]) -> None:
        stop = self.acting.get(STATE_FIELD)
        stops = stop is not None and self.desired.wish.state == "stopped"
        fd = self.diff.fields.get(RESTART_FIELD)
        token = self.desired.wish.restart
        in_place = [started] if started else []
        if any(step.kind in (StepKind.ROLLBACK, StepKind.PROMOTE) for step in steps):
            in_place += changed
        scales_to_zero = any(action.verb is Verb.SCALE and action.goal["replicas"] == 0 for action in self.actions)
        restarts = fd is not None and RESTART_FIELD in self.acting
        if fd is not None and not restarts:
            self._record_if_equal(RESTART_FIELD, token)
        if fd is not None and restarts and not stops:
            if in_place:
                self._listed_and_updated(fd, token, list(in_place))
            elif scales_to_zero:
                self._listed_and_updated(fd, token, [self.actions[-1].id])
            else:
                action_id = self._add(fd, Verb.RESTART, {}, Risk.RESTART, {"restart": token}, forgets=())
                self._listed_and_updated(fd, token, [action_id])
        if stop is not None and stops:
            action_id = self._add(stop, Verb.STOP, {}, Risk.POWER, {"status": "stopped"})
            self._listed_and_updated(stop, "stopped", [action_id])
            if fd is not None and restarts:
                self._listed_and_updated(fd, token, [action_id])

    def _released(self) -> None:
        if self.recorded is None or self.rules.mode == "drift":
            return
        for name in self.diff.released:
            self.updates.append(WishUpdate(name, None))
            self.listed.append(released_change(name, self.recorded, self.observed))

    def _record_if_equal(self, name: str, value: WishValue) -> None:
        """Desired is observed already: the state learns it, nothing is sent."""
        fd = self.diff.fields.get(name)
        if fd is None or fd.cause is not None or not fd.unrecorded or self.rules.mode == "drift":
            return
        self.updates.append(WishUpdate(name, value))
        self.listed.extend(fd.changes)

    def _listed_and_updated(self, fd: FieldDiff, value: WishValue, ids: list[str | None]) -> None:
        """List the field; record its wish once its actions are done. Held back means neither."""
        done = tuple(action_id for action_id in ids if action_id is not None)
        if len(done) != len(ids):
            return
        self.listed.extend(fd.changes)
        if fd.unrecorded:
            self.updates.append(WishUpdate(fd.field, value, done))

    def _observed_number(self) -> int | None:
        hidden = self.observed.status_class in (StatusClass.GRAYING, StatusClass.STOPPED)
        return self._configured() if hidden else self.observed.replicas

    def _configured(self) -> int | None:
        return self.observed.closer.configured_replicas if self.observed.closer else None

    def _hold_back(self, fd: FieldDiff) -> None:
        code, why, hint = _DEFERRED[StatusClass(str(self.predicted["status"]))]
        for change in fd.changes:
            moved = f"{show(change.before)} -> {show(change.after)}"
            message = f"{change.path} {moved} {why}"
            self.held_back.append(HeldBack(self.desired.address, change.path, code, message, hint))

    def _add(
        self,
        fd: FieldDiff,
        verb: Verb,
        parameters: dict[str, Json],
        risk: Risk,
        goal: dict[str, Json],
        *,
        watches: tuple[str, ...] = (),
        forgets: tuple[str, ...] = (),
        send_if: SendIf = SendIf.ALWAYS,
        max_requests: int = 1,
        traffic_percent: int | None = None,
    ) -> str | None:
        """Append one action, or hold its field back where the predicted status does not allow the verb."""
        status = StatusClass(str(self.predicted["status"]))
        if verb not in ALLOWED[status]:
            self._hold_back(fd)
            return None
        watched = ("status", *watches, *(("last_job_id",) if verb in EDGE_VERBS else ()))
        action = Action(
            id=f"{self.desired.address}#{len(self.actions) + 1}",
            address=self.desired.address,
            verb=verb,
            parameters=parameters,
            reason=_reason(fd, send_if),
            risk=risk,
            requires=(self.actions[-1].id,) if self.actions else (),
            precondition={path: self.predicted[path] for path in watched if path in self.predicted},
            goal=goal,
            estimate_s=_ESTIMATE_S[verb],
            traffic_percent=traffic_percent,
            send_if=send_if,
            max_requests=max_requests,
            ready=self.desired.ready,
        )
        self.actions.append(action)
        # After an action of ours the job id is a new one, and what a version change does to replicas is not known.
        for path in ("last_job_id", *forgets):
            self.predicted.pop(path, None)
        self.predicted.update(goal)
        if "version" in goal and verb is not Verb.SCALE:
            self.predicted.pop("replicas", None)
        return action.id


def _traffic_share(rule: GrayRule | None) -> int:
    """Percent of traffic a rule may send to the candidate; content rules may match all of it."""
    if rule is None:
        return 0
    return rule.weight if rule.weight is not None else 100


def _reason(fd: FieldDiff, send_if: SendIf) -> str:
    if send_if is SendIf.FEWER:
        return "puts the number of instances back if the version change brings fewer"
    if send_if is SendIf.DIFFERENT and fd.cause is None:
        return "keeps the number of instances if the version change brings another"
    parts = [f"{change.path} {show(change.before)} -> {show(change.after)}" for change in fd.changes]
    cause = CAUSE_WORDS[fd.cause] if fd.cause else "to be recorded"
    return f"{', '.join(parts)}: {cause}"


def show(value: Json) -> str:
    """A field's value in a sentence."""
    return "none" if value is None else str(value)
