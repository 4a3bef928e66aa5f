"""What a manifest says of a component that runs: its wish, and what had better not be written down.

Owns that judgement. A value goes into the wish only where it is certain, and where a plan made from it would do
nothing: what a job is moving, or a gray release hides, is left out with a finding that says so. Whether a manifest
can spell a value at all is `manifest/drafting.py`. Pure.
"""

from __future__ import annotations

from statetool.core.model import (
    Observed,
    PowerState,
    Recorded,
    StatusClass,
    VersionPicture,
    Wish,
)
from statetool.core.picture import PROMOTED_WEIGHT, is_unclear, open_release, version_picture
from statetool.core.plan import Finding

LEAST_GRAYING = 2
"""Instances below which a manifest may not wish a gray release."""


def needs_look_to_adopt(observed: Observed, *, fixed: bool) -> bool:
    """Whether a list row is not enough: detail and records must be read before `adopt`."""
    if observed.may_be_releasing:
        return True
    return fixed and observed.status_class is StatusClass.STOPPED


def adopt(observed: Observed, recorded: Recorded | None, *, fixed: bool) -> tuple[Wish, tuple[Finding, ...]]:
    """The wish that is fulfilled by what runs now, and what has to be said about it.

    `fixed` wishes the number of instances; otherwise nobody does. `observed.closer` must be there where
    `needs_look_to_adopt` says so.
    """
    if observed.status_class is StatusClass.BUSY:
        busy = _warning(
            observed,
            "busy_component",
            f"a job is moving it (status {observed.status}), so that only its name is written",
            "when the job has ended, write what it should be",
        )
        return Wish(), (busy,)
    findings: list[Finding] = []
    if observed.status_class is StatusClass.FAILED:
        findings.append(
            _warning(
                observed,
                "failed_component",
                f"its status is {observed.status}; what is written is what the platform shows",
                "look at its last job in the console, then check what is written",
            )
        )
    picture, doubts = _adopt_picture(observed, recorded)
    number = None
    if fixed:
        number, doubt = _adopt_number(observed, is_released=picture is not None and picture.gray is not None)
        doubts += doubt
    stopped: PowerState | None = "stopped" if observed.status_class is StatusClass.STOPPED else None
    return Wish(picture=picture, replicas=number, state=stopped), (*findings, *doubts)


def _adopt_picture(observed: Observed, recorded: Recorded | None) -> tuple[VersionPicture | None, tuple[Finding, ...]]:
    """The version picture, None where writing it could end or promote a gray release that nobody understands."""
    seen = version_picture(observed, recorded)
    if seen.gray is None:
        return seen, ()
    if is_unclear(observed) or seen.stable is None:
        return None, (_doubt(observed, "gray_unclear", "a gray release runs, and its stable version can't be told"),)
    candidate, rule = seen.gray.version, seen.gray.rule
    if rule is None:
        why = f"the rule of the gray release of {candidate} beside {seen.stable} can't be read"
        return None, (_doubt(observed, "gray_rule_unread", why),)
    if rule.weight is not None and not 0 < rule.weight < PROMOTED_WEIGHT:
        # Weight 100 in a manifest promotes; weight 0 can't be written.
        why = f"the gray release of {candidate} beside {seen.stable} has {rule.weight} % of the traffic"
        return None, (_doubt(observed, "gray_at_its_end", why),)
    return seen, ()


def _adopt_number(observed: Observed, *, is_released: bool) -> tuple[int | None, tuple[Finding, ...]]:
    """The number of instances; the configured one where the status hides it."""
    number: int | None = observed.replicas
    is_counted_twice = observed.status_class is StatusClass.FAILED and open_release(observed) is not None
    if observed.status_class not in (StatusClass.READY, StatusClass.FAILED) or is_counted_twice:
        number = observed.closer.configured_replicas if observed.closer else None
    if number is None:
        why = f"the platform does not tell how many instances it should have (status {observed.status})"
        return None, (_warning(observed, "replicas_untold", why, "write replicas yourself"),)
    if is_released and number < LEAST_GRAYING:
        why = f"a gray release runs on {number} configured instances, fewer than a manifest may wish"
        return None, (_warning(observed, "replicas_untold", why, "write replicas when the gray release is over"),)
    return number, ()


def _doubt(observed: Observed, code: str, why: str) -> Finding:
    return _warning(
        observed,
        code,
        f"{why}: version and gray are left out, and not managed",
        "when the gray release is over, write its version",
    )


def _warning(observed: Observed, code: str, message: str, hint: str) -> Finding:
    return Finding(code, "warn", message, hint, observed.address)
