"""Hostile text in every field: shown, never obeyed, in every view; JSON lines stay lines."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, TypeVar

from budgets import bounded
from hypothesis import given
from hypothesis import strategies as st

from statetool.core.events import Event, EventType, RunSummary
from statetool.core.explanation import Decided, Explanation, FieldExplanation, FieldStatus, PathValues, Subject
from statetool.core.locating import Located
from statetool.core.model import (
    Address,
    AppliedFrom,
    Closer,
    ContentRule,
    Desired,
    Drifted,
    Gray,
    GrayRule,
    Job,
    JobPhase,
    Observed,
    Origin,
    Recorded,
    Rejection,
    Seen,
    VariableOrigin,
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
from statetool.core.rollout import Phase, Rollout
from statetool.core.state import Overridden
from statetool.errors import Diagnostic, SourceMark
from statetool.render.diagnostics import render_diagnostics
from statetool.render.drift import render_drift
from statetool.render.explanation import explanation_to_document, render_explanation
from statetool.render.harmless import for_markdown_cell, for_markdown_code, for_terminal
from statetool.render.json import diagnostics_to_document, event_to_line, render_document
from statetool.render.layout import cell_width
from statetool.render.markdown import render_plan_markdown
from statetool.render.outcome import render_outcome
from statetool.render.progress import PlainProgress
from statetool.render.rollout import render_rollout, rollout_to_document
from statetool.render.state import render_overridden, render_state_list, render_state_show
from statetool.render.text import render_plan

T = TypeVar("T")

HOSTILE = (
    "\x1b[2J\x1b[31m",
    "\x9b31m",
    "\r\n",
    "\x00",
    "\u202e\u2066",
    "\u200b\ufeff",
    "\u2028",
    "\ud800",
    "\U000e0041",
    "|",
    "||",
    "`",
    "````",
    "<script>alert(1)</script>",
    "</details>",
    "<!-- x -->",
    "-->",
    "@octocat",
    "#123",
    "![i](http://x)",
    "[l](y)",
    "\\",
    "[red]x[/red]",
    "推荐",
    "\n| a | b |\n",
    "www.x.example",
    "GH-1",
    "# h",
)
texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=6), min_size=1, max_size=4).map("".join)
names = st.one_of(st.none(), texts)
instants = st.sampled_from(["2026-11-23T08:00:00Z", "2026-11-22T23:59:59+08:00", "9999-12-31T23:59:59Z"]) | texts
addresses = st.builds(Address, texts, texts, names)
rules = st.lists(
    st.fixed_dictionaries({"type": texts, "key": texts, "condition": texts, "value": texts}), min_size=1, max_size=3
)
jsons: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 200), texts, rules, st.dictionaries(texts, texts, max_size=2)
)
paths = st.sampled_from(["version", "replicas", "gray.weight", "gray.rules", "gray.match", "restart"]) | texts
fields = st.builds(FieldChange, paths, jsons, jsons, st.sampled_from(Cause), jsons)
marks = st.builds(SourceMark, texts, st.integers(1, 99), st.integers(1, 99))


def several(strategy: st.SearchStrategy[T], most: int = 2) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


@st.composite
def components(draw: st.DrawFn) -> tuple[Change, tuple[Action, ...]]:
    """A change with its actions, named alike."""
    address = draw(addresses)
    actions = tuple(
        Action(
            id=f"{address}#{n}",
            address=address,
            verb=draw(st.sampled_from(Verb)),
            parameters=draw(st.dictionaries(texts, jsons, max_size=2)),
            reason=draw(texts),
            risk=draw(st.sampled_from(Risk)),
            requires=draw(several(texts)),
            precondition={},
            goal={},
            estimate_s=draw(st.integers(0, 500)),
            traffic_percent=draw(st.none() | st.integers(1, 100)),
            send_if=draw(st.sampled_from(SendIf)),
            max_requests=draw(st.integers(1, 3)),
        )
        for n in range(1, draw(st.integers(0, 2)) + 1)
    )
    change = Change(
        address=address,
        component_id=draw(texts),
        application_id=draw(texts),
        environment_id=None,
        kind=draw(st.sampled_from(Kind)),
        origin=draw(st.none() | marks),
        fields=draw(several(fields)),
        action_ids=tuple(action.id for action in actions),
        updates=draw(several(st.builds(WishUpdate, paths, st.none() | texts))),
        moved_from=draw(st.none() | addresses),
    )
    return change, actions


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A plan that holds hostile text wherever text can stand."""
    parts = draw(st.lists(components(), max_size=3))
    return Plan(
        mode=draw(st.sampled_from(["normal", "drift"])),
        created_at=draw(instants),
        endpoint=draw(texts),
        project_id=draw(texts),
        lineage="l",
        serial=1,
        tool_version="0",
        changes=tuple(change for change, _ in parts),
        actions=tuple(action for _, actions in parts for action in actions),
        held_back=draw(several(st.builds(HeldBack, addresses, paths, texts, texts, names))),
        left_alone=draw(
            several(
                st.builds(
                    LeftAlone,
                    addresses,
                    paths,
                    jsons,
                    jsons,
                    st.none() | instants,
                    instants,
                    st.sampled_from([Cause.DRIFT, Cause.BOTH]),
                    names,
                    st.none() | st.builds(Finding, texts, st.just("deny"), texts, names, addresses),
                )
            )
        ),
        blocked=draw(several(st.builds(Blocked, addresses, texts, texts))),
        findings=draw(
            several(
                st.builds(Finding, texts, st.sampled_from(["deny", "warn"]), texts, names, st.none() | addresses), 3
            )
        ),
        rejections=draw(
            several(st.builds(RejectionSeen, addresses, st.builds(Rejection, texts, instants, texts, texts, names)))
        ),
        counts=Counts(1, 2, 3),
        unmanaged=draw(several(addresses)),
        overrides=draw(several(texts)),
        left_out=draw(several(addresses)),
    )


