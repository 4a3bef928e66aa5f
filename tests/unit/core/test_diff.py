"""Causes: why desired and observed differ, field by field, and nothing else."""

from __future__ import annotations

import pytest
from core_builders import content, look, picture, record, see, see_gray, want, wish

from statetool.core.diff import diff_component, needs_closer_look, observed_state
from statetool.core.model import Desired, Observed, PowerState, Recorded, Wish
from statetool.core.plan import Cause, FieldChange

ADOPT, DRIFT, MANIFEST, BOTH = Cause.ADOPT, Cause.DRIFT, Cause.MANIFEST, Cause.BOTH


def causes(desired: Desired, recorded: Recorded | None, observed: Observed) -> dict[str, Cause | None]:
    return {name: fd.cause for name, fd in diff_component(desired, recorded, observed).fields.items()}


@pytest.mark.parametrize(
    ("desired", "wished", "observed", "cause"),
    [
        (4, 4, 4, None),
        (4, None, 4, None),
        (4, 6, 4, None),
        (6, None, 4, ADOPT),
        (6, 6, 4, DRIFT),
        (6, 4, 4, MANIFEST),
        (6, 5, 4, BOTH),
    ],
    ids=["as wished", "adopted as it is", "manifest follows", "adopt", "drift", "manifest", "both"],
)
def test_the_ordered_rule(desired: int, wished: int | None, observed: int, cause: Cause | None) -> None:
    """d matches o: none, no wish: adopt, d = wish: drift, wish = o: manifest, else both. In that order."""
    recorded = record(wish(replicas=wished))
    assert causes(want(replicas=desired), recorded, see(replicas=observed)) == {"replicas": cause}


def test_without_a_record_everything_that_differs_is_adopted() -> None:
    found = causes(want("1.4.1", replicas=6, state="stopped"), None, see())
    assert found == {"version": ADOPT, "replicas": ADOPT, "state": ADOPT}


def test_a_field_left_out_is_not_compared() -> None:
    """Its observed value is nobody's business."""
    assert causes(want(), record(), see(replicas=99)) == {}


@pytest.mark.parametrize(
    ("desired", "wished", "observed", "cause", "permission"),
    [
        (picture("1.4.2"), picture("1.4.2"), see("1.4.1"), DRIFT, "version"),
        (picture("1.4.2", "1.5.0", 30), picture("1.4.2", "1.5.0", 20), see_gray(rule=20), MANIFEST, "gray"),
        (picture("1.4.2", "1.5.0", 20), picture("1.4.2", "1.5.0", 20), see_gray(rule=50), DRIFT, "gray"),
        (picture("1.4.2", "1.5.0", 20), picture("1.4.2", "1.5.0", 20), see("1.4.2"), DRIFT, "version"),
        (picture("1.4.2", "1.5.0", 30), picture("1.4.2", "1.5.0", 20), see("1.4.2"), BOTH, "version"),
        (picture("1.4.2"), picture("1.4.2"), see_gray(), DRIFT, "version"),
        (picture("1.4.2", "1.5.0", content("b", "a")), None, see_gray(rule=content("a", "b")), None, "gray"),
        (picture("1.4.2", "1.5.0", 100), picture("1.4.2", "1.5.0", 50), see("1.5.0"), None, "version"),
    ],
    ids=[
        "version moved",
        "weight edited",
        "weight moved",
        "gray release ended outside",
        "ended outside and weight edited",
        "gray release started outside",
        "rules are a set",
        "weight 100 is met by serving alone",
    ],
)
def test_the_picture_is_one_field(desired, wished, observed, cause, permission) -> None:
    """Version, candidate and rule share a cause; permission is gray's only where nothing but the rule differs."""
    manifest = Desired(want().address, want().origin, Wish(picture=desired))
    fd = diff_component(manifest, record(Wish(picture=wished)), observed).fields["version"]
    assert (fd.cause, fd.permission) == (cause, permission)


@pytest.mark.parametrize("status", ["GRAYING", "STOPPED", "UPGRADING"])
def test_replicas_are_not_compared_while_the_status_hides_them(status: str) -> None:
    """The platform counts both versions, none, or half of them: an unchanged wish is no drift."""
    observed = see(status=status, replicas=9, closer=None)
    assert causes(want(replicas=4), record(wish(replicas=4)), observed) == {"replicas": None}
    assert causes(want(replicas=5), record(wish(replicas=4)), observed) == {"replicas": MANIFEST}


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "FAILED", "PARTIALLY_FAILED", "UNKNOWN", "DOWN", "running"])
def test_replicas_are_compared_in_every_other_status(status: str) -> None:
    observed = see(status=status, replicas=9)
    assert causes(want(replicas=4), record(wish(replicas=4)), observed) == {"replicas": DRIFT}


