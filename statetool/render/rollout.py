"""How a gray release stands, as text and as a document: the view of `rollout status`.

Owns the drawing and the words. What is known of the release, and what the next apply does, comes from
`core/rollout.py`. A pipe takes the same characters as a terminal: the bar is drawn in ASCII.
"""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from statetool.core.canonical import rule_to_json
from statetool.core.document import rejection_to_json
from statetool.core.locating import Located
from statetool.core.model import Desired, GrayRule, Job, Json, Recorded, VersionPicture
from statetool.core.picture import UNTOLD_VERSION, picture_paths, version_picture
from statetool.core.plan import Action, Plan
from statetool.core.plan_document import plan_to_shown_document
from statetool.core.rollout import NextApply, Phase, Rollout, RolloutStep, describe_alone, judge_next_apply
from statetool.render import words
from statetool.render.harmless import for_terminal
from statetool.render.json import FORMAT_VERSION
from statetool.render.layout import Cell, Page, cell
from statetool.render.state import rejection_text

BAR_WIDTH = 40
_ALL = 100
_NOT_TOLD = "not told"
_OF_NEXT_PLAN = ("actions", "held_back", "left_alone", "findings")
"""What the document takes over from the next plan, as `plan --json` spells it."""


def render_rollout(
    rollout: Rollout, *, width: int | None = None, color: bool = False, timezone: ZoneInfo | None = None
) -> str:
    """The release drawn, then what is known of it, one fact a line. `timezone` None shows instants in UTC."""
    page, clock = Page(width=width, color=color), words.InstantWriter(timezone)
    located = rollout.located
    page.line(cell(str(located.address), "bold"), Cell("   "), cell(located.observed.status, "cyan"))
    page.paragraph(_headline(rollout), indent=2)
    page.blank()
    if rollout.phase is Phase.OPEN:
        _draw(page, rollout.picture)
        page.blank()
    rows = [*_release_rows(rollout, clock), *_component_rows(rollout), *_rejected_rows(located.recorded, clock)]
    page.table([[cell(name, "dim"), cell(value)] for name, value in rows], keep=1)
    return page.text()


def render_needless(step: RolloutStep, located: Located) -> str:
    """Why there was nothing to set: one line."""
    gray = version_picture(located.observed, located.recorded).gray
    if gray is None:
        return for_terminal(f"{located.address}: no gray release is open, {describe_alone(located)}. Nothing to do.")
    return for_terminal(f"{located.address}: {gray.version} has {step.weight} % of the traffic already. Nothing to do.")


def draw_bar(percent: int) -> str:
    """`[####....]` of fixed width. A share above nothing shows, and so does what is missing to all of it."""
    marks = round(BAR_WIDTH * percent / _ALL)
    if 0 < percent < _ALL:
        marks = min(max(marks, 1), BAR_WIDTH - 1)
    return f"[{'#' * marks}{'.' * (BAR_WIDTH - marks)}]"


# --- text ------------------------------------------------------------------------------------------------------------


def _headline(rollout: Rollout) -> str:
    gray = rollout.picture.gray
    if rollout.phase is Phase.BUSY:
        return "A job moves it: whether a gray release is open can't be told now."
    if gray is None:
        return f"No gray release is open: {describe_alone(rollout.located)}."
    if rollout.is_unclear:
        return "A gray release is open, but its records do not tell clearly of what: look at it in the console."
    return f"A gray release of {gray.version} beside {rollout.picture.stable} is open."


def _draw(page: Page, picture: VersionPicture) -> None:
    """Two lines, or one more for each further content rule."""
    gray = picture.gray
    assert gray is not None, "an open release has a candidate"
    stable, candidate = _shares(gray.rule)
    rows = [
        [cell("stable"), cell(_told(picture.stable), "bold"), cell(stable)],
        [cell("candidate"), cell(_told(gray.version), "bold"), cell(candidate[0])],
        *([cell(""), cell(""), cell(f"  {line}")] for line in candidate[1:]),
    ]
    page.table(rows, keep=3)


def _shares(rule: GrayRule | None) -> tuple[str, list[str]]:
    """Who reaches the stable version, and, in lines, who the candidate."""
    if rule is None:
        return "its share of the traffic is not told", ["its share of the traffic is not told"]
    if rule.weight is not None:
        left = _ALL - rule.weight
        return f"{draw_bar(left)}  {left:>3} %", [f"{draw_bar(rule.weight)}  {rule.weight:>3} %"]
    lines = [words.rule_text(entry) for entry in _rules(rule)]
    return "all other requests", [f"requests that match {rule.match} of:", *lines]


def _rules(rule: GrayRule) -> list[Json]:
    rules = rule_to_json(rule)["rules"]
    return rules if isinstance(rules, list) else []


def _release_rows(rollout: Rollout, clock: words.InstantWriter) -> list[tuple[str, str]]:
    if rollout.phase is not Phase.OPEN:
        return []
    left = rollout.batches_left
    return [
        ("batches", _NOT_TOLD if left is None else f"at most {left} left"),
        ("since", _NOT_TOLD if rollout.begun_at is None else clock.full(rollout.begun_at)),
        ("by", _by_text(rollout, clock)),
    ]


def _by_text(rollout: Rollout, clock: words.InstantWriter) -> str:
    recorded = rollout.located.recorded
    if recorded is None or not rollout.is_wished:
        return "outside: no wish in the state names it"
    when = f" at {clock.full(recorded.applied_at)}" if recorded.applied_at else ""
    source = words.source_text(recorded.applied_from)
    return f"run {recorded.run_id or 'unknown'}, which wished it{when}{f', from {source}' if source else ''}"


