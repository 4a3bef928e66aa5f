"""Variables: who gives them, what a value becomes, and what is never told of them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from statetool.core.model import Gray, GrayRule, Origin, VariableOrigin, VersionPicture, Wish
from statetool.errors import Diagnostic, SourceMark
from statetool.manifest.substitution import MAX_ADDED_CHARACTERS
from statetool.manifest.variables import Variables, load_variables

if TYPE_CHECKING:
    from conftest import Project

SECRET = "sesame/street"
"""No value of any field, so that it can stand in no manifest that is accepted, but for texts that may be anything."""


def given(**values: str) -> Variables:
    """As with --var."""
    return load_variables({}, [], list(values.items()))


def environment(**values: str) -> Variables:
    """As with STATETOOL_VAR_name."""
    return load_variables({f"STATETOOL_VAR_{name}": value for name, value in values.items()}, [], [])


def from_file(tmp_path: Path, text: str | bytes, name: str = "vars.yaml") -> Variables:
    """As with --var-file."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_variables({}, [path], [])


def load_cart(project: Project, component: str, variables: Variables) -> Wish:
    project.write("application: shop\ncomponents:\n  cart:\n" + textwrap.indent(component, "    ") + "\n")
    return project.load(variables).components[0].wish


def refuse_cart(project: Project, component: str, variables: Variables) -> Diagnostic:
    project.write("application: shop\ncomponents:\n  cart:\n" + textwrap.indent(component, "    ") + "\n")
    (found,) = project.refuse(variables)
    return found


# What a value becomes


@pytest.mark.parametrize(
    ("component", "values", "wish"),
    [
        ("replicas: '${var.n}'", {"n": "auto"}, Wish()),
        ("replicas: ${var.n}", {"n": "4"}, Wish(replicas=4)),
        ("replicas: ${var.n}", {"n": "auto"}, Wish()),
        ("state: ${var.s}", {"s": "stopped"}, Wish(state="stopped")),
        ("version: '${var.v}'", {"v": "1.4.2"}, Wish(picture=VersionPicture("1.4.2"))),
        ("version: ${var.v}", {"v": "1.4.2"}, Wish(picture=VersionPicture("1.4.2"))),
        ("version: 1.${var.v}", {"v": "4.2"}, Wish(picture=VersionPicture("1.4.2"))),
        ("version: ${var.a}.${var.b}.${var.a}", {"a": "1", "b": "10"}, Wish(picture=VersionPicture("1.10.1"))),
        ("restart: ${var.t}", {"t": "007"}, Wish(restart="007")),
        ("restart: ${var.t}", {"t": "7"}, Wish(restart="7")),
        ("restart: '${var.t}'", {"t": "true"}, Wish(restart="true")),
        ("restart: x${var._}", {"_": ""}, Wish(restart="x")),
        ("restart: $${var.t}", {}, Wish(restart="${var.t}")),
        ("restart: '$${var.t} ${var.t} $$ $x {}'", {"t": "now"}, Wish(restart="${var.t} now $$ $x {}")),
        ("restart: '$$${var.t}'", {}, Wish(restart="$${var.t}")),
        ("restart: ${var.t}", {"t": "${var.u}"}, Wish(restart="${var.u}")),
        ("restart: ${var.t}", {"t": "$${var.u}"}, Wish(restart="$${var.u}")),
        ('restart: "\\x24{var.t}"', {"t": "x"}, Wish(restart="x")),
        ("restart: ${var.t}", {"t": "a: [b, {c"}, Wish(restart="a: [b, {c")),
        ("restart: ${var.t}", {"t": "# no comment"}, Wish(restart="# no comment")),
        ("restart: ${var.t}", {"t": "*x"}, Wish(restart="*x")),
        ("restart: ${var.t}", {"t": "!!str x"}, Wish(restart="!!str x")),
        ("restart: ${var.t}", {"t": '"4"'}, Wish(restart='"4"')),
        ("restart: ${var.t}", {"t": " 4"}, Wish(restart=" 4")),
        ("restart: ${var.t}", {"t": "支付，４".replace("，４", "")}, Wish(restart="支付")),
        (
            "version: 1.0.0\ngray:\n  version: 1.1.0\n  weight: ${var.w}",
            {"w": "20"},
            Wish(picture=VersionPicture("1.0.0", Gray("1.1.0", GrayRule(weight=20)))),
        ),
    ],
)
def test_a_value_is_what_would_stand_there(
    project: Project, component: str, values: dict[str, str], wish: Wish
) -> None:
    """Alone and without quotes with its type, else as text; never as syntax, and never looked through again."""
    assert load_cart(project, component, given(**values)) == wish
    assert load_cart(project, component, environment(**values)) == wish


