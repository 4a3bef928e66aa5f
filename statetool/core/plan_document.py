"""The plan as a document, both ways: what `plan --json` prints and `plan --out` saves.

Owns the spelling of a plan, its checksum, and the checks that a document is one whole plan and not parts of
several. It must not decide anything about the plan (that is `planner.py`), nor touch a file (that is
`planfile.py` beside workflow).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, cast

from statetool.core.action_document import (
    MASKED,
    action_from_fields,
    action_to_json,
    action_to_shown_json,
    update_from_fields,
    update_to_json,
)
from statetool.core.canonical import digest
from statetool.core.document import (
    DocumentError,
    Fields,
    ensure_format,
    read_rejection,
    rejection_to_json,
)
from statetool.core.model import (
    Json,
)
from statetool.core.plan import (
    Blocked,
    Cause,
    Change,
    Counts,
    FieldChange,
    Finding,
    HeldBack,
    Kind,
    LeftAlone,
    Plan,
    PlanMode,
    RejectionSeen,
    fingerprint,
    summarize,
)
from statetool.errors import PlanFileError, SourceMark

FORMAT_VERSION = "1.0"
FORMAT_MAJOR = 1
RESOURCE_TYPE = "servicestage_component"


def plan_to_shown_document(plan: Plan) -> dict[str, Json]:
    """The document as it is shown: without the values of variables, so that it can't be applied where it has some."""
    return {**plan_to_document(plan), "actions": [action_to_shown_json(action) for action in plan.actions]}


def plan_to_document(plan: Plan) -> dict[str, Json]:
    """The whole document, keys in their order, `checksum` included."""
    document: dict[str, Json] = {
        "format_version": FORMAT_VERSION,
        "tool_version": plan.tool_version,
        "mode": plan.mode,
        "created_at": plan.created_at,
        "endpoint": plan.endpoint,
        "project_id": plan.project_id,
        "state": {"lineage": plan.lineage, "serial": plan.serial},
        "refreshed": True,
        "fingerprint": fingerprint(plan),
        "checksum": "",
        "can_apply": plan.can_apply,
        "changes": [_change_to_json(change) for change in plan.changes],
        "actions": [action_to_json(action) for action in plan.actions],
        "held_back": [held_back_to_json(entry) for entry in plan.held_back],
        "left_alone": [left_alone_to_json(entry) for entry in plan.left_alone],
        "findings": [finding_to_json(finding) for finding in plan.findings],
        "summary": _summary_to_json(plan),
        "api_cost": {"reads": plan.reads, "writes": plan.writes},
        "resource_changes": [_resource_change(change) for change in plan.changes],
        "blocked": [{"address": str(b.address), "because": b.because, "message": b.message} for b in plan.blocked],
        "rejections": [{"address": str(r.address), **rejection_to_json(r.rejection)} for r in plan.rejections],
        "unmanaged": [str(address) for address in plan.unmanaged],
        "left_out": [str(address) for address in plan.left_out],
        "overrides": list(plan.overrides),
    }
    document["checksum"] = checksum(document)
    return document


def checksum(document: Mapping[str, Json]) -> str:
    """Digest of everything in the document but the key `checksum` itself."""
    return digest({key: value for key, value in document.items() if key != "checksum"})


def plan_from_document(document: Mapping[str, Json]) -> Plan:
    """The plan a document holds. Raises PlanFileError naming the path of what is wrong.

    Refused as well: a wrong checksum, a fingerprint that does not fit the actions, ids that point nowhere.
    """
    try:
        ensure_format(document, major=FORMAT_MAJOR)
        fields = Fields(dict(document))
        _ensure_unmasked(document)
        if fields.text("checksum") != checksum(document):
            fields.fail("checksum", "does not fit the rest: the plan was changed or damaged after it was made")
        plan = _read_plan(fields)
        _ensure_whole(plan)
        if fields.text("fingerprint") != fingerprint(plan):
            fields.fail("fingerprint", "does not fit the actions: it was approved for another plan")
        return plan
    except DocumentError as error:
        raise PlanFileError(error.message, hint=error.hint) from None


