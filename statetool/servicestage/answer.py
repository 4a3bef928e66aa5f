"""One HTTP answer as plain values, and its body as JSON.

Owns the limits on what is read from the network. It must not know what an answer means: refusals are
`problems.py`, shapes are `wire.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from statetool.core.model import Json
from statetool.errors import AnswerUnreadable

MAX_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request. `where` names it for people: `GET https://host/path`.

    `headers` has lower-case names. `body` is decompressed and at most MAX_BODY_BYTES long.
    """

    where: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status <= 299

    @property
    def is_html(self) -> bool:
        return "html" in self.headers.get("content-type", "").lower() or self.body.lstrip()[:1] == b"<"

    @property
    def request_id(self) -> str | None:
        """The platform's own name for this exchange: what its support asks for."""
        return self.headers.get("x-request-id", "")[:100] or None


def parse_json(answer: Answer) -> Json:
    """The body as JSON. Raises AnswerUnreadable for HTML, anything truncated, and what only Python calls JSON.

    Duplicate keys, NaN and numbers beyond the float range are refused: each of them means that two readers of
    the same answer could see different values. Depth is limited by the parser's own recursion limit, which is
    enough because nothing here walks deeper than the fields it names.
    """
    if answer.is_html:
        raise AnswerUnreadable(
            "expected JSON, found an HTML page",
            hint="is the endpoint right? A proxy or a login page may have answered in the platform's place",
        )
    try:
        text = answer.body.decode("utf-8-sig")
        value: Json = json.loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite_float
        )
    except UnicodeDecodeError:
        raise AnswerUnreadable("expected JSON, found text that is not UTF-8") from None
    except RecursionError:
        raise AnswerUnreadable("expected JSON, found lists or objects nested too deep to be an answer") from None
    except json.JSONDecodeError as error:
        found = "nothing" if not text.strip() else f"{error.msg} at line {error.lineno} column {error.colno}"
        raise AnswerUnreadable(f"expected JSON, found {found}") from None
    except ValueError as error:  # the hooks below, and integers with more digits than Python reads
        raise AnswerUnreadable(f"expected JSON, found {error}") from None
    return value


def _unique_keys(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!r} twice in one object")
    return found


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name}, which is not JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number too large to hold")
    return value
