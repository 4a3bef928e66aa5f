"""The platform's JSON <-> the model.

Owns the field names of ServiceStage and every tolerance for how its documentation generations differ; what a component
runs with is `configuration.py`. Pure.
What a caller could act on wrongly is never guessed: AnswerUnreadable names the place and what was expected.
What only informs is None where it can't be read. Tags in brackets point into the platform's fact list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, Literal, TypeVar, cast

from statetool.core.deploy import Artifact
from statetool.core.model import (
    Address,
    Application,
    Closer,
    ContentRule,
    GrayRule,
    Job,
    JobPhase,
    Json,
    Observed,
    Record,
    StatusClass,
    classify_status,
)
from statetool.errors import RequestRefused
from statetool.servicestage.configuration import parse_artifact, parse_configuration
from statetool.servicestage.fields import (
    build_unreadable,
    parse_count,
    parse_instant,
    parse_list,
    parse_object,
    parse_optional_count,
    parse_optional_list,
    parse_optional_object,
    parse_optional_text,
    parse_text,
    render_instant,
)
from statetool.servicestage.problems import shorten

T = TypeVar("T")

NO_STATUS = "NO_STATUS"
"""Stands for a component whose status the platform leaves out (a draft); like any unlisted word it means busy."""

_JOB_FAILURES = frozenset({"FAILED", "UNKNOWN", "CANCELLED", "PARTIALLY_FAILED", "ROLLBACKED"})
_DELETION = frozenset({"DELETING", "DELETED"})
_TASK_SUCCESSES = frozenset({"SUCCEEDED", "SKIPPED"})
_MAX_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `count` is the platform's number of all rows [section 1, INFERRED]."""

    count: int
    items: tuple[T, ...]


def parse_applications(body: Json) -> Page[Application]:
    """`{count, applications: [{id, name}]}`. Raises AnswerUnreadable."""
    return _parse_page(
        body, "applications", lambda row, at: Application(parse_text(row, "id", at), parse_text(row, "name", at))
    )


def parse_components(body: Json, application: Application) -> Page[Observed]:
    """`{count, components: [...]}` of one application. Raises AnswerUnreadable."""
    return _parse_page(body, "components", lambda row, at: _parse_row(row, at, application))


def parse_component(body: Json, observed: Observed) -> Observed:
    """The detail of a component as a fresh row. It carries no id and no names [3.3]: those of `observed` stay.

    Raises AnswerUnreadable.
    """
    values = _parse_live(parse_object(body, ""), "")
    return replace(
        observed,
        row_version=values.version,
        status=values.status,
        replicas=values.replicas,
        available_replicas=values.available_replicas,
        last_job_id=values.last_job_id,
        updated_at=values.updated_at,
        artifact=values.artifact,
        closer=None,
    )


def parse_existence(body: Json) -> bool:
    """Whether the detail is of a component that is there, and not of one that is being deleted or was [6].

    Raises AnswerUnreadable.
    """
    status = parse_optional_object(parse_object(body, ""), "status", "")
    word = parse_optional_text(status, "component_status", "status") or ""
    return word.strip().upper() not in _DELETION


def parse_closer(detail: Json, records: Json) -> Closer:
    """What detail (3.3) and records (8) add to a row. Raises AnswerUnreadable."""
    body = parse_object(detail, "")
    strategy = parse_optional_object(body, "deploy_strategy", "")
    gray = parse_optional_object(strategy, "gray_release", "deploy_strategy")
    at = "deploy_strategy.gray_release"
    return Closer(
        configured_replicas=parse_optional_count(body, "replica", ""),
        rule=_parse_rule(gray, at),
        remaining_batches=parse_optional_count(gray, "remaining_batch", at),
        artifact=parse_artifact(body),
        configuration=parse_configuration(detail),
        records=_parse_records(records),
    )


def parse_job(body: Json, job_id: str) -> Job:
    """`{job: {...}, tasks: [...]}`, keys and values in any case [section 7]. Raises AnswerUnreadable.

    A status that is not listed counts as running: the platform's list is not closed.
    """
    answer = _lower_keys(parse_object(body, ""))
    job = _lower_keys(parse_object(answer.get("job"), "job"))
    status = parse_text(job, "execution_status", "job").upper()
    if status == "SUCCEEDED":
        return Job(job_id, JobPhase.SUCCEEDED, status)
    if status not in _JOB_FAILURES:
        return Job(job_id, JobPhase.RUNNING, status)
    tasks = [_lower_keys(task) for task in parse_optional_list(answer, "tasks", "") if isinstance(task, dict)]
    return Job(job_id, JobPhase.FAILED, status, _failure_message(tasks))


