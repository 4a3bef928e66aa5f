"""The calls of the client over a scripted transport: paths, paging, lists that move, what is asked once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from statetool.core.model import Address, Application, Closer, JobPhase, Observed, Recorded, Wish
from statetool.core.plan import Verb
from statetool.errors import AnswerUnreadable, NotFound, OutcomeUnknown, PlatformError, RequestRefused, Unauthorized

SHOP = Application("a-1", "shop")
CART = Recorded(Address("shop", "cart"), "c-1", "a-1", None, Wish())
ROOT = "/v3/0123456789abcdef0123456789abcdef/cas"
Build = Callable[..., Any]


def paged(rows: list[dict[str, Any]], request: httpx.Request, as_json: Build, most: int = 100) -> httpx.Response:
    """One page of `rows` as the platform cuts it; `most` is the server's own limit."""
    offset, limit = int(request.url.params["offset"]), min(int(request.url.params["limit"]), most)
    response: httpx.Response = as_json({"count": len(rows), "components": rows[offset : offset + limit]})
    return response


@pytest.mark.parametrize(("total", "requests"), [(0, 1), (1, 1), (99, 1), (100, 2), (101, 2), (250, 3), (1000, 10)])
def test_a_list_is_read_in_full_pages(platform: Build, row: Build, as_json: Build, total: int, requests: int) -> None:
    """Every component once, oldest first, a request a hundred (and one more where a full page leaves doubt)."""
    rows = [row(number) for number in range(total)]
    world = platform(lambda request: paged(rows, request, as_json))

    async def story() -> None:
        async with world.client() as client:
            found = await client.fetch_components(SHOP)
            assert [component.component_id for component in found] == [one["id"] for one in rows]
            assert (client.requests.reads, client.requests.writes) == (requests, 0)

    asyncio.run(story())
    assert len(world.requests) == requests
    assert {request.url.path for request in world.requests} == {f"{ROOT}/applications/a-1/components"}
    for request in world.requests:
        params = request.url.params
        assert (params["limit"], params["order_by"], params["order"]) == ("100", "create_time", "asc")
        assert request.headers["content-type"] == "application/json"


def test_a_server_with_smaller_pages_is_read_completely(platform: Build, row: Build, as_json: Build) -> None:
    """The step is what came, not what was asked for."""
    rows = [row(number) for number in range(35)]
    world = platform(lambda request: paged(rows, request, as_json, most=10))

    async def story() -> None:
        async with world.client() as client:
            assert len(await client.fetch_components(SHOP)) == 35

    asyncio.run(story())
    assert len(world.requests) == 4


def test_at_most_eight_pages_are_read_at_once(platform: Build, row: Build, as_json: Build) -> None:
    """However many lists the caller starts."""
    rows = [row(number) for number in range(1500)]
    running, peak = 0, 0

    async def handler(request: httpx.Request) -> httpx.Response:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1
        return paged(rows, request, as_json)

    async def story() -> None:
        async with platform(handler).client() as client:
            lists = await asyncio.gather(*(client.fetch_components(SHOP) for _ in range(3)))
            assert [len(one) for one in lists] == [1500] * 3

    asyncio.run(story())
    assert peak == 8


def test_a_list_that_changed_between_its_pages_is_read_again(platform: Build, row: Build, as_json: Build) -> None:
    """A component deleted after the first page shifts the rest: one would be missed."""
    rows = [row(number) for number in range(150)]

    def handler(request: httpx.Request) -> httpx.Response:
        answer = paged(rows, request, as_json)
        if len(rows) == 150:
            del rows[3]
        return answer

    world = platform(handler)

    async def story() -> None:
        async with world.client() as client:
            found = await client.fetch_components(SHOP)
            assert [one.component_id for one in found] == [one["id"] for one in rows]

    asyncio.run(story())
    assert len(world.requests) == 4


def test_a_row_that_came_twice_is_noticed(platform: Build, row: Build, as_json: Build) -> None:
    """As many rows as promised, but not as many components."""
    rows = [row(number) for number in range(101)]
    served = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal served
        served += 1
        shown = [*rows[:100], rows[0]] if served <= 2 else rows
        return paged(shown, request, as_json)

    async def story() -> None:
        async with platform(handler).client() as client:
            assert len(await client.fetch_components(SHOP)) == 101

    asyncio.run(story())
    assert served == 4


