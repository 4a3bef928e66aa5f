"""Whatever stands in a manifest, people get diagnostics with a place and a hint, and never a traceback.

At every commit some 2,200 random manifests are tried, good, nearly good and not good at all: a thousand projects of
several files, the others mostly of one. With STATETOOL_TEST_FACTOR=10 (`make search`) it is ten times as many, so that
the projects alone are ten thousand.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from budgets import FACTOR, bounded
from drawn_manifests import ENVIRON, SECRET, Drawn, Tree, broken, documents, render
from hypothesis import example, given
from hypothesis import strategies as st

from statetool.errors import InvalidInput
from statetool.manifest.loader import load_manifests
from statetool.manifest.nodes import plain_value
from statetool.manifest.variables import load_variables
from statetool.manifest.yaml_reader import ReadResult, read_yaml

VALID = """\
# a shop
application: shop
environment: prod
defaults:
  lifecycle: {drift: correct}
  labels: {team: core}
components:
  cart:
    version: 1.4.2
    replicas: 4
    restart: 2026-11-23
    labels: {team: null, tier: "1.10"}
  search:
    version: 2.1.0
    image: swr.cn-north-4.myhuaweicloud.com/shop/search:2.1.0
    env: {LEVEL: debug, PORT: "8080"}
    resources:
      requests: {cpu: 250m, memory: 512Mi}
      limits: {cpu: 1, memory: 1.5}
    release: {strategy: rolling, batches: 3}
    replicas: {min: 3, max: 9, enforce_max: true}
    gray:
      version: 2.2.0
      image: swr.cn-north-4.myhuaweicloud.com/shop/search:2.2.0
      weight: 20
      mode: extra
      channel: elb-shared
      first_batch_replicas: 2
      remaining_batches: 4
      precheck: true
    depends_on: [cart, shop/checkout@prod]
  checkout: &anchor
    version: '3.0.1'
    gray:
      version: 3.1.0
      match: any
      rules:
        - {type: header, key: x-user-tier, condition: equal, value: beta}
    ready: {timeout_s: 60, hold_s: 5}
  legacy:
    state: stopped
    lifecycle:
      protected: true
      ignore: [replicas, version]
      drift: {replicas: report}
---
application: other
components:
  batch: {replicas: auto}
"""

# What a slip of the hand or an input method adds, and what breaks parsers.
STRUCTURE = [
    ":",
    " ",
    "\t",
    "\n",
    "-",
    "- ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    '"',
    "#",
    "|",
    ">",
    "  ",
    "\n    ",
    "[" * 70,
]
MARKUP = ["&a ", "*a", "*anchor", "!", "!!str ", "!<x>", "%", "@", "`", "<<: ", "---\n", "...\n", "~", "null", "x: "]
CHARACTERS = [
    "：",
    "，",
    "４",
    "“",
    "\u3000",
    "\0",
    "\x1b",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\r",
    "\x85",
    "\u2028",
    "\uffff",
]
ESCAPES = ["\\", '"\\UFFFFFFFF"', '"\\ud800"', '"\\t"']
NUMBERS = ["1.10", "012", "1e400", ".inf", "9" * 30]
SNIPPETS = st.sampled_from([*STRUCTURE, *MARKUP, *CHARACTERS, *ESCAPES, *NUMBERS])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The valid manifest after a few cuts, moves and additions."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 10])))
        text = text[:start] + draw(SNIPPETS | st.text(max_size=3)) + text[end:]
    return text


WITHOUT_PLACE = {"empty_manifests", "unused_variable"}
"""What is wrong with no file, but with all of them together or with the command line."""


def check_all(data: bytes) -> None:
    """Load the bytes as the only manifest."""
    check_files({"shop.yaml": data})


def check_files(files: Mapping[str, bytes]) -> bool:
    """Load files, and variables of vars.yaml: all is good, or every diagnostic is complete and no secret is told.

    Whether it was all good.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        given = [Path(folder, name) for name in files if name == "vars.yaml"]
        variables = load_variables(ENVIRON, given, [("n", "4")] if given else [])
        try:
            load_manifests(Path(folder), [Path(n) for n in files if n != "vars.yaml"], variables=variables)
        except InvalidInput as exc:
            lines = {name: count_lines(data) for name, data in files.items()}
            for diagnostic in exc.diagnostics:
                assert diagnostic.code
                assert diagnostic.message
                assert diagnostic.hint
                assert SECRET not in f"{diagnostic.message} {diagnostic.hint} {diagnostic.address}"
                if diagnostic.code in WITHOUT_PLACE:
                    continue
                assert diagnostic.mark is not None
                assert 1 <= diagnostic.mark.line <= lines[Path(diagnostic.mark.file).name]
                assert diagnostic.mark.column >= 1
            return False
        return True


