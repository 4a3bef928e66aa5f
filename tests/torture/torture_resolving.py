"""What a person does after trouble: says whether a parked operation ran, and keeps a rescued state."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statetool import session
from statetool.apply.ending import Ending
from statetool.backends import LockInfo
from statetool.backends.local import LocalBackend
from statetool.core.events import EventType
from statetool.core.journal import EntryType
from statetool.errors import StatetoolError
from statetool.session import Listener, Project, open_session

if TYPE_CHECKING:
    from torture_world import World

_SOMEBODY = LockInfo("lock-1", "state push", "tester@here", "here", 1, "0.0.0", "2027-01-15T08:00:00Z")


def resolve(project: Project, listener: Listener, operation: str, *, did_run: bool) -> None:
    """`statetool state resolve ID --did-run`, or --did-not."""
    with open_session(project, "state resolve", listener.emit, listener.on_lock_wait, 300.0) as held:
        assert held.state is not None
        keeper = held._keeper(held.state)
        intent = held.snapshot.journal.operations[operation].intent
        type_ = EventType.ACTION_SKIPPED
        if did_run and intent.action.max_requests == 1:  # one batch is not yet the promotion
            keeper.take_over(intent)
            type_ = EventType.ACTION_COMPLETE
        data: dict[str, Any] = {"did_run": did_run, "by": "tester@here", "reason": "looked"}
        keeper.record_ending(intent.action, Ending(type_, 0.0, data, None, None, operation, EntryType.RESOLVED))
        session.run_interruptibly(keeper.finish())


def repair(world: World, error: StatetoolError) -> None:
    """`statetool state push FILE`, as the error says."""
    found = re.search(r"statetool state push (\S+)", error.hint or "")
    assert found is not None, error.hint
    pushed = LocalBackend(Path(found[1])).read()
    assert pushed is not None
    backend = LocalBackend(Path(str(world.place.path)))
    with backend.lock(_SOMEBODY, 0, lambda holder: None, repairing=True) as lease:
        backend.write(backend.read(), pushed, lease, floor=pushed.serial)
