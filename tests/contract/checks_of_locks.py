"""What every backend promises of its lock: exclusion, fences, who is told what, and how it is broken."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from contract_kit import (
    PASSWORD,
    Check,
    Checks,
    Place,
    as_written,
    entries,
    first_state,
    held,
    info,
    sign,
    silent,
    store,
    texts,
    with_cart,
)

from statetool.backends import Backend, LockInfo
from statetool.backends.lease import Lease
from statetool.core.state import StateFile
from statetool.errors import ExitCode, LeaseLost, StateError, StateLocked

CHECKS: list[Check] = []
check = Checks(CHECKS)


@check
def fences_only_grow(place: Place) -> None:
    """From lock to lock and client to client, whether or not anything was stored where locks are counted."""
    fences: list[int] = []
    backend = place.open()
    for opened in (backend, backend, place.open(), backend, place.open()):
        with held(opened) as lease:
            fences.append(lease.fence)
            if not place.numbers_locks:
                sign(opened, lease)
    assert fences == sorted(set(fences))
    assert fences[0] > 0


@check
def fences_grow_beyond_that_of_the_state(place: Place) -> None:
    """Also beyond one that was stored after others had locked without a word."""
    one, two = place.open(), place.open()
    for _ in range(3):
        with held(one):
            pass
    state = store(two, None, first_state())
    with held(one) as lease:
        assert lease.fence > state.fence


@check
def a_lease_is_held_for_a_while(place: Place) -> None:
    """It says for how long at least, and that it is not lost."""
    with held(place.open()) as lease:
        lease.ensure_held()
        assert lease.loss is None
        assert lease.remaining_s > 0


@check
def two_clients_exclude_each_other(place: Place) -> None:
    """Until the lock is free again."""
    with held(place.open(), "ann"), pytest.raises(StateLocked), held(place.open(), "bob"):
        pass
    with held(place.open(), "bob"), pytest.raises(StateLocked), held(place.open(), "ann"):
        pass


@check
def a_locked_out_client_is_told_by_whom(place: Place) -> None:
    """Who, host, pid, operation, since when, run, CI, lock, and what to do; exit code 5."""
    backend = place.open()
    with held(backend, "ann") as lease:
        sign(backend, lease)
        with pytest.raises(StateLocked) as caught, held(place.open(), "bob"):
            pass
        error = caught.value
        named = ("ann@builder", "4711", "apply", "2026-11-23T08:00:00Z", "run-ann", "https://ci.example/7", "lock-ann")
        for word in (*named, place.open().location):
            assert word in error.message
        assert "--lock-timeout" in (error.hint or "")
        assert error.exit_code is ExitCode.LOCKED
        assert PASSWORD not in f"{error.message} {error.hint}"


@check
def a_lock_does_not_nest(place: Place) -> None:
    """Also not within one client: the second is a second run. The first stays as it was."""
    backend = place.open()
    with held(backend, "ann") as lease:
        with pytest.raises(StateLocked), held(backend, "bob"):
            pass
        with pytest.raises(StateLocked), held(place.open(), "bob"):
            pass
        assert backend.write(None, first_state(), lease).serial == 1
        backend.append(entries("a"), lease)


@check
def a_waiting_client_is_told_once_who_holds_the_lock(place: Place) -> None:
    """Not again and again; and it gives up at the time-out."""
    told: list[LockInfo | None] = []
    backend = place.open()
    with held(backend, "ann") as lease:
        sign(backend, lease)
        with pytest.raises(StateLocked), place.open().lock(info("bob"), 10, told.append):
            pass
    assert [as_written(holder) for holder in told] == [info("ann")]
    assert told[0] is not None
    assert told[0].fence in (None, lease.fence)


@check
def a_short_wait_is_not_worth_a_word(place: Place) -> None:
    """Nothing is said within the first 0.4 s."""
    told: list[LockInfo | None] = []
    with held(place.open()), pytest.raises(StateLocked), place.open().lock(info("bob"), 0.3, told.append):
        pass
    assert told == []


@check
def a_waiting_client_gets_the_lock_when_it_is_free(place: Place) -> None:
    """The holder leaves while the other waits."""
    leaving, waiting = place.open(), place.open()
    holder = leaving.lock(info("ann"), 0, silent)
    first = holder.__enter__()
    sign(leaving, first)

    def leave(_holder: LockInfo | None) -> None:
        holder.__exit__(None, None, None)

    with waiting.lock(info("bob"), 10, leave) as lease:
        assert lease.fence > first.fence
        assert waiting.write(None, first_state(), lease).fence == lease.fence


@check
def an_error_inside_the_lock_frees_it(place: Place) -> None:
    """And passes through as it was."""
    mine = StateError("mine")
    with pytest.raises(StateError) as caught, held(place.open()):
        raise mine
    assert caught.value is mine
    with held(place.open()):
        pass


@check
def a_lease_ends_with_its_lock(place: Place) -> None:
    """Afterwards it is worth nothing, even while another lock of the same client is held."""
    backend = place.open()
    with held(backend) as ended:
        backend.append(entries("a"), ended)
    _ensure_refused(backend, None, ended)
    with held(backend):
        _ensure_refused(backend, None, ended)
    assert place.open().read() is None
    assert texts(place.open().read_journal()) == "a"


@check
def a_lease_of_somebody_else_is_refused(place: Place) -> None:
    """A fence can be guessed; a lock can't."""
    one, two = place.open(), place.open()
    with held(one) as lease:
        _ensure_refused(two, None, lease)
        _ensure_refused(two, None, Lease(lease.fence))
        _ensure_refused(one, None, Lease(lease.fence + 1))
        assert one.write(None, first_state(), lease).serial == 1


