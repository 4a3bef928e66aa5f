"""What every backend promises. A backend joins by one entry in BACKENDS; no test here knows which one it has.

An entry takes a folder for the test and gives a function that opens a new, independent client of one and the
same state: two calls stand for two machines. Waiting is by a clock that only moves when somebody sleeps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from statetool.backends import Backend, LockInfo
from statetool.backends.lease import Lease
from statetool.backends.local import LocalBackend
from statetool.core.model import Address, AppliedFrom, Seen
from statetool.core.plan import Change, Kind
from statetool.core.state import StateFile, new_state, record_component, record_seen
from statetool.errors import ExitCode, StateConflict, StateError, StateLocked

Client = Callable[[], Backend]


class Time:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def local_clients(folder: Path) -> Client:
    """Clients of a state file that does not exist yet, in a folder that does not either."""
    time = Time()
    return lambda: LocalBackend(folder / "made" / "state.json", clock=time.clock, sleep=time.sleep)


BACKENDS = {"local": local_clients}


@pytest.fixture(params=sorted(BACKENDS))
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    """Opens clients of one state, for each backend in turn."""
    return BACKENDS[request.param](tmp_path)


def info(name: str = "first") -> LockInfo:
    """Somebody who locks."""
    return LockInfo(
        id=f"lock-{name}",
        operation="apply",
        who=f"{name}@builder",
        host="builder",
        pid=4711,
        tool_version="0.1.0",
        created="2026-11-23T08:00:00Z",
        run_id=f"run-{name}",
        ci_url="https://ci.example/7",
    )


def silent(_holder: LockInfo | None) -> None:
    """For locks that nobody should have to wait for."""


CART = Address("shop", "cart")


def with_cart(state: StateFile, component_id: str = "c1") -> StateFile:
    """The state with one more record, or that record anew."""
    change = Change(CART, component_id, "a1", None, Kind.ADOPT, None)
    return record_component(state, change, run_id="r1", at="2026-11-23T08:00:00Z", applied_from=AppliedFrom())


def first_state() -> StateFile:
    """What a first apply stores."""
    return with_cart(new_state("lineage", "0.1.0"))


def store(backend: Backend, before: StateFile | None, after: StateFile) -> StateFile:
    """One write under a lock of its own."""
    with backend.lock(info(), 0, silent) as lease:
        return backend.write(before, after, lease)


def test_nothing_is_stored_at_first(client: Client) -> None:
    """And looking does not change that."""
    assert client().read() is None
    assert client().read() is None


def test_the_first_write_stores_serial_1(client: Client) -> None:
    """What was stored is returned, and every client reads it."""
    stored = store(client(), None, first_state())
    assert stored == replace(first_state(), serial=1, fence=stored.fence)
    assert client().read() == stored


def test_every_write_stores_the_next_serial_and_the_fence_of_its_lock(client: Client) -> None:
    """Whatever numbers the caller's own value carries."""
    backend = client()
    first = store(backend, None, first_state())
    with backend.lock(info(), 0, silent) as lease:
        second = backend.write(first, replace(with_cart(first, "c2"), serial=99, fence=99), lease)
        third = backend.write(second, with_cart(second, "c3"), lease)
    assert (second.serial, third.serial) == (2, 3)
    assert second.fence == third.fence == lease.fence > first.fence
    assert client().read() == third


def test_the_same_content_is_not_stored_again(client: Client) -> None:
    """A serial stands for a content; the stored state is returned as it is."""
    backend = client()
    first = store(backend, None, first_state())
    again = store(backend, first, replace(first, tool_version="9.9.9"))
    assert again == first
    assert client().read() == first


def test_an_empty_first_state_is_stored(client: Client) -> None:
    """Its lineage is content enough."""
    stored = store(client(), None, new_state("lineage", "0.1.0"))
    assert (stored.serial, client().read()) == (1, stored)


def test_a_second_writer_is_refused(client: Client) -> None:
    """Two clients read the same; the one that comes second finds a moved serial, and loses nothing of the first."""
    one, two = client(), client()
    base = store(one, None, first_state())
    assert two.read() == base
    stored = store(one, base, with_cart(base, "c2"))
    with pytest.raises(StateConflict, match="held serial 1 and holds 2 now"):
        store(two, base, with_cart(base, "c3"))
    assert client().read() == stored


def test_creating_what_somebody_created_meanwhile_is_refused(client: Client) -> None:
    """None means: nothing may be there."""
    stored = store(client(), None, first_state())
    with pytest.raises(StateConflict, match="did not exist, and holds serial 1 now"):
        store(client(), None, new_state("other", "0.1.0"))
    assert client().read() == stored


def test_changing_what_is_not_there_is_refused(client: Client) -> None:
    """A state that disappeared is not made up again."""
    with pytest.raises(StateConflict, match="held serial 5 and is gone now"):
        store(client(), replace(first_state(), serial=5), first_state())
    assert client().read() is None


def test_a_foreign_lineage_is_refused_both_ways(client: Client) -> None:
    """Neither what was read nor what is to be stored may belong to another state."""
    stored = store(client(), None, first_state())
    other = replace(stored, lineage="other")
    with pytest.raises(StateConflict, match="lineage other was replaced by lineage"):
        store(client(), other, with_cart(other, "c2"))
    with pytest.raises(StateConflict, match="lineage lineage can't be replaced by other"):
        store(client(), stored, with_cart(other, "c2"))
    assert client().read() == stored


