"""What goes along with a version: every key in its place in Deploy, through defaults, bases and variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statetool.core.deploy import Artifact, Deploy, GrayStart, Release, Resources
from statetool.core.model import Desired, Origin, ReplicaRange, VariableOrigin
from statetool.errors import SourceMark
from statetool.manifest.variables import load_variables

if TYPE_CHECKING:
    from conftest import Project

FULL = """\
application: shop
components:
  cart:
    version: 1.4.2
    image: swr.cn-north-4.myhuaweicloud.com/shop/cart:1.4.2
    replicas: {min: 3, max: 9, enforce_max: true}
    env: {B_LEVEL: debug, A.B-C: "", PORT: "8080"}
    resources:
      requests: {cpu: 250m, memory: 512Mi}
      limits: {cpu: 1, memory: 1.5}
    release: {strategy: rolling, batches: 3}
    gray:
      version: 1.5.0
      image: swr.cn-north-4.myhuaweicloud.com/shop/cart:1.5.0
      weight: 5
      mode: nosurge
      channel: elb-shared
      first_batch_replicas: 2
      remaining_batches: 4
      precheck: true
"""
IMAGE = Artifact("image", "swr.cn-north-4.myhuaweicloud.com/shop/cart:1.4.2")
CANDIDATE = Artifact("image", "swr.cn-north-4.myhuaweicloud.com/shop/cart:1.5.0")


def load_cart(project: Project, component: str, defaults: str = "{}") -> Desired:
    """The component of a document with these defaults; both as flow maps."""
    project.write(f"application: shop\ndefaults: {defaults}\ncomponents:\n  cart: {component}\n")
    return project.load().components[0]


def test_every_key_lands_in_deploy(project: Project) -> None:
    """One component with all keys, written as people write."""
    project.write(FULL)
    cart = project.load().components[0]
    assert cart.wish.replicas == ReplicaRange(3, 9, enforce_max=True)
    assert cart.deploy == Deploy(
        artifact=IMAGE,
        candidate_artifact=CANDIDATE,
        env={"A.B-C": "", "B_LEVEL": "debug", "PORT": "8080"},
        resources=Resources(request_cpu=0.25, limit_cpu=1.0, request_memory=0.5, limit_memory=1.5),
        release=Release("rolling", 3),
        gray=GrayStart("nosurge", "elb-shared", 2, 4, precheck=True),
    )
    assert list(cart.deploy.env) == ["A.B-C", "B_LEVEL", "PORT"]


@pytest.mark.parametrize(
    ("component", "deploy"),
    [
        ("{version: 1.0.0}", Deploy()),
        ("{version: 1.0.0, env: {}, resources: {limits: {}}}", Deploy()),
        ("{version: 1.0.0, package: obs://b/k.zip}", Deploy(artifact=Artifact("package", "obs://b/k.zip"))),
        ("{version: 1.0.0, release: {strategy: one_batch}}", Deploy(release=Release("one_batch"))),
        ("{version: 1.0.0, release: {strategy: rolling}}", Deploy(release=Release("rolling"))),
        ("{version: 1.0.0, resources: {limits: {memory: 1}}}", Deploy(resources=Resources(limit_memory=1.0))),
        (
            "{version: 1.0.0, resources: {requests: {cpu: 500m, memory: 1}, limits: {cpu: 0.5, memory: 1Gi}}}",
            Deploy(resources=Resources(0.5, 0.5, 1.0, 1.0)),
        ),
        ("{version: 1.0.0, gray: {version: 1.1.0, weight: 5, mode: mirror}}", Deploy(gray=GrayStart("mirror"))),
        (
            "{version: 1.0.0, replicas: 3, gray: {version: 1.1.0, weight: 5, mode: extra, first_batch_replicas: 2}}",
            Deploy(gray=GrayStart("extra", first_batch_replicas=2)),
        ),
        (
            "{version: 1.0.0, replicas: {min: 2, max: 5}, gray: {version: 1.1.0, weight: 5, first_batch_replicas: 4}}",
            Deploy(gray=GrayStart(first_batch_replicas=4)),
        ),
        (
            "{version: 1.0.0, gray: {version: 1.1.0, channel: registry, "
            "rules: [{type: header, key: k, condition: in, value: v}]}}",
            Deploy(gray=GrayStart(channel="registry")),
        ),
    ],
)
def test_what_is_left_out_is_left_to_others(project: Project, component: str, deploy: Deploy) -> None:
    """Empty maps say nothing. A request may reach its limit, however the two are written, and mirror has no batches."""
    assert load_cart(project, component).deploy == deploy


@pytest.mark.parametrize(
    ("component", "replicas"),
    [
        ("{}", ReplicaRange(2, 5, enforce_max=True)),
        ("{replicas: {max: 9}}", ReplicaRange(2, 9, enforce_max=True)),
        ("{replicas: {min: 0, max: 0}}", ReplicaRange(0, 0, enforce_max=True)),
        ("{replicas: {enforce_max: null}}", ReplicaRange(2, 5)),
        ("{replicas: 3}", 3),
        ("{replicas: auto}", None),
        ("{replicas: null}", None),
    ],
)
def test_a_range_by_default(project: Project, component: str, replicas: ReplicaRange | int | None) -> None:
    """Its bounds merge like every map of defaults; a number or `auto` takes its place."""
    assert load_cart(project, component, "{replicas: {min: 2, max: 5, enforce_max: true}}").wish.replicas == replicas


def test_only_some_keys_have_defaults(project: Project) -> None:
    """What belongs to one version of one component has none."""
    for key in ("image", "package", "env", "resources", "release"):
        project.write(f"application: shop\ndefaults: {{{key}: x}}\ncomponents: {{cart: {{version: 1.0.0}}}}\n")
        (found,) = project.refuse()
        assert (found.code, str(found.mark)) == ("unknown_key", "manifests/shop.yaml:2:12")


OVERLAY = """\
extends: base.yaml
environment: prod
components:
  cart:
    version: 2.0.0
    image: null
    package: "obs://shop/cart-${var.build}.zip"
    replicas:
      min: ${var.floor}
      enforce_max: null
    env: {PORT: null, TOKEN: "${var.token}", B_LEVEL: "$${level}"}
    resources:
      requests: null
      limits:
        cpu: "${var.cores}"
        memory: ${var.gib}
    release: {strategy: one_batch, batches: null}
    gray:
      image: null
      mode: "${var.mode}"
      first_batch_replicas: null
      remaining_batches: null
      precheck: ${var.precheck}