def test_every_value_of_a_document_may_hold_variables(project: Project) -> None:
    """Names, defaults, labels and items of lists too."""
    project.write("""\
application: ${var.app}
environment: ${var.env}
defaults:
  labels: {env: "${var.env}"}
  lifecycle:
    protected: ${var.yes}
components:
  cart:
    depends_on: ["${var.dep}"]
    ready:
      timeout_s: ${var.n}
  pay: {labels: {env: "${var.env}-${var.n}"}}
""")
    variables = given(app="shop", env="prod", dep="pay", n="60", yes="true")
    cart, pay = project.load(variables).components
    assert [str(d.address) for d in (cart, pay)] == ["shop/cart@prod", "shop/pay@prod"]
    assert cart.depends_on == (pay.address,)
    assert (cart.ready.timeout_s, cart.lifecycle.protected) == (60, True)
    assert (dict(cart.labels), dict(pay.labels)) == ({"env": "prod"}, {"env": "prod-60"})


def test_an_alias_of_a_value_is_the_same_value(project: Project) -> None:
    """Both places get what the variable holds, and a complaint is made once."""
    project.write("application: shop\ncomponents:\n  aa: &x\n    replicas: ${var.n}\n  bb: *x\n")
    assert [d.wish.replicas for d in project.load(given(n="3")).components] == [3, 3]
    assert len(project.refuse(given())) == 1


def test_variables_of_a_base_are_those_of_its_overlay(project: Project) -> None:
    """Each document is put together first; what an overlay replaced needs no variable."""
    fields = "    replicas: ${var.n}\n    restart: ${var.t}\n"
    project.write(f"application: shop\ncomponents:\n  cart:\n{fields}", "base.yaml")
    project.write("extends: base.yaml\nenvironment: a\ncomponents: {cart: {restart: x}}\n", "a.yaml")
    project.write("extends: base.yaml\nenvironment: b\ncomponents: {cart: {restart: y}}\n", "b.yaml")
    loaded = project.load(given(n="3"))
    assert [d.wish for d in loaded.components] == [Wish(replicas=3, restart="x"), Wish(replicas=3, restart="y")]


def test_a_manifest_without_variables_is_untouched(project: Project) -> None:
    """A dollar alone is text; nothing has to be escaped but `${`."""
    assert load_cart(project, "restart: 'a$b$$c$ {var.x} $'", Variables()).restart == "a$b$$c$ {var.x} $"


# Who gives a variable


def test_the_later_giver_wins(project: Project, tmp_path: Path) -> None:
    """Environment, then files in their order, then --var in its order: as in Terraform."""
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("b: file-one\nc: file-one\nd: file-one\n")
    two.write_text("c: file-two\nd: file-two\n")
    environ = {f"STATETOOL_VAR_{name}": "environment" for name in "abcd"}
    variables = load_variables(environ, [one, two], [("d", "first"), ("d", "second")])
    text = "${var.a} ${var.b} ${var.c} ${var.d}"
    assert load_cart(project, f"restart: '{text}'", variables).restart == "environment file-one file-two second"


@pytest.mark.parametrize(
    "name", ["HOME", "STATETOOL_VAR", "STATETOOL_VAR_", "STATETOOL_VAR_1x", "STATETOOL_VAR_a-b", "statetool_var_x",
             "XSTATETOOL_VAR_x", "STATETOOL_PLAN_VAR", "HW_SECRET_KEY"]
)  # fmt: skip
def test_no_other_variable_of_the_environment_is_one(name: str) -> None:
    """A manifest is written by whoever opens a pull request."""
    assert load_variables({name: SECRET}, [], []).known == {}


def test_names_are_as_written_in_the_environment() -> None:
    """Upper and lower case are two variables."""
    known = load_variables({"STATETOOL_VAR_x": "1", "STATETOOL_VAR_X": "2"}, [], []).known
    assert {name: variable.text for name, variable in known.items()} == {"x": "1", "X": "2"}


