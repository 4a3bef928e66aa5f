"""Whatever a state or a plan holds, it comes back from its document, and a damaged text never passes for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from budgets import bounded
from hypothesis import given
from hypothesis import strategies as st

from statetool.backends.state_text import StateText, parse_state
from statetool.core.document import DocumentError, parse_document
from statetool.core.model import (
    Address,
    AppliedFrom,
    ContentRule,
    Drifted,
    Gray,
    GrayRule,
    Ready,
    Recorded,
    Rejection,
    Seen,
    VersionEntry,
    VersionPicture,
    Wish,
)
from statetool.core.plan import (
    Action,
    Blocked,
    Cause,
    Change,
    Counts,
    FieldChange,
    Finding,
    HeldBack,
    Kind,
    LeftAlone,
    Plan,
    RejectionSeen,
    Risk,
    SendIf,
    Verb,
    WishUpdate,
)
from statetool.core.plan_document import plan_from_document, plan_to_document
from statetool.core.state import Overridden, StateFile, apply_wish_update, record_seen
from statetool.core.state_document import state_from_document, state_to_document
from statetool.errors import PlanFileError, SourceMark, StateUnreadable

SCHEMAS = Path(__file__).parents[2] / "schemas"
STATE_SCHEMA = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "state.schema.json").read_text()))
PLAN_SCHEMA = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "plan.schema.json").read_text()))

text = st.text(max_size=8)
names = st.from_regex(r"[a-zé][a-z0-9_-]{0,5}", fullmatch=True)
maybe_text = st.none() | text
versions = st.from_regex(r"[0-9]\.[0-9]\.[0-9]", fullmatch=True)
instants = st.datetimes().map(lambda t: t.replace(microsecond=0).isoformat() + "Z").filter(lambda t: t[0] in "12")
numbers = st.integers(0, 2**40)
addresses = st.builds(Address, names, names, st.none() | names)
content_rules = st.builds(ContentRule, text, text, text, text)
gray_rules = st.builds(GrayRule, weight=st.integers(1, 100)) | st.builds(
    GrayRule, match=st.sampled_from(["all", "any"]), rules=st.frozensets(content_rules, min_size=1, max_size=3)
)
grays = st.builds(Gray, versions, st.none() | gray_rules)
pictures = st.builds(VersionPicture, versions, st.none() | grays)
powers = st.sampled_from(["running", "stopped"])
statuses = st.sampled_from(["RUNNING", "GRAYING", "STOPPED", "FAILED", "RESTARTING", "new one"])
wishes = st.builds(Wish, st.none() | pictures, st.none() | numbers, st.none() | powers, maybe_text)
seens = st.builds(
    Seen, text, st.none() | versions, st.none() | numbers, st.none() | numbers, statuses, maybe_text, st.none() | grays
)
rejections = st.builds(Rejection, versions, text, text, text, maybe_text)
entries = st.builds(VersionEntry, versions, text, text)
drifts = st.dictionaries(
    st.sampled_from(["version", "replicas", "state", "gray"]), st.builds(Drifted, maybe_text, text), max_size=2
)
sources = st.builds(AppliedFrom, maybe_text, st.none() | st.booleans(), maybe_text)
records = st.builds(
    Recorded,
    addresses,
    text,
    text,
    maybe_text,
    wishes,
    st.none() | seens,
    drifts,
    maybe_text,
    sources,
    maybe_text,
    st.lists(entries, max_size=3).map(tuple),
    st.lists(rejections, max_size=3).map(tuple),
)
states = st.builds(
    StateFile,
    text.filter(str.isprintable),  # a lineage of other letters is refused
    numbers,
    numbers,
    text,
    st.lists(records, max_size=4).map(lambda found: {record.address: record for record in found}),
    st.lists(st.builds(Overridden, text, text, text, st.lists(text, max_size=2).map(tuple)), max_size=2).map(tuple),
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
paths = st.sampled_from(["version", "replicas", "state", "gray.weight"])
field_changes = st.builds(FieldChange, paths, values, values, st.sampled_from(Cause), values)
updates = (
    st.builds(WishUpdate, st.just("version"), st.none() | pictures)
    | st.builds(WishUpdate, st.just("replicas"), st.none() | numbers)
    | st.builds(WishUpdate, st.just("state"), st.none() | powers)
    | st.builds(WishUpdate, st.just("restart"), maybe_text)
)
marks = st.builds(SourceMark, st.text(min_size=1, max_size=8), st.integers(1, 10**6), st.integers(1, 10**6))
changes = st.builds(
    Change,
    addresses,
    text,
    text,
    maybe_text,
    st.sampled_from(Kind),
    st.none() | marks,
    st.lists(field_changes, max_size=2).map(tuple),
    st.just(()),
    st.lists(updates, max_size=2).map(tuple),
    st.none() | addresses,
)
maps = st.dictionaries(text, values, max_size=2)
actions = st.builds(
    Action,
    text,
    addresses,
    st.sampled_from(Verb),
    maps,
    text,
    st.sampled_from(Risk),
    st.just(()),
    maps,
    maps,
    numbers,
    st.none() | st.integers(0, 100),
    st.sampled_from(SendIf),
    st.integers(1, 9),
    st.builds(Ready, numbers, numbers),
)


def tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Up to two of something."""
    return st.lists(of, max_size=2).map(tuple)


