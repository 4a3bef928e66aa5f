"""The version picture: read off status, detail and records, and compared."""

from __future__ import annotations

import pytest
from core_builders import NOW, content, deployed, look, picture, record, see, see_gray, wish

from statetool.core.model import Gray, GrayRule, Observed, Record, Recorded, Seen, VersionPicture
from statetool.core.picture import is_unclear, matches, observed_values, picture_paths, seen_of, version_picture


def seen(version: str | None) -> Seen:
    return Seen(NOW, version, 4, 4, "RUNNING", None)


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "STOPPED", "FAILED", "UPGRADING", "SOMETHING_NEW"])
def test_without_a_gray_release_the_row_is_the_picture(status: str) -> None:
    """Only GRAYING makes a candidate, whatever the records say."""
    assert version_picture(see("1.4.2", status=status), None) == picture("1.4.2")


STABLE = {
    "the row's, where it is not the candidate": (see_gray("1.4.2", "1.5.0", row="1.4.2"), None, "1.4.2"),
    "the record in use, where the row shows the candidate": (see_gray("1.4.2", "1.5.0", row="1.5.0"), None, "1.4.2"),
    "the record in use, whatever was deployed after it": (
        see(
            "1.5.0",
            status="GRAYING",
            closer=look(deployed("1.5.0", "grayrelease"), deployed("1.4.3"), deployed("1.4.2", current=True)),
        ),
        record(seen=seen("1.4.3")),
        "1.4.2",
    ),
    "the last one seen, where the record in use is the candidate": (
        see(
            "1.5.0",
            status="GRAYING",
            closer=look(deployed("1.5.0", "grayrelease", current=True), deployed("1.4.1"), deployed("1.4.0")),
        ),
        record(seen=seen("1.4.0")),
        "1.4.0",
    ),
    "the newest older record, where the last one seen is the candidate": (
        see("1.5.0", status="GRAYING", closer=look(deployed("1.5.0", "grayrelease"), deployed("1.4.1"))),
        record(seen=seen("1.5.0")),
        "1.4.1",
    ),
    "an older record that was not rejected": (
        see(
            "1.5.0",
            status="GRAYING",
            closer=look(deployed("1.5.0", "grayrelease"), deployed("1.4.2"), deployed("1.4.1")),
        ),
        record(rejected=["1.4.2"]),
        "1.4.1",
    ),
    "an older record, not one newer than the gray release": (
        see(
            "1.5.0",
            status="GRAYING",
            closer=look(deployed("1.6.0"), deployed("1.5.0", "grayrelease"), deployed("1.5.0"), deployed("1.4.1")),
        ),
        None,
        "1.4.1",
    ),
    "nothing, where no record tells": (
        see("1.5.0", status="GRAYING", closer=look(deployed("1.5.0", "grayrelease"))),
        None,
        None,
    ),
}


@pytest.mark.parametrize(("observed", "recorded", "stable"), STABLE.values(), ids=STABLE)
def test_the_stable_version_is(observed: Observed, recorded: Recorded | None, stable: str | None) -> None:
    """The order of section 3, one case a step."""
    assert version_picture(observed, recorded).stable == stable


@pytest.mark.parametrize("status", ["FAILED", "PARTIALLY_FAILED", "UNKNOWN"])
@pytest.mark.parametrize(
    ("row", "records", "seen_picture"),
    [
        ("1.5.0", [deployed("1.5.0", "grayrelease"), deployed("1.4.2", current=True)], ("1.4.2", "1.5.0")),
        ("1.4.2", [deployed("1.5.0", "grayrelease"), deployed("1.4.2", current=True)], ("1.4.2", "1.5.0")),
        ("1.4.2", [deployed("1.5.0", "grayrelease"), deployed("1.4.2")], ("1.4.2", "1.5.0")),
        ("1.5.0", [deployed("1.5.0", "grayrelease", current=True), deployed("1.4.2")], ("1.5.0", None)),
        ("1.5.0", [deployed("1.5.0", "grayrelease"), deployed("1.4.2")], ("1.5.0", None)),
        ("1.6.0", [deployed("1.6.0"), deployed("1.5.0", "grayrelease"), deployed("1.4.2")], ("1.6.0", None)),
        ("1.4.2", [], ("1.4.2", None)),
    ],
)
def test_a_gray_release_that_failed_half_way_is_seen(
    status: str, row: str, records: list[Record], seen_picture: tuple[str, str | None]
) -> None:
    """While its record is the newest and another version is shown or in use; one that was over is over."""
    picture_seen = version_picture(see(row, status=status, closer=look(*records)), None)
    assert (picture_seen.stable, picture_seen.gray.version if picture_seen.gray else None) == seen_picture


def test_the_candidate_is_the_newest_gray_release() -> None:
    """An older gray release in the records was ended long ago."""
    records = [deployed("1.5.0", "grayrelease"), deployed("1.4.2", current=True), deployed("1.3.0", "grayrelease")]
    picture_seen = version_picture(see("1.4.2", status="GRAYING", closer=look(*records)), None)
    assert picture_seen.gray is not None
    assert picture_seen.gray.version == "1.5.0"