def _ensure_unmasked(document: Mapping[str, Json]) -> None:
    """Refuse what was printed instead of saved: the values of its variables are not in it."""
    actions = document.get("actions")
    for action in actions if isinstance(actions, list) else ():
        parameters = action.get("parameters") if isinstance(action, dict) else None
        env = parameters.get("env") if isinstance(parameters, dict) else None
        if isinstance(env, dict) and MASKED in env.values():
            raise DocumentError(
                "it was printed with the values of its variables left out", hint="save the plan with `plan --out FILE`"
            )


def _read_plan(fields: Fields) -> Plan:
    state, summary = fields.child("state"), fields.child("summary")
    mode = fields.text("mode")
    if mode not in ("normal", "drift"):
        fields.fail("mode", "must be normal or drift")
    return Plan(
        mode=cast("PlanMode", mode),
        created_at=fields.instant("created_at"),
        endpoint=fields.text("endpoint"),
        project_id=fields.text("project_id"),
        lineage=state.text("lineage"),
        serial=state.integer("serial", minimum=0),
        tool_version=fields.text("tool_version"),
        changes=tuple(_read_change(entry) for entry in fields.children("changes")),
        actions=tuple(action_from_fields(entry) for entry in fields.children("actions")),
        held_back=tuple(_read_held_back(entry) for entry in fields.children("held_back")),
        left_alone=tuple(_read_left_alone(entry) for entry in fields.children("left_alone")),
        blocked=tuple(
            Blocked(entry.address("address"), entry.text("because"), entry.text("message"))
            for entry in fields.children("blocked")
        ),
        findings=tuple(_read_finding(entry) for entry in fields.children("findings")),
        rejections=tuple(
            RejectionSeen(entry.address("address"), read_rejection(entry)) for entry in fields.children("rejections")
        ),
        counts=Counts(summary.integer("unchanged"), summary.integer("ignored"), summary.integer("unmanaged")),
        unmanaged=fields.addresses("unmanaged"),
        reads=fields.child("api_cost").integer("reads"),
        overrides=fields.texts("overrides"),
        left_out=fields.addresses("left_out"),
    )


def _ensure_whole(plan: Plan) -> None:
    """Every id that is named belongs to exactly one action of the plan."""
    known = {action.id for action in plan.actions}
    if len(known) != len(plan.actions):
        raise DocumentError("actions: an id stands twice")
    for action in plan.actions:
        _ensure_known(action.requires, known, f"actions: {action.id} requires")
    for change in plan.changes:
        _ensure_known(change.action_ids, known, f"changes: {change.address} names")
        for update in change.updates:
            _ensure_known(update.after, known, f"changes: {change.address} records {update.field} after")


def _ensure_known(ids: Iterable[str], known: set[str], what: str) -> None:
    for action_id in ids:
        if action_id not in known:
            raise DocumentError(f"{what} the action {action_id}, which the plan does not hold")


def _change_to_json(change: Change) -> dict[str, Json]:
    return {
        "address": str(change.address),
        "component_id": change.component_id,
        "kind": str(change.kind),
        "origin": str(change.origin) if change.origin else None,
        "fields": [_field_to_json(entry) for entry in change.fields],
        "action_ids": list(change.action_ids),
        "application_id": change.application_id,
        "environment_id": change.environment_id,
        "updates": [update_to_json(update) for update in change.updates],
        "moved_from": str(change.moved_from) if change.moved_from else None,
    }


def _read_change(fields: Fields) -> Change:
    return Change(
        address=fields.address("address"),
        component_id=fields.text("component_id"),
        application_id=fields.text("application_id"),
        environment_id=fields.optional_text("environment_id"),
        kind=fields.choice("kind", Kind),
        origin=_read_origin(fields) if fields.has("origin") else None,
        fields=tuple(_read_field(entry) for entry in fields.children("fields")),
        action_ids=fields.texts("action_ids"),
        updates=tuple(update_from_fields(entry) for entry in fields.children("updates")),
        moved_from=fields.optional_address("moved_from"),
    )


