"""Beside the story: reading the recorded state, letting a rejected version return, steering a sandbox.

Owns the calls of the commands that neither plan nor apply. It must not print, nor touch the platform.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from statetool.backends import OnWait
from statetool.backends.files import explain, read_file
from statetool.backends.snapshot import fold_into_state
from statetool.connection import open_sandbox
from statetool.core.model import Address, Recorded
from statetool.core.state import StateFile, clear_rejection
from statetool.errors import StateError, StatetoolError, UsageError
from statetool.session import Project
from statetool.state_work import Locking, open_state, read_stored

if TYPE_CHECKING:
    from statetool.sandbox import SeedSummary

_LARGEST_SEED = 16 * 2**20


# --- state -----------------------------------------------------------------------------------------------------------


def read_state(project: Project) -> StateFile:
    """The recorded state. Raises StateError where there is none yet, StateUnreadable for a damaged one."""
    state = read_stored(project.backend).state
    assert state is not None
    return state


def read_recorded(project: Project, address: Address) -> Recorded:
    """What the state keeps of one component. Raises StateError where it is not recorded."""
    recorded = read_state(project).components.get(address)
    if recorded is None:
        raise StateError(
            f"{address} is not in the state",
            code="not_recorded",
            address=str(address),
            hint="`statetool state list` shows what is recorded",
        )
    return recorded


def clear_rejected_version(
    project: Project, address: Address, version: str, reason: str, *, lock_timeout_s: float, on_lock_wait: OnWait
) -> None:
    """Let a rejected version return (`rollout clear`). Raises StateError where it is not rejected."""
    with open_state(project, "rollout clear", Locking(lock_timeout_s, on_lock_wait)) as (backend, lease):
        stored = fold_into_state(backend, lease, read_stored(backend)).stored
        assert stored is not None
        cleared = clear_rejection(stored, address, version, reason)
        if cleared == stored:
            raise StateError(
                f"{version} is not rejected for {address}",
                address=str(address),
                code="not_rejected",
                hint=f"`statetool state show {address}` lists what is rejected",
            )
        backend.write(stored, cleared, lease)


# --- sandbox ---------------------------------------------------------------------------------------------------------


class Controls(Protocol):
    """What steers a sandbox, in a file or served: the same methods, SandboxError from each."""

    def seed(self, text: str, filename: str) -> SeedSummary: ...

    def disturb(
        self,
        address: str,
        *,
        replicas: int | None = None,
        weight: int | None = None,
        end_gray: str | None = None,
        fail_next_job: str | None = None,
    ) -> None: ...

    def reset(self) -> None: ...


@contextmanager
def sandbox_controls(endpoint: str, sandbox_path: Path | None) -> Iterator[Controls]:
    """The sandbox in a file, else the one served at `endpoint`. Within the block its errors become ours."""
    from statetool.sandbox import ControlClient, SandboxError

    try:
        if sandbox_path is None:
            yield ControlClient(endpoint)
            return
        sandbox = open_sandbox(sandbox_path)
        try:
            yield sandbox
        finally:
            sandbox.close()
    except SandboxError as error:
        raise StatetoolError(str(error), code="sandbox") from None


def serve_sandbox(path: Path, *, port: int, job_seconds: float | None) -> None:
    """Serve a world until a signal comes. Raises StatetoolError, UsageError where the server is not installed."""
    from statetool.sandbox import SandboxError

    try:
        from statetool.sandbox import serve
    except ImportError:
        raise UsageError(
            "serving the sandbox needs a package that is not installed",
            code="not_installed",
            hint="pip install 'statetool[serve]'",
        ) from None
    try:
        serve(path, port=port, job_seconds=job_seconds)
    except SandboxError as error:
        raise StatetoolError(str(error), code="sandbox") from None


def load_seed(path: Path) -> str:
    """The text of a seed. Raises StatetoolError where it can't be read."""
    try:
        return read_file(path, _LARGEST_SEED, follow_links=True)[0].decode("utf-8-sig")
    except OSError as error:
        raise StatetoolError(f"the seed {path} can't be read: {explain(error)}", code="seed") from None
    except UnicodeDecodeError:
        raise StatetoolError(f"the seed {path} is not UTF-8", code="seed", hint="save it as UTF-8") from None
