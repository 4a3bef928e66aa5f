"""The state of a run: what each ending records, and when it is written.

Owns the one writing hand on the state while a run lasts: others read `state` and change nothing. A wish is
recorded only once the actions it stands for are done (semantics: two memories). What an ending records goes to the
journal at once, and into the state at checkpoints, so that an ending costs the same however large the state is. It
must not decide what ended how, nor emit events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from statetool.apply.ending import Ending
from statetool.apply.journalling import JournalWriter
from statetool.apply.run import Run
from statetool.core.events import EventType
from statetool.core.journal import (
    EntryType,
    Intent,
    Journal,
    PendingUpdate,
    RunNote,
    closing_entry,
    compact,
    fold_journal,
    run_entry,
)
from statetool.core.model import DEPLOYED_FIELD, Address, Observed, Recorded, Rejection, VersionEntry
from statetool.core.picture import is_worth_recording, seen_of
from statetool.core.plan import Action, Change, Kind, Plan, Verb, WishUpdate
from statetool.core.state import (
    Overridden,
    StateFile,
    apply_wish_update,
    record_component,
    record_overridden,
    record_rejection,
    record_seen,
    record_version_change,
    transform,
)
from statetool.errors import LeaseLost, StateError

if TYPE_CHECKING:
    from statetool.backends import Backend
    from statetool.backends.lease import Lease


CHECKPOINT_S = 30.0
CHECKPOINT_ENDINGS = 500
"""How often the journal is folded into the state while a run lasts: whatever comes first."""

NO_JOURNAL = Journal()


class StateKeeper:
    """Holds the state from the start of a run to its end.

    `stored` is what the backend holds (None: nothing yet), `state` what the run starts from: the same, or the new
    state that a first apply creates. `observed` is what the plan was made from, `journal` what the backend's journal
    still holds: the state has everything of it that ended (`backends.snapshot.fold_into_state`).
    """

    def __init__(
        self,
        backend: Backend,
        lease: Lease,
        *,
        stored: StateFile | None,
        state: StateFile,
        run: Run,
        observed: Sequence[Observed] = (),
        journal: Journal = NO_JOURNAL,
    ) -> None:
        self._backend = backend
        self._lease = lease
        self._stored = stored
        self._written = state if stored is None or state.holds_the_same_as(stored) else stored
        self._run = run
        self.log = JournalWriter(backend, lease, run, compact(journal))
        self._checkpoint_at = run.monotonic()
        self._endings = 0
        self._observed = observed
        self._pending: list[tuple[Address, WishUpdate, set[str]]] = []
        self._pending_by_action: dict[str, list[int]] = {}
        self.state = state

    def recorded(self, address: Address) -> Recorded | None:
        return self.state.components.get(address)

    def record_plan(self, plan: Plan) -> None:
        """Everything of a plan that needs no action: records, wishes that hold already, versions ended outside, what
        was observed when it was made, and which denies it was let through."""
        at = self._run.now()
        if plan.overrides and plan.can_apply:
            run = self._run
            self.state = record_overridden(self.state, Overridden(at, run.run_id, run.user, plan.overrides))
        for change in plan.changes:
            for update in change.updates:
                if update.after:
                    self._remember(change.address, update)
        self.state = transform(
            self.state,
            chain(
                ((_touched(change), partial(self._record_change, change, at)) for change in plan.changes),
                (((r.address,), partial(_record_rejection, r.address, r.rejection)) for r in plan.rejections),
            ),
        )
        by_id = {recorded.component_id: address for address, recorded in self.state.components.items()}
        self.state = transform(
            self.state,
            (
                ((by_id[observed.component_id],), partial(_record_seen, by_id[observed.component_id], observed, at))
                for observed in self._observed
                if observed.component_id in by_id and is_worth_recording(observed)
            ),
        )

    def _record_change(self, change: Change, at: str, state: StateFile) -> StateFile:
        if change.kind is Kind.UPDATE and change.address not in state.components:
            return state  # a raw action on a component that nobody manages
        source: dict[str, Any] = {"run_id": self._run.run_id, "applied_from": self._run.applied_from}
        state = record_component(state, change, at=at, **source)
        for update in change.updates:
            if not update.after:
                state = apply_wish_update(state, change.address, update, at=at, **source)
        return state

    def pending_updates(self, action_id: str) -> tuple[PendingUpdate, ...]:
        """The wishes that wait for an action, each with the other actions it waits for."""
        waiting = (self._pending[index] for index in self._pending_by_action.get(action_id, ()))
        return tuple(
            PendingUpdate(address, update, tuple(sorted(missing - {action_id}))) for address, update, missing in waiting
        )

    def note_run(self, operation: str, actions: int) -> None:
        """Say in the journal which run this is: whoever waits for the lock reads there how far it is. And of which
        state, once one is stored: beside another one, the journal is not to be folded."""
        lineage = self._stored.lineage if self._stored is not None else None
        run = RunNote(self._run.run_id, operation, self._lease.fence, self._run.now(), actions, lineage=lineage)
        self.log.note(run_entry(run))

    def take_over(self, intent: Intent) -> None:
        """Let an operation of an earlier run fulfil the wishes it was sent for."""
        for one in intent.updates:
            update = replace(one.update, after=(intent.action.id, *one.missing))
            self._remember(one.address, update)

    def record_ending(self, action: Action, ending: Ending) -> None:
        """What one action leaves behind: wishes it completed, what was seen last, a version reached or taken back; and
        the last word on its operation. Durable after the next `settle`."""
        before = self.state.components
        if self.recorded(action.address) is not None:
            self._record(action, ending)
        after = self.state.components
        changed = [after[a] for a in self._concerned(action) if a in after and after[a] is not before.get(a)]
        at, fence = self._run.now(), self._lease.fence
        if ending.operation is not None and ending.closing is not None:
            self.log.note(closing_entry(ending.closing, ending.operation, at, fence, records=changed, data=ending.data))
        elif changed:
            self.log.note(closing_entry(EntryType.RECORDED, None, at, fence, records=changed))
        self._endings += 1

    def _record(self, action: Action, ending: Ending) -> None:
        at = self._run.now()
        if ending.version_change is not None:
            self._record_version(action, ending, at)
        if ending.is_good:
            for index in self._pending_by_action.get(action.id, ()):
                address, update, missing = self._pending[index]
                if _is_somebody_elses(update, action, ending):
                    continue
                missing.discard(action.id)
                if not missing:
                    self._apply_update(address, update, at)
        if ending.seen is not None:
            seen = seen_of(ending.seen, self.recorded(action.address), at)
            self.state = record_seen(self.state, action.address, seen)

    def _concerned(self, action: Action) -> set[Address]:
        pending = (self._pending[index][0] for index in self._pending_by_action.get(action.id, ()))
        return {action.address, *pending}

    async def settle(self) -> int | None:
        """Make durable what was recorded; the serial where that was the moment for a checkpoint.

        Raises StateError and its kinds: then it is tried again with the next one.
        """
        await self.log.flush()
        is_due = self._run.monotonic() - self._checkpoint_at >= CHECKPOINT_S or self._endings >= CHECKPOINT_ENDINGS
        return await self.checkpoint() if is_due else None

    async def checkpoint(self) -> int | None:
        """Fold the journal into the stored state; the new serial, None where nothing in it changed.

        Raises StateError and its kinds.
        """
        # Not stopped by a cancellation: a state is written whole or not at all, and then the journal is shortened.
        return await asyncio.shield(asyncio.ensure_future(self._checkpoint()))

    async def _checkpoint(self, *, has_ended: bool = False) -> int | None:
        async with self.log.at_rest() as durable:
            # No await before this line: what is durable in the journal is in this very state, and nothing else.
            state, serial = self.state, None
            self._checkpoint_at, self._endings = self._run.monotonic(), 0
            if state is not self._written:
                serial = await self._write(state)
            left = compact(fold_journal(durable), has_ended=has_ended)
            if list(left) != durable:
                await self._run.offload(lambda: self._backend.replace_journal(left, self._lease))
                durable[:] = left
            return serial

    async def finish(self) -> int | None:
        """The last checkpoint. Where the journal can't be written any more, the state still says how everything ended.

        Raises StateError and its kinds.
        """
        try:
            await self.log.flush()
        except LeaseLost:
            raise
        except StateError:
            if self.state is not self._written:
                await self._write(self.state)
            raise
        return await asyncio.shield(asyncio.ensure_future(self._checkpoint(has_ended=True)))

    async def _write(self, state: StateFile) -> int | None:
        before = self._stored
        stored = await self._run.offload(lambda: self._backend.write(before, state, self._lease))
        self._stored, self._written = stored, state
        return None if before is not None and stored.serial == before.serial else stored.serial

    @property
    def saved(self) -> StateFile:
        """The state as it is by now, with the serial under which it was stored last."""
        serial = self._stored.serial if self._stored else self.state.serial
        return replace(self.state, serial=serial)

    def _remember(self, address: Address, update: WishUpdate) -> None:
        for action_id in update.after:
            self._pending_by_action.setdefault(action_id, []).append(len(self._pending))
        self._pending.append((address, update, set(update.after)))

    def _apply_update(self, address: Address, update: WishUpdate, at: str) -> None:
        self.state = apply_wish_update(
            self.state, address, update, at=at, run_id=self._run.run_id, applied_from=self._run.applied_from
        )

    def _record_version(self, action: Action, ending: Ending, at: str) -> None:
        change = ending.version_change
        assert change is not None
        self.state = record_version_change(self.state, action.address, VersionEntry(change.reached, at, change.verb))
        if change.left is not None:
            reason = "aborted by statetool" if change.verb == "abort" else "rolled back by statetool"
            rejection = Rejection(change.left, at, self._run.user, reason, change.job_id)
            self.state = record_rejection(self.state, action.address, rejection)


def _is_somebody_elses(update: WishUpdate, action: Action, ending: Ending) -> bool:
    """Whether the version was there already: what somebody else sent along with it, nobody looked at."""
    is_satisfied = ending.type is EventType.ACTION_SATISFIED
    return is_satisfied and action.verb is Verb.UPGRADE and update.field == DEPLOYED_FIELD


def _touched(change: Change) -> tuple[Address, ...]:
    return (change.address,) if change.moved_from is None else (change.address, change.moved_from)


def _record_rejection(address: Address, rejection: Rejection, state: StateFile) -> StateFile:
    # A denied component keeps its old record, or none: then there is nothing to hang the rejection on.
    return record_rejection(state, address, rejection) if address in state.components else state


def _record_seen(address: Address, observed: Observed, at: str, state: StateFile) -> StateFile:
    return record_seen(state, address, seen_of(observed, state.components[address], at))
