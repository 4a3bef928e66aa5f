"""Every query of the sandbox, inside a transaction somebody else opened.

Owns SQL and the paging order. Must not begin or end transactions (store.py), nor know rules or JSON of the API.
"""

# ruff: noqa: S608 - the texts put into queries are table and column names of this module, never values

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from statetool.sandbox.codec import decode_component, decode_job, encode
from statetool.sandbox.fault_schedule import FaultCount
from statetool.sandbox.faults import fault_to_json, parse_fault
from statetool.sandbox.model import Component, Job, LogEntry, Named
from statetool.sandbox.switches import Switches

Kind = Literal["applications", "environments"]

_UPDATED = "CASE WHEN ends_ms <= :now_ms THEN max(ends_ms, update_ms) ELSE update_ms END"
_THERE = "(gone_ms IS NULL OR gone_ms > :now_ms)"
_ORDER = {"create_time": "create_ms", "name": "name", "update_time": "update_ms"}
_LOG = "at_ms, method, path, body, status_code, job_id, fault, gray_rule_body"
_WORLD = ("applications", "environments", "components", "jobs", "log", "faults")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: rows `offset` .. `offset + limit`, ordered by a key of _ORDER."""

    limit: int
    offset: int = 0
    order_by: str = "create_time"
    ascending: bool = False


class Tables:
    """The rows of a world. `started` are the ids of the jobs added in this transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.started: list[str] = []

    def project_id(self) -> str:
        """The only project this world holds."""
        return str(self._meta("project_id"))

    def switches(self) -> Switches:
        """How the world behaves where the documentation is silent."""
        text = self._meta("switches")
        return Switches(**json.loads(text)) if text else Switches()

    def set_switches(self, switches: Switches) -> None:
        """Store the switches."""
        values = json.dumps(dataclasses.asdict(switches))
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('switches', ?)", (values,))

    def clear(self) -> None:
        """Empty the world and its log; the project stays."""
        for table in _WORLD:
            self._connection.execute(f"DELETE FROM {table}")
        self._connection.execute("DELETE FROM meta WHERE key LIKE 'signatures/%'")

    def fill(
        self,
        applications: Iterable[Named],
        environments: Iterable[Named],
        components: Iterable[Component],
        jobs: Iterable[Job],
    ) -> None:
        """Add the rows of a seed."""
        for table, things in (("applications", applications), ("environments", environments)):
            rows = ((thing.id, thing.name, thing.create_ms, thing.update_ms, thing.body) for thing in things)
            self._connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", rows)
        self._connection.executemany(
            "INSERT INTO components VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (c.id, c.application_id, c.environment_id, c.name, c.create_ms, c.update_ms, None, encode(c), None)
                for c in components
            ),
        )
        self._connection.executemany(
            "INSERT INTO jobs VALUES (?, ?, ?)", ((job.id, job.component_id, encode(job)) for job in jobs)
        )

    def named(self, kind: Kind, identity: str) -> Named | None:
        """An application or environment by id."""
        row = self._connection.execute(f"SELECT * FROM {kind} WHERE id = ?", (identity,)).fetchone()
        return Named(*row) if row else None

    def named_page(self, kind: Kind, page: Page, filters: dict[str, str]) -> tuple[int, list[Named]]:
        """The number of all matching applications or environments, and one page; filters by column."""
        where = " AND ".join(f"{column} = :{column}" for column in filters) or "1"
        count = self._connection.execute(f"SELECT count(*) FROM {kind} WHERE {where}", filters).fetchone()[0]
        rows = self._connection.execute(
            f"SELECT * FROM {kind} WHERE {where} {_order(page)} LIMIT :limit OFFSET :offset",
            {**filters, "limit": page.limit, "offset": page.offset},
        )
        return count, [Named(*row) for row in rows]

    def put_named(self, kind: Kind, thing: Named) -> None:
        """Write a new or changed application or environment."""
        row = (thing.id, thing.name, thing.create_ms, thing.update_ms, thing.body)
        self._connection.execute(f"INSERT OR REPLACE INTO {kind} VALUES (?, ?, ?, ?, ?)", row)

    def delete_named(self, kind: Kind, identity: str) -> None:
        """Remove an application or environment."""
        self._connection.execute(f"DELETE FROM {kind} WHERE id = ?", (identity,))

    def component_count(self, kind: Kind, identity: str, now_ms: int) -> int:
        """How many components an application or environment has."""
        column = {"applications": "application_id", "environments": "environment_id"}[kind]
        query = f"SELECT count(*) FROM components WHERE {column} = :id AND {_THERE}"
        return int(self._connection.execute(query, {"id": identity, "now_ms": now_ms}).fetchone()[0])

    def is_component(self, application_id: str, environment_id: str, name: str, now_ms: int) -> bool:
        """Whether an application has a component of this name in this environment."""
        query = f"""SELECT count(*) FROM components WHERE application_id = :application AND name = :name
                    AND environment_id = :environment AND {_THERE}"""
        values = {"application": application_id, "environment": environment_id, "name": name, "now_ms": now_ms}
        return bool(self._connection.execute(query, values).fetchone()[0])

    def add_component(self, component: Component) -> None:
        """Write a new component."""
        c, ends_ms = component, component.operation.end_ms if component.operation else None
        row = (c.id, c.application_id, c.environment_id, c.name, c.create_ms, c.update_ms, ends_ms, encode(c), None)
        self._connection.execute("INSERT INTO components VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def component(self, identity: str) -> Component | None:
        """A component as it was last written, also one that is gone; advance it before showing it."""
        row = self._connection.execute("SELECT body FROM components WHERE id = ?", (identity,)).fetchone()
        return decode_component(row[0]) if row else None

    def component_page(
        self, page: Page, now_ms: int, *, application_id: str = "", application: str = "", name: str = ""
    ) -> tuple[int, list[Component]]:
        """The number of all matching components, and one page; empty filters match everything.

        Two steps, because sorting and skipping over ids alone is what keeps a page of a large world fast.
        """
        clauses, values = _component_filter(now_ms, application_id, application, name)
        where = " AND ".join(clauses)
        count = self._connection.execute(f"SELECT count(*) FROM components WHERE {where}", values).fetchone()[0]
        ids = self._connection.execute(
            f"SELECT id FROM components WHERE {where} {_order(page, _UPDATED)} LIMIT :limit OFFSET :offset",
            {**values, "limit": page.limit, "offset": page.offset},
        ).fetchall()
        one = "SELECT body FROM components WHERE id = ?"
        return count, [decode_component(self._connection.execute(one, row).fetchone()[0]) for row in ids]

    def addresses(self, now_ms: int, application: str = "", component: str = "") -> list[tuple[str, str, str, str]]:
        """(application, component, environment, component id) of the components with these names; empty: all."""
        clauses, values = _component_filter(now_ms, "", application, component, "c.")
        return self._connection.execute(
            f"""SELECT a.name, c.name, e.name, c.id FROM components c
                JOIN applications a ON a.id = c.application_id JOIN environments e ON e.id = c.environment_id
                WHERE {" AND ".join(clauses)} ORDER BY a.name, c.name, e.name""",
            values,
        ).fetchall()

    def names(self, component_id: str) -> tuple[str, str, str] | None:
        """(application, component, environment) of a component id."""
        row: tuple[str, str, str] | None = self._connection.execute(
            """SELECT a.name, c.name, e.name FROM components c JOIN applications a ON a.id = c.application_id
               JOIN environments e ON e.id = c.environment_id WHERE c.id = ?""",
            (component_id,),
        ).fetchone()
        return row

    def put_component(self, component: Component) -> None:
        """Write a changed component."""
        ends_ms = component.operation.end_ms if component.operation else None
        self._connection.execute(
            "UPDATE components SET update_ms = ?, ends_ms = ?, body = ?, gone_ms = ? WHERE id = ?",
            (component.update_ms, ends_ms, encode(component), component.gone_ms, component.id),
        )

    def job(self, identity: str) -> Job | None:
        """A job by id."""
        row = self._connection.execute("SELECT body FROM jobs WHERE id = ?", (identity,)).fetchone()
        return decode_job(row[0]) if row else None

    def add_job(self, job: Job) -> None:
        """Write a new job."""
        self.started.append(job.id)
        self._connection.execute("INSERT INTO jobs VALUES (?, ?, ?)", (job.id, job.component_id, encode(job)))

    def put_job(self, job: Job) -> None:
        """Write a changed job."""
        self._connection.execute("UPDATE jobs SET body = ? WHERE id = ?", (encode(job), job.id))

    def add_log(self, entry: LogEntry) -> None:
        """Write down one mutating request; its body is the text that came."""
        row = (entry.at_ms, entry.method, entry.path, entry.body, entry.status_code, entry.job_id, entry.fault)
        values = (*row, entry.gray_rule_body)
        self._connection.execute(f"INSERT INTO log ({_LOG}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def log(self) -> list[LogEntry]:
        """Every mutating request, oldest first."""
        rows = self._connection.execute(f"SELECT {_LOG} FROM log ORDER BY seq")
        return [LogEntry(row[0], row[1], row[2], _parsed(row[3]), *row[4:]) for row in rows]

    def has_faults(self) -> bool:
        """Whether anything is to go wrong."""
        return self._connection.execute("SELECT 1 FROM faults LIMIT 1").fetchone() is not None

    def faults(self) -> list[FaultCount]:
        """What is to go wrong, in order, with its counters."""
        rows = self._connection.execute("SELECT body, seen, fired, until_ms, problem FROM faults ORDER BY position")
        return [FaultCount(parse_fault(json.loads(row[0])), *row[1:]) for row in rows]

    def set_faults(self, counts: Iterable[FaultCount]) -> None:
        """Replace all faults."""
        self._connection.execute("DELETE FROM faults")
        for position, count in enumerate(counts):
            self.put_fault(position, count)

    def put_fault(self, position: int, count: FaultCount) -> None:
        """Write one fault, or what became of it."""
        body = json.dumps(fault_to_json(count.fault))
        row = (position, body, count.seen, count.fired, count.until_ms, count.problem)
        self._connection.execute("INSERT OR REPLACE INTO faults VALUES (?, ?, ?, ?, ?, ?)", row)

    def failed_signatures(self, access_key: str) -> tuple[int, int]:
        """(wrong signatures in a row, instant in ms until which the key is locked) of an access key."""
        text = self._meta(f"signatures/{access_key}")
        failures, locked_until_ms = json.loads(text) if text else (0, 0)
        return failures, locked_until_ms

    def set_failed_signatures(self, access_key: str, failures: int, locked_until_ms: int) -> None:
        """Remember wrong signatures of an access key."""
        values = (f"signatures/{access_key}", json.dumps([failures, locked_until_ms]))
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)

    def _meta(self, key: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else None


def _order(page: Page, updated: str = "update_ms") -> str:
    direction = "ASC" if page.ascending else "DESC"
    column = _ORDER[page.order_by]
    # The id makes the order total, so that pages never overlap.
    return f"ORDER BY {updated if column == 'update_ms' else column} {direction}, id {direction}"


def _component_filter(
    now_ms: int, application_id: str, application: str, name: str, prefix: str = ""
) -> tuple[list[str], dict[str, Any]]:
    clauses, values = [_THERE], {"now_ms": now_ms}  # type: tuple[list[str], dict[str, Any]]
    if application_id:
        clauses.append(f"{prefix}application_id = :application_id")
        values["application_id"] = application_id
    if application:
        inner = "SELECT id FROM applications WHERE name = :application"
        clauses.append(f"{prefix}application_id IN ({inner})")
        values["application"] = application
    if name:
        clauses.append(f"{prefix}name = :name")
        values["name"] = name
    return clauses, values


def _parsed(body: str) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return body
