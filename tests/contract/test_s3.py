"""What is particular to state in a bucket: the register, take-over by watching, lost and late answers, the trial.

On real stores, one of them behind a proxy that does what networks do. What every backend promises is tested elsewhere.
"""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from s3_servers import Answer, CarelessStore, Proxy, Request, moto, place, seaweed, served

from statetool.backends import JournalEntry, LockInfo
from statetool.backends.lease import Lease
from statetool.backends.places import S3Place
from statetool.backends.s3 import KEPT_SERIALS, S3Backend
from statetool.backends.s3_objects import Objects
from statetool.backends.state_text import StateText
from statetool.core.model import Secret
from statetool.core.state import StateFile, new_state
from statetool.errors import (
    LeaseLost,
    StateConflict,
    StateError,
    StateLocked,
    StateUnreachable,
    StateUnreadable,
    StateUnsafe,
    UsageError,
)

pytestmark = pytest.mark.xdist_group("s3-seaweedfs")  # one process starts the server

_keys = itertools.count()


class Time:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Bucket:
    """A key of a store, and everybody who uses it."""

    def __init__(self, where: S3Place) -> None:
        self.place = where
        self.objects = Objects(where, timeout_s=10)

    def client(self, **options: object) -> S3Backend:
        """Another machine, with a time of its own."""
        time = Time()
        return S3Backend(self.place, **{"clock": time.clock, "sleep": time.sleep, **options})

    def at(self, endpoint: str) -> Bucket:
        """The same key, through something in between."""
        return Bucket(replace(self.place, endpoint=endpoint))

    def names(self, folder: str = "") -> list[str]:
        """The objects below the key."""
        return [one.name for one in self.objects.list(folder)]

    def register(self) -> dict[str, object]:
        """What the lock's object says."""
        found = self.objects.find("lock.json")
        assert found is not None
        return json.loads(found.data)


@pytest.fixture(params=["seaweed", "moto"])
def each(request: pytest.FixtureRequest) -> Bucket:
    """A key that nobody used yet, on each store in turn."""
    if request.param == "moto":
        return Bucket(place(moto(), f"k{next(_keys)}/app", signed=True))
    return Bucket(place(seaweed(), f"k{next(_keys)}/app"))


@pytest.fixture
def bucket() -> Bucket:
    """A key that nobody used yet."""
    return Bucket(place(seaweed(), f"k{next(_keys)}"))


@contextmanager
def lossy(bucket: Bucket) -> Iterator[tuple[Proxy, Bucket]]:
    """The same key behind a proxy."""
    proxy = Proxy(bucket.place.endpoint or "")
    with served(proxy.answer) as endpoint:
        yield proxy, bucket.at(endpoint)


def info(name: str = "ann") -> LockInfo:
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


def numbered(*numbers: int) -> list[JournalEntry]:
    """Entries that can be told apart."""
    return [{"n": number} for number in numbers]


def numbers(entries: Sequence[JournalEntry]) -> list[object]:
    """Which entries these are."""
    return [entry["n"] for entry in entries]


def content(n: int) -> StateFile:
    """A state that differs from every other."""
    return replace(new_state("lineage", "0.1.0"), moved_to=f"place {n}")


# The register


def test_the_register_is_never_deleted_and_so_the_fence_survives(each: Bucket) -> None:
    """Released, it names nobody, and nobody's journal is forgotten."""
    with each.client().lock(info(), 0, silent) as first:
        each.client()
    register = each.register()
    assert (register["holder"], register["nonce"], register["fence"]) == (None, "", first.fence)
    with each.client().lock(info("bob"), 0, silent) as second:
        assert each.register()["holder"]["who"] == "bob@builder"  # type: ignore[index]
    assert second.fence == first.fence + 1


def test_a_fence_is_above_that_of_a_state_that_was_brought_here(bucket: Bucket) -> None:
    """Also where the register is new."""
    brought = replace(content(1), serial=7, fence=41)
    bucket.objects.overwrite("state.json", StateText().render(brought))
    backend = bucket.client()
    with backend.lock(info(), 0, silent) as lease:
        assert lease.fence == 42
        assert backend.write(brought, content(2), lease).fence == 42


