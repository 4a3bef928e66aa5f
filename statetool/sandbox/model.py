"""The plain values the simulated world is made of.

Owns their shapes. Must not hold rules (world.py, actions.py), JSON of the API (views.py) or storage (store.py).
Instants are epoch milliseconds (names end in `_ms`), versions are texts, ids are texts as the API shows them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

VIRTUAL_MACHINE_PLATFORMS = frozenset({"ecs", "as"})
ROLLED_BACK = "ROLLBACKED"
"""The status of a record that a rollback left behind (SIM: the word of jobs, those of records are not known)."""
_OPEN = frozenset({"RUNNING", "FAILED"})
_STATUS = re.compile(r"[A-Z][A-Z_]{0,63}")


def is_status(text: str) -> bool:
    """Whether a text can be a component_status; unknown words are welcome, a client must survive them."""
    return _STATUS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """One header match of a content gray release [SDK]: type header, condition equal, match or in."""

    type: str
    key: str
    condition: str
    value: str


@dataclass(frozen=True, slots=True)
class Gray:
    """Settings of a gray release [SDK, TF]: kind WEIGHT has a weight in percent, kind CONTENT has match and rules.

    `batches_done` counts continue_deploy calls that came back to the pause (switch gray_continue: per_batch).
    `deployment_mode`: 1 and 3 microservice, 4 and 6 load balancer [SDK, TF].
    """

    kind: str
    weight: int | None
    match: str | None
    rules: tuple[Rule, ...]
    mode: str
    first_batch_replica: int
    remaining_batch: int
    batches_done: int = 0
    deployment_mode: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One deployed version. `replica` is the number configured at that time; `job_ids` are its phases in order.

    `config` is the JSON object the deployment was asked for with; None for a seeded one whose looks follow from its
    names alone (looks.py). A text, because it never changes and is rarely looked into.
    """

    version: str
    deploy_type: str
    begin_ms: int
    end_ms: int | None
    status: str
    replica: int
    job_ids: tuple[str, ...]
    gray: Gray | None = None
    config: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A job in flight on one component, with all it needs to end later without asking anybody.

    effect         what it does: create, deploy, scale, start, stop, restart, rollback, abort, promote, next_batch,
                   modify, sync, delete
    visible_ms     from when on reading the component shows it, and what it has done
    status_during  None where the status does not change (modify, sync)
    replica        the configured number once it succeeded
    keep_newer     records that a rollback leaves behind are kept, marked ROLLED_BACK
    own_record     the newest record is this action's own
    replaced       the failed deployment's record that this deployment took the place of
    status_after   the component's status once it ended, whatever it was to be (a fault)
    ready_limit    no more instances are healthy once it ended (a fault)
    """

    effect: str
    job_id: str
    start_ms: int
    visible_ms: int
    end_ms: int
    status_before: str
    status_during: str | None
    replica: int
    replica_before: int
    version: str | None = None
    gray: Gray | None = None
    failure: str | None = None
    keep_newer: bool = False
    own_record: bool = False
    replaced: Record | None = None
    status_after: str | None = None
    ready_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """One component. `records` run oldest first; `used` is the position of the one in use.

    By position, not by version: where versions may be used twice, or scaling makes records, several have the same.

    replica      configured number (top level of the detail)
    actual       instances that exist (status.replica)
    available    healthy instances (status.available_replica)
    ready_limit  not more than so many instances become healthy; None: all do
    rolled_back  the last change of version was a rollback: another one is refused [03_0037]
    fail_next    the next accepted action's job fails with this message
    gone_ms      from when on a deletion has made it disappear
    """

    id: str
    name: str
    application_id: str
    environment_id: str
    platform_type: str
    replica: int
    actual: int
    available: int
    status: str
    used: int
    records: tuple[Record, ...]
    last_job_id: str
    create_ms: int
    update_ms: int
    ready_limit: int | None = None
    rolled_back: bool = False
    fail_next: str | None = None
    operation: Operation | None = None
    gone_ms: int | None = None

    @property
    def in_use(self) -> Record:
        """The record in use."""
        return self.records[self.used]

    @property
    def current(self) -> str:
        """The version in use."""
        return self.in_use.version

    @property
    def candidate(self) -> Record | None:
        """The record of a deployment that is not in use: running, failed, or a gray release still open."""
        newest = self.records[-1]
        return newest if newest is not self.in_use and newest.status in _OPEN else None

    @property
    def on_virtual_machines(self) -> bool:
        """Whether scaling needs hosts and gray releases are impossible [06_0082, 03_0122]."""
        return self.platform_type in VIRTUAL_MACHINE_PLATFORMS

    def record(self, version: str) -> Record | None:
        """The newest record of a version, or None."""
        return next((record for record in reversed(self.records) if record.version == version), None)


@dataclass(frozen=True, slots=True)
class Job:
    """One job; immutable, because its status is a function of the time.

    Faults name the status it has until its end, and the one it has then.
    """

    id: str
    component_id: str
    verb: str
    start_ms: int
    end_ms: int
    failure: str | None = None
    status_during: str | None = None
    status_after: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """An application or an environment; `body` is a JSON object of whatever else was said about it."""

    id: str
    name: str
    create_ms: int
    update_ms: int
    body: str = "{}"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One mutating API request as it arrived: `body` is the parsed JSON, or the text where it was not JSON.

    `status_code` and `job_id` are what the request came to, whatever became of the answer: a job started is a job
    here. A request that a fault kept from being executed has the status the client saw instead, 0 for no answer, and
    no job. `fault` is the kind of the fault that hit it. `gray_rule_body` is what the body of a modify_gray_rule looked
    like (`gray.rule_body`); None for every other request.
    """

    at_ms: int
    method: str
    path: str
    body: Any
    status_code: int
    job_id: str | None
    fault: str | None = None
    gray_rule_body: str | None = None


@dataclass(frozen=True, slots=True)
class SeedSummary:
    """How much a seed put into the world."""

    applications: int
    environments: int
    components: int
