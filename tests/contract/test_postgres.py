"""What is particular to state in PostgreSQL, on a real server. What every backend promises is not repeated here."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from losing_proxy import COMMIT, LosingProxy, Moment
from postgres_server import PostgresServer, shared_postgres
from psycopg.sql import SQL

from statetool.backends import Backend, LockInfo
from statetool.backends.places import PostgresPlace
from statetool.backends.postgres import PostgresBackend
from statetool.backends.postgres_session import Session
from statetool.core.model import Secret
from statetool.core.state import StateFile, new_state
from statetool.errors import (
    LeaseLost,
    StateConflict,
    StateError,
    StateLocked,
    StateUnreachable,
    StateUnreadable,
    UsageError,
)

pytestmark = pytest.mark.xdist_group("postgres")  # one process starts the server

PASSWORD = "correct-horse"


@pytest.fixture(scope="session")
def server() -> PostgresServer:
    """One server for all tests of this process."""
    return shared_postgres()


@pytest.fixture
def place(server: PostgresServer) -> PostgresPlace:
    """Where nothing was stored yet."""
    return server.new_place()


def at_once(_seconds: float) -> None:
    """A wait that takes no time."""


def opened(place: PostgresPlace, **options: float | Callable[[], float]) -> PostgresBackend:
    """A client of its own."""
    return PostgresBackend(place, sleep=at_once, **options)  # type: ignore[arg-type]


def info(name: str = "ann") -> LockInfo:
    """Somebody who locks."""
    return LockInfo(f"lock-{name}", "apply", f"{name}@builder", "builder", 4711, "0.1.0", "2026-11-23T08:00:00Z")


def silent(_holder: LockInfo | None) -> None:
    """Nobody has to be told."""


STATE = new_state("lineage", "0.1.0")


def moved(state: StateFile, to: str) -> StateFile:
    """The state with another content."""
    return replace(state, moved_to=to)


def expire(server: PostgresServer, place: PostgresPlace) -> None:
    """Let the server's clock pass the end of the lock."""
    server.run(f"UPDATE {place.schema}.lease SET expires = clock_timestamp() - interval '1 ms'")


def ask_until(happened: Callable[[], bool]) -> None:
    """Ask the server again and again, for it is another thread that acts."""
    assert any(happened() for _ in range(3000))


def texts(backend: Backend) -> list[object]:
    """The journal."""
    return [entry["text"] for entry in backend.read_journal()]


def test_many_first_comers_make_the_tables_once(place: PostgresPlace) -> None:
    """Sixteen at the same moment: one has the lock, the others are refused by its name, nobody meets an error."""
    start, end = threading.Barrier(16), threading.Barrier(16)
    outcomes: list[str] = []

    def come(name: str) -> None:
        backend = opened(place)
        start.wait()
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(backend.lock(info(name), 0, silent))
                outcomes.append("held")
            except StateError as error:
                outcomes.append(error.code)
            end.wait()

    threads = [threading.Thread(target=come, args=(str(number),)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", *["state_locked"] * 15]


def test_a_holder_that_outstayed_its_time_is_refused_everywhere(server: PostgresServer, place: PostgresPlace) -> None:
    """The server's clock decides; the next holder has a higher fence, and the old one learns who that is."""
    old, new = opened(place), opened(place)
    with old.lock(info("ann"), 0, silent) as stale:
        stored = old.write(None, STATE, stale)
        old.append([{"text": "first"}], stale)
        expire(server, place)
        assert new.find_holder() is None
        with new.lock(info("bob"), 0, silent) as lease:
            assert lease.fence > stale.fence
            with pytest.raises(LeaseLost, match="taken over under fence 2 by bob@builder"):
                old.append([{"text": "late"}], stale)
            assert stale.loss is not None
            assert stale.remaining_s == 0
            for late in (
                lambda: old.write(stored, moved(stored, "elsewhere"), stale),
                lambda: old.replace_journal([], stale),
            ):
                with pytest.raises(LeaseLost):
                    late()
            assert new.find_holder() is not None
    assert new.read() == stored
    assert texts(new) == ["first"]


@pytest.mark.parametrize("change", ["write", "append", "replace_journal"])
def test_every_change_asks_the_server_for_the_lock(server: PostgresServer, place: PostgresPlace, change: str) -> None:
    """Also where this machine's clock says that there is time left, and nobody else has it yet."""
    backend = opened(place)
    with backend.lock(info(), 0, silent) as lease:
        expire(server, place)
        with pytest.raises(LeaseLost, match="ran out by the database's clock"):
            if change == "write":
                backend.write(None, STATE, lease)
            else:
                getattr(backend, change)([{"text": "late"}], lease)
    assert opened(place).read() is None
    assert texts(opened(place)) == []


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("fence = fence + 1, holder = gen_random_uuid()", "taken over under fence 2"),
        ("expires = clock_timestamp()", "ran out by the database's clock"),
    ],
)
def test_a_lock_is_renewed_and_its_loss_noticed_by_itself(
    server: PostgresServer, place: PostgresPlace, loss: str, said: str
) -> None:
    """From a connection of its own, while the holder does something else."""
    holder = opened(place, ttl_s=0.3, clock=lambda: 0.0)
    with holder.lock(info("ann"), 0, silent) as lease:
        signs = f"SELECT renewed_at FROM {place.schema}.lease"
        first = server.run(signs)
        ask_until(lambda: server.run(signs) != first)
        assert lease.loss is None
        server.run(f"UPDATE {place.schema}.lease SET {loss}")
        ask_until(lambda: bool(server.run("SELECT 1") and lease.loss))
        assert said in (lease.loss or "")


