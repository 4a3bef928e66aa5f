"""One HTTP answer and its JSON: what is refused before anybody looks at a field."""

from __future__ import annotations

import pytest

from statetool.errors import AnswerUnreadable
from statetool.servicestage.answer import Answer, parse_json


def answer(body: bytes, **headers: str) -> Answer:
    """An answer with this body."""
    return Answer("GET https://platform.test/x", 200, headers, body)


def test_json_is_read_with_and_without_a_byte_order_mark() -> None:
    """A byte order mark is not part of the value."""
    assert parse_json(answer(b'{"a": [1, 2.5, null]}')) == {"a": [1, 2.5, None]}
    assert parse_json(answer(b'\xef\xbb\xbf{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "found nothing"),
        (b"  \n", "found nothing"),
        (b"<html><body>login</body></html>", "found an HTML page"),
        (b'{"count": 1, "components": [{"id"', "line 1 column"),
        (b'{"status": "RUNNING", "status": "STOPPED"}', "'status' twice"),
        (b'{"replica": NaN}', "NaN"),
        (b'{"replica": -Infinity}', "-Infinity"),
        (b'{"replica": 1e999}', "too large"),
        (b'{"replica": ' + b"9" * 5000 + b"}", "expected JSON"),
        (b"[" * 200_000, "nested too deep"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"name": "\xe4"}', "not UTF-8"),
    ],
)
def test_what_is_not_json_is_refused(body: bytes, said: str) -> None:
    """HTML, truncation, duplicate keys, numbers that are none, deep nesting: all of them one typed error."""
    with pytest.raises(AnswerUnreadable) as caught:
        parse_json(answer(body))
    assert said in caught.value.message


def test_html_is_known_by_its_content_type_too() -> None:
    """A page that does not start with a tag is still a page."""
    with pytest.raises(AnswerUnreadable) as caught:
        parse_json(answer(b"please log in", **{"content-type": "text/html; charset=utf-8"}))
    assert caught.value.hint is not None
    assert "endpoint" in caught.value.hint
