"""What a good manifest means: every key in its place in Desired, defaults, and rules between keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from statetool.core.model import (
    Address,
    ContentRule,
    Desired,
    Gray,
    GrayRule,
    Lifecycle,
    Ready,
    VersionPicture,
    Wish,
)
from statetool.errors import SourceMark

if TYPE_CHECKING:
    from conftest import Project


def load_one(project: Project, component: str, defaults: str = "{}") -> Desired:
    """The component `cart` of a document with these defaults; both as flow maps."""
    project.write(f"application: shop\ndefaults: {defaults}\ncomponents:\n  other: {{}}\n  cart: {component}\n")
    return next(d for d in project.load().components if d.address.component == "cart")


def test_every_key_lands_in_desired(project: Project) -> None:
    """One component with all keys, written as people write."""
    project.write("""\
application: shop
environment: prod
components:
  db: {}
  cart:
    version: 1.4.2
    replicas: 4
    state: running
    restart: 2026-11-23
    gray:
      version: 1.5.0
      match: any
      rules:
        - {type: header, key: x-tier, condition: in, value: "a,b"}
        - {type: header, key: x-user, condition: equal, value: beta}
    depends_on: [db]
    hosts: [ecs-2, ecs-1]
    labels: {tier: "1", team: 支付}
    ready: {timeout_s: 60, hold_s: 5}
    lifecycle: {protected: true, ignore: [restart, gray], drift: {replicas: correct, version: correct, gray: report}}
