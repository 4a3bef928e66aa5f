"""What every backend promises of the state: reading, compare-and-swap, serials, and what it keeps of earlier ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from contract_kit import (
    CART,
    NOW,
    PASSWORD,
    Check,
    Checks,
    Place,
    entries,
    first_state,
    held,
    rich_state,
    seen_while,
    store,
    texts,
    with_cart,
)

from statetool.backends import Backend
from statetool.core.model import Seen
from statetool.core.state import StateFile, new_state, record_seen
from statetool.errors import StateConflict, StateError

CHECKS: list[Check] = []
check = Checks(CHECKS)


@check
def nothing_is_stored_at_first(place: Place) -> None:
    """And looking does not change that, nor leave anything that a later look would find."""
    for _ in range(2):
        backend = place.open()
        assert backend.read() is None
        assert backend.read_journal() == ()
        assert backend.read_history() == ()
        assert backend.find_holder() is None
        assert backend.check_place() == ()


@check
def the_location_is_named_without_credentials(place: Place) -> None:
    """For messages, and the same for every client."""
    location = place.open().location
    assert location == place.open().location != ""
    assert PASSWORD not in location


@check
def nothing_speaks_against_a_place_that_works(place: Place) -> None:
    """Also when something is stored there, and while somebody writes."""
    backend = place.open()
    with held(backend) as lease:
        backend.write(None, first_state(), lease)
        backend.append(entries("a"), lease)
        assert place.open().check_place() == ()
    assert place.open().check_place() == ()


@check
def the_first_write_stores_serial_1(place: Place) -> None:
    """What was stored is returned, and every client reads it."""
    stored = store(place.open(), None, first_state())
    assert stored == replace(first_state(), serial=1, fence=stored.fence)
    assert place.open().read() == stored


@check
def an_empty_first_state_is_stored(place: Place) -> None:
    """Its lineage is content enough."""
    stored = store(place.open(), None, new_state("lineage", "0.1.0"))
    assert (stored.serial, place.open().read()) == (1, stored)


@check
def whatever_a_state_says_is_read_again(place: Place) -> None:
    """Names of all languages, quotes and separators, what was let through, and where it moved to."""
    stored = store(place.open(), None, rich_state())
    assert stored == replace(rich_state(), serial=1, fence=stored.fence)
    assert place.open().read() == stored


@check
def every_write_stores_the_next_serial_and_the_fence_of_its_lock(place: Place) -> None:
    """Whatever numbers the caller's own value carries."""
    backend = place.open()
    first = store(backend, None, first_state())
    with held(backend) as lease:
        second = backend.write(first, replace(with_cart(first, "c2"), serial=99, fence=99), lease)
        third = backend.write(second, with_cart(second, "c3"), lease)
    assert (second.serial, third.serial) == (2, 3)
    assert second.fence == third.fence == lease.fence > first.fence
    assert place.open().read() == third


@check
def the_serial_starts_at_the_floor(place: Place) -> None:
    """A state that was at another place before goes on counting here; a floor already passed changes nothing."""
    backend = place.open()
    first = store(backend, None, first_state(), floor=7)
    second = store(backend, first, with_cart(first, "c2"), floor=7)
    third = store(backend, second, with_cart(second, "c3"), floor=40)
    assert (first.serial, second.serial, third.serial) == (7, 8, 40)
    assert place.open().read() == third


@check
def the_same_content_is_not_stored_again(place: Place) -> None:
    """A serial stands for a content. Neither counters, nor the tool's version, nor a floor are any."""
    backend = place.open()
    first = store(backend, None, first_state())
    again = store(backend, first, replace(first, tool_version="9.9.9", serial=5, fence=50), floor=30)
    assert again == first
    assert place.open().read() == first


@check
def every_content_counts(place: Place) -> None:
    """Each of what a state says makes a new serial where it alone differs."""
    backend = place.open()
    state = store(backend, None, first_state())
    for after in (rich_state().overridden, None):
        changed = replace(state, overridden=after) if after else replace(state, moved_to="elsewhere")
        stored = store(backend, state, changed)
        assert stored.serial == state.serial + 1
        state = stored
    assert place.open().read() == state
    assert state.moved_to == "elsewhere"


@check
def a_second_writer_is_refused(place: Place) -> None:
    """Two clients read the same; the one that comes second finds a moved serial, and loses nothing of the first."""
    one, two = place.open(), place.open()
    base = store(one, None, first_state())
    assert two.read() == base
    stored = store(one, base, with_cart(base, "c2"))
    with pytest.raises(StateConflict) as caught:
        store(two, base, with_cart(base, "c3"))
    assert one.location in caught.value.message
    assert caught.value.hint
    assert place.open().read() == stored == one.read() == two.read()


