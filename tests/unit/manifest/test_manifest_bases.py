"""`extends`: what a base is, how an overlay changes it, and every way in which that can go wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from statetool.core.model import Address, ContentRule, Desired, Gray, GrayRule, Lifecycle, Ready, VersionPicture, Wish
from statetool.manifest.bases import MAX_BASES, Library
from statetool.manifest.files import find_files
from statetool.manifest.loader import load_manifests

if TYPE_CHECKING:
    from conftest import Project

RULES = "rules: [{type: header, key: k, condition: equal, value: v}]"
BASE = """\
application: shop
defaults:
  replicas: 2
  labels: {team: core, tier: web}
components:
  cart:
    version: 1.4.2
    lifecycle: {ignore: [restart], drift: {replicas: correct}}
    depends_on: [pay]
  pay: {version: 3.0.1, replicas: 3, state: running}
"""


def load_prod(project: Project, overlay: str, base: str = BASE) -> dict[str, Desired]:
    """The components of prod.yaml, an overlay of the base beside it, by name."""
    project.write(base, "base.yaml")
    project.write("extends: base.yaml\nenvironment: prod\n" + overlay, "prod.yaml")
    loaded = project.load().components
    assert {d.address.environment for d in loaded} == {"prod"}
    return {d.address.component: d for d in loaded}


def codes(project: Project) -> list[tuple[str, str]]:
    """Of a project that is refused: each code with its place."""
    return [(d.code, str(d.mark)) for d in project.refuse()]


def test_an_overlay_without_components_is_its_base_in_another_environment(project: Project) -> None:
    """Dependencies on components of the document lead to those of the overlay."""
    loaded = load_prod(project, "")
    assert set(loaded) == {"cart", "pay"}
    assert loaded["cart"].depends_on == (Address("shop", "pay", "prod"),)
    assert loaded["cart"].wish == Wish(picture=VersionPicture("1.4.2"), replicas=2)
    assert str(loaded["cart"].origin) == "manifests/base.yaml:6:3"


def test_maps_merge_and_the_rest_is_replaced(project: Project) -> None:
    """At every level; lists are not joined; a component of the overlay alone is one more."""
    loaded = load_prod(
        project,
        """\
defaults: {labels: {tier: db}, ready: {hold_s: 5}}
components:
  cart:
    replicas: 6
    lifecycle: {ignore: [state], drift: {gray: correct}}
    depends_on: []
  new: {version: 1.0.0}
