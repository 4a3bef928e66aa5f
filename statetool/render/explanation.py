"""What `statetool explain` tells of one component, as text and as a document.

Owns the order of its sections and their words. What decided is told by `core/explanation.py`. Values of environment
variables and labels are no part of it: of those, only the place where they are written is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from statetool.core.action_document import action_to_shown_json
from statetool.core.document import rejection_to_json
from statetool.core.explanation import Explanation, FieldExplanation, FieldStatus, PathValues
from statetool.core.interrupted import describe_known
from statetool.core.journal import OpenOperation
from statetool.core.model import Json, Observed, Origin, Recorded
from statetool.core.plan import Action, Kind, WishUpdate
from statetool.core.plan_document import finding_to_json, held_back_to_json, left_alone_to_json
from statetool.core.state_document import recorded_to_json
from statetool.render import words
from statetool.render.json import FORMAT_VERSION
from statetool.render.layout import Cell, Page, cell
from statetool.render.state import rejection_text, seen_rows

_NOTHING = "-"
_STATUS_WORDS: Mapping[FieldStatus, str] = {
    FieldStatus.IGNORED: "ignored",
    FieldStatus.RELEASED: "released",
    FieldStatus.NOT_MANAGED: "not managed",
}
_MANAGED = frozenset({"version", "gray", "image", "package", "replicas", "state", "restart"})
"""Keys of a manifest whose values are compared or sent along with them."""

Rows = Iterable[Sequence[str]]


def render_explanation(
    explanation: Explanation, *, width: int | None = None, color: bool = False, timezone: ZoneInfo | None = None
) -> str:
    """One line what becomes of it, the values side by side, and then why. `timezone` None shows instants in UTC."""
    page = Page(width=width, color=color)
    clock = words.InstantWriter(timezone, explanation.at)
    subject = explanation.subject
    origin = f"   {subject.desired.origin}" if subject.desired is not None else ""
    page.line(cell(str(subject.address), "bold"), cell(origin, "dim"))
    page.paragraph(_verdict(explanation), indent=2)
    _add_values(page, explanation.fields)
    _add_section(page, "Written at", _written_rows(explanation.written), keep=1)
    _add_section(page, "Why", _why_rows(explanation.fields), keep=2)
    _add_section(page, "Actions", [_action_row(decided.entry) for decided in explanation.actions], keep=2)
    _add_findings(page, explanation, clock)
    _add_section(page, "Decided by", _decided_rows(explanation), keep=1)
    _add_section(page, "Order and limits", _limit_rows(explanation), keep=1)
    _add_section(page, "Left open by an earlier run", _open_rows(explanation.operations, clock), keep=2)
    _add_recorded(page, subject.recorded, clock)
    if subject.observed is None:
        _add_section(page, "Observed now", [["not on the platform, or not to be told apart there"]], keep=1)
    else:
        _add_section(page, "Observed now", _observed_rows(subject.observed, explanation.at, clock), keep=1)
    return page.text()


def _add_section(page: Page, title: str, rows: Rows, *, keep: int) -> None:
    cells = [[cell(text) for text in row] for row in rows]
    if cells:
        page.blank()
        page.line(cell(f"{title}:", "cyan"))
        page.table(cells, keep=keep)


# What becomes of it


def _verdict(explanation: Explanation) -> str:
    """What an apply does about the component, in one sentence."""
    if explanation.blocked is not None:
        return f"Blocked: apply does nothing about it, because of {explanation.blocked.because}."
    parts = [_sent(explanation), _recorded_now(explanation)]
    if explanation.held_back:
        parts.append(f"{words.plural(len(explanation.held_back), 'value')} held back")
    if explanation.left_alone:
        parts.append(f"{words.plural(len(explanation.left_alone), 'value')} changed outside, left alone")
    told = "; ".join(part for part in parts if part)
    if told:
        return f"Apply: {told}."
    if explanation.subject.desired is None:
        return "No manifest describes it: statetool leaves it as it is."
    return "Nothing to do: what runs is what the manifest asks for, as far as it asks."


def _sent(explanation: Explanation) -> str:
    verbs = [str(decided.entry.verb) for decided in explanation.actions]
    return f"{words.plural(len(verbs), 'action')} ({', '.join(verbs)})" if verbs else ""


def _recorded_now(explanation: Explanation) -> str:
    """What of it goes into the record without an action."""
    kind = explanation.kind
    if kind is Kind.FORGET:
        return "it leaves the state, the platform is not touched"
    if kind is Kind.MOVE:
        return f"its record moves here from {explanation.subject.moved_from}"
    if kind is Kind.ADOPT:
        return "it is recorded for the first time"
    return "the record is brought up to date, nothing is sent" if kind is not None and not explanation.actions else ""


# The three values


def _add_values(page: Page, fields: Sequence[FieldExplanation]) -> None:
    rows = [[cell(""), *(cell(title, "dim") for title in ("wanted", "recorded", "observed")), cell("")]]
    for field in fields:
        for values in field.values:
            rows += _value_rows(values, _note(field, values))
    page.blank()
    page.table(rows, keep=5)


def _note(field: FieldExplanation, values: PathValues) -> Cell:
    if values.cause is not None:
        return cell(str(values.cause), "yellow")
    return cell(_STATUS_WORDS.get(field.status, ""), "dim")


def _value_rows(values: PathValues, note: Cell) -> list[list[Cell]]:
    """A row; as many as there are rules where the value is a list of them."""
    columns = [_lines(values.path, value) for value in (values.wanted, values.recorded, values.observed)]
    rows = []
    for n in range(max(len(column) for column in columns)):
        texts = [column[n] if n < len(column) else "" for column in columns]
        rows.append([cell("" if n else values.path), *map(cell, texts), Cell("") if n else note])
    return rows


def _lines(path: str, value: Json) -> list[str]:
    if value is None:
        return [_NOTHING]
    if isinstance(value, list) and value:
        return [words.rule_text(rule) for rule in value]
    return [words.value_text(path, value)]


def _why_rows(fields: Sequence[FieldExplanation]) -> list[list[str]]:
    """The cause of each field and its rule; fields about which the same is to be said share a row."""
    told: dict[tuple[str, str], list[str]] = {}
    for field in fields:
        cause = str(field.cause) if field.cause is not None else "none"
        told.setdefault((_STATUS_WORDS.get(field.status, cause), field.rule), []).append(field.field)
    return [[", ".join(names), cause, rule] for (cause, rule), names in told.items()]


# What the plan does


def _action_row(action: Action) -> list[str]:
    estimate = f"~{action.estimate_s} s" if action.estimate_s else ""
    risk = words.risk_text(action.risk, action.traffic_percent)
    return [words.step_text(action.id), words.action_text(action), words.notes_text(action), risk, estimate]


def _add_findings(page: Page, explanation: Explanation, clock: words.InstantWriter) -> None:
    held_back = [entry.entry for entry in explanation.held_back]
    left_alone = [entry.entry for entry in explanation.left_alone]
    _add_section(
        page, "Held back", [[e.path, f"{e.code}: {words.with_hint(e.message, e.hint)}"] for e in held_back], keep=1
    )
    _add_section(
        page,
        "Changed outside, left alone",
        [[e.path, words.outside_text(e), words.seen_text(e, clock)] for e in left_alone],
        keep=2,
    )
    if explanation.ended_outside is not None:
        rejection = explanation.ended_outside
        rows = [[rejection.version, rejection_text(rejection, clock)]]
        _add_section(page, "Found to be taken back, and kept from returning by itself", rows, keep=1)
    findings = [decided.entry for decided in explanation.findings]
    _add_section(page, "Findings", [[str(f.severity), words.finding_text(f)] for f in findings], keep=1)
    if explanation.blocked is not None and explanation.blocked.because not in {f.code for f in findings}:
        _add_section(page, "Blocked", [[explanation.blocked.because, explanation.blocked.message]], keep=1)
    _add_section(page, "Recorded by an apply", [_record_row(update) for update in explanation.records], keep=1)


def _record_row(update: WishUpdate) -> list[str]:
    if not update.after:
        return [update.field, words.update_text(update)]
    return [update.field, f"the wish, when {', '.join(words.step_text(i) for i in update.after)} is done"]


def _decided_rows(explanation: Explanation) -> list[list[str]]:
    """Which row of the tables decided what; where several have the same, they share a line."""
    named: list[tuple[str, str | None]] = [
        *((words.step_text(d.entry.id), d.row) for d in explanation.actions),
        *((d.entry.path, d.row) for d in explanation.held_back),
        *((d.entry.path, d.row) for d in explanation.left_alone),
        *((d.entry.code, d.row) for d in explanation.findings),
    ]
    rows: dict[str, list[str]] = {}
    for name, row in named:
        if row is not None:
            rows.setdefault(row, []).append(name)
    for field in explanation.fields:
        if field.row is not None:
            rows.setdefault(field.row, [field.field])
    return [[", ".join(dict.fromkeys(names)), row] for row, names in rows.items()]


# Where it is written, and what limits it


def _written_rows(written: Mapping[str, Origin]) -> list[list[str]]:
    """What is managed first, as in the table of values; else as it is written."""
    paths = sorted(written, key=lambda path: path.partition(".")[0] not in _MANAGED)
    return [[path, str(written[path].mark), _given_text(written[path])] for path in paths]


def _given_text(origin: Origin) -> str:
    """`defaults; ${var.replicas} from --var`."""
    notes = ["defaults"] if origin.is_default else []
    notes += [f"${{var.{variable.name}}} from {variable.given_by}" for variable in origin.variables]
    return "; ".join(notes)


def _limit_rows(explanation: Explanation) -> list[list[str]]:
    wanted = explanation.subject.desired
    if wanted is None:
        return []
    lifecycle, ready = wanted.lifecycle, wanted.ready
    back = ", ".join(sorted(lifecycle.correct))
    rows = [
        ["changed after", words.names_text(wanted.depends_on) or "no other component"],
        ["changed before", words.names_text(explanation.needed_by) or "no other component"],
        ["protected", "yes: of all actions only scale_up is let through" if lifecycle.protected else "no"],
        ["ignored", ", ".join(sorted(lifecycle.ignore)) or "no field"],
        ["drift", f"put back in {back}, else reported" if back else "reported, and left alone"],
        ["ready", f"within {ready.timeout_s} s, to be held for {ready.hold_s} s"],
    ]
    if not explanation.may_change:
        rows.append(["mode", "observe: nothing is sent to this application"])
    return rows


# What is known of it


def _open_rows(operations: Iterable[OpenOperation], clock: words.InstantWriter) -> list[list[str]]:
    return [
        [one.id, words.action_text(one.intent.action), clock.full(one.intent.at), describe_known(one)]
        for one in operations
    ]


def _add_recorded(page: Page, recorded: Recorded | None, clock: words.InstantWriter) -> None:
    if recorded is None:
        _add_section(page, "Recorded", [["nothing"]], keep=1)
        return
    applied = clock.full(recorded.applied_at) if recorded.applied_at else _NOTHING
    rows = [
        ["applied", applied],
        ["applied from", words.source_text(recorded.applied_from) or _NOTHING],
        ["run", recorded.run_id or _NOTHING],
    ]
    _add_section(page, "Recorded", rows, keep=1)
    if recorded.seen is not None:
        _add_section(page, "Last seen, as recorded", seen_rows(recorded.seen, clock), keep=1)
    drifted = [
        [path, f"since {clock.full(since.first_wrong_at)}", _last_right(since.last_right_at, clock)]
        for path, since in recorded.drifted.items()
    ]
    _add_section(page, "Otherwise than wished, as recorded", drifted, keep=1)
    _add_section(page, "History", [[h.version, f"{h.verb} at {clock.full(h.at)}"] for h in recorded.history], keep=1)
    rejected = [[entry.version, rejection_text(entry, clock)] for entry in recorded.rejected]
    _add_section(page, "Rejected versions", rejected, keep=1)


def _last_right(instant: str | None, clock: words.InstantWriter) -> str:
    return f"last right {clock.full(instant)}" if instant else "never seen right"


def _observed_rows(observed: Observed, at: str, clock: words.InstantWriter) -> list[list[str]]:
    closer = observed.closer
    configured = closer.configured_replicas if closer is not None else None
    artifact = (closer.artifact if closer is not None else None) or observed.artifact
    rows = [
        ["at", clock.full(at)],
        ["called", f"{observed.address}, id {observed.component_id}"],
        ["status", observed.status],
        [
            "instances",
            f"{observed.replicas}, {observed.available_replicas} available"
            + (f", {configured} configured" if configured is not None else ""),
        ],
        ["last job", observed.last_job_id or _NOTHING],
        ["changed", clock.full(observed.updated_at) if observed.updated_at else _NOTHING],
    ]
    return [*rows, ["runs from", artifact.url]] if artifact is not None else rows


# The document


def explanation_to_document(explanation: Explanation, tool_version: str) -> dict[str, Json]:
    """The same for machines. What the plan holds is spelled as in a plan, and has its `row` beside it."""
    subject, blocked = explanation.subject, explanation.blocked
    ended = explanation.ended_outside
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "address": str(subject.address),
        "at": explanation.at,
        "origin": str(subject.desired.origin) if subject.desired is not None else None,
        "kind": str(explanation.kind) if explanation.kind is not None else None,
        "moved_from": str(subject.moved_from) if subject.moved_from is not None else None,
        "fields": [_field_to_json(field) for field in explanation.fields],
        "written": [_origin_to_json(path, origin) for path, origin in explanation.written.items()],
        "actions": [{**action_to_shown_json(d.entry), "row": d.row} for d in explanation.actions],
        "held_back": [{**held_back_to_json(d.entry), "row": d.row} for d in explanation.held_back],
        "left_alone": [{**left_alone_to_json(d.entry), "row": d.row} for d in explanation.left_alone],
        "findings": [{**finding_to_json(d.entry), "row": d.row} for d in explanation.findings],
        "blocked": {"because": blocked.because, "message": blocked.message} if blocked is not None else None,
        "records": [{"field": update.field, "after": list(update.after)} for update in explanation.records],
        "ended_outside": rejection_to_json(ended) if ended is not None else None,
        "limits": _limits_to_json(explanation),
        "operations": [_operation_to_json(one) for one in explanation.operations],
        "recorded": recorded_to_json(subject.recorded) if subject.recorded is not None else None,
        "observed": _observed_to_json(subject.observed) if subject.observed is not None else None,
    }


def _field_to_json(field: FieldExplanation) -> Json:
    return {
        "field": field.field,
        "status": str(field.status),
        "cause": str(field.cause) if field.cause is not None else None,
        "rule": field.rule,
        "row": field.row,
        "values": [
            {
                "path": values.path,
                "wanted": values.wanted,
                "recorded": values.recorded,
                "observed": values.observed,
                "cause": str(values.cause) if values.cause is not None else None,
            }
            for values in field.values
        ],
    }


def _origin_to_json(path: str, origin: Origin) -> Json:
    return {
        "path": path,
        "origin": str(origin.mark),
        "is_default": origin.is_default,
        "variables": [{"name": v.name, "given_by": v.given_by} for v in origin.variables],
    }


def _operation_to_json(operation: OpenOperation) -> Json:
    return {
        "id": operation.id,
        "verb": str(operation.intent.action.verb),
        "run_id": operation.intent.run_id,
        "intended_at": operation.intent.at,
        "last": str(operation.type),
        "job_id": operation.job_id,
    }


def _limits_to_json(explanation: Explanation) -> Json:
    wanted = explanation.subject.desired
    if wanted is None:
        return None
    return {
        "depends_on": [str(address) for address in wanted.depends_on],
        "needed_by": [str(address) for address in explanation.needed_by],
        "protected": wanted.lifecycle.protected,
        "ignore": list[Json](sorted(wanted.lifecycle.ignore)),
        "correct": list[Json](sorted(wanted.lifecycle.correct)),
        "ready": {"timeout_s": wanted.ready.timeout_s, "hold_s": wanted.ready.hold_s},
        "may_change": explanation.may_change,
    }


def _observed_to_json(observed: Observed) -> Json:
    return {
        "address": str(observed.address),
        "component_id": observed.component_id,
        "status": observed.status,
        "replicas": observed.replicas,
        "available_replicas": observed.available_replicas,
        "last_job_id": observed.last_job_id,
        "updated_at": observed.updated_at,
    }