@pytest.mark.parametrize(
    ("text", "component", "wish"),
    [
        ("n: 4", "replicas: ${var.n}", Wish(replicas=4)),
        ("n: 4", "restart: '${var.n}'", Wish(restart="4")),
        ('v: "1.10.0"', "version: ${var.v}", Wish(picture=VersionPicture("1.10.0"))),
        ("v: 1.10", "version: 2.${var.v}", Wish(picture=VersionPicture("2.1.10"))),
        ("v: 1.10", "restart: '${var.v}'", Wish(restart="1.10")),
        ('t: "${var.u}"', "restart: ${var.t}", Wish(restart="${var.u}")),
        ('t: "$${x}"', "restart: ${var.t}", Wish(restart="$${x}")),
        ("t: ''", "restart: x${var.t}", Wish(restart="x")),
        ("# nothing\nt: &a x\nu: *a", "restart: ${var.u}", Wish(restart="x")),
    ],
)
def test_values_of_a_file_keep_their_type(
    project: Project, tmp_path: Path, text: str, component: str, wish: Wish
) -> None:
    """And their spelling, where they become text."""
    assert load_cart(project, component, from_file(tmp_path, text + "\n")) == wish


def test_text_of_a_file_is_no_number(project: Project, tmp_path: Path) -> None:
    """Quotes in the file mean what they mean in a manifest."""
    found = refuse_cart(project, "replicas: ${var.n}", from_file(tmp_path, 'n: "4"\n'))
    assert (found.code, found.hint) == ("wrong_type", "remove the quotes")
    assert f"n from {tmp_path}/vars.yaml:1:4" in found.message


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: [1]\n", "wrong_type", "1:4"),
        ("a: {b: 1}\n", "wrong_type", "1:4"),
        ("a:\n", "null_value", "1:3"),
        ("a: ~\n", "null_value", "1:4"),
        ("a-b: 1\n", "bad_name", "1:1"),
        ("1a: 1\n", "bad_name", "1:1"),
        ("ä: 1\n", "bad_name", "1:1"),
        ("a: 1\na: 2\n", "duplicate_key", "2:1"),
        ("a: 1\n---\nb: 2\n", "several_documents", "3:1"),
        ("- a\n", "wrong_type", "1:1"),
        ("a\n", "wrong_type", "1:1"),
        ("a: [\n", "yaml_syntax", "2:1"),
        ("a: !!str 4\n", "yaml_tag", "1:4"),
        ('a: "x\\x1b[2J"\n', "control_character", "1:4"),
        ("a: |\n  b\n  c\n", "line_break", "1:4"),
        ("a: 99999999999999999999\n", "integer_too_large", "1:4"),
        ("a: ４\n", "full_width_character", "1:4"),
        (b"a: \xff\n", "not_utf8", "1:4"),
        ("a: \0\n", "nul_character", "1:4"),
    ],
)
def test_a_bad_file_of_variables_is_refused_with_its_places(
    project: Project, tmp_path: Path, text: str | bytes, code: str, place: str
) -> None:
    """Together with the errors of manifests; a variable that may stand in it is not called unknown."""
    project.write("application: shop\ncomponents: {cart: {replica: 4, restart: '${var.other}'}}\n")
    found = project.refuse(from_file(tmp_path, text))
    assert {(d.code, str(d.mark)) for d in found} == {
        (code, f"{tmp_path}/vars.yaml:{place}"),
        ("unknown_key", "manifests/shop.yaml:2:21"),
    }
    assert all(d.hint for d in found)


def test_a_missing_file_of_variables_is_named_with_its_option(project: Project, tmp_path: Path) -> None:
    """It has no place."""
    project.write("application: shop\ncomponents: {cart: {}}\n")
    (found,) = project.refuse(load_variables({}, [tmp_path / "nope.yaml"], []))
    assert (found.code, found.mark) == ("unreadable_file", None)
    assert "--var-file" in found.message
    assert "nope.yaml" in found.message


def test_an_empty_file_of_variables_has_none(project: Project, tmp_path: Path) -> None:
    """Comments only are fine."""
    assert from_file(tmp_path, "# nothing yet\n") == Variables()


# What can be wrong where a variable is used


@pytest.mark.parametrize("component", ["{replicas: ${var.n}}", "{depends_on: [a, ${var.n}]}", "{restart: a${var.n}}"])
def test_a_reference_between_brackets_needs_quotes(project: Project, component: str) -> None:
    """Braces are YAML's own there: the error stands at the reference and says what to write."""
    project.write(f"application: shop\ncomponents:\n  cart: {component}\n")
    (found,) = project.refuse(environment(n="4"))
    assert (found.code, str(found.mark)) == ("yaml_syntax", f"manifests/shop.yaml:3:{9 + component.index('$')}")
    assert 'write "${var.name}"' in (found.hint or "")


