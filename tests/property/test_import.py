"""Whatever runs, under whatever names: what an import writes reads back, and a plan made from it does nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from budgets import bounded
from core_builders import CIRCUMSTANCES, EARLIER, NOW, deployed, make_rules
from hypothesis import given
from hypothesis import strategies as st

from statetool.core.adoption import needs_look_to_adopt
from statetool.core.matching import find_described
from statetool.core.model import (
    Address,
    Application,
    AppliedFrom,
    Closer,
    ContentRule,
    Desired,
    GrayRule,
    Observed,
    StatusClass,
    VersionPicture,
    Wish,
)
from statetool.core.picture import open_release
from statetool.core.plan import Plan
from statetool.core.project import build_plan, find_closer_looks
from statetool.core.selection import Selection
from statetool.core.state import StateFile, apply_wish_update, new_state, record_component
from statetool.manifest.drafting import Drafted, build_drafts
from statetool.manifest.loader import load_manifests
from statetool.manifest.writer import Draft, Entry, render_drafts, scalar_text, why_unwritable
from statetool.manifest.yaml_reader import read_yaml

NASTY = (
    *("on", "No", "null", "~", "y", "1.10", "1e5", "0o17", "12:30:45", "2026-11-24", ".inf", "-", "- x", "=", "<<"),
    *("a: b", "a #b", "{a}", "[a]", "*a", "&a", "!a", "%TAG", "@a", "`a", "'", '"', "\\", "\\n", "a\\", ", ", "a,b"),
    *("\n", "x\n---\napplication: evil\n", "# x", "\u202e", "\u200b", "\ufeff", "\u2028", "\x1b[31m", "\x00", "\ud800"),
    *(
        "：",
        "，x",
        "“x”",
        "中文",
        "é",
        "e\u0301",
        "🙂",
        "\u3000",
        " x ",
        "",
        "..",
        "a/b",
        "a@b",
        "x" * 200,
        "\x85",
        "\t",
    ),
)
texts = st.one_of(
    st.sampled_from(NASTY), st.text(max_size=12), st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
)


def mostly(*usual: str) -> st.SearchStrategy[str]:
    """One of these, and once in a while any text: with more of it, hardly anything could be written down."""
    return st.sampled_from([*usual] * 4 + [""]).flatmap(lambda word: st.just(word) if word else texts)


contents = st.builds(
    ContentRule,
    mostly("header"),
    mostly("x-user-tier", "on"),
    st.sampled_from(["equal", "match", "in"]),
    mostly("beta", "1e5", "a: b", "中文"),
)
rules = st.one_of(
    st.sampled_from([None, *(GrayRule(weight=weight) for weight in (0, 1, 20, 20, 99, 100))]),
    st.builds(GrayRule, st.none(), st.sampled_from(["all", "any"]), st.frozensets(contents, min_size=1, max_size=3)),
)
STATUSES = ("RUNNING", "PENDING", "GRAYING", "GRAYING", "STOPPED", "FAILED", "DOWN", "UPGRADING", "\n---\nx: y")


@st.composite
def components(draw: st.DrawFn, number: int) -> Observed:
    """A component as no platform in its right mind would show it, with its detail and records."""
    name = draw(mostly("cart", "pay", "on")) or "cart"
    environment = draw(st.sampled_from(["prod", "test", "prod", "test", None, "a b"]))
    stable, candidate = draw(st.permutations(["1.0.0", "1.1.0", draw(mostly("1.2.0"))]))[:2]
    status = draw(st.sampled_from(STATUSES))
    replicas = draw(st.integers(0, 5))
    records = [deployed(stable, current=draw(st.booleans())), deployed("0.9.0")]
    if draw(st.sampled_from([True, True, True, False])):
        records.insert(0, deployed(candidate, "grayrelease", weight=draw(st.sampled_from([None, 30]))))
    closer = Closer(draw(st.sampled_from([None, 0, 1, 2, 4])), draw(rules), 1, tuple(records))
    return Observed(
        Address("shop", name, environment),
        f"id-{number}",
        "app-1",
        draw(st.sampled_from([f"env-{environment}"] * 4 + ["prod", None])),
        draw(st.sampled_from([stable, stable, candidate, "0.1.0"])),
        status,
        replicas,
        replicas,
        draw(st.sampled_from([None, "JOB-1"])),
        EARLIER,
        closer,
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Application, list[Observed]]:
    """One application under any name."""
    application = Application("app-1", draw(mostly("shop")) or "shop")
    members = [draw(components(n)) for n in range(draw(st.integers(1, 5)))]
    return application, [replace(m, address=replace(m.address, application=application.name)) for m in members]


def rows(observed: Sequence[Observed], looked_at: Sequence[Observed]) -> list[Observed]:
    """As observed: only what was looked at closely is known closely."""
    close = {entry.component_id for entry in looked_at}
    return [entry if entry.component_id in close else replace(entry, closer=None) for entry in observed]


def load(drafted: Drafted) -> tuple[Desired, ...]:
    """The documents by way of a file, as the next command reads them."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "it.yaml"
        path.write_bytes(render_drafts(drafted.drafts, ("Written \n---\nby whom?",)).encode())
        return load_manifests(Path(name), [path], allow_empty=True).components


