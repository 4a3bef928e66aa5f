"""Signatures: the two vectors of the reference, and what the canonical form must not depend on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from statetool.servicestage.signing import decode_query, encode_query, sign

ACCESS = "AKEXAMPLE000000000001"
SECRET = "SKexample0000000000000000000000000000001"
PROJECT = "0123456789abcdef0123456789abcdef"
ROOT = f"/v3/{PROJECT}/cas"
DATE = datetime(2025, 1, 1, tzinfo=UTC)
HEADERS = {
    "Content-Type": "application/json",
    "Host": "servicestage.cn-north-4.myhuaweicloud.com",
    "X-Project-Id": PROJECT,
}


def signed(**changes: Any) -> dict[str, str]:
    """The first vector's request, signed, with changes."""
    request: dict[str, Any] = {
        "method": "GET",
        "path": f"{ROOT}/components",
        "query": [("limit", "100"), ("offset", "0")],
        "headers": HEADERS,
        "body": b"",
        "access_key": ACCESS,
        "secret_key": SECRET,
        "date": DATE,
        **changes,
    }
    return sign(**request)


def test_the_first_vector() -> None:
    """A GET with a query and without a body [9.3]."""
    assert signed()["Authorization"] == (
        f"SDK-HMAC-SHA256 Access={ACCESS}, SignedHeaders=content-type;host;x-project-id;x-sdk-date, "
        "Signature=7b78ff73214e7e96717f7815eb239795bc0f5f8eaad1a0b59536b167e02d13d1"
    )


def test_the_second_vector() -> None:
    """A POST with a body and temporary credentials [9.3]."""
    headers = signed(
        method="post",
        path=f"{ROOT}/applications/a1/components/c1/action",
        query=[],
        headers={**HEADERS, "X-Security-Token": "TOKEN"},
        body=b'{"action":"scale","parameters":{"replica":3}}',
    )
    assert headers["X-Sdk-Date"] == "20250101T000000Z"
    assert headers["Authorization"] == (
        f"SDK-HMAC-SHA256 Access={ACCESS}, "
        "SignedHeaders=content-type;host;x-project-id;x-sdk-date;x-security-token, "
        "Signature=d069ee818dc1965d97340a6616bfffb3c0628a576613d1209902f7c3cd5295af"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"query": [("offset", "0"), ("limit", "100")]},
        {"path": f"{ROOT}/components/"},
        {"path": f"{ROOT}/%63omponents"},
        {"headers": {**HEADERS, "X-Project-Id": f" {PROJECT}  "}},
        {"headers": dict(reversed(HEADERS.items()))},
        {"headers": {name.upper(): value for name, value in HEADERS.items()}},
        {"headers": {**HEADERS, "x_traced": "by a proxy"}},
        {"date": DATE.astimezone(timezone(timedelta(hours=8)))},
        {"headers": {**HEADERS, "X-Sdk-Date": "20250101T000000Z"}, "date": DATE + timedelta(days=1)},
    ],
)
def test_what_means_the_same_is_signed_the_same(changes: dict[str, Any]) -> None:
    """Order, case of header names, needless escapes, blanks around a value, the time zone of the date."""
    assert signed(**changes)["Authorization"].split("Signature=")[1] == signed()["Authorization"].split("Signature=")[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "PUT"},
        {"path": f"{ROOT}/Components"},
        {"query": [("limit", "100"), ("offset", "1")]},
        {"query": [("limit", "100"), ("offset", "0"), ("offset", "0")]},
        {"headers": {**HEADERS, "Host": "servicestage.cn-north-1.myhuaweicloud.com"}},
        {"headers": {**HEADERS, "X-New": ""}},
        {"body": b"{}"},
        {"secret_key": SECRET.lower()},
        {"date": DATE + timedelta(seconds=1)},
    ],
)
def test_what_means_something_else_is_signed_differently(changes: dict[str, Any]) -> None:
    """Any part that reaches the server counts."""
    assert signed(**changes)["Authorization"] != signed()["Authorization"]


def test_a_body_that_is_no_json_is_not_part_of_the_signature() -> None:
    """And a header, itself signed, says so."""
    headers = {**HEADERS, "Content-Type": "text/plain"}
    one, other = (signed(method="POST", headers=headers, body=body) for body in (b"one", b"other"))
    assert one == other
    assert one["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"
    assert "x-sdk-content-sha256" in one["Authorization"]


def test_a_query_is_encoded_so_that_nothing_in_it_can_be_taken_for_a_separator() -> None:
    """Spaces, plus signs, separators and other scripts; a repeated key stays repeated, in order of its values."""
    pairs = [("b", "2"), ("b", "10"), ("a c", "1+1=2 & more"), ("名", "值~/"), ("empty", "")]
    text = encode_query(pairs)
    assert text == "a%20c=1%2B1%3D2%20%26%20more&b=10&b=2&empty=&%E5%90%8D=%E5%80%BC~%2F"
    assert decode_query(text) == sorted(pairs)
    assert decode_query(encode_query([])) == []
