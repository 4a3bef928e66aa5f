"""Random graphs walked in random interleavings: the rules of ordering hold for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from budgets import bounded
from core_builders import address
from hypothesis import given
from hypothesis import strategies as st
from planned_worlds import NAMES, reach

from statetool.core.edges import order_across
from statetool.core.model import Address
from statetool.core.ordering import Graph, Schedule, Stage, find_cycle
from statetool.core.plan import Action, Risk, Verb

BOUNDED = bounded(100)


@dataclass
class Walk:
    """What happened in one walk, in order: (what, id), and for skipped ids the id that caused it."""

    events: list[tuple[str, str]]
    because: dict[str, str]
    schedule: Schedule


@st.composite
def dags(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Ids in random order, each requiring some of those drawn before it."""
    size = draw(st.integers(0, 12))
    names = [f"n{n}" for n in range(size)]
    edges = {
        name: tuple(draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=4))) if n else ()
        for n, name in enumerate(names)
    }
    return {name: edges[name] for name in draw(st.permutations(names))}


def ancestors(edges: Mapping[str, tuple[str, ...]], id_: str) -> set[str]:
    found: set[str] = set()
    pending = list(edges[id_])
    while pending:
        other = pending.pop()
        if other not in found:
            found.add(other)
            pending.extend(edges[other])
    return found


def walk(edges: Mapping[str, tuple[str, ...]], choices: list[int], failing: set[str]) -> Walk:
    """Start and end things as `choices` say, until nothing is left."""
    result = Walk([], {}, Schedule(Graph(edges)))
    running: list[str] = []
    for step in range(10 * len(edges) + 1):
        choice = choices[step % len(choices)]
        ready = result.schedule.next_ready()
        if ready is not None and (choice % 2 == 0 or not running):
            result.schedule.start(ready)
            result.events.append(("start", ready))
            running.append(ready)
        elif running:
            ended = running.pop(choice % len(running))
            if ended in failing:
                result.events.append(("failed", ended))
                for skipped in result.schedule.fail(ended):
                    result.events.append(("skipped", skipped))
                    result.because[skipped] = ended
            else:
                result.schedule.done(ended)
                result.events.append(("done", ended))
    return result


walks = st.tuples(dags(), st.lists(st.integers(0, 50), min_size=1, max_size=40), st.data())


@BOUNDED
@given(walks)
def test_every_rule_of_a_walk(drawn: tuple[dict[str, tuple[str, ...]], list[int], st.DataObject]) -> None:
    """Nothing starts before its requirements are done, each id ends once, a failure skips exactly its descendants."""
    edges, choices, data = drawn
    failing = data.draw(st.sets(st.sampled_from(sorted(edges)))) if edges else set()
    ensure_every_rule(edges, walk(edges, choices, failing))


def ensure_every_rule(edges: Mapping[str, tuple[str, ...]], result: Walk) -> None:
    done: set[str] = set()
    for what, id_ in result.events:
        if what == "start":
            assert set(edges[id_]) <= done
        if what == "done":
            done.add(id_)
    ends = [id_ for what, id_ in result.events if what != "start"]
    assert sorted(ends) == sorted(edges)

    failed = {id_ for what, id_ in result.events if what == "failed"}
    skipped = {id_ for what, id_ in result.events if what == "skipped"}
    assert skipped == {id_ for id_ in edges if ancestors(edges, id_) & failed}
    assert all(cause in failed & ancestors(edges, id_) for id_, cause in result.because.items())
    assert all(result.schedule.stage(id_) in (Stage.DONE, Stage.FAILED, Stage.SKIPPED) for id_ in edges)


@BOUNDED
@given(walks)
def test_the_same_calls_give_the_same_walk(
    drawn: tuple[dict[str, tuple[str, ...]], list[int], st.DataObject],
) -> None:
    """Ties are decided by the order of the graph and by nothing else."""
    edges, choices, _ = drawn
    assert walk(edges, choices, set()).events == walk(edges, choices, set()).events


@BOUNDED
@given(walks)
def test_halting_at_any_point_ends_everything_once(
    drawn: tuple[dict[str, tuple[str, ...]], list[int], st.DataObject],
) -> None:
    """After skip_rest only what had started is left, and its end releases nothing."""
    edges, choices, _ = drawn
    schedule = Schedule(Graph(edges))
    running = []
    for _ in range(choices[0]):
        if (ready := schedule.next_ready()) is None:
            break
        schedule.start(ready)
        running.append(ready)
    skipped = schedule.skip_rest()
    assert sorted((*skipped, *running)) == sorted(edges)
    assert all(schedule.done(id_) == () for id_ in running)
    assert schedule.next_ready() is None


