"""What is particular to the http backend: requests, lost answers, broken locks, other people's states."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for http_state_server

from http_state_server import USER, StateServer, Stored, serving

from statetool.backends import Backend, JournalEntry, LockInfo
from statetool.backends.http import HttpBackend
from statetool.backends.http_body import ENCODE_ABOVE, parse_envelope
from statetool.backends.places import HttpPlace
from statetool.core.model import Secret
from statetool.core.state import new_state
from statetool.errors import (
    LeaseLost,
    StateError,
    StateLocked,
    StateUnreachable,
    StateUnreadable,
    StateUnsafe,
)

PASSWORD = "correct-horse"
ENTRY: JournalEntry = {"type": "run", "at": "2026-11-23T08:00:00Z"}
STATE = new_state("lineage", "0.1.0")
names = (f"state-{n}" for n in itertools.count())


class Time:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, StateServer]]:
    """One server of each flavour for all tests; each test has a state of its own."""
    with serving("terraform", PASSWORD) as terraform, serving("gitlab", PASSWORD) as gitlab:
        yield {"terraform": terraform, "gitlab": gitlab}


@pytest.fixture(params=["terraform", "gitlab"])
def server(servers: dict[str, StateServer], request: pytest.FixtureRequest) -> StateServer:
    """Each flavour in turn."""
    return servers[request.param]


class Place:
    """One state of a server, and clients of it."""

    def __init__(self, server: StateServer) -> None:
        self.name = next(names)
        self.server = server
        self.stored: Stored = server.state(self.name)

    def client(self, *, unsafe: bool = False, **changes: Any) -> HttpBackend:
        address = f"{self.server.address}/{self.name}"
        place = HttpPlace(address, username=USER, password=Secret(PASSWORD))
        if self.server.flavour == "gitlab":
            lock = f"{address}/lock"
            place = replace(place, lock_address=lock, unlock_address=lock, lock_method="POST", unlock_method="DELETE")
        time = Time()
        return HttpBackend(replace(place, **changes), clock=time.clock, sleep=time.sleep, unsafe=unsafe)


@pytest.fixture
def place(server: StateServer) -> Place:
    """A place where nothing is stored."""
    return Place(server)


def info(name: str = "ann") -> LockInfo:
    """Somebody who locks."""
    return LockInfo(f"lock-{name}", "apply", f"{name}@builder", "builder", 4711, "0.1.0", "2026-11-23T08:00:00Z", name)


def silent(_holder: LockInfo | None) -> None:
    """For locks that nobody has to wait for."""


def store(backend: HttpBackend) -> None:
    """What a short run does: a lock, an entry, a state, the end."""
    with backend.lock(info(), 0, silent) as lease:
        backend.append([ENTRY], lease)
        backend.write(None, STATE, lease)


def test_what_was_taken_away_ends_the_lease(place: Place) -> None:
    """Somebody deleted the state at the server: it is not made up again from what this run remembers."""
    backend: Backend = place.client()
    with backend.lock(info(), 0, silent) as lease:
        backend.append([ENTRY], lease)
        place.stored.body = b""
        with pytest.raises(LeaseLost, match="gone"):
            backend.append([ENTRY], lease)
    assert not place.stored.body


def test_what_is_stored_is_a_terraform_state_to_the_server(place: Place) -> None:
    """Version 4, a serial that counts what was stored, the keys Gitea asks for; sent as the protocol says."""
    store(place.client())
    with place.client().lock(info("bob"), 0, silent) as lease:
        assert lease.fence == 2
    assert sorted(place.stored.versions) == [1, 2, 3], "state, journal, and that bob has the lock"
    body = json.loads(place.stored.body)
    assert body["version"] == 4
    assert (body["serial"], body["lineage"], body["outputs"], body["resources"]) == (3, "lineage", {}, [])
    assert (body["statetool"]["serial"], body["statetool"]["fence"], body["journal"]) == (1, 1, [ENTRY])
    assert not {"id", "ID", "name"} & body.keys()
    (first, second, third) = [one for one in place.stored.log if one.query]
    assert first.query == second.query == "ID=lock-ann"
    assert third.query == "ID=lock-bob"
    assert second.headers["content-type"] == "application/json"
    assert second.headers["content-md5"] == base64.b64encode(hashlib.md5(second.body).digest()).decode()
    assert place.stored.lock is None


def test_a_query_in_the_address_stays_as_it_is(place: Place) -> None:
    """The lock's id comes behind it; no message shows it."""
    address = f"{place.server.address}/{place.name}?job=a%2Fb&token=tell-nobody"
    backend = place.client(address=address)
    store(backend)
    assert [one.query for one in place.stored.log if "ID" in one.query] == [
        "job=a%2Fb&token=tell-nobody&ID=lock-ann"
    ] * 2
    place.stored.reset()
    place.stored.switches.refuse = dict.fromkeys(range(1, 9), 403)
    with pytest.raises(StateUnreachable) as caught:
        backend.read()
    assert "tell-nobody" not in caught.value.message + backend.location


