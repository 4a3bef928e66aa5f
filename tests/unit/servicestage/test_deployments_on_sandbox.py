"""Deployments from the client to the sandbox: what was asked for changes, and nothing else does."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from budgets import bounded
from huaweicloudsdkservicestage.v3 import model as vendor
from hypothesis import given
from hypothesis import strategies as st

from statetool.core.canonical import canonical_text, digest
from statetool.core.deploy import Artifact, Configuration, Resources
from statetool.core.model import Json, Observed
from statetool.core.plan import Verb
from statetool.sandbox import Sandbox, SandboxTransport
from statetool.servicestage.client import ServiceStage

T = TypeVar("T")

PROJECT = "0123456789abcdef0123456789abcdef"
SECRET: Json = {"reference_type": "secretKey", "name": "db", "key": "password", "optional": False}
PROBE: Json = {"type": "http", "delay": 5, "timeout": 2, "scheme": "HTTP", "host": "", "port": 80, "path": "/up"}

DOCUMENTED: dict[str, Json] = {
    "name": "full",
    "description": "everything at once",
    "labels": [{"key": "team", "value": "shop"}],
    "runtime_stack": {"name": "Docker", "type": "Docker", "version": "1.0", "deploy_mode": "container"},
    "source": {
        "kind": "image",
        "url": "swr.example/shop/full:1.4.2",
        "version": "1.4.2",
        "storage": "swr",
        "auth": "iam",
        "repo_auth": "r",
        "repo_namespace": "n",
        "repo_ref": "main",
        "repo_type": "git",
        "web_url": "w",
        "repo_url": "https://git.example/full",
    },
    "build": {"parameters": {"cluster_id": "c", "build_cmd": "make", "node_label_selector": {"a": "b"}}},
    "replica": 4,
    "version": "1.4.2",
    "limit_cpu": 0.5,
    "request_cpu": 0.25,
    "limit_memory": 1,
    "request_memory": 0.5,
    "refer_resources": [
        {"id": "c1", "type": "cce", "parameters": {"namespace": "shop"}},
        {"id": "e1", "type": "cse", "parameters": {}},
    ],
    "envs": [
        {"name": "LEVEL", "value": "info"},
        {"name": "PASSWORD", "value_from": SECRET},
        {"name": "TOKEN", "value_from": SECRET},
        {"name": "EMPTY", "value": ""},
    ],
    "storages": [
        {
            "type": "ConfigMap",
            "name": "conf",
            "parameters": {"name": "conf", "default_mode": 420},
            "mounts": [{"path": "/etc/conf", "sub_path": "a", "read_only": True}],
        }
    ],
    "deploy_strategy": {"type": "RollingRelease", "rolling_release": {"batches": 3, "termination_seconds": 30}},
    "update_strategy": {"type": "RollingUpdate", "max_surge": "25%", "max_unavailable": 0},
    "command": {"command": ["run"], "args": ["--fast"]},
    "post_start": {"type": "command", "command": ["warm"]},
    "pre_stop": {"type": "http", "scheme": "HTTP", "host": "", "port": 80, "path": "/bye"},
    "liveness_probe": PROBE,
    "readiness_probe": PROBE,
    "mesher": {"port": 13092},
    "timezone": "Asia/Shanghai",
    "jvm_opts": "-Xmx512m",
    "tomcat_opts": {"server_xml": "<Server/>"},
    "logs": [{"type": "EmptyDir", "log_path": "/log", "rotate": "Hourly"}],
    "custom_metric": {"path": "/metrics", "port": 9090, "dimensions": "cpu"},
    "affinity": {"az": ["az1"], "node": [], "component": [{"displayName": "cart", "name": "cart"}]},
    "anti_affinity": {"az": [], "node": ["n1"], "component": []},
    "external_accesses": [{"protocol": "https", "address": "shop.example", "forward_port": 8443}],
    "swimlane_id": "lane-1",
    "config_mode": "ui",  # in "yaml" it would not be deployed from here
    "workload_content": "",
    "workload_name": "full-abc",
    "workload_kind": "deployment",
    "pod_labels": [{"key": "tier", "value": "web"}],
    "host_aliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
    "dns_policy": "ClusterFirst",
    "dns_config": {"nameservers": ["10.0.0.2"], "searches": [], "options": [{"name": "ndots", "value": "2"}]},
    "security_context": {"run_as_user": 1000, "capabilities": {"add": [], "drop": ["ALL"]}},
    "create_mode": "default",
}
"""Every field of section 3.2, those of newer documents too."""

UNDOCUMENTED: dict[str, Json] = {
    "x_of_tomorrow": {"deep": [1, 2.5, None, {"er": "☃"}]},
    "unified": True,
    "Name": "not the name",
    "numbers": [0, -1, 10**20, 1e-9],
}

MOVES = {f"status.{key}" for key in ("last_job_id", "update_time", "artifact.url")}
"""What a deployment changes of the status when it has ended."""
GRAYING = MOVES | {f"status.{key}" for key in ("component_status", "replica", "available_replica")}


@dataclass
class World:
    """A sandbox with one component, of which jobs end at once, and a client that can't tell it from the platform."""

    sandbox: Sandbox
    component_id: str = ""
    application_id: str = ""

    def create(self, body: Mapping[str, Json]) -> None:
        """A component with this body in the environment."""
        [application] = self.request("GET", "/applications")["applications"]
        [environment] = self.request("GET", "/environments")["environments"]
        path = f"/applications/{application['id']}/components"
        made = self.request("POST", path, {**body, "environment_id": environment["id"]})
        self.component_id, self.application_id = made["component_id"], application["id"]

    def detail(self, query: str = "") -> dict[str, Any]:
        """What the platform shows of it."""
        path = f"/applications/{self.application_id}/components/{self.component_id}"
        return self.request("GET", path, query=query)

    def request(self, method: str, path: str, body: Json = None, query: str = "") -> dict[str, Any]:
        """The answer to a request past the client."""
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.sandbox.handle(method, f"/v3/{PROJECT}/cas{path}", query, content)
        assert answer.status_code == 200, answer.body
        found: dict[str, Any] = json.loads(answer.content[0])
        return found

    def upgrade(self, **parameters: Json) -> None:
        """What a plan asks for."""

        async def send(client: ServiceStage) -> None:
            assert await client.send_action(self.application_id, self.component_id, Verb.UPGRADE, parameters)

        self.run(send)

    def run(self, story: Callable[[ServiceStage], Awaitable[T]]) -> T:
        """A story told to a client."""

        async def told() -> T:
            transport = SandboxTransport(self.sandbox)
            async with ServiceStage("sandbox:test", PROJECT, auth=None, transport=transport) as client:
                return await story(client)

        return asyncio.run(told())


