"""The switches of a sandbox: one per question the platform's documentation leaves open.

Owns their names, values, defaults and how a text becomes a value. Must not read files or know where they are kept.
"""

from __future__ import annotations

import dataclasses
import difflib
import math

_LONGEST_JOB_SECONDS = 86_400.0
_LARGEST = {"stale_ms": 3_600_000, "token_seconds": 31_536_000}

CHOICES: dict[str, tuple[str, ...]] = {
    "graying_shows": ("candidate", "stable"),
    "gray_continue": ("all", "per_batch"),
    "gray_job": ("succeeded", "running"),
    "rollback_replicas": ("keep", "restore"),
    "scaling_status": ("UPGRADING", "SCALING"),
    "missing": ("401", "404"),
    "job_case": ("lower", "upper"),
    "action_body": ("new", "old", "both"),
    "projects": ("one", "none", "several"),
    "put_replica": ("honoured", "ignored"),
    "put_omitted": ("reset", "keep"),
    "job_ids": ("all", "some", "none"),
    "gray_case": ("sent", "upper", "lower"),
    "busy": ("409", "400"),
    "rollback_targets": ("any", "previous"),
    "rollback_twice": ("refused", "accepted"),
    "newer_records": ("dropped", "kept"),
    "version_reuse": ("refused", "accepted"),
    "action_records": ("no", "yes"),
}
"""What the switches that are words can be, the default first."""


@dataclasses.dataclass(frozen=True, slots=True)
class Switches:
    """Every switch with its default (all SIM; the reference's section 13 names the questions behind them).

    job_seconds        how long a job takes, seconds >= 0
    stale_ms           for so long after an accepted write a component still reads as before (section 13.3)
    graying_shows      version of row and detail during a gray release (U16)
    gray_continue      one continue_deploy does all remaining batches, or one batch each (U4)
    gray_job           the job of the gray deployment has ended at the pause, or still runs (U15)
    rollback_replicas  a rollback keeps the number of instances, or brings the recorded one back
    scaling_status     component_status while scaling (U7)
    missing            how a missing application or component is answered (section 13.6)
    job_case           lower- or upper-case job fields (section 7)
    action_body        answer of an action: {job_id, component_id}, {job_id, result} or all three (section 4.2)
    token_seconds      how long a token from a password is good (section 9.1)
    projects           how many projects a look-up by name finds (section 9.2)
    put_replica        a deployment sets the number of instances it carries, or leaves it alone (U10)
    put_omitted        what a deployment does not mention is reset, or kept (U10)
    job_ids            which answers of actions have a job_id: all, none, or some: not those of sync_workload,
                       modify_gray_rule and check_gray_release (U9); the job is there all the same
    gray_case          how a component's detail spells the enums of a gray release: as they were sent, in capitals, or
                       in the older small letters (U2, section 5.2)
    busy               status of the answer where a component is busy or in the wrong state (U8, section 13.5)
    rollback_targets   a rollback goes to any older recorded version, or to the previous one only (U6)
    rollback_twice     a rollback right after a rollback is refused [03_0037], or accepted
    newer_records      records newer than a rollback's target are dropped, or kept and marked (section 13.9)
    version_reuse      a deployment of a version that is recorded is refused [api_0026], or accepted
    action_records     start, stop, restart and scale make records of their own: no, or yes (section 8)
    """

    job_seconds: float = 1.0
    stale_ms: int = 50
    graying_shows: str = "candidate"
    gray_continue: str = "all"
    gray_job: str = "succeeded"
    rollback_replicas: str = "keep"
    scaling_status: str = "UPGRADING"
    missing: str = "401"
    job_case: str = "lower"
    action_body: str = "new"
    token_seconds: int = 86_400
    projects: str = "one"
    put_replica: str = "honoured"
    put_omitted: str = "reset"
    job_ids: str = "all"
    gray_case: str = "sent"
    busy: str = "409"
    rollback_targets: str = "any"
    rollback_twice: str = "refused"
    newer_records: str = "dropped"
    version_reuse: str = "refused"
    action_records: str = "no"


NAMES = tuple(field.name for field in dataclasses.fields(Switches))


def with_job_seconds(switches: Switches, seconds: float) -> Switches:
    """The same switches with another job duration; ValueError (a sentence) when it makes no sense."""
    if not math.isfinite(seconds) or not 0 <= seconds <= _LONGEST_JOB_SECONDS:
        raise ValueError(f"job_seconds must be between 0 and {_LONGEST_JOB_SECONDS:.0f}, not {seconds}")
    return dataclasses.replace(switches, job_seconds=float(seconds))


def with_text(switches: Switches, name: str, text: str) -> Switches:
    """The same switches with one set from its text in a seed; ValueError (a sentence) for a bad value."""
    if name == "job_seconds":
        try:
            seconds = float(text)
        except ValueError:
            raise ValueError(f"job_seconds must be a number of seconds, not {text!r}") from None
        return with_job_seconds(switches, seconds)
    if name in _LARGEST:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= _LARGEST[name]):
            raise ValueError(f"{name} must be a whole number from 0 to {_LARGEST[name]}, not {text!r}")
        numbers: dict[str, int] = {name: int(text)}
        return dataclasses.replace(switches, **numbers)  # type: ignore[arg-type]
    if text not in CHOICES[name]:
        near = difflib.get_close_matches(text, CHOICES[name], n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}, not {text!r}{hint}")
    changes: dict[str, str] = {name: text}
    return dataclasses.replace(switches, **changes)  # type: ignore[arg-type]