def test_each_answer_may_be_lost_once(server: StateServer) -> None:
    """Whichever request it is, carried out or not: all is stored and free, or it is said that it was not."""
    clean = Place(server)
    store(clean.client())
    requests = len(clean.stored.log)
    for number in range(1, requests + 1):
        lost = Place(server)
        lost.stored.switches.lose = {number}
        store(lost.client())
        dropped = Place(server)
        dropped.stored.switches.drop = {number}
        # What changes the state is not sent again; everything else is.
        if clean.stored.log[number - 1].query:
            with pytest.raises(StateUnreachable):
                store(dropped.client())
            entries = len(clean.stored.versions) - len(dropped.stored.versions)
            assert entries > 0
            dropped.stored.reset()
            assert dropped.client().read() is None
        else:
            store(dropped.client())
            assert dropped.client().read() == clean.client().read()
        assert lost.client().read() == clean.client().read()
        assert lost.client().read_journal() == (ENTRY,)
        assert sorted(lost.stored.versions) == [1, 2]
        assert lost.stored.lock is None
        assert dropped.stored.lock is None


def test_a_lost_write_that_arrives_late_is_our_own(place: Place) -> None:
    """The run was told that its entry could not be kept; that it is there after all does not end its lock."""
    backend = place.client()
    with backend.lock(info(), 0, silent) as lease:
        backend.append([ENTRY], lease)
        place.stored.reset()
        place.stored.switches.drop = {2}
        with pytest.raises(StateUnreachable):
            backend.append([ENTRY], lease)
        late = next(one for one in place.stored.log if one.query).body
        place.stored.body = place.stored.versions[2] = late
        backend.append([ENTRY], lease)
    assert place.client().read_journal() == (ENTRY, ENTRY, ENTRY)


def test_a_server_that_answers_nothing_more_leaves_a_lock_behind(place: Place) -> None:
    """What was saved is saved; the message names the lock and how it ends."""
    backend = place.client()
    with pytest.raises(StateUnreachable) as caught, backend.lock(info(), 0, silent) as lease:
        backend.write(None, STATE, lease)
        place.stored.reset()
        place.stored.switches.drop = set(range(1, 9))
    assert caught.value.code == "lock_left"
    assert "force-unlock lock-ann" in (caught.value.hint or "")
    place.stored.reset()
    assert place.client().break_lock("lock-ann", "the server was away").id == "lock-ann"
    assert place.client().read() == replace(STATE, serial=1, fence=1)


def test_a_lock_whose_answers_are_all_lost_is_named(place: Place) -> None:
    """For it may stand there now."""
    place.stored.switches.lose = {1, 2, 3}
    with pytest.raises(StateUnreachable, match="may be locked as lock-ann"), place.client().lock(info(), 0, silent):
        pass


@pytest.mark.parametrize("hides", [False, True])
@pytest.mark.parametrize("is_taken", [False, True])
def test_a_broken_lock_ends_its_lease_at_the_next_write(place: Place, hides: bool, is_taken: bool) -> None:
    """Whatever the server answers to a wrong id, and whether or not somebody has the lock by now."""
    ann, bob = place.client(), place.client()
    holder = ann.lock(info(), 0, silent)
    lease = holder.__enter__()
    stored = ann.write(None, STATE, lease)
    # As somebody at the server ends it, where no fence and no note tells.
    place.stored.lock = None
    taker = bob.lock(info("bob"), 0, silent)
    if is_taken:
        taker.__enter__()
    place.stored.switches.hides_loss = hides
    with pytest.raises(LeaseLost):
        ann.append([ENTRY], lease)
    assert lease.loss is not None
    with pytest.raises(LeaseLost):
        ann.write(stored, replace(stored, moved_to="elsewhere"), lease)
    holder.__exit__(None, None, None)
    assert (place.stored.lock["ID"] if place.stored.lock else None) == ("lock-bob" if is_taken else None)
    assert place.client().read() == stored
    if is_taken:
        taker.__exit__(None, None, None)


