"""The closing report of an apply: how each action ended, what still differs, and how to go on.

Owns the words of that report. The exit code is decided in `core/events.py`, not here.
"""

from __future__ import annotations

from collections.abc import Iterable

from statetool.core.events import RunSummary
from statetool.core.plan import Action, Plan
from statetool.render import words
from statetool.render.layout import Cell, Page, cell
from statetool.render.sentences import moved_text, reason_text

_MOST_LISTED = 40
"""Actions that went well are listed one a line up to this number; what went wrong is always listed."""


def render_outcome(
    plan: Plan,
    summary: RunSummary,
    *,
    remaining: Plan | None,
    of_manifests: bool = True,
    width: int | None = None,
    color: bool = False,
) -> str:
    """What became of `plan`. `remaining` is the plan made afterwards, None where none was made.

    `of_manifests`: an apply goes on with it; not with a plan that came from a file, nor with a raw action.
    """
    page = Page(width=width, color=color)
    actions = {action.id: action for action in plan.actions}
    page.paragraph(_verdict(plan, summary), "bold")
    _add_good(page, "Done", summary.done, actions)
    _add_good(page, "It was so already, nothing sent", summary.satisfied, actions)
    _add_bad(page, "Failed", summary.failed.items(), actions, "red")
    moved = ((i, moved_text(summary.moved.get(i))) for i in summary.stale)
    _add_bad(page, "Stale, the component moved and nothing was sent", moved, actions, "yellow")
    running = ((i, "the platform goes on with its job") for i in summary.still_running)
    _add_bad(page, "Still running", running, actions, "yellow")
    skipped = ((i, reason_text(because)) for i, because in summary.skipped.items())
    _add_bad(page, "Not run", skipped, actions, "yellow")
    _add_rows(page, "Held back", [(f"{h.address} {h.path}", h.message) for h in plan.held_back], len(plan.held_back))
    _add_rows(page, "Blocked", words.blocked_rows(plan), words.blocked_count(plan))
    left = [(str(n.address), f"{n.path} {words.outside_text(n)}") for n in plan.left_alone]
    _add_rows(page, "Changed outside, left alone", left, len(left))
    _add_remaining(page, plan, summary, remaining, of_manifests=of_manifests)
    return page.text()


def _verdict(plan: Plan, summary: RunSummary) -> str:
    pairs = (
        (len(summary.done), "done"),
        (len(summary.satisfied), "so already"),
        (len(summary.failed), "failed"),
        (len(summary.stale), "stale"),
        (len(summary.still_running), "still running"),
        (len(summary.skipped), "not run"),
        (len(plan.held_back), "held back"),
        (words.blocked_count(plan), "blocked"),
    )
    told = ", ".join(f"{count} {word}" for count, word in pairs if count)
    if summary.interrupted:
        return f"Apply interrupted: {told or 'nothing was done'}."
    is_partial = any(count for count, word in pairs if word not in ("done", "so already"))
    if is_partial and not _has_effect(plan, summary):
        return f"{'Apply failed' if summary.failed else 'Nothing done'}: {told}."
    return f"Apply {'partly done' if is_partial else 'complete'}: {told or 'nothing had to be sent'}."


def _has_effect(plan: Plan, summary: RunSummary) -> bool:
    """Whether anything of the plan has come true, be it only in the state."""
    is_recorded = any(not change.action_ids for change in plan.changes)
    return bool(summary.done or summary.satisfied or summary.still_running or is_recorded)


def _add_good(page: Page, title: str, ids: Iterable[str], actions: dict[str, Action]) -> None:
    listed = list(ids)
    if not listed:
        return
    page.blank()
    page.line(cell(f"{title} ({len(listed)}):", "green"))
    if len(listed) <= _MOST_LISTED:
        page.table([_action_cells(i, actions) for i in listed], keep=2)
        return
    page.paragraph(", ".join(listed), indent=2)


def _add_bad(page: Page, title: str, pairs: Iterable[tuple[str, str]], actions: dict[str, Action], style: str) -> None:
    rows = [[*_action_cells(i, actions), cell(why)] for i, why in pairs]
    if not rows:
        return
    page.blank()
    page.line(cell(f"{title} ({len(rows)}):", style))
    page.table(rows, keep=2)


def _action_cells(action_id: str, actions: dict[str, Action]) -> list[Cell]:
    action = actions.get(action_id)
    return [cell(action_id), cell(words.action_text(action) if action else "")]


def _add_rows(page: Page, title: str, rows: Iterable[tuple[str, str]], count: int) -> None:
    cells = [[cell(name), cell(why)] for name, why in rows]
    if not cells:
        return
    page.blank()
    page.line(cell(f"{title} ({count}):", "yellow"))
    page.table(cells, keep=1)


def _add_remaining(page: Page, plan: Plan, summary: RunSummary, remaining: Plan | None, *, of_manifests: bool) -> None:
    page.blank()
    command = "statetool drift --correct" if plan.mode == "drift" else "statetool apply"
    command += ", with the same selection" if plan.left_out else ""
    if remaining is None:
        if not of_manifests and not _is_all_good(plan, summary):
            page.line(cell("Plan again: statetool plan", "bold"))
            return
        page.line(cell("No new plan was made. To see what is left: statetool plan"))
        if _is_all_good(plan, summary):
            return
    elif words.is_settled(remaining):
        # In mode drift a plan is empty as well where the rest of the drift lacks permission.
        is_rest_left = remaining.mode == "drift" and remaining.left_alone
        empty = "A new plan of the same selection is empty." if remaining.left_out else "A new plan is empty."
        page.line(cell("Nothing else may be put back." if is_rest_left else empty, "green"))
        warnings = [(str(f.address or words.PROJECT), words.finding_text(f)) for f in remaining.warnings]
        _add_rows(page, "It warns", warnings, len(warnings))
        return
    else:
        told = _waiting_rows(plan)
        rows = [row for row in _remaining_rows(remaining) if row not in told]
        what = "A new plan still differs:" if rows else "A new plan has only what is held back or blocked above."
        page.line(cell(what, "yellow"))
        page.table([[cell(address), cell(difference)] for address, difference in rows], keep=1)
    page.line(cell(f"{_before_going_on(plan, summary, remaining)}: {command}", "bold"))


def _is_all_good(plan: Plan, summary: RunSummary) -> bool:
    """Whether nothing of this plan is open, so that there is nothing to go on with."""
    ended_badly = summary.failed or summary.stale or summary.still_running or summary.skipped
    return not (ended_badly or summary.interrupted or plan.held_back or plan.blocked or plan.denies)


def _remaining_rows(remaining: Plan) -> list[tuple[str, str]]:
    rows = [(str(c.address), f"{f.path} {words.difference_text(f)}") for c in remaining.changes for f in c.fields]
    rows += [(str(c.address), words.kind_text(c) or "to be recorded") for c in remaining.changes if not c.fields]
    return rows + _waiting_rows(remaining)


def _waiting_rows(plan: Plan) -> list[tuple[str, str]]:
    rows = [(str(h.address), f"{h.path} held back: {h.message}") for h in plan.held_back]
    return rows + [(address, f"blocked: {why}") for address, why in words.blocked_rows(plan)]


def _before_going_on(plan: Plan, summary: RunSummary, remaining: Plan | None) -> str:
    """What to do before the command that continues."""
    if summary.still_running or summary.interrupted:
        return "Continue with"
    if plan.denies or plan.blocked or (remaining is not None and remaining.denies):
        return "Settle what is blocked, then continue with"
    return "Continue with"
