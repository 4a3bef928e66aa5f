"""Signatures of the platform's gateway: SDK-HMAC-SHA256 [9.3].

Owns the canonical form of a request, and with it the one encoding of a query that is both signed and sent. Pure:
no clock, no I/O, no httpx. It must not choose which headers a request has.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
DATE_HEADER = "X-Sdk-Date"
SIGNATURE_HEADER = "Authorization"
_PAYLOAD_HEADER = "X-Sdk-Content-Sha256"
_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_HASHED_TYPES = ("application/json", "application/bson")


def sign(
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
    *,
    access_key: str,
    secret_key: str,
    date: datetime,
) -> dict[str, str]:
    """The headers to send: those given, which are all signed, the date and the signature.

    `path` is the path of the URL as it is sent, `query` its pairs, decoded; the URL must carry them as
    `encode_query` writes them. `headers` must hold `Host`, and no two names that differ in case only. A date
    among them is kept, and then `date` (with time zone) plays no part. A body of another type than JSON is not
    part of the signature, and a header says so.
    """
    signed = dict(headers)
    names = {name.lower(): name for name in headers}
    if not headers.get(names.get("content-type", ""), _HASHED_TYPES[0]).startswith(_HASHED_TYPES):
        signed[_PAYLOAD_HEADER] = _UNSIGNED_PAYLOAD
    if DATE_HEADER.lower() not in names:
        signed[DATE_HEADER] = date.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    values = {name.lower(): value.strip() for name, value in signed.items()}
    signed_names = sorted(name for name in values if "_" not in name)
    payload = values.get(_PAYLOAD_HEADER.lower()) if body else None
    canonical = "\n".join(
        [
            method.upper(),
            _canonical_path(path),
            encode_query(query),
            *(f"{name}:{values[name]}" for name in signed_names),
            "",
            ";".join(signed_names),
            payload or hashlib.sha256(body).hexdigest(),
        ]
    )
    text = "\n".join([ALGORITHM, values[DATE_HEADER.lower()], hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    signed[SIGNATURE_HEADER] = (
        f"{ALGORITHM} Access={access_key}, SignedHeaders={';'.join(signed_names)}, Signature={signature}"
    )
    return signed


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """The query of a URL: sorted by key, then value; a space is %20. What is sent must be this very text."""
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in sorted(pairs))


def decode_query(query: str) -> list[tuple[str, str]]:
    """The pairs of a query that `encode_query` wrote."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(key), unquote(value)) for key, _, value in pairs]


def _canonical_path(path: str) -> str:
    """Each piece decoded and encoded again, and a slash at the end, which the URL itself does not get."""
    encoded = "/".join(_encode(piece) for piece in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _encode(text: str) -> str:
    return quote(text, safe="~")
