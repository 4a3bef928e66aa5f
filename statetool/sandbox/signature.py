"""Verification of SDK-HMAC-SHA256 signatures, over a request exactly as it came over the wire.

Owns the canonical form of section 9.3 of the reference, in bytes: what a client sent is never decoded further than
the scheme says, so that no two requests that differ look the same. Pure. Must not know keys, clocks of the world,
or what happens to a request that is refused (access.py).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "SDK-HMAC-SHA256"
_UNSIGNED = b"UNSIGNED-PAYLOAD"
_AUTHORIZATION = re.compile(
    rb"SDK-HMAC-SHA256 +Access=(?P<key>[^,\s]+), *SignedHeaders=(?P<names>[!-+\--~]+), *Signature=(?P<signature>[!-~]+)"
)
_DATE = re.compile(rb"[0-9]{8}T[0-9]{6}Z")
_MUST_SIGN = frozenset({b"host", b"x-sdk-date"})


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came: path and query still percent-encoded, headers in order with names of any case."""

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The trimmed value of a header (name in lower case), several joined by commas; None where it is missing."""
        values = [value.strip() for key, value in self.headers if key.lower() == name]
        return b",".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Signature:
    """The Authorization header taken apart, and the instant the request says it was signed at (epoch seconds)."""

    access_key: str
    signed_headers: tuple[bytes, ...]
    value: bytes
    date: bytes
    at: float


def is_signed(arrival: Arrival) -> bool:
    """Whether the request wants to be taken for a signed one."""
    return (arrival.header(b"authorization") or b"").startswith(ALGORITHM.encode())


def parse_signature(arrival: Arrival) -> Signature | None:
    """The signature of a request, or None where the header or the date are malformed or too little is signed."""
    match = _AUTHORIZATION.fullmatch(arrival.header(b"authorization") or b"")
    date = arrival.header(b"x-sdk-date") or b""
    if match is None or not _DATE.fullmatch(date):
        return None
    try:
        at = datetime.strptime(date.decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    names = tuple(match["names"].split(b";"))
    if not _MUST_SIGN.issubset(names):
        return None
    return Signature(match["key"].decode("latin-1"), names, match["signature"], date, at)


def verifies(arrival: Arrival, signature: Signature, secret_key: str) -> bool:
    """Whether the holder of this key signed this request, byte by byte."""
    canonical = _canonical_request(arrival, signature.signed_headers)
    if canonical is None:
        return False
    text = b"\n".join((ALGORITHM.encode(), signature.date, hashlib.sha256(canonical).hexdigest().encode()))
    expected = hmac.new(secret_key.encode(), text, hashlib.sha256).hexdigest().encode()
    return hmac.compare_digest(expected, signature.value)


def _canonical_request(arrival: Arrival, names: tuple[bytes, ...]) -> bytes | None:
    """Step 4 of section 9.3; None where a signed header is missing or the payload's hash is not the body's."""
    payload = _payload_hash(arrival)
    lines = []
    for name in names:
        value = arrival.header(name)
        if value is None:
            return None
        lines.append(name + b":" + value)
    if payload is None:
        return None
    return b"\n".join(
        (
            arrival.method.upper().encode("utf-8", "replace"),
            _canonical_uri(arrival.raw_path),
            _canonical_query(arrival.raw_query),
            *lines,
            b"",
            b";".join(names),
            payload,
        )
    )


def _canonical_uri(raw_path: bytes) -> bytes:
    pieces = [_encoded(piece) for piece in unquote_to_bytes(raw_path).split(b"/")]
    uri = b"/".join(pieces)
    return uri if uri.endswith(b"/") else uri + b"/"


def _canonical_query(raw_query: bytes) -> bytes:
    """Pairs sorted by their decoded text. A plus is a plus: the scheme writes a space as %20 only."""
    pairs = []
    for piece in raw_query.split(b"&"):
        if piece:
            key, _, value = piece.partition(b"=")
            pairs.append((unquote_to_bytes(key), unquote_to_bytes(value)))
    return b"&".join(_encoded(key) + b"=" + _encoded(value) for key, value in sorted(pairs))


def _payload_hash(arrival: Arrival) -> bytes | None:
    """Hash of the body. A client may name it itself, or say that it did not sign it where the body is no JSON."""
    actual = hashlib.sha256(arrival.body).hexdigest().encode()
    claimed = arrival.header(b"x-sdk-content-sha256")
    if not arrival.body or claimed is None:
        return actual
    if claimed == _UNSIGNED:
        kind = (arrival.header(b"content-type") or b"").lower()
        return None if not kind or kind.startswith((b"application/json", b"application/bson")) else claimed
    return claimed if claimed == actual else None


def _encoded(piece: bytes) -> bytes:
    return quote(piece, safe="~").encode()
