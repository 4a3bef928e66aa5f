"""Reading our own JSON documents: text to values with nothing let through, and values to typed fields.

Owns the hardened JSON parser and the reader that names the path of whatever is wrong. State and plan are read
with both; so nothing malformed gets further than here as a KeyError or TypeError. It must not know any document
in particular, nor where a text came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Any, Literal, NoReturn, TypeVar, cast

from statetool.core.deploy import Deployed
from statetool.core.model import (
    Address,
    ContentRule,
    Gray,
    GrayRule,
    Json,
    Rejection,
    ReplicaRange,
    Replicas,
    VersionPicture,
)

MAX_DEPTH = 64
"""Nesting of containers. Ours need about ten; the limit keeps every later walk clear of Python's own."""

PathPart = str | int
E = TypeVar("E", bound=StrEnum)

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_]+")
_FORMAT_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


_LARGEST_INTEGER = 2**53 - 1
"""What every reader of JSON can hold exactly; beyond it nothing here has a meaning."""


class DocumentError(ValueError):
    """One sentence about what is wrong with a document, its path included."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def parse_document(data: bytes) -> dict[str, Json]:
    """JSON text whose top is an object. Raises DocumentError for everything the standard parser would let through
    or trip over: other encodings, duplicate keys, NaN and infinities, numbers and nesting beyond reason.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"not UTF-8 text (byte {error.start})") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_float=_finite, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise DocumentError(f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise DocumentError(f"nested deeper than {MAX_DEPTH} levels") from None
    except DocumentError:
        raise
    except ValueError:
        # What is left: an integer with more digits than Python converts.
        raise DocumentError("not JSON of ours: a number is too long") from None
    if not isinstance(value, dict):
        raise DocumentError(f"must be an object at the top, not {_kind(value)}")
    _ensure_shallow(value)
    return value


def ensure_format(document: Mapping[str, Json], *, major: int) -> None:
    """Refuse a document of another major format. A newer minor is fine: it only adds keys."""
    found = document.get("format_version")
    match = _FORMAT_VERSION.fullmatch(found) if isinstance(found, str) else None
    if match is None:
        raise DocumentError('format_version must be text such as "1.0"')
    if int(match[1]) > major:
        raise DocumentError(
            f"format version {match[0]} is newer than this statetool, which reads {major}.x",
            hint="update statetool, or use the version that wrote the file",
        )
    if int(match[1]) < major:
        raise DocumentError(f"format version {match[0]} was never written by statetool, which reads {major}.x")


class Fields:
    """One JSON object of a document, read key by key. Every method raises DocumentError naming the path.

    A key that is absent reads as null. Keys nobody asks for are left alone: a newer minor format may add some.
    """

    __slots__ = ("_path", "_values")

    def __init__(self, value: Json, path: tuple[PathPart, ...] = ()) -> None:
        if not isinstance(value, dict):
            _fail(path, "an object", value)
        self._values = value
        self._path = path

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def raw(self, key: str) -> Json:
        return self._values.get(key)

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if type(value) is not str:
            _fail((*self._path, key), "text", value)
        return value

    def optional_text(self, key: str) -> str | None:
        return None if self._values.get(key) is None else self.text(key)

    def integer(self, key: str, *, minimum: int | None = None) -> int:
        value = self._values.get(key)
        # type() and not isinstance: true is an int to Python.
        if type(value) is not int:
            _fail((*self._path, key), "a whole number", value)
        if minimum is not None and value < minimum:
            self.fail(key, f"must be at least {minimum}, not {value}")
        if abs(value) > _LARGEST_INTEGER:
            self.fail(key, f"must be at most {_LARGEST_INTEGER}")
        return value

    def optional_integer(self, key: str, *, minimum: int | None = None) -> int | None:
        return None if self._values.get(key) is None else self.integer(key, minimum=minimum)

    def optional_flag(self, key: str) -> bool | None:
        value = self._values.get(key)
        if value is not None and type(value) is not bool:
            _fail((*self._path, key), "true or false", value)
        return value

    def instant(self, key: str) -> str:
        """UTC RFC 3339, returned as it stands."""
        value = self.text(key)
        try:
            zone = datetime.fromisoformat(value).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            self.fail(key, "must be a UTC instant such as 2026-11-23T08:00:00Z")
        return value

    def address(self, key: str) -> Address:
        return parse_address(self.text(key), (*self._path, key))

    def optional_address(self, key: str) -> Address | None:
        return None if self._values.get(key) is None else self.address(key)

    def choice(self, key: str, kind: type[E]) -> E:
        value = self.text(key)
        try:
            return kind(value)
        except ValueError:
            self.fail(key, f"must be one of {', '.join(kind)}")

    def child(self, key: str) -> Fields:
        return Fields(self._values.get(key), (*self._path, key))

    def optional_child(self, key: str) -> Fields | None:
        return None if self._values.get(key) is None else self.child(key)

    def children(self, key: str) -> Iterator[Fields]:
        """The objects of a list."""
        for n, value in enumerate(self._items(key)):
            yield Fields(value, (*self._path, key, n))

    def members(self, key: str) -> Iterator[tuple[str, Fields]]:
        """The objects of an object, by key."""
        for name, value in self.mapping(key).items():
            yield name, Fields(value, (*self._path, key, name))

    def mapping(self, key: str) -> dict[str, Json]:
        value = self._values.get(key)
        if not isinstance(value, dict):
            _fail((*self._path, key), "an object", value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values: list[str] = []
        for n, value in enumerate(self._items(key)):
            if type(value) is not str:
                _fail((*self._path, key, n), "text", value)
            values.append(value)
        return tuple(values)

    def addresses(self, key: str) -> tuple[Address, ...]:
        return tuple(parse_address(text, (*self._path, key, n)) for n, text in enumerate(self.texts(key)))

    def fail(self, key: str, message: str) -> NoReturn:
        raise DocumentError(f"{_show_path((*self._path, key))} {message}")

    def _items(self, key: str) -> list[Json]:
        value = self._values.get(key)
        if not isinstance(value, list):
            _fail((*self._path, key), "a list", value)
        return value


def parse_address(text: str, path: tuple[PathPart, ...]) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise DocumentError(f"{_show_path(path)}: {error}") from None


def read_picture(fields: Fields) -> VersionPicture:
    """`{"version": V}` or `{"version": V, "gray": {...}}`, the spelling of `canonical.picture_to_json`."""
    return VersionPicture(fields.text("version"), read_gray(fields))


def read_gray(fields: Fields) -> Gray | None:
    """The candidate under the key `gray`, None where there is none."""
    gray = fields.optional_child("gray")
    if gray is None:
        return None
    version = gray.text("version")
    if gray.has("weight"):
        return Gray(version, GrayRule(weight=gray.integer("weight")))
    rules = frozenset(
        ContentRule(rule.text("type"), rule.text("key"), rule.text("condition"), rule.text("value"))
        for rule in (gray.children("rules") if gray.has("rules") else ())
    )
    if not rules:
        return Gray(version, None)
    match = gray.optional_text("match")
    if match not in (None, "all", "any"):
        gray.fail("match", "must be all or any")
    return Gray(version, GrayRule(match=cast("Literal['all', 'any'] | None", match), rules=rules))


def read_replicas(fields: Fields, key: str) -> Replicas:
    """A number of instances, or a range of them."""
    if not isinstance(fields.raw(key), dict):
        return fields.integer(key, minimum=0)
    bounds = fields.child(key)
    found = ReplicaRange(
        bounds.integer("min", minimum=0), bounds.integer("max", minimum=0), bool(bounds.optional_flag("enforce_max"))
    )
    if found.min > found.max:
        fields.fail(key, "must have a min that is not above its max")
    return found


def read_deployed(fields: Fields) -> Deployed:
    """What was sent along with a version."""
    version, env, resources, start = map(fields.optional_text, ("version", "env", "resources", "start"))
    return Deployed(version, env, resources, start)


def rejection_to_json(rejection: Rejection) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "version": rejection.version,
        "at": rejection.at,
        "by": rejection.by,
        "reason": rejection.reason,
        "job_id": rejection.job_id,
    }
    return shown if rejection.cleared is None else {**shown, "cleared": rejection.cleared}


def read_rejection(fields: Fields) -> Rejection:
    return Rejection(
        version=fields.text("version"),
        at=fields.text("at"),
        by=fields.text("by"),
        reason=fields.text("reason"),
        job_id=fields.optional_text("job_id"),
        cleared=fields.optional_text("cleared"),
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DocumentError(f"the key {_show_key(key)} stands twice in one object")
            seen.add(key)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise DocumentError(f"{name} is not a number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise DocumentError("a number is out of range")
    return value


def _ensure_shallow(document: dict[str, Json]) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            value
            for container in level
            for value in (container.values() if type(container) is dict else container)
            if type(value) is dict or type(value) is list
        ]
        if not level:
            return
    raise DocumentError(f"nested deeper than {MAX_DEPTH} levels")


def _fail(path: tuple[PathPart, ...], wanted: str, found: Json) -> NoReturn:
    raise DocumentError(f"{_show_path(path)} must be {wanted}, not {_kind(found)}")


def _kind(value: Json) -> str:
    """The kind of a value in words; never the value, which may be long or unfit for a terminal."""
    names = {type(None): "missing", bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")


def _show_path(path: tuple[PathPart, ...]) -> str:
    if not path:
        return "the document"
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += ("." if shown else "") + _show_key(part)
    return shown


def _show_key(key: str) -> str:
    """Plain keys as they are, others quoted in ASCII, shortened where somebody put a novel there."""
    if _PLAIN_KEY.fullmatch(key) and len(key) <= 64:
        return key
    return json.dumps(key if len(key) <= 200 else key[:200] + "…")
