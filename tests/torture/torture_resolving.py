"""What a person does after trouble: says whether a parked operation ran, and keeps a rescued state."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from statetool import resolving
from statetool.backends import LockInfo
from statetool.backends.local import LocalBackend
from statetool.errors import StatetoolError
from statetool.session import Listener, Project

if TYPE_CHECKING:
    from torture_world import World

_SOMEBODY = LockInfo("lock-1", "state push", "tester@here", "here", 1, "0.0.0", "2027-01-15T08:00:00Z")


def resolve(project: Project, listener: Listener, operation: str, *, did_run: bool) -> None:
    """`statetool state resolve ID --did-run`, or --did-not."""
    resolving.resolve_operation(
        project,
        operation,
        did_run=did_run,
        reason="looked",
        approve=lambda evidence: True,
        on_lock_wait=listener.on_lock_wait,
        lock_timeout_s=300.0,
    )


def repair(world: World, error: StatetoolError) -> None:
    """`statetool state push FILE`, as the error says."""
    found = re.search(r"statetool state push (\S+)", error.hint or "")
    assert found is not None, error.hint
    pushed = LocalBackend(Path(found[1])).read()
    assert pushed is not None
    backend = LocalBackend(Path(str(world.place.path)))
    with backend.lock(_SOMEBODY, 0, lambda holder: None, repairing=True) as lease:
        backend.write(backend.read(), pushed, lease, floor=pushed.serial)