def test_a_lease_ends_with_its_lock(client: Client) -> None:
    """Afterwards it is worth nothing, even while another lock of the same client is held."""
    backend = client()
    with backend.lock(info(), 0, silent) as ended:
        pass
    with pytest.raises(StateConflict, match="no longer held"):
        backend.write(None, first_state(), ended)
    with backend.lock(info(), 0, silent), pytest.raises(StateConflict, match="no longer held"):
        backend.write(None, first_state(), ended)
    assert client().read() is None


def test_a_lease_of_somebody_else_is_refused(client: Client) -> None:
    """A fence can be guessed; a lock can't."""
    one, two = client(), client()
    with one.lock(info(), 0, silent) as lease, pytest.raises(StateConflict):
        two.write(None, first_state(), Lease(lease.fence))


def test_fences_only_grow(client: Client) -> None:
    """From lock to lock and client to client, whether or not anything was stored."""
    fences: list[int] = []
    for _ in range(3):
        with client().lock(info(), 0, silent) as lease:
            fences.append(lease.fence)
    assert fences == sorted(set(fences))
    assert fences[0] > 0


def test_two_clients_exclude_each_other_and_the_holder_is_named(client: Client) -> None:
    """Who, host, pid, operation, since when, run, CI, and what to do; exit code 5."""
    with client().lock(info("ann"), 0, silent):
        with pytest.raises(StateLocked) as caught, client().lock(info("bob"), 0, silent):
            pass
        error = caught.value
        for word in ("ann@builder", "4711", "apply", "2026-11-23T08:00:00Z", "run-ann", "https://ci.example/7"):
            assert word in error.message
        assert "--lock-timeout" in (error.hint or "")
        assert error.exit_code is ExitCode.LOCKED
    with client().lock(info("bob"), 0, silent):
        pass


def test_a_lock_does_not_nest(client: Client) -> None:
    """Also not within one client: the second is a second run."""
    backend = client()
    with backend.lock(info("ann"), 0, silent):
        with pytest.raises(StateLocked, match="ann@builder"), backend.lock(info("bob"), 0, silent):
            pass
        with pytest.raises(StateLocked), client().lock(info("bob"), 0, silent):
            pass


def test_a_waiting_client_is_told_once_who_holds_the_lock(client: Client) -> None:
    """Not at once, not again and again; and it gives up at the time-out."""
    told: list[LockInfo | None] = []
    with (
        client().lock(info("ann"), 0, silent),
        pytest.raises(StateLocked),
        client().lock(info("bob"), 10, told.append),
    ):
        pass
    assert [holder and replace(holder, fence=None) for holder in told] == [info("ann")]


def test_a_short_wait_is_not_worth_a_word(client: Client) -> None:
    """Nothing is said within the first 0.4 s."""
    told: list[LockInfo | None] = []
    with (
        client().lock(info("ann"), 0, silent),
        pytest.raises(StateLocked),
        client().lock(info("bob"), 0.3, told.append),
    ):
        pass
    assert told == []


def test_a_waiting_client_gets_the_lock_when_it_is_free(client: Client) -> None:
    """The holder leaves while the other waits."""
    holder = client().lock(info("ann"), 0, silent)
    holder.__enter__()

    def leave(_holder: LockInfo | None) -> None:
        holder.__exit__(None, None, None)

    with client().lock(info("bob"), 10, leave) as lease:
        assert lease.fence > 0


def test_an_error_inside_the_lock_frees_it(client: Client) -> None:
    """And passes through as it was."""
    with pytest.raises(StateError, match="mine"), client().lock(info("ann"), 0, silent):
        raise StateError("mine")
    with client().lock(info("bob"), 0, silent):
        pass


def test_reading_needs_no_lock(client: Client) -> None:
    """While somebody writes, others read a whole state: the old one or the new one."""
    backend = client()
    with backend.lock(info(), 0, silent) as lease:
        state = backend.write(None, first_state(), lease)
        for n in range(3):
            assert client().read() == state
            seen = Seen("2026-11-23T08:00:00Z", "1.0.0", n, n, "RUNNING", None)
            state = backend.write(state, record_seen(state, CART, seen), lease)


def test_the_location_is_named(client: Client) -> None:
    """For messages, and the same for every client."""
    assert client().location == client().location != ""


def test_the_holder_of_a_lock_can_be_told_without_taking_it(client: Client) -> None:
    """By every client, as often as it is asked; the holder still writes afterwards."""
    one, two = client(), client()
    assert two.find_holder() is None
    with one.lock(info(), 0, silent) as lease:
        assert two.find_holder() == two.find_holder() == replace(info(), fence=lease.fence)
        assert one.write(None, first_state(), lease).serial == 1
    assert two.find_holder() is None


def test_nothing_speaks_against_a_place_that_works(client: Client) -> None:
    """Before the first save and after it; looking stores nothing."""
    backend = client()
    assert backend.check_place() == ()
    assert backend.read() is None
    store(backend, None, first_state())
    assert client().check_place() == ()
