"""The order across components (semantics, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest
from core_builders import address

from statetool.core.edges import order_across, takes_away
from statetool.core.model import Address, Json
from statetool.core.plan import Action, Risk, Verb

UP, DOWN, ZERO, STOP, START, ROLLBACK, RESTART = "scale 6", "scale 2", "scale 0", "stop", "start", "rollback", "restart"


def chain(name: str, *moves: str) -> tuple[Action, ...]:
    """Actions of one component, each behind the one before."""
    return tuple(_action(name, n, move) for n, move in enumerate(moves, 1))


def _action(name: str, n: int, move: str) -> Action:
    verb, _, number = move.partition(" ")
    parameters: dict[str, Json] = {"replica": int(number)} if number else {}
    goal: dict[str, Json] = {"replicas": int(number)} if number else {"status": "ready"}
    requires = (f"shop/{name}#{n - 1}",) if n > 1 else ()
    return Action(f"shop/{name}#{n}", address(name), Verb(verb), parameters, "", Risk.POWER, requires, {}, goal, 30)


def order(
    needs: Mapping[str, list[str]], actions: Mapping[str, list[str]]
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Ids in their order, and what each requires, `shop/` left out."""
    depends_on = {address(name): [address(n) for n in needed] for name, needed in needs.items()}
    ordered = order_across(depends_on, {address(name): chain(name, *moves) for name, moves in actions.items()})
    requires = {_short(a.id): tuple(_short(r) for r in a.requires) for a in ordered}
    return list(requires), requires


def _short(action_id: str) -> str:
    return action_id.removeprefix("shop/")


def test_without_dependencies_addresses_decide() -> None:
    ids, requires = order({"b": [], "a": [], "c": []}, {"c": [UP], "a": [UP, RESTART], "b": [UP]})
    assert ids == ["a#1", "a#2", "b#1", "c#1"]
    assert requires == {"a#1": (), "a#2": ("a#1",), "b#1": (), "c#1": ()}


def test_the_dependent_waits_for_the_last_action_that_takes_nothing_away() -> None:
    """a needs z: a comes second, though its name comes first."""
    ids, requires = order({"a": ["z"], "z": []}, {"a": [UP, RESTART], "z": [ROLLBACK, UP]})
    assert ids == ["z#1", "z#2", "a#1", "a#2"]
    assert requires["a#1"] == ("z#2",)
    assert requires["a#2"] == ("a#1",)


@pytest.mark.parametrize("away", [STOP, ZERO])
def test_what_takes_away_waits_for_the_dependent(away: str) -> None:
    """Who needs it must be done with it first: the order of a stop is reversed."""
    ids, requires = order({"a": ["z"], "z": []}, {"a": [STOP], "z": [away]})
    assert ids == ["a#1", "z#1"]
    assert requires == {"a#1": (), "z#1": ("a#1",)}


def test_a_component_that_is_changed_and_then_stopped_is_waited_for_and_waits() -> None:
    """Not a cycle: a waits for z's rollback, z's stop for a."""
    ids, requires = order({"a": ["z"], "z": []}, {"a": [UP, RESTART], "z": [ROLLBACK, STOP]})
    assert ids == ["z#1", "a#1", "a#2", "z#2"]
    assert requires["a#1"] == ("z#1",)
    assert requires["z#2"] == ("a#2", "z#1")


def test_scaled_to_zero_and_stopped_both_wait() -> None:
    _, requires = order({"a": ["z"], "z": []}, {"a": [UP], "z": [ZERO, STOP]})
    assert requires["z#1"] == ("a#1",)
    assert requires["z#2"] == ("a#1", "z#1")


def test_a_scale_down_is_no_taking_away() -> None:
    """The component still serves afterwards."""
    _, requires = order({"a": ["z"], "z": []}, {"a": [UP], "z": [DOWN]})
    assert requires == {"z#1": (), "a#1": ("z#1",)}


def test_a_stop_waits_for_what_it_depends_on_too() -> None:
    """All actions of a dependent do, its own stop included."""
    _, requires = order({"a": ["z"], "z": []}, {"a": [STOP], "z": [UP]})
    assert requires == {"z#1": (), "a#1": ("z#1",)}


def test_through_components_without_actions() -> None:
    """a needs m needs z, and m has nothing to do."""
    _, requires = order({"a": ["m"], "m": ["z"], "z": []}, {"a": [UP], "z": [UP]})
    assert requires["a#1"] == ("z#1",)
    _, requires = order({"a": ["m"], "m": ["z"], "z": []}, {"a": [STOP], "z": [STOP]})
    assert requires["z#1"] == ("a#1",)


def test_through_components_that_only_take_away() -> None:
    """m's stop is nothing to wait for, but z's start is."""
    _, requires = order({"a": ["m"], "m": ["z"], "z": []}, {"a": [UP], "m": [STOP], "z": [START]})
    assert requires["a#1"] == ("z#1",)
    assert requires["m#1"] == ("a#1", "z#1")


def test_a_stop_waits_for_distant_dependents_behind_one_that_does_not_wait_itself() -> None:
    """m only scales, so m is done long before a is stopped; z must wait for a all the same."""
    _, requires = order({"a": ["m"], "m": ["z"], "z": []}, {"a": [STOP], "m": [UP], "z": [STOP]})
    assert requires["a#1"] == ("m#1",)
    assert requires["z#1"] == ("a#1",)


def test_a_chain_of_stops_goes_backwards() -> None:
    ids, requires = order({"a": ["m"], "m": ["z"], "z": []}, {"a": [STOP], "m": [STOP], "z": [STOP]})
    assert ids == ["a#1", "m#1", "z#1"]
    assert requires["z#1"] == ("m#1",)


def test_a_diamond_waits_for_both_sides() -> None:
    needs = {"a": ["l", "r"], "l": ["z"], "r": ["z"], "z": []}
    _, requires = order(needs, {name: [UP] for name in needs})
    assert requires == {"z#1": (), "l#1": ("z#1",), "r#1": ("z#1",), "a#1": ("l#1", "r#1")}
    _, requires = order(needs, {name: [STOP] for name in needs})
    assert requires == {"a#1": (), "l#1": ("a#1",), "r#1": ("a#1",), "z#1": ("l#1", "r#1")}


def test_a_chain_longer_than_the_stack() -> None:
    """Fifteen thousand components in a row, of which the first and the last have something to do."""
    count = 15_000
    names = [f"c{n:05}" for n in range(count)]
    needs = {address(name): [address(before)] for before, name in pairwise(names)}
    actions: dict[Address, tuple[Action, ...]] = {
        address(names[0]): chain(names[0], ROLLBACK, STOP),
        address(names[-1]): chain(names[-1], UP),
    }
    assert [_short(a.id) for a in order_across(needs, actions)] == [f"{names[0]}#1", f"{names[-1]}#1", f"{names[0]}#2"]


@pytest.mark.parametrize(
    ("move", "away"), [(STOP, True), (ZERO, True), (DOWN, False), (UP, False), (ROLLBACK, False), (START, False)]
)
def test_takes_away(move: str, away: bool) -> None:
    assert takes_away(chain("a", move)[0]) is away