@check
def a_lease_that_was_lost_is_worth_nothing(place: Place) -> None:
    """Whoever found out that it is lost: nothing more is written under it, and leaving it is no error."""
    backend = place.open()
    with held(backend) as lease:
        backend.append(entries("a"), lease)
        lease.lose("somebody else has it")
        _ensure_refused(backend, None, lease)
    assert place.open().read() is None
    assert texts(place.open().read_journal()) == "a"


@check
def any_thread_may_call(place: Place) -> None:
    """One that took no lock itself writes under that of another."""
    backend = place.open()
    results: list[object] = []

    def work(lease: Lease) -> None:
        try:
            state = backend.write(None, first_state(), lease)
            backend.append(entries("a"), lease)
            results.append((state == backend.read(), texts(backend.read_journal())))
        except BaseException as error:
            results.append(error)

    with held(backend) as lease:
        thread = threading.Thread(target=work, args=(lease,))
        thread.start()
        thread.join()
    assert results == [(True, "a")]


@check
def a_holder_is_found_without_taking_the_lock(place: Place) -> None:
    """By every client, as often as it is asked; the holder still writes afterwards."""
    one, two = place.open(), place.open()
    assert two.find_holder() is None
    with held(one) as lease:
        for client in (one, two, place.open()) if place.tells_holder else (one,):
            found = client.find_holder()
            assert as_written(found) == info()
            assert found is not None
            assert found.fence in (None, lease.fence)
            assert found.renewed_ago_s is None or found.renewed_ago_s >= 0
        assert one.write(None, first_state(), lease).serial == 1
    assert two.find_holder() is None


@check
def any_holder_can_be_named(place: Place) -> None:
    """Names come from other machines: quotes, line breaks, terminal codes, other scripts, and very long ones."""
    text = "ann'\"; drop table lease; --\\ <b>\r\n\t\x1b[31m\u202e\u0000\ufeff é 生产 🚀 {{x}} %s"
    holder = replace(info(), who=text, host=text, ci_url=None, run_id=None, operation=text * 20, pid=2**31)
    told: list[LockInfo | None] = []
    backend = place.open()
    with backend.lock(holder, 0, silent) as lease:
        sign(backend, lease)
        with pytest.raises(StateLocked), place.open().lock(info("bob"), 1, told.append):
            pass
        if place.tells_holder:
            told.append(place.open().find_holder())
    assert {as_written(one) for one in told} == {holder}
    with held(place.open(), "bob"):
        pass


