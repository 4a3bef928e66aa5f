"""What was changed outside, as text: the report of the `drift` command.

Owns its sections and its closing line. What drifted, and what may be put back, is told by plans of mode drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from statetool.core.model import Address
from statetool.core.plan import Cause, FieldChange, Finding, LeftAlone, Plan
from statetool.render import words
from statetool.render.layout import Cell, Page, cell

_MISSING = "component_not_found"
_UNRECORDED = "not_recorded"
_BUSY = "busy"
_PUT_BACK = "put back by `statetool drift --correct`"


def render_drift(
    plan: Plan,
    *,
    correction: Plan | None = None,
    width: int | None = None,
    color: bool = False,
    timezone: ZoneInfo | None = None,
) -> str:
    """Every value changed outside, with times; missing and unrecorded components; the closing line counts.

    `plan` is one of mode drift. `correction` is the plan that `drift --correct` would carry out, from the same
    observation: with it, each value says whether it would be put back. `timezone` None shows instants in UTC.
    """
    page = Page(width=width, color=color)
    puts_back = {(c.address, f.path) for p in (plan, correction or plan) for c in p.changes for f in c.fields}
    missing = [f for f in plan.findings if f.code == _MISSING]
    unrecorded = [f for f in plan.findings if f.code == _UNRECORDED]
    moving = [f for f in plan.findings if f.code == _BUSY]
    others = [f for f in plan.findings if f.code not in (_MISSING, _UNRECORDED, _BUSY)]
    held_back = {(h.address, h.path): h for p in (plan, correction or plan) for h in p.held_back}
    becomes = dict.fromkeys(held_back, "can't be put back now") | dict.fromkeys(puts_back, _PUT_BACK)
    rows = _outside_rows(plan, becomes, correction, words.InstantWriter(timezone, plan.created_at))
    _add_section(page, "Changed outside", rows, keep=3)
    held_rows = [
        [cell(str(h.address)), cell(h.path), cell(words.with_hint(h.message, h.hint))] for h in held_back.values()
    ]
    _add_section(page, "Can't be put back now", held_rows, keep=2)
    _add_section(page, "Missing on the platform", _finding_rows(missing), keep=1)
    _add_section(page, "Not recorded yet", _finding_rows(unrecorded), keep=1)
    _add_section(page, "Not compared", _finding_rows(moving), keep=1)
    _add_section(page, "Also found", _finding_rows(others), keep=1)
    page.blank()
    if plan.left_out:
        page.paragraph(words.left_out_text(plan.left_out))
    page.paragraph(_closing_line(len(rows), len(puts_back), len(missing), len(unrecorded), len(moving)), "bold")
    return page.text()


def _outside_rows(
    plan: Plan, becomes: Mapping[tuple[Address, str], str], correction: Plan | None, clock: words.InstantWriter
) -> list[list[Cell]]:
    """Address, path, from -> to, since when, and what becomes of it, as far as `becomes` knows that by its path."""
    refused = _refusals(plan, correction) if correction is not None else {}

    def way(left: LeftAlone) -> str:
        if left.address in refused:
            return refused[left.address]
        if (left.address, left.path) in becomes:
            return becomes[left.address, left.path]
        is_known = correction is not None or left.cause is Cause.BOTH
        return words.way_back(plan, left) if is_known else ""

    ways = words.told_once((left.address, way(left)) for left in plan.left_alone)
    rows = [
        [
            cell(str(left.address)),
            cell(left.path),
            cell(words.outside_text(left)),
            cell(words.seen_text(left, clock)),
            cell(way_of_left),
        ]
        for left, way_of_left in zip(plan.left_alone, ways, strict=True)
    ]
    for change in plan.changes:
        rows += [_corrected_row(str(change.address), f) for f in change.fields if f.cause is Cause.DRIFT]
    return rows


def _refusals(plan: Plan, correction: Plan) -> dict[Address, str]:
    """Why nothing of a component would be put back; in a word, where that is told of the drift itself."""
    told = {(f.address, f.code) for f in plan.findings}
    whole = {f.code: words.finding_text(f) for f in correction.denies if f.address is None}
    refused = {
        b.address: f"nothing is put back there: {b.because}"
        if (b.address, b.because) in told
        else whole.get(b.because, b.message)
        for b in correction.blocked
    }
    own = ((f.address, f) for f in correction.denies if (f.address, f.code) not in told)
    return refused | {address: words.finding_text(f) for address, f in own if address is not None}


def _corrected_row(address: str, change: FieldChange) -> list[Cell]:
    """A field that the plan itself puts back: its wish is where the plan leads to."""
    wish, observed = (words.value_text(change.path, side) for side in (change.after, change.before))
    return [cell(address), cell(change.path), cell(f"{wish} -> {observed}"), cell(""), cell(_PUT_BACK)]


def _finding_rows(findings: Sequence[Finding]) -> list[list[Cell]]:
    return [[cell(str(f.address or words.PROJECT)), cell(words.finding_text(f))] for f in findings]


def _add_section(page: Page, title: str, rows: Sequence[Sequence[Cell]], *, keep: int) -> None:
    if not rows:
        return
    page.blank()
    page.line(cell(f"{title} ({len(rows)}):", "yellow"))
    page.table(rows, keep=keep)


def _closing_line(outside: int, puts_back: int, missing: int, unrecorded: int, moving: int) -> str:
    facts = [f"{words.plural(outside, 'value')} changed outside, {puts_back} to be put back"] if outside else []
    facts += [f"{words.plural(missing, 'component')} missing"] if missing else []
    facts += [f"{words.plural(unrecorded, 'component')} not recorded"] if unrecorded else []
    if not facts and moving:
        return f"No drift in what could be compared; {words.plural(moving, 'component')} busy."
    facts += [f"{words.plural(moving, 'component')} busy"] if moving else []
    return f"Drift: {'; '.join(facts)}." if facts else "No drift: what runs is what was last applied."
