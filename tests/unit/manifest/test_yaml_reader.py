"""Values by our own rules, and files that try to exhaust whoever reads them. Every test runs on both parsers."""

from __future__ import annotations

import pytest
import yaml

from statetool.manifest.nodes import Mapping, plain_value
from statetool.manifest.yaml_reader import MAX_DEPTH, ParserFactory, ReadResult, default_parser, read_yaml

PARSERS = [pytest.param(yaml.SafeLoader, id="pure"), pytest.param(default_parser(), id="default")]

VALUES: list[tuple[str, object]] = [
    ("true", True),
    ("False", False),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("y", "y"),
    ("null", None),
    ("~", None),
    ("", None),
    ("0", 0),
    ("-7", -7),
    ("+7", 7),
    ("9007199254740991", 9007199254740991),
    ("012", "012"),
    ("0o17", "0o17"),
    ("0x1F", "0x1F"),
    ("0b101", "0b101"),
    ("1_000", "1_000"),
    ("12:30:45", "12:30:45"),
    ("190:20", "190:20"),
    ("2026-11-23", "2026-11-23"),
    ("2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z"),
    ("1.10", 1.1),
    (".5", 0.5),
    ("1e3", 1000.0),
    (".inf", ".inf"),
    (".nan", ".nan"),
    ("1.4.2", "1.4.2"),
    ("=", "="),
    ("'1'", "1"),
    ('"true"', "true"),
    ('"\\u4f60"', "你"),
    ("'你好，４'", "你好，４"),
    ("|-\n  1", "1"),
    (">-\n  one\n  two", "one two"),
]


def read(text: str, parser: ParserFactory) -> ReadResult:
    return read_yaml(text.encode(), "f.yaml", parser)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("text", "value"), VALUES)
def test_plain_text_becomes_what_people_mean(text: str, value: object, parser: ParserFactory) -> None:
    """YAML 1.1 would make booleans, octal and sexagesimal numbers, and dates of some of these."""
    result = read(f"key: {text}\n", parser)
    assert result.diagnostics == ()
    read_value = plain_value(result.documents[0].root)
    assert read_value == {"key": value}
    assert isinstance(read_value, dict)
    assert type(read_value["key"]) is type(value)


@pytest.mark.parametrize("parser", PARSERS)
def test_keys_are_text_whatever_they_look_like(parser: ParserFactory) -> None:
    """`on: x` is a key of many CI files, and the label 1.10 is not the label 1.1."""
    result = read("on: a\n1.10: b\n12: c\ntrue: d\n", parser)
    assert plain_value(result.documents[0].root) == {"on": "a", "1.10": "b", "12": "c", "true": "d"}


@pytest.mark.parametrize("parser", PARSERS)
def test_places_count_characters_from_one(parser: ParserFactory) -> None:
    """Also behind characters of several bytes, and those outside the basic plane."""
    result = read("a: {'你\U0001f600': x, b: y}\n", parser)
    root = result.documents[0].root
    assert isinstance(root, Mapping)
    inner = root.entries["a"].node
    assert isinstance(inner, Mapping)
    assert (inner.entries["b"].line, inner.entries["b"].column) == (1, 14)
    assert inner.entries["b"].node.column == 17


@pytest.mark.parametrize("parser", PARSERS)
def test_empty_documents_are_ignored_and_null_ones_are_not(parser: ParserFactory) -> None:
    """A closing `---` is a habit; a written null is a mistake to be named later."""
    result = read("---\n---\na: 1\n---\n# words\n---\nnull\n...\n", parser)
    assert [plain_value(document.root) for document in result.documents] == [{"a": 1}, None]


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("opener", ["[", "{a: ", "- "])
def test_depth_is_limited(opener: str, parser: ParserFactory) -> None:
    """A hundred thousand brackets end a recursive reader; here reading stops at the first that is too deep."""
    result = read(opener * 100_000, parser)
    (found,) = result.diagnostics
    assert found.code == "too_deep"
    assert str(found.mark) == f"f.yaml:1:{len(opener) * MAX_DEPTH + 1}"
    assert not result.complete


@pytest.mark.parametrize("parser", PARSERS)
def test_the_deepest_allowed_file_is_read(parser: ParserFactory) -> None:
    """The limit itself is allowed."""
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH, parser).diagnostics == ()


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("opener", "closer"), [("[", "]"), ("{a: ", "}")])
def test_aliases_add_to_the_depth(opener: str, closer: str, parser: ParserFactory) -> None:
    """Each may lead to another, so a short file could hold a value deeper than any stack."""
    half = MAX_DEPTH // 2
    allowed = f"- &x {opener * (half - 1)}1{closer * (half - 1)}\n- {opener * half}*x{closer * half}\n"
    assert read(allowed, parser).diagnostics == ()
    (found,) = read(allowed.replace("*x", f"{opener}*x{closer}"), parser).diagnostics
    assert found.code == "too_deep"
    assert str(found.mark) == f"f.yaml:2:{3 + len(opener) * (half + 1)}"


@pytest.mark.parametrize("parser", PARSERS)
def test_aliases_may_not_explode(parser: ParserFactory) -> None:
    """Nine lines that stand for a thousand million values."""
    lines = ["a0: &a0 [" + ", ".join("x" * 10) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 9)]
    result = read("\n".join(lines), parser)
    (found,) = result.diagnostics
    assert found.code == "alias_limit"
    assert found.mark is not None
    assert found.mark.line < 9


@pytest.mark.parametrize("parser", PARSERS)
def test_honest_aliases_are_values(parser: ParserFactory) -> None:
    """An anchor may be redefined, and is forgotten at the end of its document."""
    result = read("a: &x {k: 1}\nb: *x\nc: &x 2\nd: *x\n", parser)
    assert plain_value(result.documents[0].root) == {"a": {"k": 1}, "b": {"k": 1}, "c": 2, "d": 2}
    (found,) = read("a: &x 1\n---\nb: *x\n", parser).diagnostics
    assert (found.code, str(found.mark)) == ("unknown_alias", "f.yaml:3:4")


@pytest.mark.parametrize("parser", PARSERS)
def test_documents_before_a_broken_one_are_kept(parser: ParserFactory) -> None:
    """So that their errors are shown in the same run."""
    result = read("a: 1\n---\nb: [\n", parser)
    assert [plain_value(document.root) for document in result.documents] == [{"a": 1}]
    assert not result.complete