def test_a_lock_that_was_broken_says_by_whom_and_why(server: PostgresServer, place: PostgresPlace) -> None:
    """To its holder, and in the row for whoever asks later."""
    holder, other = opened(place), opened(place)
    with holder.lock(info("ann"), 0, silent) as lease:
        with (
            pytest.raises(StateLocked, match=r"fence 1, last sign of life \d+ s ago") as refused,
            other.lock(info("bob"), 0, silent),
        ):
            pass
        assert "statetool force-unlock lock-ann" in (refused.value.hint or "")
        assert other.break_lock("lock-ann", "runner 7's disk died").who == "ann@builder"
        with pytest.raises(LeaseLost, match="postgres broke it: runner 7's disk died"):
            holder.append([{"text": "late"}], lease)
    ((broken,),) = server.run(f"SELECT broken FROM {place.schema}.lease")
    assert (broken["by"], broken["reason"], broken["holder"]["id"]) == ("postgres", "runner 7's disk died", "lock-ann")
    with opened(place).lock(info("cem"), 0, silent) as next_lease:
        assert next_lease.fence == 2


@pytest.mark.parametrize("accident", ["DELETE FROM {}.lease", "UPDATE {}.lease SET fence = 0"])
def test_a_fence_is_above_the_stored_one(server: PostgresServer, place: PostgresPlace, accident: str) -> None:
    """A lease table that was lost or restored does not hand out a fence again."""
    backend = opened(place)
    for text in ("a", "b"):
        with backend.lock(info(), 0, silent) as lease:
            backend.write(backend.read(), moved(STATE, text), lease)
    server.run(accident.format(place.schema))
    with backend.lock(info(), 0, silent) as lease:
        assert lease.fence == 3


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_answer_is_looked_for(server: PostgresServer, place: PostgresPlace, moment: Moment) -> None:
    """Whether the commit arrived or not, every change is there once and was reported as done."""
    with LosingProxy(server.socket_path) as proxy:
        backend = opened(replace(place, url=proxy.url()))
        with backend.lock(info("zoe"), 0, silent):
            pass  # the tables
        proxy.lose(moment)
        with backend.lock(info("ann"), 0, silent) as lease:
            proxy.lose(moment)
            stored = backend.write(None, STATE, lease)
            proxy.lose(moment)
            stored = backend.write(stored, moved(stored, "there"), lease)
            assert stored.serial == 2
            proxy.lose(moment)
            backend.replace_journal([{"text": "a"}], lease)
            proxy.lose(moment)
            backend.append([{"text": "b"}, {"text": "c"}], lease)
            proxy.lose(moment)
            opened(replace(place, url=proxy.url())).break_lock("lock-ann", "for the test")
            proxy.lose(moment)
        with opened(place).lock(info("bob"), 0, silent):
            pass
        assert proxy.lost == 7
    assert opened(place).read() == stored
    assert texts(opened(place)) == ["a", "b", "c"]
    assert [kept.serial for kept in opened(place).read_history()] == [2, 1]


