"""The sandbox as a whole: a world in a store, moved by an injected clock.

Owns the public class, and the one place where a request, its effect and its log line become one transaction. Must
not know HTTP frameworks, SQL or rules.
"""

from __future__ import annotations

import dataclasses
import difflib
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from statetool.sandbox import api, disturb, iam, switches
from statetool.sandbox.access import Accounts, Gate
from statetool.sandbox.errors import Refusal, SandboxError, unauthenticated
from statetool.sandbox.model import LogEntry, SeedSummary
from statetool.sandbox.store import Store
from statetool.sandbox.tables import Tables

_READ_ONLY = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API: HTTP status, JSON body, the id for the header X-Request-Id, and other headers."""

    status_code: int
    body: dict[str, Any]
    request_id: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Sandbox:
    """A simulated ServiceStage project. Several objects and processes on one file see one world."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    @classmethod
    def open(
        cls,
        path: Path | None,
        *,
        clock: Callable[[], float] = time.time,
        job_seconds: float | None = None,
    ) -> Sandbox:
        """Open a world, or make an empty one; None keeps it in memory.

        `clock` gives seconds since the epoch. `job_seconds` (how long a job takes) is stored in the world, so that
        everybody on the file agrees; None leaves what is stored there (1.0 at first). Raises SandboxError for a
        file that is not a sandbox world or can't be used.
        """
        store = Store(path)
        sandbox = cls(store, clock)
        if job_seconds is not None:
            try:
                sandbox._set_job_seconds(job_seconds)
            except SandboxError:
                store.close()
                raise
        return sandbox

    def close(self) -> None:
        """Let go of the file; the world stays in it."""
        self._store.close()

    def seed(self, text: str, filename: str) -> SeedSummary:
        """Replace the world and its log by a seed (YAML); `filename` only names it in messages.

        Switches the seed does not name get their defaults, except job_seconds, which stays. Raises SandboxError
        with file, line and path inside the document; then nothing has changed.
        """
        from statetool.sandbox import seed  # here: it loads yaml

        world = seed.build(text, filename, self._now_ms())
        with self._store.writing() as tables:
            chosen = world.switches
            if not world.job_seconds_named:
                chosen = dataclasses.replace(chosen, job_seconds=tables.switches().job_seconds)
            tables.clear()
            tables.set_switches(chosen)
            tables.fill(world.applications, world.environments, world.components, world.jobs)
        return SeedSummary(len(world.applications), len(world.environments), len(world.components))

    def disturb(
        self,
        address: str,
        *,
        replicas: int | None = None,
        available_replicas: int | None = None,
        status: str | None = None,
        weight: int | None = None,
        end_gray: str | None = None,
        fail_next_job: str | None = None,
    ) -> None:
        """Change a component behind the tool's back, at once and without a line in the log.

        `address` is app/component or app/component@env; what the changes mean stands at `disturb.Disturbance`.
        Raises SandboxError for an unknown address (with near names) or an impossible change.
        """
        change = disturb.Disturbance(replicas, available_replicas, status, weight, end_gray, fail_next_job)
        with self._store.writing() as tables:
            component = tables.component(_resolve(tables, address, self._now_ms()))
            if component is None:
                raise SandboxError(f"no component {address!r} in the sandbox")
            changed, job = disturb.disturbed(component, change, self._now_ms(), f"JOB{uuid.uuid4()}")
            tables.put_component(changed)
            if job is not None:
                tables.add_job(job)

    def reset(self) -> None:
        """An empty world with an empty log and default switches; job_seconds stays."""
        with self._store.writing() as tables:
            kept = tables.switches().job_seconds
            tables.clear()
            tables.set_switches(switches.Switches(job_seconds=kept))

    def log(self) -> list[LogEntry]:
        """Every mutating API request since the last seed or reset, refused ones too, oldest first."""
        with self._store.reading() as tables:
            return tables.log()

    def handle(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        *,
        authenticated: bool = True,
        gate: Gate | None = None,
    ) -> Answer:
        """Answer one API request. A mutating one and its log line are one transaction; IAM's are never logged.

        `gate` is the request as it came over the wire, to check its credentials; None lets everybody in, unless
        `authenticated` is false. Raises SandboxError only where the world itself can't be used; everything the
        platform would refuse is an Answer.
        """
        now_ms, request_id = self._now_ms(), uuid.uuid4().hex
        path = path.encode("utf-8", "replace").decode()

        def answer(tables: Tables) -> Answer:
            try:
                if iam.is_iam(method, path) and method == "POST":
                    accounts = gate.accounts if gate else Accounts()
                    made, token = iam.create_token(tables, query, body, now_ms, accounts)
                    return Answer(201, made, request_id, {iam.TOKEN_HEADER: token})
                handler = None if iam.is_iam(method, path) else api.resolve(method, path)
                if not authenticated:
                    raise unauthenticated("x-auth-token is missing or wrong")
                if gate is not None:
                    gate.ensure_open(tables, now_ms)
                if handler is None:
                    return Answer(200, iam.list_projects(tables, query), request_id)
                return Answer(handler.status_code, handler(tables, query, body, now_ms), request_id)
            except Refusal as refusal:
                return Answer(refusal.status_code, api.error_body(refusal, request_id), request_id)

        logged = method not in _READ_ONLY and not iam.is_iam(method, path)
        if not logged and not (gate and gate.writes):
            with self._store.reading() as tables:
                return answer(tables)
        with self._store.writing() as tables:
            result = answer(tables)
            if not logged:
                return result
            text = body.decode("utf-8", "replace")
            tables.add_log(now_ms, method, path, text, result.status_code, result.body.get("job_id"))
            return result

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _set_job_seconds(self, seconds: float) -> None:
        with self._store.writing() as tables:
            try:
                tables.set_switches(switches.with_job_seconds(tables.switches(), seconds))
            except ValueError as error:
                raise SandboxError(str(error)) from None


def _resolve(tables: Tables, address: str, now_ms: int) -> str:
    """The id of the one component an address names. Raises SandboxError for none (with near names) or several."""
    names, _, environment = address.partition("@")
    application, _, component = names.partition("/")
    found = tables.addresses(now_ms, application, component) if application and component else []
    found = [row for row in found if not environment or row[2] == environment]
    if len(found) == 1:
        return found[0][3]
    if found:
        choices = ", ".join(f"{row[0]}/{row[1]}@{row[2]}" for row in found)
        raise SandboxError(f"{address!r} names several components: {choices}")
    known = tables.addresses(now_ms)
    texts = {f"{row[0]}/{row[1]}" for row in known}
    if environment:
        texts = {f"{row[0]}/{row[1]}@{row[2]}" for row in known}
    near = difflib.get_close_matches(address, sorted(texts), n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else f"; it holds {len(known)} components"
    raise SandboxError(f"no component {address!r} in the sandbox{hint}")