@pytest.mark.parametrize(
    ("component", "code", "column", "hint"),
    [
        ("restart: ${var.tken}", "undefined_variable", 14, "did you mean ${var.token}?"),
        ("restart: '${var.x}'", "undefined_variable", 14, "--var x=VALUE, in a file for --var-file, or as "
         "STATETOOL_VAR_x"),
        ("restart: a${var.x}b${var.y}", "undefined_variable", 14, "--var x=VALUE"),
        ("restart: ${var.token }", "bad_reference", 14, "${var.name}"),
        ("restart: '${ var.token }'", "bad_reference", 14, "${var.name}"),
        ("restart: '${var.token'", "bad_reference", 14, "${var.name}"),
        ("restart: '${token}'", "bad_reference", 14, "${var.name}"),
        ("restart: '${env.HOME}'", "bad_reference", 14, "$${ stands for"),
        ("restart: '${var.${var.token}}'", "bad_reference", 14, "${var.name}"),
        ("restart: '${var.token.more}'", "bad_reference", 14, "${var.name}"),
        ("restart: '${}'", "bad_reference", 14, "${var.name}"),
        ("restart: '${var.}'", "bad_reference", 14, "${var.name}"),
        ("restart: '${var.tökén}'", "bad_reference", 14, "${var.name}"),
        ("labels: {'${var.token}': x}", "variable_in_key", 14, "write the key out"),
        ("'${var.token}': x", "variable_in_key", 5, "write the key out"),
    ],
)  # fmt: skip
def test_a_bad_reference_is_named_with_place_and_hint(
    project: Project, component: str, code: str, column: int, hint: str
) -> None:
    """And nothing else is said of that value."""
    found = refuse_cart(project, component, environment(token="x"))
    assert (found.code, str(found.mark)) == (code, f"manifests/shop.yaml:4:{column}")
    assert hint in (found.hint or "")