def test_what_others_stored_is_seen_where_the_server_does_not_look_at_ids(place: Place) -> None:
    """The nonce of what this lock found or stored last is the only thing it replaces."""
    ann, bob = place.client(), place.client()
    with ann.lock(info(), 0, silent) as lease:
        ann.append([ENTRY], lease)
        place.stored.lock, mine = None, place.stored.lock
        with bob.lock(info("bob"), 0, silent) as other:
            bob.append([ENTRY], other)
        place.stored.lock = mine
        with pytest.raises(LeaseLost, match="stored meanwhile by bob@builder"):
            ann.replace_journal([], lease)
    assert place.client().read_journal() == (ENTRY, ENTRY)


def test_breaking_a_lock_keeps_the_reason_and_moves_the_fence(place: Place) -> None:
    """The id must be the one that is held; trying leaves nothing behind."""
    ann, bob = place.client(), place.client()
    with pytest.raises(StateError) as caught:
        bob.break_lock("lock-ann", "gone")
    assert caught.value.code == "not_locked"
    holder = ann.lock(info(), 0, silent)
    lease = holder.__enter__()
    ann.append([ENTRY], lease)
    with pytest.raises(StateError, match="ann@builder") as caught:
        bob.break_lock("lock-eve", "gone")
    assert caught.value.code == "lock_moved"
    assert bob.break_lock("lock-ann", "its runner is gone") == info()
    with pytest.raises(LeaseLost):
        ann.append([ENTRY], lease)
    holder.__exit__(None, None, None)
    assert place.stored.lock is None
    (note,) = parse_envelope(place.stored.body).broken
    lock = note["lock"]
    assert isinstance(lock, dict)
    assert (note["reason"], lock["id"]) == ("its runner is gone", "lock-ann")
    with place.client().lock(info("bob"), 0, silent) as later:
        assert later.fence > lease.fence + 1


def test_whoever_waits_is_told_who_holds_the_lock(place: Place) -> None:
    """Once, in full: where the server forgets the better part, by what the holder stored."""
    told: list[LockInfo | None] = []
    ann = place.client()
    with ann.lock(info(), 0, silent) as lease:
        ann.append([ENTRY], lease)
        with pytest.raises(StateLocked) as caught, place.client().lock(info("bob"), 30, told.append):
            pass
    assert told == [info()]
    for word in ("ann@builder", "host builder", "pid 4711", "apply", "run ann", "lock-ann"):
        assert word in caught.value.message
    assert "force-unlock lock-ann" in (caught.value.hint or "")


def test_gitlab_does_not_lend_us_the_asker_s_words(servers: dict[str, StateServer]) -> None:
    """Its refusal holds operation and info of whoever asks; of a holder that stored nothing only three things count."""
    place = Place(servers["gitlab"])
    with (
        place.client().lock(replace(info(), operation="state rm"), 0, silent),
        pytest.raises(StateLocked) as caught,
        place.client().lock(info("bob"), 0, silent),
    ):
        pass
    assert f"locked by {USER}: since 2026-11-23T08:00:00Z, lock lock-ann" in caught.value.message


def test_a_lock_of_terraform_is_shown_as_it_says(place: Place) -> None:
    """Another tool at the same address; its lock is a lock."""
    terraform = {"ID": "4-2", "Operation": "OperationTypePlan", "Info": "by hand", "Who": "eve@pc", "Created": "today"}
    place.stored.lock = {**terraform, "Version": "1.9.0", "Path": ""}
    with pytest.raises(StateLocked, match="4-2") as caught, place.client().lock(info(), 0, silent):
        pass
    assert ("OperationTypePlan by hand since today" in caught.value.message) is (place.server.flavour == "terraform")
    assert place.client().break_lock("4-2", "a test").id == "4-2"