def count_lines(data: bytes) -> int:
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return text.count("\n") + 1


def test_the_manifest_that_is_mutated_is_valid(tmp_path: Path) -> None:
    """Else the mutations would only look at one old error."""
    (tmp_path / "shop.yaml").write_text(VALID)
    assert len(load_manifests(tmp_path, [Path("shop.yaml")]).components) == 5


@given(st.binary(max_size=200))
@bounded(100)
@example(b"\xff\xfea\0")
@example(b"%YAML 9999999999999999999999.1\n--- a")
def test_arbitrary_bytes(data: bytes) -> None:
    """Including encodings of all kinds."""
    check_all(data)


@given(st.text(max_size=200))
@bounded(100)
def test_arbitrary_text(text: str) -> None:
    """Text of any alphabet."""
    check_all(text.encode("utf-8", "replace"))


@given(mutated())
@bounded(300)
def test_mutated_manifest(text: str) -> None:
    """Files that were nearly right."""
    check_all(text.encode("utf-8", "replace"))


@given(mutated())
@bounded(200)
@example('a: "\\UFFFFFFFF"')
def test_the_pure_parser_gives_the_same_values_and_words(text: str) -> None:
    """An installation without libyaml must not read anything else.

    Where a file is broken one parser may notice it a little earlier; all the same both then tell a place.
    """
    data = text.encode("utf-8", "replace")
    fast, pure = (read_yaml(data, "f", loader) for loader in (yaml.CSafeLoader, yaml.SafeLoader))
    if fast.complete and pure.complete:
        assert values(fast) == values(pure)
        assert fast.diagnostics == pure.diagnostics
    else:
        assert all(result.complete or result.diagnostics for result in (fast, pure))


def values(result: ReadResult) -> list[object]:
    return [plain_value(document.root) for document in result.documents]


# Every key there is


@given(documents())
@bounded(150)
def test_what_is_meant_is_what_is_loaded(drawn: tuple[Tree, dict[str, Drawn]]) -> None:
    """However it is written, through defaults and variables too."""
    document, components = drawn
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shop.yaml").write_text(render(document), encoding="utf-8")
        loaded = load_manifests(Path(folder), [Path("shop.yaml")], variables=load_variables(ENVIRON, [], []))
    found = {one.address.component: (one.wish.replicas, one.deploy) for one in loaded.components}
    assert found == {name: (one.replicas, one.deploy) for name, one in components.items()}


@given(broken())
@bounded(250)
def test_what_nobody_can_have_meant(document: Tree) -> None:
    """Values of another kind or from another place, keys lost, added and misspelt: among all the keys there are."""
    check_all(render(document).encode())


# Several environments

