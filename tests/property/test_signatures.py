"""Our signatures are those of the vendor's own signer, whatever is signed."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given, settings
from hypothesis import strategies as st

from statetool.servicestage.signing import decode_query, encode_query, sign

DATE = "20250101T000000Z"
HOST = "servicestage.cn-north-4.myhuaweicloud.com"

keys = st.text("abcXYZ0189/+=", min_size=1, max_size=20)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
pairs = st.lists(st.tuples(words | st.sampled_from(["limit", "a", "a b"]), words), max_size=6)
pieces = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/?#"), max_size=10)
paths = st.lists(pieces | st.sampled_from(["%2F", "a%20b", "~", "%zz", "v3"]), max_size=5).map(
    lambda p: "/" + "/".join(p)
)
names = st.sampled_from(["X-Project-Id", "X-Security-Token", "x-lower", "X_Hidden", "User-Agent", "Accept"])
values = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=20)
types = st.sampled_from(["application/json", "application/json;charset=utf8", "application/bson", "text/plain"])
bodies = st.binary(max_size=60) | words.map(str.encode)
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "patch"])


def signed_by_vendor(
    method: str, path: str, query: list[tuple[str, object]], headers: dict[str, str], body: bytes, keys: tuple[str, str]
) -> tuple[str, str]:
    """Its Authorization header, and the address it would send the request to."""
    request = SdkRequest(
        method=method,
        schema="https",
        host=HOST,
        resource_path=path,
        query_params=query,
        header_params=dict(headers),
        body=body,
    )
    Signer(BasicCredentials(*keys)).sign(request)
    return request.header_params["Authorization"], request.uri


@settings(deadline=None)
@given(methods, paths, pairs, st.dictionaries(names, values), types | st.none(), bodies, st.tuples(keys, keys))
def test_signed_as_the_vendor_signs(
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    content_type: str | None,
    body: bytes,
    keys: tuple[str, str],
) -> None:
    """Paths, queries, headers and bodies with any characters, empty ones, and repeated keys of a query."""
    headers = {**headers, "Host": HOST, "X-Sdk-Date": DATE}
    if content_type is not None:
        headers["Content-Type"] = content_type
    ours = sign(
        method,
        path,
        query,
        headers,
        body,
        access_key=keys[0],
        secret_key=keys[1],
        date=datetime(2020, 2, 2, tzinfo=UTC),
    )
    authorization, address = signed_by_vendor(method, path, [*query], headers, body, keys)
    assert ours["Authorization"] == authorization
    assert address.removeprefix(path).removeprefix("?") == encode_query(query)


@settings(deadline=None)
@given(st.dictionaries(words, st.lists(words, min_size=1, max_size=4), max_size=4))
def test_lists_of_values_are_repeated_keys(query: dict[str, list[str]]) -> None:
    """The vendor's requests hold one list for a repeated key, ours its pairs: the same query, the same signature."""
    headers = {"Host": HOST, "X-Sdk-Date": DATE}
    flat = [(key, value) for key, values in query.items() for value in values]
    ours = sign("GET", "/", flat, headers, b"", access_key="ak", secret_key="sk", date=datetime(2020, 2, 2, tzinfo=UTC))
    lists: list[tuple[str, object]] = [(key, [*values]) for key, values in query.items()]
    assert ours["Authorization"] == signed_by_vendor("GET", "/", lists, headers, b"", ("ak", "sk"))[0]


@settings(deadline=None)
@given(pairs)
def test_a_query_is_sent_as_it_is_signed(query: list[tuple[str, str]]) -> None:
    """The HTTP library leaves the address alone, and what it sends can be read back."""
    text = encode_query(query)
    sent = httpx.Request("GET", f"https://{HOST}/v3?{text}").url
    assert sent.query.decode("ascii") == text
    assert decode_query(text) == sorted(query)