""",
    )
    assert set(loaded) == {"cart", "pay", "new"}
    cart = loaded["cart"]
    assert cart.wish == Wish(picture=VersionPicture("1.4.2"), replicas=6)
    assert cart.lifecycle == Lifecycle(ignore=frozenset({"state"}), correct=frozenset({"replicas", "gray"}))
    assert cart.depends_on == ()
    assert dict(loaded["new"].labels) == {"team": "core", "tier": "db"}
    assert loaded["new"].ready == Ready(hold_s=5)
    assert str(cart.origin) == "manifests/prod.yaml:5:3"


def test_two_overlays_of_one_base_are_two_environments(project: Project) -> None:
    """The base itself is loaded for neither, and stays as it was for the second."""
    project.write(BASE, "base.yaml")
    project.write("extends: base.yaml\nenvironment: prod\ncomponents: {pay: {replicas: 9}}\n", "prod.yaml")
    project.write("extends: base.yaml\nenvironment: staging\ncomponents: {cart: null}\n---\n", "staging.yaml")
    project.write("application: other\ncomponents: {batch: {}}\n", "other.yaml")
    loaded = project.load()
    # cart is gone from staging: nothing there depends on it
    assert {str(d.address): d.wish.replicas for d in loaded.components} == {
        "shop/cart@prod": 2,
        "shop/pay@prod": 9,
        "shop/pay@staging": 3,
        "other/batch": None,
    }
    assert loaded.files == tuple(f"manifests/{n}.yaml" for n in ("base", "other", "prod", "staging"))


def test_several_documents_of_a_file_may_extend(project: Project) -> None:
    """All environments in one file."""
    project.write(BASE, "base.yaml")
    project.write(
        "extends: base.yaml\nenvironment: a\n---\nextends: base.yaml\nenvironment: b\n---\napplication: c\n", "all.yaml"
    )
    assert {d.address.environment for d in project.load().components} == {"a", "b"}


@pytest.mark.parametrize("location", ["bases/shop.yaml", "shop.yaml", "manifests/deep/shop.yml"])
def test_a_base_may_stand_anywhere_in_the_project(project: Project, location: str) -> None:
    """In the folder of manifests or outside of it; the path is relative to the file that extends."""
    path = project.root / location
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(BASE)
    here = project.root / "manifests" / "envs" / "prod.yaml"
    project.write(f"extends: {os.path.relpath(path, here.parent)}\nenvironment: prod\n", "envs/prod.yaml")
    assert [str(d.address) for d in project.load().components] == ["shop/cart@prod", "shop/pay@prod"]


def test_a_base_needs_no_application(project: Project) -> None:
    """Only what comes of all documents together must be complete."""
    base = "defaults: {replicas: 2}\ncomponents: {cart: {}}\n"
    project.write(base, "base.yaml")
    project.write("extends: base.yaml\napplication: shop\n", "shop.yaml")
    project.write("extends: base.yaml\napplication: pay\n", "pay.yaml")
    assert [str(d.address) for d in project.load().components] == ["pay/cart", "shop/cart"]


def test_bases_may_extend_further(project: Project) -> None:
    """Each is laid over the one before; a middle file is a base like any other."""
    project.write("application: shop\ncomponents: {cart: {version: 1.0.0, replicas: 1}}\n", "a.yaml")
    project.write("extends: a.yaml\ncomponents: {cart: {replicas: 2, labels: {from: b}}}\n", "b.yaml")
    project.write("extends: b.yaml\nenvironment: prod\ncomponents: {cart: {labels: {too: c}}}\n", "c.yaml")
    (cart,) = project.load().components
    assert cart.wish == Wish(picture=VersionPicture("1.0.0"), replicas=2)
    assert dict(cart.labels) == {"from": "b", "too": "c"}


def test_as_many_bases_as_allowed(project: Project) -> None:
    """And one more is too many, said once."""
    project.write("application: shop\ncomponents: {cart: {}}\n", "f000.yaml")
    for number in range(1, MAX_BASES + 1):
        project.write(f"extends: f{number - 1:03}.yaml\n", f"f{number:03}.yaml")
    assert len(project.load().components) == 1
    project.write(f"extends: f{MAX_BASES:03}.yaml\n", "last.yaml")
    assert codes(project) == [("extends_too_deep", "manifests/last.yaml:1:10")]


def test_two_thousand_bases_one_on_the_other_are_refused_in_words(project: Project) -> None:
    """Nothing recurses along them: Python would give up at half of it."""
    project.write("application: shop\ncomponents: {cart: {}}\n", "f0.yaml")
    for number in range(1, 2_000):
        (project.root / f"manifests/f{number}.yaml").write_text(f"extends: f{number - 1}.yaml\n")
    assert codes(project) == [("extends_too_deep", "manifests/f1999.yaml:1:10")]


# What null removes: base, overlay, the component that comes of it


@pytest.mark.parametrize(
    ("overlay", "wish"),
    [
        ("components: {pay: {version: null}}", Wish(replicas=3, state="running")),
        ("components: {pay: {state: ~}}", Wish(picture=VersionPicture("3.0.1"), replicas=3)),
        ("components: {pay: {replicas: null}}", Wish(picture=VersionPicture("3.0.1"), state="running")),
        (
            "defaults: {replicas: null}\ncomponents: {pay: {replicas: null}}",
            Wish(picture=VersionPicture("3.0.1"), state="running"),
        ),
        ("defaults: null", Wish(picture=VersionPicture("3.0.1"), replicas=3, state="running")),
    ],
)
def test_null_removes_a_value_wherever_it_comes_from(project: Project, overlay: str, wish: Wish) -> None:
    """In a component the value of the base and the default under it: there is no such value then."""
    assert load_prod(project, overlay)["pay"].wish == wish


def test_null_removes_one_label_or_all(project: Project) -> None:
    """Of the base's component and of the defaults alike."""
    base = BASE + "    labels: {own: x, team: pay}\n".replace("    labels", "  late:\n    labels")
    loaded = load_prod(project, "components: {late: {labels: {team: null}}, pay: {labels: null}}", base)
    assert dict(loaded["late"].labels) == {"own": "x", "tier": "web"}
    assert dict(loaded["pay"].labels) == {}
    assert dict(loaded["cart"].labels) == {"team": "core", "tier": "web"}


