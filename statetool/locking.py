"""Taking the lock of a state, and finding out how far its holder is for those who meet it.

Owns what a person is told beside the holder's name. How a lock works is `backends/`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from statetool.backends import Backend, LockInfo, OnWait
from statetool.backends.lease import Lease
from statetool.core.journal import Journal, fold_journal
from statetool.errors import StateError, StateLocked


@contextlib.contextmanager
def hold_lock(
    open_backend: Callable[[], Backend], info: LockInfo, timeout_s: float, on_wait: OnWait, *, repairing: bool = False
) -> Iterator[tuple[Backend, Lease]]:
    """Open a backend and hold the lock of its state for the length of a block. Raises what `Backend.lock` raises.

    Whoever waits is told how far the holder is, and so is whoever meets it in vain: another client finds that out.
    """
    backend = open_backend()

    def tell(holder: LockInfo | None) -> None:
        on_wait(holder and with_progress(open_backend, holder))

    with contextlib.ExitStack() as stack:
        try:
            lease = stack.enter_context(backend.lock(info, timeout_s, tell, repairing=repairing))
        except StateLocked as error:
            raise _told_further(error, open_backend) from None
        yield backend, lease


def with_progress(open_backend: Callable[[], Backend], holder: LockInfo) -> LockInfo:
    """The holder with what its run noted down of itself, where it did."""
    journal = find_journal(open_backend)
    run = journal.run if journal is not None else None
    return replace(holder, progress=run) if run is not None and run.run_id == holder.run_id else holder


def find_journal(open_backend: Callable[[], Backend]) -> Journal | None:
    """What the journal says, None where it can't be read: it is only asked for what is told beside something else."""
    with contextlib.suppress(StateError):
        return fold_journal(open_backend().read_journal())
    return None


def _told_further(error: StateLocked, open_backend: Callable[[], Backend]) -> StateLocked:
    holder = None
    with contextlib.suppress(StateError):
        holder = open_backend().find_holder()
    progress = with_progress(open_backend, holder).progress if holder is not None else None
    if progress is None or not progress.actions:
        return error
    far = f"{error.message}; {progress.ended} of {progress.actions} actions ended"
    return StateLocked(far, code=error.code, hint=error.hint)