findings = st.builds(Finding, text, st.sampled_from(["deny", "warn"]), text, maybe_text, st.none() | addresses)
plans = st.builds(
    Plan,
    mode=st.sampled_from(["normal", "drift"]),
    created_at=instants,
    endpoint=text,
    project_id=text,
    lineage=text,
    serial=numbers,
    tool_version=text,
    changes=tuples(changes),
    actions=st.lists(actions, max_size=3, unique_by=lambda action: action.id).map(tuple),
    held_back=tuples(st.builds(HeldBack, addresses, text, text, text, maybe_text)),
    left_alone=tuples(
        st.builds(
            LeftAlone,
            addresses,
            paths,
            values,
            values,
            maybe_text,
            text,
            st.sampled_from([cause for cause in Cause if cause is not Cause.COMMAND]),
            maybe_text,
            st.none() | findings,
        )
    ),
    blocked=tuples(st.builds(Blocked, addresses, text, text)),
    findings=tuples(findings),
    rejections=tuples(st.builds(RejectionSeen, addresses, rejections)),
    counts=st.builds(Counts, numbers, numbers, numbers),
    unmanaged=tuples(addresses),
    reads=numbers,
    overrides=tuples(text),
    left_out=tuples(addresses),
)


@bounded(60)
@given(states)
def test_every_state_comes_back_from_its_bytes(state: StateFile) -> None:
    """Through the document, through the file's text; and the document fits the schema."""
    document = state_to_document(state)
    assert state_from_document(document) == state
    STATE_SCHEMA.validate(document)
    data = StateText().render(state)
    assert parse_document(data) == document
    assert parse_state(data) == state


@bounded(60)
@given(states, states)
def test_a_renderer_that_was_used_before_gives_the_same_bytes(before: StateFile, after: StateFile) -> None:
    """Kept lines are those of the very same records."""
    text_of = StateText()
    text_of.render(before)
    assert text_of.render(after) == StateText().render(after)


@bounded(20)
@given(states)
def test_a_cut_state_is_unreadable_or_whole(state: StateFile) -> None:
    """At every byte: half a state is never taken for a state."""
    data = StateText().render(state)
    for length in range(len(data)):
        try:
            assert parse_state(data[:length]) == state
        except StateUnreadable:
            continue


@bounded(60)
@given(states, st.data())
def test_a_damaged_state_never_escapes_as_another_error(state: StateFile, data: st.DataObject) -> None:
    """One byte replaced anywhere: unreadable, or a state."""
    damaged = bytearray(StateText().render(state))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_state(bytes(damaged))
    except StateUnreadable:
        return


@bounded(60)
@given(plans)
def test_every_plan_comes_back_from_its_document(plan: Plan) -> None:
    """Through JSON text, exactly; and the document fits the schema."""
    document = plan_to_document(plan)
    PLAN_SCHEMA.validate(document)
    assert plan_from_document(parse_document(json.dumps(document).encode())) == plan


@bounded(60)
@given(plans, st.data())
def test_a_damaged_plan_is_never_read_as_another_plan(plan: Plan, data: st.DataObject) -> None:
    """One byte replaced anywhere: refused, or still this very plan."""
    damaged = bytearray(json.dumps(plan_to_document(plan)).encode())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(32, 126))
    try:
        assert plan_from_document(parse_document(bytes(damaged))) == plan
    except (DocumentError, PlanFileError):
        return


@bounded(60)
@given(records, st.lists(seens, max_size=4))
def test_seeing_never_moves_a_wish_and_settles_at_once(record: Recorded, observed: list[Seen]) -> None:
    """Any sequence of observations: the wish stays, and the same observation again is no change."""
    state = StateFile("l", 1, 1, "t", {record.address: record})
    for seen in observed:
        state = record_seen(state, record.address, seen)
        assert state.components[record.address].wish == record.wish
        assert record_seen(state, record.address, seen) is state


@bounded(60)
@given(records, updates)
def test_recording_a_wish_twice_is_recording_it_once(record: Recorded, update: WishUpdate) -> None:
    """And it touches no other field of the wish."""
    state = StateFile("l", 1, 1, "t", {record.address: record})
    once = apply_wish_update(state, record.address, update, at="t1", run_id="r1", applied_from=AppliedFrom())
    again = apply_wish_update(once, record.address, update, at="t1", run_id="r1", applied_from=AppliedFrom())
    assert again is once
    before, after = record.wish, once.components[record.address].wish
    for name, attribute in {
        "version": "picture",
        "replicas": "replicas",
        "state": "state",
        "restart": "restart",
    }.items():
        wanted = update.value if name == update.field else getattr(before, attribute)
        assert getattr(after, attribute) == wanted
