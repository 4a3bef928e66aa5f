"""The graph and the walk over it: what may start, what a failure takes with it, what is refused."""

import pytest

from statetool.core.ordering import Graph, Schedule, Stage, find_cycle
from statetool.errors import StatetoolError


def drain(schedule: Schedule) -> list[str]:
    """Start everything that is ready."""
    started = []
    while (id_ := schedule.next_ready()) is not None:
        schedule.start(id_)
        started.append(id_)
    return started


def test_what_requires_nothing_is_ready_in_the_order_of_the_graph() -> None:
    """Ties keep the order in which the ids came, not their names."""
    assert drain(Schedule(Graph({"z": [], "a": [], "m": ["a"]}))) == ["z", "a"]


def test_done_releases_only_what_waits_for_nothing_else() -> None:
    """Of two requirements the second one releases."""
    schedule = Schedule(Graph({"a": [], "b": [], "both": ["a", "b"], "one": ["a"]}))
    drain(schedule)
    assert schedule.done("a") == ("one",)
    assert schedule.done("b") == ("both",)
    assert drain(schedule) == ["both", "one"]


def test_a_requirement_named_twice_counts_once() -> None:
    """A duplicate must not leave the id waiting for ever."""
    schedule = Schedule(Graph({"a": [], "b": ["a", "a"]}))
    drain(schedule)
    assert schedule.done("a") == ("b",)


def test_a_failure_skips_all_that_requires_it_and_nothing_else() -> None:
    """Directly or not; a bystander stays ready."""
    schedule = Schedule(Graph({"a": [], "b": ["a"], "c": ["b"], "other": [], "d": ["other", "c"]}))
    schedule.start("a")
    assert schedule.fail("a") == ("b", "c", "d")
    assert [schedule.stage(id_) for id_ in "abcd"] == [Stage.FAILED, Stage.SKIPPED, Stage.SKIPPED, Stage.SKIPPED]
    assert drain(schedule) == ["other"]
    assert schedule.done("other") == ()


def test_what_one_failure_skipped_is_not_told_again_by_the_next() -> None:
    """Each id ends exactly once."""
    schedule = Schedule(Graph({"a": [], "b": [], "c": ["a", "b"]}))
    drain(schedule)
    assert schedule.fail("a") == ("c",)
    assert schedule.fail("b") == ()


def test_skip_rest_leaves_what_has_started() -> None:
    """Halting ends the waiting and the ready, in the graph's order, and starts nothing any more."""
    schedule = Schedule(Graph({"a": [], "b": [], "c": ["a"]}))
    schedule.start("a")
    assert schedule.skip_rest() == ("b", "c")
    assert schedule.done("a") == ()
    assert schedule.next_ready() is None


def test_a_long_chain_needs_no_deep_stack() -> None:
    """Fifteen thousand in a row are looked at without recursion."""
    edges = {str(n): [str(n + 1)] if n < 15_000 else [] for n in range(15_001)}
    schedule = Schedule(Graph(edges))
    schedule.start("15000")
    assert len(schedule.fail("15000")) == 15_000


def test_a_requirement_that_is_not_there_is_refused() -> None:
    """It could never start; better said at once than by a run that ends early."""
    with pytest.raises(StatetoolError) as caught:
        Graph({"a": ["gone"]})
    assert caught.value.code == "unknown_requirement"


def test_a_cycle_is_refused_with_its_whole_path() -> None:
    """The person sees who requires whom."""
    with pytest.raises(StatetoolError) as caught:
        Graph({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]})
    assert caught.value.code == "requirement_cycle"
    assert "a -> b -> c -> a" in caught.value.message


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ({}, None),
        ({"a": ["b"], "b": [], "c": ["a", "b"]}, None),
        ({"a": ["unknown"]}, None),
        ({"a": ["a"]}, ("a",)),
        ({"a": [], "b": ["a", "c"], "c": ["b"]}, ("b", "c")),
    ],
)
def test_find_cycle(edges: dict[str, list[str]], cycle: tuple[str, ...] | None) -> None:
    """The first cycle in the order of the edges; ids that are no key require nothing."""
    assert find_cycle(edges) == cycle


@pytest.mark.parametrize("call", ["start", "done", "fail"])
def test_a_call_that_does_not_fit_the_stage_is_a_mistake(call: str) -> None:
    """Nothing starts twice, ends without having started, or ends twice."""
    schedule = Schedule(Graph({"a": [], "b": ["a"]}))
    with pytest.raises(ValueError, match="b is waiting"):
        getattr(schedule, call)("b")
