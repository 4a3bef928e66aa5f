"""The actions of one component, in their fixed order, and what the state records when they are done.

Owns that order (start, version, gray rule, scale, restart, stop), the risk, watched paths and goal of every
action, and the wishes that become true by it. Which fields act, and by which steps the version moves, has been
decided by `planner.py` before; whether the status allows a verb is `chain.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from statetool.core.canonical import replicas_to_json
from statetool.core.chain import ActionChain, Move
from statetool.core.comes_along import comes_along
from statetool.core.deploy import Configuration
from statetool.core.diff import ComponentDiff, FieldDiff, picture_changes, released_change
from statetool.core.model import (
    DEPLOYED_FIELD,
    REPLICAS_FIELD,
    RESTART_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Address,
    Desired,
    Json,
    Observed,
    Recorded,
    ReplicaRange,
    Replicas,
    StatusClass,
    VersionPicture,
    nearest_number,
)
from statetool.core.picture import configured_number, observed_values
from statetool.core.plan import (
    Brought,
    Cause,
    Change,
    FieldChange,
    Kind,
    PlanMode,
    Risk,
    SendIf,
    Verb,
    WishUpdate,
    WishValue,
)
from statetool.core.sent_along import DEPLOYING, find_unsent, learned, running_now
from statetool.core.situation import FULL_CHANGES, Step, StepKind
from statetool.core.version_moves import build_move

_SERVES_ALONE = FULL_CHANGES | {StepKind.ABORT}
"""Steps after which one version serves alone, whose number of instances the platform may have put back."""


@dataclass(frozen=True, slots=True)
class PlanRules:
    """How a plan is asked for. In mode drift only recorded wishes are looked at, and `correct` allows actions.

    `managed` names the applications that may be changed, by name or id; None: all of them.
    """

    now: str
    mode: PlanMode = "normal"
    correct: bool = False
    overrides: frozenset[str] = frozenset()
    abort_verb: Verb = Verb.ROLLBACK
    managed: frozenset[str] | None = None

    def permits_drift(self, desired: Desired, permission: str) -> bool:
        """Whether drift of a field may be put back: by lifecycle.drift, or for one plan by --correct-drift."""
        permitted = permission in desired.lifecycle.correct
        if self.mode == "drift":
            return self.correct and permitted
        return self.correct or permitted


@dataclass(slots=True)
class ActionSequence:
    """Builds one component's chain of actions, and the change that a reviewer reads beside it."""

    desired: Desired
    recorded: Recorded | None
    observed: Observed
    diff: ComponentDiff
    acting: Mapping[str, FieldDiff]
    rules: PlanRules
    chain: ActionChain = field(init=False)
    updates: list[WishUpdate] = field(default_factory=list)
    listed: list[FieldChange] = field(default_factory=list)
    _taken: list[Step] = field(default_factory=list)
    _runs: Configuration | None = field(init=False)
    _is_scaled: bool = False
    revealed: FieldDiff | None = None
    """Drift that the plan itself brings to light, and leaves alone."""

    def __post_init__(self) -> None:
        values = observed_values(self.observed, self.recorded)
        self._runs = self.observed.closer.configuration if self.observed.closer else None
        may_upgrade = "failed_component" in self.rules.overrides
        self.chain = ActionChain(self.desired.address, self.desired.ready, values, may_upgrade)

    def build(self, steps: tuple[Step, ...]) -> None:
        """Add everything, in order. Called once."""
        started = self._start()
        changed = self._version(steps, started)
        if not self._is_scaled:
            self._scale(version_changed=self._took(_SERVES_ALONE), started=started)
        elif self._taken and self._taken[-1].kind is StepKind.PROMOTE:
            # The number was set before the gray release that this plan starts and ends.
            self._keep_number(self._number_set())
        restarted = changed if self._took(FULL_CHANGES) else []
        self._restart_and_stop(([started] if started else []) + restarted)
        self._sent_along(steps, changed)
        self._released()

    def change(self, moved_from: Address | None) -> Change | None:
        """What a reviewer reads of this component, None where there is nothing to do or to record."""
        is_new = self.recorded is None and self.rules.mode == "normal"
        # Correcting drift records nothing by itself, but what it acts on is recorded under its new address.
        moves = moved_from if self.rules.mode == "normal" or self.chain.actions else None
        if not (self.chain.actions or self.updates or is_new or moves):
            return None
        return Change(
            address=self.desired.address,
            component_id=self.observed.component_id,
            application_id=self.observed.application_id,
            environment_id=self.observed.environment_id,
            kind=Kind.ADOPT if is_new else Kind.MOVE if moves else Kind.UPDATE,
            origin=self.desired.origin,
            fields=tuple(self.listed),
            action_ids=tuple(action.id for action in self.chain.actions),
            updates=tuple(self.updates),
            moved_from=moves,
        )

    # Each of the following adds the actions of one place in the order, or holds them back.

    def _start(self) -> str | None:
        fd = self.acting.get(STATE_FIELD)
        if fd is None or self.desired.wish.state != "running":
            self._record_if_equal(STATE_FIELD, self.desired.wish.state)
            return None
        move = Move(Verb.START, Risk.POWER, {"status": "ready"}, forgets=(REPLICAS_FIELD,))
        action_id = self.chain.append(fd, move)
        self._list_and_update(fd, self.desired.wish.state, [action_id])
        return action_id

    def _version(self, steps: tuple[Step, ...], started: str | None) -> list[str]:
        """The ids of the steps that were added, in the order of the steps that were taken."""
        fd = self.diff.fields.get(VERSION_FIELD)
        if fd is None:
            return []
        if VERSION_FIELD not in self.acting:
            self._record_if_equal(VERSION_FIELD, self.desired.wish.picture)
            return []
        if not fd.comparable:
            self.chain.hold_back(fd)
            return []
        ids: list[str] = []
        for step in steps:
            # The platform's own check looks at the number too.
            if step.kind in (StepKind.CHECK, StepKind.GRAY_START) and not self._is_scaled:
                self._scale(version_changed=self._took(_SERVES_ALONE), started=started)
            added = self.chain.append(fd, self._move_of(step), brings=self._brings(step))
            if added is None:
                break
            ids.append(added)
            self._taken.append(step)
        if len(ids) == len(steps) and not (steps and self._stops_short(steps[-1])):
            self._list_and_update(fd, self.desired.wish.picture, list(ids))
            self.listed.extend(self._artifact_changes(fd, steps))
        elif ids:
            self.listed.extend(self._reached(fd, steps[len(ids) - 1]))
        return ids

    def _took(self, kinds: frozenset[StepKind]) -> bool:
        return any(step.kind in kinds for step in self._taken)

    def _stops_short(self, last: Step) -> bool:
        """An abort that leads to another picture than the desired one: a second plan is needed."""
        wanted = self.desired.wish.picture
        assert wanted is not None
        return last.kind is StepKind.ABORT and (wanted.gray is not None or wanted.stable != last.version)

    def _reached(self, fd: FieldDiff, last: Step) -> tuple[FieldChange, ...]:
        """What changes by steps that stop short: a version alone."""
        assert fd.cause is not None
        return picture_changes(self.diff.picture, VersionPicture(last.version), fd.cause)

    def _artifact_changes(self, fd: FieldDiff, steps: tuple[Step, ...]) -> list[FieldChange]:
        assert fd.cause is not None
        found = []
        for step in steps:
            is_candidate = step.kind is StepKind.GRAY_START
            before = self._artifact_before(is_candidate=is_candidate)
            if step.artifact is not None and step.artifact.url != before:
                prefix = "gray." if is_candidate else ""
                found.append(FieldChange(f"{prefix}{step.artifact.kind}", before, step.artifact.url, fd.cause))
        return found

    def _artifact_before(self, *, is_candidate: bool) -> str | None:
        """The image or package that runs; the stable version's where that is known: a release may show the other."""
        closer, seen = self.observed.closer, self.diff.picture
        if closer is None:
            return None
        stable = closer.past.get(seen.stable) if seen.gray is not None and seen.stable is not None else None
        runs = closer.artifact if is_candidate or stable is None else stable.artifact
        return runs.url if runs else None

    def _move_of(self, step: Step) -> Move:
        return build_move(
            step,
            seen=self.diff.picture,
            deploy=self.desired.deploy,
            abort_verb=self.rules.abort_verb,
            at_stake=self._number_at_stake(),
        )

    def _brings(self, step: Step) -> tuple[Brought, ...]:
        """What a step brings, against what the step before it leaves."""
        if step.kind is StepKind.CHECK:
            return ()
        past = self.observed.closer.past if self.observed.closer else {}
        brought, self._runs = comes_along(step, self._runs, past, self.desired.deploy)
        return brought

    def _scale(self, *, version_changed: bool, started: str | None) -> None:
        self._is_scaled = True
        fd, wanted = self.diff.fields.get(REPLICAS_FIELD), self.desired.wish.replicas
        if fd is None or wanted is None:
            if version_changed:
                self._keep_number(self._number_before())
        elif fd.comparable:
            self._scale_comparable(fd, wanted, version_changed)
        elif version_changed or started is not None:
            self._scale_after_hidden(fd, wanted, version_changed)
        elif REPLICAS_FIELD in self.acting:
            if self._is_met(wanted, self._number_before()):
                # The status hides the real count, but the configured number is the desired one already.
                self.updates.append(WishUpdate(REPLICAS_FIELD, wanted))
                after = replicas_to_json(wanted)
                self.listed.extend(FieldChange(c.path, after, after, c.cause) for c in fd.changes)
            else:
                self.chain.hold_back(fd)

    def _number_at_stake(self) -> tuple[str, ...]:
        """What a version change must find unmoved besides the version.

        A version change hides how many instances there were, and the scale behind it sets the desired number: where
        somebody has scaled since the plan, that would take away instances in a way nobody was shown.
        """
        fd = self.diff.fields.get(REPLICAS_FIELD)
        is_set_afterwards = fd is not None and fd.comparable and (fd.cause is None or REPLICAS_FIELD in self.acting)
        return (REPLICAS_FIELD,) if is_set_afterwards else ()

    def _scale_comparable(self, fd: FieldDiff, wanted: Replicas, version_changed: bool) -> None:
        number = nearest_number(wanted, self.observed.replicas)
        if REPLICAS_FIELD in self.acting:
            action_id = self._add_scale(fd, number, self.observed.replicas)
            self._list_and_update(fd, wanted, [action_id])
            return
        self._record_if_equal(REPLICAS_FIELD, wanted)
        if version_changed and fd.cause is None and isinstance(wanted, int):
            self._add_scale(fd, wanted, wanted, SendIf.DIFFERENT)
        elif version_changed:
            self._keep_number(self.observed.replicas)

    def _scale_after_hidden(self, fd: FieldDiff, wanted: Replicas, version_changed: bool) -> None:
        """The plan itself ends what hid the number: compare with the configured one, scale where it differs."""
        configured = self._number_before()
        if fd.cause is not None:
            may_act = REPLICAS_FIELD in self.acting
        elif configured is None or self._is_met(wanted, configured):
            may_act = configured is None or version_changed
        else:
            # Only now is it known that the number was changed outside while the status hid it.
            change = FieldChange(REPLICAS_FIELD, configured, nearest_number(wanted, configured), Cause.DRIFT)
            fd = replace(fd, cause=Cause.DRIFT, changes=(change,))
            is_floor = isinstance(wanted, ReplicaRange) and configured < wanted.min
            may_act = is_floor or self.rules.permits_drift(self.desired, REPLICAS_FIELD)
            self.revealed = None if may_act else fd
        if not may_act:
            if version_changed:
                self._keep_number(configured)
            return
        if isinstance(wanted, ReplicaRange):
            action_id = self._scale_into(fd, wanted, configured)
        else:
            before = configured if configured is not None else wanted
            action_id = self._add_scale(fd, wanted, before, SendIf.DIFFERENT)
        if fd.cause is not None:
            self._list_and_update(fd, wanted, [action_id])

    def _scale_into(self, fd: FieldDiff, wanted: ReplicaRange, configured: int | None) -> str | None:
        """Back to at least the number that there was, or the floor; down only where the ceiling is enforced."""
        number = nearest_number(wanted, configured if configured is not None else wanted.min)
        if configured is not None and number < configured:
            return self._add_scale(fd, number, configured, SendIf.DIFFERENT)
        return self._add_scale(fd, number, number, SendIf.FEWER)

    def _is_met(self, wanted: Replicas, number: int | None) -> bool:
        return number is not None and nearest_number(wanted, number) == number

    def _keep_number(self, number: int | None) -> None:
        """A version change never takes instances away that nobody asked to remove."""
        if number:
            fd = FieldDiff(REPLICAS_FIELD, None, True, REPLICAS_FIELD, False, ())
            self._add_scale(fd, number, number, SendIf.FEWER)

    def _number_set(self) -> int | None:
        """The number of instances that the actions so far leave."""
        goals = (action.goal[REPLICAS_FIELD] for action in reversed(self.chain.actions) if action.verb is Verb.SCALE)
        return next((number for number in goals if isinstance(number, int)), self._number_before())

    def _add_scale(self, fd: FieldDiff, wanted: int, before: int, send_if: SendIf = SendIf.ALWAYS) -> str | None:
        # The worst it may do: nobody knows what comes back, and only FEWER takes nothing away.
        may_take = wanted < before or send_if is SendIf.DIFFERENT
        risk = Risk.POWER if wanted == 0 else Risk.SCALE_DOWN if may_take else Risk.SCALE_UP
        move = Move(
            Verb.SCALE,
            risk,
            {"status": "ready", "replicas": wanted},
            parameters={"replica": wanted, **({"hosts": list[Json](hosts)} if (hosts := self.desired.hosts) else {})},
            watches=(REPLICAS_FIELD,),
            send_if=send_if,
        )
        return self.chain.append(fd, move)

    def _restart_and_stop(self, restarted_by: list[str]) -> None:
        """`restarted_by` are the actions that restart every instance anyway: a start, a full version change."""
        stop = self.acting.get(STATE_FIELD) if self.desired.wish.state == "stopped" else None
        fd = self.diff.fields.get(RESTART_FIELD)
        token = self.desired.wish.restart
        restarts = fd is not None and RESTART_FIELD in self.acting
        if fd is not None and not restarts:
            self._record_if_equal(RESTART_FIELD, token)
        if fd is not None and restarts and stop is None:
            self._list_and_update(fd, token, list(restarted_by) or [self._restart(fd)])
        if stop is None:
            return
        action_id = self.chain.append(stop, Move(Verb.STOP, Risk.POWER, {"status": "stopped"}))
        self._list_and_update(stop, "stopped", [action_id])
        if fd is not None and restarts:
            self._list_and_update(fd, token, [action_id])
            if action_id is None:
                self.chain.hold_back(fd)

    def _restart(self, fd: FieldDiff) -> str | None:
        """A restart, or the scale to 0 that makes it needless."""
        to_zero = next((a.id for a in self.chain.actions if a.verb is Verb.SCALE and a.goal[REPLICAS_FIELD] == 0), None)
        move = Move(Verb.RESTART, Risk.RESTART, {"restart": self.desired.wish.restart})
        return to_zero or self.chain.append(fd, move)

    def _sent_along(self, steps: tuple[Step, ...], changed: list[str]) -> None:
        """Image, variables and resources: recorded once they were sent, or told to wait for a new version."""
        # What a job is moving tells nothing: it may be undone when the job fails.
        if self.rules.mode == "drift" or self.observed.status_class is StatusClass.BUSY:
            return
        runs = running_now(self.observed, self.diff.picture)
        for step in self._taken:
            runs = runs.after(step, self.observed.closer)
        if not any(step.kind in DEPLOYING for step in steps):
            self.chain.held_back.extend(find_unsent(self.desired, self.recorded, runs))
        sent = next((step for step in reversed(self._taken) if step.kind in DEPLOYING), None)
        after = learned(self.desired, self.recorded, runs, sent)
        if after is not None:
            self.updates.append(WishUpdate(DEPLOYED_FIELD, after, tuple(changed)))

    def _released(self) -> None:
        if self.recorded is None or self.rules.mode == "drift":
            return
        for name in self.diff.released:
            self.updates.append(WishUpdate(name, None))
            self.listed.append(released_change(name, self.recorded, self.observed))

    # What the state learns

    def _record_if_equal(self, name: str, value: WishValue) -> None:
        """Desired is observed already: the state learns it, nothing is sent."""
        fd = self.diff.fields.get(name)
        if fd is None or fd.cause is not None or not fd.unrecorded or self.rules.mode == "drift":
            return
        self.updates.append(WishUpdate(name, value))
        self.listed.extend(fd.changes)

    def _list_and_update(self, fd: FieldDiff, value: WishValue, ids: list[str | None]) -> None:
        """List the field; record its wish once its actions are done. Held back means neither."""
        done = tuple(action_id for action_id in ids if action_id is not None)
        if len(done) != len(ids):
            return
        self.listed.extend(fd.changes)
        if fd.unrecorded:
            self.updates.append(WishUpdate(fd.field, value, done))

    def _number_before(self) -> int | None:
        """The number of instances the component is meant to have now; None where its status hides it."""
        return configured_number(self.observed, self.diff.picture)