@pytest.mark.parametrize(
    ("component", "value", "code", "hint"),
    [
        ("version: ${var.x}", "1.10", "unquoted_text", "put it in quotes; it must be A.B.C"),
        ("labels:\n  a: ${var.x}", "1.10", "unquoted_text", 'write "${var.x}" in quotes'),
        ("labels:\n  a: ${var.x}", "true", "unquoted_text", 'write "${var.x}" in quotes'),
        ("version: '${var.x}'", "1.10", "bad_version", "A.B.C"),
        ("version: v${var.x}", "1.1.0", "bad_version", "A.B.C"),
        ("replicas: ${var.x}", "-77", "out_of_range", "at least 0"),
        ("replicas: ${var.x}", "four", "wrong_type", "or auto"),
        ("replicas: ${var.x}", "{min: 3}", "wrong_type", "or auto"),
        ("replicas: ${var.x}", "012", "wrong_type", "or auto"),
        ("replicas: '${var.x}'", "77", "wrong_type", "remove the quotes"),
        ("replicas: 1${var.x}", "77", "wrong_type", "remove the quotes"),
        ("replicas: ${var.x}", "", "null_value", 'write "${var.x}" in quotes'),
        ("replicas: ${var.x}", "null", "null_value", "give it one"),
        ("replicas: ${var.x}", "~", "null_value", "give it one"),
        ("restart: '${var.x}'", "", "bad_text", "1 to 256 characters"),
        ("restart: '${var.x}'", "y" * 257, "bad_text", "1 to 256 characters"),
        ("state: ${var.x}", "stoped", "unknown_value", "did you mean 'stopped'?"),
        ("state: ${var.x}", "off", "unknown_value", "running or stopped"),
        ("depends_on: ['${var.x}']", "a/b/c", "bad_dependency", "application/component"),
        ("depends_on: ['${var.x}']", "nobody", "unknown_dependency", "name a component"),
        ("lifecycle: {ignore: [gray, '${var.x}', '${var.x}']}", "state", "duplicate_item", "remove one"),
        ("restart: ${var.x}", "99999999999999999999", "integer_too_large", 'write "${var.x}" in quotes'),
        ("restart: ${var.x}", "1.5", "unquoted_text", 'write "${var.x}" in quotes'),
        ("restart: '${var.x}'", "a\nb", "line_break", "one line"),
        ("restart: ${var.x}", "a\nb", "line_break", "one line"),
        ("restart: ${var.x}", "a\tb", "control_character", "reviewers"),
        ("restart: ${var.x}", "\x1b[2J", "control_character", "reviewers"),
        ("restart: a${var.x}", "\u202e", "control_character", "reviewers"),
        ("restart: a${var.x}", "\u200b", "control_character", "reviewers"),
        ("restart: a${var.x}", "\uffff", "control_character", "reviewers"),
        ("restart: a${var.x}", "\udcff", "control_character", "reviewers"),
        ("replicas: ${var.x}", "４", "full_width_character", "ASCII"),
        ("restart: ${var.x}", "“a”", "full_width_character", "in quotes"),
        ("version: 1.0.0\ngray: {version: '${var.x}', weight: 5}", "1.0.0", "gray_candidate_equals_version",
         "another"),
        ("version: 1.0.0\nreplicas: ${var.x}\ngray: {version: 2.0.0, weight: 5}", "1", "gray_needs_two_replicas",
         "at least 2"),
        ("version: 1.0.0\ngray:\n  version: 2.0.0\n  weight: ${var.x}", "101", "out_of_range", "from 1 to 100"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("giver", [given, environment])
def test_a_bad_value_is_told_by_its_variable(
    project: Project, component: str, value: str, code: str, hint: str, giver: type[Variables]
) -> None:
    """The place where it is used and who gave it, in whatever check it fails; never the value itself."""
    found = refuse_cart(project, component, giver(x=value))
    assert found.code == code
    assert hint in (found.hint or "")
    assert found.mark is not None
    assert found.mark.file == "manifests/shop.yaml"
    assert "${var.x}" in (project.root / found.mark.file).read_text().splitlines()[found.mark.line - 1]
    assert "${var.x}" in found.message
    assert ("x from --var" if giver is given else "x from environment STATETOOL_VAR_x") in found.message
    told = found.message + (found.hint or "")
    assert value in ("", "1", "101", "state", "null", "~") or value not in told.replace("did you mean 'stopped'", "")


def test_places_of_a_file_are_given_for_its_variables(project: Project, tmp_path: Path) -> None:
    """So that one can look there."""
    found = refuse_cart(project, "version: '${var.a}${var.b}'", from_file(tmp_path, "b: x\na: y\n"))
    assert f"a from {tmp_path}/vars.yaml:2:4 and b from {tmp_path}/vars.yaml:1:4" in found.message


def test_many_variables_in_one_value_are_not_all_listed(project: Project) -> None:
    """Nobody reads a message of a thousand names."""
    names = [f"v{n}" for n in range(1000)]
    text = "".join(f"${{var.{name}}}" for name in names)
    found = refuse_cart(project, f"version: '{text}'", given(**dict.fromkeys(names, "x")))
    assert "and 997 more variables" in found.message
    found = refuse_cart(project, f"version: '{text}'", given())
    assert "the variables v0 and 999 others are not set" in found.message
    assert len(found.message) < 300


def test_variables_may_not_add_without_end(project: Project) -> None:
    """A few references to a long value would fill the memory."""
    project.write(f"application: shop\ncomponents: {{cart: {{labels: {{a: '{'${var.x}' * 1000}'}}}}}}\n")
    (found,) = project.refuse(given(x="y" * (MAX_ADDED_CHARACTERS // 999)))
    assert found.code == "variables_limit"


def test_a_name_that_can_not_be_told_is_missed_by_nobody(project: Project) -> None:
    """An unknown application hides its components, which others may depend on."""
    project.write("application: ${var.app}\ncomponents: {cart: {}}\n", "a.yaml")
    project.write("application: web\ncomponents: {page: {depends_on: [shop/cart]}}\n", "b.yaml")
    assert [d.code for d in project.refuse()] == ["undefined_variable"]


def test_a_name_that_is_too_long_is_no_address(project: Project) -> None:
    """Diagnostics show addresses: what is no name of the platform must not come in by that way."""
    project.write("application: ${var.x}\nenvironment: ${var.y}\ncomponents: {cart: {replica: 1}}\n", "a.yaml")
    found = project.refuse(environment(x="n" * 129, y="bad name"))
    assert {d.code for d in found} == {"bad_name", "unknown_key"}
    assert {d.address for d in found} == {None}
    assert not any("nnn" in d.message or "bad name" in d.message for d in found)


# --var is checked for typing errors


def test_an_assigned_variable_that_no_manifest_uses_is_an_error(project: Project) -> None:
    """With a near name that is used; those of files and of the environment may be for other projects."""
    project.write("application: shop\ncomponents:\n  cart:\n    replicas: ${var.replicas}\n")
    (found,) = project.refuse(load_variables({"STATETOOL_VAR_other": "x"}, [], [("replicas", "4"), ("replcas", "5")]))
    assert (found.code, found.mark) == ("unused_variable", None)
    assert "--var replcas" in found.message
    assert "did you mean --var replicas=VALUE?" in (found.hint or "")
    assert project.load(load_variables({"STATETOOL_VAR_other": "x"}, [], [("replicas", "4")])).components


@pytest.mark.parametrize(
    ("text", "is_used"),
    [
        ("restart: ${var.x}", True),
        ("restart: 'a ${var.x}'", True),
        ('restart: "\\x24{var.x}"', True),
        ("restart: ${var.y}", False),
        ("restart: $${var.x}", False),
        ("restart: y # ${var.x}", False),
    ],
)
def test_what_counts_as_used(project: Project, text: str, is_used: bool) -> None:
    """A reference in a value; not one in a comment, nor an escaped one."""
    project.write(f"application: shop\ncomponents:\n  cart:\n    {text}\n")
    variables = load_variables({"STATETOOL_VAR_y": "y"}, [], [("x", "x")])
    if is_used:
        assert project.load(variables).components
    else:
        assert [d.code for d in project.refuse(variables)] == ["unused_variable"]


def test_a_base_that_was_replaced_still_uses_its_variables(project: Project) -> None:
    """One command line may serve all environments."""
    project.write("application: shop\ncomponents:\n  cart:\n    replicas: ${var.n}\n", "base.yaml")
    project.write("extends: base.yaml\nenvironment: prod\ncomponents: {cart: {replicas: 4}}\n", "prod.yaml")
    assert project.load(given(n="3")).components[0].wish == Wish(replicas=4)


def test_nothing_is_called_unused_where_a_file_could_not_be_read(project: Project) -> None:
    """It may be used there."""
    project.write("application: 'shop\n")
    assert [d.code for d in project.refuse(given(x="1"))] == ["yaml_syntax"]


# Where every value came from


def test_marks_say_where_every_value_is_written(project: Project) -> None:
    """In base, overlay or defaults, and by whose variable; equality of components does not ask for it."""
    project.write(
        """\
application: shop
defaults: {replicas: "${var.none}", labels: {team: core, env: "${var.env}"}, lifecycle: {drift: correct}}
components:
  cart:
    version: 1.0.0
    gray: {version: "1.${var.minor}.${var.minor}", weight: 20}
    depends_on: [pay, "${var.env}"]
  pay: {}
  stage: {}
""",
        "base.yaml",
    )
    project.write(
        """\
extends: base.yaml
environment: e
defaults:
  replicas: ${var.n}
components:
  cart: {gray: {weight: 40}, labels: {own: x, team: null}}
""",
        "prod.yaml",
    )
    variables = load_variables({"STATETOOL_VAR_env": "stage"}, [], [("minor", "1"), ("n", "4"), ("none", "0")])
    cart = project.load(variables).components[0]
    env = VariableOrigin("env", "environment STATETOOL_VAR_env")
    assert dict(cart.marks) == {
        "version": Origin(SourceMark("manifests/base.yaml", 5, 14)),
        "replicas": Origin(SourceMark("manifests/prod.yaml", 4, 13), True, (VariableOrigin("n", "--var"),)),
        "gray.version": Origin(SourceMark("manifests/base.yaml", 6, 21), False, (VariableOrigin("minor", "--var"),)),
        "gray.weight": Origin(SourceMark("manifests/prod.yaml", 6, 25)),
        "depends_on": Origin(SourceMark("manifests/base.yaml", 7, 17), False, (env,)),
        "labels.env": Origin(SourceMark("manifests/base.yaml", 2, 63), True, (env,)),
        "labels.own": Origin(SourceMark("manifests/prod.yaml", 6, 44)),
        "lifecycle.drift": Origin(SourceMark("manifests/base.yaml", 2, 97), True),
    }
    assert (len(cart.marks), "gray.weight" in cart.marks, "state" in cart.marks) == (8, True, False)
    assert project.load(variables).components[0] == cart
