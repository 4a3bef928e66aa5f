"""A plan as text for a terminal or a log: the look that README shows and on-call people read at night.

Owns the order of sections and the columns. It must not decide anything: findings, counts and `has_changes` come
with the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from statetool.core.plan import Action, Change, FieldChange, Plan, Risk
from statetool.render import words
from statetool.render.brought import brought_text
from statetool.render.layout import GAP, Cell, Page, cell

_RIGHT_COLUMN = 57
"""Where causes, origins and risks begin, unless long values push them further right or a narrow page left."""
_RIGHT_TEXT = 24
_WIDEST_LEFT = 96
_NARROWEST_LEFT = 30

_RISK_STYLES = {Risk.SCALE_UP: "green", Risk.REVERT: "green", Risk.TRAFFIC: "yellow", Risk.SCALE_DOWN: "yellow"}


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a component: what stands left, and what stands from `column` on (None: the common right column)."""

    left: tuple[Cell, ...]
    right: tuple[Cell, ...] = ()
    column: int | None = None

    @property
    def left_width(self) -> int:
        """Columns up to the end of the last text of the left side."""
        texts = [n for n, piece in enumerate(self.left) if piece.text.strip(" ")]
        return sum(c.width for c in self.left[: texts[-1] + 1]) if texts else 0


def render_plan(plan: Plan, *, width: int | None, color: bool, timezone: ZoneInfo | None, show_unmanaged: bool) -> str:
    """The plan, its closing line last, without a line end behind it.

    `width` is in terminal columns; None wraps nothing. `timezone` None shows instants in UTC.
    """
    page = Page(width=width, color=color)
    page.paragraph(words.opening(plan), "bold")
    _add_changes(page, plan)
    _add_left_alone(page, plan, words.InstantWriter(timezone, plan.created_at))
    _add_rejections(page, plan)
    _add_held_back(page, plan)
    _add_blocked(page, plan)
    _add_warnings(page, plan)
    if show_unmanaged and plan.unmanaged:
        _heading(page, f"Unmanaged ({len(plan.unmanaged)}):", "bold")
        page.table([[cell(str(address))] for address in plan.unmanaged], keep=1)
    _add_footer(page, plan)
    return page.text()


def _add_changes(page: Page, plan: Plan) -> None:
    actions = {action.id: action for action in plan.actions}
    risk_width = max((len(words.risk_text(a.risk, a.traffic_percent)) for a in plan.actions), default=0)
    limit = _WIDEST_LEFT if page.width is None else max(_NARROWEST_LEFT, min(page.width - _RIGHT_TEXT, _WIDEST_LEFT))
    blocks = [_change_rows(change, words.actions_of(change, actions), risk_width, limit) for change in plan.changes]
    widest = max((row.left_width for block in blocks for row in block if row.right and row.column is None), default=0)
    column = min(max(_RIGHT_COLUMN, widest + GAP), limit)
    for block in blocks:
        page.blank()
        for row in block:
            page.split(row.left, row.right, row.column or column)


def _change_rows(change: Change, actions: Sequence[Action], risk_width: int, limit: int) -> list[_Row]:
    origin = (cell(f"{change.origin.file}:{change.origin.line}", "dim"),) if change.origin else ()
    rows = [_Row((Cell("  "), cell(str(change.address), "bold")), origin)]
    about = words.kind_text(change)
    if about:
        rows.append(_Row((), (cell(about),), 4))
    updates = words.silent_updates(change)
    paths = [field.path for field in change.fields] + [words.update_name(update) for update in updates]
    path_width = max((cell(path).width for path in paths), default=0)
    for field in change.fields:
        rows += _field_rows(field, path_width)
    for update in updates:
        left = (Cell("    "), cell(words.update_name(update)))
        rows.append(_Row(left, (cell(words.update_text(update)),), 4 + path_width + GAP))
    return rows + _action_rows(actions, change.fields, risk_width, limit)


def _field_rows(field: FieldChange, path_width: int) -> list[_Row]:
    head = (Cell("    "), *_padded(cell(field.path), path_width))
    why = (cell(words.cause_text(field), "yellow" if field.cause in ("drift", "both") else "dim"),)
    if words.is_rules(field):
        lines = words.rule_lines(field)
        blank = (Cell(" " * sum(c.width for c in head)),)
        return [_Row((*(blank if n else head), cell(line)), () if n else why) for n, line in enumerate(lines)]
    before, after = words.sides_text(field.path, field.before, field.after)
    if words.is_only_recorded(field):
        return [_Row((*head, cell(before)), why)]
    return [_Row((*head, cell(before), Cell(" -> ", "dim"), cell(after)), why)]