def test_a_refusal_without_a_word_is_a_lock_of_somebody(place: Place) -> None:
    """It can be waited for; it can't be broken, for nobody knows which one it is."""
    place.stored.switches.is_mute = True
    place.stored.lock = {"ID": "unknown"}
    with pytest.raises(StateLocked, match="whom the server does not name"), place.client().lock(info(), 3, silent):
        pass
    with pytest.raises(StateError) as caught:
        place.client().break_lock("lock-ann", "gone")
    assert caught.value.code == "lock_unnamed"


@pytest.mark.parametrize("body", [b'{"version": 4, "terraform_version": "1.9.0", "serial": 3, "lineage": "x"}', b"[1"])
def test_what_is_not_ours_is_never_overwritten(place: Place, body: bytes) -> None:
    """Reading says what it is; a lock is given back at once."""
    place.stored.body = body
    for attempt in (place.client().read, place.client().read_journal, lambda: store(place.client())):
        with pytest.raises(StateUnreadable) as caught:
            attempt()
        assert place.name in caught.value.message
        assert ("Terraform" in caught.value.message) is (caught.value.code == "foreign_state") is (b"version" in body)
    assert (place.stored.body, place.stored.lock) == (body, None)


def test_a_serial_that_gitlab_has_is_not_stored_again(servers: dict[str, StateServer]) -> None:
    """As a late arrival of an older client would leave it: refused, and nothing changes."""
    place = Place(servers["gitlab"])
    backend = place.client()
    with backend.lock(info(), 0, silent) as lease:
        backend.append([ENTRY], lease)
        place.stored.versions[2] = b"{}"
        with pytest.raises(StateError, match="answers 422"):
            backend.append([ENTRY], lease)
        assert lease.loss is None
    assert place.client().read_journal() == (ENTRY,)
    assert place.stored.lock is None


@pytest.mark.parametrize(("status", "code"), [(302, "redirected"), (401, "state_login"), (403, "state_login")])
def test_an_answer_that_turns_us_away_is_a_sentence(place: Place, status: int, code: str) -> None:
    """Of every request; a redirect is not followed. Nothing of the login is told."""
    store(place.client())
    calls: list[Callable[[HttpBackend], object]] = [
        lambda one: one.read(),
        lambda one: one.lock(info(), 0, silent).__enter__(),
        lambda one: one.break_lock("lock-ann", "gone"),
    ]
    for call in calls:
        place.stored.reset()
        place.stored.switches.refuse = dict.fromkeys(range(1, 99), status)
        with pytest.raises(StateUnreachable) as caught:
            call(place.client())
        assert caught.value.code == code
        assert f"answers {status}" in caught.value.message
        assert PASSWORD not in f"{caught.value.message} {caught.value.hint}"
        assert "/elsewhere" not in [one.path for one in place.stored.log]
    backend = place.client()
    place.stored.reset()
    with backend.lock(info(), 0, silent) as lease:
        place.stored.reset()
        place.stored.switches.refuse = {2: status}
        with pytest.raises(StateUnreachable) as caught:
            backend.append([ENTRY], lease)
        assert caught.value.code == code
        backend.append([ENTRY], lease)


def test_a_wrong_password_is_turned_away_and_told_nowhere(place: Place) -> None:
    """Neither the wrong nor the right one is in what was stored, or in what is said."""
    store(place.client())
    assert PASSWORD.encode() not in place.stored.body + b"".join(one.body for one in place.stored.log)
    with pytest.raises(StateUnreachable) as caught:
        place.client(password=Secret("wrong-horse")).read()
    assert caught.value.code == "state_login"
    assert "wrong-horse" not in f"{caught.value.message} {caught.value.hint} {place.client().location}"


def test_a_server_that_is_shortly_away_is_asked_again(place: Place) -> None:
    """What changes nothing, and locks."""
    store(place.client())
    place.stored.reset()
    place.stored.switches.refuse = {1: 503, 2: 502}
    assert place.client().read() is not None
    place.stored.reset()
    place.stored.switches.refuse = {1: 504}
    with place.client().lock(info(), 0, silent):
        pass


def test_a_server_without_locks_is_refused_unless_somebody_insists(place: Place) -> None:
    """Then nothing is locked, and no id sent."""
    place.stored.switches.has_no_locks = True
    with pytest.raises(StateUnsafe, match="can't be locked"):
        store(place.client())
    assert not place.stored.body
    store(place.client(unsafe=True))
    assert place.client().read() == replace(STATE, serial=1, fence=1)


