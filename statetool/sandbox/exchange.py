"""One request and its answer, inside one transaction: faults, credentials, effect, log line.

Owns their order. Must not know HTTP frameworks, SQL or rules of the world; what faults do stands in fault_effects.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any

from statetool.sandbox import api, fault_effects, iam
from statetool.sandbox.access import Accounts, Gate
from statetool.sandbox.addresses import addresses_of, disturb
from statetool.sandbox.errors import Refusal, SandboxError, unauthenticated
from statetool.sandbox.fault_schedule import (
    FaultCount,
    Occasion,
    action_of,
    component_of,
    job_of,
    short_path,
    strike,
)
from statetool.sandbox.faults import JOB_KINDS, Fault, FaultKind
from statetool.sandbox.gray import rule_body
from statetool.sandbox.model import LogEntry
from statetool.sandbox.tables import Tables

_READ_ONLY = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API: HTTP status, JSON body, the id for the header X-Request-Id, and other headers.

    `fault` is what has to go wrong with it on its way (delivery.py); status 0 means that nothing is sent.
    """

    status_code: int
    body: dict[str, Any]
    request_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None

    @property
    def content(self) -> tuple[bytes, str]:
        """What is sent, and its content type."""
        # ASCII only: a lone surrogate sent by a client must not break the answer that quotes it.
        content = json.dumps(self.body).encode()
        if self.fault is None:
            return content, fault_effects.JSON
        return fault_effects.spoil_content(self.fault, self.status_code, content)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request: as it came, and when."""

    method: str
    path: str
    query: str
    body: bytes
    authenticated: bool
    gate: Gate | None
    now_ms: int
    request_id: str

    @property
    def is_logged(self) -> bool:
        """Whether it may change the world; IAM's requests are never logged."""
        return self.method not in _READ_ONLY and not iam.is_iam(self.method, self.path)

    @property
    def only_reads(self) -> bool:
        """Whether answering it writes nothing, as long as there are no faults."""
        return not self.is_logged and not (self.gate and self.gate.writes)

    def execute(self, tables: Tables, skew_ms: int = 0) -> Answer:
        """What the platform answers, `skew_ms` being how far its gateway's clock is ahead."""
        headers = {"Date": http_date(self.now_ms + skew_ms)}
        try:
            if iam.is_iam(self.method, self.path) and self.method == "POST":
                accounts = self.gate.accounts if self.gate else Accounts()
                made, token = iam.create_token(tables, self.query, self.body, self.now_ms, accounts)
                return Answer(201, made, self.request_id, {**headers, iam.TOKEN_HEADER: token})
            handler = None if iam.is_iam(self.method, self.path) else api.resolve(self.method, self.path)
            if not self.authenticated:
                raise unauthenticated("x-auth-token is missing or wrong")
            if self.gate is not None:
                self.gate.ensure_open(tables, self.now_ms + skew_ms)
            if handler is None:
                return Answer(200, iam.list_projects(tables, self.query), self.request_id, headers)
            body = handler(tables, self.query, self.body, self.now_ms)
            return Answer(handler.status_code, body, self.request_id, headers)
        except Refusal as refusal:
            body = api.error_body(refusal, self.request_id)
            return Answer(refusal.status_code, body, self.request_id, headers)

    def run(self, tables: Tables) -> Answer:
        """The answer, with whatever has to go wrong, and the line in the log.

        While nobody gets a connection a request that came in all the same (over one that was open) neither counts
        for any fault nor stands in the log.
        """
        counts = tables.faults()
        shut = next((count for count in counts if count.until_ms > self.now_ms), None)
        if shut is not None:
            seconds = (shut.until_ms - self.now_ms) / 1000
            return Answer(0, {}, self.request_id, fault=replace(shut.fault, executed=False, seconds=seconds))
        seen, place = strike(counts, self._occasion(tables)) if counts else ([], None)
        if place is None:
            answer = self._executed(tables, None)
        else:
            answer, seen[place] = self._faulty(tables, seen[place])
        for position, count in enumerate(seen):
            if count != counts[position]:
                tables.put_fault(position, count)
        return answer

    def _faulty(self, tables: Tables, hit: FaultCount) -> tuple[Answer, FaultCount]:
        """The answer of a request that is hit, and what became of the fault."""
        fault, kind = hit.fault, hit.fault.kind
        if kind is FaultKind.DISTURB:
            return self._disturbed(tables, hit)
        if fault.executes:
            answer = self._executed(tables, fault)
            takes_effect = kind not in JOB_KINDS or _spoil_jobs(tables, fault)
        else:
            answer, takes_effect = self._denied(tables, fault), True
        if kind is FaultKind.REFUSED:
            hit = replace(hit, until_ms=self.now_ms + round(fault.outage_seconds * 1000))
        answer = replace(answer, fault=fault)
        if (body := fault_effects.error_body(fault, self.request_id)) is not None:
            headers = {"Date": http_date(self.now_ms), **fault_effects.error_headers(fault)}
            status_code = fault_effects.answered_status(fault, answer.status_code)
            answer = replace(answer, status_code=status_code, body=body, headers=headers)
        return answer, replace(hit, fired=hit.fired + 1) if takes_effect else hit

    def _disturbed(self, tables: Tables, hit: FaultCount) -> tuple[Answer, FaultCount]:
        """The answer of a request right before or after which somebody else changes a component."""
        before = hit.fault.when != "after"
        if before:
            hit = self._disturb(tables, hit)
            tables.started.clear()  # the job somebody else left behind is not this request's
        answer = self._executed(tables, hit.fault)
        return answer, hit if before else self._disturb(tables, hit)

    def _disturb(self, tables: Tables, hit: FaultCount) -> FaultCount:
        plan = hit.fault.disturbance
        assert plan is not None, "a fault of this kind always has one"
        try:
            disturb(tables, plan.address, plan.change, self.now_ms)
        except SandboxError as error:
            return replace(hit, problem=str(error))
        return replace(hit, fired=hit.fired + 1, problem=None)

    def _executed(self, tables: Tables, fault: Fault | None) -> Answer:
        """The true answer, with its line in the log."""
        is_skewed = fault is not None and fault.kind is FaultKind.CLOCK_SKEW
        answer = self.execute(tables, round((fault.seconds or 0) * 1000) if fault and is_skewed else 0)
        job_id = tables.started[0] if len(tables.started) == 1 else None
        self._log(tables, answer.status_code, job_id, fault)
        return answer

    def _denied(self, tables: Tables, fault: Fault) -> Answer:
        """No effect, and in the log what the client sees."""
        status_code = fault_effects.answered_status(fault, 0)
        self._log(tables, status_code, None, fault)
        return Answer(status_code, {}, self.request_id)

    def _log(self, tables: Tables, status_code: int, job_id: str | None, fault: Fault | None) -> None:
        if self.is_logged:
            text = self.body.decode("utf-8", "replace")
            kind = None if fault is None else str(fault.kind)
            form = _gray_rule_body(self.method, self.path, self.body)
            tables.add_log(LogEntry(self.now_ms, self.method, self.path, text, status_code, job_id, kind, form))

    def _occasion(self, tables: Tables) -> Occasion:
        path = short_path(self.path)
        identity, job_id = component_of(path), job_of(path)
        job = tables.job(job_id) if job_id and job_id.isascii() else None
        if job is not None:
            identity = job.component_id
        addresses = addresses_of(tables, identity) if identity else frozenset()
        return Occasion(self.method, path, action_of(self.method, path, self.body), addresses)


def _spoil_jobs(tables: Tables, fault: Fault) -> bool:
    """Let a fault hit every job this request started; whether there was one it can hit."""
    hits = 0
    for job_id in tables.started:
        job = tables.job(job_id)
        component = tables.component(job.component_id) if job else None
        spoilt = fault_effects.spoil_job(fault, component, job) if job and component else None
        if spoilt is not None:
            tables.put_component(spoilt[0])
            tables.put_job(spoilt[1])
            hits += 1
    return hits > 0


def _gray_rule_body(method: str, path: str, body: bytes) -> str | None:
    """What a modify_gray_rule looks like (`gray.rule_body`), whether it was accepted or not; None for the rest."""
    path = short_path(path)
    if component_of(path) is None or action_of(method, path, body) != "modify_gray_rule":
        return None
    return rule_body(json.loads(body).get("parameters"))


def http_date(at_ms: int) -> str:
    """An instant as the header Date writes it."""
    return formatdate(at_ms / 1000, usegmt=True)
