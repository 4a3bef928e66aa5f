"""What an interrupted run means for a plan: it is told, and components of which nobody knows what runs are left alone.

Owns these two sentences and their codes. It must not find out what became of an operation (that is
`apply/recovery.py`). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from statetool.core.journal import EntryType, Journal, OpenOperation
from statetool.core.model import Address, Json
from statetool.core.plan import Blocked, Finding, Plan
from statetool.core.withholding import withhold_components

INTERRUPTED_RUN = "interrupted_run"
OPERATION_PARKED = "operation_parked"
OPERATION_OPEN = "operation_open"

_KNOWN = {
    EntryType.INTENT: "may have been sent",
    EntryType.UNKNOWN: "was sent, and its answer is lost",
    EntryType.ACCEPTED: "was accepted",
    EntryType.STILL_RUNNING: "still ran",
    EntryType.PARKED: "is parked",
}


def report_interrupted(plan: Plan, operations: Iterable[OpenOperation]) -> Plan:
    """The plan as an apply will make it once it took up what is open: that is told; what is parked stays blocked."""
    operations = tuple(operations)
    plan = withhold_open(plan, (one for one in operations if one.is_parked))
    warnings = tuple(_tell(one) for one in operations if not one.is_parked)
    return replace(plan, findings=(*warnings, *plan.findings)) if warnings else plan


def withhold_open(plan: Plan, operations: Iterable[OpenOperation]) -> Plan:
    """The plan without components that have an open operation, and without what waits for them: whatever is sent to
    them now could happen twice, or undo what arrives late."""
    by_id = {change.component_id: change.address for change in plan.changes}
    denies: dict[Address, Finding] = {}
    for one in operations:
        address = by_id.get(one.intent.known.component_id, one.address)
        denies.setdefault(address, _refuse(one, address))
    refused = {address: Blocked(address, deny.code, deny.message) for address, deny in denies.items()}
    return withhold_components(plan, refused, list(denies.values()))


def describe_interruption(journal: Journal) -> dict[str, Json]:
    """Which run left something open, and how much, as the event RECOVERING tells it. There is an open operation."""
    first = next(iter(journal.operations.values())).intent
    run = journal.run if journal.run is not None and journal.run.run_id == first.run_id else None
    return {
        "interrupted_run": first.run_id,
        "planned": run.actions if run is not None else None,  # a later run may have noted itself since
        "since": run.at if run is not None else first.at,
        "operations": len(journal.operations),
        "parked": sum(one.is_parked for one in journal.operations.values()),
    }


def describe_operation(operation: OpenOperation) -> str:
    """`scale of shop/cart, intended at 2026-11-23T08:00:00Z, was accepted (job JOB1)`."""
    action = operation.intent.action
    return f"{action.verb} of {action.address}, intended at {operation.intent.at}, {describe_known(operation)}"


def describe_known(operation: OpenOperation) -> str:
    """`was accepted (job JOB1)`."""
    job = f" (job {operation.job_id})" if operation.job_id else ""
    return f"{_KNOWN[operation.type]}{job}"


def _tell(operation: OpenOperation) -> Finding:
    return Finding(
        INTERRUPTED_RUN,
        "warn",
        f"run {operation.intent.run_id} was interrupted: {describe_operation(operation)}",
        "the next apply first finds out what became of it; `statetool apply --resume` does only that",
        operation.address,
    )


def _refuse(operation: OpenOperation, address: Address) -> Finding:
    told = f"nobody can tell whether {operation.id} ran: {describe_operation(operation)}"
    if operation.is_parked:
        hint = f"find out, then say it: `statetool state resolve {operation.id} --did-run`, or --did-not"
        return Finding(OPERATION_PARKED, "deny", told, hint, address)
    return Finding(
        OPERATION_OPEN,
        "deny",
        f"{operation.id} has not ended: {describe_operation(operation)}",
        "apply again once it has: it is taken up first",
        address,
    )