def assert_harmless(text: str) -> None:
    """No control but the line feed, nothing invisible, nothing that cannot be written as UTF-8."""
    text.encode()
    hidden = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert not hidden, hidden


widths = st.none() | st.integers(30, 160)


@bounded(30)
@given(plan=plans(), width=widths, show=st.booleans())
def test_text_plan(plan: Plan, width: int | None, show: bool) -> None:
    """The text plan never raises, holds nothing that acts, and ends with the summary."""
    text = render_plan(plan, width=width, color=False, timezone=None, show_unmanaged=show)
    assert_harmless(text)
    begin = text.rindex("\nPlan: ")
    closing = text[begin:].split("\n")[1:]
    assert re.search(r"0 to add, \d+ to change, 0 to destroy", " ".join(closing))
    assert width is None or all(cell_width(line) <= width for line in closing)
    assert width is not None or len(closing) == 1
    if plan.held_back or plan.denies or plan.blocked or plan.changes:
        assert not text.startswith("No changes.")


@bounded(30)
@given(plan=plans(), width=widths)
def test_colour_adds_only_its_own_codes(plan: Plan, width: int | None) -> None:
    """Without our own codes the coloured plan is the plain one, up to blanks at line ends."""
    plain = render_plan(plan, width=width, color=False, timezone=None, show_unmanaged=True)
    colored = render_plan(plan, width=width, color=True, timezone=None, show_unmanaged=True)
    bare = re.sub(r"\x1b\[\d+m", "", colored)
    assert [line.rstrip() for line in bare.split("\n")] == [line.rstrip() for line in plain.split("\n")]


def _without_fences(text: str) -> tuple[list[str], str]:
    """The lines outside fenced blocks; a block ends only with its own fence."""
    outside: list[str] = []
    fence = ""
    for line in text.split("\n"):
        opening = re.match(r"(`{3,})diff$", line)
        if not fence and opening:
            fence = opening[1]
        elif fence and line == fence:
            fence = ""
        elif not fence:
            outside.append(line)
    return outside, fence


@bounded(30)
@given(plan=plans())
def test_markdown_plan(plan: Plan) -> None:
    """Tables keep their columns; no markup, mention, reference or link of the text is left outside code."""
    text = render_plan_markdown(plan)
    assert_harmless(text)
    lines, open_fence = _without_fences(text)
    assert not open_fence
    columns = 0
    for line in lines[1:]:
        if not line.startswith("|"):
            columns = 0
            assert "|" not in line
            continue
        columns = columns or line.count("|")
        assert line.count("|") == columns
    # Nothing in a code span is looked up; a span ends on its line.
    body = "\n".join(re.sub(r"`[^`]+`", "", line) for line in lines[1:])
    assert not set(re.findall(r"<[^>]*>?", body)) - {"<details>", "</details>", "<summary>", "</summary>"}
    assert "`" not in body
    assert not re.search(r"[@](?!&#8203;)|\[|\]|(?<!&)#\d|www\.(?!&)|://", body)


@bounded(60)
@given(text=texts)
def test_markdown_leaves(text: str) -> None:
    """A cell is one line without signs that act; a block ends only at its end."""
    shown = for_markdown_cell(text)
    assert_harmless(shown)
    assert not set(shown) & set("|`<>\n@[]*~!\\")
    assert not re.search(r"&(?!#\d+;|amp;|lt;|gt;)", shown)
    block = for_markdown_code(text).split("\n")
    assert block[0] == block[-1]
    assert not any(line.strip().startswith(block[0]) for line in block[1:-1])