@pytest.mark.parametrize(("count", "most"), [(5, 3), (1, 3), (7, 0)])
def test_a_list_that_never_adds_up_is_given_up(
    platform: Build, row: Build, as_json: Build, count: int, most: int
) -> None:
    """Three times, then an error with the numbers."""
    rows = [row(number) for number in range(most)]

    def handler(request: httpx.Request) -> httpx.Response:
        shown = rows if request.url.params["offset"] == "0" else []
        answer: httpx.Response = as_json({"count": count, "components": shown})
        return answer

    async def story() -> None:
        async with platform(handler).client() as client:
            with pytest.raises(AnswerUnreadable) as caught:
                await client.fetch_components(SHOP)
            assert "kept changing" in caught.value.message
            assert f"{most} rows came for a count of {count}" in caught.value.message

    asyncio.run(story())


def test_a_count_beyond_reason_is_refused(platform: Build, row: Build, as_json: Build) -> None:
    """A hundred million one-row pages are not a list."""
    world = platform(lambda request: as_json({"count": 10**8, "components": [row()]}))

    async def story() -> None:
        async with world.client() as client:
            with pytest.raises(AnswerUnreadable):
                await client.fetch_components(SHOP)

    asyncio.run(story())
    assert len(world.requests) == 1


def test_applications_are_listed_too(platform: Build, as_json: Build) -> None:
    """Same paging, their own path."""
    rows = [{"id": "a-1", "name": "shop"}, {"id": "a-2", "name": "pay"}]
    world = platform(lambda request: as_json({"count": 2, "applications": rows}))

    async def story() -> None:
        async with world.client() as client:
            assert await client.fetch_applications() == (SHOP, Application("a-2", "pay"))

    asyncio.run(story())
    assert world.requests[0].url.path == f"{ROOT}/applications"


def test_a_shape_that_cannot_be_read_names_request_and_place(platform: Build, row: Build, as_json: Build) -> None:
    """Enough to report it: address, path in the answer, the platform's request id."""
    body = {"count": 1, "components": [row(status={"replica": "four"})]}
    world = platform(lambda request: as_json(body, headers={"X-Request-Id": "req-9"}))

    async def story() -> None:
        async with world.client() as client:
            with pytest.raises(AnswerUnreadable) as caught:
                await client.fetch_components(SHOP)
            assert f"https://platform.test{ROOT}/applications/a-1/components: " in caught.value.message
            assert "components[0].status.replica: expected a whole number" in caught.value.message
            assert (caught.value.request_id, caught.value.status) == ("req-9", 200)

    asyncio.run(story())