def test_a_register_that_somebody_deleted_is_not_taken_for_a_new_one(bucket: Bucket) -> None:
    """With it went the name of the journal that counts: neither read nor locked over."""
    backend = bucket.client()
    with backend.lock(info(), 0, silent) as lease:
        backend.append(numbered(1), lease)
    bucket.objects.delete(["lock.json"])
    for use in (backend.read_journal, lambda: backend.lock(info(), 0, silent).__enter__()):
        with pytest.raises(StateUnreadable, match=r"lock\.json is gone, but journal/ is not empty"):
            use()


def test_a_damaged_register_is_told(bucket: Bucket) -> None:
    """By its name and what is wrong with it."""
    bucket.objects.overwrite("lock.json", b'{"format_version": "1.0", "fence": "x"}')
    with pytest.raises(StateUnreadable, match=r"lock\.json can't be read: ttl_s must be"):
        bucket.client().find_holder()


# Waiting and taking over


@contextmanager
def died(bucket: Bucket, name: str = "ann") -> Iterator[tuple[S3Backend, Lease]]:
    """A holder that is not heard of any more: its clock stands, so it believes to hold the lock all the same."""
    backend = bucket.client()
    with backend.lock(info(name), 0, silent) as lease:
        yield backend, lease


def test_a_dead_holder_cannot_be_told_from_a_live_one_at_once(bucket: Bucket) -> None:
    """So without patience it is named, with everything that leads to it."""
    with died(bucket) as (_, lease), pytest.raises(StateLocked) as caught:
        bucket.client().lock(info("bob"), 0, silent).__enter__()
    for word in ("ann@builder", "host builder", "4711", "apply since 2026-11-23", "run-ann", "https://ci.example/7"):
        assert word in caught.value.message
    assert f"fence {lease.fence}" in caught.value.message
    assert "--lock-timeout" in (caught.value.hint or "")
    assert "statetool force-unlock lock-ann" in (caught.value.hint or "")


def test_a_dead_holder_is_taken_over_once_it_was_watched_for_its_ttl(each: Bucket) -> None:
    """By the watcher's own clock; and whatever the dead one still does, does not count."""
    told: list[LockInfo | None] = []
    time = Time()
    with died(each) as (dead, lost):
        state = dead.write(None, content(1), lost)
        dead.append(numbered(1), lost)
        backend = each.client(clock=time.clock, sleep=time.sleep)
        with backend.lock(info("bob"), 100, told.append) as lease:
            assert 60 <= time.now - 1000 < 61
            assert [(one.who, one.fence) for one in told if one] == [("ann@builder", lost.fence)]
            assert lease.fence > lost.fence
            assert numbers(backend.read_journal()) == [1]
            with pytest.raises(LeaseLost, match=r"taken over by bob@builder .*fence 2"):
                dead.append(numbered(66), lost)
            backend.append(numbered(2), lease)
            assert numbers(backend.read_journal()) == [1, 2]
            assert backend.write(state, content(3), lease).serial == 2
    # The dead one came to its end inside, and gave back nothing that is not its own.
    assert numbers(each.client().read_journal()) == [1, 2]


@pytest.mark.parametrize("act", ["write", "append", "replace"])
def test_a_holder_that_was_taken_over_is_refused_whatever_its_clock_says(bucket: Bucket, act: str) -> None:
    """With the first thing it does: the register is asked, for its lease still looks good to itself."""
    with died(bucket) as (dead, lost), bucket.client().lock(info("bob"), 100, silent):
        assert lost.loss is None
        with pytest.raises(LeaseLost, match="taken over by bob@builder"):
            if act == "write":
                dead.write(None, content(1), lost)
            elif act == "append":
                dead.append(numbered(1), lost)
            else:
                dead.replace_journal(numbered(1), lost)
        assert (dead.read(), dead.read_journal()) == (None, ())


def test_what_a_stale_holder_puts_late_is_never_read(bucket: Bucket) -> None:
    """It believes it holds the lock, and only the register knows better: asked after the object was put."""
    with lossy(bucket) as (proxy, way), died(way) as (dead, lost):
        dead.append(numbered(1), lost)
        taken = ExitStack()

        def take_over() -> None:
            client = bucket.client()
            lease = taken.enter_context(client.lock(info("bob"), 100, silent))
            client.append(numbered(2), lease)

        proxy.call_before("PUT .*journal/.*/00000002", take_over)
        with pytest.raises(LeaseLost):
            dead.append(numbered(66), lost)
        assert numbers(bucket.client().read_journal()) == [1, 2]
        taken.close()