PROJECT = {
    "base.yaml": VALID.split("---")[0].replace("environment: prod\n", "").replace("@prod", "")
    + """\
  variable:
    replicas: ${var.n}
    version: "1.${var.minor}.0"
    labels: {token: "${var.secret}", price: "$${var.n}"}
    image: swr/shop/variable:1.${var.minor}.0
    env: {TOKEN: "${var.secret}", PRICE: "$${var.n}"}
    resources:
      limits:
        cpu: ${var.n}
        memory: "${var.n}Gi"
    gray:
      version: 2.0.0
      weight: ${var.weight}
      first_batch_replicas: 1
""",
    "middle.yaml": "extends: base.yaml\ndefaults: {lifecycle: null}\ncomponents: {cart: {replicas: null}}\n",
    "prod.yaml": """\
extends: middle.yaml
environment: prod
components:
  search:
    gray: {weight: 40, mode: mirror, first_batch_replicas: null, remaining_batches: null}
    replicas: {max: 12}
    env: {PORT: null}
    depends_on: [variable, shop/cart@staging]
  checkout:
    gray: {rules: null, match: null, weight: 1}
  legacy: null
""",
    "staging.yaml": "extends: base.yaml\nenvironment: staging\ncomponents: {cart: {labels: {tier: null}}}\n",
    "vars.yaml": "minor: 10\nweight: 5\n",
}
LAYERS = [
    *("extends: base.yaml\n", "extends: prod.yaml\n", "extends: /etc/passwd\n", "extends: ../x.yaml\n", "extends: "),
    *(" null", ": null\n", "{}", "\ndefaults: {}", "\nenvironment: prod"),
    *("${", "${var.", "}", "${var.n}", '"${var.n}"', "$${", "${var.${var.n}}", "${var.secret}", '"${var.secret}"'),
    *("${var.nobody}", "$", "\\x24{var.n}", "{a: ${var.n}}"),
]
SLIPS = [*LAYERS, *STRUCTURE, *MARKUP, *CHARACTERS, *ESCAPES, *NUMBERS]
BATCHES = 10
IN_A_BATCH = 100 * FACTOR


def slip(text: str, chance: random.Random) -> str:
    """A cut, an addition or a line moved: what hands do."""
    if chance.random() < 0.2:
        lines = text.splitlines(keepends=True)
        lines.insert(chance.randrange(len(lines) + 1), lines.pop(chance.randrange(len(lines))) if lines else "")
        return "".join(lines)
    # Half of the slips stand at the beginning or the end of a word, where values begin and end.
    edges = [n for n in range(len(text)) if text[n] in " \n,:{}[]"] if chance.random() < 0.5 else []
    start = chance.choice(edges) + chance.randrange(2) if edges else chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.choice([0, 0, 0, 1, 2, 10]))
    return text[:start] + (chance.choice(SLIPS) if chance.random() < 0.9 else "") + text[end:]


def test_the_project_that_slips_is_valid() -> None:
    """Else its mutations would only look at one old error."""
    assert check_files({name: text.encode() for name, text in PROJECT.items()})


@pytest.mark.parametrize("batch", range(BATCHES))
def test_projects_that_were_nearly_right(batch: int) -> None:
    """Bases, overlays and variables, with a few slips in one or two of the files: a thousand at every commit."""
    good = 0
    for number in range(IN_A_BATCH):
        chance = random.Random(batch * IN_A_BATCH + number)
        files = dict(PROJECT)
        for _ in range(chance.randint(1, 4)):
            name = chance.choice(sorted(files))
            files[name] = slip(files[name], chance)
        try:
            good += check_files({name: text.encode("utf-8", "replace") for name, text in files.items()})
        except Exception as error:
            error.add_note(f"batch {batch}, number {number}: {files}")
            raise
    # Were all of them broken, only the first error of each would be looked at; were all good, none.
    assert IN_A_BATCH * 0.02 < good < IN_A_BATCH * 0.6


@given(st.dictionaries(st.sampled_from(sorted(PROJECT)), mutated() | st.text(max_size=100), min_size=1))
@bounded(150)
def test_whatever_stands_in_a_base_or_beside_it(texts: dict[str, str]) -> None:
    """Files of one project that have nothing to do with each other."""
    check_files(
        {**{n: t.encode() for n, t in PROJECT.items()}, **{n: t.encode("utf-8", "replace") for n, t in texts.items()}}
    )
