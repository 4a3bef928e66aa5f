"""Written manifests: what a careful person would have typed, and quotes where a reader might be misled."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from statetool.core.model import ContentRule, Gray, GrayRule, VersionPicture, Wish
from statetool.manifest.writer import Draft, Entry, is_name, render_drafts, scalar_text, why_unwritable

HEADER = ContentRule("header", "x-user-tier", "equal", "beta")
TEXT = """\
# Written by a test.
application: shop
environment: prod
components:
  cart:
    version: 1.4.2
    replicas: 6
  checkout:
    # looked at twice
    version: 3.0.1
    gray:
      version: 3.1.0
      match: any
      rules:
        - {type: header, key: x-user-tier, condition: equal, value: beta}
        - {type: header, key: x-user-tier, condition: match, value: "[ab]: .*"}
    replicas: auto
  legacy:
    version: 0.9.1
    state: stopped
    replicas: auto
  search:
    version: 2.1.0
    gray:
      version: 2.2.0
      weight: 20
    replicas: auto
  # left out: shop/x y
---
application: "1e5"
components:
  "on":
    replicas: auto
"""


def test_a_file_of_two_documents() -> None:
    """Layout, order of keys, and quotes only where they are needed."""
    rules = GrayRule(match="any", rules=frozenset({HEADER, ContentRule("header", "x-user-tier", "match", "[ab]: .*")}))
    entries = (
        Entry("cart", Wish(VersionPicture("1.4.2"), replicas=6)),
        Entry("checkout", Wish(VersionPicture("3.0.1", Gray("3.1.0", rules))), ("looked at twice",)),
        Entry("legacy", Wish(VersionPicture("0.9.1"), state="stopped")),
        Entry("search", Wish(VersionPicture("2.1.0", Gray("2.2.0", GrayRule(weight=20))))),
    )
    first = Draft("shop", "prod", entries, ("left out: shop/x y",))
    second = Draft("1e5", None, (Entry("on", Wish()),))
    assert render_drafts([first, second], ["Written by a test."]) == TEXT
    assert why_unwritable(first) is None
    assert why_unwritable(second) is None


@pytest.mark.parametrize("text", ["cart", "x-user-tier", "A_b", "1.4.2", "1.10.0.3"])
def test_plain_where_every_reader_agrees(text: str) -> None:
    """Also one that is not ours."""
    assert scalar_text(text) == text
    assert yaml.safe_load(text) == text


@pytest.mark.parametrize("text", ["on", "No", "Y", "null", "1.10", "1e5", "010", "12:30", "a b", "", "#", "a: b", "é"])
def test_quoted_where_one_might_not(text: str) -> None:
    """And it still is that text."""
    assert scalar_text(text).startswith('"')
    assert yaml.safe_load(scalar_text(text)) == text


def test_a_long_text_stays_in_one_line() -> None:
    """A folded one would be read with other blanks."""
    text = "word " * 400 + "end"
    assert scalar_text(text) == f'"{text}"'


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(VersionPicture("latest")), "A.B.C"),
        (Wish(VersionPicture("1.0.0", Gray("1.1.0", GrayRule(weight=0)))), "from 1 to 100"),
        (Wish(VersionPicture("1.0.0", Gray("1.1.0", None))), "who reaches the candidate"),
        (Wish(VersionPicture("1.0.0", Gray("1.1.0", GrayRule(weight=5))), replicas=1), "1 replicas"),
        (Wish(VersionPicture(None)), "A.B.C"),
    ],
)
def test_what_a_manifest_can_not_say(wish: Wish, said: str) -> None:
    """In the words that `validate` would use."""
    assert said in str(why_unwritable(Draft("shop", None, (Entry("cart", wish),))))


@pytest.mark.parametrize(
    "rule",
    [
        ContentRule("cookie", "k", "equal", "v"),
        ContentRule("header", "k", "equal", ""),
        ContentRule("header", "k", "equal", "a\nb"),
        ContentRule("header", "k\u202e", "equal", "v"),
        ContentRule("header", "k", "equal", "\ud800"),
    ],
)
def test_a_rule_that_can_not_be_written(rule: ContentRule) -> None:
    """Whatever the reason, it is told."""
    wish = Wish(VersionPicture("1.0.0", Gray("1.1.0", GrayRule(match="all", rules=frozenset({rule})))))
    assert why_unwritable(Draft("shop", None, (Entry("cart", wish),)))


def test_one_name_twice_is_not_writable() -> None:
    """The second would be lost."""
    twice = (Entry("cart", Wish()), Entry("cart", Wish()))
    assert "twice" in str(why_unwritable(Draft("shop", None, twice)))


@pytest.mark.parametrize(
    ("name", "can_be"),
    [("shop", True), ("on", True), ("1.10", True), ("店铺", True), ("a b", False), ("a/b", False), ("", False)],
)
def test_names_of_applications(name: str, can_be: bool) -> None:
    """Those that can be part of an address, however they have to be quoted."""
    assert is_name(name) is can_be


@pytest.mark.parametrize(
    "text",
    ["x\n---\napplication: evil", "\x1b[2J", "a\u2028b", "a\x85components: {}", "\u202e", "\ud800", "\ufeff", "\t"],
)
def test_a_comment_stays_a_comment(text: str) -> None:
    """One line or several, but nothing else; and what can't be seen is spelled out."""
    draft = Draft("shop", None, (Entry("cart", Wish(), (text,)),), (text,))
    written = render_drafts([draft], [text])
    code = [line for line in written.splitlines() if not line.lstrip().startswith("#")]
    assert code == ["application: shop", "components:", "  cart:", "    replicas: auto"]
    assert all(char.isprintable() or char == "\n" for char in written)
    assert why_unwritable(draft) is None


def test_a_long_comment_is_broken_and_cut() -> None:
    """Nobody reads it, and a file that is all comment helps nobody."""
    draft = Draft("shop", None, (Entry("cart", Wish(), ("word " * 1000,)),))
    lines: list[Any] = [line for line in render_drafts([draft], []).splitlines() if "#" in line]
    assert len(lines) > 3
    assert max(map(len, lines)) <= 106
    assert lines[-1].endswith("...")