def test_a_closer_look_is_two_requests(platform: Build, as_json: Build) -> None:
    """Detail, and the newest hundred records."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/records"):
            assert (request.url.params["limit"], request.url.params["order"]) == ("100", "desc")
            answer: httpx.Response = as_json({"count": 1, "records": [{"version": "1.4.2", "current_used": True}]})
        else:
            answer = as_json({"replica": 4, "version": "1.4.2"})
        return answer

    world = platform(handler)

    async def story() -> None:
        async with world.client() as client:
            look = await client.fetch_closer("a-1", "c-1")
            assert (look.configured_replicas, [record.version for record in look.records]) == (4, ["1.4.2"])
            assert client.requests.reads == 2

    asyncio.run(story())
    paths = {request.url.path for request in world.requests}
    assert paths == {f"{ROOT}/applications/a-1/components/c-1", f"{ROOT}/applications/a-1/components/c-1/records"}


def test_one_component_is_refreshed_with_one_request(platform: Build, row: Build, as_json: Build) -> None:
    """The names of the row stay, the values are new."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/components"):
            return paged([row()], request, as_json)
        answer: httpx.Response = as_json(
            {"version": "1.5.0", "status": {"component_status": "RUNNING", "replica": 6, "available_replica": 5}}
        )
        return answer

    async def story() -> None:
        async with platform(handler).client() as client:
            (before,) = await client.fetch_components(SHOP)
            after = await client.fetch_component(before)
            assert (after.address, after.row_version, after.replicas) == (before.address, "1.5.0", 6)
            assert client.requests.reads == 2

    asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "exists"),
    [
        (httpx.Response(200, json={"status": {"component_status": "RUNNING"}}), True),
        (httpx.Response(200, json={"status": {"component_status": "A_NEW_WORD"}, "more": 1}), True),
        (httpx.Response(200, json={}), True),
        (httpx.Response(200, json={"status": {"component_status": "deleting"}}), False),
        (httpx.Response(200, json={"status": {"component_status": "DELETED"}}), False),
        (httpx.Response(404, json={"error_code": "SVCSTG.00100404"}), False),
        (httpx.Response(404, json={"error_code": "SVCSTG.00100403"}), False),
        (httpx.Response(401, json={"error_code": "SVCSTG.00100401"}), False),
    ],
)
def test_whether_a_recorded_component_exists(answering: Build, answer: httpx.Response, exists: bool) -> None:
    """One request for its detail; a component that is being deleted exists no more."""
    world = answering(answer)

    async def story() -> None:
        async with world.client() as client:
            assert await client.fetch_existing([CART]) == ({"c-1"} if exists else set())
            assert await client.fetch_existing([]) == set()

    asyncio.run(story())
    assert [request.url.path for request in world.requests] == [f"{ROOT}/applications/a-1/components/c-1"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401, json={"error_code": "APIGW.0301"}), Unauthorized),
        (httpx.Response(401, json={"error_code": "SVCSTG.001004010"}), Unauthorized),
        (httpx.Response(403, json={"error_code": "SVCSTG.00100401"}), RequestRefused),
        (httpx.Response(404, json={"error_code": "APIGW.0101"}), RequestRefused),
        (httpx.Response(200, content=b"<html>login</html>"), AnswerUnreadable),
        (httpx.Response(200, json=[]), AnswerUnreadable),
    ],
)
def test_only_the_platforms_own_word_means_missing(
    answering: Build, answer: httpx.Response, kind: type[PlatformError]
) -> None:
    """Whatever else comes back is raised as it is."""

    async def story() -> None:
        async with answering(answer).client() as client:
            with pytest.raises(kind):
                await client.fetch_existing([CART])

    asyncio.run(story())


def test_a_job_is_read_by_its_id(platform: Build, as_json: Build) -> None:
    """With more tasks than the platform's default page."""
    world = platform(lambda request: as_json({"job": {"execution_status": "SUCCEEDED"}, "tasks": []}))

    async def story() -> None:
        async with world.client() as client:
            assert (await client.fetch_job("JOB1-2")).phase is JobPhase.SUCCEEDED

    asyncio.run(story())
    assert (world.requests[0].url.path, world.requests[0].url.params["limit"]) == (f"{ROOT}/jobs/JOB1-2", "100")


def test_what_is_missing_is_not_found(platform: Build, as_json: Build) -> None:
    """The platform says so with a 401, which is not about our token: the client goes on."""
    world = platform(lambda request: as_json({"error_code": "SVCSTG.00100401", "error_msg": "not exist"}, 401))

    async def story() -> None:
        async with world.client() as client:
            for _ in range(2):
                with pytest.raises(NotFound):
                    await client.fetch_job("JOB1")

    asyncio.run(story())
    assert len(world.requests) == 2


@pytest.mark.parametrize("bad", ["", "..", ".", "a/b", "a%2Fb", "a?b", "c-1\n", "ü"])
def test_an_id_that_would_name_another_resource_is_not_sent(platform: Build, as_json: Build, bad: str) -> None:
    """Ids come from files and answers; a path is not a place for surprises."""
    world = platform(lambda request: as_json({}))

    async def story() -> None:
        async with world.client() as client:
            with pytest.raises(RequestRefused):
                await client.fetch_job(bad)
            with pytest.raises(RequestRefused):
                await client.send_action("a-1", bad, Verb.RESTART, {})

    asyncio.run(story())
    assert world.requests == []


def test_an_action_is_one_post_and_gives_the_job(platform: Build, as_json: Build) -> None:
    """Counted as a write; body and path as documented."""
    world = platform(lambda request: as_json({"job_id": "JOB7", "component_id": "c-1"}))

    async def story() -> None:
        async with world.client() as client:
            assert await client.send_action("a-1", "c-1", Verb.SCALE, {"replica": 3}) == "JOB7"
            assert (client.requests.reads, client.requests.writes) == (0, 1)

    asyncio.run(story())
    (request,) = world.requests
    assert (request.method, request.url.path) == ("POST", f"{ROOT}/applications/a-1/components/c-1/action")
    assert request.content == b'{"action":"scale","parameters":{"replica":3}}'