def test_null_removes_a_component_or_the_environment(project: Project) -> None:
    """The whole entry."""
    project.write("environment: prod\n" + BASE, "base.yaml")
    project.write("extends: base.yaml\nenvironment: null\ncomponents: {cart: null}\n", "x.yaml")
    assert [str(d.address) for d in project.load().components] == ["shop/pay"]


def test_null_makes_room_for_another_rule(project: Project) -> None:
    """A gray release by rules becomes one by weight."""
    base = (
        f"application: shop\ncomponents:\n  cart: {{version: 1.0.0, gray: {{version: 1.1.0, match: any, {RULES}}}}}\n"
    )
    loaded = load_prod(project, "components: {cart: {gray: {weight: 20, rules: null, match: null}}}", base)
    assert loaded["cart"].wish.picture == VersionPicture("1.0.0", Gray("1.1.0", GrayRule(weight=20)))
    staying = load_prod(project, "components: {cart: {gray: {match: all}}}", base)
    rule = GrayRule(match="all", rules=frozenset({ContentRule("header", "k", "equal", "v")}))
    assert staying["cart"].wish.picture == VersionPicture("1.0.0", Gray("1.1.0", rule))
    assert load_prod(project, "components: {cart: {gray: null}}", base)["cart"].wish.picture == VersionPicture("1.0.0")


@pytest.mark.parametrize(
    ("overlay", "place"),
    [
        ("components: {cart: {state: null}}", "3:28"),
        ("components: {cart: {gray: null}}", "3:27"),
        ("components: {nobody: null}", "3:22"),
        ("components: {new: {version: null}}", "3:29"),
        ("components: {cart: {labels: {nobody: null}}}", "3:38"),
        ("defaults: {state: null}", "3:19"),
        ("defaults: {labels: {nobody: null}}", "3:29"),
    ],
)
def test_null_over_nothing_is_still_an_error(project: Project, overlay: str, place: str) -> None:
    """Nobody removes what is not there: a name is misspelt."""
    project.write(BASE, "base.yaml")
    project.write(f"extends: base.yaml\nenvironment: prod\n{overlay}\n", "prod.yaml")
    (found,) = project.refuse()
    assert (found.code, str(found.mark)) == ("null_value", f"manifests/prod.yaml:{place}")
    assert "manifests/base.yaml" in (found.hint or "")


def test_null_over_a_removed_value_removes_nothing(project: Project) -> None:
    """What the middle file took away is not there for the last one."""
    project.write(BASE, "base.yaml")
    project.write("extends: base.yaml\ncomponents: {pay: {state: null}}\n", "middle.yaml")
    project.write("extends: middle.yaml\ncomponents: {pay: {state: null}}\n", "last.yaml")
    assert codes(project) == [("null_value", "manifests/last.yaml:2:27")]
    project.write("extends: middle.yaml\ncomponents: {pay: {state: stopped}}\n", "last.yaml")
    assert project.load().components[1].wish.state == "stopped"


# What can be wrong


def test_errors_point_into_the_file_where_the_value_stands(project: Project) -> None:
    """Of both files, each once, however many overlays a base has."""
    project.write("application: shop\ncomponents:\n  cart: {replica: 4, version: 1.10}\n", "base.yaml")
    for name in ("prod", "staging"):
        project.write(f"extends: base.yaml\nenvironment: {name}\ncomponents: {{cart: {{state: on}}}}\n", f"{name}.yaml")
    assert codes(project) == [
        ("unknown_key", "manifests/base.yaml:3:10"),
        ("unquoted_text", "manifests/base.yaml:3:31"),
        ("unknown_value", "manifests/prod.yaml:3:28"),
        ("unknown_value", "manifests/staging.yaml:3:28"),
    ]