def _read_origin(fields: Fields) -> SourceMark:
    # From the right: the file's own name may hold colons.
    file, *place = fields.text("origin").rsplit(":", 2)
    if len(place) != 2 or not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in place):
        fields.fail("origin", "must be file:line:column")
    return SourceMark(file, int(place[0]), int(place[1]))


def _field_to_json(entry: FieldChange) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "path": entry.path,
        "before": entry.before,
        "after": entry.after,
        "cause": str(entry.cause),
    }
    if entry.wish is not None:
        shown["wish"] = entry.wish
    return shown


def _read_field(fields: Fields) -> FieldChange:
    return FieldChange(
        path=fields.text("path"),
        before=fields.raw("before"),
        after=fields.raw("after"),
        cause=fields.choice("cause", Cause),
        wish=fields.raw("wish"),
    )


def held_back_to_json(entry: HeldBack) -> dict[str, Json]:
    return {
        "address": str(entry.address),
        "path": entry.path,
        "code": entry.code,
        "message": entry.message,
        "hint": entry.hint,
    }


def _read_held_back(fields: Fields) -> HeldBack:
    return HeldBack(
        address=fields.address("address"),
        path=fields.text("path"),
        code=fields.text("code"),
        message=fields.text("message"),
        hint=fields.optional_text("hint"),
    )


def left_alone_to_json(entry: LeftAlone) -> dict[str, Json]:
    return {
        "address": str(entry.address),
        "path": entry.path,
        "wish": entry.wish,
        "observed": entry.observed,
        "cause": str(entry.cause),
        "last_right_at": entry.last_right_at,
        "first_wrong_at": entry.first_wrong_at,
        "permission": entry.permission,
        "kept_by": finding_to_json(entry.kept_by) if entry.kept_by is not None else None,
    }


def _read_left_alone(fields: Fields) -> LeftAlone:
    return LeftAlone(
        address=fields.address("address"),
        path=fields.text("path"),
        wish=fields.raw("wish"),
        observed=fields.raw("observed"),
        last_right_at=fields.optional_text("last_right_at"),
        first_wrong_at=fields.text("first_wrong_at"),
        cause=fields.choice("cause", Cause),
        permission=fields.optional_text("permission"),
        kept_by=_read_finding(kept_by) if (kept_by := fields.optional_child("kept_by")) is not None else None,
    )


def finding_to_json(finding: Finding) -> dict[str, Json]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "address": str(finding.address) if finding.address else None,
        "message": finding.message,
        "hint": finding.hint,
    }


def _read_finding(fields: Fields) -> Finding:
    severity = fields.text("severity")
    if severity not in ("deny", "warn"):
        fields.fail("severity", "must be deny or warn")
    return Finding(
        code=fields.text("code"),
        severity=cast("Literal['deny', 'warn']", severity),
        message=fields.text("message"),
        hint=fields.optional_text("hint"),
        address=fields.optional_address("address"),
    )


def _summary_to_json(plan: Plan) -> dict[str, Json]:
    summary = summarize(plan)
    return {
        "import": summary.imports,
        "add": 0,
        "change": summary.change,
        "destroy": 0,
        "forget": summary.forget,
        "move": summary.move,
        "actions": summary.actions,
        "by_verb": dict(summary.by_verb),
        "highest_risk": str(summary.highest_risk) if summary.highest_risk else None,
        "unchanged": plan.counts.unchanged,
        "ignored": plan.counts.ignored,
        "unmanaged": plan.counts.unmanaged,
    }


def _resource_change(change: Change) -> dict[str, Json]:
    """The change in the shape that tools made for Terraform's plans look for."""
    word = "forget" if change.kind is Kind.FORGET else "update" if change.action_ids else "no-op"
    shown: dict[str, Json] = {
        "address": str(change.address),
        "type": RESOURCE_TYPE,
        "name": change.address.component,
        "change": {
            "actions": [word],
            "before": {entry.path: entry.before for entry in change.fields},
            "after": {entry.path: entry.after for entry in change.fields},
        },
    }
    if change.moved_from is not None:
        shown["previous_address"] = str(change.moved_from)
    return shown
