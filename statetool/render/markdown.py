"""A plan as Markdown, fit for a comment under a pull request.

Owns the tables and what is folded away. Every text goes through one of `for_markdown_*` where its cell is made: a
value from a manifest or the platform can't break a table, mention anybody, or add markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from statetool.core.model import Address
from statetool.core.plan import Action, Change, FieldChange, Plan, Verb, fingerprint
from statetool.render import words
from statetool.render.brought import brought_text
from statetool.render.harmless import for_markdown_cell, for_markdown_code, for_markdown_sentence, for_markdown_span

_MOST_UNFOLDED = 12
"""Components or rows shown without folding."""

_CHANGED_PATHS: Mapping[Verb, tuple[str, ...]] = {
    Verb.SCALE: ("replicas",),
    Verb.ROLLBACK: ("version", "gray."),
    Verb.CONTINUE_DEPLOY: ("version", "gray."),
    Verb.ROLLBACK_CURRENT: ("gray.", "version"),
    Verb.MODIFY_GRAY_RULE: ("gray.",),
    Verb.START: ("state",),
    Verb.STOP: ("state",),
    Verb.RESTART: ("restart",),
    Verb.UPGRADE: ("version", "gray."),
    Verb.CHECK_GRAY_RELEASE: (),
    Verb.SYNC_WORKLOAD: (),
}
"""Beginnings of the paths that a verb changes, the likeliest first."""


def render_plan_markdown(plan: Plan, *, timezone: ZoneInfo | None = None) -> str:
    """The plan as GitHub-flavoured Markdown; the closing line of the text plan is its last line too.

    The first line is a hidden comment with the fingerprint, by which a comment is found and an approval bound.
    `timezone` None shows instants in UTC.
    """
    parts = [
        f"<!-- statetool plan fingerprint={fingerprint(plan)} -->",
        f"### statetool plan: {_headline(plan)}",
        for_markdown_cell(words.opening(plan)),
        _changes_part(plan),
        _rules_part(plan),
        *_left_out_parts(plan, words.InstantWriter(timezone, plan.created_at)),
        "  \n".join(for_markdown_cell(line) for line in words.scope_lines(plan)),
        words.counts_line(plan),
        words.summary_line(plan),
    ]
    return "\n\n".join(part for part in parts if part)


def _headline(plan: Plan) -> str:
    """What matters first: how much, how risky, and what is not going to happen."""
    facts = [words.plural(len(plan.changes), "component"), words.plural(len(plan.actions), "action")]
    if words.is_settled(plan):
        facts = ["no changes"]
    counts = (
        (words.blocked_count(plan), "blocked"),
        (len(plan.held_back), "held back"),
        (len(plan.left_alone), "changed outside and left alone"),
        (len(plan.warnings), "warning" if len(plan.warnings) == 1 else "warnings"),
    )
    return ", ".join(facts + [f"{count} {word}" for count, word in counts if count])


def _changes_part(plan: Plan) -> str:
    if not plan.changes:
        return ""
    actions = {action.id: action for action in plan.actions}
    rows = [row for change in plan.changes for row in _change_rows(change, words.actions_of(change, actions))]
    header = ("Component", "Field", "From", "To", "Why", "Action", "Risk")
    return _folded(_table(header, rows), len(plan.changes), words.plural(len(plan.changes), "component"))


def _change_rows(change: Change, actions: Sequence[Action]) -> list[list[str]]:
    """Each action beside a field that it changes, the others below; the component is named in the first row."""
    about = words.kind_text(change)
    rows = [["", "", "", for_markdown_cell(about), "", ""]] if about else []
    beside = _actions_beside(change.fields, actions)
    rows += [[*_field_cells(f), *_action_cells(beside.get(n), change.fields)] for n, f in enumerate(change.fields)]
    rows += [
        [for_markdown_cell(words.update_name(u)), "", "", for_markdown_cell(words.update_text(u)), "", ""]
        for u in words.silent_updates(change)
    ]
    placed = {action.id for action in beside.values()}
    rows += [["", "", "", "", *_action_cells(action, change.fields)] for action in actions if action.id not in placed]
    where = for_markdown_cell(f" ({change.origin.file}:{change.origin.line})") if change.origin else ""
    names = [f"{_name(change.address)}{where}"] + [""] * len(rows)
    return [[name, *row] for name, row in zip(names, rows or [[""] * 6], strict=False)]


def _actions_beside(fields: Sequence[FieldChange], actions: Sequence[Action]) -> dict[int, Action]:
    """Index of a field -> the action that stands beside it: the first that changes it, one a row."""
    beside: dict[int, Action] = {}
    for action in actions:
        for start in _CHANGED_PATHS[action.verb]:
            free = [
                n
                for n, field in enumerate(fields)
                if n not in beside and field.path.startswith(start) and not words.is_only_recorded(field)
            ]
            if free:
                beside[free[0]] = action
                break
    return beside


def _field_cells(field: FieldChange) -> list[str]:
    if words.is_rules(field):
        before, after = (_rules_count(side) for side in (field.before, field.after))
    else:
        before, after = words.sides_text(field.path, field.before, field.after)
    if words.is_released(field):
        after = ""
    elif words.is_only_recorded(field):
        before = ""
    return [for_markdown_cell(text) for text in (field.path, before, after, words.cause_text(field))]


def _rules_count(side: object) -> str:
    return words.plural(len(side), "rule") if isinstance(side, list) else words.NONE


def _action_cells(action: Action | None, fields: Sequence[FieldChange]) -> tuple[str, str]:
    """What is done, and its risk."""
    if action is None:
        return "", ""
    notes = "; ".join(part for part in (words.notes_text(action), brought_text(action, fields)) if part)
    text = for_markdown_span(f"{words.step_text(action.id)} {words.action_text(action)}")
    risk = for_markdown_cell(words.risk_text(action.risk, action.traffic_percent))
    return f"{text} {for_markdown_cell(f'({notes})')}" if notes else text, risk


def _name(address: Address | None) -> str:
    return for_markdown_span(str(address)) if address is not None else for_markdown_cell(words.PROJECT)


def _rules_part(plan: Plan) -> str:
    """Content rules that change, a block for each component, in the colours of a diff."""
    blocks = [
        f"Gray rules of {for_markdown_cell(f'{change.address}, {field.path}')}:\n\n"
        + for_markdown_code("\n".join(words.rule_lines(field)), "diff")
        for change in plan.changes
        for field in change.fields
        if words.is_rules(field)
    ]
    return _folded("\n\n".join(blocks), len(blocks), "gray rules") if blocks else ""


def _left_out_parts(plan: Plan, clock: words.InstantWriter) -> list[str]:
    """Everything the plan does not do, and why; then the warnings."""
    left_alone = [
        [
            _name(left.address),
            for_markdown_cell(left.path),
            for_markdown_cell(words.value_text(left.path, left.wish)),
            for_markdown_cell(words.value_text(left.path, left.observed)),
            for_markdown_cell(words.seen_text(left, clock)),
            for_markdown_sentence(words.way_back(plan, left)),
        ]
        for left in plan.left_alone
    ]
    rejections = [
        [_name(r.address), for_markdown_cell(r.rejection.version), for_markdown_cell(r.rejection.reason)]
        for r in plan.rejections
    ]
    held_back = [
        [
            _name(h.address),
            for_markdown_cell(h.path),
            for_markdown_sentence(f"{h.code}: {words.with_hint(h.message, h.hint)}"),
        ]
        for h in plan.held_back
    ]
    blocked = [
        [for_markdown_cell(name) if name == words.PROJECT else for_markdown_span(name), for_markdown_sentence(why)]
        for name, why in words.blocked_rows(plan)
    ]
    warnings = [[_name(f.address), for_markdown_sentence(words.finding_text(f))] for f in plan.warnings]
    return [
        _section(
            f"Changed outside, left alone ({len(left_alone)})",
            ("Component", "Field", "From", "To", "Seen", "Way back"),
            left_alone,
        ),
        _section(
            f"Ended outside, kept from returning by itself ({len(rejections)})",
            ("Component", "Version", "Reason"),
            rejections,
        ),
        _section(f"Held back ({len(held_back)})", ("Component", "Field", "Why"), held_back),
        _section(f"Blocked ({words.blocked_count(plan)})", ("Component", "Why, and what to do"), blocked),
        _section(f"Warnings ({len(warnings)})", ("Component", "Warning"), warnings),
    ]


def _section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    return f"#### {title}\n\n" + _folded(_table(header, rows), len(rows), words.plural(len(rows), "row"))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are escaped already; `header` is our own."""
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def _folded(body: str, count: int, title: str) -> str:
    if count <= _MOST_UNFOLDED:
        return body
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
