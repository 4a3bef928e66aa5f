"""Why a field is what it is, and by which row a plan does what it does: the rules of the tables, in words.

Owns these sentences, `condition: consequence`. It must not decide anything: causes, actions, entries and findings
come from the plan, and the row of the version picture comes with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from statetool.core.chain import ALLOWED, DEFERRED
from statetool.core.diff import FieldDiff
from statetool.core.model import (
    REPLICAS_FIELD,
    RESTART_FIELD,
    STATE_FIELD,
    VERSION_FIELD,
    Observed,
    ReplicaRange,
    StatusClass,
    VersionPicture,
    Wish,
)
from statetool.core.picture import is_promoted
from statetool.core.plan import Action, Cause, Finding, SendIf, Verb

NOT_MANAGED = "no manifest writes it, what runs stays as it is"
NOBODYS = "the manifest writes auto, the number is somebody else's"
IGNORED = "lifecycle.ignore names it, whatever is observed stays as it is"
RELEASED = "its key left the manifest, the recorded wish is dropped, what runs stays as it is"
LEFT_MANIFEST = "no manifest describes the component, its record is dropped, what runs stays as it is"
NOT_OBSERVED = "it can't be told which component of the platform this is: nothing is compared"

_CAUSES: Mapping[Cause, str] = {
    Cause.ADOPT: "no wish is recorded yet, and another value is observed",
    Cause.MANIFEST: "you changed the manifest: what is recorded is still observed",
    Cause.DRIFT: "changed outside: the manifest still wants what is recorded",
    Cause.BOTH: "changed in the manifest and outside: wanted, recorded and observed are three different values",
}

_FIELD_OF_VERB: Mapping[Verb, str] = {
    Verb.SCALE: REPLICAS_FIELD,
    Verb.START: STATE_FIELD,
    Verb.STOP: STATE_FIELD,
    Verb.RESTART: RESTART_FIELD,
}

_ROWS_OF_VERBS: Mapping[Verb, str] = {
    Verb.START: "running is wanted, STOPPED observed: start",
    Verb.STOP: "stopped is wanted, and it is not: stop",
    Verb.RESTART: "another token is wanted than the recorded one: restart",
}

_ROWS_OF_CONDITIONS: Mapping[SendIf, str] = {
    SendIf.FEWER: "a version change must not take instances away that nobody asked to remove: scale if fewer come back",
    SendIf.DIFFERENT: "the actions before it may bring another number of instances: scale if they do",
}

_ROWS_OF_CODES: Mapping[str, str] = {
    "component_not_found": "wanted, not observed: deny, for components are never created",
    "ambiguous_component": "several components have this name, and no environment is written: deny",
    "same_component_twice": "two addresses mean one component of the platform: deny",
    "component_replaced": "another id is observed than recorded: adopt it anew, and warn",
    "overwrites_outside_change": "changed outside and in the manifest: the manifest wins, and warn",
    "protected": "lifecycle.protected, and an action that is no scale_up: deny",
    "operation_parked": "nobody can tell whether an earlier operation on it ran: deny, until a person says it",
    "interrupted_run": "an earlier run left an operation on it open: the next apply takes it up first, and warn",
    "operation_open": "an earlier operation on it has not ended: deny, for sent now it could happen twice",
    "observe_mode": "mode: observe in statetool.yaml, and something to be sent: deny",
}
"""Rows of findings that are not about the version picture."""

_DEFERRING = {code: status for status, (code, *_) in DEFERRED.items()}


def field_of_path(path: str) -> str:
    """The field a path belongs to: gray releases and artifacts are part of the version."""
    return path if path in (REPLICAS_FIELD, STATE_FIELD, RESTART_FIELD) else VERSION_FIELD


def field_of_action(action: Action) -> str:
    """The field for whose sake an action is sent."""
    return _FIELD_OF_VERB.get(action.verb, VERSION_FIELD)


def cause_rule(fd: FieldDiff, wish: Wish, observed: Observed, picture: VersionPicture) -> str:
    """By which rule a managed field has its cause, or none. `picture` is the version picture observed."""
    if fd.field == RESTART_FIELD:
        return _token_rule(fd)
    if not fd.comparable:
        told = "the manifest wants what is recorded" if fd.cause is None else "the manifest wants another than recorded"
        return f"the status {observed.status} hides the value; {told}"
    if fd.cause is not None:
        return _CAUSES[fd.cause]
    matched = _matched(fd.field, wish, picture)
    return f"{matched}; the state does not hold this wish yet" if fd.unrecorded else matched


def _token_rule(fd: FieldDiff) -> str:
    """A token can't be observed: only wanted and recorded are compared."""
    if fd.cause is not None:
        return "the manifest wants another token than the recorded one"
    if fd.unrecorded:
        return "the component is recorded for the first time: the token is stored, without a restart"
    return "the manifest wants the recorded token"


def _matched(field: str, wish: Wish, picture: VersionPicture) -> str:
    if field == VERSION_FIELD and wish.picture is not None and is_promoted(wish.picture, picture):
        return "weight 100 is wanted, and the candidate serves alone: that fulfils it"
    if field == REPLICAS_FIELD and isinstance(wish.replicas, ReplicaRange):
        return "the range allows the number that is observed"
    return "what is wanted is observed"


def action_row(action: Action, wish: Wish, observed: Observed, version_row: str | None) -> str | None:
    """The row that led to an action; None where the row of the version picture is not told."""
    if action.verb is not Verb.SCALE:
        return _ROWS_OF_VERBS.get(action.verb, version_row)
    if action.send_if in _ROWS_OF_CONDITIONS:
        return _ROWS_OF_CONDITIONS[action.send_if]
    if isinstance(wish.replicas, ReplicaRange):
        side = "below" if observed.replicas < wish.replicas.min else "above"
        return f"the number observed is {side} the range: scale to its nearest bound"
    return "another number is wanted than observed: scale"


def held_back_row(code: str) -> str | None:
    """The row of status and verb that holds a wish back; None for a code that no status has."""
    status = _DEFERRING.get(code)
    if status is None:
        return None
    if status is StatusClass.BUSY:
        return f"a job runs, or the status tells of one: nothing is sent, {code}"
    allowed = ", ".join(sorted(str(verb) for verb in ALLOWED[status]))
    return f"the status class {status} allows {allowed}: the rest is {code}"


def left_alone_row(permission: str, kept_by: Finding | None, *, is_permitted: bool) -> str:
    """Why an outside change stays. `permission` names the field of lifecycle.drift that speaks of it."""
    if is_permitted:
        return "changed outside, and may be put back, but no action leads there: left alone"
    way = "puts it back" if kept_by is None else f"does not put it back: {kept_by.code}"
    return (
        f"changed outside, and lifecycle.drift of {permission} does not say correct: left alone "
        f"(`statetool apply --correct-drift` {way})"
    )


def finding_row(finding: Finding, version_row: str | None, *, is_of_component: bool) -> str | None:
    """The row behind a finding. `is_of_component` tells those of the component itself from those of guards."""
    if finding.code in _ROWS_OF_CODES:
        return _ROWS_OF_CODES[finding.code]
    if is_of_component:
        return version_row
    scope = "the whole plan" if finding.address is None else "the component"
    return f"a guard of statetool.yaml over {scope}"