def test_nobody_takes_the_lock_while_something_is_written(server: PostgresServer, place: PostgresPlace) -> None:
    """Whoever wants it waits until the write is committed: the row of the lock is held up to the commit."""
    free: list[object] = []
    look = f"SELECT fence FROM {place.schema}.lease FOR UPDATE SKIP LOCKED"
    with LosingProxy(server.socket_path) as proxy:
        backend = opened(replace(place, url=proxy.url()))
        with backend.lock(info(), 0, silent) as lease:
            free += server.run(look)
            for write in (
                lambda: backend.write(None, STATE, lease),
                lambda: backend.append([{"text": "a"}], lease),
                lambda: backend.replace_journal([], lease),
            ):
                proxy.when(COMMIT, lambda: free.append(server.run(look)))
                write()
    assert free == [(1,), [], [], []]


def test_a_lock_that_vanishes_between_refusal_and_look_is_taken(server: PostgresServer, place: PostgresPlace) -> None:
    """By one that does not wait, too: nobody has it."""
    with LosingProxy(server.socket_path) as proxy, contextlib.ExitStack() as held:
        held.enter_context(opened(place).lock(info("ann"), 0, silent))
        proxy.when(b"renewed_at)::float8", held.close)
        with opened(replace(place, url=proxy.url())).lock(info("bob"), 0, silent) as lease:
            assert lease.fence == 2


def test_a_database_that_is_gone_is_said_so(server: PostgresServer, place: PostgresPlace) -> None:
    """What is lost on the way is not called failed; leaving the lock does not fail, for it ends by itself."""
    with LosingProxy(server.socket_path) as proxy:
        backend = opened(replace(place, url=proxy.url()))
        with backend.lock(info(), 0, silent) as lease:
            # Connections that the server ends are opened again.
            server.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'statetool' AND state = 'idle'"
            )
            backend.append([{"text": "a"}], lease)
            proxy.close()
            with pytest.raises(StateUnreachable, match="can't be told") as caught:
                backend.append([{"text": "b"}], lease)
            assert "run the command again" in (caught.value.hint or "")
            assert lease.loss is None
    assert opened(place).find_holder() is not None
    assert texts(opened(place)) == ["a"]


def test_who_may_only_read_can_plan(server: PostgresServer, place: PostgresPlace) -> None:
    """Before there is anything and afterwards; nothing is made, and what is missing for a save is named."""
    server.run(f"CREATE ROLE {place.schema} LOGIN")
    reader = opened(replace(place, url=server.url(place.schema)))
    assert (reader.read(), reader.read_journal(), reader.find_holder(), reader.read_history()) == (None, (), None, ())
    assert [found.code for found in reader.check_place()] == ["state_forbidden"]
    assert server.run(f"SELECT 1 FROM pg_namespace WHERE nspname = '{place.schema}'") == []
    with pytest.raises(StateError) as caught, reader.lock(info(), 0, silent):
        pass
    assert caught.value.code == "state_forbidden"

    backend = opened(place)
    with backend.lock(info(), 0, silent) as lease:
        stored = backend.write(None, STATE, lease)
        backend.append([{"text": "a"}], lease)
        with pytest.raises(StateError) as caught:
            reader.read()
        assert caught.value.code == "state_forbidden"
        server.run(f"GRANT USAGE ON SCHEMA {place.schema} TO {place.schema}")
        server.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA {place.schema} TO {place.schema}")
        assert reader.read() == stored
        assert texts(reader) == ["a"]
        assert reader.find_holder() is not None
        assert reader.read_serial(1) == stored
    (found,) = reader.check_place()
    assert "lease (INSERT)" in found.message
    assert "GRANT" in (found.hint or "")
    with pytest.raises(StateError, match="refused it") as caught, reader.lock(info(), 0, silent):
        pass
    assert caught.value.code == "state_forbidden"


