"""A plan as Markdown, fit for a comment under a pull request.

Owns the tables and what is folded away. Every text goes through `for_markdown_cell` or `for_markdown_code`: a
value from a manifest or the platform can't break a table, mention anybody, or add markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from zoneinfo import ZoneInfo

from statetool.core.plan import Action, Change, FieldChange, Plan, fingerprint
from statetool.render import words
from statetool.render.harmless import for_markdown_cell, for_markdown_code

_MOST_UNFOLDED = 12
"""Components or rows shown without folding."""

_NOTHING = ("", "", "", "")


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
    """Fields and actions of one component side by side; the component is named in the first row."""
    fields = [_field_cells(field) for field in change.fields]
    fields += [(u.field, "", "", words.update_text(u)) for u in words.silent_updates(change)]
    about = words.kind_text(change)
    if about:
        fields.insert(0, ("", "", "", about))
    steps = [(_action_cell(a), words.risk_text(a.risk, a.traffic_percent)) for a in actions]
    rows = [[*field, *step] for field, step in zip_longest(fields, steps, fillvalue=_NOTHING)]
    where = f" ({change.origin.file}:{change.origin.line})" if change.origin else ""
    names = [f"{change.address}{where}"] + [""] * len(rows)
    return [[name, *row[:6]] for name, row in zip(names, rows or [[""] * 6], strict=False)]


def _field_cells(field: FieldChange) -> tuple[str, str, str, str]:
    if words.is_rules(field):
        before, after = (_rules_count(side) for side in (field.before, field.after))
    else:
        before, after = (words.value_text(field.path, side) for side in (field.before, field.after))
    return field.path, before, "" if words.is_released(field) else after, words.cause_text(field)


def _rules_count(side: object) -> str:
    return words.plural(len(side), "rule") if isinstance(side, list) else words.NONE


def _action_cell(action: Action) -> str:
    notes = words.notes_text(action)
    text = f"{words.step_text(action.id)} {words.action_text(action)}"
    return f"{text} ({notes})" if notes else text


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
            str(left.address),
            left.path,
            words.value_text(left.path, left.wish),
            words.value_text(left.path, left.observed),
            words.seen_text(left, clock),
            words.way_back(plan, left),
        ]
        for left in plan.left_alone
    ]
    rejections = [[str(r.address), r.rejection.version, r.rejection.reason] for r in plan.rejections]
    held_back = [[str(h.address), h.path, f"{h.code}: {words.with_hint(h.message, h.hint)}"] for h in plan.held_back]
    blocked = [list(row) for row in words.blocked_rows(plan)]
    warnings = [[str(f.address or words.PROJECT), words.finding_text(f)] for f in plan.warnings]
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
    """A table of cells that are escaped here; `header` is our own."""
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    lines += [f"| {' | '.join(for_markdown_cell(text) for text in row)} |" for row in rows]
    return "\n".join(lines)


def _folded(body: str, count: int, title: str) -> str:
    if count <= _MOST_UNFOLDED:
        return body
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