def test_text_that_no_utf8_can_carry_is_sent_escaped(platform: Build, as_json: Build) -> None:
    """A YAML escape can make half a surrogate pair; it is the platform's to refuse, not ours to crash on."""
    world = platform(lambda request: as_json({"job_id": "JOB7"}))
    rule = {"match": "any", "rules": [{"type": "header", "key": "k", "condition": "in", "value": "\ud800"}]}

    async def story() -> None:
        async with world.client() as client:
            await client.send_action("a-1", "c-1", Verb.MODIFY_GRAY_RULE, rule)

    asyncio.run(story())
    assert b'"value":"\\ud800"' in world.requests[0].content


def test_an_answer_without_content_is_an_action_without_job(platform: Build) -> None:
    """204 says accepted, and nothing else."""

    async def story() -> None:
        async with platform(lambda request: httpx.Response(204)).client() as client:
            assert await client.send_action("a-1", "c-1", Verb.RESTART, {}) is None

    asyncio.run(story())


@pytest.mark.parametrize("body", [b"", b'{"job_id": "JO', b"<html>ok</html>", b"[]", b'{"job_id": 7}'])
def test_an_accepted_action_with_an_unreadable_answer_has_an_unknown_outcome(platform: Build, body: bytes) -> None:
    """It went through; which job it became is lost. It is not sent again."""
    world = platform(lambda request: httpx.Response(200, content=body))

    async def story() -> None:
        async with world.client() as client:
            with pytest.raises(OutcomeUnknown) as caught:
                await client.send_action("a-1", "c-1", Verb.RESTART, {})
            assert "not repeated blindly" in caught.value.message

    asyncio.run(story())
    assert len(world.requests) == 1


def test_an_action_that_failed_in_band_is_refused(platform: Build, as_json: Build) -> None:
    """Its outcome is known."""
    world = platform(lambda request: as_json({"job_id": "JOB7", "result": "failed"}))

    async def story() -> None:
        async with world.client() as client:
            with pytest.raises(RequestRefused) as caught:
                await client.send_action("a-1", "c-1", Verb.SCALE, {"replica": 3})
            assert caught.value.code == "action_failed"

    asyncio.run(story())
    assert len(world.requests) == 1