@bounded(60)
@given(text=st.text())
def test_terminal_leaf_loses_nothing_printable(text: str) -> None:
    """What prints stays, in order; the rest is spelled out."""
    shown = for_terminal(text)
    assert_harmless(shown)
    if text.isprintable() and text.isascii():
        assert shown == text
    assert cell_width(shown) >= 0


@bounded(30)
@given(
    plan=plans(),
    remaining=st.none() | plans(),
    data=st.data(),
    width=widths,
)
def test_outcome_and_drift(plan: Plan, remaining: Plan | None, data: st.DataObject, width: int | None) -> None:
    """Reports never raise and hold nothing that acts."""
    ids = st.sampled_from([action.id for action in plan.actions]) if plan.actions else texts
    summary = RunSummary(
        done=data.draw(several(ids)),
        satisfied=data.draw(several(ids)),
        failed=data.draw(st.dictionaries(ids, texts, max_size=2)),
        stale=data.draw(several(ids)),
        still_running=data.draw(several(ids)),
        skipped=data.draw(st.dictionaries(ids, texts, max_size=2)),
        moved=data.draw(st.dictionaries(ids, jsons, max_size=2)),
        interrupted=data.draw(st.booleans()),
    )
    assert_harmless(render_outcome(plan, summary, remaining=remaining, width=width))
    assert_harmless(render_drift(plan, correction=remaining, width=width))


events = st.builds(
    Event,
    run_id=texts,
    seq=st.integers(1, 999),
    at=instants,
    type=st.sampled_from(EventType),
    action_id=names,
    elapsed_s=st.none() | st.floats(0, 1e6),
    data=st.dictionaries(
        st.sampled_from(["verb", "message", "code", "job_id", "moved", "because", "status", "type", "@level", "seq"])
        | texts,
        jsons | st.floats(),
        max_size=4,
    ),
)


@bounded(60)
@given(event=events)
def test_event_lines(event: Event) -> None:
    """One line, ASCII, strict JSON, with the envelope of the event and not of its data."""
    line = event_to_line(event)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    read = json.loads(line, parse_constant=lambda word: (_ for _ in ()).throw(ValueError(word)))
    assert (read["type"], read["seq"], read["@timestamp"]) == (event.type, event.seq, event.at)
    assert_harmless(read["@message"])
    assert "\n" not in read["@message"]


@bounded(60)
@given(run=st.lists(events, max_size=8))
def test_plain_progress(run: list[Event]) -> None:
    """Whatever comes in whatever order: single harmless lines."""
    lines: list[str] = []
    view = PlainProgress(lines.append)
    for event in run:
        view(event)
    for line in lines:
        assert "\n" not in line
        assert_harmless(line)


@bounded(60)
@given(
    diagnostics=st.lists(
        st.builds(Diagnostic, texts, texts, names, st.none() | marks, names, st.sampled_from(["error", "warning"]))
    )
)
def test_diagnostics(diagnostics: list[Diagnostic]) -> None:
    """One line each, one more with a hint; and a document that JSON can spell."""
    text = render_diagnostics(diagnostics, color=False)
    assert_harmless(text)
    assert len(text.split("\n")) == max(1, len(diagnostics) + sum(1 for d in diagnostics if d.hint))
    document = diagnostics_to_document(diagnostics)
    assert json.loads(render_document(document)) == document


grays = st.builds(
    Gray,
    texts,
    st.none()
    | st.builds(GrayRule, weight=st.integers(1, 100))
    | st.builds(GrayRule, st.none(), st.just("any"), st.frozensets(st.builds(ContentRule, texts, texts, texts, texts))),
)
records = st.builds(
    Recorded,
    address=addresses,
    component_id=texts,
    application_id=texts,
    environment_id=names,
    wish=st.builds(
        Wish,
        st.none() | st.builds(VersionPicture, names, st.none() | grays),
        st.none() | st.integers(0, 99),
        st.none() | st.just("running"),
        names,
    ),
    seen=st.none()
    | st.builds(
        Seen,
        instants,
        names,
        st.none() | st.integers(0, 9),
        st.none() | st.integers(0, 9),
        texts,
        names,
        st.none() | grays,
    ),
    drifted=st.dictionaries(texts, st.builds(Drifted, st.none() | instants, instants), max_size=2),
    applied_at=st.none() | instants,
    applied_from=st.builds(AppliedFrom, names, st.booleans(), names),
    run_id=names,
    history=several(st.builds(VersionEntry, texts, instants, texts)),
    rejected=several(st.builds(Rejection, texts, instants, texts, texts, names)),
)


