"""Whatever stands in a manifest, people get diagnostics with a place and a hint, and never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from statetool.errors import InvalidInput
from statetool.manifest.loader import load_manifests
from statetool.manifest.nodes import plain_value
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
    gray:
      version: 2.2.0
      weight: 20
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


def check_all(data: bytes) -> None:
    """Load the bytes as the only manifest: either it is good, or every diagnostic is complete."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shop.yaml").write_bytes(data)
        try:
            load_manifests(Path(folder), [Path("shop.yaml")])
        except InvalidInput as exc:
            lines = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
            for diagnostic in exc.diagnostics:
                assert diagnostic.code
                assert diagnostic.message
                assert diagnostic.hint
                if diagnostic.code == "empty_manifests":
                    continue
                assert diagnostic.mark is not None
                assert diagnostic.mark.file == "shop.yaml"
                assert 1 <= diagnostic.mark.line <= len(lines)
                assert diagnostic.mark.column >= 1


def test_the_manifest_that_is_mutated_is_valid(tmp_path: Path) -> None:
    """Else the mutations would only look at one old error."""
    (tmp_path / "shop.yaml").write_text(VALID)
    assert len(load_manifests(tmp_path, [Path("shop.yaml")]).components) == 5


@given(st.binary(max_size=200))
@example(b"\xff\xfea\0")
@example(b"%YAML 9999999999999999999999.1\n--- a")
def test_arbitrary_bytes(data: bytes) -> None:
    """Including encodings of all kinds."""
    check_all(data)


@given(st.text(max_size=200))
def test_arbitrary_text(text: str) -> None:
    """Text of any alphabet."""
    check_all(text.encode("utf-8", "replace"))


@given(mutated())
@settings(max_examples=300)
def test_mutated_manifest(text: str) -> None:
    """Files that were nearly right."""
    check_all(text.encode("utf-8", "replace"))


@given(mutated())
@settings(max_examples=300)
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