def test_a_holder_that_renews_is_not_taken_over(bucket: Bucket) -> None:
    """Whatever the clocks say: the register changed. And a short wait is not worth a word."""
    told: list[LockInfo | None] = []
    backend = bucket.client()
    time = Time()
    with backend.lock(info(), 0, silent):
        assert backend._hold is not None
        renew = backend._hold.held.renew

        def sleep(seconds: float) -> None:
            time.sleep(seconds)
            renew()

        other = bucket.client(clock=time.clock, sleep=sleep)
        for timeout_s in (0.3, 200):
            with pytest.raises(StateLocked, match="ann@builder"):
                other.lock(info("bob"), timeout_s, told.append).__enter__()
    assert [one.id for one in told if one] == ["lock-ann"]


def test_a_lock_that_is_given_back_while_somebody_waits_is_taken_at_once(bucket: Bucket) -> None:
    """Between refusal and look it may be free; that is no error."""
    holder = bucket.client().lock(info(), 0, silent)
    holder.__enter__()
    with bucket.client().lock(info("bob"), 10, lambda _: holder.__exit__(None, None, None)) as lease:
        assert lease.fence == 2


def test_two_that_take_the_lock_at_the_same_moment(bucket: Bucket) -> None:
    """The second finds the register changed when it asks for it, looks again, and waits."""
    with lossy(bucket) as (proxy, way), ExitStack() as stack:
        client = way.client()
        proxy.call_before("PUT .*lock", lambda: stack.enter_context(bucket.client().lock(info("bob"), 0, silent)))
        with pytest.raises(StateLocked, match="bob@builder"):
            client.lock(info("ann"), 0, silent).__enter__()


def test_a_lock_is_broken_by_the_id_that_was_seen(bucket: Bucket) -> None:
    """Its holder hears of it with the next thing it does; the reason is kept."""
    client = bucket.client()
    with pytest.raises(StateError) as caught:
        client.break_lock("lock-ann", "gone")
    assert caught.value.code == "not_locked"
    with died(bucket) as (holder, lease):
        with pytest.raises(StateError, match="ann@builder") as caught:
            client.break_lock("lock-bob", "gone")
        assert caught.value.code == "lock_moved"
        assert client.break_lock("lock-ann", "runner 7 was deleted") == replace(info(), fence=lease.fence)
        with pytest.raises(LeaseLost, match="ended by force: runner 7 was deleted"):
            holder.append(numbered(1), lease)
        assert lease.loss is not None
    with client.lock(info("bob"), 0, silent):
        pass
    assert bucket.register()["broken"]["reason"] == "runner 7 was deleted"  # type: ignore[index]


def test_breaking_follows_a_holder_that_renews_meanwhile(bucket: Bucket) -> None:
    """Another register, the same holder."""
    with lossy(bucket) as (proxy, way), died(bucket) as (holder, _):
        assert holder._hold is not None
        proxy.call_before("PUT .*lock", holder._hold.held.renew)
        assert way.client().break_lock("lock-ann", "gone").id == "lock-ann"


# Answers that are lost, and requests that come late


def run_through(bucket: Bucket) -> tuple[list[object], StateFile | None]:
    """Everything a run does, after another one that left something behind; what stands there afterwards."""
    client = bucket.client()
    with client.lock(info(), 0, silent) as lease:
        client.append(numbered(1), lease)
        client.write(None, content(1), lease)
    with client.lock(info("bob"), 0, silent) as lease:
        client.append(numbered(2), lease)
        assert numbers(client.read_journal()) == [1, 2]
        client.write(client.read(), content(2), lease)
        client.replace_journal(numbered(3), lease)
        client.append(numbered(4), lease)
    return numbers(client.read_journal()), client.read()


def test_a_run_does_not_notice_one_lost_answer() -> None:
    """Whichever of its requests it is, carried out or not: it is looked whether it was, and done once."""

    def run(fault: Callable[[Proxy], object]) -> tuple[Proxy, object]:
        with lossy(Bucket(place(seaweed(), f"k{next(_keys)}"))) as (proxy, way):
            fault(proxy)
            return proxy, run_through(way)

    clean, expected = run(lambda _: None)
    for number, request in enumerate(clean.seen):
        found = run(lambda proxy, at=number: proxy.lose_answer(f"^# {at}$"))[1]  # type: ignore[misc]
        assert found == expected, f"the answer to {request} was lost"
        if request.startswith("PUT"):  # nobody can tell the two apart for a GET
            found = run(lambda proxy, at=number: proxy.lose_request(f"^# {at}$"))[1]  # type: ignore[misc]
            assert found == expected, f"{request} was lost"


