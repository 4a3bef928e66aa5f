"""Work on the recorded state itself: push, rm, mv, earlier serials, moving to another backend, and its lock.

Owns what is refused, and the order of the writes: wherever such a command is cut off, running it again completes it.
It must not touch the platform, nor print.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from statetool import __version__, surroundings
from statetool.backends import Backend, LockInfo, OnWait, StoredSerial
from statetool.backends.files import explain, read_file
from statetool.backends.lease import Lease
from statetool.backends.places import BackendName
from statetool.backends.snapshot import Snapshot, ensure_belongs, fold_into_state, read_snapshot
from statetool.backends.state_text import MAX_BYTES, parse_state
from statetool.core.comparison import StateDifference, compare_states
from statetool.core.interrupted import describe_operation
from statetool.core.journal import Journal
from statetool.core.model import Address
from statetool.core.state import StateFile
from statetool.errors import StateError, StateLocked, StateUnreadable
from statetool.locking import find_journal, hold_lock, with_progress
from statetool.session import Project


@dataclass(frozen=True, slots=True)
class Locking:
    """How a command takes the lock."""

    timeout_s: float
    on_wait: OnWait


@contextmanager
def open_state(
    project: Project,
    operation: str,
    locking: Locking,
    *,
    name: BackendName | None = None,
    repairing: bool = False,
) -> Iterator[tuple[Backend, Lease]]:
    """The backend in use, or the one of that name, with the lock of its state."""
    info = surroundings.lock_info(operation, surroundings.new_id(), __version__, project.environ)

    def opened() -> Backend:
        return project.open(name or project.settings.state.backend)

    with hold_lock(opened, info, locking.timeout_s, locking.on_wait, repairing=repairing) as held:
        yield held


def read_stored(backend: Backend) -> Snapshot:
    """What is recorded. Raises StateError where there is nothing yet."""
    snapshot = read_snapshot(backend)
    if snapshot.state is None:
        raise StateError(
            f"there is no state yet at {backend.location}", code="no_state", hint="`statetool apply` makes it"
        )
    return snapshot


# --- earlier serials -------------------------------------------------------------------------------------------------


def read_history(project: Project) -> tuple[StoredSerial, ...]:
    """The serials that can be read, newest first. Raises StateError where the backend keeps none."""
    return _with_history(project).read_history()


def read_serial(project: Project, serial: int) -> StateFile:
    """The state as it was stored with that serial; raises StateError as above."""
    return _with_history(project).read_serial(serial)


def _with_history(project: Project) -> Backend:
    backend = project.backend
    read_stored(backend)
    if not backend.capabilities.has_history:
        raise StateError(
            f"the backend {project.settings.state.backend} keeps no earlier serials ({backend.location})",
            code="no_history",
            hint="the server itself may: GitLab lists versions under Operate > Terraform states",
        )
    return backend


# --- push ------------------------------------------------------------------------------------------------------------


HIGHEST_PUSHED = 2**52
"""No run gets from here to what no reader of a state takes any more."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """How a push ended. `stored` is None where it was declined."""

    difference: StateDifference
    stored: StateFile | None
    is_needless: bool = False


def load_state_file(path: Path) -> StateFile:
    """A state that stands in a file. Raises StateUnreadable."""
    try:
        return parse_state(read_file(path, MAX_BYTES, follow_links=True)[0])
    except OSError as error:
        raise StateUnreadable(
            f"{path} can't be read: {explain(error)}", hint="name a file that holds a state"
        ) from None
    except StateUnreadable as error:
        raise StateUnreadable(f"{path} is no state that can be pushed: {error.message}", hint=error.hint) from None


def push_state(
    project: Project, pushed: StateFile, *, approve: Callable[[StateDifference], bool], locking: Locking
) -> Pushed:
    """Let `pushed` take the place of what is stored, if that is approved; a rescue of this state is then dealt with.

    Raises StateError for another lineage (of a state or of a journal without one), an older serial, the same serial
    with other content, or one beyond counting.
    """
    if pushed.moved_to is not None:
        raise StateError(
            f"this state only says that it was moved to {pushed.moved_to}",
            code="state_moved",
            hint="push the state that was pulled from there",
        )
    if pushed.serial > HIGHEST_PUSHED:
        raise StateError(
            f"serial {pushed.serial} is no number that a state gets to",
            code="serial_too_high",
            hint="write the serial after the stored one into the file: `statetool state history` shows that",
        )
    with open_state(project, "state push", locking, repairing=True) as (backend, lease):
        snapshot = read_snapshot(backend)
        before = snapshot.state
        if before is not None:
            _ensure_successor(before, pushed, backend.location)
        ensure_belongs(snapshot.journal, pushed, backend)
        difference = compare_states(before, pushed)
        is_needless = before is not None and before.holds_the_same_as(pushed)
        if not is_needless and not approve(difference):
            return Pushed(difference, None)
        stored = fold_into_state(backend, lease, snapshot).stored
        return Pushed(difference, backend.write(stored, pushed, lease, floor=pushed.serial), is_needless)


def _ensure_successor(before: StateFile, pushed: StateFile, location: str) -> None:
    if pushed.lineage != before.lineage:
        raise StateError(
            f"{location} holds lineage {before.lineage}, and this is a state of lineage {pushed.lineage}",
            code="other_lineage",
            hint="the two never had anything in common: check state in statetool.yaml, and which file this is",
        )
    if pushed.serial < before.serial:
        raise StateError(
            f"{location} holds serial {before.serial}, and this is serial {pushed.serial}: it would bring back what "
            "is over",
            code="older_serial",
            hint=f"where that is meant, write serial {before.serial + 1} into the file",
        )
    if pushed.serial == before.serial and not before.holds_the_same_as(pushed):
        raise StateError(
            f"{location} holds another content under the same serial {before.serial}",
            code="same_serial",
            hint=f"where this one is right, write serial {before.serial + 1} into the file",
        )


# --- rm, mv ----------------------------------------------------------------------------------------------------------


def remove_records(project: Project, addresses: Sequence[Address], locking: Locking) -> StateFile:
    """Forget components, all of them or none: the platform is not touched. The state as it is stored then.

    Raises StateError where one is not recorded, or has an open operation.
    """
    with open_state(project, "state rm", locking) as (backend, lease):
        snapshot, stored = _read_folded(backend, lease)
        for address in addresses:
            _ensure_recorded(stored, address)
        ensure_closed(snapshot.journal, addresses)
        gone = set(addresses)
        left = {address: record for address, record in stored.components.items() if address not in gone}
        return backend.write(stored, replace(stored, components=left), lease)


def move_record(project: Project, source: Address, target: Address, locking: Locking) -> StateFile:
    """Give what is recorded of a component another address. The state as it is stored then.

    Raises StateError where there is nothing at `source`, something at `target`, or an operation is open.
    """
    with open_state(project, "state mv", locking) as (backend, lease):
        snapshot, stored = _read_folded(backend, lease)
        _ensure_recorded(stored, source)
        if target in stored.components:
            raise StateError(
                f"{target} is recorded already",
                code="already_recorded",
                address=str(target),
                hint=f"where that record is not wanted: statetool state rm {target}",
            )
        ensure_closed(snapshot.journal, (source, target))
        components = {a: record for a, record in stored.components.items() if a != source}
        components[target] = replace(stored.components[source], address=target)
        return backend.write(stored, replace(stored, components=components), lease)


def _read_folded(backend: Backend, lease: Lease) -> tuple[Snapshot, StateFile]:
    snapshot = fold_into_state(backend, lease, read_stored(backend))
    assert snapshot.stored is not None
    return snapshot, snapshot.stored


def _ensure_recorded(state: StateFile, address: Address) -> None:
    if address not in state.components:
        raise StateError(
            f"{address} is not in the state",
            code="not_recorded",
            address=str(address),
            hint="`statetool state list` shows what is recorded",
        )


def ensure_closed(journal: Journal, addresses: Collection[Address] | None = None) -> None:
    """Raises StateError where an operation on one of these components is open, or any one where none are named."""
    for operation in journal.operations.values():
        if addresses is not None and operation.address not in addresses:
            continue
        resolve = f"statetool state resolve {operation.id} --did-run, or --did-not"
        raise StateError(
            f"{operation.id} has not ended: {describe_operation(operation)}",
            code="operation_open",
            address=str(operation.address),
            hint=f"find out, then: {resolve}" if operation.is_parked else "run `statetool apply --resume` first",
        )


# --- the lock --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LockView:
    """Who holds the lock, and what the journal says. `is_known` false: this backend shows no lock, only refuses."""

    location: str
    holder: LockInfo | None
    is_known: bool
    journal: Journal | None


def read_lock(project: Project) -> LockView:
    """Takes no lock and writes nothing."""
    backend = project.backend
    holder = backend.find_holder()
    if holder is not None:
        holder = with_progress(lambda: project.backend, holder)
    is_known = holder is not None or backend.capabilities.expires
    return LockView(backend.location, holder, is_known, find_journal(lambda: project.backend))


def break_lock(
    project: Project, lock_id: str, reason: str, *, approve: Callable[[str | LockInfo], bool]
) -> LockInfo | None:
    """End the lock of a holder that is known to be dead, if that is approved. Who it was; None where it was declined.

    `approve` is shown the holder, or what the backend says where it shows none. Raises StateError as
    `Backend.break_lock` does.
    """
    backend = project.backend
    view = read_lock(project)
    held: str | LockInfo | None = view.holder if view.is_known else _try_lock(project)
    if held is None:
        raise StateError(
            f"the state {view.location} is not locked", code="not_locked", hint="there is nothing to force"
        )
    if isinstance(held, LockInfo) and held.id != lock_id:
        raise StateError(
            f"the state {view.location} is not locked as {lock_id}, but as {held.id}, by {held.operation} of "
            f"{held.who} since {held.created}",
            code="lock_moved",
            hint="look at that one (`statetool lock show`) before anything is forced",
        )
    return backend.break_lock(lock_id, reason) if approve(held) else None


def _try_lock(project: Project) -> str | None:
    """What is said of the holder where only a refused lock names it; None where nobody holds it."""
    info = surroundings.lock_info("force-unlock", surroundings.new_id(), __version__, project.environ)
    try:
        with project.backend.lock(info, 0.0, lambda _: None, repairing=True):
            return None
    except StateLocked as error:
        return error.message