@check
def there_is_nothing_to_break_where_nobody_locks(place: Place) -> None:
    """Whether or not somebody did before."""
    for _ in range(2):
        assert _break(place.open(), "lock-ann") == "not_locked"
        store(place.open(), place.open().read(), with_cart(place.open().read() or first_state(), "c9"))


@check
def another_lock_is_not_broken(place: Place) -> None:
    """Only the one that was seen. Its holder goes on."""
    backend = place.open()
    with held(backend, "ann") as lease:
        assert _break(place.open(), "lock-bob") == ("lock_moved" if place.can_force else "nothing_to_force")
        assert backend.write(None, first_state(), lease).serial == 1
        assert _is_held_by(place, "ann")


@check
def a_broken_lock_is_free_and_its_holder_refused(place: Place) -> None:
    """Whoever broke it is told whose it was. Where the lock ends with its process, it stays."""
    backend, other = place.open(), place.open()
    with held(backend, "ann") as lease:
        backend.append(entries("a"), lease)
        if not place.can_force:
            assert _break(other, "lock-ann") == "nothing_to_force"
            assert backend.write(None, first_state(), lease).serial == 1
            return
        assert as_written(other.break_lock("lock-ann", "its machine 'burnt' down 🔥\n")) == info("ann")
        assert place.open().find_holder() is None
        assert _break(other, "lock-ann") == "not_locked"
        _ensure_refused(backend, None, lease)
        with held(other, "bob") as taken:
            assert taken.fence > lease.fence
            assert other.write(None, first_state(), taken).serial == 1
    assert texts(place.open().read_journal()) == "a"


@check
def one_whose_lock_was_broken_can_not_reach_past_the_next_holder(place: Place) -> None:
    """Neither while that one works, nor afterwards; nor does it end that one's lock by leaving its own."""
    if not place.can_force:
        return
    late, other = place.open(), place.open()
    state = store(other, None, first_state())
    lock = late.lock(info("ann"), 0, silent)
    lease = lock.__enter__()
    other.break_lock("lock-ann", "it does not answer")
    with held(other, "bob") as taken:
        _ensure_refused(late, state, lease)
        other.append(entries("b"), taken)
        state = other.write(state, with_cart(state, "c2"), taken)
        _ensure_refused(late, state, lease)
        lock.__exit__(None, None, None)
        assert _is_held_by(place, "bob")
        state = other.write(state, with_cart(state, "c3"), taken)
    assert place.open().read() == state
    assert texts(place.open().read_journal()) == "b"


def _is_held_by(place: Place, name: str) -> bool:
    """Whether somebody who wants the lock is refused for that one's sake."""
    with pytest.raises(StateLocked) as caught, held(place.open(), "carl"):
        pass
    return f"lock-{name}" in caught.value.message


def _break(backend: Backend, lock_id: str) -> str:
    """The code of the error that breaking that lock is."""
    with pytest.raises(StateError) as caught:
        backend.break_lock(lock_id, "tried")
    assert caught.value.hint or caught.value.code == "not_locked"
    return caught.value.code


def _ensure_refused(backend: Backend, before: StateFile | None, lease: Lease) -> None:
    """Nothing can be written under this lease."""
    after = with_cart(before, "refused") if before else first_state()
    with pytest.raises(LeaseLost):
        backend.write(before, after, lease)
    with pytest.raises(LeaseLost):
        backend.append(entries("refused"), lease)
    with pytest.raises(LeaseLost):
        backend.replace_journal(entries("refused"), lease)