def parse_action_answer(body: Json) -> str | None:
    """The job id of an accepted action; None where the platform started no job [4.2, U9].

    Both generations of the body are read: `{job_id, result}` and `{job_id, component_id}`. Raises
    RequestRefused `action_failed` for the in-band failure, AnswerUnreadable for another shape.
    """
    answer = parse_object(body, "")
    job_id = parse_optional_text(answer, "job_id", "")
    if (parse_optional_text(answer, "result", "") or "").lower() == "failed":
        raise RequestRefused(
            "the platform took the request and reports that it failed" + (f" (job {job_id})" if job_id else ""),
            code="action_failed",
            hint="the component's page in the console shows why",
        )
    return job_id


def _parse_page(body: Json, key: str, parse_row: Callable[[Mapping[str, Json], str], T]) -> Page[T]:
    answer = parse_object(body, "")
    rows = parse_list(answer, key, "")
    items = []
    for number, row in enumerate(rows):
        path = f"{key}[{number}]"
        items.append(parse_row(parse_object(row, path), path))
    return Page(parse_count(answer, "count", ""), tuple(items))


@dataclass(frozen=True, slots=True)
class _Live:
    """The moving values that list row and detail share."""

    version: str
    status: str
    replicas: int
    available_replicas: int
    last_job_id: str | None
    updated_at: str | None
    artifact: Artifact | None


def _parse_row(row: Mapping[str, Json], path: str, application: Application) -> Observed:
    """One list item [3.1]."""
    live = _parse_live(row, path)
    environment = parse_optional_text(row, "environment_name", path)
    return Observed(
        address=Address(application.name, parse_text(row, "name", path), environment),
        component_id=parse_text(row, "id", path),
        application_id=application.id,
        environment_id=parse_optional_text(row, "environment_id", path),
        row_version=live.version,
        status=live.status,
        replicas=live.replicas,
        available_replicas=live.available_replicas,
        last_job_id=live.last_job_id,
        updated_at=live.updated_at,
        artifact=live.artifact,
    )


def _parse_live(row: Mapping[str, Json], path: str) -> _Live:
    """Version and status block [section 6]. Instances that exist are status.replica; a list row has no other.

    A component in the making may lack numbers and version; nothing is done to it while it is busy, so they
    read as 0 and empty. Where they would be compared they must be there.
    """
    status = parse_optional_object(row, "status", path)
    at = f"{path}.status" if path else "status"
    word = (parse_optional_text(status, "component_status", at) or NO_STATUS).strip().upper()
    state = classify_status(word)
    numbers = parse_count if state in (StatusClass.READY, StatusClass.GRAYING) else _count_or_zero
    version = (
        parse_optional_text(row, "version", path) if state is StatusClass.BUSY else parse_text(row, "version", path)
    )
    return _Live(
        version=version or "",
        status=word,
        replicas=numbers(status, "replica", at),
        available_replicas=numbers(status, "available_replica", at),
        last_job_id=parse_optional_text(status, "last_job_id", at),
        updated_at=render_instant(parse_instant(status.get("update_time"))),
        artifact=parse_artifact(row),
    )


def _count_or_zero(owner: Mapping[str, Json], key: str, path: str) -> int:
    return parse_optional_count(owner, key, path) or 0


def _parse_rule(gray: Mapping[str, Json], path: str) -> GrayRule | None:
    """The rule of a gray_release block [5.1], enums in any case [5.2]; None where it is not told completely."""
    policy = (parse_optional_text(gray, "type", path) or "").upper()
    if policy == "WEIGHT":
        weight = _optional_percent(gray, "first_batch_weight", path)
        return None if weight is None else GrayRule(weight=weight)
    if policy != "CONTENT":
        return None
    match = (parse_optional_text(gray, "rule_match_mode", path) or "").lower()
    rules = frozenset(
        _parse_content_rule(parse_object(rule, f"{path}.rules[{number}]"), f"{path}.rules[{number}]")
        for number, rule in enumerate(parse_optional_list(gray, "rules", path))
    )
    if match not in ("all", "any") or not rules:
        return None
    return GrayRule(match=cast(Literal["all", "any"], match), rules=rules)