def test_a_schema_made_by_somebody_else_will_do(server: PostgresServer, place: PostgresPlace) -> None:
    """For a role that may make tables there, but no schemas."""
    role = f"{place.schema}_writer"
    server.run(f"CREATE ROLE {role} LOGIN")
    server.run(f"CREATE SCHEMA {place.schema}")
    writer = opened(replace(place, url=server.url(role)))
    assert [found.code for found in writer.check_place()] == ["state_forbidden"]
    server.run(f"GRANT ALL ON SCHEMA {place.schema} TO {role}")
    assert writer.check_place() == ()
    with writer.lock(info(), 0, silent) as lease:
        writer.write(None, STATE, lease)
    assert writer.check_place() == ()


def test_a_server_that_stands_still_is_left(place: PostgresPlace) -> None:
    """It is asked twice; its own promises to end in time are not relied on."""
    session = Session(place, at_once, answer_s=0.05)
    with pytest.raises(StateUnreachable, match="broke"):
        session.look(lambda transaction: transaction.run(SQL("SELECT pg_sleep(20)")))


def test_a_read_only_server_can_be_read_but_not_locked(server: PostgresServer, place: PostgresPlace) -> None:
    """As a standby can."""
    standby = opened(replace(place, url=server.url() + "&options=-c%20default_transaction_read_only%3Don"))
    assert standby.read() is None
    assert [found.code for found in standby.check_place()] == ["state_read_only"]
    with pytest.raises(StateUnreachable, match="read-only"), standby.lock(info(), 0, silent):
        pass


def test_commits_wait_for_the_disk(server: PostgresServer, place: PostgresPlace) -> None:
    """Also for a role or a url whose commits would not."""
    backend = opened(replace(place, url=server.url() + "&options=-c%20synchronous_commit%3Doff"))
    with backend.lock(info(), 0, silent) as lease:
        server.run(
            f"ALTER TABLE {place.schema}.journal ADD COLUMN waits text DEFAULT current_setting('synchronous_commit')"
        )
        backend.append([{"text": "a"}], lease)
    assert server.run(f"SELECT waits FROM {place.schema}.journal") == [("on",)]


def test_who_writes_without_the_lock_is_noticed(server: PostgresServer, place: PostgresPlace) -> None:
    """By the statement that stores, whatever was compared before it."""
    backend = opened(place)
    with backend.lock(info(), 0, silent) as lease:
        stored = backend.write(None, STATE, lease)
        server.run(f"UPDATE {place.schema}.state SET serial = 7")
        with pytest.raises(StateConflict, match="without the lock"):
            backend.write(stored, moved(stored, "there"), lease)
    assert server.run(f"SELECT serial FROM {place.schema}.state") == [(7,)]


def test_the_newest_hundred_serials_are_kept(server: PostgresServer, place: PostgresPlace) -> None:
    """Also across a gap of serials. Others of the same schema keep theirs."""
    backend = opened(place)
    with backend.lock(info(), 0, silent) as lease:
        stored = backend.write(None, STATE, lease)
        for name in ("shop", "other"):
            server.run(
                f"INSERT INTO {place.schema}.state_version SELECT '{name}', serial + n, lineage, fence, sha256, body, "
                f"stored_at FROM {place.schema}.state_version, generate_series(1, 120) AS n WHERE name = 'shop' "
                "AND serial = 1"
            )
        newest = backend.write(stored, moved(stored, "there"), lease, floor=200)
    history = backend.read_history()
    assert [kept.serial for kept in history] == [200, *range(121, 22, -1)]
    assert history[0].at is not None
    assert history[0].at.endswith("Z")
    assert backend.read_serial(200) == newest
    with pytest.raises(StateError) as caught:
        backend.read_serial(1)
    assert caught.value.code == "no_such_serial"
    assert len(opened(replace(place, name="other")).read_history()) == 120


