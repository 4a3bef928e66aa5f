"""A platform that is absent, broken, hostile or dying: a clear error, the right exit code, never a traceback."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from e2e_loopback import Answerer, Asked, Loopback, Reply, loopback
from e2e_project import TOKEN, ProjectFolder

from statetool.sandbox import Sandbox

JSON = {"Content-Type": "application/json"}
HTML = Reply(200, b"<!DOCTYPE html><html><title>Sign in</title></html>", {"Content-Type": "text/html"})
MANIFEST = "application: shop\ncomponents:\n  cart: {replicas: 6}\n  pay: {replicas: 3}\n"
SEED = """
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4}
      pay: {version: 3.0.1, replicas: 2}
"""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@pytest.fixture
def shop(project: ProjectFolder) -> ProjectFolder:
    """Two components to scale, and a token for a platform over TCP."""
    project.manifest(MANIFEST)
    return replace(project, environ={"HW_AUTH_TOKEN": TOKEN})


@dataclass(frozen=True)
class Front:
    """A shop whose platform is a server of the test's own, with the sandbox's world behind it."""

    shop: ProjectFolder
    world: Sandbox

    @contextmanager
    def stand(self, answer: Answerer) -> Iterator[Loopback]:
        """Within the block the project's platform is that server; afterwards it is the world itself."""
        with loopback(answer) as proxy:
            self.shop.configure(proxy.endpoint)
            yield proxy
        self.shop.configure()

    def forward(self, asked: Asked) -> Reply:
        """What the world answers."""
        path, _, query = asked.path.partition("?")
        is_known = asked.headers.get("x-auth-token") == TOKEN
        answer = self.world.handle(asked.method, path, query, asked.body, authenticated=is_known)
        return Reply(answer.status_code, json.dumps(answer.body).encode(), JSON)


@pytest.fixture
def front(shop: ProjectFolder) -> Iterator[Front]:
    """The shop, seeded."""
    shop.seed(SEED)
    with shop.world() as world:
        yield Front(shop, world)


def always(reply: Reply | None) -> Answerer:
    return lambda _: reply


def text(body: str) -> Reply:
    return Reply(200, body.encode(), JSON)


# Nobody, or nobody sensible, answers


NONSENSE = {
    "a login page": (HTML, "answer_unreadable"),
    "truncated JSON": (text('{"applications": [{"id"'), "answer_unreadable"),
    "nothing at all": (Reply(200, b"", JSON), "answer_unreadable"),
    "a list": (text("[]"), "answer_unreadable"),
    "another document": (text('{"count": 1, "applications": {"id": 7}}'), "answer_unreadable"),
    "rows of another shape": (text('{"count": 1, "applications": [{"id": 7, "name": null}]}'), "answer_unreadable"),
    "a count that can't be": (text('{"count": -1, "applications": []}'), "answer_unreadable"),
    "a list that never ends": (text('{"count": 200, "applications": []}'), "answer_unreadable"),
    "deep nesting": (text("[" * 100_000), "answer_unreadable"),
    "not text": (Reply(200, b"\xff\xfe\x00{", JSON), "answer_unreadable"),
    "a key twice": (text('{"count": 0, "count": 1, "applications": []}'), "answer_unreadable"),
    "not allowed": (Reply(403, b'{"error_code": "SVCSTG.00100403", "error_msg": "no"}'), "forbidden"),
}