def test_weight_beside_inherited_rules_names_both_places(project: Project) -> None:
    """The place of the error is that in the overlay, whichever of the two stands there."""
    head = "application: shop\ncomponents:\n  cart:\n    version: 1.0.0\n"
    for mine, other in (("weight: 5", RULES), (RULES, "weight: 5")):
        project.write(f"{head}    gray: {{version: 1.1.0, {other}}}\n", "base.yaml")
        project.write(f"extends: base.yaml\nenvironment: e\ncomponents: {{cart: {{gray: {{{mine}}}}}}}\n", "prod.yaml")
        (found,) = project.refuse()
        assert (found.code, str(found.mark)) == ("weight_and_rules", "manifests/prod.yaml:3:28")
        assert "manifests/base.yaml:5:28" in found.message
        assert "null" in (found.hint or "")


@pytest.mark.parametrize(
    ("base", "overlay", "code", "place", "other"),
    [
        ("state: stopped", "gray: {version: 1.1.0, weight: 5}", "gray_with_stopped", "prod.yaml:3:21",
         "base.yaml:3:26"),
        ("replicas: 1", "gray: {version: 1.1.0, weight: 5}", "gray_needs_two_replicas", "base.yaml:3:36",
         "prod.yaml:3:21"),
        ("gray: {version: 1.1.0, weight: 5}", "version: 1.1.0", "gray_candidate_equals_version", "base.yaml:3:42",
         "prod.yaml:3:21"),
    ],
)  # fmt: skip
def test_rules_between_keys_hold_across_files(
    project: Project, base: str, overlay: str, code: str, place: str, other: str
) -> None:
    """And name the place of the other key."""
    project.write(f"application: shop\ncomponents:\n  cart: {{version: 1.0.0, {base}}}\n", "base.yaml")
    project.write(f"extends: base.yaml\nenvironment: e\ncomponents: {{cart: {{{overlay}}}}}\n", "prod.yaml")
    (found,) = project.refuse()
    assert (found.code, str(found.mark)) == (code, f"manifests/{place}")
    assert f"manifests/{other}" in found.message


def test_overlays_that_do_not_differ_describe_a_component_twice(project: Project) -> None:
    """The error stands at the second document, and says what both have in common, once for all components."""
    project.write(BASE, "base.yaml")
    project.write("extends: base.yaml\n", "a.yaml")
    project.write("extends: base.yaml\n", "b.yaml")
    (found,) = project.refuse()
    assert (found.code, str(found.mark)) == ("duplicate_component", "manifests/b.yaml:1:1")
    assert "manifests/a.yaml:1:1" in found.message
    assert "manifests/base.yaml:6:3" in found.message
    assert "environment of its own" in (found.hint or "")


def test_an_incomplete_overlay_lacks_its_application(project: Project) -> None:
    """The place is the overlay's: the base need not have one."""
    project.write("components: {cart: {}}\n", "base.yaml")
    project.write("extends: base.yaml\n", "prod.yaml")
    assert codes(project) == [("missing_key", "manifests/prod.yaml:1:1")]