@BOUNDED
@given(dags(), st.data())
def test_closing_a_path_is_found_as_a_cycle(edges: dict[str, tuple[str, ...]], data: st.DataObject) -> None:
    """A graph without cycles has none; an edge back from a requirement makes one, and the path found is real."""
    assert find_cycle(edges) is None
    below = [(id_, other) for id_ in sorted(edges) for other in sorted(ancestors(edges, id_))]
    if not below:
        return
    top, bottom = data.draw(st.sampled_from(below))
    closed = {**edges, bottom: (*edges[bottom], top)}
    cycle = find_cycle(closed)
    assert cycle is not None
    assert all(after in closed[before] for before, after in zip(cycle, (*cycle[1:], cycle[0]), strict=True))


# Across components: the graph that depends_on and the verbs make


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[Address, list[Address]], dict[Address, tuple[Action, ...]]]:
    """Dependencies without a cycle in random directions of the alphabet, and chains with and without a stop."""
    names = draw(st.permutations(NAMES))
    needs: dict[Address, list[Address]] = {}
    chains: dict[Address, tuple[Action, ...]] = {}
    for n, name in enumerate(names):
        earlier = draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3)) if n else []
        needs[address(name)] = [address(b) for b in earlier]
        forward = draw(st.lists(st.sampled_from(["start", "rollback", "scale 3"]), max_size=2, unique=True))
        away = draw(st.sampled_from([[], [], ["scale 0"], ["stop"], ["scale 0", "stop"]]))
        chains[address(name)] = chain_of(address(name), [*forward, *away])
    return needs, {key: chain for key, chain in chains.items() if chain}


def chain_of(key: Address, moves: list[str]) -> tuple[Action, ...]:
    chain: list[Action] = []
    for n, move in enumerate(moves, 1):
        verb, _, number = move.partition(" ")
        requires = (chain[-1].id,) if chain else ()
        goal = {"replicas": int(number)} if number else {}
        chain.append(Action(f"{key}#{n}", key, Verb(verb), {}, "", Risk.POWER, requires, {}, goal, 30))
    return tuple(chain)


def takes_away(action: Action) -> bool:
    return action.verb is Verb.STOP or action.goal.get("replicas") == 0


@BOUNDED
@given(graphs(), st.lists(st.integers(0, 50), min_size=1, max_size=40), st.data())
def test_the_order_across_components_in_any_interleaving(
    graph: tuple[dict[Address, list[Address]], dict[Address, tuple[Action, ...]]],
    choices: list[int],
    data: st.DataObject,
) -> None:
    """There is no cycle whatever stops or is scaled to 0; every pair of components keeps its order, and only those wait
    for each other that dependencies link; and a run ends, whichever fail, with exactly those skipped that wait."""
    needs, chains = graph
    ordered = order_across(needs, chains)
    assert sorted(a.id for a in ordered) == sorted(a.id for chain in chains.values() for a in chain), "no cycle"
    edges = {action.id: action.requires for action in ordered}
    assert find_cycle(edges) is None
    ensure_order_of_pairs(needs, chains, ordered)
    failing = data.draw(st.sets(st.sampled_from(sorted(edges)), max_size=3)) if edges else set()
    ensure_every_rule(edges, walk(edges, choices, failing))


def ensure_order_of_pairs(
    needs: Mapping[Address, Sequence[Address]], chains: Mapping[Address, Sequence[Action]], ordered: Sequence[Action]
) -> None:
    """Where b depends on a, however far: b after a's actions that take nothing away, a's taking away after all of b."""
    edges: dict[str, tuple[str, ...]] = {}
    for action in ordered:
        assert set(action.requires) <= set(edges), "an action stands before what it requires"
        edges[action.id] = action.requires
    links = [(b, a) for b, all_needed in needs.items() for a in all_needed]
    back = [(a, b) for b, a in links]
    for b, b_chain in chains.items():
        for a in reach(b, links) - {b}:
            forward = {action.id for action in chains.get(a, ()) if not takes_away(action)}
            away = [action.id for action in chains.get(a, ()) if takes_away(action)]
            assert all(forward <= ancestors(edges, action.id) for action in b_chain)
            assert all(action.id in ancestors(edges, taking) for action in b_chain for taking in away)
        others = {Address.parse(r.rpartition("#")[0]) for action in b_chain for r in edges[action.id]}
        assert others <= reach(b, links) | reach(b, back)
