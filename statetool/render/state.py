"""The state as text: `state list` and `state show ADDRESS`.

Owns how recorded values are laid out. It must not compare anything: what drifted is told by a plan (`drift.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from statetool.core.canonical import gray_to_json, replicas_to_json
from statetool.core.model import Gray, Recorded, Rejection, Seen, Wish
from statetool.core.state import Overridden
from statetool.render import words
from statetool.render.layout import Cell, Page, cell

_MOST_OVERRIDDEN = 5
_UNKNOWN = "-"
_ENDED_OUTSIDE = "ended outside"
_NEVER_APPLIED = "nothing applied yet"


def render_state_list(components: Iterable[Recorded]) -> str:
    """One recorded component a line: address, version, replicas, gray release.

    The wish last applied; `seen` behind a value that is not managed and only was observed.
    """
    page = Page()
    rows = [_list_row(recorded) for recorded in sorted(components, key=lambda r: r.address)]
    page.table(rows, keep=4, indent=0)
    return page.text()


def render_overridden(overridden: Sequence[Overridden], *, timezone: ZoneInfo | None = None) -> str:
    """The newest runs that let denies through, one a line, the newest first. `timezone` None shows instants in UTC."""
    page = Page()
    clock = words.InstantWriter(timezone)
    page.line(cell(f"Let through with --override ({len(overridden)}):"))
    newest = list(reversed(overridden))[:_MOST_OVERRIDDEN]
    page.table([[cell(clock.full(o.at)), cell(", ".join(o.codes)), cell(o.by), cell(o.run_id)] for o in newest], keep=4)
    return page.text()


def _list_row(recorded: Recorded) -> list[Cell]:
    picture, seen = recorded.wish.picture, recorded.seen
    version, replicas, gray = _UNKNOWN, _UNKNOWN, ""
    if picture is not None:
        version = picture.stable or _UNKNOWN
        gray = _gray_text(picture.gray)
    elif seen is not None:
        version = f"{seen.version or _UNKNOWN} seen"
        gray = f"{_gray_text(seen.gray)} seen" if seen.gray else ""
    if recorded.wish.replicas is not None:
        replicas = words.replicas_text(recorded.wish.replicas)
    elif seen is not None and seen.replicas is not None:
        replicas = f"{words.plural(seen.replicas, 'replica')} seen"
    row = [cell(str(recorded.address)), cell(version), cell(replicas), cell(f"gray {gray}" if gray else "")]
    return [*row, cell(_NEVER_APPLIED)] if _is_never_applied(recorded) else row


def _is_never_applied(recorded: Recorded) -> bool:
    return recorded.applied_at is None and recorded.wish == Wish()


def _gray_text(gray: Gray | None) -> str:
    """`2.2.0 20 %`, or `2.2.0 any of 2 rules`."""
    if gray is None:
        return ""
    if gray.rule is None:
        return gray.version
    if gray.rule.weight is not None:
        return f"{gray.version} {gray.rule.weight} %"
    return f"{gray.version} {gray.rule.match} of {words.plural(len(gray.rule.rules), 'rule')}"


def render_state_show(recorded: Recorded, *, timezone: ZoneInfo | None = None) -> str:
    """Everything the state keeps of one component, one value a line. `timezone` None shows instants in UTC."""
    page = Page()
    clock = words.InstantWriter(timezone)
    page.line(cell(str(recorded.address), "bold"))
    rows = [
        ("component id", recorded.component_id),
        ("application id", recorded.application_id),
        ("environment id", recorded.environment_id or _UNKNOWN),
        ("applied", clock.full(recorded.applied_at) if recorded.applied_at else _UNKNOWN),
        ("applied from", words.source_text(recorded.applied_from) or _UNKNOWN),
        ("run", recorded.run_id or _UNKNOWN),
    ]
    _add_pairs(page, "", rows)
    _add_pairs(page, "wish, last applied", _wish_rows(recorded))
    if recorded.seen is not None:
        _add_pairs(page, "last seen", seen_rows(recorded.seen, clock))
    drifted = [
        (path, f"wrong since {clock.full(d.first_wrong_at)}, last right {_instant(d.last_right_at, clock)}")
        for path, d in recorded.drifted.items()
    ]
    _add_pairs(page, "changed outside", drifted)
    _add_pairs(page, "history", [(h.version, f"{h.verb} at {clock.full(h.at)}") for h in recorded.history])
    rejected = [(r.version, rejection_text(r, clock)) for r in recorded.rejected]
    _add_pairs(page, "rejected versions", rejected)
    return page.text()


def rejection_text(rejection: Rejection, clock: words.InstantWriter) -> str:
    """`quota (by run-1 at ..., job JOB7)`, or `ended outside at ...` where no run of ours ended it."""
    cleared = f"; may return: {rejection.cleared}" if rejection.cleared is not None else ""
    return _end_text(rejection, clock) + cleared


def _end_text(rejection: Rejection, clock: words.InstantWriter) -> str:
    job = f", job {rejection.job_id}" if rejection.job_id else ""
    when = f"at {clock.full(rejection.at)}{job}"
    if rejection.by != "outside":
        return f"{rejection.reason} (by {rejection.by} {when})"
    if rejection.reason == _ENDED_OUTSIDE:
        return f"{_ENDED_OUTSIDE} {when}"
    return f"{rejection.reason} ({_ENDED_OUTSIDE} {when})"


def _add_pairs(page: Page, title: str, rows: Iterable[tuple[str, str]]) -> None:
    cells = [[cell(name), cell(value)] for name, value in rows]
    if not cells:
        return
    if title:
        page.line(cell(f"  {title}"))
    page.table(cells, keep=2, indent=4 if title else 2)


def _instant(instant: str | None, clock: words.InstantWriter) -> str:
    return clock.full(instant) if instant else "never"


def _wish_rows(recorded: Recorded) -> list[tuple[str, str]]:
    wish = recorded.wish
    rows: list[tuple[str, str]] = []
    if wish.picture is not None:
        rows.append(("version", wish.picture.stable or _UNKNOWN))
        rows += _gray_rows(wish.picture.gray)
    replicas = replicas_to_json(wish.replicas) if wish.replicas is not None else None
    values = (("replicas", replicas), ("state", wish.state), ("restart", wish.restart))
    rows += [(name, words.value_text(name, value)) for name, value in values if value is not None]
    return rows or [("nothing", _NEVER_APPLIED if _is_never_applied(recorded) else "no field is managed")]


def _gray_rows(gray: Gray | None) -> list[tuple[str, str]]:
    """The gray release, its content rules one a line."""
    if gray is None:
        return []
    rows: list[tuple[str, str]] = []
    for key, value in gray_to_json(gray).items():
        path = f"gray.{key}"
        if isinstance(value, list):
            rows += [(path if n == 0 else "", words.rule_text(rule)) for n, rule in enumerate(value)]
        else:
            rows.append((path, words.value_text(path, value)))
    return rows


def seen_rows(seen: Seen, clock: words.InstantWriter) -> list[tuple[str, str]]:
    """What was seen last, one value a row."""
    available = _UNKNOWN if seen.available_replicas is None else str(seen.available_replicas)
    total = _UNKNOWN if seen.replicas is None else str(seen.replicas)
    return [
        ("at", clock.full(seen.at)),
        ("status", seen.status),
        ("version", seen.version or _UNKNOWN),
        *_gray_rows(seen.gray),
        ("replicas", f"{total}, {available} available"),
        ("last job", seen.last_job_id or _UNKNOWN),
    ]