def test_damage_is_found(server: PostgresServer, place: PostgresPlace) -> None:
    """Bytes of a state that are not those stored, an entry that is gone from within the journal, a lock of nobody."""
    backend = opened(place)
    with backend.lock(info(), 0, silent) as lease:
        backend.write(None, STATE, lease)
        backend.append([{"text": "a"}, {"text": "b"}, {"text": "c"}], lease)
    server.run(f"UPDATE {place.schema}.state SET body = body || ' ', sha256 = sha256")
    server.run(f"DELETE FROM {place.schema}.journal WHERE seq = 2")
    with pytest.raises(StateUnreadable, match="not those that were stored"):
        opened(place).read()
    with pytest.raises(StateUnreadable, match="entry 2 of the journal"):
        opened(place).read_journal()
    server.run(f"UPDATE {place.schema}.lease SET info = NULL")
    with pytest.raises(StateUnreadable, match="the lock of the state"):
        opened(place).find_holder()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (f"postgresql://ann:{PASSWORD}@db.example/ops", "password_in_url"),
        (f"postgresql://ann@db.example/ops?password={PASSWORD}", "password_in_url"),
        (f"host=db.example password={PASSWORD}", "password_in_url"),
        (f"postgresql://ann:{PASSWORD}%zz@db.example/ops", "state_url"),
        (f"host=db.example passwort={PASSWORD}", "state_url"),
        (f"postgresql://ann@db.example/{PASSWORD}%ff", "state_url"),
    ],
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str, code: str) -> None:
    """Before anything is opened."""
    with pytest.raises(StateError) as caught:
        PostgresBackend(PostgresPlace(url, "shop"))
    assert caught.value.code == code
    assert PASSWORD not in f"{caught.value.message} {caught.value.hint}"


def test_a_password_is_used_and_never_shown(server: PostgresServer, place: PostgresPlace) -> None:
    """The right one opens, a wrong one is refused without a word of it."""
    server.run("DROP ROLE IF EXISTS careful")
    server.run(f"CREATE ROLE careful LOGIN PASSWORD '{PASSWORD}'")
    careful = replace(place, url=server.url("careful"), password=Secret(PASSWORD))
    assert opened(careful).read() is None
    with pytest.raises(StateUnreachable, match="can't be used") as caught:
        opened(replace(careful, password=Secret("careful"))).read()
    assert "PGPASSWORD" in (caught.value.hint or "")
    shown = f"{caught.value.message} {caught.value.hint} {opened(careful).location} {careful}"
    assert PASSWORD not in shown
    assert caught.value.__cause__ is None


def test_a_server_elsewhere_has_to_prove_who_it_is(server: PostgresServer, place: PostgresPlace) -> None:
    """Unless the url says how far it is trusted. 0.0.0.0 is this machine, but no address of its loopback."""
    with LosingProxy(server.socket_path) as proxy:
        with pytest.raises(StateUnreachable) as caught:
            opened(replace(place, url=proxy.url("0.0.0.0"))).read()
        assert "sslrootcert" in (caught.value.hint or "")
        assert opened(replace(place, url=proxy.url("0.0.0.0", "sslmode=disable"))).read() is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann@db.example:6432/ops", "postgres://db.example:6432/ops?schema=statetool&name=shop"),
        ("host=/run/pg dbname=ops", "postgres:///ops?host=/run/pg&schema=statetool&name=shop"),
        ("postgresql://a:1,b:2/ops", "postgres://a,b/ops?schema=statetool&name=shop"),
    ],
)
def test_the_location_names_server_database_and_state(url: str, shown: str) -> None:
    """For messages; who connects is not part of it."""
    assert PostgresBackend(PostgresPlace(url, "shop")).location == shown


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    for module in [name for name in sys.modules if name.startswith("statetool.backends.postgres")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError) as caught:
        importlib.import_module("statetool.backends.postgres")
    assert caught.value.code == "not_installed"
    assert "statetool[postgres]" in (caught.value.hint or "")