def _component_rows(rollout: Rollout) -> list[tuple[str, str]]:
    located, observed = rollout.located, rollout.located.observed
    return [
        ("instances", _instances_text(rollout)),
        ("last job", _job_text(observed.last_job_id, rollout.job)),
        ("manifest", _wanted_text(located.desired)),
        ("next apply", _next_text(rollout)),
    ]


def _instances_text(rollout: Rollout) -> str:
    """While a gray release is open the platform counts both versions together."""
    observed = rollout.located.observed
    both = " of both versions" if rollout.phase is Phase.OPEN else ""
    configured = observed.closer.configured_replicas if observed.closer is not None else None
    meant = "" if configured in (None, observed.replicas) else f"; {configured} configured"
    return f"{observed.replicas}{both}, {observed.available_replicas} available{meant}"


def _job_text(job_id: str | None, job: Job | None) -> str:
    if job_id is None:
        return "none"
    if job is None:
        return f"{job_id}, which the platform no longer knows"
    return f"{job_id}: {job.status}{f' ({job.message})' if job.message else ''}"


def _wanted_text(desired: Desired | None) -> str:
    if desired is None:
        return "none describes it"
    place = f"{desired.origin.file}:{desired.origin.line}"
    if desired.wish.picture is None:
        return f"leaves its version alone ({place})"
    paths = picture_paths(desired.wish.picture)
    return f"{', '.join(f'{path} {words.value_text(path, value)}' for path, value in paths.items())} ({place})"


def _next_text(rollout: Rollout) -> str:
    """One line; what is waited for or left alone stands behind what is done."""
    plan = rollout.next_plan
    if plan is None:
        dropped = ", and drops it from the state" if rollout.located.recorded is not None else ""
        return f"leaves it as it is{dropped}"
    if plan.denies:
        return f"is denied: {'; '.join(words.finding_text(finding) for finding in plan.denies)}"
    return "; ".join([_done_text(plan), *_waiting_texts(plan), *(words.finding_text(f) for f in plan.warnings)])


def _done_text(plan: Plan) -> str:
    if plan.actions:
        return ", then ".join(_action_text(action) for action in plan.actions)
    return "only records it" if plan.changes else "sends nothing"


def _action_text(action: Action) -> str:
    """With what limits it; one stands behind the other anyway."""
    notes = words.notes_text(replace(action, requires=()))
    return f"{words.action_text(action)}{f' ({notes})' if notes else ''}"


def _waiting_texts(plan: Plan) -> list[str]:
    held = [f"{h.code}: {h.message}" for h in plan.held_back]
    return held + [f"{left.path} {words.outside_text(left)} changed outside, left alone" for left in plan.left_alone]


def _rejected_rows(recorded: Recorded | None, clock: words.InstantWriter) -> list[tuple[str, str]]:
    rejected = recorded.rejected if recorded is not None else ()
    return [
        ("rejected" if n == 0 else "", f"{entry.version}: {rejection_text(entry, clock)}")
        for n, entry in enumerate(rejected)
    ]


def _told(version: str | None) -> str:
    return _NOT_TOLD if version in (None, UNTOLD_VERSION) else str(version)


# --- document --------------------------------------------------------------------------------------------------------


def rollout_to_document(rollout: Rollout, tool_version: str) -> dict[str, Json]:
    """By the schema `rollout`."""
    located, observed = rollout.located, rollout.located.observed
    closer, recorded = observed.closer, located.recorded
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": tool_version,
        "at": rollout.at,
        "address": str(located.address),
        "component_id": observed.component_id,
        "status": observed.status,
        "phase": str(rollout.phase),
        "version": rollout.picture.stable,
        "release": _release_to_json(rollout),
        "instances": {
            "total": observed.replicas,
            "available": observed.available_replicas,
            "configured": closer.configured_replicas if closer is not None else None,
        },
        "job": _job_to_json(observed.last_job_id, rollout.job),
        "manifest": _wanted_to_json(located.desired),
        "next_apply": _next_to_json(rollout.next_plan),
        "rejected": [rejection_to_json(entry) for entry in recorded.rejected] if recorded is not None else [],
    }


def _release_to_json(rollout: Rollout) -> Json:
    gray, recorded = rollout.picture.gray, rollout.located.recorded
    if gray is None:
        return None
    by: Json = None
    if recorded is not None and rollout.is_wished:
        source = recorded.applied_from
        by = {
            "run_id": recorded.run_id,
            "applied_at": recorded.applied_at,
            "applied_from": {"commit": source.commit, "dirty": source.dirty, "run_url": source.run_url},
        }
    return {
        "version": None if gray.version == UNTOLD_VERSION else gray.version,
        **(rule_to_json(gray.rule) if gray.rule is not None else {}),
        "is_unclear": rollout.is_unclear,
        "batches_left": rollout.batches_left,
        "begun_at": rollout.begun_at,
        "by": by,
    }


def _job_to_json(job_id: str | None, job: Job | None) -> Json:
    if job_id is None:
        return None
    return {"id": job_id, "status": job.status if job else None, "message": job.message if job else None}


def _wanted_to_json(desired: Desired | None) -> Json:
    if desired is None:
        return None
    picture = desired.wish.picture
    return {
        "origin": str(desired.origin),
        "fields": picture_paths(picture) if picture is not None else {},
    }


def _next_to_json(plan: Plan | None) -> dict[str, Json]:
    verdict = judge_next_apply(plan)
    if plan is None:
        assert verdict is NextApply.UNMANAGED
        return {"verdict": str(verdict), **{key: [] for key in _OF_NEXT_PLAN}}
    document = plan_to_shown_document(plan)
    return {"verdict": str(verdict), **{key: document[key] for key in _OF_NEXT_PLAN}}
