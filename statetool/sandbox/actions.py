"""The component actions: what a request must look like, when it is allowed, what it starts.

Owns section 4.3 of the reference (allowed states). Pure: the clock's reading and the job's id come in, a changed
component and a job go out. Must not end operations (world.py), know the targets of rollbacks (rollback.py) or touch
storage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from statetool.sandbox.configuration import LARGEST_REPLICA, is_number
from statetool.sandbox.errors import conflict, invalid, unknown_action
from statetool.sandbox.gray import changed, gray_change
from statetool.sandbox.model import Component, Gray, Job, Operation
from statetool.sandbox.rollback import Target, to_version, without_version
from statetool.sandbox.switches import Switches
from statetool.sandbox.world import advance, with_newest_record

SHORT_JOB_SHARE = 0.2  # of job_seconds: what moves no instances is quick
_SHORT = frozenset({"modify_gray_rule", "sync_workload"})
_RECORDED = frozenset({"start", "stop", "restart", "scale"})  # where the switch action_records is on

_SERVING = frozenset({"RUNNING", "PENDING"})
_AFTER_FAILURE = frozenset({"FAILED", "PARTIALLY_FAILED"})
_GRAYING = frozenset({"GRAYING"})

# Section 4.3, with section 6's table of transitions for the failed states.
ALLOWED: Mapping[str, frozenset[str]] = {
    "start": frozenset({"STOPPED"}),
    "stop": _SERVING,
    "restart": _SERVING,
    "scale": _SERVING,
    "rollback": _SERVING | _GRAYING | _AFTER_FAILURE,
    "rollback_current": _SERVING | _GRAYING | _AFTER_FAILURE,
    "continue_deploy": _GRAYING,
    "modify_gray_rule": _GRAYING,
    # The console's list, with the state of which only the batch action speaks [03_0115].
    "sync_workload": _SERVING | _AFTER_FAILURE | {"UNKNOWN"},
}
# A question about the component: answered in any status, and without starting anything.
CHECK = "check_gray_release"


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """A well-formed action: `verb` is one of ALLOWED, or CHECK; `parameters` is the object sent, or empty."""

    verb: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Planned:
    """What an accepted action will do."""

    effect: str
    status_during: str | None
    replica: int
    version: str | None = None
    gray: Gray | None = None


_Planner = Callable[[Component, Mapping[str, Any], Switches], _Planned]


def parse_action(body: object) -> ActionRequest:
    """A request body as an action [06_0082]: {action: text, parameters?: object}. Raises Refusal 400."""
    if not isinstance(body, Mapping):
        raise invalid("the request body must be a JSON object")
    verb, parameters = body.get("action"), body.get("parameters")
    if not isinstance(verb, str):
        raise invalid("action is required and must be a text")
    if verb not in ALLOWED and verb != CHECK:
        raise unknown_action(verb)
    if parameters is not None and not isinstance(parameters, Mapping):
        raise invalid("parameters must be an object")
    return ActionRequest(verb, parameters or {})


def accept(
    component: Component, request: ActionRequest, now_ms: int, job_id: str, switches: Switches
) -> tuple[Component, Job]:
    """Start an action: the component with the operation on it, and its job. Raises Refusal 400, 404 or 409.

    Nothing is started when it refuses. A running job refuses everything (busy); the job of the gray deployment
    itself is over or out of the way at the pause and does not count.
    """
    component = advance(component, now_ms)
    planned = _PLANNERS[request.verb](component, request.parameters, switches)
    if component.operation is not None:
        raise conflict("the component is busy: a job is running", switches.busy)
    if component.status not in ALLOWED[request.verb]:
        raise conflict(f"action {request.verb} is not allowed in status {component.status}", switches.busy)
    share = SHORT_JOB_SHARE if request.verb in _SHORT else 1.0
    end_ms = now_ms + round(switches.job_seconds * 1000 * share)
    operation = Operation(
        effect=planned.effect,
        job_id=job_id,
        start_ms=now_ms,
        visible_ms=now_ms + switches.stale_ms,
        end_ms=end_ms,
        status_before=component.status,
        status_during=planned.status_during,
        replica=planned.replica,
        replica_before=component.replica,
        version=planned.version,
        gray=planned.gray,
        failure=component.fail_next,
        keep_newer=switches.newer_records == "kept",
        # Not over a deployment that is open, which only a fault can bring into such a status: its record is the newest.
        own_record=switches.action_records == "yes" and request.verb in _RECORDED and component.candidate is None,
    )
    job = Job(job_id, component.id, request.verb, now_ms, end_ms, component.fail_next)
    return _started(component, operation, request.verb), job


def _started(component: Component, operation: Operation, verb: str) -> Component:
    if verb == "continue_deploy":
        candidate = component.records[-1]
        phases = (*candidate.job_ids, operation.job_id)
        component = with_newest_record(component, replace(candidate, job_ids=phases))
    if operation.own_record:
        component = _with_own_record(component, operation)
    return replace(
        component,
        operation=operation,
        fail_next=None,
        last_job_id=operation.job_id,
        update_ms=operation.start_ms,
        # SIM: the configured number moves when scaling is accepted, the actual one when the job ends.
        replica=operation.replica if verb == "scale" else component.replica,
    )


def _with_own_record(component: Component, operation: Operation) -> Component:
    """The component with a record of this action, which is the one in use from now on.

    SIM: it looks like the record before it, with the action's times, job and number.
    """
    own = replace(
        component.in_use,
        begin_ms=operation.start_ms,
        end_ms=None,
        status="RUNNING",
        replica=operation.replica,
        job_ids=(operation.job_id,),
    )
    return replace(component, records=(*component.records, own), used=len(component.records))


def _plan_simple(effect: str, status_during: str | None) -> _Planner:
    def plan(component: Component, parameters: Mapping[str, Any], switches: Switches) -> _Planned:
        return _Planned(effect, status_during, component.replica)

    return plan


def _plan_scale(component: Component, parameters: Mapping[str, Any], switches: Switches) -> _Planned:
    """Absolute target; hosts are mandatory for VM components [06_0082], whose last instance stays (section 4.3).

    What the hosts have to be is not known (U17): any texts are taken, and nothing is made of them.
    """
    replica, hosts = parameters.get("replica"), parameters.get("hosts")
    if not is_number(replica) or not 0 <= replica <= LARGEST_REPLICA:
        raise invalid("replica must be a whole number, 0 or more")
    if hosts is not None and not (isinstance(hosts, list) and all(isinstance(host, str) and host for host in hosts)):
        raise invalid("hosts must be a list of texts that are not empty")
    if component.on_virtual_machines and not hosts:
        raise invalid("scaling a virtual machine component needs hosts")
    if component.on_virtual_machines and replica < 1:
        raise invalid("the last instance of a virtual machine component can't be taken away: it can only be scaled out")
    return _Planned("scale", switches.scaling_status, replica)


def _plan_rollback(component: Component, parameters: Mapping[str, Any], switches: Switches) -> _Planned:
    version = parameters.get("version")
    if not isinstance(version, str) or not version:
        raise invalid("version is required for rollback and must be a text")
    return _planned_rollback(to_version(component, version, switches))


def _plan_rollback_current(component: Component, parameters: Mapping[str, Any], switches: Switches) -> _Planned:
    return _planned_rollback(without_version(component, switches))


def _planned_rollback(target: Target) -> _Planned:
    return _Planned("abort" if target.ends_open else "rollback", "UPGRADING", target.replica, version=target.version)


def _open_gray(component: Component, switches: Switches) -> Gray:
    candidate = component.candidate
    if candidate is None or candidate.gray is None:
        raise conflict(f"no gray release is open, the component is {component.status}", switches.busy)
    return candidate.gray


def _plan_continue(component: Component, parameters: Mapping[str, Any], switches: Switches) -> _Planned:
    gray = _open_gray(component, switches)
    done = gray.batches_done + 1
    if switches.gray_continue == "per_batch" and done < gray.remaining_batch:
        return _Planned("next_batch", "UPGRADING", component.replica, gray=replace(gray, batches_done=done))
    return _Planned("promote", "UPGRADING", component.replica)


def _plan_modify(component: Component, parameters: Mapping[str, Any], switches: Switches) -> _Planned:
    """Without parameters, as the vendor's SDK must send it: accepted, changes nothing (section 13.8)."""
    change = gray_change(parameters)
    gray = _open_gray(component, switches)
    return _Planned("modify", None, component.replica, gray=changed(gray, change) if change else gray)


_PLANNERS: Mapping[str, _Planner] = {
    "start": _plan_simple("start", "STARTING"),
    "stop": _plan_simple("stop", "STOPPING"),
    "restart": _plan_simple("restart", "RESTARTING"),
    "scale": _plan_scale,
    "rollback": _plan_rollback,
    "rollback_current": _plan_rollback_current,
    "continue_deploy": _plan_continue,
    "modify_gray_rule": _plan_modify,
    "sync_workload": _plan_simple("sync", None),
}