"""
VARIABLES = [
    *(("build", "7"), ("floor", "4"), ("token", "open/sesame"), ("cores", "750m")),
    *(("gib", "2"), ("mode", "mirror"), ("precheck", "false")),
]


def test_overlays_and_variables_reach_every_key(project: Project) -> None:
    """Maps merge, null removes, and a variable alone without quotes is a number or a truth value."""
    project.write(FULL, "base.yaml")
    project.write(OVERLAY, "prod.yaml")
    cart = project.load(load_variables({}, [], VARIABLES)).components[0]
    assert cart.wish.replicas == ReplicaRange(4, 9)
    assert cart.deploy == Deploy(
        artifact=Artifact("package", "obs://shop/cart-7.zip"),
        env={"A.B-C": "", "B_LEVEL": "${level}", "TOKEN": "open/sesame"},
        resources=Resources(limit_cpu=0.75, limit_memory=2.0),
        release=Release("one_batch"),
        gray=GrayStart("mirror", "elb-shared"),
    )


def test_marks_name_every_value_by_its_path(project: Project) -> None:
    """Each bound of a range, each variable and each amount has a place of its own, wherever the others stand."""
    project.write(FULL, "base.yaml")
    project.write(OVERLAY, "prod.yaml")
    cart = project.load(load_variables({}, [], VARIABLES)).components[0]
    places = {path: str(origin.mark) for path, origin in cart.marks.items()}
    assert places == {
        "version": "manifests/prod.yaml:5:14",
        "package": "manifests/prod.yaml:7:14",
        "replicas.min": "manifests/prod.yaml:9:12",
        "replicas.max": "manifests/base.yaml:6:29",
        "env.A.B-C": "manifests/base.yaml:7:34",
        "env.TOKEN": "manifests/prod.yaml:11:30",
        "env.B_LEVEL": "manifests/prod.yaml:11:55",
        "resources.limits.cpu": "manifests/prod.yaml:15:14",
        "resources.limits.memory": "manifests/prod.yaml:16:17",
        "release.strategy": "manifests/prod.yaml:17:25",
        "gray.version": "manifests/base.yaml:13:16",
        "gray.weight": "manifests/base.yaml:15:15",
        "gray.mode": "manifests/prod.yaml:20:13",
        "gray.channel": "manifests/base.yaml:17:16",
        "gray.precheck": "manifests/prod.yaml:23:17",
    }
    token = VariableOrigin("token", "--var")
    assert cart.marks["env.TOKEN"] == Origin(SourceMark("manifests/prod.yaml", 11, 30), False, (token,))


@pytest.mark.parametrize(
    "env", ["open-sesame", "TOKEN=open-sesame", "{TOKEN: [open-sesame]}", "{TOKEN: {open-sesame: x}}", "[open-sesame]"]
)
def test_what_variables_of_a_component_hold_is_never_shown(project: Project, env: str) -> None:
    """It may be a password, and what is printed goes further than the manifest."""
    project.write(f"application: shop\ncomponents: {{cart: {{version: 1.0.0, env: {env}}}}}\n")
    (found,) = project.refuse()
    assert "sesame" not in f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('"pa${open-sesame!}x"', "bad_reference"),
        ('"pa${sesame without an end"', "bad_reference"),
        ("*sesame", "unknown_alias"),
        ("735173517351735173517351", "integer_too_large"),
    ],
)
def test_a_password_that_looks_like_something_else_is_never_shown(project: Project, text: str, code: str) -> None:
    """Before it is known where it stands, it may stand under env."""
    project.write(f"application: shop\ncomponents: {{cart: {{version: 1.0.0, env: {{TOKEN: {text}}}}}}}\n")
    found = project.refuse()[0]
    assert found.code == code
    assert not [part for part in ("sesame", "7351") if part in f"{found.message} {found.hint}"]


def test_a_number_as_variable_is_never_shown(project: Project) -> None:
    """Nor is it repeated to show how it would stand in quotes."""
    project.write("application: shop\ncomponents: {cart: {version: 1.0.0, env: {PIN: 4711}}}\n")
    (found,) = project.refuse()
    assert "4711" not in f"{found.message} {found.hint}"
    assert "PIN" in found.message