def test_a_batch_that_arrives_after_it_was_given_up(bucket: Bucket) -> None:
    """It stands where the next one wanted to: that goes behind it, and nothing is overwritten."""
    with lossy(bucket) as (proxy, way), died(way) as (backend, lease):
        backend.append(numbered(1), lease)
        late = proxy.hold("PUT .*journal/.*/00000002")
        proxy.lose_request("PUT .*journal/.*/00000002", 2)
        with pytest.raises(StateUnreachable):
            backend.append(numbered(2), lease)
        assert late() == 200
        backend.append(numbered(3), lease)
        assert numbers(backend.read_journal()) == [1, 2, 3]


def test_a_replacement_that_was_given_up_never_comes_true_behind_the_holders_back(bucket: Bucket) -> None:
    """An append is not told to be kept before a switch on its way has either arrived or become impossible."""
    with lossy(bucket) as (proxy, way), died(way) as (backend, lease):
        backend.append(numbered(1), lease)
        late = proxy.hold("PUT .*lock")
        proxy.lose_request("PUT .*lock", 2)
        with pytest.raises(StateUnreachable):
            backend.replace_journal(numbered(7), lease)
        backend.append(numbered(2), lease)
        assert late() == 412
        assert numbers(backend.read_journal()) == [1, 2]

        late = proxy.hold("PUT .*lock")
        proxy.lose_request("PUT .*lock", 2)
        with pytest.raises(StateUnreachable):
            backend.replace_journal(numbered(8), lease)
        assert late() == 200
        backend.append(numbered(9), lease)
        assert numbers(backend.read_journal()) == [8, 9]


def test_a_save_that_arrives_after_it_was_given_up_is_not_somebody_elses(bucket: Bucket) -> None:
    """The next save goes on from it, at whichever moment it arrives."""
    with lossy(bucket) as (proxy, way), died(way) as (backend, lease):
        state = backend.write(None, content(1), lease)
        for n in (2, 3):
            late = proxy.hold("PUT .*/state.json")
            proxy.lose_request("PUT .*/state.json", 2)
            with pytest.raises(StateUnreachable):
                backend.write(state, content(10 * n), lease)
            if n == 2:
                assert late() == 200
            else:
                proxy.call_before("PUT .*/state.json", late)
            serial = state.serial
            state = backend.write(state, content(n), lease)
            assert (state.serial, state.moved_to) == (serial + 2, f"place {n}")
        assert bucket.client().read() == state


def test_somebody_who_writes_without_a_lock_is_noticed(bucket: Bucket) -> None:
    """The store compares, so even between the look and the save nothing is overwritten."""
    with lossy(bucket) as (proxy, way), died(way) as (backend, lease):
        state = backend.write(None, content(1), lease)
        found = bucket.objects.find("state.json")
        assert found is not None
        foreign = found.data.replace(b'"serial": 1', b'"serial": 2')
        proxy.call_before("PUT .*/state.json", lambda: bucket.objects.overwrite("state.json", foreign))
        with pytest.raises(StateConflict, match="held serial 1 and holds 2 now"):
            backend.write(state, content(2), lease)
        found = bucket.objects.find("state.json")
        assert found is not None and found.data == foreign


# The journal


def test_only_the_folder_that_the_register_names_is_read_and_old_ones_go(bucket: Bucket) -> None:
    """Each replacement starts a folder of its own, so that it counts in one step."""
    backend = bucket.client()
    with backend.lock(info(), 0, silent) as lease:
        for n in (1, 2, 3):
            backend.append(numbered(n), lease)
        backend.replace_journal(numbered(7), lease)
        backend.append([], lease)
        backend.append(numbered(8, 9), lease)
        folder = bucket.register()["journal"]
        assert bucket.names("journal") == [f"journal/{folder}/0000000{n}.json" for n in (1, 2)]
        assert numbers(bucket.client().read_journal()) == [7, 8, 9]
        backend.replace_journal([], lease)
        assert (bucket.client().read_journal(), bucket.names("journal")) == ((), [])


