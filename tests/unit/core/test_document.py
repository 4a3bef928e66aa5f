"""Documents are read strictly, and whatever is wrong is named by its path."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from statetool.core.canonical import picture_to_json
from statetool.core.document import (
    MAX_DEPTH,
    DocumentError,
    Fields,
    ensure_format,
    parse_document,
    read_picture,
)
from statetool.core.model import Address, ContentRule, Gray, GrayRule, Json, VersionPicture
from statetool.core.plan import Kind


def nested(depth: int) -> bytes:
    """A document of that many containers, one in the other."""
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON: Expecting value (line 1, column 1)"),
        (b'{"a": 1,\n "b" 2}', "not JSON: Expecting ':' delimiter (line 2, column 6)"),
        (b"[1]", "must be an object at the top, not a list"),
        (b"null", "must be an object at the top, not missing"),
        (b'{"a": {"b": 1, "b": 1}}', "the key b stands twice in one object"),
        (b'{"a": NaN}', "NaN is not a number of JSON"),
        (b'{"a": -Infinity}', "-Infinity is not a number of JSON"),
        (b'{"a": 1e999}', "a number is out of range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON of ours: a number is too long"),
        (b'{"a": "\xff"}', "not UTF-8 text (byte 7)"),
        (nested(MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH} levels"),
        (nested(100_000), f"nested deeper than {MAX_DEPTH} levels"),
        (b"[" * 100_000, f"nested deeper than {MAX_DEPTH} levels"),
    ],
)
def test_what_the_standard_parser_lets_through_or_trips_over_is_refused(data: bytes, says: str) -> None:
    """Every bad text is one sentence, never another exception."""
    with pytest.raises(DocumentError) as caught:
        parse_document(data)
    assert caught.value.message == says


def test_a_document_as_deep_as_allowed_is_read() -> None:
    """The limit itself is inside, and a byte order mark harms nobody."""
    assert parse_document("\ufeff".encode() + nested(MAX_DEPTH))


@pytest.mark.parametrize("version", [None, 1.0, "", "1", "x.y", "1.0.0", "-1.0", "99999.0"])
def test_a_format_version_of_another_shape_is_refused(version: Json) -> None:
    """Without a version nothing can be said of the rest."""
    with pytest.raises(DocumentError, match="format_version must be text"):
        ensure_format({"format_version": version}, major=1)


def test_a_newer_minor_is_fine_and_another_major_is_not() -> None:
    """A minor adds keys; a major changes their meaning."""
    ensure_format({"format_version": "1.7"}, major=1)
    with pytest.raises(DocumentError, match=r"2\.0 is newer") as caught:
        ensure_format({"format_version": "2.0"}, major=1)
    assert caught.value.hint is not None
    assert "update statetool" in caught.value.hint
    with pytest.raises(DocumentError, match=r"0\.9 was never written"):
        ensure_format({"format_version": "0.9"}, major=1)


@pytest.mark.parametrize(
    ("read", "value", "says"),
    [
        (lambda f: f.text("k"), 1, "a.k must be text, not a number"),
        (lambda f: f.text("k"), None, "a.k must be text, not missing"),
        (lambda f: f.integer("k"), True, "a.k must be a whole number, not true or false"),
        (lambda f: f.integer("k"), 1.5, "a.k must be a whole number, not a number"),
        (lambda f: f.integer("k", minimum=0), -1, "a.k must be at least 0, not -1"),
        (lambda f: f.optional_integer("k"), "1", "a.k must be a whole number, not text"),
        (lambda f: f.optional_flag("k"), 0, "a.k must be true or false, not a number"),
        (lambda f: f.instant("k"), "2026-11-23", "a.k must be a UTC instant such as 2026-11-23T08:00:00Z"),
        (lambda f: f.instant("k"), "soon", "a.k must be a UTC instant such as 2026-11-23T08:00:00Z"),
        (lambda f: f.choice("k", Kind), "import", "a.k must be one of adopt, update, move, forget"),
        (lambda f: f.child("k"), [], "a.k must be an object, not a list"),
        (lambda f: list(f.children("k")), {}, "a.k must be a list, not an object"),
        (lambda f: list(f.children("k")), [{}, 3], "a.k[1] must be an object, not a number"),
        (lambda f: list(f.members("k")), {"x/y": None}, 'a.k."x/y" must be an object, not missing'),
        (lambda f: f.texts("k"), ["a", None], "a.k[1] must be text, not missing"),
        (lambda f: f.mapping("k"), "x", "a.k must be an object, not text"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(read: Callable[[Fields], object], value: Json, says: str) -> None:
    """The path leads to the place, the words say what was wanted and what stood there."""
    fields = Fields({"k": value}, ("a",))
    with pytest.raises(DocumentError) as caught:
        read(fields)
    assert caught.value.message == says


def test_a_text_that_is_no_address_is_named_by_its_path() -> None:
    """Addresses are parsed where they are read."""
    with pytest.raises(DocumentError, match=r"^x\[0\]: not an address: 'shop'"):
        Fields({"x": ["shop"]}).addresses("x")
    assert Fields({"x": "shop/cart@prod"}).address("x") == Address("shop", "cart", "prod")


def test_a_path_is_fit_for_a_terminal_whatever_the_key() -> None:
    """Control characters and novels in a key don't reach the message as they are."""
    with pytest.raises(DocumentError) as caught:
        Fields({"k": {"\x1b[31m" + "x" * 1000: 1}}).child("k").text("\x1b[31m" + "x" * 1000)
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "picture",
    [
        VersionPicture("1.0.0"),
        VersionPicture("1.0.0", Gray("1.1.0", None)),
        VersionPicture("1.0.0", Gray("1.1.0", GrayRule(weight=20))),
        VersionPicture(
            "1.0.0",
            Gray("1.1.0", GrayRule(match="any", rules=frozenset({ContentRule("header", "k", "equal", "v")}))),
        ),
    ],
)
def test_a_version_picture_comes_back_as_it_was(picture: VersionPicture) -> None:
    """Reading is the inverse of the canonical spelling."""
    assert read_picture(Fields(picture_to_json(picture))) == picture


@pytest.mark.parametrize(
    ("gray", "says"),
    [
        ({"weight": 20}, "gray.version must be text"),
        ({"version": "1.1.0", "weight": "20"}, "gray.weight must be a whole number"),
        ({"version": "1.1.0", "match": "some", "rules": [{}]}, r"gray.rules\[0\].type must be text"),
        (
            {"version": "1", "match": "x", "rules": [{"type": "a", "key": "b", "condition": "c", "value": "d"}]},
            "gray.match must be all or any",
        ),
    ],
)
def test_a_malformed_gray_release_is_refused(gray: Json, says: str) -> None:
    """Nothing is guessed where a rule decides who gets the candidate."""
    with pytest.raises(DocumentError, match=says):
        read_picture(Fields(json.loads(json.dumps({"version": "1.0.0", "gray": gray}))))