@bounded(30)
@given(recorded=st.lists(records, max_size=3))
def test_state(recorded: list[Recorded]) -> None:
    """State views never raise, hold nothing that acts, and the list has a line for each component."""
    text = render_state_list(recorded)
    assert_harmless(text)
    assert len(text.split("\n")) == max(1, len(recorded))
    for record in recorded:
        assert_harmless(render_state_show(record))


@bounded(30)
@given(overridden=st.lists(st.builds(Overridden, instants, texts, texts, several(texts)), min_size=1, max_size=8))
def test_overridden_runs(overridden: list[Overridden]) -> None:
    """A line for each of the newest, under one that counts them all."""
    text = render_overridden(overridden)
    assert_harmless(text)
    assert len(text.split("\n")) == 1 + min(5, len(overridden))


def decided(entries: tuple[T, ...]) -> tuple[Decided[T], ...]:
    return tuple(Decided(entry, "a row \x1b[2J") for entry in entries)


field_explanations = st.builds(
    FieldExplanation,
    st.sampled_from(["version", "replicas", "state", "restart"]),
    st.sampled_from(FieldStatus),
    several(st.builds(PathValues, paths, jsons, jsons, jsons, st.none() | st.sampled_from(Cause))),
    st.none() | st.sampled_from(Cause),
    texts,
    names,
)
origins = st.builds(Origin, marks, st.booleans(), several(st.builds(VariableOrigin, texts, texts)))
wanted = st.builds(Desired, addresses, marks, st.builds(Wish), several(addresses))
observations = st.builds(Observed, addresses, texts, texts, names, texts, texts, st.just(4), st.just(3), names, names)


@st.composite
def explanations(draw: st.DrawFn) -> Explanation:
    """An explanation that holds hostile text wherever text can stand."""
    plan = draw(plans())
    return Explanation(
        subject=Subject(
            draw(addresses),
            draw(st.none() | wanted),
            draw(st.none() | records),
            draw(st.none() | observations),
            draw(st.none() | addresses),
        ),
        at=plan.created_at,
        fields=draw(several(field_explanations)),
        written=draw(st.dictionaries(texts, origins, max_size=2)),
        kind=draw(st.none() | st.sampled_from(Kind)),
        records=draw(several(st.builds(WishUpdate, paths, st.none() | texts, several(texts)))),
        actions=decided(plan.actions),
        held_back=decided(plan.held_back),
        left_alone=decided(plan.left_alone),
        findings=decided(plan.findings),
        blocked=next(iter(plan.blocked), None),
        ended_outside=next((entry.rejection for entry in plan.rejections), None),
        needed_by=plan.left_out,
        may_change=draw(st.booleans()),
    )


@st.composite
def rollouts(draw: st.DrawFn) -> Rollout:
    """A gray release that stands anyhow, of a component whose every text is hostile."""
    phase, status = draw(st.sampled_from(Phase)), draw(texts)
    number = st.none() | st.integers(0, 9)
    closer = st.builds(Closer, number, st.none(), number, st.just(()))
    observed = Observed(
        draw(addresses),
        draw(texts),
        draw(texts),
        None,
        draw(texts),
        status,
        3,
        2,
        draw(names),
        None,
        closer=draw(closer),
    )
    wish = st.builds(Wish, st.none() | st.builds(VersionPicture, texts, st.none() | grays))
    desired = draw(st.none() | st.builds(Desired, addresses, marks, wish))
    located = Located(observed.address, observed, desired, draw(st.none() | records))
    gray = draw(grays) if phase is Phase.OPEN else None
    return Rollout(
        located=located,
        phase=phase,
        picture=VersionPicture(draw(names), gray),
        is_unclear=draw(st.booleans()),
        batches_left=draw(number),
        begun_at=draw(st.none() | instants),
        job=draw(st.none() | st.builds(Job, texts, st.sampled_from(JobPhase), texts, names)),
        next_plan=draw(st.none() | plans()),
        at=draw(instants),
    )


@bounded(30)
@given(explanation=explanations(), width=widths)
def test_explanation(explanation: Explanation, width: int | None) -> None:
    """The view never raises and holds nothing that acts; the document is JSON."""
    assert_harmless(render_explanation(explanation, width=width))
    text = render_document(explanation_to_document(explanation, "0"))
    assert text.isascii()
    json.loads(text)


@bounded(30)
@given(rollout=rollouts(), width=widths)
def test_rollout(rollout: Rollout, width: int | None) -> None:
    """Drawn without raising, nothing in it acts, and the document is one that JSON can spell."""
    assert_harmless(render_rollout(rollout, width=width))
    document = rollout_to_document(rollout, "0.1.0")
    assert json.loads(render_document(document)) == document