TROUBLE = {
    "a failure": (Reply(500, b'{"error_code": "SVCSTG.00100500", "error_msg": "down"}'), "server_failed"),
    "HTML in place of an error": (replace(HTML, status=502), "server_failed"),
    "throttled": (Reply(429, b'{"error_code": "APIGW.0308", "error_msg": "slow down"}'), "throttled"),
    "cut off": (Reply(200, b'{"count": 0', JSON, truncate=True), "no_answer"),
    "a dead line": (None, "no_answer"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_one_clear_error(shop: ProjectFolder, name: str) -> None:
    """Exit 1, the code, the request it was the answer to, nothing on stdout; and in JSON mode the same code."""
    reply, code = NONSENSE[name]
    with loopback(lambda _: reply) as platform:
        shop.configure(platform.endpoint)
        refused = shop.call("plan", code=1)
        in_json = shop.call("plan", "--json", code=1)
    assert refused.out == ""
    assert f"error[{code}]" in refused.err
    assert "GET " in refused.err
    assert "/v3/0123456789abcdef0123456789abcdef/cas/applications" in refused.err
    assert in_json.codes == [code]
    assert TOKEN not in refused.all + in_json.all


def test_trouble_that_does_not_pass_is_one_clear_error(shop: ProjectFolder, tmp_path: Path) -> None:
    """Reads are tried five times at most, in every case, and then it is exit 1 with the code and the address;
    a refused connection too. All at once, because the pauses between tries would add up."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with ExitStack() as stack:
        platforms = {name: stack.enter_context(loopback(always(reply))) for name, (reply, _) in TROUBLE.items()}
        endpoints = {name: platform.endpoint for name, platform in platforms.items()} | {"nobody": nobody}
        runs = {}
        for name, endpoint in endpoints.items():
            folder = replace(shop, root=tmp_path / name.replace(" ", "-"))
            folder.configure(endpoint)
            folder.manifest(MANIFEST)
            runs[name] = stack.enter_context(folder.start("plan"))
        ends = {name: run.end(1) for name, run in runs.items()}
    codes = {name: code for name, (_, code) in TROUBLE.items()} | {"nobody": "unreachable"}
    for name, refused in ends.items():
        assert refused.out == ""
        assert f"error[{codes[name]}]" in refused.err, name
        assert endpoints[name] in refused.err
        assert "(5 tries)" in refused.err
    assert {name: len(platform.asked) for name, platform in platforms.items()} == dict.fromkeys(TROUBLE, 5)
    assert "nothing was sent" in ends["nobody"].err


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_a_failing_platform_ends_every_command(shop: ProjectFolder, command: str) -> None:
    """Exit 1, the lock is free afterwards, and no state was made."""
    with loopback(lambda _: HTML) as platform:
        shop.configure(platform.endpoint)
        shop.call(command, *(["--auto-approve"] if command == "apply" else []), code=1)
        assert platform.changing == []
    assert not (shop.root / ".statetool/state.json").exists()
    shop.configure()
    shop.seed(SEED)
    shop.call("apply", "--auto-approve")
    shop.ensure_settled()


def test_an_empty_platform_is_no_error_of_its_own(shop: ProjectFolder) -> None:
    """No application at all: each component is denied by name, exit 4."""
    with loopback(lambda _: text('{"count": 0, "applications": []}')) as platform:
        shop.configure(platform.endpoint)
        denied = shop.run("plan", code=4)
    assert "component_not_found" in denied.out
    assert "shop/cart" in denied.out
    assert len(platform.asked) == 1


EMPTY = {"components": b'{"count": 0, "components": []}', "applications": b'{"count": 0, "applications": []}'}


def hiding(front: Front, what: str, by_id: Reply | None = None) -> Answerer:
    """Forwards all, but shows empty lists of `what`; who asks for a component by id gets `by_id`, if that is given."""

    def answer(asked: Asked) -> Reply:
        path = asked.path.split("?")[0]
        if path.endswith(f"/{what}"):
            return Reply(200, EMPTY[what], JSON)
        if by_id is not None and re.search("/components/[^/]+$", path):
            return by_id
        return front.forward(asked)

    return answer


@pytest.mark.parametrize("what", EMPTY)
@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_what_answers_by_its_id_is_not_missing(front: Front, shop: ProjectFolder, what: str, command: str) -> None:
    """Lists that lack what is recorded are doubted: exit 1, by name, and neither state nor platform is touched."""
    with front.stand(front.forward):
        shop.call("apply", "--auto-approve")
    state, sent = shop.state, shop.log()
    with front.stand(hiding(front, what)) as platform:
        refused = shop.call(command, *(["--auto-approve"] if command == "apply" else []), code=1)
        in_json = shop.call("plan", "--json", code=1)
    assert "error[list_incomplete]" in refused.err
    assert "shop/cart" in refused.err
    assert in_json.codes == ["list_incomplete"]
    by_id = [asked for asked in platform.asked if "/components/" in asked.path]
    assert len(by_id) == (4 if what == "components" else 2), "every one, or one for an application that is not listed"
    assert platform.changing == []
    assert (shop.state, shop.log()) == (state, sent)


MISSING = {
    "404": Reply(404, b'{"error_code": "SVCSTG.00100404", "error_msg": "component not found"}', JSON),
    "401": Reply(401, b'{"error_code": "SVCSTG.00100401", "error_msg": "not found"}', JSON),
}


@pytest.mark.parametrize("what", EMPTY)
@pytest.mark.parametrize("said", MISSING)
def test_what_is_missing_twice_is_missing(front: Front, shop: ProjectFolder, what: str, said: str) -> None:
    """Not in the list, and not by its id: denied by name, exit 4. It stays recorded, and nothing is sent."""
    with front.stand(front.forward):
        shop.call("apply", "--auto-approve")
    state, sent = shop.state, shop.log()
    with front.stand(hiding(front, what, MISSING[said])) as platform:
        denied = shop.call("apply", "--auto-approve", code=4)
        assert platform.changing == []
    assert "component_not_found" in denied.out
    assert set(shop.state["components"]) == set(state["components"])
    assert shop.log() == sent


def test_an_application_that_was_renamed_is_not_missing(front: Front, shop: ProjectFolder) -> None:
    """It is listed, under another name: denied by name, and the plan says what to write."""
    with front.stand(front.forward):
        shop.call("apply", "--auto-approve")

    def renamed(asked: Asked) -> Reply:
        got = front.forward(asked)
        return replace(got, body=got.body.replace(b'"shop"', b'"store"'))

    with front.stand(renamed) as platform:
        denied = shop.call("plan", code=4)
        assert not [asked for asked in platform.asked if "/components/" in asked.path]
        shop.manifest(MANIFEST.replace("application: shop", "application: store"))
        moved = shop.call("plan")
    assert "store/cart" in denied.out
    assert "2 to move. 0 actions." in moved.out


@pytest.mark.parametrize(
    ("by_id", "code"),
    [
        (Reply(403, b'{"error_code": "APIGW.0302"}', JSON), "forbidden"),
        (Reply(404, b'{"error_code": "APIGW.0101"}', JSON), "no_such_api"),
        (Reply(401, b'{"error_code": "APIGW.0301"}', JSON), "unauthorized"),
        (Reply(200, b"<html>login</html>", {"Content-Type": "text/html"}), "answer_unreadable"),
    ],
    ids=["forbidden", "wrong address", "not accepted", "a page"],
)
def test_any_other_answer_proves_nothing(front: Front, shop: ProjectFolder, by_id: Reply, code: str) -> None:
    """Only the platform's own word for missing counts: the command ends with what came instead."""
    with front.stand(front.forward):
        shop.call("apply", "--auto-approve")
    with front.stand(hiding(front, "components", by_id)):
        refused = shop.call("plan", code=1)
    assert f"error[{code}]" in refused.err


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(shop: ProjectFolder, status: int) -> None:
    """The token stays here."""
    with loopback(lambda _: text('{"count": 0, "applications": []}')) as elsewhere:
        reply = Reply(status, b"", {"Location": f"{elsewhere.endpoint}/v3"})
        with loopback(lambda _: reply) as platform:
            shop.configure(platform.endpoint)
            refused = shop.run("plan", code=1)
    assert elsewhere.asked == []
    assert len(platform.asked) == 1
    assert "error[redirect]" in refused.err


# Jobs


def test_a_failed_job_shows_the_tasks_message(shop: ProjectFolder) -> None:
    """Exit 3; what does not depend on it is done; the next apply sends the failed one again."""
    shop.seed(SEED)
    shop.disturb("shop/cart", fail_next_job="quota of the node pool exceeded")
    partly = shop.run("apply", "--auto-approve", code=3)
    assert "quota of the node pool exceeded" in partly.out
    assert "Failed (1)" in partly.out
    assert "Done (1)" in partly.out
    assert shop.shown("pay")[2:] == (3, 3)
    shop.call("apply", "--auto-approve")
    assert sorted(shop.sent()) == ["cart scale", "cart scale", "pay scale"]
    shop.ensure_settled()


def test_a_failed_job_stops_only_what_depends_on_it(shop: ProjectFolder) -> None:
    """And the events say why the dependent was not run."""
    shop.seed(SEED + "      web: {version: 1.0.0, replicas: 1}\n")
    shop.manifest(MANIFEST + "  web: {replicas: 2, depends_on: [cart]}\n")
    shop.disturb("shop/cart", fail_next_job="no room")
    events = shop.run("apply", "--auto-approve", "--json", code=3).events
    ends = {event["action"]: event["type"] for event in events if event.get("action")}
    assert ends == {
        "shop/cart#1": "action_errored",
        "shop/pay#1": "action_complete",
        "shop/web#1": "action_skipped",
    }
    assert next(e for e in events if e["type"] == "action_skipped")["because"] == "shop/cart#1"
    assert next(e for e in events if e["type"] == "action_errored")["message"] == "CHANGE_INSTANCES: no room"
    assert sorted(shop.sent()) == ["cart scale", "pay scale"]


def test_instances_that_never_get_ready(shop: ProjectFolder) -> None:
    """Exit 3 with the numbers, and the value is not recorded as wished before it is ready."""
    shop.seed(SEED)
    shop.disturb("shop/cart", available_replicas=1)
    shop.manifest("application: shop\ncomponents:\n  cart: {replicas: 6, ready: {timeout_s: 1}}\n")
    partly = shop.run("apply", "--auto-approve", code=3)
    assert "not_ready" in partly.all
    assert "1 of 6 ready after" in partly.out
    assert "replicas" not in shop.state["components"]["shop/cart"]["wish"]


# Answers that are lost


def lose_first_answer(front: Front, *, carried_out: bool) -> Answerer:
    """Forwards all, but the line goes dead instead of the answer to the first changing request."""
    lost = threading.Event()

    def answer(asked: Asked) -> Reply | None:
        if asked.method == "GET" or lost.is_set():
            return front.forward(asked)
        lost.set()
        if carried_out:
            front.forward(asked)
        return None

    return answer


@pytest.mark.parametrize("carried_out", [True, False], ids=["carried out", "never arrived"])
def test_a_lost_answer_is_never_repeated_blindly(front: Front, shop: ProjectFolder, carried_out: bool) -> None:
    """The request went out and nothing came back: after the quiet period the platform is looked at. What was carried
    out is followed to its end, and only what never arrived is sent again."""
    shop.manifest("application: shop\ncomponents:\n  cart: {replicas: 6}\n")
    with front.stand(lose_first_answer(front, carried_out=carried_out)) as proxy:
        events = shop.run("apply", "--auto-approve", "--json").events
        assert len(proxy.changing) == (1 if carried_out else 2)
    assert [event["type"] for event in events].count("action_complete") == 1
    assert shop.sent() == ["cart scale"]
    shop.ensure_settled()


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failing_answer_to_a_changing_request_is_looked_into_too(
    front: Front, shop: ProjectFolder, status: int
) -> None:
    """The gateway may have passed it on."""
    lost = threading.Event()

    def answer(asked: Asked) -> Reply:
        got = front.forward(asked)
        if asked.method == "GET" or lost.is_set():
            return got
        lost.set()
        return Reply(status, b'{"error_code": "APIGW.0201", "error_msg": "backend timeout"}', JSON)

    shop.manifest("application: shop\ncomponents:\n  cart: {replicas: 6}\n")
    with front.stand(answer):
        shop.call("apply", "--auto-approve")
    assert shop.sent() == ["cart scale"]
    shop.ensure_settled()


def test_a_platform_that_dies_in_the_middle(shop: ProjectFolder, tmp_path: Path) -> None:
    """After 2 to 7 answers nothing but a maintenance page: exit 1 or 3, or 0 where the work was done by then.

    The state is readable, and once the platform is back the next apply converges without sending anything twice.
    """
    folders = {answers: replace(shop, root=tmp_path / f"after-{answers}") for answers in range(2, 8)}
    with ExitStack() as stack:
        runs = {}
        for answers, folder in folders.items():
            folder.manifest("application: shop\ncomponents:\n  cart: {replicas: 6, ready: {timeout_s: 1}}\n")
            folder.seed(SEED)
            world = stack.enter_context(folder.world())
            platform = stack.enter_context(loopback(dying(Front(folder, world), answers)))
            folder.configure(platform.endpoint, "  job_timeout_s: 1\n")
            runs[answers] = stack.enter_context(folder.start("apply", "--auto-approve", "--json"))
        ends = {answers: run.end(None) for answers, run in runs.items()}
    for answers, folder in folders.items():
        ended = ends[answers]
        assert ended.code in (1, 3) or ended.events[-1]["done"] == 1, answers
        folder.configure()
        folder.call("apply", "--auto-approve")
        assert folder.sent() == ["cart scale"]
        folder.ensure_settled()


def dying(front: Front, good_answers: int) -> Answerer:
    """Forwards so many requests; what it says afterwards is of no use. (Reads are not tried again for that.)"""
    left = [None] * good_answers

    def answer(asked: Asked) -> Reply:
        try:
            left.pop()
        except IndexError:
            return HTML
        return front.forward(asked)

    return answer


# Hostile words


HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u200b \x9b31m\r\nerror[fake]: all is well"


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_hostile_words_of_a_job_are_harmless(shop: ProjectFolder, as_json: bool) -> None:
    """Escape sequences, bidi overrides and line breaks from the platform are spelled out on stdout and stderr."""
    shop.seed(SEED)
    shop.disturb("shop/cart", fail_next_job=HOSTILE)
    partly = shop.run("apply", "--auto-approve", *(["--json"] if as_json else []), code=3)
    assert not CONTROL.search(partly.all)
    assert not any(line.startswith("error[fake]") for line in partly.all.splitlines())
    if as_json:
        assert [e["message"] for e in partly.events if e["type"] == "action_errored"] == [
            f"CHANGE_INSTANCES: {HOSTILE}"
        ]
    else:
        assert "\\x1b[2J" in partly.out


def test_hostile_words_of_an_error_are_harmless(shop: ProjectFolder) -> None:
    """The same in an error body."""
    body = json.dumps({"error_code": f"SVCSTG{HOSTILE}", "error_msg": HOSTILE}).encode()
    with loopback(lambda _: Reply(400, body, JSON)) as platform:
        shop.configure(platform.endpoint)
        refused = shop.run("plan", code=1)
    assert not CONTROL.search(refused.all)
    assert not any(line.startswith("error[fake]") for line in refused.err.splitlines())


@pytest.mark.parametrize("honest", ["pay", "shop", "prod", "RUNNING", "1.4.2", "FAILED"])
def test_hostile_values_of_components_are_harmless(front: Front, shop: ProjectFolder, honest: str) -> None:
    """Names, status, version or job status as no console would allow them, wherever a view may show them."""

    def answer(asked: Asked) -> Reply:
        got = front.forward(asked)
        return replace(got, body=got.body.replace(json.dumps(honest).encode(), json.dumps(HOSTILE).encode()))

    shop.disturb("shop/cart", fail_next_job="no room")
    with front.stand(answer) as platform:
        shop.configure(platform.endpoint, "  job_timeout_s: 0.2\n")
        said = [
            shop.call(*command, code=None)
            for command in (
                ("plan", "--show-unmanaged"),
                ("plan", "--show-unmanaged", "--format", "markdown"),
                ("apply", "--auto-approve"),
                ("plan",),
                ("drift",),
            )
        ]
    for done in said:
        assert not CONTROL.search(done.all)
        assert not any(line.startswith("error[fake]") for line in done.all.splitlines())
    if honest == "pay":
        assert "shop/\\x1b[2J" in said[0].out