def plan_of(desired: Sequence[Desired], state: StateFile, observed: Sequence[Observed]) -> Plan:
    close = find_closer_looks(desired, state.components, rows(observed, []), Selection())
    return build_plan(
        desired,
        state.components,
        rows(observed, close),
        rules=make_rules(),
        selection=Selection(),
        circumstances=CIRCUMSTANCES,
    )


def carry_out(plan: Plan, state: StateFile) -> StateFile:
    """Everything the plan records; it must not hold anything else."""
    assert (plan.actions, plan.held_back, plan.blocked, plan.denies) == ((), (), (), ())
    for change in plan.changes:
        state = record_component(state, change, run_id="run", at=NOW, applied_from=AppliedFrom())
        for update in change.updates:
            state = apply_wish_update(state, change.address, update, at=NOW, run_id="run", applied_from=AppliedFrom())
    return state


@bounded(60)
@given(worlds(), st.booleans())
def test_what_runs_is_written_so_that_a_plan_does_nothing(
    world: tuple[Application, list[Observed]], fixed: bool
) -> None:
    """Each component is in the manifests or has a finding; the first plan records them, the second is empty."""
    application, observed = world
    seen = rows(observed, [entry for entry in observed if needs_look_to_adopt(entry, fixed=fixed)])
    drafted = build_drafts(application, seen, seen, {}, fixed=fixed)
    desired = load(drafted)
    addresses = drafted.addresses or {}
    assert sorted(entry.address for entry in desired) == sorted(addresses.values())
    left_out = {entry.component_id for entry in observed} - addresses.keys()
    assert len([f for f in drafted.findings if "left out of the manifest" in f.message]) == len(left_out)
    assert find_described(desired, observed) == dict(addresses)
    first = plan_of(desired, new_state("it", "0.1.0"), observed)
    assert sorted(change.address for change in first.changes) == sorted(addresses.values())
    state = carry_out(first, new_state("it", "0.1.0"))
    assert {address: entry.wish for address, entry in state.components.items()} == {d.address: d.wish for d in desired}
    assert plan_of(desired, state, observed).changes == ()
    if not fixed:
        moved = [replace(entry, replicas=entry.replicas + 3) for entry in observed]
        assert carry_out(plan_of(desired, state, moved), state) is state


@bounded(60)
@given(worlds(), st.booleans())
def test_nothing_uncertain_is_written_down(world: tuple[Application, list[Observed]], fixed: bool) -> None:
    """Of a busy component only the name; of a gray release no weight that would promote it, and all or nothing."""
    application, observed = world
    drafted = build_drafts(application, observed, observed, {}, fixed=fixed)
    wishes = {entry.address: entry.wish for entry in load(drafted)}
    for entry in observed:
        address = (drafted.addresses or {}).get(entry.component_id)
        if address is None:
            continue
        wish = wishes[address]
        if entry.status_class is StatusClass.BUSY:
            assert wish == Wish()
        if wish.picture is not None:
            assert (wish.picture.gray is not None) == (open_release(entry) is not None)
        if wish.picture is not None and wish.picture.gray is not None and wish.picture.gray.rule is not None:
            assert wish.picture.gray.rule.weight != 100
        assert fixed or wish.replicas is None


@bounded(60)
@given(worlds(), st.data())
def test_a_second_import_finds_only_what_is_new(world: tuple[Application, list[Observed]], data: st.DataObject) -> None:
    """Some of the components first, then the rest: what was written is recognised, whatever it is called."""
    application, observed = world
    some = [entry for entry in observed if data.draw(st.booleans())]
    first = build_drafts(application, observed, some, {}, fixed=False)
    written = load(first)
    described = find_described(written, observed)
    rest = [entry for entry in observed if entry.component_id not in described]
    second = build_drafts(application, observed, rest, {}, fixed=False)
    both = replace(first, drafts=(*first.drafts, *second.drafts))
    assert {e.address for e in load(both)} == {*(first.addresses or {}).values(), *(second.addresses or {}).values()}


@bounded(120)
@given(texts)
def test_text_survives_as_a_scalar(text: str) -> None:
    """As a value of YAML it is one line, and either reads back as that text or is refused aloud."""
    written = scalar_text(text)
    assert "\n" not in written
    result = read_yaml(f"{{key: {written}, after: x}}\n".encode(), "it.yaml")
    if not result.diagnostics:
        root = result.documents[0].root
        assert {k: e.node.value for k, e in root.entries.items()} == {"key": text, "after": "x"}  # type: ignore[union-attr]


@bounded(60)
@given(texts, texts, texts, st.lists(texts, max_size=3))
def test_comments_and_names_end_where_they_should(name: str, environment: str, version: str, said: list[str]) -> None:
    """A document says what it was made of or is called unwritable; nothing in it adds a key, a line or a document."""
    entry = Entry(name, Wish(VersionPicture(version)), tuple(said))
    draft = Draft("shop", environment, (entry,), tuple(said))
    why = why_unwritable(draft)
    text = render_drafts([draft], said)
    bare = render_drafts([replace(draft, entries=(replace(entry, comments=()),), comments=())], ())
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    assert kept == bare.splitlines()
    if why is None:
        [read] = read_yaml(text.encode(), "it.yaml").documents
        assert set(read.root.entries) == {"application", "environment", "components"}  # type: ignore[union-attr]