def test_a_reader_whom_a_replacement_overtakes_starts_again(bucket: Bucket) -> None:
    """It finds the folder it wanted to read gone, and never takes that for an empty journal."""
    backend = bucket.client()
    with lossy(bucket) as (proxy, way), backend.lock(info(), 0, silent) as lease:
        for entry, pattern in ((1, "GET .*journal/0"), (2, "GET .*prefix=.*journal")):
            backend.append(numbered(entry), lease)
            proxy.call_before(pattern, lambda: backend.replace_journal(numbered(7), lease))
            assert numbers(way.client().read_journal()) == [7]


def test_reading_the_journal_lists_once_and_fetches_an_object_once(bucket: Bucket) -> None:
    """Lists are what a store is slowest at."""
    with lossy(bucket) as (proxy, way), died(way) as (backend, lease):
        backend.append(numbered(1), lease)
        backend.append(numbered(2), lease)
        proxy.seen.clear()
        backend.read_journal()
        backend.append(numbered(3), lease)
        backend.read_journal()
        assert sum("prefix=" in request for request in proxy.seen) == 2
        assert sum("GET" in request and "/journal/" in request for request in proxy.seen) == 3


@pytest.mark.parametrize("damage", ["missing", "cut", "no entries"])
def test_a_damaged_journal_is_told_by_its_object(bucket: Bucket, damage: str) -> None:
    """Objects stand there whole or not at all, so this is never the mark of a writer that died."""
    backend = bucket.client()
    with backend.lock(info(), 0, silent) as lease:
        for n in (1, 2):
            backend.append(numbered(n), lease)
    first = bucket.names("journal")[0]
    if damage == "missing":
        bucket.objects.delete([first])
    else:
        bucket.objects.overwrite(first, b'{"format_version": "1.0"' + (b"}" if damage == "no entries" else b""))
    with pytest.raises(StateUnreadable, match="journal can't be read: journal/"):
        bucket.client().read_journal()


# Earlier serials


def test_earlier_serials_can_be_read_and_the_oldest_go(bucket: Bucket) -> None:
    """Copies are made of what was stored, before it is replaced."""
    backend = bucket.client()
    assert backend.read_history() == ()
    with backend.lock(info(), 0, silent) as lease:
        state = None
        for n in range(1, KEPT_SERIALS + 4):
            state = backend.write(state, content(n), lease)
    history = bucket.client().read_history()
    assert [one.serial for one in history] == list(range(KEPT_SERIALS + 3, 3, -1))
    assert [one.at is None for one in history] == [False] * (KEPT_SERIALS - 1) + [True]
    assert bucket.client().read_serial(5).moved_to == "place 5"
    assert bucket.client().read_serial(history[0].serial) == state
    for serial in (3, 999):
        with pytest.raises(StateError) as caught:
            backend.read_serial(serial)
        assert caught.value.code == "no_such_serial"


# What a store must be able to do


@pytest.mark.parametrize("header", ["if-none-match", "if-match"])
def test_a_store_that_ignores_conditions_is_refused(header: str) -> None:
    """With the first lock, by what it ignores; nothing stays behind. Who insists can go on."""
    store = CarelessStore(header)
    with served(store.answer) as endpoint:
        bucket = Bucket(place(endpoint, "key"))
        for _ in range(2):
            with pytest.raises(StateUnsafe, match=f"(?i)ignores {header}") as caught:
                bucket.client().lock(info(), 0, silent).__enter__()
        assert "postgres or http" in (caught.value.hint or "")
        assert store.objects == {}
        insisting = bucket.client(unsafe=True)
        with insisting.lock(info(), 0, silent) as lease:
            insisting.append(numbered(1), lease)
            assert insisting.write(None, content(1), lease).serial == 1


@pytest.mark.parametrize("refuses", ["everything", "if-match"])
def test_a_store_that_refuses_what_should_go_through_is_refused(refuses: str) -> None:
    """A lock there could never be taken, or never renewed."""
    store = CarelessStore()

    def answer(request: Request) -> Answer:
        headers = {name.lower() for name in request.headers}
        refused = request.method == "PUT" and (refuses == "everything" or refuses in headers)
        return Answer(412) if refused else store.answer(request)

    with served(answer) as endpoint, pytest.raises(StateUnsafe, match="it refuses to"):
        Bucket(place(endpoint, "key")).client().lock(info(), 0, silent).__enter__()