def test_a_server_that_grants_every_lock_is_refused_too(place: Place) -> None:
    """It keeps nobody apart; tried out with the first lock of a client."""
    place.stored.switches.grants_all = True
    with pytest.raises(StateUnsafe, match="two locks at once"):
        store(place.client())
    store(place.client(unsafe=True))
    assert place.stored.lock is None


def test_a_large_body_is_packed(place: Place) -> None:
    """Above 1 MB; what comes back is the same, and equal contents make no new version."""
    entry: JournalEntry = {**ENTRY, "data": {"text": "x" * ENCODE_ABOVE}}
    backend = place.client()
    with backend.lock(info(), 0, silent) as lease:
        saved = backend.write(None, STATE, lease)
        backend.append([entry], lease)
        backend.replace_journal([entry], lease)
        backend.append([], lease)
    assert len(place.stored.body) < ENCODE_ABOVE / 10
    assert json.loads(place.stored.body).keys() & {"statetool", "journal"} == set()
    assert (place.client().read(), place.client().read_journal()) == (saved, (entry,))
    assert len(place.stored.versions) == 2
    broken = json.loads(place.stored.body)
    for encoded in (broken["encoded"][:400], "?", base64.b64encode(b"plain").decode()):
        place.stored.body = json.dumps({**broken, "encoded": encoded}).encode()
        with pytest.raises(StateUnreadable, match="encoded"):
            place.client().read()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("https://ann:tell-nobody@host/state", "password_in_url"),
        ("https://tell-nobody@host/state", "password_in_url"),
        ("http://host/state?token=tell-nobody", "plain_http"),
        ("https://host/state#tell-nobody", "bad_address"),
        ("ftp://host/tell-nobody", "bad_address"),
        ("https:///tell-nobody", "bad_address"),
        ("https://[tell-nobody", "bad_address"),
        ("https://host:port/tell-nobody", "bad_address"),
        ("https://host:99999/tell-nobody", "bad_address"),
        ("https://host\\tell-nobody", "bad_address"),
    ],
)
def test_an_address_that_can_t_be_used_is_refused_unseen(address: str, code: str) -> None:
    """Each of the three, before anything is sent; what may be a password is not repeated."""
    good = HttpPlace("https://host/state")
    for place in (
        replace(good, address=address),
        replace(good, lock_address=address),
        replace(good, unlock_address=address),
    ):
        with pytest.raises(StateError) as caught:
            HttpBackend(place)
        assert caught.value.code == code
        assert "tell-nobody" not in f"{caught.value.message} {caught.value.hint}"


def mocked(handle: Callable[[httpx.Request], httpx.Response], **changes: Any) -> HttpBackend:
    """A client whose requests go to a function."""
    place = replace(HttpPlace("https://host/state", username=USER, password=Secret(PASSWORD)), **changes)
    time = Time()
    return HttpBackend(place, clock=time.clock, sleep=time.sleep, transport=httpx.MockTransport(handle))


def test_the_password_goes_to_the_host_of_the_state_only() -> None:
    """Not to another that keeps the locks."""
    seen: dict[str, bool] = {}

    def handle(request: httpx.Request) -> httpx.Response:
        seen[request.url.host] = "authorization" in request.headers
        return httpx.Response(204 if request.method == "GET" else 401)

    backend = mocked(handle, lock_address="https://other/lock")
    assert backend.read() is None
    with pytest.raises(StateUnreachable), backend.lock(info(), 0, silent):
        pass
    assert seen == {"host": True, "other": False}


def test_an_answer_that_is_damaged_or_endless_is_none() -> None:
    """By the server's own checksum, and by a limit."""
    with pytest.raises(StateUnreadable, match="checksum"):
        mocked(lambda _: httpx.Response(200, content=b"{}", headers={"Content-MD5": "AAAA"})).read()
    with pytest.raises(StateUnreadable, match="larger than 64 KiB"):
        mocked(lambda _: httpx.Response(409, content=b" " * 2**17)).break_lock("lock-ann", "gone")


def test_a_method_that_is_none_is_refused() -> None:
    """It would break the request in two."""
    with pytest.raises(StateError, match="lock_method"):
        mocked(lambda _: httpx.Response(200), lock_method="LO CK")
