"""What faults do to answers, jobs and components.

Owns the texts and numbers of spoilt things. Pure. Must not decide who is hit (fault_schedule.py), store anything
(exchange.py) or touch connections (delivery.py).
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from statetool.sandbox.faults import Fault, FaultKind
from statetool.sandbox.model import Component, Job

JSON = "application/json"
_ENDLESS_MS = 100 * 365 * 86_400_000
_GATEWAY = {
    429: ("APIGW.0308", "the throttling threshold has been reached"),
    500: ("APIGW.0601", "internal error"),
    502: ("APIGW.0201", "backend unavailable"),
    # SIM: no page names the gateway's code for 503.
    503: ("APIGW.0201", "backend unavailable"),
    504: ("APIGW.0201", "backend timeout"),
}
_HTML = b"<!DOCTYPE html>\n<html><head><title>Please wait</title></head><body><h1>Please wait</h1></body></html>\n"
_NO_ANSWER = 0
_SILENT = frozenset({FaultKind.REFUSED, FaultKind.RESET, FaultKind.HANG})


def answered_status(fault: Fault, status_code: int) -> int:
    """The status the client sees instead of this one; 0 where it gets no answer because nothing was executed."""
    if fault.kind is FaultKind.THROTTLED:
        return 429
    if fault.kind is FaultKind.HTTP_ERROR and fault.status_code is not None:
        return fault.status_code
    return _NO_ANSWER if fault.kind in _SILENT and not fault.executes else status_code


def error_body(fault: Fault, request_id: str) -> dict[str, Any] | None:
    """The body of the API gateway for a fault that is an HTTP error (section 10.1), else None."""
    if fault.kind not in (FaultKind.THROTTLED, FaultKind.HTTP_ERROR):
        return None
    code, message = _GATEWAY[answered_status(fault, 0)]
    return {"error_code": code, "error_msg": message, "request_id": request_id}


def error_headers(fault: Fault) -> dict[str, str]:
    """Retry-After, where the fault has one."""
    return {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}


def spoil_content(fault: Fault, status_code: int, content: bytes) -> tuple[bytes, str]:
    """The bytes sent instead of some JSON, and their content type."""
    match fault.kind:
        case FaultKind.HTTP_ERROR if fault.gateway is False:
            return f"{status_code} {HTTPStatus(status_code).phrase}\n".encode(), "text/plain"
        case FaultKind.TRUNCATED_JSON:
            return content[: len(content) // 2], JSON
        case FaultKind.HTML:
            return _HTML, "text/html"
        case FaultKind.WRONG_TYPE:
            return content, fault.content_type or "text/plain"
    return content, JSON


def spoil_job(fault: Fault, component: Component, job: Job) -> tuple[Component, Job] | None:
    """A component and a job that was just started on it, after the fault; None where it can't hit this one.

    A job that occupies no component (check_gray_release) knows neither component statuses nor readiness.
    """
    operation = component.operation
    if operation is not None and operation.job_id != job.id:
        operation = None
    match fault.kind:
        case FaultKind.JOB_FAILED:
            job = replace(job, failure=fault.message)
            operation = operation and replace(operation, failure=fault.message)
        case FaultKind.JOB_ENDLESS:
            end_ms = job.start_ms + _ENDLESS_MS
            job = replace(job, end_ms=end_ms, status_during="RUNNING")
            operation = operation and replace(operation, end_ms=end_ms)
        case FaultKind.JOB_STATUS if fault.when == "during":
            job = replace(job, status_during=fault.status)
        case FaultKind.JOB_STATUS:
            job = replace(job, status_after=fault.status)
        case FaultKind.COMPONENT_STATUS | FaultKind.NEVER_READY if operation is None:
            return None
        case FaultKind.COMPONENT_STATUS if operation and fault.when == "during":
            operation = replace(operation, status_during=fault.status)
        case FaultKind.COMPONENT_STATUS if operation:
            operation = replace(operation, status_after=fault.status)
        case FaultKind.NEVER_READY if operation:
            wanted = fault.available_replicas
            limit = max(operation.replica - 1, 0) if wanted is None else wanted
            operation = replace(operation, ready_limit=limit)
    if fault.kind is FaultKind.JOB_STATUS and fault.message is not None:
        job = replace(job, failure=fault.message)
        operation = operation and replace(operation, failure=fault.message)
    return (component if operation is None else replace(component, operation=operation)), job