def opened(applications: Mapping[str, Any], **switches: Any) -> Sandbox:
    """A sandbox in memory; a second passes whenever somebody looks at its clock."""
    seconds = itertools.count(1_800_000_000)
    sandbox = Sandbox.open(None, clock=lambda: float(next(seconds)))
    seed = {"sandbox": {"job_seconds": 0, "stale_ms": 0, **switches}, "applications": applications}
    sandbox.seed(json.dumps(seed), "seed.yaml")
    return sandbox


@contextmanager
def component(body: Mapping[str, Json], **switches: Any) -> Iterator[World]:
    """A world with one component of this body."""
    world = World(opened({"shop": {"environment": "prod"}}, **switches))
    try:
        world.create(body)
        yield world
    finally:
        world.sandbox.close()


@pytest.fixture
def full() -> Iterator[World]:
    """A component with everything, and more."""
    with component({**DOCUMENTED, **UNDOCUMENTED}) as world:
        yield world


def differences(before: Json, after: Json, path: str = "") -> set[str]:
    """The paths of all that is not the same, byte for byte; a field that came or went counts."""
    if isinstance(before, dict) and isinstance(after, dict):
        missing = {f"{path}.{key}".lstrip(".") for key in before.keys() ^ after.keys()}
        common = before.keys() & after.keys()
        return missing.union(*(differences(before[key], after[key], f"{path}.{key}".lstrip(".")) for key in common))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return set[str]().union(*(differences(*pair, f"{path}[{number}]") for number, pair in pairs))
    return set() if canonical_text(before) == canonical_text(after) else {path}