def test_a_store_is_tried_out_once_in_a_process(bucket: Bucket) -> None:
    """With the first lock, not with reading."""
    with lossy(bucket) as (proxy, way):
        way.client().read()
        way.client().check_place()
        assert not [request for request in proxy.seen if "probe-" in request]
        for _ in range(2):
            with way.client().lock(info(), 0, silent):
                pass
        assert sum("PUT" in request and "probe-" in request for request in proxy.seen) == 4
    assert bucket.names() == ["lock.json"]


# Who is spoken to, and how trouble is told


def test_nothing_of_the_environment_changes_who_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library would fill gaps with it, credentials included, and follow a redirect with the token."""
    requests: list[Request] = []
    elsewhere: list[Request] = []

    def other(request: Request) -> Answer:
        elsewhere.append(request)
        return Answer(404)

    def answer(request: Request) -> Answer:
        requests.append(request)
        return Answer(307, headers={"Location": redirected.replace("127.0.0.1", "localhost") + "/states/x"})

    with served(other) as redirected, served(answer) as endpoint:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROXY_URL", "HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, redirected)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SKIP_SIGNATURE"):
            monkeypatch.setenv(name, "true")
        mine = place(endpoint, "key", signed=True)
        for where in (mine, replace(mine, session_token=Secret("secret-token")), place(endpoint, "key")):
            with pytest.raises(StateUnreachable, match="did not answer as a store does") as caught:
                Bucket(where).client().read()
            assert "secret" not in f"{caught.value.message} {caught.value.hint}"
    assert elsewhere == []
    first, second, third = ({k.lower(): v for k, v in requests[n].headers.items()} for n in (0, 3, 6))
    assert "Credential=key/" in first["authorization"] and "x-amz-security-token" not in first
    assert second["x-amz-security-token"] == "secret-token"
    assert "authorization" not in third


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Answer(403, b"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>key</AWSAccessKeyId></Error>"),
            "HTTP 403",
        ),
        (Answer(401), "turned us away"),
        (Answer(500, b"oops"), "HTTP 500"),
        (Answer(404, b"<Error><Code>NoSuchBucket</Code></Error>"), "NoSuchBucket"),
        (None, "did not answer"),
    ],
)
def test_trouble_is_told_in_a_sentence(answer: Answer | None, words: str) -> None:
    """Where, and what the store said in its own code; nothing else of its answer."""
    with served(lambda _: answer) as endpoint:
        client: Callable[[], S3Backend] = Bucket(place(endpoint, "key", signed=True)).client
        acts = (client().read, client().read_journal, lambda: client().lock(info(), 0, silent).__enter__())
        for act in acts:
            with pytest.raises(StateUnreachable, match=words) as caught:
                act()
            assert "s3://states/key at 127.0.0.1:" in caught.value.message
            assert "AWSAccessKeyId" not in caught.value.message
            assert len(caught.value.message) < 160
        assert [one.code for one in client().check_place()] == ["state_unreachable"]


def test_a_list_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that always promises more keeps nobody waiting for ever."""
    monkeypatch.setattr("statetool.backends.s3_objects.LONGEST_LIST", 3)
    entry = "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>" * 60
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>on</NextContinuationToken>"
    body = f"<ListBucketResult>{more}{entry.replace('{}', 'team/shop/journal/x')}</ListBucketResult>".encode()
    with served(lambda request: Answer(200, body) if "list-type" in str(request) else Answer(404)) as endpoint:
        objects = Objects(place(endpoint, "team/shop"), timeout_s=5, sleep=lambda _: None)
        with pytest.raises(StateUnreachable, match="does not come to an end"):
            objects.list("journal")


def test_plain_http_goes_to_this_machine_only() -> None:
    """Before anything is sent."""
    with pytest.raises(StateError) as caught:
        S3Backend(place("http://store.example:9000", "key")).read()
    assert caught.value.code == "plain_http"


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """And how to get it."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "statetool.backends.s3_objects")
    with pytest.raises(UsageError) as caught:
        importlib.import_module("statetool.backends.s3_objects")
    assert (caught.value.code, caught.value.hint) == ("not_installed", "pip install 'statetool[s3]'")
