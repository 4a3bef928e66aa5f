"""What runs as a wish: every status, both ways to treat the number, and the doubts that keep a value out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import EARLIER, content, deployed, look, picture, plan_all, record, see, see_gray, want, wish

from statetool.core.adoption import adopt, needs_look_to_adopt
from statetool.core.model import Observed, Seen, Wish

AUTO = pytest.mark.parametrize("fixed", [False, True])


def codes_of(observed: Observed, *, fixed: bool = False) -> list[str]:
    return [finding.code for finding in adopt(observed, None, fixed=fixed)[1]]


@pytest.mark.parametrize("status", ["RUNNING", "PENDING"])
def test_what_serves_is_wished_with_its_version(status: str) -> None:
    """The number of instances only where it is asked for; running is nothing to wish."""
    assert adopt(see(status=status), None, fixed=False) == (wish("1.4.2"), ())
    assert adopt(see(status=status), None, fixed=True) == (wish("1.4.2", replicas=4), ())


def test_what_is_stopped_stays_stopped() -> None:
    """With the number it is configured to have: the status hides how many there are."""
    stopped = see(status="STOPPED", replicas=0, closer=look("1.4.2", configured=3))
    assert adopt(stopped, None, fixed=False) == (wish("1.4.2", state="stopped"), ())
    assert adopt(stopped, None, fixed=True) == (wish("1.4.2", state="stopped", replicas=3), ())


@pytest.mark.parametrize("status", ["FAILED", "PARTIALLY_FAILED", "UNKNOWN", "DOWN"])
def test_what_failed_is_written_as_shown_with_a_warning(status: str) -> None:
    """What is known is known, and somebody should look at it."""
    found, [finding] = adopt(see(status=status), None, fixed=True)
    assert (found, finding.code, finding.severity) == (wish("1.4.2", replicas=4), "failed_component", "warn")
    assert status in finding.message


@AUTO
@pytest.mark.parametrize("status", ["UPGRADING", "SCALING", "NO_STATUS", "a word nobody knows"])
def test_of_what_a_job_moves_only_the_name_is_certain(status: str, fixed: bool) -> None:
    """Version, state and number may all be other ones in a minute."""
    found, [finding] = adopt(see(status=status), None, fixed=fixed)
    assert (found, finding.code) == (Wish(), "busy_component")


@pytest.mark.parametrize("rule", [1, 20, 99, content("a", "b"), content("a", match="all")])
def test_a_gray_release_is_written_with_its_rule(rule: int) -> None:
    """Stable version, candidate and rule; the number is the configured one, for both versions are counted."""
    graying = see_gray(rule=rule, replicas=5, configured=4)
    assert adopt(graying, None, fixed=False) == (wish("1.4.2", "1.5.0", rule), ())
    assert adopt(graying, None, fixed=True) == (wish("1.4.2", "1.5.0", rule, replicas=4), ())


def test_the_stable_version_may_come_from_what_was_seen_before() -> None:
    """As for a plan: where the row shows the candidate and no record tells, the state may know."""
    records = [deployed("1.5.0", "grayrelease", weight=20)]
    graying = see("1.5.0", status="GRAYING", closer=look(*records))
    assert codes_of(graying) == ["gray_unclear"]
    known = record(seen=Seen(EARLIER, "1.4.2", 4, 4, "RUNNING", None))
    assert adopt(graying, known, fixed=False)[0] == Wish(picture=picture("1.4.2", "1.5.0", 20))


@AUTO
@pytest.mark.parametrize(
    ("observed", "code"),
    [
        (see_gray(rule=0), "gray_at_its_end"),
        (see_gray(rule=100), "gray_at_its_end"),
        (see("1.4.2", status="GRAYING", closer=look(deployed("1.5.0", "grayrelease"), "1.4.2")), "gray_rule_unread"),
        (see("1.4.2", status="GRAYING", closer=look("1.4.2", rule=20)), "gray_unclear"),
        (see_gray(row="9.9.9"), "gray_unclear"),
        (see_gray(stable="1.5.0", older=()), "gray_unclear"),
    ],
    ids=["no traffic", "all traffic", "no rule", "no gray record", "row of nobody", "no stable version"],
)
def test_a_gray_release_in_doubt_is_not_managed(observed: Observed, code: str, fixed: bool) -> None:
    """Neither version nor gray: written alone, a version would end the release or promote it."""
    found, findings = adopt(observed, None, fixed=fixed)
    assert (found.picture, found.state) == (None, None)
    assert [finding.code for finding in findings] == [code]
    assert found.replicas == (4 if fixed else None)


@pytest.mark.parametrize(
    "observed",
    [
        see(status="STOPPED", closer=look("1.4.2", configured=None)),
        see(status="STOPPED", closer=None),
        see_gray(configured=None),
        see_gray(configured=1),
    ],
    ids=["not told", "not looked at", "not told while graying", "too few for a gray release"],
)
def test_a_number_that_can_not_be_wished_is_left_out(observed: Observed) -> None:
    """Only where it is asked for."""
    found, [finding] = adopt(observed, None, fixed=True)
    assert (found.replicas, finding.code) == (None, "replicas_untold")
    assert found.picture is not None
    assert codes_of(observed) == []


def test_a_gray_release_that_failed_half_way_is_written_as_one() -> None:
    """Writing it down ends and promotes nothing; both versions are counted, so the number is the configured one."""
    failed = replace(see_gray(replicas=5, configured=4), status="FAILED")
    found, [finding] = adopt(failed, None, fixed=True)
    assert (found, finding.code) == (wish("1.4.2", "1.5.0", 20, replicas=4), "failed_component")


def test_the_closer_look_is_for_what_a_row_hides() -> None:
    """It costs two requests each."""
    assert not needs_look_to_adopt(see(), fixed=True)
    assert not needs_look_to_adopt(see(status="UPGRADING"), fixed=True)
    assert needs_look_to_adopt(see_gray(), fixed=False)
    assert not needs_look_to_adopt(see(status="STOPPED"), fixed=False)
    assert needs_look_to_adopt(see(status="STOPPED"), fixed=True)
    assert needs_look_to_adopt(see(status="FAILED"), fixed=False)


@AUTO
@pytest.mark.parametrize(
    "observed",
    [
        see(),
        see_gray(),
        see_gray(rule=100),
        see(status="STOPPED", replicas=0),
        see(status="FAILED"),
        replace(see_gray(), status="FAILED"),
        see(status="X"),
    ],
    ids=["running", "graying", "all traffic", "stopped", "failed", "failed while graying", "busy"],
)
def test_a_plan_of_it_only_records(observed: Observed, fixed: bool) -> None:
    """The purpose of all this: nothing to do, nothing held back, nothing denied."""
    desired = replace(want(), wish=adopt(observed, None, fixed=fixed)[0])
    plan = plan_all([desired], [], [observed])
    assert (plan.actions, plan.held_back, plan.blocked) == ((), (), ())
    assert len(plan.changes) == 1