def test_the_component_has_every_field_that_the_vendor_s_sdk_can_send(full: World) -> None:
    """So that what follows is about all of them; and the platform shows each as it was sent."""
    assert set(vendor.ComponentModify.openapi_types) <= set(DOCUMENTED)
    shown = full.detail()
    sent = {**DOCUMENTED, **UNDOCUMENTED}
    assert {key: shown[key] for key in sent if key != "envs"} == {key: sent[key] for key in sent if key != "envs"}


def test_a_whole_upgrade_changes_what_was_asked_for_and_nothing_else(full: World) -> None:
    """On a platform that resets what a request leaves out, of which nobody knows [U10]."""
    before = full.detail()
    full.upgrade(
        version="1.5.0",
        image="swr.example/shop/full:1.5.0",
        env={"LEVEL": "debug", "TOKEN": "plain"},
        resources={"limit_cpu": 2, "request_memory": 0.75},
        release={"strategy": "rolling", "batches": 2},
    )
    after = full.detail()
    asked = {"version", "source.url", "limit_cpu", "request_memory"}
    variables = {"envs[0].value", "envs[2].value", "envs[2].value_from"}
    strategy = {"deploy_strategy.rolling_release.batches", "deploy_strategy.rolling_release.termination_seconds"}
    assert differences(before, after) == asked | variables | strategy | MOVES
    assert (after["version"], after["source"]["url"]) == ("1.5.0", "swr.example/shop/full:1.5.0")
    assert (after["limit_cpu"], after["request_memory"]) == (2, 0.75)
    assert after["envs"][2] == {"name": "TOKEN", "value": "plain"}
    assert differences(before, full.detail("version=1.4.2")) <= MOVES


def test_an_upgrade_that_names_a_version_only_changes_that_only(full: World) -> None:
    """The variables, limits and the way of the last release stay as well."""
    before = full.detail()
    full.upgrade(version="1.5.0")
    assert differences(before, full.detail()) == {"version", "status.last_job_id", "status.update_time"}


@pytest.mark.parametrize(
    "gray",
    [
        {"weight": 20},
        {"weight": 5, "mode": "mirror", "channel": "elb-shared"},
        {
            "match": "any",
            "rules": [{"type": "header", "key": "tier", "condition": "equal", "value": "beta"}],
            "mode": "nosurge",
            "channel": "registry",
            "first_batch_replicas": 2,
            "remaining_batches": 2,
        },
    ],
)
def test_a_gray_start_changes_what_was_asked_for_and_nothing_else(full: World, gray: dict[str, Json]) -> None:
    """Of the candidate, while it is tried; the stable version stays what it was."""
    before = full.detail()
    full.upgrade(version="1.5.0", image="swr.example/shop/full:1.5.0", env={"NEW": "1"}, gray=gray)
    after = full.detail()
    assert after["status"]["component_status"] == "GRAYING"
    # The list got longer, by one that stands behind ours and before the platform's own.
    assert after["envs"][4] == {"name": "NEW", "value": "1"}
    assert differences(before["envs"], [*after["envs"][:4], *after["envs"][5:]]) == set()
    strategy = {f"deploy_strategy.{key}" for key in ("type", "gray_release", "rolling_release")}
    assert differences(before, after) - GRAYING == {"version", "source.url", "envs"} | strategy
    assert differences(before, full.detail("version=1.4.2")) <= GRAYING


OURS = {"id", "application_id", "environment_id", "status"}
NAMES = st.text(max_size=12).filter(lambda key: key not in {*DOCUMENTED, *OURS})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
EXTRA = st.dictionaries(NAMES, JSON, max_size=4)
VARIABLES = st.dictionaries(st.sampled_from(["LEVEL", "TOKEN", "EMPTY", "NEW"]), st.text(max_size=8))
AMOUNTS = st.dictionaries(
    st.sampled_from(["request_cpu", "limit_cpu", "request_memory", "limit_memory"]), st.floats(0, 64)
)