def test_a_wrong_token_is_tried_once_even_by_twenty_at_once(platform: Build, as_json: Build) -> None:
    """The platform locks users out; afterwards nothing is sent, not even by a write."""

    async def handler(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        answer: httpx.Response = as_json({"error_code": "APIGW.0301", "error_msg": "bad token"}, 401)
        return answer

    world = platform(handler)

    async def story() -> None:
        async with world.client() as client:
            results = await asyncio.gather(*(client.fetch_components(SHOP) for _ in range(20)), return_exceptions=True)
            assert {type(result) for result in results} == {Unauthorized}
            with pytest.raises(Unauthorized):
                await client.send_action("a-1", "c-1", Verb.RESTART, {})
            with pytest.raises(Unauthorized):
                await client.fetch_applications()

    asyncio.run(story())
    assert len(world.requests) == 1


def test_a_token_that_expires_stops_what_has_not_been_sent(platform: Build, row: Build, as_json: Build) -> None:
    """Pages already under way come back refused; those behind them are never sent."""
    rows = [row(number) for number in range(5000)]

    async def handler(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if request.url.params["offset"] == "0":
            return paged(rows, request, as_json)
        answer: httpx.Response = as_json({"error_code": "APIGW.0307"}, 401)
        return answer

    world = platform(handler)

    async def story() -> None:
        async with world.client() as client:
            with pytest.raises(Unauthorized):
                await client.fetch_components(SHOP)

    asyncio.run(story())
    assert len(world.requests) <= 9


def test_the_token_travels_in_its_header_and_is_shown_nowhere(platform: Build, as_json: Build) -> None:
    """An answer that echoes it included."""
    token = "MIIE-very-secret-token"
    world = platform(lambda request: as_json({"error_msg": f"bad header {token}"}, 400))

    async def story() -> None:
        async with world.client() as client:
            with pytest.raises(RequestRefused) as caught:
                await client.fetch_applications()
            shown = f"{caught.value} {caught.value!r} {caught.value.diagnostics} {client!r} {vars(client)}"
            assert token not in shown
            assert "bad header ***" in shown

    asyncio.run(story())
    assert world.requests[0].headers["X-Auth-Token"] == token


def test_without_token_no_credentials_travel(platform: Build, as_json: Build) -> None:
    """The in-process sandbox needs none."""
    world = platform(lambda request: as_json({"count": 0, "applications": []}))

    async def story() -> None:
        async with world.client(token=None) as client:
            assert await client.fetch_applications() == ()

    asyncio.run(story())
    assert "x-auth-token" not in world.requests[0].headers


# What versions ran with


def looked_at(name: str) -> Observed:
    """A component with a closer look that knows nothing."""
    closer = Closer(None, None, None, ())
    return Observed(Address("shop", name), f"c-{name}", "a-1", None, "2", "RUNNING", 1, 1, None, None, closer=closer)


def snapshots(request: httpx.Request, as_json: Build) -> httpx.Response:
    """Knows versions below 9 of every component."""
    version = request.url.params["version"]
    if version >= "9":
        return as_json({"error_code": "SVCSTG.00100436", "error_msg": "snapshot not found"}, 404)
    return as_json({"version": version, "replica": int(version), "envs": [{"name": request.url.path[-1], "value": ""}]})


def test_past_versions_are_asked_for_all_at_once(platform: Build, as_json: Build) -> None:
    """One request a version, everybody's answers where they belong, what is not known left out."""
    running, peak = 0, 0

    async def handler(request: httpx.Request) -> httpx.Response:
        nonlocal running, peak
        running, peak = running + 1, max(peak, running + 1)
        await asyncio.sleep(0)
        running -= 1
        return snapshots(request, as_json)

    world = platform(handler)

    async def story() -> None:
        async with world.client() as client:
            # The first request of a process goes alone.
            assert await client.fetch_past_configuration(looked_at("x"), "9") is None
            bare = replace(looked_at("z"), closer=None)
            asked = [(looked_at("x"), ("1", "2", "9")), (bare, ("1",)), (looked_at("y"), ("2",))]
            x, z, y = await client.fetch_past(asked)
            assert z is bare
            assert x.closer and {v: c.replicas for v, c in x.closer.past.items()} == {"1": 1, "2": 2}
            assert y.closer and [(v, set(c.env)) for v, c in y.closer.past.items()] == [("2", {"y"})]
            [again] = await client.fetch_past([(x, ("3",))])
            assert again.closer and set(again.closer.past) == {"1", "2", "3"}
            assert (client.requests.reads, client.requests.writes) == (6, 0)

    asyncio.run(story())
    assert peak > 1
    assert {request.url.path for request in world.requests} == {
        f"{ROOT}/applications/a-1/components/c-{name}" for name in "xy"
    }


@pytest.mark.parametrize("version", [{}, {"version": None}, {"version": "2.0.0"}])
def test_an_answer_of_another_version_tells_nothing(answering: Build, as_json: Build, version: Any) -> None:
    """Documents before 2024-10 know no such question: a platform of then shows what runs now."""
    world = answering(as_json({**version, "replica": 3}))

    async def story() -> None:
        async with world.client() as client:
            assert await client.fetch_past_configuration(looked_at("x"), "1.0.0") is None

    asyncio.run(story())


@pytest.mark.parametrize(("status", "kind"), [(400, RequestRefused), (403, RequestRefused), (200, AnswerUnreadable)])
def test_nothing_but_the_platform_s_own_word_means_not_known(
    answering: Build, as_json: Build, status: int, kind: type[PlatformError]
) -> None:
    """Whatever else goes wrong is raised."""
    world = answering(as_json([], status))

    async def story() -> None:
        async with world.client() as client:
            with pytest.raises(kind):
                await client.fetch_past_configuration(looked_at("x"), "1.0.0")
            with pytest.raises(kind):
                await client.fetch_past([(looked_at("x"), ("1.0.0", "1.0.1"))])

    asyncio.run(story())