def test_nothing_of_a_busy_component_is_drift() -> None:
    """Its values are half way; only an edit of the manifest is a cause there."""
    recorded = record(wish("1.4.2", replicas=4, state="running"))
    observed = see("1.5.0", status="UPGRADING", replicas=7, closer=None)
    unchanged = want("1.4.2", replicas=4, state="running")
    edited = want("1.4.1", replicas=5, state="stopped")
    assert set(causes(unchanged, recorded, observed).values()) == {None}
    assert set(causes(edited, recorded, observed).values()) == {MANIFEST}
    assert set(causes(unchanged, None, observed).values()) == {ADOPT}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("RUNNING", "running"),
        ("PENDING", "running"),
        ("FAILED", "running"),
        ("DOWN", "running"),
        ("GRAYING", "running"),
        ("STOPPED", "stopped"),
        ("STOPPING", None),
        ("WHO_KNOWS", None),
    ],
)
def test_only_stopped_counts_as_stopped(status: str, state: str | None) -> None:
    assert observed_state(see(status=status, closer=None)) == state


@pytest.mark.parametrize(
    ("recorded", "cause", "unrecorded"),
    [
        (None, None, True),
        (record(), MANIFEST, True),
        (record(wish(restart="6")), MANIFEST, True),
        (record(wish(restart="7")), None, False),
    ],
    ids=["adopting stores it", "added to a recorded component", "a new token", "the same token"],
)
def test_restart_tokens(recorded: Recorded | None, cause: Cause | None, unrecorded: bool) -> None:
    fd = diff_component(want(restart="7"), recorded, see()).fields["restart"]
    assert (fd.cause, fd.unrecorded) == (cause, unrecorded)


def test_a_key_that_goes_is_released_but_for_restart() -> None:
    """The wish of a field that is no longer managed is dropped; a restart token is history and stays."""
    recorded = record(wish("1.4.2", replicas=4, state="running", restart="7"))
    assert diff_component(want(), recorded, see()).released == ("version", "replicas", "state")
    assert diff_component(want(replicas=4), recorded, see()).released == ("version", "state")
    assert diff_component(want(), None, see()).released == ()


def test_cause_both_shows_all_three_values() -> None:
    """Desired, observed, and the wish last applied: the reviewer has to choose between them."""
    diff = diff_component(want("1.4.1", replicas=6), record(wish("1.4.0", replicas=5)), see())
    assert diff.fields["replicas"].changes == (FieldChange("replicas", 4, 6, BOTH, 5),)
    assert diff.fields["version"].changes == (FieldChange("version", "1.4.2", "1.4.1", BOTH, "1.4.0"),)
    manifest = diff_component(want("1.4.1", replicas=6), record(wish("1.4.2", replicas=4)), see())
    assert manifest.fields["version"].changes == (FieldChange("version", "1.4.2", "1.4.1", MANIFEST),)
    assert manifest.fields["replicas"].changes == (FieldChange("replicas", 4, 6, MANIFEST),)


def test_what_is_only_recorded_is_listed_as_it_is() -> None:
    """Before and after alike; adopt where there was no wish, else an edit that the platform shows already."""
    first = diff_component(want("1.4.2", replicas=4), record(), see())
    assert first.fields["version"].changes == (FieldChange("version", "1.4.2", "1.4.2", ADOPT),)
    assert first.fields["replicas"].changes == (FieldChange("replicas", 4, 4, ADOPT),)
    edited = diff_component(want("1.4.2", replicas=4), record(wish("1.4.1", replicas=2)), see())
    assert edited.fields["version"].changes == (FieldChange("version", "1.4.2", "1.4.2", MANIFEST),)
    assert edited.fields["replicas"].changes == (FieldChange("replicas", 4, 4, MANIFEST),)


@pytest.mark.parametrize(("wished", "before"), [("running", "running"), (None, "stopped")])
def test_a_state_that_a_job_hides_is_shown_as_it_was_wished(wished: PowerState | None, before: str) -> None:
    """Nobody knows better; where nothing was wished, only the wish is shown."""
    recorded = record(wish(state=wished)) if wished else None
    [change] = diff_component(want(state="stopped"), recorded, see(status="UPGRADING")).fields["state"].changes
    assert (change.before, change.after) == (before, "stopped")