@pytest.mark.parametrize(
    ("told", "in_record", "rule"),
    [
        (30, 10, GrayRule(weight=30)),
        (None, 10, GrayRule(weight=10)),
        (content("beta"), None, content("beta")),
        (None, None, None),
    ],
    ids=["the detail's", "else the record's", "content rules of the detail", "untold"],
)
def test_the_rule_is(told: GrayRule | int | None, in_record: int | None, rule: GrayRule | None) -> None:
    """The detail's deploy_strategy first, then the record's job_info."""
    closer = look(deployed("1.5.0", "grayrelease", weight=in_record), deployed("1.4.2", current=True), rule=told)
    gray = version_picture(see("1.4.2", status="GRAYING", closer=closer), None).gray
    assert gray == Gray("1.5.0", rule)


@pytest.mark.parametrize(
    ("observed", "unclear"),
    [
        (see_gray(), False),
        (see_gray(row="1.5.0"), False),
        (see_gray(row="1.4.1"), False),
        (see_gray(row="9.9.9"), True),
        (see("1.4.2", status="GRAYING", closer=look("1.4.2")), True),
        (see("1.4.2", status="GRAYING", closer=None), True),
        (see("9.9.9"), False),
    ],
    ids=[
        "row shows the stable",
        "row shows the candidate",
        "row shows a recorded one",
        "row shows a stranger",
        "no gray record",
        "not looked at",
        "no gray release",
    ],
)
def test_unclear_is_a_row_version_that_nobody_recorded(observed: Observed, unclear: bool) -> None:
    assert is_unclear(observed) is unclear


MATCHES = [
    (picture("1.4.2"), picture("1.4.2"), True),
    (picture("1.4.2"), picture("1.4.1"), False),
    (picture("1.4.2"), picture("1.4.2", "1.5.0"), False),
    (picture("1.4.2", "1.5.0", 20), picture("1.4.2", "1.5.0", 20), True),
    (picture("1.4.2", "1.5.0", 20), picture("1.4.2", "1.5.0", 30), False),
    (picture("1.4.2", "1.5.0", 20), picture("1.4.1", "1.5.0", 20), False),
    (picture("1.4.2", "1.5.0", 20), picture("1.4.2", "1.6.0", 20), False),
    (picture("1.4.2", "1.5.0", 20), picture("1.4.2"), False),
    (picture("1.4.2", "1.5.0", 20), VersionPicture(None, Gray("1.5.0", GrayRule(weight=20))), True),
    (picture("1.4.2", "1.5.0", 20), picture("1.5.0"), False),
    (picture("1.4.2", "1.5.0", 100), picture("1.5.0"), True),
    (picture("1.4.2", "1.5.0", 100), picture("1.4.2", "1.5.0", 100), False),
    (picture("1.4.2", "1.5.0", 100), picture("1.4.2"), False),
    (picture("1.4.2", "1.5.0", 100), picture("1.5.0", "1.6.0", 20), False),
    (picture("1.4.2", "1.5.0", content("a", "b")), picture("1.4.2", "1.5.0", content("b", "a")), True),
    (picture("1.4.2", "1.5.0", content("a")), picture("1.4.2", "1.5.0", content("a", match="all")), False),
    (picture("1.4.2", "1.5.0", content("a")), picture("1.4.2", "1.5.0", None), False),
]


@pytest.mark.parametrize(("wanted", "found", "same"), MATCHES)
def test_matching(wanted: VersionPicture, found: VersionPicture, same: bool) -> None:
    """Rules are a set; a stable version that can't be told is no difference; weight 100 means serving alone."""
    assert matches(wanted, found) is same


def test_a_content_rule_is_spelled_in_one_order() -> None:
    """Equal pictures have equal paths, in whatever order the platform lists the rules."""
    assert picture_paths(picture("1", "2", content("a", "b"))) == picture_paths(picture("1", "2", content("b", "a")))


def test_observed_values_name_what_a_precondition_may_compare() -> None:
    """Values that can't be told are absent rather than null, so that nothing is compared with them."""
    told = observed_values(see_gray(job="JOB-7"), record(wish(restart="7")))
    assert told == {
        "status": "graying",
        "replicas": 4,
        "version": "1.4.2",
        "gray.version": "1.5.0",
        "gray.weight": 20,
        "last_job_id": "JOB-7",
        "restart": "7",
    }
    assert set(observed_values(see(job=None), None)) == {"status", "replicas", "version"}


def test_what_the_state_keeps_of_an_observation_is_the_picture_not_the_row() -> None:
    kept = seen_of(see_gray(row="1.5.0", job="JOB-7"), None, NOW)
    assert kept == Seen(NOW, "1.4.2", 4, 4, "GRAYING", "JOB-7", Gray("1.5.0", GrayRule(weight=20)))