def _parse_content_rule(rule: Mapping[str, Json], path: str) -> ContentRule:
    return ContentRule(
        type=parse_text(rule, "type", path).lower(),
        key=parse_text(rule, "key", path),
        condition=parse_text(rule, "condition", path).lower(),
        value=parse_optional_text(rule, "value", path) or "",
    )


def _optional_percent(owner: Mapping[str, Json], key: str, path: str) -> int | None:
    found = parse_optional_count(owner, key, path)
    if found is not None and found > _MAX_PERCENT:
        raise build_unreadable(f"{path}.{key}", "a percentage", found)
    return found


def _parse_records(body: Json) -> tuple[Record, ...]:
    """`{count, records: [...]}` [section 8], newest first by begin_time; as they came where one can't be read."""
    page = _parse_page(body, "records", _parse_record)
    instants = [begun for begun, _ in page.items if begun is not None]
    if len(instants) < len(page.items):
        return tuple(record for _, record in page.items)
    ordered = sorted(zip(instants, page.items, strict=True), key=lambda pair: pair[0], reverse=True)
    return tuple(record for _, (_, record) in ordered)


def _parse_record(row: Mapping[str, Json], path: str) -> tuple[datetime | None, Record]:
    """When the record began, where that can be read, and the record. Weight and batches are the last phase's."""
    begun = parse_instant(row.get("begin_time"))
    phases = [
        parse_object(phase, f"{path}.jobs[{number}]")
        for number, phase in enumerate(parse_optional_list(row, "jobs", path))
    ]
    phases.sort(key=_sequence)
    at = f"{path}.jobs"
    info = parse_optional_object(phases[-1], "job_info", at) if phases else {}
    job_ids = (parse_optional_text(phase, "job_id", at) for phase in phases)
    record = Record(
        version=parse_text(row, "version", path),
        deploy_type=(parse_optional_text(row, "deploy_type", path) or "").lower(),
        begun_at=render_instant(begun) or shorten(_plain(row.get("begin_time"))),
        current=_is_true(row.get("current_used")),
        status=parse_optional_text(row, "status", path) or "",
        job_ids=tuple(job_id for job_id in job_ids if job_id is not None),
        weight=_optional_percent(info, "first_batch_weight", f"{at}.job_info"),
        remaining_batches=parse_optional_count(info, "remaining_batch", f"{at}.job_info"),
    )
    return begun, record


def _sequence(phase: Mapping[str, Json]) -> int:
    """Where a phase stands in its record. Without a number it keeps its place among the first."""
    sequence = phase.get("sequence")
    return sequence if isinstance(sequence, int) else 0


def _is_true(value: Json) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _lower_keys(value: Mapping[str, Json]) -> Mapping[str, Json]:
    """The object with lower-case keys. Where a key is there in both cases, the lower-case one counts [7]."""
    return {**{key.lower(): item for key, item in value.items()}, **{k: v for k, v in value.items() if k.islower()}}


def _failure_message(tasks: list[Mapping[str, Json]]) -> str | None:
    """Name and words of the task that failed: the last with a failed status, else the last unfinished one.

    Lower-case tasks have `name` and `status`, upper-case ones TASK_NAME and TASK_STATUS [section 7].
    """
    statuses = [str(task.get("task_status") or task.get("status") or "").upper() for task in tasks]
    failed = [task for task, status in zip(tasks, statuses, strict=True) if status in _JOB_FAILURES]
    unfinished = [task for task, status in zip(tasks, statuses, strict=True) if status not in _TASK_SUCCESSES]
    if not failed and not unfinished:
        return None
    task = (failed or unfinished)[-1]
    parts = [_plain(task.get("task_name") or task.get("name")), _task_words(task.get("messages"))]
    return shorten(": ".join(part for part in parts if part)) or None


def _task_words(messages: Json) -> str:
    """What a task says: `messages` is text that usually holds a JSON object of texts, "{}" when empty [7]."""
    if isinstance(messages, str):
        try:
            messages = cast(Json, json.loads(messages))
        except (ValueError, RecursionError):
            return _plain(messages)
    if isinstance(messages, dict):
        return "; ".join(filter(None, (_plain(value) for value in messages.values())))
    return _plain(messages)


def _plain(value: Json) -> str:
    return value.strip() if isinstance(value, str) else ""