""")
    assert project.load().components[0] == Desired(
        address=Address("shop", "cart", "prod"),
        origin=SourceMark("manifests/shop.yaml", 5, 3),
        wish=Wish(
            picture=VersionPicture(
                "1.4.2",
                Gray(
                    "1.5.0",
                    GrayRule(
                        match="any",
                        rules=frozenset(
                            {
                                ContentRule("header", "x-tier", "in", "a,b"),
                                ContentRule("header", "x-user", "equal", "beta"),
                            }
                        ),
                    ),
                ),
            ),
            replicas=4,
            state="running",
            restart="2026-11-23",
        ),
        depends_on=(Address("shop", "db", "prod"),),
        hosts=("ecs-2", "ecs-1"),
        labels={"tier": "1", "team": "支付"},
        ready=Ready(60, 5),
        lifecycle=Lifecycle(True, frozenset({"restart", "gray"}), frozenset({"replicas", "version"})),
    )


def test_what_is_left_out_is_not_managed(project: Project) -> None:
    """An empty component is adopted, and nothing of it is touched."""
    desired = load_one(project, "{}")
    assert desired.wish == Wish()
    assert (desired.ready, desired.lifecycle, dict(desired.labels)) == (Ready(), Lifecycle(), {})


@pytest.mark.parametrize(
    ("component", "wish"),
    [
        ("{replicas: 0}", Wish(replicas=0)),
        ("{replicas: auto}", Wish()),
        ("{state: stopped}", Wish(state="stopped")),
        ("{restart: 7}", Wish(restart="7")),
        ("{restart: 007}", Wish(restart="007")),
        ("{restart: +7}", Wish(restart="+7")),
        ("{restart: no}", Wish(restart="no")),
        ("{version: 1.2.3.4}", Wish(picture=VersionPicture("1.2.3.4"))),
        (
            "{version: 1.0.0, gray: {version: 1.1.0, weight: 100}}",
            Wish(picture=VersionPicture("1.0.0", Gray("1.1.0", GrayRule(weight=100)))),
        ),
        (
            "{version: 1.0.0, gray: {version: 1.1.0, rules: [{type: header, key: k, condition: match, value: v}]}}",
            Wish(
                picture=VersionPicture(
                    "1.0.0",
                    Gray("1.1.0", GrayRule(match="all", rules=frozenset({ContentRule("header", "k", "match", "v")}))),
                )
            ),
        ),
        (
            "{version: 1.0.0, replicas: auto, gray: {version: 1.1.0, weight: 1}}",
            Wish(picture=VersionPicture("1.0.0", Gray("1.1.0", GrayRule(weight=1)))),
        ),
    ],
)
def test_a_wish_is_canonical(project: Project, component: str, wish: Wish) -> None:
    """Tokens are compared as text, as written; `auto` is the same as leaving the key out; match is `all` by default."""
    assert load_one(project, component).wish == wish


@pytest.mark.parametrize(
    ("defaults", "component", "labels"),
    [
        ("{labels: {a: x, b: y}}", "{}", {"a": "x", "b": "y"}),
        ("{labels: {a: x, b: y}}", "{labels: {b: z, c: w}}", {"a": "x", "b": "z", "c": "w"}),
        ("{labels: {a: x, b: y}}", "{labels: {a: null}}", {"b": "y"}),
        ("{labels: {a: x, b: y}}", "{labels: null}", {}),
    ],
)
def test_maps_of_defaults_merge_and_null_removes(
    project: Project, defaults: str, component: str, labels: dict[str, str]
) -> None:
    """Shown on labels."""
    assert dict(load_one(project, component, defaults).labels) == labels


@pytest.mark.parametrize(
    ("defaults", "component", "expected"),
    [
        ("{drift: correct}", "{}", {"replicas", "state", "gray"}),
        ("{drift: report}", "{}", set()),
        ("{drift: correct}", "{drift: {version: correct}}", {"version"}),
        ("{drift: {gray: correct}}", "{drift: {version: correct}}", {"gray", "version"}),
        ("{drift: {gray: correct}}", "{drift: {gray: null}}", set()),
        ("{drift: {gray: correct}}", "{drift: report}", set()),
        ("{drift: correct}", "{drift: null}", set()),
    ],
)
def test_permission_to_correct_drift(project: Project, defaults: str, component: str, expected: set[str]) -> None:
    """Bare `correct` leaves the version out: it has to be named."""
    desired = load_one(project, f"{{lifecycle: {component}}}", f"{{lifecycle: {defaults}}}")
    assert desired.lifecycle.correct == expected


def test_scalars_of_defaults_are_replaced_or_removed(project: Project) -> None:
    """A component's own value wins, `auto` included; lists are replaced, not joined."""
    defaults = "{replicas: 2, state: running, ready: {hold_s: 9}, lifecycle: {ignore: [gray], protected: true}}"
    inherited = load_one(project, "{}", defaults)
    assert inherited.wish == Wish(replicas=2, state="running")
    assert (inherited.ready, inherited.lifecycle) == (Ready(hold_s=9), Lifecycle(True, frozenset({"gray"})))
    own = load_one(
        project,
        "{replicas: auto, state: null, ready: {timeout_s: 5}, lifecycle: {ignore: [state], protected: null}}",
        defaults,
    )
    assert own.wish == Wish()
    assert (own.ready, own.lifecycle) == (Ready(5, 9), Lifecycle(False, frozenset({"state"})))


def test_defaults_end_with_their_document(project: Project) -> None:
    """Two documents of one file share nothing."""
    first = "application: shop\ndefaults: {replicas: 2}\ncomponents: {aa: {}}\n"
    project.write(first + "---\napplication: pay\ncomponents: {bb: {}}\n")
    assert [(d.address.component, d.wish.replicas) for d in project.load().components] == [("bb", None), ("aa", 2)]


def test_a_component_of_an_alias_has_its_own_origin(project: Project) -> None:
    """The place is that of the key, not of the shared value."""
    project.write("application: shop\ncomponents:\n  aa: &x {replicas: 3}\n  bb: *x\n")
    first, second = project.load().components
    assert first.wish == second.wish
    assert (first.origin.line, second.origin.line) == (3, 4)


def test_diagnostics_of_a_component_carry_its_address(project: Project) -> None:
    """Of structure and of rules between keys alike."""
    project.write("application: shop\nenvironment: prod\ncomponents:\n  cart: {replica: 1, gray: {weight: 0}}\n")
    assert {d.address for d in project.refuse()} == {"shop/cart@prod"}