def test_a_hidden_number_is_shown_as_it_is_configured() -> None:
    """The count of a gray release holds both versions; the count itself only where nothing else is told."""
    surge = diff_component(want(replicas=6), record(wish(replicas=4)), see_gray(replicas=8, configured=4))
    assert surge.fields["replicas"].changes == (FieldChange("replicas", 4, 6, MANIFEST),)
    for closer in (None, look("1.4.2", configured=None)):
        untold = diff_component(want(replicas=6), record(), see(status="STOPPED", replicas=1, closer=closer))
        assert untold.fields["replicas"].changes == (FieldChange("replicas", 1, 6, ADOPT),)


def test_a_gray_release_is_listed_path_by_path() -> None:
    """Only what differs, the version first."""
    fd = diff_component(want("1.4.1"), record(wish("1.4.2", "1.5.0")), see_gray()).fields["version"]
    assert [(c.path, c.before, c.after) for c in fd.changes] == [
        ("version", "1.4.2", "1.4.1"),
        ("gray.version", "1.5.0", None),
        ("gray.weight", 20, None),
    ]
    edited = diff_component(want("1.4.2", "1.5.0", content("a")), record(wish("1.4.2", "1.5.0")), see_gray())
    assert [c.path for c in edited.fields["version"].changes] == ["gray.match", "gray.rules", "gray.weight"]


def test_a_stable_version_that_cannot_be_told_is_not_listed_as_a_change() -> None:
    """The gray release is the wanted one, so its rule is all there is to say."""
    closer = look(see_gray().closer.records[0], rule=20)  # type: ignore[union-attr]
    observed = see("1.5.0", status="GRAYING", closer=closer)
    fd = diff_component(want("1.4.2", "1.5.0", 30), record(wish("1.4.2", "1.5.0", 20)), observed).fields["version"]
    assert [(c.path, c.before, c.after) for c in fd.changes] == [("gray.weight", 20, 30)]


@pytest.mark.parametrize(
    ("desired", "observed", "hidden"),
    [
        (want(replicas=6, ignore=["replicas"]), see(), 1),
        (want(replicas=4, ignore=["replicas"]), see(), 0),
        (want("1.4.1", replicas=6, ignore=["version", "replicas"]), see(), 2),
        (want("1.4.2", "1.5.0", 50, ignore=["gray"]), see_gray(rule=20), 1),
        (want("1.4.2", "1.5.0", 20, ignore=["gray"]), see_gray(rule=20), 0),
    ],
    ids=["replicas", "an equal value hides nothing", "two fields", "the rule", "an equal rule"],
)
def test_ignored_fields_are_counted_where_they_hide_something(
    desired: Desired, observed: Observed, hidden: int
) -> None:
    diff = diff_component(desired, record(wish("1.4.2", replicas=4)), observed)
    assert diff.ignored == hidden
    assert not any(fd.cause for fd in diff.fields.values())


def test_ignoring_gray_ignores_the_rule_only() -> None:
    """Another version, or a gray release that came or went, is a difference of the version."""
    ended = diff_component(want("1.4.2", "1.5.0", ignore=["gray"]), record(wish("1.4.2", "1.5.0")), see("1.4.2"))
    assert ended.fields["version"].cause is DRIFT
    equal = diff_component(want("1.4.2", "1.5.0", ignore=["gray"]), record(), see_gray())
    assert equal.fields["version"].unrecorded


@pytest.mark.parametrize(
    ("desired", "recorded", "observed", "looks"),
    [
        (want("1.4.2", replicas=4), record(wish("1.4.2", replicas=4)), see(), False),
        (want(replicas=9), record(wish(replicas=4)), see(), False),
        (want("1.4.1"), None, see(), True),
        (want("1.4.2"), None, see_gray(), True),
        (want(replicas=4), None, see_gray(), True),
        (want(state="running"), None, see_gray(), False),
        (want("1.4.1"), None, see(status="UPGRADING"), False),
        (want(replicas=4), record(wish(replicas=4)), see(status="STOPPED"), False),
        (want(replicas=5), record(wish(replicas=4)), see(status="STOPPED"), True),
        (want(replicas=4, state="running"), record(wish(replicas=4)), see(status="STOPPED"), True),
        (want(state="running"), record(), see(status="STOPPED"), False),
    ],
    ids=[
        "nothing differs",
        "a number is in the row",
        "another version",
        "a gray release and a version",
        "a gray release and a number",
        "a gray release and neither",
        "busy",
        "stopped, number unchanged",
        "stopped, number edited",
        "stopped and to be started",
        "stopped and to be started, number unmanaged",
    ],
)
def test_a_closer_look_only_where_the_row_cannot_tell(desired, recorded, observed, looks) -> None:
    """Each look costs two requests, so an unchanged component needs none."""
    assert needs_closer_look(desired, recorded, observed) is looks