def _action_rows(actions: Sequence[Action], fields: Sequence[FieldChange], risk_width: int, limit: int) -> list[_Row]:
    steps = [cell(words.step_text(a.id), "cyan") for a in actions]
    verbs = [cell(str(a.verb), "bold") for a in actions]
    parameters = [cell(words.parameters_text(a.parameters)) for a in actions]
    rows: list[_Row] = []
    widths = [max((c.width for c in column), default=0) for column in (steps, verbs, parameters)]
    for n, action in enumerate(actions):
        left = (
            Cell("    "),
            *_padded(steps[n], widths[0], gap=1),
            *_padded(verbs[n], widths[1], gap=2),
            *_padded(parameters[n], widths[2]),
        )
        risk = cell(words.risk_text(action.risk, action.traffic_percent), _RISK_STYLES.get(action.risk, "red"))
        right = (*_padded(risk, risk_width), Cell(f"~{action.estimate_s} s", "dim")) if action.estimate_s else (risk,)
        rows += _with_notes(left, words.notes_text(action), right, 5 + widths[0], limit)
        brought = brought_text(action, fields)
        if brought:
            rows.append(_Row((), (cell(brought, "dim"),), 5 + widths[0]))
    return rows


def _with_notes(left: tuple[Cell, ...], notes: str, right: tuple[Cell, ...], hang: int, limit: int) -> list[_Row]:
    """The notes behind the parameters where they end before `limit`, else below the verb."""
    behind = _Row((*left, cell(notes)), right)
    if not notes or behind.left_width + GAP <= limit:
        return [behind]
    return [_Row(left, right), _Row((), (cell(notes),), hang)]


def _padded(piece: Cell, width: int, gap: int = GAP) -> tuple[Cell, Cell]:
    return piece, Cell(" " * (width - piece.width + gap))


def _heading(page: Page, text: str, style: str) -> None:
    page.blank()
    page.line(cell(text, style))


def _add_left_alone(page: Page, plan: Plan, clock: words.InstantWriter) -> None:
    if not plan.left_alone:
        return
    _heading(page, f"Changed outside, left alone ({len(plan.left_alone)}):", "yellow")
    rows = [
        [
            cell(str(left.address)),
            cell(left.path),
            cell(words.outside_text(left)),
            cell(words.seen_text(left, clock), "dim"),
            cell(words.way_back(plan, left), "dim"),
        ]
        for left in plan.left_alone
    ]
    page.table(rows, keep=3)


def _add_rejections(page: Page, plan: Plan) -> None:
    if not plan.rejections:
        return
    _heading(page, f"Ended outside, kept from returning by itself ({len(plan.rejections)}):", "yellow")
    page.table(
        [[cell(str(r.address)), cell(r.rejection.version), cell(r.rejection.reason, "dim")] for r in plan.rejections],
        keep=2,
    )


def _add_held_back(page: Page, plan: Plan) -> None:
    if not plan.held_back:
        return
    _heading(page, f"Held back ({len(plan.held_back)}):", "yellow")
    rows = [
        [cell(str(h.address)), cell(h.path), cell(f"{h.code}: {words.with_hint(h.message, h.hint)}")]
        for h in plan.held_back
    ]
    page.table(rows, keep=2)


def _add_blocked(page: Page, plan: Plan) -> None:
    rows = words.blocked_rows(plan)
    if not rows:
        return
    _heading(page, f"Blocked ({words.blocked_count(plan)}):", "red")
    page.table([[cell(address), cell(why)] for address, why in rows], keep=1)


def _add_warnings(page: Page, plan: Plan) -> None:
    if not plan.warnings:
        return
    _heading(page, f"Warnings ({len(plan.warnings)}):", "yellow")
    rows = [[cell(str(f.address or words.PROJECT)), cell(words.finding_text(f))] for f in plan.warnings]
    page.table(rows, keep=1)


def _add_footer(page: Page, plan: Plan) -> None:
    page.blank()
    for line in words.scope_lines(plan):
        page.paragraph(line)
    page.paragraph(words.counts_line(plan))
    page.paragraph(words.summary_line(plan), "bold")
