"""Secrets of the tests, and where they turn up: as they are, and in the spellings in which they travel."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence

CORPUS = (
    "tok-9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "AKQ7ZP2MX4VB8NT1RWLC",
    'sk/Zz"9+Qe8Rw==7Ty6Ui5Op4As3Df2Gh1Jk0Lm',
    "pa55 w\u00f6rd&with=signs\\and/slashes",
    "env-value-8d7f6a5s4d3f2g1h",
)


def spellings(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    yield raw
    yield json.dumps(secret)[1:-1].encode()
    yield json.dumps(secret, ensure_ascii=False)[1:-1].encode()
    yield urllib.parse.quote(secret).encode()
    yield urllib.parse.quote_plus(secret).encode()
    yield urllib.parse.quote(secret, safe="").encode()
    for shift in range(3):  # wherever it stands in what was encoded; the edges depend on the neighbours
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"x" * shift + raw)[4:-4]


def find_secrets(corpus: Sequence[str], texts: Iterable[bytes]) -> list[str]:
    whole = b"\0".join(texts)
    return [secret for secret in corpus if any(spelling in whole for spelling in spellings(secret))]
