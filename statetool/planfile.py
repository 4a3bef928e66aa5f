"""Saved plans as files, and whether one may still be applied.

Owns writing, reading and the refusals of a saved plan (semantics: saved plans). It must not look into the plan's
decisions, nor at the platform: whether a precondition still holds is asked by `apply/`, action by action.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from statetool.backends.files import FileSystem, explain, read_file, replace_file
from statetool.core.document import DocumentError, parse_document
from statetool.core.plan import Plan
from statetool.core.plan_document import plan_from_document, plan_to_document
from statetool.core.state import StateFile
from statetool.errors import PlanFileError

MAX_BYTES = 64 * 2**20
_CLOCK_TOLERANCE_S = 300
_HEAD_BYTES = 4096
"""The keys before the changes fit in here, the fingerprint among them."""
NEW_PLAN = "make a new one: statetool plan --out FILE"


def write_plan(path: Path, plan: Plan, *, files: FileSystem | None = None) -> None:
    """Save a plan for `apply`: whole or not at all, readable by its owner only. Raises PlanFileError."""
    data = json.dumps(plan_to_document(plan), ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
    if len(data) > MAX_BYTES:
        raise PlanFileError(
            f"the plan would take {len(data) // 2**20} MiB, more than the {MAX_BYTES // 2**20} MiB of a plan file",
            hint="plan a part of it: --target GLOB",
        )
    try:
        # Renaming would put the plan in the link's place; whoever made the link meant another file.
        if path.is_symlink():
            raise PlanFileError(f"the plan can't be saved to {path}: it is a symbolic link, which is refused")
        _ensure_replaceable(path)
        replace_file(files or FileSystem(), path, data)
    except OSError as error:
        raise PlanFileError(
            f"the plan can't be saved to {path}: {explain(error)}", hint="choose another file for --out"
        ) from None


def _ensure_replaceable(path: Path) -> None:
    """Refuse to put a plan in the place of anything but a plan: a device, the state, a manifest."""
    if not path.exists():
        return
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not a plain file"
        raise PlanFileError(f"the plan can't be saved to {path}: it is {kind}", hint="choose another file for --out")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head and not (head.startswith(b"{") and b'"fingerprint"' in head):
        raise PlanFileError(
            f"the plan can't be saved to {path}: what stands there is not a saved plan",
            hint="choose another file for --out, or remove that one",
        )


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises PlanFileError for everything that is not one whole, unchanged plan."""
    try:
        data, _ = read_file(path, MAX_BYTES, follow_links=True)
    except OSError as error:
        raise PlanFileError(f"the plan {path} can't be read: {explain(error)}", hint=NEW_PLAN) from None
    try:
        return plan_from_document(parse_document(data))
    except (DocumentError, PlanFileError) as error:
        raise PlanFileError(f"the plan {path} can't be applied: {error.message}", hint=error.hint or NEW_PLAN) from None


def ensure_plan_fits(
    plan: Plan, *, endpoint: str, project_id: str, state: StateFile | None, now: str, max_age_s: int
) -> None:
    """Refuse a plan that was made for something else, or too long ago. Raises PlanFileError.

    `now` is UTC RFC 3339. Without a state the plan's lineage is the one it will be created with. The serial is
    informative only: what moved since is found by the preconditions.
    """
    if plan.endpoint != endpoint:
        raise PlanFileError(
            f"the plan was made for {plan.endpoint}, but this configuration names {endpoint}",
            code="plan_other_endpoint",
            hint=f"use the configuration it was made with, or {NEW_PLAN}",
        )
    if plan.project_id != project_id:
        raise PlanFileError(
            f"the plan was made for project {plan.project_id}, but this configuration names {project_id}",
            code="plan_other_project",
            hint=f"use the configuration it was made with, or {NEW_PLAN}",
        )
    if state is not None and state.lineage != plan.lineage:
        raise PlanFileError(
            f"the plan belongs to the state of lineage {plan.lineage}, but this one's is {state.lineage}",
            code="plan_foreign_lineage",
            hint=f"use the state it was made with, or {NEW_PLAN}",
        )
    age_s = int((datetime.fromisoformat(now) - datetime.fromisoformat(plan.created_at)).total_seconds())
    if age_s < -_CLOCK_TOLERANCE_S:
        raise PlanFileError(
            f"the plan was made in the future ({plan.created_at}; it is {now} here)",
            code="plan_from_future",
            hint=f"set the clocks right, then {NEW_PLAN}",
        )
    if age_s > max_age_s:
        raise PlanFileError(
            f"the plan is {_show_age(age_s)} old (made {plan.created_at}); guards.max_plan_age allows "
            f"{_show_age(max_age_s)}",
            code="plan_too_old",
            hint=NEW_PLAN,
        )


def _show_age(seconds: int) -> str:
    """Hours and minutes, or seconds below a minute."""
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)
