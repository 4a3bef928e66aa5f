"""The state of a run: what each ending records, and when it is written.

Owns the one writing hand on the state while a run lasts: others read `state` and change nothing. A wish is
recorded only once the actions it stands for are done (semantics: two memories). It must not decide what ended
how, nor emit events.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from statetool.apply.ending import Ending
from statetool.apply.run import Run
from statetool.core.events import EventType
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

if TYPE_CHECKING:
    from statetool.backends import Backend
    from statetool.backends.lease import Lease


class StateKeeper:
    """Holds the state from the start of a run to its end.

    `stored` is what the backend holds (None: nothing yet), `state` what the run starts from: the same, or the new
    state that a first apply creates. `observed` is what the plan was made from.
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
    ) -> None:
        self._backend = backend
        self._lease = lease
        self._stored = stored
        self._written = state
        self._run = run
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

    def record_ending(self, action: Action, ending: Ending) -> None:
        """What one action leaves behind: wishes it completed, what was seen last, a version reached or taken back."""
        if self.recorded(action.address) is None:
            return
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

    def save(self) -> int | None:
        """Write the state where it differs from what was written last; the new serial, None where it does not.

        Raises StateError and its kinds.
        """
        if self.state is self._written:
            return None
        stored = self._backend.write(self._stored, self.state, self._lease)
        is_news = self._stored is None or stored.serial != self._stored.serial
        self._stored = self._written = self.state = stored
        return stored.serial if is_news else None

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