@bounded(25)
@given(extra=EXTRA, in_source=EXTRA, in_env=EXTRA, env=VARIABLES, resources=AMOUNTS, gray=st.booleans())
def test_whatever_else_a_component_has_stays(
    extra: dict[str, Json],
    in_source: dict[str, Json],
    in_env: dict[str, Json],
    env: dict[str, str],
    resources: dict[str, float],
    gray: bool,
) -> None:
    """Fields that nobody documented, anywhere; variables and limits that are not named."""
    known: Any = DOCUMENTED
    own = [*known["envs"][:2], {**strangers(in_env), "name": "LAST", "value": "9"}]
    source = {**strangers(in_source), **known["source"]}
    with component({**extra, **known, "source": source, "envs": own}) as world:
        before = world.detail()
        world.upgrade(
            version="1.5.0",
            image="swr.example/shop/full:1.5.0",
            **({"env": dict(env)} if env else {}),
            **({"resources": dict(resources)} if resources else {}),
            **({"gray": {"weight": 20}} if gray else {}),
        )
        after = world.detail()
    moved = {path for path in differences(before, after) if not path.startswith(("status.", "deploy_strategy."))}
    assert moved - {"envs"} <= {"version", "source.url", *resources} | {"envs[0].value"}
    assert {key: after[key] for key in resources} == resources
    ours = [entry for entry in after["envs"] if not entry.get("inner")]
    assert [entry for entry in ours if entry["name"] not in env] == [e for e in own if e["name"] not in env]
    assert {entry["name"]: entry.get("value") for entry in ours if entry["name"] in env} == env


def strangers(extra: dict[str, Json]) -> dict[str, Json]:
    """Fields that mean nothing in a source or a variable."""
    taken = {"name", "value", "value_from", "inner", "kind", "url"}
    return {key: value for key, value in extra.items() if key not in taken}


def test_what_versions_ran_with_comes_from_the_platform() -> None:
    """Each version its own image, variables, limits and instances; one that nobody recorded is not told."""
    cart = {
        "version": "1.4.2",
        "replicas": 4,
        "image": "swr.example/shop/cart:1.4.2",
        "env": {"LEVEL": "info", "TOKEN": "t"},
        "resources": {"limit_cpu": 2},
        "history": [
            {"version": "1.4.0", "replicas": 2, "env": {"LEVEL": "debug"}, "resources": {"limit_cpu": 1}},
            "1.4.1",
        ],
    }
    world = World(opened({"shop": {"environment": "prod", "components": {"cart": cart}}}))

    async def story(client: ServiceStage) -> Observed:
        rows = await client.fetch_components_of(await client.fetch_applications())
        looked = await client.fetch_closer_looks(rows)
        [observed] = await client.fetch_past([(one, ("1.4.0", "1.4.1", "9.9.9")) for one in looked])
        return observed

    observed = world.run(story)
    world.sandbox.close()
    now = Configuration(
        Artifact("image", "swr.example/shop/cart:1.4.2"),
        {"LEVEL": digest({"value": "info"}), "TOKEN": digest({"value": "t"})},
        Resources(request_cpu=0.25, limit_cpu=2, request_memory=0.5, limit_memory=1),
        4,
    )
    assert observed.artifact == now.artifact
    assert observed.closer is not None
    assert observed.closer.configuration == now
    assert observed.closer.past == {
        "1.4.0": Configuration(
            Artifact("image", "swr.example/shop/cart:1.4.0"),
            {"LEVEL": digest({"value": "debug"})},
            Resources(request_cpu=0.25, limit_cpu=1, request_memory=0.5, limit_memory=1),
            2,
        ),
        "1.4.1": Configuration(Artifact("image", "swr.example/shop/cart:1.4.1"), now.env, now.resources, now.replicas),
    }