@pytest.mark.parametrize(
    ("value", "code", "place"),
    [
        ("", "null_value", 9),
        ("''", "bad_text", 10),
        ("7", "unquoted_text", 10),
        ("[base.yaml]", "wrong_type", 10),
        ("{a: b}", "wrong_type", 10),
        ("/etc/passwd", "outside_project", 10),
        ("../../../../../../../../etc/passwd", "outside_project", 10),
        ("../../outside.yaml", "outside_project", 10),
        ("link.yaml", "outside_project", 10),
        ("../statetool.yml/../../outside.yaml", "outside_project", 10),
        ("bsae.yaml", "base_not_found", 10),
        ("base.yaml/x.yaml", "base_not_found", 10),
        ("folder.yaml", "unreadable_file", 10),
        ("../odd/loop.yaml", "unreadable_file", 10),
        ("../odd/pipe.yaml", "unreadable_file", 10),
        ("notes.txt", "not_a_manifest", 10),
        ("secret.yaml", "not_a_manifest", 10),
        ("../manifests", "not_a_manifest", 10),
        (f"{'x' * 4000}.yaml", "base_not_found", 10),
        (f"{'x' * 5000}.yaml", "bad_text", 10),
        ("${var.x}.yaml", "variable_in_extends", 10),
        ("empty.yaml", "empty_base", 10),
        ("prod.yaml", "extends_cycle", 10),
        ("./../manifests/prod.yaml", "extends_cycle", 10),
    ],
)
def test_what_can_not_be_extended(project: Project, value: str, code: str, place: int) -> None:
    """Each with the place of the value, and nothing of what stands in the other file."""
    (project.root.parent / "outside.yaml").write_text("application: outside-secret\n")
    project.write(f"extends: {value}\nenvironment: prod\n", "prod.yaml")
    folder = project.root / "manifests"
    (folder / "base.yaml").write_text(BASE)
    (folder / "link.yaml").symlink_to(project.root.parent / "outside.yaml")
    (folder / "folder.yaml").mkdir()
    odd = project.root / "odd"
    odd.mkdir()
    (odd / "loop.yaml").symlink_to(odd / "loop.yaml")
    os.mkfifo(odd / "pipe.yaml")
    (folder / "notes.txt").write_text("password: text-secret\n")
    (folder / "secret.yaml").symlink_to(folder / "notes.txt")
    (folder / "empty.yaml").write_text("# nothing yet\n---\n")
    found = [d for d in project.refuse() if d.mark and d.mark.file == "manifests/prod.yaml"]
    assert [(d.code, d.mark.line, d.mark.column) for d in found if d.mark] == [(code, 1, place)]
    assert found[0].hint
    assert "secret" not in found[0].message.replace("secret.yaml", "")


def test_a_misspelt_base_gets_a_near_name(project: Project) -> None:
    """Of its folder."""
    project.write(BASE, "base.yaml")
    project.write("extends: bsae.yaml\nenvironment: prod\n", "prod.yaml")
    (found,) = [d for d in project.refuse() if d.code == "base_not_found"]
    assert "did you mean base.yaml?" in (found.hint or "")
    assert "manifests/bsae.yaml" in found.message


@pytest.mark.parametrize("text", ["- a\n", "SECRET=x\n", "null\n"])
def test_a_base_that_is_no_map_is_not_shown(project: Project, text: str) -> None:
    """It may be any YAML file of the project."""
    project.write(text, "base.yaml")
    project.write("extends: base.yaml\nenvironment: prod\n", "prod.yaml")
    (found,) = project.refuse()
    assert (found.code, str(found.mark)) == ("wrong_type", "manifests/base.yaml:1:1")
    assert "SECRET" not in found.message + (found.hint or "")


def test_a_base_is_one_document(project: Project) -> None:
    """Which of several would be meant can't be told."""
    project.write(BASE + "---\n" + BASE, "base.yaml")
    project.write("extends: base.yaml\nenvironment: prod\n", "prod.yaml")
    (found,) = project.refuse()
    assert (found.code, str(found.mark)) == ("several_documents", "manifests/base.yaml:12:1")
    assert "manifests/prod.yaml:1:10" in found.message


@pytest.mark.parametrize("length", [1, 2, 3, 40])
def test_a_circle_names_its_files_and_their_places_once(project: Project, length: int) -> None:
    """Also where it is longer than a chain may be, and whoever leads into it."""
    for number in range(length):
        project.write(f"extends: f{(number + 1) % length:02}.yaml\n", f"f{number:02}.yaml")
    project.write("extends: f00.yaml\nenvironment: prod\n", "a-first.yaml")
    project.write(BASE, "z-sound.yaml")
    (found,) = project.refuse()
    assert (found.code, str(found.mark)) == ("extends_cycle", "manifests/f00.yaml:1:10")
    for number in range(length):
        assert f"manifests/f{number:02}.yaml (manifests/f{(number - 1) % length:02}.yaml:1:10)" in found.message