@check
def a_refused_writer_can_read_and_write_again(place: Place) -> None:
    """The refusal is of that write, not of the client, nor of its lock."""
    one, two = place.open(), place.open()
    base = store(one, None, first_state())
    moved = store(two, base, with_cart(base, "c2"))
    with held(one) as lease:
        with pytest.raises(StateConflict):
            one.write(base, with_cart(base, "c3"), lease)
        assert one.read() == moved
        assert one.write(moved, with_cart(moved, "c3"), lease).serial == 3


@check
def creating_what_somebody_created_meanwhile_is_refused(place: Place) -> None:
    """None means: nothing may be there."""
    stored = store(place.open(), None, first_state())
    with pytest.raises(StateConflict):
        store(place.open(), None, new_state("other", "0.1.0"))
    with pytest.raises(StateConflict):
        store(place.open(), None, with_cart(first_state(), "c2"))
    assert place.open().read() == stored


@check
def changing_what_is_not_there_is_refused(place: Place) -> None:
    """A state that disappeared is not made up again."""
    with pytest.raises(StateConflict):
        store(place.open(), replace(first_state(), serial=5), with_cart(first_state(), "c2"))
    assert place.open().read() is None


@check
def a_foreign_lineage_is_refused_both_ways(place: Place) -> None:
    """Neither what was read nor what is to be stored may belong to another state."""
    stored = store(place.open(), None, first_state())
    other = replace(stored, lineage="other")
    with pytest.raises(StateConflict):
        store(place.open(), other, with_cart(other, "c2"))
    with pytest.raises(StateConflict):
        store(place.open(), stored, with_cart(other, "c2"))
    assert place.open().read() == stored


@check
def a_client_that_was_open_all_along_sees_what_others_stored(place: Place) -> None:
    """What a client remembers is worth nothing once somebody else wrote."""
    one, two = place.open(), place.open()
    state = store(one, None, first_state())
    for component in ("c2", "c3"):
        assert two.read() == state
        state = store(one, state, with_cart(state, component))
    assert two.read() == one.read() == state
    again = store(two, state, with_cart(state, "c4"))
    assert one.read() == again


@check
def a_write_leaves_the_journal_alone(place: Place) -> None:
    """Also one that finds nothing to store."""
    backend = place.open()
    with held(backend) as lease:
        backend.append(entries("a"), lease)
        state = backend.write(None, first_state(), lease)
        backend.append(entries("b"), lease)
        state = backend.write(state, with_cart(state, "c2"), lease)
        backend.write(state, state, lease)
        assert texts(place.open().read_journal()) == "ab"


@check
def reading_needs_no_lock(place: Place) -> None:
    """While somebody writes, others read what is stored by then."""
    backend = place.open()
    with held(backend) as lease:
        state = backend.write(None, first_state(), lease)
        for n in range(3):
            assert place.open().read() == state
            seen = Seen(NOW, "1.0.0", n, n, "RUNNING", None)
            state = backend.write(state, record_seen(state, CART, seen), lease)


@check
def readers_see_whole_states_only(place: Place) -> None:
    """The old one or the new one, and never again one that was seen to be replaced."""
    one, two = place.open(), place.open()
    with held(one) as lease:
        states = [one.write(None, rich_state(), lease)]

        def write() -> None:
            states.append(one.write(states[-1], with_cart(states[-1], f"c{len(states)}"), lease))

        seen = seen_while(two.read, [write] * 5)
    assert [state.serial for state in states] == [1, 2, 3, 4, 5, 6]
    positions = [states.index(state) for state in seen if state is not None]
    assert len(positions) == len(seen)
    assert positions == sorted(positions)
    assert positions[-1] == 5


@check
def earlier_serials_can_be_read_where_they_are_kept(place: Place) -> None:
    """Newest first, the stored one among them, each as it was stored; and a gap that a floor made is none of them."""
    backend = place.open()
    states = _stored_four_times(backend)
    history = place.open().read_history()
    if not backend.capabilities.has_history:
        assert history == ()
        return
    assert [kept.serial for kept in history] == [12, 11, 2, 1]
    for kept, state in zip(history, reversed(states), strict=True):
        assert place.open().read_serial(kept.serial) == state
        assert kept.at is None or (kept.at.endswith("Z") and datetime.fromisoformat(kept.at))


@check
def a_serial_that_was_never_stored_is_an_error(place: Place) -> None:
    """One that tells which it was, and what to do."""
    backend = place.open()
    for serial in (0, 7) if _stored_four_times(backend) else ():
        with pytest.raises(StateError) as caught:
            backend.read_serial(serial)
        assert caught.value.code == "no_such_serial"
        assert str(serial) in caught.value.message


def _stored_four_times(backend: Backend) -> list[StateFile]:
    """Serials 1, 2, 11 and 12."""
    states = [store(backend, None, first_state())]
    for number, floor in ((2, 0), (3, 11), (4, 0)):
        states.append(store(backend, states[-1], with_cart(states[-1], f"c{number}"), floor=floor))
    return states