def test_a_broken_base_is_said_once_and_its_overlays_not_at_all(project: Project) -> None:
    """Without the base nothing can be told of them; nor is a component of theirs unknown to others."""
    project.write(BASE + "  open: ]\n", "base.yaml")
    project.write("extends: base.yaml\nenvironment: prod\n", "prod.yaml")
    project.write("extends: base.yaml\nenvironment: staging\n", "staging.yaml")
    project.write("application: web\ncomponents: {page: {depends_on: [shop/cart@prod]}}\n", "web.yaml")
    assert codes(project) == [("yaml_syntax", "manifests/base.yaml:11:9")]


@pytest.mark.parametrize("written", ["extends: base.yaml", 'extends:  "base.yaml" # ours'])
def test_the_base_of_a_broken_overlay_is_no_manifest(project: Project, written: str) -> None:
    """It lacks an application, as a base may: that is not an error of its own."""
    project.write("components: {cart: {}}\n", "base.yaml")
    project.write(f"{written}\nenvironment: ]\n", "prod.yaml")
    assert codes(project) == [("yaml_syntax", "manifests/prod.yaml:2:14")]


def test_a_file_reached_by_two_ways_is_one_base(project: Project) -> None:
    """A link into the folder of manifests is the file itself, and paths in it lead where they lead from there."""
    shared = project.root / "shared"
    shared.mkdir()
    (shared / "base.yaml").write_text(BASE)
    (shared / "prod.yaml").write_text("extends: base.yaml\nenvironment: prod\n")
    (project.root / "manifests").mkdir()
    (project.root / "manifests" / "link.yaml").symlink_to(shared / "prod.yaml")
    (project.root / "manifests" / "base.yaml").symlink_to(shared / "base.yaml")
    loaded = project.load()
    assert [str(d.address) for d in loaded.components] == ["shop/cart@prod", "shop/pay@prod"]
    assert loaded.files == ("manifests/base.yaml", "manifests/link.yaml")


def test_a_large_base_copied_often_is_refused_in_words(project: Project) -> None:
    """As with aliases: a few lines must not stand for thousands of millions of values. Said once."""
    project.write(BASE, "base.yaml")
    project.write("".join(f"extends: base.yaml\nenvironment: e{n}\n---\n" for n in range(5)), "all.yaml")
    files, _ = find_files(project.root, [Path("manifests")])
    library = Library(project.root, files, most_inherited=50)
    assert 1 <= len(list(library.documents())) < 4
    (found,) = library.diagnostics
    assert (found.code, library.complete) == ("extends_limit", False)


def test_all_manifests_together_have_a_limit(project: Project) -> None:
    """They are held until it is known which of them are bases. Said once."""
    for name in "abcde":
        project.write(f"application: {name}\n#{'x' * 100}\n", f"{name}.yaml")
    files, _ = find_files(project.root, [Path("manifests")])
    assert len(list(Library(project.root, files, most_bytes=1000).documents())) == 5
    library = Library(project.root, files, most_bytes=200)
    assert len(list(library.documents())) == 2
    assert [(d.code, str(d.mark)) for d in library.diagnostics] == [("project_too_large", "manifests/b.yaml:1:1")]
    assert not library.complete


@pytest.mark.parametrize("key", ['"extends"', '"\\x65xtends"', "? extends\n"])
def test_however_the_key_is_written(project: Project, key: str) -> None:
    """Quotes and escapes are the same key."""
    project.write(BASE, "base.yaml")
    project.write(f"{key}: base.yaml\nenvironment: prod\n", "prod.yaml")
    assert {d.address.environment for d in project.load().components} == {"prod"}


def test_extends_belongs_to_the_document(project: Project) -> None:
    """In a component it is an unknown key as before."""
    project.write("application: shop\ncomponents: {cart: {extends: base.yaml}}\n", "a.yaml")
    assert [code for code, _ in codes(project)] == ["unknown_key"]


def test_a_configured_file_that_is_extended_is_a_base_too(project: Project, tmp_path: Path) -> None:
    """Naming it in `manifests` does not load it for itself."""
    project.write(BASE, "base.yaml")
    project.write("extends: base.yaml\nenvironment: prod\n", "prod.yaml")
    loaded = load_manifests(tmp_path, [Path("manifests/base.yaml"), Path("manifests/prod.yaml")])
    assert {d.address.environment for d in loaded.components} == {"prod"}
